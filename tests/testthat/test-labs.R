# The labs of statistics courses: the calls that they make, in their order and in their style, on their data or data
# of the same form.  Each test compares with the classical model that the lab has beside the network.
#
# Most labs are those of James, Witten, Hastie and Tibshirani, An Introduction to Statistical Learning (2nd edition
# 2021), chapter 10; the one on house prices is after Chollet, Kalinowski and Allaire, Deep Learning with R (2018),
# chapter 3; flowers, air and passengers are the exercises of an introductory course.  Each bound holds, with room to
# spare, for all of the seeds that the comments give figures of.  What a test has less of than its lab is said there.

share_right <- function(found, truth) mean(drop(as.numeric(found)) == drop(truth))

# Bytes of the picture that a line of a script draws.
drawn <- function(line) {
  path <- withr::local_tempfile(fileext = ".png")
  withr::with_png(path, {
    shown <- withVisible(line)
    if (shown$visible) print(shown$value)
  })
  file.size(path)
}
expect_drawn <- function(line) expect_gt(drawn(line), 2 * drawn(graphics::plot.new()))

# What is left of objects in a cache of knitr or xfun, or in a saved workspace.
from_cache <- function(...) {
  path <- withr::local_tempfile(fileext = ".rds")
  saveRDS(list(...), path)
  readRDS(path)
}

# For the reader of the log.
tell <- function(lab, ...) {
  figures <- c(...)
  cat(sprintf("\n%s: %s\n", lab, paste(names(figures), format(figures, digits = 4), sep = " ", collapse = ", ")))
}

# ---- Hitters --------------------------------------------------------------------------------------

# The whole lab with its 1,500 epochs.  Mean absolute errors on the test players in the book's table 10.2: least
# squares 254.7, lasso 252.3, network 257.4.  Here the network has 245.4 to 257.6 (20 seeds).
test_that("Hitters: a network with dropout beside lm and the lasso", {
  skip_if_not_installed("ISLR2")
  players <- na.omit(ISLR2::Hitters)
  set.seed(13)
  held <- sample(1:nrow(players), trunc(nrow(players) / 3))
  linear <- lm(Salary ~ ., data = players[-held, ])
  linear_error <- mean(abs(predict(linear, players[held, ]) - players$Salary[held]))
  expect_equal(linear_error, 254.6687, tolerance = 1e-6)

  x <- model.matrix(Salary ~ . - 1, data = players) %>% scale()
  y <- players$Salary
  lasso_error <- NA
  if (requireNamespace("glmnet", quietly = TRUE)) {
    lasso <- glmnet::cv.glmnet(x[-held, ], y[-held], type.measure = "mae")
    lasso_error <- mean(abs(y[held] - predict(lasso, x[held, ], s = "lambda.min")))
  }

  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_dense(units = 50, activation = "relu", input_shape = ncol(x)) %>%
    layer_dropout(rate = 0.4) %>%
    layer_dense(units = 1)
  net %>% compile(loss = "mse", optimizer = optimizer_rmsprop(), metrics = list("mean_absolute_error"))
  history <- net %>% fit(
    x[-held, ], y[-held], epochs = 1500, batch_size = 32,
    validation_data = list(x[held, ], y[held])
  )
  expect_named(history$metrics, c("loss", "mean_absolute_error", "val_loss", "val_mean_absolute_error"))
  expect_identical(unname(lengths(history$metrics)), rep(1500L, 4))
  expect_drawn(plot(history))

  found <- predict(net, x[held, ])
  expect_identical(dim(found), c(length(held), 1L))
  error <- mean(abs(y[held] - found))
  expect_equal(history$metrics$val_mean_absolute_error[1500], error, tolerance = 1e-5)
  tell("Hitters, mean absolute error", lm = linear_error, lasso = lasso_error, network = error)
  expect_lt(error, 1.05 * linear_error)
  expect_lt(error, 0.8 * mean(abs(y[held] - mean(y[-held]))))

  # called once more, fit() goes on where it was
  expect_message(
    again <- net %>% fit(x[-held, ], y[-held], epochs = 1, batch_size = 32),
    "Continuing after epoch 1500"
  )
  expect_lt(again$metrics$loss, history$metrics$loss[1] / 3)
})

# ---- digits ---------------------------------------------------------------------------------------

digits <- function() {
  file <- skip_without_data("images", "mnist-train-images-idx3-ubyte.gz")
  dataset_mnist(dirname(file), download = FALSE)
}

