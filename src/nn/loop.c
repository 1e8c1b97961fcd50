#include "nn/loop.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "nn/update.h"

/* Every so many batches the weights are put by, to have something to go back to. */
enum { GOOD_EVERY = 64 };

/* ---- set-up --------------------------------------------------------------------------------- */

static lam_status new_floats(float **out, size_t n, lam_error *err)
{
    void *p = NULL;
    LAM_TRY(lam_new(&p, n, sizeof(float), "a batch", err));
    *out = p;
    return LAM_OK;
}

/* Weights, slots, average and accumulated gradients, one behind the other. */
static size_t state_floats(const lam_net *net)
{
    return net->n * (size_t)(1 + net->n_slots + (net->ema != NULL) + (net->accumulated != NULL));
}

static void each_state(lam_loop *loop, bool restore)
{
    lam_net *net = loop->net;
    float *parts[LAM_MAX_SLOTS + 3];
    int n = 0;
    parts[n++] = net->weights;
    for (int s = 0; s < net->n_slots; s++)
        parts[n++] = net->slot[s];
    if (net->ema)
        parts[n++] = net->ema;
    if (net->accumulated)
        parts[n++] = net->accumulated;
    for (int i = 0; i < n; i++) {
        float *kept = loop->good + (size_t)i * net->n;
        memcpy(restore ? parts[i] : kept, restore ? kept : parts[i], net->n * sizeof(float));
    }
}

/* Statistics that layers keep in training, and states that they carry from batch to batch. */
static bool moves(const lam_loop *loop, const lam_weight *w)
{
    return loop->kind != LAM_LOOP_PROBE && (w->state || (!w->trainable && loop->training));
}

static size_t moving_floats(const lam_loop *loop)
{
    size_t n = 0;
    for (int i = 0; i < loop->net->n_layers; i++)
        for (int w = 0; w < loop->net->layers[i].n_weights; w++)
            n += moves(loop, &loop->net->layers[i].weight[w]) ? loop->net->layers[i].weight[w].count : 0;
    return n;
}

static void each_moving(lam_loop *loop, bool restore)
{
    float *kept = loop->moving;
    for (int i = 0; kept && i < loop->net->n_layers; i++)
        for (int w = 0; w < loop->net->layers[i].n_weights; w++) {
            const lam_weight *weight = &loop->net->layers[i].weight[w];
            float *own = loop->net->weights + weight->offset;
            if (!moves(loop, weight))
                continue;
            memcpy(restore ? own : kept, restore ? kept : own, weight->count * sizeof(float));
            kept += weight->count;
        }
}

static lam_status check_targets(lam_loop *loop, lam_error *err)
{
    const lam_net *net = loop->net;
    const lam_data *data = loop->data;
    bool sparse = !net->own_loss && net->loss.type->sparse;
    size_t want = sparse ? loop->per : loop->per * loop->d;
    const lam_shape *in = loop->from > 0 ? &net->layers[loop->from - 1].out : &net->in;
    if (data->x_d != lam_shape_count(in)) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE, "`x` has %zu numbers a sample; the model takes shape %s.",
                        data->x_d, lam_shape_text(in, text, sizeof text));
    }
    if (net->own_loss)
        want = data->y_d;
    if (data->y_d != want) {
        char expected[64];
        const char *advice =
            sparse ? " This loss takes class numbers; for one-hot rows compile with \"categorical_crossentropy\"."
            : data->y_d == loop->per && loop->d > 1
                ? " For class numbers use to_categorical(), or compile with \"sparse_categorical_crossentropy\"."
            : loop->d == 1 ? " The model has one output: should its last layer have more units?"
                           : "";
        snprintf(expected, sizeof expected, "%zu number%s a sample", want, want == 1 ? "" : "s");
        lam_fail_arg(err, LAM_ESHAPE, "y", expected, "%zu", data->y_d);
        if (err)
            snprintf(err->message, sizeof err->message, "`y` must have %s for this model and its loss, \"%s\", not %zu.%s",
                     expected, net->loss.type->name, data->y_d, advice);
        return LAM_ESHAPE;
    }
    loop->y_d = data->y_d / loop->per;
    if (!net->own_loss && net->loss.type->check)
        return net->loss.type->check(&net->loss, loop->n * loop->per, loop->d, loop->y_d,
                                     data->y + loop->first * data->y_d, err);
    return LAM_OK;
}

