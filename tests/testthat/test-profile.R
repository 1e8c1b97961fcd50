# Profiles: times add up, work is that of the formulas, the model and the random numbers stay as they were.

spiral <- function(n = 100) matrix(sin(seq_len(n)), n)

classifier <- function(...) {
  model <- keras_model_sequential(input_shape = 1) |>
    layer_dense(16, activation = "relu") |>
    layer_dense(32, activation = "relu") |>
    layer_dense(2, activation = "softmax")
  model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy", ...)
  model
}

short <- function(model, ..., batch_size = 10, epochs = 2) {
  profile_fit(model, spiral(), rep(0:1, 50), batch_size = batch_size, epochs = epochs, ...)
}

about <- function(profile) attr(profile, "about")

test_that("a row for each layer and phase, then one for each phase outside; the times add up", {
  found <- short(classifier(metrics = "accuracy"))
  expect_s3_class(found, c("lamina_profile", "tbl_df"))
  expect_named(found, c("layer", "type", "phase", "seconds", "share", "calls", "multiply_adds", "gflops", "peak_share"))
  expect_identical(found$layer, c(rep(c("dense", "dense_1", "dense_2"), each = 3), rep(NA, 5)))
  expect_identical(unique(found$type), c("Dense", NA))
  phases <- c(rep(c("prepare", "forward", "backward"), 3), "data", "loss", "update", "metrics", "rest")
  expect_identical(as.character(found$phase), phases)
  expect_equal(sum(found$seconds), about(found)$seconds)
  expect_equal(sum(found$share), 1)
  expect_true(all(found$seconds >= 0))
  expect_gt(sum(found$seconds[found$phase == "backward"]), 0)
  expect_identical(about(found)[c("steps", "samples")], list(steps = 20, samples = 200))
  expect_identical(found$calls, c(rep(c(0, 20, 20), 3), rep(20, 5)))
})

test_that("multiply-adds of 1-16-32-2 by hand, and the rates that follow from them", {
  found <- short(classifier())
  forward <- c(1 * 16, 16 * 32, 32 * 2)
  expect_equal(found$multiply_adds[found$phase == "forward"], 200 * forward)
  expect_equal(found$multiply_adds[found$phase == "backward"], 200 * forward * c(1, 2, 2)) # none for the data
  expect_identical(is.na(found$multiply_adds), is.na(found$layer))
  counted <- which(found$multiply_adds > 0 & found$seconds > 0)
  expect_equal(found$gflops[counted], 2e-9 * found$multiply_adds[counted] / found$seconds[counted])
  expect_true(all(is.na(found$gflops[-counted])))
  expect_equal(found$peak_share, found$gflops / about(found)$peak)
  expect_gt(about(found)$peak, 0.5)

  frozen <- classifier() |> freeze_weights(to = 2)
  found <- short(frozen)
  expect_equal(found$multiply_adds[found$phase == "backward"], 200 * forward * c(0, 0, 1))
  expect_equal(found$calls[found$phase == "backward"], c(0, 0, 20))
})

test_that("convolutions and recurrent layers count as their formulas say", {
  model <- keras_model_sequential(input_shape = c(12, 12, 2)) |>
    layer_conv_2d(4, 3, activation = "relu") |>
    layer_max_pooling_2d() |>
    layer_reshape(c(5, 20)) |>
    layer_lstm(6) |>
    layer_dense(1)
  model |> compile(loss = "mse")
  found <- profile_fit(model, array(sin(1:(40 * 288)), c(40, 12, 12, 2)), 1:40, batch_size = 20, epochs = 1)
  work <- function(phase) found$multiply_adds[found$phase == phase]
  conv <- 10 * 10 * 9 * 2 * 4
  lstm <- 5 * (20 + 6) * 4 * 6
  expect_equal(work("forward"), 40 * c(conv, 0, 0, lstm, 6))
  expect_equal(work("backward"), 40 * c(conv, 0, 0, 2 * lstm, 2 * 6))
  expect_equal(summary(found)$multiply_adds[c(1, 4)], 40 * c(2 * conv, 3 * lstm))
})

