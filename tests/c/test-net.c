/* The network as a whole: gradients of random networks, slices, threads, resuming, memory. */
#include "base/alloc.h"
#include "base/threads.h"
#include "kernels/cpu.h"
#include "nets.h"
#include "nn/update.h"
#include "unit.h"

static lam_error err;

static lam_net *make_net(const lam_layer_spec *specs, int n, size_t inputs, const lam_spec *optimizer, const lam_spec *loss)
{
    return new_net(specs, n, lam_shape_1(inputs), optimizer, loss);
}

/* classes > 0: y holds class numbers; else y_d numbers in (0, 1). */
static lam_data *make_data(size_t n, size_t x_d, size_t y_d, int classes)
{
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, x_d, classes ? 1 : y_d, true, false, 0, &err));
    unit_fill(data->x, n * x_d, -1, 1);
    unit_fill(data->w, n, 0.5, 2);
    unit_fill(data->y, n * data->y_d, 0.05, 0.95);
    if (classes)
        for (size_t i = 0; i < n; i++)
            data->y[i] = (float)(int)(data->y[i] * (float)classes);
    return data;
}

static const lam_metric_list no_metrics = {0};

static lam_loop *make_loop(lam_net *net, const lam_data *data, size_t batch, lam_loop_kind kind)
{
    lam_loop *loop = NULL;
    CHECK_OK(lam_loop_new(&loop, net, 0, data, 0, data->n, batch, kind, &no_metrics, &err));
    return loop;
}

static void train_epochs(lam_loop *loop, int from, int to, size_t slice)
{
    for (int epoch = from; epoch <= to; epoch++) {
        CHECK_OK(lam_loop_start(loop, true, (uint64_t)epoch, &err));
        while (!lam_loop_done(loop))
            CHECK_OK(lam_loop_run(loop, slice, 1e9, &err));
    }
}

/* ---- gradients ------------------------------------------------------------------------------------ */

static double loss_at(lam_loop *loop)
{
    double loss = 0;
    const float *dx;
    CHECK_OK(lam_loop_probe(loop, false, &loss, &dx, &err));
    return loss;
}

static int slopes, kinks;

/* At a kink (|x| at 0, a hinge) the slopes to the left and right differ: nothing to compare there. */
static void check_slope(lam_loop *loop, float *at, double gradient)
{
    const double step = 1e-3;
    double here = loss_at(loop);
    float kept = *at;
    *at = (float)(kept + step);
    double up = loss_at(loop), hi = *at;
    *at = (float)(kept - step);
    double down = loss_at(loop), lo = *at;
    *at = kept;
    double right = (up - here) / (hi - kept), left = (here - down) / (kept - lo);
    slopes++;
    if (fabs(right - left) > 2e-2 * fmax(fabs(right), fabs(left)) + 2e-3) {
        kinks++;
        return;
    }
    CHECK_REL(gradient, (up - down) / (hi - lo), 1e-2, 1e-3);
}

