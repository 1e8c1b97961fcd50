# A compiled model of one weight, y = w x, whose weight and learning rate tests set by hand.
one_weight <- function(w = 1, rate = 1) {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE)
  model |> compile(optimizer = optimizer_sgd(learning_rate = rate), loss = "mse")
  set_weight(model, w)
  model
}
set_weight <- function(model, w) set_weights(model, list(matrix(w, 1, 1)))
weight <- function(model) as.vector(get_weights(model)[[1L]])

# Runs epochs whose logs are given, `losses` as `monitor`; the model's weight is the epoch's number.
# Returns the number of epochs run.
run_epochs <- function(callbacks, model, losses, monitor = "val_loss") {
  callbacks <- as_callbacks(callbacks)
  set_callback_context(callbacks, model, list(epochs = length(losses), steps = 1, verbose = 0))
  model$stop_training <- FALSE
  run_hook(callbacks, "on_train_begin", list())
  for (epoch in seq_along(losses)) {
    run_hook(callbacks, "on_epoch_begin", epoch, list())
    set_weight(model, epoch)
    run_hook(callbacks, "on_epoch_end", epoch, stats::setNames(list(losses[epoch]), monitor))
    if (isTRUE(model$stop_training)) break
  }
  run_hook(callbacks, "on_train_end", list())
  epoch
}

test_that("callbacks come as one, as a list, with NULLs, or as a list of functions", {
  one <- callback_terminate_on_nan()
  expect_identical(as_callbacks(NULL), list())
  expect_identical(as_callbacks(one), list(one))
  expect_identical(as_callbacks(list(one, NULL)), list(one))
  expect_length(as_callbacks(c(one, callback_lambda())), 2L)
  seen <- NULL
  hooks <- as_callbacks(list(on_epoch_end = function(epoch) seen <<- epoch))
  expect_s3_class(hooks[[1L]], "lamina_callback_lambda")
  run_hook(hooks, "on_epoch_end", 3, list())
  expect_identical(seen, 3)
  expect_length(as_callbacks(list(list(on_train_end = function() 1), one)), 2L)
})

test_that("what is no callback is refused with advice", {
  error <- expect_error(as_callbacks("early"), class = "lamina_error_argument")
  expect_identical(error$arg, "callbacks")
  expect_error(as_callbacks(list(mean)), "callback_lambda", class = "lamina_error_argument")
  expect_error(as_callbacks(Callback("A")), "Call the class", class = "lamina_error_argument")
  expect_error(as_callbacks(list(on_epoch_endd = function() 1)), "on_epoch_end",
               class = "lamina_error_argument")
  expect_error(callback_lambda(on_epoch_end = 1), class = "lamina_error_argument")
})

test_that("hooks get the arguments they take, by name or by place", {
  got <- list()
  note <- function(key, ...) got[[key]] <<- list(...)
  callbacks <- list(
    callback_lambda(on_epoch_end = function() note("none")),
    callback_lambda(on_epoch_end = function(epoch) note("epoch", epoch)),
    callback_lambda(on_epoch_end = function(logs) note("logs", logs)),
    callback_lambda(on_epoch_end = function(e, l) note("place", e, l)),
    callback_lambda(on_epoch_end = function(...) note("dots", ...)),
    callback_lambda(on_epoch_end = function(epoch, logs = NULL) note("default", epoch, logs))
  )
  logs <- list(loss = 0.5)
  run_hook(callbacks, "on_epoch_end", 2, logs)
  expect_identical(got$none, list())
  expect_identical(got$epoch, list(2))
  expect_identical(got$logs, list(logs))
  expect_identical(got$place, list(2, logs))
  expect_identical(got$dots, list(2, logs))
  expect_identical(got$default, list(2, logs))
  ended <- NULL
  run_hook(list(callback_lambda(on_train_end = function(logs) ended <<- logs)), "on_train_end")
  expect_length(ended, 0L)
})

test_that("named numbers that a hook returns join the logs", {
  callbacks <- list(
    callback_lambda(on_epoch_end = function(epoch, logs) list(extra = 2 * epoch, loss = 9)),
    callback_lambda(on_epoch_end = function(logs) list(1, text = "a", twice = 2 * logs$extra)),
    callback_lambda(on_epoch_end = function(epoch, logs) c(loss = 5))
  )
  expect_identical(run_hook(callbacks, "on_epoch_end", 3, list(loss = 1)),
                   list(loss = 9, extra = 6, twice = 12))
  expect_identical(run_hook(list(), "on_epoch_end", 3, list(loss = 1)), list(loss = 1))
})

