/* r2_score: 1 - sum (y - p)^2 / sum (y - mean(y))^2 for each output; then the mean over the
 * outputs, or the mean weighted by their variances.  With num_regressors k and n rows it is
 * adjusted: 1 - (1 - r2) (n - 1) / (n - k - 1).  Outputs whose targets do not vary count as 0.
 * Keras: R2Score. */
#include "nn/metrics/common.h"

enum { AGGREGATION, REGRESSORS };
enum { UNIFORM, BY_VARIANCE };
enum { ROWS, WEIGHT, COLUMNS }; /* from COLUMNS on, d each: sum of y, of y^2, of (y - p)^2 */

typedef struct arguments {
    int aggregation;
    size_t regressors;
} arguments;

static lam_status configure(lam_metric *metric, const lam_args *args, lam_error *err)
{
    static const char *const aggregations[] = {"uniform_average", "variance_weighted_average",
                                               NULL};
    static const lam_field fields[] = {
        {.name = "class_aggregation",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(arguments, aggregation),
         .choices = aggregations},
        {.name = "num_regressors",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(arguments, regressors)},
    };
    arguments a = {0};
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), &a, "r2_score", err));
    metric->config[AGGREGATION] = a.aggregation;
    metric->config[REGRESSORS] = (double)a.regressors;
    return LAM_OK;
}

static size_t state_count(const lam_metric *metric, size_t d)
{
    (void)metric;
    return COLUMNS + 3 * d;
}

static void update(const lam_metric *metric, size_t rows, size_t d, size_t y_d, const float *y,
                   const float *pred, const float *w, double *state)
{
    double *sum = state + COLUMNS, *squares = sum + d, *errors = squares + d;
    (void)metric, (void)y_d;
    state[ROWS] += (double)rows;
    for (size_t r = 0; r < rows; r++) {
        double weight = w ? (double)w[r] : 1;
        state[WEIGHT] += weight;
        for (size_t j = 0; j < d; j++) {
            double t = (double)y[r * d + j], e = t - (double)pred[r * d + j];
            sum[j] += weight * t;
            squares[j] += weight * t * t;
            errors[j] += weight * e * e;
        }
    }
}

static double result(const lam_metric *metric, size_t d, const double *state)
{
    const double *sum = state + COLUMNS, *squares = sum + d, *errors = squares + d;
    double top = 0, bottom = 0;
    for (size_t j = 0; j < d; j++) {
        double total = squares[j] - sum[j] * lam_ratio(sum[j], state[WEIGHT]);
        bool varies = total > 1e-12 * squares[j]; /* not only by rounding */
        double weight = metric->config[AGGREGATION] == UNIFORM ? 1 : varies ? total : 0;
        top += weight * (varies ? 1 - errors[j] / total : 0);
        bottom += weight;
    }
    double r2 = lam_ratio(top, bottom), k = metric->config[REGRESSORS], n = state[ROWS];
    return k > 0 && n > k + 1 ? 1 - (1 - r2) * (n - 1) / (n - k - 1) : r2;
}

const lam_metric_type lam_metric_r2_score = {
    .name = "r2_score",
    .configure = configure,
    .state_count = state_count,
    .update = update,
    .result = result,
};
