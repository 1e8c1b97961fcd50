# plot_decision_boundary(): what stands at each point of the plane is what the model predicts there.

skip_if_not_installed("ggplot2")

# p(class 1) = 1 / (1 + exp(-(2 a - b))): level where b = 2 a
logistic <- function(loss = "binary_crossentropy", activation = "sigmoid") {
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(1, activation = activation)
  set_weights(model, list(matrix(c(2, -1)), 0))
  model |> compile("sgd", loss)
}
corners <- cbind(a = c(-1, 1, -1, 1, 0), b = c(-1, -1, 1, 1, 1))
labels <- c(0, 1, 0, 1, 1)

test_that("two classes of one unit, by hand", {
  picture <- plot_decision_boundary(logistic(), corners, labels, size = 11)
  values <- picture$data
  expect_identical(nrow(values), 121L)
  expect_equal(range(values$a), c(-1.1, 1.1)) # a twentieth beyond the data
  p <- plogis(2 * values$a - values$b)
  expect_close(values$probability, pmax(p, 1 - p))
  expect_identical(as.character(values$class[abs(p - 0.5) > 1e-6]), ifelse(p > 0.5, "1", "0")[abs(p - 0.5) > 1e-6])
  # the line where both classes are level
  line <- ggplot2::layer_data(picture, 2)
  expect_lt(max(abs(line$y - 2 * line$x)), 0.03)
  # the last point is of class 1 and predicted 0
  crossed <- ggplot2::layer_data(picture, 4)
  expect_identical(c(crossed$x, crossed$y), c(0, 1))
  points <- ggplot2::layer_data(picture, 3)
  expect_equal(points$x, corners[, "a"], ignore_attr = TRUE)
  expect_identical(length(unique(points$fill)), 2L)
})

test_that("hinge losses have no probabilities, losses from logits have", {
  values <- plot_decision_boundary(logistic("hinge", "linear"), corners, 2 * labels - 1, size = 7)$data
  expect_identical(unique(values$probability), 1)
  sums <- 2 * values$a - values$b
  expect_identical(as.character(values$class), ifelse(sums > 0, "1", "0"))
  expect_length(ggplot2::layer_data(plot_decision_boundary(logistic("hinge", "linear"), corners, 2 * labels - 1), 4)$x, 1)
  values <- plot_decision_boundary(logistic(loss_binary_crossentropy(from_logits = TRUE), "linear"), corners, labels, size = 7)$data
  expect_close(values$probability, plogis(abs(2 * values$a - values$b)))
})

test_that("several classes: factors, class numbers and indicator columns say the same", {
  set.seed(1)
  x <- as.matrix(scale(iris[3:4]))
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(6, activation = "tanh") |> layer_dense(3, activation = "softmax")
  model |> compile(optimizer_adam(0.05), "sparse_categorical_crossentropy")
  model |> fit(x, iris$Species, epochs = 20, verbose = 0)
  picture <- plot_decision_boundary(model, x, iris$Species, size = 21)
  values <- picture$data
  p <- predict(model, as.matrix(values[1:2]))
  expect_identical(as.character(values$class), levels(iris$Species)[max.col(p)])
  expect_equal(values$probability, apply(p, 1, max))
  wrong <- which(max.col(predict(model, x)) != as.integer(iris$Species))
  expect_setequal(ggplot2::layer_data(picture, 4)$x, x[wrong, 1])
  numbers <- plot_decision_boundary(model, x, as.integer(iris$Species) - 1L, size = 21)
  expect_identical(as.integer(numbers$data$class), as.integer(values$class))
  columns <- plot_decision_boundary(model, x, to_categorical(iris$Species), size = 21)
  expect_identical(columns$data, numbers$data)
  expect_equal(ggplot2::layer_data(columns, 4), ggplot2::layer_data(numbers, 4))
  # points without colour, and none
  expect_identical(plot_decision_boundary(model, x, size = 21)$data, numbers$data)
  expect_length(plot_decision_boundary(model, x, iris$Species, points = FALSE)$layers, 3)
})

test_that("numbers: the surface and the points on one scale", {
  model <- logistic("mse", "linear")
  picture <- plot_decision_boundary(model, corners, c(1, 2, 3, 4, 5), size = 9)
  expect_close(picture$data$prediction, 2 * picture$data$a - picture$data$b)
  expect_named(picture$data, c("a", "b", "prediction"))
  points <- ggplot2::layer_data(picture, 3)
  expect_identical(length(unique(points$fill)), 5L)
})

