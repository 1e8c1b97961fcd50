/* The profile of a training: times add up, work is counted as the formulas say, bits stay. */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/sizes.h"
#include "base/threads.h"
#include "kernels/peak.h"
#include "nets.h"
#include "unit.h"

static lam_error err;

static const lam_metric_list no_metrics = {0};

static lam_net *make_net(const lam_layer_spec *specs, int n, lam_shape in)
{
    lam_spec sgd = {"sgd", {0}}, mse = {"mean_squared_error", {0}};
    return new_net(specs, n, in, &sgd, &mse);
}

static lam_data *make_data(const lam_net *net, size_t n)
{
    size_t x_d = lam_shape_count(&net->in), y_d = lam_shape_count(&net->out);
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, x_d, y_d, false, false, 0, &err));
    unit_fill(data->x, n * x_d, 0, 1);
    unit_fill(data->y, n * y_d, 0, 1);
    return data;
}

static lam_loop *make_loop(lam_net *net, const lam_data *data, size_t batch)
{
    lam_loop *loop = NULL;
    CHECK_OK(lam_loop_new(&loop, net, 0, data, 0, data->n, batch, LAM_LOOP_TRAIN, &no_metrics, &err));
    return loop;
}

static void train(lam_loop *loop, uint64_t epochs)
{
    for (uint64_t epoch = 1; epoch <= epochs; epoch++) {
        CHECK_OK(lam_loop_start(loop, true, epoch, &err));
        while (!lam_loop_done(loop))
            CHECK_OK(lam_loop_run(loop, 1000, 1e9, &err));
    }
}

/* ---- work ------------------------------------------------------------------------------------- */

/* The work of a layer of its own, and what of it lies inside. */
static void check_work(lam_layer_spec spec, lam_shape in, double work, double inside)
{
    lam_net *net = NULL;
    CHECK_OK(lam_net_new(&net, &spec, 1, &in, &err));
    if (!net)
        return;
    CHECK_NEAR(net->layers[0].work, work, 0);
    CHECK_NEAR(net->layers[0].work_inside, inside, 0);
    lam_net_free(net);
}

static lam_shape shape_3(size_t a, size_t b, size_t c)
{
    return (lam_shape){3, {a, b, c}};
}

TEST(work_of_products_is_rows_by_columns)
{
    check_work((lam_layer_spec)DENSE("a", 16, "relu"), lam_shape_1(5), 5 * 16, 0);
    check_work((lam_layer_spec)DENSE("a", 3, "relu"), lam_shape_2(7, 5), 7 * 5 * 3, 0);
    check_work((lam_layer_spec)LAYER("time_distributed", "a", SPEC("layer", "dense", NUMBER("units", 4))),
               lam_shape_2(6, 5), 6 * 5 * 4, 0);
}

TEST(work_of_convolutions_is_positions_by_taps_by_channels)
{
    check_work((lam_layer_spec)LAYER("conv_1d", "a", NUMBER("filters", 4), NUMBER("kernel_size", 3)),
               lam_shape_2(10, 2), 8 * 3 * 2 * 4, 0);
    check_work((lam_layer_spec)LAYER("conv_2d", "a", NUMBER("filters", 4), NUMBER("kernel_size", 3, 2),
                                     NUMBER("strides", 2, 2)),
               shape_3(9, 8, 3), 4 * 4 * (3 * 2) * 3 * 4, 0);
    check_work((lam_layer_spec)LAYER("conv_2d", "a", NUMBER("filters", 4), NUMBER("kernel_size", 3, 3),
                                     STRING("padding", "same"), NUMBER("groups", 2)),
               shape_3(6, 5, 8), 6 * 5 * 9 * (8 / 2) * 4, 0);
    check_work((lam_layer_spec)LAYER("depthwise_conv_1d", "a", NUMBER("kernel_size", 3)), lam_shape_2(10, 4),
               8 * 3 * 4, 0);
    check_work((lam_layer_spec)LAYER("depthwise_conv_2d", "a", NUMBER("kernel_size", 3, 3), NUMBER("depth_multiplier", 2)),
               shape_3(6, 7, 3), 4 * 5 * 9 * 3 * 2, 0);
    check_work((lam_layer_spec)LAYER("separable_conv_1d", "a", NUMBER("filters", 5), NUMBER("kernel_size", 3)),
               lam_shape_2(10, 4), 8 * 3 * 4 + 8 * 4 * 5, 8 * 4 * 5);
    check_work((lam_layer_spec)LAYER("separable_conv_2d", "a", NUMBER("filters", 5), NUMBER("kernel_size", 3, 3),
                                     NUMBER("depth_multiplier", 2)),
               shape_3(6, 7, 3), 4 * 5 * 9 * 6 + 4 * 5 * 6 * 5, 4 * 5 * 6 * 5);
    /* each input position lays the kernel onto the output */
    check_work((lam_layer_spec)LAYER("conv_1d_transpose", "a", NUMBER("filters", 5), NUMBER("kernel_size", 3),
                                     NUMBER("strides", 2)),
               lam_shape_2(10, 4), 10 * 3 * 4 * 5, 0);
    check_work((lam_layer_spec)LAYER("conv_2d_transpose", "a", NUMBER("filters", 5), NUMBER("kernel_size", 3, 2),
                                     NUMBER("strides", 2, 2)),
               shape_3(4, 6, 2), 4 * 6 * (3 * 2) * 2 * 5, 0);
}

