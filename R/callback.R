# Callbacks: objects whose functions fit(), evaluate() and predict() call at fixed moments.
#
# A callback is an environment of class c("lamina_callback_<type>", "lamina_callback") with the
# fields `model` and `params` and any of the functions named in callback_hooks.  It holds plain R
# values only, so it survives saveRDS().

callback_hooks <- c(
  "on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end",
  "on_train_batch_begin", "on_train_batch_end",
  "on_test_begin", "on_test_end", "on_test_batch_begin", "on_test_batch_end",
  "on_predict_begin", "on_predict_end", "on_predict_batch_begin", "on_predict_batch_end"
)

# Names that older scripts use, and today's.
callback_hook_aliases <- c(
  on_batch_begin = "on_train_batch_begin", on_batch_end = "on_train_batch_end"
)

new_callback <- function(type, ...) {
  self <- list2env(list(..., model = NULL, params = list()), parent = emptyenv())
  class(self) <- c(paste0("lamina_callback_", type), "lamina_callback")
  self
}

rename_hooks <- function(members) {
  old <- intersect(names(members), names(callback_hook_aliases))
  names(members)[match(old, names(members))] <- callback_hook_aliases[old]
  members
}

# What fit() needs ---------------------------------------------------------------------------

# A list of callbacks from what users give: a callback, a list of them (NULLs left out), NULL, or
# plain lists of functions such as list(on_epoch_end = function(epoch, logs) ...).
as_callbacks <- function(callbacks, arg = "callbacks", call = rlang::caller_env()) {
  if (is.null(callbacks)) {
    return(list())
  }
  single <- !is.list(callbacks) || is_hook_list(callbacks)
  items <- if (single) list(callbacks) else callbacks
  lapply(items[!vapply(items, is.null, NA)], as_callback, arg = arg, call = call)
}

is_hook_list <- function(x) {
  is.list(x) && length(x) > 0L && all(rlang::names2(x) != "") &&
    all(vapply(x, is.function, NA))
}

as_callback <- function(x, arg, call) {
  if (inherits(x, "lamina_callback")) {
    return(x)
  }
  if (is_hook_list(x)) {
    return(new_lambda(x, arg, call))
  }
  hint <- if (inherits(x, "lamina_callback_class")) {
    c(i = "Call the class that Callback() made: `my_callback()` makes a callback.")
  } else if (is.function(x)) {
    c(i = "Call the function, or wrap your own with `callback_lambda(on_epoch_end = ...)`.")
  }
  abort_argument(arg, "a callback or a list of callbacks", describe(x), hint = hint, call = call)
}

has_hook <- function(callbacks, hook) {
  for (callback in callbacks) {
    for (name in hook) {
      if (is.function(callback[[name]])) {
        return(TRUE)
      }
    }
  }
  FALSE
}

# run_hook(callbacks, "on_epoch_end", epoch, logs), run_hook(callbacks, "on_train_end", logs):
# calls the hook of every callback in turn.  A hook that returns a named list of numbers changes
# the logs that later callbacks see; the logs after all of them are returned.  `epoch` and `batch`
# count from 1, as in keras3.
run_hook <- function(callbacks, hook, ...) {
  values <- list(...)
  if (length(callbacks) == 0L) {
    return(invisible(values[[length(values)]]))
  }
  names(values) <- hook_arguments(hook)[seq_along(values)]
  if (is.null(values$logs)) {
    values$logs <- stats::setNames(list(), character())
  }
  for (callback in callbacks) {
    fn <- callback[[hook]]
    if (is.function(fn)) {
      values$logs <- merge_logs(values$logs, call_with(fn, values))
    }
  }
  invisible(values$logs)
}

hook_arguments <- function(hook) {
  if (grepl("_batch_", hook, fixed = TRUE)) {
    c("batch", "logs")
  } else if (grepl("_epoch_", hook, fixed = TRUE)) {
    c("epoch", "logs")
  } else {
    "logs"
  }
}

# Calls `fn` with as many of the named `values` as it takes: by name where it has these names, else
# by place.
call_with <- function(fn, values) {
  takes <- names(formals(args(fn)))
  values <- if ("..." %in% takes) {
    unname(values)
  } else if (all(takes %in% names(values))) {
    values[takes]
  } else {
    unname(values[seq_len(min(length(takes), length(values)))])
  }
  do.call(fn, values, quote = TRUE)
}

