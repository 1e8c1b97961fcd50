/* Products with a matrix of which few numbers are not 0, in time proportional to these. */
#ifndef LAM_KERNELS_SPARSE_H
#define LAM_KERNELS_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some rows of a compressed matrix: row r is its row order[r], or first + r where order is NULL.
 * Within a row the columns ascend. */
typedef struct lam_sparse {
    const uint64_t *start; /* NULL: no matrix */
    const uint32_t *column;
    const float *value;
    const uint32_t *order;
    size_t first;
} lam_sparse;

/* The same without the first n rows. */
static inline lam_sparse lam_sparse_from(lam_sparse a, size_t n)
{
    if (a.order)
        a.order += n;
    else
        a.first += n;
    return a;
}

/* c(m, n) = a(m, k) b(k, n), plus the n numbers of bias unless it is NULL. */
void lam_sparse_product(const lam_sparse *a, size_t m, size_t n, const float *b, const float *bias,
                        float *c);
/* c(k, n) = (add ? c : 0) + a(m, k)' b(m, n). */
void lam_sparse_gradient(const lam_sparse *a, size_t m, size_t k, size_t n, const float *b, bool add,
                         float *c);

#endif
