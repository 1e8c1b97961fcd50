truth <- factor(c("a", "a", "b", "b", "b", "c"))
guess <- factor(c("a", "b", "b", "b", "a", "c"))
counts <- matrix(c(1L, 1L, 0L, 1L, 2L, 0L, 0L, 0L, 1L), 3, dimnames = list(truth = c("a", "b", "c"), predicted = c("a", "b", "c")))

test_that("a confusion counts as table() does, whatever form classes come in", {
  expect_identical(unclass(confusion(truth, guess)), counts)
  expect_identical(unclass(confusion(truth, guess)), unclass(table(truth, predicted = guess)))
  p <- matrix(0.1, 6, 3)
  p[cbind(1:6, as.integer(guess))] <- 0.8
  forms <- list(
    list(truth, p), list(as.integer(truth) - 1, p), list(to_categorical(truth), p),
    list(as.integer(truth) - 1, as.integer(guess) - 1L), list(truth, as.integer(guess) - 1L), list(as.character(truth), as.character(guess)),
    list(unname(to_categorical(truth)), guess), list(truth, `colnames<-`(p[, c(2, 1, 3)], c("b", "a", "c"))), list(data.frame(truth), as.data.frame(p))
  )
  for (form in forms) {
    expect_identical(unname(unclass(confusion(form[[1L]], form[[2L]]))), unname(counts))
  }
  expect_identical(rownames(confusion(c(0, 1), c(1, 1))), c("0", "1"))
  expect_identical(rownames(confusion(c(0, 1), c(1, 1), labels = c("no", "yes"))), c("no", "yes"))
})

test_that("one column of probabilities tells two classes apart", {
  found <- confusion(c(0, 1, 1, 0), c(0.2, 0.9, 0.4, 0.5))
  expect_identical(as.vector(found), c(2L, 1L, 0L, 1L))
  expect_identical(confusion(factor(c("no", "yes")), matrix(c(0.2, 0.9))), confusion(factor(c("no", "yes")), factor(c("no", "yes"))))
  expect_identical(as.vector(confusion(c(FALSE, TRUE), c(TRUE, TRUE))), c(0L, 0L, 1L, 1L))
})

test_that("factors with different levels meet by name, and classes may be absent", {
  found <- confusion(factor(c("a", "b")), factor(c("b", "c"), c("c", "b")))
  expect_identical(rownames(found), c("a", "b", "c"))
  expect_identical(found["a", "b"], 1L)
  expect_identical(found["b", "c"], 1L)
  expect_identical(sum(found), 2L)
  expect_identical(dim(confusion(c(0, 1), diag(4)[1:2, ])), c(4L, 4L))
})

test_that("summary() gives recall, precision and F1 by hand", {
  by_class <- summary(confusion(truth, guess))
  expect_identical(as.character(by_class$class), c("a", "b", "c"))
  expect_equal(by_class$n, c(2, 3, 1))
  expect_equal(by_class$recall, c(1 / 2, 2 / 3, 1))
  expect_equal(by_class$precision, c(1 / 2, 2 / 3, 1))
  expect_equal(by_class$f1, c(1 / 2, 2 / 3, 1))
  none <- summary(confusion(factor(c("a", "a"), c("a", "b")), c(0, 0)))
  expect_identical(none$recall, c(1, NA))
  expect_identical(none$precision, c(1, NA))
})

test_that("a confusion prints, turns into a data frame and is drawn", {
  found <- confusion(truth, guess)
  shown <- capture.output(expect_invisible(print(found)))
  expect_match(shown, "66.7 %: 4 of 6 right", all = FALSE)
  expect_match(shown, "recall", all = FALSE)
  expect_match(shown, "^ *b +1 +2 +\\. +66.7 %", all = FALSE)
  wide <- confusion(0:9, 9:0, labels = paste("a rather long name", 0:9))
  expect_true(all(nchar(capture.output(print(wide))) <= 120))
  cells <- as.data.frame(found)
  expect_identical(dim(cells), c(9L, 3L))
  expect_identical(cells$count[cells$truth == "b" & cells$predicted == "a"], 1L)

  fields <- confusion_cells(found)
  expect_equal(fields$share, as.vector(counts / rowSums(counts)))
  expect_identical(fields$fill[fields$count == 0], rep("#FFFFFF", sum(counts == 0)))
  local_device()
  expect_identical(plot(found, method = "base"), found)
  expect_no_warning(plot(wide, method = "base"))
  skip_if_not_installed("ggplot2")
  expect_no_warning(print(plot(found)))
  expect_no_warning(print(plot(wide, main = "who is who")))
})

test_that("confusion() asks a model", {
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(3, activation = "softmax", use_bias = FALSE)
  set_weights(model, list(5 * diag(3)))
  x <- diag(3)[c(1, 1, 2, 3), ]
  expect_identical(confusion(model, x, c(0, 1, 1, 2)), confusion(c(0, 1, 1, 2), c(0, 0, 1, 2)))
  expect_identical(colnames(confusion(model, x, factor(c("u", "v", "v", "w")))), c("u", "v", "w"))
})

test_that("classes that cannot be read are refused", {
  expect_error(confusion(1:3, 1:2), class = "lamina_error_data")
  expect_error(confusion(c(1, NA), 1:2), "missing", class = "lamina_error_data")
  expect_error(confusion(c(0.5, 2), 1:2), class = "lamina_error_data")
  expect_error(confusion(list(1), 1), class = "lamina_error_data")
  error <- expect_error(confusion(truth, c(0, 1, 2, 3, 0, 0)), class = "lamina_error_data")
  expect_identical(error$arg, "predicted")
  expect_error(confusion(truth, guess, labels = c("a", "b")), class = "lamina_error_argument")
  expect_error(confusion(truth, guess, label = 1), "labels", class = "lamina_error_argument")
  expect_error(plot(confusion(numeric(), numeric())), class = "lamina_error_state")
})
