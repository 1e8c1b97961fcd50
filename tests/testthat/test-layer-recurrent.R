# Recurrent layers against cells in double precision, written from their definitions: Elman (1990) for
# simple_rnn, Hochreiter and Schmidhuber (1997) with forget gates for lstm, Cho and others (2014) for
# gru, in both forms.

# ---- the reference -------------------------------------------------------------------------------

sigmoid <- function(z) 1 / (1 + exp(-z))

# Columns of the k-th gate.
gate <- function(z, k, units) z[, (k - 1) * units + seq_len(units), drop = FALSE]

# One step of samples x (rows) with states s: list(h) or list(h, c).
ref_cell <- list(
  simple_rnn = function(x, s, w, act, rec) {
    h <- act(x %*% w$kernel + s[[1]] %*% w$recurrent + rep(w$bias, each = nrow(x)))
    list(h)
  },
  lstm = function(x, s, w, act, rec) {
    u <- ncol(s[[1]])
    z <- x %*% w$kernel + s[[1]] %*% w$recurrent + rep(w$bias, each = nrow(x))
    carry <- rec(gate(z, 2, u)) * s[[2]] + rec(gate(z, 1, u)) * act(gate(z, 3, u))
    list(rec(gate(z, 4, u)) * act(carry), carry)
  },
  gru = function(x, s, w, act, rec) { # the form with the gate before the product
    u <- ncol(s[[1]])
    h <- s[[1]]
    a <- x %*% w$kernel + rep(w$bias, each = nrow(x))
    z <- rec(gate(a, 1, u) + h %*% gate(w$recurrent, 1, u))
    r <- rec(gate(a, 2, u) + h %*% gate(w$recurrent, 2, u))
    g <- act(gate(a, 3, u) + (r * h) %*% gate(w$recurrent, 3, u))
    list(z * h + (1 - z) * g)
  },
  gru_after = function(x, s, w, act, rec) {
    u <- ncol(s[[1]])
    h <- s[[1]]
    a <- x %*% w$kernel + rep(w$bias[1, ], each = nrow(x))
    b <- h %*% w$recurrent + rep(w$bias[2, ], each = nrow(x))
    z <- rec(gate(a, 1, u) + gate(b, 1, u))
    r <- rec(gate(a, 2, u) + gate(b, 2, u))
    g <- act(gate(a, 3, u) + r * gate(b, 3, u))
    list(z * h + (1 - z) * g)
  }
)

# x: samples x steps x features; mask: samples x steps, TRUE where the step counts.
ref_recurrent <- function(cell, x, weights, mask = NULL, act = tanh, rec = sigmoid, backwards = FALSE,
                          sequences = FALSE, zero_masked = FALSE) {
  w <- list(kernel = weights[[1]], recurrent = weights[[2]], bias = weights[[3]])
  n <- dim(x)[1]
  steps <- dim(x)[2]
  units <- nrow(w$recurrent)
  s <- rep(list(matrix(0, n, units)), if (cell == "lstm") 2 else 1)
  y <- matrix(0, n, units)
  all <- array(0, c(n, steps, units))
  for (t in seq_len(steps)) {
    at <- if (backwards) steps + 1 - t else t
    counts <- matrix(if (is.null(mask)) TRUE else mask[, at], n, units)
    new <- ref_cell[[cell]](matrix(x[, at, ], n), s, w, act, rec)
    s <- Map(function(new, old) ifelse(counts, new, old), new, s)
    y <- ifelse(counts, new[[1]], y)
    all[, t, ] <- if (zero_masked) y * counts else y
  }
  list(output = if (sequences) all else y, states = s)
}

cells <- list(
  simple_rnn = list(cell = "simple_rnn", layer = layer_simple_rnn, gates = 1, more = list()),
  lstm = list(cell = "lstm", layer = layer_lstm, gates = 4, more = list()),
  gru_after = list(cell = "gru_after", layer = layer_gru, gates = 3, more = list()),
  gru = list(cell = "gru", layer = layer_gru, gates = 3, more = list(reset_after = FALSE))
)

# Weights without random numbers.
wave_weights <- function(kind, features, units) {
  wave <- function(n, phase) sin(seq_len(n) * 1.3 + phase) * 0.8
  columns <- kind$gates * units
  list(
    matrix(wave(features * columns, 1), features), matrix(wave(units * columns, 2), units),
    if (kind$cell == "gru_after") matrix(wave(2 * columns, 3), 2) else wave(columns, 3)
  )
}

wave_sequences <- function(n, steps, features) array(cos(seq_len(n * steps * features)^1.2), c(n, steps, features))

add_recurrent <- function(model, kind, units, ...) {
  do.call(kind$layer, c(list(model, units = units), kind$more, list(...)))
}

recurrent_model <- function(kind, steps, features, units, ..., masked = FALSE) {
  model <- keras_model_sequential(input_shape = c(steps, features))
  if (masked) {
    layer_masking(model, mask_value = -9)
  }
  add_recurrent(model, kind, units, ...)
  set_weights(model, wave_weights(kind, features, units))
  model
}

