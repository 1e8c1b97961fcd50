/* Pooling, padding, cropping, upsampling, spatial dropout. */
#include "layers.h"

#include "base/threads.h"
#include "kernels/cpu.h"
#include "kernels/pool.h"

/* ---- the definitions ------------------------------------------------------------- */

typedef struct picture {
    size_t h, w, c;
} picture;

/* A sequence is a picture of height 1; without spatial dimensions it is one pixel. */
static picture picture_of(const lam_shape *s)
{
    size_t c = s->dim[s->rank - 1];
    return s->rank == 3 ? (picture){s->dim[0], s->dim[1], c}
                        : (picture){1, s->rank == 2 ? s->dim[0] : 1, c};
}

static bool is_type(const example *ex, const char *part)
{
    return strstr(ex->type, part) != NULL;
}

/* Argument i of two (height, width), which may be given as one number; sequences have the second. */
static size_t side(const example *ex, const char *name, int i, size_t otherwise)
{
    if (is_type(ex, "_1d"))
        return i == 0 ? (strcmp(name, "pool_size") == 0 || strcmp(name, "strides") == 0 ||
                         strcmp(name, "size") == 0)
                      : (size_t)number(ex, name, 0, (double)otherwise);
    return (size_t)number(ex, name, length(ex, name) > 1 ? (size_t)i : 0, (double)otherwise);
}

static bool pads(const example *ex)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, "padding");
    return arg && arg->kind == LAM_ARG_STRINGS && strcmp(arg->strings[0], "same") == 0;
}

/* Where window p begins: TensorFlow's "SAME" puts half of the missing cells, rounded down, before. */
static long start(const example *ex, size_t p, size_t size, size_t stride, size_t in, size_t out)
{
    long missing = (long)((out - 1) * stride + size) - (long)in;
    return (long)(p * stride) - (pads(ex) && missing > 0 ? missing / 2 : 0);
}

static void pooling(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *x, const double *w, double *y)
{
    (void)w;
    picture in = picture_of(&layer->in), out = picture_of(&layer->out);
    bool all = is_type(ex, "global");
    size_t size[2] = {all ? in.h : side(ex, "pool_size", 0, 1), all ? in.w : side(ex, "pool_size", 1, 1)};
    size_t stride[2] = {side(ex, "strides", 0, size[0]), side(ex, "strides", 1, size[1])};
    if (all)
        out.h = out.w = 1;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count)
        for (size_t p = 0; p < out.h; p++)
            for (size_t q = 0; q < out.w; q++)
                for (size_t c = 0; c < in.c; c++) {
                    double top = -INFINITY, sum = 0, cells = 0;
                    long from = start(ex, p, size[0], stride[0], in.h, out.h);
                    long left = start(ex, q, size[1], stride[1], in.w, out.w);
                    for (long i = from; i < from + (long)size[0]; i++)
                        for (long j = left; j < left + (long)size[1]; j++) {
                            if (i < 0 || j < 0 || i >= (long)in.h || j >= (long)in.w)
                                continue;
                            double v = x[((size_t)i * in.w + (size_t)j) * in.c + c];
                            top = fmax(top, v);
                            sum += v;
                            cells++;
                        }
                    *y++ = is_type(ex, "max") ? top : sum / cells;
                }
}

/* Number i of padding or cropping: top, bottom, left, right; a series has the last two. */
static size_t border(const example *ex, const char *name, size_t i)
{
    bool flat = is_type(ex, "_1d");
    return flat && i < 2 ? 0 : (size_t)number(ex, name, flat ? i - 2 : i, 0);
}

static void padding(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *x, const double *w, double *y)
{
    (void)w;
    bool crops = is_type(ex, "cropping");
    const char *name = crops ? "cropping" : "padding";
    size_t top = border(ex, name, 0), left = border(ex, name, 2);
    picture in = picture_of(&layer->in), out = picture_of(&layer->out);
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count)
        for (size_t p = 0; p < out.h; p++)
            for (size_t q = 0; q < out.w; q++)
                for (size_t c = 0; c < in.c; c++) {
                    size_t i = crops ? p + top : p - top, j = crops ? q + left : q - left;
                    *y++ = i < in.h && j < in.w ? x[(i * in.w + j) * in.c + c] : 0;
                }
}

