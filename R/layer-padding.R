#' Zeros around pictures and series
#'
#' `layer_zero_padding_2d()` puts rows and columns of zeros around pictures, (height, width,
#' channels); `layer_zero_padding_1d()` puts steps of zeros before and after series, (steps,
#' channels). A convolution behind it then sees the border as often as the middle.
#'
#' @inheritParams layer_dense
#' @param padding How many zeros, at least 0. For pictures: one number for all sides; two, the first
#'   for top and bottom, the second for left and right; or a list of two pairs, `list(c(top,
#'   bottom), c(left, right))`. For series: one number, or two, before and after.
#' @param data_format `NULL` or `"channels_last"`.
#' @return The model with the layer added, or the layer when `object` is left out. The layer has no
#'   weights.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (height,
#' width, channels) or (steps, channels).
#' @family layers that rearrange
#' @examples
#' x <- array(1:4, c(1, 2, 2, 1)) # one picture of one channel
#' model <- keras_model_sequential(input_shape = c(2, 2, 1)) |>
#'   layer_zero_padding_2d(padding = list(c(0, 1), c(2, 1)))
#' predict(model, x)[1, , , 1]
#' @export
layer_zero_padding_2d <- function(object, padding = list(1L, 1L), data_format = NULL, ...) {
  check_data_format(data_format)
  config <- list(padding = check_borders(padding))
  create_layer(object, "zero_padding_2d", config, ..., class = "ZeroPadding2D")
}

#' @rdname layer_zero_padding_2d
#' @export
layer_zero_padding_1d <- function(object, padding = 1L, data_format = NULL, ...) {
  check_data_format(data_format)
  config <- list(padding = check_ends(padding))
  create_layer(object, "zero_padding_1d", config, ..., class = "ZeroPadding1D")
}

#' Cut off the borders of pictures and series
#'
#' `layer_cropping_2d()` cuts rows and columns off pictures, (height, width, channels);
#' `layer_cropping_1d()` cuts steps off the ends of series, (steps, channels).
#'
#' @inheritParams layer_zero_padding_2d
#' @param cropping How much to cut off, at least 0. For pictures: one number for all sides; two, the
#'   first for top and bottom, the second for left and right; or a list of two pairs, `list(c(top,
#'   bottom), c(left, right))`. For series: one number, or two, before and after.
#' @return The model with the layer added, or the layer when `object` is left out. The layer has no
#'   weights.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when nothing would be left and
#' for samples that are not (height, width, channels) or (steps, channels).
#' @family layers that rearrange
#' @examples
#' x <- array(1:16, c(1, 4, 4, 1)) # one picture of one channel
#' model <- keras_model_sequential(input_shape = c(4, 4, 1)) |> layer_cropping_2d(cropping = 1)
#' predict(model, x)[1, , , 1]
#' @export
layer_cropping_2d <- function(object, cropping = list(list(0L, 0L), list(0L, 0L)),
                              data_format = NULL, ...) {
  check_data_format(data_format)
  config <- list(cropping = check_borders(cropping))
  create_layer(object, "cropping_2d", config, ..., class = "Cropping2D")
}

#' @rdname layer_cropping_2d
#' @export
layer_cropping_1d <- function(object, cropping = list(1L, 1L), data_format = NULL, ...) {
  check_data_format(data_format)
  config <- list(cropping = check_ends(cropping))
  create_layer(object, "cropping_1d", config, ..., class = "Cropping1D")
}

# Numbers for a picture's sides as the core takes them: top, bottom, left, right.
check_borders <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  what <- "one or two whole numbers of at least 0, or two pairs of them"
  pairs <- is.list(x) && length(x) == 2L && any(lengths(x) == 2L)
  numbers <- if (pairs) lapply(x, function(side) unlist(side, use.names = FALSE)) else x
  numbers <- if (pairs && all(lengths(numbers) %in% 1:2)) {
    unlist(lapply(numbers, rep_len, 2L), use.names = FALSE)
  } else {
    numbers
  }
  numbers <- check_whole_numbers(numbers, what, arg = arg, call = call)
  if (!length(numbers) %in% (if (pairs) 4L else 1:2) || any(numbers < 0)) {
    abort_argument(arg, what, paste(numbers, collapse = ", "), call = call)
  }
  if (pairs) numbers else rep(rep_len(numbers, 2L), each = 2L)
}

# Numbers for a series' ends: before, after.
check_ends <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  what <- "one or two whole numbers of at least 0"
  numbers <- check_whole_numbers(x, what, arg = arg, call = call)
  if (length(numbers) > 2L || any(numbers < 0)) {
    abort_argument(arg, what, paste(numbers, collapse = ", "), call = call)
  }
  rep_len(numbers, 2L)
}

#' Make pictures and series larger
#'
#' `layer_upsampling_2d()` makes pictures, (height, width, channels), larger by whole factors;
#' `layer_upsampling_1d()` repeats each step of a series, (steps, channels). It is half of the way
#' back from pooling: a decoder is often upsampling and convolution in turn.
#'
#' With `interpolation = "nearest"` every pixel is repeated. The others put a smooth surface through
#' the pixels: `"bilinear"` straight lines between neighbours, where output pixel `i` of `n * size`,
#' counted from 0, lies at `(i + 1/2) / size - 1/2` of the input, and beyond the outermost pixels
#' their values go on; `"bicubic"`, `"lanczos3"` and `"lanczos5"` use wider curves.
#'
#' @inheritParams layer_zero_padding_2d
#' @param size The factor, for pictures one number or two, for height and width.
#' @param interpolation `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or `"lanczos5"`.
#' @return The model with the layer added, or the layer when `object` is left out. The layer has no
#'   weights.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` for samples that are not (height,
#' width, channels) or (steps, channels).
#' @family layers that rearrange
#' @examples
#' x <- array(c(0, 1), c(1, 2, 1)) # one series of two steps
#' repeated <- keras_model_sequential(input_shape = c(2, 1)) |> layer_upsampling_1d(size = 2)
#' predict(repeated, x)[1, , 1] # 0 0 1 1
#'
#' picture <- array(c(0, 1), c(1, 1, 2, 1)) # the same as a picture of height 1
#' smooth <- keras_model_sequential(input_shape = c(1, 2, 1)) |>
#'   layer_upsampling_2d(size = c(1, 2), interpolation = "bilinear")
#' predict(smooth, picture)[1, , , 1] # 0 0.25 0.75 1
#' @export
layer_upsampling_2d <- function(object, size = list(2L, 2L), data_format = NULL,
                                interpolation = "nearest", ...) {
  check_data_format(data_format)
  kinds <- c("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
  config <- list(size = check_window(size, 2), interpolation = check_choice(interpolation, kinds))
  create_layer(object, "upsampling_2d", config, ..., class = "UpSampling2D")
}

#' @rdname layer_upsampling_2d
#' @export
layer_upsampling_1d <- function(object, size = 2L, ...) {
  create_layer(object, "upsampling_1d", list(size = check_window(size, 1)), ..., class = "UpSampling1D")
}
