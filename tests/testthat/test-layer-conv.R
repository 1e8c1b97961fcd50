# Convolutions in double precision, written from the definitions with plain loops.

wave <- function(...) array(sin(seq_len(prod(...))^1.3), c(...))

# Output size and zeros in front, along one dimension.
ref_place <- function(input, size, stride, dilation, padding) {
  span <- (size - 1) * dilation + 1
  if (padding == "valid") {
    return(c(floor((input - span) / stride) + 1, 0))
  }
  out <- ceiling(input / stride)
  c(out, if (padding == "causal") span - 1 else max((out - 1) * stride + span - input, 0) %/% 2)
}

# x (n, h, w, c), kernel (kh, kw, c / groups, o); stride, dilation, padding for both dimensions.
ref_conv <- function(x, kernel, stride = c(1, 1), dilation = c(1, 1), padding = "valid", groups = 1) {
  dx <- dim(x)
  dk <- dim(kernel)
  rows <- ref_place(dx[2], dk[1], stride[1], dilation[1], padding)
  cols <- ref_place(dx[3], dk[2], stride[2], dilation[2], padding)
  y <- array(0, c(dx[1], rows[1], cols[1], dk[4]))
  for (p in seq_len(rows[1])) for (q in seq_len(cols[1])) for (i in seq_len(dk[1])) for (j in seq_len(dk[2])) {
    r <- (p - 1) * stride[1] + (i - 1) * dilation[1] - rows[2] + 1
    s <- (q - 1) * stride[2] + (j - 1) * dilation[2] - cols[2] + 1
    if (r < 1 || r > dx[2] || s < 1 || s > dx[3]) next
    for (o in seq_len(dk[4])) {
      group <- (o - 1) %/% (dk[4] / groups)
      seen <- group * dk[3] + seq_len(dk[3])
      y[, p, q, o] <- y[, p, q, o] + matrix(x[, r, s, seen], dx[1]) %*% kernel[i, j, , o]
    }
  }
  y
}

plus <- function(z, bias) sweep(z, length(dim(z)), bias, "+")
relu <- function(z) array(pmax(z, 0), dim(z))

# A model of one layer with the given weights.
one_layer <- function(shape, layer, weights) {
  model <- keras_model_sequential(input_shape = shape)
  layer(model)
  set_weights(model, weights)
  model
}

test_that("a convolution is the sum over its window", {
  x <- wave(2, 6, 5, 3)
  kernel <- wave(3, 2, 3, 4)
  bias <- c(0.1, -0.2, 0.3, 0)
  cases <- list(
    list(), list(padding = "same"), list(strides = 2), list(strides = c(3, 2), padding = "same"),
    list(dilation_rate = 2), list(dilation_rate = list(1, 3), padding = "same")
  )
  for (case in cases) {
    full <- utils::modifyList(list(strides = 1, dilation_rate = 1, padding = "valid"), case)
    model <- one_layer(c(6, 5, 3), function(m) {
      do.call(layer_conv_2d, c(list(m, 4, c(3, 2), activation = "relu"), case))
    }, list(kernel, bias))
    z <- ref_conv(x, kernel, rep_len(full$strides, 2), rep_len(unlist(full$dilation_rate), 2), full$padding)
    expect_equal(predict(model, x), relu(plus(z, bias)), tolerance = 1e-5)
  }
})

test_that("values worked out by hand", {
  picture <- matrix(1:16, 4, byrow = TRUE)
  x <- array(picture, c(1, 4, 4, 1))
  sums <- one_layer(c(4, 4, 1), function(m) layer_conv_2d(m, 1, 2, use_bias = FALSE), list(array(1, c(2, 2, 1, 1))))
  expect_equal(predict(sums, x)[1, , , 1], matrix(c(14, 18, 22, 30, 34, 38, 46, 50, 54), 3, byrow = TRUE))

  sobel <- matrix(c(-1, 0, 1, -2, 0, 2, -1, 0, 1), 3, byrow = TRUE)
  step <- matrix(rep(c(0, 0, 1, 1), each = 4), 4)
  edges <- one_layer(c(4, 4, 1), function(m) layer_conv_2d(m, 1, 3, padding = "same", use_bias = FALSE),
                     list(array(sobel, c(3, 3, 1, 1))))
  expect_equal(predict(edges, array(step, c(1, 4, 4, 1)))[1, , , 1],
               matrix(c(0, 3, 3, -3, 0, 4, 4, -4, 0, 4, 4, -4, 0, 3, 3, -3), 4, byrow = TRUE))

  # "same" with an even kernel: the zero stands behind
  pairs <- one_layer(c(4, 1), function(m) layer_conv_1d(m, 1, 2, padding = "same", use_bias = FALSE),
                     list(array(c(1, 10), c(2, 1, 1))))
  expect_equal(predict(pairs, array(1:4, c(1, 4, 1)))[1, , 1], c(21, 32, 43, 4))

  # transposed: 3 numbers, 2 apart, each laid out as (1, 10, 100)
  spread <- one_layer(c(3, 1), function(m) layer_conv_1d_transpose(m, 1, 3, strides = 2, use_bias = FALSE),
                      list(array(c(1, 10, 100), c(3, 1, 1))))
  expect_equal(predict(spread, array(1:3, c(1, 3, 1)))[1, , 1], c(1, 10, 102, 20, 203, 30, 300))
})

