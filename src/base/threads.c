#define _GNU_SOURCE
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/fpu.h"
#include "base/sizes.h"

#if defined(__x86_64__) || defined(__i386__)
#define LAM_PAUSE() __builtin_ia32_pause()
#else
#define LAM_PAUSE() atomic_signal_fence(memory_order_seq_cst)
#endif

/* A worker spins for so long before it sleeps: longer than what one thread does alone in a training
 * step, for a core that sleeps takes 50 us and more to come back (on a virtual machine), and far shorter
 * than anything a user could see in `top`. */
static const double spin_seconds = 1e-4;
enum { PAUSES = 64, PAUSES_BEFORE_YIELD = 2000 };

static struct {
    int threads;                      /* as asked for, the caller's thread included */
    int started;                      /* workers running: numbers 1 .. started */
    pthread_t thread[LAM_MAX_THREADS];
    char *scratch[LAM_MAX_THREADS];
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int sleeping;                     /* under mutex */
    atomic_uint generation;           /* a new job is there when it moves */
    atomic_int stop;
    /* The tasks fall into as many runs as there are threads: the next to take of each, and its end. */
    struct {
        _Alignas(64) atomic_size_t next;
        size_t end;
    } run[LAM_MAX_THREADS];
    atomic_int busy;                  /* workers that have not left the job yet */
    void (*between)(void *arg);       /* for the caller's thread alone */
    void *between_arg;
    lam_task_fn fn;
    void *arg;
    lam_ask_fn ask;
    double asked;
    atomic_bool given_up;
} pool = {.threads = 1, .mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local int this_worker;
static _Thread_local int inside;

static double ask_seconds = 0.05;

void lam_ask_every(double seconds)
{
    ask_seconds = seconds;
}

lam_ask_fn lam_asks(lam_ask_fn ask)
{
    lam_ask_fn before = pool.ask;
    pool.ask = ask;
    atomic_store(&pool.given_up, false);
    return before;
}

bool lam_given_up(void)
{
    return atomic_load_explicit(&pool.given_up, memory_order_relaxed);
}

bool lam_ask(void)
{
    if (this_worker == 0 && pool.ask && !lam_given_up()) {
        double now = lam_seconds();
        if (now - pool.asked >= ask_seconds) {
            pool.asked = now;
            if (pool.ask())
                atomic_store(&pool.given_up, true);
        }
    }
    return lam_given_up();
}

static inline void after_task(int worker)
{
    if (worker == 0 && pool.between)
        pool.between(pool.between_arg);
}

void lam_between_tasks(void (*fn)(void *arg), void *arg)
{
    pool.between_arg = arg;
    pool.between = fn;
}

/* A thread takes its own run of tasks first, so that one part of a batch stays with one core from layer
 * to layer, and then helps the others. */
static void run_tasks(int worker)
{
    int threads = pool.started + 1;
    inside = 1;
    for (int i = 0, w = worker; i < threads; i++, w = w + 1 == threads ? 0 : w + 1)
        for (;;) {
            size_t task = atomic_fetch_add_explicit(&pool.run[w].next, 1, memory_order_relaxed);
            if (task >= pool.run[w].end || lam_ask())
                break;
            pool.fn(pool.arg, task, worker);
            after_task(worker);
        }
    inside = 0;
}

static void *worker_main(void *arg)
{
    int me = (int)(intptr_t)arg;
    unsigned seen = 0;
    this_worker = me;
    lam_fpu_enter();
    for (;;) {
        double until = 0;
        for (unsigned spins = 0; atomic_load_explicit(&pool.generation, memory_order_acquire) == seen; spins++) {
            LAM_PAUSE();
            if (spins % PAUSES != 0) /* the clock is asked seldom: a pause takes 10 to 150 cycles */
                continue;
            if (until == 0)
                until = lam_seconds() + spin_seconds;
            if (lam_seconds() < until)
                continue;
            pthread_mutex_lock(&pool.mutex);
            pool.sleeping++;
            while (atomic_load(&pool.generation) == seen)
                pthread_cond_wait(&pool.wake, &pool.mutex);
            pool.sleeping--;
            pthread_mutex_unlock(&pool.mutex);
        }
        seen = atomic_load_explicit(&pool.generation, memory_order_acquire);
        if (atomic_load(&pool.stop))
            return NULL;
        run_tasks(me);
        atomic_fetch_sub_explicit(&pool.busy, 1, memory_order_acq_rel);
    }
}

/* Under the mutex, so that a worker on its way to sleep cannot miss it. */
static void new_generation(void)
{
    pthread_mutex_lock(&pool.mutex);
    atomic_fetch_add_explicit(&pool.generation, 1, memory_order_release);
    if (pool.sleeping)
        pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.mutex);
}

