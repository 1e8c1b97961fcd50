/* Penalties on weights and activations: l1 * sum |w| + l2 * sum w^2. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "nn/weights.h"

const char *const lam_regularizer_names[] = {"l1", "l2", "l1_l2", NULL};
const char *const lam_regularizer_aliases[] = {"l1l2", "l1_l2", NULL};

lam_status lam_regularizer_read(const lam_spec *spec, lam_regularizer *reg, lam_error *err)
{
    static const lam_field l1 = {.name = "l1", .kind = LAM_FIELD_FLOAT, .offset = offsetof(lam_regularizer, l1), .max = INFINITY};
    static const lam_field l2 = {.name = "l2", .kind = LAM_FIELD_FLOAT, .offset = offsetof(lam_regularizer, l2), .max = INFINITY};
    const char *type = spec->type;
    lam_regularizer r = {0};
    if (strcmp(type, "l1") == 0) {
        r.l1 = 0.01f;
        LAM_TRY(lam_args_read(&spec->config, &l1, 1, &r, type, err));
    } else if (strcmp(type, "l2") == 0) {
        r.l2 = 0.01f;
        LAM_TRY(lam_args_read(&spec->config, &l2, 1, &r, type, err));
    } else if (strcmp(type, "l1_l2") == 0 || strcmp(type, "l1l2") == 0) {
        LAM_TRY(lam_args_read(&spec->config, (const lam_field[]){l1, l2}, 2, &r, "l1_l2", err));
    } else {
        return lam_fail_arg(err, LAM_EARGUMENT, "regularizer", "the name of a regularizer", "\"%s\"", type);
    }
    if (!isfinite(r.l1) || !isfinite(r.l2))
        return lam_fail_arg(err, LAM_EARGUMENT, isfinite(r.l1) ? "l2" : "l1", "a finite number", "Inf");
    *reg = r;
    return LAM_OK;
}

double lam_regularizer_value(const lam_regularizer *reg, size_t n, const float *w)
{
    double value = 0;
    if (reg->l1 != 0)
        value += (double)reg->l1 * lam_sum_abs(n, w);
    if (reg->l2 != 0)
        value += (double)reg->l2 * lam_sum_squares(n, w);
    return value;
}

void lam_regularizer_gradient(const lam_regularizer *reg, size_t n, const float *w, float scale,
                              float *g)
{
    float l1 = scale * reg->l1, l2 = 2 * scale * reg->l2;
    if (l2 != 0)
        lam_axpy(n, l2, w, g);
    if (l1 != 0)
        for (size_t i = 0; i < n; i++)
            g[i] += l1 * (float)((w[i] > 0) - (w[i] < 0));
}
