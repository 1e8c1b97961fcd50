#include "random-nets.h"

#include "unit.h"

random_counts random_drawn;

/* ---- drawing ------------------------------------------------------------------------------------ */

static bool chance(double p)
{
    return unit_uniform(0, 1) < p;
}

static size_t whole(size_t low, size_t high)
{
    return low + (size_t)unit_uniform(0, (double)(high - low + 1));
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Memory for the arguments of one network. */
static char pool[1 << 17];
static size_t pool_used;

static void *keep(const void *from, size_t bytes)
{
    size_t at = pool_used;
    pool_used = (pool_used + bytes + 15) / 16 * 16;
    if (pool_used > sizeof pool) {
        fprintf(stderr, "a random network's arguments do not fit\n");
        exit(1);
    }
    return from ? memcpy(pool + at, from, bytes) : memset(pool + at, 0, bytes);
}

/* A layer, loss or optimizer that is being written down. */
typedef struct draft {
    random_net *r;
    lam_shape in;
    size_t mask_in;
    bool inside; /* of another layer */
    const char *type;
    lam_arg *arg;
    size_t n;
} draft;

static draft new_draft(random_net *r, lam_shape in, const char *type)
{
    return (draft){.r = r, .in = in, .type = type, .arg = keep(NULL, RANDOM_ARGS * sizeof(lam_arg))};
}

static bool full(const draft *d)
{
    return d->n == RANDOM_ARGS;
}

static void add(draft *d, lam_arg arg)
{
    if (full(d)) {
        fprintf(stderr, "too many arguments for %s\n", d->type);
        exit(1);
    }
    d->arg[d->n++] = arg;
}

static void add_numbers(draft *d, const char *name, size_t n, const double *v)
{
    add(d, (lam_arg){.name = name, .kind = LAM_ARG_NUMBERS, .n = n, .numbers = keep(v, n * sizeof *v)});
}

static void add_number(draft *d, const char *name, double v)
{
    add_numbers(d, name, 1, &v);
}

static void add_pair(draft *d, const char *name, double a, double b)
{
    add_numbers(d, name, 2, (double[]){a, b});
}

static void add_string(draft *d, const char *name, const char *value)
{
    add(d, (lam_arg){.name = name, .kind = LAM_ARG_STRINGS, .n = 1, .strings = keep(&value, sizeof value)});
}

/* list(type = , config = list(...)) of what `inner` holds. */
static void add_spec(draft *d, const char *name, const draft *inner)
{
    lam_arg parts[2] = {
        {.name = "type", .kind = LAM_ARG_STRINGS, .n = 1, .strings = keep(&inner->type, sizeof inner->type)},
        {.name = "config", .kind = LAM_ARG_LIST, .n = inner->n, .list = inner->arg},
    };
    add(d, (lam_arg){.name = name, .kind = LAM_ARG_LIST, .n = inner->n ? 2 : 1, .list = keep(parts, sizeof parts)});
}

static void add_flag(draft *d, const char *name, double p)
{
    if (!full(d) && chance(p))
        add_number(d, name, 1);
}

static void add_no(draft *d, const char *name, double p)
{
    if (!full(d) && chance(p))
        add_number(d, name, 0);
}

#define PICK(...) pick_string((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static const char *pick_string(const char *const *from, size_t n)
{
    return from[whole(0, n - 1)];
}

/* ---- what many layers have ------------------------------------------------------------------------ */

static size_t width(const draft *d)
{
    return d->r->size == RANDOM_LARGE && !d->inside ? whole(1, 3) * whole(1, 60) : whole(1, 9);
}

/* Large numbers come of exponentials in a row, and gradients of rows of softmaxes go under. */
static void add_activation(draft *d, const char *name, double p)
{
    if (full(d) || !chance(p))
        return;
    lam_act_id id = (lam_act_id)whole(0, LAM_ACT_COUNT - 1);
    if (id == LAM_ACT_exponential && chance(0.8))
        id = LAM_ACT_relu;
    random_drawn.activation[id]++;
    add_string(d, name, lam_activation_type_of(id)->name);
}

static void add_initializer(draft *d, const char *name)
{
    lam_initializer_id id = (lam_initializer_id)whole(0, LAM_INIT_COUNT - 1);
    draft spec = new_draft(d->r, d->in, lam_initializer_name(id));
    bool matrix = strncmp(name, "bias", 4) != 0;
    if ((id == LAM_INIT_orthogonal && !matrix) || (id == LAM_INIT_identity && !(matrix && strcmp(d->type, "dense") == 0)))
        return;
    if (id == LAM_INIT_constant)
        add_number(&spec, "value", 0.3);
    if (id == LAM_INIT_random_normal || id == LAM_INIT_truncated_normal)
        add_number(&spec, "stddev", 0.4);
    if (id == LAM_INIT_random_uniform) {
        add_number(&spec, "minval", -0.6);
        add_number(&spec, "maxval", 0.7);
    }
    if (id >= LAM_INIT_random_normal && chance(0.2))
        add_number(&spec, "seed", (double)whole(0, 1000));
    random_drawn.initializer[id]++;
    add_spec(d, name, &spec);
}

static void add_penalty(draft *d, const char *name)
{
    draft spec = new_draft(d->r, d->in, PICK("l1", "l2", "l1_l2"));
    if (strcmp(spec.type, "l2") != 0)
        add_number(&spec, "l1", unit_uniform(0.001, 0.1));
    if (strcmp(spec.type, "l1") != 0)
        add_number(&spec, "l2", unit_uniform(0.001, 0.1));
    add_spec(d, name, &spec);
}

static void add_constraint(draft *d, const char *name)
{
    add_string(d, name, PICK("maxnorm", "nonneg", "unitnorm", "minmaxnorm"));
}

/* How a weight starts and what binds it. */
static void add_options(draft *d, const char *prefix, double p)
{
    static const char *const what[] = {"_initializer", "_regularizer", "_constraint"};
    static void (*const add_what[])(draft *, const char *) = {add_initializer, add_penalty, add_constraint};
    for (int i = 0; i < 3; i++) {
        char name[64];
        if (full(d) || !chance(p))
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, what[i]);
        add_what[i](d, keep(name, strlen(name) + 1));
    }
}

