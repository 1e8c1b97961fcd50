# Building and training the network of a lamina() fit.  Everything here works on plain numbers, so that a
# bootstrap can do the same again with other rows.

# The network for p predictors, compiled; its weights are not made yet.
tabular_network <- function(settings, task, p, offset = FALSE) {
  network <- keras_model_sequential(input_shape = p)
  penalty <- tabular_penalty(settings)
  if (!is.null(settings$layers)) {
    for (layer in settings$layers) add_layer(network, copy_layer(layer, values = TRUE))
  } else {
    for (i in seq_along(settings$hidden_units)) {
      layer_dense(network, settings$hidden_units[i], activation = settings$activation[[i]], kernel_regularizer = penalty)
      if (settings$dropout[[i]] > 0) layer_dropout(network, settings$dropout[[i]])
    }
  }
  layer_dense(network, task$units, activation = if (offset) "linear" else task$activation,
              kernel_regularizer = penalty, name = "output")
  compile(network, optimizer = if (identical(settings$optimizer, "bfgs")) "sgd" else settings$optimizer,
          loss = if (offset) logistic_offset_loss else task$loss,
          metrics = if (!offset) tabular_metrics(settings, task))
  network
}

tabular_penalty <- function(settings) {
  if (settings$penalty > 0) {
    regularizer_l1_l2(l1 = settings$penalty * settings$mixture, l2 = settings$penalty * (1 - settings$mixture))
  }
}

tabular_metrics <- function(settings, task) {
  if (!is.null(settings$metrics)) settings$metrics else if (task$kind == "classes" && !gives_scores(task)) "accuracy"
}

# Crossentropy of 0 and 1 with an offset beside the network's weighted sum: y_true holds y, offset and weight.
logistic_offset_loss <- function(y_true, y_pred) {
  y <- y_true[, 1L]
  sum <- as.vector(y_pred) + y_true[, 2L]
  w <- y_true[, 3L] / length(y)
  # log(1 + exp(z)) without overflow
  list(value = sum(w * (pmax(sum, 0) + log1p(exp(-abs(sum))) - y * sum)),
       gradient = array(w * (stats::plogis(sum) - y), dim(y_pred)))
}

# Trains a network made by tabular_network().  rows: list(x, y, w) to train on, held: the same to stop by, or
# NULL.  Returns list(history, best_epoch, epochs, stopped, converged, interrupted, kept).
train_tabular <- function(network, settings, rows, held, bias = NULL, call = rlang::caller_env()) {
  net_ptr(network)
  set_start(network, settings$start, bias, call)
  if (identical(settings$optimizer, "bfgs")) {
    train_whole(network, settings, rows, held)
  } else {
    train_batches(network, settings, rows, held)
  }
}

# Training starts from the weights given, or from random ones with the output layer's bias given.
set_start <- function(network, start, bias, call) {
  if (!is.null(start)) {
    set_weights(network, check_weights(network, start, "start", call))
  } else if (!is.null(bias)) {
    weights <- get_weights(network)
    weights[[length(weights)]][] <- bias
    set_weights(network, weights)
  }
}

train_batches <- function(network, settings, rows, held) {
  kept <- list()
  stopper <- if (!is.null(held)) {
    callback_early_stopping(monitor = "val_loss", patience = settings$stop_iter, restore_best_weights = TRUE)
  }
  keeper <- if (settings$keep_epochs) {
    best <- Inf
    callback_lambda(on_epoch_end = function(epoch, logs) {
      value <- if (is.null(held)) -epoch else logs$val_loss
      if (isTRUE(value < best)) {
        best <<- value
        kept[[length(kept) + 1L]] <<- list(epoch = epoch, weights = weights_if_last(network, is.null(held)))
      }
    })
  }
  interrupted <- FALSE
  tryCatch(
    fit(network, rows$x, rows$y, sample_weight = rows$w, batch_size = settings$batch_size, epochs = settings$epochs,
        validation_data = held, callbacks = c(settings$callbacks, list(keeper, stopper)), verbose = settings$verbose,
        distribute = FALSE),
    interrupt = function(i) interrupted <<- TRUE
  )
  history <- network$history
  epochs <- length(history_epochs(history))
  if (interrupted && epochs == 0L) {
    abort_lamina("Interrupted before the first epoch was done.", "interrupt", call = lamina_frame())
  }
  list(history = history, epochs = epochs, interrupted = interrupted, kept = kept,
       best_epoch = if (is.null(held)) epochs else stopper$best_epoch,
       converged = epochs < settings$epochs && !interrupted)
}

