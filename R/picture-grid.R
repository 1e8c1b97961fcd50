# Pictures in a grid, with captions and a scale of colours: what plot_images() and its kin draw with.
#
# The layout is worked out first: where pictures, texts and frames go, in inches; then it
# is drawn with ggplot2 or with base graphics.

# "ggplot2" or "base".
drawing_method <- function(method, call = rlang::caller_env()) {
  method <- check_choice(method[1L], c("auto", "ggplot2", "base"), arg = "method", call = call)
  if (method == "ggplot2") {
    rlang::check_installed("ggplot2", "to plot with it.", call = call)
  }
  if (method != "base" && requireNamespace("ggplot2", quietly = TRUE)) "ggplot2" else "base"
}

# Width and height of the open device, or of the one that will be opened.
device_inches <- function() {
  if (grDevices::dev.cur() == 1L) c(7, 7) else grDevices::dev.size("in")
}

# How wide a text is, about: letters are a little wider than half their height.
text_inches <- function(characters, points) 0.57 * characters * points / 72

# The size of text of so many letters that fits into `inches`.
fitting_points <- function(inches, characters, largest = 13, smallest = 5) {
  max(smallest, min(largest, 72 * inches / (0.57 * max(characters, 1))))
}

# ---- from numbers to colours ---------------------------------------------------------------------

# Pictures as users have them, as an array samples x height x width x channels of numbers from 0 to 1.
# range: what black and white are; NULL: 0 and 1, or 0 and 255, or else the smallest and largest number.
as_pictures <- function(x, range = NULL, arg = "x", call = rlang::caller_env()) {
  dims <- dim(x)
  if (!(is.numeric(x) || is.logical(x)) || !length(dims) %in% 2:4 || length(x) == 0L) {
    abort_argument(arg, "an array of pictures: samples x height x width (x channels)", describe(x),
                   kind = "shape", call = call)
  }
  channels <- function(n) n %in% c(1, 3, 4)
  dims <- if (length(dims) == 2L) {
    c(1L, dims, 1L)
  } else if (length(dims) == 3L) {
    if (channels(dims[3L]) && dims[2L] > 4) c(1L, dims) else c(dims, 1L)
  } else {
    dims
  }
  if (!channels(dims[4L])) {
    abort_argument(arg, "pictures of 1 (grey), 3 (RGB) or 4 channels", sprintf("of %d", dims[4L]),
                   kind = "shape", call = call)
  }
  if (!all(is.finite(x))) {
    abort_not_finite(x, arg, call)
  }
  range <- picture_range(x, range, call)
  array(pmin(pmax((as.double(x) - range[1L]) / diff(range), 0), 1), dims)
}

picture_range <- function(x, range, call) {
  if (!is.null(range)) {
    if (!is.numeric(range) || length(range) != 2L || !all(is.finite(range)) || range[1L] >= range[2L]) {
      abort_argument("range", "two numbers, the smaller one first", describe(range), call = call)
    }
    return(as.double(range))
  }
  found <- range(x)
  if (found[1L] >= 0 && found[2L] <= 1) {
    c(0, 1)
  } else if (found[1L] >= 0 && found[2L] <= 255) {
    c(0, 255)
  } else {
    found
  }
}

# Picture i of such an array as a matrix of colours.
picture_raster <- function(x, i) {
  dims <- dim(x)
  one <- array(x[i, , , ], dims[-1L])
  colours <- if (dims[4L] == 1L) {
    grDevices::gray(one)
  } else {
    grDevices::rgb(one[, , 1L], one[, , 2L], one[, , 3L], if (dims[4L] == 4L) one[, , 4L])
  }
  matrix(colours, dims[2L])
}

# Scales of colours: list(limits, ramp), ramp a vector of colours from the lower limit to the upper.
# Signed numbers: white at 0, blue above and orange below, as the weights in plot(model).
signed_scale <- function(x) {
  largest <- max(abs(x), .Machine$double.xmin)
  list(limits = c(-largest, largest),
       ramp = grDevices::colorRampPalette(c("#7F3300", ink$negative, "#FFFFFF", ink$positive, "#003A5C"))(255))
}

# Numbers of one sign: from dark to light.
heat_scale <- function(x) {
  limits <- c(min(0, x), max(x))
  if (limits[1L] == limits[2L]) {
    limits[2L] <- limits[1L] + 1
  }
  list(limits = limits, ramp = grDevices::hcl.colors(255, "viridis"))
}

fitting_scale <- function(x) if (min(x) < 0) signed_scale(x) else heat_scale(x)

# A matrix of numbers as a matrix of colours.
scale_raster <- function(x, scale) {
  share <- (x - scale$limits[1L]) / diff(scale$limits)
  matrix(scale$ramp[1 + round(pmin(pmax(share, 0), 1) * (length(scale$ramp) - 1))], nrow(x))
}

