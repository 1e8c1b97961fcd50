# What is done thousands of times in one process takes no more memory in the end than after the first few: no
# block of the engine, nothing of R's memory.  The process is told by the third in which it grew least: R's heap and
# the allocator may take a page more at any time, what is never given back shows in every third.

# Runs in a process of its own; what each third of the trials added, in MB and blocks.
repeat_and_measure <- function(work, times) {
  x <- matrix(sin(1:60), 12)
  y <- rep(0:1, 6)
  build <- function() {
    model <- keras_model_sequential(input_shape = 5) |>
      layer_dense(4, activation = "relu") |>
      layer_dropout(0.2) |>
      layer_dense(1, activation = "sigmoid")
    model |> compile("adam", "binary_crossentropy", metrics = "accuracy")
    model
  }
  given <- list(model = build(), x = x, y = y, build = build, path = tempfile())
  suppressMessages(fit(given$model, x, y))
  now <- function() {
    used <- gc(full = TRUE) # twice: what finalizers let go of is collected by the second
    used <- gc(full = TRUE)
    c(blocks = .Call(ffi_memory, NULL)[2L], r = sum(used[, 1L] * c(56, 8)) / 2^20, process = process_memory())
  }
  turn <- function(n) for (i in seq_len(n)) suppressMessages(work(given))
  for (warm_up in 1:2) { # R's own heap has its size only after some collections
    turn(max(250, times %/% 4))
    measured <- rbind(now())
  }
  for (third in 1:3) {
    turn(ceiling(times / 3))
    measured <- rbind(measured, now())
  }
  diff(measured)
}

expect_no_growth <- function(work, full = 10000) {
  grown <- in_own_process(repeat_and_measure, work, stress_trials(full))
  expect_equal(sum(grown[, "blocks"]), 0)
  expect_lt(min(grown[, "r"]), 0.01)
  if (!anyNA(grown)) expect_lt(min(grown[, "process"]), 0.2)
}

test_that("trainings leave nothing behind", {
  expect_no_growth(function(given) fit(given$model, given$x, given$y, validation_split = 0.25))
})

test_that("predictions, measurements and files leave nothing behind", {
  expect_no_growth(function(given) {
    predict(given$model, given$x)
    evaluate(given$model, given$x, given$y)
  })
  expect_no_growth(function(given) {
    save_model(given$model, given$path, overwrite = TRUE)
    predict(load_model(given$path), given$x)
  }, 5000)
})

test_that("models come and go", {
  expect_no_growth(function(given) {
    model <- given$build()
    fit(model, given$x, given$y)
    predict(clone_model(model), given$x)
    predict(unserialize(serialize(model, NULL)), given$x)
  }, 2000)
})

test_that("trainings that are interrupted, or whose callbacks fail, leave nothing behind", {
  expect_no_growth(function(given) {
    stopper <- callback_lambda(on_train_batch_end = function(batch, logs) rlang::interrupt())
    tryCatch(fit(given$model, given$x, given$y, epochs = 3, batch_size = 4, callbacks = stopper), interrupt = identity)
    breaker <- callback_lambda(on_epoch_end = function(epoch, logs) stop("a callback's own error"))
    tryCatch(fit(given$model, given$x, given$y, epochs = 3, callbacks = breaker), error = identity)
  }, 4000)
})

test_that("refused calls and failing allocations leave nothing behind", {
  expect_no_growth(function(given) {
    tryCatch(fit(given$model, given$x[, 1:4], given$y), error = identity)
    tryCatch(predict(given$model, given$x * NA), error = identity)
    .Call(ffi_memory, 7)
    tryCatch(fit(given$model, given$x, given$y), error = identity)
    .Call(ffi_memory, 0)
  }, 3000)
})
