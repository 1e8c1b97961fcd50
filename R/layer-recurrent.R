# Recurrent layers: simple_rnn, lstm and gru differ in their cell; what surrounds it is the same.

# How each argument is brought into the form that the core takes; a layer has those that are among
# its formal arguments.
recurrent_arguments <- list(
  units = function(x, arg, call) check_count(x, arg = arg, call = call),
  activation = function(x, arg, call) as_step_activation(x, arg, call),
  recurrent_activation = function(x, arg, call) as_step_activation(x, arg, call),
  use_bias = function(x, arg, call) check_flag(x, arg = arg, call = call),
  kernel_initializer = function(x, arg, call) as_initializer(x, arg, call),
  recurrent_initializer = function(x, arg, call) as_initializer(x, arg, call),
  bias_initializer = function(x, arg, call) as_initializer(x, arg, call),
  unit_forget_bias = function(x, arg, call) check_flag(x, arg = arg, call = call),
  kernel_regularizer = function(x, arg, call) as_regularizer(x, arg, call),
  recurrent_regularizer = function(x, arg, call) as_regularizer(x, arg, call),
  bias_regularizer = function(x, arg, call) as_regularizer(x, arg, call),
  activity_regularizer = function(x, arg, call) as_regularizer(x, arg, call),
  kernel_constraint = function(x, arg, call) as_constraint(x, arg, call),
  recurrent_constraint = function(x, arg, call) as_constraint(x, arg, call),
  bias_constraint = function(x, arg, call) as_constraint(x, arg, call),
  dropout = function(x, arg, call) check_dropout_rate(x, arg, call),
  recurrent_dropout = function(x, arg, call) check_dropout_rate(x, arg, call),
  seed = function(x, arg, call) check_seed(x, arg, call),
  return_sequences = function(x, arg, call) check_flag(x, arg = arg, call = call),
  return_state = function(x, arg, call) check_flag(x, arg = arg, call = call),
  go_backwards = function(x, arg, call) check_flag(x, arg = arg, call = call),
  stateful = function(x, arg, call) check_flag(x, arg = arg, call = call),
  reset_after = function(x, arg, call) check_flag(x, arg = arg, call = call)
)

# frame: that of the layer_*() function, which holds its arguments.
create_recurrent <- function(object, type, class, frame, ..., zero_output_for_mask = FALSE, implementation = 2) {
  check_given(!rlang::is_missing(frame$units), "units", frame)
  config <- list()
  for (arg in intersect(names(recurrent_arguments), ls(frame))) {
    config[arg] <- list(recurrent_arguments[[arg]](frame[[arg]], arg, frame))
  }
  config$zero_output_for_mask <- check_flag(zero_output_for_mask, arg = "zero_output_for_mask", call = frame)
  check_ways_to_compute(frame, implementation)
  create_layer(object, type, with_forget_bias(config), ..., class = class, call = frame)
}

# What steers Keras' way of computing and leaves the result alone.
check_ways_to_compute <- function(frame, implementation) {
  check_flag(frame$unroll, arg = "unroll", call = frame)
  if (!is.null(frame$use_cudnn) && !identical(frame$use_cudnn, "auto")) {
    check_flag(frame$use_cudnn, arg = "use_cudnn", call = frame)
  }
  check_count(implementation, min = 1, max = 2, arg = "implementation", call = frame)
}

# Steps follow each other in the core; a function that R computes cannot come in between.  The core takes
# a missing activation for the default: none is said outright.
as_step_activation <- function(x, arg, call) {
  spec <- as_activation(if (is.null(x)) "linear" else x, arg, call)
  if (identical(spec$type, "function")) {
    abort_argument(arg, "an activation of lamina's or its name", "another function", call = call)
  }
  spec
}

# An initializer that is an R function gives the bias of the forget gate as well, which starts at 1:
# as in Keras, it is asked for the parts before and after.
with_forget_bias <- function(config) {
  fn <- config$bias_initializer$fn
  if (isTRUE(config$unit_forget_bias) && !is.null(fn)) {
    config$bias_initializer$fn <- function(shape) {
      c(fn(shape / 4L), rep(1, shape / 4L), fn(shape / 2L))
    }
  }
  config
}

