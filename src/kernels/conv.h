/* Convolution of pictures with the channels last, and its two adjoints.
 *
 * A sample of x is (in_h, in_w, in_c), of y (out_h, out_w, out_c); the kernel is (kernel_h, kernel_w,
 * in_c / groups, out_c), row-major as everything.  Output channel o belongs to group
 * o / (out_c / groups) and sees that group's input channels:
 *
 *   y[p, q, o] = sum over i, j, c of x[p stride_h + i dilation_h - pad_top,
 *                                      q stride_w + j dilation_w - pad_left, c] kernel[i, j, c, o]
 *
 * where x is 0 outside the picture.  out_h and out_w say where it ends.  With groups == in_c it is a
 * depthwise convolution; a sequence is a picture of height 1.
 *
 * The kernel is brought into the form the machine wants once a batch, by lam_conv_prepare(), and then
 * serves any number of calls.  All calls may be made from inside lam_parallel() tasks; outside they
 * share their work out themselves.  The bits of a sample's result do not depend on the other samples
 * of the call, those of the kernel's gradient on the number of threads. */
#ifndef LAM_KERNELS_CONV_H
#define LAM_KERNELS_CONV_H

#include "kernels/kernels.h"

typedef struct lam_conv {
    size_t in_h, in_w, in_c;
    size_t out_h, out_w, out_c;
    size_t kernel_h, kernel_w;
    size_t stride_h, stride_w;
    size_t dilation_h, dilation_w;
    size_t pad_top, pad_left;
    size_t groups;
} lam_conv;

/* What a prepared kernel is for. */
enum { LAM_CONV_FORWARD = 1, LAM_CONV_INPUT_GRADIENT = 2 };

/* Bytes of a kernel prepared for these uses (a sum of the enum's values), and making it.
 * `prepared` is aligned to 64 bytes. */
size_t lam_conv_prepared_size(const lam_conv *c, int uses);
void lam_conv_prepare(const lam_conv *c, int uses, const float *kernel, void *prepared);

/* z = convolution of x + bias, y = act(z).  bias NULL: none.  act NULL: y = z.  z NULL: not kept
 * (z may be y).  act must work element by element. */
void lam_conv_forward(const lam_conv *c, size_t rows, const float *x, const void *prepared,
                      const float *bias, const lam_activation *act, float *z, float *y);

/* dx of the sum over y * dy.  Prepared for LAM_CONV_INPUT_GRADIENT. */
void lam_conv_input_gradient(const lam_conv *c, size_t rows, const float *dy, const void *prepared,
                             float *dx);

/* The gradient of the kernel; add: added to dkernel. */
void lam_conv_kernel_gradient(const lam_conv *c, size_t rows, const float *x, const float *dy,
                              float *dkernel, bool add);

#endif
