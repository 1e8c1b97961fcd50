# Values worked out in R from the definitions; the core's own tests cover every formula and gradient.

y <- rbind(c(0.2, 1.5, -0.7), c(1, -2, 0.4))
p <- rbind(c(0.5, 1, -1), c(1.5, -0.5, 0.1))

test_that("losses for numbers follow their definitions", {
  e <- p - y
  huber <- ifelse(abs(e) <= 0.4, e^2 / 2, 0.4 * abs(e) - 0.08)
  cosine <- rowSums(y * p) / sqrt(rowSums(y^2) * rowSums(p^2))
  none <- function(loss, ...) loss(y, p, ..., reduction = "none")
  expect_equal(none(loss_mean_squared_error), rowMeans(e^2), tolerance = 1e-6)
  expect_equal(none(loss_mean_absolute_error), rowMeans(abs(e)), tolerance = 1e-6)
  expect_equal(none(loss_mean_absolute_percentage_error), 100 * rowMeans(abs(e / y)), tolerance = 1e-6)
  expect_equal(none(loss_huber, delta = 0.4), rowMeans(huber), tolerance = 1e-6)
  expect_equal(none(loss_log_cosh), rowMeans(log(cosh(e))), tolerance = 1e-6)
  expect_equal(none(loss_cosine_similarity), -cosine, tolerance = 1e-6)
  expect_equal(
    loss_mean_squared_logarithmic_error(abs(y), abs(p)), mean((log1p(abs(p)) - log1p(abs(y)))^2),
    tolerance = 1e-6
  )
})

test_that("losses for classes follow their definitions", {
  q <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6))
  one_hot <- rbind(c(0, 1, 0), c(0, 0, 1))
  expected <- -log(c(0.2, 0.6))
  expect_equal(loss_categorical_crossentropy(one_hot, q, reduction = "none"), expected, tolerance = 1e-6)
  expect_equal(loss_sparse_categorical_crossentropy(c(1, 2), q, reduction = "none"), expected, tolerance = 1e-6)
  expect_equal(loss_sparse_categorical_crossentropy(cbind(1:2), 5 * q), mean(expected), tolerance = 1e-6)
  expect_equal(
    loss_sparse_categorical_crossentropy(factor(c("b", "c"), levels = c("a", "b", "c")), q),
    mean(expected), tolerance = 1e-6
  )
  expect_equal(loss_categorical_crossentropy(one_hot, log(q), from_logits = TRUE), mean(expected), tolerance = 1e-6)
  smooth <- one_hot * 0.7 + 0.1
  expect_equal(
    loss_categorical_crossentropy(one_hot, q, label_smoothing = 0.3), -sum(smooth * log(q)) / 2,
    tolerance = 1e-6
  )
  expect_equal(
    loss_categorical_focal_crossentropy(one_hot, q), mean(0.25 * (1 - c(0.2, 0.6))^2 * expected),
    tolerance = 1e-6
  )
  expect_equal(
    loss_sparse_categorical_crossentropy(c(1, -1), q, ignore_class = -1), -log(0.2),
    tolerance = 1e-6
  )
  expect_equal(loss_kl_divergence(q, q[2:1, ]), mean(rowSums(q * log(q / q[2:1, ]))), tolerance = 1e-6)
  expect_equal(
    loss_categorical_hinge(one_hot, q), mean(pmax(0, c(0.7 - 0.2, 0.3 - 0.6) + 1)),
    tolerance = 1e-6
  )
})

test_that("binary losses follow their definitions", {
  t <- c(1, 0, 1)
  q <- c(0.9, 0.2, 0.6)
  cross <- -(t * log(q) + (1 - t) * log(1 - q))
  expect_equal(loss_binary_crossentropy(t, q, reduction = "none"), cross, tolerance = 1e-6)
  expect_equal(loss_binary_crossentropy(t == 1, qlogis(q), from_logits = TRUE), mean(cross), tolerance = 1e-6)
  focus <- (1 - ifelse(t == 1, q, 1 - q))^3
  expect_equal(loss_binary_focal_crossentropy(t, q, gamma = 3), mean(focus * cross), tolerance = 1e-6)
  expect_equal(
    loss_binary_focal_crossentropy(t, q, apply_class_balancing = TRUE, alpha = 0.3, gamma = 3),
    mean(ifelse(t == 1, 0.3, 0.7) * focus * cross), tolerance = 1e-6
  )
  # 1 - 1e-7 in single precision is 1 - 2^-23
  expect_equal(loss_binary_crossentropy(0, 1), 23 * log(2), tolerance = 1e-6)
  expect_equal(loss_hinge(c(-1, 1), c(-0.5, 0.2)), mean(c(0.5, 0.8)), tolerance = 1e-6)
  expect_equal(loss_hinge(c(0, 1), c(-0.5, 0.2)), mean(c(0.5, 0.8)), tolerance = 1e-6)
  expect_equal(loss_hinge(c(0, 1, -1), c(-0.5, 0.2, 0)), mean(c(1, 0.8, 1)), tolerance = 1e-6)
  expect_equal(loss_squared_hinge(c(-1, 1), c(-0.5, 0.2)), mean(c(0.25, 0.64)), tolerance = 1e-6)
  expect_equal(loss_poisson(c(2, 0), c(1.5, 0.2)), mean(c(1.5 - 2 * log(1.5), 0.2)), tolerance = 1e-6)
})

