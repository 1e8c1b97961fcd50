test_that("penalties are l1 sum |w| + l2 sum w^2", {
  w <- matrix(c(1, -2, 0, 3), 2)
  expect_equal(regularizer_l1()(w), 0.06, tolerance = 1e-7)
  expect_equal(regularizer_l2()(w), 0.14, tolerance = 1e-7)
  expect_equal(regularizer_l1(0.5)(w), 3)
  expect_equal(regularizer_l2(2)(w), 28)
  expect_equal(regularizer_l1_l2()(w), 0)
  expect_equal(regularizer_l1_l2(l1 = 0.5, l2 = 0.25)(w), 6.5)
  expect_equal(regularizer_l2(1)(numeric()), 0)
})

test_that("every regularizer of the core has a constructor", {
  for (name in asNamespace("lamina")$vocabulary("regularizer")$names) {
    object <- get(paste0("regularizer_", name), asNamespace("lamina"))()
    expect_s3_class(object, "lamina_regularizer")
    expect_equal(attr(object, "spec")$type, name)
  }
})

test_that("bad arguments are refused", {
  bad <- function(call) expect_error(call, class = "lamina_error_argument")
  bad(regularizer_l1(-1))
  bad(regularizer_l2("a"))
  bad(regularizer_l1_l2(l2 = NA))
  bad(regularizer_l1()("a"))
  bad(regularizer_l1()(c(1, NA)))
})
