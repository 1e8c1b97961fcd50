# Memory that cannot be had: whatever the user does, the engine's first, second, third ... allocation is made
# to fail, until none does.  Each time an error says so by its class, the engine holds nothing afterwards,
# and the model is what it was or, where training had begun, can be used.

engine_calls <- function() .Call(ffi_memory, NULL)[1L]
engine_blocks <- function() .Call(ffi_memory, NULL)[2L]

# One try at work(model) with the engine's n-th allocation failing; TRUE when there was none so late.
# keeps: the model is then what it was; FALSE where the work may have gone some way before.
try_starved <- function(n, model, work, keeps) {
  here <- model()
  dead <- !is.null(here$state) && !.Call(ffi_net_alive, .subset2(here, "ptr"))
  before <- model_snapshot(here)
  expected <- if (!is.null(here$state)) predict_few(here)
  if (dead) here <- model() # its network has been made by now
  from <- engine_calls()
  .Call(ffi_memory, n)
  error <- tryCatch({
    work(here)
    NULL
  }, error = identity, finally = .Call(ffi_memory, 0))
  if (engine_calls() - from < n) {
    expect_null(error)
    return(TRUE)
  }
  expect_s3_class(error, "lamina_error_memory")
  expect_s3_class(error, "lamina_error")
  expect_match(conditionMessage(error), "Cannot allocate")
  if (keeps) {
    after <- model_snapshot(here)
    if (is.null(before$state)) after["state"] <- list(NULL) # first weights may have been drawn by then
    expect_identical(after, before)
    if (!is.null(expected)) expect_identical(predict_few(here), expected)
  }
  expect_no_error(work(here)) # at the second try
  FALSE
}

# least: at least so many allocations are known to be made.
starve <- function(model, work, keeps = TRUE, least = 1) {
  work(model()) # so that the threads' scratch is there
  gc()
  blocks <- engine_blocks()
  n <- 1
  while (n < 500 && !try_starved(n, model, work, keeps)) n <- n + 1
  expect_gt(n, least)
  gc()
  expect_lte(engine_blocks(), blocks)
}

x <- matrix(sin(seq_len(120)), 24)
y <- factor(rep(c("a", "b", "c"), 8))
predict_few <- function(model) predict(model, (if (identical(as.numeric(model$shape), 5)) x else tokens)[1:2, ], verbose = 0)
tokens <- matrix(seq_len(96) %% 7, 24)

layered <- function() {
  set.seed(4)
  keras_model_sequential(input_shape = 5) |>
    layer_dense(6, activation = "relu", kernel_initializer = "orthogonal") |>
    layer_batch_normalization() |>
    layer_dropout(0.3) |>
    layer_dense(3, activation = "softmax")
}
fresh <- function() {
  layered() |> compile(optimizer_adam(use_ema = TRUE, gradient_accumulation_steps = 2L),
                       loss = "sparse_categorical_crossentropy", metrics = "accuracy", weighted_metrics = "accuracy")
}
trained <- function() {
  model <- fresh()
  fit(model, x, y, epochs = 2, verbose = 0)
  model
}
# Words with a mask, and outputs for every step.
sequence_model <- function() {
  set.seed(5)
  model <- keras_model_sequential(input_shape = 4) |>
    layer_embedding(7, 3, mask_zero = TRUE) |>
    layer_bidirectional(layer_lstm(units = 3, return_sequences = TRUE)) |>
    time_distributed(layer_dense(units = 2)) |>
    layer_dense(1, activation = "sigmoid")
  model |> compile("sgd", "binary_crossentropy")
  get_weights(model)
  model
}

test_that("a training that finds no memory leaves the model whole", {
  starve(fresh, function(m) fit(m, x, y, validation_split = 0.25, sample_weight = rep(1:2, 12), verbose = 0), least = 20)
  starve(trained, function(m) suppressMessages(fit(m, x, y, validation_data = list(x, y), verbose = 0)), least = 15)
  starve(sequence_model, function(m) fit(m, tokens, array(tokens > 2, c(24, 4, 1)), verbose = 0), least = 10)
})

test_that("so does one whose batches come from a function, which may have begun", {
  work <- function(m) {
    at <- 0
    batches <- function() {
      at <<- at + 1
      rows <- seq_len(8 * at)
      list(x[rows, ], y[rows])
    }
    suppressMessages(fit(m, batches, steps_per_epoch = 3, verbose = 0))
  }
  starve(fresh, work, keeps = FALSE, least = 30)
})

