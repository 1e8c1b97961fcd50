#include "tree.h"

#include <stdlib.h>
#include <string.h>

enum { NAMES = 1, DIM = 2, DEPTH = 64, HEAD = 10 };

/* splitmix64 */
uint64_t next_random(uint64_t *random)
{
    uint64_t z = (*random += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t below(uint64_t n, uint64_t *random)
{
    return n ? next_random(random) % n : 0;
}

static void *get_memory(size_t n, size_t size)
{
    void *p = calloc(n + 1, size);
    if (!p)
        abort();
    return p;
}

/* ---- reading, by a description of its own --------------------------------------------------------- */

typedef struct source {
    const uint8_t *at;
    size_t left;
} source;

static bool take(source *s, void *to, size_t n)
{
    if (s->left < n)
        return false;
    if (n)
        memcpy(to, s->at, n);
    s->at += n;
    s->left -= n;
    return true;
}

/* The machine is little-endian, as the format is. */
static bool read_text(source *s, text *t)
{
    if (!take(s, &t->length, 4))
        return false;
    if (t->length == UINT32_MAX)
        return true;
    if (t->length > s->left)
        return false;
    t->bytes = get_memory(t->length, 1);
    return take(s, t->bytes, t->length);
}

static size_t width(char tag)
{
    return tag == 'R' ? 1 : tag == 'D' ? 8 : 4;
}

static bool read_texts(source *s, uint64_t n, text **out)
{
    if (n > s->left / 4)
        return false;
    *out = get_memory(n, sizeof(text));
    for (uint64_t i = 0; i < n; i++)
        if (!read_text(s, &(*out)[i]))
            return false;
    return true;
}

static bool read_head(source *s, char *tag, uint8_t *flags, uint64_t *n)
{
    return take(s, tag, 1) && take(s, flags, 1) && take(s, n, 8);
}

static bool read_tree(source *s, int depth, tree **out)
{
    uint8_t flags, inner;
    char tag;
    uint64_t n;
    tree *t = *out = get_memory(1, sizeof(tree));
    if (depth > DEPTH || !read_head(s, &t->tag, &flags, &t->n) || flags > 3 || !t->tag || !strchr("NLIDSRV", t->tag))
        return t->n = 0, false;
    n = t->n;
    t->n = 0; /* until it is there */
    if (t->tag == 'N')
        return n == 0 && flags == 0;
    if (t->tag == 'V') {
        if (n > s->left / HEAD)
            return false;
        t->items = get_memory(n, sizeof(tree *));
        t->n = n;
        for (uint64_t i = 0; i < n; i++)
            if (!read_tree(s, depth + 1, &t->items[i]))
                return false;
    } else if (t->tag == 'S') {
        if (n > s->left / 4)
            return false;
        t->n = n;
        if (!read_texts(s, n, &t->strings))
            return false;
    } else {
        if (n > s->left / width(t->tag))
            return false;
        t->n = n;
        t->numbers = get_memory(n, width(t->tag));
        take(s, t->numbers, n * width(t->tag));
    }
    if (flags & NAMES) {
        if (!read_head(s, &tag, &inner, &n) || tag != 'S' || inner || n != t->n || !read_texts(s, n, &t->names))
            return false;
    }
    if (flags & DIM) {
        if (!read_head(s, &tag, &inner, &n) || tag != 'I' || inner || n == 0 || n > s->left / 4)
            return false;
        t->dim = get_memory(n, 4);
        t->rank = n;
        take(s, t->dim, 4 * n);
    }
    return true;
}

tree *tree_read(const uint8_t *bytes, size_t n)
{
    source s = {bytes, n};
    tree *t = NULL;
    if (read_tree(&s, 0, &t) && s.left == 0)
        return t;
    tree_free(t);
    return NULL;
}

static void free_texts(text *t, uint64_t n)
{
    for (uint64_t i = 0; t && i < n; i++)
        free(t[i].bytes);
    free(t);
}

void tree_free(tree *t)
{
    if (!t)
        return;
    for (uint64_t i = 0; t->items && i < t->n; i++)
        tree_free(t->items[i]);
    free_texts(t->strings, t->n);
    free_texts(t->names, t->n);
    free(t->items);
    free(t->numbers);
    free(t->dim);
    free(t);
}

/* ---- writing -------------------------------------------------------------------------------------- */

typedef struct sink {
    uint8_t *to;
    size_t n, room;
} sink;

static void put(sink *s, const void *from, size_t n)
{
    if (n && s->n + n <= s->room)
        memcpy(s->to + s->n, from, n);
    s->n += n;
}

static void put_head(sink *s, char tag, unsigned flags, uint64_t n)
{
    uint8_t f = (uint8_t)flags;
    put(s, &tag, 1);
    put(s, &f, 1);
    put(s, &n, 8);
}

static void put_texts(sink *s, const text *t, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        put(s, &t[i].length, 4);
        if (t[i].length != UINT32_MAX)
            put(s, t[i].bytes, t[i].length);
    }
}

static void put_tree(sink *s, const tree *t)
{
    put_head(s, t->tag, (t->names ? NAMES : 0) | (t->dim ? DIM : 0), t->n);
    if (t->tag == 'V')
        for (uint64_t i = 0; i < t->n; i++)
            put_tree(s, t->items[i]);
    else if (t->tag == 'S')
        put_texts(s, t->strings, t->n);
    else if (t->tag != 'N')
        put(s, t->numbers, t->n * width(t->tag));
    if (t->names) {
        put_head(s, 'S', 0, t->n);
        put_texts(s, t->names, t->n);
    }
    if (t->dim) {
        put_head(s, 'I', 0, t->rank);
        put(s, t->dim, 4 * t->rank);
    }
}

size_t tree_write(const tree *t, uint8_t *to, size_t room)
{
    sink s = {to, 0, room};
    put_tree(&s, t);
    return s.n;
}

/* ---- changing ------------------------------------------------------------------------------------- */

static tree *copy_tree(const tree *t)
{
    size_t n = tree_write(t, NULL, 0);
    uint8_t *bytes = get_memory(n, 1);
    tree_write(t, bytes, n);
    tree *out = tree_read(bytes, n);
    free(bytes);
    return out;
}

static uint64_t count_nodes(const tree *t)
{
    uint64_t n = 1;
    for (uint64_t i = 0; t->items && i < t->n; i++)
        n += count_nodes(t->items[i]);
    return n;
}

/* The node that has number *at in the order of the bytes. */
static tree **find_node(tree **t, uint64_t *at)
{
    if ((*at)-- == 0)
        return t;
    for (uint64_t i = 0; (*t)->items && i < (*t)->n; i++) {
        tree **found = find_node(&(*t)->items[i], at);
        if (found)
            return found;
    }
    return NULL;
}

static void set_text(text *t, const char *bytes, uint32_t length)
{
    free(t->bytes);
    t->bytes = get_memory(length, 1);
    memcpy(t->bytes, bytes, length);
    t->length = length;
}

static void change_text(text *t, uint64_t *random)
{
    static const char *const words[] = {"", "relu", "dense", "type", "config", "units", "lstm", "conv_2d", "NA",
                                        "softmax", "adam", "name", "\xC3\xA9", "layer"};
    uint64_t k = below(17, random);
    if (k < 14)
        set_text(t, words[k], (uint32_t)strlen(words[k]));
    else if (k == 14 || t->length == UINT32_MAX || t->length == 0)
        t->length = UINT32_MAX;
    else if (k == 15)
        t->length = (uint32_t)below(t->length, random);
    else
        t->bytes[below(t->length, random)] = (char)next_random(random);
}

static double odd_double(uint64_t *random)
{
    static const double odd[] = {0, -0.0, 1, -1, 2, 3, 4, 7, 8, 0.5, 1e-320, 255, 256, 65536, 1e6, 2147483647, 2147483648.0, 4294967296.0,
                                 1e12, 9e15, 1e18, 1.8446744073709552e19, 1e300, -1e300, -2147483648.0};
    uint64_t k = below(sizeof odd / sizeof odd[0] + 4, random), bits = next_random(random);
    double d;
    if (k < sizeof odd / sizeof odd[0])
        return odd[k];
    if (k == sizeof odd / sizeof odd[0])
        return (double)below(64, random);
    memcpy(&d, &bits, 8);
    return k % 2 ? d : (bits & 1 ? __builtin_nan("") : __builtin_inf());
}

static int32_t odd_integer(uint64_t *random)
{
    static const int32_t odd[] = {0, 1, -1, 2, 3, 127, 255, 65535, INT32_MAX, INT32_MIN, INT32_MIN + 1, 1 << 20};
    uint64_t k = below(14, random);
    return k < 12 ? odd[k] : (int32_t)next_random(random);
}

static void change_numbers(tree *t, uint64_t *random)
{
    uint64_t i = below(t->n, random);
    double d = odd_double(random);
    int32_t v = t->tag == 'L' ? (int32_t)below(2, random) : odd_integer(random);
    if (t->n == 0)
        return;
    if (t->tag == 'D')
        memcpy(t->numbers + 8 * i, &d, 8);
    else if (t->tag == 'R')
        t->numbers[i] = (unsigned char)next_random(random);
    else
        memcpy(t->numbers + 4 * i, &v, 4);
}

/* Element i twice, or not at all. */
static void resize(tree *t, uint64_t i, bool more)
{
    uint64_t n = more ? t->n + 1 : t->n - 1;
    size_t w = t->tag == 'V' ? sizeof(tree *) : t->tag == 'S' ? sizeof(text) : width(t->tag);
    void **part = t->tag == 'V' ? (void **)&t->items : t->tag == 'S' ? (void **)&t->strings : (void **)&t->numbers;
    char *old = *part, *fresh = get_memory(n, w);
    memcpy(fresh, old, w * (size_t)(more ? i + 1 : i));
    memcpy(fresh + w * (size_t)(i + more), old + w * (size_t)(i + !more), w * (size_t)(t->n - i - !more));
    if (t->tag == 'V' && more)
        ((tree **)(void *)fresh)[i + 1] = copy_tree(t->items[i]);
    if (t->tag == 'V' && !more)
        tree_free(t->items[i]);
    if (t->tag == 'S') {
        text *texts = (text *)(void *)fresh;
        if (more && texts[i].bytes) {
            texts[i + 1].bytes = NULL;
            set_text(&texts[i + 1], texts[i].bytes, texts[i].length == UINT32_MAX ? 0 : texts[i].length);
        } else if (!more) {
            free(t->strings[i].bytes);
        }
    }
    if (t->names) {
        text *names = get_memory(n, sizeof(text));
        for (uint64_t k = 0; k < n; k++) {
            const text *from = &t->names[k <= i ? (more || k < i ? k : k + 1) : more ? k - 1 : k + 1];
            if (from->length == UINT32_MAX)
                names[k].length = UINT32_MAX;
            else
                set_text(&names[k], from->bytes, from->length);
        }
        free_texts(t->names, t->n);
        t->names = names;
    }
    free(old);
    *part = fresh;
    t->n = n;
}

static tree *new_tree(uint64_t *random)
{
    tree *t = get_memory(1, sizeof *t);
    t->tag = "NLIDSRV"[below(7, random)];
    t->n = t->tag == 'N' ? 0 : below(3, random);
    if (t->tag == 'V') {
        t->items = get_memory(t->n, sizeof(tree *));
        for (uint64_t i = 0; i < t->n; i++) {
            t->items[i] = get_memory(1, sizeof(tree));
            t->items[i]->tag = 'N';
        }
    } else if (t->tag == 'S') {
        t->strings = get_memory(t->n, sizeof(text));
        for (uint64_t i = 0; i < t->n; i++)
            change_text(&t->strings[i], random);
    } else if (t->tag != 'N') {
        t->numbers = get_memory(t->n, 8);
        for (uint64_t i = 0; i < t->n; i++)
            change_numbers(t, random);
    }
    return t;
}

/* *t is taken from another place. */
static void replace(tree **t, const tree *other, uint64_t *random)
{
    tree *lender = copy_tree(other);
    uint64_t at = lender ? below(count_nodes(lender), random) : 0;
    tree *fresh = lender ? copy_tree(*find_node(&lender, &at)) : NULL;
    tree_free(lender);
    if (!fresh) /* it had something that cannot be read back */
        fresh = new_tree(random);
    tree_free(*t);
    *t = fresh;
}

void tree_change(tree *root, const tree *other, uint64_t *random)
{
    uint64_t at = below(count_nodes(root), random);
    tree *top = root, **found = find_node(&top, &at), *t = *found;
    switch (below(10, random)) {
    case 0:
        if (t != root)
            replace(found, below(2, random) ? root : other, random);
        return;
    case 1:
        if (t != root) {
            tree_free(t);
            *found = new_tree(random);
        }
        return;
    case 2:
    case 3:
        if (t->n && t->n < 1000 && t->tag != 'N' && !t->dim)
            resize(t, below(t->n, random), below(2, random));
        return;
    case 4:
        if (t->names && t->n)
            change_text(&t->names[below(t->n, random)], random);
        return;
    case 5:
        if (t->names)
            free_texts(t->names, t->n);
        t->names = NULL;
        return;
    default:
        if (t->tag == 'S' && t->n)
            change_text(&t->strings[below(t->n, random)], random);
        else if (t->tag != 'V' && t->tag != 'N')
            change_numbers(t, random);
    }
}
