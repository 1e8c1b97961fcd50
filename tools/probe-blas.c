/* configure's question to a BLAS: does its sgemm give the right product, and whose is it?
 * Prints the name of the library and exits with 0, or exits with 1 when the product is wrong. */
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

extern void sgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
                   const float *alpha, const float *a, const int *lda, const float *b,
                   const int *ldb, const float *beta, float *c, const int *ldc, size_t, size_t);

/* c = a b for a = [1 3; 2 4], b = [5 7; 6 8], all by columns. */
static int product_is_right(void)
{
    const int n = 2;
    const float one = 1.0f, zero = 0.0f;
    const float a[] = {1, 2, 3, 4}, b[] = {5, 6, 7, 8}, want[] = {23, 34, 31, 46};
    float c[4] = {0};
    sgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n, 1, 1);
    return memcmp(c, want, sizeof c) == 0;
}

static int exports(const char *symbol)
{
    return dlsym(dlopen(NULL, RTLD_NOW), symbol) != NULL;
}

/* "OpenBLAS 0.3.21 NO_LAPACKE ..." up to the version. */
static void print_openblas(void)
{
    char *(*config)(void);
    char version[32] = "";
    *(void **)&config = dlsym(dlopen(NULL, RTLD_NOW), "openblas_get_config");
    sscanf(config(), "%*s %31[0-9.]", version);
    printf("OpenBLAS%s%s\n", version[0] ? " " : "", version);
}

int main(void)
{
    if (!product_is_right())
        return 1;
    if (exports("openblas_get_config"))
        print_openblas();
    else if (exports("MKL_Get_Version"))
        puts("MKL");
    else if (exports("bli_info_get_version_str"))
        puts("BLIS");
    else if (exports("vDSP_vadd"))
        puts("Accelerate");
    else
        puts("reference BLAS");
    return 0;
}
