# predict(type = "conf_int") and "pred_int": values by hand, coverage by simulation, arguments.

quietly <- function(code) suppressMessages(code, classes = "lamina_message_ensemble")

test_that("without hidden layers they are those of lm(), within the error of a bootstrap", {
  set.seed(1)
  n <- 200
  data <- data.frame(a = rnorm(n), b = rnorm(n))
  data$y <- 1 + data$a - data$b + rnorm(n)
  fit <- lamina(y ~ a + b, data, hidden_units = 0, optimizer = "bfgs", times = 200)
  reference <- lm(y ~ a + b, data)
  new <- data.frame(a = c(-2, 0, 1), b = c(1, 0, 2))
  width <- function(x) x[, "upr"] - x[, "lwr"]
  confidence <- predict(fit, new, type = "conf_int")
  expect_identical(colnames(confidence), c("fit", "lwr", "upr"))
  expect_equal(confidence[, "fit"], predict(fit, new))
  # a standard deviation from 200 has a standard error of 1 / sqrt(400) = 5 %; 3.5 of these
  expect_equal(unname(width(confidence) / width(predict(reference, new, interval = "confidence"))), rep(1, 3), tolerance = 0.18)
  prediction <- predict(fit, new, type = "pred_int")
  expect_equal(unname(width(prediction) / width(predict(reference, new, interval = "prediction"))), rep(1, 3), tolerance = 0.06)
  expect_equal(confidence[, "fit"] - confidence[, "lwr"], confidence[, "upr"] - confidence[, "fit"])
})

test_that("a confidence interval is the fit -+ t times the spread between the networks kept", {
  set.seed(2)
  fit <- lamina(mpg ~ wt, mtcars, hidden_units = 2, activation = "tanh", optimizer = "bfgs", penalty = 0.01, times = 7)
  expect_length(fit$ensemble$weights, 7)
  new <- data.frame(wt = c(2, 4))
  copy <- clone_model(fit$network)
  z <- matrix((new$wt - mean(mtcars$wt)) / sd(mtcars$wt))
  each <- vapply(fit$ensemble$weights, function(w) {
    net_ptr(copy)
    set_model_weights_raw(copy, w)
    predict(copy, z)[, 1] * sd(mtcars$mpg) + mean(mtcars$mpg)
  }, c(0, 0))
  spread <- pmax(apply(each, 1, sd), abs(predict(fit, new) - rowMeans(each)) / 2)
  interval <- predict(fit, new, type = "conf_int", level = 0.8)
  expect_equal(interval[, "upr"] - interval[, "fit"], qt(0.9, 6) * spread, tolerance = 1e-5)
  fewer <- predict(fit, new, type = "conf_int", times = 5)
  expect_false(identical(fewer, predict(fit, new, type = "conf_int")))
})

# Shares of new points of several data sets; `sets` and `times` are small, the long study is bench/intervals.R.
coverage <- function(draw, mean_of, sets, ...) {
  shares <- vapply(seq_len(sets), function(i) {
    set.seed(i)
    data <- draw(150)
    new <- draw(200)
    fit <- lamina(y ~ ., data, times = 25, ...)
    truth <- mean_of(new)
    within <- function(interval, value) mean(value >= interval[, "lwr"] & value <= interval[, "upr"])
    c(mean = within(predict(fit, new, type = "conf_int"), truth), new = within(predict(fit, new, type = "pred_int"), new$y))
  }, c(mean = 0, new = 0))
  rowMeans(shares)
}

expect_nominal <- function(shares) {
  cat(sprintf("\ncoverage at 95 %%: mean %.1f, new observations %.1f %%\n", 100 * shares[["mean"]], 100 * shares[["new"]]))
  for (share in shares) {
    expect_gt(share, 0.85)
    expect_lt(share, 0.99)
  }
}

