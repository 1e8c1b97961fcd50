# ---- the definitions, in double precision --------------------------------------------------------

sigmoid <- function(z) 1 / (1 + exp(-z))

# An LSTM over one sample, steps x features: list(y = outputs as they come, h =, c =).
lstm <- function(x, w, mask = rep(TRUE, nrow(x)), backwards = FALSE, zeros = FALSE) {
  units <- nrow(w[[2]])
  h <- c <- numeric(units)
  y <- matrix(0, nrow(x), units)
  order <- if (backwards) rev(seq_len(nrow(x))) else seq_len(nrow(x))
  for (i in seq_along(order)) {
    t <- order[i]
    if (mask[t]) {
      z <- matrix(x[t, ] %*% w[[1]] + h %*% w[[2]] + as.vector(w[[3]]), units)
      c <- sigmoid(z[, 2]) * c + sigmoid(z[, 1]) * tanh(z[, 3])
      h <- sigmoid(z[, 4]) * tanh(c)
    }
    y[i, ] <- if (mask[t] || !zeros) h else 0
  }
  list(y = y, h = h, c = c)
}

merge_with <- list(
  concat = function(f, b) cbind(f, b), sum = function(f, b) f + b, mul = function(f, b) f * b,
  ave = function(f, b) (f + b) / 2
)

both_ways <- function(x, w, how, sequences, mask = rep(TRUE, nrow(x))) {
  f <- lstm(x, w[1:3], mask, zeros = sequences)
  b <- lstm(x, w[4:6], mask, backwards = TRUE, zeros = sequences)
  if (sequences) merge_with[[how]](f$y, b$y[nrow(x):1, ]) else drop(merge_with[[how]](t(f$h), t(b$h)))
}

some_weights <- function(model, scale = 0.6) {
  lapply(get_weights(model), function(w) {
    w[] <- rnorm(length(w), sd = scale)
    w
  })
}

set.seed(11)
series <- array(rnorm(4 * 5 * 2), c(4, 5, 2))

# ---- bidirectional -------------------------------------------------------------------------------

test_that("bidirectional merges the outputs of both directions", {
  for (how in names(merge_with)) for (sequences in c(TRUE, FALSE)) {
    model <- keras_model_sequential(input_shape = c(5, 2)) |>
      layer_bidirectional(layer_lstm(units = 3, return_sequences = sequences), merge_mode = how)
    w <- some_weights(model)
    set_weights(model, w)
    got <- predict(model, series)
    for (i in 1:4) {
      want <- both_ways(series[i, , ], w, how, sequences)
      expect_equal(if (sequences) got[i, , ] else got[i, ], want, tolerance = 1e-5)
    }
  }
})

test_that("masked steps put out zeros in sequences, and are passed over otherwise", {
  ids <- rbind(c(3, 1, 0, 2, 0), c(0, 0, 4, 0, 0), c(0, 0, 0, 0, 0), 1:5 %% 5)
  for (sequences in c(TRUE, FALSE)) {
    model <- keras_model_sequential(input_shape = 5) |>
      layer_embedding(5, 2, mask_zero = TRUE) |>
      layer_bidirectional(layer_lstm(units = 3, return_sequences = sequences))
    w <- some_weights(model)
    set_weights(model, w)
    got <- predict(model, ids)
    for (i in 1:4) {
      want <- both_ways(w[[1]][ids[i, ] + 1, ], w[-1], "concat", sequences, ids[i, ] != 0)
      expect_equal(if (sequences) got[i, , ] else got[i, ], want, tolerance = 1e-5)
    }
    expect_equal(sum(abs(if (sequences) got[3, , ] else got[3, ])), 0)
  }
})

