# Sobel's kernels for edges across and down, and their maps of a picture by hand.
across <- matrix(c(-1, -2, -1, 0, 0, 0, 1, 2, 1), 3)
sobel <- function() {
  model <- keras_model_sequential(input_shape = c(5, 6, 1)) |>
    layer_conv_2d(2, kernel_size = 3, name = "edges")
  set_weights(model, list(array(c(across, t(across)), c(3, 3, 1, 2)), c(0.5, -1)))
  model
}
slide <- function(picture, kernel) {
  out <- matrix(0, nrow(picture) - 2, ncol(picture) - 2)
  for (i in seq_len(nrow(out))) for (j in seq_len(ncol(out))) out[i, j] <- sum(picture[i + 0:2, j + 0:2] * kernel)
  out
}

test_that("the kernel of a filter is seen as it is used", {
  model <- sobel()
  local_device()
  kernel <- plot_filters(model, method = "base")
  expect_identical(dim(kernel), c(3L, 3L, 1L, 2L))
  expect_equal(kernel[, , 1, 1], across)
  expect_identical(layer_filters(model, 1L)$bias, c(0.5, -1))
  expect_identical(plot_filters(get_layer(model, "edges"), method = "base"), kernel)
  picture <- matrix(sin(1:30), 5)
  maps <- plot_feature_maps(model, array(picture, c(1, 5, 6, 1)), method = "base")
  expect_close(maps[, , 1], slide(picture, across) + 0.5)
  expect_close(maps[, , 2], slide(picture, t(across)) - 1)

  layout <- filter_layout(layer_filters(model, 1L), FALSE, 64, "edges")
  expect_identical(layout$rasters[[1L]], scale_raster(across, signed_scale(2)))
  expect_identical(layout$rasters[[2L]][2, 2], "#FFFFFF")
  expect_match(layout$texts$text, "filter 2\nbias -1", all = FALSE)
})

test_that("kernels of every convolution become height x width x channels x filters", {
  model <- keras_model_sequential(input_shape = c(9, 8, 3)) |>
    layer_conv_2d(12, kernel_size = c(3, 2), use_bias = FALSE, name = "plain") |>
    layer_depthwise_conv_2d(kernel_size = 2, depth_multiplier = 2, name = "depthwise") |>
    layer_separable_conv_2d(5, kernel_size = 2, name = "separable") |>
    layer_conv_2d_transpose(4, kernel_size = 3, name = "back")
  weights <- function(name, i) get_weights(get_layer(model, name))[[i]]
  at <- function(name) layer_filters(model, layer_positions(model, name))
  expect_identical(dim(at("plain")$kernel), c(3L, 2L, 3L, 12L))
  expect_null(at("plain")$bias)
  depthwise <- at("depthwise")
  expect_identical(dim(depthwise$kernel), c(2L, 2L, 1L, 24L))
  expect_identical(depthwise$kernel[, , 1, 6], weights("depthwise", 1)[, , 3, 2]) # third channel, second filter
  expect_length(depthwise$bias, 24)
  expect_null(at("separable")$bias)
  back <- at("back")
  expect_identical(dim(back$kernel), c(3L, 3L, 5L, 4L))
  expect_identical(back$kernel[, , 5, 2], weights("back", 1)[, , 2, 5])
  sequence <- keras_model_sequential(input_shape = c(9, 4)) |> layer_conv_1d(6, kernel_size = 3)
  expect_identical(dim(layer_filters(sequence, 1L)$kernel), c(1L, 3L, 4L, 6L))

  local_device()
  for (name in c("plain", "depthwise", "separable", "back")) {
    expect_no_warning(plot_filters(model, name, method = "base"))
    skip_if_not_installed("ggplot2")
    expect_no_warning(print(plot_filters(model, name)))
  }
  expect_no_warning(plot_filters(sequence, method = "base"))
  expect_length(filter_layout(at("plain"), TRUE, 64, "")$rasters, 12)
  expect_length(filter_layout(at("plain"), FALSE, 12, "")$rasters, 12 + 1) # and the scale of colours
  expect_match(filter_layout(at("plain"), FALSE, 12, "plain")$texts$text, "filters 1 to 4 of 12", all = FALSE)
})

