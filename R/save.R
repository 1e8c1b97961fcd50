# Model files: a header (what it is, version, length, checksum) and plain values in the core's
# encoding.  Reading one runs no code: R functions inside (a loss, a metric, an activation or an
# initializer of the user's own) are kept serialized and only come back where the user says so.

FILE_MAGIC <- charToRaw("lamina\x1a\n")
FILE_VERSION <- 1L

#' Save and load a model
#'
#' `save_model()` writes layers, weights, compilation, optimizer state, history and the position of
#' the random numbers, so that training goes on as if it had never stopped; [saveRDS()] keeps the same.
#' `load_model()` reads it back, in this or another R session. The file is replaced whole or not at all, and
#' is on the disk when `save_model()` returns.
#'
#' The format is lamina's own, whatever the file is called: Keras cannot read it, and `load_model()` cannot
#' read files of Keras (`.keras`, `.h5`). A fit of [lamina()] is saved by `saveRDS()`.
#'
#' @param model For `save_model()` a model; for `load_model()` a path, or a raw vector that
#'   `save_model()` returned.
#' @param filepath Where to write, any extension; `NULL` returns the bytes as a raw vector.
#' @param overwrite Whether to replace a file that exists; `FALSE`: that is an error.
#' @param zipped Must be `NULL`.
#' @param ... Not used.
#' @param custom_objects A named list of the R functions that the model uses: own losses, metrics,
#'   activations and initializers, by the names under which they were saved (a message of the error
#'   tells them). `NULL` for a model without such functions.
#' @param compile `FALSE` leaves the compilation and the optimizer's state out: the model predicts, but must be
#'   compiled before it is trained or evaluated.
#' @param safe_mode `TRUE` never runs code out of the file: R functions stored in it must be given
#'   in `custom_objects`. `FALSE` takes them from the file: only for files you trust.
#' @return `save_model()` the path, invisibly, or a raw vector; `load_model()` a model.
#' @section Errors:
#' `lamina_error_file` for a file that exists already, that cannot be written or read, that is damaged, that lamina
#' did not write, or that holds R functions which were not given; `lamina_error_argument` for a bad argument.
#' @seealso [callback_model_checkpoint()], which saves while a model is trained; [save_model_weights()] for the
#'   weights alone.
#' @family model verbs
#' @examples
#' x <- as.matrix(mtcars[c("wt", "hp")]) / 100
#' model <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
#' model |> compile(optimizer = "adam", loss = "mse")
#' model |> fit(x, mtcars$mpg, epochs = 5, verbose = 0)
#'
#' path <- tempfile(fileext = ".lamina")
#' save_model(model, path)
#' again <- load_model(path)
#' again
#' identical(predict(again, x), predict(model, x))
#'
#' # without a file
#' bytes <- save_model(model)
#' length(bytes)
#' @export
save_model <- function(model, filepath = NULL, overwrite = FALSE, zipped = NULL, ...) {
  check_model(model, arg = "model")
  check_no_dots(list(...))
  check_unsupported(zipped)
  if (!is.null(model$shape)) {
    net_ptr(model)
    pull_state(model) # a callback may save in the middle of an epoch
  }
  write_bytes(pack_file("model", model_values(model)), filepath, overwrite)
}

#' @rdname save_model
#' @export
load_model <- function(model, custom_objects = NULL, compile = TRUE, safe_mode = TRUE) {
  check_flag(compile)
  check_flag(safe_mode)
  values <- unpack_file(model, "model", "model")
  from_file(restore_model(values, custom_objects, compile, safe_mode), "model")
}

#' Save and load weights alone
#'
#' @param model A model whose shapes are known.
#' @param filepath Where to write or read; for reading also a raw vector.
#' @param overwrite Replace a file that exists.
#' @param max_shard_size Must be `NULL`.
#' @param skip_mismatch `TRUE` passes over layers that the file does not have, or in other shapes;
#'   otherwise they are an error and nothing is loaded.
#' @param ... Not used.
#' @return The model (loading) or the path (saving), invisibly; saving with `filepath = NULL` a raw vector.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |> layer_dense(2)
#' path <- tempfile(fileext = ".weights")
#' save_model_weights(model, path)
#' twin <- clone_model(model) |> load_model_weights(path)
#' identical(get_weights(twin), get_weights(model))
#' @export
save_model_weights <- function(model, filepath = NULL, overwrite = FALSE, max_shard_size = NULL, ...) {
  check_model(model, arg = "model")
  check_no_dots(list(...))
  check_unsupported(max_shard_size)
  require_built(model)
  write_bytes(pack_file("weights", named_weights(model)), filepath, overwrite)
}

