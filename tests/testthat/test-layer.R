test_that("a layer tells what it is, before and in a model", {
  layer <- layer_dense(units = 3, activation = "relu", input_shape = 4, name = "hidden")
  expect_identical(layer$units, 3)
  expect_identical(layer$activation, "relu")
  expect_identical(layer$input_shape, list(NULL, 4L))
  expect_null(layer$output_shape)
  expect_false(layer$built)
  expect_identical(layer$get_weights(), list())
  model <- keras_model_sequential(layers = list(layer, layer_dense(units = 2)))
  expect_true(layer$built)
  expect_identical(layer$output_shape, list(NULL, 3L))
  expect_identical(model$layers[[2L]]$input_shape, list(NULL, 3L))
  expect_equal(layer$count_params(), 15)
  expect_equal(count_params(layer), 15)
  expect_identical(model$layers[[2L]][["name"]], "dense")
  expect_match(format(layer), "hidden.*(None, 3)")
  expect_output(print(layer), "Dense")
})

test_that("layers have weights of their own", {
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(3) |> layer_dense(1)
  last <- get_layer(model, index = 2)
  last$set_weights(list(matrix(1:3), 4))
  expect_identical(last$get_weights(), list(matrix(c(1, 2, 3)), 4))
  expect_identical(get_weights(model)[3:4], list(matrix(c(1, 2, 3)), 4))
  set_weights(last, list(matrix(3:1), 5))
  expect_identical(last$weights, list(matrix(c(3, 2, 1)), 5))
  expect_identical(get_weights(last), last$weights)
  expect_error(set_weights(last, list(1)), class = "lamina_error_argument")
  expect_error(set_weights(last, list(matrix(1:4), 5)), class = "lamina_error_shape")
  expect_error(set_weights(layer_dense(units = 1), list(matrix(1), 1)), class = "lamina_error_state")
})

test_that("names are made unique, as in Keras", {
  model <- keras_model_sequential(input_shape = 2) |>
    layer_dense(1) |> layer_dense(1) |> layer_dropout(0.1) |> layer_dense(1) |> layer_dense(1, name = "mine")
  expect_identical(vapply(model$layers, function(l) l$name, ""), c("dense", "dense_1", "dropout", "dense_2", "mine"))
})

test_that("get_layer() by name and by position from either end", {
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(1, name = "a") |> layer_dense(1, name = "b")
  expect_identical(get_layer(model, "b")$name, "b")
  expect_identical(get_layer(model, index = 1)$name, "a")
  expect_identical(get_layer(model, index = -1)$name, "b")
  expect_error(get_layer(model, "c"), class = "lamina_error_argument")
  for (bad in list(0, 3, -3, 1.5, "a", NA)) expect_error(get_layer(model, index = bad), class = "lamina_error_argument")
  expect_error(get_layer(model), class = "lamina_error_argument")
})

test_that("freezing by position, name, range and function", {
  new <- function() {
    keras_model_sequential(input_shape = 2) |>
      layer_dense(1, name = "a") |> layer_dense(1, name = "b") |> layer_dense(1, name = "c")
  }
  frozen <- function(model) paste(vapply(model$layers, function(l) if (l$trainable) "" else l$name, ""), collapse = "")
  model <- new()
  expect_identical(frozen(freeze_weights(model)), "abc")
  expect_identical(frozen(unfreeze_weights(model, from = "b")), "a")
  expect_identical(frozen(freeze_weights(new(), to = "b")), "ab")
  expect_identical(frozen(freeze_weights(new(), from = 2, to = 2)), "b")
  expect_identical(frozen(freeze_weights(new(), to = -2)), "ab")
  expect_identical(frozen(freeze_weights(new(), which = c("a", "c"))), "ac")
  expect_identical(frozen(freeze_weights(new(), which = c(1, 3))), "ac")
  expect_identical(frozen(freeze_weights(new(), which = function(l) l$name == "b")), "b")
  expect_identical(frozen(keras_model_sequential(input_shape = 2, layers = list(layer_dense(units = 1, name = "x")), trainable = FALSE)), "x")
  model <- new()
  layer <- get_layer(model, "b")
  layer$trainable <- FALSE
  expect_identical(frozen(model), "b")
  freeze_weights(get_layer(model, "c"))
  expect_identical(frozen(model), "bc")
  expect_length(get_weights(model, trainable = TRUE), 2L)
  expect_length(get_weights(model, trainable = FALSE), 4L)
  expect_error(layer$units <- 3, class = "lamina_error_argument")
  expect_error(layer$trainable <- "no", class = "lamina_error_argument")
  refused(model, freeze_weights(model, from = 7), "lamina_error_argument")
  refused(model, freeze_weights(model, which = "z"), "lamina_error_argument")
})

test_that("an initializer may be an R function of the shape", {
  model <- keras_model_sequential(input_shape = 3) |>
    layer_dense(2, kernel_initializer = function(shape) array(seq_len(prod(shape)), shape), bias_initializer = function(shape) rep(7, shape))
  expect_identical(get_weights(model), list(matrix(as.double(1:6), 3), c(7, 7)))
  for (bad in list(function(shape) "a", function(shape) 1:5, function(shape) rep(NA_real_, 6))) {
    wrong <- keras_model_sequential(input_shape = 3) |> layer_dense(2, kernel_initializer = bad)
    error <- expect_error(get_weights(wrong), class = "lamina_error_argument")
    expect_identical(error$arg, "kernel_initializer")
  }
})

test_that("an activation may be an R function where nothing is trained through it", {
  x <- wave_matrix(9, 2)
  cube <- function(z) z^3
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(3, activation = cube, name = "odd") |> layer_dense(1)
  w <- get_weights(model)
  hidden <- sweep(x %*% w[[1L]], 2, w[[2L]], "+")^3
  expect_close(predict(model, x), hidden %*% w[[3L]] + w[[4L]])
  expect_close(layer_outputs(model, x, "odd"), hidden)
  model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
  y <- sin(1:9)
  error <- refused(model, fit(model, x, y), "lamina_error_state")
  expect_match(conditionMessage(error), "freeze_weights")
  freeze_weights(model, to = "odd")
  history <- model |> fit(x, y, shuffle = FALSE)
  top <- list(list(kernel = w[[3L]], bias = w[[4L]], activation = "linear"))
  truth <- ref_train(top, hidden, matrix(y), "mse", ref_sgd(), function(s) 0.1, 32, 1)
  expect_close(get_weights(model), c(w[1:2], ref_weights(truth$net)))
  expect_close(history$metrics$loss, truth$losses)
  expect_close(evaluate(model, x, y)$loss, ref_gradient(truth$net, hidden, matrix(y), "mse")$loss)
  expect_error(compute_gradients(model, x, y), class = "lamina_error_state")
})