test_that("the copy is trained as fit() trains, to the last bit", {
  for (threads in 1:2) {
    withr::local_options(lamina.threads = threads)
    pictures <- array(sin(1:(300 * 288)), c(300, 12, 12, 2))
    build <- function() {
      set.seed(3)
      model <- keras_model_sequential(input_shape = c(12, 12, 2)) |>
        layer_conv_2d(8, 3, activation = "relu") |> layer_conv_2d(8, 3) |> layer_batch_normalization() |>
        layer_activation("relu") |> layer_flatten() |> layer_dropout(0.3) |> layer_dense(3, activation = "softmax")
      model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")
      model
    }
    model <- build()
    twin <- twin_model(model)
    settings <- list(batch_size = 150, epochs = 2, seconds = Inf, initial_epoch = 1, shuffle = TRUE, validation_freq = 1,
                     verbose = 0)
    set.seed(4)
    record <- train_profiled(twin, pictures, rep(0:2, 100), settings, list(), rlang::current_env())
    expect_null(model$history)
    set.seed(4)
    model |> fit(pictures, rep(0:2, 100), batch_size = 150, epochs = 2)
    expect_identical(get_weights(twin), get_weights(model))
    expect_identical(record$calls[4, 2], 0) # the rectifier is done by the layer before it

    # a training that goes on
    twin <- twin_model(model)
    train_profiled(twin, pictures, rep(0:2, 100), settings, list(), rlang::current_env())
    set.seed(5)
    seed <- .Random.seed
    suppressMessages(profile_fit(model, pictures, rep(0:2, 100), batch_size = 150, epochs = 1))
    expect_identical(.Random.seed, seed)
  }
})

test_that("model and random numbers are left as they were", {
  model <- classifier()
  model |> fit(spiral(), rep(0:1, 50), epochs = 2)
  values <- function() serialize(lapply(model_values(model), identity), NULL)
  set.seed(1)
  before <- list(values(), .Random.seed, get_weights(model), .subset2(model, "ptr"))
  expect_silent(short(model))
  expect_identical(list(values(), .Random.seed, get_weights(model), .subset2(model, "ptr")), before)
  expect_identical(evaluate(model, spiral(), rep(0:1, 50)), evaluate(model, spiral(), rep(0:1, 50)))

  # no shape, no weights, no random numbers yet
  fresh <- keras_model_sequential() |> layer_dense(4) |> layer_dense(1)
  fresh |> compile(loss = "mse")
  rm(".Random.seed", envir = globalenv())
  profile_fit(fresh, spiral(), spiral(), epochs = 1)
  expect_false(exists(".Random.seed", envir = globalenv(), inherits = FALSE))
  expect_false(is_built(fresh))
  set.seed(1)

  built <- classifier()
  short(built)
  expect_null(built$state)
  expect_null(built$history)
})

test_that("the seconds of the training", {
  model <- classifier()
  took <- system.time(found <- short(model, epochs = NULL, seconds = 0.2))[["elapsed"]]
  expect_gt(about(found)$seconds, 0.15)
  expect_lt(about(found)$seconds, took + 0.01)
  expect_gt(about(found)$steps, 100)
  expect_identical(about(short(model, seconds = 0))$steps, 10) # a slice at least
  expect_identical(about(short(model, seconds = 60, epochs = 1))$steps, 10)
})

test_that("losses and metrics of one's own, functions, datasets, sparse matrices, weights", {
  slow <- function(y_true, y_pred) {
    Sys.sleep(0.002)
    mean((y_true - y_pred)^2)
  }
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(2)
  slow_loss <- function(y_true, y_pred) {
    Sys.sleep(0.002)
    list(value = mean((y_true - y_pred)^2), gradient = 2 * (y_pred - y_true) / length(y_true))
  }
  model |> compile(loss = slow_loss, metrics = list(slow = slow))
  targets <- cbind(spiral(), spiral())
  found <- profile_fit(model, spiral(), targets, batch_size = 50, epochs = 3)
  outside <- setNames(found$seconds[is.na(found$layer)], found$phase[is.na(found$layer)])
  expect_gt(outside[["loss"]], 6 * 0.0019)
  expect_gt(outside[["metrics"]], 6 * 0.0019)
  expect_equal(sum(found$share), 1)

  calls <- 0
  batches <- function() {
    calls <<- calls + 1
    Sys.sleep(0.002)
    list(spiral(20), rep(0:1, 10))
  }
  found <- profile_fit(classifier(), batches, epochs = 2, steps_per_epoch = 4)
  expect_identical(about(found)$samples, 160)
  expect_gte(calls, 8)
  expect_gt(found$seconds[found$phase == "data"], 7 * 0.0019)

  skip_if_not_installed("Matrix")
  sparse <- Matrix::rsparsematrix(100, 50, 0.1)
  model <- keras_model_sequential(input_shape = 50) |> layer_dense(3)
  model |> compile(loss = "mse")
  found <- profile_fit(model, sparse, matrix(0, 100, 3), epochs = 1, sample_weight = rep(1:2, 50))
  expect_equal(found$multiply_adds[2], 100 * 50 * 3)
})

test_that("texts in front of the network", {
  texts <- c("good film", "bad film", "good", "bad")
  vectorize <- layer_text_vectorization(output_sequence_length = 3)
  adapt(vectorize, texts)
  model <- keras_model_sequential(layers = list(vectorize)) |>
    layer_embedding(6, 4) |> layer_global_average_pooling_1d() |> layer_dense(1, activation = "sigmoid")
  model |> compile(loss = "binary_crossentropy")
  found <- profile_fit(model, texts, c(1, 0, 1, 0), epochs = 1)
  expect_identical(unique(found$type), c("Embedding", "GlobalAveragePooling1D", "Dense", NA))
  expect_identical(predict(model, texts), predict(model, texts))
})

