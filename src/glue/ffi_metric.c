/* Metrics on R arrays.  A metric's state is a double vector that carries the number of outputs and
 * of target columns as its attribute "shape". */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "glue/glue.h"
#include "glue/pair.h"
#include "nn/metric.h"

static lam_metric read_metric(SEXP spec, size_t d, size_t y_d)
{
    lam_metric metric;
    lam_error err;
    lam_spec s = glue_spec(spec, "metric");
    glue_check(lam_metric_read(&s, d, y_d, &metric, &err), &err);
    return metric;
}

static SEXP shape_symbol(void)
{
    return Rf_install("shape");
}

static SEXP new_state(const lam_metric *metric, const glue_pair *pair)
{
    R_xlen_t n = (R_xlen_t)metric->type->state_count(metric, pair->d);
    glue_room((size_t)n, sizeof(double), "a metric");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    SEXP shape = PROTECT(Rf_allocVector(REALSXP, 2));
    memset(REAL(out), 0, (size_t)n * sizeof(double));
    REAL(shape)[0] = (double)pair->d;
    REAL(shape)[1] = (double)pair->y_d;
    Rf_setAttrib(out, shape_symbol(), shape);
    UNPROTECT(2);
    return out;
}

/* The number of outputs and of target columns that a state is of. */
static void state_shape(SEXP state, size_t shape[2])
{
    SEXP given = Rf_getAttrib(state, shape_symbol());
    if (TYPEOF(state) != REALSXP || TYPEOF(given) != REALSXP || Rf_xlength(given) != 2)
        glue_refuse(LAM_EARGUMENT, "state", "the state of a metric", "something else");
    for (int i = 0; i < 2; i++) {
        double d = REAL(given)[i];
        if (!(d >= 0 && d <= INT_MAX && d == floor(d)))
            glue_refuse(LAM_EARGUMENT, "state", "the state of a metric", "something else");
        shape[i] = (size_t)d;
    }
}

static void check_length(SEXP state, const lam_metric *metric, size_t d)
{
    if ((size_t)Rf_xlength(state) != metric->type->state_count(metric, d))
        glue_refuse(LAM_ESHAPE, "state", "the state of this metric", "one of another length");
}

static void check_same_shape(SEXP state, const glue_pair *pair)
{
    size_t shape[2];
    lam_error err;
    state_shape(state, shape);
    if (shape[0] != pair->d || shape[1] != pair->y_d)
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, "y_pred", "as wide as before", "%zu columns after %zu",
                                pair->d, shape[0]), &err);
}

/* One weight a position; a weight a sample holds for all of its positions. */
static const float *read_weights(SEXP w, const glue_pair *pair)
{
    size_t n, each, d;
    lam_error err;
    if (w == R_NilValue)
        return NULL;
    const float *given = glue_floats(w, &n, &d, "sample_weight");
    n *= d;
    if (n == 0 || pair->rows % n != 0 || (n != pair->rows && n != pair->dim[0]))
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, "sample_weight", "one number for each sample",
                                "%zu for %zu", n, pair->dim[0]), &err);
    float *out = glue_alloc(pair->rows, sizeof(float), "the weights");
    each = pair->rows / n;
    for (size_t r = 0; r < pair->rows; r++)
        out[r] = given[r / each];
    return out;
}

/* The state after these data; `state` is NULL at the start and is not changed. */
SEXP ffi_metric_update(SEXP spec, SEXP y_true, SEXP y_pred, SEXP sample_weight, SEXP state)
{
    glue_pair pair = glue_read_pair(y_true, y_pred);
    lam_metric metric = read_metric(spec, pair.d, pair.y_d);
    const float *w = read_weights(sample_weight, &pair);
    lam_error err;
    if (metric.type->loss && metric.type->loss->sparse)
        glue_check(lam_loss_check(&metric.loss, pair.rows, pair.d, pair.y_d, pair.y, &err), &err);
    if (state != R_NilValue) {
        check_same_shape(state, &pair);
        check_length(state, &metric, pair.d);
    }
    SEXP out = PROTECT(new_state(&metric, &pair));
    if (state != R_NilValue)
        memcpy(REAL(out), REAL(state), (size_t)Rf_xlength(out) * sizeof(double));
    metric.type->update(&metric, pair.rows, pair.d, pair.y_d, pair.y, pair.pred, w, REAL(out));
    UNPROTECT(1);
    return out;
}

SEXP ffi_metric_result(SEXP spec, SEXP state)
{
    size_t shape[2];
    state_shape(state, shape);
    lam_metric metric = read_metric(spec, shape[0], shape[1]);
    check_length(state, &metric, shape[0]);
    return Rf_ScalarReal(metric.type->result(&metric, shape[0], REAL(state)));
}
