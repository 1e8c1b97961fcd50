# What ranks cost and gain on this machine: bytes and time a step of the dense network W3 and the convolutions W4, one
# process with two threads beside two ranks with one, and how much of the sending is hidden behind the backward pass.
#
#     Rscript bench/mpi.R [rounds=3] [workloads=W3,W4]
#
# needs lamina installed with MPI, and mpirun.  It starts itself: forms take turns in each round.  A run is 60 epochs of
# 32 batches (W4: 15 of 16); what is shown is the best epoch of all rounds (others on the machine can only slow one
# down), with the median of all epochs beside it.
args <- commandArgs(TRUE)
setting <- function(name, default) {
  found <- sub(paste0("^", name, "="), "", grep(paste0("^", name, "="), args, value = TRUE))
  if (length(found)) found[1L] else default
}
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1L]))
source(file.path(here, "workloads.R"))
chosen <- strsplit(setting("workloads", "W3,W4"), ",")[[1L]]

network <- function(w) {
  library(lamina)
  model <- keras_model_sequential(input_shape = w$shape)
  for (layer in w$layers) {
    model <- switch(layer$kind,
      dense = layer_dense(model, layer$units, activation = layer$activation),
      conv = layer_conv_2d(model, layer$units, c(3, 3), padding = layer$padding, activation = layer$activation),
      pool = layer_max_pooling_2d(model, c(2, 2)),
      dropout = layer_dropout(model, layer$rate),
      flatten = layer_flatten(model))
  }
  optimizer <- switch(w$optimizer, rmsprop = optimizer_rmsprop(w$rate), adam = optimizer_adam(w$rate))
  compile(model, optimizer, "sparse_categorical_crossentropy")
  model
}

# One process, or one rank of several: a warm-up epoch, then 60; rank 0 writes its figures to the file given.
measure <- function(name, file) {
  library(lamina)
  strategy <- if (setting("alone", "no") == "no") mpi_strategy()
  w <- workloads[[name]]
  set.seed(1)
  steps <- if (name == "W3") 32 else 16
  n <- steps * w$batch
  epochs <- if (name == "W3") 60 else 15 # the convolutions take long
  x <- array(runif(n * prod(w$shape)), c(n, w$shape))
  y <- sample(w$outputs, n, TRUE) - 1
  model <- network(w)
  shared <- !is.null(strategy) && strategy$size > 1L
  run <- function(epochs) fit(model, x, y, batch_size = w$batch, epochs = epochs, verbose = 0, distribute = strategy)
  suppressMessages(run(1))
  if (shared) mpi_traffic(reset = TRUE)
  stamps <- numeric()
  note <- function(...) stamps <<- c(stamps, as.numeric(Sys.time()))
  stamp <- callback_lambda(on_epoch_begin = function(epoch) note(), on_epoch_end = function(epoch) note())
  suppressMessages(fit(model, x, y, batch_size = w$batch, epochs = epochs, verbose = 0, distribute = strategy, callbacks = stamp))
  seconds <- diff(matrix(stamps, 2L))
  # beside the steps' three doubles
  traffic <- if (shared) mpi_traffic() else list(bytes = 0, waited = 0)
  # what a sum of all gradients takes with nothing to do meanwhile
  blocking <- NA
  if (shared) {
    gradient <- numeric(sum(lengths(get_weights(model))) / 2) # as many bytes: doubles
    blocking <- min(vapply(1:20, function(i) {
      since <- as.numeric(Sys.time())
      .Call(lamina:::ffi_ranks_sum, gradient)
      as.numeric(Sys.time()) - since
    }, 0))
  }
  if (is.null(strategy) || strategy$rank == 0L) {
    saveRDS(list(seconds = min(seconds) / steps, rate = n / min(seconds), usual = n / stats::median(seconds),
                 bytes = traffic$bytes / (epochs * steps), waited = traffic$waited / (epochs * steps), blocking = blocking), file)
  }
}

if (setting("measure", "") != "") {
  measure(setting("measure", ""), setting("file", ""))
  quit()
}

forms <- list("1 process, 1 thread" = c(0, 1), "1 process, 2 threads" = c(0, 2), "2 ranks, 1 thread each" = c(2, 1), "4 ranks, 1 thread each" = c(4, 1))
script <- file.path(here, "mpi.R")
run <- function(name, form) {
  file <- tempfile()
  command <- c(file.path(R.home("bin"), "Rscript"), script, paste0("measure=", name), paste0("file=", file), if (form[1L] == 0) "alone=yes")
  if (form[1L] > 0) command <- c("mpirun", "--oversubscribe", "-n", form[1L], command)
  env <- c(paste0("LAMINA_THREADS=", form[2L]), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "OMPI_MCA_hwloc_base_binding_policy=none")
  system2(command[1L], shQuote(command[-1L]), env = env)
  readRDS(file)
}
rounds <- as.integer(setting("rounds", "3"))
for (name in chosen) {
  found <- replicate(rounds, lapply(forms, run, name = name), simplify = FALSE)
  pick <- function(form, what, how = min) how(vapply(found, function(round) round[[form]][[what]], 0))
  cat(sprintf("\n%s: batches of %d\n%-24s %10s %10s %10s %12s %10s %10s\n", name, workloads[[name]]$batch, "", "samples/s", "(median)", "ms a step",
              "bytes a step", "ms waited", "sum alone"))
  for (form in names(forms)) {
    cat(sprintf("%-24s %10.0f %10.0f %10.2f %12.0f %10.2f %10.2f\n", form, pick(form, "rate", max), pick(form, "usual", stats::median),
                1000 * pick(form, "seconds"), pick(form, "bytes"), 1000 * pick(form, "waited"), 1000 * pick(form, "blocking")))
  }
  cat(sprintf("2 ranks have %.0f %% of the samples a second of 2 threads; of %.2f ms of summing %.2f ms are waited for\n",
              100 * pick(names(forms)[3L], "rate", max) / pick(names(forms)[2L], "rate", max),
              1000 * pick(names(forms)[3L], "blocking"), 1000 * pick(names(forms)[3L], "waited")))
}
