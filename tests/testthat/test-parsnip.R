skip_if_not_installed("parsnip")

cars2 <- transform(mtcars, cyl = factor(cyl))

# ---- registration --------------------------------------------------------------------------------

tables <- paste0("mlp", c("", "_args", "_fit", "_encoding", "_predict", "_pkgs"))
ours <- function() {
  rows <- lapply(tables, function(name) {
    table <- parsnip::get_from_env(name)
    as.data.frame(table[table$engine == "lamina", ])
  })
  stats::setNames(rows, tables)
}

test_that("the engine stands in parsnip's tables once, however often it is registered", {
  before <- ours()
  others <- parsnip::get_from_env("mlp_predict")
  expect_setequal(before$mlp$mode, c("classification", "regression"))
  expect_identical(unique(unlist(before$mlp_pkgs$pkg)), "lamina")
  make_engine()
  make_engine()
  expect_equal(ours(), before)
  expect_identical(nrow(parsnip::get_from_env("mlp_predict")), nrow(others))
})

test_that("an engine of another version of lamina is replaced", {
  before <- ours()
  withr::defer(make_engine())
  table <- parsnip::get_from_env("mlp_fit")
  table$value[[which(table$engine == "lamina")[1L]]]$defaults <- list(epochs = 7)
  parsnip::set_env_val("mlp_fit", table)
  expect_silent(register_engine())
  expect_equal(ours(), before)
})

test_that("every argument of the engine is one of lamina(), and the ranges to tune it in are allowed", {
  expect_true(all(names(engine_arguments) %in% names(formals(training_settings))))
  skip_if_not_installed("dials")
  for (name in names(engine_arguments)) {
    info <- engine_arguments[[name]]
    parameter <- do.call(getExportedValue("dials", info$fun), info[names(info) != "fun"])
    values <- if (is.null(info$values)) unlist(dials::range_get(parameter)) else info$values
    if (name == "class_weights") next
    optimizer <- if (name == "momentum") "sgd" else "adam"
    for (value in values) {
      settings <- do.call(training_settings, stats::setNames(list(value, optimizer), c(name, "optimizer")))
      expect_true(any(unlist(settings) == value), label = paste(name, value))
    }
  }
})

test_that("parsnip knows what can be tuned, and of what range", {
  skip_if_not_installed("tune")
  spec <- engine("regression", batch_size = tune::tune(), hidden_units = tune::tune(), epochs = tune::tune())
  expect_setequal(tune::tunable(spec)$name, names(engine_arguments))
  set <- hardhat::extract_parameter_set_dials(spec)
  expect_setequal(set$name, c("hidden_units", "epochs", "batch_size"))
  units <- set$object[[which(set$name == "hidden_units")]]
  expect_identical(unlist(dials::range_get(units), use.names = FALSE), c(2L, 64L))
})

# ---- arguments -----------------------------------------------------------------------------------

test_that("what is said to parsnip reaches lamina()", {
  spec <- engine("regression", batch_size = 8, stop_iter = 3, optimizer = "sgd", momentum = 0.5, mixture = 0.5,
                 validation = 0.25, standardize = FALSE,
                 hidden_units = c(6, 3), penalty = 0.01, dropout = 0.1, epochs = 7,
                             activation = c("tanh", "relu"), learn_rate = 0.0001)
  set.seed(4)
  fit <- parsnip::fit(spec, mpg ~ ., cars2)
  set.seed(4)
  own <- lamina(mpg ~ ., cars2, hidden_units = c(6, 3), penalty = 0.01, dropout = 0.1, epochs = 7,
                activation = c("tanh", "relu"), learn_rate = 0.0001, batch_size = 8, stop_iter = 3, optimizer = "sgd",
                momentum = 0.5, mixture = 0.5, validation = 0.25, standardize = FALSE, keep_epochs = TRUE)
  expect_identical(fit$fit$settings, own$settings)
  expect_identical(fit$fit$settings$optimizer$config$momentum, 0.5)
  expect_identical(predict(fit, cars2)$.pred, predict(own, cars2))
  expect_s3_class(parsnip::extract_fit_engine(fit), "lamina_fit")
})

