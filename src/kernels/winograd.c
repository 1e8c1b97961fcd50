/* Winograd's minimal filtering F(4x4, 3x3) (Lavin & Gray 2016, "Fast algorithms for convolutional
 * neural networks").
 *
 * A patch of 4x4 outputs needs 6x6 inputs.  Both the inputs d and the kernel g are taken for
 * polynomials in two unknowns, whose product is found from its values at 6x6 points:
 *
 *   y = A' [(G g G') * (B' d B)] A          (* number by number)
 *
 * so that 16 outputs cost 36 multiplications, not 144.  Summed over the channels, those of a point
 * are a product of matrices: patches x channels by channels x output channels.
 *
 * The points are 0, a, -a, b, -b and infinity with a = 11/16, b = 3/2: all constants of A and B are
 * exact, and the error is less than half of that of the usual 1 and 2.  A result is wrong by up to
 * 4e-7 (4e-8 as a rule) of the patch's sum over |x| |w| where that is over 64 channels, twice as
 * much as a direct sum in single precision; by up to 2e-6 where it is over few terms.
 *
 * The gradient of the inputs is the convolution of dy with the kernel turned round.  That of the
 * kernel is the adjoint in g of the formula: G' [sum of (B' d B) * (A dy A')] G. */
#ifndef LAM_TIER
#include "kernels/winograd.h"

#include <string.h>

#include "kernels/tile.h"

enum {
    STEP = 4,   /* side of a patch */
    WINDOW = 6, /* side of the inputs it needs */
    SIDE = 3,   /* side of the kernel */
    POINTS = WINDOW * WINDOW,
    TAPS = SIDE * SIDE,
    APART = 16, /* numbers between the points' matrices, which would else meet in few cache lines */
    LINE = 16,  /* numbers in a cache line */
    GRADIENT_PATCHES = 32 /* that the gradient of the kernel takes at a time */
};

/* The points, and one over the product of a point's distances from the other finite points. */
#define A 0.6875f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)
#define N0 (1.0f / (A2 * B2))
#define NA (1.0f / (2.0f * A2 * (A2 - B2)))
#define NB (1.0f / (2.0f * B2 * (B2 - A2)))

/* Pictures, of which windows are seen: patch after patch, row by row, sample by sample. */
typedef struct pictures {
    const float *x;
    size_t h, w, c;
    size_t pad_top, pad_left;
} pictures;

typedef struct job {
    lam_conv c;
    size_t down, across; /* patches of a sample */
    size_t patches;      /* of all samples */
    size_t tasks;
    const float *x, *dy;
    /* forward */
    const float *u; /* the kernel at the points */
    const float *bias;
    const lam_activation *act; /* an activation other than relu, or NULL */
    bool relu;
    float *z, *y;
    /* kernel gradient */
    size_t in_cuts, out_cuts; /* the tasks: a grid over the channels */
    float *dkernel;
    bool add;
    /* preparation */
    const float *kernel;
    float *prepared;
    bool turned; /* for the input gradient */
} job;

typedef void (*task_fn)(const job *j, size_t task, int worker);

static inline size_t round_up(size_t n, size_t to)
{
    return lam_divide_up(n, to) * to;
}

/* from, from + 1, .. from + n - 1 */
typedef struct range {
    size_t from, n;
} range;

/* Part i of n things that are cut into parts of equal size or nearly so. */
static inline range range_of(size_t n, size_t parts, size_t i)
{
    size_t from = lam_part(n, parts, i);
    return (range){from, lam_part(n, parts, i + 1) - from};
}

/* A matrix for each point: its rows begin every ld numbers; the next matrix is `apart`. */
typedef struct matrices {
    float *of;
    size_t ld, apart;
} matrices;

static inline matrices matrices_at(float *space, size_t rows, size_t ld)
{
    return (matrices){space, ld, rows * ld + APART};
}

/* Behind the last. */
static inline float *end_of(matrices m)
{
    return m.of + POINTS * m.apart;
}

/* Where a patch lies. */
typedef struct place {
    size_t sample, row, col;
} place;

static inline place place_of(const job *j, size_t patch)
{
    size_t in_sample = patch % (j->down * j->across);
    return (place){.sample = patch / (j->down * j->across),
                   .row = STEP * (in_sample / j->across),
                   .col = STEP * (in_sample % j->across)};
}

