# The engine "lamina" of parsnip's mlp().  parsnip keeps tables of engines; register_engine() adds rows to them when
# both packages are loaded.  A fit then lives in parsnip's object (`fit`), and predict() comes by the rows here.

#' lamina as an engine of parsnip
#'
#' `mlp() |> set_engine("lamina")` fits a network by [lamina()] within tidymodels: in workflows, with recipes,
#' resampled and tuned. `library(lamina)` registers the engine. `lamina_parsnip()` is what parsnip calls; there
#' is no need to call it oneself.
#'
#' @section Arguments of the engine:
#' All arguments of [lamina()] can be given, under the same names: the first six to `mlp()`, the others to
#' `set_engine()`. Those with a function of package dials can be set to `tune()`; the ranges are those that
#' `extract_parameter_set_dials()` gives: dials' own, or, where these are too wide for networks on standardised data,
#' lamina's.
#'
#' | argument        | goes to        | default                   | dials                   | range                  |
#' |:----------------|:---------------|:--------------------------|:------------------------|:-----------------------|
#' | `hidden_units`  | `mlp()`        | `c(32, 16)`               | `hidden_units()`        | 2 to 64                |
#' | `penalty`       | `mlp()`        | 0                         | `penalty()`             | 1e-6 to 1              |
#' | `dropout`       | `mlp()`        | 0                         | `dropout()`             | 0 to 0.5               |
#' | `epochs`        | `mlp()`        | 100 (1,000 for `"bfgs"`)  | `epochs()`              | 5 to 500               |
#' | `activation`    | `mlp()`        | `"relu"`                  | `activation()`          | nine names, see below  |
#' | `learn_rate`    | `mlp()`        | 0.01                      | `learn_rate()`          | 1e-4 to 0.1            |
#' | `batch_size`    | `set_engine()` | 32                        | `batch_size()`          | 8 to 256               |
#' | `stop_iter`     | `set_engine()` | 10                        | `stop_iter()`           | 3 to 20                |
#' | `mixture`       | `set_engine()` | 0                         | `mixture()`             | 0 to 1                 |
#' | `momentum`      | `set_engine()` | none                      | `momentum()`            | 0 to 0.99              |
#' | `validation`    | `set_engine()` | 0.2 (0 for `"bfgs"`)      | `validation_set_prop()` | 0.05 to 0.4            |
#' | `class_weights` | `set_engine()` | none                      | `class_weights()`       | 1 to 10, rarest class  |
#' | `optimizer`     | `set_engine()` | `"adam"`                  |                         |                        |
#' | `family`        | `set_engine()` | by the outcome            |                         |                        |
#' | `loss`          | `set_engine()` | that of the family        |                         |                        |
#' | `layers`        | `set_engine()` | none                      |                         |                        |
#' | `standardize`   | `set_engine()` | `TRUE`                    |                         |                        |
#' | `start`         | `set_engine()` | none                      |                         |                        |
#' | `metrics`       | `set_engine()` | accuracy for classes      |                         |                        |
#' | `callbacks`     | `set_engine()` | none                      |                         |                        |
#' | `times`         | `set_engine()` | 0                         |                         |                        |
#' | `model`         | `set_engine()` | `TRUE`                    |                         |                        |
#' | `na.action`     | `set_engine()` | `getOption("na.action")`  |                         |                        |
#' | `keep_epochs`   | `set_engine()` | `TRUE`                    |                         |                        |
#' | `verbose`       | `set_engine()` | `getOption("lamina.verbose", 0)` |                  |                        |
#'
#' The activations tuned over are relu, leaky_relu, elu, selu, gelu, silu, softplus, tanh and sigmoid.
#' `hidden_units` and `activation` may be vectors, one element a layer: `mlp(hidden_units = c(16, 8))`. To tune the
#' number of layers, give `tune_grid()` a tibble with a list as its column: `tibble(hidden_units = list(16, c(16,
#' 8)))`. Grids of one's own may hold what has no function of dials too: `set_engine("lamina", optimizer =
#' tune())` with `grid = data.frame(optimizer = c("adam", "bfgs"))`. `family = "poisson"` in mode "regression" is
#' for counts. An offset stands in the formula; in a workflow in that of the model, `add_model(spec, formula = y ~ x +
#' offset(log(n)))`.
#'
#' @section Epochs:
#' A fit keeps the weights of the epochs that were the best so far, so that `multi_predict(fit, new_data,
#' epochs = c(5, 20))` gives what fits with `epochs = 5` and `epochs = 20` from the same seed would predict.
#' `tune_grid()` uses this: a grid over `epochs` costs one fit, of the most epochs, for each combination of the other
#' parameters. The weights kept make the fit larger; `keep_epochs = FALSE` leaves them out (not while `epochs` is
#' tuned).
#'
#' @section Data and predictions:
#' Factors become indicator columns, predictors and a numeric outcome are standardised, and rows with missing values
#' are left out in the fit and are NA in predictions, all by [lamina()]: a recipe need do nothing of that. Case
#' weights are taken. A sparse matrix is not.
#'
#' `predict()` has the types `"numeric"`, `"class"`, `"prob"`, `"raw"`, `"linear_pred"` (the sums that go into the
#' output's activation; a column a class for more than two), `"conf_int"` and, for numbers, `"pred_int"`. Intervals
#' come from networks that are trained again on bootstrap samples: with the fit when `times` is given to
#' `set_engine()`, else at each call of `predict()`.
#'
#' [set.seed()] before `fit()` or `tune_grid()` fixes everything, with any number of workers.
#'
#' @param formula,data,weights What parsnip hands over.
#' @param ...,keep_epochs,verbose Arguments for [lamina()].
#' @return A fit of class `lamina_fit`; `extract_fit_engine()` takes it out of what parsnip or workflows return.
#' @family R models
#' @seealso [lamina()] for what the arguments mean; [lamina_caret()] for package caret.
#' @examples
#' if (rlang::is_installed("parsnip")) {
#'   spec <- parsnip::mlp("classification", hidden_units = c(16, 8), penalty = 0.001, epochs = 50) |>
#'     parsnip::set_engine("lamina", stop_iter = 5)
#'   set.seed(1)
#'   iris_fit <- parsnip::fit(spec, Species ~ ., data = iris)
#'   print(iris_fit)
#'   print(predict(iris_fit, iris[c(1, 51, 101), ], type = "prob"))
#'   parsnip::multi_predict(iris_fit, iris[51, ], epochs = c(5, 20))$.pred[[1]]
#' }
#'
#' # a grid of 2 x 3 costs 2 fits a fold: epochs are free
#' if (rlang::is_installed(c("parsnip", "workflows", "tune", "rsample", "yardstick"))) {
#'   spec <- parsnip::mlp("regression", hidden_units = 8, penalty = tune::tune(),
#'                        epochs = tune::tune()) |>
#'     parsnip::set_engine("lamina")
#'   set.seed(1)
#'   folds <- rsample::vfold_cv(mtcars, v = 2)
#'   grid <- expand.grid(penalty = c(0, 0.01), epochs = c(5, 20, 60))
#'   tuned <- tune::tune_grid(workflows::workflow(mpg ~ ., spec), folds, grid = grid)
#'   tune::show_best(tuned, metric = "rmse")
#' }
#' @importFrom rlang .env
#' @export
lamina_parsnip <- function(formula, data, weights = NULL, ..., keep_epochs = TRUE,
                           verbose = getOption("lamina.verbose", 0)) {
  # `.env`: a column that is called as the argument must not take its place
  fit <- if (identical(formula[[2L]], quote(..y))) {
    # predictors and outcome that parsnip has put together: apart again they need no formula, which is slow when wide
    outcome <- frame_outcome(parent.frame())
    formula[[2L]] <- as.name(outcome)
    predictors <- data[names(data) != "..y"]
    lamina(predictors, stats::setNames(data.frame(data$..y), outcome), weights = .env$weights, ...,
           keep_epochs = keep_epochs, verbose = verbose)
  } else {
    formula <- plain_environment(formula)
    lamina(formula, data, weights = .env$weights, ..., keep_epochs = keep_epochs, verbose = verbose)
  }
  fit$call <- rlang::call2("lamina", formula, data = quote(data), !!!call_values(list(...)))
  fit
}

