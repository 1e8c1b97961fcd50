#' Sequences of the same length
#'
#' Makes a matrix of sequences of different lengths: short ones are filled up with `value`, long ones
#' cut, both in front unless told otherwise.
#'
#' @param sequences A list of numeric vectors, one for each sample, or a matrix with a row a sample.
#' @param maxlen Length to make; `NULL`: that of the longest.
#' @param dtype `"int32"` for an integer matrix, `"float32"` or `"float64"` for numbers.
#' @param padding,truncating Where to fill up and where to cut: `"pre"`, in front, or `"post"`, at the
#'   end.
#' @param value What to fill up with.
#' @return A matrix of samples x `maxlen`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_data` for sequences that are not numbers, that
#' have gaps, or, with `"int32"`, that are not whole.
#' @family text
#' @examples
#' pad_sequences(list(1, 2:3, 4:6))
#' pad_sequences(list(1, 2:3, 4:6), maxlen = 2, padding = "post")
#' @export
pad_sequences <- function(sequences, maxlen = NULL, dtype = "int32", padding = "pre",
                          truncating = "pre", value = 0) {
  maxlen <- check_count(maxlen, allow_null = TRUE)
  whole <- check_choice(dtype, c("int32", "int64", "float32", "float64")) %in% c("int32", "int64")
  check_choice(padding, c("pre", "post"))
  check_choice(truncating, c("pre", "post"))
  value <- check_number(value, allow_infinite = TRUE)
  if (is.matrix(sequences)) {
    sequences <- asplit(sequences, 1L)
  }
  check_sequences(sequences)
  numbers <- as.double(unlist(sequences, use.names = FALSE))
  check_sequence_numbers(c(numbers, value), whole)
  long <- lengths(sequences, use.names = FALSE)
  if (is.null(maxlen)) {
    maxlen <- max(long, 0L)
  }
  kept <- pmin(long, maxlen)
  skipped <- if (truncating == "pre") long - kept else 0L
  from <- sequence(kept, cumsum(c(0L, long))[seq_along(long)] + skipped + 1L)
  column <- sequence(kept, if (padding == "pre") maxlen - kept + 1L else rep(1L, length(kept)))
  out <- matrix(value, length(sequences), maxlen)
  out[rep(seq_along(kept), kept) + (column - 1) * length(kept)] <- numbers[from]
  if (whole) storage.mode(out) <- "integer"
  out
}

check_sequences <- function(x, arg = "sequences", call = rlang::caller_env()) {
  what <- "a list of numeric vectors, or a matrix"
  if (!is.list(x) || is.data.frame(x)) {
    abort_argument(arg, what, describe(x), kind = "data", call = call)
  }
  bad <- which(!vapply(x, function(s) is.numeric(s) || is.logical(s) || is.null(s) || length(s) == 0L, NA))
  if (length(bad)) {
    abort_argument(arg, what, sprintf("one with %s in place %d", describe(x[[bad[1L]]]), bad[1L]), kind = "data", call = call)
  }
}

check_sequence_numbers <- function(numbers, whole, call = rlang::caller_env()) {
  if (anyNA(numbers)) {
    abort_argument("sequences", "without NA", sprintf("with %d of them", sum(is.na(numbers))), kind = "data", call = call)
  }
  if (whole && any(numbers != floor(numbers) | abs(numbers) > .Machine$integer.max)) {
    abort_argument("sequences", "whole numbers for `dtype` \"int32\"", "others", kind = "data",
                   hint = c(i = "dtype = \"float32\" keeps fractions."), call = call)
  }
}
