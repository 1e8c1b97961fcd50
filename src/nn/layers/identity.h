/* Forward and backward of layers that change the shape or nothing at all. */
#ifndef LAM_NN_LAYERS_IDENTITY_H
#define LAM_NN_LAYERS_IDENTITY_H

#include "nn/layer.h"

void lam_identity_forward(const lam_layer *layer, const lam_pass *pass);
void lam_identity_backward(const lam_layer *layer, const lam_pass *pass);

#endif
