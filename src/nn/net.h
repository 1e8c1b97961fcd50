/* A network: layers in a row, their weights in one flat vector, and what training adds to them.
 *
 * Every weight starts at a multiple of 16 floats, so vector loads are aligned; the gaps stay 0
 * and are not part of the packed form that goes outside. */
#ifndef LAM_NN_NET_H
#define LAM_NN_NET_H

#include "nn/layer.h"
#include "nn/loss.h"
#include "nn/optimizer.h"

typedef struct lam_layer_spec {
    const char *type, *name;
    bool trainable;
    lam_args config;
} lam_layer_spec;

typedef struct lam_net {
    int n_layers;
    lam_layer *layers;
    lam_shape in, out;
    size_t n;               /* length of the flat vectors, gaps included */
    float *weights;

    bool compiled;
    unsigned compilations;  /* how often: what was made for an earlier one does not fit any more */
    bool own_loss;          /* the loss is the caller's: only the split step works */
    bool sum_loss;          /* reduction "sum" instead of the mean */
    bool bf16;              /* products round to bfloat16 what they multiply; weights, sums and the rest are floats */
    lam_loss loss;
    lam_optimizer optimizer;
    int n_slots;
    float *slot[LAM_MAX_SLOTS];
    float *ema;             /* running average of the weights, or NULL */
    bool averaged;          /* training has ended with an average: `ema` holds the weights behind it */
    float *accumulated;     /* gradients waiting for their step, or NULL */

    uint64_t seed;
    uint64_t batches;       /* batches trained on so far: the step of the random numbers */
} lam_net;

/* Works out the shapes; *net is NULL on failure.  Weights come with lam_net_initialize(). */
lam_status lam_net_new(lam_net **net, const lam_layer_spec *specs, int n_layers,
                       const lam_shape *in, lam_error *err);
void lam_net_free(lam_net *net);

/* Would it do as a layer, whatever the shape of its input? */
lam_status lam_layer_spec_check(const lam_layer_spec *spec, lam_error *err);

/* Weights of 0, for those that are put in from outside; a network that has some keeps them. */
lam_status lam_net_make_room(lam_net *net, lam_error *err);

/* Initial weights; of a network that has some already: new ones, the optimizer's state forgotten. */
lam_status lam_net_initialize(lam_net *net, uint64_t seed, lam_error *err);

/* Layer i, if it is stateful, begins at zero again. */
void lam_net_reset_states(lam_net *net, int i);

/* loss == NULL: the caller's own.  Starts the optimizer's state afresh.  On failure nothing
 * of an earlier compilation is lost. */
lam_status lam_net_compile(lam_net *net, const lam_spec *optimizer, const lam_spec *loss,
                           bool sum_loss, lam_error *err);
/* Optimizer steps taken so far (batches / accumulation). */
uint64_t lam_net_steps(const lam_net *net);

/* Numbers in the packed form: all weights and states in layer order, without gaps.  SIZE_MAX: more than
 * can be. */
size_t lam_net_count(const lam_net *net);
void lam_net_pack(const lam_net *net, const float *flat, float *packed);
void lam_net_unpack(const lam_net *net, const float *packed, float *flat);

/* The lowest layer whose weights are trained; n_layers when there is none. */
int lam_net_lowest_trained(const lam_net *net);

/* Does layer i take its input in sparse form? */
bool lam_net_takes_sparse(const lam_net *net, int i);

/* Does the loss take the weighted sums of the last layer (see lam_loss_type.logits_of)? */
bool lam_net_fuses_head(const lam_net *net);

#endif
