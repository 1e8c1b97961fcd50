/* Batch, layer, group and unit normalization. */
#include "layers.h"

#include "base/threads.h"
#include "kernels/batch_norm.h"
#include "kernels/cpu.h"
#include "kernels/row_norm.h"

/* ---- the definitions ------------------------------------------------------------- */

/* A weight by its name, NULL where the layer has none. */
static const double *named(const lam_layer *layer, const double *w, const char *name)
{
    for (int i = 0; i < layer->n_weights; i++)
        if (strcmp(layer->weight[i].name, name) == 0)
            return w + layer->weight[i].offset;
    return NULL;
}

static bool is_axis(const example *ex, const lam_shape *in, int d)
{
    bool found = length(ex, "axis") == 0 && d == in->rank - 1;
    for (size_t a = 0; a < length(ex, "axis"); a++) {
        double axis = number(ex, "axis", a, 0);
        found |= axis == d + 2 || axis == d - in->rank;
    }
    return found;
}

/* at[i] is the place of element i of a sample among the positions along the axes, or among the others. */
static void places(const example *ex, const lam_layer *layer, bool along, size_t *at)
{
    bool counts[LAM_MAX_RANK];
    for (int d = 0; d < layer->in.rank; d++)
        counts[d] = is_axis(ex, &layer->in, d) == along;
    for (size_t i = 0; i < layer->in_count; i++) {
        size_t index[LAM_MAX_RANK];
        unravel(&layer->in, i, index);
        at[i] = 0;
        for (int d = 0; d < layer->in.rank; d++)
            if (counts[d])
                at[i] = at[i] * layer->in.dim[d] + index[d];
    }
}

/* y = gamma (x - mean) / sqrt(variance + epsilon) + beta over the n elements e[.] of x; position
 * c[.] of gamma and beta. */
static void normalize(const example *ex, const lam_layer *layer, const double *w, size_t n,
                      const size_t *e, const size_t *c, const double *x, double mean,
                      double variance, double *y)
{
    const double *gamma = named(layer, w, "gamma"), *beta = named(layer, w, "beta");
    double epsilon = number(ex, "epsilon", 0, 1e-3);
    for (size_t k = 0; k < n; k++)
        y[e[k]] = (gamma ? gamma[c[k]] : 1) * (x[e[k]] - mean) / sqrt(variance + epsilon) +
                  (beta ? beta[c[k]] : 0);
}

static void moments(size_t n, const size_t *e, const double *x, double *mean, double *variance)
{
    *mean = *variance = 0;
    for (size_t k = 0; k < n; k++)
        *mean += x[e[k]] / (double)n;
    for (size_t k = 0; k < n; k++)
        *variance += (x[e[k]] - *mean) * (x[e[k]] - *mean) / (double)n;
}

enum { MOST = 4096 }; /* numbers of an example's batch */

static void batch_norm(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    size_t e[MOST], c[MOST], along[MOST], count = layer->in_count;
    size_t channels = layer->weight[layer->n_weights - 1].count;
    places(ex, layer, true, along);
    for (size_t channel = 0; channel < channels; channel++) {
        size_t n = 0;
        for (size_t i = 0; i < pass->rows * count; i++)
            if (along[i % count] == channel) {
                c[n] = channel;
                e[n++] = i;
            }
        double mean = named(layer, w, "moving_mean")[channel];
        double variance = named(layer, w, "moving_variance")[channel];
        if (pass->training)
            moments(n, e, x, &mean, &variance);
        normalize(ex, layer, w, n, e, c, x, mean, variance, y);
    }
}

static void layer_norm(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    size_t e[MOST], c[MOST], along[MOST], others[MOST], count = layer->in_count;
    places(ex, layer, true, along);
    places(ex, layer, false, others);
    for (size_t r = 0; r < pass->rows; r++, x += count, y += count)
        for (size_t row = 0; row < count; row++) {
            size_t n = 0;
            double mean, variance;
            for (size_t i = 0; i < count; i++)
                if (others[i] == row) {
                    c[n] = along[i];
                    e[n++] = i;
                }
            moments(n, e, x, &mean, &variance);
            normalize(ex, layer, w, n, e, c, x, mean, variance, y);
        }
}

