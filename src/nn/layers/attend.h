/* What the attention layers share: how the scores of a sample's steps against each other become
 * shares of attention, and the way back.
 *
 * Self-attention over a sequence of T steps: query i looks at the keys j = 0 .. T-1 that are not
 * hidden from it, and shares out 1 among them by a softmax over their scores.  The arriving mask
 * hides steps both as keys and as queries; `causal` hides the keys after the query.  A query that
 * is not hidden sees at least itself. */
#ifndef LAM_NN_LAYERS_ATTEND_H
#define LAM_NN_LAYERS_ATTEND_H

#include "kernels/kernels.h"
#include "nn/layer.h"

typedef struct lam_attend {
    float dropout; /* share of the attention that training drops */
    double seed;   /* the layer's own, NAN for none */
    bool causal;
    size_t steps; /* T; lam_attend_build() sets it */
    size_t heads;
    float blind; /* the share that a hidden query gives to every key */
} lam_attend;

/* The fields of a layer's table, where its config has a lam_attend called `attend`. */
#define LAM_ATTEND_FIELDS(type)                                                                    \
    {.name = "dropout",                                                                            \
     .kind = LAM_FIELD_FLOAT,                                                                      \
     .offset = offsetof(type, attend.dropout),                                                     \
     .min = 0,                                                                                     \
     .max = LAM_ATTEND_MOST_DROPOUT},                                                              \
        {.name = "seed",                                                                           \
         .kind = LAM_FIELD_DOUBLE,                                                                 \
         .offset = offsetof(type, attend.seed),                                                    \
         .min = -9e15,                                                                             \
         .max = 9e15},                                                                             \
    {                                                                                              \
        .name = "use_causal_mask", .kind = LAM_FIELD_BOOL, .offset = offsetof(type, attend.causal) \
    }
#define LAM_ATTEND_MOST_DROPOUT (1 - 0x1p-24)

/* Takes samples of (steps, features) only; sets steps and the layer's flags. */
lam_status lam_attend_build(lam_attend *attend, lam_layer *layer, lam_error *err);

/* Bytes of the cache for one sample: the shares, and which of them dropout kept. */
size_t lam_attend_cache(const lam_attend *attend);

/* One head of one sample.  `shares` and `kept` are its part of the cache. */
typedef struct lam_attend_head {
    const lam_attend *attend;
    const lam_layer *layer;
    const lam_pass *pass;
    size_t sample, head;
    float *shares; /* T x T: row i is what query i gives to the keys */
    unsigned char *kept;
} lam_attend_head;

/* cache: where the pass keeps lam_attend_cache() bytes for each of its samples. */
lam_attend_head lam_attend_head_of(const lam_attend *attend, const lam_layer *layer,
                                   const lam_pass *pass, char *cache, size_t sample, size_t head);

/* Scores (T x T, in h->shares) become shares.  What products with the values are to see: the shares
 * themselves, or what dropout leaves of them, in `dropped` (T x T, unused without dropout). */
const float *lam_attend_forward(const lam_attend_head *h, float *dropped);
/* The same again, on the way back. */
const float *lam_attend_again(const lam_attend_head *h, float *dropped);
/* d (T x T): the gradient by what lam_attend_forward() returned becomes that by the scores. */
void lam_attend_backward(const lam_attend_head *h, float *d);

/* Products of one head of one sample: a, b and c have rows of `each` numbers that stand `width`
 * apart.  s (steps, steps) = a b': */
void lam_attend_scores(const lam_pass *pass, size_t steps, size_t each, const float *a, const float *b,
                       size_t width, float *s);
/* c = s b or s' b (LAM_NN, LAM_TN): `rows` rows of c, sums over `steps` of b. */
void lam_attend_combine(const lam_pass *pass, lam_form form, size_t rows, size_t steps, size_t each,
                        const float *s, const float *b, size_t width, float *c);

#endif
