/* Going depth first: a batch in parts gives what small batches give that pass all at once. */
#include "base/threads.h"
#include "nets.h"
#include "nn/plan.h"
#include "unit.h"

enum { ROWS = 1003, FEW = 17 };

static lam_error err;

static lam_net *sequence_net(bool frozen)
{
    lam_layer_spec specs[] = {
        DENSE("a", 12, "relu"),
        LAYER("dropout", "drop", NUMBER("rate", 0.4)),
        DENSE("b", 9, "gelu"),
        LAYER("activation", "act", STRING("activation", "relu")),
        LAYER("gaussian_noise", "noise", NUMBER("stddev", 0.1)),
        DENSE("c", 5, "tanh"),
    };
    specs[0].trainable = !frozen;
    return new_net(specs, 6, lam_shape_2(64, 8), NULL, NULL);
}

/* Convolution, then a maximum that takes over the rectifier's slope. */
static lam_net *picture_net(bool frozen)
{
    lam_layer_spec specs[] = {
        LAYER("conv_2d", "a", NUMBER("filters", 4), NUMBER("kernel_size", 3, 3), STRING("padding", "same"),
              STRING("activation", "relu")),
        LAYER("conv_2d", "b", NUMBER("filters", 5), NUMBER("kernel_size", 3, 3), STRING("activation", "relu")),
        LAYER("max_pooling_2d", "max", NUMBER("pool_size", 2, 2)),
        LAYER("dropout", "drop", NUMBER("rate", 0.25)),
        LAYER("conv_2d", "c", NUMBER("filters", 3), NUMBER("kernel_size", 2, 2)),
        LAYER("activation", "act", STRING("activation", "relu")),
        LAYER("max_pooling_2d", "max2", NUMBER("pool_size", 2, 2)),
    };
    specs[0].trainable = !frozen;
    return new_net(specs, 7, (lam_shape){3, {12, 12, 2}}, NULL, NULL);
}

typedef struct result {
    float *y, *dx, *grads;
    bool deep;
} result;

static float *numbers(size_t n)
{
    return calloc(n, sizeof(float));
}

/* ROWS samples in batches of `rows`. */
static result pass(lam_net *net, size_t rows, lam_plan_kind kind, const float *x, const float *dy)
{
    const size_t in = lam_shape_count(&net->in), out = lam_shape_count(&net->out);
    result r = {numbers(ROWS * out), numbers(ROWS * in), numbers(net->n), false};
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, net, 0, net->n_layers, rows, kind, &err));
    for (int s = 0; s < plan->n_segments; s++)
        r.deep |= plan->segment[s].part > 0;
    for (size_t at = 0; at < ROWS; at += rows) {
        size_t n = ROWS - at < rows ? ROWS - at : rows;
        lam_run run = {.rows = n, .first_row = at, .training = true, .seed = 3, .step = 11};
        memcpy(r.y + at * out, lam_plan_forward(plan, x + at * in, &run), n * out * sizeof(float));
        if (kind < LAM_PLAN_TRAIN)
            continue;
        memcpy(lam_plan_output_gradient(plan), dy + at * out, n * out * sizeof(float));
        const float *dx = lam_plan_backward(plan, x + at * in, &run, at > 0);
        if (dx)
            memcpy(r.dx + at * in, dx, n * in * sizeof(float));
    }
    if (plan->grads)
        memcpy(r.grads, plan->grads, net->n * sizeof(float));
    lam_plan_free(plan);
    return r;
}

static void release(result r)
{
    free(r.y);
    free(r.dx);
    free(r.grads);
}

static void check_bits(const float *a, const float *b, size_t n)
{
    CHECK(memcmp(a, b, n * sizeof(float)) == 0);
}

