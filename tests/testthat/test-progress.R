lines_of <- function(expr) capture.output(invisible(expr))

run_progress <- function(verbose, epochs, seconds = 0.012) {
  progress <- new_progress(verbose, epochs, 10)
  for (epoch in seq_len(epochs)) {
    progress$epoch_begin(epoch)
    progress$update(5, list(loss = 1))
    progress$epoch_end(epoch, list(loss = 0.61312, accuracy = 0.7, val_loss = NA), seconds)
  }
  progress$finish(new_history(list(), list(loss = rep(0.5, epochs))))
}

test_that("an argument wins over lamina.verbose, that over keras.verbose", {
  withr::local_options(lamina.verbose = 2, keras.verbose = 1)
  expect_identical(resolve_verbose(0), 0)
  expect_identical(resolve_verbose("auto"), 2)
  withr::local_options(lamina.verbose = NULL)
  expect_identical(resolve_verbose("auto"), 1)
  withr::local_options(keras.verbose = NULL)
  expect_identical(resolve_verbose("auto"), 0) # testthat
  expect_identical(resolve_verbose(TRUE), 1)
  expect_identical(resolve_verbose(FALSE), 0)
  for (bad in list("loud", 4, -1, NA, NULL, c(1, 2), 1.5)) {
    expect_error(resolve_verbose(bad), class = "lamina_error_argument")
  }
})

test_that("what \"auto\" means depends on where one is", {
  withr::local_options(lamina.verbose = NULL, keras.verbose = NULL)
  withr::local_envvar(TESTTHAT = NA)
  expect_identical(resolve_verbose("auto", silent = TRUE), 0)
  withr::with_options(list(knitr.in.progress = TRUE), expect_identical(resolve_verbose("auto"), 3))
  expect_true(resolve_verbose("auto") %in% 1:2)
})

test_that("verbose 2 prints a line per epoch, 0 nothing, 3 one line", {
  expect_identical(
    lines_of(run_progress(2, 2)),
    sprintf("Epoch %d/2 - loss: 0.6131 - accuracy: 0.7000 - 12 ms", 1:2)
  )
  expect_identical(lines_of(run_progress(0, 2)), character())
  one <- lines_of(run_progress(3, 2))
  expect_length(one, 1L)
  expect_match(one, "^2 epochs - loss: 0.5000 - [0-9]+ ms$")
})

test_that("verbose 1 without a terminal prints few lines without control characters", {
  withr::local_options(cli.dynamic = FALSE)
  lines <- lines_of(run_progress(1, 30))
  expect_lt(length(lines), 10L)
  expect_match(lines[1L], "^Epoch 1/30 - loss")
  expect_match(lines[length(lines)], "^Epoch 30/30 - loss")
  expect_true(all(grepl("^[ -~]*$", lines)))
})

test_that("the last epoch run is shown when training stops early", {
  withr::local_options(cli.dynamic = FALSE)
  lines <- lines_of({
    progress <- new_progress(1, 30, 10)
    for (epoch in 1:3) progress$epoch_end(epoch, list(loss = epoch), 0.001)
    progress$finish(new_history(list(), list(loss = 1:3)))
  })
  expect_match(lines[length(lines)], "^Epoch 3/30")
  expect_match(history_line(new_history(list(), list(loss = 1:3)), 30, 2), "^3 of 30 epochs")
})

test_that("the bar is drawn and taken away on a terminal", {
  withr::local_options(cli.dynamic = TRUE, cli.ansi = FALSE)
  messages <- NULL
  lines <- lines_of(messages <- cli::cli_fmt(run_progress(1, 2)))
  expect_match(lines[length(lines)], "^Epoch 2/2 - loss")
})

test_that("showing progress costs little", {
  seconds <- system.time(lines_of(run_progress(1, 300)))[["elapsed"]]
  expect_lt(seconds, 1)
})

