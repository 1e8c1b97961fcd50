# Batch normalization by its definition, channels last: y, and the moments of each channel.
normalize <- function(x, mean, variance, epsilon = 1e-3, gamma = 1, beta = 0) {
  along <- length(dim(x))
  y <- sweep(sweep(x, along, mean), along, sqrt(variance + epsilon), "/")
  sweep(sweep(y, along, rep_len(gamma, dim(x)[along]), "*"), along, rep_len(beta, dim(x)[along]), "+")
}

channel_moments <- function(x) {
  columns <- matrix(x, ncol = dim(x)[length(dim(x))])
  mean <- colMeans(columns)
  list(mean = mean, variance = colMeans(sweep(columns, 2, mean)^2))
}

pictures <- array(3 + 2 * sin(seq_len(6 * 4 * 3 * 2)), c(6, 4, 3, 2))

test_that("in training the batch is normalized, in use the moving averages are taken", {
  model <- keras_model_sequential(input_shape = c(4, 3, 2)) |> layer_batch_normalization()
  m <- channel_moments(pictures)
  expect_equal(layer_outputs(model, pictures, training = TRUE), normalize(pictures, m$mean, m$variance), tolerance = 1e-5)
  expect_equal(predict(model, pictures), pictures / sqrt(1 + 1e-3), tolerance = 1e-6)
  set_weights(model, list(c(2, 3), c(0.5, -1), c(1, 2), c(4, 0.25)))
  expect_equal(predict(model, pictures), normalize(pictures, c(1, 2), c(4, 0.25), gamma = c(2, 3), beta = c(0.5, -1)),
               tolerance = 1e-5)
})

test_that("moving averages follow the batches of fit() and train_on_batch() only", {
  model <- keras_model_sequential(input_shape = 2) |> layer_batch_normalization(momentum = 0.9)
  model |> compile(optimizer = optimizer_sgd(learning_rate = 0), loss = "mse")
  x <- cbind(c(1, 2, 3, 4, 5, 9), c(-1, 0, 0, 7, 2, 2))
  moving <- list(mean = c(0, 0), variance = c(1, 1))
  see <- function(rows) {
    m <- channel_moments(x[rows, ])
    moving <<- list(mean = 0.9 * moving$mean + 0.1 * m$mean, variance = 0.9 * moving$variance + 0.1 * m$variance)
  }
  expect_moving <- function() {
    expect_equal(lapply(get_weights(model)[3:4], as.vector), unname(moving), tolerance = 1e-6)
  }
  expect_moving()
  fit(model, x, x, batch_size = 4, epochs = 3, shuffle = FALSE, verbose = 0) # batches of 4 and 2
  for (epoch in 1:3) {
    see(1:4)
    see(5:6)
  }
  expect_moving()
  train_on_batch(model, x[1:3, ], x[1:3, ])
  see(1:3)
  expect_moving()
  evaluate(model, x, x, verbose = 0)
  predict(model, x)
  test_on_batch(model, x, x)
  compute_gradients(model, x, x, training = TRUE)
  layer_outputs(model, x, training = TRUE)
  expect_moving()
  expect_equal(evaluate(model, x, x, verbose = 0)$loss,
               mean((normalize(x, moving$mean, moving$variance) - x)^2), tolerance = 1e-5)
})

test_that("validation during fit() uses the moving averages", {
  model <- keras_model_sequential(input_shape = 2) |> layer_batch_normalization(momentum = 0.5)
  model |> compile(optimizer = optimizer_sgd(learning_rate = 0), loss = "mse")
  x <- matrix(cos(1:16) + 1, 8)
  h <- fit(model, x, x, validation_data = list(x, x), epochs = 2, batch_size = 8, verbose = 0)
  expect_equal(h$metrics$val_loss[2], evaluate(model, x, x, verbose = 0)$loss, tolerance = 1e-6)
  m <- channel_moments(x)
  expect_equal(h$metrics$loss[1], mean((normalize(x, m$mean, m$variance) - x)^2), tolerance = 1e-5)
})

