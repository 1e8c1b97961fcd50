/* Nadam (Dozat, ICLR workshop 2016): Adam with Nesterov momentum.  With u_t = beta_1 (1 - 0.96^t / 2)
 * and U_t = u_1 u_2 ... u_t:
 *
 *     m += (1 - beta_1) (g - m)
 *     v += (1 - beta_2) (g^2 - v)
 *     p = u_{t+1} m / (1 - U_{t+1}) + (1 - u_t) g / (1 - U_t)
 *     w -= lr p / (sqrt(v / (1 - beta_2^t)) + epsilon) */
#ifndef LAM_TIER
#include "nn/optimizers/rule.h"

enum { BETA_1, BETA_2, EPSILON, PRODUCT, PRODUCT_STEP };                    /* o->config */
enum { TAKE_1, TAKE_2, RATE_M, RATE_G, CORRECT_V, FLOOR };                  /* o->constant */

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

static double u(const lam_optimizer *o, double t)
{
    return o->config[BETA_1] * (1 - 0.5 * pow(0.96, t));
}

/* U_t, carried on from the step before; made anew from step 1 where training was resumed, so that it
 * depends on t alone.  Below DBL_MIN it is as good as 0. */
static double product(lam_optimizer *o, double t)
{
    double *value = &o->config[PRODUCT], *at = &o->config[PRODUCT_STEP];
    if (*at == 0 || *at > t)
        *value = 1, *at = 0;
    for (; *at < t && *value > DBL_MIN; ++*at)
        *value *= u(o, *at + 1);
    *at = t;
    return *value;
}

static void begin(lam_optimizer *o, double lr, unsigned long long step)
{
    double t = (double)step;
    double now = product(o, t), next = now * u(o, t + 1);
    o->constant[TAKE_1] = (float)(1 - o->config[BETA_1]);
    o->constant[TAKE_2] = (float)(1 - o->config[BETA_2]);
    o->constant[RATE_M] = (float)(lr * u(o, t + 1) / (1 - next));
    o->constant[RATE_G] = (float)(lr * (1 - u(o, t)) / (1 - now));
    o->constant[CORRECT_V] = (float)(1 / (1 - pow(o->config[BETA_2], t)));
    o->constant[FLOOR] = (float)o->config[EPSILON];
}

#define LAM_TIERED_FILE "nn/optimizers/nadam.c"
#include "kernels/each_tier.h"

static void update(const lam_optimizer *o, const lam_piece *piece)
{
    static const lam_rule_fn rules[LAM_TIERS] = LAM_TIER_TABLE(rule);
    lam_rule_run(rules, o, piece);
}

const lam_optimizer_type lam_optimizer_nadam = {
    .name = "nadam", .slots = slots, .configure = configure, .begin = begin, .update = update};

#else
#include "kernels/vec_template.h"
#include "nn/optimizers/rule_template.h"

LAM_INLINE void LAM_T(step)(const vf *k, LAM_T(lane) *a, int variant)
{
    (void)variant;
    vf m = a->slot[0] = vf_fma(k[TAKE_1], a->g - a->slot[0], a->slot[0]);
    vf v = a->slot[1] = vf_fma(k[TAKE_2], vf_fma(a->g, a->g, -a->slot[1]), a->slot[1]);
    vf move = vf_fma(k[RATE_M], m, k[RATE_G] * a->g);
    a->w -= move / (LAM_T(root)(v * k[CORRECT_V]) + k[FLOOR]);
}

LAM_FN void LAM_T(rule)(const lam_optimizer *o, const lam_piece *p)
{
    LAM_T(each)(o, p, 2, 0);
}
#endif