/* One of the dimensions, counted from 1 with the batch, or from the end. */
static double axis_of(const draft *d, int dimension)
{
    return chance(0.5) ? dimension + 2 : dimension - d->in.rank;
}

static void add_seed(draft *d)
{
    if (!full(d) && chance(0.2))
        add_number(d, "seed", (double)whole(0, 99));
}

static void add_size(draft *d, const char *name, int rank, size_t high)
{
    if (rank == 1 || chance(0.4))
        add_number(d, name, (double)whole(1, high));
    else
        add_pair(d, name, (double)whole(1, high), (double)whole(1, high));
}

/* ---- layers: false where the type does not take such an input --------------------------------------- */

static bool draw_dense(draft *d)
{
    add_number(d, "units", (double)width(d));
    add_no(d, "use_bias", 0.2);
    add_activation(d, "activation", 0.7);
    add_options(d, "kernel", 0.15);
    add_options(d, "bias", 0.1);
    return d->in.rank > 0;
}

static bool draw_activation(draft *d)
{
    if (chance(0.1)) {
        draft relu = new_draft(d->r, d->in, "relu");
        add_number(&relu, "max_value", 1.5);
        add_number(&relu, "negative_slope", 0.1);
        add_number(&relu, "threshold", 0.25);
        add_spec(d, "activation", &relu);
        return true;
    }
    add_activation(d, "activation", 1);
    bool by_row = strstr(d->arg[0].strings[0], "softmax") != NULL;
    if (by_row && chance(0.5))
        add_number(d, "axis", axis_of(d, (int)whole(0, (size_t)d->in.rank - 1)));
    return true;
}

static bool draw_parametric_relu(draft *d)
{
    if (d->in.rank > 1 && chance(0.5))
        add_number(d, "shared_axes", (double)whole(1, (size_t)d->in.rank));
    draft start = new_draft(d->r, d->in, "constant");
    add_number(&start, "value", 0.2);
    add_spec(d, "alpha_initializer", &start);
    return true;
}

static bool draw_dropout(draft *d)
{
    add_number(d, "rate", unit_uniform(0.1, 0.6));
    if (d->in.rank > 1 && chance(0.3)) {
        double shape[LAM_MAX_RANK + 1] = {NAN};
        for (int i = 0; i < d->in.rank; i++)
            shape[i + 1] = chance(0.5) ? 1 : (double)d->in.dim[i];
        add_numbers(d, "noise_shape", (size_t)d->in.rank + 1, shape);
    }
    add_seed(d);
    return true;
}

static bool draw_gaussian_noise(draft *d)
{
    add_number(d, "stddev", unit_uniform(0.05, 0.5));
    add_seed(d);
    return true;
}

static bool draw_nothing(draft *d)
{
    (void)d;
    return true;
}

static bool draw_reshape(draft *d)
{
    size_t count = lam_shape_count(&d->in), first = whole(1, least(count, 12));
    while (count % first)
        first--;
    if (chance(0.5))
        add_pair(d, "target_shape", (double)first, -1);
    else
        add_numbers(d, "target_shape", 3, (double[]){(double)first, (double)(count / first), 1});
    return true;
}

static bool draw_permute(draft *d)
{
    double dims[LAM_MAX_RANK];
    for (int i = 0; i < d->in.rank; i++) {
        int j = (int)whole(0, (size_t)i);
        dims[i] = dims[j];
        dims[j] = i + 1;
    }
    add_numbers(d, "dims", (size_t)d->in.rank, dims);
    return true;
}

static bool draw_repeat_vector(draft *d)
{
    add_number(d, "n", (double)whole(1, 5));
    return d->in.rank == 1;
}

static bool draw_rescaling(draft *d)
{
    add_number(d, "scale", unit_uniform(0.3, 2));
    if (chance(0.5))
        add_number(d, "offset", unit_uniform(-1, 1));
    return true;
}

static bool draw_normalization(draft *d)
{
    add_number(d, "axis", axis_of(d, (int)whole(0, (size_t)d->in.rank - 1)));
    if (chance(0.5)) {
        add_number(d, "mean", unit_uniform(-1, 1));
        add_number(d, "variance", unit_uniform(0.3, 3));
    }
    add_flag(d, "invert", 0.2);
    return true;
}

static void add_window(draft *d, const char *size, bool pools, bool causal)
{
    int rank = d->in.rank - 1;
    add_size(d, size, rank, chance(0.8) ? 3 : 5);
    bool strides = chance(0.4);
    if (strides)
        add_size(d, "strides", rank, 3);
    else if (!pools && chance(0.3))
        add_size(d, "dilation_rate", rank, 3);
    if (chance(0.6))
        add_string(d, "padding", causal && rank == 1 ? PICK("valid", "same", "causal") : PICK("valid", "same"));
}

