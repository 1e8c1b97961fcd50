# Training against the reference in double precision (helper-reference.R).

x <- wave_matrix(23, 4)
y3 <- (seq_len(23) * 7) %% 3
y1 <- as.numeric(rowSums(x) > 0)

# Trains lamina and the reference alike and compares weights and losses.
expect_same_training <- function(net, y, loss, optimizer, reference, rate, more = function(i) list(),
                                 epochs = 4, batch = 5, w = NULL, tolerance = 1e-5, ...) {
  model <- ref_model(net, more)
  model |> compile(optimizer = optimizer, loss = loss)
  rate_at <- if (is.function(rate)) rate else function(step) rate
  history <- model |> fit(x, y, epochs = epochs, batch_size = batch, shuffle = FALSE, sample_weight = w)
  truth <- ref_train(net, x, if (is.matrix(y) || grepl("sparse", loss)) y else matrix(y), loss, reference, rate_at, batch,
                     epochs, w = if (is.null(w)) rep(1, nrow(x)) else w, ...)
  expect_close(get_weights(model), ref_weights(truth$net), tolerance)
  expect_close(history$metrics$loss, truth$losses, tolerance)
  invisible(model)
}

test_that("weights and losses follow the reference for every head", {
  heads <- list(
    list("linear", "mse", matrix(sin(1:46), 23)), list("tanh", "mse", matrix(sin(1:46), 23)),
    list("sigmoid", "mse", matrix(y1)), list("sigmoid", "binary_crossentropy", matrix(y1)),
    list("sigmoid", "binary_crossentropy", cbind(y1, 1 - y1)),
    list("softmax", "sparse_categorical_crossentropy", y3),
    list("softmax", "categorical_crossentropy", to_categorical(y3)),
    list("softmax", "mse", to_categorical(y3)),
    list("sigmoid", "categorical_crossentropy", to_categorical(y3))
  )
  for (head in heads) {
    units <- if (is.matrix(head[[3L]])) ncol(head[[3L]]) else 3
    net <- ref_net(c(4, 6, units), c("relu", head[[1L]]))
    expect_same_training(net, head[[3L]], head[[2L]], optimizer_sgd(0.1), ref_sgd(), 0.1)
  }
})

test_that("optimizers follow the reference over several epochs", {
  net <- ref_net(c(4, 6, 5, 3), c("tanh", "relu", "softmax"))
  loss <- "sparse_categorical_crossentropy"
  expect_same_training(net, y3, loss, optimizer_sgd(0.1, momentum = 0.9), ref_sgd(0.9), 0.1)
  expect_same_training(net, y3, loss, optimizer_sgd(0.1, momentum = 0.9, nesterov = TRUE), ref_sgd(0.9, TRUE), 0.1)
  expect_same_training(net, y3, loss, optimizer_adam(0.01), ref_adam(), 0.01)
  expect_same_training(net, y3, loss, optimizer_rmsprop(0.01), ref_rmsprop(), 0.01, tolerance = 2e-5)
})

test_that("one batch, batches of one, and batches larger than the data", {
  net <- ref_net(c(4, 3, 1), c("tanh", "sigmoid"))
  for (batch in c(1, 7, 23, 1000)) {
    expect_same_training(net, matrix(y1), "binary_crossentropy", optimizer_sgd(0.2), ref_sgd(), 0.2, batch = batch, epochs = 2)
  }
})

test_that("a weighted loss is sum(w * l) / count", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  w <- c(0, 3, 0.5, rep(1, 20))
  expect_same_training(net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.1), ref_sgd(), 0.1, w = w)
})

test_that("kernel penalties enter loss and gradients", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  net[[1L]]$l2 <- 0.02
  net[[2L]]$l1 <- 0.01
  more <- function(i) list(kernel_regularizer = if (i == 1) regularizer_l2(0.02) else regularizer_l1(0.01))
  model <- expect_same_training(net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.1), ref_sgd(), 0.1, more)
  trained <- ref_set(net, get_weights(model))
  expect_close(evaluate(model, x, y3)$loss, ref_gradient(trained, x, y3, "sparse_categorical_crossentropy")$loss)
})