test_that("the fit tells its own call, and does not hold the data by its formula", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", model = FALSE, hidden_units = 2, epochs = 1), mpg ~ wt, mtcars)
  expect_identical(deparse(fit$fit$call, 200L),
                   "lamina(mpg ~ wt, data = data, hidden_units = 2, epochs = 1, model = FALSE)")
  expect_false(any(c("data", "weights") %in% names(environment(fit$fit$formula))))
  spec <- engine("regression", layers = list(layer_dense(units = 2)), epochs = 1)
  expect_identical(deparse(parsnip::fit_xy(spec, mtcars["wt"], mtcars["mpg"])$fit$call),
                   "lamina(mpg ~ ., data = data, epochs = 1, layers = layers)")
})

test_that("formulas go on as they are: the model of lm() without hidden layers", {
  spec <- engine("regression", optimizer = "bfgs", hidden_units = 0)
  for (formula in list(mpg ~ wt * hp, mpg ~ cyl + log(hp), mpg ~ poly(wt, 2) + offset(qsec))) {
    fit <- parsnip::fit(spec, formula, cars2)
    expect_equal(predict(fit, cars2)$.pred, unname(predict(lm(formula, cars2))), tolerance = 1e-3)
  }
})

test_that("predictors and outcome apart give the same fit, and keep the outcome's name", {
  spec <- engine("regression", hidden_units = 3, epochs = 5)
  fits <- lapply(list(
    function() parsnip::fit(spec, mpg ~ ., mtcars),
    function() parsnip::fit_xy(spec, mtcars[-1], mtcars["mpg"]),
    function() parsnip::fit_xy(spec, as.matrix(mtcars[-1]), mtcars$mpg)
  ), function(make) {
    set.seed(2)
    make()
  })
  expect_identical(predict(fits[[2]], mtcars), predict(fits[[1]], mtcars))
  expect_identical(predict(fits[[3]], as.matrix(mtcars[-1])), predict(fits[[1]], mtcars))
  expect_identical(fits[[2]]$fit$outcome, "mpg")
  set.seed(2)
  with_factor <- parsnip::fit_xy(spec, cars2[-1], cars2$mpg)
  set.seed(2)
  by_formula <- parsnip::fit(spec, mpg ~ ., cars2)
  expect_identical(predict(with_factor, cars2), predict(by_formula, cars2))
})

test_that("case weights are the rows' weights, also beside columns called weights", {
  data <- transform(mtcars, weights = rev(wt), w = seq_len(32))
  spec <- engine("regression", optimizer = "bfgs", hidden_units = 0)
  expected <- unname(predict(lm(mpg ~ hp, data, weights = w)))
  fit <- parsnip::fit(spec, mpg ~ hp, data, case_weights = hardhat::importance_weights(data$w))
  expect_equal(predict(fit, data)$.pred, expected, tolerance = 1e-4)
  fit <- parsnip::fit(spec, mpg ~ hp, data, case_weights = hardhat::frequency_weights(data$w))
  expect_equal(predict(fit, data)$.pred, expected, tolerance = 1e-4)
  fit <- parsnip::fit_xy(spec, data["hp"], data$mpg, case_weights = hardhat::importance_weights(data$w))
  expect_equal(predict(fit, data)$.pred, expected, tolerance = 1e-4)
  expect_identical(weights(fit$fit), as.double(data$w))
})

test_that("counts are a matter of `family`", {
  skip_if_not_installed("MASS")
  spec <- engine("regression", family = "poisson", optimizer = "bfgs", hidden_units = 0)
  fit <- parsnip::fit(spec, Claims ~ District + Age + offset(log(Holders)), MASS::Insurance)
  expected <- glm(Claims ~ District + Age + offset(log(Holders)), poisson(), MASS::Insurance)
  expect_equal(predict(fit, MASS::Insurance)$.pred, unname(fitted(expected)), tolerance = 1e-3)
  expect_equal(predict(fit, MASS::Insurance, type = "linear_pred")$.pred_linear_pred, unname(predict(expected)),
               tolerance = 1e-3)
  skip_if_not_installed("workflows")
  workflow <- workflows::add_variables(workflows::workflow(), Claims, c(District, Age, Holders)) |>
    workflows::add_model(spec, formula = Claims ~ District + Age + offset(log(Holders)))
  fit <- parsnip::fit(workflow, MASS::Insurance)
  expect_equal(predict(fit, MASS::Insurance)$.pred, unname(fitted(expected)), tolerance = 1e-3)
})

