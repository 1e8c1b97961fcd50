# What scripts do to the arrays that predict() gives.  Keras has such functions for its tensors; under
# their names, those that follow a prediction in most scripts work on R's arrays here.

#' Which entry of a row is the largest
#'
#' From probabilities to classes, as scripts have it: `predict(model, x) |> op_argmax(-1)`. `op_argmax()`
#' is keras3's and counts from 1; `k_argmax()` is the one of older scripts and counts from 0, as the labels do
#' that Keras is trained with.
#'
#' @param x A numeric array, as of [predict()][predict.lamina_model].
#' @param axis Dimension along which the largest entry is looked for, from 1; `-1` the last. `NULL`: in the
#'   whole array, whose entries are then numbered row by row, as Keras numbers them.
#' @param keepdims `TRUE` keeps the dimension, with a size of 1.
#' @param zero_indexed Count from 0.
#' @return Integers: the position of the largest entry, the first of equal ones. A vector for a matrix, an array
#'   of the remaining dimensions for one of more dimensions.
#' @section Errors:
#' `lamina_error_data` for what is no array of numbers, or has none or missing ones to compare.
#' @family data
#' @seealso [confusion()], which takes probabilities as they are.
#' @examples
#' probabilities <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6))
#' op_argmax(probabilities, axis = -1)
#' op_argmax(probabilities, axis = -1, zero_indexed = TRUE)
#' k_argmax(probabilities)
#' @export
op_argmax <- function(x, axis = NULL, keepdims = FALSE, zero_indexed = FALSE) {
  keepdims <- check_flag(keepdims)
  zero_indexed <- check_flag(zero_indexed)
  at <- array_argmax(x, axis, keepdims)
  if (zero_indexed) at - 1L else at
}

#' @rdname op_argmax
#' @export
k_argmax <- function(x, axis = -1) array_argmax(x, axis) - 1L

array_argmax <- function(x, axis, keepdims = FALSE, call = rlang::caller_env()) {
  if (!(is.numeric(x) || is.logical(x)) || anyNA(x)) {
    abort_argument("x", "an array of numbers, none of them missing", describe(x), kind = "data", call = call)
  }
  dims <- if (is.null(dim(x))) length(x) else dim(x)
  whole <- is.null(axis)
  if (!whole) {
    axis <- check_dimension(axis, length(dims), call = call)
  }
  if (any((if (whole) dims else dims[axis]) == 0L)) {
    abort_argument("x", "an array with numbers to compare", describe(x), kind = "data", call = call)
  }
  x <- array(as.double(x), dims)
  if (whole) {
    at <- which.max(if (length(dims) > 1L) aperm(x) else x)
    return(if (keepdims) array(at, rep(1L, length(dims))) else at)
  }
  others <- seq_along(dims)[-axis]
  at <- max.col(matrix(aperm(x, c(others, axis)), ncol = dims[axis]), "first")
  if (keepdims) {
    array(at, replace(dims, axis, 1L))
  } else if (length(others) > 1L) {
    array(at, dims[others])
  } else {
    at
  }
}

# A dimension as keras3 counts it, from 1 or with -1 for the last; as a number from 1.
check_dimension <- function(axis, rank, arg = "axis", call = rlang::caller_env()) {
  axis <- check_count(axis, min = -rank, max = rank, arg = arg, call = call)
  if (axis == 0) {
    abort_argument(arg, "a dimension counted from 1, or from the end by -1", "0", call = call)
  }
  if (axis < 0) rank + 1 + axis else axis
}

CAST_TYPES <- c(
  bool = "logical", int8 = "integer", int16 = "integer", int32 = "integer", int64 = "integer",
  uint8 = "integer", uint16 = "integer", uint32 = "integer", uint64 = "integer",
  float16 = "double", float32 = "double", float64 = "double"
)

#' Numbers of another type
#'
#' What `as.integer()`, `as.double()` and `as.logical()` do, by Keras' names of types and with the shape kept:
#' scripts turn `p > 0.5` into classes of 0 and 1 with it. `k_cast()` is the name in older scripts.
#'
#' R has one type of whole numbers and one of others, so the sizes that the names tell have no effect: nothing is
#' rounded to fewer digits, nothing is wrapped around.
#'
#' @param x A numeric or logical array.
#' @param dtype `"bool"`, `"int32"`, `"float32"` or another of Keras' types of numbers.
#' @return An array like `x`. Integers are cut off towards 0.
#' @section Errors:
#' `lamina_error_data` for what is no array of numbers, or beyond R's integers.
#' @family data
#' @examples
#' p <- matrix(c(0.2, 0.8, 0.6))
#' (p > 0.5) |> op_cast("int32")
#' @export
op_cast <- function(x, dtype) cast_array(x, dtype)

#' @rdname op_cast
#' @export
k_cast <- function(x, dtype) cast_array(x, dtype)

cast_array <- function(x, dtype, call = rlang::caller_env()) {
  if (missing(dtype)) {
    abort_missing("dtype", call)
  }
  type <- CAST_TYPES[[check_choice(dtype, names(CAST_TYPES), "dtype", call)]]
  if (!is.numeric(x) && !is.logical(x)) {
    abort_argument("x", "an array of numbers", describe(x), kind = "data", call = call)
  }
  if (type == "integer" && any(abs(x) > .Machine$integer.max, na.rm = TRUE)) {
    abort_argument("x", sprintf("numbers up to %d, the largest of R's integers", .Machine$integer.max), "larger ones",
                   kind = "data", call = call)
  }
  storage.mode(x) <- type
  x
}
