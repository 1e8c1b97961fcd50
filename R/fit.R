# fit(): the loop over epochs.  The core trains in slices of about 50 ms; between them R shows the
# progress, runs callbacks and notices Ctrl-C.  After every epoch, and on any way out, weights and
# optimizer state are in the model's R values.

SLICE_SECONDS <- 0.05

#' Train a model
#'
#' @param object A compiled model.
#' @param x Inputs, samples first: a matrix, an array of up to five dimensions, a data frame of numbers, a
#'   sparse matrix of package Matrix; texts, a character vector, for a model that begins with
#'   [layer_text_vectorization()]; a dataset, as of [image_dataset_from_directory()] or
#'   [dataset_from_files()]; or a function that returns the next batch as `list(x, y)` or
#'   `list(x, y, sample_weight)` each time it is called.
#' @param y Targets: numbers, a factor, a logical vector, or a matrix with one row a sample. Classes
#'   count from 0, as in Keras; 1 to K is accepted, with a message, where it can mean nothing else.
#' @param ... Not used: unknown arguments are refused.
#' @param batch_size Samples a step; when `NULL` 32, or the batch size of a stateful model.
#' @param epochs Last epoch; the number of epochs when `initial_epoch` is 1.
#' @param callbacks A `callback_*()` object or a list of them.
#' @param validation_split Fraction of the data, taken from the end before shuffling, that is not
#'   trained on but measured after each epoch. A warning says when that leaves a class out.
#' @param validation_data `list(x, y)` or `list(x, y, sample_weight)` to measure instead, or a dataset,
#'   or a function that returns batches.
#' @param shuffle `FALSE` keeps the order of the samples.
#' @param class_weight Weights of the classes in the loss: named by factor level or 0-based class,
#'   in order, or `"balanced"` (n / (classes * samples of the class)). Unnamed classes weigh 1.
#' @param sample_weight A number for each sample.
#' @param initial_epoch Number of the first epoch, from 1. Above 1 a training goes on where it stopped,
#'   with the same random numbers as if it had never stopped.
#' @param steps_per_epoch Batches an epoch: needed when `x` is a function; else the epoch ends
#'   after so many.
#' @param validation_steps,validation_batch_size Batches, and samples a batch, of the validation.
#' @param validation_freq Validate every so many epochs, or after the epochs given.
#' @param verbose 0 silent, 1 a progress bar, 2 a line an epoch, or `"auto"`. `options(lamina.verbose =)`
#'   and `options(keras.verbose =)` set the default.
#' @param distribute How several processes train together: an [mpi_strategy()]; `FALSE` or `NULL`: this process
#'   alone. `options(lamina.distribute =)` sets the default.
#' @param view_metrics Accepted for keras3 scripts; nothing opens a viewer.
#'
#' @details
#' The loss of an epoch is the mean over its batches, weighted by their size, each taken before its
#' update; `metrics` do not use sample weights. The model is changed in place; a second `fit()` goes on
#' from the present weights and says so. `set.seed()` fixes initial weights, order of the samples,
#' dropout and noise, whatever the number of threads.
#'
#' Ctrl-C stops within a moment: weights and history so far are kept. A large batch that is under way is
#' given up, and the model is as it was before it.
#' A loss that turns NaN or infinite stops training with an error of class `lamina_error_numeric` that
#' tells epoch, batch and layer; the last good weights are kept.
#'
#' knitr's cache keeps the variables that a chunk assigns, and does not see what changes in place. So make, compile and
#' train a model in one cached chunk, or name it in the option `cache.vars` of each chunk that changes it.
#' @return The history, invisibly: see [plot.lamina_history].
#' @family model verbs
#' @examples
#' set.seed(1)
#' x <- as.matrix(scale(iris[1:4]))
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(8, activation = "relu") |>
#'   layer_dense(3, activation = "softmax")
#' model |> compile(optimizer = optimizer_adam(0.01), loss = "sparse_categorical_crossentropy",
#'                  metrics = "accuracy")
#' history <- model |> fit(x, iris$Species, epochs = 20, verbose = 0)
#' history
#' @export
fit.lamina_model <- function(object, x = NULL, y = NULL, ..., batch_size = NULL, epochs = 1L,
                             callbacks = NULL, validation_split = 0, validation_data = NULL,
                             shuffle = TRUE, class_weight = NULL, sample_weight = NULL,
                             initial_epoch = 1L, steps_per_epoch = NULL, validation_steps = NULL,
                             validation_batch_size = NULL, validation_freq = 1L,
                             verbose = getOption("keras.verbose", "auto"),
                             view_metrics = getOption("keras.view_metrics", "auto"),
                             distribute = getOption("lamina.distribute")) {
  check_no_dots(list(...))
  require_compiled(object)
  crew <- find_crew(distribute)
  if (missing(verbose)) {
    verbose <- "auto"
  }
  settings <- list(
    batch_size = resolve_batch_size(object, batch_size),
    epochs = check_count(epochs),
    initial_epoch = check_count(initial_epoch, max = epochs),
    shuffle = check_flag(shuffle),
    steps = check_count(steps_per_epoch, allow_null = TRUE),
    validation_steps = check_count(validation_steps, allow_null = TRUE),
    validation_freq = check_validation_freq(validation_freq),
    verbose = resolve_verbose(verbose)
  )
  settings$validation_batch <- if (is.null(validation_batch_size)) {
    settings$batch_size
  } else {
    resolve_batch_size(object, validation_batch_size, "validation_batch_size")
  }
  callbacks <- as_callbacks(callbacks)
  if (!is_first(crew)) {
    settings$verbose <- 0
  }
  call <- rlang::current_env()
  check_crew(crew, object, settings$batch_size, class_weight)
  feed <- said_once(crew, undo_on_error(object, {
    feed <- if (gives_batches(x)) {
      check_batches_alone(x, y = y, sample_weight = sample_weight, batch_size = if (is_dataset(x)) batch_size)
      batch_feed(object, x, settings, validation_split, class_weight, crew, call)
    } else {
      array_feed(object, x, y, validation_split, class_weight, sample_weight, call)
    }
    feed$validation <- validation_feed(object, feed, validation_data, settings$validation_steps, crew, call)
    with_loops(object, feed, settings, call)
  }))
  on.exit(release(feed))
  join_loops(crew, object, feed, settings, call)
  warn_shuffled(object, if (is_dataset(x)) settings$shuffle && x$shuffle else settings$shuffle && !is.function(x))
  invisible(said_once(crew, together(crew, train(object, feed, settings, callbacks, crew = crew))))
}

