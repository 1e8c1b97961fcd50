/* The convolution layers: definitions in double precision, examples, refusals, weights. */
#include "layers.h"

/* ---- the definitions ------------------------------------------------------------- */

enum { CHANNELS_AT_MOST = 512 };

/* An example's arguments: [0] along the height, [1] along the width or the steps.  A sequence is a
 * picture of height 1. */
typedef struct window {
    long size[2], stride[2], dilation[2], before[2]; /* before: zeros ahead of `large` */
    long large[2], small[2]; /* the sizes on the side of the window and on that of its positions */
    size_t large_c, small_c; /* channels */
} window;

static long along(const example *ex, const char *name, int i)
{
    if (ex->in.rank == 2 && i == 0)
        return 1;
    return (long)number(ex, name, length(ex, name) == 2 ? (size_t)i : 0, 1);
}

/* Zeros before the picture: for "same" what is missing is shared out, the odd one behind. */
static long zeros_before(const example *ex, const window *win, int i)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, "padding");
    const char *padding = arg ? arg->strings[0] : "valid";
    long span = (win->size[i] - 1) * win->dilation[i] + 1;
    long missing = (win->small[i] - 1) * win->stride[i] + span - win->large[i];
    if (strcmp(padding, "causal") == 0)
        return span - 1;
    return strcmp(padding, "same") == 0 && missing > 0 ? missing / 2 : 0;
}

static window window_of(const example *ex, const lam_shape *large, const lam_shape *small)
{
    window win;
    for (int i = 0; i < 2; i++) {
        bool flat = i == 0 && large->rank == 2;
        win.large[i] = flat ? 1 : (long)large->dim[large->rank - 3 + i];
        win.small[i] = flat ? 1 : (long)small->dim[small->rank - 3 + i];
        win.size[i] = along(ex, "kernel_size", i);
        win.stride[i] = along(ex, "strides", i);
        win.dilation[i] = along(ex, "dilation_rate", i);
        win.before[i] = zeros_before(ex, &win, i);
    }
    win.large_c = lam_shape_last(large);
    win.small_c = lam_shape_last(small);
    return win;
}

/* Where, among the positions of the large picture, (p, q) of the small one meets element (i, j) of
 * the window; -1 outside. */
static long met(const window *win, long p, long q, long i, long j)
{
    long row = p * win->stride[0] + i * win->dilation[0] - win->before[0];
    long col = q * win->stride[1] + j * win->dilation[1] - win->before[1];
    bool inside = row >= 0 && row < win->large[0] && col >= 0 && col < win->large[1];
    return inside ? row * win->large[1] + col : -1;
}

/* The sum over the window at (p, q) of `depth` channels of x, from `first` on, times column o of
 * the kernel, which has `columns`. */
static double window_sum(const window *win, const double *x, const double *kernel, long p, long q,
                         size_t first, size_t depth, size_t o, size_t columns)
{
    double sum = 0;
    for (long i = 0; i < win->size[0]; i++)
        for (long j = 0; j < win->size[1]; j++) {
            long at = met(win, p, q, i, j);
            const double *k = kernel + (size_t)(i * win->size[1] + j) * depth * columns;
            for (size_t c = 0; at >= 0 && c < depth; c++)
                sum += x[(size_t)at * win->large_c + first + c] * k[c * columns + o];
        }
    return sum;
}

/* The sums of all channels of position (p, q), into z. */
typedef void (*sums_fn)(const example *ex, const lam_layer *layer, const window *win,
                        const double *x, const double *w, long p, long q, double *z);

static void each_position(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y, sums_fn sums)
{
    const window win = window_of(ex, &ex->in, &ex->out);
    const char *activation = activation_of(ex, pass);
    bool has_bias = number(ex, "use_bias", 0, 1) != 0;
    const double *bias = w + layer->weight[layer->n_weights - 1].offset;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count)
        for (long p = 0; p < win.small[0]; p++)
            for (long q = 0; q < win.small[1]; q++, y += win.small_c) {
                double z[CHANNELS_AT_MOST];
                sums(ex, layer, &win, x, w, p, q, z);
                for (size_t o = 0; has_bias && o < win.small_c; o++)
                    z[o] += bias[o];
                group(activation, win.small_c, 1, z, y);
            }
}

