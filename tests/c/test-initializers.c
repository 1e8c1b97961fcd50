/* Initializers: values, bounds, moments, fans, orthogonality, determinism, over the core's own list. */
#include "base/alloc.h"
#include "base/threads.h"
#include "nn/weights.h"
#include "unit.h"

typedef struct option {
    const char *name;
    double value;
    const char *text;
} option;

static lam_status read(const char *type, const option *options, lam_initializer *init, lam_error *err)
{
    lam_arg arg[6];
    size_t n = 0;
    for (; options && options[n].name; n++)
        arg[n] = options[n].text
                     ? (lam_arg){.name = options[n].name, .kind = LAM_ARG_STRINGS, .n = 1, .strings = &options[n].text}
                     : (lam_arg){.name = options[n].name, .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &options[n].value};
    return lam_initializer_read(&(lam_spec){type, {n, arg}}, init, err);
}

static const lam_rng generator = {.seed = 42, .stream = 16};

static void fill(const char *type, const option *options, const lam_shape *shape, float *out)
{
    lam_initializer init;
    CHECK_OK(read(type, options, &init, NULL));
    CHECK_OK(lam_initializer_fill(&init, shape, &generator, out, NULL));
}

static lam_shape shape_4(size_t a, size_t b, size_t c, size_t d)
{
    return lam_shape_of(4, (size_t[]){a, b, c, d});
}

/* ---- moments -------------------------------------------------------------------------------------- */

enum { MANY = 40000 };
static float buffer[MANY];

typedef struct moments {
    double mean, sd, low, high;
} moments;

static moments moments_of(size_t n, const float *x)
{
    moments m = {.low = INFINITY, .high = -INFINITY};
    for (size_t i = 0; i < n; i++) {
        m.mean += (double)x[i] / (double)n;
        m.low = fmin(m.low, (double)x[i]);
        m.high = fmax(m.high, (double)x[i]);
    }
    for (size_t i = 0; i < n; i++)
        m.sd += ((double)x[i] - m.mean) * ((double)x[i] - m.mean) / (double)n;
    m.sd = sqrt(m.sd);
    return m;
}

/* Mean and standard deviation within five of their standard errors or more; bounds where finite, and
 * nearly reached. */
static void check_moments(const float *x, size_t n, double mean, double sd, double low, double high)
{
    moments m = moments_of(n, x);
    double error = sd / sqrt((double)n);
    CHECK(fabs(m.mean - mean) < 5 * error);
    CHECK(fabs(m.sd - sd) < 5 * error);
    if (isfinite(low)) {
        double near = 0.01 * (high - low);
        CHECK(m.low >= low - 1e-6 && m.low < low + near);
        CHECK(m.high <= high + 1e-6 && m.high > high - near);
    }
}

/* sd and bounds of the kinds for a given variance; a normal cut at two of its sd has 0.8796 of it */
enum { UNIFORM, TRUNCATED, NORMAL };

static void check_kind(const float *x, size_t n, int kind, double variance)
{
    double sd = sqrt(variance);
    double bound = kind == UNIFORM ? sd * sqrt(3) : kind == TRUNCATED ? 2 * sd / 0.8796256610342398 : INFINITY;
    check_moments(x, n, 0, sd, -bound, bound);
}

static bool tested[LAM_INIT_COUNT];

static void mark(const char *type)
{
    lam_initializer init;
    CHECK_OK(read(type, NULL, &init, NULL));
    tested[init.id] = true;
}

static void check_scaled(void)
{
    /* shape, fan in, fan out */
    const struct {
        lam_shape shape;
        double in, out;
    } shapes[] = {
        {lam_shape_1(MANY), MANY, MANY},
        {lam_shape_2(400, 100), 400, 100},
        {lam_shape_of(3, (size_t[]){5, 80, 100}), 400, 500},
        {shape_4(4, 5, 40, 50), 800, 1000},
    };
    for (size_t i = 0; i < LAM_COUNT(shapes); i++) {
        double in = shapes[i].in, out = shapes[i].out;
        const struct {
            const char *type;
            int kind;
            double variance;
        } types[] = {
            {"glorot_uniform", UNIFORM, 2 / (in + out)}, {"glorot_normal", TRUNCATED, 2 / (in + out)},
            {"he_uniform", UNIFORM, 2 / in},             {"he_normal", TRUNCATED, 2 / in},
            {"lecun_uniform", UNIFORM, 1 / in},          {"lecun_normal", TRUNCATED, 1 / in},
            {"variance_scaling", TRUNCATED, 1 / in}};
        for (size_t k = 0; k < LAM_COUNT(types); k++) {
            mark(types[k].type);
            fill(types[k].type, NULL, &shapes[i].shape, buffer);
            check_kind(buffer, MANY, types[k].kind, types[k].variance);
        }
        fill("variance_scaling", (option[]){{"scale", 3, NULL}, {"mode", 0, "fan_out"}, {"distribution", 0, "uniform"}, {0}}, &shapes[i].shape, buffer);
        check_kind(buffer, MANY, UNIFORM, 3 / out);
        fill("variance_scaling", (option[]){{"mode", 0, "fan_avg"}, {"distribution", 0, "untruncated_normal"}, {0}}, &shapes[i].shape, buffer);
        check_kind(buffer, MANY, NORMAL, 2 / (in + out));
        CHECK(moments_of(MANY, buffer).high > 3 * sqrt(2 / (in + out)));
        fill("variance_scaling", (option[]){{"distribution", 0, "normal"}, {0}}, &shapes[i].shape, buffer);
        check_kind(buffer, MANY, TRUNCATED, 1 / in);
    }
}

