#' Batch normalization
#'
#' Brings each channel to mean 0 and variance 1, then lets the network learn another mean and
#' variance for it (Ioffe and Szegedy, "Batch normalization: accelerating deep network training by
#' reducing internal covariate shift", 2015):
#'
#' `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`
#'
#' A channel is a column of a matrix; behind a convolution it is what one filter gives. Each channel has its
#' own `gamma` and `beta`, which are trained.
#'
#' In training, mean and variance (the mean of the squared deviations) are those of the batch, over
#' the samples and all positions of a channel, and two moving averages follow them:
#'
#' `moving = momentum * moving + (1 - momentum) * batch`
#'
#' In `predict()` and `evaluate()` the moving averages take the place of mean and variance, so that
#' what comes out for a sample does not depend on the other samples. They start at 0 and 1: with
#' `momentum = 0.99` these still count for 37 % after 100 batches, and for 5 % after 300. So a network that was
#' trained briefly can do well in training and badly in `evaluate()`; a lower `momentum` shortens that.
#'
#' Networks with batch normalization train faster and with higher learning rates. The layer before
#' needs no bias, since the mean is taken off again (`use_bias = FALSE`); its activation comes
#' behind, as a [layer_activation()] of its own.
#'
#' Masked steps (padding, see [layer_embedding()]) are left out of the mean and the variance of a batch, where
#' the channels come last; they are normalized like the others.
#'
#' Frozen (`trainable = FALSE`), the layer uses its moving averages in training as well and leaves
#' them alone. `compute_gradients()` and `layer_outputs()` leave them alone too.
#'
#' @inheritParams layer_dense
#' @param axis The dimension of the channels, counted from 1 with the samples as the first, or from
#'   the end: -1, the last.
#' @param momentum How much of the moving averages stays at each batch, from 0 to 1.
#' @param epsilon Added to the variance, at least 0, so that a channel that is constant is not divided by 0.
#' @param center Whether there is a `beta`; `FALSE`: none is added.
#' @param scale Whether there is a `gamma`; `FALSE`: nothing is multiplied, which loses nothing where a
#'   dense layer or convolution comes next, as its weights can do the same.
#' @param beta_initializer,gamma_initializer How these weights start: a name or an `initializer_*()`
#'   object.
#' @param moving_mean_initializer,moving_variance_initializer How the moving averages start.
#' @param beta_regularizer,gamma_regularizer Penalty on the weights that is added to the loss: a
#'   `regularizer_*()` object, `"l1"`, `"l2"` or `NULL`.
#' @param beta_constraint,gamma_constraint What the weights must obey after each update: a
#'   `constraint_*()` object, its name, or `NULL`.
#' @param synchronized Not supported: must be `FALSE`.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#'
#' Weights, each one number for a channel: `gamma` and `beta`, and `moving_mean` and
#' `moving_variance`, which count as parameters but not as trainable ones.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the input lacks dimension
#' `axis`.
#' @seealso [layer_normalization()], which standardizes the inputs of a network once, before training.
#' @family normalization layers
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 16, use_bias = FALSE) |>
#'   layer_batch_normalization() |>
#'   layer_activation("relu") |>
#'   layer_dense(units = 3, activation = "softmax")
#' model # 4 * 16 parameters of batch normalization, half of them trained
#'
#' # Channels leave the layer with mean 0 and variance 1 (nearly, because of epsilon):
#' normalize <- keras_model_sequential(input_shape = 4) |> layer_batch_normalization()
#' y <- layer_outputs(normalize, as.matrix(iris[, 1:4]), training = TRUE)
#' round(colMeans(y), 3)
#' round(apply(y, 2, sd), 3)
#' @export
layer_batch_normalization <- function(object, axis = -1L, momentum = 0.99, epsilon = 0.001,
                                      center = TRUE, scale = TRUE, beta_initializer = "zeros",
                                      gamma_initializer = "ones",
                                      moving_mean_initializer = "zeros",
                                      moving_variance_initializer = "ones",
                                      beta_regularizer = NULL, gamma_regularizer = NULL,
                                      beta_constraint = NULL, gamma_constraint = NULL,
                                      synchronized = FALSE, ...) {
  check_unsupported(synchronized, FALSE)
  config <- c(
    list(axis = check_axis(axis), momentum = check_number(momentum, min = 0, max = 1),
         moving_mean_initializer = as_initializer(moving_mean_initializer),
         moving_variance_initializer = as_initializer(moving_variance_initializer)),
    scaling_config(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                   gamma_regularizer, beta_constraint, gamma_constraint)
  )
  create_layer(object, "batch_normalization", config, ..., class = "BatchNormalization")
}