#' @rdname save_model_weights
#' @export
load_model_weights <- function(model, filepath, skip_mismatch = FALSE, ...) {
  check_model(model, arg = "model")
  check_no_dots(list(...))
  require_built(model)
  skip_mismatch <- check_flag(skip_mismatch)
  saved <- unpack_file(filepath, "weights")
  from_file(must(is_named(saved) && all(vapply(saved, is.numeric, NA))), "filepath")
  own <- named_weights(model)
  shape <- function(w) if (is.null(dim(w))) length(w) else dim(w)
  fits <- vapply(names(own), function(n) !is.null(saved[[n]]) && identical(shape(saved[[n]]), shape(own[[n]])), NA)
  if (!all(fits) && !skip_mismatch) {
    missed <- names(own)[!fits]
    abort_lamina(
      c(sprintf("The saved weights do not fit %s of this model.", paste(missed, collapse = ", ")),
        i = "skip_mismatch = TRUE loads the others."),
      "file", arg = "filepath", expected = lapply(own[missed], shape), actual = lapply(saved[missed], shape)
    )
  }
  own[fits] <- saved[names(own)[fits]]
  from_file(set_weights(model, unname(own)), "filepath")
  invisible(model)
}

named_weights <- function(model) {
  names <- unlist(Map(function(l, i) sprintf("%s/%s", rep(layer_self(l)$name, length(i$weight_names)), i$weight_names),
                      model_layers(model), model$info))
  stats::setNames(get_weights(model), as.character(names))
}

#' Save and load the build of a model
#'
#' The layers with their arguments, without weights or compilation.
#'
#' @param model A model.
#' @param filepath Where to write or read; `NULL` (writing) gives, and (reading) also takes, a raw vector.
#' @param overwrite Replace a file that exists.
#' @param custom_objects,safe_mode As for [load_model()].
#' @return `load_model_config()` a fresh model; `save_model_config()` the path, invisibly, or a raw vector.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |> layer_dense(2)
#' load_model_config(save_model_config(model))
#' @export
save_model_config <- function(model, filepath = NULL, overwrite = FALSE) {
  check_model(model, arg = "model")
  write_bytes(pack_file("config", config_values(model)), filepath, overwrite)
}

#' @rdname save_model_config
#' @export
load_model_config <- function(filepath, custom_objects = NULL, safe_mode = TRUE) {
  check_flag(safe_mode)
  values <- unpack_file(filepath, "config")
  from_file(restore_config(values, custom_objects, safe_mode), "filepath")
}

# ---- values --------------------------------------------------------------------------------------

config_values <- function(model) {
  list(
    name = model$name, shape = model$shape, batch_size = model$batch_size,
    layers = lapply(all_layers(model), function(layer) {
      self <- layer_self(layer)
      list(type = self$type, class = self$class, name = self$name, trainable = self$trainable,
           config = plain_values(self$config), functions = freeze_functions(self$functions))
    })
  )
}

model_values <- function(model) {
  compiled <- model$compiled
  if (!is.null(compiled)) {
    own <- c(if (!is.null(compiled$own_loss)) list(loss = compiled$own_loss), compiled$own_metrics)
    compiled[c("own_loss", "own_metrics", "own_weighted_metrics")] <- NULL
    compiled <- c(plain_values(compiled), list(
      has_own_loss = !is.null(model$compiled$own_loss), own_metric_names = names(model$compiled$own_metrics),
      functions = freeze_functions(own)
    ))
  }
  c(config_values(model), list(
    compiled = compiled, state = model$state, epoch = model$epoch, resume = model$resume,
    history = if (!is.null(model$history)) plain_values(unclass(model$history))
  ))
}

