/* The bytes of a model file: those that the core takes are those that the reader of tree.c takes and UTF-8
 * allows, and what it then reads is all there is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

#define MUST(cond)                                              \
    do {                                                        \
        if (!(cond)) {                                          \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
            abort();                                            \
        }                                                       \
    } while (0)

/* UTF-8 by what it stands for: a code point in its shortest form, none of them 0 or half of a pair. */
static bool is_utf8(const char *bytes, size_t n)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0; i < n;) {
        static const uint32_t least[] = {1, 0x80, 0x800, 0x10000};
        int more = s[i] < 0x80 ? 0 : s[i] >> 5 == 6 ? 1 : s[i] >> 4 == 14 ? 2 : s[i] >> 3 == 30 ? 3 : -1;
        if (more < 0 || (size_t)more >= n - i)
            return false;
        uint32_t point = more == 0 ? s[i] : s[i] & (0x3Fu >> more);
        for (int k = 1; k <= more; k++) {
            if (s[i + (size_t)k] >> 6 != 2)
                return false;
            point = point << 6 | (s[i + (size_t)k] & 0x3Fu);
        }
        if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000))
            return false;
        i += (size_t)more + 1;
    }
    return true;
}

static bool good_texts(const text *t, uint64_t n, bool na)
{
    for (uint64_t i = 0; i < n; i++)
        if (t[i].length == UINT32_MAX ? !na : !is_utf8(t[i].bytes, t[i].length))
            return false;
    return true;
}

static bool good(const tree *t)
{
    if (t->tag == 'S' && !good_texts(t->strings, t->n, true))
        return false;
    if (t->names && !good_texts(t->names, t->n, false))
        return false;
    for (uint64_t i = 0; t->tag == 'L' && i < t->n; i++) {
        int32_t v;
        memcpy(&v, t->numbers + 4 * i, 4);
        if (v != 0 && v != 1 && v != INT32_MIN)
            return false;
    }
    if (t->dim) {
        long double count = 1;
        for (uint64_t i = 0; i < t->rank; i++) {
            if (t->dim[i] < 0)
                return false;
            count *= t->dim[i];
            if (count > 18446744073709551615.0L)
                return false;
        }
        if (count != (long double)t->n)
            return false;
    }
    for (uint64_t i = 0; t->items && i < t->n; i++)
        if (!good(t->items[i]))
            return false;
    return true;
}

static void check_texts(lam_codec *c, const text *t, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        size_t length;
        const char *s = lam_codec_string(c, &length);
        MUST((s == NULL) == (t[i].length == UINT32_MAX));
        MUST(!s || (length == t[i].length && memcmp(s, t[i].bytes, length) == 0));
    }
}

static void check_same(lam_codec *c, const tree *t)
{
    lam_codec_head head = lam_codec_value(c);
    MUST(head.tag == t->tag && head.n == t->n);
    MUST(!(head.flags & LAM_CODEC_NAMES) == !t->names && !(head.flags & LAM_CODEC_DIM) == !t->dim);
    if (t->tag == 'V')
        for (uint64_t i = 0; i < t->n; i++)
            check_same(c, t->items[i]);
    else if (t->tag == 'S')
        check_texts(c, t->strings, t->n);
    else if (t->tag == 'D')
        for (uint64_t i = 0; i < t->n; i++) {
            double v = lam_codec_double(c);
            MUST(memcmp(&v, t->numbers + 8 * i, 8) == 0);
        }
    else if (t->tag == 'R')
        MUST(memcmp(lam_codec_bytes(c, t->n), t->numbers, t->n) == 0);
    else if (t->tag != 'N')
        for (uint64_t i = 0; i < t->n; i++) {
            uint32_t v = (uint32_t)lam_codec_number(c, 4);
            MUST(memcmp(&v, t->numbers + 4 * i, 4) == 0);
        }
    if (t->names) {
        lam_codec_value(c);
        check_texts(c, t->names, t->n);
    }
    if (t->dim) {
        head = lam_codec_value(c);
        MUST(head.n == t->rank);
        for (uint64_t i = 0; i < head.n; i++)
            MUST((int32_t)lam_codec_number(c, 4) == t->dim[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    lam_error err;
    tree *t = tree_read(bytes, n);
    bool taken = lam_codec_check(bytes, n, &err) == LAM_OK;
    MUST(taken == (t && good(t)));
    MUST(lam_utf8_valid((const char *)bytes, n) == is_utf8((const char *)bytes, n));
    lam_checksum(bytes, n);
    if (taken) {
        lam_codec c = {bytes, n};
        check_same(&c, t);
        MUST(c.left == 0);
    }
    tree_free(t);
    return 0;
}
