ids <- rbind(c(3, 1, 0, 0), c(2, 2, 4, 0), c(0, 0, 0, 0))
table5 <- matrix(c(0.5, -1, 2, 0.25, 3, 1, 0, -2, 4, -0.5, 1.5, 2.5, -3, 0.75, 1), 5, 3)

# The rows of a table for a matrix of ids, samples x steps x columns.
look_up <- function(table, ids) {
  out <- array(0, c(dim(ids), ncol(table)))
  for (i in seq_len(nrow(ids))) for (t in seq_len(ncol(ids))) out[i, t, ] <- table[ids[i, t] + 1, ]
  out
}

test_that("an embedding gives the rows of its table", {
  model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3)
  set_weights(model, list(table5))
  expect_equal(predict(model, ids), look_up(table5, ids), tolerance = 1e-6)
  storage.mode(ids) <- "integer"
  expect_equal(predict(model, ids), look_up(table5, ids), tolerance = 1e-6)
  expect_identical(model$output_shape, list(NULL, 4L, 3L))
  expect_equal(count_params(model), 15)
})

test_that("ids come in any shape", {
  cube <- array(c(0, 1, 2, 3, 4, 0, 1, 2), c(2, 2, 2))
  model <- keras_model_sequential(input_shape = c(2, 2)) |> layer_embedding(5, 3)
  set_weights(model, list(table5))
  out <- predict(model, cube)
  expect_equal(dim(out), c(2L, 2L, 2L, 3L))
  expect_equal(out[2, 1, 2, ], table5[cube[2, 1, 2] + 1, ], tolerance = 1e-6)
  column <- keras_model_sequential() |> layer_embedding(5, 3)
  expect_equal(dim(predict(column, c(4, 0))), c(2L, 1L, 3L))
})

test_that("the table starts between -0.05 and 0.05, from a function or from given weights", {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 4) |> layer_embedding(100, 30)
  w <- get_weights(model)[[1]]
  expect_equal(dim(w), c(100L, 30L))
  expect_lte(max(abs(w)), 0.05)
  expect_gt(stats::sd(w), 0.027) # 0.1 / sqrt(12) = 0.0289

  own <- keras_model_sequential(input_shape = 4) |>
    layer_embedding(5, 3, embeddings_initializer = function(shape) array(seq_len(prod(shape)), shape))
  expect_equal(get_weights(own)[[1]], matrix(as.double(1:15), 5, 3))

  for (given in list(table5, list(table5))) {
    model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3, weights = given, trainable = FALSE)
    model |> layer_flatten() |> layer_dense(1)
    expect_equal(get_weights(model)[[1]], table5, tolerance = 1e-6)
    expect_length(get_weights(model, trainable = TRUE), 2L)
  }
  expect_error(layer_embedding(input_dim = 5, output_dim = 2, weights = table5), class = "lamina_error_argument")
})

test_that("gradients add up by id", {
  model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3) |> layer_flatten() |> layer_dense(2)
  model |> compile(loss = "mse", optimizer = optimizer_sgd(0.5))
  set.seed(2)
  kernel <- matrix(rnorm(24), 12, 2)
  set_weights(model, list(table5, kernel, c(0.1, -0.2)))
  y <- matrix(rnorm(6), 3, 2)
  # flatten is row-major: the columns of a step lie beside each other
  flat <- t(apply(look_up(table5, ids), 1, function(step) as.vector(t(step))))
  error <- flat %*% kernel + rep(c(0.1, -0.2), each = 3) - y
  back <- 2 * error %*% t(kernel) / 6
  want <- matrix(0, 5, 3)
  for (i in 1:3) for (t in 1:4) want[ids[i, t] + 1, ] <- want[ids[i, t] + 1, ] + back[i, 3 * (t - 1) + 1:3]
  got <- compute_gradients(model, ids, y)
  expect_equal(got$loss, mean(error^2), tolerance = 1e-6)
  expect_equal(got$weights[[1]], want, tolerance = 1e-5)
  expect_true("inputs" %in% names(got))
  expect_null(got$inputs)
  train_on_batch(model, ids, y)
  expect_equal(get_weights(model)[[1]], table5 - 0.5 * want, tolerance = 1e-5)
})

test_that("regularizer and constraint bind the table", {
  model <- keras_model_sequential(input_shape = 4) |>
    layer_embedding(5, 3, embeddings_regularizer = regularizer_l2(0.1), embeddings_constraint = constraint_nonneg()) |>
    layer_flatten() |> layer_dense(1, kernel_initializer = "zeros")
  model |> compile(loss = "mse", optimizer = "sgd")
  set_weights(model, list(table5, matrix(0, 12, 1), 0))
  y <- c(0, 0, 0)
  expect_equal(evaluate(model, ids, y)$loss, 0.1 * sum(table5^2), tolerance = 1e-6)
  train_on_batch(model, ids, y)
  expect_gte(min(get_weights(model)[[1]]), 0)
})

