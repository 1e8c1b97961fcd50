# The playground without a browser; test-playground-browser.R has the page.

# Plays up to the end of an epoch: on a busy machine a slice of time may be over before.
play_to <- function(pg, epoch) {
  play_playground(pg)
  while (pg$phase == "playing" && pg$trainer$epoch < epoch) advance_playground(pg)
  pause_playground(pg)
}

# Trains so many epochs, then single steps.
trained <- function(epochs, steps = 0, ...) {
  pg <- new_playground(playground_settings(...))
  play_to(pg, epochs)
  for (i in seq_len(steps)) step_playground(pg)
  pg
}

run_code <- function(code) {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  env <- new.env(parent = globalenv())
  eval(parse(text = code), env)
  env
}

test_that("the script makes the same network, to the last bit, whatever is chosen", {
  on.exit(set.seed(NULL))
  choices <- list(
    list(), list(data = "xor", units = numeric(), features = "x1_x2"), list(data = "spirals", units = c(8, 8, 8, 8)),
    list(data = "clusters", loss = "hinge"), list(data = "moons", loss = "mean_squared_error"),
    list(data = "hills"), list(data = "hills", loss = "mean_absolute_error"), list(data = "hills", loss = "huber"),
    list(features = names(playground_features), noise = 0.5), list(dropout = 0.3), list(l1 = 0.001), list(l2 = 1e-4),
    list(l1 = 3e-4, l2 = 0.01, dropout = 0.5), list(batch_size = 1, test = 50), list(batch_size = 400, test = 10),
    list(seed = 0), list(seed = .Machine$integer.max)
  )
  choices <- c(
    choices, lapply(names(playground_optimizers), function(o) list(optimizer = o)),
    lapply(playground_activations, function(a) list(activation = a)),
    lapply(playground_rates, function(r) list(learning_rate = r, optimizer = "sgd"))
  )
  for (chosen in choices) {
    pg <- do.call(trained, c(list(epochs = 2), chosen))
    expect_identical(pg$trainer$epoch, 2)
    made <- run_code(code_of_playground(pg))
    info <- paste(deparse(chosen), collapse = "")
    expect_identical(get_weights(made$model), get_weights(pg$model), info = info)
    expect_false(identical(get_weights(new_playground(pg$settings)$model), get_weights(pg$model)), info = info)
    expect_length(made$history$metrics$val_loss, 2)
  }
})

test_that("in the midst of an epoch too, and before the first", {
  on.exit(set.seed(NULL))
  for (epochs in c(0, 3)) {
    pg <- trained(epochs, steps = 5, dropout = 0.2)
    expect_identical(c(pg$trainer$epoch, pg$trainer$batch), c(epochs, 5))
    expect_identical(get_weights(run_code(code_of_playground(pg))$model), get_weights(pg$model))
  }
  play_to(pg, 4) # what is left of the epoch
  expect_identical(c(pg$trainer$epoch, pg$trainer$batch), c(4, 0))
  expect_identical(get_weights(run_code(code_of_playground(pg))$model), get_weights(pg$model))

  fresh <- new_playground()
  expect_match(code_of_playground(fresh), "epochs = 100", fixed = TRUE)
})

