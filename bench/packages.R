# How R packages train the networks of bench/workloads.R, and what all packages are set to.
#
# trainers[[package]](w, data) returns list(train = function() <w$epochs epochs>, predict = function(x) <outputs>),
# or NULL where the package has no such network.

add_layer <- function(model, layer) {
  relu <- layer$kind == "conv_norm"
  switch(layer$kind,
    dense = lamina::layer_dense(model, layer$units, activation = layer$activation),
    dropout = lamina::layer_dropout(model, layer$rate),
    conv = lamina::layer_conv_2d(model, layer$units, c(3, 3), padding = layer$padding, activation = layer$activation),
    conv_norm = {
      lamina::layer_conv_2d(model, layer$units, c(3, 3), padding = "same", use_bias = FALSE)
      # a short memory, so that a few steps are enough to predict with
      lamina::layer_batch_normalization(model, momentum = 0.5)
      lamina::layer_activation(model, "relu")
    },
    pool = lamina::layer_max_pooling_2d(model, c(2, 2)),
    flatten = lamina::layer_flatten(model),
    embedding = lamina::layer_embedding(model, layer$tokens, layer$units),
    lstm = lamina::layer_lstm(model, layer$units),
    gru = lamina::layer_gru(model, layer$units)
  )
}

lamina_model <- function(w) {
  lamina::set_random_seed(1)
  model <- lamina::keras_model_sequential(input_shape = w$shape)
  for (layer in w$layers) add_layer(model, layer)
  optimizer <- switch(w$optimizer, adam = lamina::optimizer_adam, rmsprop = lamina::optimizer_rmsprop, sgd = lamina::optimizer_sgd)
  loss <- c(classes = "sparse_categorical_crossentropy", two = "binary_crossentropy", mse = "mse")[[w$loss]]
  lamina::compile(model, optimizer(w$rate), loss)
}

# A column for each class; for two classes and one output, or numbers, as they are.
targets <- function(w, y) {
  if (w$loss == "classes") outer(y, seq_len(w$outputs) - 1L, "==") * 1 else matrix(as.double(y), NROW(y))
}

# The usual pair of functions around a package that returns a trained model.
refitted <- function(fit, predict) {
  model <- NULL
  list(train = function() utils::capture.output(model <<- suppressWarnings(fit())), predict = function(x) predict(model, x))
}

trainers <- list(
  lamina = function(w, data) {
    model <- lamina_model(w)
    list(
      train = function() suppressMessages(lamina::fit(model, data$x, data$y, batch_size = w$batch, epochs = w$epochs, verbose = 0)),
      predict = function(x) stats::predict(model, x, batch_size = 256)
    )
  },
  nnet = function(w, data) {
    units <- hidden_units(w)[1]
    if (w$loss == "mse" || w$shape * units > 1e4) return(NULL)
    y <- targets(w, data$y)
    refitted(function() nnet::nnet(data$x, y, size = units, maxit = w$epochs, trace = FALSE, softmax = w$loss == "classes",
                                   entropy = w$loss == "two", MaxNWts = 1e5),
             function(model, x) stats::predict(model, x))
  },
  RSNNS = function(w, data) {
    if (w$shape > 500) return(NULL)
    y <- targets(w, data$y)
    refitted(function() RSNNS::mlp(data$x, y, size = hidden_units(w), maxit = w$epochs, learnFuncParams = 0.01),
             function(model, x) stats::predict(model, x))
  },
  neuralnet = function(w, data) {
    if (w$shape > 500) return(NULL)
    y <- targets(w, data$y)
    table <- data.frame(y = y, x = data$x)
    formula <- stats::reformulate(grep("^x", names(table), value = TRUE), str2lang(paste(grep("^y", names(table), value = TRUE), collapse = "+")))
    # it gives back no weights unless the gradient is below a threshold: for prediction any will do
    threshold <- if (w$predicts) 1e6 else 1e-9
    refitted(function() neuralnet::neuralnet(formula, table, hidden = hidden_units(w), linear.output = FALSE, stepmax = w$epochs,
                                             threshold = threshold),
             function(model, x) stats::predict(model, x))
  },
  ANN2 = function(w, data) {
    refitted(function() ANN2::neuralnetwork(
      data$x, data$y, hidden.layers = hidden_units(w), optim.type = w$optimizer, learn.rates = w$rate, n.epochs = w$epochs,
      regression = w$loss == "mse", loss.type = if (w$loss == "mse") "squared" else "log", sgd.momentum = 0,
      batch.size = w$batch, drop.last = FALSE, val.prop = 0, activ.functions = "relu", standardize = FALSE, verbose = FALSE
    ), function(model, x) {
      out <- stats::predict(model, x)
      if (w$loss == "mse") out$predictions else out$probabilities
    })
  },
  deepnet = function(w, data) {
    y <- targets(w, data$y)
    refitted(function() deepnet::nn.train(data$x, y, hidden = hidden_units(w), batchsize = w$batch, numepochs = w$epochs,
                                          output = if (w$loss == "classes") "softmax" else "sigm"),
             function(model, x) deepnet::nn.predict(model, x))
  }
)

python_packages <- c("torch", "torch-loader", "torch-last", "torchscript", "sklearn")

# What each package is set to; "apart" says why its training is other work, which gets no ratio.
settings <- data.frame(rbind(
  c("lamina", "fit() on R's doubles: the time holds their conversion and the shuffling; options(lamina.threads); no variable set", ""),
  c("torch", "PyTorch eager on float32 tensors that are there; torch.set_num_threads(); a batch is data[order[i:j]], the order shuffled each epoch", ""),
  c("torch-loader", "the same with DataLoader(batch_size, shuffle=True, num_workers=0)", ""),
  c("torch-last", "torch with network and data in channels_last", ""),
  c("torch-openmp", "torch on OpenBLAS's OpenMP build, one pool of threads for all (LAMINA_BENCH_OPENMP)", ""),
  c("torch-last-openmp", "torch-last on the same build", ""),
  c("torchscript", "prediction by torch.jit.freeze(torch.jit.script()) from Python", ""),
  c("torchscript-openmp", "the same on OpenBLAS's OpenMP build", ""),
  c("sklearn", "MLPClassifier or MLPRegressor on float32, warm_start; no dropout; Adam where the workload says RMSprop; linear output in W7", ""),
  c("ANN2", "neuralnetwork(): relu, the workload's optimizer and batches; double precision; no dropout; linear output in W7", ""),
  c("deepnet", "nn.train(): mini-batches, double precision", "sigmoid units, plain gradients, no Adam"),
  c("RSNNS", "mlp(), Std_Backpropagation; one thread", "sigmoid units, squared error, one row at a time"),
  c("nnet", "nnet(); one thread", "only the first hidden layer, sigmoid units; BFGS on all rows: an epoch is an iteration"),
  c("neuralnet", "neuralnet(), rprop+", "sigmoid units, squared error, all rows at once: an epoch is an iteration; gives no weights back so early")
))
names(settings) <- c("package", "settings", "apart")
one_thread <- c("RSNNS", "nnet")
