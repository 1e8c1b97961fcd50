/* Convolution of pictures with the channels last.
 *
 * Forward and input gradient are both a sweep: a convolution that reads a picture at some stride and
 * writes its result at another.  The input gradient of stride 1 is the sweep over dy with the kernel
 * turned round and its channels exchanged; with stride s the pixels of dx fall into s_h s_w phases,
 * each met by its own taps of the kernel, and each phase is a sweep that writes every s-th pixel
 * (the sub-pixel form of Shi et al. 2016, "Is the deconvolution layer the same as a convolutional
 * layer?").
 *
 * A sweep is a product of tiles (tile.h) that reads the picture where it lies: the numbers under a
 * row of taps are one run, kernel_w channels long, the next pixel's run lies stride_w channels
 * further on, and the sums go over the runs of all rows of taps in registers.  Where pixels outside
 * the picture are met, the lines in question are copied with zeros around them, as many as fit into
 * the scratch.  Two cases have their own loops: few output channels, where vectors go along the runs,
 * and depthwise convolution, where they go along the channels.
 *
 * The kernel's gradient is, for each tap, a product X' dY of the channels seen with the channels made,
 * summed over the pixels where the tap meets the picture, patch of pixels by patch.  The work is cut by parts of the kernel, so
 * that no partial sums are needed and every number has one order of summing. */
#ifndef LAM_TIER
#include "kernels/conv.h"
#include "kernels/tile.h"
#include "kernels/winograd.h"

#include <string.h>

/* Up to so many output channels vectors go along the numbers that are summed. */
enum { FEW_CHANNELS = 4 };
/* From so many channels seen on, the tiles of one tap of the kernel's gradient are high enough. */
enum { MANY_CHANNELS = 8 };

enum {
    STRIP = 96 * 1024,      /* floats of a picture's copied lines, in the scratch */
    GRADIENT_BLOCK = 16384, /* floats of x and dy in a patch of the kernel's gradient, about */
    PATCH_PIXELS = 128,     /* and at least so many pixels, or a sum is too short */
    SHARED_BLOCK = 1 << 18, /* floats that all tasks look at before any goes on */
    GATHER = 64 * 1024,     /* floats of what a patch sees, gathered in the scratch */
    ALIGNED = 16,           /* floats of 64 bytes */
    TASKS = 32
};
/* Below this much work (about 100 us) a call stays on its thread, above it a task gets the second. */
static const double parallel_from = 8e6, work_per_task = 3e6;

typedef struct range {
    size_t from, to;
} range;

static inline size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The steps t of 0 .. n-1 for which start + t step lies in 0 .. size-1. */
static range inside(ptrdiff_t start, size_t step, size_t n, size_t size)
{
    ptrdiff_t end = (ptrdiff_t)size - start;
    range r = {start < 0 ? lam_divide_up((size_t)-start, step) : 0,
               end > 0 ? least(n, lam_divide_up((size_t)end, step)) : 0};
    r.from = least(r.from, r.to);
    return r;
}

static range overlap(range a, size_t from, size_t to)
{
    range r = {most(a.from, from), least(a.to, to)};
    r.from = least(r.from, r.to);
    return r;
}

/* The same convolution in the form that is easiest to compute. */
static lam_conv simplest(const lam_conv *given, size_t *rows)
{
    lam_conv c = *given;
    bool padded = c.pad_top > 0 || c.pad_left > 0;
    if (c.groups == 1 && !padded && c.out_h * c.out_w == 1 && c.kernel_h == c.in_h && c.kernel_w == c.in_w &&
        c.dilation_h * c.dilation_w == 1) { /* a dense layer */
        c.in_c *= c.in_h * c.in_w;
        c.in_h = c.in_w = c.kernel_h = c.kernel_w = c.stride_h = c.stride_w = 1;
    }
    if (c.kernel_h == 1)
        c.dilation_h = 1;
    if (c.kernel_w == 1)
        c.dilation_w = 1;
    if (c.groups == 1 && !padded && c.kernel_h * c.kernel_w == 1 && c.stride_h * c.stride_w == 1 &&
        c.in_h == c.out_h && c.in_w == c.out_w) { /* all pixels of all samples are one line */
        c.in_w = c.out_w = c.in_h * c.in_w * *rows;
        c.in_h = c.out_h = 1;
        *rows = 1;
    }
    if (c.in_w == 1 && c.kernel_w == 1 && c.out_w == 1 && c.pad_left == 0) { /* a line standing upright */
        c.in_w = c.in_h;
        c.out_w = c.out_h;
        c.kernel_w = c.kernel_h;
        c.stride_w = c.stride_h;
        c.dilation_w = c.dilation_h;
        c.pad_left = c.pad_top;
        c.in_h = c.out_h = c.kernel_h = c.stride_h = c.dilation_h = 1;
        c.pad_top = 0;
    }
    return c;
}

/* ---- sweeps ---------------------------------------------------------------------------------- */

typedef struct sweep sweep;
typedef struct segment segment;
typedef void (*segment_fn)(const sweep *s, const segment *g);

/* How the kernel is kept, and the loop that goes with it. */
typedef enum {
    BY_TILE,      /* per group, panels of up to LAM_TILE_VECTORS vectors of output channels */
    BY_DOT,       /* per output channel, all its numbers */
    BY_CHANNEL    /* depthwise: as it is */
} manner;

struct sweep {
    manner manner;
    const lam_tiles *tiles;
    /* the picture that is read */
    size_t rows, in_h, in_w, in_c;
    ptrdiff_t pad_top, pad_left; /* negative: the first tap starts inside */
    /* the taps: channels of one group in, `made` of them out */
    size_t taps_h, taps_w, stride_h, stride_w, dilation_h, dilation_w;
    size_t groups, channels, made;
    /* the picture that is written: distances of its pixels, lines, samples */
    size_t out_h, out_w, pixel, line, sample;

    const float *x, *kernel, *bias;
    float *c, *y; /* sums, and where relu or act puts its values */
    bool relu;
    const lam_activation *act;

