#include "nn/plan.h"

#include "base/alloc.h"
#include "base/threads.h"
#include "kernels/kernels.h"

#include <string.h>

/* ---- segments --------------------------------------------------------------------------------- */

/* A part's input and output should stay in the second cache; a batch that does so by itself needs no
 * parts.  A lane sums up the gradients of so many weights at most. */
static const size_t part_bytes = (size_t)1 << 19, least_batch_bytes = (size_t)1 << 20, most_weights = 1 << 16;
enum { LEAST_PARTS = 4 };
/* Gradients are sent to other ranks from 1 MB on: below, what a message costs by itself counts. */
enum { BUCKET = 1 << 18 };

static bool has_penalty(const lam_layer *layer)
{
    return layer->activity.l1 != 0 || layer->activity.l2 != 0;
}

static size_t weight_count(const lam_layer *l)
{
    size_t n = 0;
    for (int w = 0; w < l->n_weights; w++)
        n += l->weight[w].count;
    return n;
}

static bool ends_in_relu(const lam_layer *l)
{
    return l->type->closing && l->type->closing(l) && lam_activation_is_relu(l->type->closing(l));
}

/* A rectifier that rides along on the layer before it. */
static bool rides(const lam_plan *plan, int i)
{
    const lam_layer *l = &plan->net->layers[i];
    return i > plan->from && (l->flags & LAM_LAYER_ACTIVATION) && ends_in_relu(l) && !has_penalty(l) &&
           (l[-1].flags & LAM_LAYER_RECTIFIES) && !has_penalty(&l[-1]);
}

/* Where the layer behind a rectifier hands no gradient to a 0, the rectifier's own slope, 1 everywhere
 * else, has nothing to add. */
static bool is_rectified(const lam_plan *plan, int i)
{
    const lam_layer *l = &plan->net->layers[i];
    return i + 1 < plan->to && (l[1].flags & LAM_LAYER_GATES) && ends_in_relu(l) && !has_penalty(l);
}

static void find_rectifiers(lam_plan *plan, lam_plan_kind kind)
{
    for (int i = plan->from; kind != LAM_PLAN_KEEP && i < plan->to; i++) {
        plan->step[i].rectified = is_rectified(plan, i);
        plan->step[i].rides = rides(plan, i);
    }
}

/* Goes depth first: does not read more weights than numbers of the sample, or hardly so. */
static bool goes_deep(const lam_plan *plan, int i)
{
    const lam_layer *l = &plan->net->layers[i];
    size_t n = weight_count(l);
    return !plan->step[i].rides && !(l->flags & LAM_LAYER_WHOLE_BATCH) && !has_penalty(l) && n <= most_weights &&
           n <= 4 * (l->in_count + l->out_count);
}

/* Samples in a part of the layers from .. to, or 0 where parts do not pay. */
static size_t part_size(const lam_plan *plan, int from, int to)
{
    size_t widest = 1, all = 0;
    for (int i = from; i < to; i++) {
        const lam_layer *l = &plan->net->layers[i];
        size_t width = lam_mul(lam_add(l->in_count, l->out_count), sizeof(float));
        widest = lam_most(widest, width);
        all = lam_add(all, width);
    }
    size_t part = lam_most(part_bytes / widest, 1);
    bool pays = to - from > 1 && lam_mul(all, plan->rows) > least_batch_bytes &&
                plan->rows / part >= LEAST_PARTS;
    return pays ? part : 0;
}

/* Layers that pass on the whole batch, one after the other, are one segment. */
static void add_segment(lam_plan *plan, int from, int to, size_t part)
{
    lam_segment *before = plan->segment + plan->n_segments - 1;
    if (part == 0 && plan->n_segments > 0 && before->part == 0) {
        before->to = to;
        return;
    }
    lam_segment s = {.from = from, .to = to, .part = part};
    for (int i = from; i < to; i++) {
        const lam_layer *l = &plan->net->layers[i];
        if (l->n_weights == 0)
            continue;
        const lam_weight *last = &l->weight[l->n_weights - 1];
        if (s.end == 0)
            s.begin = l->weight[0].offset;
        s.end = last->offset + last->count;
    }
    plan->segment[plan->n_segments++] = s;
}

