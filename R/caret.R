# The model that caret::train() is given: a list of functions of caret's, made by lamina_caret().

#' lamina as a model of caret
#'
#' `train(..., method = lamina_caret())` fits networks by [lamina()] with caret's resampling and tuning.
#'
#' @section What is tuned:
#' By default `hidden_units` (caret's nnet calls it size) and `penalty` (decay). The grid that caret makes, of
#' `tuneLength` values each, has sizes of one hidden layer; a `tuneGrid` may also hold text such as
#' `"16-8"` for two layers. Random search (`trainControl(search = "random")`) draws sizes up to 64 and penalties from
#' 1e-6 to 1. All arguments of [lamina()] that are not tuned can be given to `train()`, which passes them on:
#' `train(..., method = lamina_caret(), optimizer = "bfgs")`. Where `epochs` is tuned, a fit with the most epochs
#' gives the predictions of those with fewer too.
#'
#' Factors, scaling and missing values are [lamina()]'s affair: there is no need of `preProcess`. (With a formula
#' `train()` makes indicator columns itself; with `x` and `y` it hands factors on.) `weights` are taken.
#' `varImp()` gives [importance()] by permutation, on the data of the fit.
#'
#' @param tune Names of the arguments of [lamina()] to tune, among `"hidden_units"`, `"penalty"`, `"dropout"`,
#'   `"mixture"`, `"learn_rate"`, `"batch_size"` and `"epochs"`.
#' @return A list for `caret::train(method = )`.
#' @section Errors:
#' `lamina_error_argument` for names that cannot be tuned.
#' @family R models
#' @seealso [lamina_parsnip()] for tidymodels.
#' @examples
#' if (rlang::is_installed("caret")) {
#'   set.seed(1)
#'   fitted <- caret::train(mpg ~ wt + hp, mtcars, method = lamina_caret(), optimizer = "bfgs",
#'                          tuneGrid = expand.grid(hidden_units = c(0, 3), penalty = c(0.001, 0.01)),
#'                          trControl = caret::trainControl("cv", number = 3))
#'   print(fitted)
#'   predict(fitted, mtcars[1:3, ])
#' }
#' @export
lamina_caret <- function(tune = c("hidden_units", "penalty")) {
  if (!is.character(tune) || length(tune) == 0L || anyNA(tune)) {
    abort_argument("tune", "names of arguments to tune", describe(tune))
  }
  tune <- unique(tune)
  for (name in tune) check_choice(name, names(caret_arguments), arg = "tune", call = rlang::current_env())
  list(
    label = "Neural network (lamina)", library = "lamina", type = c("Regression", "Classification"),
    parameters = data.frame(
      parameter = tune, class = "numeric",
      label = vapply(caret_arguments[tune], function(a) a$label, "", USE.NAMES = FALSE)
    ),
    grid = function(x, y, len = NULL, search = "grid") caret_grid(tune, len, search),
    loop = if ("epochs" %in% tune) caret_loop,
    fit = caret_fit, predict = caret_predict, prob = caret_probabilities,
    predictors = function(x, ...) x$predictors, varImp = caret_importance,
    levels = function(x) x$obsLevels, tags = c("Neural Network", "L2 Regularization", "Accepts Case Weights"),
    sort = function(x) caret_sort(x, tune)
  )
}

# What can be tuned: label; values(n) for a grid; random(n); more: TRUE where more makes a network that can do more.
caret_arguments <- list(
  hidden_units = list(
    label = "Hidden Units", more = TRUE,
    values = function(n) 2 * seq_len(n)^2, random = function(n) sample.int(63L, n, replace = TRUE) + 1L
  ),
  penalty = list(
    label = "Penalty", more = FALSE,
    values = function(n) c(0, 10^seq(-3, -1, length.out = n - 1L)), random = function(n) 10^stats::runif(n, -6, 0)
  ),
  dropout = list(
    label = "Dropout Rate", more = FALSE,
    values = function(n) seq(0, 0.5, length.out = n), random = function(n) stats::runif(n, 0, 0.5)
  ),
  mixture = list(
    label = "Share of the Absolute Penalty", more = FALSE,
    values = function(n) seq(0, 1, length.out = n), random = function(n) stats::runif(n)
  ),
  learn_rate = list(
    label = "Learning Rate", more = TRUE,
    values = function(n) 10^seq(-3, -1, length.out = n), random = function(n) 10^stats::runif(n, -4, -1)
  ),
  batch_size = list(
    label = "Batch Size", more = FALSE,
    values = function(n) 2^round(seq(3, 8, length.out = n)),
    random = function(n) 2^(2 + sample.int(6L, n, replace = TRUE))
  ),
  epochs = list(
    label = "Epochs", more = TRUE,
    values = function(n) pmax(1, round(100 * 2^(seq_len(n) - n))),
    random = function(n) sample.int(196L, n, replace = TRUE) + 4L
  )
)

