/* Pooling: the largest number or the mean of every window on a picture, channel by channel.
 *
 * A sample of x is (in_h, in_w, channels), of y (out_h, out_w, channels); the window of y[p, q]
 * begins at line p stride_h - pad_top and column q stride_w - pad_left and holds size_h x size_w
 * cells, of which those outside the picture do not count.  Every window must have a cell inside.
 *
 * The gradient is collected: each number of dx is written once, as the sum over the windows that
 * it lies in, so windows may overlap or leave gaps. */
#ifndef LAM_KERNELS_POOL_H
#define LAM_KERNELS_POOL_H

#include "kernels/kernels.h"

typedef struct lam_pool {
    size_t in_h, in_w, out_h, out_w, channels;
    size_t size_h, size_w, stride_h, stride_w, pad_top, pad_left;
    bool sum; /* of average pooling: leave out the division by the number of cells */
} lam_pool;

/* Bytes for each number of y that say which cell of its window won: 1, or 4 for large windows. */
size_t lam_max_pool_winner(const lam_pool *p);

/* Among equals the first cell wins; if rectified, none where the largest is not above 0.  winner NULL:
 * not kept. */
void lam_max_pool_forward(const lam_pool *p, size_t rows, bool rectified, const float *x, float *y,
                          void *winner);
void lam_max_pool_backward(const lam_pool *p, size_t rows, const float *dy, const void *winner,
                           float *dx);

void lam_average_pool_forward(const lam_pool *p, size_t rows, const float *x, float *y);
void lam_average_pool_backward(const lam_pool *p, size_t rows, const float *dy, float *dx);

#endif
