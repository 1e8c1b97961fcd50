/* R arrays to row-major floats and back. */
#include "glue/glue.h"

#include <limits.h>

#include "base/alloc.h"
#include "kernels/convert.h"

int glue_dims(SEXP x, size_t *dim, const char *arg)
{
    if (TYPEOF(x) != REALSXP && TYPEOF(x) != INTSXP && TYPEOF(x) != LGLSXP)
        glue_refuse(LAM_EARGUMENT, arg, "numbers", Rf_type2char((SEXPTYPE)TYPEOF(x)));
    SEXP dims = Rf_getAttrib(x, R_DimSymbol);
    if (dims == R_NilValue) {
        dim[0] = (size_t)Rf_xlength(x);
        return 1;
    }
    int rank = (int)Rf_xlength(dims);
    if (rank > LAM_MAX_RANK) {
        lam_error err;
        glue_check(lam_fail_arg(&err, LAM_ESHAPE, arg, "an array of at most 5 dimensions", "%d dimensions", rank), &err);
    }
    for (int i = 0; i < rank; i++)
        dim[i] = (size_t)INTEGER(dims)[i];
    return rank;
}

bool glue_rows_into(SEXP x, size_t first, size_t rows, int rank, const size_t *dim, float *out)
{
    if (TYPEOF(x) == REALSXP)
        return lam_from_doubles(REAL(x), first, rows, rank, dim, out);
    return lam_from_integers(TYPEOF(x) == INTSXP ? INTEGER(x) : LOGICAL(x), first, rows, rank, dim, out);
}

float *glue_floats(SEXP x, size_t *rows, size_t *d, const char *arg)
{
    size_t dim[LAM_MAX_RANK];
    int rank = glue_dims(x, dim, arg);
    *rows = rank > 0 ? dim[0] : 1;
    *d = 1;
    for (int i = 1; i < rank; i++)
        *d *= dim[i];
    float *out = glue_alloc(*rows * *d, sizeof(float), arg);
    glue_rows_into(x, 0, *rows, rank, dim, out);
    return out;
}

static SEXP allocate_doubles(void *n)
{
    return Rf_allocVector(REALSXP, *(R_xlen_t *)n);
}

static SEXP refuse(SEXP condition, void *data)
{
    (void)condition, (void)data;
    return R_NilValue;
}

/* So many doubles; where R has no memory for them, our own condition.  To catch R's takes longer than to
 * allocate what is small, which R has memory for or nothing goes on anyway. */
static SEXP new_doubles(size_t count)
{
    enum { LARGE = 1 << 24 };
    R_xlen_t n = count > (size_t)R_XLEN_T_MAX ? -1 : (R_xlen_t)count;
    if (count < LARGE)
        return Rf_allocVector(REALSXP, n);
    SEXP out = n < 0 ? R_NilValue : R_tryCatchError(allocate_doubles, &n, refuse, NULL);
    if (out == R_NilValue) {
        lam_error err;
        glue_check(lam_fail(&err, LAM_EMEMORY, "Cannot allocate %.1f MiB for the result.",
                            (double)count * sizeof(double) / 1048576.0), &err);
    }
    return out;
}

SEXP glue_new_array(int rank, const size_t *dim)
{
    size_t count = 1;
    for (int i = 0; i < rank; i++) {
        if (rank > 1 && dim[i] > INT_MAX)
            glue_refuse(LAM_EMEMORY, "dim", "below 2^31, as R's arrays are", "more");
        count = lam_mul(count, dim[i]);
    }
    SEXP out = PROTECT(new_doubles(count));
    if (rank > 1) {
        SEXP dims = PROTECT(Rf_allocVector(INTSXP, rank));
        for (int i = 0; i < rank; i++)
            INTEGER(dims)[i] = (int)dim[i];
        Rf_setAttrib(out, R_DimSymbol, dims);
        UNPROTECT(1);
    }
    UNPROTECT(1);
    return out;
}

SEXP glue_array(const float *x, int rank, const size_t *dim)
{
    SEXP out = PROTECT(glue_new_array(rank, dim));
    size_t one = 1;
    if (rank == 0)
        lam_to_doubles(x, 0, 1, 1, &one, REAL(out));
    else
        lam_to_doubles(x, 0, dim[0], rank, dim, REAL(out));
    UNPROTECT(1);
    return out;
}
