/* dropout (Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting",
 * JMLR 2014): in training each number is 0 with probability `rate`, else x / (1 - rate); in use,
 * y = x.  The mask is kept for backward.
 * spatial_dropout_1d and _2d (Tompson and others, "Efficient object localization using
 * convolutional networks", CVPR 2015): whole channels of a sample are dropped. */
#include "kernels/kernels.h"
#include "nn/layers/drop.h"
#include "nn/layers/identity.h"
#include "nn/layers/window.h"

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return lam_drop_read(layer->config, args, true, "layer_dropout()", err);
}

static lam_status configure_spatial(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return lam_drop_read(layer->config, args, false, layer->type->name, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    return lam_drop_build(layer->config, layer, err);
}

/* A mask with one cell for each channel of `rank` dimensions. */
static lam_status build_spatial(lam_layer *layer, int rank, lam_error *err)
{
    lam_drop *drop = layer->config;
    lam_window_fit fit;
    LAM_TRY(lam_window_input(&(lam_window){.rank = rank}, layer, &fit, err));
    drop->n_shape = (size_t)rank + 2;
    for (size_t i = 0; i < drop->n_shape; i++)
        drop->shape[i] = i == 0 || i == drop->n_shape - 1 ? NAN : 1;
    return lam_drop_build(drop, layer, err);
}

static lam_status build_1d(lam_layer *layer, lam_error *err)
{
    return build_spatial(layer, 1, err);
}

static lam_status build_2d(lam_layer *layer, lam_error *err)
{
    return build_spatial(layer, 2, err);
}

static bool active(const lam_drop *drop, const lam_pass *pass)
{
    return pass->training && drop->rate > 0.0f;
}

/* y = mask ? x * scale : 0 with one mask cell for several numbers */
static void apply(const lam_layer *layer, const lam_pass *pass, const float *x, float *y)
{
    const lam_drop *drop = layer->config;
    const lam_view *view = &drop->view;
    float scale = 1.0f / (1.0f - drop->rate);
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, x += view->length, y += view->length) {
            const uint8_t *mask = lam_drop_mask(drop, pass, row) + lam_view_at(view, run);
            for (size_t j = 0; j < view->length; j++)
                y[j] = mask[j * view->stride] ? x[j] * scale : 0.0f;
        }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_drop *drop = layer->config;
    if (!active(drop, pass)) {
        lam_identity_forward(layer, pass);
    } else if (drop->n_shape == 0) {
        lam_rng rng = lam_noise_rng(layer, pass, drop->seed);
        lam_dropout_forward(pass->rows * layer->in_count, &rng,
                            (uint64_t)pass->first_row * layer->in_count, drop->rate, pass->x,
                            pass->y, (uint8_t *)pass->cache);
    } else {
        lam_drop_draw(drop, layer, pass);
        apply(layer, pass, pass->x, pass->y);
    }
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_drop *drop = layer->config;
    if (!pass->dx)
        return;
    if (!active(drop, pass))
        lam_identity_backward(layer, pass);
    else if (drop->n_shape == 0)
        lam_dropout_backward(pass->rows * layer->in_count, (const uint8_t *)pass->cache,
                             1.0f / (1.0f - drop->rate), pass->dy, pass->dx);
    else
        apply(layer, pass, pass->dy, pass->dx);
}

const lam_layer_type lam_layer_dropout = {
    .name = "dropout",
    .config_size = sizeof(lam_drop),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};

const lam_layer_type lam_layer_spatial_dropout_1d = {
    .name = "spatial_dropout_1d",
    .config_size = sizeof(lam_drop),
    .configure = configure_spatial,
    .build = build_1d,
    .forward = forward,
    .backward = backward,
};

const lam_layer_type lam_layer_spatial_dropout_2d = {
    .name = "spatial_dropout_2d",
    .config_size = sizeof(lam_drop),
    .configure = configure_spatial,
    .build = build_2d,
    .forward = forward,
    .backward = backward,
};
