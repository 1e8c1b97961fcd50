# Pictures of partial().  What is drawn is the same in ggplot2 and base graphics: lines (or points, over a factor) of
# one or more series in one or more panels, or a map of two numeric columns.

#' Plot partial dependence
#'
#' Curves over a numeric column, points over a factor, a map of two numeric columns, one set of curves for each level
#' where one of two columns is a factor. Several classes have a colour each, or a panel. Marks at the bottom are the
#' deciles of the data: where they are far apart the curve rests on few rows. Curves of single rows (`"ice"`)
#' are grey, their mean is blue.
#'
#' @param x The result of [partial()].
#' @param y Not used.
#' @param ... Passed on to [graphics::plot()] with method `"base"`.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param rows Curves of single rows to draw at most; of more, some are left out evenly.
#' @param main A title.
#' @return With ggplot2 the plot, which prints when shown; otherwise `x`, invisibly.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(mpg ~ wt + hp + cyl, transform(mtcars, cyl = factor(cyl)), hidden_units = 4,
#'               optimizer = "bfgs", penalty = 0.01)
#' plot(partial(fit, "wt", type = "ice"), method = "base")
#' plot(partial(fit, c("wt", "cyl")), method = "base")
#' @export
plot.lamina_partial <- function(x, y, ..., method = c("auto", "ggplot2", "base"), rows = 200, main = NULL) {
  method <- plot_method(method)
  check_string(main, allow_null = TRUE)
  picture <- partial_picture(x, check_count(rows))
  if (method == "ggplot2") {
    return(if (picture$map) ggplot_map(picture, main) else ggplot_curves(picture, main))
  }
  base_partial(picture, main, ...)
  invisible(x)
}

# list(data, map, labels, deciles): data has x, y (of a map), value, series, panel and, for curves of rows, row.
partial_picture <- function(x, most) {
  variable <- setdiff(names(x), c(".estimate", ".response", ".row"))
  x <- as_plain_frame(x)
  two <- length(variable) == 2L
  over <- if (two && !has_line(x[[variable[1L]]]) && has_line(x[[variable[2L]]])) rev(variable) else variable
  map <- two && is.numeric(x[[variable[1L]]]) && is.numeric(x[[variable[2L]]])
  classes <- x[[".response"]]
  apart <- map || two || !is.null(x[[".row"]]) # classes have panels, since colour or lines are taken
  series <- if (two && !map) as_levels(x[[over[2L]]]) else if (!apart) classes
  data <- data.frame(value = x[[".estimate"]])
  data$x <- x[[over[1L]]]
  if (map) data$y <- x[[over[2L]]]
  data$series <- if (is.null(series)) factor("") else series
  data$panel <- if (apart && !is.null(classes)) classes else factor("")
  data$row <- x[[".row"]]
  list(
    data = if (is.null(data$row)) data else with_mean(data), map = map, most = most,
    deciles = attr(x, "deciles")[over],
    labels = list(x = over[1L], y = if (map) over[2L] else partial_what(x), value = partial_what(x),
                  series = if (two && !map) over[2L])
  )
}

partial_what <- function(x) if (is.null(attr(x, "what"))) "estimate" else attr(x, "what")

# Whether values lie on a line, as numbers and dates do.
has_line <- function(v) is.numeric(v) || inherits(v, c("Date", "POSIXct"))

as_plain_frame <- function(x) {
  class(x) <- "data.frame"
  x
}

as_levels <- function(v) if (is.factor(v)) v else factor(v)

# Curves of rows, and as row 0 their mean.
with_mean <- function(data) {
  mean <- stats::aggregate(data["value"], data[c("x", "series", "panel")], mean)
  mean$row <- 0L
  rbind(data, mean[names(data)])
}

# The rows whose curves are drawn.
drawn_rows <- function(data, most) {
  all <- setdiff(unique(data$row), 0L)
  if (length(all) > most) all[round(seq(1, length(all), length.out = most))] else all
}