static void cut_segments(lam_plan *plan, lam_plan_kind kind)
{
    for (int i = plan->from, to; i < plan->to; i = to) {
        for (to = i; to < plan->to && goes_deep(plan, to);)
            to++;
        size_t part = kind == LAM_PLAN_KEEP ? 0 : part_size(plan, i, to);
        if (part == 0 && to == i)
            to++;
        add_segment(plan, i, to, part);
    }
}

/* ---- memory ----------------------------------------------------------------------------------- */

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
    if (i == plan->from || !(layers[i].flags & LAM_LAYER_INPLACE))
        return false;
    return !plan->backward || !((layers[i].flags & LAM_LAYER_NEEDS_X) || (layers[i - 1].flags & LAM_LAYER_NEEDS_Y));
}

/* Does the way back read the output of layer i? */
static bool is_needed(const lam_plan *plan, int i)
{
    const lam_layer *l = &plan->net->layers[i];
    bool by_itself = (l->flags & LAM_LAYER_NEEDS_Y) && !plan->step[i].rectified && !plan->step[i].rides;
    return plan->backward && (by_itself || (i + 1 < plan->to && (l[1].flags & LAM_LAYER_NEEDS_X)));
}

/* Bytes that one part of segment s takes: the widest output within, scratch, cache. */
typedef struct needs {
    size_t buffer, scratch, cache, weights;
} needs;

static void measure(const lam_plan *plan, const lam_segment *s, needs *n)
{
    size_t part = s->part ? s->part : plan->rows;
    for (int i = s->from; i < s->to; i++) {
        const lam_layer *l = &plan->net->layers[i];
        if (i > s->from)
            n->buffer = lam_most(n->buffer, lam_mul(l->in_count, lam_mul(part, sizeof(float))));
        n->scratch = lam_most(n->scratch, lam_add(lam_mul(l->scratch_row, part), l->scratch_fixed));
        n->cache = lam_most(n->cache, lam_add(lam_mul(l->cache_row, part), l->cache_fixed));
    }
    n->weights = lam_most(n->weights, lam_mul(s->end - s->begin, sizeof(float)));
}

/* What the passes need for themselves: once for the whole batch, and once a lane. */
static void place_workrooms(lam_plan *plan, arena *a)
{
    needs whole = {0}, part = {0};
    bool any = false;
    for (const lam_segment *s = plan->segment; s < plan->segment + plan->n_segments && !lam_given_up(); s++) {
        measure(plan, s, s->part ? &part : &whole);
        any |= s->part > 0;
    }
    plan->scratch = place(a, whole.scratch);
    plan->cache = place(a, plan->backward ? 0 : whole.cache);
    for (int k = 0; any && k < LAM_LANES; k++) {
        plan->lane[k].buffer[0] = place(a, part.buffer);
        plan->lane[k].buffer[1] = place(a, part.buffer);
        plan->lane[k].scratch = place(a, part.scratch);
        plan->lane[k].cache = place(a, plan->backward ? 0 : part.cache);
        plan->lane[k].grads = place(a, plan->backward ? part.weights : 0);
    }
}

/* Where the outputs of a segment go.  shared: two buffers for those that nobody needs later. */
static void place_outputs(lam_plan *plan, const lam_segment *s, lam_plan_kind kind, arena *a,
                          float *const shared[2], int *turn)
{
    int side = 0;
    for (int i = s->from, last; i < s->to; i++) {
        lam_step *step = &plan->step[i];
        if (kind != LAM_PLAN_KEEP && works_in_place(plan, i)) {
            step->y = step[-1].y;
            step->side = step[-1].side;
            continue;
        }
        bool whole = s->part == 0 || is_needed(plan, i);
        for (last = i; last + 1 < s->to && works_in_place(plan, last + 1); last++)
            whole |= is_needed(plan, last + 1); /* it stands in the same place */
        whole |= last + 1 == s->to;
        step->side = side ^= 1;
        if (!whole)
            step->y = NULL;
        else if (kind == LAM_PLAN_PREDICT)
            step->y = shared[*turn ^= 1];
        else
            step->y = place(a, lam_mul(plan->net->layers[i].out_count, lam_mul(plan->rows, sizeof(float))));
    }
}

