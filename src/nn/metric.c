#include "nn/metric.h"

#include <stdio.h>
#include <string.h>

#define LAM_METRIC(name) extern const lam_metric_type lam_metric_##name;
#include "nn/metrics.def"
#undef LAM_METRIC

const lam_metric_type *const lam_metric_types[] = {
#define LAM_METRIC(name) &lam_metric_##name,
#include "nn/metrics.def"
#undef LAM_METRIC
    NULL};

/* The words "accuracy" and "crossentropy" stand for one of three types; see resolve(). */
const char *const lam_metric_aliases[] = {
    "accuracy", "accuracy",
    "acc", "accuracy",
    "crossentropy", "crossentropy",
    "ce", "crossentropy",
    "mse", "mean_squared_error",
    "rmse", "root_mean_squared_error",
    "mae", "mean_absolute_error",
    "mape", "mean_absolute_percentage_error",
    "msle", "mean_squared_logarithmic_error",
    "bce", "binary_crossentropy",
    "kld", "kl_divergence",
    "kullback_leibler_divergence", "kl_divergence",
    "logcosh", "log_cosh_error",
    "log_cosh", "log_cosh_error",
    "cosine_proximity", "cosine_similarity",
    "f1", "f1_score",
    "r2", "r2_score",
    NULL};

static const char *canonical(const char *name)
{
    for (size_t i = 0; lam_metric_aliases[i]; i += 2)
        if (strcmp(lam_metric_aliases[i], name) == 0)
            return lam_metric_aliases[i + 1];
    return name;
}

static const char *resolve(const char *name, size_t d, size_t y_d)
{
    bool accuracy = strcmp(name, "accuracy") == 0;
    if (!accuracy && strcmp(name, "crossentropy") != 0)
        return name;
    if (d == 1)
        return accuracy ? "binary_accuracy" : "binary_crossentropy";
    if (y_d == d)
        return accuracy ? "categorical_accuracy" : "categorical_crossentropy";
    return accuracy ? "sparse_categorical_accuracy" : "sparse_categorical_crossentropy";
}

const lam_metric_type *lam_metric_type_find(const char *name)
{
    name = canonical(name);
    for (size_t i = 0; lam_metric_types[i]; i++)
        if (strcmp(lam_metric_types[i]->name, name) == 0)
            return lam_metric_types[i];
    return NULL;
}

static lam_status check_shapes(const lam_metric *metric, size_t d, size_t y_d, lam_error *err)
{
    if (metric->type->check)
        return metric->type->check(metric, d, y_d, err);
    if (y_d != d)
        return lam_fail(err, LAM_ESHAPE,
                        "The metric %s needs as many targets as outputs: `y` has %zu a row, the "
                        "predictions have %zu.",
                        metric->name, y_d, d);
    return LAM_OK;
}

enum { MAX_ARGS = 16 };

lam_status lam_metric_read(const lam_spec *spec, size_t d, size_t y_d, lam_metric *metric,
                           lam_error *err)
{
    lam_arg rest[MAX_ARGS];
    lam_args args = {0, rest};
    const char *name = spec->type;
    for (size_t i = 0; i < spec->config.n && args.n < MAX_ARGS; i++) {
        const lam_arg *arg = &spec->config.arg[i];
        if (strcmp(arg->name, "name") != 0)
            rest[args.n++] = *arg;
        else if (arg->kind == LAM_ARG_STRINGS && arg->n == 1)
            name = arg->strings[0];
    }
    *metric = (lam_metric){.type = lam_metric_type_find(resolve(canonical(spec->type), d, y_d))};
    if (!metric->type)
        return lam_fail_arg(err, LAM_EARGUMENT, "metrics", "the name of a metric", "\"%s\"",
                            spec->type);
    snprintf(metric->name, sizeof metric->name, "%s", name);
    if (metric->type->configure)
        LAM_TRY(metric->type->configure(metric, &args, err));
    else
        LAM_TRY(lam_args_read(&args, NULL, 0, metric, metric->type->name, err));
    return check_shapes(metric, d, y_d, err);
}
