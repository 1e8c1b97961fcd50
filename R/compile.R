# compile(): what a model is trained with.
#
# model$compiled is a plain list: optimizer and loss as specs (loss NULL and own_loss a function
# for a loss of the user's own), sum_loss, metrics and weighted_metrics as lists of specs,
# own_metrics as a named list of functions, loss_label for print(), precision of the products.

#' Configure a model for training
#'
#' @param object A model from [keras_model_sequential()].
#' @param optimizer An `optimizer_*()` object or its name.
#' @param loss A `loss_*()` object or function, its name, or a loss of one's own: a function of
#'   `(y_true, y_pred)` that returns `list(value = <number>, gradient = <array like y_pred>)`, checked
#'   once against finite differences when training starts.
#' @param metrics A list or character vector of metrics: names, `metric_*()` objects, or functions of
#'   `(y_true, y_pred)` that return a number (averaged over the batches, weighted by their size).
#'   `"accuracy"` and `"crossentropy"` are resolved by the shapes of targets and predictions, as
#'   in Keras. These metrics do not use sample or class weights.
#' @param ... Not used.
#' @param loss_weights Must be `NULL`: a sequential model has one output.
#' @param weighted_metrics Metrics that use the sample and class weights.
#' @param run_eagerly,steps_per_execution,jit_compile,auto_scale_loss Accepted for scripts written for
#'   keras3; lamina always runs its compiled engine, so they have no effect.
#' @param precision What products of matrices multiply: `"float32"`, or numbers rounded to `"bfloat16"` (also
#'   `"mixed_bfloat16"`, Keras' name for it; see below).
#' @return The model, invisibly. It is changed in place; a fresh compilation starts the optimizer's
#'   state afresh and leaves the weights alone.
#' @section Products in bfloat16:
#' A bfloat16 has the range of a float32 and 8 bits of precision instead of 24. With `precision = "bfloat16"` the
#' products of `layer_dense()`, `layer_attention()` and `layer_multi_head_attention()` round the numbers that they
#' multiply, to the nearest, in training, `evaluate()` and `predict()`, and sum in float32. Weights, outputs,
#' gradients, the optimizer's state, losses, normalization and what is saved stay in float32. So do
#' convolutions (those of 3 x 3 multiply a quarter as often by a method that magnifies rounding, others read
#' pictures in place, where rounding would take copies), recurrent layers (many small products, whose errors would
#' add up over time) and products with a sparse matrix. In Keras this is a policy of layers,
#' `dtype = "mixed_bfloat16"`; here it belongs to what was compiled, is saved with it, and goes when the model
#' is compiled anew or loaded with `compile = FALSE`.
#'
#' **When it pays.** It is faster only where a processor multiplies bfloat16 faster than float32. AMD's from Zen 4 on
#' do (their instruction is used, but could not be measured for this page). Intel's have the same instruction at half
#' the speed of float32; so there, and everywhere else, numbers are rounded and multiplied as float32: batches of 128
#' through dense layers of 512 take about 4 % longer than in float32 (Sapphire Rapids, one thread), batches of 16
#' 13 %. No memory is saved. Where it does not pay, its use is to see what bfloat16 does to a model. Products have
#' the same bits for any number of threads and, as the instruction is defined, either way (tested on Intel's).
#'
#' **What it costs.** A gradient of one sample is off by about 2^-8 of itself; over a batch, where gradients cancel,
#' by more. Means and standard deviations on data held out, after training with the same five seeds (5, 5 and 30
#' epochs of Adam):
#'
#' | | float32 | bfloat16 | difference (standard error) |
#' |---|---|---|---|
#' | MNIST, 8,500 pictures, two layers of 512: accuracy | 0.9523 (0.0029) | 0.9527 (0.0046) | 0.0004 (0.0010) |
#' | Adult, 30,162 rows, two layers of 64: accuracy | 0.8466 (0.0014) | 0.8469 (0.0013) | 0.0003 (0.0001) |
#' | Abalone, 3,177 rows, two layers of 64: squared error | 4.622 (0.074) | 4.608 (0.077) | -0.014 (0.004) |
#'
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(units = 3, activation = "softmax")
#' model |> compile(
#'   optimizer = optimizer_adam(learning_rate = 0.01),
#'   loss = "sparse_categorical_crossentropy",
#'   metrics = "accuracy"
#' )
#' @export
compile.lamina_model <- function(object, optimizer = "rmsprop", loss = NULL, metrics = NULL, ...,
                                 loss_weights = NULL, weighted_metrics = NULL, run_eagerly = FALSE,
                                 steps_per_execution = 1L, jit_compile = "auto",
                                 auto_scale_loss = TRUE, precision = "float32") {
  check_no_dots(list(...))
  precision <- sub("mixed_", "", check_choice(precision, c("float32", "bfloat16", "mixed_bfloat16")), fixed = TRUE)
  check_unsupported(loss_weights)
  if (is.null(loss)) {
    abort_argument("loss", "a loss or its name", "NULL",
                   hint = c(i = "For example loss = \"mean_squared_error\"."))
  }
  if (is.null(optimizer)) {
    abort_argument("optimizer", "an optimizer or its name", "NULL", hint = c(i = "For example optimizer = \"adam\"."))
  }
  compiled <- c(
    list(optimizer = as_spec(optimizer_object(optimizer), "optimizer", arg = "optimizer"), precision = precision),
    read_loss(loss),
    read_metrics(metrics, "metrics", "metrics", "own_metrics"),
    read_metrics(weighted_metrics, "weighted_metrics", "weighted_metrics", "own_weighted_metrics")
  )
  if (length(compiled$own_weighted_metrics)) {
    abort_argument("weighted_metrics", "metrics of lamina's", "a function",
                   hint = c(i = "Metrics of one's own go into `metrics`."))
  }
  .Call(ffi_check_compile, compiled$optimizer, compiled$loss)
  suspendInterrupts({
    if (!is.null(object$state)) { # for which there may be no memory
      compile_network(compiled, net_ptr(object))
      pull_state(object)
    }
    object$compiled <- compiled
    object$epoch <- 0
    object$resume <- FALSE
  })
  invisible(object)
}

