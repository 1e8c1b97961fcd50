/* How fast the kernels are, beside what the processor could do.
 *
 *     cc -std=gnu11 -O2 -Isrc bench/kernels.c src/base/[a-z]*.c src/kernels/[a-z]*.c -lm -lpthread
 *     with -DLAM_BENCH_BLAS ... -lopenblas also cblas_sgemm, on one thread
 *
 * Each figure is the best of some repetitions, in time of this thread's own (one thread) or of the
 * clock (two), so that a busy machine disturbs little.  The FMA peak is measured again beside every
 * product: a neighbour on the same core lowers both. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/fpu.h"
#include "kernels/conv.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"

#ifdef LAM_BENCH_BLAS
void cblas_sgemm(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                 const float *b, int ldb, float beta, float *c, int ldc);
void openblas_set_num_threads(int n);
#endif

typedef void (*timed_fn)(void *arg);

static int threads;

static double now(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Seconds a call, the best of several runs of about a millisecond or one call. */
static double seconds(timed_fn fn, void *arg)
{
    double best = 1e9, once = now();
    fn(arg);
    once = now() - once;
    int calls = once > 1e-3 ? 1 : (int)(1e-3 / (once + 1e-9)) + 1;
    int runs = once > 5e-3 ? 8 : 25;
    for (int r = 0; r < runs; r++) {
        double start = now();
        for (int i = 0; i < calls; i++)
            fn(arg);
        double took = (now() - start) / calls;
        best = took < best ? took : best;
    }
    return best;
}

static void peak_call(void *arg)
{
    *(double *)arg = lam_peak_run(threads);
}

/* GF/s of multiply-adds on registers alone. */
static double peak(void)
{
    double work, took = seconds(peak_call, &work);
    return work / took / 1e9;
}

typedef struct product {
    lam_gemm g;
    float *a, *b, *c, *y, *bias;
} product;

static void ours(void *arg)
{
    lam_gemm_run(&((product *)arg)->g);
}

#ifdef LAM_BENCH_BLAS
static void theirs(void *arg)
{
    const lam_gemm *g = &((product *)arg)->g;
    cblas_sgemm(101, g->form == LAM_TN ? 112 : 111, g->form == LAM_NT ? 112 : 111, (int)g->m, (int)g->n,
                (int)g->k, 1.0f, g->a, (int)g->lda, g->b, (int)g->ldb, 0.0f, g->c, (int)g->ldc);
}
#endif

