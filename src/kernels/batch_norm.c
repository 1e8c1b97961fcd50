#ifndef LAM_TIER
#include "kernels/batch_norm.h"

/* Sums: the array is cut into strips of STRIP channels and, where it has few of them, also into
 * PARTS parts of its outer dimension.  Maps: into TASK numbers, about. */
enum { STRIP = 64, PARTS = 32, WIDE = 512, LARGE = 1 << 15, TASK = 1 << 15 };

#define LAM_TIERED_FILE "kernels/batch_norm.c"
#include "kernels/each_tier.h"

typedef struct job {
    const lam_channels *a;
    size_t parts;
    const float *x, *dy, *mean, *scale, *slope, *shift;
    const lam_gate *gate;
    double *first, *second; /* parts x channels */
    size_t per_task;
    float *y;
} job;

static size_t begin(const job *j, size_t part)
{
    return j->a->outer * part / j->parts;
}

static size_t strips(const lam_channels *a)
{
    return (a->channels - 1) / STRIP + 1;
}

/* Few channels: partial sums go to the caller's scratch, WIDE x PARTS doubles twice at most. */
static void sum_in_parts(job *j, lam_task_fn fn, double *first, double *second)
{
    const lam_channels *a = j->a;
    bool many = a->channels <= WIDE && a->outer * a->inner * a->channels >= LARGE;
    j->parts = many ? lam_least(PARTS, a->outer) : 1;
    j->first = first;
    j->second = second;
    if (j->parts > 1) {
        j->first = lam_kernel_scratch(lam_worker());
        j->second = j->first + j->parts * a->channels;
    }
    if (a->outer * a->inner * a->channels >= LARGE)
        lam_parallel(j->parts * strips(a), fn, j);
    else
        for (size_t task = 0; task < strips(a); task++)
            fn(j, task, lam_worker());
}

/* One channel of one stretch of `inner` numbers is a column of its own. */
static void moments_of(size_t n, const float *x, double *mean, double *spread)
{
    double shift = n ? (double)x[0] : 0.0, sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++) {
        double d = (double)x[i] - shift;
        sum += d;
        squares += d * d;
    }
    *mean = shift + sum / (double)n;
    *spread = squares - sum * sum / (double)n;
}

/* The moments of n and m numbers together (Chan, Golub and LeVeque, "Algorithms for computing the
 * sample variance", The American Statistician 1983). */
static void join(double n, double *mean, double *spread, double m, double mean_m, double spread_m)
{
    double d = mean_m - *mean;
    *mean += d * m / (n + m);
    *spread += spread_m + d * d * n * m / (n + m);
}

static void moments_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, size_t, size_t, const float *, double *, double *) =
        LAM_TIER_TABLE(moments);
    const job *j = arg;
    const lam_channels *a = j->a;
    size_t part = task / strips(a), c = task % strips(a) * STRIP;
    size_t columns = lam_least(a->channels - c, STRIP), from = begin(j, part), to = begin(j, part + 1);
    double *mean = j->first + part * a->channels + c, *spread = j->second + part * a->channels + c;
    if (a->inner == 1) {
        table[lam_tier()](to - from, columns, a->channels, j->x + from * a->channels + c, mean, spread);
        return;
    }
    for (size_t k = 0; k < columns; k++) {
        mean[k] = spread[k] = 0.0;
        for (size_t o = from; o < to; o++) {
            double m, s;
            moments_of(a->inner, j->x + (o * a->channels + c + k) * a->inner, &m, &s);
            join((double)((o - from) * a->inner), &mean[k], &spread[k], (double)a->inner, m, s);
        }
    }
}

void lam_channel_moments(const lam_channels *a, const float *x, double *mean, double *spread)
{
    job j = {.a = a, .x = x};
    sum_in_parts(&j, moments_task, mean, spread);
    if (j.parts == 1)
        return;
    for (size_t c = 0; c < a->channels; c++) {
        mean[c] = spread[c] = 0.0;
        for (size_t part = 0; part < j.parts; part++)
            join((double)(begin(&j, part) * a->inner), &mean[c], &spread[c],
                 (double)((begin(&j, part + 1) - begin(&j, part)) * a->inner),
                 j.first[part * a->channels + c], j.second[part * a->channels + c]);
    }
}

