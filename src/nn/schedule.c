/* Learning rates as functions of the 0-based step s.  r = initial_learning_rate, d = decay_steps:
 *
 *   exponential_decay    r * decay_rate^(s / d)                   staircase: floor(s / d)
 *   inverse_time_decay   r / (1 + decay_rate * s / d)             staircase: floor(s / d)
 *   polynomial_decay     (r - end) * (1 - s / d)^power + end      s at most d; cycle: d times the
 *                                                                 least whole number that reaches s
 *   cosine_decay         r * ((1 - alpha) * (1 + cos(pi s / d)) / 2 + alpha)   s at most d, counted
 *                        from the end of a linear warm-up; Loshchilov and Hutter, ICLR 2017
 *   cosine_decay_restarts  the same over and over: each run t_mul times as long and m_mul times as high
 *   piecewise_constant_decay  value[i] up to and with boundary[i] */
#include "nn/schedule.h"

#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

/* What par[] holds. */
enum { INITIAL, STEPS, RATE, POWER = 3, T_MUL = 2, M_MUL = 3, ALPHA = 4, TARGET = 5, WARMUP = 6 };
/* polynomial_decay keeps its end rate where others keep the decay rate. */
enum { END = RATE };

static const char *const names[LAM_SCHEDULE_COUNT] = {
#define LAM_SCHEDULE(name) #name,
#include "nn/schedules.def"
#undef LAM_SCHEDULE
};

const char *lam_schedule_name(lam_schedule_id id)
{
    return names[id];
}

#define PAR(text, i, low)                                                      \
    {.name = text, .kind = LAM_FIELD_DOUBLE, .min = low, .max = INFINITY,      \
     .offset = offsetof(lam_schedule, par) + (i) * sizeof(double)}
#define NEEDED(text, i, low)                                                   \
    {.name = text, .kind = LAM_FIELD_DOUBLE, .min = low, .max = INFINITY,      \
     .offset = offsetof(lam_schedule, par) + (i) * sizeof(double), .required = true}
#define FLAG(text) {.name = text, .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_schedule, flag)}

static const lam_field constant_fields[] = {NEEDED("learning_rate", INITIAL, 0)};
static const lam_field decay_fields[] = {
    NEEDED("initial_learning_rate", INITIAL, 0), NEEDED("decay_steps", STEPS, 0),
    NEEDED("decay_rate", RATE, 0), FLAG("staircase")};
static const lam_field cosine_fields[] = {
    NEEDED("initial_learning_rate", INITIAL, 0), NEEDED("decay_steps", STEPS, 0),
    PAR("alpha", ALPHA, 0), PAR("warmup_target", TARGET, 0), PAR("warmup_steps", WARMUP, 0)};
static const lam_field restarts_fields[] = {
    NEEDED("initial_learning_rate", INITIAL, 0), NEEDED("first_decay_steps", STEPS, 0),
    PAR("t_mul", T_MUL, 1), PAR("m_mul", M_MUL, 0), PAR("alpha", ALPHA, 0)};
static const lam_field polynomial_fields[] = {
    NEEDED("initial_learning_rate", INITIAL, 0), NEEDED("decay_steps", STEPS, 0),
    PAR("end_learning_rate", END, 0), PAR("power", POWER, 0), FLAG("cycle")};
static const lam_field piecewise_fields[] = {
    {.name = "boundaries", .kind = LAM_FIELD_ANY, .required = true},
    {.name = "values", .kind = LAM_FIELD_ANY, .required = true}};

static const struct {
    const lam_field *fields;
    size_t n;
} tables[LAM_SCHEDULE_COUNT] = {
    [LAM_SCHEDULE_constant] = {constant_fields, LAM_COUNT(constant_fields)},
    [LAM_SCHEDULE_exponential_decay] = {decay_fields, LAM_COUNT(decay_fields)},
    [LAM_SCHEDULE_inverse_time_decay] = {decay_fields, LAM_COUNT(decay_fields)},
    [LAM_SCHEDULE_cosine_decay] = {cosine_fields, LAM_COUNT(cosine_fields)},
    [LAM_SCHEDULE_cosine_decay_restarts] = {restarts_fields, LAM_COUNT(restarts_fields)},
    [LAM_SCHEDULE_polynomial_decay] = {polynomial_fields, LAM_COUNT(polynomial_fields)},
    [LAM_SCHEDULE_piecewise_constant_decay] = {piecewise_fields, LAM_COUNT(piecewise_fields)},
};

static lam_status read_piecewise(const lam_args *args, lam_schedule *s, lam_error *err)
{
    const lam_arg *at = lam_args_get(args, "boundaries"), *value = lam_args_get(args, "values");
    if (at->kind != LAM_ARG_NUMBERS || at->n < 1 || at->n > LAM_SCHEDULE_POINTS)
        return lam_fail_arg(err, LAM_EARGUMENT, "boundaries", "1 to 64 steps", "%zu value(s)", at->n);
    if (value->kind != LAM_ARG_NUMBERS || value->n != at->n + 1)
        return lam_fail_arg(err, LAM_EARGUMENT, "values", "one number more than boundaries",
                            "%zu for %zu boundaries", value->n, at->n);
    for (size_t i = 0; i < at->n; i++)
        if (!isfinite(at->numbers[i]) || (i > 0 && at->numbers[i] <= at->numbers[i - 1]))
            return lam_fail_arg(err, LAM_EARGUMENT, "boundaries", "increasing", "%g", at->numbers[i]);
    for (size_t i = 0; i < value->n; i++)
        if (!isfinite(value->numbers[i]) || value->numbers[i] < 0)
            return lam_fail_arg(err, LAM_EARGUMENT, "values", "numbers of at least 0", "%g", value->numbers[i]);
    s->points = (int)at->n;
    memcpy(s->boundary, at->numbers, at->n * sizeof(double));
    memcpy(s->value, value->numbers, value->n * sizeof(double));
    return LAM_OK;
}

