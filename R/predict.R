#' Predictions of a model
#'
#' Passes samples through the network and returns what its last layer puts out: probabilities behind a
#' sigmoid or softmax, numbers behind a layer without activation. There is no `type` to choose, as
#' [predict.glm()] has one; [predict.lamina_fit()] has.
#'
#' Layers behave as in use, not as in training: nothing is dropped by [layer_dropout()]. A model that was
#' not trained predicts with its random initial weights.
#'
#' @param object A model. It need not be compiled.
#' @param x Inputs, samples first, as for [fit()][fit.lamina_model]: a matrix or data frame with a row a
#'   sample, an array; also a dataset, whose targets are left aside, or, with `steps`, a function that
#'   returns batches. A plain vector is many samples of one number; one sample of several is a matrix of one
#'   row. Columns are taken in their order, names are not looked at. Scale `x` as the training data were, by
#'   their means and standard deviations.
#' @param ... Not used.
#' @param batch_size Samples passed through the network at a time; when `NULL` 32, or the batch size of a
#'   stateful model (see [reset_states()]), which takes no other. It changes speed and memory, not the numbers.
#' @param distribute How several processes work together: see [mpi_strategy()]; `FALSE` or `NULL`: this one alone.
#'   `options(lamina.distribute =)` sets the default.
#' @param verbose,callbacks Progress (0 silent, the default, 1 a bar, 2 a line) and callbacks with
#'   `on_predict_*` functions.
#' @param steps Stop after so many batches; `NULL`: all samples.
#' @return A numeric array, samples first: for a dense output a matrix of samples x units. For classes the
#'   columns are in the order of the factor's levels, or of the numbers 0, 1, ...; they have no names.
#' @section Errors:
#' `lamina_error_shape` for samples of another shape than the model's, `lamina_error_data` for inputs that
#' are missing, infinite or no numbers.
#' @seealso [op_argmax()] to get from probabilities to classes, [confusion()] to compare these with the truth;
#'   [predict.lamina_fit()] for fits by formula; [layer_outputs()] for the layers before the last.
#' @family model verbs
#' @examples
#' set.seed(1)
#' x <- scale(as.matrix(iris[1:4]))
#' model <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "softmax")
#' model |> compile(optimizer = optimizer_adam(0.05), loss = "sparse_categorical_crossentropy")
#' model |> fit(x, iris$Species, epochs = 20, verbose = 0)
#'
#' some <- c(1, 51, 101)
#' probabilities <- predict(model, x[some, ])
#' probabilities # columns: setosa, versicolor, virginica; each row adds up to 1
#' levels(iris$Species)[op_argmax(probabilities, axis = -1)]
#' @importFrom stats predict
#' @export
predict.lamina_model <- function(object, x, ..., batch_size = NULL, verbose = 0, steps = NULL,
                                 callbacks = NULL, distribute = getOption("lamina.distribute")) {
  if (...length() > 0L) {
    check_no_dots(list(...))
  }
  if (missing(x)) {
    abort_argument("x", "the inputs", "missing")
  }
  batch <- resolve_batch_size(object, batch_size)
  shape <- .subset2(object, "shape")
  # the short way: a plain matrix that fits; everything else goes through the checks
  plain <- is.double(x) && length(dim(x)) == 2L && length(shape) == 1L && dim(x)[2L] == shape &&
    dim(x)[1L] > 0L && !.subset2(object, "own") && is.null(.subset2(object, "state_batch")) &&
    is.null(.subset2(object, "tokens")) && is.null(steps) && is.null(callbacks) && isTRUE(verbose == 0) && is.null(distribute)
  if (plain) {
    out <- .Call(ffi_net_predict, .subset2(object, "ptr"), x, batch)
    if (is.double(out)) {
      return(out)
    }
  }
  crew <- find_crew(distribute)
  predict_checked(object, x, batch, steps, as_callbacks(callbacks), resolve_verbose(verbose, silent = TRUE), crew)
}