# Lists and vectors without classes: all that the format holds.
plain_values <- function(x) {
  if (is.list(x)) {
    out <- lapply(x, plain_values)
    names(out) <- names(x)
    out
  } else {
    as.vector(x)
  }
}

freeze_functions <- function(fns) lapply(fns, serialize, connection = NULL)

thaw_functions <- function(stored, custom_objects, safe_mode) {
  must(is_named(stored) && all(vapply(stored, is.raw, NA)))
  out <- list()
  for (name in names(stored)) {
    out[[name]] <- if (is.function(custom_objects[[name]])) {
      custom_objects[[name]]
    } else if (!safe_mode) {
      unserialize(stored[[name]])
    } else {
      abort_lamina(
        c(sprintf("The file holds an R function of its own, `%s`, which load_model() does not run.", name),
          i = sprintf("Give it as custom_objects = list(%s = <function>), or, for a file you trust, safe_mode = FALSE.", name)),
        "file", arg = "custom_objects", expected = name, actual = "none"
      )
    }
    must(is.function(out[[name]]))
  }
  out
}

restore_config <- function(values, custom_objects, safe_mode) {
  check_saved_config(values)
  model <- keras_model_sequential(name = values$name, input_batch_size = values$batch_size)
  model$told_mask <- TRUE
  stack <- lapply(values$layers, function(l) {
    self <- list2env(list(
      type = l$type, class = l$class, name = l$name, trainable = l$trainable, input_shape = NULL,
      config = l$config, functions = thaw_functions(l$functions, custom_objects, safe_mode),
      values = NULL, model = NULL
    ), parent = emptyenv())
    new_layer_object(self, c(paste0("lamina_layer_", l$type), "lamina_layer"))
  })
  shape <- check_shape(values$shape, allow_null = TRUE)
  if (length(stack) && is_front(stack[[1L]])) {
    set_front(model, stack[[1L]])
    stack <- stack[-1L]
  }
  .Call(ffi_check_layers, lapply(stack, layer_spec, batch_size = model$batch_size))
  if (length(stack)) restructure(model, stack, shape) else model$shape <- shape
  model
}

restore_model <- function(values, custom_objects, compile, safe_mode) {
  model <- restore_config(values, custom_objects, safe_mode)
  compiled <- values$compiled
  if (compile && !is.null(compiled)) {
    check_saved_compilation(compiled)
    fns <- thaw_functions(compiled$functions, custom_objects, safe_mode)
    own_loss <- if (compiled$has_own_loss) fns$loss
    own_metrics <- fns[as.character(compiled$own_metric_names)]
    must(is.function(own_loss) == compiled$has_own_loss && all(vapply(own_metrics, is.function, NA)))
    compiled[c("functions", "has_own_loss", "own_metric_names")] <- NULL
    model$compiled <- c(compiled, list(own_loss = own_loss, own_metrics = own_metrics, own_weighted_metrics = list()))
    model$epoch <- check_count(values$epoch, min = 0, max = .Machine$integer.max, arg = "epoch")
    if (!is.null(values$history)) {
      check_saved_history(values$history)
      model$history <- new_history(values$history$params, values$history$metrics)
    }
  }
  if (!is.null(values$state)) {
    check_saved_state(values$state, model)
    model$state <- values$state
    model$resume <- isTRUE(values$resume)
    net_ptr(model)
    pull_state(model)
  }
  model
}

# ---- what a file may say -------------------------------------------------------------------------
# Everything behind relies on the form that save_model() gives its values.  A file may say anything: what has
# another form is refused, and numbers that the core would refuse are shown to it, before anything is built.

must <- function(ok) if (!isTRUE(ok)) stop("the values are not those of a model", call. = FALSE)

# Whatever goes wrong with what a file says is an error of the file's.
from_file <- function(code, arg, call = rlang::caller_env()) {
  as_it_is <- c("lamina_error_file", "lamina_error_memory", "lamina_error_interrupt")
  tryCatch(code, error = function(e) {
    if (inherits(e, as_it_is)) {
      rlang::cnd_signal(e)
    }
    abort_lamina(
      c("The file does not describe what lamina can make.", x = conditionMessage(e)), "file", arg = arg,
      expected = "what lamina saved", actual = conditionMessage(e), call = call
    )
  })
}