test_that("gradients of bidirectional are the slopes of the loss", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_bidirectional(layer_lstm(units = 2, return_sequences = TRUE), merge_mode = "mul") |>
    layer_bidirectional(layer_lstm(units = 2), merge_mode = "concat")
  model |> compile(loss = "mse")
  w <- some_weights(model)
  set_weights(model, w)
  y <- matrix(rnorm(16), 4)
  loss <- function(w) {
    mean(sapply(1:4, function(i) mean((both_ways(both_ways(series[i, , ], w[1:6], "mul", TRUE), w[7:12], "concat", FALSE) - y[i, ])^2)))
  }
  got <- compute_gradients(model, series, y)
  expect_equal(got$loss, loss(w), tolerance = 1e-5)
  for (k in seq_along(w)) {
    at <- sample(length(w[[k]]), min(4, length(w[[k]])))
    slopes <- sapply(at, function(j) {
      up <- down <- w
      up[[k]][j] <- up[[k]][j] + 1e-5
      down[[k]][j] <- down[[k]][j] - 1e-5
      (loss(up) - loss(down)) / 2e-5
    })
    expect_equal(as.vector(got$weights[[k]])[at], slopes, tolerance = 1e-4)
  }
})

test_that("the weights are those of the forward and then those of the backward layer", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |> layer_bidirectional(layer_gru(units = 3), name = "both")
  expect_equal(lapply(get_weights(model), dim), list(c(2L, 9L), c(3L, 9L), c(2L, 9L), c(2L, 9L), c(3L, 9L), c(2L, 9L)))
  expect_equal(count_params(model), 2 * (2 * 9 + 3 * 9 + 18))
  expect_identical(model$output_shape, list(NULL, 6L))
  expect_output(print(model), "both (Bidirectional)", fixed = TRUE)
  w <- get_weights(model)
  expect_false(isTRUE(all.equal(w[[1]], w[[4]]))) # drawn apart
})

test_that("the layer for the other direction may be one's own", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_bidirectional(layer_lstm(units = 3), backward_layer = layer_lstm(units = 4, go_backwards = TRUE))
  w <- some_weights(model)
  set_weights(model, w)
  want <- c(lstm(series[2, , ], w[1:3])$h, lstm(series[2, , ], w[4:6], backwards = TRUE)$h)
  expect_equal(predict(model, series)[2, ], want, tolerance = 1e-5)
  wrong <- list(layer_lstm(units = 3), layer_lstm(units = 3, go_backwards = TRUE, return_sequences = TRUE),
                layer_lstm(units = 3, go_backwards = TRUE, stateful = TRUE, batch_size = 4))
  for (other in wrong) {
    expect_error(
      keras_model_sequential(input_shape = c(5, 2)) |> layer_bidirectional(layer_lstm(units = 3), backward_layer = other),
      class = "lamina_error_argument"
    )
  }
  expect_error(
    keras_model_sequential(input_shape = c(5, 2)) |>
      layer_bidirectional(layer_lstm(units = 3), "sum", backward_layer = layer_lstm(units = 4, go_backwards = TRUE)),
    class = "lamina_error_argument"
  )
})

test_that("states of both directions are told", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_bidirectional(layer_lstm(units = 3, return_state = TRUE, return_sequences = TRUE))
  w <- some_weights(model)
  set_weights(model, w)
  out <- layer_outputs(model, series)
  expect_length(out, 5L)
  f <- lstm(series[4, , ], w[1:3])
  b <- lstm(series[4, , ], w[4:6], backwards = TRUE)
  for (k in 1:4) expect_equal(out[[k + 1]][4, ], list(f$h, f$c, b$h, b$c)[[k]], tolerance = 1e-5)
  expect_equal(out[[1]], predict(model, series))
})

test_that("stateful directions go on from batch to batch", {
  model <- keras_model_sequential(input_batch_shape = c(4, 5, 2)) |> layer_bidirectional(layer_lstm(units = 2, stateful = TRUE))
  w <- some_weights(model)
  set_weights(model, w)
  first <- predict(model, series)
  second <- predict(model, series)
  twice <- rbind(series[1, , ], series[1, , ])
  back <- rbind(series[1, , ], series[1, , ]) # from the end, each piece by itself
  expect_equal(second[1, 1:2], lstm(twice, w[1:3])$h, tolerance = 1e-5)
  expect_equal(second[1, 3:4], lstm(back, w[4:6], backwards = TRUE)$h, tolerance = 1e-5)
  reset_states(model)
  expect_identical(predict(model, series), first)
  expect_length(get_weights(model), 6L)
})

