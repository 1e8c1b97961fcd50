# Each rank has rows of its own; saved with the weights is what one process gets from these rows in the order in which the
# ranks take them.
folder <- commandArgs(TRUE)[1]
library(lamina)
strategy <- mpi_strategy("own")
set.seed(1)
n <- 90
x <- matrix(rnorm(n * 3), n)
y <- x[, 1] - x[, 2] + rnorm(n, sd = 0.1)
held <- c(60, 30)
mine <- if (strategy$rank == 0) 1:60 else 61:90
train <- function(rows, distribute) {
  set.seed(2)
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(5, activation = "tanh") |> layer_dropout(0.2) |> layer_dense(1)
  compile(model, "sgd", "mse", metrics = "mae")
  fit(model, x[rows, ], y[rows], batch_size = 15, epochs = 2, shuffle = FALSE, verbose = 0, distribute = distribute)
  model
}
model <- train(mine, strategy)
ordered <- unlist(lapply(0:5, function(b) c(b * 10 + 1:10, 60 + b * 5 + 1:5)))
one <- train(ordered, FALSE)
# a rank's own batches, of which the second has fewer
at <- 0
give <- function() {
  at <<- at + 1
  rows <- mine[((at - 1) %% 6) * length(mine) / 6 + seq_len(length(mine) / 6)]
  list(x[rows, ], y[rows])
}
set.seed(2)
given <- keras_model_sequential(input_shape = 3) |> layer_dense(5, activation = "tanh") |> layer_dropout(0.2) |> layer_dense(1)
compile(given, "sgd", "mse", metrics = "mae")
fit(given, give, steps_per_epoch = 6, epochs = 2, verbose = 0, distribute = strategy)
saveRDS(list(weights = get_weights(model), history = model$history$metrics, one = get_weights(one), one_history = one$history$metrics,
             given = get_weights(given), test = evaluate(model, x[mine, ], y[mine], distribute = strategy), whole = evaluate(model, x, y),
             predicted = predict(model, x[mine, ], distribute = strategy), alone = predict(model, x[mine, ])),
        file.path(folder, sprintf("own-2-%d.rds", strategy$rank)))
