/* Recurrent layers: simple_rnn, lstm, gru. */
#include "base/threads.h"
#include "layers.h"

/* ---- the definitions ------------------------------------------------------------- */

enum { AT_MOST = 128 /* units, features */, GATES_AT_MOST = 4 };

static bool flag(const example *ex, const char *name)
{
    return number(ex, name, 0, 0) != 0;
}

/* One row of one pass. */
typedef struct walk {
    const example *ex;
    const lam_layer *layer;
    const lam_pass *pass;
    size_t row, units, gates, features;
    const double *kernel, *recurrent, *bias;
    /* what dropout makes of the inputs and of the state on their way to a gate */
    double x_factor[GATES_AT_MOST][AT_MOST], h_factor[GATES_AT_MOST][AT_MOST];
} walk;

/* The factors of the row's n numbers for every gate.  With recurrent dropout each gate has masks of
 * its own; they count from the batch's first sample. */
static void drop(const walk *w, const char *rate_name, int stream, size_t n,
                 double factor[GATES_AT_MOST][AT_MOST])
{
    double rate = (float)number(w->ex, rate_name, 0, 0), seed = number(w->ex, "seed", 0, NAN);
    size_t masks = number(w->ex, "recurrent_dropout", 0, 0) != 0 ? w->gates : 1;
    lam_rng rng = lam_layer_rng(w->layer, w->pass, stream);
    if (!isnan(seed)) {
        rng.seed = (uint64_t)seed;
        rng.stream = LAM_STREAM_LAYER(0, (uint32_t)stream);
    }
    for (size_t g = 0; g < w->gates; g++)
        for (size_t j = 0; j < n; j++) {
            size_t at = ((w->pass->first_row + w->row) * masks + g % masks) * n + j;
            bool stays =
                !w->pass->training || rate == 0 || lam_random_uniform(&rng, at) >= (float)rate;
            factor[g][j] = !stays ? 0 : w->pass->training ? 1 / (1 - rate) : 1;
        }
}

/* (x W + b) of one gate and unit */
static double from_input(const walk *w, const double *x, size_t gate, size_t unit)
{
    size_t at = gate * w->units + unit;
    double sum = w->bias ? w->bias[at] : 0;
    for (size_t i = 0; i < w->features; i++)
        sum += x[i] * w->x_factor[gate][i] * w->kernel[i * w->gates * w->units + at];
    return sum;
}

/* (h U) of one gate and unit, each h times reset where given */
static double from_state(const walk *w, const double *h, const double *reset, size_t gate,
                         size_t unit)
{
    double sum = 0;
    for (size_t i = 0; i < w->units; i++)
        sum += h[i] * (reset ? reset[i] : 1) * w->h_factor[gate][i] *
               w->recurrent[(i * w->gates + gate) * w->units + unit];
    return sum;
}

static void activated(const walk *w, const char *arg_name, const char *otherwise, double *z)
{
    lam_args args = args_of(w->ex);
    const lam_arg *arg = lam_args_get(&args, arg_name);
    const char *name = arg ? arg->strings[0] : otherwise;
    double y[AT_MOST];
    group(name, w->units, 1, z, y);
    memcpy(z, y, w->units * sizeof *z);
}

static void act(const walk *w, double *z)
{
    activated(w, "activation", "tanh", z);
}

static void gate_act(const walk *w, double *z)
{
    activated(w, "recurrent_activation", "sigmoid", z);
}

static void simple_rnn_step(const walk *w, const double *x, double *h, double *c)
{
    double z[AT_MOST];
    (void)c;
    for (size_t j = 0; j < w->units; j++)
        z[j] = from_input(w, x, 0, j) + from_state(w, h, NULL, 0, j);
    act(w, z);
    memcpy(h, z, w->units * sizeof *h);
}