    bool copies;   /* lines are copied with what surrounds them */
    size_t copied; /* numbers of a pixel that are copied at a time */
    bool by_pixel; /* not even one pixel's surroundings fit into the scratch */
    size_t panels; /* of a group */
    size_t sample_cuts, line_cuts, pixel_cuts, panel_cuts; /* the tasks */
    segment_fn fn;
};

/* Some pixels of a line of the result, and where in x their taps are. */
struct segment {
    const float *x; /* what tap (i.from, j.from) of the first pixel sees */
    size_t pixel, line; /* distances in x */
    range i, j;
    size_t n, at; /* how many pixels, and where they are written */
    size_t group, panel;
};

/* Panel q of a group: vectors begin .. end of its output channels. */
static range panel_of(const sweep *s, size_t q)
{
    size_t all = lam_divide_up(s->made, s->tiles->vl);
    return (range){lam_part(all, s->panels, q), lam_part(all, s->panels, q + 1)};
}

static size_t kernel_numbers(const sweep *s)
{
    return s->taps_h * s->taps_w * s->channels;
}

/* Floats of the prepared kernel, enough for every tier. */
static size_t prepared_floats(const sweep *s)
{
    if (s->manner == BY_CHANNEL)
        return lam_divide_up(s->groups * kernel_numbers(s), ALIGNED) * ALIGNED;
    return s->groups * kernel_numbers(s) * lam_divide_up(s->made, ALIGNED) * ALIGNED;
}

static bool one_run(const sweep *s)
{
    return s->dilation_w == 1;
}

static void choose_manner(sweep *s)
{
    size_t run = one_run(s) ? s->taps_w * s->channels : s->channels;
    s->tiles = lam_tiles_of(lam_tier());
    s->panels = lam_divide_up(lam_divide_up(s->made, s->tiles->vl), LAM_TILE_VECTORS);
    if (s->groups > 1 && s->channels == 1 && s->made == 1)
        s->manner = BY_CHANNEL;
    else if (s->groups == 1 && s->made <= FEW_CHANNELS && run >= s->tiles->vl)
        s->manner = BY_DOT;
    else
        s->manner = BY_TILE;
    if (s->manner != BY_TILE)
        s->panels = 1;
}

static sweep forward_sweep(const lam_conv *c, size_t rows)
{
    sweep s = {
        .rows = rows, .in_h = c->in_h, .in_w = c->in_w, .in_c = c->in_c,
        .pad_top = (ptrdiff_t)c->pad_top, .pad_left = (ptrdiff_t)c->pad_left,
        .taps_h = c->kernel_h, .taps_w = c->kernel_w,
        .stride_h = c->stride_h, .stride_w = c->stride_w,
        .dilation_h = c->dilation_h, .dilation_w = c->dilation_w,
        .groups = c->groups, .channels = c->in_c / c->groups, .made = c->out_c / c->groups,
        .out_h = c->out_h, .out_w = c->out_w,
        .pixel = c->out_c, .line = c->out_w * c->out_c, .sample = c->out_h * c->out_w * c->out_c,
    };
    choose_manner(&s);
    return s;
}

/* In one direction: the taps that meet the pixels phase, phase + stride, ... of x are first,
 * first + period, ...; in falling order they see dy with this padding and dilation. */
typedef struct phase {
    size_t taps, first, period, dilation;
    ptrdiff_t pad;
} phase;

/* Pixel t = stride u + phase of x is seen by tap i from pixel p of y where
 * stride p = t + pad - i dilation, so p = u + (phase + pad - i dilation) / stride. */
static phase phase_of(size_t at, size_t taps, size_t stride, size_t dilation, size_t pad)
{
    size_t common = stride, rest = dilation; /* Euclid */
    while (rest > 0) {
        size_t r = common % rest;
        common = rest;
        rest = r;
    }
    phase f = {.period = stride / common, .dilation = dilation / common};
    while (f.first < f.period && f.first < taps && (at + pad + f.first * (stride - 1) * dilation) % stride != 0)
        f.first++;
    if (f.first == f.period || f.first >= taps)
        return f;
    f.taps = (taps - f.first - 1) / f.period + 1;
    ptrdiff_t shift = ((ptrdiff_t)(at + pad) - (ptrdiff_t)(f.first * dilation)) / (ptrdiff_t)stride;
    f.pad = (ptrdiff_t)((f.taps - 1) * f.dilation) - shift;
    return f;
}

static phase phase_h(const lam_conv *c, size_t at)
{
    return phase_of(at, c->kernel_h, c->stride_h, c->dilation_h, c->pad_top);
}

static phase phase_w(const lam_conv *c, size_t at)
{
    return phase_of(at, c->kernel_w, c->stride_w, c->dilation_w, c->pad_left);
}

static size_t phases(const lam_conv *c)
{
    return least(c->stride_h, c->in_h) * least(c->stride_w, c->in_w);
}

/* The sweep of a phase, which begins at pixel (*h, *w) of dx. */
static sweep gradient_sweep(const lam_conv *c, size_t rows, size_t index, size_t *h, size_t *w)
{
    *h = index / least(c->stride_w, c->in_w);
    *w = index % least(c->stride_w, c->in_w);
    phase v = phase_h(c, *h), u = phase_w(c, *w);
    sweep s = {
        .rows = rows, .in_h = c->out_h, .in_w = c->out_w, .in_c = c->out_c,
        .pad_top = v.pad, .pad_left = u.pad, .taps_h = v.taps, .taps_w = u.taps,
        .stride_h = 1, .stride_w = 1, .dilation_h = v.dilation, .dilation_w = u.dilation,
        .groups = c->groups, .channels = c->out_c / c->groups, .made = c->in_c / c->groups,
        .out_h = lam_divide_up(c->in_h - *h, c->stride_h),
        .out_w = lam_divide_up(c->in_w - *w, c->stride_w),
        .pixel = c->stride_w * c->in_c, .line = c->stride_h * c->in_w * c->in_c,
        .sample = c->in_h * c->in_w * c->in_c,
    };
    if (s.taps_h == 0 || s.taps_w == 0)
        s.taps_h = s.taps_w = 0;
    if (s.taps_w <= 1)
        s.dilation_w = 1;
    choose_manner(&s);
    return s;
}

