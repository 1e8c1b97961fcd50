/* What the recurrent layers share: the way through time.
 *
 * A cell is one time step: from the sums x W + b and the states before to the states after, and
 * back.  A cell's file gives the two formulas and a layer type; all else is here: arguments,
 * weights, masks, dropout, the order of time, states from batch to batch, gradients of the weights.
 *
 * As in Keras: a step that the mask leaves out keeps the states and gives the last output again (0
 * before the first, or always with zero_output_for_mask).  Dropout's masks of the inputs and of the
 * state are the same at all steps; with recurrent dropout each gate has its own.  With go_backwards
 * the output, too, is in the order of the computation.
 *
 * The batch is cut into groups of samples, one task each, which never meet.  Arrays are time-major,
 * (steps, rows, numbers), so that a step of a group lies side by side.  A few steps at a time are
 * gathered and multiplied by W together, and backward gathers the gradients of their sums for one
 * product with the weights, so that they are still in the second cache. */
#ifndef LAM_NN_LAYERS_RECURRENT_H
#define LAM_NN_LAYERS_RECURRENT_H

#include "nn/layer.h"

enum { LAM_CELL_STATES = 2 /* at most */ };

/* One time step of a group of samples.  "sums": rows x gates x units. */
typedef struct lam_cell_step {
    const struct lam_recurrent *layer;
    const struct lam_recurrent_run *run;
    size_t row, rows; /* which samples of the batch */
    float *sums;      /* x W + b; a cell may leave there what its backward needs */
    float *active;    /* as many numbers kept for backward, unless layer->fused */
    float *kept;      /* rows x units kept for backward, if the cell keeps them */
    float *room;      /* as many numbers as sums, this step only */
    /* the states, of which the first is the output, and their gradients */
    float *before[LAM_CELL_STATES], *after[LAM_CELL_STATES];
    float *dafter[LAM_CELL_STATES], *dbefore[LAM_CELL_STATES];
    float *dsums;  /* backward: the gradients of x W + b, */
    float *dinner; /* and of the products with the state; dsums if not `separate` */
} lam_cell_step;

typedef struct lam_cell {
    const char *owner; /* "layer_lstm()" */
    size_t gates, states;
    size_t together; /* so many gates can be multiplied with the state at once */
    bool separate;   /* the products with the state have a bias and gradients of their own */
    bool keeps;      /* uses lam_cell_step.kept; unless `separate`, the last gate's recurrent kernel
                        multiplies that instead of the state */
    void (*forward)(const lam_cell_step *s);
    void (*backward)(const lam_cell_step *s);
} lam_cell;

/* A recurrent layer's configuration, or its beginning. */
typedef struct lam_recurrent {
    const lam_cell *cell;
    size_t units, batch_size;
    bool use_bias, return_sequences, return_state, go_backwards, stateful, zero_output_for_mask;
    lam_activation act, recurrent_act;
    bool fused; /* tanh and sigmoid, which have kernels */
    float dropout, recurrent_dropout;
    double seed;
    lam_weight_options kernel, recurrent, bias;
    int state; /* the number of the first state weight */
} lam_recurrent;

#define LAM_RECURRENT_FLAG(field)                                                                  \
    {                                                                                              \
        .name = #field, .kind = LAM_FIELD_BOOL, .offset = offsetof(lam_recurrent, field)           \
    }
#define LAM_RECURRENT_RATE(field)                                                                  \
    {                                                                                              \
        .name = #field, .kind = LAM_FIELD_FLOAT, .offset = offsetof(lam_recurrent, field),         \
        .min = 0, .max = 1                                                                         \
    }
#define LAM_RECURRENT_COUNT(field, is_required)                                                    \
    {                                                                                              \
        .name = #field, .kind = LAM_FIELD_SIZE, .offset = offsetof(lam_recurrent, field),          \
        .min = 1, .max = 1e9, .required = is_required                                              \
    }
/* The fields that all of them have. */
#define LAM_RECURRENT_FIELDS                                                                       \
    LAM_RECURRENT_COUNT(units, true), LAM_RECURRENT_COUNT(batch_size, false),                      \
        LAM_RECURRENT_FLAG(use_bias), LAM_RECURRENT_FLAG(return_sequences),                        \
        LAM_RECURRENT_FLAG(return_state), LAM_RECURRENT_FLAG(go_backwards),                        \
        LAM_RECURRENT_FLAG(stateful), LAM_RECURRENT_FLAG(zero_output_for_mask),                    \
        LAM_RECURRENT_RATE(dropout), LAM_RECURRENT_RATE(recurrent_dropout),                        \
        {.name = "seed",                                                                           \
         .kind = LAM_FIELD_DOUBLE,                                                                 \
         .offset = offsetof(lam_recurrent, seed),                                                  \
         .min = -9e15,                                                                             \
         .max = 9e15},                                                                             \
        {.name = "activation", .kind = LAM_FIELD_SPEC}, LAM_WEIGHT_FIELDS("kernel"),               \
        LAM_WEIGHT_FIELDS("recurrent"), LAM_WEIGHT_FIELDS("bias")

/* Reads the arguments of a layer with that cell, which may add fields of its own. */
lam_status lam_recurrent_read(lam_recurrent *r, const lam_cell *cell, const lam_args *args,
                              const lam_field *fields, size_t n_fields, lam_error *err);
lam_status lam_recurrent_build(lam_layer *layer, lam_error *err);
void lam_recurrent_prepare(const lam_layer *layer, const lam_pass *pass);
void lam_recurrent_forward(const lam_layer *layer, const lam_pass *pass);
void lam_recurrent_backward(const lam_layer *layer, const lam_pass *pass);

/* ---- for cells ------------------------------------------------------------------------------- */

/* to (+)= from U for `gates` gates from `first` on, plus the bias of these products where the cell
 * is `separate`.  `from` NULL: the state before, dropped out.  `to` is laid out as sums. */
void lam_cell_multiply(const lam_cell_step *s, size_t first, size_t gates, const float *from,
                       bool add, float *to);
/* to (+)= dinner U' for those gates: the gradient of `from`.  `to` NULL: dbefore[0], through
 * dropout. */
void lam_cell_multiply_back(const lam_cell_step *s, size_t first, size_t gates, bool add,
                            float *to);
/* What dropout leaves of the state before for one gate: the factors, or NULL for all 1. */
const float *lam_cell_dropout(const lam_cell_step *s, size_t gate, size_t row);

/* y = activation(x) of gate `gate` of each row, both laid out as sums. */
void lam_cell_activate(const lam_cell_step *s, const lam_activation *act, size_t gate,
                       const float *x, float *y);
/* The gradient of gate `gate` of sums from that of active, which `d` is before and after. */
void lam_cell_slope(const lam_cell_step *s, const lam_activation *act, size_t gate, float *d);

#endif
