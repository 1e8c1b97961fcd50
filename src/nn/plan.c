#include "nn/plan.h"

#include "base/alloc.h"
#include "base/threads.h"
#include "kernels/kernels.h"

/* Lays buffers out one behind the other; base == NULL only measures. */
typedef struct arena {
    char *base;
    size_t used;
} arena;

static void *place(arena *a, size_t bytes)
{
    size_t at = a->used;
    a->used = lam_mul(lam_add(a->used, bytes) / LAM_ALIGN + 1, LAM_ALIGN);
    return a->base ? a->base + at : NULL;
}

static bool works_in_place(const lam_plan *plan, int i)
{
    const lam_layer *layers = plan->net->layers;
    if (i == plan->from || !(layers[i].flags & LAM_LAYER_INPLACE) || (layers[i].flags & LAM_LAYER_NEEDS_X))
        return false;
    return !plan->backward || !(layers[i - 1].flags & LAM_LAYER_NEEDS_Y);
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void lay_out(lam_plan *plan, lam_plan_kind kind, arena *a)
{
    const lam_layer *layers = plan->net->layers;
    size_t floats = lam_mul(plan->rows, sizeof(float));
    size_t widest = 1, scratch = 0;
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *l = &layers[i];
        widest = max_size(widest, max_size(l->out_count, i > plan->from || plan->input_gradient ? l->in_count : 1));
        scratch = max_size(scratch, lam_add(lam_mul(l->scratch_row, plan->rows), l->scratch_fixed));
    }
    float *shared[2] = {NULL, NULL};
    if (kind == LAM_PLAN_PREDICT)
        for (int k = 0; k < 2; k++)
            shared[k] = place(a, lam_mul(widest, floats));
    size_t shared_cache = 0;
    int turn = 0;
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *l = &layers[i];
        size_t cache = lam_add(lam_mul(l->cache_row, plan->rows), l->cache_fixed);
        bool in_place = kind != LAM_PLAN_KEEP && works_in_place(plan, i);
        float *y;
        if (in_place)
            y = plan->y[i - 1];
        else if (kind == LAM_PLAN_PREDICT)
            y = shared[turn ^= 1];
        else
            y = place(a, lam_mul(l->out_count, floats));
        plan->y[i] = y;
        plan->prepared[i] = place(a, l->prepared);
        if (plan->backward)
            plan->cache[i] = place(a, cache);
        else
            shared_cache = max_size(shared_cache, cache);
    }
    if (!plan->backward) {
        char *cache = place(a, shared_cache);
        for (int i = plan->from; i < plan->to; i++)
            plan->cache[i] = cache;
    }
    plan->scratch = place(a, scratch);
    if (plan->backward) {
        plan->gradient[0] = place(a, lam_mul(widest, floats));
        plan->gradient[1] = place(a, lam_mul(widest, floats));
        plan->grads = place(a, lam_mul(plan->net->n, sizeof(float)));
    }
}

lam_status lam_plan_new(lam_plan **out, const lam_net *net, int from, int to, size_t rows,
                        lam_plan_kind kind, lam_error *err)
{
    void *p = NULL;
    lam_status status;
    *out = NULL;
    LAM_TRY(lam_threads_set(lam_threads(), err)); /* the kernels need the workers' scratch */
    LAM_TRY(lam_new(&p, 1, sizeof(lam_plan), "a plan", err));
    lam_plan *plan = p;
    plan->net = net;
    plan->from = from;
    plan->to = to;
    plan->rows = rows;
    plan->backward = kind >= LAM_PLAN_TRAIN;
    plan->input_gradient = kind == LAM_PLAN_TRAIN_INPUT;
    if ((status = lam_new(&p, (size_t)net->n_layers + 1, sizeof(float *), "a plan", err)) != LAM_OK)
        goto failed;
    plan->y = p;
    if ((status = lam_new(&p, (size_t)net->n_layers + 1, sizeof(char *), "a plan", err)) != LAM_OK)
        goto failed;
    plan->cache = p;
    if ((status = lam_new(&p, (size_t)net->n_layers + 1, sizeof(char *), "a plan", err)) != LAM_OK)
        goto failed;
    plan->prepared = p;
    arena a = {NULL, 0};
    lay_out(plan, kind, &a);
    if ((status = lam_new(&p, a.used, 1, "the activations of a batch", err)) != LAM_OK)
        goto failed;
    plan->arena = p;
    plan->arena_bytes = a.used;
    a = (arena){plan->arena, 0};
    lay_out(plan, kind, &a);
    *out = plan;
    return LAM_OK;
failed:
    lam_plan_free(plan);
    return status;
}

