/* One optimizer step: from gradients to new weights, in Keras' order: penalties, accumulation,
 * clipping, weight decay, the optimizer's rule, the running average, constraints. */
#ifndef LAM_NN_UPDATE_H
#define LAM_NN_UPDATE_H

#include "nn/net.h"

/* The weights' penalties, which belong to the loss. */
double lam_net_penalty(const lam_net *net);
/* Adds the penalties' gradients of the trained weights. */
void lam_net_penalty_gradient(const lam_net *net, float *grads);

/* Takes the gradients of one batch (penalties included; overwritten) and counts the batch. */
void lam_net_update(lam_net *net, float *grads);

/* At the end of a training with use_ema and no overwrite frequency: the weights become their
 * running average.  What they were is kept, for lam_net_resume(), which makes it undone so that
 * training goes on as if it had not ended; lam_net_settle() makes it for good. */
void lam_net_finish(lam_net *net);
void lam_net_resume(lam_net *net);
void lam_net_settle(lam_net *net);

#endif