# gamma, beta and epsilon, in the core's form.
scaling_config <- function(epsilon, center, scale, beta_initializer, gamma_initializer,
                           beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint,
                           call = rlang::caller_env()) {
  list(
    epsilon = check_number(epsilon, min = 0, call = call),
    center = check_flag(center, call = call),
    scale = check_flag(scale, call = call),
    beta_initializer = as_initializer(beta_initializer, call = call),
    gamma_initializer = as_initializer(gamma_initializer, call = call),
    beta_regularizer = as_regularizer(beta_regularizer, call = call),
    gamma_regularizer = as_regularizer(gamma_regularizer, call = call),
    beta_constraint = as_constraint(beta_constraint, call = call),
    gamma_constraint = as_constraint(gamma_constraint, call = call)
  )
}

#' Layer normalization
#'
#' Brings each sample by itself to mean 0 and variance 1 along the dimensions `axis` (Ba, Kiros and
#' Hinton, "Layer normalization", 2016):
#'
#' `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`
#'
#' It does the same in training and in use and does not look at other samples, so it needs no large
#' batches, as [layer_batch_normalization()] does.
#'
#' `rms_scaling` of earlier versions of Keras is not supported.
#'
#' @inheritParams layer_batch_normalization
#' @param axis The dimensions over which mean and variance are taken, counted from 1 with the samples
#'   as the first, or from the end: -1, the last.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#'
#' Weights: `gamma` and `beta`, of the shape of the dimensions `axis`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the input lacks a dimension
#' of `axis`.
#' @family normalization layers
#' @examples
#' model <- keras_model_sequential(input_shape = 3) |> layer_layer_normalization(epsilon = 0)
#' predict(model, rbind(c(1, 2, 3), c(10, 20, 30))) # twice -1.22 0 1.22
#' @export
layer_layer_normalization <- function(object, axis = -1L, epsilon = 0.001, center = TRUE,
                                      scale = TRUE, beta_initializer = "zeros",
                                      gamma_initializer = "ones", beta_regularizer = NULL,
                                      gamma_regularizer = NULL, beta_constraint = NULL,
                                      gamma_constraint = NULL, ...) {
  config <- c(
    list(axis = check_axis(axis, several = TRUE)),
    scaling_config(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                   gamma_regularizer, beta_constraint, gamma_constraint)
  )
  create_layer(object, "layer_normalization", config, ..., class = "LayerNormalization")
}

#' Group normalization
#'
#' Cuts the channels into `groups` of neighbours and brings each group of each sample, over all its
#' positions, to mean 0 and variance 1; then each channel has a factor and an offset of its own (Wu
#' and He, "Group normalization", 2018):
#'
#' `y = gamma * (x - mean) / sqrt(variance + epsilon) + beta`
#'
#' It serves in the place of [layer_batch_normalization()] where batches are small, since it does
#' not look at other samples. `groups = -1` makes a group of every channel (instance normalization).
#'
#' @inheritParams layer_batch_normalization
#' @param groups Number of groups, a divisor of the number of channels; -1: as many as channels.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#'
#' Weights, each one number for a channel: `gamma` and `beta`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the input lacks dimension
#' `axis` or `groups` does not divide the channels.
#' @family normalization layers
#' @examples
#' keras_model_sequential(input_shape = c(8, 8, 16)) |>
#'   layer_group_normalization(groups = 4)
#' @export
layer_group_normalization <- function(object, groups = 32L, axis = -1L, epsilon = 0.001,
                                      center = TRUE, scale = TRUE, beta_initializer = "zeros",
                                      gamma_initializer = "ones", beta_regularizer = NULL,
                                      gamma_regularizer = NULL, beta_constraint = NULL,
                                      gamma_constraint = NULL, ...) {
  every <- is.numeric(groups) && length(groups) == 1L && groups %in% -1
  config <- c(
    list(groups = if (every) -1 else check_count(groups), axis = check_axis(axis)),
    scaling_config(epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
                   gamma_regularizer, beta_constraint, gamma_constraint)
  )
  create_layer(object, "group_normalization", config, ..., class = "GroupNormalization")
}

#' Unit normalization
#'
#' Divides by the Euclidean length along the dimensions `axis`, `x / sqrt(max(sum(x^2), 1e-12))`, so
#' that every row has length 1. Dot products of such rows are the cosines of the angles between them.
#'
#' @inheritParams layer_layer_normalization
#' @param axis The dimensions over which the length is taken, counted from 1 with the samples as the
#'   first, or from the end: -1, the last.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input. The layer has no weights.
#' @family normalization layers
#' @examples
#' model <- keras_model_sequential(input_shape = 2) |> layer_unit_normalization()
#' predict(model, rbind(c(3, 4), c(0, 2))) # 0.6 0.8 / 0 1
#' @export
layer_unit_normalization <- function(object, axis = -1L, ...) {
  config <- list(axis = check_axis(axis, several = TRUE))
  create_layer(object, "unit_normalization", config, ..., class = "UnitNormalization")
}
