/* dense: y = activation(x W + b).  x is (rows, ..., k), W (k, units), b (units), y (rows, ...,
 * units): an input of higher rank is taken as that many more rows.
 *
 * An input in sparse form stays so.  Kept for backward: x, y where the activation's slope is a function of y, and the weighted sums z
 * (in the cache) where it is a function of z. */
#include "kernels/kernels.h"
#include "nn/layer.h"

typedef struct dense {
    size_t units;
    bool use_bias;
    lam_activation act;
    lam_weight_options kernel, bias;
} dense;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "units",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(dense, units),
         .min = 1,
         .max = 1e9,
         .required = true},
        {.name = "use_bias", .kind = LAM_FIELD_BOOL, .offset = offsetof(dense, use_bias)},
        {.name = "activation", .kind = LAM_FIELD_SPEC},
        LAM_WEIGHT_FIELDS("kernel"),
        LAM_WEIGHT_FIELDS("bias"),
    };
    dense *d = layer->config;
    d->use_bias = true;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), d, "layer_dense()", err));
    LAM_TRY(lam_args_activation(args, "activation", &d->act, err));
    LAM_TRY(lam_weight_options_read(args, "kernel", LAM_INIT_glorot_uniform, &d->kernel, err));
    return lam_weight_options_read(args, "bias", LAM_INIT_zeros, &d->bias, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    const dense *d = layer->config;
    if (layer->in.rank < 1)
        return lam_fail(err, LAM_ESHAPE,
                        "Layer %s needs an input of at least one dimension beside the samples.",
                        layer->name);
    size_t k = lam_shape_last(&layer->in);
    LAM_TRY(lam_layer_add_weight(layer, "kernel", lam_shape_2(k, d->units), true, &d->kernel, err));
    if (d->use_bias)
        LAM_TRY(lam_layer_add_weight(layer, "bias", lam_shape_1(d->units), true, &d->bias, err));
    layer->out.dim[layer->out.rank - 1] = d->units;
    layer->work = (double)layer->in_count * (double)d->units;

    layer->flags = LAM_LAYER_NEEDS_X | LAM_LAYER_GATES |
                   (lam_activation_type_of(d->act.id)->needs_y ? LAM_LAYER_NEEDS_Y : 0) |
                   (layer->in.rank > 1 ? LAM_LAYER_CARRIES_MASK : LAM_LAYER_TAKES_SPARSE);
    size_t out_bytes = lam_shape_count(&layer->out) * sizeof(float);
    if (lam_activation_needs_x(&d->act))
        layer->cache_row = out_bytes;
    if (d->act.id != LAM_ACT_linear)
        layer->scratch_row = out_bytes; /* dz */
    return LAM_OK;
}

static const lam_activation *closing(const lam_layer *layer)
{
    const dense *d = layer->config;
    return &d->act;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const dense *d = layer->config;
    size_t k = lam_shape_last(&layer->in);
    size_t rows = pass->rows * (layer->in_count / k);
    bool active = !pass->linear && d->act.id != LAM_ACT_linear;
    bool by_row = lam_activation_type_of(d->act.id)->by_row;
    bool keep_z = active && lam_activation_needs_x(&d->act);
    float *z = keep_z ? (float *)pass->cache : pass->y;
    if (pass->sparse.start) {
        lam_sparse_product(&pass->sparse, rows, d->units, lam_w(layer, pass, 0),
                           d->use_bias ? lam_w(layer, pass, 1) : NULL, z);
        if (active)
            lam_activation_forward(&d->act, rows, d->units, z, pass->y);
        return;
    }
    lam_gemm_run(&(lam_gemm){.form = LAM_NN,
                             .m = rows,
                             .n = d->units,
                             .k = k,
                             .a = pass->x,
                             .lda = k,
                             .b = lam_w(layer, pass, 0),
                             .ldb = d->units,
                             .c = z,
                             .ldc = d->units,
                             .bias = d->use_bias ? lam_w(layer, pass, 1) : NULL,
                             .act = active && !by_row ? &d->act : NULL,
                             .y = pass->y,
                             .bf16 = pass->bf16});
    if (active && by_row)
        lam_activation_forward(&d->act, rows, d->units, z, pass->y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const dense *d = layer->config;
    size_t k = lam_shape_last(&layer->in);
    size_t rows = pass->rows * (layer->in_count / k);
    const float *dz = pass->dy;
    if (!pass->linear && d->act.id != LAM_ACT_linear) {
        float *out = (float *)pass->scratch;
        lam_activation_backward(&d->act, rows, d->units, (const float *)pass->cache, pass->y,
                                pass->dy, out);
        dz = out;
    }
    float *dw = lam_g(layer, pass, 0);
    if (dw && pass->sparse.start)
        lam_sparse_gradient(&pass->sparse, rows, k, d->units, dz, pass->add, dw);
    else if (dw)
        lam_gemm_run(&(lam_gemm){.form = LAM_TN,
                                 .m = k,
                                 .n = d->units,
                                 .k = rows,
                                 .a = pass->x,
                                 .lda = k,
                                 .b = dz,
                                 .ldb = d->units,
                                 .c = dw,
                                 .ldc = d->units,
                                 .add = pass->add,
                                 .bf16 = pass->bf16});
    float *db = d->use_bias ? lam_g(layer, pass, 1) : NULL;
    if (db)
        lam_colsum(rows, d->units, dz, db, pass->add);
    if (pass->dx)
        lam_gemm_run(&(lam_gemm){.form = LAM_NT,
                                 .m = rows,
                                 .n = k,
                                 .k = d->units,
                                 .a = dz,
                                 .lda = d->units,
                                 .b = lam_w(layer, pass, 0),
                                 .ldb = d->units,
                                 .c = pass->dx,
                                 .ldc = k,
                                 .gate = pass->rectified ? pass->x : NULL,
                                 .bf16 = pass->bf16});
}

const lam_layer_type lam_layer_dense = {
    .name = "dense",
    .config_size = sizeof(dense),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
    .closing = closing,
};