# The lab has 60,000 digits for training, 10,000 for the test and 30 epochs, later 15; there the network has 98 %
# right, linear discriminant analysis 87 %.  Here, with 8,500 and 1,500 digits and 15 epochs, the network has 94.5
# to 95.5 % (10 seeds), the analysis 85.2 %.
test_that("MNIST: two hidden layers with dropout beside linear discriminant analysis", {
  mnist <- digits()
  skip_if_not_installed("MASS")
  x_train <- array_reshape(mnist$train$x, c(nrow(mnist$train$x), 784)) / 255
  x_test <- array_reshape(mnist$test$x, c(nrow(mnist$test$x), 784)) / 255
  y_train <- to_categorical(mnist$train$y, 10)
  truth <- mnist$test$y
  expect_identical(x_train[7, 28 * 11 + 15], mnist$train$x[7, 12, 15] / 255)

  set.seed(1)
  net <- keras_model_sequential()
  net %>%
    layer_dense(units = 256, activation = "relu", input_shape = c(784)) %>%
    layer_dropout(rate = 0.4) %>%
    layer_dense(units = 128, activation = "relu") %>%
    layer_dropout(rate = 0.3) %>%
    layer_dense(units = 10, activation = "softmax")
  expect_output(summary(net), "Total params: 235,146", fixed = TRUE)
  expect_output(summary(net), "200,960", fixed = TRUE)
  net %>% compile(loss = "categorical_crossentropy", optimizer = optimizer_rmsprop(), metrics = c("accuracy"))
  took <- system.time(
    history <- net %>%
      fit(x_train, y_train, epochs = 15, batch_size = 128, validation_split = 0.2)
  )
  expect_drawn(plot(history, smooth = FALSE))

  right <- net %>% predict(x_test) %>% k_argmax() %>% share_right(truth)
  expect_identical(predict(net, x_test) |> op_argmax(-1, zero_indexed = TRUE) |> share_right(truth), right)
  expect_equal(evaluate(net, x_test, to_categorical(truth, 10))$accuracy, right, tolerance = 1e-6)
  varied <- apply(x_train, 2, sd) > 0.1 # constant pixels have no place in the analysis
  discriminant <- MASS::lda(x_train[, varied], mnist$train$y)
  linear_right <- mean(predict(discriminant, x_test[, varied])$class == truth)
  tell("MNIST, share of test digits right", lda = linear_right, network = right, seconds = took[["elapsed"]])
  expect_gt(right, 0.935)
  expect_gt(right, linear_right + 0.05)
})

# Multinomial logistic regression is a network without hidden layers.  The book has 92.8 % of its test digits right,
# here it is 90.8 to 91.5 % (10 seeds).
test_that("MNIST: logistic regression by a softmax alone", {
  mnist <- digits()
  x_train <- array_reshape(mnist$train$x, c(nrow(mnist$train$x), 784)) / 255
  x_test <- array_reshape(mnist$test$x, c(nrow(mnist$test$x), 784)) / 255
  y_train <- to_categorical(mnist$train$y, 10)
  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_dense(input_shape = 784, units = 10, activation = "softmax")
  expect_output(summary(net), "Total params: 7,850", fixed = TRUE)
  net %>% compile(loss = "categorical_crossentropy", optimizer = optimizer_rmsprop(), metrics = c("accuracy"))
  net %>% fit(x_train, y_train, epochs = 30, batch_size = 128, validation_split = 0.2)
  right <- net %>% predict(x_test) %>% k_argmax() %>% share_right(mnist$test$y)
  tell("MNIST, logistic regression", network = right)
  expect_gt(right, 0.9)

  # it is that regression: what predict() gives is the softmax of intercepts and slopes
  c(slopes, intercepts) %<-% net$get_weights()
  odds <- exp(sweep(x_test[1:50, ] %*% slopes, 2, intercepts, "+"))
  expect_equal(predict(net, x_test[1:50, ]), odds / rowSums(odds), tolerance = 1e-5)
})

# ---- photographs ----------------------------------------------------------------------------------

