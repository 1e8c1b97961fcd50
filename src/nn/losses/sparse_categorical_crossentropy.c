/* sparse_categorical_crossentropy: -log q[y], the target y being the number of the class, from 0.
 * Keras: SparseCategoricalCrossentropy.
 *
 * From probabilities p: q = p / sum(p), clipped to [1e-7, 1 - 1e-7] in single precision; the
 * gradient is 1 / sum(p), less 1 / p[y] at y, and 0 where q[y] is clipped.  From logits z:
 * q = softmax(z), and the gradient is q, less 1 at y.
 * Rows whose target is ignore_class do not count.  A target that is no class gives NaN. */
#include "nn/losses/common.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_LOSS_FROM_LOGITS,
        LAM_LOSS_NUMBER("ignore_class", IGNORED, -1e6, 1e6),
    };
    loss->flag = lam_args_get(args, "ignore_class") != NULL;
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "sparse_categorical_crossentropy",
                         err);
}

static bool ignores(const lam_loss *loss, const float *y)
{
    return loss->flag && (double)*y == loss->config[IGNORED];
}

static bool is_class(double y, size_t d)
{
    return y >= 0 && y < (double)d && y == (double)(size_t)y;
}

static lam_status check(const lam_loss *loss, size_t rows, size_t d, size_t y_d, const float *y,
                        lam_error *err)
{
    char expected[64];
    size_t bad = 0, first = 0;
    (void)y_d;
    for (size_t r = 0; r < rows; r++)
        if (!is_class((double)y[r], d) && !ignores(loss, y + r) && bad++ == 0)
            first = r;
    if (bad == 0)
        return LAM_OK;
    snprintf(expected, sizeof expected, "whole numbers from 0 to %zu (%zu classes)", d - 1, d);
    return lam_loss_fail_rows(err, expected, (double)y[first], first, bad);
}

static double from_probabilities(size_t d, size_t k, const float *p, float scale, float *grad)
{
    double total = 0;
    for (size_t j = 0; j < d; j++)
        total += (double)p[j];
    double q = (double)p[k] / total, kept = lam_loss_clip(q);
    if (grad) {
        for (size_t j = 0; j < d; j++)
            grad[j] = kept == q ? (float)((double)scale / total) : 0;
        grad[k] -= kept == q ? (float)((double)scale / (double)p[k]) : 0;
    }
    return -log(kept);
}

/* lse and, in grad, softmax(z) are there. */
static double from_logits(size_t d, size_t k, const float *z, double lse, float scale, float *grad)
{
    if (grad) {
        grad[k] -= 1;
        for (size_t j = 0; j < d; j++)
            grad[j] *= scale;
    }
    return lse - (double)z[k];
}

static void eval(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                 double *value, const float *scale, float *grad)
{
    if (loss->from_logits)
        lam_loss_softmax(rows, d, pred, value, grad);
    for (size_t r = 0; r < rows; r++) {
        float *g = grad ? grad + r * d : NULL, factor = grad ? scale[r] : 0;
        if (ignores(loss, y + r) || !is_class((double)y[r], d)) {
            value[r] = ignores(loss, y + r) ? 0 : (double)NAN;
            if (g)
                memset(g, 0, d * sizeof *g);
        } else if (loss->from_logits) {
            value[r] = from_logits(d, (size_t)y[r], pred + r * d, value[r], factor, g);
        } else {
            value[r] = from_probabilities(d, (size_t)y[r], pred + r * d, factor, g);
        }
    }
}

const lam_loss_type lam_loss_sparse_categorical_crossentropy = {
    .name = "sparse_categorical_crossentropy",
    .configure = configure,
    .eval = eval,
    .check = check,
    .ignores = ignores,
    .sparse = true,
    .logits_of = LAM_ACT_softmax,
};
