# Inputs and labels in all the forms that users have them.

x <- wave_matrix(12, 3)
y <- (0:11) %% 3
net <- ref_net(c(3, 3), "softmax")

# Weights after one epoch on these data; the truth is the reference on x and 0-based y.
trained <- function(x, y, loss = "sparse_categorical_crossentropy", ...) {
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.5), loss = loss)
  model |> fit(x, y, batch_size = 5, shuffle = FALSE, ...)
  get_weights(model)
}
truth <- function(x, y) {
  ref_weights(ref_train(net, x, y, "sparse_categorical_crossentropy", ref_sgd(), function(s) 0.5, 5, 1)$net)
}

test_that("inputs: matrix, data frame, tibble, array, integers, logicals, sparse matrices", {
  expected <- trained(x, y)
  expect_close(expected, truth(x, y))
  expect_identical(trained(as.data.frame(x), y), expected)
  expect_identical(trained(structure(as.data.frame(x), class = c("tbl_df", "tbl", "data.frame")), y), expected)
  expect_identical(trained(array(x, c(12, 3, 1)), y), expected)
  whole <- round(x * 3)
  expected <- trained(whole, y)
  expect_identical(trained(matrix(as.integer(whole), 12), y), expected)
  frame <- data.frame(a = as.integer(whole[, 1]), b = whole[, 2], c = whole[, 3])
  expect_identical(trained(frame, y), expected)
  yes <- x > 0
  expected <- trained(yes + 0, y)
  expect_identical(trained(yes, y), expected)
  expect_identical(trained(as.data.frame(yes), y), expected)
})

test_that("sparse matrices of package Matrix", {
  skip_if_not_installed("Matrix")
  holes <- x * (x > 0.2)
  expected <- trained(holes, y)
  model <- ref_model(net)
  model |> compile(loss = "sparse_categorical_crossentropy")
  sparse <- Matrix::Matrix(holes, sparse = TRUE)
  for (form in list(sparse, methods::as(sparse, "RsparseMatrix"), methods::as(sparse, "TsparseMatrix"))) {
    expect_identical(trained(form, y), expected)
    expect_identical(predict(model, form), predict(model, holes))
    expect_identical(predict(model, form, batch_size = 5), predict(model, holes, batch_size = 5))
    expect_identical(evaluate(model, form, y), evaluate(model, holes, y))
  }
  expect_identical(trained(methods::as(sparse, "nMatrix"), y), trained((holes != 0) + 0, y))
  expect_identical(trained(sparse != 0, y), trained((holes != 0) + 0, y))
  expect_identical(predict(model, Matrix::Matrix(0, 2, 3, sparse = TRUE)), predict(model, matrix(0, 2, 3)))
  own <- keras_model_sequential(input_shape = 3) |> layer_dense(2, activation = function(x) x^2)
  for (form in list(sparse, methods::as(sparse, "nMatrix"))) {
    expect_identical(predict(own, form), predict(own, as.matrix(form) + 0))
  }
  bad <- sparse
  bad@x[2] <- NA
  refused(model, fit(model, bad, y), "lamina_error_data", "x")
  refused(model, predict(model, bad), "lamina_error_data", "x")
  refused(model, predict(model, sparse[, 1:2]), "lamina_error_shape", "x")
})

test_that("one input: vector, 1-d array, one column", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  set_weights(model, list(matrix(2), 1))
  expected <- matrix(c(3, 5, 7))
  for (form in list(1:3, c(1, 2, 3), array(1:3), matrix(1:3), data.frame(a = 1:3), array(1:3, c(3, 1, 1)))) {
    expect_equal(predict(model, form), expected)
  }
  waiting <- keras_model_sequential() |> layer_dense(1)
  expect_identical(dim(predict(waiting, 1:3)), c(3L, 1L))
})

test_that("labels: 0-based, factors, logicals, one-hot, a column, a data frame", {
  expected <- trained(x, y)
  expect_identical(trained(x, as.integer(y)), expected)
  expect_identical(trained(x, factor(letters[y + 1])), expected)
  expect_identical(trained(x, factor(y, levels = c(0, 1, 2))), expected)
  expect_identical(trained(x, matrix(y)), expected)
  expect_identical(trained(x, data.frame(y)), expected)
  expect_identical(trained(x, data.frame(f = factor(letters[y + 1]))), expected)
  hot <- trained(x, to_categorical(y), "categorical_crossentropy")
  expect_close(hot, expected)
  expect_identical(trained(x, factor(letters[y + 1]), "categorical_crossentropy"), hot)
  expect_identical(trained(x, to_categorical(y) == 1, "categorical_crossentropy"), hot)
  expect_identical(trained(x, as.data.frame(to_categorical(y)), "categorical_crossentropy"), hot)
})

