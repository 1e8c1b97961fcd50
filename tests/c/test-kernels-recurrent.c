/* Packed products and the gates of recurrent cells against double precision. */
#include "kernels/cpu.h"
#include "kernels/packed.h"
#include "kernels/recurrent.h"
#include "unit.h"

static void each_tier(void (*fn)(void))
{
    lam_error err;
    lam_tier_id best = lam_tier();
    for (int tier = 0; tier <= (int)best; tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), &err));
        fn();
    }
}

/* ---- packed products -------------------------------------------------------------- */

enum { MOST_K = 70, MOST_N = 100, MOST_ROWS = 40, BATCHES = 3 };

/* C of some batches of rows, with numbers around it that nobody may touch. */
static void check_product(size_t rows, size_t n, size_t k, bool transposed, bool add, bool biased)
{
    static float a[BATCHES * MOST_ROWS * (MOST_K + 2)], b[MOST_K * MOST_N], bias[MOST_N];
    static float c[BATCHES * MOST_ROWS * (MOST_N + 3)], before[BATCHES * MOST_ROWS * (MOST_N + 3)];
    size_t lda = k + 2, ldc = n + 3, ldb = transposed ? k : n;
    float *packed = aligned_alloc(64, lam_packed_floats(k, n) * sizeof(float));
    unit_fill(a, BATCHES * rows * lda, -1, 1);
    unit_fill(b, k * n, -1, 1);
    unit_fill(bias, n, -1, 1);
    unit_fill(c, BATCHES * rows * ldc, -1, 1);
    memcpy(before, c, sizeof c);
    (transposed ? lam_pack_transposed : lam_pack)(k, n, b, ldb, packed);
    lam_packed_run(&(lam_packed_product){.rows = rows,
                                         .n = n,
                                         .k = k,
                                         .a = a,
                                         .lda = lda,
                                         .b = packed,
                                         .c = c,
                                         .ldc = ldc,
                                         .add = add,
                                         .bias = biased ? bias : NULL,
                                         .more = BATCHES - 1,
                                         .a_distance = rows * lda,
                                         .c_distance = rows * ldc});
    free(packed);
    for (size_t i = 0; i < BATCHES * rows; i++)
        for (size_t j = 0; j < ldc; j++) {
            double sum = (add ? before[i * ldc + j] : 0) + (biased && j < n ? bias[j] : 0);
            for (size_t p = 0; p < k && j < n; p++)
                sum += (double)a[i * lda + p] * b[transposed ? j * ldb + p : p * ldb + j];
            if (j < n)
                CHECK_NEAR(c[i * ldc + j], sum, 1e-5);
            else
                CHECK(c[i * ldc + j] == before[i * ldc + j]);
        }
}

static void check_products(void)
{
    static const size_t sizes[][3] = {{1, 1, 1},    {3, 5, 2},    {8, 48, 16},  {16, 16, 17},
                                      {17, 33, 70}, {40, 100, 3}, {13, 64, 31}, {5, 20, 65}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (int mode = 0; mode < 8; mode++)
            check_product(sizes[i][0], sizes[i][1], sizes[i][2], mode & 1, mode & 2, mode & 4);
}

TEST(packed_products_are_products)
{
    each_tier(check_products);
}

/* ---- gates -------------------------------------------------------------------------- */

enum { UNITS = 37, POINTS = 4001 };

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Sums over the whole range, saturated ones too: every gate to float's precision. */
static void check_gates(void)
{
    for (size_t p = 0; p < POINTS; p++) {
        float gates[4 * UNITS], before[UNITS], c[UNITS], h[UNITS];
        double x = ((double)p - POINTS / 2) * (p % 3 == 0 ? 0.2 : 0.01);
        for (size_t i = 0; i < 4 * UNITS; i++)
            gates[i] = (float)(x + (double)i * 1e-3);
        unit_fill(before, UNITS, -2, 2);
        lam_lstm_forward(&(lam_lstm_step){
            .rows = 1, .units = UNITS, .gates = gates, .c_before = before, .c = c, .h = h});
        for (size_t j = 0; j < UNITS; j++) {
            double z[4];
            for (size_t g = 0; g < 4; g++) {
                double sum = (float)(x + (double)(g * UNITS + j) * 1e-3);
                z[g] = g == 2 ? tanh(sum) : sigmoid(sum);
                CHECK_REL(gates[g * UNITS + j], z[g], 5e-7, 2e-38);
            }
            double cell = z[1] * before[j] + z[0] * z[2];
            CHECK_NEAR(c[j], cell, 1e-6);
            CHECK_NEAR(h[j], z[3] * tanh(cell), 1e-6);
        }
    }
}

TEST(gates_are_precise_over_the_whole_range)
{
    each_tier(check_gates);
}

static void check_nan(void)
{
    float gates[4] = {0, 0, NAN, 0}, before[1] = {0}, c[1], h[1];
    lam_lstm_forward(&(lam_lstm_step){
        .rows = 1, .units = 1, .gates = gates, .c_before = before, .c = c, .h = h});
    CHECK(isnan(c[0]) && isnan(h[0]));
    float sums[3] = {0, NAN, 0}, inner[3] = {0, 0, 1}, kept[1];
    lam_gru_forward(&(lam_gru_step){.rows = 1,
                                    .units = 1,
                                    .gates = sums,
                                    .inner = inner,
                                    .kept = kept,
                                    .h_before = before,
                                    .h = h});
    CHECK(isnan(h[0]));
}

TEST(gates_hand_nan_on)
{
    each_tier(check_nan);
}
