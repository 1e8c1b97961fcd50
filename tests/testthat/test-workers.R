# Work shared out to workers gives what one session gives.

config <- function(units, rate) {
  force(units)
  force(rate)
  function(formula, data) lamina(formula, data, hidden_units = units, dropout = rate, epochs = 5)
}

with_two_futures <- function(code) {
  old <- future::plan(future::multisession, workers = 2)
  on.exit(future::plan(old))
  code
}

without_times <- function(comparison) {
  untimed <- function(table) table[setdiff(names(table), c("fit_seconds", "predict_seconds"))]
  list(untimed(as.data.frame(comparison)), untimed(as.data.frame(comparison, folds = TRUE)))
}

test_that("parts are even and in order", {
  expect_identical(cut_evenly(8, 4), c(1, 1, 2, 2, 3, 3, 4, 4))
  expect_identical(cut_evenly(3, 8), c(1, 2, 3))
  expect_identical(max(table(cut_evenly(10, 4))), 3L)
})

test_that("without workers, items are done here, in order", {
  local <- worker_lapply(1:3, function(i, add) c(i + add, Sys.getpid()), add = 10)
  expect_identical(local, lapply(1:3, function(i) c(i + 10, Sys.getpid())))
})

test_that("functions take along what they mention of the workspace", {
  here <- globalenv()
  names <- c("mpi_test_a", "mpi_test_b", "mpi_test_f")
  on.exit(rm(list = names, envir = here))
  assign("mpi_test_a", 2, here)
  assign("mpi_test_b", 3, here)
  assign("mpi_test_f", eval(quote(function(x) x * mpi_test_a), here), here)
  user <- eval(quote(function(x, y = mpi_test_b) mpi_test_f(x) + y), here)
  expect_setequal(names(workspace_of(list(one = user, two = stats::lm, three = "a text"))), names)
  expect_length(workspace_of(list(stats::lm)), 0)
})

test_that("two workers compare and bootstrap as none does, on one thread each", {
  skip_on_cran()
  skip_if_not_installed("future")
  skip_if_not_installed("rsample")
  skip_if_not_installed("yardstick")
  models <- list(line = lm, small = config(2, 0), large = config(4, 0.2), fails = function(formula, data) stop("no"))
  compare <- function() {
    set.seed(1)
    found <- suppressWarnings(compare_models(mpg ~ wt + hp + factor(cyl), mtcars, models, folds = 3, verbose = 0))
    list(found, stats::runif(1))
  }
  boot <- function() {
    set.seed(2)
    fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 2, epochs = 5, times = 6)
    list(fit$ensemble, stats::runif(1))
  }
  alone <- list(compare(), boot())
  both <- with_two_futures({
    withr::local_options(lamina.threads = 4)
    places <- worker_lapply(1:8, function(i) c(Sys.getpid(), lamina_threads()))
    expect_length(setdiff(unique(vapply(places, `[`, 0, 1)), Sys.getpid()), 2)
    expect_true(all(vapply(places, `[`, 0, 2) == 2))
    list(compare(), boot())
  })
  expect_identical(without_times(both[[1]][[1]]), without_times(alone[[1]][[1]]))
  expect_identical(both[[1]][[2]], alone[[1]][[2]])
  failures <- attr(both[[1]][[1]], "failures")
  expect_identical(failures$message, rep("no", 3))
  expect_identical(both[[2]], alone[[2]])
})

test_that("mirai's daemons do the same", {
  skip_on_cran()
  skip_if_not_installed("mirai")
  skip_if_not_installed("rsample")
  skip_if_not_installed("yardstick")
  compare <- function() {
    set.seed(1)
    suppressWarnings(compare_models(mpg ~ wt, mtcars, list(line = lm, small = config(2, 0)), folds = 3, verbose = 0))
  }
  alone <- compare()
  mirai::daemons(2)
  withr::defer(mirai::daemons(0))
  expect_identical(without_times(compare()), without_times(alone))
  places <- worker_lapply(1:8, function(i) Sys.getpid())
  expect_false(Sys.getpid() %in% unlist(places))
})
