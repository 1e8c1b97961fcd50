#include "nn/layers/recurrent.h"

#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/packed.h"

/* Of a chunk of time steps no array has more numbers, so that it stays in the second cache. */
enum { CHUNK_NUMBERS = 1 << 18 };
/* A task has about so much to do at least, and so many samples at most. */
static const double work_per_task = 2e6;
enum { ROWS_PER_TASK = 8, ROWS_AT_MOST = 64, PACK_PARALLEL_FROM = 1 << 17 };

/* ---- arguments and weights ------------------------------------------------------------------- */

lam_status lam_recurrent_read(lam_recurrent *r, const lam_cell *cell, const lam_args *args,
                              const lam_field *fields, size_t n_fields, lam_error *err)
{
    r->cell = cell;
    r->use_bias = true;
    r->seed = NAN;
    LAM_TRY(lam_args_read(args, fields, n_fields, r, cell->owner, err));
    r->act.id = LAM_ACT_tanh;
    if (lam_args_get(args, "activation"))
        LAM_TRY(lam_args_activation(args, "activation", &r->act, err));
    r->recurrent_act.id = LAM_ACT_sigmoid;
    if (lam_args_get(args, "recurrent_activation"))
        LAM_TRY(lam_args_activation(args, "recurrent_activation", &r->recurrent_act, err));
    r->fused = r->act.id == LAM_ACT_tanh && r->recurrent_act.id == LAM_ACT_sigmoid;
    if (r->stateful && r->batch_size == 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "batch_size", "given for a stateful layer",
                            "absent");
    LAM_TRY(lam_weight_options_read(args, "kernel", LAM_INIT_glorot_uniform, &r->kernel, err));
    LAM_TRY(lam_weight_options_read(args, "recurrent", LAM_INIT_orthogonal, &r->recurrent, err));
    return lam_weight_options_read(args, "bias", LAM_INIT_zeros, &r->bias, err);
}

static lam_status add_states(lam_recurrent *r, lam_layer *layer, lam_error *err)
{
    static const char *const names[LAM_CELL_STATES] = {"state_h", "state_c"};
    const lam_weight_options zeros = {.init = {.id = LAM_INIT_zeros}};
    r->state = layer->n_weights;
    for (size_t i = 0; r->stateful && i < r->cell->states; i++) {
        LAM_TRY(lam_layer_add_weight(layer, names[i], lam_shape_2(r->batch_size, r->units), false,
                                     &zeros, err));
        layer->weight[layer->n_weights - 1].state = true;
    }
    return LAM_OK;
}

