/* What the core has and is: names for R, version, tier, BLAS. */
#include <string.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "glue/glue.h"
#include "kernels/activation.h"
#include "kernels/cpu.h"
#include "nn/layer.h"
#include "nn/loss.h"
#include "nn/metric.h"
#include "nn/optimizer.h"

typedef const char *(*name_fn)(size_t i);

static const char *layer_name(size_t i)
{
    return lam_layer_types[i] ? lam_layer_types[i]->name : NULL;
}

static const char *activation_name(size_t i)
{
    return i < LAM_ACT_COUNT ? lam_activation_type_of((lam_act_id)i)->name : NULL;
}

static const char *loss_name(size_t i)
{
    return lam_loss_types[i] ? lam_loss_types[i]->name : NULL;
}

static const char *metric_name(size_t i)
{
    return lam_metric_types[i] ? lam_metric_types[i]->name : NULL;
}

static const char *optimizer_name(size_t i)
{
    return lam_optimizer_types[i] ? lam_optimizer_types[i]->name : NULL;
}

static const char *initializer_name(size_t i)
{
    return i < LAM_INIT_COUNT ? lam_initializer_name((lam_initializer_id)i) : NULL;
}

static const char *regularizer_name(size_t i)
{
    return lam_regularizer_names[i];
}

static const char *constraint_name(size_t i)
{
    return lam_constraint_names[i];
}

static const char *schedule_name(size_t i)
{
    return i < LAM_SCHEDULE_COUNT ? lam_schedule_name((lam_schedule_id)i) : NULL;
}

static const char *const no_aliases[] = {NULL};
static const struct {
    const char *kind;
    name_fn name;
    const char *const *aliases;
} kinds[] = {
    {"layer", layer_name, no_aliases},
    {"activation", activation_name, lam_activation_aliases},
    {"loss", loss_name, lam_loss_aliases},
    {"metric", metric_name, lam_metric_aliases},
    {"optimizer", optimizer_name, lam_optimizer_aliases},
    {"initializer", initializer_name, lam_initializer_aliases},
    {"regularizer", regularizer_name, lam_regularizer_aliases},
    {"constraint", constraint_name, lam_constraint_aliases},
    {"schedule", schedule_name, no_aliases},
};

static SEXP names_of(name_fn name)
{
    R_xlen_t n = 0;
    while (name((size_t)n))
        n++;
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    for (R_xlen_t i = 0; i < n; i++)
        SET_STRING_ELT(out, i, Rf_mkChar(name((size_t)i)));
    UNPROTECT(1);
    return out;
}

/* c(alias = "name", ...) */
static SEXP aliases_of(const char *const *pairs)
{
    R_xlen_t n = 0;
    while (pairs[2 * n])
        n++;
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    SEXP names = PROTECT(Rf_allocVector(STRSXP, n));
    for (R_xlen_t i = 0; i < n; i++) {
        SET_STRING_ELT(names, i, Rf_mkChar(pairs[2 * i]));
        SET_STRING_ELT(out, i, Rf_mkChar(pairs[2 * i + 1]));
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2);
    return out;
}

/* list(names = , aliases = ) of a kind of thing. */
SEXP ffi_vocabulary(SEXP kind)
{
    const char *word = glue_string(kind, "kind");
    const char *fields[] = {"names", "aliases", ""};
    for (size_t i = 0; i < LAM_COUNT(kinds); i++) {
        if (strcmp(kinds[i].kind, word) != 0)
            continue;
        SEXP out = PROTECT(Rf_mkNamed(VECSXP, fields));
        SET_VECTOR_ELT(out, 0, names_of(kinds[i].name));
        SET_VECTOR_ELT(out, 1, aliases_of(kinds[i].aliases));
        UNPROTECT(1);
        return out;
    }
    glue_refuse(LAM_EARGUMENT, "kind", "a kind of thing that has a list of names", word);
    return R_NilValue;
}

#ifndef LAM_BLAS_NAME
#define LAM_BLAS_NAME "none"
#endif

SEXP ffi_info(void)
{
    const char *fields[] = {"blas", "tier", "best_tier", "cores", ""};
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, fields));
    SET_VECTOR_ELT(out, 0, Rf_mkString(LAM_BLAS_NAME));
    SET_VECTOR_ELT(out, 1, Rf_mkString(lam_tier_name(lam_tier())));
    SET_VECTOR_ELT(out, 2, Rf_mkString(lam_tier_name(lam_tier_best())));
    SET_VECTOR_ELT(out, 3, Rf_ScalarInteger(lam_threads_available()));
    UNPROTECT(1);
    return out;
}

SEXP ffi_isa(SEXP name)
{
    lam_error err;
    glue_check(lam_tier_set(glue_string(name, "isa"), &err), &err);
    return R_NilValue;
}

/* For tests: c(allocations of the engine so far, blocks it holds).  fail_at: the n-th allocation
 * from now on fails, 0: none does, NULL: as it is. */
SEXP ffi_memory(SEXP fail_at)
{
    if (fail_at != R_NilValue)
        lam_alloc_fail_at((long)glue_count(fail_at, "fail_at"));
    SEXP out = Rf_allocVector(REALSXP, 2);
    REAL(out)[0] = (double)lam_alloc_calls();
    REAL(out)[1] = (double)lam_alloc_live();
    return out;
}
