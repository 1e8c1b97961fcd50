#include "nn/losses/common.h"

#include <math.h>

lam_status lam_loss_fail_rows(lam_error *err, const char *expected, double value, size_t first,
                              size_t rows)
{
    return lam_fail_arg(err, LAM_EDATA, "y", expected, "%g in row %zu (%zu such row%s)", value,
                        first + 1, rows, rows == 1 ? "" : "s");
}

lam_status lam_loss_check_range(size_t rows, size_t y_d, const float *y, double low, double high,
                                const char *expected, lam_error *err)
{
    size_t bad = 0, first = 0;
    double value = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < y_d; j++) {
            double v = y[r * y_d + j];
            if (v >= low && v <= high)
                continue;
            if (bad++ == 0) {
                first = r;
                value = v;
            }
            break; /* a row counts once */
        }
    return bad ? lam_loss_fail_rows(err, expected, value, first, bad) : LAM_OK;
}

lam_status lam_loss_check_probabilities(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                        const float *y, lam_error *err)
{
    (void)loss, (void)d;
    return lam_loss_check_range(rows, y_d, y, 0, 1, "labels or probabilities from 0 to 1", err);
}

lam_status lam_loss_check_not_negative(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                       const float *y, lam_error *err)
{
    (void)loss, (void)d;
    return lam_loss_check_range(rows, y_d, y, 0, INFINITY, "numbers of at least 0", err);
}

lam_status lam_loss_check_signs(const lam_loss *loss, size_t rows, size_t d, size_t y_d,
                                const float *y, lam_error *err)
{
    (void)loss, (void)d;
    return lam_loss_check_range(rows, y_d, y, -1, 1, "labels -1 and 1 (or 0 and 1)", err);
}

void lam_loss_prepare_signs(lam_loss *loss, size_t n, const float *y)
{
    if (loss->config[LABELS] != LABELS_UNKNOWN)
        return;
    loss->config[LABELS] = LABELS_01;
    for (size_t i = 0; i < n; i++)
        if (y[i] != 0 && y[i] != 1) {
            loss->config[LABELS] = LABELS_SIGNS;
            return;
        }
}

double lam_loss_clip(double q)
{
    const float low = LAM_EPSILON, high = 1.0f - LAM_EPSILON;
    return q < (double)low ? (double)low : q > (double)high ? (double)high : q;
}

/* Rows shorter than this are taken many at a time, so that the vectors are full. */
enum { SHORT_ROW = 16, CHUNK = 512 };

/* One piece of `n` elements, from number `first` on, that were evaluated without regard to rows:
 * adds them up by row and turns slopes into gradients. */
static void gather(size_t first, size_t n, size_t d, double share, const float *element,
                   double *value, const float *scale, float *grad)
{
    for (size_t i = 0, r = first / d; i < n; r++) {
        size_t end = (r + 1) * d - first;
        end = end < n ? end : n;
        float factor = grad ? scale[r] * (float)share : 0;
        for (; i < end; i++) {
            value[r] += share * (double)element[i];
            if (grad)
                grad[i] *= factor;
        }
    }
}

void lam_elementwise_eval(const lam_elementwise *loops, const lam_loss *loss, double share,
                          size_t rows, size_t d, const float *y, const float *pred, double *value,
                          const float *scale, float *grad)
{
    if (d >= SHORT_ROW) {
        for (size_t r = 0; r < rows; r++) {
            float factor = grad ? scale[r] * (float)share : 0;
            value[r] = share * loops->row(loss, d, y + r * d, pred + r * d, factor,
                                          grad ? grad + r * d : NULL);
        }
        return;
    }
    float element[CHUNK];
    for (size_t r = 0; r < rows; r++)
        value[r] = 0;
    for (size_t first = 0; first < rows * d; first += CHUNK) {
        size_t n = rows * d - first < CHUNK ? rows * d - first : CHUNK;
        float *slope = grad ? grad + first : NULL;
        loops->elements(loss, n, y + first, pred + first, element, slope);
        gather(first, n, d, share, element, value, scale, slope);
    }
}
