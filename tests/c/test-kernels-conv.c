/* lam_conv_*() against the sums of the definition, in double precision. */
#include "kernels/conv.h"
#include "kernels/winograd.h"
#include "unit.h"

typedef struct problem {
    lam_conv c;
    size_t rows;
    float *x, *dy, *kernel, *bias;
    double *y, *dx, *dk;             /* what the definition says */
    double *y_size, *dx_size, *dk_size; /* sums of absolute values, for the rounding */
    size_t n_x, n_y, n_k;
} problem;

static const lam_activation relu = {LAM_ACT_relu, {0, INFINITY, 0}};
static const lam_activation tanh_ = {LAM_ACT_tanh, {0}};

static double activate(const lam_activation *act, double z)
{
    return !act ? z : act->id == LAM_ACT_tanh ? tanh(z) : z > 0 ? z : 0;
}

static float *numbers(size_t n)
{
    float *x = malloc((n ? n : 1) * sizeof *x);
    unit_fill(x, n, -1.0, 1.0);
    return x;
}

/* Every product x * kernel of the definition, added to the three sums it belongs to. */
static void define(problem *p)
{
    const lam_conv *c = &p->c;
    size_t seen = c->in_c / c->groups, made = c->out_c / c->groups;
    for (size_t i = 0; i < p->n_y; i++)
        p->y[i] = (double)p->bias[i % c->out_c];
    for (size_t y = 0; y < p->n_y; y++) {
        size_t o = y % c->out_c, q = y / c->out_c % c->out_w, line = y / c->out_c / c->out_w % c->out_h;
        size_t n = y / c->out_c / c->out_w / c->out_h;
        for (size_t k = 0; k < c->kernel_h * c->kernel_w * seen; k++) {
            size_t ch = k % seen, j = k / seen % c->kernel_w, i = k / seen / c->kernel_w;
            ptrdiff_t h = (ptrdiff_t)(line * c->stride_h + i * c->dilation_h) - (ptrdiff_t)c->pad_top;
            ptrdiff_t w = (ptrdiff_t)(q * c->stride_w + j * c->dilation_w) - (ptrdiff_t)c->pad_left;
            if (h < 0 || w < 0 || h >= (ptrdiff_t)c->in_h || w >= (ptrdiff_t)c->in_w)
                continue;
            size_t x = ((n * c->in_h + (size_t)h) * c->in_w + (size_t)w) * c->in_c + o / made * seen + ch;
            size_t at = k * c->out_c + o;
            double xv = (double)p->x[x], kv = (double)p->kernel[at], dv = (double)p->dy[y];
            p->y[y] += xv * kv;
            p->dx[x] += dv * kv;
            p->dk[at] += dv * xv;
            p->y_size[y] += fabs(xv * kv);
            p->dx_size[x] += fabs(dv * kv);
            p->dk_size[at] += fabs(dv * xv);
        }
    }
}

static problem make(const lam_conv *c, size_t rows)
{
    problem p = {.c = *c, .rows = rows};
    p.n_x = rows * c->in_h * c->in_w * c->in_c;
    p.n_y = rows * c->out_h * c->out_w * c->out_c;
    p.n_k = c->kernel_h * c->kernel_w * (c->in_c / c->groups) * c->out_c;
    p.x = numbers(p.n_x);
    p.dy = numbers(p.n_y);
    p.kernel = numbers(p.n_k);
    p.bias = numbers(c->out_c);
    p.y = calloc(2 * (p.n_x + p.n_y + p.n_k) + 1, sizeof *p.y);
    p.y_size = p.y + p.n_y;
    p.dx = p.y_size + p.n_y;
    p.dx_size = p.dx + p.n_x;
    p.dk = p.dx_size + p.n_x;
    p.dk_size = p.dk + p.n_k;
    define(&p);
    return p;
}

static void discard(problem *p)
{
    free(p->x);
    free(p->dy);
    free(p->kernel);
    free(p->bias);
    free(p->y);
}

