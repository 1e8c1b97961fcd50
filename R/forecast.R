# Forecasts of many steps, one after the other, and back to the units of the series.

#' Forecasts of many steps
#'
#' Feeds a model's forecast of the next step back into its window, n times (the recursive, or iterated,
#' strategy): with the window `w` of the last L steps and the model `f`,
#' `y[1] = f(w)`, `y[2] = f(w[2], ..., w[L], y[1])`, and so on. So errors add up, but one model serves for
#' any n.
#'
#' The other way (the direct strategy) needs no function of its own: a model with H outputs, trained on
#' the next H steps (`layer_dense(H)` at its end, `targets = tail(lag_matrix(x, 0:(1 - H)), -L)`),
#' forecasts them at once with [predict()][predict.lamina_model].
#'
#' @param model A model that takes windows (L steps, or L steps x features) and gives the next step
#'   of one feature or more; or a function of windows, an array of samples x L x features, that
#'   returns a row of forecasts for each.
#' @param window The last L steps, oldest first, as the model was trained on (scaled, if it was): a
#'   vector or `ts`, a matrix or data frame with a column for each feature; or many windows, an array
#'   samples x L x features, as of [dataset_arrays()].
#' @param n How many steps to forecast.
#' @param target Which features the model gives, in the order of its outputs: numbers or names of
#'   columns; `NULL`: the first ones.
#' @param known What is known beforehand of the other features, such as the hour or the month: a matrix
#'   or data frame with a row for each of the n steps and a column for each of them in the order of the
#'   window, or an array samples x n x features for many windows; `NULL`: they stay as at the last step.
#' @return The forecasts: a vector of n for one window and one target; a matrix n x targets for several
#'   targets; samples x n for many windows, samples x n x targets for both.
#' @section Errors:
#' `lamina_error_shape` when the parts do not fit each other, as a model of H steps at once does not;
#' `lamina_error_data` for NA; `lamina_error_argument` for other bad arguments.
#' @seealso [unscale()] for forecasts in the units of the series; [plot_forecast()].
#' @references S. Ben Taieb, G. Bontempi, A. F. Atiya and A. Sorjamaa (2012). A review and comparison
#'   of strategies for multi-step ahead time series forecasting. *Expert Systems with Applications*
#'   39(8), 7067-7083.
#' @family time series
#' @examples
#' x <- scale(nottem)
#' train <- x[1:216]
#' windows <- timeseries_dataset_from_array(train, tail(train, -12), sequence_length = 12,
#'                                          batch_size = 32)
#' set.seed(1)
#' model <- keras_model_sequential(input_shape = c(12, 1)) |>
#'   layer_flatten() |>
#'   layer_dense(8, activation = "tanh") |>
#'   layer_dense(1)
#' model |> compile(optimizer = optimizer_adam(0.02), loss = "mse")
#' model |> fit(windows, epochs = 40, verbose = 0)
#' by_network <- forecast_steps(model, tail(train, 12), n = 24)
#'
#' # lm() in the same way: windows as the columns that it was fitted with
#' linear <- lm(x ~ ., as.data.frame(lag_matrix(train, 0:12)))
#' next_by_lm <- function(windows) {
#'   predict(linear, setNames(as.data.frame(windows[, , 1, drop = FALSE]), paste0("x_lag", 12:1)))
#' }
#' by_lm <- forecast_steps(next_by_lm, tail(train, 12), n = 24)
#'
#' plot_forecast(time(nottem)[193:240], nottem[193:240],
#'               list(network = unscale(by_network, x), lm = unscale(by_lm, x)))
#' @export
forecast_steps <- function(model, window, n, target = NULL, known = NULL) {
  ahead <- one_step_ahead(model)
  windows <- as_windows(window)
  n <- check_count(n)
  many <- length(dim(window)) == 3L
  samples <- dim(windows)[1L]
  last <- dim(windows)[2L]
  features <- dim(windows)[3L]
  step <- ahead(windows)
  target <- target_columns(target, ncol(step), features, feature_names(window))
  known <- known_features(known, features - length(target), samples, n, many)
  others <- setdiff(seq_len(features), target)
  forecasts <- array(0, c(samples, n, length(target)))
  for (i in seq_len(n)) {
    if (i > 1L) {
      step <- ahead(windows)
    }
    forecasts[, i, ] <- step
    windows[, seq_len(last - 1L), ] <- windows[, -1L, ]
    windows[, last, target] <- step
    if (!is.null(known)) {
      windows[, last, others] <- known[, i, ]
    }
  }
  if (!is.null(names(target))) {
    dimnames(forecasts) <- list(NULL, NULL, names(target))
  }
  kept <- c(many, TRUE, length(target) > 1L)
  if (sum(kept) == 1L) as.vector(forecasts) else array(forecasts, dim(forecasts)[kept], dimnames(forecasts)[kept])
}

feature_names <- function(window) {
  if (is.data.frame(window)) names(window) else dimnames(window)[[length(dim(window))]]
}

