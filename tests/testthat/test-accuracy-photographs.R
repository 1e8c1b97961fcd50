# What networks reach on real photographs: CIFAR-10's, of which 10,000 are for training.

test_that("a small VGG tells photographs apart far better than dense layers do", {
  folder <- dirname(skip_without_data("images", "cifar10-data_batch_1.bin.gz"))
  data <- dataset_cifar10(folder, download = FALSE)
  for (part in c("train", "test")) {
    data[[part]]$x <- data[[part]]$x / 255
  }
  set.seed(1)
  dense <- keras_model_sequential(input_shape = c(32, 32, 3)) |>
    layer_flatten() |>
    layer_dense(512, activation = "relu") |>
    layer_dropout(0.3) |>
    layer_dense(256, activation = "relu") |>
    layer_dense(10, activation = "softmax")
  baseline <- test_accuracy("CIFAR-10, dense", dense, data, batch_size = 64, epochs = 10,
                            optimizer = optimizer_adam(5e-4))
  set.seed(1)
  vgg <- keras_model_sequential(input_shape = c(32, 32, 3)) |>
    layer_random_flip("horizontal") |>
    layer_random_translation(0.1, 0.1)
  for (filters in c(32, 64, 128)) {
    for (k in 1:2) {
      vgg |>
        layer_conv_2d(filters, c(3, 3), padding = "same", use_bias = FALSE, kernel_initializer = "he_normal") |>
        layer_batch_normalization(momentum = 0.9) |>
        layer_activation("relu")
    }
    vgg |> layer_max_pooling_2d(c(2, 2)) |> layer_dropout(0.1)
  }
  vgg |>
    layer_flatten() |>
    layer_dense(128, activation = "relu") |>
    layer_dropout(0.2) |>
    layer_dense(10, activation = "softmax")
  rate <- learning_rate_schedule_cosine_decay(0.001, 18 * ceiling(1e4 / 64))
  accuracy <- test_accuracy("CIFAR-10, small VGG", vgg, data, batch_size = 64, epochs = 18,
                            optimizer = optimizer_adam(rate))
  expect_gte(accuracy, 0.65)
  expect_gt(accuracy, baseline + 0.1)
})