# ---- predictions ---------------------------------------------------------------------------------

test_that("a number: numeric, raw, linear_pred", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", hidden_units = 3, epochs = 5), mpg ~ ., cars2)
  own <- predict(fit$fit, cars2[1:4, ])
  expect_identical(predict(fit, cars2[1:4, ]), tibble::tibble(.pred = own))
  expect_identical(predict(fit, cars2[1:4, ], type = "raw"), own)
  link <- predict(fit, cars2[1:4, ], type = "linear_pred")
  expect_identical(names(link), ".pred_linear_pred")
  expect_equal(link$.pred_linear_pred, own, tolerance = 1e-5)
})

test_that("several numbers have a column each", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", hidden_units = 3, epochs = 5), cbind(mpg, qsec) ~ wt + hp, mtcars)
  own <- predict(fit$fit, mtcars)
  expect_identical(names(predict(fit, mtcars)), c(".pred_mpg", ".pred_qsec"))
  expect_identical(predict(fit, mtcars)$.pred_qsec, own[, "qsec"])
  expect_identical(names(predict(fit, mtcars, type = "linear_pred")),
                   c(".pred_linear_pred_mpg", ".pred_linear_pred_qsec"))
  some <- parsnip::multi_predict(fit, mtcars[1:2, ], epochs = 5)
  expect_identical(some$.pred[[2]]$.pred_qsec, own[[2, "qsec"]])
  missing <- transform(mtcars[1:2, ], wt = NA_real_)
  expect_identical(predict(fit, missing), tibble::tibble(.pred_mpg = c(NA_real_, NA), .pred_qsec = c(NA_real_, NA)))
  none <- parsnip::multi_predict(fit, missing, epochs = 5)$.pred[[1]]
  expect_identical(names(none), c("epochs", ".pred_mpg", ".pred_qsec"))
})

test_that("two classes: class, prob, raw, linear_pred", {
  data <- transform(mtcars, am = factor(am, 0:1, c("by itself", "by hand")))
  fit <- parsnip::fit(engine("classification", optimizer = "bfgs", hidden_units = 0, penalty = 0.01), am ~ wt, data)
  own <- predict(fit$fit, data, type = "prob")
  prob <- predict(fit, data, type = "prob")
  expect_identical(names(prob), c(".pred_by itself", ".pred_by hand"))
  expect_identical(unname(as.matrix(prob)), unname(own))
  expect_identical(predict(fit, data)$.pred_class, factor(levels(data$am)[1 + (own[, 2] > 0.5)], levels(data$am)))
  expect_identical(predict(fit, data, type = "raw"), own[, 2])
  link <- predict(fit, data, type = "linear_pred")
  expect_identical(names(link), ".pred_linear_pred")
  expect_equal(plogis(link$.pred_linear_pred), own[, 2], tolerance = 1e-5)
})

test_that("three classes in order: class, prob, linear_pred", {
  data <- iris
  data$Species <- factor(data$Species, rev(levels(iris$Species)), ordered = TRUE)
  set.seed(1)
  fit <- parsnip::fit(engine("classification", hidden_units = 4, epochs = 10), Species ~ ., data)
  prob <- predict(fit, data, type = "prob")
  expect_identical(names(prob), paste0(".pred_", levels(data$Species)))
  expect_identical(unname(as.matrix(prob)), unname(predict(fit$fit, data, type = "prob")))
  class <- predict(fit, data)$.pred_class
  largest <- levels(data$Species)[max.col(as.matrix(prob))]
  expect_identical(class, factor(largest, levels(data$Species), ordered = TRUE))
  link <- as.matrix(predict(fit, data, type = "linear_pred"))
  expect_identical(colnames(link), paste0(".pred_linear_pred_", levels(data$Species)))
  expect_equal(unname(exp(link) / rowSums(exp(link))), unname(as.matrix(prob)), tolerance = 1e-5)
  both <- parsnip::augment(fit, data)
  expect_identical(nrow(both), 150L)
  expect_identical(both$.pred_class, class)
})

