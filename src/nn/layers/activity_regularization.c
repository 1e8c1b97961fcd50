/* activity_regularization: y = x.  What it is for, the penalty on y, is the `activity_regularizer`
 * that the network applies for every layer. */
#include "nn/layers/identity.h"

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return lam_args_read(args, NULL, 0, layer->config, "layer_activity_regularization()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    (void)err;
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_CARRIES_MASK;
    return LAM_OK;
}

const lam_layer_type lam_layer_activity_regularization = {
    .name = "activity_regularization",
    .configure = configure,
    .build = build,
    .forward = lam_identity_forward,
    .backward = lam_identity_backward,
};
