# diagnose(): by histories whose truth is known, made up and real.

test_that("hit rates on histories made up at random", {
  times <- as.integer(Sys.getenv("LAMINA_TEST_HISTORIES", "60"))
  set.seed(20)
  rates <- vapply(names(history_kinds), function(kind) {
    found <- replicate(times, simplify = FALSE, {
      made <- history_kinds[[kind]]()
      told <- diagnose(made_history(made[[1L]], made[[2L]]))
      since <- told$since[told$finding == "overfits"]
      c(hit = kind %in% told$finding, alone = identical(told$finding, kind),
        gap = if (!is.null(made$at) && length(since)) abs(since - made$at) / length(made[[1L]]) else NA)
    })
    found <- do.call(rbind, found)
    if (kind == "overfits") expect_lt(stats::median(found[, "gap"], na.rm = TRUE), 0.05) # the epoch, as a share of all
    mean(found[, if (kind == "healthy") "alone" else "hit"])
  }, 0)
  expect_identical(rates[["healthy"]], 1) # no false alarm
  for (kind in setdiff(names(rates), "healthy")) {
    expect_gte(rates[[kind]], 0.95, label = paste(kind, rates[[kind]]))
  }
})

test_that("without validation, and with validation in some epochs only", {
  set.seed(3)
  for (i in 1:30) {
    expect_identical(diagnose(made_history(history_kinds$healthy()[[1L]]))$finding, "healthy")
  }
  for (i in 1:30) {
    made <- history_kinds$overfits()
    val <- replace(made[[2L]], seq_along(made[[2L]]) %% 2 == 1, NA)
    if (length(val) < 60) next
    told <- diagnose(made_history(made[[1L]], val))
    expect_true("overfits" %in% told$finding)
    expect_identical(told$since %% 2, 0, info = "an epoch that was measured")
  }
})

test_that("figures by hand", {
  loss <- c(4, 3, 2, 1.5, 1.2, 1.1, 1.05, 1.02, 1.01, 1.0)
  val <- c(4, 3, 2, 1.8, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6)
  told <- diagnose(made_history(loss, val))
  expect_identical(told$finding, "overfits")
  expect_identical(told$since, 5L)
  # three epochs around the lowest and the last three
  expect_match(told$evidence, "rose from 1.7333 to 2.4000 \\(38 %\\)")
  expect_match(told$evidence, "fell to 1.0000")
  expect_identical(attr(told, "validation"), c(first = 4, last = 2.6))

  straight <- diagnose(made_history(seq(2, 1.1, length.out = 10)))
  expect_identical(straight$finding, "slow")
  expect_match(straight$evidence, "In the last 2 epochs|in the last 2 epochs")

  flat <- diagnose(made_history(c(0.70, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69, 0.69)))
  expect_identical(flat$finding, "underfits")
  expect_match(flat$evidence, "from 0.7000 to 0.6900 \\(1 %\\)")
  good <- diagnose(made_history(c(0.30, rep(0.29, 9)), accuracy = c(0.9, rep(0.95, 9))))
  expect_identical(good$finding, "healthy")

  spiky <- diagnose(made_history(c(9, 5, 3, 4.6, 2, 1.5, 3.75, 1.2, 1.1, seq(1.05, 1, length.out = 15))))
  expect_identical(spiky$finding, "oscillates")
  expect_identical(spiky$since, 4L)
  expect_match(spiky$evidence, "in 2 epochs .* from 1.5000 to 3.7500 in epoch 7")
  again <- diagnose(made_history(c(9, 5, 3, 2, 1.5, 1.2, 1, 1, 1, 1, 1.1, 1.3, 1.5, 1.7)))
  expect_identical(again$finding, "oscillates")
  expect_match(again$evidence, "risen again, from 1.0[0-9]* to 1.5000") # the mean of the last three

  expect_identical(diagnose(made_history(c(1, 2, 4)))$finding, "diverged")
  expect_identical(diagnose(made_history(c(1, NaN)))$since, 2L)
  expect_identical(diagnose(made_history(c(2, 1, 0.5)))$finding, "too short")
  # a loss that may be negative
  expect_identical(diagnose(made_history(-0.9 + 0.8 * exp(-(0:29) / 3)))$finding, "healthy")
})

