/* What a weight can have besides its numbers: how it starts, what it costs, what it must obey. */
#ifndef LAM_NN_WEIGHTS_H
#define LAM_NN_WEIGHTS_H

#include "base/rng.h"
#include "nn/args.h"
#include "tensor/shape.h"

/* ---- initializers (initializer.c, initializers.def) ---------------------------------------- */

typedef enum {
#define LAM_INITIALIZER(name) LAM_INIT_##name,
#include "nn/initializers.def"
#undef LAM_INITIALIZER
    LAM_INIT_COUNT
} lam_initializer_id;

typedef struct lam_initializer {
    lam_initializer_id id;
    double par[4];   /* value | mean, stddev | minval, maxval | gain | scale, mode, distribution */
    bool has_seed;   /* an initializer with a seed of its own always draws the same numbers */
    double seed;
    const double *values; /* constant: one value an element, in R's order; its owner's memory */
    size_t n_values;      /* 0 or 1: par[0] everywhere */
    size_t ones_from, ones; /* so many elements from there on start at 1 all the same */
} lam_initializer;

/* By spec; spec->type may carry Keras' other spellings ("GlorotUniform", "Zeros"). */
lam_status lam_initializer_read(const lam_spec *spec, lam_initializer *init, lam_error *err);
/* Fills out[count(shape)], row-major.  Fans: fan_in = shape[-2] * receptive, fan_out = shape[-1] *
 * receptive, receptive = the product of the other dimensions; for rank 1 both are the length. */
lam_status lam_initializer_fill(const lam_initializer *init, const lam_shape *shape,
                                const lam_rng *rng, float *out, lam_error *err);
const char *lam_initializer_name(lam_initializer_id id);
/* Pairs alias, name, ended by NULL; so are the other lists of aliases. */
extern const char *const lam_initializer_aliases[];

/* ---- regularizers (regularizer.c): the penalty is added to the loss ------------------------- */

/* l1 * sum|w| + l2 * sum w^2 (no 1/2).  Types: l1 (l1 = 0.01), l2 (l2 = 0.01), l1_l2 (0, 0; alias
 * l1l2). */
typedef struct lam_regularizer {
    float l1, l2;
} lam_regularizer;

/* The names of the types, ended by NULL, and their aliases. */
extern const char *const lam_regularizer_names[];
extern const char *const lam_regularizer_aliases[];

lam_status lam_regularizer_read(const lam_spec *spec, lam_regularizer *reg, lam_error *err);
double lam_regularizer_value(const lam_regularizer *reg, size_t n, const float *w);
/* g += scale * (l1 * sign(w) + 2 * l2 * w), sign(0) = 0 */
void lam_regularizer_gradient(const lam_regularizer *reg, size_t n, const float *w, float scale,
                              float *g);

/* ---- constraints (constraint.c): applied to a weight after its update ------------------------ */

typedef enum {
    LAM_CONSTRAINT_none,
    LAM_CONSTRAINT_maxnorm,
    LAM_CONSTRAINT_nonneg,
    LAM_CONSTRAINT_unitnorm,
    LAM_CONSTRAINT_minmaxnorm
} lam_constraint_id;

typedef struct lam_constraint {
    lam_constraint_id id;
    float max_value, min_value, rate;
    unsigned axes; /* bit i: the norm runs over dimension i (0-based here, 1-based in R);
                      bit LAM_AXIS_FROM_END + i: over the last dimension but i (-1 - i in R) */
} lam_constraint;

enum { LAM_AXIS_FROM_END = 8 };

/* The names of the types, ended by NULL, and their aliases. */
extern const char *const lam_constraint_names[];
extern const char *const lam_constraint_aliases[];

lam_status lam_constraint_read(const lam_spec *spec, lam_constraint *constraint, lam_error *err);
/* Fails when the constraint names a dimension that the weight does not have. */
lam_status lam_constraint_check(const lam_constraint *constraint, const lam_shape *shape, lam_error *err);
void lam_constraint_apply(const lam_constraint *constraint, const lam_shape *shape, float *w);

#endif