static void lstm_step(const walk *w, const double *x, double *h, double *c)
{
    double z[4][AT_MOST];
    for (size_t g = 0; g < 4; g++) {
        for (size_t j = 0; j < w->units; j++)
            z[g][j] = from_input(w, x, g, j) + from_state(w, h, NULL, g, j);
        if (g == 2)
            act(w, z[g]);
        else
            gate_act(w, z[g]);
    }
    for (size_t j = 0; j < w->units; j++)
        h[j] = c[j] = z[1][j] * c[j] + z[0][j] * z[2][j];
    act(w, h);
    for (size_t j = 0; j < w->units; j++)
        h[j] *= z[3][j];
}

static void gru_step(const walk *w, const double *x, double *h, double *c)
{
    double z[3][AT_MOST];
    bool after = number(w->ex, "reset_after", 0, 1) != 0;
    const double *second = after && w->bias ? w->bias + 3 * w->units : NULL;
    (void)c;
    for (size_t g = 0; g < 2; g++) {
        for (size_t j = 0; j < w->units; j++)
            z[g][j] = from_input(w, x, g, j) + from_state(w, h, NULL, g, j) +
                      (second ? second[g * w->units + j] : 0);
        gate_act(w, z[g]);
    }
    for (size_t j = 0; j < w->units; j++)
        z[2][j] =
            from_input(w, x, 2, j) + (after ? z[1][j] * (from_state(w, h, NULL, 2, j) +
                                                         (second ? second[2 * w->units + j] : 0))
                                            : from_state(w, h, z[1], 2, j));
    act(w, z[2]);
    for (size_t j = 0; j < w->units; j++)
        h[j] = z[0][j] * h[j] + (1 - z[0][j]) * z[2][j];
}

typedef void (*step_fn)(const walk *w, const double *x, double *h, double *c);

/* Keras' way through time; h and c are the states before and after. */
static void walk_row(const walk *w, step_fn step, const double *x, double *h, double *c, double *y)
{
    size_t steps = w->layer->in.dim[0], u = w->units;
    bool sequences = flag(w->ex, "return_sequences");
    double out[AT_MOST] = {0};
    for (size_t t = 0; t < steps; t++) {
        size_t time = flag(w->ex, "go_backwards") ? steps - 1 - t : t;
        bool counts = !w->pass->mask || w->pass->mask[w->row * steps + time];
        if (counts) {
            step(w, x + (w->row * steps + time) * w->features, h, c);
            memcpy(out, h, u * sizeof *out);
        }
        bool zero = !counts && flag(w->ex, "zero_output_for_mask");
        for (size_t j = 0; sequences && j < u; j++)
            y[(w->row * steps + t) * u + j] = zero ? 0 : out[j];
    }
    if (!sequences)
        memcpy(y + w->row * u, out, u * sizeof *out);
}

static walk walk_of(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *weights, size_t gates)
{
    bool biased = number(ex, "use_bias", 0, 1) != 0;
    return (walk){.ex = ex,
                  .layer = layer,
                  .pass = pass,
                  .units = (size_t)number(ex, "units", 0, 0),
                  .gates = gates,
                  .features = layer->in.dim[1],
                  .kernel = weights + layer->weight[0].offset,
                  .recurrent = weights + layer->weight[1].offset,
                  .bias = biased ? weights + layer->weight[2].offset : NULL};
}

static void whole(walk w, step_fn step, const double *x, double *y)
{
    for (w.row = 0; w.row < w.pass->rows; w.row++) {
        double h[AT_MOST] = {0}, c[AT_MOST] = {0};
        drop(&w, "dropout", 0, w.features, w.x_factor);
        drop(&w, "recurrent_dropout", 1, w.units, w.h_factor);
        walk_row(&w, step, x, h, c, y);
    }
}

static void simple_rnn(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    whole(walk_of(ex, layer, pass, w, 1), simple_rnn_step, x, y);
}

static void lstm(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                 const double *w, double *y)
{
    whole(walk_of(ex, layer, pass, w, 4), lstm_step, x, y);
}

static void gru(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                const double *w, double *y)
{
    whole(walk_of(ex, layer, pass, w, 3), gru_step, x, y);
}

/* ---- the examples ---------------------------------------------------------------- */

