/* kl_divergence: sum (not mean) of y log(y / p) over the outputs, y and p clipped to [1e-7, 1].
 * Kullback and Leibler, "On information and sufficiency", 1951.  Keras: KLDivergence.
 * Clipped predictions have slope 0. */
#define LAM_TIERED_FILE "nn/losses/kl_divergence.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    (void)loss;
    vf low = vf_set(LAM_EPSILON), high = vf_set(1.0f);
    vf q = vf_min(high, vf_max(low, p));
    y = vf_min(high, vf_max(low, y));
    *slope = vf_select((p < low) | (p > high), vf_set(0.0f), -y / q);
    return y * vf_log(y / q);
}

#else

static void eval_sum(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                     double *value, const float *scale, float *grad)
{
    lam_elementwise_eval(loops[lam_tier()], loss, 1.0, rows, d, y, pred, value, scale, grad);
}

const lam_loss_type lam_loss_kl_divergence = {
    .name = "kl_divergence",
    .eval = eval_sum,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_COUNT,
};

#endif
