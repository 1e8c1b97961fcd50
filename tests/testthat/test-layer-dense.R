x <- matrix(seq(-1, 1, length.out = 12), 4)

test_that("a dense layer is activation(x W + b)", {
  w <- matrix(c(0.5, -1, 2, 1, 0, -0.5), 3)
  b <- c(0.1, -0.2)
  for (name in c("linear", "relu", "gelu", "softmax")) {
    model <- keras_model_sequential(input_shape = 3) |> layer_dense(2, activation = name)
    set_weights(model, list(w, b))
    z <- x %*% w + rep(b, each = 4)
    want <- getExportedValue("lamina", paste0("activation_", name))(z)
    expect_equal(unname(predict(model, x)), want, tolerance = 1e-5)
  }
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(2, use_bias = FALSE)
  set_weights(model, list(w))
  expect_equal(unname(predict(model, x)), x %*% w, tolerance = 1e-5)
})

test_that("an input of higher rank is taken along its last dimension", {
  a <- array(seq(-1, 1, length.out = 24), c(2, 4, 3))
  w <- matrix(c(0.5, -1, 2, 1, 0, -0.5), 3)
  model <- keras_model_sequential(input_shape = c(4, 3)) |> layer_dense(2, use_bias = FALSE)
  set_weights(model, list(w))
  want <- array(NA_real_, c(2, 4, 2))
  for (t in 1:4) want[, t, ] <- a[, t, ] %*% w
  expect_equal(predict(model, a), want, tolerance = 1e-5)
})

test_that("weights have Keras' order and shapes, and start as asked", {
  model <- keras_model_sequential(input_shape = 3) |>
    layer_dense(2, kernel_initializer = "ones", bias_initializer = function(shape) seq_len(shape))
  expect_equal(get_weights(model), list(matrix(1, 3, 2), array(c(1, 2))), ignore_attr = TRUE)
  expect_identical(dim(get_weights(model)[[1]]), c(3L, 2L))
})

test_that("what the core is told is what was asked for", {
  layer <- layer_dense(units = 3L, activation = activation_relu, kernel_regularizer = regularizer_l2(0.1),
                       activity_regularizer = "l1", kernel_constraint = constraint_maxnorm(2))
  config <- layer$config
  expect_identical(config$units, 3)
  expect_identical(config$activation$type, "relu")
  expect_identical(config$kernel_initializer$type, "glorot_uniform")
  expect_identical(config$kernel_regularizer$type, "l2")
  expect_identical(config$activity_regularizer$type, "l1")
  expect_identical(config$kernel_constraint$type, "maxnorm")
  expect_null(config$bias_regularizer)
})

test_that("initializer functions of the package serve without being called", {
  expect_identical(layer_dense(units = 1, kernel_initializer = initializer_he_normal)$config$kernel_initializer$type,
                   "he_normal")
})

test_that("bad arguments are refused and leave the model as it was", {
  model <- keras_model_sequential(input_shape = 3)
  expect_error(layer_dense(model, 0), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2.5), class = "lamina_error_argument")
  expect_error(layer_dense(model, "2"), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2, activation = "rulu"), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2, kernel_initializer = "glorot"), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2, kernel_regularizer = 0.1), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2, use_bias = NA), class = "lamina_error_argument")
  expect_error(layer_dense(model, 2, lora_rank = 4), class = "lamina_error_argument")
  error <- expect_error(layer_dense(model, 2, dropout = 0.5), class = "lamina_error_argument")
  expect_identical(error$arg, "dropout")
  expect_length(model$layers, 0)
})
