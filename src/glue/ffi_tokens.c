/* Are inputs ids of a vocabulary? */
#include <math.h>

#include "glue/glue.h"

/* A whole number from 0 to limit - 1, or none at all, which is reported elsewhere. */
static bool is_token(double x, double limit)
{
    return !isfinite(x) || (x >= 0 && x < limit && x == floor(x));
}

/* The position, from 1, of the first number of x that is no id below `limit`; 0 when all are. */
SEXP ffi_tokens_bad(SEXP x, SEXP limit)
{
    double most = glue_number(limit, "input_dim");
    R_xlen_t n = Rf_xlength(x), i = 0;
    if (TYPEOF(x) != REALSXP && TYPEOF(x) != INTSXP)
        glue_refuse(LAM_EARGUMENT, "x", "numbers", Rf_type2char((SEXPTYPE)TYPEOF(x)));
    if (TYPEOF(x) == REALSXP)
        while (i < n && is_token(REAL(x)[i], most))
            i++;
    else
        while (i < n && (INTEGER(x)[i] == NA_INTEGER || is_token(INTEGER(x)[i], most)))
            i++;
    return Rf_ScalarReal(i < n ? (double)i + 1 : 0);
}
