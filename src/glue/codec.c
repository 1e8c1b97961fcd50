/* Plain R values as bytes, and back: what model files are made of.
 *
 * Only NULL, logical, integer, double, character and raw vectors and lists of these, with names
 * and dim, exist in the format: nothing that is read can run.  Little-endian.
 *
 *   value   = tag, flags, count (8 bytes), content, [names: value], [dim: value]
 *   tag     = N L I D S R V for NULL, logical, integer, double, character, raw, list
 *   flags   = 1: names follow; 2: dim follows
 *   content = count times 4 bytes (L, I), 8 (D), 1 (R), a length of 4 bytes (all ones: NA) and
 *             UTF-8 bytes (S), a value (V)
 *
 * The reader believes no length that the bytes left cannot hold. */
#include <string.h>

#include "base/file.h"
#include "glue/glue.h"

enum { HAS_NAMES = 1, HAS_DIM = 2, MAX_DEPTH = 64 };
#define NA_LENGTH 0xFFFFFFFFu

/* ---- writing: once to measure (bytes == NULL), once to write ------------------------------------- */

typedef struct writer {
    unsigned char *bytes;
    size_t n;
} writer;

static void put(writer *w, const void *from, size_t n)
{
    if (w->bytes && n)
        memcpy(w->bytes + w->n, from, n);
    w->n += n;
}

static void put_number(writer *w, uint64_t value, int size)
{
    unsigned char b[8];
    for (int i = 0; i < size; i++)
        b[i] = (unsigned char)(value >> (8 * i));
    put(w, b, (size_t)size);
}

static char tag_of(SEXP x)
{
    switch (TYPEOF(x)) {
    case NILSXP: return 'N';
    case LGLSXP: return 'L';
    case INTSXP: return 'I';
    case REALSXP: return 'D';
    case STRSXP: return 'S';
    case RAWSXP: return 'R';
    case VECSXP: return 'V';
    default: return 0;
    }
}

static void put_string(writer *w, SEXP s)
{
    if (s == NA_STRING) {
        put_number(w, NA_LENGTH, 4);
        return;
    }
    const char *text = Rf_translateCharUTF8(s);
    put_number(w, strlen(text), 4);
    put(w, text, strlen(text));
}

static void put_value(writer *w, SEXP x, int depth)
{
    char tag = tag_of(x);
    if (!tag || depth > MAX_DEPTH) {
        lam_error err;
        glue_check(lam_fail(&err, LAM_EFILE, "A %s cannot be saved in a model file.", Rf_type2char((SEXPTYPE)TYPEOF(x))), &err);
    }
    SEXP names = PROTECT(Rf_getAttrib(x, R_NamesSymbol));
    SEXP dim = PROTECT(Rf_getAttrib(x, R_DimSymbol));
    bool has_names = names != R_NilValue && TYPEOF(names) == STRSXP;
    R_xlen_t n = Rf_xlength(x);
    put(w, &tag, 1);
    put_number(w, (has_names ? HAS_NAMES : 0) | (dim != R_NilValue ? HAS_DIM : 0), 1);
    put_number(w, (uint64_t)n, 8);
    for (R_xlen_t i = 0; i < n; i++)
        switch (tag) {
        case 'L': put_number(w, (uint32_t)LOGICAL(x)[i], 4); break;
        case 'I': put_number(w, (uint32_t)INTEGER(x)[i], 4); break;
        case 'D': {
            uint64_t bits;
            memcpy(&bits, &REAL(x)[i], 8);
            put_number(w, bits, 8);
            break;
        }
        case 'S': put_string(w, STRING_ELT(x, i)); break;
        case 'V': put_value(w, VECTOR_ELT(x, i), depth + 1); break;
        default: break;
        }
    if (tag == 'R')
        put(w, RAW(x), (size_t)n);
    if (has_names)
        put_value(w, names, depth + 1);
    if (dim != R_NilValue)
        put_value(w, dim, depth + 1);
    UNPROTECT(2);
}

SEXP ffi_encode(SEXP x)
{
    writer w = {NULL, 0};
    put_value(&w, x, 0);
    SEXP out = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)w.n));
    w = (writer){RAW(out), 0};
    put_value(&w, x, 0);
    UNPROTECT(1);
    return out;
}

/* ---- reading ------------------------------------------------------------------------------------- */

typedef struct reader {
    const unsigned char *bytes;
    size_t left;
} reader;

static void broken(void)
{
    lam_error err;
    glue_check(lam_fail(&err, LAM_EFILE, "The bytes are no model of lamina's, or they are damaged."), &err);
}

static const unsigned char *get(reader *r, size_t n)
{
    if (n > r->left)
        broken();
    const unsigned char *at = r->bytes;
    r->bytes += n;
    r->left -= n;
    return at;
}

