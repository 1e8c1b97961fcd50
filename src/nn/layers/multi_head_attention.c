/* multi_head_attention (Vaswani and others, "Attention is all you need", NIPS 2017), of a sequence
 * to itself.  With x (steps, features) and for each head h
 *
 *   q = (x Wq[h] + bq[h]) / sqrt(key_dim)     k = x Wk[h] + bk[h]     v = x Wv[h] + bv[h]
 *   context[h] = softmax(q k') v              y = sum over h of context[h] Wo[h] + bo
 *
 * Wq and Wk are (features, heads, key_dim), Wv (features, heads, value_dim), Wo (heads, value_dim,
 * output): as matrices of two dimensions they take all heads at once, so the heads of a step lie
 * side by side in q, k, v and context.
 *
 * The cache holds q, k, v and context of the pass, and what lam_attend keeps; the scratch the
 * gradients of the four, and two matrices (steps, steps) for each sample. */
#include <math.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "nn/layers/attend.h"

enum { QUERY, KEY, VALUE, OUTPUT, PARTS };
enum { CONTEXT = OUTPUT }; /* what goes into the output's product */
enum { OUTPUT_RANK = LAM_MAX_RANK - 2 };

typedef struct multi_head {
    lam_attend attend;
    size_t key_dim, value_dim; /* value_dim 0: as key_dim */
    bool use_bias;
    lam_shape output; /* rank 0: as the input */
    lam_weight_options kernel, bias;
    size_t width[PARTS]; /* numbers a step of q, k, v and context */
} multi_head;

static lam_status read_output_shape(multi_head *m, const lam_args *args, lam_error *err)
{
    static const char expected[] = "up to 3 whole numbers of at least 1";
    const lam_arg *arg = lam_args_get(args, "output_shape");
    if (!arg)
        return LAM_OK;
    if (arg->kind != LAM_ARG_NUMBERS || arg->n < 1 || arg->n > OUTPUT_RANK)
        return lam_fail_arg(err, LAM_EARGUMENT, "output_shape", expected, "%zu value(s)", arg->n);
    m->output.rank = (int)arg->n;
    for (size_t i = 0; i < arg->n; i++) {
        double d = arg->numbers[i];
        if (!(d >= 1 && d <= 1e9 && d == floor(d)))
            return lam_fail_arg(err, LAM_EARGUMENT, "output_shape", expected, "%g", d);
        m->output.dim[i] = (size_t)d;
    }
    return LAM_OK;
}

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
#define DIMENSION(member, field, needed)                                                           \
    {                                                                                              \
        .name = #member, .kind = LAM_FIELD_SIZE, .offset = offsetof(multi_head, field), .min = 1,  \
        .max = 1e6, .required = needed,                                                            \
    }
    static const lam_field fields[] = {
        DIMENSION(num_heads, attend.heads, true),
        DIMENSION(key_dim, key_dim, true),
        DIMENSION(value_dim, value_dim, false),
        {.name = "use_bias", .kind = LAM_FIELD_BOOL, .offset = offsetof(multi_head, use_bias)},
        {.name = "output_shape", .kind = LAM_FIELD_ANY},
        LAM_ATTEND_FIELDS(multi_head),
        LAM_WEIGHT_FIELDS("kernel"),
        LAM_WEIGHT_FIELDS("bias"),
    };
#undef DIMENSION
    multi_head *m = layer->config;
    m->use_bias = true;
    m->attend.seed = NAN;
    LAM_TRY(lam_args_read(args, fields, LAM_COUNT(fields), m, "layer_multi_head_attention()", err));
    if (m->value_dim == 0)
        m->value_dim = m->key_dim;
    LAM_TRY(read_output_shape(m, args, err));
    LAM_TRY(lam_weight_options_read(args, "kernel", LAM_INIT_glorot_uniform, &m->kernel, err));
    return lam_weight_options_read(args, "bias", LAM_INIT_zeros, &m->bias, err);
}

static lam_status add_part(lam_layer *layer, const char *kernel_name, lam_shape kernel,
                           const char *bias_name, lam_shape bias, lam_error *err)
{
    const multi_head *m = layer->config;
    LAM_TRY(lam_layer_add_weight(layer, kernel_name, kernel, true, &m->kernel, err));
    return m->use_bias ? lam_layer_add_weight(layer, bias_name, bias, true, &m->bias, err) : LAM_OK;
}