void lam_plan_free(lam_plan *plan)
{
    if (!plan)
        return;
    lam_free(plan->y);
    lam_free(plan->cache);
    lam_free(plan->prepared);
    lam_free(plan->arena);
    lam_free(plan);
}

static lam_pass start_pass(const lam_plan *plan, const lam_run *run)
{
    return (lam_pass){
        .rows = run->rows,
        .weights = plan->net->weights,
        .scratch = plan->scratch,
        .backward_follows = plan->backward,
        .training = run->training,
        .update_state = run->update_state && run->training,
        .seed = run->seed,
        .step = run->step,
        .first_row = run->first_row,
    };
}

const float *lam_plan_forward(lam_plan *plan, const float *x, const lam_run *run)
{
    lam_pass pass = start_pass(plan, run);
    double penalty = 0;
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *layer = &plan->net->layers[i];
        pass.x = x;
        pass.y = plan->y[i];
        pass.cache = plan->cache[i];
        pass.prepared = plan->prepared[i];
        pass.linear = run->linear_head && i == plan->net->n_layers - 1;
        if (layer->type->prepare)
            layer->type->prepare(layer, &pass);
        layer->type->forward(layer, &pass);
        if (layer->activity.l1 != 0 || layer->activity.l2 != 0)
            penalty += lam_regularizer_value(&layer->activity, run->rows * layer->out_count, pass.y);
        x = pass.y;
    }
    plan->activity_penalty = run->rows ? penalty / (double)run->rows : 0;
    return x;
}

float *lam_plan_output_gradient(lam_plan *plan)
{
    return plan->gradient[0];
}

const float *lam_plan_backward(lam_plan *plan, const float *x, const lam_run *run, bool add)
{
    lam_pass pass = start_pass(plan, run);
    int lowest = plan->input_gradient ? plan->from : lam_net_lowest_trained(plan->net);
    int side = 0;
    pass.grads = plan->grads;
    pass.add = add;
    for (int i = plan->to - 1; i >= plan->from && i >= lowest; i--) {
        const lam_layer *layer = &plan->net->layers[i];
        if (layer->activity.l1 != 0 || layer->activity.l2 != 0)
            lam_regularizer_gradient(&layer->activity, run->rows * layer->out_count, plan->y[i],
                                     1.0f / (float)run->rows, plan->gradient[side]);
        bool want_dx = plan->input_gradient || i > lowest;
        bool in_place = (layer->flags & LAM_LAYER_INPLACE) != 0;
        pass.x = i > plan->from ? plan->y[i - 1] : x;
        pass.y = plan->y[i];
        pass.cache = plan->cache[i];
        pass.prepared = plan->prepared[i];
        pass.dy = plan->gradient[side];
        pass.dx = want_dx ? plan->gradient[in_place ? side : 1 - side] : NULL;
        pass.linear = run->linear_head && i == plan->net->n_layers - 1;
        layer->type->backward(layer, &pass);
        if (want_dx && !in_place)
            side = 1 - side;
    }
    return plan->input_gradient ? plan->gradient[side] : NULL;
}

int lam_plan_first_bad(const lam_plan *plan, size_t rows)
{
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *layer = &plan->net->layers[i];
        for (int w = 0; w < layer->n_weights; w++)
            if (!lam_all_finite(layer->weight[w].count, plan->net->weights + layer->weight[w].offset))
                return i;
        if (!lam_all_finite(rows * layer->out_count, plan->y[i]))
            return i;
    }
    return -1;
}
