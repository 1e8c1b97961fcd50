#include "nn/layer.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define LAM_LAYER(name) extern const lam_layer_type lam_layer_##name;
#include "nn/layers.def"
#undef LAM_LAYER

const lam_layer_type *const lam_layer_types[] = {
#define LAM_LAYER(name) &lam_layer_##name,
#include "nn/layers.def"
#undef LAM_LAYER
    NULL};

const lam_layer_type *lam_layer_type_find(const char *name)
{
    for (size_t i = 0; lam_layer_types[i]; i++)
        if (strcmp(lam_layer_types[i]->name, name) == 0)
            return lam_layer_types[i];
    return NULL;
}

lam_status lam_weight_options_read(const lam_args *args, const char *prefix,
                                   lam_initializer_id default_init, lam_weight_options *options,
                                   lam_error *err)
{
    char name[64];
    lam_spec spec;
    *options = (lam_weight_options){.init = {.id = default_init}};
    snprintf(name, sizeof name, "%s_initializer", prefix);
    LAM_TRY(lam_args_spec(args, name, &spec, err));
    if (!spec.type)
        spec.type = lam_initializer_name(default_init);
    LAM_TRY(lam_initializer_read(&spec, &options->init, err));
    snprintf(name, sizeof name, "%s_regularizer", prefix);
    LAM_TRY(lam_args_spec(args, name, &spec, err));
    if (spec.type)
        LAM_TRY(lam_regularizer_read(&spec, &options->reg, err));
    snprintf(name, sizeof name, "%s_constraint", prefix);
    LAM_TRY(lam_args_spec(args, name, &spec, err));
    if (spec.type)
        LAM_TRY(lam_constraint_read(&spec, &options->constraint, err));
    return LAM_OK;
}

lam_status lam_args_activation(const lam_args *args, const char *name, lam_activation *act,
                               lam_error *err)
{
    lam_spec spec;
    LAM_TRY(lam_args_spec(args, name, &spec, err));
    *act = (lam_activation){.id = LAM_ACT_linear};
    if (!spec.type)
        return LAM_OK;
    act->id = lam_activation_find(spec.type);
    if (act->id == LAM_ACT_COUNT)
        return lam_fail_arg(err, LAM_EARGUMENT, name, "the name of an activation", "\"%s\"", spec.type);
    const lam_activation_type *type = lam_activation_type_of(act->id);
    lam_field fields[LAM_ACT_PARAMS];
    size_t n = 0;
    for (; n < LAM_ACT_PARAMS && type->par_name[n]; n++) {
        act->par[n] = type->par_default[n];
        fields[n] = (lam_field){.name = type->par_name[n], .kind = LAM_FIELD_FLOAT,
                                .offset = offsetof(lam_activation, par) + n * sizeof(float)};
    }
    return lam_args_read(&spec.config, fields, n, act, type->name, err);
}

lam_status lam_layer_add_weight(lam_layer *layer, const char *name, lam_shape shape, bool trainable,
                                const lam_weight_options *options, lam_error *err)
{
    if (layer->n_weights == LAM_MAX_WEIGHTS)
        return lam_fail(err, LAM_ESTATE, "Layer %s has too many weights.", layer->name);
    lam_weight *w = &layer->weight[layer->n_weights++];
    snprintf(w->name, sizeof w->name, "%s", name);
    w->shape = shape;
    w->count = lam_shape_count(&shape);
    w->trainable = trainable;
    w->init = options->init;
    w->reg = options->reg;
    w->constraint = options->constraint;
    return lam_constraint_check(&w->constraint, &w->shape, err);
}

lam_status lam_layer_init(lam_layer *layer, const lam_layer_type *type, const lam_args *args,
                          lam_error *err)
{
    void *config = NULL;
    *layer = (lam_layer){.type = type, .trainable = true};
    LAM_TRY(lam_new(&config, 1, type->config_size, "a layer's configuration", err));
    layer->config = config;
    lam_status status = type->configure(layer, args, err);
    if (status != LAM_OK)
        lam_layer_free(layer);
    return status;
}

lam_status lam_layer_build(lam_layer *layer, const lam_shape *in, lam_error *err)
{
    layer->in = layer->out = *in;
    layer->in_count = lam_shape_count(in);
    layer->n_weights = layer->n_extra = 0;
    layer->flags = 0;
    layer->prepared = layer->mask_out = 0;
    layer->work = layer->work_inside = 0;
    layer->cache_row = layer->cache_fixed = layer->scratch_row = layer->scratch_fixed = 0;
    LAM_TRY(layer->type->build(layer, err));
    if (layer->flags & LAM_LAYER_CARRIES_MASK)
        layer->mask_out = layer->mask_in;
    layer->out_count = lam_shape_count(&layer->out);
    if (layer->out_count == 0 || layer->out_count > (size_t)1 << 40) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE, "Layer %s would give an output of shape %s.", layer->name,
                        lam_shape_text(&layer->out, text, sizeof text));
    }
    return LAM_OK;
}

void lam_layer_free(lam_layer *layer)
{
    if (layer->config && layer->type->release)
        layer->type->release(layer);
    lam_free(layer->config);
    layer->config = NULL;
}
