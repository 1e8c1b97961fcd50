/* A profile: where the time of a training goes.
 *
 * A clock that is read at the end of each piece of work: the time since the last reading goes to the
 * account of that piece.  So nothing is left out, and the accounts add up to the time that the clock
 * ran.  Where parts of a batch run on several threads at once, each worker keeps such a clock of its
 * own; afterwards the time that passed meanwhile is shared out among the layers in proportion to what
 * they took of the workers' time.
 *
 * The memory is there before training begins.  A plan or loop without a profile has a NULL pointer
 * and reads no clock. */
#ifndef LAM_NN_PROFILE_H
#define LAM_NN_PROFILE_H

#include "base/threads.h"
#include "nn/net.h"

/* What a layer does. */
typedef enum { LAM_PHASE_PREPARE, LAM_PHASE_FORWARD, LAM_PHASE_BACKWARD, LAM_PHASES } lam_phase;

/* What is done outside layers. */
typedef enum {
    LAM_STAGE_DATA,    /* gathering the batch */
    LAM_STAGE_LOSS,
    LAM_STAGE_UPDATE,  /* penalties and optimizer */
    LAM_STAGE_METRICS,
    LAM_STAGE_REST,    /* putting weights by, checks */
    LAM_STAGES
} lam_stage;

typedef struct lam_account {
    double seconds;
    double calls;
    double work;           /* multiply-adds */
} lam_account;

/* A worker's clock and accounts while parts of a batch are at work. */
typedef struct lam_profile_worker {
    double last;
    lam_account *layer;
} lam_profile_worker;

typedef struct lam_profile {
    int n_layers;
    double begun;                      /* when it was made */
    double last;                       /* the last reading of the clock */
    lam_account *layer[LAM_PHASES];    /* of each, n_layers accounts */
    double stage[LAM_STAGES];          /* seconds */
    double batches, samples;
    lam_profile_worker worker[LAM_MAX_THREADS];
    lam_account *accounts;             /* the memory of all accounts */
} lam_profile;

lam_status lam_profile_new(lam_profile **profile, int n_layers, lam_error *err);
void lam_profile_free(lam_profile *profile);

/* The clock starts, or starts again after a pause that is on nobody's account. */
void lam_profile_start(lam_profile *profile);
/* Up to now it was this stage. */
void lam_profile_stage(lam_profile *profile, lam_stage stage);
/* Up to now it was a call of layer i, or more of the one before. */
void lam_profile_layer(lam_profile *profile, lam_phase phase, int i, double work);
void lam_profile_more(lam_profile *profile, lam_phase phase, int i);

/* The same for parts of a batch on a worker. */
void lam_profile_worker_start(lam_profile *profile, int worker);
void lam_profile_worker_layer(lam_profile *profile, int worker, int i, double work);
/* All of them are done: the time since the last reading is that of layers from <= i < to. */
void lam_profile_share(lam_profile *profile, lam_phase phase, int from, int to);

/* Multiply-adds of a layer's backward for `rows` samples: as many as forward's for the gradients of the
 * kernels, where they are trained, and as many for those of the inputs, where somebody wants them. */
double lam_backward_work(const lam_layer *layer, size_t rows, bool wants_dx);

#endif
