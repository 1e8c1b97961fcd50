/* What a weight must obey after its update.  With `norm` the Euclidean norm over some dimensions, for
 * each index of the others:
 *   maxnorm     w *= min(norm, max_value) / (1e-7 + norm)
 *   unitnorm    w /= 1e-7 + norm
 *   minmaxnorm  w *= (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) / (1e-7 + norm)
 *   nonneg      w = max(w, 0) */
#include <math.h>
#include <string.h>

#include "nn/weights.h"

const char *const lam_constraint_names[] = {"maxnorm", "nonneg", "unitnorm", "minmaxnorm", NULL};
const char *const lam_constraint_aliases[] = {
    "max_norm", "maxnorm", "non_neg", "nonneg", "unit_norm", "unitnorm",
    "min_max_norm", "minmaxnorm", NULL};

static lam_constraint_id find(const char *type)
{
    for (size_t i = 0; lam_constraint_aliases[i]; i += 2)
        if (strcmp(lam_constraint_aliases[i], type) == 0)
            type = lam_constraint_aliases[i + 1];
    for (int i = 0; lam_constraint_names[i]; i++)
        if (strcmp(lam_constraint_names[i], type) == 0)
            return (lam_constraint_id)(i + 1);
    return LAM_CONSTRAINT_none;
}

static lam_status read_axes(const lam_args *args, unsigned *axes, lam_error *err)
{
    const lam_arg *axis = lam_args_get(args, "axis");
    *axes = 1;
    if (!axis)
        return LAM_OK;
    *axes = 0;
    for (size_t i = 0; axis->kind == LAM_ARG_NUMBERS && i < axis->n; i++) {
        double a = axis->numbers[i];
        if (a != floor(a) || a == 0 || fabs(a) > LAM_MAX_RANK)
            return lam_fail_arg(err, LAM_EARGUMENT, "axis", "the numbers of dimensions, from 1", "%g", a);
        *axes |= 1u << (a > 0 ? (int)a - 1 : LAM_AXIS_FROM_END - (int)a - 1);
    }
    if (*axes == 0)
        return lam_fail_arg(err, LAM_EARGUMENT, "axis", "the numbers of dimensions, from 1", "something else");
    return LAM_OK;
}

