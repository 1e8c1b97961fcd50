#include "nn/layers/drop.h"

#include "kernels/kernels.h"

lam_status lam_drop_read(lam_drop *drop, const lam_args *args, bool shaped, const char *owner,
                         lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "rate",
         .kind = LAM_FIELD_FLOAT,
         .offset = offsetof(lam_drop, rate),
         .min = 0,
         .max = 1,
         .required = true},
        {.name = "seed",
         .kind = LAM_FIELD_DOUBLE,
         .offset = offsetof(lam_drop, seed),
         .min = -9e15,
         .max = 9e15},
        {.name = "noise_shape", .kind = LAM_FIELD_ANY},
    };
    drop->seed = NAN;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields) - !shaped, drop, owner, err));
    const lam_arg *shape = lam_args_get(args, "noise_shape");
    if (!shape)
        return LAM_OK;
    if (shape->kind != LAM_ARG_NUMBERS || shape->n < 1 || shape->n > LAM_MAX_RANK + 1)
        return lam_fail_arg(err, LAM_EARGUMENT, "noise_shape",
                            "the shape of a mask, the batch first", "%zu value(s)", shape->n);
    drop->n_shape = shape->n;
    for (size_t i = 0; i < shape->n; i++)
        drop->shape[i] = shape->numbers[i];
    return LAM_OK;
}

lam_status lam_drop_build(lam_drop *drop, lam_layer *layer, lam_error *err)
{
    const lam_shape *in = &layer->in;
    unsigned kept = (1u << in->rank) - 1u;
    bool fits = drop->n_shape == 0 || drop->n_shape == (size_t)in->rank + 1;
    for (int i = 0; fits && drop->n_shape && i < in->rank; i++) {
        double d = drop->shape[i + 1];
        if (d == 1 && in->dim[i] > 1)
            kept &= ~(1u << i);
        else
            fits = isnan(d) || d == (double)in->dim[i];
    }
    if (!fits) {
        char text[128];
        return lam_fail_arg(err, LAM_ESHAPE, "noise_shape",
                            "the batch and then, for each dimension of a sample, its size or 1",
                            "a shape that does not fit the samples %s of layer %s",
                            lam_shape_text(in, text, sizeof text), layer->name);
    }
    drop->all_samples = drop->n_shape > 0 && drop->shape[0] == 1;
    drop->view = lam_view_broadcast(in, kept, &drop->cells);
    /* beside the mask, the numbers that lam_dropout_forward() draws it over */
    *(drop->all_samples ? &layer->cache_fixed : &layer->cache_row) = drop->cells;
    *(drop->all_samples ? &layer->scratch_fixed : &layer->scratch_row) =
        drop->cells * sizeof(float);
    layer->flags = LAM_LAYER_INPLACE | LAM_LAYER_CARRIES_MASK;
    return LAM_OK;
}

void lam_drop_draw(const lam_drop *drop, const lam_layer *layer, const lam_pass *pass)
{
    lam_rng rng = lam_noise_rng(layer, pass, drop->seed);
    size_t rows = drop->all_samples ? 1 : pass->rows;
    uint64_t first = drop->all_samples ? 0 : (uint64_t)pass->first_row * drop->cells;
    float *over = (float *)pass->scratch;
    for (size_t i = 0; i < rows * drop->cells; i++)
        over[i] = 0.0f;
    lam_dropout_forward(rows * drop->cells, &rng, first, drop->rate, over, over,
                        (uint8_t *)pass->cache);
}
