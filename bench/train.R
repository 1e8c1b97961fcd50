# Trains one benchmark network with one R package, in a process of its own.
#
#   Rscript bench/train.R PACKAGE WORKLOAD THREADS SECONDS FOLDER
#
# Run from the top of the project by bench/bench.R, which writes network and data into FOLDER.  A first run
# warms up, and shows how well the package learns; then runs are repeated for about SECONDS and at least
# once.  Prints samples per second (the median of the runs), their number, MB at the peak of training or predicting
# beyond what was there before it (R, the package, the data), and the score of the first run.
args <- commandArgs(TRUE)
source("bench/workloads.R")
source("bench/packages.R")
source("bench/memory.R")
package <- args[1]
options(lamina.threads = as.integer(args[3]))
seconds <- as.numeric(args[4])
input <- readRDS(file.path(args[5], paste0(args[2], ".rds")))
w <- input$workload
data <- input$data
if (w$loss == "mse") data$y <- data$x # an autoencoder's targets are its inputs: one object, as in fit(model, x, x)

first <- function(x, rows) if (length(dim(x)) == 4) x[rows, , , , drop = FALSE] else x[rows, , drop = FALSE]

seconds_of <- function(run) {
  start <- Sys.time()
  invisible(run())
  as.numeric(difftime(Sys.time(), start, units = "secs"))
}

# As many batches as fit into half a second, at least one.
prediction_batches <- function(trainer) {
  batches <- lapply(seq(1, w$rows, by = w$batch), function(i) first(data$x, i:(i + w$batch - 1)))
  trainer$predict(batches[[1]])
  most <- 0.5 / seconds_of(function() trainer$predict(batches[[1]]))
  batches[seq_len(max(1, min(length(batches), most)))]
}

usable <- package == "lamina" || !is.null(hidden_units(w))
few <- function(data, n) list(x = first(data$x, 1:n), y = if (w$loss == "mse") first(data$y, 1:n) else data$y[1:n])
trainer <- if (usable && requireNamespace(package, quietly = TRUE)) {
  # a network that only predicts has seen a few rows
  trainers[[package]](if (w$predicts) utils::modifyList(w, list(batch = 10)) else w, if (w$predicts) few(data, 100) else data)
}
if (is.null(trainer)) {
  cat("absent\n")
} else {
  invisible(gc())
  reset_peak()
  before <- memory("VmRSS")
  invisible(trainer$train())
  batches <- if (w$predicts) prediction_batches(trainer)
  run <- if (w$predicts) function() for (x in batches) trainer$predict(x) else trainer$train
  samples <- if (w$predicts) length(batches) * w$batch else w$rows * w$epochs
  rows <- seq_len(min(512, w$rows))
  result <- tryCatch(score(w, trainer$predict(first(data$x, rows)), if (w$loss == "mse") data$y[rows, ] else data$y[rows]),
                     error = function(e) c(loss = NA, accuracy = NA, chance = NA))
  took <- seconds_of(run)
  while (sum(took) < seconds) took <- c(took, seconds_of(run))
  cat(samples / stats::median(took), length(took), memory("VmHWM") - before, result, "\n")
}