/* One network and loss: every weight (up to a few dozen) and input against central differences. */
static void check_network(const lam_layer_spec *specs, int n, const lam_spec *loss, size_t y_d, int classes)
{
    lam_spec sgd = {"sgd", {0}};
    lam_net *net = make_net(specs, n, 5, &sgd, loss);
    lam_data *data = make_data(6, 5, y_d, classes);
    lam_loop *loop = make_loop(net, data, 6, LAM_LOOP_PROBE);
    double value = 0;
    const float *dx = NULL;
    CHECK_OK(lam_loop_probe(loop, false, &value, &dx, &err));
    CHECK(isfinite(value));
    float input[30], *grads = lam_alloc(net->n, sizeof(float));
    memcpy(input, dx, sizeof input);
    memcpy(grads, loop->plan->grads, net->n * sizeof(float));
    for (size_t i = 0; i < net->n; i++)
        if (grads[i] != 0)
            check_slope(loop, &net->weights[i], grads[i]);
    for (size_t i = 0; i < 30; i++)
        check_slope(loop, &data->x[i], input[i]);
    lam_free(grads);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

TEST(network_gradients_match_finite_differences_for_every_loss)
{
    for (size_t i = 0; lam_loss_types[i]; i++) {
        lam_spec loss = {lam_loss_types[i]->name, {0}};
        bool sparse = lam_loss_types[i]->sparse;
        lam_layer_spec sigmoid[] = {DENSE("a", 4, "tanh"), DENSE("b", 3, "sigmoid")};
        check_network(sigmoid, 2, &loss, 3, sparse ? 3 : 0);
        lam_layer_spec softmax[] = {DENSE("a", 4, "silu"), DENSE("b", 3, "softmax")};
        check_network(softmax, 2, &loss, 3, sparse ? 3 : 0);
    }
    CHECK(slopes > 1000 && kinks < slopes / 20);
}

TEST(network_gradients_include_penalties)
{
    lam_spec mse = {"mean_squared_error", {0}};
    lam_layer_spec specs[] = {
        DENSE("a", 4, "tanh", SPEC("kernel_regularizer", "l2", NUMBER("l2", 0.3)),
              SPEC("activity_regularizer", "l2", NUMBER("l2", 0.2))),
        LAYER("activation", "s", STRING("activation", "softplus")),
        DENSE("b", 2, "linear", SPEC("kernel_regularizer", "l1", NUMBER("l1", 0.1)))};
    check_network(specs, 3, &mse, 2, 0);
}

/* Labels are -1 and 1 in this batch, if only because of its first row: a label 0 means no margin at all,
 * also in the parts of a large batch that hold nothing but 0 and 1. */
TEST(hinge_labels_are_those_of_the_whole_batch)
{
    enum { ROWS = 9000, D = 4 };
    lam_spec loss = {"hinge", {0}}, sgd = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", D, "linear")};
    lam_net *net = make_net(specs, 1, 3, &sgd, &loss);
    lam_data *data = make_data(ROWS, 3, D, 0);
    for (size_t i = 0; i < ROWS * D; i++)
        data->y[i] = i == 0 ? -1 : (float)(i % 2);
    lam_loop *loop = make_loop(net, data, ROWS, LAM_LOOP_PROBE);
    double value = 0, want = 0;
    for (size_t i = 0; i < ROWS; i++)
        data->w[i] = 1;
    const float *dx;
    CHECK_OK(lam_loop_probe(loop, false, &value, &dx, &err));
    const float *pred = lam_loop_predictions(loop);
    for (size_t i = 0; i < ROWS * D; i++)
        want += fmax(0, 1 - (double)data->y[i] * pred[i]) / (ROWS * D);
    CHECK_NEAR(value, want, 1e-6);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

/* ---- slices, threads, order ------------------------------------------------------------------------ */

static lam_net *trained(int threads, size_t slice, const char *optimizer, size_t width)
{
    lam_spec loss = {"sparse_categorical_crossentropy", {0}}, o = {optimizer, {0}};
    lam_layer_spec specs[] = {DENSE("a", (double)width, "relu"), LAYER("dropout", "d", NUMBER("rate", 0.3)),
                              DENSE("b", (double)width, "gelu"), DENSE("c", 5, "softmax")};
    unit_seed(3);
    lam_net *net = make_net(specs, 4, 40, &o, &loss);
    lam_data *data = make_data(300, 40, 0, 5);
    CHECK_OK(lam_threads_set(threads, &err));
    lam_loop *loop = make_loop(net, data, 128, LAM_LOOP_TRAIN);
    train_epochs(loop, 1, 2, slice);
    lam_loop_free(loop);
    lam_data_free(data);
    CHECK_OK(lam_threads_set(1, &err));
    return net;
}

static void check_same(lam_net *a, lam_net *b)
{
    CHECK(memcmp(a->weights, b->weights, a->n * sizeof(float)) == 0);
    for (int s = 0; s < a->n_slots; s++)
        CHECK(memcmp(a->slot[s], b->slot[s], a->n * sizeof(float)) == 0);
    lam_net_free(a);
    lam_net_free(b);
}

TEST(threads_do_not_change_a_bit)
{
    check_same(trained(1, SIZE_MAX, "adam", 600), trained(2, SIZE_MAX, "adam", 600));
    check_same(trained(1, SIZE_MAX, "rmsprop", 70), trained(3, SIZE_MAX, "rmsprop", 70));
}

TEST(slices_do_not_change_a_bit)
{
    check_same(trained(1, SIZE_MAX, "adam", 33), trained(1, 1, "adam", 33));
}

TEST(state_carries_a_training_over)
{
    for (size_t i = 0; lam_optimizer_types[i]; i++) {
        lam_spec loss = {"mean_squared_error", {0}}, o = {lam_optimizer_types[i]->name, {0}};
        lam_layer_spec specs[] = {DENSE("a", 9, "tanh"), LAYER("dropout", "d", NUMBER("rate", 0.4)), DENSE("b", 2, "linear")};
        lam_net *whole = make_net(specs, 3, 7, &o, &loss), *half = make_net(specs, 3, 7, &o, &loss);
        lam_data *data = make_data(50, 7, 2, 0);
        lam_loop *loop = make_loop(whole, data, 8, LAM_LOOP_TRAIN);
        train_epochs(loop, 1, 4, SIZE_MAX);
        lam_loop_free(loop);
        loop = make_loop(half, data, 8, LAM_LOOP_TRAIN);
        train_epochs(loop, 1, 2, SIZE_MAX);
        lam_loop_free(loop);

        lam_net *next = make_net(specs, 3, 7, &o, &loss);
        float *packed = lam_alloc(lam_net_count(half), sizeof(float));
        lam_net_pack(half, half->weights, packed);
        lam_net_unpack(next, packed, next->weights);
        for (int s = 0; s < half->n_slots; s++) {
            lam_net_pack(half, half->slot[s], packed);
            lam_net_unpack(next, packed, next->slot[s]);
        }
        next->batches = half->batches;
        loop = make_loop(next, data, 8, LAM_LOOP_TRAIN);
        train_epochs(loop, 3, 4, SIZE_MAX);
        lam_loop_free(loop);
        lam_free(packed);
        lam_net_free(half);
        lam_data_free(data);
        float *a = lam_alloc(lam_net_count(whole), sizeof(float)), *b = lam_alloc(lam_net_count(whole), sizeof(float));
        lam_net_pack(whole, whole->weights, a);
        lam_net_pack(next, next->weights, b);
        CHECK(memcmp(a, b, lam_net_count(whole) * sizeof(float)) == 0);
        lam_free(a);
        lam_free(b);
        lam_net_free(whole);
        lam_net_free(next);
    }
}

TEST(frozen_layers_stay_and_the_rest_is_trained)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 4, "tanh"), DENSE("b", 4, "tanh"), DENSE("c", 2, "linear")};
    specs[1].trainable = false;
    lam_net *net = make_net(specs, 3, 5, &o, &loss);
    float *before = lam_alloc(net->n, sizeof(float));
    memcpy(before, net->weights, net->n * sizeof(float));
    lam_data *data = make_data(20, 5, 2, 0);
    lam_loop *loop = make_loop(net, data, 4, LAM_LOOP_TRAIN);
    train_epochs(loop, 1, 1, SIZE_MAX);
    for (int i = 0; i < 3; i++)
        for (int w = 0; w < 2; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            bool same = memcmp(before + weight->offset, net->weights + weight->offset, weight->count * sizeof(float)) == 0;
            CHECK(same == (i == 1));
        }
    lam_free(before);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

