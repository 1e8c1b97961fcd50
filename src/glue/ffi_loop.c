/* Data, and going through it: what fit(), evaluate() and train_on_batch() call. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "glue/handle.h"
#include "kernels/kernels.h"
#include "kernels/convert.h"

static void free_data(SEXP ptr)
{
    lam_data_free(R_ExternalPtrAddr(ptr));
    R_ClearExternalPtr(ptr);
}

static void free_loop(SEXP ptr)
{
    lam_loop_free(R_ExternalPtrAddr(ptr));
    R_ClearExternalPtr(ptr);
}

static bool fill(SEXP x, float *out, const char *arg)
{
    size_t dim[LAM_MAX_RANK];
    int rank = glue_dims(x, dim, arg);
    uint64_t mode = glue_enter();
    bool finite = glue_rows_into(x, 0, dim[0], rank, dim, out);
    glue_leave(mode);
    return finite;
}

static size_t per_sample(SEXP x, size_t *n, const char *arg)
{
    size_t dim[LAM_MAX_RANK], d = 1;
    int rank = glue_dims(x, dim, arg);
    for (int i = 1; i < rank; i++)
        d *= dim[i];
    *n = dim[0];
    return d;
}

static void check_rows(size_t n, size_t expected, const char *arg)
{
    if (n != expected) {
        lam_error err;
        char text[64];
        snprintf(text, sizeof text, "as many samples as `x`, %zu", expected);
        glue_check(lam_fail_arg(&err, LAM_EDATA, arg, text, "%zu", n), &err);
    }
}

/* list(p, i, x, dim) has the types and lengths of a sparse matrix; what the numbers say is checked by
 * lam_data_set_columns(). */
static void check_sparse(SEXP x)
{
    glue_list(x, 4, "x");
    SEXP p = VECTOR_ELT(x, 0), i = VECTOR_ELT(x, 1), values = VECTOR_ELT(x, 2), dim = VECTOR_ELT(x, 3);
    bool ok = TYPEOF(p) == INTSXP && TYPEOF(i) == INTSXP && TYPEOF(dim) == INTSXP && Rf_xlength(dim) == 2 &&
              (values == R_NilValue || (TYPEOF(values) == REALSXP && Rf_xlength(values) == Rf_xlength(i)));
    for (int k = 0; ok && k < 2; k++)
        ok = INTEGER(dim)[k] >= 0;
    ok = ok && Rf_xlength(p) == (R_xlen_t)INTEGER(dim)[1] + 1 && INTEGER(p)[0] == 0 &&
         INTEGER(p)[INTEGER(dim)[1]] == Rf_xlength(i);
    if (!ok)
        glue_refuse(LAM_EARGUMENT, "x", "the parts of a sparse matrix", "something else");
}

/* x: an array, samples first, or list(p, i, x, dim): the columns of a sparse matrix.  y, w: arrays
 * or NULL. */
SEXP ffi_data_new(SEXP x, SEXP y, SEXP w)
{
    lam_error err;
    lam_data *data = NULL;
    bool sparse = TYPEOF(x) == VECSXP;
    size_t n, y_n, w_n, x_d, y_d = 0, nonzeros = 0;
    if (sparse) {
        check_sparse(x);
        n = (size_t)INTEGER(VECTOR_ELT(x, 3))[0];
        x_d = (size_t)INTEGER(VECTOR_ELT(x, 3))[1];
        nonzeros = (size_t)Rf_xlength(VECTOR_ELT(x, 1));
    } else {
        x_d = per_sample(x, &n, "x");
    }
    bool same = !sparse && y == x; /* an autoencoder */
    if (y != R_NilValue && !same) {
        y_d = per_sample(y, &y_n, "y");
        check_rows(y_n, n, "y");
    }
    if (w != R_NilValue && per_sample(w, &w_n, "sample_weight") != 1)
        glue_refuse(LAM_ESHAPE, "sample_weight", "one number a sample", "an array");
    if (w != R_NilValue)
        check_rows(w_n, n, "sample_weight");
    SEXP ptr = PROTECT(glue_new_pointer("data", free_data, R_NilValue));
    glue_check(lam_data_new(&data, n, x_d, y_d, w != R_NilValue, sparse, nonzeros, &err), &err);
    R_SetExternalPtrAddr(ptr, data);
    if (sparse) {
        SEXP values = VECTOR_ELT(x, 2);
        glue_check(lam_data_set_columns(data, INTEGER(VECTOR_ELT(x, 0)), INTEGER(VECTOR_ELT(x, 1)),
                                        values == R_NilValue ? NULL : REAL(values), &err), &err);
        data->odd_x = !lam_all_finite(nonzeros, data->value);
    } else {
        data->odd_x = !fill(x, data->x, "x");
    }
    if (same)
        lam_data_take_inputs(data);
    else if (y != R_NilValue)
        data->odd_y = !fill(y, data->y, "y");
    if (w != R_NilValue)
        fill(w, data->w, "sample_weight");
    UNPROTECT(1);
    return ptr;
}

