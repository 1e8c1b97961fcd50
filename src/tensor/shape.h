/* Shapes.  A layer's shape leaves the batch dimension out: rank 0 is one number per sample. */
#ifndef LAM_TENSOR_SHAPE_H
#define LAM_TENSOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#define LAM_MAX_RANK 5

typedef struct lam_shape {
    int rank;
    size_t dim[LAM_MAX_RANK];
} lam_shape;

lam_shape lam_shape_of(int rank, const size_t *dim);
lam_shape lam_shape_1(size_t a);
lam_shape lam_shape_2(size_t a, size_t b);
/* The product of the dimensions; 1 for rank 0; SIZE_MAX when it overflows. */
size_t lam_shape_count(const lam_shape *shape);
bool lam_shape_equal(const lam_shape *a, const lam_shape *b);
/* The last dimension (1 for rank 0): the units, channels or classes. */
size_t lam_shape_last(const lam_shape *shape);
/* "(28, 28, 1)" into buffer; returns buffer. */
char *lam_shape_text(const lam_shape *shape, char *buffer, size_t size);

#endif
