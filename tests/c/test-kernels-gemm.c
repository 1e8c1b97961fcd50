/* lam_gemm_run() against three loops in double precision. */
#include "products.h"

static void check(const problem *q)
{
    numbers x = make_numbers(q);
    run_product(q, &x);
    check_product(q, &x);
    drop_numbers(&x);
}

/* Every form of every shape, with the ways of finishing taken in turn. */
static void check_shape(size_t m, size_t k, size_t n)
{
    static unsigned turn;
    for (int form = 0; form < 3; form++) {
        turn++;
        problem q = {(lam_form)form, m, n, k, turn % 3 == 0 ? 3 : 0, turn % 2 == 0, turn % 5 > 1,
                     acts[turn % 7], turn % 11 > 5, false, false};
        check(&q);
        problem plain = {(lam_form)form, m, n, k, 0, false, false, NULL, false, turn % 4 == 1, false};
        check(&plain);
    }
}

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

static void check_small(void)
{
    for (size_t m = 1; m <= 30; m += m < 17 ? 1 : 4)
        for (size_t n = 1; n <= 67; n += n < 18 ? 1 : 5)
            check_shape(m, 1 + (m * 7 + n * 3) % 23, n);
    for (size_t n = 1; n <= 5; n++)
        for (size_t k = 60; k <= 132; k += 9)
            check_shape(1 + k % 11, k, n);
}

TEST(small_products)
{
    each_tier(check_small);
}

static void check_odd(void)
{
    static const size_t shapes[][3] = {
        {1, 1, 1}, {1, 0, 1}, {7, 0, 33}, {0, 3, 4}, {3, 4, 0}, {10, 1, 16}, {10, 16, 32}, {10, 32, 2},
        {32, 100, 64}, {32, 64, 32}, {32, 32, 1}, {1, 784, 130}, {2, 700, 49}, {100, 1, 100},
        {5, 2000, 1}, {5, 800, 3}, {70, 200, 95}, {49, 171, 97}, {128, 683, 47}, {301, 40, 20}, {17, 3000, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (int again = 0; again < 3; again++)
            check_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
}

TEST(products_of_odd_shapes)
{
    each_tier(check_odd);
}

/* So many rows that a copy of them would not fit into a thread's scratch. */
static void check_tall(void)
{
    for (int form = LAM_NN; form <= (int)LAM_NT; form++)
        check(&(problem){(lam_form)form, 23000, 170, 1, 0, false, true, NULL, false, false, false});
}

TEST(products_of_many_rows)
{
    each_tier(check_tall);
}

/* The same bits for 1, 2 and 3 threads, in shapes that are cut by rows, by columns and by both. */
static void check_threads(void)
{
    static const size_t shapes[][3] = {{260, 300, 301}, {5000, 300, 9}, {64, 400, 900}, {9000, 500, 2}, {650, 90, 200}};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++)
        for (int form = 0; form < 3; form++) {
            problem q = {(lam_form)form, shapes[s][0], shapes[s][2], shapes[s][1], 0, false, true, &relu, false, false, false};
            numbers x = make_numbers(&q);
            size_t bytes = x.n_c * sizeof(float);
            float *c = malloc(bytes), *y = malloc(bytes);
            for (int threads = 1; threads <= 3; threads++) {
                CHECK_OK(lam_threads_set(threads, NULL));
                run_product(&q, &x);
                if (threads == 1) {
                    memcpy(c, x.c, bytes);
                    memcpy(y, x.y, bytes);
                }
                CHECK(memcmp(c, x.c, bytes) == 0 && memcmp(y, x.y, bytes) == 0);
            }
            check_product(&q, &x);
            drop_numbers(&x);
            free(c);
            free(y);
        }
}

TEST(products_do_not_depend_on_threads)
{
    each_tier(check_threads);
}
