#' Classes as indicator columns
#'
#' Makes of each class a row that is 1 in the column of the class and 0 elsewhere ("one-hot"): the indicators of
#' [model.matrix()] with a column for every level. [loss_categorical_crossentropy()] takes such targets.
#' [fit()][fit.lamina_model] makes them of a factor by itself, and `"sparse_categorical_crossentropy"` takes classes
#' as they are, so that they are seldom needed.
#'
#' @param x A factor, or whole numbers: classes counted from 0, as in Keras. Classes 1 to 3 give a first column of
#'   zeros for class 0; give `x - 1`, or a factor. Texts must be made a factor.
#' @param num_classes Number of classes, that is of columns; `NULL`: the number of levels, or the largest class
#'   plus 1.
#' @return A matrix of 0 and 1 with a row a sample and a column a class, named by the levels of a factor.
#' @section Errors:
#' `lamina_error_data` for what is no factor and no whole numbers of at least 0, for missing values, and for
#' classes of `num_classes` and above.
#' @seealso [op_argmax()], the way back.
#' @family data
#' @examples
#' to_categorical(factor(c("no", "yes", "no")))
#' to_categorical(c(0, 2, 1), num_classes = 4)
#' @export
to_categorical <- function(x, num_classes = NULL) {
  num_classes <- check_count(num_classes, allow_null = TRUE)
  names <- NULL
  if (is.factor(x)) {
    names <- levels(x)
    if (is.null(num_classes)) num_classes <- length(names)
    if (num_classes != length(names)) names <- NULL
    x <- as.integer(x) - 1L
  }
  if (!is.numeric(x) && !is.logical(x)) {
    abort_argument("x", "a factor or numbers", describe(x), kind = "data")
  }
  x <- as.vector(x)
  if (anyNA(x) || any(x < 0) || any(x != floor(x))) {
    abort_argument("x", "whole numbers of at least 0", "others", kind = "data")
  }
  if (is.null(num_classes)) num_classes <- max(x, -1) + 1
  if (any(x >= num_classes)) {
    abort_argument("x", sprintf("classes below `num_classes`, %d", num_classes), format(max(x)), kind = "data")
  }
  out <- matrix(0, length(x), num_classes, dimnames = if (!is.null(names)) list(NULL, names))
  out[cbind(seq_along(x), x + 1)] <- 1
  out
}

#' Scale vectors to length 1
#'
#' Divides each row of a matrix by its length, the root of the sum of squares; a row of zeros stays. It does not
#' standardize columns: that is what [scale()] does, or [layer_normalization()] in a model.
#'
#' @param x A numeric vector, matrix or array. A vector is divided as a whole.
#' @param axis Dimension along which the length is taken, from 1; `-1`, the last one: of a matrix 2 scales rows, 1
#'   columns.
#' @param order Which length: `(sum |x|^order)^(1/order)`, a number of at least 1. 2 is the usual one; with 1 the
#'   absolute values of a row add up to 1.
#' @return An array like `x`.
#' @section Errors:
#' `lamina_error_data` for what is no numbers, `lamina_error_argument` for a bad `axis` or `order`.
#' @family data
#' @examples
#' x <- rbind(c(3, 4), c(0, 10))
#' normalize(x)            # rows of length 1
#' normalize(x, axis = 1)  # columns of length 1
#' normalize(x, order = 1) # rows that add up to 1
#' @export
normalize <- function(x, axis = -1L, order = 2L) {
  if (!is.numeric(x)) {
    abort_argument("x", "numbers", describe(x), kind = "data")
  }
  order <- check_number(order, min = 1)
  dims <- if (is.null(dim(x))) length(x) else dim(x)
  axis <- check_dimension(axis, length(dims))
  if (length(dims) == 1L) {
    norm <- sum(abs(x)^order)^(1 / order)
    return(x / if (norm == 0) 1 else norm)
  }
  others <- seq_along(dims)[-axis]
  norms <- apply(x, others, function(v) sum(abs(v)^order)^(1 / order))
  norms[norms == 0] <- 1
  sweep(x, others, norms, "/")
}

