/* layer_normalization (Ba, Kiros and Hinton, "Layer normalization", 2016): with mean and variance
 * over the dimensions `axis` of one sample,
 *
 *   y = gamma (x - mean) / sqrt(variance + epsilon) + beta
 *
 * gamma and beta have the shape of those dimensions.  Way back, with xhat the normalized x and
 * means over a row:
 *
 *   dgamma = sum dy xhat     dbeta = sum dy
 *   dx = (gamma dy - mean(gamma dy) - xhat mean(gamma dy xhat)) / sqrt(variance + epsilon) */
#include <math.h>
#include <string.h>

#include "kernels/row_norm.h"
#include "nn/layers/norm.h"

typedef struct layer_normalization {
    lam_norm norm;
    lam_norm_rows rows;
} layer_normalization;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_NORM_FIELDS};
    layer_normalization *l = layer->config;
    l->norm.epsilon = 1e-3;
    l->norm.center = l->norm.scale = true;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), l, "layer_layer_normalization()", err));
    LAM_TRY(lam_norm_axis(&l->norm, args, LAM_MAX_RANK, err));
    return lam_norm_weights(&l->norm, args, err);
}

/* Scratch: the sums of the weights' gradients (double), gamma and beta (in full, also where the
 * layer has none), and for each sample, where it must be reordered, x and y or dy. */
static lam_status build(lam_layer *layer, lam_error *err)
{
    layer_normalization *l = layer->config;
    unsigned axes;
    LAM_TRY(lam_norm_find_axes(&l->norm, layer, &axes, err));
    l->rows = lam_norm_rows_of(&layer->in, axes);
    lam_shape shape = {0};
    for (int i = 0; i < layer->in.rank; i++)
        if (axes >> i & 1)
            shape.dim[shape.rank++] = layer->in.dim[i];
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_NEEDS_X | LAM_LAYER_CARRIES_MASK;
    layer->cache_row = 2 * l->rows.rows * sizeof(float);
    layer->scratch_fixed = l->rows.length * (2 * sizeof(double) + 2 * sizeof(float));
    layer->scratch_row = l->rows.in_order ? 0 : 2 * layer->in_count * sizeof(float);
    return lam_norm_add_weights(&l->norm, layer, shape, err);
}

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
    double *dgamma, *dbeta;
    float *gamma, *beta, *reordered;
} job;

static job start(const lam_layer *layer, const lam_pass *pass)
{
    const layer_normalization *l = layer->config;
    size_t n = l->rows.length;
    double *d = (double *)pass->scratch;
    float *f = (float *)(d + 2 * n);
    const float *gamma = lam_norm_gamma(&l->norm, layer, pass);
    const float *beta = lam_norm_beta(&l->norm, layer, pass);
    for (size_t i = 0; i < n; i++) {
        f[i] = gamma ? gamma[i] : 1.0f;
        f[n + i] = beta ? beta[i] : 0.0f;
    }
    return (job){layer, pass, d, d + n, f, f + n, f + 2 * n};
}

/* Mean and 1 / sqrt(variance + epsilon) of every row of a sample. */
static float *kept(const job *j, size_t sample)
{
    const layer_normalization *l = j->layer->config;
    return (float *)j->pass->cache + sample * 2 * l->rows.rows;
}

/* Array number k (0 or 1) of a sample in the order of its rows: `given` itself, or scratch. */
static float *ordered(const job *j, size_t sample, int k, const float *given)
{
    const layer_normalization *l = j->layer->config;
    size_t n = j->layer->in_count;
    return l->rows.in_order ? (float *)given + sample * n : j->reordered + (sample * 2 + (size_t)k) * n;
}

