/* rescaling: y = scale * x + offset, each one number or one per channel (the last dimension). */
#include <math.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "nn/layer.h"

typedef struct rescaling {
    size_t n_scale, n_offset;
    float *scale, *offset;           /* as given */
    float *full_scale, *full_offset; /* one for each number of a sample */
} rescaling;

static lam_status copy_numbers(const lam_args *args, const char *name, size_t *n, float **out,
                               lam_error *err)
{
    void *copy = NULL;
    const lam_arg *arg = lam_args_get(args, name);
    bool given = arg && arg->kind == LAM_ARG_NUMBERS && arg->n > 0;
    if (arg && !given)
        return lam_fail_arg(err, LAM_EARGUMENT, name, "a number, or one for each channel",
                            "%zu value(s)", arg->n);
    *n = given ? arg->n : 1;
    LAM_TRY(lam_new(&copy, *n, sizeof(float), "a layer's configuration", err));
    *out = copy;
    for (size_t i = 0; given && i < *n; i++)
        (*out)[i] = (float)arg->numbers[i];
    return LAM_OK;
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "scale", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "offset", .kind = LAM_FIELD_ANY},
    };
    rescaling *r = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_rescaling()", err));
    LAM_TRY(copy_numbers(args, "scale", &r->n_scale, &r->scale, err));
    return copy_numbers(args, "offset", &r->n_offset, &r->offset, err);
}

static void release(lam_layer *layer)
{
    rescaling *r = layer->config;
    lam_free(r->scale);
    lam_free(r->offset);
    lam_free(r->full_scale);
    lam_free(r->full_offset);
}

static lam_status spread(const lam_layer *layer, const char *name, size_t n, const float *from,
                         float **out, lam_error *err)
{
    if (n != 1 && n != lam_shape_last(&layer->in)) {
        char text[128];
        return lam_fail_arg(err, LAM_ESHAPE, name, "one number, or one for each channel",
                            "%zu numbers, where a sample of layer %s has shape %s", n, layer->name,
                            lam_shape_text(&layer->in, text, sizeof text));
    }
    void *full = NULL;
    LAM_TRY(lam_new(&full, layer->in_count, sizeof(float), "a layer's configuration", err));
    lam_free(*out);
    *out = full;
    for (size_t i = 0; i < layer->in_count; i++)
        (*out)[i] = from[i % n];
    return LAM_OK;
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    rescaling *r = layer->config;
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_CARRIES_MASK;
    LAM_TRY(spread(layer, "scale", r->n_scale, r->scale, &r->full_scale, err));
    return spread(layer, "offset", r->n_offset, r->offset, &r->full_offset, err);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const rescaling *r = layer->config;
    lam_affine_cols(pass->rows, layer->in_count, pass->x, r->full_scale, r->full_offset, -INFINITY,
                    pass->y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const rescaling *r = layer->config;
    size_t count = layer->in_count;
    if (!pass->dx)
        return;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t j = 0; j < count; j++)
            pass->dx[row * count + j] = pass->dy[row * count + j] * r->full_scale[j];
}

const lam_layer_type lam_layer_rescaling = {
    .name = "rescaling",
    .config_size = sizeof(rescaling),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
    .release = release,
};
