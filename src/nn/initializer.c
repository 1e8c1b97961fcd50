/* How weights start.  List: initializers.def.
 *
 * Variance scaling draws with variance scale / n, where n is the fan in, the fan out or their mean:
 *   lecun   1 / fan_in                   LeCun, Bottou, Orr, Mueller, "Efficient BackProp", 1998
 *   glorot  2 / (fan_in + fan_out)       Glorot and Bengio, AISTATS 2010
 *   he      2 / fan_in                   He, Zhang, Ren, Sun, ICCV 2015
 * Orthogonal: Saxe, McClelland, Ganguli, ICLR 2014.
 *
 * Element i of a weight is a function of the generator and of i alone. */
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "nn/weights.h"
#include "kernels/convert.h"

/* The standard deviation of a standard normal cut off at -2 and 2. */
#define TRUNCATED_SD 0.87962566103423978

static const char *const names[LAM_INIT_COUNT] = {
#define LAM_INITIALIZER(name) #name,
#include "nn/initializers.def"
#undef LAM_INITIALIZER
};

const char *const lam_initializer_aliases[] = {
    "zero", "zeros", "one", "ones", "eye", "identity", "identity_initializer", "identity",
    "orthogonal_initializer", "orthogonal", "uniform", "random_uniform",
    "normal", "random_normal", NULL};

const char *lam_initializer_name(lam_initializer_id id)
{
    return names[id];
}

/* "GlorotUniform" becomes "glorot_uniform". */
static void snake_case(const char *from, char *to, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; from[i] && n + 2 < size; i++) {
        if (i > 0 && isupper((unsigned char)from[i]) && !isupper((unsigned char)from[i - 1]))
            to[n++] = '_';
        to[n++] = (char)tolower((unsigned char)from[i]);
    }
    to[n] = '\0';
}

static lam_initializer_id find(const char *type)
{
    char name[64];
    snake_case(type, name, sizeof name);
    const char *canonical = name;
    for (size_t i = 0; lam_initializer_aliases[i]; i += 2)
        if (strcmp(lam_initializer_aliases[i], name) == 0)
            canonical = lam_initializer_aliases[i + 1];
    int id = 0;
    while (id < LAM_INIT_COUNT && strcmp(names[id], canonical) != 0)
        id++;
    return (lam_initializer_id)id;
}

/* ---- arguments ------------------------------------------------------------------------------- */

enum { FAN_IN, FAN_OUT, FAN_AVG };
static const char *const modes[] = {"fan_in", "fan_out", "fan_avg", NULL};

/* "normal" is Keras' older name of the truncated one. */
enum { TRUNCATED, UNTRUNCATED, UNIFORM, OLD_NORMAL };
static const char *const distributions[] = {"truncated_normal", "untruncated_normal", "uniform", "normal", NULL};

typedef struct arguments {
    double par[4];
    int mode, distribution;
    double seed;
} arguments;

#define PAR(text, i, low) \
    {.name = text, .kind = LAM_FIELD_DOUBLE, .offset = offsetof(arguments, par) + (i) * sizeof(double), .min = low, .max = INFINITY}

static const lam_field field_value = PAR("value", 0, -INFINITY);
static const lam_field field_gain = PAR("gain", 0, -INFINITY);
static const lam_field field_mean = PAR("mean", 0, -INFINITY);
static const lam_field field_stddev = PAR("stddev", 1, 0);
static const lam_field field_minval = PAR("minval", 0, -INFINITY);
static const lam_field field_maxval = PAR("maxval", 1, -INFINITY);
static const lam_field field_scale = PAR("scale", 0, 0);
static const lam_field field_mode = {.name = "mode", .kind = LAM_FIELD_CHOICE, .offset = offsetof(arguments, mode), .choices = modes};
static const lam_field field_distribution = {.name = "distribution", .kind = LAM_FIELD_CHOICE, .offset = offsetof(arguments, distribution), .choices = distributions};
static const lam_field field_seed = {.name = "seed", .kind = LAM_FIELD_DOUBLE, .offset = offsetof(arguments, seed), .min = -0x1p53, .max = 0x1p53};

