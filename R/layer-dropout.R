#' Dropout
#'
#' In training, `layer_dropout()` sets each input to 0 with probability `rate` and divides the
#' others by `1 - rate`, so that the expected value stays; in `predict()` and `evaluate()` it does
#' nothing (Srivastava and others, "Dropout: a simple way to prevent neural networks from
#' overfitting", 2014).
#'
#' `layer_alpha_dropout()` is for networks of `selu` units. It sets dropped inputs to
#' `a' = -1.7581` and returns `a * x + b` with `a = ((1 - rate) * (1 + rate * a'^2))^-0.5` and
#' `b = -a * a' * rate`, which keeps mean 0 and variance 1 (Klambauer and others,
#' "Self-normalizing neural networks", 2017).
#'
#' What is dropped depends on R's random numbers (`set.seed()`), not on the number of threads.
#'
#' @inheritParams layer_dense
#' @param rate Fraction of the inputs to drop, from 0 to 1; below 1 for `layer_alpha_dropout()`.
#' @param noise_shape Shape of the mask of what is dropped, the samples first: each entry is that of
#'   the input, or `NULL` or `NA` for the same, or 1, where one decision serves all along that
#'   dimension. `list(NULL, 1, 8)` drops the same of 8 features at all time steps. `NULL`: every
#'   number for itself.
#' @param seed A seed for this layer alone; `NULL`: the model's.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family regularization layers
#' @examples
#' keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 16, activation = "relu") |>
#'   layer_dropout(rate = 0.5) |>
#'   layer_dense(units = 1)
#' @export
layer_dropout <- function(object, rate, noise_shape = NULL, seed = NULL, ...) {
  config <- list(
    rate = check_number(rate, min = 0, max = 1),
    noise_shape = check_noise_shape(noise_shape),
    seed = check_seed(seed)
  )
  create_layer(object, "dropout", config, ..., class = "Dropout")
}

#' @rdname layer_dropout
#' @export
layer_alpha_dropout <- function(object, rate, noise_shape = NULL, seed = NULL, ...) {
  config <- list(
    rate = check_number(rate, min = 0, max = 1 - 2^-24),
    noise_shape = check_noise_shape(noise_shape),
    seed = check_seed(seed)
  )
  create_layer(object, "alpha_dropout", config, ..., class = "AlphaDropout")
}

check_noise_shape <- function(noise_shape, call = rlang::caller_env()) {
  if (is.null(noise_shape)) {
    return(NULL)
  }
  check_whole_numbers(noise_shape, "the shape of a mask, the samples first", allow_na = TRUE,
                      arg = "noise_shape", call = call)
}

#' Gaussian noise
#'
#' In training, adds normally distributed random numbers with mean 0 and standard deviation
#' `stddev` to the input; in `predict()` and `evaluate()` it does nothing. Noise on the input is
#' what makes an autoencoder a denoising one.
#'
#' @inheritParams layer_dropout
#' @param stddev Standard deviation, at least 0.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family regularization layers
#' @examples
#' layer_gaussian_noise(stddev = 0.1, input_shape = 4)
#' @export
layer_gaussian_noise <- function(object, stddev, seed = NULL, ...) {
  config <- list(stddev = check_number(stddev, min = 0), seed = check_seed(seed))
  create_layer(object, "gaussian_noise", config, ..., class = "GaussianNoise")
}

#' Penalty on activity
#'
#' Hands its input on and adds `(l1 * sum(abs(x)) + l2 * sum(x^2)) / batch_size` to the loss, the
#' same as `activity_regularizer = regularizer_l1_l2(l1, l2)` in the layer before.
#'
#' @inheritParams layer_dense
#' @param l1,l2 The factors, at least 0.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family regularization layers
#' @examples
#' keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 16, activation = "relu") |>
#'   layer_activity_regularization(l1 = 0.001)
#' @export
layer_activity_regularization <- function(object, l1 = 0, l2 = 0, ...) {
  penalty <- list(l1 = check_number(l1, min = 0), l2 = check_number(l2, min = 0))
  config <- list(activity_regularizer = list(type = "l1_l2", config = penalty))
  create_layer(object, "activity_regularization", config, ..., class = "ActivityRegularization")
}