# A function from windows to a matrix with a row of forecasts for each.
one_step_ahead <- function(model, call = rlang::caller_env()) {
  if (is.function(model) && !is_layer(model)) {
    ahead <- model
  } else {
    check_model(model, "model", call)
    ahead <- function(windows) stats::predict(model, windows, batch_size = 1024)
  }
  function(windows) {
    step <- ahead(windows)
    samples <- dim(windows)[1L]
    if (!is.numeric(step) || length(step) == 0L || length(step) %% samples != 0) {
      abort_argument("model", sprintf("such that it gives numbers for each of the %d windows", samples),
                     sprintf("one that gave %s", describe(step)), kind = "shape", call = call)
    }
    matrix(step, samples)
  }
}

# samples x steps x features, without NA.
as_windows <- function(window, call = rlang::caller_env()) {
  x <- input_series(window, "window", call)
  if (length(dim(x)) > 3L || length(x) == 0L) {
    abort_argument("window", "a vector, a matrix steps x features, or an array samples x steps x features",
                   describe(window), kind = "shape", call = call)
  }
  check_series_finite(x, seq_len(sample_count(x)), "window", call)
  shape <- if (is.null(dim(x))) c(1, length(x), 1) else if (length(dim(x)) == 2L) c(1, dim(x)) else dim(x)
  array(as.double(x), shape)
}

# The columns that the outputs stand for, with the names of those columns.
target_columns <- function(target, outputs, features, names, call = rlang::caller_env()) {
  if (outputs > features) {
    abort_argument("model", sprintf("such that it gives the next step of %d feature%s", features, if (features == 1) "" else "s"),
                   sprintf("one with %d outputs", outputs), kind = "shape",
                   hint = c(i = "A model of several steps at once forecasts with predict()."), call = call)
  }
  columns <- if (is.character(target)) match(target, names) else target
  if (is.null(columns)) {
    columns <- seq_len(outputs)
  }
  fits <- is.numeric(columns) && length(columns) == outputs && !anyDuplicated(columns) && all(columns %in% seq_len(features))
  if (!fits) {
    abort_argument("target", sprintf("%d of the %d columns of the window, one for each output", outputs, features),
                   if (is.character(target)) paste0("\"", target, "\"", collapse = ", ") else describe(target), call = call)
  }
  stats::setNames(columns, names[columns])
}

# samples x n x others; one window's values serve for one window only.
known_features <- function(known, others, samples, n, many, call = rlang::caller_env()) {
  if (is.null(known)) {
    return(NULL)
  }
  x <- input_series(known, "known", call)
  wanted <- c(if (many) samples, n, others)
  found <- if (is.null(dim(x))) c(length(x), 1) else dim(x)
  if (!identical(as.double(found), as.double(wanted))) {
    abort_argument("known", sprintf("of shape (%s), %sn x features not forecast", paste(wanted, collapse = ", "), if (many) "windows x " else ""),
                   describe(known), kind = "shape", call = call)
  }
  check_series_finite(x, seq_len(sample_count(x)), "known", call)
  array(x, c(samples, n, others))
}

#' Back to the units before scale()
#'
#' The inverse of [scale()]: `x * scale + center`, with the numbers that `scale()` left as
#' attributes. Forecasts of a network trained on a scaled series come back in the series' units.
#'
#' @param x Numbers: any array when `columns` is one column, else one whose last dimension are the
#'   columns.
#' @param scaled What [scale()] returned.
#' @param columns Which of its columns `x` is of: numbers or names; `NULL`: all.
#' @return `x` in the units before.
#' @section Errors:
#' `lamina_error_argument` when `scaled` is not scaled or has no such columns, `lamina_error_shape`
#' when `x` does not fit.
#' @family time series
#' @examples
#' scaled <- scale(airquality[c("Wind", "Temp")])
#' unscale(scaled[1:3, ], scaled)
#' unscale(c(-1, 0, 1), scaled, "Temp")
#' @export
unscale <- function(x, scaled, columns = NULL) {
  if (!is.numeric(x)) {
    abort_argument("x", "numbers", describe(x), kind = "data")
  }
  center <- attr(scaled, "scaled:center")
  scale <- attr(scaled, "scaled:scale")
  if (is.null(center) && is.null(scale)) {
    abort_argument("scaled", "what scale() returned", describe(scaled))
  }
  columns <- scaled_columns(columns, scaled)
  k <- length(columns)
  if (k > 1L && (is.null(dim(x)) || dim(x)[length(dim(x))] != k)) {
    abort_argument("x", sprintf("an array whose last dimension are %d columns", k), describe(x), kind = "shape",
                   hint = c(i = "`columns` tells which columns `x` is of."))
  }
  each <- function(values) rep(values[columns], each = length(x) / k)
  if (!is.null(scale)) x[] <- x * each(scale)
  if (!is.null(center)) x[] <- x + each(center)
  attr(x, "scaled:center") <- NULL
  attr(x, "scaled:scale") <- NULL
  x
}

scaled_columns <- function(columns, scaled, call = rlang::caller_env()) {
  found <- if (is.character(columns)) match(columns, colnames(scaled)) else columns
  if (is.null(found)) {
    found <- seq_len(ncol(scaled))
  }
  if (!is.numeric(found) || length(found) == 0L || !all(found %in% seq_len(ncol(scaled)))) {
    abort_argument("columns", sprintf("some of the %d columns of `scaled`", ncol(scaled)),
                   if (is.character(columns)) paste0("\"", columns, "\"", collapse = ", ") else describe(columns), call = call)
  }
  found
}
