# The definitions, for one sequence x (steps, features); `seen` steps count.

softmax_rows <- function(s) {
  e <- exp(s - apply(s, 1, function(v) max(v[is.finite(v)])))
  e / rowSums(e)
}

# What each step gives to the others; those that are hidden give `blind` to all.
shares_of <- function(s, seen, causal, blind) {
  s[, !seen] <- -Inf
  if (causal) s[upper.tri(s)] <- -Inf
  shares <- matrix(blind, nrow(s), ncol(s))
  shares[seen, ] <- softmax_rows(s[seen, , drop = FALSE])
  shares
}

ref_attention <- function(x, scale = 1, weight = NULL, causal = FALSE, seen = rep(TRUE, nrow(x))) {
  steps <- seq_len(nrow(x))
  dot <- function(i, j) scale * sum(x[i, ] * x[j, ])
  concat <- function(i, j) weight * sum(tanh(scale * (x[i, ] + x[j, ])))
  score <- if (is.null(weight)) dot else concat
  shares_of(outer(steps, steps, Vectorize(score)), seen, causal, 0) %*% x
}

# w: the eight weights in the order of the layer.
ref_multi_head <- function(x, w, causal = FALSE, seen = rep(TRUE, nrow(x))) {
  y <- matrix(w[[8]], nrow(x), length(w[[8]]), byrow = TRUE)
  for (h in seq_len(dim(w[[1]])[2])) {
    part <- function(i) sweep(x %*% array(w[[i]][, h, ], dim(w[[i]])[-2]), 2, w[[i + 1]][h, ], "+")
    s <- part(1) %*% t(part(3)) / sqrt(dim(w[[1]])[3])
    out <- matrix(w[[7]][h, , ], dim(w[[7]])[2])
    y <- y + shares_of(s, seen, causal, 1 / nrow(x)) %*% part(5) %*% out
  }
  y
}

each_sample <- function(x, f) {
  out <- lapply(seq_len(dim(x)[1]), function(i) f(array(x[i, , ], dim(x)[-1]), i))
  aperm(array(unlist(out), c(dim(out[[1]]), length(out))), c(3, 1, 2))
}

some_sequences <- function(n = 4, steps = 5, features = 3) {
  array(sin(seq_len(n * steps * features) * 1.7), c(n, steps, features))
}

some_weights <- function(model) {
  lapply(get_weights(model), function(w) {
    array(cos(seq_along(w) * 2.3) * 0.8, if (is.null(dim(w))) length(w) else dim(w))
  })
}

test_that("attention is the mean of all steps, weighted by the softmax of the scores", {
  x <- some_sequences()
  for (causal in c(FALSE, TRUE)) {
    model <- keras_model_sequential(input_shape = c(5, 3)) |> layer_attention(use_causal_mask = causal)
    expect_equal(predict(model, x), each_sample(x, function(s, i) ref_attention(s, causal = causal)), tolerance = 1e-5)
    expect_length(get_weights(model), 0)

    model <- keras_model_sequential(input_shape = c(5, 3)) |>
      layer_attention(use_scale = TRUE, score_mode = "concat", use_causal_mask = causal)
    expect_equal(as.double(unlist(get_weights(model))), c(1, 1))
    set_weights(model, list(0.7, -1.3))
    want <- each_sample(x, function(s, i) ref_attention(s, 0.7, -1.3, causal))
    expect_equal(predict(model, x), want, tolerance = 1e-5)
  }
})

test_that("multi-head attention keeps its definition", {
  x <- some_sequences()
  for (causal in c(FALSE, TRUE)) {
    model <- keras_model_sequential(input_shape = c(5, 3)) |>
      layer_multi_head_attention(num_heads = 2, key_dim = 4, value_dim = 3, output_shape = 6, use_causal_mask = causal)
    w <- some_weights(model)
    set_weights(model, w)
    want <- each_sample(x, function(s, i) ref_multi_head(s, w, causal))
    expect_equal(predict(model, x), want, tolerance = 1e-5)
  }
})

