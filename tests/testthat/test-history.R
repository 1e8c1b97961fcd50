history_of <- function(..., epochs = 10, initial_epoch = NULL) {
  new_history(list(verbose = 0, epochs = epochs, steps = 3, initial_epoch = initial_epoch),
              list(...))
}

test_that("a history has keras3's class and parts", {
  history <- history_of(loss = c(1, 0.5))
  expect_s3_class(history, c("lamina_history", "keras_training_history"), exact = TRUE)
  expect_named(history, c("params", "metrics"))
})

test_that("as.data.frame() has one row per epoch and metric", {
  history <- history_of(loss = c(3, 2), accuracy = c(0.1, 0.2), val_loss = c(NA, 4))
  expect_identical(
    as.data.frame(history),
    data.frame(
      epoch = rep(1:2, 3), value = c(3, 2, 0.1, 0.2, NA, 4),
      metric = factor(rep(c("loss", "accuracy", "loss"), each = 2), c("loss", "accuracy")),
      data = factor(rep(c("training", "validation"), c(4, 2)))
    )
  )
  resumed <- as.data.frame(history_of(loss = c(3, 2), initial_epoch = 6))
  expect_identical(resumed$epoch, 6:7)
  expect_identical(nrow(as.data.frame(history_of())), 0L)
  expect_identical(nrow(as.data.frame(history_of(loss = 1))), 1L)
})

test_that("summary() finds first, last and best by the direction of the metric", {
  summary <- summary(history_of(
    loss = c(3, 1, 2), accuracy = c(0.1, 0.4, 0.3), val_loss = c(NA, NA, 5), val_mae = c(NA, NA, NA)
  ))
  expect_identical(summary$metric, c("loss", "accuracy", "val_loss", "val_mae"))
  expect_identical(summary$first, c(3, 0.1, NA, NA))
  expect_identical(summary$last, c(2, 0.3, 5, NA))
  expect_identical(summary$best, c(1, 0.4, 5, NA))
  expect_identical(summary$best_epoch, c(2L, 2L, 3L, NA))
})

test_that("the best epoch is that of the validation loss", {
  best <- history_best(history_of(loss = 3:1, val_acc = c(1, 2, 3), val_loss = c(5, 4, 6)))
  expect_identical(best, list(metric = "val_loss", epoch = 2L, value = 4))
  expect_identical(history_best(history_of(val_acc = c(1, 3, 2)))$epoch, 2L)
  expect_null(history_best(history_of(loss = 1)))
  expect_null(history_best(history_of(val_loss = NA_real_)))
})

test_that("histories print as in keras3", {
  expect_snapshot({
    history_of(loss = c(0.9, 0.46321), accuracy = c(0.5, 0.98531), val_loss = c(1, 1234.5678))
    summary(history_of(loss = c(0.9, 0.46321), val_accuracy = c(0.5, 0.4)))
    history_of()
  })
})