test_that("batch hooks are looked for before training goes batch by batch", {
  expect_false(has_hook(list(), "on_train_batch_end"))
  plain <- list(callback_early_stopping(), callback_model_checkpoint("a"),
                callback_terminate_on_nan(), callback_csv_logger("a"))
  expect_false(has_hook(plain, c("on_train_batch_begin", "on_train_batch_end")))
  expect_true(has_hook(list(callback_model_checkpoint("a", save_freq = 5)), "on_train_batch_end"))
  expect_true(has_hook(list(callback_lambda(on_batch_end = function(batch) 1)),
                       "on_train_batch_end"))
})

test_that("the direction of a metric follows from its name", {
  rising <- c("acc", "accuracy", "val_binary_accuracy", "auc", "val_precision", "recall",
              "f1_score", "r2_score", "cosine_similarity", "top_k_categorical_accuracy")
  falling <- c("loss", "val_loss", "mae", "mse", "rmse", "mape", "msle", "val_mean_absolute_error",
               "binary_crossentropy", "kl_divergence", "hinge", "poisson", "logcosh")
  expect_identical(vapply(rising, metric_direction, "", USE.NAMES = FALSE), rep("max", 10L))
  expect_identical(vapply(falling, metric_direction, "", USE.NAMES = FALSE), rep("min", 13L))
  expect_identical(metric_direction("my_score"), NA_character_)
})

test_that("early stopping waits `patience` epochs after the best one", {
  losses <- c(3, 2, 1, 1.5, 1.2, 1.1, 0.5)
  expect_identical(run_epochs(callback_early_stopping(patience = 2), one_weight(), losses), 5L)
  expect_identical(run_epochs(callback_early_stopping(), one_weight(), losses), 4L)
  expect_identical(run_epochs(callback_early_stopping(patience = 9), one_weight(), losses), 7L)
  # an accuracy rises; a mode that is given wins over the name
  expect_identical(run_epochs(callback_early_stopping("val_acc"), one_weight(), 1:4, "val_acc"), 4L)
  expect_identical(
    run_epochs(callback_early_stopping("val_acc", mode = "min"), one_weight(), 1:4, "val_acc"), 2L
  )
})

test_that("early stopping obeys min_delta, baseline and start_from_epoch", {
  slow <- c(1, 0.95, 0.91, 0.5)
  expect_identical(run_epochs(callback_early_stopping(min_delta = 0.1), one_weight(), slow), 2L)
  expect_identical(run_epochs(callback_early_stopping(min_delta = -0.1), one_weight(), slow), 2L)
  # every epoch improves, none beats the baseline: the wait is never begun anew, but training stops
  # only at an epoch that is no improvement
  stop <- callback_early_stopping(baseline = 0.1, patience = 2)
  expect_identical(run_epochs(stop, one_weight(), c(1, 0.9, 0.95, 0.5)), 3L)
  expect_identical(run_epochs(callback_early_stopping(start_from_epoch = 2), one_weight(), 1:6), 4L)
})

test_that("early stopping restores the best weights, also at the regular end", {
  stopped <- one_weight()
  run_epochs(callback_early_stopping(patience = 2, restore_best_weights = TRUE), stopped,
             c(3, 1, 2, 2, 2))
  expect_equal(weight(stopped), 2)
  ended <- one_weight()
  run_epochs(callback_early_stopping(patience = 9, restore_best_weights = TRUE), ended, c(3, 1, 2))
  expect_equal(weight(ended), 2)
  kept <- one_weight()
  run_epochs(callback_early_stopping(patience = 2), kept, c(3, 1, 2, 2, 2))
  expect_equal(weight(kept), 4)
})

test_that("one early stopping object serves several fits", {
  stop <- callback_early_stopping(patience = 1, restore_best_weights = TRUE)
  model <- one_weight()
  expect_identical(run_epochs(stop, model, c(0.1, 0.2)), 2L)
  expect_identical(run_epochs(stop, model, c(5, 4, 4.5)), 3L)
  expect_equal(weight(model), 2)
})