#' Simple recurrent layer
#'
#' Goes through a sequence step by step and keeps a state of `units` numbers, which is its output:
#' `h_t = activation(x_t %*% kernel + h_(t-1) %*% recurrent_kernel + bias)` with `h_0 = 0` (Elman,
#' "Finding structure in time", 1990). What lies more than some ten steps back is soon forgotten;
#' [layer_lstm()] and [layer_gru()] keep it longer.
#'
#' @inheritParams layer_dense
#' @param units Size of the state and of the output, a whole number of at least 1.
#' @param activation The activation of the state: a name, an `activation_*()` function or object, or
#'   `NULL` for none.
#' @param use_bias Whether a bias is added.
#' @param kernel_initializer,recurrent_initializer,bias_initializer How the weights start: a name, an
#'   `initializer_*()` object, or a function of the shape that returns an array.
#' @param kernel_regularizer,recurrent_regularizer,bias_regularizer Penalties on the weights, which
#'   are added to the loss: a `regularizer_*()` object, `"l1"`, `"l2"` or `NULL`.
#' @param kernel_constraint,recurrent_constraint,bias_constraint What the weights must obey after
#'   each update: a `constraint_*()` object, its name, or `NULL`.
#' @param dropout,recurrent_dropout Fraction of the inputs, and of the state that goes into the next
#'   step, to drop in training: from 0 to below 1.
#' @param return_sequences `TRUE`: the outputs of all steps, as another recurrent layer behind this one needs
#'   them; `FALSE`: that of the last step.
#' @param return_state `TRUE`: [layer_outputs()] gives a list of the output and the final states. The
#'   next layer gets the output alone.
#' @param go_backwards `TRUE`: goes from the last step to the first; with `return_sequences` the
#'   outputs come in that order.
#' @param stateful `TRUE`: a batch begins with the states that the one before ended with, sample by
#'   sample: see [reset_states()].
#' @param unroll Accepted for keras3 scripts; the result does not depend on it.
#' @param seed A whole number, a seed for this layer's dropout alone; `NULL`: the model's, which follows
#'   `set.seed()`.
#' @param ... Arguments of every layer: see [layer_dense()]. Further `zero_output_for_mask` (`TRUE`: with
#'   `return_sequences` masked steps put out zeros), and `implementation` (1 or 2), which is
#'   accepted for scripts and has no effect.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (steps, features). Output: (units), with `return_sequences` (steps, units). Weights: `kernel`
#' (features, units), `recurrent_kernel` (units, units) and `bias` (units).
#' @section Dropout and masks:
#' `dropout` and `recurrent_dropout` draw, for every sample and batch, what is dropped once, and
#' keep to it at all steps (Gal and Ghahramani, "A theoretically grounded application of dropout in
#' recurrent neural networks", 2016).
#'
#' A masked step (see [layer_masking()], [layer_embedding()]) leaves the state as it is and repeats
#' the output of the step before, zeros at the beginning. With `return_sequences` the mask is
#' handed on.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (steps,
#' features). The model is then as it was.
#' @family recurrent layers
#' @examples
#' # the next value of a sine wave from the ten before
#' set.seed(1)
#' wave <- sin(seq(0, 40, by = 0.2))
#' lags <- embed(wave, 11)                   # columns: now, 1 step ago, 2 steps ago, ...
#' x <- array(lags[, 11:2], c(nrow(lags), 10, 1))
#' model <- keras_model_sequential(input_shape = c(10, 1)) |>
#'   layer_simple_rnn(units = 8) |>
#'   layer_dense(units = 1)
#' model |> compile(optimizer = optimizer_adam(0.01), loss = "mse")
#' model |> fit(x, lags[, 1], epochs = 30, batch_size = 16, verbose = 0)
#' forecast <- predict(model, x)
#' plot(lags[, 1], type = "l", xlab = "step", ylab = "value")
#' points(forecast, cex = 0.5, col = 2)
#' @export
layer_simple_rnn <- function(object, units, activation = "tanh", use_bias = TRUE,
                             kernel_initializer = "glorot_uniform",
                             recurrent_initializer = "orthogonal", bias_initializer = "zeros",
                             kernel_regularizer = NULL, recurrent_regularizer = NULL,
                             bias_regularizer = NULL, activity_regularizer = NULL,
                             kernel_constraint = NULL, recurrent_constraint = NULL,
                             bias_constraint = NULL, dropout = 0, recurrent_dropout = 0,
                             return_sequences = FALSE, return_state = FALSE, go_backwards = FALSE,
                             stateful = FALSE, unroll = FALSE, seed = NULL, ...) {
  create_recurrent(object, "simple_rnn", "SimpleRNN", environment(), ...)
}

