/* What ranks tell each other from R. */
#include <string.h>

#include "glue/handle.h"
#include "glue/ranks.h"

static lam_ranks *get_ranks(void)
{
    lam_error err;
    lam_ranks *ranks = glue_ranks_now();
    if (!ranks)
        glue_check(lam_fail(&err, LAM_ERANKS, "There are no ranks: mpi_strategy() has not been called."), &err);
    return ranks;
}

static void check_ranks(const lam_ranks *ranks)
{
    lam_error err;
    glue_check(lam_ranks_status(ranks, &err), &err);
}

/* The library's name, or NULL. */
SEXP ffi_ranks_version(void)
{
    const char *version = glue_mpi_version();
    return version ? Rf_mkString(version) : R_NilValue;
}

/* c(rank, size, ranks on this machine, cores of this machine) */
SEXP ffi_ranks_open(void)
{
    lam_error err;
    glue_ranks *open = NULL;
    glue_check(glue_ranks_open(&open, &err), &err);
    SEXP out = Rf_allocVector(INTSXP, 4);
    INTEGER(out)[0] = open->ranks.rank;
    INTEGER(out)[1] = open->ranks.size;
    INTEGER(out)[2] = open->local;
    INTEGER(out)[3] = open->cores;
    return out;
}

SEXP ffi_ranks_live(void)
{
    return Rf_ScalarLogical(glue_ranks_live());
}

SEXP ffi_ranks_abort(SEXP why)
{
    glue_ranks_abort(glue_string(why, "why"));
    return R_NilValue;
}

/* Numbers summed over the ranks. */
SEXP ffi_ranks_sum(SEXP x)
{
    lam_ranks *ranks = get_ranks();
    if (TYPEOF(x) != REALSXP)
        glue_refuse(LAM_EARGUMENT, "x", "numbers", Rf_type2char((SEXPTYPE)TYPEOF(x)));
    SEXP out = PROTECT(Rf_duplicate(x));
    lam_ranks_sum(ranks, REAL(out), (size_t)Rf_xlength(out));
    check_ranks(ranks);
    UNPROTECT(1);
    return out;
}

/* The raw vector that rank `from` (0-based) gives; what the others give does not matter. */
SEXP ffi_ranks_send(SEXP from, SEXP bytes)
{
    lam_ranks *ranks = get_ranks();
    size_t number = glue_count(from, "from");
    if (number >= (size_t)ranks->size)
        glue_refuse(LAM_EARGUMENT, "from", "the number of a rank", "another number");
    int sender = (int)number;
    bool mine = ranks->rank == sender;
    if (mine && TYPEOF(bytes) != RAWSXP)
        glue_refuse(LAM_EARGUMENT, "bytes", "a raw vector", Rf_type2char((SEXPTYPE)TYPEOF(bytes)));
    double n = mine ? (double)Rf_xlength(bytes) : 0;
    lam_ranks_send(ranks, sender, &n, sizeof n);
    check_ranks(ranks);
    SEXP out = PROTECT(mine ? bytes : Rf_allocVector(RAWSXP, (R_xlen_t)n));
    lam_ranks_send(ranks, sender, RAW(out), (size_t)n);
    check_ranks(ranks);
    UNPROTECT(1);
    return out;
}

/* c(bytes, of these early, sums, seconds waited) since the last call that took them away. */
SEXP ffi_ranks_traffic(SEXP take)
{
    lam_ranks *ranks = get_ranks();
    bool anew = glue_flag(take, "take");
    SEXP out = Rf_allocVector(REALSXP, 4);
    REAL(out)[0] = ranks->traffic.bytes;
    REAL(out)[1] = ranks->traffic.early;
    REAL(out)[2] = ranks->traffic.sums;
    REAL(out)[3] = ranks->traffic.seconds;
    if (anew)
        ranks->traffic = (lam_traffic){0};
    return out;
}