check_validation_freq <- function(x, call = rlang::caller_env()) {
  if (!is.numeric(x) || length(x) == 0L || !all(is.finite(x)) || any(x < 1 | x != floor(x))) {
    abort_argument("validation_freq", "whole numbers of at least 1", describe(x), call = call)
  }
  x
}

# ---- data for fit() ------------------------------------------------------------------------------

# A feed: list(data, first, n, decoder, from); where the data come in batches (source_feed()) also
# batches, start and next_batch.
array_feed <- function(model, x, y, split, class_weight, sample_weight, call) {
  split <- check_number(split, 0, 1, arg = "validation_split", call = call)
  if (is.null(x)) {
    abort_argument("x", "the inputs", "NULL", call = call)
  }
  if (is.null(y)) {
    abort_argument("y", "the targets", "NULL", call = call)
  }
  x <- prepare_inputs(model, x, call = call)
  n <- sample_count(x)
  n_train <- floor(n * (1 - split))
  if (n_train == 0 || (split > 0 && n_train == n)) {
    abort_argument("validation_split", "a fraction that leaves samples on both sides", sprintf("%g of %d samples", split, n), call = call)
  }
  check_whole_batches(model, n_train, call = call)
  check_whole_batches(model, n - n_train, "validation_split", call)
  decoder <- target_decoder(y, model, guess = TRUE)
  y <- as_targets(y, model, decoder, call = call, x = x)
  check_sample_count(y, n, "y", call)
  w <- sample_weights(y, model, decoder, class_weight, sample_weight, n, seq_len(n_train), call)
  if (split > 0) {
    warn_missing_class(target_classes(y, model), n_train, decoder)
  }
  train_w <- w
  if (!is.null(class_weight) && split > 0) { # class weights leave the validation loss alone
    held <- seq(n_train + 1, n)
    train_w[held] <- if (is.null(sample_weight)) 1 else sample_weight[held]
  }
  list(data = new_data(x, y, train_w, call = call), first = 0, n = n_train, held = n - n_train,
       decoder = decoder, from = first_trained(model))
}

