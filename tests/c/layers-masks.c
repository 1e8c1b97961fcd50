/* Layers that make a mask, and those that heed or carry one. */
#include "layers.h"

#include "base/threads.h"

/* ---- the definitions ------------------------------------------------------------- */

/* Does the step of number i of the pass count? */
static bool counts(const lam_layer *layer, const lam_pass *pass, size_t i)
{
    size_t per_step = layer->in_count / (layer->mask_in ? layer->mask_in : 1);
    return !pass->mask || pass->mask[i / per_step];
}

static void ids(const example *ex, size_t n, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)floor(unit_uniform(0, number(ex, "input_dim", 0, 1)));
}

static void wild_ids(const example *ex, size_t n, float *x)
{
    static const float odd[] = {-1, 1e30f, -1e30f, -INFINITY, INFINITY};
    ids(ex, n, x);
    for (size_t i = 0; i < n; i += 2)
        x[i] = i % 4 ? odd[i / 2 % 5] : (float)number(ex, "input_dim", 0, 1);
}

static void embedding(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    size_t d = (size_t)number(ex, "output_dim", 0, 0);
    double input_dim = number(ex, "input_dim", 0, 0);
    for (size_t i = 0; i < pass->rows * layer->in_count; i++) {
        bool known = x[i] > -0.5 && x[i] < input_dim - 0.5;
        size_t word = known ? (size_t)lround(x[i]) : 0;
        for (size_t j = 0; j < d; j++)
            y[i * d + j] = known ? w[layer->weight[0].offset + word * d + j] : 0;
    }
}

/* Every third step is mask_value throughout. */
static void some_masked(const example *ex, size_t n, float *x)
{
    size_t features = ex->in.dim[ex->in.rank - 1];
    unit_fill(x, n, -2, 2);
    for (size_t i = 0; i < n; i++)
        if (i / features % 3 == 0 || i % 4 == 0)
            x[i] = (float)number(ex, "mask_value", 0, 0);
}

static bool step_counts(const example *ex, size_t features, const double *x)
{
    bool any = false;
    for (size_t j = 0; j < features; j++)
        any |= fabs(x[j] - (float)number(ex, "mask_value", 0, 0)) > 1e-6;
    return any;
}

static void masking(const example *ex, const lam_layer *layer, const lam_pass *pass,
                    const double *x, const double *w, double *y)
{
    size_t features = lam_shape_last(&layer->in);
    (void)w;
    for (size_t i = 0; i < pass->rows * layer->in_count; i++)
        y[i] = step_counts(ex, features, x + i / features * features) ? x[i] : 0;
}

static void mean_of_steps(const example *ex, const lam_layer *layer, const lam_pass *pass,
                          const double *x, const double *w, double *y)
{
    size_t channels = lam_shape_last(&layer->in), steps = layer->in_count / channels;
    (void)ex;
    (void)w;
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t c = 0; c < channels; c++) {
            double sum = 0, n = 0;
            for (size_t s = 0; s < steps; s++) {
                size_t i = (r * steps + s) * channels + c;
                sum += counts(layer, pass, i) ? x[i] : 0;
                n += counts(layer, pass, i);
            }
            y[r * channels + c] = n > 0 ? sum / n : 0;
        }
}

/* Channels last; weights gamma, beta, moving_mean, moving_variance. */
static void batch_norm(const example *ex, const lam_layer *layer, const lam_pass *pass,
                       const double *x, const double *w, double *y)
{
    size_t channels = lam_shape_last(&layer->in), count = pass->rows * layer->in_count;
    (void)ex;
    for (size_t c = 0; c < channels; c++) {
        double n = 0, mean = 0, variance = 0;
        for (size_t i = c; i < count; i += channels) {
            n += counts(layer, pass, i);
            mean += counts(layer, pass, i) ? x[i] : 0;
        }
        mean /= n;
        for (size_t i = c; i < count; i += channels)
            variance += counts(layer, pass, i) ? (x[i] - mean) * (x[i] - mean) / n : 0;
        if (!pass->training || n == 0) {
            mean = w[layer->weight[2].offset + c];
            variance = w[layer->weight[3].offset + c];
        }
        for (size_t i = c; i < count; i += channels)
            y[i] = w[layer->weight[0].offset + c] * (x[i] - mean) / sqrt(variance + 1e-3) +
                   w[layer->weight[1].offset + c];
    }
}

/* ---- the examples ---------------------------------------------------------------- */