test_that("NaN is no improvement, epochs without a measurement do not count", {
  expect_identical(run_epochs(callback_early_stopping(patience = 2), one_weight(),
                              c(1, NaN, NaN, 0.5)), 3L)
  expect_identical(run_epochs(callback_early_stopping(patience = 1), one_weight(),
                              c(1, NA, NA, 2, 0)), 4L)
})

test_that("a monitor that is never measured gives one warning that names what there is", {
  warnings <- capture_warnings(
    run_epochs(callback_early_stopping("val_los"), one_weight(), 3:1, "val_loss")
  )
  expect_length(warnings, 1L)
  expect_match(warnings, "Measured: val_loss")
  expect_match(warnings, "Did you mean \"val_loss\"")
  expect_warning(run_epochs(callback_reduce_lr_on_plateau(), one_weight(), 3:1, "loss"),
                 "validation_split", class = "lamina_warning_monitor")
  expect_error(run_epochs(callback_early_stopping("score"), one_weight(), 3:1, "score"),
               "min.*max", class = "lamina_error_argument")
  expect_no_warning(run_epochs(callback_early_stopping("score", mode = "max"), one_weight(), 1:3,
                               "score"))
})

test_that("the learning rate is lowered on a plateau, with cooldown and floor", {
  rates <- numeric()
  spy <- callback_lambda(on_epoch_end = function(logs) rates <<- c(rates, logs$learning_rate))
  model <- one_weight(rate = 1)
  lower <- callback_reduce_lr_on_plateau(patience = 2, factor = 0.1, min_lr = 0.05)
  run_epochs(list(lower, spy), model, rep(1, 6))
  # best at 1; lowered after epochs 3 and 5 (to the floor)
  expect_equal(rates, c(1, 1, 1, 0.1, 0.1, 0.05), tolerance = 1e-6)

  rates <- numeric()
  model <- one_weight(rate = 1)
  run_epochs(list(callback_reduce_lr_on_plateau(patience = 1, factor = 0.5, cooldown = 2), spy),
             model, rep(1, 6))
  # lowered after 2; epochs 3 and 4 cool down, the second of them counts again; after 5 and so on
  expect_equal(rates, c(1, 1, 0.5, 0.5, 0.25, 0.25), tolerance = 1e-6)

  expect_error(callback_reduce_lr_on_plateau(factor = 1), class = "lamina_error_argument")
  expect_error(callback_reduce_lr_on_plateau(factors = 0.1), class = "lamina_error_argument")
})

test_that("the scheduler counts epochs from 0 and sets the rate", {
  epochs <- numeric()
  schedule <- function(epoch, lr) {
    epochs <<- c(epochs, epoch)
    if (epoch < 10) lr else lr * exp(-0.1)
  }
  model <- one_weight(rate = 0.01)
  run_epochs(callback_learning_rate_scheduler(schedule), model, rep(1, 15))
  expect_identical(epochs, as.numeric(0:14))
  expect_equal(model_rate(model), 0.01 * exp(-0.5), tolerance = 1e-6) # 0.00607 in Keras' manual
  run_epochs(callback_learning_rate_scheduler(function(epoch) 0.5), model, 1)
  expect_equal(model_rate(model), 0.5)
  expect_error(run_epochs(callback_learning_rate_scheduler(function(e) "a"), model, 1),
               class = "lamina_error_argument")
  expect_error(callback_learning_rate_scheduler(0.1), class = "lamina_error_argument")
})

test_that("file names are filled in", {
  values <- list(epoch = 4, val_loss = 0.12345, loss = 12.5)
  expect_identical(fill_template("m-{epoch:03d}-{val_loss:.3f}.keras", values), "m-004-0.123.keras")
  expect_identical(fill_template("{epoch}_{epoch:04}_{loss}_{val_loss:.2e}", values),
                   "4_0004_12.5_1.23e-01")
  expect_identical(fill_template("plain.h5", values), "plain.h5")
  error <- expect_error(fill_template("{val_acc}", values), "val_loss",
                        class = "lamina_error_argument")
  expect_identical(error$arg, "filepath")
  expect_error(callback_model_checkpoint("{epoch:>3}"), class = "lamina_error_argument")
  expect_error(callback_model_checkpoint("{}"), class = "lamina_error_argument")
})