static void add_conv(draft *d, const char *kernel)
{
    add_no(d, "use_bias", 0.2);
    add_activation(d, "activation", 0.6);
    add_options(d, kernel, 0.1);
    add_options(d, "bias", 0.05);
}

static bool draw_conv(draft *d)
{
    size_t channels = lam_shape_last(&d->in), groups = chance(0.3) ? whole(1, channels) : 1;
    while (channels % groups)
        groups--;
    add_number(d, "filters", (double)(groups * (d->r->size == RANDOM_LARGE && !d->inside ? whole(1, 48) : whole(1, 4))));
    if (groups > 1)
        add_number(d, "groups", (double)groups);
    add_window(d, "kernel_size", false, groups == 1);
    add_conv(d, "kernel");
    return true;
}

static bool draw_depthwise(draft *d)
{
    add_number(d, "depth_multiplier", (double)whole(1, 3));
    add_window(d, "kernel_size", false, false);
    add_conv(d, "depthwise");
    return true;
}

static bool draw_separable(draft *d)
{
    add_number(d, "filters", (double)width(d));
    add_number(d, "depth_multiplier", (double)whole(1, 2));
    add_window(d, "kernel_size", false, false);
    add_conv(d, chance(0.5) ? "depthwise" : "pointwise");
    return true;
}

static bool draw_transpose(draft *d)
{
    int rank = d->in.rank - 1;
    add_number(d, "filters", (double)whole(1, 4));
    add_size(d, "kernel_size", rank, 3);
    bool strides = chance(0.5);
    if (strides)
        add_size(d, "strides", rank, 3);
    if (strides && chance(0.2))
        add_number(d, "output_padding", 0);
    if (chance(0.5))
        add_string(d, "padding", PICK("valid", "same"));
    add_conv(d, "kernel");
    return true;
}

static bool draw_pooling(draft *d)
{
    add_window(d, "pool_size", true, false);
    return true;
}

static bool draw_global_pooling(draft *d)
{
    add_flag(d, "keepdims", 0.3);
    return true;
}

static bool draw_random_flip(draft *d)
{
    if (chance(0.6))
        add_string(d, "mode", PICK("horizontal", "vertical", "horizontal_and_vertical"));
    add_seed(d);
    return true;
}

static void add_warp(draft *d)
{
    if (chance(0.6))
        add_string(d, "fill_mode", PICK("reflect", "wrap", "constant", "nearest"));
    if (chance(0.3))
        add_string(d, "interpolation", PICK("nearest", "bilinear"));
    if (chance(0.3))
        add_number(d, "fill_value", unit_uniform(-1, 1));
    add_seed(d);
}

static bool draw_random_rotation(draft *d)
{
    add_pair(d, "factor", -unit_uniform(0, 0.5), unit_uniform(0, 0.5));
    add_warp(d);
    return true;
}

static bool draw_random_shift(draft *d)
{
    add_pair(d, "height_factor", -unit_uniform(0, 0.5), unit_uniform(0, 0.8));
    add_pair(d, "width_factor", -unit_uniform(0, 0.5), unit_uniform(0, 0.8));
    add_warp(d);
    return true;
}

static bool draw_random_contrast(draft *d)
{
    add_pair(d, "factor", unit_uniform(0, 0.9), unit_uniform(0, 0.9));
    add_pair(d, "value_range", -3, 3);
    add_seed(d);
    return true;
}

static bool draw_random_brightness(draft *d)
{
    add_pair(d, "factor", -unit_uniform(0, 0.5), unit_uniform(0, 0.5));
    add_pair(d, "value_range", -3, 3);
    add_seed(d);
    return true;
}

static bool draw_resizing(draft *d)
{
    add_number(d, "height", (double)whole(1, 6));
    add_number(d, "width", (double)whole(1, 6));
    if (chance(0.7))
        add_string(d, "interpolation", PICK("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5"));
    if (chance(0.3))
        add_number(d, PICK("crop_to_aspect_ratio", "pad_to_aspect_ratio"), 1);
    add_flag(d, "antialias", 0.3);
    return true;
}

/* The definition is that of pictures which are large enough. */
static bool draw_center_crop(draft *d)
{
    add_number(d, "height", (double)whole(1, d->in.dim[0]));
    add_number(d, "width", (double)whole(1, d->in.dim[1]));
    return true;
}

static void add_norm(draft *d)
{
    add_no(d, "center", 0.2);
    add_no(d, "scale", 0.2);
    if (chance(0.3))
        add_number(d, "epsilon", unit_uniform(0.005, 0.1));
}

static bool draw_batch_normalization(draft *d)
{
    if (d->mask_in)
        return true;
    add_norm(d);
    if (chance(0.3))
        add_number(d, "axis", axis_of(d, (int)whole(0, (size_t)d->in.rank - 1)));
    if (chance(0.5))
        add_number(d, "momentum", unit_uniform(0.1, 0.95));
    return true;
}

/* Never over a single number: its slope is 0, and the engine's is rounding alone. */
static bool draw_layer_normalization(draft *d)
{
    add_norm(d);
    int last = d->in.rank - 1;
    if (d->in.rank > 1 && chance(0.3) && !d->mask_in)
        add_pair(d, "axis", axis_of(d, last - 1), axis_of(d, last));
    return lam_shape_last(&d->in) > 1;
}

