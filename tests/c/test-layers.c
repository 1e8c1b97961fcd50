/* Every layer type against a double-precision reading of its definition, and its gradients against
 * central differences of that reading.  A listed type without an example fails. */
#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "kernels/cpu.h"
#include "nn/layer.h"
#include "unit.h"

typedef struct example example;
/* y of a whole pass in double precision; w is laid out as pass->weights. */
typedef void (*reference_fn)(const example *ex, const lam_layer *layer, const lam_pass *pass,
                             const double *x, const double *w, double *y);

struct example {
    const char *type;
    lam_shape in, out;
    reference_fn reference;
    lam_arg arg[6]; /* ended by a NULL name */
};

#define NUMBERS(name, ...)                                                                         \
    {                                                                                              \
        name, LAM_ARG_NUMBERS, sizeof((const double[]){__VA_ARGS__}) / sizeof(double),             \
            (const double[]){__VA_ARGS__}, NULL, NULL                                              \
    }
#define STRING(name, value)                                                                        \
    {                                                                                              \
        name, LAM_ARG_STRINGS, 1, NULL, (const char *const[]){value}, NULL                         \
    }
#define SHAPE(...)                                                                                 \
    {                                                                                              \
        sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t),                                    \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static lam_args args_of(const example *ex)
{
    lam_args args = {0, ex->arg};
    while (args.n < 6 && ex->arg[args.n].name)
        args.n++;
    return args;
}

static double number(const example *ex, const char *name, size_t i, double otherwise)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, name);
    return arg && i < arg->n ? arg->numbers[i] : otherwise;
}

static size_t length(const example *ex, const char *name)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, name);
    return arg ? arg->n : 0;
}

/* The index of element i along each dimension. */
static void unravel(const lam_shape *shape, size_t i, size_t *index)
{
    for (int d = shape->rank - 1; d >= 0; d--) {
        index[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
}

static size_t ravel(const lam_shape *shape, const size_t *index)
{
    size_t at = 0;
    for (int d = 0; d < shape->rank; d++)
        at = at * shape->dim[d] + index[d];
    return at;
}

/* Where an array whose dimensions are the sample's or 1 holds the value for element i. */
static size_t broadcast(const lam_shape *sample, const lam_shape *small, size_t i)
{
    size_t index[LAM_MAX_RANK];
    unravel(sample, i, index);
    for (int d = 0; d < sample->rank; d++)
        if (small->dim[d] == 1)
            index[d] = 0;
    return ravel(small, index);
}

/* ---- the definitions ------------------------------------------------------------- */

static double elementwise(const char *name, double x)
{
    if (strcmp(name, "relu") == 0)
        return x > 0 ? x : 0;
    if (strcmp(name, "steep_relu") == 0) /* relu with the parameters of the examples below */
        return x >= 1.5 ? 1.5 : x >= 0.25 ? x : 0.1 * (x - 0.25);
    if (strcmp(name, "gelu") == 0)
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    if (strcmp(name, "tanh") == 0)
        return tanh(x);
    return x;
}

static void group(const char *name, size_t n, size_t stride, const double *x, double *y)
{
    double top = -INFINITY, sum = 0;
    if (strcmp(name, "softmax") != 0 && strcmp(name, "log_softmax") != 0) {
        for (size_t i = 0; i < n; i++)
            y[i * stride] = elementwise(name, x[i * stride]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        top = fmax(top, x[i * stride]);
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i * stride] - top);
    for (size_t i = 0; i < n; i++) {
        double log_p = x[i * stride] - top - log(sum);
        y[i * stride] = strcmp(name, "softmax") == 0 ? exp(log_p) : log_p;
    }
}

static const char *activation_of(const example *ex, const lam_pass *pass)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, "activation");
    if (!arg || pass->linear)
        return "linear";
    return arg->kind == LAM_ARG_STRINGS ? arg->strings[0] : "steep_relu";
}

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
enum { EXAMPLES = sizeof examples / sizeof examples[0] };

/* ---- one example at work --------------------------------------------------------- */

enum { GAP = 3 }; /* floats between weights, which nobody may touch */

typedef struct bench {
    const example *ex;
    lam_layer layer;
    lam_pass pass;
    size_t n_x, n_y, n_w;
    float *x, *y, *dy, *dx, *weights, *grads;
    double *x_d, *w_d, *y_d, *want_dx, *want_dw;
} bench;

static void *room(size_t n, size_t size)
{
    return malloc(n * size + (n * size == 0));
}