static lam_status make_metrics(lam_loop *loop, const lam_metric_list *list, lam_error *err)
{
    void *p = NULL;
    size_t n = (size_t)(list->n + list->n_weighted);
    LAM_TRY(lam_new(&p, n, sizeof(lam_metric), "metrics", err));
    loop->metric = p;
    LAM_TRY(lam_new(&p, n, sizeof(double *), "metrics", err));
    loop->state = p;
    loop->n_metrics = (int)n;
    loop->n_weighted = list->n_weighted;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        lam_metric *m = &loop->metric[i];
        LAM_TRY(lam_metric_read(&list->spec[i], loop->d, loop->y_d, m, err));
        total += m->type->state_count(m, loop->d);
    }
    LAM_TRY(lam_new(&p, total, sizeof(double), "metrics", err));
    loop->states = p;
    loop->n_states = total;
    total = 0;
    for (size_t i = 0; i < n; i++) {
        loop->state[i] = loop->states + total;
        total += loop->metric[i].type->state_count(&loop->metric[i], loop->d);
    }
    return LAM_OK;
}

static void free_room(lam_loop *loop)
{
    lam_free(loop->x);
    lam_free(loop->y);
    lam_free(loop->w);
    lam_free(loop->scale);
    lam_free(loop->counts);
    lam_free(loop->pred);
    lam_free(loop->value);
    lam_plan_free(loop->plan);
    loop->x = loop->y = loop->w = loop->scale = loop->pred = loop->counts = NULL;
    loop->value = NULL;
    loop->plan = NULL;
}

/* Does a mask reach the loss? */
static bool ends_masked(const lam_loop *loop)
{
    return loop->net->n_layers > 0 && loop->net->layers[loop->net->n_layers - 1].mask_out == loop->per;
}

/* Do the inputs go in as they are?  A gradient by them would have to be dense anyway. */
static bool goes_sparse(const lam_loop *loop)
{
    return loop->data->row_start && loop->kind != LAM_LOOP_PROBE && lam_net_takes_sparse(loop->net, loop->from);
}

/* Room for batches of `batch` samples. */
static lam_status make_room(lam_loop *loop, size_t batch, lam_error *err)
{
    free_room(loop);
    loop->room = batch;
    size_t rows = lam_mul(batch, loop->per);
    void *p = NULL;
    if (!goes_sparse(loop))
        LAM_TRY(new_floats(&loop->x, lam_mul(batch, loop->data->x_d), err));
    LAM_TRY(new_floats(&loop->y, lam_mul(batch, loop->data->y_d), err));
    LAM_TRY(new_floats(&loop->w, rows, err));
    LAM_TRY(new_floats(&loop->scale, rows, err));
    if (ends_masked(loop))
        LAM_TRY(new_floats(&loop->counts, rows, err));
    LAM_TRY(new_floats(&loop->pred, lam_mul(rows, loop->d), err));
    LAM_TRY(lam_new(&p, rows, sizeof(double), "a batch", err));
    loop->value = p;
    LAM_TRY(lam_plan_new(&loop->plan, loop->net, loop->from, loop->net->n_layers, batch,
                         loop->kind == LAM_LOOP_TEST    ? LAM_PLAN_PREDICT
                         : loop->kind == LAM_LOOP_TRAIN ? LAM_PLAN_TRAIN
                                                        : LAM_PLAN_TRAIN_INPUT,
                         err));
    loop->plan->profile = loop->profile;
    return LAM_OK;
}

static lam_status new_order(lam_loop *loop, lam_error *err)
{
    void *p = NULL;
    LAM_TRY(lam_new(&p, loop->n, sizeof(uint32_t), "the order of the samples", err));
    loop->order = p;
    return LAM_OK;
}

