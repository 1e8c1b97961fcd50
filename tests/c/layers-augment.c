/* Layers on pictures: augmentation, resizing, center_crop. */
#include "base/threads.h"
#include "layers.h"

/* ---- the definitions ------------------------------------------------------------- */

/* The k-th random number of a sample, as picture.h promises it. */
static double drawn(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t row,
                    int k)
{
    lam_rng rng = lam_layer_rng(layer, pass, 0);
    double seed = number(ex, "seed", 0, NAN);
    if (!isnan(seed)) {
        rng.seed = (uint64_t)seed;
        rng.stream = LAM_STREAM_LAYER(0, 0);
    }
    return lam_random_uniform_double(&rng, 2 * (pass->first_row + row) + (size_t)k);
}

static double in_range(const example *ex, const char *name, double u)
{
    double low = number(ex, name, 0, 0), high = number(ex, name, 1, 0);
    return low + u * (high - low);
}

static const char *word(const example *ex, const char *name, const char *otherwise)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, name);
    return arg ? arg->strings[0] : otherwise;
}

/* Pixel (row, column) of a picture that goes on beyond its border as fill_mode says. */
static double beyond(const example *ex, const lam_shape *in, const double *x, long row, long column,
                     size_t c)
{
    long at[2] = {row, column};
    for (int d = 0; d < 2; d++) {
        long n = (long)in->dim[d];
        if (at[d] >= 0 && at[d] < n)
            continue;
        const char *mode = word(ex, "fill_mode", "reflect");
        if (strcmp(mode, "constant") == 0)
            return number(ex, "fill_value", 0, 0);
        if (strcmp(mode, "nearest") == 0)
            at[d] = at[d] < 0 ? 0 : n - 1;
        while (strcmp(mode, "wrap") == 0 && at[d] < 0)
            at[d] += n;
        while (strcmp(mode, "wrap") == 0 && at[d] >= n)
            at[d] -= n;
        while (at[d] < 0 || at[d] >= n) /* reflect: the border lies between two equal pixels */
            at[d] = at[d] < 0 ? -1 - at[d] : 2 * n - 1 - at[d];
    }
    return x[((size_t)at[0] * in->dim[1] + (size_t)at[1]) * in->dim[2] + c];
}

static double looked_up(const example *ex, const lam_shape *in, const double *x, double row,
                        double column, size_t c)
{
    if (*word(ex, "interpolation", "bilinear") == 'n')
        return beyond(ex, in, x, lround(row), lround(column), c);
    long r = (long)floor(row), k = (long)floor(column);
    double v = row - (double)r, h = column - (double)k;
    return (1 - v) * ((1 - h) * beyond(ex, in, x, r, k, c) + h * beyond(ex, in, x, r, k + 1, c)) +
           v * ((1 - h) * beyond(ex, in, x, r + 1, k, c) + h * beyond(ex, in, x, r + 1, k + 1, c));
}

/* Where a pixel of the output lies in the input: turned, shrunk and shifted about the centre. */
typedef struct motion {
    double angle, zoom_v, zoom_h, down, right;
} motion;

static void moved(const example *ex, const lam_layer *layer, const motion *m, const double *x,
                  double *y)
{
    const lam_shape *in = &layer->in;
    double middle_v = ((double)in->dim[0] - 1) / 2, middle_h = ((double)in->dim[1] - 1) / 2;
    for (size_t i = 0; i < layer->in_count; i++) {
        size_t at[LAM_MAX_RANK];
        unravel(in, i, at);
        double v = ((double)at[0] - middle_v) * m->zoom_v,
               h = ((double)at[1] - middle_h) * m->zoom_h;
        double column = cos(m->angle) * h - sin(m->angle) * v + middle_h - m->right;
        double row = sin(m->angle) * h + cos(m->angle) * v + middle_v - m->down;
        y[i] = looked_up(ex, in, x, row, column, at[2]);
    }
}

