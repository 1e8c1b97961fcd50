# lamina beside its peers: samples per second in training, all in one run.
#
#   Rscript bench/bench.R [rounds = 3] [seconds = 2] [workloads = W1,W2,W3,W4,W5,W6,W6g,W7] [packages = all]
#
# A workload with a p behind it (W4p) is prediction at batches of 256 rows. seconds = 0 trains one whole
# epoch, for the peak of memory.
# Each round runs every package once for every workload and thread count, so that a busy neighbour hits
# all alike; the table shows the median over the rounds, the range, and lamina's ratio.
# torch-last is PyTorch with the channels last in memory; torch-openmp and torch-last-openmp run it on
# the OpenMP build of OpenBLAS, whose folder is LAMINA_BENCH_OPENMP (Debian: libopenblas0-openmp).
# Peers: PyTorch and scikit-learn (Debian: python3-torch, python3-sklearn), and the R packages nnet,
# ANN2, RSNNS and deepnet where they are installed; absent ones are named and passed over.
# nnet trains one hidden layer on the whole batch by BFGS, RSNNS one row at a time: neither is the
# same work as mini-batches, which is why they are listed by themselves.

args <- commandArgs(TRUE)
rounds <- if (length(args) >= 1) as.integer(args[1]) else 3L
seconds <- if (length(args) >= 2) as.numeric(args[2]) else 2
chosen <- if (length(args) >= 3) strsplit(args[3], ",")[[1]] else c("W1", "W2", "W3", "W4", "W5", "W6", "W6g", "W7")
packages <- if (length(args) >= 4) strsplit(args[4], ",")[[1]] else {
  c("lamina", "torch", "torch-last", "torch-openmp", "torch-last-openmp", "sklearn", "ANN2", "RSNNS", "deepnet", "nnet")
}

# The first Python that has NumPy: Debian's may stand behind another one on the path.
has_numpy <- function(python) suppressWarnings(system2(python, c("-c", shQuote("import numpy")), stdout = FALSE, stderr = FALSE)) == 0
python3 <- Find(has_numpy, c("python3", "/usr/bin/python3"))

# Samples per second and the MB that training adds at its peak; NA where the package cannot do it.
rate <- function(package, workload, threads) {
  openmp <- if (grepl("-openmp$", package)) Sys.getenv("LAMINA_BENCH_OPENMP")
  package <- sub("-openmp$", "", package)
  python <- package %in% c("torch", "torch-last", "sklearn")
  if (identical(openmp, "") || (python && is.null(python3))) return(c(NA_real_, NA_real_))
  command <- if (python) python3 else file.path(R.home("bin"), "Rscript")
  script <- c(if (python) "bench/peers.py" else c("--no-save", "bench/train.R"))
  env <- c(paste0(c("OMP_NUM_THREADS=", "OPENBLAS_NUM_THREADS="), threads), if (!is.null(openmp)) paste0("LD_LIBRARY_PATH=", openmp))
  out <- suppressWarnings(system2(command, c(script, package, workload, threads, seconds), stdout = TRUE, stderr = FALSE, env = env, timeout = 120))
  numbers <- suppressWarnings(as.numeric(strsplit(utils::tail(c("absent", out), 1), " ")[[1]]))
  c(numbers, NA_real_)[1:2]
}

show <- function(part, workload, threads) {
  part <- part[part$threads == threads & !is.na(part$median), ]
  ours <- part$median[part$package == "lamina"]
  cat(sprintf("\n%s, %d thread%s\n", workload, threads, if (threads > 1) "s" else ""))
  cat(sprintf("  %-17s %12s samples/s  (%s to %s)   lamina is %.2f times as fast; %.0f MB\n", part$package,
              format(round(part$median), big.mark = ","), format(round(part$low), big.mark = ","),
              format(round(part$high), big.mark = ","), ours / part$median, part$memory), sep = "")
}

cat(sprintf("%s, %d rounds of %g s\n", format(Sys.Date()), rounds, seconds))
print(lamina::lamina_info())
for (workload in chosen) {
  runs <- expand.grid(package = packages, threads = 1:2, stringsAsFactors = FALSE)
  measured <- replicate(rounds, mapply(rate, runs$package, workload, runs$threads))
  rates <- matrix(measured[1, , ], ncol = rounds)
  runs$memory <- apply(matrix(measured[2, , ], ncol = rounds), 1, max)
  runs$median <- apply(rates, 1, stats::median)
  runs$low <- apply(rates, 1, min)
  runs$high <- apply(rates, 1, max)
  show(runs, workload, 1)
  show(runs, workload, 2)
  absent <- packages[tapply(runs$median, factor(runs$package, packages), function(v) all(is.na(v)))]
  if (length(absent)) cat("absent, or not able to train this network:", paste(absent, collapse = ", "), "\n")
}