test_that("epochs are those of the history, also when a training went on", {
  loss <- 2^-(1:12)
  val <- c(4, 3, 2, 1.8, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3)
  late <- lamina:::new_history(list(epochs = 32, initial_epoch = 21), list(loss = loss, val_loss = val))
  expect_identical(diagnose(late)$since, 25L)
})

test_that("real trainings: overfitting, underfitting, rates too high and too low, and a good one", {
  found <- function(model, optimizer, loss, ...) {
    model |> compile(optimizer, loss)
    tryCatch(fit(model, ..., verbose = 0), lamina_error_numeric = function(e) model$history) |> diagnose()
  }
  for (seed in 1:2) {
    set.seed(seed)
    noise <- matrix(rnorm(480), ncol = 8)
    wide <- keras_model_sequential(input_shape = 8) |> layer_dense(64, activation = "relu") |> layer_dense(1)
    told <- found(wide, optimizer_adam(0.01), "mse", noise, noise[, 1] + rnorm(60), epochs = 80, validation_split = 0.5)
    expect_true("overfits" %in% told$finding)

    square <- matrix(runif(800, -1, 1), ncol = 2)
    line <- keras_model_sequential(input_shape = 2) |> layer_dense(1, activation = "sigmoid", kernel_initializer = "zeros")
    told <- found(line, optimizer_adam(0.01), "binary_crossentropy", square, as.integer(square[, 1] * square[, 2] > 0),
                  epochs = 40, validation_split = 0.3)
    expect_identical(told$finding, "underfits")

    x <- matrix(rnorm(600), ncol = 3)
    linear <- keras_model_sequential(input_shape = 3) |> layer_dense(1)
    told <- found(linear, optimizer_sgd(1.3), "mse", x, x %*% c(1, 2, 3), epochs = 30, batch_size = 200)
    expect_true(told$finding[1] %in% c("diverged", "oscillates"))

    hidden <- keras_model_sequential(input_shape = 3) |> layer_dense(16, activation = "relu") |> layer_dense(1)
    told <- found(hidden, optimizer_sgd(1e-4), "mse", x, sin(x[, 1]) + x[, 2], epochs = 40, validation_split = 0.2)
    expect_identical(told$finding, "slow")
  }
  set.seed(1)
  rows <- sample(150)
  good <- keras_model_sequential(input_shape = 4) |> layer_dense(8, activation = "relu") |> layer_dense(3, activation = "softmax")
  told <- found(good, optimizer_adam(0.01), "sparse_categorical_crossentropy", as.matrix(scale(iris[1:4]))[rows, ],
                iris$Species[rows], epochs = 60, validation_split = 0.3)
  expect_identical(told$finding, "healthy")

  set.seed(1)
  fit <- lamina(Species ~ ., iris, hidden_units = 4, epochs = 30)
  expect_identical(diagnose(fit), diagnose(fit$history))
})

test_that("printed", {
  told <- diagnose(made_history(c(4, 3, 2, 1.5, 1.2, 1.1, 1.05, 1.02, 1.01, 1.0), c(4, 3, 2, 1.8, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6)))
  text <- cli::ansi_strip(format(told))
  expect_identical(text[1], "10 epochs; training loss 4.0000 to 1.0000; validation loss 4.0000 to 2.6000")
  expect_match(text[2], "Overfits since epoch 5")
  expect_match(paste(text, collapse = " "), "callback_early_stopping")
  expect_output(print(told), "Since epoch 5 the validation loss rose")
  expect_output(print(as.data.frame(told)[1:2]), "overfits")
  expect_named(told, c("finding", "severity", "since", "evidence", "advice"))
  expect_setequal(names(lamina:::finding_titles), c(names(history_kinds), "too short"))
})

test_that("bad input is refused", {
  expect_error(diagnose(list(loss = 1)), class = "lamina_error_argument")
  expect_error(diagnose(c(2, 1)), class = "lamina_error_argument")
  expect_error(diagnose(made_history(numeric())), class = "lamina_error_state")
  expect_error(diagnose(made_history(c(2, 1)), metric = "accuracy"), class = "lamina_error_argument")
})
