/* categorical_crossentropy: -sum of y log q over the classes.  Keras: CategoricalCrossentropy.
 *
 * From probabilities p: q = p / sum(p), clipped to [1e-7, 1 - 1e-7] in single precision; the
 * gradient is -y / p + sum(y) / sum(p), both terms only where q is not clipped.  From logits z:
 * q = softmax(z), and the gradient is sum(y) q - y.
 * label_smoothing s puts y (1 - s) + s / d in place of y. */
#include "nn/losses/common.h"

#include <math.h>

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_LOSS_FROM_LOGITS,
        LAM_LOSS_NUMBER("label_smoothing", SMOOTHING, 0, 1),
    };
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "categorical_crossentropy", err);
}

/* y (1 - s) + s / d as keep * y + add */
typedef struct smoothing {
    double keep, add;
} smoothing;

/* lse and, in grad, softmax(z) are there. */
static double from_logits(smoothing s, size_t d, const float *y, const float *z, double lse,
                          float scale, float *grad)
{
    double sum = 0, targets = 0;
    for (size_t j = 0; j < d; j++) {
        double t = s.keep * (double)y[j] + s.add;
        targets += t;
        sum += t * (lse - (double)z[j]);
    }
    for (size_t j = 0; grad && j < d; j++)
        grad[j] = scale * (float)(targets * (double)grad[j] - (s.keep * (double)y[j] + s.add));
    return sum;
}

static double from_probabilities(smoothing s, size_t d, const float *y, const float *p,
                                 float scale, float *grad)
{
    double total = 0, sum = 0, moving = 0;
    for (size_t j = 0; j < d; j++)
        total += (double)p[j];
    for (size_t j = 0; j < d; j++) {
        double t = s.keep * (double)y[j] + s.add, q = (double)p[j] / total;
        double kept = lam_loss_clip(q);
        sum -= t * log(kept);
        moving += kept == q ? t : 0;
    }
    for (size_t j = 0; grad && j < d; j++) {
        double t = s.keep * (double)y[j] + s.add, q = (double)p[j] / total;
        double own = lam_loss_clip(q) == q ? t / (double)p[j] : 0;
        grad[j] = scale * (float)(moving / total - own);
    }
    return sum;
}

static void eval(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                 double *value, const float *scale, float *grad)
{
    smoothing s = {1 - loss->config[SMOOTHING], loss->config[SMOOTHING] / (double)d};
    if (loss->from_logits)
        lam_loss_softmax(rows, d, pred, value, grad);
    for (size_t r = 0; r < rows; r++) {
        const float *target = y + r * d, *row = pred + r * d;
        float *g = grad ? grad + r * d : NULL, factor = grad ? scale[r] : 0;
        value[r] = loss->from_logits ? from_logits(s, d, target, row, value[r], factor, g)
                                     : from_probabilities(s, d, target, row, factor, g);
    }
}

const lam_loss_type lam_loss_categorical_crossentropy = {
    .name = "categorical_crossentropy",
    .configure = configure,
    .eval = eval,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_softmax,
};
