#include "tensor/shape.h"

#include <stdio.h>

#include "base/alloc.h"

lam_shape lam_shape_of(int rank, const size_t *dim)
{
    lam_shape shape = {.rank = rank};
    for (int i = 0; i < rank && i < LAM_MAX_RANK; i++)
        shape.dim[i] = dim[i];
    return shape;
}

lam_shape lam_shape_1(size_t a)
{
    return (lam_shape){.rank = 1, .dim = {a}};
}

lam_shape lam_shape_2(size_t a, size_t b)
{
    return (lam_shape){.rank = 2, .dim = {a, b}};
}

size_t lam_shape_count(const lam_shape *shape)
{
    size_t count = 1;
    for (int i = 0; i < shape->rank; i++)
        count = lam_mul(count, shape->dim[i]);
    return count;
}

bool lam_shape_equal(const lam_shape *a, const lam_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

size_t lam_shape_last(const lam_shape *shape)
{
    return shape->rank > 0 ? shape->dim[shape->rank - 1] : 1;
}

char *lam_shape_text(const lam_shape *shape, char *buffer, size_t size)
{
    size_t at = (size_t)snprintf(buffer, size, "(");
    for (int i = 0; i < shape->rank && at < size; i++)
        at += (size_t)snprintf(buffer + at, size - at, i ? ", %zu" : "%zu", shape->dim[i]);
    if (at < size)
        snprintf(buffer + at, size - at, ")");
    return buffer;
}
