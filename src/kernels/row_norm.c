#ifndef LAM_TIER
#include "kernels/row_norm.h"

#define LAM_TIERED_FILE "kernels/row_norm.c"
#include "kernels/each_tier.h"

void lam_row_moments(size_t n, const float *x, double *mean, double *spread)
{
    static void (*const table[])(size_t, const float *, double *, double *) =
        LAM_TIER_TABLE(row_moments);
    table[lam_tier()](n, x, mean, spread);
}

void lam_row_products(size_t n, const float *x, float mean, const float *dy, const float *gamma,
                      double *sum, double *product)
{
    static void (*const table[])(size_t, const float *, float, const float *, const float *,
                                 double *, double *) = LAM_TIER_TABLE(row_products);
    table[lam_tier()](n, x, mean, dy, gamma, sum, product);
}

void lam_row_affine(size_t n, const float *x, float mean, float inverse, const float *gamma,
                    const float *beta, float *y)
{
    static void (*const table[])(size_t, const float *, float, float, const float *, const float *,
                                 float *) = LAM_TIER_TABLE(row_affine);
    table[lam_tier()](n, x, mean, inverse, gamma, beta, y);
}

void lam_row_gradient(size_t n, const float *x, float mean, const float *dy, const float *gamma,
                      float scale, float slope, float shift, float *dx)
{
    static void (*const table[])(size_t, const float *, float, const float *, const float *, float,
                                 float, float, float *) = LAM_TIER_TABLE(row_gradient);
    table[lam_tier()](n, x, mean, dy, gamma, scale, slope, shift, dx);
}

#else
#include "kernels/vec_template.h"

/* sum += u and product += u (x - centre), with u = dy gamma, or u = x - centre without dy. */
LAM_INLINE void LAM_T(row_add)(const bool with_dy, const float *x, vf centre, const float *dy,
                               const float *gamma, size_t n, vf *sum, vf *product)
{
    vf d = vf_load_up_to(x, n) - centre, u = d;
    if (with_dy)
        u = vf_load_up_to(dy, n) * vf_load_up_to(gamma, n);
    *sum += u;
    *product = vf_fma(u, d, *product);
}

LAM_INLINE void LAM_T(row_sums)(const bool with_dy, size_t n, const float *x, float centre,
                                const float *dy, const float *gamma, double *sum, double *product)
{
    enum { STEP = 2 * VL, DEEP = 64 };
    vf c = vf_set(centre);
    *sum = *product = 0.0;
    for (size_t i = 0; i < n;) {
        size_t end = n - i < DEEP * STEP ? n : i + DEEP * STEP;
        vf s[2] = {{0}, {0}}, t[2] = {{0}, {0}};
        for (; i + STEP <= end; i += STEP)
            LAM_UNROLL for (size_t k = 0; k < 2; k++) {
                size_t at = i + k * VL;
                LAM_T(row_add)(with_dy, x + at, c, with_dy ? dy + at : NULL,
                               with_dy ? gamma + at : NULL, VL, &s[k], &t[k]);
            }
        for (; i < end; i += VL) {
            size_t left = end - i < VL ? end - i : VL;
            float last[VL] = {0}; /* beyond the end x is read as 0, and so must be the centre */
            for (size_t k = 0; k < left; k++)
                last[k] = centre;
            LAM_T(row_add)(with_dy, x + i, vf_load(last), with_dy ? dy + i : NULL,
                           with_dy ? gamma + i : NULL, left, &s[0], &t[0]);
        }
        i = end;
        *sum += (double)vf_sum(s[0] + s[1]);
        *product += (double)vf_sum(t[0] + t[1]);
    }
}

/* Deviations are taken from the mean of a few numbers spread over the row, which is near enough to
 * the mean that nothing cancels. */
LAM_FN void LAM_T(row_moments)(size_t n, const float *x, double *mean, double *spread)
{
    enum { PROBES = 16 };
    float centre = 0.0f;
    for (size_t probe = 0; probe < PROBES; probe++)
        centre += x[n * probe / PROBES] * (1.0f / PROBES);
    LAM_T(row_sums)(false, n, x, centre, NULL, NULL, mean, spread);
    double d = *mean / (double)n;
    *spread -= d * *mean;
    *mean = (double)centre + d;
}

LAM_FN void LAM_T(row_products)(size_t n, const float *x, float mean, const float *dy,
                                const float *gamma, double *sum, double *product)
{
    LAM_T(row_sums)(true, n, x, mean, dy, gamma, sum, product);
}

LAM_FN void LAM_T(row_affine)(size_t n, const float *x, float mean, float inverse,
                              const float *gamma, const float *beta, float *y)
{
    vf m = vf_set(mean), s = vf_set(inverse);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(y + i, vf_fma((vf_load(x + i) - m) * s, vf_load(gamma + i), vf_load(beta + i)));
    if (i < n)
        vf_store_n(y + i, vf_fma((vf_load_n(x + i, n - i) - m) * s, vf_load_n(gamma + i, n - i),
                                 vf_load_n(beta + i, n - i)), n - i);
}

LAM_FN void LAM_T(row_gradient)(size_t n, const float *x, float mean, const float *dy,
                                const float *gamma, float scale, float slope, float shift, float *dx)
{
    vf m = vf_set(mean), a = vf_set(scale), b = vf_set(slope), c = vf_set(shift);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(dx + i, vf_fma(vf_load(dy + i) * vf_load(gamma + i), a,
                                vf_fma(vf_load(x + i) - m, b, c)));
    if (i < n)
        vf_store_n(dx + i, vf_fma(vf_load_n(dy + i, n - i) * vf_load_n(gamma + i, n - i), a,
                                  vf_fma(vf_load_n(x + i, n - i) - m, b, c)), n - i);
}

#endif