test_that("weights, initializers that are functions and input shapes pass through the wrapper", {
  model <- keras_model_sequential() |>
    layer_bidirectional(layer_simple_rnn(units = 2, input_shape = c(5, 2),
                                         recurrent_initializer = function(shape) array(seq_len(prod(shape)), shape)))
  w <- get_weights(model)
  expect_equal(w[[2]], matrix(as.double(1:4), 2))
  expect_equal(w[[5]], matrix(as.double(1:4), 2))
  again <- keras_model_sequential(input_shape = c(5, 2)) |> layer_bidirectional(layer_simple_rnn(units = 2), weights = w)
  expect_identical(predict(again, series), predict(model, series))
  expect_error(
    keras_model_sequential(input_shape = c(5, 2)) |> layer_bidirectional(layer_simple_rnn(units = 2), weights = w[1:3]) |>
      predict(series),
    "weights", class = "lamina_error_argument"
  )
  expect_error(layer_bidirectional(layer = layer_simple_rnn(units = 2), weights = 1:3), class = "lamina_error_argument")
})

test_that("penalties on the outputs are added to the loss", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_bidirectional(layer_lstm(units = 3, activity_regularizer = regularizer_l2(0.1), kernel_regularizer = regularizer_l1(0.2)))
  model |> compile(loss = "mse")
  out <- predict(model, series)
  w <- get_weights(model)
  want <- mean(out^2) + 0.1 * sum(out^2) / 4 + 0.2 * (sum(abs(w[[1]])) + sum(abs(w[[4]])))
  expect_equal(evaluate(model, series, 0 * out)$loss, want, tolerance = 1e-5)
  expect_error(layer_bidirectional(layer = layer_lstm(units = 3, activity_regularizer = "l2"), merge_mode = "sum"),
               class = "lamina_error_argument")
})

# ---- time_distributed ----------------------------------------------------------------------------

test_that("time_distributed applies the layer at every step", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |> layer_time_distributed(layer_dense(units = 3, activation = "tanh"))
  w <- some_weights(model)
  set_weights(model, w)
  got <- predict(model, series)
  for (t in 1:5) {
    expect_equal(got[, t, ], tanh(series[, t, ] %*% w[[1]] + rep(w[[2]], each = 4)), tolerance = 1e-6)
  }
  expect_output(print(model), "time_distributed (TimeDistributed", fixed = TRUE)
})

test_that("a tagger of words has the loss and gradients of a dense layer, masked steps left out", {
  ids <- rbind(c(3, 1, 0, 2, 0), c(4, 4, 1, 0, 0), c(0, 0, 0, 0, 0))
  tags <- array(c(0, 1, 2, 1, 0, 2, 2, 2, 0, 1, 1, 1, 0, 0, 0), c(3, 5, 1))
  tagger <- function(wrap) {
    model <- keras_model_sequential(input_shape = 5) |> layer_embedding(5, 2, mask_zero = TRUE)
    last <- layer_dense(units = 3, activation = "softmax")
    if (wrap) layer_time_distributed(model, last) else last(model)
    model |> compile(loss = "sparse_categorical_crossentropy", metrics = "accuracy")
    model
  }
  model <- tagger(TRUE)
  w <- some_weights(model, 2)
  set_weights(model, w)
  p <- predict(model, ids)
  counts <- ids != 0
  chosen <- matrix(p[cbind(rep(1:3, 5), rep(1:5, each = 3), as.vector(tags) + 1)], 3)
  best <- apply(p, 1:2, which.max) - 1
  got <- evaluate(model, ids, tags)
  expect_equal(got$loss, mean(-log(chosen[counts])), tolerance = 1e-5)
  expect_equal(got$accuracy, mean((best == tags[, , 1])[counts]), tolerance = 1e-6)
  plain <- tagger(FALSE)
  set_weights(plain, w)
  expect_equal(compute_gradients(model, ids, tags), compute_gradients(plain, ids, tags), tolerance = 1e-6)
})

