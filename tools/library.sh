#!/bin/sh
# Prints the library to install into: the first of R's that can be written, else the user's own,
# which is made if need be.  Later calls of R find packages there without being told.
for lib in "${R_LIBS%%:*}" "${R_LIBS_USER%%:*}"; do
    case $lib in
    '' | NULL | *%*) ;;
    *) mkdir -p "$lib" 2>/dev/null ;;
    esac
done
Rscript -e '
writable <- Filter(function(lib) file.access(lib, 2) == 0, .libPaths())
if (!length(writable)) {
  writable <- strsplit(Sys.getenv("R_LIBS_USER"), .Platform$path.sep)[[1]][1]
  dir.create(writable, recursive = TRUE, showWarnings = FALSE)
}
cat("\n", writable[1], sep = "")' | tail -n 1
