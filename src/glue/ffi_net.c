/* A network as R sees it: made from specs, described, its weights and state in and out. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "glue/handle.h"
#include "kernels/kernels.h"
#include "nn/update.h"
#include "kernels/convert.h"

static void free_net(SEXP ptr)
{
    glue_net *g = R_ExternalPtrAddr(ptr);
    if (!g)
        return;
    R_ClearExternalPtr(ptr);
    lam_plan_free(g->plan);
    lam_free(g->x);
    lam_net_free(g->net);
    lam_free(g);
}

static SEXP list_get(SEXP list, const char *name)
{
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    if (TYPEOF(list) == VECSXP && names != R_NilValue)
        for (R_xlen_t i = 0; i < Rf_xlength(list); i++)
            if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0)
                return VECTOR_ELT(list, i);
    return R_NilValue;
}

enum { MANY_LAYERS = 100000 };

/* specs: a list of list(type =, name =, trainable =, config = list(...)); *n: how many. */
static lam_layer_spec *read_layers(SEXP specs, int *count)
{
    R_xlen_t n = glue_list(specs, -1, "layers");
    if (n > MANY_LAYERS)
        glue_refuse(LAM_EARGUMENT, "layers", "at most 100,000 layers", "more");
    lam_layer_spec *layers = glue_alloc((size_t)n, sizeof(lam_layer_spec), "the layers");
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP spec = VECTOR_ELT(specs, i);
        layers[i] = (lam_layer_spec){
            .type = glue_string(list_get(spec, "type"), "type"),
            .name = glue_string(list_get(spec, "name"), "name"),
            .trainable = glue_flag(list_get(spec, "trainable"), "trainable"),
            .config = glue_args(list_get(spec, "config"), "config"),
        };
    }
    *count = (int)n;
    return layers;
}

/* Raises what ffi_net_new() would of the layers' arguments, for layers whose shapes are not known. */
SEXP ffi_check_layers(SEXP specs)
{
    int n;
    lam_error err;
    const lam_layer_spec *layers = read_layers(specs, &n);
    for (int i = 0; i < n; i++)
        glue_check(lam_layer_spec_check(&layers[i], &err), &err);
    return R_NilValue;
}

/* seed == NULL: the shapes only, for ffi_net_describe() and ffi_net_count(); FALSE: weights of 0, for
 * ffi_net_restore(). */
SEXP ffi_net_new(SEXP specs, SEXP input_shape, SEXP seed)
{
    int n;
    lam_error err;
    void *p = NULL;
    const lam_layer_spec *layers = read_layers(specs, &n);
    bool empty = TYPEOF(seed) == LGLSXP && !glue_flag(seed, "seed");
    lam_shape in = glue_shape(input_shape, LAM_MAX_RANK - 1, 1, "input_shape");
    uint64_t start = seed == R_NilValue ? 0 : (uint64_t)glue_count(seed, "seed");

    SEXP ptr = PROTECT(glue_new_pointer("net", free_net, R_NilValue));
    glue_check(lam_new(&p, 1, sizeof(glue_net), "a network", &err), &err);
    glue_net *g = p;
    R_SetExternalPtrAddr(ptr, g);
    glue_check(lam_net_new(&g->net, layers, n, &in, &err), &err);
    if (empty)
        glue_check(lam_net_make_room(g->net, &err), &err);
    else if (seed != R_NilValue)
        glue_check(lam_net_initialize(g->net, start, &err), &err);
    UNPROTECT(1);
    return ptr;
}

/* How many numbers the packed weights are that ffi_net_restore() takes. */
SEXP ffi_net_count(SEXP ptr)
{
    return Rf_ScalarReal((double)lam_net_count(glue_get_shapes(ptr)->net));
}

SEXP ffi_net_alive(SEXP ptr)
{
    return Rf_ScalarLogical(glue_find_net(ptr) != NULL);
}

static SEXP shape_numbers(const lam_shape *shape)
{
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] > INT_MAX)
            glue_refuse(LAM_ESHAPE, "a dimension", "below 2^31, as in R", "more");
    SEXP out = Rf_allocVector(INTSXP, shape->rank);
    for (int i = 0; i < shape->rank; i++)
        INTEGER(out)[i] = (int)shape->dim[i];
    return out;
}