/* A window on a picture: where its rows begin, and which of its columns are in the picture. */
typedef struct window {
    const float *row[WINDOW];
    size_t first, end;
} window;

/* Rows outside the picture are read from zeros. */
static inline window look(const pictures *p, const place *at, size_t size, const float *zeros)
{
    size_t top = at->row, left = at->col, right = p->w + p->pad_left;
    window w = {.first = left < p->pad_left ? p->pad_left - left : 0};
    w.end = left + size <= right ? size : right - lam_least(left, right);
    for (size_t i = 0; i < size; i++) {
        bool inside = top + i >= p->pad_top && top + i < p->h + p->pad_top && w.first < w.end;
        size_t line = at->sample * p->h + top + i - p->pad_top;
        size_t pixel = line * p->w + left + w.first - p->pad_left;
        w.row[i] = inside ? p->x + pixel * p->c : zeros;
    }
    return w;
}

#define LAM_TIERED_FILE "kernels/winograd.c"
#include "kernels/each_tier.h"

static const task_fn prepare_table[LAM_TIERS] = LAM_TIER_TABLE(prepare_task);
static const task_fn forward_table[LAM_TIERS] = LAM_TIER_TABLE(forward_task);
static const task_fn kernel_gradient_table[LAM_TIERS] = LAM_TIER_TABLE(kernel_gradient_task);

typedef struct call {
    job j;
    task_fn fn;
} call;

static void run_task(void *arg, size_t task, int worker)
{
    const call *c = arg;
    c->fn(&c->j, task, worker);
}

static void run(call *c, double work)
{
    if (work >= LAM_PARALLEL_FROM) {
        lam_parallel(c->j.tasks, run_task, c);
        return;
    }
    for (size_t task = 0; task < c->j.tasks; task++)
        c->fn(&c->j, task, lam_worker());
}

static double product_work(const job *j)
{
    return 2.0 * POINTS * (double)j->patches * (double)j->c.in_c * (double)j->c.out_c;
}

/* The convolution whose output is the gradient of the inputs. */
static lam_conv turned(const lam_conv *c)
{
    lam_conv t = *c;
    t.in_h = c->out_h;
    t.in_w = c->out_w;
    t.in_c = c->out_c;
    t.out_h = c->in_h;
    t.out_w = c->in_w;
    t.out_c = c->in_c;
    t.pad_top = SIDE - 1 - c->pad_top;
    t.pad_left = SIDE - 1 - c->pad_left;
    return t;
}

static job job_of(const lam_conv *c, size_t rows)
{
    job j = {.c = *c};
    j.down = lam_divide_up(c->out_h, STEP);
    j.across = lam_divide_up(c->out_w, STEP);
    j.patches = rows * j.down * j.across;
    return j;
}

/* Measured on all tiers: with 12 channels on either side, or with half of the patches' pixels in
 * the picture, all three functions together are a little faster than the direct ones; with 32
 * channels and full patches they take a third of the time. */
enum {
    FEW_CHANNELS = 12,
    MOST_CHANNELS = 512 /* so that a block of patches fits into the scratch */
};

bool lam_winograd_fits(const lam_conv *c)
{
    bool takes = c->kernel_h == SIDE && c->kernel_w == SIDE && c->stride_h == 1 &&
                 c->stride_w == 1 && c->dilation_h == 1 && c->dilation_w == 1 && c->groups == 1 &&
                 c->pad_top < SIDE && c->pad_left < SIDE && c->in_c <= MOST_CHANNELS &&
                 c->out_c <= MOST_CHANNELS;
    size_t pixels = STEP * STEP * lam_divide_up(c->out_h, STEP) * lam_divide_up(c->out_w, STEP);
    return takes && c->in_c >= FEW_CHANNELS && c->out_c >= FEW_CHANNELS &&
           2 * c->out_h * c->out_w >= pixels;
}

/* ---- the kernel ---------------------------------------------------------------------------- */

/* Numbers of a kernel at the points, for sums over in_c channels. */
static size_t prepared_numbers(size_t in_c, size_t out_c)
{
    return POINTS * in_c * round_up(out_c, LINE);
}

size_t lam_winograd_prepared_size(const lam_conv *c, int uses)
{
    size_t n = prepared_numbers(c->in_c, c->out_c);
    if (uses & LAM_CONV_INPUT_GRADIENT)
        n += prepared_numbers(c->out_c, c->in_c);
    return n * sizeof(float);
}

