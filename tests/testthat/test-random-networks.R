# Properties that hold for every network, tried on random ones through the functions that users call.
# A failure names the network: random_network(<seed>).

each_network <- function(property) {
  for (seed in seq_len(stress_trials(1000))) {
    net <- random_network(seed)
    property(net, sprintf("random_network(%d)", seed))
  }
}

trained <- function(net, ..., epochs = 2) {
  set.seed(net$seed)
  suppressWarnings(fit(net$model, net$x, net$y, batch_size = net$batch, epochs = epochs, verbose = 0, ...), "lamina_warning")
}

test_that("batches and the order of rows do not change a prediction", {
  each_network(function(net, name) {
    n <- nrow(net$x)
    all <- predict(net$model, net$x, batch_size = n)
    expect_identical(predict(net$model, net$x, batch_size = 1), all, info = name)
    expect_identical(predict(net$model, net$x, batch_size = net$batch), all, info = name)
    order <- sample(n)
    expect_identical(predict(net$model, rows_of(net$x, order)), rows_of(all, order), info = name)
  })
})

test_that("saved, loaded and cloned networks predict and train as the one they come from", {
  file <- withr::local_tempfile(fileext = ".rds")
  each_network(function(net, name) {
    trained(net, sample_weight = net$w, epochs = 1)
    want <- predict(net$model, net$x)
    saveRDS(net$model, file)
    read <- readRDS(file)
    save_model(net$model, file, overwrite = TRUE)
    loaded <- load_model(file)
    clone <- clone_model(net$model)
    set_weights(clone, get_weights(net$model))
    for (other in list(read, loaded, clone)) expect_identical(predict(other, net$x), want, info = name)
    further <- lapply(list(net$model, read, loaded), function(model) {
      net$model <- model
      history <- suppressMessages(trained(net, sample_weight = net$w, initial_epoch = 2, epochs = 3))
      list(history$metrics, get_weights(model))
    })
    expect_identical(further[[2]], further[[1]], info = name)
    expect_identical(further[[3]], further[[1]], info = name)
  })
})

test_that("evaluate() gives the loss of what predict() gives", {
  each_network(function(net, name) {
    rows <- random_row_loss[[net$loss]](net$y, predict(net$model, net$x))
    penalty <- evaluate(net$model, net$x, net$y, sample_weight = 0 * rows)$loss
    w <- if (is.null(net$w)) rep(1, length(rows)) else net$w
    expect_equal(evaluate(net$model, net$x, net$y, sample_weight = net$w, batch_size = net$batch)$loss, mean(w * rows) + penalty,
                 tolerance = 2e-5, info = name)
  })
})

test_that("one thread and two train to the same bits", {
  threads <- lamina_threads()
  withr::defer(options(lamina.threads = threads))
  each_network(function(net, name) {
    runs <- lapply(1:2, function(threads) {
      lamina_threads(threads)
      net <- random_network(net$seed)
      history <- trained(net, sample_weight = net$w, validation_split = if (nrow(net$x) > 10) 0.2 else 0)
      list(history$metrics, get_weights(net$model), predict(net$model, net$x), evaluate(net$model, net$x, net$y))
    })
    expect_identical(runs[[2]], runs[[1]], info = name)
  })
})

test_that("a class's weight is that of its samples", {
  each_network(function(net, name) {
    if (net$loss != "sparse_categorical_crossentropy") return()
    weights <- stats::setNames(as.list(stats::runif(max(net$y) + 1, 0.2, 3)), seq_len(max(net$y) + 1) - 1)
    each <- unlist(weights)[net$y + 1]
    by_class <- trained(net, class_weight = weights)
    other <- random_network(net$seed)
    by_sample <- trained(other, sample_weight = unname(each))
    expect_identical(by_class$metrics, by_sample$metrics, info = name)
    expect_identical(get_weights(net$model), get_weights(other$model), info = name)
  })
})

test_that("a row twice is a row with weight two, and one of weight 0 is none", {
  each_network(function(net, name) {
    n <- nrow(net$x)
    twice <- rep(seq_len(n), each = 2)
    one <- compute_gradients(net$model, net$x, net$y, sample_weight = net$w)
    two <- compute_gradients(net$model, rows_of(net$x, twice), rows_of(net$y, twice), sample_weight = net$w[twice])
    top <- max(abs(unlist(one$weights)), 1e-4)
    expect_lt(max(abs(unlist(one$weights) - unlist(two$weights))), 1e-4 * top, label = name)
    none <- rep(c(1, 0), each = n)
    padded <- compute_gradients(net$model, rows_of(net$x, c(1:n, n:1)), rows_of(net$y, c(1:n, n:1)),
                                sample_weight = 2 * none * rep(if (is.null(net$w)) rep(1, n) else net$w, 2))
    expect_lt(max(abs(unlist(one$weights) - unlist(padded$weights))), 1e-4 * top, label = name)
  })
})