# ---- the layout ----------------------------------------------------------------------------------

# rasters   list of matrices of colours, in reading order
# captions  a text above each, of `lines` lines; colour: of each caption; frames: a colour around a
#           picture, or NA
# columns   pictures in a row; NULL: as many as make them largest
# headings  texts above the columns; row_names: texts to the left of the rows
# scale     of colours, drawn below with `scale_title`
# Returns list(width, height, pictures, texts, frames), in inches from the lower left.
grid_layout <- function(rasters, captions = NULL, colour = ink$text, frames = NA, columns = NULL,
                        headings = NULL, row_names = NULL, main = NULL, scale = NULL,
                        scale_title = NULL, size = device_inches()) {
  n <- length(rasters)
  pad <- 0.1
  aspect <- max(vapply(rasters, nrow, 0L)) / max(vapply(rasters, ncol, 0L))
  lines <- if (is.null(captions)) 0 else max(lengths(strsplit(captions, "\n", fixed = TRUE)), 0)
  top <- pad + (if (is.null(main)) 0 else 0.32) + (if (is.null(headings)) 0 else 0.26)
  bottom <- pad + if (is.null(scale)) 0 else 0.62
  left <- pad + if (is.null(row_names)) 0 else min(0.3 * size[1L], 0.1 + 0.085 * max(nchar_lines(row_names)))
  area <- c(size[1L] - left - pad, size[2L] - top - bottom)
  caption_height <- function(points) if (lines > 0) (1.25 * lines * points + 4) / 72 else 0

  gap <- 0.08
  longest <- max(nchar_lines(captions), 1)
  frame <- best_columns(n, columns, area, aspect, caption_height, longest, gap)
  points <- frame$points
  at <- seq_len(n) - 1
  column <- at %% frame$columns
  row <- at %/% frame$columns
  rows <- max(row) + 1
  caption_width <- max(
    if (lines > 0) text_inches(longest, points), if (!is.null(headings)) text_inches(max(nchar(headings)) + 1, 9), 0
  )
  pitch <- c(min(area[1L] / frame$columns, max(frame$width, caption_width) + gap),
             frame$height + caption_height(points) + gap)
  slack <- c(area[1L] - frame$columns * pitch[1L], area[2L] - rows * pitch[2L])
  x <- left + max(slack[1L], 0) / 2 + (column + 0.5) * pitch[1L] - frame$width / 2
  y <- size[2L] - top - (row + 1) * pitch[2L] + gap / 2
  pictures <- data.frame(xmin = x, ymin = y, xmax = x + frame$width, ymax = y + frame$height)

  middle <- (pictures$xmin + pictures$xmax) / 2
  texts <- rbind(
    if (!is.null(captions)) text_rows(middle, pictures$ymax + 3 / 72, captions, points, colour, 0.5, 0),
    if (!is.null(headings)) {
      text_rows(middle[seq_along(headings)], size[2L] - top + 0.06, headings,
                fitting_points(pitch[1L], max(nchar(headings)), largest = 12, smallest = 7), ink$text, 0.5, 0)
    },
    if (!is.null(row_names)) {
      first <- which(column == 0)[seq_along(row_names)]
      text_rows(pictures$xmin[first] - 0.08, (pictures$ymin[first] + pictures$ymax[first]) / 2, row_names,
                fitting_points(left - pad, max(nchar_lines(row_names)), largest = 11, smallest = 6), ink$text, 1, 0.5)
    },
    if (!is.null(main)) text_rows(pad, size[2L] - pad - 0.2, main, 13, ink$text, 0, 0, "bold")
  )
  marked <- !is.na(rep_len(frames, n))
  layout <- list(
    width = size[1L], height = size[2L], rasters = rasters, pictures = pictures, texts = texts,
    frames = cbind(pictures[marked, ], colour = rep_len(frames, n)[marked])
  )
  if (is.null(scale)) layout else add_scale(layout, scale, scale_title)
}

nchar_lines <- function(text) nchar(unlist(strsplit(as.character(text), "\n", fixed = TRUE)))

text_rows <- function(x, y, text, points, colour, hjust, vjust, face = "plain") {
  data.frame(x = x, y = y, text = text, points = points, colour = colour, hjust = hjust, vjust = vjust,
             face = face)
}

# How many pictures in a row, their width and height, and the points of the captions: as large as can
# be, while captions of `longest` letters remain legible.
best_columns <- function(n, columns, area, aspect, caption_height, longest, gap) {
  options <- if (is.null(columns)) seq_len(n) else columns
  frames <- lapply(options, function(k) {
    points <- fitting_points(area[1L] / k - gap, longest, largest = 11)
    rows <- ceiling(n / k)
    width <- min(area[1L] / k - gap, (area[2L] / rows - gap - caption_height(points)) / aspect)
    list(columns = k, width = width, points = points, worth = width * min(1, points / 9))
  })
  best <- frames[[which.max(vapply(frames, `[[`, 0, "worth"))]]
  best$width <- max(min(best$width, 3.4, 3.4 / aspect), 0.05)
  best$height <- best$width * aspect
  best
}

