# Values worked out in R from the definitions; the core's own tests cover every metric.

truth <- c(1, 0, 1, 1, 0)
said <- c(0.9, 0.8, 0.3, 0.6, 0.5)
classes <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6), c(0.4, 0.4, 0.2))

test_that("accuracies", {
  expect_equal(metric_binary_accuracy(truth, said), 3 / 5)
  expect_equal(metric_binary_accuracy(truth == 1, said, threshold = 0.2), 3 / 5)
  expect_equal(metric_sparse_categorical_accuracy(c(0, 1, 0), classes), 2 / 3)
  expect_equal(metric_sparse_categorical_accuracy(factor(c("a", "c", "b")), classes), 2 / 3)
  expect_equal(metric_categorical_accuracy(diag(3), classes), 1 / 3)
  expect_equal(metric_top_k_categorical_accuracy(diag(3), classes, k = 2), 2 / 3)
  expect_equal(metric_sparse_top_k_categorical_accuracy(c(2, 0, 1), classes, k = 2), 1 / 3)
})

test_that("precision, recall and counts", {
  expect_equal(metric_precision(truth, said), 2 / 3)
  expect_equal(metric_recall(truth, said), 2 / 3)
  expect_equal(metric_recall(truth, said, thresholds = 0.2), 1)
  expect_equal(metric_precision(truth, 0 * said), 0)
  expect_equal(metric_true_positives(truth, said), 2)
  expect_equal(metric_false_positives(truth, said), 1)
  expect_equal(metric_false_negatives(truth, said), 1)
  expect_equal(metric_true_negatives(truth, said), 1)
  expect_equal(metric_precision(diag(3), classes, class_id = 2), 0)
  expect_equal(metric_recall(diag(3), classes, class_id = 0), 1)
})

test_that("the area under the curve is the share of ordered pairs", {
  set.seed(1)
  t <- rep(0:1, c(150, 100))
  q <- round((runif(250) + 0.3 * t) / 1.3, 3)
  pairs <- outer(q[t == 1], q[t == 0], function(a, b) (a > b) + 0.5 * (a == b))
  expect_equal(metric_auc(t, q, num_thresholds = 5000), mean(pairs), tolerance = 1e-4)
  expect_equal(metric_auc(t, qlogis(q * 0.98 + 0.01), from_logits = TRUE, num_thresholds = 5000), mean(pairs),
               tolerance = 1e-3)
  expect_equal(metric_auc(t, t, curve = "PR"), 1, tolerance = 1e-6)
})

test_that("F scores", {
  y <- rbind(c(1, 0, 0), c(0, 1, 0), c(0, 0, 1), c(0, 1, 0))
  p <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.8, 0.1), c(0.2, 0.6, 0.2), c(0.1, 0.6, 0.3))
  by_class <- c(1, 2 * (2 / 3) / (2 / 3 + 1), 0)
  expect_equal(metric_f1_score(y, p), by_class, tolerance = 1e-6)
  expect_equal(metric_f1_score(y, p, average = "macro"), mean(by_class), tolerance = 1e-6)
  expect_equal(metric_f1_score(y, p, average = "weighted"), sum(by_class * c(1, 2, 1)) / 4, tolerance = 1e-6)
  expect_equal(metric_f1_score(y, p, average = "micro"), 0.75, tolerance = 1e-6)
  expect_equal(metric_fbeta_score(y, p, beta = 2)[2], 5 * (2 / 3) / (4 * (2 / 3) + 1), tolerance = 1e-6)
  expect_equal(metric_f1_score(truth, said, average = "macro"), 2 / 3, tolerance = 1e-6)
})

test_that("metrics for numbers", {
  y <- c(1, 2, 4)
  p <- c(1.5, 2, 3)
  expect_equal(metric_mean_squared_error(y, p), mean((y - p)^2))
  expect_equal(metric_root_mean_squared_error(y, p), sqrt(mean((y - p)^2)))
  expect_equal(metric_mean_absolute_error(y, p), 0.5)
  expect_equal(metric_r2_score(y, p), 1 - sum((y - p)^2) / sum((y - mean(y))^2))
  expect_equal(metric_r2_score(y, p, num_regressors = 1), 1 - sum((y - p)^2) / sum((y - mean(y))^2) * 2)
  expect_equal(metric_cosine_similarity(rbind(c(1, 0)), rbind(c(1, 1))), sqrt(0.5), tolerance = 1e-6)
  expect_equal(metric_log_cosh_error(y, p), mean(log(cosh(y - p))), tolerance = 1e-6)
})