/* w x with x = 1, y = -1 and squared error; rate 0.1, w >= 0, the average's momentum 0.5:
 *   w = 0.1: slope 2.2, w = -0.12, average -0.12, then w = 0
 *   w = 0:   slope 2,   w = -0.2,  average -0.16, then w = 0 */
TEST(averages_are_taken_before_constraints_and_can_be_undone)
{
    lam_spec loss = {"mean_squared_error", {0}};
    lam_spec o = {"sgd", ARGS(NUMBER("learning_rate", 0.1), NUMBER("use_ema", 1), NUMBER("ema_momentum", 0.5))};
    lam_layer_spec specs[] = {DENSE("a", 1, "linear", NUMBER("use_bias", 0), STRING("kernel_constraint", "nonneg"))};
    lam_net *net = make_net(specs, 1, 1, &o, &loss);
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, 1, 1, 1, false, false, 0, &err));
    data->x[0] = 1;
    data->y[0] = -1;
    net->weights[0] = 0.1f;
    lam_loop *loop = make_loop(net, data, 1, LAM_LOOP_TRAIN);
    train_epochs(loop, 1, 1, 1);
    CHECK_NEAR(net->ema[0], -0.12, 1e-6);
    CHECK_NEAR(net->weights[0], 0, 1e-7);
    train_epochs(loop, 2, 2, 1);
    lam_net_finish(net);
    CHECK_NEAR(net->weights[0], -0.16, 1e-6);
    lam_net_resume(net);
    CHECK_NEAR(net->weights[0], 0, 1e-7);
    CHECK_NEAR(net->ema[0], -0.16, 1e-6);
    lam_net_finish(net);
    lam_net_settle(net);
    CHECK_NEAR(net->weights[0], -0.16, 1e-6);
    CHECK_NEAR(net->ema[0], -0.16, 1e-6);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

TEST(penalties_of_frozen_weights_do_not_count)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 1, "linear", SPEC("kernel_regularizer", "l2", NUMBER("l2", 0.5)))};
    lam_net *net = make_net(specs, 1, 1, &o, &loss);
    net->weights[0] = 3;
    CHECK_NEAR(lam_net_penalty(net), 4.5, 1e-6);
    net->layers[0].trainable = false;
    CHECK_NEAR(lam_net_penalty(net), 0, 0);
    lam_net_free(net);
}

/* ---- one step ---------------------------------------------------------------------------------------- */

enum { CLIP_NOTHING, CLIP_NORM, CLIP_GLOBAL, CLIP_VALUE };

