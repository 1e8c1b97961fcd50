/* For libFuzzer: three changes in four are made to the tree. */
#include <stddef.h>
#include <stdint.h>

#include "tree.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t n, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t room, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t n, size_t room, unsigned int seed)
{
    uint64_t random = seed;
    tree *t = next_random(&random) % 4 ? tree_read(bytes, n) : NULL;
    if (!t)
        return LLVMFuzzerMutate(bytes, n, room);
    tree_change(t, t, &random);
    size_t size = tree_write(t, NULL, 0);
    if (size <= room)
        tree_write(t, bytes, room);
    tree_free(t);
    return size <= room ? size : n;
}
