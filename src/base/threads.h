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

/* From now on the thread that calls lam_parallel() calls fn(arg) after each of its tasks, to move along what else is under
 * way; NULL: no more. */
void lam_between_tasks(void (*fn)(void *arg), void *arg);

/* The running worker's own LAM_WORKER_SCRATCH bytes, 64-byte aligned.  Valid once
 * lam_threads_set() has succeeded; NULL before. */
void *lam_worker_scratch(int worker);
/* The number of the worker this code runs on; 0 outside lam_parallel(). */
int lam_worker(void);

#endif
