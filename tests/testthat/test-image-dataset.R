# A folder with noise as pictures of two or more classes, in turn.
picture_folder <- function(n = 12, classes = c("b_cross", "a_ring"), size = 8, colour = FALSE, env = parent.frame()) {
  skip_if_not_installed("png")
  folder <- withr::local_tempdir(.local_envir = env)
  set.seed(9)
  for (i in seq_len(n)) {
    class <- classes[(i - 1) %% length(classes) + 1]
    dir.create(file.path(folder, class), showWarnings = FALSE)
    x <- array(round(255 * stats::runif(size^2 * if (colour) 3 else 1)), c(size, size, if (colour) 3)) / 255
    png::writePNG(x, file.path(folder, class, sprintf("%03d.png", i)))
  }
  folder
}

dataset_of <- function(folder, ..., color_mode = "grayscale", image_size = c(8, 8), verbose = FALSE) {
  image_dataset_from_directory(folder, ..., color_mode = color_mode, image_size = image_size, verbose = verbose)
}

# All of a dataset as arrays, in the order of the files.
whole <- function(dataset) dataset$read(seq_len(dataset$samples))

# Counts what is read, and the most at once.
counting <- function(dataset) {
  counts <- list2env(list(reads = 0, most = 0, rows = integer()))
  read <- dataset$read
  dataset$read <- function(rows) {
    counts$reads <- counts$reads + 1
    counts$most <- max(counts$most, length(rows))
    counts$rows <- c(counts$rows, rows)
    read(rows)
  }
  counts
}

small_model <- function(classes = 2, seed = 1, ...) {
  set.seed(seed)
  model <- keras_model_sequential(input_shape = c(8, 8, 1)) |>
    layer_rescaling(1 / 255) |>
    layer_flatten() |>
    layer_dense(classes, activation = "softmax")
  model |> compile(optimizer = optimizer_sgd(0.1), loss = "sparse_categorical_crossentropy", metrics = "accuracy", ...)
  model
}

# ---- the files -----------------------------------------------------------------------------------

test_that("folders are classes, in alphabetical order", {
  folder <- picture_folder(5)
  dir.create(file.path(folder, "a_ring", "deeper"))
  file.copy(file.path(folder, "b_cross", "001.png"), file.path(folder, "a_ring", "deeper", "x.PNG"))
  dir.create(file.path(folder, ".hidden"))
  file.copy(file.path(folder, "b_cross", "001.png"), file.path(folder, ".hidden", "x.png"))
  writeLines("no picture", file.path(folder, "a_ring", "notes.txt"))
  dataset <- dataset_of(folder, batch_size = 4)
  expect_identical(dataset$class_names, c("a_ring", "b_cross"))
  expect_identical(basename(dataset$file_paths), c("002.png", "004.png", "x.PNG", "001.png", "003.png", "005.png"))
  expect_identical(dataset$classes, rep(0:1, each = 3))
  expect_length(dataset, 2)
  expect_identical(dim(dataset[[2]][[1]]), c(2L, 8L, 8L, 1L))
  expect_identical(dataset[[2]][[2]], c(1L, 1L))
  expect_output(print(dataset), "6 samples in 2 batches of 4.*a_ring, b_cross")
  expect_error(dataset[[3]], class = "lamina_error_argument")
  turned <- dataset_of(folder, class_names = c("b_cross", "a_ring"))
  expect_identical(turned$classes, rep(0:1, each = 3))
  expect_identical(basename(turned$file_paths[1]), "001.png")
  expect_message(dataset_of(folder, verbose = TRUE), "6 files of 2 classes")
})