/* Random numbers that stay off the corners at 0, 0.25 and 1.5. */
static void fill_smooth(float *x, size_t n)
{
    unit_fill(x, n, -2, 2);
    for (size_t i = 0; i < n; i++)
        if (fabsf(x[i]) < 0.02f || fabsf(x[i] - 0.25f) < 0.02f || fabsf(x[i] - 1.5f) < 0.02f)
            x[i] += 0.05f;
}

static bool set_up(bench *b, const example *ex, size_t rows, bool training, bool linear)
{
    lam_error err = {0};
    lam_args args = args_of(ex);
    memset(b, 0, sizeof *b);
    b->ex = ex;
    if (lam_layer_init(&b->layer, lam_layer_type_find(ex->type), &args, &err) != LAM_OK ||
        lam_layer_build(&b->layer, &ex->in, &err) != LAM_OK) {
        unit_fail(__FILE__, __LINE__, "%s: %s", ex->type, err.message);
        lam_layer_free(&b->layer);
        return false;
    }
    lam_layer *layer = &b->layer;
    layer->index = 2;
    b->n_w = GAP;
    for (int i = 0; i < layer->n_weights; i++) {
        layer->weight[i].offset = b->n_w;
        b->n_w += layer->weight[i].count + GAP;
    }
    b->n_x = rows * layer->in_count;
    b->n_y = rows * layer->out_count;
    b->x = room(b->n_x, sizeof(float));
    b->dx = room(b->n_x, sizeof(float));
    b->y = room(b->n_y, sizeof(float));
    b->dy = room(b->n_y, sizeof(float));
    b->weights = room(b->n_w, sizeof(float));
    b->grads = room(b->n_w, sizeof(float));
    b->x_d = room(b->n_x, sizeof(double));
    b->want_dx = room(b->n_x, sizeof(double));
    b->w_d = room(b->n_w, sizeof(double));
    b->want_dw = room(b->n_w, sizeof(double));
    b->y_d = room(b->n_y, sizeof(double));
    b->pass = (lam_pass){.rows = rows,
                         .weights = b->weights,
                         .training = training,
                         .linear = linear,
                         .seed = 1234567,
                         .step = 5,
                         .first_row = 3};
    b->pass.cache = room(layer->cache_row * rows + layer->cache_fixed, 1);
    b->pass.scratch = room(layer->scratch_row * rows + layer->scratch_fixed, 1);

    fill_smooth(b->x, b->n_x);
    unit_fill(b->dy, b->n_y, -1, 1);
    unit_fill(b->weights, b->n_w, -0.7, 0.7);
    for (int i = 0; i < layer->n_weights; i++)
        if (strcmp(layer->weight[i].name, "variance") == 0)
            unit_fill(b->weights + layer->weight[i].offset, layer->weight[i].count, 0.5, 2);
    for (size_t i = 0; i < b->n_x; i++)
        b->x_d[i] = b->x[i];
    for (size_t i = 0; i < b->n_w; i++)
        b->w_d[i] = b->weights[i];
    return true;
}

static void tear_down(bench *b)
{
    lam_layer_free(&b->layer);
    void *blocks[] = {b->x,       b->dx,  b->y,       b->dy,  b->weights,    b->grads,       b->x_d,
                      b->want_dx, b->w_d, b->want_dw, b->y_d, b->pass.cache, b->pass.scratch};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
}

/* sum(dy * y) by the definition */
static double projection(bench *b)
{
    b->ex->reference(b->ex, &b->layer, &b->pass, b->x_d, b->w_d, b->y_d);
    double sum = 0;
    for (size_t i = 0; i < b->n_y; i++)
        sum += b->y_d[i] * b->dy[i];
    return sum;
}

static double slope(bench *b, double *at)
{
    const double h = 1e-5;
    double keep = *at;
    *at = keep + h;
    double up = projection(b);
    *at = keep - h;
    double down = projection(b);
    *at = keep;
    return (up - down) / (2 * h);
}

static void differences(bench *b)
{
    for (size_t i = 0; i < b->n_x; i++)
        b->want_dx[i] = slope(b, &b->x_d[i]);
    memset(b->want_dw, 0, b->n_w * sizeof(double));
    for (int w = 0; w < b->layer.n_weights; w++)
        for (size_t i = 0; i < b->layer.weight[w].count; i++)
            b->want_dw[b->layer.weight[w].offset + i] =
                slope(b, &b->w_d[b->layer.weight[w].offset + i]);
    projection(b);
}