/* The taps of the given kernel that a sweep's kernel is made of, in its order. */
typedef struct taps {
    const lam_conv *c;
    phase h, w;
} taps;

static size_t tap_at(const taps *t, size_t i, size_t j)
{
    i = t->h.first + (t->h.taps - 1 - i) * t->h.period;
    j = t->w.first + (t->w.taps - 1 - j) * t->w.period;
    return i * t->c->kernel_w + j;
}

/* ---- kernel's gradient ------------------------------------------------------------------------ */

/* How the product X' dY of a tap is computed. */
typedef enum {
    PLAIN,     /* tiles of channels seen by channels made */
    GATHERED,  /* few channels seen: all that a pixel sees is brought together, as if it were one tap */
    SWAPPED,   /* few channels made: tiles of channels made by channels seen */
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
    range lines, pixels;
    bool load;       /* the kernel's gradient has other patches' parts already */
    float *gathered; /* what the pixels see */
    float *packed;   /* dy with whole vectors */
} patch;

/* The pixels of a patch that a tap meets, what it sees for the first, and the distances to what it
 * sees for the next and for the next line's. */
typedef struct meeting {
    range lines, pixels;
    const float *x;
    size_t pixel, line;
} meeting;

static meeting meet(const gradient *g, const patch *p, size_t tap)
{
    const lam_conv *c = g->c;
    if (g->product == GATHERED)
        return (meeting){p->lines, p->pixels, p->gathered, g->seen, (p->pixels.to - p->pixels.from) * g->seen};
    ptrdiff_t h = (ptrdiff_t)(tap / c->kernel_w * c->dilation_h) - (ptrdiff_t)c->pad_top;
    ptrdiff_t w = (ptrdiff_t)(tap % c->kernel_w * c->dilation_w) - (ptrdiff_t)c->pad_left;
    meeting m = {overlap(inside(h, c->stride_h, c->out_h, c->in_h), p->lines.from, p->lines.to),
                 overlap(inside(w, c->stride_w, c->out_w, c->in_w), p->pixels.from, p->pixels.to), g->x,
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
typedef void (*units_fn)(const gradient *g, patch *p, range units);

#define LAM_TIERED_FILE "kernels/conv.c"
#include "kernels/each_tier.h"

static const segment_fn dot_table[LAM_TIERS] = LAM_TIER_TABLE(dot_segment);
static const segment_fn channel_table[LAM_TIERS] = LAM_TIER_TABLE(channel_segment);

/* ---- running a sweep --------------------------------------------------------------------------- */

/* The pictures, or a copy of a part of them with its surroundings. */
typedef struct strip {
    const float *x;      /* line `top`, column `left` of the first sample */
    ptrdiff_t top, left;
    size_t pixel, line, sample;
} strip;

/* What a task computes. */
typedef struct block {
    range samples, lines, pixels, panels;
} block;

/* How many lines or columns are seen from n neighbours. */
static size_t seen_from(size_t n, size_t stride, size_t count, size_t dilation)
{
    return (n - 1) * stride + (count > 0 ? count - 1 : 0) * dilation + 1;
}

static size_t lines_seen(const sweep *s, size_t n)
{
    return least(seen_from(n, s->stride_h, s->taps_h, s->dilation_h), s->in_h);
}

static size_t columns_seen(const sweep *s, size_t n)
{
    return seen_from(n, s->stride_w, s->taps_w, s->dilation_w);
}

static strip copy_strip(const sweep *s, const block *b, size_t group, float *to)
{
    ptrdiff_t top = (ptrdiff_t)(b->lines.from * s->stride_h) - s->pad_top;
    ptrdiff_t end = top + (ptrdiff_t)seen_from(b->lines.to - b->lines.from, s->stride_h, s->taps_h, s->dilation_h);
    ptrdiff_t left = (ptrdiff_t)(b->pixels.from * s->stride_w) - s->pad_left;
    size_t columns = columns_seen(s, b->pixels.to - b->pixels.from), d = s->copied;
    range real = inside(left, 1, columns, s->in_w);
    top = top < 0 ? 0 : top;
    end = end > (ptrdiff_t)s->in_h ? (ptrdiff_t)s->in_h : end;
    size_t lines = end > top ? (size_t)(end - top) : 0;
    strip t = {to, top, left, d, columns * d, lines * columns * d};
    for (size_t n = b->samples.from; n < b->samples.to; n++)
        for (size_t h = 0; h < lines; h++, to += columns * d) {
            const float *x = s->x + ((n * s->in_h + (size_t)top + h) * s->in_w) * s->in_c + group * d;
            memset(to, 0, real.from * d * sizeof *to);
            if (real.from < real.to)
                x += (size_t)(left + (ptrdiff_t)real.from) * s->in_c;
            if (d == s->in_c)
                memcpy(to + real.from * d, x, (real.to - real.from) * d * sizeof *to);
            else
                for (size_t w = real.from; w < real.to; w++, x += s->in_c)
                    memcpy(to + w * d, x, d * sizeof *to);
            memset(to + real.to * d, 0, (columns - real.to) * d * sizeof *to);
        }
    return t;
}

static strip pictures(const sweep *s, const block *b, size_t group)
{
    size_t line = s->in_w * s->in_c, sample = s->in_h * line;
    return (strip){s->x + b->samples.from * sample + group * s->channels, 0, 0, s->in_c, line, sample};
}

/* Pixels from .. to of a line; only those taps that meet something. */
static void run_segment(const sweep *s, const strip *t, size_t sample, size_t line, range pixels,
                        segment *g)
{
    ptrdiff_t h = (ptrdiff_t)(line * s->stride_h) - s->pad_top;
    ptrdiff_t w = (ptrdiff_t)(pixels.from * s->stride_w) - s->pad_left;
    g->i = inside(h, s->dilation_h, s->taps_h, s->in_h);
    g->j = s->by_pixel ? inside(w, s->dilation_w, s->taps_w, s->in_w) : (range){0, s->taps_w};
    g->pixel = t->pixel;
    g->line = t->line;
    g->n = pixels.to - pixels.from;
    g->x = t->x;
    if (g->i.from < g->i.to && g->j.from < g->j.to) {
        h += (ptrdiff_t)(g->i.from * s->dilation_h) - t->top;
        w += (ptrdiff_t)(g->j.from * s->dilation_w) - t->left;
        g->x += sample * t->sample + (size_t)h * t->line + (size_t)w * t->pixel;
    } else {
        g->i.to = g->i.from;
        g->j.to = g->j.from;
    }
    s->fn(s, g);
}

static void run_line(const sweep *s, const block *b, const strip *t, size_t sample, size_t line, segment *g)
{
    size_t at = (b->samples.from + sample) * s->sample + line * s->line;
    g->at = at + b->pixels.from * s->pixel;
    if (!s->by_pixel) {
        run_segment(s, t, sample, line, b->pixels, g);
        return;
    }
    for (size_t q = b->pixels.from; q < b->pixels.to; q++) {
        g->at = at + q * s->pixel;
        run_segment(s, t, sample, line, (range){q, q + 1}, g);
    }
}

/* Output channels of the groups' panels from .. to, which lie side by side. */
static range channels_of(const sweep *s, range panels)
{
    size_t all = s->manner == BY_CHANNEL ? s->groups : s->groups * s->made;
    if (s->manner != BY_TILE)
        return (range){0, all};
    range r = {0, all};
    r.from = panels.from / s->panels * s->made + panel_of(s, panels.from % s->panels).from * s->tiles->vl;
    if (panels.to < s->groups * s->panels)
        r.to = panels.to / s->panels * s->made + panel_of(s, panels.to % s->panels).from * s->tiles->vl;
    return r;
}

static void activate(const sweep *s, const block *b)
{
    lam_activation_fn act = lam_activation_kernel(s->act->id);
    range channels = channels_of(s, b->panels);
    size_t n = b->pixels.to - b->pixels.from, d = channels.to - channels.from;
    for (size_t i = b->samples.from; i < b->samples.to; i++)
        for (size_t p = b->lines.from; p < b->lines.to; p++) {
            size_t at = i * s->sample + p * s->line + b->pixels.from * s->pixel + channels.from;
            if (d == s->pixel)
                act(s->act->par, 1, n * d, s->c + at, s->y + at);
            else
                for (size_t q = 0; q < n; q++, at += s->pixel)
                    act(s->act->par, 1, d, s->c + at, s->y + at);
        }
}

static void sweep_task(void *arg, size_t task, int worker)
{
    const sweep *s = arg;
    size_t k = task % s->panel_cuts, q = task / s->panel_cuts % s->pixel_cuts;
    size_t p = task / s->panel_cuts / s->pixel_cuts % s->line_cuts;
    size_t n = task / s->panel_cuts / s->pixel_cuts / s->line_cuts;
    size_t units = s->manner == BY_TILE ? s->groups * s->panels : 1;
    block b = {
        {lam_part(s->rows, s->sample_cuts, n), lam_part(s->rows, s->sample_cuts, n + 1)},
        {lam_part(s->out_h, s->line_cuts, p), lam_part(s->out_h, s->line_cuts, p + 1)},
        {lam_part(s->out_w, s->pixel_cuts, q), lam_part(s->out_w, s->pixel_cuts, q + 1)},
        {lam_part(units, s->panel_cuts, k), lam_part(units, s->panel_cuts, k + 1)},
    };
    strip t = {0};
    for (size_t u = b.panels.from; u < b.panels.to; u++) {
        segment g = {.group = u / s->panels, .panel = u % s->panels};
        if (u == b.panels.from || g.panel == 0)
            t = s->copies ? copy_strip(s, &b, g.group, lam_kernel_scratch(worker)) : pictures(s, &b, g.group);
        for (size_t i = 0; i < b.samples.to - b.samples.from; i++)
            for (size_t line = b.lines.from; line < b.lines.to; line++)
                run_line(s, &b, &t, i, line, &g);
    }
    if (s->act)
        activate(s, &b);
}

/* Whether some tap is outside the picture to the left or the right. */
static bool meets_edge(const sweep *s)
{
    ptrdiff_t end = (ptrdiff_t)columns_seen(s, s->out_w) - s->pad_left;
    return s->taps_w > 0 && (s->pad_left > 0 || end > (ptrdiff_t)s->in_w);
}

/* The most of n parts that fit into the strip, in halves. */
static size_t fit_pixels(const sweep *s)
{
    size_t n = s->out_w;
    while (n > 1 && lines_seen(s, 1) * columns_seen(s, n) * s->copied > STRIP)
        n = lam_divide_up(n, 2);
    return n;
}

static size_t fit_lines(const sweep *s, size_t pixels)
{
    size_t n = s->out_h;
    while (n > 1 && lines_seen(s, n) * columns_seen(s, pixels) * s->copied > STRIP)
        n = lam_divide_up(n, 2);
    return n;
}

/* ---- tiles of a sweep -------------------------------------------------------------------------- */

/* A panel's product with the pixels of a segment. */
static void tile_segment(const sweep *s, const segment *g)
{
    size_t vl = s->tiles->vl, k = kernel_numbers(s), d = s->channels;
    range v = panel_of(s, g->panel);
    size_t vectors = v.to - v.from, first = v.from * vl, step = vectors * vl;
    const float *b = s->kernel + g->group * k * lam_divide_up(s->made, vl) * vl + first * k +
                     (g->i.from * s->taps_w + g->j.from) * d * step;
    size_t taps_h = g->i.to - g->i.from, taps_w = g->j.to - g->j.from;
    lam_tile t = {.ldc = s->pixel, .last = least(s->made - first, step) - (vectors - 1) * vl};
    size_t calls = 1, from_call_to_call = 0;
    if (one_run(s) && g->pixel == d) { /* a row of taps is a run */
        k = taps_w * d;
        t.more_runs = most(taps_h, 1) - 1;
        t.a_skip = (ptrdiff_t)(s->dilation_h * g->line) - (ptrdiff_t)k;
        t.b_skip = (ptrdiff_t)((s->taps_w - taps_w) * d * step);
    } else { /* each tap is a run */
        k = taps_w > 0 ? d : 0;
        calls = most(taps_h, 1);
        from_call_to_call = s->dilation_h * g->line;
        t.more_runs = most(taps_w, 1) - 1;
        t.a_skip = (ptrdiff_t)(s->dilation_w * g->pixel) - (ptrdiff_t)d;
    }
    size_t row_step = s->stride_w * g->pixel, tiles = lam_divide_up(g->n, s->tiles->rows[vectors - 1]);
    for (size_t i = 0; i < tiles; i++) {
        size_t from = lam_part(g->n, tiles, i), rows = lam_part(g->n, tiles, i + 1) - from;
        size_t at = g->at + from * s->pixel + g->group * s->made + first;
        t.c = s->c + at;
        for (size_t call = 0; call < calls; call++) {
            bool final = call + 1 == calls;
            t.load = call > 0;
            t.bias = final && s->bias ? s->bias + g->group * s->made + first : NULL;
            t.relu = final && s->relu ? s->y + at : NULL;
            s->tiles->fn[vectors - 1][rows - 1](k, g->x + from * row_step + call * from_call_to_call, row_step, 1,
                                                b + call * s->taps_w * d * step, step, &t);
        }
    }
}

/* Cuts the work into blocks that fit into the scratch and that keep the threads busy.  How a block is
 * cut changes no sum. */
static void run_sweep(sweep *s)
{
    s->fn = s->manner == BY_TILE ? tile_segment : (s->manner == BY_DOT ? dot_table : channel_table)[lam_tier()];
    double work = 2.0 * (double)(s->rows * s->out_h * s->out_w) * (double)(s->groups * s->made) *
                  (double)kernel_numbers(s);
    size_t tasks = work < parallel_from ? 1 : least((size_t)(work / work_per_task), TASKS);
    s->copies = meets_edge(s) || (s->groups > 1 && s->manner == BY_TILE);
    s->copied = s->manner == BY_CHANNEL ? s->in_c : s->channels;
    size_t pixels = fit_pixels(s), lines = fit_lines(s, pixels);
    size_t one = lines_seen(s, lines) * columns_seen(s, pixels) * s->copied;
    if (s->copies && one > STRIP) {
        s->by_pixel = true;
        s->copies = false;
    }
    size_t samples = lines == s->out_h && pixels == s->out_w ? most(STRIP / most(one, 1), 1) : 1;
    s->sample_cuts = least(s->rows, most(lam_divide_up(s->rows, samples), tasks));
    size_t wanted = lam_divide_up(tasks, s->sample_cuts);
    s->line_cuts = least(s->out_h, most(lam_divide_up(s->out_h, lines), wanted));
    wanted = lam_divide_up(tasks, s->sample_cuts * s->line_cuts);
    s->pixel_cuts = least(s->out_w, most(lam_divide_up(s->out_w, pixels), least(wanted, s->out_w / 32)));
    wanted = lam_divide_up(tasks, s->sample_cuts * s->line_cuts * s->pixel_cuts);
    s->panel_cuts = s->manner == BY_TILE ? least(s->groups * s->panels, wanted) : 1;
    size_t count = s->sample_cuts * s->line_cuts * s->pixel_cuts * s->panel_cuts;
    if (tasks > 1)
        lam_parallel(count, sweep_task, s);
    else
        for (size_t i = 0; i < count; i++)
            sweep_task(s, i, lam_worker());
}

/* ---- the prepared kernel ----------------------------------------------------------------------- */

/* It begins with where its parts begin, in floats. */
typedef struct prepared {
    size_t forward, gradient;
} prepared;

static size_t gradient_floats(const lam_conv *c)
{
    size_t n = 0, h, w;
    for (size_t i = 0; i < phases(c); i++) {
        sweep s = gradient_sweep(c, 1, i, &h, &w);
        n += prepared_floats(&s);
    }
    return n;
}

static prepared parts_of(const lam_conv *c, int uses)
{
    sweep s = forward_sweep(c, 1);
    prepared p = {.forward = ALIGNED, .gradient = ALIGNED};
    if (uses & LAM_CONV_FORWARD)
        p.gradient += prepared_floats(&s);
    return p;
}

size_t lam_conv_prepared_size(const lam_conv *given, int uses)
{
    if (lam_winograd_fits(given))
        return lam_winograd_prepared_size(given, uses);
    size_t rows = 1;
    lam_conv c = simplest(given, &rows);
    size_t n = parts_of(&c, uses).gradient;
    if (uses & LAM_CONV_INPUT_GRADIENT)
        n += gradient_floats(&c);
    return n * sizeof(float);
}

static void prepare_sweep(const sweep *s, const taps *t, const float *kernel, float *to)
{
    static void (*const panels[])(const sweep *, const taps *, const float *, float *) = LAM_TIER_TABLE(pack_panels);
    static void (*const turned[])(const sweep *, const taps *, const float *, float *) = LAM_TIER_TABLE(pack_turned);
    bool turn = t->h.taps > 0;
    size_t all = kernel_numbers(s), tap = t->c->in_c / t->c->groups * t->c->out_c;
    if (s->manner == BY_TILE) {
        (turn ? turned : panels)[lam_tier()](s, t, kernel, to);
        return;
    }
    if (!turn && s->manner == BY_CHANNEL) {
        memcpy(to, kernel, all * tap * sizeof *to);
        return;
    }
    if (!turn) {
        for (size_t o = 0; o < s->made; o++)
            for (size_t k = 0; k < all; k++)
                *to++ = kernel[k * s->made + o];
        return;
    }
    for (size_t o = 0; o < s->made; o++)
        for (size_t i = 0; i < s->taps_h; i++)
            for (size_t j = 0; j < s->taps_w; j++, to += t->c->out_c)
                memcpy(to, kernel + tap_at(t, i, j) * tap + o * t->c->out_c, t->c->out_c * sizeof *to);
}

void lam_conv_prepare(const lam_conv *given, int uses, const float *kernel, void *to)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_prepare(given, uses, kernel, to);
        return;
    }
    size_t rows = 1, h, w;
    lam_conv c = simplest(given, &rows);
    prepared *head = to;
    *head = parts_of(&c, uses);
    if (uses & LAM_CONV_FORWARD) {
        sweep s = forward_sweep(&c, 1);
        prepare_sweep(&s, &(taps){.c = &c}, kernel, (float *)to + head->forward);
    }
    if (!(uses & LAM_CONV_INPUT_GRADIENT))
        return;
    float *part = (float *)to + head->gradient;
    for (size_t i = 0; i < phases(&c); i++) {
        sweep s = gradient_sweep(&c, 1, i, &h, &w);
        if (s.taps_h > 0)
            prepare_sweep(&s, &(taps){&c, phase_h(&c, h), phase_w(&c, w)}, kernel, part);
        part += prepared_floats(&s);
    }
}

