/* What a model file describes, handed to the core as the glue hands it over: layers, optimizer, loss and
 * metrics out of the bytes.  A network that is small enough also gets weights, sees samples and trains. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/codec.h"
#include "nn/loop.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* ---- values as arguments -------------------------------------------------------------------------- */

static char *string_of(const text *t)
{
    size_t n = t->length == UINT32_MAX ? 2 : t->length;
    char *out = calloc(n + 1, 1);
    memcpy(out, t->length == UINT32_MAX ? "NA" : t->bytes, n);
    return out;
}

static lam_arg *read_list(const tree *t);

static lam_arg read_arg(const tree *t, const text *name)
{
    lam_arg arg = {.name = name ? string_of(name) : calloc(1, 1), .n = t->n};
    if (t->tag == 'V') {
        arg.kind = LAM_ARG_LIST;
        arg.list = read_list(t);
    } else if (t->tag == 'S') {
        const char **strings = calloc(t->n + 1, sizeof *strings);
        for (uint64_t i = 0; i < t->n; i++)
            strings[i] = string_of(&t->strings[i]);
        arg.kind = LAM_ARG_STRINGS;
        arg.strings = strings;
    } else if (t->tag == 'N' || t->tag == 'R') { /* the glue refuses raw bytes */
        arg.kind = LAM_ARG_NULL;
        arg.n = 0;
    } else {
        double *numbers = calloc(t->n + 1, sizeof *numbers);
        for (uint64_t i = 0; i < t->n; i++) {
            int32_t v;
            if (t->tag == 'D') {
                memcpy(&numbers[i], t->numbers + 8 * i, 8);
                continue;
            }
            memcpy(&v, t->numbers + 4 * i, 4);
            numbers[i] = v == INT32_MIN ? NAN : v;
        }
        arg.kind = LAM_ARG_NUMBERS;
        arg.numbers = numbers;
    }
    return arg;
}

static lam_arg *read_list(const tree *t)
{
    lam_arg *out = calloc(t->n + 1, sizeof *out);
    for (uint64_t i = 0; i < t->n; i++)
        out[i] = read_arg(t->items[i], t->names ? &t->names[i] : NULL);
    return out;
}

static void free_list(const lam_arg *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free((char *)(uintptr_t)list[i].name);
        if (list[i].kind == LAM_ARG_LIST)
            free_list(list[i].list, list[i].n);
        for (size_t k = 0; list[i].kind == LAM_ARG_STRINGS && k < list[i].n; k++)
            free((char *)(uintptr_t)list[i].strings[k]);
        free((void *)(uintptr_t)list[i].strings);
        free((double *)(uintptr_t)list[i].numbers);
    }
    free((lam_arg *)(uintptr_t)list);
}

static const lam_arg *get(const lam_arg *arg, const char *name)
{
    if (!arg || arg->kind != LAM_ARG_LIST)
        return NULL;
    lam_args args = {arg->n, arg->list};
    return lam_args_get(&args, name);
}

static const char *get_string(const lam_arg *arg, const char *name)
{
    const lam_arg *found = get(arg, name);
    return found && found->kind == LAM_ARG_STRINGS && found->n == 1 ? found->strings[0] : "";
}

/* ---- a network ------------------------------------------------------------------------------------ */

enum { MOST_LAYERS = 200, SMALL = 1 << 14, ROWS = 3 };

static lam_net *make_net(const lam_arg *values)
{
    static lam_layer_spec specs[MOST_LAYERS];
    const lam_arg *layers = get(values, "layers"), *shape = get(values, "shape");
    lam_shape in = {0};
    lam_net *net = NULL;
    lam_error err;
    int n = 0;
    if (!layers || layers->kind != LAM_ARG_LIST || !shape || shape->kind != LAM_ARG_NUMBERS || shape->n > LAM_MAX_RANK - 1)
        return NULL;
    for (; in.rank < (int)shape->n; in.rank++) {
        double d = shape->numbers[in.rank];
        if (!(d >= 1 && d <= 9e15 && d == floor(d)))
            return NULL;
        in.dim[in.rank] = (size_t)d;
    }
    for (size_t i = 0; i < layers->n && n < MOST_LAYERS; i++) {
        const lam_arg *layer = &layers->list[i], *config = get(layer, "config");
        if (strcmp(get_string(layer, "type"), "text_vectorization") == 0)
            continue; /* stands in front of the network */
        specs[n] = (lam_layer_spec){.type = get_string(layer, "type"), .name = get_string(layer, "name"), .trainable = true};
        if (config && config->kind == LAM_ARG_LIST)
            specs[n].config = (lam_args){config->n, config->list};
        n++;
    }
    return lam_net_new(&net, specs, n, &in, &err) == LAM_OK ? net : NULL;
}

