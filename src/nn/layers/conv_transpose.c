/* conv_1d_transpose, conv_2d_transpose: the adjoint of a convolution, which turns a small picture
 * into a larger one (Zeiler, Krishnan, Taylor, Fergus, "Deconvolutional networks", CVPR 2010).
 *
 * Every input position lays the kernel, times its value, onto the output, `strides` apart:
 *
 *   z[p stride + i dilation - pad, ..., o] += x[p, ..., c] kernel[i, ..., o, c]      (+ bias[o])
 *
 * That is the gradient, with respect to its input, of the convolution that maps pictures of this
 * layer's output shape to pictures of its input shape.  So forward runs that convolution's input
 * gradient, and backward runs the convolution.
 *
 * Sizes are Keras', with span = (size - 1) dilation + 1 and along a dimension of `in` numbers:
 *
 *   valid    out = (in - 1) stride + span + max(stride - span, 0)     pad = 0
 *   same     out = in stride                                          pad = max(span - stride, 0) / 2
 *
 * output_padding replaces max(stride - span, 0); with "same" it gives out = (in - 1) stride +
 * span mod 2 + output_padding, pad being half of what that cuts off. */
#include "nn/layers/conv_layer.h"

typedef struct transpose {
    lam_conv_layer base;
    bool has_output_padding;
    size_t output_padding[2];
} transpose;

static lam_status configure(lam_layer *layer, const lam_args *args, int rank, const char *owner,
                            lam_error *err)
{
    static const lam_field fields[] = {LAM_CONV_COUNT(filters, true),
                                       {.name = "output_padding", .kind = LAM_FIELD_ANY},
                                       LAM_CONV_FIELDS,
                                       LAM_WEIGHT_FIELDS("kernel")};
    transpose *t = layer->config;
    lam_conv_reader reader = {.owner = owner,
                              .rank = rank,
                              .kernel = "kernel",
                              .fields = fields,
                              .n_fields = LAM_COUNT(fields)};
    LAM_TRY(lam_conv_layer_read(layer, &reader, args, err));
    t->has_output_padding = lam_args_get(args, "output_padding") != NULL;
    LAM_TRY(lam_window_numbers(args, "output_padding", rank, 0, t->output_padding, err));
    for (int i = 0; i < 2; i++)
        if (t->output_padding[i] >= t->base.window.stride[i])
            return lam_fail_arg(err, LAM_EARGUMENT, "output_padding", "less than `strides`",
                                "%zu with strides of %zu", t->output_padding[i],
                                t->base.window.stride[i]);
    return LAM_OK;
}

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 1, "layer_conv_1d_transpose()", err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 2, "layer_conv_2d_transpose()", err);
}

/* The output's size along dimension i, and how many numbers before it are cut off. */
static void place(const transpose *t, int i, size_t in, size_t *out, size_t *pad)
{
    const lam_window *w = &t->base.window;
    size_t span = lam_window_span(w, i), stride = w->stride[i];
    size_t whole = (in - 1) * stride + span, extra = t->output_padding[i];
    *pad = 0;
    if (w->rank == 1 && i == 0)
        *out = 1;
    else if (w->padding == LAM_PAD_VALID)
        *out = whole + (t->has_output_padding ? extra : stride > span ? stride - span : 0);
    else {
        *out = t->has_output_padding ? (in - 1) * stride + span % 2 + extra : in * stride;
        *pad = whole > *out ? (whole - *out) / 2 : 0;
    }
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    transpose *t = layer->config;
    lam_conv_layer *c = &t->base;
    lam_window_fit given;
    LAM_TRY(lam_window_input(&c->window, layer, &given, err));
    lam_window_fit fit = {.out = {given.in[0], given.in[1]}, .channels = c->filters};
    for (int i = 0; i < 2; i++)
        place(t, i, given.in[i], &fit.in[i], &fit.pad[i]);
    c->conv = lam_conv_of(&c->window, &fit, given.channels, 1);
    layer->out = lam_window_shape(&c->window, fit.in, c->filters);
    lam_shape kernel = lam_conv_kernel_shape(&c->window, c->filters, given.channels);
    return lam_conv_layer_build(layer, kernel, err);
}

/* The roles of the two uses are changed over; forward needs the input gradient's. */
static void prepare(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    int uses = pass->backward_follows ? LAM_CONV_ALL_USES : LAM_CONV_INPUT_GRADIENT;
    lam_conv_prepare(&c->conv, uses, lam_w(layer, pass, 0), pass->prepared);
}

static void add_bias(size_t positions, size_t channels, const float *bias, float *z)
{
    for (size_t p = 0; p < positions; p++, z += channels)
        for (size_t o = 0; o < channels; o++)
            z[o] += bias[o];
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    const lam_activation *act = lam_conv_layer_act(layer, pass);
    size_t channels = c->filters, positions = pass->rows * (layer->out_count / channels);
    float *z = lam_conv_layer_z(layer, pass);
    if (!z)
        z = pass->y;
    lam_conv_input_gradient(&c->conv, pass->rows, pass->x, pass->prepared, z);
    if (c->use_bias)
        add_bias(positions, channels, lam_w(layer, pass, 1), z);
    if (act)
        lam_activation_forward(act, positions, channels, z, pass->y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    const float *dz = lam_conv_layer_slope(layer, pass);
    float *dkernel = lam_g(layer, pass, 0);
    if (dkernel)
        lam_conv_kernel_gradient(&c->conv, pass->rows, dz, pass->x, dkernel, pass->add);
    if (pass->dx)
        lam_conv_forward(&c->conv, pass->rows, dz, pass->prepared, NULL, NULL, NULL, pass->dx);
}

const lam_layer_type lam_layer_conv_1d_transpose = {
    .name = "conv_1d_transpose",
    .config_size = sizeof(transpose),
    .configure = configure_1d,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .closing = lam_conv_layer_closing,
};

const lam_layer_type lam_layer_conv_2d_transpose = {
    .name = "conv_2d_transpose",
    .config_size = sizeof(transpose),
    .configure = configure_2d,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .closing = lam_conv_layer_closing,
};
