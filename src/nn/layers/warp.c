#include "nn/layers/warp.h"

#include <string.h>

const char *const lam_fill_modes[] = {"reflect", "wrap", "constant", "nearest", NULL};
const char *const lam_warp_interpolations[] = {"nearest", "bilinear", NULL};

lam_warp lam_warp_default(lam_affine (*draw)(const lam_layer *, const lam_pass *, size_t))
{
    return (lam_warp){.fill_mode = LAM_FILL_REFLECT, .interpolation = 1, .seed = NAN, .draw = draw};
}

lam_status lam_warp_build(lam_layer *layer, lam_error *err)
{
    LAM_TRY(lam_picture_check(layer, err));
    layer->scratch_row = layer->in.dim[2] * sizeof(float);
    return LAM_OK;
}

/* The position on an axis of n that stands for position `at`, or -1 for the fill value. */
static ptrdiff_t on_axis(ptrdiff_t at, ptrdiff_t n, int fill_mode)
{
    if (at >= 0 && at < n)
        return at;
    switch (fill_mode) {
    case LAM_FILL_CONSTANT:
        return -1;
    case LAM_FILL_NEAREST:
        return at < 0 ? 0 : n - 1;
    case LAM_FILL_WRAP:
        at %= n;
        return at < 0 ? at + n : at;
    default:
        at %= 2 * n;
        at = at < 0 ? at + 2 * n : at;
        return at < n ? at : 2 * n - 1 - at;
    }
}

/* Between which two positions of an axis a place lies: low and low + 1, of which the second has
 * `share`.  The nearest position has all of it. */
typedef struct place {
    ptrdiff_t low;
    float share;
} place;

static inline place place_of(double at, bool bilinear)
{
    at += bilinear ? 0 : 0.5;
    ptrdiff_t low = (ptrdiff_t)at;
    low -= (double)low > at; /* rounds down without a call of floor() */
    return (place){low, bilinear ? (float)(at - (double)low) : 0.0f};
}

/* The four input pixels that an output pixel is made of: where they begin (-1: the fill value),
 * and their shares. */
typedef struct corners {
    ptrdiff_t at[4];
    float share[4];
} corners;

static inline corners corners_of(const lam_warp *warp, const lam_affine *map, const lam_shape *in,
                                 size_t row, size_t column)
{
    bool bilinear = warp->interpolation != 0;
    ptrdiff_t height = (ptrdiff_t)in->dim[0], width = (ptrdiff_t)in->dim[1],
              channels = (ptrdiff_t)in->dim[2];
    double x = (double)column, y = (double)row;
    place h = place_of(map->xx * x + map->xy * y + map->x0, bilinear);
    place v = place_of(map->yx * x + map->yy * y + map->y0, bilinear);
    corners k = {.share = {(1.0f - v.share) * (1.0f - h.share), (1.0f - v.share) * h.share,
                           v.share * (1.0f - h.share), v.share * h.share}};
    if (h.low >= 0 && h.low + 1 < width && v.low >= 0 && v.low + 1 < height) {
        k.at[0] = (v.low * width + h.low) * channels;
        k.at[1] = k.at[0] + channels;
        k.at[2] = k.at[0] + width * channels;
        k.at[3] = k.at[2] + channels;
        return k;
    }
    for (int i = 0; i < 4; i++) {
        ptrdiff_t r = on_axis(v.low + i / 2, height, warp->fill_mode);
        ptrdiff_t c = on_axis(h.low + i % 2, width, warp->fill_mode);
        k.at[i] = r < 0 || c < 0 ? -1 : (r * width + c) * channels;
    }
    return k;
}

/* y = the shares of the pixels of x; `outside` stands for a pixel beyond the border */
static inline void mix(const corners *k, size_t channels, const float *x, const float *outside,
                       float *y)
{
    const float *p[4];
    for (int i = 0; i < 4; i++)
        p[i] = k->at[i] < 0 ? outside : x + k->at[i];
    for (size_t c = 0; c < channels; c++)
        y[c] = k->share[0] * p[0][c] + k->share[1] * p[1][c] + k->share[2] * p[2][c] +
               k->share[3] * p[3][c];
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const lam_warp *warp = layer->config;
    const lam_affine map = warp->draw(layer, pass, row);
    const lam_shape *in = &layer->in;
    const float *x = lam_picture_x(layer, pass, row);
    float *y = lam_picture_y(layer, pass, row);
    float *outside = (float *)(pass->scratch + row * layer->scratch_row);
    size_t channels = in->dim[2];
    for (size_t c = 0; c < channels; c++)
        outside[c] = warp->fill_value;
    for (size_t r = 0; r < in->dim[0]; r++)
        for (size_t column = 0; column < in->dim[1]; column++, y += channels) {
            corners k = corners_of(warp, &map, in, r, column);
            mix(&k, channels, x, outside, y);
        }
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const lam_warp *warp = layer->config;
    const lam_affine map = warp->draw(layer, pass, row);
    const lam_shape *in = &layer->in;
    const float *dy = lam_picture_dy(layer, pass, row);
    float *dx = lam_picture_dx(layer, pass, row);
    size_t channels = in->dim[2];
    memset(dx, 0, layer->in_count * sizeof *dx);
    for (size_t r = 0; r < in->dim[0]; r++)
        for (size_t column = 0; column < in->dim[1]; column++, dy += channels) {
            corners k = corners_of(warp, &map, in, r, column);
            for (int i = 0; i < 4; i++)
                for (size_t c = 0; c < channels && k.at[i] >= 0; c++)
                    dx[k.at[i] + (ptrdiff_t)c] += k.share[i] * dy[c];
        }
}

void lam_warp_forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_forward(layer, pass, forward_one);
}

void lam_warp_backward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_backward(layer, pass, backward_one);
}