test_that("a sequence is a picture of height 1, and causal looks back only", {
  x <- wave(2, 9, 3)
  kernel <- wave(3, 3, 2)
  as_picture <- function(a) array(a, c(dim(a)[1], 1, dim(a)[-1]))
  for (padding in c("valid", "same", "causal")) {
    for (dilation in 1:2) {
      model <- one_layer(c(9, 3), function(m) {
        layer_conv_1d(m, 2, 3, padding = padding, dilation_rate = dilation, use_bias = FALSE)
      }, list(kernel))
      full <- if (padding == "causal") array(0, c(2, 9 + 2 * dilation, 3)) else x
      if (padding == "causal") full[, 2 * dilation + 1:9, ] <- x
      z <- ref_conv(as_picture(full), array(kernel, c(1, 3, 3, 2)), dilation = c(1, dilation),
                    padding = if (padding == "same") "same" else "valid")
      expect_equal(predict(model, x), array(z, dim(z)[-2]), tolerance = 1e-5)
    }
  }
  later <- x
  later[, 6:9, ] <- 5
  expect_identical(predict(model, later)[, 1:5, ], predict(model, x)[, 1:5, ])
})

test_that("groups, depthwise and separable convolutions", {
  x <- wave(2, 5, 4, 4)
  kernel <- wave(2, 3, 2, 6)
  grouped <- one_layer(c(5, 4, 4), function(m) layer_conv_2d(m, 6, c(2, 3), groups = 2, use_bias = FALSE), list(kernel))
  expect_equal(predict(grouped, x), ref_conv(x, kernel, groups = 2), tolerance = 1e-5)

  deep <- wave(3, 3, 4, 2)
  # output channel c * 2 + k from channel c: a convolution of one channel at a time
  each <- lapply(1:4, function(c) ref_conv(x[, , , c, drop = FALSE], deep[, , c, , drop = FALSE], padding = "same"))
  mid <- array(unlist(each), c(2, 5, 4, 8))
  bias <- 1:8 / 10
  depthwise <- one_layer(c(5, 4, 4), function(m) {
    layer_depthwise_conv_2d(m, 3, padding = "same", depth_multiplier = 2, activation = "relu")
  }, list(deep, bias))
  expect_equal(predict(depthwise, x), relu(plus(mid, bias)), tolerance = 1e-5)

  point <- wave(1, 1, 8, 3)
  separable <- one_layer(c(5, 4, 4), function(m) {
    layer_separable_conv_2d(m, 3, 3, padding = "same", depth_multiplier = 2, activation = "tanh")
  }, list(deep, point, bias[1:3]))
  expect_equal(predict(separable, x), tanh(plus(ref_conv(mid, point), bias[1:3])), tolerance = 1e-5)
})

test_that("a transposed convolution is the adjoint of the convolution with its kernel", {
  cases <- list(
    list(3, 2, 1), list(2, 2, 2), list(c(3, 4), c(2, 3), 1), list(3, 1, 2), list(c(1, 2), c(2, 3), 1)
  )
  x <- wave(1, 4, 3, 2)
  for (case in cases) {
    size <- rep_len(case[[1]], 2)
    stride <- rep_len(case[[2]], 2)
    if (any(stride > 1)) case[[3]] <- 1
    kernel <- wave(size[1], size[2], 3, 2)
    for (padding in c("valid", "same")) {
      model <- one_layer(c(4, 3, 2), function(m) {
        layer_conv_2d_transpose(m, 3, size, strides = stride, padding = padding, dilation_rate = case[[3]],
                                use_bias = FALSE)
      }, list(kernel))
      y <- predict(model, x)
      # <T x, u> = <x, C u>
      u <- array(cos(seq_along(y)), dim(y))
      back <- ref_conv(u, kernel, stride, rep(case[[3]], 2), padding)
      expect_identical(dim(back), dim(x))
      expect_equal(sum(y * u), sum(x * back), tolerance = 1e-5)
    }
  }
})

