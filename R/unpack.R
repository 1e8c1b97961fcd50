#' Unpack a list into variables
#'
#' Scripts for Keras take data sets and results apart with it:
#' `c(c(x_train, y_train), c(x_test, y_test)) %<-% dataset_mnist()`,
#' `c(loss, accuracy) %<-% evaluate(model, x, y)`. Elements are taken in order; their names do not matter.
#'
#' @param x Names of variables, as `c(a, b)`; a `c()` within takes a list within apart. A dot, `c(., b)`, leaves an
#'   element out. One name alone is an assignment.
#' @param value A list, data frame or vector with as many elements.
#' @return `value`, invisibly; the variables are made where `%<-%` is called.
#' @section Errors:
#' `lamina_error_argument` when there are more or fewer names than elements, or something else than names; no
#' variable is made then.
#' @family data
#' @examples
#' c(train, test) %<-% split(1:6, c(1, 1, 2, 1, 1, 2))
#' train
#' c(c(x, y), .) %<-% list(list(1, 2), 3)
#' x + y
#' @export
`%<-%` <- function(x, value) {
  found <- unpacked(substitute(x), value)
  env <- rlang::caller_env()
  for (one in found) assign(one$name, one$value, envir = env)
  invisible(value)
}

# Names and values to assign, as a flat list of list(name, value).
unpacked <- function(target, value, call = rlang::caller_env()) {
  if (is.name(target)) {
    name <- as.character(target)
    return(if (name != ".") list(list(name = name, value = value)))
  }
  if (!is.call(target) || !identical(target[[1L]], quote(c)) || any(nzchar(rlang::names2(target)))) {
    abort_argument("x", "the name of a variable, or names in c()", sprintf("`%s`", arg_name(target)), call = call)
  }
  targets <- as.list(target)[-1L]
  if (!(is.list(value) || is.atomic(value)) || length(value) != length(targets)) {
    abort_argument("value", sprintf("a list of %d for `%s`", length(targets), arg_name(target)), describe(value),
                   call = call)
  }
  unlist(lapply(seq_along(targets), function(i) unpacked(targets[[i]], value[[i]], call)), recursive = FALSE)
}
