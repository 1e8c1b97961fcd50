# Breaks the engine on purpose, in one place at a time (tools/sabotage.list), and expects a test to go red
# each time.  A place where all stay green wants a test.  Works on a copy in build/sabotage.
#
#     Rscript tools/sabotage.R [part of a place's name ...]

copy <- file.path("build", "sabotage")
seconds <- 300 # what a broken engine may take at the most

lines <- grep("^#", readLines("tools/sabotage.list"), value = TRUE, invert = TRUE)
places <- as.data.frame(read.dcf(textConnection(lines), fields = c("what", "file", "find", "put", "first")))
if (anyNA(places)) {
  stop("A place of tools/sabotage.list lacks a field: ", places$what[!stats::complete.cases(places)][1L])
}
wanted <- commandArgs(TRUE)
if (length(wanted)) {
  asked_for <- Reduce(`|`, lapply(wanted, grepl, places$what, fixed = TRUE))
  places <- places[asked_for, , drop = FALSE]
}

read_text <- function(path) readChar(path, file.size(path), useBytes = TRUE)
write_text <- function(text, path) writeChar(text, path, eos = NULL, useBytes = TRUE)

# The file with the one place changed; an error where it does not stand there exactly once.
changed_text <- function(place) {
  text <- read_text(place$file)
  at <- gregexpr(place$find, text, fixed = TRUE, useBytes = TRUE)[[1L]]
  count <- if (at[1L] < 0) 0L else length(at)
  if (count != 1L) {
    stop(sprintf("%s: the place stands %d times in %s, not once:\n  %s", place$what, count, place$file, place$find))
  }
  sub(place$find, place$put, text, fixed = TRUE, useBytes = TRUE)
}

# A list that no longer fits its files is found before anything is built.
changed <- vapply(seq_len(nrow(places)), function(i) changed_text(places[i, ]), "")

make <- function() {
  status <- system2("make", c("-s", "-C", copy, sprintf("-j%d", parallel::detectCores()),
                              shQuote("CFLAGS_plain=$(O1) -g1"), "build/c/plain/run-tests"))
  if (status != 0L) {
    stop("The copy does not build.")
  }
}

# The first test that goes red, or how the run ended instead; "" when all are green.
first_red <- function(program, pattern) {
  line <- suppressWarnings(system(sprintf(
    "{ timeout %d %s 2>&1; echo \"ended with $?\"; } | grep -E -m 1 '%s|^ended with [1-9]'", seconds, program, pattern
  ), intern = TRUE))
  if (length(line) == 0L) {
    return("")
  }
  if (startsWith(line, "ended with 124")) {
    return(sprintf("(not done in %d s)", seconds))
  }
  sub("^ended with .*", "(crash)", line)
}

# "tests/c/test-net.c:12: name: ..." becomes "test-net.c: name".
test_name <- function(line) sub("^.*/([^/]+\\.[ch]):[0-9]+: ([a-z0-9_]+): .*$", "\\1: \\2", line)

sabotage_core <- function(place, text) {
  source <- file.path(copy, place$file)
  object <- file.path(copy, "build", "c", "plain", sub("\\.c$", ".o", place$file))
  kept <- c(paste0(source, ".kept"), paste0(object, ".kept"))
  file.copy(c(source, object), kept, overwrite = TRUE)
  on.exit({ # the object last, so that make takes it for newer
    file.copy(kept, c(source, object), overwrite = TRUE)
    unlink(kept)
  })
  write_text(text, source)
  make()
  program <- file.path(copy, "build", "c", "plain", "run-tests")
  pattern <- "^[^ ]+\\.[ch]:[0-9]+: "
  red <- first_red(paste(program, place$first), pattern)
  test_name(if (nzchar(red)) red else first_red(program, pattern))
}

# The changed functions take the place of those in the installed package.
sabotage_r <- function(place, text) {
  path <- file.path(copy, place$file)
  write_text(text, path)
  on.exit(file.copy(place$file, path, overwrite = TRUE))
  code <- sprintf(paste(
    "ns <- asNamespace(\"lamina\")",
    "for (name in ls(ns, all.names = TRUE)) if (bindingIsLocked(name, ns)) unlockBinding(name, ns)",
    "sys.source(\"%s\", ns)",
    "testthat::test_file(\"tests/testthat/%s\", package = \"lamina\", reporter = \"check\", stop_on_failure = TRUE)",
    sep = "; "
  ), path, place$first)
  sub("^.*Failure \\((.*)\\).*: (.*)$", "\\1: \\2",
      first_red(sprintf("env NOT_CRAN=true Rscript -e '%s'", code), "Failure \\(|Error \\("))
}

if (!file.exists(copy)) {
  dir.create(copy, recursive = TRUE)
}
invisible(file.copy(c("src", "R", "tests", "tools", "configure", "Makefile"), copy, recursive = TRUE, copy.date = TRUE))
make()
program <- file.path(copy, "build", "c", "plain", "run-tests")
if (nzchar(red <- first_red(program, "^[^ ]+\\.[ch]:[0-9]+: "))) {
  stop("The tests are red before anything is broken: ", red, ". (Was a run cut off? Remove ", copy, ".)")
}

green <- 0L
for (i in seq_len(nrow(places))) {
  place <- places[i, ]
  run <- if (startsWith(place$file, "R/")) sabotage_r else sabotage_core
  red <- run(place, changed[i])
  cat(sprintf("%-70s %s\n", place$what, if (nzchar(red)) red else "ALL GREEN"))
  green <- green + !nzchar(red)
}
cat(sprintf("%d passed, %d failed, 0 skipped\n", nrow(places) - green, green))
if (green) quit(status = 1L)
