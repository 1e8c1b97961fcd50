/* batch_normalization (Ioffe and Szegedy, "Batch normalization: accelerating deep network training
 * by reducing internal covariate shift", ICML 2015), for each channel, the positions of `axis`:
 *
 *   y = gamma (x - mean) / sqrt(variance + epsilon) + beta
 *
 * In training the mean and the variance (divided by n) are the batch's, and the moving ones follow
 * them: moving = momentum moving + (1 - momentum) batch.  Otherwise, and where the layer is frozen,
 * the moving ones are used.  Way back, with xhat = (x - mean) / sqrt(variance + epsilon) and means
 * over the n numbers of a channel:
 *
 * A rectifier behind it may ride along (pass->rectify): y = max(y, 0), and on the way back dy counts
 * only where y was above 0, which is worked out again from x.
 *
 *   dgamma = sum dy xhat     dbeta = sum dy
 *   dx = gamma / sqrt(variance + epsilon) (dy - mean(dy) - xhat mean(dy xhat))
 *
 * where the last two terms fall away for the moving statistics, which do not depend on x.
 *
 * With a mask the batch's statistics are those of the steps that count, and n is their number; all
 * steps are normalized by them, so all are in the sums, but the last two terms are for those that
 * count.  Where none does, the moving statistics are used.
 *
 * Where ranks share the batch, the statistics and the sums for dx are those of all its rows; dgamma and dbeta are
 * left for the sum over the ranks that all gradients go through. */
#include <math.h>
#include <string.h>

#include "nn/layers/mask.h"
#include "nn/layers/norm.h"

typedef struct batch_normalization {
    lam_norm norm;
    double momentum;
    lam_weight_options moving_mean, moving_variance;
    lam_channels sample;
    size_t step; /* positions of a sample that one step of the mask is for; 0: no mask */
    int mean_at, variance_at;
} batch_normalization;

/* What forward keeps. */
typedef struct statistics {
    float *of_batch; /* 1: the batch's, 0: the moving ones */
    float *mean, *inverse; /* inverse = 1 / sqrt(variance + epsilon) */
    float *scale, *shift;  /* y = x scale + shift */
} statistics;

/* Scratch. */
typedef struct work {
    double *first, *second;
    double *count;                /* right behind these two, so that all three go to other ranks as one */
    float *scale, *slope, *shift; /* of dx */
    float *zeros;
    float *counted;               /* with a mask: the positions that count, one behind the other */
} work;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_NORM_FIELDS,
        {.name = "momentum",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(batch_normalization, momentum),
         .min = 0,
         .max = 1},
        {.name = "moving_mean_initializer", .kind = LAM_FIELD_SPEC},
        {.name = "moving_variance_initializer", .kind = LAM_FIELD_SPEC},
    };
    batch_normalization *b = layer->config;
    b->momentum = 0.99;
    b->norm.epsilon = 1e-3;
    b->norm.center = b->norm.scale = true;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), b, "layer_batch_normalization()", err));
    LAM_TRY(lam_norm_axis(&b->norm, args, 1, err));
    LAM_TRY(lam_norm_weights(&b->norm, args, err));
    LAM_TRY(lam_weight_options_read(args, "moving_mean", LAM_INIT_zeros, &b->moving_mean, err));
    return lam_weight_options_read(args, "moving_variance", LAM_INIT_ones, &b->moving_variance, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    batch_normalization *b = layer->config;
    unsigned axes;
    LAM_TRY(lam_norm_find_axes(&b->norm, layer, &axes, err));
    b->sample = lam_norm_channels(&layer->in, axes);
    size_t n = b->sample.channels;
    LAM_TRY(lam_norm_add_weights(&b->norm, layer, lam_shape_1(n), err));
    b->mean_at = layer->n_weights;
    b->variance_at = layer->n_weights + 1;
    LAM_TRY(lam_layer_add_weight(layer, "moving_mean", lam_shape_1(n), false, &b->moving_mean, err));
    LAM_TRY(lam_layer_add_weight(layer, "moving_variance", lam_shape_1(n), false,
                                 &b->moving_variance, err));
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_NEEDS_X | LAM_LAYER_WHOLE_BATCH |
                   (b->sample.inner == 1 ? LAM_LAYER_RECTIFIES : 0);
    layer->flags |= LAM_LAYER_CARRIES_MASK | LAM_LAYER_ASKS_RANKS;
    layer->cache_fixed = (1 + 4 * n) * sizeof(float);
    layer->scratch_fixed = n * (2 * sizeof(double) + 4 * sizeof(float)) + sizeof(double);
    b->step = 0;
    if (layer->mask_in > 0 && b->sample.inner == 1 && b->sample.outer % layer->mask_in == 0) {
        b->step = b->sample.outer / layer->mask_in;
        layer->flags |= LAM_LAYER_USES_MASK;
        layer->scratch_row = layer->in_count * sizeof(float);
    }
    return LAM_OK;
}