/* ---- forward and input gradient ---------------------------------------------------------------- */

void lam_conv_forward(const lam_conv *given, size_t rows, const float *x, const void *kernel,
                      const float *bias, const lam_activation *act, float *z, float *y)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_forward(given, rows, x, kernel, bias, act, z, y);
        return;
    }
    static const lam_activation linear = {.id = LAM_ACT_linear};
    lam_conv c = simplest(given, &rows);
    sweep s = forward_sweep(&c, rows);
    s.x = x;
    s.kernel = (const float *)kernel + ((const prepared *)kernel)->forward;
    s.bias = bias;
    s.c = z ? z : y;
    s.y = y;
    if (!act)
        act = &linear;
    s.relu = s.manner == BY_TILE && lam_tile_does(act);
    if (!s.relu && !(act->id == LAM_ACT_linear && s.c == y))
        s.act = act;
    if (rows > 0)
        run_sweep(&s);
}

void lam_conv_input_gradient(const lam_conv *given, size_t rows, const float *dy, const void *kernel,
                             float *dx)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_input_gradient(given, rows, dy, kernel, dx);
        return;
    }
    lam_conv c = simplest(given, &rows);
    const float *part = (const float *)kernel + ((const prepared *)kernel)->gradient;
    for (size_t i = 0; rows > 0 && i < phases(&c); i++) {
        size_t h, w;
        sweep s = gradient_sweep(&c, rows, i, &h, &w);
        s.x = dy;
        s.kernel = part;
        s.c = dx + (h * c.in_w + w) * c.in_c;
        run_sweep(&s);
        part += prepared_floats(&s);
    }
}

