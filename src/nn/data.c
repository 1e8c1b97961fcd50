#include "nn/data.h"

#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"

lam_status lam_data_new(lam_data **out, size_t n, size_t x_d, size_t y_d, bool weighted,
                        bool sparse, size_t nonzeros, lam_error *err)
{
    void *p = NULL;
    lam_status status;
    *out = NULL;
    if (n > UINT32_MAX)
        return lam_fail(err, LAM_EDATA, "More than 2^32 samples.");
    LAM_TRY(lam_new(&p, 1, sizeof(lam_data), "the data", err));
    lam_data *data = p;
    data->n = n;
    data->x_d = x_d;
    data->y_d = y_d;
    if (sparse) {
        if ((status = lam_new(&p, n + 1, sizeof(uint64_t), "the inputs", err)) != LAM_OK)
            goto failed;
        data->row_start = p;
        if ((status = lam_new(&p, nonzeros, sizeof(uint32_t), "the inputs", err)) != LAM_OK)
            goto failed;
        data->column = p;
        if ((status = lam_new(&p, nonzeros, sizeof(float), "the inputs", err)) != LAM_OK)
            goto failed;
        data->value = p;
    } else {
        if ((status = lam_new(&p, lam_mul(n, x_d), sizeof(float), "the inputs", err)) != LAM_OK)
            goto failed;
        data->x = p;
    }
    if (y_d) {
        if ((status = lam_new(&p, lam_mul(n, y_d), sizeof(float), "the targets", err)) != LAM_OK)
            goto failed;
        data->y = p;
    }
    if (weighted) {
        if ((status = lam_new(&p, n, sizeof(float), "the sample weights", err)) != LAM_OK)
            goto failed;
        data->w = p;
    }
    *out = data;
    return LAM_OK;
failed:
    lam_data_free(data);
    return status;
}

void lam_data_take_inputs(lam_data *data)
{
    data->y = data->x;
    data->y_d = data->x_d;
}

void lam_data_free(lam_data *data)
{
    if (!data)
        return;
    if (data->y != data->x)
        lam_free(data->y);
    lam_free(data->x);
    lam_free(data->row_start);
    lam_free(data->column);
    lam_free(data->value);
    lam_free(data->w);
    lam_free(data);
}

/* Columns to rows by counting: row_start[r + 1] first holds the length of row r, then where its
 * next entry goes, and in the end where row r + 1 starts. */
lam_status lam_data_set_columns(lam_data *data, const int *col_start, const int *row,
                                const double *value, lam_error *err)
{
    uint64_t *start = data->row_start;
    size_t nonzeros = (size_t)col_start[data->x_d];
    for (size_t c = 0; c < data->x_d; c++)
        if (col_start[c] < 0 || col_start[c + 1] < col_start[c])
            return lam_fail(err, LAM_EDATA, "A sparse matrix has disordered columns.");
    for (size_t i = 0; i < nonzeros; i++) {
        if (row[i] < 0 || (size_t)row[i] >= data->n)
            return lam_fail(err, LAM_EDATA, "A sparse matrix has a row number out of range.");
        start[row[i] + 1]++;
    }
    uint64_t at = 0;
    for (size_t r = 0; r < data->n; r++) {
        uint64_t length = start[r + 1];
        start[r + 1] = at;
        at += length;
    }
    for (size_t c = 0; c < data->x_d; c++)
        for (int i = col_start[c]; i < col_start[c + 1]; i++) {
            uint64_t to = start[row[i] + 1]++;
            data->column[to] = (uint32_t)c;
            data->value[to] = value ? (float)value[i] : 1.0f;
        }
    return LAM_OK;
}

static void densify(const lam_data *data, size_t row, float *x)
{
    memset(x, 0, data->x_d * sizeof(float));
    for (uint64_t i = data->row_start[row]; i < data->row_start[row + 1]; i++)
        x[data->column[i]] += data->value[i];
}

static void gather(const float *from, size_t d, const uint32_t *order, size_t first, size_t rows, float *to)
{
    if (order)
        lam_gather_rows(from, d, order, rows, to);
    else
        memcpy(to, from + first * d, rows * d * sizeof(float));
}

void lam_data_gather(const lam_data *data, const uint32_t *order, size_t first, size_t rows,
                     float *x, float *y, float *w)
{
    if (x && data->x)
        gather(data->x, data->x_d, order, first, rows, x);
    else if (x)
        for (size_t r = 0; r < rows; r++)
            densify(data, order ? order[r] : first + r, x + r * data->x_d);
    if (y && data->y && data->y != data->x)
        gather(data->y, data->y_d, order, first, rows, y);
    if (w && data->w)
        gather(data->w, 1, order, first, rows, w);
}

lam_sparse lam_data_sparse(const lam_data *data, const uint32_t *order, size_t first)
{
    return (lam_sparse){data->row_start, data->column, data->value, order, first};
}

const float *lam_data_rows(const lam_data *data, size_t first)
{
    return data->x ? data->x + first * data->x_d : NULL;
}
