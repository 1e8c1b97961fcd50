/* Products of matrices rounded to bfloat16, with sums in single precision.
 *
 * A bfloat16 is the upper half of a float: 8 bits of precision, the whole range.  The product of two has
 * 16 bits, so a float holds it exactly and rounding happens in the sums alone.  Each number of C is one
 * sum in the order of k, of parts of KC whatever the tier; so all tiers give the same bits, unless
 * products fall below the range of floats (where multiply-adds in one step see what two steps do not).
 *
 * Both matrices are copied anyway, and rounded as they are.  There are two ways from there:
 *   - as floats whose lower halves are 0, through the tiles of all products (tile.h);
 *   - as pairs along k, which AVX512-BF16 multiplies and adds up by one instruction, vdpbf16ps: first
 *     the upper half of each pair, then the lower one, each as a multiply-add in one step that rounds to
 *     nearest and takes denormals for 0, as the engine does.  So the earlier number of a pair stands
 *     in the upper half, and the bits are those of the first way.
 * vdpbf16ps works on twice as many numbers, but on Intel's processors it starts every other cycle, where
 * two multiply-adds start every cycle: half the speed (87 against 178 GF/s on a core of Sapphire Rapids).
 * On Zen 4 it does twice the work (github.com/iree-org/iree/pull/15089).  Where it pays is for lam_dots() to
 * know. */
#ifndef LAM_TIER
#include "kernels/gemm_bf16.h"

#include "kernels/tile.h"

enum {
    KC = 256,            /* the depth of a copy; shows in the bits, so it is the same everywhere */
    A_STEP = KC + 16,    /* floats from a row of A's copy to the next, where rows stay rows */
    A_ROWS = 256,        /* rows of A that are copied at once */
    GROUP = 8,           /* panels of B that are */
    ROWS_PER_TASK = 32,  /* at least */
    TASKS_PER_THREAD = 2,
    PACKING = 8          /* multiply-adds in the time of copying a number */
};

typedef void (*pack_fn)(size_t k, size_t n, const float *x, size_t ld, float *to);

typedef struct job {
    const lam_gemm *g;
    const lam_tiles *tiles;
    size_t each;     /* numbers along k that one number of a copy holds: 1, or 2 in pairs */
    pack_fn rows;    /* n rows of k numbers, as rows at a distance of A_STEP */
    pack_fn columns; /* k rows of n numbers; the last vector is filled up with zeros */
    pack_fn turned;  /* n rows of k numbers, as columns would copy the transposed */
    size_t row_cuts, col_cuts; /* the tasks: a grid over C */
    bool relu;
    lam_activation_fn act; /* an activation other than the plain rectifier, or NULL */
} job;

/* A part of C and of its sums. */
typedef struct part {
    size_t row, rows, first, end; /* panels of columns first .. end */
    size_t from, k;
} part;

#define LAM_TIERED_FILE "kernels/gemm_bf16.c"
#include "kernels/each_tier.h"

void lam_bf16_round(size_t n, const float *x, float *y)
{
    typedef void (*round_fn)(size_t, const float *, float *);
    static const round_fn table[LAM_TIERS] = LAM_TIER_TABLE(round_all);
    table[lam_tier()](n, x, y);
}

static size_t panels_of(const job *j)
{
    return lam_divide_up(lam_divide_up(j->g->n, j->tiles->vl), LAM_TILE_VECTORS);
}

/* Where panel q begins, in vectors. */
static size_t panel_begin(const job *j, size_t q)
{
    return lam_part(lam_divide_up(j->g->n, j->tiles->vl), panels_of(j), q);
}

static size_t panel_floats(const job *j)
{
    return KC / j->each * LAM_TILE_VECTORS * j->tiles->vl;
}

static size_t panel_width(const job *j, size_t q)
{
    return lam_least(panel_begin(j, q + 1) * j->tiles->vl, j->g->n) - panel_begin(j, q) * j->tiles->vl;
}

static void pack_panels(const job *j, const part *p, float *to)
{
    const lam_gemm *g = j->g;
    for (size_t q = p->first; q < p->end; q++, to += panel_floats(j)) {
        size_t col = panel_begin(j, q) * j->tiles->vl;
        if (g->form == LAM_NT)
            j->turned(p->k, panel_width(j, q), g->b + col * g->ldb + p->from, g->ldb, to);
        else
            j->columns(p->k, panel_width(j, q), g->b + p->from * g->ldb + col, g->ldb, to);
    }
}

