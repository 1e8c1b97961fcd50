/* poisson: mean of p - y log(p + 1e-7) over the outputs.  Keras: Poisson. */
#define LAM_TIERED_FILE "nn/losses/poisson.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf rate = p + vf_set(LAM_EPSILON);
    *slope = vf_set(1.0f) - y / rate;
    return p - y * vf_log(rate);
}

#else

const lam_loss_type lam_loss_poisson = {
    .name = "poisson",
    .eval = eval,
    .check = lam_loss_check_not_negative,
    .logits_of = LAM_ACT_COUNT,
};

#endif