static void group_norm(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    size_t e[MOST], c[MOST], along[MOST], count = layer->in_count, channels = 1;
    places(ex, layer, true, along);
    for (int d = 0; d < layer->in.rank; d++)
        if (is_axis(ex, &layer->in, d))
            channels = layer->in.dim[d];
    double given = number(ex, "groups", 0, 32);
    size_t groups = given < 0 ? channels : (size_t)given;
    for (size_t r = 0; r < pass->rows; r++, x += count, y += count)
        for (size_t g = 0; g < groups; g++) {
            size_t n = 0;
            double mean, variance;
            for (size_t i = 0; i < count; i++) {
                c[n] = along[i];
                if (c[n] / (channels / groups) == g)
                    e[n++] = i;
            }
            moments(n, e, x, &mean, &variance);
            normalize(ex, layer, w, n, e, c, x, mean, variance, y);
        }
}

static void unit_norm(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    (void)w;
    size_t others[MOST], count = layer->in_count;
    places(ex, layer, false, others);
    for (size_t r = 0; r < pass->rows; r++, x += count, y += count)
        for (size_t i = 0; i < count; i++) {
            double squares = 0;
            for (size_t k = 0; k < count; k++)
                if (others[k] == others[i])
                    squares += x[k] * x[k];
            y[i] = x[i] / sqrt(fmax(squares, 1e-12));
        }
}

/* ---- the examples ---------------------------------------------------------------- */

static const example norm_examples[] = {
    {"batch_normalization", SHAPE(5), SHAPE(5), batch_norm, {{0}}},
    {"batch_normalization", SHAPE(37), SHAPE(37), batch_norm, {NUMBERS("epsilon", 0.1)}},
    {"batch_normalization", SHAPE(3, 2, 3), SHAPE(3, 2, 3), batch_norm, {NUMBERS("scale", 0)}},
    {"batch_normalization",
     SHAPE(2, 3, 1),
     SHAPE(2, 3, 1),
     batch_norm,
     {NUMBERS("center", 0), NUMBERS("scale", 0)}},
    {"batch_normalization",
     SHAPE(4, 3),
     SHAPE(4, 3),
     batch_norm,
     {NUMBERS("axis", 2), NUMBERS("momentum", 0.5)}},
    {"batch_normalization", SHAPE(2, 3, 2), SHAPE(2, 3, 2), batch_norm, {NUMBERS("axis", -2)}},
    {"batch_normalization", SHAPE(1, 2, 17), SHAPE(1, 2, 17), batch_norm, {NUMBERS("center", 0)}},
    {"layer_normalization", SHAPE(5), SHAPE(5), layer_norm, {{0}}},
    {"layer_normalization", SHAPE(2, 19), SHAPE(2, 19), layer_norm, {NUMBERS("epsilon", 0.1)}},
    {"layer_normalization", SHAPE(37), SHAPE(37), layer_norm, {NUMBERS("scale", 0)}},
    {"layer_normalization", SHAPE(3, 4), SHAPE(3, 4), layer_norm, {NUMBERS("axis", 2, 3)}},
    {"layer_normalization",
     SHAPE(3, 4),
     SHAPE(3, 4),
     layer_norm,
     {NUMBERS("axis", 2), NUMBERS("center", 0)}},
    {"layer_normalization", SHAPE(3, 2, 4), SHAPE(3, 2, 4), layer_norm, {NUMBERS("axis", 2, -1)}},
    {"group_normalization", SHAPE(6), SHAPE(6), group_norm, {NUMBERS("groups", 2)}},
    {"group_normalization", SHAPE(2, 3, 4), SHAPE(2, 3, 4), group_norm, {NUMBERS("groups", 2)}},
    {"group_normalization",
     SHAPE(2, 2, 3),
     SHAPE(2, 2, 3),
     group_norm,
     {NUMBERS("groups", -1), NUMBERS("epsilon", 0.1)}},
    {"group_normalization",
     SHAPE(3, 37),
     SHAPE(3, 37),
     group_norm,
     {NUMBERS("groups", 1), NUMBERS("center", 0)}},
    {"group_normalization",
     SHAPE(4, 3),
     SHAPE(4, 3),
     group_norm,
     {NUMBERS("groups", 2), NUMBERS("axis", 2), NUMBERS("scale", 0)}},
    {"unit_normalization", SHAPE(5), SHAPE(5), unit_norm, {{0}}},
    {"unit_normalization", SHAPE(2, 37), SHAPE(2, 37), unit_norm, {{0}}},
    {"unit_normalization", SHAPE(3, 4), SHAPE(3, 4), unit_norm, {NUMBERS("axis", 2)}},
    {"unit_normalization", SHAPE(3, 2, 2), SHAPE(3, 2, 2), unit_norm, {NUMBERS("axis", 4, 2)}},
};
LAYER_EXAMPLES(norm_examples)

