/* huber: mean over the outputs of e^2 / 2 where |e| <= delta, delta |e| - delta^2 / 2 beyond, with
 * e = p - y.  Huber, "Robust estimation of a location parameter", 1964.  Keras: Huber. */
#define LAM_TIERED_FILE "nn/losses/huber.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    vf delta = vf_set((float)loss->config[DELTA]);
    vf e = p - y;
    vf size = vf_abs(e);
    *slope = vf_max(-delta, vf_min(delta, e));
    return vf_select(size > delta, delta * (size - vf_set(0.5f) * delta), vf_set(0.5f) * e * e);
}

#else

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_LOSS_NUMBER("delta", DELTA, 0, INFINITY)};
    loss->config[DELTA] = 1;
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "huber", err);
}

const lam_loss_type lam_loss_huber = {
    .name = "huber",
    .configure = configure,
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};

#endif