lam_status lam_loop_new(lam_loop **out, lam_net *net, int from, const lam_data *data, size_t first,
                        size_t n, size_t batch, lam_loop_kind kind, const lam_metric_list *metrics, lam_error *err)
{
    void *p = NULL;
    lam_status status;
    *out = NULL;
    if (!net->compiled)
        return lam_fail(err, LAM_ESTATE, "The model has not been compiled.");
    if (first > data->n || n > data->n - first || n == 0)
        return lam_fail(err, LAM_EDATA, "There are no samples.");
    if (batch == 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "batch_size", "at least 1", "0");
    LAM_TRY(lam_new(&p, 1, sizeof(lam_loop), "a loop", err));
    lam_loop *loop = p;
    loop->net = net;
    loop->compilation = net->compilations;
    loop->from = from;
    loop->data = data;
    loop->kind = kind;
    loop->training = kind == LAM_LOOP_TRAIN;
    loop->good_batches = UINT64_MAX;
    loop->first = first;
    loop->n = loop->total = n;
    loop->batch = lam_least(batch, n);
    loop->d = lam_shape_last(&net->out);
    loop->per = lam_shape_count(&net->out) / loop->d;
    loop->loss = net->loss;
    loop->fused = lam_net_fuses_head(net);
    if (loop->fused)
        loop->loss.from_logits = true;
    if ((status = check_targets(loop, err)) != LAM_OK ||
        (status = make_metrics(loop, metrics, err)) != LAM_OK ||
        (status = make_room(loop, loop->batch, err)) != LAM_OK)
        goto failed;
    if (loop->training && ((status = new_floats(&loop->good, state_floats(net), err)) != LAM_OK ||
                           (status = new_order(loop, err)) != LAM_OK))
        goto failed;
    if (moving_floats(loop) && (status = new_floats(&loop->moving, moving_floats(loop), err)) != LAM_OK)
        goto failed;
    *out = loop;
    return LAM_OK;
failed:
    lam_loop_free(loop);
    return status;
}

void lam_loop_free(lam_loop *loop)
{
    if (!loop)
        return;
    free_room(loop);
    lam_profile_free(loop->profile);
    lam_free(loop->order);
    lam_free(loop->metric);
    lam_free(loop->state);
    lam_free(loop->states);
    lam_free(loop->good);
    lam_free(loop->moving);
    lam_free(loop->held);
    lam_free(loop->summed);
    lam_free(loop);
}

/* Does the loop still fit its network? */
static lam_status check_current(const lam_loop *loop, lam_error *err)
{
    if (loop->compilation != loop->net->compilations)
        return lam_fail(err, LAM_ESTATE, "The model was compiled anew while it was at work.");
    return LAM_OK;
}

/* And has it the memory for a batch? */
static lam_status check_usable(const lam_loop *loop, lam_error *err)
{
    LAM_TRY(check_current(loop, err));
    if (!loop->plan)
        return lam_fail(err, LAM_ESTATE, "There was no memory for a batch.");
    return LAM_OK;
}

/* ---- ranks ---------------------------------------------------------------------------------- */

/* What the ranks tell each other after a batch, summed: losses of the rows, penalties on outputs, and whether rank 0
 * finds that the time is up (so that all end a slice after the same batch). */
enum { TOLD_LOSS, TOLD_PENALTY, TOLD_TIME };

/* How many of a rank's samples come before sample `at` of the epoch, where it has `held` of `total`. */
static size_t passed(size_t held, size_t at, size_t total)
{
    return (size_t)((double)held / (double)total * (double)at + 0.5);
}

lam_status lam_loop_join(lam_loop *loop, lam_ranks *ranks, const size_t *held, size_t batch, lam_error *err)
{
    void *p = NULL;
    size_t size = (size_t)ranks->size, most = lam_divide_up(lam_least(batch, loop->n), size);
    LAM_TRY(lam_new(&p, lam_most(loop->n_states, (size_t)loop->net->n_layers), sizeof(double), "metrics", err));
    lam_free(loop->summed);
    loop->summed = p;
    if (held) {
        LAM_TRY(lam_new(&p, size, sizeof(size_t), "the share of each rank", err));
        lam_free(loop->held);
        loop->held = p;
        loop->total = 0;
        for (size_t r = 0; r < size; r++)
            loop->total += loop->held[r] = held[r];
        most = lam_least(passed(loop->n, lam_least(batch, loop->total), loop->total) + 2, loop->n);
    }
    loop->batch = lam_least(batch, loop->total);
    loop->ranks = ranks;
    return make_room(loop, lam_most(most, 1), err);
}

