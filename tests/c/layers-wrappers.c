/* Layers with layers inside: bidirectional and time_distributed. */
#include "layers.h"

#include "base/threads.h"

/* ---- the definitions ------------------------------------------------------------- */

enum { MOST = 512 }; /* numbers of a sequence of outputs */

/* The arguments of the layer in argument `name`. */
static lam_args inner_args(const example *ex, const char *name, const char **type)
{
    lam_spec spec;
    lam_error err;
    lam_args args = args_of(ex);
    CHECK_OK(lam_args_spec(&args, name, &spec, &err));
    *type = spec.type;
    return spec.config;
}

static double inner_number(const example *ex, const char *name, const char *key)
{
    const char *type;
    lam_args args = inner_args(ex, name, &type);
    const lam_arg *arg = lam_args_get(&args, key);
    return arg ? arg->numbers[0] : 0;
}

/* A simple_rnn with tanh over steps x features: the outputs of all steps as they come.  Weights
 * kernel, recurrent_kernel, bias; a masked step keeps the state, and puts it out, or zeros. */
static void rnn(const double *x, size_t steps, size_t features, size_t units,
                const double *const w[3], const unsigned char *mask, bool backwards, bool zeros,
                double *out)
{
    double h[MOST] = {0};
    for (size_t i = 0; i < steps; i++, out += units) {
        size_t t = backwards ? steps - 1 - i : i;
        double next[MOST];
        for (size_t j = 0; j < units; j++) {
            next[j] = w[2][j];
            for (size_t k = 0; k < features; k++)
                next[j] += x[t * features + k] * w[0][k * units + j];
            for (size_t k = 0; k < units; k++)
                next[j] += h[k] * w[1][k * units + j];
        }
        bool counts = !mask || mask[t];
        for (size_t j = 0; j < units; j++) {
            h[j] = counts ? tanh(next[j]) : h[j];
            out[j] = counts || !zeros ? h[j] : 0;
        }
    }
}

static double merged(const example *ex, double f, double r)
{
    lam_args args = args_of(ex);
    const lam_arg *mode = lam_args_get(&args, "merge_mode");
    const char *how = mode ? mode->strings[0] : "concat";
    return strcmp(how, "sum") == 0 ? f + r : strcmp(how, "mul") == 0 ? f * r : (f + r) / 2;
}

static bool concatenates(const example *ex)
{
    lam_args args = args_of(ex);
    const lam_arg *mode = lam_args_get(&args, "merge_mode");
    return !mode || strcmp(mode->strings[0], "concat") == 0;
}

static void bidirectional(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    static const char *const names[2] = {"layer", "backward_layer"};
    size_t steps = layer->in.dim[0], features = layer->in.dim[1];
    size_t units[2], width = lam_shape_last(&layer->out);
    bool sequences = inner_number(ex, "layer", "return_sequences") != 0;
    for (size_t row = 0; row < pass->rows; row++, x += steps * features, y += layer->out_count) {
        double out[2][MOST];
        for (int side = 0; side < 2; side++) {
            const lam_weight *first = &layer->weight[3 * side];
            const double *const weights[3] = {w + first[0].offset, w + first[1].offset,
                                              w + first[2].offset};
            units[side] = (size_t)inner_number(ex, names[side], "units");
            rnn(x, steps, features, units[side], weights,
                pass->mask ? pass->mask + row * steps : NULL,
                inner_number(ex, names[side], "go_backwards") != 0,
                inner_number(ex, names[side], "zero_output_for_mask") != 0, out[side]);
        }
        for (size_t t = sequences ? 0 : steps - 1; t < steps; t++) {
            const double *f = out[0] + t * units[0];
            const double *r = out[1] + (sequences ? steps - 1 - t : t) * units[1];
            double *to = y + (sequences ? t * width : 0);
            for (size_t j = 0; j < width; j++) {
                if (concatenates(ex))
                    to[j] = j < units[0] ? f[j] : r[j - units[0]];
                else
                    to[j] = merged(ex, f[j], r[j]);
            }
        }
    }
}

