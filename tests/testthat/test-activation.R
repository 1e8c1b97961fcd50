# The definitions, in double precision.
sigmoid <- function(x) 1 / (1 + exp(-x))
softplus <- function(x) pmax(x, 0) + log1p(exp(-abs(x)))
selu_alpha <- 1.6732632423543772
definitions <- list(
  linear = function(x) x,
  relu = function(x) ifelse(x > 0, x, 0),
  relu6 = function(x) pmin(pmax(x, 0), 6),
  leaky_relu = function(x) ifelse(x > 0, x, 0.2 * x),
  elu = function(x) ifelse(x > 0, x, expm1(x)),
  selu = function(x) 1.0507009873554805 * ifelse(x > 0, x, selu_alpha * expm1(x)),
  celu = function(x) ifelse(x > 0, x, expm1(x)),
  gelu = function(x) x * pnorm(x),
  silu = function(x) x * sigmoid(x),
  mish = function(x) x * tanh(softplus(x)),
  tanh = tanh,
  sigmoid = sigmoid,
  hard_sigmoid = function(x) pmin(pmax(x / 6 + 0.5, 0), 1),
  hard_silu = function(x) x * pmin(pmax(x / 6 + 0.5, 0), 1),
  softplus = softplus,
  softsign = function(x) x / (1 + abs(x)),
  exponential = exp,
  log_sigmoid = function(x) -softplus(-x),
  softmax = function(x) exp(x) / rowSums(exp(x)),
  log_softmax = function(x) x - log(rowSums(exp(x)))
)
x <- matrix(c(-8, -3.5, -1, -0.25, 0, 0.125, 1, 2.5, 3.5, 8), 2)

of_name <- function(name) getExportedValue("lamina", paste0("activation_", name))

test_that("every activation of the core has its function, and the function its values", {
  for (name in vocabulary("activation")$names) {
    expect_true(name %in% names(definitions), info = name)
    got <- of_name(name)(x)
    expect_equal(got, definitions[[name]](x), tolerance = 1e-6, info = name)
    expect_identical(dim(got), dim(x), info = name)
  }
})

test_that("aliases have a function too", {
  for (name in names(vocabulary("activation")$aliases)) {
    expect_equal(of_name(name)(x), definitions[[vocabulary("activation")$aliases[[name]]]](x), tolerance = 1e-6)
  }
})

test_that("parameters change the values as documented", {
  expect_equal(activation_relu(x, max_value = 3), pmin(pmax(x, 0), 3))
  expect_equal(
    activation_relu(x, negative_slope = 0.1, threshold = 1),
    ifelse(x >= 1, x, 0.1 * (x - 1)), tolerance = 1e-6
  )
  expect_equal(activation_leaky_relu(x, 0.5), ifelse(x > 0, x, x / 2))
  expect_equal(activation_elu(x, alpha = 2), ifelse(x > 0, x, 2 * expm1(x)), tolerance = 1e-6)
  expect_equal(activation_celu(x, alpha = 2), ifelse(x > 0, x, 2 * expm1(x / 2)), tolerance = 1e-6)
  expect_equal(
    activation_gelu(x, approximate = TRUE),
    x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), tolerance = 1e-6
  )
})

test_that("softmax works along any dimension and does not overflow", {
  a <- array(seq(-2, 3, length.out = 24), c(2, 3, 4), dimnames = list(NULL, letters[1:3], NULL))
  for (axis in c(1, 2, 3, -1, -2, -3)) {
    at <- if (axis < 0) 4 + axis else axis
    sums <- apply(exp(a), setdiff(1:3, at), sum)
    want <- sweep(exp(a), setdiff(1:3, at), sums, "/")
    expect_equal(activation_softmax(a, axis = axis), want, tolerance = 1e-6)
    expect_equal(activation_log_softmax(a, axis = axis), log(want), tolerance = 1e-6)
  }
  expect_equal(activation_softmax(c(a = 1000, b = 1000)), c(a = 0.5, b = 0.5))
  expect_equal(activation_softmax(numeric()), numeric())
})

test_that("arrays keep their shape, also of rank 3, and whole numbers and logicals are numbers", {
  a <- array(seq(-3, 3, length.out = 12), c(2, 3, 2))
  expect_equal(activation_tanh(a), tanh(a), tolerance = 1e-6)
  expect_equal(activation_relu(-1:2), c(0, 0, 1, 2))
  expect_equal(activation_relu(c(TRUE, FALSE)), c(1, 0))
  expect_equal(activation_relu(numeric()), numeric())
})

test_that("without an array there is an activation to train with", {
  for (name in vocabulary("activation")$names) {
    object <- of_name(name)()
    expect_s3_class(object, "lamina_activation")
    expect_identical(object$type, name)
    expect_identical(as_activation(of_name(name)), as_activation(object))
    expect_identical(as_activation(name)$type, name)
  }
  expect_identical(as_activation(activation_gelu(approximate = TRUE))$config, list(approximate = TRUE))
  expect_identical(as_activation("swish")$type, "silu")
  expect_identical(as_activation("Tanh")$type, "tanh")
  expect_null(as_activation(NULL))
})

test_that("a function of one's own stays a function, an activation layer is its activation", {
  own <- function(x) x^2
  expect_identical(as_activation(own), list(type = "function", fn = own))
  expect_identical(as_activation(layer_activation_leaky_relu())$type, "leaky_relu")
  expect_error(as_activation(layer_dense(units = 1)), class = "lamina_error_argument")
})

test_that("bad arguments are refused", {
  expect_error(activation_relu("a"), class = "lamina_error_argument")
  expect_error(activation_relu(factor("a")), class = "lamina_error_argument")
  expect_error(activation_relu(1, negative_slope = NA), class = "lamina_error_argument")
  expect_error(activation_celu(alpha = 0), class = "lamina_error_argument")
  expect_error(activation_softmax(x, axis = 3), class = "lamina_error_argument")
  expect_error(activation_softmax(x, axis = 0), class = "lamina_error_argument")
  expect_error(activation_softmax(axis = 1), class = "lamina_error_argument")
  error <- expect_error(as_activation("rulu", arg = "activation"), class = "lamina_error_argument")
  expect_match(conditionMessage(error), "relu")
  expect_identical(error$arg, "activation")
})
