#include "definition.h"

#include "loss-reference.h"

static void take_args(lam_arg *to, const lam_args *from)
{
    for (size_t i = 0; i < from->n; i++)
        to[i] = from->arg[i];
}

/* ---- layers within layers ------------------------------------------------------------------------- */

static void define(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x, const double *w, double *y);

/* The layer in argument `name` of another, whose weights begin at number `first` of the outer ones. */
static bool inner_new(const example *outer, const lam_layer *layer, const char *name, lam_shape in, size_t mask,
                      int first, int stream, example *ex, lam_layer *inner)
{
    lam_spec spec;
    lam_error err;
    lam_args args = args_of(outer);
    CHECK_OK(lam_args_spec(&args, name, &spec, &err));
    *ex = (example){.type = spec.type, .in = in, .mask = mask};
    take_args(ex->arg, &spec.config);
    if (lam_layer_init(inner, lam_layer_type_find(spec.type), &spec.config, &err) != LAM_OK)
        return false;
    inner->index = layer->index;
    inner->stream = layer->stream + stream;
    inner->trainable = layer->trainable;
    inner->mask_in = mask;
    if (lam_layer_build(inner, &in, &err) != LAM_OK)
        return false;
    ex->out = inner->out;
    for (int i = 0; i < inner->n_weights; i++)
        inner->weight[i].offset = layer->weight[first + i].offset;
    return true;
}

/* The layer inside at every step: steps are samples. */
static void define_steps(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x, const double *w, double *y)
{
    example inner_ex;
    lam_layer inner;
    size_t steps = layer->in.dim[0], each = layer->mask_in % steps == 0 ? layer->mask_in / steps : 0;
    if (each == 1 && layer->in.rank > 2)
        each = 0;
    lam_shape in = lam_shape_of(layer->in.rank - 1, layer->in.dim + 1);
    lam_pass inside = *pass;
    inside.rows *= steps;
    inside.first_row *= steps;
    inside.mask = each ? pass->mask : NULL;
    CHECK(inner_new(ex, layer, "layer", in, each, 0, 0, &inner_ex, &inner));
    define(&inner_ex, &inner, &inside, x, w, y);
    lam_layer_free(&inner);
}

static double merged(const char *mode, double f, double r)
{
    return strcmp(mode, "sum") == 0 ? f + r : strcmp(mode, "mul") == 0 ? f * r : (f + r) / 2;
}

/* One layer through time, another against it; a sequence of the latter is turned round. */
static void define_both_ways(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x, const double *w, double *y)
{
    lam_args args = args_of(ex);
    const lam_arg *mode = lam_args_get(&args, "merge_mode");
    example side_ex[2];
    lam_layer side[2];
    double *out[2];
    CHECK(inner_new(ex, layer, "layer", layer->in, layer->mask_in, 0, 0, &side_ex[0], &side[0]));
    CHECK(inner_new(ex, layer, "backward_layer", layer->in, layer->mask_in, side[0].n_weights, 2, &side_ex[1], &side[1]));
    for (int s = 0; s < 2; s++) {
        out[s] = room(pass->rows * side[s].out_count, sizeof(double));
        define(&side_ex[s], &side[s], pass, x, w, out[s]);
    }
    size_t steps = layer->out.rank == 2 ? layer->out.dim[0] : 1;
    size_t u[2] = {lam_shape_last(&side[0].out), lam_shape_last(&side[1].out)};
    for (size_t r = 0; r < pass->rows; r++)
        for (size_t t = 0; t < steps; t++) {
            const double *f = out[0] + (r * steps + t) * u[0], *b = out[1] + (r * steps + steps - 1 - t) * u[1];
            if (!mode || strcmp(mode->strings[0], "concat") == 0) {
                memcpy(y, f, u[0] * sizeof *y);
                memcpy(y + u[0], b, u[1] * sizeof *y);
                y += u[0] + u[1];
                continue;
            }
            for (size_t j = 0; j < u[0]; j++)
                *y++ = merged(mode->strings[0], f[j], b[j]);
        }
    for (int s = 0; s < 2; s++) {
        lam_layer_free(&side[s]);
        free(out[s]);
    }
}

