x <- wave_matrix(7, 4)
y3 <- c(0, 1, 2, 2, 1, 0, 1)

test_that("gradients are those of the reference, weights and inputs", {
  heads <- list(
    list("linear", "mse", matrix(sin(1:14), 7)), list("sigmoid", "mse", matrix(sin(1:14), 7)),
    list("sigmoid", "binary_crossentropy", matrix(y3 %% 2)), list("softmax", "sparse_categorical_crossentropy", y3),
    list("softmax", "categorical_crossentropy", to_categorical(y3)), list("softmax", "mse", to_categorical(y3))
  )
  w <- c(1, 2, 0, 0.5, 1, 1, 3)
  for (head in heads) {
    units <- if (is.matrix(head[[3L]])) ncol(head[[3L]]) else 3
    net <- ref_net(c(4, 6, units), c("tanh", head[[1L]]))
    net[[1L]]$l2 <- 0.02
    net[[1L]]$activity_l1 <- 0.03
    model <- ref_model(net, function(i) {
      if (i == 1) list(kernel_regularizer = regularizer_l2(0.02), activity_regularizer = regularizer_l1(0.03)) else list()
    })
    model |> compile(loss = head[[2L]])
    for (weights in list(NULL, w)) {
      out <- compute_gradients(model, x, head[[3L]], sample_weight = weights)
      truth <- ref_gradient(net, x, head[[3L]], head[[2L]], if (is.null(weights)) rep(1, 7) else weights)
      expect_close(out$loss, truth$loss)
      expect_close(out$weights, truth$grads)
      expect_close(out$inputs, truth$inputs)
      expect_identical(lapply(out$weights, dim), lapply(get_weights(model, trainable = TRUE), dim))
      expect_identical(dim(out$inputs), dim(x))
    }
  }
})

# Slopes of evaluate()$loss by every weight; single precision allows steps of about 1e-2.
slopes <- function(model, x, y, h = 0.01) {
  start <- get_weights(model)
  on.exit(set_weights(model, start))
  loss_at <- function(i, j, by) {
    moved <- start
    moved[[i]][j] <- moved[[i]][j] + by
    set_weights(model, moved)
    evaluate(model, x, y)$loss
  }
  lapply(seq_along(start), function(i) {
    vapply(seq_along(start[[i]]), function(j) (loss_at(i, j, h) - loss_at(i, j, -h)) / (2 * h), 0)
  })
}

test_that("gradients are the slopes of evaluate()$loss for every loss the core has", {
  small <- wave_matrix(5, 2)
  unit <- matrix(c(0.9, 0.2, 0.4, 0.7, 0.1, 0.1, 0.8, 0.6, 0.3, 0.9), 5)
  for (loss in vocabulary("loss")$names) {
    y <- if (grepl("sparse", loss)) c(0, 1, 1, 0, 1)
         else if (grepl("categorical", loss) || loss == "kl_divergence") unit / rowSums(unit)
         else if (grepl("hinge", loss)) sign(unit - 0.5) else unit
    for (activation in c("sigmoid", "softmax")) {
      model <- ref_model(ref_net(c(2, 3, 2), c("tanh", activation)))
      model |> compile(loss = loss)
      out <- compute_gradients(model, small, y)
      expect_equal(out$loss, evaluate(model, small, y)$loss, tolerance = 1e-6, info = loss)
      truth <- slopes(model, small, y)
      gap <- max(abs(unlist(out$weights) - unlist(truth)))
      expect_lt(gap, 2e-3 * max(1, abs(unlist(truth))), label = paste(loss, activation, gap))
    }
  }
})

test_that("losses from logits", {
  y <- to_categorical(y3)
  net <- ref_net(c(4, 3), "softmax")
  model <- ref_model(net)
  logits <- keras_model_sequential(input_shape = 4) |> layer_dense(3)
  set_weights(logits, get_weights(model))
  model |> compile(loss = "categorical_crossentropy")
  for (loss in list(loss_categorical_crossentropy(from_logits = TRUE), loss_sparse_categorical_crossentropy(from_logits = TRUE))) {
    logits |> compile(loss = loss)
    target <- if (loss$type == "categorical_crossentropy") y else y3
    expect_close(compute_gradients(logits, x, target), compute_gradients(model, x, y))
  }
})

test_that("nothing of the model moves, whatever `training` is", {
  set.seed(2)
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(6, activation = "relu") |>
    layer_dropout(0.5) |>
    layer_dense(3, activation = "softmax")
  model |> compile(loss = "sparse_categorical_crossentropy")
  model |> fit(x, y3)
  before <- model_snapshot(model)
  calm <- compute_gradients(model, x, y3)
  noisy <- compute_gradients(model, x, y3, training = TRUE)
  expect_identical(model_snapshot(model), before)
  expect_equal(calm$loss, evaluate(model, x, y3)$loss, tolerance = 1e-6)
  expect_false(isTRUE(all.equal(calm$loss, noisy$loss)))
})

test_that("frozen weights have no gradient; a model without trained weights has those of its inputs", {
  net <- ref_net(c(4, 5, 3), c("tanh", "softmax"))
  model <- ref_model(net)
  model |> compile(loss = "sparse_categorical_crossentropy")
  freeze_weights(model, to = 1)
  truth <- ref_gradient(net, x, y3, "sparse_categorical_crossentropy")
  out <- compute_gradients(model, x, y3)
  expect_close(out$weights, truth$grads[[2L]])
  freeze_weights(model)
  out <- compute_gradients(model, x, y3)
  expect_identical(out$weights, list())
  expect_close(out$inputs, truth$inputs)
})

test_that("a loss of one's own has gradients too", {
  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  net <- ref_net(c(4, 5, 2), c("tanh", "linear"))
  model <- ref_model(net)
  y <- matrix(cos(1:14), 7)
  model |> compile(loss = own)
  expect_close(compute_gradients(model, x, y), ref_gradient(net, x, y, "mse"))
})

test_that("layer_outputs() gives the arrays of chosen layers", {
  net <- ref_net(c(4, 5, 3), c("tanh", "softmax"))
  model <- ref_model(net, function(i) list(name = c("hidden", "head")[i]))
  pass <- ref_forward(net, x)
  expect_close(layer_outputs(model, x), pass$out)
  expect_close(layer_outputs(model, x, "hidden"), pass$a[[2L]])
  expect_close(layer_outputs(model, x, 1), pass$a[[2L]])
  expect_close(layer_outputs(model, x, -1), pass$out)
  both <- layer_outputs(model, x, c("head", "hidden"))
  expect_identical(names(both), c("head", "hidden"))
  expect_close(both, list(pass$out, pass$a[[2L]]))
  expect_error(layer_outputs(model, x, "hiden"), "hidden", class = "lamina_error_argument")
})

test_that("outputs of many samples are those of each", {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 3) |>
    layer_dense(4, activation = "tanh", name = "hidden") |>
    layer_dense(2, name = "out")
  x <- wave_matrix(300, 3)
  all <- layer_outputs(model, x, c("hidden", "out"))
  expect_identical(all$out, predict(model, x))
  expect_identical(layer_outputs(model, x[300, , drop = FALSE], "hidden"), all$hidden[300, , drop = FALSE])
})