static void pack_block(const job *j, const part *p, float *to)
{
    const lam_gemm *g = j->g;
    if (g->form == LAM_TN)
        j->columns(p->k, p->rows, g->a + p->from * g->lda + p->row, g->lda, to);
    else
        j->rows(p->k, p->rows, g->a + p->row * g->lda + p->from, g->lda, to);
}

/* What is packed in a and b, multiplied. */
static void multiply(const job *j, const part *p, const float *a, const float *b)
{
    const lam_gemm *g = j->g;
    size_t vl = j->tiles->vl, depth = lam_divide_up(p->k, j->each);
    size_t row_step = g->form == LAM_TN ? 1 : A_STEP;
    size_t k_step = g->form == LAM_TN ? lam_divide_up(p->rows, vl) * vl : 1;
    size_t most = j->tiles->rows[lam_divide_up(lam_divide_up(g->n, vl), panels_of(j)) - 1];
    size_t blocks = lam_divide_up(p->rows, most);
    bool final = p->from + p->k == g->k;
    lam_tile t = {.ldc = g->ldc, .load = g->add || p->from > 0};
    for (size_t i = 0; i < blocks; i++) {
        size_t top = lam_part(p->rows, blocks, i), height = lam_part(p->rows, blocks, i + 1) - top;
        for (size_t q = p->first; q < p->end; q++) {
            size_t begin = panel_begin(j, q), vectors = panel_begin(j, q + 1) - begin;
            size_t width = panel_width(j, q), at = (p->row + top) * g->ldc + begin * vl;
            t.c = g->c + at;
            t.relu = final && j->relu ? g->y + at : NULL;
            t.bias = final && g->bias ? g->bias + begin * vl : NULL;
            t.gate = final && g->gate ? g->gate + at : NULL;
            t.last = width - (vectors - 1) * vl;
            j->tiles->fn[vectors - 1][height - 1](depth, a + top * row_step, row_step, k_step,
                                                  b + (q - p->first) * panel_floats(j), vectors * vl, &t);
            if (final && j->act)
                lam_tile_activate(g->act, j->act, height, width, g->ldc, t.c, g->y + at);
        }
    }
}

static void run_task(void *arg, size_t task, int worker)
{
    const job *j = arg;
    const lam_gemm *g = j->g;
    float *a = lam_kernel_scratch(worker), *b = a + (size_t)A_ROWS * A_STEP;
    size_t row = lam_part(g->m, j->row_cuts, task / j->col_cuts);
    size_t rows = lam_part(g->m, j->row_cuts, task / j->col_cuts + 1) - row;
    size_t first = lam_part(panels_of(j), j->col_cuts, task % j->col_cuts);
    size_t end = lam_part(panels_of(j), j->col_cuts, task % j->col_cuts + 1);
    size_t steps = lam_most(lam_divide_up(g->k, KC), 1), blocks = lam_divide_up(rows, A_ROWS);
    for (size_t s = 0; s < steps; s++) {
        part p = {.from = lam_part(g->k, steps, s)};
        p.k = lam_part(g->k, steps, s + 1) - p.from;
        for (p.first = first; p.first < end; p.first = p.end) {
            p.end = lam_least(p.first + GROUP, end);
            pack_panels(j, &p, b);
            for (size_t i = 0; i < blocks; i++) {
                p.row = row + lam_part(rows, blocks, i);
                p.rows = row + lam_part(rows, blocks, i + 1) - p.row;
                if (blocks > 1 || p.first == first)
                    pack_block(j, &p, a);
                multiply(j, &p, a, b);
            }
        }
    }
}

/* The grid of tasks, which does not show in the result: as many as keep the threads busy, cut so that
 * little is copied twice. */
static void cut(job *j)
{
    const lam_gemm *g = j->g;
    double m = (double)g->m, n = (double)g->n, work = 2.0 * m * n * (double)g->k, least = INFINITY;
    size_t threads = (size_t)lam_threads_here(), panels = panels_of(j);
    size_t tasks = lam_least((size_t)(work / LAM_WORK_PER_TASK), TASKS_PER_THREAD * threads);
    j->row_cuts = j->col_cuts = 1;
    if (work < LAM_PARALLEL_FROM || threads == 1)
        return;
    for (size_t cols = 1; cols <= lam_least(panels, tasks); cols++) {
        size_t rows = lam_most(lam_least(lam_divide_up(tasks, cols), g->m / ROWS_PER_TASK), 1);
        double cost = (PACKING * ((double)cols * m + (double)rows * n) + m * n) / (double)lam_least(rows * cols, tasks);
        if (cost < least) {
            least = cost;
            j->row_cuts = rows;
            j->col_cuts = cols;
        }
    }
}

