test_that("op_argmax() and k_argmax() give the first of the largest", {
  p <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6), c(0.4, 0.4, 0.2), c(-3, -1, -2))
  expect_identical(op_argmax(p, axis = -1), c(1L, 3L, 1L, 2L))
  expect_identical(op_argmax(p, -1, zero_indexed = TRUE), c(0L, 2L, 0L, 1L))
  expect_identical(k_argmax(p), c(0L, 2L, 0L, 1L))
  expect_identical(op_argmax(p, axis = 1), apply(p, 2, which.max))
  expect_identical(k_argmax(p, axis = 1), apply(p, 2, which.max) - 1L)
  expect_identical(op_argmax(p, 2, keepdims = TRUE), matrix(c(1L, 3L, 1L, 2L)))
  expect_identical(op_argmax(c(a = 3, b = 5, c = 5), -1), 2L)
  expect_identical(op_argmax(c(FALSE, TRUE), 1), 2L)
  expect_identical(op_argmax(matrix(c(Inf, 1, -Inf, 2), 2), -1), c(1L, 2L))
  expect_identical(k_argmax(matrix(1, 1, 1)), 0L)
})

test_that("op_argmax() of more dimensions keeps the others", {
  a <- array(sin(seq_len(60)^1.3), c(3, 4, 5))
  for (axis in 1:3) {
    others <- setdiff(1:3, axis)
    expect_identical(op_argmax(a, axis), apply(a, others, which.max))
    expect_identical(op_argmax(a, axis - 4, zero_indexed = TRUE), apply(a, others, which.max) - 1L)
    expect_identical(dim(op_argmax(a, axis, keepdims = TRUE)), replace(dim(a), axis, 1L))
  }
})

test_that("op_argmax() of a whole array counts row by row", {
  m <- rbind(c(1, 2, 9), c(4, 9, 6))
  expect_identical(op_argmax(m), 3L)
  expect_identical(op_argmax(m, zero_indexed = TRUE), 2L)
  expect_identical(op_argmax(m, keepdims = TRUE), matrix(3L))
  expect_identical(op_argmax(array(replace(numeric(24), 24, 1), 2:4)), 24L)
})

test_that("op_argmax() refuses what it cannot compare", {
  for (bad in list("a", NULL, list(1), c(1, NA), matrix(0, 2, 0))) {
    expect_error(op_argmax(bad, -1), class = "lamina_error_data")
    expect_error(k_argmax(bad), class = "lamina_error_data")
  }
  expect_error(op_argmax(numeric()), class = "lamina_error_data")
  for (axis in list(0, 3, -3, 1.5, "a")) expect_error(op_argmax(diag(2), axis), class = "lamina_error_argument")
  expect_error(op_argmax(diag(2), 1, keepdims = NA), class = "lamina_error_argument")
  expect_error(op_argmax(diag(2), 1, zero_indexed = 1), class = "lamina_error_argument")
})

test_that("op_cast() and k_cast() keep the shape", {
  p <- matrix(c(0.2, 0.8, 0.6), dimnames = list(NULL, "p"))
  expect_identical(op_cast(p > 0.5, "int32"), matrix(c(0L, 1L, 1L), dimnames = list(NULL, "p")))
  expect_identical(k_cast(c(-1.7, 1.7), "int64"), c(-1L, 1L))
  expect_identical(op_cast(p > 0.5, "float32"), matrix(c(0, 1, 1), dimnames = list(NULL, "p")))
  expect_identical(op_cast(array(0:2), "bool"), array(c(FALSE, TRUE, TRUE)))
  expect_identical(op_cast(c(1, NA), "int8"), c(1L, NA))
  expect_error(op_cast(2^31, "int32"), class = "lamina_error_data")
  expect_error(op_cast("1", "int32"), class = "lamina_error_data")
  expect_error(op_cast(1, "int"), class = "lamina_error_argument")
  expect_error(op_cast(1), class = "lamina_error_argument")
})
