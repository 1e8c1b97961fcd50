# Layers with a layer inside.  The core is told of it by a spec within the wrapper's configuration; what
# stays on this side (R functions as initializers, weights to start from) becomes the wrapper's.

#' The same layer at every step
#'
#' Applies `layer` to each step of samples (steps, ...), with the same weights at all of them: a dense
#' layer to every step of a series, a convolution to every picture of a film, a recurrent layer to
#' every sentence of a text. Dropout inside draws anew for each step.
#'
#' A mask of the steps (see [layer_embedding()]) is handed on. Of a mask that reaches into the steps, as
#' an embedding of ids (sentences, words) makes it, the layer inside gets its part; where it ends
#' there, as in a recurrent layer that puts out its last state, a step counts from then on if any of
#' its inner steps does.
#'
#' @inheritParams layer_dense
#' @param layer The layer to apply, made without a model: `layer_dense(units = 8)`. Its arguments are
#'   taken over; the layer object itself is not changed.
#' @param ... Arguments of every layer: see [layer_dense()]. `input_shape` includes the steps.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (steps, ...). Output: (steps, output of the layer inside). The weights are those of the layer inside.
#' @section Errors:
#' `lamina_error_argument` for something that is no layer, or one that is stateful or gives its states;
#' `lamina_error_state` for a layer that belongs to a model.
#' @family layers on sequences
#' @examples
#' # two sentences of three words each: a vector for each sentence, then one for the text
#' model <- keras_model_sequential(input_shape = c(2, 3)) |>
#'   layer_embedding(input_dim = 10, output_dim = 4, mask_zero = TRUE) |>
#'   layer_time_distributed(layer_gru(units = 5)) |>
#'   layer_gru(units = 6) |>
#'   layer_dense(units = 1)
#' model
#' @export
layer_time_distributed <- function(object, layer, ...) {
  inner <- inner_layer(layer, "layer")
  if (is_stateful(inner$config)) {
    abort_argument("layer", "a layer that is not stateful", "one with `stateful = TRUE`")
  }
  if (isTRUE(inner$config$return_state)) {
    abort_argument("layer", "a layer with one output", "one with `return_state = TRUE`")
  }
  config <- list(layer = inner_spec(inner), activity_regularizer = inner$config$activity_regularizer)
  create_wrapper(object, "time_distributed", c(config, inner_functions(inner)), inner$values,
                 inner$trainable, ..., class = "TimeDistributed")
}

#' @rdname layer_time_distributed
#' @export
time_distributed <- layer_time_distributed

#' A recurrent layer in both directions
#'
#' Two recurrent layers go through the sequence, one from its beginning and one from its end, so that
#' the output at a step knows what came before and what comes after (Schuster and Paliwal,
#' "Bidirectional recurrent neural networks", 1997). With `return_sequences` the outputs of both stand in
#' the order of the input.
#'
#' As in Keras masked steps of a sequence put out zeros; the mask is handed on.
#'
#' @inheritParams layer_dense
#' @param layer The recurrent layer, made without a model: `layer_lstm(units = 8)`. Its arguments are
#'   taken over; the layer object itself is not changed.
#' @param merge_mode How the two outputs become one: `"concat"` (side by side), `"sum"`, `"mul"`
#'   (product) or `"ave"` (mean).
#' @param weights The weights to start from: a list of arrays, those of the forward layer first.
#' @param backward_layer The layer for the other direction: recurrent, with the other
#'   `go_backwards`. `NULL`: a copy of `layer` that goes the other way, with weights of its own.
#' @param ... Arguments of every layer: see [layer_dense()].
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (steps, features). Output: that of `layer`, with `merge_mode = "concat"` twice as long. With
#' `return_state` [layer_outputs()] gives the states of the forward layer and then those of the
#' backward layer. Weights: those of `layer`, their names behind `forward_`, and then behind `backward_`.
#' @section Errors:
#' `lamina_error_argument` for a layer that is not recurrent, or two that do not go together;
#' `lamina_error_state` for a layer that belongs to a model.
#' @family recurrent layers
#' @examples
#' model <- keras_model_sequential(input_shape = c(10, 3)) |>
#'   layer_bidirectional(layer_lstm(units = 8, return_sequences = TRUE)) |>
#'   layer_bidirectional(layer_gru(units = 4), merge_mode = "sum") |>
#'   layer_dense(units = 1)
#' model
#' @export
layer_bidirectional <- function(object, layer, merge_mode = "concat", weights = NULL,
                                backward_layer = NULL, ...) {
  forward <- recurrent_inner(layer, "layer")
  backward <- if (is.null(backward_layer)) turned_round(forward) else recurrent_inner(backward_layer, "backward_layer")
  if (is.null(merge_mode)) {
    abort_argument("merge_mode", "\"concat\", \"sum\", \"mul\" or \"ave\"", "NULL",
                   hint = c(i = "Two outputs cannot go on in a sequential model."))
  }
  config <- list(
    layer = directed_spec(forward), backward_layer = directed_spec(backward),
    merge_mode = check_choice(merge_mode, c("concat", "sum", "mul", "ave")),
    activity_regularizer = shared_penalty(forward, backward, merge_mode)
  )
  functions <- c(inner_functions(forward, "forward_"), inner_functions(backward, "backward_"))
  create_wrapper(object, "bidirectional", c(config, functions), check_weight_list(weights),
                 forward$trainable && backward$trainable, ..., input_of = forward, class = "Bidirectional")
}