test_that("gradients are those of the definition, also through the batch's moments", {
  x <- matrix(c(0.3, -1, 2, 0.5, 1.5, -0.2, 0.9, 1, -2, 0.1), 5)
  y <- matrix(sin(1:10), 5)
  model <- keras_model_sequential(input_shape = 2) |> layer_batch_normalization(gamma_regularizer = regularizer_l2(0.1))
  model |> compile(loss = "mse")
  start <- list(c(1.5, 0.5), c(0.1, -0.3), c(0.2, 0.4), c(2, 0.5))
  set_weights(model, start)
  loss <- function(x, gamma, beta, training) {
    m <- if (training) channel_moments(x) else list(mean = start[[3]], variance = start[[4]])
    mean((normalize(x, m$mean, m$variance, gamma = gamma, beta = beta) - y)^2) + 0.1 * sum(gamma^2)
  }
  slopes <- function(f, at) {
    vapply(seq_along(at), function(i) {
      up <- down <- at
      up[i] <- up[i] + 1e-5
      down[i] <- down[i] - 1e-5
      (f(up) - f(down)) / 2e-5
    }, 0)
  }
  for (training in c(TRUE, FALSE)) {
    out <- compute_gradients(model, x, y, training = training)
    expect_equal(out$loss, loss(x, start[[1]], start[[2]], training), tolerance = 1e-6)
    expect_equal(as.vector(out$inputs), slopes(function(v) loss(matrix(v, 5), start[[1]], start[[2]], training), as.vector(x)),
                 tolerance = 1e-5)
    expect_length(out$weights, 2)
    expect_equal(as.vector(out$weights[[1]]), slopes(function(v) loss(x, v, start[[2]], training), start[[1]]), tolerance = 1e-5)
    expect_equal(as.vector(out$weights[[2]]), slopes(function(v) loss(x, start[[1]], v, training), start[[2]]), tolerance = 1e-5)
  }
  expect_equal(lapply(get_weights(model), as.vector), start, tolerance = 1e-7)
})

small_network <- function(momentum = 0.99) {
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(8, use_bias = FALSE) |>
    layer_batch_normalization(momentum = momentum) |>
    layer_activation("relu") |>
    layer_dense(3, activation = "softmax")
  model |> compile(optimizer = optimizer_adam(learning_rate = 0.01), loss = "sparse_categorical_crossentropy")
}

flowers <- as.matrix(iris[, 1:4])
kinds <- as.integer(iris$Species) - 1L

test_that("a frozen layer uses its moving averages in training and keeps all its weights", {
  set.seed(1)
  model <- small_network()
  fit(model, flowers, kinds, epochs = 2, verbose = 0)
  frozen <- model$layers[[2]]
  frozen$trainable <- FALSE
  before <- frozen$get_weights()
  expect_equal(layer_outputs(model, flowers, training = TRUE), predict(model, flowers), tolerance = 1e-6)
  suppressMessages(fit(model, flowers, kinds, epochs = 2, verbose = 0))
  expect_identical(frozen$get_weights(), before)
})

test_that("a network with batch normalization learns", {
  set.seed(1)
  model <- small_network(momentum = 0.9)
  h <- fit(model, flowers, kinds, epochs = 40, batch_size = 30, verbose = 0)
  expect_lt(evaluate(model, flowers, kinds, verbose = 0)$loss, 0.25)
  expect_lt(tail(h$metrics$loss, 1), 0.25)
})

test_that("the number of threads changes no bit", {
  trained <- function(threads) {
    before <- lamina_threads()
    withr::defer(lamina_threads(before))
    lamina_threads(threads)
    set.seed(7)
    model <- keras_model_sequential(input_shape = c(16, 16, 8)) |>
      layer_batch_normalization() |>
      layer_max_pooling_2d() |>
      layer_group_normalization(groups = 4) |>
      layer_layer_normalization(axis = c(2, 3, 4)) |>
      layer_global_average_pooling_2d() |>
      layer_unit_normalization() |>
      layer_dense(2, activation = "softmax")
    model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")
    x <- array(sin(seq_len(96 * 16 * 16 * 8)), c(96, 16, 16, 8))
    fit(model, x, rep(0:1, 48), batch_size = 64, epochs = 2, verbose = 0)
    get_weights(model)
  }
  expect_identical(trained(1), trained(2))
})

test_that("a training that was saved goes on bit by bit", {
  run <- function(epochs, model = small_network(), from = 1) {
    fit(model, flowers, kinds, epochs = epochs, initial_epoch = from, verbose = 0)
    model
  }
  set.seed(3)
  whole <- run(4)
  set.seed(3)
  half <- run(2)
  file <- withr::local_tempfile(fileext = ".rds")
  saveRDS(half, file)
  again <- readRDS(file)
  expect_identical(predict(again, flowers), predict(half, flowers))
  expect_identical(get_weights(run(4, again, 3)), get_weights(whole))
})

test_that("weights, names and totals are Keras'", {
  model <- small_network()
  bn <- model$layers[[2]]
  expect_identical(bn$name, "batch_normalization")
  expect_equal(vapply(bn$get_weights(), length, 0L), rep(8L, 4))
  expect_equal(lapply(bn$get_weights(), function(w) unique(as.vector(w))), list(1, 0, 0, 1))
  expect_equal(count_params(model), 32 + 32 + 27)
  expect_length(get_weights(model, trainable = FALSE), 2)
  expect_output(summary(model), "Non-trainable params: 16")
  bare <- keras_model_sequential(input_shape = 3) |> layer_batch_normalization(center = FALSE, scale = FALSE)
  expect_length(get_weights(bare), 2)
})