void lam_parallel(size_t tasks, lam_task_fn fn, void *arg)
{
    if (tasks <= 1 || inside || pool.started == 0) {
        if (tasks == 1 && !lam_given_up()) { /* often short: no look at the clock */
            fn(arg, 0, this_worker);
            after_task(this_worker);
        }
        for (size_t task = 0; tasks > 1 && task < tasks && !lam_ask(); task++) {
            fn(arg, task, this_worker);
            after_task(this_worker);
        }
        return;
    }
    pool.fn = fn;
    pool.arg = arg;
    size_t threads = (size_t)pool.started + 1;
    for (size_t w = 0; w < threads; w++) {
        atomic_store(&pool.run[w].next, lam_part(tasks, threads, w));
        pool.run[w].end = lam_part(tasks, threads, w + 1);
    }
    atomic_store(&pool.busy, pool.started);
    new_generation();
    run_tasks(0);
    for (int spins = 0; atomic_load_explicit(&pool.busy, memory_order_acquire) > 0; spins++) {
        LAM_PAUSE();
        if (spins >= PAUSES_BEFORE_YIELD) {
            sched_yield(); /* another process has our worker's core */
            lam_ask();
        }
    }
}

static void stop_workers(void)
{
    if (pool.started == 0)
        return;
    atomic_store(&pool.stop, 1);
    new_generation();
    for (int i = 1; i <= pool.started; i++)
        pthread_join(pool.thread[i], NULL);
    atomic_store(&pool.stop, 0);
    atomic_store(&pool.generation, 0);
    pool.started = 0;
}

void lam_threads_stop(void)
{
    stop_workers();
    for (int i = 0; i < LAM_MAX_THREADS; i++) {
        lam_free(pool.scratch[i]);
        pool.scratch[i] = NULL;
    }
    pool.threads = 1;
}

/* In the child of a fork only the calling thread lives on: forget the others, keep the scratch. */
static void after_fork(void)
{
    pool.started = 0;
    pool.sleeping = 0;
    atomic_store(&pool.generation, 0);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.wake, NULL);
}

static void watch_fork(void)
{
#if !defined(_WIN32)
    pthread_atfork(NULL, NULL, after_fork);
#endif
}

lam_status lam_threads_set(int threads, lam_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_fork);
    if (threads < 1 || threads > LAM_MAX_THREADS)
        return lam_fail_arg(err, LAM_EARGUMENT, "threads", "a number from 1 to 64", "%d", threads);
    if (threads == pool.threads && pool.started == threads - 1 && pool.scratch[0])
        return LAM_OK;
    for (int i = 0; i < threads; i++) {
        if (pool.scratch[i])
            continue;
        void *scratch = NULL;
        LAM_TRY(lam_new(&scratch, LAM_WORKER_SCRATCH, 1, "the scratch of a thread", err));
        pool.scratch[i] = scratch;
    }
    stop_workers();
    pool.threads = threads;
    /* Signals (Ctrl-C) are for the thread that runs R: the workers are born deaf to them. */
#if !defined(_WIN32)
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
#endif
    for (int i = 1; i < threads; i++) {
        if (pthread_create(&pool.thread[i], NULL, worker_main, (void *)(intptr_t)i) != 0)
            break;
        pool.started = i;
    }
#if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &before, NULL);
#endif
    return LAM_OK;
}

int lam_threads(void)
{
    return pool.threads;
}

int lam_threads_here(void)
{
    return inside ? 1 : pool.threads;
}

int lam_threads_available(void)
{
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        int n = CPU_COUNT(&set);
        return n < 1 ? 1 : n > LAM_MAX_THREADS ? LAM_MAX_THREADS : n;
    }
#endif
#if defined(_SC_NPROCESSORS_ONLN)
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > LAM_MAX_THREADS ? LAM_MAX_THREADS : (int)n;
#else
    return 1;
#endif
}

void *lam_worker_scratch(int worker)
{
    return pool.scratch[worker];
}

int lam_worker(void)
{
    return this_worker;
}