static void compare(const problem *p, const char *what, const float *got, const double *want, const double *size,
                    size_t n, const lam_activation *act, const float *before)
{
    const lam_conv *c = &p->c;
    double most = 0; /* Winograd's method rounds by the size of the neighbours' sums, too */
    for (size_t i = 0; i < n && lam_winograd_fits(c); i++)
        most = fmax(most, size[i]);
    for (size_t i = 0; i < n; i++) {
        double w = activate(act, want[i]) + (before ? (double)before[i] : 0);
        if (fabs((double)got[i] - w) <= 1e-6 * (1 + fmax(size[i], most)))
            continue;
        unit_fail(__FILE__, __LINE__, "%s: %s of %zu x (%zu, %zu, %zu) -> (%zu, %zu, %zu), kernel %zu x %zu, "
                  "stride %zu x %zu, dilation %zu x %zu, pad %zu, %zu, groups %zu: %zu is %.9g, not %.9g",
                  lam_tier_name(lam_tier()), what, p->rows, c->in_h, c->in_w, c->in_c, c->out_h, c->out_w,
                  c->out_c, c->kernel_h, c->kernel_w, c->stride_h, c->stride_w, c->dilation_h, c->dilation_w,
                  c->pad_top, c->pad_left, c->groups, i, (double)got[i], w);
        return;
    }
}

static void *prepare(const problem *p, int uses)
{
    void *to = NULL;
    if (posix_memalign(&to, 64, lam_conv_prepared_size(&p->c, uses)) != 0)
        return NULL;
    lam_conv_prepare(&p->c, uses, p->kernel, to);
    return to;
}

/* With the ways of finishing taken in turn. */
static void check_forward(const problem *p, unsigned turn, const void *prepared)
{
    static const lam_activation *const acts[] = {NULL, &relu, &tanh_};
    const lam_activation *act = acts[turn % 3];
    bool kept = turn / 3 % 2 == 1, same = turn / 6 % 2 == 1;
    float *y = numbers(p->n_y), *z = numbers(p->n_y);
    lam_conv_forward(&p->c, p->rows, p->x, prepared, p->bias, act, same ? y : kept ? z : NULL, y);
    compare(p, "forward", y, p->y, p->y_size, p->n_y, act, NULL);
    if (kept && !same)
        compare(p, "kept sums", z, p->y, p->y_size, p->n_y, NULL, NULL);
    /* a sample by itself has the same bits */
    size_t one_x = p->n_x / p->rows, one_y = p->n_y / p->rows, last = p->rows - 1;
    lam_conv_forward(&p->c, 1, p->x + last * one_x, prepared, p->bias, act, NULL, z);
    CHECK(memcmp(z, y + last * one_y, one_y * sizeof *z) == 0);
    lam_conv_forward(&p->c, 1, p->x, prepared, NULL, NULL, NULL, z);
    for (size_t i = 0; i < one_y; i++)
        z[i] += p->bias[i % p->c.out_c];
    compare(p, "forward without bias", z, p->y, p->y_size, one_y, NULL, NULL);
    free(y);
    free(z);
}

static void check_gradients(const problem *p, const void *prepared)
{
    float *dx = numbers(p->n_x), *dk = numbers(p->n_k), *before = numbers(p->n_k), *one = numbers(p->n_x);
    lam_conv_input_gradient(&p->c, p->rows, p->dy, prepared, dx);
    compare(p, "input gradient", dx, p->dx, p->dx_size, p->n_x, NULL, NULL);
    size_t one_x = p->n_x / p->rows, one_y = p->n_y / p->rows, last = p->rows - 1;
    lam_conv_input_gradient(&p->c, 1, p->dy + last * one_y, prepared, one);
    CHECK(memcmp(one, dx + last * one_x, one_x * sizeof *one) == 0);
    lam_conv_kernel_gradient(&p->c, p->rows, p->x, p->dy, dk, false);
    compare(p, "kernel gradient", dk, p->dk, p->dk_size, p->n_k, NULL, NULL);
    memcpy(dk, before, p->n_k * sizeof *dk);
    lam_conv_kernel_gradient(&p->c, p->rows, p->x, p->dy, dk, true);
    compare(p, "added kernel gradient", dk, p->dk, p->dk_size, p->n_k, NULL, before);
    free(dx);
    free(dk);
    free(before);
    free(one);
}

