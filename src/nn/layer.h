/* A layer: one file in nn/layers/, one row in layers.def.
 *
 * The life of a layer:
 *   configure  reads the arguments into type->config_size zeroed bytes (layer->config)
 *   build      is told the input shape; sets layer->out, declares weights (lam_layer_add_weight) and
 *              says how much memory a pass needs
 *   prepare    once a batch, before forward: brings weights into the form that passes want
 *   forward    y = f(x) for `rows` samples
 *   backward   given dy: dx (unless NULL) and the gradients of the weights
 * Prepare, forward and backward cannot fail and allocate nothing.  A batch may come in parts, each
 * with its own cache, one after the other or on several threads at once; a layer that must see the
 * whole batch together sets LAM_LAYER_WHOLE_BATCH.
 *
 * A mask says which steps of a sequence count: one byte a step, samples first.  A layer makes one
 * (mask_out), carries it on, heeds it, or drops it. */
#ifndef LAM_NN_LAYER_H
#define LAM_NN_LAYER_H

#include <stdint.h>

#include "base/ranks.h"
#include "base/rng.h"
#include "kernels/activation.h"
#include "kernels/sparse.h"
#include "nn/args.h"
#include "nn/weights.h"
#include "tensor/shape.h"

#define LAM_NAME_MAX 96

typedef struct lam_weight {
    char name[32];          /* "kernel", "bias", ... */
    lam_shape shape;
    size_t count;
    size_t offset;          /* first element in the network's flat vectors; set by the network */
    bool trainable;         /* false for statistics that training does not reach by gradients */
    bool state;             /* what a stateful layer remembers from batch to batch: saved, but no weight */
    lam_initializer init;
    lam_regularizer reg;
    lam_constraint constraint;
} lam_weight;

typedef struct lam_pass {
    size_t rows;            /* samples in this pass */
    const float *x;         /* rows x in_count */
    lam_sparse sparse;      /* these rows in sparse form, if sparse.start is not NULL; x is NULL then */
    float *y;               /* rows x out_count */
    const float *dy;        /* backward only: rows x out_count */
    float *dx;              /* backward only: rows x in_count, or NULL when nobody needs it.
                               dx may be the same memory as dy only for LAM_LAYER_INPLACE types */
    const unsigned char *mask; /* rows x mask_in: 1 where the step counts; NULL: every step does */
    unsigned char *mask_out; /* rows x mask_out, written by forward of a layer that makes a mask */
    float *const *extra;    /* forward only: rows x layer->extra[i] numbers of each final state to tell,
                               or NULL */
    float *weights;         /* the network's flat weights: weight w is at weights + w->offset.
                               Only statistics may be written, and only where update_state is set,
                               and states, where carry_state is */
    float *grads;           /* the same layout; backward overwrites its own (add == false) or adds;
                               NULL when no weight of the network is trained */
    bool add;
    char *cache;            /* cache_row * rows + cache_fixed bytes, kept from forward to backward */
    char *scratch;          /* scratch_row * rows + scratch_fixed bytes, this call only */
    char *prepared;         /* layer->prepared bytes: written by prepare, read by the passes */
    bool rectified;         /* x is a rectifier's output, and where x, or the greatest x, is 0, backward is to
                               hand on no gradient: the rectifier leaves its slope to this layer */
    bool rectify;           /* a rectifier behind the layer rides along: y = max(y, 0), and backward sees
                               to its slope */
    bool backward_follows;  /* false: forward need keep nothing in the cache */
    bool training;          /* dropout, noise, batch statistics */
    bool update_state;      /* move running statistics (only ever set together with training) */
    bool carry_state;       /* a stateful layer starts where the last batch ended */
    bool bf16;              /* lam_gemm.bf16 of the layer's products */
    bool linear;            /* leave the layer's closing activation out, forward and backward: the
                               loss takes the weighted sums themselves */
    uint64_t seed, step;    /* for lam_rng: stream LAM_STREAM_LAYER(layer->index, k) */
    size_t first_row;       /* number of the first sample in its batch, for element numbers */
    lam_ranks *ranks;       /* have the rest of the batch; NULL: nobody has.  Only layers that set
                               LAM_LAYER_ASKS_RANKS are told, and these with rows == 0 too */
} lam_pass;

struct lam_layer;

enum {
    LAM_LAYER_INPLACE = 1,  /* y may be x (given that nobody else needs x), dx may be dy */
    LAM_LAYER_NEEDS_X = 2,  /* backward reads x */
    LAM_LAYER_NEEDS_Y = 4,  /* backward reads y */
    LAM_LAYER_WHOLE_BATCH = 8, /* the samples of a batch depend on each other */
    LAM_LAYER_GATES = 16, /* honours pass->rectified */
    LAM_LAYER_RECTIFIES = 32, /* honours pass->rectify */
    LAM_LAYER_ACTIVATION = 64, /* nothing but its closing activation, element by element */
    LAM_LAYER_CARRIES_MASK = 128, /* the mask that arrives leaves again */
    LAM_LAYER_USES_MASK = 256, /* heeds the mask */
    LAM_LAYER_TAKES_SPARSE = 512, /* honours pass->sparse */
    LAM_LAYER_ASKS_RANKS = 1024 /* where ranks share a batch, its samples depend on those of other ranks */
};

