#include "glue/glue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/codec.h"

/* Text of the core's as an R string.  Its buffers may have cut the last character in two, and paths may be
 * in no encoding at all: what is not UTF-8 becomes question marks. */
static SEXP text(const char *from)
{
    size_t n = strlen(from);
    char *to = R_alloc(n + 1, 1);
    memcpy(to, from, n + 1);
    if (!lam_utf8_valid(to, n))
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)to[i] > 0x7F)
                to[i] = '?';
    SEXP s = PROTECT(Rf_mkCharCE(to, CE_UTF8));
    SEXP out = Rf_ScalarString(s);
    UNPROTECT(1);
    return out;
}

void glue_check(lam_status status, const lam_error *err)
{
    if (status == LAM_OK)
        return;
    SEXP fn = PROTECT(Rf_install("abort_core"));
    SEXP name = PROTECT(Rf_mkString("lamina"));
    SEXP ns = PROTECT(R_FindNamespace(name));
    SEXP kind = PROTECT(Rf_mkString(lam_status_name(status)));
    SEXP message = PROTECT(text(err->message));
    SEXP arg = PROTECT(text(err->arg));
    SEXP expected = PROTECT(text(err->expected));
    SEXP actual = PROTECT(text(err->actual));
    SEXP call = PROTECT(Rf_lang6(fn, kind, message, arg, expected, actual));
    Rf_eval(call, ns);
    UNPROTECT(9);
    Rf_error("%s", err->message);
}

void glue_refuse(lam_status code, const char *arg, const char *expected, const char *actual)
{
    lam_error err;
    glue_check(lam_fail_arg(&err, code, arg, expected, "%s", actual), &err);
}

void glue_room(size_t n, size_t size, const char *what)
{
    enum { ALWAYS = 1 << 24 }; /* bytes that are not worth asking about */
    lam_error err;
    void *p = NULL;
    if (lam_mul(n, size) <= ALWAYS)
        return;
    glue_check(lam_new(&p, n, size, what, &err), &err); /* takes no page of the system's before it is touched */
    lam_free(p);
}

void *glue_alloc(size_t n, size_t size, const char *what)
{
    glue_room(lam_add(n, 1), size, what);
    return R_alloc(n + 1, (int)size);
}

static void fail_type(const char *arg, const char *expected, SEXP x)
{
    lam_error err;
    lam_status status = lam_fail_arg(&err, LAM_EARGUMENT, arg, expected, "%s of length %.0f",
                                     Rf_type2char((SEXPTYPE)TYPEOF(x)), (double)Rf_xlength(x));
    glue_check(status, &err);
}

static const double *as_doubles(SEXP x)
{
    R_xlen_t n = Rf_xlength(x);
    if (TYPEOF(x) == REALSXP)
        return REAL(x);
    double *out = glue_alloc((size_t)n, sizeof(double), "numbers");
    const int *from = TYPEOF(x) == LGLSXP ? LOGICAL(x) : INTEGER(x);
    for (R_xlen_t i = 0; i < n; i++)
        out[i] = from[i] == NA_INTEGER ? NAN : (double)from[i];
    return out;
}

static lam_arg *read_list(SEXP list, const char *what, int depth);

static lam_arg read_value(SEXP x, const char *name, int depth)
{
    lam_arg arg = {.name = name, .n = (size_t)Rf_xlength(x)};
    switch (TYPEOF(x)) {
    case NILSXP:
        arg.kind = LAM_ARG_NULL;
        break;
    case REALSXP:
    case INTSXP:
    case LGLSXP:
        arg.kind = LAM_ARG_NUMBERS;
        arg.numbers = as_doubles(x);
        break;
    case STRSXP: {
        const char **strings = glue_alloc(arg.n, sizeof(char *), "strings");
        for (size_t i = 0; i < arg.n; i++)
            strings[i] = glue_utf8(STRING_ELT(x, (R_xlen_t)i), name);
        arg.kind = LAM_ARG_STRINGS;
        arg.strings = strings;
        break;
    }
    case VECSXP:
        arg.kind = LAM_ARG_LIST;
        arg.list = read_list(x, name, depth + 1);
        break;
    default:
        fail_type(name, "numbers, strings or a list of these", x);
    }
    return arg;
}

static lam_arg *read_list(SEXP list, const char *what, int depth)
{
    R_xlen_t n = glue_list(list, -1, what);
    if (depth > LAM_CODEC_DEPTH)
        glue_refuse(LAM_EARGUMENT, what, "a list of a few levels", "one of more than 64");
    SEXP names = PROTECT(Rf_getAttrib(list, R_NamesSymbol));
    lam_arg *args = glue_alloc((size_t)n, sizeof(lam_arg), "arguments");
    for (R_xlen_t i = 0; i < n; i++)
        args[i] = read_value(VECTOR_ELT(list, i), names == R_NilValue ? "" : glue_utf8(STRING_ELT(names, i), what), depth);
    UNPROTECT(1);
    return args;
}

