#!/bin/sh
# Checkers that are too slow for every day.
#
#     sh tools/memcheck.sh asan [file ...]   every entry of the glue and the R tests, or those files (fit: test-fit.R;
#                                            entries), with the package compiled for AddressSanitizer and
#                                            UndefinedBehaviorSanitizer
#     sh tools/memcheck.sh valgrind          every entry of the glue under valgrind (tools/every-entry.R), with the
#                                            package as it is installed
#     sh tools/memcheck.sh tsan              the C tests under ThreadSanitizer, on every machine tier
#     sh tools/memcheck.sh leaks             the C tests under LeakSanitizer, on every machine tier
set -e
kind=$1
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/.."
root=$(pwd)
here="$root/build/memcheck/$kind"
mkdir -p "$here"

# install FLAGS: the package compiled with these flags, into $here/library.
install() {
    mkdir -p "$here/library"
    rm -rf "$here/library/00LOCK-lamina" # of a run that was cut off
    cat >"$here/Makevars" <<END
CC = gcc $*
CFLAGS = -O1 -g -fno-omit-frame-pointer -fira-region=one -fexpensive-optimizations
END
    sh tools/copy.sh "$here/lamina"
    MAKEFLAGS="-j$(getconf _NPROCESSORS_ONLN)" R_MAKEVARS_USER="$here/Makevars" \
        R CMD INSTALL --no-test-load --no-docs --library="$here/library" "$here/lamina" >"$here/install.log" 2>&1 ||
        { tail -n 30 "$here/install.log" && exit 1; }
}

r_code() {
    if [ "$1" = entries ]; then
        echo "source('tools/every-entry.R', echo = FALSE)"
    else
        echo "testthat::test_file('tests/testthat/test-$1.R', package = 'lamina', load_package = 'installed',
            reporter = 'check', stop_on_failure = TRUE)"
    fi
}

tiers() {
    make -s build/tiers
    build/tiers
}

# c_tests BUILD [part of a test's name ...]: on every machine tier.
c_tests() {
    build=$1
    shift
    make -s "-j$(getconf _NPROCESSORS_ONLN)" "build/c/$build/run-tests"
    for tier in $(tiers); do
        echo "$tier:"
        LAMINA_ISA=$tier "build/c/$build/run-tests" "$@"
    done
}

case "$kind" in
asan)
    install -fsanitize=address,undefined -fno-sanitize-recover=undefined
    # Not under a checker that keeps freed memory for a while and takes three times as long: what is
    # measured in MB or hours, and what starts a browser or LaTeX, which are other programs.
    # ($* is a list of files)
    [ $# -gt 0 ] || set -- entries $(ls tests/testthat | sed -n 's/^test-\(.*\)\.R$/\1/p' |
        grep -Ev '^(accuracy-.*|growth|soak|load|examples|labs|timeseries|playground-browser|report-template)$')
    export R_LIBS="$here/library:$R_LIBS" NOT_CRAN=true TZ=UTC
    preload=$(gcc -print-file-name=libasan.so)
    failed=0 files=0
    for file in "$@"; do
        files=$((files + 1))
        rm -f "$here/report".*
        status=0
        # R's own leaks are none of ours; its stack is scanned by its collector; huge requests are to
        # fail as they do in earnest.
        env LD_PRELOAD="$preload" \
            ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=2000:log_path=$here/report" \
            UBSAN_OPTIONS="print_stacktrace=1:log_path=$here/report" \
            Rscript -e "$(r_code "$file")" >"$here/$file.log" 2>&1 || status=$?
        # (a request that was refused is a warning there, and no finding)
        if grep -l 'ERROR:\|runtime error' "$here/report".* >"$here/reports" 2>/dev/null; then
            echo "$file: REPORTED"
            xargs head -n 40 <"$here/reports"
            failed=$((failed + 1))
        elif [ "$status" != 0 ]; then
            echo "$file: tests failed"
            tail -n 25 "$here/$file.log"
            failed=$((failed + 1))
        fi
    done
    echo "$((files - failed)) passed, $failed failed, 0 skipped"
    [ "$failed" = 0 ]
    ;;
valgrind)
    # The package as it is installed.  valgrind knows no AVX-512.
    LAMINA_ISA=avx2 LAMINA_THREADS=2 R -d "valgrind --error-exitcode=9 --leak-check=full --show-leak-kinds=definite
        --errors-for-leak-kinds=none --num-callers=30 --log-file=$here/report" --vanilla -q -f tools/every-entry.R \
        >"$here/output" 2>&1 || { tail -n 5 "$here/output" && grep -A 20 'Invalid\|uninit' "$here/report" | head -n 80; exit 1; }
    tail -n 3 "$here/output"
    # Definite leaks of our own (R's and its packages' are theirs).
    ! grep -A 30 'definitely lost in' "$here/report" | grep 'lamina/src\|lam_alloc'
    tail -n 3 "$here/report"
    ;;
tsan)
    TSAN_OPTIONS=allocator_may_return_null=1 c_tests tsan "$@"
    ;;
leaks)
    ASAN_OPTIONS=detect_leaks=1 c_tests san "$@"
    ;;
*)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 1
    ;;
esac
