test_that("decays follow their formulas", {
  steps <- 0:40
  expect_equal(learning_rate_schedule_exponential_decay(0.1, 10, 0.5)(steps), 0.1 * 0.5^(steps / 10))
  expect_equal(learning_rate_schedule_exponential_decay(0.1, 10, 0.5, staircase = TRUE)(steps),
               0.1 * 0.5^(steps %/% 10))
  expect_equal(learning_rate_schedule_inverse_time_decay(0.1, 10, 0.5)(steps), 0.1 / (1 + 0.5 * steps / 10))
  expect_equal(learning_rate_schedule_inverse_time_decay(0.1, 10, 0.5, staircase = TRUE)(steps),
               0.1 / (1 + 0.5 * steps %/% 10))
  expect_equal(learning_rate_schedule_polynomial_decay(0.1, 20, 0.01, power = 2)(steps),
               0.09 * (1 - pmin(steps, 20) / 20)^2 + 0.01)
  cycles <- 20 * pmax(1, ceiling(steps / 20))
  expect_equal(learning_rate_schedule_polynomial_decay(0.1, 20, 0.01, cycle = TRUE)(steps),
               0.09 * (1 - steps / cycles) + 0.01)
})

test_that("cosines warm up, end and start anew", {
  steps <- 0:70
  half <- function(p) (1 + cos(pi * p)) / 2
  expect_equal(learning_rate_schedule_cosine_decay(0.2, 40, alpha = 0.1)(steps),
               0.2 * (0.9 * half(pmin(steps, 40) / 40) + 0.1))
  warm <- learning_rate_schedule_cosine_decay(0.1, 40, warmup_target = 0.3, warmup_steps = 10L)
  expect_equal(warm(steps), ifelse(steps < 10, 0.1 + 0.02 * steps, 0.3 * half(pmin(steps - 10, 40) / 40)))
  restarts <- learning_rate_schedule_cosine_decay_restarts(0.5, 10)
  expect_equal(restarts(0:69), 0.5 * half(c(0:9 / 10, 0:19 / 20, 0:39 / 40)))
})

test_that("pieces keep the old value at their boundary", {
  rate <- learning_rate_schedule_piecewise_constant_decay(list(100, 110), list(1, 0.5, 0.1))
  expect_equal(rate(c(0, 100, 101, 110, 111)), c(1, 1, 0.5, 0.5, 0.1))
})

test_that("schedules are objects and functions, vectorised", {
  rate <- learning_rate_schedule_exponential_decay(0.1, 10, 0.5)
  expect_s3_class(rate, "lamina_schedule")
  expect_equal(rate(numeric()), numeric())
  expect_equal(rate(3L), rate(3))
})

test_that("every schedule of the core has a constructor", {
  names <- asNamespace("lamina")$vocabulary("schedule")$names
  for (name in setdiff(names, "constant")) {
    expect_true(is.function(get(paste0("learning_rate_schedule_", name), asNamespace("lamina"))))
  }
})

test_that("bad arguments are refused", {
  bad <- function(call) expect_error(call, class = "lamina_error_argument")
  bad(learning_rate_schedule_exponential_decay(-1, 10, 0.5))
  bad(learning_rate_schedule_exponential_decay(1, 0, 0.5))
  bad(learning_rate_schedule_exponential_decay(1, 10, "a"))
  bad(learning_rate_schedule_cosine_decay(1, NA))
  bad(learning_rate_schedule_cosine_decay_restarts(1, 10, t_mul = 0.5))
  bad(learning_rate_schedule_polynomial_decay(1, 10, cycle = "yes"))
  bad(learning_rate_schedule_piecewise_constant_decay(c(10, 5), 1:3))
  bad(learning_rate_schedule_piecewise_constant_decay(c(5, 10), 1:2))
  bad(learning_rate_schedule_piecewise_constant_decay("a", 1:2))
  bad(learning_rate_schedule_exponential_decay(1, 10, 0.5)(-1))
  bad(learning_rate_schedule_exponential_decay(1, 10, 0.5)("a"))
})