void lam_gemm_bf16(const lam_gemm *g)
{
    static const pack_fn rows[LAM_TIERS] = LAM_TIER_TABLE(round_rows);
    static const pack_fn columns[LAM_TIERS] = LAM_TIER_TABLE(round_columns);
    static const pack_fn turned[LAM_TIERS] = LAM_TIER_TABLE(round_turned);
    lam_tier_id tier = lam_tier();
    job j = {.g = g, .tiles = lam_tiles_of(tier), .each = 1, .rows = rows[tier], .columns = columns[tier],
             .turned = turned[tier]};
#if LAM_DOTS
    if (lam_dots()) {
        j.tiles = &pair_tiles;
        j.each = 2;
        j.rows = pair_rows;
        j.columns = pair_columns;
        j.turned = pair_turned;
    }
#endif
    j.relu = g->act && lam_activation_is_relu(g->act);
    j.act = g->act && !j.relu ? lam_activation_kernel(g->act->id) : NULL;
    cut(&j);
    if (j.row_cuts * j.col_cuts == 1)
        run_task(&j, 0, lam_worker());
    else
        lam_parallel(j.row_cuts * j.col_cuts, run_task, &j);
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* Half a unit of the last place less one bit, and one more where that place is odd, then cut off.  An
 * overflow runs into infinity as it should; of a NaN, whose bits it might carry away, the quiet bit
 * is set instead. */
LAM_INLINE vf LAM_T(rounded)(vf v)
{
    vi x = (vi)v, nan = v != v;
    vi up = (x & ~nan) + ((x >> 16) & 1) + 0x7fff;
    vi bits = (up & ~nan) | ((x | 0x400000) & nan);
    return (vf)(bits & ~0xffff);
}

LAM_FN void LAM_T(round_all)(size_t n, const float *x, float *y)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(y + i, LAM_T(rounded)(vf_load(x + i)));
    if (i < n)
        vf_store_n(y + i, LAM_T(rounded)(vf_load_n(x + i, n - i)), n - i);
}

/* ---- copies as floats ------------------------------------------------------------------------- */

LAM_FN void LAM_T(round_rows)(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    for (size_t i = 0; i < n; i++)
        LAM_T(round_all)(k, x + i * ld, to + i * A_STEP);
}

LAM_FN void LAM_T(round_columns)(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    for (size_t p = 0; p < k; p++, x += ld)
        for (size_t i = 0; i < n; i += VL, to += VL)
            vf_store(to, LAM_T(rounded)(vf_load_up_to(x + i, n - i < VL ? n - i : VL)));
}

LAM_FN void LAM_T(round_turned)(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    LAM_T(pack_transposed)(k, n, x, ld, to);
    LAM_T(round_all)(k * lam_divide_up(n, VL) * VL, to, to);
}

/* ---- pairs along k, for vdpbf16ps ------------------------------------------------------------- */

#if LAM_TIER_LEVEL == 2 && LAM_DOTS

/* first in the upper halves, second in the lower ones */
LAM_INLINE vf LAM_T(pairs)(vf first, vf second)
{
    __m512i low = _mm512_srli_epi32((__m512i)LAM_T(rounded)(second), 16);
    return (vf)_mm512_or_si512((__m512i)LAM_T(rounded)(first), low);
}

/* The pairs of up to 32 numbers in a row. */
LAM_INLINE vf LAM_T(pairs_of_row)(const float *x, size_t n)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    __m512 a = (__m512)vf_load_n(x, n < VL ? n : VL);
    __m512 b = n > VL ? (__m512)vf_load_n(x + VL, n - VL) : _mm512_setzero_ps();
    return LAM_T(pairs)((vf)_mm512_permutex2var_ps(a, even, b), (vf)_mm512_permutex2var_ps(a, odd, b));
}

