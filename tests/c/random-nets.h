/* Random networks with data that fit them.  A network is a function of its seed alone. */
#ifndef LAM_TESTS_RANDOM_NETS_H
#define LAM_TESTS_RANDOM_NETS_H

#include <stdio.h>

#include "nn/loop.h"
#include "nn/net.h"

enum { RANDOM_LAYERS = 12, RANDOM_ARGS = 12 };

typedef enum {
    RANDOM_SMALL, /* a few numbers a sample: for definitions in double precision */
    RANDOM_LARGE  /* wide enough for threads, blocks of products and parts of batches */
} random_size;

typedef struct random_net {
    uint64_t seed;
    random_size size;
    int n;
    lam_layer_spec layer[RANDOM_LAYERS];
    lam_shape in;
    size_t ids;         /* inputs are whole numbers below this; 0: real numbers */
    bool padded;        /* some steps are padding: id 0, or zeros throughout */
    bool heeds;         /* no layer lets padding through to a step that counts */
    bool draws;         /* has layers that draw random numbers in training */
    lam_spec loss, optimizer;
    bool sum_loss;
    int targets;        /* what the loss wants of them */
    size_t rows, batch;
    bool weighted;
} random_net;

/* The specs point into memory that lives until the next call.  Checks that the layers fit each other. */
void random_network(random_net *r, uint64_t seed, random_size size);
/* A compiled network with its first weights; NULL after a failed check. */
lam_net *random_net_new(const random_net *r);
/* r->rows samples. */
lam_data *random_net_data(const random_net *r, const lam_net *net);

/* What was drawn, in words. */
void random_print(FILE *to, const random_net *r, const lam_net *net);

/* How often each layer type (in the order of lam_layer_types), activation and loss was drawn. */
typedef struct random_counts {
    long layer[128], inner[128], activation[LAM_ACT_COUNT], loss[64], initializer[LAM_INIT_COUNT], optimizer[32];
} random_counts;
extern random_counts random_drawn;

#endif