# The lab: CIFAR-100, 50,000 photographs, 30 epochs with batches of 128.  Here 5,000 of CIFAR-10's, which take the
# first ten of 100 classes, and 6 epochs with batches of 32: 43.3 to 50.8 % right (10 seeds).  Linear discriminant
# analysis of the mean colours of 8 x 8 fields has 35.7 %.
test_that("CIFAR: four convolutions with padding \"same\" beside linear discriminant analysis", {
  skip_if_not_installed("MASS")
  cifar <- dataset_cifar10(dirname(skip_without_data("images", "cifar10-data_batch_1.bin.gz")), download = FALSE)
  expect_named(cifar, c("train", "test"))
  x_train <- cifar$train$x[1:5000, , , ] / 255
  g_train <- cifar$train$y[1:5000, , drop = FALSE]
  x_test <- cifar$test$x / 255
  g_test <- cifar$test$y
  y_train <- to_categorical(g_train, 100)
  expect_identical(dim(y_train), c(5000L, 100L))
  expect_drawn(plot(as.raster(x_train[12, , , ])))

  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_conv_2d(
      filters = 32, kernel_size = c(3, 3), padding = "same", activation = "relu", input_shape = c(32, 32, 3)
    ) %>%
    layer_max_pooling_2d(pool_size = c(2, 2)) %>%
    layer_conv_2d(filters = 64, kernel_size = c(3, 3), padding = "same", activation = "relu") %>%
    layer_max_pooling_2d(pool_size = c(2, 2)) %>%
    layer_conv_2d(filters = 128, kernel_size = c(3, 3), padding = "same", activation = "relu") %>%
    layer_max_pooling_2d(pool_size = c(2, 2)) %>%
    layer_conv_2d(filters = 256, kernel_size = c(3, 3), padding = "same", activation = "relu") %>%
    layer_max_pooling_2d(pool_size = c(2, 2)) %>%
    layer_flatten() %>%
    layer_dropout(rate = 0.5) %>%
    layer_dense(units = 512, activation = "relu") %>%
    layer_dense(units = 100, activation = "softmax")
  expect_output(summary(net), "Total params: 964,516", fixed = TRUE)
  shapes <- lapply(net$layers, function(layer) unlist(layer$output_shape))
  expect_equal(shapes[c(1, 2, 8, 9, 12)], list(c(32, 32, 32), c(16, 16, 32), c(2, 2, 256), 1024, 100))
  net %>% compile(loss = "categorical_crossentropy", optimizer = optimizer_rmsprop(), metrics = c("accuracy"))
  history <- net %>% fit(x_train, y_train, epochs = 6, batch_size = 32, validation_split = 0.2)
  found <- net %>% predict(x_test) %>% k_argmax()
  right <- found %>% share_right(g_test)

  fields <- function(x) {
    mean_of <- function(i, j, colour) rowMeans(matrix(x[, 8 * i + 1:8, 8 * j + 1:8, colour], nrow(x)))
    at <- expand.grid(i = 0:3, j = 0:3, colour = 1:3)
    mapply(mean_of, at$i, at$j, at$colour)
  }
  discriminant <- MASS::lda(fields(x_train), drop(g_train))
  linear_right <- mean(predict(discriminant, fields(x_test))$class == drop(g_test))
  tell("CIFAR, share of test photographs right", lda = linear_right, network = right)
  expect_true(all(found < 10)) # no picture is of the classes that had none
  expect_gt(right, linear_right + 0.02)
})

# ---- opinions -------------------------------------------------------------------------------------

# Film reviews as lists of numbers of words, of which 1 to 3 stand for other things, as dataset_imdb() gives them.
as_imdb <- function(text, label, n_train, num_words) {
  tokenizer <- text_tokenizer(num_words = num_words - 3)
  tokenizer %>% fit_text_tokenizer(text[seq_len(n_train)])
  numbers <- lapply(texts_to_sequences(tokenizer, text), function(s) c(1L, s + 3L))
  train <- seq_len(n_train)
  list(
    imdb = list(train = list(x = numbers[train], y = label[train]),
                test = list(x = numbers[-train], y = label[-train])),
    word_index = tokenizer$word_index
  )
}

# The lab: 25,000 reviews, a vocabulary of 10,000, 20 epochs.  Here 10,662 sentences of some 20 words (Pang and Lee
# 2005), 8,000 of them for training: 74.5 to 76.6 % of the others right, by the lasso 71.3 to 74.5 %, always 0.8 to
# 4.3 points less than by the network (20 seeds and splits).
test_that("IMDb: a bag of words as a sparse matrix beside the lasso", {
  skip_if_not_installed("Matrix")
  skip_if_not_installed("glmnet")
  good <- readLines(skip_without_data("text", "rt-polarity.pos"))
  bad <- readLines(skip_without_data("text", "rt-polarity.neg"))
  set.seed(3)
  shuffled <- sample(length(good) + length(bad))
  label <- rep(1:0, c(length(good), length(bad)))
  c(imdb, word_index) %<-% as_imdb(c(good, bad)[shuffled], label[shuffled], 8000, 10000)
  c(c(x_train, y_train), c(x_test, y_test)) %<-% imdb

  # numbers back to words
  words <- c("<start>", "<unknown>", "<unused>", names(word_index))
  numbers <- c(1:3, unlist(word_index, use.names = FALSE) + 3L)
  said <- words[match(x_train[[1]], numbers)]
  first <- gsub("[^a-z0-9']+", " ", c(good, bad)[shuffled[1]])
  expect_true(all(said[-1] %in% strsplit(first, " ")[[1]]))
  expect_identical(said[1], "<start>")

  one_hot <- function(documents, words) {
    rows <- rep(seq_along(documents), lengths(documents))
    Matrix::sparseMatrix(i = rows, j = unlist(documents), dims = c(length(documents), words))
  }
  bag_train <- one_hot(x_train, 10000)
  bag_test <- one_hot(x_test, 10000)
  expect_s4_class(bag_train, "ngCMatrix")
  held <- sample(seq(along = y_train), 1500)

  lasso <- glmnet::glmnet(bag_train[-held, ], y_train[-held], family = "binomial", standardize = FALSE)
  by_lambda <- function(bag, y) apply(predict(lasso, bag) > 0, 2, share_right, y > 0)
  lasso_right <- by_lambda(bag_test, y_test)[which.max(by_lambda(bag_train[held, ], y_train[held]))]

  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_dense(units = 16, activation = "relu", input_shape = c(10000)) %>%
    layer_dense(units = 16, activation = "relu") %>%
    layer_dense(units = 1, activation = "sigmoid")
  start <- get_weights(net)
  net %>% compile(optimizer = "rmsprop", loss = "binary_crossentropy", metrics = c("accuracy"))
  history <- net %>% fit(
    bag_train[-held, ], y_train[-held], epochs = 20, batch_size = 512,
    validation_data = list(bag_train[held, ], y_train[held])
  )
  expect_drawn(plot(history))
  right <- share_right(predict(net, bag_test) > 0.5, y_test)
  expect_equal(evaluate(net, bag_test, y_test)$accuracy, right, tolerance = 1e-6)
  expect_equal(share_right(predict(net, bag_train[held, ]) > 0.5, y_train[held]), history$metrics$val_accuracy[20],
               tolerance = 1e-6)
  tell("IMDb, bag of words, share of test sentences right", lasso = unname(lasso_right), network = right)
  expect_gt(right, 0.73)
  expect_gt(right, lasso_right - 0.01)

  # sparse or dense is the same
  some <- 1:600
  dense <- as.matrix(bag_train[some, ]) * 1
  expect_equal(predict(net, dense), predict(net, bag_train[some, ]), tolerance = 1e-5)
  trained <- lapply(list(bag_train[some, ], dense), function(x) {
    set.seed(2)
    set_weights(net, start)
    compile(net, optimizer = "sgd", loss = "binary_crossentropy")
    net %>% fit(x, y_train[some], epochs = 1, batch_size = 100)
    get_weights(net)
  })
  expect_equal(trained[[1]], trained[[2]], tolerance = 1e-5)
})

