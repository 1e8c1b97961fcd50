# Ranks of an MPI job against one process: the scripts in mpi/ run by mpirun on this machine.  What the ranks work out together
# is also tested without MPI, in tests/c/test-ranks.c.

test_that("without MPI, mpi_strategy() says how to get it", {
  expect_silent(require_mpi(TRUE))
  e <- expect_error(require_mpi(FALSE), class = "lamina_error_ranks")
  if (!mpi_available()) expect_error(mpi_strategy(), class = "lamina_error_ranks")
  expect_match(conditionMessage(e), "installed without MPI")
  expect_match(conditionMessage(e), "--with-mpi")
  expect_match(conditionMessage(e), "libopenmpi-dev")
})

test_that("an install without MPI has no trace of it", {
  skip_if(mpi_available(), "lamina was installed with MPI: this")
  library <- getLoadedDLLs()[["lamina"]][["path"]]
  expect_null(lamina_info()$mpi)
  skip_if(!nzchar(Sys.which("nm")))
  symbols <- system2("nm", c("-D", "--undefined-only", shQuote(library)), stdout = TRUE)
  expect_false(any(grepl("MPI_", symbols)))
})

test_that("`distribute` is checked, and FALSE and NULL are one process", {
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  compile(model, "sgd", "mse")
  expect_error(fit(model, 1:4, 1:4, distribute = "mpi"), class = "lamina_error_argument")
  expect_error(predict(model, 1:4, distribute = 2), class = "lamina_error_argument")
  expect_error(evaluate(model, 1:4, 1:4, distribute = TRUE), class = "lamina_error_argument")
  expect_identical(predict(model, 1:4, distribute = FALSE), predict(model, 1:4))
})

test_that("what ranks cannot share is refused by name", {
  crew <- structure(list(data = "own", rank = 0L, size = 4L, local = 4L, threads = 1L), class = "lamina_strategy")
  model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
  compile(model, "sgd", "mse", metrics = list(own = function(y_true, y_pred) 1))
  expect_error(fit(model, 1:8, 1:8, distribute = crew), "R functions", class = "lamina_error_argument")
  compile(model, "sgd", "mse")
  e <- expect_error(fit(model, 1:8, 1:8, batch_size = 3, distribute = crew), class = "lamina_error_argument")
  expect_identical(e$arg, "batch_size")
  e <- expect_error(fit(model, 1:8, 1:8, class_weight = "balanced", distribute = crew), class = "lamina_error_argument")
  expect_identical(e$arg, "class_weight")
  expect_output(print(crew), "rank 0 of 4, 4 on this machine, 1 thread each, each given data of its own")
})

test_that("threads are those that the rank is bound to, or its share", {
  withr::local_options(lamina.threads = NULL)
  withr::local_envvar(LAMINA_THREADS = NA)
  cores <- lamina_info()$cores
  expect_equal(cores_of_rank(1, cores), cores)
  expect_equal(cores_of_rank(64, cores), max(1, cores %/% 64))
  expect_equal(cores_of_rank(64, cores + 1), cores) # bound: fewer than the machine has
})

flat <- function(result) unlist(result, use.names = FALSE)

test_that("1 to 4 ranks train as one process does, with the same bits each time", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  job <- mpi_run("agree.R", 0, folder, "alone")
  expect_identical(job$status, 0L, info = job$output)
  one <- mpi_results(folder, "alone", 1)[[1]]
  for (n in 1:4) {
    job <- mpi_run("agree.R", n, folder, "ranks")
    expect_identical(job$status, 0L, info = job$output)
    ranks <- mpi_results(folder, "ranks", n)
    for (network in setdiff(names(one), "exact")) {
      same <- vapply(ranks, function(rank) identical(rank[[network]], ranks[[1]][[network]]), NA)
      expect_true(all(same), info = paste(network, n))
      # decisions: the number of epochs and the rate; then sums, to the rounding of floats over some 20 steps
      expect_identical(lengths(ranks[[1]][[network]]$history), lengths(one[[network]]$history), info = paste(network, n))
      expect_identical(ranks[[1]][[network]]$rate, one[[network]]$rate)
      expect_lt(max(abs(flat(ranks[[1]][[network]]) - flat(one[[network]]))), 2e-5)
    }
    expect_gt(length(one$mlp$history$loss), 1)
    expect_identical(ranks[[1]]$exact, one$exact, info = n)
    if (n == 1) expect_identical(ranks[[1]], one)
  }
  expect_length(one$exact$batches, 12)
  expect_true(all(one$exact$losses == floor(one$exact$losses * 64) / 64))
  job <- mpi_run("agree.R", 3, folder, "again")
  expect_identical(mpi_results(folder, "again", 3), mpi_results(folder, "ranks", 3))
})