LAM_FN void pair_rows(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    for (size_t i = 0; i < n; i++, x += ld, to += A_STEP)
        for (size_t p = 0; p < k; p += 2 * VL)
            vf_store(to + p / 2, LAM_T(pairs_of_row)(x + p, k - p < 2 * VL ? k - p : 2 * VL));
}

LAM_FN void pair_columns(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    for (size_t p = 0; p < k; p += 2, x += 2 * ld)
        for (size_t i = 0; i < n; i += VL, to += VL) {
            size_t width = n - i < VL ? n - i : VL;
            vf second = p + 1 < k ? vf_load_n(x + ld + i, width) : vf_set(0.0f);
            vf_store(to, LAM_T(pairs)(vf_load_n(x + i, width), second));
        }
}

LAM_FN void pair_turned(size_t k, size_t n, const float *x, size_t ld, float *to)
{
    size_t step = lam_divide_up(n, VL) * VL;
    for (size_t j = 0; j < n; j += VL)
        for (size_t p = 0; p < k; p += 2 * VL) {
            size_t rows = n - j < VL ? n - j : VL, depth = k - p < 2 * VL ? k - p : 2 * VL;
            vf r[VL];
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                r[i] = i < rows ? LAM_T(pairs_of_row)(x + (j + i) * ld + p, depth) : vf_set(0.0f);
            LAM_T(transpose)(r);
            LAM_UNROLL for (size_t i = 0; i < VL; i++)
                if (2 * i < depth)
                    vf_store(to + (p / 2 + i) * step + j, r[i]);
        }
}

/* A tile as in tile.c, of pairs. */
#define DOTS_TARGET __attribute__((target("avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")))

static inline __attribute__((always_inline)) DOTS_TARGET void
pair_tile(const size_t rows, const size_t vectors, size_t k, const float *a, size_t row_step, size_t k_step,
          const float *b, size_t b_step, const lam_tile *t)
{
    vf sum[LAM_TILE_ROWS][LAM_TILE_VECTORS];
    LAM_UNROLL for (size_t i = 0; i < rows; i++)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++)
            sum[i][v] = vf_set(0.0f);
    for (; k > 0; k--, a += k_step, b += b_step) {
        vf row[LAM_TILE_VECTORS];
        LAM_UNROLL for (size_t v = 0; v < vectors; v++)
            row[v] = vf_load(b + v * VL);
        LAM_UNROLL for (size_t i = 0; i < rows; i++) {
            vf s = vf_set(a[i * row_step]);
            LAM_UNROLL for (size_t v = 0; v < vectors; v++)
                sum[i][v] = (vf)_mm512_dpbf16_ps((__m512)sum[i][v], (__m512bh)s, (__m512bh)row[v]);
        }
    }
    LAM_UNROLL for (size_t i = 0; i < rows; i++)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
            size_t at = i * t->ldc + v * VL, n = v + 1 == vectors ? t->last : VL;
            vf s = sum[i][v];
            if (t->load)
                s += vf_load_n(t->c + at, n);
            if (t->bias)
                s += vf_load_n(t->bias + v * VL, n);
            if (t->gate)
                s = vf_select(vf_load_n(t->gate + at, n) > vf_set(0.0f), s, vf_set(0.0f));
            if (t->c != t->relu)
                vf_store_n(t->c + at, s, n);
            if (t->relu)
                vf_store_n(t->relu + at, vf_max(vf_set(0.0f), s), n);
        }
}

#define TILE(rows, vectors)                                                                           \
    static DOTS_TARGET void pair_tile_##rows##_##vectors(size_t k, const float *a, size_t row_step,   \
                                                         size_t k_step, const float *b, size_t b_step, \
                                                         const lam_tile *t)                            \
    {                                                                                                 \
        pair_tile(rows, vectors, k, a, row_step, k_step, b, b_step, t);                               \
    }
#define ENTRY(rows, vectors) pair_tile_##rows##_##vectors,
#define EACH(X, v) X(1, v) X(2, v) X(3, v) X(4, v) X(5, v) X(6, v) X(7, v) X(8, v)

EACH(TILE, 1)
EACH(TILE, 2)
EACH(TILE, 3)

static const lam_tiles pair_tiles = {VL, {8, 8, 8}, {{EACH(ENTRY, 1)}, {EACH(ENTRY, 2)}, {EACH(ENTRY, 3)}}};

#undef TILE
#undef ENTRY
#undef EACH
#undef DOTS_TARGET
#endif
#endif
