/* Adadelta (Zeiler, 2012):
 *
 *     s = rho s + (1 - rho) g^2
 *     x = sqrt(d + epsilon) / sqrt(s + epsilon) g
 *     d = rho d + (1 - rho) x^2
 *     w -= lr x */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { RHO, EPSILON };               /* o->config */
enum { KEEP, TAKE, RATE, FLOOR };    /* o->constant */

static int slots(const lam_optimizer *o)
{
    (void)o;
    return 2;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_KEEP_FIELD("rho", RHO), LAM_EPSILON_FIELD(EPSILON)};
    o->config[RHO] = 0.95;
    o->config[EPSILON] = 1e-7;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[KEEP] = (float)o->config[RHO];
    o->constant[TAKE] = (float)(1 - o->config[RHO]);
    o->constant[RATE] = (float)lr;
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/adadelta.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_adadelta = {
    .name = "adadelta", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    (void)variant;
    vf s = a->slot[0] = vf_fma(k[KEEP], a->slot[0], k[TAKE] * a->g * a->g);
    vf x = LAM_T(root)((a->slot[1] + k[FLOOR]) / (s + k[FLOOR])) * a->g;
    a->slot[1] = vf_fma(k[KEEP], a->slot[1], k[TAKE] * x * x);
    a->w -= k[RATE] * x;
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    LAM_T(each)(o, p, 2, 0);
}
#endif
