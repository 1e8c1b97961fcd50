/* What the convolution layers share: their arguments, and what follows the sums: the bias and the
 * activation, forward and backward.
 *
 * Kept for backward: x, y where the activation's slope is a function of y, and the weighted sums z
 * (at the start of the cache) where it is a function of z. */
#ifndef LAM_NN_LAYERS_CONV_LAYER_H
#define LAM_NN_LAYERS_CONV_LAYER_H

#include "kernels/conv.h"
#include "nn/layers/window.h"

/* A convolution layer's configuration, or its beginning. */
typedef struct lam_conv_layer {
    lam_window window;
    size_t filters, groups, depth_multiplier; /* those that the layer has */
    bool use_bias;
    lam_activation act;
    lam_weight_options kernel, bias;
    lam_conv conv; /* build sets it */
} lam_conv_layer;

/* The fields that all of them have. */
#define LAM_CONV_FIELDS                                                                      \
    LAM_WINDOW_FIELDS("kernel_size"), {.name = "dilation_rate", .kind = LAM_FIELD_ANY},      \
        {.name = "use_bias",                                                                 \
         .kind = LAM_FIELD_BOOL,                                                             \
         .offset = offsetof(lam_conv_layer, use_bias)},                                      \
        {.name = "activation", .kind = LAM_FIELD_SPEC}, LAM_WEIGHT_FIELDS("bias")

/* A field that is a number of at least 1. */
#define LAM_CONV_COUNT(field, is_required)      \
    {.name = #field,                            \
     .kind = LAM_FIELD_SIZE,                    \
     .offset = offsetof(lam_conv_layer, field), \
     .min = 1,                                  \
     .max = 1e9,                                \
     .required = is_required}

/* Who reads its arguments. */
typedef struct lam_conv_reader {
    const char *owner;  /* "layer_conv_2d()" */
    int rank;           /* 1: of sequences, 2: of pictures */
    int flags;          /* LAM_WINDOW_* */
    const char *kernel; /* the prefix of the kernel's options */
    const lam_field *fields;
    size_t n_fields;
} lam_conv_reader;

lam_status lam_conv_layer_read(lam_layer *layer, const lam_conv_reader *reader,
                               const lam_args *args, lam_error *err);

/* The convolution that a window does where it stands. */
lam_conv lam_conv_of(const lam_window *window, const lam_window_fit *fit, size_t filters,
                     size_t groups);
/* (size, in, out) for sequences, (height, width, in, out) for pictures. */
lam_shape lam_conv_kernel_shape(const lam_window *window, size_t in, size_t out);

/* Multiply-adds of a sample, those with the padding included. */
double lam_conv_work(const lam_conv *conv);

lam_status lam_conv_layer_add_bias(lam_layer *layer, lam_error *err);
/* What the end of a pass needs, layer->out being known: the flags, z in the cache, dz in the
 * scratch. */
void lam_conv_layer_memory(lam_layer *layer);
/* Bytes of dz of one sample: what lam_conv_layer_slope() takes of the scratch. */
size_t lam_conv_layer_dz_bytes(const lam_layer *layer);
/* Bytes of z of one sample, which are the first of the cache. */
size_t lam_conv_layer_z_bytes(const lam_layer *layer);

/* The activation that this pass computes, or NULL: linear, or left out. */
const lam_activation *lam_conv_layer_act(const lam_layer *layer, const lam_pass *pass);
/* Where z goes: the cache where backward needs it, else NULL. */
float *lam_conv_layer_z(const lam_layer *layer, const lam_pass *pass);

/* y = activation(convolution of x + bias), z kept where backward needs it.  The bias, where there
 * is one, is the last weight. */
void lam_conv_layer_run(const lam_layer *layer, const lam_pass *pass, const lam_conv *conv,
                        const float *x, const char *prepared);
/* dz, in the first bytes of the scratch or dy itself; computes the gradient of the bias too. */
const float *lam_conv_layer_slope(const lam_layer *layer, const lam_pass *pass);

/* What a kernel is prepared for in this pass, and in any. */
int lam_conv_uses(const lam_pass *pass);
enum { LAM_CONV_ALL_USES = LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT };

/* The rest of build, once layer->out and config->conv are set, and the other hooks of a layer that
 * is one convolution. */
lam_status lam_conv_layer_build(lam_layer *layer, lam_shape kernel, lam_error *err);
void lam_conv_layer_prepare(const lam_layer *layer, const lam_pass *pass);
void lam_conv_layer_forward(const lam_layer *layer, const lam_pass *pass);
void lam_conv_layer_backward(const lam_layer *layer, const lam_pass *pass);
const lam_activation *lam_conv_layer_closing(const lam_layer *layer);

#endif
