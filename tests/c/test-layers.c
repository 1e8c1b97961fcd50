/* Every layer type against a double-precision reading of its definition, and its gradients against
 * central differences of that reading.  A listed type without an example fails. */
#include "base/alloc.h"
#include "base/threads.h"
#include "kernels/cpu.h"
#include "layers.h"

enum { MAX_KINDS = 16 };
static struct {
    const example *ex;
    size_t n;
} kinds[MAX_KINDS];
static size_t n_kinds;

void layer_examples(const example *ex, size_t n)
{
    kinds[n_kinds].ex = ex;
    kinds[n_kinds++].n = n;
}

reference_fn layer_definition(const char *type, bool masked)
{
    const example *found = NULL;
    for (size_t k = 0; k < n_kinds; k++)
        for (size_t i = 0; i < kinds[k].n; i++) {
            const example *ex = &kinds[k].ex[i];
            if (strcmp(ex->type, type) == 0 && (!found || (masked == (ex->mask > 0) && masked != (found->mask > 0))))
                found = ex;
        }
    return found ? found->reference : NULL;
}

/* The number of an example among those of its kind. */
static int number_of(const example *ex)
{
    for (size_t k = 0; k < n_kinds; k++)
        if (ex >= kinds[k].ex && ex < kinds[k].ex + kinds[k].n)
            return (int)(ex - kinds[k].ex);
    return -1;
}

/* Calls fn for every example of every kind. */
static void each_example(void (*fn)(const example *ex))
{
    for (size_t k = 0; k < n_kinds; k++)
        for (size_t i = 0; i < kinds[k].n; i++)
            fn(&kinds[k].ex[i]);
}

/* ---- one example at work --------------------------------------------------------- */

enum { GAP = 3 }; /* floats between weights, which nobody may touch */

void *room(size_t n, size_t size)
{
    return malloc(n * size + (n * size == 0));
}

/* Random numbers that stay off the corners at 0, 0.25 and 1.5. */
static void fill_smooth(float *x, size_t n)
{
    unit_fill(x, n, -2, 2);
    for (size_t i = 0; i < n; i++)
        if (fabsf(x[i]) < 0.02f || fabsf(x[i] - 0.25f) < 0.02f || fabsf(x[i] - 1.5f) < 0.02f)
            x[i] += 0.05f;
}

static void fill_mask(bench *b)
{
    size_t steps = b->layer.mask_in;
    for (size_t i = 0; i < b->pass.rows * steps; i++)
        b->mask[i] = i / steps != 1 && unit_uniform(0, 1) < 0.7;
    b->pass.mask = steps ? b->mask : NULL;
}