predict_checked <- function(model, x, batch, steps, callbacks, verbose, crew = NULL, call = rlang::caller_env()) {
  steps <- check_count(steps, allow_null = TRUE, call = call)
  if (gives_batches(x)) {
    check_dataset_batches(model, x, steps, call = call)
    source <- batch_source(x, steps, call = call)
    if (is_dataset(x) && !is.null(crew) && !has_own_data(crew) && is.null(model$state_batch)) {
      return(predict_together(crew, source$batches, function(batches) {
        mine <- list(batches = length(batches), start = function(model, key) NULL, next_batch = function() {
          i <- batches[1L]
          batches <<- batches[-1L]
          x$read(batch_rows(x, i))
        })
        predict_source(model, mine, if (is_first(crew)) callbacks else list(), if (is_first(crew)) verbose else 0, call)
      }))
    }
    return(moving_states(model, predict_source(model, source, callbacks, verbose, call)))
  }
  x <- model_inputs(model, x, call = call)
  if (!is_built(model)) {
    undo_on_error(model, infer_shapes(model, sample_shape(x)))
  }
  if (!is.null(steps)) {
    x <- first_samples(x, steps * batch)
  }
  check_whole_batches(model, sample_count(x), call = call)
  if (!is.null(crew) && !has_own_data(crew) && is.null(model$state_batch) && !is_sparse(x)) {
    shown <- is_first(crew) && (length(callbacks) || verbose > 0)
    predict_rows <- function(rows) {
      part <- take_samples(x, rows)
      if (shown) predict_arrays(model, part, batch, callbacks, verbose, call) else predict_all(model, part, batch, call)
    }
    out <- predict_together(crew, sample_count(x), predict_rows)
    return(if (is.double(out)) out else abort_not_finite(x, "x", call))
  }
  moving_states(model, predict_arrays(model, x, batch, callbacks, verbose, call))
}

predict_arrays <- function(model, x, batch, callbacks, verbose, call) {
  set_callback_context(callbacks, model, list(verbose = verbose))
  run_hook(callbacks, "on_predict_begin", list())
  hooks <- has_hook(callbacks, "on_predict_batch_begin") || has_hook(callbacks, "on_predict_batch_end")
  out <- if (is_sparse(x) || !(hooks || verbose > 0)) {
    predict_all(model, x, batch, call)
  } else {
    if (is.null(dim(x))) {
      dim(x) <- c(length(x), 1L)
    }
    rows <- split(seq_len(sample_count(x)), (seq_len(sample_count(x)) - 1) %/% batch)
    predict_by_batch(length(rows), function(i) predict_all(model, array_rows(x, rows[[i]]), batch, call), callbacks, verbose)
  }
  if (!is.double(out)) {
    abort_not_finite(x, "x", call)
  }
  run_hook(callbacks, "on_predict_end", list())
  out
}

predict_source <- function(model, source, callbacks, verbose, call) {
  set_callback_context(callbacks, model, list(verbose = verbose))
  run_hook(callbacks, "on_predict_begin", list())
  source$start(model, 1)
  out <- predict_by_batch(source$batches, function(i) predict_batch(model, source$next_batch(), call), callbacks, verbose)
  run_hook(callbacks, "on_predict_end", list())
  out
}

# batch: inputs, or a list that begins with them.
predict_batch <- function(model, batch, call) {
  x <- if (is.list(batch) && !is.data.frame(batch)) batch[[1L]] else batch
  x <- model_inputs(model, x, call = call)
  if (!is_built(model)) {
    undo_on_error(model, infer_shapes(model, sample_shape(x)))
  }
  check_one_batch(model, sample_count(x), call = call)
  out <- predict_all(model, x, sample_count(x), call)
  if (!is.double(out)) {
    abort_not_finite(x, "x", call)
  }
  out
}

# An array; NA when x holds numbers that are not finite.
predict_all <- function(model, x, batch, call) {
  if (length(own_activations(model))) {
    if (is_sparse(x)) x <- dense_matrix(x)
    if (!all(is.finite(x))) NA else own_activation_outputs(model, x, to = length(model_layers(model)))
  } else {
    .Call(ffi_net_predict, net_ptr(model), if (is_sparse(x)) new_data(x, call = call) else x, batch)
  }
}

# predict_one(i) gives the outputs of batch i, or NA when its numbers are not finite.
predict_by_batch <- function(batches, predict_one, callbacks, verbose) {
  # A line per epoch and one per call are the same here.
  progress <- new_progress(if (verbose == 3) 2 else verbose, 1, batches, label = function(epoch) "Prediction")
  on.exit(progress$finish(NULL)) # takes the bar away, whatever happens
  progress$epoch_begin(1)
  started <- proc.time()[["elapsed"]]
  parts <- vector("list", batches)
  for (i in seq_len(batches)) {
    run_hook(callbacks, "on_predict_batch_begin", i, list())
    parts[[i]] <- predict_one(i)
    if (!is.double(parts[[i]])) {
      return(NA)
    }
    run_hook(callbacks, "on_predict_batch_end", i, list())
    progress$update(i, list())
  }
  progress$epoch_end(1, list(), proc.time()[["elapsed"]] - started)
  bind_samples(parts)
}

first_samples <- function(x, n) {
  keep <- seq_len(min(n, sample_count(x)))
  if (is_sparse(x)) {
    abort_argument("steps", "left out with sparse inputs", "given")
  }
  if (is.null(dim(x))) x[keep] else array_rows(x, keep)
}