merge_logs <- function(logs, value) {
  if (!is.list(value) || is.null(names(value))) {
    return(logs)
  }
  is_log <- nzchar(names(value)) &
    vapply(value, function(v) is.numeric(v) && length(v) == 1L, NA)
  logs[names(value)[is_log]] <- value[is_log]
  logs
}

set_callback_context <- function(callbacks, model, params) {
  for (callback in callbacks) {
    callback$model <- model
    callback$params <- params
  }
  invisible(callbacks)
}

#' @export
print.lamina_callback <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
format.lamina_callback <- function(x, ...) {
  hooks <- Filter(function(hook) is.function(x[[hook]]), callback_hooks)
  sprintf("<callback %s%s>", sub("^lamina_callback_", "", class(x)[1L]),
          if (length(hooks)) paste0(": ", paste(hooks, collapse = ", ")) else "")
}

# Monitoring ---------------------------------------------------------------------------------

# A metric whose name has one of these grows as the model gets better.
rising_metrics <- paste(
  "acc", "auc", "precision", "recall", "f1", "fbeta", "r2", "iou", "cosine_similarity",
  "sensitivity", "specificity", "true_positive", "true_negative", "top_k", sep = "|"
)
falling_metrics <- paste(
  "loss", "error", "^m[as]p?l?e$", "^rmse$", "crossentropy", "^ce$", "^bce$", "kl", "hinge",
  "poisson", "log_?cosh", "huber", "deviance", "divergence", "false_positive", "false_negative",
  "cosine_proximity", sep = "|"
)

# "min" or "max"; NA when the name does not tell.
metric_direction <- function(name) {
  name <- sub("^val_", "", tolower(name))
  if (grepl(rising_metrics, name)) {
    "max"
  } else if (grepl(falling_metrics, name)) {
    "min"
  } else {
    NA_character_
  }
}

check_verbosity <- function(verbose, call = rlang::caller_env()) {
  check_count(if (is.logical(verbose)) as.numeric(verbose) else verbose, min = 0, arg = "verbose",
              call = call)
}

# Fields that a callback with `monitor` carries.
monitor_fields <- function(monitor, mode, min_delta, verbose, call) {
  list(
    monitor = check_string(monitor, arg = "monitor", call = call),
    mode = check_choice(mode, c("auto", "min", "max"), arg = "mode", call = call),
    min_delta = abs(check_number(min_delta, arg = "min_delta", call = call)),
    verbose = check_verbosity(verbose, call = call),
    best = NULL, seen = FALSE, available = character()
  )
}

# The monitored value of this epoch, or NULL when it was not measured (with validation_freq it is
# not measured in every epoch, so that it never was is known, and said, only at the end).
monitored <- function(self, logs) {
  value <- logs[[self$monitor]]
  if (is.null(value)) {
    self$available <- union(self$available, names(logs))
    return(NULL)
  }
  self$seen <- TRUE
  if (self$mode == "auto") {
    direction <- metric_direction(self$monitor)
    if (is.na(direction)) {
      abort_argument(
        "mode", sprintf("\"min\" or \"max\" to monitor `%s`", self$monitor), "\"auto\"",
        hint = c(i = "The name does not say whether smaller or larger values are better.")
      )
    }
    self$mode <- direction
  }
  if (is.na(value) && !is.nan(value)) NULL else value
}

warn_unseen <- function(self, what) {
  if (self$seen || length(self$available) == 0L) {
    return(invisible())
  }
  near <- nearest(self$monitor, self$available)
  warn_lamina(
    c(
      sprintf("`%s` was not measured: %s had nothing to go by.", self$monitor, what),
      i = paste("Measured:", paste(self$available, collapse = ", ")),
      if (length(near)) c(i = sprintf("Did you mean \"%s\"?", near)),
      if (startsWith(self$monitor, "val_") && !any(startsWith(self$available, "val_"))) {
        c(i = "Give fit() `validation_split` or `validation_data`.")
      }
    ),
    class = "lamina_warning_monitor", monitor = self$monitor, available = self$available
  )
}

# Better than `reference` by more than min_delta.  No reference is worse than any value, NaN is
# never better.
is_better <- function(self, value, reference) {
  if (is.nan(value)) {
    FALSE
  } else if (is.null(reference)) {
    TRUE
  } else if (self$mode == "max") {
    value - self$min_delta > reference
  } else {
    value + self$min_delta < reference
  }
}

