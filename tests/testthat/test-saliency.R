x <- wave_matrix(5, 4)

# What the score is in double precision: row i, class k (from 0), from the definition.
ref_scores <- function(net, x, class) {
  pass <- ref_forward(net, x)
  head <- net[[length(net)]]$activation
  value <- if (head %in% c("softmax", "sigmoid")) pass$z[[length(net)]] else pass$out
  if (ncol(value) == 1L && head == "sigmoid") value[, 1L] * (2 * class - 1) else value[cbind(seq_len(nrow(x)), class + 1)]
}

test_that("the gradient is the slope of the class's score, for every kind of head", {
  for (head in list(list("softmax", 3), list("sigmoid", 3), list("sigmoid", 1), list("linear", 2), list("tanh", 2))) {
    net <- ref_net(c(4, 6, head[[2L]]), c("tanh", head[[1L]]))
    model <- ref_model(net)
    class <- c(0, 1, 0, 1, 1) * (head[[2L]] > 1 || head[[1L]] == "sigmoid")
    out <- saliency(model, x, class)
    expect_close(out$attribution, numeric_gradient(function(at) sum(ref_scores(net, at, class)), x, 1e-5))
    expect_close(out$score, ref_scores(net, x, class))
    expect_identical(out$class, as.integer(class))
    expect_identical(dim(out$attribution), dim(x))
  }
})

test_that("penalties and dropout do not count, frozen layers do, and nothing moves", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  plain <- saliency(ref_model(net), x, 1)
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(6, activation = "tanh", activity_regularizer = regularizer_l1_l2(0.3, 0.2)) |>
    layer_dropout(0.5) |>
    layer_dense(3) |>
    layer_activation("softmax")
  set_weights(model, ref_weights(net))
  model |> compile(loss = "sparse_categorical_crossentropy")
  model$trainable <- FALSE
  before <- model_snapshot(model)
  set.seed(3)
  seed <- .Random.seed
  out <- saliency(model, x, 1)
  expect_identical(model_snapshot(model), before)
  expect_identical(.Random.seed, seed)
  expect_close(out$attribution, plain$attribution)
  expect_close(out$score, plain$score)
  model$trainable <- TRUE
  expect_identical(saliency(model, x, 1), out)
})

test_that("gradients between inner layers are slopes too, and do not depend on the batches", {
  net <- ref_net(c(4, 5, 6, 3), c("tanh", "sigmoid", "softmax"))
  model <- ref_model(net)
  h <- ref_forward(net, x)$a[[2L]]
  seed <- matrix(cos(1:30), 5)
  for (linear in c(FALSE, TRUE)) {
    f <- function(at) {
      pass <- ref_forward(net[2L], at)
      sum(seed * if (linear) pass$z[[1L]] else pass$out)
    }
    out <- vjp_layers(model, h, 1L, 2L, seed, linear)
    expect_close(out$gradient, numeric_gradient(f, h, 1e-5))
    pass <- ref_forward(net[2L], h)
    expect_close(out$outputs, if (linear) pass$z[[1L]] else pass$out)
    expect_identical(vjp_layers(model, h, 1L, 2L, seed, linear, batch_size = 2), out)
  }
})

test_that("class is the predicted one, a number, one a sample, or a factor", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  model <- ref_model(net)
  expect_identical(saliency(model, x)$class, max.col(ref_forward(net, x)$out) - 1L)
  expect_identical(saliency(model, x, 2)$class, rep(2L, 5))
  y <- factor(c("a", "b", "c", "b", "a"))
  expect_identical(saliency(model, x, y), saliency(model, x, c(0, 1, 2, 1, 0)))
  one <- ref_model(ref_net(c(4, 1), "sigmoid"))
  p <- as.vector(predict(one, x))
  expect_identical(saliency(one, x)$class, as.integer(p > 0.5))
  expect_true(all(saliency(one, x)$score >= 0))
})

