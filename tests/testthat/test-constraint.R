w <- matrix(c(3, 4, 0.3, 0.4), 2) # column norms 5 and 0.5

test_that("constraints bind the norm of each column", {
  expect_equal(constraint_maxnorm()(w), w %*% diag(c(2 / 5, 1)), tolerance = 1e-6)
  expect_equal(constraint_unitnorm()(w), w %*% diag(c(1 / 5, 2)), tolerance = 1e-6)
  expect_equal(constraint_minmaxnorm(1, 2)(w), w %*% diag(c(2 / 5, 2)), tolerance = 1e-6)
  expect_equal(constraint_minmaxnorm(1, 2, rate = 0.5)(w), w %*% diag(c(3.5 / 5, 1.5)), tolerance = 1e-6)
  expect_equal(constraint_nonneg()(w - 1), pmax(w - 1, 0), tolerance = 1e-6)
})

test_that("norms run over any dimensions, counted from 1 or from the last", {
  by_row <- w / sqrt(rowSums(w^2))
  expect_equal(constraint_unitnorm(axis = 2)(w), by_row, tolerance = 1e-6)
  expect_equal(constraint_unitnorm(axis = -1)(w), by_row, tolerance = 1e-6)
  expect_equal(constraint_unitnorm(axis = c(1, 2))(w), w / sqrt(sum(w^2)), tolerance = 1e-6)
  expect_equal(constraint_unitnorm()(c(3, 4)), c(0.6, 0.8), tolerance = 1e-6)
  set.seed(1)
  kernel <- array(rnorm(3 * 3 * 2 * 5), c(3, 3, 2, 5))
  bound <- constraint_maxnorm(1, axis = list(1L, 2L, 3L))(kernel)
  expect_equal(apply(bound^2, 4, sum), rep(1, 5), tolerance = 1e-5)
})

test_that("every constraint of the core has a constructor", {
  for (name in asNamespace("lamina")$vocabulary("constraint")$names) {
    object <- get(paste0("constraint_", name), asNamespace("lamina"))()
    expect_s3_class(object, "lamina_constraint")
    expect_equal(object(w * 0), w * 0)
  }
})

test_that("bad arguments are refused", {
  bad <- function(call, class = "lamina_error_argument") expect_error(call, class = class)
  bad(constraint_maxnorm(-1))
  bad(constraint_maxnorm(axis = 0))
  bad(constraint_maxnorm(axis = 1.5))
  bad(constraint_maxnorm(axis = "a"))
  bad(constraint_minmaxnorm(2, 1))
  bad(constraint_minmaxnorm(rate = 2))
  bad(constraint_nonneg()("a"))
  bad(constraint_unitnorm(axis = 2)(1:3), "lamina_error_shape")
})