#' Long short-term memory
#'
#' A recurrent layer: it goes through a sequence step by step and keeps a state, `units` numbers, that sums up
#' what it has seen. Beside the state it has a memory, the cell. Gates, numbers from 0 to 1, say how much is
#' written to the cell, kept in it and read from it, so that it can carry something over many steps
#' (Hochreiter and Schmidhuber, "Long short-term memory", 1997; with the forget gate of Gers and others, 2000).
#'
#' At step `t`, with `x_t` the features of this step as a row, let
#' `z = x_t %*% kernel + h_(t-1) %*% recurrent_kernel + bias`, in four parts of `units` numbers. Then
#'
#' - input gate `i = recurrent_activation(z_1)`, forget gate `f = recurrent_activation(z_2)`, output
#'   gate `o = recurrent_activation(z_4)`,
#' - cell `c_t = f * c_(t-1) + i * activation(z_3)`,
#' - state and output `h_t = o * activation(c_t)`.
#'
#' State and cell start from zeros: `h_0 = c_0 = 0`. `*` multiplies number by number.
#'
#' @inheritParams layer_simple_rnn
#' @param activation The activation of what is written to the cell and read from it.
#' @param recurrent_activation The activation of the gates.
#' @param unit_forget_bias `TRUE`: the bias of the forget gate starts at 1, so that the cell keeps
#'   what it holds until it learns otherwise.
#' @param use_cudnn,unroll Accepted for keras3 scripts; the result does not depend on them.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (steps, features), so that data are an array of (samples, steps, features); a single series has
#' one feature, which the data may leave out. Output: (units), the state after the last step; with
#' `return_sequences` (steps, units), which another recurrent layer needs. The final states are `h` and `c`.
#' Weights: `kernel` (features, 4 units), `recurrent_kernel` (units, 4 units) and `bias` (4 units), each in the
#' order i, f, c, o.
#' @inheritSection layer_simple_rnn Dropout and masks
#' @inheritSection layer_simple_rnn Errors
#' @seealso [lag_matrix()] and [timeseries_dataset_from_array()], which cut a series into samples;
#'   [layer_embedding()] for texts; `vignette("v10-sequences", package = "lamina")`.
#' @family recurrent layers
#' @examples
#' # remember the first of twelve numbers
#' set.seed(1)
#' x <- array(runif(300 * 12, -1, 1), c(300, 12, 1)) # 300 samples, 12 steps, 1 feature
#' first <- x[, 1, 1]
#' model <- keras_model_sequential(input_shape = c(12, 1)) |>
#'   layer_lstm(units = 8) |>
#'   layer_dense(units = 1)
#' model |> compile(optimizer = optimizer_adam(0.03), loss = "mse")
#' history <- model |> fit(x, first, epochs = 30, verbose = 0)
#' c(mean = mean((first - mean(first))^2), lstm = tail(history$metrics$loss, 1)) # squared errors
#'
#' # two layers: the first one hands on its output at every step
#' keras_model_sequential(input_shape = c(12, 1)) |>
#'   layer_lstm(units = 8, return_sequences = TRUE) |>
#'   layer_lstm(units = 4) |>
#'   layer_dense(units = 1)
#' @export
layer_lstm <- function(object, units, activation = "tanh", recurrent_activation = "sigmoid",
                       use_bias = TRUE, kernel_initializer = "glorot_uniform",
                       recurrent_initializer = "orthogonal", bias_initializer = "zeros",
                       unit_forget_bias = TRUE, kernel_regularizer = NULL,
                       recurrent_regularizer = NULL, bias_regularizer = NULL,
                       activity_regularizer = NULL, kernel_constraint = NULL,
                       recurrent_constraint = NULL, bias_constraint = NULL, dropout = 0,
                       recurrent_dropout = 0, seed = NULL, return_sequences = FALSE,
                       return_state = FALSE, go_backwards = FALSE, stateful = FALSE, unroll = FALSE,
                       use_cudnn = "auto", ...) {
  create_recurrent(object, "lstm", "LSTM", environment(), ...)
}

