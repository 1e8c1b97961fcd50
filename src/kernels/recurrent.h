/* The gates of recurrent cells with sigmoid and tanh, one time step of some samples: after the
 * weighted sums, and back to their gradients.  All arrays are rows of `units` numbers, or of so
 * many for each gate. */
#ifndef LAM_KERNELS_RECURRENT_H
#define LAM_KERNELS_RECURRENT_H

#include <stddef.h>

/* LSTM, gates i, f, g, o:  c = f c_before + i g,  h = o tanh(c). */
typedef struct lam_lstm_step {
    size_t rows, units;
    float *gates; /* forward: the sums, overwritten with the gates */
    const float *c_before;
    float *c, *h;             /* forward: written; backward: c is read */
    const float *dh, *dc;     /* backward: the gradients of h and c ... */
    float *dsums, *dc_before; /* ... of the sums, and of c_before */
} lam_lstm_step;

void lam_lstm_forward(const lam_lstm_step *s);
void lam_lstm_backward(const lam_lstm_step *s);

/* GRU, gates z, r, g, whose sums over the inputs are `gates` and over the state are `inner`:
 * g = tanh(sum + r inner),  h = z h_before + (1 - z) g. */
typedef struct lam_gru_step {
    size_t rows, units;
    float *gates;       /* forward: the sums over the inputs, overwritten with the gates */
    const float *inner; /* forward: the sums over the state */
    float *kept;        /* inner of g, written by forward, read by backward */
    const float *h_before;
    float *h;
    const float *dh;
    float *dsums, *dinner; /* backward: the gradients of both kinds of sums */
    float *dh_before;      /* what goes through z alone */
} lam_gru_step;

void lam_gru_forward(const lam_gru_step *s);
void lam_gru_backward(const lam_gru_step *s);

#endif
