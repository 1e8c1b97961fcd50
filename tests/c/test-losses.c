/* Every loss against its definition in double precision, every gradient against central
 * differences of that definition; in all tiers, for rows that fill vectors and rows that do not. */
#include "loss-reference.h"

#include "kernels/cpu.h"
#include "unit.h"

enum { MAX_D = 40, MAX_ROWS = 19, MAX_ARGS = 4 };

typedef struct number {
    const char *name;
    double value;
} number;

/* What targets and predictions a loss is meant for. */
typedef enum { REAL, POSITIVE, BINARY, BINARY_LOGITS, CLASSES, CLASS_LOGITS, SPARSE, SPARSE_LOGITS, SIGNS } domain;

typedef double (*reference)(const number *config, size_t d, const double *y, const double *p);

static double option(const number *config, const char *name, double otherwise)
{
    for (int i = 0; i < MAX_ARGS && config[i].name; i++)
        if (strcmp(config[i].name, name) == 0)
            return config[i].value;
    return otherwise;
}

/* ---- definitions ----------------------------------------------------------------------------- */

#define MEAN(expression)                    \
    double sum_ = 0;                        \
    (void)config;                           \
    for (size_t j = 0; j < d; j++)          \
        sum_ += (expression);               \
    return sum_ / (double)d

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

static double ref_mse(const number *config, size_t d, const double *y, const double *p)
{
    MEAN((y[j] - p[j]) * (y[j] - p[j]));
}

static double ref_mae(const number *config, size_t d, const double *y, const double *p)
{
    MEAN(fabs(y[j] - p[j]));
}

static double ref_mape(const number *config, size_t d, const double *y, const double *p)
{
    MEAN(100 * fabs((y[j] - p[j]) / fmax(fabs(y[j]), 1e-7)));
}

static double ref_msle(const number *config, size_t d, const double *y, const double *p)
{
    MEAN(pow(log(fmax(y[j], 1e-7) + 1) - log(fmax(p[j], 1e-7) + 1), 2));
}

static double ref_huber(const number *config, size_t d, const double *y, const double *p)
{
    double delta = option(config, "delta", 1);
    MEAN(fabs(y[j] - p[j]) <= delta ? pow(y[j] - p[j], 2) / 2
                                    : delta * fabs(y[j] - p[j]) - delta * delta / 2);
}

static double ref_log_cosh(const number *config, size_t d, const double *y, const double *p)
{
    MEAN(log(cosh(p[j] - y[j])));
}

static double ref_poisson(const number *config, size_t d, const double *y, const double *p)
{
    MEAN(p[j] - y[j] * log(p[j] + 1e-7));
}

static double ref_kl(const number *config, size_t d, const double *y, const double *p)
{
    double sum = 0;
    (void)config;
    for (size_t j = 0; j < d; j++) {
        double t = clip(y[j], 1e-7, 1);
        sum += t * log(t / clip(p[j], 1e-7, 1));
    }
    return sum;
}

static bool are_01(size_t d, const double *y)
{
    for (size_t j = 0; j < d; j++)
        if (y[j] != 0 && y[j] != 1)
            return false;
    return true;
}

/* The tests give labels -1 and 1 with at least one -1 in each row, or one row of 0 and 1. */
static double ref_hinge(const number *config, size_t d, const double *y, const double *p)
{
    bool map = are_01(d, y);
    MEAN(fmax(0, 1 - (map ? 2 * y[j] - 1 : y[j]) * p[j]));
}

static double ref_squared_hinge(const number *config, size_t d, const double *y, const double *p)
{
    bool map = are_01(d, y);
    MEAN(pow(fmax(0, 1 - (map ? 2 * y[j] - 1 : y[j]) * p[j]), 2));
}

static double ref_categorical_hinge(const number *config, size_t d, const double *y, const double *p)
{
    double own = 0, other = -INFINITY;
    (void)config;
    for (size_t j = 0; j < d; j++) {
        own += y[j] * p[j];
        other = fmax(other, (1 - y[j]) * p[j]);
    }
    return fmax(0, other - own + 1);
}

