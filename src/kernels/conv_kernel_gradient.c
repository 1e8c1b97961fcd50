/* The gradient of a convolution's kernel.
 *
 * For each tap it is a product X' dY of the channels seen with the channels made, summed over the
 * pixels where the tap meets the picture, patch of pixels by patch.  The work is cut by parts of the
 * kernel, so that no partial sums are needed and every number has one order of summing. */
#ifndef LAM_TIER
#include "kernels/conv_shape.h"
#include "kernels/kernels.h"
#include "kernels/winograd.h"

#include <string.h>

enum {
    MANY_CHANNELS = 8,    /* seen: the tiles of one tap are high enough */
    PATCH = 16 * 1024,    /* floats of x and dy in a patch, about */
    PATCH_PIXELS = 128,   /* and at least so many pixels, or a sum is too short */
    SHARED = 256 * 1024,  /* floats that all tasks look at before any goes on */
    GATHER = 64 * 1024,   /* floats of what a patch sees, gathered in the scratch */
    GATHER_OVER = 16      /* floats that may be written beyond them */
};

static lam_range overlap(lam_range a, lam_range b)
{
    lam_range r = {lam_most(a.from, b.from), lam_least(a.to, b.to)};
    r.from = lam_least(r.from, r.to);
    return r;
}

/* How the product X' dY of a tap is computed. */
typedef enum {
    PLAIN,    /* tiles of channels seen by channels made */
    GATHERED, /* few channels seen: all that a pixel sees is brought together, as if of one tap */
    SWAPPED,  /* few channels made: tiles of channels made by channels seen */
    DEPTHWISE
} product;

typedef struct gradient {
    const lam_conv *c;
    const lam_tiles *tiles;
    product product;
    size_t rows;
    const float *x, *dy;
    float *dkernel;
    bool add;
    size_t taps, seen, made; /* of a group; GATHERED: one tap that sees many channels */
    size_t panels, blocks;   /* of columns and rows of a tap's product */
    size_t units, parts;     /* the tiles of the kernel, and how many tasks share them */
    size_t line_cuts, pixel_cuts; /* a sample's patches */
    size_t from, to;         /* the patches that are looked at now */
} gradient;

/* Some pixels of a sample's dy. */
typedef struct patch {
    size_t sample;
    lam_range lines, pixels;
    bool load;       /* the kernel's gradient has other patches' parts already */
    float *gathered; /* what the pixels see */
    float *packed;   /* dy with whole vectors */
} patch;

/* The pixels of a patch that a tap meets, what it sees for the first, and the distances to what it
 * sees for the next and for the next line's. */
typedef struct meeting {
    lam_range lines, pixels;
    const float *x;
    size_t pixel, line;
} meeting;

static meeting meet(const gradient *g, const patch *p, size_t tap)
{
    const lam_conv *c = g->c;
    if (g->product == GATHERED)
        return (meeting){p->lines, p->pixels, p->gathered, g->seen,
                         (p->pixels.to - p->pixels.from) * g->seen};
    ptrdiff_t h = (ptrdiff_t)(tap / c->kernel_w * c->dilation_h) - (ptrdiff_t)c->pad_top;
    ptrdiff_t w = (ptrdiff_t)(tap % c->kernel_w * c->dilation_w) - (ptrdiff_t)c->pad_left;
    meeting m = {overlap(lam_range_inside(h, c->stride_h, c->out_h, c->in_h), p->lines),
                 overlap(lam_range_inside(w, c->stride_w, c->out_w, c->in_w), p->pixels), g->x,
                 c->stride_w * c->in_c, c->stride_h * c->in_w * c->in_c};
    if (m.lines.from == m.lines.to || m.pixels.from == m.pixels.to) {
        m.lines.to = m.lines.from;
        m.pixels.to = m.pixels.from;
        return m;
    }
    size_t row = (size_t)((ptrdiff_t)(m.lines.from * c->stride_h) + h);
    size_t col = (size_t)((ptrdiff_t)(m.pixels.from * c->stride_w) + w);
    m.x += ((p->sample * c->in_h + row) * c->in_w + col) * c->in_c;
    return m;
}

