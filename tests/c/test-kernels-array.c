/* Sums and maps over arrays against plain loops in double precision. */
#include "kernels/kernels.h"
#include "unit.h"

static void each_tier(void (*fn)(void))
{
    lam_tier_id before = lam_tier();
    CHECK_OK(lam_threads_set(2, NULL));
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        fn();
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    lam_threads_stop();
}

/* Exactly n numbers, so that the sanitizer sees a step too far. */
static float *numbers(size_t n, double low, double high)
{
    float *x = malloc(n ? n * sizeof *x : 1);
    unit_fill(x, n, low, high);
    return x;
}

static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 64, 67, 129, 1000, 300001};
#define EACH_SIZE(n) for (size_t i_ = 0, n; i_ < sizeof sizes / sizeof sizes[0] && (n = sizes[i_], true); i_++)

static void check_flat(void)
{
    EACH_SIZE(n) {
        float *x = numbers(n, -2, 2), *y = numbers(n, -2, 2), *got = numbers(n, 0, 1);
        if (n)
            memcpy(got, y, n * sizeof *y);
        double squares = 0, sizes_ = 0;
        lam_axpy(n, 0.3f, x, got);
        for (size_t i = 0; i < n; i++) {
            CHECK_NEAR(got[i], (double)y[i] + (double)0.3f * (double)x[i], 2e-7);
            squares += (double)x[i] * (double)x[i];
            sizes_ += fabs((double)x[i]);
        }
        lam_scale(n, -1.7f, got);
        for (size_t i = 0; i < n; i++)
            CHECK_NEAR(got[i], -(double)1.7f * ((double)y[i] + (double)0.3f * (double)x[i]), 4e-7);
        CHECK_NEAR(lam_sum_squares(n, x), squares, 1e-12);
        CHECK_NEAR(lam_sum_abs(n, x), sizes_, 1e-12);
        CHECK(lam_all_finite(n, x));
        static const float bad[] = {INFINITY, -INFINITY, NAN};
        for (size_t at = 0; at < n; at += n < 200 ? 1 : n / 7) {
            float keep = x[at];
            x[at] = bad[at % 3];
            CHECK(!lam_all_finite(n, x));
            x[at] = keep;
        }
        free(x);
        free(y);
        free(got);
    }
    float huge[] = {3e38f, -3e38f, 1e-45f};
    CHECK(lam_all_finite(3, huge));
    CHECK_REL(lam_sum_squares(3, huge), 2.0 * (double)3e38f * (double)3e38f, 1e-12, 0);
}

TEST(flat_arrays)
{
    each_tier(check_flat);
}

static void check_rows(void)
{
    static const size_t shapes[][2] = {{0, 3}, {1, 1}, {1, 5}, {7, 1}, {128, 1}, {130, 2}, {33, 3}, {129, 10},
                                       {513, 16}, {70, 17}, {64, 33}, {200, 48}, {100, 64}, {257, 65}, {31, 100},
                                       {90001, 3}, {2000, 150}, {271, 1030}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        size_t rows = shapes[s][0], d = shapes[s][1], n = rows * d;
        float *x = numbers(n, -1, 2), *y = numbers(n, 0, 1), *sum = numbers(d, -1, 1), *before = numbers(d, 0, 1);
        float *scale = numbers(d, -1, 1), *shift = numbers(d, -1, 1);
        uint32_t *order = malloc((rows + 1) * sizeof *order);
        memcpy(before, sum, d * sizeof *sum);
        for (int add = 0; add < 2; add++) {
            memcpy(sum, before, d * sizeof *sum);
            lam_colsum(rows, d, x, sum, add);
            for (size_t j = 0; j < d; j++) {
                double want = add ? (double)before[j] : 0, size = 1;
                for (size_t r = 0; r < rows; r++) {
                    want += (double)x[r * d + j];
                    size += fabs((double)x[r * d + j]);
                }
                CHECK(fabs((double)sum[j] - want) <= 1e-6 * size);
            }
        }
        lam_affine_cols(rows, d, x, scale, shift, -INFINITY, y);
        for (size_t i = 0; i < n; i++)
            CHECK_NEAR(y[i], (double)x[i] * (double)scale[i % d] + (double)shift[i % d], 3e-7);
        for (size_t r = 0; r < rows; r++)
            order[r] = (uint32_t)((r * 7919 + 3) % rows);
        lam_gather_rows(x, d, order, rows, y);
        for (size_t r = 0; r < rows; r++)
            CHECK(memcmp(y + r * d, x + order[r] * d, d * sizeof *x) == 0);
        free(x);
        free(y);
        free(sum);
        free(before);
        free(scale);
        free(shift);
        free(order);
    }
}

TEST(arrays_of_rows)
{
    each_tier(check_rows);
}

static void check_threads(void)
{
    static const size_t shapes[][2] = {{100003, 3}, {3000, 150}, {300, 1030}};
    for (size_t s = 0; s < 3; s++) {
        size_t rows = shapes[s][0], d = shapes[s][1];
        float *x = numbers(rows * d, -1, 2), *one = numbers(d, 0, 1), *many = numbers(d, 0, 1);
        for (int threads = 1; threads <= 3; threads++) {
            CHECK_OK(lam_threads_set(threads, NULL));
            lam_colsum(rows, d, x, threads == 1 ? one : many, false);
            if (threads > 1)
                CHECK(memcmp(one, many, d * sizeof *one) == 0);
        }
        free(x);
        free(one);
        free(many);
    }
}

TEST(column_sums_do_not_depend_on_threads)
{
    each_tier(check_threads);
}
