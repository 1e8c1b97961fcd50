/* What several metrics share. */
#ifndef LAM_NN_METRICS_COMMON_H
#define LAM_NN_METRICS_COMMON_H

#include "nn/metric.h"

/* 0 where the divisor is 0, as Keras' divide_no_nan. */
static inline double lam_ratio(double a, double b)
{
    return b == 0 ? 0 : a / b;
}

/* The number of the largest, the first of equals. */
static inline size_t lam_argmax(size_t d, const float *x)
{
    size_t best = 0;
    for (size_t j = 1; j < d; j++)
        if (x[j] > x[best])
            best = j;
    return best;
}

/* A weighted mean over the rows: state = {sum of w v, sum of w}. */
size_t lam_mean_state_count(const lam_metric *metric, size_t d);
double lam_mean_result(const lam_metric *metric, size_t d, const double *state);

/* The check of metrics whose targets are class numbers. */
lam_status lam_metric_check_sparse(const lam_metric *metric, size_t d, size_t y_d, lam_error *err);

#define LAM_METRIC_NUMBER(name_, i, min_, max_)                                                 \
    {.name = name_, .kind = LAM_FIELD_DOUBLE, .min = min_, .max = max_,                         \
     .offset = offsetof(lam_metric, config) + (i) * sizeof(double)}

#endif
