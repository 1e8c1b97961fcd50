# From what users have to what the core trains on.
#
# as_inputs() gives an R array, samples first, that fits the model's input shape (or the parts of a
# sparse matrix); as_targets() gives numbers: class codes from factors and logicals.  Nothing of the
# model is changed here.

# ---- inputs --------------------------------------------------------------------------------------

# What a model is given as its network takes it: texts become numbers first.
# dense: not as sparse parts, which some of the core's functions do not take.
model_inputs <- function(model, x, arg = "x", dense = FALSE, call = rlang::caller_env()) {
  shape <- .subset2(model, "shape")
  front <- .subset2(model, "front")
  if (!is.null(front)) {
    x <- front_input(layer_self(front), x, shape, arg, call)
    if (dense && is_sparse(x)) x <- dense_matrix(x)
  }
  x <- as_inputs(x, shape, arg, call)
  if (!is.null(model$tokens)) check_tokens(x, model$tokens, arg, call)
  x
}

# shape: of one sample, or NULL when the data are to decide it.
as_inputs <- function(x, shape = NULL, arg = "x", call = rlang::caller_env()) {
  x <- input_array(x, arg, call)
  if (sample_count(x) == 0L) {
    abort_lamina(sprintf("`%s` has no rows: at least one sample is needed.", arg), "data",
                 arg = arg, expected = "at least one sample", actual = "0 rows", call = call)
  }
  if (is.null(shape)) x else fit_shape(x, shape, arg, call)
}

input_array <- function(x, arg, call) {
  if (is.data.frame(x)) {
    x <- frame_matrix(x, arg, call)
  } else if (inherits(x, "Matrix")) {
    return(sparse_parts(x, arg, call))
  } else if (is_sparse(x)) {
    return(x)
  } else if (is.factor(x)) {
    abort_argument(arg, "numbers", "a factor", hint = c(i = "Use model.matrix(~ f - 1) for indicator columns."), kind = "data", call = call)
  } else if (is.list(x)) {
    abort_argument(arg, "an array, samples first", describe(x),
                   hint = c(i = "Lists of integer vectors become a matrix with pad_sequences()."), kind = "data", call = call)
  }
  if (!is.numeric(x) && !is.logical(x)) {
    hint <- if (is.character(x)) c(i = "A model that begins with layer_text_vectorization() takes texts.")
    abort_argument(arg, "numbers", describe(x), hint = hint, kind = "data", call = call)
  }
  if (is.null(dim(x))) {
    return(if (is.double(x)) as.vector(x) else as.double(x))
  }
  if (length(dim(x)) > 5L) {
    abort_argument(arg, "an array of at most 5 dimensions", describe(x), kind = "shape", call = call)
  }
  x
}

frame_matrix <- function(x, arg, call) {
  numeric <- vapply(x, function(column) is.numeric(column) || is.logical(column), NA)
  if (!all(numeric)) {
    bad <- names(x)[!numeric]
    kinds <- vapply(x[bad], function(column) class(column)[1L], "")
    abort_lamina(
      c(sprintf("`%s` must have numbers in all columns, but %s.", arg,
                paste(sprintf("column `%s` is of class %s", bad, kinds), collapse = ", ")),
        i = "Make indicator columns with model.matrix(~ . - 1, data)."),
      "data", arg = arg, expected = "numbers", actual = unname(kinds), columns = bad, call = call
    )
  }
  out <- as.matrix(x)
  storage.mode(out) <- "double"
  out
}

# The columns of a sparse matrix, as the core reads them.
sparse_parts <- function(x, arg, call) {
  rlang::check_installed("Matrix", "for sparse inputs", call = call)
  x <- methods::as(methods::as(x, "generalMatrix"), "CsparseMatrix")
  values <- if (methods::is(x, "nMatrix")) NULL else as.double(x@x)
  structure(list(p = x@p, i = x@i, x = values, dim = dim(x)), class = "lamina_sparse")
}

# The column of each entry of sparse parts.
entry_columns <- function(x) rep.int(seq_len(x$dim[2L]), diff(x$p))

dense_matrix <- function(x) {
  out <- matrix(0, x$dim[1L], x$dim[2L])
  out[cbind(x$i + 1L, entry_columns(x))] <- if (is.null(x$x)) 1 else x$x
  out
}

sparse_matrix <- function(x, call = rlang::caller_env()) {
  rlang::check_installed("Matrix", "for sparse matrices", call = call)
  methods::new(methods::getClass("dgCMatrix", where = asNamespace("Matrix")), i = x$i, p = x$p, x = x$x, Dim = x$dim)
}

