/* simple_rnn (Elman, "Finding structure in time", 1990): h = activation(x W + h_before U + b). */
#include "nn/layers/recurrent.h"

static void forward(const lam_cell_step *s)
{
    const lam_recurrent *r = s->layer;
    lam_cell_multiply(s, 0, 1, NULL, true, s->sums);
    lam_activation_forward(&r->act, s->rows, r->units, s->sums, s->after[0]);
}

static void backward(const lam_cell_step *s)
{
    const lam_recurrent *r = s->layer;
    lam_activation_backward(&r->act, s->rows, r->units, s->sums, s->after[0], s->dafter[0],
                            s->dsums);
    lam_cell_multiply_back(s, 0, 1, false, NULL);
}

static const lam_cell cell = {
    .owner = "layer_simple_rnn()",
    .gates = 1,
    .states = 1,
    .together = 1,
    .forward = forward,
    .backward = backward,
};

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {LAM_RECURRENT_FIELDS};
    return lam_recurrent_read(layer->config, &cell, args, fields, LAM_COUNT(fields), err);
}

const lam_layer_type lam_layer_simple_rnn = {
    .name = "simple_rnn",
    .config_size = sizeof(lam_recurrent),
    .configure = configure,
    .build = lam_recurrent_build,
    .prepare = lam_recurrent_prepare,
    .forward = lam_recurrent_forward,
    .backward = lam_recurrent_backward,
};