test_that("integrated gradients sum to the difference of the scores", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  model <- ref_model(net)
  baseline <- x * 0 + 0.2
  error <- function(steps) {
    out <- saliency(model, x, 1, method = "integrated", steps = steps, baseline = 0.2)
    expect_close(out$score - out$baseline_score, ref_scores(net, x, rep(1, 5)) - ref_scores(net, baseline, rep(1, 5)))
    max(abs(rowSums(out$attribution) - (out$score - out$baseline_score)))
  }
  # the midpoint rule's error falls with the square of the number of steps
  expect_lt(error(5), 0.02)
  expect_lt(error(50), error(5) / 50)
  expect_lt(error(200), 1e-5)

  # of a linear model it is weight times distance, whatever the steps
  line <- ref_model(ref_net(c(4, 2), "linear"))
  out <- saliency(line, x, 1, method = "integrated", steps = 1, baseline = c(1, 0, -1, 2))
  expect_close(out$attribution, t((t(x) - c(1, 0, -1, 2)) * get_weights(line)[[1L]][, 2L]))
  expect_identical(saliency(line, x, 1, method = "integrated", steps = 3, baseline = x)$attribution, 0 * x)
})

test_that("smooth gradients are means over noisy copies that set.seed() repeats", {
  model <- ref_model(ref_net(c(4, 6, 3), c("tanh", "softmax")))
  plain <- saliency(model, x, 0)
  expect_close(saliency(model, x, 0, method = "smooth", samples = 3, noise = 0)$attribution, plain$attribution)
  set.seed(1)
  first <- saliency(model, x, 0, method = "smooth", samples = 4)
  set.seed(1)
  expect_identical(saliency(model, x, 0, method = "smooth", samples = 4), first)
  set.seed(1)
  spread <- 0.15 * apply(x, 1, function(row) max(row) - min(row))
  by_hand <- lapply(1:4, function(i) saliency(model, x + spread * rnorm(20), 0)$attribution)
  expect_close(first$attribution, Reduce(`+`, by_hand) / 4)
  line <- ref_model(ref_net(c(4, 2), "linear"))
  expect_close(saliency(line, x, 1, method = "smooth")$attribution, saliency(line, x, 1)$attribution)
})

test_that("maps of pictures take the largest size over channels, or the sum", {
  g <- array(c(1, -2, 3, -4, -5, 6, -7, 8), c(1, 2, 2, 2))
  expect_identical(saliency_map(g, "gradient")[1, , ], matrix(c(5, 6, 7, 8), 2))
  expect_identical(saliency_map(g, "integrated")[1, , ], matrix(c(-4, 4, -4, 4), 2))
  expect_identical(saliency_map(g[, , , 1, drop = TRUE], "gradient"), NULL)
  expect_identical(saliency_map(array(-1, c(1, 2, 2)), "smooth"), array(1, c(1, 2, 2)))
})

# Maps made without a convolution: 4 x 3 places, 2 channels.
map_model <- function() {
  net <- ref_net(c(6, 24, 5, 3), c("tanh", "tanh", "softmax"))
  model <- keras_model_sequential(input_shape = c(3, 2, 1)) |>
    layer_flatten() |>
    layer_dense(24, activation = "tanh") |>
    layer_reshape(c(4, 3, 2), name = "maps") |>
    layer_flatten() |>
    layer_dense(5, activation = "tanh") |>
    layer_dense(3, activation = "softmax", name = "head")
  set_weights(model, ref_weights(net))
  list(model = model, net = net)
}

by_rows <- function(x) matrix(aperm(x, c(1, 4, 3, 2)), dim(x)[1L]) # samples x numbers, as Keras flattens

test_that("Grad-CAM weighs maps by their mean slope", {
  both <- map_model()
  pictures <- array(sin(1:24), c(4, 3, 2, 1))
  out <- grad_cam(both$model, pictures, class = 2, layer = "maps")
  maps <- layer_outputs(both$model, pictures, "maps")
  score <- function(a) sum(ref_scores(both$net[2:3], by_rows(a), rep(2, 4)))
  slope <- numeric_gradient(score, maps, 1e-5)
  alpha <- apply(slope, c(1, 4), mean)
  by_hand <- array(0, c(4, 4, 3))
  for (i in 1:4) by_hand[i, , ] <- pmax(alpha[i, 1] * maps[i, , , 1] + alpha[i, 2] * maps[i, , , 2], 0)
  expect_close(out$weights, alpha)
  expect_close(out$map, by_hand)
  expect_close(out$score, ref_scores(both$net, by_rows(pictures), rep(2, 4)))
  expect_identical(dim(out$upsampled), c(4L, 3L, 2L))
  expect_identical(grad_cam(both$model, pictures[2, , , , drop = FALSE], 2, 3)$map[1, , ], out$map[2, , ])
})

