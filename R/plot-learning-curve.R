# Pictures of learning curves.

#' Plot learning curves
#'
#' The metric on the rows trained on and on those held out, over the number of rows trained on: means over the
#' repetitions as lines, plus and minus a standard deviation as bands, single repetitions as points. A
#' panel for each model and metric.
#'
#' @param x A learning curve, as returned by [learning_curve()].
#' @inheritParams plot.lamina_comparison
#' @return With ggplot2 the plot, which prints when shown; otherwise the learning curve, invisibly.
#' @inheritSection plot.lamina_comparison Errors
#' @family comparing models
#' @examplesIf all(sapply(c("rsample", "yardstick", "rpart"), requireNamespace, quietly = TRUE))
#' curve <- learning_curve(mpg ~ wt + hp, mtcars, lm, sizes = c(5, 10, 15, 20, 25))
#' plot(curve, method = "base")
#' @export
plot.lamina_learning_curve <- function(x, metrics = NULL, method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  method <- drawing_method(method)
  about <- attr(x, "about")
  values <- plotted_values(plain_frame(x), metrics, about)
  means <- curve_means(values)
  means$panel <- values$panel[match(means$metric, values$metric)]
  means$sd[is.na(means$sd)] <- 0
  if (method == "ggplot2") {
    return(ggplot_curve(values, means, about))
  }
  base_plot_curve(values, means, about)
  invisible(x)
}

curve_colours <- c(training = "#D55E00", "held out" = "#0072B2")

ggplot_curve <- function(values, means, about) {
  ggplot2::ggplot(means, ggplot2::aes(.data$size, .data$mean, colour = .data$data, fill = .data$data)) +
    ggplot2::geom_ribbon(ggplot2::aes(ymin = .data$mean - .data$sd, ymax = .data$mean + .data$sd), alpha = 0.15,
                         colour = NA) +
    ggplot2::geom_point(ggplot2::aes(y = .data$value), values, alpha = 0.35, size = 1) +
    ggplot2::geom_line(linewidth = 0.8) +
    ggplot2::geom_point(size = 2) +
    ggplot2::facet_grid(ggplot2::vars(.data$panel), ggplot2::vars(.data$model), scales = "free_y", switch = "y") +
    ggplot2::scale_colour_manual(values = curve_colours, aesthetics = c("colour", "fill")) +
    ggplot2::expand_limits(x = 0) +
    ggplot2::labs(x = "rows trained on", y = NULL, colour = NULL, fill = NULL,
                  title = sprintf("%s, %s", about$outcome, about$text)) +
    ggplot2::theme_bw() +
    ggplot2::theme(legend.position = "top", legend.justification = "left", strip.placement = "outside",
                   strip.background = ggplot2::element_blank(), panel.grid.minor = ggplot2::element_blank())
}

base_plot_curve <- function(values, means, about) {
  metrics <- levels(values$metric)
  models <- levels(values$model)
  old <- graphics::par(mfrow = c(length(metrics), length(models)), mar = c(3.2, 3.2, 1.8, 0.8), oma = c(0, 0, 2.2, 0),
                       mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  for (metric in metrics) {
    range <- range(values$value[values$metric == metric])
    for (model in models) {
      mine <- values$metric == metric & values$model == model
      curve_panel(values[mine, ], means[means$metric == metric & means$model == model, ], range, max(values$size))
      graphics::title(model, adj = 0, font.main = 1, line = 0.4, cex.main = 1.1)
      if (model == models[1L]) {
        graphics::mtext(values$panel[mine][1L], 2, 2.1, cex = graphics::par("cex"))
      }
    }
  }
  graphics::mtext(sprintf("%s, %s", about$outcome, about$text), 3, 0.7, outer = TRUE, adj = 0, font = 2)
  corner <- graphics::grconvertX(1, "ndc", "user")
  graphics::legend(corner, graphics::grconvertY(1, "ndc", "user"), names(curve_colours), col = curve_colours,
                   lwd = 2, pch = 19, bty = "n", horiz = TRUE, xjust = 1, xpd = NA, cex = 0.9)
}

curve_panel <- function(values, means, range, most) {
  graphics::plot(c(0, most), range, type = "n", xlab = "rows trained on", ylab = "", las = 1)
  graphics::points(values$size, values$value, pch = 19, cex = 0.5,
                   col = grDevices::adjustcolor(curve_colours, 0.4)[match(values$data, names(curve_colours))])
  for (data in names(curve_colours)) {
    line <- means[means$data == data, ]
    line <- line[order(line$size), ]
    graphics::polygon(c(line$size, rev(line$size)), c(line$mean - line$sd, rev(line$mean + line$sd)), border = NA,
                      col = grDevices::adjustcolor(curve_colours[[data]], 0.15))
    graphics::lines(line$size, line$mean, type = "o", pch = 19, lwd = 2, col = curve_colours[[data]])
  }
}
