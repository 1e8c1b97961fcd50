/* Arithmetic of sizes that cutting work into parts takes. */
#ifndef LAM_BASE_SIZES_H
#define LAM_BASE_SIZES_H

#include <stddef.h>

static inline size_t lam_least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t lam_most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t lam_divide_up(size_t n, size_t by)
{
    return (n + by - 1) / by;
}

/* Where part i of n things begins, when they are cut into parts of equal size or nearly so.  Mostly
 * there is one part, and a division takes as long as a small product. */
static inline size_t lam_part(size_t n, size_t parts, size_t i)
{
    return parts == 1 ? n * i : n * i / parts;
}

#endif
