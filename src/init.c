/* Generated from src/glue by tools/make-registrations.R: do not edit. */
#include <R.h>
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

#include "base/threads.h"
#include "kernels/cpu.h"


static const R_CallMethodDef calls[] = {
    {NULL, NULL, 0},
};

attribute_visible void R_init_lamina(DllInfo *dll)
{
    R_registerRoutines(dll, NULL, calls, NULL, NULL);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
    lam_tier_init();
}

attribute_visible void R_unload_lamina(DllInfo *dll)
{
    (void)dll;
    lam_threads_stop();
}