say <- function(...) cat(sprintf(...), "\n", sep = "")

# The callbacks ------------------------------------------------------------------------------

#' Stop training when a metric no longer improves
#'
#' After each epoch (pass over the training data) the monitored value is compared with the best one so far. It is
#' an improvement when it is smaller (mode `"min"`) or larger (mode `"max"`) by more than `min_delta`. After
#' `patience` epochs in a row without one, training ends. So `epochs` may be generous, and the network is not trained
#' until it overfits.
#'
#' By default the loss on validation data is watched, so [fit()][fit.lamina_model] must be given
#' `validation_split` or `validation_data`. The callback starts afresh with every `fit()`, so one object can serve
#' several models.
#'
#' @param monitor Name of the value to watch, as in the history: `"loss"`, `"val_loss"`,
#'   `"val_accuracy"`, ... `val_` stands for the validation data.
#' @param min_delta Smallest change that counts as an improvement, in the units of the monitored value (its
#'   absolute value is taken).
#' @param patience Epochs in a row without improvement after which training ends. 0 does the same as 1: the
#'   first one ends it. The loss goes up and down by chance, so 5 to 20 is usual.
#' @param verbose 1 prints what the callback does, 0 nothing.
#' @param mode `"min"`, `"max"` or `"auto"`, which goes by the name of the metric: losses and
#'   errors fall, accuracies, AUC, precision, recall, F1 and R2 rise.
#' @param baseline Value to be beaten: the count of epochs without improvement only starts again
#'   when a value is better than this as well. `NULL`: none.
#' @param restore_best_weights `TRUE`: when training ends, however it ends, the model gets the weights of its best
#'   epoch. `FALSE`: it keeps those of the last one, which is `patience` epochs past the best when training was
#'   stopped.
#' @param start_from_epoch Number of epochs to let pass before watching.
#' @return A callback, an object for `fit(callbacks = )`. The history of `fit()` has the epochs that were run; after
#'   training `$best_epoch` of the callback is the best one, and `$stopped_epoch` that in which it stopped, or 0.
#' @section Errors and warnings:
#' Bad arguments raise `lamina_error_argument`; so does, during training, mode `"auto"` for a
#' metric whose name does not tell the direction. A `monitor` that was never measured, as `"val_loss"` without
#' validation data, changes nothing: it gives one warning of class `lamina_warning_monitor` with the names there
#' were.
#' @references L. Prechelt, Early stopping - but when?, in: Neural networks: tricks of the trade, 1998.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/early_stopping/>
#' @examples
#' set.seed(1)
#' x <- matrix(rnorm(400), ncol = 10)
#' y <- x[, 1] + rnorm(40)
#' model <- keras_model_sequential(input_shape = 10) |>
#'   layer_dense(32, activation = "relu") |>
#'   layer_dense(1)
#' model |> compile(optimizer = optimizer_adam(0.01), loss = "mse")
#' stopper <- callback_early_stopping(patience = 5, restore_best_weights = TRUE)
#' history <- model |>
#'   fit(x, y, epochs = 200, validation_split = 0.4, callbacks = stopper, verbose = 0)
#' length(history$metrics$loss) # epochs run, of 200
#' stopper$best_epoch           # whose weights the model has
#' @export
callback_early_stopping <- function(monitor = "val_loss", min_delta = 0L, patience = 0L,
                                    verbose = 0L, mode = "auto", baseline = NULL,
                                    restore_best_weights = FALSE, start_from_epoch = 0L) {
  self <- do.call(new_callback, c(
    "early_stopping", monitor_fields(monitor, mode, min_delta, verbose, environment())
  ))
  self$patience <- check_count(patience, min = 0)
  self$baseline <- check_number(baseline, allow_null = TRUE)
  self$restore_best_weights <- check_flag(restore_best_weights)
  self$start_from_epoch <- check_count(start_from_epoch, min = 0)

  self$on_train_begin <- function(logs) {
    self$wait <- 0
    self$stopped_epoch <- 0
    self$best <- NULL
    self$best_epoch <- NULL
    self$best_weights <- NULL
    self$seen <- FALSE
    self$available <- character()
  }
  remember <- function(epoch) {
    self$best_epoch <- epoch
    if (self$restore_best_weights) {
      self$best_weights <- model_weights_raw(self$model)
    }
  }
  self$on_epoch_end <- function(epoch, logs) {
    value <- monitored(self, logs)
    if (is.null(value) || epoch <= self$start_from_epoch) {
      return()
    }
    self$wait <- self$wait + 1
    if (is_better(self, value, self$best)) {
      self$best <- value
      remember(epoch)
      if (is.null(self$baseline) || is_better(self, value, self$baseline)) {
        self$wait <- 0
      }
    } else if (self$wait >= self$patience) {
      self$stopped_epoch <- epoch
      self$model$stop_training <- TRUE
    }
    invisible()
  }
  self$on_train_end <- function(logs) {
    if (self$stopped_epoch > 0 && self$verbose > 0) {
      say("Epoch %d: early stopping", self$stopped_epoch)
    }
    if (!is.null(self$best_weights)) {
      if (self$verbose > 0) {
        say("Restoring the weights of the best epoch, %d.", self$best_epoch)
      }
      set_model_weights_raw(self$model, self$best_weights)
      self$best_weights <- NULL
    }
    warn_unseen(self, "early stopping")
  }
  self
}

