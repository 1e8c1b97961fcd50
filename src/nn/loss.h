/* A loss: one file in nn/losses/, one row in losses.def. */
#ifndef LAM_NN_LOSS_H
#define LAM_NN_LOSS_H

#include <stdbool.h>
#include <stddef.h>

#include "kernels/activation.h"
#include "nn/args.h"

/* Keras' epsilon: probabilities are kept this far from 0 and 1, divisors from 0. */
#define LAM_EPSILON 1e-7f

struct lam_loss;

typedef struct lam_loss_type {
    const char *name;
    /* Reads the arguments into loss->config and kin; NULL: the loss has none. */
    lam_status (*configure)(struct lam_loss *loss, const lam_args *args, lam_error *err);
    /* For each of `rows` rows of d predictions and y_d targets: value[r] = the row's loss (already
     * the mean over the d outputs where the formula has one), and, where grad is not NULL,
     * grad[r * d + j] = scale[r] * d value[r] / d pred[r, j].
     * y is rows x y_d: y_d == d, or y_d == 1 for class numbers (sparse).  grad overlaps nothing. */
    void (*eval)(const struct lam_loss *loss, size_t rows, size_t d, const float *y,
                 const float *pred, double *value, const float *scale, float *grad);
    /* Checks the targets once before training: outside the classes, negative for a log, ...
     * NULL: any number will do. */
    lam_status (*check)(const struct lam_loss *loss, size_t rows, size_t d, size_t y_d,
                        const float *y, lam_error *err);
    /* Settles what depends on all n targets of a batch (hinge: are the labels 0/1?), for callers
     * that give eval a batch in pieces; where it was not called, eval looks at the rows it gets.
     * NULL: nothing does. */
    void (*prepare)(struct lam_loss *loss, size_t n, const float *y);
    /* Whether a row's target says that the row does not count (ignore_class): its value and
     * gradient are 0 and a mean does not divide by it.  NULL: every row counts. */
    bool (*ignores)(const struct lam_loss *loss, const float *y);
    bool sparse;            /* targets are class numbers, one a row */
    /* When the network ends in this activation, the loss is evaluated on the weighted sums with
     * from_logits = TRUE: exact where the probabilities saturate.  LAM_ACT_COUNT: never. */
    lam_act_id logits_of;
} lam_loss_type;

typedef struct lam_loss {
    const lam_loss_type *type;
    bool from_logits;       /* read by the types that have the argument */
    double config[4];       /* label_smoothing, delta, gamma, alpha, ...: the type's own */
    bool flag;              /* one more for the type's own use */
} lam_loss;

extern const lam_loss_type *const lam_loss_types[];
/* By name or alias; aliases are pairs alias, name, ended by NULL. */
const lam_loss_type *lam_loss_type_find(const char *name);
extern const char *const lam_loss_aliases[];

lam_status lam_loss_read(const lam_spec *spec, lam_loss *loss, lam_error *err);

/* Shapes, then the type's own check. */
lam_status lam_loss_check(const lam_loss *loss, size_t rows, size_t d, size_t y_d, const float *y,
                          lam_error *err);
/* The loss as it is for a batch with these n targets. */
lam_loss lam_loss_prepare(const lam_loss *loss, size_t n, const float *y);
/* How many of the rows count: what a mean loss divides by. */
size_t lam_loss_count(const lam_loss *loss, size_t rows, size_t y_d, const float *y);

#endif