/* held: samples of each rank, or NULL: each has all. */
SEXP ffi_loop_join(SEXP ptr, SEXP held, SEXP batch)
{
    lam_error err;
    size_t *counts = NULL;
    lam_ranks *ranks = get_ranks();
    if (held != R_NilValue) {
        if (TYPEOF(held) != REALSXP || Rf_xlength(held) != ranks->size)
            glue_refuse(LAM_EARGUMENT, "held", "a number of samples for each rank", "something else");
        counts = glue_alloc((size_t)ranks->size, sizeof(size_t), "the share of each rank");
        for (int r = 0; r < ranks->size; r++) {
            if (!(REAL(held)[r] >= 0 && REAL(held)[r] <= UINT32_MAX))
                glue_refuse(LAM_EARGUMENT, "held", "a number of samples for each rank", "another number");
            counts[r] = (size_t)REAL(held)[r];
        }
    }
    glue_check(lam_loop_join(glue_get_loop(ptr), ranks, counts, glue_count(batch, "batch"), &err), &err);
    return R_NilValue;
}

/* The first `rows` of the data as the part of a batch that begins at its row `first`. */
SEXP ffi_loop_feed_share(SEXP ptr, SEXP data, SEXP rows, SEXP first, SEXP batch)
{
    lam_error err;
    glue_check(lam_loop_feed_share(glue_get_loop(ptr), glue_get_data(data), glue_count(rows, "rows"), glue_count(first, "first"),
                                   glue_count(batch, "batch"), &err), &err);
    SETCADR(R_ExternalPtrProtected(ptr), data);
    return R_NilValue;
}

/* ---- fingerprints: do ranks hold the same? ------------------------------------------------------ */

enum { LANES = 8 };

static uint64_t mix_word(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

/* Lanes, or each word would wait for the one before. */
static uint64_t mix(uint64_t hash, const void *p, size_t bytes)
{
    const unsigned char *at = p;
    uint64_t lane[LANES], word[LANES];
    if (!p)
        return mix_word(hash, bytes);
    for (int i = 0; i < LANES; i++)
        lane[i] = hash + (uint64_t)i;
    for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
        memcpy(word, at, sizeof word);
        for (int i = 0; i < LANES; i++)
            lane[i] = mix_word(lane[i], word[i]);
    }
    memset(word, 0, sizeof word);
    memcpy(word, at, bytes);
    for (int i = 0; i < LANES; i++)
        hash = mix_word(mix_word(hash, lane[i]), word[i]);
    return mix_word(hash, bytes);
}

/* As two numbers that doubles hold. */
static SEXP halves(uint64_t hash)
{
    SEXP out = Rf_allocVector(REALSXP, 2);
    REAL(out)[0] = (double)(hash >> 32);
    REAL(out)[1] = (double)(hash & UINT32_MAX);
    return out;
}

SEXP ffi_data_print(SEXP ptr)
{
    const lam_data *d = glue_get_data(ptr);
    size_t nonzeros = d->row_start ? (size_t)d->row_start[d->n] : 0;
    uint64_t hash = mix(d->n, d->x, d->n * d->x_d * sizeof(float));
    hash = mix(hash, d->row_start, d->row_start ? (d->n + 1) * sizeof(uint64_t) : 0);
    hash = mix(hash, d->column, nonzeros * sizeof(uint32_t));
    hash = mix(hash, d->value, nonzeros * sizeof(float));
    hash = mix(hash, d->y, d->n * d->y_d * sizeof(float));
    return halves(mix(hash, d->w, d->w ? d->n * sizeof(float) : 0));
}

SEXP ffi_net_print(SEXP ptr)
{
    const lam_net *net = glue_get_net(ptr)->net;
    size_t bytes = net->n * sizeof(float);
    uint64_t hash = mix(net->batches, net->weights, bytes);
    for (int s = 0; s < net->n_slots; s++)
        hash = mix(hash, net->slot[s], bytes);
    hash = mix(hash, net->ema, net->ema ? bytes : 0);
    return halves(mix(hash, net->accumulated, net->accumulated ? bytes : 0));
}
