# Pictures of what saliency(), grad_cam() and maximize_activation() found.

#' Plot saliency, Grad-CAM and patterns
#'
#' For saliency and Grad-CAM a row a sample: the picture, the map, and the map laid over the picture.
#' Each map is drawn relative to its own largest number; signed maps (integrated gradients) are blue
#' where the input speaks for the class and orange where it speaks against it. For
#' [maximize_activation()] one picture a filter.
#'
#' @param x What [saliency()], [grad_cam()] or [maximize_activation()] returned.
#' @param max How many samples or filters at most.
#' @param class_names Names of the classes, to be written instead of their numbers.
#' @param main A title; `NULL`: one that says what is shown.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param ... Not used.
#' @return With ggplot2 the plot, which prints when shown and has the attribute `array`; otherwise
#'   that invisibly: the maps (samples x height x width), or the pictures of patterns.
#' @section Errors:
#' Samples that are no pictures raise `lamina_error_state`.
#' @family seeing
#' @examples
#' set.seed(1)
#' shapes <- sim_shapes(4, size = 16)
#' model <- keras_model_sequential(input_shape = dim(shapes$x)[-1]) |>
#'   layer_flatten() |>
#'   layer_dense(nlevels(shapes$y), activation = "softmax")
#' plot(saliency(model, shapes$x[1:3, , , , drop = FALSE]), class_names = levels(shapes$y))
#' @export
plot.lamina_saliency <- function(x, max = 4, class_names = NULL, main = NULL,
                                 method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  if (is.null(x$map)) {
    abort_lamina(c("The samples are no pictures.", i = "`attribution` holds the numbers: barplot() draws them."),
                 "state", arg = "x", expected = "pictures", actual = describe(x$attribution))
  }
  names <- c(gradient = "Gradient of the score", smooth = "SmoothGrad", integrated = "Integrated gradients")
  plot_maps(x, x$map, if (is.null(main)) names[[x$method]] else main, max, class_names, method)
}

#' @rdname plot.lamina_saliency
#' @export
plot.lamina_grad_cam <- function(x, max = 4, class_names = NULL, main = NULL,
                                 method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  plot_maps(x, x$upsampled, if (is.null(main)) sprintf("Grad-CAM at \"%s\"", x$layer) else main, max,
            class_names, method)
}

#' @rdname plot.lamina_saliency
#' @export
plot.lamina_patterns <- function(x, max = 25, main = NULL, method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  check_string(main, allow_null = TRUE)
  max <- check_count(max)
  method <- drawing_method(method)
  if (!length(dim(x$pictures)) %in% 3:4) {
    abort_lamina("The model's inputs are no pictures.", "state", arg = "x", expected = "pictures",
                 actual = describe(x$pictures))
  }
  pictures <- as_pictures(x$pictures, x$range)
  shown <- seq_len(min(max, length(x$filter)))
  layout <- grid_layout(
    lapply(shown, function(i) picture_raster(pictures, i)), paste("filter", x$filter[shown]),
    main = if (is.null(main)) sprintf("What filters of \"%s\" look for", x$layer) else main
  )
  draw_layout(layout, method, x$pictures)
}

# Rows of picture, map and both.
plot_maps <- function(x, maps, main, max, class_names, method, call = rlang::caller_env()) {
  max <- check_count(max, call = call)
  method <- drawing_method(method, call)
  check_string(main, call = call)
  pictures <- as_pictures(x$x)
  shown <- seq_len(min(max, dim(maps)[1L]))
  signed <- any(maps < 0)
  scale <- if (signed) signed_scale(1) else list(limits = c(0, 1), ramp = grDevices::hcl.colors(255, "Inferno"))
  rasters <- lapply(shown, function(i) {
    map <- array(maps[i, , ], dim(maps)[-1L])
    map <- map / max(abs(map), .Machine$double.xmin)
    picture <- picture_raster(pictures, i)
    list(picture, scale_raster(map, scale), lay_over(picture, map, scale))
  })
  layout <- grid_layout(
    unlist(rasters, recursive = FALSE), columns = 3, headings = c("picture", "map", "both"),
    row_names = map_names(x, class_names, call)[shown], main = main, scale = scale,
    scale_title = "share of the map's largest number"
  )
  draw_layout(layout, method, maps)
}

map_names <- function(x, class_names, call) {
  if (!is.null(class_names) && length(class_names) <= max(x$class)) {
    abort_argument("class_names", sprintf("at least %d names", max(x$class) + 1), describe(class_names), call = call)
  }
  class <- if (is.null(class_names)) paste("class", x$class) else as.character(class_names)[x$class + 1L]
  paste0(class, "\nscore ", format(round(x$score, 2), nsmall = 2, trim = TRUE))
}

# The picture in grey, with the colours of the map where the map is large.
lay_over <- function(picture, map, scale) {
  grey <- colSums(grDevices::col2rgb(picture) * c(0.299, 0.587, 0.114))
  colour <- t(grDevices::col2rgb(scale_raster(map, scale)))
  share <- as.vector(0.75 * sqrt(abs(map)))
  mix <- (1 - share) * grey + share * colour
  matrix(grDevices::rgb(mix[, 1L], mix[, 2L], mix[, 3L], maxColorValue = 255), nrow(map))
}

#' @export
print.lamina_saliency <- function(x, ...) {
  cat(sprintf("<saliency by %s of %s>\n", x$method, describe(x$attribution)))
  print_scores(x)
}

#' @export
print.lamina_grad_cam <- function(x, ...) {
  cat(sprintf("<Grad-CAM at \"%s\": maps of %s>\n", x$layer, paste(dim(x$map)[-1L], collapse = " x ")))
  print_scores(x)
}

#' @export
print.lamina_patterns <- function(x, ...) {
  last <- ncol(x$activation)
  cat(sprintf("<patterns of \"%s\" after %d steps>\n", x$layer, last - 1L))
  print(utils::head(data.frame(filter = x$filter, start = x$activation[, 1L], end = x$activation[, last]), 10L),
        row.names = FALSE, digits = 3)
  invisible(x)
}

print_scores <- function(x) {
  scores <- data.frame(sample = seq_along(x$class), class = x$class, score = x$score)
  scores$baseline_score <- x$baseline_score
  print(utils::head(scores, 10L), row.names = FALSE, digits = 4)
  if (nrow(scores) > 10L) {
    cat(sprintf("... and %d more\n", nrow(scores) - 10L))
  }
  invisible(x)
}
