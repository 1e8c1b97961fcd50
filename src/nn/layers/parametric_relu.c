/* parametric_relu: y = x where x > 0, alpha x elsewhere (He, Zhang, Ren, Sun, "Delving deep into
 * rectifiers", ICCV 2015).  alpha is learned; it has the shape of a sample, with 1 along the shared
 * axes (counted from 1, the batch left out). */
#include <string.h>

#include "nn/layer.h"
#include "nn/layers/view.h"

typedef struct parametric_relu {
    lam_weight_options alpha;
    int n_shared;
    double shared[LAM_MAX_RANK];
    lam_view view;
} parametric_relu;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_WEIGHT_FIELDS("alpha"),
        {.name = "shared_axes", .kind = LAM_FIELD_ANY},
    };
    parametric_relu *p = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), p, "layer_activation_parametric_relu()",
                          err));
    const lam_arg *shared = lam_args_get(args, "shared_axes");
    if (shared && (shared->kind != LAM_ARG_NUMBERS || shared->n > LAM_MAX_RANK))
        return lam_fail_arg(err, LAM_EARGUMENT, "shared_axes", "up to 5 whole numbers",
                            "%zu value(s)", shared->n);
    for (size_t i = 0; shared && i < shared->n; i++)
        p->shared[p->n_shared++] = shared->numbers[i];
    return lam_weight_options_read(args, "alpha", LAM_INIT_zeros, &p->alpha, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    parametric_relu *p = layer->config;
    lam_shape shape = layer->in;
    unsigned kept = (1u << shape.rank) - 1u;
    for (int i = 0; i < p->n_shared; i++) {
        double axis = p->shared[i];
        if (!(axis >= 1 && axis <= shape.rank && axis == (double)(int)axis)) {
            char text[128];
            return lam_fail_arg(err, LAM_ESHAPE, "shared_axes",
                                "dimensions of the input, the batch left out",
                                "%g, where a sample of layer %s has shape %s", axis, layer->name,
                                lam_shape_text(&shape, text, sizeof text));
        }
        kept &= ~(1u << ((int)axis - 1));
        shape.dim[(int)axis - 1] = 1;
    }
    size_t count;
    p->view = lam_view_broadcast(&layer->in, kept, &count);
    layer->scratch_fixed = count * sizeof(double); /* the gradient of alpha, summed in double */
    layer->flags = LAM_LAYER_NEEDS_X | LAM_LAYER_CARRIES_MASK;
    return lam_layer_add_weight(layer, "alpha", shape, true, &p->alpha, err);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const parametric_relu *p = layer->config;
    const lam_view *view = &p->view;
    const float *x = pass->x;
    float *y = pass->y;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, x += view->length, y += view->length) {
            const float *alpha = lam_w(layer, pass, 0) + lam_view_at(view, run);
            for (size_t j = 0; j < view->length; j++)
                y[j] = x[j] > 0.0f ? x[j] : alpha[j * view->stride] * x[j];
        }
}

static void backward_x(const lam_layer *layer, const lam_pass *pass)
{
    const parametric_relu *p = layer->config;
    const lam_view *view = &p->view;
    const float *x = pass->x, *dy = pass->dy;
    float *dx = pass->dx;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++) {
            const float *alpha = lam_w(layer, pass, 0) + lam_view_at(view, run);
            for (size_t j = 0; j < view->length; j++)
                dx[j] = x[j] > 0.0f ? dy[j] : alpha[j * view->stride] * dy[j];
            x += view->length;
            dy += view->length;
            dx += view->length;
        }
}

static void backward_alpha(const lam_layer *layer, const lam_pass *pass, float *dalpha)
{
    const parametric_relu *p = layer->config;
    const lam_view *view = &p->view;
    const float *x = pass->x, *dy = pass->dy;
    size_t count = layer->weight[0].count;
    double *sum = (double *)pass->scratch;
    memset(sum, 0, count * sizeof *sum);
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, x += view->length, dy += view->length) {
            double *to = sum + lam_view_at(view, run);
            for (size_t j = 0; j < view->length; j++)
                to[j * view->stride] += x[j] > 0.0f ? 0.0 : (double)x[j] * dy[j];
        }
    for (size_t i = 0; i < count; i++)
        dalpha[i] = (float)(pass->add ? dalpha[i] + sum[i] : sum[i]);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    float *dalpha = lam_g(layer, pass, 0);
    if (dalpha)
        backward_alpha(layer, pass, dalpha);
    if (pass->dx)
        backward_x(layer, pass);
}

const lam_layer_type lam_layer_parametric_relu = {
    .name = "parametric_relu",
    .config_size = sizeof(parametric_relu),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
