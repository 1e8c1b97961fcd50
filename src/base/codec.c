#include "base/codec.h"

#include <string.h>

#include "base/alloc.h"

/* ---- reading what was checked -------------------------------------------------------------------- */

const unsigned char *lam_codec_bytes(lam_codec *c, size_t n)
{
    const unsigned char *at = c->at;
    c->at += n;
    c->left -= n;
    return at;
}

uint64_t lam_codec_number(lam_codec *c, int size)
{
    const unsigned char *b = lam_codec_bytes(c, (size_t)size);
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)b[i] << (8 * i);
    return value;
}

double lam_codec_double(lam_codec *c)
{
    uint64_t bits = lam_codec_number(c, 8);
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

lam_codec_head lam_codec_value(lam_codec *c)
{
    lam_codec_head head;
    head.tag = (char)lam_codec_number(c, 1);
    head.flags = (unsigned)lam_codec_number(c, 1);
    head.n = lam_codec_number(c, 8);
    return head;
}

const char *lam_codec_string(lam_codec *c, size_t *n)
{
    uint32_t length = (uint32_t)lam_codec_number(c, 4);
    *n = length == LAM_CODEC_NA_LENGTH ? 0 : length;
    return length == LAM_CODEC_NA_LENGTH ? NULL : (const char *)lam_codec_bytes(c, length);
}

/* ---- checking ------------------------------------------------------------------------------------ */

enum { HEAD = 10 };

/* key: room for a key of every string, or NULL while they are counted. */
typedef struct walk {
    lam_codec c;
    size_t strings;
    uint64_t *key;
} walk;

/* The least bytes that an element takes; 0: no such tag. */
static size_t least_size(char tag)
{
    switch (tag) {
    case 'N': case 'R': return 1;
    case 'L': case 'I': case 'S': return 4;
    case 'D': return 8;
    case 'V': return HEAD;
    default: return 0;
    }
}

/* Behind 16 bits that say where R keeps the string (see crowded()), 48 to tell it from others by: FNV-1a. */
static uint64_t key_of(const char *text, size_t n)
{
    uint32_t place = 5381;
    uint64_t own = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++) {
        place = place * 33 + (uint32_t)(int)text[i];
        own = (own ^ (unsigned char)text[i]) * 0x100000001B3u;
    }
    return (uint64_t)(place & 0xFFFF) << 48 | (own ^ own >> 48) >> 16;
}

static bool check_string(walk *w, bool na)
{
    lam_codec *c = &w->c;
    if (c->left < 4)
        return false;
    uint32_t n = (uint32_t)lam_codec_number(c, 4);
    if (n == LAM_CODEC_NA_LENGTH)
        return na;
    if (n > c->left)
        return false;
    const char *text = (const char *)lam_codec_bytes(c, n);
    if (w->key)
        w->key[w->strings] = key_of(text, n);
    w->strings++;
    return w->key || lam_utf8_valid(text, n);
}

static bool check_logical(lam_codec *c)
{
    uint32_t v = (uint32_t)lam_codec_number(c, 4);
    return v <= 1 || v == (uint32_t)1 << 31;
}

/* The head of a value whose content may be there. */
static bool check_head(lam_codec *c, lam_codec_head *head)
{
    if (c->left < HEAD)
        return false;
    *head = lam_codec_value(c);
    size_t least = least_size(head->tag);
    return least && head->flags <= (LAM_CODEC_NAMES | LAM_CODEC_DIM) && head->n <= c->left / least &&
           (head->tag != 'N' || (head->n == 0 && head->flags == 0));
}

static bool check_names(walk *w, uint64_t n)
{
    lam_codec_head head;
    if (!check_head(&w->c, &head) || head.tag != 'S' || head.flags != 0 || head.n != n)
        return false;
    for (uint64_t i = 0; i < n; i++)
        if (!check_string(w, false))
            return false;
    return true;
}

