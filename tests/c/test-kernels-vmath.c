/* The vector functions of kernels/vmath_template.h against double-precision libm, in every tier. */
#ifndef LAM_TIER
#include "unit.h"

#define LAM_TIERED_FILE "../tests/c/test-kernels-vmath.c"
#include "kernels/each_tier.h"

typedef void (*map_fn)(size_t n, const float *x, float *y);
typedef struct function {
    const char *name;
    map_fn fn[LAM_TIERS];
    double (*reference)(double);
    double ulp;
} function;

static double sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

/* The vector function is for x <= 88 only. */
static double expm1_to_88(double x)
{
    return expm1(x > 88 ? 88 : x);
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static const function functions[] = {
    {"exp", LAM_TIER_TABLE(map_exp), exp, 1.5},
    {"expm1", LAM_TIER_TABLE(map_expm1_to_88), expm1_to_88, 2.0},
    {"log", LAM_TIER_TABLE(map_log), log, 1.5},
    {"log1p", LAM_TIER_TABLE(map_log1p), log1p, 2.0},
    {"tanh", LAM_TIER_TABLE(map_tanh), tanh, 3.0},
    {"sigmoid", LAM_TIER_TABLE(map_sigmoid), sigmoid, 2.5},
    {"softplus", LAM_TIER_TABLE(map_softplus), softplus, 2.5},
    {"erf", LAM_TIER_TABLE(map_erf), erf, 2.0},
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

/* The distance of neighbouring floats at |want|, which may lie among the denormals. */
static double ulp_at(double want)
{
    int e;
    frexp(want, &e);
    return ldexp(1.0, e - 24 < -149 ? -149 : e - 24);
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Every 1021st float there is, and every one around the places where a formula changes. */
#define BLOCK 4096
static void sweep(const function *f, int tier, uint32_t first, uint64_t count, uint32_t step)
{
    static float x[BLOCK], y[BLOCK];
    double worst = 0.0;
    float at = 0.0f;
    for (uint64_t done = 0; done < count; done += BLOCK) {
        for (uint64_t i = 0; i < BLOCK; i++)
            x[i] = from_bits(first + (uint32_t)(done + i) * step);
        f->fn[tier](BLOCK, x, y);
        for (size_t i = 0; i < BLOCK; i++) {
            double want = f->reference((double)x[i]);
            double off;
            if (isnan(want) || isnan(y[i]))
                off = isnan(want) && isnan(y[i]) ? 0.0 : INFINITY;
            else if ((float)want == y[i])
                off = 0.0;
            else if (isinf(y[i]))
                off = fabs(want) > 0x1.fffffcp127 ? 0.0 : INFINITY;
            else
                off = fabs((double)y[i] - want) / ulp_at(want);
            if (off > worst) {
                worst = off;
                at = x[i];
            }
        }
    }
    if (getenv("LAMINA_VERBOSE"))
        printf("%s %s: %.3f ulp at %.9g\n", f->name, lam_tier_name((lam_tier_id)tier), worst, (double)at);
    if (worst > f->ulp)
        unit_fail(__FILE__, __LINE__, "%s (%s): %.2f ulp at %.9g", f->name,
                  lam_tier_name((lam_tier_id)tier), worst, (double)at);
}

TEST(vector_functions_keep_their_error_bounds)
{
    static const float places[] = {0.6666667f, 1.0f, 1.3333334f, 0.34657359f, 10.0f, 3.95f, 88.722839f,
                                   -87.336544f, -103.97208f, -1.0f, 0x1p-25f, 0x1p25f};
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++)
        for (size_t i = 0; i < FUNCTIONS; i++) {
            sweep(&functions[i], tier, 0, ((uint64_t)1 << 32) / 1021, 1021);
            for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
                uint32_t bits;
                memcpy(&bits, &places[p], sizeof bits);
                sweep(&functions[i], tier, bits - BLOCK, 2 * BLOCK, 1);
            }
        }
}

TEST(vector_functions_at_the_edges)
{
    const float inf = INFINITY;
    static const float x[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1000.0f, -1000.0f, 3e38f, -3e38f};
    enum { N = sizeof x / sizeof x[0] };
    const float want[FUNCTIONS][N] = {
        {1, 1, inf, 0, NAN, inf, 0, inf, 0},
        {0, 0, (float)expm1(88), -1, NAN, (float)expm1(88), -1, (float)expm1(88), -1},
        {-inf, -inf, inf, NAN, NAN, logf(1000), NAN, logf(3e38f), NAN},
        {0, -0.0f, inf, NAN, NAN, log1pf(1000), NAN, logf(3e38f), NAN},
        {0, -0.0f, 1, -1, NAN, 1, -1, 1, -1},
        {0.5f, 0.5f, 1, 0, NAN, 1, 0, 1, 0},
        {0.69314718f, 0.69314718f, inf, 0, NAN, 1000, 0, 3e38f, 0},
        {0, -0.0f, 1, -1, NAN, 1, -1, 1, -1},
    };
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++)
        for (size_t i = 0; i < FUNCTIONS; i++) {
            float y[N];
            functions[i].fn[tier](N, x, y);
            for (size_t j = 0; j < N; j++) {
                CHECK_REL(y[j], want[i][j], 2e-7, 0.0);
                CHECK_INT(signbit(y[j]) != 0 && !isnan(y[j]), signbit(want[i][j]) != 0 && !isnan(want[i][j]));
            }
        }
}

#else
#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

#define vf_expm1_to_88(x) vf_expm1(vf_min(vf_set(88.0f), x))
#define MAP(f)                                                            \
    LAM_FN void LAM_T(map_##f)(size_t n, const float *x, float *y)        \
    {                                                                     \
        size_t i = 0;                                                     \
        for (; i + VL <= n; i += VL)                                      \
            vf_store(y + i, vf_##f(vf_load(x + i)));                      \
        if (i < n)                                                        \
            vf_store_n(y + i, vf_##f(vf_load_n(x + i, n - i)), n - i);    \
    }
MAP(exp)
MAP(expm1_to_88)
MAP(log)
MAP(log1p)
MAP(tanh)
MAP(sigmoid)
MAP(softplus)
MAP(erf)
#undef MAP
#undef vf_expm1_to_88
#endif