static void each_moved(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, double *y,
                       motion (*draw)(const example *, const lam_layer *, const lam_pass *, size_t))
{
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count, y += layer->in_count)
        if (pass->training) {
            motion m = draw(ex, layer, pass, r);
            moved(ex, layer, &m, x, y);
        } else {
            memcpy(y, x, layer->in_count * sizeof *y);
        }
}

static motion turn(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t row)
{
    double turns = in_range(ex, "factor", drawn(ex, layer, pass, row, 0));
    return (motion){.angle = 2 * acos(-1) * turns, .zoom_v = 1, .zoom_h = 1};
}

static motion shift(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t row)
{
    double down = in_range(ex, "height_factor", drawn(ex, layer, pass, row, 0));
    double right = in_range(ex, "width_factor", drawn(ex, layer, pass, row, 1));
    return (motion){.zoom_v = 1,
                    .zoom_h = 1,
                    .down = down * (double)layer->in.dim[0],
                    .right = right * (double)layer->in.dim[1]};
}

static motion zoom(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t row)
{
    double v = 1 + in_range(ex, "height_factor", drawn(ex, layer, pass, row, 0));
    double h = 1 + in_range(ex, "width_factor", drawn(ex, layer, pass, row, 1));
    return (motion){.zoom_v = v, .zoom_h = length(ex, "width_factor") ? h : v};
}

static void random_rotation(const example *ex, const lam_layer *layer, const lam_pass *pass,
                            const double *x, const double *w, double *y)
{
    (void)w;
    each_moved(ex, layer, pass, x, y, turn);
}

static void random_translation(const example *ex, const lam_layer *layer, const lam_pass *pass,
                               const double *x, const double *w, double *y)
{
    (void)w;
    each_moved(ex, layer, pass, x, y, shift);
}

static void random_zoom(const example *ex, const lam_layer *layer, const lam_pass *pass,
                        const double *x, const double *w, double *y)
{
    (void)w;
    each_moved(ex, layer, pass, x, y, zoom);
}

static void random_flip(const example *ex, const lam_layer *layer, const lam_pass *pass,
                        const double *x, const double *w, double *y)
{
    const char *mode = word(ex, "mode", "horizontal_and_vertical");
    (void)w;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count, y += layer->in_count) {
        bool sideways =
            pass->training && strstr(mode, "horizontal") && drawn(ex, layer, pass, r, 0) < 0.5;
        bool upside =
            pass->training && strstr(mode, "vertical") && drawn(ex, layer, pass, r, 1) < 0.5;
        for (size_t i = 0; i < layer->in_count; i++) {
            size_t at[LAM_MAX_RANK];
            unravel(&layer->in, i, at);
            if (upside)
                at[0] = layer->in.dim[0] - 1 - at[0];
            if (sideways)
                at[1] = layer->in.dim[1] - 1 - at[1];
            y[i] = x[ravel(&layer->in, at)];
        }
    }
}

static double cut_off(const example *ex, double value)
{
    return fmin(fmax(value, number(ex, "value_range", 0, 0)), number(ex, "value_range", 1, 0));
}

static void random_brightness(const example *ex, const lam_layer *layer, const lam_pass *pass,
                              const double *x, const double *w, double *y)
{
    double scale = number(ex, "value_range", 1, 0) - number(ex, "value_range", 0, 0);
    (void)w;
    for (size_t r = 0; r < pass->rows; r++) {
        double added = scale * in_range(ex, "factor", drawn(ex, layer, pass, r, 0));
        for (size_t i = 0; i < layer->in_count; i++, x++, y++)
            *y = pass->training ? cut_off(ex, *x + added) : *x;
    }
}

static void random_contrast(const example *ex, const lam_layer *layer, const lam_pass *pass,
                            const double *x, const double *w, double *y)
{
    size_t channels = layer->in.dim[2];
    double lower = number(ex, "factor", 0, 0), upper = number(ex, "factor", 1, 0);
    (void)w;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count, y += layer->in_count) {
        double f = 1 - lower + drawn(ex, layer, pass, r, 0) * (lower + upper);
        for (size_t i = 0; i < layer->in_count; i++) {
            double mean = 0;
            for (size_t j = i % channels; j < layer->in_count; j += channels)
                mean += x[j] / (double)(layer->in_count / channels);
            y[i] = pass->training ? cut_off(ex, (x[i] - mean) * f + mean) : x[i];
        }
    }
}

