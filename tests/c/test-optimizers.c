/* The optimizers against trajectories in double precision, one weight at a time, written from the
 * papers and Keras' definitions. */
#ifndef LAM_TIER
#include "base/threads.h"
#include "kernels/cpu.h"
#include "nn/optimizer.h"
#include "unit.h"

#define LAM_TIERED_FILE "../tests/c/test-optimizers.c"
#include "kernels/each_tier.h"

/* ---- the arguments of a case ------------------------------------------------------------------ */

enum { ARGS = 6, STEPS = 9 };

typedef struct option {
    const char *name;
    double value;
} option;

typedef struct variant {
    const char *type;
    option option[ARGS];
} variant;

static double opt(const variant *v, const char *name, double otherwise)
{
    for (int i = 0; i < ARGS && v->option[i].name; i++)
        if (strcmp(v->option[i].name, name) == 0)
            return v->option[i].value;
    return otherwise;
}

static lam_status read_variant(const variant *v, lam_optimizer *o, lam_error *err)
{
    lam_arg arg[ARGS];
    size_t n = 0;
    for (; n < ARGS && v->option[n].name; n++)
        arg[n] = (lam_arg){.name = v->option[n].name, .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &v->option[n].value};
    return lam_optimizer_read(&(lam_spec){v->type, {n, arg}}, o, err);
}

/* ---- the references --------------------------------------------------------------------------- */

/* One weight; s[] is its state, 0 before step t = 1. */
typedef void (*reference_fn)(const variant *v, double lr, int t, double g, double *w, double *s);

static void sgd(const variant *v, double lr, int t, double g, double *w, double *s)
{
    (void)t;
    double momentum = opt(v, "momentum", 0);
    s[0] = momentum * s[0] - lr * g;
    *w += opt(v, "nesterov", 0) != 0 ? momentum * s[0] - lr * g : s[0];
}

static void rmsprop(const variant *v, double lr, int t, double g, double *w, double *s)
{
    (void)t;
    double rho = opt(v, "rho", 0.9), epsilon = opt(v, "epsilon", 1e-7);
    s[0] = rho * s[0] + (1 - rho) * g * g;
    s[1] = rho * s[1] + (1 - rho) * g;
    double d = opt(v, "centered", 0) != 0 ? s[0] - s[1] * s[1] + epsilon : s[0] + epsilon;
    s[2] = opt(v, "momentum", 0) * s[2] + lr * g / sqrt(d);
    *w -= s[2];
}

static void adam(const variant *v, double lr, int t, double g, double *w, double *s)
{
    double b1 = opt(v, "beta_1", 0.9), b2 = opt(v, "beta_2", 0.999);
    double alpha = lr * sqrt(1 - pow(b2, t)) / (1 - pow(b1, t));
    s[0] = b1 * s[0] + (1 - b1) * g;
    s[1] = b2 * s[1] + (1 - b2) * g * g;
    s[2] = fmax(s[2], s[1]);
    double most = opt(v, "amsgrad", 0) != 0 ? s[2] : s[1];
    *w -= alpha * s[0] / (sqrt(most) + opt(v, "epsilon", 1e-7));
}

static void adamax(const variant *v, double lr, int t, double g, double *w, double *s)
{
    double b1 = opt(v, "beta_1", 0.9);
    s[0] = b1 * s[0] + (1 - b1) * g;
    s[1] = fmax(opt(v, "beta_2", 0.999) * s[1], fabs(g));
    *w -= lr * s[0] / ((1 - pow(b1, t)) * (s[1] + opt(v, "epsilon", 1e-7)));
}

static double nadam_u(double beta_1, int t)
{
    return beta_1 * (1 - 0.5 * pow(0.96, t));
}

static void nadam(const variant *v, double lr, int t, double g, double *w, double *s)
{
    double b1 = opt(v, "beta_1", 0.9), b2 = opt(v, "beta_2", 0.999), product = 1;
    for (int i = 1; i <= t; i++)
        product *= nadam_u(b1, i);
    double u = nadam_u(b1, t), u_next = nadam_u(b1, t + 1);
    s[0] = b1 * s[0] + (1 - b1) * g;
    s[1] = b2 * s[1] + (1 - b2) * g * g;
    double m_hat = u_next * s[0] / (1 - product * u_next) + (1 - u) * g / (1 - product);
    *w -= lr * m_hat / (sqrt(s[1] / (1 - pow(b2, t))) + opt(v, "epsilon", 1e-7));
}

