# Runs the R tests against the installed package, a file at a time in as many processes as there are
# cores.  The last line is "N passed, N failed, N skipped", counted by test; a file that cannot be run, or
# in which a process ends, counts as one failed test.

library(testthat)

# R looks for the time zone once a process, and warns where there is no systemd to ask.
if (!nzchar(Sys.getenv("TZ"))) Sys.setenv(TZ = "UTC")

# The files that take longest.  They come first, so that none of them runs alone at the end, and compute on
# one thread, since their processes share the cores; all others on as many as a user's.
long <- c(
  "accuracy-photographs", "accuracy-digits", "accuracy-text", "accuracy-series", "strange-files", "calls", "soak", "growth", "playground-browser",
  "memory", "examples", "timeseries"
)

folder <- normalizePath(file.path("build", "r-tests"), mustWork = FALSE)
files <- sub("^test-(.*)[.]R$", "\\1", list.files(file.path("tests", "testthat"), "^test-.*[.]R$"))
files <- c(intersect(long, files), setdiff(files, long))
result_of <- function(file) file.path(folder, paste0(file, ".rds"))

count <- function(results) {
  each <- as.data.frame(results)
  failed <- each$failed > 0 | each$error
  skipped <- !failed & each$skipped
  c(sum(!failed & !skipped), sum(failed), sum(skipped))
}

run_file <- function(file) {
  options(lamina.threads = if (file %in% long) 1L)
  tryCatch(
    count(test_file(
      file.path("tests", "testthat", paste0("test-", file, ".R")),
      package = "lamina", load_package = "installed",
      reporter = SummaryReporter$new(show_praise = FALSE), stop_on_failure = FALSE
    )),
    error = function(e) {
      message(file, ": ", conditionMessage(e))
      c(0L, 1L, 0L)
    }
  )
}

# One process: takes the next file that no other has taken until there is none.
work <- function() {
  # Without this, testthat leaves out the comparisons of printed text.
  Sys.setenv(NOT_CRAN = "true")
  options(testthat.summary.max_reports = 100L)
  for (file in files) {
    if (dir.create(file.path(folder, file), showWarnings = FALSE)) {
      took <- system.time(counts <- run_file(file))[["elapsed"]]
      saveRDS(list(counts = counts, took = took), result_of(file))
    }
  }
}

share_out <- function() {
  unlink(folder, recursive = TRUE)
  dir.create(folder, recursive = TRUE)
  logs <- file.path(folder, sprintf("process-%d.log", seq_len(parallel::detectCores())))
  processes <- lapply(logs, function(log) {
    processx::process$new(file.path(R.home("bin"), "Rscript"), c("tools/run-tests.R", "work"),
                          stdout = log, stderr = "2>&1")
  })
  for (process in processes) process$wait()
  for (log in logs) writeLines(readLines(log, warn = FALSE))

  results <- lapply(files, function(file) suppressWarnings(try(readRDS(result_of(file)), silent = TRUE)))
  lost <- vapply(results, inherits, NA, "try-error")
  if (any(lost)) cat("Not run to the end:", sprintf("test-%s.R", files[lost]), "\n")
  # One that ended badly after its last file has failed too.
  ended <- sum(vapply(processes, function(process) process$get_exit_status() != 0, NA))
  if (ended > 0) cat(ended, "of", length(processes), "processes crashed\n")

  took <- vapply(results[!lost], function(result) result$took, 0)
  slowest <- head(order(-took), 10)
  cat("Seconds:", paste(files[!lost][slowest], round(took[slowest]), collapse = ", "), "\n")
  counts <- Reduce(`+`, lapply(results[!lost], function(result) result$counts), c(0L, 0L, 0L))
  counts + c(0L, max(sum(lost), ended), 0L)
}

if (identical(commandArgs(TRUE), "work")) {
  work()
} else {
  counts <- share_out()
  cat(sprintf("%d passed, %d failed, %d skipped\n", counts[1], counts[2], counts[3]))
  quit(status = as.integer(counts[2] > 0))
}
