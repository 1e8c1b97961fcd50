/* Regularizers and constraints. */
#include "nn/weights.h"
#include "unit.h"

typedef struct option {
    const char *name;
    double value[3];
    size_t n;
} option;

static lam_args arguments(const option *options, lam_arg *arg)
{
    size_t n = 0;
    for (; options && options[n].name; n++)
        arg[n] = (lam_arg){.name = options[n].name, .kind = LAM_ARG_NUMBERS, .n = options[n].n ? options[n].n : 1, .numbers = options[n].value};
    return (lam_args){n, arg};
}

/* ---- regularizers ---------------------------------------------------------------------------------- */

static lam_status read_reg(const char *type, const option *options, lam_regularizer *reg)
{
    lam_arg arg[4];
    return lam_regularizer_read(&(lam_spec){type, arguments(options, arg)}, reg, NULL);
}

TEST(regularizer_values_by_hand)
{
    const float w[] = {1, -2, 0, 3};
    const struct {
        const char *type;
        option options[3];
        double want;
    } cases[] = {{"l1", {{0}}, 0.06}, {"l2", {{0}}, 0.14}, {"l1_l2", {{0}}, 0}, {"l1l2", {{"l2", {1}, 1}}, 14},
                 {"l1", {{"l1", {0.5}, 1}}, 3}, {"l2", {{"l2", {2}, 1}}, 28},
                 {"l1_l2", {{"l1", {0.5}, 1}, {"l2", {0.25}, 1}}, 6.5}};
    for (size_t i = 0; i < LAM_COUNT(cases); i++) {
        lam_regularizer reg;
        CHECK_OK(read_reg(cases[i].type, cases[i].options, &reg));
        CHECK_NEAR(lam_regularizer_value(&reg, 4, w), cases[i].want, 1e-7);
        CHECK_NEAR(lam_regularizer_value(&reg, 0, w), 0, 0);
    }
}

TEST(regularizer_gradients_match_finite_differences)
{
    enum { N = 37 };
    float w[N], g[N];
    unit_fill(w, N, -2, 2);
    w[3] = 0;
    for (size_t k = 0; lam_regularizer_names[k]; k++) {
        lam_regularizer reg;
        CHECK_OK(read_reg(lam_regularizer_names[k], NULL, &reg));
        if (reg.l1 == 0 && reg.l2 == 0)
            reg = (lam_regularizer){0.3f, 0.7f};
        for (int i = 0; i < N; i++)
            g[i] = 1;
        lam_regularizer_gradient(&reg, N, w, 0.5f, g);
        for (int i = 0; i < N; i++) {
            float keep = w[i];
            const float h = 0x1p-7f; /* a sum of squares has no error of higher order */
            w[i] = keep + h;
            double up = lam_regularizer_value(&reg, N, w);
            w[i] = keep - h;
            double down = lam_regularizer_value(&reg, N, w);
            w[i] = keep;
            if (fabsf(keep) > h || keep == 0)
                CHECK_NEAR(g[i], 1 + 0.5 * (up - down) / (2 * (double)h), 1e-5);
        }
    }
}

TEST(regularizers_refuse_bad_arguments)
{
    lam_regularizer reg;
    CHECK_INT(read_reg("l3", NULL, &reg), LAM_EARGUMENT);
    CHECK_INT(read_reg("l1", (option[]){{"l2", {1}, 1}, {0}}, &reg), LAM_EARGUMENT);
    CHECK_INT(read_reg("l1", (option[]){{"l1", {-1}, 1}, {0}}, &reg), LAM_EARGUMENT);
    CHECK_INT(read_reg("l2", (option[]){{"l2", {INFINITY}, 1}, {0}}, &reg), LAM_EARGUMENT);
    CHECK_INT(read_reg("l2", (option[]){{"l2", {NAN}, 1}, {0}}, &reg), LAM_EARGUMENT);
}

/* ---- constraints ----------------------------------------------------------------------------------- */

static lam_status read_con(const char *type, const option *options, lam_constraint *c, lam_error *err)
{
    lam_arg arg[6];
    return lam_constraint_read(&(lam_spec){type, arguments(options, arg)}, c, err);
}

static lam_constraint make(const char *type, const option *options)
{
    lam_constraint c = {0};
    CHECK_OK(read_con(type, options, &c, NULL));
    return c;
}

/* The definition, one element at a time: the norm over all elements that share the kept indices. */
static void reference(const lam_constraint *c, const lam_shape *shape, const bool *over, const float *w, double *out)
{
    size_t n = lam_shape_count(shape);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t j = 0; j < n; j++) {
            bool same = true;
            size_t a = i, b = j;
            for (int k = shape->rank - 1; k >= 0; k--) {
                same = same && (over[k] || a % shape->dim[k] == b % shape->dim[k]);
                a /= shape->dim[k];
                b /= shape->dim[k];
            }
            sum += same ? (double)w[j] * (double)w[j] : 0;
        }
        double norm = sqrt(sum), wanted = 1;
        if (c->id == LAM_CONSTRAINT_maxnorm)
            wanted = fmin(norm, (double)c->max_value);
        if (c->id == LAM_CONSTRAINT_minmaxnorm)
            wanted = (double)c->rate * fmax((double)c->min_value, fmin((double)c->max_value, norm)) + (1 - (double)c->rate) * norm;
        out[i] = c->id == LAM_CONSTRAINT_nonneg ? fmax(0, (double)w[i]) : (double)w[i] * wanted / (1e-7 + norm);
    }
}

