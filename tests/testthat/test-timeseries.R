# The windows by their definition, one by one, with Keras' indices counted from 0: window p starts at
# step start + p of the series, for p = 0, stride, 2 stride, ... below the number of windows.
windows_by_hand <- function(data, targets, length, stride = 1, rate = 1, start = 0, end = NROW(data)) {
  data <- as.matrix(data)
  x <- list()
  y <- c()
  p <- 0
  while (start + p + (length - 1) * rate <= end - 1 && (is.null(targets) || start + p <= NROW(targets) - 1)) {
    x[[length(x) + 1]] <- vapply(seq_len(length) - 1, function(k) data[start + p + k * rate + 1, ], numeric(ncol(data)))
    y <- c(y, start + p + 1)
    p <- p + stride
  }
  list(x = x, at = y)
}

# features: NULL for a vector.
expect_windows <- function(dataset, by_hand, targets, features) {
  n <- length(by_hand$x)
  found <- dataset_arrays(dataset)
  wanted <- array(0, dim(found$x))
  for (i in seq_len(n)) {
    if (is.null(features)) wanted[i, ] <- by_hand$x[[i]] else wanted[i, , ] <- matrix(by_hand$x[[i]], ncol = features, byrow = TRUE)
  }
  y <- if (is.matrix(targets)) targets[by_hand$at, , drop = FALSE] else targets[by_hand$at]
  wanted <- c(list(x = wanted), if (!is.null(targets)) list(y = y))
  expect_true(identical(as.double(dataset$starts), by_hand$at) && dataset$samples == n)
  if (identical(found, wanted)) succeed() else expect_equal(found, wanted) # which is slow, and tells what differs
}

linear_model <- function(shape, units = 1, seed = 1) {
  set.seed(seed)
  model <- keras_model_sequential(input_shape = shape) |>
    layer_flatten() |>
    layer_dense(units)
  model |> compile(optimizer = optimizer_sgd(0.05), loss = "mse", metrics = "mae")
  model
}

# ---- windows -------------------------------------------------------------------------------------

test_that("windows are those of the definition, whatever the arguments", {
  set.seed(1)
  vector <- rnorm(37)
  matrix <- cbind(a = rnorm(37), b = rnorm(37), c = rnorm(37))
  cases <- expand.grid(length = c(1, 2, 7, 36, 37), stride = c(1, 3, 40), rate = c(1, 2, 5), start = c(0, 4), end = c(20, 37))
  cases <- cases[(cases$length - 1) * cases$rate < cases$end - cases$start, ]
  expect_gt(nrow(cases), 80)
  for (i in seq_len(nrow(cases))) {
    k <- cases[i, ]
    for (targets in list(NULL, vector, tail(vector, -6), matrix[, 1:2])) {
      by_hand <- windows_by_hand(vector, targets, k$length, k$stride, k$rate, k$start, k$end)
      dataset <- timeseries_dataset_from_array(vector, targets, k$length, k$stride, k$rate, batch_size = 4,
                                               start_index = k$start, end_index = k$end)
      expect_windows(dataset, by_hand, unname(targets), NULL)
      by_hand <- windows_by_hand(matrix, targets, k$length, k$stride, k$rate, k$start, k$end)
      dataset <- timeseries_dataset_from_array(matrix, targets, k$length, k$stride, k$rate, batch_size = 4,
                                               start_index = k$start, end_index = k$end)
      expect_windows(dataset, by_hand, unname(targets), 3)
    }
  }
})

