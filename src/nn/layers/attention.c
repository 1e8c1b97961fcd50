/* attention (Luong, Pham and Manning, "Effective approaches to attention-based neural machine
 * translation", EMNLP 2015), of a sequence x (steps, features) to itself:
 *
 *   y = softmax(s) x
 *   score_mode "dot":     s[i, j] = scale x[i] . x[j]
 *   score_mode "concat":  s[i, j] = weight sum over d of t[i, j, d]
 *                         t[i, j, d] = tanh(scale (x[i, d] + x[j, d]))
 *
 * scale is a weight with use_scale and 1 without; weight is one in the mode "concat".  A hidden
 * query gives 0.  Both scores are symmetric in i and j.  So, with ds the gradient by the scores and
 * e = ds + ds', the way back is
 *
 *   dx = softmax(s)' dy + scale g
 *   dot:     g = e x                                            dscale = sum x g / 2
 *   concat:  g[i] = weight sum over j of e[i, j] (1 - t^2)      dscale = sum x g
 *            dweight = sum e t / 2 */
#include <math.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "nn/layers/attend.h"

enum { DOT, CONCAT }; /* in the order of mode_names */
static const char *const mode_names[] = {"dot", "concat", NULL};

typedef struct attention {
    lam_attend attend;
    bool use_scale;
    int score_mode;
} attention;

static lam_status configure(lam_layer *layer, const lam_args *args, lam_error *err)
{
    static const lam_field fields[] = {
        {.name = "use_scale", .kind = LAM_FIELD_BOOL, .offset = offsetof(attention, use_scale)},
        {.name = "score_mode",
         .kind = LAM_FIELD_CHOICE,
         .offset = offsetof(attention, score_mode),
         .choices = mode_names},
        LAM_ATTEND_FIELDS(attention),
    };
    attention *a = layer->config;
    a->attend.heads = 1;
    a->attend.seed = NAN;
    return lam_args_read(args, fields, LAM_COUNT(fields), a, "layer_attention()", err);
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The scratch of a sample, beside the terms of the weights' gradients. */
typedef struct work {
    float *dropped, *d;   /* (steps, steps) */
    float *scale, *shift; /* features */
    float *g, *t;         /* (steps, features); t in the mode concat only */
} work;

static size_t work_count(const lam_layer *layer)
{
    const attention *a = layer->config;
    size_t matrices = lam_mul(2, lam_mul(a->attend.steps, a->attend.steps));
    size_t sequences = lam_mul(a->score_mode == CONCAT ? 2 : 1, layer->in_count);
    return lam_add(lam_add(matrices, sequences), 2 * layer->in.dim[1]);
}

enum { DSCALE, DWEIGHT, TERMS };

/* The sample's terms of the gradients of scale and weight. */
static double *terms_of(const lam_pass *pass, size_t sample)
{
    return (double *)pass->scratch + TERMS * sample;
}

static work work_of(const lam_layer *layer, const lam_pass *pass, size_t sample)
{
    const attention *a = layer->config;
    size_t cells = a->attend.steps * a->attend.steps, features = layer->in.dim[1];
    float *dropped = (float *)terms_of(pass, pass->rows) + sample * work_count(layer);
    float *d = dropped + cells, *scale = d + cells, *shift = scale + features;
    float *g = shift + features, *t = g + layer->in_count;
    return (work){dropped, d, scale, shift, g, t};
}

static lam_status build(lam_layer *layer, lam_error *err)
{
    static const lam_weight_options ones = {.init = {.id = LAM_INIT_ones}};
    attention *a = layer->config;
    LAM_TRY(lam_attend_build(&a->attend, layer, err));
    layer->cache_row = lam_attend_cache(&a->attend);
    layer->scratch_row = lam_add(lam_mul(work_count(layer), sizeof(float)), TERMS * sizeof(double));
    /* the shares times x; in the mode dot also x x' */
    layer->work = (a->score_mode == DOT ? 2.0 : 1.0) * (double)a->attend.steps * (double)layer->in_count;
    lam_shape number = {0};
    if (a->use_scale)
        LAM_TRY(lam_layer_add_weight(layer, "scale", number, true, &ones, err));
    if (a->score_mode == CONCAT)
        LAM_TRY(lam_layer_add_weight(layer, "concat_score_weight", number, true, &ones, err));
    return LAM_OK;
}

static float scale_of(const lam_layer *layer, const lam_pass *pass)
{
    const attention *a = layer->config;
    return a->use_scale ? *lam_w(layer, pass, 0) : 1.0f;
}

/* In the mode concat, it is the last weight. */
static float weight_of(const lam_layer *layer, const lam_pass *pass)
{
    return *lam_w(layer, pass, layer->n_weights - 1);
}

/* ---- the scores ------------------------------------------------------------------------------ */

typedef struct job {
    const lam_layer *layer;
    const lam_pass *pass;
} job;

/* Of two (steps, features): s = a b'. */
static void products(const job *j, const float *a, const float *b, float *s)
{
    size_t features = j->layer->in.dim[1];
    lam_attend_scores(j->pass, j->layer->in.dim[0], features, a, b, features, s);
}

/* c = s b or s' b, with `rows` rows of s (., steps) and b, c (., features) */
static void combine(const job *j, lam_form form, size_t rows, const float *s,
                    const float *b, float *c)
{
    size_t features = j->layer->in.dim[1];
    lam_attend_combine(j->pass, form, rows, j->layer->in.dim[0], features, s, b, features, c);
}

/* t[j, d] = tanh(scale (x[i, d] + x[j, d])) for the first n steps j */
static void tangents(const job *j, const work *w, const float *x, size_t i, size_t n)
{
    static const lam_activation tangent = {.id = LAM_ACT_tanh};
    size_t features = j->layer->in.dim[1];
    float scale = scale_of(j->layer, j->pass);
    for (size_t d = 0; d < features; d++) {
        w->scale[d] = scale;
        w->shift[d] = scale * x[i * features + d];
    }
    lam_affine_cols(n, features, x, w->scale, w->shift, -INFINITY, w->t);
    lam_activation_forward(&tangent, n, features, w->t, w->t);
}

static double sum_of(size_t n, const float *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i];
    return sum;
}

