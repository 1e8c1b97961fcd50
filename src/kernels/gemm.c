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
#include "kernels/kernels.h"

#include <math.h>

/* Up to here a row of C is far too short for a vector. */
enum { FEW_COLUMNS = 4 };

/* What one call of a tile function does with its sums. */
typedef struct tile {
    float *c;          /* where the sums go; NULL: they are not kept */
    float *relu;       /* where max(sum, 0) goes, or NULL */
    size_t ldc;
    size_t last;       /* numbers in the last vector of a row */
    bool load;         /* c holds a part of the sum already */
    const float *bias; /* added to each row, or NULL */
} tile;

typedef struct job {
    const lam_gemm *g;
    size_t row_cuts, col_cuts; /* the tasks: a grid over C */
    size_t row_step, k_step;   /* distances of A's rows, and of its numbers along k */
    bool relu;                 /* the activation is the plain rectifier */
    lam_activation_fn act;     /* another activation, or NULL */
} job;

typedef void (*tile_fn)(size_t k, const float *a, size_t row_step, size_t k_step, const float *b,
                        size_t b_step, const tile *t);
typedef void (*gemm_fn)(const job *j, size_t task, int worker);

/* Where part i of n things begins, when they are cut into parts of equal size or nearly so. */
static inline size_t part(size_t n, size_t parts, size_t i)
{
    return n * i / parts;
}

static inline size_t divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

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
static const size_t vector_table[LAM_TIERS] = {4, 8, 16};