static void place_caches(lam_plan *plan, const lam_segment *s, arena *a)
{
    size_t part = s->part ? s->part : plan->rows;
    size_t parts = s->part ? plan->rows / s->part + 1 : 1;
    for (int i = s->from; i < s->to; i++) {
        const lam_layer *l = &plan->net->layers[i];
        lam_step *step = &plan->step[i];
        size_t bytes = lam_add(lam_mul(l->cache_row, part), l->cache_fixed);
        step->cache_part = lam_mul(lam_add(bytes, LAM_ALIGN - 1) / LAM_ALIGN, LAM_ALIGN);
        if (plan->backward)
            step->cache = place(a, lam_mul(step->cache_part, parts));
        step->prepared = place(a, l->prepared);
    }
}

/* The widest output, or with gradients the widest input or output, that the whole batch has at once. */
static size_t widest(const lam_plan *plan, bool gradients)
{
    size_t most = 1;
    for (const lam_segment *s = plan->segment; s < plan->segment + plan->n_segments; s++)
        for (int i = s->from; i < s->to; i++) {
            const lam_layer *l = &plan->net->layers[i];
            if (s->part == 0 || i + 1 == s->to)
                most = lam_most(most, l->out_count);
            if (gradients && (s->part == 0 || i == s->from) && (i > plan->from || plan->input_gradient))
                most = lam_most(most, l->in_count);
        }
    return lam_mul(most, lam_mul(plan->rows, sizeof(float)));
}

/* Masks are small: each is there for the whole batch. */
static void place_masks(lam_plan *plan, lam_plan_kind kind, arena *a)
{
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *l = &plan->net->layers[i];
        lam_step *step = &plan->step[i];
        if (l->flags & LAM_LAYER_CARRIES_MASK)
            step->mask = i > plan->from ? step[-1].mask : NULL;
        else
            step->mask = l->mask_out ? place(a, lam_mul(l->mask_out, plan->rows)) : NULL;
        for (int k = 0; kind == LAM_PLAN_KEEP && k < l->n_extra; k++)
            step->extra[k] = place(a, lam_mul(l->extra[k], lam_mul(plan->rows, sizeof(float))));
    }
}

static void lay_out(lam_plan *plan, lam_plan_kind kind, arena *a)
{
    float *shared[2] = {NULL, NULL};
    int turn = 0;
    for (int k = 0; kind == LAM_PLAN_PREDICT && k < 2; k++)
        shared[k] = place(a, widest(plan, false));
    for (const lam_segment *s = plan->segment; s < plan->segment + plan->n_segments && !lam_given_up(); s++) {
        place_outputs(plan, s, kind, a, shared, &turn);
        place_caches(plan, s, a);
    }
    place_workrooms(plan, a);
    place_masks(plan, kind, a);
    if (plan->backward) {
        plan->gradient[0] = place(a, widest(plan, true));
        plan->gradient[1] = place(a, widest(plan, true));
        plan->grads = place(a, lam_mul(plan->net->n, sizeof(float)));
    }
}

