/* random_brightness: in training a random number, as a fraction of value_range, is added to all of
 * a picture, and the result is cut off at the ends of value_range. */
#include "nn/layers/picture.h"

typedef struct random_brightness {
    lam_amount factor, values;
    double seed;
} random_brightness;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "factor", .kind = LAM_FIELD_ANY, .required = true},
        {.name = "value_range", .kind = LAM_FIELD_ANY, .required = true},
        LAM_SEED_FIELD(random_brightness, seed),
    };
    random_brightness *r = layer->config;
    r->seed = NAN;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_brightness()", err));
    LAM_TRY(lam_amount_read(&r->factor, args, "factor", -1, 1, err));
    return lam_amount_read(&r->values, args, "value_range", -1e30, 1e30, err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    layer->flags = LAM_LAYER_NEEDS_X;
    return lam_picture_check(layer, err);
}

static float draw(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_brightness *r = layer->config;
    double share = lam_amount_at(r->factor, lam_picture_random(layer, pass, r->seed, row, 0));
    return (float)(share * (r->values.high - r->values.low));
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_brightness *r = layer->config;
    const float *x = lam_picture_x(layer, pass, row);
    float *y = lam_picture_y(layer, pass, row), added = draw(layer, pass, row);
    float low = (float)r->values.low, high = (float)r->values.high;
    for (size_t i = 0; i < layer->in_count; i++) {
        float value = x[i] + added;
        y[i] = value < low ? low : value > high ? high : value;
    }
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    const random_brightness *r = layer->config;
    const float *x = lam_picture_x(layer, pass, row), *dy = lam_picture_dy(layer, pass, row);
    float *dx = lam_picture_dx(layer, pass, row), added = draw(layer, pass, row);
    float low = (float)r->values.low, high = (float)r->values.high;
    for (size_t i = 0; i < layer->in_count; i++) {
        float value = x[i] + added;
        dx[i] = value < low || value > high ? 0.0f : dy[i];
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

const lam_layer_type lam_layer_random_brightness = {
    .name = "random_brightness",
    .config_size = sizeof(random_brightness),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