# Builds the model when the data are the first to tell its input shape, and maps inputs through
# activations that are R functions (everything up to them is frozen).
prepare_inputs <- function(model, x, arg = "x", call = rlang::caller_env()) {
  x <- model_inputs(model, x, arg, call = call)
  if (!is_built(model)) {
    infer_shapes(model, sample_shape(x))
  }
  from <- first_trained(model, call)
  if (from > 0) own_activation_outputs(model, x, to = from) else x
}

check_sample_count <- function(y, n, arg, call, of = "x") {
  found <- sample_count(y)
  if (found != n) {
    abort_lamina(sprintf("`%s` has %d sample%s, but `%s` has %d.", arg, found, if (found == 1) "" else "s", of, n),
                 "data", arg = arg, expected = n, actual = found, call = call)
  }
}

warn_missing_class <- function(classes, n_train, decoder) {
  if (is.null(classes)) {
    return(invisible())
  }
  train <- unique(classes[seq_len(n_train)])
  held <- unique(classes[-seq_len(n_train)])
  label <- function(k) if (is.null(decoder$levels)) as.character(k) else decoder$levels[k + 1]
  if (length(setdiff(held, train)) || length(setdiff(train, held))) {
    lost <- setdiff(union(train, held), intersect(train, held))
    warn_lamina(
      c(sprintf("`validation_split` takes the last rows, and that leaves %s %s out of one of the parts.",
                if (length(lost) == 1L) "class" else "classes", paste(label(sort(lost)), collapse = ", ")),
        i = "Shuffle the rows before fit(), for example x[i, ] and y[i] with i <- sample(nrow(x))."),
      "lamina_warning_split"
    )
  }
}

# Number of layers (from the bottom) that only prepare the data: up to the last activation that is
# an R function.  Such layers cannot be trained through.
first_trained <- function(model, call = rlang::caller_env()) {
  own <- own_activations(model)
  if (length(own) == 0L) {
    return(0)
  }
  last <- max(own)
  below <- weight_owner(model) <= last
  if (any(weight_trainable(model)[below])) {
    abort_lamina(
      c(sprintf("Layer `%s` has an R function as its activation, which cannot be trained through.",
                layer_self(model_layers(model)[[last]])$name),
        i = "Freeze it and the layers below with freeze_weights(), or use an activation of lamina's."),
      "state", call = call
    )
  }
  last
}

own_activations <- function(model) {
  which(vapply(model_layers(model), function(l) !is.null(layer_self(l)$functions$activation), NA))
}

batch_feed <- function(model, x, settings, split, class_weight, crew, call) {
  if (!identical(as.double(split), 0)) {
    abort_argument("validation_split", sprintf("0 when `x` is a %s", if (is_dataset(x)) "dataset" else "function"),
                   describe(split), hint = c(i = "Use `validation_data`."), call = call)
  }
  check_dataset_batches(model, x, settings$steps, call = call)
  source <- crew_source(crew, batch_source(x, settings$steps, settings$shuffle, "steps_per_epoch", call = call))
  source_feed(model, source, guess = !is_dataset(x), class_weight = source_class_weight(x, class_weight, call), call = call)
}

