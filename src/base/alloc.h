/* The only allocator of the core.  Blocks are zeroed and aligned to 64 bytes; large ones are kept for a while
 * after they are freed. */
#ifndef LAM_BASE_ALLOC_H
#define LAM_BASE_ALLOC_H

#include <stddef.h>

#include "base/status.h"

#define LAM_ALIGN 64

/* n * size zeroed bytes, or NULL (also when the product overflows).  n == 0 gives a valid block. */
void *lam_alloc(size_t n, size_t size);
void lam_free(void *p);
/* Gives the system back what is kept. */
void lam_alloc_trim(void);

/* *out = lam_alloc(n, size), or LAM_EMEMORY with a message that names `what`. */
lam_status lam_new(void **out, size_t n, size_t size, const char *what, lam_error *err);

/* a * b and a + b that saturate at SIZE_MAX, so that a huge request fails in lam_alloc. */
size_t lam_mul(size_t a, size_t b);
size_t lam_add(size_t a, size_t b);

/* For tests: the n-th allocation from now on fails (and the ones after it succeed); 0 switches off. */
void lam_alloc_fail_at(long n);
/* Blocks handed out and not given back, and calls so far. */
long lam_alloc_live(void);
long lam_alloc_calls(void);
/* Bytes of freed blocks that are kept. */
size_t lam_alloc_kept(void);

#endif
