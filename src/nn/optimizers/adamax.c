/* Adamax (Kingma and Ba, ICLR 2015, section 7): Adam with the maximum in the place of the root mean
 * square:
 *
 *     m += (1 - beta_1) (g - m)
 *     u = max(beta_2 u, |g|)
 *     w -= lr / (1 - beta_1^t) * m / (u + epsilon) */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { BETA_1, BETA_2, EPSILON };          /* o->config */
enum { TAKE_1, KEEP_2, RATE, FLOOR };      /* o->constant */

static int slots(const lam_optimizer *o)
{
    (void)o;
    return 2;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_KEEP_FIELD("beta_1", BETA_1), LAM_KEEP_FIELD("beta_2", BETA_2), LAM_EPSILON_FIELD(EPSILON)};
    o->config[BETA_1] = 0.9;
    o->config[BETA_2] = 0.999;
    o->config[EPSILON] = 1e-7;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    double beta_1 = o->config[BETA_1];
    o->constant[TAKE_1] = (float)(1 - beta_1);
    o->constant[KEEP_2] = (float)o->config[BETA_2];
    o->constant[RATE] = (float)(lr / (1 - pow(beta_1, (double)t)));
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/adamax.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_adamax = {
    .name = "adamax", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    (void)variant;
    a->slot[0] = vf_fma(k[TAKE_1], a->g - a->slot[0], a->slot[0]);
    a->slot[1] = vf_max(k[KEEP_2] * a->slot[1], vf_abs(a->g));
    a->w -= k[RATE] * a->slot[0] / (a->slot[1] + k[FLOOR]);
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    LAM_T(each)(o, p, 2, 0);
}
#endif
