#!/bin/sh
# Feeds damaged and made-up model files to the core, under AddressSanitizer and UndefinedBehaviorSanitizer.
#
#     sh tests/fuzz/run.sh [RUNS [SEED]]      RUNS inputs for each target (10,000) from seed SEED (1)
#     sh tests/fuzz/run.sh --libfuzzer SECONDS        clang's libFuzzer, guided by what is reached; it writes
#                                                     what it finds to build/fuzz/
#
# The last line is the count, as tools/test.sh reads it.
targets="codec model"
out=build/fuzz
mkdir -p "$out"
core=$(find src -name '*.c' ! -path 'src/glue/*' ! -name init.c | LC_ALL=C sort)
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla"
# One request for more than this is a finding: the core believed a size that the file cannot back.
export ASAN_OPTIONS="max_allocation_size_mb=256:detect_leaks=1"
passed=0 failed=0

if [ "$1" = --libfuzzer ]; then
    sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all"
    for file in $core; do
        object="$out/clang/${file%.c}.o"
        mkdir -p "$(dirname "$object")"
        [ "$object" -nt "$file" ] && continue
        # shellcheck disable=SC2086 # lists of flags
        clang -std=gnu11 -O1 -g -Isrc $sanitize -fsanitize=fuzzer-no-link -c "$file" -o "$object" || exit 1
    done
    for target in $targets; do
        # shellcheck disable=SC2046,SC2086
        clang -std=gnu11 -O1 -g -Isrc $sanitize -fsanitize=fuzzer "tests/fuzz/fuzz-$target.c" tests/fuzz/mutator.c tests/fuzz/tree.c \
            $(find "$out/clang" -name '*.o') -lm -lpthread -o "$out/libfuzzer-$target" || exit 1
        mkdir -p "$out/found-$target"
        "$out/libfuzzer-$target" -max_total_time="${2:-60}" -timeout=5 -rss_limit_mb=1024 -malloc_limit_mb=256 -max_len=16384 \
            -print_final_stats=1 -verbosity=1 -artifact_prefix="$out/$target-" "$out/found-$target" tests/fuzz/corpus 2>&1 |
            tail -n 25
    done
    exit
fi

make -s "-j$(getconf _NPROCESSORS_ONLN)" build/c/san/run-tests || exit 1
flags="-std=gnu11 -O1 -g -Isrc -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
for target in $targets; do
    # shellcheck disable=SC2086,SC2046
    if ${CC:-cc} $flags $warnings "tests/fuzz/fuzz-$target.c" tests/fuzz/main.c tests/fuzz/tree.c \
        $(for file in $core; do echo "build/c/san/${file%.c}.o"; done) -lm -lpthread -o "$out/fuzz-$target" &&
        "$out/fuzz-$target" "${1:-10000}" "${2:-1}" tests/fuzz/corpus/*; then
        passed=$((passed + 1))
    else
        echo "fuzz-$target: failed"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
