/* The definitions of test-kernels-activation.c, for tests of what has activations inside. */
#ifndef LAM_TESTS_ACTIVATION_REFERENCE_H
#define LAM_TESTS_ACTIVATION_REFERENCE_H

#include "kernels/activation.h"

/* One number of an element-wise activation, in double precision; NaN for one without a definition. */
double activation_reference(const lam_activation *a, double x);

#endif