static void adagrad(const variant *v, double lr, int t, double g, double *w, double *s)
{
    if (t == 1)
        s[0] = opt(v, "initial_accumulator_value", 0.1);
    s[0] += g * g;
    *w -= lr * g / sqrt(s[0] + opt(v, "epsilon", 1e-7));
}

static void adadelta(const variant *v, double lr, int t, double g, double *w, double *s)
{
    (void)t;
    double rho = opt(v, "rho", 0.95), epsilon = opt(v, "epsilon", 1e-7);
    s[0] = rho * s[0] + (1 - rho) * g * g;
    double x = -sqrt(s[1] + epsilon) / sqrt(s[0] + epsilon) * g;
    s[1] = rho * s[1] + (1 - rho) * x * x;
    *w += lr * x;
}

static void ftrl(const variant *v, double lr, int t, double g, double *w, double *s)
{
    double q = -opt(v, "learning_rate_power", -0.5), l1 = opt(v, "l1_regularization_strength", 0);
    double l2 = opt(v, "l2_regularization_strength", 0) + opt(v, "beta", 0) / (2 * lr);
    if (t == 1)
        s[0] = opt(v, "initial_accumulator_value", 0.1);
    double n = s[0] + g * g;
    s[1] += g + 2 * opt(v, "l2_shrinkage_regularization_strength", 0) * *w - (pow(n, q) - pow(s[0], q)) / lr * *w;
    double quadratic = pow(n, q) / lr + 2 * l2;
    *w = quadratic == 0 ? 0 : (fmax(-l1, fmin(l1, s[1])) - s[1]) / quadratic;
    s[0] = n;
}

static void lion(const variant *v, double lr, int t, double g, double *w, double *s)
{
    (void)t;
    double b1 = opt(v, "beta_1", 0.9), b2 = opt(v, "beta_2", 0.99);
    double way = b1 * s[0] + (1 - b1) * g;
    *w -= lr * ((way > 0) - (way < 0));
    s[0] = b2 * s[0] + (1 - b2) * g;
}

static const struct {
    const char *type;
    reference_fn fn;
} references[] = {
    {"sgd", sgd}, {"rmsprop", rmsprop}, {"adam", adam}, {"adam_w", adam}, {"adamax", adamax},
    {"nadam", nadam}, {"adagrad", adagrad}, {"adadelta", adadelta}, {"ftrl", ftrl}, {"lion", lion}};

static reference_fn reference_of(const char *type)
{
    for (size_t i = 0; i < LAM_COUNT(references); i++)
        if (strcmp(references[i].type, type) == 0)
            return references[i].fn;
    return NULL;
}

/* Beside these, every type is run with its defaults. */
static const variant variants[] = {
    {"sgd", {{"momentum", 0.9}}},
    {"sgd", {{"momentum", 0.9}, {"nesterov", 1}}},
    {"sgd", {{"nesterov", 1}}},
    {"rmsprop", {{"momentum", 0.8}}},
    {"rmsprop", {{"centered", 1}}},
    {"rmsprop", {{"centered", 1}, {"momentum", 0.7}, {"rho", 0.6}}},
    {"rmsprop", {{"epsilon", 0.01}}},
    {"adam", {{"amsgrad", 1}}},
    {"adam", {{"beta_1", 0.5}, {"beta_2", 0.7}, {"epsilon", 0.1}}},
    {"adam", {{"amsgrad", 1}, {"beta_2", 0.5}}},
    {"adam_w", {{"amsgrad", 1}, {"beta_2", 0.6}}},
    {"adamax", {{"beta_1", 0.7}, {"beta_2", 0.8}, {"epsilon", 0.1}}},
    {"nadam", {{"beta_1", 0.8}, {"beta_2", 0.9}, {"epsilon", 0.1}}},
    {"adagrad", {{"initial_accumulator_value", 0}, {"epsilon", 0.01}}},
    {"adadelta", {{"rho", 0.7}, {"epsilon", 0.01}}},
    {"ftrl", {{"l1_regularization_strength", 0.3}, {"l2_regularization_strength", 0.2}}},
    {"ftrl", {{"l2_shrinkage_regularization_strength", 0.1}, {"beta", 0.5}}},
    {"ftrl", {{"learning_rate_power", -0.8}, {"l1_regularization_strength", 0.01}}},
    {"ftrl", {{"learning_rate_power", 0}, {"initial_accumulator_value", 0}}},
    {"ftrl", {{"initial_accumulator_value", 0}}},
    {"lion", {{"beta_1", 0.6}, {"beta_2", 0.8}}},
};

