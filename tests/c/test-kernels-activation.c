/* Every entry of activations.def against its definition in double precision, and its backward
 * against finite differences of that definition. */
#include "activation-reference.h"
#include "base/threads.h"
#include "kernels/cpu.h"
#include "unit.h"

static double clip(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

double activation_reference(const lam_activation *a, double x)
{
    double p = (double)a->par[0];
    switch (a->id) {
    case LAM_ACT_linear: return x;
    case LAM_ACT_relu: {
        double limit = (double)a->par[1], threshold = (double)a->par[2];
        return x >= limit ? limit : x >= threshold ? x : p * (x - threshold);
    }
    case LAM_ACT_relu6: return clip(x, 0, 6);
    case LAM_ACT_leaky_relu: return x > 0 ? x : p * x;
    case LAM_ACT_elu: return x > 0 ? x : p * (exp(x) - 1);
    case LAM_ACT_selu:
        return 1.05070098735548049342 * (x > 0 ? x : 1.67326324235437728482 * (exp(x) - 1));
    case LAM_ACT_celu: return fmax(0, x) + fmin(0, p * (exp(x / p) - 1));
    case LAM_ACT_gelu:
        return p != 0 ? 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)))
                      : x * 0.5 * erfc(-x / sqrt(2));
    case LAM_ACT_silu: return x / (1 + exp(-x));
    case LAM_ACT_mish: return x * tanh(log1p(exp(x)));
    case LAM_ACT_tanh: return tanh(x);
    case LAM_ACT_sigmoid: return 1 / (1 + exp(-x));
    case LAM_ACT_hard_sigmoid: return clip(x / 6 + 0.5, 0, 1);
    case LAM_ACT_hard_silu: return x * clip(x / 6 + 0.5, 0, 1);
    case LAM_ACT_softplus: return log1p(exp(x));
    case LAM_ACT_softsign: return x / (1 + fabs(x));
    case LAM_ACT_exponential: return exp(x);
    case LAM_ACT_log_sigmoid: return -log1p(exp(-x));
    default: return NAN;
    }
}

static void define_row(lam_act_id id, size_t d, const double *x, double *y)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += exp(x[j]);
    for (size_t j = 0; j < d; j++)
        y[j] = id == LAM_ACT_softmax ? exp(x[j]) / sum : id == LAM_ACT_log_softmax ? x[j] - log(sum) : NAN;
}

static void each_tier(void (*fn)(void))
{
    lam_tier_id before = lam_tier();
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        fn();
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
}

/* The parameter sets tried: a type's defaults, and others where it has parameters. */
static const lam_activation others[] = {
    {LAM_ACT_relu, {0.1f, 2.0f, 0.5f}}, {LAM_ACT_relu, {0.0f, INFINITY, 1.0f}},
    {LAM_ACT_relu, {0.3f, 1.5f, -1.0f}}, {LAM_ACT_relu, {-0.2f, INFINITY, 0.0f}},
    {LAM_ACT_leaky_relu, {0.0f}}, {LAM_ACT_leaky_relu, {-0.5f}},
    {LAM_ACT_elu, {0.3f}}, {LAM_ACT_elu, {-0.7f}}, {LAM_ACT_celu, {0.4f}}, {LAM_ACT_celu, {-2.0f}},
    {LAM_ACT_gelu, {1.0f}},
};

