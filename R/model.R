# A sequential model: an environment, changed in place by layer_*(), compile() and fit().
#
# Everything that matters is in plain R values, so saveRDS() and friends keep it:
#   name, stack (the layers of the network), shape (of its input, or NULL), spec_* (what was compiled)
#   front (a layer that makes the network's input out of texts, or NULL)
#   batch_size (given with the input, or NULL), state_batch (see stateful.R)
#   state   weights, optimizer state, seed and position of the random numbers, as the core gave them
#   epoch   epochs trained so far; resume: the next fit() goes on with the model's own random stream
#   history of the last fit(); own: some activation is an R function, or texts come in
# ptr (the core's network) and info (its description) are caches.

#' A sequential model
#'
#' A network whose layers follow one another: each takes what the one before puts out. It begins empty.
#' [layer_dense()] and the other `layer_*()` functions add layers, [compile()][compile.lamina_model] says
#' what is to be minimized and how, [fit()][fit.lamina_model] trains, and
#' [predict()][predict.lamina_model] uses what was learned.
#'
#' Unlike most objects in R a model is changed in place: `model |> layer_dense(8)` adds a layer to `model`
#' whether or not the result is assigned, and `compile()`, `fit()` and [set_weights()] do likewise. So
#' `other <- model` is a second name for the same model; [clone_model()] makes a new one.
#'
#' Shapes are worked out as soon as an input shape is known, otherwise at the first batch of data.
#' Initial weights are random numbers. They are drawn from R's generator when they are first needed, so
#' call [set.seed()] before building the model.
#'
#' @param input_shape Shape of one sample, without the number of samples: `8` for a matrix of 8 columns,
#'   `c(28, 28, 1)` for pictures (height, width, channels), `list(5, 3)` for series of 5 steps with 3
#'   numbers each. May be left out, or be given to the first layer. A list of layers is taken for
#'   `layers`.
#' @param name Name of the model, for the printed table; `"sequential"` when `NULL`.
#' @param ... Not used: further arguments of keras3 are refused.
#' @param input_dtype,input_batch_size,input_sparse,input_ragged,input_batch_shape,input_name,input_tensor,input_optional
#'   For scripts written for keras3: `input_batch_shape` gives the batch size, which stateful layers
#'   need (see [reset_states()]), and the shape of the input; `input_batch_size` the batch size alone.
#'   A name and a type are accepted and have no effect; the others must be left at their defaults.
#' @param trainable `FALSE` freezes the layers in `layers`: training leaves their weights alone. Layers
#'   that are added later are trained; [freeze_weights()] freezes them.
#' @param layers A list (or [c()]) of layers, the way to build a model without the pipe.
#' @return An object of class `lamina_sequential`, an environment. Printed, it shows the table of its
#'   layers (see [summary()][print.lamina_model]); `model$layers` is the list of them.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, or one that lamina does not have; `lamina_error_shape` for a
#' layer that cannot take what the layer before puts out; `lamina_error_state` for a layer that belongs to
#' another model already. A layer that was refused is not added.
#' @seealso [lamina()] for a network by formula and data frame; [layer_dense()], [compile.lamina_model()],
#'   [fit.lamina_model()], [plot.lamina_model()].
#' @family model verbs
#' @examples
#' # 2-3-2: two inputs, three hidden neurons, two outputs
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(units = 3, activation = "relu") |>
#'   layer_dense(units = 2, activation = "softmax")
#' model # 2 * 3 weights + 3 biases = 9 parameters, then 3 * 2 + 2 = 8
#'
#' # the same as a list of layers
#' keras_model_sequential(layers = list(
#'   layer_dense(units = 3, activation = "relu", input_shape = 2),
#'   layer_dense(units = 2, activation = "softmax")
#' ))
#'
#' # it can compute at once, with random weights: probabilities of two classes for one sample
#' predict(model, matrix(c(0.5, 1), nrow = 1))
#' @export
keras_model_sequential <- function(input_shape = NULL, name = NULL, ..., input_dtype = NULL,
                                   input_batch_size = NULL, input_sparse = NULL, input_ragged = NULL,
                                   input_batch_shape = NULL, input_name = NULL, input_tensor = NULL,
                                   input_optional = FALSE, trainable = TRUE, layers = list()) {
  check_no_dots(list(...))
  check_unsupported(input_sparse)
  check_unsupported(input_ragged)
  check_unsupported(input_tensor)
  check_unsupported(input_optional, FALSE)
  if (is_layer(input_shape) || (is.list(input_shape) && length(input_shape) && !is.numeric(input_shape[[1L]]))) {
    layers <- input_shape
    input_shape <- NULL
  }
  if (!is.null(input_batch_shape)) {
    parts <- split_batch_shape(input_batch_shape)
    input_shape <- parts$shape
    input_batch_size <- parts$batch_size
  }
  model <- new.env(parent = emptyenv())
  class(model) <- c("lamina_sequential", "lamina_model")
  model$name <- check_string(if (is.null(name)) "sequential" else name, arg = "name")
  model$stack <- list()
  model$front <- NULL
  model$shape <- check_shape(input_shape, allow_null = TRUE)
  model$batch_size <- check_count(input_batch_size, allow_null = TRUE)
  model$state_batch <- NULL
  model$ptr <- NULL
  model$info <- NULL
  model$state <- NULL
  model$epoch <- 0
  model$resume <- FALSE
  model$history <- NULL
  model$stop_training <- FALSE
  model$own <- FALSE
  model$tokens <- NULL
  for (layer in if (is_layer(layers)) list(layers) else layers) {
    add_layer(model, layer)
  }
  if (!check_flag(trainable)) {
    freeze_weights(model)
  }
  model
}