lam_status lam_plan_new(lam_plan **out, const lam_net *net, int from, int to, size_t rows,
                        lam_plan_kind kind, lam_error *err)
{
    void *p = NULL;
    lam_status status;
    *out = NULL;
    if (to <= from)
        return lam_fail(err, LAM_ESTATE, "The model has no layers.");
    LAM_TRY(lam_threads_set(lam_threads(), err)); /* the kernels need the workers' scratch */
    LAM_TRY(lam_new(&p, 1, sizeof(lam_plan), "a plan", err));
    lam_plan *plan = p;
    plan->net = net;
    plan->from = from;
    plan->to = to;
    plan->rows = rows;
    plan->bucket = lam_most(BUCKET, net->n / 32);
    plan->backward = kind >= LAM_PLAN_TRAIN;
    plan->input_gradient = kind == LAM_PLAN_TRAIN_INPUT;
    if ((status = lam_new(&p, (size_t)net->n_layers + 1, sizeof(lam_step), "a plan", err)) != LAM_OK)
        goto failed;
    plan->step = p;
    if ((status = lam_new(&p, (size_t)net->n_layers + 1, sizeof(lam_segment), "a plan", err)) != LAM_OK)
        goto failed;
    plan->segment = p;
    find_rectifiers(plan, kind);
    cut_segments(plan, kind);
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
    lam_free(plan->step);
    lam_free(plan->segment);
    lam_free(plan->arena);
    lam_free(plan);
}

/* ---- passes ----------------------------------------------------------------------------------- */

/* Rows first .. first + rows of the batch on their way through a segment: all of them at once, or a
 * part in a lane. */
typedef struct trip {
    lam_plan *plan;
    const lam_run *run;
    const lam_segment *segment;
    const float *x;         /* the segment's input, of the whole batch */
    const float *dy;        /* and the gradients by its output and input */
    float *dx;
    size_t first, rows;
    int lane;               /* -1: the whole batch */
    int worker;             /* that carries the part */
    float *grads;
    bool add;
    int lowest;             /* backward ends here */
} trip;

static lam_pass pass_of(const trip *t)
{
    const lam_plan *plan = t->plan;
    return (lam_pass){
        .rows = t->rows,
        .weights = plan->net->weights,
        .scratch = t->lane < 0 ? plan->scratch : plan->lane[t->lane].scratch,
        .backward_follows = plan->backward,
        .training = t->run->training,
        .update_state = t->run->update_state && t->run->training,
        .carry_state = t->run->carry_state,
        .bf16 = plan->net->bf16,
        .seed = t->run->seed,
        .step = t->run->step,
        .first_row = t->run->first_row + t->first,
        .ranks = t->run->ranks,
        .grads = t->grads,
        .add = t->add,
    };
}

/* The output of layer i for the rows of the trip; of the layer before the segment: its input. */
static float *output_of(const trip *t, int i)
{
    const lam_plan *plan = t->plan;
    const lam_step *step = &plan->step[i];
    return step->y ? step->y + t->first * plan->net->layers[i].out_count : plan->lane[t->lane].buffer[step->side];
}

static const float *input_of(const trip *t, int i)
{
    if (i == t->plan->from && t->run->sparse.start)
        return NULL;
    if (i == t->segment->from)
        return t->x + t->first * t->plan->net->layers[i].in_count;
    return output_of(t, i - 1);
}

static void enter_layer(const trip *t, int i, lam_pass *pass)
{
    const lam_plan *plan = t->plan;
    const lam_step *step = &plan->step[i];
    if (step->cache)
        pass->cache = step->cache + (t->lane < 0 ? 0 : t->first / t->segment->part * step->cache_part);
    else
        pass->cache = t->lane < 0 ? plan->cache : plan->lane[t->lane].cache;
    pass->prepared = step->prepared;
    pass->mask = i > plan->from && step[-1].mask ? step[-1].mask + t->first * plan->net->layers[i].mask_in : NULL;
    bool makes_mask = step->mask && !(plan->net->layers[i].flags & LAM_LAYER_CARRIES_MASK);
    pass->mask_out = makes_mask ? step->mask + t->first * plan->net->layers[i].mask_out : NULL;
    pass->extra = step->extra[0] ? step->extra : NULL;
    pass->x = input_of(t, i);
    pass->sparse = i == plan->from ? lam_sparse_from(t->run->sparse, t->first) : (lam_sparse){0};
    pass->y = output_of(t, i);
    pass->linear = t->run->linear_head && i == plan->net->n_layers - 1;
    pass->rectified = i > plan->from && step[-1].rectified;
    pass->rectify = i + 1 < plan->to && step[1].rides;
}

