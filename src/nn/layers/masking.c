/* masking: a step of a sequence counts when any of its features differs from mask_value.  y = x,
 * with zeros at the steps that do not count; these get no gradient. */
#include <string.h>

#include "nn/layer.h"

typedef struct masking {
    float value;
} masking;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "mask_value", .kind = LAM_FIELD_FLOAT, .offset = offsetof(masking, value)},
    };
    return lam_args_read(args, fields, LAM_COUNT(fields), layer->config, "layer_masking()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    if (layer->in.rank < 1)
        return lam_fail(err, LAM_ESHAPE,
                        "Layer %s needs an input of at least one dimension beside the samples.",
                        layer->name);
    layer->mask_out = layer->in_count / lam_shape_last(&layer->in);
    layer->cache_row = layer->mask_out;
    layer->flags = LAM_LAYER_INPLACE;
    return LAM_OK;
}

static bool counts(const masking *m, size_t features, const float *x)
{
    for (size_t j = 0; j < features; j++)
        if (x[j] != m->value)
            return true;
    return false;
}

/* to = from where the step counts, else 0 */
static void copy_step(bool step_counts, size_t features, const float *from, float *to)
{
    if (!step_counts)
        memset(to, 0, features * sizeof(float));
    else if (to != from)
        memcpy(to, from, features * sizeof(float));
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    size_t features = lam_shape_last(&layer->in), steps = pass->rows * layer->mask_out;
    char *kept = pass->cache;
    for (size_t s = 0; s < steps; s++) {
        kept[s] = counts(layer->config, features, pass->x + s * features);
        copy_step(kept[s], features, pass->x + s * features, pass->y + s * features);
    }
    if (pass->mask_out)
        memcpy(pass->mask_out, kept, steps);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    size_t features = lam_shape_last(&layer->in), steps = pass->rows * layer->mask_out;
    for (size_t s = 0; pass->dx && s < steps; s++)
        copy_step(pass->cache[s], features, pass->dy + s * features, pass->dx + s * features);
}

const lam_layer_type lam_layer_masking = {
    .name = "masking",
    .config_size = sizeof(masking),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
