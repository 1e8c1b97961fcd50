/* activation: y = activation(x), number by number or, for softmax and its kin, along `axis`: the
 * last by default; it counts from 1 with the batch as the first, or from the end with -1. */
#include "nn/layer.h"
#include "nn/layers/identity.h"
#include "nn/layers/view.h"

typedef struct activation {
    lam_activation act;
    int axis;
    size_t n;   /* numbers along the axis */
    bool moved; /* the axis is not the last: each sample is worked on in a transposed copy */
    lam_view view;
} activation;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "activation", .kind = LAM_FIELD_SPEC},
        {.name = "axis", .kind = LAM_FIELD_INT, .offset = offsetof(activation, axis)},
    };
    activation *a = layer->config;
    a->axis = -1;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), a, "layer_activation()", err));
    return lam_args_activation(args, "activation", &a->act, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    activation *a = layer->config;
    const lam_activation_type *type = lam_activation_type_of(a->act.id);
    bool needs_x = lam_activation_needs_x(&a->act);
    int rank = layer->in.rank;
    a->n = lam_shape_last(&layer->in);
    a->moved = false;
    if (type->by_row && a->axis != -1) {
        int at = a->axis < 0 ? rank + a->axis : a->axis - 2;
        if (at < 0 || at >= rank) {
            char text[128];
            return lam_fail_arg(err, LAM_ESHAPE, "axis",
                                "a dimension of the input, the batch left out",
                                "%d, where a sample of layer %s has shape %s", a->axis, layer->name,
                                lam_shape_text(&layer->in, text, sizeof text));
        }
        size_t order[LAM_MAX_RANK];
        for (int i = 0; i < rank; i++)
            order[i] = (size_t)(i < at ? i : i + 1 < rank ? i + 1 : at);
        a->n = layer->in.dim[at];
        a->moved = at != rank - 1;
        a->view = lam_view_permuted(&layer->in, order);
    }
    if (a->moved)
        layer->scratch_fixed = 3 * layer->in_count * sizeof(float);
    layer->flags =
        (needs_x ? LAM_LAYER_NEEDS_X : LAM_LAYER_INPLACE) | (type->needs_y ? LAM_LAYER_NEEDS_Y : 0) |
        (a->moved || type->by_row ? 0 : LAM_LAYER_ACTIVATION) | LAM_LAYER_CARRIES_MASK;
    return LAM_OK;
}

static const lam_activation *closing(const lam_layer *layer)
{
    const activation *a = layer->config;
    return a->moved ? NULL : &a->act;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const activation *a = layer->config;
    size_t count = layer->in_count, groups = count / a->n;
    if (pass->linear) {
        lam_identity_forward(layer, pass);
    } else if (!a->moved) {
        lam_activation_forward(&a->act, pass->rows * groups, a->n, pass->x, pass->y);
    } else {
        float *turned = (float *)pass->scratch;
        for (size_t row = 0; row < pass->rows; row++) {
            lam_view_gather(&a->view, pass->x + row * count, turned);
            lam_activation_forward(&a->act, groups, a->n, turned, turned);
            lam_view_scatter(&a->view, turned, pass->y + row * count);
        }
    }
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const activation *a = layer->config;
    size_t count = layer->in_count, groups = count / a->n;
    if (!pass->dx)
        return;
    if (pass->linear) {
        lam_identity_backward(layer, pass);
    } else if (!a->moved) {
        lam_activation_backward(&a->act, pass->rows * groups, a->n, pass->x, pass->y, pass->dy,
                                pass->dx);
    } else {
        float *x = (float *)pass->scratch, *y = x + count, *dy = y + count;
        for (size_t row = 0; row < pass->rows; row++) {
            if (layer->flags & LAM_LAYER_NEEDS_X)
                lam_view_gather(&a->view, pass->x + row * count, x);
            if (layer->flags & LAM_LAYER_NEEDS_Y)
                lam_view_gather(&a->view, pass->y + row * count, y);
            lam_view_gather(&a->view, pass->dy + row * count, dy);
            lam_activation_backward(&a->act, groups, a->n, x, y, dy, dy);
            lam_view_scatter(&a->view, dy, pass->dx + row * count);
        }
    }
}

const lam_layer_type lam_layer_activation = {
    .name = "activation",
    .config_size = sizeof(activation),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
    .closing = closing,
};
