# Activations as R functions: of an array they give its values, without one an object to train with.
# The formulas are the core's (src/kernels/activation.c); nothing is computed twice.

# x missing: the spec.  Otherwise the values, in the shape of x.
activate <- function(x, type, config = list(), call = rlang::caller_env()) {
  spec <- new_spec("activation", type, config)
  if (missing(x)) {
    return(spec)
  }
  check_array(x, call = call)
  keep_shape(.Call(ffi_activation, list(activation = spec_of(spec, "activation")), as.vector(x)), x)
}

# The same along dimension `axis` of x (counted from 1, or from the end).
activate_along <- function(x, type, axis, call = rlang::caller_env()) {
  if (missing(x)) {
    if (!identical(as.double(axis), -1)) {
      abort_argument("axis", "-1, the last dimension", describe(axis), call = call,
                     hint = c(i = "`layer_activation_softmax(axis = )` works along another."))
    }
    return(new_spec("activation", type))
  }
  check_array(x, call = call)
  if (length(x) == 0L) {
    return(x)
  }
  dims <- if (is.null(dim(x))) length(x) else dim(x)
  rank <- length(dims)
  what <- sprintf("a dimension of `x`, from 1 to %d or from -1 to -%d", rank, rank)
  axis <- check_whole_numbers(axis, what, arg = "axis", call = call)
  if (length(axis) != 1L || axis == 0 || abs(axis) > rank) {
    abort_argument("axis", what, toString(axis), call = call)
  }
  at <- if (axis < 0) rank + 1 + axis else axis
  order <- c(setdiff(seq_len(rank), at), at)
  turned <- aperm(array(x, dim = dims), order)
  columns <- matrix(turned, ncol = dims[at])
  values <- .Call(ffi_activation, list(activation = list(type = type, config = list())), columns)
  keep_shape(aperm(array(values, dim = dims[order]), order(order)), x)
}

keep_shape <- function(values, x) {
  attributes(values) <- attributes(x)[names(attributes(x)) %in% c("dim", "dimnames", "names")]
  values
}

check_array <- function(x, call) {
  if (!(is.numeric(x) || is.logical(x)) || is.factor(x)) {
    abort_argument("x", "a numeric vector, matrix or array", describe(x), call = call)
  }
}

#' Activations of the rectifier kind
#'
#' With an array they map it, number by number; without one they give an object for the
#' `activation` argument of a layer, which is also what the function itself and its name do there:
#' `activation = "relu"`, `activation = activation_relu` and `activation = activation_relu()` are
#' the same.
#'
#' * `activation_relu()`: `max_value` where x >= `max_value`, x where x >= `threshold`,
#'   `negative_slope * (x - threshold)` below;
#' * `activation_relu6()`: min(max(x, 0), 6);
#' * `activation_leaky_relu()`: x where x > 0, else `negative_slope * x`;
#' * `activation_elu()`: x where x > 0, else `alpha * (exp(x) - 1)` (Clevert, Unterthiner and
#'   Hochreiter 2016);
#' * `activation_selu()`: 1.0507 * elu(x) with alpha = 1.6733 (Klambauer and others 2017);
#' * `activation_celu()`: x where x > 0, else `alpha * (exp(x / alpha) - 1)` (Barron 2017).
#'
#' @param x A numeric vector, matrix or array. Left out, the activation itself is returned.
#' @param negative_slope Slope below the threshold. 0.2 for `activation_leaky_relu()`, as in Keras,
#'   where [layer_activation_leaky_relu()] has 0.3.
#' @param max_value Upper limit; `NULL` for none.
#' @param threshold Where the slope changes.
#' @param alpha Minus the limit for very negative x.
#' @return Numbers in the shape of `x`, computed in single precision as in training; or an object of
#'   class `lamina_activation`.
#' @family activations
#' @examples
#' activation_relu(c(-2, -1, 0, 1, 2))
#' activation_leaky_relu(c(-2, -1, 0, 1, 2))
#' curve(activation_elu(x), -4, 4)
#' layer_dense(units = 3, activation = activation_relu(max_value = 1))
#' @name activation_relu
#' @export
activation_relu <- function(x, negative_slope = 0, max_value = NULL, threshold = 0) {
  activate(x, "relu", list(
    negative_slope = check_number(negative_slope),
    max_value = check_number(max_value, allow_null = TRUE, allow_infinite = TRUE),
    threshold = check_number(threshold)
  ))
}

#' @rdname activation_relu
#' @export
activation_relu6 <- function(x) activate(x, "relu6")

#' @rdname activation_relu
#' @export
activation_leaky_relu <- function(x, negative_slope = 0.2) {
  activate(x, "leaky_relu", list(negative_slope = check_number(negative_slope)))
}

