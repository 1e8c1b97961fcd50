/* max_pooling and average_pooling, over sequences (1d) and pictures (2d): the largest number or the
 * mean of every window, channel by channel.  What lies outside the picture (padding = "same") does
 * not count.  Max pooling keeps which cell won, the first among equals. */
#include "kernels/pool.h"
#include "nn/layers/window.h"

typedef struct pooling {
    lam_window window;
    lam_pool pool;
} pooling;

static lam_status configure(lam_layer *layer, int rank, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_WINDOW_FIELDS("pool_size")};
    pooling *p = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), p, layer->type->name, err));
    return lam_window_read(&p->window, rank, args, "pool_size", LAM_WINDOW_POOLS, err);
}

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, 1, args, err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, 2, args, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    pooling *p = layer->config;
    const lam_window *w = &p->window;
    lam_window_fit fit;
    LAM_TRY(lam_window_place(w, layer, &fit, err));
    layer->out = lam_window_shape(w, fit.out, fit.channels);
    p->pool = (lam_pool){.in_h = fit.in[0],
                         .in_w = fit.in[1],
                         .out_h = fit.out[0],
                         .out_w = fit.out[1],
                         .channels = fit.channels,
                         .size_h = w->size[0],
                         .size_w = w->size[1],
                         .stride_h = w->stride[0],
                         .stride_w = w->stride[1],
                         .pad_top = fit.pad[0],
                         .pad_left = fit.pad[1]};
    return LAM_OK;
}

static lam_status build_max(lam_layer *layer, lam_error *err)
{
    const pooling *p = layer->config;
    LAM_TRY(build(layer, err));
    layer->flags = LAM_LAYER_GATES;
    layer->cache_row = lam_shape_count(&layer->out) * lam_max_pool_winner(&p->pool);
    return LAM_OK;
}

static void forward_max(const lam_layer *layer, const lam_pass *pass)
{
    const pooling *p = layer->config;
    lam_max_pool_forward(&p->pool, pass->rows, pass->rectified, pass->x, pass->y,
                         pass->backward_follows ? pass->cache : NULL);
}

static void backward_max(const lam_layer *layer, const lam_pass *pass)
{
    const pooling *p = layer->config;
    if (pass->dx)
        lam_max_pool_backward(&p->pool, pass->rows, pass->dy, pass->cache, pass->dx);
}

static void forward_average(const lam_layer *layer, const lam_pass *pass)
{
    const pooling *p = layer->config;
    lam_average_pool_forward(&p->pool, pass->rows, pass->x, pass->y);
}

static void backward_average(const lam_layer *layer, const lam_pass *pass)
{
    const pooling *p = layer->config;
    if (pass->dx)
        lam_average_pool_backward(&p->pool, pass->rows, pass->dy, pass->dx);
}

#define POOLING(kind, rank, build_kind)                \
    const lam_layer_type lam_layer_##kind##_pooling_##rank = { \
        .name = #kind "_pooling_" #rank,               \
        .config_size = sizeof(pooling),                \
        .configure = configure_##rank,                 \
        .build = build_kind,                           \
        .forward = forward_##kind,                     \
        .backward = backward_##kind,                   \
    }

POOLING(max, 1d, build_max);
POOLING(max, 2d, build_max);
POOLING(average, 1d, build);
POOLING(average, 2d, build);