# Sequences with steps that are masked: none, the first, the last, one within, all, all but one.
masked_sequences <- function(steps, features) {
  x <- wave_sequences(6, steps, features)
  mask <- matrix(TRUE, 6, steps)
  mask[2, 1] <- mask[3, steps] <- mask[4, (steps + 1) %/% 2] <- FALSE
  mask[5, ] <- FALSE
  mask[6, -1] <- FALSE
  x[!mask] <- -9 # of the first feature
  for (k in seq_len(features)) x[, , k][!mask] <- -9
  list(x = x, mask = mask)
}

# ---- values --------------------------------------------------------------------------------------

test_that("outputs and final states are those of the cells", {
  for (kind in cells) {
    for (case in list(c(3, 5, 2, 4), c(1, 4, 3, 3), c(2, 1, 2, 5), c(9, 7, 1, 17), c(130, 3, 2, 3))) {
      x <- wave_sequences(case[1], case[2], case[3])
      weights <- wave_weights(kind, case[3], case[4])
      for (sequences in c(FALSE, TRUE)) {
        for (backwards in c(FALSE, TRUE)) {
          model <- recurrent_model(kind, case[2], case[3], case[4], return_sequences = sequences,
                                   go_backwards = backwards, return_state = TRUE)
          want <- ref_recurrent(kind$cell, x, weights, sequences = sequences, backwards = backwards)
          got <- layer_outputs(model, x)
          expect_identical(dim(got[[1]]), dim(want$output))
          expect_close(got, c(list(want$output), want$states))
          expect_close(predict(model, x), want$output)
        }
      }
    }
  }
})

test_that("a masked step keeps the state and repeats the output", {
  seen <- masked_sequences(5, 2)
  for (kind in cells) {
    weights <- wave_weights(kind, 2, 3)
    for (sequences in c(FALSE, TRUE)) {
      for (backwards in c(FALSE, TRUE)) {
        model <- recurrent_model(kind, 5, 2, 3, return_sequences = sequences, go_backwards = backwards,
                                 return_state = TRUE, masked = TRUE)
        want <- ref_recurrent(kind$cell, seen$x, weights, seen$mask, sequences = sequences, backwards = backwards)
        expect_close(layer_outputs(model, seen$x), c(list(want$output), want$states))
        expect_true(all(predict(model, seen$x[5, , , drop = FALSE]) == 0))
      }
    }
    model <- recurrent_model(kind, 5, 2, 3, return_sequences = TRUE, zero_output_for_mask = TRUE, masked = TRUE)
    want <- ref_recurrent(kind$cell, seen$x, weights, seen$mask, sequences = TRUE, zero_masked = TRUE)
    expect_close(predict(model, seen$x), want$output)
  }
})

test_that("what a masked step holds does not matter", {
  seen <- masked_sequences(4, 1)
  for (kind in cells) {
    model <- keras_model_sequential(input_shape = c(4, 1)) |> layer_masking(mask_value = -9)
    add_recurrent(model, kind, 3)
    set_weights(model, wave_weights(kind, 1, 3))
    short <- recurrent_model(kind, 3, 1, 3)
    expect_close(predict(model, seen$x[2, , , drop = FALSE]), predict(short, seen$x[2, -1, , drop = FALSE]))
  }
})

test_that("padding before an embedding with mask_zero is passed over, also by a chain of layers", {
  tokens <- rbind(c(0, 0, 3, 1, 2), c(4, 1, 0, 0, 0), c(1, 2, 3, 4, 1), 0, c(0, 2, 0, 1, 0))
  table <- matrix(sin(1:15), 5)
  embedded <- array(table[tokens + 1, ], c(5, 5, 3))
  for (kind in cells) {
    model <- keras_model_sequential(input_shape = 5) |> layer_embedding(input_dim = 5, output_dim = 3, mask_zero = TRUE)
    add_recurrent(model, kind, 4, return_sequences = TRUE)
    add_recurrent(model, kind, 2)
    first <- wave_weights(kind, 3, 4)
    second <- wave_weights(kind, 4, 2)
    set_weights(model, c(list(table), first, second))
    inner <- ref_recurrent(kind$cell, embedded, first, tokens != 0, sequences = TRUE)$output
    expect_close(predict(model, tokens), ref_recurrent(kind$cell, inner, second, tokens != 0)$output)
  }
})

test_that("activations are those asked for, and a bias can be left out", {
  x <- wave_sequences(3, 4, 2)
  relu <- function(z) pmax(z, 0)
  hard <- function(z) pmin(pmax(z / 6 + 0.5, 0), 1)
  for (kind in cells[-1]) {
    weights <- wave_weights(kind, 2, 3)
    model <- recurrent_model(kind, 4, 2, 3, activation = "relu", recurrent_activation = "hard_sigmoid")
    expect_close(predict(model, x), ref_recurrent(kind$cell, x, weights, act = relu, rec = hard)$output)
  }
  for (kind in cells) {
    model <- keras_model_sequential(input_shape = c(4, 2))
    add_recurrent(model, kind, 3, use_bias = FALSE, activation = NULL)
    weights <- wave_weights(kind, 2, 3)
    set_weights(model, weights[1:2])
    weights[[3]] <- 0 * weights[[3]]
    expect_close(predict(model, x), ref_recurrent(kind$cell, x, weights, act = identity)$output)
  }
  rnn <- recurrent_model(cells$simple_rnn, 4, 2, 3, activation = "softplus")
  want <- ref_recurrent("simple_rnn", x, wave_weights(cells$simple_rnn, 2, 3), act = function(z) log1p(exp(z)))
  expect_close(predict(rnn, x), want$output)
})