/* ---- runs -------------------------------------------------------------------------------------- */

enum { MOST = 40 };

typedef struct run {
    size_t n;
    float w[MOST], slot[LAM_MAX_SLOTS][MOST], g[STEPS][MOST];
    double rate[STEPS];
} run;

/* Gradients of many sizes, so that every epsilon counts somewhere; some are 0. */
static void prepare(run *r, const lam_optimizer *o, size_t n)
{
    *r = (run){.n = n};
    unit_fill(r->w, n, -1, 1);
    for (int t = 0; t < STEPS; t++) {
        r->rate[t] = unit_uniform(0.02, 0.1);
        for (size_t i = 0; i < n; i++) {
            double size = pow(10, -8 + 9 * (double)(i % 10) / 9);
            r->g[t][i] = i % 11 == 10 ? 0 : (float)(size * unit_uniform(0.2, 1) * (unit_uniform(0, 1) < 0.4 ? -1 : 1));
        }
    }
    for (int s = 0; s < o->type->slots(o); s++)
        for (size_t i = 0; i < n; i++)
            r->slot[s][i] = o->type->slot_start ? o->type->slot_start(o, s) : 0;
}

/* One step over the weights from `first` up to `end`. */
static void step(const lam_optimizer *o, run *r, int t, size_t first, size_t end)
{
    lam_piece piece = {.n = end - first, .w = r->w + first, .g = r->g[t] + first};
    for (int s = 0; s < o->type->slots(o); s++)
        piece.slot[s] = r->slot[s] + first;
    o->type->update(o, &piece);
}

static void check_variant(const variant *v, size_t n)
{
    lam_optimizer o;
    lam_error err;
    run r;
    reference_fn fn = reference_of(v->type);
    if (!fn) {
        unit_fail(__FILE__, __LINE__, "optimizer %s has no reference", v->type);
        return;
    }
    if (read_variant(v, &o, &err) != LAM_OK) {
        unit_fail(__FILE__, __LINE__, "%s", err.message);
        return;
    }
    prepare(&r, &o, n);
    double w[MOST], state[MOST][LAM_MAX_SLOTS] = {{0}}, start[MOST];
    for (size_t i = 0; i < n; i++)
        start[i] = w[i] = (double)r.w[i];
    for (int t = 0; t < STEPS; t++) {
        o.type->begin(&o, r.rate[t], (unsigned long long)t + 1);
        step(&o, &r, t, 0, n);
        for (size_t i = 0; i < n; i++) {
            fn(v, r.rate[t], t + 1, (double)r.g[t][i], &w[i], state[i]);
            /* w itself is rounded at every step */
            CHECK_REL((double)r.w[i] - start[i], w[i] - start[i], 1e-5, 3e-7);
        }
    }
}

static const size_t lengths[] = {0, 1, 7, 33};

static void each_tier(void (*fn)(void))
{
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        unit_seed(7);
        fn();
    }
    lam_tier_init();
}

static void check_all(void)
{
    for (size_t k = 0; k < LAM_COUNT(lengths); k++) {
        for (size_t i = 0; lam_optimizer_types[i]; i++)
            check_variant(&(variant){.type = lam_optimizer_types[i]->name}, lengths[k]);
        for (size_t i = 0; i < LAM_COUNT(variants); i++)
            check_variant(&variants[i], lengths[k]);
    }
}

TEST(optimizers_follow_their_formulas)
{
    each_tier(check_all);
}

/* ---- cuts and threads -------------------------------------------------------------------------- */

