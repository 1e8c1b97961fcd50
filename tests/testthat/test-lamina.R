# lamina(): tasks, data, training.  Agreement with classical models is in test-lamina-classical.R.

linear <- function(formula, data, ...) lamina(formula, data, hidden_units = 0, optimizer = "bfgs", ...)

test_that("the outcome decides the task", {
  set.seed(1)
  fit <- lamina(mpg ~ wt, mtcars, epochs = 2)
  expect_s3_class(fit, c("lamina_fit", "hardhat_model"))
  kind <- function(fit) c(fit$task$kind, fit$task$activation, fit$task$units)
  expect_identical(kind(fit), c("numbers", "linear", "1"))
  expect_identical(kind(lamina(cbind(mpg, hp) ~ wt, mtcars, epochs = 2)), c("numbers", "linear", "2"))
  expect_identical(kind(lamina(factor(am) ~ wt, mtcars, epochs = 2)), c("classes", "sigmoid", "1"))
  expect_identical(kind(lamina(am == 1 ~ wt, mtcars, epochs = 2)), c("classes", "sigmoid", "1"))
  expect_identical(kind(lamina(am ~ wt, mtcars, family = binomial, epochs = 2)), c("classes", "sigmoid", "1"))
  expect_identical(kind(lamina(Species ~ ., iris, epochs = 2)), c("classes", "softmax", "3"))
  expect_identical(kind(lamina(carb ~ wt, mtcars, family = poisson(), epochs = 2)), c("counts", "exponential", "1"))
  expect_identical(kind(lamina(am ~ wt, mtcars, loss = "mae", epochs = 2)), c("numbers", "linear", "1"))
  expect_identical(kind(lamina(factor(am) ~ wt, mtcars, loss = "hinge", epochs = 2)), c("classes", "linear", "1"))
})

test_that("hidden_units, activation, dropout and layers make the network", {
  types <- function(fit) vapply(fit$network$layers, function(l) layer_self(l)$type, "")
  fit <- lamina(mpg ~ ., mtcars, hidden_units = c(7, 3), activation = c("tanh", "relu"), dropout = c(0.1, 0), epochs = 1)
  expect_identical(types(fit), c("dense", "dropout", "dense", "dense"))
  expect_equal(vapply(get_weights(fit$network), length, 0), c(70, 7, 21, 3, 3, 1))
  expect_identical(fit$network$layers[[1]]$activation, "tanh")
  expect_identical(fit$network$layers[[3]]$activation, "relu")

  stack <- list(layer_dense(units = 4), layer_batch_normalization(), layer_activation(activation = "relu"))
  fit <- lamina(mpg ~ ., mtcars, layers = stack, epochs = 1)
  expect_identical(types(fit), c("dense", "batch_normalization", "activation", "dense"))
  again <- lamina(mpg ~ ., mtcars, layers = stack, epochs = 1) # the layers are copied, not used up
  expect_identical(types(again), types(fit))
  expect_error(lamina(mpg ~ ., mtcars, layers = list(layer_reshape(target_shape = c(5, 2))), epochs = 1),
               class = "lamina_error_argument")
  pictures <- matrix(runif(40 * 36), 40)
  fit <- lamina(pictures, factor(rep(1:2, 20)), epochs = 1, layers = list(
    layer_reshape(target_shape = c(6, 6, 1)), layer_conv_2d(filters = 2, kernel_size = 3), layer_flatten()
  ))
  expect_identical(dim(predict(fit, pictures, type = "prob")), c(40L, 2L))
})

test_that("the penalty is penalty * sum((1 - mixture) * w^2 + mixture * |w|) on kernels", {
  set.seed(1)
  fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 3, penalty = 0.02, mixture = 0.3, optimizer = "bfgs", epochs = 5)
  kernels <- unlist(get_weights(fit$network)[c(1, 3)])
  z <- scale(mtcars[c("mpg", "wt", "hp")])
  plain <- mean((z[, "mpg"] - predict(fit$network, z[, 2:3])[, 1])^2)
  expect_equal(utils::tail(fit$history$metrics$loss, 1),
               plain + 0.02 * sum(0.7 * kernels^2 + 0.3 * abs(kernels)), tolerance = 1e-5)
})

