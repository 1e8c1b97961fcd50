# Models that take texts.

set.seed(1)
reviews <- sim_reviews(1200)
train <- 1:1000
held <- 1001:1200

bag <- function(..., mode = "multi_hot", text = reviews$text[train]) {
  layer <- layer_text_vectorization(output_mode = mode, ...)
  adapt(layer, text)
  layer
}

logistic <- function(front, rate = 0.05) {
  model <- keras_model_sequential(layers = list(front, layer_dense(units = 1, activation = "sigmoid")))
  compile(model, optimizer = optimizer_adam(rate), loss = "binary_crossentropy", metrics = "accuracy")
  model
}

test_that("a model that takes texts learns more than counting words", {
  set.seed(2)
  model <- logistic(bag(ngrams = 2))
  fit(model, reviews$text[train], reviews$label[train], epochs = 15, verbose = 0)
  learned <- evaluate(model, reviews$text[held], reviews$label[held])$accuracy
  counted <- wordlist_classifier(c("good", "great", "lovely"), c("bad", "terrible", "awful"), ties = "positive")
  expect_gt(learned, mean(predict(counted, reviews$text[held], "class") == reviews$label[held]))
  expect_gt(learned, 0.8)
})

test_that("a network that heeds the order of words learns what negations mean", {
  layer <- layer_text_vectorization(output_sequence_length = 32)
  adapt(layer, reviews$text[train])
  set.seed(2)
  model <- keras_model_sequential(layers = list(
    layer, layer_embedding(input_dim = length(get_vocabulary(layer)), output_dim = 16),
    layer_conv_1d(filters = 16, kernel_size = 3, activation = "relu"), layer_global_max_pooling_1d(),
    layer_dense(units = 1, activation = "sigmoid")
  ))
  compile(model, optimizer = optimizer_adam(0.01), loss = "binary_crossentropy", metrics = "accuracy")
  fit(model, reviews$text[train], reviews$label[train], epochs = 15, verbose = 0)
  expect_gt(evaluate(model, reviews$text[held], reviews$label[held])$accuracy, 0.85)
})

test_that("texts and their numbers give the same model", {
  set.seed(2)
  by_text <- logistic(bag(mode = "tf_idf"))
  fit(by_text, reviews$text[train], reviews$label[train], epochs = 2, verbose = 0)
  layer <- bag(mode = "tf_idf")
  by_number <- function(x) {
    set.seed(2)
    model <- keras_model_sequential(input_shape = length(get_vocabulary(layer))) |> layer_dense(units = 1, activation = "sigmoid")
    compile(model, optimizer = optimizer_adam(0.05), loss = "binary_crossentropy", metrics = "accuracy")
    fit(model, x, reviews$label[train], epochs = 2, verbose = 0)
    model
  }
  numbers <- layer(reviews$text[train])
  dense <- by_number(numbers)
  # sums over zeros, too, may be rounded otherwise
  expect_equal(get_weights(by_text), get_weights(dense), tolerance = 1e-5)
  expect_equal(predict(by_text, reviews$text[held]), predict(dense, layer(reviews$text[held])), tolerance = 1e-5)
  skip_if_not_installed("Matrix")
  sparse <- by_number(methods::as(numbers, "CsparseMatrix"))
  expect_identical(get_weights(by_text), get_weights(sparse))
})

test_that("validation, batches, single texts and unseen words", {
  set.seed(2)
  model <- logistic(bag())
  history <- fit(model, reviews$text, reviews$label, epochs = 1, verbose = 0, validation_split = 0.25)
  expect_length(history$metrics$val_accuracy, 1L)
  fit(model, reviews$text[train], reviews$label[train], epochs = 1, verbose = 0,
      validation_data = list(reviews$text[held], reviews$label[held])) |> suppressMessages()
  expect_identical(dim(predict(model, "unheard-of words")), c(1L, 1L))
  expect_identical(predict(model, "qqq"), predict(model, "zzz"))
  expect_equal(predict(model, reviews$text, batch_size = 7), predict(model, reviews$text), tolerance = 1e-6)
  expect_identical(predict_on_batch(model, reviews$text[1:3]), predict(model, reviews$text[1:3]))
  expect_equal(predict(model, data.frame(text = reviews$text[1:3])), predict(model, reviews$text[1:3]))
  expect_type(train_on_batch(model, reviews$text[1:8], as.integer(reviews$label[1:8]) - 1)$loss, "double")
  expect_type(test_on_batch(model, reviews$text[1:8], as.integer(reviews$label[1:8]) - 1)$loss, "double")
})

