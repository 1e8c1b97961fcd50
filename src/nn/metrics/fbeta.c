/* f1_score, fbeta_score: (1 + b^2) precision recall / (b^2 precision + recall) for each class, then
 * over the classes: "macro" the mean, "weighted" the mean weighted by the classes' targets, "micro"
 * from the counts of all classes together.  Keras: F1Score, FBetaScore, with their 1e-7 in each
 * divisor.  van Rijsbergen, "Information retrieval", 1979.
 *
 * Without a threshold the largest output of a row is the class said (all of equal largest); a
 * single output is compared with 0.5. */
#include "nn/metrics/common.h"

#include <math.h>

enum { AVERAGE, THRESHOLD, BETA }; /* THRESHOLD is NaN for none */
enum { MACRO, MICRO, WEIGHTED };
static const double epsilon = 1e-7;

typedef struct arguments {
    int average;
    double beta, threshold;
} arguments;

static lam_status configure(lam_metric *metric, const lam_args *args, bool has_beta, lam_error *err)
{
    static const char *const averages[] = {"macro", "micro", "weighted", NULL};
    static const lam_field fields[] = {
        {.name = "average",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(arguments, average),
         .choices = averages},
        {.name = "threshold",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(arguments, threshold),
         .min = 0,
         .max = 1},
        {.name = "beta",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(arguments, beta),
         .min = 1e-6,
         .max = 1e6},
    };
    arguments a = {.beta = 1, .threshold = (double)NAN};
    size_t n = has_beta ? LAM_COUNT(fields) : LAM_COUNT(fields) - 1;
    LAM_TRY(lam_args_read(args, fields, n, &a, metric->type->name, err));
    metric->config[AVERAGE] = a.average;
    metric->config[THRESHOLD] = a.threshold;
    metric->config[BETA] = a.beta;
    return LAM_OK;
}

static lam_status configure_f1(lam_metric *metric, const lam_args *args, lam_error *err)
{
    return configure(metric, args, false, err);
}

static lam_status configure_fbeta(lam_metric *metric, const lam_args *args, lam_error *err)
{
    return configure(metric, args, true, err);
}

/* tp, fp, fn of each class */
static size_t state_count(const lam_metric *metric, size_t d)
{
    (void)metric;
    return 3 * d;
}

static void update(const lam_metric *metric, size_t rows, size_t d, size_t y_d, const float *y,
                   const float *pred, const float *w, double *state)
{
    double *tp = state, *fp = state + d, *fn = state + 2 * d;
    bool by_threshold = !isnan(metric->config[THRESHOLD]) || d == 1;
    float threshold = isnan(metric->config[THRESHOLD]) ? 0.5f : (float)metric->config[THRESHOLD];
    (void)y_d;
    for (size_t r = 0; r < rows; r++) {
        const float *p = pred + r * d, *t = y + r * d;
        double weight = w ? (double)w[r] : 1;
        float most = p[lam_argmax(d, p)];
        for (size_t j = 0; j < d; j++) {
            double truth = (double)t[j];
            bool said = by_threshold ? p[j] > threshold
                                     : p[j] >= most && fabs((double)p[j]) > 1e-9;
            tp[j] += said ? weight * truth : 0;
            fp[j] += said ? weight * (1 - truth) : 0;
            fn[j] += said ? 0 : weight * truth;
        }
    }
}

static double score(const lam_metric *metric, double tp, double fp, double fn)
{
    double square = metric->config[BETA] * metric->config[BETA];
    double precision = tp / (tp + fp + epsilon), recall = tp / (tp + fn + epsilon);
    return (1 + square) * precision * recall / (square * precision + recall + epsilon);
}

static double result(const lam_metric *metric, size_t d, const double *state)
{
    const double *tp = state, *fp = state + d, *fn = state + 2 * d;
    double sum = 0, weighted = 0, all_tp = 0, all_fp = 0, all_fn = 0;
    for (size_t j = 0; j < d; j++) {
        double s = score(metric, tp[j], fp[j], fn[j]);
        sum += s;
        weighted += s * (tp[j] + fn[j]);
        all_tp += tp[j];
        all_fp += fp[j];
        all_fn += fn[j];
    }
    if (metric->config[AVERAGE] == MICRO)
        return score(metric, all_tp, all_fp, all_fn);
    if (metric->config[AVERAGE] == WEIGHTED)
        return weighted / (all_tp + all_fn + epsilon);
    return sum / (double)d;
}

#define METRIC(name_, configure_)                   \
    const lam_metric_type lam_metric_##name_ = {    \
        .name = #name_,                             \
        .configure = configure_,                    \
        .state_count = state_count,                 \
        .update = update,                           \
        .result = result,                           \
    };

METRIC(f1_score, configure_f1)
METRIC(fbeta_score, configure_fbeta)