/* The fields of a type, and its defaults. */
static size_t fields_of(lam_initializer_id id, lam_field *fields, arguments *a)
{
    size_t n = 0;
    switch (id) {
    case LAM_INIT_zeros:
    case LAM_INIT_ones:
        return 0;
    case LAM_INIT_constant:
        fields[n++] = field_value;
        return n;
    case LAM_INIT_identity:
        fields[n++] = field_gain;
        a->par[0] = 1;
        return n;
    case LAM_INIT_random_normal:
    case LAM_INIT_truncated_normal:
        fields[n++] = field_mean;
        fields[n++] = field_stddev;
        a->par[1] = 0.05;
        break;
    case LAM_INIT_random_uniform:
        fields[n++] = field_minval;
        fields[n++] = field_maxval;
        a->par[0] = -0.05;
        a->par[1] = 0.05;
        break;
    case LAM_INIT_orthogonal:
        fields[n++] = field_gain;
        a->par[0] = 1;
        break;
    case LAM_INIT_variance_scaling:
        fields[n++] = field_scale;
        fields[n++] = field_mode;
        fields[n++] = field_distribution;
        a->par[0] = 1;
        break;
    default:
        break;
    }
    fields[n++] = field_seed;
    return n;
}

static lam_status check(lam_initializer_id id, const arguments *a, lam_error *err)
{
    for (int i = 0; i < 4; i++)
        if (!isfinite(a->par[i]))
            return lam_fail(err, LAM_EARGUMENT, "The arguments of initializer %s must be finite.", names[id]);
    if (a->seed != floor(a->seed))
        return lam_fail_arg(err, LAM_EARGUMENT, "seed", "a whole number", "%g", a->seed);
    if (id == LAM_INIT_random_uniform && a->par[1] < a->par[0])
        return lam_fail_arg(err, LAM_EARGUMENT, "maxval", "at least `minval`", "%g", a->par[1]);
    if (id == LAM_INIT_variance_scaling && a->par[0] <= 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "scale", "a number above 0", "%g", a->par[0]);
    return LAM_OK;
}

lam_status lam_initializer_read(const lam_spec *spec, lam_initializer *init, lam_error *err)
{
    lam_field fields[8];
    arguments a = {0};
    lam_initializer_id id = find(spec->type);
    if (id == LAM_INIT_COUNT)
        return lam_fail_arg(err, LAM_EARGUMENT, "initializer", "the name of an initializer", "\"%s\"", spec->type);
    size_t n = fields_of(id, fields, &a);
    LAM_TRY(lam_args_read(&spec->config, fields, n, &a, names[id], err));
    LAM_TRY(check(id, &a, err));
    *init = (lam_initializer){.id = id, .par = {a.par[0], a.par[1]}};
    if (id == LAM_INIT_variance_scaling) {
        init->par[1] = a.mode;
        init->par[2] = a.distribution == OLD_NORMAL ? TRUNCATED : a.distribution;
    }
    init->has_seed = lam_args_get(&spec->config, "seed") != NULL;
    init->seed = a.seed;
    return LAM_OK;
}

/* ---- drawing --------------------------------------------------------------------------------- */

typedef enum { DRAW_CONSTANT, DRAW_UNIFORM, DRAW_NORMAL, DRAW_TRUNCATED } draw_kind;

typedef struct draw {
    draw_kind kind;
    double a, b; /* value | low, high | mean, sd | mean, sd */
    const lam_rng *rng;
    size_t n;
    float *out;
} draw;

static double draw_one(const draw *d, size_t i)
{
    switch (d->kind) {
    case DRAW_UNIFORM:
        return d->a + (d->b - d->a) * (double)lam_random_uniform(d->rng, i);
    case DRAW_NORMAL:
        return d->a + d->b * lam_random_normal(d->rng, i);
    case DRAW_TRUNCATED:
        return d->a + d->b * lam_random_truncated_normal(d->rng, i);
    default:
        return d->a;
    }
}

