# What compare_models() finds, against the same work done by hand: explicit loops over folds, measures from
# their formulas, the interval from its own.

skip_if_not_installed("rsample")
skip_if_not_installed("yardstick")
# yardstick's dependencies ask for the time zone when they are loaded, which some containers cannot tell
withr::local_envvar(TZ = "UTC", .local_envir = testthat::teardown_env())

cars <- datasets::mtcars
gears <- transform(cars, am = factor(am, labels = c("auto", "manual")))

# Values of a function of (training rows, test rows) in each fold of an rset.
by_hand <- function(folds, f) {
  rows <- function(split, part) as.integer(split, data = part)
  vapply(folds$splits, function(split) f(rows(split, "analysis"), rows(split, "assessment")), 0)
}

fold_values <- function(x, model, metric) {
  values <- as.data.frame(x, folds = TRUE)
  values$value[values$model == model & values$metric == metric]
}

cell <- function(x, model, metric) as.list(x[x$model == model & x$metric == metric, ])

constant <- list(fit = function(formula, data) mean(data[[all.vars(formula)[1L]]]),
                 predict = function(model, newdata) rep(model, nrow(newdata)))

test_that("means, errors and intervals of two lines are those of a loop", {
  set.seed(11)
  folds <- rsample::vfold_cv(cars, v = 7)
  found <- compare_models(mpg ~ wt + hp, cars, list(two = lm, one = lm(mpg ~ wt, cars)), folds, level = 0.9)
  measures <- list(
    rmse = function(y, p) sqrt(mean((y - p)^2)), mae = function(y, p) mean(abs(y - p)), rsq = function(y, p) cor(y, p)^2
  )
  for (metric in names(measures)) {
    loop <- function(formula) {
      by_hand(folds, function(train, test) {
        measures[[metric]](cars$mpg[test], predict(lm(formula, cars[train, ]), cars[test, ]))
      })
    }
    two <- loop(mpg ~ wt + hp)
    one <- loop(mpg ~ wt)
    expect_equal(fold_values(found, "two", metric), two)
    expect_equal(fold_values(found, "one", metric), one)
    row <- cell(found, "one", metric)
    expect_equal(row$mean, mean(one))
    expect_equal(row$std_err, sd(one) / sqrt(7))
    expect_identical(row$n, 7L)
    d <- one - two
    # 32 rows: each is held out once and trained on six times
    half <- qt(0.95, 6) * sqrt((1 / 7 + 32 / (6 * 32)) * var(d))
    expect_equal(row$difference, mean(d))
    expect_equal(c(row$lower, row$upper), mean(d) + c(-half, half))
    first <- cell(found, "two", metric)
    expect_equal(first$difference, 0)
    expect_identical(c(first$lower, first$upper), c(NA_real_, NA_real_))
  }
})

test_that("accuracy, log loss and the area under the curve of classes are those of a loop", {
  set.seed(5)
  folds <- rsample::vfold_cv(gears, v = 4, strata = am)
  tree <- function(formula, data) rpart::rpart(formula, data, control = rpart::rpart.control(minsplit = 6))
  skip_if_not_installed("rpart")
  found <- compare_models(am ~ mpg, gears, list(glm = glm, tree = tree), folds)
  manual <- function(train, test) predict(glm(am ~ mpg, binomial, gears[train, ]), gears[test, ], type = "response")
  loop <- function(f) by_hand(folds, function(train, test) f(gears$am[test] == "manual", manual(train, test)))
  expect_equal(fold_values(found, "glm", "accuracy"), loop(function(y, p) mean(y == (p > 0.5))))
  expect_equal(fold_values(found, "glm", "mn_log_loss"), loop(function(y, p) -mean(log(ifelse(y, p, 1 - p)))))
  # the share of pairs in order (Mann and Whitney)
  pairs <- function(y, p) mean(outer(p[y], p[!y], function(a, b) (a > b) + 0.5 * (a == b)))
  expect_equal(fold_values(found, "glm", "roc_auc"), loop(pairs))
  by_tree <- by_hand(folds, function(train, test) {
    p <- predict(tree(am ~ mpg, gears[train, ]), gears[test, ])[, "manual"]
    pairs(gears$am[test] == "manual", p)
  })
  expect_equal(fold_values(found, "tree", "roc_auc"), by_tree)
})

