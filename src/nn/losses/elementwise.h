/* The form of a loss that is the mean over the outputs of a function of (target, prediction).
 *
 * Its file holds the function and its slope, written once for a vector of elements:
 *
 *     #define LAM_TIERED_FILE "nn/losses/mean_squared_error.c"
 *     #include "nn/losses/elementwise.h"
 *     #ifdef LAM_TIER
 *     LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope) { ... }
 *     #else
 *     const lam_loss_type lam_loss_mean_squared_error = {..., .eval = eval};
 *     #endif
 *
 * This header adds the loops, in every tier, and `eval`.  No include guard, as each_tier.h. */
#ifndef LAM_TIER

#include "nn/losses/common.h"

#include "kernels/each_tier.h"

static const lam_elementwise *const loops[LAM_TIERS] = LAM_TIER_TABLE(&loops);

__attribute__((unused)) static void eval(const lam_loss *loss, size_t rows, size_t d,
                                         const float *y, const float *pred, double *value,
                                         const float *scale, float *grad)
{
    lam_elementwise_eval(loops[lam_tier()], loss, 1.0 / (double)d, rows, d, y, pred, value, scale,
                         grad);
}

#else

#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope);

LAM_INLINE vf LAM_T(sign)(vf x)
{
    vf one = vf_set(1.0f), zero = vf_set(0.0f);
    return vf_select(x > zero, one, zero) - vf_select(x < zero, one, zero);
}

/* Binary crossentropy from the logit x: max(x, 0) - x y + log(1 + exp(-|x|)). */
LAM_INLINE vf LAM_T(logit_crossentropy)(vf y, vf x)
{
    return (vf_max(vf_set(0.0f), x) - x * y) + vf_log1p(vf_exp(-vf_abs(x)));
}

LAM_FN double LAM_T(row)(const lam_loss *loss, size_t n, const float *y, const float *pred,
                         float factor, float *grad)
{
    vf slope, sum = vf_set(0.0f);
    double total = 0;
    size_t i = 0;
    for (size_t block = 1; i + VL <= n; i += VL, block++) {
        sum += LAM_T(element)(loss, vf_load(y + i), vf_load(pred + i), &slope);
        if (grad)
            vf_store(grad + i, slope * vf_set(factor));
        if (block % 64 == 0) { /* lanes stay short, for their rounding */
            total += (double)vf_sum(sum);
            sum = vf_set(0.0f);
        }
    }
    total += (double)vf_sum(sum);
    if (i < n) {
        float tail[VL];
        vf v = LAM_T(element)(loss, vf_load_n(y + i, n - i), vf_load_n(pred + i, n - i), &slope);
        vf_store(tail, v);
        if (grad)
            vf_store_n(grad + i, slope * vf_set(factor), n - i);
        for (size_t k = 0; k < n - i; k++)
            total += (double)tail[k];
    }
    return total;
}

LAM_FN void LAM_T(elements)(const lam_loss *loss, size_t n, const float *y, const float *pred,
                            float *value, float *slope)
{
    vf s;
    size_t i = 0;
    for (; i + VL <= n; i += VL) {
        vf_store(value + i, LAM_T(element)(loss, vf_load(y + i), vf_load(pred + i), &s));
        if (slope)
            vf_store(slope + i, s);
    }
    if (i < n) {
        vf v = LAM_T(element)(loss, vf_load_n(y + i, n - i), vf_load_n(pred + i, n - i), &s);
        vf_store_n(value + i, v, n - i);
        if (slope)
            vf_store_n(slope + i, s, n - i);
    }
}

static const lam_elementwise LAM_T(loops) = {LAM_T(row), LAM_T(elements)};

#endif