test_that("print shows layers, totals and the peak", {
  found <- short(classifier())
  lines <- capture.output(shown <- print(found))
  expect_identical(shown, found)
  text <- paste(lines, collapse = "\n")
  for (part in c("dense_1 (Dense)", "update", "rest", "total", "100.0 %", "GFLOP/s", "20 steps", "200 samples")) {
    expect_match(text, part, fixed = TRUE)
  }
  expect_true(all(nchar(lines) <= 100))
  by_time <- capture.output(print(found, order = "time"))
  expect_setequal(by_time, lines)
  expect_identical(summary(found, order = "time")$seconds, sort(summary(found)$seconds, decreasing = TRUE))
  expect_output(print(found[1:3, ]), "tibble")
  expect_output(print(found["phase"]), "tibble")
  expect_identical(class(as.data.frame(found)), "data.frame")
})

test_that("summary has a row for each layer and phase outside layers", {
  found <- short(classifier())
  rows <- summary(found)
  expect_identical(rows$part, c("dense", "dense_1", "dense_2", "data", "loss", "update", "metrics", "rest"))
  expect_equal(sum(rows$seconds), about(found)$seconds)
  expect_equal(rows$forward[2] + rows$backward[2] + rows$prepare[2], rows$seconds[2])
  expect_equal(rows$gflops[2], 2e-9 * 3 * 512 * 200 / rows$seconds[2])
})

test_that("the plots build", {
  found <- short(classifier())
  grDevices::pdf(NULL)
  withr::defer(grDevices::dev.off())
  before <- graphics::par(c("mar", "mgp"))
  expect_invisible(plot(found, method = "base"))
  expect_identical(graphics::par(c("mar", "mgp")), before)
  skip_if_not_installed("ggplot2")
  for (order in c("layers", "time")) {
    built <- ggplot2::ggplot_build(plot(found, order = order, method = "ggplot2"))
    bars <- built$data[[1]]
    expect_equal(sum(bars$xmax - bars$xmin), about(found)$seconds / 20 * 1e6, tolerance = 1e-6)
    expect_identical(nrow(built$data[[2]]), 8L)
  }
  refused_plot <- rlang::catch_cnd(plot(found[1:3, ]), "lamina_error_argument")
  expect_identical(refused_plot$arg, "x")
})

test_that("what is refused", {
  expect_refused <- function(code, class, arg = NULL) {
    error <- rlang::catch_cnd(code, class)
    expect_s3_class(error, class)
    expect_identical(as.character(error$call[[1L]]), "profile_fit")
    if (!is.null(arg)) {
      expect_identical(error$arg, arg)
      expect_false(is.null(error$expected))
      expect_false(is.null(error$actual))
    }
  }
  x <- spiral()
  y <- rep(0:1, 50)
  expect_refused(profile_fit(1, x, y), "lamina_error_argument", "model")
  expect_refused(profile_fit(keras_model_sequential(input_shape = 1) |> layer_dense(1), x, y), "lamina_error_state")
  expect_refused(profile_fit(keras_model_sequential(), x, y), "lamina_error_state")
  model <- classifier()
  expect_refused(profile_fit(model, x, y, epochs = 0), "lamina_error_argument", "epochs")
  expect_refused(profile_fit(model, x, y, seconds = -1), "lamina_error_argument", "seconds")
  expect_refused(profile_fit(model, x, y, batch_size = 1.5), "lamina_error_argument", "batch_size")
  expect_refused(profile_fit(model, x, y, shuffle = NA), "lamina_error_argument", "shuffle")
  expect_refused(profile_fit(model, x, y, validation_split = 0.2), "lamina_error_argument", "validation_split")
  expect_refused(profile_fit(model, x, y, callbacks = list()), "lamina_error_argument", "callbacks")
  expect_refused(profile_fit(model), "lamina_error_argument", "x")
  expect_refused(profile_fit(model, x), "lamina_error_argument", "y")
  expect_refused(profile_fit(model, cbind(x, x), y), "lamina_error_shape")
  expect_refused(profile_fit(model, x, y[-1]), "lamina_error_data", "y")
  expect_refused(profile_fit(model, function() list(x, y)), "lamina_error_argument", "steps_per_epoch")
  expect_refused(profile_fit(model, function() list(x, y), y, steps_per_epoch = 1), "lamina_error_argument", "y")
  expect_null(model$state)

  found <- profile_fit(model, x, y, epochs = 1)
  for (refused in list(quote(print(found, order = "name")), quote(summary(found, order = "name")), quote(plot(found, order = 1)),
                       quote(plot(found, method = "grid")), quote(summary(found, digits = 3)))) {
    expect_error(eval(refused), class = "lamina_error_argument")
  }
})
