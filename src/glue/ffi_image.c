/* Pictures outside of networks: resizing, and the order of a shuffled epoch. */
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "glue/handle.h"
#include "nn/layers/resample.h"

static int choice(SEXP x, const char *const *names, const char *arg)
{
    const char *word = glue_string(x, arg);
    for (int i = 0; names[i]; i++)
        if (strcmp(word, names[i]) == 0)
            return i;
    glue_refuse(LAM_EARGUMENT, arg, "one that lamina knows", word);
    return 0;
}

static size_t picture_size(SEXP x, const char *arg)
{
    size_t n = glue_index(x, INT_MAX, arg);
    if (n == 0)
        glue_refuse(LAM_EARGUMENT, arg, "at least 1", "0");
    return n;
}

/* x: an array (height, width, channels).  aspect: "stretch", "crop" or "pad" (with zeros). */
SEXP ffi_image_resize(SEXP x, SEXP height, SEXP width, SEXP interpolation, SEXP antialias,
                      SEXP aspect)
{
    static const char *const aspects[] = {"stretch", "crop", "pad", NULL};
    lam_error err;
    lam_resampler r;
    lam_span span[2];
    lam_shape in = {.rank = 3};
    size_t rows, d, dim[LAM_MAX_RANK];
    size_t out[3] = {picture_size(height, "height"), picture_size(width, "width"), 0};
    int kind = choice(interpolation, lam_resample_kinds, "interpolation");
    int fit = choice(aspect, aspects, "aspect");
    bool smooth = glue_flag(antialias, "antialias");
    if (glue_dims(x, dim, "x") != 3)
        glue_refuse(LAM_ESHAPE, "x", "an array of 3 dimensions", "one of others");
    for (int i = 0; i < 3; i++)
        in.dim[i] = dim[i];
    if (lam_shape_count(&in) == 0)
        glue_refuse(LAM_ESHAPE, "x", "a picture with pixels", "one without");
    out[2] = dim[2];
    const float *from = glue_floats(x, &rows, &d, "x");
    float *to = glue_alloc(lam_mul(lam_mul(out[0], out[1]), out[2]), sizeof(float), "a picture");
    float *line = glue_alloc(in.dim[1] * in.dim[2], sizeof(float), "a picture");
    lam_aspect_spans((lam_aspect)fit, in.dim[0], in.dim[1], out[0], out[1], span);
    glue_check(
        lam_resampler_init(&r, &in, out[0], out[1], span, (lam_resample_kind)kind, smooth, 0, &err),
        &err);
    lam_resample(&r, from, to, line);
    lam_resampler_free(&r);
    return glue_array(to, 3, out);
}

/* The order of n samples in an epoch: that of a network's own shuffle, or of a seed. */
SEXP ffi_order(SEXP source, SEXP epoch, SEXP n)
{
    bool own = TYPEOF(source) == EXTPTRSXP;
    lam_rng rng = {
        .seed = own ? glue_get_net(source)->net->seed : (uint64_t)glue_count(source, "seed"),
        .stream = LAM_STREAM_SHUFFLE,
        .step = (uint64_t)glue_count(epoch, "epoch"),
    };
    size_t count = glue_index(n, INT_MAX, "n");
    uint32_t *order = glue_alloc(count, sizeof *order, "the order of the samples");
    lam_random_permutation(&rng, order, count);
    glue_room(count, sizeof(int), "the order of the samples");
    SEXP out = Rf_allocVector(INTSXP, (R_xlen_t)count);
    for (size_t i = 0; i < count; i++)
        INTEGER(out)[i] = (int)order[i] + 1;
    return out;
}
