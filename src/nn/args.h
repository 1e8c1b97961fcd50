/* Configuration as it arrives from outside: named numbers, strings and nested lists.
 *
 * A configurable thing (layer, loss, metric, optimizer, initializer, ...) is a spec: the name of
 * its type and a list of arguments.  Every type declares a table of fields; lam_args_read() fills
 * the type's config struct from the arguments and refuses names that no field claims, so an
 * argument can never be silently ignored.  Nothing here is kept: the reader copies. */
#ifndef LAM_NN_ARGS_H
#define LAM_NN_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef enum { LAM_ARG_NULL, LAM_ARG_NUMBERS, LAM_ARG_STRINGS, LAM_ARG_LIST } lam_arg_kind;

typedef struct lam_arg {
    const char *name;         /* "" where unnamed */
    lam_arg_kind kind;
    size_t n;                 /* length of whichever of the three is set */
    const double *numbers;    /* logicals and integers arrive as numbers; NA as NaN */
    const char *const *strings;
    const struct lam_arg *list;
} lam_arg;

typedef struct lam_args {
    size_t n;
    const lam_arg *arg;
} lam_args;

/* list(type = "adam", config = list(learning_rate = 0.001)) on the R side. */
typedef struct lam_spec {
    const char *type;
    lam_args config;
} lam_spec;

/* The argument of that name, or NULL. NULL also for an argument that is R's NULL. */
const lam_arg *lam_args_get(const lam_args *args, const char *name);

/* Reads a spec out of an argument: a list with `type` (string) and optionally `config` (list), or
 * a bare string (type without config). spec->type = NULL when the argument is absent or NULL. */
lam_status lam_args_spec(const lam_args *args, const char *name, lam_spec *spec, lam_error *err);
lam_status lam_arg_spec(const lam_arg *arg, lam_spec *spec, lam_error *err);

typedef enum {
    LAM_FIELD_DOUBLE,  /* double */
    LAM_FIELD_FLOAT,   /* float */
    LAM_FIELD_SIZE,    /* size_t, a whole number */
    LAM_FIELD_INT,     /* int, a whole number, may be negative */
    LAM_FIELD_BOOL,    /* bool */
    LAM_FIELD_CHOICE,  /* int: the index in `choices`, a NULL-terminated list of names */
    LAM_FIELD_SPEC,    /* read by its owner with lam_args_spec(): here only claimed */
    LAM_FIELD_ANY      /* read by its owner with lam_args_get(): here only claimed */
} lam_field_kind;

typedef struct lam_field {
    const char *name;
    lam_field_kind kind;
    size_t offset;             /* offsetof(config struct, member); unused for SPEC and ANY */
    double min, max;           /* inclusive, for the number kinds; both 0: no bounds */
    bool required;
    const char *const *choices;
} lam_field;

/* Fills `config` (already holding the defaults).  An argument that is NULL keeps the default. */
lam_status lam_args_read(const lam_args *args, const lam_field *fields, size_t n_fields,
                         void *config, const char *owner, lam_error *err);

#define LAM_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
