/* Layers without windows: dense, activation, dropout and noise, shapes, rescaling. */
#include "layers.h"

/* ---- the definitions ------------------------------------------------------------- */

static void dense(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                  const double *w, double *y)
{
    size_t k = lam_shape_last(&layer->in), units = (size_t)number(ex, "units", 0, 0);
    size_t rows = pass->rows * layer->in_count / k;
    const double *kernel = w + layer->weight[0].offset;
    const double *bias = layer->n_weights > 1 ? w + layer->weight[1].offset : NULL;
    for (size_t r = 0; r < rows; r++) {
        double z[64];
        for (size_t u = 0; u < units; u++) {
            z[u] = bias ? bias[u] : 0;
            for (size_t i = 0; i < k; i++)
                z[u] += x[r * k + i] * kernel[i * units + u];
        }
        group(activation_of(ex, pass), units, 1, z, y + r * units);
    }
}

static void activation(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    (void)w;
    int axis = (int)number(ex, "axis", 0, -1);
    int at = axis < 0 ? layer->in.rank + axis : axis - 2;
    size_t n = layer->in.dim[at], inner = 1;
    for (int d = at + 1; d < layer->in.rank; d++)
        inner *= layer->in.dim[d];
    for (size_t o = 0; o < pass->rows * layer->in_count / (n * inner); o++)
        for (size_t i = 0; i < inner; i++)
            group(activation_of(ex, pass), n, inner, x + o * n * inner + i, y + o * n * inner + i);
}

static void parametric_relu(const example *ex, const lam_layer *layer, const lam_pass *pass,
                            const double *x, const double *w, double *y)
{
    (void)ex;
    const double *alpha = w + layer->weight[0].offset;
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++, x++, y++)
            *y = *x > 0 ? *x : alpha[broadcast(&layer->in, &layer->weight[0].shape, i)] * *x;
}

static lam_rng rng_of(const example *ex, const lam_layer *layer, const lam_pass *pass)
{
    lam_rng rng = lam_layer_rng(layer, pass, 0);
    double seed = number(ex, "seed", 0, NAN);
    if (!isnan(seed)) {
        rng.seed = (uint64_t)seed;
        rng.stream = LAM_STREAM_LAYER(0, 0);
    }
    return rng;
}

/* Whether element i of row r is kept; noise_shape as the layer was given it. */
static bool kept(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t r,
                 size_t i)
{
    lam_shape cells = layer->in;
    for (int d = 0; d < cells.rank; d++)
        if (number(ex, "noise_shape", (size_t)d + 1, NAN) == 1)
            cells.dim[d] = 1;
    size_t sample = number(ex, "noise_shape", 0, NAN) == 1 ? 0 : pass->first_row + r;
    size_t cell = sample * lam_shape_count(&cells) + broadcast(&layer->in, &cells, i);
    lam_rng rng = rng_of(ex, layer, pass);
    return lam_random_uniform(&rng, cell) >= (float)number(ex, "rate", 0, 0);
}

static void dropout(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *x, const double *w, double *y)
{
    (void)w;
    double rate = (float)number(ex, "rate", 0, 0);
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++, x++, y++)
            *y = !pass->training ? *x : kept(ex, layer, pass, r, i) ? *x / (1 - rate) : 0;
}

static void alpha_dropout(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    (void)w;
    double q = 1 - (float)number(ex, "rate", 0, 0);
    double dropped = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946;
    double a = 1 / sqrt(q + dropped * dropped * q * (1 - q)), b = -a * (1 - q) * dropped;
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++, x++, y++)
            *y = pass->training ? a * (kept(ex, layer, pass, r, i) ? *x : dropped) + b : *x;
}

static void gaussian_noise(const example *ex, const lam_layer *layer, const lam_pass *pass,
                           const double *x, const double *w, double *y)
{
    (void)w;
    lam_rng rng = rng_of(ex, layer, pass);
    for (size_t i = 0; i < pass->rows * layer->in_count; i++) {
        double z = lam_random_normal(&rng, pass->first_row * layer->in_count + i);
        y[i] = x[i] + (pass->training ? number(ex, "stddev", 0, 0) * z : 0);
    }
}

static void same(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                 const double *w, double *y)
{
    (void)ex;
    (void)w;
    memcpy(y, x, pass->rows * layer->in_count * sizeof *y);
}