test_that("numbers and times are short", {
  expect_identical(format_metric(0.612349), "0.6123")
  expect_identical(format_metric(0), "0.0000")
  expect_identical(format_metric(1e-5), "1.0000e-05")
  expect_identical(format_metric(NaN), "NaN")
  expect_identical(format_metric(1234567), "1.2346e+06")
  expect_identical(format_seconds(0.0123), "12 ms")
  expect_identical(format_seconds(1.26), "1.3 s")
  expect_identical(format_seconds(125), "2 min 5 s")
  expect_null(format_logs(list()))
  expect_null(format_logs(list(a = NA)))
})

test_that("the bar outlives the last batch of an epoch", {
  withr::local_options(cli.dynamic = TRUE)
  bar <- new_bar(2)
  shown <- capture.output(type = "message", {
    for (batch in c(1, 2, 1, 2)) {
      bar$draw(batch, "Epoch 1/1", "loss: 0.5")
    }
    bar$clear()
  })
  expect_match(paste(shown, collapse = ""), "2/2 loss: 0.5", fixed = TRUE)
})

test_that("no bar is drawn into a document", {
  withr::local_options(cli.dynamic = TRUE, knitr.in.progress = NULL)
  expect_identical(can_draw_bar(), sink.number() == 0)
  withr::with_options(list(knitr.in.progress = TRUE), expect_false(can_draw_bar()))
  file <- withr::local_tempfile()
  sink(file)
  caught <- tryCatch(can_draw_bar(), finally = sink())
  expect_false(caught)
  withr::local_options(cli.dynamic = FALSE)
  expect_false(can_draw_bar())
})

test_that("a page knitted on a terminal holds lines, whatever verbose is", {
  skip_if_not_installed("knitr")
  withr::local_options(cli.dynamic = TRUE)
  page <- knitr::knit(quiet = TRUE, envir = new.env(parent = globalenv()), text = c(
    "```{r}",
    "library(lamina)",
    "x <- matrix(rnorm(4e4), ncol = 4)",
    "model <- keras_model_sequential(input_shape = 4) |> layer_dense(64) |> layer_dense(64) |> layer_dense(1)",
    "model |> compile('sgd', 'mse')",
    "for (verbose in 1:3) model |> fit(x, x[, 1], epochs = 2, batch_size = 4, verbose = verbose)",
    "p <- predict(model, x, batch_size = 4, verbose = 1)",
    "```"
  ))
  expect_false(grepl("[\r\033]", page))
  expect_match(page, "## Epoch 2/2 - loss: ", fixed = TRUE)
  expect_match(page, "## Prediction - [0-9.]+ m?s\n")
})

test_that("predict() tells what it did in one line, and takes its bar away when it fails", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  for (verbose in 1:3) {
    shown <- capture.output(p <- predict(model, 1:100, batch_size = 10, verbose = verbose))
    expect_length(shown, 1L)
    expect_match(shown, "^Prediction - [0-9.]+ m?s$")
  }
  # A bar of our own stands in for cli's.
  replace <- function(name, value) {
    binding <- function(value) assignInNamespace(name, value, "lamina")
    old <- getFromNamespace(name, "lamina")
    binding(value)
    withr::defer(binding(old), parent.frame())
  }
  seen <- character()
  replace("can_draw_bar", function() TRUE)
  replace("new_bar", function(steps) {
    list(draw = function(...) seen <<- c(seen, "draw"), clear = function() seen <<- c(seen, "clear"))
  })
  slow <- callback_lambda(on_predict_batch_end = function(batch, logs) if (batch == 5) stop("enough"))
  expect_error(predict(model, 1:100, batch_size = 10, verbose = 1, callbacks = slow), "enough")
  expect_identical(seen, c("draw", "clear"))
})

test_that("a fit that ends before its first epoch has no line", {
  expect_identical(lines_of(new_progress(3, 2, 10)$finish(new_history(list(), list()))), character())
})
