# Constraints: functions of an array.  The formulas are in src/nn/constraint.c.

new_constraint <- function(type, config = list()) {
  spec <- list(type = type, config = config)
  new_callable_spec("constraint", type, config, function(x) {
    .Call(ffi_constraint, spec, check_weight(x))
  })
}

check_axes <- function(axis, call = rlang::caller_env()) {
  axes <- if (is.list(axis)) unlist(axis) else axis
  ok <- is.numeric(axes) && length(axes) > 0L && all(is.finite(axes)) &&
    all(axes == floor(axes)) && all(axes != 0) && all(abs(axes) <= 5)
  if (!ok) {
    abort_argument("axis", "numbers of dimensions, from 1 (or from -1, the last)", describe(axis), call = call)
  }
  as.double(axes)
}

#' Constraints on weights
#'
#' Applied to a weight after each step of the optimizer. With `norm` the Euclidean norm over the
#' dimensions in `axis`, one for each index of the others:
#' * `constraint_nonneg()`: negative numbers become 0;
#' * `constraint_unitnorm()`: `w / (1e-7 + norm)`;
#' * `constraint_maxnorm()`: `w * min(norm, max_value) / (1e-7 + norm)` (Srebro, Rennie and Jaakkola
#'   2005);
#' * `constraint_minmaxnorm()`: `w * (rate * clip(norm, min_value, max_value) + (1 - rate) * norm) /
#'   (1e-7 + norm)`.
#'
#' A dense kernel has the shape (inputs, units), so that `axis = 1` binds the weights that lead into
#' each unit. For a kernel of a two-dimensional convolution, (height, width, channels, filters), that
#' is `axis = c(1, 2, 3)`.
#'
#' @param max_value,min_value Bounds of the norm, at least 0.
#' @param rate How much of the way to the bounds is gone at each step, from 0 to 1.
#' @param axis Dimensions over which the norm is taken, counted from 1; negative numbers count from
#'   the last.
#' @return An object for a layer's `*_constraint` arguments, which is also a function: called with an
#'   array it gives the array that obeys.
#' @section Errors:
#' `lamina_error_argument` for an argument out of its range, `lamina_error_shape` for an array that
#' lacks the dimension.
#' @references N. Srebro, J. Rennie and T. Jaakkola, Maximum-margin matrix factorization, NIPS 2005.
#' @family constraints
#' @examples
#' w <- matrix(c(3, 4, 0.3, 0.4), 2)
#' constraint_maxnorm(max_value = 2)(w) # norms 5 and 0.5 become 2 and 0.5
#' constraint_nonneg()(c(-1, 0, 1))
#' @export
constraint_maxnorm <- function(max_value = 2L, axis = 1L) {
  new_constraint("maxnorm", list(max_value = check_number(max_value, 0), axis = check_axes(axis)))
}

#' @rdname constraint_maxnorm
#' @export
constraint_nonneg <- function() {
  new_constraint("nonneg")
}

#' @rdname constraint_maxnorm
#' @export
constraint_unitnorm <- function(axis = 1L) {
  new_constraint("unitnorm", list(axis = check_axes(axis)))
}

#' @rdname constraint_maxnorm
#' @export
constraint_minmaxnorm <- function(min_value = 0, max_value = 1, rate = 1, axis = 1L) {
  min_value <- check_number(min_value, 0)
  new_constraint("minmaxnorm", list(
    min_value = min_value, max_value = check_number(max_value, min_value),
    rate = check_number(rate, 0, 1), axis = check_axes(axis)
  ))
}
