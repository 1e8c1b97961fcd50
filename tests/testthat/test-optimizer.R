constructors <- list(
  sgd = optimizer_sgd, rmsprop = optimizer_rmsprop, adam = optimizer_adam, adam_w = optimizer_adam_w,
  adamax = optimizer_adamax, nadam = optimizer_nadam, adagrad = optimizer_adagrad,
  adadelta = optimizer_adadelta, ftrl = optimizer_ftrl, lion = optimizer_lion
)
core <- function(kind) asNamespace("lamina")$vocabulary(kind)

test_that("every optimizer of the core has a constructor, with the defaults of the core", {
  expect_setequal(names(constructors), core("optimizer")$names)
  gradients <- list(c(0.3, -2), c(0.1, 1), c(-0.2, 1e-4))
  for (type in names(constructors)) {
    object <- constructors[[type]]()
    expect_s3_class(object, "lamina_optimizer")
    expect_equal(object$type, type)
    expect_equal(object$learning_rate, if (type == "sgd") 0.01 else 0.001)
    expect_identical(
      gradient_steps(object, c(1, -1), gradients), gradient_steps(type, c(1, -1), gradients)
    )
  }
})

test_that("arguments stand in the order of keras3", {
  common <- c("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
              "ema_overwrite_frequency", "name", "...", "loss_scale_factor",
              "gradient_accumulation_steps")
  expect_named(formals(optimizer_sgd), c("learning_rate", "momentum", "nesterov", common))
  expect_named(formals(optimizer_adam), c("learning_rate", "beta_1", "beta_2", "epsilon", "amsgrad", common))
  expect_named(formals(optimizer_adam_w), c("learning_rate", "weight_decay", "beta_1", "beta_2",
                                            "epsilon", "amsgrad", common[-1]))
  expect_named(formals(optimizer_rmsprop), c("learning_rate", "rho", "momentum", "epsilon", "centered", common))
  expect_named(formals(optimizer_ftrl)[1:7], c(
    "learning_rate", "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
    "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta"
  ))
})

test_that("one step of sgd is old weight minus learning rate times gradient", {
  expect_equal(gradient_steps(optimizer_sgd(0.1), c(1, 2), rbind(c(0.5, -1))), rbind(c(0.95, 2.1)), tolerance = 1e-7)
})

test_that("adam follows its formula", {
  g <- c(0.5, -0.1, 2, 0.3, -1)
  w <- m <- v <- 0
  want <- numeric()
  for (t in seq_along(g)) {
    m <- 0.9 * m + 0.1 * g[t]
    v <- 0.99 * v + 0.01 * g[t]^2
    w <- w - 0.05 * sqrt(1 - 0.99^t) / (1 - 0.9^t) * m / (sqrt(v) + 1e-7)
    want[t] <- w
  }
  got <- gradient_steps(optimizer_adam(0.05, beta_2 = 0.99), 0, matrix(g))
  expect_equal(as.vector(got), want, tolerance = 1e-6)
})

test_that("weight decay and schedules act at each step", {
  rate <- learning_rate_schedule_piecewise_constant_decay(0, c(1, 0.1))
  path <- gradient_steps(optimizer_sgd(rate, weight_decay = 0.5), 1, list(0, 0, 1))
  expect_equal(as.vector(path), c(0.5, 0.5 * 0.95, 0.5 * 0.95^2 - 0.1), tolerance = 1e-6)
  decayed <- gradient_steps(optimizer_adam_w(0.1), 1, list(0))
  expect_equal(as.vector(decayed), 1 - 0.0004, tolerance = 1e-6)
  expect_equal(as.vector(gradient_steps(optimizer_adam_w(0.1, weight_decay = NULL), 1, list(0))), 1)
})

test_that("arguments can be read and replaced", {
  object <- optimizer_adam(beta_1 = 0.8, clipnorm = 1)
  expect_equal(object$beta_1, 0.8)
  expect_equal(object$clipnorm, 1)
  expect_null(object$clipvalue)
  object$learning_rate <- 0.5
  expect_equal(object$learning_rate, 0.5)
  expect_equal(object$type, "adam")
  schedule <- learning_rate_schedule_exponential_decay(0.1, 10, 0.5)
  object$learning_rate <- schedule
  expect_equal(object$learning_rate(10), 0.05)
  expect_error(object$learning_rate <- -1, class = "lamina_error_argument")
})

test_that("bad arguments are refused by name", {
  refused <- function(call, arg) {
    error <- expect_error(call, class = "lamina_error_argument")
    expect_equal(error$arg, arg)
  }
  refused(optimizer_sgd(-1), "learning_rate")
  refused(optimizer_sgd("fast"), "learning_rate")
  refused(optimizer_sgd(\(step) 0.1), "learning_rate")
  refused(optimizer_sgd(momentum = 2), "momentum")
  refused(optimizer_sgd(nesterov = NA), "nesterov")
  refused(optimizer_adam(lr = 0.1), "lr")
  refused(optimizer_adam(beta_1 = 1), "beta_1")
  refused(optimizer_adam(beta_2 = "a"), "beta_2")
  refused(optimizer_adam(epsilon = 0), "epsilon")
  refused(optimizer_adam(clipnorm = 0), "clipnorm")
  refused(optimizer_adam(clipnorm = 1, clipvalue = 1), "clipnorm")
  refused(optimizer_adam(clipvalue = 1, global_clipnorm = 1), "clipvalue")
  refused(optimizer_adam(ema_momentum = 1.5), "ema_momentum")
  refused(optimizer_adam(ema_overwrite_frequency = 0), "ema_overwrite_frequency")
  refused(optimizer_adam(gradient_accumulation_steps = 1.5), "gradient_accumulation_steps")
  refused(optimizer_adam(jit_compile = TRUE), "jit_compile")
  refused(optimizer_rmsprop(rho = 1), "rho")
  refused(optimizer_lion(beta_1 = 0), "beta_1")
  refused(optimizer_ftrl(learning_rate_power = 1), "learning_rate_power")
  refused(gradient_steps("adma", 1, list(1)), "optimizer")
  refused(gradient_steps("adam", "a", list(1)), "weights")
  refused(gradient_steps("adam", 1, list(1, 1:2)), "gradients")
  refused(gradient_steps("adam", 1, list(NA_real_)), "gradients")
  expect_error(gradient_steps("adam", 1:3, list(1)), class = "lamina_error_shape")
})
