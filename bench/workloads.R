# The networks that are timed: layers, data, and how many operations a sample takes.
#
# A network is a list of layers that R packages and bench/peers.py build from, so that its shape stands once.
# rows and epochs: of one timed run, in the long and in the short form.  A run has few rows where a
# step is long; what the whole data of a course would take follows from samples per second.
# predicts: prediction by another workload's network, `batch` rows a call.

dense <- function(units, activation) list(kind = "dense", units = units, activation = activation)
conv <- function(filters, padding = "valid", activation = "relu") {
  list(kind = "conv", units = filters, padding = padding, activation = activation) # 3 x 3, and a bias
}
conv_norm <- function(filters) list(kind = "conv_norm", units = filters) # 3 x 3 same, batch normalization, relu
dropout <- function(rate) list(kind = "dropout", rate = rate)
pool <- list(kind = "pool") # the largest of 2 x 2
flat <- list(kind = "flatten")
embedding <- function(tokens, units) list(kind = "embedding", tokens = tokens, units = units)
recurrent <- function(kind, units) list(kind = kind, units = units)

workload <- function(shape, layers, batch, optimizer, rate, rows, epochs = c(1, 1)) {
  last <- layers[[length(layers)]]
  loss <- if (last$activation == "softmax") "classes" else if (last$units == 1) "two" else "mse"
  list(shape = shape, layers = layers, batch = batch, optimizer = optimizer, rate = rate, loss = loss, outputs = last$units,
       rows = stats::setNames(rows, c("long", "short")), epochs = stats::setNames(epochs, c("long", "short")), predicts = FALSE)
}

text <- function(cell) {
  workload(80, list(embedding(10000, 128), recurrent(cell, 128), dense(1, "sigmoid")), 32, "adam", 1e-3, c(2496, 480))
}

workloads <- list(
  W1 = workload(1, list(dense(16, "relu"), dense(32, "relu"), dense(2, "softmax")), 10, "adam", 1e-4, c(1890, 1890), c(30, 5)),
  W2 = workload(100, list(dense(64, "relu"), dense(32, "relu"), dense(1, "sigmoid")), 32, "adam", 1e-3, c(10000, 5000), c(5, 2)),
  W3 = workload(784, list(dense(512, "relu"), dropout(0.2), dense(512, "relu"), dropout(0.2), dense(10, "softmax")),
                128, "rmsprop", 1e-3, c(12800, 2560), c(2, 1)),
  W4 = workload(c(28, 28, 1), list(conv(32), conv(64), pool, dropout(0.25), flat, dense(128, "relu"), dropout(0.5), dense(10, "softmax")),
                128, "adam", 1e-3, c(2560, 768)),
  W5 = workload(c(32, 32, 3), list(conv_norm(32), conv_norm(32), pool, conv_norm(64), conv_norm(64), pool, conv_norm(128), conv_norm(128),
                                   pool, flat, dense(128, "relu"), dense(10, "softmax")),
                64, "adam", 1e-3, c(1280, 448)),
  W6 = text("lstm"),
  W6g = text("gru"),
  W7 = workload(784, c(lapply(c(128, 64, 32, 64, 128), dense, "relu"), list(dense(784, "sigmoid"))), 256, "adam", 1e-3, c(12800, 5120)),
  W8 = workload(2048, list(dense(4096, "relu"), dense(4096, "relu"), dense(1000, "softmax")), 256, "sgd", 0.1, c(2560, 768))
)
prediction <- function(of, batch, rows) {
  w <- workloads[[of]]
  w$predicts <- TRUE
  w$batch <- batch
  w$rows[] <- rows
  w$epochs[] <- 1
  w
}
workloads <- c(workloads, list(
  "W9-1" = prediction("W1", 1, 500), "W9-10" = prediction("W1", 10, 5000),
  "W9-W3" = prediction("W3", 256, 2560), "W9-W4" = prediction("W4", 256, 1280)
))

hidden_units <- function(w) {
  kinds <- vapply(w$layers, `[[`, "", "kind")
  if (!all(kinds %in% c("dense", "dropout"))) return(NULL)
  units <- vapply(w$layers[kinds == "dense"], `[[`, 0, "units")
  units[-length(units)]
}

