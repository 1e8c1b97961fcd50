#include "nn/layers/conv_layer.h"

lam_status lam_conv_layer_read(lam_layer *layer, const lam_conv_reader *reader,
                               const lam_args *args, lam_error *err)
{
    lam_conv_layer *c = layer->config;
    c->use_bias = true;
    c->groups = c->depth_multiplier = 1;
    LAM_TRY(lam_args_read(args, reader->fields, reader->n_fields, c, reader->owner, err));
    LAM_TRY(lam_window_read(&c->window, reader->rank, args, "kernel_size", reader->flags, err));
    LAM_TRY(lam_args_activation(args, "activation", &c->act, err));
    LAM_TRY(lam_weight_options_read(args, reader->kernel, LAM_INIT_glorot_uniform, &c->kernel, err));
    return lam_weight_options_read(args, "bias", LAM_INIT_zeros, &c->bias, err);
}

lam_conv lam_conv_of(const lam_window *window, const lam_window_fit *fit, size_t filters,
                     size_t groups)
{
    return (lam_conv){.in_h = fit->in[0],
                      .in_w = fit->in[1],
                      .in_c = fit->channels,
                      .out_h = fit->out[0],
                      .out_w = fit->out[1],
                      .out_c = filters,
                      .kernel_h = window->size[0],
                      .kernel_w = window->size[1],
                      .stride_h = window->stride[0],
                      .stride_w = window->stride[1],
                      .dilation_h = window->dilation[0],
                      .dilation_w = window->dilation[1],
                      .pad_top = fit->pad[0],
                      .pad_left = fit->pad[1],
                      .groups = groups};
}

lam_shape lam_conv_kernel_shape(const lam_window *window, size_t in, size_t out)
{
    return window->rank == 1
               ? (lam_shape){.rank = 3, .dim = {window->size[1], in, out}}
               : (lam_shape){.rank = 4, .dim = {window->size[0], window->size[1], in, out}};
}

double lam_conv_work(const lam_conv *conv)
{
    return (double)conv->out_h * (double)conv->out_w * (double)conv->out_c * (double)conv->kernel_h *
           (double)conv->kernel_w * (double)(conv->in_c / conv->groups);
}

lam_status lam_conv_layer_add_bias(lam_layer *layer, lam_error *err)
{
    const lam_conv_layer *c = layer->config;
    if (!c->use_bias)
        return LAM_OK;
    lam_shape shape = lam_shape_1(lam_shape_last(&layer->out));
    return lam_layer_add_weight(layer, "bias", shape, true, &c->bias, err);
}

size_t lam_conv_layer_z_bytes(const lam_layer *layer)
{
    const lam_conv_layer *c = layer->config;
    return lam_activation_needs_x(&c->act) ? lam_shape_count(&layer->out) * sizeof(float) : 0;
}

size_t lam_conv_layer_dz_bytes(const lam_layer *layer)
{
    const lam_conv_layer *c = layer->config;
    return c->act.id != LAM_ACT_linear ? lam_shape_count(&layer->out) * sizeof(float) : 0;
}

void lam_conv_layer_memory(lam_layer *layer)
{
    const lam_conv_layer *c = layer->config;
    bool needs_y = lam_activation_type_of(c->act.id)->needs_y;
    layer->flags = LAM_LAYER_NEEDS_X | (needs_y ? LAM_LAYER_NEEDS_Y : 0);
    layer->cache_row = lam_conv_layer_z_bytes(layer);
    layer->scratch_row = lam_conv_layer_dz_bytes(layer);
}

const lam_activation *lam_conv_layer_act(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    return pass->linear || c->act.id == LAM_ACT_linear ? NULL : &c->act;
}

float *lam_conv_layer_z(const lam_layer *layer, const lam_pass *pass)
{
    const lam_activation *act = lam_conv_layer_act(layer, pass);
    return act && pass->backward_follows && lam_activation_needs_x(act) ? (float *)pass->cache
                                                                        : NULL;
}

/* Positions of the output, over all samples of the pass. */
static size_t positions(const lam_layer *layer, const lam_pass *pass)
{
    return pass->rows * (layer->out_count / lam_shape_last(&layer->out));
}

void lam_conv_layer_run(const lam_layer *layer, const lam_pass *pass, const lam_conv *conv,
                        const float *x, const char *prepared)
{
    const lam_conv_layer *c = layer->config;
    const float *bias = c->use_bias ? lam_w(layer, pass, layer->n_weights - 1) : NULL;
    const lam_activation *act = lam_conv_layer_act(layer, pass);
    bool by_row = act && lam_activation_type_of(act->id)->by_row;
    lam_conv_forward(conv, pass->rows, x, prepared, bias, by_row ? NULL : act,
                     lam_conv_layer_z(layer, pass), pass->y);
    if (by_row)
        lam_activation_forward(act, positions(layer, pass), conv->out_c, pass->y, pass->y);
}

const float *lam_conv_layer_slope(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    const lam_activation *act = lam_conv_layer_act(layer, pass);
    size_t n = positions(layer, pass), channels = lam_shape_last(&layer->out);
    const float *dz = pass->dy;
    if (act) {
        float *out = (float *)pass->scratch;
        lam_activation_backward(act, n, channels, (const float *)pass->cache, pass->y, pass->dy,
                                out);
        dz = out;
    }
    float *dbias = c->use_bias ? lam_g(layer, pass, layer->n_weights - 1) : NULL;
    if (dbias)
        lam_colsum(n, channels, dz, dbias, pass->add);
    return dz;
}

int lam_conv_uses(const lam_pass *pass)
{
    return pass->backward_follows ? LAM_CONV_ALL_USES : LAM_CONV_FORWARD;
}

/* ---- a layer that is one convolution ------------------------------------------------------- */

lam_status lam_conv_layer_build(lam_layer *layer, lam_shape kernel, lam_error *err)
{
    const lam_conv_layer *c = layer->config;
    lam_conv_layer_memory(layer);
    layer->prepared = lam_conv_prepared_size(&c->conv, LAM_CONV_ALL_USES);
    layer->work = lam_conv_work(&c->conv);
    LAM_TRY(lam_layer_add_weight(layer, "kernel", kernel, true, &c->kernel, err));
    return lam_conv_layer_add_bias(layer, err);
}

void lam_conv_layer_prepare(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    lam_conv_prepare(&c->conv, lam_conv_uses(pass), lam_w(layer, pass, 0), pass->prepared);
}

void lam_conv_layer_forward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    lam_conv_layer_run(layer, pass, &c->conv, pass->x, pass->prepared);
}

void lam_conv_layer_backward(const lam_layer *layer, const lam_pass *pass)
{
    const lam_conv_layer *c = layer->config;
    const float *dz = lam_conv_layer_slope(layer, pass);
    float *dkernel = lam_g(layer, pass, 0);
    if (dkernel)
        lam_conv_kernel_gradient(&c->conv, pass->rows, pass->x, dz, dkernel, pass->add);
    if (pass->dx)
        lam_conv_input_gradient(&c->conv, pass->rows, dz, pass->prepared, pass->dx);
}

const lam_activation *lam_conv_layer_closing(const lam_layer *layer)
{
    const lam_conv_layer *c = layer->config;
    return &c->act;
}
