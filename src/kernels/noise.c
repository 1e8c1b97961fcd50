/* Dropout and noise from the numbers of base/rng.h, a vector of Philox blocks at a time.
 *
 * Numbers are made CHUNK at a time into a buffer in the nearest cache, so that a call may begin at
 * any number of a block of four. */
#ifndef LAM_TIER
#include "kernels/kernels.h"

enum { CHUNK = 1024, SLACK = 64 /* what a start within a block and whole vectors may add */ };

/* The key of every round, and what of the counter is the same for all blocks. */
typedef struct stream {
    uint64_t key[10][2];
    uint64_t c1, c2, c3;
} stream;

typedef struct job {
    stream s;
    size_t n;
    uint64_t first;
    float rate, scale;
    const float *x;
    float *y;
    uint8_t *mask;
    const uint8_t *kept;
} job;

#define LAM_TIERED_FILE "kernels/noise.c"
#include "kernels/each_tier.h"

/* Philox4x32-10's key schedule, and the counter's layout of base/rng.h. */
static stream open_stream(const lam_rng *rng)
{
    stream s = {.c1 = rng->stream << 8, .c2 = (uint32_t)rng->step, .c3 = rng->step >> 32};
    uint32_t k0 = (uint32_t)rng->seed, k1 = (uint32_t)(rng->seed >> 32);
    for (int round = 0; round < 10; round++) {
        s.key[round][0] = k0;
        s.key[round][1] = k1;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return s;
}

/* From PARALLEL_FROM numbers on, a call is cut into tasks of TASK numbers. */
enum { TASK = 1 << 14, PARALLEL_FROM = 1 << 16 };

static void run(job *j, lam_task_fn whole, lam_task_fn task)
{
    if (j->n < PARALLEL_FROM)
        whole(j, 0, lam_worker());
    else
        lam_parallel((j->n - 1) / TASK + 1, task, j);
}

/* The part of the job that is one task. */
static job part(const job *j, size_t task)
{
    size_t at = task * TASK, left = j->n - at;
    job p = *j;
    p.n = left < TASK ? left : TASK;
    p.first += at;
    p.x += at;
    p.y += at;
    if (p.mask)
        p.mask += at;
    if (p.kept)
        p.kept += at;
    return p;
}

static void dropout_whole(void *arg, size_t task, int worker)
{
    (void)task;
    (void)worker;
    static void (*const table[])(const job *) = LAM_TIER_TABLE(dropout_forward);
    table[lam_tier()](arg);
}

static void dropout_task(void *arg, size_t task, int worker)
{
    job p = part(arg, task);
    dropout_whole(&p, 0, worker);
}

void lam_dropout_forward(size_t n, const lam_rng *rng, uint64_t first, float rate, const float *x,
                         float *y, uint8_t *mask)
{
    job j = {.s = open_stream(rng), .n = n, .first = first, .rate = rate, .x = x, .y = y, .mask = mask};
    j.scale = rate < 1.0f ? 1.0f / (1.0f - rate) : 0.0f;
    run(&j, dropout_whole, dropout_task);
}

static void backward_whole(void *arg, size_t task, int worker)
{
    (void)task;
    (void)worker;
    static void (*const table[])(const job *) = LAM_TIER_TABLE(dropout_backward);
    table[lam_tier()](arg);
}

static void backward_task(void *arg, size_t task, int worker)
{
    job p = part(arg, task);
    backward_whole(&p, 0, worker);
}

void lam_dropout_backward(size_t n, const uint8_t *mask, float scale, const float *dy, float *dx)
{
    job j = {.n = n, .kept = mask, .scale = scale, .x = dy, .y = dx};
    run(&j, backward_whole, backward_task);
}

static void noise_whole(void *arg, size_t task, int worker)
{
    (void)task;
    (void)worker;
    static void (*const table[])(const job *) = LAM_TIER_TABLE(noise);
    table[lam_tier()](arg);
}

static void noise_task(void *arg, size_t task, int worker)
{
    job p = part(arg, task);
    noise_whole(&p, 0, worker);
}

void lam_noise(size_t n, const lam_rng *rng, uint64_t first, float stddev, const float *x, float *y)
{
    job j = {.s = open_stream(rng), .n = n, .first = first, .scale = stddev, .x = x, .y = y};
    run(&j, noise_whole, noise_task);
}

#else
#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"

/* ---- numbers --------------------------------------------------------------------------------- */

#if LAM_TIER_LEVEL > 0

/* 64-bit lanes, one block in each: a product of 32-bit numbers fills a lane. */
#if LAM_TIER_LEVEL == 2
#define wide __m512i
#define wide_op(name) _mm512_##name
#define wide_load(p) _mm512_loadu_si512(p)
#define wide_store(p, v) _mm512_storeu_si512(p, v)
#define wide_set _mm512_set1_epi64
#define wide_xor(a, b, c) _mm512_ternarylogic_epi64(a, b, c, 0x96)
#define wide_join(low, high) _mm512_mask_blend_epi32(0xAAAA, low, _mm512_slli_epi64(high, 32))
#else
#define wide __m256i
#define wide_op(name) _mm256_##name
#define wide_load(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define wide_store(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)
#define wide_set _mm256_set1_epi64x
#define wide_xor(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define wide_join(low, high) _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA)
#endif

/* The four numbers of the blocks whose numbers `block` holds; what is above the low half of a lane
 * is without meaning. */
LAM_INLINE void LAM_T(philox)(const stream *s, wide block, wide out[4])
{
    wide m0 = wide_set(0xD2511F53), m1 = wide_set(0xCD9E8D57);
    wide c0 = block, c1 = wide_op(srli_epi64)(block, 32), c2 = wide_set((int64_t)s->c2);
    wide c3 = wide_set((int64_t)s->c3), zero = wide_set(0);
    c1 = wide_xor(c1, wide_set((int64_t)s->c1), zero);
    LAM_UNROLL for (int round = 0; round < 10; round++) {
        wide p0 = wide_op(mul_epu32)(c0, m0), p1 = wide_op(mul_epu32)(c2, m1);
        c0 = wide_xor(wide_op(srli_epi64)(p1, 32), c1, wide_set((int64_t)s->key[round][0]));
        c2 = wide_xor(wide_op(srli_epi64)(p0, 32), c3, wide_set((int64_t)s->key[round][1]));
        c1 = p1;
        c3 = p0;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* At least `blocks` blocks from number `block` on, as 32-bit numbers in their order: the lanes take
 * the blocks in the order that the two unpackings undo. */
LAM_INLINE void LAM_T(make_bits)(const stream *s, uint64_t block, size_t blocks, uint32_t *to)
{
    static const uint64_t order[] = {0, VL / 4, 1, VL / 4 + 1, 2, VL / 4 + 2, 3, VL / 4 + 3};
    wide lane = wide_load(order);
    for (size_t b = 0; b < blocks; b += VL / 2, to += 2 * VL) {
        wide w[4];
        LAM_T(philox)(s, wide_op(add_epi64)(wide_set((int64_t)(block + b)), lane), w);
        wide first = wide_join(w[0], w[1]), second = wide_join(w[2], w[3]);
        wide_store(to, wide_op(unpacklo_epi64)(first, second));
        wide_store(to + VL, wide_op(unpackhi_epi64)(first, second));
    }
}

/* The same with the first numbers of all pairs in u, the second in v. */
LAM_INLINE void LAM_T(make_pairs)(const stream *s, uint64_t block, size_t blocks, uint32_t *u, uint32_t *v)
{
    static const uint64_t order[] = {0, 1, 2, 3, 4, 5, 6, 7};
    wide lane = wide_load(order);
    for (size_t b = 0; b < blocks; b += VL / 2, u += VL, v += VL) {
        wide w[4];
        LAM_T(philox)(s, wide_op(add_epi64)(wide_set((int64_t)(block + b)), lane), w);
        wide_store(u, wide_join(w[0], w[2]));
        wide_store(v, wide_join(w[1], w[3]));
    }
}

#undef wide
#undef wide_op
#undef wide_load
#undef wide_store
#undef wide_set
#undef wide_xor
#undef wide_join

#else

LAM_INLINE void LAM_T(philox)(const stream *s, uint64_t block, uint32_t out[4])
{
    uint32_t key[2] = {(uint32_t)s->key[0][0], (uint32_t)s->key[0][1]};
    uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) | (uint32_t)s->c1, (uint32_t)s->c2,
                           (uint32_t)s->c3};
    lam_philox(key, counter, out);
}

LAM_INLINE void LAM_T(make_bits)(const stream *s, uint64_t block, size_t blocks, uint32_t *to)
{
    for (size_t b = 0; b < blocks; b++)
        LAM_T(philox)(s, block + b, to + 4 * b);
}

LAM_INLINE void LAM_T(make_pairs)(const stream *s, uint64_t block, size_t blocks, uint32_t *u, uint32_t *v)
{
    for (size_t b = 0; b < blocks; b++) {
        uint32_t w[4];
        LAM_T(philox)(s, block + b, w);
        u[2 * b] = w[0];
        v[2 * b] = w[1];
        u[2 * b + 1] = w[2];
        v[2 * b + 1] = w[3];
    }
}

#endif

/* ---- masks: a byte of 0 or 1 against a lane of 0 or -1 ----------------------------------------- */

LAM_INLINE vi LAM_T(load_mask)(const uint8_t *p)
{
#if LAM_TIER_LEVEL == 2
    vi lanes = (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
#elif LAM_TIER_LEVEL == 1
    vi lanes = (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
#else
    vi lanes = {p[0], p[1], p[2], p[3]};
#endif
    return -lanes;
}

LAM_INLINE void LAM_T(store_mask)(uint8_t *p, vi mask)
{
#if LAM_TIER_LEVEL == 2
    __mmask16 kept = _mm512_movepi32_mask((__m512i)mask);
    _mm_storeu_si128((__m128i *)(void *)p, _mm_maskz_set1_epi8(kept, 1));
#else
    for (int i = 0; i < VL; i++)
        p[i] = (uint8_t)(mask[i] & 1);
#endif
}

/* ---- dropout --------------------------------------------------------------------------------- */

/* Where lam_random_uniform() would be >= rate. */
LAM_INLINE vi LAM_T(keep)(const uint32_t *bits, float rate)
{
    vi b;
    memcpy(&b, bits, sizeof b);
    vf u = vi_to_vf((b >> 8) & vi_set(0xFFFFFF)) + vf_set(0.5f);
    return u * vf_set(0x1p-24f) >= vf_set(rate);
}

LAM_FN void LAM_T(dropout_forward)(const job *j)
{
    uint32_t bits[CHUNK + SLACK];
    vf scale = vf_set(j->scale), zero = vf_set(0.0f);
    for (size_t at = 0, n; at < j->n; at += n) {
        n = j->n - at < CHUNK ? j->n - at : CHUNK;
        uint64_t first = j->first + at;
        const uint32_t *from = bits + first % 4;
        LAM_T(make_bits)(&j->s, first / 4, (first % 4 + n + 3) / 4, bits);
        const float *x = j->x + at;
        float *y = j->y + at;
        uint8_t *mask = j->mask + at;
        size_t i = 0;
        for (; i + VL <= n; i += VL) {
            vi kept = LAM_T(keep)(from + i, j->rate);
            LAM_T(store_mask)(mask + i, kept);
            vf_store(y + i, vf_select(kept, vf_load(x + i) * scale, zero));
        }
        if (i < n) {
            uint8_t bytes[VL];
            vi kept = LAM_T(keep)(from + i, j->rate);
            LAM_T(store_mask)(bytes, kept);
            memcpy(mask + i, bytes, n - i);
            vf_store_n(y + i, vf_select(kept, vf_load_n(x + i, n - i) * scale, zero), n - i);
        }
    }
}

LAM_FN void LAM_T(dropout_backward)(const job *j)
{
    vf scale = vf_set(j->scale), zero = vf_set(0.0f);
    size_t n = j->n, i = 0;
    for (; i + VL <= n; i += VL) {
        vi kept = LAM_T(load_mask)(j->kept + i);
        vf_store(j->y + i, vf_select(kept, vf_load(j->x + i) * scale, zero));
    }
    if (i < n) {
        uint8_t bytes[VL] = {0};
        memcpy(bytes, j->kept + i, n - i);
        vi kept = LAM_T(load_mask)(bytes);
        vf_store_n(j->y + i, vf_select(kept, vf_load_n(j->x + i, n - i) * scale, zero), n - i);
    }
}

/* ---- noise ----------------------------------------------------------------------------------- */

/* Box and Muller's sqrt(-2 log u) cos(2 pi v) with u, v = (number + 1/2) / 2^32.
 * Numbers from 2^31 on are turned over: log u becomes log1p(-r) with r = 1 - u, so that float keeps
 * what is left of u = 1; and cos(2 pi v), even around v = 1, is sin(2 pi (1/4 - v)), with the
 * difference taken in integers.  sin is minimax on +-1/4 (5e-9 relative). */
LAM_INLINE vf LAM_T(normal)(const uint32_t *u, const uint32_t *v)
{
    vi a, b;
    memcpy(&a, u, sizeof a);
    memcpy(&b, v, sizeof b);
    vi high = a >> 31;
    vf r = (vi_to_vf(a ^ high) + vf_set(0.5f)) * vf_set(0x1p-32f);
    vf log_u = vf_select(high, vf_log1p(-r), vf_log(r));
    vf angle = (vi_to_vf(vi_set(1 << 30) - (b ^ (b >> 31))) - vf_set(0.5f)) * vf_set(0x1p-32f);
    vf square = angle * angle;
    vf sine = vf_set(39.7109184f);
    sine = vf_fma(sine, square, vf_set(-76.5749893f));
    sine = vf_fma(sine, square, vf_set(81.6022339f));
    sine = vf_fma(sine, square, vf_set(-41.3416786f));
    sine = vf_fma(sine, square, vf_set(6.28318548f));
    return vf_sqrt(vf_set(-2.0f) * log_u) * sine * angle;
}

LAM_FN void LAM_T(noise)(const job *j)
{
    uint32_t u[CHUNK + SLACK], v[CHUNK + SLACK];
    vf stddev = vf_set(j->scale);
    for (size_t at = 0, n; at < j->n; at += n) {
        n = j->n - at < CHUNK ? j->n - at : CHUNK;
        uint64_t first = j->first + at;
        size_t skip = first % 2;
        LAM_T(make_pairs)(&j->s, first / 2, (skip + n + 1) / 2, u, v);
        const float *x = j->x + at;
        float *y = j->y + at;
        size_t i = 0;
        for (; i + VL <= n; i += VL)
            vf_store(y + i, vf_fma(stddev, LAM_T(normal)(u + skip + i, v + skip + i), vf_load(x + i)));
        if (i < n) {
            vf z = LAM_T(normal)(u + skip + i, v + skip + i);
            vf_store_n(y + i, vf_fma(stddev, z, vf_load_n(x + i, n - i)), n - i);
        }
    }
}

#endif
