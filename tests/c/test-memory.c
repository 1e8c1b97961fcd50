/* Memory that cannot be had: every piece of work is done again and again with its first, second, third ...
 * allocation failing until none fails.  It says so by LAM_EMEMORY, holds nothing afterwards, and what
 * was there before is as it was. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/threads.h"
#include "kernels/kernels.h"
#include "nets.h"
#include "nn/update.h"
#include "unit.h"

static lam_error err;
static const lam_metric_list no_metrics = {0};

/* One attempt at some work, which frees what it has made; `context` is what it works on. */
typedef lam_status (*work_fn)(void *context, lam_error *err);
/* Is the context as it was before the work that failed? */
typedef bool (*whole_fn)(const void *context);

enum { MOST = 200 };

/* Returns how many of the work's allocations were made to fail. */
static long starve(work_fn work, void *context, whole_fn whole)
{
    CHECK_OK(lam_threads_set(1, &err));
    const long live = lam_alloc_live();
    for (long n = 1; n <= MOST; n++) {
        lam_error e = {.code = LAM_OK};
        lam_alloc_fail_at(n);
        lam_status status = work(context, &e);
        lam_alloc_fail_at(0);
        CHECK_INT(lam_alloc_live(), live);
        CHECK_INT(e.code, status);
        if (status == LAM_OK)
            return n - 1;
        CHECK_INT(status, LAM_EMEMORY);
        CHECK(strstr(e.message, "Cannot allocate") != NULL);
        CHECK(!whole || whole(context));
    }
    unit_fail(__FILE__, __LINE__, "no end to the allocations");
    return MOST;
}

/* ---- networks and data to work on ------------------------------------------------------------------ */

/* Words, their mask, a recurrent layer that heeds it and one output for every step. */
static lam_net *words_net(void)
{
    lam_layer_spec specs[] = {
        LAYER("embedding", "a", NUMBER("input_dim", 9), NUMBER("output_dim", 4), NUMBER("mask_zero", 1)),
        LAYER("lstm", "b", NUMBER("units", 3), NUMBER("return_sequences", 1)),
        DENSE("c", 1, "sigmoid")};
    lam_spec loss = {"binary_crossentropy", {0}}, o = {"adam", {0}};
    return new_net(specs, 3, lam_shape_1(6), &o, &loss);
}

static lam_data *words(size_t n)
{
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, 6, 6, true, false, 0, &err));
    for (size_t i = 0; i < n * 6; i++) {
        data->x[i] = (float)(int)unit_uniform(0, 9);
        data->y[i] = (float)(i % 2);
    }
    unit_fill(data->w, n, 0.5, 2);
    return data;
}

static lam_net *dense_net(const char *optimizer)
{
    lam_layer_spec specs[] = {DENSE("a", 4, "relu"), DENSE("b", 2, "linear")};
    lam_spec loss = {"mean_squared_error", {0}}, o = {optimizer, {0}};
    return new_net(specs, 2, lam_shape_1(5), &o, &loss);
}

static lam_data *dense_data(size_t n)
{
    lam_data *data = NULL;
    CHECK_OK(lam_data_new(&data, n, 5, 2, false, false, 0, &err));
    unit_fill(data->x, n * 5, -1, 1);
    unit_fill(data->y, n * 2, -1, 1);
    return data;
}

/* ---- a loop of every kind --------------------------------------------------------------------------- */

typedef struct looping {
    lam_net *net;
    lam_data *data;
    lam_loop_kind kind;
    bool profiled;
} looping;

static lam_status run_loop(void *context, lam_error *e)
{
    const looping *l = context;
    lam_spec metric[] = {{"auc", {0}}, {"binary_accuracy", {0}}};
    lam_metric_list metrics = {1, 1, metric};
    lam_loop *loop = NULL;
    lam_status status = lam_loop_new(&loop, l->net, 0, l->data, 0, l->data->n, 7, l->kind, &metrics, e);
    if (status == LAM_OK && l->profiled)
        status = lam_loop_profile(loop, e);
    if (status == LAM_OK)
        status = lam_loop_start(loop, l->kind == LAM_LOOP_TRAIN, 1, e);
    if (status == LAM_OK && l->kind != LAM_LOOP_PROBE)
        status = lam_loop_run(loop, SIZE_MAX, 1e9, e);
    lam_loop_free(loop);
    return status;
}

TEST(loops_of_every_kind_survive_failing_allocations)
{
    looping l = {.net = words_net(), .data = words(20)};
    for (l.kind = LAM_LOOP_TEST; l.kind <= LAM_LOOP_PROBE; l.kind++)
        for (int profiled = 0; profiled < 2; profiled++) {
            l.profiled = profiled;
            CHECK(starve(run_loop, &l, NULL) >= 14 + 2 * profiled);
        }
    lam_data_free(l.data);
    lam_net_free(l.net);
}

/* ---- plans ------------------------------------------------------------------------------------------ */

