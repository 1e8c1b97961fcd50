/* Tiles: a few rows by a few vectors of C = A B, held in registers while k runs.
 *
 * Products and convolutions are cut into tiles.  B is read a vector at a time, A a number at a time
 * through two distances, of its rows and of its numbers along k, so that a transposed matrix and the
 * neighbourhoods of pixels look like any other A.
 *
 * Each number of C is one sum in the order of k, from 0, whatever the size of its tile. */
#ifndef LAM_KERNELS_TILE_H
#define LAM_KERNELS_TILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/sizes.h"
#include "kernels/activation.h"
#include "kernels/cpu.h"

enum {
    LAM_TILE_VECTORS = 3, /* at most */
    LAM_TILE_ROWS = 14    /* at most, of one vector */
};

/* What one call of a tile function does with its sums. */
typedef struct lam_tile {
    float *c;          /* where the sums go; NULL: they are not kept */
    float *relu;       /* where max(sum, 0) goes, or NULL */
    size_t ldc;
    size_t last;       /* numbers in the last vector of a row */
    bool load;         /* c holds a part of the sum already */
    const float *bias; /* added to each row, or NULL */
    const float *gate; /* sums are kept where this, laid out as c, is above 0, and are 0 elsewhere; or NULL */
    /* The sum may go on over more runs of k numbers: what lies between the end of one run and the
     * beginning of the next. */
    size_t more_runs;
    ptrdiff_t a_skip, b_skip;
} lam_tile;

/* AVX-512 reads a part of B's last vector; on the other tiers B must have whole vectors. */
typedef void (*lam_tile_fn)(size_t k, const float *a, size_t row_step, size_t k_step, const float *b,
                            size_t b_step, const lam_tile *t);

/* Activation of the finished sums of rows of `width` numbers, at a distance of ld, where tiles have not done it. */
static inline void lam_tile_activate(const lam_activation *act, lam_activation_fn fn, size_t rows, size_t width, size_t ld,
                                     const float *c, float *y)
{
    if (ld == width) {
        fn(act->par, rows, width, c, y);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        fn(act->par, 1, width, c + i * ld, y + i * ld);
}

/* Below this many floating-point operations (about 100 us) a product or convolution stays on its thread, above it
 * a task gets the second number. */
#define LAM_PARALLEL_FROM 8e6
#define LAM_WORK_PER_TASK 3e6

typedef struct lam_tiles {
    size_t vl;                     /* floats in a vector */
    size_t rows[LAM_TILE_VECTORS]; /* the most rows of a tile of 1, 2, 3 vectors */
    lam_tile_fn fn[LAM_TILE_VECTORS][LAM_TILE_ROWS]; /* [vectors - 1][rows - 1] */
} lam_tiles;

const lam_tiles *lam_tiles_of(lam_tier_id tier);

#endif