/* The weight of input position p in output position i, of an axis of n stretched to out positions.
 */
static double kernel_weight(const example *ex, size_t n, size_t out, size_t i, size_t p)
{
    const char *kind = word(ex, "interpolation", "bilinear");
    double s = (double)n / (double)out, pi = acos(-1);
    double widen = number(ex, "antialias", 0, 0) != 0 && s > 1 ? s : 1;
    double d = fabs((double)p - (((double)i + 0.5) * s - 0.5)) / widen;
    if (strcmp(kind, "nearest") == 0)
        return (size_t)(((double)i + 0.5) * s) == p;
    if (strcmp(kind, "area") == 0)
        return fmax(0, fmin((double)p + 1, ((double)i + 1) * s) - fmax((double)p, (double)i * s));
    if (strcmp(kind, "bilinear") == 0)
        return fmax(0, 1 - d);
    if (strcmp(kind, "bicubic") == 0) /* Keys 1981 with a = -1/2 */
        return d < 1   ? 1.5 * d * d * d - 2.5 * d * d + 1
               : d < 2 ? -0.5 * d * d * d + 2.5 * d * d - 4 * d + 2
                       : 0;
    double a = strcmp(kind, "lanczos3") == 0 ? 3 : 5;
    return d >= a ? 0 : d < 1e-12 ? 1 : a * sin(pi * d) * sin(pi * d / a) / (pi * pi * d * d);
}

enum { AXIS_AT_MOST = 64 };
typedef double weight_table[AXIS_AT_MOST][AXIS_AT_MOST];

/* table[i][p] for all output positions i and input positions p of an axis */
static void fill_table(const example *ex, size_t n, size_t out, weight_table table)
{
    for (size_t i = 0; i < out; i++)
        for (size_t p = 0; p < n; p++)
            table[i][p] = kernel_weight(ex, n, out, i, p);
}

/* Resizes rows top .. top + n_v - 1 and columns left .. left + n_h - 1 of a picture that is
 * fill_value beyond its border. */
static void stretched(const example *ex, const lam_layer *layer, long top, size_t n_v, long left,
                      size_t n_h, const double *x, double *y)
{
    const lam_shape *in = &layer->in, *out = &layer->out;
    double fill = number(ex, "fill_value", 0, 0);
    weight_table down, across;
    fill_table(ex, n_v, out->dim[0], down);
    fill_table(ex, n_h, out->dim[1], across);
    for (size_t i = 0; i < layer->out_count; i++) {
        size_t at[LAM_MAX_RANK];
        double sum = 0, total = 0;
        unravel(out, i, at);
        for (size_t r = 0; r < n_v; r++)
            for (size_t k = 0; k < n_h; k++) {
                long row = top + (long)r, column = left + (long)k;
                bool inside =
                    row >= 0 && row < (long)in->dim[0] && column >= 0 && column < (long)in->dim[1];
                size_t from[3] = {(size_t)row, (size_t)column, at[2]};
                double w = down[at[0]][r] * across[at[1]][k];
                sum += w * (inside ? x[ravel(in, from)] : fill);
                total += w;
            }
        y[i] = sum / total;
    }
}

static void resizing(const example *ex, const lam_layer *layer, const lam_pass *pass,
                     const double *x, const double *w, double *y)
{
    size_t n_v = layer->in.dim[0], n_h = layer->in.dim[1];
    bool crop = number(ex, "crop_to_aspect_ratio", 0, 0) != 0;
    bool pad = number(ex, "pad_to_aspect_ratio", 0, 0) != 0;
    double ratio = (double)layer->out.dim[0] / (double)layer->out.dim[1];
    bool tall = (double)n_v > (double)n_h * ratio;
    (void)w;
    if ((crop && tall) || (pad && !tall))
        n_v = (size_t)fmax(1, (double)n_h * ratio);
    else if (crop || pad)
        n_h = (size_t)fmax(1, (double)n_v / ratio);
    long top = ((long)layer->in.dim[0] - (long)n_v) / 2,
         left = ((long)layer->in.dim[1] - (long)n_h) / 2;
    for (size_t r = 0; r < pass->rows; r++)
        stretched(ex, layer, top, n_v, left, n_h, x + r * layer->in_count,
                  y + r * layer->out_count);
}

