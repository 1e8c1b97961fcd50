/* Products of small matrices with one that is packed once: C = A B for a B that many A meet, such
 * as a recurrent layer's weights at every time step.  They run on the caller's thread. */
#ifndef LAM_KERNELS_PACKED_H
#define LAM_KERNELS_PACKED_H

#include <stdbool.h>
#include <stddef.h>

/* Floats that a packed B (k, n) takes, on any tier; `to` is aligned to 64 bytes. */
size_t lam_packed_floats(size_t k, size_t n);
void lam_pack(size_t k, size_t n, const float *b, size_t ldb, float *to);
/* The same of a stored B' (n, k). */
void lam_pack_transposed(size_t k, size_t n, const float *b, size_t ldb, float *to);

typedef struct lam_packed_product {
    size_t rows, n, k;
    const float *a;
    size_t lda;
    const float *b; /* packed */
    float *c;
    size_t ldc;
    bool add;          /* C += instead of C = */
    const float *bias; /* n numbers added to each row, or NULL */
    /* There may be several A and C of so many rows, at these distances; 0 is one. */
    size_t more;
    size_t a_distance, c_distance;
} lam_packed_product;

/* Each number of C is one sum in the order of k, whatever the rows that come with it. */
void lam_packed_run(const lam_packed_product *p);

#endif