test_that("axis names the channels", {
  x <- array(sin(1:24), c(4, 2, 3))
  model <- keras_model_sequential(input_shape = c(2, 3)) |> layer_batch_normalization(axis = 2, epsilon = 0)
  m <- channel_moments(aperm(x, c(1, 3, 2)))
  expect_equal(layer_outputs(model, x, training = TRUE),
               aperm(normalize(aperm(x, c(1, 3, 2)), m$mean, m$variance, 0), c(1, 3, 2)), tolerance = 1e-5)
  expect_equal(vapply(get_weights(model), length, 0L), rep(2L, 4))
})

# Mean 0 and variance 1 within the cells of `by`, a function of the indices.
standardized <- function(x, by, epsilon = 1e-3) {
  group <- array(by(arrayInd(seq_along(x), dim(x))), dim(x))
  (x - ave(x, group)) / sqrt(ave(x, group, FUN = function(v) mean((v - mean(v))^2)) + epsilon)
}

test_that("layer normalization looks at one sample along the axes", {
  x <- array(sin(1:48) * 3 + 1, c(2, 4, 2, 3))
  through <- function(...) predict(keras_model_sequential(input_shape = c(4, 2, 3)) |> layer_layer_normalization(...), x)
  expect_equal(through(), standardized(x, function(i) paste(i[, 1], i[, 2], i[, 3])), tolerance = 1e-5)
  expect_equal(through(axis = c(2, 3, 4)), standardized(x, function(i) i[, 1]), tolerance = 1e-5)
  expect_equal(through(axis = c(2, -1), epsilon = 0.1),
               standardized(x, function(i) paste(i[, 1], i[, 3]), 0.1), tolerance = 1e-5)
  model <- keras_model_sequential(input_shape = c(4, 2, 3)) |> layer_layer_normalization(axis = c(2, 4), center = FALSE)
  expect_identical(dim(get_weights(model)[[1]]), c(4L, 3L))
  gamma <- matrix(as.double(1:12), 4)
  set_weights(model, list(gamma))
  want <- standardized(x, function(i) paste(i[, 1], i[, 3])) * gamma[arrayInd(seq_along(x), dim(x))[, c(2, 4)]]
  expect_equal(predict(model, x), want, tolerance = 1e-5)
})

test_that("group normalization looks at one sample and group", {
  x <- array(cos(1:72) * 2 - 1, c(2, 3, 2, 6))
  through <- function(...) predict(keras_model_sequential(input_shape = c(3, 2, 6)) |> layer_group_normalization(...), x)
  expect_equal(through(groups = 2), standardized(x, function(i) paste(i[, 1], i[, 4] > 3)), tolerance = 1e-5)
  expect_equal(through(groups = -1), standardized(x, function(i) paste(i[, 1], i[, 4])), tolerance = 1e-5)
  expect_equal(through(groups = 1), standardized(x, function(i) i[, 1]), tolerance = 1e-5)
  expect_equal(through(groups = 3, axis = 2), standardized(x, function(i) paste(i[, 1], i[, 2])), tolerance = 1e-5)
})

test_that("unit normalization brings lengths to 1", {
  model <- keras_model_sequential(input_shape = 2) |> layer_unit_normalization()
  expect_equal(predict(model, rbind(c(3, 4), c(0, 2), c(0, 0))), rbind(c(0.6, 0.8), c(0, 1), c(0, 0)), tolerance = 1e-6)
  x <- array(sin(1:24), c(2, 4, 3))
  y <- predict(keras_model_sequential(input_shape = c(4, 3)) |> layer_unit_normalization(axis = c(2, 3)), x)
  expect_equal(y, x / sqrt(apply(x^2, 1, sum)), tolerance = 1e-6)
})

test_that("bad arguments and shapes are refused as a student meets them", {
  expect_error(layer_batch_normalization(axis = 1), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(axis = c(2, 3)), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(momentum = 99), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(epsilon = -1), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(scale = "yes"), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(synchronized = TRUE), class = "lamina_error_argument")
  expect_error(layer_batch_normalization(fused = TRUE), class = "lamina_error_argument")
  expect_error(layer_layer_normalization(rms_scaling = TRUE), class = "lamina_error_argument")
  expect_error(layer_layer_normalization(axis = c(2, 2)), class = "lamina_error_argument")
  expect_error(layer_group_normalization(groups = 0), class = "lamina_error_argument")
  expect_error(layer_group_normalization(groups = "a"), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = c(4, 6))
  expect_error(layer_batch_normalization(model, axis = 4), class = "lamina_error_shape")
  expect_error(layer_unit_normalization(model, axis = -3), class = "lamina_error_shape")
  expect_error(layer_group_normalization(model), "6 channels", class = "lamina_error_shape")
  expect_error(layer_group_normalization(model, groups = 4), "divisor", class = "lamina_error_shape")
  expect_length(model$layers, 0)
})
