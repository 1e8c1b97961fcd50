# Training that stops and goes on is the training that never stopped, bit by bit.

x <- wave_matrix(40, 5)
y <- (seq_len(40) * 11) %% 3

# Every kind of state: slots, schedule, average, accumulated gradients, dropout's position.
optimizers <- list(
  sgd = function() optimizer_sgd(learning_rate_schedule_exponential_decay(0.1, 10, 0.8), momentum = 0.9),
  adam = function() optimizer_adam(0.01, use_ema = TRUE, ema_momentum = 0.9),
  rmsprop = function() optimizer_rmsprop(0.01, centered = TRUE, momentum = 0.5, gradient_accumulation_steps = 3),
  nadam = function() optimizer_nadam(0.01, use_ema = TRUE, ema_overwrite_frequency = 7),
  ftrl = function() optimizer_ftrl(0.05),
  adam_w = function() optimizer_adam_w(0.01, amsgrad = TRUE, clipnorm = 0.5)
)

fresh <- function(optimizer) {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 5) |>
    layer_dense(8, activation = "relu", kernel_regularizer = "l2") |>
    layer_dropout(0.3) |>
    layer_dense(3, activation = "softmax")
  model |> compile(optimizer = optimizer, loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}

go_on <- function(model, ...) {
  history <- suppressMessages(fit(model, x, y, batch_size = 7, ...))
  list(weights = get_weights(model), metrics = history$metrics)
}

last <- function(run, n) list(weights = run$weights, metrics = lapply(run$metrics, utils::tail, n))

test_that("10 epochs are 5 + 5: in the same session, through save_model() and saveRDS()", {
  for (name in names(optimizers)) {
    whole <- go_on(fresh(optimizers[[name]]()), epochs = 10)
    model <- fresh(optimizers[[name]]())
    go_on(model, epochs = 5)
    bytes <- save_model(model)
    rds <- serialize(model, NULL)
    expect_identical(go_on(model, epochs = 10, initial_epoch = 6), last(whole, 5), info = name)
    runif(3) # the session's random numbers no longer matter
    expect_identical(go_on(load_model(bytes), epochs = 5), last(whole, 5), info = name)
    expect_identical(go_on(load_model(bytes), epochs = 10, initial_epoch = 6), last(whole, 5), info = name)
    expect_identical(go_on(unserialize(rds), epochs = 5), last(whole, 5), info = name)
    revived <- unserialize(rds)
    predict(revived, x)
    get_weights(revived)
    expect_identical(go_on(revived, epochs = 10, initial_epoch = 6), last(whole, 5), info = name)
  }
})

test_that("10 epochs are 5 + saveRDS(), readRDS() in a fresh process, 5", {
  skip_if_not_installed("callr")
  half <- lapply(optimizers, function(optimizer) {
    model <- fresh(optimizer())
    go_on(model, epochs = 5)
    model
  })
  paths <- list(rds = withr::local_tempfile(), file = withr::local_tempfile())
  saveRDS(half, paths$rds)
  save_model(half$adam, paths$file)
  there <- callr::r(function(paths, x, y) {
    library(lamina)
    options(lamina.verbose = 0)
    more <- function(model) {
      history <- fit(model, x, y, batch_size = 7, epochs = 10, initial_epoch = 6)
      list(weights = get_weights(model), metrics = history$metrics)
    }
    list(rds = lapply(readRDS(paths$rds), more), file = more(load_model(paths$file)))
  }, list(paths, x, y), libpath = .libPaths())
  for (name in names(optimizers)) {
    whole <- go_on(fresh(optimizers[[name]]()), epochs = 10)
    expect_identical(there$rds[[name]], last(whole, 5), info = name)
    if (name == "adam") expect_identical(there$file, last(whole, 5))
  }
})

test_that("after use_ema the weights shown are the average, also in files, and may be replaced", {
  model <- fresh(optimizers$adam())
  go_on(model, epochs = 3)
  average <- get_weights(model)
  expect_identical(get_weights(load_model(save_model(model))), average)
  set_weights(model, average)
  again <- go_on(model, epochs = 4, initial_epoch = 4)
  from_average <- fresh(optimizers$adam())
  go_on(from_average, epochs = 3)
  expect_false(identical(go_on(from_average, epochs = 4, initial_epoch = 4), again))
})

test_that("a fresh fit() draws a new stream, a resumed one draws nothing", {
  model <- fresh("sgd")
  go_on(model, epochs = 2)
  set.seed(5)
  go_on(model, epochs = 4, initial_epoch = 3)
  after <- runif(1)
  set.seed(5)
  expect_identical(runif(1), after)
  set.seed(5)
  go_on(model, epochs = 1)
  expect_false(identical(runif(1), after))
})