typedef struct lam_layer_type {
    const char *name;
    size_t config_size;
    lam_status (*configure)(struct lam_layer *layer, const lam_args *args, lam_error *err);
    lam_status (*build)(struct lam_layer *layer, lam_error *err);
    void (*prepare)(const struct lam_layer *layer, const lam_pass *pass); /* NULL: nothing to do */
    void (*forward)(const struct lam_layer *layer, const lam_pass *pass);
    void (*backward)(const struct lam_layer *layer, const lam_pass *pass);
    /* The activation that ends the layer, or NULL.  A layer that gives one honours pass->linear. */
    const lam_activation *(*closing)(const struct lam_layer *layer);
    /* The weights have got their offsets: a layer with layers inside hands them on.  NULL: nothing to do. */
    void (*placed)(struct lam_layer *layer);
    /* Frees what configure allocated inside config (not config itself); NULL if nothing. */
    void (*release)(struct lam_layer *layer);
} lam_layer_type;

#define LAM_MAX_WEIGHTS 16

typedef struct lam_layer {
    const lam_layer_type *type;
    char name[LAM_NAME_MAX];
    int index;              /* position in the network, 0-based; known to build */
    int stream;             /* the first of its streams of random numbers that is the layer's: not 0 only
                               for a layer within a layer */
    bool trainable;         /* false: frozen */
    void *config;
    lam_shape in, out;      /* without the batch */
    size_t in_count, out_count;
    unsigned flags;         /* LAM_LAYER_*; build sets them */
    size_t cache_row, cache_fixed, scratch_row, scratch_fixed; /* bytes; build sets them */
    size_t prepared;        /* bytes; build sets them */
    double work;            /* multiply-adds a sample of forward's products; build sets it, 0 without products */
    double work_inside;     /* of these, in products behind others of the layer: backward needs the gradients
                               by their inputs even where dx is NULL; build sets it */
    size_t mask_in;         /* steps a sample of the mask that arrives; 0: none */
    size_t mask_out;        /* of the mask that leaves: build sets it where the layer makes one */
    int n_extra;            /* final states that can be told beside the output; build sets them */
    size_t extra[4];        /* numbers a sample of each */
    int n_weights;
    lam_weight weight[LAM_MAX_WEIGHTS];
    lam_regularizer activity; /* penalty on the outputs, divided by the batch size; the network
                                 reads `activity_regularizer` and applies it for every layer */
} lam_layer;

/* All types, in the order of layers.def, ended by NULL. */
extern const lam_layer_type *const lam_layer_types[];
const lam_layer_type *lam_layer_type_find(const char *name);

/* How a weight starts and what binds it, read from the arguments `<prefix>_initializer`,
 * `<prefix>_regularizer`, `<prefix>_constraint`. */
typedef struct lam_weight_options {
    lam_initializer init;
    lam_regularizer reg;
    lam_constraint constraint;
} lam_weight_options;

lam_status lam_weight_options_read(const lam_args *args, const char *prefix,
                                   lam_initializer_id default_init, lam_weight_options *options,
                                   lam_error *err);
/* The fields that claim those three arguments; list them in a layer's table. */
#define LAM_WEIGHT_FIELDS(prefix)                                    \
    {.name = prefix "_initializer", .kind = LAM_FIELD_SPEC},         \
        {.name = prefix "_regularizer", .kind = LAM_FIELD_SPEC},     \
        {.name = prefix "_constraint", .kind = LAM_FIELD_SPEC}

lam_status lam_layer_add_weight(lam_layer *layer, const char *name, lam_shape shape, bool trainable,
                                const lam_weight_options *options, lam_error *err);

/* Reads `activation` (string, spec, or absent: linear). */
lam_status lam_args_activation(const lam_args *args, const char *name, lam_activation *act,
                               lam_error *err);

/* A fresh layer of that type, configured; *layer is zeroed first.  On failure nothing is held. */
lam_status lam_layer_init(lam_layer *layer, const lam_layer_type *type, const lam_args *args,
                          lam_error *err);
/* Sets in and in_count and calls the type's build; checks out.  mask_in must be set before. */
lam_status lam_layer_build(lam_layer *layer, const lam_shape *in, lam_error *err);
void lam_layer_free(lam_layer *layer);

static inline const float *lam_w(const lam_layer *layer, const lam_pass *pass, int i)
{
    return pass->weights + layer->weight[i].offset;
}

/* The gradient of weight i, or NULL when it is not trained. */
static inline float *lam_g(const lam_layer *layer, const lam_pass *pass, int i)
{
    return pass->grads && layer->trainable && layer->weight[i].trainable
               ? pass->grads + layer->weight[i].offset
               : NULL;
}

static inline lam_rng lam_layer_rng(const lam_layer *layer, const lam_pass *pass, int k)
{
    return (lam_rng){.seed = pass->seed, .stream = LAM_STREAM_LAYER((uint32_t)layer->index, (uint32_t)(layer->stream + k)), .step = pass->step};
}

#endif
