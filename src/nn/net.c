#include "nn/net.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { GRAIN = LAM_ALIGN / sizeof(float) };
/* Streams of a layer from here on draw its initial weights. */
enum { FIRST_WEIGHT_STREAM = 8 };

/* On failure the layer holds nothing. */
static lam_status configure_layer(lam_layer *layer, const lam_layer_spec *spec, lam_error *err)
{
    const lam_layer_type *type = lam_layer_type_find(spec->type);
    if (!type)
        return lam_fail_arg(err, LAM_EARGUMENT, "type", "a layer that the core has", "\"%s\"", spec->type);

    /* `activity_regularizer` belongs to every layer: the rest is the type's own. */
    lam_arg own[64];
    lam_args args = {0, own};
    lam_spec activity;
    for (size_t a = 0; a < spec->config.n; a++) {
        if (strcmp(spec->config.arg[a].name, "activity_regularizer") == 0)
            continue;
        if (args.n == LAM_COUNT(own))
            return lam_fail(err, LAM_EARGUMENT, "Layer %s has too many arguments.", spec->name);
        own[args.n++] = spec->config.arg[a];
    }
    LAM_TRY(lam_args_spec(&spec->config, "activity_regularizer", &activity, err));

    lam_regularizer penalty = {0};
    if (activity.type)
        LAM_TRY(lam_regularizer_read(&activity, &penalty, err));
    LAM_TRY(lam_layer_init(layer, type, &args, err));
    layer->activity = penalty;
    layer->trainable = spec->trainable;
    snprintf(layer->name, sizeof layer->name, "%s", spec->name);
    return LAM_OK;
}

lam_status lam_layer_spec_check(const lam_layer_spec *spec, lam_error *err)
{
    lam_layer layer;
    LAM_TRY(configure_layer(&layer, spec, err));
    lam_layer_free(&layer);
    return LAM_OK;
}

static lam_status make_layer(lam_net *net, int i, const lam_layer_spec *spec, const lam_shape *in, lam_error *err)
{
    lam_layer *layer = &net->layers[i];
    LAM_TRY(configure_layer(layer, spec, err));
    net->n_layers = i + 1;
    layer->index = i;
    layer->mask_in = i > 0 ? layer[-1].mask_out : 0;
    LAM_TRY(lam_layer_build(layer, in, err));
    if (layer->activity.l1 != 0 || layer->activity.l2 != 0)
        layer->flags |= LAM_LAYER_NEEDS_Y;
    for (int w = 0; w < layer->n_weights; w++) {
        layer->weight[w].offset = net->n;
        net->n = lam_mul(lam_add(net->n, layer->weight[w].count) / GRAIN + 1, GRAIN);
    }
    if (layer->type->placed)
        layer->type->placed(layer);
    return LAM_OK;
}

static lam_status fill_weights(lam_net *net, uint64_t seed, lam_error *err)
{
    for (int i = 0; i < net->n_layers; i++) {
        const lam_layer *layer = &net->layers[i];
        for (int w = 0; w < layer->n_weights; w++) {
            lam_rng rng = {.seed = seed, .stream = LAM_STREAM_LAYER((uint32_t)i, (uint32_t)(FIRST_WEIGHT_STREAM + w % 8)),
                           .step = (uint64_t)(w / 8)};
            LAM_TRY(lam_initializer_fill(&layer->weight[w].init, &layer->weight[w].shape, &rng,
                                         net->weights + layer->weight[w].offset, err));
        }
    }
    return LAM_OK;
}

lam_status lam_net_new(lam_net **out, const lam_layer_spec *specs, int n_layers,
                       const lam_shape *in, lam_error *err)
{
    lam_status status;
    void *p = NULL;
    *out = NULL;
    LAM_TRY(lam_new(&p, 1, sizeof(lam_net), "a network", err));
    lam_net *net = p;
    if ((status = lam_new(&p, (size_t)n_layers, sizeof(lam_layer), "the layers", err)) != LAM_OK)
        goto failed;
    net->layers = p;
    net->in = net->out = *in;
    for (int i = 0; i < n_layers; i++) {
        if ((status = make_layer(net, i, &specs[i], &net->out, err)) != LAM_OK)
            goto failed;
        net->out = net->layers[i].out;
    }
    *out = net;
    return LAM_OK;
failed:
    lam_net_free(net);
    return status;
}

static void free_training(lam_net *net)
{
    for (int s = 0; s < LAM_MAX_SLOTS; s++) {
        lam_free(net->slot[s]);
        net->slot[s] = NULL;
    }
    lam_free(net->ema);
    lam_free(net->accumulated);
    net->ema = net->accumulated = NULL;
    net->n_slots = 0;
}

void lam_net_free(lam_net *net)
{
    if (!net)
        return;
    for (int i = 0; i < net->n_layers; i++)
        lam_layer_free(&net->layers[i]);
    free_training(net);
    lam_free(net->layers);
    lam_free(net->weights);
    lam_free(net);
}