# Arguments as a call shows them: numbers and names as they are, objects by the argument's name.
call_values <- function(values) {
  short <- function(value, name) {
    if (is.list(value) && length(value) == 1L && is.atomic(value[[1L]])) value <- value[[1L]] # a cell of a grid
    if (is.null(value) || is.atomic(value) && !is.object(value) && length(value) <= 10L) value else as.name(name)
  }
  Map(short, values, names(values))
}

# The outcome's name, which parsnip has in the environment where it evaluates the call (eval_tidy() puts another
# before it).
frame_outcome <- function(frame) {
  for (env in list(frame, parent.env(frame))) {
    name <- get0("y_var", env, inherits = FALSE)
    if (is.character(name) && length(name) == 1L) {
      return(name)
    }
  }
  ".outcome"
}

# parsnip puts an environment with the data before that of the formula, which would be saved with the fit.
plain_environment <- function(formula) {
  env <- environment(formula)
  if (setequal(names(env), c("data", "weights"))) {
    environment(formula) <- parent.env(env)
  }
  formula
}

# ---- registration --------------------------------------------------------------------------------

# Arguments of the engine: the function of dials, and a range or values where those of dials are not to the point.
engine_arguments <- list(
  hidden_units = list(fun = "hidden_units", range = c(2L, 64L)),
  penalty = list(fun = "penalty", range = c(-6, 0)),
  dropout = list(fun = "dropout", range = c(0, 0.5)),
  epochs = list(fun = "epochs", range = c(5L, 500L)),
  activation = list(fun = "activation", values = c("relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus",
                                                   "tanh", "sigmoid")),
  learn_rate = list(fun = "learn_rate", range = c(-4, -1)),
  batch_size = list(fun = "batch_size", range = c(3L, 8L)),
  stop_iter = list(fun = "stop_iter"),
  mixture = list(fun = "mixture"),
  momentum = list(fun = "momentum", range = c(0, 0.99)),
  validation = list(fun = "validation_set_prop", range = c(0.05, 0.4)),
  class_weights = list(fun = "class_weights")
)