test_that("pictures are what is in the files, resized and coloured as asked", {
  folder <- picture_folder(2, colour = TRUE)
  file <- list.files(folder, recursive = TRUE, full.names = TRUE)[1]
  plain <- 255 * png::readPNG(file)
  expect_equal(whole(dataset_of(folder, color_mode = "rgb"))[[1]][1, , , ], round(plain))
  expect_equal(whole(dataset_of(folder))[[1]][1, , , 1], image_to_array(image_load(file, "grayscale"))[, , 1])
  # halving without smoothing takes the mean of the four in the middle
  half <- whole(dataset_of(folder, color_mode = "rgb", image_size = c(4, 4)))[[1]][1, , , ]
  odd <- seq(1, 8, 2)
  by_hand <- (plain[odd, odd, ] + plain[odd + 1, odd, ] + plain[odd, odd + 1, ] + plain[odd + 1, odd + 1, ]) / 4
  expect_equal(half, by_hand, tolerance = 1e-5)
  nearest <- whole(dataset_of(folder, color_mode = "rgb", image_size = c(4, 4), interpolation = "nearest"))[[1]][1, , , ]
  expect_equal(nearest, round(plain[odd + 1, odd + 1, ]))
  crop <- whole(dataset_of(folder, color_mode = "rgb", image_size = c(8, 4), crop_to_aspect_ratio = TRUE))[[1]][1, , , ]
  expect_equal(crop, round(plain[, 3:6, ]))
  pad <- whole(dataset_of(folder, color_mode = "rgb", image_size = c(8, 12), pad_to_aspect_ratio = TRUE))[[1]][1, , , ]
  expect_equal(pad[, 3:10, ], round(plain))
  expect_equal(max(pad[, c(1, 2, 11, 12), ]), 0)
})

test_that("labels come in every mode", {
  folder <- picture_folder(4)
  y <- function(...) whole(dataset_of(folder, ...))[[2]]
  expect_identical(y(), c(0L, 0L, 1L, 1L))
  expect_equal(y(label_mode = "binary"), matrix(c(0, 0, 1, 1)))
  expect_equal(y(label_mode = "categorical"), cbind(c(1, 1, 0, 0), c(0, 0, 1, 1)))
  expect_length(whole(dataset_of(folder, label_mode = NULL)), 1)
  expect_length(whole(dataset_of(folder, labels = NULL)), 1)
  expect_identical(y(labels = c(2, 0, 1, 0)), c(2L, 0L, 1L, 0L))
  dataset <- dataset_of(folder, labels = factor(c("x", "y", "x", "x")))
  expect_identical(dataset$class_names, c("x", "y"))
  expect_identical(dataset$classes, c(0L, 1L, 0L, 0L))
})

test_that("a split keeps the parts apart", {
  folder <- picture_folder(12)
  part <- function(...) dataset_of(folder, validation_split = 0.25, ...)
  for (shuffle in c(TRUE, FALSE)) {
    training <- part(subset = "training", seed = 3, shuffle = shuffle)
    validation <- part(subset = "validation", seed = 3, shuffle = shuffle)
    expect_identical(c(training$samples, validation$samples), c(9L, 3L))
    expect_setequal(c(training$file_paths, validation$file_paths), dataset_of(folder)$file_paths)
    both <- part(subset = "both", seed = 3, shuffle = shuffle)
    expect_named(both, c("training", "validation"))
    expect_identical(both$training$file_paths, training$file_paths)
    expect_identical(both$validation$classes, validation$classes)
  }
  unseeded <- part(subset = "both")
  expect_length(unique(c(unseeded$training$file_paths, unseeded$validation$file_paths)), 12)
})

# ---- in use --------------------------------------------------------------------------------------

test_that("fit, evaluate and predict do the same with a dataset as with its arrays", {
  folder <- picture_folder(11)
  for (shuffle in c(FALSE, TRUE)) {
    dataset <- dataset_of(folder, batch_size = 4, shuffle = shuffle)
    data <- whole(dataset)
    a <- small_model()
    from_files <- a |> fit(dataset, epochs = 3, validation_data = dataset)
    b <- small_model()
    from_arrays <- b |> fit(data[[1]], data[[2]], epochs = 3, batch_size = 4, shuffle = shuffle, validation_data = data)
    expect_identical(get_weights(a), get_weights(b))
    expect_equal(from_files$metrics, from_arrays$metrics)
    expect_equal(from_files$params$steps, 3)
    expect_equal(evaluate(a, dataset), evaluate(b, data[[1]], data[[2]]))
    expect_equal(evaluate(a, dataset, steps = 2), evaluate(b, data[[1]][1:8, , , , drop = FALSE], data[[2]][1:8]))
    expect_equal(predict(a, dataset), predict(b, data[[1]]), tolerance = 1e-7)
    expect_equal(predict(a, dataset, steps = 1), predict(b, data[[1]][1:4, , , , drop = FALSE]), tolerance = 1e-7)
  }
})

