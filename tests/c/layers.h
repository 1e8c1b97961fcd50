/* The tests of the layers: what an example of a layer type is, and what its tests may use.
 *
 * Each kind of layers has a file layers-<kind>.c with the definitions of its types in double
 * precision and examples of them; LAYER_EXAMPLES(array) hands the examples to test-layers.c, which
 * checks values, gradients against central differences, refused arguments and failing allocations. */
#ifndef LAM_TESTS_LAYERS_H
#define LAM_TESTS_LAYERS_H

#include "activation-reference.h"
#include "nn/layer.h"
#include "unit.h"

/* Examples leave out what they do not need. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { LAYER_ARGS = 12 };

typedef struct example example;
/* y of a whole pass in double precision; w is laid out as pass->weights. */
typedef void (*reference_fn)(const example *ex, const lam_layer *layer, const lam_pass *pass,
                             const double *x, const double *w, double *y);

struct example {
    const char *type;
    lam_shape in, out;
    reference_fn reference;
    lam_arg arg[LAYER_ARGS]; /* ended by a NULL name */
    size_t mask;             /* steps of the mask that arrives; 0: none.  Tried without it too */
    void (*inputs)(const example *ex, size_t n, float *x); /* NULL: numbers from -2 to 2 */
};

void layer_examples(const example *ex, size_t n);
/* The definition of a layer type, for layers that a mask reaches where `masked`; NULL if there is none. */
reference_fn layer_definition(const char *type, bool masked);
#define LAYER_EXAMPLES(array)                                                                      \
    __attribute__((constructor)) static void hand_over_##array(void)                               \
    {                                                                                              \
        layer_examples(array, sizeof array / sizeof array[0]);                                     \
    }

/* What a layer must refuse: the status and the argument that is named. */
typedef struct refusal {
    lam_status status;
    const char *arg;
    example ex;
} refusal;

void layer_refusals(const refusal *r, size_t n);
#define LAYER_REFUSALS(array)                                                                      \
    TEST(array##_are_refused)                                                                      \
    {                                                                                              \
        layer_refusals(array, sizeof array / sizeof array[0]);                                     \
    }

/* The name and shape of one of a layer's weights, and whether it is trained. */
typedef struct named_weight {
    int weight;
    const char *name;
    lam_shape shape;
    bool trainable;
    example ex;
} named_weight;

void layer_weights(const named_weight *w, size_t n);
#define LAYER_WEIGHTS(array)                                                                       \
    TEST(array##_have_keras_names_and_shapes)                                                      \
    {                                                                                              \
        layer_weights(array, sizeof array / sizeof array[0]);                                      \
    }

#define NUMBERS(name, ...)                                                                         \
    {                                                                                              \
        name, LAM_ARG_NUMBERS, sizeof((const double[]){__VA_ARGS__}) / sizeof(double),             \
            (const double[]){__VA_ARGS__}, NULL, NULL                                              \
    }
#define STRING(name, value)                                                                        \
    {                                                                                              \
        name, LAM_ARG_STRINGS, 1, NULL, (const char *const[]){value}, NULL                         \
    }
/* A nested list of arguments, and a spec, list(type =, config = list(...)). */
#define LIST(name, ...)                                                                            \
    {                                                                                              \
        name, LAM_ARG_LIST, sizeof((const lam_arg[]){__VA_ARGS__}) / sizeof(lam_arg), NULL, NULL,  \
            (const lam_arg[]){__VA_ARGS__}                                                         \
    }
#define SPEC(name, type_name, ...) LIST(name, STRING("type", type_name), LIST("config", __VA_ARGS__))
#define SHAPE(...)                                                                                 \
    {                                                                                              \
        sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t),                                    \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

static inline lam_args args_of(const example *ex)
{
    lam_args args = {0, ex->arg};
    while (args.n < LAYER_ARGS && ex->arg[args.n].name)
        args.n++;
    return args;
}

static inline double number(const example *ex, const char *name, size_t i, double otherwise)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, name);
    return arg && i < arg->n ? arg->numbers[i] : otherwise;
}

static inline size_t length(const example *ex, const char *name)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, name);
    return arg ? arg->n : 0;
}

/* The index of element i along each dimension. */
static inline void unravel(const lam_shape *shape, size_t i, size_t *index)
{
    for (int d = shape->rank - 1; d >= 0; d--) {
        index[d] = i % shape->dim[d];
        i /= shape->dim[d];
    }
}

static inline size_t ravel(const lam_shape *shape, const size_t *index)
{
    size_t at = 0;
    for (int d = 0; d < shape->rank; d++)
        at = at * shape->dim[d] + index[d];
    return at;
}

/* Where an array whose dimensions are the sample's or 1 holds the value for element i. */
static inline size_t broadcast(const lam_shape *sample, const lam_shape *small, size_t i)
{
    size_t index[LAM_MAX_RANK];
    unravel(sample, i, index);
    for (int d = 0; d < sample->rank; d++)
        if (small->dim[d] == 1)
            index[d] = 0;
    return ravel(small, index);
}

/* An activation of the definitions, by name and with its usual parameters; "steep_relu" is relu with the
 * parameters of the examples. */
static inline lam_activation activation_named(const char *name)
{
    if (strcmp(name, "steep_relu") == 0)
        return (lam_activation){LAM_ACT_relu, {0.1f, 1.5f, 0.25f}};
    lam_activation a = {.id = lam_activation_find(name)};
    memcpy(a.par, lam_activation_type_of(a.id)->par_default, sizeof a.par);
    return a;
}

static inline void group(const char *name, size_t n, size_t stride, const double *x, double *y)
{
    double top = -INFINITY, sum = 0;
    if (strcmp(name, "softmax") != 0 && strcmp(name, "log_softmax") != 0) {
        lam_activation a = activation_named(name);
        for (size_t i = 0; i < n; i++)
            y[i * stride] = activation_reference(&a, x[i * stride]);
        return;
    }
    for (size_t i = 0; i < n; i++)
        top = fmax(top, x[i * stride]);
    for (size_t i = 0; i < n; i++)
        sum += exp(x[i * stride] - top);
    for (size_t i = 0; i < n; i++) {
        double log_p = x[i * stride] - top - log(sum);
        y[i * stride] = strcmp(name, "softmax") == 0 ? exp(log_p) : log_p;
    }
}

static inline const char *activation_of(const example *ex, const lam_pass *pass)
{
    lam_args args = args_of(ex);
    const lam_arg *arg = lam_args_get(&args, "activation");
    if (!arg || pass->linear)
        return "linear";
    return arg->kind == LAM_ARG_STRINGS ? arg->strings[0] : "steep_relu";
}

/* One example at work. */
typedef struct bench {
    const example *ex;
    lam_layer layer;
    lam_pass pass;
    size_t n_x, n_y, n_w;
    float *x, *y, *dy, *dx, *weights, *grads;
    double *x_d, *w_d, *y_d, *want_dx, *want_dw;
    unsigned char *mask; /* of the second sample nothing counts, of the others some steps */
    float *extra[4];
} bench;

bool set_up(bench *b, const example *ex, size_t rows, bool training, bool linear);
void tear_down(bench *b);
/* malloc() that also gives room for nothing. */
void *room(size_t n, size_t size);

#endif
