/* Sums and maps over arrays. */
#ifndef LAM_TIER
#include "kernels/kernels.h"

#define LAM_TIERED_FILE "kernels/array.c"
#include "kernels/each_tier.h"

/* From PARALLEL_FROM numbers on, a call is cut into tasks of about TASK numbers. */
enum { PARALLEL_FROM = 1 << 16, TASK = 1 << 14 };

/* ---- one array ------------------------------------------------------------------------------- */

typedef struct job {
    size_t n, per_task; /* numbers or rows */
    size_t d;
    float alpha;
    const float *x, *scale, *shift;
    float least;
    const uint32_t *order;
    float *y;
} job;

static size_t begin(const job *j, size_t task)
{
    return task * j->per_task;
}

static size_t count(const job *j, size_t task)
{
    return lam_least(j->n - begin(j, task), j->per_task);
}

/* n items of d numbers each */
static void run(job *j, lam_task_fn fn)
{
    j->per_task = j->n;
    if (j->n * j->d >= PARALLEL_FROM)
        j->per_task = j->d < TASK ? TASK / j->d : 1;
    lam_parallel(j->n ? (j->n - 1) / j->per_task + 1 : 0, fn, j);
}

static void axpy_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, float, const float *, float *) = LAM_TIER_TABLE(axpy);
    const job *j = arg;
    size_t at = begin(j, task);
    table[lam_tier()](count(j, task), j->alpha, j->x + at, j->y + at);
}

void lam_axpy(size_t n, float alpha, const float *x, float *y)
{
    job j = {.n = n, .d = 1, .alpha = alpha, .x = x, .y = y};
    run(&j, axpy_task);
}

static void scale_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, float, float *) = LAM_TIER_TABLE(scale);
    const job *j = arg;
    table[lam_tier()](count(j, task), j->alpha, j->y + begin(j, task));
}

void lam_scale(size_t n, float alpha, float *x)
{
    job j = {.n = n, .d = 1, .alpha = alpha, .y = x};
    run(&j, scale_task);
}

double lam_sum_squares(size_t n, const float *x)
{
    static double (*const table[])(size_t, const float *) = LAM_TIER_TABLE(sum_squares);
    return table[lam_tier()](n, x);
}

double lam_sum_abs(size_t n, const float *x)
{
    static double (*const table[])(size_t, const float *) = LAM_TIER_TABLE(sum_abs);
    return table[lam_tier()](n, x);
}

bool lam_all_finite(size_t n, const float *x)
{
    static bool (*const table[])(size_t, const float *) = LAM_TIER_TABLE(all_finite);
    for (size_t at = 0; at < n; at += TASK) /* an early end for bad data */
        if (!table[lam_tier()](lam_least(n - at, TASK), x + at))
            return false;
    return true;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void gather_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    size_t at = begin(j, task), n = count(j, task);
    const uint32_t *order = j->order + at;
    float *y = j->y + at * j->d;
    if (j->d == 1) {
        for (size_t i = 0; i < n; i++)
            y[i] = j->x[order[i]];
        return;
    }
    for (size_t i = 0; i < n; i++)
        memcpy(y + i * j->d, j->x + (size_t)order[i] * j->d, j->d * sizeof *y);
}

void lam_gather_rows(const float *src, size_t d, const uint32_t *order, size_t rows, float *dst)
{
    job j = {.n = rows, .d = d, .x = src, .order = order, .y = dst};
    run(&j, gather_task);
}

static void affine_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, size_t, const float *, const float *, const float *,
                                 float, float *) = LAM_TIER_TABLE(affine_cols);
    const job *j = arg;
    size_t at = begin(j, task) * j->d;
    table[lam_tier()](count(j, task), j->d, j->x + at, j->scale, j->shift, j->least, j->y + at);
}

void lam_affine_cols(size_t rows, size_t d, const float *x, const float *scale, const float *shift,
                     float least, float *y)
{
    job j = {.n = rows, .d = d, .x = x, .scale = scale, .shift = shift, .least = least, .y = y};
    run(&j, affine_task);
}

/* ---- sums over rows --------------------------------------------------------------------------
 * A large array is cut into strips of columns, or where it is narrow into ROW_PARTS parts of its
 * rows, whose sums are added in their order. */
enum { STRIP = 64, WIDE = 1024, ROW_PARTS = 16, FEW_ROWS = 64 };

typedef struct colsum_job {
    size_t rows, d;
    const float *x;
    double *partial; /* ROW_PARTS x d */
    float *out;
    bool add;
} colsum_job;

static void put(size_t d, const double *sum, float *out, bool add)
{
    for (size_t i = 0; i < d; i++)
        out[i] = (float)((add ? (double)out[i] : 0.0) + sum[i]);
}

/* sum[j] = sum of column j, for up to STRIP columns of rows that are `step` apart */
static void strip(size_t rows, size_t columns, size_t step, const float *x, double *sum)
{
    static void (*const table[])(size_t, size_t, size_t, const float *, double *) =
        LAM_TIER_TABLE(colsum_strip);
    table[lam_tier()](rows, columns, step, x, sum);
}