static void permute(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *x, const double *w, double *y)
{
    (void)w;
    size_t to[LAM_MAX_RANK], from[LAM_MAX_RANK];
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++) {
            unravel(&layer->out, i, to);
            for (int d = 0; d < layer->in.rank; d++)
                from[(int)number(ex, "dims", (size_t)d, 0) - 1] = to[d];
            y[r * layer->in_count + i] = x[r * layer->in_count + ravel(&layer->in, from)];
        }
}

static void repeat_vector(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    (void)w;
    size_t n = (size_t)number(ex, "n", 0, 0), k = layer->in_count;
    for (size_t i = 0; i < pass->rows * n * k; i++)
        y[i] = x[i / (n * k) * k + i % k];
}

static void rescaling(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    (void)w;
    size_t channels = lam_shape_last(&layer->in);
    for (size_t i = 0; i < pass->rows * layer->in_count; i++) {
        size_t c = i % channels;
        y[i] = x[i] * number(ex, "scale", length(ex, "scale") == 1 ? 0 : c, 0) +
               number(ex, "offset", length(ex, "offset") == 1 ? 0 : c, 0);
    }
}

static void normalization(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    lam_shape cells = layer->in;
    for (int d = 0; d < cells.rank; d++) {
        bool is_kept = false;
        for (size_t a = 0; a < length(ex, "axis"); a++) {
            double axis = number(ex, "axis", a, 0);
            is_kept |= axis == d + 2 || axis == d - cells.rank;
        }
        if (!is_kept)
            cells.dim[d] = 1;
    }
    const double *mean = w + layer->weight[0].offset, *variance = w + layer->weight[1].offset;
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++, x++, y++) {
            size_t c = broadcast(&layer->in, &cells, i);
            double sd = fmax(sqrt(variance[c]), 1e-7);
            *y = number(ex, "invert", 0, 0) ? mean[c] + *x * sd : (*x - mean[c]) / sd;
        }
}

/* ---- the examples ---------------------------------------------------------------- */

static const lam_arg steep_config[] = {NUMBERS("max_value", 1.5), NUMBERS("negative_slope", 0.1),
                                       NUMBERS("threshold", 0.25)};
static const lam_arg steep_relu[] = {STRING("type", "relu"),
                                     {"config", LAM_ARG_LIST, 3, NULL, NULL, steep_config}};

