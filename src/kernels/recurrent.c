#ifndef LAM_TIER
#include "kernels/recurrent.h"

#define LAM_TIERED_FILE "kernels/recurrent.c"
#include "kernels/each_tier.h"

void lam_lstm_forward(const lam_lstm_step *s)
{
    static void (*const table[LAM_TIERS])(const lam_lstm_step *) = LAM_TIER_TABLE(lstm_forward);
    table[lam_tier()](s);
}

void lam_lstm_backward(const lam_lstm_step *s)
{
    static void (*const table[LAM_TIERS])(const lam_lstm_step *) = LAM_TIER_TABLE(lstm_backward);
    table[lam_tier()](s);
}

void lam_gru_forward(const lam_gru_step *s)
{
    static void (*const table[LAM_TIERS])(const lam_gru_step *) = LAM_TIER_TABLE(gru_forward);
    table[lam_tier()](s);
}

void lam_gru_backward(const lam_gru_step *s)
{
    static void (*const table[LAM_TIERS])(const lam_gru_step *) = LAM_TIER_TABLE(gru_backward);
    table[lam_tier()](s);
}

#else
#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

/* Sigmoid and tanh from the parts of vmath_template.h in fewer steps: no side is told from the
 * other, and there are no denormals.  x beyond the bounds is taken for the bound, where sigmoid is
 * 1 or 2e-38 and tanh 1 or -1. */

/* q and s of exp(x) = s (1 + q), |x| <= 87 */
LAM_INLINE vf LAM_T(exp_parts)(vf x, vf *s)
{
    vf n, shifted;
    vf r = LAM_T(vf_reduce_)(x, &n, &shifted);
    *s = (vf)(((vi)shifted - vi_set(0x4B400000 - 127)) << 23);
    return LAM_T(vf_expm1_poly_)(r);
}

/* 1 / (1 + exp(-x)) */
LAM_INLINE vf LAM_T(gate)(vf x)
{
    vf one = vf_set(1.0f), s;
    vf q = LAM_T(exp_parts)(-vf_min(vf_set(87.0f), vf_max(vf_set(-87.0f), x)), &s);
    return one / vf_fma(s, q, s + one);
}

/* E / (E + 2) with E = exp(2 x) - 1 */
LAM_INLINE vf LAM_T(squash)(vf x)
{
    vf s;
    x = vf_min(vf_set(10.0f), vf_max(vf_set(-10.0f), x));
    vf q = LAM_T(exp_parts)(x + x, &s);
    vf e = vf_fma(s, q, s - vf_set(1.0f));
    return e / (e + vf_set(2.0f));
}

/* Calls body(at, n) for the numbers 0 .. units - 1 of each row, n of them from `at` on. */
#define EACH_VECTOR(s, body)                                                                       \
    for (size_t row = 0; row < (s)->rows; row++) {                                                 \
        size_t j = 0, units = (s)->units;                                                          \
        for (; j + VL <= units; j += VL)                                                           \
            body(s, row, j, VL);                                                                   \
        if (j < units)                                                                             \
            body(s, row, j, units - j);                                                            \
    }

LAM_INLINE void LAM_T(lstm_forward_at)(const lam_lstm_step *s, size_t row, size_t j, size_t n)
{
    size_t u = s->units, at = row * u + j;
    float *gate = s->gates + 4 * row * u + j;
    vf i = LAM_T(gate)(vf_load_up_to(gate, n));
    vf f = LAM_T(gate)(vf_load_up_to(gate + u, n));
    vf g = LAM_T(squash)(vf_load_up_to(gate + 2 * u, n));
    vf o = LAM_T(gate)(vf_load_up_to(gate + 3 * u, n));
    vf c = vf_fma(f, vf_load_up_to(s->c_before + at, n), i * g);
    vf_store_up_to(gate, i, n);
    vf_store_up_to(gate + u, f, n);
    vf_store_up_to(gate + 2 * u, g, n);
    vf_store_up_to(gate + 3 * u, o, n);
    vf_store_up_to(s->c + at, c, n);
    vf_store_up_to(s->h + at, o * LAM_T(squash)(c), n);
}

LAM_FN void LAM_T(lstm_forward)(const lam_lstm_step *s)
{
    EACH_VECTOR(s, LAM_T(lstm_forward_at));
}

