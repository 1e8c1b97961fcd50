#ifndef LAM_TIER
#include "kernels/pool.h"

/* The winner of a window whose gradient goes to no cell, in a byte; in four it is -1. */
enum { NOBODY = 255 };

typedef struct range {
    size_t from, to; /* from <= i < to */
} range;

/* Positions inside the picture of the window that begins at `start` - pad. */
static inline range inside(size_t start, size_t size, size_t pad, size_t in)
{
    return (range){start > pad ? start - pad : 0, lam_least(start + size, in + pad) - pad};
}

static inline range lines_of(const lam_pool *p, size_t out)
{
    return inside(out * p->stride_h, p->size_h, p->pad_top, p->in_h);
}

static inline range columns_of(const lam_pool *p, size_t out)
{
    return inside(out * p->stride_w, p->size_w, p->pad_left, p->in_w);
}

/* The windows that position `at` lies in. */
static inline range windows_over(size_t at, size_t size, size_t stride, size_t pad, size_t out)
{
    size_t from = at + pad < size ? 0 : (at + pad - size) / stride + 1;
    return (range){from, lam_least((at + pad) / stride + 1, out)};
}

static inline float share_of(const lam_pool *p, range lines, range columns)
{
    return p->sum ? 1.0f : 1.0f / (float)((lines.to - lines.from) * (columns.to - columns.from));
}

/* The cells of a window that are inside the picture are numbered line by line. */
static size_t winner_bytes(const lam_pool *p)
{
    return lam_least(p->size_h, p->in_h) * lam_least(p->size_w, p->in_w) <= NOBODY ? 1 : sizeof(uint32_t);
}

#define LAM_TIERED_FILE "kernels/pool.c"
#include "kernels/each_tier.h"

enum { TASK = 1 << 14 }; /* numbers of x in a task, about */

/* The lines of y (forward) or of dx (backward) of all samples, so many to a task. */
typedef struct job {
    const lam_pool *p;
    size_t lines, lines_per_task, lines_per_sample;
    const float *from;
    float *to;
    void *winner;
    bool rectified;
} job;

static void run(job *j, lam_task_fn fn)
{
    const lam_pool *p = j->p;
    size_t per_sample = p->in_h * p->in_w * p->channels;
    size_t per_line = (per_sample - 1) / j->lines_per_sample + 1;
    j->lines_per_task = per_line < TASK ? TASK / per_line : 1;
    lam_parallel(j->lines ? (j->lines - 1) / j->lines_per_task + 1 : 0, fn, j);
}

static size_t in_line(const lam_pool *p)
{
    return p->in_w * p->channels;
}

static size_t out_line(const lam_pool *p)
{
    return p->out_w * p->channels;
}

static void max_forward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(const lam_pool *, size_t, bool, const float *, float *, void *) =
        LAM_TIER_TABLE(max_forward_line);
    const job *j = arg;
    size_t end = lam_least((task + 1) * j->lines_per_task, j->lines), bytes = winner_bytes(j->p);
    for (size_t i = task * j->lines_per_task; i < end; i++) {
        const float *x = j->from + i / j->p->out_h * j->p->in_h * in_line(j->p);
        size_t at = i * out_line(j->p);
        table[lam_tier()](j->p, i % j->p->out_h, j->rectified, x, j->to + at,
                          j->winner ? (char *)j->winner + at * bytes : NULL);
    }
}

static void max_backward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(const lam_pool *, size_t, const float *, const void *, float *) =
        LAM_TIER_TABLE(max_backward_line);
    const job *j = arg;
    size_t end = lam_least((task + 1) * j->lines_per_task, j->lines), bytes = winner_bytes(j->p);
    for (size_t i = task * j->lines_per_task; i < end; i++) {
        size_t at = i / j->p->in_h * j->p->out_h * out_line(j->p);
        table[lam_tier()](j->p, i % j->p->in_h, j->from + at, (char *)j->winner + at * bytes,
                          j->to + i * in_line(j->p));
    }
}

static void average_forward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(const lam_pool *, size_t, const float *, float *) =
        LAM_TIER_TABLE(average_forward_line);
    const job *j = arg;
    size_t end = lam_least((task + 1) * j->lines_per_task, j->lines);
    for (size_t i = task * j->lines_per_task; i < end; i++)
        table[lam_tier()](j->p, i % j->p->out_h,
                          j->from + i / j->p->out_h * j->p->in_h * in_line(j->p),
                          j->to + i * out_line(j->p));
}

static void average_backward_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(const lam_pool *, size_t, const float *, float *) =
        LAM_TIER_TABLE(average_backward_line);
    const job *j = arg;
    size_t end = lam_least((task + 1) * j->lines_per_task, j->lines);
    for (size_t i = task * j->lines_per_task; i < end; i++)
        table[lam_tier()](j->p, i % j->p->in_h,
                          j->from + i / j->p->in_h * j->p->out_h * out_line(j->p),
                          j->to + i * in_line(j->p));
}

size_t lam_max_pool_winner(const lam_pool *p)
{
    return winner_bytes(p);
}

