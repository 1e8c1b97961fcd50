#ifndef LAM_TIER
#include "kernels/packed.h"

#include "kernels/tile.h"

#define LAM_TIERED_FILE "kernels/packed.c"
#include "kernels/each_tier.h"

enum { WIDEST = 16 /* floats in a vector, of all tiers */ };

size_t lam_packed_floats(size_t k, size_t n)
{
    return lam_divide_up(n, WIDEST) * WIDEST * k;
}

typedef void (*pack_fn)(size_t k, size_t n, const float *b, size_t ldb, float *to);

void lam_pack(size_t k, size_t n, const float *b, size_t ldb, float *to)
{
    static const pack_fn table[LAM_TIERS] = LAM_TIER_TABLE(pack_panels);
    table[lam_tier()](k, n, b, ldb, to);
}

void lam_pack_transposed(size_t k, size_t n, const float *b, size_t ldb, float *to)
{
    static const pack_fn table[LAM_TIERS] = LAM_TIER_TABLE(pack_turned);
    table[lam_tier()](k, n, b, ldb, to);
}

/* The rows of C that meet one panel, `vectors` vectors of columns. */
static void run_panel(const lam_packed_product *p, const lam_tiles *tiles, const float *b,
                      size_t vectors, lam_tile *tile)
{
    size_t blocks = lam_divide_up(p->rows, tiles->rows[vectors - 1]);
    float *c = tile->c;
    for (size_t m = 0; m <= p->more; m++)
        for (size_t i = 0; i < blocks; i++) {
            size_t row = lam_part(p->rows, blocks, i);
            size_t rows = lam_part(p->rows, blocks, i + 1) - row;
            tile->c = c + m * p->c_distance + row * p->ldc;
            tiles->fn[vectors - 1][rows - 1](p->k, p->a + m * p->a_distance + row * p->lda, p->lda,
                                             1, b, vectors * tiles->vl, tile);
        }
}

void lam_packed_run(const lam_packed_product *p)
{
    const lam_tiles *tiles = lam_tiles_of(lam_tier());
    size_t vl = tiles->vl, all = lam_divide_up(p->n, vl);
    size_t panels = lam_divide_up(all, LAM_TILE_VECTORS);
    for (size_t q = 0; p->rows > 0 && q < panels; q++) {
        size_t from = lam_part(all, panels, q), vectors = lam_part(all, panels, q + 1) - from;
        size_t col = from * vl, width = lam_least(p->n - col, vectors * vl);
        lam_tile tile = {.c = p->c + col,
                         .ldc = p->ldc,
                         .last = width - (vectors - 1) * vl,
                         .load = p->add,
                         .bias = p->bias ? p->bias + col : NULL};
        run_panel(p, tiles, p->b + col * p->k, vectors, &tile);
    }
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* Panels one behind the other, each k rows of up to LAM_TILE_VECTORS whole vectors. */
LAM_FN void LAM_T(pack_panels)(size_t k, size_t n, const float *b, size_t ldb, float *to)
{
    size_t all = lam_divide_up(n, VL), panels = lam_divide_up(all, LAM_TILE_VECTORS);
    for (size_t q = 0; q < panels; q++) {
        size_t col = lam_part(all, panels, q) * VL, end = lam_part(all, panels, q + 1) * VL;
        LAM_T(pack)(k, lam_least(end, n) - col, b + col, ldb, to + col * k);
    }
}

LAM_FN void LAM_T(pack_turned)(size_t k, size_t n, const float *b, size_t ldb, float *to)
{
    size_t all = lam_divide_up(n, VL), panels = lam_divide_up(all, LAM_TILE_VECTORS);
    for (size_t q = 0; q < panels; q++) {
        size_t col = lam_part(all, panels, q) * VL, end = lam_part(all, panels, q + 1) * VL;
        LAM_T(pack_transposed)(k, lam_least(end, n) - col, b + col * ldb, ldb, to + col * k);
    }
}

#endif