test_that("rows with missing values or new levels are NA in the same places", {
  set.seed(1)
  expect_message(
    fit <- parsnip::fit(engine("classification", hidden_units = 2, epochs = 3), vs ~ wt + cyl,
                        transform(cars2, vs = factor(vs), wt = replace(wt, 3, NA))),
    class = "lamina_message_na"
  )
  new <- cars2[1:4, ]
  new$wt[2] <- NA
  new$cyl <- factor(c(6, 6, 8, 5))
  expect_warning(prob <- predict(fit, new, type = "prob"), class = "lamina_warning_levels")
  expect_identical(is.na(prob$.pred_1), c(FALSE, TRUE, FALSE, TRUE))
  expect_warning(class <- predict(fit, new), class = "lamina_warning_levels")
  expect_identical(is.na(class$.pred_class), c(FALSE, TRUE, FALSE, TRUE))
  expect_warning(some <- parsnip::multi_predict(fit, new, epochs = c(1, 3)), class = "lamina_warning_levels")
  expect_identical(is.na(some$.pred[[2]]$.pred_class), c(TRUE, TRUE))
  expect_false(anyNA(some$.pred[[1]]$.pred_class))
})

# ---- intervals -----------------------------------------------------------------------------------

test_that("intervals have parsnip's columns", {
  m <- matrix(c(0.2, 0.5, 0.1, 0.3, 0.4, 0.9), 2, dimnames = list(NULL, c("fit", "lwr", "upr")))
  number <- list(fit = list(task = list(kind = "numbers", outcomes = "y")))
  expect_identical(as.list(parsnip_intervals(m, number)), list(.pred_lower = c(0.1, 0.3), .pred_upper = c(0.4, 0.9)))
  two <- list(fit = list(task = list(kind = "classes", levels = c("no", "yes"))))
  expect_equal(as.list(parsnip_intervals(m, two)),
               list(.pred_lower_no = c(0.6, 0.1), .pred_upper_no = c(0.9, 0.7),
                    .pred_lower_yes = c(0.1, 0.3), .pred_upper_yes = c(0.4, 0.9)))
  several <- array(seq_len(18), c(2, 3, 3), list(NULL, c("fit", "lwr", "upr"), NULL))
  three <- list(fit = list(task = list(kind = "classes", levels = c("a", "b", "c"))))
  expect_identical(as.list(parsnip_intervals(several, three)),
                   list(.pred_lower_a = 3:4, .pred_upper_a = 5:6, .pred_lower_b = 9:10, .pred_upper_b = 11:12,
                        .pred_lower_c = 15:16, .pred_upper_c = 17:18))
  numbers <- list(fit = list(task = list(kind = "numbers", outcomes = c("u", "v", "w"))))
  expect_identical(names(parsnip_intervals(several, numbers))[3:4], c(".pred_lower_v", ".pred_upper_v"))
})

test_that("intervals are those of predict()", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", optimizer = "bfgs", times = 5, hidden_units = 0), mpg ~ wt, mtcars)
  for (type in c("conf_int", "pred_int")) {
    set.seed(2)
    own <- predict(fit$fit, mtcars[1:5, ], type = type, level = 0.8)
    set.seed(2)
    here <- predict(fit, mtcars[1:5, ], type = type, level = 0.8)
    expect_equal(as.list(here), list(.pred_lower = own[, "lwr"], .pred_upper = own[, "upr"]), ignore_attr = TRUE)
  }
  set.seed(1)
  fit <- parsnip::fit(engine("classification", times = 3, hidden_units = 2, epochs = 3), Species ~ ., iris)
  own <- predict(fit$fit, iris[1:5, ], type = "conf_int")
  here <- predict(fit, iris[1:5, ], type = "conf_int")
  expect_identical(names(here), paste0(".pred_", c("lower_", "upper_"), rep(levels(iris$Species), each = 2)))
  expect_equal(here$.pred_upper_virginica, unname(own[, "upr", 3]))
  expect_error(predict(fit, iris, type = "pred_int"), "pred_int")
  set.seed(1)
  fit <- parsnip::fit(engine("classification", times = 3, hidden_units = 2, epochs = 3), factor(am) ~ wt, mtcars)
  own <- predict(fit$fit, mtcars, type = "conf_int")
  here <- predict(fit, mtcars, type = "conf_int")
  expect_equal(here$.pred_upper_1, unname(own[, "upr"]))
  expect_equal(here$.pred_lower_0, unname(1 - own[, "upr"]))
})