#' Change the shape of an array, row by row
#'
#' R fills arrays column by column, Keras and NumPy row by row. `array_reshape()` does the latter:
#' the last dimension moves fastest.
#'
#' @param x An array or vector.
#' @param dim The new shape; one entry may be -1, to be worked out.
#' @param order `"C"` row by row, `"F"` column by column.
#' @return An array of that shape.
#' @family data
#' @examples
#' array_reshape(1:6, c(2, 3))
#' # pictures of 28 x 28 to rows of 784
#' dim(array_reshape(array(0, c(10, 28, 28)), c(10, 784)))
#' @export
array_reshape <- function(x, dim, order = c("C", "F")) {
  order <- check_choice(order[1L], c("C", "F"))
  dim <- unlist(dim)
  if (!is.numeric(dim) || sum(dim == -1) > 1L || any(dim < -1)) {
    abort_argument("dim", "sizes, at most one of them -1", describe(dim))
  }
  if (any(dim == -1)) {
    dim[dim == -1] <- length(x) / prod(dim[dim != -1])
  }
  if (prod(dim) != length(x) || any(dim != floor(dim))) {
    abort_argument("dim", sprintf("a shape of %d elements", length(x)), sprintf("(%s)", paste(dim, collapse = ", ")), kind = "shape")
  }
  if (order == "F") {
    return(array(x, dim))
  }
  by_row <- if (length(base::dim(x)) > 1L) aperm(x) else x
  out <- array(by_row, rev(dim))
  if (length(dim) > 1L) aperm(out) else out
}

#' Fix the random numbers, clear the session
#'
#' `set_random_seed(seed)` is the same as `set.seed(seed)`: R's generator is the only source of randomness in
#' lamina. Called before a model is built, it fixes its initial weights, the order of the samples in
#' [fit()][fit.lamina_model], dropout and noise, so that the script gives the same numbers every time, on any number
#' of threads. Other numbers than in Keras come out for the same seed.
#'
#' `clear_session()`, in older scripts `k_clear_session()`, stands in scripts between one model and the
#' next. Here it has nothing to do: a model is an R object, and its memory is freed when R no longer needs it.
#'
#' @param seed A whole number.
#' @param disable_gpu,free_memory Accepted for scripts written for Keras; without effect, as lamina uses no GPU and
#'   keeps nothing besides the models.
#' @return `NULL`, invisibly.
#' @section Errors:
#' `lamina_error_argument` for a seed that is no whole number.
#' @family data
#' @examples
#' build <- function() keras_model_sequential(input_shape = 2) |> layer_dense(1)
#' set_random_seed(1)
#' first <- get_weights(build())
#' second <- get_weights(build())
#' set_random_seed(1)
#' again <- get_weights(build())
#' c(again = identical(first, again), without = identical(first, second))
#' @export
set_random_seed <- function(seed, disable_gpu = TRUE) {
  check_flag(disable_gpu)
  set.seed(check_count(seed, min = -.Machine$integer.max, max = .Machine$integer.max))
  invisible()
}

#' @rdname set_random_seed
#' @export
clear_session <- function(free_memory = TRUE) {
  check_flag(free_memory)
  invisible()
}

#' @rdname set_random_seed
#' @export
k_clear_session <- function() invisible()

#' Shapes as Keras scripts write them
#'
#' `shape()` and `tuple()` collect their arguments: `input_shape = shape(28, 28)`.
#'
#' @param ... Sizes.
#' @return A list.
#' @family data
#' @examples
#' keras_model_sequential(input_shape = shape(28, 28)) |> layer_flatten()
#' @export
shape <- function(...) list(...)

#' @rdname shape
#' @export
tuple <- function(...) list(...)

#' What lamina runs on
#'
#' Version, the BLAS that large products may go to, the vector instructions in use and the number of threads.
#' `lamina_threads()` tells, and given a number sets, how many threads compute; so does
#' `options(lamina.threads =)`. Results do not depend on it.
#'
#' @param threads A number of threads; `NULL` leaves it.
#' @return `lamina_info()` a list with a print method; `lamina_threads()` the number of threads, invisibly
#'   where it was set.
#' @family data
#' @examples
#' lamina_info()
#' lamina_threads()
#' @export
lamina_info <- function() {
  info <- .Call(ffi_info)
  structure(
    list(
      version = as.character(utils::packageVersion("lamina")), blas = info$blas, isa = info$tier,
      best_isa = info$best_tier, threads = .Call(ffi_threads), cores = info$cores,
      mpi = .Call(ffi_ranks_version)
    ),
    class = "lamina_info"
  )
}

#' @export
print.lamina_info <- function(x, ...) {
  cat(sprintf("lamina %s\n", x$version))
  cat(sprintf("  BLAS:    %s\n", x$blas))
  cat(sprintf("  vectors: %s%s\n", x$isa, if (x$isa != x$best_isa) sprintf(" (this machine has %s)", x$best_isa) else ""))
  cat(sprintf("  threads: %d of %d\n", x$threads, x$cores))
  if (!is.null(x$mpi)) cat(sprintf("  MPI:     %s\n", sub("[,\n].*", "", x$mpi)))
  invisible(x)
}

#' @rdname lamina_info
#' @export
lamina_threads <- function(threads = NULL) {
  if (is.null(threads)) {
    return(.Call(ffi_threads))
  }
  options(lamina.threads = as.integer(check_count(threads, max = 64)))
  invisible(.Call(ffi_threads))
}
