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

/* The same for a bad argument: "`arg` must be <expected>, not <actual>." */
void glue_refuse(lam_status code, const char *arg, const char *expected, const char *actual);

/* A named R list as arguments; memory from R_alloc. `what` names it in errors. */
lam_args glue_args(SEXP list, const char *what);
/* list(type=, config=) as a spec. */
lam_spec glue_spec(SEXP spec, const char *what);

/* Whatever R hands over is read by these alone, which trust nothing of it: an R error that names the
 * argument otherwise. */
double glue_number(SEXP x, const char *arg);
size_t glue_count(SEXP x, const char *arg);
/* A whole number below `limit`. */
size_t glue_index(SEXP x, size_t limit, const char *arg);
bool glue_flag(SEXP x, const char *arg);
/* Valid UTF-8. */
const char *glue_string(SEXP x, const char *arg);
const char *glue_utf8(SEXP charsxp, const char *arg);
/* Checks that x is a list (of n, unless n < 0); returns its length. */
R_xlen_t glue_list(SEXP x, R_xlen_t n, const char *arg);
/* An integer vector of positions below `limit`, counted from `first`; returns its length. */
R_xlen_t glue_positions(SEXP x, int first, int limit, const char *arg);
/* A shape given as doubles, without the samples: whole numbers of at least `least`. */
lam_shape glue_shape(SEXP x, int max_rank, size_t least, const char *arg);

/* R_alloc() for n things of a size, and Rf_allocVector()'s leave: what there is no memory for is a classed
 * error, before anything is taken. */
void *glue_alloc(size_t n, size_t size, const char *what);
void glue_room(size_t n, size_t size, const char *what);

/* A numeric (double, integer or logical) R array, samples first, as row-major floats in R_alloc
 * memory; *rows = its first dimension (length for a plain vector), *d = the product of the others. */
float *glue_floats(SEXP x, size_t *rows, size_t *d, const char *arg);
/* Checks that x holds numbers; its dimensions (its length where it has none) into dim[LAM_MAX_RANK]; returns
 * the rank, at least 1. */
int glue_dims(SEXP x, size_t *dim, const char *arg);
/* Samples first .. first + rows - 1 of x, whose dimensions glue_dims() gave, row-major, into out; whether all are
 * finite. */
bool glue_rows_into(SEXP x, size_t first, size_t rows, int rank, const size_t *dim, float *out);
/* A double array of these dimensions, unfilled (a plain vector for rank 0 and 1); unprotected. */
SEXP glue_new_array(int rank, const size_t *dim);
/* An R double array with dimensions dim[0..rank-1] from row-major floats.  rank 0 or 1: a vector
 * without dim. Returned unprotected. */
SEXP glue_array(const float *x, int rank, const size_t *dim);

#endif