/* The share of the next batch, of `rows` samples. */
static lam_share cut_share(const lam_loop *loop, size_t rows)
{
    if (loop->fed)
        return loop->share;
    if (!loop->ranks)
        return (lam_share){loop->at, rows, 0, rows, rows};
    size_t size = (size_t)loop->ranks->size, me = (size_t)loop->ranks->rank;
    if (!loop->held) {
        size_t begin = lam_part(rows, size, me);
        return (lam_share){loop->at + begin, lam_part(rows, size, me + 1) - begin, begin, rows, rows};
    }
    lam_share share = {.taken = rows};
    for (size_t r = 0; r < size; r++) {
        size_t from = passed(loop->held[r], loop->at, loop->total);
        size_t n = passed(loop->held[r], loop->at + rows, loop->total) - from;
        if (r == me) {
            share.from = from;
            share.rows = n;
            share.first = share.batch;
        }
        share.batch += n;
    }
    return share;
}

lam_status lam_loop_gather(lam_loop *loop, lam_error *err)
{
    if (!loop->ranks)
        return LAM_OK;
    if (loop->n_states)
        memcpy(loop->summed, loop->states, loop->n_states * sizeof(double));
    lam_ranks_sum(loop->ranks, loop->summed, loop->n_states);
    return lam_ranks_status(loop->ranks, err);
}

lam_status lam_loop_profile(lam_loop *loop, lam_error *err)
{
    LAM_TRY(check_usable(loop, err));
    if (!loop->profile)
        LAM_TRY(lam_profile_new(&loop->profile, loop->net->n_layers, err));
    loop->plan->profile = loop->profile;
    return LAM_OK;
}

/* ---- an epoch ------------------------------------------------------------------------------- */

lam_status lam_loop_start(lam_loop *loop, bool shuffle, uint64_t epoch, lam_error *err)
{
    LAM_TRY(check_usable(loop, err));
    loop->at = 0;
    loop->batches = 0;
    loop->forwarded = false;
    loop->loss_sum = loop->loss_count = 0;
    if (loop->n_states)
        memset(loop->states, 0, loop->n_states * sizeof(double));
    loop->shuffled = shuffle;
    if (!shuffle)
        return LAM_OK;
    if (!loop->order)
        LAM_TRY(new_order(loop, err));
    lam_rng rng = {.seed = loop->net->seed, .stream = LAM_STREAM_SHUFFLE, .step = epoch};
    lam_random_permutation(&rng, loop->order, loop->n);
    if (loop->first)
        for (size_t i = 0; i < loop->n; i++)
            loop->order[i] += (uint32_t)loop->first;
    return LAM_OK;
}

bool lam_loop_done(const lam_loop *loop)
{
    return loop->at >= loop->total;
}

/* What was done until now belongs to that stage. */
static inline void book(lam_loop *loop, lam_stage stage)
{
    if (loop->profile)
        lam_profile_stage(loop->profile, stage);
}

/* ---- a batch -------------------------------------------------------------------------------- */

/* rows: of the batch; loop->share.rows of them are this process's. */
static void fetch(lam_loop *loop, size_t rows)
{
    loop->share = cut_share(loop, rows);
    rows = loop->share.rows;
    const uint32_t *order = loop->shuffled ? loop->order + loop->share.from : NULL;
    size_t first = loop->first + loop->share.from;
    if (loop->profile) {
        loop->profile->batches++;
        loop->profile->samples += (double)rows;
    }
    loop->input = order ? NULL : lam_data_rows(loop->data, first);
    loop->target = loop->y;
    loop->sparse = goes_sparse(loop) ? lam_data_sparse(loop->data, order, first) : (lam_sparse){0};
    if (loop->input) {
        loop->target = loop->data->y + first * loop->data->y_d;
        if (loop->data->w)
            memcpy(loop->w, loop->data->w + first, rows * sizeof(float));
    } else {
        float *x = loop->sparse.start ? NULL : loop->x;
        lam_data_gather(loop->data, order, first, rows, x, loop->y, loop->w);
        loop->input = x;
        if (loop->data->y == loop->data->x)
            loop->target = loop->x;
    }
    if (loop->data->w && loop->per > 1) /* a sample's weight is every one of its rows' */
        for (size_t r = rows; r-- > 0;)
            for (size_t t = 0; t < loop->per; t++)
                loop->w[r * loop->per + t] = loop->w[r];
    book(loop, LAM_STAGE_DATA);
}