static void prepare(const lam_conv *c, bool turn, const float *kernel, float *prepared)
{
    call k = {.j = {.c = *c, .turned = turn, .kernel = kernel, .prepared = prepared},
              .fn = prepare_table[lam_tier()]};
    k.j.tasks = lam_divide_up(c->in_c, LINE);
    run(&k, 20.0 * POINTS * (double)c->in_c * (double)c->out_c);
}

void lam_winograd_prepare(const lam_conv *c, int uses, const float *kernel, void *prepared)
{
    float *to = prepared;
    if (uses & LAM_CONV_FORWARD)
        prepare(c, false, kernel, to);
    lam_conv t = turned(c);
    if (uses & LAM_CONV_INPUT_GRADIENT)
        prepare(&t, true, kernel, to + prepared_numbers(c->in_c, c->out_c));
}

/* ---- forward ------------------------------------------------------------------------------- */

/* So many numbers of a block of patches are kept at a time; larger blocks would not repay the
 * reading of the kernel better.  But there should be MANY_TASKS blocks, for the threads. */
enum { BLOCK_NUMBERS = 5 << 16, MOST_PATCHES = 96, MANY_TASKS = 8, FEW_PATCHES = 12 };

static void run_forward(call *k)
{
    job *j = &k->j;
    if (j->patches == 0)
        return;
    size_t each = POINTS * (round_up(j->c.in_c, LINE) + LAM_TILE_VECTORS * LINE);
    size_t block = lam_least(BLOCK_NUMBERS / each / FEW_PATCHES * FEW_PATCHES, MOST_PATCHES);
    block = lam_least(block, round_up(lam_divide_up(j->patches, MANY_TASKS), FEW_PATCHES));
    j->tasks = lam_divide_up(j->patches, block < FEW_PATCHES ? FEW_PATCHES : block);
    k->fn = forward_table[lam_tier()];
    run(k, product_work(j));
}

void lam_winograd_forward(const lam_conv *c, size_t rows, const float *x, const void *prepared,
                          const float *bias, const lam_activation *act, float *z, float *y)
{
    call k = {.j = job_of(c, rows)};
    if (act && act->id == LAM_ACT_linear)
        act = NULL;
    k.j.x = x;
    k.j.u = prepared;
    k.j.bias = bias;
    k.j.relu = act && lam_activation_is_relu(act);
    k.j.act = k.j.relu ? NULL : act;
    k.j.z = z;
    k.j.y = y;
    run_forward(&k);
}

void lam_winograd_input_gradient(const lam_conv *c, size_t rows, const float *dy,
                                 const void *prepared, float *dx)
{
    lam_conv t = turned(c);
    call k = {.j = job_of(&t, rows)};
    k.j.x = dy;
    k.j.u = (const float *)prepared + prepared_numbers(c->in_c, c->out_c);
    k.j.y = dx;
    run_forward(&k);
}

/* ---- gradient of the kernel ---------------------------------------------------------------- */

/* A task's channels on either side, at most.  The transforms of one side are repeated for each
 * block of the other, so that small blocks are slow. */
enum { BLOCK_CHANNELS = 64 };
/* From here on (a few ms) a single block is halved, for a second thread. */
static const double halved_from = 2.5e8;

