#' Pooling: the largest number or the mean of every window
#'
#' Makes pictures and series smaller, mostly behind a [layer_conv_2d()]. A window slides over each channel
#' of a picture, (height, width, channels), or of a series, (steps, channels), and leaves one number for
#' each place where it stops: the largest (`layer_max_pooling_*()`) or the mean
#' (`layer_average_pooling_*()`) of what it covers. A pattern that moves by a pixel then still gives much
#' the same output. There is nothing to learn: the layer has no weights.
#'
#' With the defaults of `layer_max_pooling_2d()` each square of 2 x 2 pixels becomes one: height and
#' width are halved. In general, with `s` the strides, the output has along each dimension
#'
#' * with `padding = "valid"` `(input - pool_size) %/% s + 1` places: the window stays inside the
#'   picture, and what is left over at the end is not looked at;
#' * with `padding = "same"` `ceiling(input / s)` places: the window may reach over the edge, by
#'   as much at the beginning as at the end (the odd one at the end). What lies outside does not
#'   count, neither for the largest number nor for the mean.
#'
#' Of equal numbers the first one is the largest: it is that which the gradient goes to.
#'
#' @inheritParams layer_dense
#' @param pool_size Height and width of the window, one number for both or two; for series the
#'   number of steps. Average pooling has no default.
#' @param strides How far the window moves from one place to the next, one number or two; `NULL`:
#'   by its own size, so that windows do not overlap.
#' @param padding `"valid"` or `"same"`: see below.
#' @param data_format `NULL` or `"channels_last"`, which are the same.
#' @param name Name of the layer, for the printed table; `NULL`: one is made up.
#' @return The model with the layer added, or the layer when `object` is left out.
#'
#' Input: (height, width, channels) or (steps, channels). Output: the same with fewer rows and columns, or
#' steps, and as many channels.
#' @section Errors:
#' `lamina_error_argument` for a bad argument; `lamina_error_shape` for samples that are not
#' (height, width, channels) or (steps, channels), and for windows larger than the picture where
#' `padding` is `"valid"`.
#' @references On sizes: V. Dumoulin and F. Visin, A guide to convolution arithmetic for deep learning,
#'   arXiv:1603.07285, 2016.
#' @family pooling layers
#' @examples
#' picture <- rbind(c(1, 2, 5, 3),
#'                  c(4, 3, 1, 0),
#'                  c(0, 1, 9, 2),
#'                  c(2, 8, 4, 7))
#' x <- array_reshape(picture, c(1, 4, 4, 1)) # one picture of one channel
#'
#' largest <- keras_model_sequential(input_shape = c(4, 4, 1)) |> layer_max_pooling_2d(pool_size = 2)
#' predict(largest, x)[1, , , 1] # 4 5 / 8 9
#'
#' mean <- keras_model_sequential(input_shape = c(4, 4, 1)) |> layer_average_pooling_2d(pool_size = 2)
#' predict(mean, x)[1, , , 1] # 2.50 2.25 / 2.75 5.50
#'
#' # behind a convolution: 26 x 26 becomes 13 x 13
#' keras_model_sequential(input_shape = c(28, 28, 1)) |>
#'   layer_conv_2d(filters = 8, kernel_size = 3, activation = "relu") |>
#'   layer_max_pooling_2d()
#' @export
layer_max_pooling_2d <- function(object, pool_size = list(2L, 2L), strides = NULL,
                                 padding = "valid", data_format = NULL, name = NULL, ...) {
  config <- pooling_config(2, pool_size, strides, padding, data_format)
  create_layer(object, "max_pooling_2d", config, name = name, ..., class = "MaxPooling2D")
}

#' @rdname layer_max_pooling_2d
#' @export
layer_max_pooling_1d <- function(object, pool_size = 2L, strides = NULL, padding = "valid",
                                 data_format = NULL, name = NULL, ...) {
  config <- pooling_config(1, pool_size, strides, padding, data_format)
  create_layer(object, "max_pooling_1d", config, name = name, ..., class = "MaxPooling1D")
}