test_that("binary labels: logicals and factors of two levels", {
  sigmoid <- function(y) {
    model <- ref_model(ref_net(c(3, 1), "sigmoid"))
    model |> compile(loss = "binary_crossentropy", metrics = "accuracy")
    model |> fit(x, y, shuffle = FALSE)
    list(get_weights(model), model$history$metrics)
  }
  expected <- sigmoid(y > 1)
  expect_identical(sigmoid((y > 1) + 0), expected)
  expect_identical(sigmoid(factor(c("no", "yes")[(y > 1) + 1])), expected)
  expect_message(sigmoid((y > 1) + 1), "1 to 2", class = "lamina_message_labels")
  expect_identical(suppressMessages(sigmoid((y > 1) + 1)), expected)
})

test_that("1..K is taken for 0..K-1 in fit() only where it can mean nothing else", {
  expected <- trained(x, y)
  expect_message(trained(x, y + 1), "Classes 1 to 3 in `y` are taken as Keras' 0 to 2", class = "lamina_message_labels")
  expect_identical(suppressMessages(trained(x, y + 1)), expected)
  expect_message(trained(x, y + 1, validation_data = list(x, y + 1)), class = "lamina_message_labels")
  # valid as they are, though 0 is absent: 0-based
  high <- pmax(y, 1)
  expect_no_message(got <- trained(x, high))
  expect_close(got, truth(x, high))
  # the shift of the training labels holds for validation too
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0), loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  history <- suppressMessages(fit(model, x, y + 1, validation_data = list(x, y + 1)))
  expect_equal(history$metrics$val_accuracy, evaluate(model, x, y)$accuracy)
  for (call in list(evaluate, train_on_batch, test_on_batch, compute_gradients)) {
    refused(model, call(model, x, y + 1), "lamina_error_data", "y")
  }
  # a regression on numbers from 1 to K is left alone
  line <- ref_model(ref_net(c(3, 1), "linear"))
  line |> compile(loss = "mse")
  expect_no_message(fit(line, x, y + 1))
})

test_that("targets of shape (n) and (n, 1) are the same against one output", {
  run <- function(y) {
    model <- ref_model(ref_net(c(3, 1), "linear"))
    model |> compile(loss = "mse", metrics = "mae")
    model |> fit(x, y, shuffle = FALSE)
    list(get_weights(model), model$history$metrics)
  }
  expect_identical(run(y), run(matrix(y)))
  expect_identical(run(array(y)), run(matrix(y)))
})

test_that("a split that leaves a class out of one of the parts warns", {
  sorted <- sort(y)
  expect_warning(trained(x, sorted, validation_split = 0.25), "class", class = "lamina_warning_split")
  expect_warning(trained(x, factor(c("lo", "mid", "top")[sorted + 1]), validation_split = 0.25), "lo", class = "lamina_warning_split")
  expect_no_warning(trained(x, y, validation_split = 0.25))
})

test_that("rows are samples, whatever the number of dimensions", {
  a <- array(sin(1:120), c(5, 2, 3, 4))
  model <- keras_model_sequential(input_shape = c(2, 3, 4)) |> layer_flatten() |> layer_dense(2)
  flat <- array_reshape(a, c(5, 24))
  w <- get_weights(model)
  expect_close(predict(model, a), flat %*% w[[1L]])
  expect_identical(predict(model, a)[3, ], predict(model, a[3, , , , drop = FALSE])[1, ])
  gradients <- keras_model_sequential(input_shape = c(2, 3)) |> layer_flatten() |> layer_dense(1, use_bias = FALSE)
  gradients |> compile(loss = "mse")
  b <- array(cos(1:24), c(4, 2, 3))
  out <- compute_gradients(gradients, b, rep(0, 4))
  k <- get_weights(gradients)[[1L]]
  p <- array_reshape(b, c(4, 6)) %*% k
  expect_identical(dim(out$inputs), c(4L, 2L, 3L))
  expect_close(out$inputs, array_reshape((2 * p / 4) %*% t(k), c(4, 2, 3)))
})
