# importance(): every value against the definition, with the same random numbers.

cars <- transform(mtcars, cyl = factor(cyl))

linear_cars <- function(formula = mpg ~ wt + hp + cyl, ...) {
  set.seed(1)
  lamina(formula, cars, hidden_units = 0, optimizer = "bfgs", ...)
}

# The definition: loss(fit, data) after each of `times` shuffles of each column, less that before.
by_hand <- function(fit, data, variables, times, loss) {
  base <- loss(data)
  worse <- sapply(variables, function(v) {
    each <- replicate(times, {
      shuffled <- data
      shuffled[[v]] <- data[[v]][sample.int(nrow(data))]
      shuffled
    }, simplify = FALSE)
    vapply(each, loss, 0) - base
  })
  data.frame(importance = colMeans(worse), std.error = apply(worse, 2, sd) / sqrt(times))
}

expect_importance <- function(found, hand) {
  hand <- hand[order(-hand$importance), ]
  expect_identical(found$variable, rownames(hand))
  expect_equal(found$importance, hand$importance, tolerance = 1e-5)
  expect_equal(found$std.error, hand$std.error, tolerance = 1e-4)
}

test_that("importance is the mean increase of the mean squared error, a factor as one column", {
  fit <- linear_cars()
  set.seed(7)
  found <- importance(fit, times = 4)
  set.seed(7)
  hand <- by_hand(fit, cars, c("wt", "hp", "cyl"), 4, function(d) mean((cars$mpg - predict(fit, d))^2))
  expect_importance(found, hand)
  expect_s3_class(found, c("lamina_importance", "tbl_df"))
  expect_false(is.unsorted(-found$importance))
  judged <- attr(found, "judged")
  expect_equal(judged$value, mean(residuals(lm(mpg ~ wt + hp + cyl, cars))^2), tolerance = 1e-5)
  expect_identical(judged[c("name", "times", "rows")], list(name = "mean squared error", times = 4, rows = 32L))
})

test_that("a column in several terms is shuffled in all of them", {
  fit <- linear_cars(mpg ~ wt + I(wt^2) + wt:hp + log(hp))
  set.seed(7)
  found <- importance(fit, times = 3)
  set.seed(7)
  expect_importance(found, by_hand(fit, cars, c("wt", "hp"), 3, function(d) mean((cars$mpg - predict(fit, d))^2)))
})

test_that("counts: mean deviance, with weights and offsets of either kind", {
  data <- MASS::Insurance
  data$w <- rep(c(1, 3), 32)
  set.seed(1)
  by_argument <- lamina(Claims ~ District + Age, data, family = poisson(), offset = log(Holders), weights = w,
                        hidden_units = 0, optimizer = "bfgs")
  set.seed(1)
  by_formula <- lamina(Claims ~ District + Age + offset(log(Holders)), data, family = poisson(), weights = w,
                       hidden_units = 0, optimizer = "bfgs")
  y <- data$Claims
  for (fit in list(by_argument, by_formula)) {
    deviance <- function(d) {
      mu <- predict(fit, d)
      2 * sum(data$w * (ifelse(y > 0, y * log(y / mu), 0) - (y - mu))) / sum(data$w)
    }
    set.seed(7)
    found <- importance(fit, times = 3)
    set.seed(7)
    expect_importance(found, by_hand(fit, data, c("District", "Age"), 3, deviance))
    set.seed(7)
    expect_equal(importance(fit, data, times = 3, weights = data$w), found, ignore_attr = TRUE)
    expect_identical(attr(found, "judged")$name, "mean deviance")
  }
})

test_that("rows held out are the default, and new data give the same when they are those", {
  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 4, epochs = 30)
  held <- iris[fit$held_out, ]
  truth <- cbind(seq_along(fit$held_out), as.integer(held$Species))
  log_loss <- function(d) -mean(log(predict(fit, d, type = "prob")[truth]))
  set.seed(7)
  found <- importance(fit, times = 3)
  set.seed(7)
  expect_importance(found, by_hand(fit, held, names(iris)[1:4], 3, log_loss))
  expect_equal(attr(found, "judged")$value, fit$figures$held)
  expect_match(attr(found, "judged")$where, "30 rows held out")
  set.seed(7)
  expect_equal(importance(fit, held, times = 3), found, ignore_attr = TRUE)
})

test_that("another loss is its own figure, on the scale that the network is trained on", {
  fit <- linear_cars(loss = "mean_absolute_error")
  set.seed(7)
  found <- importance(fit, times = 3)
  set.seed(7)
  loss <- function(d) mean(abs(cars$mpg - predict(fit, d))) / sd(cars$mpg)
  hand <- by_hand(fit, cars, c("wt", "hp", "cyl"), 3, loss)
  expect_importance(found, hand)
  expect_identical(attr(found, "judged")$name, "mean absolute error")
})

test_that("fits of x and y, of matrices and of recipes are judged by their own columns", {
  set.seed(1)
  fit <- lamina(cars[c("wt", "cyl")], cars$mpg, hidden_units = 0, optimizer = "bfgs")
  mse <- function(fit) function(d) mean((cars$mpg - predict(fit, d))^2)
  set.seed(7)
  hand <- by_hand(fit, cars[c("wt", "cyl")], c("wt", "cyl"), 3, mse(fit))
  set.seed(7)
  expect_importance(importance(fit, times = 3), hand)
  set.seed(7)
  expect_importance(importance(fit, cars, times = 3, y = cars$mpg), hand)
  expect_error(importance(fit, cars), class = "lamina_error_argument", "`y`")

  x <- as.matrix(mtcars[c("wt", "hp")])
  set.seed(1)
  fit <- lamina(x, mtcars$mpg, hidden_units = 0, optimizer = "bfgs")
  set.seed(7)
  found <- importance(fit, times = 3)
  set.seed(7)
  expect_importance(found, by_hand(fit, as.data.frame(x), c("wt", "hp"), 3, mse(fit)))
  set.seed(7)
  expect_equal(importance(fit, unname(x), times = 3, y = mtcars$mpg), found, ignore_attr = TRUE)

  withr::local_envvar(TZ = "UTC") # else loading recipes asks the system for its time zone
  skip_if_not_installed("recipes")
  recipe <- recipes::recipe(mpg ~ wt + cyl, cars)
  recipe <- recipes::step_dummy(recipe, recipes::all_nominal_predictors())
  set.seed(1)
  fit <- lamina(recipe, cars, hidden_units = 0, optimizer = "bfgs")
  set.seed(7)
  found <- importance(fit, times = 3)
  set.seed(7)
  expect_importance(found, by_hand(fit, cars, c("wt", "cyl"), 3, mse(fit)))
})