/* All tap products of a task's units, for one patch. */
typedef void (*units_fn)(const gradient *g, patch *p, lam_range units);

#define LAM_TIERED_FILE "kernels/conv_kernel_gradient.c"
#include "kernels/each_tier.h"

static void gradient_task(void *arg, size_t task, int worker)
{
    static const units_fn table[] = LAM_TIER_TABLE(gradient_units);
    const gradient *g = arg;
    float *space = lam_kernel_scratch(worker);
    lam_range units = lam_range_of(g->units, g->parts, task);
    for (size_t i = g->from; i < g->to; i++) {
        size_t q = i % g->pixel_cuts, p = i / g->pixel_cuts % g->line_cuts;
        patch at = {
            i / g->pixel_cuts / g->line_cuts,
            lam_range_of(g->c->out_h, g->line_cuts, p),
            lam_range_of(g->c->out_w, g->pixel_cuts, q),
            g->add || i > 0, space, space + GATHER + GATHER_OVER,
        };
        table[lam_tier()](g, &at, units);
    }
}

static product choose_product(const lam_conv *c, const lam_tiles *t)
{
    size_t seen = c->in_c / c->groups, made = c->out_c / c->groups;
    if (c->groups > 1)
        return seen == 1 && made == 1 ? DEPTHWISE : PLAIN;
    if (seen < MANY_CHANNELS && c->kernel_h * c->kernel_w * seen * PATCH_PIXELS <= GATHER)
        return GATHERED;
    bool whole = t == lam_tiles_of(LAM_TIER_AVX512) || seen % t->vl == 0;
    return made <= LAM_CONV_FEW_CHANNELS && seen >= t->vl && whole ? SWAPPED : PLAIN;
}

static void cut_gradient(gradient *g)
{
    const lam_conv *c = g->c;
    g->product = choose_product(c, g->tiles);
    g->taps = c->kernel_h * c->kernel_w;
    g->seen = c->in_c / c->groups;
    g->made = c->out_c / c->groups;
    if (g->product == GATHERED) {
        g->seen *= g->taps;
        g->taps = 1;
    }
    size_t columns = g->product == SWAPPED ? g->seen : g->made;
    size_t rows = g->product == SWAPPED ? g->made : g->seen;
    size_t all = lam_divide_up(columns, g->tiles->vl);
    g->panels = lam_divide_up(all, LAM_TILE_VECTORS);
    g->blocks = lam_divide_up(rows, g->tiles->rows[lam_divide_up(all, g->panels) - 1]);
    g->units = g->product == DEPTHWISE ? g->taps : c->groups * g->taps * g->panels * g->blocks;
    size_t pixel = c->out_c + (g->product == GATHERED ? g->seen : c->stride_w * c->in_c);
    size_t pixels = lam_most(PATCH / pixel, PATCH_PIXELS);
    g->pixel_cuts = lam_divide_up(c->out_w, pixels);
    g->line_cuts = lam_divide_up(c->out_h, lam_most(pixels / c->out_w, 1));
}

