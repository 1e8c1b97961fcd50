x <- wave_matrix(5, 4)
net <- ref_net(c(4, 5, 6, 3), c("tanh", "sigmoid", "softmax"))

test_that("activations() gives the arrays of dense layers, or of those chosen", {
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(5, activation = "tanh", name = "one") |>
    layer_dropout(0.5, name = "drop") |>
    layer_dense(6, activation = "sigmoid", name = "two") |>
    layer_dense(3, activation = "softmax", name = "three")
  set_weights(model, ref_weights(net))
  pass <- ref_forward(net, x)
  out <- activations(model, x)
  expect_identical(names(out), c("one", "two", "three"))
  expect_close(out, pass$a[2:4])
  expect_identical(lapply(out, dim), list(one = c(5L, 5L), two = c(5L, 6L), three = c(5L, 3L)))
  expect_identical(activations(model, x, "two"), out["two"])
  expect_identical(activations(model, x, c(-1, 1)), out[c("three", "one")])
  expect_identical(activations(model, x, list(model$layers[[1L]], "three")), out[c("one", "three")])
  expect_identical(activations(model, x, get_layer(model, "two")), out["two"])
  expect_identical(activations(model, x, "drop")[[1L]], out$one)
  expect_false(identical(activations(model, x, "drop", training = TRUE)[[1L]], out$one))
  own <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = function(z) z^2, use_bias = FALSE)
  expect_close(activations(own, x)$dense, (x %*% get_weights(own)[[1L]])^2)
})

test_that("unknown layers and inputs of another shape are refused", {
  model <- ref_model(net, function(i) list(name = paste0("layer", i)))
  expect_match(conditionMessage(refused(model, activations(model, x, "layer4"), "lamina_error_argument", "layers")), "layer1")
  refused(model, activations(model, x, 0), "lamina_error_argument", "layers")
  refused(model, activations(model, x, 4), "lamina_error_argument", "layers")
  refused(model, activations(model, x, 1.5), "lamina_error_argument", "layers")
  refused(model, activations(model, x[, 1:2]), "lamina_error_shape", "x")
  refused(model, activations(model, x, training = 2), "lamina_error_argument", "training")
  refused(model, plot_feature_maps(model, x), "lamina_error_argument", "model")
  refused(model, plot_feature_maps(model, x, "layer1"), "lamina_error_argument", "layer")
  refused(model, plot_filters(model), "lamina_error_argument", "model")
  refused(model, plot_filters(model, 1), "lamina_error_argument", "layer")
})

test_that("one picture may come without the dimension of samples", {
  model <- keras_model_sequential(input_shape = c(3, 4, 1)) |> layer_flatten() |> layer_dense(2)
  picture <- array(sin(1:12), c(3, 4, 1))
  expect_identical(activations(model, picture), activations(model, array(picture, c(1, 3, 4, 1))))
  expect_identical(activations(model, picture[, , 1, drop = TRUE] |> array(c(1, 3, 4))), activations(model, picture))
})

test_that("maps of a picture are drawn", {
  local_device()
  model <- keras_model_sequential(input_shape = c(3, 2, 1)) |>
    layer_flatten() |>
    layer_dense(24) |>
    layer_reshape(c(4, 3, 2), name = "maps")
  pictures <- array(sin(1:12), c(2, 3, 2, 1))
  maps <- layer_outputs(model, pictures, "maps")
  expect_identical(plot_feature_maps(model, pictures, method = "base"), maps[1, , , ])
  expect_identical(plot_feature_maps(model, pictures, "maps", sample = 2, max = 1, method = "base"), maps[2, , , ])
  expect_error(plot_feature_maps(model, pictures, sample = 3), class = "lamina_error_argument")
  skip_if_not_installed("ggplot2")
  plot <- plot_feature_maps(model, pictures)
  expect_no_warning(print(plot))
  expect_identical(attr(plot, "array"), maps[1, , , ])
})
