/* An optimizer: one file in nn/optimizers/, one row in optimizers.def. */
#ifndef LAM_NN_OPTIMIZER_H
#define LAM_NN_OPTIMIZER_H

#include "nn/args.h"
#include "nn/schedule.h"

struct lam_optimizer;

#define LAM_MAX_SLOTS 4

/* One piece of a flat weight vector with its gradient and its slots, all of length n. */
typedef struct lam_piece {
    size_t n;
    float *w;
    const float *g;
    float *slot[LAM_MAX_SLOTS];
} lam_piece;

typedef struct lam_optimizer_type {
    const char *name;
    int (*slots)(const struct lam_optimizer *o);   /* how many numbers it keeps per weight */
    lam_status (*configure)(struct lam_optimizer *o, const lam_args *args, lam_error *err);
    /* What slot s starts as (0 where NULL): Adagrad's accumulator starts at 0.1. */
    float (*slot_start)(const struct lam_optimizer *o, int slot);
    /* Once per step, before the pieces: work out the step's constants.  t counts from 1. */
    void (*begin)(struct lam_optimizer *o, double lr, unsigned long long t);
    /* new weights from old; element-wise, so that pieces can be cut anywhere */
    void (*update)(const struct lam_optimizer *o, const lam_piece *piece);
} lam_optimizer_type;

typedef struct lam_optimizer {
    const lam_optimizer_type *type;
    lam_schedule rate;             /* constant or a schedule of the 0-based step */
    double weight_decay;           /* 0: none. w -= w * weight_decay * rate, before the update */
    double clipnorm, clipvalue, global_clipnorm;   /* 0: none; at most one is set */
    bool use_ema;
    double ema_momentum;
    size_t ema_overwrite_frequency;                /* 0: only at the end of training */
    size_t accumulation;           /* gradient_accumulation_steps; 1: none */
    double loss_scale_factor;      /* 0: none */
    double config[6];              /* the type's own: beta_1, rho, momentum, ... */
    bool flag;                     /* the type's own: nesterov, amsgrad, centered */
    float constant[8];             /* the step's constants, from begin() to update() */
} lam_optimizer;

extern const lam_optimizer_type *const lam_optimizer_types[];
const lam_optimizer_type *lam_optimizer_type_find(const char *name);
extern const char *const lam_optimizer_aliases[];

/* Reads the type's own arguments and the common ones (learning_rate, weight_decay, ...). */
lam_status lam_optimizer_read(const lam_spec *spec, lam_optimizer *o, lam_error *err);
/* The fields all optimizers share; a type's configure() passes its own fields to this. */
lam_status lam_optimizer_fields(struct lam_optimizer *o, const lam_args *args,
                                const lam_field *own, size_t n_own, lam_error *err);

#endif
