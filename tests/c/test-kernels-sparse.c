/* Products with a sparse matrix against plain loops over all of its numbers in double precision. */
#include "kernels/kernels.h"
#include "kernels/sparse.h"
#include "unit.h"

enum { ROWS = 37, COLUMNS = 1201 };

static double dense[ROWS][COLUMNS];
static uint64_t start[ROWS + 1];
static uint32_t column[ROWS * COLUMNS];
static float value[ROWS * COLUMNS];

/* About one number in nine; row 3 is empty, row 4 is full. */
static void fill(void)
{
    unsigned state = 7;
    uint64_t at = 0;
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < COLUMNS; c++) {
            state = state * 1664525u + 1013904223u;
            dense[r][c] = 0;
            if (r == 3 || (r != 4 && (state >> 16) % 9 != 0))
                continue;
            value[at] = (float)(state >> 8) / (1 << 24) - 0.5f;
            dense[r][c] = value[at];
            column[at++] = (uint32_t)c;
        }
        start[r + 1] = at;
    }
}

static float *numbers(size_t n)
{
    float *x = malloc(n * sizeof *x);
    unit_fill(x, n, -1, 1);
    return x;
}

static void check(const lam_sparse *a, size_t m, size_t n)
{
    float *b = numbers(COLUMNS * n), *bias = numbers(n), *c = numbers(m * n + 1);
    lam_sparse_product(a, m, n, b, bias, c);
    for (size_t r = 0; r < m; r++)
        for (size_t j = 0; j < n; j++) {
            const double *row = dense[a->order ? a->order[r] : a->first + r];
            double sum = bias[j];
            for (size_t k = 0; k < COLUMNS; k++)
                sum += row[k] * (double)b[k * n + j];
            CHECK_NEAR(c[r * n + j], sum, 2e-5);
        }
    free(c);

    float *dy = numbers(m * n + 1), *g = numbers(COLUMNS * n), *was = malloc(COLUMNS * n * sizeof *was);
    memcpy(was, g, COLUMNS * n * sizeof *was);
    for (int add = 1; add >= 0; add--) {
        lam_sparse_gradient(a, m, COLUMNS, n, dy, add, g);
        for (size_t k = 0; k < COLUMNS; k++)
            for (size_t j = 0; j < n; j++) {
                double sum = add ? was[k * n + j] : 0;
                for (size_t r = 0; r < m; r++)
                    sum += dense[a->order ? a->order[r] : a->first + r][k] * (double)dy[r * n + j];
                CHECK_NEAR(g[k * n + j], sum, 1e-5);
            }
    }
    free(b);
    free(bias);
    free(dy);
    free(g);
    free(was);
}

TEST(sparse_products)
{
    static const uint32_t order[] = {36, 4, 4, 0, 3, 17, 20, 5};
    lam_tier_id before = lam_tier();
    fill();
    CHECK_OK(lam_threads_set(2, NULL));
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        static const size_t widths[] = {1, 3, 16, 37, 64, 131};
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            lam_sparse all = {start, column, value, NULL, 0};
            check(&all, ROWS, widths[w]);
            all = lam_sparse_from(all, 30);
            check(&all, 7, widths[w]);
            lam_sparse some = {start, column, value, order, 0};
            check(&some, 8, widths[w]);
            some = lam_sparse_from(some, 5);
            check(&some, 3, widths[w]);
            check(&some, 0, widths[w]);
        }
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    lam_threads_stop();
}