static void products_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, size_t, size_t, const float *, const float *, const float *,
                                 const lam_gate *, double *, double *) = LAM_TIER_TABLE(products);
    const job *j = arg;
    const lam_channels *a = j->a;
    size_t part = task / strips(a), c = task % strips(a) * STRIP;
    size_t columns = lam_least(a->channels - c, STRIP), from = begin(j, part), to = begin(j, part + 1);
    double *sum = j->first + part * a->channels + c, *product = j->second + part * a->channels + c;
    if (a->inner == 1) {
        size_t at = from * a->channels + c;
        lam_gate gate = j->gate ? (lam_gate){j->gate->scale + c, j->gate->shift + c} : (lam_gate){0};
        table[lam_tier()](to - from, columns, a->channels, j->x + at, j->mean + c, j->dy + at,
                          j->gate ? &gate : NULL, sum, product);
        return;
    }
    for (size_t k = 0; k < columns; k++) {
        sum[k] = product[k] = 0.0;
        for (size_t o = from; o < to; o++) {
            size_t at = (o * a->channels + c + k) * a->inner;
            for (size_t i = at; i < at + a->inner; i++) {
                sum[k] += (double)j->dy[i];
                product[k] += (double)j->dy[i] * (double)(j->x[i] - j->mean[c + k]);
            }
        }
    }
}

void lam_channel_products(const lam_channels *a, const float *x, const float *mean, const float *dy,
                          const lam_gate *gate, double *sum, double *product)
{
    job j = {.a = a, .x = x, .mean = mean, .dy = dy, .gate = gate};
    sum_in_parts(&j, products_task, sum, product);
    if (j.parts == 1)
        return;
    for (size_t c = 0; c < a->channels; c++) {
        sum[c] = product[c] = 0.0;
        for (size_t part = 0; part < j.parts; part++) {
            sum[c] += j.first[part * a->channels + c];
            product[c] += j.second[part * a->channels + c];
        }
    }
}

/* ---- maps ------------------------------------------------------------------------------------ */

static void map(job *j, lam_task_fn fn)
{
    size_t width = j->a->channels * j->a->inner;
    j->per_task = width < TASK ? TASK / width : 1;
    lam_parallel(j->a->outer ? (j->a->outer - 1) / j->per_task + 1 : 0, fn, j);
}

static void affine_runs_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    size_t inner = j->a->inner, channels = j->a->channels;
    size_t end = lam_least((task + 1) * j->per_task, j->a->outer);
    for (size_t i = task * j->per_task * channels; i < end * channels; i++) {
        float scale = j->scale[i % channels], shift = j->shift[i % channels];
        for (size_t k = i * inner; k < (i + 1) * inner; k++)
            j->y[k] = j->x[k] * scale + shift;
    }
}

void lam_channel_affine(const lam_channels *a, const float *x, const float *scale,
                        const float *shift, float least, float *y)
{
    job j = {.a = a, .x = x, .scale = scale, .shift = shift, .y = y};
    if (a->inner == 1)
        lam_affine_cols(a->outer, a->channels, x, scale, shift, least, y);
    else
        map(&j, affine_runs_task);
}

static void gradient_task(void *arg, size_t task, int worker)
{
    (void)worker;
    static void (*const table[])(size_t, size_t, const float *, const float *, const float *,
                                 const lam_gate *, const float *, const float *, const float *,
                                 float *) = LAM_TIER_TABLE(gradient);
    const job *j = arg;
    size_t first = task * j->per_task, rows = lam_least(j->a->outer - first, j->per_task);
    size_t channels = j->a->channels, at = first * channels;
    table[lam_tier()](rows, channels, j->x + at, j->mean, j->dy + at, j->gate, j->scale, j->slope,
                      j->shift, j->y + at);
}

static void gradient_runs_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const job *j = arg;
    size_t inner = j->a->inner, channels = j->a->channels;
    size_t end = lam_least((task + 1) * j->per_task, j->a->outer);
    for (size_t i = task * j->per_task * channels; i < end * channels; i++) {
        size_t c = i % channels;
        for (size_t k = i * inner; k < (i + 1) * inner; k++)
            j->y[k] = j->dy[k] * j->scale[c] + ((j->x[k] - j->mean[c]) * j->slope[c] + j->shift[c]);
    }
}

void lam_channel_gradient(const lam_channels *a, const float *x, const float *mean, const float *dy,
                          const lam_gate *gate, const float *scale, const float *slope,
                          const float *shift, float *dx)
{
    job j = {.a = a, .x = x, .mean = mean, .dy = dy, .gate = gate, .scale = scale, .slope = slope, .shift = shift, .y = dx};
    map(&j, a->inner == 1 ? gradient_task : gradient_runs_task);
}

#else
#include "kernels/vec_template.h"

#define DEEP 64 /* rows that a lane adds up in floats */

LAM_INLINE vf LAM_T(load_last)(const float *p, bool partial, size_t n)
{
    return partial ? vf_load_n(p, n) : vf_load(p);
}

/* dy where the gate is open, else 0. */
LAM_INLINE vf LAM_T(pass_gate)(vf x, vf scale, vf shift, vf dy)
{
    return (vf)((vi)dy & (vi)(vf_fma(x, scale, shift) > vf_set(0.0f)));
}