static const example examples[] = {
    {"dense", SHAPE(4), SHAPE(3), dense, {NUMBERS("units", 3)}},
    {"dense", SHAPE(1), SHAPE(1), dense, {NUMBERS("units", 1), NUMBERS("use_bias", 0)}},
    {"dense", SHAPE(37), SHAPE(19), dense, {NUMBERS("units", 19), STRING("activation", "relu")}},
    {"dense", SHAPE(5), SHAPE(17), dense, {NUMBERS("units", 17), STRING("activation", "gelu")}},
    {"dense", SHAPE(5), SHAPE(3), dense, {NUMBERS("units", 3), STRING("activation", "softmax")}},
    {"dense",
     SHAPE(2, 3, 4),
     SHAPE(2, 3, 5),
     dense,
     {NUMBERS("units", 5), STRING("activation", "tanh")}},
    {"dense",
     SHAPE(2, 4),
     SHAPE(2, 3),
     dense,
     {NUMBERS("units", 3), STRING("activation", "log_softmax"), NUMBERS("use_bias", 0)}},
    {"activation", SHAPE(7), SHAPE(7), activation, {STRING("activation", "tanh")}},
    {"activation", SHAPE(3, 5), SHAPE(3, 5), activation, {STRING("activation", "gelu")}},
    {"activation",
     SHAPE(33),
     SHAPE(33),
     activation,
     {{"activation", LAM_ARG_LIST, 2, NULL, NULL, steep_relu}}},
    {"activation", SHAPE(3, 5), SHAPE(3, 5), activation, {STRING("activation", "softmax")}},
    {"activation",
     SHAPE(3, 5),
     SHAPE(3, 5),
     activation,
     {STRING("activation", "softmax"), NUMBERS("axis", 2)}},
    {"activation",
     SHAPE(3, 4, 2),
     SHAPE(3, 4, 2),
     activation,
     {STRING("activation", "log_softmax"), NUMBERS("axis", -2)}},
    {"activation",
     SHAPE(3, 4, 2),
     SHAPE(3, 4, 2),
     activation,
     {STRING("activation", "softmax"), NUMBERS("axis", 4)}},
    {"parametric_relu",
     SHAPE(6),
     SHAPE(6),
     parametric_relu,
     {STRING("alpha_initializer", "zeros")}},
    {"parametric_relu",
     SHAPE(3, 2, 5),
     SHAPE(3, 2, 5),
     parametric_relu,
     {NUMBERS("shared_axes", 1, 2)}},
    {"parametric_relu",
     SHAPE(3, 2, 5),
     SHAPE(3, 2, 5),
     parametric_relu,
     {NUMBERS("shared_axes", 2)}},
    {"parametric_relu",
     SHAPE(3, 2, 5),
     SHAPE(3, 2, 5),
     parametric_relu,
     {NUMBERS("shared_axes", 1, 3)}},
    {"parametric_relu", SHAPE(4), SHAPE(4), parametric_relu, {NUMBERS("shared_axes", 1)}},
    {"dropout", SHAPE(29), SHAPE(29), dropout, {NUMBERS("rate", 0.4)}},
    {"dropout", SHAPE(5), SHAPE(5), dropout, {NUMBERS("rate", 0)}},
    {"dropout", SHAPE(5), SHAPE(5), dropout, {NUMBERS("rate", 0.5), NUMBERS("seed", 42)}},
    {"dropout",
     SHAPE(4, 3),
     SHAPE(4, 3),
     dropout,
     {NUMBERS("rate", 0.5), NUMBERS("noise_shape", NAN, 1, 3)}},
    {"dropout",
     SHAPE(4, 3),
     SHAPE(4, 3),
     dropout,
     {NUMBERS("rate", 0.5), NUMBERS("noise_shape", NAN, 4, 1)}},
    {"dropout",
     SHAPE(4, 3),
     SHAPE(4, 3),
     dropout,
     {NUMBERS("rate", 0.3), NUMBERS("noise_shape", 1, NAN, NAN)}},
    {"dropout",
     SHAPE(2, 4, 3),
     SHAPE(2, 4, 3),
     dropout,
     {NUMBERS("rate", 0.3), NUMBERS("noise_shape", 1, 2, 1, 3)}},
    {"alpha_dropout", SHAPE(29), SHAPE(29), alpha_dropout, {NUMBERS("rate", 0.4)}},
    {"alpha_dropout",
     SHAPE(4, 3),
     SHAPE(4, 3),
     alpha_dropout,
     {NUMBERS("rate", 0.2), NUMBERS("noise_shape", NAN, 1, 3), NUMBERS("seed", 3)}},
    {"gaussian_noise", SHAPE(4, 3), SHAPE(4, 3), gaussian_noise, {NUMBERS("stddev", 0.5)}},
    {"gaussian_noise",
     SHAPE(7),
     SHAPE(7),
     gaussian_noise,
     {NUMBERS("stddev", 2), NUMBERS("seed", 11)}},
    {"activity_regularization", SHAPE(3, 2), SHAPE(3, 2), same, {{0}}},
    {"flatten", SHAPE(3, 2, 4), SHAPE(24), same, {{0}}},
    {"flatten", SHAPE(5), SHAPE(5), same, {{0}}},
    {"reshape", SHAPE(12), SHAPE(3, 4), same, {NUMBERS("target_shape", 3, 4)}},
    {"reshape", SHAPE(3, 4), SHAPE(2, 3, 2), same, {NUMBERS("target_shape", 2, -1, 2)}},
    {"permute", SHAPE(5, 3), SHAPE(3, 5), permute, {NUMBERS("dims", 2, 1)}},
    {"permute", SHAPE(2, 3, 4), SHAPE(4, 2, 3), permute, {NUMBERS("dims", 3, 1, 2)}},
    {"permute", SHAPE(2, 3, 4), SHAPE(3, 2, 4), permute, {NUMBERS("dims", 2, 1, 3)}},
    {"permute", SHAPE(2, 3, 1, 4), SHAPE(4, 1, 3, 2), permute, {NUMBERS("dims", 4, 3, 2, 1)}},
    {"permute", SHAPE(4), SHAPE(4), permute, {NUMBERS("dims", 1)}},
    {"repeat_vector", SHAPE(3), SHAPE(4, 3), repeat_vector, {NUMBERS("n", 4)}},
    {"rescaling",
     SHAPE(3, 2),
     SHAPE(3, 2),
     rescaling,
     {NUMBERS("scale", 0.25), NUMBERS("offset", -1)}},
    {"rescaling",
     SHAPE(4, 3),
     SHAPE(4, 3),
     rescaling,
     {NUMBERS("scale", 1, 2, 3), NUMBERS("offset", 0.5, -1, 2)}},
    {"normalization", SHAPE(5), SHAPE(5), normalization, {NUMBERS("axis", -1)}},
    {"normalization",
     SHAPE(3, 4),
     SHAPE(3, 4),
     normalization,
     {NUMBERS("axis", -1), NUMBERS("invert", 1)}},
    {"normalization", SHAPE(3, 4), SHAPE(3, 4), normalization, {NUMBERS("axis", 2)}},
    {"normalization", SHAPE(3, 2, 4), SHAPE(3, 2, 4), normalization, {NUMBERS("axis", 2, 4)}},
    {"normalization", SHAPE(3, 4), SHAPE(3, 4), normalization, {{0}}},
};
LAYER_EXAMPLES(examples)

