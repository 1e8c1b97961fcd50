#!/bin/sh
# Installs the package from a copy in build/lamina and says where.
set -e
library=$(sh tools/library.sh)
log=build/install.log
sh tools/copy.sh build/lamina
rm -rf "$library/00LOCK-lamina"
echo "lamina: compiling and installing (about a minute) ..."
# MAKEFLAGS: the make that may run this script has job slots of its own to give, R's make does not.
if ! MAKEFLAGS="-j$(getconf _NPROCESSORS_ONLN)" \
    R CMD INSTALL --library="$library" build/lamina >"$log" 2>&1; then
    tail -n 40 "$log"
    echo "lamina could not be installed; the whole log is in $log" >&2
    exit 1
fi
grep '^lamina: BLAS' "$log"
echo "lamina is installed in $library: library(lamina) in R loads it."