static void compare(lam_net *net, lam_plan_kind kind)
{
    const size_t in = lam_shape_count(&net->in), out = lam_shape_count(&net->out);
    float *x = numbers(ROWS * in), *dy = numbers(ROWS * out);
    unit_fill(x, ROWS * in, -1, 1);
    unit_fill(dy, ROWS * out, -1, 1);
    CHECK_OK(lam_threads_set(1, &err));
    result small = pass(net, FEW, kind, x, dy), deep = pass(net, ROWS, kind, x, dy);
    CHECK_OK(lam_threads_set(3, &err));
    result threads = pass(net, ROWS, kind, x, dy);
    CHECK(deep.deep && !small.deep);
    check_bits(deep.y, small.y, ROWS * out);
    check_bits(deep.y, threads.y, ROWS * out);
    check_bits(deep.dx, small.dx, ROWS * in);
    check_bits(deep.dx, threads.dx, ROWS * in);
    for (int i = 0; kind >= LAM_PLAN_TRAIN && i < net->n_layers; i++)
        for (int w = 0; net->layers[i].trainable && w < net->layers[i].n_weights; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            for (size_t k = weight->offset; k < weight->offset + weight->count; k++) {
                CHECK_REL(deep.grads[k], small.grads[k], 1e-5, 2e-3); /* sums of 64,192 numbers near 1 */
                CHECK(deep.grads[k] == threads.grads[k]);
            }
        }
    release(small);
    release(deep);
    release(threads);
    free(x);
    free(dy);
    lam_net_free(net);
    CHECK_OK(lam_threads_set(1, &err));
}

TEST(parts_of_a_batch_give_what_small_batches_give)
{
    lam_net *(*const nets[])(bool frozen) = {sequence_net, picture_net};
    for (int i = 0; i < 2; i++) {
        compare(nets[i](false), LAM_PLAN_TRAIN_INPUT);
        compare(nets[i](false), LAM_PLAN_TRAIN);
        compare(nets[i](true), LAM_PLAN_TRAIN);
        compare(nets[i](true), LAM_PLAN_TRAIN_INPUT);
        compare(nets[i](false), LAM_PLAN_PREDICT);
    }
}

TEST(prediction_in_parts_holds_no_inner_output_of_the_whole_batch)
{
    lam_net *net = sequence_net(false);
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, net, 0, net->n_layers, 100 * ROWS, LAM_PLAN_PREDICT, &err));
    CHECK_INT(plan->n_segments, 1);
    size_t output = 100 * ROWS * lam_shape_count(&net->out) * sizeof(float), lanes = 2 * LAM_LANES * ((size_t)1 << 20);
    CHECK(plan->arena_bytes < 2 * output + lanes);
    lam_plan_free(plan);
    lam_net_free(net);
}

/* Normalization with a rectifier that rides along, below a maximum and below a convolution. */
static lam_net *normalized_net(bool frozen)
{
    lam_layer_spec specs[] = {
        LAYER("conv_2d", "a", NUMBER("filters", 4), NUMBER("kernel_size", 3, 3)),
        LAYER("batch_normalization", "bn", NUMBER("axis", -1)),
        LAYER("activation", "relu", STRING("activation", "relu")),
        LAYER("conv_2d", "b", NUMBER("filters", 17), NUMBER("kernel_size", 3, 3)),
        LAYER("batch_normalization", "bn2", NUMBER("axis", -1)),
        LAYER("activation", "relu2", STRING("activation", "relu")),
        LAYER("max_pooling_2d", "max", NUMBER("pool_size", 2, 2)),
    };
    specs[1].trainable = specs[4].trainable = !frozen;
    return new_net(specs, 7, (lam_shape){3, {12, 12, 2}}, NULL, NULL);
}

/* The same outputs and gradients whether the plan sees the layers on both sides of `cut` together or
 * is cut there. */
