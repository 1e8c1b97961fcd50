/* Networks for tests and benchmarks, written down in a line: specs without R. */
#ifndef LAM_TESTS_NETS_H
#define LAM_TESTS_NETS_H

#include "nn/loop.h"
#include "nn/net.h"
#include "unit.h"

#define NUMBER(name_, ...) \
    {.name = name_, .kind = LAM_ARG_NUMBERS, .n = sizeof((double[]){__VA_ARGS__}) / sizeof(double), .numbers = (double[]){__VA_ARGS__}}
#define STRING(name_, value_) \
    {.name = name_, .kind = LAM_ARG_STRINGS, .n = 1, .strings = (const char *[]){value_}}
/* A nested spec: {"kernel_regularizer", "l2", {NUMBER("l2", 0.1)}} */
#define SPEC(name_, type_, ...)                                                            \
    {.name = name_, .kind = LAM_ARG_LIST, .n = 2,                                          \
     .list = (lam_arg[]){STRING("type", type_),                                            \
                         {.name = "config", .kind = LAM_ARG_LIST,                          \
                          .n = sizeof((lam_arg[]){__VA_ARGS__}) / sizeof(lam_arg),         \
                          .list = (lam_arg[]){__VA_ARGS__}}}}
#define ARGS(...) {sizeof((lam_arg[]){__VA_ARGS__}) / sizeof(lam_arg), (lam_arg[]){__VA_ARGS__}}
#define LAYER(type_, name_, ...) \
    {.type = type_, .name = name_, .trainable = true, .config = ARGS(__VA_ARGS__)}
#define DENSE(name_, units_, activation_, ...) \
    LAYER("dense", name_, NUMBER("units", units_), STRING("activation", activation_), ##__VA_ARGS__)

/* A network with its initial weights; compiled, unless optimizer is NULL. */
static inline lam_net *new_net(const lam_layer_spec *specs, int n, lam_shape in, const lam_spec *optimizer, const lam_spec *loss)
{
    lam_error err;
    lam_net *net = NULL;
    CHECK_OK(lam_net_new(&net, specs, n, &in, &err));
    CHECK_OK(lam_net_initialize(net, 7, &err));
    if (optimizer)
        CHECK_OK(lam_net_compile(net, optimizer, loss, false, &err));
    return net;
}

#endif