# The validation part: held-out rows of the same data, or data of its own.
validation_feed <- function(model, feed, validation_data, steps, crew, call) {
  if (gives_batches(validation_data)) {
    check_dataset_batches(model, validation_data, steps, "validation_data", call)
    source <- crew_source(crew, batch_source(validation_data, steps, steps_arg = "validation_steps", arg = "validation_data", call = call))
    return(source_feed(model, source, feed$decoder, arg = "validation_data", call = call))
  }
  if (length(validation_data) == 0L) {
    return(if (feed$held > 0) list(data = feed$data, first = feed$n, n = feed$held, from = feed$from))
  }
  if (!is.list(validation_data) || is.data.frame(validation_data) || !length(validation_data) %in% 2:3) {
    abort_argument("validation_data", "list(x, y) or list(x, y, sample_weight)", describe(validation_data), call = call)
  }
  data <- test_data(model, validation_data[[1L]], validation_data[[2L]],
                    if (length(validation_data) == 3L) validation_data[[3L]], feed$decoder, call,
                    args = sprintf("validation_data[[%d]]", 1:3))
  list(data = data$data, first = 0, n = data$n, from = feed$from)
}

test_data <- function(model, x, y, sample_weight, decoder, call, args = c("x", "y", "sample_weight")) {
  x <- prepare_inputs(model, x, args[1L], call)
  n <- sample_count(x)
  check_whole_batches(model, n, args[1L], call)
  y <- as_targets(y, model, decoder, args[2L], call, x)
  check_sample_count(y, n, args[2L], call, args[1L])
  w <- check_sample_weight(sample_weight, n, call, args[3L])
  list(data = new_data(x, y, w, args, call), n = n)
}

# A loss of one's own is compared with finite differences once, on the first few samples.
check_own_loss <- function(model, feed, call = rlang::caller_env()) {
  own <- model$compiled$own_loss
  if (is.null(own)) {
    return(invisible())
  }
  check_unmasked_end(model, call)
  n <- if (is.null(model$state_batch)) min(feed$n, 8) else model$state_batch
  loop <- new_loop(model, feed, n, "test", metrics = FALSE)
  .Call(ffi_loop_start, loop, FALSE, 1)
  batch <- holding_states(model, .Call(ffi_loop_forward, loop))
  check_custom_loss(own, batch$y_true, batch$y_pred, call)
}

# An R function would count the steps that a mask leaves out.
check_unmasked_end <- function(model, call) {
  last <- model$info[[length(model$info)]]
  steps <- prod(utils::head(last$output_shape, -1L))
  if (last$mask_out > 0 && last$mask_out == steps) {
    abort_argument("loss", "one of lamina's own where a mask reaches the model's end", "an R function",
                   hint = c(i = "End the sequences with a layer that gives one output a sample, or leave the mask out."),
                   call = call)
  }
}

# ---- the loop ------------------------------------------------------------------------------------

new_loop <- function(model, feed, batch_size, kind, metrics = TRUE) {
  compiled <- model$compiled
  .Call(
    ffi_loop_new, net_ptr(model), feed$from, feed$data, feed$first, feed$n, batch_size, kind,
    if (metrics) compiled$metrics else list(), if (metrics) compiled$weighted_metrics else list()
  )
}

# The feed with the loops that go through it; the last of the checks.
with_loops <- function(model, feed, settings, call) {
  feed$loop <- new_loop(model, feed, settings$batch_size, "train")
  if (!is.null(feed$validation)) {
    feed$validation_loop <- new_loop(model, feed$validation, settings$validation_batch, "test")
  }
  check_own_loss(model, feed, call)
  feed
}

