# Regularizers: functions of an array.  The formula is in src/nn/regularizer.c.

new_regularizer <- function(type, config) {
  spec <- list(type = type, config = config)
  new_callable_spec("regularizer", type, config, function(x) {
    .Call(ffi_regularizer, spec, check_weight(x))
  })
}

# A numeric vector, matrix or array of finite numbers.
check_weight <- function(x, call = rlang::caller_env()) {
  if (!is.numeric(x) || !all(is.finite(x))) {
    abort_argument("x", "a numeric vector, matrix or array", describe(x), call = call)
  }
  x
}

#' Penalties on weights or activations
#'
#' The penalty is added to the loss:
#'
#' `l1 * sum(abs(w)) + l2 * sum(w^2)`
#'
#' without the 1/2 that some texts write. A layer's `kernel_regularizer`, `bias_regularizer` and the
#' like take the sum over a weight; its `activity_regularizer` over the outputs, divided by the number
#' of samples in the batch. Penalties are part of the reported loss, in training and in validation.
#'
#' @param l1 The factor of the sum of absolute values (lasso; Tibshirani 1996), at least 0.
#' @param l2 The factor of the sum of squares (ridge; Hoerl and Kennard 1970), at least 0.
#' @return An object for a layer's `*_regularizer` arguments, which is also a function: called with an
#'   array it gives the penalty.
#' @section Errors:
#' `lamina_error_argument` for an argument out of its range.
#' @family regularizers
#' @examples
#' regularizer_l2(0.01)(c(1, -2, 3)) # 0.01 * (1 + 4 + 9)
#' layer_dense(units = 8, kernel_regularizer = regularizer_l1(0.001))
#' @export
regularizer_l1 <- function(l1 = 0.01) {
  new_regularizer("l1", list(l1 = check_number(l1, 0)))
}

#' @rdname regularizer_l1
#' @export
regularizer_l2 <- function(l2 = 0.01) {
  new_regularizer("l2", list(l2 = check_number(l2, 0)))
}

#' @rdname regularizer_l1
#' @export
regularizer_l1_l2 <- function(l1 = 0, l2 = 0) {
  new_regularizer("l1_l2", list(l1 = check_number(l1, 0), l2 = check_number(l2, 0)))
}