test_that("the network is the one that was chosen", {
  code <- function(...) playground_code(playground_settings(...))
  expect_match(code(l1 = 1e-4), "kernel_regularizer = regularizer_l1(0.0001)", fixed = TRUE)
  expect_match(code(l2 = 0.03), "kernel_regularizer = regularizer_l2(0.03)", fixed = TRUE)
  expect_match(code(optimizer = "momentum", learning_rate = 1e-4), "optimizer_sgd(learning_rate = 0.0001, momentum = 0.9)",
               fixed = TRUE)
  for (name in setdiff(names(playground_optimizers), "momentum")) {
    expect_match(code(optimizer = name, learning_rate = 1), sprintf("optimizer_%s(learning_rate = 1)", name), fixed = TRUE)
  }
  expect_match(code(seed = 123456789), "set.seed(123456789)", fixed = TRUE)
  expect_match(code(data = "xor", noise = 0.25), "sim_points(400, \"xor\", noise = 0.25)", fixed = TRUE)

  pg <- new_playground(playground_settings(
    "spirals", test = 25, features = c("sin_x2", "x1_squared", "x1_x2"), units = c(3, 8), activation = "relu", dropout = 0.2,
    l1 = 0.01, l2 = 0.003
  ))
  expect_identical(layer_types(pg$model), c("dense", "dropout", "dense", "dropout", "dense"))
  expect_identical(unname(lapply(get_weights(pg$model), dim)[c(1, 3, 5)]), list(c(3L, 3L), c(3L, 8L), c(8L, 1L)))
  p <- pg$points$x
  expect_equal(pg$x, cbind(p[, 1]^2, p[, 1] * p[, 2], sin(pi * p[, 2])), ignore_attr = TRUE)
  expect_length(unique(pg$test), 100)

  # forward by hand, and the loss with its penalties
  w <- get_weights(pg$model)
  a <- pg$x
  for (i in c(1, 3)) a <- pmax(a %*% w[[i]] + rep(w[[i + 1]], each = nrow(a)), 0)
  out <- stats::plogis(drop(a %*% w[[5]]) + w[[6]][1])
  kernels <- unlist(w[c(1, 3, 5)])
  loss <- mean(-ifelse(pg$points$y == "b", log(out), log(1 - out))[pg$test]) + sum(0.01 * abs(kernels) + 0.003 * kernels^2)
  expect_equal(measure_playground(pg)$test$loss, loss, tolerance = 1e-6)
})

test_that("the script runs by itself and prints the losses that the playground shows", {
  skip_if_not_installed("callr")
  pg <- trained(4, data = "moons")
  script <- withr::local_tempfile(fileext = ".R", lines = code_of_playground(pg))
  run <- callr::rscript(script, libpath = .libPaths(), wd = dirname(script), show = FALSE, fail_on_status = FALSE,
                        stderr = "2>&1")
  expect_identical(run$status, 0L, info = run$stdout)
  shown <- measure_playground(pg)
  lines <- strsplit(run$stdout, "\n")[[1]]
  expect_match(lines, sprintf("[1] %s", format(shown$train$loss, digits = 7)), fixed = TRUE, all = FALSE)
  expect_match(lines, sprintf("[1] %s", format(shown$test$loss, digits = 7)), fixed = TRUE, all = FALSE)
  expect_match(lines, sprintf("[1] %s", format(shown$test$right, digits = 7)), fixed = TRUE, all = FALSE)
})

test_that("one step is the optimizer's, by the formula of logistic regression", {
  pg <- new_playground(playground_settings(units = numeric(), batch_size = 400, optimizer = "sgd", learning_rate = 0.3))
  before <- get_weights(pg$model)
  x <- pg$x[-pg$test, ]
  y <- pg$y[-pg$test]
  error <- stats::plogis(drop(x %*% before[[1]] + before[[2]])) - y
  step_playground(pg)
  after <- get_weights(pg$model)
  expect_equal(after[[1]], before[[1]] - 0.3 * crossprod(x, error) / length(y), tolerance = 1e-6, ignore_attr = TRUE)
  expect_equal(as.vector(after[[2]]), as.vector(before[[2]]) - 0.3 * mean(error), tolerance = 1e-6)
  expect_identical(get_weights(unserialize(serialize(pg$model, NULL))), after)
})

test_that("looking at the network does not change what it learns", {
  pg <- new_playground(playground_settings(dropout = 0.3))
  seen <- new_playground(playground_settings(dropout = 0.3))
  playground_setup(seen)
  for (i in 1:40) {
    step_playground(pg)
    step_playground(seen)
    playground_frame(seen)
    backprop_tables(seen, i)
  }
  expect_identical(get_weights(seen$model), get_weights(pg$model))
})

test_that("R's random numbers stay where they are", {
  set.seed(5)
  state <- .Random.seed
  trained(2, steps = 3, dropout = 0.2)
  expect_identical(.Random.seed, state)
})