# An engine that cannot be registered (parsnip has changed) must not keep lamina from loading.
register_engine <- function() {
  tryCatch(make_engine(), error = function(e) {
    packageStartupMessage("lamina could not register its engine with parsnip: ", conditionMessage(e))
  })
}

make_engine <- function() {
  forget_engine()
  for (mode in c("regression", "classification")) {
    parsnip::set_model_engine("mlp", mode, "lamina")
    parsnip::set_dependency("mlp", "lamina", "lamina", mode)
    parsnip::set_fit("mlp", mode, "lamina", value = list(
      interface = "formula", protect = c("formula", "data", "weights"),
      func = c(pkg = "lamina", fun = "lamina_parsnip"), defaults = list()
    ))
    parsnip::set_encoding("mlp", mode, "lamina", options = list(
      predictor_indicators = "none", compute_intercept = FALSE, remove_intercept = FALSE, allow_sparse_x = FALSE
    ))
    predictions <- engine_predictions(mode)
    for (type in names(predictions)) {
      parsnip::set_pred("mlp", mode, "lamina", type, predictions[[type]])
    }
  }
  for (name in names(engine_arguments)) {
    parsnip::set_model_arg("mlp", "lamina", parsnip = name, original = name, has_submodel = name == "epochs",
                           func = c(list(pkg = "dials"), engine_arguments[[name]]))
  }
}

# parsnip refuses rows that differ from those it has, as after lamina was installed anew and loaded again.
forget_engine <- function() {
  for (name in paste0("mlp", c("", "_args", "_fit", "_encoding", "_predict", "_pkgs"))) {
    table <- parsnip::get_from_env(name)
    if (is.data.frame(table) && any(table$engine == "lamina")) {
      parsnip::set_env_val(name, table[table$engine != "lamina", ])
    }
  }
}

