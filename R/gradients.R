#' Gradients of the loss
#'
#' The derivative of the compiled loss, penalties included, by every trained weight and by the inputs, from
#' one pass forward and back; nothing of the model is moved.
#'
#' @param model A compiled model.
#' @param x,y Inputs and targets, as for [train_on_batch()].
#' @param sample_weight A number for each sample.
#' @param training `TRUE`: layers behave as in training (dropout, noise, batch statistics).
#' @return A list: `loss`, a number; `weights`, a list like `get_weights(trainable = TRUE)`; `inputs`,
#'   an array like `x`, `NULL` where `x` are token ids. These are the gradients before clipping.
#' @family model verbs
#' @examples
#' # loss (w x - y)^2 at w = 3, x = 2, y = 5: value 1, slope 2 (w x - y) x = 4
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE)
#' model |> compile(loss = "mse")
#' set_weights(model, list(matrix(3)))
#' compute_gradients(model, x = 2, y = 5)
#' @export
compute_gradients <- function(model, x, y, sample_weight = NULL, training = FALSE) {
  check_model(model, arg = "model")
  require_compiled(model)
  training <- check_flag(training)
  call <- rlang::current_env()
  out <- undo_on_error(model, {
    data <- batch_data(model, x, y, sample_weight, NULL, call)
    if (data$from > 0) {
      abort_lamina("An activation that is an R function has no gradient.", "state", call = call)
    }
    if (is.null(model$compiled$own_loss)) {
      .Call(ffi_loop_probe, new_loop(model, data, data$n, "probe", metrics = FALSE), training)
    } else {
      holding_states(model, own_loss_gradients(model, x, data, training))
    }
  })
  flags <- weight_trainable(model)
  list(loss = out$loss, weights = out$weights[as.logical(flags)], inputs = if (is.null(model$tokens)) out$inputs)
}

own_loss_gradients <- function(model, x, data, training) {
  loop <- new_loop(model, data, data$n, "test", metrics = FALSE)
  .Call(ffi_loop_start, loop, FALSE, 1)
  x <- model_inputs(model, x, dense = TRUE)
  last <- length(model_layers(model)) - 1L
  y_pred <- .Call(ffi_net_outputs, net_ptr(model), x, last, 0, training)[[1L]]
  y_true <- .Call(ffi_loop_forward, loop)$y_true
  loss <- model$compiled$own_loss(y_true, y_pred)
  out <- .Call(ffi_net_backward, net_ptr(model), x, loss$gradient, training)
  list(loss = as.double(loss$value) + out$penalty, weights = out$weights, inputs = out$inputs)
}

#' What layers put out
#'
#' @param model A model.
#' @param x Inputs, as for [predict()][predict.lamina_model].
#' @param layers Names or positions of layers; the last one when `NULL`.
#' @param training `TRUE`: layers behave as in training.
#' @return The array of one layer, or a named list of arrays for several. A recurrent layer with
#'   `return_state = TRUE` gives a list: its output and its final states.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(3, activation = "relu", name = "hidden") |>
#'   layer_dense(1)
#' layer_outputs(model, matrix(c(1, 2), 1), "hidden")
#' @export
layer_outputs <- function(model, x, layers = NULL, training = FALSE) {
  check_model(model, arg = "model")
  training <- check_flag(training)
  call <- rlang::current_env()
  x <- model_inputs(model, x, dense = TRUE, call = call)
  if (is_sparse(x)) {
    abort_argument("x", "a dense array", "a sparse matrix")
  }
  if (!all(is.finite(x))) {
    abort_not_finite(x, "x", call)
  }
  if (!is_built(model)) {
    undo_on_error(model, infer_shapes(model, sample_shape(x)))
  }
  at <- if (is.null(layers)) length(model_layers(model)) else layer_positions(model, layers)
  out <- network_outputs(model, x, at, training)
  if (length(out) == 1L) out[[1L]] else out
}

# The list of what the network's layers at these positions put out for its input, named.
network_outputs <- function(model, x, at, training = FALSE) {
  out <- if (length(own_activations(model))) {
    lapply(at, function(to) own_activation_outputs(model, x, to, training))
  } else {
    .Call(ffi_net_outputs, net_ptr(model), x, at - 1L, 0, training)
  }
  stats::setNames(out, layer_names(model)[at])
}
