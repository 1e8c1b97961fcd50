#include "nn/metrics/common.h"

size_t lam_mean_state_count(const lam_metric *metric, size_t d)
{
    (void)metric, (void)d;
    return 2;
}

double lam_mean_result(const lam_metric *metric, size_t d, const double *state)
{
    (void)metric, (void)d;
    return lam_ratio(state[0], state[1]);
}

lam_status lam_metric_check_sparse(const lam_metric *metric, size_t d, size_t y_d, lam_error *err)
{
    (void)d;
    if (y_d == 1)
        return LAM_OK;
    return lam_fail(err, LAM_ESHAPE,
                    "The metric %s needs one class number a row; `y` has %zu columns.",
                    metric->name, y_d);
}