/* By what the gradients `g` of a weight are multiplied; `all` is the sum of the squares of all. */
static double clip_factor(int how, double limit, double own, double all)
{
    double norm = sqrt(how == CLIP_GLOBAL ? all : own);
    return (how == CLIP_NORM || how == CLIP_GLOBAL) && norm > limit ? limit / norm : 1;
}

/* Plain descent at rate 0.1 after `batches` batches with gradients k g, k = 1, 2, ...: their mean, clipped;
 * and the weights' decay, which is not part of the gradients. */
static void check_step(const lam_spec *optimizer, int how, double limit, double decay, int batches)
{
    lam_spec loss = {"mean_squared_error", {0}};
    lam_layer_spec specs[] = {DENSE("a", 2, "tanh"), DENSE("b", 3, "linear")};
    lam_net *net = make_net(specs, 2, 5, optimizer, &loss);
    float *before = lam_alloc(net->n, sizeof(float)), *g = lam_alloc(net->n, sizeof(float)), *given = lam_alloc(net->n, sizeof(float));
    memcpy(before, net->weights, net->n * sizeof(float));
    double all = 0, mean = 0;
    for (int k = 1; k <= batches; k++)
        mean += (double)k / batches;
    for (int w = 0; w < 4; w++) {
        const lam_weight *weight = &net->layers[w / 2].weight[w % 2];
        unit_fill(g + weight->offset, weight->count, -1, 1);
        for (size_t i = weight->offset; i < weight->offset + weight->count; i++)
            all += pow(mean * g[i], 2);
    }
    for (int k = 1; k <= batches; k++) {
        for (size_t i = 0; i < net->n; i++)
            given[i] = (float)k * g[i];
        if (k > 1)
            CHECK(memcmp(before, net->weights, net->n * sizeof(float)) == 0);
        lam_net_update(net, given);
    }
    for (int w = 0; w < 4; w++) {
        const lam_weight *weight = &net->layers[w / 2].weight[w % 2];
        double own = 0;
        for (size_t i = weight->offset; i < weight->offset + weight->count; i++)
            own += pow(mean * g[i], 2);
        for (size_t i = weight->offset; i < weight->offset + weight->count; i++) {
            double slope = mean * g[i] * clip_factor(how, limit, own, all);
            if (how == CLIP_VALUE)
                slope = fmin(fmax(slope, -limit), limit);
            CHECK_NEAR(net->weights[i], before[i] * (1 - 0.1 * decay) - 0.1 * slope, 1e-6);
        }
    }
    lam_free(before);
    lam_free(g);
    lam_free(given);
    lam_net_free(net);
}

#define DESCENT(...) (lam_spec){"sgd", ARGS(NUMBER("learning_rate", 0.1), ##__VA_ARGS__)}

TEST(a_step_takes_the_clipped_mean_of_the_gradients_and_decays)
{
    check_step(&DESCENT(), CLIP_NOTHING, 0, 0, 1);
    check_step(&DESCENT(NUMBER("clipnorm", 0.7)), CLIP_NORM, 0.7, 0, 1);
    check_step(&DESCENT(NUMBER("global_clipnorm", 0.7)), CLIP_GLOBAL, 0.7, 0, 1);
    check_step(&DESCENT(NUMBER("clipvalue", 0.3)), CLIP_VALUE, 0.3, 0, 1);
    check_step(&DESCENT(NUMBER("clipnorm", 100)), CLIP_NORM, 100, 0, 1);
    check_step(&DESCENT(NUMBER("weight_decay", 0.5)), CLIP_NOTHING, 0, 0.5, 1);
    check_step(&DESCENT(NUMBER("gradient_accumulation_steps", 3)), CLIP_NOTHING, 0, 0, 3);
    check_step(&DESCENT(NUMBER("gradient_accumulation_steps", 3), NUMBER("global_clipnorm", 0.7), NUMBER("weight_decay", 2)),
               CLIP_GLOBAL, 0.7, 2, 3);
}

/* ---- the loss of an epoch ---------------------------------------------------------------------------- */

/* The mean over all samples, also where the last batch is smaller: y = w x with squared error, in double. */
TEST(the_running_loss_weighs_batches_by_their_size)
{
    enum { N = 11 };
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 1, "linear", NUMBER("use_bias", 0))};
    lam_net *net = make_net(specs, 1, 2, &o, &loss);
    lam_data *data = make_data(N, 2, 1, 0);
    data->y[N - 1] += 3; /* the small batch has a loss of its own */
    double sum = 0;
    for (int i = 0; i < N; i++) {
        double e = (double)net->weights[0] * data->x[2 * i] + (double)net->weights[1] * data->x[2 * i + 1] - data->y[i];
        sum += (double)data->w[i] * e * e;
    }
    for (size_t batch = 1; batch <= N; batch++) {
        lam_loop *loop = make_loop(net, data, batch, LAM_LOOP_TEST);
        train_epochs(loop, 1, 1, SIZE_MAX);
        CHECK_NEAR(lam_loop_loss(loop), sum / N, 1e-6);
        lam_loop_free(loop);
    }
    lam_data_free(data);
    lam_net_free(net);
}