# Frees what a feed holds in the core now and not when R gets to it: the next fit() takes the same memory again.
release <- function(feed) {
  for (part in list(feed$validation_loop, feed$loop, feed$validation$data, feed$data)) {
    if (!is.null(part)) .Call(ffi_release, part)
  }
}

# run: the training under way, an environment: metrics (the history so far) and finished.
train <- function(model, feed, settings, callbacks,
                  progress = new_progress(settings$verbose, settings$epochs, steps, settings$initial_epoch),
                  crew = NULL) {
  first_key <- share_start(crew, model, choose_stream(model, settings))
  steps <- if (!is.null(feed$batches)) {
    feed$batches
  } else if (is.null(settings$steps)) {
    ceiling(crew_total(crew, feed$n) / settings$batch_size)
  } else {
    settings$steps
  }
  params <- list(
    verbose = settings$verbose, epochs = settings$epochs, steps = steps,
    initial_epoch = settings$initial_epoch, metrics = log_names(model, feed)
  )
  run <- list2env(list(metrics = list(), finished = FALSE), parent = emptyenv())
  force(progress)
  set_callback_context(callbacks, model, params)
  model$stop_training <- FALSE
  model$resume <- TRUE # whatever ends the training early, the next one goes on from there
  on.exit({
    suspendInterrupts({ # a second Ctrl-C while the first is seen to
      pull_state(model)
      model$history <- new_history(params, run$metrics)
    })
    progress$finish(model$history)
    if (!run$finished) {
      crew_hook(crew, model, callbacks, "on_train_end", last_logs(run$metrics))
    }
  })

  crew_hook(crew, model, callbacks, "on_train_begin", list())
  train_epoch <- epoch_trainer(model, feed, steps, callbacks, progress, crew)
  for (epoch in seq(settings$initial_epoch, settings$epochs)) {
    started <- proc.time()[["elapsed"]]
    crew_hook(crew, model, callbacks, "on_epoch_begin", epoch, list())
    progress$epoch_begin(epoch)
    start_pass(model, feed$loop, feed, settings$shuffle, first_key + epoch - settings$initial_epoch)
    logs <- tryCatch(
      train_epoch(),
      lamina_error_numeric = function(e) exploded(e, epoch, model, callbacks)
    )
    if (is.null(logs)) {
      break
    }
    if (!is.null(feed$validation_loop) && validates(epoch, settings$validation_freq)) {
      measured <- test_loop(model, feed$validation_loop, settings$validation_steps, callbacks, feed$validation, crew)
      logs <- c(logs, stats::setNames(measured, paste0("val_", names(measured))))
    }
    before <- run$metrics
    suspendInterrupts({
      assign("epoch", .subset2(model, "epoch") + 1, envir = model)
      run$metrics <- append_logs(before, logs)
      if (length(callbacks)) { # they may save the model; of wide networks the state takes a while
        pull_state(model)
        assign("history", new_history(params, run$metrics), envir = model)
      }
    })
    progress$epoch_end(epoch, logs, proc.time()[["elapsed"]] - started)
    check_copies(crew, model)
    if (length(callbacks)) {
      run$metrics <- append_logs(before, crew_hook(crew, model, callbacks, "on_epoch_end", epoch, logs))
    }
    if (isTRUE(.subset2(model, "stop_training"))) {
      break
    }
  }
  .Call(ffi_net_finish, net_ptr(model))
  run$finished <- TRUE
  model$resume <- FALSE
  crew_hook(crew, model, callbacks, "on_train_end", last_logs(run$metrics))
  new_history(params, run$metrics)
}

# Where the random numbers come from: a training that goes on keeps the model's own stream, any
# other draws a new seed.  Returns the key of the first epoch's shuffle.
choose_stream <- function(model, settings) {
  ptr <- net_ptr(model)
  fresh <- settings$initial_epoch == 1
  if (fresh && model$epoch > 0) {
    inform_lamina(c(i = sprintf("Continuing after epoch %d; reset_weights() starts afresh.", model$epoch)), "lamina_message_continue")
  }
  if (fresh && !model$resume) {
    .Call(ffi_net_seed, ptr, draw_seed())
  } else {
    .Call(ffi_net_resume, ptr)
  }
  if (fresh) model$epoch + 1 else settings$initial_epoch
}