static lam_status add_weights(lam_recurrent *r, lam_layer *layer, lam_error *err)
{
    size_t width = r->cell->gates * r->units;
    LAM_TRY(lam_layer_add_weight(layer, "kernel", lam_shape_2(layer->in.dim[1], width), true,
                                 &r->kernel, err));
    LAM_TRY(lam_layer_add_weight(layer, "recurrent_kernel", lam_shape_2(r->units, width), true,
                                 &r->recurrent, err));
    if (r->use_bias)
        LAM_TRY(lam_layer_add_weight(layer, "bias",
                                     r->cell->separate ? lam_shape_2(2, width) : lam_shape_1(width),
                                     true, &r->bias, err));
    return add_states(r, layer, err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* One forward or backward pass. */
typedef struct lam_recurrent_run {
    const lam_layer *layer;
    const lam_recurrent *r;
    const lam_cell *cell;
    const lam_pass *pass;
    size_t rows, steps, features, units, width; /* width: gates x units */
    size_t groups, chunk;                       /* chunk: so many time steps at once */
    bool keep;                                  /* every step, for backward */
    /* gates whose products are one: with the input, with the state */
    size_t x_together, h_together;
    float *w, *w_turned, *u, *u_turned; /* kernel and recurrent kernel, and transposed, packed */
    /* in the cache */
    float *sums, *active, *kept, *state[LAM_CELL_STATES];
    float *x_factor, *h_factor; /* of dropout: rows x parts x features, rows x gates x units */
    /* in the scratch */
    float *x, *room, *dropped, *dsums, *dinner, *h, *dstate[LAM_CELL_STATES][2];
    size_t from, to; /* the time steps of the chunk that backward is at */
} run;

/* Takes floats from a block of memory; with a NULL block it only counts them. */
typedef struct taker {
    float *at;
    size_t taken;
} taker;

static float *take(taker *t, size_t floats)
{
    float *p = t->at ? t->at + t->taken : NULL;
    t->taken += floats;
    return p;
}

/* The arrays that are kept, for `rows` samples; returns their number of floats. */
static size_t place_cache(run *f, float *block)
{
    const lam_recurrent *r = f->r;
    taker t = {block, 0};
    size_t all = f->steps * f->rows;
    f->sums = take(&t, all * f->width);
    f->active = r->fused ? NULL : take(&t, all * f->width);
    f->kept = f->cell->keeps ? take(&t, all * f->units) : NULL;
    for (size_t i = 0; i < f->cell->states; i++)
        f->state[i] = take(&t, (all + f->rows) * f->units);
    size_t parts = f->cell->gates / f->x_together;
    f->x_factor = r->dropout > 0.0f ? take(&t, f->rows * parts * f->features) : NULL;
    f->h_factor = r->recurrent_dropout > 0.0f ? take(&t, f->rows * f->width) : NULL;
    return t.taken;
}

/* What a call needs for itself: arrays for `rows` samples and for `many` rows of a chunk. */
static size_t place_scratch(run *f, size_t many, float *block)
{
    taker t = {block, 0};
    f->x = take(&t, many * f->features);
    f->dsums = take(&t, many * f->width);
    f->dinner = f->cell->separate ? take(&t, many * f->width) : f->dsums;
    f->h = f->r->recurrent_dropout > 0.0f ? take(&t, many * f->units) : NULL;
    f->room = take(&t, f->rows * f->width);
    f->dropped = take(&t, f->rows * f->units);
    for (size_t i = 0; i < f->cell->states; i++)
        for (int k = 0; k < 2; k++)
            f->dstate[i][k] = take(&t, f->rows * f->units);
    return t.taken;
}

/* The packed weights, in parts of so many gates as are multiplied together. */
static size_t place_prepared(run *f, float *block)
{
    taker t = {block, 0};
    size_t gates = f->cell->gates;
    size_t x_columns = f->x_together * f->units, h_columns = f->h_together * f->units;
    size_t x_parts = gates / f->x_together, h_parts = lam_divide_up(gates, f->h_together);
    f->w = take(&t, x_parts * lam_packed_floats(f->features, x_columns));
    f->w_turned = take(&t, x_parts * lam_packed_floats(x_columns, f->features));
    f->u = take(&t, h_parts * lam_packed_floats(f->units, h_columns));
    f->u_turned = take(&t, h_parts * lam_packed_floats(h_columns, f->units));
    return t.taken;
}

/* Rows, samples x time steps, of a chunk: so many or those of one step. */
static size_t chunk_rows(const run *f)
{
    return CHUNK_NUMBERS / lam_most(f->width, f->features);
}

static run open_run(const lam_layer *layer, size_t rows)
{
    const lam_recurrent *r = layer->config;
    run f = {.layer = layer, .r = r, .cell = r->cell, .rows = rows, .units = r->units};
    f.steps = layer->in.dim[0];
    f.features = layer->in.dim[1];
    f.width = r->cell->gates * r->units;
    /* Keras: with recurrent dropout, every gate has masks of its own. */
    bool apart = r->recurrent_dropout > 0.0f;
    f.h_together = apart ? 1 : r->cell->together;
    f.x_together = apart && r->dropout > 0.0f ? 1 : r->cell->gates;
    return f;
}

lam_status lam_recurrent_build(lam_layer *layer, lam_error *err)
{
    lam_recurrent *r = layer->config;
    if (layer->in.rank != 2) {
        char text[128];
        return lam_fail(err, LAM_ESHAPE,
                        "Layer %s needs sequences, samples of shape (steps, features), not %s.",
                        layer->name, lam_shape_text(&layer->in, text, sizeof text));
    }
    LAM_TRY(add_weights(r, layer, err));
    layer->out =
        r->return_sequences ? lam_shape_2(layer->in.dim[0], r->units) : lam_shape_1(r->units);
    layer->flags = LAM_LAYER_NEEDS_X | LAM_LAYER_WHOLE_BATCH | LAM_LAYER_USES_MASK |
                   (r->return_sequences ? LAM_LAYER_CARRIES_MASK : 0);
    double sums = (double)layer->in.dim[0] * (double)(r->cell->gates * r->units);
    layer->work_inside = sums * (double)r->units;
    layer->work = sums * (double)layer->in.dim[1] + layer->work_inside;
    layer->n_extra = r->return_state ? (int)r->cell->states : 0;
    for (int i = 0; i < layer->n_extra; i++)
        layer->extra[i] = r->units;

    run f = open_run(layer, 1);
    size_t row = place_scratch(&f, 0, NULL), chunk_row = place_scratch(&f, 1, NULL) - row;
    layer->cache_row = place_cache(&f, NULL) * sizeof(float);
    layer->scratch_row = (row + chunk_row) * sizeof(float);
    layer->scratch_fixed = chunk_rows(&f) * chunk_row * sizeof(float);
    layer->prepared = place_prepared(&f, NULL) * sizeof(float);
    return LAM_OK;
}

/* ---- parts of the weights -------------------------------------------------------------------- */

/* Gates first .. first + gates of a weight matrix. */
typedef struct part {
    size_t first, gates, col, columns;
} part;

static part part_at(const run *f, size_t first, size_t together)
{
    size_t gates = lam_least(together, f->cell->gates - first);
    return (part){first, gates, first * f->units, gates * f->units};
}

#define EACH_PART(f, p, together)                                                                  \
    for (part p = part_at(f, 0, together); p.first < (f)->cell->gates;                             \
         p = part_at(f, p.first + p.gates, together))

static float *packed_w(const run *f, const part *p)
{
    return f->w +
           p->first / f->x_together * lam_packed_floats(f->features, f->x_together * f->units);
}

static float *packed_w_turned(const run *f, const part *p)
{
    return f->w_turned +
           p->first / f->x_together * lam_packed_floats(f->x_together * f->units, f->features);
}

static float *packed_u(const run *f, const part *p)
{
    return f->u + p->first / f->h_together * lam_packed_floats(f->units, f->h_together * f->units);
}

static float *packed_u_turned(const run *f, const part *p)
{
    return f->u_turned +
           p->first / f->h_together * lam_packed_floats(f->h_together * f->units, f->units);
}

/* The bias of the products with the inputs, and of those with the state. */
static const float *x_bias(const run *f)
{
    return f->r->use_bias ? lam_w(f->layer, f->pass, 2) : NULL;
}

static const float *h_bias(const run *f)
{
    return f->cell->separate && f->r->use_bias ? lam_w(f->layer, f->pass, 2) + f->width : NULL;
}

/* Packs the kernel, the recurrent kernel, and the transposes of the two. */
static void prepare_task(void *arg, size_t task, int worker)
{
    (void)worker;
    const run *f = arg;
    const float *w = lam_w(f->layer, f->pass, (int)(task % 2));
    EACH_PART(f, p, task % 2 ? f->h_together : f->x_together) {
        const float *from = w + p.col;
        if (task == 0)
            lam_pack(f->features, p.columns, from, f->width, packed_w(f, &p));
        else if (task == 1)
            lam_pack(f->units, p.columns, from, f->width, packed_u(f, &p));
        else if (task == 2)
            lam_pack_transposed(p.columns, f->features, from, f->width, packed_w_turned(f, &p));
        else
            lam_pack_transposed(p.columns, f->units, from, f->width, packed_u_turned(f, &p));
    }
}

void lam_recurrent_prepare(const lam_layer *layer, const lam_pass *pass)
{
    run f = open_run(layer, pass->rows);
    f.pass = pass;
    size_t floats = place_prepared(&f, (float *)pass->prepared);
    size_t tasks = pass->backward_follows ? 4 : 2;
    if (floats >= PACK_PARALLEL_FROM)
        lam_parallel(tasks, prepare_task, &f);
    else
        for (size_t i = 0; i < tasks; i++)
            prepare_task(&f, i, lam_worker());
}

/* ---- where things are ------------------------------------------------------------------------ */

static run begin(const lam_layer *layer, const lam_pass *pass)
{
    run f = open_run(layer, pass->rows);
    f.pass = pass;
    f.keep = pass->backward_follows;
    f.chunk = lam_least(lam_most(chunk_rows(&f) / lam_most(f.rows, 1), 1), f.steps);
    place_cache(&f, (float *)pass->cache);
    place_scratch(&f, f.chunk * f.rows, (float *)pass->scratch);
    place_prepared(&f, (float *)pass->prepared);
    if (!pass->training)
        f.x_factor = f.h_factor = NULL;
    double work = 2.0 * (double)(f.rows * f.steps) * (double)(f.width * (f.features + f.units));
    size_t most = lam_least((size_t)lam_threads_here(), lam_divide_up(f.rows, ROWS_PER_TASK));
    size_t groups = work < 2 * work_per_task ? 1 : most;
    f.groups = lam_most(lam_most(groups, lam_divide_up(f.rows, ROWS_AT_MOST)), 1);
    return f;
}

/* What the steps of chunk t / chunk have in memory: each its own place when all are kept, else
 * those of one chunk, and of the states two. */
static size_t sums_at(const run *f, size_t t)
{
    return f->keep ? t : t % f->chunk;
}

static size_t state_at(const run *f, size_t t)
{
    return f->keep ? t : t % 2;
}

/* When step t of the computation is in the input. */
static size_t time_of(const run *f, size_t t)
{
    return f->r->go_backwards ? f->steps - 1 - t : t;
}

static bool counts(const run *f, size_t row, size_t t)
{
    return !f->pass->mask || f->pass->mask[row * f->steps + time_of(f, t)];
}

static lam_cell_step step_at(const run *f, size_t t, size_t row, size_t rows)
{
    size_t at = sums_at(f, t) * f->rows + row;
    lam_cell_step s = {.layer = f->r, .run = f, .row = row, .rows = rows};
    s.sums = f->sums + at * f->width;
    s.active = f->active ? f->active + at * f->width : NULL;
    s.kept = f->kept ? f->kept + at * f->units : NULL;
    s.room = f->room + row * f->width;
    for (size_t i = 0; i < f->cell->states; i++) {
        s.before[i] = f->state[i] + (state_at(f, t) * f->rows + row) * f->units;
        s.after[i] = f->state[i] + (state_at(f, t + 1) * f->rows + row) * f->units;
        s.dafter[i] = f->dstate[i][(t + 1) % 2] + row * f->units;
        s.dbefore[i] = f->dstate[i][t % 2] + row * f->units;
    }
    size_t in_chunk = t % f->chunk * f->rows + row;
    s.dsums = f->dsums + in_chunk * f->width;
    s.dinner = f->dinner + in_chunk * f->width;
    return s;
}

static size_t group_row(const run *f, size_t group)
{
    return lam_part(f->rows, f->groups, group);
}

static void copy(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static void clear(float *to, size_t n)
{
    memset(to, 0, n * sizeof *to);
}

/* ---- dropout --------------------------------------------------------------------------------- */

/* rows x n factors: 0 where dropped, else 1 / (1 - rate), the same at every time step. */
static void draw(const run *f, int stream, float rate, size_t n, float *factor, void *room)
{
    const lam_pass *pass = f->pass;
    lam_rng rng = lam_layer_rng(f->layer, pass, stream);
    if (!isnan(f->r->seed)) {
        rng.seed = (uint64_t)(int64_t)f->r->seed;
        rng.stream = LAM_STREAM_LAYER(0u, (uint32_t)(f->layer->stream + stream));
    }
    for (size_t i = 0; i < f->rows * n; i++)
        factor[i] = 1.0f;
    lam_dropout_forward(f->rows * n, &rng, (uint64_t)pass->first_row * n, rate, factor, factor,
                        room);
}

static void draw_all(const run *f)
{
    size_t x_parts = f->cell->gates / f->x_together;
    if (f->x_factor)
        draw(f, 0, f->r->dropout, x_parts * f->features, f->x_factor, f->x);
    if (f->h_factor)
        draw(f, 1, f->r->recurrent_dropout, f->width, f->h_factor, f->dropped);
}

/* The factors of a row of the input for one part of the kernel, or NULL. */
static const float *x_factor(const run *f, const part *p, size_t row)
{
    size_t parts = f->cell->gates / f->x_together;
    return f->x_factor ? f->x_factor + (row * parts + p->first / f->x_together) * f->features
                       : NULL;
}

const float *lam_cell_dropout(const lam_cell_step *s, size_t gate, size_t row)
{
    const run *f = s->run;
    return f->h_factor ? f->h_factor + (s->row + row) * f->width + gate * f->units : NULL;
}

/* y (+)= x * factor; factor NULL: 1 */
static void scaled(size_t n, const float *x, const float *factor, bool add, float *y)
{
    if (!factor && !add)
        copy(y, x, n);
    else
        for (size_t i = 0; i < n; i++)
            y[i] = (add ? y[i] : 0.0f) + x[i] * (factor ? factor[i] : 1.0f);
}

/* ---- products with the state ----------------------------------------------------------------- */

void lam_cell_multiply(const lam_cell_step *s, size_t first, size_t gates, const float *from,
                       bool add, float *to)
{
    const run *f = s->run;
    const float *bias = h_bias(f);
    for (size_t gate = first; gate < first + gates;) {
        part p = part_at(f, gate, f->h_together);
        const float *a = from ? from : s->before[0];
        if (!from && f->h_factor) {
            a = f->dropped + s->row * f->units;
            for (size_t row = 0; row < s->rows; row++)
                scaled(f->units, s->before[0] + row * f->units, lam_cell_dropout(s, gate, row),
                       false, f->dropped + (s->row + row) * f->units);
        }
        lam_packed_run(&(lam_packed_product){.rows = s->rows,
                                             .n = p.columns,
                                             .k = f->units,
                                             .a = a,
                                             .lda = f->units,
                                             .b = packed_u(f, &p),
                                             .c = to + p.col,
                                             .ldc = f->width,
                                             .add = add,
                                             .bias = bias ? bias + p.col : NULL});
        gate += p.gates;
    }
}

void lam_cell_multiply_back(const lam_cell_step *s, size_t first, size_t gates, bool add, float *to)
{
    const run *f = s->run;
    bool drop = !to && f->h_factor;
    float *sum = to ? to : s->dbefore[0], *c = drop ? f->dropped + s->row * f->units : sum;
    for (size_t gate = first; gate < first + gates; add = true) {
        part p = part_at(f, gate, f->h_together);
        lam_packed_run(&(lam_packed_product){.rows = s->rows,
                                             .n = f->units,
                                             .k = p.columns,
                                             .a = s->dinner + p.col,
                                             .lda = f->width,
                                             .b = packed_u_turned(f, &p),
                                             .c = c,
                                             .ldc = f->units,
                                             .add = add && !drop});
        for (size_t row = 0; drop && row < s->rows; row++)
            scaled(f->units, c + row * f->units, lam_cell_dropout(s, gate, row), add,
                   sum + row * f->units);
        gate += p.gates;
    }
}

/* ---- activations without a kernel of their own ----------------------------------------------- */

void lam_cell_activate(const lam_cell_step *s, const lam_activation *act, size_t gate,
                       const float *x, float *y)
{
    const run *f = s->run;
    for (size_t row = 0; row < s->rows; row++) {
        size_t at = row * f->width + gate * f->units;
        lam_activation_kernel(act->id)(act->par, 1, f->units, x + at, y + at);
    }
}

void lam_cell_slope(const lam_cell_step *s, const lam_activation *act, size_t gate, float *d)
{
    const run *f = s->run;
    for (size_t row = 0; row < s->rows; row++) {
        size_t at = row * f->width + gate * f->units;
        lam_activation_backward(act, 1, f->units, s->sums + at, s->active + at, d + at, d + at);
    }
}

/* ---- forward --------------------------------------------------------------------------------- */

/* The inputs of time steps from .. to, for a part of the kernel. */
static void gather(const run *f, size_t from, size_t to, size_t row, size_t rows, const part *p)
{
    for (size_t r = row; r < row + rows; r++)
        for (size_t t = from; t < to; t++)
            scaled(f->features, f->pass->x + (r * f->steps + time_of(f, t)) * f->features,
                   x_factor(f, p, r), false, f->x + ((t - from) * f->rows + r) * f->features);
}

/* sums = x W + b for time steps from .. to. */
static void multiply_inputs(const run *f, size_t from, size_t to, size_t row, size_t rows)
{
    const float *bias = x_bias(f);
    EACH_PART(f, p, f->x_together) {
        gather(f, from, to, row, rows, &p);
        lam_packed_run(&(lam_packed_product){
            .rows = rows,
            .n = p.columns,
            .k = f->features,
            .a = f->x + row * f->features,
            .lda = f->features,
            .b = packed_w(f, &p),
            .c = f->sums + (sums_at(f, from) * f->rows + row) * f->width + p.col,
            .ldc = f->width,
            .bias = bias ? bias + p.col : NULL,
            .more = to - from - 1,
            .a_distance = f->rows * f->features,
            .c_distance = f->rows * f->width});
    }
}

/* Where sample `row` has its state i from batch to batch, or NULL. */
static float *carried(const run *f, size_t i, size_t row)
{
    const lam_pass *pass = f->pass;
    size_t at = pass->first_row + row;
    if (!f->r->stateful || !pass->carry_state || at >= f->r->batch_size)
        return NULL;
    return pass->weights + f->layer->weight[(size_t)f->r->state + i].offset + at * f->units;
}

static void start_states(const run *f, size_t row, size_t rows)
{
    for (size_t i = 0; i < f->cell->states; i++)
        for (size_t r = row; r < row + rows; r++) {
            float *state = f->state[i] + r * f->units, *from = carried(f, i, r);
            if (from)
                copy(state, from, f->units);
            else
                clear(state, f->units);
        }
}

static void leave_states(const run *f, size_t row, size_t rows)
{
    for (size_t i = 0; i < f->cell->states; i++)
        for (size_t r = row; r < row + rows; r++) {
            const float *state = f->state[i] + (state_at(f, f->steps) * f->rows + r) * f->units;
            float *to = carried(f, i, r);
            if (to)
                copy(to, state, f->units);
            if (f->pass->extra && f->layer->n_extra)
                copy(f->pass->extra[i] + r * f->units, state, f->units);
        }
}

/* A step that does not count leaves the states as they were. */
static void hold_states(const lam_cell_step *s, size_t t)
{
    const run *f = s->run;
    for (size_t r = 0; f->pass->mask && r < s->rows; r++)
        for (size_t i = 0; i < f->cell->states && !counts(f, s->row + r, t); i++)
            copy(s->after[i] + r * f->units, s->before[i] + r * f->units, f->units);
}

/* The output of a step that does not count is the last one's, and 0 before the first. */
static void put_step(const lam_cell_step *s, size_t t)
{
    const run *f = s->run;
    for (size_t r = 0; r < s->rows; r++) {
        float *y = f->pass->y + ((s->row + r) * f->steps + t) * f->units;
        if (counts(f, s->row + r, t))
            copy(y, s->after[0] + r * f->units, f->units);
        else if (t == 0 || f->r->zero_output_for_mask)
            clear(y, f->units);
        else
            copy(y, y - f->units, f->units);
    }
}

static void put_last(const run *f, size_t row, size_t rows)
{
    for (size_t r = row; r < row + rows; r++) {
        size_t t = 0;
        while (t < f->steps && !counts(f, r, t))
            t++;
        float *y = f->pass->y + r * f->units;
        if (t < f->steps)
            copy(y, f->state[0] + (state_at(f, f->steps) * f->rows + r) * f->units, f->units);
        else
            clear(y, f->units);
    }
}

static void forward_group(void *arg, size_t group, int worker)
{
    (void)worker;
    const run *f = arg;
    size_t row = group_row(f, group), rows = group_row(f, group + 1) - row;
    start_states(f, row, rows);
    for (size_t from = 0; from < f->steps; from += f->chunk) {
        size_t to = lam_least(from + f->chunk, f->steps);
        multiply_inputs(f, from, to, row, rows);
        for (size_t t = from; t < to && !lam_ask(); t++) {
            lam_cell_step s = step_at(f, t, row, rows);
            f->cell->forward(&s);
            hold_states(&s, t);
            if (f->r->return_sequences)
                put_step(&s, t);
        }
    }
    if (!f->r->return_sequences)
        put_last(f, row, rows);
    leave_states(f, row, rows);
}

void lam_recurrent_forward(const lam_layer *layer, const lam_pass *pass)
{
    run f = begin(layer, pass);
    draw_all(&f);
    lam_parallel(f.groups, forward_group, &f);
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Adds the gradient of the output of step t. */
static void add_dy(const lam_cell_step *s, size_t t)
{
    const run *f = s->run;
    bool sequences = f->r->return_sequences;
    if (!sequences && t + 1 < f->steps)
        return;
    for (size_t r = 0; r < s->rows; r++) {
        size_t row = s->row + r;
        const float *dy = f->pass->dy + (sequences ? row * f->steps + t : row) * f->units;
        if (counts(f, row, t) || !sequences || !f->r->zero_output_for_mask)
            scaled(f->units, dy, NULL, true, s->dafter[0] + r * f->units);
    }
}

/* Through a step that does not count, gradients pass unchanged. */
static void hold_gradients(const lam_cell_step *s, size_t t)
{
    const run *f = s->run;
    for (size_t r = 0; f->pass->mask && r < s->rows; r++) {
        if (counts(f, s->row + r, t))
            continue;
        for (size_t i = 0; i < f->cell->states; i++)
            copy(s->dbefore[i] + r * f->units, s->dafter[i] + r * f->units, f->units);
        clear(s->dsums + r * f->width, f->width);
        clear(s->dinner + r * f->width, f->width);
    }
}

/* The gradients of the chunk's inputs, back from dsums. */
static void input_gradients(const run *f, size_t row, size_t rows)
{
    EACH_PART(f, p, f->x_together) {
        lam_packed_run(&(lam_packed_product){.rows = rows,
                                             .n = f->features,
                                             .k = p.columns,
                                             .a = f->dsums + row * f->width + p.col,
                                             .lda = f->width,
                                             .b = packed_w_turned(f, &p),
                                             .c = f->x + row * f->features,
                                             .ldc = f->features,
                                             .more = f->to - f->from - 1,
                                             .a_distance = f->rows * f->width,
                                             .c_distance = f->rows * f->features});
        for (size_t r = row; r < row + rows; r++)
            for (size_t t = f->from; t < f->to; t++)
                scaled(f->features, f->x + ((t - f->from) * f->rows + r) * f->features,
                       x_factor(f, &p, r), p.first > 0,
                       f->pass->dx + (r * f->steps + time_of(f, t)) * f->features);
    }
}

static void backward_group(void *arg, size_t group, int worker)
{
    (void)worker;
    const run *f = arg;
    size_t row = group_row(f, group), rows = group_row(f, group + 1) - row;
    for (size_t t = f->to; t-- > f->from && !lam_ask();) {
        lam_cell_step s = step_at(f, t, row, rows);
        for (size_t i = 0; i < f->cell->states && t + 1 == f->steps; i++)
            clear(s.dafter[i], rows * f->units);
        add_dy(&s, t);
        f->cell->backward(&s);
        hold_gradients(&s, t);
    }
    if (f->pass->dx)
        input_gradients(f, row, rows);
}

/* What gate `p` of the recurrent kernel was multiplied with, for all rows of the chunk. */
static const float *multiplied(const run *f, const part *p)
{
    size_t at = f->from * f->rows * f->units, steps = f->to - f->from;
    if (f->cell->keeps && !f->cell->separate && p->first + 1 == f->cell->gates)
        return f->kept + at;
    if (!f->h_factor)
        return f->state[0] + at;
    for (size_t t = 0; t < steps; t++)
        for (size_t r = 0; r < f->rows; r++) {
            size_t i = (t * f->rows + r) * f->units;
            scaled(f->units, f->state[0] + at + i, f->h_factor + r * f->width + p->col, false,
                   f->h + i);
        }
    return f->h;
}

/* The gradients of the recurrent kernel and the bias over the chunk. */
static void recurrent_gradients(const run *f, bool add)
{
    size_t rows = (f->to - f->from) * f->rows;
    float *du = lam_g(f->layer, f->pass, 1);
    EACH_PART(f, p, f->h_together) {
        if (du)
            lam_gemm_run(&(lam_gemm){.form = LAM_TN,
                                     .m = f->units,
                                     .n = p.columns,
                                     .k = rows,
                                     .a = multiplied(f, &p),
                                     .lda = f->units,
                                     .b = f->dinner + p.col,
                                     .ldb = f->width,
                                     .c = du + p.col,
                                     .ldc = f->width,
                                     .add = add});
    }
    float *db = f->r->use_bias ? lam_g(f->layer, f->pass, 2) : NULL;
    if (db)
        lam_colsum(rows, f->width, f->dsums, db, add);
    if (db && f->cell->separate)
        lam_colsum(rows, f->width, f->dinner, db + f->width, add);
}

typedef struct inputs {
    const run *f;
    part p;
} inputs;

static void gather_group(void *arg, size_t group, int worker)
{
    (void)worker;
    const inputs *in = arg;
    const run *f = in->f;
    size_t row = group_row(f, group);
    gather(f, f->from, f->to, row, group_row(f, group + 1) - row, &in->p);
}

/* The gradient of the kernel over the chunk. */
static void kernel_gradient(const run *f, bool add)
{
    float *dw = lam_g(f->layer, f->pass, 0);
    EACH_PART(f, p, f->x_together) {
        inputs in = {f, p};
        if (!dw)
            return;
        lam_parallel(f->groups, gather_group, &in);
        lam_gemm_run(&(lam_gemm){.form = LAM_TN,
                                 .m = f->features,
                                 .n = p.columns,
                                 .k = (f->to - f->from) * f->rows,
                                 .a = f->x,
                                 .lda = f->features,
                                 .b = f->dsums + p.col,
                                 .ldb = f->width,
                                 .c = dw + p.col,
                                 .ldc = f->width,
                                 .add = add});
    }
}

void lam_recurrent_backward(const lam_layer *layer, const lam_pass *pass)
{
    run f = begin(layer, pass);
    f.keep = true;
    bool add = pass->add;
    for (f.to = f.steps; f.to > 0; f.to = f.from, add = true) {
        f.from = (f.to - 1) / f.chunk * f.chunk;
        lam_parallel(f.groups, backward_group, &f);
        recurrent_gradients(&f, add);
        kernel_gradient(&f, add);
    }
}
