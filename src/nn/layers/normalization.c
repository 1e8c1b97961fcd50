/* normalization: y = (x - mean) / max(sqrt(variance), 1e-7), or with `invert`
 * y = mean + x * max(sqrt(variance), 1e-7).  mean and variance are weights that training leaves
 * alone, of the shape of the kept axes: `axis` counts from 1 with the batch as the first, or from
 * the end with -1; without an axis, one number each for everything.  Moments that are known can be
 * given as `mean` and `variance`: one number, or an array of that shape in R's order. */
#include <math.h>

#include <string.h>

#include "base/alloc.h"
#include "nn/layer.h"
#include "nn/layers/view.h"

typedef struct normalization {
    bool invert;
    int n_axis;
    double axis[LAM_MAX_RANK];
    lam_weight_options mean, variance; /* their initializers hold what was given */
    lam_view view;
} normalization;

/* A constant of as many values as were given; `otherwise` when there are none. */
static lam_status read_moments(const lam_args *args, const char *name, lam_initializer_id otherwise,
                               lam_initializer *init, lam_error *err)
{
    void *p = NULL;
    const lam_arg *given = lam_args_get(args, name);
    *init = (lam_initializer){.id = otherwise};
    if (!given || given->n == 0)
        return LAM_OK;
    if (given->kind != LAM_ARG_NUMBERS)
        return lam_fail_arg(err, LAM_EARGUMENT, name, "numbers", "something else");
    LAM_TRY(lam_new(&p, given->n, sizeof(double), "the moments", err));
    memcpy(p, given->numbers, given->n * sizeof(double));
    *init = (lam_initializer){.id = LAM_INIT_constant, .par = {given->numbers[0]}, .values = p, .n_values = given->n};
    return LAM_OK;
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "axis", .kind = LAM_FIELD_ANY},
        {.name = "invert", .kind = LAM_FIELD_BOOL, .offset = offsetof(normalization, invert)},
        {.name = "mean", .kind = LAM_FIELD_ANY},
        {.name = "variance", .kind = LAM_FIELD_ANY},
    };
    normalization *n = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), n, "layer_normalization()", err));
    const lam_arg *axis = lam_args_get(args, "axis");
    if (axis && (axis->kind != LAM_ARG_NUMBERS || axis->n > LAM_MAX_RANK))
        return lam_fail_arg(err, LAM_EARGUMENT, "axis", "up to 5 whole numbers", "%zu value(s)",
                            axis->n);
    for (size_t i = 0; axis && i < axis->n; i++)
        n->axis[n->n_axis++] = axis->numbers[i];
    LAM_TRY(read_moments(args, "mean", LAM_INIT_zeros, &n->mean.init, err));
    return read_moments(args, "variance", LAM_INIT_ones, &n->variance.init, err);
}

static void release(lam_layer *layer)
{
    normalization *n = layer->config;
    lam_free((void *)n->mean.init.values);
    lam_free((void *)n->variance.init.values);
}

static lam_status check_moments(const char *name, size_t n, const lam_shape *shape, lam_error *err)
{
    char text[128];
    if (n <= 1 || n == lam_shape_count(shape))
        return LAM_OK;
    return lam_fail_arg(err, LAM_ESHAPE, name, "one number, or one for each position along `axis`",
                        "%zu numbers for shape %s", n, lam_shape_text(shape, text, sizeof text));
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    normalization *n = layer->config;
    int rank = layer->in.rank;
    unsigned kept = 0;
    for (int i = 0; i < n->n_axis; i++) {
        double at = n->axis[i] < 0 ? rank + n->axis[i] : n->axis[i] - 2;
        if (!(at >= 0 && at < rank && at == (double)(int)at)) {
            char text[128];
            return lam_fail_arg(err, LAM_ESHAPE, "axis",
                                "a dimension of the input, the batch left out",
                                "%g, where a sample of layer %s has shape %s", n->axis[i],
                                layer->name, lam_shape_text(&layer->in, text, sizeof text));
        }
        kept |= 1u << (int)at;
    }
    lam_shape shape = {0};
    for (int i = 0; i < rank; i++)
        if (kept >> i & 1)
            shape.dim[shape.rank++] = layer->in.dim[i];
    LAM_TRY(check_moments("mean", n->mean.init.n_values, &shape, err));
    LAM_TRY(check_moments("variance", n->variance.init.n_values, &shape, err));
    size_t count;
    n->view = lam_view_broadcast(&layer->in, kept, &count);
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_CARRIES_MASK;
    layer->scratch_fixed = count * sizeof(float); /* what x is multiplied by */
    LAM_TRY(lam_layer_add_weight(layer, "mean", shape, false, &n->mean, err));
    return lam_layer_add_weight(layer, "variance", shape, false, &n->variance, err);
}

static const float *factors(const lam_layer *layer, const lam_pass *pass)
{
    const normalization *n = layer->config;
    const float *variance = lam_w(layer, pass, 1);
    float *factor = (float *)pass->scratch;
    for (size_t i = 0; i < layer->weight[1].count; i++) {
        float sd = fmaxf(sqrtf(variance[i]), 1e-7f);
        factor[i] = n->invert ? sd : 1.0f / sd;
    }
    return factor;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const normalization *n = layer->config;
    const lam_view *view = &n->view;
    const float *factor = factors(layer, pass), *mean = lam_w(layer, pass, 0), *x = pass->x;
    float *y = pass->y;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, x += view->length, y += view->length) {
            const float *m = mean + lam_view_at(view, run), *f = factor + lam_view_at(view, run);
            for (size_t j = 0, at = 0; j < view->length; j++, at += view->stride)
                y[j] = n->invert ? x[j] * f[at] + m[at] : (x[j] - m[at]) * f[at];
        }
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const normalization *n = layer->config;
    const lam_view *view = &n->view;
    if (!pass->dx)
        return;
    const float *factor = factors(layer, pass), *dy = pass->dy;
    float *dx = pass->dx;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, dy += view->length, dx += view->length) {
            const float *f = factor + lam_view_at(view, run);
            for (size_t j = 0, at = 0; j < view->length; j++, at += view->stride)
                dx[j] = dy[j] * f[at];
        }
}

const lam_layer_type lam_layer_normalization = {
    .name = "normalization",
    .config_size = sizeof(normalization),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
    .release = release,
};
