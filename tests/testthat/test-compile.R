model <- function() ref_model(ref_net(c(2, 3), "softmax"))
x <- wave_matrix(6, 2)
y <- c(0, 1, 2, 0, 1, 2)

test_that("compile() works in place and leaves the weights alone", {
  m <- model()
  before <- get_weights(m)
  out <- withVisible(compile(m, loss = "mse"))
  expect_false(out$visible)
  expect_identical(out$value, m)
  expect_identical(get_weights(m), before)
  expect_s3_class(m$optimizer, "lamina_optimizer")
  expect_identical(m$loss, "mean_squared_error")
})

test_that("optimizer and loss come as names, objects and functions", {
  for (optimizer in list("sgd", "SGD", "Adam", "adam_w", "adamw", optimizer_adam(), optimizer_adam)) {
    expect_no_error(compile(model(), optimizer = optimizer, loss = "mse"))
  }
  for (loss in list("mse", "MSE", "mean_squared_error", loss_mean_squared_error(), loss_mean_squared_error)) {
    m <- model()
    compile(m, loss = loss)
    expect_identical(m$loss, "mean_squared_error")
  }
  for (name in names(vocabulary("loss")$aliases)) expect_no_error(compile(model(), loss = name))
  for (name in names(vocabulary("optimizer")$aliases)) expect_no_error(compile(model(), optimizer = name, loss = "mse"))
})

test_that("a fresh compilation starts the optimizer afresh", {
  m <- model()
  compile(m, optimizer = optimizer_sgd(0.1, momentum = 0.9), loss = "sparse_categorical_crossentropy")
  first <- get_weights(m)
  fit(m, x, y, epochs = 3, shuffle = FALSE)
  moved <- get_weights(m)
  compile(m, optimizer = optimizer_sgd(0.1, momentum = 0.9), loss = "sparse_categorical_crossentropy")
  expect_identical(get_weights(m), moved)
  expect_equal(m$epoch, 0)
  set_weights(m, first)
  expect_no_message(fit(m, x, y, epochs = 3, shuffle = FALSE))
  expect_identical(get_weights(m), moved)
})

test_that("a compilation that fails leaves the earlier one", {
  m <- model()
  compile(m, optimizer = "adam", loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  kept <- m$compiled
  fit(m, x, y)
  for (bad in list(
    list(optimizer = NULL, loss = "mse"), list(optimizer = "adm", loss = "mse"), list(optimizer = 3, loss = "mse"),
    list(), list(loss = 3), list(loss = "mean_sqared_error"), list(loss = "mse", metrics = "acuracy"),
    list(loss = "mse", metrics = list(3)), list(loss = "mse", loss_weights = 1), list(loss = "mse", foo = 1),
    list(loss = loss_mean_squared_error(reduction = "none")),
    list(loss = "mse", weighted_metrics = list(function(y_true, y_pred) 1))
  )) {
    refused(m, do.call(compile, c(list(m), bad)), "lamina_error_argument")
  }
  expect_identical(m$compiled, kept)
})

test_that("unknown names come with the nearest that exists", {
  expect_error(compile(model(), loss = "mean_sqared_error"), "\"mean_squared_error\"", fixed = TRUE)
  expect_error(compile(model(), loss = "mse", metrics = "acuracy"), "\"accuracy\"", fixed = TRUE)
  expect_error(compile(model(), optimizer = "amad", loss = "mse"), "\"adam\"", fixed = TRUE)
})

test_that("compile() before layers and shapes", {
  m <- keras_model_sequential()
  compile(m, optimizer = "sgd", loss = "sparse_categorical_crossentropy")
  layer_dense(m, units = 3, activation = "softmax")
  expect_no_error(fit(m, x, y))
  expect_identical(m$output_shape, list(NULL, 3L))
})

test_that("arguments without effect are accepted", {
  expect_no_error(compile(model(), loss = "mse", run_eagerly = TRUE, steps_per_execution = 4L, jit_compile = FALSE, auto_scale_loss = FALSE))
})
