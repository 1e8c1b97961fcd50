# The kernels of convolutions, and the maps that layers make of a picture.

#' Plot the filters of a convolution
#'
#' Each kernel as a small picture, white at 0, blue where weights are positive, orange where they are
#' negative; all on one scale. Kernels with several input channels have a row a filter and a column a
#' channel. `get_weights(get_layer(model, layer))[[1]]` gives the numbers.
#'
#' @param model A model, or a convolution layer of one.
#' @param layer Name or position of a convolution layer; `NULL`: the first one.
#' @param rgb Whether kernels on three input channels are drawn in colour, one picture a filter: grey is
#'   0, and the largest weight by size is 1 or -1.
#' @param max How many small pictures at most.
#' @param main A title; `NULL`: the name of the layer.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @return With ggplot2 the plot, which prints when shown and has the attribute `array`; otherwise
#'   that invisibly: the kernel, height x width x input channels x filters.
#' @section Errors:
#' An unknown layer, or one that is no convolution, raises `lamina_error_argument`.
#' @family seeing
#' @examples
#' model <- keras_model_sequential(input_shape = c(16, 16, 1)) |>
#'   layer_conv_2d(8, kernel_size = 5, name = "first")
#' plot_filters(model)
#' @export
plot_filters <- function(model, layer = NULL, rgb = FALSE, max = 64, main = NULL,
                         method = c("auto", "ggplot2", "base")) {
  if (is_layer(model) && is.null(layer) && !is.null(layer_self(model)$model)) {
    layer <- layer_self(model)$name
    model <- layer_self(model)$model
  }
  check_model(model, arg = "model")
  require_built(model)
  rgb <- check_flag(rgb)
  max <- check_count(max)
  check_string(main, allow_null = TRUE)
  method <- drawing_method(method)
  at <- convolution_layer(model, layer)
  filters <- layer_filters(model, at)
  if (is.null(main)) {
    main <- layer_names(model)[at]
  }
  layout <- filter_layout(filters, rgb, max, main)
  draw_layout(layout, method, filters$kernel)
}

convolution_layer <- function(model, layer, call = rlang::caller_env()) {
  types <- layer_types(model)
  if (is.null(layer)) {
    at <- which(is_convolution(types))[1L]
    if (is.na(at)) {
      abort_argument("model", "one with a convolution layer", "one without", call = call)
    }
    return(at)
  }
  at <- layer_positions(model, layer, "layer", call)
  if (length(at) != 1L || !is_convolution(types[at])) {
    abort_argument("layer", "a convolution layer",
                   sprintf("\"%s\" of type %s", layer_names(model)[at[1L]], types[at[1L]]), call = call)
  }
  at
}

# list(kernel, height x width x channels x filters, bias or NULL).  A kernel along one dimension is
# 1 high; a depthwise one has one channel a filter.  Of a separable convolution it is the depthwise part,
# of a transposed one, whose kernel has filters before channels, the kernel in the usual order.
layer_filters <- function(model, at) {
  weights <- get_weights(model)[weight_owner(model) == at]
  names <- model$info[[at]]$weight_names
  kernel <- weights[[grep("kernel", names)[1L]]]
  if (length(dim(kernel)) == 3L) {
    dim(kernel) <- c(1L, dim(kernel))
  }
  type <- layer_types(model)[at]
  if (grepl("transpose", type)) {
    kernel <- aperm(kernel, c(1L, 2L, 4L, 3L))
  } else if (grepl("depthwise|separable", type)) {
    # the outputs of a channel stand together
    kernel <- aperm(kernel, c(1L, 2L, 4L, 3L))
    dim(kernel) <- c(dim(kernel)[1:2], 1L, prod(dim(kernel)[3:4]))
  }
  bias <- if ("bias" %in% names) as.vector(weights[[match("bias", names)]])
  list(kernel = kernel, bias = if (length(bias) == dim(kernel)[4L]) bias)
}