static double ref_cosine(const number *config, size_t d, const double *y, const double *p)
{
    double yy = 0, pp = 0, yp = 0;
    (void)config;
    for (size_t j = 0; j < d; j++) {
        yy += y[j] * y[j];
        pp += p[j] * p[j];
        yp += y[j] * p[j];
    }
    return -yp / (sqrt(yy) * sqrt(pp));
}

static double ref_bce(const number *config, size_t d, const double *y, const double *p)
{
    double s = option(config, "label_smoothing", 0), sum = 0;
    for (size_t j = 0; j < d; j++) {
        double t = y[j] * (1 - s) + s / 2;
        double q = option(config, "from_logits", 0) ? 1 / (1 + exp(-p[j])) : p[j];
        sum -= t * log(q) + (1 - t) * log(1 - q);
    }
    return sum / (double)d;
}

static double ref_binary_focal(const number *config, size_t d, const double *y, const double *p)
{
    double s = option(config, "label_smoothing", 0), gamma = option(config, "gamma", 2), sum = 0;
    double alpha = option(config, "alpha", 0.25);
    for (size_t j = 0; j < d; j++) {
        double t = y[j] * (1 - s) + s / 2;
        double q = option(config, "from_logits", 0) ? 1 / (1 + exp(-p[j])) : p[j];
        double cross = -t * log(q) - (1 - t) * log(1 - q);
        double w = option(config, "apply_class_balancing", 0) ? t * alpha + (1 - t) * (1 - alpha) : 1;
        sum += w * pow(1 - (t * q + (1 - t) * (1 - q)), gamma) * cross;
    }
    return sum / (double)d;
}

static double class_probability(const number *config, size_t d, const double *p, size_t k)
{
    bool logits = option(config, "from_logits", 0) != 0;
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += logits ? exp(p[j]) : p[j];
    double q = (logits ? exp(p[k]) : p[k]) / sum;
    return logits ? q : clip(q, 1e-7, 1 - 0x1p-23);
}

static double ref_cce(const number *config, size_t d, const double *y, const double *p)
{
    double s = option(config, "label_smoothing", 0), sum = 0;
    for (size_t j = 0; j < d; j++)
        sum -= (y[j] * (1 - s) + s / (double)d) * log(class_probability(config, d, p, j));
    return sum;
}

static double ref_categorical_focal(const number *config, size_t d, const double *y, const double *p)
{
    double s = option(config, "label_smoothing", 0), sum = 0;
    for (size_t j = 0; j < d; j++) {
        double q = class_probability(config, d, p, j);
        sum -= option(config, "alpha", 0.25) * pow(1 - q, option(config, "gamma", 2)) *
               (y[j] * (1 - s) + s / (double)d) * log(q);
    }
    return sum;
}

static double ref_sparse(const number *config, size_t d, const double *y, const double *p)
{
    return -log(class_probability(config, d, p, (size_t)y[0]));
}

