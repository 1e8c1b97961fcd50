/* Training by several ranks gives what one process gives: the same rows in the same order, the same masks, and sums
 * that differ by the rounding of floats. */
#include "base/alloc.h"
#include "base/threads.h"
#include "fake-ranks.h"
#include "nets.h"
#include "unit.h"

static lam_error err;

enum { MOST = 1 << 14, EPOCHS = 3 };

/* A network, data for it, and how to go through them. */
typedef struct task {
    const lam_layer_spec *specs;
    int n_layers;
    lam_shape in;
    const char *optimizer, *loss;
    const lam_data *data;
    size_t batch, bucket;
    const size_t *held; /* own rows of each rank, one rank's behind the other's; NULL: all have all */
    bool shuffle, test;
    double rate;
    struct outcome {
        lam_status status;
        lam_error error;
        size_t n, calls;
        float weights[MOST];
        double loss, metric;
        lam_traffic traffic;
    } outcome[FAKE_RANKS];
} task;

static lam_data *part_of(const lam_data *all, size_t first, size_t n)
{
    lam_data *part = NULL;
    CHECK_OK(lam_data_new(&part, n, all->x_d, all->y_d, all->w != NULL, false, 0, &err));
    memcpy(part->x, all->x + first * all->x_d, n * all->x_d * sizeof(float));
    memcpy(part->y, all->y + first * all->y_d, n * all->y_d * sizeof(float));
    if (all->w)
        memcpy(part->w, all->w + first, n * sizeof(float));
    return part;
}

/* Until all ranks are here: what one allocates, the others would count too. */
static void meet(lam_ranks *ranks)
{
    double nothing = 0;
    if (ranks)
        lam_ranks_sum(ranks, &nothing, 1);
}

/* ranks: NULL for a process alone. */
static void work(lam_ranks *ranks, void *arg)
{
    task *t = arg;
    int me = ranks ? ranks->rank : 0;
    struct outcome *out = &t->outcome[me];
    lam_error e = {.code = LAM_OK};
    lam_spec o = {t->optimizer, ARGS(NUMBER("learning_rate", t->rate))}, loss = {t->loss, {0}}, metric = {"accuracy", {0}};
    lam_metric_list metrics = {1, 0, &metric};
    lam_net *net = NULL;
    lam_loop *loop = NULL;
    lam_data *own = NULL;
    const lam_data *data = t->data;
    long calls = 0;
    if (t->held) {
        size_t first = 0;
        for (int r = 0; r < me; r++)
            first += t->held[r];
        data = own = part_of(data, first, t->held[me]);
    }
    CHECK_OK(lam_net_new(&net, t->specs, t->n_layers, &t->in, &e));
    CHECK_OK(lam_net_initialize(net, 7, &e));
    CHECK_OK(lam_net_compile(net, &o, &loss, false, &e));
    CHECK_OK(lam_loop_new(&loop, net, 0, data, 0, data->n, t->batch, t->test ? LAM_LOOP_TEST : LAM_LOOP_TRAIN, &metrics, &e));
    if (ranks)
        CHECK_OK(lam_loop_join(loop, ranks, t->held, t->batch, &e));
    if (t->bucket)
        loop->plan->bucket = t->bucket;
    out->status = LAM_OK;
    for (uint64_t epoch = 1; epoch <= EPOCHS && out->status == LAM_OK; epoch++) {
        CHECK_OK(lam_loop_start(loop, t->shuffle, epoch, &e));
        meet(ranks);
        if (epoch == 2)
            calls = lam_alloc_calls();
        /* rank 0 alone is in a hurry: every rank must leave the loop when it does */
        while (!lam_loop_done(loop) && out->status == LAM_OK)
            out->status = lam_loop_run(loop, 1000, me == 0 && epoch == 2 ? 0 : 1e9, &e);
        if (out->status == LAM_OK)
            out->status = lam_loop_gather(loop, &e);
    }
    meet(ranks);
    out->calls = (size_t)(lam_alloc_calls() - calls);
    meet(ranks);
    out->error = e;
    out->n = net->n;
    CHECK(net->n <= MOST);
    memcpy(out->weights, net->weights, net->n * sizeof(float));
    out->loss = lam_loop_loss(loop);
    out->metric = lam_loop_metric(loop, 0);
    if (ranks)
        out->traffic = ranks->traffic;
    lam_loop_free(loop);
    lam_data_free(own);
    lam_net_free(net);
}

