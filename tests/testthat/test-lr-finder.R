# lr_finder(): the test's arithmetic, and that what it suggests trains.

x <- as.matrix(scale(iris[1:4]))
flower_model <- function(optimizer = "adam") {
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(16, activation = "relu") |>
    layer_dense(3, activation = "softmax")
  model |> compile(optimizer, "sparse_categorical_crossentropy")
}

test_that("losses are those of training batch by batch with rates that grow by one factor", {
  set.seed(1)
  model <- flower_model("sgd")
  count_params(model)
  twin <- lamina:::copy_model(model)
  found <- lr_finder(model, x, iris$Species, from = 1e-3, to = 1, steps = 20, batch_size = 150)
  expect_equal(found$table$rate, 10^seq(-3, 0, length.out = 20))
  expect_identical(found$table$step, 1:20)
  # all rows in each batch: their order does not matter
  losses <- vapply(found$table$rate, function(rate) {
    twin |> compile(optimizer_sgd(rate), "sparse_categorical_crossentropy")
    train_on_batch(twin, x, as.integer(iris$Species) - 1L)
  }, 0)
  expect_close(found$table$loss, losses)

  mean <- Reduce(function(m, loss) 0.9 * m + 0.1 * loss, found$table$loss, accumulate = TRUE, 0)[-1]
  expect_equal(found$table$smoothed, mean / (1 - 0.9^(1:20)))
  expect_identical(as.data.frame(found), found$table)
  expect_false(found$stopped)
})

test_that("the losses are those of single batches, of passes through all rows", {
  set.seed(1)
  model <- flower_model("sgd")
  whole <- evaluate(model, x, iris$Species)$loss
  still <- lr_finder(model, x, iris$Species, from = 1e-12, to = 1e-11, steps = 12, batch_size = 50)$table$loss
  expect_close(colMeans(matrix(still, 3)), rep(whole, 4))
  expect_length(unique(still), 12) # shuffled anew in each pass
})

test_that("the suggestion is where the smoothed loss falls most steeply", {
  table <- data.frame(rate = 10^seq(-5, 1, length.out = 61))
  # falls around 10^-2 and rises at 1
  table$smoothed <- 1 - 0.8 * plogis(4 * (log10(table$rate) + 2)) + pmax(0, log10(table$rate))
  found <- lamina:::suggest_rate(table)
  expect_equal(found$suggestion, 10^-2)
  expect_equal(found$lowest, 1)
  # a steep fall up to the lowest point: a third of its rate
  table$smoothed <- abs(log10(table$rate) + 1) * 2^log10(table$rate)
  found <- lamina:::suggest_rate(table)
  expect_equal(found$lowest, 0.1)
  expect_equal(found$suggestion, 0.1 / 3)
  table$smoothed <- table$rate
  expect_identical(lamina:::suggest_rate(table)$suggestion, NA_real_)
})

test_that("what it suggests trains: better than a hundredth of it, and without exploding", {
  for (optimizer in c("sgd", "adam", "rmsprop")) {
    set.seed(2)
    found <- lr_finder(flower_model(optimizer), x, iris$Species)
    final <- vapply(c(0.01, 1) * found$suggestion, function(rate) {
      set.seed(3)
      make <- get(paste0("optimizer_", optimizer), asNamespace("lamina"))
      utils::tail(fit(flower_model(make(rate)), x, iris$Species, epochs = 8)$metrics$loss, 1)
    }, 0)
    expect_lt(final[2], 0.4, label = paste(optimizer, final[2]))
    expect_lt(final[2], 0.5 * final[1])
  }
})

test_that("it ends early when the loss explodes or is not finite", {
  set.seed(1)
  line <- keras_model_sequential(input_shape = 4) |> layer_dense(1)
  line |> compile("sgd", "mse")
  found <- lr_finder(line, x, x[, 1], to = 1000)
  expect_true(found$stopped)
  expect_lt(nrow(found$table), 100)
  expect_true(all(is.finite(found$table$loss)))
  expect_output(print(found), "it had exploded at")
  # never ending early by the loss, it ends where floats do
  found <- lr_finder(line, x, x[, 1], to = 1e6, stop_factor = 1e300)
  expect_true(found$stopped)

  set_weights(line, list(matrix(1e30, 4), 0)) # whose squares are no floats any more
  error <- expect_error(lr_finder(line, x, x[, 1]), class = "lamina_error_numeric")
  expect_match(conditionMessage(error), "not finite after 0 batches")
})