test_that("standard errors are refused, not forgotten", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", hidden_units = 2, epochs = 2), mpg ~ wt, mtcars)
  expect_error(predict(fit, mtcars, type = "conf_int", std_error = TRUE), "std_error",
               class = "lamina_error_argument")
})

# ---- fewer epochs --------------------------------------------------------------------------------

# For each number of epochs: whether multi_predict() of one fit is predict() of a fit with that many.
same_as_fresh <- function(spec, formula, data, epochs, most = max(epochs), type = "numeric") {
  fit_with <- function(e) {
    set.seed(3)
    parsnip::fit(parsnip::set_args(spec, epochs = e), formula, data)
  }
  whole <- fit_with(most)
  some <- do.call(rbind, parsnip::multi_predict(whole, data, type = type, epochs = epochs)$.pred)
  vapply(epochs, function(e) {
    fresh <- predict(fit_with(e), data, type = type)
    identical(as.list(some[some$epochs == e, -1L]), as.list(fresh))
  }, NA)
}

wavy <- withr::with_seed(1, {
  data <- data.frame(a = rnorm(120), b = rnorm(120), f = factor(sample(letters[1:3], 120, TRUE)))
  data$y <- data$a^2 + data$b * (data$f == "a") + rnorm(120) / 4
  data$two <- factor(data$y > 1, c(FALSE, TRUE), c("low", "high"))
  data
})
by_y <- y ~ a + b + f

test_that("predictions with fewer epochs are those of fits with fewer epochs", {
  epochs <- c(1, 2, 5, 12, 40)
  expect_true(all(same_as_fresh(engine("regression"), by_y, wavy, epochs)))
  expect_true(all(same_as_fresh(engine("regression", validation = 0), by_y, wavy, epochs)))
  expect_true(all(same_as_fresh(engine("regression", dropout = 0.3), by_y, wavy, epochs)))
  expect_true(all(same_as_fresh(engine("classification"), two ~ a + b + f, wavy, epochs, type = "prob")))
  expect_true(all(same_as_fresh(engine("classification"), two ~ a + b + offset(y / 4), wavy, epochs, type = "class")))
})

test_that("so they are where training has stopped before", {
  spec <- engine("regression", stop_iter = 2, learn_rate = 0.05)
  set.seed(3)
  fit <- parsnip::fit(parsnip::set_args(spec, epochs = 200), by_y, wavy)
  stopped <- fit$fit$training$epochs
  best <- fit$fit$training$best_epoch
  expect_lt(best, stopped)
  expect_lt(stopped, 200)
  epochs <- c(1, best - 1, best, best + 1, stopped, stopped + 1, 150)
  expect_true(all(same_as_fresh(spec, by_y, wavy, epochs, most = 200)))
})

test_that("so they are where the optimizer averages the weights", {
  spec <- engine("regression", validation = 0, optimizer = optimizer_adam(0.01, use_ema = TRUE, ema_momentum = 0.9))
  expect_true(all(same_as_fresh(spec, by_y, wavy, c(1, 2, 5, 12))))
})

test_that("so they are for BFGS, with the whole matrix and with limited memory", {
  same <- function(..., epochs = c(1, 2, 9, 30)) {
    all(same_as_fresh(engine("regression", optimizer = "bfgs", ...), by_y, wavy, epochs))
  }
  expect_true(same(penalty = 0.001))
  expect_true(same(hidden_units = 0, epochs = c(1, 3, 100)))
  expect_true(same(validation = 0.3, stop_iter = 4))
  expect_true(same(hidden_units = c(50, 50)))
})

test_that("predictions with fewer epochs move neither the fit nor R's random numbers", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", hidden_units = 3, epochs = 8), by_y, wavy)
  before <- predict(fit, wavy)
  weights <- get_weights(fit$fit$network)
  state <- fit$fit$network$state
  seed <- .Random.seed
  parsnip::multi_predict(fit, wavy, epochs = c(1, 4))
  expect_identical(.Random.seed, seed)
  expect_identical(get_weights(fit$fit$network), weights)
  expect_identical(fit$fit$network$state, state)
  expect_identical(predict(fit, wavy), before)
})

