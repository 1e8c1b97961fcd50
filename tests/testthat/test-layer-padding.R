through <- function(layer, x) {
  predict(keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1]), x)
}

x <- array(sin(1:(2 * 3 * 4 * 2)), c(2, 3, 4, 2))
series <- array(sin(1:30), c(2, 5, 3))

test_that("zeros come where they are asked for", {
  padded <- function(top, bottom, left, right) {
    y <- array(0, c(2, 3 + top + bottom, 4 + left + right, 2))
    y[, top + 1:3, left + 1:4, ] <- x
    y
  }
  expect_equal(through(layer_zero_padding_2d(), x), padded(1, 1, 1, 1), tolerance = 1e-6)
  expect_equal(through(layer_zero_padding_2d(padding = 2), x), padded(2, 2, 2, 2), tolerance = 1e-6)
  expect_equal(through(layer_zero_padding_2d(padding = c(1, 0)), x), padded(1, 1, 0, 0), tolerance = 1e-6)
  for (pairs in list(list(c(0, 1), c(2, 3)), list(list(0, 1), list(2, 3)), tuple(tuple(0, 1), tuple(2, 3)))) {
    expect_equal(through(layer_zero_padding_2d(padding = pairs), x), padded(0, 1, 2, 3), tolerance = 1e-6)
  }
  y <- array(0, c(2, 8, 3))
  y[, 2:6, ] <- series
  expect_equal(through(layer_zero_padding_1d(padding = c(1, 2)), series), y, tolerance = 1e-6)
  expect_equal(dim(through(layer_zero_padding_1d(), series)), c(2L, 7L, 3L))
})

test_that("what is asked for is cut off, and padding is undone by it", {
  expect_equal(through(layer_cropping_2d(), x), x, tolerance = 1e-6)
  expect_equal(through(layer_cropping_2d(cropping = 1), x), x[, 2, 2:3, , drop = FALSE], tolerance = 1e-6)
  expect_equal(through(layer_cropping_2d(cropping = list(list(1, 0), list(0, 3))), x), x[, 2:3, 1, , drop = FALSE],
               tolerance = 1e-6)
  expect_equal(through(layer_cropping_1d(), series), series[, 2:4, ], tolerance = 1e-6)
  expect_equal(through(layer_cropping_1d(cropping = c(0, 4)), series), series[, 1, , drop = FALSE], tolerance = 1e-6)
  both <- keras_model_sequential(input_shape = c(3, 4, 2)) |>
    layer_zero_padding_2d(padding = list(c(1, 2), c(0, 3))) |>
    layer_cropping_2d(cropping = list(c(1, 2), c(0, 3)))
  expect_equal(predict(both, x), x, tolerance = 1e-6)
})

test_that("upsampling repeats or interpolates", {
  expect_equal(through(layer_upsampling_2d(), x), x[, rep(1:3, each = 2), rep(1:4, each = 2), ], tolerance = 1e-6)
  expect_equal(through(layer_upsampling_2d(size = c(1, 3)), x), x[, , rep(1:4, each = 3), ], tolerance = 1e-6)
  expect_equal(through(layer_upsampling_1d(size = 3), series), series[, rep(1:5, each = 3), ], tolerance = 1e-6)
  line <- array(c(0, 4, 8), c(1, 1, 3, 1))
  expect_equal(through(layer_upsampling_2d(size = c(1, 2), interpolation = "bilinear"), line)[1, 1, , 1],
               c(0, 1, 3, 5, 7, 8), tolerance = 1e-6)
  square <- array(c(0, 2, 1, 3), c(1, 2, 2, 1))
  across <- c(0, 0.25, 0.75, 1)
  expect_equal(through(layer_upsampling_2d(interpolation = "bilinear"), square)[1, , , 1],
               outer(2 * across, across, "+"), tolerance = 1e-6)
  for (kind in c("bicubic", "lanczos3", "lanczos5")) {
    expect_equal(through(layer_upsampling_2d(interpolation = kind), array(2, c(1, 3, 3, 1))),
                 array(2, c(1, 6, 6, 1)), tolerance = 1e-6)
  }
})

test_that("gradients go back where the numbers came from", {
  slopes <- function(layer, x) {
    model <- keras_model_sequential(layers = list(layer, layer_flatten()), input_shape = dim(x)[-1])
    n <- prod(unlist(model$layers[[1]]$output_shape))
    model |> compile(loss = "mse")
    compute_gradients(model, x, matrix(0, dim(x)[1], n))$inputs * n * dim(x)[1] / 2
  }
  expect_equal(slopes(layer_zero_padding_2d(padding = 2), x), x, tolerance = 1e-5)
  inner <- x * 0
  inner[, 2, 2:3, ] <- x[, 2, 2:3, ]
  expect_equal(slopes(layer_cropping_2d(cropping = 1), x), inner, tolerance = 1e-5)
  expect_equal(slopes(layer_upsampling_2d(size = c(2, 3)), x), 6 * x, tolerance = 1e-5)
})

test_that("names and shapes are Keras'", {
  model <- keras_model_sequential(input_shape = c(3, 4, 2)) |>
    layer_zero_padding_2d() |>
    layer_upsampling_2d() |>
    layer_cropping_2d(cropping = 2)
  expect_identical(vapply(model$layers, function(l) l$name, ""), c("zero_padding2d", "up_sampling2d", "cropping2d"))
  expect_equal(unlist(model$layers[[3]]$output_shape), c(6, 8, 2))
  expect_equal(count_params(model), 0)
})

test_that("bad arguments and shapes are refused as a student meets them", {
  for (bad in list(-1, 1.5, c(1, 2, 3), list(c(1, 2, 3), 1), list(c(1, 1), c(1, 1), c(1, 1)), "one", NULL, NA)) {
    expect_error(layer_zero_padding_2d(padding = bad), class = "lamina_error_argument")
    expect_error(layer_cropping_2d(cropping = bad), class = "lamina_error_argument")
  }
  expect_error(layer_zero_padding_1d(padding = c(1, 2, 3)), class = "lamina_error_argument")
  expect_error(layer_cropping_1d(cropping = -1), class = "lamina_error_argument")
  expect_error(layer_upsampling_2d(size = 0), class = "lamina_error_argument")
  expect_error(layer_upsampling_1d(size = c(2, 2)), class = "lamina_error_argument")
  expect_error(layer_upsampling_2d(interpolation = "linear"), class = "lamina_error_argument")
  expect_error(layer_upsampling_2d(data_format = "channels_first"), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = c(4, 4, 1))
  expect_error(layer_cropping_2d(model, cropping = 2), "4 of 4", class = "lamina_error_shape")
  expect_error(layer_zero_padding_1d(model), class = "lamina_error_shape")
  expect_length(model$layers, 0)
})