bool set_up(bench *b, const example *ex, size_t rows, bool training, bool linear)
{
    lam_error err = {0};
    lam_args args = args_of(ex);
    memset(b, 0, sizeof *b);
    b->ex = ex;
    lam_status status = lam_layer_init(&b->layer, lam_layer_type_find(ex->type), &args, &err);
    b->layer.index = 2;
    b->layer.mask_in = ex->mask;
    if (status != LAM_OK || lam_layer_build(&b->layer, &ex->in, &err) != LAM_OK) {
        unit_fail(__FILE__, __LINE__, "%s: %s", ex->type, err.message);
        lam_layer_free(&b->layer);
        return false;
    }
    lam_layer *layer = &b->layer;
    b->n_w = GAP;
    for (int i = 0; i < layer->n_weights; i++) {
        layer->weight[i].offset = b->n_w;
        b->n_w += layer->weight[i].count + GAP;
    }
    if (layer->type->placed)
        layer->type->placed(layer);
    b->n_x = rows * layer->in_count;
    b->n_y = rows * layer->out_count;
    b->x = room(b->n_x, sizeof(float));
    b->dx = room(b->n_x, sizeof(float));
    b->y = room(b->n_y, sizeof(float));
    b->dy = room(b->n_y, sizeof(float));
    b->weights = room(b->n_w, sizeof(float));
    b->grads = room(b->n_w, sizeof(float));
    b->x_d = room(b->n_x, sizeof(double));
    b->want_dx = room(b->n_x, sizeof(double));
    b->w_d = room(b->n_w, sizeof(double));
    b->want_dw = room(b->n_w, sizeof(double));
    b->y_d = room(b->n_y, sizeof(double));
    b->mask = room(rows * layer->mask_in, 1);
    for (int i = 0; i < layer->n_extra; i++)
        b->extra[i] = room(rows * layer->extra[i], sizeof(float));
    bool makes_mask = layer->mask_out > 0 && !(layer->flags & LAM_LAYER_CARRIES_MASK);
    b->pass = (lam_pass){.rows = rows,
                         .weights = b->weights,
                         .training = training,
                         .linear = linear,
                         .seed = 1234567,
                         .step = 5,
                         .first_row = 3,
                         .mask_out = makes_mask ? room(rows * layer->mask_out, 1) : NULL,
                         .extra = layer->n_extra ? b->extra : NULL};
    b->pass.cache = room(layer->cache_row * rows + layer->cache_fixed, 1);
    b->pass.scratch = room(layer->scratch_row * rows + layer->scratch_fixed, 1);
    b->pass.prepared = aligned_alloc(LAM_ALIGN, (layer->prepared / LAM_ALIGN + 1) * LAM_ALIGN);

    if (ex->inputs)
        ex->inputs(ex, b->n_x, b->x);
    else
        fill_smooth(b->x, b->n_x);
    fill_mask(b);
    unit_fill(b->dy, b->n_y, -1, 1);
    unit_fill(b->weights, b->n_w, -0.7, 0.7);
    for (int i = 0; i < layer->n_weights; i++)
        if (strstr(layer->weight[i].name, "variance"))
            unit_fill(b->weights + layer->weight[i].offset, layer->weight[i].count, 0.5, 2);
    for (size_t i = 0; i < b->n_x; i++)
        b->x_d[i] = b->x[i];
    for (size_t i = 0; i < b->n_w; i++)
        b->w_d[i] = b->weights[i];
    return true;
}

void tear_down(bench *b)
{
    lam_layer_free(&b->layer);
    void *blocks[] = {b->x,       b->dx,  b->y,       b->dy,  b->weights,    b->grads,       b->x_d,
                      b->want_dx, b->w_d, b->want_dw, b->y_d, b->pass.cache, b->pass.scratch,
                      b->pass.prepared, b->mask, b->pass.mask_out, b->extra[0], b->extra[1], b->extra[2],
                      b->extra[3]};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
}

/* sum(dy * y) by the definition */
static double projection(bench *b)
{
    b->ex->reference(b->ex, &b->layer, &b->pass, b->x_d, b->w_d, b->y_d);
    double sum = 0;
    for (size_t i = 0; i < b->n_y; i++)
        sum += b->y_d[i] * b->dy[i];
    return sum;
}

static double slope(bench *b, double *at)
{
    const double h = 1e-7; /* so small that a corner within h is unlikely */
    double keep = *at;
    *at = keep + h;
    double up = projection(b);
    *at = keep - h;
    double down = projection(b);
    *at = keep;
    return (up - down) / (2 * h);
}

static void differences(bench *b)
{
    for (size_t i = 0; i < b->n_x; i++)
        b->want_dx[i] = slope(b, &b->x_d[i]);
    memset(b->want_dw, 0, b->n_w * sizeof(double));
    for (int w = 0; w < b->layer.n_weights; w++)
        for (size_t i = 0; i < b->layer.weight[w].count; i++)
            b->want_dw[b->layer.weight[w].offset + i] =
                slope(b, &b->w_d[b->layer.weight[w].offset + i]);
    projection(b);
}

static void poison(void *at, size_t bytes)
{
    memset(at, 0xff, bytes); /* NaN as float and as double */
}

static void poison_scratch(bench *b)
{
    poison(b->pass.scratch, b->layer.scratch_row * b->pass.rows + b->layer.scratch_fixed);
}

static void check_numbers(const bench *b, const char *what, const float *got, const double *want,
                          size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= 1e-5 * fmax(1, fabs(want[i])))) {
            unit_fail(__FILE__, __LINE__,
                      "%s (example %d, %zu rows, tier %s): %s[%zu] is %.9g, not %.9g", b->ex->type,
                      number_of(b->ex), b->pass.rows, lam_tier_name(lam_tier()), what, i,
                      (double)got[i], want[i]);
            return;
        }
}

