/* Files that are replaced whole or not at all. */
#ifndef LAM_BASE_FILE_H
#define LAM_BASE_FILE_H

#include "base/status.h"

/* Writes n bytes to `path` by way of a temporary file beside it: written, synced to the disk, then
 * renamed.  On failure an existing file is untouched and the temporary one is gone. */
lam_status lam_file_replace(const char *path, const void *bytes, size_t n, lam_error *err);

#endif