enum { DRAW_TASK = 4096 };

static void draw_task(void *arg, size_t task, int worker)
{
    const draw *d = arg;
    (void)worker;
    size_t end = (task + 1) * DRAW_TASK < d->n ? (task + 1) * DRAW_TASK : d->n;
    for (size_t i = task * DRAW_TASK; i < end; i++)
        d->out[i] = (float)draw_one(d, i);
}

static void draw_all(draw *d)
{
    lam_parallel((d->n + DRAW_TASK - 1) / DRAW_TASK, draw_task, d);
}

static void fans(const lam_shape *shape, double *in, double *out)
{
    int rank = shape->rank;
    *in = *out = 1;
    if (rank == 1)
        *in = *out = (double)shape->dim[0];
    if (rank < 2)
        return;
    double receptive = 1;
    for (int i = 0; i < rank - 2; i++)
        receptive *= (double)shape->dim[i];
    *in = receptive * (double)shape->dim[rank - 2];
    *out = receptive * (double)shape->dim[rank - 1];
}

static void scaled_draw(draw *d, const lam_shape *shape, double scale, int mode, int distribution)
{
    double in, out;
    fans(shape, &in, &out);
    double fan = mode == FAN_IN ? in : mode == FAN_OUT ? out : (in + out) / 2;
    double variance = scale / fmax(1, fan);
    if (distribution == UNIFORM) {
        d->kind = DRAW_UNIFORM;
        d->b = sqrt(3 * variance);
        d->a = -d->b;
    } else {
        d->kind = distribution == TRUNCATED ? DRAW_TRUNCATED : DRAW_NORMAL;
        d->b = sqrt(variance) / (distribution == TRUNCATED ? TRUNCATED_SD : 1);
    }
}

/* ---- orthogonal ------------------------------------------------------------------------------ */

typedef struct projection {
    size_t length, done, n;
    double *columns; /* one after the other */
} projection;

