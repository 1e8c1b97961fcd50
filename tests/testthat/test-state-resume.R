# Training that is saved, read back and gone on with gives the bits of training that never stopped: for every
# optimizer and schedule there is, and for every layer that keeps or draws something.

x <- wave_matrix(48, 6)
y <- (seq_len(48) * 7) %% 3

classifier <- function(optimizer, hidden = list(layer_dense(units = 8, activation = "relu"))) {
  set.seed(1)
  model <- keras_model_sequential(input_shape = 6)
  for (layer in hidden) add_layer(model, layer)
  model |> layer_dense(3, activation = "softmax")
  model |> compile(optimizer = optimizer, loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}

train_on <- function(model, ..., data = list(x, y)) {
  history <- suppressMessages(fit(model, data[[1L]], data[[2L]], batch_size = 16, ...))
  list(weights = get_weights(model), state = model$state, metrics = history$metrics)
}

through_rds <- function(model) unserialize(serialize(model, NULL))
through_file <- function(model) load_model(save_model(model))

# 4 epochs, and 2 + 2 with the model gone through each way in between.
expect_resumes <- function(make, info, ...) {
  whole <- train_on(make(), epochs = 4, ...)
  whole$metrics <- lapply(whole$metrics, utils::tail, 2)
  for (travel in list(identity, through_rds, through_file)) {
    model <- make()
    train_on(model, epochs = 2, ...)
    set.seed(99) # the session's generator plays no part
    resumed <- train_on(travel(model), epochs = 4, initial_epoch = 3, ...)
    expect_identical(resumed, whole, info = info)
  }
  expect_false(identical(whole$weights, get_weights(make())), info = info)
}

test_that("every optimizer goes on from its own state", {
  kinds <- vocabulary("optimizer")$names
  expect_true(all(c("sgd", "adam", "lion") %in% kinds))
  dropout <- function() list(layer_dense(units = 8, activation = "relu"), layer_dropout(rate = 0.3))
  for (kind in kinds) {
    make <- get(paste0("optimizer_", kind))
    common <- list(use_ema = TRUE, ema_momentum = 0.9, clipnorm = 1, gradient_accumulation_steps = 2, weight_decay = 0.01)
    common <- common[intersect(names(common), names(formals(make)))]
    own <- list(momentum = 0.9, centered = TRUE, amsgrad = TRUE, nesterov = TRUE)
    own <- own[intersect(names(own), names(formals(make)))]
    expect_resumes(function() classifier(kind, dropout()), kind)
    expect_resumes(function() classifier(do.call(make, c(common, own)), dropout()), paste(kind, "with all options"))
    expect_resumes(function() classifier(make(use_ema = TRUE, ema_overwrite_frequency = 5), dropout()), paste(kind, "overwriting"))
  }
})

test_that("every schedule goes on from its step", {
  schedules <- list(
    constant = function() 0.05,
    exponential_decay = function() learning_rate_schedule_exponential_decay(0.1, 3, 0.8),
    cosine_decay = function() learning_rate_schedule_cosine_decay(0.01, 9, warmup_target = 0.1, warmup_steps = 2),
    cosine_decay_restarts = function() learning_rate_schedule_cosine_decay_restarts(0.1, 4),
    inverse_time_decay = function() learning_rate_schedule_inverse_time_decay(0.1, 2, 0.5),
    piecewise_constant_decay = function() learning_rate_schedule_piecewise_constant_decay(c(4, 8), c(0.1, 0.05, 0.01)),
    polynomial_decay = function() learning_rate_schedule_polynomial_decay(0.1, 5, cycle = TRUE)
  )
  expect_setequal(names(schedules), vocabulary("schedule")$names)
  for (kind in names(schedules)) {
    expect_resumes(function() classifier(optimizer_sgd(schedules[[kind]](), momentum = 0.9)), kind)
    model <- classifier(optimizer_sgd(schedules[[kind]]()))
    train_on(model, epochs = 2)
    expect_identical(model_rate(through_rds(model)), model_rate(model), info = kind)
    expect_identical(model_rate(through_file(model)), model_rate(model), info = kind)
  }
})

test_that("layers that draw or keep go on", {
  hidden <- list(
    dropout = function() list(layer_dense(units = 8), layer_dropout(rate = 0.5)),
    alpha_dropout = function() list(layer_dense(units = 8, activation = "selu"), layer_alpha_dropout(rate = 0.2)),
    noise = function() list(layer_gaussian_noise(stddev = 0.1), layer_dense(units = 8)),
    batch_normalization = function() list(layer_dense(units = 8), layer_batch_normalization(momentum = 0.7)),
    regularized = function() list(layer_dense(units = 8, kernel_regularizer = "l2", kernel_constraint = constraint_maxnorm(1)))
  )
  for (kind in names(hidden)) {
    expect_resumes(function() classifier("adam", hidden[[kind]]()), kind)
  }
  train_on(model <- classifier("adam", hidden$batch_normalization()), epochs = 1)
  expect_false(any(get_weights(model)[[5L]] == 0)) # the moving mean has moved
})

test_that("stateful layers go on from the states they are in", {
  series <- array(wave_matrix(16, 5), c(16, 5, 1))
  make <- function() {
    set.seed(2)
    model <- keras_model_sequential(input_batch_shape = c(16, 5, 1)) |>
      layer_lstm(units = 4, stateful = TRUE, dropout = 0.2, recurrent_dropout = 0.2) |>
      layer_dense(units = 1)
    model |> compile(optimizer = "adam", loss = "mse")
    model
  }
  expect_resumes(make, "stateful", data = list(series, y[1:16]), shuffle = FALSE)
  model <- make()
  predict(model, series)
  moved <- predict(through_rds(model), series)
  expect_identical(predict(through_file(model), series), moved)
  expect_identical(predict(model, series), moved)
})

test_that("a training stopped in its first epoch goes on alike here, from saveRDS() and from a file", {
  stop_at <- callback_lambda(on_train_batch_end = function(batch, logs) if (batch == 2) rlang::interrupt())
  make <- function() {
    model <- classifier("adam", list(layer_dense(units = 8), layer_dropout(rate = 0.5)))
    tryCatch(train_on(model, epochs = 2, callbacks = stop_at), interrupt = function(i) NULL)
    model
  }
  here <- train_on(make(), epochs = 2)
  set.seed(5)
  expect_identical(train_on(through_rds(make()), epochs = 2), here)
  set.seed(6)
  expect_identical(train_on(through_file(make()), epochs = 2), here)
})

test_that("a learning rate set by epoch goes on", {
  expect_resumes(function() classifier("sgd"), "scheduler",
                 callbacks = callback_learning_rate_scheduler(function(epoch, lr) 0.1 / (1 + epoch)))
})

# As ?callback_early_stopping and ?callback_reduce_lr_on_plateau say.
test_that("early stopping and plateaus are counted afresh by each fit(), the rate they set stays with the model", {
  never <- list(monitor = "loss", min_delta = 100, patience = 2)
  model <- classifier("sgd")
  stopper <- do.call(callback_early_stopping, never)
  expect_length(train_on(model, epochs = 9, callbacks = stopper)$metrics$loss, 3L)
  expect_length(train_on(through_rds(model), epochs = 9, initial_epoch = 4, callbacks = through_rds(stopper))$metrics$loss, 3L)

  model <- classifier(optimizer_sgd(0.08))
  lower <- do.call(callback_reduce_lr_on_plateau, c(never, factor = 0.5))
  rates <- train_on(model, epochs = 4, callbacks = lower)$metrics$learning_rate
  expect_equal(rates, c(0.08, 0.08, 0.08, 0.04), tolerance = 1e-6)
  for (travel in list(through_rds, through_file)) {
    more <- train_on(travel(model), epochs = 8, initial_epoch = 5, callbacks = through_rds(lower))
    expect_equal(more$metrics$learning_rate, c(0.04, 0.04, 0.04, 0.02), tolerance = 1e-6)
  }
})

test_that("the best value of a checkpoint is remembered over fits and over saveRDS()", {
  path <- withr::local_tempfile(fileext = ".keras")
  model <- classifier(optimizer_sgd(0.5))
  saver <- callback_model_checkpoint(path, monitor = "loss", save_best_only = TRUE)
  train_on(model, epochs = 5, callbacks = saver)
  best <- readBin(path, "raw", 1e6)
  both <- unserialize(serialize(list(model, saver), NULL))
  expect_identical(both[[2L]]$best, saver$best)
  both[[2L]]$best <- 0 # nothing is better
  train_on(both[[1L]], epochs = 6, initial_epoch = 6, callbacks = both[[2L]])
  expect_identical(readBin(path, "raw", 1e6), best)
})

test_that("a checkpoint has the history of the training under way", {
  folder <- withr::local_tempdir()
  whole <- train_on(classifier("adam"), epochs = 3,
                    callbacks = callback_model_checkpoint(file.path(folder, "{epoch}.keras")))
  for (epoch in 1:3) {
    model <- load_model(file.path(folder, paste0(epoch, ".keras")))
    expect_equal(model$epoch, epoch)
    expect_identical(model$history$metrics, lapply(whole$metrics, utils::head, epoch))
  }
})
