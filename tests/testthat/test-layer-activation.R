x <- matrix(seq(-2, 2, length.out = 12), 3)

of <- function(layer, x) predict(keras_model_sequential(layers = list(layer), input_shape = dim(x)[-1]), x)

test_that("activation layers give their activation's values", {
  expect_equal(of(layer_activation(activation = "tanh"), x), tanh(x), tolerance = 1e-6)
  expect_equal(of(layer_activation(activation = activation_relu), x), pmax(x, 0), tolerance = 1e-6)
  expect_equal(of(layer_activation_relu(), x), pmax(x, 0), tolerance = 1e-6)
  expect_equal(of(layer_activation_relu(max_value = 1, negative_slope = 0.5), x),
               pmin(ifelse(x > 0, x, x / 2), 1), tolerance = 1e-6)
  expect_equal(of(layer_activation_relu(threshold = 1), x), ifelse(x >= 1, x, 0), tolerance = 1e-6)
  expect_equal(of(layer_activation_leaky_relu(), x), ifelse(x > 0, x, 0.3 * x), tolerance = 1e-6)
  expect_equal(of(layer_activation_elu(alpha = 2), x), ifelse(x > 0, x, 2 * expm1(x)), tolerance = 1e-6)
  expect_equal(of(layer_activation_softmax(), x), exp(x) / rowSums(exp(x)), tolerance = 1e-6)
})

test_that("softmax works along another dimension", {
  a <- array(seq(-2, 2, length.out = 24), c(2, 3, 4))
  want <- sweep(exp(a), c(1, 3), apply(exp(a), c(1, 3), sum), "/")
  expect_equal(of(layer_activation_softmax(axis = 2), a), want, tolerance = 1e-6)
  expect_equal(of(layer_activation_softmax(axis = -2), a), want, tolerance = 1e-6)
})

test_that("parametric_relu learns a slope for each input, or one for several", {
  a <- array(seq(-2, 2, length.out = 24), c(2, 3, 4))
  model <- keras_model_sequential(input_shape = c(3, 4)) |>
    layer_activation_parametric_relu(shared_axes = 1)
  expect_identical(dim(get_weights(model)[[1]]), c(1L, 4L))
  slope <- c(0.1, 0.2, 0.3, 0.4)
  set_weights(model, list(matrix(slope, 1)))
  want <- ifelse(a > 0, a, a * slope[slice.index(a, 3)])
  expect_equal(predict(model, a), want, tolerance = 1e-6)

  model <- keras_model_sequential(input_shape = 4) |>
    layer_activation_parametric_relu(alpha_initializer = initializer_constant(0.25))
  expect_equal(as.vector(get_weights(model)[[1]]), rep(0.25, 4))
})

test_that("layers are named as in Keras", {
  model <- keras_model_sequential(input_shape = 4) |>
    layer_activation_relu() |>
    layer_activation_leaky_relu() |>
    layer_activation_elu() |>
    layer_activation_parametric_relu() |>
    layer_activation_softmax() |>
    layer_activation("tanh")
  expect_identical(vapply(model$layers, function(l) l$name, ""),
                   c("re_lu", "leaky_re_lu", "elu", "p_re_lu", "softmax", "activation"))
})

test_that("bad arguments are refused", {
  expect_error(layer_activation(activation = "rulu"), class = "lamina_error_argument")
  expect_error(layer_activation(activation = NULL), class = "lamina_error_argument")
  expect_error(layer_activation_relu(max_value = -1), class = "lamina_error_argument")
  expect_error(layer_activation_leaky_relu(negative_slope = "a"), class = "lamina_error_argument")
  expect_error(layer_activation_softmax(axis = 1), class = "lamina_error_argument")
  expect_error(layer_activation_softmax(axis = c(2, 3)), class = "lamina_error_argument")
  model <- keras_model_sequential(input_shape = 4)
  expect_error(layer_activation_softmax(model, axis = 3), class = "lamina_error_shape")
  expect_error(layer_activation_parametric_relu(model, shared_axes = 2), class = "lamina_error_shape")
  expect_length(model$layers, 0)
})
