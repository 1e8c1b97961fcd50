# What R's functions for fitted models find in a lamina() fit.  Agreement of logLik() and the like with lm() and
# glm() is in test-lamina-classical.R.

test_that("coef() of a network names where each weight leads", {
  set.seed(1)
  fit <- lamina(Species ~ Sepal.Length + Sepal.Width, iris, hidden_units = 2, epochs = 1)
  w <- get_weights(fit$network)
  b <- coef(fit)
  expect_length(b, 2 * 2 + 2 + 2 * 3 + 3)
  expect_equal(b[["Sepal.Width -> dense[1]"]], w[[1]][2, 1])
  expect_equal(b[["bias -> dense[2]"]], w[[2]][2])
  expect_equal(b[["dense[2] -> virginica"]], w[[3]][2, 3])
  expect_equal(b[["bias -> setosa"]], w[[4]][1])
  # weights of other layers
  deep <- lamina(mpg ~ wt, mtcars, epochs = 1, layers = list(layer_dense(units = 2), layer_batch_normalization()))
  expect_true("batch_normalization gamma[2]" %in% names(coef(deep)))
  expect_equal(length(coef(deep)), count_params(deep$network))
})

test_that("fitted(), residuals(), nobs(), formula(), model.frame(), family()", {
  set.seed(1)
  fit <- lamina(log(mpg) ~ wt + hp, mtcars, hidden_units = 2, epochs = 5, weights = cyl)
  expect_equal(fitted(fit), predict(fit, mtcars))
  expect_equal(residuals(fit), log(mtcars$mpg) - fitted(fit))
  expect_equal(residuals(fit, "pearson"), sqrt(mtcars$cyl) * residuals(fit))
  expect_equal(nobs(fit), 32)
  expect_equal(formula(fit), log(mpg) ~ wt + hp)
  frame <- model.frame(fit)
  expect_identical(names(frame), c("log(mpg)", "wt", "hp", "(weights)"))
  expect_equal(frame[["log(mpg)"]], log(mtcars$mpg))
  expect_identical(family(fit)$family, "gaussian")
  expect_error(formula(lamina(mtcars["wt"], mtcars$mpg, epochs = 1)), class = "lamina_error_state")

  classes <- lamina(Species ~ ., iris, epochs = 5)
  r <- residuals(classes)
  expect_equal(r, unname(to_categorical(iris$Species)) - unname(fitted(classes)), ignore_attr = TRUE)
  expect_equal(sum(residuals(classes, "deviance")^2), deviance(classes))
  expect_error(family(classes), class = "lamina_error_state")
})

test_that("the parameters that count leave out those a softmax has too many", {
  fit <- lamina(Species ~ ., iris, hidden_units = 5, epochs = 1)
  expect_equal(attr(logLik(fit), "df"), 4 * 5 + 5 + 2 * (5 + 1))
  expect_equal(attr(logLik(lamina(mpg ~ wt + hp, mtcars, hidden_units = 5, epochs = 1)), "df"), 2 * 5 + 5 + 5 + 1 + 1)
})

test_that("logLik() is the sum of the log densities", {
  fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 3, epochs = 10)
  r <- residuals(fit)
  expect_equal(as.numeric(logLik(fit)), sum(dnorm(r, sd = sqrt(mean(r^2)), log = TRUE)))
  fit <- lamina(carb ~ wt + hp, mtcars, family = poisson(), epochs = 10)
  expect_equal(as.numeric(logLik(fit)), sum(dpois(mtcars$carb, fitted(fit), log = TRUE)))
  fit <- lamina(Species ~ ., iris, epochs = 10)
  expect_equal(as.numeric(logLik(fit)), sum(log(fitted(fit)[cbind(1:150, as.integer(iris$Species))])))
  expect_equal(AIC(fit), -2 * as.numeric(logLik(fit)) + 2 * attr(logLik(fit), "df"))
})

