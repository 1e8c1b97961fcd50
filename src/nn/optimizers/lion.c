/* Lion (Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023):
 *
 *     w -= lr sign(beta_1 m + (1 - beta_1) g)
 *     m = beta_2 m + (1 - beta_2) g */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { BETA_1, BETA_2 };                           /* o->config */
enum { KEEP_1, TAKE_1, KEEP_2, TAKE_2, RATE };     /* o->constant */

static int slots(const lam_optimizer *o)
{
    (void)o;
    return 1;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_CONFIG_FIELD("beta_1", BETA_1, FLT_MIN, 1), LAM_CONFIG_FIELD("beta_2", BETA_2, 0, 1)};
    o->config[BETA_1] = 0.9;
    o->config[BETA_2] = 0.99;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[KEEP_1] = (float)o->config[BETA_1];
    o->constant[TAKE_1] = (float)(1 - o->config[BETA_1]);
    o->constant[KEEP_2] = (float)o->config[BETA_2];
    o->constant[TAKE_2] = (float)(1 - o->config[BETA_2]);
    o->constant[RATE] = (float)lr;
}

#define LAM_TIERED_FILE "nn/optimizers/lion.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_lion = {
    .name = "lion", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    (void)variant;
    vf zero = vf_set(0.0f), m = a->slot[0];
    vf way = vf_fma(k[KEEP_1], m, k[TAKE_1] * a->g);
    /* 0 and NaN are their own sign */
    vf move = vf_select(way > zero, k[RATE], vf_select(way < zero, -k[RATE], way));
    a->w -= move;
    a->slot[0] = vf_fma(k[KEEP_2], m, k[TAKE_2] * a->g);
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    LAM_T(each)(o, p, 1, 0);
}
#endif