enum { MOST = 1500 };

static void check_constraint(const lam_constraint *c, const lam_shape *shape, const bool *over)
{
    static float w[MOST];
    static double want[MOST];
    size_t n = lam_shape_count(shape);
    unit_fill(w, n, -1, 1);
    for (size_t i = 0; i < n; i += shape->rank > 1 ? shape->dim[shape->rank - 1] : 5)
        w[i] = 0;
    reference(c, shape, over, w, want);
    CHECK_OK(lam_constraint_check(c, shape, NULL));
    lam_constraint_apply(c, shape, w);
    for (size_t i = 0; i < n; i++)
        CHECK_REL(w[i], want[i], 1e-6, 0);
}

TEST(constraints_bind_norms_over_any_dimensions)
{
    const struct {
        lam_shape shape;
        option axis;
        bool over[LAM_MAX_RANK];
    } cases[] = {
        {lam_shape_1(9), {"axis", {1}, 1}, {true}},
        {lam_shape_2(13, 7), {"axis", {1}, 1}, {true, false}},
        {lam_shape_2(13, 70), {"axis", {1}, 1}, {true, false}},
        {lam_shape_2(5, 133), {"axis", {2}, 1}, {false, true}},
        {lam_shape_2(5, 4), {"axis", {-1}, 1}, {false, true}},
        {lam_shape_2(5, 4), {"axis", {1, 2}, 2}, {true, true}},
        {lam_shape_2(1, 1), {"axis", {1}, 1}, {true, false}},
        {lam_shape_of(3, (size_t[]){3, 4, 5}), {"axis", {2}, 1}, {false, true, false}},
        {lam_shape_of(3, (size_t[]){3, 4, 5}), {"axis", {1, 3}, 2}, {true, false, true}},
        {lam_shape_of(4, (size_t[]){3, 3, 2, 8}), {"axis", {1, 2, 3}, 3}, {true, true, true, false}},
        {lam_shape_of(4, (size_t[]){3, 3, 2, 8}), {"axis", {-4, -2}, 2}, {true, false, true, false}},
    };
    for (size_t i = 0; i < LAM_COUNT(cases); i++) {
        const option *axis = &cases[i].axis;
        const lam_constraint bound[] = {
            make("maxnorm", (option[]){{"max_value", {0.8}, 1}, *axis, {0}}),
            make("unitnorm", (option[]){*axis, {0}}),
            make("minmaxnorm", (option[]){{"min_value", {0.5}, 1}, {"max_value", {0.9}, 1}, {"rate", {0.6}, 1}, *axis, {0}}),
            make("nonneg", NULL)};
        for (size_t k = 0; k < LAM_COUNT(bound); k++)
            check_constraint(&bound[k], &cases[i].shape, cases[i].over);
    }
}

TEST(constraints_by_hand)
{
    lam_shape shape = lam_shape_2(2, 2);
    float w[] = {3, 0.3f, 4, 0.4f}; /* column norms 5 and 0.5 */
    lam_constraint c = make("max_norm", NULL);
    lam_constraint_apply(&c, &shape, w);
    CHECK_NEAR(w[0], 1.2, 1e-6);
    CHECK_NEAR(w[2], 1.6, 1e-6);
    CHECK_NEAR(w[1], 0.3, 1e-6);
    float zero[] = {0, 0, 0, 0};
    c = make("unit_norm", NULL);
    lam_constraint_apply(&c, &shape, zero);
    CHECK_NEAR(zero[0], 0, 0);
    lam_constraint none = {0};
    lam_constraint_apply(&none, &shape, w);
    CHECK_NEAR(w[0], 1.2, 1e-6);
}

TEST(constraints_have_the_names_and_defaults_of_keras)
{
    lam_constraint c = make("maxnorm", NULL);
    CHECK_NEAR(c.max_value, 2, 0);
    CHECK_INT(c.axes, 1);
    c = make("min_max_norm", NULL);
    CHECK_NEAR(c.min_value, 0, 0);
    CHECK_NEAR(c.max_value, 1, 0);
    CHECK_NEAR(c.rate, 1, 0);
    for (size_t i = 0; lam_constraint_names[i]; i++)
        CHECK_INT(make(lam_constraint_names[i], NULL).id, i + 1);
    for (size_t i = 0; lam_constraint_aliases[i]; i += 2)
        CHECK_INT(make(lam_constraint_aliases[i], NULL).id, make(lam_constraint_aliases[i + 1], NULL).id);
}

TEST(constraints_refuse_bad_arguments)
{
    lam_constraint c;
    CHECK_INT(read_con("norm", NULL, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("nonneg", (option[]){{"axis", {1}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("maxnorm", (option[]){{"max_value", {-1}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("maxnorm", (option[]){{"axis", {0}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("maxnorm", (option[]){{"axis", {1.5}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("maxnorm", (option[]){{"axis", {NAN}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    CHECK_INT(read_con("minmaxnorm", (option[]){{"min_value", {2}, 1}, {0}}, &c, NULL), LAM_EARGUMENT);
    lam_shape shape = lam_shape_1(4);
    c = make("maxnorm", (option[]){{"axis", {2}, 1}, {0}});
    CHECK_INT(lam_constraint_check(&c, &shape, NULL), LAM_ESHAPE);
    c = make("maxnorm", (option[]){{"axis", {-2}, 1}, {0}});
    CHECK_INT(lam_constraint_check(&c, &shape, NULL), LAM_ESHAPE);
}
