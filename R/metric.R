# Metrics: numbers on R arrays, or objects that collect batches.  The formulas are the core's
# (src/nn/metrics/); a metric needs a constructor here only for its arguments and its help.

# An object with a state of its own; a spec to compile with is made of its type and config.
new_metric <- function(type, config, name) {
  self <- new.env(parent = topenv())
  self$type <- type
  self$config <- c(list(name = if (is.null(name)) type else name), config)
  self$name <- self$config$name
  self$state <- NULL
  self$update_state <- function(y_true, y_pred, sample_weight = NULL) {
    if (!is.null(sample_weight)) {
      sample_weight <- as_numbers(sample_weight, "sample_weight")
    }
    self$state <- .Call(
      ffi_metric_update, spec_of(self, "metric"), as_numbers(y_true, "y_true"),
      as_numbers(y_pred, "y_pred"), sample_weight, self$state
    )
    invisible(self)
  }
  self$result <- function() metric_result(self)
  self$reset_state <- function() {
    self$state <- NULL
    invisible(self)
  }
  class(self) <- "lamina_metric"
  self
}

metric_result <- function(metric) {
  if (is.null(metric$state)) {
    return(0)
  }
  spec <- spec_of(metric, "metric")
  if (metric$type %in% c("f1_score", "fbeta_score") && is.null(metric$config$average)) {
    return(score_by_class(spec, metric$state))
  }
  .Call(ffi_metric_result, spec, metric$state)
}

# Each class alone: its counts, as the state of a metric of one output.
score_by_class <- function(spec, state) {
  classes <- attr(state, "shape")[1L]
  counts <- matrix(state, classes)
  score <- function(j) .Call(ffi_metric_result, spec, structure(counts[j, ], shape = c(1, 1)))
  vapply(seq_len(classes), score, 0)
}

#' @export
format.lamina_metric <- function(x, ...) {
  format.lamina_spec(new_spec("metric", x$type, x$config))
}

#' @export
print.lamina_metric <- function(x, ...) {
  cat(format(x), if (!is.null(x$state)) paste(" =", toString(format(x$result()))), "\n", sep = "")
  invisible(x)
}

# The object when there are no arrays, else the metric of these arrays.
make_metric <- function(type, config, y_true, y_pred, name, dtype, dots, axis = -1L) {
  call <- rlang::caller_env()
  check_no_dots(dots, call = call)
  check_last_axis(axis, y_pred, call = call)
  if (!is.null(dtype)) {
    check_choice(dtype, "float32", arg = "dtype", call = call)
  }
  config <- config[!vapply(config, is.null, NA)]
  metric <- new_metric(type, config, check_string(name, allow_null = TRUE, call = call))
  if (missing(y_true) && missing(y_pred)) {
    return(metric)
  }
  if (missing(y_true) || missing(y_pred)) {
    missed <- if (missing(y_true)) "y_true" else "y_pred"
    abort_argument(missed, "given together with the other one", "missing", call = call)
  }
  metric$update_state(y_true, y_pred)
  metric$result()
}