/* All functions, in every tier. */
static void check(const lam_conv *c, size_t rows)
{
    static unsigned turn;
    lam_tier_id before = lam_tier();
    problem p = make(c, rows);
    turn++;
    for (int tier = 0; tier <= (int)lam_tier_best(); tier++) {
        CHECK_OK(lam_tier_set(lam_tier_name((lam_tier_id)tier), NULL));
        void *both = prepare(&p, LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT);
        void *forward = prepare(&p, LAM_CONV_FORWARD), *back = prepare(&p, LAM_CONV_INPUT_GRADIENT);
        check_forward(&p, turn, turn % 2 ? both : forward);
        check_gradients(&p, turn % 2 ? back : both);
        free(both);
        free(forward);
        free(back);
    }
    CHECK_OK(lam_tier_set(lam_tier_name(before), NULL));
    discard(&p);
}

/* ---- geometries ----------------------------------------------------------------------------- */

typedef enum { VALID, SAME, ODD, WIDE } padding;

/* A direction: n positions in, how many out and the padding before. */
static void place(padding how, size_t n, size_t taps, size_t stride, size_t dilation, size_t *out, size_t *pad)
{
    size_t reach = (taps - 1) * dilation + 1;
    size_t total = how == VALID ? 0 : how == SAME ? reach - 1 : how == ODD ? reach / 2 + 1 : 2 * reach + 3;
    *pad = how == ODD ? 1 : total / 2;
    *out = n + total >= reach ? (n + total - reach) / stride + 1 : 0;
}

static bool geometry(lam_conv *c, padding how)
{
    place(how, c->in_h, c->kernel_h, c->stride_h, c->dilation_h, &c->out_h, &c->pad_top);
    place(how, c->in_w, c->kernel_w, c->stride_w, c->dilation_w, &c->out_w, &c->pad_left);
    return c->out_h > 0 && c->out_w > 0;
}

/* in_h, in_w, in_c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, groups, rows */
static const size_t shapes[][12] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {1, 1, 37, 16, 1, 1, 1, 1, 1, 1, 1, 3},
    {5, 7, 3, 16, 3, 3, 1, 1, 1, 1, 1, 3},
    {5, 7, 16, 3, 3, 3, 1, 1, 1, 1, 1, 3},
    {5, 7, 16, 37, 3, 3, 1, 1, 1, 1, 1, 1},
    {6, 5, 37, 64, 3, 2, 1, 1, 1, 1, 1, 3},
    {8, 8, 64, 37, 3, 3, 1, 1, 1, 1, 1, 3},
    {8, 8, 64, 37, 2, 4, 1, 1, 1, 1, 1, 3},
    {9, 13, 1, 32, 3, 3, 1, 1, 1, 1, 1, 9},
    {9, 13, 32, 1, 3, 3, 1, 1, 1, 1, 1, 9},
    {9, 13, 1, 1, 3, 3, 1, 1, 1, 1, 1, 3},
    {9, 13, 3, 3, 5, 5, 1, 1, 1, 1, 1, 3},
    {4, 6, 5, 7, 1, 1, 1, 1, 1, 1, 1, 3},
    {4, 6, 16, 50, 1, 1, 2, 2, 1, 1, 1, 3},
    {7, 7, 8, 8, 3, 3, 2, 2, 1, 1, 1, 3},
    {8, 9, 3, 17, 3, 3, 2, 2, 1, 1, 1, 3},
    {8, 9, 17, 2, 4, 4, 2, 2, 1, 1, 1, 3},
    {11, 10, 5, 9, 3, 3, 3, 3, 1, 1, 1, 3},
    {11, 10, 4, 6, 2, 5, 3, 2, 1, 1, 1, 3},
    {10, 10, 6, 4, 2, 2, 3, 3, 1, 1, 1, 3},
    {9, 10, 6, 20, 3, 3, 1, 1, 2, 2, 1, 3},
    {9, 10, 20, 2, 3, 3, 1, 1, 2, 2, 1, 3},
    {12, 11, 6, 5, 3, 3, 2, 2, 2, 2, 1, 3},
    {12, 13, 5, 6, 3, 2, 3, 2, 2, 3, 1, 3},
    {14, 13, 5, 6, 3, 4, 4, 6, 6, 4, 1, 2},
    {1, 20, 7, 9, 1, 5, 1, 1, 1, 1, 1, 3},
    {1, 20, 7, 9, 1, 5, 1, 3, 1, 1, 1, 3},
    {20, 1, 7, 9, 5, 1, 1, 1, 1, 1, 1, 3},
    {20, 1, 7, 9, 5, 1, 2, 1, 1, 1, 1, 3},
    {1, 33, 16, 16, 1, 3, 1, 1, 1, 4, 1, 3},
    {4, 5, 16, 37, 4, 5, 1, 1, 1, 1, 1, 9},
    {4, 5, 3, 16, 4, 5, 2, 2, 1, 1, 1, 3},
    {6, 7, 4, 6, 3, 3, 1, 1, 1, 1, 2, 3},
    {6, 7, 32, 38, 3, 3, 2, 1, 1, 2, 2, 3},
    {6, 7, 16, 16, 3, 3, 1, 1, 1, 1, 16, 3},
    {9, 12, 37, 37, 3, 3, 1, 1, 1, 1, 37, 3},
    {9, 12, 70, 70, 3, 3, 2, 2, 1, 1, 70, 3},
    {9, 12, 19, 19, 3, 3, 2, 1, 2, 3, 19, 3},
    {7, 8, 16, 32, 3, 3, 1, 1, 1, 1, 16, 3},
    {7, 8, 3, 6, 3, 3, 2, 2, 1, 1, 3, 3},
    {7, 8, 1, 2, 3, 3, 2, 2, 1, 1, 1, 3},
};

