skip_if_not_installed("caret")

# caret calls functions of its own, such as its metrics, from wherever train() runs
control <- function(...) caret::trainControl(...)
cars2 <- transform(mtcars, cyl = factor(cyl))
wave <- withr::with_seed(1, {
  data <- data.frame(a = rnorm(90), b = rnorm(90))
  transform(data, y = a^2 + b + rnorm(90) / 4, class = factor(a^2 > 1, c(FALSE, TRUE), c("near", "far")))
})

test_that("numbers: train() and predict() are lamina()", {
  set.seed(1)
  fit <- caret::train(wave[1:2], wave$y, method = lamina_caret(), epochs = 8, trControl = control("none"),
                      tuneGrid = data.frame(hidden_units = "6-3", penalty = 0.01))
  inner <- fit$finalModel
  expect_s3_class(inner, "lamina_fit")
  expect_identical(inner$settings$hidden_units, c(6, 3))
  expect_identical(inner$settings[c("penalty", "epochs")], list(penalty = 0.01, epochs = 8))
  expect_identical(predict(fit, wave), predict(inner, wave))
  expect_identical(fit$modelInfo$predictors(inner), c("a", "b"))
  set.seed(1)
  again <- caret::train(wave[1:2], wave$y, method = lamina_caret(), epochs = 8, trControl = control("none"),
                        tuneGrid = data.frame(hidden_units = "6-3", penalty = 0.01))
  expect_identical(predict(again, wave), predict(fit, wave))
})

test_that("without hidden layers it is the model of lm(), with weights and factors", {
  grid <- data.frame(hidden_units = 0, penalty = 0)
  data <- transform(cars2, wts = rev(wt))
  w <- seq_len(32)
  expected <- unname(predict(lm(mpg ~ wts + cyl, data, weights = w)))
  apart <- caret::train(data[c("wts", "cyl")], data$mpg, method = lamina_caret(), weights = w, optimizer = "bfgs",
                        tuneGrid = grid, trControl = control("none"))
  expect_equal(predict(apart, data), expected, tolerance = 1e-4)
  expect_identical(weights(apart$finalModel), as.double(w))
  expect_identical(deparse(apart$finalModel$call, 200L),
                   "lamina(x, y, weights = wts, hidden_units = 0, penalty = 0, optimizer = \"bfgs\")")
  formula <- caret::train(mpg ~ wts + cyl, data, method = lamina_caret(), weights = w, optimizer = "bfgs",
                          tuneGrid = grid, trControl = control("none"))
  expect_equal(unname(predict(formula, data)), expected, tolerance = 1e-4)
})

test_that("resampling chooses from caret's own grid", {
  set.seed(1)
  fit <- caret::train(y ~ a + b, wave, method = lamina_caret(), tuneLength = 2, epochs = 15,
                      trControl = control("cv", number = 3))
  expect_identical(fit$results[c("hidden_units", "penalty")],
                   data.frame(hidden_units = c(2, 2, 8, 8), penalty = c(0, 0.001, 0, 0.001)), ignore_attr = TRUE)
  expect_false(anyNA(fit$results$RMSE))
  best <- fit$results[which.min(fit$results$RMSE), ]
  expect_identical(fit$finalModel$settings$hidden_units, best$hidden_units)
  expect_identical(fit$finalModel$settings$penalty, best$penalty)
})

test_that("classes: raw, prob, metrics of probabilities", {
  set.seed(1)
  fit <- caret::train(class ~ a + b, wave, method = lamina_caret(), epochs = 30, metric = "ROC",
                      tuneGrid = expand.grid(hidden_units = c(2, 8), penalty = 0.001),
                      trControl = control("cv", number = 3, classProbs = TRUE, savePredictions = TRUE,
                                          summaryFunction = caret::twoClassSummary))
  expect_true(all(fit$results$ROC > 0.5))
  prob <- predict(fit, wave, type = "prob")
  expect_identical(names(prob), c("near", "far"))
  expect_equal(as.matrix(prob), predict(fit$finalModel, wave, type = "prob"), ignore_attr = TRUE)
  expect_identical(predict(fit, wave), predict(fit$finalModel, wave, type = "class"))
  expect_equal(fit$pred$near + fit$pred$far, rep(1, nrow(fit$pred)))
  expect_identical(as.character(fit$pred$pred), ifelse(fit$pred$far > 0.5, "far", "near"))
})

test_that("three classes, and factors as they are", {
  set.seed(1)
  fit <- caret::train(iris[3:4], iris$Species, method = lamina_caret(), epochs = 10,
                      tuneGrid = data.frame(hidden_units = 4, penalty = 0),
                      trControl = control("none", classProbs = TRUE))
  expect_identical(names(predict(fit, iris, type = "prob")), levels(iris$Species))
  expect_identical(predict(fit, iris), predict(fit$finalModel, iris, type = "class"))
  expect_identical(fit$modelInfo$levels(fit$finalModel), levels(iris$Species), ignore_attr = TRUE)
})

