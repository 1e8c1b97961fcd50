#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>

const char *lam_status_name(lam_status code)
{
    static const char *const names[] = {
#define LAM_STATUS_NAME(code, name) name,
        LAM_STATUS_MAP(LAM_STATUS_NAME)
#undef LAM_STATUS_NAME
    };
    size_t n = sizeof names / sizeof names[0];
    return (size_t)code < n ? names[code] : "unknown";
}

lam_status lam_fail(lam_error *err, lam_status code, const char *format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, format);
        err->code = code;
        err->arg[0] = err->expected[0] = err->actual[0] = '\0';
        vsnprintf(err->message, sizeof err->message, format, ap);
        va_end(ap);
    }
    return code;
}

lam_status lam_fail_arg(lam_error *err, lam_status code, const char *arg, const char *expected,
                        const char *actual_format, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, actual_format);
        err->code = code;
        snprintf(err->arg, sizeof err->arg, "%s", arg);
        snprintf(err->expected, sizeof err->expected, "%s", expected);
        vsnprintf(err->actual, sizeof err->actual, actual_format, ap);
        va_end(ap);
        snprintf(err->message, sizeof err->message, "`%s` must be %s, not %s.", err->arg,
                 err->expected, err->actual);
    }
    return code;
}
