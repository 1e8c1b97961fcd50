/* Convolution by Winograd's minimal filtering: the functions of kernels/conv.h for 3x3 kernels with
 * stride and dilation 1, where that is faster.  conv.c calls these. */
#ifndef LAM_KERNELS_WINOGRAD_H
#define LAM_KERNELS_WINOGRAD_H

#include "kernels/conv.h"

/* Whether the functions below take this geometry, and are measured to be faster. */
bool lam_winograd_fits(const lam_conv *c);

size_t lam_winograd_prepared_size(const lam_conv *c, int uses);
void lam_winograd_prepare(const lam_conv *c, int uses, const float *kernel, void *prepared);
void lam_winograd_forward(const lam_conv *c, size_t rows, const float *x, const void *prepared,
                          const float *bias, const lam_activation *act, float *z, float *y);
void lam_winograd_input_gradient(const lam_conv *c, size_t rows, const float *dy,
                                 const void *prepared, float *dx);
void lam_winograd_kernel_gradient(const lam_conv *c, size_t rows, const float *x, const float *dy,
                                  float *dkernel, bool add);

#endif
