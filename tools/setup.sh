#!/bin/sh
# Sees to it that R, a C compiler and make are there, and that R finds the packages that lamina and
# its examples use.  Installs what is missing, and only that: Debian's packages where there is apt and
# the right to use it, else from the repository that R is set up with.
#
#     sh tools/setup.sh [more R packages]
#     sh tools/setup.sh --tests               and those of the tests

wanted="cli rlang generics hardhat tibble zeallot magrittr ggplot2 Matrix MASS nnet rpart png jpeg"
if [ "$1" = --tests ]; then
    shift
    wanted="$wanted testthat withr callr processx knitr rmarkdown rsample yardstick yaml"
    # Packages that lamina works with; without one of these its tests are skipped.
    others="parsnip workflows tune recipes dials rsample yardstick caret randomForest broom dplyr purrr pdp DALEX iml
        marginaleffects insight ISLR2 glmnet future future.apply shiny chromote spelling mirai"
    # What these need in turn and Debian has compiled already.
    compiled="data.table checkmate slider lhs furrr tidyr lubridate later promises"
fi
wanted="$wanted $*"

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo -n "$@"
    fi
}

has_apt() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

# Debian's R packages serve Debian's R only.
has_debian_r() {
    dpkg-query -S "$(R RHOME)/bin/R" >/dev/null 2>&1
}

# The list of packages is fetched once, before the first question to apt.
apt_update() {
    [ -z "$apt_is_fresh" ] || return 0
    apt_is_fresh=yes
    as_root apt-get update -qq >>build/setup.log 2>&1 ||
        echo "lamina: apt-get update failed; going on with what apt knows"
}

apt_install() {
    apt_update
    echo "lamina: installing with apt: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "$@" >>build/setup.log 2>&1
}

# Those of the arguments that R does not find.  (Loading them all to see would take seconds.)
missing() {
    Rscript -e '
    wanted <- commandArgs(TRUE)
    found <- vapply(wanted, function(p) length(find.package(p, quiet = TRUE)) > 0, NA)
    cat("\n", paste(wanted[!found], collapse = " "), sep = "")' "$@" | tail -n 1
}

# Those of the arguments that cannot be loaded, being absent or too old for one another.
unloadable() {
    Rscript -e '
    wanted <- commandArgs(TRUE)
    loads <- function(p) suppressWarnings(suppressMessages(requireNamespace(p, quietly = TRUE)))
    cat("\n", paste(wanted[!vapply(wanted, loads, NA)], collapse = " "), sep = "")' "$@" 2>>build/setup.log | tail -n 1
}

compiles() {
    printf '#include <stdio.h>\nint main(void) { return 0; }\n' |
        cc -x c - -o build/compiles 2>/dev/null && rm build/compiles
}

# need WHAT PACKAGES TEST...: where the test fails, apt's packages are tried.
need() {
    what=$1 packages=$2
    shift 2
    "$@" >/dev/null && return
    # shellcheck disable=SC2086 # a list
    has_apt && apt_install $packages
    "$@" >/dev/null && return
    echo "lamina needs $what: install it and try again." >&2
    exit 1
}

install_with_apt() {
    apt_update
    debs=
    for package in "$@"; do
        deb="r-cran-$(echo "$package" | tr '[:upper:]' '[:lower:]')"
        apt-cache show "$deb" >/dev/null 2>&1 && debs="$debs $deb"
    done
    # shellcheck disable=SC2086 # a list
    [ -z "$debs" ] || apt_install $debs
}

install_with_r() {
    echo "lamina: installing from R's repository: $*"
    library=$(sh tools/library.sh)
    Rscript -e '
    if ("@CRAN@" %in% getOption("repos")) chooseCRANmirror(ind = 1)
    args <- commandArgs(TRUE)
    install.packages(args[-1], lib = args[1], Ncpus = parallel::detectCores())' \
        "$library" "$@" >>build/setup.log 2>&1
}

mkdir -p build
: >build/setup.log
need "R (4.1 or later)" "r-base-core" command -v Rscript
need "make" "make" command -v make
need "a C compiler" "gcc libc6-dev" compiles
if [ -n "$others" ]; then
    need "pandoc" "pandoc" command -v pandoc
fi

# Optional: a fast BLAS, which R itself then uses too.
if has_apt && command -v dpkg-query >/dev/null &&
    ! dpkg-query -W -f '${Status}' libopenblas-dev 2>/dev/null | grep -q 'ok installed'; then
    apt_install libopenblas-dev || echo "lamina: no OpenBLAS from apt; going on without"
fi

# The tests of the playground's page want a browser.
if [ -n "$others" ] && has_apt && ! command -v chromium >/dev/null && ! command -v google-chrome >/dev/null; then
    apt_install chromium || echo "lamina: no Chromium; the tests of the playground's page are skipped"
fi

# And those of mpi_strategy() want MPI.
if [ -n "$others" ] && has_apt && ! command -v mpicc >/dev/null; then
    apt_install libopenmpi-dev openmpi-bin || echo "lamina: no MPI from apt; its tests are skipped"
fi

# provide PACKAGES: installs those that R does not find; $absent are those it still does not find then.
provide() {
    # shellcheck disable=SC2086 # lists, here and below
    absent=$(missing $1)
    if [ -n "$absent" ] && has_apt && has_debian_r; then
        install_with_apt $absent $2
        absent=$(missing $absent)
    fi
    if [ -n "$absent" ]; then
        install_with_r $absent
        absent=$(missing $absent)
    fi
}

provide "$wanted"
if [ -n "$absent" ]; then
    echo "lamina: these R packages could not be installed: $absent" >&2
    echo "Install them by hand, with install.packages() in R or your system's packages, and try" >&2
    echo "again. What was tried is in build/setup.log." >&2
    exit 1
fi

if [ -n "$others" ]; then
    provide "$others" "$compiled"
    # shellcheck disable=SC2086 # a list
    absent=$(unloadable $others)
    [ -z "$absent" ] || echo "lamina: not to be had here, so their tests are skipped: $absent"
fi
