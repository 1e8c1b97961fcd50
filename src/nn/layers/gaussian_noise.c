/* gaussian_noise: in training y = x + stddev * standard normal noise; in use, y = x. */
#include "kernels/kernels.h"
#include "nn/layers/drop.h"
#include "nn/layers/identity.h"

typedef struct gaussian_noise {
    float stddev;
    double seed;
} gaussian_noise;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "stddev",
         .kind = LAM_FIELD_FLOAT,
         .offset = offsetof(gaussian_noise, stddev),
         .min = 0,
         .max = 1e30,
         .required = true},
        {.name = "seed",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(gaussian_noise, seed),
         .min = -9e15,
         .max = 9e15},
    };
    gaussian_noise *g = layer->config;
    g->seed = NAN;
    return lam_args_read(args, fields, LAM_COUNT(fields), g, "layer_gaussian_noise()", err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    (void)err;
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_CARRIES_MASK;
    return LAM_OK;
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const gaussian_noise *g = layer->config;
    if (!pass->training || g->stddev == 0.0f) {
        lam_identity_forward(layer, pass);
        return;
    }
    lam_rng rng = lam_noise_rng(layer, pass, g->seed);
    lam_noise(pass->rows * layer->in_count, &rng, (uint64_t)pass->first_row * layer->in_count,
              g->stddev, pass->x, pass->y);
}

const lam_layer_type lam_layer_gaussian_noise = {
    .name = "gaussian_noise",
    .config_size = sizeof(gaussian_noise),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = lam_identity_backward,
};
