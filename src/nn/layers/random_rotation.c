/* random_rotation: in training each picture is turned about its centre by 2 pi times a random
 * number, counter-clockwise where that is positive. */
#include "nn/layers/warp.h"

typedef struct random_rotation {
    lam_warp warp; /* first: lam_warp_forward() looks for it */
    lam_amount factor;
} random_rotation;

static lam_affine draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_rotation *r = layer->config;
    double u = lam_picture_random(layer, pass, r->warp.seed, row, 0);
    double angle = 2 * 3.14159265358979323846 * lam_amount_at(r->factor, u);
    double c = cos(angle), s = sin(angle);
    double x = ((double)layer->in.dim[1] - 1) / 2, y = ((double)layer->in.dim[0] - 1) / 2;
    return (lam_affine){c, -s, x - (c * x - s * y), s, c, y - (s * x + c * y)};
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "factor", .kind = LAM_FIELD_ANY, .required = true},
        LAM_WARP_FIELDS(random_rotation),
    };
    random_rotation *r = layer->config;
    r->warp = lam_warp_default(draw);
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_rotation()", err));
    return lam_amount_read(&r->factor, args, "factor", -1, 1, err);
}

const lam_layer_type lam_layer_random_rotation = {
    .name = "random_rotation",
    .config_size = sizeof(random_rotation),
    .configure = configure,
    .build = lam_warp_build,
    .forward = lam_warp_forward,
    .backward = lam_warp_backward,
};