test_that("the examples of Keras' help come out", {
  # indices 0, ..., 98: the first, second and last window
  x <- dataset_arrays(timeseries_dataset_from_array(0:98, NULL, 10, sequence_stride = 3, sampling_rate = 2))$x
  expect_equal(x[1:2, ], rbind(seq(0, 18, 2), seq(3, 21, 2)))
  expect_equal(x[nrow(x), ], seq(78, 96, 2))
  # the past ten steps and the next
  data <- 1:20
  next_step <- timeseries_dataset_from_array(data[1:10], data[11:20], 10)
  expect_equal(dataset_arrays(next_step), list(x = matrix(1:10, 1), y = 11))
  # windows that do not overlap
  parts <- timeseries_dataset_from_array(1:100, NULL, 20, sequence_stride = 20)
  expect_equal(dataset_arrays(parts)$x, matrix(1:100, 5, byrow = TRUE))
  # cut in two: 0-based half-open intervals, and R's "how many are left out" and "the last one"
  first <- dataset_arrays(timeseries_dataset_from_array(1:10, NULL, 3, end_index = 6))$x
  second <- dataset_arrays(timeseries_dataset_from_array(1:10, NULL, 3, start_index = 6))$x
  expect_equal(range(first), c(1, 6))
  expect_equal(range(second), c(7, 10))
})

test_that("batches come in order, the last one smaller, and have names", {
  dataset <- timeseries_dataset_from_array(1:30, tail(1:30, -5), 5, batch_size = 10)
  expect_s3_class(dataset, "lamina_dataset")
  expect_length(dataset, 3)
  expect_output(print(dataset), "25 samples in 3 batches of 10")
  expect_equal(dataset[[3]], list(x = outer(21:25, 0:4, "+"), y = 26:30))
  expect_error(dataset[[4]], class = "lamina_error_argument")
  expect_length(dataset_arrays(timeseries_dataset_from_array(1:30, NULL, 5)), 1)
})

test_that("vectors, ts, matrices, data frames and arrays are series", {
  shape <- function(data, ...) dim(dataset_arrays(timeseries_dataset_from_array(data, NULL, 4, ...))$x)
  expect_equal(shape(AirPassengers), c(141, 4))
  expect_equal(shape(as.array(1:10)), c(7, 4))
  expect_equal(shape(matrix(1:10)), c(7, 4, 1))
  expect_equal(shape(EuStockMarkets), c(1857, 4, 4))
  expect_equal(shape(airquality[3:4]), c(150, 4, 2))
  expect_equal(shape(array(1:120, c(10, 4, 3))), c(7, 4, 4, 3))
  pictures <- array(rnorm(120), c(10, 4, 3))
  x <- dataset_arrays(timeseries_dataset_from_array(pictures, NULL, 4))$x
  for (i in 1:7) {
    expect_identical(x[i, , , ], pictures[i + 0:3, , ])
  }
  from_ts <- dataset_arrays(timeseries_dataset_from_array(EuStockMarkets, EuStockMarkets[, "DAX"], 4))
  expect_identical(from_ts$x[2, , 3], as.vector(EuStockMarkets[2:5, "CAC"]))
  expect_identical(from_ts$y, as.vector(EuStockMarkets[1:1857, "DAX"]))
  frame <- dataset_arrays(timeseries_dataset_from_array(1:10, data.frame(a = 1:10, b = 11:20), 4))
  expect_equal(frame$y, cbind(1:7, 11:17))
  one <- dataset_arrays(timeseries_dataset_from_array(1:10, data.frame(a = factor(letters[1:10])), 4))
  expect_identical(one$y, factor(letters[1:7], letters[1:10]))
})

test_that("windows need no more memory than their series", {
  x <- rnorm(1e5)
  dataset <- timeseries_dataset_from_array(x, NULL, 1000, batch_size = 2)
  expect_lt(object.size(as.list(environment(dataset$read))), 3 * object.size(x))
  expect_identical(dataset[[length(dataset)]]$x, t(x[98999 + 1:1000 + 1] |> as.matrix()))
})

# ---- in use --------------------------------------------------------------------------------------

test_that("fit, evaluate and predict do the same with windows as with arrays", {
  x <- as.matrix(scale(EuStockMarkets[1:300, ]))
  for (shuffle in c(FALSE, TRUE)) {
    dataset <- timeseries_dataset_from_array(x, tail(x, -6), 6, batch_size = 32, shuffle = shuffle)
    arrays <- dataset_arrays(dataset)
    a <- linear_model(c(6, 4), 4)
    from_windows <- a |> fit(dataset, epochs = 3, validation_data = dataset)
    b <- linear_model(c(6, 4), 4)
    from_arrays <- b |> fit(arrays$x, arrays$y, epochs = 3, batch_size = 32, shuffle = shuffle, validation_data = arrays)
    expect_identical(get_weights(a), get_weights(b))
    expect_equal(from_windows$metrics, from_arrays$metrics)
    expect_equal(evaluate(a, dataset), evaluate(b, arrays$x, arrays$y))
    expect_equal(predict(a, dataset), predict(b, arrays$x), tolerance = 1e-7)
  }
})