/* ---- refusals -------------------------------------------------------------------- */

static const refusal refusals[] = {
    {LAM_EARGUMENT, "units", {"dense", SHAPE(4), {0}, NULL, {NUMBERS("units", 0)}}},
    {LAM_EARGUMENT, "units", {"dense", SHAPE(4), {0}, NULL, {NUMBERS("units", 2.5)}}},
    {LAM_EARGUMENT, "", {"dense", SHAPE(4), {0}, NULL, {NUMBERS("use_bias", 1)}}},
    {LAM_EARGUMENT,
     "activation",
     {"dense", SHAPE(4), {0}, NULL, {NUMBERS("units", 2), STRING("activation", "rulu")}}},
    {LAM_ESHAPE, "", {"dense", {0}, {0}, NULL, {NUMBERS("units", 2)}}},
    {LAM_ESHAPE,
     "axis",
     {"activation", SHAPE(4), {0}, NULL, {STRING("activation", "softmax"), NUMBERS("axis", 1)}}},
    {LAM_ESHAPE,
     "axis",
     {"activation", SHAPE(4), {0}, NULL, {STRING("activation", "softmax"), NUMBERS("axis", -2)}}},
    {LAM_ESHAPE,
     "shared_axes",
     {"parametric_relu", SHAPE(4), {0}, NULL, {NUMBERS("shared_axes", 2)}}},
    {LAM_ESHAPE,
     "shared_axes",
     {"parametric_relu", SHAPE(4), {0}, NULL, {NUMBERS("shared_axes", 0)}}},
    {LAM_EARGUMENT, "rate", {"dropout", SHAPE(4), {0}, NULL, {NUMBERS("rate", 1.5)}}},
    {LAM_EARGUMENT, "rate", {"alpha_dropout", SHAPE(4), {0}, NULL, {NUMBERS("rate", 1)}}},
    {LAM_ESHAPE,
     "noise_shape",
     {"dropout", SHAPE(4), {0}, NULL, {NUMBERS("rate", 0.5), NUMBERS("noise_shape", 1)}}},
    {LAM_ESHAPE,
     "noise_shape",
     {"dropout", SHAPE(4), {0}, NULL, {NUMBERS("rate", 0.5), NUMBERS("noise_shape", 1, 2)}}},
    {LAM_EARGUMENT, "stddev", {"gaussian_noise", SHAPE(4), {0}, NULL, {NUMBERS("stddev", -1)}}},
    {LAM_ESHAPE,
     "target_shape",
     {"reshape", SHAPE(12), {0}, NULL, {NUMBERS("target_shape", 5, 2)}}},
    {LAM_ESHAPE,
     "target_shape",
     {"reshape", SHAPE(12), {0}, NULL, {NUMBERS("target_shape", 5, -1)}}},
    {LAM_ESHAPE,
     "target_shape",
     {"reshape", SHAPE(12), {0}, NULL, {NUMBERS("target_shape", 24, -1)}}},
    {LAM_EARGUMENT,
     "target_shape",
     {"reshape", SHAPE(12), {0}, NULL, {NUMBERS("target_shape", -1, -1)}}},
    {LAM_EARGUMENT,
     "target_shape",
     {"reshape", SHAPE(12), {0}, NULL, {NUMBERS("target_shape", 0, -1)}}},
    {LAM_EARGUMENT, "dims", {"permute", SHAPE(4, 3), {0}, NULL, {NUMBERS("dims", 1, 1)}}},
    {LAM_EARGUMENT, "dims", {"permute", SHAPE(4, 3), {0}, NULL, {NUMBERS("dims", 0, 1)}}},
    {LAM_ESHAPE, "", {"permute", SHAPE(4, 3, 2), {0}, NULL, {NUMBERS("dims", 2, 1)}}},
    {LAM_EARGUMENT, "n", {"repeat_vector", SHAPE(4), {0}, NULL, {NUMBERS("n", 0)}}},
    {LAM_ESHAPE, "", {"repeat_vector", SHAPE(4, 2), {0}, NULL, {NUMBERS("n", 2)}}},
    {LAM_ESHAPE, "scale", {"rescaling", SHAPE(4, 3), {0}, NULL, {NUMBERS("scale", 1, 2)}}},
    {LAM_ESHAPE,
     "offset",
     {"rescaling", SHAPE(4, 3), {0}, NULL, {NUMBERS("scale", 1), NUMBERS("offset", 1, 2)}}},
    {LAM_ESHAPE,
     "mean",
     {"normalization", SHAPE(4, 3), {0}, NULL, {NUMBERS("axis", -1), NUMBERS("mean", 1, 2)}}},
    {LAM_ESHAPE,
     "variance",
     {"normalization",
      SHAPE(4, 3),
      {0},
      NULL,
      {NUMBERS("axis", -1), NUMBERS("mean", 1), NUMBERS("variance", 1, 2, 3, 4)}}},
    {LAM_ESHAPE, "axis", {"normalization", SHAPE(4, 3), {0}, NULL, {NUMBERS("axis", 1)}}},
    {LAM_ESHAPE, "axis", {"normalization", SHAPE(4, 3), {0}, NULL, {NUMBERS("axis", -3)}}},
};
LAYER_REFUSALS(refusals)