static void poison(void *at, size_t bytes)
{
    memset(at, 0xff, bytes); /* NaN as float and as double */
}

static void poison_scratch(bench *b)
{
    poison(b->pass.scratch, b->layer.scratch_row * b->pass.rows + b->layer.scratch_fixed);
}

static void check_numbers(const bench *b, const char *what, const float *got, const double *want,
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-5 * fmax(1, fabs(want[i])))) {
            unit_fail(__FILE__, __LINE__,
                      "%s (example %d, %zu rows, tier %s): %s[%zu] is %.9g, not %.9g", b->ex->type,
                      (int)(b->ex - examples), b->pass.rows, lam_tier_name(lam_tier()), what, i,
                      (double)got[i], want[i]);
            return;
        }
}

static void run_forward(bench *b, bool in_place)
{
    b->pass.x = b->x;
    b->pass.y = in_place ? b->x : b->y;
    poison_scratch(b);
    poison(b->pass.cache, b->layer.cache_row * b->pass.rows + b->layer.cache_fixed);
    b->layer.type->forward(&b->layer, &b->pass);
    check_numbers(b, in_place ? "y in place" : "y", b->pass.y, b->y_d, b->n_y);
}

static bool is_trained(const bench *b, size_t at)
{
    for (int w = 0; w < b->layer.n_weights; w++) {
        const lam_weight *weight = &b->layer.weight[w];
        if (at >= weight->offset && at < weight->offset + weight->count)
            return weight->trainable && b->layer.trainable;
    }
    return false;
}

/* Gradients of trained weights are want (plus what was there, with add), all else is untouched. */
static void run_backward(bench *b, float *dx, float *grads, bool add)
{
    const float before = 0.5f;
    for (size_t i = 0; i < b->n_w; i++)
        b->grads[i] = before;
    b->pass.dy = dx == b->dy ? b->dy : b->pass.dy;
    b->pass.dx = dx;
    b->pass.grads = grads;
    b->pass.add = add;
    poison_scratch(b);
    b->layer.type->backward(&b->layer, &b->pass);
    if (dx)
        check_numbers(b, "dx", dx, b->want_dx, b->n_x);
    for (size_t i = 0; i < b->n_w; i++)
        if (grads && is_trained(b, i)) {
            double got = b->grads[i] - (add ? before : 0);
            CHECK_NEAR(got, b->want_dw[i], 1e-5);
        } else {
            CHECK(b->grads[i] == before);
        }
}

static void check_backward(bench *b)
{
    unsigned flags = b->layer.flags;
    if (!(flags & LAM_LAYER_NEEDS_X) && b->pass.y != b->x)
        poison(b->x, b->n_x * sizeof(float));
    if (!(flags & LAM_LAYER_NEEDS_Y))
        poison((float *)b->pass.y, b->n_y * sizeof(float));
    b->pass.dy = b->dy;
    run_backward(b, b->dx, b->grads, false);
    run_backward(b, b->dx, b->grads, true);
    run_backward(b, NULL, b->grads, false);
    run_backward(b, b->dx, NULL, false);
    b->layer.trainable = false;
    run_backward(b, b->dx, b->grads, false);
    b->layer.trainable = true;
    if (flags & LAM_LAYER_INPLACE)
        run_backward(b, b->dy, b->grads, false);
}

static void check_example(const example *ex, size_t rows, bool training, bool linear)
{
    bench b;
    if (!set_up(&b, ex, rows, training, linear))
        return;
    if (!linear || (b.layer.type->closing && b.layer.type->closing(&b.layer))) {
        CHECK(lam_shape_equal(&b.layer.out, &ex->out));
        differences(&b);
        run_forward(&b, false);
        check_backward(&b);
    }
    tear_down(&b);
    if (!set_up(&b, ex, rows, training, false))
        return;
    if ((b.layer.flags & LAM_LAYER_INPLACE) && !(b.layer.flags & LAM_LAYER_NEEDS_X)) {
        differences(&b);
        run_forward(&b, true);
        check_backward(&b);
    }
    tear_down(&b);
}

TEST(every_layer_keeps_its_definition_and_its_gradients)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    CHECK_OK(lam_threads_set(1, &err));
    for (int tier = 0; tier <= (int)best; tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        for (size_t rows = 1; rows <= 8; rows += rows == 1 ? 2 : 5)
            for (int i = 0; i < EXAMPLES; i++)
                for (int mode = 0; mode < 4; mode++)
                    check_example(&examples[i], rows, mode & 1, mode & 2);
    }
    lam_threads_stop();
}

