/* A picture inside a larger one, with a frame around it: zero_padding puts the frame on, cropping
 * takes it off.  Each is the way back of the other. */
#ifndef LAM_NN_LAYERS_FRAME_H
#define LAM_NN_LAYERS_FRAME_H

#include "nn/layers/window.h"

typedef struct lam_frame {
    lam_window window;           /* its rank is all that counts */
    size_t before[2], after[2];  /* lines, columns */
    size_t inner[2], channels;
} lam_frame;

/* Reads argument `name`: numbers before and after, for every dimension. */
lam_status lam_frame_read(lam_frame *frame, int rank, const lam_args *args, const char *name,
                          lam_error *err);

static inline size_t lam_frame_outer(const lam_frame *frame, int i)
{
    return frame->before[i] + frame->inner[i] + frame->after[i];
}

/* outer = inner within a frame of zeros, and back. */
void lam_frame_put_on(const lam_frame *frame, size_t rows, const float *inner, float *outer);
void lam_frame_take_off(const lam_frame *frame, size_t rows, const float *outer, float *inner);

#endif