#' The input of a model
#'
#' Says what one sample looks like; goes first in a list of layers. `keras_input()` and
#' `layer_input()` are the same.
#'
#' @param shape Shape of one sample.
#' @param batch_size The number of samples in every batch, which stateful layers need: see
#'   [reset_states()]. `NULL`: any.
#' @param dtype `NULL`, `"float32"`, `"int32"`, or `"string"` before [layer_text_vectorization()].
#' @param ... `name` (has no effect) and `batch_shape`, the batch size and the shape in one.
#' @return An object to put first into `keras_model_sequential(layers = )`.
#' @family layers
#' @examples
#' keras_model_sequential(layers = list(keras_input(shape = 4), layer_dense(units = 2)))
#' @export
keras_input <- function(shape = NULL, batch_size = NULL, dtype = NULL, ...) {
  dots <- list(...)
  check_no_dots(dots, c("name", "batch_shape"))
  if (!is.null(dots$batch_shape)) {
    parts <- split_batch_shape(dots$batch_shape)
    shape <- parts$shape
    batch_size <- parts$batch_size
  }
  if (!is.null(dtype) && !dtype %in% c("float32", "int32", "string")) {
    abort_argument("dtype", "\"float32\", \"int32\" or \"string\"", describe(dtype))
  }
  input <- list(shape = check_shape(shape), batch_size = check_count(batch_size, allow_null = TRUE))
  structure(input, class = "lamina_input")
}

#' @rdname keras_input
#' @export
layer_input <- keras_input

# ---- layers in and out ---------------------------------------------------------------------------

# The layers of the network.
model_layers <- function(model) .subset2(model, "stack")

# All layers, the one in front of the network included.
all_layers <- function(model) c(.subset2(model, "front"), model_layers(model))

is_built <- function(model) !is.null(.subset2(model, "info"))

add_layer <- function(model, layer, call = rlang::caller_env()) {
  if (inherits(layer, "lamina_input")) {
    return(set_input(model, layer, call = call))
  }
  if (!is_layer(layer)) {
    abort_argument("layers", "a list of layers", sprintf("one with %s in it", describe(layer)), call = call)
  }
  self <- layer_self(layer)
  if (!is.null(self$model)) {
    abort_lamina(sprintf("Layer `%s` already belongs to a model; make a new layer.", self$name), "state", call = call)
  }
  if (is_front(layer)) {
    return(set_front(model, layer, call))
  }
  stack <- model_layers(model)
  shape <- model$shape
  if (length(all_layers(model)) == 0L && !is.null(self$input_shape)) {
    shape <- self$input_shape
  } else if (length(stack) && !is.null(self$input_shape)) {
    # Keras ignores an input shape further up; lamina says when it is wrong, once shapes are known
    check_inner_shape(model, self, call)
  }
  batch_size <- agreed_batch_size(model, self, call)
  name <- self$name
  self$name <- unique_name(model, if (is.null(name)) snake_case(self$class) else name, !is.null(name), call)
  kept <- mget(c("shape", "batch_size"), envir = model)
  model$batch_size <- batch_size
  restructure(model, c(stack, list(layer)), shape, on_failure = function() {
    self$name <- name
    list2env(kept, model)
  })
  model
}

