test_that("get_weights() has Keras' order and layout", {
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3) |> layer_dense(2, use_bias = FALSE) |> layer_dense(1)
  expect_identical(lapply(get_weights(model), function(w) if (is.null(dim(w))) length(w) else dim(w)),
                   list(c(4L, 3L), 3L, c(3L, 2L), c(2L, 1L), 1L))
  expect_equal(count_params(model), 12 + 3 + 6 + 2 + 1)
  expect_identical(get_weights(model)[[2L]], c(0, 0, 0))
})

test_that("a kernel is inputs x units", {
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(2)
  kernel <- matrix(1:6, 3)
  set_weights(model, list(kernel, c(10, 20)))
  expect_equal(predict(model, diag(3)), sweep(kernel, 2, c(10, 20), "+"))
})

test_that("what goes in comes out, rounded to single precision", {
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(2)
  w <- list(matrix(c(0.5, -2, 1e30, 1e-30, 0, 3), 3), c(1 / 3, -7))
  out <- withVisible(set_weights(model, w))
  expect_false(out$visible)
  expect_identical(out$value, model)
  expect_equal(get_weights(model), w, tolerance = 1e-7)
  expect_identical(get_weights(set_weights(model, get_weights(model))), get_weights(model))
  set_weights(model, list(matrix(1:6, 3), array(1:2))) # integers, and a 1-d array
  expect_identical(get_weights(model), list(matrix(as.double(1:6), 3), c(1, 2)))
  set_weights(model, list(matrix(1:6, 3), matrix(1:2, 1)))
  expect_identical(get_weights(model)[[2L]], c(1, 2))
})

test_that("set_weights() takes all or nothing", {
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(2)
  w <- get_weights(model)
  refused(model, set_weights(model, w[1]), "lamina_error_shape", "weights")
  refused(model, set_weights(model, 3), "lamina_error_shape", "weights")
  refused(model, set_weights(model, rev(w)), "lamina_error_shape", "weights[[1]]")
  refused(model, set_weights(model, list(t(w[[1]]), w[[2]])), "lamina_error_shape", "weights[[1]]")
  refused(model, set_weights(model, list(w[[1]], "a")), "lamina_error_shape", "weights[[2]]")
  refused(model, set_weights(model, list(w[[1]] * 2, c(NA, 1))), "lamina_error_data", "weights[[2]]")
  refused(model, set_weights(model, list(w[[1]] * 2, c(1e300, 1))), "lamina_error_data", "weights[[2]]")
})

test_that("set_weights() keeps the optimizer's state", {
  x <- wave_matrix(6, 3)
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(1)
  model |> compile(optimizer = optimizer_sgd(0.1, momentum = 0.9), loss = "mse")
  model |> fit(x, 1:6)
  slots <- model$state$slots
  set_weights(model, get_weights(model))
  expect_identical(model$state$slots, slots)
})

test_that("an initializer that is an R function starts the weight that its argument names", {
  value <- function(x) function(shape) array(x, shape)
  all_are <- function(model, values) {
    for (i in seq_along(values)) expect_true(all(get_weights(model)[[i]] == values[i]))
    expect_length(get_weights(model), length(values))
  }
  picture <- keras_model_sequential(input_shape = c(5, 5, 2))
  all_are(layer_depthwise_conv_2d(picture, 3, depthwise_initializer = value(2), bias_initializer = value(3)), 2:3)
  series <- keras_model_sequential(input_shape = c(5, 2))
  layer_separable_conv_1d(series, 3, 3, depthwise_initializer = value(2), pointwise_initializer = value(3), use_bias = FALSE)
  all_are(series, 2:3)
  gru <- keras_model_sequential(input_shape = c(5, 2))
  layer_gru(gru, 3, kernel_initializer = value(2), recurrent_initializer = value(3), bias_initializer = value(4))
  all_are(gru, 2:4)
  plain <- keras_model_sequential(input_shape = 2) |> layer_dense(2, use_bias = FALSE, bias_initializer = value(1), kernel_initializer = value(2))
  all_are(plain, 2)
})