test_that("activity penalties are divided by the size of the batch", {
  net <- ref_net(c(4, 6, 1), c("tanh", "linear"))
  net[[1L]]$activity_l1 <- 0.03
  net[[1L]]$activity_l2 <- 0.05
  net[[2L]]$activity_l2 <- 0.04
  more <- function(i) {
    list(activity_regularizer = if (i == 1) regularizer_l1_l2(0.03, 0.05) else regularizer_l2(0.04))
  }
  model <- expect_same_training(net, matrix(y1), "mse", optimizer_sgd(0.1), ref_sgd(), 0.1, more)
  history <- model |> fit(x, y1, validation_data = list(x[1:7, ], y1[1:7])) |> suppressMessages()
  trained <- ref_set(net, get_weights(model))
  expect_close(history$metrics$val_loss, ref_gradient(trained, x[1:7, ], matrix(y1[1:7]), "mse")$loss)
})

test_that("a penalty on the activity of a softmax head", {
  net <- ref_net(c(4, 3), "softmax")
  net[[1L]]$activity_l2 <- 0.1
  expect_same_training(net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.1), ref_sgd(), 0.1,
                       function(i) list(activity_regularizer = regularizer_l2(0.1)))
})

test_that("constraints hold after every update", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  net[[1L]]$constraint <- function(k) {
    norm <- sqrt(colSums(k^2))
    sweep(k, 2, pmin(norm, 0.5) / (1e-7 + norm), "*")
  }
  net[[2L]]$constraint <- function(k) pmax(k, 0)
  more <- function(i) list(kernel_constraint = if (i == 1) constraint_maxnorm(0.5) else constraint_nonneg())
  expect_same_training(net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.3), ref_sgd(), 0.3, more)
})

test_that("gradients are clipped by weight, by value and all together", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  loss <- "sparse_categorical_crossentropy"
  shorten <- function(g, limit, norm) if (norm > limit) g * limit / norm else g
  size <- function(g) sqrt(sum(unlist(g)^2))
  expect_same_training(net, y3, loss, optimizer_sgd(0.5, clipnorm = 0.05), ref_sgd(), 0.5,
                       clip = function(gs) lapply(gs, function(g) shorten(g, 0.05, size(g))))
  expect_same_training(net, y3, loss, optimizer_sgd(0.5, clipvalue = 0.02), ref_sgd(), 0.5,
                       clip = function(gs) lapply(gs, function(g) pmin(pmax(g, -0.02), 0.02)))
  expect_same_training(net, y3, loss, optimizer_sgd(0.5, global_clipnorm = 0.05), ref_sgd(), 0.5,
                       clip = function(gs) lapply(gs, shorten, 0.05, size(gs)))
})

test_that("weight decay, accumulated gradients, schedules", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  loss <- "sparse_categorical_crossentropy"
  expect_same_training(net, y3, loss, optimizer_sgd(0.1, weight_decay = 0.05), ref_sgd(), 0.1, decay = 0.05)
  expect_same_training(net, y3, loss, optimizer_adam_w(0.01), ref_adam(), 0.01, decay = 0.004)
  expect_same_training(net, y3, loss, optimizer_adam(0.01, gradient_accumulation_steps = 3), ref_adam(), 0.01, accumulate = 3)
  fall <- function(step) 0.2 * 0.5^(step / 4)
  expect_same_training(net, y3, loss, optimizer_sgd(learning_rate_schedule_exponential_decay(0.2, 4, 0.5)), ref_sgd(), fall)
  expect_same_training(
    net, y3, loss,
    optimizer_sgd(learning_rate_schedule_exponential_decay(0.2, 4, 0.5), gradient_accumulation_steps = 2, weight_decay = 0.01),
    ref_sgd(), fall, accumulate = 2, decay = 0.01
  )
})

test_that("with use_ema the weights are the average at the end", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  expect_same_training(net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.1, use_ema = TRUE, ema_momentum = 0.8),
                       ref_sgd(), 0.1, ema = 0.8)
})

