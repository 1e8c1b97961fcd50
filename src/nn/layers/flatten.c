/* flatten: (rows, a, b, ...) -> (rows, a * b * ...), row-major: the numbers stay where they are. */
#include "nn/layers/identity.h"

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return lam_args_read(args, NULL, 0, layer->config, "layer_flatten()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    (void)err;
    layer->out = lam_shape_1(layer->in_count);
    layer->flags = LAM_LAYER_INPLACE;
    return LAM_OK;
}

const lam_layer_type lam_layer_flatten = {
    .name = "flatten",
    .configure = configure,
    .build = build,
    .forward = lam_identity_forward,
    .backward = lam_identity_backward,
};
