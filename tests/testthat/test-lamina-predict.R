# predict() of a lamina() fit: types, new data.

cars_by_type <- function() transform(mtcars, cyl = factor(cyl))

test_that("types for numbers", {
  fit <- lamina(mpg ~ wt + cyl, cars_by_type(), epochs = 5)
  p <- predict(fit, cars_by_type())
  expect_type(p, "double")
  expect_null(dim(p))
  expect_identical(predict(fit), p)
  expect_identical(predict(fit, new_data = cars_by_type()), p)
  expect_equal(predict(fit, cars_by_type(), type = "link"), p, tolerance = 1e-5)
  expect_error(predict(fit, mtcars, type = "class"), class = "lamina_error_argument")
  expect_error(predict(fit, mtcars, type = "prob"), class = "lamina_error_argument")
  several <- lamina(cbind(mpg, hp) ~ wt, mtcars, epochs = 2)
  expect_identical(dimnames(predict(several, mtcars)), list(NULL, c("mpg", "hp")))
})

test_that("types for two classes are those of glm()", {
  set.seed(1)
  data <- transform(mtcars, am = factor(am, labels = c("auto", "manual")))
  fit <- lamina(am ~ wt + hp, data, hidden_units = 3, optimizer = "bfgs", penalty = 0.01)
  p <- predict(fit, data)
  expect_true(all(p > 0 & p < 1))
  expect_identical(predict(fit, data, type = "prob"), cbind(auto = 1 - p, manual = p))
  expect_identical(predict(fit, data, type = "class"), factor(ifelse(p > 0.5, "manual", "auto"), c("auto", "manual")))
  expect_equal(predict(fit, data, type = "link"), qlogis(p), tolerance = 1e-4)
  expect_gt(mean(p[data$am == "manual"]), mean(p[data$am == "auto"])) # the second level is the one predicted
})

test_that("types for several classes and counts", {
  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 4, epochs = 30)
  p <- predict(fit, iris)
  expect_identical(colnames(p), levels(iris$Species))
  expect_equal(rowSums(p), rep(1, 150), tolerance = 1e-6)
  expect_identical(predict(fit, iris, type = "prob"), p)
  expect_identical(predict(fit, iris, type = "class"), factor(levels(iris$Species)[max.col(p, "first")], levels(iris$Species)))
  link <- predict(fit, iris, type = "link")
  expect_equal(exp(link) / rowSums(exp(link)), p, tolerance = 1e-5)
  counts <- lamina(carb ~ wt, mtcars, family = poisson(), epochs = 5)
  expect_equal(log(predict(counts, mtcars)), predict(counts, mtcars, type = "link"), tolerance = 1e-5)
})

test_that("the levels are the outcome's, in their order, and ordered when they are", {
  data <- transform(mtcars, gear = ordered(gear, levels = c(5, 4, 3)))
  fit <- lamina(gear ~ wt + hp, data, epochs = 2)
  expect_identical(levels(predict(fit, data, type = "class")), c("5", "4", "3"))
  expect_true(is.ordered(predict(fit, data, type = "class")))
  expect_warning(fit <- lamina(Species ~ ., iris[1:100, ], epochs = 2), class = "lamina_warning_levels")
  expect_identical(colnames(predict(fit, iris, type = "prob")), levels(iris$Species))
})

test_that("new data: order, extra columns, text, missing values, new levels", {
  data <- cars_by_type()
  fit <- lamina(mpg ~ wt + cyl, data, epochs = 5)
  p <- predict(fit, data)
  expect_identical(predict(fit, data[rev(names(data))]), p)
  expect_identical(predict(fit, transform(data, cyl = as.character(cyl))), p)
  expect_identical(predict(fit, data[c(3, 1), ]), p[c(3, 1)])
  expect_length(predict(fit, data[0, ]), 0)
  gaps <- data[1:3, ]
  gaps$wt[2] <- NA
  expect_identical(predict(fit, gaps), c(p[1], NA, p[3]))
  warning <- expect_warning(out <- predict(fit, transform(data[1:3, ], cyl = c("4", "5", "4"))), class = "lamina_warning_levels")
  expect_match(conditionMessage(warning), "`cyl` has a level that the fit did not see, 5", fixed = TRUE)
  expect_identical(is.na(out), c(FALSE, TRUE, FALSE))
  tibble <- tibble::as_tibble(data)
  expect_identical(predict(fit, tibble), p)
})

