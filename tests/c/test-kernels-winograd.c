/* Winograd's convolution against the definition in double precision. */
#include "kernels/winograd.h"
#include "unit.h"

/* Errors relative to the sum over |x| |w|, see winograd.c: where each is of few terms, of many. */
#define TOLERANCE 3e-6
#define MANY_TOLERANCE 6e-7
#define GUARD 12345.0f

enum { USES = LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT, GUARDS = 16 };

static void each_tier(void (*fn)(void))
{
    lam_tier_id before = lam_tier();
    CHECK_OK(lam_threads_set(1, NULL));
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        fn();
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    lam_threads_stop();
}

typedef struct arrays {
    size_t n_x, n_y, n_kernel;
    float *x, *y, *z, *dy, *dx, *kernel, *dkernel, *bias;
    void *prepared;
} arrays;

static lam_conv conv(size_t h, size_t w, size_t in_c, size_t out_c, size_t pad_top, size_t pad_left,
                     size_t pad_bottom, size_t pad_right)
{
    return (lam_conv){.in_h = h, .in_w = w, .in_c = in_c, .out_c = out_c,
                      .out_h = h + pad_top + pad_bottom - 2, .out_w = w + pad_left + pad_right - 2,
                      .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1,
                      .dilation_w = 1, .pad_top = pad_top, .pad_left = pad_left, .groups = 1};
}

static float *numbers(size_t n)
{
    float *p = malloc((n + GUARDS) * sizeof *p);
    unit_fill(p, n, -1.0, 1.0);
    for (size_t i = 0; i < GUARDS; i++)
        p[n + i] = GUARD;
    return p;
}

static void check_guards(const float *p, size_t n)
{
    for (size_t i = 0; i < GUARDS; i++)
        CHECK(p[n + i] == GUARD);
}

static arrays arrays_of(const lam_conv *c, size_t rows)
{
    arrays a = {.n_x = rows * c->in_h * c->in_w * c->in_c, .n_y = rows * c->out_h * c->out_w * c->out_c,
                .n_kernel = 9 * c->in_c * c->out_c};
    a.x = numbers(a.n_x);
    a.dx = numbers(a.n_x);
    a.y = numbers(a.n_y);
    a.z = numbers(a.n_y);
    a.dy = numbers(a.n_y);
    a.kernel = numbers(a.n_kernel);
    a.dkernel = numbers(a.n_kernel);
    a.bias = numbers(c->out_c);
    size_t bytes = lam_winograd_prepared_size(c, USES);
    CHECK_INT(bytes % 64, 0);
    a.prepared = aligned_alloc(64, bytes);
    lam_winograd_prepare(c, USES, a.kernel, a.prepared);
    return a;
}

static void release(arrays *a)
{
    float *all[] = {a->x, a->dx, a->y, a->z, a->dy, a->kernel, a->dkernel, a->bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(a->prepared);
}

/* The definition.  In `size` the sums of the terms' magnitudes. */
typedef struct exact {
    double *y, *dx, *dkernel, *size_y, *size_dx, *size_dkernel;
} exact;

static exact exact_of(const lam_conv *c, size_t rows, const arrays *a)
{
    exact e = {calloc(a->n_y, sizeof(double)), calloc(a->n_x, sizeof(double)),
               calloc(a->n_kernel, sizeof(double)), calloc(a->n_y, sizeof(double)),
               calloc(a->n_x, sizeof(double)), calloc(a->n_kernel, sizeof(double))};
    for (size_t r = 0; r < rows * c->out_h * c->out_w; r++)
        for (size_t tap = 0; tap < 9; tap++) {
            size_t sample = r / (c->out_h * c->out_w), i = tap / 3, j = tap % 3;
            size_t h = r / c->out_w % c->out_h + i - c->pad_top, w = r % c->out_w + j - c->pad_left;
            if (h >= c->in_h || w >= c->in_w) /* or negative, and so very large */
                continue;
            size_t pixel = (sample * c->in_h + h) * c->in_w + w;
            for (size_t k = 0; k < c->in_c; k++)
                for (size_t o = 0; o < c->out_c; o++) {
                    size_t at_x = pixel * c->in_c + k, at_y = r * c->out_c + o;
                    size_t at_k = (tap * c->in_c + k) * c->out_c + o;
                    double x = (double)a->x[at_x], g = (double)a->kernel[at_k], dy = (double)a->dy[at_y];
                    e.y[at_y] += x * g;
                    e.dx[at_x] += dy * g;
                    e.dkernel[at_k] += x * dy;
                    e.size_y[at_y] += fabs(x * g);
                    e.size_dx[at_x] += fabs(dy * g);
                    e.size_dkernel[at_k] += fabs(x * dy);
                }
        }
    return e;
}

static void release_exact(exact *e)
{
    double *all[] = {e->y, e->dx, e->dkernel, e->size_y, e->size_dx, e->size_dkernel};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
}

/* The largest error, relative to the largest sum of terms: a number at the border has few terms of
 * its own, but shares the rounding of its patch. */
static double worst(size_t n, const float *got, const double *want, const double *size)
{
    double error = 0, most = 0;
    for (size_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]);
        error = e <= error ? error : e;
        most = fmax(most, size[i]);
    }
    return error / most;
}