static lam_status add_weights(lam_layer *layer, lam_error *err)
{
    const multi_head *m = layer->config;
    size_t features = layer->in.dim[1], heads = m->attend.heads;
    lam_shape key = {3, {features, heads, m->key_dim}}, key_bias = lam_shape_2(heads, m->key_dim);
    lam_shape value = {3, {features, heads, m->value_dim}};
    lam_shape value_bias = lam_shape_2(heads, m->value_dim);
    lam_shape output = {2 + m->output.rank, {heads, m->value_dim}};
    for (int i = 0; i < m->output.rank; i++)
        output.dim[2 + i] = m->output.dim[i];
    LAM_TRY(add_part(layer, "query_kernel", key, "query_bias", key_bias, err));
    LAM_TRY(add_part(layer, "key_kernel", key, "key_bias", key_bias, err));
    LAM_TRY(add_part(layer, "value_kernel", value, "value_bias", value_bias, err));
    return add_part(layer, "attention_output_kernel", output, "attention_output_bias", m->output,
                    err);
}

static size_t matrix_bytes(const multi_head *m)
{
    return lam_mul(lam_mul(m->attend.steps, m->attend.steps), sizeof(float));
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    multi_head *m = layer->config;
    LAM_TRY(lam_attend_build(&m->attend, layer, err));
    m->attend.blind = 1.0f / (float)m->attend.steps;
    if (m->output.rank == 0)
        m->output = lam_shape_1(layer->in.dim[1]);
    layer->out.rank = 1 + m->output.rank;
    for (int i = 0; i < m->output.rank; i++)
        layer->out.dim[1 + i] = m->output.dim[i];
    m->width[QUERY] = m->width[KEY] = lam_mul(m->attend.heads, m->key_dim);
    m->width[VALUE] = m->width[CONTEXT] = lam_mul(m->attend.heads, m->value_dim);
    size_t widths = 2 * m->width[KEY] + 2 * m->width[VALUE];
    size_t bytes = lam_mul(lam_mul(m->attend.steps, widths), sizeof(float));
    layer->cache_row = lam_add(bytes, lam_attend_cache(&m->attend));
    layer->scratch_row = lam_add(bytes, lam_mul(2, matrix_bytes(m)));
    /* q, k and v; then the scores, the contexts and the output, which come behind these */
    double steps = (double)m->attend.steps, key = (double)m->width[KEY], value = (double)m->width[VALUE];
    layer->work_inside = steps * (steps * (key + value) + value * (double)lam_shape_count(&m->output));
    layer->work = steps * (double)layer->in.dim[1] * (2 * key + value) + layer->work_inside;
    return add_weights(layer, err);
}

/* ---- a pass ---------------------------------------------------------------------------------- */

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
    size_t rows;            /* steps of all samples */
    float *value[PARTS];    /* q, k, v, context */
    float *gradient[PARTS]; /* of the same */
    char *shares, *matrices;
} job;

/* Where the four lie behind `at`; returns what is behind them. */
static char *lay_out(const multi_head *m, size_t rows, char *at, float *part[PARTS])
{
    for (int p = 0; p < PARTS; p++) {
        part[p] = (float *)at;
        at += rows * m->width[p] * sizeof(float);
    }
    return at;
}

static job start(const lam_layer *layer, const lam_pass *pass)
{
    const multi_head *m = layer->config;
    job j = {.layer = layer, .pass = pass, .rows = pass->rows * m->attend.steps};
    j.shares = lay_out(m, j.rows, pass->cache, j.value);
    j.matrices = lay_out(m, j.rows, pass->scratch, j.gradient);
    return j;
}

static int kernel_at(const multi_head *m, int part)
{
    return m->use_bias ? 2 * part : part;
}

/* y (rows, outputs) = x (rows, inputs) kernel + bias */
static void project(const job *j, int part, size_t inputs, const float *x, size_t outputs, float *y)
{
    const multi_head *m = j->layer->config;
    int at = kernel_at(m, part);
    lam_gemm_run(&(lam_gemm){.form = LAM_NN,
                             .m = j->rows,
                             .n = outputs,
                             .k = inputs,
                             .a = x,
                             .lda = inputs,
                             .b = lam_w(j->layer, j->pass, at),
                             .ldb = outputs,
                             .c = y,
                             .ldc = outputs,
                             .bias = m->use_bias ? lam_w(j->layer, j->pass, at + 1) : NULL,
                             .bf16 = j->pass->bf16});
}

/* From dy to the gradients of kernel and bias, and to dx (unless NULL); add: dx += it. */
static void project_back(const job *j, int part, size_t inputs, const float *x, size_t outputs,
                         const float *dy, float *dx, bool add)
{
    const multi_head *m = j->layer->config;
    int at = kernel_at(m, part);
    float *dkernel = lam_g(j->layer, j->pass, at);
    float *dbias = m->use_bias ? lam_g(j->layer, j->pass, at + 1) : NULL;
    if (dkernel)
        lam_gemm_run(&(lam_gemm){.form = LAM_TN,
                                 .m = inputs,
                                 .n = outputs,
                                 .k = j->rows,
                                 .a = x,
                                 .lda = inputs,
                                 .b = dy,
                                 .ldb = outputs,
                                 .c = dkernel,
                                 .ldc = outputs,
                                 .add = j->pass->add,
                                 .bf16 = j->pass->bf16});
    if (dbias)
        lam_colsum(j->rows, outputs, dy, dbias, j->pass->add);
    if (dx)
        lam_gemm_run(&(lam_gemm){.form = LAM_NT,
                                 .m = j->rows,
                                 .n = inputs,
                                 .k = outputs,
                                 .a = dy,
                                 .lda = outputs,
                                 .b = lam_w(j->layer, j->pass, at),
                                 .ldb = outputs,
                                 .c = dx,
                                 .ldc = inputs,
                                 .add = add,
                                 .bf16 = j->pass->bf16});
}

