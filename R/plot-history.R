# The picture of a training: loss and metrics by epoch.

#' Plot a training history
#'
#' One panel per metric: its value in each epoch (pass over the training data) for the training and, where there
#' are any, the validation data, with a smooth line ([loess()] with `span = 0.5`) where there are ten values or more.
#' A dashed line marks the epoch with the best validation loss.
#'
#' While both curves fall (of the loss; an accuracy rises), more epochs help. Where the training loss goes on
#' falling and the validation loss rises, the network begins to learn the training data by heart: it overfits. The
#' two are not quite comparable: the training loss of an epoch is averaged while the weights change, and
#' with dropout at work.
#'
#' @param x A history, as returned by [fit()].
#' @param y Not used.
#' @param metrics Which metrics to plot, such as `c("loss", "accuracy")`, without `val_`; `NULL`: all. Their
#'   validation counterparts come along.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param smooth Whether to draw smooth lines; `FALSE`: the points are joined.
#' @param theme_bw Whether to draw ggplot2's black and white theme.
#' @param ... Passed on to [graphics::plot()] with method `"base"`, such as `log = "y"`.
#' @return With ggplot2 the plot, which prints when shown and can be added to; otherwise the history, invisibly.
#' @section Errors:
#' Unknown metrics and other bad arguments raise `lamina_error_argument`; a history without an epoch
#' raises `lamina_error_state`.
#' @seealso [fit.lamina_model()] for `validation_split`; [callback_early_stopping()], which stops where validation is
#'   best; `vignette("v05-train-validation-test", package = "lamina")`.
#' @family histories
#' @examples
#' # 40 samples, 10 predictors of which one matters, and a network that is too large: it overfits
#' set.seed(1)
#' x <- matrix(rnorm(400), ncol = 10)
#' y <- x[, 1] + rnorm(40)
#' model <- keras_model_sequential(input_shape = 10) |>
#'   layer_dense(32, activation = "relu") |>
#'   layer_dense(1)
#' model |> compile(optimizer = optimizer_adam(0.01), loss = "mse", metrics = "mae")
#' history <- model |> fit(x, y, epochs = 40, validation_split = 0.4, verbose = 0)
#' plot(history)
#' plot(history, metrics = "loss", method = "base", smooth = FALSE)
#' @importFrom rlang .data
#' @export
plot.lamina_history <- function(x, y, metrics = NULL, method = c("auto", "ggplot2", "base"),
                                smooth = getOption("keras.plot.history.smooth", TRUE),
                                theme_bw = FALSE, ...) {
  method <- check_choice(method[1L], c("auto", "ggplot2", "base"))
  check_flag(smooth)
  check_flag(theme_bw)
  if (length(history_epochs(x)) == 0L) {
    abort_lamina("The history holds no finished epoch.", "state", arg = "x",
                 expected = "at least one epoch", actual = "none")
  }
  values <- chosen_metrics(as.data.frame(x), metrics)
  if (method == "ggplot2") {
    rlang::check_installed("ggplot2", "to plot with it.")
  }
  if (method != "base" && requireNamespace("ggplot2", quietly = TRUE)) {
    return(ggplot_history(values, history_best(x), smooth, theme_bw))
  }
  base_plot_history(values, history_best(x), smooth, ...)
  invisible(x)
}

chosen_metrics <- function(values, metrics, call = rlang::caller_env()) {
  known <- levels(values$metric)
  for (name in metrics) {
    if (!name %in% known) {
      abort_unknown("metrics", "a metric in the history", name, known, call = call)
    }
  }
  if (!is.null(metrics)) {
    values <- values[values$metric %in% metrics, ]
    values$metric <- factor(values$metric, levels = unique(metrics))
  }
  values$data <- droplevels(values$data)
  values
}

# Smooth lines: the loess fit of each series of ten values and more, as rows like those of `values`.
# loess() warns about series with many equal values; the line is no worse for that.
smooth_values <- function(values) {
  series <- split(values, list(values$metric, values$data), drop = TRUE)
  smoothed <- lapply(series, function(one) {
    one <- one[is.finite(one$value), ]
    if (nrow(one) < 10L) {
      return(NULL)
    }
    one$value <- suppressWarnings(stats::predict(stats::loess(value ~ epoch, one, span = 0.5)))
    one
  })
  do.call(rbind, smoothed)
}