test_that("many rows are judged in several parts", {
  fit <- linear_cars(mpg ~ wt + hp)
  set.seed(3)
  big <- cars[sample.int(32, 30000, TRUE), ]
  set.seed(7)
  found <- importance(fit, big, times = 3)
  set.seed(7)
  expect_importance(found, by_hand(fit, big, c("wt", "hp"), 3, function(d) mean((big$mpg - predict(fit, d))^2)))
})

test_that("`rows` draws some of the rows, before the shuffles", {
  fit <- linear_cars()
  set.seed(7)
  found <- importance(fit, times = 2, rows = 20)
  set.seed(7)
  part <- cars[sample.int(32, 20), ]
  hand <- by_hand(fit, part, c("wt", "hp", "cyl"), 2, function(d) mean((part$mpg - predict(fit, d))^2))
  expect_importance(found, hand)
  expect_match(attr(found, "judged")$where, "20 of the 32 rows")
  expect_equal(attr(found, "judged")$rows, 20L)
  expect_error(importance(fit, rows = 1), class = "lamina_error_argument")
})

test_that("rows with missing values are left out, with a message", {
  fit <- linear_cars(mpg ~ wt + hp)
  holes <- cars
  holes$wt[2] <- NA
  holes$mpg[5] <- NA
  set.seed(7)
  expect_message(found <- importance(fit, holes, times = 2), "2 of 32 rows", class = "lamina_message_na")
  set.seed(7)
  expect_equal(found, importance(fit, cars[-c(2, 5), ], times = 2), ignore_attr = TRUE)
})

test_that("classes may come as text, logicals or 0 and 1", {
  set.seed(1)
  fit <- lamina(factor(am) ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs", penalty = 0.01)
  set.seed(7)
  found <- importance(fit, mtcars, times = 2)
  set.seed(7)
  expect_equal(importance(fit, mtcars, times = 2, y = as.character(mtcars$am)), found)
  expect_equal(attr(found, "judged")$value, fit$figures$fit)
  expect_error(importance(fit, mtcars, y = rep("a", 32)), class = "lamina_error_data", "classes 0, 1")
})

test_that("print() tells what was measured and how many columns there are", {
  fit <- linear_cars()
  found <- importance(fit, times = 2)
  out <- capture.output(print(found, n = 2))
  expect_match(paste(out, collapse = " "), "mean squared error.*32 rows of the fit.*mean of 2 times")
  expect_match(out[length(out)], "... and 1 more", fixed = TRUE)
  expect_length(grep("wt|hp|cyl", out), 2)
  once <- importance(fit, times = 1)
  expect_true(all(is.na(once$std.error)))
  expect_match(paste(capture.output(once), collapse = " "), "(once)", fixed = TRUE)
  expect_output(print(as.data.frame(found)["variable"]), "wt") # no longer one
  expect_output(print(found["variable"]), "wt")
})

test_that("summary() leaves R's random numbers alone", {
  fit <- linear_cars()
  set.seed(5)
  expected <- runif(1)
  set.seed(5)
  s <- summary(fit)
  expect_identical(runif(1), expected)
  expect_setequal(s$importance$variable, c("wt", "hp", "cyl"))
})

test_that("bad input is refused", {
  fit <- linear_cars()
  expect_error(importance(fit, times = 0), class = "lamina_error_argument")
  expect_error(importance(fit, tims = 3), class = "lamina_error_argument", "times")
  expect_error(importance(fit, y = 1), class = "lamina_error_argument", "data")
  expect_error(importance(fit, 1:3), class = "lamina_error_argument", "data frame")
  expect_error(importance(fit, cars[c("wt", "hp", "cyl")]), class = "lamina_error_data")
  expect_error(importance(fit, cars, y = 1:3), class = "lamina_error_data")
  expect_error(importance(fit, cars, y = cars$cyl), class = "lamina_error_data", "numbers")
  expect_error(importance(fit, cars, weights = 1), class = "lamina_error_data", "32 numbers")
  expect_error(importance(fit, cars, weights = rep(-1, 32)), class = "lamina_error_data")
  expect_error(importance(linear_cars(model = FALSE)), class = "lamina_error_state", "kept its data")
  expect_error(importance(lm(mpg ~ wt, mtcars)), class = "lamina_error_argument", "a fit of lamina")
  expect_error(print(importance(fit, times = 1), n = 0), class = "lamina_error_argument")
})

test_that("lamina's generic and randomForest's know each other's models", {
  skip_if_not_installed("randomForest")
  forest <- randomForest::randomForest(mpg ~ wt + hp, mtcars, ntree = 5)
  expect_identical(importance(forest), randomForest::importance(forest))
  fit <- linear_cars()
  set.seed(7)
  found <- importance(fit, times = 2)
  set.seed(7)
  expect_identical(randomForest::importance(fit, times = 2), found)
})