test_that("weights have Keras' order, shapes and start", {
  set.seed(1)
  model <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_multi_head_attention(num_heads = 2, key_dim = 4, value_dim = 6, output_shape = c(7, 2))
  expect_identical(model$layers[[1]]$output_shape, list(NULL, 5L, 7L, 2L))
  w <- get_weights(model)
  expect_identical(lapply(w, dim), list(c(3L, 2L, 4L), c(2L, 4L), c(3L, 2L, 4L), c(2L, 4L), c(3L, 2L, 6L), c(2L, 6L),
                                        c(2L, 6L, 7L, 2L), c(7L, 2L)))
  # glorot_uniform: both fans count the dimensions in front
  for (i in c(1, 3, 5, 7)) {
    d <- rev(dim(w[[i]]))
    limit <- sqrt(6 / ((d[1] + d[2]) * prod(d[-(1:2)])))
    expect_lt(max(abs(w[[i]])), limit)
    expect_gt(max(abs(w[[i]])), 0.8 * limit)
    expect_true(all(w[[i + 1]] == 0))
  }
  expect_false(identical(w[[1]], w[[3]]))
  own <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_multi_head_attention(num_heads = 2, key_dim = 4, use_bias = FALSE,
                               kernel_initializer = function(shape) array(0.25, shape))
  expect_length(get_weights(own), 4)
  expect_true(all(unlist(get_weights(own)) == 0.25))
})

test_that("masked steps are not looked at", {
  x <- some_sequences()
  x[1, 4:5, ] <- 0
  x[2, 1:2, ] <- 0
  x[3, , ] <- 0
  seen <- apply(x != 0, c(1, 2), any)
  for (causal in c(FALSE, TRUE)) {
    model <- keras_model_sequential(input_shape = c(5, 3)) |>
      layer_masking() |>
      layer_attention(use_causal_mask = causal)
    want <- each_sample(x, function(s, i) {
      if (any(seen[i, ])) ref_attention(s, causal = causal, seen = seen[i, ]) else 0 * s
    })
    expect_equal(predict(model, x), want, tolerance = 1e-5)

    model <- keras_model_sequential(input_shape = c(5, 3)) |>
      layer_masking() |>
      layer_multi_head_attention(num_heads = 2, key_dim = 4, use_causal_mask = causal)
    w <- some_weights(model)
    set_weights(model, w)
    want <- each_sample(x, function(s, i) ref_multi_head(s, w, causal, seen[i, ]))
    expect_equal(predict(model, x), want, tolerance = 1e-5)
  }
})

test_that("the mask goes on to pooling, and what it hides does not count", {
  x <- some_sequences()
  x[1, 4:5, ] <- 0
  x[2, 1:2, ] <- 0
  x[3, , ] <- 0
  model <- keras_model_sequential(input_shape = c(5, 3)) |>
    layer_masking() |>
    layer_multi_head_attention(num_heads = 1, key_dim = 2) |>
    layer_layer_normalization(scale = FALSE, center = FALSE) |>
    layer_global_average_pooling_1d()
  w <- some_weights(model)
  set_weights(model, w)
  y <- predict(model, x)
  expect_true(all(is.finite(y)))
  for (i in c(1, 2, 4)) {
    seen <- apply(x[i, , ] != 0, 1, any)
    a <- ref_multi_head(x[i, , ], w, seen = seen)
    a <- (a - rowMeans(a)) / sqrt(rowMeans((a - rowMeans(a))^2) + 1e-3)
    expect_equal(y[i, ], colMeans(a[seen, ]), tolerance = 1e-5)
  }
})

test_that("training takes gradients through attention, masks and pooling", {
  set.seed(3)
  x <- some_sequences(40, 6, 3)
  for (i in 1:40) if (i %% 4 > 0) x[i, (7 - i %% 4):6, ] <- 0
  y <- as.numeric(rowSums(x[, , 1]) > 0)
  model <- keras_model_sequential(input_shape = c(6, 3)) |>
    layer_masking() |>
    layer_multi_head_attention(num_heads = 2, key_dim = 4, dropout = 0.1) |>
    layer_attention(use_scale = TRUE) |>
    layer_layer_normalization() |>
    layer_global_average_pooling_1d() |>
    layer_dense(1, activation = "sigmoid") |>
    compile(loss = "binary_crossentropy", optimizer = optimizer_adam(0.03), metrics = "accuracy")
  before <- get_weights(model)
  fit(model, x, y, epochs = 60, batch_size = 10, verbose = 0)
  # only the key's bias shifts all scores of a query alike, which changes nothing
  moved <- mapply(function(a, b) max(abs(a - b)), before, get_weights(model))
  expect_true(all(moved[-4] > 1e-4))
  expect_gt(evaluate(model, x, y, verbose = 0)$accuracy, 0.9)
})