/* Every cell with these options, on `t` steps of `f` features. */
#define CELL(name, t, f, units_n, ...)                                                             \
    {                                                                                              \
        .type = #name, .in = SHAPE(t, f), .out = SHAPE(units_n), .reference = name,                \
        .arg = {NUMBERS("units", units_n), __VA_ARGS__}, .mask = t                                 \
    }
#define SEQUENCES(name, t, f, units_n, ...)                                                        \
    {                                                                                              \
        .type = #name, .in = SHAPE(t, f), .out = SHAPE(t, units_n), .reference = name,             \
        .arg = {NUMBERS("units", units_n), NUMBERS("return_sequences", 1), __VA_ARGS__}, .mask = t \
    }
#define EVERY_CELL(name)                                                                           \
    CELL(name, 1, 1, 1, {0}), CELL(name, 4, 3, 5, {0}), CELL(name, 1, 2, 17, {0}),                 \
        CELL(name, 2, 18, 3, NUMBERS("use_bias", 0)), SEQUENCES(name, 4, 3, 4, {0}),               \
        SEQUENCES(name, 3, 2, 5, NUMBERS("go_backwards", 1)),                                      \
        CELL(name, 4, 3, 3, NUMBERS("go_backwards", 1)),                                           \
        SEQUENCES(name, 4, 2, 3, NUMBERS("zero_output_for_mask", 1), NUMBERS("go_backwards", 1)),  \
        CELL(name, 3, 5, 4, NUMBERS("dropout", 0.4)),                                              \
        SEQUENCES(name, 3, 5, 4, NUMBERS("recurrent_dropout", 0.3)),                               \
        CELL(name, 3, 5, 4, NUMBERS("dropout", 0.3), NUMBERS("recurrent_dropout", 0.4),            \
             NUMBERS("seed", 7), NUMBERS("go_backwards", 1)),                                      \
        CELL(name, 3, 2, 3, NUMBERS("return_state", 1)),                                           \
        CELL(name, 3, 2, 3, NUMBERS("stateful", 1), NUMBERS("batch_size", 8)),                     \
        CELL(name, 3, 2, 3, STRING("activation", "linear")),                                       \
        SEQUENCES(name, 3, 2, 3, STRING("activation", "gelu")),                                    \
        CELL(name, 3, 2, 3, STRING("activation", "softmax"))

static const example recurrent_examples[] = {
    EVERY_CELL(simple_rnn),
    EVERY_CELL(lstm),
    EVERY_CELL(gru),
    CELL(lstm, 3, 2, 5, NUMBERS("unit_forget_bias", 0)),
    CELL(lstm, 3, 2, 5, STRING("recurrent_activation", "gelu")),
    SEQUENCES(lstm, 3, 4, 5, STRING("recurrent_activation", "softmax"),
              STRING("activation", "gelu"), NUMBERS("recurrent_dropout", 0.3)),
    CELL(gru, 3, 2, 5, STRING("recurrent_activation", "gelu")),
    CELL(gru, 3, 4, 5, STRING("recurrent_activation", "softmax"), STRING("activation", "gelu"),
         NUMBERS("recurrent_dropout", 0.3)),
    CELL(gru, 4, 3, 5, NUMBERS("reset_after", 0)),
    SEQUENCES(gru, 2, 3, 17, NUMBERS("reset_after", 0), NUMBERS("use_bias", 0)),
    CELL(gru, 3, 5, 4, NUMBERS("reset_after", 0), NUMBERS("dropout", 0.3),
         NUMBERS("recurrent_dropout", 0.4)),
    SEQUENCES(gru, 3, 2, 4, NUMBERS("reset_after", 0), NUMBERS("go_backwards", 1),
              STRING("recurrent_activation", "gelu")),
};
LAYER_EXAMPLES(recurrent_examples)

