/* Learning rates: a constant, or a function of the 0-based training step.  List: schedules.def. */
#ifndef LAM_NN_SCHEDULE_H
#define LAM_NN_SCHEDULE_H

#include "nn/args.h"

typedef enum {
#define LAM_SCHEDULE(name) LAM_SCHEDULE_##name,
#include "nn/schedules.def"
#undef LAM_SCHEDULE
    LAM_SCHEDULE_COUNT
} lam_schedule_id;

#define LAM_SCHEDULE_POINTS 64

typedef struct lam_schedule {
    lam_schedule_id id;
    double par[8];
    bool flag;                          /* staircase, cycle */
    bool has_warmup;
    int points;                         /* piecewise_constant_decay */
    double boundary[LAM_SCHEDULE_POINTS], value[LAM_SCHEDULE_POINTS + 1];
} lam_schedule;

/* From an argument that is a number (constant) or a spec. */
lam_status lam_schedule_read(const lam_arg *arg, lam_schedule *schedule, lam_error *err);
double lam_schedule_rate(const lam_schedule *schedule, double step);
const char *lam_schedule_name(lam_schedule_id id);

#endif
