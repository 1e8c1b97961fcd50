/* Counts of right and wrong decisions (p > threshold) over all outputs, or those of one class:
 * true and false positives and negatives, precision = tp / (tp + fp), recall = tp / (tp + fn).
 * A target other than 0 is a positive.  0 / 0 is 0, as in Keras. */
#include "nn/metrics/common.h"

#include <math.h>

enum { THRESHOLD, CLASS }; /* CLASS is -1 for all */
enum { TP, FP, FN, TN, COUNTS };

static lam_status configure_counts(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_METRIC_NUMBER("thresholds", THRESHOLD, 0, 1)};
    metric->config[THRESHOLD] = 0.5;
    metric->config[CLASS] = -1;
    return lam_args_read(args, fields, LAM_COUNT(fields), metric, metric->type->name, err);
}

static lam_status configure_rates(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_METRIC_NUMBER("thresholds", THRESHOLD, 0, 1),
        LAM_METRIC_NUMBER("class_id", CLASS, 0, 1e9),
    };
    metric->config[THRESHOLD] = 0.5;
    metric->config[CLASS] = -1;
    return lam_args_read(args, fields, LAM_COUNT(fields), metric, metric->type->name, err);
}

static lam_status check(const lam_metric *metric, size_t d, size_t y_d, lam_error *err)
{
    double class_id = metric->config[CLASS];
    if (y_d != d)
        return lam_fail(err, LAM_ESHAPE,
                        "The metric %s needs a 0/1 target for each of the %zu outputs; `y` has %zu "
                        "a row.",
                        metric->name, d, y_d);
    if (class_id >= (double)d || class_id != floor(class_id))
        return lam_fail_arg(err, LAM_EARGUMENT, "class_id", "the number of an output, from 0",
                            "%g (%zu outputs)", class_id, d);
    return LAM_OK;
}

static size_t state_count(const lam_metric *metric, size_t d)
{
    (void)metric, (void)d;
    return COUNTS;
}

static void update(const lam_metric *metric, size_t rows, size_t d, size_t y_d, const float *y,
                   const float *pred, const float *w, double *state)
{
    float threshold = (float)metric->config[THRESHOLD];
    bool one = metric->config[CLASS] >= 0;
    size_t from = one ? (size_t)metric->config[CLASS] : 0, to = one ? from + 1 : d;
    (void)y_d;
    for (size_t r = 0; r < rows; r++) {
        double weight = w ? (double)w[r] : 1;
        for (size_t j = from; j < to; j++) {
            bool positive = y[r * d + j] != 0, said = pred[r * d + j] > threshold;
            state[positive ? (said ? TP : FN) : (said ? FP : TN)] += weight;
        }
    }
}

static double precision(const lam_metric *metric, size_t d, const double *state)
{
    (void)metric, (void)d;
    return lam_ratio(state[TP], state[TP] + state[FP]);
}

static double recall(const lam_metric *metric, size_t d, const double *state)
{
    (void)metric, (void)d;
    return lam_ratio(state[TP], state[TP] + state[FN]);
}

#define METRIC(name_, configure_, result_)          \
    const lam_metric_type lam_metric_##name_ = {    \
        .name = #name_,                             \
        .configure = configure_,                    \
        .state_count = state_count,                 \
        .update = update,                           \
        .result = result_,                          \
        .check = check,                             \
    };

#define COUNT(name_, which)                                                                  \
    static double count_##name_(const lam_metric *metric, size_t d, const double *state)     \
    {                                                                                        \
        (void)metric, (void)d;                                                               \
        return state[which];                                                                 \
    }                                                                                        \
    METRIC(name_, configure_counts, count_##name_)

METRIC(precision, configure_rates, precision)
METRIC(recall, configure_rates, recall)
COUNT(true_positives, TP)
COUNT(true_negatives, TN)
COUNT(false_positives, FP)
COUNT(false_negatives, FN)