test_that("layers in a chain get the output, not the states", {
  x <- wave_sequences(3, 4, 2)
  model <- keras_model_sequential(input_shape = c(4, 2)) |>
    layer_gru(3, return_sequences = TRUE, return_state = TRUE, name = "first") |>
    layer_simple_rnn(2)
  first <- wave_weights(cells$gru_after, 2, 3)
  second <- wave_weights(cells$simple_rnn, 3, 2)
  set_weights(model, c(first, second))
  inner <- ref_recurrent("gru_after", x, first, sequences = TRUE)
  expect_close(predict(model, x), ref_recurrent("simple_rnn", inner$output, second)$output)
  got <- layer_outputs(model, x, list("first", 2))
  expect_named(got, c("first", "simple_rnn"))
  expect_close(got$first, c(list(inner$output), inner$states))
})

# ---- gradients -----------------------------------------------------------------------------------

# Central differences of f at every number of a list of arrays.
differences <- function(f, values, step = 1e-5) {
  lapply(seq_along(values), function(i) {
    slope <- values[[i]]
    for (k in seq_along(slope)) {
      at <- values
      at[[i]][k] <- values[[i]][k] + step
      above <- f(at)
      at[[i]][k] <- values[[i]][k] - step
      slope[k] <- (above - f(at)) / (2 * step)
    }
    slope
  })
}

expect_gradients <- function(kind, x, mask = NULL, sequences = FALSE, backwards = FALSE) {
  weights <- wave_weights(kind, dim(x)[3], 3)
  model <- recurrent_model(kind, dim(x)[2], dim(x)[3], 3, return_sequences = sequences,
                           go_backwards = backwards, masked = !is.null(mask))
  compile(model, loss = "mse")
  output <- function(values) {
    ref_recurrent(kind$cell, values[[4]], values[1:3], mask, sequences = sequences, backwards = backwards)$output
  }
  y <- 0.3 * cos(output(c(weights, list(x))) * 5)
  # the loss counts the steps that the mask lets through: of every sample, or only of those that count
  counts <- if (sequences && !is.null(mask)) mask else matrix(TRUE, dim(x)[1], if (sequences) dim(x)[2] else 1)
  loss <- function(values) {
    error <- array((output(values) - y)^2, c(dim(counts), 3))
    sum(apply(error, c(1, 2), mean) * counts) / sum(counts)
  }
  got <- compute_gradients(model, x, y)
  want <- differences(loss, c(weights, list(x)))
  expect_close(got$loss, loss(c(weights, list(x))))
  expect_close(got$weights, want[1:3])
  expect_close(got$inputs, want[[4]])
}

test_that("gradients are the slopes of the loss", {
  for (kind in cells) {
    expect_gradients(kind, wave_sequences(3, 4, 2))
    expect_gradients(kind, wave_sequences(2, 3, 2), sequences = TRUE, backwards = TRUE)
    expect_gradients(kind, wave_sequences(1, 3, 1), sequences = TRUE)
    expect_gradients(kind, wave_sequences(2, 1, 2), backwards = TRUE)
    expect_gradients(kind, wave_sequences(70, 2, 1))
  }
})

test_that("gradients with masked steps are the slopes of the loss", {
  seen <- masked_sequences(3, 2)
  for (kind in cells) {
    expect_gradients(kind, seen$x, seen$mask)
    expect_gradients(kind, seen$x, seen$mask, backwards = TRUE)
    expect_gradients(kind, seen$x, seen$mask, sequences = TRUE)
  }
})

test_that("penalties on kernels and outputs are added, and constraints obeyed", {
  x <- wave_sequences(4, 3, 2)
  for (kind in cells) {
    model <- recurrent_model(kind, 3, 2, 2, kernel_regularizer = regularizer_l2(0.1), recurrent_regularizer = "l1",
                             bias_regularizer = regularizer_l1(0.2), activity_regularizer = regularizer_l2(0.5),
                             recurrent_constraint = constraint_maxnorm(0.5, axis = 1), bias_constraint = "nonneg")
    compile(model, optimizer = optimizer_sgd(0.1), loss = "mse")
    w <- wave_weights(kind, 2, 2)
    y <- ref_recurrent(kind$cell, x, w)$output
    penalty <- 0.1 * sum(w[[1]]^2) + 0.01 * sum(abs(w[[2]])) + 0.2 * sum(abs(w[[3]])) + 0.5 * sum(y^2) / 4
    expect_close(compute_gradients(model, x, y)$loss, penalty)
    train_on_batch(model, x, y)
    new <- get_weights(model)
    expect_true(all(colSums(new[[2]]^2) <= 0.25 + 1e-6))
    expect_true(all(new[[3]] >= 0))
  }
})

