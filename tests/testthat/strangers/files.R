# Files from strangers: real ones, changed as bytes and as the values that they hold, are read; what is taken is
# used.  Only classed errors may come of it, each within a second of the processor's time.
#
#     Rscript files.R FOLDER FROM TO SEED
#
# FOLDER/call holds the trial at work, FOLDER/findings what went wrong, FOLDER/counts what was counted.

arguments <- commandArgs(TRUE)
folder <- arguments[1L]
from <- as.integer(arguments[2L])
to <- as.integer(arguments[3L])
seed <- as.integer(arguments[4L])

library(lamina)
options(lamina.verbose = 0, lamina.threads = 2, warn = -1)
space <- asNamespace("lamina")
pack <- space$pack_file
values_of <- function(bytes, kind) space$unpack_file(bytes, kind)

# ---- files as they should be -----------------------------------------------------------------------

x <- matrix(seq(-1, 1, length.out = 12), 4)
y <- c(0, 1, 0, 1)
trained <- function(model, x, y, ...) {
  model |> compile(...)
  model |> fit(x, y, epochs = 1)
  model
}
set.seed(1)
words <- layer_text_vectorization(output_mode = "tf_idf", ngrams = 2)
adapt(words, c("a b c", "b d"))
ids <- layer_text_vectorization(output_sequence_length = 3)
adapt(ids, c("a b c", "b d"))
models <- list(
  dense = trained(keras_model_sequential(input_shape = 3) |>
                    layer_dense(2, activation = "relu", kernel_regularizer = regularizer_l1_l2(0.01, 0.02)) |>
                    layer_batch_normalization() |> layer_dense(2, activation = "softmax"),
                  x, y, optimizer = optimizer_adam(learning_rate_schedule_cosine_decay_restarts(0.01, 100), use_ema = TRUE),
                  loss = "sparse_categorical_crossentropy", metrics = list("accuracy", top = metric_sparse_top_k_categorical_accuracy(k = 1))),
  waiting = keras_model_sequential() |> layer_dense(3, activation = activation_leaky_relu),
  steps = trained(keras_model_sequential(input_batch_shape = c(2, 3, 2)) |> bidirectional(layer_lstm(units = 2, return_sequences = TRUE)) |>
                    time_distributed(layer_dense(units = 2)) |> layer_gru(2, stateful = TRUE) |> layer_dense(1),
                  array(seq(-1, 1, length.out = 24), c(4, 3, 2)), y, optimizer = "rmsprop", loss = "mse"),
  pictures = keras_model_sequential(input_shape = c(6, 6, 1)) |> layer_random_rotation(0.1) |> layer_resizing(5, 5) |>
    layer_conv_2d(2, 3, padding = "same") |> layer_max_pooling_2d(2) |> layer_flatten() |> layer_dense(1),
  texts = trained(keras_model_sequential(layers = list(words, layer_dense(units = 1))), c("a", "b d", "c", "e"), y, optimizer = "sgd", loss = "mae"),
  ids = trained(keras_model_sequential() |> ids() |> layer_embedding(6, 2, mask_zero = TRUE) |> layer_lstm(2) |> layer_dense(1), c("a", "b d", "c", "e"), y,
                optimizer = "adagrad", loss = "mse"),
  own = trained(keras_model_sequential(input_shape = 3) |> layer_dense(1), x, y, optimizer = "sgd",
                loss = function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred)))
)
idx <- list(
  as.raw(c(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 2, 1:12)), as.raw(c(0, 0, 12, 1, 0, 0, 0, 2, 1:8)),
  as.raw(c(0, 0, 14, 2, 0, 0, 0, 1, 0, 0, 0, 1, 64, 9, 33, 251, 84, 68, 45, 24)), memCompress(as.raw(c(0, 0, 8, 1, 0, 0, 0, 100, 1:100)), "gzip")
)
cifar <- as.raw(c(7, rep(0:255, 12), 3, rep(255:0, 12)))
vocabulary <- charToRaw("the\ncat\nsat\r\non\nm\u00e4t\n")

# ---- changes ---------------------------------------------------------------------------------------

odd <- list(NULL, NA, TRUE, 0L, -1L, .Machine$integer.max, 1, 0, -1, 0.5, 2, 3, 1e6, 2^31, 1e12, 1e18, 1e300, NaN, Inf, NA_real_, numeric(), c(1, 2),
            "", "a", NA_character_, "relu", "dense", "lstm", "conv_2d", "embedding", "text_vectorization", character(), c("a", "b"), raw(), as.raw(1:3),
            list(), list(1), list(type = "relu"), list(type = "relu", config = list()), list(type = 1, config = 2), list(config = list(stateful = TRUE)))

change_bytes <- function(b) {
  for (k in seq_len(sample.int(4L, 1L))) {
    if (length(b) == 0L) break
    at <- sample.int(length(b), 1L)
    b <- switch(sample.int(5L, 1L),
      replace(b, at, as.raw(sample.int(256L, 1L) - 1L)),
      replace(b, at, xor(b[at], as.raw(2^(sample.int(8L, 1L) - 1L)))),
      utils::head(b, at),
      c(utils::head(b, at), as.raw(sample.int(256L, 3L) - 1L), b[-seq_len(at)]),
      b[-seq.int(at, min(length(b), at + 7L))]
    )
  }
  b
}