test_that("an error in a callback leaves the model whole, its history kept", {
  whole <- go_on(fresh(optimizers$sgd()), epochs = 6)
  model <- fresh(optimizers$sgd())
  ended <- FALSE
  fail <- callback_lambda(on_epoch_end = function(epoch, logs) if (epoch == 3) stop("enough"),
                          on_train_end = function(logs) ended <<- TRUE)
  expect_error(go_on(model, epochs = 6, callbacks = fail), "enough")
  expect_true(ended)
  expect_equal(model$epoch, 3)
  expect_identical(model$history$metrics, lapply(whole$metrics, utils::head, 3))
  expect_true(all(is.finite(unlist(get_weights(model)))))
  expect_identical(go_on(model, epochs = 3), last(whole, 3))
})

test_that("after an interrupt in the middle of an epoch fit() can go on", {
  model <- fresh(optimizers$adam())
  stop_at <- callback_lambda(on_train_batch_end = function(batch, logs) {
    if (batch == 2) rlang::interrupt()
  })
  how <- tryCatch(go_on(model, epochs = 2, callbacks = stop_at), interrupt = function(e) "interrupted")
  expect_identical(how, "interrupted")
  expect_equal(model$epoch, 0)
  state <- model$state
  expect_equal(state$batches, 2)
  expect_identical(get_weights(unserialize(serialize(model, NULL))), get_weights(model))
  expect_length(go_on(model, epochs = 2)$metrics$loss, 2L)
})

test_that("early stopping and reduced rates are part of a training that goes on", {
  model <- fresh("sgd")
  run <- go_on(model, epochs = 50, callbacks = callback_early_stopping("loss", patience = 0, min_delta = 100))
  expect_length(run$metrics$loss, 2L)
  expect_equal(model$epoch, 2)
  go_on(model, epochs = 4, callbacks = callback_reduce_lr_on_plateau("loss", factor = 0.5, patience = 1, min_delta = 100))
  rate <- model_rate(model)
  expect_lt(rate, 0.01)
  expect_equal(model_rate(load_model(save_model(model))), rate)
  expect_equal(model_rate(unserialize(serialize(model, NULL))), rate)
})

test_that("exploding training stops with the place, weights finite and as they were", {
  big <- x * 1000
  for (loss in list("mse", function(y_true, y_pred) {
    list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  })) {
    set.seed(1)
    model <- keras_model_sequential(input_shape = 5) |> layer_dense(8, activation = "relu") |> layer_dense(1, name = "out")
    model |> compile(optimizer = optimizer_sgd(1e10), loss = loss)
    error <- expect_error(fit(model, big, y, epochs = 5, batch_size = 4), class = "lamina_error_numeric")
    expect_s3_class(error, "lamina_error")
    expect_equal(error$epoch, 1)
    expect_true(error$batch >= 1 && error$batch <= 10)
    expect_match(error$layer, "dense|out|loss")
    expect_true(all(is.finite(unlist(get_weights(model)))))
    expect_true(all(is.finite(predict(model, x))))
    expect_identical(get_weights(unserialize(serialize(model, NULL))), get_weights(model))
  }
})

test_that("training can go on at a lower rate after an explosion", {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 5) |> layer_dense(1)
  model |> compile(optimizer = optimizer_sgd(1e10), loss = "mse")
  start <- get_weights(model)
  expect_error(fit(model, x, y, batch_size = 4), class = "lamina_error_numeric")
  expect_identical(get_weights(model), start)
  model |> compile(optimizer = optimizer_sgd(0.01), loss = "mse")
  losses <- go_on(model, epochs = 5)$metrics$loss
  expect_lt(losses[5L], losses[1L])
})

test_that("weights that overflow behind dead units are noticed at the end of the epoch", {
  model <- keras_model_sequential(input_shape = 1) |>
    layer_dense(1, activation = "relu", kernel_initializer = "ones") |>
    layer_dense(1, kernel_initializer = "ones", trainable = FALSE)
  model |> compile(optimizer = optimizer_sgd(3e38), loss = "mse")
  start <- get_weights(model)
  error <- expect_error(fit(model, rep(2, 8), rep(0, 8), batch_size = 8), class = "lamina_error_numeric")
  expect_equal(c(error$epoch, error$batch), c(1, 1))
  expect_identical(get_weights(model), start)
})

test_that("terminate_on_nan ends quietly", {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 5) |> layer_dense(1)
  model |> compile(optimizer = optimizer_sgd(1e10), loss = "mse")
  expect_message(history <- fit(model, x, y, epochs = 3, batch_size = 4, callbacks = callback_terminate_on_nan()),
                 class = "lamina_message_nan")
  expect_s3_class(history, "lamina_history")
  expect_true(all(is.finite(unlist(get_weights(model)))))
})

test_that("train_on_batch() that explodes changes nothing", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE, kernel_initializer = "ones")
  model |> compile(optimizer = optimizer_sgd(3e38), loss = "mse")
  before <- get_weights(model)
  expect_error(train_on_batch(model, c(5, 9), c(0, 0)), class = "lamina_error_numeric")
  expect_identical(get_weights(model), before)
})