is_sparse <- function(x) inherits(x, "lamina_sparse")

sample_count <- function(x) {
  if (is_sparse(x)) x$dim[1L] else if (is.null(dim(x))) length(x) else dim(x)[1L]
}

# The shape of one sample of the data.
sample_shape <- function(x) {
  if (is_sparse(x)) {
    x$dim[2L]
  } else if (is.null(dim(x))) {
    1
  } else if (length(dim(x)) == 1L) {
    1
  } else {
    dim(x)[-1L]
  }
}

# Keras adds or drops a last dimension of 1 when ranks differ by one; so do we.
fit_shape <- function(x, shape, arg, call) {
  found <- sample_shape(x)
  if (identical(as.double(found), as.double(shape))) {
    return(x)
  }
  longer <- function(a, b) identical(as.double(a), as.double(c(b, 1)))
  if ((longer(found, shape) || longer(shape, found)) && !is_sparse(x)) {
    dim(x) <- c(sample_count(x), shape)
    return(x)
  }
  hint <- if (is.null(dim(x)) && length(x) == prod(shape)) {
    c(i = "One sample? Give a matrix of one row: matrix(x, nrow = 1).")
  } else if (prod(found) == prod(shape)) {
    c(i = "array_reshape() changes the shape, row by row.")
  }
  text <- function(s) sprintf("(%s)", paste(s, collapse = ", "))
  message <- if (length(shape) == 1L && length(found) == 1L) {
    sprintf("`%s` must have %g columns, one for each input of the model, not %g.", arg, shape, found)
  } else {
    sprintf("`%s` must have samples of shape %s, as the model's input, not %s.", arg, text(shape), text(found))
  }
  abort_lamina(c(message, hint), "shape", arg = arg, expected = as.double(shape), actual = as.double(found), call = call)
}

# Infinite for the core, which computes in single precision.
LARGEST_FLOAT <- 3.4028234e38

# Raises the error for NA, NaN or infinite inputs: which columns, how many rows.
abort_not_finite <- function(x, arg, call = rlang::caller_env()) {
  if (is_sparse(x)) {
    abort_argument(arg, "finite numbers", "NA, NaN or infinite ones", kind = "data", call = call)
  }
  numbers <- if (is.null(dim(x))) matrix(x, ncol = 1L) else matrix(x, nrow = dim(x)[1L])
  bad <- is.na(numbers) | abs(numbers) > LARGEST_FLOAT
  columns <- which(colSums(bad) > 0)
  names <- if (length(dim(x)) == 2L && !is.null(colnames(x))) colnames(x)[columns] else columns
  shown <- paste(utils::head(names, 5L), collapse = ", ")
  if (length(names) > 5L) {
    shown <- paste0(shown, ", ...")
  }
  rows <- sum(rowSums(bad) > 0)
  abort_lamina(
    c(sprintf("`%s` must have no %s, but %d of %d rows %s, in column%s %s.",
              arg, if (all(is.finite(numbers))) sprintf("numbers beyond %g", LARGEST_FLOAT) else "NA, NaN or infinite numbers",
              rows, nrow(bad), if (rows == 1) "has" else "have", if (length(columns) == 1L) "" else "s", shown),
      i = "Drop these rows with na.omit(), or fill the gaps, before training."),
    "data", arg = arg, expected = "finite numbers", actual = sprintf("%d rows that are not", rows),
    columns = names, rows = rows, call = call
  )
}

# ---- targets -------------------------------------------------------------------------------------

# A decoder says how targets of a model become numbers; made from the training targets and used
# for the validation targets too: list(levels =, shift =).
# guess: fit() may take 1..K for 0..K-1 where that is the only reading.
target_decoder <- function(y, model, guess = FALSE) {
  if (is.data.frame(y) && ncol(y) == 1L) {
    y <- y[[1L]]
  }
  list(
    levels = if (is.factor(y)) levels(y),
    shift = guess && counts_from_one(y, model)
  )
}

counts_from_one <- function(y, model) {
  classes <- class_count(model)
  numeric <- is.numeric(y) && (is.null(dim(y)) || length(dim(y)) == 1L || ncol(y) == 1L)
  if (!numeric || is.na(classes) || length(y) == 0L || anyNA(y)) {
    return(FALSE)
  }
  whole <- all(y == floor(y))
  shifted <- whole && max(y) == classes && min(y) >= 1
  if (shifted) {
    inform_lamina(c(i = sprintf("Classes 1 to %d in `y` are taken as Keras' 0 to %d.", classes, classes - 1)), "lamina_message_labels")
  }
  shifted
}

