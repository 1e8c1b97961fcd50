/* Data as the engine trains on it: samples contiguous, single precision; sparse inputs stay sparse
 * and are made dense a batch at a time. */
#ifndef LAM_NN_DATA_H
#define LAM_NN_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernels/sparse.h"

typedef struct lam_data {
    size_t n;              /* samples */
    size_t x_d, y_d;       /* numbers per sample; y_d == 0 without targets */
    float *x;              /* n x x_d, or NULL when sparse: */
    uint64_t *row_start;   /* n + 1 */
    uint32_t *column;
    float *value;
    float *y;              /* n x y_d; an autoencoder's targets may be x itself */
    float *w;              /* n weights, or NULL for all 1 */
    bool odd_x, odd_y;     /* whoever filled them found numbers that are not finite */
} lam_data;

/* Zeroed memory for n samples; `nonzeros` is read only when sparse. */
lam_status lam_data_new(lam_data **data, size_t n, size_t x_d, size_t y_d, bool weighted,
                        bool sparse, size_t nonzeros, lam_error *err);
/* Of dense data without targets: the inputs are the targets too. */
void lam_data_take_inputs(lam_data *data);
void lam_data_free(lam_data *data);

/* Fills row_start, column and value from compressed sparse columns (as Matrix's dgCMatrix):
 * col_start[x_d + 1], row[nonzeros], value[nonzeros] or NULL for all 1. */
lam_status lam_data_set_columns(lam_data *data, const int *col_start, const int *row,
                                const double *value, lam_error *err);

/* Samples order[0 .. rows-1] (or first .. first + rows - 1 where order is NULL) into x, y, w, unless
 * these are NULL. */
void lam_data_gather(const lam_data *data, const uint32_t *order, size_t first, size_t rows,
                     float *x, float *y, float *w);
/* The inputs of these samples as they are, of sparse data. */
lam_sparse lam_data_sparse(const lam_data *data, const uint32_t *order, size_t first);
/* Where rows first ... of the inputs stand as they are; NULL when they must be gathered. */
const float *lam_data_rows(const lam_data *data, size_t first);

#endif