#' @rdname activation_relu
#' @export
activation_elu <- function(x, alpha = 1) {
  activate(x, "elu", list(alpha = check_number(alpha)))
}

#' @rdname activation_relu
#' @export
activation_selu <- function(x) activate(x, "selu")

#' @rdname activation_relu
#' @export
activation_celu <- function(x, alpha = 1) {
  alpha <- check_number(alpha)
  if (alpha == 0) {
    abort_argument("alpha", "a number other than 0", "0")
  }
  activate(x, "celu", list(alpha = alpha))
}

#' Smooth activations
#'
#' With an array they map it, number by number; without one they give an object for the
#' `activation` argument of a layer. With s(x) = 1 / (1 + exp(-x)):
#'
#' * `activation_linear()`: x;
#' * `activation_tanh()`: tanh(x);
#' * `activation_sigmoid()`: s(x);
#' * `activation_hard_sigmoid()`: x / 6 + 1/2, cut off at 0 and 1;
#' * `activation_softplus()`: log(1 + exp(x));
#' * `activation_softsign()`: x / (1 + |x|);
#' * `activation_exponential()`: exp(x);
#' * `activation_log_sigmoid()`: log(s(x));
#' * `activation_silu()`, also called `activation_swish()`: x s(x);
#' * `activation_hard_silu()`, also called `activation_hard_swish()`: x hard_sigmoid(x);
#' * `activation_mish()`: x tanh(log(1 + exp(x))) (Misra 2019);
#' * `activation_gelu()`: x P(x) with the normal distribution function P, or with `approximate`
#'   x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 (Hendrycks and Gimpel 2016).
#'
#' @inheritParams activation_relu
#' @param approximate Whether to use the formula with tanh.
#' @inherit activation_relu return
#' @family activations
#' @examples
#' activation_sigmoid(c(-1, 0, 1))
#' activation_gelu(matrix(c(-1, 0, 1, 2), 2))
#' layer_dense(units = 3, activation = activation_gelu(approximate = TRUE))
#' @name activation_sigmoid
#' @export
activation_sigmoid <- function(x) activate(x, "sigmoid")

#' @rdname activation_sigmoid
#' @export
activation_linear <- function(x) activate(x, "linear")

#' @rdname activation_sigmoid
#' @export
activation_tanh <- function(x) activate(x, "tanh")

#' @rdname activation_sigmoid
#' @export
activation_hard_sigmoid <- function(x) activate(x, "hard_sigmoid")

#' @rdname activation_sigmoid
#' @export
activation_softplus <- function(x) activate(x, "softplus")

#' @rdname activation_sigmoid
#' @export
activation_softsign <- function(x) activate(x, "softsign")

#' @rdname activation_sigmoid
#' @export
activation_exponential <- function(x) activate(x, "exponential")

#' @rdname activation_sigmoid
#' @export
activation_log_sigmoid <- function(x) activate(x, "log_sigmoid")

#' @rdname activation_sigmoid
#' @export
activation_silu <- function(x) activate(x, "silu")

#' @rdname activation_sigmoid
#' @export
activation_swish <- activation_silu

#' @rdname activation_sigmoid
#' @export
activation_hard_silu <- function(x) activate(x, "hard_silu")

#' @rdname activation_sigmoid
#' @export
activation_hard_swish <- activation_hard_silu

#' @rdname activation_sigmoid
#' @export
activation_mish <- function(x) activate(x, "mish")

#' @rdname activation_sigmoid
#' @export
activation_gelu <- function(x, approximate = FALSE) {
  activate(x, "gelu", list(approximate = check_flag(approximate)))
}

#' Softmax and its logarithm
#'
#' `activation_softmax()` is exp(x) / sum(exp(x)) and `activation_log_softmax()` its logarithm,
#' x - log(sum(exp(x))), with sums along one dimension of `x`; the largest x is taken away first, so
#' that nothing overflows.
#'
#' @inheritParams activation_relu
#' @param axis The dimension of `x` along which to sum: counted from 1 (the rows of a matrix), or
#'   from the end with -1 as the last. A plain vector has one dimension. For a layer only the last
#'   is possible; [layer_activation_softmax()] works along any.
#' @inherit activation_relu return
#' @family activations
#' @examples
#' activation_softmax(c(1, 2, 3))
#' x <- matrix(c(1, 2, 3, 4), 2)
#' rowSums(activation_softmax(x))
#' colSums(activation_softmax(x, axis = 1))
#' @export
activation_softmax <- function(x, axis = -1L) activate_along(x, "softmax", axis)

#' @rdname activation_softmax
#' @export
activation_log_softmax <- function(x, axis = -1L) activate_along(x, "log_softmax", axis)
