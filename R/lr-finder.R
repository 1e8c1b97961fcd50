# lr_finder(): which learning rates a network learns at.

#' Find a learning rate
#'
#' A learning rate range test (Smith 2015): a copy of the model is trained for `steps` batches while the learning rate
#' grows from batch to batch by the same factor, and the loss of each batch is recorded. At rates that are too low it
#' stays where it is, at good ones it falls, and at rates that are too high it rises. The model itself is left as it is.
#'
#' The losses are smoothed by an exponential moving average, corrected for its start,
#' \deqn{m_k = s\, m_{k-1} + (1 - s)\, l_k, \quad \bar l_k = m_k / (1 - s^k).}{m[k] = s m[k-1] + (1 - s) l[k], smoothed[k] = m[k] / (1 - s^k).}
#' The test ends early when the smoothed loss is above the lowest so far by more than `stop_factor` times what the loss
#' has fallen (at least a quarter of its first value), or is not finite. The suggestion is the rate at which the
#' smoothed loss falls most steeply, on the logarithmic scale of the rate, but no more than a third of the rate at its
#' lowest. It is a place to start from: a model trains at rates of the same order, and schedules may begin higher.
#'
#' @param model A compiled model. Its optimizer is used, with the state that it has; its learning rate is not.
#' @param x,y Inputs and targets, as for [fit()][fit.lamina_model]; `x` may be a dataset or a function.
#' @param ... Not used: unknown arguments are refused.
#' @param from,to The first and the last rate.
#' @param steps How many batches, when it does not end early; the data are gone through as often as that takes.
#' @param batch_size Samples a batch; when `NULL` 32. Take the one that you will train with: the rate depends on it.
#' @param sample_weight A number for each sample.
#' @param smoothing How much the moving average keeps, from 0 (none) to less than 1.
#' @param stop_factor When to end early.
#' @return An object of class `lamina_lr_finder`, a list: `table`, a data frame with a row a batch and the columns `step`,
#'   `rate`, `loss` and `smoothed`; `suggestion`, the rate (`NA` where the loss never fell); `lowest`, the rate at the lowest
#'   smoothed loss; `stopped`, whether the test ended early; `batch_size`, `from`, `to` and `steps`. It has [print()] and
#'   [plot()] methods, and [as.data.frame()] gives the table. `set.seed()` makes it repeatable.
#' @section Errors:
#' `lamina_error_argument` for bad rates and other bad arguments, `lamina_error_state` for a model that is not compiled,
#' `lamina_error_numeric` when the loss is not finite from the first batches on, and what [fit()][fit.lamina_model]
#' raises for data that do not fit.
#' @references
#' Smith, L. N. (2015). Cyclical learning rates for training neural networks. arXiv:1506.01186.
#' @family teaching
#' @examples
#' set.seed(1)
#' x <- as.matrix(scale(iris[1:4]))
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(16, activation = "relu") |>
#'   layer_dense(3, activation = "softmax")
#' model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")
#' rates <- lr_finder(model, x, iris$Species)
#' rates
#' plot(rates)
#' model |> compile(optimizer_adam(rates$suggestion), "sparse_categorical_crossentropy")
#' @export
lr_finder <- function(model, x, y = NULL, ..., from = 1e-6, to = 10, steps = 100, batch_size = NULL,
                      sample_weight = NULL, smoothing = 0.9, stop_factor = 4) {
  check_no_dots(list(...))
  check_model(model, arg = "model")
  require_compiled(model)
  call <- rlang::current_env()
  from <- check_positive(from)
  to <- check_positive(to)
  if (from >= to) {
    abort_argument("to", sprintf("a number above `from`, %s", format(from)), describe(to))
  }
  steps <- check_count(steps, min = 10)
  smoothing <- check_share(smoothing)
  stop_factor <- check_positive(stop_factor)
  settings <- list(batch_size = resolve_batch_size(model, batch_size), steps = if (is.function(x)) steps, shuffle = TRUE)
  if (gives_batches(x)) {
    check_batches_alone(x, y = y, sample_weight = sample_weight, batch_size = if (is_dataset(x)) batch_size)
  }
  feed <- undo_on_error(model, {
    copy <- copy_model(model)
    feed <- if (gives_batches(x)) {
      batch_feed(copy, x, settings, 0, NULL, NULL, call)
    } else {
      array_feed(copy, x, y, 0, NULL, sample_weight, call)
    }
    with_loops(copy, feed, settings, call)
  }, of = "state")
  tested <- rate_losses(copy, feed, exp(seq(log(from), log(to), length.out = steps)), smoothing, stop_factor, call)
  structure(
    c(list(table = tested$table), suggest_rate(tested$table),
      list(stopped = tested$stopped, batch_size = if (is_dataset(x)) x$batch_size else settings$batch_size,
           from = from, to = to, steps = steps, optimizer = model$compiled$optimizer$type)),
    class = "lamina_lr_finder"
  )
}

