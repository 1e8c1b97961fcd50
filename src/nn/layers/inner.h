/* Layers inside a layer: what bidirectional and time_distributed share. */
#ifndef LAM_NN_LAYERS_INNER_H
#define LAM_NN_LAYERS_INNER_H

#include "nn/layer.h"

/* A fresh layer from the spec in argument `name`. */
lam_status lam_inner_init(lam_layer *inner, const lam_args *args, const char *name, lam_error *err);

/* Builds it as part of `outer`; `stream` is the first of outer's streams of random numbers that it
 * draws from.  Its weights become outer's, their names behind `prefix`.  inner->mask_in must be set
 * before. */
lam_status lam_inner_build(lam_layer *inner, lam_layer *outer, const lam_shape *in, int stream,
                           const char *prefix, lam_error *err);

/* The inner layer's weights stand where outer's do, from outer's weight `first` on. */
void lam_inner_place(lam_layer *inner, const lam_layer *outer, int first);

/* For outer's prepare: the layer inside is frozen when outer is. */
void lam_inner_prepare(lam_layer *inner, const lam_layer *outer, const lam_pass *pass);

/* The pass of the layer inside: without what is outer's own. */
lam_pass lam_inner_pass(const lam_layer *outer, const lam_pass *pass);

#endif
