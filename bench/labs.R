# Three course labs on made-up data of the real data's size: time, memory and how well it went.
#
#   Rscript bench/labs.R [lab = all] [threads = 2]
#
#   nyse  trading volume of the next day from five days of three series (James and others, An
#         Introduction to Statistical Learning, 2021, chapter 10): simple_rnn of 12, 200 epochs
#   imdb  25,000 reviews of 500 tokens out of 10,000: embedding of 32, lstm of 32, an epoch
#   bag   the same many reviews as a sparse matrix of 25,000 x 10,000 with about 100 words each:
#         dense layers of 16, 16 and 1, 20 epochs
#
# Each lab has a process of its own; its memory is what the process held at its peak (Linux).
# Needs lamina installed, and Matrix for `bag`.

args <- commandArgs(TRUE)
labs <- c("nyse", "imdb", "bag")
if (length(args) == 0 || args[1] == "all") {
  for (lab in labs) system2(file.path(R.home("bin"), "Rscript"), c("bench/labs.R", lab, args[-1]))
  quit("no")
}
suppressPackageStartupMessages(library(lamina))
source("bench/memory.R")
options(lamina.threads = if (length(args) > 1) as.integer(args[2]) else 2L)
set.seed(1)

memory_before <- function() {
  gc()
  reset_peak()
  memory("VmRSS")
}

report <- function(lab, seconds, before, result) {
  cat(sprintf("%-5s %7.1f s (%.1f of processor time)   %5.0f MB at the peak of fit(), %.0f of them before it   %s\n",
              lab, seconds[1], sum(seconds[-1]), memory("VmHWM"), before, result))
}

seconds_of <- function(code) system.time(code)[c("elapsed", "user.self", "sys.self")]

r_squared <- function(y, forecast) 1 - sum((y - forecast)^2) / sum((y - mean(y))^2)

# Volatility that clusters, returns of that volatility, and volume that both raise for a while.
nyse <- function(n = 6051, train = 4281) {
  series <- matrix(0, n, 3, dimnames = list(NULL, c("volume", "return", "volatility")))
  for (t in 2:n) {
    was <- series[t - 1, ]
    shock <- rnorm(1)
    series[t, 2] <- exp(was[3] / 2) * shock
    series[t, 3] <- 0.97 * was[3] + 0.2 * (abs(shock) - sqrt(2 / pi))
    series[t, 1] <- 0.6 * was[1] + 0.3 * tanh(abs(was[2]) - 1) + 0.2 * was[3] + rnorm(1, 0, 0.5)
  }
  series <- scale(series)
  lags <- embed(series, 6) # columns: three series now, a day ago, ... five days ago
  y <- lags[, 1]
  x <- aperm(array(lags[, -(1:3)], c(nrow(lags), 3, 5)), c(1, 3, 2))[, 5:1, ]
  first <- seq_len(train)

  model <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_simple_rnn(units = 12, dropout = 0.1, recurrent_dropout = 0.1) |>
    layer_dense(units = 1)
  model |> compile(optimizer = optimizer_rmsprop(), loss = "mse")
  before <- memory_before()
  time <- seconds_of(model |> fit(x[first, , ], y[first], batch_size = 64, epochs = 200, verbose = 0,
                                  validation_data = list(x[-first, , ], y[-first])))
  linear <- lm(y ~ ., data.frame(y, lags[, -(1:3)]), subset = first)
  report("nyse", time, before, sprintf(
    "test R^2 %.3f, linear autoregression %.3f", r_squared(y[-first], predict(model, x[-first, , ])),
    r_squared(y[-first], predict(linear, data.frame(lags[, -(1:3)])[-first, ]))
  ))
}

# Words by Zipf's law; the class is that of the words among 400 that speak for one or the other.
words <- function(n) sample.int(9999, n, replace = TRUE, prob = 1 / (10 + 1:9999))
speaks <- function(word) ifelse(word %% 25 == 0, ifelse(word %% 50 == 0, 1, -1), 0)

imdb <- function(n = 25000, steps = 500, held = 2000) {
  lengths <- pmin(steps, pmax(20, round(rlnorm(n + held, log(180), 0.7))))
  x <- matrix(0L, n + held, steps) # short reviews have zeros before them
  x[col(x) > steps - lengths] <- words(sum(lengths))
  y <- as.integer(rowSums(matrix(speaks(x), nrow(x))) > 0)
  model <- keras_model_sequential(input_shape = steps) |>
    layer_embedding(input_dim = 10000, output_dim = 32) |>
    layer_lstm(units = 32) |>
    layer_dense(units = 1, activation = "sigmoid")
  model |> compile(optimizer = "rmsprop", loss = "binary_crossentropy", metrics = "accuracy")
  before <- memory_before()
  last <- n + seq_len(held)
  train <- x[-last, ]
  time <- seconds_of(model |> fit(train, y[-last], batch_size = 128, epochs = 1, verbose = 0))
  report("imdb", time, before, sprintf("accuracy after the epoch %.3f", evaluate(model, x[last, ], y[last])$accuracy))
}

bag <- function(n = 25000, columns = 10000, per_row = 110, held = 2000) {
  rows <- rep(seq_len(n + held), each = per_row)
  word <- words(length(rows))
  x <- methods::as(Matrix::sparseMatrix(rows, word + 1, dims = c(n + held, columns)), "CsparseMatrix")
  y <- as.integer(rowsum(speaks(word), rows) > 0)
  last <- n + seq_len(held)
  train <- x[-last, ]
  model <- keras_model_sequential(input_shape = columns) |>
    layer_dense(units = 16, activation = "relu") |>
    layer_dense(units = 16, activation = "relu") |>
    layer_dense(units = 1, activation = "sigmoid")
  model |> compile(optimizer = "rmsprop", loss = "binary_crossentropy", metrics = "accuracy")
  before <- memory_before()
  time <- seconds_of(model |> fit(train, y[-last], batch_size = 512, epochs = 20, verbose = 0))
  report("bag", time, before, sprintf("%.0f words a row, accuracy %.3f", Matrix::nnzero(train) / n,
                                      evaluate(model, x[last, ], y[last])$accuracy))
}

get(match.arg(args[1], labs))()
