/* separable_conv_1d, separable_conv_2d: a depthwise convolution, without bias or activation, then a
 * pointwise (1 x 1) one that mixes the channels:
 *
 *   mid[p, q, c m + k] = sum over i, j of x[..., c] depthwise_kernel[i, j, c, k]
 *   y[p, q, o] = activation(bias[o] + sum over d of mid[p, q, d] pointwise_kernel[d, o])
 *
 * (Chollet, "Xception: Deep learning with depthwise separable convolutions", CVPR 2017).
 *
 * The cache holds z (where needed) and mid; in prediction mid lies in the scratch.  The scratch of
 * backward holds dz and the gradient of mid. */
#include "base/alloc.h"
#include "nn/layers/conv_layer.h"

typedef struct separable {
    lam_conv_layer depthwise; /* its conv; filters are those of the pointwise one */
    lam_weight_options pointwise;
    lam_conv point;
    size_t point_at; /* bytes into layer->prepared */
} separable;

enum { DEPTHWISE, POINTWISE }; /* the weights */

static lam_status configure(lam_layer *layer, const lam_args *args, int rank, const char *owner,
                            lam_error *err)
{
    static const lam_field fields[] = {
        LAM_CONV_COUNT(filters, true), LAM_CONV_COUNT(depth_multiplier, false), LAM_CONV_FIELDS,
        LAM_WEIGHT_FIELDS("depthwise"), LAM_WEIGHT_FIELDS("pointwise")};
    separable *s = layer->config;
    lam_conv_reader reader = {.owner = owner,
                              .rank = rank,
                              .kernel = "depthwise",
                              .fields = fields,
                              .n_fields = LAM_COUNT(fields)};
    LAM_TRY(lam_conv_layer_read(layer, &reader, args, err));
    return lam_weight_options_read(args, "pointwise", LAM_INIT_glorot_uniform, &s->pointwise, err);
}

static lam_status configure_1d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 1, "layer_separable_conv_1d()", err);
}

static lam_status configure_2d(lam_layer *layer, const lam_args *args, lam_error *err)
{
    return configure(layer, args, 2, "layer_separable_conv_2d()", err);
}

static size_t mid_count(const separable *s)
{
    const lam_conv *point = &s->point;
    return lam_mul(lam_mul(point->in_h, point->in_w), point->in_c);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    separable *s = layer->config;
    lam_conv_layer *c = &s->depthwise;
    lam_window one = {.rank = c->window.rank, .size = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}};
    lam_window_fit fit;
    LAM_TRY(lam_window_place(&c->window, layer, &fit, err));
    size_t wide = lam_mul(fit.channels, c->depth_multiplier);
    c->conv = lam_conv_of(&c->window, &fit, wide, fit.channels);
    lam_window_fit same = {
        .in = {fit.out[0], fit.out[1]}, .out = {fit.out[0], fit.out[1]}, .channels = wide};
    s->point = lam_conv_of(&one, &same, c->filters, 1);
    layer->out = lam_window_shape(&c->window, fit.out, c->filters);

    layer->work_inside = lam_conv_work(&s->point);
    layer->work = lam_conv_work(&c->conv) + layer->work_inside;

    lam_conv_layer_memory(layer);
    size_t mid = lam_mul(mid_count(s), sizeof(float));
    layer->cache_row = lam_add(layer->cache_row, mid);
    layer->scratch_row = lam_add(layer->scratch_row, mid);
    size_t bytes = lam_conv_prepared_size(&c->conv, LAM_CONV_ALL_USES);
    s->point_at = (bytes + LAM_ALIGN - 1) / LAM_ALIGN * LAM_ALIGN;
    layer->prepared = s->point_at + lam_conv_prepared_size(&s->point, LAM_CONV_ALL_USES);

    lam_shape depthwise = lam_conv_kernel_shape(&c->window, fit.channels, c->depth_multiplier);
    lam_shape pointwise = lam_conv_kernel_shape(&one, wide, c->filters);
    LAM_TRY(lam_layer_add_weight(layer, "depthwise_kernel", depthwise, true, &c->kernel, err));
    LAM_TRY(lam_layer_add_weight(layer, "pointwise_kernel", pointwise, true, &s->pointwise, err));
    return lam_conv_layer_add_bias(layer, err);
}

static void prepare(const lam_layer *layer, const lam_pass *pass)
{
    const separable *s = layer->config;
    int uses = lam_conv_uses(pass);
    lam_conv_prepare(&s->depthwise.conv, uses, lam_w(layer, pass, DEPTHWISE), pass->prepared);
    lam_conv_prepare(&s->point, uses, lam_w(layer, pass, POINTWISE), pass->prepared + s->point_at);
}

/* mid of the pass, kept behind z. */
static float *kept_mid(const lam_layer *layer, const lam_pass *pass)
{
    return (float *)(pass->cache + pass->rows * lam_conv_layer_z_bytes(layer));
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const separable *s = layer->config;
    float *mid = pass->backward_follows ? kept_mid(layer, pass) : (float *)pass->scratch;
    lam_conv_forward(&s->depthwise.conv, pass->rows, pass->x, pass->prepared, NULL, NULL, NULL, mid);
    lam_conv_layer_run(layer, pass, &s->point, mid, pass->prepared + s->point_at);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const separable *s = layer->config;
    const lam_conv *depthwise = &s->depthwise.conv;
    const float *dz = lam_conv_layer_slope(layer, pass), *mid = kept_mid(layer, pass);
    float *dmid = (float *)(pass->scratch + pass->rows * lam_conv_layer_dz_bytes(layer));
    float *ddepthwise = lam_g(layer, pass, DEPTHWISE), *dpointwise = lam_g(layer, pass, POINTWISE);
    if (dpointwise)
        lam_conv_kernel_gradient(&s->point, pass->rows, mid, dz, dpointwise, pass->add);
    if (!ddepthwise && !pass->dx)
        return;
    lam_conv_input_gradient(&s->point, pass->rows, dz, pass->prepared + s->point_at, dmid);
    if (ddepthwise)
        lam_conv_kernel_gradient(depthwise, pass->rows, pass->x, dmid, ddepthwise, pass->add);
    if (pass->dx)
        lam_conv_input_gradient(depthwise, pass->rows, dmid, pass->prepared, pass->dx);
}

const lam_layer_type lam_layer_separable_conv_1d = {
    .name = "separable_conv_1d",
    .config_size = sizeof(separable),
    .configure = configure_1d,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .closing = lam_conv_layer_closing,
};

const lam_layer_type lam_layer_separable_conv_2d = {
    .name = "separable_conv_2d",
    .config_size = sizeof(separable),
    .configure = configure_2d,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .closing = lam_conv_layer_closing,
};
