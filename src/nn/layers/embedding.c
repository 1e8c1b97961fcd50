/* embedding: y = E[x], a row of E (input_dim, output_dim) for each id x from 0 to input_dim - 1.
 * Ids come as floats, which hold them exactly up to 2^24.  The gradient of E is dy added up by id;
 * ids have none.  Any other number, which nobody should send, gives zeros.
 *
 * mask_zero: id 0 is padding, and the steps that have it do not count. */
#include <string.h>

#include "kernels/kernels.h"
#include "nn/layer.h"

typedef struct embedding {
    size_t input_dim, output_dim;
    bool mask_zero;
    lam_weight_options embeddings;
} embedding;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "input_dim",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(embedding, input_dim),
         .min = 1,
         .max = 1 << 24,
         .required = true},
        {.name = "output_dim",
         .kind = LAM_FIELD_SIZE,
         .offset = offsetof(embedding, output_dim),
         .min = 1,
         .max = 1e9,
         .required = true},
        {.name = "mask_zero", .kind = LAM_FIELD_BOOL, .offset = offsetof(embedding, mask_zero)},
        LAM_WEIGHT_FIELDS("embeddings"),
    };
    embedding *e = layer->config;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), e, "layer_embedding()", err));
    return lam_weight_options_read(args, "embeddings", LAM_INIT_random_uniform, &e->embeddings,
                                   err);
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    const embedding *e = layer->config;
    if (layer->in.rank + 1 >= LAM_MAX_RANK)
        return lam_fail(err, LAM_ESHAPE, "Layer %s takes samples of at most %d dimensions.",
                        layer->name, LAM_MAX_RANK - 2);
    layer->out.dim[layer->out.rank++] = e->output_dim;
    layer->flags = LAM_LAYER_NEEDS_X;
    layer->mask_out = e->mask_zero ? layer->in_count : 0;
    return lam_layer_add_weight(layer, "embeddings", lam_shape_2(e->input_dim, e->output_dim), true,
                                &e->embeddings, err);
}

/* Where an id's row begins, of all `ids`; SIZE_MAX when it is none of them. */
static inline size_t row_of(float x, const embedding *e)
{
    return x >= 0.0f && x < (float)e->input_dim ? (size_t)x * e->output_dim : SIZE_MAX;
}

typedef struct job {
    const embedding *e;
    size_t n; /* ids */
    const float *ids;
    const float *from; /* E, or dy */
    float *to;         /* y, or dE */
} job;

enum { IDS = 256, COLUMNS = 32, CLEAR = 1 << 15 };

static void look_up(void *arg, size_t task, int worker)
{
    const job *j = arg;
    size_t d = j->e->output_dim, end = lam_least((task + 1) * IDS, j->n);
    (void)worker;
    for (size_t i = task * IDS; i < end; i++) {
        size_t row = row_of(j->ids[i], j->e);
        if (row != SIZE_MAX)
            memcpy(j->to + i * d, j->from + row, d * sizeof(float));
        else
            memset(j->to + i * d, 0, d * sizeof(float));
    }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const embedding *e = layer->config;
    size_t n = pass->rows * layer->in_count;
    job j = {.e = e, .n = n, .ids = pass->x, .from = lam_w(layer, pass, 0), .to = pass->y};
    lam_parallel(lam_divide_up(n, IDS), look_up, &j);
    for (size_t i = 0; pass->mask_out && i < n; i++)
        pass->mask_out[i] = pass->x[i] != 0.0f;
}

static void clear(void *arg, size_t task, int worker)
{
    const job *j = arg;
    size_t all = j->e->input_dim * j->e->output_dim, begin = task * CLEAR;
    (void)worker;
    memset(j->to + begin, 0, (lam_least(begin + CLEAR, all) - begin) * sizeof(float));
}

/* The sums of some columns, in the order of the ids: the same bits however many threads there are.
 */
static void add_up(void *arg, size_t task, int worker)
{
    const job *j = arg;
    size_t d = j->e->output_dim, begin = task * COLUMNS, width = lam_least(d - begin, COLUMNS);
    (void)worker;
    for (size_t i = 0; i < j->n; i++) {
        size_t row = row_of(j->ids[i], j->e);
        if (row == SIZE_MAX)
            continue;
        const float *dy = j->from + i * d + begin;
        float *sum = j->to + row + begin;
        if (width == COLUMNS)
            for (size_t c = 0; c < COLUMNS; c++)
                sum[c] += dy[c];
        else
            for (size_t c = 0; c < width; c++)
                sum[c] += dy[c];
    }
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const embedding *e = layer->config;
    size_t n = pass->rows * layer->in_count;
    float *grad = lam_g(layer, pass, 0);
    job j = {.e = e, .n = n, .ids = pass->x, .from = pass->dy, .to = grad};
    if (grad && !pass->add)
        lam_parallel(lam_divide_up(e->input_dim * e->output_dim, CLEAR), clear, &j);
    if (grad)
        lam_parallel(lam_divide_up(e->output_dim, COLUMNS), add_up, &j);
    if (pass->dx)
        memset(pass->dx, 0, n * sizeof(float));
}

const lam_layer_type lam_layer_embedding = {
    .name = "embedding",
    .config_size = sizeof(embedding),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