void lam_max_pool_forward(const lam_pool *p, size_t rows, bool rectified, const float *x, float *y,
                          void *winner)
{
    job j = {.p = p, .lines = rows * p->out_h, .lines_per_sample = p->out_h, .from = x, .to = y, .winner = winner, .rectified = rectified};
    run(&j, max_forward_task);
}

void lam_max_pool_backward(const lam_pool *p, size_t rows, const float *dy, const void *winner,
                           float *dx)
{
    job j = {.p = p, .lines = rows * p->in_h, .lines_per_sample = p->in_h, .from = dy, .to = dx, .winner = (void *)winner};
    run(&j, max_backward_task);
}

void lam_average_pool_forward(const lam_pool *p, size_t rows, const float *x, float *y)
{
    job j = {.p = p, .lines = rows * p->out_h, .lines_per_sample = p->out_h, .from = x, .to = y};
    run(&j, average_forward_task);
}

void lam_average_pool_backward(const lam_pool *p, size_t rows, const float *dy, float *dx)
{
    job j = {.p = p, .lines = rows * p->in_h, .lines_per_sample = p->in_h, .from = dy, .to = dx};
    run(&j, average_backward_task);
}

#else
#include "kernels/vec_template.h"

/* VL bytes as integers, and integers below 256 as bytes. */
#if LAM_TIER_LEVEL == 2

LAM_INLINE vi LAM_T(widen)(const uint8_t *from)
{
    return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)from));
}

LAM_INLINE void LAM_T(narrow)(uint8_t *to, vi v)
{
    _mm_storeu_si128((__m128i *)(void *)to, _mm512_cvtepi32_epi8((__m512i)v));
}

#elif LAM_TIER_LEVEL == 1

LAM_INLINE vi LAM_T(widen)(const uint8_t *from)
{
    return (vi)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)from));
}

LAM_INLINE void LAM_T(narrow)(uint8_t *to, vi v)
{
    __m128i low = _mm256_castsi256_si128((__m256i)v), high = _mm256_extracti128_si256((__m256i)v, 1);
    __m128i words = _mm_packs_epi32(low, high);
    _mm_storel_epi64((__m128i *)(void *)to, _mm_packus_epi16(words, words));
}

#else

typedef uint8_t LAM_T(bytes) __attribute__((vector_size(VL)));

LAM_INLINE vi LAM_T(widen)(const uint8_t *from)
{
    LAM_T(bytes) b;
    memcpy(&b, from, sizeof b);
    return __builtin_convertvector(b, vi);
}

LAM_INLINE void LAM_T(narrow)(uint8_t *to, vi v)
{
    LAM_T(bytes) b = __builtin_convertvector(v, LAM_T(bytes));
    memcpy(to, &b, sizeof b);
}

#endif

/* The first n numbers of winners, `width` bytes each. */
LAM_INLINE vi LAM_T(load_winner)(const size_t width, const char *from, size_t n)
{
    char buffer[VL * 4] = {0};
    if (n < VL)
        memcpy(buffer, from, n * width);
    const char *p = n < VL ? buffer : from;
    vi v;
    if (width == 1)
        return LAM_T(widen)((const uint8_t *)p);
    memcpy(&v, p, sizeof v);
    return v;
}

LAM_INLINE void LAM_T(store_winner)(const size_t width, char *to, vi winner, size_t n)
{
    char buffer[VL * 4];
    char *p = n < VL ? buffer : to;
    if (width == 1)
        LAM_T(narrow)((uint8_t *)p, winner);
    else
        memcpy(p, &winner, sizeof winner);
    if (n < VL)
        memcpy(to, buffer, n * width);
}

/* The largest of high x wide cells for n channels; width: bytes of the winner, 0 for none. */
LAM_INLINE void LAM_T(max_window)(const size_t width, const size_t high, const size_t wide,
                                  size_t line, size_t channels, bool rectified, const float *x,
                                  size_t n, float *y, char *winner)
{
    vf best = vf_load_up_to(x, n);
    vi at = {0}, number = {0};
    for (size_t i = 0; i < high; i++)
        for (size_t j = 0; j < wide; j++) {
            vf v = vf_load_up_to(x + i * line + j * channels, n);
            if (width)
                at = (at & ~(v > best)) | (number & (v > best));
            best = vf_max(v, best);
            number += 1;
        }
    vf_store_up_to(y, best, n);
    if (width && rectified) {
        vi alive = best > vf_set(0.0f);
        at = (at & alive) | (vi_set(width == 1 ? NOBODY : -1) & ~alive);
    }
    if (width)
        LAM_T(store_winner)(width, winner, at, n);
}