static void compare_cut(lam_net *net, int cut)
{
    const size_t in = FEW * lam_shape_count(&net->in), out = FEW * lam_shape_count(&net->out);
    const size_t between = FEW * net->layers[cut].in_count;
    float *x = numbers(in), *dy = numbers(out), *y = numbers(between);
    unit_fill(x, in, -1, 1);
    unit_fill(dy, out, -1, 1);
    for (int i = 0; i < net->n_layers; i++) /* so that about half of the rectifiers' inputs are below 0 */
        if (net->layers[i].n_weights > 1)
            unit_fill(net->weights + net->layers[i].weight[1].offset, net->layers[i].weight[1].count, -0.5, 0.5);
    lam_run run = {.rows = FEW, .training = true, .seed = 3, .step = 11};
    lam_plan *whole = NULL, *lower = NULL, *upper = NULL;
    CHECK_OK(lam_plan_new(&whole, net, 0, net->n_layers, FEW, LAM_PLAN_TRAIN_INPUT, &err));
    CHECK_OK(lam_plan_new(&lower, net, 0, cut, FEW, LAM_PLAN_TRAIN_INPUT, &err));
    CHECK_OK(lam_plan_new(&upper, net, cut, net->n_layers, FEW, LAM_PLAN_TRAIN_INPUT, &err));
    CHECK(whole->step[cut].rides || whole->step[cut - 1].rectified);
    CHECK(!upper->step[cut].rides && !lower->step[cut - 1].rectified);

    memcpy(y, lam_plan_forward(lower, x, &run), between * sizeof(float));
    check_bits(lam_plan_forward(upper, y, &run), lam_plan_forward(whole, x, &run), out);
    memcpy(lam_plan_output_gradient(upper), dy, out * sizeof(float));
    memcpy(lam_plan_output_gradient(whole), dy, out * sizeof(float));
    memcpy(lam_plan_output_gradient(lower), lam_plan_backward(upper, y, &run, false), between * sizeof(float));
    const float *want = lam_plan_backward(lower, x, &run, false), *got = lam_plan_backward(whole, x, &run, false);
    for (size_t i = 0; i < in; i++)
        CHECK(got[i] == want[i]);
    for (int l = 0; l < net->n_layers; l++)
        for (int w = 0; w < net->layers[l].n_weights; w++) {
            const lam_weight *weight = &net->layers[l].weight[w];
            for (size_t i = weight->offset; weight->trainable && net->layers[l].trainable && i < weight->offset + weight->count; i++)
                CHECK(whole->grads[i] == (l < cut ? lower : upper)->grads[i]);
        }
    lam_plan_free(whole);
    lam_plan_free(lower);
    lam_plan_free(upper);
    lam_net_free(net);
    free(x);
    free(dy);
    free(y);
}

TEST(a_maximum_takes_over_the_slope_of_a_rectifier)
{
    compare_cut(picture_net(false), 2);
    compare_cut(picture_net(false), 6);
}

/* Dense layers below dense ones, with few columns (whose products have loops of their own) and many. */
TEST(a_dense_layer_takes_over_the_slope_of_a_rectifier)
{
    for (int units = 3; units <= 40; units += 37) {
        lam_layer_spec specs[] = {DENSE("a", units, "relu"), DENSE("b", 6, "tanh"), DENSE("c", units, "relu"),
                                  DENSE("d", 2, "linear")};
        compare_cut(new_net(specs, 4, lam_shape_1(7), NULL, NULL), 1);
        compare_cut(new_net(specs, 4, lam_shape_1(7), NULL, NULL), 3);
    }
}

TEST(a_rectifier_rides_along_on_normalization)
{
    compare_cut(normalized_net(false), 2);
    compare_cut(normalized_net(false), 5);
    compare_cut(normalized_net(true), 2);
    compare_cut(normalized_net(true), 5);
}

TEST(the_penalty_of_an_inner_layer_is_that_of_its_own_output)
{
    lam_layer_spec specs[] = {
        LAYER("activation", "a", STRING("activation", "linear"), SPEC("activity_regularizer", "l2", NUMBER("l2", 0.5))),
        DENSE("b", 3, "linear"),
        DENSE("c", 2, "linear"),
        DENSE("d", 3, "linear"),
    };
    lam_net *net = new_net(specs, 4, lam_shape_1(3), NULL, NULL);
    const float x[] = {1, 2, 3, -1, 0, 2};
    lam_run run = {.rows = 2};
    for (lam_plan_kind kind = LAM_PLAN_PREDICT; kind <= LAM_PLAN_TRAIN; kind++) {
        lam_plan *plan = NULL;
        CHECK_OK(lam_plan_new(&plan, net, 0, net->n_layers, 2, kind, &err));
        lam_plan_forward(plan, x, &run);
        CHECK_NEAR(plan->activity_penalty, 0.5 * (1 + 4 + 9 + 1 + 4) / 2, 1e-6);
        lam_plan_free(plan);
    }
    lam_net_free(net);
}