#' Accuracies
#'
#' How often predictions are right. With arrays these functions compute the accuracy; without, they
#' give an object for the `metrics` argument of `compile()`, or to collect batches by hand. In
#' `compile()` the word `"accuracy"` (or `"acc"`) picks the first three by the shapes of predictions
#' and targets: one output, one column for each class, one class number for each sample.
#'
#' \describe{
#'   \item{`metric_binary_accuracy()`}{the share of outputs for which \eqn{p > t} agrees with the
#'     target, 0 or 1, with the threshold \eqn{t}}
#'   \item{`metric_categorical_accuracy()`}{is the largest prediction where the largest target is? Of
#'     equals the first counts}
#'   \item{`metric_sparse_categorical_accuracy()`}{the same, targets being class numbers from 0}
#'   \item{`metric_top_k_categorical_accuracy()`, `metric_sparse_top_k_categorical_accuracy()`}{are
#'     fewer than \eqn{k} predictions larger than that of the true class?}
#' }
#'
#' @section Collecting batches:
#' A metric object `m` has `m$update_state(y_true, y_pred, sample_weight = NULL)`, `m$result()` and
#' `m$reset_state()`. Its result is that of all data since the start, not a mean of batch results:
#' \eqn{\sum w_i v_i / \sum w_i}{sum(w * v) / sum(w)} for metrics that are means. Before any data it
#' is 0.
#'
#' @param y_true Targets: a vector, matrix or array, samples first; logical values and factors (as
#'   codes from 0) will do. Never recycled.
#' @param y_pred Predictions: a vector (n samples of one output), matrix or array, samples first.
#' @param threshold Predictions greater than this say 1.
#' @param k How many of the largest predictions count as hits.
#' @param ... Nothing; an argument that lamina does not have is an error.
#' @param name The metric's name in the history; `NULL` for its type.
#' @param dtype Only `NULL` or `"float32"`.
#' @param from_sorted_ids Only `FALSE`.
#'
#' @return With arrays, a number. Without, a `lamina_metric` object. A wrong argument raises
#'   `lamina_error_argument`, arrays that do not fit `lamina_error_shape`.
#' @references Keras 3: BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy,
#'   TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy.
#' @family metrics
#' @examples
#' metric_binary_accuracy(c(1, 0, 1), c(0.9, 0.6, 0.7))
#' p <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6))
#' metric_sparse_categorical_accuracy(c(0, 1), p)
#' metric_sparse_top_k_categorical_accuracy(c(0, 1), p, k = 2)
#'
#' m <- metric_binary_accuracy()
#' m$update_state(c(1, 0), c(0.9, 0.6))
#' m$update_state(1, 0.7)
#' m$result()
#' @export
metric_binary_accuracy <- function(y_true, y_pred, threshold = 0.5, ..., name = "binary_accuracy",
                                   dtype = NULL) {
  make_metric("binary_accuracy", list(threshold = check_number(threshold)), y_true, y_pred, name,
              dtype, list(...))
}

