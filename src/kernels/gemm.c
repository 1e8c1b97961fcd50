/* Products of matrices.
 *
 * C is computed in tiles of some rows by some vectors, held in registers while k runs.  A is read
 * where it lies, a number at a time, through its two distances (of rows, of k), so that all forms
 * look alike; where many columns use a large A, its rows are copied first.  B is read a vector at a time: where it lies if
 * few rows of tiles use it, otherwise from the copy of a panel of columns, which waits in the first
 * cache while the rows go by.  The panels are KC deep; each number of C is a sum in the order of k,
 * whichever task computes it. */
#ifndef LAM_TIER
#include "kernels/blas.h"
#include "kernels/gemm_bf16.h"
#include "kernels/kernels.h"
#include "kernels/tile.h"

#include <string.h>

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

/* Adds what is to be added to one number, and stores it. */
static inline void finish_one(const job *j, size_t row, size_t col, float sum)
{
    const lam_gemm *g = j->g;
    float *c = g->c + row * g->ldc + col;
    if (g->add)
        sum += *c;
    if (g->bias)
        sum += g->bias[col];
    if (g->gate && !(g->gate[row * g->ldc + col] > 0.0f))
        sum = 0.0f;
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
    VECTORS_PER_TASK = 6, /* in a row of C, or too few tiles share a row of A */
    SMALL_B = 1 << 19,    /* numbers of a B that each thread may as well pack for itself */
    TASKS_PER_THREAD = 4, /* so that a thread that is held up holds up the others little */
    DOT_AT_MOST = 1 << 15 /* so that FEW_COLUMNS columns fit into the scratch */
};

typedef struct call {
    job j;
    gemm_fn fn;
} call;

static void run_task(void *arg, size_t task, int worker)
{
    const call *c = arg;
    c->fn(&c->j, task, worker);
}

/* The grid of tasks over C, whose rows have so many vectors.  It does not show in the result: every
 * number is one sum, whatever task it falls to.  Rows are cut so that each thread meets the samples
 * again that it had in the layer before; where B is large, its columns, since tasks that share columns
 * pack the same panels. */