static void check_cuts(void)
{
    for (size_t i = 0; i < LAM_COUNT(variants); i++) {
        lam_optimizer o;
        run whole;
        CHECK_OK(read_variant(&variants[i], &o, NULL));
        prepare(&whole, &o, MOST);
        run cut = whole;
        for (int t = 0; t < STEPS; t++) {
            o.type->begin(&o, whole.rate[t], (unsigned long long)t + 1);
            step(&o, &whole, t, 0, MOST);
            for (size_t first = 0, end; first < MOST; first = end) {
                end = first + 1 + (size_t)unit_uniform(0, 24);
                end = end < MOST ? end : MOST;
                step(&o, &cut, t, first, end);
            }
        }
        CHECK(memcmp(whole.w, cut.w, sizeof cut.w) == 0);
        CHECK(memcmp(whole.slot, cut.slot, sizeof cut.slot) == 0);
    }
}

TEST(optimizers_give_the_same_bits_however_a_vector_is_cut)
{
    each_tier(check_cuts);
}

TEST(optimizers_give_the_same_bits_for_any_number_of_threads)
{
    enum { MANY = 150001, PARTS = 5 };
    float *one = calloc(PARTS * MANY, sizeof *one), *two = calloc(PARTS * MANY, sizeof *two);
    for (size_t i = 0; lam_optimizer_types[i]; i++) {
        lam_optimizer o;
        CHECK_OK(lam_optimizer_read(&(lam_spec){.type = lam_optimizer_types[i]->name}, &o, NULL));
        unit_fill(one, PARTS * MANY, 0.1, 1);
        memcpy(two, one, PARTS * MANY * sizeof *one);
        o.type->begin(&o, 0.01, 1);
        for (int threads = 1; threads <= 2; threads++) {
            float *x = threads == 1 ? one : two;
            CHECK_OK(lam_threads_set(threads, NULL));
            o.type->update(&o, &(lam_piece){MANY, x, x + MANY, {x + 2 * MANY, x + 3 * MANY, x + 4 * MANY}});
        }
        CHECK(memcmp(one, two, PARTS * MANY * sizeof *one) == 0);
    }
    lam_threads_stop();
    free(one);
    free(two);
}

/* ---- single facts ------------------------------------------------------------------------------ */

/* By hand: the first step of Adam is lr * g / (|g| + epsilon / sqrt(1 - beta_2)). */
TEST(adam_first_step_by_hand)
{
    lam_optimizer o;
    float w = 1, g = 2, m = 0, v = 0;
    CHECK_OK(lam_optimizer_read(&(lam_spec){.type = "adam"}, &o, NULL));
    o.type->begin(&o, 0.001, 1);
    o.type->update(&o, &(lam_piece){1, &w, &g, {&m, &v}});
    CHECK_NEAR(w, 0.999, 1e-7);
    CHECK_NEAR(m, 0.2, 1e-7);
    CHECK_NEAR(v, 0.004, 1e-8);
}

TEST(ftrl_forgets_weights_without_gradient)
{
    lam_optimizer o;
    float w = 1, g = 0, n = 0.1f, z = 0;
    CHECK_OK(lam_optimizer_read(&(lam_spec){.type = "ftrl"}, &o, NULL));
    o.type->begin(&o, 0.01, 1);
    o.type->update(&o, &(lam_piece){1, &w, &g, {&n, &z}});
    CHECK_NEAR(w, 0, 0);
    CHECK_NEAR(o.type->slot_start(&o, 0), 0.1f, 0);
    CHECK_NEAR(o.type->slot_start(&o, 1), 0, 0);
}

TEST(optimizers_stand_still_at_rate_zero)
{
    for (size_t i = 0; lam_optimizer_types[i]; i++) {
        lam_optimizer o;
        float w = 0.7f, g = 0.3f, slot[3] = {0.1f, 0.1f, 0.1f};
        CHECK_OK(lam_optimizer_read(&(lam_spec){.type = lam_optimizer_types[i]->name}, &o, NULL));
        o.type->begin(&o, 0, 5);
        o.type->update(&o, &(lam_piece){1, &w, &g, {slot, slot + 1, slot + 2}});
        CHECK_NEAR(w, 0.7f, 0);
    }
}