test_that("predict() and evaluate() keep the order of time", {
  model <- linear_model(c(3, 1), seed = 2)
  set_weights(model, list(matrix(c(0, 0, 1)), 0)) # gives the last step of a window
  dataset <- timeseries_dataset_from_array(matrix(1:50), tail(1:50, -3), 3, batch_size = 7, shuffle = TRUE, seed = 4)
  expect_equal(as.vector(predict(model, dataset)), 3:49)
  expect_equal(evaluate(model, dataset)$mae, 1)
  unlabelled <- timeseries_dataset_from_array(1:50, NULL, 3, batch_size = 7)
  expect_equal(as.vector(predict(model, unlabelled)), 3:50) # a vector fits a model of one feature
})

test_that("shuffling takes a new order each epoch, that of the seed", {
  order_of <- function(model_seed, ...) {
    dataset <- timeseries_dataset_from_array(1:20, tail(1:20, -2), 2, batch_size = 5, ...)
    read <- dataset$read
    seen <- c()
    dataset$read <- function(rows) {
      seen <<- c(seen, rows)
      read(rows)
    }
    linear_model(2, seed = model_seed) |> fit(dataset, epochs = 2)
    matrix(seen[-1], 18) # the first is to learn the shape
  }
  a <- order_of(1, shuffle = TRUE)
  expect_equal(apply(a, 2, sort), matrix(rep(1:18, 2), 18))
  expect_false(identical(a[, 1], a[, 2]))
  expect_identical(order_of(1, shuffle = TRUE), a)
  expect_false(identical(order_of(2, shuffle = TRUE), a))
  expect_identical(order_of(2, shuffle = TRUE, seed = 3), order_of(1, shuffle = TRUE, seed = 3))
  expect_equal(order_of(1)[, 2], 1:18)
})

test_that("classes of factors are known, also for balanced weights", {
  y <- factor(rep(c("up", "down", "up"), 10))
  dataset <- timeseries_dataset_from_array(rnorm(30), y, 3, batch_size = 8)
  expect_identical(dataset$class_names, c("down", "up"))
  expect_identical(dataset$classes, as.integer(y)[1:28] - 1L)
  model <- keras_model_sequential(input_shape = 3) |> layer_dense(2, activation = "softmax")
  model |> compile(loss = "sparse_categorical_crossentropy")
  expect_silent(model |> fit(dataset, class_weight = "balanced", verbose = 0))
})

# ---- what is refused -----------------------------------------------------------------------------

test_that("gaps are named by column and count, and only those in use", {
  x <- airquality[c("Ozone", "Wind", "Temp")]
  e <- expect_error(timeseries_dataset_from_array(x, NULL, 5), "37 of 153 in Ozone[.]", class = "lamina_error_data")
  expect_identical(e$columns, "Ozone")
  expect_identical(as.integer(e$counts), 37L)
  x$Temp[7] <- Inf
  expect_error(timeseries_dataset_from_array(x, NULL, 5), "37 of 153 in Ozone, 1 of 153 in Temp", class = "lamina_error_data")
  expect_error(timeseries_dataset_from_array(unname(as.matrix(x)), NULL, 5), "37 of 153 in column 1, ", class = "lamina_error_data")
  gap <- c(1:10, NA, 12:20)
  expect_error(timeseries_dataset_from_array(gap, NULL, 5), "has 1 of 20[.]", class = "lamina_error_data")
  expect_identical(expect_error(timeseries_dataset_from_array(1:20, gap, 5), class = "lamina_error_data")$arg, "targets")
  expect_error(timeseries_dataset_from_array(1:20, factor(gap), 5), class = "lamina_error_data")
  expect_equal(timeseries_dataset_from_array(gap, gap, 5, end_index = 10)$samples, 6)
  expect_equal(timeseries_dataset_from_array(gap, NULL, 5, start_index = 11)$samples, 5)
})

