/* Bytes of a file: what is taken, what is not. */
#include "base/codec.h"
#include "unit.h"

enum { ROOM = 1 << 15 };
static unsigned char bytes[ROOM];
static size_t n;
static lam_error err;

static void begin(void)
{
    n = 0;
}

static void put(const void *from, size_t size)
{
    if (size)
        memcpy(bytes + n, from, size);
    n += size;
}

static void head(char tag, unsigned flags, uint64_t count)
{
    unsigned char f = (unsigned char)flags;
    put(&tag, 1);
    put(&f, 1);
    for (int i = 0; i < 8; i++)
        bytes[n++] = (unsigned char)(count >> (8 * i));
}

static void number4(uint32_t v)
{
    for (int i = 0; i < 4; i++)
        bytes[n++] = (unsigned char)(v >> (8 * i));
}

static void string(const char *text)
{
    number4((uint32_t)strlen(text));
    put(text, strlen(text));
}

/* In a block of just that size, whose end the sanitizers watch. */
static lam_status check(void)
{
    unsigned char *copy = malloc(n ? n : 1);
    memcpy(copy, bytes, n);
    lam_status status = lam_codec_check(copy, n, &err);
    free(copy);
    return status;
}

/* list(a = 1:2 as a 1 x 2 array, b = "\u00e9") */
static void put_example(void)
{
    begin();
    head('V', LAM_CODEC_NAMES, 2);
    head('I', LAM_CODEC_DIM, 2);
    number4(1), number4(2);
    head('I', 0, 2);
    number4(1), number4(2);
    head('S', 0, 1);
    string("\xC3\xA9");
    head('S', 0, 2);
    string("a"), string("b");
}

TEST(values_are_read_as_they_were_written)
{
    put_example();
    CHECK_OK(check());
    lam_codec c = {bytes, n};
    size_t length;
    lam_codec_head h = lam_codec_value(&c);
    CHECK(h.tag == 'V' && h.n == 2 && h.flags == LAM_CODEC_NAMES);
    h = lam_codec_value(&c);
    CHECK(h.tag == 'I' && h.n == 2 && h.flags == LAM_CODEC_DIM);
    CHECK_INT(lam_codec_number(&c, 4), 1);
    CHECK_INT(lam_codec_number(&c, 4), 2);
    lam_codec_value(&c);
    lam_codec_bytes(&c, 8);
    lam_codec_value(&c);
    const char *s = lam_codec_string(&c, &length);
    CHECK(length == 2 && memcmp(s, "\xC3\xA9", 2) == 0);
    lam_codec_value(&c);
    for (int i = 0; i < 2; i++) {
        s = lam_codec_string(&c, &length);
        CHECK(length == 1 && *s == "ab"[i]);
    }
    CHECK_INT(c.left, 0);
}

TEST(cut_or_prolonged_bytes_are_refused)
{
    put_example();
    size_t whole = n;
    for (n = 0; n < whole; n++)
        CHECK_INT(check(), LAM_EFILE);
    n = whole + 1;
    bytes[whole] = 0;
    CHECK_INT(check(), LAM_EFILE);
}

/* Counts that no file can keep, for every type: nothing may be believed. */
TEST(counts_beyond_the_bytes_are_refused)
{
    const char tags[] = "LIDSRV";
    const uint64_t counts[] = {2, 1u << 31, (uint64_t)1 << 60, (uint64_t)1 << 61, (uint64_t)1 << 62, UINT64_MAX, UINT64_MAX / 4 + 2};
    for (size_t t = 0; t < sizeof tags - 1; t++)
        for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
            begin();
            head(tags[t], 0, counts[i]);
            bytes[n++] = 0;
            CHECK_INT(check(), LAM_EFILE);
        }
}

TEST(nesting_is_bounded)
{
    for (int depth = 60; depth < 70; depth++) {
        begin();
        for (int i = 0; i < depth; i++)
            head('V', 0, 1);
        head('N', 0, 0);
        CHECK_INT(check(), depth <= LAM_CODEC_DEPTH ? LAM_OK : LAM_EFILE);
    }
}