#define FIELD(member) \
    {.name = #member, .kind = LAM_FIELD_FLOAT, .offset = offsetof(lam_constraint, member), .max = INFINITY}

lam_status lam_constraint_read(const lam_spec *spec, lam_constraint *constraint, lam_error *err)
{
    static const lam_field axis = {.name = "axis", .kind = LAM_FIELD_ANY};
    static const lam_field max_value = FIELD(max_value), min_value = FIELD(min_value), rate = FIELD(rate);
    lam_field fields[4];
    size_t n = 0;
    lam_constraint c = {.id = find(spec->type)};
    switch (c.id) {
    case LAM_CONSTRAINT_none:
        return lam_fail_arg(err, LAM_EARGUMENT, "constraint", "the name of a constraint", "\"%s\"", spec->type);
    case LAM_CONSTRAINT_nonneg:
        break;
    case LAM_CONSTRAINT_maxnorm:
        c.max_value = 2;
        fields[n++] = max_value;
        fields[n++] = axis;
        break;
    case LAM_CONSTRAINT_unitnorm:
        fields[n++] = axis;
        break;
    case LAM_CONSTRAINT_minmaxnorm:
        c.max_value = 1;
        c.rate = 1;
        fields[n++] = min_value;
        fields[n++] = max_value;
        fields[n] = rate;
        fields[n++].max = 1;
        fields[n++] = axis;
        break;
    }
    LAM_TRY(lam_args_read(&spec->config, fields, n, &c, spec->type, err));
    LAM_TRY(read_axes(&spec->config, &c.axes, err));
    if (c.id == LAM_CONSTRAINT_minmaxnorm && c.min_value > c.max_value)
        return lam_fail_arg(err, LAM_EARGUMENT, "min_value", "at most `max_value`", "%g", (double)c.min_value);
    *constraint = c;
    return LAM_OK;
}

/* The axes as bits from the front, whatever they were given as; a bit past the rank has no dimension. */
static unsigned axes_of(const lam_constraint *c, int rank)
{
    unsigned axes = c->axes & ((1u << LAM_AXIS_FROM_END) - 1);
    for (int i = 0; i < rank; i++)
        if (c->axes >> (LAM_AXIS_FROM_END + i) & 1)
            axes |= 1u << (rank - 1 - i);
    return axes;
}

lam_status lam_constraint_check(const lam_constraint *constraint, const lam_shape *shape, lam_error *err)
{
    if (constraint->id == LAM_CONSTRAINT_none || constraint->id == LAM_CONSTRAINT_nonneg)
        return LAM_OK;
    for (int i = shape->rank; i < LAM_AXIS_FROM_END; i++) {
        bool front = constraint->axes >> i & 1, back = constraint->axes >> (LAM_AXIS_FROM_END + i) & 1;
        if (front || back)
            return lam_fail_arg(err, LAM_ESHAPE, "axis", "the number of a dimension of the weight",
                                "%d for a weight of %d dimensions", front ? i + 1 : -i - 1, shape->rank);
    }
    return LAM_OK;
}

/* Some of the dimensions of an array, walked in row-major order. */
typedef struct walk {
    int rank;
    size_t count, dim[LAM_MAX_RANK], stride[LAM_MAX_RANK];
} walk;

static void walk_add(walk *w, size_t dim, size_t stride)
{
    w->dim[w->rank] = dim;
    w->stride[w->rank++] = stride;
    w->count *= dim;
}

static size_t walk_offset(const walk *w, size_t i)
{
    size_t offset = 0;
    for (int k = w->rank - 1; k >= 0; k--) {
        offset += i % w->dim[k] * w->stride[k];
        i /= w->dim[k];
    }
    return offset;
}

static float factor(const lam_constraint *c, double sum_of_squares)
{
    double norm = sqrt(sum_of_squares);
    double wanted = 1;
    if (c->id == LAM_CONSTRAINT_maxnorm)
        wanted = fmin(norm, (double)c->max_value);
    if (c->id == LAM_CONSTRAINT_minmaxnorm) {
        double clipped = fmin(fmax(norm, (double)c->min_value), (double)c->max_value);
        wanted = (double)c->rate * clipped + (1 - (double)c->rate) * norm;
    }
    return (float)(wanted / (1e-7 + norm));
}

/* One norm over `run` neighbours at each step of the walk. */
static void bind_runs(const lam_constraint *c, const walk *over, size_t run, float *w)
{
    double sum = 0;
    for (size_t j = 0; j < over->count; j++) {
        const float *x = w + walk_offset(over, j);
        for (size_t i = 0; i < run; i++)
            sum += (double)x[i] * (double)x[i];
    }
    float f = factor(c, sum);
    for (size_t j = 0; j < over->count; j++) {
        float *x = w + walk_offset(over, j);
        for (size_t i = 0; i < run; i++)
            x[i] *= f;
    }
}

enum { COLUMNS = 64 };

/* Up to COLUMNS norms at once, each down a column of the walk. */
static void bind_columns(const lam_constraint *c, const walk *over, size_t columns, float *w)
{
    double sum[COLUMNS] = {0};
    float f[COLUMNS];
    for (size_t j = 0; j < over->count; j++) {
        const float *x = w + walk_offset(over, j);
        for (size_t i = 0; i < columns; i++)
            sum[i] += (double)x[i] * (double)x[i];
    }
    for (size_t i = 0; i < columns; i++)
        f[i] = factor(c, sum[i]);
    for (size_t j = 0; j < over->count; j++) {
        float *x = w + walk_offset(over, j);
        for (size_t i = 0; i < columns; i++)
            x[i] *= f[i];
    }
}

static void bind_norms(const lam_constraint *c, const lam_shape *shape, float *w)
{
    walk over = {.count = 1}, kept = {.count = 1};
    unsigned axes = axes_of(c, shape->rank);
    size_t stride[LAM_MAX_RANK], last = lam_shape_last(shape);
    for (int i = shape->rank - 1; i >= 0; i--)
        stride[i] = i == shape->rank - 1 ? 1 : stride[i + 1] * shape->dim[i + 1];
    for (int i = 0; i < shape->rank - 1; i++)
        walk_add(axes >> i & 1 ? &over : &kept, shape->dim[i], stride[i]);
    bool along_last = shape->rank == 0 || axes >> (shape->rank - 1) & 1;
    for (size_t k = 0; k < kept.count; k++) {
        float *x = w + walk_offset(&kept, k);
        if (along_last)
            bind_runs(c, &over, last, x);
        for (size_t i = 0; !along_last && i < last; i += COLUMNS)
            bind_columns(c, &over, last - i < COLUMNS ? last - i : COLUMNS, x + i);
    }
}

void lam_constraint_apply(const lam_constraint *constraint, const lam_shape *shape, float *w)
{
    if (constraint->id == LAM_CONSTRAINT_none)
        return;
    if (constraint->id != LAM_CONSTRAINT_nonneg) {
        bind_norms(constraint, shape, w);
        return;
    }
    size_t n = lam_shape_count(shape);
    for (size_t i = 0; i < n; i++)
        w[i] = w[i] < 0 ? 0 : w[i];
}