static bool draw_group_normalization(draft *d)
{
    size_t channels = lam_shape_last(&d->in), groups = whole(1, channels);
    while (channels % groups)
        groups--;
    add_norm(d);
    bool each = chance(0.2);
    add_number(d, "groups", each ? -1 : (double)groups);
    return !d->mask_in && lam_shape_count(&d->in) > (each ? channels : groups); /* its groups reach over the steps */
}

static bool draw_unit_normalization(draft *d)
{
    int axis = d->in.rank - 1;
    if (d->in.rank > 1 && chance(0.3) && !d->mask_in) {
        axis = (int)whole(0, (size_t)axis);
        add_number(d, "axis", axis_of(d, axis));
    }
    return d->in.dim[axis] > 1;
}

static bool draw_zero_padding(draft *d)
{
    double v[4];
    for (int i = 0; i < 4; i++)
        v[i] = (double)whole(0, 2);
    add_numbers(d, "padding", 2 * (size_t)(d->in.rank - 1), v);
    return true;
}

static bool draw_cropping(draft *d)
{
    double v[4];
    for (int i = 0; i < 2 * (d->in.rank - 1); i++)
        v[i] = (double)whole(0, d->in.dim[i / 2] > 2 ? 1 : 0);
    add_numbers(d, "cropping", 2 * (size_t)(d->in.rank - 1), v);
    return true;
}

static bool draw_upsampling(draft *d)
{
    add_size(d, "size", d->in.rank - 1, 2);
    if (d->in.rank == 3 && chance(0.4))
        add_string(d, "interpolation", "bilinear");
    return true;
}

static bool draw_spatial_dropout(draft *d)
{
    add_number(d, "rate", unit_uniform(0.1, 0.6));
    return true;
}

static bool draw_attention(draft *d)
{
    add_flag(d, "use_scale", 0.5);
    if (chance(0.4))
        add_string(d, "score_mode", PICK("dot", "concat"));
    add_flag(d, "use_causal_mask", 0.3);
    if (chance(0.3))
        add_number(d, "dropout", unit_uniform(0.1, 0.5));
    add_seed(d);
    return true;
}

static bool draw_multi_head_attention(draft *d)
{
    add_number(d, "num_heads", (double)whole(1, 3));
    add_number(d, "key_dim", (double)whole(1, 5));
    if (chance(0.3))
        add_number(d, "value_dim", (double)whole(1, 5));
    if (chance(0.3))
        add_number(d, "output_shape", (double)whole(1, 6));
    add_no(d, "use_bias", 0.2);
    add_flag(d, "use_causal_mask", 0.3);
    if (chance(0.3))
        add_number(d, "dropout", unit_uniform(0.1, 0.5));
    add_options(d, "kernel", 0.1);
    return true;
}

/* As in Keras outputs that come in the reverse order keep the mask of the order of time: padding would
 * reach steps that count. */
static bool turns(const draft *d, bool sequences)
{
    return !d->mask_in || !sequences;
}

static bool draw_recurrent(draft *d)
{
    add_number(d, "units", (double)(d->r->size == RANDOM_LARGE && !d->inside ? whole(1, 90) : whole(1, 7)));
    bool sequences = chance(0.5);
    add_number(d, "return_sequences", sequences);
    add_flag(d, "go_backwards", turns(d, sequences) ? 0.3 : 0);
    add_flag(d, "zero_output_for_mask", 0.2);
    add_no(d, "use_bias", 0.15);
    if (chance(0.2))
        add_number(d, "dropout", unit_uniform(0.1, 0.5));
    if (chance(0.2))
        add_number(d, "recurrent_dropout", unit_uniform(0.1, 0.5));
    if (chance(0.2))
        add_string(d, "activation", PICK("tanh", "sigmoid", "relu", "softsign", "gelu", "elu"));
    if (strcmp(d->type, "simple_rnn") != 0 && chance(0.15))
        add_string(d, "recurrent_activation", PICK("sigmoid", "hard_sigmoid", "tanh"));
    if (strcmp(d->type, "gru") == 0)
        add_no(d, "reset_after", 0.3);
    if (strcmp(d->type, "lstm") == 0)
        add_no(d, "unit_forget_bias", 0.3);
    add_options(d, PICK("kernel", "recurrent", "bias"), 0.1);
    return true;
}

/* Both directions of a type, alike but for units and direction. */
static bool draw_bidirectional(draft *d)
{
    const char *mode = chance(0.7) ? PICK("concat", "sum", "mul", "ave") : NULL;
    bool as_many = mode && strcmp(mode, "concat") != 0, sequences = chance(0.5);
    bool backwards = turns(d, sequences) && chance(0.3);
    double units = (double)whole(1, 5);
    const char *type = PICK("simple_rnn", "lstm", "gru");
    for (int side = 0; side < 2; side++) {
        draft inner = new_draft(d->r, d->in, type);
        add_number(&inner, "units", as_many ? units : (double)whole(1, 5));
        add_number(&inner, "return_sequences", sequences);
        add_number(&inner, "go_backwards", side ? !backwards : backwards);
        add_number(&inner, "zero_output_for_mask", sequences);
        if (chance(0.2))
            add_number(&inner, "dropout", unit_uniform(0.1, 0.5));
        add_no(&inner, "use_bias", 0.1);
        add_spec(d, side ? "backward_layer" : "layer", &inner);
    }
    if (mode)
        add_string(d, "merge_mode", mode);
    return true;
}