static void run_forward(bench *b, bool in_place, bool backward_follows)
{
    b->pass.x = b->x;
    b->pass.y = in_place ? b->x : b->y;
    b->pass.backward_follows = backward_follows;
    poison_scratch(b);
    poison(b->pass.cache, b->layer.cache_row * b->pass.rows + b->layer.cache_fixed);
    poison(b->pass.prepared, b->layer.prepared);
    if (b->layer.type->prepare)
        b->layer.type->prepare(&b->layer, &b->pass);
    b->layer.type->forward(&b->layer, &b->pass);
    check_numbers(b, in_place ? "y in place" : "y", b->pass.y, b->y_d, b->n_y);
}

static bool is_trained(const bench *b, size_t at)
{
    for (int w = 0; w < b->layer.n_weights; w++) {
        const lam_weight *weight = &b->layer.weight[w];
        if (at >= weight->offset && at < weight->offset + weight->count)
            return weight->trainable && b->layer.trainable;
    }
    return false;
}

/* Gradients of trained weights are want (plus what was there, with add), all else is untouched. */
static void run_backward(bench *b, float *dx, float *grads, bool add)
{
    const float before = 0.5f;
    for (size_t i = 0; i < b->n_w; i++)
        b->grads[i] = before;
    b->pass.dy = dx == b->dy ? b->dy : b->pass.dy;
    b->pass.dx = dx;
    b->pass.grads = grads;
    b->pass.add = add;
    poison_scratch(b);
    b->layer.type->backward(&b->layer, &b->pass);
    if (dx)
        check_numbers(b, "dx", dx, b->want_dx, b->n_x);
    for (size_t i = 0; i < b->n_w; i++)
        if (grads && is_trained(b, i)) {
            double got = b->grads[i] - (add ? before : 0);
            CHECK_NEAR(got, b->want_dw[i], 1e-5);
        } else {
            CHECK(b->grads[i] == before);
        }
}

static void check_backward(bench *b)
{
    unsigned flags = b->layer.flags;
    if (!(flags & LAM_LAYER_NEEDS_X) && b->pass.y != b->x)
        poison(b->x, b->n_x * sizeof(float));
    if (!(flags & LAM_LAYER_NEEDS_Y))
        poison((float *)b->pass.y, b->n_y * sizeof(float));
    b->pass.dy = b->dy;
    run_backward(b, b->dx, b->grads, false);
    run_backward(b, b->dx, b->grads, true);
    run_backward(b, NULL, b->grads, false);
    run_backward(b, b->dx, NULL, false);
    if (!(flags & LAM_LAYER_WHOLE_BATCH)) { /* frozen, those that look at the batch are another function */
        b->layer.trainable = false;
        run_backward(b, b->dx, b->grads, false);
        b->layer.trainable = true;
    }
    if (flags & LAM_LAYER_INPLACE)
        run_backward(b, b->dy, b->grads, false);
}

/* The numbers that a check has overwritten, from their doubles. */
static void restore(bench *b, const float *dy)
{
    for (size_t i = 0; i < b->n_x; i++)
        b->x[i] = (float)b->x_d[i];
    memcpy(b->dy, dy, b->n_y * sizeof *dy);
}

/* The definition's differences take the time: they are worked out once for all machine tiers. */
static void check_example(const example *ex, size_t rows, bool training, bool linear, bool masked)
{
    bench b;
    lam_error err;
    lam_tier_id best = lam_tier();
    if (!set_up(&b, ex, rows, training, linear))
        return;
    if (!masked)
        b.pass.mask = NULL;
    if (!linear || (b.layer.type->closing && b.layer.type->closing(&b.layer))) {
        CHECK(lam_shape_equal(&b.layer.out, &ex->out));
        bool in_place = b.layer.flags & LAM_LAYER_INPLACE;
        float *dy = room(b.n_y, sizeof *dy);
        memcpy(dy, b.dy, b.n_y * sizeof *dy);
        differences(&b);
        for (int tier = 0; tier <= (int)best; tier++) {
            CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
            run_forward(&b, false, false);
            run_forward(&b, false, true);
            check_backward(&b);
            restore(&b, dy);
            if (!in_place)
                continue;
            run_forward(&b, true, false);
            restore(&b, dy);
            if (b.layer.flags & LAM_LAYER_NEEDS_X)
                continue;
            run_forward(&b, true, true);
            check_backward(&b);
            restore(&b, dy);
        }
        free(dy);
    }
    tear_down(&b);
}