/* With a mask: the mean over the steps that count, each with its sample's weight, and its gradient. */
TEST(masked_steps_have_no_part_in_the_loss)
{
    enum { N = 5, STEPS = 3, FEATURES = 2 };
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {LAYER("masking", "m", NUMBER("mask_value", 0)),
                              DENSE("a", 1, "linear", NUMBER("use_bias", 0))};
    lam_net *net = new_net(specs, 2, lam_shape_2(STEPS, FEATURES), &o, &loss);
    lam_data *data = make_data(N, STEPS * FEATURES, STEPS, 0);
    const float *w = net->weights + net->layers[1].weight[0].offset;
    double sum = 0, slope[FEATURES] = {0}, count = 0;
    for (int row = 0; row < N * STEPS; row++) {
        float *x = data->x + row * FEATURES;
        if (row % 4 == 1) { /* padding */
            x[0] = x[1] = 0;
            continue;
        }
        double e = (double)w[0] * x[0] + (double)w[1] * x[1] - data->y[row], weight = data->w[row / STEPS];
        sum += weight * e * e;
        slope[0] += 2 * weight * e * x[0];
        slope[1] += 2 * weight * e * x[1];
        count++;
    }
    lam_loop *loop = make_loop(net, data, N, LAM_LOOP_PROBE);
    double value = 0;
    const float *dx;
    CHECK_OK(lam_loop_probe(loop, false, &value, &dx, &err));
    CHECK_NEAR(value, sum / count, 1e-6);
    for (int k = 0; k < FEATURES; k++)
        CHECK_NEAR(loop->plan->grads[net->layers[1].weight[0].offset + (size_t)k], slope[k] / count, 1e-6);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

TEST(each_epoch_has_an_order_of_its_own)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 1, "linear")};
    lam_net *net = make_net(specs, 1, 2, &o, &loss);
    lam_data *data = make_data(50, 2, 1, 0);
    lam_loop *loop = make_loop(net, data, 8, LAM_LOOP_TRAIN);
    uint32_t first[50];
    CHECK_OK(lam_loop_start(loop, true, 1, &err));
    memcpy(first, loop->order, sizeof first);
    CHECK_OK(lam_loop_start(loop, true, 2, &err));
    CHECK(memcmp(first, loop->order, sizeof first) != 0);
    CHECK_OK(lam_loop_start(loop, true, 1, &err));
    CHECK(memcmp(first, loop->order, sizeof first) == 0);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

/* ---- other ways through the same step ------------------------------------------------------------------ */

/* A loss of the caller's own, here squared error by hand, in a step in two. */
TEST(the_step_in_two_is_the_step_in_one)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"adam", {0}};
    lam_layer_spec specs[] = {DENSE("a", 4, "tanh"), LAYER("dropout", "d", NUMBER("rate", 0.3)), DENSE("b", 2, "linear")};
    lam_net *whole = make_net(specs, 3, 5, &o, &loss), *split = make_net(specs, 3, 5, &o, NULL);
    lam_data *data = make_data(10, 5, 2, 0);
    for (size_t i = 0; i < data->n; i++)
        data->w[i] = 1;
    lam_loop *one = make_loop(whole, data, 4, LAM_LOOP_TRAIN), *two = make_loop(split, data, 4, LAM_LOOP_TRAIN);
    train_epochs(one, 1, 1, SIZE_MAX);
    CHECK_OK(lam_loop_start(two, true, 1, &err));
    CHECK_INT(lam_loop_run(two, 1, 1, &err), LAM_ESTATE);
    while (!lam_loop_done(two)) {
        size_t rows = 0;
        float gradient[8];
        double value = 0;
        CHECK_OK(lam_loop_forward(two, &rows, &err));
        for (size_t i = 0; i < 2 * rows; i++) {
            double e = (double)two->output[i] - two->target[i];
            gradient[i] = (float)(e / (double)rows); /* of the mean over rows of the mean of two squares */
            value += e * e / (2.0 * (double)rows);
        }
        CHECK_OK(lam_loop_backward(two, value, gradient, &err));
    }
    size_t rows;
    CHECK_INT(lam_loop_forward(two, &rows, &err), LAM_ESTATE);
    CHECK_NEAR(lam_loop_loss(two), lam_loop_loss(one), 1e-6);
    for (size_t i = 0; i < whole->n; i++)
        CHECK_NEAR(split->weights[i], whole->weights[i], 1e-6);
    lam_loop_free(one);
    lam_loop_free(two);
    lam_data_free(data);
    lam_net_free(whole);
    lam_net_free(split);
}