# Samples of what users give for `x` or `y`.
take_samples <- function(x, rows) {
  if (length(dim(x)) < 2L) {
    x[rows]
  } else if (length(dim(x)) == 2L) {
    x[rows, , drop = FALSE]
  } else {
    array_rows(x, rows)
  }
}

# x[rows, , ...] for any number of dimensions.
array_rows <- function(x, rows) {
  out <- matrix(x, nrow = dim(x)[1L])[rows, , drop = FALSE]
  array(out, dim = c(length(rows), dim(x)[-1L]))
}

bind_samples <- function(parts) {
  if (length(parts) == 1L) {
    return(parts[[1L]])
  }
  flat <- do.call(rbind, lapply(parts, function(p) matrix(p, nrow = dim(p)[1L])))
  array(flat, dim = c(nrow(flat), dim(parts[[1L]])[-1L]))
}

# Outputs of layer `to`, with activations that are R functions applied on the way.
own_activation_outputs <- function(model, x, to, training = FALSE) {
  from <- 0L
  for (at in sort(c(own_activations(model), to))) {
    if (at > to || at <= from) {
      next
    }
    x <- .Call(ffi_net_outputs, net_ptr(model), x, as.integer(at - 1L), from, training)[[1L]]
    own <- layer_self(model_layers(model)[[at]])$functions$activation
    if (!is.null(own)) {
      mapped <- own(x)
      if (!is.numeric(mapped) || length(mapped) != length(x)) {
        abort_argument("activation", sprintf("a function that gives %d numbers here", length(x)), describe(mapped))
      }
      x <- array(as.double(mapped), dim = dim(x))
    }
    from <- at
  }
  x
}

#' Loss and metrics on data
#'
#' Passes samples through the network, as [predict()][predict.lamina_model] does, and compares what comes out
#' with the targets, by the loss and the metrics that the model was compiled with. On data that were not used
#' in training it tells how well the model does on new samples. Nothing is learned.
#'
#' @inheritParams predict.lamina_model
#' @param object A compiled model.
#' @param y Targets, as for [fit()][fit.lamina_model], but classes given as numbers must count from 0 here.
#'   Of a factor the order of the levels counts: it must be that of the factor given to `fit()`.
#' @param batch_size Samples passed through the network at a time; when `NULL` 32, or the batch size of a
#'   stateful model (see [reset_states()]), which takes no other. Loss and metrics are those of
#'   all samples; only metrics that are R functions are taken by batch and averaged.
#' @param verbose,callbacks Progress (0 silent, the default, above 0 the result is printed) and callbacks with
#'   `on_test_*` functions.
#' @param sample_weight A number for each sample, its weight in the loss and in the metrics of
#'   `compile(weighted_metrics = )`. Other metrics do not use it.
#' @return A named list of numbers: `loss`, the mean over the samples with the penalties of regularizers added,
#'   and each metric by its name.
#' @section Errors:
#' `lamina_error_state` for a model that is not compiled; `lamina_error_shape` and `lamina_error_data` for data
#' that do not fit the model or each other.
#' @seealso [confusion()] for a table of true and predicted classes;
#'   `vignette("v05-train-validation-test", package = "lamina")`.
#' @family model verbs
#' @examples
#' # errors 0, 0 and 1: a mean square of 1/3, and a mean absolute error of 1/3
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' model |> compile(loss = "mse", metrics = "mae")
#' set_weights(model, list(matrix(2), 0))
#' evaluate(model, x = c(1, 2, 3), y = c(2, 4, 7))
#'
#' # trained on 100 rows, judged by the 50 others
#' set.seed(1)
#' x <- as.matrix(iris[1:4])
#' train <- sample(150, 100)
#' known <- scale(x[train, ])
#' # by the same means and standard deviations
#' new <- scale(x[-train, ], attr(known, "scaled:center"), attr(known, "scaled:scale"))
#' model <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "softmax")
#' model |> compile(optimizer = optimizer_adam(0.05), loss = "sparse_categorical_crossentropy",
#'                  metrics = "accuracy")
#' model |> fit(known, iris$Species[train], epochs = 20, verbose = 0)
#' model |> evaluate(new, iris$Species[-train])
#' @export
evaluate <- function(object, ...) UseMethod("evaluate")