test_that("tidy() has one row for each weight, layer, or epoch and metric", {
  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 3, epochs = 4)
  weights <- tidy(fit)
  expect_s3_class(weights, "tbl_df")
  expect_identical(names(weights), c("term", "layer", "from", "to", "estimate"))
  expect_identical(stats::setNames(weights$estimate, weights$term), coef(fit))
  layers <- tidy(fit, component = "layers")
  expect_identical(layers$parameters, c(15L, 12L))
  expect_identical(layers$activation, c("relu", "softmax"))
  expect_equal(nrow(tidy(fit, component = "history")), 4 * 4)
  linear <- lamina(Species ~ ., iris, hidden_units = 0, epochs = 2)
  expect_identical(names(tidy(linear)), c("response", "term", "estimate"))
  expect_equal(tidy(linear)$estimate, as.vector(t(coef(linear))))
  expect_identical(tidy(lamina(mpg ~ wt, mtcars, hidden_units = 0, epochs = 2))$term, c("(Intercept)", "wt"))
})

test_that("glance() has the columns of broom's for lm(), always", {
  columns <- c("r.squared", "adj.r.squared", "sigma", "statistic", "p.value", "df", "logLik", "AIC", "BIC", "deviance",
               "df.residual", "nobs")
  fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs")
  row <- glance(fit)
  expect_identical(names(row), columns)
  reference <- summary(lm(mpg ~ wt + hp, mtcars))
  expect_equal(c(row$r.squared, row$adj.r.squared, row$sigma), c(reference$r.squared, reference$adj.r.squared, reference$sigma),
               tolerance = 1e-5)
  expect_equal(c(row$df, row$df.residual, row$nobs), c(2, 29, 32))
  expect_equal(c(row$AIC, row$BIC), c(AIC(fit), BIC(fit)))
  for (other in list(lamina(Species ~ ., iris, epochs = 1), lamina(mpg ~ wt, mtcars, loss = "mae", epochs = 1))) {
    expect_identical(names(glance(other)), columns)
    expect_identical(vapply(glance(other), class, ""), vapply(row, class, ""))
    expect_equal(nrow(rbind(row, glance(other))), 2)
  }
  skip_if_not_installed("broom")
  expect_equal(nrow(rbind(broom::glance(lm(mpg ~ wt, mtcars)), glance(fit))), 2)
})

test_that("augment() adds predictions, and residuals where the outcome is there", {
  fit <- lamina(log(mpg) ~ wt, mtcars, epochs = 3)
  out <- augment(fit)
  expect_equal(out$.resid, residuals(fit))
  expect_equal(augment(fit, newdata = mtcars[1:3, ])$.resid, residuals(fit)[1:3])
  new <- augment(fit, newdata = mtcars[1:3, "wt", drop = FALSE])
  expect_identical(names(new), c("wt", ".fitted"))
  gaps <- mtcars[1:3, ]
  gaps$wt[1] <- NA
  expect_identical(is.na(augment(fit, newdata = gaps)$.fitted), c(TRUE, FALSE, FALSE))
  classes <- augment(lamina(Species ~ ., iris, epochs = 3), iris)
  expect_identical(names(classes)[6:9], c(".pred_class", ".pred_setosa", ".pred_versicolor", ".pred_virginica"))
  expect_equal(nrow(classes), 150)
})

test_that("print() and summary() tell what a lecturer would", {
  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 30)
  expect_output(print(fit), "Network 4-8-3 (relu) for the classes of Species", fixed = TRUE)
  expect_output(print(fit), "67 weights, 150 rows, 30 of them held out")
  expect_output(print(fit), "Log loss: [0-9.]+ \\([0-9.]+ on the rows held out\\)")
  before <- .Random.seed
  summary <- summary(fit)
  expect_identical(.Random.seed, before)
  expect_output(print(summary), "Output Shape")
  expect_output(print(summary), "Log-likelihood")
  expect_equal(summary$likelihood$aic, AIC(fit))
})
