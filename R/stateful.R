# Stateful recurrent layers: a batch begins with the states that the one before ended with.  The states
# are part of the model's state vector; sample i of a batch goes on from sample i of the batch before,
# so all batches have the size that the model was made with:
#   model$batch_size   as given with the input, or NULL
#   model$state_batch  the same where a layer is stateful, else NULL

#' Forget the states of stateful layers
#'
#' A recurrent layer with `stateful = TRUE` begins each batch with the states that the batch before
#' ended with: sample `i` goes on where sample `i` of the batch before stopped. So one long sequence can
#' be learned, or predicted, piece by piece. `reset_states()` sets the states to zero, as they are at
#' first; `reset_state()` is the same.
#'
#' Such a model must know its batch size: give `batch_input_shape = c(samples, steps, features)` or
#' `batch_size` to its first layer, or `input_batch_size` to [keras_model_sequential()]. All batches must
#' then have that size, and where `batch_size` is left out [fit()][fit.lamina_model],
#' [evaluate()] and [predict()][predict.lamina_model] use it. All three move the states on, and so
#' does validation within `fit()`; [layer_outputs()] and [compute_gradients()] start from zero and leave
#' them alone. Nothing but `reset_states()` sets them back, no new epoch either, and the samples must
#' come in their order: use `shuffle = FALSE`. The states are saved with the model.
#'
#' @param object A model, or a layer of one.
#' @return The object, invisibly.
#' @section Errors:
#' A `stateful` layer without a batch size raises `lamina_error_argument`, and so does another
#' `batch_size`; a number of samples that does not fill all batches raises `lamina_error_data`. Nothing is
#' changed then.
#' @family model verbs
#' @examples
#' # two long series, a step at a time
#' set.seed(1)
#' model <- keras_model_sequential(input_batch_shape = c(2, 1, 1)) |>
#'   layer_gru(units = 3, stateful = TRUE)
#' series <- matrix(rnorm(8), nrow = 2)
#' for (t in 1:4) {
#'   last <- predict(model, array(series[, t], c(2, 1, 1)))
#' }
#' last
#'
#' # begin anew: the first step alone
#' reset_states(model)
#' predict(model, array(series[, 1], c(2, 1, 1)))
#'
#' # in training: an epoch goes through the series once, from the beginning
#' begin_anew <- function(model) {
#'   callback_lambda(on_epoch_begin = function(epoch, logs) reset_states(model))
#' }
#' model |> compile(loss = "mse")
#' model |> fit(array(series, c(8, 1, 1)), matrix(0, 8, 3), epochs = 2, shuffle = FALSE, verbose = 0,
#'              callbacks = begin_anew(model))
#' @export
reset_states <- function(object) {
  if (is_layer(object)) {
    reset_layer_states(layer_self(object))
  } else {
    check_model(object)
    reset_states_of(object, seq_along(model_layers(object)))
  }
  invisible(object)
}

#' @rdname reset_states
#' @export
reset_state <- reset_states

reset_layer_states <- function(self) {
  if (!is.null(self$model)) {
    reset_states_of(self$model, layer_index(self))
  }
}

# at: positions of layers.  Before there are weights there is nothing to forget.
reset_states_of <- function(model, at) {
  if (!is.null(model$state)) {
    change_state(model, .Call(ffi_net_reset_states, net_ptr(model), at))
  }
}

# Whether a layer's configuration, or that of a layer within it, is stateful.
is_stateful <- function(config) {
  isTRUE(config$stateful) || any(vapply(config[is_inner(config)], function(inner) is_stateful(inner$config), NA))
}

# A configuration with the batch size told to the stateful layers in it.
with_batch_size <- function(config, batch_size) {
  if (isTRUE(config$stateful)) {
    config$batch_size <- batch_size
  }
  inner <- is_inner(config)
  config[inner] <- lapply(config[inner], function(spec) {
    spec$config <- with_batch_size(spec$config, batch_size)
    spec
  })
  config
}

