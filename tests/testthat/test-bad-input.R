# What is refused: by class, with the argument's name, leaving the model as it was.

x <- wave_matrix(10, 4)
y <- (0:9) %% 3

classifier <- function(loss = "sparse_categorical_crossentropy", units = 3, activation = "softmax") {
  model <- ref_model(ref_net(c(4, 5, units), c("relu", activation)))
  model |> compile(loss = loss)
  model
}

# Each refused by fit(), with this class and argument; the text holds `say`.
expect_refused <- function(model, ..., class = "lamina_error_argument", arg, say = NULL) {
  error <- refused(model, fit(model, ...), class, arg)
  expect_false(is.null(error$expected))
  expect_false(is.null(error$actual))
  if (!is.null(say)) expect_match(conditionMessage(error), say, fixed = TRUE)
  expect_identical(as.character(error$call[[1L]]), "fit")
  invisible(error)
}

test_that("missing and infinite inputs: columns named, rows counted", {
  model <- classifier()
  colnames(x) <- c("age", "bmi", "bp", "chol")
  for (hole in c(NA, NaN, Inf, -Inf, 1e300)) {
    bad <- x
    bad[2, 3] <- hole
    bad[4, c(1, 3)] <- hole
    verbs <- list(fit, evaluate, train_on_batch, test_on_batch, compute_gradients)
    for (call in if (identical(hole, NA)) verbs else verbs[1]) {
      error <- refused(model, call(model, bad, y), "lamina_error_data", "x")
      expect_identical(error$columns, c("age", "bp"))
      expect_equal(error$rows, 2)
      expect_match(conditionMessage(error), "2 of 10 rows have, in columns age, bp", fixed = TRUE)
    }
    for (call in list(predict, predict_on_batch)) {
      expect_identical(refused(model, call(model, bad), "lamina_error_data", "x")$columns, c("age", "bp"))
    }
    if (abs(hole) > 1e301 || is.na(hole)) refused(model, layer_outputs(model, bad), "lamina_error_data", "x")
  }
  bad <- as.data.frame(x)
  bad$bmi[7] <- NA
  expect_identical(refused(model, fit(model, bad, y), "lamina_error_data", "x")$columns, "bmi")
  whole <- matrix(c(1L, NA, rep(2L, 38)), 10)
  expect_equal(refused(model, fit(model, whole, y), "lamina_error_data", "x")$columns, 1)
  refused(model, fit(model, whole > 1, y), "lamina_error_data", "x")
})

test_that("inputs that are no numbers", {
  model <- classifier()
  frame <- data.frame(a = 1:10, b = letters[1:10], c = factor(y), d = 0)
  error <- expect_refused(model, frame, y, class = "lamina_error_data", arg = "x", say = "column `c` is of class factor")
  expect_identical(error$columns, c("b", "c"))
  expect_refused(model, letters[1:10], y, class = "lamina_error_data", arg = "x")
  expect_refused(model, factor(y), y, class = "lamina_error_data", arg = "x", say = "model.matrix")
  expect_refused(model, list(1:3, 2:4), y, class = "lamina_error_data", arg = "x", say = "pad_sequences")
  expect_refused(model, NULL, y, arg = "x")
  expect_refused(model, matrix("a", 10, 4), y, class = "lamina_error_data", arg = "x")
})

test_that("wrong numbers of rows and columns", {
  model <- classifier()
  expect_refused(model, x, y[1:7], class = "lamina_error_data", arg = "y", say = "`y` has 7 samples, but `x` has 10")
  expect_refused(model, x, c(y, y), class = "lamina_error_data", arg = "y", say = "20")
  expect_refused(model, x[, 1:3], y, class = "lamina_error_shape", arg = "x", say = "must have 4 columns")
  expect_refused(model, array(0, c(10, 2, 2)), y, class = "lamina_error_shape", arg = "x", say = "array_reshape()")
  expect_refused(model, x[0, ], y[0], class = "lamina_error_data", arg = "x", say = "no rows")
  expect_refused(model, array(0, rep(1, 6)), y, class = "lamina_error_shape", arg = "x")
  error <- refused(model, predict(model, x[1, ]), "lamina_error_shape", "x")
  expect_match(conditionMessage(error), "matrix(x, nrow = 1)", fixed = TRUE)
  refused(model, predict(model, x[0, , drop = FALSE]), "lamina_error_data", "x")
  refused(model, predict(model), "lamina_error_argument", "x")
  refused(model, evaluate(model, x), "lamina_error_argument", "y")
  refused(model, evaluate(model, x, y[1:3]), "lamina_error_data", "y")
})

