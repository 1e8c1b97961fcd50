/* The definitions of test-losses.c, for tests of what is made of losses. */
#ifndef LAM_TESTS_LOSS_REFERENCE_H
#define LAM_TESTS_LOSS_REFERENCE_H

#include "nn/loss.h"

/* One row's loss with default arguments, in double precision from the definition.  For a sparse
 * loss y[0] is the class. */
double loss_reference(const char *name, size_t d, const double *y, const double *p);
/* The same with the numbers among these arguments. */
double loss_reference_with(const lam_spec *spec, size_t d, const double *y, const double *p);

#endif