static void dense_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                        const double *x, const double *w, double *y)
{
    size_t k = lam_shape_last(&layer->in), units = lam_shape_last(&layer->out);
    (void)ex;
    for (size_t s = 0; s < pass->rows * layer->in_count / k; s++)
        for (size_t u = 0; u < units; u++) {
            double z = w[layer->weight[1].offset + u];
            for (size_t i = 0; i < k; i++)
                z += x[s * k + i] * w[layer->weight[0].offset + i * units + u];
            y[s * units + u] = pass->linear ? z : tanh(z);
        }
}

/* Every step of every sample has draws of its own. */
static void dropout_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    double rate = inner_number(ex, "layer", "rate");
    lam_rng rng = lam_layer_rng(layer, pass, 0);
    (void)w;
    for (size_t i = 0; i < pass->rows * layer->in_count; i++) {
        bool kept = lam_random_uniform(&rng, pass->first_row * layer->in_count + i) >= (float)rate;
        y[i] = !pass->training ? x[i] : kept ? x[i] / (1 - rate) : 0;
    }
}

static void rnn_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    size_t inner_steps = layer->in.dim[1], features = layer->in.dim[2],
           units = lam_shape_last(&layer->out);
    const double *const weights[3] = {w + layer->weight[0].offset, w + layer->weight[1].offset,
                                      w + layer->weight[2].offset};
    bool reaches_in = layer->mask_in == layer->in.dim[0] * inner_steps;
    (void)ex;
    for (size_t s = 0; s < pass->rows * layer->in.dim[0]; s++) {
        double out[MOST];
        const unsigned char *mask = pass->mask && reaches_in ? pass->mask + s * inner_steps : NULL;
        rnn(x + s * inner_steps * features, inner_steps, features, units, weights, mask, false,
            false, out);
        memcpy(y + s * units, out + (inner_steps - 1) * units, units * sizeof *y);
    }
}

static void norm_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    size_t channels = lam_shape_last(&layer->in), steps = pass->rows * layer->in_count / channels;
    (void)ex;
    for (size_t c = 0; c < channels; c++) {
        double n = 0, mean = 0, variance = 0;
        for (size_t s = 0; s < steps; s++) {
            bool counts = !pass->mask || pass->mask[s];
            n += counts;
            mean += counts ? x[s * channels + c] : 0;
        }
        mean /= n;
        for (size_t s = 0; s < steps; s++)
            if (!pass->mask || pass->mask[s])
                variance += pow(x[s * channels + c] - mean, 2) / n;
        if (!pass->training || n == 0) {
            mean = w[layer->weight[2].offset + c];
            variance = w[layer->weight[3].offset + c];
        }
        for (size_t s = 0; s < steps; s++)
            y[s * channels + c] = w[layer->weight[0].offset + c] * (x[s * channels + c] - mean) /
                                      sqrt(variance + 1e-3) +
                                  w[layer->weight[1].offset + c];
    }
}

static void table_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                        const double *x, const double *w, double *y)
{
    size_t d = lam_shape_last(&layer->out);
    (void)ex;
    for (size_t i = 0; i < pass->rows * layer->in_count; i++)
        for (size_t j = 0; j < d; j++)
            y[i * d + j] = w[layer->weight[0].offset + (size_t)lround(x[i]) * d + j];
}

static void ids(const example *ex, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)floor(unit_uniform(0, inner_number(ex, "layer", "input_dim")));
}

static void same(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x,
                 const double *w, double *y)
{
    (void)ex;
    (void)w;
    memcpy(y, x, pass->rows * layer->in_count * sizeof *y);
}

/* ---- the examples ---------------------------------------------------------------- */

#define RNN(name, units_of, ...) SPEC(name, "simple_rnn", NUMBERS("units", units_of), __VA_ARGS__)
#define YES(name) NUMBERS(name, 1)
#define NO(name) NUMBERS(name, 0)

