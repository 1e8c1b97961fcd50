/* A small pool of workers.
 *
 * lam_parallel() runs fn(arg, task, worker) for task = 0 .. tasks-1 and returns when all are done.
 * Which worker takes which task is not fixed, so a task must compute the same bits whoever runs it:
 * cut the work by its shape, never by the number of threads, and add partial sums in task order.
 * Called from inside a task, with one task, or with one thread, it is a plain loop.
 *
 * Workers wait on a condition variable between calls after a few microseconds of spinning.  After
 * fork() the child starts its own pool when it first needs one. */
#ifndef LAM_BASE_THREADS_H
#define LAM_BASE_THREADS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define LAM_MAX_THREADS 64
/* Bytes that every worker has for itself, for packed panels and partial sums. */
#define LAM_WORKER_SCRATCH ((size_t)4 << 20)

typedef void (*lam_task_fn)(void *arg, size_t task, int worker);

/* Sets how many threads compute (1 .. LAM_MAX_THREADS), starts them and gives each its scratch.
 * Where a thread cannot be started the pool goes on with fewer; that is no error. */
lam_status lam_threads_set(int threads, lam_error *err);
int lam_threads(void);
/* How many of them lam_parallel() would use when called from here: 1 inside a task. */
int lam_threads_here(void);
/* Cores this process may use. */
int lam_threads_available(void);
/* Ends all workers and frees their scratch (unload, tests). */
void lam_threads_stop(void);

void lam_parallel(size_t tasks, lam_task_fn fn, void *arg);

/* Work that takes long can be given up.  ask() says whether to: it is called between tasks, on the thread that
 * called lam_parallel(), 20 times a second at the most, and never twice once it has said yes.  From then on
 * lam_parallel() does nothing, so what is computed is no use; whoever calls it must look at lam_given_up() before
 * anything is kept.  lam_asks() sets ask (NULL: nothing is given up), returns the one before and forgets a yes. */
typedef bool (*lam_ask_fn)(void);
lam_ask_fn lam_asks(lam_ask_fn ask);
bool lam_given_up(void);
/* The same, having asked where it is time to: for tasks that take long themselves. */
bool lam_ask(void);
/* Between two questions; for tests: 0. */
void lam_ask_every(double seconds);
/* From now on the thread that calls lam_parallel() calls fn(arg) after each of its tasks, to move along what else is under
 * way; NULL: no more. */
void lam_between_tasks(void (*fn)(void *arg), void *arg);

/* The running worker's own LAM_WORKER_SCRATCH bytes, 64-byte aligned.  Valid once
 * lam_threads_set() has succeeded; NULL before. */
void *lam_worker_scratch(int worker);
/* The number of the worker this code runs on; 0 outside lam_parallel(). */
int lam_worker(void);

#endif
