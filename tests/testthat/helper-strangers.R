# Trials in a process of their own (strangers/), which may take 4 GB.  Where one ends the process, or never ends,
# the trial at work is a finding and another process goes on behind it.

run_strangers <- function(script, from, to, ..., hang = 120) {
  here <- normalizePath(test_path("strangers"))
  paths <- paste(c(dirname(system.file(package = "lamina")), .libPaths()), collapse = .Platform$path.sep)
  findings <- character()
  repeat {
    folder <- withr::local_tempdir()
    at_work <- file.path(folder, "call")
    arguments <- c(file.path(here, script), folder, format(c(from, to, ...), scientific = FALSE, trim = TRUE))
    limit <- if (!grepl("asan", Sys.getenv("LD_PRELOAD"))) "ulimit -v 4000000;" # its own tables take terabytes of addresses
    line <- paste(limit, "exec", paste(shQuote(c(file.path(R.home("bin"), "Rscript"), arguments)), collapse = " "))
    child <- processx::process$new("sh", c("-c", line), stdout = NULL, stderr = file.path(folder, "stderr"), wd = folder,
                                   env = c("current", R_LIBS = paths, OPENBLAS_NUM_THREADS = "1"))
    what <- "the process was ended by"
    while (child$is_alive()) {
      child$wait(1000)
      if (file.exists(at_work) && difftime(Sys.time(), file.mtime(at_work), units = "secs") > hang) {
        what <- "no end of"
        child$kill_tree()
      }
    }
    found <- file.path(folder, "findings")
    findings <- c(findings, if (file.exists(found)) readLines(found))
    if (file.exists(file.path(folder, "counts"))) {
      return(list(findings = findings, counts = scan(file.path(folder, "counts"), quiet = TRUE)))
    }
    last <- if (file.exists(at_work)) readLines(at_work, n = 1L)
    if (length(last) == 0L || length(findings) > 20L) {
      return(list(findings = c(findings, "the process did not begin:", readLines(file.path(folder, "stderr"))), counts = numeric(4)))
    }
    findings <- c(findings, paste(what, last))
    from <- as.integer(sub(" .*", "", last)) + 1L
  }
}

skip_strangers <- function() {
  skip_on_cran()
  skip_on_os("windows")
  skip_if_not_installed("Matrix")
  skip_if_not_installed("png")
  skip_if_not_installed("processx")
}