# Output shapes as Keras gives them.
out_shape <- function(shape, layer, ...) {
  model <- keras_model_sequential(input_shape = shape)
  layer(model, ...)
  unlist(model$layers[[1]]$output_shape)
}

test_that("output shapes and numbers of weights are Keras'", {
  expect_equal(out_shape(c(28, 28, 1), layer_conv_2d, 32, c(3, 3)), c(26, 26, 32))
  expect_equal(out_shape(c(10, 10, 128), layer_conv_2d, 32, 3, activation = "relu"), c(8, 8, 32))
  expect_equal(out_shape(c(10, 128), layer_conv_1d, 32, 3, activation = "relu"), c(8, 32))
  expect_equal(out_shape(c(10, 12), layer_depthwise_conv_1d, 3, strides = 3, activation = "relu"), c(3, 12))
  expect_equal(out_shape(c(10, 10, 12), layer_depthwise_conv_2d, 3, activation = "relu"), c(8, 8, 12))
  expect_equal(out_shape(c(10, 12), layer_separable_conv_1d, 3, 2, 2, activation = "relu"), c(5, 3))
  expect_equal(out_shape(c(10, 10, 12), layer_separable_conv_2d, 3, 4, strides = 3, padding = "same"), c(4, 4, 3))
  expect_equal(out_shape(c(10, 128), layer_conv_1d_transpose, 32, 3, 2, activation = "relu"), c(21, 32))
  expect_equal(out_shape(c(10, 8, 128), layer_conv_2d_transpose, 32, 2, 2, activation = "relu"), c(20, 16, 32))
  expect_equal(out_shape(c(7, 7, 4), layer_conv_2d_transpose, 2, 3, 2, "same"), c(14, 14, 2))
  expect_equal(out_shape(c(7, 7, 4), layer_conv_2d_transpose, 2, 3, 2, "same", output_padding = 0), c(13, 13, 2))
  expect_equal(out_shape(c(7, 7, 4), layer_conv_2d_transpose, 2, 3, 2, "valid", 1), c(16, 16, 2))
  expect_equal(out_shape(c(7, 4), layer_conv_1d_transpose, 2, 2, 3), c(21, 2))

  model <- keras_model_sequential(input_shape = c(28, 28, 3)) |>
    layer_conv_2d(8, 5) |>
    layer_depthwise_conv_2d(3, depth_multiplier = 2) |>
    layer_separable_conv_2d(4, 3) |>
    layer_conv_2d_transpose(2, 3)
  params <- vapply(model$layers, count_params, 0)
  expect_equal(params, c(5 * 5 * 3 * 8 + 8, 9 * 8 * 2 + 16, 9 * 16 + 16 * 4 + 4, 9 * 2 * 4 + 2))
  shapes <- lapply(get_weights(model), dim)
  expect_identical(shapes[[1]], c(5L, 5L, 3L, 8L))
  expect_identical(shapes[[3]], c(3L, 3L, 8L, 2L))
  expect_identical(shapes[[5]], c(3L, 3L, 16L, 1L))
  expect_identical(shapes[[6]], c(1L, 1L, 16L, 4L))
  expect_identical(shapes[[8]], c(3L, 3L, 2L, 4L))
  names <- vapply(model$layers, function(l) l$name, "")
  expect_identical(names, c("conv2d", "depthwise_conv2d", "separable_conv2d", "conv2d_transpose"))
})

test_that("scalars, vectors and lists serve as sizes, and padding in any case", {
  same <- list(
    layer_conv_2d(filters = 2, kernel_size = 3, strides = 2, padding = "SAME"),
    layer_conv_2d(filters = 2, kernel_size = c(3, 3), strides = c(2, 2), padding = "same"),
    layer_conv_2d(filters = 2, kernel_size = list(3L, 3L), strides = list(2L, 2L), padding = "Same"),
    layer_conv_2d(filters = 2, kernel_size = shape(3, 3), strides = tuple(2, 2), padding = "same")
  )
  for (layer in same) {
    expect_identical(layer$config, same[[1]]$config)
  }
  expect_identical(same[[1]]$kernel_size, c(3, 3))
  expect_identical(layer_conv_1d(filters = 2, kernel_size = list(5))$kernel_size, 5)
})

