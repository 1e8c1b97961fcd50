/* mean_absolute_percentage_error: mean of 100 |p - y| / max(|y|, 1e-7) over the outputs.
 * Keras: MeanAbsolutePercentageError.  At p = y the slope is 0. */
#define LAM_TIERED_FILE "nn/losses/mean_absolute_percentage_error.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf e = p - y;
    vf unit = vf_set(100.0f) / vf_max(vf_set(LAM_EPSILON), vf_abs(y));
    *slope = LAM_T(sign)(e) * unit;
    return vf_abs(e) * unit;
}

#else

const lam_loss_type lam_loss_mean_absolute_percentage_error = {
    .name = "mean_absolute_percentage_error",
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};

#endif
