# Made-up pictures for examples, tests and lessons.

# Signed distance, in pixels, of the points (u, v) from the outline of a shape of size r: negative
# inside.  u and v are measured from the shape's centre, along its own axes.
shape_distance <- list(
  circle = function(u, v, r) sqrt(u^2 + v^2) - r,
  square = function(u, v, r) pmax(abs(u), abs(v)) - 0.8 * r,
  triangle = function(u, v, r) pmax(v, sqrt(0.75) * abs(u) - v / 2) - 0.55 * r,
  cross = function(u, v, r) {
    width <- 0.3 * r
    pmin(pmax(abs(u) - r, abs(v) - width), pmax(abs(v) - r, abs(u) - width))
  },
  ring = function(u, v, r) abs(sqrt(u^2 + v^2) - 0.8 * r) - 0.2 * r,
  bar = function(u, v, r) pmax(abs(u) - r, abs(v) - 0.25 * r),
  edge = function(u, v, r) u,
  stripes = function(u, v, r) {
    width <- pmax(0.3 * r, 2)
    pmax(sqrt(u^2 + v^2) - r, width / pi * sin(pi * v / width))
  },
  checks = function(u, v, r) {
    width <- pmax(0.4 * r, 2)
    pmax(sqrt(u^2 + v^2) - r, width / pi * sin(pi * u / width) * sin(pi * v / width))
  }
)

#' Pictures of shapes to learn from
#'
#' Draws labelled pictures that need no download: each shows one shape, light on dark or dark on
#' light, of random place, size, rotation and contrast, with noise. No single pixel tells the class,
#' so a linear model does little better than guessing; a small convolutional network learns to tell
#' the shapes apart in seconds.
#'
#' Each pixel is `background + contrast * coverage + noise`, cut off at 0 and 1. The coverage is
#' `0.5 - d` cut off at 0 and 1, where `d` is the pixel's distance, in pixels, from the shape's
#' outline (negative inside), which makes the outlines smooth. Shapes are from 0.25 to 0.38 times
#' `size` in radius and lie wholly in the picture, except for the edge, which crosses it.
#'
#' The pictures come from R's random numbers: `set.seed()` repeats them.
#'
#' @param n Number of pictures, at least 1.
#' @param size Height and width in pixels, at least 8.
#' @param classes Which shapes, two or more of `"circle"`, `"square"`, `"triangle"`, `"cross"`,
#'   `"ring"`, `"bar"`, the border `"edge"` of a half-plane, and discs with a texture of `"stripes"`
#'   or of `"checks"`. They are equally frequent.
#' @param noise Standard deviation of the normally distributed noise on each number, at least 0.
#' @param color `TRUE`: three channels, with a background and a contrast of each its own.
#' @param rotation Shapes are turned by up to so many degrees either way, 0 to 180.
#' @return `list(x, y)`: `x`, an array of `n` x `size` x `size` x channels (1, or 3 in colour) of
#'   numbers from 0 to 1, and `y`, a factor with the levels `classes`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument.
#' @family data
#' @examples
#' set.seed(1)
#' shapes <- sim_shapes(12)
#' plot_images(shapes$x, shapes$y)
#' @export
sim_shapes <- function(n, size = 28, classes = c("circle", "square", "triangle", "cross"),
                       noise = 0.05, color = FALSE, rotation = 180) {
  n <- check_count(n)
  size <- check_count(size, min = 8)
  noise <- check_number(noise, min = 0)
  channels <- if (check_flag(color)) 3L else 1L
  rotation <- check_number(rotation, min = 0, max = 180)
  if (!is.character(classes) || length(classes) < 2L || anyDuplicated(classes)) {
    abort_argument("classes", "the names of two or more shapes", describe(classes))
  }
  for (class in classes) {
    if (!class %in% names(shape_distance)) {
      abort_unknown("classes", "a shape", class, names(shape_distance))
    }
  }
  y <- factor(classes[sample(rep_len(seq_along(classes), n))], levels = classes)
  x <- matrix(0, n, size^2 * channels)
  at_once <- max(1, 2^20 %/% ncol(x)) # pictures drawn together, to bound the memory
  for (class in classes) {
    rows <- which(y == class)
    for (block in split(rows, (seq_along(rows) - 1) %/% at_once)) {
      x[block, ] <- draw_shapes(length(block), size, class, noise, channels, rotation)
    }
  }
  list(x = array(x, c(n, size, size, channels)), y = y)
}

# n pictures of one class, a row each; columns run over rows, columns and channels of pixels.
draw_shapes <- function(n, size, class, noise, channels, rotation) {
  r <- stats::runif(n, 0.25, 0.38) * size
  # how far the centre goes either way: no corner is further than 1.15 r from it, and a pixel of rim is left
  reach <- if (class == "edge") size / 6 else size / 2 - 1.25 * r
  angle <- stats::runif(n, -rotation, rotation) * pi / 180
  middle <- (size + 1) / 2
  pixel <- expand.grid(row = seq_len(size), column = seq_len(size))
  dx <- outer(-middle - reach * stats::runif(n, -1, 1), pixel$column, `+`)
  dy <- outer(-middle - reach * stats::runif(n, -1, 1), pixel$row, `+`)
  u <- cos(angle) * dx + sin(angle) * dy
  v <- cos(angle) * dy - sin(angle) * dx
  coverage <- pmin(pmax(0.5 - shape_distance[[class]](u, v, r), 0), 1)
  out <- lapply(seq_len(channels), function(channel) {
    contrast <- stats::runif(n, 0.5, 1)
    low <- stats::runif(n) * (1 - contrast)
    dark <- stats::runif(n) < 0.5
    ifelse(dark, low + contrast, low) + ifelse(dark, -contrast, contrast) * coverage
  })
  out <- do.call(cbind, out)
  pmin(pmax(out + stats::rnorm(length(out), sd = noise), 0), 1)
}
