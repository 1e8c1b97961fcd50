x <- matrix(c(1, 2, 3, 6, 10, 30, 20, 60), 4)

of <- function(layer, x) predict(keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1]), x)

moments <- function(x) list(mean = mean(x), variance = mean((x - mean(x))^2))

test_that("rescaling is x * scale + offset, for all or for each channel", {
  expect_equal(of(layer_rescaling(scale = 0.5, offset = -1), x), x / 2 - 1, tolerance = 1e-6)
  want <- cbind(2 * x[, 1] + 1, 3 * x[, 2] - 1)
  expect_equal(of(layer_rescaling(scale = c(2, 3), offset = list(1, -1)), x), want, tolerance = 1e-6)
  model <- keras_model_sequential(input_shape = 2)
  expect_error(layer_rescaling(model, scale = c(1, 2, 3)), class = "lamina_error_shape")
  expect_error(layer_rescaling(model, scale = "a"), class = "lamina_error_argument")
  expect_error(layer_rescaling(model, scale = NA), class = "lamina_error_argument")
  expect_length(model$layers, 0)
})

test_that("adapt() finds the moments of each feature", {
  layer <- layer_normalization()
  expect_identical(adapt(layer, x), layer)
  m <- lapply(1:2, function(j) moments(x[, j]))
  want <- sapply(1:2, function(j) (x[, j] - m[[j]]$mean) / sqrt(m[[j]]$variance))
  expect_equal(of(layer, x), want, tolerance = 1e-6)
})

test_that("the moments are weights that are not trained", {
  layer <- layer_normalization(input_shape = 2)
  adapt(layer, as.data.frame(x))
  model <- keras_model_sequential(layers = list(layer))
  expect_equal(lapply(get_weights(model), as.vector), list(c(3, 30), c(3.5, 350)))
  expect_length(get_weights(model, trainable = TRUE), 0)
})

test_that("adapt() reaches a layer that is already in a model, and the model can be stored", {
  model <- keras_model_sequential(input_shape = 2) |> layer_normalization()
  expect_equal(predict(model, x), x)
  adapt(model$layers[[1]], x)
  want <- predict(model, x)
  expect_equal(colMeans(want), c(0, 0), tolerance = 1e-6)
  file <- tempfile(fileext = ".rds")
  on.exit(unlink(file))
  saveRDS(model, file)
  expect_identical(predict(readRDS(file), x), want)
})

test_that("given moments are used, and go back with invert", {
  there <- of(layer_normalization(mean = c(3, 30), variance = c(4, 25)), x)
  expect_equal(there, cbind((x[, 1] - 3) / 2, (x[, 2] - 30) / 5), tolerance = 1e-6)
  back <- of(layer_normalization(mean = c(3, 30), variance = c(4, 25), invert = TRUE), there)
  expect_equal(back, x, tolerance = 1e-6)
  expect_equal(of(layer_normalization(mean = 1, variance = 4), x), (x - 1) / 2, tolerance = 1e-6)
})

test_that("the kept dimensions can be chosen", {
  a <- array(sqrt(1:60), c(5, 4, 3))
  layer <- layer_normalization(axis = 2)
  adapt(layer, a)
  want <- a
  for (i in 1:4) want[, i, ] <- (a[, i, ] - mean(a[, i, ])) / sqrt(moments(a[, i, ])$variance)
  expect_equal(of(layer, a), want, tolerance = 1e-5)

  layer <- layer_normalization(axis = c(-1, 2))
  adapt(layer, a)
  for (i in 1:4) for (j in 1:3) {
    want[, i, j] <- (a[, i, j] - mean(a[, i, j])) / sqrt(moments(a[, i, j])$variance)
  }
  expect_equal(of(layer, a), want, tolerance = 1e-5)

  layer <- layer_normalization(axis = NULL)
  adapt(layer, a)
  expect_equal(of(layer, a), (a - mean(a)) / sqrt(moments(a)$variance), tolerance = 1e-5)
})

test_that("a feature without variance gives zeros, and steps limit what is read", {
  layer <- layer_normalization()
  adapt(layer, cbind(1:4, 7))
  expect_equal(of(layer, cbind(as.double(1:4), 7))[, 2], rep(0, 4))
  layer <- layer_normalization(input_shape = 1)
  adapt(layer, c(1, 3, 100), batch_size = 1, steps = 2)
  model <- keras_model_sequential(layers = list(layer))
  expect_equal(unlist(get_weights(model)), c(2, 1))
})

test_that("bad arguments are refused", {
  expect_error(layer_normalization(axis = 1), class = "lamina_error_argument")
  expect_error(layer_normalization(axis = 0), class = "lamina_error_argument")
  expect_error(layer_normalization(axis = c(2, 2)), class = "lamina_error_argument")
  expect_error(layer_normalization(mean = 1), class = "lamina_error_argument")
  expect_error(layer_normalization(mean = 1, variance = -1), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = 2)
  expect_error(layer_normalization(model, mean = 1:3, variance = 1:3), class = "lamina_error_shape")
  expect_error(layer_normalization(model, axis = 3), class = "lamina_error_shape")
  expect_length(model$layers, 0)
  layer <- layer_normalization()
  expect_error(adapt(layer, c(1, NA)), class = "lamina_error_data")
  expect_error(adapt(layer, iris), class = "lamina_error_data")
  expect_error(adapt(layer, "a"), class = "lamina_error_argument")
  expect_error(adapt(layer_dense(units = 1), x), class = "lamina_error_argument")
  expect_error(adapt(layer_normalization(axis = 3), x), class = "lamina_error_shape")
})