void lam_conv_kernel_gradient(const lam_conv *given, size_t rows, const float *x, const float *dy,
                              float *dkernel, bool add)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_kernel_gradient(given, rows, x, dy, dkernel, add);
        return;
    }
    lam_conv c = lam_conv_simplest(given, &rows);
    size_t numbers = c.kernel_h * c.kernel_w * (c.in_c / c.groups) * c.out_c;
    if (rows == 0) {
        if (!add)
            memset(dkernel, 0, numbers * sizeof *dkernel);
        return;
    }
    if (c.groups == 1 && c.kernel_h * c.kernel_w * c.in_h * c.out_h * c.stride_w == 1 &&
        c.in_w == c.out_w && c.pad_top + c.pad_left == 0) { /* each pixel by itself: the samples are one line */
        lam_gemm g = {.form = LAM_TN, .m = c.in_c, .n = c.out_c, .k = rows * c.in_w, .add = add};
        g.a = x;
        g.lda = c.in_c;
        g.b = dy;
        g.ldb = g.ldc = c.out_c;
        g.c = dkernel;
        lam_gemm_run(&g);
        return;
    }
    gradient g = {.c = &c, .tiles = lam_tiles_of(lam_tier()), .x = x, .dy = dy};
    g.dkernel = dkernel;
    g.add = add;
    cut_gradient(&g);
    size_t patches = rows * g.line_cuts * g.pixel_cuts;
    size_t pixels = lam_divide_up(c.out_h, g.line_cuts) * lam_divide_up(c.out_w, g.pixel_cuts);
    size_t round = lam_most(SHARED / (pixels * (c.stride_h * c.stride_w * c.in_c + c.out_c)), 1);
    double work = 2.0 * (double)(rows * c.out_h * c.out_w) * (double)numbers;
    g.parts = work < LAM_PARALLEL_FROM ? 1 : lam_least(g.units, (size_t)lam_threads_here());
    for (; g.from < patches; g.from = g.to) {
        g.to = lam_least(g.from + round, patches);
        lam_parallel(g.parts, gradient_task, &g);
    }
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* n numbers from x, or zeros, in whole vectors. */
LAM_INLINE void LAM_T(copy)(size_t n, const float *x, float *to)
{
    size_t i = 0;
    for (; i + VL <= n; i += VL)
        vf_store(to + i, x ? vf_load(x + i) : vf_set(0.0f));
    if (i < n)
        vf_store(to + i, x ? vf_load_n(x + i, n - i) : vf_set(0.0f));
}

/* One tap of up to 4 vectors of channels of a depthwise kernel. */
LAM_INLINE void LAM_T(depthwise_tap)(const gradient *g, const patch *p, const meeting *m,
                                     size_t first, const size_t vectors, size_t last, float *out)
{
    const lam_conv *c = g->c;
    vf sum[4];
    LAM_UNROLL for (size_t v = 0; v < vectors; v++)
        sum[v] = vf_set(0.0f);
    for (size_t h = m->lines.from; h < m->lines.to; h++) {
        const float *x = m->x + (h - m->lines.from) * m->line + first;
        const float *dy =
            g->dy + ((p->sample * c->out_h + h) * c->out_w + m->pixels.from) * c->out_c + first;
        for (size_t q = m->pixels.from; q < m->pixels.to; q++, x += m->pixel, dy += c->out_c)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
                size_t n = v + 1 == vectors ? last : VL;
                vf a = vf_load_up_to(x + v * VL, n);
                vf b = vf_load_up_to(dy + v * VL, n);
                sum[v] = vf_fma(a, b, sum[v]);
            }
    }
    LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
        size_t n = v + 1 == vectors ? last : VL;
        float *to = out + first + v * VL;
        vf_store_n(to, p->load ? sum[v] + vf_load_n(to, n) : sum[v], n);
    }
}

LAM_INLINE void LAM_T(depthwise_unit)(const gradient *g, const patch *p, size_t tap)
{
    const lam_conv *c = g->c;
    meeting m = meet(g, p, tap);
    float *out = g->dkernel + tap * c->in_c;
    size_t first = 0;
    for (; first + 4 * VL <= c->in_c; first += 4 * VL)
        LAM_T(depthwise_tap)(g, p, &m, first, 4, VL, out);
    for (; first < c->in_c; first += VL)
        LAM_T(depthwise_tap)(g, p, &m, first, 1, lam_least(c->in_c - first, VL), out);
}

/* A row of taps of one pixel, of which some may be outside the picture's line x. */
LAM_INLINE void LAM_T(gather_edge)(const lam_conv *c, const float *x, ptrdiff_t col, float *to)
{
    for (size_t j = 0; j < c->kernel_w; j++, col += (ptrdiff_t)c->dilation_w, to += c->in_c) {
        bool met = col >= 0 && col < (ptrdiff_t)c->in_w;
        LAM_T(copy)(c->in_c, met ? x + (size_t)col * c->in_c : NULL, to);
    }
}

