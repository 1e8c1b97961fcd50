/* What batch and group normalization need: moments and sums of the channels of an array, and the
 * maps that use them.
 *
 * x is (outer, channels, inner); inner == 1 is the usual case, channels last.  Sums run over outer
 * and inner.  They are cut by the shape of the array only, in floats over short stretches and in
 * double beyond, so that they are accurate and the same for any number of threads. */
#ifndef LAM_KERNELS_BATCH_NORM_H
#define LAM_KERNELS_BATCH_NORM_H

#include "kernels/kernels.h"

typedef struct lam_channels {
    size_t outer, channels, inner;
} lam_channels;

/* mean[c], and spread[c] = sum (x - mean)^2. */
void lam_channel_moments(const lam_channels *a, const float *x, double *mean, double *spread);

/* y = max(x scale[c] + shift[c], least); least -INFINITY: all numbers.  Otherwise inner == 1. */
void lam_channel_affine(const lam_channels *a, const float *x, const float *scale,
                        const float *shift, float least, float *y);

/* Where x scale[c] + shift[c] is not above 0, a rectifier has closed the way and dy counts as 0. */
typedef struct lam_gate {
    const float *scale, *shift;
} lam_gate;

/* sum[c] = sum of dy, and product[c] = sum of dy (x - mean[c]).  gate: NULL, or with inner == 1. */
void lam_channel_products(const lam_channels *a, const float *x, const float *mean, const float *dy,
                          const lam_gate *gate, double *sum, double *product);

/* dx = dy scale[c] + (x - mean[c]) slope[c] + shift[c].  dx may be dy.  gate: as above. */
void lam_channel_gradient(const lam_channels *a, const float *x, const float *mean, const float *dy,
                          const lam_gate *gate, const float *scale, const float *slope,
                          const float *shift, float *dx);

#endif
