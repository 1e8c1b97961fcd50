# What all layers share.  A layer object is a function with a memory: called with a model it adds
# itself to it; `$` reads its environment (`self`), so that it works as Keras' layer objects do:
# layer$name, layer$output_shape, layer$get_weights(), layer$trainable <- FALSE.

# Makes a layer of the core's `type` and, when `object` is a model, appends it.
#   config  the core's arguments, by name
#   ...     what every layer takes besides: name, input_shape, batch_size, batch_input_shape (or
#           batch_shape), dtype, trainable
#   class   Keras' class name, for summary() and automatic names
create_layer <- function(object, type, config, ..., class, call = rlang::caller_env()) {
  common <- layer_arguments(list(...), call = call)
  config <- split_functions(config)
  self <- new.env(parent = emptyenv())
  self$type <- type
  self$class <- class
  self$name <- common$name
  self$trainable <- common$trainable
  self$input_shape <- common$input_shape
  self$batch_size <- common$batch_size
  self$config <- config$plain
  self$functions <- config$functions
  self$values <- NULL
  self$model <- NULL
  layer <- new_layer_object(self, c(paste0("lamina_layer_", type), "lamina_layer"))
  if (missing(object) || is.null(object)) {
    return(layer)
  }
  compose(object, layer, call = call)
}

# Gives a layer the weights that it is to start from, or NULL, and composes it as create_layer() does.
bring_values <- function(object, layer, values, call = rlang::caller_env()) {
  list2env(list(values = values, brought = !is.null(values)), layer_self(layer))
  if (rlang::is_missing(object) || is.null(object)) layer else compose(object, layer, call = call)
}

new_layer_object <- function(self, class) {
  structure(
    function(object) compose(object, sys.function(), call = environment()),
    class = class, self = self
  )
}

layer_self <- function(layer) attr(layer, "self", exact = TRUE)

is_layer <- function(x) inherits(x, "lamina_layer")

layer_arguments <- function(dots, call) {
  known <- c("name", "input_shape", "batch_size", "batch_input_shape", "batch_shape", "dtype", "trainable")
  check_no_dots(dots, known, call = call)
  if (!is.null(dots$dtype) && !identical(dots$dtype, "float32")) {
    abort_argument("dtype", "\"float32\"", describe(dots$dtype), call = call)
  }
  shape <- dots$input_shape
  batch_size <- dots$batch_size
  batch_shape <- if (is.null(dots$batch_input_shape)) dots$batch_shape else dots$batch_input_shape
  if (!is.null(batch_shape)) {
    parts <- split_batch_shape(batch_shape)
    shape <- parts$shape
    batch_size <- parts$batch_size
  }
  list(
    name = check_string(dots$name, allow_null = TRUE, arg = "name", call = call),
    trainable = check_flag(if (is.null(dots$trainable)) TRUE else dots$trainable, arg = "trainable", call = call),
    input_shape = check_shape(shape, allow_null = TRUE, arg = "input_shape", call = call),
    batch_size = check_count(batch_size, allow_null = TRUE, arg = "batch_size", call = call)
  )
}

# Configuration for the core is numbers, strings and lists; R functions of the user's own
# (initializers, activations) stay on this side, under the argument's name.
split_functions <- function(config) {
  own <- vapply(config, function(v) is.list(v) && identical(v$type, "function"), NA)
  list(plain = config[!own], functions = lapply(config[own], function(v) v$fn))
}

compose <- function(object, layer, call = rlang::caller_env()) {
  if (inherits(object, "lamina_model")) {
    return(add_layer(object, layer, call = call))
  }
  if (is_front(layer) && is_textual(object)) {
    return(vectorize_text(layer_self(layer), object, call))
  }
  hint <- if (is.numeric(object) && length(object) == 1L) {
    c(i = "The first argument is the model; name the others, as in layer_dense(units = 8).")
  }
  abort_argument("object", "a model", describe(object), hint = hint, call = call)
}