static const example wrapper_examples[] = {
    {"bidirectional",
     SHAPE(4, 2),
     SHAPE(5),
     bidirectional,
     {RNN("layer", 3, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards"))}},
    {"bidirectional",
     SHAPE(5, 2),
     SHAPE(5, 4),
     bidirectional,
     {RNN("layer", 1, YES("return_sequences"), YES("zero_output_for_mask")),
      RNN("backward_layer", 3, YES("return_sequences"), YES("go_backwards"),
          YES("zero_output_for_mask"))},
     5},
    {"bidirectional",
     SHAPE(6, 1),
     SHAPE(6, 3),
     bidirectional,
     {RNN("layer", 3, YES("return_sequences"), YES("zero_output_for_mask")),
      RNN("backward_layer", 3, YES("return_sequences"), YES("go_backwards"),
          YES("zero_output_for_mask")),
      STRING("merge_mode", "mul")},
     6},
    {"bidirectional",
     SHAPE(6, 2),
     SHAPE(6, 2),
     bidirectional,
     {RNN("layer", 2, YES("return_sequences"), YES("go_backwards")),
      RNN("backward_layer", 2, YES("return_sequences"), NO("go_backwards")),
      STRING("merge_mode", "sum")}},
    {"bidirectional",
     SHAPE(1, 3),
     SHAPE(2),
     bidirectional,
     {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards")),
      STRING("merge_mode", "ave")}},
    {"bidirectional",
     SHAPE(7, 2),
     SHAPE(2),
     bidirectional,
     {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards")),
      STRING("merge_mode", "mul")},
     7},
    {"time_distributed",
     SHAPE(4, 2),
     SHAPE(4, 3),
     dense_steps,
     {SPEC("layer", "dense", NUMBERS("units", 3), STRING("activation", "tanh"))}},
    {"time_distributed",
     SHAPE(4, 2),
     SHAPE(4, 3),
     dense_steps,
     {SPEC("layer", "dense", NUMBERS("units", 3), STRING("activation", "tanh"))},
     4},
    {"time_distributed",
     SHAPE(3, 2, 2),
     SHAPE(3, 2, 2),
     dropout_steps,
     {SPEC("layer", "dropout", NUMBERS("rate", 0.5))}},
    {"time_distributed", SHAPE(3, 4, 2), SHAPE(3, 2), rnn_steps, {RNN("layer", 2, NO("stateful"))}},
    {"time_distributed",
     SHAPE(3, 4, 2),
     SHAPE(3, 2),
     rnn_steps,
     {RNN("layer", 2, NO("stateful"))},
     3},
    {"time_distributed",
     SHAPE(3, 4, 2),
     SHAPE(3, 2),
     rnn_steps,
     {RNN("layer", 2, NO("stateful"))},
     12},
    {"time_distributed",
     SHAPE(5, 2),
     SHAPE(5, 2),
     norm_steps,
     {SPEC("layer", "batch_normalization", YES("center"))},
     5},
    {"time_distributed",
     SHAPE(2, 3),
     SHAPE(2, 3, 4),
     table_steps,
     {SPEC("layer", "embedding", NUMBERS("input_dim", 5), NUMBERS("output_dim", 4),
           YES("mask_zero"))},
     .inputs = ids},
    {"time_distributed",
     SHAPE(3, 2, 2),
     SHAPE(3, 4),
     same,
     {SPEC("layer", "reshape", NUMBERS("target_shape", 4))}},
    {"time_distributed",
     SHAPE(2, 3, 2, 2),
     SHAPE(2, 3, 2, 2),
     same,
     {SPEC("layer", "time_distributed", STRING("layer", "activity_regularization"))}},
};
LAYER_EXAMPLES(wrapper_examples)

static const refusal wrapper_refusals[] = {
    {LAM_EARGUMENT, "", {"time_distributed", SHAPE(3, 2), {0}, NULL, {{0}}}},
    {LAM_EARGUMENT,
     "layer",
     {"time_distributed", SHAPE(3, 2), {0}, NULL, {STRING("layer", "denser")}}},
    {LAM_EARGUMENT,
     "units",
     {"time_distributed", SHAPE(3, 2), {0}, NULL, {SPEC("layer", "dense", NUMBERS("units", -1))}}},
    {LAM_ESHAPE,
     "",
     {"time_distributed", SHAPE(3), {0}, NULL, {SPEC("layer", "dense", NUMBERS("units", 1))}}},
    {LAM_ESHAPE,
     "",
     {"time_distributed", SHAPE(3, 2), {0}, NULL, {RNN("layer", 2, NO("stateful"))}}},
    {LAM_EARGUMENT,
     "",
     {"bidirectional", SHAPE(3, 2), {0}, NULL, {RNN("layer", 2, NO("go_backwards"))}}},
    {LAM_EARGUMENT,
     "layer",
     {"bidirectional",
      SHAPE(3, 2),
      {0},
      NULL,
      {SPEC("layer", "dense", NUMBERS("units", 2)),
       RNN("backward_layer", 2, YES("go_backwards"))}}},
    {LAM_EARGUMENT,
     "backward_layer",
     {"bidirectional",
      SHAPE(3, 2),
      {0},
      NULL,
      {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, NO("go_backwards"))}}},
    {LAM_EARGUMENT,
     "backward_layer",
     {"bidirectional",
      SHAPE(3, 2),
      {0},
      NULL,
      {RNN("layer", 2, YES("return_sequences")), RNN("backward_layer", 2, YES("go_backwards"))}}},
    {LAM_EARGUMENT,
     "backward_layer",
     {"bidirectional",
      SHAPE(3, 2),
      {0},
      NULL,
      {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 3, YES("go_backwards")),
       STRING("merge_mode", "sum")}}},
    {LAM_EARGUMENT,
     "merge_mode",
     {"bidirectional",
      SHAPE(3, 2),
      {0},
      NULL,
      {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards")),
       STRING("merge_mode", "max")}}},
    {LAM_ESHAPE,
     "",
     {"bidirectional",
      SHAPE(3),
      {0},
      NULL,
      {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards"))}}},
};
LAYER_REFUSALS(wrapper_refusals)

#define BOTH_LSTM                                                                                  \
    {                                                                                              \
        "bidirectional", SHAPE(4, 3), {0}, NULL,                                                   \
        {                                                                                          \
            SPEC("layer", "lstm", NUMBERS("units", 2), NO("go_backwards")),                        \
                SPEC("backward_layer", "lstm", NUMBERS("units", 5), YES("go_backwards"))           \
        }                                                                                          \
    }
static const named_weight wrapper_weights[] = {
    {0, "forward_kernel", SHAPE(3, 8), true, BOTH_LSTM},
    {1, "forward_recurrent_kernel", SHAPE(2, 8), true, BOTH_LSTM},
    {2, "forward_bias", SHAPE(8), true, BOTH_LSTM},
    {3, "backward_kernel", SHAPE(3, 20), true, BOTH_LSTM},
    {4, "backward_recurrent_kernel", SHAPE(5, 20), true, BOTH_LSTM},
    {5, "backward_bias", SHAPE(20), true, BOTH_LSTM},
    {0,
     "kernel",
     SHAPE(2, 3),
     true,
     {"time_distributed", SHAPE(4, 2), {0}, NULL, {SPEC("layer", "dense", NUMBERS("units", 3))}}},
    {2,
     "moving_mean",
     SHAPE(2),
     false,
     {"time_distributed",
      SHAPE(4, 2),
      {0},
      NULL,
      {SPEC("layer", "batch_normalization", YES("center"))}}},
};
LAYER_WEIGHTS(wrapper_weights)

/* ---- what examples cannot show --------------------------------------------------- */

/* Runs forward and backward; y, dx and the gradients go into `out`. */
static void run_once(bench *b, float *out)
{
    b->pass.x = b->x;
    b->pass.y = b->y;
    b->pass.dy = b->dy;
    b->pass.dx = b->dx;
    b->pass.grads = b->grads;
    b->pass.backward_follows = true;
    memset(b->grads, 0, b->n_w * sizeof(float));
    b->layer.type->prepare(&b->layer, &b->pass);
    b->layer.type->forward(&b->layer, &b->pass);
    b->layer.type->backward(&b->layer, &b->pass);
    memcpy(out, b->y, b->n_y * sizeof *out);
    memcpy(out + b->n_y, b->dx, b->n_x * sizeof *out);
    memcpy(out + b->n_y + b->n_x, b->grads, b->n_w * sizeof *out);
}

TEST(bidirectional_has_the_same_bits_for_any_number_of_threads)
{
    const example ex = {
        "bidirectional",
        SHAPE(12, 7),
        SHAPE(12, 20),
        NULL,
        {SPEC("layer", "lstm", NUMBERS("units", 10), YES("return_sequences"),
              NUMBERS("dropout", 0.3)),
         SPEC("backward_layer", "lstm", NUMBERS("units", 10), YES("return_sequences"),
              NUMBERS("dropout", 0.3), YES("go_backwards"))},
        12};
    bench b;
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err));
    if (!set_up(&b, &ex, 40, true, false))
        return;
    size_t n = b.n_y + b.n_x + b.n_w;
    float *first = room(n, sizeof *first), *again = room(n, sizeof *again);
    run_once(&b, first);
    for (int threads = 2; threads <= 3; threads++) {
        CHECK_OK(lam_threads_set(threads, &err));
        run_once(&b, again);
        CHECK(memcmp(first, again, n * sizeof *first) == 0);
    }
    lam_threads_stop();
    free(first);
    free(again);
    tear_down(&b);
}

/* The two directions drop out by themselves. */
TEST(directions_draw_from_streams_of_their_own)
{
    const example ex = {"bidirectional",
                        SHAPE(1, 8),
                        SHAPE(2),
                        NULL,
                        {RNN("layer", 1, NUMBERS("dropout", 0.5)),
                         RNN("backward_layer", 1, NUMBERS("dropout", 0.5), YES("go_backwards"))}};
    bench b;
    lam_error err;
    bool differ = false;
    CHECK_OK(lam_threads_set(1, &err));
    if (!set_up(&b, &ex, 4, true, false))
        return;
    for (int w = 0; w < 3; w++) /* one step, the same weights: only dropout tells them apart */
        memcpy(b.weights + b.layer.weight[w + 3].offset, b.weights + b.layer.weight[w].offset,
               b.layer.weight[w].count * sizeof(float));
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.layer.type->prepare(&b.layer, &b.pass);
    b.layer.type->forward(&b.layer, &b.pass);
    for (int row = 0; row < 4; row++)
        differ |= b.y[2 * row] != b.y[2 * row + 1];
    CHECK(differ);
    b.pass.training = false;
    b.layer.type->forward(&b.layer, &b.pass);
    for (int row = 0; row < 4; row++)
        CHECK(b.y[2 * row] == b.y[2 * row + 1]);
    lam_threads_stop();
    tear_down(&b);
}

TEST(bidirectional_tells_the_states_of_both_directions)
{
    const example ex = {"bidirectional",
                        SHAPE(3, 2),
                        SHAPE(5),
                        NULL,
                        {SPEC("layer", "lstm", NUMBERS("units", 2), YES("return_state")),
                         SPEC("backward_layer", "lstm", NUMBERS("units", 3), YES("return_state"),
                              YES("go_backwards"))}};
    bench b;
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err));
    if (!set_up(&b, &ex, 2, false, false))
        return;
    CHECK_INT(b.layer.n_extra, 4);
    CHECK(b.layer.extra[0] == 2 && b.layer.extra[1] == 2 && b.layer.extra[2] == 3 &&
          b.layer.extra[3] == 3);
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.layer.type->prepare(&b.layer, &b.pass);
    b.layer.type->forward(&b.layer, &b.pass);
    for (int row = 0; row < 2; row++) { /* h is the output */
        for (int j = 0; j < 2; j++)
            CHECK(b.extra[0][2 * row + j] == b.y[5 * row + j]);
        for (int j = 0; j < 3; j++)
            CHECK(b.extra[2][3 * row + j] == b.y[5 * row + 2 + j]);
    }
    lam_threads_stop();
    tear_down(&b);
}