static lam_status read_spec(const lam_spec *spec, lam_schedule *out, lam_error *err)
{
    int id = 0;
    while (id < LAM_SCHEDULE_COUNT && strcmp(names[id], spec->type) != 0)
        id++;
    if (id == LAM_SCHEDULE_COUNT)
        return lam_fail_arg(err, LAM_EARGUMENT, "learning_rate", "a number or a schedule", "\"%s\"", spec->type);
    lam_schedule s = {.id = (lam_schedule_id)id, .par = {[STEPS] = 1}};
    if (id == LAM_SCHEDULE_cosine_decay_restarts)
        s.par[T_MUL] = 2, s.par[M_MUL] = 1;
    if (id == LAM_SCHEDULE_polynomial_decay)
        s.par[END] = 1e-4, s.par[POWER] = 1;
    LAM_TRY(lam_args_read(&spec->config, tables[id].fields, tables[id].n, &s, names[id], err));
    s.has_warmup = id == LAM_SCHEDULE_cosine_decay && lam_args_get(&spec->config, "warmup_target");
    if (!(s.par[STEPS] > 0))
        return lam_fail_arg(err, LAM_EARGUMENT, "decay_steps", "a number above 0", "%g", s.par[STEPS]);
    for (size_t i = 0; i < LAM_COUNT(s.par); i++)
        if (!isfinite(s.par[i]))
            return lam_fail(err, LAM_EARGUMENT, "The arguments of %s must be finite.", names[id]);
    if (id == LAM_SCHEDULE_piecewise_constant_decay)
        LAM_TRY(read_piecewise(&spec->config, &s, err));
    *out = s;
    return LAM_OK;
}

lam_status lam_schedule_read(const lam_arg *arg, lam_schedule *schedule, lam_error *err)
{
    lam_spec spec;
    if (arg->kind == LAM_ARG_NUMBERS) {
        lam_arg named = *arg;
        named.name = "learning_rate";
        return read_spec(&(lam_spec){"constant", {1, &named}}, schedule, err);
    }
    LAM_TRY(lam_arg_spec(arg, &spec, err));
    if (!spec.type)
        return lam_fail_arg(err, LAM_EARGUMENT, "learning_rate", "a number or a schedule", "NULL");
    return read_spec(&spec, schedule, err);
}

static double cosine(double fraction, double height, double alpha)
{
    return (1 - alpha) * height * 0.5 * (1 + cos(PI * fraction)) + alpha;
}

static double cosine_decay(const lam_schedule *s, double step)
{
    double from = s->par[INITIAL];
    if (s->has_warmup) {
        if (step < s->par[WARMUP])
            return from + (s->par[TARGET] - from) * step / s->par[WARMUP];
        step -= s->par[WARMUP];
        from = s->par[TARGET];
    }
    return from * cosine(fmin(step, s->par[STEPS]) / s->par[STEPS], 1, s->par[ALPHA]);
}

/* Counting runs off keeps the restarts on their steps, where Keras' logarithm may round past one. */
static double cosine_restarts(const lam_schedule *s, double step)
{
    double length = fmax(s->par[STEPS], 1e-9), t = s->par[T_MUL], run = 0;
    if (t == 1) {
        run = floor(step / length);
        step = fmod(step, length);
    } else { /* far ahead nobody can tell a step from the next: all but the last runs at once */
        double far = floor(log1p(step / length * (t - 1)) / log(t)) - 2;
        if (far > 1000) {
            run = far;
            step = fmax(step - length * expm1(far * log(t)) / (t - 1), 0);
            length *= pow(t, far);
        }
    }
    while (step >= length) {
        step -= length;
        length *= s->par[T_MUL];
        run++;
    }
    return s->par[INITIAL] * cosine(step / length, pow(s->par[M_MUL], run), s->par[ALPHA]);
}

static double polynomial(const lam_schedule *s, double step)
{
    double steps = s->par[STEPS];
    if (s->flag)
        steps *= fmax(1, ceil(step / steps));
    double left = 1 - fmin(step, steps) / steps;
    return (s->par[INITIAL] - s->par[END]) * pow(left, s->par[POWER]) + s->par[END];
}

static double piecewise(const lam_schedule *s, double step)
{
    int i = 0;
    while (i < s->points && step > s->boundary[i])
        i++;
    return s->value[i];
}

double lam_schedule_rate(const lam_schedule *s, double step)
{
    double age = step / s->par[STEPS];
    if (s->flag)
        age = floor(age);
    switch (s->id) {
    case LAM_SCHEDULE_exponential_decay:
        return s->par[INITIAL] * pow(s->par[RATE], age);
    case LAM_SCHEDULE_inverse_time_decay:
        return s->par[INITIAL] / (1 + s->par[RATE] * age);
    case LAM_SCHEDULE_cosine_decay:
        return cosine_decay(s, step);
    case LAM_SCHEDULE_cosine_decay_restarts:
        return cosine_restarts(s, step);
    case LAM_SCHEDULE_polynomial_decay:
        return polynomial(s, step);
    case LAM_SCHEDULE_piecewise_constant_decay:
        return piecewise(s, step);
    default:
        return s->par[INITIAL];
    }
}
