picture <- rbind(c(1, 2, 5, 3), c(4, 3, 1, 0), c(0, 1, 9, 2), c(2, 8, 4, 7))

through <- function(layer, x) {
  predict(keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1]), x)
}

# Pooling by its definition, on (samples, height, width, channels) and with numbers for both sides.
pool <- function(x, size, stride, same, f) {
  n <- dim(x)[2:3]
  out <- if (same) ceiling(n / stride) else (n - size) %/% stride + 1
  pad <- if (same) pmax((out - 1) * stride + size - n, 0) %/% 2 else c(0, 0)
  covered <- function(p, d) intersect(seq_len(size[d]) + (p - 1) * stride[d] - pad[d], seq_len(n[d]))
  y <- array(0, c(dim(x)[1], out, dim(x)[4]))
  for (p in seq_len(out[1])) for (q in seq_len(out[2])) {
    y[, p, q, ] <- apply(x[, covered(p, 1), covered(q, 2), , drop = FALSE], c(1, 4), f)
  }
  y
}

test_that("pooling a small picture gives the numbers on the help page", {
  x <- array_reshape(picture, c(1, 4, 4, 1))
  expect_equal(through(layer_max_pooling_2d(), x)[1, , , 1], rbind(c(4, 5), c(8, 9)))
  expect_equal(through(layer_average_pooling_2d(pool_size = 2), x)[1, , , 1], rbind(c(2.5, 2.25), c(2.75, 5.5)))
  expect_equal(through(layer_max_pooling_2d(pool_size = 3, strides = 1), x)[1, , , 1], rbind(c(9, 9), c(9, 9)))
  expect_equal(through(layer_max_pooling_2d(pool_size = c(1, 2)), x)[1, , , 1],
               rbind(c(2, 5), c(4, 1), c(1, 9), c(8, 7)))
})

test_that("padding does not count, neither for the maximum nor for the mean", {
  x <- array(c(-1, -2, -3), c(1, 3, 1))
  expect_equal(through(layer_max_pooling_1d(pool_size = 2, padding = "same"), x)[1, , 1], c(-1, -3))
  expect_equal(through(layer_average_pooling_1d(pool_size = 2, padding = "same"), x)[1, , 1], c(-1.5, -3))
  expect_equal(through(layer_average_pooling_1d(pool_size = 2), x)[1, , 1], -1.5)
  expect_equal(through(layer_average_pooling_1d(pool_size = 3, strides = 1, padding = "SAME"), x)[1, , 1],
               c(-1.5, -2, -2.5))
})

test_that("sizes, strides and paddings are those of the definition", {
  x <- array(sin(1:(2 * 7 * 9 * 3)), c(2, 7, 9, 3))
  for (same in c(FALSE, TRUE)) for (size in list(c(2, 2), c(3, 2), c(1, 4))) for (stride in list(size, c(1, 1), c(2, 3))) {
    padding <- if (same) "same" else "valid"
    expect_equal(through(layer_max_pooling_2d(pool_size = size, strides = stride, padding = padding), x),
                 pool(x, size, stride, same, max), tolerance = 1e-6)
    expect_equal(through(layer_average_pooling_2d(pool_size = size, strides = stride, padding = padding), x),
                 pool(x, size, stride, same, mean), tolerance = 1e-6)
  }
})

test_that("a series is pooled as a picture of height 1", {
  x <- array(sin(1:30), c(2, 5, 3))
  flat <- array_reshape(x, c(2, 1, 5, 3))
  expect_equal(through(layer_max_pooling_1d(pool_size = 2), x),
               array_reshape(through(layer_max_pooling_2d(pool_size = c(1, 2)), flat), c(2, 2, 3)))
})