static void conv_sums(const example *ex, const lam_layer *layer, const window *win, const double *x,
                      const double *w, long p, long q, double *z)
{
    size_t groups = (size_t)number(ex, "groups", 0, 1), depth = win->large_c / groups;
    for (size_t o = 0; o < win->small_c; o++) {
        size_t first = o / (win->small_c / groups) * depth;
        z[o] = window_sum(win, x, w + layer->weight[0].offset, p, q, first, depth, o, win->small_c);
    }
}

static void conv(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                 const double *w, double *y)
{
    each_position(ex, layer, pass, x, w, y, conv_sums);
}

/* Channel c m + k from channel c of the input and kernel[i, j, c, k], m = depth_multiplier. */
static void depthwise_sums(const example *ex, const lam_layer *layer, const window *win,
                           const double *x, const double *w, long p, long q, double *z)
{
    size_t m = (size_t)number(ex, "depth_multiplier", 0, 1), wide = win->large_c * m;
    for (size_t d = 0; d < wide; d++)
        z[d] = window_sum(win, x, w + layer->weight[0].offset, p, q, d / m, 1, d, wide);
}

static void depthwise(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    each_position(ex, layer, pass, x, w, y, depthwise_sums);
}

static void separable_sums(const example *ex, const lam_layer *layer, const window *win,
                           const double *x, const double *w, long p, long q, double *z)
{
    const double *point = w + layer->weight[1].offset;
    size_t wide = layer->weight[0].count / (size_t)(win->size[0] * win->size[1]);
    double mid[CHANNELS_AT_MOST];
    depthwise_sums(ex, layer, win, x, w, p, q, mid);
    for (size_t o = 0; o < win->small_c; o++) {
        z[o] = 0;
        for (size_t d = 0; d < wide; d++)
            z[o] += mid[d] * point[d * win->small_c + o];
    }
}

static void separable(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    each_position(ex, layer, pass, x, w, y, separable_sums);
}

/* Every number of the input lays the kernel[i, j, o, c] onto the output; the positions are those of
 * the convolution from the output's shape to the input's. */
static void transposed(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    const window win = window_of(ex, &ex->out, &ex->in);
    const double *kernel = w + layer->weight[0].offset;
    const double *bias = layer->n_weights > 1 ? w + layer->weight[1].offset : NULL;
    size_t filters = win.large_c, channels = win.small_c;
    for (size_t r = 0; r < pass->rows; r++, x += layer->in_count, y += layer->out_count) {
        for (size_t i = 0; i < layer->out_count; i++)
            y[i] = bias ? bias[i % filters] : 0;
        for (long p = 0; p < win.small[0]; p++)
            for (long q = 0; q < win.small[1]; q++)
                for (long i = 0; i < win.size[0]; i++)
                    for (long j = 0; j < win.size[1]; j++) {
                        long at = met(&win, p, q, i, j);
                        const double *from = x + (size_t)(p * win.small[1] + q) * channels;
                        const double *k =
                            kernel + (size_t)(i * win.size[1] + j) * filters * channels;
                        for (size_t n = 0; at >= 0 && n < filters * channels; n++)
                            y[(size_t)at * filters + n / channels] += from[n % channels] * k[n];
                    }
        for (size_t i = 0; i < layer->out_count; i += filters) {
            double z[CHANNELS_AT_MOST];
            memcpy(z, y + i, filters * sizeof *z);
            group(activation_of(ex, pass), filters, 1, z, y + i);
        }
    }
}

/* ---- examples -------------------------------------------------------------------- */

/* relu only where few numbers are computed: differences across its corner are no gradients. */

#define FILTERS(n) NUMBERS("filters", n)
#define KERNEL(...) NUMBERS("kernel_size", __VA_ARGS__)
#define STRIDES(...) NUMBERS("strides", __VA_ARGS__)
#define DILATED(...) NUMBERS("dilation_rate", __VA_ARGS__)
#define MULTIPLIER(n) NUMBERS("depth_multiplier", n)
#define EXTRA(...) NUMBERS("output_padding", __VA_ARGS__)
#define GROUPS(n) NUMBERS("groups", n)
#define PADDING(name) STRING("padding", name)
#define ACTIVATION(name) STRING("activation", name)
#define NO_BIAS NUMBERS("use_bias", 0)