static void strip_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const colsum_job *j = arg;
    size_t at = task * STRIP, columns = lam_least(j->d - at, STRIP);
    double sum[STRIP];
    strip(j->rows, columns, j->d, j->x + at, sum);
    put(columns, sum, j->out + at, j->add);
}

static void rows_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const colsum_job *j = arg;
    size_t from = j->rows * task / ROW_PARTS, to = j->rows * (task + 1) / ROW_PARTS;
    for (size_t at = 0; at < j->d; at += STRIP)
        strip(to - from, lam_least(j->d - at, STRIP), j->d, j->x + from * j->d + at,
              j->partial + task * j->d + at);
}

void lam_colsum(size_t rows, size_t d, const float *x, float *out, bool add)
{
    static void (*const few[])(size_t, size_t, const float *, float *, bool) = LAM_TIER_TABLE(colsum_few);
    if (rows <= FEW_ROWS) {
        few[lam_tier()](rows, d, x, out, add);
        return;
    }
    colsum_job j = {rows, d, x, NULL, out, add};
    size_t strips = d ? (d - 1) / STRIP + 1 : 0;
    if (rows * d < PARALLEL_FROM) {
        for (size_t task = 0; task < strips; task++)
            strip_task(&j, task, 0);
        return;
    }
    if (d >= WIDE) {
        lam_parallel(strips, strip_task, &j);
        return;
    }
    j.partial = lam_kernel_scratch(lam_worker());
    lam_parallel(ROW_PARTS, rows_task, &j);
    for (size_t task = 1; task < ROW_PARTS; task++)
        for (size_t i = 0; i < d; i++)
            j.partial[i] += j.partial[task * d + i];
    put(d, j.partial, out, add);
}

#else
#include "kernels/vec_template.h"

LAM_FN void LAM_T(axpy)(size_t n, float alpha, const float *x, float *y)
{
    vf a = vf_set(alpha);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(y + i, vf_fma(a, vf_load(x + i), vf_load(y + i)));
    if (i < n)
        vf_store_n(y + i, vf_fma(a, vf_load_n(x + i, n - i), vf_load_n(y + i, n - i)), n - i);
}

LAM_FN void LAM_T(scale)(size_t n, float alpha, float *x)
{
    vf a = vf_set(alpha);
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(x + i, a * vf_load(x + i));
    if (i < n)
        vf_store_n(x + i, a * vf_load_n(x + i, n - i), n - i);
}

/* Half as many doubles as floats fill a vector. */
typedef float LAM_T(half) __attribute__((vector_size(VL * 2)));
typedef int32_t LAM_T(half_bits) __attribute__((vector_size(VL * 2)));
typedef double LAM_T(vd) __attribute__((vector_size(VL * 4)));

/* The sum of squares or of absolute values; four sums side by side hide the latency of adding. */
LAM_INLINE double LAM_T(sum)(const bool squares, size_t n, const float *x)
{
    LAM_T(vd) s[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + 2 * VL <= n; i += 2 * VL)
        LAM_UNROLL for (size_t v = 0; v < 4; v++) {
            LAM_T(half_bits) bits;
            memcpy(&bits, x + i + v * (VL / 2), sizeof bits);
            bits &= 0x7fffffff;
            LAM_T(vd) value = __builtin_convertvector((LAM_T(half))bits, LAM_T(vd));
            s[v] += squares ? value * value : value;
        }
    LAM_T(vd) all = (s[0] + s[1]) + (s[2] + s[3]);
    double sum = 0.0;
    for (size_t v = 0; v < VL / 2; v++)
        sum += all[v];
    for (; i < n; i++)
        sum += squares ? (double)x[i] * (double)x[i] : fabs((double)x[i]);
    return sum;
}

LAM_FN double LAM_T(sum_squares)(size_t n, const float *x)
{
    return LAM_T(sum)(true, n, x);
}

LAM_FN double LAM_T(sum_abs)(size_t n, const float *x)
{
    return LAM_T(sum)(false, n, x);
}

/* 0 x is 0 where x is finite, else NaN, and NaN stays. */
LAM_FN bool LAM_T(all_finite)(size_t n, const float *x)
{
    vf zero = vf_set(0.0f), s[4] = {{0}, {0}, {0}, {0}};
    size_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL)
        LAM_UNROLL for (size_t v = 0; v < 4; v++)
            s[v] = vf_fma(vf_load(x + i + v * VL), zero, s[v]);
    for (; i + VL <= n; i += VL)
        s[0] = vf_fma(vf_load(x + i), zero, s[0]);
    if (i < n)
        s[1] = vf_fma(vf_load_n(x + i, n - i), zero, s[1]);
    return vf_sum((s[0] + s[1]) + (s[2] + s[3])) == 0.0f;
}

/* Rows shorter than a vector: all is one long array, over which scale and shift repeat every d
 * vectors. */