/* The number at a place between the pixels, a straight line between neighbours. */
static double between(const double *x, picture in, double i, double j, size_t c)
{
    double value = 0;
    i = fmin(fmax(i, 0), (double)in.h - 1);
    j = fmin(fmax(j, 0), (double)in.w - 1);
    for (size_t a = 0; a < in.h; a++)
        for (size_t b = 0; b < in.w; b++)
            value += fmax(0, 1 - fabs((double)a - i)) * fmax(0, 1 - fabs((double)b - j)) *
                     x[(a * in.w + b) * in.c + c];
    return value;
}

static void upsampling(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    (void)w;
    picture in = picture_of(&layer->in), out = picture_of(&layer->out);
    size_t high = side(ex, "size", 0, 2), wide = side(ex, "size", 1, 2);
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count)
        for (size_t p = 0; p < out.h; p++)
            for (size_t q = 0; q < out.w; q++)
                for (size_t c = 0; c < in.c; c++)
                    *y++ = length(ex, "interpolation") == 0
                               ? x[(p / high * in.w + q / wide) * in.c + c]
                               : between(x, in, ((double)p + 0.5) / (double)high - 0.5,
                                         ((double)q + 0.5) / (double)wide - 0.5, c);
}

static void spatial_dropout(const example *ex, const lam_layer *layer, const lam_pass *pass,
                            const double *x, const double *w, double *y)
{
    (void)w;
    size_t channels = lam_shape_last(&layer->in);
    double rate = (float)number(ex, "rate", 0, 0);
    lam_rng rng = lam_layer_rng(layer, pass, 0);
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t i = 0; i < layer->in_count; i++, x++, y++) {
            float u = lam_random_uniform(&rng, (pass->first_row + r) * channels + i % channels);
            *y = !pass->training ? *x : u >= (float)rate ? *x / (1 - rate) : 0;
        }
}

/* ---- the examples ---------------------------------------------------------------- */

