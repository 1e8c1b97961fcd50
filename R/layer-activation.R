#' Activation layer
#'
#' Applies an activation to its input and changes nothing else; `layer_dense(activation = )` does
#' both at once.
#'
#' @inheritParams layer_dense
#' @param activation The name of an activation, an `activation_*()` function or object, or a
#'   function of your own (computed in R; the layer cannot be trained through).
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family activation layers
#' @examples
#' keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 3) |>
#'   layer_activation("relu")
#' @export
layer_activation <- function(object, activation, ...) {
  if (is.null(activation)) {
    abort_argument("activation", "an activation or its name", "NULL")
  }
  config <- list(activation = as_activation(activation))
  create_layer(object, "activation", config, ..., class = "Activation")
}

#' Rectified linear units as layers
#'
#' For an input x,
#'
#' * `layer_activation_relu()`: `max_value` where x >= `max_value`, x where x >= `threshold`,
#'   `negative_slope * (x - threshold)` below;
#' * `layer_activation_leaky_relu()`: x where x > 0, else `negative_slope * x`;
#' * `layer_activation_elu()`: x where x > 0, else `alpha * (exp(x) - 1)`;
#' * `layer_activation_parametric_relu()`: x where x > 0, else `alpha * x` with a learned `alpha`
#'   for each input (He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015).
#'
#' @inheritParams layer_dense
#' @param max_value Upper limit, at least 0; `NULL` for none.
#' @param negative_slope Slope below the threshold, at least 0. As in Keras, 0.3 for
#'   `layer_activation_leaky_relu()`, while [activation_leaky_relu()] has 0.2.
#' @param threshold Where the slope changes, at least 0.
#' @param alpha Minus the limit for very negative x, at least 0.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family activation layers
#' @examples
#' layer_activation_relu(max_value = 6)
#' layer_activation_leaky_relu()
#' layer_activation_elu(alpha = 0.5)
#' @name layer_activation_relu
#' @export
layer_activation_relu <- function(object, max_value = NULL, negative_slope = 0, threshold = 0,
                                  ...) {
  config <- list(activation = list(type = "relu", config = list(
    max_value = check_number(max_value, min = 0, allow_null = TRUE),
    negative_slope = check_number(negative_slope, min = 0),
    threshold = check_number(threshold, min = 0)
  )))
  create_layer(object, "activation", config, ..., class = "ReLU")
}

#' @rdname layer_activation_relu
#' @export
layer_activation_leaky_relu <- function(object, negative_slope = 0.3, ...) {
  config <- list(activation = list(type = "leaky_relu", config = list(
    negative_slope = check_number(negative_slope, min = 0)
  )))
  create_layer(object, "activation", config, ..., class = "LeakyReLU")
}

#' @rdname layer_activation_relu
#' @export
layer_activation_elu <- function(object, alpha = 1, ...) {
  config <- list(activation = list(type = "elu", config = list(
    alpha = check_number(alpha, min = 0)
  )))
  create_layer(object, "activation", config, ..., class = "ELU")
}

#' @rdname layer_activation_relu
#' @param alpha_initializer,alpha_regularizer,alpha_constraint How `alpha` starts, its penalty and
#'   its constraint, as the kernel's in [layer_dense()].
#' @param shared_axes Dimensions along which one `alpha` serves all, counted from 1 without the
#'   samples: `c(1, 2)` for one per channel of a picture. `NULL` for none.
#' @export
layer_activation_parametric_relu <- function(object, alpha_initializer = "Zeros",
                                             alpha_regularizer = NULL, alpha_constraint = NULL,
                                             shared_axes = NULL, ...) {
  if (!is.null(shared_axes)) {
    shared_axes <- check_whole_numbers(shared_axes, "dimensions counted from 1, without the samples")
  }
  config <- list(
    alpha_initializer = as_initializer(alpha_initializer),
    alpha_regularizer = as_regularizer(alpha_regularizer),
    alpha_constraint = as_constraint(alpha_constraint),
    shared_axes = shared_axes
  )
  create_layer(object, "parametric_relu", config, ..., class = "PReLU")
}

#' Softmax layer
#'
#' `exp(x) / sum(exp(x))` along one dimension, so that the numbers along it are positive and sum
#' to 1.
#'
#' @inheritParams layer_dense
#' @param axis The dimension, counted from 1 with the samples as the first, or from the end with
#'   -1 as the last.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family activation layers
#' @examples
#' keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 3) |>
#'   layer_activation_softmax()
#' @export
layer_activation_softmax <- function(object, axis = -1L, ...) {
  axis <- check_axis(axis)
  config <- list(activation = list(type = "softmax", config = list()), axis = axis)
  create_layer(object, "activation", config, ..., class = "Softmax")
}