/* What the pixels of a patch see: for each, kernel_h x kernel_w x in_c numbers.  Whole vectors are
 * stored in the order of addresses, so that each overwrites what the one before stored too much. */
LAM_INLINE void LAM_T(gather)(const gradient *g, const patch *p)
{
    const lam_conv *c = g->c;
    size_t run = c->kernel_w * c->in_c, line = c->in_w * c->in_c;
    /* the pixels whose taps are all inside */
    lam_range within = {lam_divide_up(c->pad_left, c->stride_w), 0};
    if (c->dilation_w == 1 && c->in_w + c->pad_left >= c->kernel_w)
        within.to = (c->in_w + c->pad_left - c->kernel_w) / c->stride_w + 1;
    float *to = p->gathered;
    for (size_t h = p->lines.from; h < p->lines.to; h++) {
        ptrdiff_t row = (ptrdiff_t)(h * c->stride_h) - (ptrdiff_t)c->pad_top;
        lam_range met = lam_range_inside(row, c->dilation_h, c->kernel_h, c->in_h);
        const float *x = g->x + p->sample * c->in_h * line;
        if (met.from < met.to)
            x += (size_t)(row + (ptrdiff_t)(met.from * c->dilation_h)) * line;
        for (size_t q = p->pixels.from; q < p->pixels.to; q++) {
            ptrdiff_t col = (ptrdiff_t)(q * c->stride_w) - (ptrdiff_t)c->pad_left;
            LAM_T(copy)(met.from * run, NULL, to);
            to += met.from * run;
            const float *from = x;
            for (size_t i = met.from; i < met.to; i++, to += run, from += c->dilation_h * line) {
                if (q < within.from || q >= within.to)
                    LAM_T(gather_edge)(c, from, col, to);
                else
                    LAM_T(copy)(run, from + (size_t)col * c->in_c, to);
            }
            LAM_T(copy)((c->kernel_h - met.to) * run, NULL, to);
            to += (c->kernel_h - met.to) * run;
        }
    }
}

/* The vectors of a panel's columns. */
typedef struct LAM_T(columns) {
    size_t first, vectors, last;
} LAM_T(columns);

LAM_INLINE LAM_T(columns) LAM_T(columns_of)(const gradient *g, size_t panel, size_t n)
{
    size_t all = lam_divide_up(n, VL), begin = lam_part(all, g->panels, panel);
    LAM_T(columns) c = {begin * VL, lam_part(all, g->panels, panel + 1) - begin, VL};
    c.last = lam_least(n - c.first, c.vectors * VL) - (c.vectors - 1) * VL;
    return c;
}

/* Channels seen by channels made of one tap. */
LAM_INLINE void LAM_T(plain_unit)(const gradient *g, const patch *p, size_t group, size_t panel,
                                  size_t tap, size_t block, bool packed)
{
    const lam_conv *c = g->c;
    LAM_T(columns) n = LAM_T(columns_of)(g, panel, g->made);
    lam_range rows = lam_range_of(g->seen, g->blocks, block);
    meeting m = meet(g, p, tap);
    size_t lines = m.lines.to - m.lines.from, pixels = m.pixels.to - m.pixels.from;
    size_t dy_line = c->out_w, dy_step = c->out_c;
    const float *dy = g->dy + p->sample * c->out_h * c->out_w * dy_step + group * g->made + n.first;
    size_t at = m.lines.from * dy_line + m.pixels.from;
    if (packed) {
        dy = p->packed;
        dy_step = n.vectors * VL;
        dy_line = p->pixels.to - p->pixels.from;
        at = (m.lines.from - p->lines.from) * dy_line + m.pixels.from - p->pixels.from;
    }
    lam_tile t = {
        .c = g->dkernel + (tap * g->seen + rows.from) * c->out_c + group * g->made + n.first,
        .ldc = c->out_c,
        .last = n.last,
        .load = p->load,
        .more_runs = lines > 0 ? lines - 1 : 0,
        .a_skip = (ptrdiff_t)m.line - (ptrdiff_t)(pixels * m.pixel),
        .b_skip = (ptrdiff_t)((dy_line - pixels) * dy_step),
    };
    m.x += group * g->seen + rows.from;
    g->tiles->fn[n.vectors - 1][rows.to - rows.from - 1](pixels, m.x, 1, m.pixel, dy + at * dy_step,
                                                         dy_step, &t);
}