test_that("epochs are tuned by one fit for each combination of the others, exactly", {
  model <- lamina_caret(c("hidden_units", "epochs"))
  fits <- 0
  counter <- callback_lambda(on_train_begin = function(logs) fits <<- fits + 1)
  folds <- withr::with_seed(2, caret::createFolds(wave$class, 3, returnTrain = TRUE))
  run <- function(epochs, probs = TRUE) {
    seeds <- c(rep(list(11:12), 3), list(13L)) # a fit of one size starts from the same seed in all runs
    fits <<- 0
    fit <- caret::train(class ~ a + b, wave, method = model, callbacks = list(counter),
                        tuneGrid = expand.grid(hidden_units = c(2, 5), epochs = epochs),
                        trControl = control("cv", index = folds, classProbs = probs, savePredictions = TRUE,
                                            seeds = seeds))
    p <- fit$pred
    list(fit = fit, pred = p[order(p$Resample, p$hidden_units, p$epochs, p$rowIndex), ], fits = fits)
  }
  whole <- run(c(12, 3, 7))
  expect_identical(whole$fits, 2 * 3 + 1)
  for (epochs in c(3, 7, 12)) {
    alone <- run(epochs)$pred
    here <- whole$pred[whole$pred$epochs == epochs, ]
    expect_identical(here$far, alone$far)
    expect_identical(here$pred, alone$pred)
  }
  expect_identical(whole$fit$finalModel$settings$keep_epochs, FALSE)
  expect_identical(whole$fit$finalModel$settings$epochs, whole$fit$bestTune$epochs)
  expect_identical(run(c(3, 12), FALSE)$pred$pred, whole$pred$pred[whole$pred$epochs != 7])
})

test_that("numbers are tuned by epochs too", {
  set.seed(1)
  fit <- caret::train(y ~ a + b, wave, method = lamina_caret(c("hidden_units", "epochs", "learn_rate")),
                      tuneGrid = expand.grid(hidden_units = 4, epochs = c(2, 30), learn_rate = 0.02),
                      trControl = control("cv", number = 2))
  expect_identical(fit$bestTune$epochs, 30)
  expect_identical(sum(!is.na(fit$results$RMSE)), 2L)
})

test_that("grids have what was asked, within bounds", {
  names <- names(caret_arguments)
  grid <- lamina_caret(names)$grid(NULL, NULL, 2)
  expect_identical(dim(grid), c(128L, 7L))
  expect_identical(names(grid), names)
  random <- withr::with_seed(1, lamina_caret(names)$grid(NULL, NULL, 300, search = "random"))
  expect_identical(nrow(random), 300L)
  expect_true(all(random$hidden_units %in% 2:64 & random$epochs %in% 5:200))
  expect_true(all(random$penalty >= 1e-6 & random$penalty <= 1))
  for (i in c(1, 128)) {
    expect_type(do.call(training_settings, as.list(grid[i, ])), "list")
    expect_type(do.call(training_settings, as.list(random[i, ])), "list")
  }
  expect_identical(lamina_caret()$grid(NULL, NULL, 1), data.frame(hidden_units = 2, penalty = 0), ignore_attr = TRUE)
})

test_that("simpler networks come first", {
  sorted <- lamina_caret()$sort(data.frame(hidden_units = c("16", "4-8", "2", "2"), penalty = c(0, 0, 0.1, 1)))
  expect_identical(sorted$hidden_units, c("2", "2", "4-8", "16"))
  expect_identical(sorted$penalty, c(1, 0.1, 0, 0))
})

test_that("importance is caret's", {
  set.seed(1)
  fit <- caret::train(cars2[c("wt", "cyl")], cars2$mpg, method = lamina_caret(), epochs = 20,
                      tuneGrid = data.frame(hidden_units = 4, penalty = 0), trControl = control("none"))
  set.seed(2)
  worth <- caret::varImp(fit, scale = FALSE)$importance
  set.seed(2)
  own <- importance(fit$finalModel)
  expect_setequal(rownames(worth), c("wt", "cyl"))
  expect_equal(worth[own$variable, "Overall"], pmax(own$importance, 0))
})

test_that("what cannot be tuned, or read, is refused", {
  expect_error(lamina_caret("size"), "hidden_units", class = "lamina_error_argument")
  expect_error(lamina_caret(3), "tune", class = "lamina_error_argument")
  expect_error(caret_units("16x8"), "16-8", class = "lamina_error_argument")
})
