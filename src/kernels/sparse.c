#ifndef LAM_TIER
#include "kernels/sparse.h"

#include <string.h>

#include "kernels/kernels.h"

/* a's part of the product: rows first .. last - 1, or columns first .. last - 1 of its transpose. */
typedef struct sparse_job {
    const lam_sparse *a;
    size_t m, k, n;
    const float *b, *bias;
    bool add;
    float *c;
    size_t first, last;
} sparse_job;

static size_t row_at(const lam_sparse *a, size_t r)
{
    return a->order ? a->order[r] : a->first + r;
}

/* Where in row `row` the columns from `column` on begin. */
static uint64_t find_column(const lam_sparse *a, size_t row, size_t column)
{
    uint64_t low = a->start[row], high = a->start[row + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (a->column[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#define LAM_TIERED_FILE "kernels/sparse.c"
#include "kernels/each_tier.h"

/* A task has about so many multiplications, or so many numbers to write. */
enum { MULTIPLICATIONS = 1 << 17, NUMBERS = 1 << 14 };

typedef struct sparse_cut {
    void (*run)(const sparse_job *job);
    sparse_job whole;
    size_t things, tasks;
} sparse_cut;

static void run_part(void *arg, size_t task, int worker)
{
    const sparse_cut *cut = arg;
    sparse_job job = cut->whole;
    (void)worker;
    job.first = lam_part(cut->things, cut->tasks, task);
    job.last = lam_part(cut->things, cut->tasks, task + 1);
    cut->run(&job);
}

static size_t stored(const lam_sparse *a, size_t m)
{
    size_t sum = 0;
    for (size_t r = 0; r < m; r++) {
        size_t row = row_at(a, r);
        sum += a->start[row + 1] - a->start[row];
    }
    return sum;
}

void lam_sparse_product(const lam_sparse *a, size_t m, size_t n, const float *b, const float *bias,
                        float *c)
{
    static void (*const table[])(const sparse_job *) = LAM_TIER_TABLE(sparse_rows);
    sparse_cut cut = {table[lam_tier()], {.a = a, .m = m, .n = n, .b = b, .bias = bias, .c = c}, m, 0};
    cut.tasks = lam_least(m, stored(a, m) * n / MULTIPLICATIONS + 1);
    lam_parallel(cut.tasks, run_part, &cut);
}

void lam_sparse_gradient(const lam_sparse *a, size_t m, size_t k, size_t n, const float *b, bool add,
                         float *c)
{
    static void (*const table[])(const sparse_job *) = LAM_TIER_TABLE(sparse_columns);
    sparse_cut cut = {table[lam_tier()], {.a = a, .m = m, .k = k, .n = n, .b = b, .add = add, .c = c}, k, 0};
    cut.tasks = lam_least(k, k * n / NUMBERS + 1);
    lam_parallel(cut.tasks, run_part, &cut);
}

#else
#include "kernels/vec_template.h"

enum { LAM_T(SPARSE_WIDE) = 4 };

/* Columns j .. j + of c's row r; of a last vector n numbers. */
LAM_INLINE void LAM_T(sparse_sum)(const sparse_job *job, size_t r, size_t j, const size_t vectors, size_t n)
{
    const lam_sparse *a = job->a;
    size_t row = row_at(a, r);
    vf sum[LAM_T(SPARSE_WIDE)] = {{0}};
    for (uint64_t i = a->start[row]; i < a->start[row + 1]; i++) {
        const float *b = job->b + a->column[i] * job->n + j;
        vf v = vf_set(a->value[i]);
        LAM_UNROLL for (size_t q = 0; q < vectors; q++)
            sum[q] = vf_fma(v, vf_load_up_to(b + q * VL, n), sum[q]);
    }
    for (size_t q = 0; q < vectors; q++) {
        if (job->bias)
            sum[q] = sum[q] + vf_load_up_to(job->bias + j + q * VL, n);
        vf_store_up_to(job->c + r * job->n + j + q * VL, sum[q], n);
    }
}

LAM_FN void LAM_T(sparse_rows)(const sparse_job *job)
{
    for (size_t r = job->first; r < job->last; r++) {
        size_t j = 0, n = job->n;
        for (; j + LAM_T(SPARSE_WIDE) * VL <= n; j += LAM_T(SPARSE_WIDE) * VL)
            LAM_T(sparse_sum)(job, r, j, LAM_T(SPARSE_WIDE), VL);
        for (; j < n; j += VL)
            LAM_T(sparse_sum)(job, r, j, 1, n - j < VL ? n - j : VL);
    }
}

LAM_FN void LAM_T(sparse_columns)(const sparse_job *job)
{
    const lam_sparse *a = job->a;
    size_t n = job->n;
    if (!job->add)
        memset(job->c + job->first * n, 0, (job->last - job->first) * n * sizeof(float));
    for (size_t r = 0; r < job->m; r++) {
        size_t row = row_at(a, r);
        const float *b = job->b + r * n;
        for (uint64_t i = find_column(a, row, job->first);
             i < a->start[row + 1] && a->column[i] < job->last; i++) {
            float *c = job->c + a->column[i] * n;
            vf v = vf_set(a->value[i]);
            for (size_t j = 0; j < n; j += VL) {
                size_t some = n - j < VL ? n - j : VL;
                vf_store_up_to(c + j, vf_fma(v, vf_load_up_to(b + j, some), vf_load_up_to(c + j, some)), some);
            }
        }
    }
}
#endif