/* What is sparse trains as the same numbers do that are dense. */
TEST(sparse_inputs_train_as_dense_ones)
{
    enum { N = 9, D = 6 };
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 4, "tanh"), DENSE("b", 2, "linear")};
    lam_net *a = make_net(specs, 2, D, &o, &loss), *b = make_net(specs, 2, D, &o, &loss);
    lam_data *dense = make_data(N, D, 2, 0), *sparse = NULL;
    int start[D + 1] = {0}, row[N * D], n = 0;
    double value[N * D];
    for (int c = 0; c < D; c++) {
        for (int r = 0; r < N; r++) {
            float *x = &dense->x[r * D + c];
            *x = (r + 2 * c) % 3 ? 0 : *x;
            if (*x != 0) {
                row[n] = r;
                value[n++] = *x;
            }
        }
        start[c + 1] = n;
    }
    CHECK_OK(lam_data_new(&sparse, N, D, 2, true, true, (size_t)n, &err));
    CHECK_OK(lam_data_set_columns(sparse, start, row, value, &err));
    memcpy(sparse->y, dense->y, N * 2 * sizeof(float));
    memcpy(sparse->w, dense->w, N * sizeof(float));
    lam_loop *one = make_loop(a, dense, 4, LAM_LOOP_TRAIN), *two = make_loop(b, sparse, 4, LAM_LOOP_TRAIN);
    train_epochs(one, 1, 2, SIZE_MAX);
    train_epochs(two, 1, 2, SIZE_MAX);
    CHECK(!two->x && one->x);
    for (size_t i = 0; i < a->n; i++)
        CHECK_NEAR(b->weights[i], a->weights[i], 1e-6);
    lam_loop_free(one);
    lam_loop_free(two);
    lam_data_free(dense);
    lam_data_free(sparse);
    lam_net_free(a);
    lam_net_free(b);
}

/* ---- trouble --------------------------------------------------------------------------------------- */

static int questions, yes_each;

static bool now_and_then(void)
{
    return ++questions % yes_each == 0;
}

/* Batches that are given up, wherever that is, leave the network as it was, and done again are what they would have
 * been.  In rows of parts (convolution and what follows), in layers that pass on the whole batch, in statistics. */
TEST(a_batch_that_is_given_up_was_never_begun)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"adam", ARGS(NUMBER("use_ema", 1))};
    lam_layer_spec specs[] = {
        LAYER("conv_2d", "c", NUMBER("filters", 8), NUMBER("kernel_size", 3, 3)),
        LAYER("batch_normalization", "n", NUMBER("axis", -1), NUMBER("momentum", 0.5)),
        LAYER("max_pooling_2d", "p", NUMBER("pool_size", 2, 2)),
        {.type = "flatten", .name = "f", .trainable = true},
        DENSE("a", 64, "relu"), LAYER("dropout", "d", NUMBER("rate", 0.5)), DENSE("b", 2, "linear")};
    lam_shape in = {.rank = 3, .dim = {24, 24, 3}};
    lam_data *data = make_data(200, 24 * 24 * 3, 2, 0);
    float *want = NULL;
    lam_net *net = NULL;
    CHECK_OK(lam_threads_set(2, &err));
    static const int first[] = {0, 1, 7, 50};
    for (size_t trial = 0; trial < sizeof first / sizeof first[0]; trial++) {
        yes_each = first[trial];
        CHECK_OK(lam_net_new(&net, specs, 7, &in, &err));
        CHECK_OK(lam_net_initialize(net, 1, &err));
        CHECK_OK(lam_net_compile(net, &o, &loss, false, &err));
        size_t bytes = net->n * sizeof(float);
        lam_loop *loop = make_loop(net, data, 64, LAM_LOOP_TRAIN);
        if (yes_each == 0) {
            train_epochs(loop, 1, 2, SIZE_MAX);
            want = malloc(bytes);
            memcpy(want, net->weights, bytes);
        } else {
            float *before = malloc(bytes);
            int given_up = 0, done = 0;
            lam_ask_every(0);
            questions = 0;
            for (int epoch = 1; epoch <= 2; epoch++) {
                CHECK_OK(lam_loop_start(loop, true, (uint64_t)epoch, &err));
                while (!lam_loop_done(loop) && done + given_up < 10000) {
                    memcpy(before, net->weights, bytes);
                    lam_asks(now_and_then);
                    lam_status status = lam_loop_run(loop, 1, 1e9, &err);
                    lam_asks(NULL);
                    if (status == LAM_OK) {
                        done++;
                        continue;
                    }
                    CHECK_INT(status, LAM_EINTERRUPT);
                    CHECK(memcmp(before, net->weights, bytes) == 0);
                    if (++given_up % 30 == 0)
                        yes_each += 20; /* so that some come to an end */
                }
            }
            lam_ask_every(0.05);
            CHECK_INT(done, 8);
            CHECK(given_up > 0);
            CHECK(memcmp(want, net->weights, bytes) == 0);
            free(before);
        }
        lam_loop_free(loop);
        lam_net_free(net);
    }
    free(want);
    lam_data_free(data);
    lam_threads_stop();
}