static void check(const lam_conv *c, size_t rows, double tolerance)
{
    arrays a = arrays_of(c, rows);
    exact e = exact_of(c, rows, &a);
    lam_winograd_forward(c, rows, a.x, a.prepared, NULL, NULL, NULL, a.y);
    CHECK(worst(a.n_y, a.y, e.y, e.size_y) < tolerance);
    lam_winograd_input_gradient(c, rows, a.dy, a.prepared, a.dx);
    CHECK(worst(a.n_x, a.dx, e.dx, e.size_dx) < tolerance);
    lam_winograd_kernel_gradient(c, rows, a.x, a.dy, a.dkernel, false);
    CHECK(worst(a.n_kernel, a.dkernel, e.dkernel, e.size_dkernel) < tolerance);
    check_guards(a.y, a.n_y);
    check_guards(a.dx, a.n_x);
    check_guards(a.dkernel, a.n_kernel);
    release_exact(&e);
    release(&a);
}

static void check_is_the_definition(void)
{
    static const size_t sides[][2] = {{4, 4}, {5, 7}, {6, 6}, {8, 8}, {9, 10}, {11, 3}, {3, 3}, {1, 13}};
    static const size_t channels[][2] = {{16, 16}, {17, 37}, {37, 17}, {64, 16}, {3, 50}, {33, 64}};
    for (size_t s = 0; s < sizeof sides / sizeof *sides; s++)
        for (size_t k = 0; k < sizeof channels / sizeof *channels; k++) {
            size_t h = sides[s][0], w = sides[s][1], rows = (s + k) % 2 ? 1 : 5;
            lam_conv same = conv(h, w, channels[k][0], channels[k][1], 1, 1, 1, 1);
            check(&same, rows, TOLERANCE);
            if (h < 3 || w < 3)
                continue;
            lam_conv valid = conv(h, w, channels[k][0], channels[k][1], 0, 0, 0, 0);
            check(&valid, rows, TOLERANCE);
        }
    lam_conv full = conv(5, 6, 16, 20, 2, 2, 2, 2), uneven = conv(6, 9, 20, 16, 2, 0, 0, 1);
    check(&full, 3, TOLERANCE);
    check(&uneven, 3, TOLERANCE);
    lam_conv many = conv(9, 9, 70, 130, 1, 1, 1, 1);
    check(&many, 7, MANY_TOLERANCE);
    lam_conv most = conv(4, 4, 512, 512, 1, 1, 1, 1);
    check(&most, 1, TOLERANCE);
}

TEST(winograd_is_the_definition)
{
    each_tier(check_is_the_definition);
}

static double activated(const lam_activation *act, double z)
{
    if (!act || act->id == LAM_ACT_linear)
        return z;
    return act->id == LAM_ACT_tanh ? tanh(z) : z > 0 ? z : (double)act->par[0] * z;
}

TEST(winograd_fits)
{
    lam_conv same = conv(8, 8, 16, 32, 1, 1, 1, 1), valid = conv(26, 26, 32, 64, 0, 0, 0, 0);
    CHECK(lam_winograd_fits(&same) && lam_winograd_fits(&valid));
    lam_conv no[12];
    for (size_t i = 0; i < 12; i++)
        no[i] = same;
    no[0].kernel_h = 5;
    no[1].kernel_w = 1;
    no[2].stride_h = 2;
    no[3].stride_w = 2;
    no[4].dilation_h = 2;
    no[5].dilation_w = 2;
    no[6].groups = 2;
    no[7].pad_top = 3;
    no[8].pad_left = 3;
    no[9].in_c = 3;
    no[10].out_c = 1024;
    no[11].out_h = 1;
    for (size_t i = 0; i < 12; i++)
        CHECK(!lam_winograd_fits(&no[i]));
}