static const refusal recurrent_refusals[] = {
    {LAM_EARGUMENT, "units", {"lstm", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 0)}}},
    {LAM_EARGUMENT, "units", {"gru", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 1.5)}}},
    {LAM_ESHAPE, "", {"simple_rnn", SHAPE(4), {0}, NULL, {NUMBERS("units", 2)}}},
    {LAM_ESHAPE, "", {"lstm", SHAPE(4, 3, 2), {0}, NULL, {NUMBERS("units", 2)}}},
    {LAM_EARGUMENT,
     "dropout",
     {"lstm", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 2), NUMBERS("dropout", 1.5)}}},
    {LAM_EARGUMENT,
     "recurrent_dropout",
     {"gru", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 2), NUMBERS("recurrent_dropout", -0.5)}}},
    {LAM_EARGUMENT,
     "recurrent_activation",
     {"gru", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 2), STRING("recurrent_activation", "no")}}},
    {LAM_EARGUMENT,
     "recurrent_activation",
     {"simple_rnn",
      SHAPE(4, 3),
      {0},
      NULL,
      {NUMBERS("units", 2), STRING("recurrent_activation", "tanh")}}},
    {LAM_EARGUMENT,
     "batch_size",
     {"lstm", SHAPE(4, 3), {0}, NULL, {NUMBERS("units", 2), NUMBERS("stateful", 1)}}},
};
LAYER_REFUSALS(recurrent_refusals)