test_that("initial weights have Keras' spread", {
  set.seed(1)
  limits <- function(layer) {
    model <- keras_model_sequential(input_shape = c(9, 9, 20))
    layer(model)
    range(get_weights(model)[[1]])
  }
  # glorot uniform: sqrt(6 / (receptive field * (shape[-2] + shape[-1])))
  bound <- sqrt(6 / (9 * (20 + 30)))
  expect_equal(limits(function(m) layer_conv_2d(m, 30, 3)), c(-bound, bound), tolerance = 0.01)
  bound <- sqrt(6 / (49 * (20 + 4)))
  expect_equal(limits(function(m) layer_depthwise_conv_2d(m, 7, depth_multiplier = 4)), c(-bound, bound), tolerance = 0.01)
  expect_equal(limits(function(m) layer_conv_2d(m, 3, 2, kernel_initializer = "ones")), c(1, 1))
})

small_cnn <- function() {
  model <- keras_model_sequential(input_shape = c(6, 5, 2)) |>
    layer_conv_2d(3, c(3, 2), padding = "same", activation = "tanh", kernel_regularizer = regularizer_l2(0.01)) |>
    layer_depthwise_conv_2d(2, strides = 2, activation = "gelu") |>
    layer_separable_conv_2d(2, 2, padding = "same", activation = "sigmoid", activity_regularizer = "l2") |>
    layer_conv_2d_transpose(2, 3, strides = 2, activation = "tanh") |>
    layer_flatten() |>
    layer_dense(2)
  set_weights(model, lapply(get_weights(model), function(w) replace(w, seq_along(w), sin(seq_along(w) * 1.7) / 2)))
  compile(model, optimizer = optimizer_sgd(0.1), loss = "mse")
  model
}

test_that("gradients are the slopes of the loss", {
  model <- small_cnn()
  x <- wave(3, 6, 5, 2)
  y <- matrix(cos(1:6), 3)
  out <- compute_gradients(model, x, y)
  start <- get_weights(model)
  loss_of <- function(weights, inputs = x) {
    set_weights(model, weights)
    evaluate(model, inputs, y)$loss
  }
  h <- 0.01
  for (w in seq_along(start)) {
    for (i in unique(round(seq(1, length(start[[w]]), length.out = 5)))) {
      up <- down <- start
      up[[w]][i] <- up[[w]][i] + h
      down[[w]][i] <- down[[w]][i] - h
      slope <- (loss_of(up) - loss_of(down)) / (2 * h)
      expect_lt(abs(out$weights[[w]][i] - slope), 1e-3 * max(1, abs(slope)), label = paste("weight", w, i))
    }
  }
  for (i in c(1, 50, 100, 180)) {
    up <- down <- x
    up[i] <- up[i] + h
    down[i] <- down[i] - h
    slope <- (loss_of(start, up) - loss_of(start, down)) / (2 * h)
    expect_lt(abs(out$inputs[i] - slope), 1e-3 * max(1, abs(slope)), label = paste("input", i))
  }
})

test_that("training is the same with one and two threads, and survives saving", {
  threads <- lamina_threads()
  on.exit(lamina_threads(threads))
  x <- wave(70, 6, 5, 2)
  y <- matrix(sin(1:140), 70)
  trained <- lapply(1:2, function(n) {
    lamina_threads(n)
    set.seed(4)
    model <- small_cnn()
    fit(model, x, y, epochs = 2, batch_size = 32)
    model
  })
  expect_identical(get_weights(trained[[1]]), get_weights(trained[[2]]))
  expect_identical(predict(trained[[1]], x), predict(trained[[2]], x))

  path <- tempfile(fileext = ".rds")
  on.exit(unlink(path), add = TRUE)
  saveRDS(trained[[1]], path)
  expect_identical(predict(readRDS(path), x), predict(trained[[1]], x))
  copy <- clone_model(trained[[1]])
  set_weights(copy, get_weights(trained[[1]]))
  expect_identical(predict(copy, x), predict(trained[[1]], x))
})

test_that("a network may end in a convolution", {
  model <- keras_model_sequential(input_shape = c(4, 4, 1)) |>
    layer_conv_2d(4, 3, padding = "same", activation = "relu") |>
    layer_conv_2d(1, 3, padding = "same", activation = "sigmoid")
  compile(model, optimizer = "adam", loss = "binary_crossentropy")
  x <- (wave(20, 4, 4, 1) > 0) * 1
  first <- evaluate(model, x, x)
  p <- predict(model, x)
  expect_equal(first[["loss"]], mean(-(x * log(p) + (1 - x) * log(1 - p))), tolerance = 1e-5)
  fit(model, x, x, epochs = 20)
  expect_lt(evaluate(model, x, x)[["loss"]], first[["loss"]])
})

