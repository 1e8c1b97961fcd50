# What a process takes, as Linux tells it.

# MB: "VmRSS" now, "VmHWM" at the peak since reset_peak(); NA where nobody tells.
memory <- function(what) {
  status <- tryCatch(readLines("/proc/self/status"), error = function(e) character())
  mb <- as.numeric(gsub("[^0-9]", "", grep(what, status, value = TRUE))) / 1024
  if (length(mb)) mb else NA_real_
}

# The peak is that from here on; FALSE where it cannot be reset.
reset_peak <- function() {
  tryCatch({
    cat("5", file = "/proc/self/clear_refs")
    TRUE
  }, error = function(e) FALSE, warning = function(w) FALSE)
}
