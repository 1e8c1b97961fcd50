/* What the machine could do, to hold other figures against.
 *
 *     cc -std=gnu11 -O2 -march=native -Isrc bench/peak.c src/base/[a-z]*.c -lm -lpthread
 *     ./a.out fma|memory|forkjoin THREADS
 *
 * fma: GF/s of multiply-adds on registers alone; memory: GB/s of a[i] = b[i] + s c[i] on 384 MiB, far more than
 * most caches; forkjoin: microseconds that lam_parallel() takes beyond tasks of 20 us, one for each thread, the median.  The others
 * are the best of several repetitions: a bound is wanted, and a busy neighbour can only lower it.
 * The threads are those of the engine's own pool (base/threads.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/threads.h"

/* Not all processors are faster with their widest vectors, so two widths are tried. */
typedef float narrow __attribute__((vector_size(32)));
typedef float wide __attribute__((vector_size(64)));

enum { CHAINS = 12, TURNS = 20000, TASKS_PER_THREAD = 16, LENGTH = 1 << 25, REPETITIONS = 2001 };
#define SHORT 20e-6

/* volatile: stored, though nobody reads it, so that what leads to it is computed */
static volatile float sink[LAM_MAX_THREADS * TASKS_PER_THREAD];
static float factor = 0.999f;
static float *a, *b, *c;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Independent chains of multiply-adds, as many as hide the latency and fit into the registers.  An empty
 * asm statement keeps the compiler from seeing that all chains hold the same number. */
#if defined(__AVX512F__)
#define HIDE(vector) __asm__("" : "+v"(vector))
#elif defined(__x86_64__)
#define HIDE(vector) __asm__("" : "+x"(vector))
#else
#define HIDE(vector) __asm__("" : "+m"(vector))
#endif
#define FMA_TASK(vector)                                                       \
    static void vector##_task(void *arg, size_t task, int worker)              \
    {                                                                          \
        (void)arg;                                                             \
        (void)worker;                                                          \
        vector sum[CHAINS] = {{0}}, f = (vector){0} + factor, g = f + 1;       \
        _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++) HIDE(sum[i]); \
        for (int turn = 0; turn < TURNS; turn++) {                             \
            _Pragma("GCC unroll 12") for (int i = 0; i < CHAINS; i++)          \
            {                                                                  \
                sum[i] = sum[i] * f + g;                                       \
                HIDE(sum[i]);                                                  \
            }                                                                  \
        }                                                                      \
        _Pragma("GCC unroll 12") for (int i = 1; i < CHAINS; i++)              \
            sum[0] += sum[i];                                                  \
        sink[task] = sum[0][0];                                                \
    }
FMA_TASK(narrow)
FMA_TASK(wide)

static void triad_task(void *arg, size_t task, int worker)
{
    (void)worker;
    size_t part = LENGTH / *(size_t *)arg, first = task * part;
    for (size_t i = first; i < first + part; i++)
        a[i] = b[i] + factor * c[i];
}

/* Long enough that the others come before one thread has done it all. */
static void short_task(void *arg, size_t task, int worker)
{
    (void)arg;
    (void)task;
    (void)worker;
    for (double end = now() + SHORT; now() < end;)
        ;
}

static double best_seconds(lam_task_fn fn, size_t tasks, int repetitions)
{
    double best = 1e9;
    for (int r = 0; r < repetitions; r++) {
        double start = now();
        lam_parallel(tasks, fn, &tasks);
        double took = now() - start;
        best = took < best ? took : best;
    }
    return best;
}

static double fma_peak(size_t tasks)
{
    double flops = 2.0 * CHAINS * TURNS * (double)tasks;
    double by_narrow = flops * 8 / best_seconds(narrow_task, tasks, 40);
    double by_wide = flops * 16 / best_seconds(wide_task, tasks, 40);
    return (by_narrow > by_wide ? by_narrow : by_wide) / 1e9;
}

static double memory_rate(size_t tasks)
{
    size_t bytes = sizeof(float) * LENGTH;
    a = malloc(bytes), b = malloc(bytes), c = malloc(bytes);
    if (!a || !b || !c)
        return 0;
    memset(a, 1, bytes), memset(b, 1, bytes), memset(c, 1, bytes);
    return 3.0 * (double)bytes / best_seconds(triad_task, tasks, 8) / 1e9;
}

static int by_size(const void *x, const void *y)
{
    double d = *(const double *)x - *(const double *)y;
    return d > 0 ? 1 : d < 0 ? -1 : 0;
}

static double fork_join(size_t tasks)
{
    static double took[REPETITIONS];
    for (int r = 0; r < REPETITIONS; r++)
        took[r] = best_seconds(short_task, tasks, 1) - SHORT;
    qsort(took, REPETITIONS, sizeof *took, by_size);
    return took[REPETITIONS / 2];
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "fma";
    int threads = argc > 2 ? atoi(argv[2]) : 1;
    lam_error err;
    if (lam_threads_set(threads, &err))
        return 1;
    size_t tasks = (size_t)threads * TASKS_PER_THREAD;
    if (!strcmp(what, "fma"))
        printf("%.1f\n", fma_peak(tasks));
    else if (!strcmp(what, "memory"))
        printf("%.1f\n", memory_rate(tasks));
    else
        printf("%.2f\n", 1e6 * fork_join((size_t)threads));
    lam_threads_stop();
    return 0;
}
