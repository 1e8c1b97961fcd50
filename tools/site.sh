#!/bin/sh
# Builds the package's site, help pages with examples and all vignettes, in build/site from the installed
# package, without the network.  A warning of R is an error.  (pandoc says of some formulas that it cannot convert
# them: that is a rehearsal, in which the pages' pictures are sought; the pages have them as MathML.)  Needs the R
# package pkgdown, and pandoc.
set -e
sh tools/copy.sh build/site-source
Rscript -e '
options(pkgdown.internet = FALSE)
pkgdown::check_pkgdown("build/site-source")
# Addresses of packages that are not installed here would be looked up.
utils::assignInNamespace("CRAN_urls", function() data.frame(Package = character(), URL = character()), "downlit")
# Links to the pages of other packages are looked up, which cannot succeed without the network, and need not.
unreachable <- function(w) grepl("^URL |^InternetOpenUrl|cannot open URL", conditionMessage(w))
withCallingHandlers(
  pkgdown::build_site("build/site-source", override = list(destination = "../site"), install = FALSE,
                      preview = FALSE, new_process = FALSE),
  warning = function(w) if (unreachable(w)) invokeRestart("muffleWarning") else stop("a warning: ", conditionMessage(w))
)
'
echo "The site is in build/site."
