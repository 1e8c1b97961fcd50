#!/bin/sh
# copy.sh FOLDER: brings FOLDER up to date with the package, so that R never builds in the tree.
# Objects and Makevars of an earlier build stay: what did not change is not compiled again.
set -e
mkdir -p "$1"
find "$1" -type f ! -name '*.o' ! -name Makevars -exec rm -f {} +
tar -cf - --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.so' \
    --exclude=./src/Makevars . | (cd "$1" && tar -xf -)