TEST(work_of_recurrent_layers_is_steps_by_inputs_and_states_by_gates)
{
    enum { STEPS = 7, IN = 3, UNITS = 5, STATE = STEPS * UNITS * UNITS };
    static const struct {
        const char *type;
        int gates;
    } cells[] = {{"simple_rnn", 1}, {"gru", 3}, {"lstm", 4}};
    for (int i = 0; i < 3; i++) {
        lam_layer_spec spec = LAYER(cells[i].type, "a", NUMBER("units", UNITS));
        int gates = cells[i].gates;
        check_work(spec, lam_shape_2(STEPS, IN), STEPS * (IN + UNITS) * gates * UNITS, gates * STATE);
    }
    check_work((lam_layer_spec)LAYER("bidirectional", "a", SPEC("layer", "lstm", NUMBER("units", UNITS)),
                                     SPEC("backward_layer", "gru", NUMBER("units", UNITS), NUMBER("go_backwards", 1))),
               lam_shape_2(STEPS, IN), STEPS * (IN + UNITS) * 7 * UNITS, 7 * STATE);
}

TEST(work_of_attention_is_scores_contexts_and_projections)
{
    enum { STEPS = 6, IN = 4, HEADS = 2, KEY = 3, VALUE = 5, SQUARE = STEPS * STEPS };
    check_work((lam_layer_spec){.type = "attention", .name = "a", .trainable = true}, lam_shape_2(STEPS, IN),
               2 * SQUARE * IN, 0);
    check_work((lam_layer_spec)LAYER("attention", "a", STRING("score_mode", "concat")), lam_shape_2(STEPS, IN),
               SQUARE * IN, 0);
    int inside = SQUARE * HEADS * (KEY + VALUE) + STEPS * HEADS * VALUE * IN;
    check_work((lam_layer_spec)LAYER("multi_head_attention", "a", NUMBER("num_heads", HEADS), NUMBER("key_dim", KEY),
                                     NUMBER("value_dim", VALUE)),
               lam_shape_2(STEPS, IN), STEPS * IN * HEADS * (2 * KEY + VALUE) + inside, inside);
}

TEST(layers_without_products_have_no_work)
{
    check_work((lam_layer_spec)LAYER("activation", "a", STRING("activation", "relu")), lam_shape_1(5), 0, 0);
    check_work((lam_layer_spec)LAYER("max_pooling_2d", "a", NUMBER("pool_size", 2, 2)), shape_3(4, 4, 2), 0, 0);
    check_work((lam_layer_spec){.type = "batch_normalization", .name = "a", .trainable = true}, lam_shape_1(5), 0, 0);
    check_work((lam_layer_spec)LAYER("embedding", "a", NUMBER("input_dim", 9), NUMBER("output_dim", 4)),
               lam_shape_1(5), 0, 0);
}

