#include "nn/layers/picture.h"

#include <stdio.h>

#include "base/threads.h"
#include "nn/layers/identity.h"

lam_status lam_picture_check(lam_layer *layer, lam_error *err)
{
    char text[128];
    if (layer->in.rank == 3)
        return LAM_OK;
    return lam_fail_arg(err, LAM_ESHAPE, "input_shape",
                        "pictures of shape (height, width, channels)", "%s for layer %s",
                        lam_shape_text(&layer->in, text, sizeof text), layer->name);
}

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
    lam_picture_fn fn;
} job;

static void one_picture(void *arg, size_t task, int worker)
{
    const job *j = arg;
    (void)worker;
    j->fn(j->layer, j->pass, task);
}

void lam_each_picture(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn)
{
    job j = {layer, pass, fn};
    lam_parallel(pass->rows, one_picture, &j);
}

void lam_augment_forward(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn)
{
    if (pass->training)
        lam_each_picture(layer, pass, fn);
    else
        lam_identity_forward(layer, pass);
}

void lam_augment_backward(const lam_layer *layer, const lam_pass *pass, lam_picture_fn fn)
{
    if (!pass->dx)
        return;
    if (pass->training)
        lam_each_picture(layer, pass, fn);
    else
        lam_identity_backward(layer, pass);
}

lam_status lam_pair_read(double pair[2], const lam_args *args, const char *name, double min,
                         double max, lam_error *err)
{
    const lam_arg *arg = lam_args_get(args, name);
    char expected[96];
    bool good = arg && arg->kind == LAM_ARG_NUMBERS && arg->n == 2;
    for (int i = 0; good && i < 2; i++)
        good = arg->numbers[i] >= min && arg->numbers[i] <= max;
    if (!good) {
        snprintf(expected, sizeof expected, "two numbers from %g to %g", min, max);
        return lam_fail_arg(err, LAM_EARGUMENT, name, expected, "%s", arg ? "others" : "nothing");
    }
    pair[0] = arg->numbers[0];
    pair[1] = arg->numbers[1];
    return LAM_OK;
}

lam_status lam_amount_read(lam_amount *range, const lam_args *args, const char *name, double min,
                          double max, lam_error *err)
{
    double pair[2];
    LAM_TRY(lam_pair_read(pair, args, name, min, max, err));
    if (pair[0] > pair[1])
        return lam_fail_arg(err, LAM_EARGUMENT, name, "two numbers, the smaller first", "%g and %g",
                            pair[0], pair[1]);
    *range = (lam_amount){pair[0], pair[1]};
    return LAM_OK;
}

double lam_picture_random(const lam_layer *layer, const lam_pass *pass, double seed, size_t row,
                          int k)
{
    lam_rng rng = lam_noise_rng(layer, pass, seed);
    return lam_random_uniform_double(&rng, 2 * (uint64_t)(pass->first_row + row) + (uint64_t)k);
}
