# Layers on pictures: random changes in training, and changes of size.

#' Random changes of pictures in training
#'
#' @description
#' In training each picture is changed at random, each time anew, so that the network sees a larger
#' variety than there are pictures; in `predict()` and `evaluate()` these layers do nothing. Put
#' them first in the model.
#'
#' * `layer_random_flip()` mirrors left to right with probability 1/2, and top to bottom with
#'   probability 1/2, one independently of the other.
#' * `layer_random_rotation()` turns about the centre by `factor * 360` degrees, counter-clockwise
#'   where that is positive.
#' * `layer_random_translation()` shifts down by `height_factor` times the height and right by
#'   `width_factor` times the width.
#' * `layer_random_zoom()` shrinks about the centre: an output pixel at distance `d` from it shows
#'   the input at `(1 + factor) * d`. Negative factors magnify. Without `width_factor` height and
#'   width are zoomed alike.
#' * `layer_random_contrast()` computes `(x - mean) * f + mean` with the mean of the channel in the
#'   picture and `f` from `1 - factor` to `1 + factor`, and cuts off at the ends of `value_range`.
#' * `layer_random_brightness()` adds `factor` times the width of `value_range`, and cuts off.
#'
#' @details
#' Each amount is drawn uniformly for each picture. Where a turned, shifted or zoomed picture shows
#' what lies beyond its border, `fill_mode` says what that is, for a row `abcd` of pixels:
#' `"reflect"` `dcba|abcd|dcba`, `"wrap"` `abcd|abcd|abcd`, `"nearest"` `aaaa|abcd|dddd`,
#' `"constant"` `kkkk|abcd|kkkk` with `k` the `fill_value`.
#'
#' What is drawn depends on R's random numbers (`set.seed()`), on the step and on the picture's
#' place in its batch, not on the number of threads.
#'
#' Two differences from Keras 3, which here does not do as it documents: `"horizontal_and_vertical"`
#' decides on the two flips separately, and one number as the `factor` of the contrast works both
#' ways.
#'
#' @inheritParams layer_dense
#' @param mode `"horizontal"` (left to right), `"vertical"`, or `"horizontal_and_vertical"`.
#' @param factor How much: a number `f` for `-f` to `f`, or two numbers, the least and the most.
#'   Rotation: fractions of a full turn, -1 to 1. Brightness: fractions of `value_range`, -1 to 1.
#'   Contrast: a number from 0 to 1, or two for `1 - factor[1]` to `1 + factor[2]`.
#' @param height_factor,width_factor How much, as fractions from -1 to 1: a number `f` for `-f` to
#'   `f`, or two numbers, the least and the most.
#' @param fill_mode What lies beyond the border: `"reflect"`, `"wrap"`, `"constant"`, `"nearest"`.
#' @param interpolation Between pixels: `"bilinear"` or `"nearest"`.
#' @param fill_value The number for `fill_mode = "constant"`.
#' @param value_range The least and the largest number of a picture: `c(0, 255)`, or `c(0, 1)`
#'   behind a layer that rescales.
#' @param seed A seed for this layer alone; `NULL`: the model's.
#' @param data_format `"channels_last"`, the only one.
#' @return The model with the layer added, or the layer when `object` is left out. Input and output
#'   are pictures: samples x height x width x channels.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the input is no picture.
#' @family image layers
#' @examples
#' keras_model_sequential(input_shape = c(28, 28, 1)) |>
#'   layer_random_flip("horizontal") |>
#'   layer_random_rotation(0.05) |>
#'   layer_random_translation(0.1, 0.1) |>
#'   layer_random_zoom(0.1) |>
#'   layer_flatten() |>
#'   layer_dense(10, activation = "softmax")
#'
#' # one picture, nine times
#' set.seed(1)
#' triangle <- sim_shapes(1, classes = c("triangle", "cross"))$x
#' model <- keras_model_sequential(input_shape = dim(triangle)[-1]) |>
#'   layer_random_rotation(0.2, fill_mode = "nearest")
#' many <- triangle[rep(1, 9), , , , drop = FALSE]
#' turned <- layer_outputs(model, many, training = TRUE)
#' plot_images(turned)
#' @export
layer_random_flip <- function(object, mode = "horizontal_and_vertical", seed = NULL,
                              data_format = NULL, ...) {
  check_data_format(data_format)
  modes <- c("horizontal", "vertical", "horizontal_and_vertical")
  config <- list(mode = check_choice(mode, modes), seed = check_seed(seed))
  create_layer(object, "random_flip", config, ..., class = "RandomFlip")
}