static void center_crop(const example *ex, const lam_layer *layer, const lam_pass *pass,
                        const double *x, const double *w, double *y)
{
    const lam_shape *in = &layer->in, *out = &layer->out;
    (void)w;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count)
        for (size_t i = 0; i < layer->out_count; i++) {
            size_t at[LAM_MAX_RANK];
            unravel(out, i, at);
            at[0] += (in->dim[0] - out->dim[0]) / 2;
            at[1] += (in->dim[1] - out->dim[1]) / 2;
            *y++ = x[ravel(in, at)];
        }
    (void)ex;
}

/* A crop that is larger than the picture: 4 x 6 cropped to the ratio 3 : 3, then resized. */
static void small_crop(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    (void)w;
    for (size_t r = 0; r < pass->rows; r++)
        stretched(ex, layer, 0, 4, 1, 4, x + r * layer->in_count, y + r * layer->out_count);
}

/* ---- the examples ---------------------------------------------------------------- */

#define HALF_TURN NUMBERS("factor", -0.5, 0.5)
#define BOTH_WAYS NUMBERS("height_factor", -0.4, 0.3), NUMBERS("width_factor", -0.2, 0.9)
#define OF_SIZE(h, w) NUMBERS("height", h), NUMBERS("width", w)

static const example augment_examples[] = {
    {"random_flip", SHAPE(4, 5, 2), SHAPE(4, 5, 2), random_flip, {{0}}},
    {"random_flip", SHAPE(3, 4, 1), SHAPE(3, 4, 1), random_flip, {STRING("mode", "horizontal")}},
    {"random_flip",
     SHAPE(4, 3, 3),
     SHAPE(4, 3, 3),
     random_flip,
     {STRING("mode", "vertical"), NUMBERS("seed", 9)}},
    {"random_flip", SHAPE(1, 1, 1), SHAPE(1, 1, 1), random_flip, {{0}}},
    {"random_rotation", SHAPE(4, 5, 2), SHAPE(4, 5, 2), random_rotation, {HALF_TURN}},
    {"random_rotation",
     SHAPE(6, 4, 1),
     SHAPE(6, 4, 1),
     random_rotation,
     {HALF_TURN, STRING("fill_mode", "constant"), NUMBERS("fill_value", 0.7)}},
    {"random_rotation",
     SHAPE(6, 2, 3),
     SHAPE(6, 2, 3),
     random_rotation,
     {HALF_TURN, STRING("fill_mode", "wrap"), NUMBERS("seed", 3)}},
    {"random_rotation",
     SHAPE(3, 9, 1),
     SHAPE(3, 9, 1),
     random_rotation,
     {HALF_TURN, STRING("fill_mode", "nearest")}},
    {"random_rotation",
     SHAPE(3, 5, 2),
     SHAPE(3, 5, 2),
     random_rotation,
     {HALF_TURN, STRING("interpolation", "nearest")}},
    {"random_rotation", SHAPE(1, 2, 1), SHAPE(1, 2, 1), random_rotation, {HALF_TURN}},
    {"random_rotation",
     SHAPE(7, 8, 1),
     SHAPE(7, 8, 1),
     random_rotation,
     {NUMBERS("factor", 0.05, 0.1)}},
    {"random_translation", SHAPE(4, 3, 2), SHAPE(4, 3, 2), random_translation, {BOTH_WAYS}},
    {"random_translation",
     SHAPE(5, 6, 1),
     SHAPE(5, 6, 1),
     random_translation,
     {BOTH_WAYS, STRING("fill_mode", "constant"), NUMBERS("fill_value", -2)}},
    {"random_translation",
     SHAPE(4, 6, 1),
     SHAPE(4, 6, 1),
     random_translation,
     {NUMBERS("height_factor", -1, 1), NUMBERS("width_factor", -1, 1), STRING("fill_mode", "wrap"),
      NUMBERS("seed", 12)}},
    {"random_translation",
     SHAPE(5, 2, 2),
     SHAPE(5, 2, 2),
     random_translation,
     {BOTH_WAYS, STRING("fill_mode", "nearest"), STRING("interpolation", "nearest")}},
    {"random_translation", SHAPE(3, 4, 3), SHAPE(3, 4, 3), random_translation, {BOTH_WAYS}},
    {"random_zoom",
     SHAPE(4, 3, 2),
     SHAPE(4, 3, 2),
     random_zoom,
     {NUMBERS("height_factor", -0.6, 0.8)}},
    {"random_zoom",
     SHAPE(5, 4, 1),
     SHAPE(5, 4, 1),
     random_zoom,
     {BOTH_WAYS, STRING("fill_mode", "constant"), NUMBERS("fill_value", 1)}},
    {"random_zoom",
     SHAPE(5, 7, 1),
     SHAPE(5, 7, 1),
     random_zoom,
     {BOTH_WAYS, STRING("fill_mode", "nearest"), NUMBERS("seed", 1)}},
    {"random_zoom",
     SHAPE(4, 4, 1),
     SHAPE(4, 4, 1),
     random_zoom,
     {NUMBERS("height_factor", 0.9, 1), STRING("fill_mode", "wrap"),
      STRING("interpolation", "nearest")}},
    {"random_brightness",
     SHAPE(3, 4, 2),
     SHAPE(3, 4, 2),
     random_brightness,
     {NUMBERS("factor", -0.3, 0.4), NUMBERS("value_range", -1.2, 1.4)}},
    {"random_brightness",
     SHAPE(2, 2, 3),
     SHAPE(2, 2, 3),
     random_brightness,
     {NUMBERS("factor", -1, 1), NUMBERS("value_range", -9, 9), NUMBERS("seed", 4)}},
    {"random_contrast",
     SHAPE(3, 4, 2),
     SHAPE(3, 4, 2),
     random_contrast,
     {NUMBERS("factor", 0.9, 0.5), NUMBERS("value_range", -1.3, 1.1)}},
    {"random_contrast",
     SHAPE(5, 3, 1),
     SHAPE(5, 3, 1),
     random_contrast,
     {NUMBERS("factor", 0.2, 0.8), NUMBERS("value_range", -9, 9), NUMBERS("seed", 8)}},
    {"resizing", SHAPE(5, 7, 2), SHAPE(8, 3, 2), resizing, {OF_SIZE(8, 3)}},
    {"resizing",
     SHAPE(5, 7, 1),
     SHAPE(11, 4, 1),
     resizing,
     {OF_SIZE(11, 4), STRING("interpolation", "nearest")}},
    {"resizing",
     SHAPE(4, 3, 3),
     SHAPE(6, 2, 3),
     resizing,
     {OF_SIZE(6, 2), STRING("interpolation", "bicubic")}},
    {"resizing",
     SHAPE(7, 3, 1),
     SHAPE(3, 4, 1),
     resizing,
     {OF_SIZE(3, 4), STRING("interpolation", "area")}},
    {"resizing",
     SHAPE(7, 4, 1),
     SHAPE(3, 5, 1),
     resizing,
     {OF_SIZE(3, 5), STRING("interpolation", "lanczos3")}},
    {"resizing",
     SHAPE(9, 3, 1),
     SHAPE(4, 5, 1),
     resizing,
     {OF_SIZE(4, 5), STRING("interpolation", "lanczos5")}},
    {"resizing",
     SHAPE(5, 4, 2),
     SHAPE(2, 3, 2),
     resizing,
     {OF_SIZE(2, 3), NUMBERS("antialias", 1)}},
    {"resizing",
     SHAPE(9, 3, 1),
     SHAPE(4, 4, 1),
     resizing,
     {OF_SIZE(4, 4), NUMBERS("antialias", 1), STRING("interpolation", "bicubic")}},
    {"resizing",
     SHAPE(8, 5, 1),
     SHAPE(3, 4, 1),
     resizing,
     {OF_SIZE(3, 4), NUMBERS("crop_to_aspect_ratio", 1)}},
    {"resizing",
     SHAPE(4, 9, 2),
     SHAPE(3, 4, 2),
     resizing,
     {OF_SIZE(3, 4), NUMBERS("crop_to_aspect_ratio", 1)}},
    {"resizing",
     SHAPE(8, 5, 1),
     SHAPE(3, 4, 1),
     resizing,
     {OF_SIZE(3, 4), NUMBERS("pad_to_aspect_ratio", 1), NUMBERS("fill_value", 1.5)}},
    {"resizing",
     SHAPE(3, 8, 1),
     SHAPE(6, 5, 1),
     resizing,
     {OF_SIZE(6, 5), NUMBERS("pad_to_aspect_ratio", 1), STRING("interpolation", "bicubic")}},
    {"resizing", SHAPE(1, 1, 1), SHAPE(3, 2, 1), resizing, {OF_SIZE(3, 2)}},
    {"center_crop", SHAPE(5, 8, 2), SHAPE(2, 5, 2), center_crop, {OF_SIZE(2, 5)}},
    {"center_crop", SHAPE(3, 3, 1), SHAPE(3, 3, 1), center_crop, {OF_SIZE(3, 3)}},
    {"center_crop", SHAPE(4, 6, 1), SHAPE(5, 5, 1), small_crop, {OF_SIZE(5, 5)}},
};
LAYER_EXAMPLES(augment_examples)

