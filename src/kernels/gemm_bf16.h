/* Products of matrices that are rounded to bfloat16: lam_gemm.bf16, called by lam_gemm_run(). */
#ifndef LAM_KERNELS_GEMM_BF16_H
#define LAM_KERNELS_GEMM_BF16_H

#include "kernels/kernels.h"

void lam_gemm_bf16(const lam_gemm *g);

/* y = x rounded to the nearest bfloat16, ties to even; a NaN stays one.  y may be x. */
void lam_bf16_round(size_t n, const float *x, float *y);

#endif
