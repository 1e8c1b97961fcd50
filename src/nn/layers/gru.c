/* gru (Cho and others, "Learning phrase representations using RNN encoder-decoder", 2014).  With
 * [z, r, g] the columns of the sums x W + b, in Keras' order, and of the state's products h U:
 *
 *   z, r = recurrent_activation(sum + h_before U)            + b2, too, with reset_after
 *   g = activation(sum + r (h_before U + b2))    reset_after; b2 is the bias' second row
 *   g = activation(sum + (r h_before) U)         otherwise
 *   h = z h_before + (1 - z) g */
#include "kernels/recurrent.h"
#include "nn/layers/recurrent.h"

typedef struct gru {
    lam_recurrent shared;
    bool reset_after;
} gru;

enum { UPDATE, RESET, CANDIDATE, GATES };

/* ---- both ways, any activation --------------------------------------------------------------- */

/* The numbers of a row: of gates, where the step has laid them out, and of states. */
static float *gate_of(const lam_cell_step *s, float *sums, size_t gate, size_t row)
{
    return sums + (row * GATES + gate) * s->layer->units;
}

static float *state_of(const lam_cell_step *s, float *state, size_t row)
{
    return state + row * s->layer->units;
}

static void activate(const lam_cell_step *s, size_t gate)
{
    const lam_recurrent *r = s->layer;
    lam_cell_activate(s, gate == CANDIDATE ? &r->act : &r->recurrent_act, gate, s->sums, s->active);
}

static void slope(const lam_cell_step *s, size_t gate)
{
    const lam_recurrent *r = s->layer;
    lam_cell_slope(s, gate == CANDIDATE ? &r->act : &r->recurrent_act, gate, s->dsums);
}

/* h = z h_before + (1 - z) g */
static void mix(const lam_cell_step *s)
{
    size_t u = s->layer->units;
    for (size_t row = 0; row < s->rows; row++) {
        const float *z = gate_of(s, s->active, UPDATE, row);
        const float *g = gate_of(s, s->active, CANDIDATE, row);
        const float *before = state_of(s, s->before[0], row);
        float *h = state_of(s, s->after[0], row);
        for (size_t j = 0; j < u; j++)
            h[j] = z[j] * before[j] + (1.0f - z[j]) * g[j];
    }
}

/* The gradients of the sums of z and g, and what of dh goes through z to the state before. */
static void unmix(const lam_cell_step *s)
{
    size_t u = s->layer->units;
    for (size_t row = 0; row < s->rows; row++) {
        const float *z = gate_of(s, s->active, UPDATE, row);
        const float *g = gate_of(s, s->active, CANDIDATE, row);
        const float *before = state_of(s, s->before[0], row), *dh = state_of(s, s->dafter[0], row);
        float *dz = gate_of(s, s->dsums, UPDATE, row), *dg = gate_of(s, s->dsums, CANDIDATE, row);
        float *dbefore = state_of(s, s->dbefore[0], row);
        for (size_t j = 0; j < u; j++) {
            dz[j] = dh[j] * (before[j] - g[j]);
            dg[j] = dh[j] * (1.0f - z[j]);
            dbefore[j] = dh[j] * z[j];
        }
    }
    slope(s, UPDATE);
    slope(s, CANDIDATE);
}

/* ---- the reset gate after the product -------------------------------------------------------- */

static lam_gru_step fused(const lam_cell_step *s)
{
    return (lam_gru_step){.rows = s->rows,
                          .units = s->layer->units,
                          .gates = s->sums,
                          .inner = s->room,
                          .kept = s->kept,
                          .h_before = s->before[0],
                          .h = s->after[0],
                          .dh = s->dafter[0],
                          .dsums = s->dsums,
                          .dinner = s->dinner,
                          .dh_before = s->dbefore[0]};
}

static void forward_after_any(const lam_cell_step *s)
{
    size_t u = s->layer->units;
    for (size_t row = 0; row < s->rows; row++) {
        float *sum = gate_of(s, s->sums, UPDATE, row);
        const float *inner = gate_of(s, s->room, UPDATE, row);
        for (size_t j = 0; j < CANDIDATE * u; j++)
            sum[j] += inner[j];
    }
    activate(s, UPDATE);
    activate(s, RESET);
    for (size_t row = 0; row < s->rows; row++) {
        const float *r = gate_of(s, s->active, RESET, row);
        const float *inner = gate_of(s, s->room, CANDIDATE, row);
        float *sum = gate_of(s, s->sums, CANDIDATE, row), *kept = state_of(s, s->kept, row);
        for (size_t j = 0; j < u; j++) {
            kept[j] = inner[j];
            sum[j] += r[j] * inner[j];
        }
    }
    activate(s, CANDIDATE);
    mix(s);
}