test_that("checkpoints are written each epoch, or for the best", {
  folder <- withr::local_tempdir()
  every <- callback_model_checkpoint(file.path(folder, "new", "{epoch:02d}-{val_loss:.1f}.keras"))
  run_epochs(every, one_weight(), c(3, 1, 2))
  expect_setequal(list.files(file.path(folder, "new")),
                  c("01-3.0.keras", "02-1.0.keras", "03-2.0.keras"))
  path <- file.path(folder, "best.keras")
  best <- callback_model_checkpoint(path, save_best_only = TRUE)
  run_epochs(best, one_weight(), c(3, 1, 2))
  expect_equal(weight(load_model(path)), 2)
  # a second fit does not overwrite what was better
  run_epochs(best, one_weight(), c(2, 2))
  expect_equal(weight(load_model(path)), 2)
  none <- file.path(folder, "none.keras")
  run_epochs(callback_model_checkpoint(none, save_best_only = TRUE, initial_value_threshold = 0.5),
             one_weight(), c(3, 1, 2))
  expect_false(file.exists(none))
})

test_that("checkpoints after a number of batches count over epochs", {
  folder <- withr::local_tempdir()
  model <- one_weight()
  callbacks <- list(callback_model_checkpoint(file.path(folder, "{epoch}-{batch}"), save_freq = 3))
  set_callback_context(callbacks, model, list())
  run_hook(callbacks, "on_train_begin", list())
  for (epoch in 1:2) {
    run_hook(callbacks, "on_epoch_begin", epoch, list())
    for (batch in 1:4) run_hook(callbacks, "on_train_batch_end", batch, list(loss = 1))
  }
  expect_setequal(list.files(folder), c("1-3", "2-2"))
})

test_that("a checkpoint in the middle of an epoch holds the weights of its batch", {
  folder <- withr::local_tempdir()
  x <- matrix(seq(-1, 1, length.out = 30))
  model <- one_weight(0, rate = 0.1)
  weights <- numeric()
  fit(model, x, 2 * x, batch_size = 10, verbose = 0, callbacks = list(
    callback_model_checkpoint(file.path(folder, "{batch}"), save_freq = 1),
    callback_lambda(on_train_batch_end = function() weights <<- c(weights, weight(model)))
  ))
  saved <- vapply(1:3, function(batch) weight(load_model(file.path(folder, batch))), 0)
  expect_identical(saved, weights)
  expect_false(anyDuplicated(weights) > 0)
})

test_that("weights alone can be saved", {
  path <- withr::local_tempfile(fileext = ".weights.h5")
  run_epochs(callback_model_checkpoint(path, save_weights_only = TRUE), one_weight(), c(3, 1))
  fresh <- one_weight(9)
  load_model_weights(fresh, path)
  expect_equal(weight(fresh), 2)
})

test_that("the CSV has one row per epoch, counted from 0, and can be gone on with", {
  path <- withr::local_tempfile(fileext = ".csv")
  log <- function(callback, epochs) {
    set_callback_context(list(callback), NULL, list(metrics = c("loss", "val_loss")))
    run_hook(list(callback), "on_train_begin", list())
    for (epoch in epochs) run_hook(list(callback), "on_epoch_end", epoch, list(loss = 1 / epoch))
  }
  log(callback_csv_logger(path), 1:2)
  expect_identical(readLines(path), c("epoch,loss,val_loss", "0,1,NA", "1,0.5,NA"))
  log(callback_csv_logger(path, append = TRUE), 3)
  expect_identical(nrow(utils::read.csv(path)), 3L)
  log(callback_csv_logger(path, separator = ";"), 1)
  expect_identical(readLines(path), c("epoch;loss;val_loss", "0;1;NA"))
  expect_error(log(callback_csv_logger(file.path(path, "no", "such")), 1),
               class = "lamina_error_file")
})

test_that("classes have self, private and super", {
  Counter <- Callback(
    "CallCounter",
    initialize = function(start = 0) self$n <- start,
    on_epoch_end = function(epoch, logs) {
      self$n <- self$n + 1
      private$last <- epoch
    },
    last = function() private$last,
    private = list(last = NA)
  )
  Doubler <- Callback(
    "Doubler",
    inherit = Counter,
    initialize = function() super$initialize(start = 10),
    on_epoch_end = function(epoch, logs) {
      super$on_epoch_end(epoch, logs)
      super$on_epoch_end(epoch, logs)
      self$model$stop_training <- TRUE
      list(count = self$n)
    }
  )
  first <- Counter()
  second <- Counter(start = 5)
  third <- Doubler()
  model <- one_weight()
  set_callback_context(list(first, second, third), model, list(epochs = 3))
  logs <- run_hook(list(first, second, third), "on_epoch_end", 4, list())
  expect_identical(c(first$n, second$n, third$n), c(1, 6, 12))
  expect_identical(logs$count, 12)
  expect_identical(third$last(), 4)
  expect_true(model$stop_training)
  expect_identical(third$params$epochs, 3)
  expect_s3_class(third, "lamina_callback_doubler")
  expect_error(Callback("A", on_epoch_end = 1), class = "lamina_error_argument")
  expect_error(Callback("A", inherit = mean), class = "lamina_error_argument")
  expect_error(Callback(1), class = "lamina_error_argument")
  expect_error(Callback("A", public = list(1)), class = "lamina_error_argument")
})