# ---- weights -------------------------------------------------------------------------------------

test_that("weights have Keras' order, shapes and names, and start as in Keras", {
  size <- function(w) if (is.null(dim(w))) length(w) else dim(w)
  shapes <- function(model) lapply(get_weights(model), size)
  rnn <- keras_model_sequential(input_shape = c(5, 3)) |> layer_simple_rnn(4)
  lstm <- keras_model_sequential(input_shape = c(5, 3)) |> layer_lstm(4)
  gru <- keras_model_sequential(input_shape = c(5, 3)) |> layer_gru(4)
  before <- keras_model_sequential(input_shape = c(5, 3)) |> layer_gru(4, reset_after = FALSE)
  expect_identical(shapes(rnn), list(c(3L, 4L), c(4L, 4L), 4L))
  expect_identical(shapes(lstm), list(c(3L, 16L), c(4L, 16L), 16L))
  expect_identical(shapes(gru), list(c(3L, 12L), c(4L, 12L), c(2L, 12L)))
  expect_identical(shapes(before), list(c(3L, 12L), c(4L, 12L), 12L))
  expect_identical(rnn$info[[1]]$weight_names, c("kernel", "recurrent_kernel", "bias"))
  expect_equal(c(count_params(rnn), count_params(lstm), count_params(gru), count_params(before)), c(32, 128, 108, 96))

  expect_identical(as.vector(get_weights(lstm)[[3]]), rep(c(0, 1, 0, 0), each = 4))
  for (model in list(rnn, lstm, gru)) { # one orthogonal matrix for all gates
    u <- get_weights(model)[[2]]
    expect_close(u %*% t(u), diag(4))
    kernel <- get_weights(model)[[1]]
    limit <- sqrt(6 / sum(dim(kernel))) # glorot_uniform
    expect_lte(max(abs(kernel)), limit)
    expect_gt(max(abs(kernel)), limit / 2)
  }
  plain <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_lstm(4, unit_forget_bias = FALSE, bias_initializer = "ones", recurrent_initializer = "zeros")
  expect_true(all(get_weights(plain)[[3]] == 1))
  expect_true(all(get_weights(plain)[[2]] == 0))
})

test_that("initializers may be R functions", {
  model <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_lstm(2, kernel_initializer = function(shape) matrix(seq_len(prod(shape)), shape[1]),
               recurrent_initializer = function(shape) array(0.5, shape),
               bias_initializer = function(shape) seq_len(shape))
  expect_equal(get_weights(model)[[1]], matrix(as.double(1:24), 3))
  expect_true(all(get_weights(model)[[2]] == 0.5))
  expect_equal(as.vector(get_weights(model)[[3]]), c(1, 2, 1, 1, 1:4))
})

test_that("a recurrent layer can be looked at, copied and left out", {
  model <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_lstm(4, return_sequences = TRUE) |>
    layer_gru(2)
  layer <- model$layers[[1]]
  expect_identical(layer$units, 4)
  expect_identical(layer$activation, "tanh")
  expect_identical(layer$output_shape, list(NULL, 5L, 4L))
  expect_identical(model$layers[[2]]$output_shape, list(NULL, 2L))
  expect_match(paste(format(model), collapse = "\n"), "lstm (LSTM)", fixed = TRUE)
  twin <- clone_model(model)
  set_weights(twin, get_weights(model))
  x <- wave_sequences(3, 5, 3)
  expect_identical(predict(twin, x), predict(model, x))
  expect_identical(predict(load_model(save_model(model)), x), predict(model, x))
})

# ---- stateful ------------------------------------------------------------------------------------

stateful_model <- function(kind, batch, steps, features, units, ...) {
  model <- keras_model_sequential(input_batch_shape = c(batch, steps, features))
  add_recurrent(model, kind, units, stateful = TRUE, ...)
  set_weights(model, wave_weights(kind, features, units))
  model
}

test_that("batches of a stateful layer are one long sequence", {
  long <- wave_sequences(2, 12, 3)
  pieces <- array(0, c(6, 4, 3)) # three batches of two samples
  for (i in 1:3) pieces[2 * i - 1:0, , ] <- long[, 4 * (i - 1) + 1:4, ]
  for (kind in cells) {
    want <- ref_recurrent(kind$cell, long, wave_weights(kind, 3, 5), sequences = TRUE)
    model <- stateful_model(kind, 2, 4, 3, 5, return_sequences = TRUE)
    at_once <- predict(model, pieces)
    for (i in 1:3) {
      expect_close(at_once[2 * i - 1:0, , ], want$output[, 4 * (i - 1) + 1:4, ])
    }
    reset_states(model)
    for (i in 1:3) { # the same from call to call, also through a file
      got <- predict(model, pieces[2 * i - 1:0, , ])
      expect_identical(got, at_once[2 * i - 1:0, , ])
      model <- unserialize(serialize(model, NULL))
    }
    for (i in 1:3) {
      model <- load_model(save_model(model))
      if (i == 1) reset_states(model$layers[[1]])
      expect_identical(predict(model, pieces[2 * i - 1:0, , ]), at_once[2 * i - 1:0, , ])
    }
  }
})