#' Gated recurrent unit
#'
#' A recurrent layer that decides, unit by unit, how much of its state to keep: nearly what
#' [layer_lstm()] does with three quarters of the weights (Cho and others, "Learning phrase
#' representations using RNN encoder-decoder for statistical machine translation", 2014).
#'
#' With `a = x_t %*% kernel + bias` and `b = h_(t-1) %*% recurrent_kernel + recurrent_bias`, each in
#' three parts of `units` numbers:
#'
#' - gates `update = recurrent_activation(a_1 + b_1)` and `reset = recurrent_activation(a_2 + b_2)`,
#' - candidate `new = activation(a_3 + reset * b_3)`,
#' - state and output `h_t = update * h_(t-1) + (1 - update) * new`.
#'
#' With `reset_after = FALSE`, the form first published, there is no recurrent bias, and the gate goes
#' before the product: `new = activation(a_3 + (reset * h_(t-1)) %*% recurrent_kernel_3)`.
#'
#' @inheritParams layer_lstm
#' @param activation The activation of the candidate.
#' @param reset_after Whether the reset gate is applied after the product with the recurrent kernel.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (steps, features). Output: (units), with `return_sequences` (steps, units). Weights: `kernel`
#' (features, 3 units) and `recurrent_kernel` (units, 3 units), each in the order update, reset, new, and
#' `bias`: with `reset_after` (2, 3 units), the recurrent one in the second row, else (3 units).
#' @inheritSection layer_simple_rnn Dropout and masks
#' @inheritSection layer_simple_rnn Errors
#' @family recurrent layers
#' @examples
#' # the sum of the numbers so far, at every step
#' set.seed(1)
#' x <- array(runif(200 * 8, -0.5, 0.5), c(200, 8, 1))
#' y <- array(t(apply(x[, , 1], 1, cumsum)), dim(x))
#' model <- keras_model_sequential(input_shape = c(8, 1)) |>
#'   layer_gru(units = 12, return_sequences = TRUE) |>
#'   layer_dense(units = 1)
#' model |> compile(optimizer = optimizer_adam(0.02), loss = "mse")
#' model |> fit(x, y, epochs = 20, verbose = 0)
#' round(cbind(sum = y[1, , 1], network = predict(model, x[1, , , drop = FALSE])[1, , 1]), 2)
#' @export
layer_gru <- function(object, units, activation = "tanh", recurrent_activation = "sigmoid",
                      use_bias = TRUE, kernel_initializer = "glorot_uniform",
                      recurrent_initializer = "orthogonal", bias_initializer = "zeros",
                      kernel_regularizer = NULL, recurrent_regularizer = NULL,
                      bias_regularizer = NULL, activity_regularizer = NULL,
                      kernel_constraint = NULL, recurrent_constraint = NULL, bias_constraint = NULL,
                      dropout = 0, recurrent_dropout = 0, seed = NULL, return_sequences = FALSE,
                      return_state = FALSE, go_backwards = FALSE, stateful = FALSE, unroll = FALSE,
                      reset_after = TRUE, use_cudnn = "auto", ...) {
  create_recurrent(object, "gru", "GRU", environment(), ...)
}
