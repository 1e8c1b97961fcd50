#!/bin/sh
# Builds the package's site, help pages with examples and all vignettes, in build/site from the installed
# package, without the network.  A warning is an error.  Needs the R package pkgdown, and pandoc.
set -e
sh tools/copy.sh build/site-source
Rscript -e '
options(pkgdown.internet = FALSE, warn = 2)
pkgdown::check_pkgdown("build/site-source")
pkgdown::build_site("build/site-source", override = list(destination = "../site"), install = FALSE,
                    preview = FALSE, new_process = FALSE)
'
echo "The site is in build/site."