static bool check_dim(lam_codec *c, uint64_t n)
{
    lam_codec_head head;
    if (!check_head(c, &head) || head.tag != 'I' || head.flags != 0 || head.n == 0)
        return false;
    uint64_t count = 1;
    for (uint64_t i = 0; i < head.n; i++) {
        uint64_t dim = lam_codec_number(c, 4);
        if (dim > INT32_MAX || (dim > 0 && count > UINT64_MAX / dim))
            return false;
        count *= dim;
    }
    return count == n;
}

static bool check_value(walk *w, int depth)
{
    lam_codec *c = &w->c;
    lam_codec_head head;
    if (depth > LAM_CODEC_DEPTH || !check_head(c, &head))
        return false;
    switch (head.tag) {
    case 'L':
        for (uint64_t i = 0; i < head.n; i++)
            if (!check_logical(c))
                return false;
        break;
    case 'S':
        for (uint64_t i = 0; i < head.n; i++)
            if (!check_string(w, true))
                return false;
        break;
    case 'V':
        for (uint64_t i = 0; i < head.n; i++)
            if (!check_value(w, depth + 1))
                return false;
        break;
    default:
        lam_codec_bytes(c, (size_t)head.n * least_size(head.tag));
    }
    return (!(head.flags & LAM_CODEC_NAMES) || check_names(w, head.n)) &&
           (!(head.flags & LAM_CODEC_DIM) || check_dim(c, head.n));
}

static void sift(uint64_t *key, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && key[child + 1] > key[child])
            child++;
        if (key[i] >= key[child])
            return;
        uint64_t kept = key[i];
        key[i] = key[child];
        key[child] = kept;
    }
}

/* Heapsort: no order of the file's makes it slow. */
static void sort(uint64_t *key, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(key, i, n);
    for (size_t i = n; i-- > 1;) {
        uint64_t last = key[i];
        key[i] = key[0];
        key[0] = last;
        sift(key, 0, i);
    }
}

/* R keeps each string once, in lists that a public formula of its characters chooses among, 65536 of them or
 * more, and goes through a list at each string.  A file of strings made for one list would take time by the
 * square of their number.  Are there more different ones in a list than chance explains? */
static bool crowded(uint64_t *key, size_t n)
{
    enum { ALWAYS = 500 };
    size_t in_list = 0, limit = ALWAYS + n / 2048;
    sort(key, n);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && key[i] >> 48 != key[i - 1] >> 48)
            in_list = 0;
        in_list += i == 0 || key[i] != key[i - 1];
        if (in_list > limit)
            return true;
    }
    return false;
}

lam_status lam_codec_check(const void *bytes, size_t n, lam_error *err)
{
    enum { FEW = 2000 };
    walk w = {.c = {bytes, n}};
    void *p = NULL;
    bool ok = check_value(&w, 0) && w.c.left == 0;
    if (ok && w.strings > FEW) {
        LAM_TRY(lam_new(&p, w.strings, sizeof(uint64_t), "the strings of a file", err));
        walk again = {.c = {bytes, n}, .key = p};
        ok = check_value(&again, 0) && !crowded(again.key, again.strings);
        lam_free(p);
    }
    return ok ? LAM_OK : lam_fail(err, LAM_EFILE, "The bytes are no model of lamina's, or they are damaged.");
}

bool lam_utf8_valid(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text, *end = s + n;
    while (s < end) {
        unsigned char c = *s++;
        int more = c < 0x80 ? 0 : c < 0xC2 ? -1 : c < 0xE0 ? 1 : c < 0xF0 ? 2 : c < 0xF5 ? 3 : -1;
        if (c == 0 || more < 0 || end - s < more)
            return false;
        /* the second byte excludes what is longer than it need be, surrogates, and what is above U+10FFFF */
        if ((c == 0xE0 && *s < 0xA0) || (c == 0xED && *s > 0x9F) || (c == 0xF0 && *s < 0x90) || (c == 0xF4 && *s > 0x8F))
            return false;
        while (more-- > 0)
            if ((*s++ & 0xC0) != 0x80)
                return false;
    }
    return true;
}

uint32_t lam_checksum(const void *bytes, size_t n)
{
    uint32_t table[256], crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++)
        crc = table[(crc ^ b[i]) & 0xFF] ^ (crc >> 8);
    return crc ^ 0xFFFFFFFFu;
}
