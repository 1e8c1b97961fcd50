/* categorical_hinge: max(0, n - t + 1) with t = sum of y p and n = max of (1 - y) p over the
 * classes; for a one-hot y the n is at least 0, from the true class.  Keras: CategoricalHinge.
 * Of equal largest classes the first takes the gradient. */
#include "nn/losses/common.h"

static double row(size_t d, const float *y, const float *p, float scale, float *grad)
{
    double positive = 0, negative = 0;
    size_t at = 0;
    for (size_t j = 0; j < d; j++) {
        double other = (1 - (double)y[j]) * (double)p[j];
        positive += (double)y[j] * (double)p[j];
        if (j == 0 || other > negative) {
            negative = other;
            at = j;
        }
    }
    double margin = negative - positive + 1;
    if (grad) {
        for (size_t j = 0; j < d; j++)
            grad[j] = margin > 0 ? -scale * y[j] : 0;
        grad[at] += margin > 0 ? scale * (1 - y[at]) : 0;
    }
    return margin < 0 ? 0 : margin;
}

static void eval(const lam_loss *loss, size_t rows, size_t d, const float *y, const float *pred,
                 double *value, const float *scale, float *grad)
{
    (void)loss;
    for (size_t r = 0; r < rows; r++)
        value[r] = row(d, y + r * d, pred + r * d, grad ? scale[r] : 0, grad ? grad + r * d : NULL);
}

const lam_loss_type lam_loss_categorical_hinge = {
    .name = "categorical_hinge",
    .eval = eval,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_COUNT,
};