test_that("maps are brought to another size by bilinear interpolation", {
  ramp <- array(rep(1:4, 3), c(1, 4, 3))
  expect_equal(upsample_maps(ramp, c(4, 3)), ramp)
  expect_equal(upsample_maps(ramp, c(8, 3))[1, , 2], c(1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4))
  expect_equal(upsample_maps(ramp, c(2, 1))[1, , ], c(1.5, 3.5))
  expect_equal(upsample_maps(array(7, c(2, 1, 1)), c(3, 5)), array(7, c(2, 3, 5)))
  for (size in c(1, 2, 5, 9)) expect_equal(rowSums(interpolation_matrix(4, size)), rep(1, size))
})

test_that("maximize_activation() climbs, stays in range and is repeatable", {
  both <- map_model()
  set.seed(5)
  found <- maximize_activation(both$model, "head", steps = 20)
  expect_identical(dim(found$pictures), c(3L, 3L, 2L, 1L))
  expect_identical(dim(found$activation), c(3L, 21L))
  expect_true(all(found$activation[, 21] > found$activation[, 1]))
  expect_true(all(found$pictures >= 0 & found$pictures <= 1))
  set.seed(5)
  expect_identical(maximize_activation(both$model, "head", steps = 20), found)
  # of a linear unit the best picture is 1 where weights are positive and 0 elsewhere
  line <- keras_model_sequential(input_shape = c(2, 2, 1)) |> layer_flatten() |> layer_dense(1, activation = "relu")
  set_weights(line, list(matrix(c(1, -1, -2, 3)), -10))
  best <- maximize_activation(line, 2, jitter = 0, blur = FALSE, l2 = 0)
  expect_identical(as.vector(by_rows(best$pictures)), c(1, 0, 0, 1))
  expect_equal(best$activation[1, 61], 4 - 10)
  small <- maximize_activation(both$model, "maps", filter = 2, steps = 2, range = c(-1, 3))
  expect_identical(small$filter, 2L)
  expect_true(all(small$pictures >= -1 & small$pictures <= 3))
})

test_that("pictures are shifted around and blurred", {
  one <- array(1:12, c(1, 3, 4, 1))
  expect_identical(shift_pictures(one, c(1, 0))[1, , 1, 1], c(3L, 1L, 2L))
  expect_identical(shift_pictures(one, c(0, -1))[1, 1, , 1], c(4L, 7L, 10L, 1L))
  expect_identical(shift_pictures(shift_pictures(one, c(2, -3)), c(-2, 3)), one)
  point <- array(0, c(1, 5, 5, 1))
  point[1, 3, 3, 1] <- 16
  expect_equal(blur_pictures(point)[1, 2:4, 2:4, 1], outer(c(1, 2, 1), c(1, 2, 1)))
})

test_that("what cannot be explained is refused, and the model stays as it was", {
  model <- ref_model(ref_net(c(4, 6, 3), c("tanh", "softmax")))
  refused(model, saliency(model, x, 3), "lamina_error_argument", "class")
  refused(model, saliency(model, x, -1), "lamina_error_argument", "class")
  refused(model, saliency(model, x, c(0, 1)), "lamina_error_argument", "class")
  refused(model, saliency(model, x, "a"), "lamina_error_argument", "class")
  refused(model, saliency(model, x[, 1:3]), "lamina_error_shape", "x")
  refused(model, saliency(model, x * NA), "lamina_error_data", "x")
  refused(model, saliency(model, x, method = "lime"), "lamina_error_argument", "method")
  refused(model, saliency(model, x, method = "integrated", baseline = 1:3), "lamina_error_argument", "baseline")
  refused(model, grad_cam(model, x), "lamina_error_argument", "layer")
  refused(model, grad_cam(model, x, layer = 1), "lamina_error_argument", "layer")
  refused(model, maximize_activation(model, "none"), "lamina_error_argument", "layer")
  refused(model, maximize_activation(model, 1, filter = 7), "lamina_error_argument", "filter")
  refused(model, maximize_activation(model, 1, range = c(1, 0)), "lamina_error_argument", "range")
  expect_error(plot(saliency(model, x)), class = "lamina_error_state")

  both <- map_model()
  error <- refused(both$model, grad_cam(both$model, array(0, c(1, 3, 2, 1)), layer = "head"), "lamina_error_argument", "layer")
  expect_match(conditionMessage(error), "Such layers: maps")
  square <- keras_model_sequential(input_shape = c(3, 4)) |> layer_dense(2)
  expect_error(saliency(square, array(0, c(1, 3, 4))), class = "lamina_error_state")
  own <- keras_model_sequential(input_shape = 4) |> layer_dense(2, activation = function(z) z^2)
  expect_error(saliency(own, x), "no gradient", class = "lamina_error_state")
})

