/* mean_squared_logarithmic_error: mean of (log(1 + max(p, e)) - log(1 + max(y, e)))^2 with e = 1e-7
 * over the outputs.  Keras: MeanSquaredLogarithmicError.  Below e the slope is 0. */
#define LAM_TIERED_FILE "nn/losses/mean_squared_logarithmic_error.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf least = vf_set(LAM_EPSILON);
    vf kept = vf_max(least, p);
    vf e = vf_log1p(kept) - vf_log1p(vf_max(least, y));
    *slope = vf_select(p < least, vf_set(0.0f), (e + e) / (kept + vf_set(1.0f)));
    return e * e;
}

#else

const lam_loss_type lam_loss_mean_squared_logarithmic_error = {
    .name = "mean_squared_logarithmic_error",
    .eval = eval,
    .check = lam_loss_check_not_negative,
    .logits_of = LAM_ACT_COUNT,
};

#endif
