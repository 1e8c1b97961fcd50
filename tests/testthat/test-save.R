x <- wave_matrix(12, 4)
y <- (0:11) %% 3

trained_model <- function() {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 4, name = "mine") |>
    layer_dense(5, activation = "relu", name = "hidden", kernel_regularizer = regularizer_l1_l2(0.01, 0.02),
                kernel_constraint = constraint_maxnorm(2), kernel_initializer = initializer_he_normal(seed = 3)) |>
    layer_dropout(0.2) |>
    layer_activation_leaky_relu() |>
    layer_dense(3, activation = "softmax", trainable = FALSE)
  model |> compile(optimizer = optimizer_adam(learning_rate_schedule_cosine_decay(0.01, 100)),
                   loss = loss_sparse_categorical_crossentropy(), metrics = list("accuracy", top = metric_sparse_top_k_categorical_accuracy(k = 2)))
  model |> fit(x, y, epochs = 2)
  model
}

test_that("a saved model comes back whole", {
  model <- trained_model()
  path <- withr::local_tempfile(fileext = ".keras")
  out <- withVisible(save_model(model, path))
  expect_false(out$visible)
  expect_identical(out$value, path)
  for (back in list(load_model(path), load_model(save_model(model)))) {
    expect_identical(get_weights(back), get_weights(model))
    expect_identical(predict(back, x), predict(model, x))
    expect_identical(evaluate(back, x, y), evaluate(model, x, y))
    expect_identical(format(back), format(model))
    expect_equal(back$history, model$history)
    expect_s3_class(back$history, "lamina_history")
    expect_equal(back$epoch, 2)
    expect_identical(back$name, "mine")
    expect_false(get_layer(back, index = -1)$trainable)
    expect_identical(back$compiled[names(model$compiled)], model$compiled)
  }
})

test_that("compile = FALSE leaves the compilation out", {
  back <- load_model(save_model(trained_model()), compile = FALSE)
  expect_error(fit(back, x, y), class = "lamina_error_state")
  expect_identical(predict(back, x), predict(trained_model(), x))
})

test_that("models without weights, shapes or compilation are saved too", {
  waiting <- keras_model_sequential() |> layer_dense(3)
  back <- load_model(save_model(waiting))
  expect_identical(format(back), format(waiting))
  expect_identical(dim(predict(back, x)), c(12L, 3L))
  bare <- keras_model_sequential(input_shape = 4) |> layer_dense(3)
  expect_identical(get_weights(load_model(save_model(bare))), get_weights(bare))
})

test_that("saveRDS() keeps a model, its layers and its history together", {
  model <- trained_model()
  back <- unserialize(serialize(model, NULL))
  expect_identical(get_weights(back), get_weights(model))
  expect_identical(predict(back, x), predict(model, x))
  expect_identical(back$layers[[1L]]$get_weights(), model$layers[[1L]]$get_weights())
  set_weights(back, lapply(get_weights(back), function(w) w * 0))
  expect_false(identical(get_weights(back), get_weights(model)))
})

test_that("files are not overwritten unasked, and replaced whole", {
  model <- trained_model()
  path <- withr::local_tempfile()
  save_model(model, path)
  size <- file.size(path)
  expect_error(save_model(model, path), "overwrite = TRUE", class = "lamina_error_file")
  save_model(keras_model_sequential(input_shape = 2) |> layer_dense(1), path, overwrite = TRUE)
  expect_lt(file.size(path), size)
  expect_identical(dir(dirname(path), paste0("^", basename(path))), basename(path))
  expect_error(save_model(model, file.path(path, "below")), class = "lamina_error_file")
  expect_error(save_model(model, 3), class = "lamina_error_argument")
  expect_error(save_model(model, path, zipped = TRUE), class = "lamina_error_argument")
})

test_that("damaged and foreign files are refused, whatever the damage", {
  bytes <- save_model(keras_model_sequential(input_shape = 2) |> layer_dense(2))
  refused_file <- function(b) {
    error <- tryCatch(load_model(b), error = identity)
    if (!inherits(error, "lamina_error_file")) fail(paste("not refused:", class(error)[1L]))
  }
  for (n in c(0, 1, 7, 8, 9, 12, 20, 60, length(bytes) - 1)) refused_file(bytes[seq_len(n)])
  refused_file(c(bytes, as.raw(0)))
  for (i in seq(1, length(bytes), by = 19)) refused_file(replace(bytes, i, xor(bytes[i], as.raw(2^(i %% 8)))))
  refused_file(as.raw(c(0x50, 0x4b, 3, 4, rep(0, 40))))
  path <- withr::local_tempfile()
  saveRDS(1, path)
  error <- expect_error(load_model(path), "readRDS", class = "lamina_error_file")
  expect_identical(error$arg, "model")
  expect_error(load_model(tempfile()), class = "lamina_error_file")
  expect_error(load_model(tempdir()), "folder", class = "lamina_error_file")
  expect_error(load_model(3), class = "lamina_error_argument")
})

test_that("one kind of file is not taken for another", {
  model <- trained_model()
  expect_error(load_model(save_model_config(model)), "the build of a model alone", class = "lamina_error_file")
  expect_error(load_model(save_model_weights(model)), "weights alone", class = "lamina_error_file")
  expect_error(load_model_weights(model, save_model(model)), "a model", class = "lamina_error_file")
})

test_that("weights alone", {
  model <- trained_model()
  path <- withr::local_tempfile()
  save_model_weights(model, path)
  twin <- clone_model(model)
  expect_false(identical(get_weights(twin), get_weights(model)))
  load_model_weights(twin, path)
  expect_identical(get_weights(twin), get_weights(model))
  expect_error(save_model_weights(model, path), class = "lamina_error_file")
  other <- keras_model_sequential(input_shape = 4) |>
    layer_dense(5, name = "hidden") |>
    layer_dense(7, name = "more")
  set_weights(other, lapply(get_weights(other), function(w) w * 0))
  error <- refused(other, load_model_weights(other, path), "lamina_error_file", "filepath")
  expect_match(conditionMessage(error), "more/kernel")
  load_model_weights(other, path, skip_mismatch = TRUE)
  expect_identical(get_weights(other)[[1L]], get_weights(model)[[1L]])
})

test_that("the build alone", {
  model <- trained_model()
  fresh <- load_model_config(save_model_config(model))
  expect_identical(lapply(get_weights(fresh), dim), lapply(get_weights(model), dim))
  expect_null(fresh$loss)
  expect_identical(format(fresh), format(model))
})

test_that("functions in a file run only when they are given, or the file is trusted", {
  cube <- function(x) x^3
  own <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  worst <- function(y_true, y_pred) max(abs(y_true - y_pred))
  model <- keras_model_sequential(input_shape = 4) |>
    layer_dense(2, trainable = FALSE) |>
    layer_activation(cube) |>
    layer_dense(1)
  model |> compile(loss = own, metrics = list(worst = worst))
  model |> fit(x, y)
  bytes <- save_model(model)
  error <- expect_error(load_model(bytes), "custom_objects", class = "lamina_error_file")
  expect_identical(error$arg, "custom_objects")
  expect_identical(predict(load_model(bytes, safe_mode = FALSE), x), predict(model, x))
  given <- load_model(bytes, custom_objects = list(activation = cube, loss = own, worst = worst))
  expect_identical(evaluate(given, x, y), evaluate(model, x, y))
  expect_error(load_model(bytes, custom_objects = list(activation = cube)), "loss", class = "lamina_error_file")
  expect_identical(predict(load_model(bytes, compile = FALSE, custom_objects = list(activation = cube)), x), predict(model, x))
})
