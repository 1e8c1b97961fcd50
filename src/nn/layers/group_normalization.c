/* group_normalization (Wu and He, "Group normalization", ECCV 2018): the positions of `axis` (the
 * channels) are cut into groups of neighbours; with mean and variance over a group of one sample,
 *
 *   y = gamma[c] (x - mean) / sqrt(variance + epsilon) + beta[c]
 *
 * Sums are first made for each channel and then joined.  Way back, with xhat the normalized x and
 * means over the numbers of a group:
 *
 *   dgamma[c] = sum dy xhat     dbeta[c] = sum dy
 *   dx = (gamma dy - mean(gamma dy) - xhat mean(gamma dy xhat)) / sqrt(variance + epsilon) */
#include <math.h>

#include "nn/layers/norm.h"

typedef struct group_normalization {
    lam_norm norm;
    double groups_given; /* -1: every channel for itself */
    size_t groups;
    lam_channels sample;
} group_normalization;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_NORM_FIELDS,
        {.name = "groups",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(group_normalization, groups_given),
         .min = -1,
         .max = 1e9},
    };
    group_normalization *g = layer->config;
    g->groups_given = 32;
    g->norm.epsilon = 1e-3;
    g->norm.center = g->norm.scale = true;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), g, "layer_group_normalization()", err));
    if (g->groups_given != floor(g->groups_given) || g->groups_given == 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "groups", "a whole number of at least 1, or -1",
                            "%g", g->groups_given);
    LAM_TRY(lam_norm_axis(&g->norm, args, 1, err));
    return lam_norm_weights(&g->norm, args, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    group_normalization *g = layer->config;
    unsigned axes;
    LAM_TRY(lam_norm_find_axes(&g->norm, layer, &axes, err));
    g->sample = lam_norm_channels(&layer->in, axes);
    size_t n = g->sample.channels;
    g->groups = g->groups_given < 0 ? n : (size_t)g->groups_given;
    if (n % g->groups != 0)
        return lam_fail_arg(err, LAM_ESHAPE, "groups", "a divisor of the number of channels",
                            "%zu, where layer %s has %zu channel%s", g->groups, layer->name, n,
                            n == 1 ? "" : "s");
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_NEEDS_X | LAM_LAYER_CARRIES_MASK;
    layer->cache_row = 2 * g->groups * sizeof(float);
    layer->scratch_row = n * (2 * sizeof(double) + 4 * sizeof(float));
    return lam_norm_add_weights(&g->norm, layer, lam_shape_1(n), err);
}

/* One sample at work. */
typedef struct sample {
    float *mean, *inverse;                     /* of each group; kept for the way back */
    double *first, *second;                    /* of each channel, as are the next */
    float *channel_mean, *scale, *slope, *shift;
} sample;

static sample sample_of(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const group_normalization *g = layer->config;
    size_t n = g->sample.channels;
    float *kept = (float *)pass->cache + row * 2 * g->groups;
    double *d = (double *)pass->scratch + row * 2 * n;
    float *f = (float *)((double *)pass->scratch + pass->rows * 2 * n) + row * 4 * n;
    return (sample){kept, kept + g->groups, d, d + n, f, f + n, f + 2 * n, f + 3 * n};
}

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
} job;

/* Mean and 1 / sqrt(variance + epsilon) of group k, from those of its channels, all of m numbers. */
static void join_channels(const group_normalization *g, sample *s, size_t k, double m)
{
    size_t n = g->sample.channels / g->groups;
    double mean = 0.0, spread = 0.0;
    for (size_t c = k * n; c < (k + 1) * n; c++)
        mean += s->first[c] / (double)n;
    for (size_t c = k * n; c < (k + 1) * n; c++)
        spread += s->second[c] + m * (s->first[c] - mean) * (s->first[c] - mean);
    s->mean[k] = (float)mean;
    s->inverse[k] = (float)(1.0 / sqrt(fmax(spread, 0.0) / (m * (double)n) + g->norm.epsilon));
}

