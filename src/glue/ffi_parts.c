/* Initializers, regularizers, constraints, schedules and optimizers on R arrays: what a network does
 * with them, one at a time, for people who want to see it. */
#include "base/rng.h"
#include "glue/glue.h"
#include "nn/optimizer.h"
#include "nn/weights.h"

/* shape: doubles; seed: what draws where the initializer has no seed of its own. */
SEXP ffi_initializer(SEXP spec, SEXP shape, SEXP seed)
{
    lam_error err;
    lam_initializer init;
    lam_spec s = glue_spec(spec, "initializer");
    lam_shape dims = glue_shape(shape, LAM_MAX_RANK, 0, "shape");
    lam_rng rng = {.seed = (uint64_t)glue_count(seed, "seed"), .stream = LAM_STREAM_INITIALIZER};
    glue_check(lam_initializer_read(&s, &init, &err), &err);
    float *out = glue_alloc(lam_shape_count(&dims), sizeof(float), "the weights");
    glue_check(lam_initializer_fill(&init, &dims, &rng, out, &err), &err);
    return glue_array(out, dims.rank, dims.dim);
}

SEXP ffi_regularizer(SEXP spec, SEXP x)
{
    lam_error err;
    lam_regularizer reg;
    size_t rows, d;
    lam_spec s = glue_spec(spec, "regularizer");
    glue_check(lam_regularizer_read(&s, &reg, &err), &err);
    const float *values = glue_floats(x, &rows, &d, "x");
    return Rf_ScalarReal(lam_regularizer_value(&reg, rows * d, values));
}

SEXP ffi_constraint(SEXP spec, SEXP x)
{
    lam_error err;
    lam_constraint constraint;
    lam_shape shape = {0};
    size_t rows, d;
    lam_spec s = glue_spec(spec, "constraint");
    glue_check(lam_constraint_read(&s, &constraint, &err), &err);
    shape.rank = glue_dims(x, shape.dim, "x");
    glue_check(lam_constraint_check(&constraint, &shape, &err), &err);
    float *values = glue_floats(x, &rows, &d, "x");
    lam_constraint_apply(&constraint, &shape, values);
    return glue_array(values, shape.rank, shape.dim);
}

/* arguments: list(learning_rate = <spec or number>); steps: doubles, counted from 0. */
SEXP ffi_schedule(SEXP arguments, SEXP steps)
{
    lam_error err;
    lam_schedule schedule;
    lam_args args = glue_args(arguments, "learning_rate");
    lam_arg none = {.name = "learning_rate"};
    const lam_arg *rate = lam_args_get(&args, "learning_rate");
    glue_check(lam_schedule_read(rate ? rate : &none, &schedule, &err), &err);
    if (TYPEOF(steps) != REALSXP)
        glue_refuse(LAM_EARGUMENT, "step", "numbers", Rf_type2char((SEXPTYPE)TYPEOF(steps)));
    R_xlen_t n = Rf_xlength(steps);
    for (R_xlen_t i = 0; i < n; i++)
        if (!(REAL(steps)[i] >= 0 && REAL(steps)[i] <= 9e15))
            glue_refuse(LAM_EARGUMENT, "step", "numbers of at least 0", "others");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    for (R_xlen_t i = 0; i < n; i++)
        REAL(out)[i] = lam_schedule_rate(&schedule, REAL(steps)[i]);
    UNPROTECT(1);
    return out;
}

/* The weights after each of the gradients: rows are steps.  gradients: one row a step. */
SEXP ffi_optimizer_steps(SEXP spec, SEXP weights, SEXP gradients)
{
    lam_error err;
    lam_optimizer o;
    size_t rows, d, steps, n;
    lam_spec s = glue_spec(spec, "optimizer");
    glue_check(lam_optimizer_read(&s, &o, &err), &err);
    float *w = glue_floats(weights, &rows, &d, "weights");
    const float *g = glue_floats(gradients, &steps, &n, "gradients");
    if (rows * d != n)
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, "gradients", "of one column a weight", "of %zu for %zu weights", n, rows * d), &err);
    float *path = glue_alloc(steps * n, sizeof(float), "the weights");
    lam_piece piece = {.n = n, .w = w};
    for (int k = 0; k < o.type->slots(&o); k++) {
        piece.slot[k] = glue_alloc(n, sizeof(float), "the weights");
        for (size_t i = 0; i < n; i++)
            piece.slot[k][i] = o.type->slot_start ? o.type->slot_start(&o, k) : 0.0f;
    }
    for (size_t t = 0; t < steps; t++) {
        double rate = lam_schedule_rate(&o.rate, (double)t);
        for (size_t i = 0; i < n; i++)
            w[i] *= (float)(1 - o.weight_decay * rate);
        piece.g = g + t * n;
        o.type->begin(&o, rate, t + 1);
        o.type->update(&o, &piece);
        for (size_t i = 0; i < n; i++)
            path[t * n + i] = w[i];
    }
    return glue_array(path, 2, (size_t[]){steps, n});
}
