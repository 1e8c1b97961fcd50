/* random_translation: in training each picture is shifted, down by a random fraction of its height
 * and right by one of its width. */
#include "nn/layers/warp.h"

typedef struct random_translation {
    lam_range height, width;
    lam_warp warp;
} random_translation;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "height_factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "width_factor", .kind = LAM_FIELD_ANY, .required = true},
        LAM_WARP_FIELDS(random_translation),
    };
    random_translation *r = layer->config;
    r->warp = lam_warp_default();
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_translation()", err));
    LAM_TRY(lam_range_read(&r->height, args, "height_factor", -1, 1, err));
    return lam_range_read(&r->width, args, "width_factor", -1, 1, err);
}

static lam_affine draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_translation *r = layer->config;
    double down = lam_range_at(r->height, lam_picture_random(layer, pass, r->warp.seed, row, 0));
    double right = lam_range_at(r->width, lam_picture_random(layer, pass, r->warp.seed, row, 1));
    return (lam_affine){1, 0, -right * (double)layer->in.dim[1],
                        0, 1, -down * (double)layer->in.dim[0]};
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_translation *r = layer->config;
    lam_affine map = draw(layer, pass, row);
    lam_warp_forward(&r->warp, &map, layer, pass, row);
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_translation *r = layer->config;
    lam_affine map = draw(layer, pass, row);
    lam_warp_backward(&r->warp, &map, layer, pass, row);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_forward(layer, pass, forward_one);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_backward(layer, pass, backward_one);
}

const lam_layer_type lam_layer_random_translation = {
    .name = "random_translation",
    .config_size = sizeof(random_translation),
    .configure = configure,
    .build = lam_warp_build,
    .forward = forward,
    .backward = backward,
};
