/* Stochastic gradient descent (Robbins and Monro, 1951); with momentum (Polyak, 1964):
 *
 *     w -= lr g                            momentum = 0
 *     v = momentum v - lr g;  w += v       momentum > 0
 *     v = momentum v - lr g;  w += momentum v - lr g      Nesterov's form (1983; Sutskever et al., 2013) */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { MOMENTUM };              /* o->config */
enum { MINUS_RATE, KEEP };      /* o->constant */
enum { PLAIN, HEAVY, NESTEROV };

static int slots(const lam_optimizer *o)
{
    return o->config[MOMENTUM] > 0;
}

static lam_status configure(lam_optimizer *o, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_CONFIG_FIELD("momentum", MOMENTUM, 0, 1), LAM_FLAG_FIELD("nesterov")};
    o->rate.par[0] = 0.01;
    return lam_optimizer_fields(o, args, fields, LAM_COUNT(fields), err);
}

static void begin(lam_optimizer *o, double lr, unsigned long long t)
{
    (void)t;
    o->constant[MINUS_RATE] = (float)-lr;
    o->constant[KEEP] = (float)o->config[MOMENTUM];
}

#define LAM_TIERED_FILE "nn/optimizers/sgd.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_sgd = {
    .name = "sgd", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    vf move = a->g * k[MINUS_RATE];
    if (variant != PLAIN)
        a->slot[0] = vf_fma(k[KEEP], a->slot[0], move);
    if (variant == HEAVY)
        move = a->slot[0];
    if (variant == NESTEROV)
        move = vf_fma(k[KEEP], a->slot[0], move);
    a->w += move;
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    if (o->config[MOMENTUM] == 0)
        LAM_T(each)(o, p, 0, PLAIN);
    else if (!o->flag)
        LAM_T(each)(o, p, 1, HEAVY);
    else
        LAM_T(each)(o, p, 1, NESTEROV);
}
#endif