/* States are saved with the weights and otherwise the layers' own business. */
static int own_weights(const lam_layer *layer)
{
    int n = 0;
    for (int w = 0; w < layer->n_weights; w++)
        n += !layer->weight[w].state;
    return n;
}

/* For every layer its output's shape, its weights, the steps of the masks that reach and leave it, and
 * whether it heeds the mask or has states. */
SEXP ffi_net_describe(SEXP ptr)
{
    const lam_net *net = glue_get_shapes(ptr)->net;
    const char *layer_names[] = {"output_shape", "weight_names", "weight_shapes", "weight_trainable",
                                 "mask_in", "mask_out", "uses_mask", "stateful", "final_states", ""};
    SEXP out = PROTECT(Rf_allocVector(VECSXP, net->n_layers));
    for (int i = 0; i < net->n_layers; i++) {
        const lam_layer *layer = &net->layers[i];
        SEXP item = PROTECT(Rf_mkNamed(VECSXP, layer_names));
        SET_VECTOR_ELT(item, 0, shape_numbers(&layer->out));
        int n = own_weights(layer);
        SEXP names = PROTECT(Rf_allocVector(STRSXP, n));
        SEXP shapes = PROTECT(Rf_allocVector(VECSXP, n));
        SEXP trainable = PROTECT(Rf_allocVector(LGLSXP, n));
        for (int w = 0, at = 0; w < layer->n_weights; w++) {
            const lam_weight *weight = &layer->weight[w];
            if (weight->state)
                continue;
            SET_STRING_ELT(names, at, Rf_mkChar(weight->name));
            SET_VECTOR_ELT(shapes, at, shape_numbers(&weight->shape));
            LOGICAL(trainable)[at++] = weight->trainable;
        }
        SET_VECTOR_ELT(item, 1, names);
        SET_VECTOR_ELT(item, 2, shapes);
        SET_VECTOR_ELT(item, 3, trainable);
        SET_VECTOR_ELT(item, 4, Rf_ScalarReal((double)layer->mask_in));
        SET_VECTOR_ELT(item, 5, Rf_ScalarReal((double)layer->mask_out));
        SET_VECTOR_ELT(item, 6, Rf_ScalarLogical((layer->flags & LAM_LAYER_USES_MASK) != 0));
        SET_VECTOR_ELT(item, 7, Rf_ScalarLogical(n < layer->n_weights));
        SET_VECTOR_ELT(item, 8, Rf_ScalarInteger(layer->n_extra));
        SET_VECTOR_ELT(out, i, item);
        UNPROTECT(4);
    }
    UNPROTECT(1);
    return out;
}

static int count_weights(const lam_net *net)
{
    int n = 0;
    for (int i = 0; i < net->n_layers; i++)
        n += own_weights(&net->layers[i]);
    return n;
}

SEXP glue_flat_list(const lam_net *net, const float *flat)
{
    SEXP out = PROTECT(Rf_allocVector(VECSXP, count_weights(net)));
    int at = 0;
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            if (weight->state)
                continue;
            SET_VECTOR_ELT(out, at++, glue_array(flat + weight->offset, weight->shape.rank, weight->shape.dim));
        }
    UNPROTECT(1);
    return out;
}

SEXP ffi_net_weights(SEXP ptr)
{
    const lam_net *net = glue_get_net(ptr)->net;
    return glue_flat_list(net, net->weights);
}

/* NULL for a weight that stays. */
static const float *read_weight(SEXP x, size_t count)
{
    size_t rows, d;
    lam_error err;
    if (x == R_NilValue)
        return NULL;
    const float *values = glue_floats(x, &rows, &d, "weights");
    if (rows * d != count) {
        char expected[64];
        snprintf(expected, sizeof expected, "an array of %zu numbers", count);
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, "weights", expected, "one of %zu", rows * d), &err);
    }
    return values;
}

