/* bidirectional (Schuster and Paliwal, "Bidirectional recurrent neural networks", 1997): one
 * recurrent layer goes through the sequence from its beginning, another from its end; what they put
 * out is put side by side, added, multiplied or averaged, step by step.
 *
 * As in Keras the outputs of the second layer, where it gives sequences, come in its own order of
 * time and are turned round before they are merged.  The outputs of both are kept in the cache. */
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "nn/layers/inner.h"
#include "nn/layers/recurrent.h"

enum { BOTH = 2 };
enum { CONCAT, SUM, MUL, AVE };
/* Streams of random numbers of one direction: two for its dropout. */
enum { STREAMS = 2 };

typedef struct bidirectional {
    lam_layer inner[BOTH];
    int mode;
    size_t steps; /* of the output: 1 without sequences */
    size_t units[BOTH];
} bidirectional;

static const lam_recurrent *recurrent(const bidirectional *b, int side)
{
    return b->inner[side].config;
}

static bool is_recurrent(const lam_layer *inner)
{
    return inner->type->forward == lam_recurrent_forward;
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const char *const modes[] = {"concat", "sum", "mul", "ave", NULL};
    static const char *const names[] = {"layer", "backward_layer"};
    static const lam_field fields[] = {
        {.name = "layer", .kind = LAM_FIELD_SPEC, .required = true},
        {.name = "backward_layer", .kind = LAM_FIELD_SPEC, .required = true},
        {.name = "merge_mode",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(bidirectional, mode),
         .choices = modes},
    };
    bidirectional *b = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), b, "layer_bidirectional()", err));
    for (int side = 0; side < BOTH; side++) {
        LAM_TRY(lam_inner_init(&b->inner[side], args, names[side], err));
        if (!is_recurrent(&b->inner[side]))
            return lam_fail_arg(err, LAM_EARGUMENT, names[side], "a recurrent layer",
                                "one of type %s", b->inner[side].type->name);
    }
    const lam_recurrent *f = recurrent(b, 0), *r = recurrent(b, 1);
    if (f->go_backwards == r->go_backwards)
        return lam_fail_arg(err, LAM_EARGUMENT, "backward_layer",
                            "a layer that goes the other way than `layer`",
                            "one with the same `go_backwards`");
    if (f->return_sequences != r->return_sequences || f->return_state != r->return_state ||
        f->stateful != r->stateful)
        return lam_fail_arg(
            err, LAM_EARGUMENT, "backward_layer",
            "a layer with the `return_sequences`, `return_state` and `stateful` of `layer`",
            "one with others");
    if (b->mode != CONCAT && f->units != r->units)
        return lam_fail_arg(err, LAM_EARGUMENT, "backward_layer",
                            "a layer with as many units as `layer`",
                            "one of %zu where `layer` has %zu", r->units, f->units);
    return LAM_OK;
}

static void release(lam_layer *layer)
{
    bidirectional *b = layer->config;
    for (int side = 0; side < BOTH; side++)
        lam_layer_free(&b->inner[side]);
}

/* Each piece of memory begins at a multiple of LAM_ALIGN. */
static size_t whole(size_t bytes)
{
    return lam_mul(lam_divide_up(bytes, LAM_ALIGN), LAM_ALIGN);
}

static char *take(char **at, size_t bytes)
{
    char *piece = *at;
    *at += whole(bytes);
    return piece;
}

static void build_memory(lam_layer *layer, const bidirectional *b)
{
    const lam_layer *f = &b->inner[0], *r = &b->inner[1];
    size_t out = (f->out_count + r->out_count) * sizeof(float);
    layer->cache_row = f->cache_row + r->cache_row + out;
    layer->cache_fixed = f->cache_fixed + r->cache_fixed + 4 * LAM_ALIGN;
    layer->scratch_row = f->scratch_row + r->scratch_row + out + layer->in_count * sizeof(float);
    layer->scratch_fixed = f->scratch_fixed + r->scratch_fixed + 5 * LAM_ALIGN;
    layer->prepared = whole(f->prepared) + whole(r->prepared);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    static const char *const prefixes[] = {"forward_", "backward_"};
    bidirectional *b = layer->config;
    layer->flags = ~0u;
    for (int side = 0; side < BOTH; side++) {
        lam_layer *inner = &b->inner[side];
        inner->mask_in = layer->mask_in;
        LAM_TRY(lam_inner_build(inner, layer, &layer->in, side * STREAMS, prefixes[side], err));
        b->units[side] = lam_shape_last(&inner->out);
        layer->flags &= inner->flags;
        layer->work += inner->work;
        layer->work_inside += inner->work_inside;
        for (int i = 0; i < inner->n_extra; i++)
            layer->extra[layer->n_extra++] = inner->extra[i];
    }
    layer->out = b->inner[0].out;
    b->steps = layer->out.rank == 2 ? layer->out.dim[0] : 1;
    if (b->mode == CONCAT)
        layer->out.dim[layer->out.rank - 1] = b->units[0] + b->units[1];
    build_memory(layer, b);
    return LAM_OK;
}

static void placed(lam_layer *layer)
{
    bidirectional *b = layer->config;
    lam_inner_place(&b->inner[0], layer, 0);
    lam_inner_place(&b->inner[1], layer, b->inner[0].n_weights);
}

/* ---- passes -------------------------------------------------------------------------------- */