static const refusal norm_refusals[] = {
    {LAM_ESHAPE, "axis", {"batch_normalization", SHAPE(4), {0}, NULL, {NUMBERS("axis", 3)}}},
    {LAM_ESHAPE, "axis", {"batch_normalization", SHAPE(4), {0}, NULL, {NUMBERS("axis", 1)}}},
    {LAM_EARGUMENT, "axis", {"batch_normalization", SHAPE(4, 3), {0}, NULL, {NUMBERS("axis", 2, 3)}}},
    {LAM_EARGUMENT, "momentum", {"batch_normalization", SHAPE(4), {0}, NULL, {NUMBERS("momentum", 2)}}},
    {LAM_EARGUMENT, "epsilon", {"layer_normalization", SHAPE(4), {0}, NULL, {NUMBERS("epsilon", -1)}}},
    {LAM_ESHAPE, "axis", {"layer_normalization", SHAPE(4), {0}, NULL, {NUMBERS("axis", -2)}}},
    {LAM_ESHAPE, "groups", {"group_normalization", SHAPE(4), {0}, NULL, {{0}}}},
    {LAM_ESHAPE, "groups", {"group_normalization", SHAPE(4), {0}, NULL, {NUMBERS("groups", 3)}}},
    {LAM_EARGUMENT, "groups", {"group_normalization", SHAPE(4), {0}, NULL, {NUMBERS("groups", 0)}}},
    {LAM_EARGUMENT, "groups", {"group_normalization", SHAPE(4), {0}, NULL, {NUMBERS("groups", 1.5)}}},
    {LAM_ESHAPE, "axis", {"unit_normalization", SHAPE(4), {0}, NULL, {NUMBERS("axis", 1)}}},
};
LAYER_REFUSALS(norm_refusals)

static const named_weight norm_weights[] = {
    {0, "gamma", SHAPE(3), true, {"batch_normalization", SHAPE(4, 3), {0}, NULL, {{0}}}},
    {1, "beta", SHAPE(3), true, {"batch_normalization", SHAPE(4, 3), {0}, NULL, {{0}}}},
    {2, "moving_mean", SHAPE(3), false, {"batch_normalization", SHAPE(4, 3), {0}, NULL, {{0}}}},
    {3, "moving_variance", SHAPE(3), false, {"batch_normalization", SHAPE(4, 3), {0}, NULL, {{0}}}},
    {0,
     "moving_mean",
     SHAPE(4),
     false,
     {"batch_normalization",
      SHAPE(4, 3),
      {0},
      NULL,
      {NUMBERS("axis", 2), NUMBERS("scale", 0), NUMBERS("center", 0)}}},
    {1,
     "beta",
     SHAPE(5, 3),
     true,
     {"layer_normalization", SHAPE(5, 4, 3), {0}, NULL, {NUMBERS("axis", 2, 4)}}},
    {0, "gamma", SHAPE(4), true, {"group_normalization", SHAPE(5, 4), {0}, NULL, {NUMBERS("groups", 2)}}},
};
LAYER_WEIGHTS(norm_weights)

/* ---- what examples cannot show --------------------------------------------------- */

static const example one = {
    "batch_normalization", SHAPE(2), SHAPE(2), batch_norm, {NUMBERS("momentum", 0.75)}};