# The lab: 25,000 reviews cut to 500 words, batches of 128, 10 epochs, later 3.  Here 2,000 made-up reviews of up to
# 32 words, batches of 32 and 15 epochs: 86.8 to 93.6 % right.  A regression on single words, which does not see
# what a "not" belongs to, has 70.6 to 77.0 %, always 15 to 23 points less (20 seeds and sets of reviews).
test_that("IMDb: an embedding without input_shape and an LSTM beside logistic regression", {
  set.seed(4)
  reviews <- sim_reviews(2500)
  c(imdb, word_index) %<-% as_imdb(reviews$text, as.integer(reviews$label) - 1L, 2000, 10000)
  c(c(x_train, y_train), c(x_test, y_test)) %<-% imdb
  wc <- sapply(x_train, length)
  maxlen <- 30
  expect_gt(mean(wc <= maxlen), 0.9)
  x_train <- pad_sequences(x_train, maxlen = maxlen)
  x_test <- pad_sequences(x_test, maxlen = maxlen)
  expect_identical(dim(x_train), c(2000L, 30L))
  short <- which(wc == 20)[1]
  expect_identical(as.vector(x_train[short, ]), c(rep(0L, 10), imdb$train$x[[short]]))

  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_embedding(input_dim = 10000, output_dim = 32) %>%
    layer_lstm(units = 32) %>%
    layer_dense(units = 1, activation = "sigmoid")
  net %>% compile(optimizer = "rmsprop", loss = "binary_crossentropy", metrics = c("acc"))
  history <- net %>% fit(x_train, y_train, epochs = 15, batch_size = 32, validation_data = list(x_test, y_test))
  expect_named(history$metrics, c("loss", "acc", "val_loss", "val_acc"))
  expect_identical(count_params(net), 10000 * 32 + 4 * 32 * (32 + 32 + 1) + 33)
  expect_drawn(plot(history))
  found <- predict(net, x_test) > 0.5
  right <- mean(abs(y_test == as.numeric(found)))
  expect_equal(history$metrics$val_acc[15], right, tolerance = 1e-6)

  bag <- function(sequences) 1 * t(apply(sequences, 1, function(s) seq_len(length(word_index)) %in% (s - 3)))
  once <- bag(x_train)
  known <- colSums(once) > 5
  regression <- suppressWarnings(glm.fit(cbind(1, once[, known]), y_train, family = binomial()))
  slopes <- ifelse(is.na(regression$coefficients), 0, regression$coefficients)
  linear_right <- mean((cbind(1, bag(x_test)[, known]) %*% slopes > 0) == y_test)
  tell("IMDb, LSTM, share of test reviews right", glm = linear_right, network = right)
  expect_gt(right, 0.83)
  expect_gt(right, linear_right + 0.1)
})

# ---- trading --------------------------------------------------------------------------------------

# Log volume of the New York Stock Exchange and the three series five days before, as a data frame for lm() and as an
# array of days x 5 x 3, the furthest day first.
trading <- function() {
  skip_if_not_installed("ISLR2")
  nyse <- ISLR2::NYSE
  series <- scale(data.matrix(nyse[, c("DJ_return", "log_volume", "log_volatility")]))
  n <- nrow(series)
  ago <- function(k) rbind(matrix(NA, k, 3), series[1:(n - k), ])
  lags <- data.frame(volume = series[, "log_volume"], L1 = ago(1), L2 = ago(2), L3 = ago(3), L4 = ago(4), L5 = ago(5))
  lags <- lags[-(1:5), ]
  cube <- array(data.matrix(lags[, -1]), c(nrow(lags), 3, 5))[, , 5:1]
  train <- nyse$train[-(1:5)]
  list(lags = lags, cube = aperm(cube, c(1, 3, 2)), train = train, day = nyse$day_of_week[-(1:5)],
       r_squared = function(found) 1 - mean((found - lags$volume[!train])^2) / var(lags$volume[!train]))
}