#' @rdname layer_random_flip
#' @export
layer_random_rotation <- function(object, factor, fill_mode = "reflect", interpolation = "bilinear",
                                  seed = NULL, fill_value = 0, data_format = NULL, ...) {
  check_data_format(data_format)
  config <- c(
    list(factor = check_factor(factor)),
    warp_config(fill_mode, interpolation, fill_value, seed)
  )
  create_layer(object, "random_rotation", config, ..., class = "RandomRotation")
}

#' @rdname layer_random_flip
#' @export
layer_random_translation <- function(object, height_factor, width_factor, fill_mode = "reflect",
                                     interpolation = "bilinear", seed = NULL, fill_value = 0,
                                     data_format = NULL, ...) {
  check_data_format(data_format)
  config <- c(
    list(height_factor = check_factor(height_factor), width_factor = check_factor(width_factor)),
    warp_config(fill_mode, interpolation, fill_value, seed)
  )
  create_layer(object, "random_translation", config, ..., class = "RandomTranslation")
}

#' @rdname layer_random_flip
#' @export
layer_random_zoom <- function(object, height_factor, width_factor = NULL, fill_mode = "reflect",
                              interpolation = "bilinear", seed = NULL, fill_value = 0,
                              data_format = NULL, ...) {
  check_data_format(data_format)
  config <- c(
    list(height_factor = check_factor(height_factor)),
    if (!is.null(width_factor)) list(width_factor = check_factor(width_factor)),
    warp_config(fill_mode, interpolation, fill_value, seed)
  )
  create_layer(object, "random_zoom", config, ..., class = "RandomZoom")
}

#' @rdname layer_random_flip
#' @export
layer_random_contrast <- function(object, factor, value_range = c(0, 255), seed = NULL, ...) {
  around <- check_pair(factor, "a number from 0 to 1, or two of them", 0, 1, single = TRUE)
  config <- list(factor = rep_len(around, 2L), value_range = check_value_range(value_range),
                 seed = check_seed(seed))
  create_layer(object, "random_contrast", config, ..., class = "RandomContrast")
}

#' @rdname layer_random_flip
#' @export
layer_random_brightness <- function(object, factor, value_range = c(0, 255), seed = NULL, ...) {
  config <- list(factor = check_factor(factor), value_range = check_value_range(value_range),
                 seed = check_seed(seed))
  create_layer(object, "random_brightness", config, ..., class = "RandomBrightness")
}

warp_config <- function(fill_mode, interpolation, fill_value, seed, call = rlang::caller_env()) {
  fill_modes <- c("reflect", "wrap", "constant", "nearest")
  list(
    fill_mode = check_choice(fill_mode, fill_modes, call = call),
    interpolation = check_choice(interpolation, c("bilinear", "nearest"), call = call),
    fill_value = check_number(fill_value, call = call),
    seed = check_seed(seed, call = call)
  )
}

# One or two numbers as c() or list() give them; one only where `single`.
check_pair <- function(x, what, min = -Inf, max = Inf, single = FALSE, arg = arg_name(substitute(x)),
                       call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  pair <- if (is.list(x) && all(lengths(x) == 1L)) unlist(x) else x
  ok <- is.numeric(pair) && length(pair) %in% c(if (single) 1L, 2L) && all(is.finite(pair)) &&
    all(pair >= min & pair <= max)
  if (!ok) {
    shown <- if (is.numeric(pair) && length(pair) == 2L) paste(format(pair), collapse = " and ") else describe(x)
    abort_argument(arg, what, shown, call = call)
  }
  as.double(pair)
}