test_that("predictors and a numeric outcome are standardised and brought back; indicators are left", {
  data <- transform(mtcars, cyl = factor(cyl))
  fit <- lamina(mpg ~ wt + am + cyl, data, epochs = 1)
  expect_equal(fit$scaling$center, c(wt = mean(mtcars$wt), am = 0, cyl6 = 0, cyl8 = 0))
  expect_equal(fit$scaling$scale, c(wt = sd(mtcars$wt), am = 1, cyl6 = 1, cyl8 = 1))
  expect_equal(c(fit$task$center, fit$task$scale), c(mpg = mean(mtcars$mpg), mpg = sd(mtcars$mpg)))
  x <- cbind((data$wt - mean(data$wt)) / sd(data$wt), data$am, data$cyl == 6, data$cyl == 8)
  expect_equal(predict(fit, data), predict(fit$network, x)[, 1] * sd(mtcars$mpg) + mean(mtcars$mpg))
  raw <- lamina(mpg ~ wt + am + cyl, data, epochs = 1, standardize = FALSE)
  expect_equal(predict(raw, data), predict(raw$network, cbind(data$wt, x[, -1]))[, 1])
  # a percentage of a standardised outcome would be another question
  expect_equal(lamina(mpg ~ wt, mtcars, loss = "mape", epochs = 1)$task$scale, 1)
})

test_that("layers that come from another model bring their weights", {
  donor <- keras_model_sequential(input_shape = 2) |> layer_dense(units = 3, activation = "tanh")
  kernel <- get_weights(donor)[[1]]
  layer <- pop_layer(donor)
  freeze_weights(layer)
  fit <- lamina(mpg ~ wt + hp, mtcars, layers = list(layer), epochs = 2)
  expect_identical(get_weights(fit$network)[[1]], kernel)
  unfreeze_weights(layer)
  start <- lamina(mpg ~ wt + hp, mtcars, layers = list(layer), epochs = 1, learn_rate = 0)
  expect_identical(get_weights(start$network)[[1]], kernel)
  expect_false(identical(get_weights(lamina(mpg ~ wt + hp, mtcars, layers = list(layer), epochs = 1)$network)[[1]], kernel))
})

test_that("all ways in give the same fit", {
  fits <- list(
    formula = quote(lamina(Species ~ Sepal.Length + Sepal.Width + Petal.Length + Petal.Width, iris, epochs = 3)),
    dot = quote(lamina(Species ~ ., iris, epochs = 3)),
    frame = quote(lamina(iris[1:4], iris$Species, epochs = 3)),
    matrix = quote(lamina(as.matrix(iris[1:4]), iris$Species, epochs = 3))
  )
  if (requireNamespace("recipes", quietly = TRUE)) {
    fits$recipe <- quote(lamina(recipes::recipe(Species ~ ., iris), iris, epochs = 3))
  }
  fitted <- lapply(fits, function(call) {
    set.seed(4)
    eval(call)
  })
  new <- iris[c(1, 60, 150), ]
  expected <- predict(fitted$formula, new, type = "prob")
  for (name in names(fitted)) {
    x <- if (name == "matrix") as.matrix(new[1:4]) else new
    expect_identical(predict(fitted[[name]], x, type = "prob"), expected, info = name)
  }
  # a data frame with factors has them as indicator columns, as the formula
  data <- transform(mtcars, cyl = factor(cyl))
  set.seed(1)
  a <- lamina(data[c("wt", "cyl")], data$mpg, epochs = 2)
  set.seed(1)
  b <- lamina(mpg ~ wt + cyl, data, epochs = 2)
  expect_identical(predict(a, data), predict(b, data))
})

test_that("set.seed() fixes everything, for any number of threads, and one fit costs the same draws", {
  run <- function(threads) {
    withr::local_options(lamina.threads = threads)
    set.seed(7)
    fit <- lamina(Species ~ ., iris, dropout = 0.2, epochs = 5)
    list(get_weights(fit$network), fit$held_out, fit$history$metrics, runif(1))
  }
  one <- run(1)
  expect_identical(run(2), one)
  set.seed(8)
  expect_false(identical(get_weights(lamina(Species ~ ., iris, dropout = 0.2, epochs = 5)$network), one[[1]]))
})

