# The networks that are timed, and how each R package trains them.  A trainer is a function of a
# workload and its name that returns function() <one epoch>; NULL: the package cannot train this network.

workloads <- list(
  W1 = list(n = 1890, d = 1, hidden = c(16, 32), outputs = 2, batch = 10, optimizer = "adam", rate = 1e-4, dropout = 0),
  W2 = list(n = 20000, d = 100, hidden = c(64, 32), outputs = 1, batch = 32, optimizer = "adam", rate = 1e-3, dropout = 0),
  W3 = list(n = 60000, d = 784, hidden = c(512, 512), outputs = 10, batch = 128, optimizer = "rmsprop", rate = 1e-3, dropout = 0.2),
  W4 = list(n = 12000, d = c(28, 28, 1), outputs = 10, batch = 128, optimizer = "adam", rate = 1e-3, part = 2560),
  W5 = list(n = 5000, d = c(32, 32, 3), outputs = 10, batch = 64, optimizer = "adam", rate = 1e-3, part = 1280),
  W6 = list(n = 2500, d = 80, tokens = 10000, outputs = 1, batch = 32, optimizer = "adam", rate = 1e-3),
  W6g = list(n = 2500, d = 80, tokens = 10000, outputs = 1, batch = 32, optimizer = "adam", rate = 1e-3),
  W7 = list(n = 60000, d = 784, hidden = c(128, 64, 32, 64, 128), outputs = 784, batch = 256, optimizer = "adam", rate = 1e-3, dropout = 0)
)

# The layers between input and output, of lamina.
hidden_layers <- list(
  W4 = function(model) {
    model |>
      lamina::layer_conv_2d(32, c(3, 3), activation = "relu") |>
      lamina::layer_conv_2d(64, c(3, 3), activation = "relu") |>
      lamina::layer_max_pooling_2d(c(2, 2)) |>
      lamina::layer_dropout(0.25) |>
      lamina::layer_flatten() |>
      lamina::layer_dense(128, activation = "relu") |>
      lamina::layer_dropout(0.5)
  },
  W5 = function(model) {
    for (filters in c(32, 64, 128)) {
      for (k in 1:2) {
        lamina::layer_conv_2d(model, filters, c(3, 3), padding = "same", use_bias = FALSE)
        lamina::layer_batch_normalization(model)
        lamina::layer_activation(model, "relu")
      }
      lamina::layer_max_pooling_2d(model, c(2, 2))
    }
    model |> lamina::layer_flatten() |> lamina::layer_dense(128, activation = "relu")
  },
  W6 = function(model) model |> lamina::layer_embedding(10000, 128) |> lamina::layer_lstm(128),
  W6g = function(model) model |> lamina::layer_embedding(10000, 128) |> lamina::layer_gru(128)
)

lamina_model <- function(w, name) {
  model <- lamina::keras_model_sequential(input_shape = w$d)
  if (!is.null(hidden_layers[[name]])) {
    hidden_layers[[name]](model)
  }
  for (units in w$hidden) {
    lamina::layer_dense(model, units, activation = "relu")
    if (w$dropout > 0) lamina::layer_dropout(model, w$dropout)
  }
  autoencoder <- w$outputs == prod(w$d)
  lamina::layer_dense(model, w$outputs, activation = if (w$outputs == 1 || autoencoder) "sigmoid" else "softmax")
  optimizer <- if (w$optimizer == "adam") lamina::optimizer_adam(w$rate) else lamina::optimizer_rmsprop(w$rate)
  loss <- if (autoencoder) "mse" else if (w$outputs == 1) "binary_crossentropy" else "sparse_categorical_crossentropy"
  lamina::compile(model, optimizer, loss)
}

simulate <- function(w, n = w$n) {
  set.seed(1)
  x <- array(runif(n * prod(w$d)), c(n, w$d))
  if (!is.null(w$tokens)) x <- floor(x * w$tokens)
  list(x = x, y = if (w$outputs == prod(w$d)) x else sample.int(max(w$outputs, 2), n, replace = TRUE) - 1L)
}

one_hot <- function(w, y) if (w$outputs == 1) matrix(as.double(y)) else outer(y, seq_len(w$outputs) - 1L, "==") * 1

trainers <- list( # part: as many of the samples are timed
  lamina = function(w, name) {
    n <- if (w$predicts) 2560 else min(w$n, w$part)
    data <- simulate(w, n)
    model <- lamina_model(w, name)
    epochs <- if (is.null(w$hidden)) 1 else if (w$n < 5000) 30 else 5
    train <- function() suppressMessages(lamina::fit(model, data$x, data$y, batch_size = w$batch, epochs = epochs, verbose = 0))
    predict_all <- function() stats::predict(model, data$x, batch_size = 256)
    if (w$predicts) list(samples = n, run = predict_all) else list(samples = n * epochs, run = train)
  },
  nnet = function(w, name) { # one hidden layer, whole batch, BFGS: the nearest it has
    if (w$d * w$hidden[1] > 1e4) return(NULL)
    n <- min(w$n, 2000)
    data <- simulate(w, n)
    y <- one_hot(w, data$y)
    list(samples = n * 30, run = function() nnet::nnet(
      data$x, y, size = w$hidden[1], maxit = 30, trace = FALSE, softmax = w$outputs > 1, entropy = w$outputs == 1, MaxNWts = 1e5
    ))
  },
  ANN2 = function(w, name) {
    n <- min(w$n, if (w$d > 500) 1280 else 10000)
    data <- simulate(w, n)
    list(samples = n * 2, run = function() utils::capture.output(ANN2::neuralnetwork(
      data$x, data$y, hidden.layers = w$hidden, optim.type = w$optimizer, learn.rates = w$rate, n.epochs = 2,
      batch.size = w$batch, val.prop = 0, activ.functions = "relu", standardize = FALSE, verbose = FALSE
    )))
  },
  RSNNS = function(w, name) { # one row at a time
    if (w$d > 500) return(NULL)
    data <- simulate(w, min(w$n, 2000))
    y <- one_hot(w, data$y)
    list(samples = nrow(y) * 20, run = function() RSNNS::mlp(data$x, y, size = w$hidden, maxit = 20, learnFuncParams = 0.01))
  },
  deepnet = function(w, name) {
    data <- simulate(w, min(w$n, if (w$d > 500) 1280 else 2000))
    y <- one_hot(w, data$y)
    list(samples = nrow(y) * 3, run = function() utils::capture.output(deepnet::nn.train(
      data$x, y, hidden = w$hidden, batchsize = w$batch, numepochs = 3, output = "sigm"
    )))
  }
)
