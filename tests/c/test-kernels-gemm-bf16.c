/* Products of numbers rounded to bfloat16, against the rounding's definition and three loops in double
 * precision over rounded numbers. */
#include "base/fpu.h"
#include "kernels/gemm_bf16.h"
#include "products.h"

/* Every tier, and the tier with vdpbf16ps once with and once without. */
static void each_way(void (*fn)(void))
{
    lam_tier_id before = lam_tier();
    bool dots = lam_dots();
    uint64_t mode = lam_fpu_enter(); /* as while a network computes */
    CHECK_OK(lam_threads_set(2, NULL));
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        lam_dots_set(false);
        fn();
        lam_dots_set(true);
        if (lam_dots())
            fn();
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    lam_dots_set(dots);
    lam_threads_stop();
    lam_fpu_leave(mode);
}

static void check_rounding(void)
{
    static const uint32_t given[][2] = {
        {0x3f800000, 0x3f800000}, {0x3f807fff, 0x3f800000}, {0x3f808000, 0x3f800000}, /* a tie, to even */
        {0x3f808001, 0x3f810000}, {0x3f818000, 0x3f820000}, {0x3f817fff, 0x3f810000}, {0xbf818000, 0xbf820000},
        {0xbf808000, 0xbf800000}, {0x3fffffff, 0x40000000}, {0x00000000, 0x00000000}, {0x80000000, 0x80000000},
        {0x7f7fffff, 0x7f800000}, {0x7f7f8000, 0x7f800000}, {0x7f7f7fff, 0x7f7f0000}, {0xff7fffff, 0xff800000},
        {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000}, /* infinity */
        {0x00000001, 0x00000000}, {0x00008000, 0x00000000}, {0x00008001, 0x00010000}, {0x00018000, 0x00020000},
        {0x007fffff, 0x00800000}, {0x807f8000, 0x80800000}, /* denormals */
    };
    static const uint32_t nans[] = {0x7fc00000, 0x7f800001, 0xff800001, 0x7fffffff, 0xffffffff, 0x7f80ffff};
    enum { MANY = 1003 };
    float x[MANY], y[MANY];
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        x[0] = float_of(given[i][0]);
        lam_bf16_round(1, x, y);
        CHECK(bits_of(y[0]) == given[i][1] && bits_of(rounded_to_bf16(x[0])) == given[i][1]);
    }
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        x[i] = float_of(nans[i]);
        lam_bf16_round(i + 1, x, y);
        CHECK(isnan(y[i]) && (bits_of(y[i]) & 0xffff) == 0);
    }
    for (int again = 0; again < 300; again++) {
        for (size_t i = 0; i < MANY; i++) /* all exponents; every other number near a tie */
            x[i] = float_of((uint32_t)unit_uniform(0, 65536) << 16 |
                            (i % 2 ? (uint32_t)unit_uniform(0, 65536) : (uint32_t)unit_uniform(0x7ffe, 0x8003)));
        lam_bf16_round(MANY, x, y);
        for (size_t i = 0; i < MANY; i++)
            CHECK(isnan(x[i]) ? isnan(y[i]) : bits_of(y[i]) == bits_of(rounded_to_bf16(x[i])));
    }
}

TEST(bf16_rounding)
{
    each_way(check_rounding);
}

/* Every form of every shape, with the ways of finishing taken in turn. */
static void check_shape(size_t m, size_t k, size_t n)
{
    static unsigned turn;
    for (int form = 0; form < 3; form++) {
        turn++;
        problem q = {(lam_form)form, m, n, k, turn % 3 == 0 ? 3 : 0, turn % 2 == 0, turn % 5 > 1, acts[turn % 7],
                     turn % 11 > 5, turn % 4 == 1, true};
        numbers x = make_numbers(&q);
        run_product(&q, &x);
        check_product(&q, &x);
        drop_numbers(&x);
    }
}

static void check_shapes(void)
{
    static const size_t shapes[][3] = {
        {1, 0, 1}, {7, 0, 33}, {0, 3, 4}, {3, 4, 0}, {1, 784, 130}, {2, 700, 49}, {5, 2000, 1}, {5, 800, 3},
        {128, 683, 47}, {301, 40, 20}, {17, 3000, 2}, {600, 257, 65}, {40, 256, 400}, {33, 513, 70},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
    for (size_t s = 1; s <= 70; s++) {
        check_shape(s, 1 + (s * 7) % 70, 1 + (s * 31) % 70);
        check_shape(1 + (s * 13) % 70, s, 1 + (s * 11) % 70);
        check_shape(1 + (s * 37) % 70, 1 + (s * 3) % 70, s);
    }
}

TEST(bf16_products)
{
    each_way(check_shapes);
}

/* One result for all: tiers, vdpbf16ps or not, numbers of threads. */
static problem same;
static numbers same_numbers;
static float *same_c;
static bool same_known;

static void check_same(void)
{
    for (int threads = 1; threads <= 3; threads++) {
        CHECK_OK(lam_threads_set(threads, NULL));
        run_product(&same, &same_numbers);
        if (!same_known)
            memcpy(same_c, same_numbers.c, same_numbers.n_c * sizeof(float));
        same_known = true;
        CHECK(memcmp(same_c, same_numbers.c, same_numbers.n_c * sizeof(float)) == 0);
    }
}

TEST(bf16_products_have_the_same_bits_everywhere)
{
    static const size_t shapes[][3] = {{260, 300, 301}, {5000, 300, 9}, {64, 400, 900}, {9000, 500, 2}, {650, 91, 200},
                                       {33, 1001, 37}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int form = 0; form < 3; form++) {
            same = (problem){(lam_form)form, shapes[s][0], shapes[s][2], shapes[s][1], 0, s % 2 == 0, true, &relu, false, false, true};
            same_numbers = make_numbers(&same);
            same_c = malloc(same_numbers.n_c * sizeof *same_c);
            same_known = false;
            each_way(check_same);
            drop_numbers(&same_numbers);
            free(same_c);
        }
}

/* What is not a number, infinite or too small does not get lost; denormals are 0. */
static void check_special(void)
{
    static const float given[] = {NAN, INFINITY, -INFINITY, 3.4e38f, 1e-39f, 1e-40f};
    enum { K = 5, N = 19 };
    for (size_t s = 0; s < sizeof given / sizeof given[0]; s++)
        for (size_t at = 0; at < K; at++) {
            float a[K] = {0}, b[K * N], c[N];
            for (size_t i = 0; i < K * N; i++)
                b[i] = 1.0f;
            a[at] = given[s];
            lam_gemm_run(&(lam_gemm){.form = LAM_NN, .m = 1, .n = N, .k = K, .a = a, .lda = K, .b = b, .ldb = N,
                                     .c = c, .ldc = N, .bf16 = true});
            for (size_t j = 0; j < N; j++) {
                float want = fabsf(given[s]) < 1e-38f ? 0.0f : rounded_to_bf16(given[s]);
                CHECK(isnan(want) ? isnan(c[j]) : c[j] == want);
            }
        }
}

TEST(bf16_products_of_special_numbers)
{
    each_way(check_special);
}