TEST(optimizers_keep_weights_finite_without_gradient_and_show_a_nan)
{
    for (size_t i = 0; lam_optimizer_types[i]; i++) {
        lam_optimizer o;
        CHECK_OK(lam_optimizer_read(&(lam_spec){.type = lam_optimizer_types[i]->name}, &o, NULL));
        float w[2] = {0.5f, 0.5f}, g[2] = {0, NAN}, slot[3][2] = {{0}};
        for (unsigned t = 1; t <= 3; t++) {
            o.type->begin(&o, 0.01, t);
            o.type->update(&o, &(lam_piece){2, w, g, {slot[0], slot[1], slot[2]}});
        }
        CHECK(isfinite(w[0]));
        CHECK(isnan(w[1]));
    }
}

TEST(nadam_resumes_at_any_step)
{
    lam_optimizer through, resumed;
    CHECK_OK(lam_optimizer_read(&(lam_spec){.type = "nadam"}, &through, NULL));
    resumed = through;
    for (unsigned t = 1; t <= 700; t++)
        through.type->begin(&through, 0.01, t);
    resumed.type->begin(&resumed, 0.01, 700);
    CHECK(memcmp(through.constant, resumed.constant, sizeof resumed.constant) == 0);
    resumed.type->begin(&resumed, 0.01, 3);
    through.type->begin(&through, 0.01, 3);
    CHECK(memcmp(through.constant, resumed.constant, sizeof resumed.constant) == 0);
    resumed.type->begin(&resumed, 0.01, 100000000);
    CHECK(isfinite(resumed.constant[3]));
}

TEST(optimizer_defaults_are_those_of_keras)
{
    for (size_t i = 0; lam_optimizer_types[i]; i++) {
        lam_optimizer o;
        const char *name = lam_optimizer_types[i]->name;
        CHECK_OK(lam_optimizer_read(&(lam_spec){.type = name}, &o, NULL));
        CHECK(o.type == lam_optimizer_types[i]);
        CHECK_NEAR(lam_schedule_rate(&o.rate, 3), strcmp(name, "sgd") == 0 ? 0.01 : 0.001, 1e-15);
        CHECK_NEAR(o.weight_decay, strcmp(name, "adam_w") == 0 ? 0.004 : 0, 0);
        CHECK_NEAR(o.ema_momentum, 0.99, 0);
        CHECK_INT(o.accumulation, 1);
        CHECK(!o.use_ema && o.clipnorm == 0 && o.clipvalue == 0 && o.global_clipnorm == 0);
    }
    CHECK(lam_optimizer_type_find("adamw") == lam_optimizer_type_find("adam_w"));
    CHECK(!lam_optimizer_type_find("adm"));
}

TEST(optimizers_read_the_common_arguments)
{
    lam_optimizer o;
    CHECK_OK(read_variant(&(variant){"rmsprop", {{"weight_decay", 0.1}, {"clipnorm", 2}, {"use_ema", 1},
        {"ema_momentum", 0.5}, {"ema_overwrite_frequency", 7}, {"gradient_accumulation_steps", 4}}}, &o, NULL));
    CHECK_NEAR(o.weight_decay, 0.1, 0);
    CHECK_NEAR(o.clipnorm, 2, 0);
    CHECK(o.use_ema);
    CHECK_NEAR(o.ema_momentum, 0.5, 0);
    CHECK_INT(o.ema_overwrite_frequency, 7);
    CHECK_INT(o.accumulation, 4);
    CHECK_OK(read_variant(&(variant){"sgd", {{"learning_rate", 0.5}, {"loss_scale_factor", 8}}}, &o, NULL));
    CHECK_NEAR(lam_schedule_rate(&o.rate, 0), 0.5, 0);
    CHECK_NEAR(o.loss_scale_factor, 8, 0);

    double initial = 0.4, steps = 10, rate = 0.5;
    const char *type = "exponential_decay";
    lam_arg config[] = {{.name = "initial_learning_rate", .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &initial},
                        {.name = "decay_steps", .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &steps},
                        {.name = "decay_rate", .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &rate}};
    lam_arg spec[] = {{.name = "type", .kind = LAM_ARG_STRINGS, .n = 1, .strings = &type},
                      {.name = "config", .kind = LAM_ARG_LIST, .n = 3, .list = config}};
    lam_arg learning_rate = {.name = "learning_rate", .kind = LAM_ARG_LIST, .n = 2, .list = spec};
    CHECK_OK(lam_optimizer_read(&(lam_spec){"adam", {1, &learning_rate}}, &o, NULL));
    CHECK_NEAR(lam_schedule_rate(&o.rate, 20), 0.1, 1e-15);
}

