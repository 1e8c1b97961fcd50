/* What the parts of convolution share: conv.c and conv_kernel_gradient.c. */
#ifndef LAM_KERNELS_CONV_SHAPE_H
#define LAM_KERNELS_CONV_SHAPE_H

#include "kernels/conv.h"
#include "kernels/tile.h"

/* Up to so many output channels vectors go along the numbers that are summed. */
enum { LAM_CONV_FEW_CHANNELS = 4 };

/* The same convolution in the form that is easiest to compute. */
lam_conv lam_conv_simplest(const lam_conv *c, size_t *rows);

typedef struct lam_range {
    size_t from, to;
} lam_range;

/* Part i of n things that are cut into parts. */
static inline lam_range lam_range_of(size_t n, size_t parts, size_t i)
{
    lam_range r = {lam_part(n, parts, i), lam_part(n, parts, i + 1)};
    return r;
}

/* The steps t of 0 .. n-1 for which start + t step lies in 0 .. size-1. */
static inline lam_range lam_range_inside(ptrdiff_t start, size_t step, size_t n, size_t size)
{
    ptrdiff_t end = (ptrdiff_t)size - start;
    lam_range r = {start < 0 ? lam_divide_up((size_t)-start, step) : 0,
                   end > 0 ? lam_least(n, lam_divide_up((size_t)end, step)) : 0};
    r.from = lam_least(r.from, r.to);
    return r;
}

#endif
