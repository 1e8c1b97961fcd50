/* Dropout and noise against the numbers of base/rng.h, drawn one by one. */
#include "kernels/kernels.h"
#include "unit.h"

static void each_tier(void (*fn)(void))
{
    lam_tier_id before = lam_tier();
    CHECK_OK(lam_threads_set(2, NULL));
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        fn();
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    lam_threads_stop();
}

/* Sizes with every tail, and starts within and across blocks, and where the counter carries. */
static const size_t sizes[] = {0, 1, 3, 15, 16, 17, 37, 64, 1000, 1025, 2500, 70000};
static const uint64_t starts[] = {0, 1, 2, 3, 5, 1023, ((uint64_t)1 << 32) - 7, ((uint64_t)1 << 34) - 9};
static const lam_rng generators[] = {
    {1, 16, 0}, {0xFEDCBA9876543210u, 0xFFFFFF, 0x123456789ABCDEFu}, {0, 0, 0xFFFFFFFFu},
};
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void check_dropout(void)
{
    static float x[70001], y[70001], dx[70001], dy[70001];
    static uint8_t mask[70001];
    float rates[] = {0.0f, 0.2f, 0.5f, 0.999f, 1.0f};
    unit_fill(x, COUNT(x), 1.0, 2.0);
    unit_fill(dy, COUNT(dy), 1.0, 2.0);
    unsigned turn = 0;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t f = 0; f < COUNT(starts); f++) {
            size_t n = sizes[s];
            const lam_rng *rng = &generators[turn % COUNT(generators)];
            float rate = rates[turn++ % COUNT(rates)];
            mask[n] = 77;
            y[n] = dx[n] = 77.0f;
            lam_dropout_forward(n, rng, starts[f], rate, x, y, mask);
            lam_dropout_backward(n, mask, 1.25f, dy, dx);
            CHECK(mask[n] == 77 && y[n] == 77.0f && dx[n] == 77.0f);
            for (size_t i = 0; i < n; i++) {
                uint8_t want = lam_random_uniform(rng, starts[f] + i) >= rate;
                CHECK_INT(mask[i], want);
                CHECK_REL(y[i], want && rate < 1 ? (double)x[i] / (1 - (double)rate) : 0, 3e-7, 0);
                CHECK_REL(dx[i], want ? 1.25 * (double)dy[i] : 0, 1e-7, 0);
            }
            memcpy(dx, x, n * sizeof *x);
            lam_dropout_forward(n, rng, starts[f], rate, dx, dx, mask);
            CHECK(memcmp(dx, y, n * sizeof *y) == 0);
        }
}

TEST(dropout_draws_the_generators_numbers)
{
    each_tier(check_dropout);
}

static void check_noise(void)
{
    static float x[70001], y[70001];
    unit_fill(x, COUNT(x), -2.0, 2.0);
    unsigned turn = 0;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (size_t f = 0; f < COUNT(starts); f++) {
            size_t n = sizes[s];
            const lam_rng *rng = &generators[turn++ % COUNT(generators)];
            y[n] = 77.0f;
            lam_noise(n, rng, starts[f], 0.5f, x, y);
            CHECK(y[n] == 77.0f);
            for (size_t i = 0; i < n; i++)
                CHECK_NEAR(y[i], (double)x[i] + 0.5 * lam_random_normal(rng, starts[f] + i), 5e-7);
        }
    /* without x's rounding: a relative bound, and an absolute one where the cosine is small */
    memset(x, 0, sizeof x);
    lam_noise(70000, &generators[0], 3, 1.0f, x, y);
    for (size_t i = 0; i < 70000; i++)
        CHECK_REL(y[i], lam_random_normal(&generators[0], 3 + i), 6e-7, 0);
}

TEST(noise_is_the_generators_normal_numbers)
{
    each_tier(check_noise);
}
