# What a process takes, in MB, as Linux tells it: "VmRSS" now, "VmHWM" at the most since reset_peak(); NA elsewhere.
process_memory <- function(what = "VmRSS") {
  status <- tryCatch(suppressWarnings(readLines("/proc/self/status")), error = function(e) character())
  mb <- as.numeric(gsub("[^0-9]", "", grep(paste0("^", what), status, value = TRUE))) / 1024
  if (length(mb)) mb else NA_real_
}

reset_peak <- function() try(suppressWarnings(cat("5", file = "/proc/self/clear_refs")), silent = TRUE)

# Runs fn(...) in a process of its own that has the package and these helpers, on one thread.
in_own_process <- function(fn, ...) {
  helpers <- normalizePath(list.files(testthat::test_path(), "^helper-(memory|soak)[.]R$", full.names = TRUE))
  callr::r(
    function(fn, helpers, arguments) {
      options(lamina.threads = 1L, lamina.verbose = 0)
      package <- asNamespace("lamina")
      here <- new.env(parent = package)
      for (helper in helpers) sys.source(helper, here)
      environment(fn) <- here
      do.call(fn, arguments)
    },
    list(fn, helpers, list(...)), libpath = .libPaths(), show = FALSE
  )
}
