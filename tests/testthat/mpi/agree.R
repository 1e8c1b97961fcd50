# The same script for one process and for ranks: trains three networks and saves what came out.
# Arguments: the folder, and a name for the results.
folder <- commandArgs(TRUE)[1]
name <- commandArgs(TRUE)[2]
library(lamina)
strategy <- mpi_strategy()
options(lamina.distribute = strategy)

# Rows, batches (the last is short) and classes of each task.
pictures <- function(n) array(runif(n * 12 * 12 * 2), c(n, 12, 12, 2))
words <- function(n) {
  x <- array(runif(n * 6 * 3), c(n, 6, 3))
  for (i in seq_len(n)) x[i, seq_len(i %% 4), ] <- 0 # steps that do not count
  x
}
classes <- function(n) factor(sample(c("a", "b", "c"), n, TRUE))

networks <- list(
  mlp = function() {
    keras_model_sequential(input_shape = 5) |>
      layer_dense(13, kernel_regularizer = "l2") |>
      layer_batch_normalization() |>
      layer_activation("relu") |>
      layer_dropout(0.4) |>
      layer_dense(3, activation = "softmax")
  },
  cnn = function() {
    keras_model_sequential(input_shape = c(12, 12, 2)) |>
      layer_conv_2d(4, c(3, 3), activation = "relu") |>
      layer_batch_normalization() |>
      layer_max_pooling_2d(c(2, 2)) |>
      layer_dropout(0.25) |>
      layer_flatten() |>
      layer_dense(3, activation = "softmax")
  },
  lstm = function() {
    keras_model_sequential(input_shape = c(6, 3)) |>
      layer_masking(0) |>
      layer_lstm(7, dropout = 0.2, recurrent_dropout = 0.2) |>
      layer_dense(3, activation = "softmax")
  }
)
inputs <- list(mlp = function(n) matrix(rnorm(n * 5), n), cnn = pictures, lstm = words)

results <- lapply(names(networks), function(which) {
  set.seed(1)
  x <- inputs[[which]](121)
  y <- classes(121)
  if (strategy$rank > 0) set.seed(99) # ranks need not have drawn alike: the seed is rank 0's
  model <- networks[[which]]()
  compile(model, optimizer_sgd(0.05, momentum = 0.9), "sparse_categorical_crossentropy", metrics = c("accuracy"))
  # decisions: the rate, and when to end
  rates <- callback_learning_rate_scheduler(function(epoch, lr) if (epoch < 3) lr else lr / 2)
  stops <- callback_early_stopping("val_loss", patience = 1, restore_best_weights = TRUE)
  fit(model, x, y, sample_weight = rep(c(1, 2, 0.5), length.out = 121), batch_size = 32, epochs = 6, validation_split = 0.25,
      callbacks = list(rates, stops), verbose = 0)
  list(history = model$history$metrics, weights = get_weights(model), test = evaluate(model, x, y), rate = lamina:::model_rate(model),
       predicted = predict(model, x))
})
names(results) <- names(networks)

# Order and masks, exactly: with whole numbers and halves dropped, squared errors are whole numbers, in any order of summation;
# nothing is learnt, so that the loss of each batch tells which rows it had and which of their numbers were dropped.
set.seed(2)
x <- matrix(sample(1:50, 64 * 4, TRUE), 64)
model <- keras_model_sequential(input_shape = 4) |>
  layer_dropout(0.5) |>
  layer_dense(1, kernel_initializer = "ones", use_bias = FALSE)
compile(model, optimizer_sgd(0), "mse")
batches <- list()
if (strategy$size > 1 || strategy$rank == 0) {
  note <- callback_lambda(on_train_batch_end = function(batch, logs) batches[[length(batches) + 1L]] <<- logs$loss)
  fit(model, x, numeric(64), batch_size = 16, epochs = 3, callbacks = note, verbose = 0)
}
results$exact <- list(losses = model$history$metrics$loss, batches = unlist(batches))

# Data that come in batches: a dataset, and a function.
set.seed(3)
x <- matrix(rnorm(90 * 3), 90)
y <- x[, 1] * 2 - x[, 2]
windows <- timeseries_dataset_from_array(x, y, sequence_length = 4, batch_size = 16, shuffle = TRUE)
model <- keras_model_sequential(input_shape = c(4, 3)) |> layer_flatten() |> layer_dense(4, activation = "tanh") |> layer_dense(1)
compile(model, "sgd", "mse")
fit(model, windows, epochs = 3, validation_data = windows, verbose = 0)
results$dataset <- list(weights = get_weights(model), history = model$history$metrics, test = evaluate(model, windows),
                        predicted = predict(model, windows))
at <- 0
give <- function() {
  rows <- at %% 90 + 1:15
  at <<- at + 15
  list(x[rows, ], y[rows])
}
model <- keras_model_sequential(input_shape = 3) |> layer_dense(4, activation = "tanh") |> layer_dense(1)
compile(model, "sgd", "mse")
fit(model, give, steps_per_epoch = 6, epochs = 2, verbose = 0)
results$given <- list(weights = get_weights(model), history = model$history$metrics)

saveRDS(results, file.path(folder, sprintf("%s-%d-%d.rds", name, max(strategy$size, 1), strategy$rank)))
