/* What layer and unit normalization need: moments and sums of a row of numbers, and the maps that
 * use them.  Sums are in floats over short stretches and in double beyond. */
#ifndef LAM_KERNELS_ROW_NORM_H
#define LAM_KERNELS_ROW_NORM_H

#include "kernels/kernels.h"

/* The mean of x, and spread = sum (x - mean)^2; n >= 1. */
void lam_row_moments(size_t n, const float *x, double *mean, double *spread);
/* sum = sum of dy gamma, product = sum of dy gamma (x - mean) */
void lam_row_products(size_t n, const float *x, float mean, const float *dy, const float *gamma,
                      double *sum, double *product);
/* y = (x - mean) inverse gamma + beta */
void lam_row_affine(size_t n, const float *x, float mean, float inverse, const float *gamma,
                    const float *beta, float *y);
/* dx = dy gamma scale + (x - mean) slope + shift.  dx may be dy. */
void lam_row_gradient(size_t n, const float *x, float mean, const float *dy, const float *gamma,
                      float scale, float slope, float shift, float *dx);

#endif