/* weights: a list like ffi_net_weights() gives; NULL items stay.  All are read before one is set. */
SEXP ffi_net_set_weights(SEXP ptr, SEXP weights)
{
    lam_net *net = glue_get_net(ptr)->net;
    int at = 0;
    const float **values = glue_alloc((size_t)count_weights(net), sizeof *values, "weights");
    glue_list(weights, count_weights(net), "weights");
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++)
            if (!net->layers[i].weight[w].state) {
                values[at] = read_weight(VECTOR_ELT(weights, at), net->layers[i].weight[w].count);
                at++;
            }
    lam_net_settle(net);
    at = 0;
    for (int i = 0; i < net->n_layers; i++)
        for (int w = 0; w < net->layers[i].n_weights; w++) {
            const lam_weight *weight = &net->layers[i].weight[w];
            if (weight->state)
                continue;
            if (values[at])
                memcpy(net->weights + weight->offset, values[at], weight->count * sizeof(float));
            at++;
        }
    return R_NilValue;
}

/* layers: 1-based positions. */
SEXP ffi_net_reset_states(SEXP ptr, SEXP layers)
{
    lam_net *net = glue_get_net(ptr)->net;
    R_xlen_t n = glue_positions(layers, 1, net->n_layers + 1, "layers");
    for (R_xlen_t i = 0; i < n; i++)
        lam_net_reset_states(net, INTEGER(layers)[i] - 1);
    return R_NilValue;
}

SEXP ffi_net_set_trainable(SEXP ptr, SEXP trainable)
{
    lam_net *net = glue_get_net(ptr)->net;
    if (TYPEOF(trainable) != LGLSXP || Rf_xlength(trainable) != net->n_layers)
        glue_refuse(LAM_EARGUMENT, "trainable", "one flag a layer", "something else");
    for (int i = 0; i < net->n_layers; i++)
        net->layers[i].trainable = LOGICAL(trainable)[i] == TRUE;
    return R_NilValue;
}

/* Raises what ffi_net_compile() would. */
SEXP ffi_check_compile(SEXP optimizer, SEXP loss)
{
    lam_error err;
    lam_optimizer o;
    lam_loss l;
    lam_spec spec = glue_spec(optimizer, "optimizer");
    glue_check(lam_optimizer_read(&spec, &o, &err), &err);
    if (loss != R_NilValue) {
        spec = glue_spec(loss, "loss");
        glue_check(lam_loss_read(&spec, &l, &err), &err);
    }
    return R_NilValue;
}

/* loss: a spec, or NULL for a loss of the user's own. */
SEXP ffi_net_compile(SEXP ptr, SEXP optimizer, SEXP loss, SEXP sum_loss, SEXP bf16)
{
    lam_error err;
    lam_net *net = glue_get_net(ptr)->net;
    bool rounds = glue_flag(bf16, "precision"), sums = glue_flag(sum_loss, "reduction");
    lam_spec o = glue_spec(optimizer, "optimizer");
    lam_spec l = glue_spec(loss, "loss");
    glue_check(lam_net_compile(net, &o, loss == R_NilValue ? NULL : &l, sums, &err), &err);
    net->bf16 = rounds;
    return R_NilValue;
}

/* ---- state: everything that a continued training depends on ---------------------------------- */

static SEXP pack(const lam_net *net, const float *flat)
{
    if (!flat)
        return R_NilValue;
    SEXP out = Rf_allocVector(RAWSXP, (R_xlen_t)(lam_net_count(net) * sizeof(float)));
    lam_net_pack(net, flat, (float *)RAW(out));
    return out;
}

SEXP ffi_net_state(SEXP ptr)
{
    const lam_net *net = glue_get_net(ptr)->net;
    const char *names[] = {"weights", "slots", "ema", "averaged", "accumulated", "seed", "batches", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, pack(net, net->weights));
    SEXP slots = PROTECT(Rf_allocVector(VECSXP, net->n_slots));
    for (int s = 0; s < net->n_slots; s++)
        SET_VECTOR_ELT(slots, s, pack(net, net->slot[s]));
    SET_VECTOR_ELT(out, 1, slots);
    SET_VECTOR_ELT(out, 2, pack(net, net->ema));
    SET_VECTOR_ELT(out, 3, Rf_ScalarLogical(net->averaged));
    SET_VECTOR_ELT(out, 4, pack(net, net->accumulated));
    SET_VECTOR_ELT(out, 5, Rf_ScalarReal((double)net->seed));
    SET_VECTOR_ELT(out, 6, Rf_ScalarReal((double)net->batches));
    UNPROTECT(2);
    return out;
}