static void predict(lam_loop *loop)
{
    size_t rows = loop->share.rows;
    loop->run = (lam_run){
        .rows = rows,
        .first_row = loop->share.first,
        .batch_rows = loop->share.batch,
        .ranks = loop->kind == LAM_LOOP_PROBE ? NULL : loop->ranks,
        .training = loop->training,
        .update_state = loop->kind == LAM_LOOP_TRAIN,
        .sparse = loop->sparse,
        .carry_state = loop->kind != LAM_LOOP_PROBE,
        .linear_head = loop->fused,
        .seed = loop->net->seed,
        .step = loop->net->batches,
    };
    each_moving(loop, false);
    loop->output = lam_plan_forward(loop->plan, loop->input, &loop->run);
    if (lam_given_up())
        return;
    loop->mask = loop->counts ? lam_plan_mask(loop->plan) : NULL;
    if (!loop->mask)
        return;
    for (size_t r = 0; r < rows * loop->per; r++) {
        loop->counts[r] = loop->mask[r];
        loop->w[r] = loop->data->w ? loop->w[r] * loop->counts[r] : loop->counts[r];
    }
}

/* Rows that a mean divides by. */
static size_t counted_rows(const lam_loop *loop, size_t n)
{
    if (!loop->mask)
        return lam_loss_count(&loop->loss, n, loop->y_d, loop->target);
    size_t count = 0;
    for (size_t r = 0; r < n; r++)
        count += loop->mask[r] && lam_loss_count(&loop->loss, 1, loop->y_d, loop->target + r * loop->y_d);
    return count;
}

/* Each row's loss is its own: a large batch is cut into tasks. */
typedef struct scoring {
    const lam_loop *loop;
    lam_loss loss; /* as it is for the whole batch */
    size_t n, per_task;
    float *gradient;
} scoring;

static void score_task(void *arg, size_t task, int worker)
{
    const scoring *s = arg;
    const lam_loop *l = s->loop;
    size_t at = task * s->per_task, n = lam_least(s->n - at, s->per_task);
    (void)worker;
    s->loss.type->eval(&s->loss, n, l->d, l->target + at * l->y_d, l->output + at * l->d, l->value + at,
                       l->scale + at, s->gradient ? s->gradient + at * l->d : NULL);
}

static void score_rows(const lam_loop *loop, size_t n, float *gradient)
{
    enum { PARALLEL_FROM = 1 << 15, TASK = 1 << 13 };
    scoring s = {loop, lam_loss_prepare(&loop->loss, n * loop->y_d, loop->target), n, lam_most(n, 1), gradient};
    if (n * loop->d >= PARALLEL_FROM)
        s.per_task = lam_most(TASK / loop->d, 1);
    lam_parallel(lam_divide_up(n, s.per_task), score_task, &s);
}

/* The batch's mean loss without penalties, and its gradient by the output; with ranks, this one's part of it. */
static double score(lam_loop *loop)
{
    size_t n = loop->share.rows * loop->per;
    const float *w = loop->data->w || loop->mask ? loop->w : NULL;
    double counted = (double)counted_rows(loop, n);
    if (loop->ranks && (loop->mask || loop->loss.type->ignores))
        lam_ranks_sum(loop->ranks, &counted, 1);
    else if (loop->ranks)
        counted = (double)(loop->share.batch * loop->per);
    float each = loop->net->sum_loss || counted == 0 ? 1.0f : (float)(1.0 / counted);
    float *gradient = loop->kind != LAM_LOOP_TEST ? lam_plan_output_gradient(loop->plan) : NULL;
    if (gradient)
        for (size_t r = 0; r < n; r++)
            loop->scale[r] = w ? w[r] * each : each;
    score_rows(loop, n, gradient);
    double sum = 0;
    for (size_t r = 0; r < n; r++)
        sum += w ? (double)w[r] * loop->value[r] : loop->value[r];
    book(loop, LAM_STAGE_LOSS);
    return loop->net->sum_loss || counted == 0 ? sum : sum / counted;
}

