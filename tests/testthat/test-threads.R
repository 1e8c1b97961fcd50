# The networks that are timed train and predict to the same bits on one thread and on two: real shapes, few steps.

test_that("the benchmark's networks give the same bits on one thread and on two", {
  bench <- testthat::test_path("..", "..", "bench") # is no part of the package
  skip_if_not(file.exists(file.path(bench, "workloads.R")), "bench/ is not beside the tests")
  there <- new.env()
  for (file in c("workloads.R", "packages.R")) sys.source(file.path(bench, file), there)
  threads <- lamina_threads()
  withr::defer(options(lamina.threads = threads))
  # batches of training; the last one is smaller by a row
  steps <- c(W1 = 20, W2 = 10, W3 = 3, W4 = 2, W5 = 2, W6 = 2, W6g = 2, W7 = 3, W8 = 1, "W9-1" = 20, "W9-10" = 5, "W9-W3" = 2, "W9-W4" = 2)
  expect_setequal(names(steps), names(there$workloads))
  for (name in names(steps)) {
    w <- there$workloads[[name]]
    rows <- max(w$batch * steps[[name]] - 1, 2)
    data <- there$simulate(w, rows)
    runs <- lapply(1:2, function(threads) {
      lamina_threads(threads)
      set.seed(1)
      model <- there$lamina_model(w)
      history <- if (!w$predicts) fit(model, data$x, data$y, batch_size = w$batch, epochs = 1, verbose = 0)
      list(history$metrics, get_weights(model), predict(model, data$x, batch_size = w$batch))
    })
    expect_identical(runs[[2]], runs[[1]], info = name)
  }
})
