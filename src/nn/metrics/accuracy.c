/* Accuracies: the weighted mean over the rows of how right a row is, 0 to 1.
 *
 *   binary_accuracy              share of the outputs where (p > threshold) is y
 *   categorical_accuracy         is the largest prediction where the largest target is?
 *   sparse_categorical_accuracy  the same, the target being the number of the class
 *   top_k_...                    are fewer than k predictions larger than that of the true class?
 *
 * Of equal largest the first counts.  Ties with the true class at the k-th place are hits, as in
 * Keras' in_top_k. */
#include "nn/metrics/common.h"

#include <math.h>

enum { THRESHOLD = 0, K = 0 };

static lam_status configure_threshold(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_METRIC_NUMBER("threshold", THRESHOLD, -INFINITY, INFINITY),
    };
    metric->config[THRESHOLD] = 0.5;
    return lam_args_read(args, fields, LAM_COUNT(fields), metric, metric->type->name, err);
}

static lam_status configure_k(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_METRIC_NUMBER("k", K, 1, 1e9)};
    metric->config[K] = 5;
    return lam_args_read(args, fields, LAM_COUNT(fields), metric, metric->type->name, err);
}

typedef double (*row_fn)(const lam_metric *metric, size_t d, const float *y, const float *pred);

static double binary_row(const lam_metric *metric, size_t d, const float *y, const float *pred)
{
    float threshold = (float)metric->config[THRESHOLD];
    size_t hits = 0;
    for (size_t j = 0; j < d; j++)
        hits += y[j] == (pred[j] > threshold ? 1.0f : 0.0f);
    return (double)hits / (double)d;
}

static double categorical_row(const lam_metric *metric, size_t d, const float *y, const float *pred)
{
    (void)metric;
    return lam_argmax(d, pred) == lam_argmax(d, y);
}

static double sparse_row(const lam_metric *metric, size_t d, const float *y, const float *pred)
{
    (void)metric;
    return (float)lam_argmax(d, pred) == *y;
}

static double in_top_k(const lam_metric *metric, size_t d, size_t label, const float *pred)
{
    size_t larger = 0;
    for (size_t j = 0; j < d; j++)
        larger += pred[j] > pred[label];
    return !isnan(pred[label]) && (double)larger < metric->config[K];
}

static double top_k_row(const lam_metric *metric, size_t d, const float *y, const float *pred)
{
    return in_top_k(metric, d, lam_argmax(d, y), pred);
}

static double sparse_top_k_row(const lam_metric *metric, size_t d, const float *y,
                               const float *pred)
{
    bool is_class = *y >= 0 && *y < (float)d;
    return is_class ? in_top_k(metric, d, (size_t)*y, pred) : 0;
}

static inline void add_rows(row_fn row, const lam_metric *metric, size_t rows, size_t d, size_t y_d,
                            const float *y, const float *pred, const float *w, double *state)
{
    for (size_t r = 0; r < rows; r++) {
        double weight = w ? (double)w[r] : 1;
        state[0] += weight * row(metric, d, y + r * y_d, pred + r * d);
        state[1] += weight;
    }
}

#define METRIC(name_, row_, configure_, check_)                                                  \
    static void row_##_update(const lam_metric *metric, size_t rows, size_t d, size_t y_d,       \
                              const float *y, const float *pred, const float *w, double *state)  \
    {                                                                                            \
        add_rows(row_, metric, rows, d, y_d, y, pred, w, state);                                 \
    }                                                                                            \
    const lam_metric_type lam_metric_##name_ = {                                                 \
        .name = #name_,                                                                          \
        .configure = configure_,                                                                 \
        .state_count = lam_mean_state_count,                                                     \
        .update = row_##_update,                                                                 \
        .result = lam_mean_result,                                                               \
        .check = check_,                                                                         \
    };

METRIC(binary_accuracy, binary_row, configure_threshold, NULL)
METRIC(categorical_accuracy, categorical_row, NULL, NULL)
METRIC(sparse_categorical_accuracy, sparse_row, NULL, lam_metric_check_sparse)
METRIC(top_k_categorical_accuracy, top_k_row, configure_k, NULL)
METRIC(sparse_top_k_categorical_accuracy, sparse_top_k_row, configure_k, lam_metric_check_sparse)