enum {
    PANEL_VECTORS = 3,    /* width of most panels */
    ROWS_PER_TASK = 64,   /* at least, or packing costs too much */
    ROWS_AT_MOST = 512,   /* so that a task's part of A stays in cache */
    WIDE_PANELS = 8,
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

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The grid of tasks depends on the shape alone. */
static void cut(job *j, size_t panels)
{
    const lam_gemm *g = j->g;
    double work = 2.0 * (double)g->m * (double)g->n * (double)g->k;
    j->row_cuts = j->col_cuts = 1;
    if (work < parallel_from)
        return;
    size_t tasks = work > TASKS * work_per_task ? TASKS : (size_t)(work / work_per_task);
    bool wide = g->form == LAM_TN && panels >= 8 * WIDE_PANELS; /* a copy of A' serves them all */
    j->col_cuts = wide ? divide_up(panels, WIDE_PANELS) : least(panels, tasks);
    size_t row_cuts = least(divide_up(tasks, j->col_cuts), g->m / ROWS_PER_TASK);
    j->row_cuts = most(most(row_cuts, divide_up(g->m, ROWS_AT_MOST)), 1);
}

/* ---- large products by way of OpenBLAS -------------------------------------------------------- */

enum { BLAS_PART = 1024, BLAS_TASKS = 4 };

/* A part of C along its longer side; bias and activation while it is warm. */
static void blas_task(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    size_t row = part(g->m, j->row_cuts, task % j->row_cuts);
    size_t rows = part(g->m, j->row_cuts, task % j->row_cuts + 1) - row;
    size_t col = part(g->n, j->col_cuts, task / j->row_cuts);
    size_t cols = part(g->n, j->col_cuts, task / j->row_cuts + 1) - col;
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
    size_t parts = least(most(most(g->m, g->n) / BLAS_PART, 1), BLAS_TASKS);
    c->j.row_cuts = g->m > g->n ? parts : 1;
    c->j.col_cuts = g->m > g->n ? 1 : parts;
    c->fn = blas_task;
    int before = lam_blas_enter();
    lam_parallel(parts, run_task, c);
    lam_blas_leave(before);
}

static bool plain_relu(const lam_activation *a)
{
    return a->id == LAM_ACT_relu && a->par[0] == 0.0f && a->par[1] == INFINITY && a->par[2] == 0.0f;
}

void lam_gemm_run(const lam_gemm *g)
{
    if (g->m == 0 || g->n == 0)
        return;
    int tier = (int)lam_tier();
    call c = {.j = {.g = g}, .fn = gemm_table[tier]};
    if (lam_blas_wants(g)) {
        run_blas(&c);
        return;
    }
    bool tn = g->form == LAM_TN;
    c.j.row_step = tn ? 1 : g->lda;
    c.j.k_step = tn ? g->lda : 1;
    if (g->act && plain_relu(g->act))
        c.j.relu = true;
    else if (g->act)
        c.j.act = lam_activation_kernel(g->act->id);
    size_t panels = divide_up(divide_up(g->n, vector_table[tier]), PANEL_VECTORS);
    if (g->n <= FEW_COLUMNS) {
        panels = 1;
        if (tn)
            c.fn = swapped_table[tier];
        else if (g->k >= 4 * vector_table[tier] && g->k <= DOT_AT_MOST)
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

/* ---- tiles ----------------------------------------------------------------------------------
 * A tile of V vectors may have up to ROWS_V rows: sums, V vectors of B and one number of A fill
 * the registers. */
#if LAM_TIER_LEVEL == 2
#define ROWS_1 14
#define ROWS_2 12
#define ROWS_3 8
#else
#define ROWS_1 8
#define ROWS_2 6
#define ROWS_3 4
#endif
#define MAX_ROWS ROWS_1
#define MAX_VECTORS 3

/* AVX-512 reads a part of a vector as fast as a whole one; elsewhere B's last panel is copied and
 * filled up. */
LAM_INLINE vf LAM_T(load_b)(const float *p, bool partial, size_t n)
{
#if LAM_TIER_LEVEL == 2
    return partial ? vf_load_n(p, n) : vf_load(p);
#else
    (void)partial;
    (void)n;
    return vf_load(p);
#endif
}

LAM_INLINE vf LAM_T(load_part)(const float *p, bool partial, size_t n)
{
    return partial && (LAM_TIER_LEVEL == 2 || n < VL) ? vf_load_n(p, n) : vf_load(p);
}

LAM_INLINE void LAM_T(store_part)(float *p, vf v, bool partial, size_t n)
{
    if (partial && (LAM_TIER_LEVEL == 2 || n < VL))
        vf_store_n(p, v, n);
    else
        vf_store(p, v);
}

/* rows x vectors of C; both are constants where this is used.  The rows of A are reached from every
 * fourth: base, base + step, base + 2 step, base + 3 step are one instruction's addresses. */
LAM_INLINE void LAM_T(tile)(const size_t rows, const size_t vectors, size_t k, const float *a,
                            size_t row_step, size_t k_step, const float *b, size_t b_step, const tile *t)
{
    vf sum[MAX_ROWS][MAX_VECTORS];
    LAM_UNROLL for (size_t i = 0; i < rows; i++)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++)
            sum[i][v] = vf_set(0.0f);
    const float *base[(MAX_ROWS + 3) / 4];
    LAM_UNROLL for (size_t i = 0; i < (rows + 3) / 4; i++)
        base[i] = a + 4 * i * row_step;
    size_t triple = 3 * row_step, last = t->last;
    for (; k > 0; k--) {
        vf row[MAX_VECTORS];
        LAM_UNROLL for (size_t v = 0; v < vectors; v++)
            row[v] = LAM_T(load_b)(b + v * VL, v + 1 == vectors, last);
        LAM_UNROLL for (size_t i = 0; i < rows; i++) {
            vf s = vf_set(base[i / 4][i % 4 == 3 ? triple : i % 4 * row_step]);
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                sum[i][v] = vf_fma(s, row[v], sum[i][v]);
        }
        LAM_UNROLL for (size_t i = 0; i < (rows + 3) / 4; i++)
            base[i] += k_step;
        b += b_step;
    }
    size_t ldc = t->ldc;
    if (t->load)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                sum[i][v] += LAM_T(load_part)(t->c + i * ldc + v * VL, v + 1 == vectors, last);
    if (t->bias)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
            vf bias = LAM_T(load_part)(t->bias + v * VL, v + 1 == vectors, last);
            LAM_UNROLL for (size_t i = 0; i < rows; i++)
                sum[i][v] += bias;
        }
    if (t->c && t->c != t->relu)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                LAM_T(store_part)(t->c + i * ldc + v * VL, sum[i][v], v + 1 == vectors, last);
    if (t->relu)
        LAM_UNROLL for (size_t i = 0; i < rows; i++)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                LAM_T(store_part)(t->relu + i * ldc + v * VL, vf_max(vf_set(0.0f), sum[i][v]),
                                  v + 1 == vectors, last);
}

#define TILE(rows, vectors)                                                                          \
    LAM_FN void LAM_T(tile_##rows##_##vectors)(size_t k, const float *a, size_t row_step,           \
                                               size_t k_step, const float *b, size_t b_step,        \
                                               const tile *t)                                       \
    {                                                                                               \
        LAM_T(tile)(rows, vectors, k, a, row_step, k_step, b, b_step, t);                           \
    }
#define ENTRY(rows, vectors) LAM_T(tile_##rows##_##vectors),
#define FOUR(X, v) X(1, v) X(2, v) X(3, v) X(4, v)
#define SIX(X, v) FOUR(X, v) X(5, v) X(6, v)
#define EIGHT(X, v) SIX(X, v) X(7, v) X(8, v)
#define TWELVE(X, v) EIGHT(X, v) X(9, v) X(10, v) X(11, v) X(12, v)
#define FOURTEEN(X, v) TWELVE(X, v) X(13, v) X(14, v)
#if LAM_TIER_LEVEL == 2
#define EACH_1(X) FOURTEEN(X, 1)
#define EACH_2(X) TWELVE(X, 2)
#define EACH_3(X) EIGHT(X, 3)
#else
#define EACH_1(X) EIGHT(X, 1)
#define EACH_2(X) SIX(X, 2)
#define EACH_3(X) FOUR(X, 3)
#endif

EACH_1(TILE)
EACH_2(TILE)
EACH_3(TILE)

static const tile_fn LAM_T(tiles)[MAX_VECTORS][MAX_ROWS] = {
    {EACH_1(ENTRY)}, {EACH_2(ENTRY)}, {EACH_3(ENTRY)},
};
static const size_t LAM_T(rows_of)[MAX_VECTORS] = {ROWS_1, ROWS_2, ROWS_3};

#undef TILE
#undef ENTRY
#undef FOUR
#undef SIX
#undef EIGHT
#undef TWELVE
#undef FOURTEEN
#undef EACH_1
#undef EACH_2
#undef EACH_3

/* ---- packing -------------------------------------------------------------------------------- */

/* k rows of `width` numbers, the last vector filled up with zeros. */
LAM_INLINE void LAM_T(pack)(size_t k, size_t width, const float *b, size_t ldb, float *to)
{
    size_t full = width / VL * VL, rest = width - full;
    for (size_t p = 0; p < k; p++, b += ldb) {
        for (size_t j = 0; j < full; j += VL, to += VL)
            vf_store(to, vf_load(b + j));
        if (rest) {
            vf_store(to, vf_load_n(b + full, rest));
            to += VL;
        }
    }
}

/* VL x VL numbers turned over: what was row i is column i. */
#if LAM_TIER_LEVEL == 2
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    __m512 s[16];
    LAM_UNROLL for (int i = 0; i < 16; i += 4) {
        __m512 a = _mm512_unpacklo_ps((__m512)r[i], (__m512)r[i + 1]);
        __m512 b = _mm512_unpackhi_ps((__m512)r[i], (__m512)r[i + 1]);
        __m512 c = _mm512_unpacklo_ps((__m512)r[i + 2], (__m512)r[i + 3]);
        __m512 d = _mm512_unpackhi_ps((__m512)r[i + 2], (__m512)r[i + 3]);
        s[i] = _mm512_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm512_shuffle_ps(a, c, 0xEE);
        s[i + 2] = _mm512_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm512_shuffle_ps(b, d, 0xEE);
    }
    LAM_UNROLL for (int i = 0; i < 4; i++) {
        __m512 a = _mm512_shuffle_f32x4(s[i], s[i + 4], 0x88);
        __m512 b = _mm512_shuffle_f32x4(s[i], s[i + 4], 0xDD);
        __m512 c = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0x88);
        __m512 d = _mm512_shuffle_f32x4(s[i + 8], s[i + 12], 0xDD);
        r[i] = (vf)_mm512_shuffle_f32x4(a, c, 0x88);
        r[i + 4] = (vf)_mm512_shuffle_f32x4(b, d, 0x88);
        r[i + 8] = (vf)_mm512_shuffle_f32x4(a, c, 0xDD);
        r[i + 12] = (vf)_mm512_shuffle_f32x4(b, d, 0xDD);
    }
}
#elif LAM_TIER_LEVEL == 1
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    __m256 s[8];
    LAM_UNROLL for (int i = 0; i < 8; i += 4) {
        __m256 a = _mm256_unpacklo_ps((__m256)r[i], (__m256)r[i + 1]);
        __m256 b = _mm256_unpackhi_ps((__m256)r[i], (__m256)r[i + 1]);
        __m256 c = _mm256_unpacklo_ps((__m256)r[i + 2], (__m256)r[i + 3]);
        __m256 d = _mm256_unpackhi_ps((__m256)r[i + 2], (__m256)r[i + 3]);
        s[i] = _mm256_shuffle_ps(a, c, 0x44);
        s[i + 1] = _mm256_shuffle_ps(a, c, 0xEE);
        s[i + 2] = _mm256_shuffle_ps(b, d, 0x44);
        s[i + 3] = _mm256_shuffle_ps(b, d, 0xEE);
    }
    LAM_UNROLL for (int i = 0; i < 4; i++) {
        r[i] = (vf)_mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
        r[i + 4] = (vf)_mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
    }
}
#else
LAM_INLINE void LAM_T(transpose)(vf r[VL])
{
    vf t[VL];
    LAM_UNROLL for (int i = 0; i < VL; i++)
        t[i] = (vf){r[0][i], r[1][i], r[2][i], r[3][i]};
    LAM_UNROLL for (int i = 0; i < VL; i++)
        r[i] = t[i];
}
#endif