# The multiply-adds of a layer on one sample of this shape, and the shape that it gives.
work <- function(layer, shape) {
  windows <- function(shape, cut) list(adds = prod(shape[1:2] - cut) * 9 * shape[3] * layer$units, shape = c(shape[1:2] - cut, layer$units))
  gates <- function(n) list(adds = shape[1] * n * layer$units * (shape[2] + layer$units), shape = layer$units)
  switch(layer$kind,
    dense = list(adds = shape * layer$units, shape = layer$units),
    conv = windows(shape, if (layer$padding == "valid") 2 else 0),
    conv_norm = windows(shape, 0),
    lstm = gates(4),
    gru = gates(3),
    embedding = list(adds = 0, shape = c(shape, layer$units)),
    pool = list(adds = 0, shape = c(shape[1:2] / 2, shape[3])),
    flatten = list(adds = 0, shape = prod(shape)),
    list(adds = 0, shape = shape)
  )
}

# Floating point operations per sample.  A multiply-add is two; training has three products for each product
# (forward, gradient of the input, of the weights), the first layer no gradient of its input.  Convolutions count as
# written down: a faster algorithm can so go beyond the processor's peak.
flops <- function(w) {
  shape <- w$shape
  adds <- numeric()
  for (layer in w$layers) {
    done <- work(layer, shape)
    adds <- c(adds, done$adds)
    shape <- done$shape
  }
  if (w$predicts) 2 * sum(adds) else 6 * sum(adds) - 2 * adds[1]
}

# Data that can be learned: each class has a middle, and rows are a share of it and a share of noise.  An
# autoencoder has 10 such classes to find; tokens of a text are drawn from one half of the vocabulary more often.
simulate <- function(w, n) {
  set.seed(1)
  classes <- if (w$loss == "mse") 10 else max(w$outputs, 2)
  y <- sample.int(classes, n, replace = TRUE)
  d <- prod(w$shape)
  noise <- matrix(stats::runif(n * d), n)
  middles <- if (d == 1) matrix((seq_len(classes) - 0.5) / classes) else matrix(stats::runif(classes * d), classes)
  x <- if (w$layers[[1]]$kind == "embedding") {
    floor((noise + (y == 2) * (matrix(stats::runif(n * d), n) < 0.2) * (1 - noise) / 2) * 10000)
  } else if (d == 100) {
    mixed_columns(0.75 * noise + 0.25 * middles[y, ])
  } else {
    share <- if (d == 1) 0.25 else 0.6 # where there are few steps, few must be enough
    (1 - share) * noise + share * middles[y, , drop = FALSE]
  }
  list(x = array(x, c(n, w$shape)), y = if (w$loss == "mse") x else y - 1L)
}

# Six numbers; the other columns are the levels of ten factors, ones and zeros.
mixed_columns <- function(x) {
  factors <- split(7:100, (0:93) %/% 10)
  for (columns in factors) x[, columns] <- diag(length(columns))[ceiling(x[, columns[1]] * length(columns)), ]
  x
}

# For R and Python the same: network, data.  Python's numbers are single precision, a sample's beside each other.
write_workload <- function(w, name, form, folder) {
  w$rows <- w$rows[[form]]
  w$epochs <- w$epochs[[form]]
  data <- simulate(w, w$rows)
  saveRDS(list(workload = w, data = data), file.path(folder, paste0(name, ".rds")), compress = FALSE)
  layers <- vapply(w$layers, function(layer) paste(c("layer", unlist(layer)), collapse = " "), "")
  head <- sprintf("%s %s", c("rows", "epochs", "batch", "rate", "optimizer", "loss", "outputs", "predicts"),
                  c(w$rows, w$epochs, w$batch, w$rate, w$optimizer, w$loss, w$outputs, as.integer(w$predicts)))
  writeLines(c(head, paste(c("shape", w$shape), collapse = " "), layers), file.path(folder, paste0(name, ".txt")))
  by_sample <- aperm(data$x, rev(seq_along(dim(data$x))))
  writeBin(as.vector(by_sample), file.path(folder, paste0(name, ".x")), size = 4)
  if (w$loss != "mse") writeBin(data$y, file.path(folder, paste0(name, ".y")), size = 4)
}

# How well a network learned: crossentropy and share of right classes, or the mean squared error.  Outputs
# that are no probabilities are made such.  `chance` is what a network that looks at nothing reaches.
score <- function(w, output, y) {
  output <- matrix(as.double(unlist(output)), NROW(output))
  if (w$loss == "mse") return(c(loss = mean((output - y)^2), accuracy = NA, chance = mean((y - mean(y))^2)))
  if (w$loss == "two" && ncol(output) == 1) output <- cbind(1 - output, output)
  p <- pmin(pmax(output, 1e-7), 1)
  p <- p / rowSums(p)
  right <- max.col(p, "first") == y + 1
  c(loss = -mean(log(p[cbind(seq_along(y), y + 1)])), accuracy = mean(right), chance = log(ncol(p)))
}
