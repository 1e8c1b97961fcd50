/* A plan: the memory for passing up to `rows` samples through a network, all from one block.
 *
 * Training keeps each layer's output until the way back (unless the next layer can work in place)
 * and two buffers for the gradients; inference needs two buffers in all. */
#ifndef LAM_NN_PLAN_H
#define LAM_NN_PLAN_H

#include "nn/net.h"

typedef struct lam_plan {
    const lam_net *net;
    int from, to;          /* layers from <= i < to */
    size_t rows;
    bool backward;         /* keeps what the way back needs */
    bool input_gradient;
    float **y;             /* y[i]: output of layer i, for from <= i < to */
    char **cache;
    char **prepared;
    char *scratch;
    float *gradient[2];
    float *grads;          /* gradients of the weights, as net->weights; NULL without backward */
    double activity_penalty; /* of the last forward pass, already divided by its rows */
    char *arena;
    size_t arena_bytes;
} lam_plan;

typedef enum { LAM_PLAN_PREDICT, LAM_PLAN_KEEP, LAM_PLAN_TRAIN, LAM_PLAN_TRAIN_INPUT } lam_plan_kind;

/* PREDICT: only the last output survives; KEEP: every layer's; TRAIN: and what backward needs;
 * TRAIN_INPUT: backward also gives the gradient of the input. */
lam_status lam_plan_new(lam_plan **plan, const lam_net *net, int from, int to, size_t rows,
                        lam_plan_kind kind, lam_error *err);
void lam_plan_free(lam_plan *plan);

typedef struct lam_run {
    size_t rows;
    size_t first_row;      /* number of the first sample within its batch */
    bool training, update_state, linear_head;
    uint64_t seed, step;
} lam_run;

/* The output of the last layer (rows x its out_count).  x is only read. */
const float *lam_plan_forward(lam_plan *plan, const float *x, const lam_run *run);
/* Gradient of the loss by the output is in lam_plan_output_gradient(); fills plan->grads and, for
 * TRAIN_INPUT, returns the gradient by x. */
const float *lam_plan_backward(lam_plan *plan, const float *x, const lam_run *run, bool add);
float *lam_plan_output_gradient(lam_plan *plan);

/* The first layer whose output (or weights) holds a number that is not finite; -1 if none. */
int lam_plan_first_bad(const lam_plan *plan, size_t rows);

#endif