# Whole epochs for the axis.
epoch_breaks <- function(limits) {
  breaks <- pretty(limits, n = 6)
  breaks[breaks == floor(breaks) & breaks >= 1]
}

best_text <- function(best) {
  sprintf("best %s: %s in epoch %d (dashed)", best$metric, format_metric(best$value), best$epoch)
}

ggplot_history <- function(values, best, smooth, theme_bw) {
  lines <- if (smooth) smooth_values(values)
  plot <- ggplot2::ggplot(
    values, ggplot2::aes(.data$epoch, .data$value, colour = .data$data, fill = .data$data)
  )
  if (!is.null(best)) {
    plot <- plot + ggplot2::geom_vline(xintercept = best$epoch, linetype = "dashed",
                                       colour = "grey50")
  }
  plot <- plot +
    ggplot2::geom_point(shape = 21, alpha = if (is.null(lines)) 1 else 0.6, na.rm = TRUE) +
    ggplot2::facet_grid(ggplot2::vars(.data$metric), switch = "y", scales = "free_y") +
    ggplot2::scale_x_continuous(breaks = epoch_breaks) +
    ggplot2::scale_colour_manual(values = history_colours, aesthetics = c("colour", "fill")) +
    ggplot2::labs(x = "epoch", y = NULL, colour = NULL, fill = NULL,
                  caption = if (!is.null(best)) best_text(best))
  if (!is.null(lines)) {
    plot <- plot + ggplot2::geom_line(data = lines, linewidth = 0.8)
  } else if (max(table(values$metric, values$data)) > 1L) {
    plot <- plot + ggplot2::geom_line(na.rm = TRUE)
  }
  if (theme_bw) {
    plot <- plot + ggplot2::theme_bw()
  }
  plot + ggplot2::theme(
    axis.title.y = ggplot2::element_blank(), strip.placement = "outside",
    strip.background = ggplot2::element_blank(), legend.position = "top",
    legend.justification = "left"
  )
}

history_colours <- c(training = "#D55E00", validation = "#0072B2")

base_plot_history <- function(values, best, smooth, ...) {
  metrics <- levels(values$metric)
  old <- graphics::par(mfrow = c(length(metrics), 1L), mar = c(3.2, 5, 1.6, 1), mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    base_panel(values[values$metric == metric, ], metric, best, smooth, ...)
    if (metric == metrics[1L]) {
      graphics::legend("topright", levels(values$data), pch = 19, bty = "n",
                       col = history_colours[levels(values$data)])
      if (!is.null(best)) {
        graphics::mtext(best_text(best), adj = 0, cex = 0.7, col = "grey40")
      }
    }
  }
}

base_panel <- function(values, metric, best, smooth, ...) {
  shown <- is.finite(values$value)
  range <- if (any(shown)) range(values$value[shown]) else c(0, 1)
  colour <- function(rows) history_colours[as.character(rows$data)]
  frame <- utils::modifyList(
    list(x = range(values$epoch), y = range, type = "n", xlab = "epoch", ylab = "",
         xaxt = "n", las = 1),
    list(...)
  )
  do.call(graphics::plot, frame)
  graphics::mtext(metric, side = 2, line = 3.6, cex = graphics::par("cex"))
  graphics::axis(1, epoch_breaks(graphics::par("usr")[1:2]))
  if (!is.null(best)) {
    graphics::abline(v = best$epoch, lty = "dashed", col = "grey50")
  }
  graphics::points(values$epoch, values$value, col = colour(values), pch = 19, cex = 0.8)
  lines <- if (smooth) smooth_values(values)
  if (is.null(lines)) {
    lines <- values[shown, ]
  }
  for (one in split(lines, lines$data, drop = TRUE)) {
    graphics::lines(one$epoch, one$value, col = colour(one)[1L], lwd = 2)
  }
}