test_that("labels outside the classes say what is likely meant", {
  model <- classifier()
  expect_refused(model, x, y + 3, class = "lamina_error_data", arg = "y", say = "classes from 0 to 2")
  expect_refused(model, x, y - 1, class = "lamina_error_data", arg = "y", say = "-1 in row 1")
  expect_refused(model, x, y / 2, class = "lamina_error_data", arg = "y", say = "0.5")
  expect_refused(model, x, c(0, 1, 2, 3, 3, 3, 0, 0, 0, 0), class = "lamina_error_data", arg = "y", say = "units = 4")
  expect_refused(model, x, c(1, 1, 2, 3, 3, 4, 2, 2, 2, 1), class = "lamina_error_data", arg = "y", say = "units = 4")
  expect_refused(model, x, factor(letters[1:10]), class = "lamina_error_data", arg = "y", say = "units = 10")
  expect_refused(model, x, factor(y, levels = 0:5), class = "lamina_error_data", arg = "y", say = "droplevels()")
  expect_refused(model, x, letters[y + 1], class = "lamina_error_data", arg = "y", say = "factor(y)")
  error <- refused(model, evaluate(model, x, y + 1), "lamina_error_data", "y")
  expect_match(conditionMessage(error), "count from 0", fixed = TRUE)
  refused(model, train_on_batch(model, x, y + 1), "lamina_error_data", "y")
  one <- classifier("binary_crossentropy", 1, "sigmoid")
  expect_refused(one, x, y, class = "lamina_error_data", arg = "y", say = "softmax")
  expect_refused(one, x, factor(y), class = "lamina_error_data", arg = "y", say = "units = 3")
  expect_refused(one, x, sign(y - 0.5), class = "lamina_error_data", arg = "y", say = "(y + 1) / 2")
})

test_that("targets with gaps, of the wrong kind or shape", {
  model <- classifier()
  expect_refused(model, x, replace(y, 2, NA), class = "lamina_error_data", arg = "y", say = "1 of 10 rows has")
  expect_refused(model, x, replace(y, 2:3, Inf), class = "lamina_error_data", arg = "y", say = "2 of 10 rows have")
  expect_refused(model, x, factor(replace(y, 2, NA)), class = "lamina_error_data", arg = "y", say = "no NA")
  expect_refused(model, x, NULL, arg = "y")
  expect_refused(model, x, as.Date("2020-01-01") + y, class = "lamina_error_data", arg = "y")
  expect_refused(model, x, mean, class = "lamina_error_data", arg = "y")
  expect_refused(model, x, to_categorical(y), class = "lamina_error_shape", arg = "y", say = "categorical_crossentropy")
  hot <- classifier("categorical_crossentropy")
  expect_refused(hot, x, y, class = "lamina_error_shape", arg = "y", say = "to_categorical()")
  expect_refused(hot, x, to_categorical(y, 4), class = "lamina_error_shape", arg = "y")
  expect_refused(classifier("binary_crossentropy", 1, "sigmoid"), x, to_categorical(y %% 2), class = "lamina_error_shape", arg = "y")
  expect_refused(classifier("mse", 1, "linear"), x, y * 1e300, class = "lamina_error_data", arg = "y")
})

test_that("negative targets for losses with a logarithm", {
  for (loss in c("msle", "poisson")) {
    expect_refused(classifier(loss, 1, "exponential"), x, y - 5, class = "lamina_error_data", arg = "y", say = "at least 0")
  }
  expect_refused(classifier("kld"), x, -to_categorical(y), class = "lamina_error_data", arg = "y")
  expect_refused(classifier("categorical_crossentropy"), x, -to_categorical(y), class = "lamina_error_data", arg = "y")
})

test_that("numbers of epochs, batches and the rest of fit()'s arguments", {
  model <- classifier()
  for (bad in list(0, -1, 1.5, "3", NA, Inf, c(1, 2), NULL)) expect_refused(model, x, y, epochs = bad, arg = "epochs")
  for (bad in list(0, -1, 1.5, "3", NA)) expect_refused(model, x, y, batch_size = bad, arg = "batch_size")
  for (bad in list(1, 0.95, 1.5, -0.1, NA, "a")) expect_refused(model, x, y, validation_split = bad, arg = "validation_split")
  expect_refused(model, x, y, initial_epoch = 0, arg = "initial_epoch")
  expect_refused(model, x, y, initial_epoch = 4, epochs = 3, arg = "initial_epoch")
  expect_refused(model, x, y, shuffle = NA, arg = "shuffle")
  expect_refused(model, x, y, verbose = 7, arg = "verbose")
  expect_refused(model, x, y, callbacks = "early", arg = "callbacks")
  expect_refused(model, x, y, steps_per_epoch = 0, arg = "steps_per_epoch")
  expect_refused(model, x, y, validation_freq = "a", arg = "validation_freq")
  expect_refused(model, x, y, validation_steps = 0, arg = "validation_steps")
})

test_that("unknown arguments are named, with the nearest one", {
  model <- classifier()
  expect_refused(model, x, y, epoch = 3, arg = "epoch", say = "`epochs`")
  expect_refused(model, x, y, batchsize = 3, arg = "batchsize", say = "`batch_size`")
  expect_refused(model, x, y, nonsense = 3, arg = "nonsense")
  expect_refused(model, x, y, 3, arg = "...", say = "without a name")
  refused(model, compile(model, loss = "mse", metric = "mae", foo = 1), "lamina_error_argument")
  refused(model, predict(model, x, size = 3), "lamina_error_argument", "size")
  refused(model, evaluate(model, x, y, size = 3), "lamina_error_argument", "size")
  refused(model, layer_dense(model, units = 2, activatoin = "relu"), "lamina_error_argument", "activatoin")
})