static const example examples[] = {
    /* pictures */
    {"conv_2d", SHAPE(4, 5, 1), SHAPE(2, 3, 2), conv, {FILTERS(2), KERNEL(3)}},
    {"conv_2d", SHAPE(1, 1, 1), SHAPE(1, 1, 1), conv, {FILTERS(1), KERNEL(1), NO_BIAS}},
    {"conv_2d", SHAPE(1, 1, 3), SHAPE(1, 1, 2), conv, {FILTERS(2), KERNEL(3), PADDING("same")}},
    {"conv_2d", SHAPE(3, 2, 2), SHAPE(1, 1, 3), conv, {FILTERS(3), KERNEL(3, 2)}},
    {"conv_2d",
     SHAPE(5, 4, 3),
     SHAPE(5, 4, 2),
     conv,
     {FILTERS(2), KERNEL(3), PADDING("same"), ACTIVATION("tanh")}},
    {"conv_2d",
     SHAPE(5, 4, 1),
     SHAPE(5, 4, 2),
     conv,
     {FILTERS(2), KERNEL(2, 4), PADDING("same"), ACTIVATION("tanh"), NO_BIAS}},
    {"conv_2d",
     SHAPE(3, 3, 2),
     SHAPE(2, 2, 2),
     conv,
     {FILTERS(2), KERNEL(2), ACTIVATION("gelu")}},
    {"conv_2d",
     SHAPE(3, 2, 2),
     SHAPE(3, 2, 3),
     conv,
     {FILTERS(3), KERNEL(1), ACTIVATION("softmax")}},
    {"conv_2d",
     SHAPE(5, 7, 2),
     SHAPE(2, 2, 2),
     conv,
     {FILTERS(2), KERNEL(2, 3), STRIDES(3, 4)}},
    {"conv_2d",
     SHAPE(5, 4, 1),
     SHAPE(3, 2, 2),
     conv,
     {FILTERS(2), KERNEL(3), STRIDES(2), PADDING("same"), ACTIVATION("tanh")}},
    {"conv_2d",
     SHAPE(5, 3, 2),
     SHAPE(2, 1, 2),
     conv,
     {FILTERS(2), KERNEL(1, 2), STRIDES(4, 3), PADDING("same")}},
    {"conv_2d",
     SHAPE(5, 6, 1),
     SHAPE(1, 4, 2),
     conv,
     {FILTERS(2), KERNEL(3, 2), DILATED(2)}},
    {"conv_2d",
     SHAPE(4, 3, 2),
     SHAPE(4, 3, 2),
     conv,
     {FILTERS(2), KERNEL(2, 3), DILATED(3, 1), PADDING("same")}},
    {"conv_2d",
     SHAPE(3, 3, 4),
     SHAPE(2, 2, 6),
     conv,
     {FILTERS(6), KERNEL(2), GROUPS(2), ACTIVATION("tanh")}},
    {"conv_2d",
     SHAPE(3, 2, 3),
     SHAPE(3, 2, 3),
     conv,
     {FILTERS(3), KERNEL(3), GROUPS(3), PADDING("same")}},
    {"conv_2d", SHAPE(2, 1, 37), SHAPE(1, 1, 2), conv, {FILTERS(2), KERNEL(2, 1)}},
    {"conv_2d", SHAPE(2, 2, 1), SHAPE(1, 1, 37), conv, {FILTERS(37), KERNEL(2), NO_BIAS}},
    {"conv_2d", SHAPE(2, 2, 2), SHAPE(1, 1, 2), conv, {FILTERS(2), KERNEL(2), ACTIVATION("relu")}},
    /* sequences */
    {"conv_1d", SHAPE(6, 2), SHAPE(4, 3), conv, {FILTERS(3), KERNEL(3)}},
    {"conv_1d", SHAPE(1, 3), SHAPE(1, 2), conv, {FILTERS(2), KERNEL(1), ACTIVATION("gelu")}},
    {"conv_1d",
     SHAPE(7, 1),
     SHAPE(3, 2),
     conv,
     {FILTERS(2), KERNEL(4), STRIDES(3), PADDING("same"), ACTIVATION("log_softmax")}},
    {"conv_1d",
     SHAPE(7, 2),
     SHAPE(7, 2),
     conv,
     {FILTERS(2), KERNEL(3), PADDING("causal"), ACTIVATION("tanh")}},
    {"conv_1d",
     SHAPE(7, 2),
     SHAPE(7, 1),
     conv,
     {FILTERS(1), KERNEL(2), DILATED(4), PADDING("causal"), NO_BIAS}},
    {"conv_1d",
     SHAPE(6, 1),
     SHAPE(3, 2),
     conv,
     {FILTERS(2), KERNEL(3), STRIDES(2), PADDING("causal")}},
    {"conv_1d", SHAPE(5, 6), SHAPE(3, 3), conv, {FILTERS(3), KERNEL(3), GROUPS(3)}},
    {"conv_1d", SHAPE(3, 37), SHAPE(2, 2), conv, {FILTERS(2), KERNEL(2), ACTIVATION("tanh")}},
    /* depthwise */
    {"depthwise_conv_2d", SHAPE(4, 3, 2), SHAPE(2, 1, 2), depthwise, {KERNEL(3)}},
    {"depthwise_conv_2d",
     SHAPE(4, 3, 2),
     SHAPE(4, 3, 6),
     depthwise,
     {KERNEL(3), MULTIPLIER(3), PADDING("same"), ACTIVATION("tanh")}},
    {"depthwise_conv_2d",
     SHAPE(5, 4, 3),
     SHAPE(3, 2, 3),
     depthwise,
     {KERNEL(3, 2), STRIDES(2), PADDING("same"), NO_BIAS}},
    {"depthwise_conv_2d",
     SHAPE(5, 3, 1),
     SHAPE(3, 3, 2),
     depthwise,
     {KERNEL(2, 1), DILATED(2), MULTIPLIER(2), ACTIVATION("gelu")}},
    {"depthwise_conv_2d", SHAPE(2, 2, 37), SHAPE(1, 1, 37), depthwise, {KERNEL(2)}},
    {"depthwise_conv_1d",
     SHAPE(6, 3),
     SHAPE(4, 6),
     depthwise,
     {KERNEL(3), MULTIPLIER(2), ACTIVATION("softmax")}},
    {"depthwise_conv_1d",
     SHAPE(7, 2),
     SHAPE(3, 2),
     depthwise,
     {KERNEL(3), STRIDES(3), PADDING("same"), NO_BIAS}},
    {"depthwise_conv_1d", SHAPE(2, 2), SHAPE(1, 2), depthwise, {KERNEL(2), ACTIVATION("relu")}},
    /* separable */
    {"separable_conv_2d", SHAPE(4, 3, 2), SHAPE(2, 1, 3), separable, {FILTERS(3), KERNEL(3)}},
    {"separable_conv_2d",
     SHAPE(3, 4, 3),
     SHAPE(3, 4, 2),
     separable,
     {FILTERS(2), KERNEL(3, 2), MULTIPLIER(2), PADDING("same"), ACTIVATION("tanh")}},
    {"separable_conv_2d",
     SHAPE(3, 3, 1),
     SHAPE(2, 2, 2),
     separable,
     {FILTERS(2), KERNEL(2), STRIDES(2), PADDING("same"), ACTIVATION("gelu"), NO_BIAS}},
    {"separable_conv_2d",
     SHAPE(2, 1, 37),
     SHAPE(1, 1, 2),
     separable,
     {FILTERS(2), KERNEL(2, 1), ACTIVATION("softmax")}},
    {"separable_conv_1d",
     SHAPE(7, 2),
     SHAPE(3, 3),
     separable,
     {FILTERS(3), KERNEL(3), DILATED(2), ACTIVATION("tanh")}},
    {"separable_conv_1d",
     SHAPE(1, 2),
     SHAPE(1, 3),
     separable,
     {FILTERS(3), KERNEL(1), MULTIPLIER(3)}},
    {"separable_conv_1d",
     SHAPE(2, 2),
     SHAPE(1, 2),
     separable,
     {FILTERS(2), KERNEL(2), ACTIVATION("relu")}},
    /* transposed */
    {"conv_2d_transpose", SHAPE(2, 3, 2), SHAPE(4, 5, 3), transposed, {FILTERS(3), KERNEL(3)}},
    {"conv_2d_transpose", SHAPE(1, 1, 1), SHAPE(1, 1, 1), transposed, {FILTERS(1), KERNEL(1)}},
    {"conv_2d_transpose",
     SHAPE(2, 3, 2),
     SHAPE(4, 6, 2),
     transposed,
     {FILTERS(2), KERNEL(3), STRIDES(2), PADDING("same"), ACTIVATION("tanh")}},
    {"conv_2d_transpose",
     SHAPE(2, 2, 1),
     SHAPE(6, 4, 2),
     transposed,
     {FILTERS(2), KERNEL(2, 1), STRIDES(3, 2), PADDING("same"), ACTIVATION("gelu")}},
    {"conv_2d_transpose", /* strides wider than the kernel: gaps hold the bias alone */
     SHAPE(2, 2, 2),
     SHAPE(6, 5, 2),
     transposed,
     {FILTERS(2), KERNEL(2, 3), STRIDES(3, 2)}},
    {"conv_2d_transpose",
     SHAPE(2, 2, 1),
     SHAPE(6, 6, 1),
     transposed,
     {FILTERS(1), KERNEL(3), STRIDES(2), EXTRA(1), NO_BIAS}},
    {"conv_2d_transpose",
     SHAPE(2, 3, 1),
     SHAPE(3, 6, 2),
     transposed,
     {FILTERS(2), KERNEL(3), STRIDES(2), PADDING("same"), EXTRA(0, 1), ACTIVATION("tanh")}},
    {"conv_2d_transpose",
     SHAPE(2, 2, 2),
     SHAPE(4, 4, 3),
     transposed,
     {FILTERS(3), KERNEL(2), DILATED(2), ACTIVATION("softmax")}},
    {"conv_2d_transpose", SHAPE(1, 2, 37), SHAPE(1, 3, 2), transposed, {FILTERS(2), KERNEL(1, 2)}},
    {"conv_1d_transpose",
     SHAPE(3, 2),
     SHAPE(7, 2),
     transposed,
     {FILTERS(2), KERNEL(3), STRIDES(2), ACTIVATION("tanh")}},
    {"conv_1d_transpose",
     SHAPE(3, 1),
     SHAPE(9, 2),
     transposed,
     {FILTERS(2), KERNEL(4), STRIDES(3), PADDING("same"), NO_BIAS}},
    {"conv_1d_transpose",
     SHAPE(3, 1),
     SHAPE(8, 2),
     transposed,
     {FILTERS(2), KERNEL(4), STRIDES(3), PADDING("same"), EXTRA(2)}},
    {"conv_1d_transpose",
     SHAPE(3, 2),
     SHAPE(3, 1),
     transposed,
     {FILTERS(1), KERNEL(2), DILATED(2), PADDING("same")}},
    {"conv_1d_transpose",
     SHAPE(1, 2),
     SHAPE(2, 2),
     transposed,
     {FILTERS(2), KERNEL(2), ACTIVATION("relu")}},
    /* A stride across a width of one pixel. */
    {"conv_2d", SHAPE(4, 1, 3), SHAPE(4, 1, 2), conv, {FILTERS(2), KERNEL(1), STRIDES(1, 2)}},
    {"depthwise_conv_2d", SHAPE(4, 1, 1), SHAPE(4, 1, 2), depthwise, {KERNEL(1), MULTIPLIER(2), STRIDES(1, 2)}},
    {"separable_conv_2d", SHAPE(4, 1, 1), SHAPE(4, 1, 3), separable, {FILTERS(3), KERNEL(1), STRIDES(1, 2)}},
};
LAYER_EXAMPLES(examples)