set_input <- function(model, input, call) {
  if (length(all_layers(model))) {
    abort_lamina("An input goes before all layers.", "state", call = call)
  }
  model$shape <- input$shape
  model$batch_size <- input$batch_size
  model
}

# The network's shape is then what comes out of the layer, as soon as that is known.
set_front <- function(model, layer, call) {
  self <- layer_self(layer)
  if (length(all_layers(model))) {
    abort_lamina(sprintf("A layer of layer_%s() goes before all others.", self$type), "state", call = call)
  }
  if (is.null(self$name)) {
    self$name <- self$type
  }
  self$model <- model
  list2env(list(front = layer, shape = front_shape(self), own = TRUE), model)
  model
}

remove_front <- function(model) {
  front <- model$front
  assign("model", NULL, layer_self(front))
  list2env(list(front = NULL, shape = NULL, own = FALSE), model)
  front
}

check_inner_shape <- function(model, self, call) {
  if (is_built(model)) {
    before <- model$info[[length(model$info)]]$output_shape
    if (!isTRUE(all.equal(as.numeric(before), self$input_shape))) {
      abort_lamina(
        sprintf("`input_shape` of layer %s is %s, but the layer before gives %s.", self$class,
                shape_text(self$input_shape), shape_text(before)),
        "shape", arg = "input_shape", expected = shape_text(before), actual = shape_text(self$input_shape), call = call
      )
    }
  }
}

# dense, dense_1, dense_2, ... within the model
unique_name <- function(model, base, given, call) {
  taken <- vapply(all_layers(model), function(l) layer_self(l)$name, "")
  if (given && base %in% taken) {
    abort_argument("name", "a name that no other layer of the model has", sprintf("\"%s\"", base), call = call)
  }
  if (!base %in% taken) base else setdiff(sprintf("%s_%d", base, seq_along(taken)), taken)[1L]
}

# Puts another list of layers into the model, keeping the weights of layers that stay.  Whatever
# fails leaves the model as it was.
restructure <- function(model, stack, shape, on_failure = function() NULL) {
  fields <- c("stack", "shape", "state_batch", "ptr", "info", "state")
  old <- mget(fields, envir = model)
  done <- FALSE
  on.exit(if (!done) {
    set_owner(stack, NULL)
    set_owner(old$stack, model)
    list2env(old, model)
    on_failure()
  })
  keep_values(model)
  set_owner(old$stack, NULL)
  set_owner(stack, model)
  list2env(list(stack = stack, shape = shape, ptr = NULL, info = NULL, state = NULL), model)
  stateful <- any(vapply(stack, function(layer) is_stateful(layer_self(layer)$config), NA))
  model$state_batch <- if (stateful) model$batch_size
  if (!is.null(shape)) {
    infer_shapes(model, shape)
  }
  model$tokens <- token_limit(stack)
  model$own <- length(own_activations(model)) > 0L || !is.null(model$front)
  done <- TRUE
  invisible(model)
}

set_owner <- function(stack, model) {
  for (layer in stack) {
    assign("model", model, layer_self(layer))
  }
}

# Each layer remembers its weights while the model is taken apart.
keep_values <- function(model) {
  if (is.null(model$state)) {
    return(invisible())
  }
  weights <- get_weights(model)
  owner <- weight_owner(model)
  for (i in seq_along(model_layers(model))) {
    assign("values", weights[owner == i], layer_self(model_layers(model)[[i]]))
  }
}

# ---- the core's network --------------------------------------------------------------------------

draw_seed <- function() floor(stats::runif(1L, 0, 2^31))

# seed: of the initial weights; NULL: the shapes only; FALSE: weights that are to be restored.
new_network <- function(model, seed) {
  .Call(ffi_net_new, lapply(model_layers(model), layer_spec), as.double(model$shape), seed)
}

# Works the shapes out, so that the model can be printed and data checked against it.
infer_shapes <- function(model, shape) {
  model$shape <- as.double(shape)
  model$info <- .Call(ffi_net_describe, new_network(model, NULL))
  tell_dropped_mask(model)
  invisible(model)
}