test_that("folds by number are those of vfold_cv(), stratified by classes", {
  set.seed(3)
  by_number <- compare_models(Species ~ ., iris, list(a = MASS::lda, b = MASS::qda), folds = 5, metrics = "accuracy")
  set.seed(3)
  by_set <- compare_models(Species ~ ., iris, list(a = MASS::lda, b = MASS::qda),
                           folds = rsample::vfold_cv(iris, v = 5, strata = Species), metrics = "accuracy")
  expect_identical(fold_values(by_number, "b", "accuracy"), fold_values(by_set, "b", "accuracy"))
  seen <- list()
  watch <- list(fit = function(formula, data) data, predict = function(model, newdata) {
    seen[[length(seen) + 1L]] <<- table(model$Species)
    rep(model$Species[1L], nrow(newdata))
  })
  compare_models(Species ~ ., iris, list(a = watch, b = MASS::lda), folds = 5, metrics = "accuracy")
  expect_true(all(unlist(seen) == 40L))
})

test_that("the interval counts rows of a bootstrap sample once", {
  set.seed(8)
  folds <- rsample::bootstraps(cars, times = 6, apparent = TRUE)
  found <- compare_models(mpg ~ wt, cars, list(line = lm, constant = constant), folds, metrics = "mae")
  expect_identical(levels(as.data.frame(found, folds = TRUE)$fold), sprintf("Bootstrap%d", 1:6))
  folds <- folds[1:6, ]
  d <- by_hand(folds, function(train, test) mean(abs(cars$mpg[test] - mean(cars$mpg[train])))) -
    by_hand(folds, function(train, test) mean(abs(cars$mpg[test] - predict(lm(mpg ~ wt, cars[train, ]), cars[test, ]))))
  count <- function(f) sum(by_hand(folds, f))
  ratio <- count(function(train, test) length(test)) / count(function(train, test) length(unique(train)))
  half <- qt(0.975, 5) * sqrt((1 / 6 + ratio) * var(d))
  row <- cell(found, "constant", "mae")
  expect_equal(c(row$difference, row$lower, row$upper), mean(d) + c(0, -half, half))
})

test_that("nothing of the rows held out leaks into a model", {
  set.seed(21)
  noise <- data.frame(y = rnorm(60), key = 1:60, x = rexp(60))
  folds <- rsample::vfold_cv(noise, v = 6)
  split <- rsample::manual_rset(folds$splits[1L], "one")
  train <- as.integer(folds$splits[[1L]], data = "analysis")
  test <- as.integer(folds$splits[[1L]], data = "assessment")
  # there is nothing to learn but the rows themselves: these models know by heart what they have seen, and take
  # the outcome from wherever they find it
  memory <- new.env()
  remember <- function(data) for (i in seq_len(nrow(data))) assign(as.character(data$key[i]), data$y[i], envir = memory)
  recall <- function(keys) unname(vapply(as.character(keys), get0, 0, envir = memory, ifnotfound = 0))
  by_heart <- list(fit = function(formula, data) remember(data), predict = function(model, newdata) recall(newdata$key))
  peeping <- list(fit = function(formula, data) data$y[1L], predict = function(model, newdata) newdata$y)
  found <- compare_models(y ~ ., noise, list(heart = by_heart, peeping = peeping), split, metrics = "mae")
  expect_setequal(as.integer(ls(memory)), noise$key[train])
  expect_equal(cell(found, "heart", "mae")$mean, mean(abs(noise$y[test])))
  expect_equal(cell(found, "peeping", "mae")$mean, mean(abs(noise$y[test] - noise$y[train][1L])))
  # with one row held out in the training set they would know better
  leak <- rsample::make_splits(list(analysis = c(train, test[-1L]), assessment = test[1L]), noise)
  leak <- rsample::manual_rset(list(leak), "one")
  compare_models(y ~ ., noise, list(heart = by_heart, peeping = peeping), leak, metrics = "mae")
  expect_equal(recall(noise$key[test]), c(0, noise$y[test[-1L]]))
  # a scale worked out from all rows, as a fitted model remembers it, is worked out anew
  whole <- lm(y ~ scale(x) + poly(key, 2), noise)
  found <- compare_models(y ~ x, noise, list(own = whole, line = lm), folds, metrics = "rmse")
  expect_equal(fold_values(found, "own", "rmse"), by_hand(folds, function(train, test) {
    fit <- lm(y ~ scale(x) + poly(key, 2), noise[train, ])
    sqrt(mean((noise$y[test] - predict(fit, noise[test, ]))^2))
  }))
})

