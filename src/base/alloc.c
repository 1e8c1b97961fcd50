#define _GNU_SOURCE
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

static atomic_long fail_at;
static atomic_long live;
static atomic_long calls;

size_t lam_mul(size_t a, size_t b)
{
    return (b != 0 && a > SIZE_MAX / b) ? SIZE_MAX : a * b;
}

size_t lam_add(size_t a, size_t b)
{
    return a > SIZE_MAX - b ? SIZE_MAX : a + b;
}

/* Asks for large pages where a block has room for them, before it is touched: matrices that are read
 * across their rows otherwise miss the table of pages at every row, and the first touch takes ten
 * times as long.  A wish: where the system has none, nothing changes. */
static void wish_large_pages(char *block, size_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)2 << 20;
    uintptr_t from = ((uintptr_t)block + page - 1) & ~(page - 1), to = ((uintptr_t)block + bytes) & ~(page - 1);
    if (bytes >= 2 * page && to > from)
        madvise((void *)from, to - from, MADV_HUGEPAGE);
#else
    (void)block, (void)bytes;
#endif
}

/* The word before the block holds what malloc() gave: C11's aligned_alloc is missing on Windows. */
void *lam_alloc(size_t n, size_t size)
{
    size_t bytes = lam_mul(n, size);
    atomic_fetch_add(&calls, 1);
    if (atomic_load(&fail_at) > 0 && atomic_fetch_sub(&fail_at, 1) == 1)
        return NULL;
    if (bytes > PTRDIFF_MAX - 2 * LAM_ALIGN)
        return NULL;
    char *raw = malloc(bytes + LAM_ALIGN + sizeof(void *));
    if (!raw)
        return NULL;
    uintptr_t at = ((uintptr_t)raw + sizeof(void *) + LAM_ALIGN - 1) & ~(uintptr_t)(LAM_ALIGN - 1);
    void *block = (void *)at;
    ((void **)block)[-1] = raw;
    wish_large_pages(block, bytes);
    memset(block, 0, bytes);
    atomic_fetch_add(&live, 1);
    return block;
}

void lam_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub(&live, 1);
    free(((void **)p)[-1]);
}

lam_status lam_new(void **out, size_t n, size_t size, const char *what, lam_error *err)
{
    *out = lam_alloc(n, size);
    if (*out)
        return LAM_OK;
    return lam_fail(err, LAM_EMEMORY, "Cannot allocate %.1f MiB for %s.",
                    (double)n * (double)size / 1048576.0, what);
}

void lam_alloc_fail_at(long n)
{
    atomic_store(&fail_at, n);
}

long lam_alloc_live(void)
{
    return atomic_load(&live);
}

long lam_alloc_calls(void)
{
    return atomic_load(&calls);
}