# Says once when a mask comes to a layer that neither heeds it nor hands it on.
tell_dropped_mask <- function(model) {
  drops <- vapply(model$info, function(l) l$mask_in > 0 && l$mask_out == 0 && !l$uses_mask, NA)
  if (any(drops) && is.null(model$told_mask)) {
    model$told_mask <- TRUE
    layer <- layer_self(model_layers(model)[[which(drops)[1L]]])
    inform_lamina(
      c(i = sprintf("Layer `%s` (%s) cannot use the mask that reaches it: masked steps count from here on.",
                    layer$name, layer$class)),
      "lamina_message_mask"
    )
  }
}

# Makes the weights: one number from R's generator seeds them all.
make_weights <- function(model) {
  ptr <- new_network(model, draw_seed())
  install_values(model, ptr)
  if (!is.null(model$compiled)) {
    compile_network(model$compiled, ptr)
  }
  change_state(model, model$ptr <- ptr)
  forget_values(model)
  ptr
}

# Weights that a layer brings along, and those of initializers that are R functions.
install_values <- function(model, ptr) {
  owner <- weight_owner(model)
  weights <- vector("list", length(owner))
  for (i in seq_along(model_layers(model))) {
    self <- layer_self(model_layers(model)[[i]])
    info <- model$info[[i]]
    at <- which(owner == i)
    fits <- length(self$values) == length(at) &&
      all(mapply(function(v, s) length(v) == prod(s), self$values, info$weight_shapes))
    if (!fits && isTRUE(self$brought)) {
      abort_weights(self, info)
    }
    if (fits) {
      weights[at] <- self$values
    } else {
      for (argument in grep("_initializer$", names(self$functions), value = TRUE)) {
        k <- initialized_weight(argument, info$weight_names)
        if (is.na(k)) next # a bias that the layer does without
        weights[[at[k]]] <- own_initial_values(self$functions[[argument]], info$weight_shapes[[k]], argument)
      }
    }
  }
  .Call(ffi_net_set_weights, ptr, weights)
}

# They are the model's from here on.
forget_values <- function(model) {
  for (layer in model_layers(model)) {
    list2env(list(values = NULL, brought = FALSE), layer_self(layer))
  }
}

abort_weights <- function(self, info) {
  shapes <- vapply(info$weight_shapes, function(s) sprintf("(%s)", paste(s, collapse = ", ")), "")
  abort_argument("weights", sprintf("a list of arrays of shape %s for layer `%s`", paste(shapes, collapse = ", "), self$name),
                 describe(self$values))
}

# Which weight an argument starts: "recurrent_initializer" the weight "recurrent_kernel"; the only kernel
# of a depthwise convolution is "kernel".  NA: there is none.
initialized_weight <- function(argument, weight_names) {
  name <- sub("_initializer$", "", argument)
  at <- match(c(name, paste0(name, "_kernel"), if (name == "depthwise") "kernel"), weight_names)
  at[!is.na(at)][1L]
}

own_initial_values <- function(fn, shape, argument) {
  values <- fn(as.integer(shape))
  if (!is.numeric(values) || length(values) != prod(shape) || anyNA(values)) {
    abort_argument(argument, sprintf("a function that gives %s numbers", shape_text(shape)), describe(values))
  }
  array(as.double(values), dim = if (length(shape)) shape else 1L)
}

# The living network of a model whose shapes are known: its weights are made when they are first
# needed, and the network is made anew from the model's R values when the pointer comes from
# another session.
net_ptr <- function(model) {
  ptr <- .subset2(model, "ptr")
  if (.Call(ffi_net_alive, ptr)) {
    return(ptr)
  }
  if (is.null(model$state)) {
    return(make_weights(model))
  }
  ptr <- new_network(model, FALSE)
  if (!is.null(model$compiled)) {
    compile_network(model$compiled, ptr)
  }
  .Call(ffi_net_restore, ptr, model$state)
  model$ptr <- ptr
  model$resume <- model$resume || model$epoch > 0
  ptr
}

# Runs code that may be the first to tell the input shape or to make the weights; when it fails, a model that had
# none has none again.  of: what the model had to lack, "info" (shapes) or "state" (weights).
undo_on_error <- function(model, code, of = "info") {
  before <- mget(c("shape", "info", "ptr", "state"), envir = model)
  done <- FALSE
  on.exit(if (!done && is.null(before[[of]])) list2env(before, model))
  value <- code
  done <- TRUE
  value
}