test_that("a model's result does not depend on the others, their order, or what they do to random numbers", {
  skip_if_not_installed("randomForest")
  folds <- rsample::vfold_cv(cars, v = 4)
  forest <- function(formula, data) randomForest::randomForest(formula, data, ntree = 20)
  rude <- function(formula, data) {
    RNGkind("L'Ecuyer-CMRG")
    set.seed(1)
    lm(formula, data)
  }
  run <- function(models) {
    set.seed(99)
    compare_models(mpg ~ wt + hp, cars, models, folds, metrics = "rmse")
  }
  kind <- RNGkind()
  a <- run(list(forest = forest, line = lm))
  net <- function(formula, data) nnet::nnet(formula, data, size = 2, trace = FALSE)
  b <- run(list(rude = rude, net = net, line = lm, forest = forest))
  expect_identical(fold_values(a, "forest", "rmse"), fold_values(b, "forest", "rmse"))
  expect_identical(RNGkind(), kind)
  set.seed(98)
  other <- compare_models(mpg ~ wt + hp, cars, list(forest = forest, line = lm), folds, metrics = "rmse")
  expect_false(identical(fold_values(a, "forest", "rmse"), fold_values(other, "forest", "rmse")))
})

test_that("R's random numbers go on behind one draw, also after failures and errors", {
  folds <- rsample::vfold_cv(cars, v = 3)
  broken <- function(formula, data) stop(runif(1))
  set.seed(4)
  sample.int(.Machine$integer.max, 1L)
  expected <- runif(1)
  set.seed(4)
  suppressWarnings(compare_models(mpg ~ wt, cars, list(a = lm, b = broken, c = nnet::nnet), folds, metrics = "rmse"))
  expect_identical(runif(1), expected)
  set.seed(4)
  before <- .Random.seed
  expect_error(compare_models(mpg ~ wt, cars, list(a = lm, b = "lm"), folds))
  expect_identical(.Random.seed, before)
})

