plain_show <- list(shapes = FALSE, dtype = FALSE, names = FALSE, bias = FALSE)

history_of_epochs <- function(n, validation = TRUE) {
  loss <- exp(-seq_len(n) / 5)
  metrics <- list(loss = loss, accuracy = 1 - loss)
  if (validation) {
    metrics$val_loss <- loss + 0.1
    metrics$val_accuracy <- 0.9 - loss
  }
  new_history(list(epochs = 40), metrics)
}

two_three_two <- function() {
  keras_model_sequential(input_shape = 2) |>
    layer_dense(3, activation = "relu") |>
    layer_dense(2, activation = "softmax")
}

test_that("histories of any length plot without a warning, with and without ggplot2", {
  local_device()
  for (n in c(1, 2, 9, 10, 30)) {
    for (validation in c(TRUE, FALSE)) {
      history <- history_of_epochs(n, validation)
      expect_no_warning(expect_invisible(plot(history, method = "base")))
      if (requireNamespace("ggplot2", quietly = TRUE)) {
        expect_no_warning(expect_no_message(print(plot(history))))
      }
    }
  }
  history <- history_of_epochs(12)
  history$metrics$val_loss[seq(1, 12, 2)] <- NA
  history$metrics$loss[3] <- Inf
  history$metrics$accuracy[] <- 0.5
  expect_no_warning(plot(history, method = "base"))
  expect_no_warning(plot(history, method = "base", smooth = FALSE, metrics = "loss", ylim = 0:1))
})

test_that("the ggplot has a panel per metric and marks the best epoch", {
  skip_if_not_installed("ggplot2")
  local_device()
  history <- history_of_epochs(12)
  history$metrics$val_loss[5] <- 0
  plot <- plot(history, metrics = "loss", theme_bw = TRUE)
  expect_s3_class(plot, "ggplot")
  expect_identical(levels(plot$data$metric), "loss")
  expect_match(plot$labels$caption, "best val_loss: 0.0000 in epoch 5")
  expect_identical(nlevels(plot(history)$data$metric), 2L)
})

test_that("histories refuse unknown metrics, methods, and to be plotted without an epoch", {
  expect_error(plot(history_of_epochs(3), metrics = "acuracy"), "accuracy",
               class = "lamina_error_argument")
  expect_error(plot(history_of_epochs(3), method = "lattice"), class = "lamina_error_argument")
  expect_error(plot(new_history(list(), list())), class = "lamina_error_state")
})

test_that("epochs on the axis are whole numbers", {
  for (limits in list(c(0.9, 1.1), c(0.8, 3.2), c(1, 30), c(95, 1500))) {
    breaks <- epoch_breaks(limits)
    expect_true(length(breaks) > 0L && all(breaks == round(breaks)) && all(breaks >= 1))
  }
})

test_that("long layers are elided: first nodes, dots, last nodes", {
  expect_identical(visible_nodes(3, 12)$index, 1:3)
  expect_null(visible_nodes(12, 12)$dots)
  for (room in 3:16) {
    shown <- visible_nodes(784, room)
    expect_lte(shown$slots, max(room, 4))
    expect_identical(shown$index[1L], 1)
    expect_identical(shown$index[length(shown$index)], 784)
    expect_false(is.unsorted(shown$index, strictly = TRUE))
    expect_true(all(abs(shown$slot - shown$dots) >= 1.5))
  }
})

test_that("edges show sign and size", {
  style <- edge_style(c(-1, 0.5, 0), 3)
  expect_identical(order(style$width), 3:1)
  expect_identical(substr(style$colour, 1, 7), c(ink$negative, ink$positive, ink$positive))
  expect_length(unique(edge_style(NULL, 3)$colour), 1L)
  expect_true(all(is.finite(edge_style(c(0, 0), 2)$width)))
})