/* Is there something to be unpacked? */
static bool packed_for(const lam_net *net, SEXP raw, const float *flat, const char *what)
{
    if (!flat || raw == R_NilValue)
        return false;
    if (TYPEOF(raw) != RAWSXP || (size_t)Rf_xlength(raw) != lam_net_count(net) * sizeof(float)) {
        lam_error err;
        glue_check(lam_fail(&err, LAM_ESTATE, "The saved %s do not fit this model.", what), &err);
    }
    return true;
}

static void unpack(const lam_net *net, SEXP raw, float *flat)
{
    if (flat && raw != R_NilValue)
        lam_net_unpack(net, (const float *)RAW(raw), flat);
}

/* Takes what fits: the weights always, the optimizer's state when the optimizer has such slots.  All is
 * checked before anything is taken. */
SEXP ffi_net_restore(SEXP ptr, SEXP state)
{
    lam_net *net = glue_get_net(ptr)->net;
    glue_list(state, -1, "state");
    SEXP weights = list_get(state, "weights"), slots = list_get(state, "slots"), ema = list_get(state, "ema");
    SEXP accumulated = list_get(state, "accumulated");
    packed_for(net, weights, net->weights, "weights");
    uint64_t seed = (uint64_t)glue_count(list_get(state, "seed"), "seed"), batches = 0;
    bool slots_fit = net->compiled && TYPEOF(slots) == VECSXP && Rf_xlength(slots) == net->n_slots, averaged = false;
    if (slots_fit) {
        for (int s = 0; s < net->n_slots; s++)
            packed_for(net, VECTOR_ELT(slots, s), net->slot[s], "optimizer's numbers");
        if (packed_for(net, ema, net->ema, "averaged weights"))
            averaged = glue_flag(list_get(state, "averaged"), "averaged");
        packed_for(net, accumulated, net->accumulated, "accumulated gradients");
        batches = (uint64_t)glue_count(list_get(state, "batches"), "batches");
    }

    unpack(net, weights, net->weights);
    net->seed = seed;
    if (!slots_fit)
        return R_NilValue;
    for (int s = 0; s < net->n_slots; s++)
        unpack(net, VECTOR_ELT(slots, s), net->slot[s]);
    unpack(net, ema, net->ema);
    unpack(net, accumulated, net->accumulated);
    net->averaged = averaged;
    net->batches = batches;
    return R_NilValue;
}

SEXP ffi_net_seed(SEXP ptr, SEXP seed)
{
    lam_net *net = glue_get_net(ptr)->net;
    net->seed = (uint64_t)glue_count(seed, "seed");
    return R_NilValue;
}

SEXP ffi_net_finish(SEXP ptr)
{
    lam_net_finish(glue_get_net(ptr)->net);
    return R_NilValue;
}

SEXP ffi_net_resume(SEXP ptr)
{
    lam_net_resume(glue_get_net(ptr)->net);
    return R_NilValue;
}

/* The rate of the next step; set: a constant rate from now on. */
SEXP ffi_net_rate(SEXP ptr)
{
    const lam_net *net = glue_get_net(ptr)->net;
    if (!net->compiled)
        return Rf_ScalarReal(NA_REAL);
    return Rf_ScalarReal(lam_schedule_rate(&net->optimizer.rate, (double)lam_net_steps(net)));
}

SEXP ffi_net_set_rate(SEXP ptr, SEXP rate)
{
    lam_error err;
    lam_net *net = glue_get_net(ptr)->net;
    double value = glue_number(rate, "learning_rate");
    if (!net->compiled)
        glue_check(lam_fail(&err, LAM_ESTATE, "The model has not been compiled."), &err);
    lam_arg arg = {.name = "learning_rate", .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = &value};
    glue_check(lam_schedule_read(&arg, &net->optimizer.rate, &err), &err);
    return R_NilValue;
}

/* ---- passes ------------------------------------------------------------------------------------ */

int glue_batch_dims(const lam_shape *shape, size_t rows, size_t *dim)
{
    dim[0] = rows;
    for (int i = 0; i < shape->rank; i++)
        dim[i + 1] = shape->dim[i];
    return shape->rank + 1;
}