/* Where the steps of a sample and head begin in an array of part p. */
static float *part_of(const job *j, float *const part[PARTS], int p, size_t sample, size_t head)
{
    const multi_head *m = j->layer->config;
    size_t each = m->width[p] / m->attend.heads;
    return part[p] + sample * m->attend.steps * m->width[p] + head * each;
}

/* Matrix 0 or 1 of a sample. */
static float *matrix(const job *j, size_t sample, size_t k)
{
    return (float *)(j->matrices + (2 * sample + k) * matrix_bytes(j->layer->config));
}

static void scale_queries(const job *j, float *const part[PARTS], size_t sample)
{
    const multi_head *m = j->layer->config;
    lam_scale(m->attend.steps * m->width[QUERY], 1.0f / sqrtf((float)m->key_dim),
              part_of(j, part, QUERY, sample, 0));
}

static void forward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const multi_head *m = j->layer->config;
    size_t steps = m->attend.steps;
    scale_queries(j, j->value, sample);
    for (size_t head = 0; head < m->attend.heads; head++) {
        lam_attend_head h =
            lam_attend_head_of(&m->attend, j->layer, j->pass, j->shares, sample, head);
        lam_attend_scores(j->pass, steps, m->key_dim, part_of(j, j->value, QUERY, sample, head),
               part_of(j, j->value, KEY, sample, head), m->width[KEY], h.shares);
        const float *shares = lam_attend_forward(&h, matrix(j, sample, 0));
        lam_attend_combine(j->pass, LAM_NN, steps, steps, m->value_dim, shares, part_of(j, j->value, VALUE, sample, head),
                m->width[VALUE], part_of(j, j->value, CONTEXT, sample, head));
    }
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    const multi_head *m = layer->config;
    job j = start(layer, pass);
    for (int p = QUERY; p <= VALUE; p++)
        project(&j, p, layer->in.dim[1], pass->x, m->width[p], j.value[p]);
    lam_parallel(pass->rows, forward_task, &j);
    project(&j, OUTPUT, m->width[CONTEXT], j.value[CONTEXT], lam_shape_count(&m->output), pass->y);
}

static void backward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const multi_head *m = j->layer->config;
    size_t steps = m->attend.steps;
    float *d = matrix(j, sample, 1);
    for (size_t head = 0; head < m->attend.heads; head++) {
        lam_attend_head h =
            lam_attend_head_of(&m->attend, j->layer, j->pass, j->shares, sample, head);
        const float *shares = lam_attend_again(&h, matrix(j, sample, 0));
        const float *dcontext = part_of(j, j->gradient, CONTEXT, sample, head);
        lam_attend_combine(j->pass, LAM_TN, steps, steps, m->value_dim, shares, dcontext, m->width[VALUE],
                part_of(j, j->gradient, VALUE, sample, head));
        lam_attend_scores(j->pass, steps, m->value_dim, dcontext, part_of(j, j->value, VALUE, sample, head),
               m->width[VALUE], d);
        lam_attend_backward(&h, d);
        lam_attend_combine(j->pass, LAM_NN, steps, steps, m->key_dim, d, part_of(j, j->value, KEY, sample, head),
                m->width[KEY], part_of(j, j->gradient, QUERY, sample, head));
        lam_attend_combine(j->pass, LAM_TN, steps, steps, m->key_dim, d, part_of(j, j->value, QUERY, sample, head),
                m->width[KEY], part_of(j, j->gradient, KEY, sample, head));
    }
    scale_queries(j, j->gradient, sample);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const multi_head *m = layer->config;
    job j = start(layer, pass);
    project_back(&j, OUTPUT, m->width[CONTEXT], j.value[CONTEXT], lam_shape_count(&m->output),
                 pass->dy, j.gradient[CONTEXT], false);
    lam_parallel(pass->rows, backward_task, &j);
    for (int p = QUERY; p <= VALUE; p++)
        project_back(&j, p, layer->in.dim[1], pass->x, m->width[p], j.gradient[p], pass->dx,
                     p > QUERY);
}

const lam_layer_type lam_layer_multi_head_attention = {
    .name = "multi_head_attention",
    .config_size = sizeof(multi_head),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