static bool draw_embedding(draft *d)
{
    add_number(d, "input_dim", (double)d->r->ids);
    add_number(d, "output_dim", (double)width(d));
    if (d->r->padded)
        add_number(d, "mask_zero", 1);
    add_options(d, "embeddings", 0.1);
    return true;
}

static bool draw_masking(draft *d)
{
    add_number(d, "mask_value", 0);
    return true;
}

static bool draw_time_distributed(draft *d);

/* ---- the list of layers ------------------------------------------------------------------------------ */

enum {
    HEEDS = 1, /* a step that does not count stays without effect */
    DRAWS = 2, /* draws random numbers in training */
    FIRST = 4, /* only below all others */
    WRAPS = 8  /* has layers inside */
};

static const struct {
    const char *type;
    bool (*draw)(draft *d);
    int rank_from, rank_to;
    unsigned is;
} layers[] = {
    {"dense", draw_dense, 1, 4, HEEDS},
    {"activation", draw_activation, 1, 4, 0},
    {"parametric_relu", draw_parametric_relu, 1, 4, HEEDS},
    {"dropout", draw_dropout, 1, 4, HEEDS | DRAWS},
    {"alpha_dropout", draw_dropout, 1, 4, HEEDS | DRAWS},
    {"gaussian_noise", draw_gaussian_noise, 1, 4, HEEDS | DRAWS},
    {"activity_regularization", draw_nothing, 1, 4, 0},
    {"flatten", draw_nothing, 1, 4, 0},
    {"reshape", draw_reshape, 1, 4, 0},
    {"permute", draw_permute, 1, 4, 0},
    {"repeat_vector", draw_repeat_vector, 1, 1, 0},
    {"rescaling", draw_rescaling, 1, 4, HEEDS},
    {"normalization", draw_normalization, 1, 4, 0},
    {"conv_1d", draw_conv, 2, 2, 0},
    {"conv_2d", draw_conv, 3, 3, 0},
    {"depthwise_conv_1d", draw_depthwise, 2, 2, 0},
    {"depthwise_conv_2d", draw_depthwise, 3, 3, 0},
    {"separable_conv_1d", draw_separable, 2, 2, 0},
    {"separable_conv_2d", draw_separable, 3, 3, 0},
    {"conv_1d_transpose", draw_transpose, 2, 2, 0},
    {"conv_2d_transpose", draw_transpose, 3, 3, 0},
    {"max_pooling_1d", draw_pooling, 2, 2, 0},
    {"max_pooling_2d", draw_pooling, 3, 3, 0},
    {"average_pooling_1d", draw_pooling, 2, 2, 0},
    {"average_pooling_2d", draw_pooling, 3, 3, 0},
    {"global_max_pooling_1d", draw_global_pooling, 2, 2, 0},
    {"global_max_pooling_2d", draw_global_pooling, 3, 3, 0},
    {"global_average_pooling_1d", draw_global_pooling, 2, 2, HEEDS},
    {"global_average_pooling_2d", draw_global_pooling, 3, 3, 0},
    {"random_flip", draw_random_flip, 3, 3, DRAWS},
    {"random_rotation", draw_random_rotation, 3, 3, DRAWS},
    {"random_translation", draw_random_shift, 3, 3, DRAWS},
    {"random_zoom", draw_random_shift, 3, 3, DRAWS},
    {"random_contrast", draw_random_contrast, 3, 3, DRAWS},
    {"random_brightness", draw_random_brightness, 3, 3, DRAWS},
    {"resizing", draw_resizing, 3, 3, 0},
    {"center_crop", draw_center_crop, 3, 3, 0},
    {"batch_normalization", draw_batch_normalization, 1, 4, HEEDS},
    {"layer_normalization", draw_layer_normalization, 1, 4, HEEDS},
    {"group_normalization", draw_group_normalization, 1, 4, 0},
    {"unit_normalization", draw_unit_normalization, 1, 4, HEEDS},
    {"zero_padding_1d", draw_zero_padding, 2, 2, 0},
    {"zero_padding_2d", draw_zero_padding, 3, 3, 0},
    {"cropping_1d", draw_cropping, 2, 2, 0},
    {"cropping_2d", draw_cropping, 3, 3, 0},
    {"upsampling_1d", draw_upsampling, 2, 2, 0},
    {"upsampling_2d", draw_upsampling, 3, 3, 0},
    {"spatial_dropout_1d", draw_spatial_dropout, 2, 2, HEEDS | DRAWS},
    {"spatial_dropout_2d", draw_spatial_dropout, 3, 3, DRAWS},
    {"embedding", draw_embedding, 1, 2, FIRST},
    {"masking", draw_masking, 1, 3, FIRST},
    {"attention", draw_attention, 2, 2, HEEDS | DRAWS},
    {"multi_head_attention", draw_multi_head_attention, 2, 2, HEEDS | DRAWS},
    {"simple_rnn", draw_recurrent, 2, 2, HEEDS | DRAWS},
    {"lstm", draw_recurrent, 2, 2, HEEDS | DRAWS},
    {"gru", draw_recurrent, 2, 2, HEEDS | DRAWS},
    {"time_distributed", draw_time_distributed, 2, 4, WRAPS | DRAWS},
    {"bidirectional", draw_bidirectional, 2, 2, HEEDS | WRAPS | DRAWS},
};
enum { LAYERS = sizeof layers / sizeof layers[0] };