test_that("frozen layers stay and are left out of penalties and clipping", {
  net <- ref_net(c(4, 6, 5, 3), c("tanh", "tanh", "softmax"))
  net[[2L]]$frozen <- TRUE
  net[[2L]]$l2 <- 0.1
  size <- function(g) sqrt(sum(unlist(g)^2))
  more <- function(i) if (i == 2) list(trainable = FALSE, kernel_regularizer = regularizer_l2(0.1)) else list()
  model <- expect_same_training(
    net, y3, "sparse_categorical_crossentropy", optimizer_sgd(0.5, global_clipnorm = 0.1), ref_sgd(), 0.5, more,
    clip = function(gs) lapply(gs, function(g) g * min(1, 0.1 / size(gs)))
  )
  before <- get_weights(get_layer(model, index = 1))
  freeze_weights(model, to = 1)
  model |> fit(x, y3, batch_size = 5) |> suppressMessages()
  expect_identical(get_weights(get_layer(model, index = 1)), before)
  unfreeze_weights(model, which = 1)
  model |> fit(x, y3, batch_size = 5) |> suppressMessages()
  expect_false(identical(get_weights(get_layer(model, index = 1)), before))
})

test_that("a model without anything to train is measured and left alone", {
  model <- ref_model(ref_net(c(4, 3), "softmax"))
  freeze_weights(model)
  model |> compile(loss = "sparse_categorical_crossentropy")
  before <- get_weights(model)
  history <- model |> fit(x, y3, epochs = 2)
  expect_identical(get_weights(model), before)
  expect_close(history$metrics$loss, rep(evaluate(model, x, y3)$loss, 2))
})

test_that("validation_split holds out the last rows", {
  net <- ref_net(c(4, 6, 3), c("tanh", "softmax"))
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.1), loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  history <- model |> fit(x, y3, epochs = 2, batch_size = 5, shuffle = FALSE, validation_split = 0.3)
  train <- seq_len(floor(23 * 0.7))
  truth <- ref_train(net, x[train, ], y3[train], "sparse_categorical_crossentropy", ref_sgd(), function(s) 0.1, 5, 2)
  expect_close(get_weights(model), ref_weights(truth$net))
  expect_close(history$metrics$loss, truth$losses)
  held <- ref_gradient(truth$net, x[-train, ], y3[-train], "sparse_categorical_crossentropy")
  expect_close(history$metrics$val_loss[2L], held$loss)
  expect_identical(names(history$metrics), c("loss", "accuracy", "val_loss", "val_accuracy"))
  right <- max.col(ref_forward(truth$net, x[-train, ])$out) - 1 == y3[-train]
  expect_close(history$metrics$val_accuracy[2L], mean(right))
  expect_lt(max(abs(unlist(evaluate(model, x[-train, ], y3[-train])) - c(held$loss, mean(right)))), 1e-5)
})

test_that("ten rows at 0.9 leave one row by rounding down, none at 0.95", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  model |> compile(loss = "mse")
  refused(model, fit(model, x[1:10, ], 1:10, validation_split = 0.95), "lamina_error_argument", "validation_split")
  # 1 - 0.9 is a little less than 0.1 in binary: Keras, too, is left with nothing
  refused(model, fit(model, x[1:10, ], 1:10, validation_split = 0.9), "lamina_error_argument", "validation_split")
  expect_no_error(fit(model, x[1:10, ], 1:10, validation_split = 0.8))
})

test_that("sample weights count in val_loss of a split; class weights do not", {
  net <- ref_net(c(4, 3), "softmax")
  w <- seq(0.1, 2, length.out = 23)
  loss <- "sparse_categorical_crossentropy"
  cw <- c("0" = 5, "2" = 0.2)
  train <- 1:16
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.1), loss = loss)
  history <- model |> fit(x, y3, shuffle = FALSE, batch_size = 5, validation_split = 0.3, class_weight = cw, sample_weight = w)
  by_class <- c(5, 1, 0.2)[y3 + 1]
  truth <- ref_train(net, x[train, ], y3[train], loss, ref_sgd(), function(s) 0.1, 5, 1, w = (w * by_class)[train])
  expect_close(get_weights(model), ref_weights(truth$net))
  expect_close(history$metrics$loss, truth$losses)
  expect_close(history$metrics$val_loss, ref_gradient(truth$net, x[-train, ], y3[-train], loss, w[-train])$loss)
})

