# minimize_bfgs() on functions whose minimum is known.

rosenbrock <- function(w) {
  list(value = 100 * (w[2] - w[1]^2)^2 + (1 - w[1])^2,
       gradient = c(-400 * w[1] * (w[2] - w[1]^2) - 2 * (1 - w[1]), 200 * (w[2] - w[1]^2)))
}
never <- function(...) FALSE

test_that("the minimum of Rosenbrock's valley is found", {
  out <- minimize_bfgs(rosenbrock, c(-1.2, 1), 1, 500, never)
  expect_equal(out$weights, c(1, 1), tolerance = 1e-6)
  expect_true(out$converged)
})

test_that("values rounded to single precision do not hold it up", {
  scales <- 10^seq(0, -2, length.out = 6) # an ill-conditioned parabola around 1..6, height 1
  exact <- function(w) list(value = 1 + sum(scales * (w - 1:6)^2), gradient = 2 * scales * (w - 1:6))
  rounded <- function(w) {
    out <- exact(w)
    out$value <- as.numeric(formatC(out$value, digits = 7, format = "g")) # what a float can tell apart
    out
  }
  out <- minimize_bfgs(rounded, rep(0, 6), 1, 500, never)
  expect_lt(max(abs(out$weights - 1:6)), 1e-4)
  plain <- stats::optim(rep(0, 6), function(w) rounded(w)$value, function(w) rounded(w)$gradient, method = "BFGS",
                        control = list(maxit = 500, reltol = 1e-12))
  expect_gt(max(abs(plain$par - 1:6)), max(abs(out$weights - 1:6)))
})

test_that("it ends when asked to, and counts its iterations", {
  seen <- numeric()
  out <- minimize_bfgs(rosenbrock, c(-1.2, 1), 1, 500, function(iteration, value, lowest) {
    seen <<- c(seen, value)
    iteration >= 5
  })
  expect_equal(out$iterations, 5)
  expect_length(seen, 6) # the start, and five steps
  expect_true(all(diff(seen) <= 0))
  expect_equal(rosenbrock(out$weights)$value, seen[6])
  expect_false(minimize_bfgs(rosenbrock, c(-1.2, 1), 1, 3, never)$converged)
})

test_that("an interrupt ends it where it stands", {
  after <- function(n) {
    calls <- 0
    minimize_bfgs(function(w) {
      calls <<- calls + 1
      if (calls > n) rlang::interrupt()
      rosenbrock(w)
    }, c(-1.2, 1), 1, 500, never)
  }
  whole <- minimize_bfgs(rosenbrock, c(-1.2, 1), 1, 500, never)
  half <- after(40)
  expect_true(half$interrupted)
  expect_false(half$converged || whole$interrupted)
  expect_true(half$iterations > 0 && half$iterations < whole$iterations)
  expect_lt(rosenbrock(half$weights)$value, rosenbrock(c(-1.2, 1))$value)
  expect_identical(after(0)[c("weights", "iterations")], list(weights = c(-1.2, 1), iterations = 0))
})

test_that("many weights go to the limited-memory form", {
  n <- BFGS_WEIGHTS + 1
  target <- sin(seq_len(n))
  parabola <- function(w) list(value = sum((w - target)^2), gradient = 2 * (w - target))
  out <- minimize_bfgs(parabola, rep(0, n), 1, 100, never)
  expect_lt(max(abs(out$weights - target)), 1e-4)
})

wavy <- withr::with_seed(1, {
  data <- data.frame(a = rnorm(120), b = rnorm(120))
  transform(data, y = a^2 + b * (a > 0) + rnorm(120) / 4)
})

test_that("epochs = are the iterations of BFGS", {
  for (units in list(3, c(50, 50))) {
    for (epochs in c(1, 2, 7)) {
      fit <- lamina(y ~ ., wavy, optimizer = "bfgs", hidden_units = units, epochs = epochs)
      expect_identical(c(fit$training$epochs, length(fit$history$metrics$loss)), c(epochs, epochs))
      expect_false(fit$training$converged)
    }
  }
})

test_that("limited memory gives the lowest of the points it has looked at", {
  fit_with <- function(epochs) {
    set.seed(3)
    lamina(y ~ ., wavy, optimizer = "bfgs", hidden_units = c(50, 50), epochs = epochs)
  }
  losses <- fit_with(60)$history$metrics$loss
  worse <- which(losses > cummin(losses)) # a step too long, taken back
  expect_gt(length(worse), 0)
  fit <- fit_with(worse[1])
  expect_equal(fit$figures$all / fit$task$scale^2, min(losses[seq_len(worse[1])]), ignore_attr = TRUE, tolerance = 1e-4)
})