/* All channels made by some vectors of channels seen of one tap. */
LAM_INLINE void LAM_T(swapped_unit)(const gradient *g, const patch *p, size_t panel, size_t tap)
{
    const lam_conv *c = g->c;
    LAM_T(columns) n = LAM_T(columns_of)(g, panel, g->seen);
    meeting m = meet(g, p, tap);
    size_t lines = m.lines.to - m.lines.from, pixels = m.pixels.to - m.pixels.from;
    size_t at = (p->sample * c->out_h + m.lines.from) * c->out_w + m.pixels.from;
    float sums[LAM_CONV_FEW_CHANNELS * LAM_TILE_VECTORS * VL];
    lam_tile t = {
        .c = sums,
        .ldc = n.vectors * VL,
        .last = n.last,
        .more_runs = lines > 0 ? lines - 1 : 0,
        .a_skip = (ptrdiff_t)((c->out_w - pixels) * c->out_c),
        .b_skip = (ptrdiff_t)m.line - (ptrdiff_t)(pixels * m.pixel),
    };
    g->tiles->fn[n.vectors - 1][g->made - 1](pixels, g->dy + at * c->out_c, 1, c->out_c,
                                             m.x + n.first, m.pixel, &t);
    float *to = g->dkernel + (tap * g->seen + n.first) * c->out_c;
    for (size_t i = 0; i < (n.vectors - 1) * VL + n.last; i++)
        for (size_t o = 0; o < g->made; o++, to++)
            *to = sums[o * t.ldc + i] + (p->load ? *to : 0.0f);
}

/* dy of the patch, with the last panel's vectors filled up. */
LAM_INLINE void LAM_T(pack_dy)(const gradient *g, const patch *p, size_t group)
{
    const lam_conv *c = g->c;
    LAM_T(columns) n = LAM_T(columns_of)(g, g->panels - 1, g->made);
    size_t pixels = p->pixels.to - p->pixels.from;
    float *to = p->packed;
    for (size_t h = p->lines.from; h < p->lines.to; h++, to += pixels * n.vectors * VL) {
        size_t at = ((p->sample * c->out_h + h) * c->out_w + p->pixels.from) * c->out_c +
                    group * g->made + n.first;
        LAM_T(pack)(pixels, g->made - n.first, g->dy + at, c->out_c, to);
    }
}

LAM_FN void LAM_T(gradient_units)(const gradient *g, patch *p, lam_range units)
{
    size_t packed = SIZE_MAX; /* the group whose dy is packed */
    if (g->product == GATHERED)
        LAM_T(gather)(g, p);
    for (size_t u = units.from; u < units.to; u++) {
        size_t block = u % g->blocks, tap = u / g->blocks % g->taps;
        size_t panel = u / g->blocks / g->taps % g->panels;
        size_t group = u / g->blocks / g->taps / g->panels;
        if (g->product == DEPTHWISE) {
            LAM_T(depthwise_unit)(g, p, u);
        } else if (g->product == SWAPPED) {
            LAM_T(swapped_unit)(g, p, panel, tap);
        } else {
            bool fill = LAM_TIER_LEVEL < 2 && panel + 1 == g->panels && g->made % VL > 0;
            if (fill && packed != group) {
                LAM_T(pack_dy)(g, p, group);
                packed = group;
            }
            LAM_T(plain_unit)(g, p, group, panel, tap, block, fill);
        }
    }
}
#endif
