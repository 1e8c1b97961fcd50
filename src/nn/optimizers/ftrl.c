/* FTRL-proximal (McMahan et al., "Ad click prediction", KDD 2013).  With q = -learning_rate_power:
 *
 *     n' = n + g^2
 *     z += g + 2 shrinkage w - (n'^q - n^q) / lr * w
 *     w = (clip(z, -l1, l1) - z) / (n'^q / lr + beta / lr + 2 l2)
 *     n = n'
 *
 * n starts at initial_accumulator_value.  w is made anew from z at every step: a weight that never
 * had a gradient is 0 after the first. */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { POWER, START, L1, L2, SHRINKAGE, BETA };                           /* o->config */
enum { PER_RATE, EXPONENT, AT_ZERO, CLIP, STEADY, TWICE_SHRINKAGE };      /* o->constant */
enum { ROOT, ANY_POWER };                                                 /* variants */

static int slots(const lam_optimizer *o)
{
    (void)o;
    return 2;
}

static float slot_start(const lam_optimizer *o, int slot)
{
    return slot == 0 ? (float)o->config[START] : 0.0f;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_CONFIG_FIELD("learning_rate_power", POWER, -INFINITY, 0),
        LAM_CONFIG_FIELD("initial_accumulator_value", START, 0, INFINITY),
        LAM_CONFIG_FIELD("l1_regularization_strength", L1, 0, INFINITY),
        LAM_CONFIG_FIELD("l2_regularization_strength", L2, 0, INFINITY),
        LAM_CONFIG_FIELD("l2_shrinkage_regularization_strength", SHRINKAGE, 0, INFINITY),
        LAM_CONFIG_FIELD("beta", BETA, 0, INFINITY)};
    o->config[POWER] = -0.5;
    o->config[START] = 0.1;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

/* A rate of 0, where a schedule may end, leaves everything alone: PER_RATE = 0 says so. */
static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[PER_RATE] = lr > 0 ? (float)(1 / lr) : 0.0f;
    o->constant[EXPONENT] = (float)-o->config[POWER];
    o->constant[AT_ZERO] = o->config[POWER] == 0 ? 1.0f : 0.0f;
    o->constant[CLIP] = (float)o->config[L1];
    o->constant[STEADY] = (float)(o->config[BETA] / lr + 2 * o->config[L2]);
    o->constant[TWICE_SHRINKAGE] = (float)(2 * o->config[SHRINKAGE]);
}

#define LAM_TIERED_FILE "nn/optimizers/ftrl.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    if (o->constant[PER_RATE] > 0)
        lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_ftrl = {
    .name = "ftrl", .slots = slots, .configure = configure, .slot_start = slot_start,
    .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "kernels/vmath_template.h"
#include "nn/optimizers/rule_template.h"

/* n^q for n >= 0 */
LAM_INLINE vf LAM_T(power)(const vf *k, vf n)
{
    vf least = vf_set(FLT_MIN);
    return vf_select(n < least, k[AT_ZERO], vf_exp(k[EXPONENT] * vf_log(vf_max(least, n))));
}

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    vf zero = vf_set(0.0f);
    vf square = a->g * a->g;
    vf n = a->slot[0] + square;
    vf grown, after;
    if (variant == ROOT) {
        after = LAM_T(root)(n);
        /* sqrt(n') - sqrt(n), without losing a small gradient */
        vf sum = after + LAM_T(root)(a->slot[0]);
        grown = vf_select(sum == zero, zero, square / sum);
    } else {
        after = LAM_T(power)(k, n);
        grown = after - LAM_T(power)(k, a->slot[0]);
    }
    vf z = a->slot[1] + vf_fma(k[TWICE_SHRINKAGE], a->w, a->g) - grown * k[PER_RATE] * a->w;
    vf scale = vf_fma(after, k[PER_RATE], k[STEADY]);
    vf clipped = vf_max(-k[CLIP], vf_min(k[CLIP], z));
    a->w = vf_select(scale == zero, zero, (clipped - z) / scale);
    a->slot[0] = n;
    a->slot[1] = z;
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    if (o->config[POWER] == -0.5)
        LAM_T(each)(o, p, 2, ROOT);
    else
        LAM_T(each)(o, p, 2, ANY_POWER);
}
#endif