test_that("class weights by 0-based class, by level, in order and balanced", {
  net <- ref_net(c(4, 3), "softmax")
  loss <- "sparse_categorical_crossentropy"
  f <- factor(c("a", "b", "c")[y3 + 1])
  trained_with <- function(y, cw, ...) {
    model <- ref_model(net)
    model |> compile(optimizer = optimizer_sgd(0.1), loss = loss)
    model |> fit(x, y, class_weight = cw, shuffle = FALSE, ...)
    get_weights(model)
  }
  truth <- function(by_class, rows = 1:23) {
    ref_weights(ref_train(net, x[rows, ], y3[rows], loss, ref_sgd(), function(s) 0.1, 32, 1, w = by_class[y3 + 1][rows])$net)
  }
  expect_close(trained_with(y3, list("0" = 2, "2" = 3)), truth(c(2, 1, 3)))
  expect_close(trained_with(f, list(a = 2, c = 3)), truth(c(2, 1, 3)))
  expect_close(trained_with(f, c("0" = 2, "2" = 3)), truth(c(2, 1, 3)))
  expect_close(trained_with(y3, c(2, 1, 3)), truth(c(2, 1, 3)))
  balanced <- function(rows) length(rows) / (3 * tabulate(y3[rows] + 1, 3))
  expect_close(trained_with(y3, "balanced"), truth(balanced(1:23)))
  expect_close(trained_with(f, "balanced", validation_split = 0.3), truth(balanced(1:16), 1:16))
  # a class that does not occur may have a weight
  expect_no_error(trained_with(y3 %% 2, list("0" = 2, "2" = 3)))
})

test_that("weighted_metrics use the weights and metrics do not", {
  net <- ref_net(c(4, 1), "linear")
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse", metrics = "mae", weighted_metrics = list(w_mae = "mae"))
  w <- seq(0, 2, length.out = 23)
  error <- abs(as.vector(ref_forward(net, x)$out) - y1)
  history <- model |> fit(x, y1, sample_weight = w, batch_size = 5)
  expect_close(history$metrics, c(sum(w * error^2) / 23, mean(error), sum(w * error) / sum(w)))
  expect_identical(names(history$metrics), c("loss", "mae", "w_mae"))
  expect_close(evaluate(model, x, y1, sample_weight = w), history$metrics)
})

test_that("reduction = \"sum\" trains on the sum", {
  net <- ref_net(c(4, 1), "linear")
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.01), loss = loss_mean_squared_error(reduction = "sum"))
  out <- ref_gradient(net, x, matrix(y1), "mse")
  history <- model |> fit(x, y1, batch_size = 100)
  expect_close(history$metrics$loss, 23 * out$loss)
  moved <- Map(function(w, g) w - 0.01 * 23 * g, ref_weights(net), unlist(out$grads, recursive = FALSE))
  expect_close(get_weights(model), moved)
})

test_that("validation_freq, validation_steps and validation_batch_size", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  model |> compile(loss = "mse")
  valid <- list(x[1:10, ], y1[1:10])
  history <- model |> fit(x, y1, epochs = 5, validation_data = valid, validation_freq = 2)
  expect_identical(is.na(history$metrics$val_loss), c(TRUE, FALSE, TRUE, FALSE, TRUE))
  history <- model |> fit(x, y1, epochs = 3, validation_data = valid, validation_freq = c(1, 3)) |> suppressMessages()
  expect_identical(is.na(history$metrics$val_loss), c(FALSE, TRUE, FALSE))
  history <- model |> fit(x, y1, validation_data = valid, validation_steps = 2, validation_batch_size = 3) |> suppressMessages()
  expect_close(history$metrics$val_loss, evaluate(model, x[1:6, ], y1[1:6])$loss)
  history <- model |> fit(x, y1, validation_data = list()) |> suppressMessages()
  expect_identical(names(history$metrics), "loss")
  refused(model, fit(model, x, y1, validation_freq = 0), "lamina_error_argument", "validation_freq")
})

test_that("validation_data may have sample weights of its own", {
  net <- ref_net(c(4, 1), "linear")
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse")
  w <- seq(0, 2, length.out = 23)
  history <- model |> fit(x, y1, validation_data = list(x, y1, w))
  expect_close(history$metrics$val_loss, ref_gradient(net, x, matrix(y1), "mse", w)$loss)
})