static void each_activation(void (*fn)(const lam_activation *))
{
    for (int id = 0; id < LAM_ACT_COUNT; id++) {
        lam_activation a = {.id = (lam_act_id)id};
        memcpy(a.par, lam_activation_type_of(a.id)->par_default, sizeof a.par);
        fn(&a);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        fn(&others[i]);
}

static const float *x_of_backward(const lam_activation *a, const float *x)
{
    return lam_activation_needs_x(a) ? x : NULL;
}

static const float *y_of_backward(const lam_activation *a, const float *y)
{
    return lam_activation_type_of(a->id)->needs_y ? y : NULL;
}

/* Out of place, then in place; what lies after the last number must stay. */
static void check_element_wise(const lam_activation *a, size_t n)
{
    float x[70], y[70], dy[70], dx[70];
    const char *name = lam_activation_type_of(a->id)->name;
    unit_fill(x, n, -9.0, 9.0);
    unit_fill(dy, n, -2.0, 2.0);
    y[n] = dx[n] = 77.0f;
    lam_activation_forward(a, 1, n, x, y);
    lam_activation_backward(a, 1, n, x_of_backward(a, x), y_of_backward(a, y), dy, dx);
    CHECK(y[n] == 77.0f && dx[n] == 77.0f);
    for (size_t i = 0; i < n; i++) {
        double at = (double)x[i], h = 1e-5, want = activation_reference(a, at);
        if (isnan(want))
            unit_fail(__FILE__, __LINE__, "%s is not defined in this test", name);
        unit_rel(__FILE__, __LINE__, name, (double)y[i], want, 1e-5, 1e-6);
        double left = (want - activation_reference(a, at - h)) / h, right = (activation_reference(a, at + h) - want) / h;
        if (fabs(left - right) < 1e-3 * (1 + fabs(left))) /* not at a corner */
            unit_rel(__FILE__, __LINE__, name, (double)dx[i], 0.5 * (left + right) * (double)dy[i], 1e-5, 1e-6);
    }
    float in_place[70], dx_in_place[70];
    memcpy(in_place, x, sizeof in_place);
    memcpy(dx_in_place, dy, sizeof dx_in_place);
    lam_activation_forward(a, 1, n, in_place, in_place);
    lam_activation_backward(a, 1, n, x_of_backward(a, x), y_of_backward(a, y), dx_in_place, dx_in_place);
    CHECK(memcmp(in_place, y, n * sizeof *y) == 0);
    CHECK(memcmp(dx_in_place, dx, n * sizeof *dx) == 0);
}

static void check_by_row(const lam_activation *a, size_t rows, size_t d)
{
    float x[120], y[120], dy[120], dx[120], in_place[120];
    const char *name = lam_activation_type_of(a->id)->name;
    size_t n = rows * d;
    unit_fill(x, n, -5.0, 5.0);
    unit_fill(dy, n, -2.0, 2.0);
    lam_activation_forward(a, rows, d, x, y);
    lam_activation_backward(a, rows, d, x_of_backward(a, x), y_of_backward(a, y), dy, dx);
    for (size_t r = 0; r < rows; r++) {
        double row[40], want[40], high[40], low[40], h = 1e-5;
        for (size_t j = 0; j < d; j++)
            row[j] = (double)x[r * d + j];
        define_row(a->id, d, row, want);
        for (size_t j = 0; j < d; j++) {
            if (isnan(want[j]))
                unit_fail(__FILE__, __LINE__, "%s is not defined in this test", name);
            unit_rel(__FILE__, __LINE__, name, (double)y[r * d + j], want[j], 1e-5, 1e-6);
            row[j] += h;
            define_row(a->id, d, row, high);
            row[j] -= 2 * h;
            define_row(a->id, d, row, low);
            row[j] += h;
            double slope = 0;
            for (size_t i = 0; i < d; i++)
                slope += (double)dy[r * d + i] * (high[i] - low[i]) / (2 * h);
            unit_rel(__FILE__, __LINE__, name, (double)dx[r * d + j], slope, 1e-5, 3e-6);
        }
    }
    memcpy(in_place, x, n * sizeof *x);
    lam_activation_forward(a, rows, d, in_place, in_place);
    CHECK(memcmp(in_place, y, n * sizeof *y) == 0);
    memcpy(in_place, dy, n * sizeof *x);
    lam_activation_backward(a, rows, d, x_of_backward(a, x), y_of_backward(a, y), in_place, in_place);
    CHECK(memcmp(in_place, dx, n * sizeof *dx) == 0);
}

static void check_one(const lam_activation *a)
{
    static const size_t sizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33, 40, 64, 67};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (!lam_activation_type_of(a->id)->by_row)
            check_element_wise(a, sizes[i]);
        else if (sizes[i] > 0 && sizes[i] <= 40)
            check_by_row(a, 3, sizes[i]);
    }
}

static void check_all(void)
{
    each_activation(check_one);
}

TEST(activations_follow_their_definition)
{
    each_tier(check_all);
}

