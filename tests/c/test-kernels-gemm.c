/* lam_gemm_run() against three loops in double precision. */
#include "kernels/kernels.h"
#include "products.h"
#include "unit.h"

enum { PAD = 3 };
#define GUARD 12345.0f

typedef struct problem {
    lam_form form;
    size_t m, n, k;
    size_t pad; /* what rows are longer than their numbers */
    bool add, bias;
    const lam_activation *act;
    bool in_place; /* y == c */
    bool gated;
} problem;

/* Fills A, B, C, bias; runs; hands c and y to the caller for comparisons of bits. */
static void run(const problem *q, float *a, float *b, float *c, float *y, float *bias, const float *gate)
{
    lam_gemm g = {.form = q->form, .m = q->m, .n = q->n, .k = q->k, .a = a, .b = b, .c = c};
    g.lda = (q->form == LAM_TN ? q->m : q->k) + q->pad;
    g.ldb = (q->form == LAM_NT ? q->k : q->n) + q->pad;
    g.ldc = q->n + q->pad;
    g.add = q->add;
    g.bias = q->bias ? bias : NULL;
    g.act = q->act;
    g.y = q->act ? (q->in_place ? c : y) : NULL;
    g.gate = q->gated ? gate : NULL;
    lam_gemm_run(&g);
}

static void check(const problem *q)
{
    size_t ldc = q->n + q->pad, n_c = q->m * ldc;
    /* exact sizes where it matters, so that the sanitizer sees every step too far */
    size_t lda = (q->form == LAM_TN ? q->m : q->k) + q->pad, rows_a = q->form == LAM_TN ? q->k : q->m;
    size_t ldb = (q->form == LAM_NT ? q->k : q->n) + q->pad, rows_b = q->form == LAM_NT ? q->n : q->k;
    size_t n_a = rows_a ? rows_a * lda - q->pad : 0, n_b = rows_b ? rows_b * ldb - q->pad : 0;
    float *a = malloc((n_a + 1) * sizeof *a), *b = malloc((n_b + 1) * sizeof *b);
    float *c = malloc((n_c + 1) * sizeof *c), *before = malloc((n_c + 1) * sizeof *c);
    float *y = malloc((n_c + 1) * sizeof *c), *bias = malloc((q->n + 1) * sizeof *bias);
    unit_fill(a, n_a, -1.0, 1.0);
    unit_fill(b, n_b, -1.0, 1.0);
    unit_fill(c, n_c, -1.0, 1.0);
    unit_fill(bias, q->n, -1.0, 1.0);
    float *gate = malloc((n_c + 1) * sizeof *c);
    unit_fill(gate, n_c, -1.0, 1.0);
    for (size_t i = 0; i < n_c; i++) {
        if (i % ldc >= q->n)
            c[i] = GUARD;
        y[i] = GUARD;
    }
    memcpy(before, c, n_c * sizeof *c);
    run(q, a, b, c, y, bias, gate);
    for (size_t i = 0; i < q->m; i++)
        for (size_t j = 0; j < ldc; j++) {
            size_t at = i * ldc + j;
            if (j >= q->n) {
                CHECK(c[at] == GUARD && y[at] == GUARD);
                continue;
            }
            double z = 0, size = 1;
            for (size_t p = 0; p < q->k; p++) {
                double ap = (double)(q->form == LAM_TN ? a[p * lda + i] : a[i * lda + p]);
                double bp = (double)(q->form == LAM_NT ? b[j * ldb + p] : b[p * ldb + j]);
                z += ap * bp;
                size += fabs(ap * bp);
            }
            z += (q->add ? (double)before[at] : 0.0) + (q->bias ? (double)bias[j] : 0.0);
            if (q->gated && !(gate[at] > 0.0f))
                z = 0;
            double tol = 1e-6 * size;
            double got_z = (double)c[at], got_y = (double)(q->in_place ? c[at] : y[at]);
            bool wrong = !(q->act && q->in_place) && !(fabs(got_z - z) <= tol);
            wrong |= q->act && !(fabs(got_y - activate(q->act, z)) <= tol);
            wrong |= !q->act && y[at] != GUARD;
            if (wrong)
                unit_fail(__FILE__, __LINE__, "%s: form %d, %zu x %zu x %zu, pad %zu, add %d, bias %d, act %d: "
                          "(%zu, %zu) is %.9g / %.9g, not %.9g", lam_tier_name(lam_tier()), (int)q->form,
                          q->m, q->k, q->n, q->pad, q->add, q->bias, q->act ? (int)q->act->id : -1, i, j, got_z, got_y, z);
        }
    free(a);
    free(b);
    free(c);
    free(before);
    free(y);
    free(bias);
    free(gate);
}

/* Every form of every shape, with the ways of finishing taken in turn. */
static void check_shape(size_t m, size_t k, size_t n)
{
    static unsigned turn;
    for (int form = 0; form < 3; form++) {
        turn++;
        problem q = {(lam_form)form, m, n, k, turn % 3 == 0 ? PAD : 0, turn % 2 == 0, turn % 5 > 1,
                     acts[turn % 7], turn % 11 > 5, false};
        check(&q);
        problem plain = {(lam_form)form, m, n, k, 0, false, false, NULL, false, turn % 4 == 1};
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
        check(&(problem){(lam_form)form, 23000, 170, 1, 0, false, true, NULL, false, false});
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
            problem q = {(lam_form)form, shapes[s][0], shapes[s][2], shapes[s][1], 0, false, true, &relu, false, false};
            size_t n_a = q.m * q.k, n_b = q.k * q.n, n_c = q.m * q.n;
            float *all = malloc((n_a + n_b + 4 * n_c + q.n) * sizeof *all);
            float *a = all, *b = a + n_a, *c = b + n_b, *y = c + n_c, *c1 = y + n_c, *y1 = c1 + n_c, *bias = y1 + n_c;
            unit_fill(a, n_a, -1.0, 1.0);
            unit_fill(b, n_b, -1.0, 1.0);
            unit_fill(bias, q.n, -1.0, 1.0);
            for (int threads = 1; threads <= 3; threads++) {
                CHECK_OK(lam_threads_set(threads, NULL));
                run(&q, a, b, threads == 1 ? c1 : c, threads == 1 ? y1 : y, bias, NULL);
                if (threads > 1)
                    CHECK(memcmp(c, c1, n_c * sizeof *c) == 0 && memcmp(y, y1, n_c * sizeof *c) == 0);
            }
            for (size_t i = 0; i < n_c; i += 997) {
                double z = (double)bias[i % q.n];
                for (size_t p = 0; p < q.k; p++)
                    z += (double)(form == LAM_TN ? a[p * q.m + i / q.n] : a[i / q.n * q.k + p]) *
                         (double)(form == LAM_NT ? b[i % q.n * q.k + p] : b[p * q.n + i % q.n]);
                CHECK_NEAR(c1[i], z, 2e-5);
            }
            free(all);
        }
}

TEST(products_do_not_depend_on_threads)
{
    each_tier(check_threads);
}
