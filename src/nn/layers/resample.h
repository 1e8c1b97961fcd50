/* Pictures of one size made into pictures of another: what resizing, center_crop and the reader of
 * picture files share.
 *
 * Rows and columns are resampled one after the other.  Along an axis, the centre of output
 * position i lies at (i + 1/2) * length / out - 1/2 of the input (half-pixel centres, as Keras),
 * and the output is a sum of the input around it, weighted by a kernel of the distance. */
#ifndef LAM_NN_LAYERS_RESAMPLE_H
#define LAM_NN_LAYERS_RESAMPLE_H

#include "base/status.h"
#include "tensor/shape.h"

typedef enum {
    LAM_RESAMPLE_NEAREST,
    LAM_RESAMPLE_BILINEAR,
    LAM_RESAMPLE_BICUBIC, /* Keys' cubic, a = -1/2 */
    LAM_RESAMPLE_LANCZOS3,
    LAM_RESAMPLE_LANCZOS5,
    LAM_RESAMPLE_AREA /* the mean over the area that an output pixel covers */
} lam_resample_kind;

/* Their names, ended by NULL. */
extern const char *const lam_resample_kinds[];

/* The part of an axis that becomes the output; from < 0 or an end beyond the axis pads it. */
typedef struct lam_span {
    ptrdiff_t from;
    size_t length;
} lam_span;

/* How a picture of another aspect ratio fits the output. */
typedef enum { LAM_ASPECT_STRETCH, LAM_ASPECT_CROP, LAM_ASPECT_PAD } lam_aspect;

/* span[0], span[1]: the rows and columns of a height x width picture that become the output. */
void lam_aspect_spans(lam_aspect aspect, size_t height, size_t width, size_t out_height,
                      size_t out_width, lam_span span[2]);

/* Output position i is the sum of weight[i * per + t] * input position first[i] + t, t < count[i].
 */
typedef struct lam_taps {
    size_t in, out, per;
    size_t *first, *count;
    float *weight;
    float *inside; /* the sum of a position's weights: below 1 where padding takes part */
} lam_taps;

typedef struct lam_resampler {
    size_t channels;
    lam_taps rows, columns;
    float fill; /* of the padding */
} lam_resampler;

/* in: (height, width, channels).  antialias widens the kernel when the picture shrinks. */
lam_status lam_resampler_init(lam_resampler *r, const lam_shape *in, size_t out_height,
                              size_t out_width, const lam_span span[2], lam_resample_kind kind,
                              bool antialias, float fill, lam_error *err);
void lam_resampler_free(lam_resampler *r);

/* Floats that one picture needs beside its own. */
size_t lam_resampler_line(const lam_resampler *r);
void lam_resample(const lam_resampler *r, const float *x, float *y, float *line);
/* The transpose: dx from dy. */
void lam_resample_backward(const lam_resampler *r, const float *dy, float *dx, float *line);

#endif