test_that("ranks with rows of their own train as one process with the rows in their order", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  job <- mpi_run("own.R", 2, folder)
  expect_identical(job$status, 0L, info = job$output)
  ranks <- mpi_results(folder, "own", 2)
  first <- ranks[[1]]
  expect_identical(ranks[[2]]$weights, first$weights)
  expect_equal(first$weights, first$one, tolerance = 1e-5)
  expect_equal(first$history, first$one_history, tolerance = 1e-5)
  expect_equal(first$given, first$one, tolerance = 1e-5)
  expect_equal(first$test, first$whole, tolerance = 1e-5)
  for (rank in ranks) expect_identical(rank$predicted, rank$alone)
})

test_that("what all ranks see is an ordinary error, what one sees ends the job", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  run <- function(which) mpi_run("fails.R", 2, folder, which, seconds = 60)
  for (which in c("data", "model")) {
    job <- run(which)
    expect_match(job$output, "caught lamina_error_ranks", info = which)
    expect_match(job$output, "the end", info = which)
    expect_identical(job$status, 0L)
  }
  job <- run("nan")
  expect_length(gregexpr("caught lamina_error_numeric In epoch 1: The loss became", job$output)[[1]], 2)
  expect_match(job$output, "the end")
  job <- run("alone")
  expect_match(job$output, "alone TRUE 2")
  job <- run("stateful")
  expect_match(job$output, "caught lamina_error_argument `distribute`")

  job <- run("outside")
  expect_false(job$status == 0)
  expect_match(job$output, "rank 1 cannot read its file")
  expect_match(job$output, "lamina: rank 1 of 2 ended with an error, so the job ends")
  expect_no_match(job$output, "the end")
  job <- run("callback")
  expect_false(job$status == 0)
  expect_match(job$output, "no space left")
  expect_match(job$output, "lamina: rank 0 of 2 stopped in the middle of what the ranks do together")
  job <- run("quits")
  expect_false(job$status == 0)
  expect_match(job$output, "lamina: rank 1 of 2 ended with an error")
})

test_that("a rank that is killed ends the job, which goes on from its file with any number of ranks", {
  skip_without_mpi()
  whole <- withr::local_tempdir()
  expect_identical(mpi_run("resume.R", 0, whole, "0")$status, 0L)
  whole <- readRDS(file.path(whole, "done.rds"))
  set.seed(1)
  for (trial in seq_len(stress_trials(20))) {
    folder <- withr::local_tempdir()
    n <- sample(2:3, 1)
    job <- mpi_start("resume.R", n, folder, "0.1")
    reached <- sample(0:6, 1) # kill when so many epochs are done: 0 is while the job begins
    victim <- sample(n, 1) - 1
    until <- Sys.time() + 120
    epoch <- function() if (file.exists(file.path(folder, "epoch"))) as.numeric(c(readLines(file.path(folder, "epoch")), 0)[1]) else 0
    pid <- function() if (file.exists(file.path(folder, sprintf("pid-%d", victim)))) suppressWarnings(as.integer(readLines(file.path(folder, sprintf("pid-%d", victim)))))
    while ((epoch() < reached || length(pid()) == 0L) && Sys.time() < until) Sys.sleep(0.02)
    Sys.sleep(stats::runif(1, 0, 0.1))
    tools::pskill(pid(), tools::SIGKILL)
    killed <- Sys.time()
    ended <- mpi_finish(job, 60)
    expect_lt(as.numeric(Sys.time() - killed, units = "secs"), 30)
    expect_false(ended$status == 0)
    expect_match(ended$output, sprintf("process rank %d with PID", victim))
    expect_match(ended$output, "exited on signal 9", info = trial)
    expect_false(file.exists(file.path(folder, "done.rds")))
    again <- mpi_run("resume.R", sample(0:3, 1), folder, "0")
    expect_identical(again$status, 0L, info = again$output)
    done <- readRDS(file.path(folder, "done.rds"))
    expect_equal(done$epoch, 12)
    expect_lt(max(abs(flat(done$weights) - flat(whole$weights))), 2e-5)
  }
})

test_that("mpi_traffic() counts what was sent", {
  skip_without_mpi()
  folder <- withr::local_tempdir()
  job <- mpi_run("traffic.R", 2, folder)
  expect_identical(job$status, 0L, info = job$output)
  found <- mpi_results(folder, "traffic", 2)[[1]]
  # a step: the gradients in floats, three doubles beside them; 2 (2 - 1) / 2 of it goes over
  expect_identical(found$bytes, 8 * (found$weights * 4 + 3 * 8))
  expect_identical(found$sums, 8 * 2)
  expect_gt(found$waited, 0)
})