static void check_plain(void)
{
    lam_shape shape = lam_shape_1(MANY);
    mark("random_normal"), mark("random_uniform"), mark("truncated_normal");
    fill("random_normal", NULL, &shape, buffer);
    check_moments(buffer, MANY, 0, 0.05, -INFINITY, INFINITY);
    fill("random_normal", (option[]){{"mean", 3, NULL}, {"stddev", 2, NULL}, {0}}, &shape, buffer);
    check_moments(buffer, MANY, 3, 2, -INFINITY, INFINITY);
    fill("truncated_normal", (option[]){{"mean", 1, NULL}, {"stddev", 0.5, NULL}, {0}}, &shape, buffer);
    check_moments(buffer, MANY, 1, 0.5 * 0.8796256610342398, 0, 2);
    fill("random_uniform", NULL, &shape, buffer);
    check_moments(buffer, MANY, 0, 0.1 / sqrt(12), -0.05, 0.05);
    fill("random_uniform", (option[]){{"minval", 2, NULL}, {"maxval", 5, NULL}, {0}}, &shape, buffer);
    check_moments(buffer, MANY, 3.5, 3 / sqrt(12), 2, 5);
}

static void check_fixed(void)
{
    float x[12];
    lam_shape shape = lam_shape_2(3, 4);
    mark("zeros"), mark("ones"), mark("constant"), mark("identity");
    x[5] = 7;
    fill("zeros", NULL, &shape, x);
    CHECK_NEAR(x[5], 0, 0);
    fill("ones", NULL, &shape, x);
    CHECK_NEAR(x[11], 1, 0);
    fill("constant", (option[]){{"value", -2.5, NULL}, {0}}, &shape, x);
    CHECK_NEAR(x[0], -2.5, 0);
    fill("identity", (option[]){{"gain", 3, NULL}, {0}}, &shape, x);
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(x[i], i % 4 == i / 4 ? 3 : 0, 0);
}

/* The products of all pairs of the vectors of which there are fewer. */
static void check_orthogonal(const lam_shape *shape, double gain)
{
    size_t cols = lam_shape_last(shape), rows = lam_shape_count(shape) / cols;
    bool down = rows >= cols;
    size_t n = down ? cols : rows, length = down ? rows : cols;
    fill("orthogonal", (option[]){{"gain", gain, NULL}, {0}}, shape, buffer);
    for (size_t a = 0; a < n; a++)
        for (size_t b = 0; b <= a; b++) {
            double dot = 0;
            for (size_t i = 0; i < length; i++)
                dot += down ? (double)buffer[i * cols + a] * (double)buffer[i * cols + b]
                            : (double)buffer[a * cols + i] * (double)buffer[b * cols + i];
            CHECK_NEAR(dot, a == b ? gain * gain : 0, 1e-6);
        }
}

static void check_orthogonals(void)
{
    mark("orthogonal");
    const lam_shape shapes[] = {lam_shape_2(1, 1), lam_shape_2(40, 40), lam_shape_2(33, 130),
                                lam_shape_2(130, 33), lam_shape_2(7, 1), shape_4(3, 3, 4, 20)};
    for (size_t i = 0; i < LAM_COUNT(shapes); i++) {
        check_orthogonal(&shapes[i], 1);
        check_orthogonal(&shapes[i], 1.5);
    }
    /* the first column is the first normal column, scaled: the diagonal of R is positive */
    lam_shape shape = lam_shape_2(5, 3);
    fill("orthogonal", NULL, &shape, buffer);
    double norm = 0;
    for (uint64_t i = 0; i < 5; i++)
        norm += pow(lam_random_normal(&generator, 3 * i), 2);
    for (uint64_t i = 0; i < 5; i++)
        CHECK_NEAR(buffer[3 * i], lam_random_normal(&generator, 3 * i) / sqrt(norm), 1e-6);
}