/* On the way back slopes that are left to another layer are left out. */
static void enter_backward(const trip *t, int i, lam_pass *pass)
{
    const lam_step *step = &t->plan->step[i];
    enter_layer(t, i, pass);
    pass->linear |= step->rectified;
    pass->rectify &= !step[1].rectified;
}

/* Layer i has just done its part of the trip. */
static void book(const trip *t, lam_phase phase, int i, double work)
{
    if (t->lane < 0)
        lam_profile_layer(t->plan->profile, phase, i, work);
    else
        lam_profile_worker_layer(t->plan->profile, t->worker, i, work);
}

static inline void book_forward(const trip *t, int i)
{
    if (t->plan->profile && !t->plan->step[i].rides)
        book(t, LAM_PHASE_FORWARD, i, (double)t->rows * t->plan->net->layers[i].work);
}

static inline void book_backward(const trip *t, int i, bool wants_dx)
{
    if (t->plan->profile)
        book(t, LAM_PHASE_BACKWARD, i, lam_backward_work(&t->plan->net->layers[i], t->rows, wants_dx));
}

/* A rank without rows in the batch has something to do only where others ask it. */
static inline bool is_idle(const trip *t, int i)
{
    return t->rows == 0 && !(t->plan->net->layers[i].flags & LAM_LAYER_ASKS_RANKS);
}

static void forward_layer(const trip *t, int i, lam_pass *pass)
{
    const lam_layer *layer = &t->plan->net->layers[i];
    if (t->plan->step[i].rides || is_idle(t, i))
        return;
    enter_layer(t, i, pass);
    layer->type->forward(layer, pass);
}

static void go_forward(const trip *t)
{
    lam_pass pass = pass_of(t);
    for (int i = t->segment->from; i < t->segment->to; i++) {
        forward_layer(t, i, &pass);
        book_forward(t, i);
    }
}

/* A part's gradients go from one of the lane's buffers to the other, between the whole arrays at both
 * ends. */
static void go_backward(const trip *t)
{
    const lam_plan *plan = t->plan;
    const lam_segment *s = t->segment;
    lam_pass pass = pass_of(t);
    const float *dy = t->dy + t->first * plan->net->layers[s->to - 1].out_count;
    for (int i = s->to - 1, side = 0; i >= s->from && i >= t->lowest; i--) {
        const lam_layer *layer = &plan->net->layers[i];
        enter_backward(t, i, &pass);
        pass.dy = dy;
        if (i == t->lowest && !plan->input_gradient)
            pass.dx = NULL;
        else if (i == s->from)
            pass.dx = t->dx + t->first * layer->in_count;
        else
            pass.dx = plan->lane[t->lane].buffer[side ^= 1];
        layer->type->backward(layer, &pass);
        book_backward(t, i, pass.dx != NULL);
        dy = pass.dx;
    }
}

/* Parts of a batch, shared out among the lanes. */
typedef struct convoy {
    trip trip;
    size_t rows, parts, lanes;
    void (*go)(const trip *t);
} convoy;

static void run_lane(void *arg, size_t lane, int worker)
{
    const convoy *c = arg;
    const lam_segment *s = c->trip.segment;
    size_t begin = c->parts * lane / c->lanes, end = c->parts * (lane + 1) / c->lanes;
    trip t = c->trip;
    t.lane = (int)lane;
    t.worker = worker;
    if (t.plan->profile)
        lam_profile_worker_start(t.plan->profile, worker);
    if (t.plan->backward)
        t.grads = t.plan->lane[lane].grads - s->begin;
    for (size_t p = begin; p < end && !lam_ask(); p++) {
        t.first = p * s->part;
        t.rows = lam_least(c->rows - t.first, s->part);
        t.add = p > begin;
        c->go(&t);
    }
}