# The names that the logs of an epoch will have.
log_names <- function(model, feed) {
  names <- c("loss", make.unique(.Call(ffi_loop_names, feed$loop), "_"), names(model$compiled$own_metrics))
  c(names, if (!is.null(feed$validation_loop)) paste0("val_", names))
}

validates <- function(epoch, freq) {
  if (length(freq) == 1L) epoch %% freq == 0 else epoch %in% freq
}

# Begins a pass through a loop's data; the key numbers the order of a shuffled one.
start_pass <- function(model, loop, feed, shuffle = FALSE, key = 1) {
  in_batches <- !is.null(feed$next_batch)
  .Call(ffi_loop_start, loop, shuffle && !in_batches, key)
  if (in_batches) {
    feed$start(model, key)
  }
}

# A function that trains for one epoch and gives its logs.  Epochs of small data take less time than a
# few calls in R: what is the same for all is worked out here, once.
epoch_trainer <- function(model, feed, steps, callbacks, progress, crew = NULL) {
  loop <- feed$loop
  hooks <- has_hook(callbacks, "on_train_batch_begin") || has_hook(callbacks, "on_train_batch_end")
  stepper <- batch_stepper(model, loop, feed)
  names <- core_log_names(loop)
  endless <- !is.null(feed$next_batch)
  measures <- length(model$compiled$own_metrics) > 0L
  most <- if (hooks || stepper$single || measures) 1 else 1e15
  function() {
    own <- if (measures) own_metric_sums(model)
    done <- 0
    logs <- list()
    while (done < steps) {
      if (hooks) {
        crew_hook(crew, model, callbacks, "on_train_batch_begin", done + 1, list())
      }
      report <- stepper$step(min(most, steps - done))
      done <- report[2L]
      logs <- report_logs(report, names)
      if (measures) {
        own$add(loop, report)
        logs <- c(logs, own$values())
      }
      if (hooks) {
        crew_hook(crew, model, callbacks, "on_train_batch_end", done, logs)
      }
      progress$update(done, logs)
      if (report[1L] > 0 && !endless || isTRUE(.subset2(model, "stop_training"))) {
        break
      }
    }
    logs
  }
}

# How a batch is done: by the core alone in slices; one by one where R supplies the data or the loss.
batch_stepper <- function(model, loop, feed) {
  own <- model$compiled$own_loss
  one <- function() {
    if (is.null(own)) {
      return(.Call(ffi_loop_run, loop, 1, SLICE_SECONDS))
    }
    batch <- .Call(ffi_loop_forward, loop)
    loss <- own(batch$y_true, batch$y_pred)
    .Call(ffi_loop_backward, loop, as.double(loss$value), loss$gradient)
  }
  if (!is.null(feed$next_batch)) {
    list(single = TRUE, step = function(most) {
      feed_loop(loop, feed)
      one()
    })
  } else if (!is.null(own)) {
    list(single = TRUE, step = function(most) one())
  } else {
    list(single = FALSE, step = function(most) .Call(ffi_loop_run, loop, most, SLICE_SECONDS))
  }
}

feed_loop <- function(loop, feed) {
  data <- feed$next_batch()
  if (is.null(feed$share)) {
    .Call(ffi_loop_feed, loop, data)
  } else {
    share <- feed$share()
    .Call(ffi_loop_feed_share, loop, data, share[1L], share[2L], share[3L])
  }
}

