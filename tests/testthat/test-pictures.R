# A whole convolutional network, large enough that batches pass in parts, 3x3 kernels are computed by
# Winograd's method and work is shared among threads: what holds for every model holds for it.

shapes <- withr::with_seed(1, sim_shapes(150, size = 24, color = TRUE))

picture_model <- function() {
  set.seed(3)
  model <- keras_model_sequential(input_shape = c(24, 24, 3)) |>
    layer_random_flip("horizontal") |>
    layer_random_translation(0.1, 0.1) |>
    layer_conv_2d(16, c(3, 3), activation = "relu") |>
    layer_conv_2d(24, c(3, 3), padding = "same") |>
    layer_batch_normalization() |>
    layer_activation("relu") |>
    layer_max_pooling_2d(c(2, 2)) |>
    layer_spatial_dropout_2d(0.1) |>
    layer_separable_conv_2d(20, c(3, 3), strides = 2, activation = "relu") |>
    layer_group_normalization(groups = 5) |>
    layer_conv_2d_transpose(8, c(2, 2), strides = 2, activation = "relu") |>
    layer_global_average_pooling_2d() |>
    layer_dropout(0.2) |>
    layer_dense(4, activation = "softmax")
  model |> compile(optimizer_adam(0.01), "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}

go_on <- function(model, epochs) {
  history <- suppressMessages(fit(model, shapes$x, shapes$y, epochs = epochs, batch_size = 64, verbose = 0))
  list(weights = get_weights(model), metrics = history$metrics)
}

test_that("the number of threads changes no bit of a convolutional network", {
  one <- withr::with_options(list(lamina.threads = 1), go_on(picture_model(), 2))
  two <- withr::with_options(list(lamina.threads = 2), go_on(picture_model(), 2))
  three <- withr::with_options(list(lamina.threads = 3), go_on(picture_model(), 2))
  expect_identical(two, one)
  expect_identical(three, one)
})

test_that("a convolutional network that was saved trains on as if it had not stopped", {
  whole <- go_on(picture_model(), 4)
  model <- picture_model()
  go_on(model, 2)
  rds <- serialize(model, NULL)
  bytes <- save_model(model)
  runif(3)
  expect_identical(go_on(unserialize(rds), 2)$weights, whole$weights)
  expect_identical(go_on(load_model(bytes), 2)$weights, whole$weights)
})

test_that("pictures are predicted alike one by one and all at once", {
  model <- picture_model()
  go_on(model, 1)
  together <- predict(model, shapes$x, batch_size = 150)
  expect_identical(predict(model, shapes$x, batch_size = 7), together)
  one <- predict(model, shapes$x[5, , , , drop = FALSE])
  expect_identical(one[1, ], together[5, ])
})
