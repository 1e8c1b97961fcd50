/* global_max_pooling and global_average_pooling: one number for each channel of a sequence (1d) or a
 * picture (2d), its largest or its mean.  keepdims leaves the other dimensions with length 1.
 * With a mask global_average_pooling_1d gives the mean of the steps that count, and 0 where none does. */
#include <string.h>

#include "kernels/pool.h"
#include "nn/layers/mask.h"
#include "nn/layers/window.h"

typedef struct global_pooling {
    bool keepdims;
    lam_window window;
    lam_pool pool; /* its one window is the whole picture */
} global_pooling;

static lam_status configure(lam_layer *layer, int rank, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "keepdims", .kind = LAM_FIELD_BOOL, .offset = offsetof(global_pooling, keepdims)},
    };
    global_pooling *g = layer->config;
    g->window.rank = rank;
    return lam_args_read(args, fields, LAM_COUNT(fields), g, layer->type->name, err);
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
    global_pooling *g = layer->config;
    lam_window_fit fit;
    LAM_TRY(lam_window_input(&g->window, layer, &fit, err));
    layer->out = g->keepdims ? lam_window_shape(&g->window, (const size_t[]){1, 1}, fit.channels)
                             : lam_shape_1(fit.channels);
    g->pool = (lam_pool){.in_h = fit.in[0],
                         .in_w = fit.in[1],
                         .out_h = 1,
                         .out_w = 1,
                         .channels = fit.channels,
                         .size_h = fit.in[0],
                         .size_w = fit.in[1],
                         .stride_h = 1,
                         .stride_w = 1};
    return LAM_OK;
}

static lam_status build_max(lam_layer *layer, lam_error *err)
{
    const global_pooling *g = layer->config;
    LAM_TRY(build(layer, err));
    layer->flags = LAM_LAYER_GATES;
    layer->cache_row = g->pool.channels * lam_max_pool_winner(&g->pool);
    return LAM_OK;
}

static void forward_max(const lam_layer *layer, const lam_pass *pass)
{
    const global_pooling *g = layer->config;
    lam_max_pool_forward(&g->pool, pass->rows, pass->rectified, pass->x, pass->y,
                         pass->backward_follows ? pass->cache : NULL);
}

static void backward_max(const lam_layer *layer, const lam_pass *pass)
{
    const global_pooling *g = layer->config;
    if (pass->dx)
        lam_max_pool_backward(&g->pool, pass->rows, pass->dy, pass->cache, pass->dx);
}

static lam_status build_average_1d(lam_layer *layer, lam_error *err)
{
    LAM_TRY(build(layer, err));
    layer->flags = layer->mask_in > 0 ? LAM_LAYER_USES_MASK : 0;
    return LAM_OK;
}

typedef struct means {
    const lam_layer *layer;
    const lam_pass *pass;
} means;

static void mean_task(void *arg, size_t row, int worker)
{
    (void)worker;
    const means *m = arg;
    size_t channels = m->layer->out_count, cells = m->layer->in_count / channels;
    float *y = m->pass->y + row * channels;
    lam_colsum(cells, channels, m->pass->x + row * m->layer->in_count, y, false);
    lam_scale(channels, 1.0f / (float)cells, y);
}

/* A sum over many cells wants more care than a small window's: lam_colsum() adds up in double. */
static void forward_average(const lam_layer *layer, const lam_pass *pass)
{
    lam_parallel(pass->rows, mean_task, &(means){layer, pass});
}

static void backward_average(const lam_layer *layer, const lam_pass *pass)
{
    const global_pooling *g = layer->config;
    if (pass->dx)
        lam_average_pool_backward(&g->pool, pass->rows, pass->dy, pass->dx);
}

static void masked_mean_task(void *arg, size_t row, int worker)
{
    (void)worker;
    const means *m = arg;
    size_t channels = m->layer->out_count, steps = m->layer->mask_in;
    const unsigned char *mask = m->pass->mask + row * steps;
    const float *x = m->pass->x + row * m->layer->in_count;
    size_t count = lam_mask_count(mask, steps);
    float *y = m->pass->y + row * channels;
    memset(y, 0, channels * sizeof(float));
    for (size_t from = 0, to; from < steps; from = to) {
        to = lam_mask_run(mask, from, steps);
        if (mask[from])
            lam_colsum(to - from, channels, x + from * channels, y, true);
    }
    lam_scale(channels, count ? 1.0f / (float)count : 0.0f, y);
}

static void forward_average_1d(const lam_layer *layer, const lam_pass *pass)
{
    if (pass->mask)
        lam_parallel(pass->rows, masked_mean_task, &(means){layer, pass});
    else
        forward_average(layer, pass);
}

static void masked_share_task(void *arg, size_t row, int worker)
{
    (void)worker;
    const means *m = arg;
    size_t channels = m->layer->out_count, steps = m->layer->mask_in;
    const unsigned char *mask = m->pass->mask + row * steps;
    const float *dy = m->pass->dy + row * channels;
    float *dx = m->pass->dx + row * m->layer->in_count;
    float share = 1.0f / (float)lam_most(lam_mask_count(mask, steps), 1);
    for (size_t s = 0; s < steps; s++, dx += channels)
        for (size_t c = 0; c < channels; c++)
            dx[c] = mask[s] ? dy[c] * share : 0.0f;
}

static void backward_average_1d(const lam_layer *layer, const lam_pass *pass)
{
    if (!pass->mask)
        backward_average(layer, pass);
    else if (pass->dx)
        lam_parallel(pass->rows, masked_share_task, &(means){layer, pass});
}

#define GLOBAL_POOLING(kind, rank, build_kind, suffix)                \
    const lam_layer_type lam_layer_global_##kind##_pooling_##rank = { \
        .name = "global_" #kind "_pooling_" #rank,                    \
        .config_size = sizeof(global_pooling),                        \
        .configure = configure_##rank,                                \
        .build = build_kind,                                          \
        .forward = forward_##kind##suffix,                            \
        .backward = backward_##kind##suffix,                          \
    }

GLOBAL_POOLING(max, 1d, build_max, );
GLOBAL_POOLING(max, 2d, build_max, );
GLOBAL_POOLING(average, 1d, build_average_1d, _1d);
GLOBAL_POOLING(average, 2d, build, );
