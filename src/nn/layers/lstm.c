/* lstm (Hochreiter, Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers,
 * Schmidhuber, Cummins 2000).  Of the sums x W + h_before U + b, in Keras' order:
 *
 *   i, f, o = recurrent_activation(...),  g = activation(...)      columns i, f, g, o
 *   c = f c_before + i g,  h = o activation(c) */
#include "kernels/recurrent.h"
#include "nn/layers/recurrent.h"

typedef struct lstm {
    lam_recurrent shared;
    bool unit_forget_bias;
} lstm;

enum { INPUT, FORGET, CANDIDATE, OUTPUT, GATES };
enum { H, C, STATES };

static const lam_activation *act_of(const lam_recurrent *r, size_t gate)
{
    return gate == CANDIDATE ? &r->act : &r->recurrent_act;
}

static lam_lstm_step fused(const lam_cell_step *s)
{
    return (lam_lstm_step){.rows = s->rows,
                           .units = s->layer->units,
                           .gates = s->sums,
                           .c_before = s->before[C],
                           .c = s->after[C],
                           .h = s->after[H],
                           .dh = s->dafter[H],
                           .dc = s->dafter[C],
                           .dsums = s->dsums,
                           .dc_before = s->dbefore[C]};
}

static void forward_any(const lam_cell_step *s)
{
    const lam_recurrent *r = s->layer;
    size_t u = r->units;
    for (size_t gate = 0; gate < GATES; gate++)
        lam_cell_activate(s, act_of(r, gate), gate, s->sums, s->active);
    for (size_t row = 0; row < s->rows; row++) {
        const float *gate = s->active + row * GATES * u;
        const float *before = s->before[C] + row * u;
        float *c = s->after[C] + row * u, *h = s->after[H] + row * u;
        for (size_t j = 0; j < u; j++)
            c[j] = gate[FORGET * u + j] * before[j] + gate[INPUT * u + j] * gate[CANDIDATE * u + j];
        lam_activation_forward(&r->act, 1, u, c, h);
        for (size_t j = 0; j < u; j++)
            h[j] *= gate[OUTPUT * u + j];
    }
}

/* The gradients of the gates of one row, in dsums, and of the cell state before. */
static void backward_row(const lam_cell_step *s, size_t row, float *y, float *dc)
{
    const lam_recurrent *r = s->layer;
    size_t u = r->units;
    const float *gate = s->active + row * GATES * u, *before = s->before[C] + row * u;
    const float *c = s->after[C] + row * u, *dh = s->dafter[H] + row * u;
    const float *dc_after = s->dafter[C] + row * u;
    float *d = s->dsums + row * GATES * u, *dc_before = s->dbefore[C] + row * u;
    lam_activation_forward(&r->act, 1, u, c, y);
    for (size_t j = 0; j < u; j++) {
        d[OUTPUT * u + j] = dh[j] * y[j];
        dc[j] = dh[j] * gate[OUTPUT * u + j];
    }
    lam_activation_backward(&r->act, 1, u, c, y, dc, dc);
    for (size_t j = 0; j < u; j++) {
        float sum = dc[j] + dc_after[j];
        d[INPUT * u + j] = sum * gate[CANDIDATE * u + j];
        d[FORGET * u + j] = sum * before[j];
        d[CANDIDATE * u + j] = sum * gate[INPUT * u + j];
        dc_before[j] = sum * gate[FORGET * u + j];
    }
}

static void backward_any(const lam_cell_step *s)
{
    const lam_recurrent *r = s->layer;
    for (size_t row = 0; row < s->rows; row++)
        backward_row(s, row, s->room, s->room + r->units);
    for (size_t gate = 0; gate < GATES; gate++)
        lam_cell_slope(s, act_of(r, gate), gate, s->dsums);
}

static void forward(const lam_cell_step *s)
{
    lam_cell_multiply(s, 0, GATES, NULL, true, s->sums);
    lam_lstm_step step = fused(s);
    if (s->layer->fused)
        lam_lstm_forward(&step);
    else
        forward_any(s);
}

static void backward(const lam_cell_step *s)
{
    lam_lstm_step step = fused(s);
    if (s->layer->fused)
        lam_lstm_backward(&step);
    else
        backward_any(s);
    lam_cell_multiply_back(s, 0, GATES, false, NULL);
}

static const lam_cell cell = {
    .owner = "layer_lstm()",
    .gates = GATES,
    .states = STATES,
    .together = GATES,
    .forward = forward,
    .backward = backward,
};

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_RECURRENT_FIELDS,
        {.name = "recurrent_activation", .kind = LAM_FIELD_SPEC},
        {.name = "unit_forget_bias",
         .kind = LAM_FIELD_BOOL,
         .offset = offsetof(lstm, unit_forget_bias)},
    };
    lstm *l = layer->config;
    l->unit_forget_bias = true;
    LAM_TRY(lam_recurrent_read(&l->shared, &cell, args, fields, LAM_COUNT(fields), err));
    if (l->unit_forget_bias) {
        l->shared.bias.init.ones_from = FORGET * l->shared.units;
        l->shared.bias.init.ones = l->shared.units;
    }
    return LAM_OK;
}

const lam_layer_type lam_layer_lstm = {
    .name = "lstm",
    .config_size = sizeof(lstm),
    .configure = configure,
    .build = lam_recurrent_build,
    .prepare = lam_recurrent_prepare,
    .forward = lam_recurrent_forward,
    .backward = lam_recurrent_backward,
};
