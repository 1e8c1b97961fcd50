# predict() of a lamina() fit.

#' Predictions of a fitted network
#'
#' @param object A fit of [lamina()].
#' @param newdata,new_data A data frame (or matrix, for a fit of one) with the predictors of the fit; `NULL`: the
#'   data of the fit. Columns are found by name; text is taken for factors. Rows with missing values, or with levels
#'   that the fit did not see (a warning tells them), get `NA`.
#' @param type What to predict:
#'   * `"response"`: the mean of a numeric outcome or count; the probability of the second of two classes; the
#'     probabilities of several.
#'   * `"class"`: the most probable class, a factor with the levels of the outcome.
#'   * `"prob"`: the probabilities of all classes.
#'   * `"link"`: the linear predictor, what the output layer adds up: the log odds of the second class, the
#'     logarithm of the mean count, the numbers that go into the softmax.
#'   * `"conf_int"`, `"pred_int"`: intervals; see below.
#' @param level Level of the intervals.
#' @param times Networks trained for intervals; `NULL`: those of the fit, else 50.
#' @param method `"bootstrap"` or `"ensemble"`.
#' @param offset Offset of the new rows; `NULL`: that of the formula or argument of the fit, looked up in `newdata`.
#' @param ... Must be empty.
#' @return A numeric vector or, for several outcomes or classes, a matrix; for `"class"` a factor, for `"prob"` a
#'   matrix with a column a level. Intervals: a matrix with the columns `fit`, `lwr` and `upr`, as
#'   [predict.lm()] gives; for several outcomes or classes an array of rows x 3 x outcomes.
#' @section Intervals:
#' See [lamina_intervals] for what they mean, how they are computed and how often they hold.
#' @section Errors:
#' `lamina_error_data` for columns that are missing or of another type, `lamina_error_argument` for a type that the
#' outcome does not have.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(mpg ~ wt + cyl, transform(mtcars, cyl = factor(cyl)), hidden_units = 4,
#'               optimizer = "bfgs", penalty = 0.01)
#' predict(fit, data.frame(wt = c(2, 3), cyl = c("4", "6")))
#' predict(fit, data.frame(wt = c(2, 3), cyl = c("4", "6")), type = "conf_int", times = 20)
#' @export
predict.lamina_fit <- function(object, newdata = NULL, type = "response", ..., new_data = NULL, level = 0.95,
                               times = NULL, method = c("bootstrap", "ensemble"), offset = NULL) {
  check_no_dots(list(...))
  type <- check_choice(type, c("response", "class", "prob", "link", "conf_int", "pred_int"))
  check_type(object, type)
  call <- rlang::current_env()
  inputs <- prediction_inputs(object, if (is.null(newdata)) new_data else newdata, offset, call)
  ok <- stats::complete.cases(inputs$x)
  if (!is.null(inputs$offset)) ok <- ok & !is.na(inputs$offset)
  x <- inputs$x[ok, , drop = FALSE]
  off <- inputs$offset[ok]
  if (type %in% c("conf_int", "pred_int")) {
    level <- check_number(level, min = 0, max = 1)
    method <- check_choice(method[1L], c("bootstrap", "ensemble"), arg = "method")
    return(predicted_intervals(object, x, off, ok, type, level, times, method, call))
  }
  means <- if (!any(ok)) {
    task_means(object$task, matrix(0, 0L, object$task$units)) # with the columns' names
  } else if (type == "link") {
    network_link(object, x, off)
  } else {
    network_means(object, x, if (is.null(inputs$offset)) NULL else off)
  }
  finish_predictions(object, spread_rows(means, ok), type)
}

check_type <- function(fit, type, call = rlang::caller_env()) {
  task <- fit$task
  if (type %in% c("class", "prob") && task$kind != "classes") {
    abort_argument("type", sprintf("\"response\" or \"link\" for the outcome `%s`, which is no factor", fit$outcome),
                   sprintf("\"%s\"", type), call = call)
  }
  if (type %in% c("prob", "conf_int") && gives_scores(task)) {
    abort_argument("type", sprintf("\"class\" or \"link\" with the %s loss, which gives no probabilities", task$loss_name),
                   sprintf("\"%s\"", type), call = call)
  }
  if (type == "pred_int" && task$kind == "classes") {
    abort_argument("type", "\"conf_int\" for classes: the interval of the probabilities", "\"pred_int\"", call = call)
  }
}

# list(x, offset): scaled inputs and offset, NA where they are missing; offset NULL when the fit has none.
prediction_inputs <- function(fit, newdata, offset, call) {
  if (is.null(newdata)) {
    return(fit_inputs(fit, call))
  }
  forged <- forge_predictors(fit, newdata, call)
  if (is.null(fit$train$offset)) {
    if (!is.null(offset)) abort_argument("offset", "NULL: the fit has none", describe(offset), call = call)
    return(list(x = forged$x, offset = NULL))
  }
  from_argument <- if (!is.null(offset)) {
    offset
  } else if (!rlang::quo_is_null(fit$offset_quo)) {
    row_arguments(list(offset = fit$offset_quo), newdata, call)$offset
  }
  total <- if (is.null(from_argument) || is.null(forged$offset)) c(from_argument, forged$offset) else from_argument + forged$offset
  if (length(total) != nrow(forged$x)) {
    abort_argument("offset", sprintf("%d numbers, one for each row of `newdata`", nrow(forged$x)), describe(total), call = call)
  }
  list(x = forged$x, offset = as.double(total))
}

# The inputs of the fit's own rows.
fit_inputs <- function(fit, call) {
  list(x = forge_predictors(fit, require_data(fit, call), call)$x, offset = fit$train$offset)
}

# The data frame or matrix that the fit was made from.
require_data <- function(fit, call = rlang::caller_env()) {
  if (is.null(fit$train$data)) {
    abort_lamina(c("The fit has not kept its data.", i = "Fit with model = TRUE, or give the data."), "state",
                 arg = "model", expected = "TRUE", actual = "FALSE", call = call)
  }
  fit$train$data
}

# A matrix with rows of NA where `ok` is FALSE.
spread_rows <- function(m, ok) {
  if (all(ok)) {
    return(m)
  }
  out <- matrix(NA_real_, length(ok), ncol(m), dimnames = list(NULL, colnames(m)))
  out[ok, ] <- m
  out
}

finish_predictions <- function(fit, means, type) {
  switch(
    type,
    class = predicted_classes(fit$task, means),
    prob = class_probabilities(fit$task, means),
    if (ncol(means) == 1L) as.vector(means) else means
  )
}

predicted_classes <- function(task, means) {
  at <- if (ncol(means) == 1L) {
    1L + (means[, 1L] > if (gives_scores(task)) 0 else 0.5)
  } else {
    largest_column(means)
  }
  factor(task$levels[at], levels = task$levels, ordered = task$ordered)
}

# The first of the largest; NA in rows of NA.
largest_column <- function(m) {
  at <- rep(NA_integer_, nrow(m))
  ok <- !is.na(m[, 1L])
  at[ok] <- max.col(m[ok, , drop = FALSE], "first")
  at
}

class_probabilities <- function(task, means) {
  out <- if (ncol(means) == 1L) cbind(1 - means[, 1L], means[, 1L]) else means
  dimnames(out) <- list(NULL, task$levels)
  out
}
