# Runs the R tests against the installed package.  The last line is "N passed, N failed, N skipped",
# counted by test; a file that cannot be run counts as one failed test.

library(testthat)
# Without this, testthat leaves out the comparisons of printed text.
Sys.setenv(NOT_CRAN = "true")
options(testthat.summary.max_reports = 100L)

count <- function(results) {
  each <- as.data.frame(results)
  failed <- each$failed > 0 | each$error
  skipped <- !failed & each$skipped
  c(sum(!failed & !skipped), sum(failed), sum(skipped))
}

counts <- tryCatch(
  count(test_dir(
    file.path("tests", "testthat"),
    package = "lamina", load_package = "installed",
    reporter = SummaryReporter$new(show_praise = FALSE), stop_on_failure = FALSE
  )),
  error = function(e) {
    message(conditionMessage(e))
    c(0L, 1L, 0L)
  }
)
cat(sprintf("%d passed, %d failed, %d skipped\n", counts[1], counts[2], counts[3]))
quit(status = as.integer(counts[2] > 0))
