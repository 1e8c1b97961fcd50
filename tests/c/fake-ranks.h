/* Ranks that are threads of this process, for tests of what ranks work out together.
 *
 * One thread runs at a time: whoever runs holds the mutex and gives it up only while it waits for others.  So the
 * engine's pool and scratch, of which a process has one, serve all. */
#ifndef LAM_TESTS_FAKE_RANKS_H
#define LAM_TESTS_FAKE_RANKS_H

#include <pthread.h>

#include "base/ranks.h"
#include "unit.h"

enum { FAKE_RANKS = 8, FAKE_SUMS = 4096 };

typedef struct fake_sum {
    lam_number kind;
    size_t n;
    void *x[FAKE_RANKS]; /* NULL: a rank that has failed since */
    int arrived, from; /* from: the rank that sends; -1: a sum */
} fake_sum;

typedef struct fake_world {
    pthread_mutex_t mutex;
    pthread_cond_t moved;
    int size;
    size_t fail_at; /* this sum fails on all ranks; 0: none does */
    fake_sum sum[FAKE_SUMS]; /* a ring: in the order in which each rank begins them */
    size_t mixed; /* calls in which ranks did not ask for the same */
} fake_world;

typedef struct fake_rank {
    lam_ranks ranks;
    fake_world *world;
    size_t begun, in_flight;
} fake_rank;

static double fake_get(const fake_sum *s, int r, size_t i)
{
    return s->kind == LAM_FLOATS ? ((float *)s->x[r])[i] : ((double *)s->x[r])[i];
}

static void fake_set(const fake_sum *s, int r, size_t i, double value)
{
    if (s->kind == LAM_FLOATS)
        ((float *)s->x[r])[i] = (float)value;
    else
        ((double *)s->x[r])[i] = value;
}

static void fake_add(const fake_sum *s, int size)
{
    for (size_t i = 0; i < s->n; i++) {
        double sum = 0;
        for (int r = 0; r < size; r++)
            sum += s->x[r] ? fake_get(s, r, i) : 0;
        for (int r = 0; r < size; r++)
            if (s->x[r])
                fake_set(s, r, i, sum);
    }
}

/* A rank that fails frees what it has; nobody may touch that afterwards. */
static lam_status fake_fail(fake_rank *me, lam_error *err)
{
    for (size_t k = 0; k < FAKE_SUMS; k++)
        if (me->world->sum[k].arrived < me->world->size)
            me->world->sum[k].x[me->ranks.rank] = NULL;
    return lam_fail(err, LAM_ERANKS, "A wire was cut.");
}

static lam_status fake_begin(fake_rank *me, lam_number kind, int from, void *x, size_t n, lam_error *err)
{
    fake_world *w = me->world;
    me->begun++;
    if (w->fail_at && me->begun >= w->fail_at)
        return fake_fail(me, err);
    fake_sum *s = &w->sum[me->begun % FAKE_SUMS];
    if (s->arrived == 0 || s->arrived == w->size)
        *s = (fake_sum){.kind = kind, .n = n, .from = from};
    w->mixed += s->kind != kind || s->n != n || s->from != from;
    s->x[me->ranks.rank] = x;
    if (++s->arrived == w->size) {
        for (int r = 0; from >= 0 && r < w->size; r++)
            if (r != from && s->x[r] && s->x[from])
                memcpy(s->x[r], s->x[from], n);
        if (from < 0)
            fake_add(s, w->size);
        pthread_cond_broadcast(&w->moved);
    }
    return LAM_OK;
}

static void fake_until(fake_rank *me, size_t sum)
{
    fake_world *w = me->world;
    while (w->sum[sum % FAKE_SUMS].arrived < w->size)
        pthread_cond_wait(&w->moved, &w->mutex);
}

static lam_status fake_start(lam_ranks *ranks, lam_number kind, void *x, size_t n, lam_error *err)
{
    fake_rank *me = (fake_rank *)ranks;
    me->in_flight++;
    return fake_begin(me, kind, -1, x, n, err);
}

static lam_status fake_poke(lam_ranks *ranks, lam_error *err)
{
    (void)ranks, (void)err;
    return LAM_OK;
}

static lam_status fake_wait(lam_ranks *ranks, lam_error *err)
{
    fake_rank *me = (fake_rank *)ranks;
    (void)err;
    for (size_t sum = me->begun - me->in_flight + 1; sum <= me->begun; sum++)
        fake_until(me, sum);
    me->in_flight = 0;
    return LAM_OK;
}

/* Sums that have begun before it are in flight still. */
static lam_status fake_sum_now(lam_ranks *ranks, double *x, size_t n, lam_error *err)
{
    fake_rank *me = (fake_rank *)ranks;
    me->in_flight++;
    LAM_TRY(fake_begin(me, LAM_DOUBLES, -1, x, n, err));
    fake_until(me, me->begun);
    return LAM_OK;
}

static lam_status fake_send(lam_ranks *ranks, int from, void *bytes, size_t n, lam_error *err)
{
    fake_rank *me = (fake_rank *)ranks;
    LAM_TRY(fake_begin(me, LAM_FLOATS, from, bytes, n, err));
    fake_until(me, me->begun);
    return LAM_OK;
}

static const lam_ranks_type fake_type = {fake_start, fake_poke, fake_wait, fake_sum_now, fake_send};

typedef void (*fake_fn)(lam_ranks *ranks, void *arg);

typedef struct fake_call {
    fake_rank rank;
    fake_fn fn;
    void *arg;
} fake_call;

static void *fake_main(void *p)
{
    fake_call *call = p;
    pthread_mutex_lock(&call->rank.world->mutex);
    call->fn(&call->rank.ranks, call->arg);
    pthread_mutex_unlock(&call->rank.world->mutex);
    return NULL;
}

/* fn(ranks, arg) on each of `size` ranks.  fail_at: see above. */
static void fake_run(int size, fake_fn fn, void *arg, size_t fail_at)
{
    static fake_world w;
    pthread_t thread[FAKE_RANKS];
    fake_call call[FAKE_RANKS];
    memset(&w, 0, sizeof w);
    pthread_mutex_init(&w.mutex, NULL);
    pthread_cond_init(&w.moved, NULL);
    w.size = size;
    w.fail_at = fail_at;
    for (int r = 0; r < size; r++) {
        call[r] = (fake_call){{{.type = &fake_type, .rank = r, .size = size}, &w, 0, 0}, fn, arg};
        pthread_create(&thread[r], NULL, fake_main, &call[r]);
    }
    for (int r = 0; r < size; r++)
        pthread_join(thread[r], NULL);
    CHECK_INT(w.mixed, 0);
}

#endif