/* All ways to ask for the sum and its activation. */
static void check_adds_bias_and_activates(void)
{
    const lam_activation relu = {LAM_ACT_relu, {0.0f, INFINITY, 0.0f}};
    const lam_activation leaky = {LAM_ACT_relu, {0.25f, INFINITY, 0.0f}};
    const lam_activation bent = {LAM_ACT_tanh, {0}}, linear = {LAM_ACT_linear, {0}};
    const lam_activation *acts[] = {NULL, &relu, &leaky, &bent, &linear};
    lam_conv c = conv(7, 10, 18, 21, 1, 1, 1, 1);
    for (size_t k = 0; k < 5; k++)
        for (int keep = 0; keep < 3; keep++) { /* z is not kept, is kept, is y */
            arrays a = arrays_of(&c, 3);
            exact e = exact_of(&c, 3, &a);
            float *z = keep == 0 ? NULL : keep == 1 ? a.z : a.y;
            lam_winograd_forward(&c, 3, a.x, a.prepared, a.bias, acts[k], z, a.y);
            for (size_t i = 0; i < a.n_y; i++) {
                double sum = e.y[i] + (double)a.bias[i % c.out_c], tol = TOLERANCE * (e.size_y[i] + 2.0);
                CHECK(fabs((double)a.y[i] - activated(acts[k], sum)) <= tol);
                CHECK(keep != 1 || fabs((double)a.z[i] - sum) <= tol);
            }
            check_guards(a.y, a.n_y);
            check_guards(a.z, a.n_y);
            release_exact(&e);
            release(&a);
        }
}

TEST(winograd_adds_bias_and_activates)
{
    each_tier(check_adds_bias_and_activates);
}

static void check_adds_to_the_gradient(void)
{
    lam_conv c = conv(8, 8, 17, 33, 1, 1, 1, 1);
    arrays a = arrays_of(&c, 2);
    float *before = malloc(a.n_kernel * sizeof *before), *alone = malloc(a.n_kernel * sizeof *alone);
    memcpy(before, a.dkernel, a.n_kernel * sizeof *before);
    lam_winograd_kernel_gradient(&c, 2, a.x, a.dy, alone, false);
    lam_winograd_kernel_gradient(&c, 2, a.x, a.dy, a.dkernel, true);
    for (size_t i = 0; i < a.n_kernel; i++)
        CHECK_NEAR(a.dkernel[i], before[i] + alone[i], 1e-6);
    free(before);
    free(alone);
    release(&a);
}

TEST(winograd_adds_to_the_gradient)
{
    each_tier(check_adds_to_the_gradient);
}

/* So much work that a small kernel is cut. */
static void check_gradient_of_much(void)
{
    enum { ROWS = 64, PIECE = 16 };
    lam_conv c = conv(16, 16, 64, 64, 1, 1, 1, 1);
    arrays a = arrays_of(&c, ROWS);
    float *pieces = malloc(a.n_kernel * sizeof *pieces);
    lam_winograd_kernel_gradient(&c, ROWS, a.x, a.dy, a.dkernel, false);
    for (size_t r = 0; r < ROWS; r += PIECE)
        lam_winograd_kernel_gradient(&c, PIECE, a.x + r * a.n_x / ROWS, a.dy + r * a.n_y / ROWS, pieces, r > 0);
    double size = ROWS * 16 * 16 / 4.0; /* of the terms, together */
    for (size_t i = 0; i < a.n_kernel; i++)
        CHECK(fabs((double)a.dkernel[i] - (double)pieces[i]) < MANY_TOLERANCE * size);
    free(pieces);
    release(&a);
}

TEST(winograd_gradient_of_much)
{
    each_tier(check_gradient_of_much);
}

static void check_of_nothing(void)
{
    lam_conv c = conv(8, 8, 16, 16, 1, 1, 1, 1);
    arrays a = arrays_of(&c, 0);
    lam_winograd_forward(&c, 0, a.x, a.prepared, NULL, NULL, NULL, a.y);
    lam_winograd_input_gradient(&c, 0, a.dy, a.prepared, a.dx);
    check_guards(a.y, 0);
    check_guards(a.dx, 0);
    float first = a.dkernel[0];
    lam_winograd_kernel_gradient(&c, 0, a.x, a.dy, a.dkernel, true);
    CHECK(a.dkernel[0] == first);
    lam_winograd_kernel_gradient(&c, 0, a.x, a.dy, a.dkernel, false);
    for (size_t i = 0; i < a.n_kernel; i++)
        CHECK(a.dkernel[i] == 0.0f);
    release(&a);
}

TEST(winograd_of_nothing)
{
    each_tier(check_of_nothing);
}