/* ---- random layers --------------------------------------------------------------- */

static const example coin = {"dropout", SHAPE(1000), SHAPE(1000), dropout, {NUMBERS("rate", 0.3)}};
static const example bell = {
    "gaussian_noise", SHAPE(1000), SHAPE(1000), gaussian_noise, {NUMBERS("stddev", 0.5)}};
static const example self = {
    "alpha_dropout", SHAPE(1000), SHAPE(1000), alpha_dropout, {NUMBERS("rate", 0.25)}};

/* y of 100 rows of one example, in parts of `cut` rows. */
static float *in_parts(const example *ex, size_t cut, uint64_t seed, uint64_t step, const float *x)
{
    bench b;
    float *out = room(100 * 1000, sizeof(float));
    for (size_t row = 0; row < 100; row += cut) {
        if (!set_up(&b, ex, cut, true, false))
            return out;
        b.pass.seed = seed;
        b.pass.step = step;
        b.pass.first_row = row;
        b.pass.x = x + row * 1000;
        b.pass.y = out + row * 1000;
        b.layer.type->forward(&b.layer, &b.pass);
        tear_down(&b);
    }
    return out;
}

static bool equal(float *a, float *b)
{
    bool same_bits = memcmp(a, b, 100 * 1000 * sizeof(float)) == 0;
    free(a);
    free(b);
    return same_bits;
}

TEST(noise_does_not_depend_on_how_a_batch_is_cut)
{
    const example *random[] = {&coin, &bell, &self};
    float *x = room(100 * 1000, sizeof(float));
    unit_fill(x, 100 * 1000, 0.5, 1.5);
    for (int i = 0; i < 3; i++) {
        CHECK(equal(in_parts(random[i], 100, 1, 1, x), in_parts(random[i], 50, 1, 1, x)));
        CHECK(equal(in_parts(random[i], 100, 1, 1, x), in_parts(random[i], 4, 1, 1, x)));
        CHECK(!equal(in_parts(random[i], 100, 1, 1, x), in_parts(random[i], 100, 1, 2, x)));
        CHECK(!equal(in_parts(random[i], 100, 1, 1, x), in_parts(random[i], 100, 2, 1, x)));
        example seeded = *random[i];
        seeded.arg[1] = (lam_arg)NUMBERS("seed", 9);
        CHECK(equal(in_parts(&seeded, 100, 1, 1, x), in_parts(&seeded, 100, 2, 1, x)));
        CHECK(!equal(in_parts(&seeded, 100, 1, 1, x), in_parts(&seeded, 100, 1, 2, x)));
    }
    free(x);
}