/* For `vectors` vectors of columns, `lanes` rows at a time: sum[0][j] = sum of u and sum[1][j] =
 * sum of u v over the rows, where u = v = x - centre[j] (moments), or u = dy, v = x - centre[j]. */
LAM_INLINE void LAM_T(sums_block)(const bool with_dy, const bool gated, const size_t vectors,
                                  const size_t lanes, size_t rows, size_t last, size_t step,
                                  const float *x, const float *centre, const float *dy,
                                  const lam_gate *gate, double *first, double *second)
{
    size_t columns = (vectors - 1) * VL + last;
    vf c[4], scale[4], shift[4];
    LAM_UNROLL for (size_t v = 0; v < vectors; v++)
        c[v] = LAM_T(load_last)(centre + v * VL, v + 1 == vectors, last);
    if (gated)
        LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
            scale[v] = LAM_T(load_last)(gate->scale + v * VL, v + 1 == vectors, last);
            shift[v] = LAM_T(load_last)(gate->shift + v * VL, v + 1 == vectors, last);
        }
    for (size_t i = 0; i < columns; i++)
        first[i] = second[i] = 0.0;
    for (size_t done = 0; done < rows;) {
        size_t end = rows - done < DEEP * lanes ? rows : done + DEEP * lanes;
        vf s[4], t[4];
        LAM_UNROLL for (size_t v = 0; v < 4; v++)
            s[v] = t[v] = vf_set(0.0f);
        while (done < end) {
            size_t here = end - done < lanes ? 1 : lanes;
            LAM_UNROLL for (size_t l = 0; l < lanes; l++)
                if (l < here)
                    LAM_UNROLL for (size_t v = 0; v < vectors; v++) {
                        size_t at = l * step + v * VL, k = l * vectors + v;
                        vf here_x = LAM_T(load_last)(x + at, v + 1 == vectors, last), d = here_x - c[v];
                        vf u = with_dy ? LAM_T(load_last)(dy + at, v + 1 == vectors, last) : d;
                        if (gated)
                            u = LAM_T(pass_gate)(here_x, scale[v], shift[v], u);
                        s[k] += u;
                        t[k] = vf_fma(u, d, t[k]);
                    }
            done += here;
            x += here * step;
            if (with_dy)
                dy += here * step;
        }
        float part[2][4 * VL];
        LAM_UNROLL for (size_t v = 0; v < 4; v++) {
            vf_store(part[0] + v * VL, s[v]);
            vf_store(part[1] + v * VL, t[v]);
        }
        for (size_t l = 0; l < lanes; l++)
            for (size_t i = 0; i < columns; i++) {
                first[i] += (double)part[0][l * vectors * VL + i];
                second[i] += (double)part[1][l * vectors * VL + i];
            }
    }
}

LAM_INLINE void LAM_T(sums)(const bool with_dy, const bool gated, size_t rows, size_t columns,
                            size_t step, const float *x, const float *centre, const float *dy,
                            const lam_gate *gate, double *first, double *second)
{
    lam_gate g = gated ? *gate : (lam_gate){0};
    while (columns) {
        size_t width = lam_least(columns, 4 * VL), vectors = (width + VL - 1) / VL;
        size_t last = width - (vectors - 1) * VL;
        switch (vectors) {
        case 1:
            LAM_T(sums_block)(with_dy, gated, 1, 4, rows, last, step, x, centre, dy, &g, first, second);
            break;
        case 2:
            LAM_T(sums_block)(with_dy, gated, 2, 2, rows, last, step, x, centre, dy, &g, first, second);
            break;
        case 3:
            LAM_T(sums_block)(with_dy, gated, 3, 1, rows, last, step, x, centre, dy, &g, first, second);
            break;
        default:
            LAM_T(sums_block)(with_dy, gated, 4, 1, rows, last, step, x, centre, dy, &g, first, second);
            break;
        }
        columns -= width;
        x += width;
        centre += width;
        first += width;
        second += width;
        if (with_dy)
            dy += width;
        if (gated) {
            g.scale += width;
            g.shift += width;
        }
    }
}

/* Deviations are taken from the mean of a few rows spread over all of them, which is near enough
 * to the mean that nothing cancels. */
LAM_FN void LAM_T(moments)(size_t rows, size_t columns, size_t step, const float *x, double *mean,
                           double *spread)
{
    enum { PROBES = 8 };
    float centre[STRIP] = {0};
    for (size_t probe = 0; probe < PROBES; probe++)
        for (size_t c = 0; c < columns; c++)
            centre[c] += x[rows * probe / PROBES * step + c] * (1.0f / PROBES);
    LAM_T(sums)(false, false, rows, columns, step, x, centre, NULL, NULL, mean, spread);
    for (size_t c = 0; c < columns; c++) {
        double d = mean[c] / (double)rows;
        spread[c] -= d * mean[c];
        mean[c] = (double)centre[c] + d;
    }
}

