/* Products of matrices.
 *
 * C is computed in tiles of some rows by some vectors, held in registers while k runs.  A is read
 * where it lies, a number at a time, through its two distances (of rows, of k), so that all forms
 * look alike; only a large A' is copied in blocks.  B is read a vector at a time: where it lies if
 * few rows of tiles use it, otherwise from copies of a group of panels of columns, which wait in the
 * second cache.  The panels are KC deep; each number of C is a sum in the order of k, whichever task
 * computes it. */
#ifndef LAM_TIER
#include "kernels/blas.h"
#include "kernels/gemm_bf16.h"
#include "kernels/kernels.h"
#include "kernels/tile.h"

/* Up to here a row of C is far too short for a vector. */
enum { FEW_COLUMNS = 4 };

typedef struct job {
    const lam_gemm *g;
    const lam_tiles *tiles;
    size_t row_cuts, col_cuts; /* the tasks: a grid over C */
    size_t row_step, k_step;   /* distances of A's rows, and of its numbers along k */
    bool relu;                 /* the activation is the plain rectifier */
    lam_activation_fn act;     /* another activation, or NULL */
} job;

typedef void (*gemm_fn)(const job *j, size_t task, int worker);

/* Activation of finished sums, where the tile functions have not done it. */
static inline void activate(const job *j, size_t rows, size_t width, const float *c, float *y)
{
    size_t ld = j->g->ldc;
    if (ld == width) {
        j->act(j->g->act->par, rows, width, c, y);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        j->act(j->g->act->par, 1, width, c + i * ld, y + i * ld);
}

/* Adds what is to be added to one number, and stores it. */
static inline void finish_one(const job *j, size_t row, size_t col, float sum)
{
    const lam_gemm *g = j->g;
    float *c = g->c + row * g->ldc + col;
    if (g->add)
        sum += *c;
    if (g->bias)
        sum += g->bias[col];
    *c = sum;
    if (j->relu)
        g->y[row * g->ldc + col] = sum < 0.0f ? 0.0f : sum;
}

#define LAM_TIERED_FILE "kernels/gemm.c"
#include "kernels/each_tier.h"

static const gemm_fn gemm_table[LAM_TIERS] = LAM_TIER_TABLE(gemm_task);
static const gemm_fn dots_table[LAM_TIERS] = LAM_TIER_TABLE(dots_task);
static const gemm_fn swapped_table[LAM_TIERS] = LAM_TIER_TABLE(swapped_task);

enum {
    ROWS_PER_TASK = 64,   /* at least, or packing costs too much */
    ROWS_AT_MOST = 512,   /* so that a task's part of A stays in cache */
    WIDE_PANELS = 8,
    TASKS_PER_THREAD = 4, /* so that a thread that is held up holds up the others little */
    TASKS = 32,
    DOT_AT_MOST = 1 << 15 /* so that FEW_COLUMNS columns fit into the scratch */
};
/* Below this much work (about 100 us) a call stays on its thread, above it a task gets the second. */
static const double parallel_from = 8e6, work_per_task = 3e6;

typedef struct call {
    job j;
    gemm_fn fn;
} call;

static void run_task(void *arg, size_t task, int worker)
{
    const call *c = arg;
    c->fn(&c->j, task, worker);
}

/* The grid of tasks.  It does not show in the result: every number is one sum, whatever task it falls
 * to.  So there are no more tasks than the threads need, for each packs the panels of B anew. */
static void cut(job *j, size_t panels)
{
    const lam_gemm *g = j->g;
    double work = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    j->row_cuts = j->col_cuts = 1;
    if (work < parallel_from)
        return;
    size_t threads = (size_t)lam_threads_here();
    size_t tasks = work > TASKS * work_per_task ? TASKS : (size_t)(work / work_per_task);
    if (g->form != LAM_TN)
        tasks = threads == 1 ? 1 : lam_least(tasks, TASKS_PER_THREAD * threads);
    bool wide = g->form == LAM_TN && panels >= 8 * WIDE_PANELS; /* a copy of A' serves them all */
    j->col_cuts = wide ? lam_divide_up(panels, WIDE_PANELS) : lam_least(panels, tasks);
    size_t row_cuts = lam_least(lam_divide_up(tasks, j->col_cuts), g->m / ROWS_PER_TASK);
    j->row_cuts = lam_most(lam_most(row_cuts, lam_divide_up(g->m, ROWS_AT_MOST)), 1);
}

/* ---- large products by way of OpenBLAS -------------------------------------------------------- */

enum { BLAS_PART = 1024, BLAS_TASKS = 4 };

/* A part of C along its longer side; bias and activation while it is warm. */
static void blas_task(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    size_t row = lam_part(g->m, j->row_cuts, task % j->row_cuts);
    size_t rows = lam_part(g->m, j->row_cuts, task % j->row_cuts + 1) - row;
    size_t col = lam_part(g->n, j->col_cuts, task / j->row_cuts);
    size_t cols = lam_part(g->n, j->col_cuts, task / j->row_cuts + 1) - col;
    (void)worker;
    lam_blas_product(g, row, rows, col, cols);
    for (size_t i = row; i < row + rows; i++) {
        float *c = g->c + i * g->ldc + col;
        for (size_t k = 0; g->bias && k < cols; k++)
            c[k] += g->bias[col + k];
        if (g->act)
            lam_activation_kernel(g->act->id)(g->act->par, 1, cols, c, g->y + i * g->ldc + col);
    }
}

static void run_blas(call *c)
{
    const lam_gemm *g = c->j.g;
    size_t parts = lam_least(lam_most(lam_most(g->m, g->n) / BLAS_PART, 1), BLAS_TASKS);
    c->j.row_cuts = g->m > g->n ? parts : 1;
    c->j.col_cuts = g->m > g->n ? 1 : parts;
    c->fn = blas_task;
    int before = lam_blas_enter();
    lam_parallel(parts, run_task, c);
    lam_blas_leave(before);
}

void lam_gemm_run(const lam_gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    if (g->bf16) {
        lam_gemm_bf16(g);
        return;
    }
    int tier = (int)lam_tier();
    call c = {.j = {.g = g, .tiles = lam_tiles_of((lam_tier_id)tier)}, .fn = gemm_table[tier]};
    if (lam_blas_wants(g)) {
        run_blas(&c);
        return;
    }
    bool tn = g->form == LAM_TN;
    c.j.row_step = tn ? 1 : g->lda;
    c.j.k_step = tn ? g->lda : 1;
    if (g->act && lam_activation_is_relu(g->act))
        c.j.relu = true;
    else if (g->act)
        c.j.act = lam_activation_kernel(g->act->id);
    size_t panels = lam_divide_up(lam_divide_up(g->n, c.j.tiles->vl), LAM_TILE_VECTORS);
    if (g->n <= FEW_COLUMNS) {
        panels = 1;
        if (tn)
            c.fn = swapped_table[tier];
        else if (g->k >= 4 * c.j.tiles->vl && g->k <= DOT_AT_MOST)
            c.fn = dots_table[tier];
    }
    cut(&c.j, panels);
    if (c.j.row_cuts * c.j.col_cuts == 1)
        c.fn(&c.j, 0, lam_worker());
    else
        lam_parallel(c.j.row_cuts * c.j.col_cuts, run_task, &c);
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* ---- one task ------------------------------------------------------------------------------- */

/* The depth of a panel, and how many panels wait in the second cache for a block of A's rows. */
#define KC (49152 / (LAM_TILE_VECTORS * VL * sizeof(float)))
#define GROUP 8
/* A block of A' that is far spread is copied for so many rows of tiles at once. */
#define A_BLOCKS 4
/* Up to this many bytes B or A' may be read where it lies. */
#define NEAR 32768

typedef struct LAM_T(panel) {
    const float *b;
    size_t b_step, col, width, vectors;
} LAM_T(panel);

/* Panel q of `panels`, numbers from .. from + k of it, read where it lies or from a copy in space. */
LAM_INLINE LAM_T(panel) LAM_T(open_panel)(const lam_gemm *g, size_t q, size_t panels, size_t from,
                                          size_t k, bool direct, float *space)
{
    size_t all = lam_divide_up(g->n, VL), begin = lam_part(all, panels, q), end = lam_part(all, panels, q + 1);
    LAM_T(panel) p = {.b = space, .col = begin * VL, .vectors = end - begin};
    p.width = (end * VL < g->n ? end * VL : g->n) - p.col;
    p.b_step = p.vectors * VL;
    if (g->form == LAM_NT) {
        LAM_T(pack_transposed)(k, p.width, g->b + p.col * g->ldb + from, g->ldb, space);
        return p;
    }
    const float *b = g->b + from * g->ldb + p.col;
    if (direct && (LAM_TIER_LEVEL == 2 || p.width % VL == 0)) {
        p.b = b;
        p.b_step = g->ldb;
    } else {
        LAM_T(pack)(k, p.width, b, g->ldb, space);
    }
    return p;
}

/* k times `rows` numbers of A' that lie side by side. */
LAM_INLINE void LAM_T(pack_rows)(size_t k, size_t rows, const float *a, size_t lda, float *to)
{
    for (size_t p = 0; p < k; p++, a += lda, to += rows)
        for (size_t i = 0; i < rows; i += VL) {
            size_t n = rows - i < VL ? rows - i : VL;
            vf_store_n(to + i, vf_load_n(a + i, n), n);
        }
}

/* Rows row .. row + rows of panels first .. end, numbers from .. from + k of the sums. */
LAM_INLINE void LAM_T(group_product)(const job *j, size_t row, size_t rows, size_t first, size_t end,
                                     size_t panels, size_t from, size_t k, float *space)
{
    const lam_gemm *g = j->g;
    size_t widest = lam_divide_up(lam_divide_up(g->n, VL), panels);
    size_t blocks = lam_divide_up(rows, j->tiles->rows[widest - 1]);
    bool direct = blocks <= 2 || k * g->ldb * sizeof(float) <= NEAR;
    bool copy_a = g->form == LAM_TN && end - first > 1 && k * g->lda * sizeof(float) > NEAR;
    LAM_T(panel) panel[GROUP];
    for (size_t q = first; q < end; q++)
        panel[q - first] = LAM_T(open_panel)(g, q, panels, from, k, direct,
                                             space + (q - first) * KC * LAM_TILE_VECTORS * VL);
    float *block = space + GROUP * KC * LAM_TILE_VECTORS * VL;
    size_t copied = 0, many = 0;
    bool final = from + k == g->k;
    lam_tile t = {.ldc = g->ldc, .load = g->add || from > 0};
    for (size_t i = 0; i < blocks; i++) {
        size_t top = row + lam_part(rows, blocks, i), height = row + lam_part(rows, blocks, i + 1) - top;
        const float *a = g->a + top * j->row_step + from * j->k_step;
        size_t k_step = j->k_step;
        if (copy_a) {
            if (i % A_BLOCKS == 0) {
                size_t last = i + A_BLOCKS < blocks ? i + A_BLOCKS : blocks;
                copied = top;
                many = row + lam_part(rows, blocks, last) - top;
                LAM_T(pack_rows)(k, many, a, k_step, block);
            }
            a = block + (top - copied);
            k_step = many;
        }
        for (size_t q = 0; q < end - first; q++) {
            const LAM_T(panel) *p = &panel[q];
            size_t at = top * g->ldc + p->col;
            t.c = g->c + at;
            t.relu = final && j->relu ? g->y + at : NULL;
            t.bias = final && g->bias ? g->bias + p->col : NULL;
            t.last = p->width - (p->vectors - 1) * VL;
            j->tiles->fn[p->vectors - 1][height - 1](k, a, j->row_step, k_step, p->b, p->b_step, &t);
            if (final && j->act)
                activate(j, height, p->width, t.c, g->y + at);
        }
    }
}

LAM_FN void LAM_T(gemm_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    float *space = lam_kernel_scratch(worker);
    size_t row = lam_part(g->m, j->row_cuts, task / j->col_cuts);
    size_t rows = lam_part(g->m, j->row_cuts, task / j->col_cuts + 1) - row;
    size_t panels = lam_divide_up(lam_divide_up(g->n, VL), LAM_TILE_VECTORS);
    size_t first = lam_part(panels, j->col_cuts, task % j->col_cuts);
    size_t end = lam_part(panels, j->col_cuts, task % j->col_cuts + 1);
    size_t steps = g->k > KC ? lam_divide_up(g->k, KC) : 1;
    for (size_t s = 0; s < steps; s++) {
        size_t from = lam_part(g->k, steps, s), k = lam_part(g->k, steps, s + 1) - from;
        for (size_t q = first; q < end; q += GROUP)
            LAM_T(group_product)(j, row, rows, q, q + GROUP < end ? q + GROUP : end, panels, from, k, space);
    }
}

/* ---- few columns ---------------------------------------------------------------------------- */

/* A (m, k) with up to FEW_COLUMNS columns: the vectors run along k, and each number of C is the sum
 * over a vector.  Four rows of A meet one column at a time. */
LAM_INLINE void LAM_T(dot_rows)(const job *j, size_t row, const size_t rows, const float *b, size_t ldb)
{
    const lam_gemm *g = j->g;
    const float *a = g->a + row * g->lda;
    for (size_t col = 0; col < g->n; col++, b += ldb) {
        vf sum[4];
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            sum[i] = vf_set(0.0f);
        size_t p = 0;
        for (; p + VL <= g->k; p += VL) {
            vf v = vf_load(b + p);
            LAM_UNROLL for (size_t i = 0; i < rows; i++)
                sum[i] = vf_fma(vf_load(a + i * g->lda + p), v, sum[i]);
        }
        if (p < g->k) {
            vf v = vf_load_n(b + p, g->k - p);
            LAM_UNROLL for (size_t i = 0; i < rows; i++)
                sum[i] = vf_fma(vf_load_n(a + i * g->lda + p, g->k - p), v, sum[i]);
        }
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            finish_one(j, row + i, col, vf_sum(sum[i]));
    }
}

LAM_FN void LAM_T(dots_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    size_t row = lam_part(g->m, j->row_cuts, task), end = lam_part(g->m, j->row_cuts, task + 1);
    const float *b = g->b;
    size_t ldb = g->ldb;
    if (g->form == LAM_NN) {
        float *columns = lam_kernel_scratch(worker);
        for (size_t p = 0; p < g->k; p++)
            for (size_t col = 0; col < g->n; col++)
                columns[col * g->k + p] = g->b[p * g->ldb + col];
        b = columns;
        ldb = g->k;
    }
    size_t first = row;
    for (; row + 4 <= end; row += 4)
        LAM_T(dot_rows)(j, row, 4, b, ldb);
    for (; row < end; row++)
        LAM_T(dot_rows)(j, row, 1, b, ldb);
    if (j->act)
        activate(j, end - first, g->n, g->c + first * g->ldc, g->y + first * g->ldc);
}

/* A' (m, k) with up to FEW_COLUMNS columns, as C' = B' A: now the long side has the vectors. */
LAM_FN void LAM_T(swapped_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    float *space = lam_kernel_scratch(worker);
    size_t first = lam_part(g->m, j->row_cuts, task), end = lam_part(g->m, j->row_cuts, task + 1);
    size_t steps = g->k > KC ? lam_divide_up(g->k, KC) : 1;
    float sums[FEW_COLUMNS * LAM_TILE_VECTORS * VL];
    for (size_t row = first, width; row < end; row += width) {
        width = end - row < LAM_TILE_VECTORS * VL ? end - row : LAM_TILE_VECTORS * VL;
        size_t vectors = lam_divide_up(width, VL);
        lam_tile t = {.c = sums, .ldc = vectors * VL, .last = width - (vectors - 1) * VL};
        for (size_t s = 0; s < steps; s++) {
            size_t from = lam_part(g->k, steps, s), k = lam_part(g->k, steps, s + 1) - from;
            const float *a = g->a + from * g->lda + row;
            size_t a_step = g->lda;
            if (LAM_TIER_LEVEL < 2 && width % VL) {
                LAM_T(pack)(k, width, a, a_step, space);
                a = space;
                a_step = vectors * VL;
            }
            t.load = from > 0;
            j->tiles->fn[vectors - 1][g->n - 1](k, g->b + from * g->ldb, 1, g->ldb, a, a_step, &t);
        }
        for (size_t i = 0; i < width; i++)
            for (size_t col = 0; col < g->n; col++)
                finish_one(j, row + i, col, sums[col * t.ldc + i]);
    }
    if (j->act)
        activate(j, end - first, g->n, g->c + first * g->ldc, g->y + first * g->ldc);
}

#undef KC
#undef GROUP
#undef A_BLOCKS
#undef NEAR
#endif