test_that("rows held out are stratified, and the weights of the best epoch are kept", {
  set.seed(2)
  data <- iris[c(1:50, 51:90, 101:120), ]
  fit <- lamina(Species ~ ., data, epochs = 40, stop_iter = 3, learn_rate = 0.05)
  expect_equal(as.vector(table(data$Species[fit$held_out])), c(10, 8, 4))
  val <- fit$history$metrics$val_loss
  expect_equal(fit$training$best_epoch, which.min(val))
  p <- predict(fit, data, type = "prob")
  held <- data$Species[fit$held_out]
  loss <- -mean(log(p[cbind(fit$held_out, as.integer(held))]))
  expect_equal(loss, min(val), tolerance = 1e-5)
  expect_equal(fit$figures$held, loss, tolerance = 1e-5)
  expect_lte(length(val), which.min(val) + 3)

  expect_null(lamina(Species ~ ., iris, epochs = 1, validation = 0)$held_out)
  expect_warning(tiny <- lamina(mpg ~ wt, mtcars[1:5, ], epochs = 3), class = "lamina_warning_validation")
  expect_null(tiny$held_out)
})

test_that("weights count rows", {
  twice <- rep(1:2, 16)
  spread <- mtcars[rep(1:32, twice), ]
  weighted <- linear(mpg ~ wt + hp, mtcars, weights = twice, penalty = 0.1, standardize = FALSE)
  expect_equal(coef(weighted), coef(linear(mpg ~ wt + hp, spread, penalty = 0.1, standardize = FALSE)), tolerance = 1e-4)
  mtcars$w <- twice
  expect_equal(coef(linear(mpg ~ wt + hp, mtcars, weights = w, penalty = 0.1, standardize = FALSE)), coef(weighted),
               tolerance = 1e-5)
  expect_identical(weights(weighted), as.double(twice))
  # a row of weight 0 is no row
  out <- linear(mpg ~ wt, mtcars, weights = as.numeric(cyl != 8))
  expect_equal(coef(out), coef(lm(mpg ~ wt, mtcars, subset = cyl != 8)), tolerance = 1e-4)
  expect_equal(nobs(out), 18)
})

test_that("subset and na.action are those of lm()", {
  fit <- linear(mpg ~ wt, mtcars, subset = cyl == 4)
  expect_equal(coef(fit), coef(lm(mpg ~ wt, mtcars, subset = cyl == 4)), tolerance = 1e-4)
  gaps <- mtcars
  gaps$wt[3] <- NA
  gaps$mpg[c(5, 9)] <- NA
  message <- expect_message(fit <- linear(mpg ~ wt, gaps), class = "lamina_message_na")
  expect_match(conditionMessage(message), "3 of 32 rows have missing values (wt: 1, mpg: 2)", fixed = TRUE)
  expect_equal(coef(fit), coef(lm(mpg ~ wt, gaps)), tolerance = 1e-4)
  expect_equal(nobs(fit), 29)
  expect_error(linear(mpg ~ wt, gaps, na.action = na.fail), class = "lamina_error_data")
  padded <- suppressMessages(linear(mpg ~ wt, gaps, na.action = na.exclude))
  reference <- lm(mpg ~ wt, gaps, na.action = na.exclude)
  expect_equal(fitted(padded), unname(fitted(reference)), tolerance = 1e-4)
  expect_equal(residuals(padded), unname(residuals(reference)), tolerance = 1e-3)
  expect_length(suppressMessages(fitted(linear(mpg ~ wt, gaps))), 29)
})