static const struct test_case {
    const char *name;
    reference ref;
    domain domain;
    number config[MAX_ARGS];
} cases[] = {
    {"mean_squared_error", ref_mse, REAL, {{0}}},
    {"mean_absolute_error", ref_mae, REAL, {{0}}},
    {"mean_absolute_percentage_error", ref_mape, REAL, {{0}}},
    {"mean_squared_logarithmic_error", ref_msle, POSITIVE, {{0}}},
    {"huber", ref_huber, REAL, {{0}}},
    {"huber", ref_huber, REAL, {{"delta", 0.3}}},
    {"log_cosh", ref_log_cosh, REAL, {{0}}},
    {"poisson", ref_poisson, POSITIVE, {{0}}},
    {"kl_divergence", ref_kl, BINARY, {{0}}},
    {"hinge", ref_hinge, SIGNS, {{0}}},
    {"squared_hinge", ref_squared_hinge, SIGNS, {{0}}},
    {"categorical_hinge", ref_categorical_hinge, CLASSES, {{0}}},
    {"cosine_similarity", ref_cosine, REAL, {{0}}},
    {"binary_crossentropy", ref_bce, BINARY, {{0}}},
    {"binary_crossentropy", ref_bce, BINARY, {{"label_smoothing", 0.1}}},
    {"binary_crossentropy", ref_bce, BINARY_LOGITS, {{"from_logits", 1}}},
    {"binary_crossentropy", ref_bce, BINARY_LOGITS, {{"from_logits", 1}, {"label_smoothing", 0.2}}},
    {"binary_focal_crossentropy", ref_binary_focal, BINARY, {{0}}},
    {"binary_focal_crossentropy", ref_binary_focal, BINARY, {{"gamma", 0}}},
    {"binary_focal_crossentropy", ref_binary_focal, BINARY, {{"gamma", 1}, {"label_smoothing", 0.1}}},
    {"binary_focal_crossentropy", ref_binary_focal, BINARY, {{"apply_class_balancing", 1}, {"alpha", 0.4}, {"gamma", 1.5}}},
    {"binary_focal_crossentropy", ref_binary_focal, BINARY_LOGITS, {{"from_logits", 1}, {"apply_class_balancing", 1}}},
    {"categorical_crossentropy", ref_cce, CLASSES, {{0}}},
    {"categorical_crossentropy", ref_cce, CLASSES, {{"label_smoothing", 0.1}}},
    {"categorical_crossentropy", ref_cce, CLASS_LOGITS, {{"from_logits", 1}}},
    {"categorical_crossentropy", ref_cce, CLASS_LOGITS, {{"from_logits", 1}, {"label_smoothing", 0.1}}},
    {"categorical_focal_crossentropy", ref_categorical_focal, CLASSES, {{0}}},
    {"categorical_focal_crossentropy", ref_categorical_focal, CLASSES, {{"alpha", 0.5}, {"gamma", 1}, {"label_smoothing", 0.1}}},
    {"categorical_focal_crossentropy", ref_categorical_focal, CLASS_LOGITS, {{"from_logits", 1}, {"gamma", 3}}},
    {"sparse_categorical_crossentropy", ref_sparse, SPARSE, {{0}}},
    {"sparse_categorical_crossentropy", ref_sparse, SPARSE_LOGITS, {{"from_logits", 1}}},
};

/* ---- the comparison -------------------------------------------------------------------------- */

double loss_reference_with(const lam_spec *spec, size_t d, const double *y, const double *p)
{
    number config[MAX_ARGS] = {{0}};
    for (size_t i = 0; i < spec->config.n && i < MAX_ARGS; i++)
        config[i] = (number){spec->config.arg[i].name, spec->config.arg[i].numbers[0]};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, spec->type) == 0)
            return cases[i].ref(config, d, y, p);
    unit_fail(__FILE__, __LINE__, "no definition of %s", spec->type);
    return (double)NAN;
}

double loss_reference(const char *name, size_t d, const double *y, const double *p)
{
    return loss_reference_with(&(lam_spec){.type = name}, d, y, p);
}

static lam_status read_loss(const char *name, const number *config, lam_loss *loss, lam_error *err)
{
    lam_arg arg[MAX_ARGS];
    size_t n = 0;
    for (; n < MAX_ARGS && config[n].name; n++)
        arg[n] = (lam_arg){.name = config[n].name, .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &config[n].value};
    return lam_loss_read(&(lam_spec){.type = name, .config = {n, arg}}, loss, err);
}

static lam_loss make_loss(const char *name, const number *config)
{
    static const number none[MAX_ARGS];
    lam_loss loss = {0};
    lam_error err;
    if (read_loss(name, config ? config : none, &loss, &err) != LAM_OK)
        unit_fail(__FILE__, __LINE__, "%s: %s", name, err.message);
    return loss;
}

static bool is_sparse(domain dom)
{
    return dom == SPARSE || dom == SPARSE_LOGITS;
}