# The rows of predictions: what to call and how to bring it into parsnip's form.
engine_predictions <- function(mode) {
  row <- function(type, ..., post = NULL) {
    list(pre = NULL, post = post, func = c(fun = "predict"),
         args = list(object = quote(object$fit), newdata = quote(new_data), type = type, ...))
  }
  level <- as.call(list(interval_level, quote(level), quote(std_error))) # evaluated where parsnip has these two
  interval <- function(type) row(type, level = level, post = parsnip_intervals)
  rows <- list(raw = row("response"), linear_pred = row("link", post = parsnip_linear), conf_int = interval("conf_int"))
  if (mode == "regression") {
    c(rows, list(numeric = row("response", post = parsnip_numbers), pred_int = interval("pred_int")))
  } else {
    c(rows, list(class = row("class"), prob = row("prob", post = parsnip_probabilities)))
  }
}

# ---- parsnip's forms of predictions --------------------------------------------------------------

# A tibble of the columns of a matrix, with their names behind a prefix.
prefixed_columns <- function(m, prefix) {
  columns <- lapply(seq_len(ncol(m)), function(j) as.vector(m[, j]))
  tibble::new_tibble(stats::setNames(columns, paste0(prefix, colnames(m))), nrow = nrow(m))
}

parsnip_numbers <- function(x, object) if (is.matrix(x)) prefixed_columns(x, ".pred_") else x

parsnip_probabilities <- function(x, object) prefixed_columns(x, ".pred_")

parsnip_linear <- function(x, object) if (is.matrix(x)) prefixed_columns(x, ".pred_linear_pred_") else x

interval_level <- function(level, std_error) {
  if (!identical(std_error, FALSE)) {
    abort_argument("std_error", "FALSE", describe(std_error),
                   hint = c(i = "Intervals come from networks trained again, not from standard errors."), call = NULL)
  }
  level
}

# x: a matrix with the columns fit, lwr and upr, for the second of two classes or one outcome; or an array of
# rows x 3 x outcomes or classes.
parsnip_intervals <- function(x, object) {
  task <- object$fit$task
  if (is.matrix(x) && task$kind != "classes") {
    bounds <- list(.pred_lower = as.vector(x[, "lwr"]), .pred_upper = as.vector(x[, "upr"]))
    return(tibble::new_tibble(bounds, nrow = nrow(x)))
  }
  bounds <- if (is.matrix(x)) {
    second <- list(lower = as.vector(x[, "lwr"]), upper = as.vector(x[, "upr"]))
    list(list(lower = 1 - second$upper, upper = 1 - second$lower), second)
  } else {
    lapply(seq_len(dim(x)[3L]), function(k) list(lower = as.vector(x[, "lwr", k]), upper = as.vector(x[, "upr", k])))
  }
  names <- if (task$kind == "classes") task$levels else task$outcomes
  columns <- stats::setNames(unlist(bounds, recursive = FALSE),
                             sprintf(c(".pred_lower_%s", ".pred_upper_%s"), rep(names, each = 2L)))
  tibble::new_tibble(columns, nrow = dim(x)[1L])
}

# ---- fewer epochs than were trained --------------------------------------------------------------

# roxygen would leave the class unquoted.
#' @rawNamespace S3method(parsnip::multi_predict, "_lamina_fit")
#' @noRd
`multi_predict._lamina_fit` <- function(object, new_data, type = NULL, epochs = NULL, ...) {
  check_no_dots(list(...))
  call <- rlang::current_env()
  fit <- object$fit
  mode <- object$spec$mode
  types <- c(if (mode == "regression") "numeric" else c("class", "prob"), "linear_pred")
  type <- if (is.null(type)) types[1L] else check_choice(type, types)
  epochs <- check_epochs(epochs, fit, call)
  means <- epoch_means(fit, new_data, epochs, type == "linear_pred", call)
  columns <- lapply(means, function(m) epoch_columns(fit, m, type))
  list_by_row(columns, epochs)
}

