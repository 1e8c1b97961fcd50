# A model goes to other processes and comes back from images, caches and workers: it predicts the same bits there,
# and its training goes on as if it had never left.

skip_if_not_installed("callr")
skip_on_cran()

x <- wave_matrix(40, 5)
y <- (seq_len(40) * 11) %% 3

# Written into scripts too: nothing but lamina is needed.
make_model <- function() {
  set.seed(1)
  model <- lamina::keras_model_sequential(input_shape = 5)
  model |> lamina::layer_dense(8, activation = "relu") |> lamina::layer_batch_normalization() |>
    lamina::layer_dropout(0.3) |> lamina::layer_dense(3, activation = "softmax")
  model |> lamina::compile(optimizer = lamina::optimizer_adam(0.01, use_ema = TRUE),
                           loss = "sparse_categorical_crossentropy", metrics = "accuracy")
  model
}
go_on <- function(model, x, y, from, to) {
  history <- lamina::fit(model, x, y, batch_size = 7, epochs = to, initial_epoch = from, verbose = 0)
  list(predicted = predict(model, x), weights = lamina::get_weights(model), metrics = history$metrics)
}

whole <- local({
  model <- make_model()
  first <- go_on(model, x, y, 1, 2)
  list(first = first, last = go_on(model, x, y, 3, 4))
})
half <- function() {
  model <- make_model()
  go_on(model, x, y, 1, 2)
  model
}
# What a process says of a model that came to it: how it predicts, how it goes on.
look_and_go_on <- function(model, x, y) list(predicted = predict(model, x), last = go_on(model, x, y, 3, 4))
environment(look_and_go_on) <- environment(go_on) <- list2env(list(go_on = go_on), parent = globalenv())
expect_travelled <- function(there) {
  expect_identical(there, list(predicted = whole$first$predicted, last = whole$last))
}

# Runs a script in a fresh R.
run_script <- function(folder, ...) {
  path <- file.path(folder, "script.R")
  writeLines(c(...), path)
  callr::rscript(path, libpath = .libPaths(), wd = folder, show = FALSE, timeout = 120)
}

test_that("the history and the callbacks travel too", {
  model <- half()
  model$history <- whole$first$history
  path <- withr::local_tempfile()
  go_on(model, x, y, 3, 3)
  saveRDS(model, path)
  there <- callr::r(function(path) {
    model <- readRDS(path)
    list(epoch = model$epoch, metrics = model$history$metrics, class = class(model$history))
  }, list(path), libpath = .libPaths())
  expect_equal(there$epoch, 3)
  expect_identical(there$metrics, lapply(whole$last$metrics, utils::head, 1))
  expect_s3_class(model$history, there$class, exact = TRUE)
})

test_that("saveRDS() to a fresh process, which trains on and sends the model back", {
  there <- callr::r(function(model, x, y, look_and_go_on) {
    list(look_and_go_on(model, x, y), model)
  }, list(half(), x, y, look_and_go_on), libpath = .libPaths())
  expect_travelled(there[[1L]])
  expect_identical(predict(there[[2L]], x), whole$last$predicted)
  expect_equal(there[[2L]]$epoch, 4)
})

test_that("save.image() and load() in a fresh process", {
  folder <- withr::local_tempdir()
  saveRDS(list(x, y, make_model, look_and_go_on, go_on), file.path(folder, "in.rds"))
  run_script(folder, "parts <- readRDS('in.rds'); library(lamina)",
             "model <- parts[[3]](); fit(model, parts[[1]], parts[[2]], batch_size = 7, epochs = 2, verbose = 0)",
             "save.image('all.RData')")
  run_script(folder, "load('all.RData'); library(lamina)",
             "saveRDS(parts[[4]](model, parts[[1]], parts[[2]]), 'out.rds')")
  expect_travelled(readRDS(file.path(folder, "out.rds")))
})

test_that("knitr's cache: a document knitted twice predicts and goes on from the cached model", {
  skip_if_not_installed("knitr")
  folder <- withr::local_tempdir()
  saveRDS(list(x, y, make_model, look_and_go_on, go_on), file.path(folder, "in.rds"))
  writeLines(c(
    "```{r start}", "library(lamina); parts <- readRDS('in.rds')", "```",
    "```{r train, cache=TRUE}", "cat('trained\\n', file = 'count.txt', append = TRUE)", "model <- parts[[3]]()",
    "fit(model, parts[[1]], parts[[2]], batch_size = 7, epochs = 2, verbose = 0)", "```",
    "```{r use}", "saveRDS(parts[[4]](model, parts[[1]], parts[[2]]), out)", "```"
  ), file.path(folder, "doc.Rmd"))
  for (out in c("first.rds", "second.rds")) {
    run_script(folder, sprintf("out <- '%s'; knitr::opts_knit$set(progress = FALSE)", out), "knitr::knit('doc.Rmd', quiet = TRUE)")
    expect_travelled(readRDS(file.path(folder, out)))
  }
  expect_length(readLines(file.path(folder, "count.txt")), 1L) # the second time it came from the cache
})

