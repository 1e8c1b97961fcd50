/* What the layers on pictures share: samples of shape (height, width, channels), one task each, and
 * the random numbers of augmentation.
 *
 * A random number is a function of the seed, the layer, the step and the sample's number in its
 * batch, so neither threads nor the cutting of a batch change a picture, and backward draws again
 * what forward drew. */
#ifndef LAM_NN_LAYERS_PICTURE_H
#define LAM_NN_LAYERS_PICTURE_H

#include "nn/layer.h"
#include "nn/layers/drop.h"

/* Refuses samples that are no pictures; as a layer's build, keeps their shape. */
lam_status lam_picture_check(lam_layer *layer, lam_error *err);

typedef void (*lam_picture_fn)(const lam_layer *layer, const lam_pass *pass, size_t row);
/* fn for every row of the pass. */
void lam_each_picture(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn);
/* The passes of an augmentation layer: fn for every row in training, else y = x and dx = dy. */
void lam_augment_forward(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn);
void lam_augment_backward(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn);

static inline const float *lam_picture_x(const lam_layer *l, const lam_pass *p, size_t row)
{
    return p->x + row * l->in_count;
}
static inline float *lam_picture_y(const lam_layer *l, const lam_pass *p, size_t row)
{
    return p->y + row * l->out_count;
}
static inline const float *lam_picture_dy(const lam_layer *l, const lam_pass *p, size_t row)
{
    return p->dy + row * l->out_count;
}
static inline float *lam_picture_dx(const lam_layer *l, const lam_pass *p, size_t row)
{
    return p->dx + row * l->in_count;
}

/* A random amount, uniform from low to high. */
typedef struct lam_amount {
    double low, high;
} lam_amount;

/* Reads two numbers within min .. max; of a range the smaller comes first. */
lam_status lam_pair_read(double pair[2], const lam_args *args, const char *name, double min,
                         double max, lam_error *err);
lam_status lam_amount_read(lam_amount *range, const lam_args *args, const char *name, double min,
                          double max, lam_error *err);

/* The k-th (0 or 1) random number of the picture at `row`, uniform on (0, 1); seed: the layer's
 * own, or NAN. */
double lam_picture_random(const lam_layer *layer, const lam_pass *pass, double seed, size_t row,
                          int k);

static inline double lam_amount_at(lam_amount range, double u)
{
    return range.low + u * (range.high - range.low);
}

/* The field of a layer's own seed; the default is NAN. */
#define LAM_SEED_FIELD(type, member)                                                               \
    {                                                                                              \
        .name = "seed", .kind = LAM_FIELD_DOUBLE, .offset = offsetof(type, member), .min = -9e15,  \
        .max = 9e15                                                                                \
    }

#endif