static void start_slots(lam_net *net)
{
    const lam_optimizer_type *type = net->optimizer.type;
    for (int s = 0; s < net->n_slots; s++) {
        float start = type->slot_start ? type->slot_start(&net->optimizer, s) : 0.0f;
        for (size_t i = 0; i < net->n; i++)
            net->slot[s][i] = start;
    }
    net->averaged = false;
    if (net->ema)
        memcpy(net->ema, net->weights, net->n * sizeof(float));
    if (net->accumulated)
        memset(net->accumulated, 0, net->n * sizeof(float));
    net->batches = 0;
}

lam_status lam_net_make_room(lam_net *net, lam_error *err)
{
    void *p = NULL;
    if (!net->weights)
        LAM_TRY(lam_new(&p, net->n, sizeof(float), "the weights", err));
    if (p)
        net->weights = p;
    return LAM_OK;
}

lam_status lam_net_initialize(lam_net *net, uint64_t seed, lam_error *err)
{
    LAM_TRY(lam_net_make_room(net, err));
    LAM_TRY(fill_weights(net, seed, err));
    net->seed = seed;
    if (net->compiled)
        start_slots(net);
    return LAM_OK;
}

lam_status lam_net_compile(lam_net *net, const lam_spec *optimizer, const lam_spec *loss,
                           bool sum_loss, lam_error *err)
{
    lam_optimizer o;
    lam_loss l = {0};
    void *p = NULL;
    lam_status status = LAM_OK;
    LAM_TRY(lam_optimizer_read(optimizer, &o, err));
    if (loss)
        LAM_TRY(lam_loss_read(loss, &l, err));

    lam_net next = *net;
    memset(next.slot, 0, sizeof next.slot);
    next.ema = next.accumulated = NULL;
    next.optimizer = o;
    next.loss = l;
    next.own_loss = loss == NULL;
    next.sum_loss = sum_loss;
    next.n_slots = o.type->slots(&o);
    for (int s = 0; s < next.n_slots && status == LAM_OK; s++)
        if ((status = lam_new(&p, net->n, sizeof(float), "the optimizer's state", err)) == LAM_OK)
            next.slot[s] = p;
    if (status == LAM_OK && o.use_ema && (status = lam_new(&p, net->n, sizeof(float), "the averaged weights", err)) == LAM_OK)
        next.ema = p;
    if (status == LAM_OK && o.accumulation > 1 && (status = lam_new(&p, net->n, sizeof(float), "accumulated gradients", err)) == LAM_OK)
        next.accumulated = p;
    if (status != LAM_OK) {
        free_training(&next);
        return status;
    }
    free_training(net);
    next.compiled = true;
    next.compilations++;
    *net = next;
    start_slots(net);
    return LAM_OK;
}

uint64_t lam_net_steps(const lam_net *net)
{
    return net->batches / (net->optimizer.accumulation > 1 ? net->optimizer.accumulation : 1);
}

void lam_net_reset_states(lam_net *net, int i)
{
    for (int w = 0; w < net->layers[i].n_weights; w++) {
        const lam_weight *weight = &net->layers[i].weight[w];
        if (!weight->state)
            continue;
        memset(net->weights + weight->offset, 0, weight->count * sizeof(float));
        if (net->ema)
            memset(net->ema + weight->offset, 0, weight->count * sizeof(float));
    }
}

size_t lam_net_count(const lam_net *net)
{
    size_t count = 0;
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++)
            count = lam_add(count, net->layers[i].weight[w].count);
    return count;
}

void lam_net_pack(const lam_net *net, const float *flat, float *packed)
{
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            memcpy(packed, flat + weight->offset, weight->count * sizeof(float));
            packed += weight->count;
        }
}

void lam_net_unpack(const lam_net *net, const float *packed, float *flat)
{
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            memcpy(flat + weight->offset, packed, weight->count * sizeof(float));
            packed += weight->count;
        }
}

int lam_net_lowest_trained(const lam_net *net)
{
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++)
            if (net->layers[i].trainable && net->layers[i].weight[w].trainable)
                return i;
    return net->n_layers;
}

bool lam_net_takes_sparse(const lam_net *net, int i)
{
    return i < net->n_layers && (net->layers[i].flags & LAM_LAYER_TAKES_SPARSE);
}

bool lam_net_fuses_head(const lam_net *net)
{
    if (!net->compiled || net->own_loss || net->n_layers == 0 || net->loss.from_logits)
        return false;
    const lam_layer *last = &net->layers[net->n_layers - 1];
    if (!last->type->closing || last->activity.l1 != 0 || last->activity.l2 != 0)
        return false;
    const lam_activation *act = last->type->closing(last);
    return act && act->id != LAM_ACT_COUNT && act->id == net->loss.type->logits_of;
}