LAM_INLINE void LAM_T(lstm_backward_at)(const lam_lstm_step *s, size_t row, size_t j, size_t n)
{
    size_t u = s->units, at = row * u + j;
    const float *gate = s->gates + 4 * row * u + j;
    float *dsum = s->dsums + 4 * row * u + j;
    vf one = vf_set(1.0f);
    vf i = vf_load_up_to(gate, n), f = vf_load_up_to(gate + u, n);
    vf g = vf_load_up_to(gate + 2 * u, n), o = vf_load_up_to(gate + 3 * u, n);
    vf t = LAM_T(squash)(vf_load_up_to(s->c + at, n));
    vf dh = vf_load_up_to(s->dh + at, n);
    vf dc = vf_fma(dh * o, one - t * t, vf_load_up_to(s->dc + at, n));
    vf_store_up_to(dsum, dc * g * i * (one - i), n);
    vf_store_up_to(dsum + u, dc * vf_load_up_to(s->c_before + at, n) * f * (one - f), n);
    vf_store_up_to(dsum + 2 * u, dc * i * (one - g * g), n);
    vf_store_up_to(dsum + 3 * u, dh * t * o * (one - o), n);
    vf_store_up_to(s->dc_before + at, dc * f, n);
}

LAM_FN void LAM_T(lstm_backward)(const lam_lstm_step *s)
{
    EACH_VECTOR(s, LAM_T(lstm_backward_at));
}

LAM_INLINE void LAM_T(gru_forward_at)(const lam_gru_step *s, size_t row, size_t j, size_t n)
{
    size_t u = s->units, at = row * u + j;
    float *gate = s->gates + 3 * row * u + j;
    const float *inner = s->inner + 3 * row * u + j;
    vf z = LAM_T(gate)(vf_load_up_to(gate, n) + vf_load_up_to(inner, n));
    vf r = LAM_T(gate)(vf_load_up_to(gate + u, n) + vf_load_up_to(inner + u, n));
    vf kept = vf_load_up_to(inner + 2 * u, n);
    vf g = LAM_T(squash)(vf_fma(r, kept, vf_load_up_to(gate + 2 * u, n)));
    vf_store_up_to(gate, z, n);
    vf_store_up_to(gate + u, r, n);
    vf_store_up_to(gate + 2 * u, g, n);
    vf_store_up_to(s->kept + at, kept, n);
    vf_store_up_to(s->h + at, vf_fma(z, vf_load_up_to(s->h_before + at, n) - g, g), n);
}

LAM_FN void LAM_T(gru_forward)(const lam_gru_step *s)
{
    EACH_VECTOR(s, LAM_T(gru_forward_at));
}

LAM_INLINE void LAM_T(gru_backward_at)(const lam_gru_step *s, size_t row, size_t j, size_t n)
{
    size_t u = s->units, at = row * u + j;
    const float *gate = s->gates + 3 * row * u + j;
    float *dsum = s->dsums + 3 * row * u + j, *dinner = s->dinner + 3 * row * u + j;
    vf one = vf_set(1.0f);
    vf z = vf_load_up_to(gate, n), r = vf_load_up_to(gate + u, n);
    vf g = vf_load_up_to(gate + 2 * u, n);
    vf dh = vf_load_up_to(s->dh + at, n);
    vf dz = dh * (vf_load_up_to(s->h_before + at, n) - g) * z * (one - z);
    vf dg = dh * (one - z) * (one - g * g);
    vf dr = dg * vf_load_up_to(s->kept + at, n) * r * (one - r);
    vf_store_up_to(dsum, dz, n);
    vf_store_up_to(dsum + u, dr, n);
    vf_store_up_to(dsum + 2 * u, dg, n);
    vf_store_up_to(dinner, dz, n);
    vf_store_up_to(dinner + u, dr, n);
    vf_store_up_to(dinner + 2 * u, dg * r, n);
    vf_store_up_to(s->dh_before + at, dh * z, n);
}

LAM_FN void LAM_T(gru_backward)(const lam_gru_step *s)
{
    EACH_VECTOR(s, LAM_T(gru_backward_at))
}

#undef EACH_VECTOR
#endif
