#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "glue/ranks.h"

#include <stdio.h>
#include <stdlib.h>

#ifdef LAM_HAVE_MPI

#include <mpi.h>
#include <unistd.h>

#include "base/sizes.h"

/* Sums that are under way at once, and numbers or bytes of one message: MPI counts in int. */
enum { FLIGHTS = 64, PIECE = 1 << 28 };

static struct {
    glue_ranks open;
    bool is_open;
    pid_t pid; /* a forked child must leave the parent's MPI alone */
    MPI_Comm comm;
    MPI_Request request[FLIGHTS];
    size_t bytes[FLIGHTS];
    int flights, landed; /* how many there are; how many of the first are known to be done */
} mpi;

static lam_status check(int code, const char *what, lam_error *err)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return LAM_OK;
    MPI_Error_string(code, text, &length);
    return lam_fail(err, LAM_ERANKS, "MPI failed to %s: %s", what, text);
}

static lam_status wait_all(lam_ranks *ranks, lam_error *err)
{
    for (int i = 0; i < mpi.flights; i++) {
        int done = 0;
        LAM_TRY(check(MPI_Test(&mpi.request[i], &done, MPI_STATUS_IGNORE), "sum over the ranks", err));
        ranks->traffic.early += done ? lam_ranks_bytes(ranks, mpi.bytes[i]) : 0;
    }
    int code = MPI_Waitall(mpi.flights, mpi.request, MPI_STATUSES_IGNORE);
    mpi.flights = mpi.landed = 0;
    return check(code, "sum over the ranks", err);
}

static lam_status start(lam_ranks *ranks, lam_number kind, void *x, size_t n, lam_error *err)
{
    MPI_Datatype type = kind == LAM_FLOATS ? MPI_FLOAT : MPI_DOUBLE;
    size_t bytes = kind == LAM_FLOATS ? sizeof(float) : sizeof(double);
    for (size_t at = 0; at < n; at += PIECE) {
        if (mpi.flights == FLIGHTS)
            LAM_TRY(wait_all(ranks, err));
        size_t here = lam_least(n - at, PIECE);
        LAM_TRY(check(MPI_Iallreduce(MPI_IN_PLACE, (char *)x + at * bytes, (int)here, type, MPI_SUM, mpi.comm,
                                     &mpi.request[mpi.flights]),
                      "begin a sum over the ranks", err));
        mpi.bytes[mpi.flights++] = here * bytes;
    }
    return LAM_OK;
}

/* Asks for the oldest that is not done: that moves all along. */
static lam_status poke(lam_ranks *ranks, lam_error *err)
{
    int done = 1;
    (void)ranks;
    while (mpi.landed < mpi.flights && done) {
        LAM_TRY(check(MPI_Request_get_status(mpi.request[mpi.landed], &done, MPI_STATUS_IGNORE), "sum over the ranks", err));
        mpi.landed += done != 0;
    }
    return LAM_OK;
}

static lam_status sum(lam_ranks *ranks, double *x, size_t n, lam_error *err)
{
    (void)ranks;
    for (size_t at = 0; at < n; at += PIECE)
        LAM_TRY(check(MPI_Allreduce(MPI_IN_PLACE, x + at, (int)lam_least(n - at, PIECE), MPI_DOUBLE, MPI_SUM, mpi.comm),
                      "sum over the ranks", err));
    return LAM_OK;
}

static lam_status send(lam_ranks *ranks, int from, void *bytes, size_t n, lam_error *err)
{
    (void)ranks;
    for (size_t at = 0; at < n; at += PIECE)
        LAM_TRY(check(MPI_Bcast((char *)bytes + at, (int)lam_least(n - at, PIECE), MPI_BYTE, from, mpi.comm),
                      "send to all ranks", err));
    return LAM_OK;
}

static const lam_ranks_type type = {.start = start, .poke = poke, .wait = wait_all, .sum = sum, .send = send};

static bool running(void)
{
    int started = 0, ended = 0;
    MPI_Initialized(&started);
    MPI_Finalized(&ended);
    return started && !ended;
}

void glue_ranks_abort(const char *why)
{
    const lam_ranks *r = &mpi.open.ranks;
    fprintf(stderr, "lamina: rank %d of %d %s, so the job ends.\n", r->rank, r->size, why);
    fflush(stderr);
    MPI_Abort(MPI_COMM_WORLD, 1);
    _Exit(1);
}

/* The others would wait for a rank that has gone: an error ends them too. */
static void leave(int status, void *arg)
{
    (void)arg;
    if (getpid() != mpi.pid || !running())
        return;
    if (status != 0)
        glue_ranks_abort("ended with an error");
    MPI_Finalize();
}

#ifdef __GLIBC__
static bool watch_end(void)
{
    return on_exit(leave, NULL) == 0;
}
#else
/* The status is not told: an error outside of fit() leaves it to mpirun to notice. */
static void leave_well(void)
{
    leave(0, NULL);
}

static bool watch_end(void)
{
    return atexit(leave_well) == 0;
}
#endif

/* Up to three ranks OpenMPI 4 sends all of a sum there and back, where a ring sends half of it both ways: with two ranks on
 * one machine a step of the network W3 of bench/ takes 3.5 ms then, and 4.0 otherwise. */
static void prefer_ring(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");
    if (size && atoi(size) < 4)
        setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "1", 0);
}

lam_status glue_ranks_open(glue_ranks **ranks, lam_error *err)
{
    lam_ranks *r = &mpi.open.ranks;
    int provided = 0;
    *ranks = &mpi.open;
    if (mpi.is_open)
        return LAM_OK;
    if (!running()) {
        prefer_ring();
        LAM_TRY(check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start", err));
        mpi.pid = getpid();
        if (!watch_end())
            return lam_fail(err, LAM_ERANKS, "MPI could not be told when R ends.");
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &r->rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r->size);
    LAM_TRY(check(MPI_Comm_dup(MPI_COMM_WORLD, &mpi.comm), "start", err));
    MPI_Comm_set_errhandler(mpi.comm, MPI_ERRORS_RETURN);
    MPI_Comm local;
    LAM_TRY(check(MPI_Comm_split_type(mpi.comm, MPI_COMM_TYPE_SHARED, r->rank, MPI_INFO_NULL, &local), "start", err));
    MPI_Comm_size(local, &mpi.open.local);
    MPI_Comm_free(&local);
    mpi.open.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    r->type = &type;
    mpi.is_open = true;
    return LAM_OK;
}

lam_ranks *glue_ranks_now(void)
{
    return mpi.is_open ? &mpi.open.ranks : NULL;
}

bool glue_ranks_live(void)
{
    return mpi.is_open;
}

const char *glue_mpi_version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length = 0;
    if (!text[0])
        MPI_Get_library_version(text, &length);
    return text;
}

#else

lam_status glue_ranks_open(glue_ranks **ranks, lam_error *err)
{
    *ranks = NULL;
    return lam_fail(err, LAM_ERANKS, "This lamina was installed without MPI.");
}

lam_ranks *glue_ranks_now(void)
{
    return NULL;
}

void glue_ranks_abort(const char *why)
{
    (void)why;
}

bool glue_ranks_live(void)
{
    return false;
}

const char *glue_mpi_version(void)
{
    return NULL;
}

#endif
