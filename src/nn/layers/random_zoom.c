/* random_zoom: in training each picture is shrunk about its centre, by 1 plus a random number in
 * height and one in width; negative numbers magnify.  Without a width_factor both are the same
 * number. */
#include "nn/layers/warp.h"

typedef struct random_zoom {
    lam_range height, width;
    bool one;
    lam_warp warp;
} random_zoom;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "height_factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "width_factor", .kind = LAM_FIELD_ANY},
        LAM_WARP_FIELDS(random_zoom),
    };
    random_zoom *r = layer->config;
    r->warp = lam_warp_default();
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_zoom()", err));
    r->one = !lam_args_get(args, "width_factor");
    LAM_TRY(lam_range_read(&r->height, args, "height_factor", -1, 1, err));
    return r->one ? LAM_OK : lam_range_read(&r->width, args, "width_factor", -1, 1, err);
}

static lam_affine draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_zoom *r = layer->config;
    double v = 1 + lam_range_at(r->height, lam_picture_random(layer, pass, r->warp.seed, row, 0));
    double h =
        r->one ? v
               : 1 + lam_range_at(r->width, lam_picture_random(layer, pass, r->warp.seed, row, 1));
    double x = ((double)layer->in.dim[1] - 1) / 2, y = ((double)layer->in.dim[0] - 1) / 2;
    return (lam_affine){h, 0, x * (1 - h), 0, v, y * (1 - v)};
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_zoom *r = layer->config;
    lam_affine map = draw(layer, pass, row);
    lam_warp_forward(&r->warp, &map, layer, pass, row);
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_zoom *r = layer->config;
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

const lam_layer_type lam_layer_random_zoom = {
    .name = "random_zoom",
    .config_size = sizeof(random_zoom),
    .configure = configure,
    .build = lam_warp_build,
    .forward = forward,
    .backward = backward,
};