/* The same from a stored B', of which k numbers of `width` rows are wanted. */
LAM_FN void LAM_T(pack_transposed)(size_t k, size_t width, const float *b, size_t ldb, float *to)
{
    size_t step = divide_up(width, VL) * VL;
    for (size_t j = 0; j < width; j += VL) {
        size_t rows = width - j < VL ? width - j : VL;
        for (size_t p = 0; p < k; p += VL) {
            size_t depth = k - p < VL ? k - p : VL;
            const float *from = b + j * ldb + p;
            float *out = to + p * step + j;
            vf r[VL];
            if (rows == VL && depth == VL) {
                LAM_UNROLL for (size_t i = 0; i < VL; i++)
                    r[i] = vf_load(from + i * ldb);
                LAM_T(transpose)(r);
                LAM_UNROLL for (size_t i = 0; i < VL; i++)
                    vf_store(out + i * step, r[i]);
                continue;
            }
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                r[i] = i < rows ? vf_load_n(from + i * ldb, depth) : vf_set(0.0f);
            LAM_T(transpose)(r);
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                if (i < depth)
                    vf_store(out + i * step, r[i]);
        }
    }
}

/* ---- one task ------------------------------------------------------------------------------- */

/* The depth of a panel, and how many panels wait in the second cache for a block of A's rows. */
#define KC (49152 / (MAX_VECTORS * VL * sizeof(float)))
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
    size_t all = divide_up(g->n, VL), begin = part(all, panels, q), end = part(all, panels, q + 1);
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
    size_t widest = divide_up(divide_up(g->n, VL), panels);
    size_t blocks = divide_up(rows, LAM_T(rows_of)[widest - 1]);
    bool direct = blocks <= 2 || k * g->ldb * sizeof(float) <= NEAR;
    bool copy_a = g->form == LAM_TN && end - first > 1 && k * g->lda * sizeof(float) > NEAR;
    LAM_T(panel) panel[GROUP];
    for (size_t q = first; q < end; q++)
        panel[q - first] = LAM_T(open_panel)(g, q, panels, from, k, direct,
                                             space + (q - first) * KC * MAX_VECTORS * VL);
    float *block = space + GROUP * KC * MAX_VECTORS * VL;
    size_t copied = 0, many = 0;
    bool final = from + k == g->k;
    tile t = {.ldc = g->ldc, .load = g->add || from > 0};
    for (size_t i = 0; i < blocks; i++) {
        size_t top = row + part(rows, blocks, i), height = row + part(rows, blocks, i + 1) - top;
        const float *a = g->a + top * j->row_step + from * j->k_step;
        size_t k_step = j->k_step;
        if (copy_a) {
            if (i % A_BLOCKS == 0) {
                size_t last = i + A_BLOCKS < blocks ? i + A_BLOCKS : blocks;
                copied = top;
                many = row + part(rows, blocks, last) - top;
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
            LAM_T(tiles)[p->vectors - 1][height - 1](k, a, j->row_step, k_step, p->b, p->b_step, &t);
            if (final && j->act)
                activate(j, height, p->width, t.c, g->y + at);
        }
    }
}

