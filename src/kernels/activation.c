#ifndef LAM_TIER
#include "kernels/activation.h"

#include <math.h>
#include <string.h>

#include "base/threads.h"

#define LAM_TIERED_FILE "kernels/activation.c"
#include "kernels/each_tier.h"

static const lam_activation_type types[LAM_ACT_COUNT] = {
#define LAM_ACTIVATION(name, ...) [LAM_ACT_##name] = {#name, __VA_ARGS__},
#include "kernels/activations.def"
#undef LAM_ACTIVATION
};

const char *const lam_activation_aliases[] = {"swish", "silu", "hard_swish", "hard_silu", NULL};

typedef void (*backward_fn)(const float *par, size_t rows, size_t d, const float *x, const float *y,
                            const float *dy, float *dx);

static const lam_activation_fn forward_table[LAM_ACT_COUNT][LAM_TIERS] = {
#define LAM_ACTIVATION(name, ...) [LAM_ACT_##name] = LAM_TIER_TABLE(name##_forward),
#include "kernels/activations.def"
#undef LAM_ACTIVATION
};

static const backward_fn backward_table[LAM_ACT_COUNT][LAM_TIERS] = {
#define LAM_ACTIVATION(name, ...) [LAM_ACT_##name] = LAM_TIER_TABLE(name##_backward),
#include "kernels/activations.def"
#undef LAM_ACTIVATION
};

const lam_activation_type *lam_activation_type_of(lam_act_id id)
{
    return &types[id];
}

lam_act_id lam_activation_find(const char *name)
{
    for (const char *const *pair = lam_activation_aliases; *pair; pair += 2)
        if (strcmp(name, pair[0]) == 0)
            name = pair[1];
    int id = 0;
    while (id < LAM_ACT_COUNT && strcmp(name, types[id].name) != 0)
        id++;
    return (lam_act_id)id;
}

lam_activation_fn lam_activation_kernel(lam_act_id id)
{
    return forward_table[id][lam_tier()];
}

/* These find from y which side of the threshold x was on, unless a parameter has the wrong sign. */
bool lam_activation_is_relu(const lam_activation *act)
{
    return act->id == LAM_ACT_relu && act->par[0] == 0.0f && act->par[1] == INFINITY && act->par[2] == 0.0f;
}

bool lam_activation_needs_x(const lam_activation *act)
{
    switch (act->id) {
    case LAM_ACT_relu: return act->par[0] < 0.0f || act->par[2] < 0.0f;
    case LAM_ACT_leaky_relu:
    case LAM_ACT_elu: return act->par[0] < 0.0f;
    default: return types[act->id].needs_x;
    }
}

/* Large arrays are cut into tasks of about TASK numbers, whole rows where rows matter. */
enum { TASK = 1 << 14, PARALLEL_FROM = 1 << 16 };

typedef struct job {
    const lam_activation *act;
    size_t rows, d, rows_per_task;
    const float *x, *y, *dy;
    float *out;
} job;

static job cut(const lam_activation *act, size_t rows, size_t d)
{
    if (!types[act->id].by_row) {
        rows *= d;
        d = 1;
    }
    size_t per_task = rows;
    if (rows * d >= PARALLEL_FROM)
        per_task = TASK > d ? TASK / d : 1;
    return (job){.act = act, .rows = rows, .d = d, .rows_per_task = per_task};
}

static size_t tasks_of(const job *j)
{
    return j->rows ? (j->rows - 1) / j->rows_per_task + 1 : 0;
}

static size_t rows_of_task(const job *j, size_t task)
{
    size_t left = j->rows - task * j->rows_per_task;
    return left < j->rows_per_task ? left : j->rows_per_task;
}

static void forward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    size_t at = task * j->rows_per_task * j->d;
    forward_table[j->act->id][lam_tier()](j->act->par, rows_of_task(j, task), j->d, j->x + at,
                                          j->out + at);
}

