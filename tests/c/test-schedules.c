/* Learning rates at many steps, boundaries among them, against formulas written out here and values
 * worked out by hand. */
#include "nn/schedule.h"
#include "unit.h"

#define PI 3.14159265358979323846

static lam_arg number(const char *name, const double *value)
{
    return (lam_arg){.name = name, .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = value};
}

/* list(type =, config =) with up to eight numbers; a NULL name ends them. */
typedef struct par {
    const char *name;
    double value;
} par;

static lam_status read(const char *type, const par *pars, lam_schedule *s, lam_error *err)
{
    lam_arg config[8];
    size_t n = 0;
    for (; pars[n].name; n++)
        config[n] = number(pars[n].name, &pars[n].value);
    lam_arg spec[] = {{.name = "type", .kind = LAM_ARG_STRINGS, .n = 1, .strings = &type},
                      {.name = "config", .kind = LAM_ARG_LIST, .n = n, .list = config}};
    return lam_schedule_read(&(lam_arg){.name = "learning_rate", .kind = LAM_ARG_LIST, .n = 2, .list = spec}, s, err);
}

static lam_schedule make(const char *type, const par *pars)
{
    lam_schedule s = {0};
    lam_error err = {0};
    if (read(type, pars, &s, &err) != LAM_OK)
        unit_fail(__FILE__, __LINE__, "%s: %s", type, err.message);
    return s;
}

static bool tested[LAM_SCHEDULE_COUNT];

static void check_rate(const lam_schedule *s, double step, double want)
{
    tested[s->id] = true;
    CHECK_REL(lam_schedule_rate(s, step), want, 1e-13, 1e-16);
}

static void check_constant(void)
{
    lam_schedule s;
    double rate = 0.25;
    lam_arg arg = number("learning_rate", &rate);
    CHECK_OK(lam_schedule_read(&arg, &s, NULL));
    check_rate(&s, 0, 0.25);
    check_rate(&s, 1e9, 0.25);
}

static void check_decays(void)
{
    for (int staircase = 0; staircase < 2; staircase++) {
        const par pars[] = {{"initial_learning_rate", 0.1}, {"decay_steps", 10}, {"decay_rate", 0.5}, {"staircase", staircase}, {NULL, 0}};
        lam_schedule exponential = make("exponential_decay", pars), inverse = make("inverse_time_decay", pars);
        for (int step = 0; step < 50; step++) {
            double p = staircase ? step / 10 : step / 10.0;
            check_rate(&exponential, step, 0.1 * exp(p * log(0.5)));
            check_rate(&inverse, step, 0.1 / (1 + 0.5 * p));
        }
    }
}

static void check_cosine(void)
{
    lam_schedule s = make("cosine_decay", (par[]){{"initial_learning_rate", 0.2}, {"decay_steps", 40}, {NULL, 0}});
    check_rate(&s, 0, 0.2);
    check_rate(&s, 20, 0.1);
    check_rate(&s, 10, 0.2 * 0.5 * (1 + sqrt(0.5)));
    check_rate(&s, 40, 0);
    check_rate(&s, 1000, 0);
    s = make("cosine_decay", (par[]){{"initial_learning_rate", 0.2}, {"decay_steps", 40}, {"alpha", 0.1}, {NULL, 0}});
    check_rate(&s, 20, 0.2 * (0.9 * 0.5 + 0.1));
    check_rate(&s, 41, 0.02);
    /* steps of a warm-up without its target: no warm-up */
    s = make("cosine_decay", (par[]){{"initial_learning_rate", 0.2}, {"decay_steps", 40}, {"warmup_steps", 10}, {NULL, 0}});
    check_rate(&s, 20, 0.1);
}

