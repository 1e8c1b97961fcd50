/* Going through data batch by batch, to train or to test.
 *
 * One loop serves a whole fit(): lam_loop_start() begins an epoch, lam_loop_run() does as many
 * batches as it is given time for, and the running loss and metrics can be read at any point.
 * Between two calls the network is whole.
 *
 * With ranks (lam_loop_join()) the batches are those of a process alone, and each rank takes a run of each batch's
 * rows, in the order of the ranks.  Loss, gradients and metrics are those of the whole batch, so the ranks'
 * networks stay the same. */
#ifndef LAM_NN_LOOP_H
#define LAM_NN_LOOP_H

#include "nn/data.h"
#include "nn/metric.h"
#include "nn/plan.h"

typedef enum {
    LAM_LOOP_TEST,
    LAM_LOOP_TRAIN,
    LAM_LOOP_PROBE /* gradients to look at: lam_loop_probe() */
} lam_loop_kind;

/* A rank's part of a batch. */
typedef struct lam_share {
    size_t from, rows;      /* where it stands in the order of the data, and how much it is */
    size_t first, batch;    /* number of its first sample in the batch; samples of all ranks */
    size_t taken;           /* by how many samples the epoch moves on */
} lam_share;

typedef struct lam_loop {
    lam_net *net;
    unsigned compilation;   /* of the network, that the loop was made for */
    const lam_data *data;
    lam_loop_kind kind;
    bool training;          /* layers behave as in training */
    int from;               /* the data are the inputs of this layer */
    size_t first, n;        /* rows of the data that belong to this loop */
    size_t total;           /* samples of an epoch, of all ranks */
    size_t batch;           /* samples a batch, of all ranks */
    size_t room;            /* samples that there is memory for */
    uint32_t *order;        /* this epoch's permutation; of loops that do not train NULL until one is asked for */
    bool shuffled;

    /* One sample gives `per` rows of d outputs, and has as many rows of y_d targets. */
    size_t per, d, y_d;
    lam_plan *plan;
    bool fused;             /* the loss takes the weighted sums: see lam_loss_type.logits_of */
    lam_loss loss;
    float *x, *y, *w, *scale, *pred;
    float *counts;          /* with a mask at the end: 1 for rows that count, else 0 */
    const unsigned char *mask; /* of the batch, a byte a row; NULL: all count */
    double *value;
    const float *target;   /* of the batch: in y, or where the data have it */
    const float *input;     /* of the batch under way; NULL: it is in `sparse` */
    lam_sparse sparse;
    lam_share share;
    const float *output;    /* its predictions; NULL before the first batch */
    bool forwarded;         /* lam_loop_forward() was called and lam_loop_backward() was not yet */
    lam_run run;

    int n_metrics, n_weighted; /* the weighted ones come last */
    lam_metric *metric;
    double **state;
    double *states;
    size_t n_states;

    lam_ranks *ranks;       /* NULL: a process alone */
    size_t *held;           /* samples that each rank has; NULL: each has them all */
    bool fed;               /* the share is what lam_loop_feed() said */
    double told[3];         /* goes to the other ranks with each batch: see ask_ranks() */
    double *summed;         /* the metrics' states of all ranks */

    size_t at;              /* samples of this epoch done */
    uint64_t batches;       /* batches of this epoch done */
    double loss_sum, loss_count, last_loss;

    lam_profile *profile;   /* NULL unless lam_loop_profile() was called */

    float *good;            /* weights and optimizer state, known to give a finite loss */
    uint64_t good_batches;
    float *moving;          /* what layers moved on by themselves, as it was before the batch; NULL: nothing */
} lam_loop;

typedef struct lam_metric_list {
    int n, n_weighted;
    const lam_spec *spec;   /* n of them, then n_weighted */
} lam_metric_list;

/* Checks shapes and targets.  from > 0: the data go in at that layer (the ones below are the
 * caller's business, and must be frozen).  The data must outlive the loop or be replaced by lam_loop_feed(). */
lam_status lam_loop_new(lam_loop **loop, lam_net *net, int from, const lam_data *data, size_t first,
                        size_t n, size_t batch, lam_loop_kind kind, const lam_metric_list *metrics, lam_error *err);
void lam_loop_free(lam_loop *loop);

/* From now on loop->profile says where the time of batches goes. */
lam_status lam_loop_profile(lam_loop *loop, lam_error *err);

/* Begins an epoch (1-based; its number keys the shuffle). */
lam_status lam_loop_start(lam_loop *loop, bool shuffle, uint64_t epoch, lam_error *err);
bool lam_loop_done(const lam_loop *loop);

/* From now on the data are gone through together with other ranks, which do the same.  held: samples that each of
 * them has, where each has its own; NULL: all have all of them.  batch: samples a batch, of all ranks.  Before the
 * first lam_loop_start(). */
lam_status lam_loop_join(lam_loop *loop, lam_ranks *ranks, const size_t *held, size_t batch, lam_error *err);
/* Gathers the metrics from all ranks; until then lam_loop_metric() is what was gathered last. */
lam_status lam_loop_gather(lam_loop *loop, lam_error *err);

/* At most max_batches batches, for about `seconds`.  A loss that is not finite in training stops
 * with LAM_ENUMERIC, the last good weights put back.  A batch that is given up (lam_asks()) ends it with
 * LAM_EINTERRUPT, and then the network is as it was before that batch; so does lam_loop_backward(). */
lam_status lam_loop_run(lam_loop *loop, size_t max_batches, double seconds, lam_error *err);

/* All rows of `data` as the next batch (same widths as before), as a generator gives them.  Data that are
 * refused change nothing; where memory ends, the loop is of no use until a batch finds some. */
lam_status lam_loop_feed(lam_loop *loop, const lam_data *data, lam_error *err);
/* The first `rows` of `data` as this rank's share of the next batch, which has `batch` samples. */
lam_status lam_loop_feed_share(lam_loop *loop, const lam_data *data, size_t rows, size_t first, size_t batch,
                               lam_error *err);

/* The step in two, for a loss of the caller's own: after forward, loop->y and loop->output hold
 * `rows` samples of targets and predictions; backward takes the loss and its gradient. */
lam_status lam_loop_forward(lam_loop *loop, size_t *rows, lam_error *err);
lam_status lam_loop_backward(lam_loop *loop, double value, const float *gradient, lam_error *err);

/* Of a loop of that kind whose batch holds all samples: loss, penalties included, and gradients, nothing
 * moved: those of the weights are in loop->plan->grads, that of the inputs in *dx. */
lam_status lam_loop_probe(lam_loop *loop, bool training, double *loss, const float **dx, lam_error *err);

/* The predictions for the last batch (loop->run.rows samples), activated. */
const float *lam_loop_predictions(lam_loop *loop);

double lam_loop_loss(const lam_loop *loop);      /* running mean of this epoch */
double lam_loop_metric(const lam_loop *loop, int i);

#endif