static void check_same_bits(const struct outcome *a, const struct outcome *b)
{
    CHECK(a->n == b->n && memcmp(a->weights, b->weights, a->n * sizeof(float)) == 0);
    CHECK(a->loss == b->loss && a->metric == b->metric);
}

static task alone, shared, again;

/* As one process does it, on `size` ranks; and twice the same bits, on every rank, whatever the buckets.  tolerance: of the
 * weights, a few hundred steps' worth of rounding. */
static void compare_with_one(const task *t, int most, double tolerance)
{
    CHECK_OK(lam_threads_set(1, &err));
    alone = *t;
    alone.held = NULL;
    work(NULL, &alone);
    CHECK_INT(alone.outcome[0].status, LAM_OK);
    for (int size = 1; size <= most; size++) {
        shared = again = *t;
        again.bucket = 48;
        fake_run(size, work, &shared, 0);
        fake_run(size, work, &again, 0);
        for (int r = 0; r < size; r++) {
            CHECK_INT(shared.outcome[r].status, LAM_OK);
            CHECK_INT(shared.outcome[r].calls, 0);
            check_same_bits(&shared.outcome[r], &shared.outcome[0]);
            check_same_bits(&shared.outcome[r], &again.outcome[r]);
        }
        const struct outcome *one = &alone.outcome[0], *many = &shared.outcome[0];
        for (size_t i = 0; i < one->n; i++)
            CHECK_NEAR((double)many->weights[i], (double)one->weights[i], tolerance);
        CHECK_NEAR(many->loss, one->loss, tolerance);
        CHECK_NEAR(many->metric, one->metric, 1e-12);
        if (size == 1)
            check_same_bits(one, many);
        else if (!t->test)
            CHECK(again.outcome[0].traffic.sums > shared.outcome[0].traffic.sums);
    }
}

/* Class numbers that depend on the inputs, and weights. */
static lam_data *class_data(size_t n, size_t x_d, size_t per, int classes, bool weighted)
{
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, x_d, per, weighted, false, 0, &err));
    unit_fill(data->x, n * x_d, -1, 1);
    if (weighted)
        unit_fill(data->w, n, 0.5, 2);
    for (size_t i = 0; i < n * per; i++) {
        double sum = 0;
        for (size_t j = 0; j < x_d / per; j++)
            sum += (double)data->x[i * (x_d / per) + j] * (j % 3 == 0 ? 1 : -0.5);
        data->y[i] = (float)(fabs(fmod(sum * 4, classes)));
        data->y[i] = (float)(int)data->y[i];
    }
    return data;
}

/* 101 rows in batches of 24: the last has 5, and one of four ranks 2. */
static const lam_layer_spec mlp[] = {
    DENSE("a", 17, "linear", SPEC("kernel_regularizer", "l2", NUMBER("l2", 0.01))),
    LAYER("batch_normalization", "bn", NUMBER("momentum", 0.9)),
    LAYER("activation", "act", STRING("activation", "relu")),
    LAYER("dropout", "drop", NUMBER("rate", 0.3)),
    DENSE("b", 9, "tanh", SPEC("activity_regularizer", "l2", NUMBER("l2", 0.01))),
    LAYER("gaussian_noise", "noise", NUMBER("stddev", 0.1)),
    DENSE("c", 3, "softmax"),
};

static task mlp_task(const lam_data *data)
{
    return (task){.specs = mlp, .n_layers = 7, .in = lam_shape_1(6), .optimizer = "sgd", .rate = 0.05,
                  .loss = "sparse_categorical_crossentropy", .data = data, .batch = 24, .shuffle = true};
}

TEST(ranks_train_dense_layers_as_one)
{
    unit_seed(1);
    lam_data *data = class_data(101, 6, 1, 3, true);
    task t = mlp_task(data);
    compare_with_one(&t, 4, 2e-5);
    lam_data_free(data);
}