TEST(convolutions_of_many_shapes)
{
    CHECK_OK(lam_threads_set(2, NULL));
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        for (padding how = VALID; how <= WIDE; how++) {
            const size_t *s = shapes[i];
            lam_conv c = {.in_h = s[0], .in_w = s[1], .in_c = s[2], .out_c = s[3], .kernel_h = s[4],
                          .kernel_w = s[5], .stride_h = s[6], .stride_w = s[7], .dilation_h = s[8],
                          .dilation_w = s[9], .groups = s[10]};
            if (geometry(&c, how))
                check(&c, s[11]);
        }
    lam_threads_stop();
}

/* Outputs fewer than the picture has room for, and beyond its end. */
TEST(convolutions_that_end_anywhere)
{
    CHECK_OK(lam_threads_set(2, NULL));
    for (size_t stride = 1; stride <= 3; stride++)
        for (size_t out = 1; out <= 9; out += 2) {
            lam_conv c = {.in_h = 6, .in_w = 5, .in_c = 3, .out_c = 18, .out_h = out, .out_w = 10 - out,
                          .kernel_h = 3, .kernel_w = 3, .stride_h = stride, .stride_w = stride,
                          .dilation_h = 1, .dilation_w = 1, .pad_top = out % 4, .pad_left = 1, .groups = 1};
            check(&c, 2);
        }
    lam_threads_stop();
}

TEST(convolutions_that_meet_nothing)
{
    CHECK_OK(lam_threads_set(1, NULL));
    for (size_t kernel = 1; kernel <= 2; kernel++) {
        lam_conv c = {.in_h = 1, .in_w = 5, .in_c = 4, .out_h = 1, .out_w = 5, .out_c = 20, .kernel_h = kernel,
                      .kernel_w = kernel, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
                      .pad_top = 2, .pad_left = 0, .groups = 1};
        check(&c, 2);
        c.pad_top = 0;
        c.pad_left = 9;
        check(&c, 2);
    }
    lam_threads_stop();
}

