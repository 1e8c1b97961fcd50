/* What the optimizers share: how to declare their arguments, and how to run their rule.
 *
 * An optimizer's file includes itself through kernels/each_tier.h.  Its tiered part includes
 * rule_template.h and defines LAM_T(step), the formula for one vector of weights, and LAM_T(rule),
 * which goes through a piece with it. */
#ifndef LAM_NN_OPTIMIZERS_RULE_H
#define LAM_NN_OPTIMIZERS_RULE_H

#include <float.h>
#include <math.h>

#include "kernels/cpu.h"
#include "nn/optimizer.h"

typedef void (*lam_rule_fn)(const lam_optimizer *o, const lam_piece *piece);

/* The tier's rule over the piece, by several threads where it is long. */
void lam_rule_run(const lam_rule_fn rules[LAM_TIERS], const lam_optimizer *o, const lam_piece *piece);

/* Fields for lam_optimizer_fields(). */
#define LAM_CONFIG_FIELD(text, i, low, high)                            \
    {.name = text, .kind = LAM_FIELD_DOUBLE, .min = low, .max = high,   \
     .offset = offsetof(lam_optimizer, config) + (i) * sizeof(double)}
#define LAM_FLAG_FIELD(text) \
    {.name = text, .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_optimizer, flag)}
/* A share that is kept from step to step: from 0 to just below 1. */
#define LAM_KEEP_FIELD(text, i) LAM_CONFIG_FIELD(text, i, 0, 1 - DBL_EPSILON)
/* Above 0, so that a weight without gradient is not divided by 0. */
#define LAM_EPSILON_FIELD(i) LAM_CONFIG_FIELD("epsilon", i, FLT_MIN, INFINITY)

#endif
