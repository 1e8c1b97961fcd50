#' Rescaling layer
#'
#' Computes `x * scale + offset`, in training and in use: `scale = 1 / 255` brings pictures to 0-1,
#' `scale = 1 / 127.5, offset = -1` to -1 to 1.
#'
#' @inheritParams layer_dense
#' @param scale,offset A number, or one for each channel (the last dimension).
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input.
#' @family preprocessing layers
#' @examples
#' keras_model_sequential(input_shape = c(28, 28, 1)) |>
#'   layer_rescaling(scale = 1 / 255) |>
#'   layer_flatten()
#' @export
layer_rescaling <- function(object, scale, offset = 0, ...) {
  config <- list(scale = check_values(scale), offset = check_values(offset))
  create_layer(object, "rescaling", config, ..., class = "Rescaling")
}

# Finite numbers as a plain vector or array.
check_values <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (is.list(x) && all(lengths(x) == 1L)) {
    x <- unlist(x)
  }
  if (!is.numeric(x) || length(x) == 0L || !all(is.finite(x))) {
    abort_argument(arg, "finite numbers", describe(x), call = call)
  }
  storage.mode(x) <- "double"
  x
}

# A dimension counted from 1 with the samples as the first, or from the end; never the samples.
check_axis <- function(axis, several = FALSE, arg = arg_name(substitute(axis)),
                       call = rlang::caller_env()) {
  what <- "counted from 2, as the samples are 1, or from the end with -1"
  what <- paste(if (several) "dimensions" else "a dimension", what)
  at <- check_whole_numbers(axis, what, arg = arg, call = call)
  if ((!several && length(at) != 1L) || any(at %in% c(0, 1)) || anyDuplicated(at)) {
    abort_argument(arg, what, paste(at, collapse = ", "), call = call)
  }
  at
}

#' Normalization by the moments of a data set
#'
#' Standardizes the inputs within the model, as [scale()] does before it: networks learn best from numbers of about
#' mean 0 and variance 1. Computes `(x - mean) / max(sqrt(variance), 1e-7)`, in training and in use alike, with the
#' mean and variance of the training data. [adapt()] finds them, or they are given. So new data are scaled as
#' the training data were, without another thought.
#'
#' @inheritParams layer_dense
#' @param axis The dimensions that have a mean and a variance for each of their positions, counted
#'   from 1 with the samples as the first, or from the end: -1, the last, gives one for each
#'   feature. `NULL`: one for everything.
#' @param mean,variance The moments, if known: one number, or an array of the shape of the kept
#'   dimensions. Both or neither.
#' @param invert `TRUE` goes back: `mean + x * max(sqrt(variance), 1e-7)`.
#' @seealso [layer_batch_normalization()], which follows the data of each batch instead.
#' @return The model with the layer added, or the layer when `object` is left out. The shape of the
#'   output is that of the input. The moments are weights that training does not change.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_shape` when the moments do not have the
#' shape of the kept dimensions.
#' @family preprocessing layers
#' @examples
#' x <- as.matrix(iris[, 1:4])
#' normalization <- layer_normalization(input_shape = 4)
#' adapt(normalization, x)
#' model <- keras_model_sequential(layers = list(normalization, layer_dense(units = 3)))
#' model
#'
#' y <- layer_outputs(model, x, 1) # what the first layer gives
#' rbind(mean = round(colMeans(y), 3), sd = round(apply(y, 2, sd), 3))
#' @export
layer_normalization <- function(object, axis = -1L, mean = NULL, variance = NULL, invert = FALSE,
                                ...) {
  if (is.null(mean) != is.null(variance)) {
    abort_argument(if (is.null(mean)) "mean" else "variance", "given when the other moment is", "NULL")
  }
  if (!is.null(axis)) {
    axis <- check_axis(axis, several = TRUE)
  }
  config <- list(axis = axis, invert = check_flag(invert))
  if (!is.null(mean)) {
    mean <- check_values(mean)
    variance <- check_values(variance)
    if (any(variance < 0)) {
      abort_argument("variance", "numbers of at least 0", format(min(variance)))
    }
    config <- c(config, list(mean = mean, variance = variance))
  }
  create_layer(object, "normalization", config, ..., class = "Normalization")
}

