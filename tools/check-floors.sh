#!/bin/sh
# The rules of the house for src/, each violation on a line; exits with 1 when there is any.
#   - a file includes from its own floor and from floors below: base < tensor < kernels < nn < glue
#   - R's headers are for the glue (and init.c) only
#   - the core ends no process, prints nothing, draws no numbers of C's; one file allocates
#   - the core compiles without R and without a warning

cc=${CC:-cc}
core=$(find src -name '*.[ch]' ! -path 'src/glue/*' ! -name init.c | LC_ALL=C sort)
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# Every line without its comments and with its strings emptied (the names of includes stay).
code='
function strip(line,    out, at, end) {
    out = ""
    while (line != "") {
        if (in_comment) {
            end = index(line, "*/")
            if (!end) return out
            line = substr(line, end + 2)
            in_comment = 0
        } else if (match(line, /"([^"\\]|\\.)*"|\/\*|\/\//)) {
            at = substr(line, RSTART, RLENGTH)
            out = out substr(line, 1, RSTART - 1)
            line = substr(line, RSTART + RLENGTH)
            if (at == "//") return out
            if (at == "/*") in_comment = 1
            else out = out "\"\""
        } else {
            return out line
        }
    }
    return out
}
FNR == 1 { in_comment = 0 }
'

# shellcheck disable=SC2086 # the list of files is meant to be split
LC_ALL=C awk '
BEGIN { n = split("base tensor kernels nn glue", name); for (i = 1; i <= n; i++) floor[name[i]] = i }
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split(FILENAME, here, "/"); split($0, quoted, "\""); split(quoted[2], there, "/")
    if (!(there[1] in floor))
        printf "%s:%d: include \"%s\" is not written from src/\n", FILENAME, FNR, quoted[2]
    else if (floor[there[1]] > floor[here[2]])
        printf "%s:%d: %s may not include from %s\n", FILENAME, FNR, here[2], there[1]
}' $(find src -mindepth 2 -name '*.[ch]' -o -mindepth 2 -name '*.def' | LC_ALL=C sort) >>"$found"

# shellcheck disable=SC2086
LC_ALL=C awk "$code"'
{
    line = strip($0)
    if (line ~ /^[ \t]*#[ \t]*include[ \t]*<(R|Rinternals|Rmath|Rdefines|R_ext\/.*)(\.h)?>/)
        printf "%s:%d: an R header outside the glue\n", FILENAME, FNR
    if (match(line, /(^|[^A-Za-z0-9_.>])(abort|_?exit|assert|printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror|s?rand|random|setjmp|longjmp)[ \t]*\(/))
        printf "%s:%d: the core does not call %s...)\n", FILENAME, FNR, substr(line, RSTART, RLENGTH)
    if (FILENAME != "src/base/alloc.c" &&
        match(line, /(^|[^A-Za-z0-9_.>])(malloc|calloc|realloc|free|aligned_alloc|posix_memalign|strdup|alloca)[ \t]*\(/))
        printf "%s:%d: memory comes from lam_alloc(): %s...)\n", FILENAME, FNR, substr(line, RSTART, RLENGTH)
}' $core >>"$found"

for file in $core; do
    case $file in
    *.c)
        "$cc" -std=gnu11 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
            -Wmissing-prototypes -Wvla -Werror -Isrc "$file" >>"$found" 2>&1 ||
            echo "$file: does not compile without R and without a warning" >>"$found"
        ;;
    esac
done

cat "$found"
[ ! -s "$found" ]
