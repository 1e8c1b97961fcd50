#include "nn/layers/resample.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"

/* The field's own limit is a million pixels; a side of that length and Lanczos's widest kernel fit. */
enum { MAX_SIDE = 1 << 20, MAX_TAPS = 1 << 25 };

const char *const lam_resample_kinds[] = {"nearest",  "bilinear", "bicubic", "lanczos3",
                                          "lanczos5", "area",     NULL};

/* ---- which part of the picture --------------------------------------------------------------- */

static size_t between(double value, size_t low, size_t high)
{
    return value < (double)low ? low : value > (double)high ? high : (size_t)value;
}

static lam_span centred(size_t size, size_t length)
{
    return (lam_span){.from = ((ptrdiff_t)size - (ptrdiff_t)length) / 2, .length = length};
}

void lam_aspect_spans(lam_aspect aspect, size_t height, size_t width, size_t out_height,
                      size_t out_width, lam_span span[2])
{
    double fit_height = (double)width * (double)out_height / (double)out_width;
    double fit_width = (double)height * (double)out_width / (double)out_height;
    size_t rows = height, columns = width;
    if (aspect == LAM_ASPECT_CROP) {
        rows = between(fit_height, 1, height);
        columns = between(fit_width, 1, width);
    } else if (aspect == LAM_ASPECT_PAD) {
        rows = between(fit_height, height, SIZE_MAX / 4);
        columns = between(fit_width, width, SIZE_MAX / 4);
    }
    span[0] = centred(height, rows);
    span[1] = centred(width, columns);
}

/* ---- weights along an axis ------------------------------------------------------------------- */

static double sinc(double x)
{
    double t = 3.14159265358979323846 * x;
    return x == 0 ? 1 : sin(t) / t;
}

static double radius_of(lam_resample_kind kind)
{
    switch (kind) {
    case LAM_RESAMPLE_BICUBIC:
        return 2;
    case LAM_RESAMPLE_LANCZOS3:
        return 3;
    case LAM_RESAMPLE_LANCZOS5:
        return 5;
    default:
        return 1;
    }
}

static double kernel(lam_resample_kind kind, double x)
{
    double radius = radius_of(kind);
    x = fabs(x);
    if (x >= radius)
        return 0;
    if (kind == LAM_RESAMPLE_BILINEAR)
        return 1 - x;
    if (kind == LAM_RESAMPLE_BICUBIC)
        return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : ((-0.5 * x + 2.5) * x - 4) * x + 2;
    return sinc(x) * sinc(x / radius);
}

/* The positions low .. high (of 0 .. length - 1) that output position i looks at. */
static void reach(lam_resample_kind kind, double stretch, double widen, size_t length, size_t i,
                  size_t *low, size_t *high)
{
    double last = (double)length - 1, from, to;
    double centre = ((double)i + 0.5) * stretch - 0.5;
    if (kind == LAM_RESAMPLE_NEAREST) {
        from = to = floor(((double)i + 0.5) * stretch);
    } else if (kind == LAM_RESAMPLE_AREA) {
        from = floor((double)i * stretch);
        to = ceil((double)(i + 1) * stretch) - 1;
    } else {
        from = ceil(centre - radius_of(kind) * widen);
        to = floor(centre + radius_of(kind) * widen);
    }
    *low = (size_t)fmin(fmax(from, 0), last);
    *high = (size_t)fmin(fmax(to, (double)*low), last);
}

static double weight_of(lam_resample_kind kind, double stretch, double widen, size_t i, size_t p)
{
    double centre = ((double)i + 0.5) * stretch - 0.5;
    if (kind == LAM_RESAMPLE_NEAREST)
        return 1;
    if (kind == LAM_RESAMPLE_AREA)
        return fmin((double)p + 1, (double)(i + 1) * stretch) -
               fmax((double)p, (double)i * stretch);
    return kernel(kind, ((double)p - centre) / widen);
}

static void free_taps(lam_taps *taps)
{
    lam_free(taps->first);
    lam_free(taps->count);
    lam_free(taps->weight);
    lam_free(taps->inside);
    memset(taps, 0, sizeof *taps);
}

static lam_status allocate(lam_taps *taps, lam_error *err)
{
    const char *what = "a layer's configuration";
    void *p = NULL;
    LAM_TRY(lam_new(&p, taps->out, sizeof(size_t), what, err));
    taps->first = p;
    LAM_TRY(lam_new(&p, taps->out, sizeof(size_t), what, err));
    taps->count = p;
    LAM_TRY(lam_new(&p, taps->out, sizeof(float), what, err));
    taps->inside = p;
    LAM_TRY(lam_new(&p, lam_mul(taps->out, taps->per), sizeof(float), what, err));
    taps->weight = p;
    return LAM_OK;
}

