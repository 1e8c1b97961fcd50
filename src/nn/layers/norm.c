#include "nn/layers/norm.h"

lam_status lam_norm_axis(lam_norm *norm, const lam_args *args, size_t most, lam_error *err)
{
    const lam_arg *axis = lam_args_get(args, "axis");
    norm->n_axis = 1;
    norm->axis[0] = -1;
    if (!axis)
        return LAM_OK;
    if (axis->kind != LAM_ARG_NUMBERS || axis->n < 1 || axis->n > most)
        return lam_fail_arg(err, LAM_EARGUMENT, "axis",
                            most == 1 ? "a whole number" : "1 to 5 whole numbers", "%zu value(s)",
                            axis->n);
    norm->n_axis = (int)axis->n;
    for (size_t i = 0; i < axis->n; i++)
        norm->axis[i] = axis->numbers[i];
    return LAM_OK;
}

lam_status lam_norm_weights(lam_norm *norm, const lam_args *args, lam_error *err)
{
    LAM_TRY(lam_weight_options_read(args, "gamma", LAM_INIT_ones, &norm->gamma, err));
    return lam_weight_options_read(args, "beta", LAM_INIT_zeros, &norm->beta, err);
}

lam_status lam_norm_find_axes(const lam_norm *norm, const lam_layer *layer, unsigned *axes,
                              lam_error *err)
{
    int rank = layer->in.rank;
    *axes = 0;
    for (int i = 0; i < norm->n_axis; i++) {
        double at = norm->axis[i] < 0 ? rank + norm->axis[i] : norm->axis[i] - 2;
        if (!(at >= 0 && at < rank && at == (double)(int)at)) {
            char text[128];
            return lam_fail_arg(err, LAM_ESHAPE, "axis",
                                "a dimension of the input, the batch left out",
                                "%g, where a sample of layer %s has shape %s", norm->axis[i],
                                layer->name, lam_shape_text(&layer->in, text, sizeof text));
        }
        *axes |= 1u << (int)at;
    }
    return LAM_OK;
}

lam_status lam_norm_add_weights(lam_norm *norm, lam_layer *layer, lam_shape shape, lam_error *err)
{
    norm->gamma_at = norm->beta_at = -1;
    if (norm->scale) {
        norm->gamma_at = layer->n_weights;
        LAM_TRY(lam_layer_add_weight(layer, "gamma", shape, true, &norm->gamma, err));
    }
    if (norm->center) {
        norm->beta_at = layer->n_weights;
        LAM_TRY(lam_layer_add_weight(layer, "beta", shape, true, &norm->beta, err));
    }
    return LAM_OK;
}

lam_channels lam_norm_channels(const lam_shape *in, unsigned axes)
{
    lam_channels a = {1, 1, 1};
    for (int i = 0; i < in->rank; i++)
        *(axes >> i & 1 ? &a.channels : axes >> i ? &a.outer : &a.inner) *= in->dim[i];
    return a;
}

lam_norm_rows lam_norm_rows_of(const lam_shape *in, unsigned axes)
{
    size_t order[LAM_MAX_RANK];
    lam_norm_rows r = {.rows = 1, .length = 1, .in_order = true};
    int n = 0;
    for (int along = 0; along < 2; along++)
        for (int i = 0; i < in->rank; i++)
            if ((int)(axes >> i & 1) == along) {
                *(along ? &r.length : &r.rows) *= in->dim[i];
                order[n++] = (size_t)i;
            }
    for (int i = 0; i < n; i++)
        r.in_order &= order[i] == (size_t)i;
    r.view = lam_view_permuted(in, order);
    return r;
}