TEST(exploding_training_stops_and_goes_back)
{
    lam_spec loss = {"mean_squared_error", {0}};
    lam_spec o = {"sgd", ARGS(NUMBER("learning_rate", 1e6))};
    lam_layer_spec specs[] = {DENSE("first", 8, "linear"), DENSE("second", 1, "linear")};
    lam_net *net = make_net(specs, 2, 5, &o, &loss);
    lam_data *data = make_data(400, 5, 1, 0);
    lam_loop *loop = make_loop(net, data, 4, LAM_LOOP_TRAIN);
    CHECK_OK(lam_loop_start(loop, true, 1, &err));
    CHECK_INT(lam_loop_run(loop, SIZE_MAX, 1e9, &err), LAM_ENUMERIC);
    CHECK(strstr(err.message, "batch") != NULL);
    for (size_t i = 0; i < net->n; i++)
        CHECK(isfinite(net->weights[i]));
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

/* Weights and the optimizer's state are put by every 64 batches, and come back from there. */
TEST(an_explosion_goes_back_to_the_last_good_weights)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"adam", {0}};
    lam_layer_spec specs[] = {DENSE("a", 3, "tanh"), DENSE("b", 1, "linear")};
    lam_net *net = make_net(specs, 2, 4, &o, &loss), *good = make_net(specs, 2, 4, &o, &loss);
    lam_data *data = make_data(100, 4, 1, 0);
    data->y[90] = INFINITY;
    lam_loop *loop = make_loop(net, data, 1, LAM_LOOP_TRAIN), *part = make_loop(good, data, 1, LAM_LOOP_TRAIN);
    CHECK_OK(lam_loop_start(loop, false, 1, &err));
    CHECK_INT(lam_loop_run(loop, SIZE_MAX, 1e9, &err), LAM_ENUMERIC);
    CHECK_OK(lam_loop_start(part, false, 1, &err));
    CHECK_OK(lam_loop_run(part, 64, 1e9, &err));
    CHECK_INT(net->batches, 64);
    lam_loop_free(loop);
    lam_loop_free(part);
    lam_data_free(data);
    check_same(net, good);
}

TEST(training_allocates_nothing)
{
    lam_spec loss = {"binary_crossentropy", {0}}, o = {"adam", {0}};
    lam_spec metric = {"auc", {0}};
    lam_metric_list metrics = {1, 0, &metric};
    lam_layer_spec specs[] = {DENSE("a", 8, "relu"), DENSE("b", 1, "sigmoid")};
    lam_net *net = make_net(specs, 2, 5, &o, &loss);
    lam_data *data = make_data(100, 5, 1, 2);
    lam_loop *loop = NULL;
    CHECK_OK(lam_loop_new(&loop, net, 0, data, 0, 100, 8, LAM_LOOP_TRAIN, &metrics, &err));
    train_epochs(loop, 1, 1, SIZE_MAX);
    long calls = lam_alloc_calls();
    train_epochs(loop, 2, 3, SIZE_MAX);
    CHECK_INT(lam_alloc_calls(), calls);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
}

/* Building, compiling and training with the n-th allocation failing, for every n until none does. */
static lam_status whole_life(void)
{
    lam_spec loss = {"sparse_categorical_crossentropy", {0}};
    lam_spec o = {"adam", ARGS(NUMBER("use_ema", 1), NUMBER("gradient_accumulation_steps", 2))};
    lam_spec metric = {"accuracy", {0}};
    lam_metric_list metrics = {1, 0, &metric};
    lam_layer_spec specs[] = {DENSE("a", 4, "relu", STRING("kernel_initializer", "orthogonal")),
                              LAYER("dropout", "d", NUMBER("rate", 0.5)), DENSE("b", 3, "softmax")};
    lam_shape in = lam_shape_1(5);
    lam_net *net = NULL;
    lam_data *data = NULL;
    lam_loop *loop = NULL;
    lam_error e = {.code = LAM_OK};
    lam_status status = lam_net_new(&net, specs, 3, &in, &e);
    if (status == LAM_OK)
        status = lam_net_initialize(net, 1, &e);
    if (status == LAM_OK)
        status = lam_net_compile(net, &o, &loss, false, &e);
    if (status == LAM_OK)
        status = lam_data_new(&data, 20, 5, 1, true, false, 0, &e);
    if (status == LAM_OK)
        status = lam_loop_new(&loop, net, 0, data, 0, 20, 4, LAM_LOOP_TRAIN, &metrics, &e);
    if (status == LAM_OK)
        status = lam_loop_start(loop, true, 1, &e);
    if (status == LAM_OK)
        status = lam_loop_run(loop, SIZE_MAX, 1e9, &e);
    CHECK_INT(e.code, status);
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
    return status;
}