test_that("time_distributed takes layers on pictures and on series", {
  films <- array(rnorm(2 * 3 * 6 * 6 * 1), c(2, 3, 6, 6, 1))
  conv <- function() layer_conv_2d(filters = 4, kernel_size = 3, activation = "relu")
  film <- keras_model_sequential(input_shape = c(3, 6, 6, 1)) |> layer_time_distributed(conv()) |>
    layer_time_distributed(layer_max_pooling_2d(pool_size = 2)) |> layer_time_distributed(layer_flatten())
  picture <- keras_model_sequential(input_shape = c(6, 6, 1)) |> conv()() |> layer_max_pooling_2d(pool_size = 2) |> layer_flatten()
  set_weights(picture, get_weights(film))
  got <- predict(film, films)
  expect_equal(dim(got), c(2L, 3L, 16L))
  for (t in 1:3) expect_equal(got[, t, ], predict(picture, array(films[, t, , , ], c(2, 6, 6, 1))), tolerance = 1e-6)

  texts <- array(rnorm(2 * 3 * 5 * 2), c(2, 3, 5, 2))
  model <- keras_model_sequential(input_shape = c(3, 5, 2)) |> layer_time_distributed(layer_lstm(units = 4))
  w <- some_weights(model)
  set_weights(model, w)
  expect_equal(predict(model, texts)[2, 3, ], lstm(texts[2, 3, , ], w)$h, tolerance = 1e-5)
})

test_that("a classifier of every step trains", {
  set.seed(12)
  x <- array(rnorm(200 * 6 * 2), c(200, 6, 2))
  y <- array(as.numeric(x[, , 1] * x[, , 2] > 0), c(200, 6, 1))
  model <- keras_model_sequential(input_shape = c(6, 2)) |>
    layer_time_distributed(layer_dense(units = 16, activation = "tanh")) |>
    layer_time_distributed(layer_dropout(rate = 0.05)) |>
    time_distributed(layer_dense(units = 1, activation = "sigmoid"))
  model |> compile(loss = "binary_crossentropy", optimizer = optimizer_adam(0.02), metrics = "accuracy")
  model |> fit(x, y, epochs = 30, verbose = 0)
  expect_gt(evaluate(model, x, y)$accuracy, 0.95)
})

test_that("dropout inside draws for every step by itself", {
  model <- keras_model_sequential(input_shape = c(50, 4)) |> layer_time_distributed(layer_dropout(rate = 0.5))
  set.seed(1)
  dropped <- layer_outputs(model, array(1, c(2, 50, 4)), training = TRUE) == 0
  expect_gt(length(unique(apply(dropped[1, , ], 1, paste, collapse = ""))), 5L)
})

test_that("ids inside time_distributed are checked, and their masks reach the layers behind", {
  ids <- array(c(1, 0, 2, 0, 3, 0, 1, 0, 4, 0, 0, 0), c(2, 2, 3))
  model <- keras_model_sequential(input_shape = c(2, 3)) |>
    layer_time_distributed(layer_embedding(input_dim = 5, output_dim = 2, mask_zero = TRUE)) |>
    layer_time_distributed(layer_lstm(units = 3)) |>
    layer_lstm(units = 2)
  w <- some_weights(model)
  set_weights(model, w)
  for (i in 1:2) {
    sentences <- t(sapply(1:2, function(s) lstm(w[[1]][ids[i, s, ] + 1, ], w[2:4], ids[i, s, ] != 0)$h))
    counts <- apply(ids[i, , ] != 0, 1, any)
    expect_equal(predict(model, ids)[i, ], lstm(sentences, w[5:7], counts)$h, tolerance = 1e-5)
  }
  expect_error(predict(model, ids + 3), "0 to 4", class = "lamina_error_data")
})

test_that("penalties, functions and frozen layers pass through time_distributed", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_time_distributed(layer_dense(units = 3, activity_regularizer = regularizer_l1(0.1),
                                       kernel_initializer = function(shape) array(0.5, shape)))
  expect_true(all(get_weights(model)[[1]] == 0.5))
  model |> compile(loss = "mse")
  out <- predict(model, series)
  expect_equal(evaluate(model, series, 0 * out)$loss, mean(out^2) + 0.1 * sum(abs(out)) / 4, tolerance = 1e-5)
  frozen <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_time_distributed(layer_dense(units = 3, trainable = FALSE)) |> layer_dense(1)
  expect_length(get_weights(frozen, trainable = TRUE), 2L)
  frozen |> compile(loss = "mse")
  before <- get_weights(frozen)
  fit(frozen, series, array(0, c(4, 5, 1)), verbose = 0)
  expect_identical(get_weights(frozen)[1:2], before[1:2])
})