static lam_channels batch_of(const batch_normalization *b, const lam_pass *pass)
{
    lam_channels a = b->sample;
    a.outer *= pass->rows;
    return a;
}

static statistics kept(const batch_normalization *b, const lam_pass *pass)
{
    float *p = (float *)pass->cache;
    size_t n = b->sample.channels;
    return (statistics){p, p + 1, p + 1 + n, p + 1 + 2 * n, p + 1 + 3 * n};
}

static work scratch(const batch_normalization *b, const lam_pass *pass)
{
    size_t n = b->sample.channels;
    double *p = (double *)pass->scratch;
    float *f = (float *)(p + 2 * n + 1);
    return (work){p, p + n, p + 2 * n, f, f + n, f + 2 * n, f + 3 * n, f + 4 * n};
}

/* The mask of the pass where the layer heeds it, else NULL. */
static const unsigned char *mask_of(const batch_normalization *b, const lam_pass *pass)
{
    return b->step ? pass->mask : NULL;
}

/* How many numbers of a channel count. */
static size_t count_of(const lam_layer *layer, const lam_pass *pass)
{
    const batch_normalization *b = layer->config;
    lam_channels a = batch_of(b, pass);
    const unsigned char *mask = mask_of(b, pass);
    return mask ? lam_mask_count(mask, pass->rows * layer->mask_in) * b->step : a.outer * a.inner;
}

/* Moments of the `n` numbers of a channel that count. */
static void find_moments(const lam_layer *layer, const lam_pass *pass, size_t n, const work *w)
{
    const batch_normalization *b = layer->config;
    lam_channels a = batch_of(b, pass);
    const unsigned char *mask = mask_of(b, pass);
    const float *x = pass->x;
    if (mask) {
        size_t width = b->step * a.channels, steps = pass->rows * layer->mask_in;
        float *to = w->counted;
        for (size_t s = 0; s < steps; s++)
            if (mask[s]) {
                memcpy(to, pass->x + s * width, width * sizeof(float));
                to += width;
            }
        a.outer = n;
        x = w->counted;
    }
    lam_channel_moments(&a, x, w->first, w->second);
}

/* From a rank's moments of its n numbers to those of all ranks; returns how many numbers there are.  What goes over is
 * the sum of x - c and of (x - c)^2, where c is the moving mean, which all ranks have. */
static double join_moments(const lam_layer *layer, const lam_pass *pass, size_t n, const work *w)
{
    const batch_normalization *b = layer->config;
    const float *centre = lam_w(layer, pass, b->mean_at);
    size_t channels = b->sample.channels;
    for (size_t c = 0; c < channels; c++) {
        double d = n ? w->first[c] - (double)centre[c] : 0;
        w->first[c] = d * (double)n;
        w->second[c] = n ? w->second[c] + d * d * (double)n : 0;
    }
    *w->count = (double)n;
    lam_ranks_sum(pass->ranks, w->first, 2 * channels + 1);
    double all = *w->count;
    for (size_t c = 0; c < channels && all > 0; c++) {
        double d = w->first[c] / all;
        w->second[c] -= d * w->first[c];
        w->first[c] = (double)centre[c] + d;
    }
    return all;
}

static void follow(float *moving, double momentum, double now)
{
    *moving = (float)(*moving * momentum + now * (1.0 - momentum));
}

/* The mean of channel c stays in w->first, in double. */
static void find_statistics(const lam_layer *layer, const lam_pass *pass, const statistics *s,
                            const work *w)
{
    const batch_normalization *b = layer->config;
    size_t channels = b->sample.channels, own = count_of(layer, pass);
    double n = (double)own, epsilon = b->norm.epsilon;
    float *moving_mean = pass->weights + layer->weight[b->mean_at].offset;
    float *moving_variance = pass->weights + layer->weight[b->variance_at].offset;
    bool learns = pass->training && layer->trainable;
    if (learns && own > 0)
        find_moments(layer, pass, own, w);
    if (learns && pass->ranks)
        n = join_moments(layer, pass, own, w);
    bool of_batch = learns && n > 0;
    *s->of_batch = of_batch ? 1.0f : 0.0f;
    for (size_t c = 0; c < channels; c++) {
        double mean = of_batch ? w->first[c] : (double)moving_mean[c];
        double variance = of_batch ? fmax(w->second[c] / n, 0.0) : (double)moving_variance[c];
        w->first[c] = mean;
        s->mean[c] = (float)mean;
        s->inverse[c] = (float)(1.0 / sqrt(variance + epsilon));
        if (of_batch && pass->update_state) {
            follow(&moving_mean[c], b->momentum, mean);
            follow(&moving_variance[c], b->momentum, variance);
        }
    }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const batch_normalization *b = layer->config;
    lam_channels a = batch_of(b, pass);
    statistics s = kept(b, pass);
    work w = scratch(b, pass);
    const float *gamma = lam_norm_gamma(&b->norm, layer, pass);
    const float *beta = lam_norm_beta(&b->norm, layer, pass);
    find_statistics(layer, pass, &s, &w);
    for (size_t c = 0; c < a.channels; c++) {
        s.scale[c] = (gamma ? gamma[c] : 1.0f) * s.inverse[c];
        s.shift[c] = (float)((beta ? (double)beta[c] : 0.0) - w.first[c] * (double)s.scale[c]);
    }
    lam_channel_affine(&a, pass->x, s.scale, s.shift, pass->rectify ? 0.0f : -INFINITY, pass->y);
}