/* Room for batches of at least `rows` samples, kept from call to call. */
static void make_room(glue_net *g, size_t rows)
{
    lam_error err;
    void *p = NULL;
    if (g->plan && g->plan->rows >= rows)
        return;
    lam_plan_free(g->plan);
    lam_free(g->x);
    g->plan = NULL;
    g->x = NULL;
    glue_check(lam_new(&p, lam_mul(rows, lam_shape_count(&g->net->in)), sizeof(float), "a batch", &err), &err);
    g->x = p;
    glue_check(lam_plan_new(&g->plan, g->net, 0, g->net->n_layers, rows, LAM_PLAN_PREDICT, &err), &err);
}

/* What is to be predicted from: an array of R's, samples first, or data, known to be finite. */
typedef struct inputs {
    SEXP x;
    int rank;
    size_t n, dim[LAM_MAX_RANK];
    const lam_data *data;
} inputs;

static void check_inputs(size_t d, const lam_shape *shape)
{
    lam_error err;
    if (d != lam_shape_count(shape)) {
        char expected[64];
        snprintf(expected, sizeof expected, "%zu numbers a sample", lam_shape_count(shape));
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, "x", expected, "%zu", d), &err);
    }
}

static inputs open_inputs(SEXP x, const lam_shape *shape)
{
    inputs in = {.x = x};
    if (TYPEOF(x) == EXTPTRSXP) {
        in.data = glue_get_data(x);
        in.n = in.data->n;
        check_inputs(in.data->x_d, shape);
    } else {
        size_t d = 1;
        in.rank = glue_dims(x, in.dim, "x");
        in.n = in.dim[0];
        for (int i = 1; i < in.rank; i++)
            d *= in.dim[i];
        check_inputs(d, shape);
    }
    return in;
}

/* Samples first .. first + run->rows: *x, or run->sparse.  false: some number is not finite. */
static bool take_batch(const glue_net *g, const inputs *in, size_t first, lam_run *run, const float **x)
{
    *x = g->x;
    if (!in->data) {
        return glue_rows_into(in->x, first, run->rows, in->rank, in->dim, g->x);
    }
    if (in->data->row_start && lam_net_takes_sparse(g->net, 0)) {
        run->sparse = lam_data_sparse(in->data, NULL, first);
        *x = NULL;
    } else {
        lam_data_gather(in->data, NULL, first, run->rows, g->x, NULL, NULL);
    }
    return true;
}

/* x (samples first, as many numbers a sample as the model takes), or data, to an array of samples x
 * output.  NULL: the pointer is dead.  NA: x holds numbers that are not finite. */
SEXP ffi_net_predict(SEXP ptr, SEXP x, SEXP batch_size)
{
    glue_net *g = glue_find_net(ptr) ? glue_get_net(ptr) : NULL;
    if (!g)
        return R_NilValue;
    const lam_net *net = g->net;
    size_t out_dim[LAM_MAX_RANK + 1];
    inputs in = open_inputs(x, &net->in);
    size_t n = in.n, batch = lam_least(glue_count(batch_size, "batch_size"), n);
    if (batch == 0)
        return R_NilValue;
    make_room(g, batch);
    int out_rank = glue_batch_dims(&net->out, n, out_dim);
    SEXP out = PROTECT(glue_new_array(out_rank, out_dim));
    for (size_t first = 0; first < n; first += batch) {
        lam_run run = {.rows = lam_least(n - first, batch), .carry_state = true, .seed = net->seed, .step = net->batches};
        const float *from;
        uint64_t mode = glue_enter();
        bool finite = take_batch(g, &in, first, &run, &from);
        if (finite)
            lam_to_doubles(lam_plan_forward(g->plan, from, &run), first, run.rows, out_rank, out_dim, REAL(out));
        glue_leave(mode);
        if (!finite) {
            UNPROTECT(1);
            return Rf_ScalarLogical(NA_LOGICAL);
        }
        glue_ask();
    }
    UNPROTECT(1);
    return out;
}

static void free_plan(SEXP ptr)
{
    lam_plan_free(R_ExternalPtrAddr(ptr));
    R_ClearExternalPtr(ptr);
}

