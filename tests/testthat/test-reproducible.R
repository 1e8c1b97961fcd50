# The same seed gives the same bits: whatever the threads, the progress bar, or who looks on.

x <- wave_matrix(60, 6)
y <- (seq_len(60) * 11) %% 3

small_model <- function() {
  model <- keras_model_sequential(input_shape = 6) |>
    layer_dense(16, activation = "relu") |>
    layer_dropout(0.3) |>
    layer_gaussian_noise(0.1) |>
    layer_dense(3, activation = "softmax")
  model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}

trained <- function(seed = 1, ...) {
  set.seed(seed)
  model <- small_model()
  history <- model |> fit(x, y, epochs = 3, batch_size = 8, validation_split = 0.2, ...)
  list(weights = get_weights(model), metrics = history$metrics, random = runif(1))
}

test_that("set.seed() fixes everything", {
  first <- trained()
  expect_identical(trained(), first)
  expect_false(identical(trained(2)$weights, first$weights))
  expect_identical(set_random_seed(1), NULL)
  one <- runif(1)
  set.seed(1)
  expect_identical(runif(1), one)
})

test_that("talk, callbacks and looks at the model change nothing", {
  first <- trained()
  capture.output(loud <- trained(verbose = 2), type = "message") |> capture.output()
  expect_identical(loud, first)
  each <- callback_lambda(
    on_train_batch_end = function(batch, logs) NULL,
    on_epoch_end = function(self, epoch, logs) NULL
  )
  expect_identical(trained(callbacks = each), first)
  set.seed(1)
  model <- small_model()
  capture.output(print(model), summary(model))
  get_weights(model)
  predict(model, x)
  evaluate(model, x, y)
  compute_gradients(model, x, y, training = TRUE)
  history <- model |> fit(x, y, epochs = 3, batch_size = 8, validation_split = 0.2)
  expect_identical(list(get_weights(model), history$metrics), unname(first[1:2]))
})

test_that("one and two threads give the same bits", {
  threads <- lamina_threads()
  withr::defer(options(lamina.threads = threads))
  set.seed(3)
  x <- matrix(runif(1024 * 784), 1024)
  y <- sample(0:9, 1024, replace = TRUE)
  run <- function(threads) {
    lamina_threads(threads)
    set.seed(1)
    model <- keras_model_sequential(input_shape = 784) |>
      layer_dense(512, activation = "relu") |>
      layer_dropout(0.2) |>
      layer_dense(512, activation = "relu") |>
      layer_dense(10, activation = "softmax")
    model |> compile(optimizer = "rmsprop", loss = "sparse_categorical_crossentropy", metrics = "accuracy")
    history <- model |> fit(x, y, batch_size = 512)
    list(get_weights(model), history$metrics, predict(model, x, batch_size = 512), evaluate(model, x, y))
  }
  expect_identical(run(1), run(2))
  lamina_threads(1)
  one <- trained()
  lamina_threads(2)
  expect_identical(trained(), one)
})

test_that("predictions do not depend on the batch size by more than rounding", {
  set.seed(1)
  model <- small_model()
  expect_equal(predict(model, x, batch_size = 1), predict(model, x, batch_size = 60), tolerance = 1e-6)
  expect_equal(predict(model, x, batch_size = 7), predict(model, x, batch_size = 60), tolerance = 1e-6)
})