test_that("shuffling uses every sample once an epoch and other orders in other epochs", {
  # with one weight, rate 1 and loss wx: the order shows in the losses of batches of one
  seen <- list()
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1, use_bias = FALSE)
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse")
  set_weights(model, list(matrix(1)))
  total <- 0
  look <- callback_lambda(
    on_epoch_begin = function(epoch, logs) total <<- 0,
    on_train_batch_end = function(batch, logs) {
      sum_so_far <- logs$loss * batch
      seen[[length(seen) + 1L]] <<- sqrt(sum_so_far - total)
      total <<- sum_so_far
    }
  )
  set.seed(4)
  model |> fit(1:12, rep(0, 12), batch_size = 1, epochs = 2, callbacks = look)
  first <- round(unlist(seen)[1:12])
  second <- round(unlist(seen)[13:24])
  expect_setequal(first, 1:12)
  expect_setequal(second, 1:12)
  expect_false(identical(first, second))
  expect_false(identical(first, as.numeric(1:12)))
})

test_that("a second fit() continues and says so; epochs are counted", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  model |> compile(loss = "mse")
  model |> fit(x, y1, epochs = 3)
  expect_message(fit(model, x, y1, epochs = 2), "after epoch 3", class = "lamina_message_continue")
  expect_equal(model$epoch, 5)
})

test_that("fit() returns the history invisibly, and keeps it", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  model |> compile(loss = "mse")
  out <- withVisible(fit(model, x, y1, epochs = 2))
  expect_false(out$visible)
  expect_s3_class(out$value, c("lamina_history", "keras_training_history"), exact = TRUE)
  expect_identical(model$history, out$value)
  expect_equal(out$value$params$epochs, 2)
  expect_equal(out$value$params$steps, 1)
})

test_that("steps_per_epoch ends an epoch early", {
  net <- ref_net(c(4, 1), "linear")
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
  model |> fit(x, y1, batch_size = 5, steps_per_epoch = 2, shuffle = FALSE)
  truth <- ref_train(net, x[1:10, ], matrix(y1[1:10]), "mse", ref_sgd(), function(s) 0.1, 5, 1)
  expect_close(get_weights(model), ref_weights(truth$net))
})

test_that("a generator of batches trains as the batches do", {
  net <- ref_net(c(4, 1), "linear")
  w <- seq(0.5, 1.5, length.out = 10)
  make <- function(weighted) {
    at <- 0
    function() {
      at <<- at + 1
      rows <- if (at %% 2 == 1) 1:3 else 4:10 # batches of different sizes
      c(list(x[rows, ], y1[rows]), if (weighted) list(w[rows]))
    }
  }
  for (weighted in c(FALSE, TRUE)) {
    model <- ref_model(net)
    model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
    history <- model |> fit(make(weighted), epochs = 2, steps_per_epoch = 2)
    truth <- net
    losses <- c()
    for (rows in list(1:3, 4:10, 1:3, 4:10)) {
      step <- ref_train(truth, x[rows, ], matrix(y1[rows]), "mse", ref_sgd(), function(s) 0.1, 10, 1,
                        w = if (weighted) w[rows] else rep(1, length(rows)))
      truth <- step$net
      losses <- c(losses, step$losses)
    }
    expect_close(get_weights(model), ref_weights(truth))
    expect_close(history$metrics$loss, c(sum(losses[1:2] * c(3, 7)), sum(losses[3:4] * c(3, 7))) / 10)
  }
  refused(model, fit(model, make(FALSE)), "lamina_error_argument", "steps_per_epoch")
  refused(model, fit(model, function() 1, steps_per_epoch = 1), "lamina_error_argument", "x")
})

