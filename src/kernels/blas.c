#include "kernels/blas.h"

#if defined(LAM_HAVE_BLAS) && !defined(LAM_BLAS_REFERENCE) && defined(__ELF__)

#include <limits.h>
#include <string.h>

/* The last two are the lengths of the strings, as Fortran compilers pass them. */
void sgemm_(const char *trans_a, const char *trans_b, const int *m, const int *n, const int *k,
            const float *alpha, const float *a, const int *lda, const float *b, const int *ldb,
            const float *beta, float *c, const int *ldc, size_t length_a, size_t length_b);

/* Weak: the library behind R's BLAS may be exchanged after lamina was installed. */
extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));
extern char *openblas_get_corename(void) __attribute__((weak));

/* From here on OpenBLAS 0.3.21 was 6 to 12 % faster than gemm.c in the forms NT and TN, and level
 * in NN (AVX-512, products of 2,048 x 256 x 4,096; bench/kernels.c); at a tenth of that they are
 * level in all forms. */
static const double worth_it = 5e8;

/* An OpenBLAS that is older than the processor takes it for a plain one and is four times slower
 * (0.3.21 on a Xeon of 2023: "Prescott", 32 of 139 GF/s): it must have kernels of the tier's vectors. */
static bool knows_processor(void)
{
    static const char *const avx512[] = {"SkylakeX", "Cooperlake", "SapphireRapids", "Zen4", "Zen5"};
    static const char *const avx2[] = {"Haswell", "Zen"};
    const char *core = openblas_get_corename ? openblas_get_corename() : "";
    for (size_t i = 0; i < sizeof avx512 / sizeof *avx512; i++)
        if (strcmp(core, avx512[i]) == 0)
            return true;
    for (size_t i = 0; i < sizeof avx2 / sizeof *avx2; i++)
        if (strcmp(core, avx2[i]) == 0)
            return lam_tier() != LAM_TIER_AVX512;
    return false;
}

bool lam_blas_wants(const lam_gemm *g)
{
    bool fits = g->m < INT_MAX && g->n < INT_MAX && g->k < INT_MAX && g->lda < INT_MAX &&
                g->ldb < INT_MAX && g->ldc < INT_MAX;
    return openblas_set_num_threads && openblas_get_num_threads && fits && g->form != LAM_NN &&
           g->m >= 128 && g->n >= 128 && g->k >= 128 &&
           (double)g->m * (double)g->n * (double)g->k >= worth_it && knows_processor();
}

int lam_blas_enter(void)
{
    int before = openblas_get_num_threads();
    if (before > 1)
        openblas_set_num_threads(1);
    return before;
}

void lam_blas_leave(int before)
{
    if (before > 1)
        openblas_set_num_threads(before);
}

/* Row-major C = A B is column-major C' = B' A'. */
void lam_blas_product(const lam_gemm *g, size_t row, size_t rows, size_t col, size_t cols)
{
    const float one = 1.0f, beta = g->add ? 1.0f : 0.0f;
    const float *a = g->a + (g->form == LAM_TN ? row : row * g->lda);
    const float *b = g->b + (g->form == LAM_NT ? col * g->ldb : col);
    int m = (int)rows, n = (int)cols, k = (int)g->k;
    int lda = (int)g->lda, ldb = (int)g->ldb, ldc = (int)g->ldc;
    sgemm_(g->form == LAM_NT ? "T" : "N", g->form == LAM_TN ? "T" : "N", &n, &m, &k, &one, b, &ldb,
           a, &lda, &beta, g->c + row * g->ldc + col, &ldc, 1, 1);
}

#else

bool lam_blas_wants(const lam_gemm *g)
{
    (void)g;
    return false;
}

int lam_blas_enter(void)
{
    return 0;
}

void lam_blas_leave(int before)
{
    (void)before;
}

void lam_blas_product(const lam_gemm *g, size_t row, size_t rows, size_t col, size_t cols)
{
    (void)g, (void)row, (void)rows, (void)col, (void)cols;
}

#endif
