x <- wave_matrix(11, 4)
y <- (0:10) %% 3
net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
loss <- "sparse_categorical_crossentropy"

test_that("evaluate() gives a named list: the loss over all samples, and the metrics", {
  model <- ref_model(net)
  model |> compile(loss = loss, metrics = c("acc", loss))
  each <- ref_loss[[loss]]$value(y, ref_forward(net, x)$out)
  right <- max.col(ref_forward(net, x)$out) - 1 == y
  for (batch in list(NULL, 1, 4, 100)) {
    out <- evaluate(model, x, y, batch_size = batch)
    expect_identical(names(out), c("loss", "acc", loss))
    expect_close(out, c(mean(each), mean(right), mean(each)))
  }
  expect_identical(names(evaluate(ref_model(net) |> compile(loss = loss), x, y)), "loss")
})

test_that("sample weights count in the loss only; weighted metrics use them", {
  model <- ref_model(net)
  model |> compile(loss = loss, metrics = "accuracy", weighted_metrics = list(weighted = "accuracy"))
  w <- seq(0, 2, length.out = 11)
  each <- ref_loss[[loss]]$value(y, ref_forward(net, x)$out)
  right <- max.col(ref_forward(net, x)$out) - 1 == y
  out <- evaluate(model, x, y, sample_weight = w, batch_size = 4)
  expect_close(out, c(sum(w * each) / 11, mean(right), sum(w * right) / sum(w)))
})

test_that("the loss of evaluate() has the penalties, the metric of the same name has not", {
  model <- ref_model(net, function(i) list(kernel_regularizer = regularizer_l2(0.1)))
  model |> compile(loss = loss, metrics = loss)
  out <- evaluate(model, x, y)
  expect_close(out$loss - out[[loss]], 0.1 * (sum(net[[1L]]$kernel^2) + sum(net[[2L]]$kernel^2)))
})

test_that("evaluate() changes nothing and can end early", {
  model <- ref_model(net)
  model |> compile(loss = loss)
  model |> fit(x, y)
  before <- model_snapshot(model)
  out <- expect_silent(evaluate(model, x, y, batch_size = 3, steps = 2))
  expect_identical(model_snapshot(model), before)
  expect_equal(out, evaluate(model, x[1:6, ], y[1:6]), tolerance = 1e-6)
})

test_that("accuracy goes by shapes", {
  probabilities <- rbind(c(0.6, 0.3, 0.9), c(0.2, 0.7, 0.6))
  model <- keras_model_sequential(input_shape = 3) |> layer_activation("linear")
  value <- function(y, loss) {
    model |> compile(loss = loss, metrics = "accuracy")
    evaluate(model, probabilities, y)$accuracy
  }
  expect_equal(value(c(2, 0), "sparse_categorical_crossentropy"), 0.5)
  # three sigmoid-like outputs: categorical accuracy, by the largest
  expect_equal(value(rbind(c(1, 0, 1), c(0, 1, 1)), "binary_crossentropy"), 0.5)
  one <- keras_model_sequential(input_shape = 1) |> layer_activation("linear")
  one |> compile(loss = "binary_crossentropy", metrics = "accuracy")
  expect_equal(evaluate(one, c(0.5, 0.51, 0.2, 0.9), c(1, 1, 0, 0))$accuracy, 0.5) # strictly above 0.5
})