static void check_in_every_way(const example *ex)
{
    static const size_t rows[] = {1, 2, 5};
    for (int i = 0; i < 3; i++)
        for (int mode = 0; mode < (ex->mask ? 8 : 4); mode++)
            check_example(ex, rows[i], mode & 1, mode & 2, mode & 4);
}

TEST(every_layer_keeps_its_definition_and_its_gradients)
{
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err));
    each_example(check_in_every_way);
    lam_threads_stop();
}

TEST(every_layer_type_has_an_example)
{
    for (size_t t = 0; lam_layer_types[t]; t++) {
        bool found = false;
        for (size_t k = 0; k < n_kinds; k++)
            for (size_t i = 0; i < kinds[k].n; i++)
                found |= strcmp(kinds[k].ex[i].type, lam_layer_types[t]->name) == 0;
        if (!found)
            unit_fail(__FILE__, __LINE__, "layer type %s has no example", lam_layer_types[t]->name);
    }
}

static void offer_nonsense(const example *ex)
{
    lam_layer layer;
    lam_error err = {0};
    example odd = *ex;
    lam_args args = args_of(&odd);
    odd.arg[args.n] = (lam_arg)NUMBERS("nonsense", 1);
    args = args_of(&odd);
    CHECK_INT(lam_layer_init(&layer, lam_layer_type_find(odd.type), &args, &err), LAM_EARGUMENT);
    CHECK(strcmp(err.arg, "nonsense") == 0);
}

TEST(no_layer_takes_an_argument_it_does_not_have)
{
    each_example(offer_nonsense);
}

/* LAM_OK, or what went wrong on the way to a layer with its shapes. */
static lam_status try_layer(const example *ex, lam_error *err)
{
    lam_layer layer;
    lam_args args = args_of(ex);
    lam_status status = lam_layer_init(&layer, lam_layer_type_find(ex->type), &args, err);
    if (status == LAM_OK) {
        layer.mask_in = ex->mask;
        status = lam_layer_build(&layer, &ex->in, err);
        lam_layer_free(&layer);
    }
    return status;
}

static void starve(const example *ex)
{
    long live = lam_alloc_live();
    bool done = false;
    for (long n = 1; !done && n < 50; n++) {
        lam_error err = {0};
        lam_alloc_fail_at(n);
        lam_status status = try_layer(ex, &err);
        done = status == LAM_OK;
        CHECK(done || status == LAM_EMEMORY);
    }
    lam_alloc_fail_at(0);
    CHECK(done);
    CHECK_INT(lam_alloc_live(), live);
}

TEST(layers_survive_every_failing_allocation)
{
    each_example(starve);
}

void layer_refusals(const refusal *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        lam_error err = {0};
        lam_status status = try_layer(&r[i].ex, &err);
        if (status != r[i].status || strcmp(err.arg, r[i].arg) != 0)
            unit_fail(__FILE__, __LINE__, "refusal %zu (%s): status %s, argument \"%s\": %s", i,
                      r[i].ex.type, lam_status_name(status), err.arg, err.message);
    }
    CHECK_INT(lam_alloc_live(), 0);
}

void layer_weights(const named_weight *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bench b;
        if (!set_up(&b, &w[i].ex, 1, false, false))
            return;
        const lam_weight *got = &b.layer.weight[w[i].weight];
        CHECK(strcmp(got->name, w[i].name) == 0);
        CHECK(lam_shape_equal(&got->shape, &w[i].shape));
        CHECK(got->trainable == w[i].trainable);
        tear_down(&b);
    }
}
