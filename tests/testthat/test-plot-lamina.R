# plot() of a lamina() fit: that each picture shows what it should.

flowers <- local({
  set.seed(1)
  lamina(Species ~ ., iris, hidden_units = 4, epochs = 40, stop_iter = 5)
})
cars <- transform(mtcars, cyl = factor(cyl))
whole <- local({
  set.seed(1)
  lamina(mpg ~ wt + hp + cyl, cars, hidden_units = 3, optimizer = "bfgs", penalty = 0.01, epochs = 30)
})

test_that("the history marks the epoch whose weights were kept", {
  skip_if_not_installed("ggplot2")
  picture <- plot(flowers)
  expect_identical(picture$labels$x, "epoch")
  expect_equal(unique(ggplot2::layer_data(picture, 1)$xintercept), flowers$training$best_epoch)
  expect_equal(ggplot2::layer_data(picture, 2)$y[1], flowers$history$metrics$loss[1])
  expect_identical(levels(plot(flowers, "history", metrics = "loss")$data$metric), "loss")
})

test_that("BFGS has iterations, and no smooth line", {
  skip_if_not_installed("ggplot2")
  picture <- plot(whole, "history")
  expect_identical(picture$labels$x, "iteration")
  expect_equal(ggplot2::layer_data(picture, 2)$y, whole$history$metrics$loss)
  expect_true("iteration" %in% words(plot(whole, method = "base")))
})

test_that("the network has the names of predictors and classes", {
  shown <- words(plot(flowers, "network"))
  expect_true(all(c(names(iris)[1:4], levels(iris$Species), "4 inputs", "softmax") %in% shown))
  shown <- words(plot(whole, "network"))
  expect_true(all(c("wt", "hp", "cyl6", "cyl8", "mpg") %in% shown))
  expect_true("in 1" %in% words(plot(whole, "network", input_names = paste("in", 1:4))))

  set.seed(1)
  two <- lamina(factor(am, labels = c("automatic", "manual")) ~ wt, mtcars, hidden_units = 2, optimizer = "bfgs",
                epochs = 3)
  shown <- words(plot(two, "network"))
  expect_true("manual" %in% shown)
  expect_false("automatic" %in% shown)

  long <- stats::setNames(mtcars[1:3], c("y", paste0("a_column_whose_name_is_far_too_long_", 1:2)))
  fit <- lamina(y ~ ., long, hidden_units = 0, optimizer = "bfgs", epochs = 3)
  shown <- words(plot(fit, "network"))
  expect_true(all(c("a_column_wh...too_long_1", "a_column_wh...too_long_2") %in% shown))
})

test_that("other stacks of layers are drawn, too", {
  set.seed(1)
  layers <- list(layer_reshape(target_shape = c(4, 1)), layer_conv_1d(filters = 2, kernel_size = 2), layer_flatten())
  fit <- lamina(mpg ~ wt + hp + qsec + drat, mtcars, epochs = 2, validation = 0, layers = layers)
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_identical(withVisible(plot(fit, "network")), list(value = fit, visible = FALSE))
})

test_that("importance and partial dependence are those of the functions", {
  skip_if_not_installed("ggplot2")
  set.seed(7)
  picture <- plot(whole, "importance", times = 2)
  set.seed(7)
  worth <- importance(whole, times = 2)
  bars <- ggplot2::layer_data(picture, 1)
  expect_equal(sort(bars$x), sort(worth$importance))
  expect_identical(rev(levels(picture$data$variable)), worth$variable)
  lines <- ggplot2::layer_data(picture, 2)
  expect_equal(sort(lines$xend - lines$x), sort(2 * worth$std.error))

  curve <- partial(whole, "hp", grid_size = 4)
  expect_equal(ggplot2::layer_data(plot(whole, "partial", variable = "hp", grid_size = 4))$y, curve$.estimate)
  local <- partial(whole, "hp", type = "ale", grid_size = 4)
  expect_equal(ggplot2::layer_data(plot(whole, "ale", variable = "hp", grid_size = 4))$y, local$.estimate)
  one <- plot(flowers, "ice", variable = "Petal.Width", class = "setosa", grid_size = 2)
  expect_identical(one$labels$y, "probability of setosa")
})

test_that("the most important column is the default, and random numbers stay where they were", {
  skip_if_not_installed("ggplot2")
  best <- importance(flowers, times = 20)$variable[1]
  set.seed(5)
  expected <- runif(1)
  set.seed(5)
  expect_identical(plot(flowers, "partial")$labels$x, best)
  expect_identical(runif(1), expected)

  # for local effects the best of the numeric ones
  set.seed(1)
  data <- data.frame(g = gl(2, 20), x = rnorm(40), z = rnorm(40))
  data$y <- 5 * (data$g == 2) + data$z + rnorm(40) / 10
  fit <- lamina(y ~ g + x + z, data, hidden_units = 0, optimizer = "bfgs")
  expect_identical(plot(fit, "partial")$labels$x, "g")
  expect_identical(plot(fit, "ale")$labels$x, "z")
})

test_that("base graphics return the fit and put the settings back", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  graphics::plot.new()
  before <- graphics::par(c("mai", "mgp", "mfrow"))
  for (type in c("history", "importance", "partial", "ice", "ale")) {
    expect_identical(withVisible(plot(flowers, type, method = "base")), list(value = flowers, visible = FALSE))
    expect_identical(graphics::par(c("mai", "mgp", "mfrow")), before)
  }
  shown <- words(plot(importance(whole, times = 2), method = "base", main = "A title"))
  expect_true(all(c("wt", "hp", "cyl", "A title", "increase of the mean squared error when shuffled") %in% shown))
})

test_that("bad input is refused", {
  expect_error(plot(flowers, "histroy"), class = "lamina_error_argument", "history")
  expect_error(plot(flowers, method = "lattice"), class = "lamina_error_argument", "method")
  expect_error(plot(flowers, "history", variable = "wt"), class = "lamina_error_argument", "variable")
  expect_error(plot(flowers, "partial", variable = "Petal"), class = "lamina_error_argument", "Petal.Width")
  expect_error(plot(importance(whole, times = 1), n = 0), class = "lamina_error_argument")
})
