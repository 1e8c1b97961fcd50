#' Dense layer: every output sees every input
#'
#' Computes `activation(x %*% kernel + bias)`. An input of higher rank, such as (samples, time,
#' features), is taken along its last dimension: the same kernel serves all the others.
#'
#' @param object What to add the layer to: a model, which is changed and returned. Left out, the
#'   layer itself is returned, to be put into `keras_model_sequential(layers = list(...))`.
#' @param units Number of outputs (neurons), a whole number of at least 1.
#' @param activation Applied to the weighted sums: the name of an activation (`"relu"`), an
#'   `activation_*()` function or object, or `NULL` for none (linear). A function of your own is
#'   computed in R, and the layer cannot be trained through.
#' @param use_bias Whether a bias is added.
#' @param kernel_initializer,bias_initializer How the weights start: a name, an `initializer_*()`
#'   object, or a function of the shape that returns an array.
#' @param kernel_regularizer,bias_regularizer Penalty on the weights that is added to the loss: a
#'   `regularizer_*()` object, `"l1"`, `"l2"` or `NULL`.
#' @param activity_regularizer Penalty on the layer's output, divided by the batch size, that is added to the
#'   loss: a `regularizer_*()` object, `"l1"`, `"l2"` or `NULL`.
#' @param kernel_constraint,bias_constraint What the weights must obey after each update: a
#'   `constraint_*()` object, its name, or `NULL`.
#' @param lora_rank,lora_alpha Not supported: must be `NULL`.
#' @param ... Arguments of every layer: `name` (a string), `trainable` (`FALSE` freezes it),
#'   `input_shape` (shape of one sample, for the first layer of a model), `batch_size` (heeded where
#'   a layer is stateful: see [reset_states()]), `batch_input_shape` or `batch_shape` (both in one,
#'   the batch size first) and `dtype` (`"float32"`).
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Weights: `kernel` (inputs, units) and `bias` (units). Output: as the input, with `units` as its
#' last dimension.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for an input without dimensions
#' beside the samples. The model is then as it was.
#' @family layers
#' @examples
#' layer_dense(units = 3, activation = "relu")
#'
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 8, activation = "relu", kernel_regularizer = regularizer_l2(0.001)) |>
#'   layer_dense(units = 1)
#' model
#' @export
layer_dense <- function(object, units, activation = NULL, use_bias = TRUE,
                        kernel_initializer = "glorot_uniform", bias_initializer = "zeros",
                        kernel_regularizer = NULL, bias_regularizer = NULL,
                        activity_regularizer = NULL, kernel_constraint = NULL,
                        bias_constraint = NULL, lora_rank = NULL, lora_alpha = NULL, ...) {
  check_unsupported(lora_rank)
  check_unsupported(lora_alpha)
  config <- list(
    units = check_count(units),
    activation = as_activation(activation),
    use_bias = check_flag(use_bias),
    kernel_initializer = as_initializer(kernel_initializer),
    bias_initializer = as_initializer(bias_initializer),
    kernel_regularizer = as_regularizer(kernel_regularizer),
    bias_regularizer = as_regularizer(bias_regularizer),
    activity_regularizer = as_regularizer(activity_regularizer),
    kernel_constraint = as_constraint(kernel_constraint),
    bias_constraint = as_constraint(bias_constraint)
  )
  create_layer(object, "dense", config, ..., class = "Dense")
}
