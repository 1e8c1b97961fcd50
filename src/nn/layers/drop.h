/* What the layers that drop and add noise share: their random numbers, and which numbers of a batch
 * fall together.
 *
 * `noise_shape` is the shape of the mask with the batch first: each of its dimensions is that of
 * the input (or NA, the same) or 1, where one decision serves all along it.  A mask cell has a
 * number that counts from the batch's first sample, so cutting a batch does not change its mask. */
#ifndef LAM_NN_LAYERS_DROP_H
#define LAM_NN_LAYERS_DROP_H

#include <math.h>

#include "nn/layer.h"
#include "nn/layers/view.h"

typedef struct lam_drop {
    float rate;
    double seed; /* the layer's own, NAN for none */
    size_t n_shape;
    double shape[LAM_MAX_RANK + 1];
    bool all_samples; /* one mask for the whole batch */
    size_t cells;     /* of a sample's mask */
    lam_view view;    /* a sample beside its mask */
} lam_drop;

/* Reads rate, seed and, if the layer has it (`shaped`), noise_shape. */
lam_status lam_drop_read(lam_drop *drop, const lam_args *args, bool shaped, const char *owner,
                         lam_error *err);
/* Checks noise_shape against the input and asks for the memory of the mask. */
lam_status lam_drop_build(lam_drop *drop, lam_layer *layer, lam_error *err);
/* Draws the mask of the pass into its cache. */
void lam_drop_draw(const lam_drop *drop, const lam_layer *layer, const lam_pass *pass);

/* The mask of row `row` of the pass. */
static inline const uint8_t *lam_drop_mask(const lam_drop *drop, const lam_pass *pass, size_t row)
{
    return (const uint8_t *)pass->cache + (drop->all_samples ? 0 : row * drop->cells);
}

/* A layer with a seed of its own draws the same numbers in every model. */
static inline lam_rng lam_noise_rng(const lam_layer *layer, const lam_pass *pass, double seed)
{
    if (isnan(seed))
        return lam_layer_rng(layer, pass, 0);
    return (lam_rng){
        .seed = (uint64_t)(int64_t)seed, .stream = LAM_STREAM_LAYER(0, 0), .step = pass->step};
}

#endif