test_that("evaluating and training move the states on, looking does not", {
  x <- wave_sequences(2, 3, 1)
  y <- matrix(0, 2, 2)
  for (kind in cells) {
    model <- stateful_model(kind, 2, 3, 1, 2)
    compile(model, optimizer = optimizer_sgd(0), loss = "mse")
    twice <- array(0, c(2, 6, 1))
    twice[, 1:3, ] <- twice[, 4:6, ] <- x
    first <- ref_recurrent(kind$cell, x, wave_weights(kind, 1, 2))$output
    second <- ref_recurrent(kind$cell, twice, wave_weights(kind, 1, 2))$output

    expect_close(evaluate(model, x, y)$loss, mean(first^2))
    expect_close(evaluate(model, x, y)$loss, mean(second^2))
    reset_states(model)
    expect_close(train_on_batch(model, x, y), mean(first^2))
    expect_close(test_on_batch(model, x, y), mean(second^2))
    model$reset_states()
    history <- fit(model, x, y, epochs = 1, shuffle = FALSE)
    expect_close(history$metrics$loss, mean(first^2))
    expect_close(predict(model, x), second)
    reset_state(model)
    for (k in 1:2) {
      expect_close(compute_gradients(model, x, y)$loss, mean(first^2))
      expect_close(layer_outputs(model, x), first)
    }
    expect_close(predict(model, x), first)
  }
})

test_that("states are no weights, and can be reset within training", {
  model <- stateful_model(cells$lstm, 2, 3, 1, 2)
  expect_length(get_weights(model), 3)
  expect_equal(count_params(model), 32)
  compile(model, optimizer = optimizer_sgd(0), loss = "mse")
  x <- wave_sequences(4, 3, 1)
  y <- matrix(0, 4, 2)
  anew <- callback_lambda(on_epoch_begin = function(epoch, logs) reset_states(model))
  losses <- fit(model, x, y, epochs = 3, shuffle = FALSE, callbacks = anew)$metrics$loss
  expect_identical(losses, rep(losses[1], 3))
  reset_states(model)
  losses <- suppressMessages(fit(model, x, y, epochs = 3, shuffle = FALSE))$metrics$loss
  expect_length(unique(losses), 3)

  compile(model, optimizer = optimizer_sgd(0, use_ema = TRUE), loss = "mse") # the averages begin anew too
  fit_anew <- function() {
    reset_states(model)
    suppressMessages(fit(model, x, y, shuffle = FALSE))$metrics$loss
  }
  expect_identical(fit_anew(), fit_anew())
})

test_that("only one of two stateful layers is reset when it alone is asked", {
  model <- keras_model_sequential(input_batch_shape = c(1, 2, 1)) |>
    layer_gru(2, stateful = TRUE, return_sequences = TRUE) |>
    layer_gru(2, stateful = TRUE)
  x <- wave_sequences(1, 2, 1)
  first <- layer_outputs(model, x, 1:2)
  predict(model, x)
  reset_states(model$layers[[1]])
  mixed <- predict(model, x)
  reset_states(model)
  expect_close(predict(model, x), first[[2]])
  expect_gt(max(abs(mixed - first[[2]])), 1e-4)
})

test_that("both directions of a bidirectional layer go on from batch to batch", {
  x <- wave_sequences(4, 3, 2) # two batches
  first <- x[1:2, , ]
  second <- x[3:4, , ]
  long <- function(a, b) aperm(array(c(aperm(a, c(1, 3, 2)), aperm(b, c(1, 3, 2))), c(2, 2, 6)), c(1, 3, 2))
  for (kind in cells) {
    inner <- do.call(kind$layer, c(list(units = 3, stateful = TRUE), kind$more))
    model <- keras_model_sequential(input_batch_shape = c(2, 3, 2)) |> layer_bidirectional(inner)
    weights <- wave_weights(kind, 2, 3)
    turned <- lapply(weights, function(w) array(rev(w), if (is.null(dim(w))) length(w) else dim(w)))
    set_weights(model, c(weights, turned))
    forward <- ref_recurrent(kind$cell, long(first, second), weights)$output
    backward <- ref_recurrent(kind$cell, long(first[, 3:1, ], second[, 3:1, ]), turned)$output
    expect_close(predict(model, x)[3:4, ], cbind(forward, backward))
    expect_gt(max(abs(predict(model, x)[3:4, ] - cbind(forward, backward))), 1e-4)
    reset_states(model$layers[[1]])
    expect_close(predict(model, x)[3:4, ], cbind(forward, backward))
    expect_length(get_weights(model), 6)
  }
})

test_that("the batch size may come from the layer, the model or its input", {
  models <- list(
    keras_model_sequential() |> layer_lstm(2, stateful = TRUE, batch_input_shape = c(4, 3, 1)),
    keras_model_sequential() |> layer_lstm(2, stateful = TRUE, batch_shape = list(4, 3, 1)),
    keras_model_sequential() |> layer_lstm(2, stateful = TRUE, input_shape = c(3, 1), batch_size = 4),
    keras_model_sequential(input_shape = c(3, 1), input_batch_size = 4) |> layer_lstm(2, stateful = TRUE),
    keras_model_sequential(layers = list(keras_input(c(3, 1), batch_size = 4), layer_lstm(units = 2, stateful = TRUE))),
    keras_model_sequential(input_batch_shape = list(4, 3, 1)) |> layer_dropout(0.1) |> layer_lstm(2, stateful = TRUE)
  )
  x <- wave_sequences(8, 3, 1)
  for (model in c(models, lapply(models, clone_model))) {
    expect_identical(dim(predict(model, x)), c(8L, 2L))
    expect_identical(model$state_batch, 4)
  }
})