# What the core is told about a layer.
layer_spec <- function(layer, batch_size = layer_self(layer)$model$batch_size) {
  self <- layer_self(layer)
  config <- with_batch_size(self$config, batch_size)
  list(type = self$type, name = self$name, trainable = self$trainable, config = config)
}

# ---- what users read off a layer ----------------------------------------------------------------

layer_members <- list(
  output_shape = function(self) {
    shape <- layer_output_shape(self)
    if (is.null(shape)) NULL else c(list(NULL), as.list(shape))
  },
  input_shape = function(self) {
    shape <- layer_input_shape(self)
    if (is.null(shape)) NULL else c(list(NULL), as.list(as.integer(shape)))
  },
  get_weights = function(self) function() layer_weights(self),
  set_weights = function(self) function(weights) set_layer_weights(self, weights),
  reset_states = function(self) function() reset_layer_states(self),
  count_params = function(self) function() sum(vapply(layer_weights(self), length, 0)),
  weights = function(self) layer_weights(self),
  activation = function(self) {
    if (is.null(self$config$activation)) "linear" else self$config$activation$type
  },
  built = function(self) !is.null(layer_built(self))
)

#' @export
`$.lamina_layer` <- function(x, name) {
  self <- layer_self(x)
  member <- layer_members[[name]]
  if (!is.null(member)) {
    member(self)
  } else if (exists(name, envir = self, inherits = FALSE)) {
    self[[name]]
  } else {
    self$config[[name]]
  }
}

#' @export
`[[.lamina_layer` <- `$.lamina_layer`

#' @export
`$<-.lamina_layer` <- function(x, name, value) {
  self <- layer_self(x)
  if (name != "trainable") {
    abort_argument(name, "\"trainable\", all that can be set", paste0("\"", name, "\""))
  }
  self$trainable <- check_flag(value, arg = "trainable")
  if (!is.null(self$model)) {
    push_trainable(self$model)
  }
  x
}

#' @export
print.lamina_layer <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
format.lamina_layer <- function(x, ...) {
  self <- layer_self(x)
  shape <- layer_output_shape(self)
  sprintf(
    "<%s%s%s>", self$class, if (is.null(self$name)) "" else paste0(" name=", self$name),
    if (is.null(shape)) "" else paste0(", output ", shape_text(shape))
  )
}

# "(None, 28, 28)", as Keras prints shapes.
shape_text <- function(shape) paste0("(", paste(c("None", shape), collapse = ", "), ")")

# A layer's part of its model's description; NULL before the model is built, and for a layer in front of
# the network, which has no weights either.
layer_built <- function(self) {
  if (is.null(self$model) || is.null(self$model$info) || is_front_self(self)) {
    return(NULL)
  }
  self$model$info[[layer_index(self)]]
}

is_front_self <- function(self) !is.null(self$model$front) && identical(layer_self(self$model$front), self)

layer_output_shape <- function(self) {
  if (is_front_self(self)) as.integer(self$model$shape) else layer_built(self)$output_shape
}

layer_index <- function(self) {
  selves <- lapply(model_layers(self$model), layer_self)
  Position(function(s) identical(s, self), selves)
}

layer_input_shape <- function(self) {
  if (is.null(layer_built(self))) {
    return(self$input_shape)
  }
  at <- layer_index(self)
  if (at == 1L) self$model$shape else self$model$info[[at - 1L]]$output_shape
}

layer_weights <- function(self) {
  if (is.null(layer_built(self))) {
    return(if (is.null(self$values)) list() else self$values)
  }
  weights <- get_weights(self$model)
  weights[weight_owner(self$model) == layer_index(self)]
}

set_layer_weights <- function(self, weights) {
  if (is.null(layer_built(self))) {
    abort_lamina("The layer has no weights before its model is built.", "state")
  }
  all <- get_weights(self$model)
  mine <- weight_owner(self$model) == layer_index(self)
  if (!is.list(weights) || length(weights) != sum(mine)) {
    abort_argument("weights", sprintf("a list of %d arrays", sum(mine)), describe(weights))
  }
  all[mine] <- weights
  set_weights(self$model, all)
  invisible()
}