# One place somewhere in a value, chosen on the way down.
change_value <- function(v, depth = 0L) {
  if (is.list(v) && length(v) && (depth == 0L || stats::runif(1L) < 0.85)) {
    at <- sample.int(length(v), 1L)
    if (stats::runif(1L) < 0.9) {
      v[at] <- list(change_value(v[[at]], depth + 1L))
      return(v)
    }
    return(switch(sample.int(5L, 1L),
      v[-at], v[c(seq_along(v), at)], unname(v), rev(v), stats::setNames(v, replace(names(v), at, "x"))
    ))
  }
  n <- length(v)
  switch(sample.int(6L, 1L),
    odd[[sample.int(length(odd), 1L)]],
    odd[[sample.int(length(odd), 1L)]],
    if (is.atomic(v) && n) v[sample.int(n, 1L)] else v,
    if (is.atomic(v) && n) rep(v, 2L) else list(v),
    if (is.numeric(v) && n) replace(v, sample.int(n, 1L), c(0, -1, 1e6, 1e12, 1e300, NaN, Inf)[sample.int(7L, 1L)]) else v,
    if (is.raw(v)) change_bytes(v) else if (is.character(v) && n) paste0(v, "x") else as.list(v)
  )
}

# ---- use -------------------------------------------------------------------------------------------

# Everything that a session does with a model.  A refusal is in order; what is not is seen in try_it().
use <- function(model) {
  step <- function(code) tryCatch(code, lamina_error = function(e) NULL)
  utils::capture.output(step(print(model)), step(print(summary(model))), step(print(model$history)))
  for (layer in model$layers) step(layer$activation)
  step(as.data.frame(model$history))
  step(model$optimizer)
  shape <- model$shape
  samples <- if (!is.null(model$front)) {
    c("a b", "d")
  } else if (!is.null(shape) && prod(shape) <= 1e4) {
    array(0, c(2, shape))
  } else if (is.null(shape)) {
    matrix(0, 2, 3)
  }
  if (is.null(samples)) {
    return(invisible())
  }
  # A model that is large by its own right may take long: that is what it is for.
  last <- step(predict(model, samples))
  work <- sum(vapply(model$info, function(i) sum(vapply(i$weight_shapes, prod, 0)) + prod(i$output_shape), 0))
  if (!is.null(last) && work < 1e5 && length(last) < 1e5) {
    width <- if (isTRUE(grepl("sparse", model$compiled$loss$type))) 1L else dim(last)[-1L]
    step(fit(model, samples, array(0, c(2, width)), epochs = 1))
    step(evaluate(model, samples, array(0, c(2, width))))
  }
  step(save_model(model))
}

small <- function(values) {
  sizes <- suppressWarnings(as.numeric(unlist(rapply(list(values), function(v) if (is.numeric(v)) max(abs(v), 0) else 0, how = "unlist"))))
  !any(sizes > 1e5, na.rm = TRUE)
}

trial <- function() {
  kind <- sample(c("values", "values", "values", "values", "config", "weights", "bytes", "idx", "cifar", "vocabulary"), 1L)
  name <- sample(names(models), 1L)
  model <- models[[name]]
  label <<- paste(kind, name)
  if (kind == "values") {
    values <- values_of(saved[[name]], "model")
    for (k in seq_len(sample.int(2L, 1L))) values <- change_value(values)
    use(load_model(pack("model", values), safe_mode = FALSE, compile = stats::runif(1L) < 0.9))
  } else if (kind == "config") {
    values <- change_value(values_of(save_model_config(model), "config"))
    # Shapes alone cost nothing; a network of such shapes would.
    back <- load_model_config(pack("config", values), safe_mode = FALSE)
    if (small(values)) use(back)
  } else if (kind == "weights" && !is.null(model$shape)) {
    values <- values_of(save_model_weights(model), "weights")
    load_model_weights(clone_model(model), pack("weights", change_value(values)), skip_mismatch = stats::runif(1L) < 0.5)
  } else if (kind == "bytes") {
    load_model(change_bytes(saved[[name]]))
  } else {
    path <- tempfile()
    on.exit(unlink(path))
    bytes <- change_bytes(switch(kind, idx = idx[[sample.int(length(idx), 1L)]], cifar = cifar, vocabulary))
    writeBin(bytes, path)
    switch(kind,
      idx = read_idx(path),
      cifar = read_cifar(path, if (stats::runif(1L) < 0.7) "cifar10" else "cifar100"),
      layer_text_vectorization(vocabulary = path)(c("cat the", "m\u00e4t"))
    )
  }
}

saved <- lapply(models, save_model)
counts <- c(taken = 0, refused = 0)
find <- function(what) cat(sprintf("trial %d (%s): %s\n", number, label, what), file = file.path(folder, "findings"), append = TRUE)
label <- ""
for (number in seq.int(from, to)) {
  set.seed(seed * 1000000 + number)
  writeLines(sprintf("%d trial of seed %d", number, seed), file.path(folder, "call"))
  start <- sum(proc.time()[1:2])
  out <- tryCatch(suppressMessages(trial()), error = identity)
  took <- sum(proc.time()[1:2]) - start
  if (!inherits(out, "error")) {
    counts[["taken"]] <- counts[["taken"]] + 1
  } else if (inherits(out, "lamina_error")) {
    counts[["refused"]] <- counts[["refused"]] + 1
  } else {
    find(sprintf("an error without a class: %s (%s)", conditionMessage(out), deparse(conditionCall(out))[1L]))
  }
  if (took > 2) find(sprintf("took %.1f s", took)) # two threads
}
writeLines(paste(counts, collapse = " "), file.path(folder, "counts"))