# R^2 on the test years: the linear autoregression 0.413, the recurrent network with the 75 epochs that the lab has
# now (200 in print) 0.401 to 0.415 (20 seeds).
test_that("NYSE: a simple recurrent network with two kinds of dropout beside lm", {
  c(lags, cube, train, day, r_squared) %<-% trading()
  expect_identical(dim(cube), c(6046L, 5L, 3L))
  linear <- lm(volume ~ ., data = lags[train, ])
  linear_r2 <- r_squared(predict(linear, lags[!train, ]))
  expect_equal(linear_r2, 0.413223, tolerance = 1e-6)

  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_simple_rnn(units = 12, input_shape = list(5, 3), dropout = 0.1, recurrent_dropout = 0.1) %>%
    layer_dense(units = 1)
  net %>% compile(optimizer = optimizer_rmsprop(), loss = "mse")
  history <- net %>% fit(
    cube[train, , ], lags[train, "volume"], batch_size = 64, epochs = 75,
    validation_data = list(cube[!train, , ], lags[!train, "volume"])
  )
  expect_identical(lengths(history$metrics), c(loss = 75L, val_loss = 75L))
  found <- predict(net, cube[!train, , ])
  r2 <- r_squared(found)
  expect_equal(history$metrics$val_loss[75], mean((found - lags[!train, "volume"])^2), tolerance = 1e-5)
  tell("NYSE, R2 of the test years", lm = linear_r2, rnn = r2)
  expect_gt(r2, linear_r2 - 0.03)
  expect_lt(r2, linear_r2 + 0.03) # more would mean that the day itself is among the lags
})

# With 200 epochs of RMSprop in batches of 64, R^2 is 0.411 to 0.415 (20 seeds) beside 0.413; with SGD on all days at
# once the weights are the coefficients of lm() to 3e-7 (5 seeds).
test_that("NYSE: flatten and dense are the linear autoregression of lm", {
  c(lags, cube, train, day, r_squared) %<-% trading()
  linear <- lm(volume ~ ., data = lags[train, ])
  linear_r2 <- r_squared(predict(linear, lags[!train, ]))

  set.seed(1)
  net <- keras_model_sequential() |>
    layer_flatten(input_shape = c(5, 3)) |>
    layer_dense(units = 1)
  net |> compile(optimizer = optimizer_rmsprop(), loss = "mse")
  history <- net |>
    fit(
      cube[train, , ], lags[train, "volume"], batch_size = 64, epochs = 200,
      validation_data = list(cube[!train, , ], lags[!train, "volume"]), verbose = 0
    )
  expect_drawn(plot(history, smooth = FALSE))
  r2 <- r_squared(predict(net, cube[!train, , ]))
  tell("NYSE, R2 of the test years", lm = linear_r2, linear_network = r2)
  expect_lt(abs(r2 - linear_r2), 0.008)

  # as many numbers as lm() has, and where training goes to the end, with all days in a batch, the same ones
  weights <- net$get_weights()
  expect_length(unlist(weights), length(coef(linear)))
  net |> compile(optimizer = optimizer_sgd(0.1, momentum = 0.97), loss = "mse")
  net |> fit(cube[train, , ], lags[train, "volume"], batch_size = sum(train), epochs = 1000)
  c(slopes, intercept) %<-% net$get_weights()
  last_day_first <- matrix(slopes, nrow = 3)[, 5:1] # within a day the three series, as in the data frame
  expect_equal(c(intercept, last_day_first), unname(coef(linear)), tolerance = 1e-5)
})

