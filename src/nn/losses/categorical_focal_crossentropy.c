/* categorical_focal_crossentropy: sum of alpha (1 - q)^gamma (-y log q) over the classes.
 * Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", 2017.
 * Keras: CategoricalFocalCrossentropy.
 *
 * From probabilities p: q = p / sum(p), clipped to [1e-7, 1 - 1e-7] in single precision.  From
 * logits z: q = softmax(z).  With g = d value / d q the gradient is (g - sum(g q)) / sum(p) by p
 * and q (g - sum(g q)) by z.
 * label_smoothing s puts y (1 - s) + s / d in place of y. */
#include "nn/losses/common.h"

#include <math.h>

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_LOSS_NUMBER("alpha", ALPHA, 0, INFINITY),
        LAM_LOSS_NUMBER("gamma", GAMMA, 0, INFINITY),
        LAM_LOSS_FROM_LOGITS,
        LAM_LOSS_NUMBER("label_smoothing", SMOOTHING, 0, 1),
    };
    loss->config[ALPHA] = 0.25;
    loss->config[GAMMA] = 2;
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "categorical_focal_crossentropy",
                         err);
}

/* One class of a row: what it adds to the value, q as clipped, and q g (0 where q is clipped). */
typedef struct part {
    double value, q, q_slope;
} part;

/* `base` is the row's log sum of exponentials for logits, its sum for probabilities. */
static part class_part(const lam_loss *loss, double y, double pred, double base)
{
    double alpha = loss->config[ALPHA], gamma = loss->config[GAMMA];
    double log_q = loss->from_logits ? pred - base : 0;
    double raw = loss->from_logits ? exp(log_q) : pred / base;
    double q = loss->from_logits ? raw : lam_loss_clip(raw);
    if (!loss->from_logits)
        log_q = log(q);
    double m = 1 - q, focus = pow(m, gamma);
    /* tends to 0 with m where gamma > 0 */
    double bend = gamma > 0 && m > 0 ? gamma * pow(m, gamma - 1) * q * log_q : 0;
    double q_slope = alpha * y * (bend - focus);
    return (part){-alpha * y * focus * log_q, q, q == raw ? q_slope : 0};
}

static double row(const lam_loss *loss, size_t d, const float *y, const float *pred, double base,
                  float scale, float *grad)
{
    double keep = 1 - loss->config[SMOOTHING], add = loss->config[SMOOTHING] / (double)d;
    double value = 0, sum = 0;
    for (size_t j = 0; j < d; j++) {
        part c = class_part(loss, keep * (double)y[j] + add, (double)pred[j], base);
        value += c.value;
        sum += c.q_slope;
    }
    for (size_t j = 0; grad && j < d; j++) {
        part c = class_part(loss, keep * (double)y[j] + add, (double)pred[j], base);
        double slope = loss->from_logits ? c.q_slope - c.q * sum : (c.q_slope / c.q - sum) / base;
        grad[j] = scale * (float)slope;
    }
    return value;
}

static double row_sum(size_t d, const float *p)
{
    double sum = 0;
    for (size_t j = 0; j < d; j++)
        sum += (double)p[j];
    return sum;
}

static void eval(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                 double *value, const float *scale, float *grad)
{
    if (loss->from_logits)
        lam_loss_softmax(rows, d, pred, value, NULL);
    for (size_t r = 0; r < rows; r++) {
        double base = loss->from_logits ? value[r] : row_sum(d, pred + r * d);
        value[r] = row(loss, d, y + r * d, pred + r * d, base, grad ? scale[r] : 0,
                       grad ? grad + r * d : NULL);
    }
}

const lam_loss_type lam_loss_categorical_focal_crossentropy = {
    .name = "categorical_focal_crossentropy",
    .configure = configure,
    .eval = eval,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_COUNT,
};
