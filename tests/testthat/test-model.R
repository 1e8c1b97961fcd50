test_that("a model is the same from a pipe, a list, a vector of layers, and an input", {
  layers <- function(...) list(layer_dense(units = 3, activation = "relu", ...), layer_dense(units = 2, activation = "softmax"))
  models <- list(
    keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "relu") |> layer_dense(2, activation = "softmax"),
    keras_model_sequential(layers = layers(input_shape = 4)),
    keras_model_sequential(layers(input_shape = 4)),
    keras_model_sequential(layers = c(layer_dense(units = 3, activation = "relu", input_shape = 4), layer_dense(units = 2, activation = "softmax"))),
    keras_model_sequential(layers = c(list(keras_input(shape = 4)), layers())),
    keras_model_sequential(layers = layers(batch_input_shape = list(NULL, 4))),
    keras_model_sequential(input_batch_shape = list(NULL, 4), layers = layers()),
    keras_model_sequential(input_shape = list(4L), layers = layers())
  )
  for (model in models) {
    expect_s3_class(model, c("lamina_sequential", "lamina_model"), exact = TRUE)
    expect_identical(format(model), format(models[[1L]]))
    expect_equal(count_params(model), 4 * 3 + 3 + 3 * 2 + 2)
    expect_identical(model$output_shape, list(NULL, 2L))
    expect_identical(model$input_shape, list(NULL, 4L))
  }
})

test_that("layers change the model in place", {
  model <- keras_model_sequential(input_shape = 4)
  layer_dense(model, 3)
  out <- model |> layer_dense(2)
  expect_identical(out, model)
  expect_length(model$layers, 2L)
  model %>% layer_dense(1)
  expect_length(model$layers, 3L)
})

test_that("shapes are inferred at the first batch, from whatever comes first", {
  x <- wave_matrix(6, 3)
  new <- function() {
    model <- keras_model_sequential() |> layer_dense(2)
    model |> compile(loss = "mse")
    model
  }
  for (first in list(
    function(m) fit(m, x, x[, 1:2]), function(m) predict(m, x), function(m) evaluate(m, x, x[, 1:2]),
    function(m) train_on_batch(m, x, x[, 1:2]), function(m) layer_outputs(m, x), function(m) fit(m, as.data.frame(x), x[, 1:2]),
    function(m) fit(m, function() list(x, x[, 1:2]), steps_per_epoch = 1)
  )) {
    model <- new()
    expect_false(model$built)
    expect_null(model$output_shape)
    first(model)
    expect_true(model$built)
    expect_identical(lapply(get_weights(model), dim), list(c(3L, 2L), NULL))
  }
})

test_that("layers added to a trained model keep the weights of the others", {
  x <- wave_matrix(8, 4)
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "tanh")
  model |> compile(loss = "mse")
  model |> fit(x, x[, 1:3])
  kept <- get_weights(model)
  before <- predict(model, x)
  model |> layer_dense(2)
  expect_identical(get_weights(model)[1:2], kept)
  expect_identical(layer_outputs(model, x, 1), before)
  expect_no_error(suppressMessages(fit(model, x, x[, 1:2])))
  kept <- get_weights(model)
  popped <- pop_layer(model)
  expect_identical(get_weights(model), kept[1:2])
  expect_identical(get_weights(popped), kept[3:4])
  popped(model) # and it may come back, with what it had learned
  expect_identical(get_weights(model), kept)
})

test_that("pop_layer() takes the last layer off", {
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3) |> layer_dense(2, name = "top")
  out <- withVisible(pop_layer(model))
  expect_false(out$visible)
  expect_identical(out$value$name, "top")
  expect_identical(model$output_shape, list(NULL, 3L))
  pop_layer(model)
  expect_error(pop_layer(model), class = "lamina_error_state")
})

test_that("Python-like members", {
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(1, name = "only")
  expect_identical(model$get_weights(), get_weights(model))
  expect_identical(model$weights, get_weights(model))
  model$set_weights(list(matrix(c(1, 2)), 3))
  expect_identical(get_weights(model), list(matrix(c(1, 2)), 3))
  expect_equal(model$count_params(), 3)
  expect_identical(model$get_layer("only")$name, "only")
  expect_identical(model$get_layer(index = 1)$name, "only")
  expect_output(model$summary(), "only")
  model$compile(loss = "mse", optimizer = "sgd")
  model$fit(matrix(1, 2, 2), c(1, 2), epochs = 2)
  expect_equal(model$epoch, 2)
  expect_named(model$evaluate(matrix(1, 2, 2), c(1, 2)), "loss")
  expect_identical(model$predict(matrix(1, 2, 2)), predict(model, matrix(1, 2, 2)))
  model$trainable <- FALSE
  expect_false(model$layers[[1L]]$trainable)
  expect_false(model$trainable)
  expect_error(model$trainable <- 3, class = "lamina_error_argument")
})

