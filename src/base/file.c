#define _POSIX_C_SOURCE 200809L
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#if defined(_WIN32)
#include <io.h>
#define fsync _commit
#endif

typedef struct target {
    const char *path;
    size_t folder;   /* characters of the path before the file's own name */
    char *temporary;
    int mode;        /* rights of the file that is there; -1: there is none */
} target;

#if defined(_WIN32)

static bool separates(char c)
{
    return c == '/' || c == '\\' || c == ':';
}

static bool put_in_place(const target *t)
{
    remove(t->path); /* rename() does not replace there */
    return rename(t->temporary, t->path) == 0;
}

#else

static bool separates(char c)
{
    return c == '/';
}

/* The new name is on the disk when the folder is.  A file system that cannot sync a folder sees to that by itself
 * or not at all. */
static bool put_in_place(const target *t)
{
    if (rename(t->temporary, t->path) != 0)
        return false;
    t->temporary[t->folder] = '\0';
    int folder = open(t->folder ? t->temporary : ".", O_RDONLY);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    return true;
}

#endif

static bool write_all(const target *t, const void *bytes, size_t n)
{
    FILE *file = fopen(t->temporary, "wb");
    if (!file)
        return false;
    bool ok = fwrite(bytes, 1, n, file) == n && fflush(file) == 0 && fsync(fileno(file)) == 0;
#if !defined(_WIN32)
    ok = ok && (t->mode < 0 || fchmod(fileno(file), (mode_t)t->mode) == 0);
#endif
    int why = errno;
    bool closed = fclose(file) == 0;
    if (!ok)
        errno = why; /* not what closing says of it */
    return ok && closed;
}

/* Beyond the largest file that a process may write comes a signal, which by itself would end R. */
static bool replace(const target *t, const void *bytes, size_t n)
{
#if defined(SIGXFSZ)
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGXFSZ, &ignore, &before);
#endif
    bool ok = write_all(t, bytes, n) && put_in_place(t);
    int why = errno;
#if defined(SIGXFSZ)
    sigaction(SIGXFSZ, &before, NULL);
#endif
    errno = why;
    return ok;
}

lam_status lam_file_replace(const char *path, const void *bytes, size_t n, lam_error *err)
{
    void *p = NULL;
    struct stat there;
    bool exists = stat(path, &there) == 0;
    if (exists && !S_ISREG(there.st_mode))
        return lam_fail(err, LAM_EFILE, "Cannot write \"%s\": it is no plain file.", path);
    target t = {.path = path, .folder = strlen(path), .mode = exists ? (int)(there.st_mode & 0777) : -1};
    size_t length = t.folder + 32;
    while (t.folder > 0 && !separates(path[t.folder - 1]))
        t.folder--;
    LAM_TRY(lam_new(&p, length, 1, "a file name", err));
    t.temporary = p;
    /* the dot hides what a killed process leaves from whoever lists the folder */
    snprintf(t.temporary, length, "%.*s.%s.%ld.tmp", (int)t.folder, path, path + t.folder, (long)getpid());
    errno = 0;
    lam_status status = LAM_OK;
    if (!replace(&t, bytes, n)) {
        status = lam_fail(err, LAM_EFILE, "Cannot write \"%s\": %s.", path, strerror(errno));
        remove(t.temporary);
    }
    lam_free(t.temporary);
    return status;
}