test_that("95 % intervals hold between 85 and 99 %: a plane of four predictors", {
  skip_on_cran()
  plane <- function(n) {
    x <- matrix(rnorm(4 * n), n, dimnames = list(NULL, letters[1:4]))
    data.frame(x, y = as.vector(x %*% c(1, -0.5, 0.5, 0)) + rnorm(n))
  }
  expect_nominal(coverage(plane, function(d) d$a - 0.5 * d$b + 0.5 * d$c, 12, hidden_units = 8, epochs = 60))
})

test_that("95 % intervals hold between 85 and 99 %: a sine curve", {
  skip_on_cran()
  wave <- function(n) {
    x <- runif(n, -3, 3)
    data.frame(x, y = sin(1.5 * x) + 0.3 * x + rnorm(n, sd = 0.4))
  }
  expect_nominal(coverage(wave, function(d) sin(1.5 * d$x) + 0.3 * d$x, 12, hidden_units = 5, activation = "tanh",
                          optimizer = "bfgs", penalty = 0.001))
})

test_that("shapes: two classes, several classes, several outcomes, counts, rows with gaps", {
  set.seed(3)
  two <- lamina(factor(am) ~ wt + hp, mtcars, hidden_units = 2, optimizer = "bfgs", penalty = 0.01, times = 5)
  interval <- predict(two, mtcars, type = "conf_int")
  expect_identical(dim(interval), c(32L, 3L))
  expect_true(all(interval >= 0 & interval <= 1 & interval[, "lwr"] <= interval[, "fit"] & interval[, "fit"] <= interval[, "upr"]))
  expect_equal(interval[, "fit"], predict(two, mtcars))

  three <- lamina(Species ~ ., iris, hidden_units = 3, epochs = 20, times = 4)
  interval <- predict(three, iris, type = "conf_int")
  expect_identical(dimnames(interval), list(NULL, c("fit", "lwr", "upr"), levels(iris$Species)))
  expect_equal(interval[, "fit", ], predict(three, iris))

  pair <- lamina(cbind(mpg, hp) ~ wt, mtcars, hidden_units = 2, optimizer = "bfgs", penalty = 0.01, times = 6)
  interval <- predict(pair, mtcars[1:4, ], type = "pred_int")
  expect_identical(dimnames(interval), list(NULL, c("fit", "lwr", "upr"), c("mpg", "hp")))

  claims <- lamina(Claims ~ District, MASS::Insurance, family = poisson(), offset = log(Holders), hidden_units = 0,
                   optimizer = "bfgs", times = 6)
  interval <- predict(claims, MASS::Insurance, type = "pred_int")
  expect_equal(interval[, c("lwr", "upr")], round(interval[, c("lwr", "upr")]))
  expect_equal(interval[, "fit"], predict(claims, MASS::Insurance))
  # twice the exposure, twice the mean, and limits that go along
  doubled <- predict(claims, MASS::Insurance, type = "conf_int", offset = log(2 * MASS::Insurance$Holders))
  expect_equal(doubled, 2 * predict(claims, MASS::Insurance, type = "conf_int"), tolerance = 1e-5)

  gaps <- mtcars[1:3, ]
  gaps$wt[2] <- NA
  expect_identical(is.na(predict(two, gaps, type = "conf_int")[, "lwr"]), c(FALSE, TRUE, FALSE))
})

test_that("the limits of a count are quantiles of the mixture", {
  means <- rbind(c(1, 2, 6), c(10, 10, 10))
  brute <- function(m, p) which(sapply(0:100, function(k) mean(ppois(k, m))) >= p)[1] - 1
  for (p in c(0.025, 0.5, 0.975)) {
    expect_equal(mixture_quantile(p, means), c(brute(means[1, ], p), brute(means[2, ], p)))
  }
})