test_that("a frozen convolution stays, and a constraint holds", {
  model <- keras_model_sequential(input_shape = c(5, 5, 1)) |>
    layer_conv_2d(2, 3, trainable = FALSE) |>
    layer_conv_2d(2, 2, kernel_constraint = constraint_maxnorm(0.5, axis = 1:3)) |>
    layer_flatten() |>
    layer_dense(1)
  compile(model, optimizer = optimizer_sgd(0.5), loss = "mse")
  before <- get_weights(model)
  fit(model, wave(8, 5, 5, 1), 1:8, epochs = 3)
  after <- get_weights(model)
  expect_identical(after[1:2], before[1:2])
  expect_false(identical(after[[3]], before[[3]]))
  expect_lte(max(sqrt(apply(after[[3]]^2, 4, sum))), 0.5 + 1e-5)
})

test_that("what cannot be is refused, and the model stays as it was", {
  model <- keras_model_sequential(input_shape = c(8, 8, 3))
  bad <- function(code, arg) refused(model, code, "lamina_error_argument", arg)
  bad(layer_conv_2d(model, 0, 3), "filters")
  bad(layer_conv_2d(model, 8), "kernel_size")
  bad(layer_conv_2d(model, 8, 0), "kernel_size")
  bad(layer_conv_2d(model, 8, c(3, -3)), "kernel_size")
  bad(layer_conv_2d(model, 8, c(3, 3, 3)), "kernel_size")
  bad(layer_conv_2d(model, 8, numeric()), "kernel_size")
  bad(layer_conv_2d(model, 8, NULL), "kernel_size")
  bad(layer_conv_2d(model, 8, "3"), "kernel_size")
  bad(layer_conv_2d(model, 8, NA), "kernel_size")
  bad(layer_conv_2d(model, 8, 3, strides = 0), "strides")
  bad(layer_conv_2d(model, 8, 3, strides = 1.5), "strides")
  bad(layer_conv_2d(model, 8, 3, padding = "full"), "padding")
  bad(layer_conv_2d(model, 8, 3, padding = "causal"), "padding")
  bad(layer_conv_2d(model, 8, 3, padding = 1), "padding")
  bad(layer_conv_2d(model, 8, 3, strides = 2, dilation_rate = c(1, 2)), "dilation_rate")
  bad(layer_conv_2d(model, 8, 3, data_format = "channels_first"), "data_format")
  bad(layer_conv_2d(model, 8, 3, groups = 3), "groups")
  bad(layer_conv_2d(model, 8, 3, groups = 0), "groups")
  bad(layer_conv_2d(model, 8, 3, activation = "rulu"), "activation")
  bad(layer_conv_2d(model, 8, 3, use_bias = NA), "use_bias")
  bad(layer_conv_2d(model, 8, 3, kernel_initializer = "glorot"), "kernel_initializer")
  bad(layer_conv_2d(model, 8, 3, kernel_size_ = 3), "kernel_size_")
  bad(layer_depthwise_conv_2d(model, 3, depth_multiplier = 0), "depth_multiplier")
  bad(layer_depthwise_conv_2d(model, 3, padding = "causal"), "padding")
  bad(layer_separable_conv_2d(model, 4, 3, pointwise_regularizer = 1), "pointwise_regularizer")
  bad(layer_conv_2d_transpose(model, 4, 3, strides = 2, output_padding = 2), "output_padding")
  bad(layer_conv_2d_transpose(model, 4, 3, strides = 2, output_padding = -1), "output_padding")
  bad(layer_conv_1d(model, 4, c(3, 3)), "kernel_size")

  wrong <- function(code, words) {
    error <- refused(model, code, "lamina_error_shape")
    expect_match(conditionMessage(error), words)
  }
  wrong(layer_conv_2d(model, 8, 9), "9 x 9.*\\(8, 8, 3\\)")
  wrong(layer_conv_2d(model, 8, 3, dilation_rate = 4), "9 x 9")
  wrong(layer_conv_2d(model, 8, 3, groups = 4), "groups")
  wrong(layer_conv_1d(model, 8, 3), "\\(steps, channels\\)")
  expect_length(model$layers, 0)

  grey <- keras_model_sequential(input_shape = c(28, 28))
  error <- expect_error(layer_conv_2d(grey, 8, 3), class = "lamina_error_shape")
  expect_match(conditionMessage(error), "Grey pictures have one channel")
  expect_error(layer_conv_2d(8, 3, 2), "model", class = "lamina_error_argument")
})