is_text <- function(x) is.character(x) && length(x) == 1L && !is.na(x) && is.null(attributes(x))

is_truth <- function(x) is.logical(x) && length(x) == 1L && !is.na(x)

# A list whose names tell its elements apart.
is_named <- function(x) {
  is.list(x) && is.null(dim(x)) && (length(x) == 0L || (!is.null(names(x)) && all(nzchar(names(x))) && !anyDuplicated(names(x))))
}

is_saved_spec <- function(x) is_named(x) && is_text(x$type) && (is.null(x$config) || is_saved_arguments(x$config))

# An activation is a spec, and so is what has a configuration.
is_saved_arguments <- function(x) {
  if (!is_named(x)) {
    return(FALSE)
  }
  spec <- grepl("activation$", names(x)) | vapply(x, function(v) is.list(v) && "config" %in% names(v), NA)
  all(vapply(x[spec], function(v) is.null(v) || is_saved_spec(v), NA))
}

check_saved_config <- function(values) {
  must(is_named(values) && is_text(values$name) && is.list(values$layers) && is.null(names(values$layers)))
  check_count(values$batch_size, allow_null = TRUE, arg = "batch_size")
  known <- c(vocabulary("layer")$names, "text_vectorization")
  for (l in values$layers) {
    must(is_named(l) && is_text(l$type) && l$type %in% known && is_text(l$class) && is_text(l$name) && is_truth(l$trainable))
    must(is_saved_arguments(l$config) && is.list(l$functions))
  }
  names <- vapply(values$layers, `[[`, "", "name")
  types <- vapply(values$layers, `[[`, "", "type")
  must(!anyDuplicated(names) && !"text_vectorization" %in% types[-1L])
  if ("text_vectorization" %in% types) {
    check_saved_front(values$layers[[1L]])
  }
}

# The constructor takes these arguments, and the vocabulary is one of strings that fit its columns.
check_saved_front <- function(l) {
  config <- l$config
  words <- config$vocabulary
  arguments <- config[setdiff(names(config), c("vocabulary", "idf", "given"))]
  known <- setdiff(names(formals(layer_text_vectorization)), c("object", "vocabulary", "idf_weights", "name", "..."))
  must(setequal(c(names(arguments), names(l$functions)), known) && all(names(l$functions) %in% c("standardize", "split")))
  arguments["ngrams"] <- list(if (!is.null(arguments$ngrams)) as.list(arguments$ngrams))
  arguments["name"] <- list(l$name)
  must(is.null(words) || is.character(words))
  weights <- config$idf # that of unknown tokens first
  must(is.null(weights) || (length(weights) == length(words) + 1L && is.numeric(weights) && all(is.finite(weights))))
  if (!is.null(words)) {
    arguments$vocabulary <- as.list(words)
    arguments$idf_weights <- weights[-1L]
  }
  must(is.null(config$given) || is_truth(config$given))
  do.call(layer_text_vectorization, arguments)
}

check_saved_compilation <- function(compiled) {
  must(is_named(compiled) && is_saved_spec(compiled$optimizer) && is_truth(compiled$sum_loss) && is_truth(compiled$has_own_loss))
  must(is_text(compiled$loss_label) && is_text(compiled$precision) && compiled$precision %in% c("float32", "bfloat16"))
  must(is.null(compiled$loss) == compiled$has_own_loss && (is.null(compiled$loss) || is_saved_spec(compiled$loss)))
  for (metrics in compiled[c("metrics", "weighted_metrics")]) {
    must(is.list(metrics) && all(vapply(metrics, is_saved_spec, NA)))
  }
  must(is.null(compiled$own_metric_names) || is.character(compiled$own_metric_names))
  .Call(ffi_check_compile, compiled$optimizer, compiled$loss)
}

check_saved_history <- function(history) {
  numbers <- function(x) is.numeric(x) && is.null(dim(x))
  must(is_named(history) && is_named(history$params) && is_named(history$metrics))
  must(all(vapply(history$params, function(x) is.null(x) || is.character(x) || (is.numeric(x) || is.logical(x)) && length(x) == 1L, NA)))
  must(all(vapply(history$metrics, numbers, NA)) && length(unique(lengths(history$metrics))) <= 1L)
}

