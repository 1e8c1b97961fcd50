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
 * The kernel's gradient is conv_kernel_gradient.c, and 3x3 kernels mostly go to winograd.c. */
#ifndef LAM_TIER
#include "kernels/conv_shape.h"
#include "kernels/winograd.h"

#include <string.h>

enum {
    STRIP = 96 * 1024, /* floats of a picture's copied lines, in the scratch */
    ALIGNED = 16,      /* floats of 64 bytes */
    TASKS = 32
};

lam_conv lam_conv_simplest(const lam_conv *given, size_t *rows)
{
    lam_conv c = *given;
    bool padded = c.pad_top > 0 || c.pad_left > 0;
    if (c.groups == 1 && !padded && c.out_h * c.out_w == 1 && c.kernel_h == c.in_h &&
        c.kernel_w == c.in_w && c.dilation_h * c.dilation_w == 1) { /* a dense layer */
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
    if (c.in_w == 1 && c.kernel_w == 1 && c.out_w == 1 && c.pad_left == 0) { /* an upright line */
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
    lam_range i, j;
    size_t n, at; /* how many pixels, and where they are written */
    size_t group, panel;
};

/* Panel q of a group: vectors begin .. end of its output channels. */
static lam_range panel_of(const sweep *s, size_t q)
{
    size_t all = lam_divide_up(s->made, s->tiles->vl);
    return lam_range_of(all, s->panels, q);
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
    else if (s->groups == 1 && s->made <= LAM_CONV_FEW_CHANNELS && run >= s->tiles->vl)
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
    while (f.first < f.period && f.first < taps &&
           (at + pad + f.first * (stride - 1) * dilation) % stride != 0)
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
    return lam_least(c->stride_h, c->in_h) * lam_least(c->stride_w, c->in_w);
}

/* The sweep of a phase, which begins at pixel (*h, *w) of dx. */
static sweep gradient_sweep(const lam_conv *c, size_t rows, size_t index, size_t *h, size_t *w)
{
    *h = index / lam_least(c->stride_w, c->in_w);
    *w = index % lam_least(c->stride_w, c->in_w);
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

#define LAM_TIERED_FILE "kernels/conv.c"
#include "kernels/each_tier.h"

static const segment_fn dot_table[LAM_TIERS] = LAM_TIER_TABLE(dot_segment);
static const segment_fn channel_table[LAM_TIERS] = LAM_TIER_TABLE(channel_segment);

/* ---- tiles of a sweep ------------------------------------------------------------------------ */

/* A panel's product with the pixels of a segment. */
static void tile_segment(const sweep *s, const segment *g)
{
    size_t vl = s->tiles->vl, k = kernel_numbers(s), d = s->channels;
    lam_range v = panel_of(s, g->panel);
    size_t vectors = v.to - v.from, first = v.from * vl, step = vectors * vl;
    const float *b = s->kernel + g->group * k * lam_divide_up(s->made, vl) * vl + first * k +
                     (g->i.from * s->taps_w + g->j.from) * d * step;
    size_t taps_h = g->i.to - g->i.from, taps_w = g->j.to - g->j.from;
    lam_tile t = {.ldc = s->pixel, .last = lam_least(s->made - first, step) - (vectors - 1) * vl};
    size_t calls = 1, from_call_to_call = 0;
    if (one_run(s) && g->pixel == d) { /* a row of taps is a run */
        k = taps_w * d;
        t.more_runs = lam_most(taps_h, 1) - 1;
        t.a_skip = (ptrdiff_t)(s->dilation_h * g->line) - (ptrdiff_t)k;
        t.b_skip = (ptrdiff_t)((s->taps_w - taps_w) * d * step);
    } else { /* each tap is a run */
        k = taps_w > 0 ? d : 0;
        calls = lam_most(taps_h, 1);
        from_call_to_call = s->dilation_h * g->line;
        t.more_runs = lam_most(taps_w, 1) - 1;
        t.a_skip = (ptrdiff_t)(s->dilation_w * g->pixel) - (ptrdiff_t)d;
    }
    size_t row_step = s->stride_w * g->pixel;
    size_t tiles = lam_divide_up(g->n, s->tiles->rows[vectors - 1]);
    for (size_t i = 0; i < tiles; i++) {
        size_t from = lam_part(g->n, tiles, i), rows = lam_part(g->n, tiles, i + 1) - from;
        size_t at = g->at + from * s->pixel + g->group * s->made + first;
        t.c = s->c + at;
        for (size_t call = 0; call < calls; call++) {
            bool final = call + 1 == calls;
            t.load = call > 0;
            t.bias = final && s->bias ? s->bias + g->group * s->made + first : NULL;
            t.relu = final && s->relu ? s->y + at : NULL;
            const float *x = g->x + from * row_step + call * from_call_to_call;
            s->tiles->fn[vectors - 1][rows - 1](k, x, row_step, 1, b + call * s->taps_w * d * step,
                                                step, &t);
        }
    }
}

/* ---- running a sweep ------------------------------------------------------------------------- */

/* The pictures, or a copy of a part of them with its surroundings. */
typedef struct strip {
    const float *x;      /* line `top`, column `left` of the first sample */
    ptrdiff_t top, left;
    size_t pixel, line, sample;
} strip;

/* What a task computes. */
typedef struct block {
    lam_range samples, lines, pixels, panels;
} block;

/* How many lines or columns are seen from n neighbours. */
static size_t seen_from(size_t n, size_t stride, size_t count, size_t dilation)
{
    return (n - 1) * stride + (count > 0 ? count - 1 : 0) * dilation + 1;
}

static size_t lines_seen(const sweep *s, size_t n)
{
    return lam_least(seen_from(n, s->stride_h, s->taps_h, s->dilation_h), s->in_h);
}

static size_t columns_seen(const sweep *s, size_t n)
{
    return seen_from(n, s->stride_w, s->taps_w, s->dilation_w);
}

static strip copy_strip(const sweep *s, const block *b, size_t group, float *to)
{
    ptrdiff_t top = (ptrdiff_t)(b->lines.from * s->stride_h) - s->pad_top;
    ptrdiff_t end = top + (ptrdiff_t)seen_from(b->lines.to - b->lines.from, s->stride_h, s->taps_h,
                                               s->dilation_h);
    ptrdiff_t left = (ptrdiff_t)(b->pixels.from * s->stride_w) - s->pad_left;
    size_t columns = columns_seen(s, b->pixels.to - b->pixels.from), d = s->copied;
    lam_range real = lam_range_inside(left, 1, columns, s->in_w);
    top = top < 0 ? 0 : top;
    end = end > (ptrdiff_t)s->in_h ? (ptrdiff_t)s->in_h : end;
    size_t lines = end > top ? (size_t)(end - top) : 0;
    strip t = {to, top, left, d, columns * d, lines * columns * d};
    for (size_t n = b->samples.from; n < b->samples.to; n++)
        for (size_t h = 0; h < lines; h++, to += columns * d) {
            const float *x =
                s->x + ((n * s->in_h + (size_t)top + h) * s->in_w) * s->in_c + group * d;
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
    const float *x = s->x + b->samples.from * sample + group * s->channels;
    return (strip){x, 0, 0, s->in_c, line, sample};
}

/* Pixels from .. to of a line; only those taps that meet something. */
static void run_segment(const sweep *s, const strip *t, size_t sample, size_t line,
                        lam_range pixels, segment *g)
{
    ptrdiff_t h = (ptrdiff_t)(line * s->stride_h) - s->pad_top;
    ptrdiff_t w = (ptrdiff_t)(pixels.from * s->stride_w) - s->pad_left;
    g->i = lam_range_inside(h, s->dilation_h, s->taps_h, s->in_h);
    g->j = s->by_pixel ? lam_range_inside(w, s->dilation_w, s->taps_w, s->in_w)
                       : (lam_range){0, s->taps_w};
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

static void run_line(const sweep *s, const block *b, const strip *t, size_t sample, size_t line,
                     segment *g)
{
    size_t at = (b->samples.from + sample) * s->sample + line * s->line;
    g->at = at + b->pixels.from * s->pixel;
    if (!s->by_pixel) {
        run_segment(s, t, sample, line, b->pixels, g);
        return;
    }
    for (size_t q = b->pixels.from; q < b->pixels.to; q++) {
        g->at = at + q * s->pixel;
        run_segment(s, t, sample, line, (lam_range){q, q + 1}, g);
    }
}

/* Output channels of the groups' panels from .. to, which lie side by side. */
static lam_range channels_of(const sweep *s, lam_range panels)
{
    size_t all = s->manner == BY_CHANNEL ? s->groups : s->groups * s->made;
    if (s->manner != BY_TILE)
        return (lam_range){0, all};
    lam_range r = {0, all};
    r.from = panels.from / s->panels * s->made +
             panel_of(s, panels.from % s->panels).from * s->tiles->vl;
    if (panels.to < s->groups * s->panels)
        r.to = panels.to / s->panels * s->made +
               panel_of(s, panels.to % s->panels).from * s->tiles->vl;
    return r;
}

static void activate(const sweep *s, const block *b)
{
    lam_activation_fn act = lam_activation_kernel(s->act->id);
    lam_range channels = channels_of(s, b->panels);
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
        lam_range_of(s->rows, s->sample_cuts, n),
        lam_range_of(s->out_h, s->line_cuts, p),
        lam_range_of(s->out_w, s->pixel_cuts, q),
        lam_range_of(units, s->panel_cuts, k),
    };
    strip t = {0};
    for (size_t u = b.panels.from; u < b.panels.to; u++) {
        segment g = {.group = u / s->panels, .panel = u % s->panels};
        if (u == b.panels.from || g.panel == 0)
            t = s->copies ? copy_strip(s, &b, g.group, lam_kernel_scratch(worker))
                          : pictures(s, &b, g.group);
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

/* Cuts the work into blocks that fit into the scratch, and at least into as many tasks as keep
 * the threads busy: their number.  How it is cut changes no sum. */
static size_t cut(sweep *s)
{
    double work = 2.0 * (double)(s->rows * s->out_h * s->out_w) * (double)(s->groups * s->made) *
                  (double)kernel_numbers(s);
    size_t tasks = 1;
    if (work >= LAM_PARALLEL_FROM)
        tasks = lam_least((size_t)(work / LAM_WORK_PER_TASK), TASKS);
    s->copies = meets_edge(s) || (s->groups > 1 && s->manner == BY_TILE);
    s->copied = s->manner == BY_CHANNEL ? s->in_c : s->channels;
    size_t pixels = fit_pixels(s), lines = fit_lines(s, pixels);
    size_t one = lines_seen(s, lines) * columns_seen(s, pixels) * s->copied;
    if (s->copies && one > STRIP) {
        s->by_pixel = true;
        s->copies = false;
    }
    size_t samples =
        lines == s->out_h && pixels == s->out_w ? lam_most(STRIP / lam_most(one, 1), 1) : 1;
    s->sample_cuts = lam_least(s->rows, lam_most(lam_divide_up(s->rows, samples), tasks));
    size_t wanted = lam_divide_up(tasks, s->sample_cuts);
    s->line_cuts = lam_least(s->out_h, lam_most(lam_divide_up(s->out_h, lines), wanted));
    wanted = lam_divide_up(tasks, s->sample_cuts * s->line_cuts);
    s->pixel_cuts = lam_least(
        s->out_w, lam_most(lam_divide_up(s->out_w, pixels), lam_least(wanted, s->out_w / 32)));
    wanted = lam_divide_up(tasks, s->sample_cuts * s->line_cuts * s->pixel_cuts);
    s->panel_cuts = s->manner == BY_TILE ? lam_least(s->groups * s->panels, wanted) : 1;
    return tasks;
}

static void run_sweep(sweep *s)
{
    static const segment_fn *const tables[] = {NULL, dot_table, channel_table};
    s->fn = s->manner == BY_TILE ? tile_segment : tables[s->manner][lam_tier()];
    size_t tasks = cut(s), count = s->sample_cuts * s->line_cuts * s->pixel_cuts * s->panel_cuts;
    if (tasks > 1)
        lam_parallel(count, sweep_task, s);
    else
        for (size_t i = 0; i < count; i++)
            sweep_task(s, i, lam_worker());
}

/* ---- the prepared kernel --------------------------------------------------------------------- */

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
    lam_conv c = lam_conv_simplest(given, &rows);
    size_t n = parts_of(&c, uses).gradient;
    if (uses & LAM_CONV_INPUT_GRADIENT)
        n += gradient_floats(&c);
    return n * sizeof(float);
}

static void prepare_sweep(const sweep *s, const taps *t, const float *kernel, float *to)
{
    static void (*const panels[])(const sweep *, const taps *, const float *, float *) =
        LAM_TIER_TABLE(pack_panels);
    static void (*const turned[])(const sweep *, const taps *, const float *, float *) =
        LAM_TIER_TABLE(pack_turned);
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
                memcpy(to, kernel + tap_at(t, i, j) * tap + o * t->c->out_c,
                       t->c->out_c * sizeof *to);
}

void lam_conv_prepare(const lam_conv *given, int uses, const float *kernel, void *to)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_prepare(given, uses, kernel, to);
        return;
    }
    size_t rows = 1, h, w;
    lam_conv c = lam_conv_simplest(given, &rows);
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

/* ---- forward and input gradient -------------------------------------------------------------- */

void lam_conv_forward(const lam_conv *given, size_t rows, const float *x, const void *kernel,
                      const float *bias, const lam_activation *act, float *z, float *y)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_forward(given, rows, x, kernel, bias, act, z, y);
        return;
    }
    static const lam_activation linear = {.id = LAM_ACT_linear};
    lam_conv c = lam_conv_simplest(given, &rows);
    sweep s = forward_sweep(&c, rows);
    s.x = x;
    s.kernel = (const float *)kernel + ((const prepared *)kernel)->forward;
    s.bias = bias;
    s.c = z ? z : y;
    s.y = y;
    if (!act)
        act = &linear;
    s.relu = s.manner == BY_TILE && lam_activation_is_relu(act);
    if (!s.relu && !(act->id == LAM_ACT_linear && s.c == y))
        s.act = act;
    if (rows > 0)
        run_sweep(&s);
}

void lam_conv_input_gradient(const lam_conv *given, size_t rows, const float *dy,
                             const void *kernel, float *dx)
{
    if (lam_winograd_fits(given)) {
        lam_winograd_input_gradient(given, rows, dy, kernel, dx);
        return;
    }
    lam_conv c = lam_conv_simplest(given, &rows);
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

#else
#include "kernels/vec_template.h"
#include "kernels/pack_template.h"

/* ---- preparing ------------------------------------------------------------------------------- */

/* For each group its panels; a panel is kernel_numbers() rows of whole vectors. */
LAM_FN void LAM_T(pack_panels)(const sweep *s, const taps *t, const float *kernel, float *to)
{
    for (size_t g = 0; g < s->groups; g++)
        for (size_t q = 0; q < s->panels; q++) {
            lam_range v = panel_of(s, q);
            size_t width = lam_least(s->made - v.from * VL, (v.to - v.from) * VL);
            size_t k = kernel_numbers(s);
            LAM_T(pack)(k, width, kernel + g * s->made + v.from * VL, t->c->out_c, to);
            to += k * (v.to - v.from) * VL;
        }
}

/* The same of the kernel turned round, in and out exchanged. */
LAM_FN void LAM_T(pack_turned)(const sweep *s, const taps *t, const float *kernel, float *to)
{
    for (size_t g = 0; g < s->groups; g++)
        for (size_t q = 0; q < s->panels; q++) {
            lam_range v = panel_of(s, q);
            size_t width = lam_least(s->made - v.from * VL, (v.to - v.from) * VL);
            for (size_t i = 0; i < s->taps_h; i++)
                for (size_t j = 0; j < s->taps_w; j++, to += s->channels * (v.to - v.from) * VL) {
                    const float *row =
                        kernel + (tap_at(t, i, j) * s->made + v.from * VL) * t->c->out_c;
                    row += g * s->channels;
                    LAM_T(pack_transposed)(s->channels, width, row, t->c->out_c, to);
                }
        }
}

/* ---- few output channels --------------------------------------------------------------------- */

/* `rows` neighbouring pixels meet the kernels of `outs` output channels: a vector of sums each. */
LAM_INLINE void LAM_T(dot_pixels)(const sweep *s, const segment *g, const size_t rows,
                                  const size_t outs, const float *x, size_t first, float *c)
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
            const float *a =
                x + (i - g->i.from) * s->dilation_h * g->line + j * s->dilation_w * g->pixel;
            const float *b = kernel + (i * s->taps_w + g->j.from + j) * s->channels;
            for (size_t p = 0; p < k; p += VL) {
                size_t n = lam_least(k - p, VL);
                vf v[2];
                LAM_UNROLL for (size_t o = 0; o < outs; o++)
                    v[o] = vf_load_up_to(b + o * all + p, n);
                LAM_UNROLL for (size_t r = 0; r < rows; r++) {
                    const float *at = a + r * row_step + p;
                    vf w = vf_load_up_to(at, n);
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

/* ---- depthwise ------------------------------------------------------------------------------- */

/* n <= VL channels of `rows` neighbouring pixels. */
LAM_INLINE void LAM_T(channel_pixels)(const sweep *s, const segment *g, const size_t rows,
                                      const bool part, size_t n, const float *x,
                                      const float *kernel, const float *bias, float *c)
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

LAM_INLINE void LAM_T(channel_vector)(const sweep *s, const segment *g, size_t first,
                                      const bool part, size_t n)
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
#endif
