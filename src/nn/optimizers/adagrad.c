/* Adagrad (Duchi, Hazan, Singer, JMLR 12, 2011); the sum starts at initial_accumulator_value:
 *
 *     s += g^2
 *     w -= lr g / sqrt(s + epsilon) */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { START, EPSILON };   /* o->config */
enum { RATE, FLOOR };      /* o->constant */

static int slots(const lam_optimizer *o)
{
    (void)o;
    return 1;
}

static float slot_start(const lam_optimizer *o, int slot)
{
    (void)slot;
    return (float)o->config[START];
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_CONFIG_FIELD("initial_accumulator_value", START, 0, INFINITY), LAM_EPSILON_FIELD(EPSILON)};
    o->config[START] = 0.1;
    o->config[EPSILON] = 1e-7;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[RATE] = (float)lr;
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/adagrad.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_adagrad = {
    .name = "adagrad", .slots = slots, .configure = configure, .slot_start = slot_start,
    .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    (void)variant;
    a->slot[0] = vf_fma(a->g, a->g, a->slot[0]);
    a->w -= k[RATE] * a->g / LAM_T(root)(a->slot[0] + k[FLOOR]);
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    LAM_T(each)(o, p, 1, 0);
}
#endif