typedef struct planning {
    lam_net *net;
    lam_plan_kind kind;
} planning;

static lam_status make_plan(void *context, lam_error *e)
{
    const planning *p = context;
    lam_plan *plan = NULL;
    lam_status status = lam_plan_new(&plan, p->net, 0, p->net->n_layers, 700, p->kind, e);
    CHECK((plan != NULL) == (status == LAM_OK));
    lam_plan_free(plan);
    return status;
}

TEST(plans_of_every_kind_survive_failing_allocations)
{
    planning p = {.net = words_net()};
    for (p.kind = LAM_PLAN_PREDICT; p.kind <= LAM_PLAN_TRAIN_INPUT; p.kind++)
        CHECK_INT(starve(make_plan, &p, NULL), 4);
    lam_net_free(p.net);
}

/* ---- data ------------------------------------------------------------------------------------------- */

static lam_status make_sparse(void *context, lam_error *e)
{
    int start[] = {0, 2, 3, 4}, row[] = {1, 2, 0, 2};
    (void)context;
    lam_data *data = NULL;
    lam_status status = lam_data_new(&data, 4, 3, 2, true, true, 4, e);
    CHECK((data != NULL) == (status == LAM_OK));
    if (status == LAM_OK)
        status = lam_data_set_columns(data, start, row, NULL, e);
    lam_data_free(data);
    return status;
}

TEST(sparse_data_survive_failing_allocations)
{
    CHECK_INT(starve(make_sparse, NULL, NULL), 6);
}

/* ---- compiling anew --------------------------------------------------------------------------------- */

typedef struct compiled {
    lam_net *net;
    const float *slot, *weights;
} compiled;

static lam_status compile_anew(void *context, lam_error *e)
{
    const compiled *c = context;
    lam_spec loss = {"mean_absolute_error", {0}};
    lam_spec o = {"adam", ARGS(NUMBER("amsgrad", 1), NUMBER("use_ema", 1), NUMBER("gradient_accumulation_steps", 3))};
    lam_spec old_loss = {"mean_squared_error", {0}}, old = {"adam", {0}};
    lam_status status = lam_net_compile(c->net, &o, &loss, false, e);
    lam_alloc_fail_at(0);
    if (status == LAM_OK) /* back to as many blocks as before */
        CHECK_OK(lam_net_compile(c->net, &old, &old_loss, false, &err));
    return status;
}

static bool is_compiled_as_before(const void *context)
{
    const compiled *c = context;
    return c->net->compiled && c->net->n_slots == 2 && c->net->slot[0] == c->slot && c->net->slot[0][0] == 0.25f &&
           c->net->weights == c->weights && !c->net->ema && !c->net->accumulated && c->net->batches == 5 &&
           strcmp(c->net->loss.type->name, "mean_squared_error") == 0;
}

TEST(compiling_anew_without_memory_keeps_what_was_compiled)
{
    lam_net *net = dense_net("adam");
    net->slot[0][0] = 0.25f;
    net->batches = 5;
    compiled c = {net, net->slot[0], net->weights};
    CHECK_INT(starve(compile_anew, &c, is_compiled_as_before), 5);
    lam_net_free(net);
}

/* ---- a generator's batches -------------------------------------------------------------------------- */

/* Where there is no memory for a larger batch, the loop can go on with batches of any size. */
TEST(a_loop_that_cannot_grow_goes_on)
{
    lam_net *net = dense_net("sgd");
    lam_data *few = dense_data(4), *many = dense_data(40);
    CHECK_OK(lam_threads_set(1, &err));
    for (long n = 1; n <= MOST; n++) {
        lam_loop *loop = NULL;
        CHECK_OK(lam_loop_new(&loop, net, 0, few, 0, 4, 4, LAM_LOOP_TRAIN, &no_metrics, &err));
        CHECK_OK(lam_loop_start(loop, false, 1, &err));
        lam_alloc_fail_at(n);
        lam_status status = lam_loop_feed(loop, many, &err);
        lam_alloc_fail_at(0);
        CHECK(status == LAM_OK || status == LAM_EMEMORY);
        CHECK_OK(lam_loop_feed(loop, few, &err));
        CHECK_OK(lam_loop_run(loop, 1, 1e9, &err));
        CHECK_OK(lam_loop_feed(loop, many, &err));
        CHECK_OK(lam_loop_run(loop, 1, 1e9, &err));
        CHECK_NEAR(loop->loss_count, 44, 0);
        CHECK_INT(loop->at, 40);
        lam_loop_free(loop);
        if (status == LAM_OK) {
            CHECK(n > 9);
            break;
        }
    }
    lam_data_free(few);
    lam_data_free(many);
    lam_net_free(net);
}

/* ---- a loss that explodes --------------------------------------------------------------------------- */

