/* Adam (Kingma and Ba, ICLR 2015), in the form at the end of its section 2, where epsilon is added to
 * the uncorrected root:
 *
 *     m += (1 - beta_1) (g - m)
 *     v += (1 - beta_2) (g^2 - v)
 *     w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)
 *
 * amsgrad (Reddi, Kale, Kumar, ICLR 2018) puts the largest v so far in the place of v.
 * AdamW (Loshchilov and Hutter, ICLR 2019) is Adam with weight decay beside the gradient. */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { BETA_1, BETA_2, EPSILON };          /* o->config */
enum { TAKE_1, TAKE_2, RATE, FLOOR };      /* o->constant */

static int slots(const lam_optimizer *o)
{
    return 2 + o->flag;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_KEEP_FIELD("beta_1", BETA_1), LAM_KEEP_FIELD("beta_2", BETA_2),
        LAM_EPSILON_FIELD(EPSILON), LAM_FLAG_FIELD("amsgrad")};
    o->config[BETA_1] = 0.9;
    o->config[BETA_2] = 0.999;
    o->config[EPSILON] = 1e-7;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static lam_status configure_w(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    o->weight_decay = 0.004;
    return configure(o, args, err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    double beta_1 = o->config[BETA_1], beta_2 = o->config[BETA_2];
    o->constant[TAKE_1] = (float)(1 - beta_1);
    o->constant[TAKE_2] = (float)(1 - beta_2);
    o->constant[RATE] = (float)(lr * sqrt(1 - pow(beta_2, (double)t)) / (1 - pow(beta_1, (double)t)));
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/adam.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_adam = {
    .name = "adam", .slots = slots, .configure = configure, .begin = begin, .update = update};
const lam_optimizer_type lam_optimizer_adam_w = {
    .name = "adam_w", .slots = slots, .configure = configure_w, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int amsgrad)
{
    vf m = a->slot[0] = vf_fma(k[TAKE_1], a->g - a->slot[0], a->slot[0]);
    vf v = a->slot[1] = vf_fma(k[TAKE_2], vf_fma(a->g, a->g, -a->slot[1]), a->slot[1]);
    if (amsgrad)
        v = a->slot[2] = vf_max(a->slot[2], v);
    a->w -= k[RATE] * m / (LAM_T(root)(v) + k[FLOOR]);
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    if (o->flag)
        LAM_T(each)(o, p, 3, true);
    else
        LAM_T(each)(o, p, 2, false);
}
#endif