test_that("play, pause, step and reset do what they say in every phase", {
  phase_after <- function(phase, act) {
    pg <- new_playground()
    if (phase != "ready") step_playground(pg)
    pg$phase <- phase
    act(pg)
    c(pg$phase, pg$trainer$batch)
  }
  expect_identical(phase_after("ready", play_playground), c("playing", "0"))
  expect_identical(phase_after("paused", play_playground), c("playing", "1"))
  expect_identical(phase_after("failed", play_playground), c("failed", "1"))
  expect_identical(phase_after("ready", pause_playground), c("ready", "0"))
  expect_identical(phase_after("playing", pause_playground), c("paused", "1"))
  expect_identical(phase_after("failed", pause_playground), c("failed", "1"))
  expect_identical(phase_after("ready", step_playground), c("paused", "1"))
  expect_identical(phase_after("playing", step_playground), c("paused", "2"))
  expect_identical(phase_after("failed", step_playground), c("failed", "1"))
  for (phase in c("ready", "playing", "paused", "failed")) {
    expect_identical(phase_after(phase, reset_playground), c("ready", "0"))
  }
  expect_identical(phase_after("paused", advance_playground), c("paused", "1"))
})

test_that("a speed is a step, an epoch or ten", {
  pg <- new_playground()
  play_playground(pg)
  at <- function() c(pg$trainer$epoch, pg$trainer$batch)
  advance_playground(pg, "step")
  expect_identical(at(), c(0, 1))
  play_to(pg, 1)
  expect_identical(at(), c(1, 0))
  play_playground(pg)
  expect_identical(pg$trainer$batches, 28) # 280 samples in tens
  took <- system.time(advance_playground(pg, "ten"))[["elapsed"]]
  expect_true(at()[1] == 11 || took >= SLICE_SECONDS)
})

test_that("a reset begins at the same weights again", {
  pg <- trained(1)
  first <- new_playground()
  reset_playground(pg)
  expect_identical(get_weights(pg$model), get_weights(first$model))
  expect_identical(pg$trainer$epoch, 0)
})

test_that("losses and shares are those of the definitions", {
  pg <- trained(3, data = "xor")
  p <- predict(pg$model, pg$x)[, 1]
  loss <- -(pg$y * log(p) + (1 - pg$y) * log(1 - p))
  shown <- measure_playground(pg)
  expect_equal(shown$train$loss, mean(loss[-pg$test]), tolerance = 1e-6)
  expect_equal(shown$test$loss, mean(loss[pg$test]), tolerance = 1e-6)
  expect_identical(shown$test$right, mean((p > 0.5)[pg$test] == (pg$points$y == "b")[pg$test]))

  hinge <- trained(3, data = "clusters", loss = "hinge")
  out <- predict(hinge$model, hinge$x)[-hinge$test, 1]
  side <- ifelse(hinge$points$y == "b", 1, -1)[-hinge$test]
  shown <- measure_playground(hinge)
  expect_equal(shown$train$loss, mean(pmax(0, 1 - side * out)), tolerance = 1e-6)
  expect_identical(shown$train$right, mean((out > 0) == (side > 0)))
  expect_null(measure_playground(new_playground(playground_settings("hills")))$train$right)
})

test_that("a loss that is not finite stops the playground; its script stops in the same step", {
  pg <- trained(40, data = "hills", activation = "linear", units = c(8, 8, 8), optimizer = "sgd", learning_rate = 1)
  expect_identical(pg$phase, "failed")
  expect_match(pg$note, "not a finite number")
  expect_true(all(is.finite(unlist(get_weights(pg$model)))))
  playground_setup(pg)
  expect_true(is.finite(playground_frame(pg)$train$loss))
  error <- expect_error(run_code(code_of_playground(pg)), class = "lamina_error_numeric")
  expect_equal(c(error$epoch, error$batch), c(pg$trainer$epoch + 1, pg$trainer$batch))
})

