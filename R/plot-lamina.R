# plot() of a lamina() fit: one way to the pictures of its parts.

#' Plot a fitted network
#'
#' @param x A fit of [lamina()].
#' @param type What to draw:
#'   * `"history"`: loss and metrics by epoch (iteration, for BFGS), the epoch whose weights were kept marked.
#'   * `"network"`: nodes and weights ([plot()][plot.lamina_model]), with the names of predictors and classes;
#'     `layers` that are not dense are drawn as volumes or blocks.
#'   * `"importance"`: what the columns of the data are worth, by [importance()].
#'   * `"partial"`, `"ice"`, `"ale"`: what a column does to the predictions, by [partial()].
#' @param ... Passed on: to [plot()][plot.lamina_history] of the history or [plot()][plot.lamina_model] of the
#'   network, to [importance()] or to [partial()].
#' @param variable The column for [partial()] (or two); `NULL`: the most important one.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed. The network is always drawn in
#'   base graphics.
#' @return With ggplot2 the plot, which prints when shown; otherwise `x`, invisibly.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(Species ~ ., iris, hidden_units = 4, epochs = 40)
#' plot(fit)
#' plot(fit, "network")
#' plot(fit, "importance")
#' plot(fit, "partial", class = "virginica")
#' @export
plot.lamina_fit <- function(x, type = c("history", "network", "importance", "partial", "ice", "ale"), ...,
                            variable = NULL, method = c("auto", "ggplot2", "base")) {
  type <- check_choice(type[1L], c("history", "network", "importance", "partial", "ice", "ale"), arg = "type")
  method <- plot_method(method)
  if (!is.null(variable) && type %in% c("history", "network", "importance")) {
    abort_argument("variable", sprintf("left out for type = \"%s\"", type), describe(variable))
  }
  plot <- switch(
    type,
    history = plot_fit_history(x, method, ...),
    network = plot_fit_network(x, ...),
    importance = plot(importance(x, ...), method = method),
    plot_fit_partial(x, if (type == "partial") "pdp" else type, variable, method, ...)
  )
  if (inherits(plot, "ggplot")) plot else invisible(x)
}

# BFGS goes down without noise: a smooth line would only bend its curve.
plot_fit_history <- function(fit, method, ...) {
  given <- list(...)
  if (identical(fit$settings$optimizer, "bfgs")) {
    given <- utils::modifyList(list(smooth = FALSE, xlab = "iteration"), given)
  }
  plot <- do.call(plot, c(list(fit$history, method = method), given))
  if (inherits(plot, "ggplot") && !is.null(given$xlab)) plot + ggplot2::labs(x = given$xlab) else plot
}

plot_fit_network <- function(fit, ...) {
  names <- list(input_names = short_labels(fit$predictors, 24L),
                output_names = short_labels(output_names(fit$task), 24L))
  do.call(plot, c(list(fit$network), utils::modifyList(names, list(...))))
}

plot_fit_partial <- function(fit, type, variable, method, ...) {
  if (is.null(variable)) {
    variable <- most_important(fit, numeric = type == "ale")
  }
  plot(partial(fit, variable, type = type, ...), method = method)
}

# Without moving R's random numbers: nobody asked for shuffles.
most_important <- function(fit, numeric) {
  order <- with_kept_seed(importance(fit, times = 5, rows = 2000))$variable
  fits <- !numeric | vapply(fit$blueprint$ptypes$predictors[order], is.numeric, NA)
  order[c(which(fits), 1L)[1L]]
}
