x <- array(as.double(1:48), c(2, 4, 3, 2))

of <- function(x, layer) predict(keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1]), x)

# The numbers of each sample in the order in which the last dimension runs fastest.
by_row <- function(x) t(apply(x, 1, function(sample) as.vector(aperm(sample))))

test_that("flatten goes row by row", {
  expect_equal(of(x, layer_flatten()), by_row(x))
})

test_that("reshape keeps the order of the numbers and fills in -1", {
  y <- of(x, layer_reshape(target_shape = c(6, 4)))
  expect_identical(dim(y), c(2L, 6L, 4L))
  expect_equal(by_row(y), by_row(x))
  expect_identical(dim(of(x, layer_reshape(target_shape = list(2, -1, 3)))), c(2L, 2L, 4L, 3L))
  expect_identical(dim(of(x, layer_reshape(target_shape = -1))), c(2L, 24L))
  expect_identical(dim(of(x, layer_reshape(target_shape = c(NA, 12)))), c(2L, 2L, 12L))
})

test_that("permute is aperm() of each sample", {
  for (dims in list(c(1, 2, 3), c(2, 1, 3), c(3, 1, 2), c(3, 2, 1))) {
    expect_equal(of(x, layer_permute(dims = dims)), aperm(x, c(1, dims + 1)))
  }
})

test_that("repeat_vector repeats", {
  m <- matrix(as.double(1:6), 2)
  y <- of(m, layer_repeat_vector(n = 3))
  expect_identical(dim(y), c(2L, 3L, 3L))
  for (i in 1:3) expect_equal(y[, i, ], m)
})

test_that("shapes that do not fit are refused and leave the model as it was", {
  model <- keras_model_sequential(input_shape = c(4, 3))
  expect_error(layer_reshape(model, c(5, 2)), class = "lamina_error_shape")
  expect_error(layer_reshape(model, c(5, -1)), class = "lamina_error_shape")
  expect_error(layer_reshape(model, c(-1, -1)), class = "lamina_error_argument")
  expect_error(layer_reshape(model, c(0, 12)), class = "lamina_error_argument")
  expect_error(layer_permute(model, c(1, 2, 3)), class = "lamina_error_shape")
  expect_error(layer_permute(model, c(1, 1)), class = "lamina_error_argument")
  expect_error(layer_permute(model, 2), class = "lamina_error_argument")
  expect_error(layer_repeat_vector(model, 2), class = "lamina_error_shape")
  expect_error(layer_repeat_vector(model, 0), class = "lamina_error_argument")
  expect_error(layer_flatten(model, data_format = "channels_first"), class = "lamina_error_argument")
  expect_length(model$layers, 0)
})