lam_args glue_args(SEXP list, const char *what)
{
    if (list == R_NilValue)
        return (lam_args){0};
    lam_arg *args = read_list(list, what, 0);
    return (lam_args){(size_t)Rf_xlength(list), args};
}

lam_spec glue_spec(SEXP spec, const char *what)
{
    lam_error err;
    lam_spec out;
    lam_arg arg = read_value(spec, what, 0);
    glue_check(lam_arg_spec(&arg, &out, &err), &err);
    if (!out.type)
        out.type = ""; /* no name that is known */
    return out;
}

double glue_number(SEXP x, const char *arg)
{
    bool numeric = TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP;
    if (!numeric || Rf_xlength(x) != 1)
        fail_type(arg, "one number", x);
    return as_doubles(x)[0];
}

static size_t whole_number(double v, double least, const char *arg)
{
    if (!(v >= least && v <= 9e15 && v == floor(v))) {
        lam_error err;
        char expected[64];
        snprintf(expected, sizeof expected, "a whole number of at least %.0f", least);
        glue_check(lam_fail_arg(&err, LAM_EARGUMENT, arg, expected, "%g", v), &err);
    }
    return (size_t)v;
}

size_t glue_count(SEXP x, const char *arg)
{
    return whole_number(glue_number(x, arg), 0, arg);
}

size_t glue_index(SEXP x, size_t limit, const char *arg)
{
    size_t v = glue_count(x, arg);
    if (v >= limit) {
        lam_error err;
        char expected[64];
        snprintf(expected, sizeof expected, "a whole number below %zu", limit);
        glue_check(lam_fail_arg(&err, LAM_EARGUMENT, arg, expected, "%zu", v), &err);
    }
    return v;
}

R_xlen_t glue_list(SEXP x, R_xlen_t n, const char *arg)
{
    if (TYPEOF(x) != VECSXP)
        fail_type(arg, "a list", x);
    if (n >= 0 && Rf_xlength(x) != n) {
        lam_error err;
        char expected[64];
        snprintf(expected, sizeof expected, "a list of %.0f", (double)n);
        glue_check(lam_fail_arg(&err, LAM_EARGUMENT, arg, expected, "one of %.0f", (double)Rf_xlength(x)), &err);
    }
    return Rf_xlength(x);
}

R_xlen_t glue_positions(SEXP x, int first, int limit, const char *arg)
{
    if (TYPEOF(x) != INTSXP)
        fail_type(arg, "whole numbers", x);
    R_xlen_t n = Rf_xlength(x);
    for (R_xlen_t i = 0; i < n; i++)
        if (INTEGER(x)[i] < first || INTEGER(x)[i] >= limit) {
            lam_error err;
            char expected[64];
            snprintf(expected, sizeof expected, "whole numbers from %d to %d", first, limit - 1);
            glue_check(lam_fail_arg(&err, LAM_EARGUMENT, arg, expected, "%d", INTEGER(x)[i]), &err);
        }
    return n;
}

lam_shape glue_shape(SEXP x, int max_rank, size_t least, const char *arg)
{
    lam_shape shape = {0};
    R_xlen_t rank = Rf_xlength(x);
    if (TYPEOF(x) != REALSXP || rank > max_rank) {
        char expected[64];
        snprintf(expected, sizeof expected, "at most %d whole numbers", max_rank);
        fail_type(arg, expected, x);
    }
    shape.rank = (int)rank;
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = whole_number(REAL(x)[i], (double)least, arg);
    return shape;
}

bool glue_flag(SEXP x, const char *arg)
{
    if (TYPEOF(x) != LGLSXP || Rf_xlength(x) != 1 || LOGICAL(x)[0] == NA_LOGICAL)
        fail_type(arg, "TRUE or FALSE", x);
    return LOGICAL(x)[0] != 0;
}

const char *glue_string(SEXP x, const char *arg)
{
    if (TYPEOF(x) != STRSXP || Rf_xlength(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
        fail_type(arg, "a string", x);
    return glue_utf8(STRING_ELT(x, 0), arg);
}

const char *glue_utf8(SEXP s, const char *arg)
{
    const char *out = Rf_getCharCE(s) == CE_BYTES ? "\xFF" : Rf_translateCharUTF8(s);
    if (!lam_utf8_valid(out, strlen(out)))
        glue_refuse(LAM_EARGUMENT, arg, "text in UTF-8", "bytes that are none");
    return out;
}