# How many classes the loss sees in integer labels; NA when it takes no labels, or others besides.
class_count <- function(model) {
  spec <- model$compiled$loss
  units <- utils::tail(model$info[[length(model$info)]]$output_shape, 1L)
  if (is.null(spec)) {
    NA
  } else if (spec$type == "sparse_categorical_crossentropy" && is.null(spec$config$ignore_class)) {
    units
  } else if (spec$type %in% c("binary_crossentropy", "binary_focal_crossentropy") && units == 1L) {
    2
  } else {
    NA
  }
}

# x: the inputs, whose numbers are checked on the way into the core; targets that are the inputs need no check here.
as_targets <- function(y, model, decoder, arg = "y", call = rlang::caller_env(), x = NULL) {
  if (is.data.frame(y)) {
    y <- if (ncol(y) == 1L) y[[1L]] else frame_matrix(y, arg, call)
  }
  if (is.character(y)) {
    abort_argument(arg, "numbers or a factor", describe(y), hint = c(i = "Use factor(y)."), kind = "data", call = call)
  }
  if (is.factor(y)) {
    y <- factor_targets(y, model, decoder, arg, call)
  }
  if (!is.numeric(y) && !is.logical(y)) {
    abort_argument(arg, "numbers, a factor or a logical vector", describe(y), kind = "data", call = call)
  }
  # The sum tells almost always, and takes no memory.
  if (length(y) && !rlang::is_reference(x, y) && !is.finite(sum(y)) && !all(is.finite(y))) {
    n <- sample_count(y)
    bad <- sum(rowSums(matrix(!is.finite(y), nrow = n)) > 0)
    abort_lamina(
      c(sprintf("`%s` must have no NA, NaN or infinite numbers, but %d of %d rows %s.", arg, bad, n, if (bad == 1) "has" else "have"),
        i = "Leave these rows out of `x` and `y`."),
      "data", arg = arg, expected = "finite numbers", actual = sprintf("%d rows that are not", bad), rows = bad, call = call
    )
  }
  if (isTRUE(decoder$shift)) {
    y <- y - 1
  }
  check_labels(y, class_count(model), arg, call)
  if (is.null(dim(y))) as.double(y) else y
}

# Labels that are no classes 0, ..., K - 1 of the model: what is likely meant.
check_labels <- function(y, classes, arg, call) {
  labels <- !is.na(classes) && length(y) > 0L && (is.null(dim(y)) || length(y) == dim(y)[1L])
  if (!labels || all(y >= 0 & y <= classes - 1)) {
    return(invisible())
  }
  y <- as.vector(y)
  range <- if (classes == 2) "the classes 0 and 1" else sprintf("classes from 0 to %d", classes - 1)
  hint <- if (any(y != floor(y))) {
    NULL
  } else if (min(y) >= 1 && max(y) == classes) {
    "Classes count from 0, as in Keras: give y - 1, or a factor."
  } else if (classes == 2 && all(y %in% c(-1, 1))) {
    "For -1 and 1 give (y + 1) / 2, or compile with a hinge loss."
  } else if (min(y) >= 0) {
    units_hint(max(y) + (min(y) == 0))
  }
  bad <- which(y < 0 | y > classes - 1)
  actual <- sprintf("%s in row %d (%d such row%s)", format(y[bad[1L]]), bad[1L], length(bad), if (length(bad) == 1L) "" else "s")
  abort_argument(arg, range, actual, hint = if (!is.null(hint)) c(i = hint), kind = "data", call = call)
}

units_hint <- function(classes) {
  sprintf("%d classes need layer_dense(units = %d, activation = \"softmax\") and \"sparse_categorical_crossentropy\".",
          classes, classes)
}

factor_targets <- function(y, model, decoder, arg, call) {
  if (!is.null(decoder$levels) && !identical(levels(y), decoder$levels)) {
    abort_argument(arg, sprintf("a factor with the levels %s", paste(decoder$levels, collapse = ", ")),
                   sprintf("one with %s", paste(levels(y), collapse = ", ")), kind = "data", call = call)
  }
  if (anyNA(y)) {
    abort_lamina(
      c(sprintf("`%s` must have no NA, but %d of %d values are.", arg, sum(is.na(y)), length(y)),
        i = "Leave these rows out of `x` and `y`."),
      "data", arg = arg, expected = "no NA", actual = sum(is.na(y)), call = call
    )
  }
  classes <- class_count(model)
  if (!is.na(classes) && nlevels(y) > classes) {
    abort_lamina(
      c(sprintf("`%s` is a factor of %d levels, but the model tells %d classes apart.", arg, nlevels(y), classes),
        i = if (any(tabulate(y, nlevels(y)) == 0L)) "droplevels() leaves out levels that do not occur.",
        i = units_hint(nlevels(y))),
      "data", arg = arg, expected = classes, actual = nlevels(y), call = call
    )
  }
  one_hot <- model$compiled$loss$type %in% c("categorical_crossentropy", "categorical_focal_crossentropy",
                                            "categorical_hinge", "kl_divergence")
  if (isTRUE(one_hot)) to_categorical(y) else as.integer(y) - 1L
}

