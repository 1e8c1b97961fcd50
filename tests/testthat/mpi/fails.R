# What goes wrong, by name.  Arguments: the folder, and which.
which <- commandArgs(TRUE)[2]
library(lamina)
strategy <- mpi_strategy()
options(lamina.distribute = strategy)
rank <- strategy$rank
set.seed(if (which == "data") rank else 1)
x <- matrix(rnorm(400), 100)
y <- rnorm(100)
model <- keras_model_sequential(input_shape = 4) |> layer_dense(1)
compile(model, "sgd", "mse")
say <- function(...) if (rank == 0) cat(..., "\n")
switch(which,
  data = tryCatch(fit(model, x, y), error = function(e) say("caught", class(e)[1], conditionMessage(e))),
  model = tryCatch(fit(model, x, y, batch_size = 10 + rank, verbose = 0), error = function(e) say("caught", class(e)[1], conditionMessage(e))),
  nan = {
    x[100, 1] <- 1e30
    for (i in 1:2) tryCatch(fit(model, x, y, shuffle = FALSE, verbose = 0), error = function(e) say("caught", class(e)[1], conditionMessage(e)))
  },
  outside = {
    fit(model, x, y, verbose = 0)
    if (rank == 1) stop("rank 1 cannot read its file")
    fit(model, x, y, epochs = 2, verbose = 0)
  },
  callback = fit(model, x, y, verbose = 0, callbacks = callback_lambda(on_epoch_end = function(epoch, logs) stop("no space left"))),
  quits = {
    if (rank == 1) quit(status = 3)
    fit(model, x, y, verbose = 0)
  },
  alone = {
    # callbacks may use the model; rank 0 may go on by itself
    seen <- NULL
    fit(model, x, y, verbose = 0, callbacks = callback_lambda(on_epoch_end = function(epoch, logs) seen <<- predict(model, x)[1]))
    if (rank == 0) seen <- c(seen, predict(model, x, distribute = FALSE)[1])
    say("alone", is.null(seen) || abs(diff(seen)) < 1e-6, length(seen))
  },
  stateful = tryCatch({
    own <- keras_model_sequential(input_shape = 4) |> layer_dense(1)
    compile(own, "sgd", loss = function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred)))
    fit(own, x, y)
  }, error = function(e) say("caught", class(e)[1], conditionMessage(e)))
)
say("the end")