test_that("saliency, Grad-CAM and patterns are printed and drawn", {
  both <- map_model()
  pictures <- array((sin(1:24) + 1) / 2, c(4, 3, 2, 1))
  seen <- list(
    saliency(both$model, pictures), saliency(both$model, pictures, method = "integrated"),
    grad_cam(both$model, pictures, layer = "maps"), maximize_activation(both$model, "head", steps = 3)
  )
  local_device()
  for (one in seen) {
    expect_output(expect_invisible(print(one)), "<")
    array <- if (!is.null(one$pictures)) one$pictures else if (is.null(one$map)) one$upsampled else one$map
    if (inherits(one, "lamina_grad_cam")) array <- one$upsampled
    expect_no_warning(expect_identical(plot(one, method = "base", max = 2), array))
    skip_if_not_installed("ggplot2")
    plot <- plot(one)
    expect_no_warning(print(plot))
    expect_identical(attr(plot, "array"), array)
  }
  expect_error(plot(seen[[1L]], class_names = "a"), class = "lamina_error_argument")
  expect_error(plot(seen[[1L]], colour = 1), class = "lamina_error_argument")
})

test_that("a gradient through many layers is the chain of those through each", {
  set.seed(6)
  model <- keras_model_sequential(input_shape = c(12, 12, 2)) |>
    layer_conv_2d(6, kernel_size = 3, activation = "relu", padding = "same") |>
    layer_max_pooling_2d() |>
    layer_conv_2d(6, kernel_size = 3, use_bias = FALSE) |>
    layer_batch_normalization() |>
    layer_activation("relu") |>
    layer_dropout(0.5) |>
    layer_average_pooling_2d(pool_size = 2) |>
    layer_flatten() |>
    layer_dense(5, activation = "tanh") |>
    layer_dense(3, activation = "softmax")
  w <- get_weights(model)
  w <- lapply(w, function(v) v + stats::runif(length(v), 0, 0.5)) # moving variances stay positive
  set_weights(model, w)
  x <- array(stats::runif(3 * 288), c(3, 12, 12, 2))
  layers <- length(model_layers(model))
  inputs <- c(list(x), layer_outputs(model, x, seq_len(layers)))
  seed <- matrix(stats::rnorm(9), 3)
  for (linear in c(FALSE, TRUE)) {
    gradient <- seed
    for (from in rev(seq_len(layers)) - 1L) {
      gradient <- vjp_layers(model, inputs[[from + 1L]], from, from + 1L, gradient, linear && from == layers - 1L)$gradient
      whole <- vjp_layers(model, inputs[[from + 1L]], from, layers, seed, linear)
      expect_close(whole$gradient, gradient)
      if (!linear) expect_close(whole$outputs, inputs[[layers + 1L]])
    }
  }
  # batch normalization in prediction is a fixed line for each channel, whatever the other samples are
  expect_identical(saliency(model, x, 1)$attribution[2, , , ], saliency(model, x[2, , , , drop = FALSE], 1)$attribution[1, , , ])
  at <- inputs[[4L]]
  own <- vjp_layers(model, at, 3L, 4L, array(1, dim(at)))$gradient
  line <- w[[4L]] / sqrt(w[[7L]] + 1e-3)
  expect_close(own, array(rep(line, each = prod(dim(at)[1:3])), dim(at)))
})
