x <- wave_matrix(7, 4)
y <- c(0, 1, 2, 2, 1, 0, 1)
net <- ref_net(c(4, 5, 3), c("tanh", "softmax"))
loss <- "sparse_categorical_crossentropy"

new_model <- function(...) {
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.1, momentum = 0.9), loss = loss, ...)
  model
}

test_that("train_on_batch() takes one step and gives the loss before it", {
  model <- new_model()
  truth <- ref_train(net, x, y, loss, ref_sgd(0.9), function(s) 0.1, 7, 3)
  for (step in 1:3) {
    out <- train_on_batch(model, x, y)
    expect_type(out, "double")
    expect_close(out, truth$losses[step])
  }
  expect_close(get_weights(model), ref_weights(truth$net))
})

test_that("with metrics there is a named list", {
  model <- new_model(metrics = "acc")
  out <- train_on_batch(model, x, y)
  expect_identical(names(out), c("loss", "acc"))
  expect_identical(names(test_on_batch(model, x, y)), c("loss", "acc"))
  own <- new_model(metrics = list(top = function(y_true, y_pred) max(y_pred)))
  expect_close(test_on_batch(own, x, y)$top, max(predict(own, x)))
})

test_that("sample and class weights", {
  w <- c(1, 2, 0, 0.5, 1, 1, 3)
  model <- new_model()
  truth <- ref_gradient(net, x, y, loss, w)
  expect_close(test_on_batch(model, x, y, sample_weight = w), truth$loss)
  expect_close(train_on_batch(model, x, y, sample_weight = w), truth$loss)
  by_class <- c(3, 1, 1)[y + 1]
  model <- new_model()
  expect_close(train_on_batch(model, x, y, class_weight = list("0" = 3)), ref_gradient(net, x, y, loss, by_class)$loss)
  expect_close(get_weights(model), ref_weights(ref_train(net, x, y, loss, ref_sgd(), function(s) 0.1, 7, 1, w = by_class)$net))
})

test_that("test_on_batch() is evaluate() on one batch", {
  model <- new_model()
  before <- model_snapshot(model)
  expect_close(test_on_batch(model, x, y), evaluate(model, x, y)$loss)
  expect_identical(model_snapshot(model), before)
})

test_that("batches make up what fit() does, and are part of the model's state", {
  by_hand <- new_model()
  for (epoch in 1:2) for (rows in list(1:3, 4:6, 7)) train_on_batch(by_hand, x[rows, , drop = FALSE], y[rows])
  at_once <- new_model()
  at_once |> fit(x, y, batch_size = 3, epochs = 2, shuffle = FALSE)
  expect_identical(get_weights(by_hand), get_weights(at_once))
  revived <- unserialize(serialize(by_hand, NULL))
  train_on_batch(by_hand, x, y)
  train_on_batch(revived, x, y)
  expect_identical(get_weights(revived), get_weights(by_hand))
})

test_that("a loss of one's own", {
  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  model <- ref_model(ref_net(c(4, 2), "linear"))
  model |> compile(optimizer = optimizer_sgd(0.1), loss = own)
  target <- matrix(cos(1:14), 7)
  truth <- ref_train(ref_net(c(4, 2), "linear"), x, target, "mse", ref_sgd(), function(s) 0.1, 7, 1)
  expect_close(train_on_batch(model, x, target), truth$losses)
  expect_close(get_weights(model), ref_weights(truth$net))
})
