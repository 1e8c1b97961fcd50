#include "glue/pair.h"

#include <stdio.h>

/* The rank without dimensions of 1 at the end; the samples stay. */
static int trimmed(int rank, const size_t *dim)
{
    while (rank > 1 && dim[rank - 1] == 1)
        rank--;
    return rank;
}

static bool same_shape(int rank_a, const size_t *a, int rank_b, const size_t *b)
{
    rank_a = trimmed(rank_a, a);
    rank_b = trimmed(rank_b, b);
    for (int i = 0; i < rank_a && i < rank_b; i++)
        if (a[i] != b[i])
            return false;
    return rank_a == rank_b;
}

static const char *shape_text(int rank, const size_t *dim, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "(");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, i ? ", %zu" : "%zu", dim[i]);
    if (at < size)
        snprintf(text + at, size - at, ")");
    return text;
}

static void fail_shapes(int rank, const size_t *dim, const glue_pair *pair)
{
    char y[96], pred[96], expected[160];
    lam_error err;
    snprintf(expected, sizeof expected, "of the shape of `y_pred`, %s, or that without its last dimension",
             shape_text(pair->rank, pair->dim, pred, sizeof pred));
    glue_check(lam_fail_arg(&err, LAM_ESHAPE, "y_true", expected, "of shape %s",
                            shape_text(rank, dim, y, sizeof y)), &err);
}

glue_pair glue_read_pair(SEXP y_true, SEXP y_pred)
{
    glue_pair pair = {.d = 1, .rows = 1};
    size_t dim[LAM_MAX_RANK], rows, d;
    pair.rank = glue_dims(y_pred, pair.dim, "y_pred");
    int rank = glue_dims(y_true, dim, "y_true"), lead = pair.rank > 1 ? pair.rank - 1 : 1;
    if (pair.rank > 1)
        pair.d = pair.dim[lead];
    for (int i = 0; i < lead; i++)
        pair.rows *= pair.dim[i];
    if (same_shape(rank, dim, pair.rank, pair.dim))
        pair.y_d = pair.d;
    else if (same_shape(rank, dim, lead, pair.dim))
        pair.y_d = 1;
    else
        fail_shapes(rank, dim, &pair);
    pair.y = glue_floats(y_true, &rows, &d, "y_true");
    pair.pred = glue_floats(y_pred, &rows, &d, "y_pred");
    return pair;
}