# R^2 with the day of the week: lm() 0.460, the network with the 30 epochs that the lab has now (100 in print) 0.460
# to 0.469; without the day, 200 epochs: 0.421 to 0.429, lm() 0.413 (20 seeds).
test_that("NYSE: a hidden layer on lags and the day of the week beside lm", {
  c(lags, cube, train, day, r_squared) %<-% trading()
  with_day <- data.frame(day = day, lags)
  linear <- lm(volume ~ ., data = with_day[train, ])
  linear_r2 <- r_squared(predict(linear, with_day[!train, ]))

  x <- model.matrix(volume ~ . - 1, data = with_day)
  set.seed(1)
  net <- keras_model_sequential() %>%
    layer_dense(units = 32, activation = 'relu', input_shape = ncol(x)) %>%
    layer_dropout(rate = 0.5) %>%
    layer_dense(units = 1)
  net %>% compile(loss = "mse", optimizer = optimizer_rmsprop())
  history <- net %>% fit(
    x[train, ], lags[train, "volume"], epochs = 30, batch_size = 32,
    validation_data = list(x[!train, ], lags[!train, "volume"])
  )
  expect_drawn(plot(history))
  r2 <- r_squared(predict(net, x[!train, ]))
  expect_gt(r2, linear_r2 - 0.01)

  # solutions train inside of a cache: what comes out of it predicts the same, and goes on training
  set.seed(1)
  c(net, history) %<-% from_cache({
    net <- keras_model_sequential() |>
      layer_flatten(input_shape = c(5, 3)) |>
      layer_dense(units = 32, activation = "relu") |>
      layer_dropout(rate = 0.4) |>
      layer_dense(units = 1)
    net |> compile(loss = "mse", optimizer = optimizer_rmsprop(), metrics = "mse")
    net
  }, net |> fit(
    cube[train, , ], lags[train, "volume"], batch_size = 64, epochs = 200,
    validation_data = list(cube[!train, , ], lags[!train, "volume"]), verbose = 0
  ))
  expect_drawn(plot(history, smooth = FALSE, metrics = "mse"))
  found <- predict(net, cube[!train, , ])
  expect_equal(mean((found - lags[!train, "volume"])^2), history$metrics$val_mse[200], tolerance = 1e-5)
  expect_message(net |> fit(cube[train, , ], lags[train, "volume"], epochs = 1), "Continuing after epoch 200")
  no_day <- r_squared(predict(lm(volume ~ ., data = lags[train, ]), lags[!train, ]))
  tell("NYSE, R2 of the test years", lm = no_day, network = r_squared(found), lm_day = linear_r2, network_day = r2)
  expect_gt(r_squared(found), no_day)
  expect_gt(r2, no_day + 0.02)
})

# ---- defaults -------------------------------------------------------------------------------------

# Exercise 7 of the book's chapter; 3.75 % of the test customers default.  The area under the ROC curve is 0.960 for
# glm(), 0.957 to 0.959 for the network with 50 epochs; of those who default glm() finds 30 %, the network 0 to
# 21 %, and with class weights 87 to 92 % (20 seeds).
test_that("Default: dropout beside glm; class weights find those who default", {
  skip_if_not_installed("ISLR2")
  customers <- ISLR2::Default
  x <- scale(model.matrix(default ~ . - 1, data = customers))
  y <- ifelse(customers$default == "Yes", 1, 0)
  set.seed(13)
  held <- sample(1:nrow(x), trunc(nrow(x) / 3))
  logistic <- glm(default ~ ., data = customers[-held, ], family = binomial)
  linear_p <- predict(logistic, customers[held, ], type = "response")
  sensitivity <- function(p) mean(p[y[held] == 1] > 0.5)
  # area under the ROC curve, by ranks
  area <- function(p) (mean(rank(p)[y[held] == 1]) - (sum(y[held]) + 1) / 2) / sum(y[held] == 0)

  run <- function(y, ...) {
    set.seed(1)
    net <- keras_model_sequential(input_shape = ncol(x)) |>
      layer_dense(units = 10, activation = "relu") |>
      layer_dropout(rate = 0.4) |>
      layer_dense(units = 1, activation = "sigmoid")
    compile(net, loss = "binary_crossentropy", optimizer = optimizer_rmsprop(), metrics = "accuracy")
    history <- fit(net, x[-held, ], y[-held], epochs = 50, batch_size = 32,
                   validation_data = list(x[held, ], y[held]), ...)
    list(net = net, history = history, p = predict(net, x[held, ]))
  }
  plain <- run(y)
  expect_drawn(plot(plain$history))
  wrong <- mean(ifelse(plain$p > 0.5, 1, 0) != y[held])
  scores <- evaluate(plain$net, x[held, ], y[held])
  expect_named(scores, c("loss", "accuracy"))
  expect_equal(scores$accuracy, 1 - wrong, tolerance = 1e-6)
  expect_equal(scores$loss, mean(-log(ifelse(y[held] == 1, plain$p, 1 - plain$p))), tolerance = 1e-4)
  weighted <- run(y, class_weight = list("0" = 1, "1" = 29))
  p <- list(glm = linear_p, network = plain$p, weighted = weighted$p)
  tell("Default, area under the ROC curve", vapply(p, area, 0))
  tell("Default, sensitivity", vapply(p, sensitivity, 0))
  expect_gt(area(plain$p), area(linear_p) - 0.01)
  expect_gt(sensitivity(weighted$p), sensitivity(linear_p) + 0.4)
  expect_gt(mean(weighted$p[y[held] == 0] < 0.5), 0.8)
  # the same by level of the factor
  by_level <- run(customers$default, class_weight = list(No = 1, Yes = 29))
  expect_identical(by_level$p, weighted$p)
})

# ---- house prices ---------------------------------------------------------------------------------

