skip_if_not_installed("rsample")
skip_if_not_installed("yardstick")

curve_of <- function(curve, model, data, metric = "rmse") {
  rows <- curve[curve$model == model & curve$data == data & curve$metric == metric, ]
  as.vector(tapply(rows$value, rows$size, mean))
}

# Remembers the rows that it is given, by their column `key`.
recorder <- function() {
  seen <- list()
  list(
    seen = function() seen,
    model = list(
      fit = function(formula, data) {
        seen[[length(seen) + 1L]] <<- list(train = data$key, tests = list())
        lm(formula, data)
      },
      predict = function(model, newdata) {
        last <- length(seen)
        seen[[last]]$tests <<- c(seen[[last]]$tests, list(newdata$key))
        predict(model, newdata)
      }
    )
  )
}

test_that("sets of rows are nested, held-out rows stay, and values are those of a loop", {
  set.seed(1)
  data <- data.frame(y = rnorm(50), x = rnorm(50), key = 1:50)
  folds <- rsample::vfold_cv(data, v = 3)
  record <- recorder()
  curve <- learning_curve(y ~ x, data, record$model, sizes = c(5, 10, 30), folds = folds, metric = c("rmse", "mae"))
  expect_s3_class(curve, c("lamina_learning_curve", "tbl_df"))
  expect_named(curve, c("model", "size", "repetition", "data", "metric", "value"))
  expect_identical(nrow(curve), 3L * 3L * 2L * 2L)
  expect_identical(levels(curve$data), c("training", "held out"))
  fits <- record$seen()
  expect_length(fits, 9L)
  for (fold in 1:3) {
    mine <- fits[3 * (fold - 1) + 1:3]
    expect_identical(lengths(lapply(mine, `[[`, "train")), c(5L, 10L, 30L))
    expect_true(all(mine[[1L]]$train %in% mine[[2L]]$train) && all(mine[[2L]]$train %in% mine[[3L]]$train))
    expect_true(all(mine[[3L]]$train %in% as.integer(folds$splits[[fold]], data = "analysis")))
    for (fit in mine) {
      expect_identical(fit$tests[[1L]], fit$train)
      expect_identical(fit$tests[[2L]], as.integer(folds$splits[[fold]], data = "assessment"))
      line <- lm(y ~ x, data[fit$train, ])
      for (set in 1:2) {
        error <- data$y[fit$tests[[set]]] - predict(line, data[fit$tests[[set]], ])
        rows <- curve[curve$size == length(fit$train) & curve$repetition == sprintf("Fold%d", fold), ]
        rows <- rows[rows$data == levels(curve$data)[set], ]
        expect_equal(rows$value[rows$metric == "rmse"], sqrt(mean(error^2)))
        expect_equal(rows$value[rows$metric == "mae"], mean(abs(error)))
      }
    }
  }
})

test_that("every set has about the classes' shares", {
  set.seed(2)
  outcome <- factor(rep(c("a", "b", "c"), c(60, 30, 10)))
  for (draw in 1:20) {
    order <- nested_order(outcome)
    expect_identical(sort(order), 1:100)
    for (n in c(5, 10, 25, 50, 90)) {
      share <- table(outcome[order[seq_len(n)]])
      expect_true(all(abs(share - n * c(0.6, 0.3, 0.1)) < 2))
    }
  }
  expect_false(identical(nested_order(outcome), nested_order(outcome)))
  expect_identical(sort(nested_order(c(3, 1, 2))), 1:3)
})

test_that("a deep tree overfits: training far below held out, and the gap closes with rows", {
  skip_if_not_installed("rpart")
  set.seed(3)
  data <- data.frame(a = runif(900), b = runif(900))
  data$y <- sin(6 * data$a) + 2 * data$b^2 + rnorm(900, sd = 0.05)
  deep <- function(formula, data) {
    rpart::rpart(formula, data, control = rpart::rpart.control(cp = 0, minsplit = 2, minbucket = 1, xval = 0))
  }
  curve <- learning_curve(y ~ a + b, data, deep, sizes = c(30, 100, 300, 600), folds = 3)
  expect_identical(levels(curve$model), "deep")
  training <- curve_of(curve, "deep", "training")
  held_out <- curve_of(curve, "deep", "held out")
  expect_true(all(training < 0.35 * held_out))
  gap <- held_out - training
  expect_true(all(diff(gap) < 0))
  expect_lt(gap[4L], 0.5 * gap[1L])
})

test_that("a line through a parabola underfits: both curves meet early, far above the noise", {
  set.seed(4)
  data <- data.frame(x = runif(2000, -1, 1))
  data$y <- 3 * data$x^2 + rnorm(2000, sd = 0.1)
  curve <- learning_curve(y ~ x, data, list(line = lm, parabola = function(formula, data) lm(y ~ poly(x, 2), data)),
                          sizes = c(0.05, 0.25, 1), folds = 4)
  gap <- curve_of(curve, "line", "held out") - curve_of(curve, "line", "training")
  expect_lt(max(abs(gap[2:3])), 0.05 * curve_of(curve, "line", "held out")[3L])
  # the deviation of 3 x^2 for uniform x: 3 sqrt(1/5 - 1/9)
  expect_lt(abs(curve_of(curve, "line", "held out")[3L] - sqrt(9 * (1 / 5 - 1 / 9) + 0.01)), 0.08)
  expect_lt(curve_of(curve, "parabola", "held out")[3L], 0.12)
})