/* <y(x), dy> = <x, dx(dy)> = <kernel, dkernel(x, dy)> */
static void check_gradients_are_adjoint(void)
{
    lam_conv c = conv(13, 10, 24, 40, 1, 1, 1, 1);
    arrays a = arrays_of(&c, 4);
    lam_winograd_forward(&c, 4, a.x, a.prepared, NULL, NULL, NULL, a.y);
    lam_winograd_input_gradient(&c, 4, a.dy, a.prepared, a.dx);
    lam_winograd_kernel_gradient(&c, 4, a.x, a.dy, a.dkernel, false);
    double by_y = 0, by_x = 0, by_kernel = 0, size = 0;
    for (size_t i = 0; i < a.n_y; i++) {
        by_y += (double)a.y[i] * (double)a.dy[i];
        size += fabs((double)a.y[i] * (double)a.dy[i]);
    }
    for (size_t i = 0; i < a.n_x; i++)
        by_x += (double)a.x[i] * (double)a.dx[i];
    for (size_t i = 0; i < a.n_kernel; i++)
        by_kernel += (double)a.kernel[i] * (double)a.dkernel[i];
    CHECK(fabs(by_x - by_y) < 1e-6 * size);
    CHECK(fabs(by_kernel - by_y) < 1e-6 * size);
    release(&a);
}

TEST(winograd_gradients_are_adjoint)
{
    each_tier(check_gradients_are_adjoint);
}

/* A sample's bits are the same alone and among others. */
static void check_samples_are_alone(void)
{
    enum { ROWS = 23 };
    lam_conv c = conv(9, 7, 20, 35, 1, 1, 1, 1);
    arrays a = arrays_of(&c, ROWS);
    lam_winograd_forward(&c, ROWS, a.x, a.prepared, a.bias, NULL, NULL, a.y);
    lam_winograd_input_gradient(&c, ROWS, a.dy, a.prepared, a.dx);
    size_t n_x = a.n_x / ROWS, n_y = a.n_y / ROWS;
    float *y = numbers(n_y), *dx = numbers(n_x);
    for (size_t r = 0; r < ROWS; r++) {
        lam_winograd_forward(&c, 1, a.x + r * n_x, a.prepared, a.bias, NULL, NULL, y);
        lam_winograd_input_gradient(&c, 1, a.dy + r * n_y, a.prepared, dx);
        CHECK(memcmp(y, a.y + r * n_y, n_y * sizeof *y) == 0);
        CHECK(memcmp(dx, a.dx + r * n_x, n_x * sizeof *dx) == 0);
    }
    free(y);
    free(dx);
    release(&a);
}

TEST(winograd_samples_are_alone)
{
    each_tier(check_samples_are_alone);
}

/* The work is large enough to be shared out. */
static void check_threads(const lam_conv *shape, size_t rows)
{
    lam_conv c = *shape;
    arrays a = arrays_of(&c, rows);
    size_t bytes = lam_winograd_prepared_size(&c, USES);
    void *prepared = aligned_alloc(64, bytes);
    float *y = numbers(a.n_y), *dx = numbers(a.n_x), *dkernel = numbers(a.n_kernel);
    lam_winograd_forward(&c, rows, a.x, a.prepared, a.bias, NULL, NULL, a.y);
    lam_winograd_input_gradient(&c, rows, a.dy, a.prepared, a.dx);
    lam_winograd_kernel_gradient(&c, rows, a.x, a.dy, a.dkernel, false);
    CHECK_OK(lam_threads_set(2, NULL));
    lam_winograd_prepare(&c, USES, a.kernel, prepared);
    lam_winograd_forward(&c, rows, a.x, prepared, a.bias, NULL, NULL, y);
    lam_winograd_input_gradient(&c, rows, a.dy, prepared, dx);
    lam_winograd_kernel_gradient(&c, rows, a.x, a.dy, dkernel, false);
    CHECK(memcmp(y, a.y, a.n_y * sizeof *y) == 0);
    CHECK(memcmp(dx, a.dx, a.n_x * sizeof *dx) == 0);
    CHECK(memcmp(dkernel, a.dkernel, a.n_kernel * sizeof *dkernel) == 0);
    CHECK_OK(lam_threads_set(1, NULL));
    free(prepared);
    free(y);
    free(dx);
    free(dkernel);
    release(&a);
}

static void check_bits_do_not_depend_on_threads(void)
{
    lam_conv some = conv(16, 18, 40, 72, 1, 1, 1, 1), much = conv(16, 16, 64, 64, 1, 1, 1, 1);
    check_threads(&some, 8);
    check_threads(&much, 64);
}

TEST(winograd_bits_do_not_depend_on_threads)
{
    each_tier(check_bits_do_not_depend_on_threads);
}
