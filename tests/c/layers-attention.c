/* Attention of a sequence to itself. */
#include "base/threads.h"
#include "layers.h"

enum { MOST = 1024 }; /* numbers of a sample's sequence, at any width */

/* ---- the definitions ------------------------------------------------------------- */

/* Whether query i sees key j. */
static bool sees(const example *ex, const lam_layer *layer, const lam_pass *pass, size_t sample,
                 size_t i, size_t j)
{
    const unsigned char *mask = pass->mask ? pass->mask + sample * layer->mask_in : NULL;
    return (!mask || (mask[i] && mask[j])) && (j <= i || number(ex, "use_causal_mask", 0, 0) == 0);
}

/* The scores of query i become what it gives to the keys; in Keras a query that sees nothing gives
 * all keys the same, and layer Attention then sets what comes of it to 0. */
static void share_out(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      size_t sample, size_t head, size_t i, double blind, double *s)
{
    size_t steps = layer->in.dim[0], heads = (size_t)number(ex, "num_heads", 0, 1);
    double top = -INFINITY, sum = 0, rate = (float)number(ex, "dropout", 0, 0);
    lam_rng rng = lam_layer_rng(layer, pass, 0);
    if (number(ex, "seed", 0, -1) >= 0)
        rng = (lam_rng){(uint64_t)number(ex, "seed", 0, 0), LAM_STREAM_LAYER(0, 0), pass->step};
    for (size_t j = 0; j < steps; j++)
        if (sees(ex, layer, pass, sample, i, j))
            top = fmax(top, s[j]);
    for (size_t j = 0; j < steps; j++)
        sum += s[j] = sees(ex, layer, pass, sample, i, j) ? exp(s[j] - top) : 0;
    for (size_t j = 0; j < steps; j++) {
        s[j] = sum > 0 ? s[j] / sum : blind;
        size_t cell = (((pass->first_row + sample) * heads + head) * steps + i) * steps + j;
        if (pass->training && rate > 0)
            s[j] = lam_random_uniform(&rng, cell) >= (float)rate ? s[j] / (1 - rate) : 0;
    }
}

static void attention(const example *ex, const lam_layer *layer, const lam_pass *pass,
                      const double *x, const double *w, double *y)
{
    size_t steps = layer->in.dim[0], features = layer->in.dim[1];
    bool scaled = number(ex, "use_scale", 0, 0) != 0, concat = layer->n_weights > scaled;
    double scale = scaled ? w[layer->weight[0].offset] : 1, s[MOST];
    for (size_t sample = 0; sample < pass->rows; sample++, x += layer->in_count)
        for (size_t i = 0; i < steps; i++, y += features) {
            for (size_t j = 0; j < steps; j++) {
                s[j] = 0;
                for (size_t d = 0; d < features; d++) {
                    double a = x[i * features + d], b = x[j * features + d];
                    s[j] += concat ? w[layer->weight[scaled].offset] * tanh(scale * (a + b))
                                   : scale * a * b;
                }
            }
            share_out(ex, layer, pass, sample, 0, i, 0, s);
            for (size_t d = 0; d < features; d++) {
                y[d] = 0;
                for (size_t j = 0; j < steps; j++)
                    y[d] += s[j] * x[j * features + d];
            }
        }
}

/* One head's q, k or v (part 0, 1 or 2): x kernel[, head, ] + bias[head, ] */
static void project(const example *ex, const lam_layer *layer, const double *w, int part,
                    size_t head, const double *x, double *y)
{
    bool biased = number(ex, "use_bias", 0, 1) != 0;
    const lam_weight *kernel = &layer->weight[biased ? 2 * part : part];
    const size_t *dim = kernel->shape.dim;
    size_t features = dim[0], heads = dim[1], each = dim[2];
    for (size_t t = 0; t < layer->in.dim[0]; t++)
        for (size_t u = 0; u < each; u++) {
            double sum = biased ? w[kernel[1].offset + head * each + u] : 0;
            for (size_t d = 0; d < features; d++)
                sum += x[t * features + d] * w[kernel->offset + (d * heads + head) * each + u];
            y[t * each + u] = sum;
        }
}

