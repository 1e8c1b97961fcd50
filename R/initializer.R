# Initializers: functions of a shape.  The formulas are in src/nn/initializer.c.

new_initializer <- function(type, config = list()) {
  spec <- list(type = type, config = config)
  new_callable_spec("initializer", type, config, function(shape, dtype = NULL) {
    initial_values(spec, shape)
  })
}

# Where the initializer has no seed of its own one is drawn from R's generator, if it draws at all.
initial_values <- function(spec, shape, call = rlang::caller_env()) {
  shape <- check_shape(shape, min_rank = 1L, max_rank = 5L, arg = "shape", call = call)
  draws <- !spec$type %in% c("zeros", "ones", "constant", "identity")
  seed <- if (draws && is.null(spec$config$seed)) draw_seed() else 0
  .Call(ffi_initializer, spec, shape, seed)
}

#' Initializers with fixed values
#'
#' * `initializer_zeros()`, `initializer_ones()`: all 0, all 1;
#' * `initializer_constant()`: all `value`;
#' * `initializer_identity()`: `gain` where row and column number are the same, else 0; for weights
#'   of two dimensions.
#'
#' @param value A number.
#' @param gain A number.
#' @return An object for a layer's `*_initializer` arguments, which is also a function: called with a
#'   shape (whole numbers) it gives an array of that shape.
#' @section Errors:
#' `lamina_error_argument` for an argument out of its range, `lamina_error_shape` for a shape that
#' the initializer cannot fill.
#' @family initializers
#' @examples
#' initializer_constant(0.5)(c(2, 3))
#' initializer_identity()(c(3, 3))
#' @export
initializer_zeros <- function() {
  new_initializer("zeros")
}

#' @rdname initializer_zeros
#' @export
initializer_ones <- function() {
  new_initializer("ones")
}

#' @rdname initializer_zeros
#' @export
initializer_constant <- function(value = 0) {
  new_initializer("constant", list(value = check_number(value)))
}

#' @rdname initializer_zeros
#' @export
initializer_identity <- function(gain = 1) {
  new_initializer("identity", list(gain = check_number(gain)))
}

#' Initializers that draw from one distribution
#'
#' * `initializer_random_normal()`: normal with `mean` and `stddev`;
#' * `initializer_truncated_normal()`: the same, but values further than two `stddev` from the mean do
#'   not occur, so that their standard deviation is 0.88 `stddev`;
#' * `initializer_random_uniform()`: uniform from `minval` to `maxval`.
#'
#' @param mean,stddev Mean and standard deviation of the normal distribution; `stddev` at least 0.
#' @param minval,maxval Ends of the uniform distribution; `maxval` at least `minval`.
#' @param seed A whole number: the initializer then gives the same values every time. `NULL`: in a
#'   layer they come from the model's own random numbers, in a call of the function from R's; both
#'   follow [set.seed()].
#' @inherit initializer_zeros return
#' @inheritSection initializer_zeros Errors
#' @family initializers
#' @examples
#' initializer_random_normal(stddev = 0.1)(c(2, 3))
#' initializer_random_uniform(-1, 1, seed = 1)(c(2, 3))
#' @export
initializer_random_normal <- function(mean = 0, stddev = 0.05, seed = NULL) {
  new_initializer("random_normal", list(
    mean = check_number(mean), stddev = check_number(stddev, 0), seed = check_seed(seed)
  ))
}

#' @rdname initializer_random_normal
#' @export
initializer_truncated_normal <- function(mean = 0, stddev = 0.05, seed = NULL) {
  new_initializer("truncated_normal", list(
    mean = check_number(mean), stddev = check_number(stddev, 0), seed = check_seed(seed)
  ))
}

#' @rdname initializer_random_normal
#' @export
initializer_random_uniform <- function(minval = -0.05, maxval = 0.05, seed = NULL) {
  minval <- check_number(minval)
  new_initializer("random_uniform", list(
    minval = minval, maxval = check_number(maxval, minval), seed = check_seed(seed)
  ))
}