LAM_FN void LAM_T(products)(size_t rows, size_t columns, size_t step, const float *x,
                            const float *mean, const float *dy, const lam_gate *gate,
                            double *sum, double *product)
{
    if (gate)
        LAM_T(sums)(true, true, rows, columns, step, x, mean, dy, gate, sum, product);
    else
        LAM_T(sums)(true, false, rows, columns, step, x, mean, dy, NULL, sum, product);
}

/* What the gradient's formula takes for each channel; the last two only where there is a gate. */
typedef struct LAM_T(channel) {
    vf mean, scale, slope, shift, gate_scale, gate_shift;
} LAM_T(channel);

LAM_INLINE vf LAM_T(gradient_at)(const bool gated, vf x, vf dy, LAM_T(channel) c)
{
    vf g = gated ? LAM_T(pass_gate)(x, c.gate_scale, c.gate_shift, dy) : dy;
    return vf_fma(g, c.scale, vf_fma(x - c.mean, c.slope, c.shift));
}

/* n: how many of a vector's channels there are. */
LAM_INLINE LAM_T(channel) LAM_T(load_channel)(const bool gated, const float *const par[6], size_t at, size_t n)
{
    LAM_T(channel) c;
    bool partial = n < VL;
    c.mean = LAM_T(load_last)(par[0] + at, partial, n);
    c.scale = LAM_T(load_last)(par[1] + at, partial, n);
    c.slope = LAM_T(load_last)(par[2] + at, partial, n);
    c.shift = LAM_T(load_last)(par[3] + at, partial, n);
    c.gate_scale = gated ? LAM_T(load_last)(par[4] + at, partial, n) : c.mean;
    c.gate_shift = gated ? LAM_T(load_last)(par[5] + at, partial, n) : c.mean;
    return c;
}

/* Where rows are shorter than a vector, the array is one long row over which the channels repeat
 * every `channels` vectors. */
LAM_INLINE void LAM_T(gradient_narrow)(const bool gated, size_t n, size_t channels, const float *x,
                                       const float *dy, const float *const par[6], float *dx)
{
    float all[6][VL * VL];
    const float *const repeated[6] = {all[0], all[1], all[2], all[3], all[4], all[5]};
    for (size_t k = 0; k < (gated ? 6 : 4); k++)
        for (size_t i = 0; i < channels * VL; i++)
            all[k][i] = par[k][i % channels];
    for (size_t at = 0, i = 0; i < n; i += VL) {
        size_t here = lam_least(n - i, VL);
        vf g = LAM_T(gradient_at)(gated, LAM_T(load_last)(x + i, here < VL, here),
                                  LAM_T(load_last)(dy + i, here < VL, here),
                                  LAM_T(load_channel)(gated, repeated, at, VL));
        if (here < VL)
            vf_store_n(dx + i, g, here);
        else
            vf_store(dx + i, g);
        at = at + VL < channels * VL ? at + VL : 0;
    }
}

LAM_INLINE void LAM_T(gradient_rows)(const bool gated, size_t rows, size_t channels, const float *x,
                                     const float *dy, const float *const par[6], float *dx)
{
    if (channels < VL) {
        LAM_T(gradient_narrow)(gated, rows * channels, channels, x, dy, par, dx);
        return;
    }
    for (size_t r = 0; r < rows; r++, x += channels, dy += channels, dx += channels) {
        size_t c = 0, n = channels % VL;
        for (; c + VL <= channels; c += VL)
            vf_store(dx + c, LAM_T(gradient_at)(gated, vf_load(x + c), vf_load(dy + c),
                                                LAM_T(load_channel)(gated, par, c, VL)));
        if (n)
            vf_store_n(dx + c, LAM_T(gradient_at)(gated, vf_load_n(x + c, n), vf_load_n(dy + c, n),
                                                  LAM_T(load_channel)(gated, par, c, n)), n);
    }
}

LAM_FN void LAM_T(gradient)(size_t rows, size_t channels, const float *x, const float *mean,
                            const float *dy, const lam_gate *gate, const float *scale,
                            const float *slope, const float *shift, float *dx)
{
    const float *const par[6] = {mean, scale, slope, shift, gate ? gate->scale : NULL, gate ? gate->shift : NULL};
    if (gate)
        LAM_T(gradient_rows)(true, rows, channels, x, dy, par, dx);
    else
        LAM_T(gradient_rows)(false, rows, channels, x, dy, par, dx);
}

#undef DEEP
#endif