test_that("a model that fails in a fold is named, left out there, and compared in the others", {
  set.seed(12)
  folds <- rsample::vfold_cv(cars, v = 4)
  bad <- as.integer(folds$splits[[3L]], data = "analysis")
  fragile <- list(
    fit = function(formula, data) {
      if (identical(data$mpg, cars$mpg[bad])) stop("no luck today")
      constant$fit(formula, data)
    },
    predict = constant$predict
  )
  clumsy <- list(fit = lm, predict = function(model, newdata) predict(model, newdata)[-1L])
  warnings <- list()
  found <- withCallingHandlers(
    compare_models(mpg ~ wt, cars, list(line = lm, fragile = fragile, clumsy = clumsy), folds, metrics = "rmse"),
    lamina_warning = function(w) {
      warnings[[length(warnings) + 1L]] <<- w
      invokeRestart("muffleWarning")
    }
  )
  expect_length(warnings, 2L)
  expect_s3_class(warnings[[1L]], "lamina_warning_failed")
  expect_identical(warnings[[1L]]$model, "fragile")
  expect_identical(warnings[[1L]]$folds, "Fold3")
  expect_match(conditionMessage(warnings[[1L]]), "`fragile` failed in 1 of 4 folds.*Fold3: no luck today")
  expect_match(conditionMessage(warnings[[2L]]), "`clumsy` failed in 4 of 4 folds.*8 numbers, one for each row, not")
  values <- by_hand(folds, function(train, test) sqrt(mean((cars$mpg[test] - mean(cars$mpg[train]))^2)))
  line <- by_hand(folds, function(train, test) {
    sqrt(mean((cars$mpg[test] - predict(lm(mpg ~ wt, cars[train, ]), cars[test, ]))^2))
  })
  row <- cell(found, "fragile", "rmse")
  expect_identical(row$n, 3L)
  expect_equal(row$mean, mean(values[-3]))
  expect_equal(row$difference, mean((values - line)[-3]))
  expect_identical(fold_values(found, "fragile", "rmse")[3L], NA_real_)
  expect_identical(cell(found, "clumsy", "rmse")[c("n", "mean", "difference", "lower")],
                   list(n = 0L, mean = NA_real_, difference = NA_real_, lower = NA_real_))
  failures <- attr(found, "failures")
  expect_identical(failures$stage[failures$model == "fragile"], "fit")
  expect_identical(failures$stage[failures$model == "clumsy"], rep("predict", 4L))
  expect_identical(conditionMessage(failures$error[[which(failures$model == "fragile")]]), "no luck today")
  # a model that fails must not look best by that
  expect_false(any(grepl("^\\* (fragile|clumsy)", capture.output(print(found)))))
})

test_that("warnings of models come once a model, messages not at all", {
  noisy <- function(formula, data) {
    message("by the way")
    warning("mind the gap")
    lm(formula, data)
  }
  warning <- NULL
  expect_no_message(withCallingHandlers(
    compare_models(mpg ~ wt, cars, list(a = noisy, b = lm), 6, metrics = "rmse"),
    lamina_warning_model = function(w) {
      warning <<- c(warning, conditionMessage(w))
      invokeRestart("muffleWarning")
    }
  ))
  expect_length(warning, 1L)
  expect_match(warning, "`a` gave warnings in 6 of 6 folds.*Fold1, Fold2, Fold3, 3 others: mind the gap")
})

test_that("gaps: rows without outcome are left out, rows that a model does not predict do not count for it", {
  air <- datasets::airquality
  set.seed(2)
  folds <- rsample::vfold_cv(air, v = 5)
  skip_if_not_installed("rpart")
  expect_warning(
    found <- compare_models(Ozone ~ Solar.R + Wind, air, list(line = lm, tree = rpart::rpart), folds, metrics = "mae"),
    "`line` gave no prediction for 5 of 116 rows", class = "lamina_warning_missing"
  )
  known <- !is.na(air$Ozone)
  loop <- function(fit) {
    by_hand(folds, function(train, test) {
      test <- test[known[test]]
      mean(abs(air$Ozone[test] - predict(fit(Ozone ~ Solar.R + Wind, air[train, ]), air[test, ])), na.rm = TRUE)
    })
  }
  expect_equal(fold_values(found, "line", "mae"), loop(lm))
  expect_equal(fold_values(found, "tree", "mae"), loop(rpart::rpart))
  values <- as.data.frame(found, folds = TRUE)
  expect_identical(sum(values$missing[values$model == "line"]), 5L)
  expect_identical(sum(values$n[values$model == "line"]), 111L)
  expect_identical(sum(values$n[values$model == "tree"]), 116L)
  set.seed(2)
  by_number <- suppressWarnings(compare_models(Ozone ~ Wind, air, list(a = lm, b = rpart::rpart), 5, metrics = "mae"))
  expect_identical(sum(subset(as.data.frame(by_number, folds = TRUE), model == "a")$n), 116L)
})

test_that("unused levels of the outcome are dropped with a message", {
  two <- iris[51:150, ]
  expect_message(found <- compare_models(Species ~ Petal.Width, two, list(a = glm, b = MASS::lda), 5, metrics = "accuracy"),
                 "no row of level \"setosa\"", class = "lamina_message_outcome")
  expect_gt(cell(found, "a", "accuracy")$mean, 0.9)
  expect_message(suppressWarnings(compare_models(am ~ wt, cars, list(a = lm, b = constant), 3)), "taken as a number")
})

