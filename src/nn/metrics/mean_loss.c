/* Metrics that are the mean of a loss over the rows, weighted by w: sum(w l) / sum(w).  The loss
 * brings its formula, its arguments and its labels' meaning; nn/losses/ has them.
 * root_mean_squared_error is the root of the overall mean; cosine_similarity has the sign that the
 * loss lacks. */
#include "nn/metrics/common.h"

#include <math.h>

static lam_status configure(lam_metric *metric, const lam_args *args, lam_error *err)
{
    lam_spec spec = {metric->type->loss->name, *args};
    return lam_loss_read(&spec, &metric->loss, err);
}

static void update(const lam_metric *metric, size_t rows, size_t d, size_t y_d, const float *y,
                   const float *pred, const float *w, double *state)
{
    enum { PIECE = 256 };
    double value[PIECE];
    lam_loss loss = lam_loss_prepare(&metric->loss, rows * y_d, y);
    for (size_t first = 0; first < rows; first += PIECE) {
        size_t n = rows - first < PIECE ? rows - first : PIECE;
        loss.type->eval(&loss, n, d, y + first * y_d, pred + first * d, value, NULL, NULL);
        for (size_t i = 0; i < n; i++) {
            size_t r = first + i;
            if (loss.type->ignores && loss.type->ignores(&loss, y + r * y_d))
                continue;
            double weight = w ? (double)w[r] : 1;
            state[0] += weight * value[i];
            state[1] += weight;
        }
    }
}

static double root(const lam_metric *metric, size_t d, const double *state)
{
    return sqrt(lam_mean_result(metric, d, state));
}

static double negative(const lam_metric *metric, size_t d, const double *state)
{
    return -lam_mean_result(metric, d, state);
}

#define METRIC(name_, loss_, check_, result_)               \
    extern const lam_loss_type lam_loss_##loss_;            \
    const lam_metric_type lam_metric_##name_ = {            \
        .name = #name_,                                     \
        .configure = configure,                             \
        .state_count = lam_mean_state_count,                \
        .update = update,                                   \
        .result = result_,                                  \
        .check = check_,                                    \
        .loss = &lam_loss_##loss_,                          \
    };

METRIC(mean_squared_error, mean_squared_error, NULL, lam_mean_result)
METRIC(root_mean_squared_error, mean_squared_error, NULL, root)
METRIC(mean_absolute_error, mean_absolute_error, NULL, lam_mean_result)
METRIC(mean_absolute_percentage_error, mean_absolute_percentage_error, NULL, lam_mean_result)
METRIC(mean_squared_logarithmic_error, mean_squared_logarithmic_error, NULL, lam_mean_result)
METRIC(cosine_similarity, cosine_similarity, NULL, negative)
METRIC(binary_crossentropy, binary_crossentropy, NULL, lam_mean_result)
METRIC(categorical_crossentropy, categorical_crossentropy, NULL, lam_mean_result)
METRIC(sparse_categorical_crossentropy, sparse_categorical_crossentropy, lam_metric_check_sparse,
       lam_mean_result)
METRIC(binary_focal_crossentropy, binary_focal_crossentropy, NULL, lam_mean_result)
METRIC(categorical_focal_crossentropy, categorical_focal_crossentropy, NULL, lam_mean_result)
METRIC(kl_divergence, kl_divergence, NULL, lam_mean_result)
METRIC(poisson, poisson, NULL, lam_mean_result)
METRIC(hinge, hinge, NULL, lam_mean_result)
METRIC(squared_hinge, squared_hinge, NULL, lam_mean_result)
METRIC(categorical_hinge, categorical_hinge, NULL, lam_mean_result)
METRIC(log_cosh_error, log_cosh, NULL, lam_mean_result)
METRIC(huber, huber, NULL, lam_mean_result)
