# plot_loss_surface() and callback_weights_path(): planes, losses and paths beside the definition.

skip_if_not_installed("ggplot2")

u <- c(-1, 0, 1, 2)
v <- 1 + 2 * u
line <- function(w = -1, b = 3) {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  set_weights(model, list(matrix(w), b))
  model |> compile(optimizer_sgd(0.1), "mse")
}
line_loss <- function(w, b) vapply(seq_along(w), function(i) mean((w[i] * u + b[i] - v)^2), 0)

test_that("over two weights the surface is the loss by hand", {
  picture <- plot_loss_surface(line(), u, v, size = 5, span = c(2, 1))
  grid <- picture$data
  expect_identical(nrow(grid), 25L)
  expect_equal(sort(unique(grid$x)), c(-3, -2, -1, 0, 1))
  expect_equal(sort(unique(grid$y)), c(2, 2.5, 3, 3.5, 4))
  expect_close(grid$loss, line_loss(grid$x, grid$y))
  expect_identical(picture$labels[c("x", "y")], list(x = "w1[1,1]", y = "b1[1]"))
  expect_null(attr(picture, "path"))
})

test_that("the path is that of gradient descent", {
  model <- line()
  path <- callback_weights_path()
  model |> fit(u, v, epochs = 6, batch_size = 4, callbacks = path, verbose = 0)
  picture <- plot_loss_surface(model, u, v, path = path, size = 3)
  way <- attr(picture, "path")
  w <- -1
  b <- 3
  for (i in 2:7) {
    error <- w[i - 1] * u + b[i - 1] - v
    w[i] <- w[i - 1] - 0.1 * mean(2 * error * u)
    b[i] <- b[i - 1] - 0.1 * mean(2 * error)
  }
  expect_close(way$x, w)
  expect_close(way$y, b)
  expect_close(way$loss, line_loss(w, b))
  expect_equal(ggplot2::layer_data(picture, 3)$x, way$x)
  expect_true(min(picture$data$x) < min(w) && max(picture$data$x) > max(w))
})

test_that("the callback keeps weights by epoch or batch, and starts afresh", {
  model <- line()
  by_batch <- callback_weights_path("batch")
  model |> fit(u, v, epochs = 3, batch_size = 2, callbacks = by_batch, verbose = 0)
  expect_length(by_batch$weights, 1 + 3 * 2)
  expect_identical(by_batch$weights[[1]], list(matrix(-1), 3))
  expect_identical(by_batch$weights[[7]], get_weights(model))
  suppressMessages(model |> fit(u, v, epochs = 1, batch_size = 2, callbacks = by_batch, verbose = 0))
  expect_length(by_batch$weights, 3)
  expect_error(callback_weights_path("step"), class = "lamina_error_argument")
})

flower_x <- as.matrix(scale(iris[1:4]))
flowers <- function() {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "tanh", kernel_regularizer = "l2") |>
    layer_dense(3, activation = "softmax")
  model |> compile(optimizer_adam(0.05), "sparse_categorical_crossentropy")
}

test_that("principal components of the path", {
  model <- flowers()
  path <- callback_weights_path()
  model |> fit(flower_x, iris$Species, epochs = 8, callbacks = path, verbose = 0)
  picture <- plot_loss_surface(model, flower_x, iris$Species, path = path, size = 3)
  moments <- t(vapply(path$weights, function(w) as.double(unlist(w)), numeric(27)))
  away <- sweep(moments, 2, moments[9, ])
  along <- prcomp(away[1:8, ], center = FALSE)
  way <- attr(picture, "path")
  expect_equal(abs(way$x), abs(unname(away %*% along$rotation[, 1])[, 1]))
  expect_equal(abs(way$y), abs(unname(away %*% along$rotation[, 2])[, 1]))
  share <- along$sdev^2 / sum(along$sdev^2)
  expect_identical(picture$labels$x, sprintf("principal component 1 (%.0f %% of the path)", 100 * share[1]))
  # at the end of the path, the middle of the plane, both losses are the model's
  expect_close(way$loss[9], evaluate(model, flower_x, iris$Species)$loss)
  here <- lamina:::surface_plane(model, NULL, moments, NULL, NULL)
  expect_equal(here$origin, moments[9, ])
  expect_equal(crossprod(here$axes), diag(2))
})

test_that("a straight path has a plane, too", {
  path <- rbind(c(0, 0, 0), c(1, 2, 0), c(2, 4, 0))
  plane <- lamina:::path_plane(path)
  expect_equal(crossprod(plane$axes), diag(2))
  expect_equal(abs(plane$path$x), sqrt(5) * 2:0)
  expect_equal(plane$path$y, c(0, 0, 0))
})

