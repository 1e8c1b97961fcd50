/* Products for tests: their numbers, what they come to by three loops in double precision, and activations that
 * they end in. */
#ifndef LAM_TESTS_PRODUCTS_H
#define LAM_TESTS_PRODUCTS_H

#include <math.h>

#include "kernels/kernels.h"
#include "unit.h"

/* Where nothing may be written. */
#define GUARD 12345.0f

static const lam_activation relu = {LAM_ACT_relu, {0, INFINITY, 0}};
static const lam_activation leaky = {LAM_ACT_relu, {0.5f, 2.0f, 0}};
static const lam_activation tanh_ = {LAM_ACT_tanh, {0}};
static const lam_activation linear = {LAM_ACT_linear, {0}};

/* Taken in turn; NULL: none. */
static const lam_activation *const acts[] = {NULL, &relu, &tanh_, &leaky, NULL, &relu, &linear};

static double activate(const lam_activation *act, double z)
{
    switch (act->id) {
    case LAM_ACT_linear: return z;
    case LAM_ACT_relu: return z >= (double)act->par[1] ? (double)act->par[1] : z >= 0 ? z : (double)act->par[0] * z;
    case LAM_ACT_tanh: return tanh(z);
    default: return NAN;
    }
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* The nearest number whose lower 16 bits are 0; of two as near, the one whose bit 16 is 0.  Numbers of a
 * sign are in the order of their bits, infinity being what comes after the greatest. */
static float rounded_to_bf16(float x)
{
    if (isnan(x))
        return x;
    uint32_t below = bits_of(x) & 0xffff0000u, rest = bits_of(x) & 0xffffu;
    bool odd = (below >> 16) & 1;
    return float_of(rest > 0x8000u || (rest == 0x8000u && odd) ? below + 0x10000u : below);
}

typedef struct problem {
    lam_form form;
    size_t m, n, k;
    size_t pad; /* what rows are longer than their numbers */
    bool add, bias;
    const lam_activation *act;
    bool in_place; /* y == c */
    bool gated;
    bool bf16;
} problem;

typedef struct numbers {
    size_t lda, ldb, ldc, n_a, n_b, n_c;
    float *a, *b, *c, *y, *before, *bias, *gate;
} numbers;

static numbers make_numbers(const problem *q)
{
    numbers x = {.lda = (q->form == LAM_TN ? q->m : q->k) + q->pad, .ldb = (q->form == LAM_NT ? q->k : q->n) + q->pad};
    size_t rows_a = q->form == LAM_TN ? q->k : q->m, rows_b = q->form == LAM_NT ? q->n : q->k;
    x.ldc = q->n + q->pad;
    x.n_a = rows_a ? rows_a * x.lda - q->pad : 0; /* exact, so that the sanitizer sees every step too far */
    x.n_b = rows_b ? rows_b * x.ldb - q->pad : 0;
    x.n_c = q->m * x.ldc;
    x.a = malloc((x.n_a + 1) * sizeof(float));
    x.b = malloc((x.n_b + 1) * sizeof(float));
    x.c = malloc((x.n_c + 1) * sizeof(float));
    x.y = malloc((x.n_c + 1) * sizeof(float));
    x.before = malloc((x.n_c + 1) * sizeof(float));
    x.bias = malloc((q->n + 1) * sizeof(float));
    x.gate = malloc((x.n_c + 1) * sizeof(float));
    unit_fill(x.a, x.n_a, -1.0, 1.0);
    unit_fill(x.b, x.n_b, -1.0, 1.0);
    unit_fill(x.before, x.n_c, -1.0, 1.0);
    unit_fill(x.bias, q->n, -1.0, 1.0);
    unit_fill(x.gate, x.n_c, -1.0, 1.0);
    for (size_t i = 0; i < x.n_c; i++)
        if (i % x.ldc >= q->n)
            x.before[i] = GUARD;
    return x;
}

static void drop_numbers(numbers *x)
{
    free(x->a);
    free(x->b);
    free(x->c);
    free(x->y);
    free(x->before);
    free(x->bias);
    free(x->gate);
}

/* Starts from the same C each time. */
static void run_product(const problem *q, const numbers *x)
{
    memcpy(x->c, x->before, x->n_c * sizeof(float));
    for (size_t i = 0; i < x->n_c; i++)
        x->y[i] = GUARD;
    lam_gemm_run(&(lam_gemm){.form = q->form, .m = q->m, .n = q->n, .k = q->k, .a = x->a, .b = x->b,
                             .lda = x->lda, .ldb = x->ldb, .c = x->c, .ldc = x->ldc, .add = q->add,
                             .bias = q->bias ? x->bias : NULL, .act = q->act,
                             .y = q->act ? (q->in_place ? x->c : x->y) : NULL,
                             .gate = q->gated ? x->gate : NULL, .bf16 = q->bf16});
}

static double operand(const problem *q, float x)
{
    return (double)(q->bf16 ? rounded_to_bf16(x) : x);
}

static double a_at(const problem *q, const numbers *x, size_t i, size_t p)
{
    return operand(q, q->form == LAM_TN ? x->a[p * x->lda + i] : x->a[i * x->lda + p]);
}

static double b_at(const problem *q, const numbers *x, size_t p, size_t j)
{
    return operand(q, q->form == LAM_NT ? x->b[j * x->ldb + p] : x->b[p * x->ldb + j]);
}

/* Against three loops; what is beyond the rows must not be touched. */
static void check_product(const problem *q, const numbers *x)
{
    size_t every = 1 + q->m * q->n * q->k / 4000000; /* of the numbers of large ones */
    for (size_t i = 0; i < q->m; i++)
        for (size_t j = 0; j < x->ldc; j++) {
            size_t at = i * x->ldc + j;
            if (j >= q->n) {
                CHECK(x->c[at] == GUARD && x->y[at] == GUARD);
                continue;
            }
            if (at % every != 0)
                continue;
            double z = (q->add ? (double)x->before[at] : 0.0) + (q->bias ? (double)x->bias[j] : 0.0), size = 2;
            for (size_t p = 0; p < q->k; p++) {
                double term = a_at(q, x, i, p) * b_at(q, x, p, j);
                z += term;
                size += fabs(term);
            }
            if (q->gated && !(x->gate[at] > 0.0f))
                z = 0;
            double tol = 1e-6 * size;
            double got_z = (double)x->c[at], got_y = (double)(q->in_place ? x->c[at] : x->y[at]);
            bool wrong = !(q->act && q->in_place) && !(fabs(got_z - z) <= tol);
            wrong |= q->act && !(fabs(got_y - activate(q->act, z)) <= tol);
            wrong |= !q->act && x->y[at] != GUARD;
            if (wrong)
                unit_fail(__FILE__, __LINE__, "%s, bf16 %d, dots %d: form %d, %zu x %zu x %zu, pad %zu, add %d, bias %d, act %d: "
                          "(%zu, %zu) is %.9g / %.9g, not %.9g", lam_tier_name(lam_tier()), q->bf16,
                          (int)lam_dots(), (int)q->form, q->m, q->k, q->n, q->pad, q->add, q->bias,
                          q->act ? (int)q->act->id : -1, i, j, got_z, got_y, z);
        }
}

#endif
