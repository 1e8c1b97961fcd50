/* A very small test harness.
 *
 *     TEST(colsum_adds_rows) { ... CHECK_NEAR(got, want, 1e-6); }
 *
 * Every TEST in every file linked with main.c registers itself; nothing else lists it.  A failed
 * check prints both values and the test goes on.  SKIP("why") counts the test as skipped. */
#ifndef LAM_TESTS_UNIT_H
#define LAM_TESTS_UNIT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

typedef void (*unit_fn)(void);
void unit_register(const char *file, const char *name, unit_fn fn);
void unit_fail(const char *file, int line, const char *format, ...) LAM_PRINTF(3, 4);
void unit_skip(const char *why);
/* The name of the test that runs. */
const char *unit_current(void);

/* Deterministic numbers for tests: uniform on [low, high). */
double unit_uniform(double low, double high);
void unit_seed(uint64_t seed);
void unit_fill(float *x, size_t n, double low, double high);

#define TEST(name)                                                              \
    static void test_##name(void);                                              \
    __attribute__((constructor)) static void register_##name(void)              \
    {                                                                           \
        unit_register(__FILE__, #name, test_##name);                            \
    }                                                                           \
    static void test_##name(void)

#define CHECK(cond)                                                             \
    do {                                                                        \
        if (!(cond))                                                            \
            unit_fail(__FILE__, __LINE__, "%s", #cond);                         \
    } while (0)

/* |got - want| <= tol * max(1, |want|), and both NaN is equal. */
#define CHECK_NEAR(got, want, tol) unit_near(__FILE__, __LINE__, #got, (got), (want), (tol))
void unit_near(const char *file, int line, const char *what, double got, double want, double tol);
/* |got - want| <= tol * max(|got|, |want|) + tiny */
#define CHECK_REL(got, want, tol, tiny) unit_rel(__FILE__, __LINE__, #got, (got), (want), (tol), (tiny))
void unit_rel(const char *file, int line, const char *what, double got, double want, double tol, double tiny);

#define CHECK_INT(got, want)                                                    \
    do {                                                                        \
        long long got_ = (long long)(got), want_ = (long long)(want);           \
        if (got_ != want_)                                                      \
            unit_fail(__FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, want_); \
    } while (0)

#define CHECK_OK(expr)                                                          \
    do {                                                                        \
        if ((expr) != LAM_OK)                                                   \
            unit_fail(__FILE__, __LINE__, "%s failed", #expr);                  \
    } while (0)

#define SKIP(why)                                                               \
    do {                                                                        \
        unit_skip(why);                                                         \
        return;                                                                 \
    } while (0)

#endif