TEST(initializers_have_their_distributions)
{
    check_fixed();
    check_plain();
    check_scaled();
    check_orthogonals();
    for (int i = 0; i < LAM_INIT_COUNT; i++)
        if (!tested[i])
            unit_fail(__FILE__, __LINE__, "initializer %s has no test", lam_initializer_name((lam_initializer_id)i));
}

/* ---- determinism ---------------------------------------------------------------------------------- */

TEST(initializers_depend_on_seed_and_generator_alone)
{
    enum { N = 10000 };
    static float one[N], two[N];
    lam_shape shape = lam_shape_2(100, 100);
    lam_rng other = {.seed = 43, .stream = 16};
    for (int id = 0; id < LAM_INIT_COUNT; id++) {
        const char *name = lam_initializer_name((lam_initializer_id)id);
        bool random = id >= LAM_INIT_random_normal;
        lam_initializer init;
        CHECK_OK(read(name, NULL, &init, NULL));
        for (int threads = 1; threads <= 2; threads++) {
            CHECK_OK(lam_threads_set(threads, NULL));
            CHECK_OK(lam_initializer_fill(&init, &shape, &generator, threads == 1 ? one : two, NULL));
        }
        CHECK(memcmp(one, two, sizeof one) == 0);
        CHECK_OK(lam_initializer_fill(&init, &shape, &other, two, NULL));
        CHECK((memcmp(one, two, sizeof one) != 0) == random);
        if (!random)
            continue;
        CHECK_OK(read(name, (option[]){{"seed", 7, NULL}, {0}}, &init, NULL));
        CHECK_OK(lam_initializer_fill(&init, &shape, &generator, one, NULL));
        CHECK_OK(lam_initializer_fill(&init, &shape, &other, two, NULL));
        CHECK(memcmp(one, two, sizeof one) == 0);
        CHECK_OK(read(name, (option[]){{"seed", 8, NULL}, {0}}, &init, NULL));
        CHECK_OK(lam_initializer_fill(&init, &shape, &other, two, NULL));
        CHECK(memcmp(one, two, sizeof one) != 0);
    }
    lam_threads_stop();
}

/* ---- reading ------------------------------------------------------------------------------------- */

TEST(initializers_take_other_spellings)
{
    const char *const pairs[] = {"GlorotUniform", "glorot_uniform", "Zeros", "zeros", "HeNormal", "he_normal",
                                 "uniform", "random_uniform", "normal", "random_normal", "zero", "zeros",
                                 "Orthogonal", "orthogonal", "Identity", "identity"};
    for (size_t i = 0; i < LAM_COUNT(pairs); i += 2) {
        lam_initializer init;
        CHECK_OK(read(pairs[i], NULL, &init, NULL));
        CHECK(strcmp(lam_initializer_name(init.id), pairs[i + 1]) == 0);
    }
}

static void refused(const char *type, const option *options)
{
    lam_initializer init;
    CHECK_INT(read(type, options, &init, NULL), LAM_EARGUMENT);
}

TEST(initializers_refuse_bad_arguments)
{
    float x[6];
    lam_initializer init;
    lam_shape vector = lam_shape_1(6);
    refused("glorot", NULL);
    refused("zeros", (option[]){{"value", 1, NULL}, {0}});
    refused("random_normal", (option[]){{"stddev", -1, NULL}, {0}});
    refused("random_uniform", (option[]){{"minval", 1, NULL}, {"maxval", 0, NULL}, {0}});
    refused("variance_scaling", (option[]){{"scale", 0, NULL}, {0}});
    refused("variance_scaling", (option[]){{"mode", 0, "fan"}, {0}});
    refused("he_normal", (option[]){{"seed", 1.5, NULL}, {0}});
    refused("constant", (option[]){{"value", INFINITY, NULL}, {0}});
    CHECK_OK(read("orthogonal", NULL, &init, NULL));
    CHECK_INT(lam_initializer_fill(&init, &vector, &generator, x, NULL), LAM_ESHAPE);
    CHECK_OK(read("identity", NULL, &init, NULL));
    CHECK_INT(lam_initializer_fill(&init, &vector, &generator, x, NULL), LAM_ESHAPE);
}

TEST(orthogonal_reports_a_lack_of_memory)
{
    float x[6];
    lam_initializer init;
    lam_shape shape = lam_shape_2(2, 3);
    long live = lam_alloc_live();
    CHECK_OK(read("orthogonal", NULL, &init, NULL));
    lam_alloc_fail_at(1);
    CHECK_INT(lam_initializer_fill(&init, &shape, &generator, x, NULL), LAM_EMEMORY);
    lam_alloc_fail_at(0);
    CHECK_OK(lam_initializer_fill(&init, &shape, &generator, x, NULL));
    CHECK_INT(lam_alloc_live(), live);
}
