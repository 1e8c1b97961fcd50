/* Activations that tests of products end in, with their definitions in double precision. */
#ifndef LAM_TESTS_PRODUCTS_H
#define LAM_TESTS_PRODUCTS_H

#include <math.h>

#include "kernels/activation.h"

static const lam_activation relu = {LAM_ACT_relu, {0, INFINITY, 0}};
static const lam_activation leaky = {LAM_ACT_relu, {0.5f, 2.0f, 0}};
static const lam_activation tanh_ = {LAM_ACT_tanh, {0}};
static const lam_activation linear = {LAM_ACT_linear, {0}};

/* Taken in turn; NULL: none. */
static const lam_activation *const acts[] = {NULL, &relu, &tanh_, &leaky, NULL, &relu, &linear};

static double activate(const lam_activation *act, double z)
{
    switch (act->id) {
    case LAM_ACT_linear: return z;
    case LAM_ACT_relu: return z >= (double)act->par[1] ? (double)act->par[1] : z >= 0 ? z : (double)act->par[0] * z;
    case LAM_ACT_tanh: return tanh(z);
    default: return NAN;
    }
}

#endif
