ones <- matrix(1, 200, 100)

trained <- function(layer, x) {
  model <- keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1])
  layer_outputs(model, x, training = TRUE)
}

test_that("outside training nothing is dropped and no noise added", {
  for (layer in list(layer_dropout(rate = 0.5), layer_alpha_dropout(rate = 0.5), layer_gaussian_noise(stddev = 1))) {
    model <- keras_model_sequential(layers = list(layer), input_shape = 100)
    expect_identical(predict(model, ones), ones)
  }
})

test_that("in training the stated fraction is dropped and the rest is scaled", {
  set.seed(1)
  y <- trained(layer_dropout(rate = 0.25), ones)
  expect_equal(sort(unique(as.vector(y))), c(0, 1 / 0.75), tolerance = 1e-6)
  expect_lt(abs(mean(y == 0) - 0.25), 5 * sqrt(0.25 * 0.75 / length(y)))
})

test_that("alpha dropout keeps mean and variance", {
  set.seed(1)
  x <- matrix(rnorm(2e4), 200)
  y <- trained(layer_alpha_dropout(rate = 0.2), x)
  expect_lt(abs(mean(y)), 5 / sqrt(2e4))
  expect_lt(abs(sd(y) - 1), 5 / sqrt(2e4))
})

test_that("gaussian noise has its standard deviation", {
  set.seed(1)
  y <- trained(layer_gaussian_noise(stddev = 0.5), ones)
  expect_lt(abs(mean(y) - 1), 5 * 0.5 / sqrt(length(y)))
  expect_lt(abs(sd(y) - 0.5), 5 * 0.5 / sqrt(2 * length(y)))
})

test_that("set.seed() fixes what is dropped", {
  draw <- function(seed) {
    set.seed(seed)
    trained(layer_dropout(rate = 0.5), ones)
  }
  expect_identical(draw(1), draw(1))
  expect_false(identical(draw(1), draw(2)))
})

test_that("noise_shape shares decisions", {
  x <- array(1, c(20, 6, 5))
  set.seed(1)
  y <- trained(layer_dropout(rate = 0.5, noise_shape = list(NULL, 1, 5)), x)
  for (t in 2:6) expect_identical(y[, t, ], y[, 1, ])
  expect_true(any(y == 0) && any(y == 2))
  y <- trained(layer_dropout(rate = 0.5, noise_shape = c(1, 6, 5)), x)
  for (i in 2:20) expect_identical(y[i, , ], y[1, , ])
})

test_that("spatial dropout drops whole channels of a sample", {
  x <- array(1, c(40, 3, 2, 6))
  set.seed(1)
  y <- trained(layer_spatial_dropout_2d(rate = 0.25), x)
  cells <- apply(y, c(1, 4), function(v) length(unique(as.vector(v))))
  expect_true(all(cells == 1))
  expect_equal(sort(unique(as.vector(y))), c(0, 1 / 0.75), tolerance = 1e-6)
  expect_lt(abs(mean(y[, 1, 1, ] == 0) - 0.25), 5 * sqrt(0.25 * 0.75 / 240))
  series <- array(1, c(40, 5, 6))
  y <- trained(layer_spatial_dropout_1d(rate = 0.5, seed = 3), series)
  for (t in 2:5) expect_identical(y[, t, ], y[, 1, ])
  expect_identical(y, trained(layer_spatial_dropout_1d(rate = 0.5, seed = 3), series))
  model <- keras_model_sequential(input_shape = c(3, 2, 6)) |> layer_spatial_dropout_2d(0.5)
  expect_identical(predict(model, x), x)
  expect_identical(model$layers[[1]]$name, "spatial_dropout2d")
  expect_error(layer_spatial_dropout_2d(rate = 2), class = "lamina_error_argument")
  expect_error(layer_spatial_dropout_2d(rate = 0.5, noise_shape = 1), class = "lamina_error_argument")
  flat <- keras_model_sequential(input_shape = 4)
  expect_error(layer_spatial_dropout_1d(flat, 0.5), class = "lamina_error_shape")
})

test_that("activity regularization hands its input on", {
  x <- matrix(as.double(1:6), 2)
  model <- keras_model_sequential(input_shape = 3) |> layer_activity_regularization(l1 = 0.1, l2 = 0.2)
  expect_identical(predict(model, x), x)
  penalty <- model$layers[[1]]$config$activity_regularizer
  expect_identical(penalty, list(type = "l1_l2", config = list(l1 = 0.1, l2 = 0.2)))
})

test_that("bad arguments are refused", {
  expect_error(layer_dropout(rate = 1.5), class = "lamina_error_argument")
  expect_error(layer_dropout(rate = NA), class = "lamina_error_argument")
  expect_error(layer_dropout(rate = 0.5, seed = -1), class = "lamina_error_argument")
  expect_error(layer_dropout(rate = 0.5, noise_shape = "a"), class = "lamina_error_argument")
  expect_error(layer_alpha_dropout(rate = 1), class = "lamina_error_argument")
  expect_error(layer_gaussian_noise(stddev = -1), class = "lamina_error_argument")
  expect_error(layer_activity_regularization(l1 = -1), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = 4)
  expect_error(layer_dropout(model, 0.5, noise_shape = c(1, 2)), class = "lamina_error_shape")
  expect_length(model$layers, 0)
})