test_that("clone_model() is a fresh model of the same build", {
  model <- keras_model_sequential(input_shape = 2, name = "first") |> layer_dense(3, name = "a", trainable = FALSE) |> layer_dense(1)
  model |> compile(loss = "mse", metrics = "mae")
  twin <- clone_model(model)
  expect_identical(format(twin), format(model))
  expect_false(identical(get_weights(twin), get_weights(model)))
  expect_identical(twin$compiled, model$compiled)
  twin |> fit(matrix(1, 2, 2), c(1, 2))
  expect_null(model$history)
  set_weights(twin, get_weights(model))
  expect_identical(predict(twin, diag(2)), predict(model, diag(2)))
  bare <- clone_model(keras_model_sequential() |> layer_dense(1))
  expect_false(bare$built)
})

test_that("reset_weights() starts afresh", {
  set.seed(9)
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(3) |> layer_dense(1)
  model |> compile(optimizer = "adam", loss = "mse")
  first <- get_weights(model)
  model |> fit(diag(2), c(1, 2), epochs = 3)
  set.seed(9)
  expect_identical(reset_weights(model), model)
  expect_identical(get_weights(model), first)
  expect_equal(model$epoch, 0)
  expect_null(model$history)
  expect_no_message(fit(model, diag(2), c(1, 2)))
})

test_that("a layer that is refused leaves the model without it", {
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3)
  refused(model, layer_reshape(model, c(2, 7)), "lamina_error_shape")
  refused(model, layer_dense(model, units = -1), "lamina_error_argument", "units")
  refused(model, layer_dense(model, units = 2, input_shape = 7), "lamina_error_shape", "input_shape")
  refused(model, layer_dense(model, units = 2, name = "dense"), "lamina_error_argument", "name")
  other <- keras_model_sequential(input_shape = 4)
  layer <- layer_dense(units = 2)
  layer(other)
  refused(model, layer(model), "lamina_error_state")
  expect_length(model$layers, 1L)
  expect_length(other$layers, 1L)
  expect_no_error(layer_dense(model, units = 2))
})

test_that("what keras_model_sequential() does not take", {
  for (bad in list(0, "a", -1, c(1, NA), 1.5, rep(1, 5))) {
    expect_error(keras_model_sequential(input_shape = bad), class = "lamina_error_argument")
  }
  expect_error(keras_model_sequential(foo = 1), class = "lamina_error_argument")
  expect_error(keras_model_sequential(input_sparse = TRUE), class = "lamina_error_argument")
  expect_error(keras_model_sequential(layers = list(1)), class = "lamina_error_argument")
  expect_error(keras_input(shape = 4, dtype = "float64"), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(1)
  expect_error(keras_model_sequential(layers = list(layer_dense(units = 1, input_shape = 1), keras_input(2))), class = "lamina_error_state")
})

test_that("model$optimizer$learning_rate can be set, before and after the first step; the rest is compile()'s", {
  model <- keras_model_sequential() |> layer_dense(1, use_bias = FALSE, kernel_initializer = "zeros")
  compile(model, optimizer_sgd(0.5), "mse")
  model$optimizer$learning_rate <- 0.25
  expect_identical(model$optimizer$learning_rate, 0.25)
  # One sample, x = 1, y = 1, w = 0: the gradient of (w - y)^2 is -2, so w becomes 2 x rate.
  fit(model, matrix(1), 1, verbose = 0)
  expect_equal(get_weights(model)[[1]][1], 0.5)
  model$optimizer$learning_rate <- 0.125
  expect_identical(model$optimizer$learning_rate, 0.125)
  fit(model, matrix(1), 1, verbose = 0) # the gradient is -1
  expect_equal(get_weights(model)[[1]][1], 0.625)
  expect_identical(unserialize(serialize(model, NULL))$optimizer$learning_rate, 0.125)

  before <- get_weights(model)
  e <- expect_error(model$optimizer <- optimizer_adam(), class = "lamina_error_argument")
  expect_identical(e$arg, "optimizer")
  expect_error(model$optimizer$momentum <- 0.9, class = "lamina_error_argument")
  expect_error(model$optimizer$learning_rate <- -1, class = "lamina_error_argument")
  expect_error(model$optimizer$learning_rate <- learning_rate_schedule_exponential_decay(0.1, 10, 0.5), class = "lamina_error_argument")
  expect_error(model$weights <- list(1), class = "lamina_error_argument")
  expect_identical(model$optimizer$learning_rate, 0.125)
  expect_identical(get_weights(model), before)
  plain <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  expect_error(plain$optimizer <- "sgd", "compile", class = "lamina_error_argument")
})