static const example examples[] = {
    {"max_pooling_2d", SHAPE(4, 4, 1), SHAPE(2, 2, 1), pooling, {NUMBERS("pool_size", 2, 2)}},
    {"max_pooling_2d", SHAPE(2, 2, 37), SHAPE(1, 1, 37), pooling, {NUMBERS("pool_size", 2)}},
    {"max_pooling_2d", SHAPE(5, 7, 3), SHAPE(2, 3, 3), pooling, {NUMBERS("pool_size", 2, 2)}},
    {"max_pooling_2d",
     SHAPE(5, 7, 3),
     SHAPE(3, 4, 3),
     pooling,
     {NUMBERS("pool_size", 2, 2), STRING("padding", "same")}},
    {"max_pooling_2d",
     SHAPE(3, 5, 17),
     SHAPE(1, 2, 17),
     pooling,
     {NUMBERS("pool_size", 3, 3), NUMBERS("strides", 2, 2)}},
    {"max_pooling_2d",
     SHAPE(5, 6, 3),
     SHAPE(3, 3, 3),
     pooling,
     {NUMBERS("pool_size", 3, 3), NUMBERS("strides", 2, 2), STRING("padding", "same")}},
    {"max_pooling_2d",
     SHAPE(6, 7, 2),
     SHAPE(2, 3, 2),
     pooling,
     {NUMBERS("pool_size", 2, 1), NUMBERS("strides", 4, 3)}},
    {"max_pooling_2d",
     SHAPE(3, 2, 5),
     SHAPE(3, 2, 5),
     pooling,
     {NUMBERS("pool_size", 5, 9), NUMBERS("strides", 1), STRING("padding", "same")}},
    {"max_pooling_1d", SHAPE(9, 3), SHAPE(4, 3), pooling, {NUMBERS("pool_size", 2)}},
    {"max_pooling_1d",
     SHAPE(5, 19),
     SHAPE(5, 19),
     pooling,
     {NUMBERS("pool_size", 3), NUMBERS("strides", 1), STRING("padding", "same")}},
    {"average_pooling_2d", SHAPE(4, 4, 1), SHAPE(2, 2, 1), pooling, {NUMBERS("pool_size", 2, 2)}},
    {"average_pooling_2d", SHAPE(3, 2, 37), SHAPE(1, 1, 37), pooling, {NUMBERS("pool_size", 2)}},
    {"average_pooling_2d",
     SHAPE(5, 7, 3),
     SHAPE(3, 3, 3),
     pooling,
     {NUMBERS("pool_size", 2, 3), STRING("padding", "same")}},
    {"average_pooling_2d",
     SHAPE(6, 5, 3),
     SHAPE(6, 5, 3),
     pooling,
     {NUMBERS("pool_size", 4, 3), NUMBERS("strides", 1, 1), STRING("padding", "same")}},
    {"average_pooling_2d",
     SHAPE(6, 7, 2),
     SHAPE(2, 3, 2),
     pooling,
     {NUMBERS("pool_size", 2, 1), NUMBERS("strides", 4, 3)}},
    {"average_pooling_1d", SHAPE(9, 3), SHAPE(3, 3), pooling, {NUMBERS("pool_size", 3)}},
    {"average_pooling_1d",
     SHAPE(9, 5),
     SHAPE(5, 5),
     pooling,
     {NUMBERS("pool_size", 4), NUMBERS("strides", 2), STRING("padding", "same")}},
    {"global_max_pooling_2d", SHAPE(3, 5, 7), SHAPE(7), pooling, {{0}}},
    {"global_max_pooling_2d",
     SHAPE(17, 16, 1),
     SHAPE(1, 1, 1),
     pooling,
     {NUMBERS("keepdims", 1)}},
    {"global_max_pooling_1d", SHAPE(4, 37), SHAPE(37), pooling, {{0}}},
    {"global_max_pooling_1d", SHAPE(1, 3), SHAPE(1, 3), pooling, {NUMBERS("keepdims", 1)}},
    {"global_average_pooling_2d", SHAPE(3, 5, 7), SHAPE(7), pooling, {{0}}},
    {"global_average_pooling_2d",
     SHAPE(1, 1, 3),
     SHAPE(1, 1, 3),
     pooling,
     {NUMBERS("keepdims", 1)}},
    {"global_average_pooling_1d", SHAPE(4, 37), SHAPE(37), pooling, {{0}}},
    {"global_average_pooling_1d", SHAPE(4, 3), SHAPE(1, 3), pooling, {NUMBERS("keepdims", 1)}},
    {"zero_padding_2d", SHAPE(2, 3, 2), SHAPE(6, 6, 2), padding, {NUMBERS("padding", 1, 3, 1, 2)}},
    {"zero_padding_2d", SHAPE(2, 3, 1), SHAPE(2, 3, 1), padding, {NUMBERS("padding", 0, 0, 0, 0)}},
    {"zero_padding_1d", SHAPE(3, 5), SHAPE(6, 5), padding, {NUMBERS("padding", 1, 2)}},
    {"cropping_2d", SHAPE(5, 7, 2), SHAPE(2, 4, 2), padding, {NUMBERS("cropping", 1, 2, 3, 0)}},
    {"cropping_1d", SHAPE(5, 3), SHAPE(2, 3), padding, {NUMBERS("cropping", 2, 1)}},
    {"upsampling_2d", SHAPE(2, 3, 2), SHAPE(4, 6, 2), upsampling, {NUMBERS("size", 2)}},
    {"upsampling_2d", SHAPE(1, 2, 19), SHAPE(1, 6, 19), upsampling, {NUMBERS("size", 1, 3)}},
    {"upsampling_2d",
     SHAPE(2, 3, 2),
     SHAPE(6, 6, 2),
     upsampling,
     {NUMBERS("size", 3, 2), STRING("interpolation", "bilinear")}},
    {"upsampling_2d",
     SHAPE(1, 4, 1),
     SHAPE(2, 4, 1),
     upsampling,
     {NUMBERS("size", 2, 1), STRING("interpolation", "bilinear")}},
    {"upsampling_1d", SHAPE(3, 5), SHAPE(6, 5), upsampling, {NUMBERS("size", 2)}},
    {"spatial_dropout_2d", SHAPE(2, 3, 5), SHAPE(2, 3, 5), spatial_dropout, {NUMBERS("rate", 0.4)}},
    {"spatial_dropout_2d", SHAPE(1, 1, 9), SHAPE(1, 1, 9), spatial_dropout, {NUMBERS("rate", 0.3)}},
    {"spatial_dropout_1d", SHAPE(3, 7), SHAPE(3, 7), spatial_dropout, {NUMBERS("rate", 0.5)}},
};
LAYER_EXAMPLES(examples)