static void refused(const variant *v, const char *arg)
{
    lam_optimizer o = {.weight_decay = 42};
    lam_error err = {0};
    CHECK_INT(read_variant(v, &o, &err), LAM_EARGUMENT);
    CHECK(strcmp(err.arg, arg) == 0);
    CHECK(o.weight_decay == 42);
}

TEST(optimizers_refuse_bad_arguments)
{
    refused(&(variant){.type = "adm"}, "optimizer");
    refused(&(variant){"adam", {{"momentum", 0.5}}}, "momentum");
    refused(&(variant){"adam", {{"beta_1", 1}}}, "beta_1");
    refused(&(variant){"adam", {{"epsilon", 0}}}, "epsilon");
    refused(&(variant){"sgd", {{"learning_rate", -1}}}, "learning_rate");
    refused(&(variant){"sgd", {{"learning_rate", NAN}}}, "learning_rate");
    refused(&(variant){"sgd", {{"clipnorm", 1}, {"clipvalue", 1}}}, "clipnorm");
    refused(&(variant){"sgd", {{"clipvalue", 1}, {"global_clipnorm", 1}}}, "clipvalue");
    refused(&(variant){"sgd", {{"clipnorm", 0}}}, "clipnorm");
    refused(&(variant){"sgd", {{"gradient_accumulation_steps", 1.5}}}, "gradient_accumulation_steps");
    refused(&(variant){"ftrl", {{"learning_rate_power", 0.5}}}, "learning_rate_power");
}

/* ---- the square root ---------------------------------------------------------------------------- */

static void check_roots(void)
{
    static void (*const roots[LAM_TIERS])(size_t, const float *, float *) = LAM_TIER_TABLE(roots);
    enum { BLOCK = 4096 };
    static float x[BLOCK], y[BLOCK];
    const unsigned exponents[] = {0, 1, 30, 31, 32, 126, 127, 128, 200, 253, 254, 255};
    long wrong = 0;
    for (size_t e = 0; e < LAM_COUNT(exponents); e++) {
        /* every mantissa where it matters, some elsewhere */
        uint32_t stride = exponents[e] == 127 || exponents[e] == 128 ? 1 : 1021;
        for (uint64_t m = 0; m < (1u << 23); m += (uint64_t)stride * BLOCK) {
            for (uint32_t i = 0; i < BLOCK; i++) {
                uint32_t bits = exponents[e] << 23 | (uint32_t)((m + (uint64_t)i * stride) & 0x7FFFFF);
                memcpy(&x[i], &bits, sizeof bits);
            }
            roots[lam_tier()](BLOCK, x, y);
            for (int i = 0; i < BLOCK; i++) {
                float want = sqrtf(x[i]);
                wrong += isnan(want) ? !isnan(y[i]) : y[i] != want;
            }
        }
    }
    CHECK_INT(wrong, 0);
    /* one odd lane among ordinary ones */
    const float odd[] = {0.0f, -0.0f, -1.0f, INFINITY, NAN, 1e-40f};
    for (size_t k = 0; k < LAM_COUNT(odd); k++)
        for (int at = 0; at < 16; at++) {
            for (int i = 0; i < 16; i++)
                x[i] = i == at ? odd[k] : (float)i + 0.3f;
            roots[lam_tier()](16, x, y);
            for (int i = 0; i < 16; i++)
                CHECK_NEAR(y[i], sqrtf(x[i]), 0);
        }
}

TEST(optimizers_take_correctly_rounded_roots)
{
    each_tier(check_roots);
}

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/root_template.h"

LAM_FN void LAM_T(roots)(size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i += VL)
        vf_store(y + i, LAM_T(root)(vf_load(x + i)));
}
#endif