static void define(const example *ex, const lam_layer *layer, const lam_pass *pass, const double *x, const double *w, double *y)
{
    if (strcmp(ex->type, "time_distributed") == 0) {
        define_steps(ex, layer, pass, x, w, y);
        return;
    }
    if (strcmp(ex->type, "bidirectional") == 0) {
        define_both_ways(ex, layer, pass, x, w, y);
        return;
    }
    lam_pass own = *pass;
    if (strcmp(ex->type, "batch_normalization") == 0)
        own.training &= layer->trainable; /* frozen, it takes the moving statistics, as Keras */
    reference_fn fn = layer_definition(ex->type, layer->mask_in > 0);
    if (fn)
        fn(ex, layer, &own, x, w, y);
    else
        unit_fail(__FILE__, __LINE__, "%s has no definition", ex->type);
}

/* ---- masks ------------------------------------------------------------------------------------------ */

/* The mask that leaves layer i; carried ones share memory. */
static void define_mask(definition *def, int i, const double *x)
{
    const lam_layer *layer = &def->net->layers[i];
    size_t rows = def->data->n;
    if (!layer->mask_out || (layer->flags & LAM_LAYER_CARRIES_MASK))
        return;
    bool any = strcmp(layer->type->name, "time_distributed") == 0;
    size_t each = any ? layer->mask_in / layer->mask_out : layer->in_count / layer->mask_out;
    for (size_t s = 0; s < rows * layer->mask_out; s++) {
        bool counts = false;
        for (size_t j = 0; j < each; j++)
            counts |= any ? def->mask[i - 1][s * each + j] : x[s * each + j] != 0;
        def->mask[i][s] = counts;
    }
}

/* ---- a network ---------------------------------------------------------------------------------------- */

void definition_new(definition *def, const random_net *r, const lam_net *net, const lam_data *data, bool training)
{
    *def = (definition){.r = r, .net = net, .data = data, .training = training, .d = lam_shape_last(&net->out)};
    def->per = lam_shape_count(&net->out) / def->d;
    def->y_d = data->y_d / def->per;
    def->x = room(data->n * data->x_d, sizeof(double));
    def->w = room(net->n, sizeof(double));
    def->sums = lam_net_fuses_head(net) ? room(data->n * lam_shape_count(&net->out), sizeof(double)) : NULL;
    for (size_t i = 0; i < data->n * data->x_d; i++)
        def->x[i] = data->x[i];
    for (size_t i = 0; i < net->n; i++)
        def->w[i] = net->weights[i];
    for (int i = 0; i < net->n_layers; i++) {
        const lam_layer *layer = &net->layers[i];
        def->ex[i] = (example){.type = layer->type->name, .in = layer->in, .out = layer->out, .mask = layer->mask_in};
        take_args(def->ex[i].arg, &r->layer[i].config);
        def->y[i] = room(data->n * layer->out_count, sizeof(double));
        if (layer->mask_out)
            def->mask[i] = layer->flags & LAM_LAYER_CARRIES_MASK ? def->mask[i - 1] : room(data->n * layer->mask_out, 1);
    }
}

void definition_free(definition *def)
{
    free(def->x);
    free(def->w);
    free(def->sums);
    for (int i = 0; i < def->net->n_layers; i++) {
        free(def->y[i]);
        if (i == 0 || def->mask[i] != def->mask[i - 1])
            free(def->mask[i]);
    }
}

static bool has_penalty(const lam_regularizer *reg)
{
    return reg->l1 != 0 || reg->l2 != 0;
}

static double penalty(const lam_regularizer *reg, size_t n, const double *w)
{
    double sum = 0;
    for (size_t i = 0; has_penalty(reg) && i < n; i++)
        sum += (double)reg->l1 * fabs(w[i]) + (double)reg->l2 * w[i] * w[i];
    return sum;
}

double definition_penalty(const definition *def, size_t first, size_t n)
{
    double sum = 0;
    for (int i = 0; i < def->net->n_layers; i++) {
        const lam_layer *layer = &def->net->layers[i];
        sum += penalty(&layer->activity, n * layer->out_count, def->y[i] + first * layer->out_count) / (double)n;
        for (int w = 0; layer->trainable && w < layer->n_weights; w++)
            if (layer->weight[w].trainable)
                sum += penalty(&layer->weight[w].reg, layer->weight[w].count, def->w + layer->weight[w].offset);
    }
    return sum;
}

/* A number from -1 to 1 that is not next to 0, always the same for the same place. */
static double jitter(uint64_t key, int layer, size_t i)
{
    uint64_t z = (key << 48 ^ (uint64_t)layer << 32 ^ i) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 29)) * 0xBF58476D1CE4E5B9u;
    double size = 0.5 + (double)(z >> 12 & 0xfffff) * 0x1p-21;
    return z >> 63 ? size : -size;
}

