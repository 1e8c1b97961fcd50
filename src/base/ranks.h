/* Ranks: processes that train one network together, numbered 0 .. size - 1.
 *
 * What they say to each other goes through a table of functions, so that the core knows of no library
 * for it; NULL in place of a lam_ranks is a process alone.  All ranks call the same functions in the same order,
 * from the thread that began.  Sums are taken in an order that depends on the number of ranks only, and give the
 * same bits on every rank.
 *
 * Layers that ask the other ranks cannot fail, so a failure stays in ranks->error: what follows does nothing, and
 * lam_ranks_status() tells. */
#ifndef LAM_BASE_RANKS_H
#define LAM_BASE_RANKS_H

#include <stdint.h>

#include "base/status.h"

typedef enum { LAM_FLOATS, LAM_DOUBLES } lam_number;

typedef struct lam_ranks lam_ranks;

typedef struct lam_ranks_type {
    /* Begins to replace x, on every rank, by the sum over the ranks. */
    lam_status (*start)(lam_ranks *ranks, lam_number kind, void *x, size_t n, lam_error *err);
    /* Moves along what has begun; does not wait. */
    lam_status (*poke)(lam_ranks *ranks, lam_error *err);
    /* Until all that has begun is done; adds to traffic.early. */
    lam_status (*wait)(lam_ranks *ranks, lam_error *err);
    /* The sum at once, whatever else has begun. */
    lam_status (*sum)(lam_ranks *ranks, double *x, size_t n, lam_error *err);
    /* What rank `from` has in `bytes`, for all. */
    lam_status (*send)(lam_ranks *ranks, int from, void *bytes, size_t n, lam_error *err);
} lam_ranks_type;

/* What went over to others, counted as a ring of ranks would send it: 2 (size - 1) / size of a sum's bytes. */
typedef struct lam_traffic {
    double bytes, sums;
    double early;   /* of the bytes, those of sums that were done when lam_ranks_wait() was called */
    double seconds; /* that this rank did nothing but wait */
} lam_traffic;

struct lam_ranks {
    const lam_ranks_type *type;
    int rank, size;
    lam_traffic traffic;
    lam_error error; /* the first failure; its code is LAM_OK until there is one */
    double poke_at;  /* not before */
};

/* What a sum of so many bytes counts. */
double lam_ranks_bytes(const lam_ranks *ranks, size_t bytes);

/* LAM_OK, or the first failure. */
lam_status lam_ranks_status(const lam_ranks *ranks, lam_error *err);

void lam_ranks_start(lam_ranks *ranks, lam_number kind, void *x, size_t n);
/* To be called often: it sees to it that it takes a twentieth of the time at most. */
void lam_ranks_poke(lam_ranks *ranks);
void lam_ranks_wait(lam_ranks *ranks);
void lam_ranks_sum(lam_ranks *ranks, double *x, size_t n);
void lam_ranks_send(lam_ranks *ranks, int from, void *bytes, size_t n);

#endif
