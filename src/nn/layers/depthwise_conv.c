/* depthwise_conv_1d, depthwise_conv_2d: every channel has filters of its own, depth_multiplier of
 * them, and sees no other channel: a convolution with as many groups as channels.
 *
 *   z[p, q, c m + k] = bias[c m + k] + sum over i, j of
 *                      x[p stride + i dilation - pad, q stride + j dilation - pad, c] kernel[i, j, c, k]
 *
 * with m = depth_multiplier.  The kernel's (..., channels, m) lies in memory as the (..., 1,
 * channels m) of that convolution. */
#include "base/alloc.h"
#include "nn/layers/conv_layer.h"

static lam_status configure(lam_layer *layer, const lam_args *args, int rank, const char *owner,
                            lam_error *err)
{
    static const lam_field fields[] = {LAM_CONV_COUNT(depth_multiplier, false), LAM_CONV_FIELDS,
                                       LAM_WEIGHT_FIELDS("depthwise")};
    lam_conv_reader reader = {.owner = owner,
                              .rank = rank,
                              .kernel = "depthwise",
                              .fields = fields,
                              .n_fields = LAM_COUNT(fields)};
    return lam_conv_layer_read(layer, &reader, args, err);
}

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 1, "layer_depthwise_conv_1d()", err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 2, "layer_depthwise_conv_2d()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    lam_conv_layer *c = layer->config;
    lam_window_fit fit;
    LAM_TRY(lam_window_place(&c->window, layer, &fit, err));
    size_t filters = lam_mul(fit.channels, c->depth_multiplier);
    c->conv = lam_conv_of(&c->window, &fit, filters, fit.channels);
    layer->out = lam_window_shape(&c->window, fit.out, filters);
    lam_shape kernel = lam_conv_kernel_shape(&c->window, fit.channels, c->depth_multiplier);
    return lam_conv_layer_build(layer, kernel, err);
}

const lam_layer_type lam_layer_depthwise_conv_1d = {
    .name = "depthwise_conv_1d",
    .config_size = sizeof(lam_conv_layer),
    .configure = configure_1d,
    .build = build,
    .prepare = lam_conv_layer_prepare,
    .forward = lam_conv_layer_forward,
    .backward = lam_conv_layer_backward,
    .closing = lam_conv_layer_closing,
};

const lam_layer_type lam_layer_depthwise_conv_2d = {
    .name = "depthwise_conv_2d",
    .config_size = sizeof(lam_conv_layer),
    .configure = configure_2d,
    .build = build,
    .prepare = lam_conv_layer_prepare,
    .forward = lam_conv_layer_forward,
    .backward = lam_conv_layer_backward,
    .closing = lam_conv_layer_closing,
};