/* The network is to be run: the time is bounded, too. */
static bool is_small(const lam_net *net)
{
    double work = 0, memory = 0;
    for (int i = 0; i < net->n_layers; i++) {
        const lam_layer *l = &net->layers[i];
        work += l->work;
        memory += (double)l->in_count + (double)l->out_count + (double)l->cache_row + (double)l->cache_fixed +
                  (double)l->scratch_row + (double)l->scratch_fixed + (double)l->prepared;
    }
    return net->n_layers > 0 && net->n <= SMALL && work <= 1e6 && memory <= 1e6;
}

static void fill(float *x, size_t n, bool classes)
{
    for (size_t i = 0; i < n; i++)
        x[i] = classes ? 0 : (float)(i % 7) / 7;
}

/* One epoch of a small network; whatever is refused is refused. */
static void train(lam_net *net, const lam_metric_list *metrics)
{
    lam_error err;
    lam_data *data = NULL;
    lam_loop *loop = NULL;
    bool sparse = !net->own_loss && net->loss.type->sparse;
    size_t y_d = lam_shape_count(&net->out);
    if (sparse)
        y_d /= lam_shape_last(&net->out);
    if (lam_data_new(&data, ROWS, lam_shape_count(&net->in), y_d, false, false, 0, &err) != LAM_OK)
        return;
    fill(data->x, ROWS * data->x_d, false);
    fill(data->y, ROWS * y_d, true);
    if (lam_loop_new(&loop, net, 0, data, 0, ROWS, 2, LAM_LOOP_TRAIN, metrics, &err) == LAM_OK &&
        lam_loop_start(loop, true, 1, &err) == LAM_OK && lam_loop_run(loop, 10, 1, &err) == LAM_OK)
        for (int i = 0; i < loop->n_metrics; i++)
            lam_loop_metric(loop, i);
    lam_loop_free(loop);
    lam_data_free(data);
}

static void predict(lam_net *net)
{
    lam_error err;
    lam_plan *plan = NULL;
    float *x = lam_alloc(ROWS * lam_shape_count(&net->in), sizeof(float));
    fill(x, ROWS * lam_shape_count(&net->in), false);
    lam_run run = {.rows = ROWS, .carry_state = true, .seed = 1};
    if (lam_plan_new(&plan, net, 0, net->n_layers, ROWS, LAM_PLAN_PREDICT, &err) == LAM_OK)
        lam_plan_forward(plan, x, &run);
    lam_plan_free(plan);
    lam_free(x);
}

static void read_model(const lam_arg *values)
{
    enum { MOST_METRICS = 8 };
    lam_error err;
    lam_spec o, l, metric[MOST_METRICS];
    lam_optimizer optimizer;
    lam_loss loss;
    lam_metric_list metrics = {0, 0, metric};
    const lam_arg *compiled = get(values, "compiled"), *given = get(compiled, "metrics");
    bool trains = compiled && lam_arg_spec(get(compiled, "optimizer"), &o, &err) == LAM_OK && o.type &&
                  lam_arg_spec(get(compiled, "loss"), &l, &err) == LAM_OK && l.type;
    trains = trains && lam_optimizer_read(&o, &optimizer, &err) == LAM_OK && lam_loss_read(&l, &loss, &err) == LAM_OK;
    for (size_t i = 0; given && given->kind == LAM_ARG_LIST && i < given->n && metrics.n < MOST_METRICS; i++)
        if (lam_arg_spec(&given->list[i], &metric[metrics.n], &err) == LAM_OK && metric[metrics.n].type)
            metrics.n++;
    lam_net *net = make_net(values);
    if (!net)
        return;
    if (is_small(net) && lam_net_initialize(net, 1, &err) == LAM_OK) {
        predict(net);
        if (trains && optimizer.accumulation < 100 && lam_net_compile(net, &o, &l, false, &err) == LAM_OK)
            train(net, &metrics);
    }
    lam_net_free(net);
}

static void try_bytes(const uint8_t *bytes, size_t n)
{
    lam_error err;
    if (lam_codec_check(bytes, n, &err) != LAM_OK)
        return;
    tree *t = tree_read(bytes, n);
    if (t && t->tag == 'V') {
        lam_arg *file = read_list(t);
        lam_arg top = {.name = "", .kind = LAM_ARG_LIST, .n = t->n, .list = file};
        const lam_arg *values = get(&top, "values");
        if (values)
            read_model(values);
        free_list(file, t->n);
    }
    tree_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    long live = lam_alloc_live();
    try_bytes(bytes, n);
    if (lam_alloc_live() != live) { /* threads keep what they get when they are first used */
        live = lam_alloc_live();
        try_bytes(bytes, n);
    }
    if (lam_alloc_live() != live)
        abort(); /* a block was not given back */
    return 0;
}