test_that("measuring and predicting find no memory without harm", {
  starve(trained, function(m) evaluate(m, x, y, verbose = 0), least = 10)
  starve(trained, function(m) predict(m, x, batch_size = 24, verbose = 0))
  starve(trained, function(m) predict(m, Matrix::Matrix(x, sparse = TRUE), batch_size = 24, verbose = 0), least = 3)
  starve(trained, function(m) train_on_batch(m, x, y), least = 10)
  starve(trained, function(m) test_on_batch(m, x, y), least = 10)
  starve(trained, function(m) layer_outputs(m, x))
  starve(trained, function(m) compute_gradients(m, x, y))
  starve(trained, function(m) saliency(m, x[1:3, ], steps = 4))
  starve(sequence_model, function(m) predict(m, tokens, batch_size = 24, verbose = 0))
})

test_that("so do building, compiling, copying and profiling", {
  starve(trained, function(m) compile(m, optimizer_rmsprop(momentum = 0.5, centered = TRUE), loss = "categorical_crossentropy"), least = 2)
  starve(trained, function(m) compile(m, optimizer_adam(amsgrad = TRUE, use_ema = TRUE), loss = "mean_squared_error"), least = 3)
  starve(trained, function(m) layer_rescaling(m, 1 / 2), least = 3)
  starve(trained, pop_layer, least = 3)
  starve(trained, reset_weights, least = 5)
  starve(trained, clone_model, least = 3)
  starve(trained, function(m) profile_fit(m, x, y, epochs = 1), least = 20)
  starve(trained, function(m) set_weights(m, lapply(get_weights(m), `*`, 2)), least = 0)
})

test_that("so do initial weights and pictures by themselves", {
  starve(trained, function(m) initializer_orthogonal(seed = 1)(c(6, 6)), least = 0)
  starve(trained, function(m) resize_picture(array(0.5, c(9, 7, 3)), c(4, 5), "bilinear"), least = 4)
  pictures <- function() {
    model <- keras_model_sequential(input_shape = 5) |> layer_reshape(c(5, 1, 1)) |> layer_resizing(3, 2) |>
      layer_flatten() |> layer_normalization(mean = 1:6, variance = rep(2, 6)) |> layer_rescaling(1:6)
    get_weights(model)
    model
  }
  starve(pictures, clone_model, least = 10)
})

test_that("so do files, which stay what they were", {
  path <- withr::local_tempfile()
  starve(trained, function(m) save_model(m, path, overwrite = TRUE), least = 1)
  starve(trained, function(m) load_model(path), least = 5)
  old <- readBin(path, "raw", 1e6)
  .Call(ffi_memory, 1)
  expect_error(save_model(load_model(old), path, overwrite = TRUE), class = "lamina_error_memory")
  .Call(ffi_memory, 0)
  expect_identical(readBin(path, "raw", 1e6), old)
  expect_length(list.files(dirname(path), "\\.tmp$"), 0L)
  weights <- withr::local_tempfile()
  starve(trained, function(m) save_model_weights(m, weights, overwrite = TRUE), least = 1)
  starve(trained, function(m) load_model_weights(m, weights), least = 0)
})

test_that("a model from another session is made again at the second try", {
  bytes <- serialize(trained(), NULL)
  starve(function() unserialize(bytes), function(m) predict(m, x, verbose = 0), least = 8)
  starve(function() unserialize(bytes), function(m) suppressMessages(fit(m, x, y, verbose = 0)), least = 20)
})

test_that("weights that a model keeps while layers come and go are not lost", {
  for (n in 1:100) {
    model <- trained()
    kept <- get_weights(model)[1:6]
    pop_layer(model)
    from <- engine_calls()
    .Call(ffi_memory, n)
    error <- tryCatch({
      get_weights(model)
      NULL
    }, error = identity, finally = .Call(ffi_memory, 0))
    expect_identical(get_weights(model), kept)
    if (is.null(error)) break
    expect_s3_class(error, "lamina_error_memory")
  }
  expect_gt(n, 8)
})

test_that("a network by formula says so too", {
  starve(trained, function(m) lamina(Sepal.Length ~ ., iris[1:4], hidden_units = 3, epochs = 2), least = 20)
})
