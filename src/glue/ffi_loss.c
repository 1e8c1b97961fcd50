/* Losses and their gradients on R arrays. */
#include "glue/glue.h"
#include "glue/pair.h"
#include "nn/loss.h"

static lam_loss read_loss(SEXP spec, const glue_pair *pair)
{
    lam_loss loss;
    lam_error err;
    lam_spec s = glue_spec(spec, "loss");
    glue_check(lam_loss_read(&s, &loss, &err), &err);
    /* Any number is a target here, as in Keras; but a class number is also a position. */
    if (loss.type->sparse || pair->y_d != pair->d)
        glue_check(lam_loss_check(&loss, pair->rows, pair->d, pair->y_d, pair->y, &err), &err);
    return loss;
}

/* One value for each position (y_pred's dimensions without the last), row-major. */
SEXP ffi_loss_value(SEXP spec, SEXP y_true, SEXP y_pred)
{
    glue_pair pair = glue_read_pair(y_true, y_pred);
    lam_loss loss = read_loss(spec, &pair);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)pair.rows));
    loss.type->eval(&loss, pair.rows, pair.d, pair.y, pair.pred, REAL(out), NULL, NULL);
    UNPROTECT(1);
    return out;
}

/* The gradient of each position's value: an array like y_pred. */
SEXP ffi_loss_gradient(SEXP spec, SEXP y_true, SEXP y_pred)
{
    glue_pair pair = glue_read_pair(y_true, y_pred);
    lam_loss loss = read_loss(spec, &pair);
    double *value = glue_alloc(pair.rows, sizeof(double), "the losses");
    float *scale = glue_alloc(pair.rows, sizeof(float), "the losses");
    float *grad = glue_alloc(pair.rows * pair.d, sizeof(float), "the gradient");
    for (size_t r = 0; r < pair.rows; r++)
        scale[r] = 1;
    loss.type->eval(&loss, pair.rows, pair.d, pair.y, pair.pred, value, scale, grad);
    return glue_array(grad, pair.rank, pair.dim);
}
