# compile(precision = "bfloat16"): products round what they multiply, everything else stays in float32.

# The nearest bfloat16, ties to even, written from the definition: 8 significant bits.
bf16 <- function(x) {
  e <- floor(log2(abs(x)))
  step <- ifelse(x == 0, 1, 2^(e - 7))
  array(round(x / step) * step, dim(x)) # R's round() goes to even
}

spirals <- function(n, seed) {
  withr::local_seed(seed)
  class <- rep(0:2, length.out = n)
  r <- runif(n, 0.1, 1)
  angle <- 4 * r + 2 * pi / 3 * class + rnorm(n, sd = 0.25)
  list(x = cbind(r * sin(angle), r * cos(angle)), y = class)
}

spiral_model <- function(precision, seed = 1, ...) {
  set.seed(seed)
  model <- keras_model_sequential(input_shape = 2) |>
    layer_dense(64, activation = "relu") |>
    layer_dense(64, activation = "relu") |>
    layer_dense(3, activation = "softmax")
  compile(model, optimizer_adam(0.01), "sparse_categorical_crossentropy", metrics = "accuracy", precision = precision, ...)
}

each_isa <- function(code) {
  isa <- lamina_info()$isa
  withr::defer(.Call(ffi_isa, isa))
  tiers <- c("portable", "avx2", "avx512")
  for (tier in tiers[seq_len(match(lamina_info()$best_isa, tiers))]) {
    .Call(ffi_isa, tier)
    code(tier)
  }
}

test_that("a dense layer multiplies rounded numbers and rounds nothing else", {
  x <- wave_matrix(7, 5) * 3
  layer <- list(kernel = wave_matrix(5, 4) / 3, bias = c(0.1, -0.2, 0.3, 1 / 3))
  model <- keras_model_sequential(input_shape = 5) |> layer_dense(4)
  set_weights(model, unname(layer))
  exact <- sweep(x %*% layer$kernel, 2, layer$bias, "+")
  rounded <- sweep(bf16(x) %*% bf16(layer$kernel), 2, layer$bias, "+")
  each_isa(function(tier) {
    compile(model, loss = "mse", precision = "bfloat16")
    expect_equal(predict(model, x), rounded, tolerance = 1e-6, ignore_attr = TRUE)
    expect_equal(unlist(get_weights(model)), unlist(layer), tolerance = 1e-7, ignore_attr = TRUE)
    compile(model, loss = "mse")
    expect_equal(predict(model, x), exact, tolerance = 1e-6, ignore_attr = TRUE)
  })
  expect_gt(max(abs(exact - rounded)), 1e-3)
})

test_that("gradients of a dense layer are those of rounded products", {
  x <- wave_matrix(9, 5)
  y <- wave_matrix(9, 4) / 2
  w <- wave_matrix(5, 4) / 3
  model <- keras_model_sequential(input_shape = 5) |> layer_dense(4, use_bias = FALSE)
  set_weights(model, list(w))
  compile(model, loss = "mse", precision = "bfloat16")
  got <- compute_gradients(model, x, y)
  d <- 2 * (bf16(x) %*% bf16(w) - y) / length(y)
  # d is a float where it is rounded: a number near a tie may go to the other side
  expect_equal(unlist(got$weights), c(crossprod(bf16(x), bf16(d))), tolerance = 2^-9, ignore_attr = TRUE)
  expect_equal(c(got$inputs), c(bf16(d) %*% t(bf16(w))), tolerance = 2^-9, ignore_attr = TRUE)
})

# A factor is off by up to 2^-9 of itself and a product by 2^-8. Of one sample, for over a batch gradients cancel
# and errors do not.
test_that("gradients differ from those in float32 by about 2^-8", {
  model <- function(precision, seed) {
    set.seed(seed)
    keras_model_sequential(input_shape = 20) |>
      layer_dense(64, activation = "tanh") |>
      layer_dense(64, activation = "tanh") |>
      layer_dense(3) |>
      compile(loss = "mse", precision = precision)
  }
  x <- wave_matrix(8, 20)
  y <- 3 * wave_matrix(8, 3)
  for (i in 1:8) {
    gradients <- lapply(c("float32", "bfloat16"), function(precision) {
      got <- compute_gradients(model(precision, i), x[i, , drop = FALSE], y[i, , drop = FALSE])
      c(got$weights, list(got$inputs))
    })
    off <- mapply(function(a, b) sqrt(sum((a - b)^2) / sum(a^2)), gradients[[1]], gradients[[2]])
    expect_lt(max(off), 2^-7)
    expect_gt(max(off), 2^-10)
  }
})

test_that("attention multiplies rounded numbers too, and dense layers inside time_distributed", {
  x <- array(wave_matrix(6, 20), c(6, 5, 4))
  build <- list(
    attention = function(m) layer_attention(m),
    multi_head_attention = function(m) layer_multi_head_attention(m, num_heads = 2, key_dim = 3),
    time_distributed = function(m) layer_time_distributed(m, layer_dense(units = 3))
  )
  for (name in names(build)) {
    set.seed(1)
    model <- build[[name]](keras_model_sequential(input_shape = c(5, 4)))
    full <- predict(model, x)
    compile(model, loss = "mse", precision = "bfloat16")
    half <- predict(model, x)
    off <- sqrt(sum((full - half)^2) / sum(full^2))
    expect_gt(off, 2^-14)
    expect_lt(off, 4 * 2^-8)
  }
})

