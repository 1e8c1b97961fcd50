test_that("to_categorical()", {
  expect_identical(to_categorical(c(0, 2, 1)), rbind(c(1, 0, 0), c(0, 0, 1), c(0, 1, 0)))
  expect_identical(to_categorical(c(1L, 0L), 3), rbind(c(0, 1, 0), c(1, 0, 0)))
  expect_identical(to_categorical(c(TRUE, FALSE)), rbind(c(0, 1), c(1, 0)))
  f <- factor(c("no", "yes", "no"), levels = c("no", "yes", "perhaps"))
  expect_identical(to_categorical(f), rbind(c(1, 0, 0), c(0, 1, 0), c(1, 0, 0)) |> `colnames<-`(levels(f)))
  expect_identical(dim(to_categorical(numeric(), 4)), c(0L, 4L))
  expect_identical(to_categorical(matrix(c(0, 1))), rbind(c(1, 0), c(0, 1)))
  for (bad in list(-1, 0.5, NA, "a", c(0, NA))) expect_error(to_categorical(bad), class = "lamina_error_data")
  expect_error(to_categorical(5, 3), class = "lamina_error_data")
  expect_error(to_categorical(1, 0), class = "lamina_error_argument")
})

test_that("normalize() divides by the norm along an axis", {
  m <- rbind(c(3, 4), c(0, 0), c(-6, 8))
  expect_equal(normalize(m), rbind(c(0.6, 0.8), c(0, 0), c(-0.6, 0.8)))
  expect_equal(normalize(m, axis = 1), sweep(m, 2, sqrt(colSums(m^2)), "/"))
  expect_equal(normalize(m, order = 1), rbind(c(3, 4) / 7, c(0, 0), c(-6, 8) / 14))
  expect_equal(normalize(c(3, 4)), c(0.6, 0.8))
  a <- array(1:24, 2:4)
  expect_equal(normalize(a, axis = 2)[2, , 3], a[2, , 3] / sqrt(sum(a[2, , 3]^2)))
  expect_equal(normalize(a)[1, 2, ], a[1, 2, ] / sqrt(sum(a[1, 2, ]^2)))
  expect_error(normalize("a"), class = "lamina_error_data")
  expect_error(normalize(m, axis = 0), class = "lamina_error_argument")
  expect_error(normalize(m, axis = 3), class = "lamina_error_argument")
})

test_that("array_reshape() fills row by row", {
  expect_identical(array_reshape(1:6, c(2, 3)), rbind(1:3, 4:6))
  m <- rbind(1:3, 4:6)
  expect_identical(array_reshape(m, c(3, 2)), rbind(c(1L, 2L), c(3L, 4L), c(5L, 6L)))
  expect_identical(array_reshape(m, 6), array(1:6))
  expect_identical(array_reshape(m, c(-1, 2)), array_reshape(m, c(3, 2)))
  expect_identical(array_reshape(m, list(1, NULL, 6)), matrix(1:6, 1))
  expect_identical(array_reshape(m, c(3, 2), order = "F"), array(m, c(3, 2)))
  # every element of a longer one, by its row-major number
  a <- array(seq_len(24) * 1.5, c(2, 3, 4))
  number <- function(d, at) sum((at - 1) * rev(cumprod(c(1, rev(d)[-length(d)]))))
  b <- array_reshape(a, c(4, 6))
  for (i in 1:2) for (j in 1:3) for (k in 1:4) {
    n <- number(c(2, 3, 4), c(i, j, k))
    expect_identical(a[i, j, k], b[n %/% 6 + 1, n %% 6 + 1])
  }
  expect_identical(array_reshape(array_reshape(a, c(2, 12)), c(2, 3, 4)), a)
  for (bad in list(c(4, 2), c(-1, 4), c(1.5, 4))) expect_error(array_reshape(1:6, bad), class = "lamina_error_shape")
  for (bad in list(c(-1, -1), c(-2, 3), "a")) expect_error(array_reshape(1:6, bad), class = "lamina_error_argument")
})

test_that("shape() and tuple() are lists, taken wherever a shape is", {
  expect_identical(shape(28, 28), list(28, 28))
  expect_identical(tuple(2, 3), list(2, 3))
  for (s in list(shape(2, 3), c(2, 3), tuple(2L, 3L))) {
    expect_identical((keras_model_sequential(input_shape = s) |> layer_flatten())$output_shape, list(NULL, 6L))
  }
})

test_that("lamina_info() and lamina_threads()", {
  info <- lamina_info()
  expect_s3_class(info, "lamina_info")
  expect_output(print(info), "threads")
  old <- getOption("lamina.threads")
  withr::defer(options(lamina.threads = old))
  expect_invisible(lamina_threads(1))
  expect_equal(lamina_threads(), 1)
  lamina_threads(2)
  expect_equal(lamina_threads(), 2)
  for (bad in list(0, -1, 1.5, "a", NA)) expect_error(lamina_threads(bad), class = "lamina_error_argument")
  expect_equal(lamina_threads(), 2)
})

test_that("arguments and functions of scripts that have no meaning here are accepted", {
  expect_invisible(set_random_seed(321L, disable_gpu = FALSE))
  here <- runif(1)
  set.seed(321)
  expect_identical(runif(1), here)
  expect_error(set_random_seed(1, disable_gpu = "no"), class = "lamina_error_argument")
  expect_null(clear_session())
  expect_null(clear_session(free_memory = FALSE))
  expect_null(k_clear_session())
})