#' Initializers that keep the variance from layer to layer
#'
#' They draw with mean 0 and a variance that depends on the fans: how many numbers go into one output
#' (fan in) and come from one input (fan out). For a weight of shape (..., a, b) these are a and b, each
#' times the product of the other dimensions; for one dimension both are its length.
#'
#' | | variance | source |
#' |---|---|---|
#' | `initializer_glorot_*()` | 2 / (fan in + fan out) | Glorot and Bengio 2010 |
#' | `initializer_he_*()` | 2 / fan in | He and others 2015 |
#' | `initializer_lecun_*()` | 1 / fan in | LeCun and others 1998 |
#' | `initializer_variance_scaling()` | `scale` / fan | |
#'
#' The `*_uniform()` draw between plus and minus the root of three times the variance; the
#' `*_normal()` draw from a normal distribution that is cut at two standard deviations, widened so
#' that the variance is as stated.
#'
#' @param scale The numerator of the variance, above 0.
#' @param mode Which fan: `"fan_in"`, `"fan_out"` or their mean, `"fan_avg"`.
#' @param distribution `"truncated_normal"`, `"untruncated_normal"` or `"uniform"`.
#' @inheritParams initializer_random_normal
#' @inherit initializer_zeros return
#' @inheritSection initializer_zeros Errors
#' @references
#' X. Glorot and Y. Bengio, Understanding the difficulty of training deep feedforward neural
#' networks, AISTATS 2010.
#' K. He, X. Zhang, S. Ren and J. Sun, Delving deep into rectifiers, ICCV 2015.
#' Y. LeCun, L. Bottou, G. Orr and K.-R. Mueller, Efficient backprop, 1998.
#' @family initializers
#' @examples
#' w <- initializer_glorot_uniform(seed = 1)(c(100, 50))
#' range(w) # up to sqrt(6 / 150)
#' initializer_variance_scaling(scale = 2, mode = "fan_avg", distribution = "uniform")
#' @export
initializer_variance_scaling <- function(scale = 1, mode = "fan_in",
                                         distribution = "truncated_normal", seed = NULL) {
  new_initializer("variance_scaling", list(
    scale = check_positive(scale),
    mode = check_choice(mode, c("fan_in", "fan_out", "fan_avg")),
    distribution = check_choice(distribution, c("truncated_normal", "untruncated_normal", "uniform", "normal")),
    seed = check_seed(seed)
  ))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_glorot_normal <- function(seed = NULL) {
  new_initializer("glorot_normal", list(seed = check_seed(seed)))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_glorot_uniform <- function(seed = NULL) {
  new_initializer("glorot_uniform", list(seed = check_seed(seed)))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_he_normal <- function(seed = NULL) {
  new_initializer("he_normal", list(seed = check_seed(seed)))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_he_uniform <- function(seed = NULL) {
  new_initializer("he_uniform", list(seed = check_seed(seed)))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_lecun_normal <- function(seed = NULL) {
  new_initializer("lecun_normal", list(seed = check_seed(seed)))
}

#' @rdname initializer_variance_scaling
#' @export
initializer_lecun_uniform <- function(seed = NULL) {
  new_initializer("lecun_uniform", list(seed = check_seed(seed)))
}

#' Orthogonal initializer
#'
#' Fills a weight with a random orthogonal matrix times `gain` (Saxe, McClelland and Ganguli 2014):
#' the Q of the QR decomposition of a matrix of standard normal numbers, with the signs that make the
#' diagonal of R positive. A weight of more than two dimensions is taken as a matrix whose columns are
#' its last dimension. The columns are orthonormal where there are at least as many rows, else the
#' rows are.
#'
#' @param gain A number.
#' @inheritParams initializer_random_normal
#' @inherit initializer_zeros return
#' @inheritSection initializer_zeros Errors
#' @references A. Saxe, J. McClelland and S. Ganguli, Exact solutions to the nonlinear dynamics of
#'   learning in deep linear neural networks, ICLR 2014.
#' @family initializers
#' @examples
#' q <- initializer_orthogonal(seed = 1)(c(3, 3))
#' round(crossprod(q), 6)
#' @export
initializer_orthogonal <- function(gain = 1, seed = NULL) {
  new_initializer("orthogonal", list(gain = check_number(gain), seed = check_seed(seed)))
}
