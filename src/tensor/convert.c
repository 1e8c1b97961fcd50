#include "tensor/convert.h"

#include <limits.h>
#include <math.h>

#include "base/threads.h"
#include "tensor/shape.h"

/* A column-major array (rows, d1, d2, ...) is a rows x d matrix whose column c belongs to the
 * element at row-major position place(c): for rank 2 the same, else a transposition of the rest. */
static size_t place(size_t column, int rank, const size_t *dim)
{
    size_t at = 0, stride = 1;
    size_t index[LAM_MAX_RANK + 1];
    for (int i = 1; i < rank; i++) {
        index[i] = column % dim[i];
        column /= dim[i];
    }
    for (int i = rank - 1; i >= 1; i--) {
        at += index[i] * stride;
        stride *= dim[i];
    }
    return at;
}

enum { BLOCK_ROWS = 512, BLOCK_COLUMNS = 16, TASK_ELEMENTS = 1 << 16 };

typedef struct job {
    const double *doubles; /* one of these two is read ... */
    const int *integers;
    const float *floats;   /* ... or this one, going back */
    float *out;
    double *back;
    size_t first, rows, all_rows, d, task_rows;
    int rank;
    const size_t *dim;
} job;

static void block_in(const job *j, size_t r0, size_t r1, size_t c0, size_t c1)
{
    for (size_t c = c0; c < c1; c++) {
        size_t at = j->rank > 2 ? place(c, j->rank, j->dim) : c;
        float *out = j->out + at;
        if (j->doubles) {
            const double *x = j->doubles + c * j->all_rows + j->first;
            for (size_t r = r0; r < r1; r++)
                out[r * j->d] = (float)x[r];
        } else {
            const int *x = j->integers + c * j->all_rows + j->first;
            for (size_t r = r0; r < r1; r++)
                out[r * j->d] = x[r] == INT_MIN ? NAN : (float)x[r];
        }
    }
}

static void block_out(const job *j, size_t r0, size_t r1, size_t c0, size_t c1)
{
    for (size_t c = c0; c < c1; c++) {
        size_t at = j->rank > 2 ? place(c, j->rank, j->dim) : c;
        const float *x = j->floats + at;
        double *out = j->back + c * j->all_rows + j->first;
        for (size_t r = r0; r < r1; r++)
            out[r] = (double)x[r * j->d];
    }
}

static void run(void *arg, size_t task, int worker)
{
    const job *j = arg;
    (void)worker;
    size_t start = task * j->task_rows;
    size_t end = start + j->task_rows < j->rows ? start + j->task_rows : j->rows;
    for (size_t r = start; r < end; r += BLOCK_ROWS) {
        size_t r1 = r + BLOCK_ROWS < end ? r + BLOCK_ROWS : end;
        for (size_t c = 0; c < j->d; c += BLOCK_COLUMNS) {
            size_t c1 = c + BLOCK_COLUMNS < j->d ? c + BLOCK_COLUMNS : j->d;
            if (j->back)
                block_out(j, r, r1, c, c1);
            else
                block_in(j, r, r1, c, c1);
        }
    }
}

static void convert(job *j, int rank, const size_t *dim)
{
    j->rank = rank;
    j->dim = dim;
    j->all_rows = rank > 0 ? dim[0] : 1;
    j->d = 1;
    for (int i = 1; i < rank; i++)
        j->d *= dim[i];
    if (j->d == 0 || j->rows == 0)
        return;
    j->task_rows = TASK_ELEMENTS / j->d / BLOCK_ROWS * BLOCK_ROWS;
    if (j->task_rows < BLOCK_ROWS)
        j->task_rows = BLOCK_ROWS;
    lam_parallel((j->rows + j->task_rows - 1) / j->task_rows, run, j);
}

void lam_from_doubles(const double *x, size_t first, size_t rows, int rank, const size_t *dim, float *out)
{
    job j = {.doubles = x, .out = out, .first = first, .rows = rows};
    convert(&j, rank, dim);
}

void lam_from_integers(const int *x, size_t first, size_t rows, int rank, const size_t *dim, float *out)
{
    job j = {.integers = x, .out = out, .first = first, .rows = rows};
    convert(&j, rank, dim);
}

void lam_to_doubles(const float *x, size_t first, size_t rows, int rank, const size_t *dim, double *out)
{
    job j = {.floats = x, .back = out, .first = first, .rows = rows};
    convert(&j, rank, dim);
}