/* Which layer did it cannot be told then; that it happened can, and the weights are put back. */
TEST(an_explosion_without_memory_is_told_all_the_same)
{
    for (long n = 0; n <= 4; n++) {
        lam_net *net = dense_net("sgd");
        lam_data *data = dense_data(4);
        lam_loop *loop = NULL;
        CHECK_OK(lam_loop_new(&loop, net, 0, data, 0, 4, 4, LAM_LOOP_TRAIN, &no_metrics, &err));
        CHECK_OK(lam_loop_start(loop, false, 1, &err));
        CHECK_OK(lam_loop_run(loop, 1, 1e9, &err));
        long live = lam_alloc_live();
        data->x[0] = INFINITY;
        CHECK_OK(lam_loop_start(loop, false, 2, &err));
        lam_alloc_fail_at(n);
        CHECK_INT(lam_loop_run(loop, 1, 1e9, &err), LAM_ENUMERIC);
        lam_alloc_fail_at(0);
        CHECK((strstr(err.message, "layer `a`") != NULL) == (n == 0));
        CHECK(lam_all_finite(net->n, net->weights));
        CHECK_INT(lam_alloc_live(), live);
        lam_loop_free(loop);
        lam_data_free(data);
        lam_net_free(net);
    }
}

/* ---- files ------------------------------------------------------------------------------------------ */

static const char path[] = "lamina-test-memory.bin";

static lam_status write_file(void *context, lam_error *e)
{
    (void)context;
    return lam_file_replace(path, "new", 3, e);
}

static bool file_holds(const char *text)
{
    char found[8] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(found, 1, sizeof found - 1, file) : 0;
    if (file)
        fclose(file);
    return n == strlen(text) && strcmp(found, text) == 0;
}

static bool file_is_old(const void *context)
{
    (void)context;
    return file_holds("old");
}

TEST(a_file_that_cannot_be_written_for_lack_of_memory_stays)
{
    CHECK_OK(lam_file_replace(path, "old", 3, &err));
    CHECK_INT(starve(write_file, NULL, file_is_old), 1);
    CHECK(file_holds("new"));
    remove(path);
    CHECK_INT(lam_file_replace("no-such-folder/file", "x", 1, &err), LAM_EFILE);
    CHECK(strstr(err.message, "no-such-folder") != NULL);
}

/* ---- what is too large ------------------------------------------------------------------------------ */

/* Sizes whose product overflows must not wrap round to small ones: all of these are refused before
 * anything is touched, and by the message that says for what. */
TEST(sizes_beyond_all_memory_are_refused)
{
    const size_t huge = (size_t)1 << 40;
    CHECK_OK(lam_threads_set(1, &err)); /* whose scratch stays */
    long live = lam_alloc_live();
    lam_data *data = NULL;
    CHECK_INT(lam_data_new(&data, UINT32_MAX, huge, 1, false, false, 0, &err), LAM_EMEMORY);
    CHECK_INT(lam_data_new(&data, UINT32_MAX, SIZE_MAX / 2, 1, false, false, 0, &err), LAM_EMEMORY);
    CHECK_INT(lam_data_new(&data, 2, SIZE_MAX / 2 + 1, 1, false, false, 0, &err), LAM_EMEMORY); /* 2^64 is 0 */
    CHECK_INT(lam_data_new(&data, 2, 1, SIZE_MAX / 2 + 1, false, false, 0, &err), LAM_EMEMORY);
    CHECK_INT(lam_data_new(&data, 1, 1, SIZE_MAX, false, false, 0, &err), LAM_EMEMORY);
    CHECK_INT(lam_data_new(&data, 1, 1, 1, false, true, SIZE_MAX / 4, &err), LAM_EMEMORY);
    CHECK_INT(lam_data_new(&data, (size_t)UINT32_MAX + 1, 1, 1, false, false, 0, &err), LAM_EDATA);
    CHECK(data == NULL);

    lam_layer_spec wide[] = {DENSE("a", 1e9, "linear")};
    const lam_shape shapes[] = {lam_shape_1(huge), lam_shape_1(SIZE_MAX / 8), lam_shape_2(huge, huge)};
    for (int i = 0; i < 3; i++) {
        lam_net *net = NULL;
        lam_status status = lam_net_new(&net, wide, 1, &shapes[i], &err);
        if (status == LAM_OK)
            status = lam_net_initialize(net, 1, &err);
        CHECK(status == LAM_EMEMORY || status == LAM_ESHAPE);
        lam_net_free(net);
    }

    lam_net *net = dense_net("sgd");
    lam_plan *plan = NULL;
    const size_t rows[] = {huge, (size_t)1 << 60, SIZE_MAX / 16, SIZE_MAX / 4, SIZE_MAX};
    for (int i = 0; i < 5; i++)
        for (lam_plan_kind kind = LAM_PLAN_PREDICT; kind <= LAM_PLAN_TRAIN_INPUT; kind++) {
            CHECK_INT(lam_plan_new(&plan, net, 0, 2, rows[i], kind, &err), LAM_EMEMORY);
            CHECK(plan == NULL);
        }
    lam_net_free(net);
    CHECK_INT(lam_alloc_live(), live);
}