test_that("what does not fit a stateful model is refused before anything changes", {
  error <- expect_error(keras_model_sequential(input_shape = c(3, 1)) |> layer_lstm(2, stateful = TRUE),
                        class = "lamina_error_argument")
  expect_identical(error$arg, "batch_size")
  expect_error(keras_model_sequential(input_batch_shape = list(NULL, 3, 1)) |> layer_lstm(2, stateful = TRUE),
               class = "lamina_error_argument")
  model <- keras_model_sequential(input_batch_shape = c(2, 3, 1)) |> layer_lstm(1, stateful = TRUE)
  expect_error(layer_dense(model, 1, batch_size = 3), class = "lamina_error_argument")
  expect_length(model$layers, 1)

  compile(model, loss = "mse", optimizer = "sgd")
  x <- wave_sequences(6, 3, 1)
  y <- 1:6
  predict(model, x)
  odd <- x[1:3, , , drop = FALSE]
  refused(model, predict(model, x, batch_size = 3), "lamina_error_argument", "batch_size")
  refused(model, evaluate(model, x, y, batch_size = 6), "lamina_error_argument", "batch_size")
  refused(model, fit(model, x, y, batch_size = 32), "lamina_error_argument", "batch_size")
  refused(model, fit(model, x, y, validation_batch_size = 3), "lamina_error_argument", "validation_batch_size")
  refused(model, predict(model, odd), "lamina_error_data", "x")
  refused(model, evaluate(model, odd, 1:3), "lamina_error_data", "x")
  refused(model, fit(model, odd, 1:3), "lamina_error_data", "x")
  refused(model, fit(model, x, y, validation_split = 0.5), "lamina_error_data")
  refused(model, fit(model, x, y, validation_data = list(odd, 1:3)), "lamina_error_data", "validation_data[[1]]")
  refused(model, train_on_batch(model, x, y), "lamina_error_data", "x")
  refused(model, test_on_batch(model, odd, 1:3), "lamina_error_data", "x")
  x[6, 3, 1] <- NA # in the third batch
  refused(model, predict(model, x), "lamina_error_data", "x")
})

test_that("shuffling a stateful model's samples is warned of", {
  model <- keras_model_sequential(input_batch_shape = c(2, 3, 1)) |> layer_simple_rnn(1, stateful = TRUE)
  compile(model, loss = "mse", optimizer = "sgd")
  x <- wave_sequences(4, 3, 1)
  expect_warning(fit(model, x, 1:4), class = "lamina_warning_stateful")
  expect_no_warning(suppressMessages(fit(model, x, 1:4, shuffle = FALSE)))
  plain <- keras_model_sequential(input_shape = c(3, 1)) |> layer_simple_rnn(1)
  compile(plain, loss = "mse", optimizer = "sgd")
  expect_no_warning(fit(plain, x, 1:4))
})

test_that("datasets and functions give whole batches of a stateful model", {
  x <- wave_sequences(6, 3, 1)
  model <- stateful_model(cells$gru, 2, 3, 1, 2)
  compile(model, loss = "mse", optimizer = optimizer_sgd(0))
  give <- function(batch) {
    at <- 0
    function() {
      rows <- at %% 6 + seq_len(batch)
      at <<- at + batch
      list(x[rows, , , drop = FALSE], matrix(0, batch, 2))
    }
  }
  whole <- predict(model, x)
  reset_states(model)
  expect_identical(predict(model, give(2), steps = 3), whole)
  reset_states(model)
  expect_close(fit(model, give(2), steps_per_epoch = 3)$metrics$loss, mean(whole^2))
  refused(model, fit(model, give(3), steps_per_epoch = 2), "lamina_error_data", "x")
  refused(model, predict(model, give(3), steps = 2), "lamina_error_data", "x")

  windows <- function(batch_size, n = 6) {
    timeseries_dataset_from_array(wave_matrix(n + 2, 1), matrix(0, n + 2, 2), sequence_length = 3,
                                  batch_size = batch_size)
  }
  expect_length(evaluate(model, windows(2)), 1)
  expect_identical(dim(predict(model, windows(2))), c(6L, 2L))
  for (wrong in list(windows(3), windows(2, 5))) {
    refused(model, fit(model, wrong, shuffle = FALSE), "lamina_error_data", "x")
    refused(model, evaluate(model, wrong), "lamina_error_data", "x")
    refused(model, predict(model, wrong), "lamina_error_data", "x")
    refused(model, fit(model, x, matrix(0, 6, 2), validation_data = wrong, shuffle = FALSE), "lamina_error_data",
            "validation_data")
  }
})