/* One row of targets and predictions that suit the domain, away from kinks and clipped ends. */
static void fill_row(domain dom, size_t d, float *y, float *p)
{
    size_t k = (size_t)unit_uniform(0, (double)d);
    for (size_t j = 0; j < d; j++) {
        bool logits = dom == BINARY_LOGITS || dom == CLASS_LOGITS || dom == SPARSE_LOGITS;
        double low = dom == REAL || dom == SIGNS ? -2 : logits ? -6 : 0.03;
        double high = dom == REAL || dom == SIGNS ? 2 : dom == POSITIVE ? 4 : logits ? 6 : 0.97;
        p[j] = (float)unit_uniform(low, high);
        if (is_sparse(dom))
            continue;
        if (dom == REAL)
            y[j] = (float)unit_uniform(0.3, 2) * (unit_uniform(0, 1) < 0.5 ? -1.0f : 1.0f);
        else if (dom == POSITIVE)
            y[j] = (float)unit_uniform(0, 3);
        else if (dom == SIGNS)
            y[j] = j == 0 || unit_uniform(0, 1) < 0.5 ? -1 : 1;
        else if (dom == CLASSES || dom == CLASS_LOGITS)
            y[j] = j == k;
        else
            y[j] = j % 3 == 0 ? (float)unit_uniform(0.1, 0.9) : (float)(j % 3 - 1);
    }
    if (is_sparse(dom))
        y[0] = (float)k;
}

static double value_at(const struct test_case *c, size_t d, const float *y, const float *p, size_t j,
                       double shift)
{
    double yy[MAX_D], pp[MAX_D];
    for (size_t i = 0; i < d; i++) {
        yy[i] = is_sparse(c->domain) ? y[0] : y[i];
        pp[i] = (double)p[i] + (i == j ? shift : 0);
    }
    return c->ref(c->config, d, yy, pp);
}

static void compare(const struct test_case *c, size_t rows, size_t d)
{
    static float y[MAX_ROWS * MAX_D], p[MAX_ROWS * MAX_D], grad[MAX_ROWS * MAX_D], scale[MAX_ROWS];
    double value[MAX_ROWS], alone[MAX_ROWS];
    const double h = 1e-7; /* short: few kinks lie that near */
    size_t y_d = is_sparse(c->domain) ? 1 : d;
    lam_loss loss = make_loss(c->name, c->config);
    lam_error err;
    for (size_t r = 0; r < rows; r++) {
        fill_row(c->domain, d, y + r * y_d, p + r * d);
        scale[r] = (float)unit_uniform(0.2, 2);
    }
    CHECK_OK(lam_loss_check(&loss, rows, d, y_d, y, &err));
    loss.type->eval(&loss, rows, d, y, p, value, scale, grad);
    loss.type->eval(&loss, rows, d, y, p, alone, NULL, NULL);
    for (size_t r = 0; r < rows; r++) {
        const float *yr = y + r * y_d, *pr = p + r * d;
        CHECK_REL(value[r], value_at(c, d, yr, pr, 0, 0), 1e-5, 1e-7);
        CHECK(value[r] == alone[r]);
        for (size_t j = 0; j < d; j++) {
            double up = value_at(c, d, yr, pr, j, h), down = value_at(c, d, yr, pr, j, -h);
            CHECK_REL((double)grad[r * d + j], (double)scale[r] * (up - down) / (2 * h), 1e-5, 5e-7);
        }
    }
}

static void for_each_tier(void (*fn)(void))
{
    for (int t = 0; t <= (int)lam_tier_best(); t++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)t), NULL));
        fn();
    }
    CHECK_OK(lam_tier_set("best", NULL));
}

static void compare_all(void)
{
    static const size_t widths[] = {1, 2, 3, 4, 5, 8, 10, 15, 16, 17, 37};
    static const size_t heights[] = {0, 1, 3, MAX_ROWS};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++)
            for (size_t k = 0; k < sizeof heights / sizeof *heights; k++)
                compare(&cases[i], heights[k], widths[w]);
}

TEST(losses_and_their_gradients_follow_the_definitions)
{
    for_each_tier(compare_all);
}

