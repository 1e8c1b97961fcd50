/* Softmax and the logarithm of its denominator, for the crossentropies from weighted sums.
 *
 * With t the largest z of a row, log(sum exp z) = t + log1p(r), where r is the sum of exp(z - t)
 * over all but one of the places where z is t: no overflow, and a loss near 0 keeps its digits. */
#ifndef LAM_TIER

#include "nn/losses/common.h"

/* Rows of at most this many numbers are taken as many at a time as a vector has lanes. */
enum { NARROW = 16 };

#define LAM_TIERED_FILE "nn/losses/softmax.c"
#include "kernels/each_tier.h"

typedef void (*softmax_fn)(size_t rows, size_t d, const float *z, double *lse, float *p);

static const softmax_fn softmax[LAM_TIERS] = LAM_TIER_TABLE(softmax);

void lam_loss_softmax(size_t rows, size_t d, const float *z, double *lse, float *p)
{
    softmax[lam_tier()](rows, d, z, lse, p);
}

#else

#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

/* z[0], z[d], z[2 d], ...: one column of n rows */
LAM_INLINE vf LAM_T(load_column)(const float *z, size_t d, size_t n)
{
    float lane[VL] = {0};
    for (size_t l = 0; l < n; l++)
        lane[l] = z[l * d];
    return vf_load(lane);
}

LAM_INLINE void LAM_T(store_column)(float *z, vf v, size_t d, size_t n)
{
    float lane[VL];
    vf_store(lane, v);
    for (size_t l = 0; l < n; l++)
        z[l * d] = lane[l];
}

/* n <= VL rows of d <= NARROW numbers, a row in each lane */
LAM_INLINE void LAM_T(softmax_narrow)(size_t n, size_t d, const float *z, double *lse, float *p)
{
    vf column[NARROW], zero = vf_set(0.0f), one = vf_set(1.0f);
    vf top = column[0] = LAM_T(load_column)(z, d, n);
    for (size_t j = 1; j < d; j++) {
        column[j] = LAM_T(load_column)(z + j, d, n);
        top = vf_max(top, column[j]);
    }
    vf rest = zero, ties = zero;
    for (size_t j = 0; j < d; j++) {
        vi is_top = column[j] == top;
        column[j] = vf_exp(column[j] - top);
        rest += vf_select(is_top, zero, column[j]);
        ties += vf_select(is_top, one, zero);
    }
    float t[VL], excess[VL];
    vf_store(t, top);
    vf_store(excess, vf_log1p(rest + (ties - one)));
    for (size_t l = 0; l < n; l++)
        lse[l] = (double)t[l] + (double)excess[l];
    if (p)
        for (size_t j = 0; j < d; j++)
            LAM_T(store_column)(p + j, column[j] / (rest + ties), d, n);
}

LAM_INLINE vf LAM_T(load_padded)(const float *z, size_t n)
{
    float lane[VL];
    for (size_t l = 0; l < VL; l++)
        lane[l] = l < n ? z[l] : -INFINITY;
    return vf_load(lane);
}

LAM_INLINE void LAM_T(softmax_wide)(size_t d, const float *z, double *lse, float *p)
{
    size_t whole = d - d % VL;
    vf zero = vf_set(0.0f), one = vf_set(1.0f);
    vf tail = LAM_T(load_padded)(z + whole, d - whole), most = tail;
    for (size_t j = 0; j < whole; j += VL)
        most = vf_max(most, vf_load(z + j));
    float highest = vf_hmax(most);
    vf top = vf_set(highest), tail_exp = vf_exp(tail - top);
    vf ties = vf_select(tail == top, one, zero), rest = vf_select(tail == top, zero, tail_exp);
    for (size_t j = 0; j < whole; j += VL) {
        vf v = vf_load(z + j), e = vf_exp(v - top);
        rest += vf_select(v == top, zero, e);
        ties += vf_select(v == top, one, zero);
        if (p)
            vf_store(p + j, e);
    }
    float others = vf_sum(rest), tied = vf_sum(ties);
    *lse = (double)highest + log1p((double)others + ((double)tied - 1.0));
    if (!p)
        return;
    vf share = vf_set(1.0f / (others + tied));
    for (size_t j = 0; j < whole; j += VL)
        vf_store(p + j, vf_load(p + j) * share);
    if (whole < d)
        vf_store_n(p + whole, tail_exp * share, d - whole);
}

LAM_FN void LAM_T(softmax)(size_t rows, size_t d, const float *z, double *lse, float *p)
{
    bool narrow = d <= NARROW;
    size_t step = narrow ? VL : 1;
    for (size_t r = 0; r < rows; r += step) {
        const float *row = z + r * d;
        float *out = p ? p + r * d : NULL;
        if (narrow)
            LAM_T(softmax_narrow)(rows - r < VL ? rows - r : VL, d, row, lse + r, out);
        else
            LAM_T(softmax_wide)(d, row, lse + r, out);
    }
}

#endif