TEST(wrappers_hand_masks_on)
{
    typedef struct mask_case {
        size_t out;
        example ex;
    } mask_case;
    const mask_case all[] = {
        {4,
         {"time_distributed",
          SHAPE(4, 2),
          {0},
          NULL,
          {SPEC("layer", "dense", NUMBERS("units", 3))},
          4}},
        {4, {"time_distributed", SHAPE(4, 3, 2), {0}, NULL, {STRING("layer", "flatten")}, 4}},
        {12,
         {"time_distributed",
          SHAPE(4, 3, 2),
          {0},
          NULL,
          {SPEC("layer", "dense", NUMBERS("units", 3))},
          12}},
        {0, {"time_distributed", SHAPE(4, 3, 2), {0}, NULL, {STRING("layer", "flatten")}, 12}},
        {4, {"time_distributed", SHAPE(4, 3, 2), {0}, NULL, {RNN("layer", 2, NO("stateful"))}, 12}},
        {12,
         {"time_distributed",
          SHAPE(4, 3, 2),
          {0},
          NULL,
          {RNN("layer", 2, YES("return_sequences"))},
          12}},
        {12,
         {"time_distributed",
          SHAPE(4, 3),
          {0},
          NULL,
          {SPEC("layer", "embedding", NUMBERS("input_dim", 9), NUMBERS("output_dim", 2),
                YES("mask_zero"))}}},
        {6,
         {"bidirectional",
          SHAPE(6, 2),
          {0},
          NULL,
          {RNN("layer", 2, YES("return_sequences")),
           RNN("backward_layer", 2, YES("return_sequences"), YES("go_backwards"))},
          6}},
        {0,
         {"bidirectional",
          SHAPE(6, 2),
          {0},
          NULL,
          {RNN("layer", 2, NO("go_backwards")), RNN("backward_layer", 2, YES("go_backwards"))},
          6}},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bench b;
        if (!set_up(&b, &all[i].ex, 1, false, false))
            return;
        CHECK_INT(b.layer.mask_out, all[i].out);
        tear_down(&b);
    }
}

