/* resizing: pictures of another height and width, in training and in use alike.
 * center_crop: the middle of a picture; where the picture is smaller than that, the largest part of
 * the wanted aspect ratio, resized (as Keras). */
#include "nn/layers/picture.h"
#include "nn/layers/resample.h"

typedef struct resizing {
    size_t height, width;
    int interpolation;
    bool crop, pad, antialias;
    float fill;
    lam_resampler resampler;
} resizing;

#define SIZE_FIELDS                                                                                \
    {.name = "height",                                                                             \
     .kind = LAM_FIELD_SIZE,                                                                       \
     .offset = offsetof(resizing, height),                                                         \
     .min = 1,                                                                                     \
     .max = 1e6,                                                                                   \
     .required = true},                                                                            \
    {                                                                                              \
        .name = "width", .kind = LAM_FIELD_SIZE, .offset = offsetof(resizing, width), .min = 1,    \
        .max = 1e6, .required = true                                                               \
    }

static lam_status configure_resizing(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        SIZE_FIELDS,
        {.name = "interpolation",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(resizing, interpolation),
         .choices = lam_resample_kinds},
        {.name = "crop_to_aspect_ratio",
         .kind = LAM_FIELD_BOOL,
         .offset = offsetof(resizing, crop)},
        {.name = "pad_to_aspect_ratio", .kind = LAM_FIELD_BOOL, .offset = offsetof(resizing, pad)},
        {.name = "antialias", .kind = LAM_FIELD_BOOL, .offset = offsetof(resizing, antialias)},
        {.name = "fill_value",
         .kind = LAM_FIELD_FLOAT,
         .offset = offsetof(resizing, fill),
         .min = -1e30,
         .max = 1e30},
    };
    resizing *r = layer->config;
    r->interpolation = LAM_RESAMPLE_BILINEAR;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_resizing()", err));
    if (r->crop && r->pad)
        return lam_fail_arg(err, LAM_EARGUMENT, "pad_to_aspect_ratio",
                            "FALSE with crop_to_aspect_ratio", "TRUE");
    return LAM_OK;
}

static lam_status configure_crop(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {SIZE_FIELDS};
    return lam_args_read(args, fields, LAM_COUNT(fields), layer->config, "layer_center_crop()",
                         err);
}

static lam_status build(lam_layer *layer, const lam_span span[2], lam_resample_kind kind,
                        lam_error *err)
{
    resizing *r = layer->config;
    lam_resampler_free(&r->resampler);
    LAM_TRY(lam_resampler_init(&r->resampler, &layer->in, r->height, r->width, span, kind,
                               r->antialias, r->fill, err));
    layer->out = (lam_shape){3, {r->height, r->width, layer->in.dim[2]}};
    layer->scratch_row = lam_resampler_line(&r->resampler) * sizeof(float);
    return LAM_OK;
}

static lam_status build_resizing(lam_layer *layer, lam_error *err)
{
    const resizing *r = layer->config;
    lam_span span[2];
    LAM_TRY(lam_picture_check(layer, err));
    lam_aspect_spans(r->crop  ? LAM_ASPECT_CROP
                     : r->pad ? LAM_ASPECT_PAD
                              : LAM_ASPECT_STRETCH,
                     layer->in.dim[0], layer->in.dim[1], r->height, r->width, span);
    return build(layer, span, (lam_resample_kind)r->interpolation, err);
}

static lam_status build_crop(lam_layer *layer, lam_error *err)
{
    const resizing *r = layer->config;
    lam_span span[2];
    LAM_TRY(lam_picture_check(layer, err));
    size_t height = layer->in.dim[0], width = layer->in.dim[1];
    if (height < r->height || width < r->width) {
        lam_aspect_spans(LAM_ASPECT_CROP, height, width, r->height, r->width, span);
        return build(layer, span, LAM_RESAMPLE_BILINEAR, err);
    }
    span[0] = (lam_span){(ptrdiff_t)((height - r->height) / 2), r->height};
    span[1] = (lam_span){(ptrdiff_t)((width - r->width) / 2), r->width};
    return build(layer, span, LAM_RESAMPLE_NEAREST, err);
}

static void release(lam_layer *layer)
{
    resizing *r = layer->config;
    lam_resampler_free(&r->resampler);
}

static float *line_of(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    return (float *)(pass->scratch + row * layer->scratch_row);
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const resizing *r = layer->config;
    lam_resample(&r->resampler, lam_picture_x(layer, pass, row), lam_picture_y(layer, pass, row),
                 line_of(layer, pass, row));
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const resizing *r = layer->config;
    lam_resample_backward(&r->resampler, lam_picture_dy(layer, pass, row),
                          lam_picture_dx(layer, pass, row), line_of(layer, pass, row));
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_each_picture(layer, pass, forward_one);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    if (pass->dx)
        lam_each_picture(layer, pass, backward_one);
}

const lam_layer_type lam_layer_resizing = {
    .name = "resizing",
    .config_size = sizeof(resizing),
    .configure = configure_resizing,
    .build = build_resizing,
    .forward = forward,
    .backward = backward,
    .release = release,
};

const lam_layer_type lam_layer_center_crop = {
    .name = "center_crop",
    .config_size = sizeof(resizing),
    .configure = configure_crop,
    .build = build_crop,
    .forward = forward,
    .backward = backward,
    .release = release,
};