LAM_INLINE void LAM_T(max_line)(const size_t width, const lam_pool *p, size_t out, bool rectified,
                                const float *x, float *y, char *winner)
{
    size_t channels = p->channels, line = p->in_w * channels;
    range lines = lines_of(p, out);
    size_t high = lines.to - lines.from;
    for (size_t q = 0; q < p->out_w; q++, y += channels, winner += width * channels) {
        range columns = columns_of(p, q);
        size_t wide = columns.to - columns.from;
        const float *from = x + lines.from * line + columns.from * channels;
        for (size_t c = 0; c < channels; c += VL) {
            size_t n = lam_least(channels - c, VL);
            if (n == VL && high == 2 && wide == 2)
                LAM_T(max_window)(width, 2, 2, line, channels, rectified, from + c, VL, y + c, winner + width * c);
            else if (n == VL)
                LAM_T(max_window)(width, high, wide, line, channels, rectified, from + c, VL, y + c, winner + width * c);
            else
                LAM_T(max_window)(width, high, wide, line, channels, rectified, from + c, n, y + c, winner + width * c);
        }
    }
}

LAM_FN void LAM_T(max_forward_line)(const lam_pool *p, size_t out, bool rectified, const float *x,
                                    float *y, void *winner)
{
    if (!winner)
        LAM_T(max_line)(0, p, out, false, x, y, (char *)y);
    else if (winner_bytes(p) == 1)
        LAM_T(max_line)(1, p, out, rectified, x, y, winner);
    else
        LAM_T(max_line)(4, p, out, rectified, x, y, winner);
}

/* Adds to dx, cell `number` of a window, the window's gradient where that cell won. */
LAM_INLINE void LAM_T(take)(const size_t width, int32_t number, size_t channels, const float *dy,
                            const char *winner, float *dx)
{
    size_t c = 0, n = channels % VL;
    vi me = vi_set(number);
    for (; c + VL <= channels; c += VL) {
        vi won = LAM_T(load_winner)(width, winner + c * width, VL) == me;
        vf_store(dx + c, vf_load(dx + c) + (vf)((vi)vf_load(dy + c) & won));
    }
    if (n) {
        vi won = LAM_T(load_winner)(width, winner + c * width, n) == me;
        vf_store_n(dx + c, vf_load_n(dx + c, n) + (vf)((vi)vf_load_n(dy + c, n) & won), n);
    }
}

/* Line `in` of dx: each cell takes the gradient of the windows that it won. */
LAM_INLINE void LAM_T(max_gradient)(const size_t width, const lam_pool *p, size_t in,
                                    const float *dy, const char *winner, float *dx)
{
    size_t channels = p->channels;
    range over = windows_over(in, p->size_h, p->stride_h, p->pad_top, p->out_h);
    memset(dx, 0, p->in_w * channels * sizeof *dx);
    for (size_t i = over.from; i < over.to; i++)
        for (size_t q = 0; q < p->out_w; q++) {
            range columns = columns_of(p, q);
            size_t at = (i * p->out_w + q) * channels;
            size_t number = (in - lines_of(p, i).from) * (columns.to - columns.from);
            for (size_t w = columns.from; w < columns.to; w++, number++)
                LAM_T(take)(width, (int32_t)number, channels, dy + at, winner + at * width,
                            dx + w * channels);
        }
}

LAM_FN void LAM_T(max_backward_line)(const lam_pool *p, size_t in, const float *dy,
                                     const void *winner, float *dx)
{
    if (winner_bytes(p) == 1)
        LAM_T(max_gradient)(1, p, in, dy, winner, dx);
    else
        LAM_T(max_gradient)(4, p, in, dy, winner, dx);
}

LAM_FN void LAM_T(average_forward_line)(const lam_pool *p, size_t out, const float *x, float *y)
{
    size_t channels = p->channels, line = p->in_w * channels;
    range lines = lines_of(p, out);
    for (size_t q = 0; q < p->out_w; q++, y += channels) {
        range columns = columns_of(p, q);
        vf share = vf_set(share_of(p, lines, columns));
        for (size_t c = 0; c < channels; c += VL) {
            size_t n = lam_least(channels - c, VL);
            vf sum = vf_set(0.0f);
            for (size_t i = lines.from; i < lines.to; i++)
                for (size_t j = columns.from; j < columns.to; j++)
                    sum += vf_load_up_to(x + i * line + j * channels + c, n);
            vf_store_up_to(y + c, sum * share, n);
        }
    }
}

LAM_FN void LAM_T(average_backward_line)(const lam_pool *p, size_t in, const float *dy, float *dx)
{
    size_t channels = p->channels;
    range over = windows_over(in, p->size_h, p->stride_h, p->pad_top, p->out_h);
    memset(dx, 0, p->in_w * channels * sizeof *dx);
    for (size_t i = over.from; i < over.to; i++)
        for (size_t q = 0; q < p->out_w; q++) {
            range columns = columns_of(p, q);
            vf share = vf_set(share_of(p, lines_of(p, i), columns));
            const float *from = dy + (i * p->out_w + q) * channels;
            for (size_t w = columns.from; w < columns.to; w++)
                for (size_t c = 0; c < channels; c += VL) {
                    size_t n = lam_least(channels - c, VL);
                    float *to = dx + w * channels + c;
                    vf_store_up_to(to, vf_fma(share, vf_load_up_to(from + c, n), vf_load_up_to(to, n)), n);
                }
        }
}

#endif