test_that("class weights are by level and act in training alone", {
  set.seed(1)
  rare <- data.frame(x = c(rnorm(190), rnorm(10, 1)), y = factor(rep(c("no", "yes"), c(190, 10))))
  share <- function(w) mean(predict(linear(y ~ x, rare, class_weights = w), rare))
  plain <- share(NULL)
  expect_equal(plain, 0.05, tolerance = 1e-3) # the mean of the probabilities is the share of the class
  reference <- function(w) mean(fitted(suppressWarnings(glm(y ~ x, binomial, rare, weights = w[y]))))
  expect_equal(share(c(yes = 5)), reference(c(no = 1, yes = 5)), tolerance = 1e-3)
  expect_equal(share(c(1, 5)), share(c(yes = 5)), tolerance = 1e-6)
  expect_equal(share("balanced"), reference(200 / (2 * c(no = 190, yes = 10))), tolerance = 1e-3)
  fit <- linear(y ~ x, rare, class_weights = "balanced")
  p <- predict(fit, rare)
  expect_equal(fit$figures$fit, -mean(log(ifelse(rare$y == "yes", p, 1 - p))))
})

test_that("losses: any name, object or function", {
  set.seed(1)
  mae <- linear(mpg ~ wt, mtcars, loss = "mean_absolute_error")
  # the least absolute deviations of the data: no line through two points does better
  lines <- utils::combn(32, 2, function(i) {
    b <- diff(mtcars$mpg[i]) / diff(mtcars$wt[i])
    mean(abs(mtcars$mpg - mtcars$mpg[i[1]] - b * (mtcars$wt - mtcars$wt[i[1]])))
  })
  expect_equal(mean(abs(mtcars$mpg - predict(mae, mtcars))), min(lines[is.finite(lines)]), tolerance = 0.01)
  expect_error(logLik(mae), class = "lamina_error_state")
  expect_equal(mae$figures$fit, mean(abs(mtcars$mpg - predict(mae, mtcars))) / sd(mtcars$mpg), tolerance = 1e-5)

  own <- function(y_true, y_pred) {
    e <- y_pred - y_true
    list(value = mean(e^2), gradient = 2 * e / length(e))
  }
  expect_equal(coef(linear(mpg ~ wt, mtcars, loss = own)), coef(lm(mpg ~ wt, mtcars)), tolerance = 1e-3)
  expect_error(linear(mpg ~ wt, mtcars, loss = function(y_true, y_pred) 1), class = "lamina_error_argument")
  set.seed(1)
  hinge <- lamina(factor(am) ~ wt + hp, mtcars, loss = "hinge", optimizer = "bfgs", hidden_units = 0, penalty = 0.01)
  expect_gt(mean(predict(hinge, mtcars, type = "class") == mtcars$am), 0.9)
  expect_identical(predict(hinge, mtcars, type = "class") == 1, predict(hinge, mtcars, type = "link") > 0)
  for (loss in c("categorical_crossentropy", "kl_divergence", "mean_squared_error", "categorical_hinge")) {
    fit <- lamina(Species ~ ., iris, loss = loss, epochs = 40)
    expect_gt(mean(predict(fit, iris, type = "class") == iris$Species), 0.9)
  }
})

test_that("a fit prints the loss of the model without predictors beside its own", {
  fit <- lamina(mpg ~ ., mtcars, hidden_units = 4, optimizer = "bfgs", epochs = 20)
  expect_equal(fit$figures$fit, mean((mtcars$mpg - predict(fit, mtcars))^2))
  expect_equal(fit$figures$null, mean((mtcars$mpg - mean(mtcars$mpg))^2))
  expect_output(print(fit), "Mean squared error: [0-9.]+; 35.19 without predictors")
  fit <- lamina(Species ~ ., iris, epochs = 3)
  expect_equal(fit$figures$null, log(3))
  expect_output(print(fit), "4-32-16-3 \\(relu\\) for the classes of Species")
  counts <- linear(carb ~ wt, mtcars, family = poisson())
  expect_equal(counts$figures$null, glm(carb ~ 1, poisson, mtcars)$deviance / 32)
  expect_equal(counts$figures$fit, glm(carb ~ wt, poisson, mtcars)$deviance / 32, tolerance = 1e-5)
})

test_that("training starts at the model without predictors", {
  set.seed(1)
  data <- data.frame(x = rnorm(200), y = factor(rep(c("a", "b"), c(180, 20))))
  fit <- lamina(y ~ x, data, learn_rate = 0, epochs = 1, hidden_units = 4)
  expect_equal(utils::tail(get_weights(fit$network), 1)[[1]][1], qlogis(0.1), tolerance = 1e-6)
  fit <- lamina(carb ~ wt, mtcars, family = poisson(), learn_rate = 0, epochs = 1, offset = log(hp))
  expect_equal(utils::tail(get_weights(fit$network), 1)[[1]][1], log(sum(mtcars$carb) / sum(mtcars$hp)), tolerance = 1e-6)
})

