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
    lam_net *net = NULL;
    lam_shape in = lam_shape_1(inputs);
    CHECK_OK(lam_net_new(&net, specs, n, &in, &err));
    CHECK_OK(lam_net_initialize(net, 7, &err));
    CHECK_OK(lam_net_compile(net, optimizer, loss, false, &err));
    return net;
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

/* ---- trouble --------------------------------------------------------------------------------------- */

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