TEST(ranks_without_a_row_keep_up)
{
    unit_seed(2);
    lam_data *data = class_data(50, 6, 1, 3, false); /* the last of batches of 7 has one row for 7 ranks */
    task t = mlp_task(data);
    t.batch = 7;
    compare_with_one(&t, 7, 2e-5);
    lam_data_free(data);
}

TEST(ranks_train_convolutions_as_one)
{
    lam_layer_spec specs[] = {
        LAYER("conv_2d", "a", NUMBER("filters", 8), NUMBER("kernel_size", 3, 3), STRING("padding", "same"), STRING("activation", "relu")),
        LAYER("conv_2d", "b", NUMBER("filters", 8), NUMBER("kernel_size", 3, 3)),
        LAYER("batch_normalization", "bn", NUMBER("momentum", 0.9)),
        LAYER("activation", "act", STRING("activation", "relu")),
        LAYER("max_pooling_2d", "max", NUMBER("pool_size", 2, 2)),
        LAYER("dropout", "drop", NUMBER("rate", 0.25)),
        LAYER("flatten", "flat", {0}),
        DENSE("c", 3, "softmax"),
    };
    specs[6].config.n = 0;
    unit_seed(3);
    lam_data *data = class_data(150, 16 * 16 * 2, 1, 3, false);
    task t = {.specs = specs, .n_layers = 8, .in = {3, {16, 16, 2}}, .optimizer = "sgd", .rate = 0.02,
              .loss = "sparse_categorical_crossentropy", .data = data, .batch = 100, .shuffle = true};
    compare_with_one(&t, 4, 5e-5);
    lam_data_free(data);
}

/* Steps that do not count are 0 throughout; ranks have different numbers of those that do. */
TEST(ranks_train_recurrent_layers_as_one)
{
    enum { STEPS = 5, FEATURES = 3 };
    lam_layer_spec specs[] = {
        LAYER("masking", "mask", NUMBER("mask_value", 0)),
        LAYER("lstm", "lstm", NUMBER("units", 6), NUMBER("dropout", 0.2), NUMBER("recurrent_dropout", 0.2), NUMBER("return_sequences", 1)),
        LAYER("batch_normalization", "bn", NUMBER("momentum", 0.9)),
        DENSE("out", 3, "softmax"),
    };
    unit_seed(4);
    lam_data *data = class_data(60, STEPS * FEATURES, STEPS, 3, true);
    for (size_t i = 0; i < data->n; i++)
        for (size_t s = STEPS - i % STEPS; s < STEPS; s++)
            memset(data->x + (i * STEPS + s) * FEATURES, 0, FEATURES * sizeof(float));
    task t = {.specs = specs, .n_layers = 4, .in = lam_shape_2(STEPS, FEATURES), .optimizer = "sgd", .rate = 0.05,
              .loss = "sparse_categorical_crossentropy", .data = data, .batch = 16, .shuffle = true};
    compare_with_one(&t, 4, 2e-5);
    lam_data_free(data);
}

TEST(ranks_measure_as_one)
{
    unit_seed(5);
    lam_data *data = class_data(77, 6, 1, 3, true);
    task t = mlp_task(data);
    t.test = true;
    compare_with_one(&t, 4, 1e-6);
    lam_data_free(data);
}

/* Rows of one process in the order in which ranks with rows of their own take them: of a batch each gives its share, in
 * proportion to what it has. */
TEST(ranks_with_own_rows_train_as_one_with_the_rows_so_ordered)
{
    const size_t held[] = {40, 21, 19}, batch = 16; /* of 16: 8, 4, 4; then 8, 4, 4; ... */
    const size_t shares[5][3] = {{8, 4, 4}, {8, 4, 4}, {8, 5, 3}, {8, 4, 4}, {8, 4, 4}};
    unit_seed(6);
    lam_data *data = class_data(80, 6, 1, 3, true), *ordered = part_of(data, 0, 80);
    size_t at = 0, from[3] = {0, 40, 61};
    for (int b = 0; b < 5; b++)
        for (int r = 0; r < 3; r++)
            for (size_t i = 0; i < shares[b][r]; i++, at++, from[r]++) {
                memcpy(ordered->x + at * 6, data->x + from[r] * 6, 6 * sizeof(float));
                ordered->y[at] = data->y[from[r]];
                ordered->w[at] = data->w[from[r]];
            }
    CHECK_INT(at, 80);
    CHECK_OK(lam_threads_set(1, &err));
    task one = mlp_task(ordered), own = mlp_task(data);
    one.batch = own.batch = batch;
    one.shuffle = own.shuffle = false;
    own.held = held;
    alone = one;
    shared = own;
    work(NULL, &alone);
    fake_run(3, work, &shared, 0);
    for (size_t i = 0; i < alone.outcome[0].n; i++)
        CHECK_NEAR((double)shared.outcome[1].weights[i], (double)alone.outcome[0].weights[i], 2e-5);
    CHECK_NEAR(shared.outcome[2].loss, alone.outcome[0].loss, 2e-5);
    CHECK_NEAR(shared.outcome[0].metric, alone.outcome[0].metric, 1e-12);
    lam_data_free(data);
    lam_data_free(ordered);
}