const float *lam_loop_predictions(lam_loop *loop)
{
    if (!loop->fused)
        return loop->output;
    const lam_layer *last = &loop->net->layers[loop->net->n_layers - 1];
    lam_activation_forward(last->type->closing(last), loop->run.rows * loop->per, loop->d, loop->output, loop->pred);
    return loop->pred;
}

static void measure(lam_loop *loop)
{
    size_t rows = loop->share.rows;
    if (loop->n_metrics == 0 || rows == 0)
        return;
    const float *pred = lam_loop_predictions(loop);
    for (int i = 0; i < loop->n_metrics; i++) {
        const lam_metric *m = &loop->metric[i];
        bool weighted = i >= loop->n_metrics - loop->n_weighted;
        m->type->update(m, rows * loop->per, loop->d, loop->y_d, loop->target, pred,
                        weighted && loop->data->w ? loop->w : loop->mask ? loop->counts : NULL, loop->state[i]);
    }
}

/* The lowest of the layers that the ranks have found; -1: none of them found any. */
static int lowest_of_ranks(lam_loop *loop, int layer)
{
    int n = loop->net->n_layers;
    for (int i = 0; i < n; i++)
        loop->summed[i] = i == layer;
    lam_ranks_sum(loop->ranks, loop->summed, (size_t)n);
    for (int i = 0; i < n; i++)
        if (loop->summed[i] > 0)
            return i;
    return -1;
}

static lam_status explode(lam_loop *loop, double loss, lam_error *err)
{
    const lam_net *net = loop->net;
    size_t rows = loop->run.rows;
    char where[LAM_NAME_MAX + 32] = "the loss";
    lam_plan *probe = NULL;
    lam_asks(NULL);
    int bad = -1;
    if (rows > 0 && lam_plan_new(&probe, net, loop->from, net->n_layers, rows, LAM_PLAN_KEEP, NULL) == LAM_OK) {
        loop->run.update_state = loop->run.carry_state = false;
        loop->run.ranks = NULL;
        lam_plan_forward(probe, loop->input, &loop->run);
        bad = lam_plan_first_bad(probe, rows);
        lam_plan_free(probe);
    }
    if (loop->ranks)
        bad = lowest_of_ranks(loop, bad);
    if (bad >= 0)
        snprintf(where, sizeof where, "layer `%s`", net->layers[bad].name);
    if (loop->good_batches != UINT64_MAX) {
        each_state(loop, true);
        loop->net->batches = loop->good_batches;
    }
    lam_fail(err, LAM_ENUMERIC, "The loss became %s in batch %llu; it began in %s.",
             isnan(loss) ? "NaN" : "infinite", (unsigned long long)loop->batches + 1, where);
    if (err) {
        snprintf(err->arg, sizeof err->arg, "%s", where);
        snprintf(err->actual, sizeof err->actual, "%llu", (unsigned long long)loop->batches + 1);
    }
    return LAM_ENUMERIC;
}

static lam_status give_up(lam_loop *loop, lam_error *err)
{
    each_moving(loop, true);
    return lam_fail(err, LAM_EINTERRUPT, "Interrupted in batch %llu.", (unsigned long long)loop->batches + 1);
}

/* The state before a step whose loss is finite is put by. */
static lam_status keep_good(lam_loop *loop, double loss, lam_error *err)
{
    if (!isfinite(loss))
        return explode(loop, loss, err);
    if (loop->batches % GOOD_EVERY == 0) {
        if (!lam_all_finite(loop->net->n, loop->net->weights)) /* dead units can hide them from the loss */
            return explode(loop, NAN, err);
        each_state(loop, false);
        loop->good_batches = loop->net->batches;
    }
    book(loop, LAM_STAGE_REST);
    return LAM_OK;
}

/* Tells the other ranks the loss of this one's rows, and hears theirs: *loss becomes that of the batch, and *late what
 * rank 0 says.  In training the gradients are found meanwhile, and are those of the batch then. */