/* Eight sums, so that additions need not wait for each other. */
static double dot(size_t n, const double *x, const double *y)
{
    double s[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int j = 0; j < 8; j++)
            s[j] += x[i + j] * y[i + j];
    for (; i < n; i++)
        s[0] += x[i] * y[i];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

enum { PROJECT_TASK = 16 };

/* Takes the finished column out of some of those behind it. */
static void project_task(void *arg, size_t task, int worker)
{
    const projection *p = arg;
    (void)worker;
    const double *q = p->columns + p->done * p->length;
    size_t from = p->done + 1 + task * PROJECT_TASK;
    size_t end = from + PROJECT_TASK < p->n ? from + PROJECT_TASK : p->n;
    for (size_t k = from; k < end; k++) {
        double *x = p->columns + k * p->length;
        double along = dot(p->length, q, x);
        for (size_t i = 0; i < p->length; i++)
            x[i] -= along * q[i];
    }
}

/* The Q of A = QR with a positive diagonal of R, by modified Gram-Schmidt.  Its columns are
 * orthogonal to about cond(A) * 1e-16; a Gaussian matrix has cond(A) around its size. */
static void orthonormalise(size_t length, size_t n, double *columns)
{
    for (size_t j = 0; j < n; j++) {
        double *x = columns + j * length;
        double norm = sqrt(dot(length, x, x));
        for (size_t i = 0; i < length; i++)
            x[i] /= norm;
        projection p = {length, j, n, columns};
        lam_parallel((n - j - 1 + PROJECT_TASK - 1) / PROJECT_TASK, project_task, &p);
    }
}

/* The weight is flattened to (all but the last) x last; the longer side holds the columns. */
static lam_status fill_orthogonal(double gain, const lam_shape *shape, const lam_rng *rng,
                                  float *out, lam_error *err)
{
    if (shape->rank < 2)
        return lam_fail(err, LAM_ESHAPE, "An orthogonal initializer needs a weight of at least two dimensions.");
    size_t cols = lam_shape_last(shape);
    size_t rows = cols ? lam_shape_count(shape) / cols : 0;
    size_t length = rows > cols ? rows : cols, n = rows > cols ? cols : rows;
    void *memory = NULL;
    LAM_TRY(lam_new(&memory, lam_mul(length, n), sizeof(double), "an orthogonal weight", err));
    double *columns = memory;
    for (size_t i = 0; i < length; i++)
        for (size_t j = 0; j < n; j++)
            columns[j * length + i] = lam_random_normal(rng, i * n + j);
    orthonormalise(length, n, columns);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            out[i * cols + j] = (float)(gain * (rows >= cols ? columns[j * length + i] : columns[i * length + j]));
    lam_free(memory);
    return LAM_OK;
}

static lam_status fill_identity(double gain, const lam_shape *shape, float *out, lam_error *err)
{
    if (shape->rank != 2)
        return lam_fail(err, LAM_ESHAPE, "An identity initializer needs a weight of two dimensions.");
    for (size_t i = 0; i < shape->dim[0]; i++)
        for (size_t j = 0; j < shape->dim[1]; j++)
            out[i * shape->dim[1] + j] = i == j ? (float)gain : 0.0f;
    return LAM_OK;
}

static lam_status fill(const lam_initializer *init, const lam_shape *shape, const lam_rng *rng,
                       float *out, lam_error *err)
{
    const double *par = init->par;
    lam_rng own = {.seed = (uint64_t)(int64_t)init->seed, .stream = LAM_STREAM_INITIALIZER};
    if (init->has_seed)
        rng = &own;
    draw d = {.kind = DRAW_CONSTANT, .rng = rng, .n = lam_shape_count(shape), .out = out};
    switch (init->id) {
    case LAM_INIT_zeros:
        break;
    case LAM_INIT_ones:
        d.a = 1;
        break;
    case LAM_INIT_constant:
        if (init->n_values > 1) {
            lam_from_doubles(init->values, 0, shape->dim[0], shape->rank, shape->dim, out);
            return LAM_OK;
        }
        d.a = par[0];
        break;
    case LAM_INIT_identity:
        return fill_identity(par[0], shape, out, err);
    case LAM_INIT_random_normal:
        d.kind = DRAW_NORMAL, d.a = par[0], d.b = par[1];
        break;
    case LAM_INIT_truncated_normal:
        d.kind = DRAW_TRUNCATED, d.a = par[0], d.b = par[1];
        break;
    case LAM_INIT_random_uniform:
        d.kind = DRAW_UNIFORM, d.a = par[0], d.b = par[1];
        break;
    case LAM_INIT_variance_scaling:
        scaled_draw(&d, shape, par[0], (int)par[1], (int)par[2]);
        break;
    case LAM_INIT_glorot_normal:
        scaled_draw(&d, shape, 1, FAN_AVG, TRUNCATED);
        break;
    case LAM_INIT_glorot_uniform:
        scaled_draw(&d, shape, 1, FAN_AVG, UNIFORM);
        break;
    case LAM_INIT_he_normal:
        scaled_draw(&d, shape, 2, FAN_IN, TRUNCATED);
        break;
    case LAM_INIT_he_uniform:
        scaled_draw(&d, shape, 2, FAN_IN, UNIFORM);
        break;
    case LAM_INIT_lecun_normal:
        scaled_draw(&d, shape, 1, FAN_IN, TRUNCATED);
        break;
    case LAM_INIT_lecun_uniform:
        scaled_draw(&d, shape, 1, FAN_IN, UNIFORM);
        break;
    default:
        return fill_orthogonal(par[0], shape, rng, out, err);
    }
    draw_all(&d);
    return LAM_OK;
}

lam_status lam_initializer_fill(const lam_initializer *init, const lam_shape *shape,
                                const lam_rng *rng, float *out, lam_error *err)
{
    LAM_TRY(fill(init, shape, rng, out, err));
    for (size_t i = 0; i < init->ones; i++)
        out[init->ones_from + i] = 1.0f;
    return LAM_OK;
}
