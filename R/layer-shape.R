#' Layers that rearrange a sample
#'
#' * `layer_flatten()`: all numbers of a sample in one row, the last dimension running fastest;
#' * `layer_reshape()`: the same numbers in another shape;
#' * `layer_permute()`: the dimensions in another order, as [aperm()];
#' * `layer_repeat_vector()`: a vector `n` times, (samples, features) to (samples, n, features).
#'
#' Numbers are counted row by row, as in Keras: the last dimension runs fastest, and
#' [array_reshape()] does the same to an array.
#'
#' @inheritParams layer_dense
#' @param data_format `NULL` or `"channels_last"`.
#' @param target_shape The new shape of a sample, without the samples. One entry may be -1 (or `NA`):
#'   whatever is left over.
#' @param dims The order, counted from 1 without the samples: `c(2, 1)` transposes.
#' @param n How often, at least 1.
#' @return The model with the layer added, or the layer when `object` is left out.
#' @section Errors:
#' `lamina_error_shape` when the input does not have the numbers or dimensions that are asked for.
#' @family layers that rearrange
#' @examples
#' keras_model_sequential(input_shape = c(4, 6)) |>
#'   layer_permute(dims = c(2, 1)) |>
#'   layer_reshape(target_shape = c(3, -1)) |>
#'   layer_flatten() |>
#'   layer_repeat_vector(n = 2)
#' @name layer_flatten
#' @export
layer_flatten <- function(object, data_format = NULL, ...) {
  check_data_format(data_format)
  create_layer(object, "flatten", list(), ..., class = "Flatten")
}

#' @rdname layer_flatten
#' @export
layer_reshape <- function(object, target_shape, ...) {
  what <- "whole numbers of at least 1, one of which may be -1"
  target <- check_whole_numbers(target_shape, what, allow_na = TRUE)
  target[is.na(target)] <- -1
  if (sum(target == -1) > 1 || any(target < 1 & target != -1)) {
    abort_argument("target_shape", what, paste(target, collapse = ", "))
  }
  create_layer(object, "reshape", list(target_shape = target), ..., class = "Reshape")
}

#' @rdname layer_flatten
#' @export
layer_permute <- function(object, dims, ...) {
  what <- "the numbers 1, 2, ... up to the rank of a sample, each once"
  dims <- check_whole_numbers(dims, what)
  if (!identical(sort(dims), as.double(seq_along(dims)))) {
    abort_argument("dims", what, paste(dims, collapse = ", "))
  }
  create_layer(object, "permute", list(dims = dims), ..., class = "Permute")
}

#' @rdname layer_flatten
#' @export
layer_repeat_vector <- function(object, n, ...) {
  create_layer(object, "repeat_vector", list(n = check_count(n)), ..., class = "RepeatVector")
}