/* ---- kernel's gradient -------------------------------------------------------------------------- */

static void gradient_task(void *arg, size_t task, int worker)
{
    static const units_fn table[] = LAM_TIER_TABLE(gradient_units);
    const gradient *g = arg;
    float *space = lam_kernel_scratch(worker);
    range units = {lam_part(g->units, g->parts, task), lam_part(g->units, g->parts, task + 1)};
    for (size_t i = g->from; i < g->to; i++) {
        size_t q = i % g->pixel_cuts, p = i / g->pixel_cuts % g->line_cuts;
        patch at = {
            i / g->pixel_cuts / g->line_cuts,
            {lam_part(g->c->out_h, g->line_cuts, p), lam_part(g->c->out_h, g->line_cuts, p + 1)},
            {lam_part(g->c->out_w, g->pixel_cuts, q), lam_part(g->c->out_w, g->pixel_cuts, q + 1)},
            g->add || i > 0, space, space + GATHER + ALIGNED,
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
    return made <= FEW_CHANNELS && seen >= t->vl && whole ? SWAPPED : PLAIN;
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
    size_t columns = g->product == SWAPPED ? g->seen : g->made, rows = g->product == SWAPPED ? g->made : g->seen;
    size_t all = lam_divide_up(columns, g->tiles->vl);
    g->panels = lam_divide_up(all, LAM_TILE_VECTORS);
    g->blocks = lam_divide_up(rows, g->tiles->rows[lam_divide_up(all, g->panels) - 1]);
    g->units = g->product == DEPTHWISE ? g->taps : c->groups * g->taps * g->panels * g->blocks;
    size_t pixel = (g->product == GATHERED ? g->seen : c->stride_w * c->in_c) + c->out_c; /* floats, about */
    size_t pixels = most(GRADIENT_BLOCK / pixel, PATCH_PIXELS);
    g->pixel_cuts = lam_divide_up(c->out_w, pixels);
    g->line_cuts = lam_divide_up(c->out_h, most(pixels / c->out_w, 1));
}

void lam_conv_kernel_gradient(const lam_conv *given, size_t rows, const float *x, const float *dy,
                              float *dkernel, bool add)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_kernel_gradient(given, rows, x, dy, dkernel, add);
        return;
    }
    lam_conv c = simplest(given, &rows);
    size_t numbers = c.kernel_h * c.kernel_w * (c.in_c / c.groups) * c.out_c;
    if (rows == 0) {
        if (!add)
            memset(dkernel, 0, numbers * sizeof *dkernel);
        return;
    }
    if (c.groups == 1 && c.kernel_h * c.kernel_w * c.in_h * c.out_h * c.stride_w == 1 && c.in_w == c.out_w &&
        c.pad_left == 0) {
        lam_gemm_run(&(lam_gemm){.form = LAM_TN, .m = c.in_c, .n = c.out_c, .k = c.in_w, .a = x, .lda = c.in_c,
                                 .b = dy, .ldb = c.out_c, .c = dkernel, .ldc = c.out_c, .add = add});
        return;
    }
    gradient g = {.c = &c, .tiles = lam_tiles_of(lam_tier()), .x = x, .dy = dy, .dkernel = dkernel, .add = add};
    cut_gradient(&g);
    size_t patches = rows * g.line_cuts * g.pixel_cuts;
    size_t pixels = lam_divide_up(c.out_h, g.line_cuts) * lam_divide_up(c.out_w, g.pixel_cuts);
    size_t round = most(SHARED_BLOCK / (pixels * (c.stride_h * c.stride_w * c.in_c + c.out_c)), 1);
    double work = 2.0 * (double)(rows * c.out_h * c.out_w) * (double)numbers;
    g.parts = work < parallel_from ? 1 : least(g.units, (size_t)lam_threads());
    for (; g.from < patches; g.from = g.to) {
        g.to = least(g.from + round, patches);
        lam_parallel(g.parts, gradient_task, &g);
    }
}

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* ---- preparing ----------------------------------------------------------------------------- */