/* Frees a loop or data before the garbage collector comes to it.  A loop is of no use without its data. */
SEXP ffi_release(SEXP ptr)
{
    if (glue_is_pointer(ptr, "loop"))
        free_loop(ptr);
    else if (glue_is_pointer(ptr, "data"))
        free_data(ptr);
    else
        glue_refuse(LAM_EARGUMENT, "ptr", "a loop or data", "something else");
    return R_NilValue;
}

/* c(samples, inputs a sample, targets a sample) */
SEXP ffi_data_size(SEXP ptr)
{
    const lam_data *data = glue_get_data(ptr);
    SEXP out = Rf_allocVector(REALSXP, 3);
    REAL(out)[0] = (double)data->n;
    REAL(out)[1] = (double)data->x_d;
    REAL(out)[2] = (double)data->y_d;
    return out;
}

/* c(inputs, targets): does that part hold numbers that are not finite? */
SEXP ffi_data_bad(SEXP ptr)
{
    const lam_data *data = glue_get_data(ptr);
    SEXP out = Rf_allocVector(LGLSXP, 2);
    LOGICAL(out)[0] = data->odd_x;
    LOGICAL(out)[1] = data->odd_y;
    return out;
}

enum { MANY_METRICS = 10000 };

static lam_spec *read_specs(SEXP list, SEXP weighted, int *n, int *n_weighted)
{
    R_xlen_t both = glue_list(list, -1, "metrics") + glue_list(weighted, -1, "weighted_metrics");
    if (both > MANY_METRICS)
        glue_refuse(LAM_EARGUMENT, "metrics", "a list of metrics", "one of more than 10,000");
    *n = (int)Rf_xlength(list);
    *n_weighted = (int)Rf_xlength(weighted);
    lam_spec *specs = glue_alloc((size_t)both, sizeof(lam_spec), "metrics");
    for (int i = 0; i < *n; i++)
        specs[i] = glue_spec(VECTOR_ELT(list, i), "metrics");
    for (int i = 0; i < *n_weighted; i++)
        specs[*n + i] = glue_spec(VECTOR_ELT(weighted, i), "weighted_metrics");
    return specs;
}

/* kind: "train", "test" or "probe"; rows first + 1 .. first + n of the data, which are the inputs of
 * layer `from` (0-based). */
SEXP ffi_loop_new(SEXP net, SEXP from, SEXP data, SEXP first, SEXP n, SEXP batch_size, SEXP kind, SEXP metrics,
                  SEXP weighted_metrics)
{
    lam_error err;
    lam_loop *loop = NULL;
    lam_metric_list list;
    list.spec = read_specs(metrics, weighted_metrics, &list.n, &list.n_weighted);
    const char *word = glue_string(kind, "kind");
    const char *const words[] = {"test", "train", "probe"}; /* as in lam_loop_kind */
    int k = 0;
    while (k < 3 && strcmp(words[k], word) != 0)
        k++;
    if (k == 3)
        glue_refuse(LAM_EARGUMENT, "kind", "\"train\", \"test\" or \"probe\"", word);
    glue_net *g = glue_get_net(net);
    lam_data *rows = glue_get_data(data);
    size_t start = glue_index(from, (size_t)g->net->n_layers + 1, "from");
    SEXP keep = PROTECT(Rf_list2(net, data));
    SEXP ptr = PROTECT(glue_new_pointer("loop", free_loop, keep));
    glue_check(lam_loop_new(&loop, g->net, (int)start, rows, glue_count(first, "first"), glue_count(n, "n"),
                            glue_count(batch_size, "batch_size"), (lam_loop_kind)k, &list, &err), &err);
    R_SetExternalPtrAddr(ptr, loop);
    UNPROTECT(2);
    return ptr;
}

SEXP ffi_loop_start(SEXP ptr, SEXP shuffle, SEXP epoch)
{
    lam_error err;
    glue_check(lam_loop_start(glue_get_loop(ptr), glue_flag(shuffle, "shuffle"), (uint64_t)glue_count(epoch, "epoch"), &err), &err);
    return R_NilValue;
}

/* c(done, batches, samples, last batch's loss, running loss, metrics ...) */
static SEXP report(lam_loop *loop)
{
    enum { FIXED = 5 };
    lam_error err;
    if (loop->ranks)
        glue_check(lam_loop_gather(loop, &err), &err);
    SEXP out = Rf_allocVector(REALSXP, FIXED + loop->n_metrics);
    double *v = REAL(out);
    v[0] = lam_loop_done(loop);
    v[1] = (double)loop->batches;
    v[2] = (double)loop->at;
    v[3] = loop->last_loss;
    v[4] = lam_loop_loss(loop);
    for (int i = 0; i < loop->n_metrics; i++)
        v[FIXED + i] = lam_loop_metric(loop, i);
    return out;
}