/* owner: what keeps the network alive. */
static SEXP new_plan(SEXP owner, const lam_net *net, size_t rows, lam_plan_kind kind, int from, int to)
{
    lam_error err;
    lam_plan *plan = NULL;
    SEXP ptr = PROTECT(glue_new_pointer("plan", free_plan, owner));
    glue_check(lam_plan_new(&plan, net, from, to, rows, kind, &err), &err);
    R_SetExternalPtrAddr(ptr, plan);
    UNPROTECT(1);
    return ptr;
}

enum { OUTPUT_ROWS = 128 };

/* Arrays for the output of a layer and, in a list with it, its final states. */
static SEXP new_outputs(const lam_layer *layer, size_t rows)
{
    size_t dim[LAM_MAX_RANK + 1];
    int rank = glue_batch_dims(&layer->out, rows, dim);
    if (layer->n_extra == 0)
        return glue_new_array(rank, dim);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, layer->n_extra + 1));
    SET_VECTOR_ELT(out, 0, glue_new_array(rank, dim));
    for (int k = 0; k < layer->n_extra; k++)
        SET_VECTOR_ELT(out, k + 1, glue_new_array(2, (size_t[]){rows, layer->extra[k]}));
    UNPROTECT(1);
    return out;
}

/* Rows first .. first + n of all `rows`. */
static void copy_outputs(const lam_plan *plan, int i, size_t first, size_t n, size_t rows, SEXP out)
{
    const lam_layer *layer = &plan->net->layers[i];
    size_t dim[LAM_MAX_RANK + 1];
    int rank = glue_batch_dims(&layer->out, rows, dim);
    SEXP y = layer->n_extra ? VECTOR_ELT(out, 0) : out;
    lam_to_doubles(lam_plan_output(plan, i), first, n, rank, dim, REAL(y));
    for (int k = 0; k < layer->n_extra; k++)
        lam_to_doubles(lam_plan_extra(plan, i, k), first, n, 2, (size_t[]){rows, layer->extra[k]},
                       REAL(VECTOR_ELT(out, k + 1)));
}

/* The outputs of chosen layers (0-based, ascending or not) as a list of arrays; of a layer that tells
 * its final states, a list of the output and these.  x is the input of layer `from`.  In training all samples pass at once, as one batch; otherwise some at a time, for all
 * outputs of a plan take room. */
SEXP ffi_net_outputs(SEXP ptr, SEXP x, SEXP layers, SEXP from, SEXP training)
{
    const lam_net *net = glue_get_net(ptr)->net;
    size_t rows, d;
    int start = (int)glue_index(from, (size_t)net->n_layers, "from");
    const float *values = glue_floats(x, &rows, &d, "x");
    check_inputs(d, &net->layers[start].in);
    bool trains = glue_flag(training, "training");
    size_t batch = trains ? rows : lam_least(rows, OUTPUT_ROWS);
    R_xlen_t n = glue_positions(layers, start, net->n_layers, "layers");
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
    for (R_xlen_t i = 0; i < n; i++)
        SET_VECTOR_ELT(out, i, new_outputs(&net->layers[INTEGER(layers)[i]], rows));
    SEXP plan_ptr = PROTECT(new_plan(ptr, net, batch, LAM_PLAN_KEEP, start, net->n_layers));
    lam_plan *plan = R_ExternalPtrAddr(plan_ptr);
    for (size_t first = 0; first < rows; first += batch) {
        lam_run run = {.rows = lam_least(rows - first, batch), .training = trains, .seed = net->seed, .step = net->batches};
        uint64_t mode = glue_enter();
        lam_plan_forward(plan, values + first * d, &run);
        for (R_xlen_t i = 0; i < n; i++)
            copy_outputs(plan, INTEGER(layers)[i], first, run.rows, rows, VECTOR_ELT(out, i));
        glue_leave(mode);
        glue_ask();
    }
    free_plan(plan_ptr);
    UNPROTECT(2);
    return out;
}

/* What the loss's derivative by the output is, sent back through the network.
 * gradient: an array like the output.  Returns list(weights =, inputs =); the layers' activity
 * penalties and the weights' penalties are in the gradients, their sum in `penalty`. */