/* For each group its panels; a panel is kernel_numbers() rows of whole vectors. */
LAM_FN void LAM_T(pack_panels)(const sweep *s, const taps *t, const float *kernel, float *to)
{
    for (size_t g = 0; g < s->groups; g++)
        for (size_t q = 0; q < s->panels; q++) {
            range v = panel_of(s, q);
            size_t width = least(s->made - v.from * VL, (v.to - v.from) * VL), k = kernel_numbers(s);
            LAM_T(pack)(k, width, kernel + g * s->made + v.from * VL, t->c->out_c, to);
            to += k * (v.to - v.from) * VL;
        }
}

/* The same of the kernel turned round, in and out exchanged. */
LAM_FN void LAM_T(pack_turned)(const sweep *s, const taps *t, const float *kernel, float *to)
{
    for (size_t g = 0; g < s->groups; g++)
        for (size_t q = 0; q < s->panels; q++) {
            range v = panel_of(s, q);
            size_t width = least(s->made - v.from * VL, (v.to - v.from) * VL);
            for (size_t i = 0; i < s->taps_h; i++)
                for (size_t j = 0; j < s->taps_w; j++, to += s->channels * (v.to - v.from) * VL) {
                    const float *row = kernel + (tap_at(t, i, j) * s->made + v.from * VL) * t->c->out_c;
                    LAM_T(pack_transposed)(s->channels, width, row + g * s->channels, t->c->out_c, to);
                }
        }
}