series_colours <- function(n) {
  good <- c("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
  if (n <= length(good)) good[seq_len(n)] else grDevices::hcl.colors(n, "Dark 3")
}

# Edges of cells around values.
cell_edges <- function(values) {
  v <- sort(unique(values))
  if (length(v) == 1L) {
    return(list(at = v, low = v - 0.5, high = v + 0.5))
  }
  middle <- (v[-1L] + v[-length(v)]) / 2
  list(at = v, low = c(2 * v[1L] - middle[1L], middle), high = c(middle, 2 * v[length(v)] - middle[length(middle)]))
}

# Light enough for dark contours.
map_colours <- grDevices::hcl.colors(20, "BluYl", rev = TRUE)

# ---- ggplot2 -------------------------------------------------------------------------------------

ggplot_curves <- function(picture, main) {
  data <- picture$data
  numeric <- has_line(data$x)
  single <- !is.null(data$row)
  k <- nlevels(data$series)
  dodge <- ggplot2::position_dodge(width = if (k > 1L && !numeric) 0.5 else 0)
  plot <- ggplot2::ggplot(if (single) data[data$row == 0L, ] else data,
                          ggplot2::aes(.data$x, .data$value, colour = .data$series, group = .data$series))
  if (single) {
    shown <- drawn_rows(data, picture$most)
    plot <- plot + ggplot2::geom_line(ggplot2::aes(group = .data$row), data[data$row %in% shown, ], colour = "grey40",
                                      alpha = max(0.15, min(0.6, 20 / length(shown))), linewidth = 0.4)
  }
  if (numeric) {
    plot <- plot + ggplot2::geom_line(linewidth = 1) + rug_layer(picture$deciles[[1L]])
  } else {
    plot <- plot + ggplot2::geom_point(size = 3, position = dodge)
  }
  finish_ggplot(plot, picture, main) +
    ggplot2::scale_colour_manual(values = series_colours(k), guide = if (k > 1L) "legend" else "none") +
    (if (!numeric) ggplot2::scale_x_discrete(labels = function(names) short_labels(names, 20L))) +
    (if (!numeric && crowded(levels(as_levels(data$x)), nlevels(data$panel))) {
      ggplot2::theme(axis.text.x = ggplot2::element_text(angle = 40, hjust = 1))
    })
}

# Whether names under an axis would run into each other.
crowded <- function(names, panels) sum(nchar(short_labels(names, 20L)) + 2L) * panels > 80L

rug_layer <- function(deciles, side = "b") {
  if (!is.null(deciles)) {
    place <- if (side == "b") ggplot2::aes(x = .data$at) else ggplot2::aes(y = .data$at)
    ggplot2::geom_rug(place, data.frame(at = deciles), inherit.aes = FALSE, sides = side, colour = "grey40")
  }
}

ggplot_map <- function(picture, main) {
  data <- picture$data
  h <- cell_edges(data$x)
  v <- cell_edges(data$y)
  i <- match(data$x, h$at)
  j <- match(data$y, v$at)
  cells <- data.frame(data, left = h$low[i], right = h$high[i], bottom = v$low[j], top = v$high[j])
  plot <- ggplot2::ggplot(cells, ggplot2::aes(fill = .data$value)) +
    ggplot2::geom_rect(ggplot2::aes(xmin = .data$left, xmax = .data$right, ymin = .data$bottom, ymax = .data$top)) +
    ggplot2::scale_fill_gradientn(colours = map_colours, name = NULL) +
    rug_layer(picture$deciles[[1L]], "b") + rug_layer(picture$deciles[[2L]], "l")
  finish_ggplot(plot, picture, if (is.null(main)) picture$labels$value else main)
}

finish_ggplot <- function(plot, picture, main) {
  l <- picture$labels
  plot <- plot + ggplot2::labs(x = l$x, y = l$y, colour = l$series, title = main)
  if (nlevels(picture$data$panel) == 1L) {
    return(plot)
  }
  plot + ggplot2::facet_wrap(ggplot2::vars(.data$panel)) + ggplot2::theme(panel.spacing.x = ggplot2::unit(14, "pt"))
}

# ---- base graphics -------------------------------------------------------------------------------

base_partial <- function(picture, main, ...) {
  panels <- levels(picture$data$panel)
  names <- if (!has_line(picture$data$x)) short_labels(levels(as_levels(picture$data$x)), 20L)
  steep <- crowded(names, length(panels))
  old <- graphics::par(c("mar", "mgp", if (length(panels) > 1L) "mfrow")) # setting mfrow would begin a new page
  on.exit(graphics::par(old))
  if (length(panels) > 1L) {
    size <- grDevices::n2mfrow(length(panels))
    graphics::par(mfrow = if (graphics::par("din")[1L] > graphics::par("din")[2L]) rev(size) else size)
  }
  labels <- series_labels(levels(picture$data$series), picture$labels$series)
  right <- if (legend_in_row(labels)) 1 else 1 + label_inches(labels) / graphics::par("csi")
  graphics::par(mar = c(if (steep) 2 + max(nchar(names)) / 2.2 else 3.4, 4.6, 3, right), mgp = c(2.2, 0.7, 0))
  reach <- range(picture$data$value)
  for (panel in panels) {
    data <- picture$data[picture$data$panel == panel, ]
    title <- if (length(panels) > 1L) paste(c(main, panel), collapse = ": ") else main
    if (picture$map) base_map(data, picture, title, reach, ...) else base_curves(data, picture, title, reach, ...)
  }
}

base_map <- function(data, picture, main, reach, ...) {
  h <- cell_edges(data$x)
  v <- cell_edges(data$y)
  z <- matrix(NA_real_, length(h$at), length(v$at))
  z[cbind(match(data$x, h$at), match(data$y, v$at))] <- data$value
  edges <- function(e) c(e$low, e$high[length(e$high)])
  graphics::image(edges(h), edges(v), z, zlim = reach, col = map_colours, las = 1, xlab = picture$labels$x,
                  ylab = "", main = if (is.null(main)) picture$labels$value else main, ...)
  graphics::title(ylab = picture$labels$y, line = 3.2)
  if (min(dim(z)) > 1L && diff(range(z)) > 0) {
    graphics::contour(h$at, v$at, z, add = TRUE, col = ink$text, labcex = 0.8)
  }
}

base_curves <- function(data, picture, main, reach, ...) {
  numeric <- has_line(data$x)
  at <- if (numeric) data$x else as.integer(as_levels(data$x))
  series <- levels(data$series)
  colours <- series_colours(length(series))
  graphics::plot(range(at) + if (numeric) 0 else c(-0.4, 0.4), reach, type = "n", xaxt = if (numeric) "s" else "n",
                 las = 1, xlab = "", ylab = "", ...)
  if (!numeric) {
    names <- short_labels(levels(as_levels(data$x)), 20L)
    graphics::axis(1, seq_along(names), names, las = if (crowded(names, nlevels(picture$data$panel))) 2 else 0)
  }
  graphics::title(xlab = picture$labels$x, line = graphics::par("mar")[1L] - 1.2)
  graphics::title(ylab = picture$labels$y, line = 3.2)
  graphics::title(main = main, line = if (length(series) > 1L) 1.6 else 1)
  single <- !is.null(data$row)
  for (row in if (single) drawn_rows(data, picture$most)) {
    one <- which(data$row == row)
    graphics::lines(at[one], data$value[one], col = grDevices::adjustcolor("grey40", 0.4), lwd = 0.7)
  }
  for (k in seq_along(series)) {
    one <- which(data$series == series[k] & if (single) data$row == 0L else TRUE)
    shift <- if (numeric || length(series) == 1L) 0 else 0.3 * ((k - 1) / (length(series) - 1) - 0.5)
    if (numeric) {
      graphics::lines(at[one], data$value[one], col = colours[k], lwd = 2.5)
    } else {
      graphics::points(at[one] + shift, data$value[one], col = colours[k], pch = 19, cex = 1.3)
    }
  }
  if (numeric && !is.null(picture$deciles[[1L]])) {
    graphics::rug(picture$deciles[[1L]], col = "grey40")
  }
  if (length(series) > 1L) {
    series_legend(series, picture$labels$series, colours, numeric)
  }
}

# In a row above the plot where there is room, else on its right, where base_partial() leaves some.
series_legend <- function(series, title, colours, lines) {
  labels <- series_labels(series, title)
  usr <- graphics::par("usr")
  row <- legend_in_row(labels)
  graphics::legend(usr[if (row) 1L else 2L], usr[4L], labels, col = colours, pch = if (lines) NA else 19,
                   lty = if (lines) 1 else 0, lwd = 2.5, bty = "n", cex = 0.9, horiz = row,
                   yjust = if (row) 0.1 else 1, xpd = NA,
                   text.width = 1.2 * max(graphics::strwidth(labels, cex = 0.9)))
}

series_labels <- function(series, title) {
  labels <- short_labels(series, 20L)
  if (!is.null(title)) labels[1L] <- paste(title, labels[1L])
  labels
}

label_inches <- function(labels) max(graphics::strwidth(labels, units = "inches", cex = 0.9)) * 1.2 + 0.55

legend_in_row <- function(labels) length(labels) * label_inches(labels) < graphics::par("din")[1L] - 1