static const example mask_examples[] = {
    {"embedding",
     SHAPE(7),
     SHAPE(7, 3),
     embedding,
     {NUMBERS("input_dim", 5), NUMBERS("output_dim", 3)},
     .inputs = ids},
    {"embedding",
     SHAPE(300),
     SHAPE(300, 37),
     embedding,
     {NUMBERS("input_dim", 4), NUMBERS("output_dim", 37)},
     .inputs = ids},
    {"embedding",
     SHAPE(2, 3),
     SHAPE(2, 3, 33),
     embedding,
     {NUMBERS("input_dim", 6), NUMBERS("output_dim", 33), NUMBERS("mask_zero", 1)},
     .inputs = ids},
    {"embedding",
     {0},
     SHAPE(2),
     embedding,
     {NUMBERS("input_dim", 3), NUMBERS("output_dim", 2)},
     .inputs = ids},
    {"embedding",
     SHAPE(40),
     SHAPE(40, 2),
     embedding,
     {NUMBERS("input_dim", 3), NUMBERS("output_dim", 2)},
     .inputs = wild_ids},
    {"masking", SHAPE(7, 2), SHAPE(7, 2), masking, {{0}}, .inputs = some_masked},
    {"masking",
     SHAPE(5, 1),
     SHAPE(5, 1),
     masking,
     {NUMBERS("mask_value", -0.1)},
     .inputs = some_masked},
    {"masking",
     SHAPE(2, 3, 4),
     SHAPE(2, 3, 4),
     masking,
     {NUMBERS("mask_value", 9)},
     .inputs = some_masked},
    {"global_average_pooling_1d", SHAPE(9, 3), SHAPE(3), mean_of_steps, {{0}}, 9},
    {"global_average_pooling_1d",
     SHAPE(4, 1),
     SHAPE(1, 1),
     mean_of_steps,
     {NUMBERS("keepdims", 1)},
     4},
    {"batch_normalization", SHAPE(11, 3), SHAPE(11, 3), batch_norm, {{0}}, 11},
    {"batch_normalization", SHAPE(6, 4, 2), SHAPE(6, 4, 2), batch_norm, {{0}}, 6},
    {"batch_normalization", SHAPE(6, 4, 2), SHAPE(6, 4, 2), batch_norm, {{0}}, 24},
};
LAYER_EXAMPLES(mask_examples)

static const refusal mask_refusals[] = {
    {LAM_EARGUMENT, "", {"embedding", SHAPE(3), {0}, NULL, {NUMBERS("output_dim", 3)}}},
    {LAM_EARGUMENT,
     "input_dim",
     {"embedding", SHAPE(3), {0}, NULL, {NUMBERS("input_dim", 0), NUMBERS("output_dim", 3)}}},
    {LAM_EARGUMENT,
     "input_dim",
     {"embedding", SHAPE(3), {0}, NULL, {NUMBERS("input_dim", 3e7), NUMBERS("output_dim", 3)}}},
    {LAM_EARGUMENT,
     "output_dim",
     {"embedding", SHAPE(3), {0}, NULL, {NUMBERS("input_dim", 4), NUMBERS("output_dim", 0)}}},
    {LAM_ESHAPE,
     "",
     {"embedding",
      SHAPE(1, 1, 1, 1),
      {0},
      NULL,
      {NUMBERS("input_dim", 4), NUMBERS("output_dim", 1)}}},
    {LAM_ESHAPE, "", {"masking", {0}, {0}, NULL, {{0}}}},
};
LAYER_REFUSALS(mask_refusals)

static const named_weight mask_weights[] = {
    {0,
     "embeddings",
     SHAPE(5, 3),
     true,
     {"embedding", SHAPE(7), {0}, NULL, {NUMBERS("input_dim", 5), NUMBERS("output_dim", 3)}}},
};
LAYER_WEIGHTS(mask_weights)

/* ---- masks that leave ------------------------------------------------------------ */

TEST(mask_zero_masks_the_steps_with_id_0)
{
    const example ex = {
        "embedding",
        SHAPE(4),
        SHAPE(4, 2),
        embedding,
        {NUMBERS("input_dim", 9), NUMBERS("output_dim", 2), NUMBERS("mask_zero", 1)},
        .inputs = ids};
    static const float x[8] = {3, 0, 8, 0, 0, 0, 0, 0};
    bench b;
    if (!set_up(&b, &ex, 2, false, false))
        return;
    CHECK_INT(b.layer.mask_out, 4);
    b.pass.x = x;
    b.pass.y = b.y;
    b.layer.type->forward(&b.layer, &b.pass);
    for (int i = 0; i < 8; i++)
        CHECK_INT(b.pass.mask_out[i], x[i] != 0);
    for (int j = 0; j < 2; j++) /* the output of a masked step is not touched */
        CHECK(b.y[2 + j] == b.weights[b.layer.weight[0].offset + (size_t)j]);
    tear_down(&b);
}

TEST(masking_masks_the_steps_where_all_features_are_mask_value)
{
    const example ex = {"masking", SHAPE(3, 2), SHAPE(3, 2), masking, {NUMBERS("mask_value", -1)}};
    float x[12] = {-1, -1, -1, 0, 5, -1, -1, -1, -1, -1, -1, -1};
    static const unsigned char want[6] = {0, 1, 1, 0, 0, 0};
    bench b;
    if (!set_up(&b, &ex, 2, false, false))
        return;
    CHECK_INT(b.layer.mask_out, 3);
    b.pass.x = b.pass.y = x;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK(memcmp(b.pass.mask_out, want, sizeof want) == 0);
    CHECK(x[0] == 0 && x[1] == 0 && x[2] == -1 && x[4] == 5 && x[11] == 0);
    tear_down(&b);
}

typedef struct carrier {
    example ex;
    bool carries, uses;
} carrier;