/* Twice forward's; once in the lowest trained layer, or where the layer is frozen; none below. */
TEST(backward_counts_the_gradients_that_are_wanted)
{
    lam_layer_spec specs[] = {DENSE("a", 16, "relu"), DENSE("b", 32, "relu"), DENSE("c", 2, "softmax")};
    static const double forward[] = {16, 512, 64};
    static const double times[2][3] = {{1, 2, 2}, {0, 1, 1}};
    for (int frozen = 0; frozen < 2; frozen++) {
        specs[0].trainable = specs[2].trainable = !frozen;
        lam_net *net = make_net(specs, 3, lam_shape_1(1));
        lam_data *data = make_data(net, 95);
        lam_loop *loop = make_loop(net, data, 10);
        CHECK_OK(lam_loop_profile(loop, &err));
        train(loop, 2);
        const lam_profile *p = loop->profile;
        CHECK_NEAR(p->batches, 20, 0);
        CHECK_NEAR(p->samples, 190, 0);
        for (int i = 0; i < 3; i++) {
            CHECK_NEAR(p->layer[LAM_PHASE_FORWARD][i].work, 190 * forward[i], 0);
            CHECK_NEAR(p->layer[LAM_PHASE_FORWARD][i].calls, 20, 0);
            CHECK_NEAR(p->layer[LAM_PHASE_BACKWARD][i].work, 190 * forward[i] * times[frozen][i], 0);
            CHECK_NEAR(p->layer[LAM_PHASE_BACKWARD][i].calls, times[frozen][i] > 0 ? 20 : 0, 0);
            CHECK_NEAR(p->layer[LAM_PHASE_PREPARE][i].calls, 0, 0);
        }
        lam_loop_free(loop);
        lam_data_free(data);
        lam_net_free(net);
    }
}

TEST(backward_of_recurrent_layers_goes_through_time_without_input_gradients)
{
    lam_layer layer = {.trainable = true, .work = 10, .work_inside = 6, .n_weights = 1};
    layer.weight[0].trainable = true;
    CHECK_NEAR(lam_backward_work(&layer, 3, true), 3 * (10 + 10), 0);
    CHECK_NEAR(lam_backward_work(&layer, 3, false), 3 * (10 + 6), 0);
    layer.trainable = false;
    CHECK_NEAR(lam_backward_work(&layer, 3, true), 3 * 10, 0);
    layer.n_weights = 0;
    CHECK_NEAR(lam_backward_work(&layer, 3, true), 3 * (10 + 10), 0);
}

/* ---- times and bits --------------------------------------------------------------------------- */

enum { PICTURES = 400, BATCH = 200 };

/* Some layers pass depth first, the last ones at once; one rides along on the one before. */
static lam_net *picture_net(void)
{
    const lam_layer_spec specs[] = {
        LAYER("conv_2d", "a", NUMBER("filters", 8), NUMBER("kernel_size", 3, 3), STRING("activation", "relu")),
        LAYER("conv_2d", "b", NUMBER("filters", 8), NUMBER("kernel_size", 3, 3), STRING("activation", "relu")),
        LAYER("max_pooling_2d", "max", NUMBER("pool_size", 2, 2)),
        {.type = "batch_normalization", .name = "norm", .trainable = true},
        LAYER("activation", "act", STRING("activation", "relu")),
        {.type = "flatten", .name = "flat", .trainable = true},
        LAYER("dropout", "drop", NUMBER("rate", 0.2)),
        DENSE("c", 10, "softmax"),
    };
    return make_net(specs, 8, shape_3(20, 20, 2));
}

static double total(const lam_profile *p)
{
    double sum = 0;
    for (int k = 0; k < LAM_PHASES; k++)
        for (int i = 0; i < p->n_layers; i++)
            sum += p->layer[k][i].seconds;
    for (int s = 0; s < LAM_STAGES; s++)
        sum += p->stage[s];
    return sum;
}

