#!/bin/sh
# copy.sh FOLDER: brings FOLDER up to date with the package, so that R never builds in the tree.
# Objects and Makevars of an earlier build stay, and so does the date of a file that is the same:
# what did not change is not compiled again.  A changed file gets the date of now, since its own
# may lie before that of an object made while it was being edited.
set -e
new="$1.new"
rm -rf "$new"
mkdir -p "$1" "$new"
tar -cf - --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.so' \
    --exclude=./src/Makevars . | (cd "$new" && tar -xmf -)
(cd "$1" && find . -type f ! -name '*.o' ! -name Makevars) | while IFS= read -r file; do
    [ -e "$new/$file" ] || rm "$1/$file"
done
(cd "$new" && find . -type f) | while IFS= read -r file; do
    cmp -s "$new/$file" "$1/$file" && continue
    mkdir -p "$(dirname "$1/$file")"
    mv -f "$new/$file" "$1/$file"
done
rm -rf "$new"
