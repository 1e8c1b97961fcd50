test_that("pad_sequences() does what Keras' examples show", {
  sequences <- list(1, 2:3, 4:6)
  expect_identical(pad_sequences(sequences), rbind(c(0L, 0L, 1L), c(0L, 2L, 3L), 4:6))
  expect_identical(pad_sequences(sequences, value = -1), rbind(c(-1L, -1L, 1L), c(-1L, 2L, 3L), 4:6))
  expect_identical(pad_sequences(sequences, padding = "post"), rbind(c(1L, 0L, 0L), c(2L, 3L, 0L), 4:6))
  expect_identical(pad_sequences(sequences, maxlen = 2), rbind(c(0L, 1L), 2:3, 5:6))
})

test_that("both ends can be cut and filled", {
  sequences <- list(1:4, 5L)
  expect_identical(pad_sequences(sequences, 2, truncating = "post", padding = "post"), rbind(1:2, c(5L, 0L)))
  expect_identical(pad_sequences(sequences, 2, truncating = "post"), rbind(1:2, c(0L, 5L)))
  expect_identical(pad_sequences(sequences, 6, padding = "post")[1, ], c(1:4, 0L, 0L))
})

test_that("empty sequences, none at all, matrices and other numbers", {
  expect_identical(pad_sequences(list(integer(), 1L, NULL)), matrix(c(0L, 1L, 0L)))
  expect_identical(pad_sequences(list()), matrix(0L, 0, 0))
  expect_identical(pad_sequences(list(), maxlen = 3), matrix(0L, 0, 3))
  expect_identical(pad_sequences(matrix(1:6, 2), maxlen = 2), matrix(3:6, 2))
  expect_identical(pad_sequences(list(0.5, c(1, 2)), dtype = "float32"), rbind(c(0, 0.5), c(1, 2)))
  expect_identical(pad_sequences(list(a = 1, b = 2)), matrix(1:2))
})

test_that("any mixture agrees with a loop", {
  set.seed(4)
  sequences <- lapply(sample(0:9, 50, TRUE), function(n) sample.int(100, n, TRUE))
  for (padding in c("pre", "post")) for (truncating in c("pre", "post")) for (maxlen in c(1, 5, 12)) {
    expected <- t(vapply(sequences, function(s) {
      s <- if (truncating == "pre") utils::tail(s, maxlen) else utils::head(s, maxlen)
      fill <- rep(7L, maxlen - length(s))
      if (padding == "pre") c(fill, s) else c(s, fill)
    }, integer(maxlen)))
    if (maxlen == 1) expected <- t(expected)
    expect_identical(pad_sequences(sequences, maxlen, padding = padding, truncating = truncating, value = 7), expected)
  }
})

test_that("bad sequences and arguments are refused", {
  expect_error(pad_sequences(list("a")), class = "lamina_error_data")
  expect_error(pad_sequences(1:3), class = "lamina_error_data")
  expect_error(pad_sequences(data.frame(a = 1)), class = "lamina_error_data")
  expect_error(pad_sequences(list(c(1, NA))), class = "lamina_error_data")
  expect_error(pad_sequences(list(1.5)), class = "lamina_error_data")
  expect_error(pad_sequences(list(1), value = 0.5), class = "lamina_error_data")
  expect_error(pad_sequences(list(1), maxlen = 0), class = "lamina_error_argument")
  expect_error(pad_sequences(list(1), padding = "both"), class = "lamina_error_argument")
  expect_error(pad_sequences(list(1), truncating = "left"), class = "lamina_error_argument")
  expect_error(pad_sequences(list(1), dtype = "string"), class = "lamina_error_argument")
})