test_that("no more than a batch is read at a time, and everything once an epoch", {
  dataset <- dataset_of(picture_folder(11), batch_size = 4)
  counts <- counting(dataset)
  model <- small_model()
  model |> fit(dataset, epochs = 2)
  expect_identical(counts$reads, 1 + 2 * 3) # one picture to learn the shape
  expect_identical(counts$most, 4)
  epochs <- matrix(counts$rows[-1], 11)
  expect_equal(apply(epochs, 2, sort), matrix(1:11, 11, 2))
  expect_false(identical(epochs[, 1], epochs[, 2]))
  counts$rows <- integer()
  predict(model, dataset)
  expect_identical(as.integer(counts$rows), 1:11)
  counts$reads <- 0
  suppressMessages(model |> fit(dataset, epochs = 1, steps_per_epoch = 2))
  expect_identical(counts$reads, 1 + 2)
})

test_that("the order is that of set.seed(), or of the dataset's own seed", {
  folder <- picture_folder(12)
  order_of <- function(seed, own = NULL) {
    dataset <- dataset_of(folder, batch_size = 5, seed = own)
    counts <- counting(dataset)
    small_model(seed = seed) |> fit(dataset, epochs = 2)
    counts$rows[-1]
  }
  expect_identical(order_of(1), order_of(1))
  expect_false(identical(order_of(1), order_of(2)))
  expect_identical(order_of(1, 7), order_of(2, 7))
  expect_false(identical(order_of(1, 7), order_of(1, 8)))
  dataset <- dataset_of(folder, batch_size = 5)
  counts <- counting(dataset)
  small_model() |> fit(dataset, epochs = 1, shuffle = FALSE)
  expect_identical(as.integer(counts$rows[-1]), 1:12)
})

test_that("callbacks see the batches", {
  dataset <- dataset_of(picture_folder(11), batch_size = 4)
  seen <- c()
  note <- function(what) function(batch, logs = NULL) seen <<- c(seen, paste(what, batch))
  watch <- callback_lambda(on_train_batch_end = note("train"), on_test_batch_end = note("test"),
                           on_predict_batch_end = note("predict"))
  model <- small_model()
  model |> fit(dataset, epochs = 1, callbacks = watch, validation_data = dataset, validation_steps = 2)
  expect_identical(seen, c(paste("train", 1:3), paste("test", 1:2)))
  seen <- c()
  predict(model, dataset, callbacks = watch)
  expect_identical(seen, paste("predict", 1:3))
})

test_that("class weights and losses and metrics of one's own work with datasets", {
  dataset <- dataset_of(picture_folder(9), batch_size = 4, shuffle = FALSE)
  data <- whole(dataset)
  for (weights in list(c(1, 3), list("0" = 2), "balanced")) {
    a <- small_model()
    a |> fit(dataset, epochs = 2, class_weight = weights)
    b <- small_model()
    b |> fit(data[[1]], data[[2]], epochs = 2, batch_size = 4, shuffle = FALSE, class_weight = weights)
    expect_equal(get_weights(a), get_weights(b), tolerance = 1e-6)
  }
  share <- custom_metric("share", function(y_true, y_pred) mean(y_pred[, 1] > 0.5))
  model <- small_model()
  model |> compile(optimizer = "sgd", loss = "sparse_categorical_crossentropy", metrics = list(share))
  history <- model |> fit(dataset, epochs = 1, validation_data = dataset)
  expect_equal(history$metrics$val_share, mean(predict(model, dataset)[, 1] > 0.5))
})

test_that("an unbuilt model learns its shape from a dataset", {
  dataset <- dataset_of(picture_folder(4))
  model <- keras_model_sequential() |> layer_flatten() |> layer_dense(2, activation = "softmax")
  model |> compile(loss = "sparse_categorical_crossentropy")
  model |> fit(dataset, epochs = 1)
  expect_identical(model$output_shape, list(NULL, 2L))
  unbuilt <- keras_model_sequential() |> layer_flatten()
  expect_identical(dim(predict(unbuilt, dataset)), c(4L, 64L))
})

