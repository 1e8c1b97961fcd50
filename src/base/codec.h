/* Plain values as bytes: what model files are made of.
 *
 * Only NULL, logical, integer, double, character and raw vectors and lists of these, with names
 * and dimensions, exist in the format: nothing that is read can run.  Little-endian.
 *
 *   value   = tag, flags, count (8 bytes), content, [names: value], [dimensions: value]
 *   tag     = N L I D S R V for NULL, logical, integer, double, character, raw, list
 *   flags   = 1: names follow; 2: dimensions follow; names and dimensions have neither
 *   content = count times 4 bytes (L: 0, 1 or the least integer for NA; I), 8 (D), 1 (R), a length of
 *             4 bytes (all ones: NA) and UTF-8 bytes (S), a value (V)
 *
 * Bytes from outside are walked once by lam_codec_check(), which believes no length that the bytes left
 * cannot hold, in time and stack that their number and LAM_CODEC_DEPTH bound, and refuses strings that are made
 * to keep R busy.  Only bytes that passed may be
 * read by the other functions, which check nothing. */
#ifndef LAM_BASE_CODEC_H
#define LAM_BASE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { LAM_CODEC_NAMES = 1, LAM_CODEC_DIM = 2, LAM_CODEC_DEPTH = 64 };
#define LAM_CODEC_NA_LENGTH 0xFFFFFFFFu

lam_status lam_codec_check(const void *bytes, size_t n, lam_error *err);

typedef struct lam_codec {
    const unsigned char *at;
    size_t left;
} lam_codec;

typedef struct lam_codec_head {
    char tag;
    unsigned flags;
    uint64_t n;
} lam_codec_head;

lam_codec_head lam_codec_value(lam_codec *c);
/* A number of `size` bytes, 8 at most. */
uint64_t lam_codec_number(lam_codec *c, int size);
double lam_codec_double(lam_codec *c);
/* n bytes as they are. */
const unsigned char *lam_codec_bytes(lam_codec *c, size_t n);
/* A string of *n bytes, no 0 behind them; NULL: NA. */
const char *lam_codec_string(lam_codec *c, size_t *n);

/* Are these bytes UTF-8 (RFC 3629) without a byte of 0? */
bool lam_utf8_valid(const char *text, size_t n);

/* CRC-32 (polynomial 0xEDB88320, as in zip). */
uint32_t lam_checksum(const void *bytes, size_t n);

#endif