test_that("ids out of the vocabulary are refused before anything is computed", {
  build <- function() {
    set.seed(3)
    model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3) |> layer_flatten() |> layer_dense(1)
    model |> compile(loss = "mse")
    model
  }
  model <- build()
  before <- get_weights(model)
  for (wrong in c(5, -1, 1.5, 1e9)) {
    x <- ids
    x[2, 3] <- wrong
    calls <- list(
      function() fit(model, x, 1:3, verbose = 0), function() evaluate(model, x, 1:3), function() predict(model, x),
      function() predict(model, x, batch_size = 2), function() train_on_batch(model, x, 1:3),
      function() layer_outputs(model, x), function() compute_gradients(model, x, 1:3),
      function() fit(model, function() list(x, 1:3), steps_per_epoch = 1, verbose = 0),
      function() fit(model, ids, 1:3, validation_data = list(x, 1:3), verbose = 0)
    )
    for (call in calls) {
      e <- expect_error(call(), class = "lamina_error_data")
      expect_match(conditionMessage(e), "from 0 to 4", fixed = TRUE)
      expect_match(conditionMessage(e), format(wrong), fixed = TRUE)
    }
  }
  expect_identical(get_weights(model), before)
  x <- ids
  x[1, 1] <- NA
  expect_error(predict(model, x), class = "lamina_error_data")
  whole <- ids
  storage.mode(whole) <- "integer"
  whole[3, 4] <- 7L
  expect_error(predict(model, whole), "7", class = "lamina_error_data")
  moved <- keras_model_sequential(input_shape = 4) |> layer_reshape(c(2, 2)) |> layer_embedding(5, 3)
  expect_error(predict(moved, ids + 2), class = "lamina_error_data")
})

test_that("arguments are checked", {
  expect_error(layer_embedding(input_dim = 0, output_dim = 2), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 2.5, output_dim = 2), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 2^24 + 1, output_dim = 2), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 5), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 5, output_dim = 3, mask_zero = NA), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 5, output_dim = 3, lora_rank = 2), class = "lamina_error_argument")
  expect_error(layer_embedding(input_dim = 5, output_dim = 3, inputs = 2), class = "lamina_error_argument")
  expect_error(layer_masking(mask_value = "a"), class = "lamina_error_argument")
})

test_that("input_length is an input shape, and the shape may come from the data", {
  model <- keras_model_sequential() |> layer_embedding(5, 3, input_length = 4)
  expect_identical(model$output_shape, list(NULL, 4L, 3L))
  model <- keras_model_sequential(layers = list(layer_embedding(input_dim = 5, output_dim = 3), layer_flatten()))
  expect_false(model$built)
  expect_equal(dim(predict(model, ids)), c(3L, 12L))
})

test_that("saving, cloning and freezing keep the table", {
  model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3, mask_zero = TRUE, name = "words") |>
    layer_global_average_pooling_1d()
  set_weights(model, list(table5))
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(model, path)
  expect_identical(predict(readRDS(path), ids), predict(model, ids))
  again <- load_model(save_model(model))
  expect_identical(predict(again, ids), predict(model, ids))
  expect_error(predict(again, ids + 3), class = "lamina_error_data")
  twin <- clone_model(model)
  set_weights(twin, get_weights(model))
  expect_identical(predict(twin, ids), predict(model, ids))
  freeze_weights(model)
  expect_length(get_weights(model, trainable = TRUE), 0L)
  expect_output(print(model), "words \\(Embedding\\)")
})

test_that("threads do not change a bit of the training", {
  train <- function(threads) {
    withr::local_options(lamina.threads = threads)
    set.seed(4)
    x <- matrix(sample(0:199, 64 * 30, TRUE), 64)
    model <- keras_model_sequential(input_shape = 30) |> layer_embedding(200, 40, mask_zero = TRUE) |>
      layer_global_average_pooling_1d() |> layer_dense(1, activation = "sigmoid")
    model |> compile(loss = "binary_crossentropy", optimizer = "adam")
    model |> fit(x, rep(0:1, 32), epochs = 2, verbose = 0)
    get_weights(model)
  }
  expect_identical(train(1), train(2))
})

test_that("masking gives zeros where all features are the mask value", {
  x <- array(c(1, -1, -1, -1, 2, -1, 0, -1, -1, -1, 3, -1), c(2, 3, 2))
  want <- x
  for (i in 1:2) for (t in 1:3) if (all(x[i, t, ] == -1)) want[i, t, ] <- 0
  model <- keras_model_sequential(input_shape = c(3, 2)) |> layer_masking(mask_value = -1)
  expect_equal(predict(model, x), want)
})

test_that("what asks for the slope by ids is refused", {
  model <- keras_model_sequential(input_shape = 4) |> layer_embedding(5, 3) |> layer_flatten() |> layer_dense(2)
  expect_error(saliency(model, ids), "token ids", class = "lamina_error_state")
  expect_error(maximize_activation(model, "dense"), class = "lamina_error_state")
})