static bool takes(size_t i, const draft *d)
{
    return d->in.rank >= layers[i].rank_from && d->in.rank <= layers[i].rank_to;
}

static void count_layer(long *counts, const char *type)
{
    for (size_t t = 0; lam_layer_types[t]; t++)
        counts[t] += strcmp(lam_layer_types[t]->name, type) == 0;
}

/* Any layer that stands by itself, at every step. */
static bool draw_time_distributed(draft *d)
{
    draft inner = new_draft(d->r, lam_shape_of(d->in.rank - 1, d->in.dim + 1), NULL);
    inner.inside = true;
    inner.mask_in = d->mask_in > 0;
    for (int tries = 0; tries < 20; tries++) {
        size_t i = whole(0, LAYERS - 1);
        inner.type = layers[i].type;
        inner.n = 0;
        if (takes(i, &inner) && !(layers[i].is & (FIRST | WRAPS)) && layers[i].draw(&inner)) {
            add_spec(d, "layer", &inner);
            count_layer(random_drawn.inner, inner.type);
            return true;
        }
    }
    return false;
}

/* ---- networks ------------------------------------------------------------------------------------------ */

static void write_layer(random_net *r, const draft *d)
{
    static const char *const names[RANDOM_LAYERS] = {"l1", "l2", "l3", "l4", "l5", "l6", "l7", "l8", "l9", "l10", "l11", "l12"};
    r->layer[r->n] = (lam_layer_spec){.type = d->type, .name = names[r->n], .trainable = !chance(0.08), .config = {d->n, d->arg}};
}

/* The shape and the mask behind the layers so far and this one; false where it does not fit, or its
 * output has more than `most` numbers. */
static bool fits(random_net *r, size_t most, draft *next)
{
    lam_net *net = NULL;
    if (lam_net_new(&net, r->layer, r->n + 1, &r->in, NULL) != LAM_OK)
        return false;
    const lam_layer *last = &net->layers[r->n];
    bool small = last->out_count <= most && last->out_count > 0 && last->out.rank < LAM_MAX_RANK && net->n < 200000;
    next->in = last->out;
    next->mask_in = last->mask_out;
    lam_net_free(net);
    return small;
}

static bool try_layer(random_net *r, size_t i, draft *at, size_t most)
{
    draft d = new_draft(r, at->in, layers[i].type), next = *at;
    d.mask_in = at->mask_in;
    if (!layers[i].draw(&d))
        return false;
    if (!r->heeds && !full(&d) && (strcmp(d.type, "activity_regularization") == 0 || chance(0.05)))
        add_penalty(&d, "activity_regularizer");
    write_layer(r, &d);
    if (!fits(r, most, &next))
        return false;
    r->n++;
    *at = next;
    r->draws |= (layers[i].is & DRAWS) != 0;
    count_layer(random_drawn.layer, d.type);
    return true;
}

static size_t layer_number(const char *type)
{
    size_t i = 0;
    while (strcmp(layers[i].type, type) != 0)
        i++;
    return i;
}

/* What the first layers see: a vector, a sequence, a picture; real numbers or ids. */
static void draw_input(random_net *r, draft *at)
{
    size_t kind = whole(0, 5), big = r->size == RANDOM_LARGE;
    if (kind <= 1)
        r->in = lam_shape_1(big ? whole(1, 300) : whole(1, 12));
    else if (kind == 2)
        r->in = lam_shape_2(big ? whole(1, 30) : whole(1, 8), big ? whole(1, 40) : whole(1, 6));
    else if (kind == 3)
        r->in = (lam_shape){3, {big ? whole(4, 14) : whole(1, 6), big ? whole(4, 14) : whole(1, 6), whole(1, big ? 8 : 3)}};
    else if (kind == 4)
        r->in = chance(0.8) ? lam_shape_1(big ? whole(1, 30) : whole(1, 8)) : lam_shape_2(whole(1, 4), whole(1, 4));
    else
        r->in = chance(0.8) ? lam_shape_2(whole(2, big ? 25 : 7), whole(1, big ? 30 : 4))
                            : chance(0.5) ? lam_shape_1(whole(1, 6)) : (lam_shape){3, {whole(1, 4), whole(1, 4), whole(1, 3)}};
    at->in = r->in;
    r->ids = kind == 4 ? whole(2, big ? 400 : 9) : 0;
    r->padded = kind == 5 || (kind == 4 && chance(0.6));
    r->heeds = r->padded && r->in.rank == (kind == 4 ? 1 : 2) && chance(0.7);
}

/* What the loss wants. */
enum { REAL, POSITIVE, LABELS, SHARES, ONE_HOT, CLASS, SIGNS };