test_that("reductions, shapes and older names", {
  e2 <- rowMeans((y - p)^2)
  expect_equal(loss_mean_squared_error(y, p), mean(e2), tolerance = 1e-6)
  expect_equal(loss_mean_squared_error(y, p, reduction = "sum"), sum(e2), tolerance = 1e-6)
  expect_equal(loss_mean_squared_error(y, p, reduction = NULL), e2, tolerance = 1e-6)
  expect_equal(loss_mean_squared_error(c(1, 2), cbind(c(1.5, 4)), reduction = "none"), c(0.25, 4))
  expect_equal(loss_mean_squared_error(cbind(c(1, 2)), c(1.5, 4)), 2.125)
  y3 <- array(seq(0, 1, length.out = 24), c(2, 3, 4))
  p3 <- y3[, 3:1, ]
  expect_equal(
    loss_mean_squared_error(y3, p3, reduction = "none"), apply((y3 - p3)^2, 1:2, mean),
    tolerance = 1e-6
  )
  q <- array(c(0.5, 0.25, 0.5, 0.75, 0.5, 0.75, 0.5, 0.25), c(2, 2, 2))
  classes <- rbind(c(0, 1), c(1, 0))
  expect_equal(
    loss_sparse_categorical_crossentropy(classes, q, reduction = "none"),
    -log(rbind(c(q[1, 1, 1], q[1, 2, 2]), c(q[2, 1, 2], q[2, 2, 1]))), tolerance = 1e-6
  )
  expect_identical(loss_logcosh(y, p), loss_log_cosh(y, p))
  expect_identical(loss_cosine_proximity(y, p), loss_cosine_similarity(y, p))
  expect_identical(loss_kullback_leibler_divergence(abs(y), abs(p)), loss_kl_divergence(abs(y), abs(p)))
})

test_that("without arrays a loss is an object to compile with", {
  loss <- loss_huber(delta = 2, reduction = "sum")
  expect_s3_class(loss, "lamina_loss")
  expect_identical(loss$type, "huber")
  expect_identical(loss$config, list(delta = 2))
  expect_identical(loss$reduction, "sum")
  expect_output(print(loss), "huber\\(delta = 2\\)")
})

test_that("every loss of the core has its constructor, and every constructor its loss", {
  for (name in vocabulary("loss")$names) {
    fn <- get(paste0("loss_", name))
    expect_identical(fn()$type, name)
    expect_identical(canonical_name(name, "loss"), name)
  }
  expect_identical(canonical_name("KLDivergence", "loss"), "kl_divergence")
  expect_identical(canonical_name("MSE", "loss"), "mean_squared_error")
})

test_that("gradients are the slopes of the values", {
  q <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6))
  expect_equal(loss_gradient("mse", y, p), 2 * (p - y) / 3, tolerance = 1e-6)
  expect_equal(
    loss_gradient("sparse_categorical_crossentropy", c(0, 2), q),
    rbind(c(1 - 1 / 0.7, 1, 1), c(1, 1, 1 - 1 / 0.6)), tolerance = 1e-5
  )
})

test_that("what does not fit is refused", {
  expect_error(loss_mean_squared_error(1:3, cbind(1:2)), class = "lamina_error_shape")
  expect_error(loss_mean_squared_error(1:2, matrix(0, 2, 2)), class = "lamina_error_shape")
  expect_error(loss_mean_squared_error("a", 1), class = "lamina_error_argument")
  expect_error(loss_mean_squared_error(1), class = "lamina_error_argument")
  expect_error(loss_mean_squared_error(1, 1, detla = 1), class = "lamina_error_argument")
  expect_error(loss_mean_squared_error(1, 1, reduction = "avg"), class = "lamina_error_argument")
  expect_error(loss_mean_squared_error(1, 1, dtype = "float64"), class = "lamina_error_argument")
  expect_error(loss_huber(delta = -1), class = "lamina_error_argument")
  expect_error(loss_binary_crossentropy(label_smoothing = 2), class = "lamina_error_argument")
  expect_error(loss_categorical_crossentropy(axis = 1), class = "lamina_error_argument")
  classes <- expect_error(
    loss_sparse_categorical_crossentropy(c(0, 2), matrix(0.5, 2, 2)), class = "lamina_error_data"
  )
  expect_match(conditionMessage(classes), "row 2")
})

test_that("a loss of one's own is checked against finite differences", {
  good <- function(y_true, y_pred) {
    n <- NROW(y_pred)
    list(value = sum((y_pred - y_true)^2) / n, gradient = 2 * (y_pred - y_true) / n)
  }
  absolute <- function(y_true, y_pred) {
    list(value = mean(abs(y_pred - y_true)), gradient = sign(y_pred - y_true) / length(y_pred))
  }
  state <- if (exists(".Random.seed", globalenv())) get(".Random.seed", globalenv())
  expect_no_error(check_custom_loss(good, y, p))
  expect_no_error(check_custom_loss(absolute, c(1, 2, 3), c(1, 2.5, 2)))
  expect_identical(if (exists(".Random.seed", globalenv())) get(".Random.seed", globalenv()), state)

  refused <- function(fn) {
    expect_error(check_custom_loss(fn, y, p), class = "lamina_error_argument")
  }
  refused(function(y_true, y_pred) mean((y_true - y_pred)^2))
  refused(function(y_true, y_pred) list(value = c(1, 2), gradient = y_pred))
  refused(function(y_true, y_pred) list(value = 1, gradient = 0))
  refused(function(y_true, y_pred) list(value = NaN, gradient = y_pred))
  refused(function(y_true, y_pred) within(good(y_true, y_pred), gradient <- -gradient))
  refused(function(y_true, y_pred) within(good(y_true, y_pred), gradient <- gradient * 2))
  coupled <- function(y_true, y_pred) {
    e <- sum(y_pred - y_true)
    list(value = e^2, gradient = 2 * e + 0 * y_pred)
  }
  expect_match(conditionMessage(refused(coupled)), "couples")
})
