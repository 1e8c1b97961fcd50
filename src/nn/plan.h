/* A plan: how a batch of up to `rows` samples passes through a network, and the memory for it, all
 * from one block.
 *
 * The layers fall into segments.  Most pass on the whole batch, one layer after the other.  Where
 * outputs are large and weights are few (convolution and what follows it), a segment goes depth
 * first: a few samples, small enough for the second cache, pass through all of its layers before the
 * next few begin; what backward does not need of them is never stored for the whole batch.  The parts
 * are shared out to a fixed number of lanes, each with its own memory and its own sum of gradients; so
 * the bits do not depend on how many threads run the lanes. */
#ifndef LAM_NN_PLAN_H
#define LAM_NN_PLAN_H

#include "nn/net.h"
#include "nn/profile.h"

enum { LAM_LANES = 8 };

/* How one layer runs. */
typedef struct lam_step {
    float *y;          /* the output for the whole batch; NULL: in its lane, for one part only */
    int side;          /* which of the lane's two buffers, when y is NULL */
    char *cache;       /* for all parts; NULL where no way back follows */
    size_t cache_part; /* bytes of one part's cache */
    char *prepared;
    unsigned char *mask;   /* the mask that leaves the layer, of the whole batch, or NULL */
    float *extra[4];       /* final states, of a KEEP plan */
    bool rectified;    /* its rectifier's slope is left to the layer behind it */
    bool rides;        /* a rectifier that the layer before it sees to */
} lam_step;

typedef struct lam_segment {
    int from, to;      /* layers from <= i < to */
    size_t part;       /* samples in a part; 0: the whole batch at once */
    size_t begin, end; /* the numbers in the flat vector of weights that are its layers' */
} lam_segment;

typedef struct lam_plan {
    const lam_net *net;
    int from, to;          /* layers from <= i < to */
    size_t rows;
    bool backward;         /* keeps what the way back needs */
    bool input_gradient;
    lam_step *step;        /* step[i]: of layer i, for from <= i < to */
    lam_segment *segment;
    int n_segments;
    char *scratch;         /* of layers that pass on the whole batch */
    char *cache;           /* of these, where no way back follows */
    struct {
        float *buffer[2];  /* outputs on the way forth, gradients on the way back */
        char *scratch;
        char *cache;       /* where no way back follows */
        float *grads;      /* of the segment that is at work */
    } lane[LAM_LANES];
    float *gradient[2];
    float *grads;          /* gradients of the weights, as net->weights; NULL without backward */
    size_t bucket;           /* gradients that are sent to other ranks together, at least */
    size_t unsent;           /* those from here on are on their way */
    double activity_penalty; /* of the last forward pass, already divided by the rows of the batch */
    lam_profile *profile;    /* times the passes; NULL: nobody does.  The caller's, who sets it */
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
    lam_ranks *ranks;      /* have the rest of the batch; NULL: nobody has */
    size_t batch_rows;     /* samples of all ranks together */
    bool training, update_state, linear_head;
    lam_sparse sparse;     /* the input in sparse form, for a first layer that takes it so; x is NULL then */
    bool carry_state;      /* stateful layers go on where the last batch ended */
    uint64_t seed, step;
} lam_run;

/* The output of the last layer (rows x its out_count).  x is only read.  When lam_given_up() says so afterwards,
 * the pass has ended early, there and on the way back: no number of it counts. */
const float *lam_plan_forward(lam_plan *plan, const float *x, const lam_run *run);
/* Gradient of the loss by the output is in lam_plan_output_gradient(); fills plan->grads and, for
 * TRAIN_INPUT, returns the gradient by x.  With ranks, sums of the gradients over them are on their way then: those of
 * a layer that is done are sent while the layers below work.  lam_ranks_wait() waits for them. */
const float *lam_plan_backward(lam_plan *plan, const float *x, const lam_run *run, bool add);
float *lam_plan_output_gradient(lam_plan *plan);

/* The mask that leaves the last layer: rows x its mask_out; NULL: every step counts. */
const unsigned char *lam_plan_mask(const lam_plan *plan);

/* Of a KEEP plan: the output of layer i, and its final state k. */
const float *lam_plan_output(const lam_plan *plan, int i);
const float *lam_plan_extra(const lam_plan *plan, int i, int k);
/* Of a KEEP plan: the first layer whose output (or weights) holds a number that is not finite; -1 if
 * none. */
int lam_plan_first_bad(const lam_plan *plan, size_t rows);

#endif