#' @rdname layer_bidirectional
#' @export
bidirectional <- layer_bidirectional

# ---- the layer inside ----------------------------------------------------------------------------

# What a layer object that is to go into another one holds.
inner_layer <- function(layer, arg, call = rlang::caller_env()) {
  check_given(!rlang::is_missing(layer), arg, call)
  if (!is_layer(layer) || is_front(layer)) {
    found <- if (is_layer(layer)) format(layer) else describe(layer)
    abort_argument(arg, "a layer, as layer_dense(units = 8) makes it", found, call = call)
  }
  self <- layer_self(layer)
  if (!is.null(self$model)) {
    abort_lamina(sprintf("Layer `%s` already belongs to a model; make a new layer.", self$name), "state", call = call)
  }
  if (!is.null(self$functions$activation)) {
    abort_argument(arg, "a layer with an activation of lamina's", "one whose activation is another function", call = call)
  }
  self
}

recurrent_inner <- function(layer, arg, call = rlang::caller_env()) {
  self <- inner_layer(layer, arg, call)
  if (!self$type %in% c("simple_rnn", "lstm", "gru")) {
    abort_argument(arg, "a recurrent layer, as layer_lstm(units = 8)", format(layer), call = call)
  }
  self
}

turned_round <- function(self) {
  config <- self$config
  config$go_backwards <- !config$go_backwards
  list2env(list(config = config), list2env(as.list.environment(self)))
}

# The penalty on the outputs is the wrapper's business.
inner_spec <- function(self) {
  config <- self$config
  config$activity_regularizer <- NULL
  list(type = self$type, config = config)
}

directed_spec <- function(self) {
  spec <- inner_spec(self)
  spec$config$zero_output_for_mask <- spec$config$return_sequences
  spec
}

# R functions of the layer inside, as arguments of the wrapper.
inner_functions <- function(self, prefix = "") {
  functions <- lapply(self$functions, function(fn) list(type = "function", fn = fn))
  if (length(functions)) stats::setNames(functions, paste0(prefix, names(functions)))
}

# The outputs of both layers stand side by side, or there is no telling what the penalty is on.
shared_penalty <- function(forward, backward, merge_mode, call = rlang::caller_env()) {
  penalty <- forward$config$activity_regularizer
  same <- identical(penalty, backward$config$activity_regularizer)
  if (!same || (!is.null(penalty) && merge_mode != "concat")) {
    abort_argument("layer", "a layer without `activity_regularizer`, or the same for both directions and merge_mode = \"concat\"",
                   "one with it", call = call)
  }
  penalty
}

check_weight_list <- function(weights, call = rlang::caller_env()) {
  if (!is.null(weights) && !(is.list(weights) && all(vapply(weights, is.numeric, NA)))) {
    abort_argument("weights", "a list of arrays", describe(weights), call = call)
  }
  weights
}

# values: weights to start from.  input_of: the layer inside whose input is the wrapper's.
create_wrapper <- function(object, type, config, values, trainable, ..., input_of = NULL, class,
                           call = rlang::caller_env()) {
  common <- list(...)
  for (arg in c("input_shape", "batch_size")) {
    if (is.null(common[[arg]])) common[[arg]] <- input_of[[arg]]
  }
  if (is.null(common$trainable)) {
    common$trainable <- trainable
  }
  layer <- do.call(create_layer, c(list(NULL, type, config), common, list(class = class, call = call)))
  bring_values(object, layer, values, call)
}