/* ---- refusals -------------------------------------------------------------------- */

#define REFUSED(status, arg, type, in, ...) {status, arg, {type, in, {0}, NULL, {__VA_ARGS__}}}
#define SMALL SHAPE(4, 4, 6)

static const refusal refusals[] = {
    REFUSED(LAM_EARGUMENT, "", "conv_2d", SMALL, KERNEL(3)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2)),
    REFUSED(LAM_EARGUMENT, "filters", "conv_2d", SMALL, FILTERS(0), KERNEL(3)),
    REFUSED(LAM_EARGUMENT, "filters", "conv_2d", SMALL, FILTERS(1.5), KERNEL(3)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(0)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(3, -1)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(3, 3, 3)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(2.5)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(NAN)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), KERNEL(INFINITY)),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_2d", SMALL, FILTERS(2), STRING("kernel_size", "3")),
    REFUSED(LAM_EARGUMENT, "kernel_size", "conv_1d", SHAPE(4, 6), FILTERS(2), KERNEL(3, 3)),
    REFUSED(LAM_EARGUMENT, "strides", "conv_2d", SMALL, FILTERS(2), KERNEL(3), STRIDES(0)),
    REFUSED(LAM_EARGUMENT, "dilation_rate", "conv_2d", SMALL, FILTERS(2), KERNEL(2), DILATED(0)),
    REFUSED(LAM_EARGUMENT, "dilation_rate", "conv_2d", SMALL, FILTERS(2), KERNEL(2), STRIDES(2),
            DILATED(1, 2)),
    REFUSED(LAM_EARGUMENT, "padding", "conv_2d", SMALL, FILTERS(2), KERNEL(2), PADDING("full")),
    REFUSED(LAM_EARGUMENT, "padding", "conv_2d", SMALL, FILTERS(2), KERNEL(2), PADDING("causal")),
    REFUSED(LAM_EARGUMENT, "padding", "conv_2d", SMALL, FILTERS(2), KERNEL(2),
            NUMBERS("padding", 1)),
    REFUSED(LAM_EARGUMENT, "activation", "conv_2d", SMALL, FILTERS(2), KERNEL(2),
            ACTIVATION("rulu")),
    REFUSED(LAM_EARGUMENT, "groups", "conv_2d", SMALL, FILTERS(4), KERNEL(2), GROUPS(3)),
    REFUSED(LAM_EARGUMENT, "groups", "conv_2d", SMALL, FILTERS(4), KERNEL(2), GROUPS(0)),
    REFUSED(LAM_ESHAPE, "groups", "conv_2d", SMALL, FILTERS(4), KERNEL(2), GROUPS(4)),
    REFUSED(LAM_ESHAPE, "", "conv_2d", SMALL, FILTERS(2), KERNEL(5)),
    REFUSED(LAM_ESHAPE, "", "conv_2d", SMALL, FILTERS(2), KERNEL(2, 3), DILATED(1, 2)),
    REFUSED(LAM_ESHAPE, "", "conv_2d", SHAPE(4, 4), FILTERS(2), KERNEL(2)),
    REFUSED(LAM_ESHAPE, "", "conv_2d", SHAPE(4), FILTERS(2), KERNEL(2)),
    REFUSED(LAM_ESHAPE, "", "conv_1d", SHAPE(4, 6), FILTERS(2), KERNEL(5)),
    REFUSED(LAM_ESHAPE, "", "conv_1d", SMALL, FILTERS(2), KERNEL(2)),
    REFUSED(LAM_EARGUMENT, "depth_multiplier", "depthwise_conv_2d", SMALL, KERNEL(2),
            MULTIPLIER(0)),
    REFUSED(LAM_EARGUMENT, "padding", "depthwise_conv_1d", SHAPE(4, 2), KERNEL(2),
            PADDING("causal")),
    REFUSED(LAM_ESHAPE, "", "depthwise_conv_2d", SMALL, KERNEL(5)),
    REFUSED(LAM_EARGUMENT, "groups", "depthwise_conv_2d", SMALL, KERNEL(2), GROUPS(2)),
    REFUSED(LAM_EARGUMENT, "depth_multiplier", "separable_conv_2d", SMALL, FILTERS(2), KERNEL(2),
            MULTIPLIER(-1)),
    REFUSED(LAM_EARGUMENT, "", "separable_conv_1d", SHAPE(4, 2), KERNEL(2)),
    REFUSED(LAM_ESHAPE, "", "separable_conv_1d", SHAPE(4, 2), FILTERS(2), KERNEL(5)),
    REFUSED(LAM_EARGUMENT, "output_padding", "conv_2d_transpose", SMALL, FILTERS(2), KERNEL(2),
            STRIDES(2), EXTRA(2)),
    REFUSED(LAM_EARGUMENT, "output_padding", "conv_2d_transpose", SMALL, FILTERS(2), KERNEL(2),
            STRIDES(2), EXTRA(-1)),
    REFUSED(LAM_EARGUMENT, "output_padding", "conv_1d_transpose", SHAPE(4, 2), FILTERS(2),
            KERNEL(2), EXTRA(1)),
    REFUSED(LAM_EARGUMENT, "padding", "conv_1d_transpose", SHAPE(4, 2), FILTERS(2), KERNEL(2),
            PADDING("causal")),
    REFUSED(LAM_ESHAPE, "", "conv_2d_transpose", SHAPE(4, 4), FILTERS(2), KERNEL(2)),
    REFUSED(LAM_ESHAPE, "", "conv_1d_transpose", SHAPE(1, 2), FILTERS(2), KERNEL(2), STRIDES(2),
            PADDING("same"), EXTRA(0)),
};
LAYER_REFUSALS(refusals)

