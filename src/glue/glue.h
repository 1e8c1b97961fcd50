/* What the glue files share.  Only src/glue/ and src/init.c include R headers.
 *
 * A routine that R calls is `SEXP ffi_<noun>_<verb>(SEXP ...)`; tools/make-registrations.R finds it.
 * Rules: C objects live in external pointers that have a finalizer before the object is made;
 * anything else comes from R_alloc(); so an R error may jump out anywhere.  Failures of the core
 * end in glue_check(), which raises a classed R condition and does not return. */
#ifndef LAM_GLUE_GLUE_H
#define LAM_GLUE_GLUE_H

#define R_NO_REMAP
#define STRICT_R_HEADERS
#include <R.h>
#include <Rinternals.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "nn/args.h"
#include "tensor/shape.h"

/* Raises the condition for err when status is not LAM_OK. */
void glue_check(lam_status status, const lam_error *err);

/* A named R list as arguments; memory from R_alloc. `what` names it in errors. */
lam_args glue_args(SEXP list, const char *what);
/* list(type=, config=) as a spec. */
lam_spec glue_spec(SEXP spec, const char *what);

/* Scalars; an R error that names the argument otherwise. */
double glue_number(SEXP x, const char *arg);
size_t glue_count(SEXP x, const char *arg);
bool glue_flag(SEXP x, const char *arg);
const char *glue_string(SEXP x, const char *arg);

/* A numeric (double, integer or logical) R array, samples first, as row-major floats in R_alloc
 * memory; *rows = its first dimension (length for a plain vector), *d = the product of the others. */
float *glue_floats(SEXP x, size_t *rows, size_t *d, const char *arg);
/* Dimensions of x (its length where it has none) into dim[LAM_MAX_RANK]; returns the rank. */
int glue_dims(SEXP x, size_t *dim, const char *arg);
/* Samples first .. first + rows - 1 of x, row-major, into out; whether all are finite. */
bool glue_rows_into(SEXP x, size_t first, size_t rows, int rank, const size_t *dim, float *out,
                    const char *arg);
/* A double array of these dimensions, unfilled (a plain vector for rank 0 and 1); unprotected. */
SEXP glue_new_array(int rank, const size_t *dim);
/* An R double array with dimensions dim[0..rank-1] from row-major floats.  rank 0 or 1: a vector
 * without dim. Returned unprotected. */
SEXP glue_array(const float *x, int rank, const size_t *dim);

#endif
