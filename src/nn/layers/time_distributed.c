/* time_distributed: the same layer at every step of (steps, ...).  The layer inside sees rows x
 * steps samples, one behind the other, as they stand in memory.
 *
 * A mask of one byte a step is handed on; the layer inside gets it only where each of its samples
 * is one step (batch normalization heeds it).  Of a mask that reaches into the steps, (steps, inner
 * steps), the layer inside gets its part; when it ends there, a step counts if any of its inner
 * steps does. */
#include "nn/layers/inner.h"

typedef struct time_distributed {
    lam_layer inner;
    size_t steps;
    bool any; /* the mask that leaves is made of any inner step that counts */
} time_distributed;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {{.name = "layer", .kind = LAM_FIELD_SPEC, .required = true}};
    time_distributed *t = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), t, "layer_time_distributed()", err));
    return lam_inner_init(&t->inner, args, "layer", err);
}

static void release(lam_layer *layer)
{
    time_distributed *t = layer->config;
    lam_layer_free(&t->inner);
}

static size_t inner_mask(const lam_layer *layer, size_t steps)
{
    size_t each = layer->mask_in % steps == 0 ? layer->mask_in / steps : 0;
    return each > 1 || layer->in.rank == 2 ? each : 0;
}

static void build_mask(lam_layer *layer, time_distributed *t)
{
    const lam_layer *inner = &t->inner;
    bool carried = layer->mask_in == t->steps || (inner->flags & LAM_LAYER_CARRIES_MASK);
    t->any = false;
    if (inner->flags & LAM_LAYER_USES_MASK)
        layer->flags |= LAM_LAYER_USES_MASK;
    if (inner->mask_out > 0 && !(inner->flags & LAM_LAYER_CARRIES_MASK)) {
        layer->mask_out = t->steps * inner->mask_out;
    } else if (layer->mask_in > 0 && carried) {
        layer->flags |= LAM_LAYER_CARRIES_MASK;
    } else if (inner->mask_in > 0 && (inner->flags & LAM_LAYER_USES_MASK)) {
        t->any = true;
        layer->mask_out = t->steps;
    }
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    time_distributed *t = layer->config;
    lam_layer *inner = &t->inner;
    if (layer->in.rank < 2) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE, "Layer %s needs samples of shape (steps, ...), not %s.",
                        layer->name, lam_shape_text(&layer->in, text, sizeof text));
    }
    lam_shape in = lam_shape_of(layer->in.rank - 1, layer->in.dim + 1);
    t->steps = layer->in.dim[0];
    inner->mask_in = inner_mask(layer, t->steps);
    LAM_TRY(lam_inner_build(inner, layer, &in, 0, "", err));
    if (inner->out.rank + 1 >= LAM_MAX_RANK)
        return lam_fail(err, LAM_ESHAPE, "Layer %s would give samples of more than %d dimensions.",
                        layer->name, LAM_MAX_RANK - 1);
    layer->out.rank = inner->out.rank + 1;
    layer->out.dim[0] = t->steps;
    for (int i = 0; i < inner->out.rank; i++)
        layer->out.dim[i + 1] = inner->out.dim[i];
    layer->flags = inner->flags & (LAM_LAYER_INPLACE | LAM_LAYER_NEEDS_X | LAM_LAYER_NEEDS_Y |
                                   LAM_LAYER_WHOLE_BATCH | LAM_LAYER_ASKS_RANKS);
    layer->cache_row = t->steps * inner->cache_row;
    layer->cache_fixed = inner->cache_fixed;
    layer->scratch_row = t->steps * inner->scratch_row;
    layer->scratch_fixed = inner->scratch_fixed;
    layer->prepared = inner->prepared;
    layer->work = (double)t->steps * inner->work;
    layer->work_inside = (double)t->steps * inner->work_inside;
    build_mask(layer, t);
    return LAM_OK;
}

static void placed(lam_layer *layer)
{
    time_distributed *t = layer->config;
    lam_inner_place(&t->inner, layer, 0);
}

static const lam_activation *closing(const lam_layer *layer)
{
    const time_distributed *t = layer->config;
    return t->inner.type->closing ? t->inner.type->closing(&t->inner) : NULL;
}

static lam_pass pass_inside(const lam_layer *layer, const lam_pass *pass)
{
    const time_distributed *t = layer->config;
    lam_pass p = lam_inner_pass(layer, pass);
    p.rows *= t->steps;
    p.first_row *= t->steps;
    p.mask = t->inner.mask_in ? pass->mask : NULL;
    p.mask_out = t->any ? NULL : pass->mask_out;
    return p;
}

static void prepare(const lam_layer *layer, const lam_pass *pass)
{
    time_distributed *t = layer->config;
    lam_pass p = pass_inside(layer, pass);
    lam_inner_prepare(&t->inner, layer, &p);
}

static void mark_any(const time_distributed *t, const lam_pass *pass)
{
    size_t each = t->inner.mask_in;
    for (size_t i = 0; i < pass->rows * t->steps; i++) {
        unsigned char any = !pass->mask;
        for (size_t j = 0; pass->mask && j < each; j++)
            any |= pass->mask[i * each + j];
        pass->mask_out[i] = any;
    }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const time_distributed *t = layer->config;
    lam_pass p = pass_inside(layer, pass);
    t->inner.type->forward(&t->inner, &p);
    if (t->any && pass->mask_out)
        mark_any(t, pass);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const time_distributed *t = layer->config;
    lam_pass p = pass_inside(layer, pass);
    t->inner.type->backward(&t->inner, &p);
}

const lam_layer_type lam_layer_time_distributed = {
    .name = "time_distributed",
    .config_size = sizeof(time_distributed),
    .configure = configure,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .closing = closing,
    .placed = placed,
    .release = release,
};
