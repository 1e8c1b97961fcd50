#ifndef LAM_TIER

#include "kernels/convert.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "tensor/shape.h"

/* BLOCK_COLUMNS: as many columns are read side by side; they fill whole lines of the cache in the rows. */
enum { BLOCK_COLUMNS = 32, TASK_ROWS = 512, TASK_ELEMENTS = 1 << 16, LARGE = 8 << 20 };

typedef struct job {
    const double *doubles; /* one of these two is read ... */
    const int *integers;
    const float *floats;   /* ... or this one, going back */
    float *out;
    double *back;
    size_t first, rows, all_rows, d, task_rows;
    int rank;
    const size_t *dim;
    bool past_caches; /* more than they hold: what is written need not push out the rest */
    atomic_bool bad;
} job;

/* A column-major array (rows, d1, d2, ...) is a rows x d matrix; the column of the element at this
 * row-major position: for rank 2 the same, else a transposition of the rest. */
static size_t column_at(const job *j, size_t position)
{
    if (j->rank <= 2)
        return position;
    size_t column = 0, stride = j->d;
    for (int i = j->rank - 1; i >= 1; i--) {
        stride /= j->dim[i];
        column += position % j->dim[i] * stride;
        position /= j->dim[i];
    }
    return column;
}

static float number_at(const job *j, size_t at)
{
    if (j->doubles)
        return (float)j->doubles[at];
    return j->integers[at] == INT_MIN ? NAN : (float)j->integers[at];
}

#define LAM_TIERED_FILE "kernels/convert.c"
#include "kernels/each_tier.h"

/* The same a number at a time, where there are fewer rows or columns than a vector has lanes. */
static bool take_few(const job *j, size_t r0, size_t r1)
{
    float odd = 0.0f;
    for (size_t c = 0; c < j->d; c++) {
        size_t from = column_at(j, c) * j->all_rows + j->first;
        for (size_t r = r0; r < r1; r++) {
            float value = number_at(j, from + r);
            odd += value * 0.0f;
            j->out[r * j->d + c] = value;
        }
    }
    return odd == 0.0f;
}

static void give_few(const job *j, size_t r0, size_t r1)
{
    for (size_t c = 0; c < j->d; c++) {
        double *to = j->back + column_at(j, c) * j->all_rows + j->first;
        for (size_t r = r0; r < r1; r++)
            to[r] = (double)j->floats[r * j->d + c];
    }
}

static void run(void *arg, size_t task, int worker)
{
    static bool (*const take[])(const job *, size_t, size_t) = LAM_TIER_TABLE(take);
    static void (*const give[])(const job *, size_t, size_t) = LAM_TIER_TABLE(give);
    static const size_t lanes[] = LAM_TIER_TABLE(lanes);
    job *j = arg;
    (void)worker;
    size_t start = task * j->task_rows, end = lam_least(start + j->task_rows, j->rows);
    bool few = lam_least(end - start, j->d) < lanes[lam_tier()];
    if (j->back)
        (few ? give_few : give[lam_tier()])(j, start, end);
    else if (!(few ? take_few : take[lam_tier()])(j, start, end))
        atomic_store(&j->bad, true);
}

static bool convert(job *j, int rank, const size_t *dim)
{
    j->rank = rank;
    j->dim = dim;
    j->all_rows = rank > 0 ? dim[0] : 1;
    j->d = 1;
    for (int i = 1; i < rank; i++)
        j->d *= dim[i];
    if (j->d == 0 || j->rows == 0)
        return true;
    j->past_caches = j->rows * j->d * sizeof(float) >= LARGE;
    j->task_rows = TASK_ELEMENTS / j->d / TASK_ROWS * TASK_ROWS;
    if (j->task_rows < TASK_ROWS)
        j->task_rows = TASK_ROWS;
    lam_parallel((j->rows + j->task_rows - 1) / j->task_rows, run, j);
    return !atomic_load(&j->bad);
}

bool lam_from_doubles(const double *x, size_t first, size_t rows, int rank, const size_t *dim, float *out)
{
    job j = {.doubles = x, .out = out, .first = first, .rows = rows};
    return convert(&j, rank, dim);
}