filter_layout <- function(filters, rgb, max, main) {
  kernel <- filters$kernel
  dims <- dim(kernel)
  in_colour <- rgb && dims[3L] == 3L
  channels <- if (in_colour) 1L else min(dims[3L], 8L)
  shown <- seq_len(min(dims[4L], base::max(1, max %/% channels)))
  bias <- if (!is.null(filters$bias)) paste("bias", format(round(filters$bias, 2), trim = TRUE))[shown]
  scale <- signed_scale(kernel)
  rasters <- unlist(lapply(shown, function(f) {
    if (in_colour) {
      colour <- array(0.5 + kernel[, , , f] / (2 * scale$limits[2L]), c(1L, dims[1:3]))
      return(list(picture_raster(colour, 1L)))
    }
    lapply(seq_len(channels), function(k) scale_raster(array(kernel[, , k, f], dims[1:2]), scale))
  }), recursive = FALSE)
  left_out <- c(
    if (length(shown) < dims[4L]) sprintf("filters 1 to %d of %d", length(shown), dims[4L]),
    if (!in_colour && channels < dims[3L]) sprintf("channels 1 to %d of %d", channels, dims[3L])
  )
  main <- paste(c(main, left_out), collapse = ", ")
  scale <- if (!in_colour) scale
  if (channels == 1L) {
    grid_layout(rasters, if (is.null(bias)) paste("filter", shown) else paste0("filter ", shown, "\n", bias),
                main = main, scale = scale, scale_title = "weight", frames = "#D5DBE1")
  } else {
    names <- paste0("filter ", shown, if (!is.null(bias)) paste0("\n", bias))
    grid_layout(rasters, columns = channels, headings = paste("channel", seq_len(channels)),
                row_names = names, main = main, scale = scale, scale_title = "weight", frames = "#D5DBE1")
  }
}

#' Plot what a layer makes of a picture
#'
#' The maps that a layer puts out for one picture, all on one scale of colours, the picture itself
#' first. [activations()] gives the arrays of several layers and pictures.
#'
#' @param model A model.
#' @param x A picture, as the model takes it, or several, of which `sample` is drawn.
#' @param layer Name or position of a layer that puts out maps; `NULL`: the first such convolution, or
#'   else the first such layer.
#' @param sample Which sample of `x`.
#' @param max How many maps at most.
#' @param main A title; `NULL`: the name of the layer and the size of its maps.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @return With ggplot2 the plot, which prints when shown and has the attribute `array`; otherwise
#'   that invisibly: the maps, height x width x channels.
#' @section Errors:
#' An unknown layer, or one without maps, raises `lamina_error_argument`, inputs of another shape
#' `lamina_error_shape`.
#' @family seeing
#' @examples
#' set.seed(1)
#' shapes <- sim_shapes(1, size = 24)
#' model <- keras_model_sequential(input_shape = c(24, 24, 1)) |>
#'   layer_conv_2d(8, kernel_size = 3, activation = "relu", name = "first")
#' plot_feature_maps(model, shapes$x, "first")
#' @export
plot_feature_maps <- function(model, x, layer = NULL, sample = 1, max = 35, main = NULL,
                              method = c("auto", "ggplot2", "base")) {
  check_model(model, arg = "model")
  max <- check_count(max)
  check_string(main, allow_null = TRUE)
  method <- drawing_method(method)
  x <- seen_inputs(model, x)
  sample <- check_count(sample, max = dim(x)[1L])
  at <- if (is.null(layer)) first_maps(model) else map_layer(model, layer)
  one <- array_rows(x, sample)
  maps <- network_outputs(model, one, at)[[1L]]
  maps <- array(maps, dim(maps)[-1L])
  dims <- dim(maps)
  shown <- seq_len(min(max, dims[3L]))
  if (is.null(main)) {
    left_out <- if (length(shown) < dims[3L]) sprintf(", the first %d of %d", length(shown), dims[3L])
    main <- paste0(layer_names(model)[at], ": maps of ", dims[1L], " x ", dims[2L], left_out)
  }
  scale <- fitting_scale(maps)
  rasters <- lapply(shown, function(k) scale_raster(array(maps[, , k], dims[1:2]), scale))
  captions <- as.character(shown)
  if (length(model$shape) == 2L || (length(model$shape) == 3L && model$shape[3L] %in% c(1, 3, 4))) {
    rasters <- c(list(picture_raster(as_pictures(one), 1L)), rasters)
    captions <- c("picture", captions)
  }
  layout <- grid_layout(rasters, captions, main = main, scale = scale, scale_title = "activation",
                        frames = "#D5DBE1")
  draw_layout(layout, method, maps)
}

first_maps <- function(model, call = rlang::caller_env()) {
  maps <- vapply(model$info, function(i) length(i$output_shape) == 3L, NA)
  at <- c(which(maps & is_convolution(layer_types(model))), which(maps))[1L]
  if (is.na(at)) {
    abort_argument("model", "one with a layer that puts out maps (height, width, channels)", "one without", call = call)
  }
  at
}