static uint64_t get_number(reader *r, int size)
{
    const unsigned char *b = get(r, (size_t)size);
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t)b[i] << (8 * i);
    return value;
}

static SEXP get_string(reader *r)
{
    uint32_t n = (uint32_t)get_number(r, 4);
    if (n == NA_LENGTH)
        return NA_STRING;
    const char *text = (const char *)get(r, n);
    if (memchr(text, 0, n))
        broken();
    return Rf_mkCharLenCE(text, (int)n, CE_UTF8);
}

static SEXP get_value(reader *r, int depth)
{
    /* the least bytes an element takes, by tag */
    static const struct { char tag; SEXPTYPE type; size_t least; } kinds[] = {
        {'N', NILSXP, 1}, {'L', LGLSXP, 4}, {'I', INTSXP, 4}, {'D', REALSXP, 8},
        {'S', STRSXP, 4}, {'R', RAWSXP, 1}, {'V', VECSXP, 10}};
    char tag = (char)*get(r, 1);
    uint64_t flags = get_number(r, 1);
    uint64_t n = get_number(r, 8);
    size_t k = 0;
    while (k < sizeof kinds / sizeof kinds[0] && kinds[k].tag != tag)
        k++;
    if (k == sizeof kinds / sizeof kinds[0] || depth > MAX_DEPTH || flags > 3 ||
        n > r->left / kinds[k].least || (tag == 'N' && n > 0))
        broken();
    if (tag == 'N')
        return R_NilValue;
    SEXP out = PROTECT(Rf_allocVector(kinds[k].type, (R_xlen_t)n));
    for (uint64_t i = 0; i < n; i++)
        switch (tag) {
        case 'L': LOGICAL(out)[i] = (int)(uint32_t)get_number(r, 4); break;
        case 'I': INTEGER(out)[i] = (int)(uint32_t)get_number(r, 4); break;
        case 'D': {
            uint64_t bits = get_number(r, 8);
            memcpy(&REAL(out)[i], &bits, 8);
            break;
        }
        case 'S': SET_STRING_ELT(out, (R_xlen_t)i, get_string(r)); break;
        case 'V': SET_VECTOR_ELT(out, (R_xlen_t)i, get_value(r, depth + 1)); break;
        default: break;
        }
    if (tag == 'R' && n)
        memcpy(RAW(out), get(r, n), n);
    if (flags & HAS_NAMES) {
        SEXP names = PROTECT(get_value(r, depth + 1));
        if (TYPEOF(names) != STRSXP || (uint64_t)Rf_xlength(names) != n)
            broken();
        Rf_setAttrib(out, R_NamesSymbol, names);
        UNPROTECT(1);
    }
    if (flags & HAS_DIM) {
        SEXP dim = PROTECT(get_value(r, depth + 1));
        double count = 1;
        bool ok = TYPEOF(dim) == INTSXP && Rf_xlength(dim) > 0;
        for (R_xlen_t i = 0; ok && i < Rf_xlength(dim); i++) {
            ok = INTEGER(dim)[i] >= 0;
            count *= INTEGER(dim)[i];
        }
        if (!ok || count != (double)n)
            broken();
        Rf_setAttrib(out, R_DimSymbol, dim);
        UNPROTECT(1);
    }
    UNPROTECT(1);
    return out;
}

SEXP ffi_decode(SEXP raw)
{
    if (TYPEOF(raw) != RAWSXP)
        broken();
    reader r = {RAW(raw), (size_t)Rf_xlength(raw)};
    SEXP out = PROTECT(get_value(&r, 0));
    if (r.left != 0)
        broken();
    UNPROTECT(1);
    return out;
}

/* CRC-32 (polynomial 0xEDB88320, as in zip), as a double. */
SEXP ffi_checksum(SEXP raw)
{
    if (TYPEOF(raw) != RAWSXP)
        broken();
    uint32_t table[256];
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
        table[i] = c;
    }
    uint32_t crc = 0xFFFFFFFFu;
    const unsigned char *b = RAW(raw);
    for (R_xlen_t i = 0; i < Rf_xlength(raw); i++)
        crc = table[(crc ^ b[i]) & 0xFF] ^ (crc >> 8);
    return Rf_ScalarReal((double)(crc ^ 0xFFFFFFFFu));
}

SEXP ffi_file_replace(SEXP path, SEXP raw)
{
    lam_error err;
    if (TYPEOF(raw) != RAWSXP)
        broken();
    const char *to = R_ExpandFileName(glue_string(path, "filepath"));
    glue_check(lam_file_replace(to, RAW(raw), (size_t)Rf_xlength(raw), &err), &err);
    return R_NilValue;
}
