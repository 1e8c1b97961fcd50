/* Where the time of a training goes: what profile_fit() calls. */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/threads.h"
#include "glue/handle.h"
#include "kernels/cpu.h"
#include "kernels/peak.h"

static lam_profile *get_profile(SEXP loop)
{
    lam_error err;
    lam_profile *profile = glue_get_loop(loop)->profile;
    if (!profile)
        glue_check(lam_fail(&err, LAM_ESTATE, "The loop keeps no profile."), &err);
    return profile;
}

/* The loop keeps a profile from now on. */
SEXP ffi_profile_start(SEXP loop)
{
    lam_error err;
    glue_check(lam_loop_profile(glue_get_loop(loop), &err), &err);
    return R_NilValue;
}

/* What R does between batches goes to a stage (its number, from 0) from one call with NULL to the next. */
SEXP ffi_profile_mark(SEXP loop, SEXP stage)
{
    lam_profile *profile = get_profile(loop);
    size_t at = stage == R_NilValue ? LAM_STAGES : glue_index(stage, LAM_STAGES, "stage");
    if (at < LAM_STAGES)
        lam_profile_stage(profile, (lam_stage)at);
    else
        lam_profile_start(profile);
    return R_NilValue;
}

/* One number of each layer and phase, a matrix. */
static SEXP phase_matrix(const lam_profile *profile, size_t offset)
{
    SEXP out = Rf_allocMatrix(REALSXP, profile->n_layers, LAM_PHASES);
    double *v = REAL(out);
    for (int k = 0; k < LAM_PHASES; k++)
        for (int i = 0; i < profile->n_layers; i++)
            *v++ = *(const double *)((const char *)&profile->layer[k][i] + offset);
    return out;
}

/* list(seconds =, calls =, work =: layers x (prepare, forward, backward); stages = seconds of data, loss,
 * update, metrics, rest; passed = seconds since ffi_profile_start(); counts = c(batches, samples)) */
SEXP ffi_profile_read(SEXP ptr)
{
    const char *names[] = {"seconds", "calls", "work", "stages", "passed", "counts", ""};
    const lam_profile *profile = get_profile(ptr);
    double passed = lam_seconds() - profile->begun;
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, phase_matrix(profile, offsetof(lam_account, seconds)));
    SET_VECTOR_ELT(out, 1, phase_matrix(profile, offsetof(lam_account, calls)));
    SET_VECTOR_ELT(out, 2, phase_matrix(profile, offsetof(lam_account, work)));
    SEXP stages = Rf_allocVector(REALSXP, LAM_STAGES);
    SET_VECTOR_ELT(out, 3, stages);
    memcpy(REAL(stages), profile->stage, sizeof profile->stage);
    SET_VECTOR_ELT(out, 4, Rf_ScalarReal(passed));
    SEXP counts = Rf_allocVector(REALSXP, 2);
    SET_VECTOR_ELT(out, 5, counts);
    REAL(counts)[0] = profile->batches;
    REAL(counts)[1] = profile->samples;
    UNPROTECT(1);
    return out;
}

/* list(flops = floating-point operations a second that the processor could do, threads =, tier =), measured
 * for about so many seconds. */
SEXP ffi_peak(SEXP seconds)
{
    const char *names[] = {"flops", "threads", "tier", ""};
    double time = glue_number(seconds, "seconds");
    if (!(time >= 0 && time <= 60))
        glue_refuse(LAM_EARGUMENT, "seconds", "between 0 and 60", "another number");
    uint64_t mode = glue_enter();
    double flops = lam_peak(time);
    glue_leave(mode);
    SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
    SET_VECTOR_ELT(out, 0, Rf_ScalarReal(flops));
    SET_VECTOR_ELT(out, 1, Rf_ScalarReal(lam_threads()));
    SET_VECTOR_ELT(out, 2, Rf_mkString(lam_tier_name(lam_tier())));
    UNPROTECT(1);
    return out;
}
