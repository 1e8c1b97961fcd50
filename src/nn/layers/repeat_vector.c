/* repeat_vector: (rows, k) -> (rows, n, k), each vector n times; dx is the sum over the copies. */
#include <string.h>

#include "kernels/kernels.h"
#include "nn/layer.h"

typedef struct repeat_vector {
    size_t n;
} repeat_vector;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "n",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(repeat_vector, n),
         .min = 1,
         .max = 1e9,
         .required = true},
    };
    return lam_args_read(args, fields, LAM_COUNT(fields), layer->config, "layer_repeat_vector()",
                         err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    const repeat_vector *r = layer->config;
    if (layer->in.rank != 1) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE, "Layer %s repeats vectors, but its input has shape %s.",
                        layer->name, lam_shape_text(&layer->in, text, sizeof text));
    }
    layer->out = lam_shape_2(r->n, layer->in.dim[0]);
    return LAM_OK;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const repeat_vector *r = layer->config;
    size_t k = layer->in_count;
    float *y = pass->y;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t i = 0; i < r->n; i++, y += k)
            memcpy(y, pass->x + row * k, k * sizeof *y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const repeat_vector *r = layer->config;
    size_t k = layer->in_count;
    if (!pass->dx)
        return;
    for (size_t row = 0; row < pass->rows; row++)
        lam_colsum(r->n, k, pass->dy + row * r->n * k, pass->dx + row * k, false);
}

const lam_layer_type lam_layer_repeat_vector = {
    .name = "repeat_vector",
    .config_size = sizeof(repeat_vector),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