static void dot_scores(const job *j, const float *x, float *s)
{
    const attention *a = j->layer->config;
    products(j, x, x, s);
    if (a->use_scale)
        lam_scale(a->attend.steps * a->attend.steps, scale_of(j->layer, j->pass), s);
}

static void concat_scores(const job *j, const work *w, const float *x, float *s)
{
    size_t steps = j->layer->in.dim[0], features = j->layer->in.dim[1];
    float weight = weight_of(j->layer, j->pass);
    for (size_t i = 0; i < steps; i++) {
        tangents(j, w, x, i, i + 1);
        for (size_t k = 0; k <= i; k++)
            s[i * steps + k] = s[k * steps + i] =
                weight * (float)sum_of(features, w->t + k * features);
    }
}

static void forward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const attention *a = j->layer->config;
    work w = work_of(j->layer, j->pass, sample);
    const lam_pass *pass = j->pass;
    lam_attend_head h = lam_attend_head_of(&a->attend, j->layer, pass, pass->cache, sample, 0);
    const float *x = pass->x + sample * j->layer->in_count;
    if (a->score_mode == DOT)
        dot_scores(j, x, h.shares);
    else
        concat_scores(j, &w, x, h.shares);
    combine(j, LAM_NN, a->attend.steps, lam_attend_forward(&h, w.dropped), x,
            pass->y + sample * j->layer->out_count);
}

static void forward(const lam_layer *layer, const lam_pass *pass)
{
    lam_parallel(pass->rows, forward_task, &(job){layer, pass});
}

/* ---- the way back ---------------------------------------------------------------------------- */

/* d = d + d' */
static void symmetrize(size_t n, float *d)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k <= i; k++)
            d[i * n + k] = d[k * n + i] = d[i * n + k] + d[k * n + i];
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* g, and the sample's term of dweight, from e in w->d. */
static void concat_back(const job *j, const work *w, const float *x, double *dweight)
{
    size_t steps = j->layer->in.dim[0], features = j->layer->in.dim[1];
    *dweight = 0;
    for (size_t i = 0; i < steps; i++) {
        const float *e = w->d + i * steps;
        tangents(j, w, x, i, steps);
        for (size_t k = 0; k < steps; k++)
            *dweight += 0.5 * (double)e[k] * sum_of(features, w->t + k * features);
        for (size_t k = 0; k < steps * features; k++)
            w->t[k] = 1.0f - w->t[k] * w->t[k];
        combine(j, LAM_NN, 1, e, w->t, w->g + i * features);
    }
    lam_scale(steps * features, weight_of(j->layer, j->pass), w->g);
}

static void backward_task(void *arg, size_t sample, int worker)
{
    (void)worker;
    const job *j = arg;
    const lam_pass *pass = j->pass;
    const attention *a = j->layer->config;
    size_t steps = a->attend.steps, n = j->layer->in_count;
    work w = work_of(j->layer, pass, sample);
    double *term = terms_of(pass, sample);
    const float *x = pass->x + sample * n, *dy = pass->dy + sample * n;
    lam_attend_head h = lam_attend_head_of(&a->attend, j->layer, pass, pass->cache, sample, 0);

    products(j, dy, x, w.d);
    lam_attend_backward(&h, w.d);
    symmetrize(steps, w.d);
    if (a->score_mode == DOT)
        combine(j, LAM_NN, steps, w.d, x, w.g);
    else
        concat_back(j, &w, x, &term[DWEIGHT]);
    term[DSCALE] = (a->score_mode == DOT ? 0.5 : 1.0) * dot(n, x, w.g);
    if (!pass->dx)
        return;
    combine(j, LAM_TN, steps, lam_attend_again(&h, w.dropped), dy, pass->dx + sample * n);
    lam_axpy(n, scale_of(j->layer, pass), w.g, pass->dx + sample * n);
}

/* The terms of all samples make the gradient of a weight of one number. */
static void add_terms(const lam_pass *pass, int which, float *gradient)
{
    double sum = 0;
    if (!gradient)
        return;
    for (size_t sample = 0; sample < pass->rows; sample++)
        sum += terms_of(pass, sample)[which];
    *gradient = (float)(pass->add ? (double)*gradient + sum : sum);
}

static void backward(const lam_layer *layer, const lam_pass *pass)
{
    const attention *a = layer->config;
    lam_parallel(pass->rows, backward_task, &(job){layer, pass});
    if (a->use_scale)
        add_terms(pass, DSCALE, lam_g(layer, pass, 0));
    if (a->score_mode == CONCAT)
        add_terms(pass, DWEIGHT, lam_g(layer, pass, layer->n_weights - 1));
}

const lam_layer_type lam_layer_attention = {
    .name = "attention",
    .config_size = sizeof(attention),
    .configure = configure,
    .build = build,
    .forward = forward,
    .backward = backward,
};