test_that("pixels go from 00 over 7f to fe, and the map is the network's output", {
  expect_identical(as_pixels(c(-1, 0, 1)), "007ffe")
  pg <- trained(5)
  setup <- playground_setup(pg)
  frame <- playground_frame(pg)
  bytes <- strtoi(substring(frame$map, seq(1, nchar(frame$map), 2), seq(2, nchar(frame$map), 2)), 16)
  expect_length(bytes, 2500)
  # the pixel in column 10 and row 30 from below
  at <- pg$reach * (2 * c(10, 30) - 51) / 50
  p <- predict(pg$model, matrix(at, 1))[1, 1]
  expect_lte(abs(bytes[29 * 50 + 10] / 127 - 1 - (2 * p - 1)), 0.5 / 127 + 1e-6)

  expect_identical(lengths(frame$tiles), c(4L, 2L))
  expect_true(all(nchar(unlist(frame$tiles)) == 2 * 16^2))
  expect_equal(unclass(frame$weights[[2]]$kernel), signif(as.vector(get_weights(pg$model)[[3]]), 4))
  expect_identical(c(frame$epoch, frame$step), c(5, 140))
  expect_identical(as.numeric(unclass(setup$units)), c(2, 4, 2, 1))
  expect_equal(setup$target, ifelse(pg$points$y == "b", 1, -1))
  # the largest output of a unit is the strongest colour
  tile <- strtoi(substring(frame$tiles[[1]][1], seq(1, 511, 2), seq(2, 512, 2)), 16)
  expect_true(any(tile %in% c(0, 254)))
})

test_that("the tables of one sample are those of backpropagation by hand", {
  pg <- trained(2, units = 3, activation = "tanh", loss = "mean_squared_error", features = c("x1", "x2"), dropout = 0.3)
  w <- lapply(get_weights(pg$model), as.matrix)
  x <- pg$x[7, ]
  z <- drop(x %*% w[[1]]) + w[[2]][, 1]
  a <- tanh(z)
  z_out <- sum(a * w[[3]]) + w[[4]][1, 1]
  p <- stats::plogis(z_out)
  d_out <- 2 * (p - pg$y[7]) * p * (1 - p)
  d <- d_out * w[[3]][, 1] * (1 - a^2)

  tables <- backprop_tables(pg, 7)
  expect_identical(tables$units$unit, c(sprintf("hidden 1, unit %d", 1:3), "output"))
  expect_equal(tables$units$sum, c(z, z_out), tolerance = 1e-5)
  expect_equal(tables$units$activation, c(a, p), tolerance = 1e-5)
  expect_equal(tables$units$d_sum, c(d, d_out), tolerance = 1e-5)
  expect_identical(nrow(tables$weights), 3L * 3L + 4L)
  row <- tables$weights[5, ] # the second unit's weight of x2
  expect_identical(c(row$from, row$to), c(feature_labels[["x2"]], "hidden 1, unit 2"))
  expect_equal(c(row$input, row$weight, row$gradient), c(x[[2]], w[[1]][2, 2], x[[2]] * d[2]), tolerance = 1e-5)
  bias <- tables$weights[13, ]
  expect_identical(c(bias$from, bias$to), c("bias", "output"))
  expect_equal(c(bias$weight, bias$gradient), c(w[[4]][1, 1], d_out), tolerance = 1e-5)
})

test_that("bad settings are refused by name", {
  refused <- function(...) expect_error(playground_settings(...), class = "lamina_error_argument")$arg
  expect_identical(refused(data = "rings"), "data")
  expect_identical(refused(noise = 0.6), "noise")
  expect_identical(refused(test = 5), "test")
  expect_identical(refused(features = character()), "features")
  expect_identical(refused(features = "x3"), "features")
  expect_identical(refused(units = c(4, 9)), "units")
  expect_identical(refused(units = rep(2, 5)), "units")
  expect_identical(refused(activation = "cube"), "activation")
  expect_identical(refused(data = "hills", loss = "hinge"), "loss")
  expect_identical(refused(optimizer = "bfgs"), "optimizer")
  expect_identical(refused(learning_rate = 2), "learning_rate")
  expect_identical(refused(l1 = -1), "l1")
  expect_identical(refused(l2 = NA), "l2")
  expect_identical(refused(dropout = 1), "dropout")
  expect_identical(refused(batch_size = 0), "batch_size")
  expect_identical(refused(seed = NA_real_), "seed")
})

test_that("without shiny the error says how to install it", {
  error <- expect_error(require_shiny(installed = FALSE), class = "lamina_error_package")
  expect_s3_class(error, "lamina_error")
  expect_match(conditionMessage(error), "install.packages(\"shiny\")", fixed = TRUE)
  expect_identical(expect_error(lamina_playground(launch = NA), class = "lamina_error_argument")$arg, "launch")
})

