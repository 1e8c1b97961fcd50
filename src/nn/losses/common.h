/* What several losses share: checks of targets, fields, the two forms of evaluation. */
#ifndef LAM_NN_LOSSES_COMMON_H
#define LAM_NN_LOSSES_COMMON_H

#include "nn/loss.h"

/* ---- checks of targets ------------------------------------------------------------------- */

/* All targets from low to high; `expected` says so in words. */
lam_status lam_loss_check_range(size_t rows, size_t y_d, const float *y, double low, double high,
                                const char *expected, lam_error *err);

/* The forms of lam_loss_type.check. */
lam_status lam_loss_check_probabilities(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                        const float *y, lam_error *err);
lam_status lam_loss_check_not_negative(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                       const float *y, lam_error *err);
lam_status lam_loss_check_signs(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                const float *y, lam_error *err);

/* The hinges' lam_loss_type.prepare: sets config[LABELS] to LABELS_01 or LABELS_SIGNS. */
void lam_loss_prepare_signs(lam_loss *loss, size_t n, const float *y);

/* "`y` must be <expected>, not <value> in row <first> (<rows> such rows)." */
lam_status lam_loss_fail_rows(lam_error *err, const char *expected, double value, size_t first,
                              size_t rows);

/* ---- arguments ----------------------------------------------------------------------------- */

/* What stands where in lam_loss.config. */
enum { SMOOTHING, ALPHA, GAMMA };
enum { DELTA = 0 };
enum { IGNORED = 0 }; /* valid where lam_loss.flag is set */
enum { LABELS = 0, LABELS_UNKNOWN = 0, LABELS_01, LABELS_SIGNS };

/* Fields of lam_loss for lam_args_read(). */
#define LAM_LOSS_NUMBER(name_, i, min_, max_)                                                   \
    {.name = name_, .kind = LAM_FIELD_DOUBLE, .min = min_, .max = max_,                         \
     .offset = offsetof(lam_loss, config) + (i) * sizeof(double)}
#define LAM_LOSS_FROM_LOGITS                                                                    \
    {.name = "from_logits", .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_loss, from_logits)}

/* Clipped to [1e-7, 1 - 1e-7], the ends rounded to single precision as in Keras: the upper one is
 * 1 - 1.19e-7.  NaN stays. */
double lam_loss_clip(double q);

/* ---- losses element by element: elementwise.h ---------------------------------------------- */

typedef struct lam_elementwise {
    /* The n elements of one row: their sum; grad = factor * slope unless NULL. */
    double (*row)(const lam_loss *loss, size_t n, const float *y, const float *pred, float factor,
                  float *grad);
    /* n elements whatever their row: value and (unless NULL) slope of each. */
    void (*elements)(const lam_loss *loss, size_t n, const float *y, const float *pred,
                     float *value, float *slope);
} lam_elementwise;

/* value[r] = share * the sum over row r's outputs. */
void lam_elementwise_eval(const lam_elementwise *loops, const lam_loss *loss, double share,
                          size_t rows, size_t d, const float *y, const float *pred, double *value,
                          const float *scale, float *grad);

/* ---- losses row by row from weighted sums: softmax.c ---------------------------------------- */

/* lse[r] = log(sum over j of exp(z[r, j])) and, unless p is NULL, p = softmax(z). */
void lam_loss_softmax(size_t rows, size_t d, const float *z, double *lse, float *p);

#endif
