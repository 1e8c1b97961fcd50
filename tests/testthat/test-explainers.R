# Packages that explain models take fits as they are, and get the right numbers.

cars <- transform(mtcars, cyl = factor(cyl))[c("mpg", "wt", "hp", "cyl")]
x <- cars[-1]
number <- local({
  set.seed(1)
  lamina(mpg ~ ., cars, hidden_units = 4, optimizer = "bfgs", penalty = 0.01, epochs = 40)
})
linear <- lamina(mpg ~ ., cars, hidden_units = 0, optimizer = "bfgs")
two <- local({
  set.seed(1)
  lamina(factor(am) ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs", penalty = 0.01)
})
several <- local({
  set.seed(1)
  lamina(Species ~ ., iris, hidden_units = 4, epochs = 30)
})
frame <- local({ # by x and y
  set.seed(1)
  lamina(x, cars$mpg, hidden_units = 0, optimizer = "bfgs")
})

# ---- DALEX ---------------------------------------------------------------------------------------

explain_quietly <- function(...) DALEX::explain(..., verbose = FALSE)

test_that("DALEX explains numbers", {
  skip_if_not_installed("DALEX")
  e <- explain_quietly(number, x, cars$mpg)
  expect_identical(e$label, "lamina")
  expect_identical(e$model_info$package, "lamina")
  expect_identical(e$model_info$type, "regression")
  expect_equal(e$y_hat, predict(number, x))
  rmse <- sqrt(mean((cars$mpg - predict(number, x))^2))
  expect_equal(DALEX::model_performance(e)$measures$rmse, rmse)
  parts <- DALEX::model_parts(e, B = 2, N = NULL)
  expect_equal(unique(parts$dropout_loss[parts$variable == "_full_model_"]), rmse)
  expect_true(all(c("wt", "hp", "cyl") %in% parts$variable))
  profile <- DALEX::model_profile(e, variables = "wt", N = NULL, variable_splits = list(wt = c(2, 3)))$agr_profiles
  by_hand <- c(mean(predict(number, transform(x, wt = 2))), mean(predict(number, transform(x, wt = 3))))
  expect_equal(profile$`_yhat_`, by_hand, tolerance = 1e-6)
  broken <- DALEX::predict_parts(e, x[1, ])
  expect_equal(broken$contribution[broken$variable == "prediction"], predict(number, x[1, ]), tolerance = 1e-6)
})

test_that("DALEX explains two classes by the probability of the second, or of the one asked for", {
  skip_if_not_installed("DALEX")
  data <- mtcars[c("wt", "hp")]
  e <- explain_quietly(two, data, mtcars$am)
  expect_identical(e$model_info$type, "classification")
  expect_equal(e$y_hat, predict(two, data))
  measured <- DALEX::model_performance(e)$measures
  expect_equal(measured$accuracy, mean((predict(two, data) > 0.5) == mtcars$am))
  first <- explain_quietly(two, data, 1 - mtcars$am, predict_function_target_column = "0")
  expect_equal(first$y_hat, 1 - predict(two, data), tolerance = 1e-6)
  profile <- DALEX::model_profile(e, variables = "wt", N = NULL, variable_splits = list(wt = 3))$agr_profiles
  expect_equal(profile$`_yhat_`, mean(predict(two, transform(data, wt = 3))), tolerance = 1e-6)
  broken <- DALEX::predict_parts(e, data[1, ])
  expect_equal(broken$contribution[broken$variable == "prediction"], predict(two, data[1, ]), tolerance = 1e-6)
})

test_that("DALEX explains several classes by all probabilities", {
  skip_if_not_installed("DALEX")
  e <- explain_quietly(several, iris[1:4], iris$Species)
  expect_identical(e$model_info$type, "multiclass")
  expect_identical(e$y_hat, predict(several, iris, type = "prob"))
  right <- mean(predict(several, iris, type = "class") == iris$Species)
  expect_equal(DALEX::model_performance(e)$measures$accuracy, right)
  broken <- DALEX::predict_parts(e, iris[60, 1:4])
  expect_equal(broken$contribution[broken$variable == "prediction"],
               unname(predict(several, iris[60, ], type = "prob")[1, ]), tolerance = 1e-6)
  profile <- DALEX::model_profile(e, variables = "Petal.Width", N = NULL, variable_splits = list(Petal.Width = 1))
  by_hand <- unname(colMeans(predict(several, transform(iris, Petal.Width = 1))))
  expect_equal(profile$agr_profiles$`_yhat_`, by_hand, tolerance = 1e-6)
  parts <- DALEX::model_parts(e, B = 1)
  expect_true(all(names(iris)[1:4] %in% parts$variable))
  one <- explain_quietly(several, iris[1:4], as.numeric(iris$Species == "virginica"),
                         predict_function_target_column = "virginica")
  expect_identical(one$model_info$type, "classification")
  expect_equal(one$y_hat, predict(several, iris)[, "virginica"])
})

# ---- pdp -----------------------------------------------------------------------------------------

# As a user calls it: from tests, which run inside lamina's namespace, its partial() would find lamina's methods.
pdp_partial <- function(...) pdp::partial(...)
environment(pdp_partial) <- globalenv()

test_that("pdp needs no `type`, nor training data", {
  skip_if_not_installed("pdp")
  expect_warning(found <- pdp_partial(number, pred.var = "wt", grid.resolution = 4), NA)
  ours <- partial(number, "wt", grid_size = 4)
  expect_equal(found$wt, ours$wt)
  expect_equal(found$yhat, ours$.estimate, tolerance = 1e-6)
  expect_equal(pdp_partial(number, pred.var = "wt", grid.resolution = 4, train = cars[1:10, ])$yhat[1],
               mean(predict(number, transform(cars[1:10, ], wt = min(wt)))), tolerance = 1e-6)
  expect_equal(pdp_partial(frame, pred.var = "cyl")$yhat, partial(frame, "cyl")$.estimate, tolerance = 1e-6)
  ice <- pdp_partial(number, pred.var = "wt", ice = TRUE, grid.resolution = 2)
  ends <- predict(number, transform(cars[c(3, 3), ], wt = range(cars$wt)))
  expect_equal(ice$yhat[ice$yhat.id == 3], ends, tolerance = 1e-6)
})

test_that("pdp takes classes for classes: probabilities, centred logits, each class", {
  skip_if_not_installed("pdp")
  expect_warning(found <- pdp_partial(several, pred.var = "Petal.Width", prob = TRUE, which.class = "virginica",
                                       grid.resolution = 3), NA)
  p <- lapply(found$Petal.Width, function(v) predict(several, transform(iris, Petal.Width = v)))
  expect_equal(found$yhat, vapply(p, function(m) mean(m[, "virginica"]), 0), tolerance = 1e-6)
  expect_equal(pdp_partial(several, pred.var = "Petal.Width", prob = TRUE, which.class = 2, grid.resolution = 3)$yhat,
               vapply(p, function(m) mean(m[, 2]), 0), tolerance = 1e-6)
  logits <- pdp_partial(several, pred.var = "Petal.Width", which.class = 3, grid.resolution = 3)
  expect_equal(logits$yhat, vapply(p, function(m) mean(log(m[, 3]) - rowMeans(log(m))), 0), tolerance = 1e-4)
  first <- pdp_partial(two, pred.var = "wt", prob = TRUE, train = mtcars, grid.resolution = 2)
  expect_equal(first$yhat[1], mean(1 - predict(two, transform(mtcars, wt = min(wt)))), tolerance = 1e-6)
})

# ---- iml -----------------------------------------------------------------------------------------

test_that("iml explains numbers", {
  skip_if_not_installed("iml")
  p <- iml::Predictor$new(number, x, y = cars$mpg)
  expect_identical(p$task, "regression")
  expect_equal(p$predict(x)[[1]], predict(number, x))
  imp <- iml::FeatureImp$new(p, loss = "mse", n.repetitions = 2)
  expect_equal(imp$original.error, mean((cars$mpg - predict(number, x))^2))
  expect_setequal(imp$results$feature, names(x))
  effect <- iml::FeatureEffect$new(p, "wt", method = "pdp", grid.size = 3)$results
  expect_equal(effect$.value, partial(number, "wt", grid_size = 3)$.estimate, tolerance = 1e-6)
  set.seed(1)
  shapley <- iml::Shapley$new(p, x.interest = x[1, ], sample.size = 20)
  expect_equal(shapley$y.hat.interest[[1]], predict(number, x[1, ]))
  expect_identical(shapley$results$feature, names(x))
})

test_that("iml explains classes, two or more, by the probabilities of all", {
  skip_if_not_installed("iml")
  p <- iml::Predictor$new(several, iris[1:4], y = iris$Species)
  expect_identical(p$task, "classification")
  expect_equal(as.matrix(p$predict(iris[1:4])), predict(several, iris), ignore_attr = TRUE)
  imp <- iml::FeatureImp$new(p, loss = "ce", n.repetitions = 2)
  expect_equal(imp$original.error, mean(predict(several, iris, type = "class") != iris$Species))
  effect <- iml::FeatureEffect$new(p, "Petal.Width", method = "ale", grid.size = 3)$results
  expect_setequal(effect$.class, levels(iris$Species))
  expect_identical(nrow(iml::Shapley$new(p, x.interest = iris[1, 1:4], sample.size = 10)$results), 12L)

  data <- mtcars[c("wt", "hp")]
  p <- iml::Predictor$new(two, data, y = factor(mtcars$am))
  expect_equal(p$predict(data)$`1`, predict(two, data))
  expect_equal(p$predict(data)$`0`, 1 - predict(two, data), tolerance = 1e-6)
  imp <- iml::FeatureImp$new(p, loss = "ce", n.repetitions = 2)
  expect_equal(imp$original.error, mean((predict(two, data) > 0.5) != mtcars$am))
  p <- iml::Predictor$new(two, data, y = factor(mtcars$am), type = "class")
  expect_equal(p$predict(data)$`1`, as.numeric(predict(two, data) > 0.5))
  p <- iml::Predictor$new(two, data, y = factor(mtcars$am), class = "1")
  expect_equal(p$predict(data)[[1]], predict(two, data))
})

# ---- marginaleffects -----------------------------------------------------------------------------

# marginaleffects 1.0.0 uses `%||%`, which R has since 4.4.
local_operator <- function(env = parent.frame()) {
  if (!exists("%||%", envir = globalenv())) {
    assign("%||%", function(x, y) if (is.null(x)) y else x, envir = globalenv())
    withr::defer(rm("%||%", envir = globalenv()), envir = env)
  }
}

test_that("marginaleffects: slopes and contrasts of a linear model are its coefficients, without standard errors", {
  skip_if_not_installed("marginaleffects")
  local_operator()
  expect_warning(slopes <- marginaleffects::avg_slopes(linear), NA)
  exact <- coef(lm(mpg ~ ., cars))
  found <- stats::setNames(slopes$estimate, paste0(slopes$term, sub("dY/dX", "", sub(" - 4", "", slopes$contrast))))
  expect_setequal(names(found), names(exact)[-1])
  expect_equal(found, exact[names(found)], tolerance = 2e-3)
  expect_null(slopes$std.error)
  by_ten <- marginaleffects::avg_comparisons(frame, variables = list(hp = 10))
  expect_equal(by_ten$estimate, 10 * exact[["hp"]], tolerance = 1e-4)
})

test_that("marginaleffects: networks, counts with offsets and classes are compared as by hand", {
  skip_if_not_installed("marginaleffects")
  local_operator()
  found <- marginaleffects::avg_comparisons(number, variables = list(wt = 1), newdata = cars)
  by_hand <- mean(predict(number, transform(cars, wt = wt + 1)) - predict(number, cars))
  expect_equal(found$estimate, by_hand, tolerance = 1e-5)
  expect_equal(marginaleffects::predictions(number, newdata = cars[1:3, ])$estimate, predict(number, cars[1:3, ]))

  means <- marginaleffects::avg_predictions(several)
  expect_equal(stats::setNames(means$estimate, means$group), colMeans(predict(several, iris)), tolerance = 1e-6)
  steps <- marginaleffects::avg_comparisons(several, variables = list(Petal.Width = 0.5))
  by_hand <- colMeans(predict(several, transform(iris, Petal.Width = Petal.Width + 0.5)) - predict(several, iris))
  expect_equal(stats::setNames(steps$estimate, steps$group), by_hand[as.character(steps$group)], tolerance = 1e-5)

  both <- marginaleffects::avg_predictions(two, type = "prob")
  expect_equal(both$estimate[both$group == "1"], mean(predict(two)), tolerance = 1e-6)
  link <- marginaleffects::avg_slopes(two, type = "link", variables = "wt")
  expect_equal(link$estimate, coef(two)[["wt"]], tolerance = 2e-3)

  set.seed(1)
  counts <- lamina(Claims ~ District, MASS::Insurance, offset = log(Holders), family = poisson(), hidden_units = 0,
                   optimizer = "bfgs")
  found <- marginaleffects::avg_predictions(counts, by = "District")
  expect_equal(found$estimate, as.vector(tapply(predict(counts), MASS::Insurance$District, mean)), tolerance = 1e-6)
})

test_that("marginaleffects: what there is not is refused", {
  skip_if_not_installed("marginaleffects")
  local_operator()
  expect_error(marginaleffects::avg_slopes(linear, vcov = "HC3"), "standard errors", class = "lamina_error_argument")
  expect_error(marginaleffects::avg_predictions(several, type = "class"), "response")
})

test_that("options for marginaleffects that are set stay", {
  withr::local_options(marginaleffects_model_classes = "mine")
  register_explainers()
  skip_if_not_installed("marginaleffects")
  loadNamespace("marginaleffects")
  expect_setequal(getOption("marginaleffects_model_classes"), c("mine", "lamina_fit"))
})

# ---- broom and rows of several models ------------------------------------------------------------

test_that("broom finds lamina's methods", {
  skip_if_not_installed("broom")
  expect_identical(broom::tidy(number), tidy(number))
  expect_identical(broom::glance(several), glance(several))
  expect_identical(broom::augment(two, newdata = mtcars), augment(two, newdata = mtcars))
  expect_s3_class(broom::tidy(linear), "tbl_df")
})

test_that("glance() of several models goes into one table", {
  skip_if_not_installed("broom")
  rows <- list(broom::glance(lm(mpg ~ ., cars)), glance(linear), glance(number), glance(several))
  table <- do.call(rbind, rows)
  expect_identical(dim(table), c(4L, ncol(rows[[1]])))
  expect_equal(table$logLik[1], table$logLik[2], tolerance = 1e-5)
  expect_equal(table$r.squared[1], table$r.squared[2], tolerance = 1e-5)
  expect_true(is.na(table$r.squared[4]))
  skip_if_not_installed("dplyr")
  expect_equal(dplyr::bind_rows(rows), table, ignore_attr = TRUE)
})
