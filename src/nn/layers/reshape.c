/* reshape: another shape for the same numbers, row-major.  One dimension may be -1: whatever is
 * left over. */
#include "base/alloc.h"
#include "nn/layers/identity.h"

typedef struct reshape {
    int rank;
    double dim[LAM_MAX_RANK]; /* as given, -1 included */
} reshape;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "target_shape", .kind = LAM_FIELD_ANY, .required = true},
    };
    static const char expected[] = "up to 5 whole numbers of at least 1, one of which may be -1";
    reshape *r = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_reshape()", err));
    const lam_arg *target = lam_args_get(args, "target_shape");
    if (target->kind != LAM_ARG_NUMBERS || target->n < 1 || target->n > LAM_MAX_RANK)
        return lam_fail_arg(err, LAM_EARGUMENT, "target_shape", expected, "%zu value(s)",
                            target->n);
    int open = 0;
    for (size_t i = 0; i < target->n; i++) {
        double d = target->numbers[i];
        open += d == -1;
        if (!(d == -1 || (d >= 1 && d <= 9e15 && d == (double)(size_t)d)) || open > 1)
            return lam_fail_arg(err, LAM_EARGUMENT, "target_shape", expected, "%g at place %zu", d,
                                i + 1);
        r->dim[r->rank++] = d;
    }
    return LAM_OK;
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    const reshape *r = layer->config;
    size_t known = 1;
    for (int i = 0; i < r->rank; i++)
        if (r->dim[i] > 0)
            known = lam_mul(known, (size_t)r->dim[i]);
    layer->out.rank = r->rank;
    for (int i = 0; i < r->rank; i++)
        layer->out.dim[i] = r->dim[i] > 0 ? (size_t)r->dim[i] : layer->in_count / known;
    if (lam_shape_count(&layer->out) != layer->in_count) {
        char text[128];
        return lam_fail_arg(err, LAM_ESHAPE, "target_shape",
                            "a shape with as many numbers as the input",
                            "one that does not fit the input shape %s of layer %s",
                            lam_shape_text(&layer->in, text, sizeof text), layer->name);
    }
    layer->flags = LAM_LAYER_INPLACE;
    return LAM_OK;
}

const lam_layer_type lam_layer_reshape = {
    .name = "reshape",
    .config_size = sizeof(reshape),
    .configure = configure,
    .build = build,
    .forward = lam_identity_forward,
    .backward = lam_identity_backward,
};