SEXP ffi_net_backward(SEXP ptr, SEXP x, SEXP gradient, SEXP training)
{
    const lam_net *net = glue_get_net(ptr)->net;
    const char *names[] = {"weights", "inputs", "penalty", ""};
    size_t rows, d, g_rows, g_d, dim[LAM_MAX_RANK + 1];
    const float *values = glue_floats(x, &rows, &d, "x");
    const float *dy = glue_floats(gradient, &g_rows, &g_d, "gradient");
    check_inputs(d, &net->in);
    if (g_rows != rows || g_d != lam_shape_count(&net->out))
        glue_refuse(LAM_ESHAPE, "gradient", "an array like the output", "one of another shape");
    bool trains = glue_flag(training, "training");
    SEXP plan_ptr = PROTECT(new_plan(ptr, net, rows, LAM_PLAN_TRAIN_INPUT, 0, net->n_layers));
    lam_plan *plan = R_ExternalPtrAddr(plan_ptr);
    lam_run run = {.rows = rows, .training = trains, .seed = net->seed, .step = net->batches};
    uint64_t mode = glue_enter();
    lam_plan_forward(plan, values, &run);
    memcpy(lam_plan_output_gradient(plan), dy, rows * g_d * sizeof(float));
    const float *dx = lam_plan_backward(plan, values, &run, false);
    lam_net_penalty_gradient(net, plan->grads);
    double penalty = lam_net_penalty(net) + plan->activity_penalty;
    glue_leave(mode);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, glue_flat_list(net, plan->grads));
    int rank = glue_batch_dims(&net->in, rows, dim);
    SET_VECTOR_ELT(out, 1, glue_array(dx, rank, dim));
    SET_VECTOR_ELT(out, 2, Rf_ScalarReal(penalty));
    free_plan(plan_ptr);
    UNPROTECT(2);
    return out;
}

/* Layers from..to - 1 (0-based) at x, the input of layer `from`, and what is sent back through them:
 * list(outputs =, gradient =) with gradient = sum(seed * outputs) derived by x.  linear: the last of
 * these layers without its closing activation.  Nothing is random, and no penalty counts: the pass
 * runs on a copy of the network's description, weights shared, that ends with the last layer. */
SEXP ffi_net_vjp(SEXP ptr, SEXP x, SEXP seed, SEXP from, SEXP to, SEXP linear)
{
    const char *names[] = {"outputs", "gradient", ""};
    const lam_net *net = glue_get_net(ptr)->net;
    size_t rows, d, seed_rows, seed_d, dim[LAM_MAX_RANK + 1];
    int end = (int)glue_index(to, (size_t)net->n_layers + 1, "to"), start = (int)glue_index(from, (size_t)end, "from");
    bool linear_head = glue_flag(linear, "linear");
    const float *values = glue_floats(x, &rows, &d, "x");
    const float *dy = glue_floats(seed, &seed_rows, &seed_d, "seed");
    const lam_layer *last = &net->layers[end - 1];
    const lam_shape *in = &net->layers[start].in;
    check_inputs(d, in);
    if (seed_rows != rows || seed_d != last->out_count)
        glue_refuse(LAM_ESHAPE, "seed", "an array like the output", "one of another shape");

    lam_net part = *net;
    part.n_layers = end;
    part.layers = glue_alloc((size_t)end, sizeof(lam_layer), "the layers");
    memcpy(part.layers, net->layers, (size_t)end * sizeof(lam_layer));
    for (int i = start; i < end; i++)
        part.layers[i].activity = (lam_regularizer){0};

    SEXP plan_ptr = PROTECT(new_plan(ptr, &part, rows, LAM_PLAN_TRAIN_INPUT, start, end));
    lam_plan *plan = R_ExternalPtrAddr(plan_ptr);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    lam_run run = {
        .rows = rows,
        .linear_head = linear_head && last->type->closing && last->type->closing(last),
    };
    uint64_t mode = glue_enter();
    const float *y = lam_plan_forward(plan, values, &run);
    memcpy(lam_plan_output_gradient(plan), dy, rows * seed_d * sizeof(float));
    const float *dx = lam_plan_backward(plan, values, &run, false);
    glue_leave(mode);
    int rank = glue_batch_dims(&last->out, rows, dim);
    SET_VECTOR_ELT(out, 0, glue_array(y, rank, dim));
    rank = glue_batch_dims(in, rows, dim);
    SET_VECTOR_ELT(out, 1, glue_array(dx, rank, dim));
    free_plan(plan_ptr);
    UNPROTECT(2);
    return out;
}