TEST(every_loss_of_the_list_has_a_definition_here)
{
    for (size_t i = 0; lam_loss_types[i]; i++) {
        bool found = false;
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
            found |= strcmp(cases[k].name, lam_loss_types[i]->name) == 0;
        if (!found)
            unit_fail(__FILE__, __LINE__, "loss %s is not tested", lam_loss_types[i]->name);
        CHECK(lam_loss_type_find(lam_loss_types[i]->name) == lam_loss_types[i]);
    }
    for (size_t i = 0; lam_loss_aliases[i]; i += 2)
        CHECK(lam_loss_type_find(lam_loss_aliases[i]) == lam_loss_type_find(lam_loss_aliases[i + 1]) &&
              lam_loss_type_find(lam_loss_aliases[i]));
    CHECK(!lam_loss_type_find("no_such_loss"));
}

/* ---- the ends of the ranges ------------------------------------------------------------------- */

static double one(const char *name, const number *config, size_t d, const float *y, const float *p,
                  float *grad)
{
    lam_loss loss = make_loss(name, config);
    double value;
    float unit = 1;
    loss.type->eval(&loss, 1, d, y, p, &value, &unit, grad);
    return value;
}

static const number logits[MAX_ARGS] = {{"from_logits", 1}};

static void saturation(void)
{
    float g[3];
    /* log of 2^-23, the float next below 1, not of 1e-7 */
    CHECK_REL(one("binary_crossentropy", NULL, 1, (float[]){0}, (float[]){1}, g), 23 * log(2), 1e-6, 0);
    CHECK(g[0] == 0);
    CHECK_REL(one("binary_crossentropy", NULL, 1, (float[]){1}, (float[]){0}, g), -log(1e-7), 1e-6, 0);
    CHECK_REL(one("binary_crossentropy", logits, 1, (float[]){0}, (float[]){500}, g), 500, 1e-6, 0);
    CHECK_NEAR((double)g[0], 1, 1e-7);
    CHECK_REL(one("binary_crossentropy", logits, 1, (float[]){1}, (float[]){20}, g), exp(-20), 1e-5, 0);

    CHECK_REL(one("categorical_crossentropy", NULL, 2, (float[]){0, 1}, (float[]){3, 0}, g), -log(1e-7), 1e-6, 0);
    CHECK(g[0] == 0 && g[1] == 0);
    CHECK_REL(one("sparse_categorical_crossentropy", NULL, 2, (float[]){1}, (float[]){3, 0}, g), -log(1e-7), 1e-6, 0);
    CHECK(g[0] == 0 && g[1] == 0);
    CHECK_REL(one("sparse_categorical_crossentropy", logits, 2, (float[]){0}, (float[]){-900, 800}, g), 1700, 1e-6, 0);
    CHECK_NEAR((double)g[0], -1, 1e-7);
    CHECK_NEAR((double)g[1], 1, 1e-7);
    CHECK_REL(one("sparse_categorical_crossentropy", logits, 2, (float[]){0}, (float[]){20, 0}, g), exp(-20), 1e-5, 0);
    CHECK_REL(one("sparse_categorical_crossentropy", logits, 3, (float[]){2}, (float[]){7, 7, 7}, g), log(3), 1e-6, 0);

    CHECK_REL(one("log_cosh", NULL, 1, (float[]){0}, (float[]){1000}, g), 1000 - log(2), 1e-6, 0);
    CHECK_REL(one("log_cosh", NULL, 1, (float[]){0}, (float[]){1e-3f}, g), 5e-7, 1e-5, 0);
    CHECK_REL(one("mean_absolute_percentage_error", NULL, 1, (float[]){0}, (float[]){1}, g), 1e9, 1e-6, 0);
    CHECK_NEAR(one("cosine_similarity", NULL, 2, (float[]){0, 0}, (float[]){0, 0}, g), 0, 0);
    CHECK_REL(one("cosine_similarity", NULL, 2, (float[]){3, 4}, (float[]){0, 0}, g), 0, 0, 0);
    CHECK_REL((double)g[1], -0.8e7, 1e-5, 0);
    CHECK(one("kl_divergence", NULL, 2, (float[]){0, 1}, (float[]){0, 1}, g) == 0);
    CHECK(isfinite(one("poisson", NULL, 1, (float[]){2}, (float[]){0}, g)));
    CHECK(one("binary_focal_crossentropy", NULL, 1, (float[]){1}, (float[]){1}, g) == 0);
    CHECK(isfinite(one("categorical_focal_crossentropy", logits, 2, (float[]){1, 0}, (float[]){200, -200}, g)));
    CHECK(isfinite(g[0]) && isfinite(g[1]));
}