#' Let a layer learn from data before training
#'
#' Finds what a preprocessing layer needs to know, which [fit()][fit.lamina_model] does not learn. Use the training
#' data alone: what is learned from test data makes the test too easy. For [layer_normalization()] it is the mean and
#' the variance (the mean of the squared deviations) of each feature, in double precision; for
#' [layer_text_vectorization()] the vocabulary of the texts, by falling frequency (ties by falling
#' order of their UTF-8 bytes, as Keras) up to `max_tokens`, and for `"tf_idf"` its weights. What an
#' earlier `adapt()` found is replaced. The layer is changed in place, also when it is part of a model.
#'
#' @param object A layer of [layer_normalization()] or [layer_text_vectorization()].
#' @param data Numbers with the samples first: a matrix, an array, a data frame, or a vector of
#'   samples of one number. For a text layer a character vector, or a dataset or (with `steps`)
#'   function that gives batches of texts.
#' @param ... Not used.
#' @param batch_size Samples per step, 32 when `NULL`; it matters only together with `steps`.
#' @param steps How many batches of `data` to look at; `NULL`: all.
#' @return The layer, invisibly.
#' @section Errors:
#' `lamina_error_argument` for a layer that learns nothing this way, `lamina_error_data` for missing
#' or infinite numbers and for texts that are missing or not UTF-8, `lamina_error_shape` when `data` lack
#' the layer's dimensions, `lamina_error_state` for a text layer that was made with a vocabulary or whose
#' model is built for another size.
#' @family preprocessing layers
#' @examples
#' layer <- layer_normalization(input_shape = 2)
#' adapt(layer, cbind(c(1, 2, 3), c(10, 20, 30)))
#' model <- keras_model_sequential(layers = list(layer))
#' get_weights(model) # means 2 and 20, variances 2/3 and 200/3
#'
#' vectorize <- layer_text_vectorization()
#' adapt(vectorize, c("to be or not to be", "that is the question"))
#' get_vocabulary(vectorize)
#' vectorize("to be the question")
#' @export
adapt <- function(object, data, ..., batch_size = NULL, steps = NULL) {
  UseMethod("adapt")
}

#' @export
adapt.default <- function(object, data, ..., batch_size = NULL, steps = NULL) {
  abort_argument("object", "a layer of layer_normalization() or layer_text_vectorization()", describe(object))
}

#' @export
adapt.lamina_layer_normalization <- function(object, data, ..., batch_size = NULL, steps = NULL) {
  check_no_dots(list(...))
  batch_size <- check_count(batch_size, allow_null = TRUE)
  steps <- check_count(steps, allow_null = TRUE)
  self <- layer_self(object)
  data <- numeric_samples(data)
  if (!is.null(steps)) {
    seen <- seq_len(min(dim(data)[1L], steps * if (is.null(batch_size)) 32 else batch_size))
    rank <- length(dim(data))
    data <- do.call(`[`, c(list(data, seen), rep(list(TRUE), rank - 1L), drop = FALSE))
  }
  moments <- moments_along(data, self$config$axis)
  if (!is.null(layer_built(self))) {
    set_layer_weights(self, unname(moments))
  }
  for (name in names(moments)) {
    self$config[[name]] <- moments[[name]]
  }
  invisible(object)
}

# Data as a double array with the samples first.
numeric_samples <- function(data, call = rlang::caller_env()) {
  if (is.data.frame(data)) {
    ok <- vapply(data, function(column) is.numeric(column) || is.logical(column), NA)
    if (!all(ok)) {
      abort_argument("data", "numbers", sprintf("a data frame with column `%s`", names(data)[!ok][1L]),
                     kind = "data", call = call)
    }
    data <- as.matrix(data)
  }
  if (!(is.numeric(data) || is.logical(data)) || length(data) == 0L) {
    abort_argument("data", "a numeric matrix, array or data frame", describe(data), call = call)
  }
  if (!all(is.finite(data))) {
    abort_argument("data", "finite numbers", sprintf("%d that are missing or infinite", sum(!is.finite(data))),
                   kind = "data", call = call)
  }
  if (length(dim(data)) < 2L) {
    data <- matrix(data, ncol = 1L)
  }
  storage.mode(data) <- "double"
  data
}

# list(mean, variance) for each position along the dimensions `axis`, over all others.
moments_along <- function(data, axis, call = rlang::caller_env()) {
  rank <- length(dim(data))
  kept <- sort(ifelse(axis < 0, rank + 1 + axis, axis))
  if (any(kept < 2 | kept > rank)) {
    abort_argument("data", sprintf("an array that has dimension %s", toString(axis)), describe(data),
                   kind = "shape", call = call)
  }
  others <- setdiff(seq_len(rank), kept)
  columns <- matrix(aperm(data, c(others, kept)), nrow = prod(dim(data)[others]))
  mean <- colMeans(columns)
  variance <- colMeans((columns - rep(mean, each = nrow(columns)))^2)
  shape <- if (length(kept)) dim(data)[kept] else 1L
  list(mean = array(mean, dim = shape), variance = array(variance, dim = shape))
}