/* Both directions of a pass, each with memory of its own. */
typedef struct trip {
    const lam_layer *layer;
    const lam_pass *outer;
    lam_pass pass[BOTH];
    float *y[BOTH], *dy[BOTH];
    float *dx; /* of the second direction, until it is added */
} trip;

static trip open_trip(const lam_layer *layer, const lam_pass *pass)
{
    const bidirectional *b = layer->config;
    trip t = {.layer = layer, .outer = pass};
    char *cache = pass->cache, *scratch = pass->scratch, *prepared = pass->prepared;
    for (int side = 0; side < BOTH; side++) {
        const lam_layer *inner = &b->inner[side];
        lam_pass *p = &t.pass[side];
        size_t out = inner->out_count * pass->rows * sizeof(float);
        *p = lam_inner_pass(layer, pass);
        p->cache = take(&cache, inner->cache_row * pass->rows + inner->cache_fixed);
        p->scratch = take(&scratch, inner->scratch_row * pass->rows + inner->scratch_fixed);
        p->prepared = take(&prepared, inner->prepared);
        p->y = t.y[side] = (float *)take(&cache, out);
        p->dy = t.dy[side] = (float *)take(&scratch, out);
    }
    t.dx = (float *)scratch;
    if (pass->extra) {
        t.pass[0].extra = pass->extra;
        t.pass[1].extra = pass->extra + b->inner[0].n_extra;
    }
    if (pass->dx)
        t.pass[1].dx = t.dx;
    return t;
}

static void prepare(const lam_layer *layer, const lam_pass *pass)
{
    bidirectional *b = layer->config;
    char *prepared = pass->prepared;
    for (int side = 0; side < BOTH; side++) {
        lam_pass p = lam_inner_pass(layer, pass);
        p.prepared = take(&prepared, b->inner[side].prepared);
        lam_inner_prepare(&b->inner[side], layer, &p);
    }
}

/* On two threads a direction each; more threads share out the samples of one direction, then of the
 * other.  The numbers are the same. */
static void both_ways(trip *t, lam_task_fn fn)
{
    if (lam_threads_here() == 2)
        lam_parallel(BOTH, fn, t);
    else
        for (size_t side = 0; side < BOTH; side++)
            fn(t, side, lam_worker());
}

static void forward_task(void *arg, size_t side, int worker)
{
    trip *t = arg;
    const bidirectional *b = t->layer->config;
    (void)worker;
    b->inner[side].type->forward(&b->inner[side], &t->pass[side]);
}

static void backward_task(void *arg, size_t side, int worker)
{
    trip *t = arg;
    const bidirectional *b = t->layer->config;
    (void)worker;
    b->inner[side].type->backward(&b->inner[side], &t->pass[side]);
}

/* The step of the second direction that belongs to output step `i` of the batch. */
static size_t turned(const bidirectional *b, size_t i)
{
    return i - i % b->steps + (b->steps - 1 - i % b->steps);
}

static void merge(const bidirectional *b, const float *f, const float *r, float *y)
{
    size_t n = b->units[0];
    if (b->mode == CONCAT) {
        memcpy(y, f, n * sizeof *y);
        memcpy(y + n, r, b->units[1] * sizeof *y);
        return;
    }
    for (size_t j = 0; j < n; j++)
        y[j] = b->mode == MUL ? f[j] * r[j] : b->mode == SUM ? f[j] + r[j] : 0.5f * (f[j] + r[j]);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const bidirectional *b = layer->config;
    size_t width = lam_shape_last(&layer->out);
    trip t = open_trip(layer, pass);
    both_ways(&t, forward_task);
    for (size_t i = 0; i < pass->rows * b->steps; i++)
        merge(b, t.y[0] + i * b->units[0], t.y[1] + turned(b, i) * b->units[1],
              pass->y + i * width);
}

/* What merge() does, backward. */
static void part(const bidirectional *b, const float *dy, const float *f, const float *r, float *df,
                 float *dr)
{
    size_t n = b->units[0];
    if (b->mode == CONCAT) {
        memcpy(df, dy, n * sizeof *dy);
        memcpy(dr, dy + n, b->units[1] * sizeof *dy);
        return;
    }
    for (size_t j = 0; j < n; j++) {
        float by_f = b->mode == MUL ? r[j] : b->mode == SUM ? 1.0f : 0.5f;
        float by_r = b->mode == MUL ? f[j] : by_f;
        df[j] = dy[j] * by_f;
        dr[j] = dy[j] * by_r;
    }
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const bidirectional *b = layer->config;
    size_t width = lam_shape_last(&layer->out);
    trip t = open_trip(layer, pass);
    for (size_t i = 0; i < pass->rows * b->steps; i++) {
        size_t at = i * b->units[0], back = turned(b, i) * b->units[1];
        part(b, pass->dy + i * width, t.y[0] + at, t.y[1] + back, t.dy[0] + at, t.dy[1] + back);
    }
    both_ways(&t, backward_task);
    if (pass->dx)
        lam_axpy(pass->rows * layer->in_count, 1.0f, t.dx, pass->dx);
}

const lam_layer_type lam_layer_bidirectional = {
    .name = "bidirectional",
    .config_size = sizeof(bidirectional),
    .configure = configure,
    .build = build,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .placed = placed,
    .release = release,
};
