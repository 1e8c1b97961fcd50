# The history of a training: what fit() returns.

# params: list(verbose, epochs, steps, initial_epoch); metrics: named list of numeric vectors, one
# value per epoch that was run (NA in epochs without validation).
new_history <- function(params, metrics) {
  structure(
    list(params = params, metrics = metrics),
    class = c("lamina_history", "keras_training_history")
  )
}

history_epochs <- function(x) {
  first <- if (is.null(x$params$initial_epoch)) 1 else x$params$initial_epoch
  as.integer(first - 1 + seq_len(max(0L, lengths(x$metrics))))
}

last_values <- function(x) lapply(x$metrics, function(values) values[length(values)])

# The row of the best value: the largest of a metric that rises, else the smallest.
best_at <- function(name, values) {
  if (identical(metric_direction(name), "max")) which.max(values) else which.min(values)
}

# Where the validation was best, going by the loss where there is one: list(metric, epoch, value),
# or NULL without validation.
history_best <- function(x) {
  validation <- grep("^val_", names(x$metrics), value = TRUE)
  if (length(validation) == 0L) {
    return(NULL)
  }
  metric <- c(intersect("val_loss", validation), validation)[1L]
  at <- best_at(metric, x$metrics[[metric]])
  if (length(at)) {
    list(metric = metric, epoch = history_epochs(x)[at], value = x$metrics[[metric]][at])
  }
}

#' The history of a training
#'
#' [fit()] returns, invisibly, the loss and metrics of each epoch. There are as many values as
#' epochs were run, also when training was stopped early.
#'
#' `x$metrics` is a named list of numeric vectors: `loss`, the metrics, and with `val_` before
#' their names those of the validation data (NA in epochs without validation). `x$params` holds
#' `verbose`, `epochs` and `steps`.
#'
#' @param x,object A history.
#' @param row.names,optional Not used.
#' @param ... Not used.
#' @return `as.data.frame()`: one row per epoch and metric with `epoch` (from 1), `value`,
#'   `metric` (factor) and `data` (factor: `training`, `validation`).
#'
#'   `summary()`: a data frame with one row per metric: its `first` and `last` value, the `best`
#'   one and the `best_epoch` (the smallest value, or the largest of a metric that rises).
#' @family histories
#' @seealso [plot.lamina_history()]
#' @examples
#' x <- matrix(rnorm(200), ncol = 2)
#' model <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
#' model |> compile(optimizer = "sgd", loss = "mse")
#' history <- model |> fit(x, x[, 1], epochs = 3, validation_split = 0.2, verbose = 0)
#' history
#' as.data.frame(history)
#' summary(history)
#' @name lamina_history
NULL

#' @rdname lamina_history
#' @export
print.lamina_history <- function(x, ...) {
  cat(format(x), sep = "\n")
  invisible(x)
}

#' @export
format.lamina_history <- function(x, ...) {
  if (length(history_epochs(x)) == 0L) {
    return("No epoch was finished.")
  }
  last <- last_values(x)
  c(
    "Final epoch (plot to see history):",
    paste0(formatC(names(last), width = max(nchar(names(last)))), ": ",
           vapply(last, function(v) prettyNum(v, big.mark = ",", digits = 4), ""))
  )
}

#' @rdname lamina_history
#' @export
as.data.frame.lamina_history <- function(x, row.names = NULL, optional = FALSE, ...) {
  names <- names(x$metrics)
  epochs <- history_epochs(x)
  validation <- startsWith(as.character(names), "val_")
  metric <- sub("^val_", "", names)
  data.frame(
    epoch = rep(epochs, length(names)),
    value = as.double(unlist(x$metrics, use.names = FALSE)),
    metric = factor(rep(metric, each = length(epochs)), levels = unique(metric)),
    data = factor(rep(ifelse(validation, "validation", "training"), each = length(epochs)),
                  levels = c("training", "validation"))
  )
}

#' @rdname lamina_history
#' @export
summary.lamina_history <- function(object, ...) {
  row <- function(name) {
    values <- object$metrics[[name]]
    at <- best_at(name, values)
    data.frame(
      metric = name, first = values[1L], last = values[length(values)],
      best = if (length(at)) values[at] else NA_real_,
      best_epoch = if (length(at)) history_epochs(object)[at] else NA_integer_
    )
  }
  table <- do.call(rbind, lapply(names(object$metrics), row))
  structure(table, epochs = length(history_epochs(object)), asked = object$params$epochs,
            class = c("summary.lamina_history", "data.frame"))
}

#' @export
print.summary.lamina_history <- function(x, ...) {
  asked <- attr(x, "asked")
  run <- attr(x, "epochs")
  cat(run, if (!is.null(asked) && asked > run) c("of", asked),
      if (run == 1L && isTRUE(asked == 1L)) "epoch" else "epochs", "\n")
  print(data.frame(x, check.names = FALSE), digits = 4, row.names = FALSE)
  invisible(x)
}