static const refusal bad_pictures[] = {
    {LAM_ESHAPE, "input_shape", {"random_flip", SHAPE(4), SHAPE(4), NULL, {{0}}}},
    {LAM_EARGUMENT,
     "mode",
     {"random_flip", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {STRING("mode", "sideways")}}},
    {LAM_ESHAPE, "input_shape", {"random_rotation", SHAPE(4, 4), SHAPE(4, 4), NULL, {HALF_TURN}}},
    {LAM_EARGUMENT,
     "factor",
     {"random_rotation", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {NUMBERS("factor", 0.2)}}},
    {LAM_EARGUMENT,
     "factor",
     {"random_rotation", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {NUMBERS("factor", 0.2, 0.1)}}},
    {LAM_EARGUMENT,
     "factor",
     {"random_rotation", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {NUMBERS("factor", 0, 1.5)}}},
    {LAM_EARGUMENT,
     "factor",
     {"random_rotation", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {NUMBERS("factor", NAN, 0)}}},
    {LAM_EARGUMENT,
     "fill_mode",
     {"random_zoom",
      SHAPE(2, 2, 1),
      SHAPE(2, 2, 1),
      NULL,
      {BOTH_WAYS, STRING("fill_mode", "mirror")}}},
    {LAM_EARGUMENT,
     "interpolation",
     {"random_translation",
      SHAPE(2, 2, 1),
      SHAPE(2, 2, 1),
      NULL,
      {BOTH_WAYS, STRING("interpolation", "bicubic")}}},
    {LAM_EARGUMENT,
     "factor",
     {"random_contrast",
      SHAPE(2, 2, 1),
      SHAPE(2, 2, 1),
      NULL,
      {NUMBERS("factor", -0.1, 0), NUMBERS("value_range", 0, 1)}}},
    {LAM_EARGUMENT,
     "value_range",
     {"random_contrast",
      SHAPE(2, 2, 1),
      SHAPE(2, 2, 1),
      NULL,
      {NUMBERS("factor", 0, 0), NUMBERS("value_range", 1, 0)}}},
    {LAM_EARGUMENT, "height", {"resizing", SHAPE(2, 2, 1), SHAPE(2, 2, 1), NULL, {OF_SIZE(0, 2)}}},
    /* The padding, as long as the picture is wide, would be weighed pixel by pixel. */
    {LAM_ESHAPE,
     "",
     {"resizing",
      SHAPE(1, 1000000, 1),
      SHAPE(1000000, 1, 1),
      NULL,
      {OF_SIZE(1000000, 1), NUMBERS("pad_to_aspect_ratio", 1), NUMBERS("antialias", 1)}}},
    {LAM_ESHAPE, "", {"resizing", SHAPE(1, 2000000, 1), SHAPE(1, 1, 1), NULL, {OF_SIZE(1, 1)}}},
    {LAM_ESHAPE, "input_shape", {"center_crop", SHAPE(2, 2), SHAPE(2, 2), NULL, {OF_SIZE(1, 1)}}},
    {LAM_EARGUMENT,
     "pad_to_aspect_ratio",
     {"resizing",
      SHAPE(2, 2, 1),
      SHAPE(2, 2, 1),
      NULL,
      {OF_SIZE(2, 2), NUMBERS("pad_to_aspect_ratio", 1), NUMBERS("crop_to_aspect_ratio", 1)}}},
};
LAYER_REFUSALS(bad_pictures)