test_that("fits of lamina(): further predictors are held at median and most frequent level", {
  cars <- transform(mtcars, cyl = factor(cyl))
  set.seed(1)
  fit <- lamina(mpg ~ wt + hp + qsec + cyl, cars, hidden_units = 3, optimizer = "bfgs", penalty = 0.01, epochs = 30)
  picture <- plot_decision_boundary(fit, predictors = c("wt", "hp"), size = 7)
  new <- data.frame(picture$data[c("wt", "hp")], qsec = median(cars$qsec), cyl = factor("8", levels(cars$cyl)))
  expect_equal(picture$data$prediction, predict(fit, new))
  expect_identical(picture$labels$caption, "at qsec = 17.71, cyl = 8")
  other <- plot_decision_boundary(fit, predictors = c("hp", "qsec"), at = list(cyl = "4", wt = 2), size = 7)
  new <- data.frame(other$data[c("hp", "qsec")], wt = 2, cyl = factor("4", levels(cars$cyl)))
  expect_equal(other$data$prediction, predict(fit, new))

  set.seed(1)
  flowers <- lamina(Species ~ Petal.Length + Petal.Width, iris, hidden_units = 4, epochs = 30)
  picture <- plot_decision_boundary(flowers, size = 9)
  expect_equal(picture$data$probability, apply(predict(flowers, picture$data, type = "prob"), 1, max))
  expect_identical(picture$data$class, predict(flowers, picture$data, type = "class"))
  some <- plot_decision_boundary(flowers, iris[c(1, 60, 120), ], size = 9)
  expect_equal(ggplot2::layer_data(some, 3)$x, iris$Petal.Length[c(1, 60, 120)])
  bare <- plot_decision_boundary(flowers, iris[c(1, 60, 120), 3:4], size = 9)
  expect_equal(ggplot2::layer_data(bare, 3)$x, iris$Petal.Length[c(1, 60, 120)])
})

test_that("classical models of a formula", {
  cars <- transform(mtcars, am = factor(am))
  model <- glm(am ~ wt + hp, binomial, cars)
  picture <- plot_decision_boundary(model, cars, size = 9)
  p <- predict(model, picture$data, type = "response")
  expect_equal(picture$data$probability, unname(pmax(p, 1 - p)))
  picture <- plot_decision_boundary(lm(mpg ~ wt + hp, cars), size = 9)
  expect_equal(picture$data$prediction, unname(predict(lm(mpg ~ wt + hp, cars), picture$data)))
})

test_that("nothing of the model moves, nor R's random numbers", {
  model <- logistic()
  before <- model_snapshot(model)
  set.seed(1)
  seed <- .Random.seed
  plot_decision_boundary(model, corners, labels, size = 5)
  expect_identical(.Random.seed, seed)
  expect_identical(model_snapshot(model), before)
})

test_that("bad input is refused", {
  model <- logistic()
  expect_argument <- function(code, arg, class = "lamina_error_argument") {
    error <- expect_error(code, class = class)
    expect_s3_class(error, "lamina_error")
    expect_identical(error$arg, arg)
  }
  expect_argument(plot_decision_boundary(model), "data")
  expect_argument(plot_decision_boundary(model, corners[, c(1, 1, 2)]), "data", "lamina_error_shape")
  expect_argument(plot_decision_boundary(model, corners, labels[-1]), "y", "lamina_error_data")
  expect_argument(plot_decision_boundary(model, corners, factor(c("a", "b", "c", "a", "b"))), "y", "lamina_error_data")
  expect_argument(plot_decision_boundary(model, corners, labels, predictors = c("a", "c")), "predictors")
  expect_argument(plot_decision_boundary(model, corners, labels, predictors = "a"), "predictors")
  expect_argument(plot_decision_boundary(model, corners, labels, at = list(b = 1)), "at")
  expect_argument(plot_decision_boundary(model, corners, labels, size = 1), "size")
  expect_argument(plot_decision_boundary(model, corners, labels, grid = 9), "grid")
  expect_argument(plot_decision_boundary("model", corners), "object")
  many <- keras_model_sequential(input_shape = 2) |> layer_dense(3)
  many |> compile("sgd", "mse")
  expect_argument(plot_decision_boundary(many, corners), "object")
  one <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  expect_argument(plot_decision_boundary(one, corners), "object")
  expect_error(plot_decision_boundary(keras_model_sequential() |> layer_dense(1), corners), class = "lamina_error_state")
  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 2, epochs = 2)
  expect_argument(plot_decision_boundary(fit), "predictors")
  expect_argument(plot_decision_boundary(fit, predictors = c("Petal.Width", "Species")), "predictors")
  expect_argument(plot_decision_boundary(fit, predictors = 1:2, at = list(Petal.Width = "wide")), "at$Petal.Width")
  expect_argument(plot_decision_boundary(lamina(cbind(mpg, wt) ~ hp + cyl, mtcars, hidden_units = 2, epochs = 2)), "object")
})