test_that("Grad-CAM of a convolutional network, by hand", {
  set.seed(4)
  model <- keras_model_sequential(input_shape = c(6, 5, 1)) |>
    layer_conv_2d(3, kernel_size = 2, activation = "tanh", name = "early") |>
    layer_conv_2d(2, kernel_size = 2, activation = "tanh", name = "late") |>
    layer_flatten() |>
    layer_dense(3, activation = "softmax")
  x <- array(sin(1:60), c(2, 6, 5, 1))
  w <- get_weights(model)
  maps <- layer_outputs(model, x, "late")
  score <- function(a, class) {
    flat <- matrix(aperm(a, c(1, 4, 3, 2)), dim(a)[1L])
    (flat %*% w[[5L]] + rep(w[[6L]], each = nrow(flat)))[, class + 1]
  }
  slope <- numeric_gradient(function(a) sum(score(a, 1)), maps, 1e-4)
  alpha <- apply(slope, c(1, 4), mean)
  by_hand <- array(0, c(2, 4, 3))
  for (i in 1:2) by_hand[i, , ] <- pmax(maps[i, , , 1] * alpha[i, 1] + maps[i, , , 2] * alpha[i, 2], 0)
  out <- grad_cam(model, x, class = 1)
  expect_identical(out$layer, "late")
  expect_close(out$map, by_hand)
  expect_close(out$score, score(maps, 1))

  # and the gradient by the pixels, from slopes of the same scores
  full <- function(at) {
    first <- array(0, c(2, 5, 4, 3))
    for (i in 1:2) for (f in 1:3) first[i, , , f] <- tanh(slide2(at[i, , , 1], w[[1L]][, , 1, f]) + w[[2L]][f])
    second <- array(0, c(2, 4, 3, 2))
    for (i in 1:2) for (f in 1:2) {
      second[i, , , f] <- tanh(slide2(first[i, , , 1], w[[3L]][, , 1, f]) + slide2(first[i, , , 2], w[[3L]][, , 2, f]) +
                                 slide2(first[i, , , 3], w[[3L]][, , 3, f]) + w[[4L]][f])
    }
    sum(score(second, 1))
  }
  slide2 <- function(picture, kernel) {
    out <- matrix(0, nrow(picture) - 1, ncol(picture) - 1)
    for (i in 1:2) for (j in 1:2) out <- out + kernel[i, j] * picture[i - 1 + seq_len(nrow(out)), j - 1 + seq_len(ncol(out))]
    out
  }
  expect_close(saliency(model, x, 1)$attribution, numeric_gradient(full, x, 1e-5))
  expect_identical(names(activations(model, x)), c("early", "late", "dense"))
})

test_that("convolutional networks are drawn as volumes", {
  model <- keras_model_sequential(input_shape = c(16, 12, 3)) |>
    layer_conv_2d(8, kernel_size = 3, activation = "relu", name = "first") |>
    layer_dropout(0.2) |>
    layer_conv_2d(16, kernel_size = c(3, 5), strides = 2) |>
    layer_activation("relu") |>
    layer_flatten() |>
    layer_dense(4, activation = "softmax")
  stages <- model_stages(model, list(shapes = FALSE, dtype = FALSE, names = FALSE))
  expect_identical(lapply(stages, `[[`, "title"), list("input", "conv 3 x 3", "conv 3 x 5", "dense"))
  expect_identical(lapply(stages, `[[`, "lines"), list(
    "16 x 12 x 3", c("14 x 10 x 8", "224 weights", "relu", "dropout 0.2"),
    c("stride 2", "6 x 3 x 16", "1,936 weights", "relu", "flatten"), c("4", "1,156 weights", "softmax")
  ))
  expect_equal(unname(vapply(stages, `[[`, c(0, 0, 0), "size")), cbind(c(16, 12, 3), c(14, 10, 8), c(6, 3, 16), c(1, 1, 4)))
  named <- model_stages(model, list(shapes = FALSE, dtype = TRUE, names = TRUE))
  expect_identical(named[[2L]]$title, "first")
  expect_identical(named[[2L]]$lines[1:3], c("conv 3 x 3", "14 x 10 x 8", "float32"))

  local_device()
  before <- graphics::par(c("mar", "xpd"))
  expect_true(has_volumes(model))
  for (many in c(0, 5, 20)) {
    for (i in seq_len(many)) model |> layer_dense(3)
    expect_no_warning(expect_invisible(plot(model, main = "volumes")))
  }
  expect_no_warning(plot(model, style = "blocks"))
  sequence <- keras_model_sequential(input_shape = c(30, 2)) |> layer_conv_1d(4, kernel_size = 3)
  expect_no_warning(plot(sequence, show_layer_names = TRUE))
  expect_identical(graphics::par(c("mar", "xpd")), before)
  unbuilt <- keras_model_sequential() |> layer_conv_2d(4, kernel_size = 3)
  expect_no_warning(plot(unbuilt))
  expect_error(plot(unbuilt, style = "volumes"), class = "lamina_error_argument")
})

test_that("a volume keeps the proportions of its maps, and fits into its row", {
  local_device()
  set_canvas()
  stages <- lapply(list(c(64, 64, 3), c(32, 32, 16), c(8, 8, 64), c(1, 1, 10)), function(size) {
    list(kind = "other", title = "conv 3 x 3", lines = c("64 x 64 x 3", "12 weights"), size = size)
  })
  frame <- volume_frame(stages, 6.7, 6.7)
  expect_lte((64 * (1 + frame$slant)) * frame$inch, frame$room * 1.0001)
  expect_lte(frame$thickness(64) + 64 * frame$slant * frame$inch, 6.7 / frame$columns)
  expect_lt(frame$thickness(3), frame$thickness(16))
  expect_lte(frame$bar(10), frame$room)
  expect_gte(frame$cex, 0.6)
})