# 0-based class of every sample, or NULL when the targets are no classes.
target_classes <- function(y, model) {
  if (length(dim(y)) == 2L && ncol(y) > 1L) {
    one_hot <- all(y == 0 | y == 1) && all(rowSums(y) == 1)
    return(if (one_hot) max.col(y, "first") - 1 else NULL)
  }
  if (!is.na(class_count(model)) && all(y == floor(y))) as.vector(y) else NULL
}

# ---- weights of samples --------------------------------------------------------------------------

# train: the rows trained on, from which "balanced" counts the classes.
sample_weights <- function(y, model, decoder, class_weight, sample_weight, n, train = seq_len(n),
                           call = rlang::caller_env()) {
  w <- check_sample_weight(sample_weight, n, call)
  if (is.null(class_weight)) {
    return(w)
  }
  classes <- target_classes(y, model)
  if (is.null(classes)) {
    abort_lamina("`class_weight` needs targets that are classes, and these are not.", "argument",
                 arg = "class_weight", expected = "NULL", actual = describe(class_weight), call = call)
  }
  known <- max(classes + 1, class_count(model), if (length(dim(y)) == 2L) ncol(y), length(decoder$levels), na.rm = TRUE)
  by_class <- class_weights(class_weight, classes[train], known, decoder$levels, call)
  (if (is.null(w)) 1 else w) * by_class[pmax(classes, 0) + 1] # the loss refuses negative ones
}

check_sample_weight <- function(w, n, call, arg = "sample_weight") {
  if (is.null(w)) {
    return(NULL)
  }
  if (!is.numeric(w) || length(w) != n) {
    abort_argument(arg, sprintf("%d numbers, one for each sample", n), describe(w), kind = "data", call = call)
  }
  if (!all(is.finite(w))) {
    abort_argument(arg, "finite numbers", sprintf("%s in row %d", w[!is.finite(w)][1L], which(!is.finite(w))[1L]),
                   kind = "data", call = call)
  }
  as.double(w)
}

# One weight for each of the k classes 0, 1, ..., from names (levels or 0-based numbers), from order,
# or "balanced": n / (K * n_k), as scikit-learn defines it.
class_weights <- function(class_weight, classes, k, levels, call, arg = "class_weight") {
  if (identical(class_weight, "balanced")) {
    counts <- tabulate(classes + 1, k)
    return(ifelse(counts > 0, length(classes) / (sum(counts > 0) * counts), 1))
  }
  values <- unlist(class_weight)
  if (!is.numeric(values) || !all(is.finite(values)) || any(values < 0)) {
    abort_argument(arg, "\"balanced\" or numbers of at least 0", describe(class_weight), call = call)
  }
  weights <- rep(1, k)
  names <- names(values)
  if (is.null(names)) {
    if (length(values) != k) {
      abort_argument(arg, sprintf("%d numbers, one a class", k), describe(class_weight), call = call)
    }
    return(values)
  }
  known <- if (is.null(levels)) as.character(seq_len(k) - 1) else levels
  at <- match(names, known)
  by_number <- match(names, as.character(seq_len(k) - 1))
  if (anyNA(at) && !anyNA(by_number)) {
    at <- by_number
  }
  if (anyNA(at)) {
    abort_unknown(arg, "a class", names[is.na(at)][1L], known, call = call)
  }
  weights[at] <- values
  weights
}

# ---- into the core -------------------------------------------------------------------------------

new_data <- function(x, y = NULL, w = NULL, args = c("x", "y"), call = rlang::caller_env()) {
  data <- .Call(ffi_data_new, x, y, w)
  bad <- .Call(ffi_data_bad, data)
  if (bad[1L]) {
    abort_not_finite(x, args[1L], call)
  }
  if (bad[2L]) {
    abort_argument(args[2L], sprintf("numbers up to %g", LARGEST_FLOAT), "larger ones", kind = "data", call = call)
  }
  data
}