static void check_warmup(void)
{
    lam_schedule s = make("cosine_decay", (par[]){{"initial_learning_rate", 0.1}, {"decay_steps", 40}, {"alpha", 0.5}, {"warmup_target", 0.3}, {"warmup_steps", 10}, {NULL, 0}});
    for (int step = 0; step < 10; step++)
        check_rate(&s, step, 0.1 + 0.02 * step);
    for (int step = 10; step <= 50; step++)
        check_rate(&s, step, 0.3 * (0.5 * 0.5 * (1 + cos(PI * (step - 10) / 40)) + 0.5));
    check_rate(&s, 51, 0.15);
    s = make("cosine_decay", (par[]){{"initial_learning_rate", 0.1}, {"decay_steps", 40}, {"warmup_target", 0.3}, {NULL, 0}});
    check_rate(&s, 0, 0.3);
}

static void check_restarts(void)
{
    /* runs 0-9, 10-29, 30-69 */
    const int start[] = {0, 10, 30, 70}, length[] = {10, 20, 40, 80};
    lam_schedule s = make("cosine_decay_restarts", (par[]){{"initial_learning_rate", 0.5}, {"first_decay_steps", 10}, {NULL, 0}});
    for (int run = 0; run < 4; run++)
        for (int step = 0; step < length[run]; step++)
            check_rate(&s, start[run] + step, 0.5 * 0.5 * (1 + cos(PI * step / length[run])));
    /* equally long, each half as high */
    s = make("cosine_decay_restarts", (par[]){{"initial_learning_rate", 1}, {"first_decay_steps", 7}, {"t_mul", 1}, {"m_mul", 0.5}, {"alpha", 0.2}, {NULL, 0}});
    for (int step = 0; step < 40; step++)
        check_rate(&s, step, 0.8 * pow(0.5, step / 7) * 0.5 * (1 + cos(PI * (step % 7) / 7)) + 0.2);
}

static void check_polynomial(void)
{
    lam_schedule s = make("polynomial_decay", (par[]){{"initial_learning_rate", 0.1}, {"decay_steps", 100}, {NULL, 0}});
    check_rate(&s, 0, 0.1);
    check_rate(&s, 50, 0.05005);
    check_rate(&s, 100, 1e-4);
    check_rate(&s, 500, 1e-4);
    const par cycle[] = {{"initial_learning_rate", 0.1}, {"decay_steps", 10}, {"end_learning_rate", 0.01}, {"power", 2}, {"cycle", 1}, {NULL, 0}};
    s = make("polynomial_decay", cycle);
    check_rate(&s, 0, 0.1);
    check_rate(&s, 5, 0.09 * 0.25 + 0.01);
    check_rate(&s, 10, 0.01);
    check_rate(&s, 11, 0.09 * (9.0 / 20) * (9.0 / 20) + 0.01);
    check_rate(&s, 20, 0.01);
    check_rate(&s, 25, 0.09 / 36 + 0.01);
}

static lam_status read_pieces(size_t n, const double *at, size_t m, const double *value, lam_schedule *s, lam_error *err)
{
    const char *type = "piecewise_constant_decay";
    lam_arg config[] = {{.name = "boundaries", .kind = LAM_ARG_NUMBERS, .n = n, .numbers = at},
                        {.name = "values", .kind = LAM_ARG_NUMBERS, .n = m, .numbers = value}};
    lam_arg spec[] = {{.name = "type", .kind = LAM_ARG_STRINGS, .n = 1, .strings = &type},
                      {.name = "config", .kind = LAM_ARG_LIST, .n = 2, .list = config}};
    return lam_schedule_read(&(lam_arg){.name = "learning_rate", .kind = LAM_ARG_LIST, .n = 2, .list = spec}, s, err);
}

static void check_pieces(void)
{
    lam_schedule s;
    const double at[] = {100, 110}, value[] = {1, 0.5, 0.1};
    CHECK_OK(read_pieces(2, at, 3, value, &s, NULL));
    check_rate(&s, 0, 1);
    check_rate(&s, 100, 1);
    check_rate(&s, 101, 0.5);
    check_rate(&s, 110, 0.5);
    check_rate(&s, 111, 0.1);
    check_rate(&s, 1e6, 0.1);
}

