# Series as data: windows that are cut out of a series when their batch is needed.

#' Windows of a time series
#'
#' Makes a dataset of windows sliding over a series. [fit()][fit.lamina_model], [evaluate()] and
#' `predict()` take it in place of arrays. Only the series is held in memory: the windows of a batch are
#' cut out when they are needed.
#'
#' Window i begins at step `s = start_index + 1 + (i - 1) * sequence_stride` and holds the steps
#' `s, s + sampling_rate, ..., s + (sequence_length - 1) * sampling_rate`, oldest first. Its target is
#' `targets[s]`, that of its *first* step, as in Keras. To predict the step that follows windows
#' of length L, leave out the first L targets: `targets = tail(x, -L)`. With `sampling_rate` r the step
#' that follows is `(L - 1) * r + 1` later. For H steps at once the targets are a matrix:
#' `tail(lag_matrix(x, 0:(1 - H)), -L)`, see [lag_matrix()].
#'
#' There are as many windows as lie in the series and have a target:
#' `ceiling((m - (sequence_length - 1) * sampling_rate) / sequence_stride)` of a series of `m` steps, or
#' fewer where `targets` ends before.
#'
#' @param data The series, time first: a vector, matrix or data frame of numbers with a column for each
#'   feature, a `ts` or `mts`, an array whose first dimension is time.
#' @param targets A target for each step, as said above: a vector, factor, matrix, data frame
#'   or array; `NULL`: no targets, for `predict()`.
#' @param sequence_length Steps in a window.
#' @param sequence_stride Steps from the start of a window to that of the next.
#' @param sampling_rate Steps from one value in a window to the next.
#' @param batch_size Windows a batch; the last batch may have fewer.
#' @param shuffle `TRUE`: training takes the windows in a new order each epoch. `evaluate()` and
#'   `predict()` keep the order of time.
#' @param seed A seed for the order; `NULL`: it comes from the model's seed.
#' @param start_index How many steps at the start of the series to leave out; `NULL`: none.
#' @param end_index The last step that windows may hold, counted from 1; `NULL`: that of the
#'   series. These are Keras' numbers (from 0, end excluded) as R counts: `end_index = 800` and
#'   `start_index = 800` cut a series in two parts. Targets may lie beyond `end_index`.
#' @param ... Not used: unknown arguments are refused.
#' @return A dataset: `length()` is the number of batches, `dataset[[i]]` is batch i as
#'   `list(x =, y =)`, [dataset_arrays()] gives everything at once. `x` has the shape (windows,
#'   sequence_length) for a vector and (windows, sequence_length, features) for a matrix, also of one
#'   column, and so on; `y` has a row a window. `dataset$samples` is the number of windows,
#'   `dataset$starts` the step that each begins with, from 1.
#' @section Errors:
#' `lamina_error_data` for NA, NaN and infinite numbers in the steps used (it names columns and counts);
#' `lamina_error_argument` for bad arguments and a series shorter than a window.
#' @family time series
#' @examples
#' # two steps apart, three to a window
#' windows <- timeseries_dataset_from_array(1:9, tail(1:9, -5), sequence_length = 3, sampling_rate = 2)
#' dataset_arrays(windows)
#'
#' # the next month from a year
#' x <- scale(log(AirPassengers))
#' windows <- timeseries_dataset_from_array(x, tail(x, -12), sequence_length = 12, batch_size = 32)
#' set.seed(1)
#' model <- keras_model_sequential(input_shape = c(12, 1)) |>
#'   layer_flatten() |>
#'   layer_dense(1)
#' model |> compile(optimizer = optimizer_adam(0.01), loss = "mse")
#' model |> fit(windows, epochs = 5, verbose = 0)
#' evaluate(model, windows)
#' @export
timeseries_dataset_from_array <- function(data, targets, sequence_length, sequence_stride = 1L,
                                          sampling_rate = 1L, batch_size = 128L, shuffle = FALSE,
                                          seed = NULL, start_index = NULL, end_index = NULL, ...) {
  check_no_dots(list(...))
  check_given(!missing(targets), "targets", rlang::current_env())
  series <- input_series(data, "data")
  targets <- series_targets(targets)
  steps <- check_count(sequence_length)
  stride <- check_count(sequence_stride)
  offsets <- (seq_len(steps) - 1) * check_count(sampling_rate)
  batch_size <- check_count(batch_size)
  shuffle <- check_flag(shuffle)
  seed <- check_seed(seed)
  range <- series_range(start_index, end_index, sample_count(series))
  starts <- window_starts(range, offsets[steps], stride, targets)
  check_series_finite(series, seq(starts[1L], starts[length(starts)] + offsets[steps]), "data")
  check_series_finite(targets, starts, "targets")
  new_dataset(
    length(starts), batch_size, window_reader(series, targets, starts, offsets), shuffle, seed,
    class_names = levels(targets), classes = if (is.factor(targets)) as.integer(targets)[starts] - 1L,
    starts = starts
  )
}

# ---- the series ----------------------------------------------------------------------------------

