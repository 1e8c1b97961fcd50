/* The kernels: dense single-precision arithmetic on row-major arrays.
 *
 * All are deterministic: the bits of a result depend on the arguments and the tier, never on the
 * number of threads or the alignment.  Large calls are cut into tasks for lam_parallel(); small ones
 * run on the caller's thread.  None allocates or fails; scratch is lam_worker_scratch(). */
#ifndef LAM_KERNELS_KERNELS_H
#define LAM_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/activation.h"
#include "kernels/cpu.h"

/* The second half of each worker's scratch is the kernels' own: a caller may keep something in the
 * first half while it calls them. */
static inline void *lam_kernel_scratch(int worker)
{
    return (char *)lam_worker_scratch(worker) + LAM_WORKER_SCRATCH / 2;
}

/* ---- products (gemm.c) ------------------------------------------------------------------- */

typedef enum {
    LAM_NN, /* C(m,n) = A(m,k) B(k,n) */
    LAM_NT, /* C(m,n) = A(m,k) B(n,k)' */
    LAM_TN  /* C(m,n) = A(k,m)' B(k,n) */
} lam_form;

typedef struct lam_gemm {
    lam_form form;
    size_t m, n, k;
    const float *a, *b;
    size_t lda, ldb; /* distance of rows, as stored */
    float *c;
    size_t ldc;
    bool add;          /* C += instead of C = */
    const float *bias; /* n numbers added to each row, or NULL */
    const lam_activation *act; /* element-wise activation of the finished sum, or NULL */
    float *y;          /* where the activated values go (row distance ldc); may be c */
    const float *gate; /* laid out as c: finished sums are kept where it is above 0 and are 0 elsewhere
                          (a rectifier's slope, on the way back); or NULL */
    bool bf16;         /* A and B are rounded to bfloat16 (gemm_bf16.c) */
} lam_gemm;

void lam_gemm_run(const lam_gemm *g);

/* ---- activations (activation.c): kernels/activation.h ------------------------------------- */

/* ---- arrays (array.c) ---------------------------------------------------------------------- */

/* out[j] = (add ? out[j] : 0) + sum over rows of x[row * d + j]. */
void lam_colsum(size_t rows, size_t d, const float *x, float *out, bool add);
/* y += alpha x;  x *= alpha */
void lam_axpy(size_t n, float alpha, const float *x, float *y);
void lam_scale(size_t n, float alpha, float *x);
/* Sums in double precision. */
double lam_sum_squares(size_t n, const float *x);
double lam_sum_abs(size_t n, const float *x);
bool lam_all_finite(size_t n, const float *x);
/* dst row i = src row order[i]; d numbers a row. */
void lam_gather_rows(const float *src, size_t d, const uint32_t *order, size_t rows, float *dst);
/* y[r, j] = max(x[r, j] * scale[j] + shift[j], least); least -INFINITY: all numbers. */
void lam_affine_cols(size_t rows, size_t d, const float *x, const float *scale, const float *shift,
                     float least, float *y);

/* ---- random (noise.c): element i of the call is number first + i of the generator ---------- */

/* mask[i] = 1 where the uniform number (24 bits, as lam_random_uniform) is >= rate, else 0;
 * y = mask ? x / (1 - rate) : 0.  x may be y. */
void lam_dropout_forward(size_t n, const lam_rng *rng, uint64_t first, float rate, const float *x,
                         float *y, uint8_t *mask);
/* dx = mask ? dy * scale : 0.  dx may be dy. */
void lam_dropout_backward(size_t n, const uint8_t *mask, float scale, const float *dy, float *dx);
/* y = x + stddev * standard normal (lam_random_normal's numbers to float accuracy). */
void lam_noise(size_t n, const lam_rng *rng, uint64_t first, float stddev, const float *x, float *y);

#endif