static void backward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    size_t at = task * j->rows_per_task * j->d;
    backward_table[j->act->id][lam_tier()](j->act->par, rows_of_task(j, task), j->d, j->x + at,
                                           j->y + at, j->dy + at, j->out + at);
}

void lam_activation_forward(const lam_activation *act, size_t rows, size_t d, const float *x, float *y)
{
    job j = cut(act, rows, d);
    j.x = x;
    j.out = y;
    lam_parallel(tasks_of(&j), forward_task, &j);
}

/* What a type does not need may be NULL; the loops read something harmless in its place.  In place
 * of relu's, leaky_relu's and elu's x it must be y, which lies on the same side of the threshold. */
void lam_activation_backward(const lam_activation *act, size_t rows, size_t d, const float *x,
                             const float *y, const float *dy, float *dx)
{
    job j = cut(act, rows, d);
    j.dy = dy;
    j.y = types[act->id].needs_y ? y : dy;
    j.x = lam_activation_needs_x(act) ? x : j.y;
    j.out = dx;
    lam_parallel(tasks_of(&j), backward_task, &j);
}

#else
#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

#define IGNORABLE __attribute__((unused))
/* y = f(x), and the slope dy/dx as a function of what the list says it needs. */
#define VALUE(name) LAM_INLINE vf LAM_T(name##_value)(const float *par IGNORABLE, vf x)
#define SLOPE(name) \
    LAM_INLINE vf LAM_T(name##_slope)(const float *par IGNORABLE, vf x IGNORABLE, vf y IGNORABLE)

/* f(x) = x */
VALUE(linear) { return x; }
SLOPE(linear) { return vf_set(1.0f); }

/* Keras' general rectifier: max_value from max_value on, x from the threshold on, below it
 * negative_slope (x - threshold).  Both corners have the slope of their flat side. */
VALUE(relu)
{
    vf limit = vf_set(par[1]), threshold = vf_set(par[2]);
    vf low = par[0] == 0.0f ? vf_set(0.0f) : vf_set(par[0]) * (x - threshold);
    vf y = vf_select(x < threshold, low, x);
    return vf_select(x >= limit, limit, y);
}
SLOPE(relu)
{
    vf s = vf_select(x > vf_set(par[2]), vf_set(1.0f), vf_set(par[0]));
    return vf_select(x >= vf_set(par[1]), vf_set(0.0f), s);
}

/* f(x) = min(max(x, 0), 6) */
VALUE(relu6) { return vf_min(vf_set(6.0f), vf_max(vf_set(0.0f), x)); }
SLOPE(relu6)
{
    return vf_select((y > vf_set(0.0f)) & (y < vf_set(6.0f)), vf_set(1.0f), vf_set(0.0f));
}

/* f(x) = x where x > 0, else negative_slope x */
VALUE(leaky_relu) { return vf_select(x > vf_set(0.0f), x, vf_set(par[0]) * x); }
SLOPE(leaky_relu) { return vf_select(x > vf_set(0.0f), vf_set(1.0f), vf_set(par[0])); }

/* f(x) = x where x > 0, else scale (exp(x) - 1) */
LAM_INLINE vf LAM_T(exponential_unit)(vf x, float scale)
{
    return vf_select(x > vf_set(0.0f), x, vf_set(scale) * vf_expm1(vf_min(vf_set(0.0f), x)));
}

/* Clevert, Unterthiner, Hochreiter 2016 */
VALUE(elu) { return LAM_T(exponential_unit)(x, par[0]); }
SLOPE(elu) { return vf_select(x > vf_set(0.0f), vf_set(1.0f), y + vf_set(par[0])); }

/* s elu(x) with alpha and s that keep mean 0 and variance 1 (Klambauer et al. 2017) */
#define SELU_ALPHA 1.6732632423543772f
#define SELU_SCALE 1.0507009873554805f
VALUE(selu) { return vf_set(SELU_SCALE) * LAM_T(exponential_unit)(x, SELU_ALPHA); }
SLOPE(selu)
{
    return vf_select(y > vf_set(0.0f), vf_set(SELU_SCALE), y + vf_set(SELU_SCALE * SELU_ALPHA));
}
#undef SELU_ALPHA
#undef SELU_SCALE

/* f(x) = x where x > 0, else alpha (exp(x / alpha) - 1)  (Barron 2017) */
VALUE(celu)
{
    vf alpha = vf_set(par[0]);
    vf e = vf_expm1(vf_min(vf_set(88.0f), vf_min(vf_set(0.0f), x) / alpha));
    return vf_select(x > vf_set(0.0f), x, alpha * e);
}
SLOPE(celu)
{
    vf one = vf_set(1.0f);
    return vf_select(y > vf_set(0.0f), one, y / vf_set(par[0]) + one);
}

/* f(x) = x Phi(x), Phi the normal distribution function, or (approximate) with
 * Phi(x) = (1 + tanh u) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)
 * (Hendrycks, Gimpel 2016) */
LAM_INLINE vf LAM_T(gelu_2u)(vf x)
{
    return x * vf_fma(vf_set(0.0713548163f), x * x, vf_set(1.59576912f));
}
LAM_INLINE vf LAM_T(normal_cdf)(vf x)
{
    return vf_set(0.5f) + vf_set(0.5f) * vf_erf(x * vf_set(0.707106781f));
}
VALUE(gelu) { return x * (par[0] != 0.0f ? vf_sigmoid(LAM_T(gelu_2u)(x)) : LAM_T(normal_cdf)(x)); }
SLOPE(gelu)
{
    if (par[0] != 0.0f) {
        vf s = vf_sigmoid(LAM_T(gelu_2u)(x));
        vf slope_2u = vf_fma(vf_set(0.214064449f), x * x, vf_set(1.59576912f));
        return s + x * slope_2u * s * (vf_set(1.0f) - s);
    }
    vf density = vf_set(0.398942280f) * vf_exp(vf_set(-0.5f) * x * x);
    return LAM_T(normal_cdf)(x) + x * density;
}

/* f(x) = x sigmoid(x) */
VALUE(silu) { return x * vf_sigmoid(x); }
SLOPE(silu)
{
    vf one = vf_set(1.0f), s = vf_sigmoid(x);
    return s * (one + x * (one - s));
}

/* f(x) = x tanh(softplus(x)) = x w / (w + 2), w = e^x (e^x + 2)  (Misra 2019) */
VALUE(mish)
{
    vf two = vf_set(2.0f), e = vf_exp(vf_min(vf_set(20.0f), x));
    vf w = e * (e + two);
    return x * (w / (w + two));
}
SLOPE(mish)
{
    vf two = vf_set(2.0f), e = vf_exp(vf_min(vf_set(20.0f), x));
    vf w = e * (e + two), inverse = vf_set(1.0f) / (w + two);
    return w * inverse + x * vf_set(4.0f) * e * (e + vf_set(1.0f)) * inverse * inverse;
}

/* f(x) = tanh(x) */
VALUE(tanh) { return vf_tanh(x); }
SLOPE(tanh) { return vf_set(1.0f) - y * y; }

/* f(x) = 1 / (1 + exp(-x)) */
VALUE(sigmoid) { return vf_sigmoid(x); }
SLOPE(sigmoid) { return y * (vf_set(1.0f) - y); }

/* f(x) = min(max(x / 6 + 1/2, 0), 1) */
VALUE(hard_sigmoid)
{
    vf y = vf_fma(x, vf_set(1.0f / 6.0f), vf_set(0.5f));
    return vf_min(vf_set(1.0f), vf_max(vf_set(0.0f), y));
}
SLOPE(hard_sigmoid)
{
    return vf_select((y > vf_set(0.0f)) & (y < vf_set(1.0f)), vf_set(1.0f / 6.0f), vf_set(0.0f));
}

/* f(x) = x hard_sigmoid(x) */
VALUE(hard_silu) { return x * LAM_T(hard_sigmoid_value)(par, x); }
SLOPE(hard_silu)
{
    vf inside = vf_fma(x, vf_set(1.0f / 3.0f), vf_set(0.5f));
    vf slope = vf_select(x < vf_set(3.0f), inside, vf_set(1.0f));
    return vf_select(x > vf_set(-3.0f), slope, vf_set(0.0f));
}

/* f(x) = log(1 + exp(x)); f' = sigmoid(x) = 1 - exp(-y) */
VALUE(softplus) { return vf_softplus(x); }
SLOPE(softplus) { return -vf_expm1(-y); }

/* f(x) = x / (1 + |x|); f' = (1 - |y|)^2 */
VALUE(softsign) { return x / (vf_set(1.0f) + vf_abs(x)); }
SLOPE(softsign)
{
    vf rest = vf_set(1.0f) - vf_abs(y);
    return rest * rest;
}

/* f(x) = exp(x) */
VALUE(exponential) { return vf_exp(x); }
SLOPE(exponential) { return y; }

/* f(x) = log(sigmoid(x)) = -softplus(-x); f' = 1 - exp(y) */
VALUE(log_sigmoid) { return -vf_softplus(-x); }
SLOPE(log_sigmoid) { return -vf_expm1(y); }

#undef VALUE
#undef SLOPE
#undef IGNORABLE

/* The loops of the element-wise types. */
#define LOOPS_false(name)                                                                           \
    LAM_FN void LAM_T(name##_forward)(const float *par, size_t rows, size_t d, const float *x, float *y) \
    {                                                                                               \
        size_t n = rows * d, i = 0;                                                                 \
        for (; i + VL <= n; i += VL)                                                                \
            vf_store(y + i, LAM_T(name##_value)(par, vf_load(x + i)));                              \
        if (i < n)                                                                                  \
            vf_store_n(y + i, LAM_T(name##_value)(par, vf_load_n(x + i, n - i)), n - i);            \
    }                                                                                               \
    LAM_FN void LAM_T(name##_backward)(const float *par, size_t rows, size_t d, const float *x,     \
                                       const float *y, const float *dy, float *dx)                  \
    {                                                                                               \
        size_t n = rows * d, i = 0;                                                                 \
        for (; i + VL <= n; i += VL) {                                                              \
            vf slope = LAM_T(name##_slope)(par, vf_load(x + i), vf_load(y + i));                    \
            vf_store(dx + i, vf_load(dy + i) * slope);                                              \
        }                                                                                           \
        if (i < n) {                                                                                \
            vf slope = LAM_T(name##_slope)(par, vf_load_n(x + i, n - i), vf_load_n(y + i, n - i));  \
            vf_store_n(dx + i, vf_load_n(dy + i, n - i) * slope, n - i);                            \
        }                                                                                           \
    }
#define LOOPS_true(name)
#define LAM_ACTIVATION(name, by_row, ...) LOOPS_##by_row(name)
#include "kernels/activations.def"
#undef LAM_ACTIVATION
#undef LOOPS_false
#undef LOOPS_true

/* The first n numbers at p; the lanes after them hold -Inf, which neither maximum nor exp() sees. */
LAM_INLINE vf LAM_T(load_or_low)(const float *p, size_t n)
{
    static const int32_t lanes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    vi lane;
    memcpy(&lane, lanes, sizeof lane);
    return vf_select(lane < vi_set((int32_t)n), vf_load_n(p, n), vf_set(-INFINITY));
}

LAM_INLINE float LAM_T(row_max)(size_t d, const float *x)
{
    vf best = vf_set(-INFINITY);
    size_t j = 0;
    for (; j + VL <= d; j += VL)
        best = vf_max(best, vf_load(x + j));
    if (j < d)
        best = vf_max(best, LAM_T(load_or_low)(x + j, d - j));
    return vf_hmax(best);
}

/* y_j = exp(x_j - max) / sum of them */
LAM_FN void LAM_T(softmax_forward)(const float *par, size_t rows, size_t d, const float *x, float *y)
{
    (void)par;
    for (size_t r = 0; r < rows; r++, x += d, y += d) {
        vf top = vf_set(LAM_T(row_max)(d, x)), sum = vf_set(0.0f);
        size_t full = d / VL * VL;
        for (size_t j = 0; j < full; j += VL) {
            vf e = vf_exp(vf_load(x + j) - top);
            vf_store(y + j, e);
            sum += e;
        }
        vf last = vf_set(0.0f);
        if (full < d) {
            last = vf_exp(LAM_T(load_or_low)(x + full, d - full) - top);
            sum += last;
        }
        vf inverse = vf_set(1.0f / vf_sum(sum));
        for (size_t j = 0; j < full; j += VL)
            vf_store(y + j, vf_load(y + j) * inverse);
        if (full < d)
            vf_store_n(y + full, last * inverse, d - full);
    }
}

/* dx_j = y_j (dy_j - sum_i dy_i y_i) */
LAM_FN void LAM_T(softmax_backward)(const float *par, size_t rows, size_t d, const float *x,
                                    const float *y, const float *dy, float *dx)
{
    (void)par;
    (void)x;
    for (size_t r = 0; r < rows; r++, y += d, dy += d, dx += d) {
        vf dot = vf_set(0.0f);
        size_t j = 0;
        for (; j + VL <= d; j += VL)
            dot = vf_fma(vf_load(y + j), vf_load(dy + j), dot);
        if (j < d)
            dot = vf_fma(vf_load_n(y + j, d - j), vf_load_n(dy + j, d - j), dot);
        dot = vf_set(vf_sum(dot));
        for (j = 0; j + VL <= d; j += VL)
            vf_store(dx + j, vf_load(y + j) * (vf_load(dy + j) - dot));
        if (j < d)
            vf_store_n(dx + j, vf_load_n(y + j, d - j) * (vf_load_n(dy + j, d - j) - dot), d - j);
    }
}

/* y_j = (x_j - max) - log(sum_i exp(x_i - max)) */
LAM_FN void LAM_T(log_softmax_forward)(const float *par, size_t rows, size_t d, const float *x, float *y)
{
    (void)par;
    for (size_t r = 0; r < rows; r++, x += d, y += d) {
        vf top = vf_set(LAM_T(row_max)(d, x)), sum = vf_set(0.0f);
        size_t j = 0;
        for (; j + VL <= d; j += VL)
            sum += vf_exp(vf_load(x + j) - top);
        if (j < d)
            sum += vf_exp(LAM_T(load_or_low)(x + j, d - j) - top);
        vf log_sum = vf_set(logf(vf_sum(sum)));
        for (j = 0; j + VL <= d; j += VL)
            vf_store(y + j, (vf_load(x + j) - top) - log_sum);
        if (j < d)
            vf_store_n(y + j, (vf_load_n(x + j, d - j) - top) - log_sum, d - j);
    }
}

/* dx_j = dy_j - exp(y_j) sum_i dy_i */
LAM_FN void LAM_T(log_softmax_backward)(const float *par, size_t rows, size_t d, const float *x,
                                        const float *y, const float *dy, float *dx)
{
    (void)par;
    (void)x;
    for (size_t r = 0; r < rows; r++, y += d, dy += d, dx += d) {
        vf sum = vf_set(0.0f);
        size_t j = 0;
        for (; j + VL <= d; j += VL)
            sum += vf_load(dy + j);
        if (j < d)
            sum += vf_load_n(dy + j, d - j);
        sum = vf_set(vf_sum(sum));
        for (j = 0; j + VL <= d; j += VL)
            vf_store(dx + j, vf_load(dy + j) - vf_exp(vf_load(y + j)) * sum);
        if (j < d) {
            vf e = vf_exp(vf_load_n(y + j, d - j));
            vf_store_n(dx + j, vf_load_n(dy + j, d - j) - e * sum, d - j);
        }
    }
}

#endif