TEST(every_layer_type_has_an_example)
{
    for (size_t t = 0; lam_layer_types[t]; t++) {
        bool found = false;
        for (int i = 0; i < EXAMPLES; i++)
            found |= strcmp(examples[i].type, lam_layer_types[t]->name) == 0;
        if (!found)
            unit_fail(__FILE__, __LINE__, "layer type %s has no example", lam_layer_types[t]->name);
    }
}

TEST(no_layer_takes_an_argument_it_does_not_have)
{
    for (int i = 0; i < EXAMPLES; i++) {
        lam_layer layer;
        lam_error err = {0};
        example odd = examples[i];
        lam_args args = args_of(&odd);
        odd.arg[args.n] = (lam_arg)NUMBERS("nonsense", 1);
        args = args_of(&odd);
        CHECK_INT(lam_layer_init(&layer, lam_layer_type_find(odd.type), &args, &err),
                  LAM_EARGUMENT);
        CHECK(strcmp(err.arg, "nonsense") == 0);
    }
}

TEST(layers_survive_every_failing_allocation)
{
    for (int i = 0; i < EXAMPLES; i++) {
        long live = lam_alloc_live();
        bool done = false;
        for (long n = 1; !done && n < 50; n++) {
            lam_layer layer;
            lam_error err = {0};
            lam_args args = args_of(&examples[i]);
            lam_alloc_fail_at(n);
            lam_status status =
                lam_layer_init(&layer, lam_layer_type_find(examples[i].type), &args, &err);
            if (status == LAM_OK) {
                status = lam_layer_build(&layer, &examples[i].in, &err);
                lam_layer_free(&layer);
            }
            done = status == LAM_OK;
            CHECK(done || status == LAM_EMEMORY);
        }
        lam_alloc_fail_at(0);
        CHECK(done);
        CHECK_INT(lam_alloc_live(), live);
    }
}

/* ---- refusals -------------------------------------------------------------------- */

static const struct {
    lam_status status;
    const char *arg;
    example ex;
} refusals[] = {
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

TEST(layers_refuse_what_they_cannot_do)
{
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        lam_layer layer;
        lam_error err = {0};
        lam_args args = args_of(&refusals[i].ex);
        lam_status status =
            lam_layer_init(&layer, lam_layer_type_find(refusals[i].ex.type), &args, &err);
        if (status == LAM_OK) {
            status = lam_layer_build(&layer, &refusals[i].ex.in, &err);
            lam_layer_free(&layer);
        }
        if (status != refusals[i].status || strcmp(err.arg, refusals[i].arg) != 0)
            unit_fail(__FILE__, __LINE__, "refusal %zu (%s): status %s, argument \"%s\": %s", i,
                      refusals[i].ex.type, lam_status_name(status), err.arg, err.message);
    }
    CHECK_INT(lam_alloc_live(), 0);
}

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

static const struct {
    int weight;
    const char *name;
    lam_shape shape;
    example ex;
} named[] = {
    {0, "kernel", SHAPE(4, 3), {"dense", SHAPE(7, 4), {0}, NULL, {NUMBERS("units", 3)}}},
    {1, "bias", SHAPE(3), {"dense", SHAPE(7, 4), {0}, NULL, {NUMBERS("units", 3)}}},
    {0,
     "alpha",
     SHAPE(1, 1, 5),
     {"parametric_relu", SHAPE(3, 2, 5), {0}, NULL, {NUMBERS("shared_axes", 1, 2)}}},
    {0, "mean", SHAPE(5), {"normalization", SHAPE(3, 5), {0}, NULL, {NUMBERS("axis", -1)}}},
    {1,
     "variance",
     SHAPE(3, 5),
     {"normalization", SHAPE(3, 2, 5), {0}, NULL, {NUMBERS("axis", 2, 4)}}},
    {1, "variance", {0}, {"normalization", SHAPE(3, 2, 5), {0}, NULL, {{0}}}},
};

TEST(weights_have_keras_names_and_shapes)
{
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        bench b;
        if (!set_up(&b, &named[i].ex, 1, false, false))
            return;
        const lam_weight *w = &b.layer.weight[named[i].weight];
        CHECK(strcmp(w->name, named[i].name) == 0);
        CHECK(lam_shape_equal(&w->shape, &named[i].shape));
        CHECK(w->trainable == (strcmp(named[i].ex.type, "normalization") != 0));
        tear_down(&b);
    }
}
