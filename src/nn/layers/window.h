/* A window that slides over a picture: the kernel of a convolution, the pool of a pooling layer.
 *
 * Sequences and pictures are treated alike: a sequence (steps, channels) is a picture of height 1,
 * so [0] is always the height and [1] the width or the steps.  Along a dimension of `in` numbers,
 * with span = (size - 1) dilation + 1 (as Keras, and TensorFlow's "SAME"):
 *
 *   valid    out = floor((in - span) / stride) + 1           nothing is added
 *   same     out = ceil(in / stride)                         half of what is missing before, the
 *                                                            odd one behind
 *   causal   out = ceil(in / stride)                         span - 1 before: no look ahead */
#ifndef LAM_NN_LAYERS_WINDOW_H
#define LAM_NN_LAYERS_WINDOW_H

#include "nn/layer.h"

typedef enum { LAM_PAD_VALID, LAM_PAD_SAME, LAM_PAD_CAUSAL } lam_padding;

typedef struct lam_window {
    int rank; /* 1: over sequences, 2: over pictures */
    size_t size[2], stride[2], dilation[2];
    lam_padding padding;
} lam_window;

/* A window on an input: its positions, and how many zeros stand before the input. */
typedef struct lam_window_fit {
    size_t in[2], out[2], pad[2];
    size_t channels; /* of the input */
} lam_window_fit;

enum {
    LAM_WINDOW_POOLS = 1, /* without `strides` a window steps by its own size, else by 1 */
    LAM_WINDOW_CAUSAL = 2 /* padding = "causal" is allowed */
};

/* The fields of a layer's table that lam_window_read() reads.  List `dilation_rate` beside them
 * where the layer has it. */
#define LAM_WINDOW_FIELDS(size_name)                    \
    {.name = size_name, .kind = LAM_FIELD_ANY},         \
        {.name = "strides", .kind = LAM_FIELD_ANY},     \
        {.name = "padding", .kind = LAM_FIELD_ANY}

/* `rank` whole numbers of at least `min`, or one for all; an absent argument leaves `out` alone.
 * out[0] stays as it is for rank 1. */
lam_status lam_window_numbers(const lam_args *args, const char *name, int rank, double min,
                              size_t *out, lam_error *err);

/* Reads the size (required, under the name `size_name`), strides, padding and dilation_rate. */
lam_status lam_window_read(lam_window *window, int rank, const lam_args *args,
                           const char *size_name, int flags, lam_error *err);

/* Numbers that a window spans along dimension i. */
static inline size_t lam_window_span(const lam_window *window, int i)
{
    return (window->size[i] - 1) * window->dilation[i] + 1;
}

/* The layer's input taken as a picture with channels; refused when it is none of that rank. */
lam_status lam_window_input(const lam_window *window, const lam_layer *layer, lam_window_fit *fit,
                            lam_error *err);
/* The same, and where the window stands on it; refused when it fits nowhere. */
lam_status lam_window_place(const lam_window *window, const lam_layer *layer, lam_window_fit *fit,
                            lam_error *err);

/* (out, channels) or (out, out, channels). */
lam_shape lam_window_shape(const lam_window *window, const size_t out[2], size_t channels);

#endif
