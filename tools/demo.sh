#!/bin/sh
# Runs the examples one after the other in build/demo, where their pictures stay.
set -e
mkdir -p build/demo
examples="$PWD/inst/examples"
cd build/demo
for script in "$examples"/*.R; do
    echo
    echo "== $(basename "$script" .R) =="
    Rscript "$script"
done
echo
echo "Pictures:"
find "$PWD" -name '*.png' | sort