test_that("the app is made without being run, and its page needs no network", {
  skip_if_not_installed("shiny")
  expect_s3_class(lamina_playground(launch = FALSE), "shiny.appobj")
  page <- as.character(playground_ui())
  for (text in c(page, lapply(c("playground.css", "playground.js"), function(file) readLines(playground_file(file))))) {
    expect_no_match(text, "https?:|url\\(|@import")
  }
  expect_match(page, "<canvas id=\"pg-map\" role=\"img\" aria-label=", fixed = TRUE)
})

# All inputs of the page as it is first shown.
first_inputs <- function(...) {
  given <- list(...)
  start <- list(
    data = "circles", noise = 0.05, test = 30, seed = 1, features = c("x1", "x2"), layers = "2", units1 = "4", units2 = "2",
    units3 = "2", units4 = "2", activation = "tanh", loss = "binary_crossentropy", optimizer = "adam", learning_rate = "0.03",
    batch_size = 10, l1 = "0", l2 = "0", dropout = "0", speed = "epoch", sample = 1
  )
  start[names(given)] <- given
  start
}

test_that("the server plays, pauses, steps and resets", {
  skip_if_not_installed("shiny")
  shiny::testServer(playground_server, {
    do.call(session$setInputs, first_inputs())
    session$elapse(500)
    expect_identical(pg$phase, "ready")
    before <- measure_playground(pg)$train$loss
    expect_match(output$backprop$html, "Sample 1 is training data")

    session$setInputs(play = 1)
    session$elapse(3000)
    expect_identical(pg$phase, "playing")
    expect_gt(pg$trainer$epoch, 3)
    expect_lt(measure_playground(pg)$train$loss, before)
    expect_match(output$backprop$html, "Pause to see")

    session$setInputs(play = 2)
    expect_identical(pg$phase, "paused")
    epoch <- pg$trainer$epoch
    session$elapse(1000)
    expect_identical(pg$trainer$epoch, epoch)
    expect_match(output$backprop$html, "Weighted sum")

    session$setInputs(step = 1)
    expect_identical(c(pg$trainer$epoch, pg$trainer$batch), c(epoch, 1))
    session$setInputs(sample = 0)
    expect_match(output$backprop$html, "numbered from 1 to 400")

    session$setInputs(reset = 1)
    expect_identical(c(pg$trainer$epoch, pg$trainer$batch), c(0, 0))
    expect_identical(pg$phase, "ready")
  })
})

test_that("a browser that is behind is waited for", {
  skip_if_not_installed("shiny")
  shiny::testServer(playground_server, {
    do.call(session$setInputs, first_inputs(drawn = 1, speed = "step"))
    session$elapse(500)
    session$setInputs(play = 1)
    session$elapse(3000)
    expect_identical(pg$trainer$batch, UNSEEN_PICTURES - 1) # and one picture when Play was pressed
    session$setInputs(drawn = 1000)
    session$elapse(2000)
    expect_gt(pg$trainer$batch, UNSEEN_PICTURES + 4)
  })
})

test_that("changed settings begin anew, refused ones change nothing, and a button takes the latest", {
  skip_if_not_installed("shiny")
  shiny::testServer(playground_server, {
    do.call(session$setInputs, first_inputs())
    session$elapse(500)
    session$setInputs(step = 1)
    session$setInputs(layers = "3")
    session$elapse(500)
    expect_identical(pg$settings$units, c(4, 2, 2))
    expect_identical(pg$trainer$batch, 0)

    session$setInputs(step = 2)
    session$setInputs(noise = NA)
    session$elapse(500)
    expect_identical(pg$settings$noise, 0.05)
    session$setInputs(step = 3)
    expect_identical(pg$trainer$batch, 1)
    session$setInputs(noise = 0.05)
    session$elapse(500)
    expect_identical(c(pg$phase, pg$trainer$batch), c("ready", "0"))

    session$setInputs(data = "hills", play = 1)
    expect_identical(pg$settings$data, "hills")
    expect_identical(pg$settings$loss, "mean_squared_error")
    expect_identical(pg$phase, "playing")
    session$setInputs(data = "moons", play = 2) # "Pause" was on the button
    expect_identical(pg$phase, "ready")
  })
})