test_that("bad arguments are refused by name", {
  bad <- function(arg, ..., data = 1:20, targets = NULL, sequence_length = 5, class = "lamina_error_argument") {
    e <- expect_error(timeseries_dataset_from_array(data, targets, sequence_length, ...), class = class)
    expect_identical(e$arg, arg)
  }
  bad("sequence_length", sequence_length = 0)
  bad("sequence_length", sequence_length = 21)
  bad("sequence_length", sequence_length = 2.5)
  bad("sequence_length", sampling_rate = 5)
  bad("sequence_length", start_index = 16)
  bad("sequence_stride", sequence_stride = 0)
  bad("sampling_rate", sampling_rate = -1)
  bad("batch_size", batch_size = NULL)
  bad("shuffle", shuffle = NA)
  bad("seed", seed = -1)
  bad("start_index", start_index = 20)
  bad("start_index", start_index = -1)
  bad("end_index", end_index = 21)
  bad("end_index", start_index = 4, end_index = 4)
  bad("format", format = "grain")
  bad("data", data = letters, class = "lamina_error_data")
  bad("data", data = data.frame(a = letters), class = "lamina_error_data")
  bad("data", data = NULL, class = "lamina_error_data")
  bad("targets", targets = letters, class = "lamina_error_data")
  bad("targets", targets = 1:3, start_index = 3, class = "lamina_error_data")
  expect_error(timeseries_dataset_from_array(targets = NULL, sequence_length = 2), class = "lamina_error_argument")
  expect_error(timeseries_dataset_from_array(1:9, sequence_length = 2), "targets", class = "lamina_error_argument")
  expect_error(timeseries_dataset_from_array(1:9, NULL), "sequence_length", class = "lamina_error_argument")
  expect_error(dataset_arrays(1:9), class = "lamina_error_argument")
})

# ---- lags ----------------------------------------------------------------------------------------

test_that("lag_matrix() has the columns of embed(), with names", {
  x <- as.vector(AirPassengers)
  expect_identical(unname(lag_matrix(x, 0:4)), embed(x, 5))
  expect_identical(lag_matrix(AirPassengers, 0:4), lag_matrix(x, 0:4))
  expect_identical(colnames(lag_matrix(x, 2:0)), c("x_lag2", "x_lag1", "x"))
  two <- EuStockMarkets[, 1:2]
  expect_identical(unname(lag_matrix(two, 0:3)), embed(two, 4))
  expect_identical(colnames(lag_matrix(two, c(-1, 3))), c("DAX_lead1", "SMI_lead1", "DAX_lag3", "SMI_lag3"))
  expect_identical(colnames(lag_matrix(matrix(1:6, 3), 1)), c("x1_lag1", "x2_lag1"))
  expect_identical(lag_matrix(as.data.frame(two), 1), lag_matrix(two, 1))
  expect_equal(unname(lag_matrix(1:6, c(-2, 1))), cbind(4:6, 1:3)) # about the steps 2, 3 and 4
  expect_equal(unname(lag_matrix(1:6, -1)), cbind(2:6))
  expect_equal(unname(lag_matrix(1:6, 5)), cbind(1L))
  expect_equal(unname(lag_matrix(c(1, NA, 3), 1)), cbind(c(1, NA)))
})

test_that("lag_matrix() has the rows of the windows", {
  x <- EuStockMarkets[1:50, 1:3]
  arrays <- dataset_arrays(timeseries_dataset_from_array(x, tail(x, -4), 4))
  flat <- predict(keras_model_sequential(input_shape = c(4, 3)) |> layer_flatten(), arrays$x)
  expect_equal(flat, unname(lag_matrix(x, 4:1)), tolerance = 1e-6)
  expect_identical(arrays$y, unname(lag_matrix(x, 0:4)[, 1:3]))
  # several steps ahead
  y <- tail(lag_matrix(1:20, 0:-2), -4)
  ahead <- dataset_arrays(timeseries_dataset_from_array(1:20, y, 4))
  expect_equal(ahead$x[, 4] + 1, ahead$y[, 1])
  expect_equal(ahead$y, outer(5:18, 0:2, "+"))
})

