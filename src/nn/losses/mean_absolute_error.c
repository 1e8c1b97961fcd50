/* mean_absolute_error: mean of |p - y| over the outputs.  Keras: MeanAbsoluteError.
 * At p = y the slope is 0. */
#define LAM_TIERED_FILE "nn/losses/mean_absolute_error.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf e = p - y;
    *slope = LAM_T(sign)(e);
    return vf_abs(e);
}

#else

const lam_loss_type lam_loss_mean_absolute_error = {
    .name = "mean_absolute_error",
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};

#endif
