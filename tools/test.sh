#!/bin/sh
# All tests: the rules for src/, the C tests in every build and on every machine tier, the R tests.
# Each step says what it counted; the last line is the total.

passed=0 failed=0 skipped=0
log=build/test.log

# Real data for the tests that want it lies beside the repository.
if [ -z "$LAMINA_TEST_DATA" ] && [ -d ../shared/data ]; then
    LAMINA_TEST_DATA=$(cd ../shared/data && pwd)
    export LAMINA_TEST_DATA
fi

# must NAME COMMAND...: what the tests need; counts only when it fails.
must() {
    name=$1
    shift
    "$@" >"$log" 2>&1 && return
    cat "$log"
    echo "$name: failed"
    failed=$((failed + 1))
    return 1
}

# step NAME COMMAND...: the last line of the command's output is its count; a command that prints
# none is itself one test.
step() {
    name=$1
    shift
    "$@" >"$log" 2>&1
    status=$?
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
    echo "$name: $1 passed, $2 failed, $3 skipped"
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
}

unset MAKEFLAGS
jobs="-j$(getconf _NPROCESSORS_ONLN)"

step "floors" sh tools/check-floors.sh
step "registrations" Rscript tools/make-registrations.R --check
for build in plain blas san; do
    [ "$build" != blas ] || grep -q LAM_HAVE_BLAS build/blas.cppflags || continue
    runner=build/c/$build/run-tests
    must "C, $build: build" make -s "$jobs" "$runner" || continue
    for tier in $(build/tiers); do
        step "C, $build, $tier" env LAMINA_ISA="$tier" "$runner"
    done
done
must "install" sh tools/install.sh && step "R" Rscript tools/run-tests.R

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
