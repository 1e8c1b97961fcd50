/* A metric: a streaming number over batches.  One row in metrics.def; small ones share a file.
 *
 * The state is a few doubles, zero at the start, updated batch by batch; two states add up to the
 * state of both batches, so the order of batches is the only order there is. */
#ifndef LAM_NN_METRIC_H
#define LAM_NN_METRIC_H

#include "nn/args.h"
#include "nn/loss.h"

struct lam_metric;

typedef struct lam_metric_type {
    const char *name;       /* also the default name in the history */
    /* Reads the arguments; NULL: the metric has none. */
    lam_status (*configure)(struct lam_metric *metric, const lam_args *args, lam_error *err);
    size_t (*state_count)(const struct lam_metric *metric, size_t d);
    /* w: one weight a row, or NULL for all 1. */
    void (*update)(const struct lam_metric *metric, size_t rows, size_t d, size_t y_d,
                   const float *y, const float *pred, const float *w, double *state);
    double (*result)(const struct lam_metric *metric, size_t d, const double *state);
    /* What the targets must look like; NULL: y_d == d. */
    lam_status (*check)(const struct lam_metric *metric, size_t d, size_t y_d, lam_error *err);
    const lam_loss_type *loss; /* the metric is made of this loss's mean over the rows; else NULL */
} lam_metric_type;

typedef struct lam_metric {
    const lam_metric_type *type;
    char name[64];          /* its name in the history: given, or the string it was asked for by */
    double config[4];
    lam_loss loss;          /* where type->loss is set: that loss with its arguments */
} lam_metric;

extern const lam_metric_type *const lam_metric_types[];
const lam_metric_type *lam_metric_type_find(const char *name);
extern const char *const lam_metric_aliases[];

/* spec.config may hold `name`.  "accuracy"/"acc" and "crossentropy"/"ce" are resolved by shapes
 * (d outputs, y_d target columns, as Keras): d == 1 binary, y_d == d categorical, y_d == 1 sparse. */
lam_status lam_metric_read(const lam_spec *spec, size_t d, size_t y_d, lam_metric *metric,
                           lam_error *err);

#endif