TEST(every_allocation_may_fail)
{
    CHECK_OK(lam_threads_set(1, &err));
    long live = lam_alloc_live();
    int n = 0;
    lam_status status;
    do {
        lam_alloc_fail_at(++n);
        status = whole_life();
        lam_alloc_fail_at(0);
        CHECK(status == LAM_OK || status == LAM_EMEMORY);
        CHECK_INT(lam_alloc_live(), live);
    } while (status != LAM_OK && n < 1000);
    CHECK(n > 20 && n < 1000);
}

TEST(compiling_anew_fails_without_harm)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"adam", {0}}, bad = {"adam", ARGS(NUMBER("beta_1", 7))};
    lam_layer_spec specs[] = {DENSE("a", 2, "linear")};
    lam_net *net = make_net(specs, 1, 3, &o, &loss);
    net->slot[0][0] = 0.25f;
    CHECK(lam_net_compile(net, &bad, &loss, false, &err) != LAM_OK);
    CHECK(net->compiled && net->slot[0][0] == 0.25f);
    lam_net_free(net);
}

/* ---- data ------------------------------------------------------------------------------------------ */

TEST(sparse_columns_become_rows)
{
    /* rows: (0 5 0), (1 0 0), (2 0 3), (0 0 0) */
    int start[] = {0, 2, 3, 4}, row[] = {1, 2, 0, 2};
    double value[] = {1, 2, 5, 3};
    float want[] = {0, 5, 0, 1, 0, 0, 2, 0, 3, 0, 0, 0}, x[12];
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, 4, 3, 0, false, true, 4, &err));
    CHECK_OK(lam_data_set_columns(data, start, row, value, &err));
    lam_data_gather(data, NULL, 0, 4, x, NULL, NULL);
    CHECK(memcmp(x, want, sizeof want) == 0);
    uint32_t order[] = {2, 0};
    lam_data_gather(data, order, 0, 2, x, NULL, NULL);
    CHECK(memcmp(x, want + 6, 3 * sizeof(float)) == 0 && memcmp(x + 3, want, 3 * sizeof(float)) == 0);
    lam_data_free(data);
    int wrong[] = {1, 9, 0, 2};
    CHECK_OK(lam_data_new(&data, 4, 3, 0, false, true, 4, &err));
    CHECK_INT(lam_data_set_columns(data, start, wrong, value, &err), LAM_EDATA);
    lam_data_free(data);
}

TEST(wrong_shapes_and_names_are_refused)
{
    lam_spec loss = {"mean_squared_error", {0}}, o = {"sgd", {0}};
    lam_layer_spec specs[] = {DENSE("a", 2, "linear")};
    lam_net *net = make_net(specs, 1, 3, &o, &loss);
    lam_data *data = make_data(4, 3, 1, 0);
    lam_loop *loop = NULL;
    CHECK_INT(lam_loop_new(&loop, net, 0, data, 0, 4, 2, LAM_LOOP_TRAIN, &no_metrics, &err), LAM_ESHAPE);
    CHECK(loop == NULL);
    lam_data_free(data);
    data = make_data(4, 2, 2, 0);
    CHECK_INT(lam_loop_new(&loop, net, 0, data, 0, 4, 2, LAM_LOOP_TRAIN, &no_metrics, &err), LAM_ESHAPE);
    lam_data_free(data);
    lam_net_free(net);
    lam_shape in = lam_shape_1(3);
    lam_layer_spec unknown[] = {LAYER("dense", "a", NUMBER("units", 2), NUMBER("unit", 3))};
    CHECK_INT(lam_net_new(&net, unknown, 1, &in, &err), LAM_EARGUMENT);
    CHECK(strcmp(err.arg, "unit") == 0);
    lam_layer_spec missing[] = {LAYER("dense", "a", NUMBER("use_bias", 1))};
    CHECK_INT(lam_net_new(&net, missing, 1, &in, &err), LAM_EARGUMENT);
    lam_layer_spec negative[] = {LAYER("dense", "a", NUMBER("units", -2))};
    CHECK_INT(lam_net_new(&net, negative, 1, &in, &err), LAM_EARGUMENT);
}