test_that("global pooling takes all positions", {
  x <- array(sin(1:(2 * 4 * 5 * 3)), c(2, 4, 5, 3))
  expect_equal(through(layer_global_max_pooling_2d(), x), apply(x, c(1, 4), max), tolerance = 1e-6)
  expect_equal(through(layer_global_average_pooling_2d(), x), apply(x, c(1, 4), mean), tolerance = 1e-6)
  expect_equal(through(layer_global_average_pooling_2d(keepdims = TRUE), x),
               array(apply(x, c(1, 4), mean), c(2, 1, 1, 3)), tolerance = 1e-6)
  series <- array(x, c(2, 20, 3))
  expect_equal(through(layer_global_max_pooling_1d(), series), apply(series, c(1, 3), max), tolerance = 1e-6)
  expect_equal(dim(through(layer_global_average_pooling_1d(keepdims = TRUE), series)), c(2L, 1L, 3L))
})

test_that("gradients reach the input", {
  x <- array_reshape(picture, c(1, 4, 4, 1))
  slopes <- function(layer) {
    model <- keras_model_sequential(layers = list(layer, layer_flatten()), input_shape = c(4, 4, 1))
    model |> compile(loss = "mse")
    compute_gradients(model, x, matrix(0, 1, 4))$inputs[1, , , 1]
  }
  # the loss is the mean of y^2: its slope is y / 2
  largest <- rbind(c(0, 0, 5, 0), c(4, 0, 0, 0), c(0, 0, 9, 0), c(0, 8, 0, 0)) / 2
  expect_equal(slopes(layer_max_pooling_2d()), largest, tolerance = 1e-6)
  means <- rbind(c(2.5, 2.25), c(2.75, 5.5))
  expect_equal(slopes(layer_average_pooling_2d(pool_size = 2)),
               kronecker(means, matrix(1, 2, 2)) / 8, tolerance = 1e-6)
})

test_that("layers carry Keras' names and shapes and have no weights", {
  model <- keras_model_sequential(input_shape = c(9, 8, 3)) |>
    layer_max_pooling_2d() |>
    layer_average_pooling_2d(pool_size = c(2, 1), padding = "same") |>
    layer_global_average_pooling_2d()
  expect_identical(vapply(model$layers, function(l) l$name, ""),
                   c("max_pooling2d", "average_pooling2d", "global_average_pooling2d"))
  expect_equal(unlist(model$layers[[1]]$output_shape), c(4, 4, 3))
  expect_equal(unlist(model$layers[[2]]$output_shape), c(2, 4, 3))
  expect_equal(unlist(model$layers[[3]]$output_shape), 3)
  expect_equal(count_params(model), 0)
  expect_identical(layer_max_pooling_1d(name = "pool")$name, "pool")
})

test_that("bad arguments and shapes are refused as a student meets them", {
  expect_error(layer_max_pooling_2d(pool_size = 0), class = "lamina_error_argument")
  expect_error(layer_max_pooling_2d(pool_size = c(2, 2, 2)), class = "lamina_error_argument")
  expect_error(layer_max_pooling_1d(pool_size = c(2, 2)), class = "lamina_error_argument")
  expect_error(layer_max_pooling_2d(strides = 1.5), class = "lamina_error_argument")
  expect_error(layer_max_pooling_2d(padding = "causal"), class = "lamina_error_argument")
  expect_error(layer_max_pooling_2d(data_format = "channels_first"), class = "lamina_error_argument")
  expect_error(layer_average_pooling_2d(), class = "lamina_error_argument")
  expect_error(layer_global_max_pooling_2d(keepdims = NA), class = "lamina_error_argument")
  expect_error(layer_max_pooling_2d(poolsize = 2), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = c(28, 28))
  expect_error(layer_max_pooling_2d(model), "\\(height, width, 1\\)", class = "lamina_error_shape")
  small <- keras_model_sequential(input_shape = c(2, 2, 1))
  expect_error(layer_max_pooling_2d(small, pool_size = 3), "too large", class = "lamina_error_shape")
  expect_length(small$layers, 0)
  expect_error(layer_max_pooling_2d(2), class = "lamina_error_argument")
})