/* Far out nothing overflows or turns NaN; NaN stays NaN. */
static void check_far(const lam_activation *a)
{
    if (a->par[0] < 0.0f || lam_activation_type_of(a->id)->by_row)
        return;
    const char *name = lam_activation_type_of(a->id)->name;
    float x[] = {-300.0f, -60.0f, 60.0f, 80.0f, -0.0f, 1e-30f, NAN}, y[7], dx[7];
    float dy[] = {1, 1, 1, 1, 1, 1, 1};
    lam_activation_forward(a, 1, 7, x, y);
    lam_activation_backward(a, 1, 7, x_of_backward(a, x), y_of_backward(a, y), dy, dx);
    for (size_t i = 0; i < 6; i++) {
        unit_rel(__FILE__, __LINE__, name, (double)y[i], activation_reference(a, (double)x[i]), 1e-5, 1e-6);
        CHECK(isfinite(dx[i]));
    }
    CHECK(isnan(y[6]));
}

static void check_all_far(void)
{
    each_activation(check_far);
    for (int id = LAM_ACT_softmax; id <= LAM_ACT_log_softmax; id++) {
        lam_activation a = {.id = (lam_act_id)id};
        float x[] = {1000.0f, 1000.0f, -1000.0f}, y[3];
        lam_activation_forward(&a, 1, 3, x, y);
        CHECK_NEAR(y[0], id == LAM_ACT_softmax ? 0.5 : -log(2), 1e-6);
        CHECK_NEAR(y[2], id == LAM_ACT_softmax ? 0 : -2000 - log(2), 1e-6);
    }
}

TEST(activations_far_out)
{
    each_tier(check_all_far);
}

TEST(rectifiers_are_flat_at_their_corner)
{
    lam_activation relu = {.id = LAM_ACT_relu, .par = {0, INFINITY, 0}};
    float x[] = {0.0f, -INFINITY, INFINITY}, y[3], dy[] = {1, 1, 1}, dx[3];
    lam_activation_forward(&relu, 1, 3, x, y);
    lam_activation_backward(&relu, 1, 3, NULL, y, dy, dx);
    CHECK_NEAR(dx[0], 0, 0);
    CHECK_NEAR(y[1], 0, 0);
    CHECK(isinf(y[2]));
}

TEST(activations_are_found_by_name_and_alias)
{
    for (int id = 0; id < LAM_ACT_COUNT; id++)
        CHECK_INT(lam_activation_find(lam_activation_type_of((lam_act_id)id)->name), id);
    for (const char *const *pair = lam_activation_aliases; *pair; pair += 2)
        CHECK_INT(lam_activation_find(pair[0]), lam_activation_find(pair[1]));
    CHECK_INT(lam_activation_find("swish"), LAM_ACT_silu);
    CHECK_INT(lam_activation_find("nothing"), LAM_ACT_COUNT);
}

/* Large arrays go to tasks; the bits do not depend on how many threads there are. */
static void check_threads(const lam_activation *a)
{
    size_t rows = 1003, d = 101, n = rows * d;
    float *buffer = malloc(5 * n * sizeof *buffer);
    float *x = buffer, *dy = x + n, *y = dy + n, *dx = y + n, *again = dx + n;
    unit_fill(x, n, -4.0, 4.0);
    unit_fill(dy, n, -1.0, 1.0);
    for (int threads = 1; threads <= 3; threads++) {
        CHECK_OK(lam_threads_set(threads, NULL));
        lam_activation_forward(a, rows, d, x, again);
        if (threads == 1)
            memcpy(y, again, n * sizeof *y);
        CHECK(memcmp(y, again, n * sizeof *y) == 0);
        lam_activation_backward(a, rows, d, x_of_backward(a, x), y_of_backward(a, y), dy, again);
        if (threads == 1)
            memcpy(dx, again, n * sizeof *y);
        CHECK(memcmp(dx, again, n * sizeof *y) == 0);
    }
    /* the same rows one by one */
    for (size_t r = 0; r < rows; r++) {
        lam_activation_forward(a, 1, d, x + r * d, again);
        CHECK(memcmp(again, y + r * d, d * sizeof *y) == 0);
    }
    lam_threads_stop();
    free(buffer);
}

TEST(activations_do_not_depend_on_threads)
{
    each_activation(check_threads);
}