/* ---- few output channels -------------------------------------------------------------------- */

/* `rows` neighbouring pixels meet the kernels of `outs` output channels: a vector of sums each. */
LAM_INLINE void LAM_T(dot_pixels)(const sweep *s, const segment *g, const size_t rows, const size_t outs,
                                  const float *x, size_t first, float *c)
{
    size_t row_step = s->stride_w * g->pixel, taps_w = g->j.to - g->j.from, all = kernel_numbers(s);
    const float *kernel = s->kernel + first * all;
    bool whole = one_run(s);
    size_t k = whole ? taps_w * s->channels : s->channels, runs = whole ? taps_w > 0 : taps_w;
    vf sum[4][2];
    LAM_UNROLL for (size_t r = 0; r < rows; r++)
        LAM_UNROLL for (size_t o = 0; o < outs; o++)
            sum[r][o] = vf_set(0.0f);
    for (size_t i = g->i.from; i < g->i.to; i++)
        for (size_t j = 0; j < runs; j++) {
            const float *a = x + (i - g->i.from) * s->dilation_h * g->line + j * s->dilation_w * g->pixel;
            const float *b = kernel + (i * s->taps_w + g->j.from + j) * s->channels;
            for (size_t p = 0; p < k; p += VL) {
                size_t n = least(k - p, VL);
                vf v[2];
                LAM_UNROLL for (size_t o = 0; o < outs; o++)
                    v[o] = n < VL ? vf_load_n(b + o * all + p, n) : vf_load(b + o * all + p);
                LAM_UNROLL for (size_t r = 0; r < rows; r++) {
                    const float *at = a + r * row_step + p;
                    vf w = n < VL ? vf_load_n(at, n) : vf_load(at);
                    LAM_UNROLL for (size_t o = 0; o < outs; o++)
                        sum[r][o] = vf_fma(w, v[o], sum[r][o]);
                }
            }
        }
    LAM_UNROLL for (size_t r = 0; r < rows; r++)
        LAM_UNROLL for (size_t o = 0; o < outs; o++)
            c[r * s->pixel + first + o] = vf_sum(sum[r][o]) + (s->bias ? s->bias[first + o] : 0.0f);
}

LAM_FN void LAM_T(dot_segment)(const sweep *s, const segment *g)
{
    for (size_t q = 0, n; q < g->n; q += n) {
        const float *x = g->x + q * s->stride_w * g->pixel;
        float *c = s->c + g->at + q * s->pixel;
        n = g->n - q < 4 ? 1 : 4;
        for (size_t o = 0; o < s->made; o += 2) {
            if (s->made - o == 1 && n == 1)
                LAM_T(dot_pixels)(s, g, 1, 1, x, o, c);
            else if (s->made - o == 1)
                LAM_T(dot_pixels)(s, g, 4, 1, x, o, c);
            else if (n == 1)
                LAM_T(dot_pixels)(s, g, 1, 2, x, o, c);
            else
                LAM_T(dot_pixels)(s, g, 4, 2, x, o, c);
        }
    }
}

/* ---- depthwise --------------------------------------------------------------------------------- */

/* n <= VL channels of `rows` neighbouring pixels. */
LAM_INLINE void LAM_T(channel_pixels)(const sweep *s, const segment *g, const size_t rows, const bool part,
                                      size_t n, const float *x, const float *kernel, const float *bias,
                                      float *c)
{
    size_t row_step = s->stride_w * g->pixel;
    vf sum[8];
    LAM_UNROLL for (size_t r = 0; r < rows; r++)
        sum[r] = vf_set(0.0f);
    for (size_t i = g->i.from; i < g->i.to; i++)
        for (size_t j = g->j.from; j < g->j.to; j++) {
            const float *a = x + (i - g->i.from) * s->dilation_h * g->line +
                             (j - g->j.from) * s->dilation_w * g->pixel;
            const float *b = kernel + (i * s->taps_w + j) * s->groups;
            vf v = part ? vf_load_n(b, n) : vf_load(b);
            LAM_UNROLL for (size_t r = 0; r < rows; r++) {
                const float *at = a + r * row_step;
                sum[r] = vf_fma(part ? vf_load_n(at, n) : vf_load(at), v, sum[r]);
            }
        }
    vf add = !bias ? vf_set(0.0f) : part ? vf_load_n(bias, n) : vf_load(bias);
    LAM_UNROLL for (size_t r = 0; r < rows; r++) {
        if (part)
            vf_store_n(c + r * s->pixel, sum[r] + add, n);
        else
            vf_store(c + r * s->pixel, sum[r] + add);
    }
}