bool lam_from_integers(const int *x, size_t first, size_t rows, int rank, const size_t *dim, float *out)
{
    job j = {.integers = x, .out = out, .first = first, .rows = rows};
    return convert(&j, rank, dim);
}

void lam_to_doubles(const float *x, size_t first, size_t rows, int rank, const size_t *dim, double *out)
{
    job j = {.floats = x, .back = out, .first = first, .rows = rows};
    convert(&j, rank, dim);
}

#else

#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

typedef double LAM_T(vd) __attribute__((vector_size(VL * sizeof(double))));

enum { LAM_T(lanes) = VL };

/* Both ways go by squares of VL rows and columns.  The last square of rows or columns that are no multiple of VL
 * begins earlier: some numbers are converted twice. */

LAM_INLINE vf LAM_T(numbers)(const job *j, size_t at)
{
    if (j->doubles) {
        LAM_T(vd) v;
        memcpy(&v, j->doubles + at, sizeof v);
        return __builtin_convertvector(v, vf);
    }
    vi v;
    memcpy(&v, j->integers + at, sizeof v);
    return vf_select(v == vi_set(INT_MIN), vf_set(NAN), vi_to_vf(v));
}

#if LAM_TIER_LEVEL == 2
#define STREAM(p, v) _mm512_stream_ps(p, (__m512)(v))
#elif LAM_TIER_LEVEL == 1
#define STREAM(p, v) _mm256_stream_ps(p, (__m256)(v))
#else
#define STREAM(p, v) vf_store(p, v)
#endif

LAM_FN bool LAM_T(take)(const job *j, size_t r0, size_t r1)
{
    const size_t line = 64 / sizeof(float);
    bool stream = j->past_caches && j->d % line == 0 && (uintptr_t)j->out % 64 == 0;
    vf odd = vf_set(0.0f);
    for (size_t c0 = 0; c0 < j->d; c0 += BLOCK_COLUMNS) {
        size_t c1 = lam_least(c0 + BLOCK_COLUMNS, j->d), from[BLOCK_COLUMNS + VL];
        size_t begin = lam_least(c0, j->d - VL);
        for (size_t c = begin; c < c1; c++)
            from[c - begin] = column_at(j, c) * j->all_rows + j->first;
        for (size_t r = r0; r < r1; r += VL)
            for (size_t c = c0; c < c1; c += VL) {
                size_t row = lam_least(r, r1 - VL), column = lam_least(c, j->d - VL);
                float *to = j->out + row * j->d + column;
                vf v[VL];
                LAM_UNROLL for (size_t i = 0; i < VL; i++) {
                    v[i] = LAM_T(numbers)(j, from[column - begin + i] + row);
                    odd += v[i] * vf_set(0.0f);
                }
                LAM_T(transpose)(v);
                if (stream) {
                    LAM_UNROLL for (size_t i = 0; i < VL; i++)
                        STREAM(to + i * j->d, v[i]);
                } else {
                    LAM_UNROLL for (size_t i = 0; i < VL; i++)
                        vf_store(to + i * j->d, v[i]);
                }
            }
    }
#if LAM_TIER_LEVEL > 0
    _mm_sfence();
#endif
    return vf_sum(odd) == 0.0f;
}

LAM_FN void LAM_T(give)(const job *j, size_t r0, size_t r1)
{
    for (size_t c = 0; c < j->d; c += VL)
        for (size_t r = r0; r < r1; r += VL) {
            size_t row = lam_least(r, r1 - VL), column = lam_least(c, j->d - VL);
            vf v[VL];
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                v[i] = vf_load(j->floats + (row + i) * j->d + column);
            LAM_T(transpose)(v);
            for (size_t i = 0; i < VL; i++) {
                LAM_T(vd) numbers = __builtin_convertvector(v[i], LAM_T(vd));
                memcpy(j->back + column_at(j, column + i) * j->all_rows + j->first + row, &numbers, sizeof numbers);
            }
        }
}

#undef STREAM

#endif
