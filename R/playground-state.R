# The playground without its looks: data and network of the settings, and training a slice at a time.
#
# A playground is an environment: settings, phase, what the code of its settings has made (points, inputs, x, y, test,
# model), trainer, note (what went wrong).  The phase is "ready" (nothing trained yet), "playing", "paused", or
# "failed" (the loss was not finite; the last good weights are there).

new_playground <- function(settings = playground_settings()) {
  pg <- new.env(parent = emptyenv())
  reset_playground(pg, settings)
  pg
}

# Back to the beginning, with these settings.
reset_playground <- function(pg, settings = pg$settings) {
  made <- new.env(parent = asNamespace("lamina"))
  with_kept_seed({ # the code sets its own
    for (part in playground_parts(settings)) {
      eval(parse(text = part, keep.source = FALSE), made)
    }
    trainer <- new_trainer(made$model, made$x[-made$test, , drop = FALSE], made$y[-made$test], settings$batch_size)
  })
  if (!is.null(pg$trainer)) {
    release(pg$trainer$feed)
  }
  list2env(mget(c("points", "inputs", "x", "y", "test", "model"), envir = made), pg)
  list2env(list(settings = settings, trainer = trainer, phase = "ready", note = ""), pg)
  invisible(pg)
}

play_playground <- function(pg) {
  if (pg$phase != "failed") {
    pg$phase <- "playing"
  }
  invisible(pg)
}

pause_playground <- function(pg) {
  if (pg$phase == "playing") {
    pg$phase <- "paused"
  }
  invisible(pg)
}

# One step of the optimizer; a playground that plays pauses.
step_playground <- function(pg) {
  if (pg$phase != "failed") {
    pg$phase <- "paused"
    train_guarded(pg, 1)
  }
  invisible(pg)
}

# What happens between two pictures while it plays, if a slice of time is enough for it.  speed: a "step", or up to the
# end of an "epoch" or of "ten".
advance_playground <- function(pg, speed = "epoch") {
  if (pg$phase == "playing") {
    trainer <- pg$trainer
    epochs <- c(epoch = 1, ten = 10)
    train_guarded(pg, if (speed == "step") 1 else epochs[[speed]] * trainer$batches - trainer$batch)
  }
  invisible(pg)
}

train_guarded <- function(pg, batches) {
  tryCatch(train_slice(pg$trainer, batches), lamina_error_numeric = function(e) {
    pg$phase <- "failed"
    pg$note <- "The loss is not a finite number any more. Choose a smaller learning rate, or reset."
    pg$trainer$batch <- as.numeric(e$actual) # of the epoch; as in the message that fit() would raise
  })
}

# ---- fit(), a slice at a time ----------------------------------------------------------------------

# What fit() sets up before its first epoch; the same random numbers are drawn in the same order.
# epoch: whole epochs done; batch: batches done of the one that has begun.
new_trainer <- function(model, x, y, batch_size) {
  settings <- list(batch_size = batch_size, initial_epoch = 1)
  feed <- with_loops(model, array_feed(model, x, y, 0, NULL, NULL, rlang::current_env()), settings)
  first_key <- choose_stream(model, settings)
  list2env(list(
    model = model, feed = feed, stepper = batch_stepper(model, feed$loop, feed), first_key = first_key,
    batches = ceiling(feed$n / batch_size), epoch = 0, batch = 0
  ), parent = emptyenv())
}

# At most so many batches, and no longer than a slice of fit(); then the model's R values are those of its network.
train_slice <- function(trainer, batches) {
  model <- trainer$model
  on.exit(pull_state(model))
  until <- proc.time()[["elapsed"]] + SLICE_SECONDS
  repeat {
    if (trainer$batch == 0) {
      start_pass(model, trainer$feed$loop, trainer$feed, TRUE, trainer$first_key + trainer$epoch)
    }
    report <- trainer$stepper$step(min(batches, trainer$batches - trainer$batch))
    batches <- batches - (report[2L] - trainer$batch)
    trainer$batch <- report[2L]
    if (report[1L] > 0) {
      trainer$epoch <- trainer$epoch + 1
      trainer$batch <- 0
      assign("epoch", trainer$epoch, envir = model)
    }
    if (batches < 1 || proc.time()[["elapsed"]] >= until) {
      break
    }
  }
  invisible(trainer)
}

# ---- what there is to see --------------------------------------------------------------------------

# Loss of the weights as they are now and, of classes, the share that is right, on training and test data.
measure_playground <- function(pg) {
  part <- function(rows) {
    x <- pg$x[rows, , drop = FALSE]
    right <- if (!is_regression(pg$settings$data)) {
      mean((on_scale(predict(pg$model, x), pg$settings) > 0) == (on_scale(pg$y[rows], pg$settings) > 0))
    }
    list(loss = evaluate(pg$model, x, pg$y[rows], verbose = 0)$loss, right = right)
  }
  list(train = part(-pg$test), test = part(pg$test))
}

# The script that gives this network; one that is not trained yet shall be, for 100 epochs.
code_of_playground <- function(pg) {
  trainer <- pg$trainer
  if (pg$phase == "failed") {
    epoch <- trainer$epoch + 1
    playground_code(pg$settings, epoch, note = sprintf(
      "# in step %d of epoch %d the loss is not finite any more: fit() stops with an error", trainer$batch, epoch
    ))
  } else if (trainer$epoch == 0 && trainer$batch == 0) {
    playground_code(pg$settings)
  } else {
    playground_code(pg$settings, trainer$epoch, trainer$batch, trainer$batches)
  }
}
