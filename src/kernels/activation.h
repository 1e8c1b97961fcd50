/* Activations: output = activation(weighted sum).
 *
 * The list is activations.def; the formulas, forward beside backward, are activation.c's. */
#ifndef LAM_KERNELS_ACTIVATION_H
#define LAM_KERNELS_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
#define LAM_ACTIVATION(name, ...) LAM_ACT_##name,
#include "kernels/activations.def"
#undef LAM_ACTIVATION
    LAM_ACT_COUNT
} lam_act_id;

#define LAM_ACT_PARAMS 3

typedef struct lam_activation {
    lam_act_id id;
    float par[LAM_ACT_PARAMS]; /* in the order of the type's parameter names */
} lam_activation;

typedef struct lam_activation_type {
    const char *name;
    bool by_row;   /* works on whole rows (softmax), not element by element */
    bool needs_x;  /* backward reads x; but ask lam_activation_needs_x() */
    bool needs_y;  /* backward reads y */
    const char *par_name[LAM_ACT_PARAMS]; /* Keras' argument names; NULL where unused */
    float par_default[LAM_ACT_PARAMS];
} lam_activation_type;

const lam_activation_type *lam_activation_type_of(lam_act_id id);
/* By name or alias ("swish" for silu, "hard_swish" for hard_silu); LAM_ACT_COUNT when unknown. */
lam_act_id lam_activation_find(const char *name);
/* The alias table, for the R vocabulary: pairs alias, name; ended by NULL. */
extern const char *const lam_activation_aliases[];
/* Whether backward reads x; where not, its x may be NULL.  The type's needs_x, but for relu,
 * leaky_relu and elu with unusual parameters, such as a negative slope. */
bool lam_activation_needs_x(const lam_activation *act);
/* The plain rectifier, max(x, 0)? */
bool lam_activation_is_relu(const lam_activation *act);

/* y = activation(x) over rows x d numbers.  y may be x. */
void lam_activation_forward(const lam_activation *act, size_t rows, size_t d, const float *x, float *y);
/* dx = dy * slope (for by_row types: dy times the Jacobian).  dx may be dy. */
void lam_activation_backward(const lam_activation *act, size_t rows, size_t d, const float *x,
                             const float *y, const float *dy, float *dx);

/* What runs inside lam_activation_forward(), on one thread and in the current tier: for callers
 * that have a few rows in cache. */
typedef void (*lam_activation_fn)(const float *par, size_t rows, size_t d, const float *x, float *y);
lam_activation_fn lam_activation_kernel(lam_act_id id);

#endif