test_that("event_level says which class metrics are about", {
  set.seed(6)
  folds <- rsample::vfold_cv(gears, v = 3, strata = am)
  for (level in c("first", "second")) {
    found <- compare_models(am ~ wt, gears, list(a = glm, b = MASS::lda), folds, metrics = c("sens", "roc_auc"),
                            event_level = level)
    event <- if (level == "first") "auto" else "manual"
    expect_equal(fold_values(found, "b", "sens"), by_hand(folds, function(train, test) {
      class <- predict(MASS::lda(am ~ wt, gears[train, ]), gears[test, ])$class
      mean(class[gears$am[test] == event] == event)
    }))
    expect_true(all(fold_values(found, "a", "roc_auc") > 0.5))
  }
})

test_that("an outcome may be a function of columns that works row by row", {
  set.seed(7)
  folds <- rsample::vfold_cv(cars, v = 3)
  found <- compare_models(log(mpg) ~ ., cars, list(all = lm, one = lm(log(mpg) ~ wt, cars)), folds, metrics = "rmse")
  expect_equal(fold_values(found, "all", "rmse"), by_hand(folds, function(train, test) {
    sqrt(mean((log(cars$mpg[test]) - predict(lm(log(mpg) ~ ., cars[train, ]), cars[test, ]))^2))
  }))
  for (formula in list(scale(mpg) ~ wt, I(mpg / max(mpg)) ~ wt)) {
    expect_error(compare_models(formula, cars, list(a = lm, b = constant), folds), "depends on the other rows",
                 class = "lamina_error_argument")
  }
})

test_that("metric sets, single folds and leave-one-out", {
  set.seed(1)
  one <- rsample::mc_cv(cars, times = 1)
  metrics <- yardstick::metric_set(yardstick::rsq_trad, yardstick::msd)
  found <- compare_models(mpg ~ wt, cars, list(a = lm, b = constant), one, metrics = metrics)
  expect_identical(levels(found$metric), c("rsq_trad", "msd"))
  expect_true(all(is.na(found$std_err)) && all(is.na(found$lower)) && !anyNA(found$difference))
  expect_match(capture.output(print(found)), "best at 0", all = FALSE)
  loo <- compare_models(mpg ~ wt, cars, list(a = lm, b = constant), 32, metrics = "mae")
  press <- residuals(lm(mpg ~ wt, cars)) / (1 - hatvalues(lm(mpg ~ wt, cars)))
  expect_equal(cell(loo, "a", "mae")$mean, mean(abs(press)))
})

test_that("the result is a tibble that goes through dplyr and prints as tables", {
  set.seed(1)
  data <- data.frame(x = rnorm(100))
  data$y <- data$x + rnorm(100, sd = 0.3)
  found <- compare_models(y ~ x, data, list(constant = constant, line = lm, same = lm), 5, metrics = c("rmse", "mae"))
  expect_s3_class(found, c("lamina_comparison", "tbl_df", "data.frame"), exact = FALSE)
  expect_named(found, c("model", "metric", "mean", "std_err", "n", "difference", "lower", "upper", "fit_seconds",
                        "predict_seconds"))
  expect_identical(nrow(found), 6L)
  shown <- capture.output(expect_invisible(print(found)))
  expect_match(shown, "y by 3 models on the same folds: 5-fold cross-validation", all = FALSE)
  expect_match(shown, "^\\* line .*better$", all = FALSE)
  expect_match(shown, "rmse (less is better)", fixed = TRUE, all = FALSE)
  expect_match(shown, "95 % interval", all = FALSE)
  expect_true(all(nchar(shown) <= 80L))
  # the verdict is what the interval says
  rows <- found[found$model == "line", ]
  expect_true(all(rows$upper < 0))
  cases <- data.frame(difference = c(1, -1, 1, 0), lower = c(0.5, -2, -1, 0), upper = c(2, -0.5, 3, 0))
  expect_identical(verdict(cases, "maximize"), c("better", "worse", "may be chance", "the same"))
  expect_identical(verdict(cases, "minimize"), c("worse", "better", "may be chance", "the same"))
  expect_identical(verdict(cases, "zero"), c("different", "different", "may be chance", "the same"))
  expect_identical(class(as.data.frame(found)), "data.frame")
  expect_identical(nrow(as.data.frame(found, folds = TRUE)), 30L)
  skip_if_not_installed("dplyr")
  part <- dplyr::filter(found, metric == "mae", model != "same")
  expect_identical(nrow(as.data.frame(part, folds = TRUE)), 10L)
  expect_false(any(grepl("rmse|same +", capture.output(print(part))[-1L])))
  expect_match(capture.output(print(dplyr::select(found, model, mean))), "A tibble: 6", all = FALSE)
  expect_match(capture.output(print(dplyr::bind_rows(found, found))), "A tibble: 12", all = FALSE)
  expect_output(print(found[0, ]), "no models")
})

