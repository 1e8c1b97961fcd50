#include "base/rng.h"

#include <math.h>

void lam_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        c0 = n0;
        c2 = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block(const lam_rng *rng, uint64_t number, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)};
    uint32_t counter[4] = {(uint32_t)number, (uint32_t)(number >> 32) | rng->stream << 8,
                           (uint32_t)rng->step, (uint32_t)(rng->step >> 32)};
    lam_philox(key, counter, out);
}

uint32_t lam_random_bits(const lam_rng *rng, uint64_t index)
{
    uint32_t out[4];
    block(rng, index / 4, out);
    return out[index % 4];
}

float lam_random_uniform(const lam_rng *rng, uint64_t index)
{
    return ((float)(lam_random_bits(rng, index) >> 8) + 0.5f) * 0x1p-24f;
}

static double to_double(uint32_t high, uint32_t low)
{
    uint64_t bits = ((uint64_t)high << 32 | low) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

double lam_random_uniform_double(const lam_rng *rng, uint64_t index)
{
    uint32_t out[4];
    block(rng, index / 2, out);
    const uint32_t *pair = out + 2 * (index % 2);
    return to_double(pair[0], pair[1]);
}

double lam_random_normal(const lam_rng *rng, uint64_t index)
{
    uint32_t out[4];
    block(rng, index / 2, out);
    const uint32_t *pair = out + 2 * (index % 2);
    double u = ((double)pair[0] + 0.5) * 0x1p-32;
    double v = ((double)pair[1] + 0.5) * 0x1p-32;
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

/* The standard normal distribution function. */
static double normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.7071067811865476);
}

/* Solves normal_cdf(z) = p for |z| <= 2: Newton from the middle converges (the density is
 * bounded below there); six steps reach rounding. */
double lam_random_truncated_normal(const lam_rng *rng, uint64_t index)
{
    double low = normal_cdf(-2.0);
    double p = low + lam_random_uniform_double(rng, index) * (1.0 - 2.0 * low);
    double z = 0.0;
    for (int i = 0; i < 12; i++) {
        double slope = exp(-0.5 * z * z) * 0.3989422804014327;
        double next = z - (normal_cdf(z) - p) / slope;
        next = next < -2.0 ? -2.0 : next > 2.0 ? 2.0 : next;
        if (fabs(next - z) < 1e-15)
            break;
        z = next;
    }
    return z;
}

void lam_random_permutation(const lam_rng *rng, uint32_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    uint32_t out[4];
    for (size_t i = n; i > 1; i--) {
        size_t draw = n - i;
        if (draw % 4 == 0)
            block(rng, draw / 4, out);
        /* multiply-shift: the bias is below n / 2^32 */
        size_t j = (size_t)((uint64_t)out[draw % 4] * i >> 32);
        uint32_t keep = order[i - 1];
        order[i - 1] = order[j];
        order[j] = keep;
    }
}
