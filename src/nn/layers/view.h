/* A walk over the numbers of one sample, in order, beside another array that is read with strides:
 * a transposed copy, or a small array laid over the sample (a slope per channel, a mask shared by
 * all time steps).
 *
 * Neighbouring dimensions that the other array steps through evenly are merged, so a sample is
 * `runs` runs of `length` numbers, and along a run the other array advances by `stride`. */
#ifndef LAM_NN_LAYERS_VIEW_H
#define LAM_NN_LAYERS_VIEW_H

#include "tensor/shape.h"

typedef struct lam_view {
    int rank; /* of the dimensions outside the run */
    size_t dim[LAM_MAX_RANK], step[LAM_MAX_RANK];
    size_t runs, length, stride;
} lam_view;

/* The other array advances by step[i] along dimension i. */
lam_view lam_view_of(int rank, const size_t *dim, const size_t *step);

/* An array with the sample's dimensions where bit i of `kept` is set, and with 1 elsewhere: one
 * number serves all along such a dimension.  *count = its size. */
lam_view lam_view_broadcast(const lam_shape *shape, unsigned kept, size_t *count);

/* The sample of shape `shape`, read with its dimensions in another order: dimension i of the walk
 * is the sample's dimension order[i]. */
lam_view lam_view_permuted(const lam_shape *shape, const size_t *order);

/* Where run number `run` begins in the other array. */
static inline size_t lam_view_at(const lam_view *view, size_t run)
{
    size_t at = 0;
    for (int i = view->rank - 1; i >= 0; i--) {
        at += run % view->dim[i] * view->step[i];
        run /= view->dim[i];
    }
    return at;
}

/* to[i] = from[view(i)] */
void lam_view_gather(const lam_view *view, const float *from, float *to);
/* to[view(i)] = from[i] */
void lam_view_scatter(const lam_view *view, const float *from, float *to);

#endif