TEST(losses_at_the_ends_of_their_ranges)
{
    for_each_tier(saturation);
}

static void nan_predictions(void)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t d = 2; d <= 20; d += 9) {
            float y[MAX_D] = {0}, p[MAX_D], g[MAX_D];
            for (size_t j = 0; j < d; j++)
                p[j] = 0.5f;
            y[0] = is_sparse(cases[i].domain) ? 0 : 1;
            p[0] = NAN;
            if (!isnan(one(cases[i].name, cases[i].config, d, y, p, g)))
                unit_fail(__FILE__, __LINE__, "%s hides a NaN (d = %zu)", cases[i].name, d);
        }
}

TEST(a_prediction_that_is_nan_makes_the_loss_nan)
{
    for_each_tier(nan_predictions);
}

TEST(slopes_are_zero_at_kinks_and_below_the_clip)
{
    float g[1];
    one("mean_absolute_error", NULL, 1, (float[]){2}, (float[]){2}, g);
    CHECK(g[0] == 0);
    one("mean_absolute_percentage_error", NULL, 1, (float[]){2}, (float[]){2}, g);
    CHECK(g[0] == 0);
    one("mean_squared_logarithmic_error", NULL, 1, (float[]){2}, (float[]){-1}, g);
    CHECK(g[0] == 0);
    one("kl_divergence", NULL, 1, (float[]){1}, (float[]){2}, g);
    CHECK(g[0] == 0);
    one("hinge", NULL, 1, (float[]){-1}, (float[]){-2}, g);
    CHECK(g[0] == 0);
}

/* ---- hinge labels, ignored classes, checks ----------------------------------------------------- */

TEST(hinge_labels_are_mapped_only_where_all_are_0_or_1)
{
    float g[1], p[] = {0.5f, -0.5f}, scale[] = {1, 1}, grads[2];
    double v[2];
    CHECK_NEAR(one("hinge", NULL, 1, (float[]){0}, p, g), 1.5, 1e-7);
    CHECK_NEAR((double)g[0], 1, 1e-7);
    CHECK_NEAR(one("squared_hinge", NULL, 1, (float[]){0}, p, g), 2.25, 1e-7);
    lam_loss hinge = make_loss("hinge", NULL);
    hinge.type->eval(&hinge, 2, 1, (float[]){0, -1}, p, v, scale, grads);
    CHECK_NEAR(v[0], 1, 1e-7); /* 1 - 0 * 0.5 */
    CHECK_NEAR(v[1], 0.5, 1e-7);
    /* settled for the whole batch, it holds for a piece of it */
    lam_loss prepared = lam_loss_prepare(&hinge, 2, (float[]){0, -1});
    prepared.type->eval(&prepared, 1, 1, (float[]){0}, p, v, scale, grads);
    CHECK_NEAR(v[0], 1, 1e-7);
}

TEST(a_soft_categorical_hinge_has_no_floor_under_the_other_classes)
{
    float g[2];
    /* own = 0.5 * -2 + 0.5 * -4 = -3; other = max(-1, -2) */
    CHECK_NEAR(one("categorical_hinge", NULL, 2, (float[]){0.5f, 0.5f}, (float[]){-2, -4}, g), 3, 1e-7);
    CHECK_NEAR((double)g[0], 0, 1e-7);
    CHECK_NEAR((double)g[1], -0.5, 1e-7);
}