check_epochs <- function(epochs, fit, call) {
  if (is.null(epochs)) {
    return(fit$settings$epochs)
  }
  ok <- is.numeric(epochs) && length(epochs) > 0L && all(is.finite(epochs)) &&
    all(epochs >= 1 & epochs == floor(epochs))
  if (!ok) {
    abort_argument("epochs", "whole numbers of at least 1", describe(epochs), call = call)
  }
  last <- if (fit$training$interrupted) fit$training$epochs else fit$settings$epochs
  if (max(epochs) > last && !fit$training$converged) {
    abort_argument("epochs", sprintf("at most %g, the epochs of the fit", last), describe(max(epochs)), call = call)
  }
  if (!fit$settings$keep_epochs && min(epochs) < fit$training$epochs) {
    abort_argument("epochs", sprintf("at least %g: the fit has not kept the weights of fewer", fit$training$epochs),
                   describe(min(epochs)), hint = c(i = "Fit with keep_epochs = TRUE."), call = call)
  }
  sort(unique(as.double(epochs)))
}

# A list of matrices of means (or linear predictors), one for each number of epochs.
epoch_means <- function(fit, new_data, epochs, link, call) {
  inputs <- prediction_inputs(fit, new_data, NULL, call)
  ok <- stats::complete.cases(inputs$x)
  if (!is.null(inputs$offset)) ok <- ok & !is.na(inputs$offset)
  x <- inputs$x[ok, , drop = FALSE]
  offset <- inputs$offset[ok]
  output <- if (link) network_link else network_means
  lapply(epochs, function(e) {
    means <- if (!any(ok)) {
      task_means(fit$task, matrix(0, 0L, fit$task$units))
    } else {
      with_weights_raw(fit$network, weights_after(fit, e), output(fit, x, offset))
    }
    spread_rows(means, ok)
  })
}

epoch_columns <- function(fit, means, type) {
  out <- finish_predictions(fit, means, switch(type, class = "class", prob = "prob", "response"))
  name <- switch(type, class = ".pred_class", linear_pred = ".pred_linear_pred", ".pred")
  if (is.matrix(out)) as.list(prefixed_columns(out, paste0(name, "_"))) else stats::setNames(list(out), name)
}

# From a list of columns for each number of epochs to a tibble of one tibble, with a line for each, a row.
list_by_row <- function(columns, epochs) {
  rows <- length(columns[[1L]][[1L]])
  joined <- do.call(Map, c(list(f = c), columns)) # each column: all rows at the first number of epochs, then the next
  one <- function(i) {
    at <- i + rows * (seq_along(epochs) - 1L)
    tibble::new_tibble(c(list(epochs = epochs), lapply(joined, function(v) v[at])), nrow = length(epochs))
  }
  tibble::tibble(.pred = lapply(seq_len(rows), one))
}

# A grid's fits: of the epochs only the most, for each combination of the other parameters; the rest is
# multi_predict()'s.  tune asks this of every mlp(), and other engines may have such a parameter of their own.
#' @importFrom generics min_grid
#' @export
#' @noRd
min_grid.mlp <- function(x, grid, ...) {
  known <- parsnip::get_from_env("mlp_args")
  free <- known$parsnip[known$engine == x$engine & known$has_submodel]
  parameters <- hardhat::extract_parameter_set_dials(x)
  free <- intersect(parameters$id[parameters$name %in% free], names(grid))
  if (length(free) != 1L || nrow(grid) == 0L) {
    return(NextMethod())
  }
  groups <- unname(split(seq_len(nrow(grid)), row_keys(grid[setdiff(names(grid), free)])))
  values <- grid[[free]]
  most <- vapply(groups, function(rows) rows[which.max(values[rows])], 0L)
  out <- grid[most, ]
  out$.submodels <- lapply(groups, function(rows) {
    fewer <- sort(unique(values[rows][values[rows] < max(values[rows])]))
    if (length(fewer)) stats::setNames(list(fewer), free) else list()
  })
  out
}

# A text for each row of a data frame, the same for the same values; columns may be lists.
row_keys <- function(data) {
  keys <- lapply(data, function(column) vapply(column, rlang::hash, ""))
  if (length(keys)) do.call(paste, unname(keys)) else rep("", nrow(data))
}
