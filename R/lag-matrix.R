# Lagged values as columns, for lm() and its like.

#' Lagged values of a series
#'
#' A column for each lag, as [stats::embed()] makes them, with names, any lags, and leads too. Row i is
#' about step `t = i + max(lags, 0)`; the column of lag k holds the value at `t - k`: lag 0 the value itself,
#' lag -1 that of the next step. Steps for which not all of these exist are left out.
#'
#' The rows are those of [timeseries_dataset_from_array()]: row i of `lag_matrix(x, L:1)` is its window
#' i of length L, oldest step first, as [layer_flatten()] lays it out, and lag 0 is the step that follows.
#' So `lm(x ~ ., as.data.frame(lag_matrix(x, 0:L)))` is a linear autoregression on the very rows that
#' a network sees.
#'
#' `lag_matrix(x, 0:(1 - H))` has in row i the H values from step i on: targets for a network that
#' forecasts H steps at once.
#'
#' @param x A series: a vector or `ts`, or a matrix, data frame or `mts` with a column for each variable.
#' @param lags Whole numbers, in the order of the columns; negative ones are leads.
#' @return A matrix with `length(lags)` columns for each variable, in the order of [stats::embed()]: all
#'   variables at the first lag, then at the second. They are called as the variable (`x` for a
#'   vector), with `_lag1` or `_lead1` after it.
#' @section Errors:
#' `lamina_error_argument` for lags that are no whole numbers, are given twice or leave no row;
#' `lamina_error_data` for a series that is not numeric. NA may stay: `lm()` leaves such rows out.
#' @family time series
#' @examples
#' lag_matrix(1:6, 0:2)
#' head(lag_matrix(EuStockMarkets, c(0, 1, 5)), 2)
#'
#' # the year's cycle by its last twelve months
#' fit <- lm(x ~ ., as.data.frame(lag_matrix(nottem, 0:12)))
#' summary(fit)$r.squared
#' @export
lag_matrix <- function(x, lags) {
  series <- input_series(x, "x")
  if (length(dim(series)) > 2L) {
    abort_argument("x", "a vector or a matrix", describe(x), kind = "shape")
  }
  lags <- check_lags(lags)
  n <- sample_count(series)
  after <- max(lags, 0)
  before <- min(lags, 0)
  if (after - before >= n) {
    abort_argument("lags", sprintf("less than %d steps apart, as many as `x` has", n), sprintf("%g apart", after - before))
  }
  names <- if (is.null(dim(series))) "x" else colnames(series)
  series <- as.matrix(series)
  if (is.null(names)) {
    names <- paste0("x", seq_len(ncol(series)))
  }
  steps <- seq(after + 1, n + before)
  columns <- lapply(lags, function(k) {
    .Call(ffi_ask)
    series[steps - k, , drop = FALSE]
  })
  matrix(unlist(columns), length(steps), dimnames = list(NULL, paste0(names, rep(lag_suffix(lags), each = length(names)))))
}

check_lags <- function(lags, call = rlang::caller_env()) {
  check_given(!missing(lags), "lags", call)
  if (!is.numeric(lags) || length(lags) == 0L || !all(is.finite(lags)) || any(lags != floor(lags)) || anyDuplicated(lags)) {
    abort_argument("lags", "different whole numbers", describe(lags), call = call)
  }
  as.double(lags)
}

lag_suffix <- function(lags) {
  ifelse(lags == 0, "", sprintf("_%s%d", ifelse(lags > 0, "lag", "lead"), as.integer(abs(lags))))
}