TEST(ignored_rows_do_not_count)
{
    lam_loss loss = make_loss("sparse_categorical_crossentropy", (number[MAX_ARGS]){{"ignore_class", -1}});
    float y[] = {1, -1, 0}, p[] = {0.25f, 0.75f, 0.5f, 0.5f, 0.5f, 0.5f}, scale[] = {1, 1, 1}, g[6];
    double v[3];
    lam_error err;
    CHECK_OK(lam_loss_check(&loss, 3, 2, 1, y, &err));
    CHECK_INT(lam_loss_count(&loss, 3, 1, y), 2);
    loss.type->eval(&loss, 3, 2, y, p, v, scale, g);
    CHECK_REL(v[0], -log(0.75), 1e-7, 0);
    CHECK(v[1] == 0 && g[2] == 0 && g[3] == 0);
    loss = make_loss("mean_squared_error", NULL);
    CHECK_INT(lam_loss_count(&loss, 3, 1, y), 3);
}

TEST(a_target_that_is_no_class_gives_nan_and_reads_nothing)
{
    float g[2];
    CHECK(isnan(one("sparse_categorical_crossentropy", NULL, 2, (float[]){2}, (float[]){0.5f, 0.5f}, g)));
    CHECK(isnan(one("sparse_categorical_crossentropy", logits, 2, (float[]){-1}, (float[]){0, 0}, g)));
    CHECK(isnan(one("sparse_categorical_crossentropy", NULL, 2, (float[]){NAN}, (float[]){0.5f, 0.5f}, g)));
    CHECK(g[0] == 0 && g[1] == 0);
}

static void refuses(const char *name, size_t d, size_t y_d, const float *y, lam_status code,
                    const char *words)
{
    lam_loss loss = make_loss(name, NULL);
    lam_error err = {0};
    CHECK_INT(lam_loss_check(&loss, 3, d, y_d, y, &err), code);
    if (!strstr(err.message, words))
        unit_fail(__FILE__, __LINE__, "%s: \"%s\" lacks \"%s\"", name, err.message, words);
}

TEST(targets_outside_a_loss_are_refused_with_row_and_count)
{
    refuses("sparse_categorical_crossentropy", 3, 1, (float[]){0, 3, -1}, LAM_EDATA, "3 in row 2 (2 such rows)");
    refuses("sparse_categorical_crossentropy", 3, 1, (float[]){0, 1, 1.5f}, LAM_EDATA, "1.5 in row 3 (1 such row)");
    refuses("sparse_categorical_crossentropy", 3, 3, (float[9]){0}, LAM_ESHAPE, "class number");
    refuses("binary_crossentropy", 1, 1, (float[]){0, 1, 2}, LAM_EDATA, "2 in row 3");
    refuses("categorical_crossentropy", 2, 2, (float[]){0, 1, -1, 2, 0, 1}, LAM_EDATA, "-1 in row 2 (1 such row)");
    refuses("kl_divergence", 1, 1, (float[]){0, NAN, 1}, LAM_EDATA, "row 2");
    refuses("poisson", 1, 1, (float[]){1, -1, 1}, LAM_EDATA, "-1 in row 2");
    refuses("mean_squared_logarithmic_error", 1, 1, (float[]){-1, -1, -1}, LAM_EDATA, "3 such rows");
    refuses("hinge", 1, 1, (float[]){0, 1, 2}, LAM_EDATA, "2 in row 3");
    refuses("mean_squared_error", 2, 1, (float[3]){0}, LAM_ESHAPE, "as many targets as outputs");
}

TEST(arguments_that_a_loss_lacks_are_refused)
{
    lam_loss loss;
    lam_error err;
    CHECK_INT(read_loss("mean_squared_error", (number[MAX_ARGS]){{"delta", 1}}, &loss, &err), LAM_EARGUMENT);
    CHECK_INT(read_loss("huber", (number[MAX_ARGS]){{"delta", -1}}, &loss, &err), LAM_EARGUMENT);
    CHECK_INT(read_loss("binary_crossentropy", (number[MAX_ARGS]){{"label_smoothing", 2}}, &loss, &err), LAM_EARGUMENT);
    CHECK_INT(read_loss("no_such_loss", (number[MAX_ARGS]){{0}}, &loss, &err), LAM_EARGUMENT);
    CHECK(strstr(err.message, "no_such_loss") != NULL);
}
