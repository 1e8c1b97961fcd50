/* squared_hinge: mean of max(1 - y p, 0)^2 over the outputs, labels y being -1 and 1; labels 0 and
 * 1 are taken for these when all targets of the batch are 0 or 1.  Keras: SquaredHinge. */
#define LAM_TIERED_FILE "nn/losses/squared_hinge.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    y = loss->config[LABELS] == LABELS_01 ? y + y - vf_set(1.0f) : y;
    vf m = vf_max(vf_set(0.0f), vf_set(1.0f) - y * p);
    *slope = vf_set(-2.0f) * m * y;
    return m * m;
}

#else

static void eval_batch(const lam_loss *loss, size_t rows, size_t d, const float *y,
                       const float *pred, double *value, const float *scale, float *grad)
{
    lam_loss prepared = lam_loss_prepare(loss, rows * d, y);
    eval(&prepared, rows, d, y, pred, value, scale, grad);
}

const lam_loss_type lam_loss_squared_hinge = {
    .name = "squared_hinge",
    .eval = eval_batch,
    .check = lam_loss_check_signs,
    .prepare = lam_loss_prepare_signs,
    .logits_of = LAM_ACT_COUNT,
};

#endif