/* Few and unequal rows: batches may be empty, and every row is taken once an epoch. */
TEST(ranks_take_each_of_their_rows_once)
{
    const size_t held[] = {2, 2, 3};
    unit_seed(7);
    lam_data *data = class_data(7, 6, 1, 3, false);
    shared = mlp_task(data);
    shared.batch = 1;
    shared.held = held;
    shared.test = true;
    alone = mlp_task(data);
    alone.test = true;
    fake_run(3, work, &shared, 0);
    work(NULL, &alone);
    CHECK_NEAR(shared.outcome[0].loss, alone.outcome[0].loss, 1e-6);
    CHECK_NEAR(shared.outcome[1].metric, alone.outcome[0].metric, 1e-12);
    lam_data_free(data);
}

TEST(ranks_agree_that_a_loss_is_not_finite)
{
    unit_seed(8);
    lam_data *data = class_data(64, 6, 1, 3, false);
    data->x[5] = INFINITY; /* one rank of three sees it */
    shared = mlp_task(data);
    shared.batch = 64;
    shared.shuffle = false;
    fake_run(3, work, &shared, 0);
    for (int r = 0; r < 3; r++) {
        CHECK_INT(shared.outcome[r].status, LAM_ENUMERIC);
        CHECK(strcmp(shared.outcome[r].error.arg, "layer `a`") == 0);
        CHECK(memcmp(shared.outcome[r].weights, shared.outcome[0].weights, shared.outcome[0].n * sizeof(float)) == 0);
    }
    lam_data_free(data);
}

TEST(ranks_hand_a_failure_on)
{
    unit_seed(9);
    lam_data *data = class_data(64, 6, 1, 3, false);
    for (size_t fail_at = 1; fail_at < 12; fail_at++) {
        shared = mlp_task(data);
        shared.bucket = 48;
        fake_run(3, work, &shared, fail_at);
        for (int r = 0; r < 3; r++) {
            CHECK_INT(shared.outcome[r].status, LAM_ERANKS);
            CHECK(strcmp(shared.outcome[r].error.message, "A wire was cut.") == 0);
        }
    }
    lam_data_free(data);
}

static void send_and_sum(lam_ranks *ranks, void *arg)
{
    double *out = arg, x[2] = {ranks->rank + 1, 10 * (ranks->rank + 1)};
    char word[6] = "none";
    if (ranks->rank == 2)
        strcpy(word, "third");
    lam_ranks_send(ranks, 2, word, sizeof word);
    CHECK(strcmp(word, "third") == 0);
    lam_ranks_sum(ranks, x, 2);
    lam_ranks_start(ranks, LAM_DOUBLES, out + 4 * ranks->rank, 4);
    lam_ranks_wait(ranks);
    CHECK_NEAR(x[0], 6, 0);
    CHECK_NEAR(x[1], 60, 0);
    CHECK_NEAR(ranks->traffic.sums, 2, 0);
    /* 2 (3 - 1) / 3 of 16 and 32 bytes; the word went to two others */
    CHECK_NEAR(ranks->traffic.bytes, 64 + (ranks->rank == 2 ? 12 : 0), 1e-12);
}

TEST(ranks_send_and_sum)
{
    double x[12] = {1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400};
    fake_run(3, send_and_sum, x, 0);
    for (int i = 0; i < 12; i++)
        CHECK_NEAR(x[i], 111 * (i % 4 + 1), 0);
}