# The weights that training would leave if this epoch were the last: where the optimizer averages them, that is their
# average, unless the weights of a best epoch are put back.
weights_if_last <- function(network, averages) {
  state <- .Call(ffi_net_state, net_ptr(network))
  average <- averages && !is.null(state$ema) && is.null(network$compiled$optimizer$config$ema_overwrite_frequency)
  if (average) state$ema else state$weights
}

# The weights that the fit would have got with so many epochs; NULL for those that it has.
weights_after <- function(fit, epochs) {
  if (epochs > fit$training$epochs) {
    return(NULL)
  }
  done <- vapply(fit$kept, function(k) k$epoch, 0)
  if (any(done <= epochs)) fit$kept[[max(which(done <= epochs))]]$weights
}

# Runs code while the network has other weights.
with_weights_raw <- function(network, raw, code) {
  if (is.null(raw)) {
    return(code)
  }
  old <- .Call(ffi_net_state, net_ptr(network))
  on.exit(.Call(ffi_net_restore, net_ptr(network), old))
  new <- old
  new$weights <- raw
  .Call(ffi_net_restore, net_ptr(network), new)
  code
}

# optim() on all rows; where rows are held out, the weights that are best for them are kept and the search ends
# stop_iter iterations after the last improvement.
train_whole <- function(network, settings, rows, held) {
  objective <- network_objective(network, rows$x, rows$y, rows$w)
  held_loss <- if (!is.null(held)) held_out_loss(network, held)
  losses <- list(loss = numeric(), val_loss = numeric())
  best <- list(iteration = 0, loss = Inf, weights = NULL)
  kept <- list()
  progress <- new_progress(settings$verbose, settings$epochs, 1, 1)
  each <- function(iteration, value, lowest) {
    logs <- list(loss = value)
    if (iteration > 0) {
      losses$loss[iteration] <<- value
    }
    if (!is.null(held)) {
      logs$val_loss <- held_loss()
      if (iteration > 0) losses$val_loss[iteration] <<- logs$val_loss
      if (isTRUE(logs$val_loss < best$loss)) {
        best <<- list(iteration = iteration, loss = logs$val_loss, weights = get_weights(network))
      }
    }
    if (iteration > 0) progress$epoch_end(iteration, logs, 0)
    if (settings$keep_epochs && (if (is.null(held)) lowest else best$iteration == iteration)) {
      kept[[length(kept) + 1L]] <<- list(epoch = iteration, weights = model_weights_raw(network))
    }
    !is.null(held) && iteration - best$iteration >= settings$stop_iter
  }
  trained <- as.logical(weight_trainable(network))
  weights <- get_weights(network)
  out <- minimize_bfgs(objective, unlist(weights[trained], use.names = FALSE), nrow(rows$x), settings$epochs, each)
  if (out$interrupted && out$iterations == 0) {
    abort_lamina("Interrupted before the first iteration was done.", "interrupt", call = lamina_frame())
  }
  weights[trained] <- utils::relist(out$weights, weights[trained])
  set_weights(network, if (is.null(best$weights)) weights else best$weights)
  network$history <- new_history(list(verbose = settings$verbose, epochs = settings$epochs, steps = 1),
                                 losses[c("loss", if (!is.null(held)) "val_loss")])
  progress$finish(network$history)
  list(history = network$history, epochs = out$iterations, interrupted = out$interrupted, kept = kept,
       best_epoch = if (is.null(held)) out$iterations else best$iteration, converged = out$converged)
}

# A function that gives the loss on held-out rows at the network's present weights.
held_out_loss <- function(network, held) {
  feed <- list(data = new_data(held$x, held$y, held$w), first = 0, n = nrow(held$x), from = 0)
  loop <- new_loop(network, feed, nrow(held$x), "test", metrics = FALSE)
  function() test_loop(network, loop, feed = list())$loss
}

# Rows held out, at random within strata: classes, or quarters of a numeric outcome.
held_out_rows <- function(strata, fraction) {
  chosen <- lapply(split(seq_along(strata), strata, drop = TRUE), function(rows) {
    # a class of one row stays in training; fractions of rows are made up for at random
    n <- length(rows) * fraction
    n <- floor(n) + (stats::runif(1L) < n - floor(n))
    rows[sample.int(length(rows), min(n, length(rows) - 1L))]
  })
  sort(unlist(chosen, use.names = FALSE))
}

outcome_strata <- function(task, y) {
  if (task$kind == "classes") {
    return(as.character(y))
  }
  first <- outcome_matrix(y, task$outcomes)[, 1L]
  breaks <- unique(stats::quantile(first, 0:4 / 4))
  if (length(breaks) < 3L || length(first) < 20L) rep(1L, length(first)) else cut(first, breaks, include.lowest = TRUE)
}
