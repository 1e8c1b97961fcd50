#include "nn/layers/inner.h"

#include <stdio.h>

lam_status lam_inner_init(lam_layer *inner, const lam_args *args, const char *name, lam_error *err)
{
    lam_spec spec;
    LAM_TRY(lam_args_spec(args, name, &spec, err));
    const lam_layer_type *type = spec.type ? lam_layer_type_find(spec.type) : NULL;
    if (!type)
        return lam_fail_arg(err, LAM_EARGUMENT, name, "a layer that the core has", "\"%s\"",
                            spec.type ? spec.type : "");
    return lam_layer_init(inner, type, &spec.config, err);
}

lam_status lam_inner_build(lam_layer *inner, lam_layer *outer, const lam_shape *in, int stream,
                           const char *prefix, lam_error *err)
{
    snprintf(inner->name, sizeof inner->name, "%s", outer->name);
    inner->index = outer->index;
    inner->stream = outer->stream + stream;
    LAM_TRY(lam_layer_build(inner, in, err));
    if (outer->n_weights + inner->n_weights > LAM_MAX_WEIGHTS)
        return lam_fail(err, LAM_ESTATE, "Layer %s has too many weights.", outer->name);
    for (int i = 0; i < inner->n_weights; i++) {
        lam_weight *w = &outer->weight[outer->n_weights++];
        *w = inner->weight[i];
        snprintf(w->name, sizeof w->name, "%s%s", prefix, inner->weight[i].name);
    }
    return LAM_OK;
}

void lam_inner_place(lam_layer *inner, const lam_layer *outer, int first)
{
    for (int i = 0; i < inner->n_weights; i++)
        inner->weight[i].offset = outer->weight[first + i].offset;
    if (inner->type->placed)
        inner->type->placed(inner);
}

void lam_inner_prepare(lam_layer *inner, const lam_layer *outer, const lam_pass *pass)
{
    inner->trainable = outer->trainable;
    if (inner->type->prepare)
        inner->type->prepare(inner, pass);
}

lam_pass lam_inner_pass(const lam_layer *outer, const lam_pass *pass)
{
    lam_pass p = *pass;
    p.mask_out = NULL;
    p.extra = NULL;
    p.rectified = p.rectify = false;
    if (!outer->trainable)
        p.grads = NULL;
    return p;
}