static void multi_head_attention(const example *ex, const lam_layer *layer, const lam_pass *pass,
                                 const double *x, const double *w, double *y)
{
    size_t steps = layer->in.dim[0], heads = (size_t)number(ex, "num_heads", 0, 0);
    size_t key = (size_t)number(ex, "key_dim", 0, 0);
    size_t value = (size_t)number(ex, "value_dim", 0, (double)key);
    bool biased = number(ex, "use_bias", 0, 1) != 0;
    const lam_weight *out = &layer->weight[biased ? 6 : 3];
    size_t outputs = out->count / (heads * value);
    double q[MOST], k[MOST], v[MOST], s[MOST];
    for (size_t sample = 0; sample < pass->rows;
         sample++, x += layer->in_count, y += layer->out_count) {
        for (size_t i = 0; i < steps * outputs; i++)
            y[i] = biased ? w[out[1].offset + i % outputs] : 0;
        for (size_t head = 0; head < heads; head++) {
            project(ex, layer, w, 0, head, x, q);
            project(ex, layer, w, 1, head, x, k);
            project(ex, layer, w, 2, head, x, v);
            for (size_t i = 0; i < steps; i++) {
                for (size_t j = 0; j < steps; j++) {
                    s[j] = 0;
                    for (size_t u = 0; u < key; u++)
                        s[j] += q[i * key + u] * k[j * key + u] / sqrt((double)key);
                }
                share_out(ex, layer, pass, sample, head, i, 1.0 / (double)steps, s);
                for (size_t u = 0; u < value; u++) {
                    double context = 0;
                    for (size_t j = 0; j < steps; j++)
                        context += s[j] * v[j * value + u];
                    for (size_t o = 0; o < outputs; o++)
                        y[i * outputs + o] +=
                            context * w[out->offset + (head * value + u) * outputs + o];
                }
            }
        }
    }
}

/* ---- the examples ---------------------------------------------------------------- */

static const example examples[] = {
    {"attention", SHAPE(5, 3), SHAPE(5, 3), attention, {{0}}, .mask = 5},
    {"attention", SHAPE(1, 4), SHAPE(1, 4), attention, {NUMBERS("use_scale", 1)}, .mask = 1},
    {"attention", SHAPE(4, 1), SHAPE(4, 1), attention, {STRING("score_mode", "concat")}},
    {"attention",
     SHAPE(18, 5),
     SHAPE(18, 5),
     attention,
     {NUMBERS("use_scale", 1), NUMBERS("use_causal_mask", 1), NUMBERS("dropout", 0.3)},
     .mask = 18},
    {"attention",
     SHAPE(6, 4),
     SHAPE(6, 4),
     attention,
     {NUMBERS("use_scale", 1), STRING("score_mode", "concat"), NUMBERS("use_causal_mask", 1)},
     .mask = 6},
    {"attention",
     SHAPE(5, 3),
     SHAPE(5, 3),
     attention,
     {STRING("score_mode", "concat"), NUMBERS("dropout", 0.5), NUMBERS("seed", 11)},
     .mask = 5},
    {"multi_head_attention",
     SHAPE(5, 3),
     SHAPE(5, 3),
     multi_head_attention,
     {NUMBERS("num_heads", 2), NUMBERS("key_dim", 4)},
     .mask = 5},
    {"multi_head_attention",
     SHAPE(1, 1),
     SHAPE(1, 1),
     multi_head_attention,
     {NUMBERS("num_heads", 1), NUMBERS("key_dim", 1)},
     .mask = 1},
    {"multi_head_attention",
     SHAPE(6, 4),
     SHAPE(6, 7),
     multi_head_attention,
     {NUMBERS("num_heads", 3), NUMBERS("key_dim", 2), NUMBERS("value_dim", 5),
      NUMBERS("use_bias", 0), NUMBERS("output_shape", 7), NUMBERS("use_causal_mask", 1),
      NUMBERS("dropout", 0.25)},
     .mask = 6},
    {"multi_head_attention",
     SHAPE(17, 3),
     SHAPE(17, 2, 3),
     multi_head_attention,
     {NUMBERS("num_heads", 1), NUMBERS("key_dim", 3), NUMBERS("output_shape", 2, 3),
      NUMBERS("dropout", 0.5), NUMBERS("seed", 7)},
     .mask = 17},
};
LAYER_EXAMPLES(examples)

static const refusal refusals[] = {
    {LAM_EARGUMENT, "score_mode", {"attention", SHAPE(3, 2), .arg = {STRING("score_mode", "sum")}}},
    {LAM_EARGUMENT, "dropout", {"attention", SHAPE(3, 2), .arg = {NUMBERS("dropout", 1)}}},
    {LAM_ESHAPE, "", {"attention", SHAPE(3)}},
    {LAM_EARGUMENT, "", {"multi_head_attention", SHAPE(3, 2), .arg = {NUMBERS("key_dim", 2)}}},
    {LAM_EARGUMENT,
     "key_dim",
     {"multi_head_attention", SHAPE(3, 2),
      .arg = {NUMBERS("num_heads", 2), NUMBERS("key_dim", 0)}}},
    {LAM_EARGUMENT,
     "output_shape",
     {"multi_head_attention", SHAPE(3, 2),
      .arg = {NUMBERS("num_heads", 2), NUMBERS("key_dim", 2), NUMBERS("output_shape", 2.5)}}},
    {LAM_EARGUMENT,
     "output_shape",
     {"multi_head_attention", SHAPE(3, 2),
      .arg = {NUMBERS("num_heads", 2), NUMBERS("key_dim", 2),
              NUMBERS("output_shape", 1, 1, 1, 1)}}},
    {LAM_ESHAPE,
     "",
     {"multi_head_attention", SHAPE(3, 2, 2),
      .arg = {NUMBERS("num_heads", 2), NUMBERS("key_dim", 2)}}},
};
LAYER_REFUSALS(refusals)