static lam_status ask_ranks(lam_loop *loop, double *loss, bool *late, lam_error *err)
{
    lam_ranks *ranks = loop->ranks;
    loop->told[TOLD_LOSS] = *loss;
    loop->told[TOLD_PENALTY] = loop->plan->activity_penalty;
    loop->told[TOLD_TIME] = ranks->rank == 0 && *late;
    lam_ranks_start(ranks, LAM_DOUBLES, loop->told, LAM_COUNT(loop->told));
    if (loop->training)
        lam_plan_backward(loop->plan, loop->input, &loop->run, false);
    lam_ranks_wait(ranks);
    *loss = loop->told[TOLD_LOSS];
    loop->plan->activity_penalty = loop->told[TOLD_PENALTY];
    *late = loop->told[TOLD_TIME] > 0;
    return lam_ranks_status(ranks, err);
}

/* Counts the batch whose loss (without penalties) is `loss`; in training also takes the step.  *late: whether the time
 * is up. */
static lam_status finish_batch(lam_loop *loop, double loss, bool *late, lam_error *err)
{
    double rows = (double)loop->share.batch;
    if (loop->ranks)
        LAM_TRY(ask_ranks(loop, &loss, late, err));
    loss += lam_net_penalty(loop->net) + loop->plan->activity_penalty;
    book(loop, LAM_STAGE_UPDATE);
    if (lam_given_up())
        return give_up(loop, err);
    lam_ask_fn ask = lam_asks(NULL); /* nobody gives up what is put by, nor a step half taken */
    if (loop->training) {
        LAM_TRY(keep_good(loop, loss, err));
        if (!loop->ranks) {
            lam_asks(ask);
            lam_plan_backward(loop->plan, loop->input, &loop->run, false);
        }
        lam_net_penalty_gradient(loop->net, loop->plan->grads);
        if (lam_given_up())
            return give_up(loop, err);
        lam_asks(NULL);
        lam_net_update(loop->net, loop->plan->grads);
        book(loop, LAM_STAGE_UPDATE);
    }
    measure(loop);
    book(loop, LAM_STAGE_METRICS);
    loop->last_loss = loss;
    loop->loss_sum += loss * rows;
    loop->loss_count += rows;
    if (loop->training && loop->at + loop->share.taken >= loop->total && !lam_all_finite(loop->net->n, loop->net->weights))
        return explode(loop, NAN, err);
    loop->at += loop->share.taken;
    loop->batches++;
    book(loop, LAM_STAGE_REST);
    lam_asks(ask);
    return LAM_OK;
}

static size_t next_rows(const lam_loop *loop)
{
    return lam_least(loop->total - loop->at, loop->batch);
}

lam_status lam_loop_run(lam_loop *loop, size_t max_batches, double seconds, lam_error *err)
{
    double until = lam_seconds() + seconds;
    LAM_TRY(check_usable(loop, err));
    if (loop->net->own_loss)
        return lam_fail(err, LAM_ESTATE, "A loss of one's own needs the step in two.");
    loop->forwarded = false;
    if (loop->ranks)
        lam_asks(NULL); /* a rank that gives up would leave the others waiting */
    if (loop->profile)
        lam_profile_start(loop->profile);
    for (size_t done = 0; done < max_batches && !lam_loop_done(loop); done++) {
        fetch(loop, next_rows(loop));
        if (loop->share.batch == 0) { /* unequal parts of few samples can leave a batch empty */
            loop->at += loop->share.taken;
            loop->batches++;
            continue;
        }
        predict(loop);
        double loss = lam_given_up() ? 0 : score(loop);
        bool late = loop->ranks && lam_seconds() >= until;
        LAM_TRY(finish_batch(loop, loss, &late, err));
        if (loop->ranks ? late : lam_seconds() >= until)
            break;
    }
    return LAM_OK;
}