test_that("unlabelled pictures are for predict()", {
  folder <- picture_folder(5)
  unlabelled <- dataset_of(folder, labels = NULL, batch_size = 2)
  model <- small_model()
  expect_equal(predict(model, unlabelled), predict(model, whole(unlabelled)[[1]]), tolerance = 1e-7)
  expect_error(fit(model, unlabelled), class = "lamina_error_argument")
  expect_error(evaluate(model, unlabelled), class = "lamina_error_argument")
})

test_that("evaluate() and predict() take functions that return batches", {
  x <- matrix(seq(-1, 1, length.out = 20), 10)
  y <- rowSums(x)
  batches <- function() {
    at <- 0
    function() {
      at <<- at + 1
      rows <- list(1:3, 4:10)[[(at - 1) %% 2 + 1]]
      list(x[rows, ], y[rows])
    }
  }
  model <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse", metrics = "mae")
  expect_equal(evaluate(model, batches(), steps = 2), evaluate(model, x, y), tolerance = 1e-6)
  expect_equal(predict(model, batches(), steps = 2), predict(model, x), tolerance = 1e-7)
  history <- model |> fit(x, y, validation_data = batches(), validation_steps = 2)
  expect_equal(history$metrics$val_loss, evaluate(model, x, y)$loss, tolerance = 1e-6)
  expect_error(evaluate(model, batches()), class = "lamina_error_argument")
  expect_error(predict(model, batches()), class = "lamina_error_argument")
  expect_error(fit(model, x, y, validation_data = batches()), class = "lamina_error_argument")
})

# ---- what is refused -----------------------------------------------------------------------------

test_that("what a dataset brings cannot be given besides", {
  dataset <- dataset_of(picture_folder(4))
  model <- small_model()
  bad <- function(expr, arg) expect_identical(expect_error(expr, class = "lamina_error_argument")$arg, arg)
  bad(fit(model, dataset, y = 1), "y")
  bad(fit(model, dataset, batch_size = 2), "batch_size")
  bad(fit(model, dataset, sample_weight = 1), "sample_weight")
  bad(fit(model, dataset, validation_split = 0.5), "validation_split")
  bad(evaluate(model, dataset, y = 1), "y")
  expect_identical(model$epoch, 0)
})

test_that("bad folders and arguments are refused", {
  folder <- picture_folder(4)
  bad <- function(arg, ..., class = "lamina_error_argument") {
    expect_identical(expect_error(dataset_of(folder, ...), class = class)$arg, arg)
  }
  bad("labels", labels = 1:3)
  bad("labels", labels = c(0, 1, -1, 0))
  bad("class_names", class_names = c("a_ring", "other"))
  bad("label_mode", label_mode = "one_hot")
  bad("image_size", image_size = 8)
  bad("interpolation", interpolation = "cubic")
  bad("seed", validation_split = 0.5, subset = "training")
  bad("subset", validation_split = 0.5)
  bad("subset", subset = "training")
  bad("validation_split", validation_split = 0.1, subset = "both")
  bad("pad_to_aspect_ratio", crop_to_aspect_ratio = TRUE, pad_to_aspect_ratio = TRUE)
  bad("data_format", data_format = "channels_first")
  expect_error(dataset_of(tempfile()), class = "lamina_error_file")
  expect_error(dataset_of(withr::local_tempdir()), "no PNG or JPEG", class = "lamina_error_file")
  three <- picture_folder(3, classes = c("a", "b", "c"))
  expect_error(dataset_of(three, label_mode = "binary"), class = "lamina_error_argument")
})

test_that("a damaged file is told by name when it is read, and the model is kept", {
  folder <- picture_folder(8)
  dataset <- dataset_of(folder, batch_size = 2, shuffle = FALSE)
  writeBin(as.raw(1:50), dataset$file_paths[5])
  model <- small_model()
  e <- expect_error(fit(model, dataset), class = "lamina_error_file")
  expect_identical(e$path, dataset$file_paths[5])
  expect_true(all(is.finite(unlist(get_weights(model)))))
  expect_error(predict(model, dataset), class = "lamina_error_file")
})