#' Save the model while it is trained
#'
#' Saves the model, with its optimizer so that training can go on from the file, at the end of
#' every epoch or every so many batches; or only its weights. A file is replaced in one step: at no
#' moment is there half a file, whatever ends the process. (A process that is killed while it saves may leave a
#' hidden file beside it, `.<name>.<process>.tmp`, which is no checkpoint and may be deleted.)
#'
#' @section File names:
#' `filepath` may hold `{epoch}`, `{batch}` and the name of any metric, with a format after a
#' colon: `"model-{epoch:02d}-{val_loss:.3f}.keras"`. Epochs and batches count from 1.
#' @inheritParams callback_early_stopping
#' @param filepath Where to save. Any extension; directories are made as needed.
#' @param save_best_only Whether to save only when the monitored value is the best so far. The
#'   best value is remembered over several calls of [fit()] with the same callback.
#' @param save_weights_only Whether to save only the weights ([save_model_weights()]), not the
#'   whole model ([save_model()]).
#' @param save_freq `"epoch"`, or a number of batches after which to save.
#' @param initial_value_threshold With `save_best_only`: a value to be beaten by the first save.
#' @return A callback for `fit(callbacks = )`.
#' @section Errors and warnings:
#' Bad arguments, and names in `filepath` that are not measured, raise `lamina_error_argument`;
#' files that cannot be written raise `lamina_error_file`. A `monitor` that was never measured
#' gives a warning of class `lamina_warning_monitor`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/model_checkpoint/>
#' @examples
#' callback_model_checkpoint(file.path(tempdir(), "{epoch:02d}-{val_loss:.3f}.keras"),
#'                           save_best_only = TRUE)
#' @export
callback_model_checkpoint <- function(filepath, monitor = "val_loss", verbose = 0L,
                                      save_best_only = FALSE, save_weights_only = FALSE,
                                      mode = "auto", save_freq = "epoch",
                                      initial_value_threshold = NULL) {
  self <- do.call(new_callback, c(
    "model_checkpoint", monitor_fields(monitor, mode, 0, verbose, environment())
  ))
  self$filepath <- check_template(check_string(filepath))
  self$save_best_only <- check_flag(save_best_only)
  self$save_weights_only <- check_flag(save_weights_only)
  self$save_freq <- if (is.character(save_freq)) {
    check_choice(save_freq, "epoch")
  } else {
    check_count(save_freq)
  }
  self$best <- check_number(initial_value_threshold, allow_null = TRUE)
  self$batches <- 0

  save <- function(epoch, logs, batch = NULL) {
    if (!save_is_due(self, epoch, logs)) {
      return(invisible())
    }
    path <- fill_template(self$filepath, c(list(epoch = epoch, batch = batch), logs))
    dir.create(dirname(path), showWarnings = FALSE, recursive = TRUE)
    writer <- if (self$save_weights_only) save_model_weights else save_model
    writer(self$model, path, overwrite = TRUE)
    if (self$verbose > 0) {
      say("Epoch %d: model saved to %s", epoch, path)
    }
  }
  self$on_train_begin <- function(logs) {
    self$seen <- FALSE
    self$available <- character()
  }
  if (identical(self$save_freq, "epoch")) {
    self$on_epoch_end <- function(epoch, logs) save(epoch, logs)
  } else {
    self$on_epoch_begin <- function(epoch) self$epoch <- epoch
    self$on_train_batch_end <- function(batch, logs) {
      self$batches <- self$batches + 1
      if (self$batches %% self$save_freq == 0) {
        save(self$epoch, logs, batch)
      }
    }
  }
  self$on_train_end <- function(logs) {
    if (self$save_best_only) {
      warn_unseen(self, "the checkpoint, which saved every time,")
    }
  }
  self
}