require_built <- function(model, call = rlang::caller_env()) {
  if (!is_built(model)) {
    abort_lamina(
      c("The model has no weights yet.",
        i = "Give the first layer an `input_shape`, or fit the model."),
      "state", call = call
    )
  }
}

pull_state <- function(model) { # once an epoch: past the methods of `$`, which take longer than the rest
  assign("state", .Call(ffi_net_state, .subset2(model, "ptr")), envir = model)
}

# Runs code that changes the network, and takes what it then holds: Ctrl-C comes before or after, not in between.
change_state <- function(model, code) {
  suspendInterrupts({
    code
    pull_state(model)
  })
}

push_trainable <- function(model) {
  if (!is.null(model$state)) {
    flags <- vapply(model_layers(model), function(l) layer_self(l)$trainable, NA)
    .Call(ffi_net_set_trainable, net_ptr(model), flags)
  }
}

# For every weight array in get_weights()' order: the number of its layer.
weight_owner <- function(model) {
  rep(seq_along(model$info), vapply(model$info, function(i) length(i$weight_names), 0L))
}

weight_trainable <- function(model) {
  flags <- vapply(model_layers(model), function(l) layer_self(l)$trainable, NA)
  unlist(Map(function(info, flag) info$weight_trainable & flag, model$info, flags), use.names = FALSE)
}

# ---- Python-like access --------------------------------------------------------------------------

model_members <- list(
  layers = function(model) all_layers(model),
  get_weights = function(model) function() get_weights(model),
  set_weights = function(model) function(weights) set_weights(model, weights),
  reset_states = function(model) function() reset_states(model),
  summary = function(model) function(...) summary(model, ...),
  count_params = function(model) function() count_params(model),
  get_layer = function(model) function(name = NULL, index = NULL) get_layer(model, name, index),
  compile = function(model) function(...) compile(model, ...),
  fit = function(model) function(...) fit(model, ...),
  evaluate = function(model) function(...) evaluate(model, ...),
  predict = function(model) function(...) predict(model, ...),
  save = function(model) function(filepath, ...) save_model(model, filepath, ...),
  built = function(model) is_built(model),
  trainable = function(model) any(vapply(model_layers(model), function(l) layer_self(l)$trainable, NA)),
  weights = function(model) get_weights(model),
  input_shape = function(model) {
    shape <- if (is.null(model$front)) model$shape else 1
    if (is.null(shape)) NULL else c(list(NULL), as.list(as.integer(shape)))
  },
  output_shape = function(model) if (is_built(model)) c(list(NULL), as.list(model$info[[length(model$info)]]$output_shape)),
  optimizer = function(model) model_optimizer(model),
  loss = function(model) .subset2(model, "compiled")$loss_label
)

#' @export
`$.lamina_model` <- function(x, name) {
  member <- model_members[[name]]
  if (is.null(member)) .subset2(x, name) else member(x)
}

#' @export
`$<-.lamina_model` <- function(x, name, value) {
  if (name == "trainable") {
    set_frozen(x, NULL, NULL, NULL, check_flag(value, arg = "trainable"))
  } else if (name == "optimizer") {
    replace_rate(x, value)
  } else if (name %in% names(model_members)) {
    abort_argument(name, "left as it is: of what a model tells, `trainable` and `optimizer$learning_rate` can be set", "assigned",
                   call = rlang::caller_env())
  } else {
    assign(name, value, envir = x)
  }
  x
}

# model$optimizer$learning_rate <- 0.01 comes as an optimizer that differs from the model's by its rate.
replace_rate <- function(model, optimizer, call = rlang::caller_env(2L)) {
  before <- model_optimizer(model)
  rest <- function(spec) spec$config[setdiff(names(spec$config), "learning_rate")]
  if (is.null(before) || !inherits(optimizer, "lamina_optimizer") || before$type != optimizer$type ||
      !identical(rest(before), rest(optimizer))) {
    abort_argument("optimizer", if (is.null(before)) "given to compile() first" else "the model's own with another `learning_rate`",
                   describe(optimizer), hint = c(i = "compile() takes another optimizer."), call = call)
  }
  if (!is.numeric(optimizer$learning_rate)) {
    abort_argument("learning_rate", "a number", "a schedule", hint = c(i = "compile() takes a schedule."), call = call)
  }
  set_model_rate(model, optimizer$learning_rate)
}
