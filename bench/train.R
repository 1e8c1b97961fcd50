# Trains one benchmark network with one R package; prints samples per second and how many MB the
# training took at its peak beyond what was there before it: data, R, the package.
#   Rscript bench/train.R PACKAGE WORKLOAD THREADS SECONDS
# Run from the top of the project. A workload that ends in p is prediction. A first run warms up; then
# runs are repeated for about SECONDS and the best counts.  SECONDS = 0: one run on all samples, for
# the memory that a whole training takes.
args <- commandArgs(TRUE)
source("bench/workloads.R")
package <- args[1]
name <- sub("p$", "", args[2])
seconds <- as.numeric(args[4])
options(lamina.threads = as.integer(args[3]))
workload <- workloads[[name]]
workload$predicts <- name != args[2]
if (is.null(workload$part)) workload$part <- 12800
if (seconds == 0) workload$part <- Inf
dense <- !is.null(workload$hidden) && workload$outputs != workload$d && !workload$predicts

# A number of MB that Linux keeps about this process: VmRSS now, VmHWM at its peak.
memory <- function(what) {
  status <- tryCatch(readLines("/proc/self/status"), error = function(e) character())
  as.numeric(gsub("[^0-9]", "", grep(what, status, value = TRUE))) / 1024
}

trainer <- if (requireNamespace(package, quietly = TRUE) && (package == "lamina" || dense)) {
  trainers[[package]](workload, name)
}
if (is.null(trainer)) {
  cat("absent\n")
} else {
  try(cat("5", file = "/proc/self/clear_refs"), silent = TRUE) # the peak is that from here on
  before <- memory("VmRSS")
  if (seconds > 0) invisible(trainer$run())
  best <- 0
  until <- proc.time()[[3]] + seconds
  repeat {
    start <- Sys.time()
    invisible(trainer$run())
    best <- max(best, trainer$samples / as.numeric(difftime(Sys.time(), start, units = "secs")))
    if (proc.time()[[3]] > until) break
  }
  cat(round(best, 1), round(memory("VmHWM") - before), "\n")
}
