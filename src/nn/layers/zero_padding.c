/* zero_padding: rows and columns of zeros around a picture (2d), steps of zeros before and after a
 * series (1d). */
#include "nn/layers/frame.h"

static lam_status configure(lam_layer *layer, int rank, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {{.name = "padding", .kind = LAM_FIELD_ANY}};
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), layer->config, layer->type->name, err));
    return lam_frame_read(layer->config, rank, args, "padding", err);
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
    lam_frame *f = layer->config;
    lam_window_fit fit;
    LAM_TRY(lam_window_input(&f->window, layer, &fit, err));
    for (int i = 0; i < 2; i++)
        f->inner[i] = fit.in[i];
    f->channels = fit.channels;
    size_t out[2] = {lam_frame_outer(f, 0), lam_frame_outer(f, 1)};
    layer->out = lam_window_shape(&f->window, out, fit.channels);
    return LAM_OK;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_frame_put_on(layer->config, pass->rows, pass->x, pass->y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    if (pass->dx)
        lam_frame_take_off(layer->config, pass->rows, pass->dy, pass->dx);
}

const lam_layer_type lam_layer_zero_padding_1d = {
    .name = "zero_padding_1d",
    .config_size = sizeof(lam_frame),
    .configure = configure_1d,
    .build = build,
    .forward = forward,
    .backward = backward,
};

const lam_layer_type lam_layer_zero_padding_2d = {
    .name = "zero_padding_2d",
    .config_size = sizeof(lam_frame),
    .configure = configure_2d,
    .build = build,
    .forward = forward,
    .backward = backward,
};