/* Lines too long for the scratch, and surroundings of a single pixel too large for it. */
TEST(convolutions_larger_than_the_scratch)
{
    static const size_t large[][7] = {
        /* in_h, in_w, in_c, out_c, kernel_h, kernel_w, groups */
        {3, 1500, 40, 6, 3, 3, 1},
        {2, 12, 12000, 2, 2, 3, 1},
        {2, 4, 12000, 5, 3, 3, 1},
        {3, 9, 40000, 40000, 3, 3, 40000},
        {70, 60, 40, 6, 3, 3, 1},
    };
    CHECK_OK(lam_threads_set(2, NULL));
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        const size_t *s = large[i];
        lam_conv c = {.in_h = s[0], .in_w = s[1], .in_c = s[2], .out_c = s[3], .kernel_h = s[4], .kernel_w = s[5],
                      .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = s[6]};
        if (geometry(&c, SAME))
            check(&c, 1);
    }
    lam_threads_stop();
}

/* ---- threads -------------------------------------------------------------------------------- */

TEST(convolutions_do_not_depend_on_threads)
{
    static const size_t large[][7] = {
        /* rows, in_h, in_w, in_c, out_c, stride, groups */
        {8, 16, 16, 16, 40, 1, 1}, {1, 40, 40, 20, 40, 1, 1}, {1, 1, 900, 40, 50, 1, 1}, {2, 3, 3, 150, 300, 2, 1}, {9, 20, 20, 32, 32, 1, 1},
        {9, 20, 20, 24, 36, 2, 2}, {64, 20, 20, 32, 32, 1, 32}, {80, 20, 20, 32, 1, 1, 1},
    };
    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        const size_t *s = large[i];
        lam_conv c = {.in_h = s[1], .in_w = s[2], .in_c = s[3], .out_c = s[4], .kernel_h = s[1] > 1 ? 3 : 1,
                      .kernel_w = 3, .stride_h = s[5], .stride_w = s[5], .dilation_h = 1, .dilation_w = 1,
                      .groups = s[6]};
        CHECK(geometry(&c, SAME));
        problem p = make(&c, s[0]);
        void *prepared = prepare(&p, LAM_CONV_FORWARD | LAM_CONV_INPUT_GRADIENT);
        size_t n = p.n_x + p.n_y + p.n_k;
        float *first = malloc(n * sizeof *first), *again = malloc(n * sizeof *again);
        for (int threads = 1; threads <= 3; threads++) {
            float *to = threads == 1 ? first : again;
            CHECK_OK(lam_threads_set(threads, NULL));
            lam_conv_forward(&c, p.rows, p.x, prepared, p.bias, &tanh_, NULL, to);
            lam_conv_input_gradient(&c, p.rows, p.dy, prepared, to + p.n_y);
            lam_conv_kernel_gradient(&c, p.rows, p.x, p.dy, to + p.n_y + p.n_x, false);
            if (threads > 1)
                CHECK(memcmp(first, again, n * sizeof *first) == 0);
        }
        compare(&p, "forward", first, p.y, p.y_size, p.n_y, &tanh_, NULL);
        compare(&p, "input gradient", first + p.n_y, p.dx, p.dx_size, p.n_x, NULL, NULL);
        compare(&p, "kernel gradient", first + p.n_y + p.n_x, p.dk, p.dk_size, p.n_k, NULL, NULL);
        free(first);
        free(again);
        free(prepared);
        discard(&p);
    }
    lam_threads_stop();
}

TEST(convolution_of_no_samples)
{
    lam_conv c = {5, 5, 3, 3, 3, 4, 3, 3, 1, 1, 1, 1, 0, 0, 1};
    float dk[108];
    memset(dk, 1, sizeof dk);
    CHECK_OK(lam_threads_set(1, NULL));
    lam_conv_kernel_gradient(&c, 0, NULL, NULL, dk, false);
    for (size_t i = 0; i < 108; i++)
        CHECK(dk[i] == 0.0f);
    dk[7] = 1.0f;
    lam_conv_kernel_gradient(&c, 0, NULL, NULL, dk, true);
    CHECK(dk[7] == 1.0f);
    lam_threads_stop();
}
