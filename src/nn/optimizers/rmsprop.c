/* RMSprop (Tieleman and Hinton, Coursera lecture 6.5, 2012):
 *
 *     v = rho v + (1 - rho) g^2
 *     d = v + epsilon                                  plain
 *     a = rho a + (1 - rho) g;  d = v - a^2 + epsilon  centered (Graves, 2013)
 *     w -= lr g / sqrt(d)                              momentum = 0
 *     b = momentum b + lr g / sqrt(d);  w -= b         momentum > 0
 *
 * Slots: v, then b, then a, as far as they are needed. */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { RHO, MOMENTUM, EPSILON };               /* o->config */
enum { KEEP, TAKE, RATE, KEEP_MOVE, FLOOR };   /* o->constant */
enum { WITH_MOMENTUM = 1, CENTERED = 2 };      /* variants, as bits */

static int slots(const lam_optimizer *o)
{
    return 1 + (o->config[MOMENTUM] > 0) + o->flag;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_KEEP_FIELD("rho", RHO), LAM_CONFIG_FIELD("momentum", MOMENTUM, 0, 1),
        LAM_EPSILON_FIELD(EPSILON), LAM_FLAG_FIELD("centered")};
    o->config[RHO] = 0.9;
    o->config[EPSILON] = 1e-7;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[KEEP] = (float)o->config[RHO];
    o->constant[TAKE] = (float)(1 - o->config[RHO]);
    o->constant[RATE] = (float)lr;
    o->constant[KEEP_MOVE] = (float)o->config[MOMENTUM];
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/rmsprop.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_rmsprop = {
    .name = "rmsprop", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    vf taken = k[TAKE] * a->g;
    vf v = a->slot[0] = vf_fma(k[KEEP], a->slot[0], taken * a->g);
    if (variant & CENTERED) {
        vf *mean = &a->slot[variant & WITH_MOMENTUM ? 2 : 1];
        *mean = vf_fma(k[KEEP], *mean, taken);
        /* a variance; rounding may take it below 0 */
        v = vf_max(vf_set(0.0f), vf_fma(-*mean, *mean, v));
    }
    vf move = k[RATE] * a->g / LAM_T(root)(v + k[FLOOR]);
    if (variant & WITH_MOMENTUM)
        move = a->slot[1] = vf_fma(k[KEEP_MOVE], a->slot[1], move);
    a->w -= move;
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    bool momentum = o->config[MOMENTUM] > 0;
    if (momentum && o->flag)
        LAM_T(each)(o, p, 3, WITH_MOMENTUM | CENTERED);
    else if (momentum)
        LAM_T(each)(o, p, 2, WITH_MOMENTUM);
    else if (o->flag)
        LAM_T(each)(o, p, 2, CENTERED);
    else
        LAM_T(each)(o, p, 1, 0);
}
#endif
