#' Weights of a model or layer
#'
#' `get_weights()` gives the weights as R arrays, layer by layer, in Keras' order and layout: of a dense layer its
#' kernel, a matrix of inputs x units, and its bias, a number for each unit. The help page of each layer
#' tells its weights. `set_weights()` puts such a list back. `count_params()` counts the numbers.
#' `reset_weights()` draws new initial weights and forgets the optimizer's state and the history.
#'
#' @param object A model, or (but for `reset_weights()`) a layer of one: see [get_layer()].
#' @param trainable `NA` for all weights of a model, `TRUE` or `FALSE` for those that are or are not trained.
#' @param weights A list of arrays, as `get_weights()` gives; a vector will do for a weight of one
#'   dimension.
#' @return `get_weights()` a list of arrays, without names; `set_weights()` and `reset_weights()` the object,
#'   invisibly, which is changed in place; `count_params()` a number.
#' @section Errors:
#' `lamina_error_state` for a model whose input shape is not known yet: it has no weights. `lamina_error_shape`
#' for weights of other shapes or in another number, `lamina_error_data` for weights that are missing or
#' infinite; the model is then as it was.
#' @seealso [summary()][print.lamina_model] for the table of layers; [save_model_weights()];
#'   [`coef()`][lamina_methods] for fits of [lamina()].
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 2) |> layer_dense(units = 1)
#' set_weights(model, list(matrix(c(2, -1), 2, 1), 0.5))
#' predict(model, matrix(c(1, 1), 1, 2)) # 2 * 1 - 1 * 1 + 0.5
#' get_weights(model)
#' count_params(model)
#'
#' # a linear model: slopes in the kernel, the intercept in the bias
#' line <- lm(mpg ~ wt + hp, mtcars)
#' set_weights(model, list(matrix(coef(line)[-1], 2, 1), coef(line)[1]))
#' range(predict(model, as.matrix(mtcars[c("wt", "hp")])) - fitted(line)) # equal but for rounding
#' @export
get_weights <- function(object, trainable = NA) {
  if (is_layer(object)) {
    return(layer_weights(layer_self(object)))
  }
  check_model(object)
  require_built(object)
  weights <- .Call(ffi_net_weights, net_ptr(object))
  if (is.na(trainable)) weights else weights[weight_trainable(object) == trainable]
}

#' @rdname get_weights
#' @export
set_weights <- function(object, weights) {
  if (is_layer(object)) {
    set_layer_weights(layer_self(object), weights)
    return(invisible(object))
  }
  check_model(object)
  require_built(object)
  weights <- check_weights(object, weights)
  change_state(object, .Call(ffi_net_set_weights, net_ptr(object), weights))
  invisible(object)
}

check_weights <- function(model, weights, arg = "weights", call = rlang::caller_env()) {
  shapes <- unlist(lapply(model$info, function(i) i$weight_shapes), recursive = FALSE)
  if (!is.list(weights) || length(weights) != length(shapes)) {
    abort_argument(arg, sprintf("a list of %d arrays", length(shapes)), describe(weights), kind = "shape", call = call)
  }
  for (i in seq_along(shapes)) {
    w <- weights[[i]]
    dims <- if (is.null(dim(w))) length(w) else dim(w)
    same <- identical(as.integer(dims), as.integer(shapes[[i]])) ||
      (length(shapes[[i]]) <= 1L && length(w) == prod(shapes[[i]]))
    if (!is.numeric(w) || !same) {
      abort_argument(sprintf("%s[[%d]]", arg, i), sprintf("an array of shape (%s)", paste(shapes[[i]], collapse = ", ")),
                     describe(w), kind = "shape", call = call)
    }
    if (anyNA(w) || any(abs(w) > LARGEST_FLOAT)) {
      abort_argument(sprintf("%s[[%d]]", arg, i), "finite numbers", "NA, NaN or infinite ones", kind = "data", call = call)
    }
  }
  weights
}

#' @rdname get_weights
#' @export
count_params <- function(object) {
  if (is_layer(object)) {
    return(sum(vapply(layer_weights(layer_self(object)), length, 0)))
  }
  check_model(object)
  require_built(object)
  sum(vapply(object$info, info_params, 0))
}

info_params <- function(info) sum(vapply(info$weight_shapes, prod, 0))

#' @rdname get_weights
#' @export
reset_weights <- function(object) {
  check_model(object)
  require_built(object)
  make_weights(object)
  object$epoch <- 0
  object$resume <- FALSE
  object$history <- NULL
  invisible(object)
}

# All weights as one raw vector of 32-bit floats: what callbacks put by.
model_weights_raw <- function(model) .Call(ffi_net_state, net_ptr(model))$weights

set_model_weights_raw <- function(model, raw) {
  state <- .Call(ffi_net_state, net_ptr(model))
  if (state$averaged) {
    state$ema <- state$weights
    state$averaged <- FALSE
  }
  state$weights <- raw
  change_state(model, .Call(ffi_net_restore, net_ptr(model), state))
  invisible(model)
}