static void cut(job *j, size_t vectors)
{
    const lam_gemm *g = j->g;
    double work = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    j->row_cuts = j->col_cuts = 1;
    if (work < LAM_PARALLEL_FROM)
        return;
    size_t threads = (size_t)lam_threads_here();
    if (threads > 1) {
        size_t tasks = lam_least((size_t)(work / LAM_WORK_PER_TASK), TASKS_PER_THREAD * threads);
        bool by_rows = g->n * g->k <= SMALL_B && g->m >= threads * ROWS_PER_TASK;
        size_t wide = vectors / VECTORS_PER_TASK;
        if (by_rows)
            j->row_cuts = threads;
        else if (wide > threads)
            wide = wide / threads * threads; /* as much for each thread */
        j->col_cuts = lam_most(lam_least(wide, tasks / j->row_cuts), 1);
        if (j->row_cuts * j->col_cuts < threads)
            j->row_cuts = lam_most(lam_least(lam_divide_up(threads, j->col_cuts), g->m / ROWS_PER_TASK), j->row_cuts);
    }
    j->row_cuts = lam_most(j->row_cuts, lam_divide_up(g->m, ROWS_AT_MOST));
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
        for (size_t k = 0; g->gate && k < cols; k++)
            c[k] = g->gate[i * g->ldc + col + k] > 0.0f ? c[k] : 0.0f;
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
    size_t vectors = lam_divide_up(g->n, c.j.tiles->vl);
    if (g->n <= FEW_COLUMNS) {
        if (tn)
            c.fn = swapped_table[tier];
        else if (g->k >= 4 * c.j.tiles->vl && g->k <= DOT_AT_MOST)
            c.fn = dots_table[tier];
    }
    cut(&c.j, vectors);
    if (c.j.row_cuts * c.j.col_cuts == 1)
        c.fn(&c.j, 0, lam_worker());
    else
        lam_parallel(c.j.row_cuts * c.j.col_cuts, run_task, &c);
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* ---- one task ------------------------------------------------------------------------------- */

/* The depth of a panel: with a tile's rows of A it leaves room in the first cache. */
#define KC (24576 / (LAM_TILE_VECTORS * VL * sizeof(float)))
#define PANEL (2 * KC * LAM_TILE_VECTORS * VL)
/* From so many numbers on C comes from memory, and a deeper panel is better than coming back to C. */
#define LARGE_C ((size_t)1 << 20)
/* Up to this many bytes B or A' may be read where it lies. */
#define NEAR 32768
/* From here on the next panel is fetched while the rows go by this one. */
#define FAR 262144
/* So many panels make a copy of A's rows worth it; their distance in the copy keeps them apart in the
 * cache. */
#define MANY_PANELS 4
#define ROW_GAP 16
/* What the scratch holds behind a panel. */
#define ROOM (LAM_WORKER_SCRATCH / 2 / sizeof(float) - PANEL)

/* A task's columns, and its panels: these in whole vectors, shared out evenly. */
typedef struct LAM_T(columns) {
    size_t first, vectors, panels;
} LAM_T(columns);

/* Where panel q begins. */
LAM_INLINE size_t LAM_T(panel_at)(const lam_gemm *g, const LAM_T(columns) *c, size_t q)
{
    size_t at = (c->first + lam_part(c->vectors, c->panels, q)) * VL;
    return at < g->n ? at : g->n;
}

/* Copies columns col .. col + width, numbers from .. from + k. */
LAM_INLINE void LAM_T(pack_panel)(const lam_gemm *g, size_t col, size_t width, size_t from, size_t k, float *space)
{
    if (g->form == LAM_NT)
        LAM_T(pack_transposed)(k, width, g->b + col * g->ldb + from, g->ldb, space);
    else
        LAM_T(pack)(k, width, g->b + from * g->ldb + col, g->ldb, space);
}

/* Part i of `parts` of such a panel on its way from memory to the second cache. */
LAM_INLINE void LAM_T(fetch_panel)(const lam_gemm *g, size_t col, size_t width, size_t from, size_t k,
                                   size_t i, size_t parts)
{
    bool nt = g->form == LAM_NT;
    size_t lines = nt ? width : k, length = nt ? k : width;
    const float *b = nt ? g->b + col * g->ldb + from : g->b + from * g->ldb + col;
    for (size_t p = lam_part(lines, parts, i); p < lam_part(lines, parts, i + 1); p++)
        for (size_t v = 0; v < length; v += 16)
            __builtin_prefetch(b + p * g->ldb + v, 0, 2);
}

/* The rows of A that a task needs, numbers from .. from + k: where they lie, or copied to space. */
typedef struct LAM_T(rows_of_a) {
    const float *a;
    size_t row_step, k_step;
} LAM_T(rows_of_a);

LAM_INLINE LAM_T(rows_of_a) LAM_T(open_rows)(const job *j, size_t row, size_t rows, size_t panels,
                                             size_t from, size_t k, float *space)
{
    const lam_gemm *g = j->g;
    LAM_T(rows_of_a) r = {g->a + row * j->row_step + from * j->k_step, j->row_step, j->k_step};
    bool tn = g->form == LAM_TN;
    size_t lines = tn ? k : rows, width = tn ? rows : k, step = lam_divide_up(width, VL) * VL + ROW_GAP;
    if (panels < MANY_PANELS || lines * g->lda * sizeof(float) <= NEAR || lines * step > ROOM)
        return r;
    for (size_t i = 0; i < lines; i++)
        memcpy(space + i * step, r.a + i * g->lda, width * sizeof(float));
    return (LAM_T(rows_of_a)){space, tn ? 1 : step, tn ? step : 1};
}

/* Rows row .. row + rows of a task's columns, numbers from .. from + k of the sums.  A panel waits in the
 * first cache while the rows go by it. */
LAM_INLINE void LAM_T(step_product)(const job *j, size_t row, size_t rows, const LAM_T(columns) *c,
                                    size_t from, size_t k, float *space)
{
    const lam_gemm *g = j->g;
    size_t widest = c->panels == 1 ? c->vectors : lam_divide_up(c->vectors, c->panels);
    size_t highest = j->tiles->rows[widest - 1];
    size_t blocks = rows <= highest ? 1 : lam_divide_up(rows, highest);
    bool near = g->form != LAM_NT && (blocks <= 2 || k * g->ldb * sizeof(float) <= NEAR);
    bool direct = near && (LAM_TIER_LEVEL == 2 || g->n % VL == 0);
    bool final = from + k == g->k;
    lam_tile t = {.ldc = g->ldc, .load = g->add || from > 0};
    bool far = !near && k * g->ldb * sizeof(float) > FAR;
    LAM_T(rows_of_a) r = LAM_T(open_rows)(j, row, rows, c->panels, from, k, space + PANEL);
    for (size_t q = 0; q < c->panels; q++) {
        size_t col = LAM_T(panel_at)(g, c, q), next = LAM_T(panel_at)(g, c, q + 1);
        size_t width = next - col, vectors = lam_divide_up(width, VL);
        const float *b = direct ? g->b + from * g->ldb + col : space;
        if (!direct)
            LAM_T(pack_panel)(g, col, width, from, k, space);
        t.bias = final && g->bias ? g->bias + col : NULL;
        t.last = width - (vectors - 1) * VL;
        for (size_t i = 0; i < blocks; i++) {
            size_t top = lam_part(rows, blocks, i), height = lam_part(rows, blocks, i + 1) - top;
            size_t at = (row + top) * g->ldc + col;
            if (far && q + 1 < c->panels)
                LAM_T(fetch_panel)(g, next, LAM_T(panel_at)(g, c, q + 2) - next, from, k, i, blocks);
            t.c = g->c + at;
            t.relu = final && j->relu ? g->y + at : NULL;
            t.gate = final && g->gate ? g->gate + at : NULL;
            j->tiles->fn[vectors - 1][height - 1](k, r.a + top * r.row_step, r.row_step, r.k_step, b,
                                                  direct ? g->ldb : vectors * VL, &t);
            if (final && j->act)
                lam_tile_activate(g->act, j->act, height, width, g->ldc, t.c, g->y + at);
        }
    }
}

LAM_FN void LAM_T(gemm_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    float *space = lam_kernel_scratch(worker);
    size_t row = 0, rows = g->m;
    LAM_T(columns) c = {.vectors = lam_divide_up(g->n, VL)};
    if (j->row_cuts * j->col_cuts > 1) {
        size_t all = c.vectors;
        row = lam_part(g->m, j->row_cuts, task / j->col_cuts);
        rows = lam_part(g->m, j->row_cuts, task / j->col_cuts + 1) - row;
        c.first = lam_part(all, j->col_cuts, task % j->col_cuts);
        c.vectors = lam_part(all, j->col_cuts, task % j->col_cuts + 1) - c.first;
    }
    c.panels = lam_divide_up(c.vectors, LAM_TILE_VECTORS);
    size_t deepest = g->m * g->n > LARGE_C ? 2 * KC : KC;
    size_t steps = g->k > deepest ? lam_divide_up(g->k, KC) : 1;
    for (size_t s = 0; s < steps; s++) {
        size_t from = lam_part(g->k, steps, s), k = lam_part(g->k, steps, s + 1) - from;
        LAM_T(step_product)(j, row, rows, &c, from, k, space);
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
        lam_tile_activate(g->act, j->act, end - first, g->n, g->ldc, g->c + first * g->ldc, g->y + first * g->ldc);
}

/* A' (m, k) with up to FEW_COLUMNS columns, as C' = B' A: now the long side has the vectors. */
LAM_FN void LAM_T(swapped_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    float *space = lam_kernel_scratch(worker);
    size_t first = lam_part(g->m, j->row_cuts, task), end = lam_part(g->m, j->row_cuts, task + 1);
    size_t steps = g->k > KC ? lam_divide_up(g->k, KC) : 1;
    float sums[FEW_COLUMNS * LAM_TILE_VECTORS * VL];
    bool plain = !g->add && !g->bias && !g->gate && !j->relu;
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
        if (plain)
            for (size_t col = 0; col < g->n; col++)
                for (size_t i = 0; i < width; i++)
                    g->c[(row + i) * g->ldc + col] = sums[col * t.ldc + i];
        else
            for (size_t i = 0; i < width; i++)
                for (size_t col = 0; col < g->n; col++)
                    finish_one(j, row + i, col, sums[col * t.ldc + i]);
    }
    if (j->act)
        lam_tile_activate(g->act, j->act, end - first, g->n, g->ldc, g->c + first * g->ldc, g->y + first * g->ldc);
}

#undef KC
#undef PANEL
#undef LARGE_C
#undef NEAR
#undef FAR
#undef MANY_PANELS
#undef ROW_GAP
#undef ROOM
#endif