TEST(masks_are_carried_heeded_or_dropped_as_in_keras)
{
    const carrier all[] = {
        {{"dense", SHAPE(6, 4), {0}, NULL, {NUMBERS("units", 2)}, 6}, true, false},
        {{"activation", SHAPE(6, 4), {0}, NULL, {STRING("activation", "tanh")}, 6}, true, false},
        {{"parametric_relu", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, true, false},
        {{"dropout", SHAPE(6, 4), {0}, NULL, {NUMBERS("rate", 0.5)}, 6}, true, false},
        {{"spatial_dropout_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("rate", 0.5)}, 6}, true, false},
        {{"alpha_dropout", SHAPE(6, 4), {0}, NULL, {NUMBERS("rate", 0.5)}, 6}, true, false},
        {{"gaussian_noise", SHAPE(6, 4), {0}, NULL, {NUMBERS("stddev", 1)}, 6}, true, false},
        {{"activity_regularization", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, true, false},
        {{"rescaling", SHAPE(6, 4), {0}, NULL, {NUMBERS("scale", 2)}, 6}, true, false},
        {{"layer_normalization", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, true, false},
        {{"group_normalization", SHAPE(6, 4), {0}, NULL, {NUMBERS("groups", 2)}, 6}, true, false},
        {{"unit_normalization", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, true, false},
        {{"batch_normalization", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, true, true},
        {{"global_average_pooling_1d", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, false, true},
        {{"global_max_pooling_1d", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, false, false},
        {{"flatten", SHAPE(6, 4), {0}, NULL, {{0}}, 6}, false, false},
        {{"permute", SHAPE(6, 4), {0}, NULL, {NUMBERS("dims", 2, 1)}, 6}, false, false},
        {{"reshape", SHAPE(6, 4), {0}, NULL, {NUMBERS("target_shape", 24)}, 6}, false, false},
        {{"conv_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("filters", 2), NUMBERS("kernel_size", 3)}, 6},
         false,
         false},
        {{"max_pooling_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("pool_size", 2)}, 6}, false, false},
        {{"zero_padding_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("padding", 1, 1)}, 6}, false, false},
        {{"cropping_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("cropping", 1, 1)}, 6}, false, false},
        {{"upsampling_1d", SHAPE(6, 4), {0}, NULL, {NUMBERS("size", 2)}, 6}, false, false},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        bench b;
        if (!set_up(&b, &all[i].ex, 1, false, false))
            return;
        if (b.layer.mask_out != (all[i].carries ? 6 : 0) ||
            !(b.layer.flags & LAM_LAYER_USES_MASK) == all[i].uses)
            unit_fail(__FILE__, __LINE__, "%s: mask_out %zu, flags %u", all[i].ex.type,
                      b.layer.mask_out, b.layer.flags);
        tear_down(&b);
    }
}

/* The moving statistics follow the steps that count. */
TEST(masked_steps_do_not_move_the_statistics)
{
    const example ex = {
        "batch_normalization", SHAPE(4, 1), SHAPE(4, 1), batch_norm, {NUMBERS("momentum", 0.5)}, 4};
    bench b;
    if (!set_up(&b, &ex, 1, true, false))
        return;
    const float x[4] = {1, 100, 3, 100};
    const unsigned char mask[4] = {1, 0, 1, 0}, none[4] = {0};
    float *mean = b.weights + b.layer.weight[2].offset,
          *variance = b.weights + b.layer.weight[3].offset;
    *mean = 0;
    *variance = 0;
    b.pass.x = x;
    b.pass.y = b.y;
    b.pass.update_state = true;
    b.pass.mask = mask;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK_NEAR(*mean, 1.0, 1e-6);
    CHECK_NEAR(*variance, 0.5, 1e-6);
    b.pass.mask = none;
    b.layer.type->forward(&b.layer, &b.pass);
    CHECK_NEAR(*mean, 1.0, 1e-6);
    CHECK_NEAR(*variance, 0.5, 1e-6);
    tear_down(&b);
}

/* Rows of a gradient are summed in the order of the ids, whoever does it. */
TEST(gradient_of_embedding_has_the_same_bits_for_any_number_of_threads)
{
    const example ex = {"embedding",
                        SHAPE(200),
                        SHAPE(200, 70),
                        embedding,
                        {NUMBERS("input_dim", 1000), NUMBERS("output_dim", 70)},
                        .inputs = ids};
    bench b;
    lam_error err;
    if (!set_up(&b, &ex, 7, true, false))
        return;
    float *first = room(b.n_w, sizeof *first);
    b.pass.x = b.x;
    b.pass.dy = b.dy;
    b.pass.grads = b.grads;
    memset(b.grads, 0, b.n_w * sizeof *first);
    for (int threads = 1; threads <= 3; threads++) {
        CHECK_OK(lam_threads_set(threads, &err));
        b.layer.type->backward(&b.layer, &b.pass);
        if (threads == 1)
            memcpy(first, b.grads, b.n_w * sizeof *first);
        CHECK(memcmp(first, b.grads, b.n_w * sizeof *first) == 0);
    }
    lam_threads_stop();
    free(first);
    tear_down(&b);
}