static void forward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const layer_normalization *l = j->layer->config;
    size_t n = l->rows.length, at = sample * j->layer->in_count;
    float *x = ordered(j, sample, 0, j->pass->x), *y = ordered(j, sample, 1, j->pass->y);
    float *statistics = kept(j, sample);
    if (!l->rows.in_order)
        lam_view_gather(&l->rows.view, j->pass->x + at, x);
    for (size_t row = 0; row < l->rows.rows; row++) {
        double mean, spread;
        lam_row_moments(n, x + row * n, &mean, &spread);
        float inverse = (float)(1.0 / sqrt(fmax(spread, 0.0) / (double)n + l->norm.epsilon));
        lam_row_affine(n, x + row * n, (float)mean, inverse, j->gamma, j->beta, y + row * n);
        statistics[2 * row] = (float)mean;
        statistics[2 * row + 1] = inverse;
    }
    if (!l->rows.in_order)
        lam_view_scatter(&l->rows.view, y, j->pass->y + at);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    job j = start(layer, pass);
    lam_parallel(pass->rows, forward_task, &j);
}

static void reorder_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const layer_normalization *l = j->layer->config;
    size_t at = sample * j->layer->in_count;
    lam_view_gather(&l->rows.view, j->pass->x + at, ordered(j, sample, 0, NULL));
    lam_view_gather(&l->rows.view, j->pass->dy + at, ordered(j, sample, 1, NULL));
}

enum { STRIP = 256 };

/* The gradients of STRIP numbers of gamma and beta, sample by sample. */
static void weights_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    const layer_normalization *l = j->layer->config;
    size_t n = l->rows.length, from = task * STRIP, to = from + STRIP < n ? from + STRIP : n;
    memset(j->dgamma + from, 0, (to - from) * sizeof(double));
    memset(j->dbeta + from, 0, (to - from) * sizeof(double));
    for (size_t sample = 0; sample < j->pass->rows; sample++) {
        const float *x = ordered(j, sample, 0, j->pass->x), *dy = ordered(j, sample, 1, j->pass->dy);
        const float *statistics = kept(j, sample);
        for (size_t row = 0; row < l->rows.rows; row++, x += n, dy += n) {
            double inverse = statistics[2 * row + 1];
            for (size_t i = from; i < to; i++) {
                j->dbeta[i] += (double)dy[i];
                j->dgamma[i] += (double)dy[i] * (double)(x[i] - statistics[2 * row]) * inverse;
            }
        }
    }
}

static void backward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const layer_normalization *l = j->layer->config;
    size_t n = l->rows.length, at = sample * j->layer->in_count;
    const float *x = ordered(j, sample, 0, j->pass->x), *statistics = kept(j, sample);
    const float *dy = ordered(j, sample, 1, j->pass->dy);
    float *dx = ordered(j, sample, 1, j->pass->dx);
    for (size_t row = 0; row < l->rows.rows; row++) {
        float mean = statistics[2 * row];
        double sum, product, inverse = statistics[2 * row + 1];
        lam_row_products(n, x + row * n, mean, dy + row * n, j->gamma, &sum, &product);
        lam_row_gradient(n, x + row * n, mean, dy + row * n, j->gamma, (float)inverse,
                         (float)(-inverse * inverse * inverse * product / (double)n),
                         (float)(-inverse * sum / (double)n), dx + row * n);
    }
    if (!l->rows.in_order)
        lam_view_scatter(&l->rows.view, dx, j->pass->dx + at);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const layer_normalization *l = layer->config;
    job j = start(layer, pass);
    float *dgamma = lam_norm_dgamma(&l->norm, layer, pass);
    float *dbeta = lam_norm_dbeta(&l->norm, layer, pass);
    if (!l->rows.in_order)
        lam_parallel(pass->rows, reorder_task, &j);
    if (dgamma || dbeta)
        lam_parallel((l->rows.length - 1) / STRIP + 1, weights_task, &j);
    if (dgamma)
        lam_norm_put(l->rows.length, j.dgamma, pass->add, dgamma);
    if (dbeta)
        lam_norm_put(l->rows.length, j.dbeta, pass->add, dbeta);
    if (pass->dx)
        lam_parallel(pass->rows, backward_task, &j);
}

const lam_layer_type lam_layer_layer_normalization = {
    .name = "layer_normalization",
    .config_size = sizeof(layer_normalization),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