LAM_INLINE void LAM_T(affine_narrow)(size_t rows, size_t d, const float *x, const float *scale,
                                     const float *shift, float least, float *y)
{
    float scales[VL * VL], shifts[VL * VL];
    for (size_t i = 0; i < d * VL; i++) {
        scales[i] = scale[i % d];
        shifts[i] = shift[i % d];
    }
    size_t n = rows * d, i = 0, at = 0;
    for (; i + VL <= n; i += VL) {
        vf_store(y + i, vf_max(vf_set(least), vf_fma(vf_load(x + i), vf_load(scales + at), vf_load(shifts + at))));
        at = at + VL < d * VL ? at + VL : 0;
    }
    if (i < n)
        vf_store_n(y + i, vf_max(vf_set(least), vf_fma(vf_load_n(x + i, n - i), vf_load(scales + at), vf_load(shifts + at))),
                   n - i);
}

LAM_FN void LAM_T(affine_cols)(size_t rows, size_t d, const float *x, const float *scale,
                               const float *shift, float least, float *y)
{
    if (d < VL) {
        LAM_T(affine_narrow)(rows, d, x, scale, shift, least, y);
        return;
    }
    for (size_t r = 0; r < rows; r++, x += d, y += d) {
        size_t j = 0;
        for (; j + VL <= d; j += VL)
            vf_store(y + j, vf_max(vf_set(least), vf_fma(vf_load(x + j), vf_load(scale + j), vf_load(shift + j))));
        if (j < d)
            vf_store_n(y + j, vf_max(vf_set(least), vf_fma(vf_load_n(x + j, d - j), vf_load_n(scale + j, d - j),
                                                          vf_load_n(shift + j, d - j))), d - j);
    }
}

/* `vectors` vectors of columns over `lanes` rows at a time; float sums of at most DEEP rows a lane
 * are added up in double. */
#define DEEP 64
LAM_INLINE void LAM_T(colsum_block)(const size_t vectors, const size_t lanes, size_t rows, size_t last,
                                    size_t step, const float *x, double *sum)
{
    size_t columns = (vectors - 1) * VL + last;
    for (size_t i = 0; i < columns; i++)
        sum[i] = 0.0;
    for (size_t done = 0; done < rows;) {
        size_t end = rows - done < DEEP * lanes ? rows : done + DEEP * lanes;
        vf s[4];
        LAM_UNROLL for (size_t v = 0; v < 4; v++)
            s[v] = vf_set(0.0f);
        for (; done + lanes <= end; done += lanes, x += lanes * step)
            LAM_UNROLL for (size_t l = 0; l < lanes; l++)
                LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
                    const float *from = x + l * step + v * VL;
                    s[l * vectors + v] += v + 1 == vectors ? vf_load_n(from, last) : vf_load(from);
                }
        for (; done < end; done++, x += step)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                s[v] += v + 1 == vectors ? vf_load_n(x + v * VL, last) : vf_load(x + v * VL);
        float part[4 * VL];
        LAM_UNROLL for (size_t v = 0; v < 4; v++)
            vf_store(part + v * VL, s[v]);
        for (size_t l = 0; l < lanes; l++)
            for (size_t i = 0; i < columns; i++)
                sum[i] += (double)part[l * vectors * VL + i];
    }
}
#undef DEEP

/* So few rows that four sums in single precision, each of every fourth row, are exact enough. */
LAM_FN void LAM_T(colsum_few)(size_t rows, size_t d, const float *x, float *out, bool add)
{
    for (size_t at = 0; at < d; at += VL) {
        size_t n = d - at < VL ? d - at : VL, r = 0;
        const float *from = x + at;
        vf s[4];
        LAM_UNROLL for (size_t l = 0; l < 4; l++)
            s[l] = vf_set(0.0f);
        for (; r + 4 <= rows; r += 4)
            LAM_UNROLL for (size_t l = 0; l < 4; l++)
                s[l] += vf_load_up_to(from + (r + l) * d, n);
        for (size_t l = 0; r < rows; r++, l++)
            s[l] += vf_load_up_to(from + r * d, n);
        vf sum = (s[0] + s[1]) + (s[2] + s[3]);
        vf_store_up_to(out + at, add ? vf_load_up_to(out + at, n) + sum : sum, n);
    }
}

LAM_FN void LAM_T(colsum_strip)(size_t rows, size_t columns, size_t step, const float *x, double *sum)
{
    while (columns > VL) {
        size_t width = columns < 4 * VL ? columns : 4 * VL, vectors = (width + VL - 1) / VL;
        size_t last = width - (vectors - 1) * VL;
        switch (vectors) {
        case 2: LAM_T(colsum_block)(2, 2, rows, last, step, x, sum); break;
        case 3: LAM_T(colsum_block)(3, 1, rows, last, step, x, sum); break;
        default: LAM_T(colsum_block)(4, 1, rows, last, step, x, sum); break;
        }
        columns -= width;
        x += width;
        sum += width;
    }
    if (columns)
        LAM_T(colsum_block)(1, 4, rows, columns, step, x, sum);
}

#endif