# Whether to save now.  Without the monitored value every time is right, as in Keras.
save_is_due <- function(self, epoch, logs) {
  if (!self$save_best_only) {
    return(TRUE)
  }
  value <- monitored(self, logs)
  if (is.null(value)) {
    return(!self$seen)
  }
  better <- is_better(self, value, self$best)
  if (self$verbose > 0) {
    best <- if (is.null(self$best)) "nothing" else format_metric(self$best)
    say("Epoch %d: %s %s from %s to %s", epoch, self$monitor,
        if (better) "improved" else "did not improve", best, format_metric(value))
  }
  if (better) {
    self$best <- value
  }
  better
}

template_field <- "\\{([A-Za-z_.][A-Za-z0-9_.]*)(:[^{}]*)?\\}"

check_template <- function(template, call = rlang::caller_env()) {
  fields <- regmatches(template, gregexpr("\\{[^{}]*\\}", template))[[1L]]
  for (field in fields) {
    format <- sub(template_field, "\\2", field)
    if (!grepl(template_field, field) || !grepl("^(:0?[0-9]*(\\.[0-9]+)?[dfeg]?)?$", format)) {
      abort_argument("filepath", "a path with fields such as {epoch:02d} or {val_loss:.3f}",
                     sprintf("one with %s", field), call = call)
    }
  }
  template
}

# "{epoch:02d}-{loss:.2f}" with values in.
fill_template <- function(template, values) {
  values <- values[!vapply(values, is.null, NA)]
  matches <- gregexpr(template_field, template)
  fields <- regmatches(template, matches)[[1L]]
  fill <- function(field) {
    name <- sub(template_field, "\\1", field)
    format <- sub("^:", "", sub(template_field, "\\2", field))
    if (is.null(values[[name]])) {
      abort_argument("filepath", paste("made of", paste(names(values), collapse = ", ")), field)
    }
    fill_field(values[[name]], format)
  }
  regmatches(template, matches) <- list(vapply(fields, fill, ""))
  template
}

fill_field <- function(value, format) {
  if (!nzchar(format)) {
    return(format(value, digits = 7))
  }
  type <- if (grepl("[dfeg]$", format)) "" else if (grepl(".", format, fixed = TRUE)) "g" else "d"
  if (grepl("d$", paste0(format, type))) {
    value <- round(value)
  }
  sprintf(paste0("%", format, type), value)
}

#' Lower the learning rate when a metric no longer improves
#'
#' After `patience` epochs without an improvement of more than `min_delta` the learning rate is
#' multiplied by `factor`, down to `min_lr` at the least. The history then has a `learning_rate`.
#'
#' The lowered rate is the model's, and saved with it; the best value and the epochs waited for begin afresh with
#' every [fit()].
#'
#' @inheritParams callback_early_stopping
#' @param factor What the rate is multiplied by; below 1.
#' @param patience Epochs without improvement after which the rate is lowered.
#' @param cooldown Epochs to wait after that before counting again.
#' @param min_lr Lowest rate.
#' @param ... Must be empty.
#' @return A callback for `fit(callbacks = )`.
#' @inheritSection callback_early_stopping Errors and warnings
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/reduce_lr_on_plateau/>
#' @examples
#' callback_reduce_lr_on_plateau(monitor = "val_loss", factor = 0.2, patience = 5)
#' @export
callback_reduce_lr_on_plateau <- function(monitor = "val_loss", factor = 0.1, patience = 10L,
                                          verbose = 0L, mode = "auto", min_delta = 1e-04,
                                          cooldown = 0L, min_lr = 0, ...) {
  check_no_dots(list(...))
  self <- do.call(new_callback, c(
    "reduce_lr_on_plateau", monitor_fields(monitor, mode, min_delta, verbose, environment())
  ))
  self$factor <- check_number(factor, min = 0, max = 1)
  if (self$factor == 0 || self$factor == 1) {
    abort_argument("factor", "a number above 0 and below 1", describe(factor))
  }
  self$patience <- check_count(patience, min = 0)
  self$cooldown <- check_count(cooldown, min = 0)
  self$min_lr <- check_number(min_lr, min = 0)

  self$on_train_begin <- function(logs) {
    self$best <- NULL
    self$wait <- 0
    self$cooling <- 0
    self$seen <- FALSE
    self$available <- character()
  }
  lower_rate <- function(epoch, rate) {
    if (rate <= self$min_lr) {
      return()
    }
    rate <- max(rate * self$factor, self$min_lr)
    set_model_rate(self$model, rate)
    self$cooling <- self$cooldown
    self$wait <- 0
    if (self$verbose > 0) {
      say("Epoch %d: learning rate lowered to %s", epoch, format(rate))
    }
  }
  self$on_epoch_end <- function(epoch, logs) {
    rate <- model_rate(self$model)
    value <- monitored(self, logs)
    if (!is.null(value)) {
      if (self$cooling > 0) {
        self$cooling <- self$cooling - 1
        self$wait <- 0
      }
      if (is_better(self, value, self$best)) {
        self$best <- value
        self$wait <- 0
      } else if (self$cooling == 0) {
        self$wait <- self$wait + 1
        if (self$wait >= self$patience) {
          lower_rate(epoch, rate)
        }
      }
    }
    list(learning_rate = rate)
  }
  self$on_train_end <- function(logs) warn_unseen(self, "the learning rate")
  self
}

