/* Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3", SC 2011).
 *
 * A number is a pure function of (seed, stream, step, index), so it does not depend on which thread
 * draws it, on what was drawn before, or on how a batch is cut.  Layout, relied on by the vector
 * kernels: the block with counter {index / 4, index / 4 >> 32 | stream << 8, step, step >> 32}
 * under key {seed, seed >> 32} holds the numbers index .. index + 3. */
#ifndef LAM_BASE_RNG_H
#define LAM_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct lam_rng {
    uint64_t seed;
    uint32_t stream; /* who draws: a layer, an initializer, the shuffle (24 bits used) */
    uint64_t step;   /* when: the number of the training step, of the epoch, ... */
} lam_rng;

/* Streams that are no layer's.  Layer i draws from stream 16 * (i + 1) .. 16 * (i + 1) + 15. */
enum { LAM_STREAM_SHUFFLE = 1, LAM_STREAM_SEEDS = 2, LAM_STREAM_SPLIT = 3, LAM_STREAM_INITIALIZER = 4 };
#define LAM_STREAM_LAYER(i, k) ((uint32_t)(16 * ((i) + 1) + (k)))

void lam_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

uint32_t lam_random_bits(const lam_rng *rng, uint64_t index);

/* Uniform on (0, 1): (24 high bits + 0.5) / 2^24. */
float lam_random_uniform(const lam_rng *rng, uint64_t index);
/* The same to 53 bits, from the pair of numbers 2 * index, 2 * index + 1. */
double lam_random_uniform_double(const lam_rng *rng, uint64_t index);
/* Standard normal by Box-Muller from the pair 2 * index, 2 * index + 1 (in double precision). */
double lam_random_normal(const lam_rng *rng, uint64_t index);
/* Standard normal truncated to |z| <= 2, by inversion of the normal distribution function. */
double lam_random_truncated_normal(const lam_rng *rng, uint64_t index);
/* A uniformly random order of 0 .. n-1 (Fisher-Yates). */
void lam_random_permutation(const lam_rng *rng, uint32_t *order, size_t n);

#endif
