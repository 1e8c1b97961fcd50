/* cosine_similarity: -sum of u v over the outputs, where u = y / max(|y|, 1e-7) and v likewise of
 * the predictions: -1 where both point the same way.  Keras: CosineSimilarity.
 * The gradient is -(u - (u v) v) / |p|, and -u / 1e-7 for a p shorter than that. */
#include "nn/losses/common.h"

#include <math.h>

static double row(size_t d, const float *y, const float *p, float scale, float *grad)
{
    double yy = 0, pp = 0, yp = 0;
    for (size_t j = 0; j < d; j++) {
        yy += (double)y[j] * (double)y[j];
        pp += (double)p[j] * (double)p[j];
        yp += (double)y[j] * (double)p[j];
    }
    double y_norm = fmax(sqrt(yy), (double)LAM_EPSILON);
    double p_norm = fmax(sqrt(pp), (double)LAM_EPSILON);
    double cosine = yp / (y_norm * p_norm);
    bool turning = sqrt(pp) > (double)LAM_EPSILON; /* a clamped length does not change with p */
    if (grad)
        for (size_t j = 0; j < d; j++) {
            double along = turning ? cosine * (double)p[j] / p_norm : 0;
            grad[j] = -scale * (float)(((double)y[j] / y_norm - along) / p_norm);
        }
    return -cosine;
}

static void eval(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                 double *value, const float *scale, float *grad)
{
    (void)loss;
    for (size_t r = 0; r < rows; r++)
        value[r] = row(d, y + r * d, pred + r * d, grad ? scale[r] : 0, grad ? grad + r * d : NULL);
}

const lam_loss_type lam_loss_cosine_similarity = {
    .name = "cosine_similarity",
    .eval = eval,
    .logits_of = LAM_ACT_COUNT,
};
