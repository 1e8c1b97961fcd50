#include "nn/layers/warp.h"

#include <string.h>

const char *const lam_fill_modes[] = {"reflect", "wrap", "constant", "nearest", NULL};
const char *const lam_warp_interpolations[] = {"nearest", "bilinear", NULL};

lam_warp lam_warp_default(void)
{
    return (lam_warp){.fill_mode = LAM_FILL_REFLECT, .interpolation = 1, .seed = NAN};
}

/* The position on an axis of n that stands for position `at`, or -1 for the fill value. */
static ptrdiff_t on_axis(double at, size_t n, int fill_mode)
{
    double size = (double)n;
    if (at >= 0 && at < size)
        return (ptrdiff_t)at;
    switch (fill_mode) {
    case LAM_FILL_CONSTANT:
        return -1;
    case LAM_FILL_NEAREST:
        return at < 0 ? 0 : (ptrdiff_t)n - 1;
    case LAM_FILL_WRAP:
        return (ptrdiff_t)(at - floor(at / size) * size);
    default:
        at -= floor(at / (2 * size)) * 2 * size;
        return (ptrdiff_t)(at < size ? at : 2 * size - 1 - at);
    }
}

/* The two neighbours along an axis of a place on it, and the share of the second. */
typedef struct pair {
    ptrdiff_t at[2];
    float share;
} pair;

static pair neighbours(double place, size_t n, const lam_warp *warp)
{
    pair p = {.share = 0};
    double low = floor(warp->interpolation ? place : place + 0.5);
    p.at[0] = on_axis(low, n, warp->fill_mode);
    p.at[1] = p.at[0];
    if (warp->interpolation) {
        p.share = (float)(place - low);
        p.at[1] = on_axis(low + 1, n, warp->fill_mode);
    }
    return p;
}

/* The up to four input pixels that an output pixel is made of: where they begin (-1: the fill
 * value), and their shares. */
typedef struct corners {
    ptrdiff_t at[4];
    float share[4];
    int n;
} corners;

static corners corners_of(const lam_warp *warp, const lam_affine *map, const lam_shape *in, size_t row,
                          size_t column)
{
    double x = (double)column, y = (double)row;
    pair h = neighbours(map->xx * x + map->xy * y + map->x0, in->dim[1], warp);
    pair v = neighbours(map->yx * x + map->yy * y + map->y0, in->dim[0], warp);
    corners k = {.n = 0};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            float share = (i ? v.share : 1.0f - v.share) * (j ? h.share : 1.0f - h.share);
            if (share == 0)
                continue;
            bool outside = v.at[i] < 0 || h.at[j] < 0;
            k.at[k.n] = outside ? -1
                                : (v.at[i] * (ptrdiff_t)in->dim[1] + h.at[j]) * (ptrdiff_t)in->dim[2];
            k.share[k.n++] = share;
        }
    return k;
}

void lam_warp_forward(const lam_warp *warp, const lam_affine *map, const lam_layer *layer,
                      const lam_pass *pass, size_t row)
{
    const lam_shape *in = &layer->in;
    const float *x = lam_picture_x(layer, pass, row);
    float *y = lam_picture_y(layer, pass, row);
    size_t channels = in->dim[2];
    for (size_t r = 0; r < in->dim[0]; r++)
        for (size_t column = 0; column < in->dim[1]; column++, y += channels) {
            corners k = corners_of(warp, map, in, r, column);
            for (size_t c = 0; c < channels; c++) {
                float sum = 0;
                for (int i = 0; i < k.n; i++)
                    sum += k.share[i] * (k.at[i] < 0 ? warp->fill_value : x[k.at[i] + (ptrdiff_t)c]);
                y[c] = sum;
            }
        }
}

void lam_warp_backward(const lam_warp *warp, const lam_affine *map, const lam_layer *layer,
                       const lam_pass *pass, size_t row)
{
    const lam_shape *in = &layer->in;
    const float *dy = lam_picture_dy(layer, pass, row);
    float *dx = lam_picture_dx(layer, pass, row);
    size_t channels = in->dim[2];
    memset(dx, 0, layer->in_count * sizeof *dx);
    for (size_t r = 0; r < in->dim[0]; r++)
        for (size_t column = 0; column < in->dim[1]; column++, dy += channels) {
            corners k = corners_of(warp, map, in, r, column);
            for (int i = 0; i < k.n; i++)
                for (size_t c = 0; c < channels && k.at[i] >= 0; c++)
                    dx[k.at[i] + (ptrdiff_t)c] += k.share[i] * dy[c];
        }
}
