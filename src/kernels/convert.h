/* Between R's order (column-major doubles or integers) and ours (row-major floats, samples first).
 *
 * Dimensions are read as Keras reads them: samples first, channels last.  Large arrays are cut over threads and
 * written past the caches. */
#ifndef LAM_KERNELS_CONVERT_H
#define LAM_KERNELS_CONVERT_H

#include <stdbool.h>
#include <stddef.h>

/* Samples first .. first + rows - 1 of a column-major array of dim[0] samples, row-major into out.
 * Integers: NA becomes NaN.  Returns whether all that was written is finite. */
bool lam_from_doubles(const double *x, size_t first, size_t rows, int rank, const size_t *dim, float *out);
bool lam_from_integers(const int *x, size_t first, size_t rows, int rank, const size_t *dim, float *out);
/* The way back: x holds those samples, out is the whole array. */
void lam_to_doubles(const float *x, size_t first, size_t rows, int rank, const size_t *dim, double *out);

#endif
