#!/bin/sh
# All tests: the rules for src/, the C tests in every build and on every machine tier, the R tests.
# Each step says what it counted and how many seconds it took; the last line is the total.  As many
# steps as there are cores run side by side.

passed=0 failed=0 skipped=0
logs=build/test
cores=$(getconf _NPROCESSORS_ONLN)
rm -rf "$logs"
mkdir -p "$logs"

# Real data for the tests that want it lies beside the repository.
if [ -z "$LAMINA_TEST_DATA" ] && [ -d ../shared/data ]; then
    LAMINA_TEST_DATA=$(cd ../shared/data && pwd)
    export LAMINA_TEST_DATA
fi

# run NAME COMMAND...: the command's output goes to a log, its status and seconds beside it.
run() {
    to="$logs/$1"
    shift
    from=$(date +%s)
    "$@" >"$to.log" 2>&1
    echo "$? $(($(date +%s) - from))" >"$to.end"
}

# must NAME COMMAND...: what the tests need; counts only when it fails.
must() {
    run "$@"
    read -r status seconds <"$logs/$1.end"
    [ "$status" != 0 ] || { echo "$1 ($seconds s)" && return; }
    cat "$logs/$1.log"
    echo "$1: failed"
    failed=$((failed + 1))
    return 1
}

# report NAME: what a step came to.  The last line of its output is its count; a command that prints
# none is itself one test.
report() {
    name=$1 log="$logs/$1.log" status=1 seconds=0
    # One that did not get to its end has failed.
    [ ! -e "$logs/$name.end" ] || read -r status seconds <"$logs/$name.end"
    counts=$(tail -n 1 "$log" | sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed, \([0-9]*\) skipped$/\1 \2 \3/p')
    if [ -z "$counts" ]; then
        counts="1 0 0"
        [ "$status" = 0 ] || counts="0 1 0"
    else
        sed -i.full '$d' "$log"
    fi
    # shellcheck disable=SC2086 # three numbers
    set -- $counts
    # A crash after a clean count, such as a sanitizer's report at exit, is a failure too.
    [ "$status" = 0 ] || [ "$2" != 0 ] || set -- "$1" 1 "$3"
    [ "$2" = 0 ] && ! grep -qi skipped "$log" || cat "$log"
    echo "$name: $1 passed, $2 failed, $3 skipped ($seconds s)"
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

# each DO: calls DO NAME COMMAND... for every step that can run beside others, the longest first.
each() {
    for build in $builds; do
        for tier in $tiers; do
            "$1" "C, $build, $tier" env LAMINA_ISA="$tier" "build/c/$build/run-tests"
        done
    done
    "$1" "fuzz" sh tests/fuzz/run.sh 10000 1
    "$1" "protect" Rscript tools/check-protect.R
    "$1" "floors" sh tools/check-floors.sh
    "$1" "registrations" Rscript tools/make-registrations.R --check
    "$1" "names" Rscript tools/check-names.R
}

# Runs a step unless another process has taken it: only one of them can make its folder.
take() {
    ! mkdir "$logs/$1" 2>/dev/null || run "$@"
}

unset MAKEFLAGS
tiers=$(build/tiers)
builds=
for build in san plain blas; do
    [ "$build" != blas ] || grep -q LAM_HAVE_BLAS build/blas.cppflags || continue
    must "C, $build: build" make -s "-j$cores" "build/c/$build/run-tests" && builds="$builds $build"
done

started=0
while [ "$started" -lt "$cores" ]; do
    each take &
    started=$((started + 1))
done
wait
each report

# With MPI where there is one: by itself lamina does not ask for it.
if command -v mpicc >/dev/null; then
    LAMINA_MPI=1
    export LAMINA_MPI
fi
if must "install" sh tools/install.sh; then
    run "R" Rscript tools/run-tests.R
    run "vignettes" Rscript tools/build-vignettes.R
    run "reference" Rscript tools/check-reference.R
    run "spelling" Rscript tools/check-spelling.R
    for name in R vignettes reference spelling; do
        report "$name"
    done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
