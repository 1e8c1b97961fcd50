#include "glue/glue.h"

#include <math.h>
#include <string.h>

void glue_check(lam_status status, const lam_error *err)
{
    if (status == LAM_OK)
        return;
    SEXP fn = PROTECT(Rf_install("abort_core"));
    SEXP name = PROTECT(Rf_mkString("lamina"));
    SEXP ns = PROTECT(R_FindNamespace(name));
    SEXP kind = PROTECT(Rf_mkString(lam_status_name(status)));
    SEXP message = PROTECT(Rf_mkString(err->message));
    SEXP arg = PROTECT(Rf_mkString(err->arg));
    SEXP expected = PROTECT(Rf_mkString(err->expected));
    SEXP actual = PROTECT(Rf_mkString(err->actual));
    SEXP call = PROTECT(Rf_lang6(fn, kind, message, arg, expected, actual));
    Rf_eval(call, ns);
    UNPROTECT(9);
    Rf_error("%s", err->message);
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
    double *out = (double *)R_alloc((size_t)n + 1, sizeof(double));
    const int *from = TYPEOF(x) == LGLSXP ? LOGICAL(x) : INTEGER(x);
    for (R_xlen_t i = 0; i < n; i++)
        out[i] = from[i] == NA_INTEGER ? NAN : (double)from[i];
    return out;
}

static lam_arg *read_list(SEXP list, const char *what);

static lam_arg read_value(SEXP x, const char *name)
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
        const char **strings = (const char **)R_alloc(arg.n + 1, sizeof(char *));
        for (size_t i = 0; i < arg.n; i++)
            strings[i] = Rf_translateCharUTF8(STRING_ELT(x, (R_xlen_t)i));
        arg.kind = LAM_ARG_STRINGS;
        arg.strings = strings;
        break;
    }
    case VECSXP:
        arg.kind = LAM_ARG_LIST;
        arg.list = read_list(x, name);
        break;
    default:
        fail_type(name, "numbers, strings or a list of these", x);
    }
    return arg;
}

static lam_arg *read_list(SEXP list, const char *what)
{
    if (TYPEOF(list) != VECSXP)
        fail_type(what, "a list", list);
    R_xlen_t n = Rf_xlength(list);
    SEXP names = PROTECT(Rf_getAttrib(list, R_NamesSymbol));
    lam_arg *args = (lam_arg *)R_alloc((size_t)n + 1, sizeof(lam_arg));
    for (R_xlen_t i = 0; i < n; i++)
        args[i] = read_value(VECTOR_ELT(list, i),
                             names == R_NilValue ? "" : Rf_translateCharUTF8(STRING_ELT(names, i)));
    UNPROTECT(1);
    return args;
}

lam_args glue_args(SEXP list, const char *what)
{
    if (list == R_NilValue)
        return (lam_args){0};
    lam_arg *args = read_list(list, what);
    return (lam_args){(size_t)Rf_xlength(list), args};
}

lam_spec glue_spec(SEXP spec, const char *what)
{
    lam_error err;
    lam_spec out;
    lam_arg arg = read_value(spec, what);
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

size_t glue_count(SEXP x, const char *arg)
{
    double v = glue_number(x, arg);
    if (!(v >= 0 && v <= 9e15 && v == floor(v))) {
        lam_error err;
        glue_check(lam_fail_arg(&err, LAM_EARGUMENT, arg, "a whole number of at least 0", "%g", v), &err);
    }
    return (size_t)v;
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
    return Rf_translateCharUTF8(STRING_ELT(x, 0));
}