test_that("workers of a cluster and of future", {
  cluster <- parallel::makePSOCKcluster(2)
  withr::defer(parallel::stopCluster(cluster))
  libs <- .libPaths()
  parallel::clusterCall(cluster, function(libs) .libPaths(libs), libs)
  there <- parallel::clusterApply(cluster, list(half(), half()), look_and_go_on, x, y)
  for (one in there) expect_travelled(one)

  skip_if_not_installed("future")
  old <- future::plan(future::multisession, workers = 2)
  withr::defer(future::plan(old))
  model <- half()
  jobs <- lapply(1:2, function(i) {
    future::future(look_and_go_on(model, x, y), globals = list(look_and_go_on = look_and_go_on, model = model, x = x, y = y),
                   packages = "lamina", seed = TRUE)
  })
  for (job in jobs) expect_travelled(future::value(job))
  expect_identical(predict(model, x), whole$first$predicted) # what they did they did to copies
})

# ---- forks -----------------------------------------------------------------------------------------

# In a process of its own with a time limit: a deadlock ends it, and fails.
in_time <- function(fn, seconds = 60) {
  skip_on_os("windows")
  environment(fn) <- globalenv()
  callr::r(fn, list(x, y, make_model, look_and_go_on, go_on), libpath = .libPaths(), timeout = seconds)
}

test_that("forked processes predict and train, while and after the parent does", {
  out <- in_time(function(x, y, make_model, look_and_go_on, go_on) {
    options(lamina.threads = 3L) # threads are there before the first fork
    big_x <- matrix(sin(seq_len(2048 * 64)), 2048)
    big_y <- big_x[, 1]
    big <- function() {
      set.seed(3)
      model <- lamina::keras_model_sequential(input_shape = 64)
      model |> lamina::layer_dense(256, activation = "relu") |> lamina::layer_dense(1)
      model |> lamina::compile(optimizer = "adam", loss = "mse")
      lamina::fit(model, big_x, big_y, batch_size = 256, epochs = 2, verbose = 0)
      lamina::get_weights(model)
    }
    alone <- big()
    model <- make_model()
    first <- go_on(model, x, y, 1, 2)
    same <- TRUE
    for (round in 1:5) {
      # children train at once with the parent, on threads of their own
      jobs <- lapply(1:2, function(i) parallel::mcparallel(list(look_and_go_on(model, x, y), big())))
      here <- big()
      there <- parallel::mccollect(jobs)
      same <- same && identical(here, alone) && length(there) == 2L &&
        all(vapply(there, function(t) identical(t[[2]], alone), NA))
    }
    forked <- parallel::mclapply(1:4, function(i) predict(model, x), mc.cores = 2)
    # a fork of a fork, and a model that is made in one
    deep <- parallel::mclapply(1:2, function(i) {
      inner <- parallel::mclapply(1:2, function(j) big(), mc.cores = 2)
      all(vapply(inner, identical, NA, alone)) && identical(big(), alone)
    }, mc.cores = 2)
    list(same = same, there = lapply(there, `[[`, 1), forked = forked, first = first, deep = deep,
         last = look_and_go_on(model, x, y))
  })
  expect_true(out$same)
  expect_identical(out$first, whole$first)
  for (one in out$there) expect_travelled(one)
  for (one in out$forked) expect_identical(one, whole$first$predicted)
  expect_identical(out$deep, list(TRUE, TRUE))
  expect_travelled(out$last) # the parent's model was not moved by its children
})

test_that("a process that has not computed yet forks children that do, and then computes", {
  out <- in_time(function(x, y, make_model, look_and_go_on, go_on) {
    model <- make_model()
    there <- parallel::mclapply(1:2, function(i) go_on(model, x, y, 1, 2), mc.cores = 2)
    list(there, go_on(make_model(), x, y, 1, 2))
  })
  expect_identical(out[[2L]], whole$first)
  # the weights had not been made: each child draws its own seed, unless it is set
  for (one in out[[1L]]) expect_true(all(is.finite(one$predicted)))
})
