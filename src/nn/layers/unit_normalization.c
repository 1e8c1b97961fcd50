/* unit_normalization: y = x / ||x||, the Euclidean length along `axis` brought to 1; as in Keras
 * y = x / sqrt(max(sum x^2, 1e-12)).  Way back
 *
 *   dx = dy / ||x|| - x sum(dy x) / ||x||^3
 *
 * without the last term where x is shorter than 1e-6. */
#include <math.h>

#include "kernels/kernels.h"
#include "nn/layers/norm.h"

#define SHORTEST 1e-12 /* of the square of a length */

typedef struct unit_normalization {
    lam_norm norm; /* its axes */
    lam_norm_rows rows;
} unit_normalization;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_AXIS_FIELD};
    unit_normalization *u = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), u, "layer_unit_normalization()", err));
    return lam_norm_axis(&u->norm, args, LAM_MAX_RANK, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    unit_normalization *u = layer->config;
    unsigned axes;
    LAM_TRY(lam_norm_find_axes(&u->norm, layer, &axes, err));
    u->rows = lam_norm_rows_of(&layer->in, axes);
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_NEEDS_X | LAM_LAYER_CARRIES_MASK;
    layer->scratch_row = u->rows.in_order ? 0 : 2 * layer->in_count * sizeof(float);
    return LAM_OK;
}

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
} job;

static void forward_row(size_t n, const float *x, float *y)
{
    float inverse = (float)(1.0 / sqrt(fmax(lam_sum_squares(n, x), SHORTEST)));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * inverse;
}

static void backward_row(size_t n, const float *x, const float *dy, float *dx)
{
    double squares = lam_sum_squares(n, x), product = 0.0;
    float inverse = (float)(1.0 / sqrt(fmax(squares, SHORTEST)));
    for (size_t i = 0; i < n && squares > SHORTEST; i++)
        product += (double)dy[i] * (double)x[i];
    float slope = (float)(-product / (fmax(squares, SHORTEST)) * (double)inverse);
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * inverse + x[i] * slope;
}

static void forward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const unit_normalization *u = j->layer->config;
    size_t n = u->rows.length, count = j->layer->in_count, at = sample * count;
    const float *x = j->pass->x + at;
    float *y = j->pass->y + at, *reordered = (float *)j->pass->scratch + 2 * at;
    if (!u->rows.in_order) {
        lam_view_gather(&u->rows.view, x, reordered);
        x = reordered;
        y = reordered + count;
    }
    for (size_t row = 0; row < u->rows.rows; row++)
        forward_row(n, x + row * n, y + row * n);
    if (!u->rows.in_order)
        lam_view_scatter(&u->rows.view, y, j->pass->y + at);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_parallel(pass->rows, forward_task, &(job){layer, pass});
}

static void backward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const unit_normalization *u = j->layer->config;
    size_t n = u->rows.length, count = j->layer->in_count, at = sample * count;
    const float *x = j->pass->x + at, *dy = j->pass->dy + at;
    float *dx = j->pass->dx + at, *reordered = (float *)j->pass->scratch + 2 * at;
    if (!u->rows.in_order) {
        lam_view_gather(&u->rows.view, x, reordered);
        lam_view_gather(&u->rows.view, dy, reordered + count);
        x = reordered;
        dy = dx = reordered + count;
    }
    for (size_t row = 0; row < u->rows.rows; row++)
        backward_row(n, x + row * n, dy + row * n, dx + row * n);
    if (!u->rows.in_order)
        lam_view_scatter(&u->rows.view, dx, j->pass->dx + at);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    if (pass->dx)
        lam_parallel(pass->rows, backward_task, &(job){layer, pass});
}

const lam_layer_type lam_layer_unit_normalization = {
    .name = "unit_normalization",
    .config_size = sizeof(unit_normalization),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