void lam_winograd_kernel_gradient(const lam_conv *c, size_t rows, const float *x, const float *dy,
                                  float *dkernel, bool add)
{
    call k = {.j = job_of(c, rows), .fn = kernel_gradient_table[lam_tier()]};
    k.j.x = x;
    k.j.dy = dy;
    k.j.dkernel = dkernel;
    k.j.add = add;
    k.j.in_cuts = lam_divide_up(c->in_c, BLOCK_CHANNELS);
    k.j.out_cuts = lam_divide_up(c->out_c, BLOCK_CHANNELS);
    double work = product_work(&k.j);
    if (k.j.in_cuts * k.j.out_cuts == 1 && work >= halved_from)
        *(c->in_c > c->out_c ? &k.j.in_cuts : &k.j.out_cuts) = 2;
    k.j.tasks = k.j.in_cuts * k.j.out_cuts;
    run(&k, work);
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* ---- six points from so many numbers, and back --------------------------------------------- */

/* B' d: the inputs' polynomial.  Row 0 is (x^2 - a^2)(x^2 - b^2) of d, rows 1 and 2 are
 * x (x +- a)(x^2 - b^2), rows 3 and 4 x (x +- b)(x^2 - a^2), row 5 x (x^2 - a^2)(x^2 - b^2). */
LAM_INLINE void LAM_T(points_of_6)(const vf d[6], vf v[6])
{
    vf even_a = vf_fma(vf_set(-B2), d[2], d[4]), odd_a = vf_fma(vf_set(-B2), d[1], d[3]);
    vf even_b = vf_fma(vf_set(-A2), d[2], d[4]), odd_b = vf_fma(vf_set(-A2), d[1], d[3]);
    v[0] = vf_fma(vf_set(A2 * B2), d[0], vf_fma(vf_set(-A2 - B2), d[2], d[4]));
    v[1] = vf_fma(vf_set(A), odd_a, even_a);
    v[2] = vf_fma(vf_set(-A), odd_a, even_a);
    v[3] = vf_fma(vf_set(B), odd_b, even_b);
    v[4] = vf_fma(vf_set(-B), odd_b, even_b);
    v[5] = vf_fma(vf_set(A2 * B2), d[1], vf_fma(vf_set(-A2 - B2), d[3], d[5]));
}

/* A y: y0 + y1 x + y2 x^2 + y3 x^3 at the points. */
LAM_INLINE void LAM_T(points_of_4)(const vf y[4], vf v[6])
{
    vf even_a = vf_fma(vf_set(A2), y[2], y[0]), odd_a = vf_fma(vf_set(A2), y[3], y[1]);
    vf even_b = vf_fma(vf_set(B2), y[2], y[0]), odd_b = vf_fma(vf_set(B2), y[3], y[1]);
    v[0] = y[0];
    v[1] = vf_fma(vf_set(A), odd_a, even_a);
    v[2] = vf_fma(vf_set(-A), odd_a, even_a);
    v[3] = vf_fma(vf_set(B), odd_b, even_b);
    v[4] = vf_fma(vf_set(-B), odd_b, even_b);
    v[5] = y[3];
}

/* A' m */
LAM_INLINE void LAM_T(four_of_points)(const vf m[6], vf y[4])
{
    vf even_a = m[1] + m[2], odd_a = m[1] - m[2], even_b = m[3] + m[4], odd_b = m[3] - m[4];
    y[0] = m[0] + (even_a + even_b);
    y[1] = vf_fma(vf_set(A), odd_a, vf_set(B) * odd_b);
    y[2] = vf_fma(vf_set(A2), even_a, vf_set(B2) * even_b);
    y[3] = vf_fma(vf_set(A * A2), odd_a, vf_fma(vf_set(B * B2), odd_b, m[5]));
}

/* G g: the kernel's polynomial at the points, each over the point's distances. */
LAM_INLINE void LAM_T(points_of_3)(const vf g[3], vf u[6])
{
    vf even_a = vf_fma(vf_set(NA * A2), g[2], vf_set(NA) * g[0]), odd_a = vf_set(NA * A) * g[1];
    vf even_b = vf_fma(vf_set(NB * B2), g[2], vf_set(NB) * g[0]), odd_b = vf_set(NB * B) * g[1];
    u[0] = vf_set(N0) * g[0];
    u[1] = even_a + odd_a;
    u[2] = even_a - odd_a;
    u[3] = even_b + odd_b;
    u[4] = even_b - odd_b;
    u[5] = g[2];
}

/* G' u */
LAM_INLINE void LAM_T(three_of_points)(const vf u[6], vf g[3])
{
    vf even_a = u[1] + u[2], odd_a = u[1] - u[2], even_b = u[3] + u[4], odd_b = u[3] - u[4];
    g[0] = vf_fma(vf_set(N0), u[0], vf_fma(vf_set(NA), even_a, vf_set(NB) * even_b));
    g[1] = vf_fma(vf_set(NA * A), odd_a, vf_set(NB * B) * odd_b);
    g[2] = vf_fma(vf_set(NA * A2), even_a, vf_fma(vf_set(NB * B2), even_b, u[5]));
}

/* ---- pictures to the points ---------------------------------------------------------------- */

/* n channels of one window of size x size (6: inputs; 4: gradients of outputs); the result of each
 * point is `apart` from that before it. */
LAM_INLINE void LAM_T(window_points)(const size_t size, const window *w, size_t channel, size_t c,
                                     size_t n, float *v, size_t apart)
{
    vf half[WINDOW][WINDOW];
    LAM_UNROLL for (size_t q = 0; q < size; q++) {
        vf column[WINDOW], at[WINDOW];
        bool inside = q >= w->first && q < w->end;
        LAM_UNROLL for (size_t p = 0; p < WINDOW; p++)
            at[p] = vf_set(0.0f);
        if (inside) {
            size_t from = (q - w->first) * c + channel;
            LAM_UNROLL for (size_t p = 0; p < size; p++)
                column[p] = vf_load_up_to(w->row[p] + from, n);
            if (size == WINDOW)
                LAM_T(points_of_6)(column, at);
            else
                LAM_T(points_of_4)(column, at);
        }
        LAM_UNROLL for (size_t p = 0; p < WINDOW; p++)
            half[p][q] = at[p];
    }
    LAM_UNROLL for (size_t p = 0; p < WINDOW; p++) {
        vf at[WINDOW];
        if (size == WINDOW)
            LAM_T(points_of_6)(half[p], at);
        else
            LAM_T(points_of_4)(half[p], at);
        LAM_UNROLL for (size_t q = 0; q < WINDOW; q++)
            vf_store(v + (p * WINDOW + q) * apart, at[q]);
    }
}

/* Some channels of some patches at the points: a row of v is a patch. */
LAM_INLINE void LAM_T(patch_points)(const size_t size, const job *j, const pictures *x,
                                    range patches, range channels, const float *zeros, matrices v)
{
    for (size_t i = 0; i < patches.n; i++) {
        place at = place_of(j, patches.from + i);
        window w = look(x, &at, size, zeros);
        float *row = v.of + i * v.ld;
        size_t k = 0, rest = channels.n % VL;
        for (; k + VL <= channels.n; k += VL)
            LAM_T(window_points)(size, &w, channels.from + k, x->c, VL, row + k, v.apart);
        if (rest)
            LAM_T(window_points)(size, &w, channels.from + k, x->c, rest, row + k, v.apart);
    }
}

LAM_FN void LAM_T(input_points)(const job *j, range patches, range channels, const float *zeros,
                                matrices v)
{
    const lam_conv *c = &j->c;
    pictures x = {j->x, c->in_h, c->in_w, c->in_c, c->pad_top, c->pad_left};
    LAM_T(patch_points)(WINDOW, j, &x, patches, channels, zeros, v);
}

LAM_FN void LAM_T(output_points)(const job *j, range patches, range channels, const float *zeros,
                                 matrices w)
{
    const lam_conv *c = &j->c;
    pictures dy = {j->dy, c->out_h, c->out_w, c->out_c, 0, 0};
    LAM_T(patch_points)(STEP, j, &dy, patches, channels, zeros, w);
}

/* ---- the kernel at the points -----------------------------------------------------------------
 * Panels of up to LAM_TILE_VECTORS vectors of output channels; in each, point after point, a matrix
 * of in_c rows. */

typedef struct LAM_T(panel) {
    size_t col, vectors; /* the first output channel; how many vectors */
} LAM_T(panel);

LAM_INLINE LAM_T(panel) LAM_T(panel_of)(size_t vectors, size_t panels, size_t q)
{
    range r = range_of(vectors, panels, q);
    return (LAM_T(panel)){r.from * VL, r.n};
}

LAM_INLINE void LAM_T(taps_to_points)(const vf g[TAPS], float *u, size_t apart)
{
    vf half[WINDOW][SIDE];
    LAM_UNROLL for (size_t q = 0; q < SIDE; q++) {
        vf column[SIDE] = {g[q], g[SIDE + q], g[2 * SIDE + q]}, at[WINDOW];
        LAM_T(points_of_3)(column, at);
        LAM_UNROLL for (size_t p = 0; p < WINDOW; p++)
            half[p][q] = at[p];
    }
    LAM_UNROLL for (size_t p = 0; p < WINDOW; p++) {
        vf at[WINDOW];
        LAM_T(points_of_3)(half[p], at);
        LAM_UNROLL for (size_t q = 0; q < WINDOW; q++)
            vf_store(u + (p * WINDOW + q) * apart, at[q]);
    }
}

/* Up to VL input channels, from row on, by VL output channels, from col on: tap t of input channel
 * i in g[t][i]. */
LAM_INLINE void LAM_T(load_taps)(const job *j, size_t row, size_t rows, size_t col, size_t n,
                                 vf g[TAPS][VL])
{
    size_t in_c = j->c.in_c, out_c = j->c.out_c;
    for (size_t t = 0; t < TAPS; t++) {
        const float *from = j->kernel + t * in_c * out_c + row * out_c + col;
        for (size_t i = 0; i < rows; i++)
            g[t][i] = vf_load_up_to(from + i * out_c, n);
    }
}

/* The same of the kernel turned round, which is stored with the channels exchanged. */
LAM_INLINE void LAM_T(load_taps_turned)(const job *j, size_t row, size_t rows, size_t col, size_t n,
                                        vf g[TAPS][VL])
{
    size_t in_c = j->c.in_c, out_c = j->c.out_c;
    for (size_t t = 0; t < TAPS; t++) {
        const float *from = j->kernel + (TAPS - 1 - t) * in_c * out_c + col * in_c + row;
        LAM_UNROLL for (size_t i = 0; i < VL; i++)
            g[t][i] = i < n ? vf_load_up_to(from + i * in_c, rows) : vf_set(0.0f);
        LAM_T(transpose)(g[t]);
    }
}

/* LINE input channels. */
LAM_FN void LAM_T(prepare_task)(const job *j, size_t task, int worker)
{
    (void)worker;
    size_t in_c = j->c.in_c, out_c = j->c.out_c;
    size_t vectors = lam_divide_up(out_c, VL), panels = lam_divide_up(vectors, LAM_TILE_VECTORS);
    size_t end = lam_least(task * LINE + LINE, in_c);
    for (size_t q = 0; q < panels; q++) {
        LAM_T(panel) p = LAM_T(panel_of)(vectors, panels, q);
        size_t width = p.vectors * VL, apart = in_c * width;
        float *u = j->prepared + p.col * POINTS * in_c;
        for (size_t row = task * LINE; row < end; row += VL)
            for (size_t v = 0; v < p.vectors; v++) {
                vf g[TAPS][VL];
                size_t rows = lam_least(VL, end - row), col = p.col + v * VL;
                size_t n = lam_least(VL, out_c - col);
                if (j->turned)
                    LAM_T(load_taps_turned)(j, row, rows, col, n, g);
                else
                    LAM_T(load_taps)(j, row, rows, col, n, g);
                for (size_t i = 0; i < rows; i++) {
                    vf taps[TAPS];
                    LAM_UNROLL for (size_t t = 0; t < TAPS; t++)
                        taps[t] = g[t][i];
                    LAM_T(taps_to_points)(taps, u + (row + i) * width + v * VL, apart);
                }
            }
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

/* What becomes of a patch's sums: where they go, and how much of the patch is in the picture. */
typedef struct LAM_T(target) {
    float *sums, *relu; /* at the patch's first pixel; NULL: not wanted */
    size_t rows, cols, row_step, out_c;
    size_t n; /* lanes */
    vf bias;
} LAM_T(target);

/* From the products at the points. */
LAM_INLINE void LAM_T(patch_results)(const float *m, size_t apart, const LAM_T(target) *to)
{
    vf half[STEP][WINDOW];
    LAM_UNROLL for (size_t q = 0; q < WINDOW; q++) {
        vf column[WINDOW], y[STEP];
        LAM_UNROLL for (size_t p = 0; p < WINDOW; p++)
            column[p] = vf_load(m + (p * WINDOW + q) * apart);
        LAM_T(four_of_points)(column, y);
        LAM_UNROLL for (size_t p = 0; p < STEP; p++)
            half[p][q] = y[p];
    }
    LAM_UNROLL for (size_t p = 0; p < STEP; p++) {
        vf y[STEP];
        LAM_T(four_of_points)(half[p], y);
        LAM_UNROLL for (size_t q = 0; q < STEP; q++) {
            size_t at = p * to->row_step + q * to->out_c;
            vf sum = y[q] + to->bias;
            if (p < to->rows && q < to->cols && to->sums)
                vf_store_up_to(to->sums + at, sum, to->n);
            if (p < to->rows && q < to->cols && to->relu)
                vf_store_up_to(to->relu + at, vf_max(vf_set(0.0f), sum), to->n);
        }
    }
}

/* A panel of a block of patches, whose products at the points are m. */
LAM_INLINE void LAM_T(block_results)(const job *j, range patches, LAM_T(panel) p, matrices m)
{
    const lam_conv *c = &j->c;
    float *sums = j->z ? j->z : j->y;
    if (j->relu && sums == j->y)
        sums = NULL;
    LAM_T(target) to = {.row_step = c->out_w * c->out_c, .out_c = c->out_c};
    for (size_t i = 0; i < patches.n; i++) {
        place at = place_of(j, patches.from + i);
        size_t pixel = (at.sample * c->out_h + at.row) * c->out_w + at.col;
        to.rows = lam_least(STEP, c->out_h - at.row);
        to.cols = lam_least(STEP, c->out_w - at.col);
        for (size_t v = 0; v < p.vectors; v++) {
            size_t col = p.col + v * VL;
            to.n = lam_least(VL, c->out_c - col);
            to.bias = j->bias ? vf_load_up_to(j->bias + col, to.n) : vf_set(0.0f);
            to.sums = sums ? sums + pixel * c->out_c + col : NULL;
            to.relu = j->relu ? j->y + pixel * c->out_c + col : NULL;
            LAM_T(patch_results)(m.of + i * m.ld + v * VL, m.apart, &to);
        }
    }
}

/* y from z where it is no part of block_results(). */
LAM_INLINE void LAM_T(activate)(const job *j, range patches)
{
    const lam_conv *c = &j->c;
    lam_activation_fn act = j->act ? lam_activation_kernel(j->act->id) : NULL;
    const float *z = j->z ? j->z : j->y;
    for (size_t i = 0; i < patches.n; i++) {
        place at = place_of(j, patches.from + i);
        size_t n = lam_least(STEP, c->out_w - at.col) * c->out_c;
        for (size_t p = 0; p < STEP && at.row + p < c->out_h; p++) {
            size_t from = ((at.sample * c->out_h + at.row + p) * c->out_w + at.col) * c->out_c;
            if (act)
                act(j->act->par, 1, n, z + from, j->y + from);
            else
                memcpy(j->y + from, z + from, n * sizeof(float));
        }
    }
}

/* m = v u at every point, for a panel of u. */
LAM_INLINE void LAM_T(products)(const job *j, size_t patches, matrices v, LAM_T(panel) p,
                                matrices m)
{
    const lam_tiles *tiles = lam_tiles_of(lam_tier());
    size_t in_c = j->c.in_c, blocks = lam_divide_up(patches, tiles->rows[p.vectors - 1]);
    const float *u = j->u + p.col * POINTS * in_c;
    lam_tile t = {.ldc = m.ld, .last = VL};
    for (size_t point = 0; point < POINTS; point++, u += in_c * m.ld)
        for (size_t i = 0; i < blocks; i++) {
            range r = range_of(patches, blocks, i);
            const float *rows = v.of + point * v.apart + r.from * v.ld;
            t.c = m.of + point * m.apart + r.from * m.ld;
            tiles->fn[p.vectors - 1][r.n - 1](in_c, rows, v.ld, 1, u, m.ld, &t);
        }
}

/* A block of patches. */
LAM_FN void LAM_T(forward_task)(const job *j, size_t task, int worker)
{
    const lam_conv *c = &j->c;
    range patches = range_of(j->patches, j->tasks, task);
    size_t ld = round_up(c->in_c, LINE);
    float *zeros = lam_kernel_scratch(worker);
    matrices v = matrices_at(zeros + WINDOW * ld, patches.n, ld);
    memset(zeros, 0, WINDOW * ld * sizeof *zeros);
    LAM_T(input_points)(j, patches, (range){0, c->in_c}, zeros, v);

    size_t vectors = lam_divide_up(c->out_c, VL), panels = lam_divide_up(vectors, LAM_TILE_VECTORS);
    for (size_t q = 0; q < panels; q++) {
        LAM_T(panel) p = LAM_T(panel_of)(vectors, panels, q);
        matrices m = matrices_at(end_of(v), patches.n, p.vectors * VL);
        LAM_T(products)(j, patches.n, v, p, m);
        LAM_T(block_results)(j, patches, p, m);
    }
    bool both = !j->relu && j->z && j->z != j->y;
    if (j->act || both)
        LAM_T(activate)(j, patches);
}

/* ---- gradient of the kernel ---------------------------------------------------------------- */

/* The gradient of the kernel for some channels, from that at the points. */
LAM_INLINE void LAM_T(taps_of_points)(const job *j, range in, range out, matrices du)
{
    const lam_conv *c = &j->c;
    for (size_t i = 0; i < in.n; i++)
        for (size_t k = 0; k < out.n; k += VL) {
            vf half[SIDE][WINDOW];
            LAM_UNROLL for (size_t q = 0; q < WINDOW; q++) {
                vf column[WINDOW], g[SIDE];
                LAM_UNROLL for (size_t p = 0; p < WINDOW; p++)
                    column[p] = vf_load(du.of + (p * WINDOW + q) * du.apart + i * du.ld + k);
                LAM_T(three_of_points)(column, g);
                LAM_UNROLL for (size_t p = 0; p < SIDE; p++)
                    half[p][q] = g[p];
            }
            float *dkernel = j->dkernel + (in.from + i) * c->out_c + out.from + k;
            size_t n = lam_least(VL, out.n - k);
            LAM_UNROLL for (size_t p = 0; p < SIDE; p++) {
                vf g[SIDE];
                LAM_T(three_of_points)(half[p], g);
                LAM_UNROLL for (size_t q = 0; q < SIDE; q++) {
                    float *to = dkernel + (p * SIDE + q) * c->in_c * c->out_c;
                    if (j->add)
                        g[q] += vf_load_up_to(to, n);
                    vf_store_up_to(to, g[q], n);
                }
            }
        }
}

/* du (+)= v' w at every point: in_c x out_c, summed over some patches. */
LAM_INLINE void LAM_T(gradient_products)(size_t patches, size_t in_c, size_t out_c, matrices v,
                                         matrices w, matrices du, bool add)
{
    const lam_tiles *tiles = lam_tiles_of(lam_tier());
    size_t vectors = lam_divide_up(out_c, VL), panels = lam_divide_up(vectors, LAM_TILE_VECTORS);
    lam_tile t = {.ldc = du.ld, .last = VL, .load = add};
    for (size_t point = 0; point < POINTS; point++)
        for (size_t q = 0; q < panels; q++) {
            LAM_T(panel) p = LAM_T(panel_of)(vectors, panels, q);
            size_t blocks = lam_divide_up(in_c, tiles->rows[p.vectors - 1]);
            const float *columns = w.of + point * w.apart + p.col;
            for (size_t i = 0; i < blocks; i++) {
                range r = range_of(in_c, blocks, i);
                const float *rows = v.of + point * v.apart + r.from;
                t.c = du.of + point * du.apart + r.from * du.ld + p.col;
                tiles->fn[p.vectors - 1][r.n - 1](patches, rows, 1, v.ld, columns, w.ld, &t);
            }
        }
}

/* A block of the kernel. */
LAM_FN void LAM_T(kernel_gradient_task)(const job *j, size_t task, int worker)
{
    const lam_conv *c = &j->c;
    range in = range_of(c->in_c, j->in_cuts, task / j->out_cuts);
    range out = range_of(c->out_c, j->out_cuts, task % j->out_cuts);
    float *zeros = lam_kernel_scratch(worker);
    size_t n_zeros = WINDOW * round_up(c->in_c > c->out_c ? c->in_c : c->out_c, LINE);
    matrices v = matrices_at(zeros + n_zeros, GRADIENT_PATCHES, round_up(in.n, LINE));
    matrices w = matrices_at(end_of(v), GRADIENT_PATCHES, round_up(out.n, LINE));
    matrices du = matrices_at(end_of(w), in.n, w.ld);
    memset(zeros, 0, n_zeros * sizeof *zeros);
    if (j->patches == 0)
        memset(du.of, 0, POINTS * du.apart * sizeof *du.of);
    for (size_t patch = 0; patch < j->patches; patch += GRADIENT_PATCHES) {
        range patches = {patch, lam_least(GRADIENT_PATCHES, j->patches - patch)};
        LAM_T(input_points)(j, patches, in, zeros, v);
        LAM_T(output_points)(j, patches, out, zeros, w);
        LAM_T(gradient_products)(patches.n, in.n, out.n, v, w, du, patch > 0);
    }
    LAM_T(taps_of_points)(j, in, out, du);
}
#endif
