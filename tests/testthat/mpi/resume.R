# Trains for 12 epochs, each put by in a file; goes on from the file where there is one.  Arguments: the folder.
folder <- commandArgs(TRUE)[1]
library(lamina)
strategy <- mpi_strategy()
options(lamina.distribute = strategy)
file <- file.path(folder, "model.lamina")
cat(Sys.getpid(), "\n", file = file.path(folder, sprintf("pid-%d", strategy$rank)))
set.seed(1)
x <- matrix(rnorm(200 * 4), 200)
y <- x[, 1] * x[, 2]
if (file.exists(file)) {
  model <- load_model(file)
} else {
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(8, activation = "tanh") |> layer_dropout(0.1) |> layer_dense(1)
  compile(model, "adam", "mse")
}
slow <- callback_lambda(on_epoch_end = function(epoch, logs) {
  cat(epoch, "\n", file = file.path(folder, "epoch"))
  Sys.sleep(as.numeric(commandArgs(TRUE)[2]))
})
if (model$epoch < 12) {
  fit(model, x, y, batch_size = 50, epochs = 12, initial_epoch = model$epoch + 1, verbose = 0,
      callbacks = list(callback_model_checkpoint(file), slow))
}
if (strategy$rank == 0) saveRDS(list(weights = get_weights(model), epoch = model$epoch), file.path(folder, "done.rds"))
