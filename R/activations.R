# What goes on inside a network: the arrays that its layers put out, and gradients between layers.

#' Activations of layers
#'
#' The arrays that layers put out for given inputs: those of all convolution, pooling and dense
#' layers unless layers are named. [plot_feature_maps()] draws them; [layer_outputs()] is the plain
#' form for one layer.
#'
#' @param model A model.
#' @param x Inputs, samples first, as for [predict()][predict.lamina_model]; or one picture of the
#'   shape that the model takes, without the dimension of samples.
#' @param layers Names or positions of layers; `NULL`: all convolution, pooling and dense layers.
#' @param training `TRUE`: layers behave as in training.
#' @return A list of arrays, samples first, named by the layers: samples x height x width x channels
#'   for a layer with maps, samples x units for a dense one.
#' @section Errors:
#' An unknown layer raises `lamina_error_argument`, inputs of another shape `lamina_error_shape`.
#' @family seeing
#' @examples
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(3, activation = "relu", name = "hidden") |>
#'   layer_dropout(0.5) |>
#'   layer_dense(1, name = "out")
#' activations(model, matrix(c(1, 2), 1))
#' @export
activations <- function(model, x, layers = NULL, training = FALSE) {
  check_model(model, arg = "model")
  training <- check_flag(training)
  x <- seen_inputs(model, x)
  at <- if (is.null(layers)) telling_layers(model) else layer_positions(model, layers)
  network_outputs(model, x, at, training)
}

layer_names <- function(model) {
  vapply(model_layers(model), function(layer) layer_self(layer)$name, "")
}

layer_types <- function(model) {
  vapply(model_layers(model), function(layer) layer_self(layer)$type, "")
}

is_convolution <- function(types) grepl("conv", types)

# The layers that are looked at when none is named; all, in a model that has none of these.
telling_layers <- function(model) {
  types <- layer_types(model)
  at <- which(is_convolution(types) | grepl("pool", types) | types == "dense")
  if (length(at)) at else seq_along(types)
}

# 1-based positions of layers given by name, by position (negative ones from the end) or as layers.
layer_positions <- function(model, layers, arg = "layers", call = rlang::caller_env()) {
  if (is_layer(layers)) {
    layers <- list(layers)
  }
  names <- vapply(all_layers(model), function(layer) layer_self(layer)$name, "")
  before <- length(names) - length(model_layers(model)) # in front of the network
  at <- vapply(as.list(layers), function(layer) {
    if (is_layer(layer)) {
      layer <- layer_self(layer)$name
    }
    if (is.character(layer) && length(layer) == 1L) {
      at <- match(layer, names)
      if (is.na(at)) {
        abort_unknown(arg, "a layer of this model", layer, names, call = call)
      }
      return(at)
    }
    at <- check_count(layer, min = -length(names), max = length(names), arg = arg, call = call)
    if (at == 0) {
      abort_argument(arg, "a position counted from 1", "0", call = call)
    }
    as.integer(if (at < 0) length(names) + 1 + at else at)
  }, 0L)
  if (any(at <= before)) {
    abort_argument(arg, "layers of the network", "one in front of it",
                   hint = c(i = "A text layer can be called: layer(text)."), call = call)
  }
  at - before
}

# One layer whose output has maps: height x width x channels.
map_layer <- function(model, layer, arg = "layer", call = rlang::caller_env()) {
  if (length(layer) != 1L && !is_layer(layer)) {
    abort_argument(arg, "one layer", describe(layer), call = call)
  }
  at <- layer_positions(model, layer, arg, call)
  shape <- model$info[[at]]$output_shape
  if (length(shape) != 3L) {
    with_maps <- layer_names(model)[vapply(model$info, function(i) length(i$output_shape) == 3L, NA)]
    abort_argument(
      arg, "a layer that puts out maps (height, width, channels)",
      sprintf("\"%s\" with output %s", layer_names(model)[at], shape_text(shape)),
      hint = if (length(with_maps)) c(i = paste("Such layers:", paste(with_maps, collapse = ", "))),
      call = call
    )
  }
  at
}

# The last convolution with maps, or NULL.
last_convolution <- function(model) {
  maps <- vapply(model$info, function(i) length(i$output_shape) == 3L, NA)
  at <- which(is_convolution(layer_types(model)) & maps)
  if (length(at)) at[length(at)]
}

# Inputs as a plain finite array, samples first; one sample may come without that dimension.
seen_inputs <- function(model, x, arg = "x", call = rlang::caller_env()) {
  shape <- model$shape
  if (length(shape) > 1L && identical(as.double(dim(x)), as.double(shape))) {
    x <- array(x, c(1L, dim(x)))
  }
  x <- model_inputs(model, x, arg, dense = TRUE, call = call)
  if (is_sparse(x)) {
    abort_argument(arg, "a dense array", "a sparse matrix", call = call)
  }
  if (!all(is.finite(x))) {
    abort_not_finite(x, arg, call)
  }
  if (!is_built(model)) {
    undo_on_error(model, infer_shapes(model, sample_shape(x)))
  }
  array(as.double(x), c(sample_count(x), sample_shape(x)))
}

# Vector-Jacobian product: what `layers` from + 1 to `to` put out at x, the input of the first of
# them, and the gradient by x of sum(seed * outputs).  seed: an array like the outputs.  linear: the
# last layer counts without its closing activation.  Dropout and the like stand still, penalties do
# not count, and nothing of the model moves.
vjp_layers <- function(model, x, from, to, seed, linear = FALSE, batch_size = 32) {
  own <- own_activations(model)
  if (any(own > from & own <= to)) {
    abort_lamina("An activation that is an R function has no gradient.", "state")
  }
  ptr <- net_ptr(model)
  part <- function(rows) {
    .Call(ffi_net_vjp, ptr, array_rows(x, rows), array_rows(seed, rows), from, to, linear)
  }
  n <- dim(x)[1L]
  parts <- lapply(split(seq_len(n), (seq_len(n) - 1) %/% batch_size), part)
  list(
    outputs = bind_samples(lapply(parts, `[[`, "outputs")),
    gradient = bind_samples(lapply(parts, `[[`, "gradient"))
  )
}