test_that("bad lags are refused", {
  bad <- function(arg, ..., class = "lamina_error_argument") expect_identical(expect_error(lag_matrix(...), class = class)$arg, arg)
  bad("lags", 1:5, 0.5)
  bad("lags", 1:5, c(1, 1))
  bad("lags", 1:5, NULL)
  bad("lags", 1:5, 5)
  bad("lags", 1:5, c(-2, 3))
  bad("lags", 1:5)
  bad("x", letters, 1, class = "lamina_error_data")
  bad("x", array(1, c(2, 2, 2)), 1, class = "lamina_error_shape")
})

# ---- forecasts -----------------------------------------------------------------------------------

# A model that computes x[t] = sum(coefficients * window) + intercept, for windows with the features
# side by side: kernel rows are (oldest step: features), ..., (last step: features).
recurrence <- function(steps, features, kernel, bias = rep(0, ncol(kernel))) {
  model <- keras_model_sequential(input_shape = c(steps, features)) |>
    layer_flatten() |>
    layer_dense(ncol(kernel))
  set_weights(model, list(kernel, bias))
  model
}

test_that("a linear recurrence goes on", {
  fibonacci <- c(1, 1, 2, 3, 5, 8, 13, 21, 34, 55)
  model <- recurrence(2, 1, matrix(c(1, 1)))
  expect_equal(forecast_steps(model, fibonacci[1:2], 8), fibonacci[3:10])
  expect_equal(forecast_steps(model, ts(fibonacci[1:2]), 1), 2)
  expect_equal(forecast_steps(model, matrix(fibonacci[1:2]), 8), fibonacci[3:10])
  windows <- array(cbind(fibonacci[1:4], fibonacci[2:5]), c(4, 2, 1))
  expect_equal(forecast_steps(model, windows, 5), outer(1:4, 1:5, function(i, j) fibonacci[i + j + 1]))
  flat <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
  set_weights(flat, list(matrix(c(1, 1)), 0))
  expect_equal(forecast_steps(flat, fibonacci[1:2], 8), fibonacci[3:10])
  # a window of one step, and an intercept: x[t] = x[t - 1] / 2 + 3
  half <- recurrence(1, 1, matrix(0.5), 3)
  expect_equal(forecast_steps(half, 10, 4), Reduce(function(x, i) x / 2 + 3, 1:4, 10, accumulate = TRUE)[-1])
})

test_that("several features are forecast together", {
  turn <- matrix(c(cos(0.3), sin(0.3), -sin(0.3), cos(0.3)), 2) # by 0.3 radian each step
  model <- recurrence(3, 2, rbind(matrix(0, 4, 2), t(turn)))
  angle <- 0.3 * (1:3)
  window <- cbind(x = cos(angle), y = sin(angle))
  later <- 0.3 * (4:9)
  expect_equal(forecast_steps(model, window, 6), cbind(x = cos(later), y = sin(later)), tolerance = 1e-5)
  both <- aperm(array(c(window, window), c(3, 2, 2)), c(3, 1, 2))
  found <- forecast_steps(model, both, 6)
  expect_equal(dim(found), c(2, 6, 2))
  expect_equal(found[2, , ], cbind(cos(later), sin(later)), tolerance = 1e-5)
  # outputs in another order than the columns
  swapped <- recurrence(3, 2, rbind(matrix(0, 4, 2), t(turn))[, 2:1])
  expect_equal(forecast_steps(swapped, window, 6, target = c("y", "x"))[, 2:1],
               cbind(x = cos(later), y = sin(later)), tolerance = 1e-5)
})