test_that("callbacks keep their state through saveRDS", {
  path <- withr::local_tempfile()
  stop <- callback_early_stopping(patience = 1)
  run_epochs(stop, one_weight(), c(3, 1))
  stop$model <- NULL
  saveRDS(list(stop, Callback("A", k = 3)()), path)
  back <- readRDS(path)
  expect_identical(back[[1L]]$best, 1)
  expect_identical(run_epochs(back[[1L]], one_weight(), c(1, 2, 3)), 2L)
  expect_identical(back[[2L]]$k, 3)
})

test_that("bad arguments are refused", {
  expect_error(callback_early_stopping(patience = -1), class = "lamina_error_argument")
  expect_error(callback_early_stopping(mode = "lowest"), class = "lamina_error_argument")
  expect_error(callback_early_stopping(monitor = 1), class = "lamina_error_argument")
  expect_error(callback_early_stopping(restore_best_weights = "yes"),
               class = "lamina_error_argument")
  expect_error(callback_model_checkpoint(1), class = "lamina_error_argument")
  expect_error(callback_model_checkpoint("a", save_freq = "batch"), class = "lamina_error_argument")
  expect_error(callback_csv_logger(NULL), class = "lamina_error_argument")
  expect_silent(callback_early_stopping(verbose = TRUE))
})

test_that("callbacks say what they do when asked", {
  expect_snapshot({
    run <- run_epochs(
      list(callback_early_stopping(patience = 1, restore_best_weights = TRUE, verbose = 1),
           callback_reduce_lr_on_plateau(patience = 1, verbose = 1),
           callback_learning_rate_scheduler(function(epoch, lr) 0.5, verbose = 1)),
      one_weight(), c(3, 1, 2)
    )
    print(callback_early_stopping())
    print(Callback("MyCallback"))
  })
})

test_that("fit() runs callbacks at their moments", {
  x <- matrix(seq(-1, 1, length.out = 20))
  model <- one_weight(0, rate = 0.1)
  calls <- character()
  note <- function(name) function(index, logs) calls <<- c(calls, paste(name, index))
  spy <- callback_lambda(
    on_train_begin = function() calls <<- c(calls, "train begin"),
    on_epoch_begin = note("epoch"), on_epoch_end = note("epoch end"),
    on_train_batch_end = note("batch"), on_train_end = function() calls <<- c(calls, "train end")
  )
  fit(model, x, 2 * x, epochs = 2, batch_size = 10, callbacks = spy, verbose = 0)
  expect_identical(calls, c("train begin", "epoch 1", "batch 1", "batch 2", "epoch end 1",
                            "epoch 2", "batch 1", "batch 2", "epoch end 2", "train end"))
  halt <- callback_lambda(on_epoch_end = function(epoch, logs) spy$model$stop_training <- TRUE)
  history <- fit(model, x, 2 * x, epochs = 5, callbacks = list(spy, halt), verbose = 0) |>
    suppressMessages()
  expect_length(history$metrics$loss, 1L)
})

test_that("fit() with early stopping keeps the history of the epochs run", {
  x <- matrix(seq(-1, 1, length.out = 20))
  model <- one_weight(0, rate = 100) # diverges: the first epoch is the best
  best <- NULL
  keep <- callback_lambda(on_epoch_end = function(epoch) {
    if (epoch == 1) best <<- weight(keep$model)
  })
  history <- fit(
    model, x, 2 * x, epochs = 5, batch_size = 20, verbose = 0, validation_data = list(x, 2 * x),
    callbacks = list(keep, callback_early_stopping(patience = 1, restore_best_weights = TRUE))
  )
  expect_length(history$metrics$val_loss, 2L)
  expect_identical(weight(model), best)
})
