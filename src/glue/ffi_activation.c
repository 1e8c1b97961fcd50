/* Activations of R arrays. */
#include "glue/glue.h"
#include "nn/layer.h"

/* arguments: list(activation = <spec>); x: a vector, mapped number by number, or a matrix, along
 * whose rows softmax and its kin work.  Gives a matrix of rows x columns. */
SEXP ffi_activation(SEXP arguments, SEXP x)
{
    lam_error err;
    lam_activation act;
    size_t rows, d;
    lam_args args = glue_args(arguments, "activation");
    glue_check(lam_args_activation(&args, "activation", &act, &err), &err);
    float *values = glue_floats(x, &rows, &d, "x");
    lam_activation_forward(&act, rows, d, values, values);
    size_t dim[2] = {rows, d};
    return glue_array(values, 2, dim);
}