/* ---- weights --------------------------------------------------------------------- */

#define WEIGHT(at, name, shape, type, in, ...) \
    {at, name, shape, true, {type, in, {0}, NULL, {__VA_ARGS__}}}

static const named_weight weights[] = {
    WEIGHT(0, "kernel", SHAPE(3, 2, 6, 4), "conv_2d", SMALL, FILTERS(4), KERNEL(3, 2)),
    WEIGHT(1, "bias", SHAPE(4), "conv_2d", SMALL, FILTERS(4), KERNEL(3, 2)),
    WEIGHT(0, "kernel", SHAPE(2, 2, 3, 4), "conv_2d", SMALL, FILTERS(4), KERNEL(2), GROUPS(2)),
    WEIGHT(0, "kernel", SHAPE(3, 2, 4), "conv_1d", SHAPE(8, 2), FILTERS(4), KERNEL(3)),
    WEIGHT(0, "kernel", SHAPE(2, 2, 6, 3), "depthwise_conv_2d", SMALL, KERNEL(2), MULTIPLIER(3)),
    WEIGHT(1, "bias", SHAPE(18), "depthwise_conv_2d", SMALL, KERNEL(2), MULTIPLIER(3)),
    WEIGHT(0, "kernel", SHAPE(2, 3, 1), "depthwise_conv_1d", SHAPE(4, 3), KERNEL(2)),
    WEIGHT(0, "depthwise_kernel", SHAPE(2, 2, 6, 3), "separable_conv_2d", SMALL, FILTERS(4),
           KERNEL(2), MULTIPLIER(3)),
    WEIGHT(1, "pointwise_kernel", SHAPE(1, 1, 18, 4), "separable_conv_2d", SMALL, FILTERS(4),
           KERNEL(2), MULTIPLIER(3)),
    WEIGHT(2, "bias", SHAPE(4), "separable_conv_2d", SMALL, FILTERS(4), KERNEL(2)),
    WEIGHT(1, "pointwise_kernel", SHAPE(1, 2, 4), "separable_conv_1d", SHAPE(8, 2), FILTERS(4),
           KERNEL(2)),
    WEIGHT(0, "kernel", SHAPE(3, 2, 4, 6), "conv_2d_transpose", SMALL, FILTERS(4), KERNEL(3, 2)),
    WEIGHT(0, "kernel", SHAPE(3, 4, 2), "conv_1d_transpose", SHAPE(8, 2), FILTERS(4), KERNEL(3)),
};
LAYER_WEIGHTS(weights)