# Running means of metrics that are R functions, weighted by the size of the batches.
own_metric_sums <- function(model) {
  fns <- model$compiled$own_metrics
  sums <- numeric(length(fns))
  count <- 0
  add <- function(loop, report) {
    batch <- .Call(ffi_loop_batch, loop)
    rows <- dim(batch$y_pred)[1L]
    values <- vapply(seq_along(fns), function(i) own_metric_value(fns[[i]], names(fns)[i], batch), 0)
    sums <<- sums + rows * values
    count <<- count + rows
  }
  list(
    active = length(fns) > 0L,
    add = function(loop, report) if (length(fns)) add(loop, report),
    values = function() stats::setNames(as.list(sums / max(count, 1)), names(fns))
  )
}

own_metric_value <- function(fn, name, batch) {
  value <- fn(batch$y_true, batch$y_pred)
  if (!is.numeric(value) || length(value) == 0L) {
    abort_argument(name, "a metric that returns a number", describe(value))
  }
  mean(value)
}

core_log_names <- function(loop) make.unique(c("loss", .Call(ffi_loop_names, loop)), "_")

report_logs <- function(report, names) {
  logs <- as.list(report[-(1:4)])
  names(logs) <- names
  logs
}

# A whole pass of a test loop; the logs.
test_loop <- function(model, loop, steps = NULL, callbacks = list(), feed = list(), crew = NULL) {
  start_pass(model, loop, feed)
  stepper <- batch_stepper(model, loop, feed)
  own <- own_metric_sums(model)
  hooks <- has_hook(callbacks, "on_test_batch_begin") || has_hook(callbacks, "on_test_batch_end")
  crew_hook(crew, model, callbacks, "on_test_begin", list())
  left <- min(steps, feed$batches, 1e15)
  done <- 0
  repeat {
    if (hooks) {
      crew_hook(crew, model, callbacks, "on_test_batch_begin", done + 1, list())
    }
    report <- stepper$step(if (hooks || own$active) 1 else left - done)
    own$add(loop, report)
    done <- report[2L]
    if (hooks) {
      crew_hook(crew, model, callbacks, "on_test_batch_end", done, c(report_logs(report, core_log_names(loop)), own$values()))
    }
    if (report[1L] > 0 && is.null(feed$next_batch) || done >= left) {
      break
    }
  }
  logs <- c(report_logs(report, core_log_names(loop)), own$values())
  crew_hook(crew, model, callbacks, "on_test_end", logs)
  logs
}

append_logs <- function(metrics, logs) {
  if (identical(names(metrics), names(logs))) { # the usual case: short epochs feel every microsecond
    for (i in seq_along(logs)) {
      metrics[[i]] <- c(metrics[[i]], logs[[i]])
    }
    return(metrics)
  }
  n <- if (length(metrics)) max(lengths(metrics)) else 0L
  for (name in union(names(metrics), names(logs))) {
    old <- metrics[[name]]
    old <- c(old, rep(NA_real_, n - length(old)))
    metrics[[name]] <- c(old, if (is.null(logs[[name]])) NA_real_ else as.double(logs[[name]]))
  }
  metrics
}

last_logs <- function(metrics) lapply(metrics, function(v) v[length(v)])

# What to say when the loss is not finite; NULL when a callback asked to end quietly.
exploded <- function(e, epoch, model, callbacks) {
  batch <- suppressWarnings(as.integer(e$actual))
  quiet <- any(vapply(callbacks, inherits, NA, "lamina_callback_terminate_on_nan"))
  text <- sprintf("In epoch %d: %s", epoch, conditionMessage(e))
  if (quiet) {
    inform_lamina(c(text, i = "Training ends here; the last good weights are kept."), "lamina_message_nan")
    return(NULL)
  }
  abort_lamina(
    c(text,
      i = "Is the learning rate too high? Are the inputs scaled? Is there a logarithm of zero?",
      i = "The last good weights are kept."),
    "numeric", expected = "a finite loss", actual = "NaN or infinite", epoch = epoch, batch = batch,
    layer = e$arg, call = lamina_frame()
  )
}
