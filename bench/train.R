# Trains one benchmark network with one R package and prints samples per second.
#   Rscript bench/train.R PACKAGE WORKLOAD THREADS SECONDS
# Run from the top of the project. A first run warms up; then runs are repeated for about SECONDS
# and the best counts.
args <- commandArgs(TRUE)
source("bench/workloads.R")
package <- args[1]
options(lamina.threads = as.integer(args[3]))
if (!requireNamespace(package, quietly = TRUE)) {
  cat("absent\n")
} else {
  trainer <- trainers[[package]](workloads[[args[2]]])
  if (is.null(trainer)) {
    cat("absent\n")
  } else {
    invisible(trainer$run())
    best <- 0
    until <- proc.time()[[3]] + as.numeric(args[4])
    repeat {
      start <- Sys.time()
      invisible(trainer$run())
      best <- max(best, trainer$samples / as.numeric(difftime(Sys.time(), start, units = "secs")))
      if (proc.time()[[3]] > until) break
    }
    cat(round(best, 1), "\n")
  }
}