test_that("a line a fold, or one at the end", {
  run <- function(verbose) {
    models <- list(a = lm, b = constant)
    capture.output(compare_models(mpg ~ wt, cars, models, 3, metrics = "rmse", verbose = verbose))
  }
  lines <- run(2)
  expect_match(lines[1:3], "^Fold[123] \\([123]/3\\) - a: .* - b: ")
  expect_match(run(3)[1L], "^6 fits - ")
  expect_false(any(grepl("fits|Fold1", run(0))))
})

test_that("comparisons are drawn, with and without ggplot2", {
  set.seed(1)
  models <- list("a rather long name of a model" = lm, constant = constant, broken = function(formula, data) stop("no"))
  found <- suppressWarnings(compare_models(mpg ~ wt, cars, models, 4, metrics = c("rmse", "mae")))
  local_device()
  expect_no_warning(expect_invisible(plot(found, method = "base")))
  expect_no_warning(plot(found[1, ], method = "base"))
  expect_error(plot(found, metrics = "rmes"), "rmse", class = "lamina_error_argument")
  expect_error(plot(found[found$model == "broken", ]), class = "lamina_error_state")
  skip_if_not_installed("ggplot2")
  plot <- plot(found, metrics = "mae")
  expect_no_warning(print(plot))
  expect_identical(levels(plot$data$panel), "mae: less is better")
  expect_identical(nrow(plot$data), 8L)
  means <- plotted_means(plot$data, attr(found, "about"))
  values <- fold_values(found, "constant", "mae")
  half <- qt(0.975, 3) * sqrt((1 / 4 + 1 / 3) * var(values))
  expect_equal(unlist(means[means$model == "constant", c("value", "lower", "upper")], use.names = FALSE),
               mean(values) + c(0, -half, half))
})

