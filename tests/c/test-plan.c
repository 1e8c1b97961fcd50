/* Going depth first: a batch in parts gives what small batches give that pass all at once. */
#include "base/threads.h"
#include "nets.h"
#include "nn/plan.h"
#include "unit.h"

enum { ROWS = 1003, FEW = 17, IN = 64 * 8, OUT = 64 * 5 };

static lam_error err;

static lam_net *make_net(bool frozen)
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
    lam_net *net = NULL;
    lam_shape in = lam_shape_2(64, 8);
    CHECK_OK(lam_net_new(&net, specs, 6, &in, &err));
    CHECK_OK(lam_net_initialize(net, 7, &err));
    return net;
}

typedef struct result {
    float *y, *dx, *grads;
    bool deep;
    size_t bytes;
} result;

static float *numbers(size_t n)
{
    return calloc(n, sizeof(float));
}

/* ROWS samples in batches of `rows`. */
static result pass(lam_net *net, size_t rows, lam_plan_kind kind, const float *x, const float *dy)
{
    result r = {numbers(ROWS * OUT), numbers(ROWS * IN), numbers(net->n), false, 0};
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, net, 0, net->n_layers, rows, kind, &err));
    for (int s = 0; s < plan->n_segments; s++)
        r.deep |= plan->segment[s].part > 0;
    r.bytes = plan->arena_bytes;
    for (size_t at = 0; at < ROWS; at += rows) {
        size_t n = ROWS - at < rows ? ROWS - at : rows;
        lam_run run = {.rows = n, .first_row = at, .training = true, .seed = 3, .step = 11};
        memcpy(r.y + at * OUT, lam_plan_forward(plan, x + at * IN, &run), n * OUT * sizeof(float));
        if (kind < LAM_PLAN_TRAIN)
            continue;
        memcpy(lam_plan_output_gradient(plan), dy + at * OUT, n * OUT * sizeof(float));
        const float *dx = lam_plan_backward(plan, x + at * IN, &run, at > 0);
        if (dx)
            memcpy(r.dx + at * IN, dx, n * IN * sizeof(float));
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

static void compare(bool frozen, lam_plan_kind kind)
{
    lam_net *net = make_net(frozen);
    float *x = numbers(ROWS * IN), *dy = numbers(ROWS * OUT);
    unit_fill(x, ROWS * IN, -1, 1);
    unit_fill(dy, ROWS * OUT, -1, 1);
    CHECK_OK(lam_threads_set(1, &err));
    result small = pass(net, FEW, kind, x, dy), deep = pass(net, ROWS, kind, x, dy);
    CHECK_OK(lam_threads_set(3, &err));
    result threads = pass(net, ROWS, kind, x, dy);
    CHECK(deep.deep && !small.deep);
    check_bits(deep.y, small.y, ROWS * OUT);
    check_bits(deep.y, threads.y, ROWS * OUT);
    check_bits(deep.dx, small.dx, ROWS * IN);
    check_bits(deep.dx, threads.dx, ROWS * IN);
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
    compare(false, LAM_PLAN_TRAIN_INPUT);
    compare(false, LAM_PLAN_TRAIN);
    compare(true, LAM_PLAN_TRAIN);
    compare(true, LAM_PLAN_TRAIN_INPUT);
    compare(false, LAM_PLAN_PREDICT);
}

TEST(prediction_in_parts_holds_no_inner_output_of_the_whole_batch)
{
    lam_net *net = make_net(false);
    lam_plan *plan = NULL;
    CHECK_OK(lam_plan_new(&plan, net, 0, net->n_layers, 100 * ROWS, LAM_PLAN_PREDICT, &err));
    CHECK_INT(plan->n_segments, 1);
    size_t output = 100 * ROWS * OUT * sizeof(float), lanes = 2 * LAM_LANES * ((size_t)1 << 20);
    CHECK(plan->arena_bytes < 2 * output + lanes);
    lam_plan_free(plan);
    lam_net_free(net);
}
