# Forecasts over what came.

#' Plot forecasts over the truth
#'
#' What came as a dark line, forecasts as coloured ones. The legend has their root mean squared errors,
#' `sqrt(mean((forecast - truth)^2))` over the steps where both are known. A dashed line marks the first step
#' that is forecast, where truth before it is shown; the future, of which no truth is known, is shaded.
#'
#' @param time Times of the steps: numbers, dates or date-times; `NULL`: those of `truth` where that is
#'   a `ts`, else 1, 2, ...
#' @param truth The series: a vector or `ts`. One shorter than `time` ends before it, as where the
#'   future is not known; NA leaves gaps.
#' @param forecast Forecasts: a vector, or a matrix, data frame or named list with one model a column. Those
#'   shorter than `time` belong to its end; NA leaves gaps.
#' @param main,xlab,ylab Title and labels of the axes; `NULL`: none.
#' @param colours Colours of the models; `NULL`: orange, blue, green and so on, which colour-blind
#'   people tell apart.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param ... Passed on to [graphics::plot()] with method `"base"`.
#' @return With ggplot2 the plot, which prints when shown; otherwise, invisibly, a data frame of what is
#'   drawn: `time`, `series` (`"truth"` or the model) and `value`.
#' @section Errors:
#' `lamina_error_data` for what is no series of numbers, `lamina_error_shape` for a series longer than
#' `time`, `lamina_error_argument` for other bad arguments.
#' @family time series
#' @examples
#' x <- log(AirPassengers)
#' train <- window(x, end = c(1958, 12))
#' models <- list(
#'   "same month last year" = rep(tail(train, 12), 2),
#'   "Holt-Winters" = predict(HoltWinters(train), 24)
#' )
#' plot_forecast(time(x)[97:144], x[97:144], models, ylab = "log of passengers")
#' @export
plot_forecast <- function(time, truth, forecast, main = NULL, xlab = "time", ylab = NULL, colours = NULL,
                          method = c("auto", "ggplot2", "base"), ...) {
  method <- drawing_method(method)
  check_string(main, allow_null = TRUE)
  check_string(xlab, allow_null = TRUE)
  check_string(ylab, allow_null = TRUE)
  series <- forecast_table(if (missing(time)) NULL else time, truth, forecast)
  colours <- forecast_colours(colours, names(series$forecasts))
  if (method == "ggplot2") {
    return(ggplot_forecast(series, colours, main, xlab, ylab))
  }
  base_plot_forecast(series, colours, main, xlab, ylab, ...)
  invisible(long_series(series))
}

# list(time, truth, forecasts): all as long as time.
forecast_table <- function(time, truth, forecast, call = rlang::caller_env()) {
  if (is.null(time) && stats::is.ts(truth)) {
    time <- as.vector(stats::time(truth))
  }
  truth <- series_column(truth, "truth", call)
  forecasts <- forecast_columns(forecast, call)
  longest <- max(lengths(forecasts), length(truth))
  if (is.null(time)) {
    time <- seq_len(longest)
  } else if (stats::is.ts(time)) {
    time <- as.vector(time)
  }
  n <- length(time)
  if (!is.numeric(time) && !inherits(time, c("Date", "POSIXt")) || anyNA(time)) {
    abort_argument("time", "numbers, dates or date-times", describe(time), kind = "data", call = call)
  }
  if (longest > n) {
    abort_argument("time", sprintf("as long as the longest series, %d", longest), sprintf("%d", n), kind = "shape", call = call)
  }
  list(
    time = if (inherits(time, "POSIXlt")) as.POSIXct(time) else time,
    truth = c(truth, rep(NA_real_, n - length(truth))),
    forecasts = lapply(forecasts, function(f) c(rep(NA_real_, n - length(f)), f))
  )
}

series_column <- function(x, arg, call) {
  if (!is.numeric(x) && !(is.logical(x) && all(is.na(x))) || length(x) == 0L || length(x) != NROW(x)) {
    abort_argument(arg, "a series of numbers", describe(x), kind = "data", call = call)
  }
  as.double(x)
}

# A named list of vectors.
forecast_columns <- function(x, call) {
  if (is.list(x)) {
    columns <- as.list(x)
  } else if (is.matrix(x)) {
    columns <- lapply(seq_len(ncol(x)), function(j) x[, j])
    names(columns) <- colnames(x)
  } else {
    columns <- list(forecast = x)
  }
  if (length(columns) == 0L) {
    abort_argument("forecast", "at least one series", describe(x), kind = "data", call = call)
  }
  names <- rlang::names2(columns)
  names[names == ""] <- if (length(columns) == 1L) "forecast" else paste("forecast", which(names == ""))
  if (anyDuplicated(c("truth", names))) {
    abort_argument("forecast", "series of different names, none of them \"truth\"",
                   paste0("\"", names, "\"", collapse = ", "), call = call)
  }
  stats::setNames(lapply(columns, series_column, "forecast", call), names)
}

# Okabe and Ito's palette, the colours most unlike each other first.
forecast_palette <- c("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")

forecast_colours <- function(colours, models, call = rlang::caller_env()) {
  if (is.null(colours)) {
    colours <- rep_len(forecast_palette, length(models))
  }
  if (!is.character(colours) || length(colours) < length(models)) {
    abort_argument("colours", sprintf("%d colours", length(models)), describe(colours), call = call)
  }
  stats::setNames(colours[seq_along(models)], models)
}