# The least and the most of a random amount.
check_factor <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  factor <- check_pair(x, "a number from -1 to 1, or two of them", -1, 1, single = TRUE, arg = arg, call = call)
  if (length(factor) == 1L) c(-abs(factor), abs(factor)) else sort(factor)
}

check_value_range <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  range <- sort(check_pair(x, "two numbers, the least and the largest", arg = arg, call = call))
  if (range[1L] == range[2L]) {
    abort_argument(arg, "two different numbers", format(range[1L]), call = call)
  }
  range
}

# ---- size ----------------------------------------------------------------------------------------

# Named as the core's lam_resample_kinds.
resample_kinds <- c("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5", "area")

#' Change the size of pictures
#'
#' @description
#' `layer_resizing()` makes pictures of another height and width, in training and in use alike.
#' `layer_center_crop()` cuts out the middle; where the picture is smaller than that, it cuts out
#' the largest part of the wanted aspect ratio and resizes it.
#'
#' @details
#' Rows and columns are resampled one after the other. Of an axis of `n` pixels that becomes `m`, the
#' centre of output pixel `i` (from 0) lies at `(i + 1/2) * n / m - 1/2` in the input, and the output
#' is the mean of the input weighted by a kernel of the distance `d` from there: `1 - |d|` for
#' `"bilinear"`, Keys' cubic with a = -1/2 for `"bicubic"`, `sinc(d) * sinc(d / 3)` for `"lanczos3"`
#' and the same with 5 for `"lanczos5"`. `"nearest"` takes the pixel at `floor((i + 1/2) * n / m)`,
#' `"area"` the mean over what an output pixel covers. At the border the weights that fall on the
#' picture are scaled to sum to 1.
#'
#' Shrinking a picture without `antialias` skips pixels: that is what Keras does.
#'
#' @inheritParams layer_random_flip
#' @param height,width Size of the output in pixels.
#' @param interpolation `"bilinear"`, `"nearest"`, `"bicubic"`, `"lanczos3"`, `"lanczos5"` or
#'   `"area"`.
#' @param crop_to_aspect_ratio `TRUE`: do not distort, but resize the largest part in the middle that
#'   has the output's aspect ratio.
#' @param pad_to_aspect_ratio `TRUE`: do not distort, but pad with `fill_value` first.
#' @param fill_mode `"constant"`, the only one.
#' @param fill_value The number to pad with.
#' @param antialias `TRUE`: when the picture shrinks, the kernel is as much wider.
#' @return The model with the layer added, or the layer when `object` is left out. Output: samples x
#'   `height` x `width` x channels.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the input is no picture.
#' @family image layers
#' @examples
#' picture <- array(1:16, c(1, 4, 4, 1))
#' half <- keras_model_sequential(input_shape = c(4, 4, 1)) |>
#'   layer_resizing(2, 2, antialias = TRUE)
#' predict(half, picture)[1, , , 1]
#' middle <- keras_model_sequential(input_shape = c(4, 4, 1)) |>
#'   layer_center_crop(2, 2)
#' predict(middle, picture)[1, , , 1]
#' @export
layer_resizing <- function(object, height, width, interpolation = "bilinear",
                           crop_to_aspect_ratio = FALSE, pad_to_aspect_ratio = FALSE,
                           fill_mode = "constant", fill_value = 0, antialias = FALSE,
                           data_format = NULL, ...) {
  check_data_format(data_format)
  check_unsupported(fill_mode, "constant")
  config <- list(
    height = check_count(height, max = 1e6),
    width = check_count(width, max = 1e6),
    interpolation = check_choice(interpolation, resample_kinds),
    crop_to_aspect_ratio = check_flag(crop_to_aspect_ratio),
    pad_to_aspect_ratio = check_flag(pad_to_aspect_ratio),
    fill_value = check_number(fill_value),
    antialias = check_flag(antialias)
  )
  create_layer(object, "resizing", config, ..., class = "Resizing")
}

#' @rdname layer_resizing
#' @export
layer_center_crop <- function(object, height, width, data_format = NULL, ...) {
  check_data_format(data_format)
  config <- list(height = check_count(height, max = 1e6), width = check_count(width, max = 1e6))
  create_layer(object, "center_crop", config, ..., class = "CenterCrop")
}