test_that("a loss that does not fall has no suggestion", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE)
  set_weights(model, list(matrix(0)))
  model |> compile("sgd", "mse")
  found <- lr_finder(model, rep(1, 64), rep(0, 64))
  expect_identical(found$suggestion, NA_real_)
  expect_output(print(found), "did not fall")
})

test_that("the model is left as it is, and set.seed() makes it repeatable", {
  set.seed(1)
  model <- flower_model()
  model |> fit(x, iris$Species, epochs = 2)
  before <- model_snapshot(model)
  run <- function() {
    set.seed(5)
    lr_finder(model, x, iris$Species, steps = 30)
  }
  first <- run()
  expect_identical(model_snapshot(model), before)
  expect_identical(run(), first)
  set.seed(6)
  expect_false(identical(lr_finder(model, x, iris$Species, steps = 30)$table$loss, first$table$loss))

  # a model whose input shape is not known yet stays so
  fresh <- keras_model_sequential() |> layer_dense(1) |> compile("sgd", "mse")
  lr_finder(fresh, x, x[, 1], steps = 10)
  expect_false(fresh$built)
})

test_that("datasets, functions and losses of one's own", {
  set.seed(1)
  seen <- 0
  batches <- function() {
    seen <<- seen + 1
    rows <- sample(150, 10)
    list(x[rows, ], as.integer(iris$Species)[rows] - 1L)
  }
  model <- flower_model("sgd")
  count_params(model)
  found <- lr_finder(model, batches, steps = 12)
  expect_identical(nrow(found$table), 12L)
  expect_gte(seen, 12)

  series <- timeseries_dataset_from_array(matrix(sin(1:60)), sin(6:60), sequence_length = 5, batch_size = 10)
  net <- keras_model_sequential(input_shape = c(5, 1)) |> layer_flatten() |> layer_dense(1)
  net |> compile("sgd", "mse")
  found <- lr_finder(net, series, steps = 20) # more steps than the dataset has batches
  expect_identical(nrow(found$table), 20L)
  expect_identical(found$batch_size, series$batch_size)
  # with rates too small to move anything, each pass goes through all six batches in their order
  still <- lr_finder(net, series, from = 1e-12, to = 1e-11, steps = 18)$table$loss
  expect_length(unique(still[1:6]), 6)
  expect_close(still[7:18], c(still[1:6], still[1:6]))

  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  line <- keras_model_sequential(input_shape = 4) |> layer_dense(1)
  set_weights(line, list(matrix(1, 4), 0))
  line |> compile("sgd", own)
  mine <- { set.seed(1); lr_finder(line, x, x[, 1], steps = 15)$table$loss }
  line |> compile("sgd", "mse")
  set.seed(1)
  expect_close(mine, lr_finder(line, x, x[, 1], steps = 15)$table$loss)
})

test_that("bad input is refused", {
  model <- flower_model()
  count_params(model)
  refused(model, lr_finder(model, x, iris$Species, from = 0), "lamina_error_argument", "from")
  refused(model, lr_finder(model, x, iris$Species, from = 1, to = 0.1), "lamina_error_argument", "to")
  refused(model, lr_finder(model, x, iris$Species, steps = 3), "lamina_error_argument", "steps")
  refused(model, lr_finder(model, x, iris$Species, smoothing = 1), "lamina_error_argument", "smoothing")
  refused(model, lr_finder(model, x, iris$Species, stop_factor = 0), "lamina_error_argument", "stop_factor")
  refused(model, lr_finder(model, x, iris$Species, epochs = 3), "lamina_error_argument", "epochs")
  refused(model, lr_finder(model, x), "lamina_error_argument", "y")
  refused(model, lr_finder(model, x, iris$Species[-1]), "lamina_error_data", "y")
  expect_error(lr_finder(keras_model_sequential(input_shape = 4) |> layer_dense(1), x, x), class = "lamina_error_state")
  expect_error(lr_finder(lm, x, x), class = "lamina_error_argument")
})

test_that("printed and drawn", {
  set.seed(1)
  found <- lr_finder(flower_model(), x, iris$Species)
  expect_output(print(found), "Learning rate range test of adam: .* batches of 32, rates 1e-06 to .*Suggested learning rate: 0\\.")
  expect_true("learning rate" %in% words(expect_identical(plot(found, "base"), found)))
  skip_if_not_installed("ggplot2")
  picture <- plot(found)
  expect_identical(picture$data, found$table)
  expect_equal(ggplot2::layer_data(picture, 3)$xintercept[1], log10(found$suggestion))
  expect_equal(ggplot2::layer_data(picture, 2)$y, found$table$smoothed)
})
