#include "nn/args.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

const lam_arg *lam_args_get(const lam_args *args, const char *name)
{
    for (size_t i = 0; i < args->n; i++)
        if (strcmp(args->arg[i].name, name) == 0)
            return args->arg[i].kind == LAM_ARG_NULL ? NULL : &args->arg[i];
    return NULL;
}

lam_status lam_arg_spec(const lam_arg *arg, lam_spec *spec, lam_error *err)
{
    *spec = (lam_spec){0};
    if (!arg || arg->kind == LAM_ARG_NULL)
        return LAM_OK;
    if (arg->kind == LAM_ARG_STRINGS && arg->n == 1) {
        spec->type = arg->strings[0];
        return LAM_OK;
    }
    if (arg->kind == LAM_ARG_LIST) {
        lam_args list = {arg->n, arg->list};
        const lam_arg *type = lam_args_get(&list, "type");
        const lam_arg *config = lam_args_get(&list, "config");
        bool ok = type && type->kind == LAM_ARG_STRINGS && type->n == 1 &&
                  (!config || config->kind == LAM_ARG_LIST || config->n == 0);
        if (ok) {
            spec->type = type->strings[0];
            if (config && config->kind == LAM_ARG_LIST)
                spec->config = (lam_args){config->n, config->list};
            return LAM_OK;
        }
    }
    return lam_fail_arg(err, LAM_EARGUMENT, arg->name, "a name or an object of that kind",
                        "something else");
}

lam_status lam_args_spec(const lam_args *args, const char *name, lam_spec *spec, lam_error *err)
{
    return lam_arg_spec(lam_args_get(args, name), spec, err);
}

static lam_status read_choice(const lam_arg *arg, const lam_field *field, int *out, lam_error *err)
{
    char expected[160] = "one of";
    if (arg->kind == LAM_ARG_STRINGS && arg->n == 1)
        for (int i = 0; field->choices[i]; i++)
            if (strcmp(field->choices[i], arg->strings[0]) == 0) {
                *out = i;
                return LAM_OK;
            }
    for (int i = 0; field->choices[i]; i++) {
        size_t at = strlen(expected);
        snprintf(expected + at, sizeof expected - at, "%s \"%s\"", i ? "," : "", field->choices[i]);
    }
    return lam_fail_arg(err, LAM_EARGUMENT, field->name, expected, "\"%s\"",
                        arg->kind == LAM_ARG_STRINGS && arg->n == 1 ? arg->strings[0] : "?");
}

static bool in_bounds(const lam_field *field, double v)
{
    return (field->min == 0 && field->max == 0) || (v >= field->min && v <= field->max);
}

static lam_status read_number(const lam_arg *arg, const lam_field *field, double *out, lam_error *err)
{
    char expected[160];
    bool whole = field->kind == LAM_FIELD_SIZE || field->kind == LAM_FIELD_INT;
    const char *what = field->kind == LAM_FIELD_BOOL ? "TRUE or FALSE"
                       : whole                       ? "a whole number"
                                                     : "a number";
    if (arg->kind != LAM_ARG_NUMBERS || arg->n != 1)
        return lam_fail_arg(err, LAM_EARGUMENT, field->name, what, "%zu %s", arg->n,
                            arg->kind == LAM_ARG_STRINGS ? "string(s)" : "value(s)");
    double v = arg->numbers[0];
    if (isnan(v))
        return lam_fail_arg(err, LAM_EARGUMENT, field->name, what, "NA");
    if (whole && (v != floor(v) || fabs(v) > 9e15 || (field->kind == LAM_FIELD_SIZE && v < 0)))
        return lam_fail_arg(err, LAM_EARGUMENT, field->name, what, "%g", v);
    if (!in_bounds(field, v)) {
        if (isinf(field->max))
            snprintf(expected, sizeof expected, "%s of at least %g", what, field->min);
        else
            snprintf(expected, sizeof expected, "%s between %g and %g", what, field->min, field->max);
        return lam_fail_arg(err, LAM_EARGUMENT, field->name, expected, "%g", v);
    }
    *out = v;
    return LAM_OK;
}

static lam_status read_field(const lam_arg *arg, const lam_field *field, char *config, lam_error *err)
{
    void *at = config + field->offset;
    double v = 0;
    switch (field->kind) {
    case LAM_FIELD_SPEC:
    case LAM_FIELD_ANY:
        return LAM_OK;
    case LAM_FIELD_CHOICE:
        return read_choice(arg, field, at, err);
    default:
        break;
    }
    LAM_TRY(read_number(arg, field, &v, err));
    switch (field->kind) {
    case LAM_FIELD_DOUBLE:
        *(double *)at = v;
        break;
    case LAM_FIELD_FLOAT:
        *(float *)at = (float)v;
        break;
    case LAM_FIELD_SIZE:
        *(size_t *)at = (size_t)v;
        break;
    case LAM_FIELD_INT:
        *(int *)at = (int)v;
        break;
    default:
        *(bool *)at = v != 0;
    }
    return LAM_OK;
}

lam_status lam_args_read(const lam_args *args, const lam_field *fields, size_t n_fields,
                         void *config, const char *owner, lam_error *err)
{
    for (size_t i = 0; i < args->n; i++) {
        const lam_arg *arg = &args->arg[i];
        const lam_field *field = NULL;
        for (size_t f = 0; f < n_fields; f++)
            if (strcmp(fields[f].name, arg->name) == 0)
                field = &fields[f];
        if (!field)
            return lam_fail_arg(err, LAM_EARGUMENT, arg->name[0] ? arg->name : "...",
                                "an argument that it has", "an argument unknown to %s", owner);
        if (arg->kind != LAM_ARG_NULL)
            LAM_TRY(read_field(arg, field, config, err));
    }
    for (size_t f = 0; f < n_fields; f++)
        if (fields[f].required && !lam_args_get(args, fields[f].name))
            return lam_fail(err, LAM_EARGUMENT, "%s needs the argument `%s`.", owner, fields[f].name);
    return LAM_OK;
}