test_that("other features are held, or known beforehand", {
  # y[t + 1] = y[t] + 10 u[t] + 100 v[t]
  kernel <- matrix(c(0, 0, 0, 10, 1, 100))
  model <- recurrence(2, 3, kernel)
  window <- cbind(u = c(7, 1), y = c(0, 5), v = c(0, 2))
  expect_equal(forecast_steps(model, window, 3, target = "y"), 5 + 210 * (1:3))
  u <- c(3, 4, 5)
  v <- c(6, 0, 1)
  wanted <- 5 + cumsum(c(210, 10 * u[1:2] + 100 * v[1:2]))
  expect_equal(forecast_steps(model, window, 3, target = 2, known = cbind(u, v)), wanted)
  expect_equal(forecast_steps(model, window, 3, target = 2, known = data.frame(u, v)), wanted)
  many <- array(rep(window, each = 2), c(2, 2, 3))
  known <- array(0, c(2, 3, 2))
  known[1, , ] <- cbind(u, v)
  expect_equal(forecast_steps(model, many, 3, target = 2, known = known), rbind(wanted, 215, deparse.level = 0))
})

test_that("functions forecast as models do", {
  by_hand <- function(windows) windows[, 1, 1] + windows[, 2, 1]
  expect_equal(forecast_steps(by_hand, c(1, 1), 4), c(2, 3, 5, 8))
  x <- as.vector(scale(lh))
  linear <- lm(x ~ ., as.data.frame(lag_matrix(x, 0:3)))
  step <- function(windows) {
    predict(linear, setNames(as.data.frame(windows[, , 1, drop = FALSE]), paste0("x_lag", 3:1)))
  }
  b <- coef(linear)
  wanted <- c(x[46:48], NA, NA, NA)
  for (t in 4:6) {
    wanted[t] <- b[["(Intercept)"]] + sum(b[c("x_lag1", "x_lag2", "x_lag3")] * wanted[t - 1:3])
  }
  expect_equal(forecast_steps(step, x[46:48], 3), wanted[4:6])
})

test_that("forecasts that do not fit are refused", {
  model <- recurrence(2, 1, matrix(c(1, 1)))
  three <- recurrence(2, 1, matrix(1, 2, 3))
  bad <- function(arg, ..., class = "lamina_error_argument") {
    expect_identical(expect_error(forecast_steps(...), class = class)$arg, arg)
  }
  bad("model", three, c(1, 2), 3, class = "lamina_error_shape")
  bad("model", \(w) "a", c(1, 2), 3, class = "lamina_error_shape")
  bad("model", \(w) 1:3, array(1, c(2, 2, 1)), 3, class = "lamina_error_shape")
  bad("model", 3, c(1, 2), 3)
  bad("x", model, c(1, 2, 3), 3, class = "lamina_error_shape")
  bad("window", model, array(1, c(1, 2, 1, 1)), 3, class = "lamina_error_shape")
  bad("window", model, c(1, NA), 3, class = "lamina_error_data")
  bad("window", model, c("a", "b"), 3, class = "lamina_error_data")
  bad("n", model, c(1, 2), 0)
  bad("target", model, c(1, 2), 3, target = 2)
  bad("target", model, c(1, 2), 3, target = "b")
  two <- recurrence(2, 2, matrix(1, 4, 1))
  window <- matrix(1:4, 2)
  bad("target", two, window, 3, target = 1:2)
  bad("known", two, window, 3, known = 1:2, class = "lamina_error_shape")
  bad("known", two, window, 3, known = matrix(1, 3, 2), class = "lamina_error_shape")
  bad("known", two, window, 3, known = c(1, NA, 3), class = "lamina_error_data")
})