static void backward_weights(const lam_layer *layer, const lam_pass *pass, const statistics *s,
                             const work *w)
{
    const batch_normalization *b = layer->config;
    float *dgamma = lam_norm_dgamma(&b->norm, layer, pass);
    float *dbeta = lam_norm_dbeta(&b->norm, layer, pass);
    for (size_t c = 0; c < b->sample.channels && dgamma; c++) {
        double d = w->second[c] * (double)s->inverse[c];
        dgamma[c] = (float)(pass->add ? (double)dgamma[c] + d : d);
    }
    if (dbeta)
        lam_norm_put(b->sample.channels, w->first, pass->add, dbeta);
}

/* Steps that do not count have not moved the statistics. */
static void masked_gradient(const lam_layer *layer, const lam_pass *pass, const statistics *s,
                            const work *w, const lam_gate *gate)
{
    const batch_normalization *b = layer->config;
    size_t width = b->step * b->sample.channels, steps = pass->rows * layer->mask_in;
    memset(w->zeros, 0, b->sample.channels * sizeof(float));
    for (size_t from = 0, to; from < steps; from = to) {
        to = lam_mask_run(pass->mask, from, steps);
        lam_channels run = {(to - from) * b->step, b->sample.channels, 1};
        size_t at = from * width;
        bool counts = pass->mask[from];
        lam_channel_gradient(&run, pass->x + at, s->mean, pass->dy + at, gate, w->scale,
                             counts ? w->slope : w->zeros, counts ? w->shift : w->zeros, pass->dx + at);
    }
}

static void backward_x(const lam_layer *layer, const lam_pass *pass, const statistics *s,
                       const work *w, const lam_gate *gate)
{
    const batch_normalization *b = layer->config;
    lam_channels a = batch_of(b, pass);
    double n = *w->count;
    const float *gamma = lam_norm_gamma(&b->norm, layer, pass);
    bool of_batch = *s->of_batch != 0.0f;
    for (size_t c = 0; c < a.channels; c++) {
        double inverse = s->inverse[c], scale = (gamma ? (double)gamma[c] : 1.0) * inverse;
        w->scale[c] = (float)scale;
        w->slope[c] = of_batch ? (float)(-scale * inverse * inverse * w->second[c] / n) : 0.0f;
        w->shift[c] = of_batch ? (float)(-scale * w->first[c] / n) : 0.0f;
    }
    if (of_batch && mask_of(b, pass))
        masked_gradient(layer, pass, s, w, gate);
    else if (of_batch || gate)
        lam_channel_gradient(&a, pass->x, s->mean, pass->dy, gate, w->scale, w->slope, w->shift, pass->dx);
    else
        lam_channel_affine(&a, pass->dy, w->scale, w->shift, -INFINITY, pass->dx);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const batch_normalization *b = layer->config;
    lam_channels a = batch_of(b, pass);
    statistics s = kept(b, pass);
    work w = scratch(b, pass);
    const lam_gate open = {s.scale, s.shift}, *gate = pass->rectify ? &open : NULL;
    bool trained = lam_norm_dgamma(&b->norm, layer, pass) || lam_norm_dbeta(&b->norm, layer, pass);
    bool slopes = pass->dx && *s.of_batch != 0.0f;
    if (pass->rows == 0)
        memset(w.first, 0, 2 * a.channels * sizeof(double));
    else if (trained || slopes)
        lam_channel_products(&a, pass->x, s.mean, pass->dy, gate, w.first, w.second);
    *w.count = (double)count_of(layer, pass);
    if (trained)
        backward_weights(layer, pass, &s, &w);
    if (slopes && pass->ranks)
        lam_ranks_sum(pass->ranks, w.first, 2 * a.channels + 1);
    if (pass->dx)
        backward_x(layer, pass, &s, &w, gate);
}

const lam_layer_type lam_layer_batch_normalization = {
    .name = "batch_normalization",
    .config_size = sizeof(batch_normalization),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
