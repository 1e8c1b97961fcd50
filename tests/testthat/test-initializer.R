constructors <- list(
  zeros = initializer_zeros, ones = initializer_ones, constant = initializer_constant,
  identity = initializer_identity, random_normal = initializer_random_normal,
  random_uniform = initializer_random_uniform, truncated_normal = initializer_truncated_normal,
  variance_scaling = initializer_variance_scaling, glorot_normal = initializer_glorot_normal,
  glorot_uniform = initializer_glorot_uniform, he_normal = initializer_he_normal,
  he_uniform = initializer_he_uniform, lecun_normal = initializer_lecun_normal,
  lecun_uniform = initializer_lecun_uniform, orthogonal = initializer_orthogonal
)

test_that("every initializer of the core has a constructor", {
  expect_setequal(names(constructors), asNamespace("lamina")$vocabulary("initializer")$names)
  for (make in constructors) {
    init <- make()
    expect_s3_class(init, "lamina_initializer")
    expect_equal(dim(init(c(3, 4))), c(3, 4))
    expect_equal(dim(init(list(3L, 4L))), c(3, 4))
  }
})

test_that("fixed values are what they say", {
  expect_equal(initializer_zeros()(c(2, 3)), matrix(0, 2, 3))
  expect_equal(initializer_ones()(3), rep(1, 3))
  expect_equal(initializer_constant(-0.5)(c(2, 2, 2)), array(-0.5, c(2, 2, 2)))
  expect_equal(initializer_identity(2)(c(2, 3)), cbind(diag(2, 2), 0))
})

test_that("draws follow R's random numbers, and a seed of their own fixes them", {
  for (make in constructors[-(1:4)]) {
    init <- make()
    set.seed(1)
    first <- init(c(4, 5))
    expect_false(identical(init(c(4, 5)), first))
    set.seed(1)
    expect_identical(init(c(4, 5)), first)
    seeded <- make(seed = 7)
    before <- .Random.seed
    expect_identical(seeded(c(4, 5)), seeded(c(4, 5)))
    expect_identical(.Random.seed, before)
    expect_identical(make(seed = 7L)(c(4, 5)), seeded(c(4, 5)))
    expect_false(identical(make(seed = 8)(c(4, 5)), seeded(c(4, 5))))
  }
})

test_that("fixed initializers draw nothing", {
  set.seed(1)
  before <- .Random.seed
  initializer_ones()(c(2, 2))
  expect_identical(.Random.seed, before)
})

test_that("bounds and spread are Keras'", {
  set.seed(2)
  shape <- c(300, 100)
  limit <- sqrt(6 / 400)
  w <- initializer_glorot_uniform()(shape)
  expect_lte(max(abs(w)), limit)
  expect_gt(max(abs(w)), 0.99 * limit)
  w <- initializer_he_normal()(shape)
  expect_equal(sd(w), sqrt(2 / 300), tolerance = 0.02)
  expect_lte(max(abs(w)), 2 * sqrt(2 / 300) / 0.87962566103423978 + 1e-6)
  w <- initializer_lecun_normal()(c(3, 3, 20, 100))
  expect_equal(sd(w), sqrt(1 / 180), tolerance = 0.02)
  w <- initializer_random_normal(1, 2)(shape)
  expect_equal(c(mean(w), sd(w)), c(1, 2), tolerance = 0.03)
  expect_true(all(abs(initializer_truncated_normal(stddev = 0.1)(shape)) <= 0.2 + 1e-6))
  w <- initializer_variance_scaling(3, "fan_out", "uniform")(shape)
  expect_equal(max(abs(w)), sqrt(9 / 100), tolerance = 0.01)
})

test_that("orthogonal weights are", {
  set.seed(3)
  tall <- initializer_orthogonal(gain = 2)(c(20, 7))
  expect_equal(crossprod(tall), diag(4, 7), tolerance = 1e-6)
  wide <- initializer_orthogonal()(c(7, 20))
  expect_equal(tcrossprod(wide), diag(7), tolerance = 1e-6)
})

test_that("bad arguments are refused", {
  bad <- function(call, class = "lamina_error_argument") expect_error(call, class = class)
  bad(initializer_random_normal(stddev = -1))
  bad(initializer_random_uniform(1, 0))
  bad(initializer_variance_scaling(scale = 0))
  bad(initializer_variance_scaling(mode = "fan"))
  bad(initializer_he_normal(seed = 1.5))
  bad(initializer_constant("a"))
  bad(initializer_zeros()(c(2, -1)))
  bad(initializer_zeros()("a"))
  bad(initializer_zeros()(1:6))
  bad(initializer_identity()(3), "lamina_error_shape")
  bad(initializer_orthogonal()(3), "lamina_error_shape")
})
