/* Pictures moved by an affine map: what random_rotation, random_translation and random_zoom share.
 *
 * Output pixel (x, y) shows the input at (xx x + xy y + x0, yx x + yy y + y0), x counting columns
 * and y rows from 0, as Keras' affine_transform. */
#ifndef LAM_NN_LAYERS_WARP_H
#define LAM_NN_LAYERS_WARP_H

#include "nn/layers/picture.h"

typedef struct lam_affine {
    double xx, xy, x0;
    double yx, yy, y0;
} lam_affine;

/* What lies beyond the border of abcd. */
enum {
    LAM_FILL_REFLECT,  /* dcba|abcd|dcba */
    LAM_FILL_WRAP,     /* abcd|abcd|abcd */
    LAM_FILL_CONSTANT, /* kkkk|abcd|kkkk */
    LAM_FILL_NEAREST   /* aaaa|abcd|dddd */
};

typedef struct lam_warp {
    int fill_mode;
    int interpolation; /* 0 nearest, 1 bilinear */
    float fill_value;
    double seed;
    lam_affine (*draw)(const lam_layer *layer, const lam_pass *pass, size_t row); /* the map of a row */
} lam_warp;

extern const char *const lam_fill_modes[], *const lam_warp_interpolations[];

/* The fields of a lam_warp that is the member `warp` of a layer's config. */
#define LAM_WARP_FIELDS(type)                                                                      \
    {.name = "fill_mode",                                                                          \
     .kind = LAM_FIELD_CHOICE,                                                                     \
     .offset = offsetof(type, warp.fill_mode),                                                     \
     .choices = lam_fill_modes},                                                                   \
        {.name = "interpolation",                                                                  \
         .kind = LAM_FIELD_CHOICE,                                                                 \
         .offset = offsetof(type, warp.interpolation),                                             \
         .choices = lam_warp_interpolations},                                                      \
        {.name = "fill_value",                                                                     \
         .kind = LAM_FIELD_FLOAT,                                                                  \
         .offset = offsetof(type, warp.fill_value),                                                \
         .min = -1e30,                                                                             \
         .max = 1e30},                                                                             \
        LAM_SEED_FIELD(type, warp.seed)

/* reflect, bilinear, 0, no seed of its own */
lam_warp lam_warp_default(lam_affine (*draw)(const lam_layer *, const lam_pass *, size_t));

/* Build, forward and backward of a layer whose config begins with a lam_warp. */
lam_status lam_warp_build(lam_layer *layer, lam_error *err);
void lam_warp_forward(const lam_layer *layer, const lam_pass *pass);
void lam_warp_backward(const lam_layer *layer, const lam_pass *pass);

#endif
