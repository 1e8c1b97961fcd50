/* Runs the registered tests: all, or those whose file or name contains an argument.  Prints the
 * failures and, last, "N passed, N failed, N skipped"; exits with 1 when any failed. */
#include <stdarg.h>

#include "kernels/cpu.h"
#include "unit.h"

/* What no memory can hold gives NULL, as it does in earnest. */
#if defined(__SANITIZE_ADDRESS__)
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

#define MAX_TESTS 2000

static struct {
    const char *file, *name;
    unit_fn fn;
} tests[MAX_TESTS];
static size_t n_tests;
static const char *current;
static int failures;
static const char *skipped;
static uint64_t state = 1;

void unit_register(const char *file, const char *name, unit_fn fn)
{
    if (n_tests == MAX_TESTS) {
        fprintf(stderr, "too many tests: raise MAX_TESTS\n");
        exit(1);
    }
    tests[n_tests].file = file;
    tests[n_tests].name = name;
    tests[n_tests++].fn = fn;
}

void unit_fail(const char *file, int line, const char *format, ...)
{
    if (++failures > 10)
        return;
    va_list ap;
    va_start(ap, format);
    fprintf(stderr, "%s:%d: %s: ", file, line, current);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
}

void unit_skip(const char *why)
{
    skipped = why;
}

const char *unit_current(void)
{
    return current;
}

void unit_near(const char *file, int line, const char *what, double got, double want, double tol)
{
    if ((isnan(got) && isnan(want)) || got == want)
        return;
    if (!(fabs(got - want) <= tol * fmax(1.0, fabs(want))))
        unit_fail(file, line, "%s is %.9g, not %.9g (off by %.2g)", what, got, want, got - want);
}

void unit_rel(const char *file, int line, const char *what, double got, double want, double tol, double tiny)
{
    if ((isnan(got) && isnan(want)) || got == want)
        return;
    if (!(fabs(got - want) <= tol * fmax(fabs(got), fabs(want)) + tiny))
        unit_fail(file, line, "%s is %.9g, not %.9g (off by %.2g)", what, got, want, got - want);
}

void unit_seed(uint64_t seed)
{
    state = seed * 2654435769u + 1;
}

/* Vigna's splitmix64. */
double unit_uniform(double low, double high)
{
    uint64_t z = (state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return low + (high - low) * ((double)(z >> 11) * 0x1p-53);
}

void unit_fill(float *x, size_t n, double low, double high)
{
    for (size_t i = 0; i < n; i++)
        x[i] = (float)unit_uniform(low, high);
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0, n_skipped = 0;
    lam_tier_init();
    for (size_t i = 0; i < n_tests; i++) {
        bool wanted = argc < 2;
        for (int a = 1; a < argc; a++)
            wanted |= strstr(tests[i].file, argv[a]) || strstr(tests[i].name, argv[a]);
        if (!wanted)
            continue;
        current = tests[i].name;
        failures = 0;
        skipped = NULL;
        unit_seed(1);
        tests[i].fn();
        if (failures > 10)
            fprintf(stderr, "%s: ... and %d more\n", current, failures - 10);
        if (failures)
            failed++;
        else if (skipped)
            n_skipped++;
        else
            passed++;
        if (skipped)
            fprintf(stderr, "%s: skipped: %s\n", current, skipped);
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, n_skipped);
    return failed > 0;
}
