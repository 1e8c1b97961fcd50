# The networks that are timed, and how each R package trains them.  A trainer is a function of a
# workload that returns function() <one epoch>; NULL: the package cannot train this network.

workloads <- list(
  W1 = list(n = 1890, d = 1, hidden = c(16, 32), outputs = 2, batch = 10, optimizer = "adam", rate = 1e-4, dropout = 0),
  W2 = list(n = 20000, d = 100, hidden = c(64, 32), outputs = 1, batch = 32, optimizer = "adam", rate = 1e-3, dropout = 0),
  W3 = list(n = 60000, d = 784, hidden = c(512, 512), outputs = 10, batch = 128, optimizer = "rmsprop", rate = 1e-3, dropout = 0.2)
)

simulate <- function(w, n = w$n) {
  set.seed(1)
  list(x = matrix(runif(n * w$d), n), y = sample.int(max(w$outputs, 2), n, replace = TRUE) - 1L)
}

one_hot <- function(w, y) if (w$outputs == 1) matrix(as.double(y)) else outer(y, seq_len(w$outputs) - 1L, "==") * 1

trainers <- list(
  lamina = function(w) {
    n <- min(w$n, 12800)
    data <- simulate(w, n)
    model <- lamina::keras_model_sequential(input_shape = w$d)
    for (units in w$hidden) {
      lamina::layer_dense(model, units, activation = "relu")
      if (w$dropout > 0) lamina::layer_dropout(model, w$dropout)
    }
    lamina::layer_dense(model, w$outputs, activation = if (w$outputs == 1) "sigmoid" else "softmax")
    optimizer <- if (w$optimizer == "adam") lamina::optimizer_adam(w$rate) else lamina::optimizer_rmsprop(w$rate)
    lamina::compile(model, optimizer, if (w$outputs == 1) "binary_crossentropy" else "sparse_categorical_crossentropy")
    epochs <- if (w$n < 5000) 30 else 2
    list(samples = n * epochs, run = function() suppressMessages(
      lamina::fit(model, data$x, data$y, batch_size = w$batch, epochs = epochs, verbose = 0)
    ))
  },
  nnet = function(w) { # one hidden layer, whole batch, BFGS: the nearest it has
    if (w$d * w$hidden[1] > 1e4) return(NULL)
    n <- min(w$n, 2000)
    data <- simulate(w, n)
    y <- one_hot(w, data$y)
    list(samples = n * 30, run = function() nnet::nnet(
      data$x, y, size = w$hidden[1], maxit = 30, trace = FALSE, softmax = w$outputs > 1, entropy = w$outputs == 1, MaxNWts = 1e5
    ))
  },
  ANN2 = function(w) {
    n <- min(w$n, if (w$d > 500) 1280 else 10000)
    data <- simulate(w, n)
    list(samples = n * 2, run = function() utils::capture.output(ANN2::neuralnetwork(
      data$x, data$y, hidden.layers = w$hidden, optim.type = w$optimizer, learn.rates = w$rate, n.epochs = 2,
      batch.size = w$batch, val.prop = 0, activ.functions = "relu", standardize = FALSE, verbose = FALSE
    )))
  },
  RSNNS = function(w) { # one row at a time
    if (w$d > 500) return(NULL)
    data <- simulate(w, min(w$n, 2000))
    y <- one_hot(w, data$y)
    list(samples = nrow(y) * 20, run = function() RSNNS::mlp(data$x, y, size = w$hidden, maxit = 20, learnFuncParams = 0.01))
  },
  deepnet = function(w) {
    data <- simulate(w, min(w$n, if (w$d > 500) 1280 else 2000))
    y <- one_hot(w, data$y)
    list(samples = nrow(y) * 3, run = function() utils::capture.output(deepnet::nn.train(
      data$x, y, hidden = w$hidden, batchsize = w$batch, numepochs = 3, output = "sigm"
    )))
  }
)
