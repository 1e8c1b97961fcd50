# Every kind of model: what compare_models() makes of it is what fitting and predicting by hand gives.

skip_if_not_installed("rsample")
skip_if_not_installed("yardstick")

cars <- datasets::mtcars
gears <- transform(cars, am = factor(am, labels = c("auto", "manual")))

set.seed(31)
number_folds <- rsample::vfold_cv(cars, v = 3)
two_folds <- rsample::vfold_cv(gears, v = 3, strata = am)
three_folds <- rsample::vfold_cv(iris, v = 3, strata = Species)

values_of <- function(x, model, metric) {
  values <- as.data.frame(x, folds = TRUE)
  values$value[values$model == model & values$metric == metric]
}

rows_of <- function(split) list(train = as.integer(split, data = "analysis"), test = as.integer(split, data = "assessment"))

rmse_by_hand <- function(predictions, folds = number_folds, y = cars$mpg) {
  vapply(folds$splits, function(split) {
    rows <- rows_of(split)
    sqrt(mean((y[rows$test] - predictions(rows$train, rows$test))^2))
  }, 0)
}

line_by_hand <- function(formula) {
  rmse_by_hand(function(train, test) predict(lm(formula, cars[train, ]), cars[test, ]))
}

# accuracy and log loss of a function that gives a matrix of probabilities with named columns
classes_by_hand <- function(probabilities, folds, y) {
  rows <- lapply(folds$splits, function(split) {
    rows <- rows_of(split)
    p <- probabilities(rows$train, rows$test)[, levels(y)]
    truth <- y[rows$test]
    right <- p[cbind(seq_along(truth), as.integer(truth))]
    # yardstick keeps away from 0
    c(accuracy = mean(levels(y)[max.col(p, "first")] == truth), loss = -mean(log(pmax(right, .Machine$double.eps))))
  })
  do.call(rbind, rows)
}

expect_classes <- function(found, model, probabilities, folds, y, accuracy = TRUE, tolerance = 1e-8) {
  hand <- classes_by_hand(probabilities, folds, y)
  if (accuracy) expect_equal(values_of(found, model, "accuracy"), hand[, "accuracy"])
  expect_equal(values_of(found, model, "mn_log_loss"), hand[, "loss"], tolerance = tolerance)
}

seeded <- function(f) {
  force(f)
  function(formula, data) {
    set.seed(77)
    f(formula, data)
  }
}

test_that("numbers: functions, fitted models, formulas of their own", {
  for (package in c("rpart", "nnet", "randomForest", "MASS")) skip_if_not_installed(package)
  net <- function(formula, data) nnet::nnet(formula, data, size = 2, linout = TRUE, trace = FALSE)
  forest <- function(formula, data) randomForest::randomForest(formula, data, ntree = 10)
  models <- list(
    lm = lm, glm = glm, gamma = glm(mpg ~ wt, Gamma, cars), tree = rpart::rpart(mpg ~ wt + qsec, cars, minsplit = 4),
    net = seeded(net), forest = seeded(forest), robust = MASS::rlm(mpg ~ wt, cars),
    loess = loess(mpg ~ wt, cars, surface = "direct"),
    own = list(fit = function(f, d) lm(f, d), predict = function(model, newdata) matrix(predict(model, newdata))),
    named = function(data, formula) lm(formula, data), short = function(f, d) lm(f, d)
  )
  found <- compare_models(mpg ~ wt + hp, cars, models, number_folds, metrics = "rmse")
  by_hand <- function(fit, ...) {
    rmse_by_hand(function(train, test) as.vector(predict(fit(cars[train, ]), cars[test, ], ...)))
  }
  line <- by_hand(function(d) lm(mpg ~ wt + hp, d))
  for (name in c("lm", "glm", "own", "named", "short")) expect_equal(values_of(found, name, "rmse"), line)
  expect_equal(values_of(found, "gamma", "rmse"), by_hand(function(d) glm(mpg ~ wt, Gamma, d), type = "response"))
  expect_equal(values_of(found, "tree", "rmse"), by_hand(function(d) rpart::rpart(mpg ~ wt + qsec, d, minsplit = 4)))
  expect_equal(values_of(found, "net", "rmse"), by_hand(function(d) seeded(net)(mpg ~ wt + hp, d)))
  expect_equal(values_of(found, "forest", "rmse"), by_hand(function(d) seeded(forest)(mpg ~ wt + hp, d)))
  expect_equal(values_of(found, "robust", "rmse"), by_hand(function(d) MASS::rlm(mpg ~ wt, d)))
  expect_equal(values_of(found, "loess", "rmse"), by_hand(function(d) loess(mpg ~ wt, d, surface = "direct")))
})