static double largest(size_t n, const double *x)
{
    double top = 0;
    for (size_t i = 0; i < n; i++)
        top = fmax(top, fabs(x[i]));
    return top;
}

/* Normalization may be worked out as x a - mean a, with a = 1 / sqrt(variance + epsilon): where the
 * variance is next to nothing, that rounds numbers as large as x a. */
static double within(const example *ex, size_t n_x, const double *x)
{
    const example *at = ex;
    example inner = {0};
    lam_args args = args_of(ex);
    lam_spec spec = {0};
    if (strcmp(ex->type, "time_distributed") == 0 && lam_args_spec(&args, "layer", &spec, NULL) == LAM_OK) {
        inner.type = spec.type;
        take_args(inner.arg, &spec.config);
        at = &inner;
    }
    bool moments = strstr(at->type, "_normalization") && strcmp(at->type, "unit_normalization") != 0;
    return moments ? largest(n_x, x) / sqrt(number(at, "epsilon", 0, 1e-3)) : 0;
}

/* As if the layer, and the way back through it, had been worked out with rounding. */
static void disturb(const definition *def, int layer, const double *x, size_t n, double *y)
{
    size_t n_x = def->data->n * def->net->layers[layer].in_count;
    double top = fmax(largest(n, y), within(&def->ex[layer], n_x, x));
    for (size_t i = 0; i < n; i++)
        y[i] += def->noise * (top * jitter(def->draw, layer, i) + y[i] * jitter(def->draw + 8, layer, i));
}

static double score(const definition *def, const lam_spec *loss, const double *pred, size_t first, size_t n)
{
    size_t d = def->d, last = (size_t)def->net->n_layers - 1;
    const lam_arg *ignored = lam_args_get(&loss->config, "ignore_class");
    double sum = 0, count = 0;
    for (size_t r = first * def->per; r < (first + n) * def->per; r++) {
        double y[64] = {0};
        bool ends_masked = def->net->layers[last].mask_out == def->per && def->mask[last];
        for (size_t j = 0; j < def->y_d; j++)
            y[j] = def->data->y[r * def->y_d + j];
        if ((ends_masked && !def->mask[last][r]) || (ignored && y[0] == ignored->numbers[0]))
            continue;
        double w = def->data->w ? def->data->w[r / def->per] : 1;
        sum += w * loss_reference_with(loss, d, y, pred + r * d);
        count++;
    }
    return def->r->sum_loss || count == 0 ? sum : sum / count;
}

double definition_score(const definition *def, const double *pred, size_t first, size_t n)
{
    return score(def, &def->r->loss, pred, first, n);
}

/* The loss from the weighted sums z of the last layer, which is what stands for a crossentropy behind a
 * sigmoid or softmax: exact where probabilities are next to 0. */
static double score_sums(const definition *def, const double *z)
{
    lam_arg arg[4] = {{.name = "from_logits", .kind = LAM_ARG_NUMBERS, .n = 1, .numbers = (double[]){1}}};
    take_args(arg + 1, &def->r->loss.config);
    lam_spec loss = {def->r->loss.type, {1 + def->r->loss.config.n, arg}};
    return score(def, &loss, z, 0, def->data->n);
}

static void define_layer(definition *def, int i, const double *x, bool linear, double *y)
{
    const lam_layer *layer = &def->net->layers[i];
    lam_pass pass = {.rows = def->data->n, .training = def->training, .seed = def->net->seed, .step = def->net->batches,
                     .mask = i > 0 && layer->mask_in ? def->mask[i - 1] : NULL, .linear = linear};
    define(&def->ex[i], layer, &pass, x, def->w, y);
    if (def->noise != 0)
        disturb(def, i, x, def->data->n * layer->out_count, y);
}

double definition_loss(definition *def)
{
    const double *x = def->x;
    int last = def->net->n_layers - 1;
    double loss;
    for (int i = 0; i <= last; i++) {
        if (i == last && def->sums)
            define_layer(def, i, x, true, def->sums);
        define_layer(def, i, x, false, def->y[i]);
        define_mask(def, i, x);
        x = def->y[i];
    }
    loss = def->sums ? score_sums(def, def->sums) : definition_score(def, x, 0, def->data->n);
    return loss + definition_penalty(def, 0, def->data->n);
}
