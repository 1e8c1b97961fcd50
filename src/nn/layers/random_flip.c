/* random_flip: in training each picture is mirrored left to right with probability 1/2 and, for
 * itself, top to bottom with probability 1/2. */
#include <string.h>

#include "nn/layers/picture.h"

enum { HORIZONTAL, VERTICAL, BOTH };

typedef struct random_flip {
    int mode;
    double seed;
} random_flip;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const char *const modes[] = {"horizontal", "vertical", "horizontal_and_vertical", NULL};
    static const lam_field fields[] = {
        {.name = "mode",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(random_flip, mode),
         .choices = modes},
        LAM_SEED_FIELD(random_flip, seed),
    };
    random_flip *r = layer->config;
    r->mode = BOTH;
    r->seed = NAN;
    return lam_args_read(args, fields, LAM_COUNT(fields), r, "layer_random_flip()", err);
}

/* to = from, mirrored as the layer decides for the picture at `row` */
static void flip(const lam_layer *layer, const lam_pass *pass, size_t row, const float *from,
                 float *to)
{
    const random_flip *r = layer->config;
    size_t height = layer->in.dim[0], width = layer->in.dim[1], channels = layer->in.dim[2];
    bool sideways = r->mode != VERTICAL && lam_picture_random(layer, pass, r->seed, row, 0) < 0.5;
    bool upside = r->mode != HORIZONTAL && lam_picture_random(layer, pass, r->seed, row, 1) < 0.5;
    for (size_t i = 0; i < height; i++, to += width * channels) {
        const float *line = from + (upside ? height - 1 - i : i) * width * channels;
        if (!sideways)
            memcpy(to, line, width * channels * sizeof *to);
        for (size_t j = 0; sideways && j < width; j++)
            memcpy(to + j * channels, line + (width - 1 - j) * channels, channels * sizeof *to);
    }
}

static void forward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    flip(layer, pass, row, lam_picture_x(layer, pass, row), lam_picture_y(layer, pass, row));
}

static void backward_one(const lam_layer *layer, const lam_pass *pass, size_t row)
{
    flip(layer, pass, row, lam_picture_dy(layer, pass, row), lam_picture_dx(layer, pass, row));
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_forward(layer, pass, forward_one);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    lam_augment_backward(layer, pass, backward_one);
}

const lam_layer_type lam_layer_random_flip = {
    .name = "random_flip",
    .config_size = sizeof(random_flip),
    .configure = configure,
    .build = lam_picture_check,
    .forward = forward,
    .backward = backward,
};
