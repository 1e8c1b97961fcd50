# Much data, much too much, and hardly any.

dense_model <- function(inputs, units = 4, loss = "mean_squared_error", ...) {
  keras_model_sequential(input_shape = inputs) |>
    layer_dense(units, activation = "relu") |>
    layer_dense(1) |>
    compile("adam", loss, ...)
}

test_that("a million rows of 50 columns train, in one copy of their own beside the user's", {
  measured <- in_own_process(function() {
    n <- 1e6
    x <- rep_len(sin(1:9973), n * 50)
    dim(x) <- c(n, 50)
    y <- x[, 1] - x[, 50]
    model <- keras_model_sequential(input_shape = 50) |>
      layer_dense(16, activation = "relu") |>
      layer_dense(1)
    model |> compile("adam", "mean_squared_error")
    gc()
    before <- process_memory()
    reset_peak()
    history <- fit(model, x, y, batch_size = 512)
    peak <- process_memory("VmHWM") - before
    p <- predict(model, x, batch_size = 4096)
    list(loss = history$metrics$loss, peak = peak, error = mean((p - y)^2), variance = var(y))
  })
  expect_lt(measured$error, measured$variance / 100)
  # 50 floats, the target, the shuffle's place: 208 MB; a copy of R's doubles would be 400 more
  if (!is.na(measured$peak)) expect_lt(measured$peak, 208 * 1e6 / 2^20 + 100)
})

test_that("what no memory holds is refused at once, and by its class", {
  before <- process_memory()
  refused <- function(code) {
    took <- system.time(error <- tryCatch(code, error = identity))[["elapsed"]]
    expect_s3_class(error, "lamina_error")
    expect_lt(took, 5)
  }
  # more than an integer counts, than a double's whole numbers, than a size_t
  for (shape in list(2^31, 2^32, 2^53, 2^62, 1e300, c(65536, 32768), c(2^22, 2^22, 2^22), rep(2^16, 4), rep(2^13, 5))) {
    refused(dense_model(shape, 1e6) |> get_weights())
  }
  refused(dense_model(1e6, 1e6) |> fit(matrix(0, 2, 1e6), c(0, 1)))
  refused(keras_model_sequential(input_shape = 10) |> layer_embedding(2^24, 1e9) |> get_weights())
  refused(keras_model_sequential(input_shape = c(10, 4)) |> layer_lstm(1e7) |> get_weights())
  refused(keras_model_sequential(input_shape = c(9, 9, 3)) |> layer_conv_2d(1e9, 9) |> get_weights())
  refused(keras_model_sequential(input_shape = c(10, 4)) |> layer_multi_head_attention(1e6, 1e6) |> get_weights())
  refused(keras_model_sequential(input_shape = 1e6) |> layer_repeat_vector(1e9) |> layer_flatten() |>
            layer_dense(1) |> get_weights())
  refused(keras_model_sequential(input_shape = c(1e4, 1e4, 1)) |> layer_upsampling_2d(c(1e5, 1e5)) |> layer_flatten() |>
            layer_dense(2) |> get_weights())
  refused(keras_model_sequential(input_shape = c(8, 8, 1)) |> layer_zero_padding_2d(1e9) |> layer_flatten() |>
            layer_dense(2) |> get_weights())
  if (!is.na(before)) expect_lt(process_memory() - before, 100)
})

test_that("outputs that no memory holds are refused, and the model goes on", {
  model <- keras_model_sequential(input_shape = 2) |> layer_repeat_vector(1e9)
  x <- matrix(0, 1e4, 2)
  expect_error(predict(model, x, batch_size = 1e4), class = "lamina_error_memory")
  expect_error(layer_outputs(model, x), class = "lamina_error_memory")
})

test_that("no row, one row and one column are told or taken", {
  model <- dense_model(3)
  expect_error(fit(model, matrix(0, 0, 3), numeric()), class = "lamina_error")
  expect_error(evaluate(model, matrix(0, 0, 3), numeric()), class = "lamina_error")
  expect_error(fit(model, matrix(0, 3, 0), numeric(3)), class = "lamina_error")
  expect_error(predict(model, matrix(0, 0, 3)), class = "lamina_error")
  expect_identical(dim(predict(model, matrix(0, 1, 3))), c(1L, 1L))
  history <- fit(model, matrix(1:3, 1), 2, epochs = 2, batch_size = 1000)
  expect_length(history$metrics$loss, 2L)
  one <- dense_model(1)
  expect_length(fit(one, 1:7, 1:7, batch_size = 1e6)$metrics$loss, 1L)
  expect_length(fit(one, matrix(1:7), 1:7)$metrics$loss, 1L)
})

test_that("a batch larger than the data is the data", {
  set.seed(2)
  a <- dense_model(3)
  b <- clone_model(a)
  set_weights(b, get_weights(a))
  b |> compile("adam", "mean_squared_error")
  x <- matrix(sin(1:30), 10)
  set.seed(3)
  one <- fit(a, x, x[, 1], batch_size = 10, epochs = 3, shuffle = FALSE)
  set.seed(3)
  other <- fit(b, x, x[, 1], batch_size = 2^31, epochs = 3, shuffle = FALSE)
  expect_identical(one$metrics$loss, other$metrics$loss)
  expect_identical(get_weights(a), get_weights(b))
})