LAM_FN void LAM_T(gemm_task)(const job *j, size_t task, int worker)
{
    const lam_gemm *g = j->g;
    float *space = lam_kernel_scratch(worker);
    size_t row = part(g->m, j->row_cuts, task / j->col_cuts);
    size_t rows = part(g->m, j->row_cuts, task / j->col_cuts + 1) - row;
    size_t panels = divide_up(divide_up(g->n, VL), MAX_VECTORS);
    size_t first = part(panels, j->col_cuts, task % j->col_cuts);
    size_t end = part(panels, j->col_cuts, task % j->col_cuts + 1);
    size_t steps = g->k > KC ? divide_up(g->k, KC) : 1;
    for (size_t s = 0; s < steps; s++) {
        size_t from = part(g->k, steps, s), k = part(g->k, steps, s + 1) - from;
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
    size_t row = part(g->m, j->row_cuts, task), end = part(g->m, j->row_cuts, task + 1);
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
    size_t first = part(g->m, j->row_cuts, task), end = part(g->m, j->row_cuts, task + 1);
    size_t steps = g->k > KC ? divide_up(g->k, KC) : 1;
    float sums[FEW_COLUMNS * MAX_VECTORS * VL];
    for (size_t row = first, width; row < end; row += width) {
        width = end - row < MAX_VECTORS * VL ? end - row : MAX_VECTORS * VL;
        size_t vectors = divide_up(width, VL);
        tile t = {.c = sums, .ldc = vectors * VL, .last = width - (vectors - 1) * VL};
        for (size_t s = 0; s < steps; s++) {
            size_t from = part(g->k, steps, s), k = part(g->k, steps, s + 1) - from;
            const float *a = g->a + from * g->lda + row;
            size_t a_step = g->lda;
            if (LAM_TIER_LEVEL < 2 && width % VL) {
                LAM_T(pack)(k, width, a, a_step, space);
                a = space;
                a_step = vectors * VL;
            }
            t.load = from > 0;
            LAM_T(tiles)[vectors - 1][g->n - 1](k, g->b + from * g->ldb, 1, g->ldb, a, a_step, &t);
        }
        for (size_t i = 0; i < width; i++)
            for (size_t col = 0; col < g->n; col++)
                finish_one(j, row + i, col, sums[col * t.ldc + i]);
    }
    if (j->act)
        activate(j, end - first, g->n, g->c + first * g->ldc, g->y + first * g->ldc);
}

#undef ROWS_1
#undef ROWS_2
#undef ROWS_3
#undef MAX_ROWS
#undef MAX_VECTORS
#undef KC
#undef GROUP
#undef A_BLOCKS
#undef NEAR
#endif
