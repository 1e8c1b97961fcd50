# Many models at once for a given time.  Each turn trains one of fifty living models, of all kinds, for an epoch
# and measures it; now and then one is saved and loaded, copied, or replaced by a new one.  After each round a
# piece of work that is always the same is timed, and the process' memory read.

soak_models <- list(
  dense = list(shape = 12, build = function(m) m |> layer_dense(16, activation = "relu") |> layer_dropout(0.2)),
  wide = list(shape = 12, build = function(m) { # 17 million weights: with Adam's numbers 200 MB, beyond any cache
    m |> layer_dense(4096, activation = "relu") |> layer_dense(4096, activation = "relu")
  }),
  picture = list(shape = c(10, 10, 2), build = function(m) {
    m |> layer_conv_2d(4, 3, activation = "relu") |> layer_batch_normalization() |> layer_max_pooling_2d() |> layer_flatten()
  }),
  words = list(shape = 9, tokens = TRUE, build = function(m) {
    m |> layer_embedding(20, 6, mask_zero = TRUE) |> layer_bidirectional(layer_lstm(units = 5))
  }),
  series = list(shape = c(8, 3), build = function(m) m |> layer_gru(6, dropout = 0.1) |> layer_layer_normalization()),
  attention = list(shape = c(6, 4), build = function(m) {
    m |> layer_multi_head_attention(2, 3) |> layer_global_average_pooling_1d()
  })
)

soak_model <- function(kind) {
  model <- soak_models[[kind]]$build(keras_model_sequential(input_shape = soak_models[[kind]]$shape))
  model <- layer_dense(model, 3, activation = "softmax")
  model |> compile(optimizer_adam(0.002, clipnorm = 1), "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}

soak_data <- function(kind, n) {
  d <- c(n, soak_models[[kind]]$shape)
  numbers <- if (isTRUE(soak_models[[kind]]$tokens)) sample(0:19, prod(d), TRUE) else stats::rnorm(prod(d))
  list(x = array(numbers, d), y = sample(0:2, n, TRUE))
}

# One row for each round: MB of the process and of R, blocks of the engine, and seconds that the same piece of work took.
soak <- function(seconds, living = 50, wide = 2) {
  until <- proc.time()[["elapsed"]] + seconds
  set.seed(1)
  kinds <- c(rep("wide", wide), rep_len(setdiff(names(soak_models), "wide"), living - wide))
  models <- lapply(kinds, soak_model)
  same <- soak_model("dense")
  same_data <- soak_data("dense", 1e4)
  path <- tempfile()
  turn <- function(i, round) {
    kind <- kinds[i]
    data <- soak_data(kind, if (kind == "wide") 16 else if (round == 0) 64 else sample(c(1, 7, 64), 1))
    suppressMessages(fit(models[[i]], data$x, data$y, batch_size = 32, verbose = 0))
    p <- predict(models[[i]], data$x, verbose = 0)
    stopifnot(all(is.finite(p)), abs(rowSums(p) - 1) < 1e-4)
    if (kind == "wide") {
      return()
    }
    if ((i + round) %% 10 == 0) {
      save_model(models[[i]], path, overwrite = TRUE)
      models[[i]] <<- load_model(path)
      stopifnot(identical(predict(models[[i]], data$x, verbose = 0), p))
    } else if ((i + round) %% 10 == 3) {
      models[[i]] <<- soak_model(kind)
    } else if ((i + round) %% 10 == 6) {
      predict(clone_model(models[[i]]), data$x, verbose = 0)
    }
  }
  rounds <- list()
  while (proc.time()[["elapsed"]] < until || length(rounds) < 8) {
    for (i in seq_along(models)) turn(i, length(rounds))
    times <- vapply(1:3, function(k) { # the processor's, which others' work slows least
      sum(system.time(suppressMessages(fit(same, same_data$x, same_data$y, epochs = 10, verbose = 0)), gcFirst = FALSE)[1:2])
    }, 0)
    used <- gc()
    rounds[[length(rounds) + 1L]] <- c(memory = process_memory(), r = sum(used[, 2L]), blocks = .Call(ffi_memory, NULL)[2L],
                                       seconds = min(times))
  }
  as.data.frame(do.call(rbind, rounds))
}