test_that("two classes: one column of probabilities belongs to the second level", {
  for (package in c("rpart", "nnet", "MASS")) skip_if_not_installed(package)
  net <- function(formula, data) nnet::nnet(formula, data, size = 2, trace = FALSE)
  probit <- glm(am ~ wt, binomial("probit"), gears)
  vector <- list(fit = function(formula, data) glm(formula, binomial, data),
                 predict = function(model, newdata) predict(model, newdata, type = "response"))
  models <- list(glm = glm, probit = probit, net = seeded(net), multinom = nnet::multinom, vector = vector, tree = rpart::rpart)
  found <- suppressWarnings(compare_models(am ~ wt, gears, models, two_folds))
  both <- function(p) cbind(auto = 1 - p, manual = p)
  logit <- function(train, test) both(predict(glm(am ~ wt, binomial, gears[train, ]), gears[test, ], type = "response"))
  suppressWarnings({
    expect_classes(found, "glm", logit, two_folds, gears$am)
    expect_classes(found, "vector", logit, two_folds, gears$am)
    expect_classes(found, "probit", function(train, test) {
      both(predict(glm(am ~ wt, binomial("probit"), gears[train, ]), gears[test, ], type = "response"))
    }, two_folds, gears$am)
  })
  expect_classes(found, "net", function(train, test) {
    both(as.vector(predict(seeded(net)(am ~ wt, gears[train, ]), gears[test, ])))
  }, two_folds, gears$am)
  expect_classes(found, "multinom", function(train, test) {
    both(predict(nnet::multinom(am ~ wt, gears[train, ], trace = FALSE), gears[test, ], type = "probs"))
  }, two_folds, gears$am)
})

test_that("three classes: matrices, lists, data frames, classes alone", {
  for (package in c("rpart", "nnet", "MASS", "randomForest")) skip_if_not_installed(package)
  forest <- function(formula, data) randomForest::randomForest(formula, data, ntree = 10)
  posterior <- function(model, newdata) predict(model, newdata)$posterior
  models <- list(
    lda = MASS::lda(Species ~ ., iris), qda = MASS::qda, tree = rpart::rpart,
    multinom = nnet::multinom(Species ~ Petal.Width, iris, trace = FALSE), forest = seeded(forest),
    both = list(fit = MASS::lda, predict = predict),
    matrix = list(fit = MASS::lda, predict = function(model, newdata) posterior(model, newdata)[, 3:1]),
    frame = list(fit = MASS::lda, predict = function(model, newdata) {
      p <- posterior(model, newdata)
      data.frame(.pred_class = predict(model, newdata)$class, stats::setNames(as.data.frame(p), paste0(".pred_", colnames(p))))
    }),
    class = list(fit = MASS::lda, predict = function(model, newdata) as.character(predict(model, newdata)$class))
  )
  found <- compare_models(Species ~ ., iris, models, three_folds)
  lda <- function(train, test) predict(MASS::lda(Species ~ ., iris[train, ]), iris[test, ])$posterior
  for (name in c("lda", "both", "matrix", "frame")) expect_classes(found, name, lda, three_folds, iris$Species)
  expect_equal(values_of(found, "class", "accuracy"), values_of(found, "lda", "accuracy"))
  expect_true(all(is.na(values_of(found, "class", "roc_auc"))))
  expect_identical(unique(attr(found, "failures")$stage), "prob")
  expect_match(capture.output(print(found)), "No probabilities: class.", fixed = TRUE, all = FALSE)
  expect_classes(found, "qda", function(train, test) {
    predict(MASS::qda(Species ~ ., iris[train, ]), iris[test, ])$posterior
  }, three_folds, iris$Species)
  expect_classes(found, "tree", function(train, test) {
    predict(rpart::rpart(Species ~ ., iris[train, ]), iris[test, ])
  }, three_folds, iris$Species)
  expect_classes(found, "multinom", function(train, test) {
    predict(nnet::multinom(Species ~ Petal.Width, iris[train, ], trace = FALSE), iris[test, ], type = "probs")
  }, three_folds, iris$Species)
  # its classes are by vote, and equal votes are drawn for
  expect_classes(found, "forest", function(train, test) {
    predict(seeded(forest)(Species ~ ., iris[train, ]), iris[test, ], type = "prob")
  }, three_folds, iris$Species, accuracy = FALSE)
})