is_inner <- function(config) vapply(config, function(v) is.list(v) && is.list(v$config), NA)

# The batch size of a model once a layer is added to it.
agreed_batch_size <- function(model, self, call) {
  own <- self$batch_size
  batch_size <- model$batch_size
  if (!is.null(own) && !is.null(batch_size) && own != batch_size) {
    abort_argument("batch_size", sprintf("%g, as in the layers before", batch_size), describe(own), call = call)
  }
  batch_size <- if (is.null(batch_size)) own else batch_size
  if (is.null(batch_size) && is_stateful(self$config)) {
    abort_argument(
      "batch_size", "given where a layer is stateful", "left out",
      hint = c(i = "Give the model's first layer `batch_input_shape = c(samples, steps, features)`."), call = call
    )
  }
  batch_size
}

# The batch size, and the shape of a sample, of a shape that begins with the batch size; NULL or NA
# stand for any.
split_batch_shape <- function(x) {
  x <- as.list(x)
  first <- if (length(x)) x[[1L]]
  list(batch_size = if (!identical(is.na(first), TRUE)) first, shape = x[-1L])
}

# ---- batches -------------------------------------------------------------------------------------

# Samples a batch: what was asked for, else 32; a stateful model has its own.
resolve_batch_size <- function(model, batch_size, arg = "batch_size", call = rlang::caller_env()) {
  batch_size <- check_count(batch_size, allow_null = TRUE, arg = arg, call = call)
  own <- .subset2(model, "state_batch")
  if (is.null(own)) {
    return(if (is.null(batch_size)) 32 else batch_size)
  }
  if (!is.null(batch_size) && batch_size != own) {
    abort_argument(arg, sprintf("%g, the batch size of this stateful model", own), describe(batch_size), call = call)
  }
  own
}

check_whole_batches <- function(model, n, arg = "x", call = rlang::caller_env()) {
  own <- model$state_batch
  if (!is.null(own) && n %% own != 0) {
    abort_uneven(sprintf("a multiple of %g", own), n, arg, call)
  }
}

check_one_batch <- function(model, n, arg = "x", call = rlang::caller_env()) {
  own <- model$state_batch
  if (!is.null(own) && n != own) {
    abort_uneven(format(own), n, arg, call)
  }
}

abort_uneven <- function(expected, n, arg, call) {
  abort_lamina(
    sprintf("This model is stateful: the number of samples in `%s` must be %s, not %g.", arg, expected, n),
    "data", arg = arg, expected = expected, actual = n, call = call
  )
}

# A dataset whose batches, of which `steps` are taken, do not all have the model's size.
check_dataset_batches <- function(model, x, steps, arg = "x", call = rlang::caller_env()) {
  if (is_dataset(x)) {
    check_one_batch(model, x$batch_size, arg, call)
    check_whole_batches(model, min(x$samples, steps * x$batch_size), arg, call)
  }
}

warn_shuffled <- function(model, shuffle) {
  if (shuffle && !is.null(model$state_batch)) {
    warn_lamina(
      c("fit() shuffles the samples, but the states of this stateful model go on from batch to batch.",
        i = "Use shuffle = FALSE."),
      "lamina_warning_stateful"
    )
  }
}

# ---- states --------------------------------------------------------------------------------------

# Runs code that moves the states on: where they arrived becomes the model's; after a failure they
# are where they were.
moving_states <- function(model, code) {
  if (is.null(model$state_batch)) {
    return(code)
  }
  before <- if (is_built(model)) .Call(ffi_net_state, net_ptr(model))
  done <- FALSE
  on.exit(if (done) pull_state(model) else if (!is.null(before)) .Call(ffi_net_restore, net_ptr(model), before))
  value <- code
  done <- TRUE
  value
}

# Runs code and leaves the states where they were.
holding_states <- function(model, code) {
  if (!is.null(model$state_batch)) {
    before <- .Call(ffi_net_state, net_ptr(model))
    on.exit(.Call(ffi_net_restore, net_ptr(model), before))
  }
  code
}
