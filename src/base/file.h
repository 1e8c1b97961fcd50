/* Files that are replaced whole or not at all. */
#ifndef LAM_BASE_FILE_H
#define LAM_BASE_FILE_H

#include "base/status.h"

/* Writes n bytes to `path` by way of a temporary file beside it (".<name>.<process>.tmp"): written, synced to
 * the disk, then renamed, and the folder synced.  On failure an existing file is untouched and the temporary one is
 * gone.  What exists and is no plain file (a folder, a device) is refused. */
lam_status lam_file_replace(const char *path, const void *bytes, size_t n, lam_error *err);

#endif