test_that("functions that stand alone get what the outcome asks for", {
  skip_if_not_installed("nnet")
  bare <- function(formula, data, folds, ...) {
    set.seed(1)
    suppressWarnings(compare_models(formula, data, list(bare = nnet::nnet, full = function(formula, data) {
      nnet::nnet(formula, data, size = 5, trace = FALSE, ...)
    }), folds))
  }
  numbers <- bare(mpg ~ wt, cars, number_folds, linout = TRUE)
  expect_identical(values_of(numbers, "bare", "rmse"), values_of(numbers, "full", "rmse"))
  classes <- bare(Species ~ ., iris, three_folds)
  expect_identical(values_of(classes, "bare", "mn_log_loss"), values_of(classes, "full", "mn_log_loss"))
  error <- expect_error(compare_models(Species ~ ., iris, list(a = glm, b = nnet::multinom)), class = "lamina_error_argument")
  expect_match(conditionMessage(error), "3 classes.*glm\\(\\), which tells two apart.*nnet::multinom")
  expect_error(compare_models(Species ~ ., iris, list(a = lm, b = nnet::multinom)), "lm\\(\\), which fits numbers")
  expect_error(compare_models(mpg ~ ., cars, list(a = lm, b = MASS::lda)), "lda\\(\\), which fits classes")
})

test_that("fitted models keep their call: weights that are columns, settings where they were made", {
  heavy <- transform(cars, w = seq_len(32))
  make <- function(k) lm(mpg ~ poly(wt, k), heavy, weights = w)
  found <- compare_models(mpg ~ wt, heavy, list(one = make(1), three = make(3)), number_folds, metrics = "rmse")
  for (k in c(one = 1, three = 3)) {
    expect_equal(values_of(found, if (k == 1) "one" else "three", "rmse"), rmse_by_hand(function(train, test) {
      predict(lm(mpg ~ poly(wt, k), heavy[train, ], weights = w), heavy[test, ])
    }))
  }
  # `.` meant the columns that there were
  dot <- lm(mpg ~ ., cars[c("mpg", "wt")])
  found <- compare_models(mpg ~ hp, cars, list(dot = dot, line = lm), number_folds, metrics = "rmse")
  expect_equal(values_of(found, "dot", "rmse"), line_by_hand(mpg ~ wt))
})

test_that("fitted models that cannot be fitted again are refused", {
  outside <- seq_len(32)
  refuse <- function(model, say) {
    models <- list(a = lm, b = model)
    error <- expect_error(compare_models(mpg ~ wt, cars, models, number_folds), class = "lamina_error_argument")
    expect_identical(error$arg, "models$b")
    expect_match(conditionMessage(error), say, fixed = TRUE)
  }
  refuse(lm(log(mpg) ~ wt, cars), "the outcome `mpg`, not one of `log(mpg)`")
  refuse(lm(cars$mpg ~ cars$wt), "fitted without `data`")
  refuse(lm(mpg ~ wt, cars, subset = 1:20), "with subset = 1:20")
  refuse(lm(mpg ~ wt, cars, weights = outside), "with weights = outside")
  refuse(lm(mpg ~ extra, transform(cars, extra = 1)), "`extra`, which is none")
  refuse(nnet::nnet(cars[2:3], cars$mpg, size = 2, trace = FALSE), "fitted without one")
  refuse(keras_model_sequential() |> layer_dense(1), "a network without a formula")
  refuse(structure(list(), class = "strange"), "an object of class strange")
})

test_that("specifications and workflows of tidymodels", {
  for (package in c("parsnip", "workflows", "recipes")) skip_if_not_installed(package)
  recipe <- recipes::recipe(mpg ~ wt + hp, cars) |>
    recipes::step_normalize(recipes::all_predictors()) |>
    recipes::step_pca(recipes::all_predictors(), num_comp = 1)
  pca <- workflows::workflow(recipe, parsnip::linear_reg())
  models <- list(spec = parsnip::linear_reg(), formula = workflows::workflow(mpg ~ wt, parsnip::linear_reg()),
                 pca = pca, fitted = fit(pca, cars))
  found <- compare_models(mpg ~ wt + hp, cars, models, number_folds, metrics = "rmse")
  expect_equal(values_of(found, "spec", "rmse"), line_by_hand(mpg ~ wt + hp))
  expect_equal(values_of(found, "formula", "rmse"), line_by_hand(mpg ~ wt))
  expect_equal(values_of(found, "pca", "rmse"), rmse_by_hand(function(train, test) {
    turn <- prcomp(cars[train, c("wt", "hp")], scale. = TRUE)
    first <- predict(turn, cars)[, 1L]
    predict(lm(mpg ~ first, data.frame(mpg = cars$mpg, first)[train, ]), data.frame(first)[test, , drop = FALSE])
  }))
  expect_identical(values_of(found, "fitted", "rmse"), values_of(found, "pca", "rmse"))

  classes <- suppressWarnings(compare_models(am ~ wt, gears, list(spec = parsnip::logistic_reg(), glm = glm), two_folds))
  for (metric in levels(classes$metric)) expect_equal(values_of(classes, "spec", metric), values_of(classes, "glm", metric))
  skip_if_not_installed("rpart")
  trees <- compare_models(Species ~ ., iris, list(spec = parsnip::decision_tree(), rpart = rpart::rpart), three_folds)
  expect_equal(values_of(trees, "spec", "roc_auc"), values_of(trees, "rpart", "roc_auc"))

  refuse <- function(model, say) {
    error <- expect_error(compare_models(mpg ~ wt, cars, list(a = lm, b = model)), class = "lamina_error_argument")
    expect_match(conditionMessage(error), say, fixed = TRUE)
  }
  refuse(parsnip::logistic_reg(), "a specification for regression")
  refuse(fit(parsnip::linear_reg(), mpg ~ wt, cars), "its `spec`")
  refuse(workflows::workflow() |> workflows::add_model(parsnip::linear_reg()), "one without a formula or recipe")
  refuse(workflows::workflow(hp ~ wt, parsnip::linear_reg()), "one for `hp`")
})

