/* permute: the dimensions of each sample in another order.  dims = c(2, 1) transposes; they count
 * from 1 and leave the batch out. */
#include "nn/layer.h"
#include "nn/layers/view.h"

typedef struct permute {
    int rank;
    size_t order[LAM_MAX_RANK]; /* from 0 */
    lam_view view;
} permute;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "dims", .kind = LAM_FIELD_ANY, .required = true},
    };
    static const char expected[] = "the numbers 1, 2, ... up to the rank of a sample, each once";
    permute *p = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), p, "layer_permute()", err));
    const lam_arg *dims = lam_args_get(args, "dims");
    if (dims->kind != LAM_ARG_NUMBERS || dims->n < 1 || dims->n > LAM_MAX_RANK)
        return lam_fail_arg(err, LAM_EARGUMENT, "dims", expected, "%zu value(s)", dims->n);
    unsigned seen = 0;
    for (size_t i = 0; i < dims->n; i++) {
        double d = dims->numbers[i];
        bool fits = d >= 1 && d <= (double)dims->n && d == (double)(int)d;
        if (!fits || (seen >> (int)d & 1))
            return lam_fail_arg(err, LAM_EARGUMENT, "dims", expected, "%g at place %zu", d, i + 1);
        seen |= 1u << (int)d;
        p->order[p->rank++] = (size_t)d - 1;
    }
    return LAM_OK;
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    permute *p = layer->config;
    if (layer->in.rank != p->rank) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE,
                        "Layer %s permutes %d dimensions, but its input has shape %s.", layer->name,
                        p->rank, lam_shape_text(&layer->in, text, sizeof text));
    }
    for (int i = 0; i < p->rank; i++)
        layer->out.dim[i] = layer->in.dim[p->order[i]];
    p->view = lam_view_permuted(&layer->in, p->order);
    return LAM_OK;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const permute *p = layer->config;
    for (size_t row = 0; row < pass->rows; row++)
        lam_view_gather(&p->view, pass->x + row * layer->in_count, pass->y + row * layer->in_count);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const permute *p = layer->config;
    if (!pass->dx)
        return;
    for (size_t row = 0; row < pass->rows; row++)
        lam_view_scatter(&p->view, pass->dy + row * layer->in_count,
                         pass->dx + row * layer->in_count);
}

const lam_layer_type lam_layer_permute = {
    .name = "permute",
    .config_size = sizeof(permute),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