test_that("the columns of a network name its layers", {
  model <- keras_model_sequential(input_shape = 784) |>
    layer_dense(16) |>
    layer_activation("relu") |>
    layer_dropout(0.4) |>
    layer_dense(1, activation = "sigmoid")
  expect_true(is_network(model))
  columns <- network_columns(model, plain_show)
  expect_identical(lapply(columns, `[[`, "label"), list(
    c("input", "784 inputs"), c("dense", "16 neurons", "relu", "dropout 0.4"),
    c("dense", "1 neuron", "sigmoid")
  ))
  expect_identical(vapply(columns, `[[`, 0, "n"), c(784, 16, 1))
})

test_that("models are drawn, built or not, and come back invisibly", {
  path <- local_device()
  model <- two_three_two()
  expect_invisible(plot(model))
  expect_identical(plot(model), model)
  expect_no_warning(plot(model, bias = TRUE, show_shapes = TRUE, show_dtype = TRUE,
                         show_layer_names = TRUE, main = "2-3-2", input_names = c("a", "b")))
  expect_no_warning(plot(model, style = "blocks"))
  expect_no_warning(plot(model, style = "blocks", rankdir = "LR"))
  unbuilt <- keras_model_sequential() |> layer_dense(40)
  expect_no_warning(plot(unbuilt))
  expect_no_warning(plot(unbuilt, style = "blocks"))
  flat <- keras_model_sequential(input_shape = c(4, 4)) |> layer_flatten() |> layer_dense(2)
  expect_false(is_network(flat))
  expect_no_warning(plot(flat))
})

test_that("drawing makes no weights and moves no random numbers", {
  local_device()
  model <- two_three_two()
  set.seed(1)
  before <- .Random.seed
  plot(model)
  expect_identical(.Random.seed, before)
  expect_null(network_weights(model))
  weights <- get_weights(model)
  shown <- network_weights(model)
  expect_equal(shown[[1L]]$kernel, weights[[1L]], ignore_attr = TRUE)
  expect_equal(shown[[2L]]$bias, weights[[4L]], ignore_attr = TRUE)
  expect_no_warning(plot(model, bias = TRUE))
})

test_that("a small device is no obstacle", {
  path <- withr::local_tempfile(fileext = ".png")
  grDevices::png(path, 120, 90)
  on.exit(grDevices::dev.off())
  expect_no_warning(plot(two_three_two(), bias = TRUE))
  graphics::par(mfrow = c(1, 2))
  expect_no_warning(plot(two_three_two(), style = "blocks"))
})

test_that("graphical parameters are as before", {
  local_device()
  before <- graphics::par(c("mar", "xpd", "mfrow"))
  plot(two_three_two())
  plot(two_three_two(), style = "blocks")
  plot(history_of_epochs(3), method = "base")
  expect_identical(graphics::par(c("mar", "xpd", "mfrow")), before)
})

test_that("pictures are written to files", {
  for (ending in c(".png", ".pdf", if (capabilities("cairo")) ".svg")) {
    path <- withr::local_tempfile(fileext = ending)
    devices <- grDevices::dev.list()
    plot(two_three_two(), to_file = path, dpi = 72)
    expect_gt(file.size(path), 500)
    expect_identical(grDevices::dev.list(), devices)
  }
})

test_that("bad arguments of plot() are refused", {
  model <- two_three_two()
  expect_error(plot(model, to_file = "a.bmp"), class = "lamina_error_argument")
  expect_error(plot(model, style = "round"), class = "lamina_error_argument")
  expect_error(plot(model, rankdir = "up"), class = "lamina_error_argument")
  expect_error(plot(model, colour = 1), class = "lamina_error_argument")
  expect_error(plot(model, input_names = "a"), class = "lamina_error_argument")
  expect_error(plot(keras_model_sequential()), class = "lamina_error_state")
  flat <- keras_model_sequential(input_shape = c(4, 4)) |> layer_flatten() |> layer_dense(2)
  expect_error(plot(flat, style = "network"), class = "lamina_error_argument")
})
