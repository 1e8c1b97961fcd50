#include "base/ranks.h"

#include <math.h>
#include <stdbool.h>

#include "base/clock.h"

static const double least_pause = 5e-5;

lam_status lam_ranks_status(const lam_ranks *ranks, lam_error *err)
{
    if (ranks->error.code != LAM_OK && err)
        *err = ranks->error;
    return ranks->error.code;
}

/* Whether there is anybody to speak to and nothing has failed. */
static bool speaks(const lam_ranks *ranks)
{
    return ranks->size > 1 && ranks->error.code == LAM_OK;
}

static void keep(lam_ranks *ranks, lam_status status, const lam_error *err)
{
    if (status == LAM_OK)
        return;
    ranks->error = *err;
    ranks->error.code = status;
}

double lam_ranks_bytes(const lam_ranks *ranks, size_t bytes)
{
    return 2 * (double)bytes * (ranks->size - 1) / ranks->size;
}

static void count_sum(lam_ranks *ranks, size_t bytes)
{
    ranks->traffic.sums++;
    ranks->traffic.bytes += lam_ranks_bytes(ranks, bytes);
}

void lam_ranks_start(lam_ranks *ranks, lam_number kind, void *x, size_t n)
{
    lam_error err;
    if (!speaks(ranks) || n == 0)
        return;
    count_sum(ranks, n * (kind == LAM_FLOATS ? sizeof(float) : sizeof(double)));
    keep(ranks, ranks->type->start(ranks, kind, x, n, &err), &err);
}

void lam_ranks_poke(lam_ranks *ranks)
{
    lam_error err;
    if (!speaks(ranks))
        return;
    double since = lam_seconds();
    if (since < ranks->poke_at)
        return;
    keep(ranks, ranks->type->poke(ranks, &err), &err);
    double now = lam_seconds();
    ranks->poke_at = now + fmax(least_pause, 20 * (now - since)); /* where cores are short, it may have to wait for one */
}

void lam_ranks_wait(lam_ranks *ranks)
{
    lam_error err;
    if (!speaks(ranks))
        return;
    double since = lam_seconds();
    keep(ranks, ranks->type->wait(ranks, &err), &err);
    ranks->traffic.seconds += lam_seconds() - since;
}

void lam_ranks_sum(lam_ranks *ranks, double *x, size_t n)
{
    lam_error err;
    if (!speaks(ranks) || n == 0)
        return;
    double since = lam_seconds();
    count_sum(ranks, n * sizeof(double));
    keep(ranks, ranks->type->sum(ranks, x, n, &err), &err);
    ranks->traffic.seconds += lam_seconds() - since;
}

void lam_ranks_send(lam_ranks *ranks, int from, void *bytes, size_t n)
{
    lam_error err;
    if (!speaks(ranks) || n == 0)
        return;
    double since = lam_seconds();
    ranks->traffic.bytes += ranks->rank == from ? (double)n * (ranks->size - 1) : 0;
    keep(ranks, ranks->type->send(ranks, from, bytes, n, &err), &err);
    ranks->traffic.seconds += lam_seconds() - since;
}