lam_status lam_loop_feed_share(lam_loop *loop, const lam_data *data, size_t rows, size_t first, size_t batch,
                               lam_error *err)
{
    if (data->x_d != loop->data->x_d || data->y_d != loop->data->y_d)
        return lam_fail(err, LAM_ESHAPE, "A batch has %zu inputs and %zu targets a sample; the first had %zu and %zu.",
                        data->x_d, data->y_d, loop->data->x_d, loop->data->y_d);
    if (data->n == 0)
        return lam_fail(err, LAM_EDATA, "There are no samples.");
    if (rows > data->n || batch == 0 || batch > UINT32_MAX || rows > batch || first > batch - rows)
        return lam_fail(err, LAM_EDATA, "A share of %zu of %zu samples from %zu on does not fit a batch of %zu.", rows, data->n, first, batch);
    LAM_TRY(check_current(loop, err));
    lam_loop next = *loop;
    next.data = data;
    next.first = 0;
    next.n = rows;
    LAM_TRY(check_targets(&next, err));
    loop->data = data;
    loop->first = 0;
    loop->n = rows;
    loop->total = batch;
    loop->batch = lam_most(loop->batch, batch);
    loop->at = 0;
    loop->fed = true;
    loop->share = (lam_share){0, rows, first, batch, batch};
    loop->shuffled = loop->forwarded = false;
    loop->output = NULL; /* and with it what is said of the last batch, which was of other data */
    lam_free(loop->order);
    loop->order = NULL;
    bool lacks_room = !loop->plan || (!loop->x && !goes_sparse(loop)); /* no plan: the last time there was no memory */
    return rows > loop->room || lacks_room ? make_room(loop, lam_most(rows, loop->room), err) : LAM_OK;
}

lam_status lam_loop_feed(lam_loop *loop, const lam_data *data, lam_error *err)
{
    return lam_loop_feed_share(loop, data, data->n, 0, data->n, err);
}

lam_status lam_loop_forward(lam_loop *loop, size_t *rows, lam_error *err)
{
    LAM_TRY(check_usable(loop, err));
    if (lam_loop_done(loop))
        return lam_fail(err, LAM_ESTATE, "The epoch is over.");
    if (loop->ranks)
        return lam_fail(err, LAM_ESTATE, "A loss of one's own sees the rows of one rank only.");
    loop->forwarded = true;
    if (loop->profile)
        lam_profile_start(loop->profile);
    fetch(loop, next_rows(loop));
    predict(loop);
    *rows = loop->share.rows;
    return lam_given_up() ? give_up(loop, err) : LAM_OK;
}

lam_status lam_loop_backward(lam_loop *loop, double value, const float *gradient, lam_error *err)
{
    size_t rows = loop->run.rows;
    LAM_TRY(check_usable(loop, err));
    if (!loop->forwarded)
        return lam_fail(err, LAM_ESTATE, "There is no batch that waits for its gradient.");
    loop->forwarded = false;
    if (loop->training)
        memcpy(lam_plan_output_gradient(loop->plan), gradient, rows * loop->per * loop->d * sizeof(float));
    book(loop, LAM_STAGE_LOSS); /* since lam_loop_forward() the caller worked at it */
    return finish_batch(loop, value, NULL, err);
}

lam_status lam_loop_probe(lam_loop *loop, bool training, double *loss, const float **dx, lam_error *err)
{
    LAM_TRY(check_usable(loop, err));
    if (loop->kind != LAM_LOOP_PROBE || loop->batch < loop->n || loop->net->own_loss)
        return lam_fail(err, LAM_ESTATE, "The loop is not there to look at gradients.");
    loop->training = training;
    loop->forwarded = false;
    loop->at = 0;
    fetch(loop, loop->n);
    predict(loop);
    if (lam_given_up())
        return give_up(loop, err);
    *loss = score(loop) + lam_net_penalty(loop->net) + loop->plan->activity_penalty;
    *dx = lam_plan_backward(loop->plan, loop->input, &loop->run, false);
    lam_net_penalty_gradient(loop->net, loop->plan->grads);
    return LAM_OK;
}

double lam_loop_loss(const lam_loop *loop)
{
    return loop->loss_count > 0 ? loop->loss_sum / loop->loss_count : NAN;
}

double lam_loop_metric(const lam_loop *loop, int i)
{
    const double *state = loop->ranks ? loop->summed + (loop->state[i] - loop->states) : loop->state[i];
    return loop->metric[i].type->result(&loop->metric[i], loop->d, state);
}