/* Weights are gamma, beta, moving_mean, moving_variance, of two numbers each. */
TEST(moving_statistics_follow_the_batches_in_training_only)
{
    bench b;
    const float x[6] = {1, 10, 2, 20, 3, 60}; /* means 2, 30; variances 2/3, 1400/3 */
    if (!set_up(&b, &one, 3, true, false))
        return;
    memcpy(b.x, x, sizeof x);
    b.pass.x = b.x;
    b.pass.y = b.y;
    float *mean = b.weights + b.layer.weight[2].offset, *variance = b.weights + b.layer.weight[3].offset;
    mean[0] = mean[1] = 0;
    variance[0] = variance[1] = 1;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK(mean[0] == 0 && mean[1] == 0 && variance[0] == 1 && variance[1] == 1);
    b.pass.update_state = true;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK_NEAR(mean[0], 0.5, 1e-6);
    CHECK_NEAR(mean[1], 7.5, 1e-5);
    CHECK_NEAR(variance[0], 0.75 + 0.25 * 2 / 3, 1e-6);
    CHECK_NEAR(variance[1], 0.75 + 0.25 * 1400 / 3, 1e-4);
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK_NEAR(mean[0], 0.5 * 0.75 + 0.5, 1e-6);
    float before = mean[0];
    b.layer.trainable = false;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK(mean[0] == before);
    tear_down(&b);
}

/* A frozen layer uses the moving statistics also in training, forward and backward. */
TEST(frozen_batch_normalization_is_that_of_prediction)
{
    bench b;
    if (!set_up(&b, &one, 3, true, false))
        return;
    b.layer.trainable = false;
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.pass.dy = b.dy;
    b.pass.dx = b.dx;
    b.pass.grads = b.grads;
    b.pass.update_state = b.pass.backward_follows = true;
    b.layer.type->forward(&b.layer, &b.pass);
    b.layer.type->backward(&b.layer, &b.pass);
    b.pass.training = false;
    batch_norm(&one, &b.layer, &b.pass, b.x_d, b.w_d, b.y_d);
    for (size_t i = 0; i < b.n_y; i++) {
        double gamma = b.w_d[b.layer.weight[0].offset + i % 2];
        double variance = b.w_d[b.layer.weight[3].offset + i % 2];
        CHECK_NEAR(b.y[i], b.y_d[i], 1e-5);
        CHECK_NEAR(b.dx[i], gamma / sqrt(variance + 1e-3) * b.dy[i], 1e-5);
    }
    tear_down(&b);
}

TEST(unit_normalization_of_nothing_is_nothing)
{
    const example ex = {"unit_normalization", SHAPE(3), SHAPE(3), unit_norm, {{0}}};
    bench b;
    if (!set_up(&b, &ex, 1, false, false))
        return;
    memset(b.x, 0, 3 * sizeof(float));
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.pass.dy = b.dy;
    b.pass.dx = b.dx;
    b.layer.type->forward(&b.layer, &b.pass);
    b.layer.type->backward(&b.layer, &b.pass);
    for (size_t i = 0; i < 3; i++) {
        CHECK(b.y[i] == 0);
        CHECK_NEAR(b.dx[i] / 1e6, b.dy[i], 1e-6);
    }
    tear_down(&b);
}

/* ---- kernels --------------------------------------------------------------------- */

static double at_channel(const lam_channels *a, const float *x, size_t c, size_t i)
{
    return x[(i / a->inner * a->channels + c) * a->inner + i % a->inner];
}

/* Moments and products of channel c in plain double precision: out[0..3]. */
static void sums_by_definition(const lam_channels *a, const float *x, const float *dy, const float *mean,
                               size_t c, double out[4])
{
    size_t n = a->outer * a->inner;
    memset(out, 0, 4 * sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[0] += at_channel(a, x, c, i) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double d = at_channel(a, x, c, i) - out[0], g = at_channel(a, dy, c, i);
        out[1] += d * d;
        out[2] += g;
        out[3] += g * (at_channel(a, x, c, i) - (double)mean[c]);
    }
}

static const lam_channels arrays[] = {{1, 1, 1},   {7, 3, 1},    {1000, 1, 1},  {5000, 37, 1}, {3000, 64, 1},
                                      {41, 900, 1}, {100, 33, 100}, {2000, 17, 3}, {129, 130, 1}};