test_that("multi_predict() has a line for each number of epochs in each row", {
  set.seed(1)
  fit <- parsnip::fit(engine("classification", hidden_units = 3, epochs = 8), Species ~ ., iris)
  out <- parsnip::multi_predict(fit, iris[c(1, 51), ], epochs = c(8, 2, 8), type = "prob")
  expect_identical(names(out), ".pred")
  expect_identical(nrow(out), 2L)
  expect_identical(names(out$.pred[[1]]), c("epochs", ".pred_setosa", ".pred_versicolor", ".pred_virginica"))
  expect_identical(out$.pred[[2]]$epochs, c(2, 8))
  expect_identical(out$.pred[[2]]$.pred_setosa[2], predict(fit, iris[51, ], type = "prob")$.pred_setosa)
  expect_identical(names(parsnip::multi_predict(fit, iris[1, ])$.pred[[1]]), c("epochs", ".pred_class"))
  expect_identical(nrow(parsnip::multi_predict(fit, iris[0, ], epochs = 2)), 0L)
  expect_true(parsnip::has_multi_predict(fit))
  expect_identical(parsnip::multi_predict_args(fit), "epochs")
})

test_that("epochs that the fit does not know are refused", {
  set.seed(1)
  fit <- parsnip::fit(engine("regression", validation = 0, hidden_units = 3, epochs = 8), by_y, wavy)
  refused <- function(text, ...) {
    expect_error(parsnip::multi_predict(fit, wavy, ...), text, class = "lamina_error_argument")
  }
  refused("at most 8", epochs = 9)
  refused("epochs", epochs = 0)
  refused("conf_int", epochs = 2, type = "conf_int")
  refused("trees", trees = 2)
  set.seed(1)
  spec <- engine("regression", keep_epochs = FALSE, validation = 0, hidden_units = 3, epochs = 8)
  bare <- parsnip::fit(spec, by_y, wavy)
  expect_length(bare$fit$kept, 0)
  expect_error(parsnip::multi_predict(bare, wavy, epochs = 2), "keep_epochs = TRUE", class = "lamina_error_argument")
  expect_identical(parsnip::multi_predict(bare, wavy, epochs = 8), parsnip::multi_predict(fit, wavy, epochs = 8))
})

test_that("of a grid only the most epochs are fitted", {
  skip_if_not_installed("tune")
  spec <- engine("regression", hidden_units = tune::tune("units"), penalty = tune::tune(), epochs = tune::tune("ep"))
  grid <- tibble::tibble(units = list(4, c(4, 2), 4, 4, c(4, 2)), penalty = c(0, 0, 0.1, 0, 0),
                         ep = c(5, 9, 7, 20, 3))
  out <- tune::min_grid(spec, grid)
  expect_identical(out[order(out$ep), ]$ep, c(7, 9, 20))
  expect_identical(out$.submodels[[which(out$ep == 20)]], list(ep = 5))
  expect_identical(out$.submodels[[which(out$ep == 7)]], list())
  alone <- tune::min_grid(engine("regression", epochs = tune::tune()), tibble::tibble(epochs = c(5, 9, 7)))
  expect_identical(alone$epochs, 9)
  expect_identical(alone$.submodels, list(list(epochs = c(5, 7))))
  none <- tune::min_grid(engine("regression", penalty = tune::tune()), tibble::tibble(penalty = c(0, 1)))
  expect_identical(none$penalty, c(0, 1))
  nnet <- parsnip::set_engine(parsnip::mlp("regression", epochs = tune::tune()), "nnet")
  expect_identical(tune::min_grid(nnet, tibble::tibble(epochs = c(5, 9)))$epochs, c(5, 9))
})

# ---- what goes wrong -----------------------------------------------------------------------------