test_that("random directions: as large as the weights of each unit, repeatable, the middle the model's own loss", {
  model <- flowers()
  w <- get_weights(model)
  set.seed(2)
  direction <- utils::relist(lamina:::random_direction(model), w)
  expect_equal(colSums(direction[[1]]^2), colSums(w[[1]]^2))
  expect_equal(sum(direction[[2]]^2), sum(w[[2]]^2))
  axes <- lamina:::surface_plane(model, NULL, NULL, "random", NULL)$axes
  expect_equal(sum(axes[, 1] * axes[, 2]), 0)
  draw <- function() {
    set.seed(4)
    plot_loss_surface(model, flower_x, iris$Species, size = 3)$data
  }
  grid <- draw()
  expect_identical(draw(), grid)
  expect_equal(unique(grid$x), c(-1, 0, 1))
  expect_close(grid$loss[5], evaluate(model, flower_x, iris$Species)$loss)
})

test_that("what is not learned is left out of random directions", {
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3) |> layer_batch_normalization() |> layer_dense(3, activation = "softmax")
  model |> compile("adam", "sparse_categorical_crossentropy")
  set.seed(1)
  direction <- utils::relist(lamina:::random_direction(model), get_weights(model))
  expect_identical(direction[5:6], list(c(0, 0, 0), c(0, 0, 0))) # moving mean and variance
  expect_true(all(direction[[3]] != 0))
  expect_false(anyNA(plot_loss_surface(model, flower_x, iris$Species, size = 5)$data$loss))
})

test_that("two chosen weights, the others as they are; by name and by position", {
  model <- flowers()
  at <- plot_loss_surface(model, flower_x, iris$Species, weights = c("w1[2,3]", "b2[1]"), size = 3)
  expect_match(at$labels$caption, "other 25 weights")
  w <- get_weights(model)
  w[[1]][2, 3] <- at$data$x[1]
  w[[4]][1] <- at$data$y[1]
  expect_identical(unlist(lapply(w, length)), c(12L, 3L, 9L, 3L))
  place <- c(10, 12 + 3 + 9 + 1)
  expect_identical(plot_loss_surface(model, flower_x, iris$Species, weights = place, size = 3)$data, at$data)
  set_weights(model, w)
  expect_close(at$data$loss[1], evaluate(model, flower_x, iris$Species)$loss)
  expect_identical(lamina:::weight_terms(model)[place], c("w1[2,3]", "b2[1]"))
  normed <- keras_model_sequential(input_shape = 2) |> layer_batch_normalization()
  expect_identical(lamina:::weight_terms(normed)[1:2], c("batch_normalization/gamma[1]", "batch_normalization/gamma[2]"))
})

test_that("nothing of the model moves", {
  model <- flowers()
  model |> fit(flower_x, iris$Species, epochs = 2, verbose = 0)
  before <- model_snapshot(model)
  plot_loss_surface(model, flower_x, iris$Species, size = 3)
  expect_identical(model_snapshot(model), before)
})

test_that("bad input is refused", {
  model <- flowers()
  count_params(model)
  y <- iris$Species
  refused(model, plot_loss_surface(model, flower_x), "lamina_error_argument", "y")
  refused(model, plot_loss_surface(model, flower_x, y[-1]), "lamina_error_data", "y")
  refused(model, plot_loss_surface(model, flower_x, y, size = 2), "lamina_error_argument", "size")
  refused(model, plot_loss_surface(model, flower_x, y, span = -1), "lamina_error_argument", "span")
  error <- refused(model, plot_loss_surface(model, flower_x, y, weights = c("w1[1,1]", "w1[9,9]")), "lamina_error_argument", "weights")
  expect_match(conditionMessage(error), "w1[9,9]", fixed = TRUE)
  refused(model, plot_loss_surface(model, flower_x, y, weights = c(1, 28)), "lamina_error_argument", "weights")
  refused(model, plot_loss_surface(model, flower_x, y, weights = c(3, 3)), "lamina_error_argument", "weights")
  refused(model, plot_loss_surface(model, flower_x, y, weights = 1:2, directions = "random"), "lamina_error_argument", "weights")
  refused(model, plot_loss_surface(model, flower_x, y, directions = "pca"), "lamina_error_argument", "path")
  refused(model, plot_loss_surface(model, flower_x, y, directions = "hills"), "lamina_error_argument", "directions")
  refused(model, plot_loss_surface(model, flower_x, y, path = list(get_weights(model), 1:3)), "lamina_error_argument", "path")
  refused(model, plot_loss_surface(model, flower_x, y, path = list(list(matrix(1), 1))), "lamina_error_shape", "path[[1]]")
  refused(model, plot_loss_surface(model, flower_x, y, path = callback_weights_path()), "lamina_error_argument", "path")
  refused(model, plot_loss_surface(model, flower_x, y, colour = "red"), "lamina_error_argument", "colour")
  one <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE)
  one |> compile("sgd", "mse")
  expect_error(plot_loss_surface(one, u, v), "at least two weights", class = "lamina_error_argument")
})