# A vector or an array of numbers, time first, without the attributes of time series.
input_series <- function(x, arg, call = rlang::caller_env()) {
  check_given(!missing(x), arg, call)
  x <- input_array(x, arg, call)
  if (inherits(x, "lamina_sparse")) {
    abort_argument(arg, "a vector, matrix or array", "a sparse matrix", kind = "data", call = call)
  }
  if (length(dim(x)) < 2L) as.vector(x) else array(x, dim(x), dimnames(x))
}

# NULL, a factor, or numbers, time first.
series_targets <- function(targets, call = rlang::caller_env()) {
  if (is.data.frame(targets) && ncol(targets) == 1L) {
    targets <- targets[[1L]]
  }
  if (is.null(targets) || is.factor(targets)) targets else input_series(targets, "targets", call)
}

# NA, NaN and infinite numbers in these steps: in which columns, and how many.
check_series_finite <- function(x, steps, arg, call = rlang::caller_env()) {
  if (is.null(x)) {
    return(invisible())
  }
  used <- matrix(x, nrow = sample_count(x))[steps, , drop = FALSE]
  bad <- colSums(if (is.factor(x)) is.na(used) else !is.finite(used))
  if (sum(bad) == 0) {
    return(invisible())
  }
  named <- length(dim(x)) == 2L && !is.null(colnames(x))
  columns <- (if (named) colnames(x) else seq_along(bad))[bad > 0]
  where <- if (length(bad) == 1L) "" else paste0(if (named) " in " else " in column ", columns)
  counts <- paste0(sprintf("%d of %d", bad[bad > 0], length(steps)), where)
  shown <- paste(c(utils::head(counts, 5L), if (length(counts) > 5L) "..."), collapse = ", ")
  abort_lamina(
    c(sprintf("`%s` must have no NA, NaN or infinite numbers, but has %s.", arg, shown),
      i = "A series has no rows to drop: fill its gaps, for example with approx(), or take a part without gaps."),
    "data", arg = arg, expected = "finite numbers", actual = shown, columns = columns, counts = bad[bad > 0], call = call
  )
}

# ---- the windows ---------------------------------------------------------------------------------

# c(first, last) step that windows may hold.
series_range <- function(start_index, end_index, n, call = rlang::caller_env()) {
  start <- check_count(start_index, min = 0, max = n - 1, allow_null = TRUE, arg = "start_index", call = call)
  start <- if (is.null(start)) 0 else start
  end <- check_count(end_index, min = start + 1, max = n, allow_null = TRUE, arg = "end_index", call = call)
  c(start + 1, if (is.null(end)) n else end)
}

# The step that each window begins with: its last, `reach` later, is in the range, and it has a target.
window_starts <- function(range, reach, stride, targets, call = rlang::caller_env()) {
  if (range[2L] - reach < range[1L]) {
    abort_argument("sequence_length", sprintf("such that a window fits into the series of %g steps", range[2L] - range[1L] + 1),
                   sprintf("one whose window spans %g steps", reach + 1), call = call)
  }
  last <- min(range[2L] - reach, if (!is.null(targets)) sample_count(targets))
  if (last < range[1L]) {
    abort_argument("targets", sprintf("as long as `data`, so that step %g has one", range[1L]),
                   sprintf("%d", sample_count(targets)), kind = "data", call = call)
  }
  seq(range[1L], last, by = stride)
}

# read() of the dataset.
window_reader <- function(series, targets, starts, offsets) {
  features <- dim(series)[-1L]
  dimnames(series) <- NULL
  if (!is.null(features)) {
    dim(series) <- c(dim(series)[1L], prod(features))
  }
  function(rows) {
    steps <- outer(starts[rows], offsets, "+")
    x <- if (is.null(features)) series[steps] else series[steps, ]
    dim(x) <- c(length(rows), length(offsets), features)
    batch <- list(x = x)
    if (!is.null(targets)) {
      batch$y <- if (is.null(dim(targets))) targets[starts[rows]] else array_rows(targets, starts[rows])
    }
    batch
  }
}

#' All of a dataset as arrays
#'
#' What a dataset gives batch by batch, at once and in its own order: to look at it, for
#' [fit()][fit.lamina_model] with `validation_split`, for other packages.
#'
#' @param dataset A dataset, as of [timeseries_dataset_from_array()], [image_dataset_from_directory()] or
#'   [dataset_from_files()].
#' @return `list(x =, y =)`, samples first; without `y` when there are no targets.
#' @family data
#' @family time series
#' @examples
#' windows <- timeseries_dataset_from_array(sunspot.year, tail(sunspot.year, -9), sequence_length = 9)
#' arrays <- dataset_arrays(windows)
#' dim(arrays$x)
#' @export
dataset_arrays <- function(dataset) {
  if (!is_dataset(dataset)) {
    abort_argument("dataset", "a dataset", describe(dataset))
  }
  arrays <- dataset$read(seq_len(dataset$samples))
  stats::setNames(arrays, c("x", "y", "sample_weight")[seq_along(arrays)])
}