test_that("bad input reads as in lamina()", {
  try_fit <- function(mode, formula, data, ...) parsnip::fit(engine(mode, ...), formula, data)
  refused <- function(code, text) expect_error(code, text, fixed = TRUE, class = "lamina_error_argument")
  refused(try_fit("regression", mpg ~ ., mtcars, activation = "relux"), "Did you mean \"relu\"?")
  refused(try_fit("classification", Species ~ ., iris, class_weights = "balancd"), "must be \"balanced\" or numbers")
  refused(try_fit("classification", Species ~ ., iris, class_weights = c(setsoa = 2)), "Did you mean \"setosa\"?")
  refused(try_fit("regression", mpg ~ ., mtcars, batchsize = 3), "Did you mean `batch_size`?")
  refused(try_fit("regression", mpg ~ ., mtcars, momentum = 0.9), "left out with the optimizer \"adam\"")
  refused(try_fit("regression", mpg ~ ., mtcars, seed = 1), "set.seed()")
  refused(try_fit("regression", mpg ~ ., mtcars, hidden_units = 2.5), "whole numbers of at least 1")
  expect_error(try_fit("regression", mpg ~ . - 1, mtcars), "intercept", class = "lamina_error_argument")
  expect_error(try_fit("classification", am ~ ., mtcars), "factor")
})

test_that("one number for class_weights is the weight of the rarest class", {
  data <- iris[c(1:50, 51:70, 101:140), ]
  weights_of <- function(w, data) {
    lamina(Species ~ ., data, class_weights = w, epochs = 1, hidden_units = 2)$task$class_weights
  }
  expect_identical(weights_of(5, data), c(1, 5, 1))
  expect_identical(suppressWarnings(weights_of(5, data[data$Species != "setosa", ])), c(1, 5, 1))
  expect_identical(weights_of(c(virginica = 3), data), c(1, 1, 3))
})

# ---- elsewhere -----------------------------------------------------------------------------------

# Runs a function in a new R that has not loaded lamina.
elsewhere <- function(fn, ...) callr::r(fn, list(...), libpath = .libPaths())

test_that("a fit that was saved predicts in a process that has only parsnip", {
  skip_if_not_installed("callr")
  set.seed(1)
  fit <- parsnip::fit(engine("classification", hidden_units = 3, epochs = 5), Species ~ ., iris)
  path <- withr::local_tempfile()
  saveRDS(fit, path)
  there <- elsewhere(function(path) {
    library(parsnip)
    before <- isNamespaceLoaded("lamina")
    fit <- readRDS(path)
    list(before = before, prob = predict(fit, iris, type = "prob"),
         some = multi_predict(fit, iris[1:3, ], epochs = c(1, 5)))
  }, path)
  expect_false(there$before)
  expect_identical(there$prob, predict(fit, iris, type = "prob"))
  expect_identical(there$some, parsnip::multi_predict(fit, iris[1:3, ], epochs = c(1, 5)))
})

test_that("and a workflow where only workflows is loaded", {
  skip_if_not_installed("callr")
  skip_if_not_installed("workflows")
  set.seed(1)
  fit <- parsnip::fit(workflows::workflow(mpg ~ ., engine("regression", hidden_units = 3, epochs = 5)), cars2)
  path <- withr::local_tempfile()
  saveRDS(fit, path)
  there <- elsewhere(function(path, data) {
    library(workflows)
    list(before = isNamespaceLoaded("lamina"), pred = predict(readRDS(path), data))
  }, path, cars2)
  expect_false(there$before)
  expect_identical(there$pred, predict(fit, cars2))
})

test_that("the engine comes whichever package is loaded first, and again when lamina is", {
  skip_if_not_installed("callr")
  there <- elsewhere(function() {
    loadNamespace("lamina")
    alone <- !isNamespaceLoaded("parsnip")
    has <- function() sum(parsnip::get_from_env("mlp")$engine == "lamina")
    first <- has()
    unloadNamespace("lamina")
    loadNamespace("lamina")
    set.seed(1)
    spec <- parsnip::set_engine(parsnip::mlp("regression", hidden_units = 2, epochs = 2), "lamina")
    rows <- nrow(predict(parsnip::fit(spec, mpg ~ wt, mtcars), mtcars))
    list(alone = alone, first = first, again = has(), rows = rows)
  })
  expect_identical(there, list(alone = TRUE, first = 2L, again = 2L, rows = 32L))
})