test_that("datasets and functions may give texts", {
  labels <- as.integer(reviews$label) - 1
  dataset <- lamina:::new_dataset(400, 50, function(rows) list(reviews$text[rows], labels[rows]))
  set.seed(2)
  model <- logistic(bag())
  fit(model, dataset, epochs = 2, verbose = 0, shuffle = FALSE, validation_data = dataset)
  set.seed(2)
  whole <- logistic(bag())
  fit(whole, reviews$text[1:400], labels[1:400], epochs = 2, batch_size = 50, verbose = 0, shuffle = FALSE)
  expect_identical(get_weights(model), get_weights(whole))
  expect_equal(predict(model, dataset), predict(model, reviews$text[1:400]), tolerance = 1e-6)
  expect_equal(evaluate(model, dataset), evaluate(model, reviews$text[1:400], labels[1:400]), tolerance = 1e-6)
  batch <- 0
  next_batch <- function() {
    rows <- batch %% 8 * 50 + 1:50
    batch <<- batch + 1
    list(reviews$text[rows], labels[rows])
  }
  fit(model, next_batch, steps_per_epoch = 8, epochs = 1, verbose = 0) |> suppressMessages()
  expect_true(all(is.finite(predict(model, next_batch, steps = 2))))
})

test_that("numbers of words go in as a matrix of a fixed width", {
  layer <- layer_text_vectorization(output_sequence_length = 6)
  adapt(layer, reviews$text)
  model <- keras_model_sequential(layers = list(layer, layer_dense(units = 2)))
  expect_identical(model$shape, 6)
  weights <- list(diag(6)[, 1:2], c(0, 0))
  set_weights(model, weights)
  text <- c(reviews$text[1:2], "the")
  expect_equal(predict(model, text), layer(text)[, 1:2] * 1, tolerance = 1e-6)
})

test_that("without a length the first data decide, and longer texts are cut", {
  layer <- layer_text_vectorization(vocabulary = c("a", "b"))
  model <- keras_model_sequential(layers = list(layer, layer_dense(units = 1, use_bias = FALSE, kernel_initializer = "ones")))
  compile(model, loss = "mse", optimizer = optimizer_sgd(0))
  expect_output(print(model), "unbuilt")
  expect_message(fit(model, c("a b a", "b"), 1:2, verbose = 0), class = "lamina_message_length")
  expect_identical(predict(model, c("a", "a a a b b b")), matrix(c(2, 6)))
})

test_that("the text layer is one of the model's layers", {
  layer <- bag()
  model <- logistic(layer)
  expect_length(model$layers, 2L)
  expect_identical(model$layers[[1]]$name, "text_vectorization")
  expect_identical(model$layers[[1]]$output_shape, list(NULL, length(get_vocabulary(layer))))
  expect_identical(model$input_shape, list(NULL, 1L))
  expect_identical(get_layer(model, index = 1)$name, get_layer(model, "text_vectorization")$name)
  expect_identical(get_layer(model, index = -1)$name, "dense")
  expect_output(print(model), "text_vectorization")
  expect_identical(count_params(model), length(get_vocabulary(layer)) + 1)
  expect_identical(get_vocabulary(model$layers[[1]]), get_vocabulary(layer))
  freeze_weights(model, from = 2)
  expect_length(get_weights(model, trainable = TRUE), 0L)
  unfreeze_weights(model)
  expect_length(get_weights(model, trainable = TRUE), 2L)
  pop_layer(model)
  expect_length(model$layers, 1L)
  pop_layer(model)
  expect_length(model$layers, 0L)
  # both are free again
  expect_length(logistic(layer)$layers, 2L)
})

test_that("a text layer can be piped, before it is adapted", {
  model <- keras_model_sequential() |> layer_text_vectorization(output_mode = "count", name = "words") |> layer_dense(1)
  expect_null(model$shape)
  adapt(get_layer(model, "words"), c("a b", "a"))
  expect_identical(model$shape, 3)
  expect_identical(dim(predict(model, "a")), c(1L, 1L))
  strings <- keras_model_sequential(layers = list(keras_input(shape = 1, dtype = "string"), bag(), layer_dense(units = 1)))
  expect_identical(dim(predict(strings, "a")), c(1L, 1L))
})

