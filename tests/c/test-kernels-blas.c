/* Products large enough for OpenBLAS, where the build has one: sampled numbers against sums in
 * double precision, and the same bits for any number of threads. */
#include "base/alloc.h"
#include "kernels/blas.h"
#include "kernels/kernels.h"
#include "unit.h"

enum { M = 128, N = 2048, K = 2048, SAMPLES = 300 };

/* What happens to the sums. */
typedef enum { PLAIN, ADDED, ACTIVATED, GATED } ending;

static void check_form(lam_form form, ending end)
{
    lam_error err;
    lam_activation act = {.id = LAM_ACT_tanh};
    float *a = lam_alloc((size_t)M * K, sizeof(float)), *b = lam_alloc((size_t)N * K, sizeof(float));
    float *c = lam_alloc((size_t)M * N, sizeof(float)), *start = lam_alloc((size_t)M * N, sizeof(float));
    float *y = lam_alloc((size_t)M * N, sizeof(float)), *bias = lam_alloc(N, sizeof(float));
    unit_fill(a, (size_t)M * K, -0.05, 0.05);
    unit_fill(b, (size_t)N * K, -0.5, 0.5);
    unit_fill(start, (size_t)M * N, -1, 1);
    unit_fill(bias, N, -1, 1);
    lam_gemm g = {.form = form, .m = M, .n = N, .k = K, .a = a, .b = b, .c = c, .ldc = N, .add = end == ADDED,
                  .lda = form == LAM_TN ? M : K, .ldb = form == LAM_NT ? K : N};
    if (end == ACTIVATED) {
        g.bias = bias;
        g.act = &act;
        g.y = y;
    } else if (end == GATED) {
        g.gate = start;
    }
    for (int threads = 1; threads <= 2; threads++) {
        float *first = lam_alloc((size_t)M * N, sizeof(float));
        memcpy(first, c, (size_t)M * N * sizeof(float));
        CHECK_OK(lam_threads_set(threads, &err));
        memcpy(c, start, (size_t)M * N * sizeof(float));
        lam_gemm_run(&g);
        CHECK(threads == 1 || memcmp(first, c, (size_t)M * N * sizeof(float)) == 0);
        lam_free(first);
    }
    CHECK_OK(lam_threads_set(1, &err));
    for (int s = 0; s < SAMPLES; s++) {
        size_t i = (size_t)unit_uniform(0, M), j = (size_t)unit_uniform(0, N);
        double sum = end == ADDED ? (double)start[i * N + j] : end == ACTIVATED ? (double)bias[j] : 0.0;
        for (size_t k = 0; k < K; k++)
            sum += (double)(form == LAM_TN ? a[k * M + i] : a[i * K + k]) *
                   (double)(form == LAM_NT ? b[j * K + k] : b[k * N + j]);
        if (end == GATED && !(start[i * N + j] > 0.0f))
            sum = 0.0;
        CHECK_NEAR(c[i * N + j], sum, 2e-5);
        if (end == ACTIVATED)
            CHECK_NEAR(y[i * N + j], tanh(sum), 2e-5);
    }
    lam_free(a);
    lam_free(b);
    lam_free(c);
    lam_free(start);
    lam_free(y);
    lam_free(bias);
}

TEST(large_products_are_right)
{
    check_form(LAM_NN, ACTIVATED);
    check_form(LAM_NT, ACTIVATED);
    check_form(LAM_NT, GATED);
    check_form(LAM_TN, PLAIN);
    check_form(LAM_TN, ACTIVATED);
    check_form(LAM_TN, ADDED);
}

TEST(blas_is_left_out_of_small_products)
{
    float x[4] = {0};
    CHECK(!lam_blas_wants(&(lam_gemm){.form = LAM_TN, .m = 2, .n = 2, .k = 2, .a = x, .b = x, .c = x, .lda = 2, .ldb = 2, .ldc = 2}));
#ifdef LAM_HAVE_BLAS
    lam_gemm large = {.form = LAM_TN, .m = 2048, .n = 4096, .k = 256, .a = x, .b = x, .c = x, .lda = 2048, .ldb = 4096, .ldc = 4096};
    if (!lam_blas_wants(&large))
        SKIP("the BLAS is not OpenBLAS, or one that does not know this processor");
    int before = lam_blas_enter();
    lam_blas_leave(before);
    CHECK_INT(lam_blas_enter(), before);
    lam_blas_leave(before);
#endif
}
