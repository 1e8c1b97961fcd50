#include "nn/update.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"

static bool trained(const lam_layer *layer, const lam_weight *w)
{
    return layer->trainable && w->trainable;
}

static bool penalized(const lam_weight *w)
{
    return w->reg.l1 != 0 || w->reg.l2 != 0;
}

/* Only weights that are trained are penalized, as in Keras: the rest could not get any smaller. */
double lam_net_penalty(const lam_net *net)
{
    double sum = 0;
    for (int i = 0; i < net->n_layers; i++)
        for (int k = 0; k < net->layers[i].n_weights; k++) {
            const lam_weight *w = &net->layers[i].weight[k];
            if (penalized(w) && trained(&net->layers[i], w))
                sum += lam_regularizer_value(&w->reg, w->count, net->weights + w->offset);
        }
    return sum;
}

void lam_net_penalty_gradient(const lam_net *net, float *grads)
{
    for (int i = 0; i < net->n_layers; i++)
        for (int k = 0; k < net->layers[i].n_weights; k++) {
            const lam_weight *w = &net->layers[i].weight[k];
            if (penalized(w) && trained(&net->layers[i], w))
                lam_regularizer_gradient(&w->reg, w->count, net->weights + w->offset, 1.0f, grads + w->offset);
        }
}

/* Calls fn for every trained weight. */
typedef void (*weight_fn)(lam_net *net, const lam_weight *w, float *grads, double amount);

static void each_trained(lam_net *net, float *grads, weight_fn fn, double amount)
{
    for (int i = 0; i < net->n_layers; i++)
        for (int k = 0; k < net->layers[i].n_weights; k++)
            if (trained(&net->layers[i], &net->layers[i].weight[k]))
                fn(net, &net->layers[i].weight[k], grads, amount);
}

static void clip_norm(lam_net *net, const lam_weight *w, float *grads, double limit)
{
    (void)net;
    double norm = sqrt(lam_sum_squares(w->count, grads + w->offset));
    if (norm > limit)
        lam_scale(w->count, (float)(limit / norm), grads + w->offset);
}

static void clip_value(lam_net *net, const lam_weight *w, float *grads, double limit)
{
    (void)net;
    float most = (float)limit;
    float *g = grads + w->offset;
    for (size_t i = 0; i < w->count; i++)
        g[i] = g[i] > most ? most : g[i] < -most ? -most : g[i];
}

static void scale_gradient(lam_net *net, const lam_weight *w, float *grads, double factor)
{
    (void)net;
    lam_scale(w->count, (float)factor, grads + w->offset);
}

static void clip_global(lam_net *net, float *grads, double limit)
{
    double sum = 0;
    for (int i = 0; i < net->n_layers; i++)
        for (int k = 0; k < net->layers[i].n_weights; k++) {
            const lam_weight *w = &net->layers[i].weight[k];
            if (trained(&net->layers[i], w))
                sum += lam_sum_squares(w->count, grads + w->offset);
        }
    double norm = sqrt(sum);
    if (norm > limit)
        each_trained(net, grads, scale_gradient, limit / norm);
}

static void clip(lam_net *net, float *grads)
{
    const lam_optimizer *o = &net->optimizer;
    if (o->clipnorm > 0)
        each_trained(net, grads, clip_norm, o->clipnorm);
    else if (o->global_clipnorm > 0)
        clip_global(net, grads, o->global_clipnorm);
    else if (o->clipvalue > 0)
        each_trained(net, grads, clip_value, o->clipvalue);
}

static void decay(lam_net *net, const lam_weight *w, float *grads, double amount)
{
    (void)grads;
    lam_scale(w->count, (float)(1.0 - amount), net->weights + w->offset);
}

static void constrain(lam_net *net, const lam_weight *w, float *grads, double amount)
{
    (void)grads, (void)amount;
    if (w->constraint.id != LAM_CONSTRAINT_none)
        lam_constraint_apply(&w->constraint, &w->shape, net->weights + w->offset);
}

/* Runs the optimizer over trained weights, neighbours in the flat vectors joined into one piece
 * (the gaps between them are 0 in weights and gradients alike, and stay so). */
static void apply_rule(lam_net *net, float *grads)
{
    size_t start = 0, end = 0;
    for (int i = 0; i <= net->n_layers; i++) {
        int n = i < net->n_layers ? net->layers[i].n_weights : 1;
        for (int k = 0; k < n; k++) {
            const lam_weight *w = i < net->n_layers ? &net->layers[i].weight[k] : NULL;
            if (w && trained(&net->layers[i], w)) {
                if (end == 0)
                    start = w->offset;
                end = w->offset + w->count;
                continue;
            }
            if (end == 0)
                continue;
            lam_piece piece = {.n = end - start, .w = net->weights + start, .g = grads + start};
            for (int s = 0; s < net->n_slots; s++)
                piece.slot[s] = net->slot[s] + start;
            net->optimizer.type->update(&net->optimizer, &piece);
            end = 0;
        }
    }
}

/* The running average of what is trained; the rest is taken as it is. */
static void average(lam_net *net)
{
    const lam_optimizer *o = &net->optimizer;
    uint64_t step = lam_net_steps(net);
    float keep = step == 0 ? 0.0f : (float)o->ema_momentum;
    for (int i = 0; i < net->n_layers; i++)
        for (int k = 0; k < net->layers[i].n_weights; k++) {
            const lam_weight *w = &net->layers[i].weight[k];
            float share = trained(&net->layers[i], w) ? keep : 0.0f;
            const float *now = net->weights + w->offset;
            float *mean = net->ema + w->offset;
            for (size_t j = 0; j < w->count; j++)
                mean[j] = share * mean[j] + (1.0f - share) * now[j];
        }
    if (o->ema_overwrite_frequency && (step + 1) % o->ema_overwrite_frequency == 0)
        memcpy(net->weights, net->ema, net->n * sizeof(float));
}

void lam_net_update(lam_net *net, float *grads)
{
    lam_optimizer *o = &net->optimizer;
    size_t waits = o->accumulation > 1 ? o->accumulation : 1;
    bool acts = (net->batches + 1) % waits == 0;
    lam_net_settle(net);
    if (waits > 1) {
        lam_axpy(net->n, 1.0f, grads, net->accumulated);
        if (acts) {
            memcpy(grads, net->accumulated, net->n * sizeof(float));
            lam_scale(net->n, 1.0f / (float)waits, grads);
            memset(net->accumulated, 0, net->n * sizeof(float));
        }
    }
    if (acts) {
        uint64_t step = lam_net_steps(net);
        double rate = lam_schedule_rate(&o->rate, (double)step);
        clip(net, grads);
        if (o->weight_decay != 0)
            each_trained(net, grads, decay, o->weight_decay * rate);
        o->type->begin(o, rate, step + 1);
        apply_rule(net, grads);
    }
    if (net->ema)
        average(net); /* before the constraints, as Keras does */
    if (acts)
        each_trained(net, grads, constrain, 0);
    net->batches++;
}

static void swap_average(lam_net *net)
{
    float *weights = net->weights;
    net->weights = net->ema;
    net->ema = weights;
    net->averaged = !net->averaged;
}

void lam_net_finish(lam_net *net)
{
    if (net->ema && net->optimizer.ema_overwrite_frequency == 0 && net->batches > 0 && !net->averaged)
        swap_average(net);
}

void lam_net_resume(lam_net *net)
{
    if (net->averaged)
        swap_average(net);
}

void lam_net_settle(lam_net *net)
{
    if (net->averaged)
        memcpy(net->ema, net->weights, net->n * sizeof(float));
    net->averaged = false;
}