/* Output position i: the weights sum to 1 over the span, of which the part on the axis is kept. */
static void set_position(lam_taps *taps, lam_span span, lam_resample_kind kind, double stretch,
                         double widen, size_t i)
{
    size_t low, high;
    double sum = 0, inside = 0;
    float *weight = taps->weight + i * taps->per;
    reach(kind, stretch, widen, span.length, i, &low, &high);
    for (size_t p = low; p <= high; p++)
        sum += weight_of(kind, stretch, widen, i, p);
    for (size_t p = low; p <= high; p++) {
        ptrdiff_t at = span.from + (ptrdiff_t)p;
        if (at < 0 || at >= (ptrdiff_t)taps->in)
            continue;
        double w = weight_of(kind, stretch, widen, i, p) / sum;
        if (taps->count[i] == 0)
            taps->first[i] = (size_t)at;
        weight[taps->count[i]++] = (float)w;
        inside += w;
    }
    taps->inside[i] = (float)inside;
}

/* A padded span can be far longer than its picture; what is asked for is bounded before memory is. */
static lam_status check_taps(const lam_taps *taps, lam_error *err)
{
    if (taps->in > MAX_SIDE || taps->out > MAX_SIDE || (double)taps->out * (double)taps->per > MAX_TAPS)
        return lam_fail(err, LAM_ESHAPE,
                        "A side of %zu pixels cannot be resized to %zu: sides have at most %d pixels, and "
                        "a resizing weighs at most %d of them.",
                        taps->in, taps->out, MAX_SIDE, MAX_TAPS);
    return LAM_OK;
}

static lam_status init_taps(lam_taps *taps, size_t in, size_t out, lam_span span,
                            lam_resample_kind kind, bool antialias, lam_error *err)
{
    double stretch = (double)span.length / (double)out;
    double widen = antialias && stretch > 1 ? stretch : 1;
    taps->in = in;
    taps->out = out;
    LAM_TRY(check_taps(taps, err));
    for (size_t i = 0; i < out; i++) {
        size_t low, high;
        reach(kind, stretch, widen, span.length, i, &low, &high);
        if (high - low + 1 > taps->per)
            taps->per = high - low + 1;
    }
    LAM_TRY(check_taps(taps, err));
    LAM_TRY(allocate(taps, err));
    for (size_t i = 0; i < out; i++)
        set_position(taps, span, kind, stretch, widen, i);
    return LAM_OK;
}

lam_status lam_resampler_init(lam_resampler *r, const lam_shape *in, size_t out_height,
                              size_t out_width, const lam_span span[2], lam_resample_kind kind,
                              bool antialias, float fill, lam_error *err)
{
    memset(r, 0, sizeof *r);
    r->channels = in->dim[2];
    r->fill = fill;
    lam_status status = init_taps(&r->rows, in->dim[0], out_height, span[0], kind, antialias, err);
    if (status == LAM_OK)
        status = init_taps(&r->columns, in->dim[1], out_width, span[1], kind, antialias, err);
    if (status != LAM_OK)
        lam_resampler_free(r);
    return status;
}

void lam_resampler_free(lam_resampler *r)
{
    free_taps(&r->rows);
    free_taps(&r->columns);
}

/* ---- a picture ------------------------------------------------------------------------------- */

size_t lam_resampler_line(const lam_resampler *r)
{
    return r->columns.in * r->channels;
}

/* to += w * from */
static void add_scaled(size_t n, float w, const float *restrict from, float *restrict to)
{
    for (size_t i = 0; i < n; i++)
        to[i] += w * from[i];
}

void lam_resample(const lam_resampler *r, const float *x, float *y, float *line)
{
    const lam_taps *rows = &r->rows, *columns = &r->columns;
    size_t width = lam_resampler_line(r), channels = r->channels;
    for (size_t i = 0; i < rows->out; i++) {
        memset(line, 0, width * sizeof *line);
        for (size_t t = 0; t < rows->count[i]; t++)
            add_scaled(width, rows->weight[i * rows->per + t], x + (rows->first[i] + t) * width,
                       line);
        for (size_t j = 0; j < columns->out; j++, y += channels) {
            const float *weight = columns->weight + j * columns->per;
            const float *from = line + columns->first[j] * channels;
            float padding = r->fill * (1.0f - rows->inside[i] * columns->inside[j]);
            for (size_t c = 0; c < channels; c++)
                y[c] = padding;
            for (size_t t = 0; t < columns->count[j]; t++, from += channels)
                for (size_t c = 0; c < channels; c++)
                    y[c] += weight[t] * from[c];
        }
    }
}

void lam_resample_backward(const lam_resampler *r, const float *dy, float *dx, float *line)
{
    const lam_taps *rows = &r->rows, *columns = &r->columns;
    size_t width = lam_resampler_line(r), channels = r->channels;
    memset(dx, 0, rows->in * width * sizeof *dx);
    for (size_t i = 0; i < rows->out; i++) {
        memset(line, 0, width * sizeof *line);
        for (size_t j = 0; j < columns->out; j++, dy += channels) {
            const float *weight = columns->weight + j * columns->per;
            float *to = line + columns->first[j] * channels;
            for (size_t t = 0; t < columns->count[j]; t++, to += channels)
                for (size_t c = 0; c < channels; c++)
                    to[c] += weight[t] * dy[c];
        }
        for (size_t t = 0; t < rows->count[i]; t++)
            add_scaled(width, rows->weight[i * rows->per + t], line,
                       dx + (rows->first[i] + t) * width);
    }
}