/* ---- parts and threads ----------------------------------------------------------- */

/* Forward and backward of the first `rows` samples from `first` on. */
static void run_part(bench *b, size_t first, size_t rows)
{
    lam_pass part = b->pass;
    const lam_layer *layer = &b->layer;
    part.rows = rows;
    part.first_row = b->pass.first_row + first;
    part.x = b->x + first * layer->in_count;
    part.y = b->y + first * layer->out_count;
    part.dy = b->dy + first * layer->out_count;
    part.dx = b->dx + first * layer->in_count;
    layer->type->forward(layer, &part);
    layer->type->backward(layer, &part);
}

TEST(pictures_do_not_depend_on_parts_or_threads)
{
    enum { ROWS = 9 };
    lam_error err;
    for (size_t i = 0; i < sizeof augment_examples / sizeof augment_examples[0]; i++) {
        bench b;
        CHECK_OK(lam_threads_set(1, &err));
        if (!set_up(&b, &augment_examples[i], ROWS, true, false))
            return;
        float *y = room(b.n_y, sizeof(float)), *dx = room(b.n_x, sizeof(float));
        run_part(&b, 0, ROWS);
        memcpy(y, b.y, b.n_y * sizeof(float));
        memcpy(dx, b.dx, b.n_x * sizeof(float));
        for (int threads = 1; threads <= 3; threads++) {
            CHECK_OK(lam_threads_set(threads, &err));
            memset(b.y, 0xff, b.n_y * sizeof(float));
            memset(b.dx, 0xff, b.n_x * sizeof(float));
            run_part(&b, 0, 4);
            run_part(&b, 4, 1);
            run_part(&b, 5, ROWS - 5);
            CHECK(memcmp(y, b.y, b.n_y * sizeof(float)) == 0);
            CHECK(memcmp(dx, b.dx, b.n_x * sizeof(float)) == 0);
        }
        free(y);
        free(dx);
        tear_down(&b);
    }
    lam_threads_stop();
}

TEST(random_pictures_change_from_step_to_step)
{
    for (size_t i = 0; i < sizeof augment_examples / sizeof augment_examples[0]; i++) {
        bench b;
        const example *ex = &augment_examples[i];
        if (strncmp(ex->type, "random", 6) != 0 || ex->in.dim[0] < 2 || length(ex, "interpolation"))
            continue;
        if (!set_up(&b, ex, 8, true, false))
            return;
        float *y = room(b.n_y, sizeof(float));
        run_part(&b, 0, 8);
        memcpy(y, b.y, b.n_y * sizeof(float));
        b.pass.step++;
        run_part(&b, 0, 8);
        CHECK(memcmp(y, b.y, b.n_y * sizeof(float)) != 0);
        free(y);
        tear_down(&b);
    }
}
