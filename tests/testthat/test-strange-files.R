# Files from strangers.

test_that("whatever is in a file: a model, an array, a vocabulary, or a classed error, within a second", {
  skip_strangers()
  found <- run_strangers("files.R", 1, stress_trials(5000), 1)
  expect_identical(found$findings, character())
  expect_gt(found$counts[1], 20)
  expect_gt(found$counts[2], 100)
})

# A file as save_model() writes it, of other values: right checksum, wrong content.
altered <- function(change, model = small, kind = "model") {
  bytes <- switch(kind, model = save_model(model), config = save_model_config(model), weights = save_model_weights(model))
  lamina:::pack_file(kind, change(lamina:::unpack_file(bytes, kind)))
}

small_model <- function(...) {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 4) |> layer_dense(3, activation = "relu") |> layer_dense(1)
  model |> compile(optimizer = optimizer_adam(...), loss = "mse")
  model |> fit(matrix(0, 4, 4), numeric(4), epochs = 1)
  model
}

small <- small_model(use_ema = TRUE)

# Refused as a file, within a second and without taking memory: much less than what was asked for.
expect_refused <- function(bytes, load = load_model, info = NULL) {
  gc(reset = TRUE)
  before <- gc()[2L, 2L]
  took <- system.time(error <- tryCatch(load(bytes), error = identity))
  expect_true(inherits(error, "lamina_error_file"), info = info)
  expect_lt(sum(took[1:2]), 1)
  expect_lt(gc()[2L, 6L] - before, 50)
}

# v with a value at the end of a path.
put <- function(v, path, value) {
  if (length(path) == 1L) v[path[[1L]]] <- list(value) else v[[path[[1L]]]] <- put(v[[path[[1L]]]], path[-1L], value)
  v
}

set <- function(value, ...) function(v) put(v, list(...), value)

test_that("sizes that the file's weights do not fill are refused before anything is built", {
  for (units in c(4, 1e6, 1e9, 1e12, 9e15, 1e300)) {
    expect_refused(altered(set(units, "layers", 1, "config", "units")))
  }
  for (shape in list(3, 1e9, 1e12, c(1e6, 1e6, 4), c(1e9, 1e9, 1e9, 4))) {
    expect_refused(altered(set(shape, "shape")))
  }
  expect_refused(altered(function(v) put(v, list("state", "weights"), v$state$weights[-1L])))
  # a configuration alone: its shapes are worked out, its weights are not made
  tiny <- altered(set(1e9, "layers", 1, "config", "units"), kind = "config")
  before <- gc(reset = TRUE)[2L, 2L]
  expect_identical(load_model_config(tiny)$layers[[1L]]$output_shape[[2L]], 1e9L)
  expect_lt(gc()[2L, 6L] - before, 50)
  expect_refused(altered(set(1e12, "layers", 1, "config", "units"), kind = "config"), load = load_model_config)
})

test_that("values of another form are refused", {
  # of the file
  for (change in list(function(v) 1, function(v) NULL, unname, function(v) v[-1L], function(v) c(v, v["name"]), as.character)) {
    expect_refused(altered(change))
  }
  expect_s3_class(load_model(altered(rev)), "lamina_model")
  # at a path: a value of another type, length or name
  layer <- function(...) list("layers", 1, ...)
  wrong <- list(
    list("name", NA_character_), list("name", 1), list("shape", "a"), list("shape", numeric(9)), list("shape", -1), list("shape", NaN),
    list("batch_size", -1), list("batch_size", "a"), list("layers", list(1)), list("layers", 1), list("layers", NULL),
    layer("type", "no such layer"), layer("type", NA_character_), layer("type", NULL), layer("type", "text_vectorization"),
    layer("class", c("a", "b")), layer("name", 1), layer("name", "dense_1"), layer("trainable", NA), layer("trainable", "yes"),
    layer("config", 1), layer("config", NULL), layer("config", "activation", "relu"), layer("config", "activation", list(type = 1)),
    layer("config", "activation", list(type = "none")), layer("config", "units", "3"), layer("config", "units", NaN), layer("config", "units", -1),
    layer("config", "units", c(3, 3)), layer("config", "unknown", 1), layer("config", "kernel_initializer", list(type = "none", config = list())),
    layer("functions", 1), layer("functions", list(1)), layer("functions", list(activation = 1)),
    list("state", 1), list("state", "weights", NULL), list("state", "weights", 1:10), list("state", "seed", NaN), list("state", "seed", "a"),
    list("state", "slots", list(1)), list("state", "slots", 1), list("state", "slots", 1, as.raw(1:3)), list("state", "batches", -1), list("state", "averaged", 7),
    list("epoch", "a"), list("epoch", 1e300), list("epoch", -1), list("history", 1), list("history", "metrics", list(loss = "a")),
    list("history", "metrics", list(loss = 1, mae = 1:2)), list("history", "params", list(epochs = list())),
    list("compiled", 1), list("compiled", "optimizer", list(type = "none")), list("compiled", "optimizer", NULL), list("compiled", "optimizer", "config", "beta_1", "a"),
    list("compiled", "loss", 1), list("compiled", "loss", "none"), list("compiled", "loss", NULL), list("compiled", "has_own_loss", TRUE),
    list("compiled", "sum_loss", NA), list("compiled", "metrics", list(1)), list("compiled", "precision", "float8"), list("compiled", "own_metric_names", "none")
  )
  for (at in wrong) {
    bytes <- altered(function(v) put(v, at[-length(at)], at[[length(at)]]))
    expect_refused(bytes, info = paste(deparse(at), collapse = ""))
  }
  for (change in list(function(v) 1, function(v) lapply(v, as.character), unname, function(v) lapply(v, `*`, NA), function(v) c(v, v))) {
    error <- tryCatch(load_model_weights(small_model(), altered(change, kind = "weights")), error = identity)
    expect_s3_class(error, "lamina_error_file")
  }
})

