#include "nn/optimizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/threads.h"
#include "nn/optimizers/rule.h"

#define LAM_OPTIMIZER(name) extern const lam_optimizer_type lam_optimizer_##name;
#include "nn/optimizers.def"
#undef LAM_OPTIMIZER

const lam_optimizer_type *const lam_optimizer_types[] = {
#define LAM_OPTIMIZER(name) &lam_optimizer_##name,
#include "nn/optimizers.def"
#undef LAM_OPTIMIZER
    NULL};

const char *const lam_optimizer_aliases[] = {"adamw", "adam_w", NULL};

const lam_optimizer_type *lam_optimizer_type_find(const char *name)
{
    for (size_t i = 0; lam_optimizer_aliases[i]; i += 2)
        if (strcmp(lam_optimizer_aliases[i], name) == 0)
            name = lam_optimizer_aliases[i + 1];
    for (size_t i = 0; lam_optimizer_types[i]; i++)
        if (strcmp(lam_optimizer_types[i]->name, name) == 0)
            return lam_optimizer_types[i];
    return NULL;
}

/* ---- arguments ------------------------------------------------------------------------------- */

#define COMMON(member, kind_, low, high) \
    {.name = #member, .kind = kind_, .offset = offsetof(lam_optimizer, member), .min = low, .max = high}

/* `name` is only for people. */
static const lam_field common[] = {
    {.name = "learning_rate", .kind = LAM_FIELD_ANY},
    {.name = "name", .kind = LAM_FIELD_ANY},
    COMMON(weight_decay, LAM_FIELD_DOUBLE, 0, INFINITY),
    COMMON(clipnorm, LAM_FIELD_DOUBLE, FLT_MIN, INFINITY),
    COMMON(clipvalue, LAM_FIELD_DOUBLE, FLT_MIN, INFINITY),
    COMMON(global_clipnorm, LAM_FIELD_DOUBLE, FLT_MIN, INFINITY),
    COMMON(use_ema, LAM_FIELD_BOOL, 0, 0),
    COMMON(ema_momentum, LAM_FIELD_DOUBLE, 0, 1),
    COMMON(ema_overwrite_frequency, LAM_FIELD_SIZE, 1, INFINITY),
    COMMON(loss_scale_factor, LAM_FIELD_DOUBLE, FLT_MIN, INFINITY),
    {.name = "gradient_accumulation_steps", .kind = LAM_FIELD_SIZE, .offset = offsetof(lam_optimizer, accumulation), .min = 1, .max = INFINITY},
};

enum { OWN_MAX = 8 };

lam_status lam_optimizer_fields(lam_optimizer *o, const lam_args *args, const lam_field *own,
                                size_t n_own, lam_error *err)
{
    lam_field fields[LAM_COUNT(common) + OWN_MAX];
    if (n_own > OWN_MAX)
        return lam_fail(err, LAM_ESTATE, "Optimizer %s has too many arguments.", o->type->name);
    memcpy(fields, common, sizeof common);
    memcpy(fields + LAM_COUNT(common), own, n_own * sizeof *own);
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(common) + n_own, o, o->type->name, err));
    const lam_arg *rate = lam_args_get(args, "learning_rate");
    if (rate)
        LAM_TRY(lam_schedule_read(rate, &o->rate, err));
    int clips = (o->clipnorm > 0) + (o->clipvalue > 0) + (o->global_clipnorm > 0);
    if (clips > 1)
        return lam_fail_arg(err, LAM_EARGUMENT, o->clipnorm > 0 ? "clipnorm" : "clipvalue",
                            "the only one of clipnorm, clipvalue and global_clipnorm", "one of %d", clips);
    return LAM_OK;
}

lam_status lam_optimizer_read(const lam_spec *spec, lam_optimizer *o, lam_error *err)
{
    const lam_optimizer_type *type = lam_optimizer_type_find(spec->type);
    if (!type)
        return lam_fail_arg(err, LAM_EARGUMENT, "optimizer", "the name of an optimizer", "\"%s\"", spec->type);
    lam_optimizer read = {
        .type = type,
        .rate = {.id = LAM_SCHEDULE_constant, .par = {0.001}},
        .ema_momentum = 0.99,
        .accumulation = 1,
    };
    LAM_TRY(type->configure(&read, &spec->config, err));
    *o = read;
    return LAM_OK;
}

/* ---- running a rule -------------------------------------------------------------------------- */

/* A task's weights, gradients and slots together fit a second-level cache; below MANY weights waking
 * the other threads costs more than they save. */
enum { CHUNK = 32768, MANY = 4 * CHUNK };

typedef struct job {
    lam_rule_fn rule;
    const lam_optimizer *o;
    const lam_piece *piece;
} job;

static void chunk_task(void *arg, size_t task, int worker)
{
    const job *j = arg;
    (void)worker;
    size_t first = task * CHUNK, left = j->piece->n - first;
    lam_piece chunk = {.n = left < CHUNK ? left : CHUNK, .w = j->piece->w + first, .g = j->piece->g + first};
    for (int s = 0; s < LAM_MAX_SLOTS; s++)
        chunk.slot[s] = j->piece->slot[s] ? j->piece->slot[s] + first : NULL;
    j->rule(j->o, &chunk);
}

void lam_rule_run(const lam_rule_fn rules[LAM_TIERS], const lam_optimizer *o, const lam_piece *piece)
{
    job j = {rules[lam_tier()], o, piece};
    if (piece->n < MANY)
        j.rule(o, piece);
    else
        lam_parallel((piece->n + CHUNK - 1) / CHUNK, chunk_task, &j);
}