# ---- both ----------------------------------------------------------------------------------------

test_that("saving, cloning and batch normalization inside keep a model whole", {
  model <- keras_model_sequential(input_shape = c(5, 2)) |>
    layer_time_distributed(layer_batch_normalization()) |>
    layer_bidirectional(layer_gru(units = 3, return_sequences = TRUE, dropout = 0.2)) |>
    layer_time_distributed(layer_dense(units = 1))
  model |> compile(loss = "mse", optimizer = "adam")
  y <- array(rnorm(20), c(4, 5, 1))
  fit(model, series, y, epochs = 2, verbose = 0)
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(model, path)
  for (again in list(readRDS(path), load_model(save_model(model)))) {
    expect_identical(predict(again, series), predict(model, series))
    expect_equal(train_on_batch(again, series, y), train_on_batch(load_model(save_model(model)), series, y))
  }
  twin <- clone_model(model)
  set_weights(twin, get_weights(model))
  expect_identical(predict(twin, series), predict(model, series))
  weights <- save_model_weights(model)
  other <- clone_model(model) |> load_model_weights(weights)
  expect_identical(predict(other, series), predict(model, series))
})

test_that("threads do not change a bit", {
  train <- function(threads) {
    withr::local_options(lamina.threads = threads)
    set.seed(5)
    model <- keras_model_sequential(input_shape = c(5, 2)) |>
      layer_bidirectional(layer_lstm(units = 9, return_sequences = TRUE, dropout = 0.1, recurrent_dropout = 0.1)) |>
      layer_time_distributed(layer_dense(units = 4, activation = "relu")) |>
      layer_global_average_pooling_1d() |> layer_dense(1)
    model |> compile(loss = "mse", optimizer = "adam")
    x <- array(rnorm(40 * 10), c(40, 5, 2))
    fit(model, x, x[, 1, 1], epochs = 3, batch_size = 40, verbose = 0)
    get_weights(model)
  }
  one <- train(1)
  expect_identical(train(2), one)
  expect_identical(train(3), one)
})

test_that("a layer inside must be one, and free", {
  model <- keras_model_sequential(input_shape = c(5, 2))
  taken <- layer_lstm(units = 2)
  keras_model_sequential(input_shape = c(5, 2)) |> taken()
  own <- layer_dense(units = 2, activation = function(x) x^2)
  for (wrap in list(layer_bidirectional, layer_time_distributed)) {
    expect_error(wrap(model), class = "lamina_error_argument")
    expect_error(wrap(model, 3), class = "lamina_error_argument")
    expect_error(wrap(model, layer_lstm), class = "lamina_error_argument")
    expect_error(wrap(model, taken), class = "lamina_error_state")
    expect_error(wrap(model, own), class = "lamina_error_argument")
  }
  expect_error(layer_bidirectional(model, layer_dense(units = 2)), "recurrent", class = "lamina_error_argument")
  expect_error(layer_bidirectional(model, layer_lstm(units = 2), merge_mode = "max"), class = "lamina_error_argument")
  expect_error(layer_bidirectional(model, layer_lstm(units = 2), merge_mode = NULL), "sequential", class = "lamina_error_argument")
  expect_error(layer_time_distributed(model, layer_lstm(units = 2, return_state = TRUE)), class = "lamina_error_argument")
  expect_error(layer_time_distributed(model, layer_lstm(units = 2)), class = "lamina_error_shape")
  expect_error(layer_time_distributed(model, layer_conv_1d(filters = 2, kernel_size = 9)), class = "lamina_error_shape")
  expect_length(model$layers, 0L)
  inner <- layer_lstm(units = 2, return_sequences = TRUE)
  layer_bidirectional(model, inner)
  expect_false(inner$go_backwards)
  layer_time_distributed(model, layer_dense(units = 1))
})