#define HEADS                                                                                      \
    {                                                                                              \
        "multi_head_attention", SHAPE(6, 4), .arg = {                                              \
            NUMBERS("num_heads", 3),                                                               \
            NUMBERS("key_dim", 2),                                                                 \
            NUMBERS("value_dim", 5)                                                                \
        }                                                                                          \
    }
static const named_weight weights[] = {
    {0, "query_kernel", SHAPE(4, 3, 2), true, HEADS},
    {1, "query_bias", SHAPE(3, 2), true, HEADS},
    {2, "key_kernel", SHAPE(4, 3, 2), true, HEADS},
    {3, "key_bias", SHAPE(3, 2), true, HEADS},
    {4, "value_kernel", SHAPE(4, 3, 5), true, HEADS},
    {5, "value_bias", SHAPE(3, 5), true, HEADS},
    {6, "attention_output_kernel", SHAPE(3, 5, 4), true, HEADS},
    {7, "attention_output_bias", SHAPE(4), true, HEADS},
    {0, "scale", {0}, true, {"attention", SHAPE(3, 2), .arg = {NUMBERS("use_scale", 1)}}},
    {0,
     "concat_score_weight",
     {0},
     true,
     {"attention", SHAPE(3, 2), .arg = {STRING("score_mode", "concat")}}},
    {1,
     "concat_score_weight",
     {0},
     true,
     {"attention", SHAPE(3, 2), .arg = {NUMBERS("use_scale", 1), STRING("score_mode", "concat")}}},
};
LAYER_WEIGHTS(weights)

/* ---- threads --------------------------------------------------------------------- */

/* Output and gradients of an example with that many threads. */
static bool run_on(const example *ex, int threads, float *out)
{
    bench b;
    lam_error err;
    CHECK_OK(lam_threads_set(threads, &err));
    unit_seed(3);
    if (!set_up(&b, ex, 9, true, false))
        return false;
    b.pass.x = b.x;
    b.pass.y = b.y;
    b.pass.dy = b.dy;
    b.pass.dx = b.dx;
    b.pass.grads = b.grads;
    memset(b.grads, 0, b.n_w * sizeof(float));
    b.layer.type->forward(&b.layer, &b.pass);
    b.layer.type->backward(&b.layer, &b.pass);
    memcpy(out, b.y, b.n_y * sizeof *out);
    memcpy(out + b.n_y, b.dx, b.n_x * sizeof *out);
    memcpy(out + b.n_y + b.n_x, b.grads, b.n_w * sizeof *out);
    tear_down(&b);
    lam_threads_stop();
    return true;
}

TEST(attention_is_the_same_for_any_number_of_threads)
{
    enum { ROOM = 1 << 14 };
    float *one = room(ROOM, sizeof(float)), *three = room(ROOM, sizeof(float));
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        memset(one, 0, ROOM * sizeof *one);
        memset(three, 0, ROOM * sizeof *three);
        if (run_on(&examples[i], 1, one) && run_on(&examples[i], 3, three))
            CHECK(memcmp(one, three, ROOM * sizeof *one) == 0);
    }
    free(one);
    free(three);
}

/* ---- scores beyond what exp() can take -------------------------------------------- */

TEST(attention_stays_finite_where_scores_are_large)
{
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        bench b;
        lam_error err;
        CHECK_OK(lam_threads_set(1, &err));
        if (!set_up(&b, &examples[i], 3, false, false))
            return;
        for (size_t k = 0; k < b.n_x; k++)
            b.x[k] *= 1e6f;
        b.pass.x = b.x;
        b.pass.y = b.y;
        b.pass.dy = b.dy;
        b.pass.dx = b.dx;
        b.layer.type->forward(&b.layer, &b.pass);
        b.layer.type->backward(&b.layer, &b.pass);
        for (size_t k = 0; k < b.n_y; k++)
            CHECK(isfinite(b.y[k]));
        for (size_t k = 0; k < b.n_x; k++)
            CHECK(isfinite(b.dx[k]));
        tear_down(&b);
        lam_threads_stop();
    }
}