test_that("values that no file can have are not written", {
  none <- "a\xff"
  for (encoding in c("UTF-8", "bytes")) {
    Encoding(none) <- encoding
    expect_error(.Call(lamina:::ffi_encode, list(none)), class = "lamina_error")
  }
  expect_error(.Call(lamina:::ffi_encode, stats::setNames(list(1), NA)), class = "lamina_error_file")
  deep <- list()
  for (i in 1:70) deep <- list(deep)
  expect_error(.Call(lamina:::ffi_encode, deep), class = "lamina_error_file")
  expect_error(.Call(lamina:::ffi_encode, quote(a)), class = "lamina_error_file")
})

test_that("a vocabulary in a file must be one", {
  words <- layer_text_vectorization(output_mode = "tf_idf")
  adapt(words, c("a b c", "b d"))
  model <- keras_model_sequential(layers = list(words, layer_dense(units = 1)))
  predict(model, "a")
  back <- load_model(save_model(model))
  expect_identical(predict(back, c("a b", "d")), predict(model, c("a b", "d")))
  for (vocabulary in list(c("a", "a"), c("a", NA), "", 1, character(), list("a"))) {
    expect_refused(altered(set(vocabulary, "layers", 1, "config", "vocabulary"), model))
  }
  for (idf in list(1, NULL, rep(NaN, 5), rep("a", 5))) {
    expect_refused(altered(set(idf, "layers", 1, "config", "idf"), model))
  }
  expect_refused(altered(set("none", "layers", 1, "config", "output_mode"), model))
  expect_refused(altered(set(7, "layers", 1, "config", "standardize"), model))
})

test_that("a vocabulary's file in another encoding is refused, one with a byte order mark is not", {
  path <- withr::local_tempfile()
  read <- function(bytes) {
    writeBin(as.raw(bytes), path)
    get_vocabulary(layer_text_vectorization(vocabulary = path), include_special_tokens = FALSE)
  }
  expect_identical(read(c(0xef, 0xbb, 0xbf, 0x61, 0x0a, 0x62, 0x0a)), c("a", "b"))
  expect_identical(read(c(0xc3, 0xa9, 0x0a, 0x62)), c("\u00e9", "b"))
  expect_error(read(c(0xe9, 0x0a, 0x62, 0x0a)), class = "lamina_error_data")
  expect_error(read(c(0x61, 0x0a, 0xff, 0xfe)), class = "lamina_error_data")
})

test_that("headers of pictures' files that promise more than there is are refused", {
  path <- withr::local_tempfile()
  refuse_idx <- function(...) {
    writeBin(as.raw(c(...)), path)
    gc(reset = TRUE)
    before <- gc()[2L, 2L]
    expect_error(read_idx(path), class = "lamina_error_file")
    expect_lt(gc()[2L, 6L] - before, 100)
  }
  most <- c(127, 255, 255, 255)
  refuse_idx(0, 0, 8, 1, most)
  refuse_idx(0, 0, 14, 4, most, most, most, most)
  refuse_idx(0, 0, 8, 255, rep(most, 255))
  writeBin(as.raw(c(0, 0, 8, 255, rep(most, 254), 0, 0, 0, 0)), path) # the product is infinite, then NaN
  expect_length(read_idx(path), 0)
  refuse_idx(0, 0, 8, 2, 255, 255, 255, 255, 0, 0, 0, 0)
})
