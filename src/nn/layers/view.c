#include "nn/layers/view.h"

#include <string.h>

lam_view lam_view_of(int rank, const size_t *dim, const size_t *step)
{
    lam_view view = {.runs = 1, .length = 1};
    for (int i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        int last = view.rank - 1;
        if (last >= 0 && view.step[last] == step[i] * dim[i]) {
            view.dim[last] *= dim[i];
            view.step[last] = step[i];
        } else {
            view.dim[view.rank] = dim[i];
            view.step[view.rank++] = step[i];
        }
    }
    if (view.rank > 0) {
        view.rank--;
        view.length = view.dim[view.rank];
        view.stride = view.step[view.rank];
    }
    for (int i = 0; i < view.rank; i++)
        view.runs *= view.dim[i];
    return view;
}

lam_view lam_view_broadcast(const lam_shape *shape, unsigned kept, size_t *count)
{
    size_t step[LAM_MAX_RANK] = {0};
    *count = 1;
    for (int i = shape->rank - 1; i >= 0; i--)
        if (kept >> i & 1) {
            step[i] = *count;
            *count *= shape->dim[i];
        }
    return lam_view_of(shape->rank, shape->dim, step);
}

lam_view lam_view_permuted(const lam_shape *shape, const size_t *order)
{
    size_t own[LAM_MAX_RANK], dim[LAM_MAX_RANK], step[LAM_MAX_RANK];
    size_t count = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        own[i] = count;
        count *= shape->dim[i];
    }
    for (int i = 0; i < shape->rank; i++) {
        dim[i] = shape->dim[order[i]];
        step[i] = own[order[i]];
    }
    return lam_view_of(shape->rank, dim, step);
}

void lam_view_gather(const lam_view *view, const float *from, float *to)
{
    for (size_t run = 0; run < view->runs; run++, to += view->length) {
        const float *start = from + lam_view_at(view, run);
        if (view->stride == 1)
            memcpy(to, start, view->length * sizeof *to);
        else
            for (size_t j = 0; j < view->length; j++)
                to[j] = start[j * view->stride];
    }
}

void lam_view_scatter(const lam_view *view, const float *from, float *to)
{
    for (size_t run = 0; run < view->runs; run++, from += view->length) {
        float *start = to + lam_view_at(view, run);
        if (view->stride == 1)
            memcpy(start, from, view->length * sizeof *to);
        else
            for (size_t j = 0; j < view->length; j++)
                start[j * view->stride] = from[j];
    }
}