TEST(sums_of_channels_are_accurate_far_from_zero_and_the_same_for_any_threads)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) {
        const lam_channels *a = &arrays[k];
        size_t n = a->outer * a->inner, all = n * a->channels;
        float *x = room(all, sizeof *x), *dy = room(all, sizeof *x), *mean = room(a->channels, sizeof *x);
        double *got = room(8 * a->channels, sizeof *got), want[4];
        unit_fill(x, all, 299, 301);
        unit_fill(dy, all, -1, 1);
        unit_fill(mean, a->channels, 299.5, 300.5);
        for (int tier = 0; tier <= (int)best; tier++) {
            CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
            for (int t = 0; t < 2; t++) {
                double *out = got + (size_t)t * 4 * a->channels;
                CHECK_OK(lam_threads_set(t + 1, &err));
                lam_channel_moments(a, x, out, out + a->channels);
                lam_channel_products(a, x, mean, dy, NULL, out + 2 * a->channels, out + 3 * a->channels);
            }
            CHECK(memcmp(got, got + 4 * a->channels, 4 * a->channels * sizeof *got) == 0);
            for (size_t c = 0; c < a->channels; c += a->channels / 5 + 1) {
                sums_by_definition(a, x, dy, mean, c, want);
                CHECK_NEAR(got[c], want[0], 1e-7 * 300);
                CHECK_NEAR(got[a->channels + c], want[1], 1e-5 * (want[1] + 1));
                CHECK_NEAR(got[2 * a->channels + c], want[2], 1e-6 * (double)n);
                CHECK_NEAR(got[3 * a->channels + c], want[3], 1e-6 * (double)n);
            }
        }
        free(x);
        free(dy);
        free(mean);
        free(got);
    }
    lam_threads_stop();
}

TEST(maps_of_channels_keep_their_definition)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    CHECK_OK(lam_threads_set(2, &err));
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) {
        const lam_channels *a = &arrays[k];
        size_t all = a->outer * a->inner * a->channels, n = a->channels;
        float *x = room(all, sizeof *x), *dy = room(all, sizeof *x), *y = room(all, sizeof *x);
        float *par = room(4 * n, sizeof *par);
        unit_fill(x, all, -2, 2);
        unit_fill(par, 4 * n, -1, 1);
        for (int tier = 0; tier <= (int)best; tier++) {
            CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
            unit_fill(dy, all, -1, 1);
            lam_channel_affine(a, x, par, par + n, -INFINITY, y);
            int wrong = 0;
            for (size_t i = 0; i < all; i++) {
                size_t c = i / a->inner % n;
                wrong += !(fabs(y[i] - ((double)x[i] * par[c] + par[n + c])) < 1e-6);
            }
            memcpy(y, dy, all * sizeof *y);
            lam_channel_gradient(a, x, par, y, NULL, par + n, par + 2 * n, par + 3 * n, y);
            for (size_t i = 0; i < all; i++) {
                size_t c = i / a->inner % n;
                double want = (double)dy[i] * par[n + c] + ((double)x[i] - par[c]) * par[2 * n + c] + par[3 * n + c];
                wrong += !(fabs(y[i] - want) < 2e-6);
            }
            CHECK_INT(wrong, 0);
        }
        free(x);
        free(dy);
        free(y);
        free(par);
    }
    lam_threads_stop();
}

TEST(moments_of_rows_are_accurate_far_from_zero)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    static const size_t sizes[] = {1, 2, 15, 16, 17, 33, 100, 5000, 100001};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        size_t n = sizes[k];
        float *x = room(n, sizeof *x);
        unit_fill(x, n, 999, 1001);
        double mean = 0, spread = 0, got_mean, got_spread;
        for (size_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            spread += (x[i] - mean) * (x[i] - mean);
        for (int tier = 0; tier <= (int)best; tier++) {
            CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
            lam_row_moments(n, x, &got_mean, &got_spread);
            CHECK_NEAR(got_mean, mean, 1e-4);
            CHECK_NEAR(got_spread, spread, 1e-5 * (spread + 1));
        }
        free(x);
    }
}