static void moments(const float *y, double *mean, double *sd, double *zeros)
{
    const size_t n = 100 * 1000;
    double sum = 0, squares = 0, none = 0;
    for (size_t i = 0; i < n; i++) {
        sum += y[i];
        squares += (double)y[i] * y[i];
        none += y[i] == 0;
    }
    *mean = sum / (double)n;
    *sd = sqrt(squares / (double)n - *mean * *mean);
    *zeros = none / (double)n;
}

/* Bounds of five standard errors at n = 100,000. */
TEST(noise_has_the_distribution_it_claims)
{
    double mean, sd, zeros;
    float *x = room(100 * 1000, sizeof(float));
    for (size_t i = 0; i < 100 * 1000; i++)
        x[i] = 1;
    float *y = in_parts(&coin, 100, 77, 0, x);
    moments(y, &mean, &sd, &zeros);
    CHECK_NEAR(zeros, 0.3, 5 * sqrt(0.3 * 0.7 / 1e5));
    CHECK_NEAR(mean, 1, 5 * sqrt(0.3 / 0.7 / 1e5));
    free(y);

    y = in_parts(&bell, 100, 77, 0, x);
    moments(y, &mean, &sd, &zeros);
    CHECK_NEAR(mean, 1, 5 * 0.5 / sqrt(1e5));
    CHECK_NEAR(sd, 0.5, 5 * 0.5 / sqrt(2e5));
    free(y);

    lam_rng rng = {.seed = 5, .stream = 3};
    for (size_t i = 0; i < 100 * 1000; i++)
        x[i] = (float)lam_random_normal(&rng, i);
    y = in_parts(&self, 100, 77, 0, x);
    moments(y, &mean, &sd, &zeros);
    CHECK_NEAR(mean, 0, 5 / sqrt(1e5));
    CHECK_NEAR(sd, 1, 5 * sqrt(1.0 / 1e5));
    free(y);
    free(x);
}

static const example all[] = {
    {"dropout", SHAPE(9), SHAPE(9), dropout, {NUMBERS("rate", 1)}},
    {"dropout", SHAPE(9), SHAPE(9), dropout, {NUMBERS("rate", 1), NUMBERS("noise_shape", NAN, 9)}},
};

TEST(dropout_of_everything_gives_zeros)
{
    for (int k = 0; k < 2; k++) {
        bench b;
        if (!set_up(&b, &all[k], 2, true, false))
            return;
        b.pass.x = b.x;
        b.pass.y = b.y;
        b.pass.dx = b.dx;
        b.pass.dy = b.dy;
        b.layer.type->forward(&b.layer, &b.pass);
        b.layer.type->backward(&b.layer, &b.pass);
        for (size_t i = 0; i < b.n_x; i++)
            CHECK(b.y[i] == 0 && b.dx[i] == 0);
        tear_down(&b);
    }
}

/* ---- weights --------------------------------------------------------------------- */

static const named_weight weights[] = {
    {0, "kernel", SHAPE(4, 3), true, {"dense", SHAPE(7, 4), {0}, NULL, {NUMBERS("units", 3)}}},
    {1, "bias", SHAPE(3), true, {"dense", SHAPE(7, 4), {0}, NULL, {NUMBERS("units", 3)}}},
    {0,
     "alpha",
     SHAPE(1, 1, 5),
     true,
     {"parametric_relu", SHAPE(3, 2, 5), {0}, NULL, {NUMBERS("shared_axes", 1, 2)}}},
    {0, "mean", SHAPE(5), false, {"normalization", SHAPE(3, 5), {0}, NULL, {NUMBERS("axis", -1)}}},
    {1,
     "variance",
     SHAPE(3, 5),
     false,
     {"normalization", SHAPE(3, 2, 5), {0}, NULL, {NUMBERS("axis", 2, 4)}}},
    {1, "variance", {0}, false, {"normalization", SHAPE(3, 2, 5), {0}, NULL, {{0}}}},
};
LAYER_WEIGHTS(weights)