SEXP ffi_loop_run(SEXP ptr, SEXP max_batches, SEXP seconds)
{
    lam_error err;
    lam_loop *loop = glue_get_loop(ptr);
    double most = glue_number(max_batches, "max_batches");
    double time = glue_number(seconds, "seconds");
    if (!(most >= 0))
        glue_refuse(LAM_EARGUMENT, "max_batches", "a number of at least 0", "another one");
    if (!(time >= 0))
        glue_refuse(LAM_EARGUMENT, "seconds", "a number of at least 0", "another one");
    glue_ask();
    uint64_t mode = glue_enter();
    lam_status status = lam_loop_run(loop, most >= 1e15 ? SIZE_MAX : (size_t)most, time, &err);
    glue_leave(mode);
    glue_check(status, &err);
    return report(loop);
}

/* The names of the metrics, in the order of the report. */
SEXP ffi_loop_names(SEXP ptr)
{
    const lam_loop *loop = glue_get_loop(ptr);
    SEXP out = PROTECT(Rf_allocVector(STRSXP, loop->n_metrics));
    for (int i = 0; i < loop->n_metrics; i++)
        SET_STRING_ELT(out, i, Rf_mkCharCE(loop->metric[i].name, CE_UTF8));
    UNPROTECT(1);
    return out;
}

SEXP ffi_loop_feed(SEXP ptr, SEXP data)
{
    lam_error err;
    lam_loop *loop = glue_get_loop(ptr);
    glue_check(lam_loop_feed(loop, glue_get_data(data), &err), &err); /* a refused one keeps the old data */
    SETCADR(R_ExternalPtrProtected(ptr), data);
    return R_NilValue;
}

static SEXP batch_arrays(lam_loop *loop)
{
    const char *names[] = {"y_true", "y_pred", ""};
    const lam_shape *shape = &loop->net->out;
    size_t dim[LAM_MAX_RANK + 1];
    int rank = glue_batch_dims(shape, loop->run.rows, dim);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 1, glue_array(lam_loop_predictions(loop), rank, dim));
    if (loop->data->y_d != lam_shape_count(shape)) {
        dim[1] = loop->data->y_d;
        rank = 2;
    }
    SET_VECTOR_ELT(out, 0, glue_array(loop->target, rank, dim));
    UNPROTECT(1);
    return out;
}

/* list(y_true =, y_pred =) of the batch that was done last. */
SEXP ffi_loop_batch(SEXP ptr)
{
    lam_error err;
    lam_loop *loop = glue_get_loop(ptr);
    if (!loop->output)
        glue_check(lam_fail(&err, LAM_ESTATE, "No batch has been done."), &err);
    return batch_arrays(loop);
}

/* The same of the next batch, whose step ffi_loop_backward() then takes. */
SEXP ffi_loop_forward(SEXP ptr)
{
    lam_error err;
    size_t rows = 0;
    lam_loop *loop = glue_get_loop(ptr);
    glue_ask();
    uint64_t mode = glue_enter();
    lam_status status = lam_loop_forward(loop, &rows, &err);
    glue_leave(mode);
    glue_check(status, &err);
    return batch_arrays(loop);
}

SEXP ffi_loop_backward(SEXP ptr, SEXP value, SEXP gradient)
{
    lam_error err;
    size_t rows, d;
    lam_loop *loop = glue_get_loop(ptr);
    const float *dy = glue_floats(gradient, &rows, &d, "gradient");
    if (rows * d != loop->run.rows * loop->per * loop->d)
        glue_check(lam_fail(&err, LAM_ESHAPE, "The gradient of a loss must have the shape of the predictions."), &err);
    double loss = glue_number(value, "value");
    uint64_t mode = glue_enter();
    lam_status status = lam_loop_backward(loop, loss, dy, &err);
    glue_leave(mode);
    glue_check(status, &err);
    return report(loop);
}

/* list(loss =, weights = flat gradients as a list, inputs =) */
SEXP ffi_loop_probe(SEXP ptr, SEXP training)
{
    const char *names[] = {"loss", "weights", "inputs", ""};
    lam_loop *loop = glue_get_loop(ptr);
    bool train = glue_flag(training, "training");
    double loss = 0;
    size_t dim[LAM_MAX_RANK + 1];
    const float *dx = NULL;
    lam_error err;
    uint64_t mode = glue_enter();
    lam_status status = lam_loop_probe(loop, train, &loss, &dx, &err);
    glue_leave(mode);
    glue_check(status, &err);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_ScalarReal(loss));
    SET_VECTOR_ELT(out, 1, glue_flat_list(loop->net, loop->plan->grads));
    SET_VECTOR_ELT(out, 2, glue_array(dx, glue_batch_dims(&loop->net->in, loop->n, dim), dim));
    UNPROTECT(1);
    return out;
}
