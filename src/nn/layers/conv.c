/* conv_1d, conv_2d: y = activation(convolution of x + bias).
 *
 *   z[p, q, o] = bias[o] + sum over i, j, c of
 *                x[p stride + i dilation - pad, q stride + j dilation - pad, c] kernel[i, j, c, o]
 *
 * (as in all of deep learning the kernel is not turned round: a cross-correlation).  x is (height,
 * width, channels), the kernel (height, width, channels / groups, filters); a sequence is a picture
 * of height 1.  With groups, filter o sees the channels of its own group only. */
#include "nn/layers/conv_layer.h"

static lam_status configure(lam_layer *layer, const lam_args *args, int rank, const char *owner,
                            lam_error *err)
{
    static const lam_field fields[] = {LAM_CONV_COUNT(filters, true), LAM_CONV_COUNT(groups, false),
                                       LAM_CONV_FIELDS, LAM_WEIGHT_FIELDS("kernel")};
    const lam_conv_layer *c = layer->config;
    lam_conv_reader reader = {.owner = owner,
                              .rank = rank,
                              .flags = rank == 1 ? LAM_WINDOW_CAUSAL : 0,
                              .kernel = "kernel",
                              .fields = fields,
                              .n_fields = LAM_COUNT(fields)};
    LAM_TRY(lam_conv_layer_read(layer, &reader, args, err));
    if (c->filters % c->groups != 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "groups", "a divisor of `filters`",
                            "%zu, where there are %zu filters", c->groups, c->filters);
    return LAM_OK;
}

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 1, "layer_conv_1d()", err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 2, "layer_conv_2d()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    lam_conv_layer *c = layer->config;
    lam_window_fit fit;
    LAM_TRY(lam_window_place(&c->window, layer, &fit, err));
    if (fit.channels % c->groups != 0)
        return lam_fail_arg(err, LAM_ESHAPE, "groups", "a divisor of the input's channels",
                            "%zu, where layer %s is given %zu", c->groups, layer->name,
                            fit.channels);
    c->conv = lam_conv_of(&c->window, &fit, c->filters, c->groups);
    layer->out = lam_window_shape(&c->window, fit.out, c->filters);
    lam_shape kernel = lam_conv_kernel_shape(&c->window, fit.channels / c->groups, c->filters);
    return lam_conv_layer_build(layer, kernel, err);
}

const lam_layer_type lam_layer_conv_1d = {
    .name = "conv_1d",
    .config_size = sizeof(lam_conv_layer),
    .configure = configure_1d,
    .build = build,
    .prepare = lam_conv_layer_prepare,
    .forward = lam_conv_layer_forward,
    .backward = lam_conv_layer_backward,
    .closing = lam_conv_layer_closing,
};

const lam_layer_type lam_layer_conv_2d = {
    .name = "conv_2d",
    .config_size = sizeof(lam_conv_layer),
    .configure = configure_2d,
    .build = build,
    .prepare = lam_conv_layer_prepare,
    .forward = lam_conv_layer_forward,
    .backward = lam_conv_layer_backward,
    .closing = lam_conv_layer_closing,
};
