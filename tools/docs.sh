#!/bin/sh
# Writes NAMESPACE and man/ from the comments in R/.  Roxygen works on a copy: first NAMESPACE from
# the sources alone, then, with the package installed under it, the pages.
set -e
rm -rf build/docs
sh tools/copy.sh build/docs
mkdir -p build/docs-library
export R_LIBS="$PWD/build/docs-library${R_LIBS:+:$R_LIBS}"
(
    cd build/docs
    Rscript -e 'roxygen2::roxygenise(roclets = "namespace", load_code = "source")'
    MAKEFLAGS="-j$(getconf _NPROCESSORS_ONLN)" R CMD INSTALL --no-docs --no-test-load \
        --library=../docs-library . >../docs.log 2>&1 || { tail -n 40 ../docs.log; exit 1; }
    rm -rf man
    Rscript -e 'roxygen2::roxygenise(load_code = "installed")'
)
cp build/docs/NAMESPACE NAMESPACE
rm -f man/*.Rd
mkdir -p man
cp build/docs/man/*.Rd man/
if [ -d build/docs/man/figures ]; then cp -r build/docs/man/figures man/; fi
