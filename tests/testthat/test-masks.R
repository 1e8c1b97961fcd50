ids <- rbind(c(3, 1, 0, 0), c(2, 2, 4, 0), c(0, 0, 0, 0))
table5 <- matrix(c(0.5, -1, 2, 0.25, 3, 1, 0, -2, 4, -0.5), 5, 2)

embedded <- function(mask_zero = TRUE) {
  keras_model_sequential(input_shape = 4) |> layer_embedding(5, 2, mask_zero = mask_zero, weights = table5)
}

test_that("the mean over time is that of the steps that count, 0 where none does", {
  model <- embedded() |> layer_global_average_pooling_1d()
  want <- rbind(colMeans(table5[c(4, 2), ]), colMeans(table5[c(3, 3, 5), ]), 0)
  expect_equal(predict(model, ids), want, tolerance = 1e-6)
  plain <- embedded(FALSE) |> layer_global_average_pooling_1d()
  expect_equal(predict(plain, ids), t(apply(ids, 1, function(i) colMeans(table5[i + 1, ]))), tolerance = 1e-6)
})

test_that("gradients reach the steps that count alone", {
  model <- embedded() |> layer_global_average_pooling_1d() |> layer_dense(1, use_bias = FALSE)
  model |> compile(loss = "mse")
  v <- c(2, -1)
  set_weights(model, list(table5, matrix(v)))
  y <- c(1, 0, 2)
  counts <- ids != 0
  pooled <- t(sapply(1:3, function(i) colSums(table5[ids[i, ] + 1, ] * counts[i, ]) / max(sum(counts[i, ]), 1)))
  error <- drop(pooled %*% v) - y
  want <- matrix(0, 5, 2)
  for (i in 1:3) for (t in which(counts[i, ])) {
    want[ids[i, t] + 1, ] <- want[ids[i, t] + 1, ] + 2 / 3 * error[i] * v / sum(counts[i, ])
  }
  got <- compute_gradients(model, ids, y)
  expect_equal(got$weights[[1]], want, tolerance = 1e-5)
  expect_identical(got$weights[[1]][1, ], c(0, 0))
})

test_that("batch normalization leaves masked steps out of its statistics", {
  model <- embedded() |> layer_batch_normalization(momentum = 0.9)
  x <- table5[t(ids) + 1, ] # steps of a sample beside each other
  counts <- as.vector(t(ids)) != 0
  mean <- colMeans(x[counts, ])
  variance <- colMeans((x[counts, ] - rep(mean, each = sum(counts)))^2)
  want <- (x - rep(mean, each = 12)) / rep(sqrt(variance + 1e-3), each = 12)
  got <- layer_outputs(model, ids, training = TRUE)
  expect_equal(matrix(aperm(got, c(2, 1, 3)), 12), want, tolerance = 1e-5)

  model |> compile(loss = "mse", optimizer = optimizer_sgd(0))
  train_on_batch(model, ids, array(0, c(3, 4, 2)))
  moving <- tail(get_weights(model), 2)
  expect_equal(as.vector(moving[[1]]), 0.1 * mean, tolerance = 1e-5)
  expect_equal(as.vector(moving[[2]]), 0.9 + 0.1 * variance, tolerance = 1e-5)
})

test_that("a mask that reaches the end weights loss and metrics", {
  y <- array(c(1, 0, 2, -1, 3, 0, 0, 1, 5, 5, 5, 5), c(3, 4, 1))
  model <- embedded() |> layer_dropout(0) |> layer_dense(1)
  model |> compile(loss = "mse", metrics = "mae", optimizer = "sgd")
  v <- c(1, -2)
  set_weights(model, list(table5, matrix(v), 0.5))
  prediction <- matrix(table5[ids + 1, ] %*% v + 0.5, 3)
  counts <- ids != 0
  error <- (prediction - y[, , 1])[counts]
  got <- evaluate(model, ids, y)
  expect_equal(got$loss, mean(error^2), tolerance = 1e-6)
  expect_equal(got$mae, mean(abs(error)), tolerance = 1e-6)
  slope <- 2 * sum(error) / sum(counts)
  expect_equal(as.vector(compute_gradients(model, ids, y)$weights[[3]]), slope, tolerance = 1e-5)
  weight <- c(1, 3, 10)
  per_step <- matrix(0, 3, 4)
  per_step[counts] <- error^2
  weighted <- sum(per_step * weight) / sum(counts)
  expect_equal(evaluate(model, ids, y, sample_weight = weight)$loss, weighted, tolerance = 1e-6)
})

