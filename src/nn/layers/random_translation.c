/* random_translation: in training each picture is shifted, down by a random fraction of its height
 * and right by one of its width. */
#include "nn/layers/warp.h"

typedef struct random_translation {
    lam_warp warp; /* first: lam_warp_forward() looks for it */
    lam_amount height, width;
} random_translation;

static lam_affine draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_translation *r = layer->config;
    double down = lam_amount_at(r->height, lam_picture_random(layer, pass, r->warp.seed, row, 0));
    double right = lam_amount_at(r->width, lam_picture_random(layer, pass, r->warp.seed, row, 1));
    return (lam_affine){1, 0, -right * (double)layer->in.dim[1],
                        0, 1, -down * (double)layer->in.dim[0]};
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "height_factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "width_factor", .kind = LAM_FIELD_ANY, .required = true},
        LAM_WARP_FIELDS(random_translation),
    };
    random_translation *r = layer->config;
    r->warp = lam_warp_default(draw);
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_translation()", err));
    LAM_TRY(lam_amount_read(&r->height, args, "height_factor", -1, 1, err));
    return lam_amount_read(&r->width, args, "width_factor", -1, 1, err);
}

const lam_layer_type lam_layer_random_translation = {
    .name = "random_translation",
    .config_size = sizeof(random_translation),
    .configure = configure,
    .build = lam_warp_build,
    .forward = lam_warp_forward,
    .backward = lam_warp_backward,
};
