/* The tiles of tile.h, for every tier and size. */
#ifndef LAM_TIER
#include "kernels/tile.h"

#include <math.h>

#define LAM_TIERED_FILE "kernels/tile.c"
#include "kernels/each_tier.h"

const lam_tiles *lam_tiles_of(lam_tier_id tier)
{
    static const lam_tiles *const table[LAM_TIERS] = LAM_TIER_TABLE(&tiles);
    return table[tier];
}

#else
#include "kernels/vec_template.h"

/* A tile of V vectors may have up to ROWS_V rows: sums, V vectors of B and one number of A fill
 * the registers. */
#if LAM_TIER_LEVEL == 2
#define ROWS_1 14
#define ROWS_2 12
#define ROWS_3 8
#else
#define ROWS_1 8
#define ROWS_2 6
#define ROWS_3 4
#endif

/* From this depth on C is fetched beforehand: it comes while the sums run. */
#define DEEP 64

/* AVX-512 reads a part of a vector as fast as a whole one. */
LAM_INLINE vf LAM_T(load_b)(const float *p, bool partial, size_t n)
{
#if LAM_TIER_LEVEL == 2
    return partial ? vf_load_n(p, n) : vf_load(p);
#else
    (void)partial;
    (void)n;
    return vf_load(p);
#endif
}

LAM_INLINE vf LAM_T(load_part)(const float *p, bool partial, size_t n)
{
    return partial && (LAM_TIER_LEVEL == 2 || n < VL) ? vf_load_n(p, n) : vf_load(p);
}

LAM_INLINE void LAM_T(store_part)(float *p, vf v, bool partial, size_t n)
{
    if (partial && (LAM_TIER_LEVEL == 2 || n < VL))
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* rows x vectors of C; both are constants where this is used.  The rows of A are reached from every
 * fourth: base, base + step, base + 2 step, base + 3 step are one instruction's addresses. */
LAM_INLINE void LAM_T(tile)(const size_t rows, const size_t vectors, size_t k, const float *a,
                            size_t row_step, size_t k_step, const float *b, size_t b_step, const lam_tile *t)
{
    vf sum[LAM_TILE_ROWS][LAM_TILE_VECTORS];
    LAM_UNROLL for (size_t i = 0; i < rows; i++)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++)
            sum[i][v] = vf_set(0.0f);
    const float *base[(LAM_TILE_ROWS + 3) / 4];
    LAM_UNROLL for (size_t i = 0; i < (rows + 3) / 4; i++)
        base[i] = a + 4 * i * row_step;
    size_t triple = 3 * row_step, last = t->last;
    if (k >= DEEP && t->c)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                __builtin_prefetch(t->c + i * t->ldc + v * VL, 1);
    for (size_t runs = t->more_runs;; runs--) {
        for (size_t p = k; p > 0; p--) {
            vf row[LAM_TILE_VECTORS];
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                row[v] = LAM_T(load_b)(b + v * VL, v + 1 == vectors, last);
            LAM_UNROLL for (size_t i = 0; i < rows; i++) {
                vf s = vf_set(base[i / 4][i % 4 == 3 ? triple : i % 4 * row_step]);
                LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                    sum[i][v] = vf_fma(s, row[v], sum[i][v]);
            }
            LAM_UNROLL for (size_t i = 0; i < (rows + 3) / 4; i++)
                base[i] += k_step;
            b += b_step;
        }
        if (runs == 0)
            break;
        LAM_UNROLL for (size_t i = 0; i < (rows + 3) / 4; i++)
            base[i] += t->a_skip;
        b += t->b_skip;
    }
    size_t ldc = t->ldc;
    if (t->load)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                sum[i][v] += LAM_T(load_part)(t->c + i * ldc + v * VL, v + 1 == vectors, last);
    if (t->bias)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
            vf bias = LAM_T(load_part)(t->bias + v * VL, v + 1 == vectors, last);
            LAM_UNROLL for (size_t i = 0; i < rows; i++)
                sum[i][v] += bias;
        }
    if (t->gate)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
                vf gate = LAM_T(load_part)(t->gate + i * ldc + v * VL, v + 1 == vectors, last);
                sum[i][v] = vf_select(gate > vf_set(0.0f), sum[i][v], vf_set(0.0f));
            }
    if (t->c && t->c != t->relu)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                LAM_T(store_part)(t->c + i * ldc + v * VL, sum[i][v], v + 1 == vectors, last);
    if (t->relu)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                LAM_T(store_part)(t->relu + i * ldc + v * VL, vf_max(vf_set(0.0f), sum[i][v]),
                                  v + 1 == vectors, last);
}

#define TILE(rows, vectors)                                                                          \
    LAM_FN void LAM_T(tile_##rows##_##vectors)(size_t k, const float *a, size_t row_step,           \
                                               size_t k_step, const float *b, size_t b_step,        \
                                               const lam_tile *t)                                       \
    {                                                                                               \
        LAM_T(tile)(rows, vectors, k, a, row_step, k_step, b, b_step, t);                           \
    }
#define ENTRY(rows, vectors) LAM_T(tile_##rows##_##vectors),
#define FOUR(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
#define SIX(X, v) FOUR(X, v) X(5, v) X(6, v)
#define EIGHT(X, v) SIX(X, v) X(7, v) X(8, v)
#define TWELVE(X, v) EIGHT(X, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define FOURTEEN(X, v) TWELVE(X, v) X(13, v) X(14, v)
#if LAM_TIER_LEVEL == 2
#define EACH_1(X) FOURTEEN(X, 1)
#define EACH_2(X) TWELVE(X, 2)
#define EACH_3(X) EIGHT(X, 3)
#else
#define EACH_1(X) EIGHT(X, 1)
#define EACH_2(X) SIX(X, 2)
#define EACH_3(X) FOUR(X, 3)
#endif

EACH_1(TILE)
EACH_2(TILE)
EACH_3(TILE)

static const lam_tiles LAM_T(tiles) = {
    VL, {ROWS_1, ROWS_2, ROWS_3}, {{EACH_1(ENTRY)}, {EACH_2(ENTRY)}, {EACH_3(ENTRY)}},
};

#undef TILE
#undef ENTRY
#undef FOUR
#undef SIX
#undef EIGHT
#undef TWELVE
#undef FOURTEEN
#undef EACH_1
#undef EACH_2
#undef EACH_3
#undef DEEP
#undef ROWS_1
#undef ROWS_2
#undef ROWS_3
#endif
