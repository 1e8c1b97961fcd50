#include "glue/handle.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fpu.h"
#include "base/threads.h"

/* The tag of our pointers: a word that nobody else would choose. */
static SEXP tag_of(const char *kind)
{
    char name[48];
    snprintf(name, sizeof name, "lamina's pointer to a %s", kind);
    return Rf_install(name);
}

bool glue_is_pointer(SEXP ptr, const char *kind)
{
    return TYPEOF(ptr) == EXTPTRSXP && R_ExternalPtrTag(ptr) == tag_of(kind);
}

static void *address(SEXP ptr, const char *kind)
{
    if (!glue_is_pointer(ptr, kind)) {
        lam_error err;
        glue_check(lam_fail(&err, LAM_ESTATE, "This is not lamina's pointer to a %s.", kind), &err);
    }
    return R_ExternalPtrAddr(ptr);
}

static void *alive(SEXP ptr, const char *kind)
{
    void *p = address(ptr, kind);
    if (!p) {
        lam_error err;
        glue_check(lam_fail(&err, LAM_ESTATE, "The pointer to the %s is dead.", kind), &err);
    }
    return p;
}

glue_net *glue_find_net(SEXP ptr)
{
    return ptr == R_NilValue ? NULL : address(ptr, "net");
}

glue_net *glue_get_shapes(SEXP ptr)
{
    return alive(ptr, "net");
}

glue_net *glue_get_net(SEXP ptr)
{
    lam_error err;
    glue_net *g = glue_get_shapes(ptr);
    if (!g->net->weights)
        glue_check(lam_fail(&err, LAM_ESTATE, "The network has no weights."), &err);
    return g;
}

lam_data *glue_get_data(SEXP ptr)
{
    return alive(ptr, "data");
}

lam_loop *glue_get_loop(SEXP ptr)
{
    lam_loop *loop = alive(ptr, "loop");
    glue_get_data(CADR(R_ExternalPtrProtected(ptr))); /* which may have been released */
    return loop;
}

SEXP glue_new_pointer(const char *kind, R_CFinalizer_t finalizer, SEXP keep)
{
    SEXP ptr = PROTECT(R_MakeExternalPtr(NULL, tag_of(kind), keep));
    R_RegisterCFinalizerEx(ptr, finalizer, TRUE);
    UNPROTECT(1);
    return ptr;
}

/* options(lamina.threads =), else LAMINA_THREADS, else every core this process may use; two at
 * the most where R CMD check says so. */
static int wanted_threads(void)
{
    static int fallback;
    SEXP option = Rf_GetOption1(Rf_install("lamina.threads"));
    if (option != R_NilValue && Rf_xlength(option) == 1) {
        int n = Rf_asInteger(option);
        if (n >= 1)
            return n < LAM_MAX_THREADS ? n : LAM_MAX_THREADS;
    }
    if (fallback == 0) {
        const char *wish = getenv("LAMINA_THREADS");
        int n = wish ? atoi(wish) : 0;
        fallback = n >= 1 && n <= LAM_MAX_THREADS ? n : lam_threads_available();
        if (getenv("_R_CHECK_LIMIT_CORES_") && fallback > 2)
            fallback = 2;
    }
    return fallback;
}

/* Ctrl-C in the middle of a computation.  R is asked whether there was one, and may then want to jump to where it is
 * handled; but the core's threads are at work.  So the jump is caught here (R_UnwindProtect), the core told to give
 * up, and when it has come back the jump goes on (R_ContinueUnwind). */
static struct {
    SEXP jump;      /* where R keeps it */
    jmp_buf here;
    bool caught;
    bool asking;    /* R is at work in the middle of a computation */
    uint64_t mode;  /* R's floating point */
} stop;

static SEXP let_through(void *unused)
{
    (void)unused;
    R_CheckUserInterrupt();
    return R_NilValue;
}

static void catch_jump(void *unused, Rboolean jumps)
{
    (void)unused;
    if (jumps)
        longjmp(stop.here, 1);
}

static bool wants_to_stop(void)
{
    lam_fpu_leave(stop.mode);
    stop.asking = true;
    if (setjmp(stop.here) == 0)
        R_UnwindProtect(let_through, NULL, catch_jump, NULL, stop.jump);
    else
        stop.caught = true;
    stop.asking = false;
    lam_fpu_enter();
    return stop.caught;
}

uint64_t glue_enter(void)
{
    lam_error err;
    if (stop.asking) /* what handles an interrupt wants to compute */
        glue_check(lam_fail(&err, LAM_ESTATE, "lamina is in the middle of a computation."), &err);
    if (!stop.jump) {
        stop.jump = R_MakeUnwindCont();
        R_PreserveObject(stop.jump);
    }
    glue_check(lam_threads_set(wanted_threads(), &err), &err);
    lam_asks(wants_to_stop);
    return stop.mode = lam_fpu_enter();
}

void glue_leave(uint64_t mode)
{
    lam_fpu_leave(mode);
    lam_asks(NULL);
    if (stop.caught) {
        stop.caught = false;
        R_ContinueUnwind(stop.jump);
    }
}

/* R itself asks once in a thousand steps of its own, which may be many calls of half a second each. */
void glue_ask(void)
{
    static double asked;
    double now = lam_seconds();
    if (now - asked > 0.05) {
        asked = now;
        R_CheckUserInterrupt();
    }
}

/* For loops in R whose steps are few and long. */
SEXP ffi_ask(void)
{
    glue_ask();
    return R_NilValue;
}

SEXP ffi_threads(void)
{
    return Rf_ScalarInteger(wanted_threads());
}
