/* Plain R values as bytes, and back; the format is in base/codec.h. */
#include "base/codec.h"

#include <string.h>

#include "base/file.h"
#include "glue/glue.h"

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

static void cannot_save(const char *what)
{
    lam_error err;
    glue_check(lam_fail(&err, LAM_EFILE, "%s cannot be saved in a model file.", what), &err);
}

static void put_string(writer *w, SEXP s, bool na)
{
    if (s == NA_STRING) {
        if (!na)
            cannot_save("A name that is NA");
        put_number(w, LAM_CODEC_NA_LENGTH, 4);
        return;
    }
    const char *text = glue_utf8(s, "a string");
    size_t n = strlen(text);
    if (!lam_utf8_valid(text, n) || n >= LAM_CODEC_NA_LENGTH)
        cannot_save("A string that is not valid UTF-8");
    put_number(w, n, 4);
    put(w, text, n);
}

static void put_head(writer *w, char tag, int flags, R_xlen_t n)
{
    put(w, &tag, 1);
    put_number(w, (uint64_t)flags, 1);
    put_number(w, (uint64_t)n, 8);
}

static void put_names(writer *w, SEXP names)
{
    put_head(w, 'S', 0, Rf_xlength(names));
    for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
        put_string(w, STRING_ELT(names, i), false);
}

static void put_dim(writer *w, SEXP dim)
{
    put_head(w, 'I', 0, Rf_xlength(dim));
    for (R_xlen_t i = 0; i < Rf_xlength(dim); i++)
        put_number(w, (uint32_t)INTEGER(dim)[i], 4);
}

static void put_value(writer *w, SEXP x, int depth)
{
    char tag = tag_of(x);
    if (!tag)
        cannot_save(Rf_type2char((SEXPTYPE)TYPEOF(x)));
    if (depth > LAM_CODEC_DEPTH)
        cannot_save("A list within more than 64 others");
    SEXP names = PROTECT(tag == 'N' ? R_NilValue : Rf_getAttrib(x, R_NamesSymbol));
    SEXP dim = PROTECT(tag == 'N' ? R_NilValue : Rf_getAttrib(x, R_DimSymbol));
    bool has_names = TYPEOF(names) == STRSXP, has_dim = TYPEOF(dim) == INTSXP;
    R_xlen_t n = Rf_xlength(x);
    put_head(w, tag, (has_names ? LAM_CODEC_NAMES : 0) | (has_dim ? LAM_CODEC_DIM : 0), n);
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
        case 'S': put_string(w, STRING_ELT(x, i), true); break;
        case 'V': put_value(w, VECTOR_ELT(x, i), depth + 1); break;
        default: break;
        }
    if (tag == 'R')
        put(w, RAW(x), (size_t)n);
    if (has_names)
        put_names(w, names);
    if (has_dim)
        put_dim(w, dim);
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

/* ---- reading bytes that were checked ------------------------------------------------------------- */

static SEXP get_string(lam_codec *c)
{
    size_t n;
    const char *text = lam_codec_string(c, &n);
    return text ? Rf_mkCharLenCE(text, (int)n, CE_UTF8) : NA_STRING;
}

static SEXPTYPE type_of(char tag)
{
    switch (tag) {
    case 'L': return LGLSXP;
    case 'I': return INTSXP;
    case 'D': return REALSXP;
    case 'S': return STRSXP;
    case 'R': return RAWSXP;
    default: return VECSXP;
    }
}

static SEXP get_value(lam_codec *c)
{
    lam_codec_head head = lam_codec_value(c);
    if (head.tag == 'N')
        return R_NilValue;
    SEXP out = PROTECT(Rf_allocVector(type_of(head.tag), (R_xlen_t)head.n));
    for (uint64_t i = 0; i < head.n; i++)
        switch (head.tag) {
        case 'L': LOGICAL(out)[i] = (int)(uint32_t)lam_codec_number(c, 4); break;
        case 'I': INTEGER(out)[i] = (int)(uint32_t)lam_codec_number(c, 4); break;
        case 'D': REAL(out)[i] = lam_codec_double(c); break;
        case 'S': SET_STRING_ELT(out, (R_xlen_t)i, get_string(c)); break;
        case 'V': SET_VECTOR_ELT(out, (R_xlen_t)i, get_value(c)); break;
        default: break;
        }
    if (head.tag == 'R' && head.n)
        memcpy(RAW(out), lam_codec_bytes(c, head.n), head.n);
    if (head.flags & LAM_CODEC_NAMES) {
        SEXP names = PROTECT(get_value(c));
        Rf_setAttrib(out, R_NamesSymbol, names);
        UNPROTECT(1);
    }
    if (head.flags & LAM_CODEC_DIM) {
        SEXP dim = PROTECT(get_value(c));
        Rf_setAttrib(out, R_DimSymbol, dim);
        UNPROTECT(1);
    }
    UNPROTECT(1);
    return out;
}

static const void *raw_bytes(SEXP raw, size_t *n)
{
    lam_error err;
    if (TYPEOF(raw) != RAWSXP)
        glue_check(lam_fail(&err, LAM_EFILE, "These are no bytes but %s.", Rf_type2char((SEXPTYPE)TYPEOF(raw))), &err);
    *n = (size_t)Rf_xlength(raw);
    return RAW(raw);
}

SEXP ffi_decode(SEXP raw)
{
    size_t n;
    lam_error err;
    const void *bytes = raw_bytes(raw, &n);
    glue_check(lam_codec_check(bytes, n, &err), &err);
    lam_codec c = {bytes, n};
    return get_value(&c);
}

/* As a double. */
SEXP ffi_checksum(SEXP raw)
{
    size_t n;
    const void *bytes = raw_bytes(raw, &n);
    return Rf_ScalarReal((double)lam_checksum(bytes, n));
}

SEXP ffi_file_replace(SEXP path, SEXP raw)
{
    size_t n;
    lam_error err;
    const void *bytes = raw_bytes(raw, &n);
    const char *to = R_ExpandFileName(glue_string(path, "filepath"));
    glue_check(lam_file_replace(to, bytes, n, &err), &err);
    return R_NilValue;
}