compile_network <- function(compiled, ptr) {
  .Call(ffi_net_compile, ptr, compiled$optimizer, compiled$loss, compiled$sum_loss,
        rounds_products(compiled))
}

# Do products round what they multiply to bfloat16?
rounds_products <- function(compiled) identical(compiled$precision, "bfloat16")

# Compiled, and with something to train.
require_compiled <- function(model, call = rlang::caller_env()) {
  if (length(model_layers(model)) == 0L) {
    abort_lamina(
      c("The model has no layers.", i = "Add some, for example model |> layer_dense(units = 1)."), "state", call = call
    )
  }
  if (is.null(model$compiled)) {
    abort_lamina(
      c("The model has not been compiled.", i = "Call compile(model, optimizer, loss) first."),
      "state", call = call
    )
  }
}

# A constructor given without its parentheses, `optimizer = optimizer_adam`, is called.
called <- function(x, pattern) {
  ours <- is.function(x) && is.null(attr(x, "spec")) && identical(environment(x), topenv()) &&
    any(grepl(pattern, own_name(x)))
  if (ours) x() else x
}

own_name <- function(fn) {
  ns <- topenv()
  for (name in getNamespaceExports(ns)) {
    if (identical(get(name, envir = ns), fn)) {
      return(name)
    }
  }
  ""
}

optimizer_object <- function(x) called(x, "^optimizer_")

read_loss <- function(loss, call = rlang::caller_env()) {
  loss <- called(loss, "^loss_")
  if (is.function(loss) && is.null(spec_of(loss, "loss"))) {
    return(list(loss = NULL, own_loss = loss, sum_loss = FALSE, loss_label = "own loss"))
  }
  reduction <- if (inherits(loss, "lamina_loss")) loss$reduction
  if (is.null(reduction)) {
    reduction <- "sum_over_batch_size"
  }
  if (!reduction %in% c("sum_over_batch_size", "mean", "sum")) {
    abort_argument("reduction", "\"sum_over_batch_size\", \"mean\" or \"sum\" in training", describe(reduction), call = call)
  }
  spec <- as_spec(loss, "loss", arg = "loss", call = call)
  list(loss = spec, own_loss = NULL, sum_loss = reduction == "sum", loss_label = spec$type)
}

# The metrics' specs under `field`, the user's own functions under `own`.
read_metrics <- function(metrics, arg, field, own, call = rlang::caller_env()) {
  if (inherits(metrics, c("lamina_spec", "lamina_metric", "lamina_custom_metric")) || is.function(metrics)) {
    metrics <- list(metrics)
  }
  metrics <- as.list(metrics)
  names <- rlang::names2(metrics)
  specs <- list()
  functions <- list()
  for (i in seq_along(metrics)) {
    metric <- called(metrics[[i]], "^metric_")
    if (inherits(metric, "lamina_custom_metric")) {
      name <- if (nzchar(names[i])) names[i] else metric$name
      functions[[name]] <- metric$fn
    } else if (is.function(metric)) {
      name <- if (nzchar(names[i])) names[i] else sprintf("metric_%d", i)
      functions[[name]] <- metric
    } else {
      specs <- c(specs, list(metric_spec(metric, names[i], arg, call)))
    }
  }
  stats::setNames(list(specs, functions), c(field, own))
}

# "acc" keeps its name in the history; "accuracy" and "crossentropy" are resolved by the core.
metric_spec <- function(metric, name, arg, call) {
  by_shape <- c("accuracy", "acc", "crossentropy", "ce")
  spec <- if (is.character(metric) && length(metric) == 1L && metric %in% by_shape) {
    list(type = metric, config = list())
  } else {
    as_spec(metric, "metric", arg = arg, more = by_shape, call = call)
  }
  if (is.character(metric)) {
    spec$config$name <- metric
  }
  if (nzchar(name)) {
    spec$config$name <- name
  }
  spec
}

model_optimizer <- function(model) {
  spec <- .subset2(model, "compiled")$optimizer
  if (is.null(spec)) {
    return(NULL)
  }
  new_spec("optimizer", spec$type, spec$config)
}

# The learning rate of the next step.
model_rate <- function(model) .Call(ffi_net_rate, net_ptr(model))

# A constant rate from now on; part of what is saved.
set_model_rate <- function(model, rate) {
  rate <- check_number(rate, min = 0, arg = "learning_rate")
  if (is_built(model)) .Call(ffi_net_set_rate, net_ptr(model), rate)
  compiled <- model$compiled
  compiled$optimizer$config$learning_rate <- rate
  model$compiled <- compiled
  invisible(rate)
}