TEST(names_and_dimensions_must_fit)
{
    begin(), head('R', LAM_CODEC_NAMES, 0), head('S', 0, 1), string("a");
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('V', LAM_CODEC_NAMES, 0), head('S', LAM_CODEC_NAMES, 0), head('S', 0, 0);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('V', LAM_CODEC_NAMES, 0), head('S', LAM_CODEC_NAMES, 0);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('R', LAM_CODEC_NAMES, 1), bytes[n++] = 7, head('S', 0, 2), string("abcdefghij");
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('V', 4, 0);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('V', LAM_CODEC_NAMES, 1), head('N', 0, 0), head('S', 0, 1), number4(LAM_CODEC_NA_LENGTH);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('R', LAM_CODEC_DIM, 1), bytes[n++] = 7, head('I', 0, 2), number4(1), number4(1);
    CHECK_OK(check());
    begin(), head('R', LAM_CODEC_DIM, 1), bytes[n++] = 7, head('I', 0, 2), number4(1), number4(2);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('R', LAM_CODEC_DIM, 0), head('I', 0, 1), number4((uint32_t)-1);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('R', LAM_CODEC_DIM, 0), head('I', 0, 2), number4(0), number4((uint32_t)-1);
    CHECK_INT(check(), LAM_EFILE);
    for (unsigned k = 0; k < 2; k++) {
        begin(), head('R', LAM_CODEC_DIM, k), n += k, head('I', 0, 0);
        CHECK_INT(check(), LAM_EFILE);
    }
    /* a product that is 0 again only because it overflowed */
    begin(), head('R', LAM_CODEC_DIM, 0), head('I', 0, 4);
    for (int i = 0; i < 4; i++)
        number4(1u << 30);
    CHECK_INT(check(), LAM_EFILE);
}

TEST(values_that_r_does_not_have_are_refused)
{
    const uint32_t logical[] = {0, 1, (uint32_t)1 << 31, 2, UINT32_MAX};
    for (int i = 0; i < 5; i++) {
        begin(), head('L', 0, 1), number4(logical[i]);
        CHECK_INT(check(), i < 3 ? LAM_OK : LAM_EFILE);
    }
    begin(), head('S', 0, 1), number4(LAM_CODEC_NA_LENGTH);
    CHECK_OK(check());
    begin(), head('S', 0, 1), number4(100), put("abc", 3);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('S', 0, 1), number4(2), put("a\0", 2);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('N', LAM_CODEC_NAMES, 0), head('S', 0, 0);
    CHECK_INT(check(), LAM_EFILE);
    begin(), head('X', 0, 0);
    CHECK_INT(check(), LAM_EFILE);
}

/* RFC 3629: the first and last of each length, and what it rules out. */
TEST(utf8_is_known)
{
    const char *good[] = {"", "a", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF",
                          "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "a\xC3\xA9z"};
    const char *bad[] = {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xC2", "\xC2z", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
                         "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "a\xC3"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(lam_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *copy = malloc(strlen(bad[i]));
        memcpy(copy, bad[i], strlen(bad[i]));
        CHECK(!lam_utf8_valid(copy, strlen(bad[i])));
        free(copy);
    }
    CHECK(!lam_utf8_valid("a\0b", 3));
}

/* 2^bits strings of pairs that the formula 33 h + c does not tell apart: "Aa" and "B@". */
static lam_status check_pairs(int bits, bool alike)
{
    size_t count = (size_t)1 << bits, length = 2 * (size_t)bits, size = 10 + count * (4 + length);
    unsigned char *b = calloc(size, 1), *at = b + 10;
    *b = 'S';
    for (int i = 0; i < 8; i++)
        b[2 + i] = (unsigned char)(count >> (8 * i));
    for (size_t i = 0; i < count; i++, at += length) {
        *at = (unsigned char)length;
        at += 4;
        for (int k = 0; k < bits; k++)
            memcpy(at + 2 * k, i >> k & 1 ? (alike ? "B@" : "Ca") : "Aa", 2);
    }
    lam_status status = lam_codec_check(b, size, &err);
    free(b);
    return status;
}

TEST(strings_made_for_one_list_of_r_are_refused)
{
    CHECK_INT(check_pairs(12, true), LAM_EFILE);
    CHECK_INT(check_pairs(15, true), LAM_EFILE);
    CHECK_OK(check_pairs(15, false));
    /* one string ever so often is one string */
    begin();
    head('S', 0, 3000);
    for (int i = 0; i < 3000; i++)
        number4(0);
    CHECK_OK(check());
}

/* The check value that is given for this CRC everywhere. */
TEST(the_checksum_is_crc32)
{
    CHECK(lam_checksum("123456789", 9) == 0xCBF43926u);
    CHECK(lam_checksum("", 0) == 0);
}
