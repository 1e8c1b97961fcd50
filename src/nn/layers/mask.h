/* What layers that heed a mask share. */
#ifndef LAM_NN_LAYERS_MASK_H
#define LAM_NN_LAYERS_MASK_H

#include <stddef.h>

/* The end of the run that begins at step `from` of n: all of its steps count, or none does. */
static inline size_t lam_mask_run(const unsigned char *mask, size_t from, size_t n)
{
    size_t to = from;
    while (to < n && !mask[to] == !mask[from])
        to++;
    return to;
}

/* How many of n steps count; mask == NULL: all. */
static inline size_t lam_mask_count(const unsigned char *mask, size_t n)
{
    size_t count = mask ? 0 : n;
    for (size_t i = 0; mask && i < n; i++)
        count += mask[i] != 0;
    return count;
}

#endif