test_that("a layer that drops the mask says so once, and the others say nothing", {
  expect_message(embedded() |> layer_flatten(), "flatten", class = "lamina_message_mask")
  expect_message(embedded() |> layer_conv_1d(2, 2), class = "lamina_message_mask")
  expect_message(embedded() |> layer_global_max_pooling_1d(), class = "lamina_message_mask")
  expect_message(embedded() |> layer_dense(3) |> layer_dropout(0.1) |> layer_max_pooling_1d(2),
                 "max_pooling", class = "lamina_message_mask")
  model <- suppressMessages(embedded() |> layer_flatten())
  expect_no_message(model |> layer_dense(2) |> compile(loss = "mse"))
  expect_no_message(fit(model, ids, matrix(0, 3, 2), verbose = 0))
  expect_no_message(load_model(save_model(model)))
  expect_no_message(clone_model(model))
  expect_no_message(embedded(FALSE) |> layer_flatten() |> layer_dense(1))
  expect_no_message(
    embedded() |> layer_dense(3, activation = "relu") |> layer_activation("tanh") |> layer_dropout(0.1) |>
      layer_spatial_dropout_1d(0.1) |> layer_gaussian_noise(0.1) |> layer_batch_normalization() |>
      layer_layer_normalization() |> layer_activity_regularization(l2 = 0.1) |> layer_activation_parametric_relu() |>
      layer_global_average_pooling_1d() |> layer_dense(1)
  )
  later <- keras_model_sequential() |> layer_embedding(5, 2, mask_zero = TRUE) |> layer_flatten()
  expect_message(predict(later, ids), class = "lamina_message_mask")
})

test_that("masking layers make masks as embeddings do", {
  x <- array(c(1, 0, 0, 2, 0, 3, 4, 0, 0, 5, 0, 0), c(2, 3, 2))
  model <- keras_model_sequential(input_shape = c(3, 2)) |> layer_masking() |> layer_global_average_pooling_1d()
  want <- t(apply(x, 1, function(s) colSums(s) / max(sum(rowSums(s != 0) > 0), 1)))
  expect_equal(predict(model, x), want, tolerance = 1e-6)
})

test_that("a large batch that passes in parts gives what small ones give", {
  set.seed(6)
  x <- matrix(sample(0:9, 3000 * 40, TRUE), 3000)
  y <- rnorm(3000)
  model <- keras_model_sequential(input_shape = 40) |>
    layer_embedding(10, 8, mask_zero = TRUE) |>
    layer_dense(8, activation = "relu") |>
    layer_time_distributed(layer_dense(units = 4, activation = "tanh")) |>
    layer_global_average_pooling_1d() |>
    layer_dense(1)
  model |> compile(loss = "mse")
  expect_identical(predict(model, x, batch_size = 3000), predict(model, x, batch_size = 7))
  whole <- compute_gradients(model, x, y)
  thirds <- lapply(0:2, function(k) compute_gradients(model, x[k * 1000 + 1:1000, ], y[k * 1000 + 1:1000]))
  expect_equal(whole$loss, mean(vapply(thirds, function(g) g$loss, 0)), tolerance = 1e-6)
  for (w in seq_along(whole$weights)) {
    expect_equal(whole$weights[[w]], Reduce(`+`, lapply(thirds, function(g) g$weights[[w]])) / 3, tolerance = 1e-5)
  }
})

test_that("an R function as loss is refused where a mask reaches it", {
  model <- keras_model_sequential(input_shape = 3) |>
    layer_embedding(5, 2, mask_zero = TRUE) |>
    layer_dense(1)
  squares <- function(y_true, y_pred) list(value = mean((y_true - y_pred)^2), gradient = 2 * (y_pred - y_true) / length(y_true))
  model |> compile(loss = squares)
  ids <- matrix(c(1, 2, 0, 3, 0, 0), 2, byrow = TRUE)
  before <- get_weights(model)
  err <- expect_error(fit(model, ids, array(0, c(2, 3, 1))), class = "lamina_error_argument")
  expect_identical(err$arg, "loss")
  expect_error(train_on_batch(model, ids, array(0, c(2, 3, 1))), class = "lamina_error_argument")
  expect_identical(get_weights(model), before)
})