static const refusal pooling_refusals[] = {
    {LAM_EARGUMENT, "pool_size", {"max_pooling_2d", SHAPE(4, 4, 1), {0}, NULL, {{0}}}},
    {LAM_EARGUMENT,
     "pool_size",
     {"max_pooling_2d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("pool_size", 0)}}},
    {LAM_EARGUMENT,
     "pool_size",
     {"average_pooling_1d", SHAPE(4, 1), {0}, NULL, {NUMBERS("pool_size", 2, 2)}}},
    {LAM_EARGUMENT,
     "padding",
     {"max_pooling_2d",
      SHAPE(4, 4, 1),
      {0},
      NULL,
      {NUMBERS("pool_size", 2), STRING("padding", "causal")}}},
    {LAM_ESHAPE, "", {"max_pooling_2d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("pool_size", 5, 2)}}},
    {LAM_ESHAPE, "", {"average_pooling_1d", SHAPE(4, 1), {0}, NULL, {NUMBERS("pool_size", 5)}}},
    {LAM_ESHAPE, "", {"max_pooling_2d", SHAPE(4, 4), {0}, NULL, {NUMBERS("pool_size", 2)}}},
    {LAM_ESHAPE, "", {"global_average_pooling_2d", SHAPE(4), {0}, NULL, {{0}}}},
    {LAM_ESHAPE, "", {"global_max_pooling_1d", SHAPE(4, 4, 2), {0}, NULL, {{0}}}},
    {LAM_EARGUMENT, "padding", {"zero_padding_2d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("padding", 1)}}},
    {LAM_EARGUMENT, "padding", {"zero_padding_1d", SHAPE(4, 1), {0}, NULL, {NUMBERS("padding", 1, -1)}}},
    {LAM_ESHAPE, "", {"zero_padding_1d", SHAPE(4), {0}, NULL, {NUMBERS("padding", 1, 1)}}},
    {LAM_ESHAPE,
     "cropping",
     {"cropping_2d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("cropping", 0, 0, 3, 1)}}},
    {LAM_EARGUMENT, "size", {"upsampling_2d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("size", 0)}}},
    {LAM_EARGUMENT,
     "interpolation",
     {"upsampling_2d",
      SHAPE(4, 4, 1),
      {0},
      NULL,
      {NUMBERS("size", 2), STRING("interpolation", "linear")}}},
    {LAM_ESHAPE, "", {"upsampling_1d", SHAPE(4, 4, 1), {0}, NULL, {NUMBERS("size", 2)}}},
    {LAM_ESHAPE, "", {"spatial_dropout_2d", SHAPE(4, 4), {0}, NULL, {NUMBERS("rate", 0.5)}}},
    {LAM_EARGUMENT,
     "noise_shape",
     {"spatial_dropout_1d",
      SHAPE(4, 4),
      {0},
      NULL,
      {NUMBERS("rate", 0.5), NUMBERS("noise_shape", 1, 1, 4)}}},
};
LAYER_REFUSALS(pooling_refusals)

/* ---- what examples cannot show --------------------------------------------------- */

TEST(max_pooling_gives_ties_to_the_first)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    const lam_pool p = {.in_h = 4, .in_w = 4, .out_h = 2, .out_w = 2, .channels = 1,
                        .size_h = 2, .size_w = 2, .stride_h = 2, .stride_w = 2};
    const float x[16] = {1, 1, 0, 2, /**/ 1, 1, 2, 2, /**/ -1, -3, 5, 5, /**/ -2, -1, 6, 6};
    const float want_y[4] = {1, 2, -1, 6}, dy[4] = {1, 2, 3, 4};
    const float want_dx[16] = {1, 0, 0, 2, /**/ 0, 0, 0, 0, /**/ 3, 0, 0, 0, /**/ 0, 0, 4, 0};
    CHECK_OK(lam_threads_set(1, &err));
    for (int tier = 0; tier <= (int)best; tier++) {
        float y[4], predicted[4], dx[16];
        uint8_t winner[4];
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        lam_max_pool_forward(&p, 1, false, x, y, winner);
        lam_max_pool_forward(&p, 1, false, x, predicted, NULL);
        lam_max_pool_backward(&p, 1, dy, winner, dx);
        CHECK(memcmp(y, want_y, sizeof y) == 0);
        CHECK(memcmp(predicted, want_y, sizeof y) == 0);
        CHECK(memcmp(dx, want_dx, sizeof dx) == 0);
    }
    lam_threads_stop();
}

TEST(max_pooling_behind_a_rectifier_gives_nothing_to_zeros)
{
    lam_error err;
    lam_tier_id best = lam_tier();
    const lam_pool p = {.in_h = 2, .in_w = 4, .out_h = 1, .out_w = 2, .channels = 1,
                        .size_h = 2, .size_w = 2, .stride_h = 2, .stride_w = 2};
    const float x[8] = {0, 0, 0, 3, /**/ 0, 0, 3, 1};
    const float want_y[2] = {0, 3}, dy[2] = {1, 2}, want_dx[8] = {0, 0, 0, 2, 0, 0, 0, 0};
    CHECK_OK(lam_threads_set(1, &err));
    for (int tier = 0; tier <= (int)best; tier++) {
        float y[2], dx[8];
        uint8_t winner[2];
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        lam_max_pool_forward(&p, 1, true, x, y, winner);
        lam_max_pool_backward(&p, 1, dy, winner, dx);
        CHECK(memcmp(y, want_y, sizeof y) == 0);
        CHECK(memcmp(dx, want_dx, sizeof dx) == 0);
    }
    lam_threads_stop();
}

TEST(max_pooling_of_large_windows_behind_a_rectifier_gives_nothing_to_zeros)
{
    lam_error err;
    const lam_pool p = {.in_h = 1, .in_w = 300, .out_h = 1, .out_w = 1, .channels = 1,
                        .size_h = 1, .size_w = 300, .stride_h = 1, .stride_w = 1};
    float x[300] = {0}, y, dy = 1, dx[300];
    uint32_t winner;
    CHECK_OK(lam_threads_set(1, &err));
    lam_max_pool_forward(&p, 1, true, x, &y, &winner);
    lam_max_pool_backward(&p, 1, &dy, &winner, dx);
    CHECK(y == 0 && memcmp(dx, x, sizeof dx) == 0);
    x[255] = 1;
    lam_max_pool_forward(&p, 1, true, x, &y, &winner);
    lam_max_pool_backward(&p, 1, &dy, &winner, dx);
    CHECK(y == 1 && memcmp(dx, x, sizeof dx) == 0);
    lam_threads_stop();
}

/* y and dx of a batch large enough for many tasks. */
static void pool_batch(const lam_pool *p, size_t rows, int threads, const float *x, float *y, float *dx)
{
    lam_error err;
    size_t n_y = rows * p->out_h * p->out_w * p->channels;
    size_t n_x = rows * p->in_h * p->in_w * p->channels;
    char *winner = room(n_y, lam_max_pool_winner(p));
    float *mean = room(n_y, sizeof *mean), *share = room(n_x, sizeof *share);
    CHECK_OK(lam_threads_set(threads, &err));
    lam_max_pool_forward(p, rows, false, x, y, winner);
    lam_max_pool_backward(p, rows, y, winner, dx);
    lam_average_pool_forward(p, rows, x, mean);
    lam_average_pool_backward(p, rows, mean, share);
    for (size_t i = 0; i < n_y; i++)
        y[i] += mean[i];
    for (size_t i = 0; i < n_x; i++)
        dx[i] += share[i];
    free(winner);
    free(mean);
    free(share);
}

TEST(pooling_does_not_depend_on_the_threads)
{
    const lam_pool p = {.in_h = 33, .in_w = 31, .out_h = 17, .out_w = 16, .channels = 19, .size_h = 3,
                        .size_w = 3, .stride_h = 2, .stride_w = 2, .pad_top = 1, .pad_left = 1};
    size_t rows = 8, n_x = rows * 33 * 31 * 19, n_y = rows * 17 * 16 * 19;
    float *x = room(n_x, sizeof *x), *dx[3], *y[3];
    unit_fill(x, n_x, -2, 2);
    for (int t = 0; t < 3; t++) {
        dx[t] = room(n_x, sizeof *x);
        y[t] = room(n_y, sizeof *x);
        pool_batch(&p, rows, t + 1, x, y[t], dx[t]);
        CHECK(memcmp(y[t], y[0], n_y * sizeof *x) == 0);
        CHECK(memcmp(dx[t], dx[0], n_x * sizeof *x) == 0);
    }
    for (int t = 0; t < 3; t++) {
        free(dx[t]);
        free(y[t]);
    }
    free(x);
    lam_threads_stop();
}