# The lab: 404 houses in 4 folds, batches of 1, 500 epochs.  Here 60 epochs; the mean absolute error over the folds,
# in thousands of dollars, is 2.36 to 2.84 beside 3.34 to 3.60 for lm(), on the test houses 2.14 to 2.91 beside 2.81
# to 3.84, and never less than 0.68 and 0.50 below it (20 seeds and splits).
test_that("Boston: four folds, their histories averaged, beside lm", {
  houses <- as.matrix(read.table(skip_without_data("tabular", "housing.data")))
  set.seed(113)
  houses <- houses[sample(nrow(houses)), ]
  train <- 1:404
  centre <- apply(houses[train, -14], 2, mean)
  spread <- apply(houses[train, -14], 2, sd)
  x <- scale(houses[train, -14], center = centre, scale = spread)
  x_test <- scale(houses[-train, -14], center = centre, scale = spread)
  y <- houses[train, 14]
  y_test <- houses[-train, 14]
  build <- function() {
    net <- keras_model_sequential() %>%
      layer_dense(units = 64, activation = "relu", input_shape = dim(x)[[2]]) %>%
      layer_dense(units = 64, activation = "relu") %>%
      layer_dense(units = 1)
    net %>% compile(optimizer = "rmsprop", loss = "mse", metrics = c("mae"))
  }

  set.seed(1)
  k <- 4
  folds <- cut(sample(1:nrow(x)), breaks = k, labels = FALSE)
  histories <- NULL
  scores <- c()
  linear <- c()
  for (i in 1:k) {
    held <- which(folds == i, arr.ind = TRUE)
    k_clear_session()
    net <- build()
    expect_silent(history <- net %>% fit(
      x[-held, ], y[-held], validation_data = list(x[held, ], y[held]), epochs = 60, batch_size = 1, verbose = 0
    ))
    c(mse, mae) %<-% (net %>% evaluate(x[held, ], y[held], verbose = 0))
    scores <- c(scores, mae)
    histories <- rbind(histories, history$metrics$val_mae)
    fold <- lm(y ~ ., data.frame(x, y), subset = -held)
    linear <- c(linear, mean(abs(predict(fold, data.frame(x[held, ])) - y[held])))
  }
  average <- data.frame(epoch = seq(1:ncol(histories)), mae = apply(histories, 2, mean))
  expect_identical(nrow(average), 60L)
  expect_equal(average$mae[60], mean(scores), tolerance = 1e-5)
  expect_gt(min(histories[, 1]), 1.2 * min(average$mae)) # each fold began anew
  expect_drawn(plot(average, type = "l"))

  net <- build()
  net %>% fit(x, y, epochs = 80, batch_size = 16, verbose = 0)
  result <- net %>% evaluate(x_test, y_test)
  expect_equal(result$mae, mean(abs(predict(net, x_test)[, 1] - y_test)), tolerance = 1e-5)
  linear_test <- mean(abs(predict(lm(y ~ ., data.frame(x, y)), data.frame(x_test)) - y_test))
  tell("Boston, mean absolute error", lm_folds = mean(linear), folds = mean(scores), lm_test = linear_test,
       test = result$mae)
  expect_lt(mean(scores), mean(linear) - 0.4)
  expect_lt(result$mae, linear_test - 0.2)
})

# ---- exercises of an introductory course ----------------------------------------------------------

# 30 epochs with Adamax at 0.001, as in the course: 85 to 94 % of all flowers right, with ten times that rate 98 to
# 99.3 % (20 seeds); linear discriminant analysis has 98 %.
test_that("iris: classes as indicator columns and a loss given as a function", {
  skip_if_not_installed("MASS")
  X = scale(iris[, 1:4])
  Y = to_categorical(as.integer(iris[, 5]) - 1L, 3)
  train <- function(rate) {
    set_random_seed(1L, disable_gpu = FALSE)
    net = keras_model_sequential()
    net %>%
      layer_dense(units = 20L, activation = "relu", input_shape = list(4L)) %>%
      layer_dense(units = 20L) %>%
      layer_dense(units = 20L) %>%
      layer_dense(units = 3L, activation = "softmax")
    net %>%
      compile(loss = loss_categorical_crossentropy, optimizer_adamax(learning_rate = rate))
    expect_output(summary(net), "Total params: 1,003", fixed = TRUE)
    history = net %>%
      fit(x = X, y = apply(Y, 2, as.integer), epochs = 30L, batch_size = 20L, shuffle = TRUE)
    expect_drawn(plot(history))
    p = predict(net, X)
    expect_equal(rowSums(p), rep(1, 150), tolerance = 1e-6)
    found = apply(p, 1, which.max)
    expect_identical(found, op_argmax(p, axis = -1))
    mean(found == as.integer(iris$Species))
  }
  slow <- train(0.001)
  fast <- train(0.01)
  linear <- mean(predict(MASS::lda(Species ~ ., iris))$class == iris$Species)
  tell("iris, share right", lda = linear, slow = slow, fast = fast)
  expect_gt(slow, 0.8)
  expect_gt(fast, linear - 0.03)
})

