/* log_cosh: mean of log(cosh(p - y)) over the outputs.  Keras: LogCosh.
 *
 * Two forms, neither of which loses digits or overflows where it is used, with a = |p - y|:
 * -log(1 - tanh(a)^2) / 2 for a < 1 and a + log(1 + exp(-2a)) - log 2 beyond.  The slope is
 * tanh(p - y). */
#define LAM_TIERED_FILE "nn/losses/log_cosh.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf e = p - y;
    vf a = vf_abs(e);
    vf t = vf_tanh(e);
    vf near = vf_set(-0.5f) * vf_log1p(-t * t);
    vf far = a + (vf_log1p(vf_exp(vf_set(-2.0f) * a)) - vf_set(0.693147181f));
    *slope = t;
    return vf_select(a < vf_set(1.0f), near, far);
}

#else

const lam_loss_type lam_loss_log_cosh = {
    .name = "log_cosh",
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};

#endif
