/* random_contrast: in training y = (x - mean) * f + mean, with the mean of the picture's channel
 * and a random f from 1 - factor[1] to 1 + factor[2], one for all channels; the result is cut off
 * at the ends of value_range. */
#include "nn/layers/picture.h"

typedef struct random_contrast {
    lam_amount factor;
    lam_amount values;
    double seed;
} random_contrast;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "value_range", .kind = LAM_FIELD_ANY, .required = true},
        LAM_SEED_FIELD(random_contrast, seed),
    };
    random_contrast *r = layer->config;
    double around[2];
    r->seed = NAN;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_contrast()", err));
    LAM_TRY(lam_pair_read(around, args, "factor", 0, 1, err));
    r->factor = (lam_amount){1 - around[0], 1 + around[1]};
    return lam_amount_read(&r->values, args, "value_range", -1e30, 1e30, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    layer->flags = LAM_LAYER_NEEDS_X;
    return lam_picture_check(layer, err);
}

static float draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_contrast *r = layer->config;
    return (float)lam_amount_at(r->factor, lam_picture_random(layer, pass, r->seed, row, 0));
}

/* The mean of every `channels`-th number of n. */
static float mean_of(const float *x, size_t n, size_t channels)
{
    double sum = 0;
    for (size_t i = 0; i < n; i += channels)
        sum += x[i];
    return (float)(sum / (double)(n / channels));
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_contrast *r = layer->config;
    const float *x = lam_picture_x(layer, pass, row);
    float *y = lam_picture_y(layer, pass, row), f = draw(layer, pass, row);
    float low = (float)r->values.low, high = (float)r->values.high;
    size_t n = layer->in_count, channels = layer->in.dim[2];
    for (size_t c = 0; c < channels; c++) {
        float mean = mean_of(x + c, n, channels);
        for (size_t i = c; i < n; i += channels) {
            float value = (x[i] - mean) * f + mean;
            y[i] = value < low ? low : value > high ? high : value;
        }
    }
}

/* With g = dy where y was not cut off, else 0: dx = f g + (1 - f) mean(g). */
static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_contrast *r = layer->config;
    const float *x = lam_picture_x(layer, pass, row), *dy = lam_picture_dy(layer, pass, row);
    float *dx = lam_picture_dx(layer, pass, row), f = draw(layer, pass, row);
    float low = (float)r->values.low, high = (float)r->values.high;
    size_t n = layer->in_count, channels = layer->in.dim[2];
    for (size_t c = 0; c < channels; c++) {
        float mean = mean_of(x + c, n, channels);
        for (size_t i = c; i < n; i += channels) {
            float value = (x[i] - mean) * f + mean;
            dx[i] = value < low || value > high ? 0.0f : dy[i];
        }
        float shared = (1.0f - f) * mean_of(dx + c, n, channels);
        for (size_t i = c; i < n; i += channels)
            dx[i] = f * dx[i] + shared;
    }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_forward(layer, pass, forward_one);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_backward(layer, pass, backward_one);
}

const lam_layer_type lam_layer_random_contrast = {
    .name = "random_contrast",
    .config_size = sizeof(random_contrast),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