#' Set the learning rate of each epoch
#'
#' Before each epoch the learning rate becomes `schedule(epoch, lr)`. The history then has a
#' `learning_rate`.
#'
#' @param schedule A function of the epoch, counted from **0** as in Keras, and of the present
#'   learning rate (may be left out), that returns the new rate.
#' @param verbose 1 prints the rate of each epoch, 0 nothing.
#' @return A callback for `fit(callbacks = )`.
#' @section Errors:
#' A `schedule` that is no function, or that does not return a rate of at least 0, raises
#' `lamina_error_argument`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/learning_rate_scheduler/>, and the
#'   `learning_rate_schedule_*()` functions, which change the rate with every step.
#' @examples
#' callback_learning_rate_scheduler(function(epoch, lr) if (epoch < 10) lr else lr * exp(-0.1))
#' @export
callback_learning_rate_scheduler <- function(schedule, verbose = 0L) {
  self <- new_callback(
    "learning_rate_scheduler",
    schedule = check_function(schedule), verbose = check_verbosity(verbose)
  )
  self$on_epoch_begin <- function(epoch) {
    rate <- call_with(self$schedule, list(epoch = epoch - 1, lr = model_rate(self$model)))
    rate <- check_number(as.vector(rate), min = 0, arg = "schedule")
    set_model_rate(self$model, rate)
    if (self$verbose > 0) {
      say("Epoch %d: learning rate set to %s", epoch, format(rate))
    }
    invisible()
  }
  self$on_epoch_end <- function(epoch) list(learning_rate = model_rate(self$model))
  self
}

#' Write the values of each epoch to a CSV file
#'
#' One row per epoch: the epoch, counted from 0 as in Keras, and every value in the history, in
#' alphabetical order. The file is complete after every epoch.
#'
#' @param filename Path of the file.
#' @param separator What separates the columns.
#' @param append Whether to add to a file that exists (for training that goes on) or to write it
#'   anew.
#' @return A callback for `fit(callbacks = )`.
#' @section Errors:
#' A file that cannot be written raises `lamina_error_file`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/csv_logger/>
#' @examples
#' callback_csv_logger(file.path(tempdir(), "training.csv"))
#' @export
callback_csv_logger <- function(filename, separator = ",", append = FALSE) {
  self <- new_callback(
    "csv_logger",
    filename = check_string(filename), separator = check_string(separator),
    append = check_flag(append), columns = NULL
  )
  write_row <- function(values) {
    tryCatch(
      cat(paste(values, collapse = self$separator), "\n",
          sep = "", file = self$filename, append = TRUE),
      error = function(e) abort_unwritable(self$filename, e),
      warning = function(w) abort_unwritable(self$filename, w)
    )
  }
  self$on_train_begin <- function(logs) {
    self$columns <- NULL
    if (!self$append && file.exists(self$filename) && !file.remove(self$filename)) {
      abort_unwritable(self$filename)
    }
  }
  self$on_epoch_end <- function(epoch, logs) {
    if (is.null(self$columns)) {
      self$columns <- sort(unique(c(self$params$metrics, names(logs))), method = "radix")
      if (!isTRUE(file.size(self$filename) > 0)) {
        write_row(c("epoch", self$columns))
      }
    }
    number <- function(name) if (is.null(logs[[name]])) "NA" else format(logs[[name]], digits = 15)
    write_row(c(epoch - 1, vapply(self$columns, number, "")))
  }
  self
}

