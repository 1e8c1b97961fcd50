x <- wave_matrix(11, 4)
net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
truth <- ref_forward(net, x)$out

test_that("predict() gives an array of samples x units", {
  model <- ref_model(net)
  out <- predict(model, x)
  expect_identical(dim(out), c(11L, 3L))
  expect_close(out, truth)
  for (batch in c(1, 4, 11, 100)) expect_close(predict(model, x, batch_size = batch), truth)
  expect_close(predict(model, x[1, , drop = FALSE]), truth[1, ])
  expect_close(predict(model, x = x, batch_size = 10, verbose = 0), truth)
  expect_close(predict_on_batch(model, x), truth)
  expect_close(predict_on_batch(model, as.data.frame(x)), truth)
  picture <- keras_model_sequential(input_shape = 4) |> layer_reshape(c(2, 2))
  expect_identical(dim(predict(picture, x)), c(11L, 2L, 2L))
})

test_that("predict() needs no compilation and changes nothing", {
  model <- ref_model(net)
  before <- model_snapshot(model)
  predict(model, x)
  expect_identical(model_snapshot(model), before)
  model |> layer_dropout(0.9)
  expect_close(predict(model, x), truth) # no dropout outside training
})

test_that("steps ends early", {
  model <- ref_model(net)
  expect_close(predict(model, x, batch_size = 4, steps = 2), truth[1:8, ])
  expect_close(predict(model, x, batch_size = 4, steps = 9), truth)
})

test_that("a model from another session predicts at once", {
  model <- unserialize(serialize(ref_model(net), NULL))
  expect_close(predict(model, x), truth)
})

test_that("predict() is silent and calls its hooks", {
  model <- ref_model(net)
  expect_silent(predict(model, x))
  seen <- character()
  predict(model, x, callbacks = callback_lambda(on_predict_begin = function(logs) seen <<- c(seen, "begin"),
                                                on_predict_end = function(logs) seen <<- c(seen, "end")))
  expect_identical(seen, c("begin", "end"))
})

test_that("a model without layers says so", {
  model <- keras_model_sequential(input_shape = c(4, 4, 1))
  expect_error(predict(model, array(0, c(1, 4, 4, 1))), "no layers", class = "lamina_error_state")
  expect_error(evaluate(model, array(0, c(1, 4, 4, 1)), array(0, c(1, 4, 4, 1))), class = "lamina_error")
})
