# Pictures of comparisons of models.

#' Plot a comparison of models
#'
#' A panel for each metric: the values of the folds as light points, those of the same fold joined by a
#' line, and for each model their mean with its interval. Where lines run side by side, models differ
#' alike in all folds, however much the folds differ among themselves; where they cross, the order of the
#' models depends on the fold.
#'
#' The intervals are those of the single means, corrected as [compare_models()] says. They may overlap where a
#' difference is clear, since they contain how much the folds differ: the difference and its interval are
#' in the table.
#'
#' @param x A comparison, as returned by [compare_models()].
#' @param metrics Which metrics to plot; `NULL`: all.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param ... Not used.
#' @return With ggplot2 the plot, which prints when shown; otherwise the comparison, invisibly.
#' @section Errors:
#' Unknown metrics and other bad arguments raise `lamina_error_argument`; a comparison without values raises
#' `lamina_error_state`.
#' @family comparing models
#' @examplesIf all(sapply(c("rsample", "yardstick", "rpart"), requireNamespace, quietly = TRUE))
#' found <- compare_models(mpg ~ wt + hp, mtcars, list(line = lm, tree = rpart::rpart), folds = 5)
#' plot(found, metrics = c("rmse", "mae"), method = "base")
#' @export
plot.lamina_comparison <- function(x, metrics = NULL, method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  method <- drawing_method(method)
  values <- as.data.frame(x, folds = TRUE)
  about <- attr(x, "about")
  values <- plotted_values(values, metrics, about)
  means <- plotted_means(values, about)
  if (method == "ggplot2") {
    return(ggplot_comparison(values, means, about))
  }
  base_plot_comparison(values, means, about)
  invisible(x)
}

# The values that can be drawn, of the chosen metrics.
plotted_values <- function(values, metrics, about, call = rlang::caller_env()) {
  known <- intersect(levels(values$metric), as.character(values$metric))
  for (name in metrics) {
    if (!name %in% known) {
      abort_unknown("metrics", "a metric in it", name, known, call = call)
    }
  }
  if (is.null(metrics)) metrics <- known
  values <- values[is.finite(values$value) & values$metric %in% metrics, ]
  if (nrow(values) == 0L) {
    abort_lamina("There is no value to plot.", "state", arg = "x", expected = "at least one value", actual = "none",
                 call = call)
  }
  values$metric <- factor(values$metric, unique(metrics))
  values$panel <- values$metric
  levels(values$panel) <- sprintf("%s: %s", levels(values$metric), directions[about$metrics[levels(values$metric)]])
  values$model <- droplevels(values$model)
  values
}

plotted_means <- function(values, about) {
  cells <- split(values, values[c("model", "metric")], drop = TRUE, sep = "\r")
  rows <- lapply(cells, function(cell) {
    interval <- corrected_interval(cell$value, about$ratio, about$level)
    data.frame(cell[1L, c("model", "metric", "panel")], value = interval[["mean"]], lower = interval[["lower"]],
               upper = interval[["upper"]])
  })
  do.call(rbind, rows)
}

comparison_caption <- function(about) {
  sprintf(paste("Light: folds, joined by lines. Dark: mean with its %s %% interval, corrected for overlapping",
                "training sets."), format(100 * about$level))
}

ggplot_comparison <- function(values, means, about) {
  values <- values[order(values$model), ]
  top_down <- rev(levels(values$model))
  ggplot2::ggplot(values, ggplot2::aes(.data$value, factor(.data$model, top_down))) +
    ggplot2::geom_path(ggplot2::aes(group = .data$fold), colour = "grey80", linewidth = 0.4) +
    ggplot2::geom_linerange(ggplot2::aes(xmin = .data$lower, xmax = .data$upper), means, colour = ink$positive,
                            linewidth = 1.1, na.rm = TRUE) +
    ggplot2::geom_point(shape = 21, colour = "grey55", fill = "white", size = 1.5) +
    ggplot2::geom_point(data = means, colour = ink$positive, size = 3) +
    ggplot2::facet_wrap(ggplot2::vars(.data$panel), nrow = 1L, scales = "free_x",
                        labeller = ggplot2::as_labeller(function(panel) sub(": ", "\n", panel, fixed = TRUE))) +
    ggplot2::scale_x_continuous(n.breaks = 4, guide = ggplot2::guide_axis(check.overlap = TRUE)) +
    ggplot2::labs(x = NULL, y = NULL, title = sprintf("%s, %s", about$outcome, about$text),
                  caption = paste(strwrap(comparison_caption(about), 12 * device_inches()[1L]), collapse = "\n")) +
    ggplot2::theme_bw() +
    ggplot2::theme(panel.grid.minor = ggplot2::element_blank(), strip.background = ggplot2::element_blank(),
                   strip.text = ggplot2::element_text(hjust = 0), axis.text.y = ggplot2::element_text(size = 11),
                   panel.spacing = ggplot2::unit(1.4, "lines"))
}

base_plot_comparison <- function(values, means, about) {
  metrics <- levels(values$metric)
  models <- levels(values$model)
  names <- text_inches(max(nchar(models)), graphics::par("ps")) / graphics::par("csi") + 1
  old <- graphics::par(mfrow = c(1L, length(metrics)), mar = c(2.5, 0.8, 2.2, 0.8), oma = c(1.6, names, 1.6, 0),
                       mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    mine <- values[values$metric == metric, ]
    own <- means[means$metric == metric, ]
    graphics::plot(range(mine$value, own$lower, own$upper, na.rm = TRUE), c(1, length(models)), type = "n",
                   yaxt = "n", xlab = "", ylab = "", ylim = c(length(models) + 0.5, 0.5))
    graphics::title(mine$panel[1L], adj = 0, font.main = 1, line = 0.5, cex.main = 1.1)
    if (metric == metrics[1L]) {
      graphics::axis(2, seq_along(models), models, las = 1, tick = FALSE, line = -0.6)
    }
    for (fold in split(mine, mine$fold)) {
      at <- order(fold$model)
      graphics::lines(fold$value[at], as.integer(fold$model)[at], col = "grey80")
    }
    graphics::segments(own$lower, as.integer(own$model), own$upper, col = ink$positive, lwd = 3)
    graphics::points(mine$value, as.integer(mine$model), pch = 21, cex = 0.8, col = "grey55", bg = "white")
    graphics::points(own$value, as.integer(own$model), pch = 19, cex = 1.5, col = ink$positive)
  }
  graphics::mtext(sprintf("%s, %s", about$outcome, about$text), 3, 0.2, outer = TRUE, adj = 0, font = 2)
  graphics::mtext(comparison_caption(about), 1, 0.4, outer = TRUE, adj = 0, cex = 0.6, col = "grey40")
}