LAM_INLINE void LAM_T(channel_vector)(const sweep *s, const segment *g, size_t first, const bool part, size_t n)
{
    const float *bias = s->bias ? s->bias + first : NULL;
    const float *x = g->x + first, *kernel = s->kernel + first;
    float *c = s->c + g->at + first;
    size_t q = 0, step = s->stride_w * g->pixel;
    for (; q + 8 <= g->n; q += 8)
        LAM_T(channel_pixels)(s, g, 8, part, n, x + q * step, kernel, bias, c + q * s->pixel);
    for (; q + 4 <= g->n; q += 4)
        LAM_T(channel_pixels)(s, g, 4, part, n, x + q * step, kernel, bias, c + q * s->pixel);
    for (; q < g->n; q++)
        LAM_T(channel_pixels)(s, g, 1, part, n, x + q * step, kernel, bias, c + q * s->pixel);
}

LAM_FN void LAM_T(channel_segment)(const sweep *s, const segment *g)
{
    size_t first = 0;
    for (; first + VL <= s->groups; first += VL)
        LAM_T(channel_vector)(s, g, first, false, VL);
    if (first < s->groups)
        LAM_T(channel_vector)(s, g, first, true, s->groups - first);
}

/* ---- kernel's gradient -------------------------------------------------------------------------- */

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
LAM_INLINE void LAM_T(depthwise_tap)(const gradient *g, const patch *p, const meeting *m, size_t first,
                                     const size_t vectors, size_t last, float *out)
{
    const lam_conv *c = g->c;
    vf sum[4];
    LAM_UNROLL for (size_t v = 0; v < vectors; v++)
        sum[v] = vf_set(0.0f);
    for (size_t h = m->lines.from; h < m->lines.to; h++) {
        const float *x = m->x + (h - m->lines.from) * c->stride_h * c->in_w * c->in_c + first;
        const float *dy = g->dy + ((p->sample * c->out_h + h) * c->out_w + m->pixels.from) * c->out_c + first;
        for (size_t q = m->pixels.from; q < m->pixels.to; q++, x += c->stride_w * c->in_c, dy += c->out_c)
            LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
                size_t n = v + 1 == vectors ? last : VL;
                vf a = n < VL ? vf_load_n(x + v * VL, n) : vf_load(x + v * VL);
                vf b = n < VL ? vf_load_n(dy + v * VL, n) : vf_load(dy + v * VL);
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
        LAM_T(depthwise_tap)(g, p, &m, first, 1, least(c->in_c - first, VL), out);
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
    range within = {lam_divide_up(c->pad_left, c->stride_w), 0}; /* pixels whose taps are all inside */
    if (c->dilation_w == 1 && c->in_w + c->pad_left >= c->kernel_w)
        within.to = (c->in_w + c->pad_left - c->kernel_w) / c->stride_w + 1;
    float *to = p->gathered;
    for (size_t h = p->lines.from; h < p->lines.to; h++) {
        ptrdiff_t row = (ptrdiff_t)(h * c->stride_h) - (ptrdiff_t)c->pad_top;
        range met = inside(row, c->dilation_h, c->kernel_h, c->in_h);
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
    c.last = least(n - c.first, c.vectors * VL) - (c.vectors - 1) * VL;
    return c;
}

/* Channels seen by channels made of one tap. */
LAM_INLINE void LAM_T(plain_unit)(const gradient *g, const patch *p, size_t group, size_t panel, size_t tap,
                                  size_t block, bool packed)
{
    const lam_conv *c = g->c;
    LAM_T(columns) n = LAM_T(columns_of)(g, panel, g->made);
    size_t top = lam_part(g->seen, g->blocks, block), height = lam_part(g->seen, g->blocks, block + 1) - top;
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
        .c = g->dkernel + (tap * g->seen + top) * c->out_c + group * g->made + n.first,
        .ldc = c->out_c,
        .last = n.last,
        .load = p->load,
        .more_runs = lines > 0 ? lines - 1 : 0,
        .a_skip = (ptrdiff_t)m.line - (ptrdiff_t)(pixels * m.pixel),
        .b_skip = (ptrdiff_t)((dy_line - pixels) * dy_step),
    };
    g->tiles->fn[n.vectors - 1][height - 1](pixels, m.x + group * g->seen + top, 1, m.pixel, dy + at * dy_step,
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
    float sums[FEW_CHANNELS * LAM_TILE_VECTORS * VL];
    lam_tile t = {
        .c = sums,
        .ldc = n.vectors * VL,
        .last = n.last,
        .more_runs = lines > 0 ? lines - 1 : 0,
        .a_skip = (ptrdiff_t)((c->out_w - pixels) * c->out_c),
        .b_skip = (ptrdiff_t)m.line - (ptrdiff_t)(pixels * m.pixel),
    };
    g->tiles->fn[n.vectors - 1][g->made - 1](pixels, g->dy + at * c->out_c, 1, c->out_c, m.x + n.first, m.pixel, &t);
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
        size_t at = ((p->sample * c->out_h + h) * c->out_w + p->pixels.from) * c->out_c + group * g->made + n.first;
        LAM_T(pack)(pixels, g->made - n.first, g->dy + at, c->out_c, to);
    }
}

LAM_FN void LAM_T(gradient_units)(const gradient *g, patch *p, range units)
{
    size_t packed = SIZE_MAX; /* the group whose dy is packed */
    if (g->product == GATHERED)
        LAM_T(gather)(g, p);
    for (size_t u = units.from; u < units.to; u++) {
        size_t block = u % g->blocks, tap = u / g->blocks % g->taps;
        size_t panel = u / g->blocks / g->taps % g->panels, group = u / g->blocks / g->taps / g->panels;
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