test_that("a fit survives saveRDS() and predicts the same in another process", {
  skip_if_not_installed("callr")
  set.seed(1)
  fit <- lamina(Species ~ ., iris, epochs = 3)
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(fit, path)
  expected <- predict(fit, iris, type = "prob")
  expect_identical(predict(readRDS(path), iris, type = "prob"), expected)
  other <- callr::r(function(path) {
    requireNamespace("lamina")
    stats::predict(readRDS(path), datasets::iris, type = "prob")
  }, list(path))
  expect_identical(other, expected)
})

test_that("Ctrl-C leaves what is trained so far", {
  set.seed(1)
  stopper <- callback_lambda(on_epoch_end = function(epoch, logs) {
    if (epoch == 4) rlang::interrupt()
  })
  expect_warning(fit <- lamina(Species ~ ., iris, callbacks = stopper, epochs = 50), class = "lamina_warning_interrupt")
  expect_true(fit$training$interrupted)
  expect_equal(fit$training$epochs, 4)
  expect_equal(fit$training$best_epoch, 3) # the callback came before the fourth was looked at
  set.seed(1)
  expect_identical(predict(fit, iris), predict(lamina(Species ~ ., iris, epochs = 3), iris))
})

test_that("Ctrl-C leaves what BFGS has found so far", {
  calls <- 0
  squares <- function(interrupt_at) function(y_true, y_pred) {
    calls <<- calls + 1
    if (calls == interrupt_at) rlang::interrupt()
    e <- y_pred - y_true
    list(value = mean(e^2), gradient = 2 * e / length(e))
  }
  run <- function(at) {
    set.seed(1)
    calls <<- 0
    lamina(mpg ~ wt + hp, mtcars, loss = squares(at), optimizer = "bfgs", hidden_units = 3, penalty = 0.001)
  }
  whole <- run(Inf)
  half <- round(calls / 2)
  expect_warning(fit <- run(half), class = "lamina_warning_interrupt")
  expect_true(fit$training$interrupted)
  expect_lt(fit$training$epochs, whole$training$epochs)
  expect_gte(fit$figures$fit, whole$figures$fit)
  expect_lt(fit$figures$fit, 0.5 * fit$figures$null)
})

test_that("update() fits again, and the fit does not change under it", {
  set.seed(1)
  fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 3, epochs = 5)
  before <- predict(fit, mtcars)
  smaller <- update(fit, . ~ . - hp, epochs = 2)
  expect_identical(smaller$predictors, "wt")
  expect_equal(smaller$training$epochs, 2)
  expect_identical(predict(fit, mtcars), before)
})

test_that("columns: text, logicals, ordered factors, interactions, functions of columns", {
  data <- transform(mtcars, gear = as.character(gear), am = am == 1, carb = ordered(pmin(carb, 4)))
  fit <- linear(mpg ~ gear + am + carb + wt:am + poly(hp, 2), data)
  reference <- lm(mpg ~ gear + am + carb + wt:am + poly(hp, 2), data)
  expect_equal(predict(fit, data), unname(fitted(reference)), tolerance = 1e-3)
  expect_equal(predict(fit, data[1:2, ]), unname(fitted(reference)[1:2]), tolerance = 1e-3) # poly() by the fit's data
  # whole numbers in the data, fractions later
  whole <- data.frame(x = 1:20, y = 2 * (1:20))
  expect_equal(predict(linear(y ~ x, whole), data.frame(x = 2.5)), 5, tolerance = 1e-4)
})

test_that("case weights of hardhat, and bad rows of numbers", {
  w <- hardhat::importance_weights(rep(c(1, 2), 16))
  expect_equal(coef(linear(mpg ~ wt, mtcars, weights = w)), coef(lm(mpg ~ wt, mtcars, weights = rep(1:2, 16))), tolerance = 1e-4)
  expect_error(lamina(mpg ~ I(1 / (cyl - 4)), mtcars), class = "lamina_error_data")
})