#' @rdname layer_max_pooling_2d
#' @export
layer_average_pooling_2d <- function(object, pool_size, strides = NULL, padding = "valid",
                                     data_format = NULL, name = NULL, ...) {
  config <- pooling_config(2, pool_size, strides, padding, data_format)
  create_layer(object, "average_pooling_2d", config, name = name, ..., class = "AveragePooling2D")
}

#' @rdname layer_max_pooling_2d
#' @export
layer_average_pooling_1d <- function(object, pool_size, strides = NULL, padding = "valid",
                                     data_format = NULL, name = NULL, ...) {
  config <- pooling_config(1, pool_size, strides, padding, data_format)
  create_layer(object, "average_pooling_1d", config, name = name, ..., class = "AveragePooling1D")
}

# The arguments that all have, in the core's form; `rank` is 1 for series, 2 for pictures.
pooling_config <- function(rank, pool_size, strides, padding, data_format,
                           call = rlang::caller_env()) {
  check_data_format(data_format, call = call)
  list(
    pool_size = check_window(pool_size, rank, call = call),
    strides = check_window(strides, rank, allow_null = TRUE, call = call),
    padding = check_padding(padding, call = call)
  )
}

#' Global pooling: one number for each channel
#'
#' The largest number (`layer_global_max_pooling_*()`) or the mean
#' (`layer_global_average_pooling_*()`) of each channel of a whole picture, (height, width,
#' channels), or series, (steps, channels). It stands between convolutions and the dense layers of
#' a classifier, where it takes far fewer weights than [layer_flatten()].
#'
#' Where a mask arrives (see [layer_embedding()]) `layer_global_average_pooling_1d()` takes the mean of
#' the steps that count, and gives 0 for a sample in which none does; the others do not heed masks.
#'
#' @inheritParams layer_max_pooling_2d
#' @param keepdims `TRUE` leaves the dimensions that were pooled, with length 1: (1, 1, channels) in
#'   place of (channels).
#' @return The model with the layer added, or the layer when `object` is left out. The layer has no
#'   weights.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (height,
#' width, channels) or (steps, channels).
#' @family pooling layers
#' @examples
#' x <- array(1:24, c(1, 3, 4, 2)) # one picture, 3 x 4, of two channels
#' model <- keras_model_sequential(input_shape = c(3, 4, 2)) |> layer_global_average_pooling_2d()
#' predict(model, x) # 6.5 18.5
#' @export
layer_global_max_pooling_2d <- function(object, data_format = NULL, keepdims = FALSE, ...) {
  config <- global_pooling_config(data_format, keepdims)
  create_layer(object, "global_max_pooling_2d", config, ..., class = "GlobalMaxPooling2D")
}

#' @rdname layer_global_max_pooling_2d
#' @export
layer_global_max_pooling_1d <- function(object, data_format = NULL, keepdims = FALSE, ...) {
  config <- global_pooling_config(data_format, keepdims)
  create_layer(object, "global_max_pooling_1d", config, ..., class = "GlobalMaxPooling1D")
}

#' @rdname layer_global_max_pooling_2d
#' @export
layer_global_average_pooling_2d <- function(object, data_format = NULL, keepdims = FALSE, ...) {
  config <- global_pooling_config(data_format, keepdims)
  create_layer(object, "global_average_pooling_2d", config, ..., class = "GlobalAveragePooling2D")
}

#' @rdname layer_global_max_pooling_2d
#' @export
layer_global_average_pooling_1d <- function(object, data_format = NULL, keepdims = FALSE, ...) {
  config <- global_pooling_config(data_format, keepdims)
  create_layer(object, "global_average_pooling_1d", config, ..., class = "GlobalAveragePooling1D")
}

global_pooling_config <- function(data_format, keepdims, call = rlang::caller_env()) {
  check_data_format(data_format, call = call)
  list(keepdims = check_flag(keepdims, call = call))
}
