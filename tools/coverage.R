# Which lines the tests run: of C by the C tests on every machine tier and by the R tests, of R by the R tests.
# Prints a table by folder; every line goes to build/coverage/lines.csv.  Needs the package covr.
#
#     Rscript tools/coverage.R [c]     c: the C tests alone, which takes a minute

folder <- file.path("build", "coverage")
copy <- normalizePath(file.path(folder, "lamina"), mustWork = FALSE)
run <- function(command, ...) {
  if (system(sprintf(command, ...)) != 0L) stop("failed: ", sprintf(command, ...))
}

dir.create(folder, recursive = TRUE, showWarnings = FALSE)
unlink(copy, recursive = TRUE) # and with it what was counted before
run("sh tools/copy.sh %s", copy)

# What gcov prints of one object's sources: file, line, how often.
read_gcov <- function(counts) {
  text <- system2("gcov", c("-t", counts), stdout = TRUE, stderr = FALSE)
  field <- regmatches(text, regexec("^ *([^:]+): *([0-9]+):(.*)$", text))
  field <- do.call(rbind, field[lengths(field) == 4L])
  source <- cumsum(grepl("^Source:", field[, 4L]))
  names <- sub("^Source:", "", grep("^Source:", field[, 4L], value = TRUE))
  counted <- field[, 2L] != "-" & field[, 3L] != "0"
  count <- suppressWarnings(as.numeric(sub("[*]$", "", field[counted, 2L])))
  data.frame(file = names[source[counted]], line = as.integer(field[counted, 3L]), count = ifelse(is.na(count), 0, count))
}

c_tests <- function() {
  run("make -s -C %s -j%d 'CFLAGS_plain=$(O1) -g1 --coverage' build/c/plain/run-tests build/tiers", copy, parallel::detectCores())
  for (tier in system2(file.path(copy, "build", "tiers"), stdout = TRUE)) {
    run("cd %s && LAMINA_ISA=%s build/c/plain/run-tests", copy, tier)
  }
  counts <- list.files(file.path(copy, "build", "c", "plain", "src"), "[.]gcda$", recursive = TRUE, full.names = TRUE)
  do.call(rbind, lapply(counts, read_gcov))
}

# Not those that take minutes, nor those that kill processes, which leave halves of counts behind.
r_tests <- function() {
  files <- list.files(normalizePath("tests/testthat"), "^test-.*[.]R$", full.names = TRUE)
  files <- files[!grepl("test-(accuracy-.*|growth|soak|load|examples|timeseries|labs|kill|interrupt|calls|strange-files)[.]R$", files)]
  code <- sprintf(
    'testthat::test_file("%s", package = "lamina", load_package = "installed", reporter = "silent", stop_on_failure = FALSE)',
    files
  )
  Sys.setenv(NOT_CRAN = "true")
  options(covr.flags = list(CFLAGS = "-O1 -g --coverage -fira-region=one -fexpensive-optimizations", LDFLAGS = "--coverage"))
  covered <- covr::package_coverage(copy, type = "none", code = code, quiet = FALSE)
  lines <- covr::tally_coverage(covered, by = "line")
  data.frame(file = lines$filename, line = lines$line, count = lines$value)
}

lines <- if (identical(commandArgs(TRUE), "c")) c_tests() else rbind(c_tests(), r_tests())
lines$file <- sub("^.*/(src|R)/", "\\1/", lines$file)
lines <- lines[grepl("^(src|R)/", lines$file), ]
lines <- stats::aggregate(count ~ file + line, lines, max)
lines <- lines[order(lines$file, lines$line), ]
utils::write.csv(lines, file.path(folder, "lines.csv"), row.names = FALSE)

of <- function(name, lines) data.frame(folder = name, lines = nrow(lines), run = sum(lines$count > 0))
table <- do.call(rbind, c(
  Map(of, unique(dirname(lines$file)), split(lines, factor(dirname(lines$file), unique(dirname(lines$file))))),
  Map(of, c("R in all", "src in all"), list(lines[grepl("^R/", lines$file), ], lines[grepl("^src/", lines$file), ]))
))
table$percent <- round(100 * table$run / table$lines, 1)
print(table[table$lines > 0, ], row.names = FALSE)