# 100 epochs with Adamax at 0.05, as in the course.  The mean absolute error on the 111 days trained on is 14.8 with
# lm(), 7.2 to 11.5 with the network's 981 weights (20 seeds).
test_that("airquality: days with gaps left out, beside lm", {
  measured = airquality[complete.cases(airquality), ]
  x = scale(measured[, 2:6])
  y = measured[, 1]
  set_random_seed(1L, disable_gpu = FALSE)
  net = keras_model_sequential()
  net %>%
    layer_dense(units = 20L, activation = "relu", input_shape = list(5L)) %>%
    layer_dense(units = 20L) %>%
    layer_dense(units = 20L) %>%
    layer_dense(units = 1L, activation = "linear")
  net %>%
    compile(loss = loss_mean_squared_error, optimizer_adamax(learning_rate = 0.05))

  # with the gaps it is refused, with the columns that have them, and nothing has changed
  before <- get_weights(net)
  gaps <- expect_error(net %>% fit(scale(airquality[, 2:6]), 1:153), class = "lamina_error_data")
  expect_identical(gaps$columns, "Solar.R")
  expect_identical(gaps$rows, 7L)
  expect_identical(get_weights(net), before)

  history = net %>%
    fit(x = x, y = as.numeric(y), epochs = 100L, batch_size = 20L, shuffle = TRUE)
  expect_drawn(plot(history))
  linear = lm(Ozone ~ ., data = measured)
  linear_error = mean(sqrt((y - predict(linear, measured))^2))
  error = mean(sqrt((y - predict(net, x))^2))
  tell("airquality, error on the days trained on", lm = linear_error, network = error)
  expect_lt(error, linear_error - 1.5)
})

# Passengers of the Titanic by class, sex and age: 76 to 82 % of 700 right, glm() 75 to 80 % and never more than 1.2
# points above the network, "no" for everyone 64 to 71 % (20 seeds and splits).
test_that("Titanic: factors through model.matrix(), early stopping, beside glm", {
  passengers <- as.data.frame(Titanic)
  passengers <- passengers[rep(seq_len(nrow(passengers)), passengers$Freq), 1:4]
  set.seed(1)
  passengers <- passengers[sample(nrow(passengers)), ]
  held <- 1:700
  x <- model.matrix(Survived ~ . - 1, passengers)
  y <- passengers$Survived
  logistic <- glm(Survived ~ ., binomial, passengers[-held, ])
  linear_right <- mean((predict(logistic, passengers[held, ]) > 0) == (y[held] == "Yes"))

  expect_error(keras_model_sequential(input_shape = 3) %>% layer_dense(2) %>% predict(passengers[, 1:3]),
               "column `Class` is of class factor", class = "lamina_error_data")
  net <- keras_model_sequential()
  net %>%
    layer_dense(units = 20L, activation = "relu", input_shape = ncol(x)) %>%
    layer_dropout(0.1) %>%
    layer_dense(units = 2L, activation = "softmax")
  net %>% compile(loss = "sparse_categorical_crossentropy", optimizer_adam(0.01), metrics = "accuracy")
  early <- callback_early_stopping(patience = 5L, restore_best_weights = TRUE)
  history <- net %>% fit(x[-held, ], y[-held], epochs = 100L, validation_split = 0.2, callbacks = c(early))
  expect_lt(length(history$metrics$loss), 100)
  expect_identical(which.min(history$metrics$val_loss), length(history$metrics$loss) - 5L)
  p <- predict(net, x[held, ])
  found <- factor(levels(y)[op_argmax(p, -1)], levels(y))
  right <- mean(found == y[held])
  expect_identical(table(found, y[held])[[2, 2]], sum((p[, 2] > 0.5) %>% k_cast("int32") & y[held] == "Yes"))
  tell("Titanic, share right", glm = linear_right, network = right)
  expect_gt(right, linear_right - 0.03)
  expect_gt(right, mean(y[held] == "No") + 0.04)
})

# ---- a document with a cache ----------------------------------------------------------------------

test_that("a chunk that knitr has cached brings back a model that is trained", {
  skip_if_not_installed("knitr")
  withr::local_dir(withr::local_tempdir())
  writeLines(c(
    "```{r, cache = TRUE}",
    "set.seed(1)",
    "net <- keras_model_sequential()",
    "net %>% layer_dense(units = 8L, activation = 'relu', input_shape = 4L)",
    "net %>% layer_dense(units = 3L, activation = 'softmax')",
    "net %>% compile(loss = 'sparse_categorical_crossentropy', optimizer_adam(0.05), metrics = 'accuracy')",
    "history <- net %>% fit(scale(iris[, 1:4]), iris$Species, epochs = 20)",
    "cat('trained\\n', file = 'log', append = TRUE)",
    "```",
    "```{r}",
    "p <- predict(net, scale(iris[, 1:4]))",
    "scores <- net %>% evaluate(scale(iris[, 1:4]), iris$Species)",
    "```"
  ), "lab.Rmd")
  knitted <- lapply(1:2, function(time) {
    env <- new.env(parent = environment())
    knitr::knit("lab.Rmd", envir = env, quiet = TRUE)
    env
  })
  expect_identical(readLines("log"), "trained")
  expect_gt(knitted[[1]]$scores$accuracy, 0.9)
  expect_identical(knitted[[2]]$p, knitted[[1]]$p)
  expect_identical(knitted[[2]]$scores, knitted[[1]]$scores)
  expect_identical(knitted[[2]]$history, knitted[[1]]$history)
})