test_that("validation data are checked before training, and named", {
  model <- classifier()
  colnames(x) <- letters[1:4]
  expect_refused(model, x, y, validation_data = x, arg = "validation_data")
  expect_refused(model, x, y, validation_data = list(x), arg = "validation_data")
  expect_refused(model, x, y, validation_data = list(x[, 1:2], y), class = "lamina_error_shape", arg = "validation_data[[1]]")
  expect_refused(model, x, y, validation_data = list(x, y[1:3]), class = "lamina_error_data", arg = "validation_data[[2]]")
  expect_refused(model, x, y, validation_data = list(x, y + 5), class = "lamina_error_data", arg = "validation_data[[2]]")
  expect_refused(model, x, y, validation_data = list(replace(x, 3, NA), y), class = "lamina_error_data", arg = "validation_data[[1]]")
  expect_refused(model, x, y, validation_data = list(x, y, 1:3), class = "lamina_error_data", arg = "validation_data[[3]]")
  expect_refused(model, x, factor(y), validation_data = list(x, factor(letters[y + 1])), class = "lamina_error_data",
                 arg = "validation_data[[2]]", say = "levels 0, 1, 2")
})

test_that("weights of classes and samples", {
  model <- classifier()
  expect_refused(model, x, y, class_weight = list("7" = 1), arg = "class_weight", say = "Known: 0, 1, 2")
  expect_refused(model, x, factor(c("lo", "mid", "hi")[y + 1]), class_weight = list(low = 1), arg = "class_weight", say = "\"lo\"")
  expect_refused(model, x, y, class_weight = "balance", arg = "class_weight")
  expect_refused(model, x, y, class_weight = c(1, 2), arg = "class_weight", say = "3 numbers")
  expect_refused(model, x, y, class_weight = list("0" = -1), arg = "class_weight")
  expect_refused(classifier("mse", 1, "linear"), x, y / 7, class_weight = "balanced", arg = "class_weight")
  expect_refused(model, x, y, sample_weight = 1:3, class = "lamina_error_data", arg = "sample_weight", say = "10 numbers")
  expect_refused(model, x, y, sample_weight = replace(1:10, 3, NA), class = "lamina_error_data", arg = "sample_weight", say = "row 3")
  expect_refused(model, x, y, sample_weight = letters[1:10], class = "lamina_error_data", arg = "sample_weight")
})

test_that("what needs a compiled model, layers or weights says so", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  for (call in list(fit, evaluate, train_on_batch, test_on_batch, compute_gradients)) {
    refused(model, call(model, x, y), "lamina_error_state")
  }
  empty <- keras_model_sequential()
  empty |> compile(loss = "mse")
  for (call in list(fit, evaluate, train_on_batch)) {
    expect_match(conditionMessage(refused(empty, call(empty, x, y), "lamina_error_state")), "no layers")
  }
  waiting <- keras_model_sequential() |> layer_dense(2)
  for (call in list(get_weights, count_params, reset_weights)) refused(waiting, call(waiting), "lamina_error_state")
  refused(waiting, set_weights(waiting, list()), "lamina_error_state")
  refused(keras_model_sequential(), pop_layer(empty), "lamina_error_state")
  for (call in list(get_weights, count_params, clone_model, pop_layer, freeze_weights, reset_weights)) {
    expect_error(call(3), class = "lamina_error_argument")
  }
})

test_that("a refused call leaves a model that waits for its shapes waiting", {
  for (bad in list(list(x, y + 3), list(x, to_categorical(y)), list(replace(x, 1, NA), y), list(x, y[1:3]))) {
    model <- keras_model_sequential() |> layer_dense(3, activation = "softmax")
    model |> compile(loss = "sparse_categorical_crossentropy")
    for (call in list(fit, evaluate, train_on_batch, compute_gradients)) {
      refused(model, call(model, bad[[1L]], bad[[2L]]), "lamina_error")
    }
    expect_null(model$shape)
    # and takes the right data of another width afterwards
    expect_no_error(fit(model, x[, 1:2], y))
  }
})

test_that("every refusal leaves a trained model's weights, state and history", {
  model <- classifier()
  model |> fit(x, y, epochs = 2)
  expect_refused(model, x, y + 3, class = "lamina_error_data", arg = "y")
  expect_refused(model, x, y, epochs = 0, arg = "epochs")
  refused(model, compile(model, loss = "none such"), "lamina_error_argument", "loss")
  refused(model, compile(model, optimizer = "adm", loss = "mse"), "lamina_error_argument", "optimizer")
  refused(model, set_weights(model, list(1)), "lamina_error_shape", "weights")
  refused(model, layer_dense(model, units = 0), "lamina_error_argument", "units")
  refused(model, layer_reshape(model, c(2, 7)), "lamina_error_shape")
  refused(model, load_model_weights(model, as.raw(1:9)), "lamina_error_file")
  refused(model, layer_dense(model, units = 2, name = "dense"), "lamina_error_argument", "name")
  expect_length(model$layers, 2L)
})