forecast_labels <- function(series) {
  rmse <- vapply(series$forecasts, function(f) sqrt(mean((f - series$truth)^2, na.rm = TRUE)), 0)
  labels <- names(series$forecasts)
  known <- is.finite(rmse)
  labels[known] <- sprintf("%s (RMSE %s)", labels[known], vapply(signif(rmse[known], 3), format, ""))
  stats::setNames(labels, names(series$forecasts))
}

long_series <- function(series) {
  all <- c(list(truth = series$truth), series$forecasts)
  data.frame(
    time = rep(series$time, length(all)),
    series = factor(rep(names(all), each = length(series$time)), names(all)),
    value = unlist(all, use.names = FALSE)
  )
}

# list(begin, future): time that the forecasts begin at, where truth comes before; range of times
# without truth behind the last one known.
forecast_marks <- function(series) {
  forecast <- rowSums(!is.na(do.call(cbind, series$forecasts))) > 0
  known <- !is.na(series$truth)
  first <- match(TRUE, forecast)
  last <- max(0, which(known))
  list(
    begin = if (!is.na(first) && any(known[seq_len(first - 1L)])) series$time[first],
    future = if (last > 0 && any(forecast[-seq_len(last)])) range(series$time[c(last, length(known))])
  )
}

# Values without neighbours, which no line shows.
lone_values <- function(values) {
  missing <- is.na(values$value)
  edge <- diff(as.integer(values$series)) != 0
  before <- c(TRUE, utils::head(missing, -1L) | edge)
  after <- c(missing[-1L] | edge, TRUE)
  values[!missing & before & after, ]
}

ggplot_forecast <- function(series, colours, main, xlab, ylab) {
  labels <- forecast_labels(series)
  marks <- forecast_marks(series)
  values <- long_series(series)
  plot <- ggplot2::ggplot(values, ggplot2::aes(.data$time, .data$value, colour = .data$series))
  if (!is.null(marks$future)) {
    plot <- plot + ggplot2::annotate("rect", xmin = marks$future[1L], xmax = marks$future[2L], ymin = -Inf,
                                     ymax = Inf, fill = "grey90")
  }
  if (!is.null(marks$begin)) {
    plot <- plot + ggplot2::geom_vline(xintercept = marks$begin, linetype = "dashed", colour = "grey50")
  }
  plot +
    ggplot2::geom_line(linewidth = 0.6, na.rm = TRUE) +
    ggplot2::geom_point(data = lone_values(values), size = 1.2, show.legend = FALSE) +
    ggplot2::scale_colour_manual(values = c(truth = ink$text, colours), labels = c(truth = "truth", labels)) +
    ggplot2::guides(colour = ggplot2::guide_legend(ncol = legend_columns(labels, letters = 82))) +
    ggplot2::labs(title = main, x = xlab, y = ylab, colour = NULL) +
    ggplot2::theme_bw() +
    ggplot2::theme(legend.position = "top", legend.justification = "left", legend.key.height = ggplot2::unit(0.8, "lines"),
                   legend.margin = ggplot2::margin(), panel.grid.minor = ggplot2::element_blank())
}

# As many as fit into a device of 480 pixels that has room for so many letters.
legend_columns <- function(labels, letters) max(1, min(length(labels) + 1, floor(letters / (max(nchar(labels)) + 6))))

base_plot_forecast <- function(series, colours, main, xlab, ylab, ...) {
  labels <- forecast_labels(series)
  marks <- forecast_marks(series)
  values <- long_series(series)
  columns <- legend_columns(labels, letters = 62)
  rows <- ceiling((length(labels) + 1) / columns)
  old <- graphics::par(mar = c(4, 4, 1 + rows + if (is.null(main)) 0 else 2, 1))
  on.exit(graphics::par(old))
  frame <- utils::modifyList(
    list(x = range(series$time), y = range(values$value, finite = TRUE), type = "n", xlab = if (is.null(xlab)) "" else xlab,
         ylab = if (is.null(ylab)) "" else ylab, las = 1),
    list(...)
  )
  do.call(graphics::plot, frame)
  if (!is.null(marks$future)) {
    edges <- graphics::par("usr")
    graphics::rect(marks$future[1L], edges[3L], marks$future[2L], edges[4L], col = "grey90", border = NA)
    graphics::box()
  }
  if (!is.null(marks$begin)) {
    graphics::abline(v = marks$begin, lty = "dashed", col = "grey50")
  }
  colours <- c(truth = ink$text, colours)
  for (one in split(values, values$series)) {
    graphics::lines(one$time, one$value, col = colours[[as.character(one$series[1L])]], lwd = 1.5)
  }
  lone <- lone_values(values)
  graphics::points(lone$time, lone$value, pch = 19, cex = 0.6, col = colours[as.character(lone$series)])
  graphics::legend("bottomleft", c("truth", labels), col = colours, lwd = 2, bty = "n", inset = c(0, 1), xpd = NA,
                   ncol = columns)
  if (!is.null(main)) {
    graphics::title(main, line = rows + 1)
  }
}