test_that("new data of other kinds are errors that name the column", {
  fit <- lamina(mpg ~ wt + cyl, cars_by_type(), epochs = 1)
  error <- function(newdata, class = "lamina_error_data") expect_error(predict(fit, newdata), class = class)
  expect_match(conditionMessage(error(data.frame(cyl = "4"))), "`newdata` has no column `wt`", fixed = TRUE)
  expect_identical(error(data.frame(wt = "heavy", cyl = "4"))$arg, "wt")
  expect_identical(error(data.frame(wt = 3, cyl = 4))$arg, "cyl")
  error(1:3, "lamina_error_argument")
  expect_error(predict(fit, cars_by_type(), tipe = "link"), class = "lamina_error_argument")
  matrix <- lamina(as.matrix(mtcars[c("wt", "hp")]), mtcars$mpg, epochs = 1)
  expect_identical(predict(matrix, unname(as.matrix(mtcars[c("wt", "hp")]))), predict(matrix, mtcars))
  expect_error(predict(matrix, matrix(1, 2, 3)), class = "lamina_error_shape")
})

test_that("offsets of new data come from the formula, the argument or the call", {
  claims <- MASS::Insurance
  run <- function(...) {
    set.seed(1)
    lamina(..., family = poisson(), hidden_units = 0, optimizer = "bfgs")
  }
  by_argument <- run(Claims ~ District, claims, offset = log(Holders))
  by_formula <- run(Claims ~ District + offset(log(Holders)), claims)
  expect_equal(predict(by_argument, claims), predict(by_formula, claims), tolerance = 1e-6)
  expect_equal(predict(by_argument, claims[1:2, ], offset = c(0, log(2))),
               exp(coef(by_argument)[1]) * c(1, 2) * exp(c(0, 0)), ignore_attr = TRUE, tolerance = 1e-5)
  expect_error(predict(by_argument, claims["District"]), class = "lamina_error_argument")
  expect_error(predict(by_argument, claims, offset = 1:3), class = "lamina_error_argument")
  expect_error(predict(run(Claims ~ District, claims), claims, offset = 1), class = "lamina_error_argument")
})

test_that("a fit without its data says so where it needs them", {
  fit <- lamina(mpg ~ wt, mtcars, epochs = 1, model = FALSE)
  expect_length(predict(fit, mtcars), 32)
  expect_length(fitted(fit), 32)
  expect_error(predict(fit), class = "lamina_error_state")
  expect_error(model.frame(fit), class = "lamina_error_state")
})

test_that("factors that the formula makes keep the levels of the fit", {
  formulas <- list(
    mpg ~ wt + factor(cyl), mpg ~ wt * cut(hp, c(0, 100, 150, 400)), mpg ~ ordered(gear) + (wt > 3),
    mpg ~ as.character(cyl) + log(wt) + poly(hp, 2)
  )
  for (formula in formulas) {
    fit <- lamina(formula, mtcars, hidden_units = 0, optimizer = "bfgs")
    linear <- lm(formula, mtcars)
    one_by_one <- vapply(1:10, function(i) predict(fit, mtcars[i, ]), 0)
    expect_equal(one_by_one, unname(predict(linear, mtcars[1:10, ])), tolerance = 1e-4, label = deparse1(formula))
  }
  # Contrasts that the formula sets; lm() itself cannot predict one row then.
  fit <- lamina(mpg ~ C(factor(cyl), "contr.sum"), mtcars, hidden_units = 0, optimizer = "bfgs")
  expect_equal(vapply(1:5, function(i) predict(fit, mtcars[i, ]), 0), predict(fit, mtcars)[1:5])

  # A level the fit did not see; columns set to one value by partial() and shuffled by importance().
  fit <- lamina(mpg ~ wt + factor(cyl), mtcars, hidden_units = 0, optimizer = "bfgs")
  linear <- lm(mpg ~ wt + factor(cyl), mtcars)
  expect_identical(is.na(predict(fit, data.frame(wt = 3, cyl = c(5, 8)))), c(TRUE, FALSE))
  curve <- partial(fit, "cyl")
  by_hand <- vapply(c(4, 6, 8), function(cyl) mean(predict(linear, replace(mtcars, "cyl", cyl))), 0)
  expect_equal(curve$.estimate, by_hand, tolerance = 1e-4)
  expect_setequal(importance(fit, times = 2)$variable, c("wt", "cyl"))
})