static const struct {
    const char *loss;
    int targets;
    const char *head; /* the activation of the last layer */
    bool logits;      /* or none, with from_logits */
} losses[] = {
    {"mean_squared_error", REAL, "linear", false},
    {"mean_absolute_error", REAL, "tanh", false},
    {"mean_absolute_percentage_error", REAL, "linear", false},
    {"mean_squared_logarithmic_error", POSITIVE, "softplus", false},
    {"huber", REAL, "linear", false},
    {"log_cosh", REAL, "linear", false},
    {"binary_crossentropy", LABELS, "sigmoid", true},
    {"binary_focal_crossentropy", LABELS, "sigmoid", true},
    {"categorical_crossentropy", ONE_HOT, "softmax", true},
    {"categorical_focal_crossentropy", ONE_HOT, "softmax", true},
    {"sparse_categorical_crossentropy", CLASS, "softmax", true},
    {"kl_divergence", SHARES, "softmax", false},
    {"poisson", POSITIVE, "exponential", false},
    {"hinge", SIGNS, "tanh", false},
    {"squared_hinge", SIGNS, "linear", false},
    {"categorical_hinge", ONE_HOT, "linear", false},
    {"cosine_similarity", REAL, "linear", false},
};

static size_t classes_of(int targets)
{
    return targets >= SHARES && targets <= CLASS ? whole(2, 5) : whole(1, 4);
}

static void draw_head(random_net *r, draft *at)
{
    size_t i = whole(0, sizeof losses / sizeof losses[0] - 1);
    draft loss = new_draft(r, at->in, losses[i].loss), head = new_draft(r, at->in, "dense");
    bool logits = losses[i].logits && chance(0.3);
    if (logits)
        add_number(&loss, "from_logits", 1);
    if (losses[i].logits && losses[i].targets != CLASS && chance(0.3))
        add_number(&loss, "label_smoothing", unit_uniform(0.05, 0.3));
    if (losses[i].targets == CLASS && chance(0.3))
        add_number(&loss, "ignore_class", chance(0.5) ? 0 : -1);
    if (strcmp(loss.type, "huber") == 0 && chance(0.5))
        add_number(&loss, "delta", unit_uniform(0.3, 2));
    if (!r->heeds && at->in.rank > 1 && chance(0.6))
        try_layer(r, layer_number("flatten"), at, SIZE_MAX);
    add_number(&head, "units", (double)classes_of(losses[i].targets));
    if (!logits)
        add_string(&head, "activation", losses[i].head);
    write_layer(r, &head);
    r->n++;
    count_layer(random_drawn.layer, "dense");
    for (size_t t = 0; lam_loss_types[t]; t++)
        random_drawn.loss[t] += strcmp(lam_loss_types[t]->name, loss.type) == 0;
    r->loss = (lam_spec){loss.type, {loss.n, loss.arg}};
    r->targets = losses[i].targets;
    r->sum_loss = chance(0.15);
}

static void draw_optimizer(random_net *r)
{
    size_t n = 0;
    while (lam_optimizer_types[n])
        n++;
    size_t i = whole(0, n - 1);
    draft o = new_draft(r, r->in, lam_optimizer_types[i]->name);
    random_drawn.optimizer[i]++;
    double rate = pow(10, -unit_uniform(1, 4));
    if (chance(0.2)) {
        draft decay = new_draft(r, r->in, "exponential_decay");
        add_number(&decay, "initial_learning_rate", rate);
        add_number(&decay, "decay_steps", 2);
        add_number(&decay, "decay_rate", 0.7);
        add_spec(&o, "learning_rate", &decay);
    } else {
        add_number(&o, "learning_rate", rate);
    }
    if (chance(0.2))
        add_number(&o, PICK("clipnorm", "clipvalue", "global_clipnorm"), unit_uniform(0.01, 1));
    if (chance(0.1))
        add_number(&o, "weight_decay", unit_uniform(0.001, 0.1));
    if (chance(0.1))
        add_number(&o, "use_ema", 1);
    if (chance(0.1))
        add_number(&o, "gradient_accumulation_steps", 2);
    if (strcmp(o.type, "sgd") == 0 && chance(0.6)) {
        add_number(&o, "momentum", unit_uniform(0.1, 0.95));
        add_flag(&o, "nesterov", 0.5);
    }
    if (strcmp(o.type, "rmsprop") == 0)
        add_flag(&o, "centered", 0.4);
    if (strcmp(o.type, "adam") == 0)
        add_flag(&o, "amsgrad", 0.4);
    r->optimizer = (lam_spec){o.type, {o.n, o.arg}};
}

void random_network(random_net *r, uint64_t seed, random_size size)
{
    unit_seed(seed);
    pool_used = 0;
    *r = (random_net){.seed = seed, .size = size};
    draft at = {.r = r};
    draw_input(r, &at);
    size_t most = size == RANDOM_LARGE ? 4096 : 120, wanted = whole(1, size == RANDOM_LARGE ? 5 : 6);
    if (r->ids)
        try_layer(r, layer_number("embedding"), &at, most);
    else if (r->padded)
        try_layer(r, layer_number("masking"), &at, most);
    for (int tries = 0; tries < 60 && (size_t)r->n < wanted + (r->padded || r->ids); tries++) {
        size_t i = whole(0, LAYERS - 1);
        if (takes(i, &at) && !(layers[i].is & FIRST) && (!r->heeds || !at.mask_in || (layers[i].is & HEEDS)))
            try_layer(r, i, &at, most);
    }
    draw_head(r, &at);
    draw_optimizer(r);
    r->rows = size == RANDOM_LARGE ? whole(1, 5) * whole(2, 120) : whole(2, 9);
    r->batch = whole(1, r->rows);
    r->weighted = chance(0.4);
}