static size_t run_convoy(const trip *t, void (*go)(const trip *t))
{
    size_t part = t->segment->part, parts = lam_divide_up(t->run->rows, part);
    if (parts == 0)
        return 0;
    convoy c = {*t, t->run->rows, parts, lam_least(parts, LAM_LANES), go};
    lam_parallel(c.lanes, run_lane, &c);
    if (t->plan->profile)
        lam_profile_share(t->plan->profile, go == go_forward ? LAM_PHASE_FORWARD : LAM_PHASE_BACKWARD,
                          t->segment->from, t->segment->to);
    return c.lanes;
}

static trip whole_trip(lam_plan *plan, const lam_run *run, const lam_segment *s, const float *x)
{
    return (trip){.plan = plan,
                  .run = run,
                  .segment = s,
                  .x = s->from == plan->from ? x : plan->step[s->from - 1].y,
                  .rows = run->rows,
                  .lane = -1};
}

static void prepare_layers(lam_plan *plan, const lam_run *run)
{
    trip t = whole_trip(plan, run, plan->segment, NULL);
    lam_pass pass = pass_of(&t);
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *layer = &plan->net->layers[i];
        pass.prepared = plan->step[i].prepared;
        if (!layer->type->prepare)
            continue;
        layer->type->prepare(layer, &pass);
        if (plan->profile)
            book(&t, LAM_PHASE_PREPARE, i, 0);
    }
}

/* The whole batch through a segment; a penalty is taken at once, while the layer's output stands. */
static double forward_at_once(const trip *t)
{
    lam_pass pass = pass_of(t);
    double penalty = 0;
    for (int i = t->segment->from; i < t->segment->to && !lam_given_up(); i++) {
        const lam_layer *layer = &t->plan->net->layers[i];
        forward_layer(t, i, &pass);
        if (has_penalty(layer))
            penalty += lam_regularizer_value(&layer->activity, t->rows * layer->out_count, pass.y);
        book_forward(t, i);
    }
    return penalty;
}

static size_t batch_rows(const lam_run *run)
{
    return run->ranks ? run->batch_rows : run->rows;
}

const float *lam_plan_forward(lam_plan *plan, const float *x, const lam_run *run)
{
    double penalty = 0;
    prepare_layers(plan, run);
    for (const lam_segment *s = plan->segment; s < plan->segment + plan->n_segments && !lam_given_up(); s++) {
        trip t = whole_trip(plan, run, s, x);
        if (s->part) {
            run_convoy(&t, go_forward);
            continue;
        }
        penalty += forward_at_once(&t);
    }
    size_t rows = batch_rows(run);
    plan->activity_penalty = rows ? penalty / (double)rows : 0;
    return plan->step[plan->to - 1].y;
}

float *lam_plan_output_gradient(lam_plan *plan)
{
    return plan->gradient[0];
}

/* The gradients of layer i and of all above are done: they go to the other ranks when they fill a bucket. */
static void send_gradients(const trip *t, int i)
{
    lam_plan *plan = t->plan;
    lam_ranks *ranks = t->run->ranks;
    const lam_layer *layer = &plan->net->layers[i];
    if (!ranks)
        return;
    size_t begin = layer->n_weights ? layer->weight[0].offset : plan->unsent;
    if (plan->unsent - begin < plan->bucket && !(i == t->lowest && plan->unsent > begin)) {
        lam_ranks_poke(ranks);
        return;
    }
    lam_ranks_start(ranks, LAM_FLOATS, plan->grads + begin, plan->unsent - begin);
    plan->unsent = begin;
}

