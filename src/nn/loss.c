#include "nn/loss.h"

#include <string.h>

#define LAM_LOSS(name) extern const lam_loss_type lam_loss_##name;
#include "nn/losses.def"
#undef LAM_LOSS

const lam_loss_type *const lam_loss_types[] = {
#define LAM_LOSS(name) &lam_loss_##name,
#include "nn/losses.def"
#undef LAM_LOSS
    NULL};

const char *const lam_loss_aliases[] = {
    "mse", "mean_squared_error",
    "mae", "mean_absolute_error",
    "mape", "mean_absolute_percentage_error",
    "msle", "mean_squared_logarithmic_error",
    "bce", "binary_crossentropy",
    "kld", "kl_divergence",
    "kullback_leibler_divergence", "kl_divergence",
    "logcosh", "log_cosh",
    "cosine_proximity", "cosine_similarity",
    NULL};

const lam_loss_type *lam_loss_type_find(const char *name)
{
    for (size_t i = 0; lam_loss_aliases[i]; i += 2)
        if (strcmp(lam_loss_aliases[i], name) == 0)
            name = lam_loss_aliases[i + 1];
    for (size_t i = 0; lam_loss_types[i]; i++)
        if (strcmp(lam_loss_types[i]->name, name) == 0)
            return lam_loss_types[i];
    return NULL;
}

lam_status lam_loss_read(const lam_spec *spec, lam_loss *loss, lam_error *err)
{
    *loss = (lam_loss){.type = lam_loss_type_find(spec->type)};
    if (!loss->type)
        return lam_fail_arg(err, LAM_EARGUMENT, "loss", "the name of a loss", "\"%s\"", spec->type);
    if (loss->type->configure)
        return loss->type->configure(loss, &spec->config, err);
    return lam_args_read(&spec->config, NULL, 0, loss, loss->type->name, err);
}

lam_status lam_loss_check(const lam_loss *loss, size_t rows, size_t d, size_t y_d, const float *y,
                          lam_error *err)
{
    if (loss->type->sparse && y_d != 1)
        return lam_fail_arg(err, LAM_ESHAPE, "y", "one class number a row", "%zu columns", y_d);
    if (!loss->type->sparse && y_d != d)
        return lam_fail(err, LAM_ESHAPE,
                        "The loss %s needs as many targets as outputs: `y` has %zu a row, the "
                        "predictions have %zu.",
                        loss->type->name, y_d, d);
    return loss->type->check ? loss->type->check(loss, rows, d, y_d, y, err) : LAM_OK;
}

lam_loss lam_loss_prepare(const lam_loss *loss, size_t n, const float *y)
{
    lam_loss prepared = *loss;
    if (loss->type->prepare)
        loss->type->prepare(&prepared, n, y);
    return prepared;
}

size_t lam_loss_count(const lam_loss *loss, size_t rows, size_t y_d, const float *y)
{
    if (!loss->type->ignores)
        return rows;
    size_t count = 0;
    for (size_t r = 0; r < rows; r++)
        count += !loss->type->ignores(loss, y + r * y_d);
    return count;
}