# A strip of colours below the pictures, with its ends and 0.
add_scale <- function(layout, scale, title) {
  width <- min(3, 0.6 * layout$width)
  x <- (layout$width + c(-1, 1) * width) / 2
  y <- c(0.3, 0.44)
  signed <- scale$limits[1L] < 0
  at <- if (signed) c(x[1L], mean(x), x[2L]) else x
  numbers <- signif(c(scale$limits[1L], if (signed) mean(scale$limits), scale$limits[2L]), 3)
  numbers[abs(numbers) < 1e-12] <- 0
  layout$rasters <- c(layout$rasters, list(matrix(scale$ramp, nrow = 1L)))
  strip <- data.frame(xmin = x[1L], ymin = y[1L], xmax = x[2L], ymax = y[2L])
  layout$pictures <- rbind(layout$pictures, strip)
  layout$frames <- rbind(layout$frames, cbind(strip, colour = "#8C96A0"))
  layout$texts <- rbind(
    layout$texts, text_rows(at, 0.25, format(numbers, trim = TRUE, drop0trailing = TRUE), 9, ink$text, 0.5, 1),
    if (!is.null(title)) text_rows(mean(x), 0.48, title, 9, ink$faint, 0.5, 0)
  )
  layout
}

# ---- drawing -------------------------------------------------------------------------------------

# Draws a layout; with ggplot2 returns the plot, which carries `array` as an attribute, otherwise
# `array` invisibly.
draw_layout <- function(layout, method, array) {
  if (method == "ggplot2") {
    plot <- ggplot_layout(layout)
    attr(plot, "array") <- array
    return(plot)
  }
  base_layout(layout)
  invisible(array)
}

ggplot_layout <- function(layout) {
  pictures <- Map(function(raster, i) {
    at <- layout$pictures[i, ]
    ggplot2::annotation_raster(raster, at$xmin, at$xmax, at$ymin, at$ymax, interpolate = FALSE)
  }, layout$rasters, seq_along(layout$rasters))
  plot <- ggplot2::ggplot() +
    pictures +
    ggplot2::scale_x_continuous(limits = c(0, layout$width), expand = c(0, 0)) +
    ggplot2::scale_y_continuous(limits = c(0, layout$height), expand = c(0, 0)) +
    ggplot2::scale_colour_identity() +
    ggplot2::coord_fixed(clip = "off") +
    ggplot2::theme_void() +
    ggplot2::theme(plot.background = ggplot2::element_rect(fill = "white", colour = NA))
  if (nrow(layout$frames)) {
    plot <- plot + ggplot2::geom_rect(
      ggplot2::aes(xmin = .data$xmin, xmax = .data$xmax, ymin = .data$ymin, ymax = .data$ymax,
                   colour = .data$colour),
      data = layout$frames, fill = NA, linewidth = 0.8
    )
  }
  if (!is.null(layout$texts)) {
    plot <- plot + ggplot2::geom_text(
      ggplot2::aes(.data$x, .data$y, label = .data$text, colour = .data$colour, hjust = .data$hjust,
                   vjust = .data$vjust, fontface = .data$face),
      data = layout$texts, size = layout$texts$points / ggplot2::.pt, lineheight = 0.95
    )
  }
  plot
}

base_layout <- function(layout) {
  old <- graphics::par(c("mar", "xpd"))
  on.exit(graphics::par(old))
  graphics::par(mar = c(0, 0, 0, 0), xpd = NA)
  graphics::plot.new()
  graphics::plot.window(c(0, layout$width), c(0, layout$height), xaxs = "i", yaxs = "i", asp = 1)
  for (i in seq_along(layout$rasters)) {
    at <- layout$pictures[i, ]
    graphics::rasterImage(layout$rasters[[i]], at$xmin, at$ymin, at$xmax, at$ymax, interpolate = FALSE)
  }
  frames <- layout$frames
  if (nrow(frames)) {
    graphics::rect(frames$xmin, frames$ymin, frames$xmax, frames$ymax, border = frames$colour, lwd = 2)
  }
  for (i in seq_len(NROW(layout$texts))) {
    one <- layout$texts[i, ]
    graphics::text(one$x, one$y, one$text, adj = c(one$hjust, one$vjust), col = one$colour,
                   cex = one$points / graphics::par("ps"), font = if (one$face == "bold") 2 else 1)
  }
}
