/* Targets and predictions given as R arrays. */
#ifndef LAM_GLUE_PAIR_H
#define LAM_GLUE_PAIR_H

#include "glue/glue.h"

typedef struct glue_pair {
    int rank;                 /* of y_pred */
    size_t dim[LAM_MAX_RANK];
    size_t rows, d, y_d;      /* rows: positions, that is, y_pred's dimensions but the last */
    float *y, *pred;          /* R_alloc memory */
} glue_pair;

/* Reads both; a plain y_pred is n samples of one output.  y_true has y_pred's shape, or its shape
 * without the last dimension (class numbers); dimensions of 1 at the end do not matter.  Any other
 * shape is an error: nothing is ever recycled. */
glue_pair glue_read_pair(SEXP y_true, SEXP y_pred);

#endif