/* A step counts when any of its inner steps does; an embedding inside makes the mask. */
TEST(masks_of_inner_steps_end_or_begin_inside)
{
    const example ends = {"time_distributed",
                          SHAPE(3, 2, 1),
                          SHAPE(3, 1),
                          NULL,
                          {RNN("layer", 1, NO("stateful"))},
                          6};
    const unsigned char mask[12] = {0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0},
                        want[6] = {1, 0, 1, 0, 0, 1};
    const example begins = {"time_distributed",
                            SHAPE(2, 2),
                            SHAPE(2, 2, 1),
                            NULL,
                            {SPEC("layer", "embedding", NUMBERS("input_dim", 9),
                                  NUMBERS("output_dim", 1), YES("mask_zero"))},
                            .inputs = ids};
    const float tokens[8] = {3, 0, 8, 1, 0, 0, 0, 2};
    bench b;
    lam_error err;
    CHECK_OK(lam_threads_set(1, &err));
    if (!set_up(&b, &ends, 2, false, false))
        return;
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.pass.mask = mask;
    b.layer.type->prepare(&b.layer, &b.pass);
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK(memcmp(b.pass.mask_out, want, sizeof want) == 0);
    tear_down(&b);
    if (!set_up(&b, &begins, 2, false, false))
        return;
    b.pass.x = tokens;
    b.pass.y = b.y;
    b.layer.type->forward(&b.layer, &b.pass);
    for (int i = 0; i < 8; i++)
        CHECK_INT(b.pass.mask_out[i], tokens[i] != 0);
    tear_down(&b);
    lam_threads_stop();
}