#' @rdname evaluate
#' @export
evaluate.lamina_model <- function(object, x = NULL, y = NULL, ..., batch_size = NULL, verbose = 0,
                                  sample_weight = NULL, steps = NULL, callbacks = NULL,
                                  distribute = getOption("lamina.distribute")) {
  check_no_dots(list(...))
  require_compiled(object)
  crew <- find_crew(distribute)
  in_batches <- gives_batches(x)
  if (is.null(y) && !in_batches) {
    abort_argument("y", "the targets", "NULL")
  }
  batch <- resolve_batch_size(object, batch_size)
  steps <- check_count(steps, allow_null = TRUE)
  callbacks <- as_callbacks(callbacks)
  call <- rlang::current_env()
  check_crew(crew, object, batch)
  feed <- undo_on_error(object, {
    feed <- if (in_batches) {
      check_batches_alone(x, y = y, sample_weight = sample_weight, batch_size = if (is_dataset(x)) batch_size)
      check_dataset_batches(object, x, steps, call = call)
      source_feed(object, crew_source(crew, batch_source(x, steps)), call = call)
    } else {
      data <- test_data(object, x, y, sample_weight, target_decoder(y, object), call)
      list(data = data$data, first = 0, n = data$n, from = first_trained(object))
    }
    feed$loop <- new_loop(object, feed, batch, "test")
    feed
  })
  on.exit(release(feed))
  join_loop(crew, feed$loop, feed, batch, call)
  verbose <- if (is_first(crew)) resolve_verbose(verbose, silent = TRUE) else 0
  set_callback_context(callbacks, object, list(verbose = verbose))
  logs <- moving_states(object, together(crew, test_loop(object, feed$loop, steps, callbacks, feed, crew)))
  if (verbose > 0) {
    cat(format_logs(logs), "\n", sep = "")
  }
  logs
}

#' One batch at a time
#'
#' `train_on_batch()` takes one optimizer step on the samples given, `test_on_batch()` measures them,
#' `predict_on_batch()` passes them through the network.
#'
#' @param object A compiled model.
#' @param x,y Inputs and targets of one batch. Classes count from 0.
#' @param sample_weight A number for each sample.
#' @param class_weight Weights of the classes: see [fit()][fit.lamina_model].
#' @return `train_on_batch()` and `test_on_batch()`: the loss, as a number, or a named list with `loss`
#'   when the model has metrics; `predict_on_batch()`: an array.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, kernel_initializer = "zeros")
#' model |> compile(optimizer = optimizer_sgd(learning_rate = 0.5), loss = "mse")
#' train_on_batch(model, x = 1, y = 1)
#' get_weights(model) # new weight = 0 - 0.5 * (-2)
#' @export
train_on_batch <- function(object, x, y = NULL, sample_weight = NULL, class_weight = NULL) {
  check_model(object)
  require_compiled(object)
  call <- rlang::current_env()
  loop <- undo_on_error(object, {
    data <- batch_data(object, x, y, sample_weight, class_weight, call)
    check_one_batch(object, data$n, call = call)
    check_own_loss(object, data, call)
    new_loop(object, data, data$n, "train")
  })
  .Call(ffi_loop_start, loop, FALSE, 1)
  on.exit(pull_state(object))
  one_batch(object, loop)
}

#' @rdname train_on_batch
#' @export
test_on_batch <- function(object, x, y = NULL, sample_weight = NULL) {
  check_model(object)
  require_compiled(object)
  call <- rlang::current_env()
  loop <- undo_on_error(object, {
    data <- batch_data(object, x, y, sample_weight, NULL, call)
    check_one_batch(object, data$n, call = call)
    new_loop(object, data, data$n, "test")
  })
  .Call(ffi_loop_start, loop, FALSE, 1)
  moving_states(object, one_batch(object, loop))
}

#' @rdname train_on_batch
#' @export
predict_on_batch <- function(object, x) {
  check_model(object)
  n <- if (is.null(object$front)) sample_count(input_array(x, "x", rlang::current_env())) else NROW(x)
  predict(object, x, batch_size = max(1, n))
}

batch_data <- function(model, x, y, sample_weight, class_weight, call) {
  if (is.null(y)) {
    abort_argument("y", "the targets", "NULL", call = call)
  }
  x <- prepare_inputs(model, x, call = call)
  n <- sample_count(x)
  decoder <- target_decoder(y, model)
  y <- as_targets(y, model, decoder, call = call)
  check_sample_count(y, n, "y", call)
  w <- sample_weights(y, model, decoder, class_weight, sample_weight, n, call = call)
  list(data = new_data(x, y, w, call = call), first = 0, n = n, from = first_trained(model))
}

one_batch <- function(model, loop) {
  report <- batch_stepper(model, loop, list())$step(1)
  own <- own_metric_sums(model)
  own$add(loop, report)
  logs <- c(report_logs(report, core_log_names(loop)), own$values())
  if (length(logs) == 1L) logs$loss else logs
}