# list(table, stopped): the losses of batches, one at each rate.
rate_losses <- function(model, feed, rates, smoothing, stop_factor, call) {
  ptr <- net_ptr(model)
  .Call(ffi_net_seed, ptr, draw_seed())
  stepper <- batch_stepper(model, feed$loop, feed)
  losses <- smoothed <- numeric()
  mean <- 0
  pass <- 0
  fresh <- TRUE
  for (k in seq_along(rates)) {
    if (fresh) {
      pass <- pass + 1
      start_pass(model, feed$loop, feed, shuffle = TRUE, key = pass)
    }
    .Call(ffi_net_set_rate, ptr, rates[k])
    report <- tryCatch(stepper$step(1), lamina_error_numeric = function(e) NULL)
    loss <- if (is.null(report)) Inf else report[4L]
    if (!is.finite(loss)) {
      break
    }
    mean <- smoothing * mean + (1 - smoothing) * loss
    losses[k] <- loss
    smoothed[k] <- mean / (1 - smoothing^k)
    if (has_exploded(smoothed, losses, stop_factor)) {
      break
    }
    fresh <- if (is.null(feed$batches)) report[1L] > 0 else report[2L] >= feed$batches
  }
  n <- length(losses)
  if (n < 5L) {
    abort_lamina(
      c(sprintf("The loss is not finite after %d batch%s, at a rate of %s.", n, if (n == 1L) "" else "es", format(rates[n + 1L], digits = 3)),
        i = "Are the inputs scaled? Is there a logarithm of zero? Else lower `from`."),
      "numeric", arg = "x", expected = "a finite loss", actual = "NaN or infinite", call = call
    )
  }
  list(table = data.frame(step = seq_len(n), rate = rates[seq_len(n)], loss = losses, smoothed = smoothed),
       stopped = n < length(rates))
}

# The first tenth of the test only settles the average.
has_exploded <- function(smoothed, losses, stop_factor) {
  k <- length(smoothed)
  lowest <- min(smoothed)
  start <- losses[1L]
  k > 10L && smoothed[k] - lowest > stop_factor * max(smoothed[1L] - lowest, 0.25 * abs(start))
}

# list(suggestion, lowest).  Slopes are those of lines through nine neighbouring points.
suggest_rate <- function(table) {
  at <- which.min(table$smoothed)
  lowest <- table$rate[at]
  width <- min(4L, (nrow(table) - 1L) %/% 2L)
  inner <- seq_len(nrow(table))
  inner <- inner[inner > width & inner <= nrow(table) - width & inner <= at]
  slopes <- vapply(inner, function(k) {
    near <- k + (-width:width)
    stats::cov(log(table$rate[near]), table$smoothed[near]) / stats::var(log(table$rate[near]))
  }, 0)
  if (!length(slopes) || min(slopes) >= 0) {
    return(list(suggestion = NA_real_, lowest = lowest))
  }
  list(suggestion = min(table$rate[inner[which.min(slopes)]], lowest / 3), lowest = lowest)
}

#' @rdname lr_finder
#' @param row.names,optional Not used.
#' @export
as.data.frame.lamina_lr_finder <- function(x, row.names = NULL, optional = FALSE, ...) x$table

rate_text <- function(rate) format(signif(rate, 2L), digits = 2L)

#' @rdname lr_finder
#' @export
print.lamina_lr_finder <- function(x, ...) {
  n <- nrow(x$table)
  last <- x$table$rate[n]
  cat(sprintf("Learning rate range test of %s: %d batches of %d, rates %s to %s\n", x$optimizer, n, x$batch_size,
              rate_text(x$from), rate_text(last)))
  cat(sprintf("  loss at first %s, lowest %s at a rate of %s%s\n", format_metric(x$table$smoothed[1L]),
              format_metric(min(x$table$smoothed)), rate_text(x$lowest),
              if (x$stopped) sprintf("; it had exploded at %s", rate_text(last)) else ""))
  if (is.na(x$suggestion)) {
    cat("  The loss did not fall at any of these rates: try others, more steps, or another network.\n")
  } else {
    cat(sprintf("Suggested learning rate: %s\n", rate_text(x$suggestion)))
  }
  invisible(x)
}

#' @rdname lr_finder
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @export
plot.lamina_lr_finder <- function(x, method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  method <- plot_method(method)
  # where the loss explodes, the part that tells would be a flat line
  low <- min(x$table$smoothed)
  top <- max(x$table$smoothed[seq_len(which.min(x$table$smoothed))])
  limits <- c(min(low, x$table$loss), top + max(0.6 * (top - low), 0.1 * abs(top)))
  caption <- if (is.na(x$suggestion)) "the loss did not fall" else sprintf("suggestion: %s (dashed)", rate_text(x$suggestion))
  if (method == "base") {
    base_plot_rates(x, limits, caption)
    return(invisible(x))
  }
  plot <- ggplot2::ggplot(x$table, ggplot2::aes(.data$rate)) +
    ggplot2::geom_point(ggplot2::aes(y = .data$loss), colour = "grey60", size = 0.9) +
    ggplot2::geom_line(ggplot2::aes(y = .data$smoothed), colour = ink$positive, linewidth = 0.9) +
    ggplot2::scale_x_log10(labels = rate_labels) +
    ggplot2::coord_cartesian(ylim = limits) +
    ggplot2::labs(x = "learning rate", y = "loss of a batch (line: smoothed)", caption = caption) +
    ggplot2::theme_bw() +
    ggplot2::theme(panel.grid.minor = ggplot2::element_blank())
  if (is.na(x$suggestion)) plot else plot + ggplot2::geom_vline(xintercept = x$suggestion, linetype = "dashed", colour = ink$negative)
}

rate_labels <- function(rates) formatC(rates, format = "g", digits = 2, width = 1)

base_plot_rates <- function(x, limits, caption) {
  old <- graphics::par(mar = c(4.2, 4, 1.5, 1), mgp = c(2.3, 0.7, 0))
  on.exit(graphics::par(old))
  graphics::plot(x$table$rate, x$table$loss, log = "x", pch = 16, cex = 0.6, col = "grey60", ylim = limits, las = 1,
                 xlab = "learning rate", ylab = "loss of a batch (line: smoothed)")
  graphics::lines(x$table$rate, x$table$smoothed, col = ink$positive, lwd = 2)
  if (!is.na(x$suggestion)) {
    graphics::abline(v = x$suggestion, lty = "dashed", col = ink$negative)
  }
  graphics::mtext(caption, adj = 1, cex = 0.8, col = "grey40")
}