static void backward_after_any(const lam_cell_step *s)
{
    size_t u = s->layer->units;
    unmix(s);
    for (size_t row = 0; row < s->rows; row++) {
        const float *kept = state_of(s, s->kept, row), *dg = gate_of(s, s->dsums, CANDIDATE, row);
        float *dr = gate_of(s, s->dsums, RESET, row);
        for (size_t j = 0; j < u; j++)
            dr[j] = dg[j] * kept[j];
    }
    slope(s, RESET);
    for (size_t row = 0; row < s->rows; row++) {
        const float *d = gate_of(s, s->dsums, UPDATE, row), *r = gate_of(s, s->active, RESET, row);
        float *dinner = gate_of(s, s->dinner, UPDATE, row);
        for (size_t j = 0; j < GATES * u; j++)
            dinner[j] = j < CANDIDATE * u ? d[j] : d[j] * r[j - CANDIDATE * u];
    }
}

static void forward_after(const lam_cell_step *s)
{
    lam_cell_multiply(s, UPDATE, GATES, NULL, false, s->room);
    lam_gru_step step = fused(s);
    if (s->layer->fused)
        lam_gru_forward(&step);
    else
        forward_after_any(s);
}

static void backward_after(const lam_cell_step *s)
{
    lam_gru_step step = fused(s);
    if (s->layer->fused)
        lam_gru_backward(&step);
    else
        backward_after_any(s);
    lam_cell_multiply_back(s, UPDATE, GATES, true, NULL);
}

/* ---- the reset gate before the product ------------------------------------------------------- */

/* Element j of the row's dropout factors for the state in g. */
static float left(const float *factor, size_t j)
{
    return factor ? factor[j] : 1.0f;
}

static void forward_before(const lam_cell_step *s)
{
    lam_cell_multiply(s, UPDATE, CANDIDATE, NULL, true, s->sums);
    activate(s, UPDATE);
    activate(s, RESET);
    for (size_t row = 0; row < s->rows; row++) {
        const float *r = gate_of(s, s->active, RESET, row);
        const float *before = state_of(s, s->before[0], row);
        const float *factor = lam_cell_dropout(s, CANDIDATE, row);
        float *kept = state_of(s, s->kept, row);
        for (size_t j = 0; j < s->layer->units; j++)
            kept[j] = r[j] * before[j] * left(factor, j);
    }
    lam_cell_multiply(s, CANDIDATE, 1, s->kept, true, s->sums);
    activate(s, CANDIDATE);
    mix(s);
}

static void backward_before(const lam_cell_step *s)
{
    unmix(s);
    float *dkept = s->room;
    lam_cell_multiply_back(s, CANDIDATE, 1, false, dkept);
    for (size_t row = 0; row < s->rows; row++) {
        const float *r = gate_of(s, s->active, RESET, row);
        const float *before = state_of(s, s->before[0], row);
        const float *factor = lam_cell_dropout(s, CANDIDATE, row), *d = state_of(s, dkept, row);
        float *dr = gate_of(s, s->dsums, RESET, row), *dbefore = state_of(s, s->dbefore[0], row);
        for (size_t j = 0; j < s->layer->units; j++) {
            dr[j] = d[j] * before[j] * left(factor, j);
            dbefore[j] += d[j] * r[j] * left(factor, j);
        }
    }
    slope(s, RESET);
    lam_cell_multiply_back(s, UPDATE, CANDIDATE, true, NULL);
}

/* ---- the layer ------------------------------------------------------------------------------- */

static const lam_cell reset_after = {
    .owner = "layer_gru()",
    .gates = GATES,
    .states = 1,
    .together = GATES,
    .separate = true,
    .keeps = true,
    .forward = forward_after,
    .backward = backward_after,
};

static const lam_cell reset_before = {
    .owner = "layer_gru()",
    .gates = GATES,
    .states = 1,
    .together = CANDIDATE,
    .keeps = true,
    .forward = forward_before,
    .backward = backward_before,
};

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        LAM_RECURRENT_FIELDS,
        {.name = "recurrent_activation", .kind = LAM_FIELD_SPEC},
        {.name = "reset_after", .kind = LAM_FIELD_BOOL, .offset = offsetof(gru, reset_after)},
    };
    gru *g = layer->config;
    g->reset_after = true;
    LAM_TRY(lam_recurrent_read(&g->shared, &reset_after, args, fields, LAM_COUNT(fields), err));
    if (!g->reset_after) {
        g->shared.cell = &reset_before;
        g->shared.fused = false;
    }
    return LAM_OK;
}

const lam_layer_type lam_layer_gru = {
    .name = "gru",
    .config_size = sizeof(gru),
    .configure = configure,
    .build = lam_recurrent_build,
    .prepare = lam_recurrent_prepare,
    .forward = lam_recurrent_forward,
    .backward = lam_recurrent_backward,
};
