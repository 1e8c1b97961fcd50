/* binary_crossentropy: mean of -(y log p + (1 - y) log(1 - p)) over the outputs.
 * Keras: BinaryCrossentropy.
 *
 * Probabilities are clipped to [1e-7, 1 - 1e-7] in single precision, with slope 0 beyond.  From
 * logits x it is max(x, 0) - x y + log(1 + exp(-|x|)), with slope sigmoid(x) - y: exact however
 * large x is.
 * label_smoothing s puts y (1 - s) + s / 2 in place of y. */
#define LAM_TIERED_FILE "nn/losses/binary_crossentropy.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    vf smoothing = vf_set((float)loss->config[SMOOTHING]), one = vf_set(1.0f);
    y = vf_fma(y, one - smoothing, vf_set(0.5f) * smoothing);
    if (loss->from_logits) {
        *slope = vf_sigmoid(p) - y;
        return LAM_T(logit_crossentropy)(y, p);
    }
    vf low = vf_set(LAM_EPSILON), high = vf_set(1.0f - LAM_EPSILON);
    vf q = vf_min(high, vf_max(low, p));
    *slope = vf_select((p < low) | (p > high), vf_set(0.0f), (q - y) / (q * (one - q)));
    return -(y * vf_log(q) + (one - y) * vf_log1p(-q));
}

#else

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_LOSS_FROM_LOGITS,
        LAM_LOSS_NUMBER("label_smoothing", SMOOTHING, 0, 1),
    };
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "binary_crossentropy", err);
}

const lam_loss_type lam_loss_binary_crossentropy = {
    .name = "binary_crossentropy",
    .configure = configure,
    .eval = eval,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_sigmoid,
};

#endif