/* The whole batch back through a segment; *side is the array that holds the gradients. */
static void back_at_once(trip *t, int *side)
{
    lam_plan *plan = t->plan;
    lam_pass pass = pass_of(t);
    for (int i = t->segment->to - 1; i >= t->segment->from && i >= t->lowest && !lam_given_up(); i--) {
        const lam_layer *layer = &plan->net->layers[i];
        if (plan->step[i].rides)
            continue;
        if (is_idle(t, i)) {
            send_gradients(t, i);
            continue;
        }
        if (has_penalty(layer))
            lam_regularizer_gradient(&layer->activity, t->rows * layer->out_count, plan->step[i].y,
                                     1.0f / (float)batch_rows(t->run), plan->gradient[*side]);
        bool want_dx = plan->input_gradient || i > t->lowest;
        bool in_place = (layer->flags & LAM_LAYER_INPLACE) != 0;
        enter_backward(t, i, &pass);
        pass.dy = plan->gradient[*side];
        pass.dx = want_dx ? plan->gradient[in_place ? *side : 1 - *side] : NULL;
        layer->type->backward(layer, &pass);
        book_backward(t, i, want_dx);
        send_gradients(t, i);
        if (want_dx && !in_place)
            *side = 1 - *side;
    }
}

/* The gradients that the lanes have summed up, in the order of the lanes. */
static void add_lanes(const trip *t, size_t lanes, bool add)
{
    const lam_plan *plan = t->plan;
    for (int i = t->segment->from > t->lowest ? t->segment->from : t->lowest; i < t->segment->to; i++) {
        const lam_layer *layer = &plan->net->layers[i];
        for (int w = 0; w < layer->n_weights; w++) {
            const lam_weight *weight = &layer->weight[w];
            float *sum = plan->grads + weight->offset;
            if (!layer->trainable || !weight->trainable)
                continue;
            if (!add)
                memset(sum, 0, weight->count * sizeof(float));
            for (size_t k = 0; k < lanes; k++)
                lam_axpy(weight->count, 1, plan->lane[k].grads + (weight->offset - t->segment->begin), sum);
        }
        if (plan->profile)
            lam_profile_more(plan->profile, LAM_PHASE_BACKWARD, i);
    }
}

static void poke_ranks(void *ranks)
{
    lam_ranks_poke(ranks);
}

const float *lam_plan_backward(lam_plan *plan, const float *x, const lam_run *run, bool add)
{
    int lowest = plan->input_gradient ? plan->from : lam_net_lowest_trained(plan->net);
    int side = 0;
    plan->unsent = plan->net->n;
    if (run->ranks) /* the library moves messages along only when it is called */
        lam_between_tasks(poke_ranks, run->ranks);
    if (run->rows == 0)
        memset(plan->grads, 0, plan->net->n * sizeof(float));
    for (const lam_segment *s = plan->segment + plan->n_segments - 1; s >= plan->segment && s->to > lowest && !lam_given_up();
         s--) {
        trip t = whole_trip(plan, run, s, x);
        t.lowest = lowest;
        t.grads = plan->grads;
        t.add = add;
        if (s->part == 0) {
            back_at_once(&t, &side);
            continue;
        }
        t.dy = plan->gradient[side];
        t.dx = plan->gradient[side ^= 1];
        add_lanes(&t, run_convoy(&t, go_backward), add);
        send_gradients(&t, s->from > lowest ? s->from : lowest);
    }
    if (run->ranks)
        lam_between_tasks(NULL, NULL);
    return plan->input_gradient ? plan->gradient[side] : NULL;
}

const unsigned char *lam_plan_mask(const lam_plan *plan)
{
    return plan->step[plan->to - 1].mask;
}

const float *lam_plan_output(const lam_plan *plan, int i)
{
    return plan->step[i].y;
}

const float *lam_plan_extra(const lam_plan *plan, int i, int k)
{
    return plan->step[i].extra[k];
}

int lam_plan_first_bad(const lam_plan *plan, size_t rows)
{
    for (int i = plan->from; i < plan->to; i++) {
        const lam_layer *layer = &plan->net->layers[i];
        for (int w = 0; w < layer->n_weights; w++)
            if (!lam_all_finite(layer->weight[w].count, plan->net->weights + layer->weight[w].offset))
                return i;
        if (!lam_all_finite(rows * layer->out_count, plan->step[i].y))
            return i;
    }
    return -1;
}