abort_unwritable <- function(path, cause = NULL) {
  abort_lamina(
    c(sprintf("Cannot write `%s`.", path), if (!is.null(cause)) c(x = conditionMessage(cause))),
    "file", arg = "filename", expected = "a path that can be written", actual = path,
    call = lamina_frame()
  )
}

#' End training quietly when the loss is not a number
#'
#' Without this callback [fit()] stops with an error of class `lamina_error_numeric` when the loss
#' turns NaN or infinite. With it, training ends with a message and the history so far is
#' returned.
#'
#' @return A callback for `fit(callbacks = )`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/terminate_on_nan/>
#' @examples
#' callback_terminate_on_nan()
#' @export
callback_terminate_on_nan <- function() {
  new_callback("terminate_on_nan")
}

#' A callback from functions
#'
#' Each function is called at its moment with as many of its arguments as it takes. Epochs and
#' batches count from 1. `logs` is a named list: at the end of an epoch `loss`, the metrics, and
#' with `val_` before their names those of the validation data; at the end of a batch the means
#' over the epoch so far. A function that returns a named list of numbers adds these to the logs,
#' and so to the history.
#'
#' Training and validation go on batch by batch in R only when a batch function is given: without
#' one they are faster.
#'
#' @param on_epoch_begin,on_epoch_end `function(epoch, logs)`, called around each epoch.
#' @param on_train_begin,on_train_end `function(logs)`, called around the whole training.
#' @param on_train_batch_begin,on_train_batch_end `function(batch, logs)`, called around each
#'   batch.
#' @param ... More by name: `on_test_begin`, `on_test_end`, `on_test_batch_begin`,
#'   `on_test_batch_end` (validation and [evaluate()]), `on_predict_begin`, `on_predict_end`,
#'   `on_predict_batch_begin`, `on_predict_batch_end` ([predict()]).
#' @return A callback for `fit(callbacks = )`.
#' @section Errors:
#' What is no function, and a name that is none of these, raises `lamina_error_argument`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/lambda_callback/>
#' @examples
#' callback_lambda(on_epoch_end = function(epoch, logs) {
#'   if (epoch %% 10 == 0) cat("epoch", epoch, "loss", logs$loss, "\n")
#' })
#' @export
callback_lambda <- function(on_epoch_begin = NULL, on_epoch_end = NULL, on_train_begin = NULL,
                            on_train_end = NULL, on_train_batch_begin = NULL,
                            on_train_batch_end = NULL, ...) {
  hooks <- list(
    on_epoch_begin = on_epoch_begin, on_epoch_end = on_epoch_end,
    on_train_begin = on_train_begin, on_train_end = on_train_end,
    on_train_batch_begin = on_train_batch_begin, on_train_batch_end = on_train_batch_end, ...
  )
  new_lambda(hooks[!vapply(hooks, is.null, NA)], NULL, environment())
}

# `arg` names the argument that the functions came in, or is NULL when each came as its own.
new_lambda <- function(hooks, arg, call) {
  hooks <- rename_hooks(hooks)
  self <- new_callback("lambda")
  for (name in rlang::names2(hooks)) {
    if (!name %in% callback_hooks) {
      abort_unknown(if (is.null(arg)) "..." else arg, "a moment to be called at", name,
                    callback_hooks, call = call)
    }
    self[[name]] <- check_function(hooks[[name]], arg = name, call = call)
  }
  self
}

# Classes of callbacks -----------------------------------------------------------------------

