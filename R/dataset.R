# Data that come in batches: datasets, which read what they need when it is needed, and R functions
# that return the next batch.  fit(), evaluate() and predict() take either for `x`.
#
# A dataset is an environment of class lamina_dataset with
#   samples, batch_size  how many, and how many a batch
#   read(rows)           list(x, y), list(x, y, sample_weight) or list(x) of these samples
#   shuffle, seed        whether training takes a new order each epoch, and a seed for it (NULL: the
#                        model's)
#   reorder(from, key)   where there is an order of its own: what gives the samples at places of an epoch
#   class_names, classes names and the 0-based class of every sample, where there are any

new_dataset <- function(samples, batch_size, read, shuffle = FALSE, seed = NULL, class_names = NULL,
                        classes = NULL, ...) {
  fields <- list(samples = samples, batch_size = batch_size, read = read, shuffle = shuffle,
                 seed = seed, class_names = class_names, classes = classes, ...)
  structure(list2env(fields, parent = emptyenv()), class = "lamina_dataset")
}

is_dataset <- function(x) inherits(x, "lamina_dataset")

gives_batches <- function(x) is_dataset(x) || (is.function(x) && !is_layer(x))

# The samples of batch i, in the dataset's own order.
batch_rows <- function(dataset, i) {
  seq((i - 1) * dataset$batch_size + 1, min(i * dataset$batch_size, dataset$samples))
}

#' @export
length.lamina_dataset <- function(x) as.integer(ceiling(x$samples / x$batch_size))

#' @export
`[[.lamina_dataset` <- function(x, i) {
  if (is.character(i)) {
    return(get0(i, envir = x, inherits = FALSE))
  }
  x$read(batch_rows(x, check_count(i, max = length(x))))
}

#' @export
print.lamina_dataset <- function(x, ...) {
  cat(sprintf("<dataset> %d samples in %d batches of %d\n", x$samples, length(x), x$batch_size))
  if (!is.null(x$class_names)) {
    cat(strwrap(paste("Classes:", paste(x$class_names, collapse = ", ")), exdent = 2L), sep = "\n")
  }
  invisible(x)
}

# ---- going through -------------------------------------------------------------------------------

# What gives the batches of a pass: list(batches, size, start, first, next_batch).
#   batches          how many a pass has
#   size             samples a batch, where that is known before
#   start(model, key) begins a pass; the key numbers the order of a shuffled one
#   first()          a batch to learn shapes from, before the first pass
#   next_batch()     the next batch, as R values
#   next_rows(), read(rows)  of a dataset: the same in two
# steps: how many to take at most; `steps_arg` names it for a function, which has no end.
batch_source <- function(x, steps, shuffle = FALSE, steps_arg = "steps", arg = "x", call = rlang::caller_env()) {
  if (is_dataset(x)) {
    return(dataset_source(x, steps, shuffle))
  }
  if (is.null(steps)) {
    abort_argument(steps_arg, sprintf("given when `%s` is a function", arg), "NULL", call = call)
  }
  waiting <- NULL
  list(
    batches = steps,
    start = function(model, key) NULL,
    first = function() waiting <<- x(),
    next_batch = function() {
      batch <- if (is.null(waiting)) x() else waiting
      waiting <<- NULL
      batch
    }
  )
}

dataset_source <- function(dataset, steps, shuffle) {
  order <- NULL
  at <- 0
  next_rows <- function() {
    at <<- at + 1
    rows <- batch_rows(dataset, at)
    if (is.null(order)) rows else order(rows)
  }
  list(
    batches = min(steps, length(dataset)),
    size = dataset$batch_size,
    start = function(model, key) {
      at <<- 0
      if (shuffle && dataset$shuffle) {
        from <- if (is.null(dataset$seed)) net_ptr(model) else dataset$seed
        order <<- if (is.null(dataset$reorder)) {
          places <- .Call(ffi_order, from, key, dataset$samples)
          function(rows) places[rows]
        } else {
          dataset$reorder(from, key)
        }
      }
    },
    first = function() dataset$read(1),
    next_rows = next_rows,
    read = dataset$read,
    next_batch = function() dataset$read(next_rows())
  )
}

# A feed for fit() and evaluate() whose data come batch by batch.
# decoder: that of the training targets, or NULL: the first batch makes it.
source_feed <- function(model, source, decoder = NULL, guess = FALSE, class_weight = NULL, arg = "x",
                        call = rlang::caller_env()) {
  as_data <- function(batch) {
    if (!is.list(batch) || is.data.frame(batch) || !length(batch) %in% 2:3) {
      abort_argument(arg, "a function or dataset that gives list(x, y)", paste("one that gave", describe(batch)), call = call)
    }
    x <- prepare_inputs(model, batch[[1L]], arg, call)
    if (is.null(decoder)) {
      decoder <<- target_decoder(batch[[2L]], model, guess = guess)
    }
    y <- as_targets(batch[[2L]], model, decoder, call = call)
    n <- sample_count(x)
    check_one_batch(model, if (is.null(source$size)) n else source$size, arg, call)
    check_sample_count(y, n, "y", call)
    w <- sample_weights(y, model, decoder, class_weight, if (length(batch) == 3L) batch[[3L]], n, call = call)
    new_data(x, y, w, call = call)
  }
  data <- as_data(source$first())
  list(
    data = data, first = 0, n = .Call(ffi_data_size, data)[1L], held = 0, decoder = decoder,
    from = first_trained(model), batches = source$batches, start = source$start,
    next_batch = function() {
      batch <- source$next_batch()
      if (is.null(batch)) data else as_data(batch) # no row of it is this rank's
    },
    share = source$share
  )
}

# What cannot go with an `x` that gives batches, by name, must be NULL.
check_batches_alone <- function(x, ..., call = rlang::caller_env()) {
  others <- list(...)
  given <- names(others)[!vapply(others, is.null, NA)]
  if (length(given)) {
    what <- if (is_dataset(x)) "a dataset" else "a function"
    abort_argument(given[1L], sprintf("left out when `x` is %s, which gives whole batches", what),
                   describe(others[[given[1L]]]), call = call)
  }
}

# Class weights for a source: "balanced" needs the classes of all samples.
source_class_weight <- function(x, class_weight, call = rlang::caller_env()) {
  if (!identical(class_weight, "balanced")) {
    return(class_weight)
  }
  if (!is_dataset(x) || is.null(x$classes)) {
    abort_argument("class_weight", "numbers when the classes of all samples are not known", "\"balanced\"", call = call)
  }
  class_weights("balanced", x$classes, length(x$class_names), NULL, call)
}