test_that("metrics made of losses agree with them", {
  expect_equal(metric_binary_crossentropy(truth, said), loss_binary_crossentropy(truth, said))
  expect_equal(metric_categorical_crossentropy(diag(3), classes, label_smoothing = 0.1),
               loss_categorical_crossentropy(diag(3), classes, label_smoothing = 0.1))
  expect_equal(metric_sparse_categorical_crossentropy(c(0, -1, 1), classes, ignore_class = -1),
               loss_sparse_categorical_crossentropy(c(0, 1), classes[c(1, 3), ]))
  expect_equal(metric_hinge(truth, said), loss_hinge(truth, said))
  expect_equal(metric_kl_divergence(classes, classes[3:1, ]), loss_kl_divergence(classes, classes[3:1, ]))
  expect_equal(metric_huber(truth, said, delta = 0.2), loss_huber(truth, said, delta = 0.2))
})

test_that("an object collects batches and weights", {
  m <- metric_binary_accuracy()
  expect_identical(m$result(), 0)
  m$update_state(truth[1:2], said[1:2])
  m$update_state(truth[3:5], said[3:5])
  expect_equal(m$result(), 3 / 5)
  m$reset_state()
  expect_identical(m$result(), 0)
  m$update_state(truth, said, sample_weight = 1:5)
  expect_equal(m$result(), sum((1:5)[(said > 0.5) == truth]) / 15)
  m$reset_state()
  m$update_state(array(truth[1:4], c(2, 2, 1)), array(said[1:4], c(2, 2, 1)), sample_weight = c(1, 3))
  expect_equal(m$result(), (1 * (1 + 0) + 3 * (0 + 1)) / 8)

  rmse <- metric_root_mean_squared_error()
  rmse$update_state(0, 1)
  rmse$update_state(0, 3)
  expect_equal(rmse$result(), sqrt(5))
})

test_that("a refused update leaves the object as it was", {
  m <- metric_precision()
  m$update_state(truth, said)
  before <- m$result()
  expect_error(m$update_state(truth, said[-1]), class = "lamina_error_shape")
  expect_error(m$update_state(diag(3), classes), class = "lamina_error_shape")
  expect_error(m$update_state(truth, said, sample_weight = 1:2), class = "lamina_error_shape")
  expect_identical(m$result(), before)
})

test_that("a metric object names its type and its arguments", {
  m <- metric_recall(thresholds = 0.3, name = "found")
  expect_identical(spec_of(m, "metric"), list(type = "recall", config = list(name = "found", thresholds = 0.3)))
  expect_output(print(m), "recall")
  expect_identical(metric_auc()$name, "auc")
})

test_that("every metric of the core has its constructor", {
  for (name in vocabulary("metric")$names) {
    fn <- get(paste0("metric_", name))
    expect_identical(fn()$type, name)
  }
  expect_identical(canonical_name("AUC", "metric"), "auc")
  expect_identical(canonical_name("F1Score", "metric"), "f1_score")
  expect_identical(canonical_name("rmse", "metric"), "root_mean_squared_error")
})

test_that("the mean of numbers", {
  m <- metric_mean()
  expect_identical(m$result(), 0)
  m$update_state(c(1, 3))
  m$update_state(5, sample_weight = 2)
  expect_equal(m$result(), 14 / 4)
  expect_error(m$update_state(1:3, 1:2), class = "lamina_error_shape")
  m$reset_state()
  expect_identical(m$result(), 0)
})

test_that("what a metric cannot do is refused", {
  expect_error(metric_precision(thresholds = c(0.2, 0.5)), class = "lamina_error_argument")
  expect_error(metric_precision(top_k = 2), class = "lamina_error_argument")
  expect_error(metric_precision(diag(3), classes, class_id = 3), class = "lamina_error_argument")
  expect_error(metric_auc(curve = "XY"), class = "lamina_error_argument")
  expect_error(metric_auc(multi_label = TRUE), class = "lamina_error_argument")
  expect_error(metric_f1_score(average = "mean"), class = "lamina_error_argument")
  expect_error(metric_mean_squared_error(1:3, cbind(1:2)), class = "lamina_error_shape")
  expect_error(metric_sparse_categorical_accuracy(diag(3), classes), class = "lamina_error_shape")
  expect_error(metric_mean_absolute_error(1, 1, k = 2), class = "lamina_error_argument")
})

test_that("a metric of one's own keeps name and function", {
  fn <- function(y_true, y_pred) mean(y_true == y_pred)
  m <- custom_metric("same", fn)
  expect_s3_class(m, "lamina_custom_metric")
  expect_identical(m$fn, fn)
  expect_identical(m$name, "same")
  expect_output(print(m), "same")
  expect_error(custom_metric(1, fn), class = "lamina_error_argument")
  expect_error(custom_metric("same", "fn"), class = "lamina_error_argument")
})
