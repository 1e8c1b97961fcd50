/* mean_squared_error: mean of (p - y)^2 over the outputs.  Keras: MeanSquaredError. */
#define LAM_TIERED_FILE "nn/losses/mean_squared_error.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf e = p - y;
    *slope = e + e;
    return e * e;
}

#else

const lam_loss_type lam_loss_mean_squared_error = {
    .name = "mean_squared_error",
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};

#endif