# ---- dropout -------------------------------------------------------------------------------------

test_that("the dropout of the inputs is the same at all steps and scaled", {
  # h_t = x_t * mask: the mask can be read off
  model <- keras_model_sequential(input_shape = c(6, 50)) |>
    layer_simple_rnn(50, activation = NULL, dropout = 0.4, kernel_initializer = function(shape) diag(50),
                     recurrent_initializer = "zeros", return_sequences = TRUE)
  out <- layer_outputs(model, array(1, c(40, 6, 50)), training = TRUE)
  for (t in 2:6) expect_identical(out[, t, ], out[, 1, ])
  expect_close(sort(unique(as.vector(out))), c(0, 1 / 0.6))
  expect_lt(abs(mean(out == 0) - 0.4), 4 * sqrt(0.24 / 2000))
  expect_gt(length(unique(out[, 1, 1])), 1) # samples differ
  expect_true(all(predict(model, array(1, c(2, 6, 50))) == 1))
})

test_that("the dropout of the state is the same at all steps and scaled", {
  # h_t = 1 + mask * h_(t-1): with the mask m constant in time, 1, 1 + m, 1 + m + m^2, ...
  model <- keras_model_sequential(input_shape = c(4, 1)) |>
    layer_simple_rnn(64, activation = NULL, recurrent_dropout = 0.5, bias_initializer = "ones",
                     kernel_initializer = "zeros",
                     recurrent_initializer = function(shape) diag(64), return_sequences = TRUE)
  out <- layer_outputs(model, array(0, c(30, 4, 1)), training = TRUE)
  m <- out[, 2, ] - 1
  expect_close(sort(unique(as.vector(m))), c(0, 2))
  expect_close(out[, 3, ], 1 + m + m^2)
  expect_close(out[, 4, ], 1 + m + m^2 + m^3)
  expect_lt(abs(mean(m == 0) - 0.5), 4 * sqrt(0.25 / 1920))
})

test_that("lstm and gru drop the same at all steps", {
  # Linear in x with gates held open by their biases: dropped features show in every step alike.
  held <- function(layer, gates, candidate, bias) {
    kernel <- function(shape) {
      k <- matrix(0, shape[1], shape[2])
      k[, candidate * 20 + 1:20] <- diag(20)
      k
    }
    keras_model_sequential(input_shape = c(5, 20)) |>
      layer(20, activation = NULL, dropout = 0.3, kernel_initializer = kernel, recurrent_initializer = "zeros",
            bias_initializer = function(shape) array(rep(bias, each = prod(shape) / length(bias)), shape),
            return_sequences = TRUE)
  }
  lstm <- held(function(...) layer_lstm(..., unit_forget_bias = FALSE), 4, 2, c(40, -40, 0, 40))
  gru <- held(function(...) layer_gru(..., reset_after = FALSE), 3, 2, c(-40, 0, 0))
  for (model in list(lstm, gru)) {
    out <- layer_outputs(model, array(1, c(30, 5, 20)), training = TRUE)
    for (t in 2:5) expect_close(out[, t, ], out[, 1, ])
    expect_close(range(out), c(0, 1 / 0.7))
    expect_true(all(pmin(abs(out), abs(out - 1 / 0.7)) < 1e-5))
    expect_lt(abs(mean(abs(out[, 1, ]) < 0.1) - 0.3), 4 * sqrt(0.21 / 600))
  }
})

test_that("a seed fixes the dropout of a layer, and every batch drops anew", {
  x <- array(1, c(8, 3, 4))
  drop <- function(seed) {
    model <- keras_model_sequential(input_shape = c(3, 4)) |>
      layer_lstm(4, dropout = 0.5, recurrent_dropout = 0.5, seed = 7, kernel_initializer = "ones")
    set_weights(model, wave_weights(cells$lstm, 4, 4))
    layer_outputs(model, x, training = TRUE)
  }
  set.seed(1)
  first <- drop(7)
  set.seed(2)
  expect_identical(drop(7), first)

  model <- keras_model_sequential(input_shape = c(3, 4)) |> layer_simple_rnn(4, dropout = 0.5)
  compile(model, optimizer = optimizer_sgd(0), loss = "mse")
  losses <- vapply(1:4, function(i) train_on_batch(model, x, matrix(0, 8, 4)), 0)
  expect_length(unique(losses), 4)
})

test_that("dropout's gradients are the slopes of the loss with the same masks", {
  x <- wave_sequences(4, 3, 2)
  y <- matrix(0.1, 4, 3)
  for (kind in cells) {
    for (rates in list(c(0.5, 0), c(0, 0.5), c(0.4, 0.4))) {
      model <- recurrent_model(kind, 3, 2, 3, dropout = rates[1], recurrent_dropout = rates[2], seed = 3)
      compile(model, loss = "mse")
      weights <- get_weights(model)
      got <- compute_gradients(model, x, y, training = TRUE)
      for (i in 1:3) {
        direction <- 0 * weights[[i]] + cos(seq_along(weights[[i]]))
        along <- function(step) {
          moved <- weights
          moved[[i]] <- moved[[i]] + step * direction
          set_weights(model, moved)
          compute_gradients(model, x, y, training = TRUE)$loss
        }
        slope <- (along(0.01) - along(-0.01)) / 0.02
        expect_lt(abs(slope - sum(got$weights[[i]] * direction)), 1e-3 * max(1, abs(slope)))
        set_weights(model, weights)
      }
    }
  }
})