static float *numbers(size_t n)
{
    float *x = lam_alloc(n, sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(i * 2654435761u % 1000) * 1e-3f - 0.5f;
    return x;
}

static void bench_product(lam_form form, size_t m, size_t k, size_t n, bool fused)
{
    static const lam_activation relu = {LAM_ACT_relu, {0, INFINITY, 0}};
    static const char *const names[] = {"NN", "NT", "TN"};
    product p = {.a = numbers(m * k), .b = numbers(k * n), .c = numbers(m * n), .y = numbers(m * n),
                 .bias = numbers(n)};
    p.g = (lam_gemm){.form = form, .m = m, .n = n, .k = k, .a = p.a, .b = p.b, .c = p.c, .ldc = n};
    p.g.lda = form == LAM_TN ? m : k;
    p.g.ldb = form == LAM_NT ? k : n;
    if (fused) {
        p.g.bias = p.bias;
        p.g.act = &relu;
        p.g.y = p.c;
    }
    double top = peak(), took = seconds(ours, &p), work = 2e-9 * (double)m * (double)n * (double)k;
    printf("  %s %5zu x %4zu x %4zu %s  %9.2f us %7.1f GF/s %4.0f %% of %.0f", names[form], m, k, n,
           fused ? "bias relu" : "         ", took * 1e6, work / took, 100 * work / took / top, top);
#ifdef LAM_BENCH_BLAS
    if (threads == 1) {
        double blas = seconds(theirs, &p);
        printf("   cblas %9.2f us %7.1f GF/s", blas * 1e6, work / blas);
    }
#endif
    if (work > 0.02) {
        bool dots = lam_dots();
        p.g.bf16 = true;
        for (int way = 0; way <= (int)lam_dots_there(); way++) {
            lam_dots_set(way);
            double half = seconds(ours, &p);
            printf("   bfloat16%s %9.2f us %7.1f GF/s", way ? " by vdpbf16ps" : "", half * 1e6, work / half);
        }
        lam_dots_set(dots);
    }
    putchar('\n');
    lam_free(p.a);
    lam_free(p.b);
    lam_free(p.c);
    lam_free(p.y);
    lam_free(p.bias);
}

typedef struct picture {
    lam_conv c;
    size_t rows;
    float *x, *y, *kernel, *bias;
    void *prepared;
} picture;

static void conv_forward(void *arg)
{
    static const lam_activation relu = {LAM_ACT_relu, {0, INFINITY, 0}};
    picture *p = arg;
    lam_conv_forward(&p->c, p->rows, p->x, p->prepared, p->bias, &relu, NULL, p->y);
}

static void conv_input_gradient(void *arg)
{
    picture *p = arg;
    lam_conv_input_gradient(&p->c, p->rows, p->y, p->prepared, p->x);
}

static void conv_kernel_gradient(void *arg)
{
    picture *p = arg;
    lam_conv_kernel_gradient(&p->c, p->rows, p->x, p->y, p->kernel, false);
}

static void conv_prepare(void *arg)
{
    picture *p = arg;
    lam_conv_prepare(&p->c, LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT, p->kernel, p->prepared);
}

/* Square pictures and kernels; same: with padding that keeps the size. */
static void bench_conv(size_t rows, size_t size, size_t in, size_t out, size_t taps, size_t stride, bool same,
                       size_t groups)
{
    static const struct {
        const char *name;
        timed_fn fn;
    } parts[] = {{"forward", conv_forward}, {"input", conv_input_gradient}, {"kernel", conv_kernel_gradient}};
    size_t pad = same ? taps / 2 : 0, result = (size + 2 * pad - taps) / stride + 1;
    picture p = {.rows = rows};
    p.c = (lam_conv){size, size, in, result, result, out, taps, taps, stride, stride, 1, 1, pad, pad, groups};
    size_t n_kernel = taps * taps * in / groups * out, n_y = rows * result * result * out;
    p.x = numbers(rows * size * size * in);
    p.y = numbers(n_y);
    p.kernel = numbers(n_kernel);
    p.bias = numbers(out);
    p.prepared = lam_alloc(lam_conv_prepared_size(&p.c, LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT), 1);
    conv_prepare(&p);
    double work = 2e-9 * (double)n_y * (double)(n_kernel / out);
    printf("  %4zu x %3zu^2 x %3zu -> %3zu^2 x %3zu, %zu^2 /%zu%s", rows, size, in, result, out, taps, stride,
           groups > 1 ? " depthwise" : "          ");
    for (size_t i = 0; i < 3; i++) {
        double top = peak(), took = seconds(parts[i].fn, &p);
        printf("  %s %8.0f us %6.1f GF/s %3.0f %%", parts[i].name, took * 1e6, work / took, 100 * work / took / top);
    }
    printf("  prepare %.0f us\n", seconds(conv_prepare, &p) * 1e6);
    lam_free(p.x);
    lam_free(p.y);
    lam_free(p.kernel);
    lam_free(p.bias);
    lam_free(p.prepared);
}

static void bench_convolutions(void)
{
    bench_conv(16, 28, 1, 32, 3, 1, false, 1);
    bench_conv(16, 26, 32, 64, 3, 1, false, 1);
    bench_conv(8, 32, 3, 32, 3, 1, true, 1);
    bench_conv(8, 32, 32, 32, 3, 1, true, 1);
    bench_conv(16, 8, 128, 128, 3, 1, true, 1);
    bench_conv(16, 4, 256, 256, 3, 1, true, 1);
    bench_conv(16, 28, 32, 64, 3, 2, true, 1);
    bench_conv(16, 14, 64, 64, 5, 1, true, 1);
    bench_conv(16, 28, 32, 1, 3, 1, true, 1);
    bench_conv(16, 16, 128, 128, 1, 1, false, 1);
    bench_conv(64, 6, 64, 256, 6, 1, false, 1);
    bench_conv(16, 28, 64, 64, 3, 1, true, 64);
}

typedef struct map {
    lam_activation act;
    size_t n;
    float *x, *y;
    uint8_t *mask;
    lam_rng rng;
} map;

static void forward(void *arg)
{
    map *m = arg;
    lam_activation_forward(&m->act, m->n / 10, 10, m->x, m->y);
}

static void backward(void *arg)
{
    map *m = arg;
    lam_activation_backward(&m->act, m->n / 10, 10, m->x, m->x, m->x, m->y);
}

static void dropout(void *arg)
{
    map *m = arg;
    lam_dropout_forward(m->n, &m->rng, 1, 0.2f, m->x, m->y, m->mask);
}

static void dropout_back(void *arg)
{
    map *m = arg;
    lam_dropout_backward(m->n, m->mask, 1.25f, m->x, m->y);
}

static void noise(void *arg)
{
    map *m = arg;
    lam_noise(m->n, &m->rng, 1, 0.1f, m->x, m->y);
}

static void colsum(void *arg)
{
    map *m = arg;
    lam_colsum(m->n / 512, 512, m->x, m->y, false);
}

static void bench_maps(size_t n)
{
    map m = {.n = n, .x = numbers(n), .y = numbers(n), .mask = lam_alloc(n, 1), .rng = {1, 16, 1}};
    printf("  ns a number, %zu numbers:\n", n);
    for (int id = 0; id < LAM_ACT_COUNT; id++) {
        const lam_activation_type *type = lam_activation_type_of((lam_act_id)id);
        m.act.id = (lam_act_id)id;
        memcpy(m.act.par, type->par_default, sizeof m.act.par);
        printf("    %-14s forward %6.3f  backward %6.3f\n", type->name, seconds(forward, &m) / (double)n * 1e9,
               seconds(backward, &m) / (double)n * 1e9);
    }
    printf("    %-14s forward %6.3f  backward %6.3f\n", "dropout", seconds(dropout, &m) / (double)n * 1e9,
           seconds(dropout_back, &m) / (double)n * 1e9);
    printf("    %-14s         %6.3f\n", "noise", seconds(noise, &m) / (double)n * 1e9);
    printf("    %-14s         %6.3f\n", "column sums", seconds(colsum, &m) / (double)n * 1e9);
    lam_free(m.x);
    lam_free(m.y);
    lam_free(m.mask);
}

static void bench_products(void)
{
    static const size_t tiny[][3] = {{10, 1, 16}, {10, 16, 32}, {10, 32, 2}, {32, 100, 64}, {32, 64, 32}};
    for (size_t i = 0; i < sizeof tiny / sizeof tiny[0]; i++) {
        size_t m = tiny[i][0], k = tiny[i][1], n = tiny[i][2];
        bench_product(LAM_NN, m, k, n, true);
        bench_product(LAM_NT, m, n, k, false); /* the gradient of the input */
        bench_product(LAM_TN, k, m, n, false); /* the gradient of the weights */
    }
    bench_product(LAM_NN, 128, 784, 512, true);
    bench_product(LAM_NN, 128, 512, 512, true);
    bench_product(LAM_NT, 128, 512, 512, false);
    bench_product(LAM_TN, 784, 128, 512, false);
    bench_product(LAM_NN, 128, 512, 10, true);
    bench_product(LAM_NN, 1, 784, 512, true);
    bench_product(LAM_NN, 256, 2048, 4096, true);
    bench_product(LAM_NT, 256, 4096, 2048, false);
    bench_product(LAM_TN, 2048, 256, 4096, false);
}

int main(int argc, char **argv)
{
    lam_tier_init();
    lam_fpu_enter(); /* as while a network computes */
#ifdef LAM_BENCH_BLAS
    openblas_set_num_threads(1);
#endif
    int most = argc > 1 ? atoi(argv[1]) : 2;
    for (threads = 1; threads <= most; threads++) {
        if (lam_threads_set(threads, NULL) != LAM_OK)
            return 1;
        printf("%s, %d thread%s: %.1f GF/s of multiply-adds on registers\n", lam_tier_name(lam_tier()), threads,
               threads > 1 ? "s" : "", peak());
        bench_products();
        bench_convolutions();
        bench_maps(10240);
        bench_maps(1024000);
    }
    lam_threads_stop();
    return 0;
}