test_that("unscale() undoes scale()", {
  x <- as.matrix(airquality[c("Wind", "Temp")])
  for (center in c(TRUE, FALSE)) {
    for (scale in c(TRUE, FALSE)) {
      if (!center && !scale) next
      scaled <- scale(x, center, scale)
      expect_equal(unscale(scaled, scaled), x)
      expect_equal(unscale(scaled[1:5, "Temp"], scaled, "Temp"), x[1:5, "Temp"])
      expect_equal(unscale(scaled[, 2:1], scaled, 2:1), x[, 2:1])
    }
  }
  scaled <- scale(x)
  cube <- array(scaled[1:12, ], c(3, 4, 2))
  expect_equal(unscale(cube, scaled), array(x[1:12, ], c(3, 4, 2)))
  expect_equal(unscale(cube[, , 2], scaled, 2), matrix(x[1:12, 2], 3))
  expect_equal(unscale(scale(1:9)[2:3], scale(1:9)), 2:3)
  bad <- function(arg, ..., class = "lamina_error_argument") expect_identical(expect_error(unscale(...), class = class)$arg, arg)
  bad("x", 1:3, scaled, class = "lamina_error_shape")
  bad("x", "a", scaled, class = "lamina_error_data")
  bad("scaled", 1:3, x)
  bad("columns", 1, scaled, 3)
  bad("columns", 1, scaled, "Ozone")
})

# ---- plots ---------------------------------------------------------------------------------------

test_that("forecasts stand at the end, with their errors where the truth is known", {
  truth <- c(1, 2, 3, 4, 5)
  shown <- function(...) {
    withr::local_pdf(withr::local_tempfile())
    plot_forecast(..., method = "base")
  }
  one <- shown(truth = truth, forecast = c(4, 6))
  expect_identical(levels(one$series), c("truth", "forecast"))
  expect_identical(one$value, c(truth, NA, NA, NA, 4, 6))
  expect_identical(one$time, rep(1:5, 2))
  dates <- as.Date("2020-01-01") + 0:6
  two <- shown(dates, truth, cbind(lm = c(6, 7), gru = c(5, NA)))
  expect_identical(two$time, rep(dates, 3))
  expect_identical(two$value[two$series == "truth"], c(truth, NA, NA))
  expect_identical(two$value[two$series == "gru"], c(rep(NA, 5), 5, NA))
  expect_equal(shown(truth = nottem, forecast = nottem)$time, rep(as.vector(time(nottem)), 2))
  labels <- forecast_labels(forecast_table(NULL, truth, list(a = c(4, 7), b = rep(NA, 5))))
  expect_identical(labels, c(a = "a (RMSE 1.41)", b = "b"))
  marks <- forecast_marks(forecast_table(1:7, truth, c(3, 3, 3)))
  expect_equal(marks, list(begin = 5, future = c(5, 7)))
  expect_equal(forecast_marks(forecast_table(1:5, truth, truth)), list(begin = NULL, future = NULL))
})

test_that("ggplot2 draws the same", {
  skip_if_not_installed("ggplot2")
  plot <- plot_forecast(truth = c(1, 2, NA, 4, 5), forecast = list(a = c(4, 6), b = 5), main = "Two models")
  expect_s3_class(plot, "ggplot")
  withr::local_pdf(withr::local_tempfile())
  expect_silent(print(plot))
  built <- ggplot2::ggplot_build(plot)$data
  expect_setequal(unique(built[[2]]$colour), c("#1F2933", "#D55E00", "#0072B2"))
  expect_equal(built[[3]]$y, 5) # the one forecast of b, as a point
  expect_silent(print(plot_forecast(Sys.time() + 1:3, 1:2, c(NA, 2, 3), colours = "red")))
})

test_that("what cannot be drawn is refused", {
  bad <- function(arg, ..., class = "lamina_error_argument") {
    expect_identical(expect_error(plot_forecast(...), class = class)$arg, arg)
  }
  bad("time", 1:3, 1:4, 1:2, class = "lamina_error_shape")
  bad("time", letters[1:4], 1:4, 1:2, class = "lamina_error_data")
  bad("truth", 1:4, letters[1:4], 1:2, class = "lamina_error_data")
  bad("truth", 1:4, matrix(1:4, 2), 1:2, class = "lamina_error_data")
  bad("forecast", 1:4, 1:4, list(), class = "lamina_error_data")
  bad("forecast", 1:4, 1:4, list(a = "b"), class = "lamina_error_data")
  bad("forecast", 1:4, 1:4, list(a = 1, a = 2))
  bad("forecast", 1:4, 1:4, list(truth = 1))
  bad("colours", 1:4, 1:4, 1:4, colours = 1)
  bad("method", 1:4, 1:4, 1:4, method = "lattice")
})
