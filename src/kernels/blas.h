/* OpenBLAS, where configure found it: for the products that it does faster than gemm.c.
 *
 * It runs on one thread a call, called from our own tasks, which keeps results the same for any
 * number of threads; the session's own setting is put back afterwards.  Other libraries are not
 * called: their threads cannot be held to one in a way they share. */
#ifndef LAM_KERNELS_BLAS_H
#define LAM_KERNELS_BLAS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/kernels.h"

/* Is there an OpenBLAS, and is it worth calling for this product? */
bool lam_blas_wants(const lam_gemm *g);
/* Around a group of lam_blas_product() calls. */
int lam_blas_enter(void);
void lam_blas_leave(int before);
/* Rows row .. row + rows - 1 and columns col .. col + cols - 1 of g's product, without bias and
 * activation. */
void lam_blas_product(const lam_gemm *g, size_t row, size_t rows, size_t col, size_t cols);

#endif
