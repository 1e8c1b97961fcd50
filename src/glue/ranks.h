/* The ranks that this process trains with: those of its MPI job.  Without MPI (LAM_HAVE_MPI is not defined) there are
 * none, and glue_ranks_open() says so. */
#ifndef LAM_GLUE_RANKS_H
#define LAM_GLUE_RANKS_H

#include <stdbool.h>

#include "base/ranks.h"

/* NULL: lamina was compiled without. */
const char *glue_mpi_version(void);

typedef struct glue_ranks {
    lam_ranks ranks;
    int local; /* ranks on this machine, this one included */
    int cores; /* of this machine */
} glue_ranks;

/* Starts MPI when it is first called.  A process that then ends with an error ends the whole job, and any other
 * waits at its end for the rest. */
lam_status glue_ranks_open(glue_ranks **ranks, lam_error *err);
/* What is open, or NULL. */
lam_ranks *glue_ranks_now(void);
/* Ends the job, all its processes, and does not return. */
void glue_ranks_abort(const char *why);
/* MPI runs, so the code that ends it must stay in memory. */
bool glue_ranks_live(void);

#endif
