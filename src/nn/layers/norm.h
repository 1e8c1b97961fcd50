/* What batch, layer, group and unit normalization share: their axes, their arguments, and samples
 * taken apart into the rows that are normalized. */
#ifndef LAM_NN_LAYERS_NORM_H
#define LAM_NN_LAYERS_NORM_H

#include "kernels/batch_norm.h"
#include "nn/layer.h"
#include "nn/layers/view.h"

/* The first member of a layer's config.  Normalized numbers are multiplied by gamma (`scale`) and
 * beta is added (`center`). */
typedef struct lam_norm {
    int n_axis;
    double axis[LAM_MAX_RANK]; /* from 1 with the batch as the first, or from the end with -1 */
    double epsilon;            /* added to the variance */
    bool center, scale;
    lam_weight_options gamma, beta;
    int gamma_at, beta_at; /* number of the weight, -1 for none */
} lam_norm;

#define LAM_AXIS_FIELD                             \
    {                                              \
        .name = "axis", .kind = LAM_FIELD_ANY      \
    }
#define LAM_NORM_FIELDS                                                              \
    LAM_AXIS_FIELD,                                                                  \
        {.name = "epsilon",                                                          \
         .kind = LAM_FIELD_DOUBLE,                                                   \
         .offset = offsetof(lam_norm, epsilon),                                      \
         .min = 0,                                                                   \
         .max = 1e30},                                                               \
        {.name = "center", .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_norm, center)}, \
        {.name = "scale", .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_norm, scale)},   \
        LAM_WEIGHT_FIELDS("gamma"), LAM_WEIGHT_FIELDS("beta")

/* Reads `axis`, -1 when absent, of which `most` are allowed. */
lam_status lam_norm_axis(lam_norm *norm, const lam_args *args, size_t most, lam_error *err);
/* Reads how gamma and beta start and what binds them. */
lam_status lam_norm_weights(lam_norm *norm, const lam_args *args, lam_error *err);

/* Bit i is set for dimension i of a sample when it is among the axes. */
lam_status lam_norm_find_axes(const lam_norm *norm, const lam_layer *layer, unsigned *axes,
                              lam_error *err);
/* Adds gamma and beta. */
lam_status lam_norm_add_weights(lam_norm *norm, lam_layer *layer, lam_shape shape, lam_error *err);

/* gamma or beta, or NULL where the layer has none. */
static inline const float *lam_norm_gamma(const lam_norm *norm, const lam_layer *layer, const lam_pass *pass)
{
    return norm->gamma_at < 0 ? NULL : lam_w(layer, pass, norm->gamma_at);
}

static inline const float *lam_norm_beta(const lam_norm *norm, const lam_layer *layer, const lam_pass *pass)
{
    return norm->beta_at < 0 ? NULL : lam_w(layer, pass, norm->beta_at);
}

/* The gradients of gamma and beta, or NULL where they are not wanted. */
static inline float *lam_norm_dgamma(const lam_norm *norm, const lam_layer *layer, const lam_pass *pass)
{
    return norm->gamma_at < 0 ? NULL : lam_g(layer, pass, norm->gamma_at);
}

static inline float *lam_norm_dbeta(const lam_norm *norm, const lam_layer *layer, const lam_pass *pass)
{
    return norm->beta_at < 0 ? NULL : lam_g(layer, pass, norm->beta_at);
}

/* to[i] = from[i], or += with add */
static inline void lam_norm_put(size_t n, const double *from, bool add, float *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)(add ? (double)to[i] + from[i] : from[i]);
}

/* A sample as (outer, channels, inner) around its one axis. */
lam_channels lam_norm_channels(const lam_shape *in, unsigned axes);

/* A sample as `rows` rows of `length` numbers, each along all the axes.  Where the axes are not the
 * last dimensions, the sample must be brought into that order first. */
typedef struct lam_norm_rows {
    size_t rows, length;
    bool in_order;
    lam_view view;
} lam_norm_rows;

lam_norm_rows lam_norm_rows_of(const lam_shape *in, unsigned axes);

#endif