test_that("dropout of the shares works in training only and has its rate", {
  x <- array(1, c(50, 10, 2)) # all steps alike: a step gives each 1/10
  for (layer in list(layer_attention(dropout = 0.3, seed = 5), layer_attention(dropout = 0.3))) {
    model <- keras_model_sequential(layers = list(layer), input_shape = c(10, 2))
    expect_equal(predict(model, x), x, tolerance = 1e-6)
    set.seed(2)
    y <- layer_outputs(model, x, training = TRUE)
    kept <- y * 10 * 0.7 # how many of ten are left
    expect_equal(kept, round(kept), tolerance = 1e-5)
    expect_lt(abs(mean(kept) - 7), 5 * sqrt(10 * 0.3 * 0.7 / 500))
    expect_gt(length(unique(as.vector(round(kept)))), 3)
    set.seed(2)
    expect_identical(layer_outputs(model, x, training = TRUE), y)
  }
})

test_that("results do not depend on the number of threads or on saving", {
  x <- some_sequences(33, 7, 4)
  y <- cos(seq_len(33))
  run <- function(threads) {
    old <- lamina_threads()
    on.exit(lamina_threads(old))
    lamina_threads(threads)
    set.seed(1)
    model <- keras_model_sequential(input_shape = c(7, 4)) |>
      layer_multi_head_attention(num_heads = 3, key_dim = 5, dropout = 0.2) |>
      layer_attention(score_mode = "concat", use_scale = TRUE, dropout = 0.1) |>
      layer_flatten() |>
      layer_dense(1) |>
      compile(loss = "mse", optimizer = "adam")
    fit(model, x, y, epochs = 3, batch_size = 16, verbose = 0)
    model
  }
  one <- run(1)
  expect_identical(get_weights(one), get_weights(run(2)))
  file <- withr::local_tempfile(fileext = ".rds")
  saveRDS(one, file)
  expect_identical(predict(readRDS(file), x), predict(one, x))
})

test_that("bad arguments are refused and leave the model as it was", {
  model <- keras_model_sequential(input_shape = c(5, 3))
  refused <- function(arg, ...) {
    error <- expect_error(layer_multi_head_attention(model, ...), class = "lamina_error_argument")
    expect_identical(error$arg, arg)
  }
  refused("num_heads", key_dim = 2)
  refused("num_heads", num_heads = 0, key_dim = 2)
  refused("key_dim", num_heads = 2, key_dim = 1.5)
  refused("value_dim", num_heads = 2, key_dim = 2, value_dim = -1)
  refused("dropout", num_heads = 2, key_dim = 2, dropout = 1)
  refused("output_shape", num_heads = 2, key_dim = 2, output_shape = 0)
  refused("output_shape", num_heads = 2, key_dim = 2, output_shape = 1:4)
  refused("attention_axes", num_heads = 2, key_dim = 2, attention_axes = 3)
  refused("attention_axes", num_heads = 2, key_dim = 2, attention_axes = c(1, 2))
  refused("activity_regularizer", num_heads = 2, key_dim = 2, activity_regularizer = "l2")
  refused("query", num_heads = 2, key_dim = 2, query = 1)
  error <- expect_error(layer_attention(model, score_mode = "sum"), class = "lamina_error_argument")
  expect_identical(error$arg, "score_mode")
  expect_error(layer_attention(model, dropout = 1), class = "lamina_error_argument")
  expect_error(layer_attention(model, value = 2), class = "lamina_error_argument")
  expect_length(model$layers, 0)
  flat <- keras_model_sequential(input_shape = 4)
  expect_error(layer_attention(flat), class = "lamina_error_shape")
  expect_error(layer_multi_head_attention(flat, 2, 2), class = "lamina_error_shape")
  expect_length(flat$layers, 0)
  expect_silent(layer_multi_head_attention(model, 2, 2, attention_axes = -2, flash_attention = FALSE))
})