test_that("what is kept, and what is trained at predict()", {
  set.seed(4)
  kept <- lamina(mpg ~ wt, mtcars, hidden_units = 2, optimizer = "bfgs", penalty = 0.01, times = 4, model = FALSE)
  one <- predict(kept, mtcars, type = "pred_int")
  expect_no_message(two <- predict(kept, mtcars, type = "pred_int"))
  expect_identical(one, two)
  expect_error(predict(kept, mtcars, type = "conf_int", times = 10), class = "lamina_error_state")

  fit <- lamina(mpg ~ wt, mtcars, hidden_units = 2, optimizer = "bfgs", penalty = 0.01)
  message <- expect_message(predict(fit, mtcars, type = "conf_int", times = 3), class = "lamina_message_ensemble")
  expect_match(conditionMessage(message), "`times = 3` in lamina\\(\\) keeps them")
  run <- function(threads, method = "bootstrap") {
    withr::local_options(lamina.threads = threads)
    set.seed(5)
    quietly(predict(fit, mtcars, type = "conf_int", times = 3, method = method))
  }
  expect_identical(run(1), run(2))
  expect_false(identical(run(1), run(1, "ensemble")))
  # predictions do not move R's random numbers when networks are kept
  set.seed(6)
  before <- .Random.seed
  predict(kept, mtcars, type = "conf_int")
  expect_identical(.Random.seed, before)
})

test_that("Ctrl-C keeps the networks trained so far", {
  trainings <- 0
  stopper <- callback_lambda(
    on_train_begin = function(logs) trainings <<- trainings + 1,
    on_epoch_end = function(epoch, logs) if (trainings == 4 && epoch == 2) rlang::interrupt()
  )
  set.seed(1)
  warning <- expect_warning(fit <- lamina(mpg ~ wt, mtcars, epochs = 3, callbacks = stopper, times = 8),
                            class = "lamina_warning_interrupt")
  expect_match(conditionMessage(warning), "2 of 8 networks")
  expect_length(fit$ensemble$weights, 2) # the first training was the fit's own
  expect_false(anyNA(predict(fit, mtcars, type = "conf_int")))
})

test_that("networks survive saveRDS() and another process", {
  skip_if_not_installed("callr")
  set.seed(7)
  fit <- lamina(Species ~ ., iris, hidden_units = 2, epochs = 3, times = 3)
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(fit, path)
  other <- callr::r(function(path) {
    requireNamespace("lamina")
    stats::predict(readRDS(path), datasets::iris, type = "conf_int")
  }, list(path))
  expect_identical(other, predict(fit, iris, type = "conf_int"))
})

test_that("no row is trained on and held out at once, and classes keep their numbers", {
  set.seed(8)
  fit <- lamina(Species ~ ., iris, hidden_units = 2, epochs = 2)
  train <- refit_data(fit, NULL, rlang::current_env())
  drawn <- refit_rows(fit, train, "bootstrap")
  expect_length(intersect(drawn$rows[drawn$held], drawn$rows[-drawn$held]), 0)
  expect_equal(as.vector(table(iris$Species[drawn$rows])), c(50, 50, 50))
  expect_length(intersect(drawn$unseen, drawn$rows), 0)
  other <- refit_rows(fit, train, "ensemble")
  expect_identical(other$rows, 1:150)
  expect_identical(other$unseen, other$held)
})

test_that("arguments", {
  set.seed(9)
  fit <- lamina(mpg ~ wt, mtcars, hidden_units = 2, optimizer = "bfgs", penalty = 0.01, times = 3)
  wrong <- function(..., class = "lamina_error_argument") expect_error(predict(fit, mtcars, ...), class = class)
  expect_identical(wrong(type = "conf_int", level = 95)$arg, "level")
  expect_identical(wrong(type = "conf_int", times = 1)$arg, "times")
  expect_identical(wrong(type = "conf_int", method = "jackknife")$arg, "method")
  expect_identical(wrong(type = "pred_int", method = "ensemble", times = 2)$arg, "method")
  expect_error(lamina(mpg ~ wt, mtcars, times = 1), class = "lamina_error_argument")
  expect_error(predict(lamina(Species ~ ., iris, epochs = 1), iris, type = "pred_int"), class = "lamina_error_argument")
  expect_error(predict(lamina(factor(am) ~ wt, mtcars, loss = "hinge", epochs = 1), mtcars, type = "conf_int"),
               class = "lamina_error_argument")
})
