/* Status codes and the error record.
 *
 * Every function that can fail returns a lam_status and describes the failure
 * in a caller-owned lam_error (which may be NULL).  The text is for people;
 * `arg`, `expected` and `actual` become fields of the R condition. */
#ifndef LAM_BASE_STATUS_H
#define LAM_BASE_STATUS_H

#include <stddef.h>

/* code, name; the lower-case name is the suffix of the R class lamina_error_* */
#define LAM_STATUS_MAP(XX) \
    XX(OK, "ok")           \
    XX(EARGUMENT, "argument") \
    XX(ESHAPE, "shape")    \
    XX(EDATA, "data")      \
    XX(ESTATE, "state")    \
    XX(ENUMERIC, "numeric") \
    XX(EFILE, "file")      \
    XX(EMEMORY, "memory")  \
    XX(EINTERRUPT, "interrupt") \
    XX(ERANKS, "ranks")

typedef enum {
#define LAM_STATUS_ENUM(code, name) LAM_##code,
    LAM_STATUS_MAP(LAM_STATUS_ENUM)
#undef LAM_STATUS_ENUM
} lam_status;

typedef struct lam_error {
    lam_status code;
    char arg[128];
    char expected[192];
    char actual[192];
    char message[640];
} lam_error;

#if defined(__GNUC__)
#define LAM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LAM_MUST_CHECK __attribute__((warn_unused_result))
#else
#define LAM_PRINTF(f, a)
#define LAM_MUST_CHECK
#endif

/* Records code and message and returns the code. */
lam_status lam_fail(lam_error *err, lam_status code, const char *format, ...) LAM_PRINTF(3, 4);

/* The same for a bad argument: "`arg` must be <expected>, not <actual>." */
lam_status lam_fail_arg(lam_error *err, lam_status code, const char *arg, const char *expected,
                        const char *actual_format, ...) LAM_PRINTF(5, 6);

const char *lam_status_name(lam_status code);

/* Hands a failure on.  Only in functions that own nothing; those that do use `goto done`. */
#define LAM_TRY(expr)                       \
    do {                                    \
        lam_status lam_try_ = (expr);       \
        if (lam_try_ != LAM_OK)             \
            return lam_try_;                \
    } while (0)

#endif
