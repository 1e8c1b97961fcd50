#define _GNU_SOURCE
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#include <unistd.h>
#endif

/* A sanitizer is to see every block go. */
#if defined(__SANITIZE_ADDRESS__) || !defined(__linux__) || !defined(MADV_FREE)
#define SHELF 0
#else
#define SHELF 1
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

/* What calloc() gave stands before a block: C11's aligned_alloc is missing on Windows. */
typedef struct head {
    void *raw;
    size_t bytes;
} head;

static head *head_of(void *block)
{
    return (head *)block - 1;
}

static void give_back(void *block)
{
    free(head_of(block)->raw);
}

/* ---- the shelf ------------------------------------------------------------------------------- */

/* Large blocks that were freed wait here for the next one of their size: the system takes five times as long to
 * clear new pages as we do to clear old ones, and whoever fits a model again needs the same.  Until then the
 * system may take their pages when it runs short (MADV_FREE). */
enum { SLOTS = 8, LARGE_BLOCK = 4 << 20 };

#if SHELF

static _Atomic(void *) slot[SLOTS]; /* a ring: the next block takes the place of the oldest */
static atomic_uint next_slot;
static atomic_size_t shelved;

/* At most 512 MiB, and an eighth of the machine's memory. */
static size_t shelf_room(void)
{
    static atomic_size_t room;
    size_t most = atomic_load(&room);
    if (!most) {
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        most = (size_t)512 << 20;
        if (pages > 0 && page > 0 && (size_t)pages / 8 < most / (size_t)page)
            most = (size_t)pages / 8 * (size_t)page;
        atomic_store(&room, most);
    }
    return most;
}

static void clear_slot(unsigned i, void *next)
{
    void *block = atomic_exchange(&slot[i % SLOTS], next);
    if (block) {
        atomic_fetch_sub(&shelved, head_of(block)->bytes);
        give_back(block);
    }
}

static bool put_on_shelf(void *block)
{
    size_t bytes = head_of(block)->bytes, room = shelf_room();
    if (bytes < LARGE_BLOCK || bytes > room)
        return false;
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)block + page - 1) & ~(page - 1), to = ((uintptr_t)block + bytes) & ~(page - 1);
    madvise((void *)from, to - from, MADV_FREE);
    atomic_fetch_add(&shelved, bytes);
    unsigned i = atomic_fetch_add(&next_slot, 1);
    clear_slot(i, block);
    for (unsigned older = 1; older < SLOTS && atomic_load(&shelved) > room; older++)
        clear_slot(i + older, NULL);
    return true;
}

/* A block of at least this size, and not much larger, cleared; or NULL. */
static void *take_from_shelf(size_t bytes)
{
    if (bytes < LARGE_BLOCK)
        return NULL;
    for (int i = 0; i < SLOTS; i++) {
        void *block = atomic_exchange(&slot[i], NULL), *none = NULL;
        if (!block)
            continue;
        size_t has = head_of(block)->bytes;
        if (has >= bytes && has - bytes <= bytes / 8) {
            atomic_fetch_sub(&shelved, has);
            return memset(block, 0, bytes);
        }
        if (!atomic_compare_exchange_strong(&slot[i], &none, block)) { /* another thread has put one there */
            atomic_fetch_sub(&shelved, has);
            give_back(block);
        }
    }
    return NULL;
}

void lam_alloc_trim(void)
{
    for (unsigned i = 0; i < SLOTS; i++)
        clear_slot(i, NULL);
}

size_t lam_alloc_kept(void)
{
    return atomic_load(&shelved);
}

#else

static bool put_on_shelf(void *block)
{
    (void)block;
    return false;
}

static void *take_from_shelf(size_t bytes)
{
    (void)bytes;
    return NULL;
}

void lam_alloc_trim(void)
{
}

size_t lam_alloc_kept(void)
{
    return 0;
}

#endif

static void *new_block(size_t bytes)
{
    char *raw = calloc(1, bytes + LAM_ALIGN + sizeof(head)); /* leaves large blocks untouched */
    if (!raw)
        return NULL;
    void *block = (void *)(((uintptr_t)raw + sizeof(head) + LAM_ALIGN - 1) & ~(uintptr_t)(LAM_ALIGN - 1));
    *head_of(block) = (head){raw, bytes};
    wish_large_pages(block, bytes);
    return block;
}

void *lam_alloc(size_t n, size_t size)
{
    size_t bytes = lam_mul(n, size);
    atomic_fetch_add(&calls, 1);
    if (atomic_load(&fail_at) > 0 && atomic_fetch_sub(&fail_at, 1) == 1)
        return NULL;
    if (bytes > PTRDIFF_MAX - 2 * LAM_ALIGN)
        return NULL;
    void *block = take_from_shelf(bytes);
    if (!block)
        block = new_block(bytes);
    if (!block) { /* memory is short */
        lam_alloc_trim();
        block = new_block(bytes);
    }
    if (block)
        atomic_fetch_add(&live, 1);
    return block;
}

void lam_free(void *p)
{
    if (!p)
        return;
    atomic_fetch_sub(&live, 1);
    if (!put_on_shelf(p))
        give_back(p);
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