#define STATEFUL NUMBERS("units", 3), NUMBERS("stateful", 1), NUMBERS("batch_size", 4)
static const named_weight recurrent_weights[] = {
    {0, "kernel", SHAPE(2, 3), true, {"simple_rnn", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {1, "recurrent_kernel", SHAPE(3, 3), true, {"simple_rnn", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {2, "bias", SHAPE(3), true, {"simple_rnn", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {3, "state_h", SHAPE(4, 3), false, {"simple_rnn", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {0, "kernel", SHAPE(2, 12), true, {"lstm", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {1, "recurrent_kernel", SHAPE(3, 12), true, {"lstm", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {2, "bias", SHAPE(12), true, {"lstm", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {3, "state_h", SHAPE(4, 3), false, {"lstm", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {4, "state_c", SHAPE(4, 3), false, {"lstm", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {0, "kernel", SHAPE(2, 9), true, {"gru", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {1, "recurrent_kernel", SHAPE(3, 9), true, {"gru", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {2, "bias", SHAPE(2, 9), true, {"gru", SHAPE(5, 2), {0}, NULL, {STATEFUL}}},
    {2,
     "bias",
     SHAPE(9),
     true,
     {"gru", SHAPE(5, 2), {0}, NULL, {STATEFUL, NUMBERS("reset_after", 0)}}},
};
LAYER_WEIGHTS(recurrent_weights)

/* ---- many samples, many steps ----------------------------------------------------- */

/* More rows than one task takes and more steps than one chunk of time. */
enum { ROWS = 70, STEPS = 80 };
static const example long_examples[] = {
    SEQUENCES(simple_rnn, STEPS, 3, 17, NUMBERS("dropout", 0.3)),
    SEQUENCES(lstm, STEPS, 3, 17, {0}),
    CELL(lstm, STEPS, 3, 17, NUMBERS("dropout", 0.2), NUMBERS("recurrent_dropout", 0.3),
         NUMBERS("go_backwards", 1)),
    SEQUENCES(gru, STEPS, 3, 18, NUMBERS("zero_output_for_mask", 1)),
    CELL(gru, STEPS, 3, 18, NUMBERS("reset_after", 0), NUMBERS("recurrent_dropout", 0.3)),
};

static void run_layer(bench *b, bool add)
{
    b->pass.x = b->x;
    b->pass.y = b->y;
    b->pass.dy = b->dy;
    b->pass.dx = b->dx;
    b->pass.grads = b->grads;
    b->pass.add = add;
    b->pass.backward_follows = true;
    b->layer.type->prepare(&b->layer, &b->pass);
    b->layer.type->forward(&b->layer, &b->pass);
    b->layer.type->backward(&b->layer, &b->pass);
}

/* Sample `row` of `all` alone, its gradients added to those in `one`. */
static void run_one(bench *one, const bench *all, size_t row, bool add)
{
    const lam_layer *layer = &all->layer;
    memcpy(one->x, all->x + row * layer->in_count, layer->in_count * sizeof(float));
    memcpy(one->dy, all->dy + row * layer->out_count, layer->out_count * sizeof(float));
    memcpy(one->mask, all->mask + row * STEPS, STEPS);
    one->pass.first_row = all->pass.first_row + row;
    run_layer(one, add);
}

static void compare_with_single_samples(const example *ex)
{
    bench all, one;
    if (!set_up(&all, ex, ROWS, true, false) || !set_up(&one, ex, 1, true, false))
        return;
    for (size_t i = 0; i < all.n_w; i++) /* so small that nothing grows over the steps */
        all.w_d[i] = one.weights[i] = all.weights[i] *= 0.25f;
    run_layer(&all, false);
    all.ex->reference(ex, &all.layer, &all.pass, all.x_d, all.w_d, all.y_d);
    for (size_t i = 0; i < all.n_y; i++)
        CHECK_NEAR(all.y[i], all.y_d[i], 1e-5);
    for (size_t row = 0; row < ROWS; row++) {
        run_one(&one, &all, row, row > 0);
        CHECK(memcmp(all.dx + row * one.n_x, one.dx, one.n_x * sizeof(float)) == 0);
    }
    for (int w = 0; w < all.layer.n_weights; w++)
        for (size_t i = 0; i < all.layer.weight[w].count; i++) {
            size_t at = all.layer.weight[w].offset + i;
            CHECK_NEAR(all.grads[at], one.grads[at], 1e-4);
        }
    tear_down(&all);
    tear_down(&one);
}

TEST(a_batch_of_sequences_is_its_samples)
{
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err));
    for (size_t i = 0; i < sizeof long_examples / sizeof long_examples[0]; i++)
        compare_with_single_samples(&long_examples[i]);
    lam_threads_stop();
}

/* Wide enough that work is shared out. */
static const example wide_examples[] = {
    SEQUENCES(simple_rnn, STEPS, 30, 100, {0}),
    CELL(lstm, STEPS, 30, 50, NUMBERS("recurrent_dropout", 0.3), NUMBERS("dropout", 0.2)),
    SEQUENCES(gru, STEPS, 30, 50, {0}),
};

TEST(recurrent_layers_give_the_same_bits_on_any_number_of_threads)
{
    lam_error err;
    for (size_t i = 0; i < sizeof wide_examples / sizeof wide_examples[0]; i++) {
        bench b;
        CHECK_OK(lam_threads_set(1, &err));
        if (!set_up(&b, &wide_examples[i], ROWS, true, false))
            return;
        for (size_t w = 0; w < b.n_w; w++)
            b.weights[w] *= 0.1f;
        memset(b.grads, 0, b.n_w * sizeof(float));
        run_layer(&b, false);
        float *y = room(b.n_y, sizeof *y), *dx = room(b.n_x, sizeof *dx),
              *dw = room(b.n_w, sizeof *dw);
        memcpy(y, b.y, b.n_y * sizeof *y);
        memcpy(dx, b.dx, b.n_x * sizeof *dx);
        memcpy(dw, b.grads, b.n_w * sizeof *dw);
        for (int threads = 2; threads <= 5; threads += 3) {
            CHECK_OK(lam_threads_set(threads, &err));
            run_layer(&b, false);
            CHECK(memcmp(y, b.y, b.n_y * sizeof *y) == 0);
            CHECK(memcmp(dx, b.dx, b.n_x * sizeof *dx) == 0);
            CHECK(memcmp(dw, b.grads, b.n_w * sizeof *dw) == 0);
        }
        free(y);
        free(dx);
        free(dw);
        tear_down(&b);
    }
    lam_threads_stop();
}

/* ---- states ----------------------------------------------------------------------- */

#define CARRIED NUMBERS("return_state", 1), NUMBERS("stateful", 1), NUMBERS("batch_size", 6)
static const example stateful_examples[] = {
    CELL(simple_rnn, 3, 2, 5, CARRIED),
    SEQUENCES(lstm, 3, 2, 5, CARRIED),
    CELL(gru, 3, 2, 5, CARRIED, NUMBERS("go_backwards", 1)),
    SEQUENCES(gru, 3, 2, 5, CARRIED, NUMBERS("reset_after", 0)),
};

static step_fn step_of(const example *ex, size_t *gates)
{
    *gates = strcmp(ex->type, "lstm") == 0 ? 4 : strcmp(ex->type, "gru") == 0 ? 3 : 1;
    return *gates == 4 ? lstm_step : *gates == 3 ? gru_step : simple_rnn_step;
}

static float *states_of(bench *b)
{
    return b->weights + b->layer.weight[3].offset;
}

/* The second batch starts where the first ended, and both tell their last states; a pass that does
 * not carry states starts at 0 and leaves them alone. */
static void carry_twice(const example *ex)
{
    enum { BATCH = 3, UNITS = 5 };
    bench b;
    size_t gates;
    step_fn step = step_of(ex, &gates);
    if (!set_up(&b, ex, BATCH, false, false))
        return;
    double h[BATCH][AT_MOST] = {0}, c[BATCH][AT_MOST] = {0};
    for (int i = 3; i < b.layer.n_weights; i++)
        memset(b.weights + b.layer.weight[i].offset, 0, b.layer.weight[i].count * sizeof(float));
    for (int batch = 0; batch < 3; batch++) {
        b.pass.carry_state = batch < 2;
        if (batch == 2) {
            memset(h, 0, sizeof h);
            memset(c, 0, sizeof c);
        }
        float before = states_of(&b)[3 * UNITS];
        run_layer(&b, false);
        walk w = walk_of(ex, &b.layer, &b.pass, b.w_d, gates);
        for (w.row = 0; w.row < BATCH; w.row++) {
            drop(&w, "dropout", 0, w.features, w.x_factor);
            drop(&w, "recurrent_dropout", 1, w.units, w.h_factor);
            walk_row(&w, step, b.x_d, h[w.row], c[w.row], b.y_d);
            for (size_t j = 0; j < UNITS; j++) {
                CHECK_NEAR(b.extra[0][w.row * UNITS + j], h[w.row][j], 1e-5);
                if (b.layer.n_extra > 1)
                    CHECK_NEAR(b.extra[1][w.row * UNITS + j], c[w.row][j], 1e-5);
                if (batch < 2) /* the bench's rows begin at the batch's third */
                    CHECK_NEAR(states_of(&b)[(3 + w.row) * UNITS + j], h[w.row][j], 1e-5);
            }
        }
        for (size_t i = 0; i < b.n_y; i++)
            CHECK_NEAR(b.y[i], b.y_d[i], 1e-5);
        if (batch == 2)
            CHECK(states_of(&b)[3 * UNITS] == before);
        for (size_t i = 0; i < 3 * UNITS; i++)
            CHECK(states_of(&b)[i] == 0.0f);
    }
    tear_down(&b);
}

TEST(stateful_layers_go_on_where_the_last_batch_ended)
{
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err)); /* products need the worker's scratch */
    for (size_t i = 0; i < sizeof stateful_examples / sizeof stateful_examples[0]; i++)
        carry_twice(&stateful_examples[i]);
    lam_threads_stop();
}

/* ---- how the bias starts ----------------------------------------------------------- */

static const example bias_examples[] = {
    CELL(lstm, 3, 2, 5, STRING("bias_initializer", "random_normal")),
    CELL(lstm, 3, 2, 5, NUMBERS("unit_forget_bias", 0)),
};

TEST(the_bias_of_the_forget_gate_starts_at_1)
{
    for (int k = 0; k < 2; k++) {
        bench b;
        float bias[20];
        lam_error err;
        lam_rng rng = {.seed = 3, .stream = 5};
        if (!set_up(&b, &bias_examples[k], 1, false, false))
            return;
        const lam_weight *w = &b.layer.weight[2];
        CHECK_OK(lam_initializer_fill(&w->init, &w->shape, &rng, bias, &err));
        for (int i = 0; i < 20; i++)
            if (k == 1)
                CHECK(bias[i] == 0.0f);
            else
                CHECK((bias[i] == 1.0f) == (i >= 5 && i < 10));
        tear_down(&b);
    }
}