test_that("predictions that are none fail in words", {
  fails <- function(predictions, say, formula = Species ~ ., data = iris, metric = "accuracy") {
    strange <- list(fit = function(formula, data) NULL, predict = function(model, newdata) predictions(nrow(newdata)))
    warning <- NULL
    withCallingHandlers(
      compare_models(formula, data, list(a = strange, b = strange), 2, metrics = metric),
      lamina_warning_failed = function(w) {
        warning <<- conditionMessage(w)
        invokeRestart("muffleWarning")
      }
    )
    expect_match(warning, say, fixed = TRUE)
  }
  fails(function(n) rep("rose", n), "among the classes setosa, versicolor, virginica, not \"rose\"")
  fails(function(n) rep(0.5, n), "a column a class")
  fails(function(n) matrix(1 / 3, n, 3, dimnames = list(NULL, c("a", "b", "c"))), "columns named a, b, c")
  fails(function(n) matrix(2, n, 3), "probabilities from 0 to 1, not from 2 to 2")
  fails(function(n) NULL, "not NULL")
  fails(function(n) letters[seq_len(n)], "16 numbers", mpg ~ wt, cars, "rmse")
  fails(function(n) 1, "16 numbers, one for each row, not 1", mpg ~ wt, cars, "rmse")
})

test_that("a class that was not there to train on has the probability 0", {
  p <- prediction_probabilities(matrix(c(0.2, 0.8), 1, dimnames = list(NULL, c("c", "a"))), c("a", "b", "c"), 1L)
  expect_identical(p, matrix(c(0.8, 0, 0.2), 1, dimnames = list(NULL, c("a", "b", "c"))))
  expect_identical(as.character(most_probable(rbind(p, c(0.5, 0.5, 0), NA))), c("a", "a", NA))
  gaps <- prediction_probabilities(rbind(c(0.1, NA), c(0.3, 0.7)), c("a", "b"), 2L)
  expect_identical(gaps[, "a"], c(NA, 0.3))
})

test_that("lamina()'s fits need no more than their row", {
  # without hidden units a network is a line; `.` meant the columns that there were
  linear <- lamina(mpg ~ ., cars[c("mpg", "wt", "hp")], hidden_units = 0, optimizer = "bfgs")
  made <- function(formula, data) lamina(formula, data, hidden_units = 0, optimizer = "bfgs")
  found <- compare_models(mpg ~ wt + hp, cars, list(line = lm, net = linear, made = made, bare = lamina), number_folds,
                          metrics = "rmse")
  line <- line_by_hand(mpg ~ wt + hp)
  expect_equal(values_of(found, "net", "rmse"), line, tolerance = 1e-3)
  expect_equal(values_of(found, "made", "rmse"), line, tolerance = 1e-3)
  expect_false(anyNA(found$mean))
  logit <- lamina(am ~ wt, gears, hidden_units = 0, optimizer = "bfgs", penalty = 0.01)
  classes <- compare_models(am ~ wt, gears, list(lda = MASS::lda, net = logit), two_folds)
  expect_classes(classes, "net", function(train, test) {
    predict(update(logit, data = gears[train, ]), gears[test, ], type = "prob")
  }, two_folds, gears$am, tolerance = 1e-4)
  softmax <- lamina(Species ~ ., iris, hidden_units = 0, optimizer = "bfgs", penalty = 0.01)
  classes <- compare_models(Species ~ ., iris, list(lda = MASS::lda, net = softmax), three_folds)
  expect_false(anyNA(classes$mean))
  expect_gt(min(classes$mean[classes$metric == "accuracy"]), 0.9)
})