#' Define a class of callbacks
#'
#' Makes a function that makes callbacks with functions and fields of their own, as in keras3.
#' Use it where a callback has state; [callback_lambda()] is enough for a single function.
#'
#' The functions see, besides where they were written:
#' * `self`: the callback. `self$model` is the model in training, `self$params` a list of
#'   `epochs`, `steps` and `verbose`. `self$model$stop_training <- TRUE` ends training after the
#'   batch or epoch.
#' * `private`: an environment with the members given as `private`.
#' * `super`: the functions of the class that this one inherits from.
#'
#' When each function is called, with what arguments, and what comes of a named list that it
#' returns, is told under [callback_lambda()].
#'
#' @param classname Name of the class.
#' @param on_epoch_begin,on_epoch_end `function(epoch, logs)`; epochs count from 1.
#' @param on_train_begin,on_train_end,on_test_begin,on_test_end,on_predict_begin,on_predict_end
#'   `function(logs)`.
#' @param on_train_batch_begin,on_train_batch_end `function(batch, logs)`; batches count from 1
#'   in each epoch.
#' @param on_test_batch_begin,on_test_batch_end,on_predict_batch_begin,on_predict_batch_end
#'   `function(batch, logs)`.
#' @param ...,public More members: fields and functions, such as `initialize`, which takes the
#'   arguments of the function that is returned.
#' @param private Members that are seen only by the functions of the callback.
#' @param inherit A class made by `Callback()` to take members from.
#' @return A function that makes callbacks of this class for `fit(callbacks = )`.
#' @section Errors:
#' A bad argument raises `lamina_error_argument`.
#' @family callbacks
#' @seealso <https://keras.io/api/callbacks/base_callback/>
#' @examples
#' callback_stop_below <- Callback(
#'   "StopBelow",
#'   initialize = function(loss) self$loss <- loss,
#'   on_epoch_end = function(epoch, logs) {
#'     if (logs$loss < self$loss) self$model$stop_training <- TRUE
#'   }
#' )
#' callback_stop_below(loss = 0.1)
#' @export
Callback <- function(classname, on_epoch_begin = NULL, on_epoch_end = NULL,
                     on_train_begin = NULL, on_train_end = NULL,
                     on_train_batch_begin = NULL, on_train_batch_end = NULL,
                     on_test_begin = NULL, on_test_end = NULL,
                     on_test_batch_begin = NULL, on_test_batch_end = NULL,
                     on_predict_begin = NULL, on_predict_end = NULL,
                     on_predict_batch_begin = NULL, on_predict_batch_end = NULL,
                     ..., public = list(), private = list(), inherit = NULL) {
  check_string(classname)
  members <- c(mget(callback_hooks, environment()), list(...))
  members <- c(members[!vapply(members, is.null, NA)], public)
  check_members(members, "public")
  check_members(private, "private")
  for (name in intersect(names(rename_hooks(members)), callback_hooks)) {
    check_function(rename_hooks(members)[[name]], arg = name)
  }
  if (!is.null(inherit) && !inherits(inherit, "lamina_callback_class")) {
    abort_argument("inherit", "a class made by Callback()", describe(inherit))
  }
  new_callback_class(list(
    name = classname, public = rename_hooks(members), private = private,
    parent = attr(inherit, "definition")
  ))
}

check_members <- function(members, arg, call = rlang::caller_env()) {
  if (!is.list(members) || any(rlang::names2(members) == "")) {
    abort_argument(arg, "a list of members, each with a name", describe(members), call = call)
  }
}

new_callback_class <- function(definition) {
  make <- function(...) {
    self <- new_callback(snake_case(definition$name))
    private <- new.env(parent = emptyenv())
    install_members(self, private, definition, make)
    self$initialize(...)
    self
  }
  structure(make, definition = definition, class = c("lamina_callback_class", "function"))
}

# Members of the oldest ancestor first, so that each class overrides those before it.  Returns the
# functions so far, which are `super` for the next class.
install_members <- function(self, private, definition, make) {
  super <- if (is.null(definition$parent)) {
    list(initialize = function(...) invisible())
  } else {
    install_members(self, private, definition$parent, make)
  }
  self$initialize <- super$initialize
  scope <- list(self = self, private = private, super = super, `__class__` = make)
  bind <- function(member) {
    if (is.function(member) && !is.primitive(member)) {
      environment(member) <- list2env(scope, parent = environment(member))
    }
    member
  }
  public <- lapply(definition$public, bind)
  list2env(public, self)
  list2env(lapply(definition$private, bind), private)
  functions <- Filter(is.function, public)
  super[names(functions)] <- functions
  super
}

#' @export
print.lamina_callback_class <- function(x, ...) {
  definition <- attr(x, "definition")
  cat(sprintf("<callback class %s%s>\n", definition$name,
              if (is.null(definition$parent)) "" else paste(" from", definition$parent$name)))
  invisible(x)
}