TEST(schedules_give_the_rates_of_their_formulas)
{
    check_constant();
    check_decays();
    check_cosine();
    check_warmup();
    check_restarts();
    check_polynomial();
    check_pieces();
    for (int i = 0; i < LAM_SCHEDULE_COUNT; i++)
        if (!tested[i])
            unit_fail(__FILE__, __LINE__, "schedule %s has no test", lam_schedule_name((lam_schedule_id)i));
}

/* Far ahead the runs that are over are not gone through one by one.  What is left of rounding there is a part of
 * a run: rates near those of the steps beside. */
TEST(restarts_far_ahead_are_as_quick)
{
    lam_schedule s;
    const double t = 1.001, first = 10;
    CHECK_OK(read("cosine_decay_restarts", (par[]){{"initial_learning_rate", 1}, {"first_decay_steps", first}, {"t_mul", t}, {NULL, 0}}, &s, NULL));
    for (double step = 1; step < 1e9; step = floor(step * 1.7) + 1) {
        double length = first, left = step;
        while (left >= length) {
            left -= length;
            length *= t;
        }
        CHECK_NEAR(lam_schedule_rate(&s, step), 0.5 * (1 + cos(3.14159265358979323846 * left / length)), 1e-6);
    }
    const double mul[] = {1, 1 + 1e-15, 1 + 1e-9, 1.0000001, 2, 1e300}, steps[] = {1e-300, 1e-9, 1, 1e15};
    for (size_t i = 0; i < sizeof mul / sizeof *mul; i++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            par pars[] = {{"initial_learning_rate", 1}, {"first_decay_steps", steps[k]}, {"t_mul", mul[i]}, {NULL, 0}};
            CHECK_OK(read("cosine_decay_restarts", pars, &s, NULL));
            double rate = lam_schedule_rate(&s, 9e15);
            CHECK(rate >= 0 && rate <= 1);
        }
}

static void refused(const char *type, const par *pars)
{
    lam_schedule s = {.points = 42};
    CHECK_INT(read(type, pars, &s, NULL), LAM_EARGUMENT);
    CHECK_INT(s.points, 42);
}

TEST(schedules_refuse_bad_arguments)
{
    refused("exponential", (par[]){{NULL, 0}});
    refused("exponential_decay", (par[]){{"initial_learning_rate", 0.1}, {NULL, 0}});
    refused("exponential_decay", (par[]){{"initial_learning_rate", 0.1}, {"decay_steps", 0}, {"decay_rate", 1}, {NULL, 0}});
    refused("exponential_decay", (par[]){{"initial_learning_rate", -0.1}, {"decay_steps", 5}, {"decay_rate", 1}, {NULL, 0}});
    refused("cosine_decay", (par[]){{"initial_learning_rate", INFINITY}, {"decay_steps", 5}, {NULL, 0}});
    refused("cosine_decay_restarts", (par[]){{"initial_learning_rate", 1}, {"first_decay_steps", 5}, {"t_mul", 0.5}, {NULL, 0}});
    lam_schedule s;
    const double at[] = {100, 100}, value[] = {1, -0.5, 0.1};
    CHECK_INT(read_pieces(2, at, 3, value, &s, NULL), LAM_EARGUMENT);
    CHECK_INT(read_pieces(1, at, 3, value, &s, NULL), LAM_EARGUMENT);
    CHECK_INT(read_pieces(1, at, 2, value, &s, NULL), LAM_EARGUMENT);
    CHECK_INT(read_pieces(0, at, 1, value, &s, NULL), LAM_EARGUMENT);
    CHECK_INT(lam_schedule_read(&(lam_arg){.name = "learning_rate"}, &s, NULL), LAM_EARGUMENT);
}