test_that("fractions are of the smallest training set; classes, several models, one draw", {
  skip_if_not_installed("MASS")
  folds <- rsample::vfold_cv(iris, v = 4, strata = Species)
  set.seed(5)
  sample.int(.Machine$integer.max, 1L)
  expected <- runif(1)
  set.seed(5)
  curve <- learning_curve(Species ~ ., iris, list(lda = MASS::lda, tree = rpart::rpart), sizes = c(1, 0.2, 0.2), folds = folds)
  expect_identical(runif(1), expected)
  least <- min(vapply(folds$splits, function(split) length(as.integer(split, data = "analysis")), 0L))
  expect_identical(sort(unique(curve$size)), as.integer(round(c(0.2, 1) * least)))
  expect_identical(levels(curve$metric), "accuracy")
  set.seed(5)
  alone <- learning_curve(Species ~ ., iris, MASS::lda, sizes = c(0.2, 1), folds = folds)
  expect_identical(levels(alone$model), "lda")
  expect_identical(alone$value, curve$value[curve$model == "lda"])
})

test_that("a model that fails where there are few rows is named", {
  shy <- function(formula, data) if (nrow(data) < 10) stop("too few") else lm(formula, data)
  expect_warning(curve <- learning_curve(mpg ~ wt, mtcars, shy, sizes = c(5, 20), folds = 3),
                 "`shy` failed in 3 of 6 fits.*Fold1 with 5 rows, Fold2 with 5 rows, Fold3 with 5 rows: too few",
                 class = "lamina_warning_failed")
  expect_true(all(is.na(curve$value[curve$size == 5])) && !anyNA(curve$value[curve$size == 20]))
  expect_identical(nrow(attr(curve, "failures")), 3L)
  local_device()
  expect_no_warning(plot(curve, method = "base"))
  expect_output(print(curve), "5 +- \\(-\\)")
})

test_that("learning curves print and are drawn", {
  set.seed(1)
  curve <- learning_curve(mpg ~ wt, mtcars, list(line = lm, flat = function(formula, data) lm(mpg ~ 1, data)),
                          sizes = c(0.3, 1), folds = 4, metric = c("rmse", "mae"))
  shown <- capture.output(expect_invisible(print(curve)))
  expect_match(shown, "mpg by the number of rows trained on, 4-fold cross-validation", all = FALSE)
  expect_match(shown, "line: rmse (less is better)", fixed = TRUE, all = FALSE)
  means <- curve_means(curve)
  pick <- curve$value[curve$model == "flat" & curve$metric == "mae" & curve$size == 24 & curve$data == "held out"]
  row <- means[means$model == "flat" & means$metric == "mae" & means$size == 24 & means$data == "held out", ]
  expect_equal(c(row$mean, row$sd), c(mean(pick), sd(pick)))
  expect_output(print(curve[c("size", "value")]), "A tibble")
  local_device()
  expect_no_warning(expect_invisible(plot(curve, method = "base")))
  expect_no_warning(plot(curve, metrics = "mae", method = "base"))
  expect_error(plot(curve, metrics = "rsq"), class = "lamina_error_argument")
  skip_if_not_installed("ggplot2")
  expect_no_warning(print(plot(curve)))
})

test_that("bad models, sizes and metrics are refused", {
  refuse <- function(code, arg, say) {
    error <- expect_error(code, class = "lamina_error_argument")
    expect_identical(error$arg, arg)
    expect_match(conditionMessage(error), say, fixed = TRUE)
    expect_identical(as.character(error$call[[1L]]), "learning_curve")
  }
  refuse(learning_curve(mpg ~ wt, mtcars), "model", "left out")
  refuse(learning_curve(mpg ~ wt, mtcars, "lm"), "model", "without quotes")
  refuse(learning_curve(mpg ~ wt, mtcars, list(lm, lm)), "model", "different names")
  refuse(learning_curve(mpg ~ wt, mtcars, list(a = lm, b = 3)), "model$b", "not 3")
  for (sizes in list(c(0.5, 10), 0, -1, "all", NA, numeric(), 1.5)) {
    refuse(learning_curve(mpg ~ wt, mtcars, lm, sizes = sizes), "sizes", "fractions from 0 to 1, or whole numbers")
  }
  refuse(learning_curve(mpg ~ wt, mtcars, lm, sizes = 100), "sizes", "at most the 25 rows")
  refuse(learning_curve(mpg ~ wt, mtcars, lm, metric = "accuracy"), "metric", "a measure of classes")
  refuse(learning_curve(Species ~ ., iris, lm), "model", "which fits numbers")
})