test_that("a loss of one's own trains like the built-in one", {
  net <- ref_net(c(4, 6, 1), c("tanh", "linear"))
  own <- function(y_true, y_pred) {
    list(value = mean((y_pred - y_true)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  }
  net[[1L]]$l2 <- 0.01
  more <- function(i) if (i == 1) list(kernel_regularizer = regularizer_l2(0.01)) else list()
  model <- ref_model(net, more)
  model |> compile(optimizer = optimizer_sgd(0.1), loss = own)
  history <- model |> fit(x, y1, epochs = 2, batch_size = 5, shuffle = FALSE, validation_data = list(x, y1))
  truth <- ref_train(net, x, matrix(y1), "mse", ref_sgd(), function(s) 0.1, 5, 2)
  expect_close(get_weights(model), ref_weights(truth$net))
  expect_close(history$metrics$loss, truth$losses)
  expect_close(history$metrics$val_loss[2L], ref_gradient(truth$net, x, matrix(y1), "mse")$loss)
  expect_close(evaluate(model, x, y1)$loss, ref_gradient(truth$net, x, matrix(y1), "mse")$loss)
})

test_that("a loss of one's own with a wrong gradient is refused", {
  model <- ref_model(ref_net(c(4, 1), "linear"))
  wrong <- function(y_true, y_pred) list(value = mean((y_pred - y_true)^2), gradient = y_pred - y_true)
  model |> compile(loss = wrong)
  refused(model, fit(model, x, y1), "lamina_error_argument", "loss")
  model |> compile(loss = function(y_true, y_pred) mean((y_pred - y_true)^2))
  refused(model, fit(model, x, y1), "lamina_error_argument", "loss")
  refused(model, train_on_batch(model, x, y1), "lamina_error_argument", "loss")
  # The error names what the user called.
  verb <- function(code) as.character(conditionCall(expect_error(code, class = "lamina_error_argument"))[[1]])
  expect_identical(verb(fit(model, x, y1)), "fit")
  expect_identical(verb(train_on_batch(model, x, y1)), "train_on_batch")
  expect_identical(verb(profile_fit(model, x, y1)), "profile_fit")
})

test_that("metrics of one's own are averaged over the batches", {
  net <- ref_net(c(4, 1), "linear")
  largest <- function(y_true, y_pred) max(abs(y_true - y_pred))
  model <- ref_model(net)
  model |> compile(optimizer = optimizer_sgd(0), loss = "mse",
                   metrics = list("mae", worst = largest, custom_metric("peak", largest)))
  history <- model |> fit(x, y1, batch_size = 20, shuffle = FALSE, validation_data = list(x[1:5, ], y1[1:5]))
  error <- abs(as.vector(ref_forward(net, x)$out) - y1)
  mean_worst <- (20 * max(error[1:20]) + 3 * max(error[21:23])) / 23
  expect_identical(names(history$metrics),
                   c("loss", "mae", "worst", "peak", "val_loss", "val_mae", "val_worst", "val_peak"))
  expect_close(history$metrics$worst, mean_worst)
  expect_close(history$metrics$peak, mean_worst)
  expect_close(history$metrics$val_worst, max(error[1:5]))
})

test_that("metrics keep the names they were given", {
  model <- ref_model(ref_net(c(4, 3), "softmax"))
  model |> compile(loss = "sparse_categorical_crossentropy", metrics = c("acc", "crossentropy"))
  expect_identical(names(fit(model, x, y3)$metrics), c("loss", "acc", "crossentropy"))
  model |> compile(loss = "sparse_categorical_crossentropy", metrics = list(hits = "accuracy", metric_sparse_top_k_categorical_accuracy(k = 2)))
  expect_identical(names(fit(model, x, y3)$metrics), c("loss", "hits", "sparse_top_k_categorical_accuracy"))
})

test_that("an autoencoder's targets may be the inputs themselves", {
  x <- withr::with_seed(1, matrix(runif(400), 40))
  own <- function(y_true, y_pred) {
    list(value = mean((y_true - y_pred)^2), gradient = 2 * (y_pred - y_true) / length(y_pred))
  }
  trained <- function(y, loss, ...) {
    set.seed(2)
    model <- keras_model_sequential(input_shape = 10) |>
      layer_gaussian_noise(0.1) |>
      layer_dense(4, activation = "relu") |>
      layer_dense(10, activation = "sigmoid")
    compile(model, "adam", loss, metrics = "mae")
    history <- fit(model, x, y, epochs = 3, batch_size = 8, verbose = 0, ...)
    list(get_weights(model), history$metrics)
  }
  copy <- x + 0
  for (loss in list("mse", own)) {
    expect_identical(trained(x, loss), trained(copy, loss))
    expect_identical(trained(x, loss, shuffle = FALSE), trained(copy, loss, shuffle = FALSE))
    expect_identical(trained(x, loss, validation_split = 0.25), trained(copy, loss, validation_split = 0.25))
  }
})