test_that("convolutions and recurrent layers stay in float32", {
  x <- array(wave_matrix(3, 64), c(3, 8, 8, 1))
  picture <- keras_model_sequential(input_shape = c(8, 8, 1)) |> layer_conv_2d(4, 3) |> layer_conv_2d(4, 1)
  series <- keras_model_sequential(input_shape = c(8, 8)) |> layer_lstm(4)
  for (case in list(list(picture, x), list(series, array(x, c(3, 8, 8))))) {
    model <- case[[1]]
    y <- predict(model, case[[2]])
    gradient <- function() compute_gradients(model, case[[2]], y + 1)$weights
    compile(model, loss = "mse")
    before <- gradient()
    compile(model, loss = "mse", precision = "bfloat16")
    expect_identical(predict(model, case[[2]]), y)
    expect_identical(gradient(), before)
  }
})

test_that("training in bfloat16 gets as far as in float32", {
  train <- spirals(600, 1)
  test <- spirals(600, 2)
  accuracy <- function(precision, seed) {
    model <- spiral_model(precision, seed)
    fit(model, train$x, train$y, epochs = 40, verbose = 0)
    evaluate(model, test$x, test$y)$accuracy
  }
  full <- vapply(1:5, function(s) accuracy("float32", s), 0)
  half <- vapply(1:5, function(s) accuracy("bfloat16", s), 0)
  expect_gt(min(half), 0.85)
  # the mean of five runs: 600 test points alone let it move by about 0.01
  expect_lt(abs(mean(full) - mean(half)), 0.015)
})

test_that("threads do not show, and the same numbers come out again", {
  data <- spirals(300, 1)
  threads <- suppressMessages(lamina_threads())
  withr::defer(lamina_threads(threads))
  train <- function(n) {
    lamina_threads(n)
    set.seed(1)
    model <- keras_model_sequential(input_shape = 2) |>
      layer_dense(300, activation = "relu") |>
      layer_dense(300, activation = "tanh") |>
      layer_dense(3, activation = "softmax") |>
      compile("adam", "sparse_categorical_crossentropy", precision = "bfloat16")
    fit(model, data$x, data$y, epochs = 2, batch_size = 150, verbose = 0)
    get_weights(model)
  }
  expect_identical(train(1), train(2))
})

test_that("a saved model goes on in bfloat16 as if it had not stopped", {
  data <- spirals(100, 1)
  train <- function(model, from, to) {
    fit(model, data$x, data$y, epochs = to, initial_epoch = from, verbose = 0)
    model
  }
  straight <- train(spiral_model("bfloat16"), 1, 4)
  path <- withr::local_tempfile(fileext = ".keras")
  rds <- withr::local_tempfile(fileext = ".rds")
  model <- spiral_model("bfloat16")
  train(model, 1, 2)
  save_model(model, path)
  saveRDS(model, rds)
  for (back in list(load_model(path), readRDS(rds))) {
    expect_identical(predict(back, data$x), predict(model, data$x))
    train(back, 3, 4)
    expect_identical(get_weights(back), get_weights(straight))
    expect_identical(predict(back, data$x), predict(straight, data$x))
  }
  copy <- clone_model(model)
  set_weights(copy, get_weights(model))
  expect_identical(predict(copy, data$x), predict(model, data$x))
  plain <- load_model(path, compile = FALSE)
  expect_false(identical(predict(plain, data$x), predict(model, data$x)))
})

test_that("compiling again changes the precision and leaves the weights alone", {
  data <- spirals(50, 1)
  model <- spiral_model("float32")
  weights <- get_weights(model)
  full <- predict(model, data$x)
  compile(model, "sgd", "mse", precision = "bfloat16")
  half <- predict(model, data$x)
  expect_false(identical(full, half))
  expect_match(format(model), "bfloat16", all = FALSE)
  compile(model, "sgd", "mse", precision = "mixed_bfloat16") # Keras' name for it
  expect_identical(predict(model, data$x), half)
  compile(model, "sgd", "mse")
  expect_identical(predict(model, data$x), full)
  expect_no_match(format(model), "bfloat16")
  expect_identical(get_weights(model), weights)
})

test_that("other precisions are refused and leave everything as it was", {
  data <- spirals(20, 1)
  model <- spiral_model("bfloat16")
  before <- predict(model, data$x)
  for (wrong in list("float16", "bf16", NULL, NA, 16, c("float32", "bfloat16"))) {
    error <- expect_error(compile(model, "sgd", "mse", precision = wrong), class = "lamina_error_argument")
    expect_identical(error$arg, "precision")
  }
  expect_identical(predict(model, data$x), before)
})
