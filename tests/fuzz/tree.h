/* Model files' values as trees that can be changed: what the mutator works on, and what the targets check the
 * core's reader against.  Nothing of the core's is used here but the names of its limits. */
#ifndef LAM_FUZZ_TREE_H
#define LAM_FUZZ_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct text {
    uint32_t length; /* all ones: NA */
    char *bytes;
} text;

typedef struct tree {
    char tag;
    uint64_t n;
    unsigned char *numbers; /* L, I, D, R */
    text *strings;          /* S */
    struct tree **items;    /* V */
    text *names;            /* NULL: none */
    int32_t *dim;
    uint64_t rank;
} tree;

/* NULL: no value, or bytes behind it. */
tree *tree_read(const uint8_t *bytes, size_t n);
void tree_free(tree *t);
/* Writes t into at most `room` bytes; returns how many it takes. */
size_t tree_write(const tree *t, uint8_t *to, size_t room);
/* One change somewhere in t, drawn from *random; `other` lends parts of itself. */
void tree_change(tree *t, const tree *other, uint64_t *random);

uint64_t next_random(uint64_t *random);

#endif
