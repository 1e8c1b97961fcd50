/* alpha_dropout (Klambauer, Unterthiner, Mayr, Hochreiter, "Self-normalizing neural networks",
 * NeurIPS 2017): dropped numbers become alpha' = -1.7580993408473766, the limit of selu, and
 * y = a * x' + b restores mean 0 and variance 1, with
 *     a = 1 / sqrt((1 - rate) (1 + rate alpha'^2)),   b = -a alpha' rate. */
#include "nn/layers/drop.h"
#include "nn/layers/identity.h"

static const double alpha_p = -1.6732632423543772 * 1.0507009873554805;

typedef struct alpha_dropout {
    lam_drop drop; /* first: it is read as a lam_drop */
    float a, b, dropped;
} alpha_dropout;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    alpha_dropout *d = layer->config;
    LAM_TRY(lam_drop_read(&d->drop, args, true, "layer_alpha_dropout()", err));
    if (d->drop.rate >= 1.0f)
        return lam_fail_arg(err, LAM_EARGUMENT, "rate", "a number of at least 0 and below 1", "%g",
                            (double)d->drop.rate);
    double rate = d->drop.rate;
    double a = 1.0 / sqrt((1.0 - rate) * (1.0 + rate * alpha_p * alpha_p));
    d->a = (float)a;
    d->b = (float)(-a * alpha_p * rate);
    d->dropped = (float)(a * alpha_p * (1.0 - rate)); /* a alpha' + b */
    return LAM_OK;
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    alpha_dropout *d = layer->config;
    return lam_drop_build(&d->drop, layer, err);
}

/* y = mask ? a x + b : dropped */
static void apply(const alpha_dropout *d, const lam_pass *pass, const float *x, float b,
                  float dropped, float *y)
{
    const lam_view *view = &d->drop.view;
    for (size_t row = 0; row < pass->rows; row++)
        for (size_t run = 0; run < view->runs; run++, x += view->length, y += view->length) {
            const uint8_t *mask = lam_drop_mask(&d->drop, pass, row) + lam_view_at(view, run);
            for (size_t j = 0; j < view->length; j++)
                y[j] = mask[j * view->stride] ? d->a * x[j] + b : dropped;
        }
}

static bool active(const alpha_dropout *d, const lam_pass *pass)
{
    return pass->training && d->drop.rate > 0.0f;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const alpha_dropout *d = layer->config;
    if (!active(d, pass)) {
        lam_identity_forward(layer, pass);
        return;
    }
    lam_drop_draw(&d->drop, layer, pass);
    apply(d, pass, pass->x, d->b, d->dropped, pass->y);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const alpha_dropout *d = layer->config;
    if (!pass->dx)
        return;
    if (active(d, pass))
        apply(d, pass, pass->dy, 0.0f, 0.0f, pass->dx);
    else
        lam_identity_backward(layer, pass);
}

const lam_layer_type lam_layer_alpha_dropout = {
    .name = "alpha_dropout",
    .config_size = sizeof(alpha_dropout),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