check_model <- function(x, arg = "object", call = rlang::caller_env()) {
  if (!inherits(x, "lamina_model")) {
    abort_argument(arg, "a model from keras_model_sequential()", describe(x), call = call)
  }
}

#' Layers of a model
#'
#' `get_layer()` finds a layer by name or 1-based position; `pop_layer()` takes the last one off.
#'
#' @param object A model.
#' @param name,index Which layer: one of the two. A negative index counts from the end.
#' @param rebuild Accepted for keras3 scripts; the model is always put right.
#' @return `get_layer()` a layer, with `$name`, `$output_shape`, `$get_weights()`, `$trainable` and
#'   the arguments it was made with; `pop_layer()` the layer taken off, invisibly.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(8, activation = "relu", name = "hidden") |>
#'   layer_dense(1)
#' get_layer(model, "hidden")$output_shape
#' pop_layer(model)
#' model
#' @export
get_layer <- function(object, name = NULL, index = NULL) {
  check_model(object)
  layers <- all_layers(object)
  names <- vapply(layers, function(l) layer_self(l)$name, "")
  if (!is.null(name)) {
    at <- match(check_string(name), names)
    if (is.na(at)) {
      abort_unknown("name", "a layer of this model", name, names)
    }
    return(layers[[at]])
  }
  if (is.null(index)) {
    abort_argument("index", "given, when `name` is not", "NULL")
  }
  index <- check_count(index, min = -length(layers), max = length(layers))
  if (index == 0) {
    abort_argument("index", "a position counted from 1", "0")
  }
  layers[[if (index < 0) length(layers) + 1 + index else index]]
}

#' @rdname get_layer
#' @export
pop_layer <- function(object, rebuild = TRUE) {
  check_model(object)
  layers <- model_layers(object)
  if (length(all_layers(object)) == 0L) {
    abort_lamina("The model has no layer to take off.", "state")
  }
  if (length(layers) == 0L) {
    return(invisible(remove_front(object)))
  }
  last <- layers[[length(layers)]]
  restructure(object, layers[-length(layers)], object$shape)
  invisible(last)
}

#' Freeze and unfreeze layers
#'
#' A frozen layer's weights are left alone by training.
#'
#' @param object A model or a layer.
#' @param from,to First and last layer concerned, by name or position; default the first and the last.
#' @param which Layers concerned, by name or position, or a function of a layer that says `TRUE` or
#'   `FALSE`; instead of `from` and `to`.
#' @return The object, invisibly.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(8, activation = "relu") |>
#'   layer_dense(1)
#' freeze_weights(model, to = 1)
#' model
#' unfreeze_weights(model)
#' @export
freeze_weights <- function(object, from = NULL, to = NULL, which = NULL) {
  set_frozen(object, from, to, which, trainable = FALSE)
}

#' @rdname freeze_weights
#' @export
unfreeze_weights <- function(object, from = NULL, to = NULL, which = NULL) {
  set_frozen(object, from, to, which, trainable = TRUE)
}

set_frozen <- function(object, from, to, which, trainable, call = rlang::caller_env()) {
  if (is_layer(object)) {
    object$trainable <- trainable
    return(invisible(object))
  }
  check_model(object, call = call)
  layers <- all_layers(object)
  position <- function(at) {
    layer <- if (is.character(at)) get_layer(object, name = at) else get_layer(object, index = at)
    Position(function(l) identical(layer_self(l), layer_self(layer)), layers)
  }
  chosen <- if (is.function(which)) {
    base::which(vapply(layers, function(l) isTRUE(which(l)), NA))
  } else if (!is.null(which)) {
    vapply(as.list(which), position, 0L)
  } else if (length(layers)) {
    seq(if (is.null(from)) 1L else position(from), if (is.null(to)) length(layers) else position(to))
  }
  for (i in chosen) {
    assign("trainable", trainable, layer_self(layers[[i]]))
  }
  push_trainable(object)
  invisible(object)
}

#' A fresh model of the same build
#'
#' The same layers, compilation and names, with new initial weights and no history.
#'
#' @param model A model.
#' @param ... Not used.
#' @return A new model.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |> layer_dense(2)
#' twin <- clone_model(model)
#' identical(get_weights(model), get_weights(twin))
#' @export
clone_model <- function(model, ...) {
  check_model(model, arg = "model")
  check_no_dots(list(...))
  copy <- keras_model_sequential(input_shape = model$shape, name = model$name, input_batch_size = model$batch_size)
  copy$told_mask <- model$told_mask
  for (layer in all_layers(model)) {
    add_layer(copy, copy_layer(layer))
  }
  if (is.null(copy$shape) && is_built(model)) { # known from data alone
    infer_shapes(copy, model$shape)
  }
  copy$compiled <- model$compiled
  copy
}

# values: whether the copy starts from the weights that the layer was given, or has from an earlier model.
copy_layer <- function(layer, values = FALSE) {
  self <- list2env(as.list.environment(layer_self(layer), all.names = TRUE), parent = emptyenv())
  self$model <- NULL
  if (!values) {
    self$values <- NULL
    self$brought <- FALSE
  }
  new_layer_object(self, class(layer))
}