TEST(times_add_up_to_the_time_that_passed)
{
    for (int threads = 1; threads <= 3; threads++) {
        CHECK_OK(lam_threads_set(threads, &err));
        lam_net *net = picture_net();
        lam_data *data = make_data(net, PICTURES);
        lam_loop *loop = make_loop(net, data, BATCH);
        CHECK_OK(lam_loop_profile(loop, &err));
        const lam_plan *plan = loop->plan;
        CHECK(plan->segment[0].part > 0 && plan->segment[plan->n_segments - 1].part == 0);
        CHECK(plan->step[4].rides);
        CHECK_OK(lam_loop_start(loop, true, 1, &err));
        double start = lam_seconds();
        CHECK_OK(lam_loop_run(loop, 1000, 1e9, &err));
        double passed = lam_seconds() - start;
        const lam_profile *p = loop->profile;
        CHECK(total(p) <= passed);
        CHECK(total(p) >= 0.99 * passed - 5e-5); /* the clock starts and stops within */
        for (int i = 0; i < p->n_layers; i++) {
            CHECK((p->layer[LAM_PHASE_FORWARD][i].calls > 0) == (i != 4));
            CHECK((p->layer[LAM_PHASE_BACKWARD][i].calls > 0) == (i != 4));
            CHECK((p->layer[LAM_PHASE_PREPARE][i].calls > 0) == (net->layers[i].type->prepare != NULL));
        }
        for (int i = 0; i < 2; i++) /* the others may be too short for a coarse clock */
            CHECK(p->layer[LAM_PHASE_FORWARD][i].seconds > 0 && p->layer[LAM_PHASE_BACKWARD][i].seconds > 0);
        size_t parts = lam_divide_up(BATCH, plan->segment[0].part);
        CHECK_NEAR(p->layer[LAM_PHASE_FORWARD][0].calls, 2.0 * (double)parts, 0);
        CHECK_NEAR(p->layer[LAM_PHASE_FORWARD][7].calls, 2, 0);
        CHECK_NEAR(p->layer[LAM_PHASE_FORWARD][0].work, PICTURES * 18.0 * 18 * 9 * 2 * 8, 0);
        CHECK_NEAR(p->layer[LAM_PHASE_BACKWARD][0].work, PICTURES * 18.0 * 18 * 9 * 2 * 8, 0);
        CHECK_NEAR(p->layer[LAM_PHASE_BACKWARD][1].work, PICTURES * 2 * 16.0 * 16 * 9 * 8 * 8, 0);
        lam_loop_free(loop);
        lam_data_free(data);
        lam_net_free(net);
    }
    CHECK_OK(lam_threads_set(1, &err));
}

static float *trained_weights(bool profiled, int threads, size_t *n)
{
    unit_seed(5);
    CHECK_OK(lam_threads_set(threads, &err));
    lam_net *net = picture_net();
    lam_data *data = make_data(net, PICTURES);
    lam_loop *loop = make_loop(net, data, BATCH);
    if (profiled)
        CHECK_OK(lam_loop_profile(loop, &err));
    train(loop, 2);
    float *weights = malloc(net->n * sizeof(float));
    memcpy(weights, net->weights, net->n * sizeof(float));
    *n = net->n;
    lam_loop_free(loop);
    lam_data_free(data);
    lam_net_free(net);
    CHECK_OK(lam_threads_set(1, &err));
    return weights;
}

TEST(a_profile_changes_no_bit)
{
    size_t n = 0;
    float *plain = trained_weights(false, 1, &n);
    for (int threads = 1; threads <= 3; threads++) {
        float *profiled = trained_weights(true, threads, &n);
        CHECK(memcmp(plain, profiled, n * sizeof(float)) == 0);
        free(profiled);
    }
    free(plain);
}

TEST(a_profile_that_finds_no_memory_leaves_nothing_behind)
{
    long live = lam_alloc_live();
    lam_profile *profile = NULL;
    for (long at = 1; at <= 2; at++) {
        lam_alloc_fail_at(at);
        CHECK_INT(lam_profile_new(&profile, 3, &err), LAM_EMEMORY);
        CHECK(!profile);
    }
    lam_alloc_fail_at(0);
    CHECK_OK(lam_profile_new(&profile, 3, &err));
    lam_profile_free(profile);
    CHECK_INT(lam_alloc_live(), live);
}

/* The batch grows, so the plan is made anew: the profile goes on. */
TEST(a_profile_outlives_the_plan)
{
    const lam_layer_spec specs[] = {DENSE("a", 4, "relu"), DENSE("b", 2, "linear")};
    lam_net *net = make_net(specs, 2, lam_shape_1(3));
    lam_data *few = make_data(net, 5), *many = make_data(net, 50);
    lam_loop *loop = make_loop(net, few, 5);
    CHECK_OK(lam_loop_profile(loop, &err));
    CHECK_OK(lam_loop_start(loop, false, 1, &err));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(lam_loop_feed(loop, i ? many : few, &err));
        CHECK_OK(lam_loop_run(loop, 1, 1, &err));
    }
    CHECK_NEAR(loop->profile->layer[LAM_PHASE_FORWARD][0].work, 55 * 12, 0);
    CHECK_NEAR(loop->profile->samples, 55, 0);
    lam_loop_free(loop);
    lam_data_free(few);
    lam_data_free(many);
    lam_net_free(net);
}

TEST(the_peak_grows_with_the_threads_asked_for)
{
    CHECK_REL(lam_peak_run(2), 2 * lam_peak_run(1), 0, 0);
    CHECK_OK(lam_threads_set(1, &err));
    double peak = lam_peak(0.002);
    CHECK(isfinite(peak) && peak > 1e8);
}