# The weights must all be there before the network gets memory for them.
check_saved_state <- function(state, model) {
  must(is_named(state) && is.raw(state$weights) && is_built(model))
  must(length(state$weights) == 4 * .Call(ffi_net_count, new_network(model, NULL)))
  must(is.list(state$slots) && all(vapply(state$slots, is.raw, NA)))
  check_count(state$seed, min = 0, arg = "seed")
  check_count(state$batches, min = 0, arg = "batches")
}

# ---- bytes ---------------------------------------------------------------------------------------

pack_file <- function(kind, values) {
  payload <- .Call(ffi_encode, list(kind = kind, values = values))
  header <- .Call(ffi_encode, list(
    version = FILE_VERSION, length = as.double(length(payload)), checksum = .Call(ffi_checksum, payload)
  ))
  c(FILE_MAGIC, writeBin(length(header), raw(), size = 4L, endian = "little"), header, payload)
}

unpack_file <- function(source, kind, arg = "filepath", call = rlang::caller_env()) {
  bytes <- if (is.raw(source)) source else read_bytes(source, arg, call)
  from_file(unpack_bytes(bytes, source, kind, arg, call), arg, call)
}

unpack_bytes <- function(bytes, source, kind, arg, call) {
  name <- if (is.raw(source)) "The raw vector" else sprintf("The file \"%s\"", source)
  refuse <- function(what, hint = NULL) {
    abort_lamina(c(paste(name, what), hint), "file", arg = arg, expected = sprintf("a %s saved by lamina", kind), actual = what, call = call)
  }
  damaged <- function() refuse("is damaged or not complete.")
  m <- length(FILE_MAGIC)
  if (length(bytes) < m || !identical(bytes[seq_len(m)], FILE_MAGIC)) {
    refuse("was not written by lamina.", c(i = "Models saved by Keras (.keras, .h5) or by saveRDS() are other formats; readRDS() reads the latter."))
  }
  if (length(bytes) < m + 4L) {
    damaged()
  }
  size <- readBin(bytes[m + 1:4], "integer", size = 4L, endian = "little")
  if (is.na(size) || size < 1L || size > length(bytes) - m - 4L) {
    damaged()
  }
  header <- .Call(ffi_decode, bytes[m + 4L + seq_len(size)])
  payload <- bytes[-seq_len(m + 4L + size)]
  if (!is.list(header) || !identical(header$length, as.double(length(payload))) ||
      !identical(header$checksum, .Call(ffi_checksum, payload))) {
    damaged()
  }
  if (!isTRUE(header$version <= FILE_VERSION)) {
    refuse("was written by a later version of lamina.")
  }
  content <- .Call(ffi_decode, payload)
  if (!is.list(content) || !isTRUE(content$kind %in% names(file_kinds))) {
    damaged()
  }
  if (content$kind != kind) {
    refuse(sprintf("holds %s, not %s.", file_kinds[[content$kind]], file_kinds[[kind]]))
  }
  content$values
}

file_kinds <- c(model = "a model", weights = "weights alone", config = "the build of a model alone")

read_bytes <- function(path, arg, call) {
  if (!is.character(path)) {
    abort_argument(arg, "a path or a raw vector", describe(path), call = call)
  }
  path <- check_string(path, arg = arg, call = call)
  if (!file.exists(path) || dir.exists(path)) {
    abort_argument(arg, "a file that exists", sprintf(if (dir.exists(path)) "the folder \"%s\"" else "\"%s\"", path), kind = "file", call = call)
  }
  readBin(path, "raw", n = file.size(path))
}

write_bytes <- function(bytes, filepath, overwrite, call = rlang::caller_env()) {
  if (is.null(filepath)) {
    return(bytes)
  }
  check_string(filepath, call = call)
  if (file.exists(filepath) && !check_flag(overwrite, arg = "overwrite", call = call)) {
    abort_argument("filepath", "a new file", sprintf("\"%s\", which exists", filepath),
                   hint = c(i = "overwrite = TRUE replaces it."), kind = "file", call = call)
  }
  .Call(ffi_file_replace, path.expand(filepath), bytes)
  invisible(filepath)
}
