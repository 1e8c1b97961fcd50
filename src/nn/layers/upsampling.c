/* upsampling: a picture (2d) or series (1d) made larger by whole factors.  "nearest" repeats every
 * number, which is the way back of a sum over windows that do not overlap; the other kinds of
 * interpolation (2d) are those of resizing. */
#include "kernels/pool.h"
#include "nn/layers/picture.h"
#include "nn/layers/resample.h"
#include "nn/layers/window.h"

typedef struct upsampling {
    lam_window window; /* size: the factors */
    int interpolation;
    lam_pool pool; /* from the output to the input */
    lam_resampler resampler;
} upsampling;

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {{.name = "size", .kind = LAM_FIELD_ANY}};
    upsampling *u = layer->config;
    u->interpolation = LAM_RESAMPLE_NEAREST;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), u, layer->type->name, err));
    return lam_window_read(&u->window, 1, args, "size", 0, err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const char *const kinds[] = {"nearest", "bilinear", "bicubic", "lanczos3", "lanczos5", NULL};
    static const lam_field fields[] = {
        {.name = "size", .kind = LAM_FIELD_ANY},
        {.name = "interpolation",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(upsampling, interpolation),
         .choices = kinds}, /* in the order of lam_resample_kind */
    };
    upsampling *u = layer->config;
    u->interpolation = LAM_RESAMPLE_NEAREST;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), u, layer->type->name, err));
    return lam_window_read(&u->window, 2, args, "size", 0, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    upsampling *u = layer->config;
    const size_t *size = u->window.size;
    lam_window_fit fit;
    LAM_TRY(lam_window_input(&u->window, layer, &fit, err));
    size_t out[2] = {fit.in[0] * size[0], fit.in[1] * size[1]};
    layer->out = lam_window_shape(&u->window, out, fit.channels);
    u->pool = (lam_pool){.in_h = out[0],
                         .in_w = out[1],
                         .out_h = fit.in[0],
                         .out_w = fit.in[1],
                         .channels = fit.channels,
                         .size_h = size[0],
                         .size_w = size[1],
                         .stride_h = size[0],
                         .stride_w = size[1],
                         .sum = true};
    lam_resampler_free(&u->resampler);
    if (u->interpolation == LAM_RESAMPLE_NEAREST)
        return LAM_OK;
    const lam_span all[2] = {{0, fit.in[0]}, {0, fit.in[1]}};
    LAM_TRY(lam_resampler_init(&u->resampler, &layer->in, out[0], out[1], all,
                               (lam_resample_kind)u->interpolation, false, 0.0f, err));
    layer->scratch_row = lam_resampler_line(&u->resampler) * sizeof(float);
    return LAM_OK;
}

static void release(lam_layer *layer)
{
    upsampling *u = layer->config;
    lam_resampler_free(&u->resampler);
}

static float *line_of(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    return (float *)(pass->scratch + row * layer->scratch_row);
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const upsampling *u = layer->config;
    lam_resample(&u->resampler, lam_picture_x(layer, pass, row), lam_picture_y(layer, pass, row),
                 line_of(layer, pass, row));
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const upsampling *u = layer->config;
    lam_resample_backward(&u->resampler, lam_picture_dy(layer, pass, row),
                          lam_picture_dx(layer, pass, row), line_of(layer, pass, row));
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const upsampling *u = layer->config;
    if (u->interpolation == LAM_RESAMPLE_NEAREST)
        lam_average_pool_backward(&u->pool, pass->rows, pass->x, pass->y);
    else
        lam_each_picture(layer, pass, forward_one);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const upsampling *u = layer->config;
    if (!pass->dx)
        return;
    if (u->interpolation == LAM_RESAMPLE_NEAREST)
        lam_average_pool_forward(&u->pool, pass->rows, pass->dy, pass->dx);
    else
        lam_each_picture(layer, pass, backward_one);
}

const lam_layer_type lam_layer_upsampling_1d = {
    .name = "upsampling_1d",
    .config_size = sizeof(upsampling),
    .configure = configure_1d,
    .build = build,
    .forward = forward,
    .backward = backward,
    .release = release,
};

const lam_layer_type lam_layer_upsampling_2d = {
    .name = "upsampling_2d",
    .config_size = sizeof(upsampling),
    .configure = configure_2d,
    .build = build,
    .forward = forward,
    .backward = backward,
    .release = release,
};
