/* random_zoom: in training each picture is shrunk about its centre, by 1 plus a random number in
 * height and one in width; negative numbers magnify.  Without a width_factor both are the same
 * number. */
#include "nn/layers/warp.h"

typedef struct random_zoom {
    lam_warp warp; /* first: lam_warp_forward() looks for it */
    lam_amount height, width;
    bool one;
} random_zoom;

static lam_affine draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_zoom *r = layer->config;
    double v = 1 + lam_amount_at(r->height, lam_picture_random(layer, pass, r->warp.seed, row, 0));
    double h =
        r->one ? v
               : 1 + lam_amount_at(r->width, lam_picture_random(layer, pass, r->warp.seed, row, 1));
    double x = ((double)layer->in.dim[1] - 1) / 2, y = ((double)layer->in.dim[0] - 1) / 2;
    return (lam_affine){h, 0, x * (1 - h), 0, v, y * (1 - v)};
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "height_factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "width_factor", .kind = LAM_FIELD_ANY},
        LAM_WARP_FIELDS(random_zoom),
    };
    random_zoom *r = layer->config;
    r->warp = lam_warp_default(draw);
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_zoom()", err));
    r->one = !lam_args_get(args, "width_factor");
    LAM_TRY(lam_amount_read(&r->height, args, "height_factor", -1, 1, err));
    return r->one ? LAM_OK : lam_amount_read(&r->width, args, "width_factor", -1, 1, err);
}

const lam_layer_type lam_layer_random_zoom = {
    .name = "random_zoom",
    .config_size = sizeof(random_zoom),
    .configure = configure,
    .build = lam_warp_build,
    .forward = lam_warp_forward,
    .backward = lam_warp_backward,
};
