/* binary_focal_crossentropy: mean of w m^gamma b over the outputs, b being the binary crossentropy
 * and m = y (1 - p) + (1 - y) p, the probability that is not given to the label.  The weight w is 1, or
 * y alpha + (1 - y) (1 - alpha) with apply_class_balancing.
 * Lin, Goyal, Girshick, He and Dollar, "Focal loss for dense object detection", 2017.
 * Keras: BinaryFocalCrossentropy.
 *
 * Inside b probabilities are clipped to [1e-7, 1 - 1e-7]; from logits nothing is.
 * label_smoothing s puts y (1 - s) + s / 2 in place of y. */
#define LAM_TIERED_FILE "nn/losses/binary_focal_crossentropy.c"
#include "nn/losses/elementwise.h"

#ifdef LAM_TIER

/* m^exponent for m >= 0; 1 where the exponent is 0. */
LAM_INLINE vf LAM_T(power)(vf m, float exponent)
{
    return exponent == 0 ? vf_set(1.0f) : vf_exp(vf_set(exponent) * vf_log(m));
}

LAM_INLINE vf LAM_T(element)(const lam_loss *loss, vf y, vf p, vf *slope)
{
    vf smoothing = vf_set((float)loss->config[SMOOTHING]), one = vf_set(1.0f);
    float gamma = (float)loss->config[GAMMA];
    vf alpha = vf_set((float)loss->config[ALPHA]);
    y = vf_fma(y, one - smoothing, vf_set(0.5f) * smoothing);
    vf b, b_slope, m, m_slope = one - (y + y);
    if (loss->from_logits) {
        vf probability = vf_sigmoid(p), rest = vf_sigmoid(-p);
        b = LAM_T(logit_crossentropy)(y, p);
        b_slope = probability - y;
        m = y * rest + (one - y) * probability;
        m_slope *= probability * rest;
    } else {
        vf low = vf_set(LAM_EPSILON), high = vf_set(1.0f - LAM_EPSILON);
        vf q = vf_min(high, vf_max(low, p));
        b = -(y * vf_log(q) + (one - y) * vf_log1p(-q));
        b_slope = vf_select((p < low) | (p > high), vf_set(0.0f), (q - y) / (q * (one - q)));
        m = y * (one - p) + (one - y) * p;
    }
    vf w = loss->flag ? y * alpha + (one - y) * (one - alpha) : one;
    vf focus = LAM_T(power)(m, gamma);
    vf focus_slope = vf_set(gamma) * LAM_T(power)(m, gamma - 1) * m_slope;
    *slope = w * (focus_slope * b + focus * b_slope);
    return w * focus * b;
}

#else

static lam_status configure(lam_loss *loss, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "apply_class_balancing",
         .kind = LAM_FIELD_BOOL,
         .offset = offsetof(lam_loss, flag)},
        LAM_LOSS_NUMBER("alpha", ALPHA, 0, 1),
        LAM_LOSS_NUMBER("gamma", GAMMA, 0, INFINITY),
        LAM_LOSS_FROM_LOGITS,
        LAM_LOSS_NUMBER("label_smoothing", SMOOTHING, 0, 1),
    };
    loss->config[ALPHA] = 0.25;
    loss->config[GAMMA] = 2;
    return lam_args_read(args, fields, LAM_COUNT(fields), loss, "binary_focal_crossentropy", err);
}

const lam_loss_type lam_loss_binary_focal_crossentropy = {
    .name = "binary_focal_crossentropy",
    .configure = configure,
    .eval = eval,
    .check = lam_loss_check_probabilities,
    .logits_of = LAM_ACT_COUNT,
};

#endif