test_that("what does not fit together is refused before anything is fitted", {
  fitted <- 0
  watch <- function(formula, data) {
    fitted <<- fitted + 1
    lm(formula, data)
  }
  two <- list(a = watch, b = lm)
  odd <- transform(iris, text = as.character(Species), one = factor("x"), yes = Species == "setosa")
  outside <- cars$hp
  refuse <- function(code, arg, say, class = "lamina_error_argument") {
    error <- expect_error(code, class = class)
    expect_s3_class(error, "lamina_error")
    expect_identical(error$arg, arg)
    expect_match(conditionMessage(error), say, fixed = TRUE)
    expect_identical(as.character(error$call[[1L]]), "compare_models")
    expect_false(is.null(error$expected) || is.null(error$actual))
  }
  refuse(compare_models(data = cars, models = two), "formula", "left out")
  refuse(compare_models(cars, mpg ~ wt, two), "formula", "The formula comes first")
  refuse(compare_models("mpg ~ wt", cars, two), "formula", "as.formula()")
  refuse(compare_models(~ wt, cars, two), "formula", "outcome on the left")
  refuse(compare_models(mpg ~ wt, models = two), "data", "left out")
  refuse(compare_models(mpg ~ wt, as.matrix(cars), two), "data", "a data frame")
  refuse(compare_models(mgp ~ wt, cars, two), "formula", "Did you mean `mpg`?")
  refuse(compare_models(mpg ~ wt + wtt, cars, two), "formula", "`wtt`, which is none")
  refuse(compare_models(mpg ~ wt + outside, cars, two), "formula", "data$outside <- outside")
  refuse(compare_models(text ~ Petal.Width, odd, two), "data", "data$text <- factor(data$text)", "lamina_error_data")
  refuse(compare_models(yes ~ Petal.Width, odd, two), "data", "a logical vector", "lamina_error_data")
  refuse(compare_models(one ~ Petal.Width, odd, two), "data", "two levels in use, not one that is \"x\"", "lamina_error_data")
  refuse(compare_models(cbind(mpg, wt) ~ hp, cars, two), "data", "One outcome at a time", "lamina_error_data")
  refuse(compare_models(mpg ~ wt, transform(cars, mpg = NA_real_), two), "data", "one with 0", "lamina_error_data")
  refuse(compare_models(mpg ~ wt, transform(cars, mpg = replace(mpg, 2, Inf)), two), "data", "finite, not Inf, as in row 2",
         "lamina_error_data")
  refuse(compare_models(mpg ~ wt, cars), "models", "left out")
  refuse(compare_models(mpg ~ wt, cars, lm), "models", "a named list of at least two models, not a function")
  refuse(compare_models(mpg ~ wt, cars, list(watch, b = lm)), "models", "entry 1 has no name")
  refuse(compare_models(mpg ~ wt, cars, list(a = watch)), "models", "learning_curve()")
  refuse(compare_models(mpg ~ wt, cars, list(a = watch, a = lm)), "models", "two called \"a\"")
  refuse(compare_models(mpg ~ wt, cars, list(a = watch, b = "lm")), "models$b", "without quotes")
  refuse(compare_models(mpg ~ wt, cars, list(a = watch, b = list(fit = lm))), "models$b", "list(fit = , predict = )")
  refuse(compare_models(mpg ~ wt, cars, two, folds = 1), "folds", "from 2 to 32")
  refuse(compare_models(mpg ~ wt, cars, two, folds = 33), "folds", "not 33")
  refuse(compare_models(mpg ~ wt, cars, two, folds = rsample::initial_split(cars)), "folds", "mc_cv")
  refuse(compare_models(mpg ~ wt, cars, two, folds = rsample::vfold_cv(iris)), "folds", "150 rows, where `data` has 32",
         "lamina_error_data")
  refuse(compare_models(mpg ~ wt, cars, two, folds = rsample::vfold_cv(cars[32:1, ])), "folds", "column `mpg` differs",
         "lamina_error_data")
  refuse(compare_models(mpg ~ wt, cars, two, folds = rsample::vfold_cv(cars[-1])), "folds", "no column `mpg`",
         "lamina_error_data")
  refuse(compare_models(mpg ~ wt, cars, two, folds = rsample::apparent(cars)), "folds", "hold rows out")
  refuse(compare_models(mpg ~ wt, cars, two, metrics = "rmsee"), "metrics", "Did you mean \"rmse\"?")
  refuse(compare_models(mpg ~ wt, cars, two, metrics = "accuracy"), "metrics", "a measure of classes")
  refuse(compare_models(Species ~ ., iris, list(a = watch, b = MASS::lda), metrics = "rmse"), "metrics", "a measure of numbers")
  refuse(compare_models(mpg ~ wt, cars, two, metrics = yardstick::rmse), "metrics", "in quotes")
  refuse(compare_models(mpg ~ wt, cars, two, level = 2), "level", "from 0 to 1")
  refuse(compare_models(mpg ~ wt, cars, two, event_level = "third"), "event_level", "second")
  expect_error(compare_models(mpg ~ wt, cars, two, levels = 3), "lamina has no argument", class = "lamina_error_argument")
  expect_identical(fitted, 0)
})
