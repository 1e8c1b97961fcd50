#' Dropout
#'
#' A remedy for overfitting. In training, `layer_dropout()` sets each of its inputs to 0 with probability
#' `rate` and divides the others by `1 - rate`, so that the expected value stays. Which ones is drawn
#' anew for every sample at every step, so that no unit can rely on another one. In `predict()` and
#' `evaluate()` the layer does nothing (Srivastava and others, "Dropout: a simple way to prevent neural
#' networks from overfitting", 2014).
#'
#' It usually stands behind a hidden layer. Since only training drops anything, the loss on the training
#' data may be higher than that on the validation data.
#'
#' `layer_alpha_dropout()` is for networks of `selu` units. It sets dropped inputs to
#' `a' = -1.7581` and returns `a * x + b` with `a = ((1 - rate) * (1 + rate * a'^2))^-0.5` and
#' `b = -a * a' * rate`, which keeps mean 0 and variance 1 (Klambauer and others,
#' "Self-normalizing neural networks", 2017).
#'
#' What is dropped depends on R's random numbers (`set.seed()`), not on the number of threads.
#'
#' @inheritParams layer_dense
#' @param rate Probability that an input is dropped, from 0 to 1; below 1 for `layer_alpha_dropout()`.
#'   0.2 to 0.5 is usual.
#' @param noise_shape Which inputs are dropped together. `NULL`: each is dropped or kept by itself.
#'   Else a list with an entry for the samples and one for each dimension of a sample: 1 where one decision
#'   serves all along that dimension, otherwise the size of the input, or `NULL` or `NA` for the same. For
#'   samples of (steps, 8), `list(NULL, 1, 8)` drops the same of the 8 features at all steps.
#' @param seed A whole number of at least 0, a seed for this layer alone; `NULL`: the model's, which
#'   follows `set.seed()`.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input. There are no weights.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for a `noise_shape` that does not fit the
#' input.
#' @seealso [regularizer_l2()] and [callback_early_stopping()], other remedies;
#'   `vignette("v05-train-validation-test", package = "lamina")`.
#' @family regularization layers
#' @examples
#' keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 16, activation = "relu") |>
#'   layer_dropout(rate = 0.5) |>
#'   layer_dense(units = 1)
#'
#' # what it does to ones, in training and in use
#' set.seed(1)
#' drop <- keras_model_sequential(input_shape = 8) |> layer_dropout(rate = 0.5)
#' layer_outputs(drop, matrix(1, 2, 8), training = TRUE) # zeros and twos
#' predict(drop, matrix(1, 2, 8))                        # ones
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

#' Spatial dropout: drop whole channels
#'
#' In training, sets each channel of a sample to 0, at all its positions, with probability `rate`,
#' and divides the others by `1 - rate`; in `predict()` and `evaluate()` it does nothing. Pixels
#' beside each other, and steps of a series, are so alike that dropping single ones, as
#' [layer_dropout()] does, takes little away (Tompson and others, "Efficient object localization using
#' convolutional networks", 2015).
#'
#' `layer_spatial_dropout_1d()` is for series, (steps, channels), `layer_spatial_dropout_2d()` for
#' pictures, (height, width, channels).
#'
#' @inheritParams layer_dropout
#' @param rate Fraction of the channels to drop, from 0 to 1.
#' @param data_format `NULL` or `"channels_last"`.
#' @param name Name of the layer.
#' @param dtype `"float32"` or `NULL`.
#' @param ... Other arguments of every layer: see [layer_dense()].
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (height,
#' width, channels) or (steps, channels).
#' @family regularization layers
#' @examples
#' set.seed(1)
#' model <- keras_model_sequential(input_shape = c(2, 2, 3)) |> layer_spatial_dropout_2d(rate = 0.5)
#' layer_outputs(model, array(1, c(1, 2, 2, 3)), training = TRUE) # channels of zeros or twos
#' @export
layer_spatial_dropout_2d <- function(object, rate, data_format = NULL, seed = NULL, name = NULL,
                                     dtype = NULL, ...) {
  check_data_format(data_format)
  config <- list(rate = check_number(rate, min = 0, max = 1), seed = check_seed(seed))
  create_layer(object, "spatial_dropout_2d", config, name = name, dtype = dtype, ...,
               class = "SpatialDropout2D")
}

#' @rdname layer_spatial_dropout_2d
#' @export
layer_spatial_dropout_1d <- function(object, rate, seed = NULL, name = NULL, dtype = NULL, ...) {
  config <- list(rate = check_number(rate, min = 0, max = 1), seed = check_seed(seed))
  create_layer(object, "spatial_dropout_1d", config, name = name, dtype = dtype, ...,
               class = "SpatialDropout1D")
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