#' @rdname metric_binary_accuracy
#' @export
metric_categorical_accuracy <- function(y_true, y_pred, ..., name = "categorical_accuracy",
                                        dtype = NULL) {
  make_metric("categorical_accuracy", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_accuracy
#' @export
metric_sparse_categorical_accuracy <- function(y_true, y_pred, ...,
                                               name = "sparse_categorical_accuracy",
                                               dtype = NULL) {
  make_metric("sparse_categorical_accuracy", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_accuracy
#' @export
metric_top_k_categorical_accuracy <- function(y_true, y_pred, k = 5L, ...,
                                              name = "top_k_categorical_accuracy", dtype = NULL) {
  make_metric("top_k_categorical_accuracy", list(k = check_count(k)), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_binary_accuracy
#' @export
metric_sparse_top_k_categorical_accuracy <- function(y_true, y_pred, k = 5L, ...,
                                                     name = "sparse_top_k_categorical_accuracy",
                                                     dtype = NULL, from_sorted_ids = FALSE) {
  check_unsupported(from_sorted_ids, FALSE)
  make_metric("sparse_top_k_categorical_accuracy", list(k = check_count(k)), y_true, y_pred, name,
              dtype, list(...))
}

#' Precision, recall and the counts behind them
#'
#' A prediction greater than the threshold says positive. All outputs are counted together, or those
#' of one class with `class_id`:
#' \deqn{\mbox{precision} = \frac{TP}{TP + FP}, \qquad \mbox{recall} = \frac{TP}{TP + FN}}{precision = TP / (TP + FP), recall = TP / (TP + FN)}
#' with 0 for 0/0. The counts weigh samples by `sample_weight`.
#'
#' @inheritParams metric_binary_accuracy
#' @param y_true Targets of the shape of `y_pred`, 0 or 1.
#' @param thresholds One number from 0 to 1, or `NULL` for 0.5. (Keras takes several; a metric here is
#'   one number.)
#' @param top_k Only `NULL`.
#' @param class_id The number of an output, from 0, or `NULL` for all.
#' @inherit metric_binary_accuracy return
#' @inheritSection metric_binary_accuracy Collecting batches
#' @references Keras 3: Precision, Recall, TruePositives, TrueNegatives, FalsePositives,
#'   FalseNegatives.
#' @family metrics
#' @examples
#' y <- c(1, 0, 1, 1)
#' p <- c(0.9, 0.8, 0.3, 0.6)
#' metric_precision(y, p)
#' metric_recall(y, p)
#' metric_recall(y, p, thresholds = 0.2)
#' metric_false_positives(y, p)
#' @export
metric_precision <- function(y_true, y_pred, ..., thresholds = NULL, top_k = NULL, class_id = NULL,
                             name = NULL, dtype = NULL) {
  check_unsupported(top_k)
  make_metric("precision", confusion_config(thresholds, class_id), y_true, y_pred, name, dtype,
              list(...))
}

confusion_config <- function(thresholds, class_id = NULL, call = rlang::caller_env()) {
  list(
    thresholds = check_number(thresholds, min = 0, max = 1, allow_null = TRUE, call = call),
    class_id = check_count(class_id, min = 0, allow_null = TRUE, call = call)
  )
}

#' @rdname metric_precision
#' @export
metric_recall <- function(y_true, y_pred, ..., thresholds = NULL, top_k = NULL, class_id = NULL,
                          name = NULL, dtype = NULL) {
  check_unsupported(top_k)
  make_metric("recall", confusion_config(thresholds, class_id), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_precision
#' @export
metric_true_positives <- function(y_true, y_pred, ..., thresholds = NULL, name = NULL,
                                  dtype = NULL) {
  make_metric("true_positives", confusion_config(thresholds), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_precision
#' @export
metric_true_negatives <- function(y_true, y_pred, ..., thresholds = NULL, name = NULL,
                                  dtype = NULL) {
  make_metric("true_negatives", confusion_config(thresholds), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_precision
#' @export
metric_false_positives <- function(y_true, y_pred, ..., thresholds = NULL, name = NULL,
                                   dtype = NULL) {
  make_metric("false_positives", confusion_config(thresholds), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_precision
#' @export
metric_false_negatives <- function(y_true, y_pred, ..., thresholds = NULL, name = NULL,
                                   dtype = NULL) {
  make_metric("false_negatives", confusion_config(thresholds), y_true, y_pred, name, dtype,
              list(...))
}

#' Area under the ROC or the precision-recall curve
#'
#' For the ROC curve the probability that a positive gets a larger prediction than a negative,
#' approximated at `num_thresholds` evenly spread thresholds from just below 0 to just above 1: so
#' that batches can be collected, and predictions must lie in \eqn{[0, 1]}. The columns of several
#' outputs are pooled.
#'
#' `"interpolation"` sums trapezoids for the ROC curve; for the PR curve it follows Davis and
#' Goadrich, precision not being linear in recall. `"minoring"` and `"majoring"` take the lower and
#' the higher side of each strip.
#'
#' @inheritParams metric_precision
#' @param num_thresholds How many thresholds, at least 2.
#' @param curve `"ROC"` or `"PR"`.
#' @param summation_method `"interpolation"`, `"minoring"` or `"majoring"`.
#' @param thresholds,num_labels,label_weights Only `NULL`.
#' @param multi_label Only `FALSE`: columns are pooled.
#' @param from_logits Are the predictions weighted sums, to be passed through a sigmoid?
#' @inherit metric_binary_accuracy return
#' @inheritSection metric_binary_accuracy Collecting batches
#' @references Davis and Goadrich (2006), The relationship between precision-recall and ROC curves.
#'   Keras 3: AUC.
#' @family metrics
#' @examples
#' y <- c(0, 0, 1, 1)
#' p <- c(0, 0.5, 0.3, 0.9)
#' metric_auc(y, p)
#' metric_auc(y, p, curve = "PR")
#' @export
metric_auc <- function(y_true, y_pred, ..., num_thresholds = 200L, curve = "ROC",
                       summation_method = "interpolation", name = NULL, dtype = NULL,
                       thresholds = NULL, multi_label = FALSE, num_labels = NULL,
                       label_weights = NULL, from_logits = FALSE) {
  check_unsupported(thresholds)
  check_unsupported(multi_label, FALSE)
  check_unsupported(num_labels)
  check_unsupported(label_weights)
  config <- list(
    num_thresholds = check_count(num_thresholds, min = 2, max = 1e6),
    curve = check_choice(curve, c("ROC", "PR")),
    summation_method = check_choice(summation_method, c("interpolation", "minoring", "majoring")),
    from_logits = check_flag(from_logits)
  )
  make_metric("auc", config, y_true, y_pred, name, dtype, list(...))
}

#' F scores
#'
#' The weighted harmonic mean of precision and recall,
#' \deqn{F_\beta = \frac{(1 + \beta^2)\, \mbox{precision} \cdot \mbox{recall}}{\beta^2\, \mbox{precision} + \mbox{recall}}}{F = (1 + beta^2) * precision * recall / (beta^2 * precision + recall)}
#' of each class; `metric_f1_score()` has \eqn{\beta = 1}{beta = 1}. A recall is worth
#' \eqn{\beta}{beta} times as much as a precision.
#'
#' Targets are one-hot or multi-hot rows, one column for each class. Keras' \eqn{10^{-7}} in the
#' divisors is there too, so a perfect score is a little below 1.
#'
#' @inheritParams metric_precision
#' @param average How the scores of the classes become one number: `"macro"`, their mean;
#'   `"weighted"`, their mean weighted by the number of targets; `"micro"`, the score of all counts
#'   together. `NULL`: the object's `$result()` and the value for arrays have a number for each class;
#'   in training, where a metric is one number, it is `"macro"`.
#' @param beta The weight of recall.
#' @param threshold Predictions greater than this say the class; `NULL`: the largest of a row does
#'   (a single column is compared with 0.5).
#' @inherit metric_binary_accuracy return
#' @inheritSection metric_binary_accuracy Collecting batches
#' @references van Rijsbergen (1979), Information retrieval. Keras 3: F1Score, FBetaScore.
#' @family metrics
#' @examples
#' y <- rbind(c(1, 0, 0), c(0, 1, 0), c(0, 0, 1), c(0, 1, 0))
#' p <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.8, 0.1), c(0.2, 0.6, 0.2), c(0.1, 0.6, 0.3))
#' metric_f1_score(y, p)
#' metric_f1_score(y, p, average = "macro")
#' metric_fbeta_score(y, p, average = "micro", beta = 2)
#' @export
metric_f1_score <- function(y_true, y_pred, ..., average = NULL, threshold = NULL,
                            name = "f1_score", dtype = NULL) {
  make_metric("f1_score", score_config(average, threshold), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_f1_score
#' @export
metric_fbeta_score <- function(y_true, y_pred, ..., average = NULL, beta = 1, threshold = NULL,
                               name = "fbeta_score", dtype = NULL) {
  config <- c(list(beta = check_number(beta, min = 1e-6, max = 1e6)),
              score_config(average, threshold))
  make_metric("fbeta_score", config, y_true, y_pred, name, dtype, list(...))
}

score_config <- function(average, threshold, call = rlang::caller_env()) {
  if (!is.null(average)) {
    check_choice(average, c("macro", "micro", "weighted"), call = call)
  }
  list(
    average = average,
    threshold = check_number(threshold, min = 0, max = 1, allow_null = TRUE, call = call)
  )
}

#' Metrics for numbers
#'
#' The mean over the samples of a loss: see [loss_mean_squared_error()] for the formulas of
#' `metric_mean_squared_error()` (`"mse"`), `metric_mean_absolute_error()` (`"mae"`),
#' `metric_mean_absolute_percentage_error()` (`"mape"`), `metric_mean_squared_logarithmic_error()`
#' (`"msle"`), `metric_log_cosh_error()` (also `metric_log_cosh()`) and `metric_huber()`.
#'
#' `metric_root_mean_squared_error()` (`"rmse"`) is the root of the mean over all data, not a mean of
#' roots. `metric_cosine_similarity()` is \eqn{+1} where targets and predictions point the same way,
#' the loss's opposite. `metric_r2_score()` is the share of the variance that is explained,
#' \deqn{R^2 = 1 - \frac{\sum_i (y_i - p_i)^2}{\sum_i (y_i - \bar y)^2}}{1 - sum((y - p)^2) / sum((y - mean(y))^2)}
#' for each output (0 where the targets do not vary), then the mean over the outputs; with
#' `num_regressors` \eqn{k > 0} adjusted to \eqn{1 - (1 - R^2)(n - 1)/(n - k - 1)}.
#'
#' @inheritParams metric_binary_accuracy
#' @param axis Only `-1`, the last dimension.
#' @param delta Where Huber's loss turns from squared to absolute.
#' @param class_aggregation `"uniform_average"`, the mean over the outputs, or
#'   `"variance_weighted_average"`, weighted by their variances.
#' @param num_regressors The number of predictors, for the adjusted form; 0 for the plain one.
#' @inherit metric_binary_accuracy return
#' @inheritSection metric_binary_accuracy Collecting batches
#' @references Keras 3: MeanSquaredError, RootMeanSquaredError, MeanAbsoluteError,
#'   MeanAbsolutePercentageError, MeanSquaredLogarithmicError, CosineSimilarity, LogCoshError, R2Score.
#' @family metrics
#' @examples
#' y <- c(1, 2, 3)
#' p <- c(1.1, 2, 5)
#' metric_mean_absolute_error(y, p)
#' metric_root_mean_squared_error(y, p)
#' metric_r2_score(y, p)
#' @export
metric_mean_squared_error <- function(y_true, y_pred, ..., name = "mean_squared_error",
                                      dtype = NULL) {
  make_metric("mean_squared_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_root_mean_squared_error <- function(y_true, y_pred, ..., name = "root_mean_squared_error",
                                           dtype = NULL) {
  make_metric("root_mean_squared_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_mean_absolute_error <- function(y_true, y_pred, ..., name = "mean_absolute_error",
                                       dtype = NULL) {
  make_metric("mean_absolute_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_mean_absolute_percentage_error <- function(y_true, y_pred, ...,
                                                  name = "mean_absolute_percentage_error",
                                                  dtype = NULL) {
  make_metric("mean_absolute_percentage_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_mean_squared_logarithmic_error <- function(y_true, y_pred, ...,
                                                  name = "mean_squared_logarithmic_error",
                                                  dtype = NULL) {
  make_metric("mean_squared_logarithmic_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_cosine_similarity <- function(y_true, y_pred, ..., name = "cosine_similarity", dtype = NULL,
                                     axis = -1L) {
  make_metric("cosine_similarity", list(), y_true, y_pred, name, dtype, list(...), axis)
}

#' @rdname metric_mean_squared_error
#' @export
metric_log_cosh_error <- function(y_true, y_pred, ..., name = "logcosh", dtype = NULL) {
  make_metric("log_cosh_error", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_log_cosh <- metric_log_cosh_error

#' @rdname metric_mean_squared_error
#' @export
metric_huber <- function(y_true, y_pred, delta = 1, ..., name = "huber", dtype = NULL) {
  make_metric("huber", list(delta = check_number(delta, min = 0)), y_true, y_pred, name, dtype,
              list(...))
}

#' @rdname metric_mean_squared_error
#' @export
metric_r2_score <- function(y_true, y_pred, ..., class_aggregation = "uniform_average",
                            num_regressors = 0L, name = "r2_score", dtype = NULL) {
  config <- list(
    class_aggregation = check_choice(class_aggregation,
                                     c("uniform_average", "variance_weighted_average")),
    num_regressors = check_count(num_regressors, min = 0)
  )
  make_metric("r2_score", config, y_true, y_pred, name, dtype, list(...))
}

#' Crossentropies, divergences and hinges as metrics
#'
#' The mean over the samples of the loss of the same name: see [loss_binary_crossentropy()],
#' [loss_categorical_crossentropy()], [loss_kl_divergence()] and [loss_hinge()] for the formulas. In
#' `compile()` the word `"crossentropy"` (or `"ce"`) picks one by the shapes, as `"accuracy"` does.
#'
#' @inheritParams metric_binary_accuracy
#' @inheritParams loss_binary_focal_crossentropy
#' @inheritParams loss_sparse_categorical_crossentropy
#' @param y_true Targets as the loss takes them.
#' @inherit metric_binary_accuracy return
#' @inheritSection metric_binary_accuracy Collecting batches
#' @references Keras 3: BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy,
#'   KLDivergence, Poisson, Hinge, SquaredHinge, CategoricalHinge.
#' @family metrics
#' @examples
#' metric_binary_crossentropy(c(1, 0), c(0.9, 0.2))
#' metric_sparse_categorical_crossentropy(c(0, 1), rbind(c(0.7, 0.3), c(0.4, 0.6)))
#' metric_poisson(c(2, 0), c(1.5, 0.2))
#' @export
metric_binary_crossentropy <- function(y_true, y_pred, from_logits = FALSE, label_smoothing = 0,
                                       axis = -1L, ..., name = "binary_crossentropy",
                                       dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_metric("binary_crossentropy", config, y_true, y_pred, name, dtype, list(...), axis)
}

#' @rdname metric_binary_crossentropy
#' @export
metric_categorical_crossentropy <- function(y_true, y_pred, from_logits = FALSE,
                                            label_smoothing = 0, axis = -1L, ...,
                                            name = "categorical_crossentropy", dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_metric("categorical_crossentropy", config, y_true, y_pred, name, dtype, list(...), axis)
}

#' @rdname metric_binary_crossentropy
#' @export
metric_sparse_categorical_crossentropy <- function(y_true, y_pred, from_logits = FALSE,
                                                   ignore_class = NULL, axis = -1L, ...,
                                                   name = "sparse_categorical_crossentropy",
                                                   dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    ignore_class = check_count(ignore_class, min = -1e6, max = 1e6, allow_null = TRUE)
  )
  make_metric("sparse_categorical_crossentropy", config, y_true, y_pred, name, dtype, list(...),
              axis)
}

#' @rdname metric_binary_crossentropy
#' @export
metric_binary_focal_crossentropy <- function(y_true, y_pred, apply_class_balancing = FALSE,
                                             alpha = 0.25, gamma = 2, from_logits = FALSE,
                                             label_smoothing = 0, axis = -1L, ...,
                                             name = "binary_focal_crossentropy", dtype = NULL) {
  config <- list(
    apply_class_balancing = check_flag(apply_class_balancing),
    alpha = check_number(alpha, min = 0, max = 1),
    gamma = check_number(gamma, min = 0),
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_metric("binary_focal_crossentropy", config, y_true, y_pred, name, dtype, list(...), axis)
}

#' @rdname metric_binary_crossentropy
#' @export
metric_categorical_focal_crossentropy <- function(y_true, y_pred, alpha = 0.25, gamma = 2,
                                                  from_logits = FALSE, label_smoothing = 0,
                                                  axis = -1L, ...,
                                                  name = "categorical_focal_crossentropy",
                                                  dtype = NULL) {
  config <- list(
    alpha = check_number(alpha, min = 0),
    gamma = check_number(gamma, min = 0),
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_metric("categorical_focal_crossentropy", config, y_true, y_pred, name, dtype, list(...),
              axis)
}

#' @rdname metric_binary_crossentropy
#' @export
metric_kl_divergence <- function(y_true, y_pred, ..., name = "kl_divergence", dtype = NULL) {
  make_metric("kl_divergence", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_crossentropy
#' @export
metric_poisson <- function(y_true, y_pred, ..., name = "poisson", dtype = NULL) {
  make_metric("poisson", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_crossentropy
#' @export
metric_hinge <- function(y_true, y_pred, ..., name = "hinge", dtype = NULL) {
  make_metric("hinge", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_crossentropy
#' @export
metric_squared_hinge <- function(y_true, y_pred, ..., name = "squared_hinge", dtype = NULL) {
  make_metric("squared_hinge", list(), y_true, y_pred, name, dtype, list(...))
}

#' @rdname metric_binary_crossentropy
#' @export
metric_categorical_hinge <- function(y_true, y_pred, ..., name = "categorical_hinge",
                                     dtype = NULL) {
  make_metric("categorical_hinge", list(), y_true, y_pred, name, dtype, list(...))
}

#' The mean of numbers
#'
#' Collects numbers, such as losses of batches, and gives their weighted mean
#' \eqn{\sum w_i v_i / \sum w_i}{sum(w * v) / sum(w)}. It compares nothing, so it is no metric to
#' compile a model with.
#'
#' @inheritParams metric_binary_accuracy
#' @return An object with `$update_state(values, sample_weight = NULL)`, `$result()` (0 before any
#'   number) and `$reset_state()`.
#' @references Keras 3: Mean.
#' @family metrics
#' @examples
#' m <- metric_mean()
#' m$update_state(c(1, 3))
#' m$update_state(5, sample_weight = 2)
#' m$result()
#' @export
metric_mean <- function(..., name = "mean", dtype = NULL) {
  check_no_dots(list(...))
  if (!is.null(dtype)) {
    check_choice(dtype, "float32")
  }
  self <- new.env(parent = topenv())
  self$type <- "mean"
  self$name <- check_string(name)
  self$config <- list(name = name)
  self$reset_state <- function() {
    self$total <- self$weight <- 0
    invisible(self)
  }
  self$update_state <- function(values, sample_weight = NULL) {
    values <- as.double(as_numbers(values, "values"))
    w <- if (is.null(sample_weight)) 1 else as_numbers(sample_weight, "sample_weight")
    if (!length(w) %in% c(1L, length(values))) {
      abort_argument("sample_weight", "one number, or one for each value", describe(w),
                     kind = "shape")
    }
    w <- rep_len(as.double(w), length(values))
    self$total <- self$total + sum(w * values)
    self$weight <- self$weight + sum(w)
    invisible(self)
  }
  self$result <- function() if (self$weight == 0) 0 else self$total / self$weight
  class(self) <- "lamina_metric"
  self$reset_state()
}

#' A metric of your own
#'
#' Wraps an R function of targets and predictions as a metric for `compile()`.
#'
#' The function sees whole batches as R arrays, samples first, and returns one number. In training
#' and in `evaluate()` the metric is the mean of these numbers over the batches, weighted by their
#' sizes: right for means over the samples, an approximation for others.
#'
#' @param name Its name in the history.
#' @param metric_fn An R function of `(y_true, y_pred)` that returns a number.
#' @return A `lamina_custom_metric`: a list of `name` and `fn`.
#' @family metrics
#' @examples
#' within_one <- custom_metric("within_one", function(y_true, y_pred) mean(abs(y_true - y_pred) <= 1))
#' within_one
#' @export
custom_metric <- function(name, metric_fn) {
  structure(
    list(name = check_string(name), fn = check_function(metric_fn)),
    class = "lamina_custom_metric"
  )
}

#' @export
print.lamina_custom_metric <- function(x, ...) {
  cat(sprintf("<custom metric %s>\n", x$name))
  invisible(x)
}