# ---- training ------------------------------------------------------------------------------------

sequence_task <- function(n = 96, steps = 6) {
  set.seed(4)
  x <- array(runif(n * steps, -1, 1), c(n, steps, 1))
  list(x = x, y = x[, 1, 1])
}

trained <- function(kind, epochs, ..., task = sequence_task(), units = 12, batch_size = 24) {
  set.seed(5)
  model <- keras_model_sequential(input_shape = dim(task$x)[-1])
  add_recurrent(model, kind, units, ...)
  layer_dense(model, 1)
  compile(model, optimizer = optimizer_adam(0.02), loss = "mse")
  history <- fit(model, task$x, task$y, epochs = epochs, batch_size = batch_size, verbose = 0)
  list(model = model, losses = history$metrics$loss)
}

test_that("every layer learns to remember the first number", {
  for (kind in cells) {
    losses <- trained(kind, 40)$losses
    expect_lt(losses[40], 0.05) # of a variance of 1/3
  }
})

test_that("the number of threads does not change a bit", {
  task <- sequence_task(220, 12) # large enough to be shared out
  run <- function(kind, threads, ...) {
    withr::local_options(lamina.threads = threads)
    out <- trained(kind, 2, ..., task = task, units = 50, batch_size = 110)
    list(get_weights(out$model), out$losses, predict(out$model, task$x, batch_size = 219))
  }
  for (kind in cells) {
    one <- run(kind, 1)
    expect_identical(run(kind, 2), one)
    expect_identical(run(kind, 3), one)
    dropping <- lapply(1:2, function(threads) run(kind, threads, dropout = 0.2, recurrent_dropout = 0.2))
    expect_identical(dropping[[2]], dropping[[1]])
  }
})

test_that("a training that is saved and resumed is the same as one that never stopped", {
  task <- sequence_task()
  for (kind in cells) {
    whole <- trained(kind, 4, dropout = 0.1, recurrent_dropout = 0.1)$model
    part <- trained(kind, 2, dropout = 0.1, recurrent_dropout = 0.1)$model
    part <- unserialize(serialize(part, NULL))
    fit(part, task$x, task$y, epochs = 4, initial_epoch = 3, batch_size = 24, verbose = 0)
    expect_identical(get_weights(part), get_weights(whole))
  }
})

# ---- refusals ------------------------------------------------------------------------------------

test_that("bad arguments are refused by name and leave the model as it was", {
  model <- keras_model_sequential(input_shape = c(5, 3))
  for (layer in list(layer_simple_rnn, layer_lstm, layer_gru)) {
    wrong <- list(
      units = 0, units = NA, units = 2.5, activation = "tahn", activation = function(x) x, use_bias = NA,
      kernel_initializer = "glorot", recurrent_initializer = 3, recurrent_regularizer = 0.1,
      recurrent_constraint = "small", dropout = 1, dropout = -0.1, dropout = NA, recurrent_dropout = 1.5,
      recurrent_dropout = "a", return_sequences = "yes", return_state = NULL, go_backwards = 1, stateful = NA,
      unroll = "no", seed = -1, zero_output_for_mask = 2, implementation = 3, time_major = TRUE
    )
    for (i in seq_along(wrong)) {
      arguments <- c(list(model), if (names(wrong)[i] != "units") list(units = 2), wrong[i])
      error <- expect_error(do.call(layer, arguments), class = "lamina_error_argument")
      expect_identical(error$arg, names(wrong)[i])
    }
    error <- expect_error(layer(model), class = "lamina_error_argument")
    expect_identical(error$arg, "units")
    expect_match(conditionMessage(expect_error(layer(8), class = "lamina_error_argument")), "units = 8", fixed = TRUE)
    expect_length(model$layers, 0)
    flat <- keras_model_sequential(input_shape = 5)
    expect_error(layer(flat, 2), class = "lamina_error_shape")
    expect_length(flat$layers, 0)
  }
  expect_error(layer_lstm(model, 2, use_cudnn = "never"), class = "lamina_error_argument")
  expect_error(layer_lstm(model, 2, recurrent_activation = "sigmod"), class = "lamina_error_argument")
  expect_error(layer_gru(model, 2, reset_after = NULL), class = "lamina_error_argument")
  expect_error(layer_lstm(model, 2, unit_forget_bias = NA), class = "lamina_error_argument")
  expect_error(layer_simple_rnn(model, 2, unit_forget_bias = TRUE), class = "lamina_error_argument")
})

test_that("what only steers Keras' way of computing is accepted", {
  x <- wave_sequences(2, 4, 2)
  plain <- recurrent_model(cells$lstm, 4, 2, 3)
  other <- recurrent_model(cells$lstm, 4, 2, 3, unroll = TRUE, use_cudnn = FALSE, implementation = 1)
  expect_identical(predict(other, x), predict(plain, x))
})