lam_net *random_net_new(const random_net *r)
{
    lam_net *net = NULL;
    lam_error err = {0};
    if (lam_net_new(&net, r->layer, r->n, &r->in, &err) != LAM_OK ||
        lam_net_initialize(net, r->seed, &err) != LAM_OK ||
        lam_net_compile(net, &r->optimizer, &r->loss, r->sum_loss, &err) != LAM_OK) {
        unit_fail(__FILE__, __LINE__, "random network %llu: %s", (unsigned long long)r->seed, err.message);
        lam_net_free(net);
        return NULL;
    }
    return net;
}

/* ---- data -------------------------------------------------------------------------------------------------- */

/* Padding behind most sequences, before or inside of others; now and then nothing else. */
static void pad(const random_net *r, float *x, size_t steps, size_t features)
{
    size_t length = chance(0.05) ? 0 : whole(1, steps);
    bool behind = chance(0.7);
    (void)r;
    for (size_t t = 0; t < steps; t++)
        if (behind ? t >= length : chance(0.3))
            memset(x + t * features, 0, features * sizeof *x);
}

static void fill_inputs(const random_net *r, lam_data *data)
{
    size_t features = r->ids ? 1 : lam_shape_last(&r->in), steps = data->x_d / features;
    for (size_t i = 0; i < data->n * data->x_d; i++) {
        double v = unit_uniform(-1.5, 1.5);
        data->x[i] = r->ids ? (float)whole(r->padded, r->ids - 1) : (float)(fabs(v) < 0.01 ? 0.02 : v);
    }
    for (size_t s = 0; r->padded && s < data->n; s++)
        pad(r, data->x + s * data->x_d, steps, features);
}

static void fill_row(int targets, size_t d, double ignored, float *y)
{
    size_t k = whole(0, d - 1);
    double sum = 0;
    if (targets == CLASS) {
        *y = (float)(chance(0.2) && !isnan(ignored) ? ignored : (double)k);
        return;
    }
    for (size_t j = 0; j < d; j++) {
        double u = unit_uniform(0.1, 1);
        y[j] = targets == REAL       ? (float)(chance(0.5) ? u + 0.2 : -u - 0.2)
               : targets == POSITIVE ? (float)(3 * u)
               : targets == LABELS   ? (float)chance(0.5)
               : targets == ONE_HOT  ? (float)(j == k)
               : targets == SIGNS    ? (float)(chance(0.5) ? 1 : -1)
                                     : (float)u;
        sum += u;
    }
    for (size_t j = 0; targets == SHARES && j < d; j++)
        y[j] /= (float)sum;
}

lam_data *random_net_data(const random_net *r, const lam_net *net)
{
    lam_data *data = NULL;
    lam_error err;
    size_t d = lam_shape_last(&net->out), rows = lam_shape_count(&net->out) / d, y_d = r->targets == CLASS ? 1 : d;
    const lam_arg *ignored = lam_args_get(&r->loss.config, "ignore_class");
    unit_seed(r->seed ^ 0x5bd1e995u);
    CHECK_OK(lam_data_new(&data, r->rows, lam_shape_count(&net->in), rows * y_d, r->weighted, false, 0, &err));
    fill_inputs(r, data);
    for (size_t i = 0; i < r->rows * rows; i++)
        fill_row(r->targets, d, ignored ? ignored->numbers[0] : NAN, data->y + i * y_d);
    for (size_t i = 0; data->w && i < r->rows; i++)
        data->w[i] = chance(0.2) ? 0 : (float)unit_uniform(0.2, 2);
    return data;
}

static void print_args(FILE *to, const lam_arg *arg, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "%s%s =", i ? ", " : "", arg[i].name);
        for (size_t j = 0; arg[i].kind == LAM_ARG_NUMBERS && j < arg[i].n; j++)
            fprintf(to, " %g", arg[i].numbers[j]);
        for (size_t j = 0; arg[i].kind == LAM_ARG_STRINGS && j < arg[i].n; j++)
            fprintf(to, " %s", arg[i].strings[j]);
        if (arg[i].kind == LAM_ARG_LIST) {
            fprintf(to, " (");
            print_args(to, arg[i].list, arg[i].n);
            fprintf(to, ")");
        }
    }
}

void random_print(FILE *to, const random_net *r, const lam_net *net)
{
    char text[128];
    fprintf(to, "input %s%s%s%s\n", lam_shape_text(&r->in, text, sizeof text), r->ids ? ", ids" : "", r->padded ? ", padded" : "",
            r->heeds ? ", heeds" : "");
    for (int i = 0; i < r->n; i++) {
        fprintf(to, "  %s(", r->layer[i].type);
        print_args(to, r->layer[i].config.arg, r->layer[i].config.n);
        fprintf(to, ")%s -> %s, mask %zu\n", r->layer[i].trainable ? "" : " frozen",
                net ? lam_shape_text(&net->layers[i].out, text, sizeof text) : "?", net ? net->layers[i].mask_out : 0);
    }
    fprintf(to, "loss %s(", r->loss.type);
    print_args(to, r->loss.config.arg, r->loss.config.n);
    fprintf(to, ")%s, optimizer %s(", r->sum_loss ? " summed" : "", r->optimizer.type);
    print_args(to, r->optimizer.config.arg, r->optimizer.config.n);
    fprintf(to, "); %zu rows%s, batches of %zu\n", r->rows, r->weighted ? " weighted" : "", r->batch);
}