test_that("models with texts survive saving, copying and fresh memory", {
  text <- c("\u00c4pfel sind gut", "\u0416\u0443\u043a \U0001F600", "gut gut")
  layer <- bag(text = text, ngrams = 2, standardize = function(x) tolower(x))
  model <- logistic(layer)
  fit(model, text, c(0, 1, 0), epochs = 1, verbose = 0)
  expected <- predict(model, text)
  path <- withr::local_tempfile()
  saveRDS(model, path)
  again <- readRDS(path)
  expect_identical(predict(again, text), expected)
  expect_identical(get_vocabulary(again$layers[[1]]), get_vocabulary(layer))
  fit(again, text, c(0, 1, 0), epochs = 2, verbose = 0) |> suppressMessages()

  plain <- logistic(bag(text = text))
  loaded <- load_model(save_model(plain))
  expect_identical(predict(loaded, text), predict(plain, text))
  expect_identical(get_vocabulary(loaded$layers[[1]]), get_vocabulary(plain$layers[[1]]))
  expect_error(load_model(save_model(model)), class = "lamina_error_file")
  expect_identical(predict(load_model(save_model(model), safe_mode = FALSE), text), expected)

  twin <- clone_model(plain)
  set_weights(twin, get_weights(plain))
  expect_identical(predict(twin, text), predict(plain, text))
})

test_that("outputs of layers and gradients see the numbers", {
  model <- logistic(bag())
  text <- reviews$text[1:3]
  expect_equal(layer_outputs(model, text), predict(model, text), tolerance = 1e-6)
  gradients <- compute_gradients(model, text, c(0, 1, 1))
  by_hand <- crossprod(unname(model$layers[[1]](text)), (predict(model, text) - c(0, 1, 1)) / 3)
  expect_equal(gradients$weights[[1]], by_hand, tolerance = 1e-5)
  expect_error(layer_outputs(model, text, "text_vectorization"), class = "lamina_error_argument")
})

test_that("wrong uses are refused and change nothing", {
  model <- logistic(bag())
  before <- get_weights(model)
  for (bad in list(1:3, matrix(0, 2, model$shape), c("a", NA), TRUE, "\xe4")) {
    expect_error(predict(model, bad), class = "lamina_error_data")
    expect_error(fit(model, bad, rep(0, length(bad)), verbose = 0), class = "lamina_error_data")
  }
  expect_error(predict(model, character()), class = "lamina_error_data")
  expect_error(fit(model, reviews$text[1:3], 0:1, verbose = 0), class = "lamina_error_data")
  expect_error(adapt(model$layers[[1]], c("a", "b")), class = "lamina_error_state")
  expect_error(set_vocabulary(model$layers[[1]], c("a", "b")), class = "lamina_error_state")
  expect_identical(get_weights(model), before)
  expect_identical(dim(predict(model, "a")), c(1L, 1L))

  fresh <- logistic(layer_text_vectorization())
  error <- expect_error(fit(fresh, "a", 0, verbose = 0), class = "lamina_error_state")
  expect_match(conditionMessage(error), "adapt")

  numbers <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
  expect_error(layer_text_vectorization(numbers), class = "lamina_error_state")
  expect_length(numbers$layers, 1L)
  error <- expect_error(predict(numbers, c("a", "b")), class = "lamina_error_data")
  expect_match(conditionMessage(error), "layer_text_vectorization")
  expect_error(keras_model_sequential(layers = list(bag(), bag())), class = "lamina_error_state")
  expect_error(keras_model_sequential(layers = list(bag(), keras_input(3))), class = "lamina_error_state")
  expect_error(keras_input(shape = 1, dtype = "text"), class = "lamina_error_argument")
})

test_that("pictures and activations know the layer in front", {
  layer <- layer_text_vectorization(vocabulary = c("a", "b"), output_sequence_length = 3)
  model <- keras_model_sequential(layers = list(layer, layer_dense(units = 2, name = "two"), layer_dense(units = 1)))
  set_weights(model, list(diag(3)[, 1:2], c(0, 0), matrix(1, 2, 1), 0))
  expect_equal(activations(model, "b a", "two")$two, matrix(c(3, 2), 1), ignore_attr = TRUE)
  expect_identical(activations(model, "b a", 2), activations(model, "b a", "two"))
  expect_identical(activations(model, "b a", -2), activations(model, "b a", "two"))
  expect_error(activations(model, "b a", 1), class = "lamina_error_argument")
  blocks <- lamina:::model_blocks(model, list(names = FALSE, dtype = TRUE, shapes = TRUE))
  expect_identical(vapply(blocks, `[[`, "", "title"), c("Input", "TextVectorization", "Dense", "Dense"))
  expect_identical(blocks[[1]]$lines, c("texts", "string"))
  expect_identical(blocks[[2]]$lines, c("(None, 3)", "float32"))
})
