#define _POSIX_C_SOURCE 200809L
#include "base/file.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

#if defined(_WIN32)
#include <io.h>
#define fsync _commit
#endif

static lam_status write_all(const char *path, const void *bytes, size_t n)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return LAM_EFILE;
    bool ok = fwrite(bytes, 1, n, file) == n && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int kept = errno;
    ok = fclose(file) == 0 && ok;
    if (kept)
        errno = kept;
    return ok ? LAM_OK : LAM_EFILE;
}

lam_status lam_file_replace(const char *path, const void *bytes, size_t n, lam_error *err)
{
    void *p = NULL;
    size_t length = strlen(path) + 32;
    LAM_TRY(lam_new(&p, length, 1, "a file name", err));
    char *temporary = p;
    snprintf(temporary, length, "%s.%ld.tmp", path, (long)getpid());
    errno = 0;
    lam_status status = write_all(temporary, bytes, n);
#if defined(_WIN32)
    if (status == LAM_OK)
        remove(path); /* rename() does not replace there */
#endif
    if (status == LAM_OK && rename(temporary, path) != 0)
        status = LAM_EFILE;
    if (status != LAM_OK) {
        lam_fail(err, LAM_EFILE, "Cannot write \"%s\": %s.", path, strerror(errno));
        remove(temporary);
    }
    lam_free(temporary);
    return status;
}