static void forward_task(void *arg, size_t row, int worker)
{
    (void)worker;
    const job *j = arg;
    const group_normalization *g = j->layer->config;
    const float *gamma = lam_norm_gamma(&g->norm, j->layer, j->pass);
    const float *beta = lam_norm_beta(&g->norm, j->layer, j->pass);
    sample s = sample_of(j->layer, j->pass, row);
    size_t at = row * j->layer->in_count, per_group = g->sample.channels / g->groups;
    lam_channel_moments(&g->sample, j->pass->x + at, s.first, s.second);
    for (size_t k = 0; k < g->groups; k++)
        join_channels(g, &s, k, (double)(g->sample.outer * g->sample.inner));
    for (size_t c = 0; c < g->sample.channels; c++) {
        size_t k = c / per_group;
        s.scale[c] = (gamma ? gamma[c] : 1.0f) * s.inverse[k];
        s.shift[c] = (float)((beta ? (double)beta[c] : 0.0) - (double)s.mean[k] * (double)s.scale[c]);
    }
    lam_channel_affine(&g->sample, j->pass->x + at, s.scale, s.shift, -INFINITY, j->pass->y + at);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_parallel(pass->rows, forward_task, &(job){layer, pass});
}

static void backward_task(void *arg, size_t row, int worker)
{
    (void)worker;
    const job *j = arg;
    const group_normalization *g = j->layer->config;
    const float *gamma = lam_norm_gamma(&g->norm, j->layer, j->pass);
    sample s = sample_of(j->layer, j->pass, row);
    size_t at = row * j->layer->in_count, per_group = g->sample.channels / g->groups;
    double n = (double)(g->sample.outer * g->sample.inner * per_group);
    for (size_t c = 0; c < g->sample.channels; c++)
        s.channel_mean[c] = s.mean[c / per_group];
    lam_channel_products(&g->sample, j->pass->x + at, s.channel_mean, j->pass->dy + at, NULL, s.first,
                         s.second);
    if (!j->pass->dx)
        return;
    for (size_t k = 0; k < g->groups; k++) {
        double sum = 0.0, product = 0.0, inverse = s.inverse[k];
        for (size_t c = k * per_group; c < (k + 1) * per_group; c++) {
            sum += (gamma ? (double)gamma[c] : 1.0) * s.first[c];
            product += (gamma ? (double)gamma[c] : 1.0) * s.second[c];
        }
        for (size_t c = k * per_group; c < (k + 1) * per_group; c++) {
            s.scale[c] = (float)((gamma ? (double)gamma[c] : 1.0) * inverse);
            s.slope[c] = (float)(-inverse * inverse * inverse * product / n);
            s.shift[c] = (float)(-inverse * sum / n);
        }
    }
    lam_channel_gradient(&g->sample, j->pass->x + at, s.channel_mean, j->pass->dy + at, NULL, s.scale,
                         s.slope, s.shift, j->pass->dx + at);
}

/* Adds up the sums of all samples, in their order, into those of the first. */
static void backward_weights(const lam_layer *layer, const lam_pass *pass)
{
    const group_normalization *g = layer->config;
    float *dgamma = lam_norm_dgamma(&g->norm, layer, pass);
    float *dbeta = lam_norm_dbeta(&g->norm, layer, pass);
    size_t channels = g->sample.channels, per_group = channels / g->groups;
    sample total = sample_of(layer, pass, 0);
    for (size_t row = 0; row < pass->rows; row++) {
        sample s = sample_of(layer, pass, row);
        for (size_t c = 0; c < channels; c++) {
            total.first[c] = (row ? total.first[c] : 0.0) + s.first[c];
            total.second[c] = (row ? total.second[c] : 0.0) + s.second[c] * (double)s.inverse[c / per_group];
        }
    }
    if (dgamma)
        lam_norm_put(channels, total.second, pass->add, dgamma);
    if (dbeta)
        lam_norm_put(channels, total.first, pass->add, dbeta);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const group_normalization *g = layer->config;
    bool trained = lam_norm_dgamma(&g->norm, layer, pass) || lam_norm_dbeta(&g->norm, layer, pass);
    if (trained || pass->dx)
        lam_parallel(pass->rows, backward_task, &(job){layer, pass});
    if (trained)
        backward_weights(layer, pass);
}

const lam_layer_type lam_layer_group_normalization = {
    .name = "group_normalization",
    .config_size = sizeof(group_normalization),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