caret_grid <- function(tune, len, search) {
  if (identical(search, "random")) {
    return(data.frame(lapply(caret_arguments[tune], function(a) a$random(len))))
  }
  unique(expand.grid(lapply(caret_arguments[tune], function(a) a$values(len))))
}

# Below, functions that caret calls, with the arguments it gives them.

# The fits of a grid, and for each the rows that its predictions with fewer epochs stand for.
caret_loop <- function(grid) {
  groups <- unname(split(seq_len(nrow(grid)), row_keys(grid[setdiff(names(grid), "epochs")])))
  most <- vapply(groups, function(rows) rows[which.max(grid$epochs[rows])], 0L)
  fewer <- lapply(groups, function(rows) data.frame(epochs = setdiff(grid$epochs[rows], max(grid$epochs[rows]))))
  list(loop = grid[most, , drop = FALSE], submodels = fewer)
}

caret_fit <- function(x, y, wts, param, lev, last, classProbs, ...) {
  chosen <- as.list(param)
  if ("hidden_units" %in% names(chosen)) {
    chosen$hidden_units <- caret_units(chosen$hidden_units)
  }
  given <- list(...)
  if (is.null(given$verbose)) given$verbose <- getOption("lamina.verbose", 0)
  if ("epochs" %in% names(chosen)) given$keep_epochs <- !last
  if (!is.matrix(x)) x <- as.data.frame(x)
  # `.env`: a column called wts must not take the place of the weights
  fit <- rlang::inject(lamina(x, y, weights = .env$wts, !!!chosen, !!!given))
  fit$call <- rlang::call2("lamina", quote(x), quote(y), !!!if (!is.null(wts)) alist(weights = wts), !!!chosen,
                           !!!call_values(list(...)))
  fit
}

# 16, "16" or "16-8".
caret_units <- function(x) {
  if (is.numeric(x)) {
    return(x)
  }
  units <- suppressWarnings(as.numeric(strsplit(as.character(x), "-", fixed = TRUE)[[1L]]))
  if (anyNA(units)) {
    abort_argument("hidden_units", "a number or text such as \"16-8\"", describe(as.character(x)), call = NULL)
  }
  units
}

# From the simplest: few units, much of what holds a network back.
caret_sort <- function(x, tune) {
  keys <- lapply(tune, function(name) {
    v <- x[[name]]
    if (name == "hidden_units") v <- vapply(seq_along(v), function(i) sum(caret_units(v[i])), 0)
    if (caret_arguments[[name]]$more) v else -v
  })
  x[do.call(order, keys), , drop = FALSE]
}

# Predictions of the fit, or a list of those with its own epochs and with fewer.
caret_predictions <- function(fit, newdata, submodels, type) {
  whole <- predict(fit, newdata, type = type)
  if (is.null(submodels)) {
    return(whole)
  }
  means <- epoch_means(fit, newdata, submodels$epochs, FALSE, rlang::caller_env())
  c(list(whole), lapply(means, function(m) finish_predictions(fit, m, type)))
}

caret_predict <- function(modelFit, newdata, submodels = NULL) {
  out <- caret_predictions(modelFit, newdata, submodels, if (modelFit$task$kind == "classes") "class" else "response")
  if (is.list(out)) lapply(out, plain_classes) else plain_classes(out)
}

plain_classes <- function(x) if (is.factor(x)) as.character(x) else x

caret_probabilities <- function(modelFit, newdata, submodels = NULL) {
  out <- caret_predictions(modelFit, newdata, submodels, "prob")
  if (is.list(out)) lapply(out, as.data.frame) else as.data.frame(out)
}

# As caret takes it: a row a predictor.  NULL data: the fit's.
caret_importance <- function(object, ...) {
  worth <- importance(object)
  data.frame(Overall = pmax(worth$importance, 0), row.names = worth$variable)
}
