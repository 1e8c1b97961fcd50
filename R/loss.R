# Losses: values on R arrays, or objects to compile with.  The formulas are the core's
# (src/nn/losses/); a loss needs a constructor here only for its arguments and its help.

# Targets and predictions as numbers: factors are 0-based codes, data frames matrices.
as_numbers <- function(x, arg, call = rlang::caller_env()) {
  if (is.factor(x)) {
    return(as.integer(x) - 1L)
  }
  if (is.data.frame(x)) {
    x <- as.matrix(x)
  }
  if (!is.numeric(x) && !is.logical(x)) {
    abort_argument(arg, "a numeric array", describe(x), call = call)
  }
  x
}

check_last_axis <- function(axis, y_pred, call = rlang::caller_env()) {
  last <- if (missing(y_pred)) -1 else c(-1, length(dim(y_pred)))
  if (!is.numeric(axis) || length(axis) != 1L || !axis %in% last) {
    abort_argument("axis", "-1, the last one", describe(axis),
                   hint = c(i = "lamina takes losses along the last axis only."), call = call)
  }
}

reductions <- c("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none")

# The object when there are no arrays, else the values.
make_loss <- function(type, config, y_true, y_pred, reduction, name, dtype, dots, axis = -1L) {
  call <- rlang::caller_env()
  check_no_dots(dots, call = call)
  check_last_axis(axis, y_pred, call = call)
  if (!is.null(dtype)) {
    check_choice(dtype, "float32", arg = "dtype", call = call)
  }
  reduction <- if (is.null(reduction)) "none" else check_choice(reduction, reductions, call = call)
  config <- config[!vapply(config, is.null, NA)]
  if (missing(y_true) && missing(y_pred)) {
    loss <- new_spec("loss", type, config)
    loss$name <- check_string(name, allow_null = TRUE, call = call)
    loss$reduction <- reduction
    return(loss)
  }
  if (missing(y_true) || missing(y_pred)) {
    missed <- if (missing(y_true)) "y_true" else "y_pred"
    abort_argument(missed, "given together with the other one", "missing", call = call)
  }
  y_true <- as_numbers(y_true, "y_true", call)
  y_pred <- as_numbers(y_pred, "y_pred", call)
  values <- loss_values(list(type = type, config = config), y_true, y_pred)
  ignored <- config$ignore_class
  counted <- if (is.null(ignored)) length(values) else sum(y_true != ignored)
  switch(reduction, none = values, sum = sum(values), sum(values) / counted)
}

# One value for each sample (each position, for arrays of more than two dimensions).
loss_values <- function(spec, y_true, y_pred) {
  values <- .Call(ffi_loss_value, spec, y_true, y_pred)
  positions <- dim(y_pred)[-length(dim(y_pred))]
  if (length(positions) > 1L) aperm(array(values, rev(positions))) else values
}

# The gradient of each sample's loss by the predictions: an array like y_pred.
loss_gradient <- function(loss, y_true, y_pred) {
  .Call(ffi_loss_gradient, as_spec(loss, "loss"), as_numbers(y_true, "y_true"),
        as_numbers(y_pred, "y_pred"))
}

#' Losses for numbers
#'
#' How far predictions \eqn{p} are from numeric targets \eqn{y}: what training makes small. With arrays these
#' functions compute the loss; without, they give an object for the `loss` argument of
#' [compile()][compile.lamina_model], which also takes the names (`loss = "mse"`).
#'
#' Squared errors are the usual choice: their minimum is the least squares of [lm()], and the mean is predicted. With
#' absolute errors it is the median.
#'
#' Sums run over the \eqn{d} outputs of a sample (the last dimension), often only one; \eqn{e_j = p_j - y_j}.
#' The loss of several samples is the mean of theirs.
#'
#' | function | also called | loss of one sample |
#' |:--|:--|:--|
#' | `loss_mean_squared_error()` | `"mse"` | \eqn{\frac1d\sum_j e_j^2}{mean(e^2)} |
#' | `loss_mean_absolute_error()` | `"mae"` | \eqn{\frac1d\sum_j |e_j|}{mean(abs(e))} |
#' | `loss_mean_absolute_percentage_error()` | `"mape"` | \eqn{\frac{100}d\sum_j |e_j| / \max(|y_j|, 10^{-7})}{100 * mean(abs(e) / max(abs(y), 1e-7))} |
#' | `loss_mean_squared_logarithmic_error()` | `"msle"` | \eqn{\frac1d\sum_j (\log(1 + p_j) - \log(1 + y_j))^2}{mean((log(1 + p) - log(1 + y))^2)}, both taken as at least \eqn{10^{-7}} |
#' | `loss_huber()` | | \eqn{\frac1d\sum_j h(e_j)}{mean(h(e))} with \eqn{h(e) = e^2/2} for \eqn{|e| \le \delta}{abs(e) <= delta} and \eqn{\delta |e| - \delta^2/2}{delta * abs(e) - delta^2/2} beyond |
#' | `loss_log_cosh()` | `"logcosh"` | \eqn{\frac1d\sum_j \log\cosh e_j}{mean(log(cosh(e)))} |
#' | `loss_cosine_similarity()` | `"cosine_proximity"` | \eqn{-\frac{y \cdot p}{\|y\| \|p\|}}{-sum(y * p) / (|y| * |p|)}: \eqn{-1} when both point the same way |
#'
#' Squared errors punish outliers most, absolute errors least; Huber's loss and log-cosh are squared
#' near 0 and absolute far from it. Percentages need targets away from 0, logarithms ones of at least 0.
#'
#' @param y_true Targets: a vector (n samples of one output), a matrix (samples in rows) or an array
#'   of the shape of `y_pred`. Never recycled.
#' @param y_pred Predictions: a vector, matrix or array, samples first.
#' @param delta Size of the error at which Huber's loss turns from squared to absolute, in the units of the targets;
#'   at least 0.
#' @param axis Only `-1`, the last dimension.
#' @param ... Nothing; an argument that lamina does not have is an error.
#' @param reduction What is made of the samples' losses. `"sum_over_batch_size"` or `"mean"`: their mean; `"sum"`:
#'   their sum; `"none"` or `NULL`: nothing, one value for each sample (not for training).
#' @param name A name, kept in the object; it has no effect.
#' @param dtype Only `NULL` or `"float32"`.
#'
#' @return With arrays, a number, or with `reduction = "none"` one value for each sample (for arrays
#'   of more than two dimensions an array with the last one gone). Without arrays, a `lamina_loss`.
#'   A wrong argument raises `lamina_error_argument`, arrays that do not fit `lamina_error_shape`. In training,
#'   targets that a loss cannot take, such as negative ones of a logarithmic or Poisson loss, raise
#'   `lamina_error_data`.
#' @seealso [compile.lamina_model()], also for a loss of one's own; [metric_mean_squared_error()] for figures that are
#'   reported and not minimized.
#' @references Huber (1964), Robust estimation of a location parameter. The definitions are those of
#'   Keras 3: MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError,
#'   MeanSquaredLogarithmicError, Huber, LogCosh, CosineSimilarity.
#' @family losses
#' @examples
#' y <- c(1, 2, 3)
#' p <- c(1.1, 2, 5) # the last one is far off
#' loss_mean_squared_error(y, p) # mean((p - y)^2)
#' loss_mean_squared_error(y, p, reduction = "none")
#' c(squared = loss_mean_squared_error(y, p), absolute = loss_mean_absolute_error(y, p),
#'   huber = loss_huber(y, p, delta = 0.5), log_cosh = loss_log_cosh(y, p))
#' loss_cosine_similarity(rbind(c(1, 0)), rbind(c(1, 1))) # minus the cosine of 45 degrees
#'
#' # to train with
#' model <- keras_model_sequential(input_shape = 2) |> layer_dense(1)
#' model |> compile(optimizer = "adam", loss = loss_huber(delta = 2))
#' @export
loss_mean_squared_error <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                                    name = "mean_squared_error", dtype = NULL) {
  make_loss("mean_squared_error", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_mean_squared_error
#' @export
loss_mean_absolute_error <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                                     name = "mean_absolute_error", dtype = NULL) {
  make_loss("mean_absolute_error", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_mean_squared_error
#' @export
loss_mean_absolute_percentage_error <- function(y_true, y_pred, ...,
                                                reduction = "sum_over_batch_size",
                                                name = "mean_absolute_percentage_error",
                                                dtype = NULL) {
  make_loss("mean_absolute_percentage_error", list(), y_true, y_pred, reduction, name, dtype,
            list(...))
}

#' @rdname loss_mean_squared_error
#' @export
loss_mean_squared_logarithmic_error <- function(y_true, y_pred, ...,
                                                reduction = "sum_over_batch_size",
                                                name = "mean_squared_logarithmic_error",
                                                dtype = NULL) {
  make_loss("mean_squared_logarithmic_error", list(), y_true, y_pred, reduction, name, dtype,
            list(...))
}

#' @rdname loss_mean_squared_error
#' @export
loss_huber <- function(y_true, y_pred, delta = 1, ..., reduction = "sum_over_batch_size",
                       name = "huber_loss", dtype = NULL) {
  make_loss("huber", list(delta = check_number(delta, min = 0)), y_true, y_pred, reduction, name,
            dtype, list(...))
}

#' @rdname loss_mean_squared_error
#' @export
loss_log_cosh <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                          name = "log_cosh", dtype = NULL) {
  make_loss("log_cosh", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_mean_squared_error
#' @details `loss_logcosh()` and `loss_cosine_proximity()` are older names of `loss_log_cosh()` and
#'   `loss_cosine_similarity()`.
#' @export
loss_logcosh <- loss_log_cosh

#' @rdname loss_mean_squared_error
#' @export
loss_cosine_similarity <- function(y_true, y_pred, axis = -1L, ...,
                                   reduction = "sum_over_batch_size", name = "cosine_similarity",
                                   dtype = NULL) {
  make_loss("cosine_similarity", list(), y_true, y_pred, reduction, name, dtype, list(...), axis)
}

#' @rdname loss_mean_squared_error
#' @export
loss_cosine_proximity <- loss_cosine_similarity

#' Losses for two classes, or for several yes/no labels
#'
#' Binary crossentropy: the negative log-likelihood of 0/1 targets \eqn{y} when \eqn{p} is the
#' probability of 1. It goes with a last layer of sigmoid units: one for two classes, or one for each label where
#' several may hold at once. Without hidden layers that is the logistic regression of [glm()], whose deviance is 2 n
#' times the loss.
#' The focal form gives less weight to samples that are classified well already.
#'
#' In [compile()][compile.lamina_model] the names are `"binary_crossentropy"` (or `"bce"`) and
#' `"binary_focal_crossentropy"`.
#'
#' For one sample with \eqn{d} outputs
#' \deqn{-\frac1d\sum_j \left(y_j\log p_j + (1 - y_j)\log(1 - p_j)\right)}{-mean(y * log(p) + (1 - y) * log(1 - p))}
#' and for `loss_binary_focal_crossentropy()` each term is multiplied by \eqn{m_j^\gamma}{m^gamma},
#' where \eqn{m_j = y_j (1 - p_j) + (1 - y_j) p_j} is the probability not given to the label, and with
#' `apply_class_balancing` by \eqn{\alpha}{alpha} for the 1s and \eqn{1 - \alpha}{1 - alpha} for the
#' 0s.
#'
#' In the logarithms probabilities are clipped to \eqn{[10^{-7}, 1 - 10^{-7}]} in single precision, so no loss is
#' infinite. With `from_logits = TRUE` the predictions are the weighted sums \eqn{x} (the linear predictor, log odds)
#' with \eqn{p = 1 / (1 + e^{-x})}{p = 1 / (1 + exp(-x))}, nothing is clipped and nothing overflows; when a
#' network ends in a sigmoid, training does this by itself (not for the focal form).
#'
#' @inheritParams loss_mean_squared_error
#' @param y_true Targets, 0 or 1 (or probabilities); a logical, a two-level factor and a vector for
#'   one output will do.
#' @param y_pred Predicted probabilities, or weighted sums with `from_logits = TRUE`.
#' @param from_logits Whether the predictions are weighted sums (of a last layer without activation) instead of
#'   probabilities.
#' @param label_smoothing A number \eqn{s} from 0 to 1: targets become \eqn{y (1 - s) + s / 2}, so that the network
#'   is not pushed to probabilities of 0 and 1.
#' @param apply_class_balancing,alpha Whether to weigh the 1s with `alpha`, a number from 0 to 1, and the 0s with
#'   `1 - alpha`.
#' @param gamma How much less easy samples count; 0 gives the plain crossentropy.
#' @inherit loss_mean_squared_error return
#' @references Lin, Goyal, Girshick, He and Dollar (2017), Focal loss for dense object detection.
#'   Keras 3: BinaryCrossentropy, BinaryFocalCrossentropy.
#' @family losses
#' @examples
#' y <- c(1, 0, 1)
#' p <- c(0.9, 0.2, 0.6)
#' loss_binary_crossentropy(y, p)
#' -mean(y * log(p) + (1 - y) * log(1 - p)) # the same
#' loss_binary_crossentropy(y, qlogis(p), from_logits = TRUE) # and from log odds
#' loss_binary_crossentropy(y, p, label_smoothing = 0.1)
#' loss_binary_focal_crossentropy(y, p, gamma = 2)
#' @export
loss_binary_crossentropy <- function(y_true, y_pred, from_logits = FALSE, label_smoothing = 0,
                                     axis = -1L, ..., reduction = "sum_over_batch_size",
                                     name = "binary_crossentropy", dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_loss("binary_crossentropy", config, y_true, y_pred, reduction, name, dtype, list(...), axis)
}

#' @rdname loss_binary_crossentropy
#' @export
loss_binary_focal_crossentropy <- function(y_true, y_pred, apply_class_balancing = FALSE,
                                           alpha = 0.25, gamma = 2, from_logits = FALSE,
                                           label_smoothing = 0, axis = -1L, ...,
                                           reduction = "sum_over_batch_size",
                                           name = "binary_focal_crossentropy", dtype = NULL) {
  config <- list(
    apply_class_balancing = check_flag(apply_class_balancing),
    alpha = check_number(alpha, min = 0, max = 1),
    gamma = check_number(gamma, min = 0),
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_loss("binary_focal_crossentropy", config, y_true, y_pred, reduction, name, dtype, list(...),
            axis)
}

#' Losses for one of several classes
#'
#' Categorical crossentropy: the negative log-likelihood of the true class when \eqn{p_j} is the
#' probability of class \eqn{j}. It goes with a last layer of softmax units, one for each class; without hidden
#' layers that is multinomial logistic regression. The sparse form takes class numbers, the plain one one-hot rows,
#' which are 1 in the column of the class and 0 elsewhere (see [to_categorical()]); the value is the same. With both,
#' [fit()][fit.lamina_model] takes a factor as it is.
#'
#' In [compile()][compile.lamina_model] the names are those of the functions without `loss_`, such as
#' `"sparse_categorical_crossentropy"`.
#'
#' For one sample
#' \deqn{-\sum_j y_j\log q_j \qquad\mbox{or}\qquad -\log q_y}{-sum(y * log(q)) or -log(q[y])}
#' where \eqn{q = p / \sum_k p_k}{q = p / sum(p)}, clipped to \eqn{[10^{-7}, 1 - 10^{-7}]} in single
#' precision. `loss_categorical_focal_crossentropy()` multiplies each term by
#' \eqn{\alpha (1 - q_j)^\gamma}{alpha * (1 - q)^gamma}. With `from_logits = TRUE` the predictions are
#' the weighted sums \eqn{z} with \eqn{q = \mathrm{softmax}(z)}{q = softmax(z)}, nothing is clipped and
#' nothing overflows; when a network ends in a softmax, training does this by itself (not for the
#' focal form).
#'
#' @inheritParams loss_binary_crossentropy
#' @param y_true For the sparse form whole numbers from 0, one for each sample (a factor counts as its
#'   codes from 0); for the others one-hot rows or probabilities, of the shape of `y_pred`.
#' @param y_pred Predicted probabilities, one column for each class, or weighted sums with
#'   `from_logits = TRUE`.
#' @param label_smoothing A number \eqn{s} from 0 to 1: with \eqn{d} classes targets become
#'   \eqn{y (1 - s) + s / d}.
#' @param ignore_class A class number whose samples do not count, or `NULL`. The mean is then over
#'   the others.
#' @param alpha A factor on all of the focal loss, at least 0.
#' @return As [loss_mean_squared_error()]. A class number outside \eqn{0, ..., d - 1} raises
#'   `lamina_error_data`.
#' @references Lin, Goyal, Girshick, He and Dollar (2017), Focal loss for dense object detection.
#'   Keras 3: CategoricalCrossentropy, SparseCategoricalCrossentropy, CategoricalFocalCrossentropy.
#' @family losses
#' @examples
#' p <- rbind(c(0.7, 0.2, 0.1), c(0.1, 0.3, 0.6)) # two samples, three classes
#' loss_sparse_categorical_crossentropy(c(0, 2), p) # the first and the third class are right
#' loss_categorical_crossentropy(rbind(c(1, 0, 0), c(0, 0, 1)), p)
#' -mean(log(c(0.7, 0.6))) # all three the same
#' loss_sparse_categorical_crossentropy(c(0, 2), log(p), from_logits = TRUE)
#' loss_categorical_focal_crossentropy(rbind(c(1, 0, 0), c(0, 0, 1)), p)
#' @export
loss_categorical_crossentropy <- function(y_true, y_pred, from_logits = FALSE, label_smoothing = 0,
                                          axis = -1L, ..., reduction = "sum_over_batch_size",
                                          name = "categorical_crossentropy", dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_loss("categorical_crossentropy", config, y_true, y_pred, reduction, name, dtype, list(...),
            axis)
}

#' @rdname loss_categorical_crossentropy
#' @export
loss_sparse_categorical_crossentropy <- function(y_true, y_pred, from_logits = FALSE,
                                                 ignore_class = NULL, axis = -1L, ...,
                                                 reduction = "sum_over_batch_size",
                                                 name = "sparse_categorical_crossentropy",
                                                 dtype = NULL) {
  config <- list(
    from_logits = check_flag(from_logits),
    ignore_class = check_count(ignore_class, min = -1e6, max = 1e6, allow_null = TRUE)
  )
  make_loss("sparse_categorical_crossentropy", config, y_true, y_pred, reduction, name, dtype,
            list(...), axis)
}

#' @rdname loss_categorical_crossentropy
#' @export
loss_categorical_focal_crossentropy <- function(y_true, y_pred, alpha = 0.25, gamma = 2,
                                                from_logits = FALSE, label_smoothing = 0,
                                                axis = -1L, ...,
                                                reduction = "sum_over_batch_size",
                                                name = "categorical_focal_crossentropy",
                                                dtype = NULL) {
  config <- list(
    alpha = check_number(alpha, min = 0),
    gamma = check_number(gamma, min = 0),
    from_logits = check_flag(from_logits),
    label_smoothing = check_number(label_smoothing, min = 0, max = 1)
  )
  make_loss("categorical_focal_crossentropy", config, y_true, y_pred, reduction, name, dtype,
            list(...), axis)
}

#' Losses for distributions and counts
#'
#' `loss_kl_divergence()`: how much a distribution \eqn{p} loses against the true one \eqn{y}.
#' `loss_poisson()`: the negative log-likelihood of counts \eqn{y} with predicted means \eqn{p}, up to
#' a term without \eqn{p}, as in [glm()] with `family = poisson`; goes with a last layer of `"exponential"` (its
#' log link) or `"softplus"` units. The names for [compile()][compile.lamina_model] are `"kl_divergence"` (or
#' `"kld"`) and `"poisson"`.
#'
#' For one sample
#' \deqn{\sum_j y_j\log\frac{y_j}{p_j}}{sum(y * log(y / p))}
#' with both clipped to \eqn{[10^{-7}, 1]}, a sum and not a mean over the outputs, and
#' \deqn{\frac1d\sum_j \left(p_j - y_j\log(p_j + 10^{-7})\right).}{mean(p - y * log(p + 1e-7)).}
#'
#' `loss_kullback_leibler_divergence()` is an older name of `loss_kl_divergence()`.
#'
#' @inheritParams loss_mean_squared_error
#' @inherit loss_mean_squared_error return
#' @references Kullback and Leibler (1951), On information and sufficiency. Keras 3: KLDivergence,
#'   Poisson.
#' @family losses
#' @examples
#' loss_kl_divergence(rbind(c(0.5, 0.5)), rbind(c(0.9, 0.1)))
#' loss_poisson(c(2, 0, 1), c(1.5, 0.2, 1))
#' -mean(dpois(c(2, 0, 1), c(1.5, 0.2, 1), log = TRUE) + lfactorial(c(2, 0, 1))) # the same
#' @export
loss_kl_divergence <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                               name = "kl_divergence", dtype = NULL) {
  make_loss("kl_divergence", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_kl_divergence
#' @export
loss_kullback_leibler_divergence <- loss_kl_divergence

#' @rdname loss_kl_divergence
#' @export
loss_poisson <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size", name = "poisson",
                         dtype = NULL) {
  make_loss("poisson", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' Hinge losses
#'
#' The losses of support vector machines: 0 once a prediction is on the right side by a margin of 1.
#' They go with a last layer without activation, of one unit for two classes and of one for each class for
#' `loss_categorical_hinge()`. The network then gives scores, not probabilities: above 0 stands for label 1, the
#' largest score for the class. The names for [compile()][compile.lamina_model] are those of the functions without
#' `loss_`.
#'
#' For one sample, with labels \eqn{-1} and \eqn{1},
#' \deqn{\frac1d\sum_j \max(0, 1 - y_j p_j)}{mean(max(0, 1 - y * p))}
#' (`loss_squared_hinge()`: each term squared). Labels 0 and 1 are taken for \eqn{-1} and \eqn{1} when
#' all labels of the call (in training: of the batch) are 0 or 1. `loss_categorical_hinge()` takes
#' one-hot rows:
#' \deqn{\max\left(0,\ \max_j\, (1 - y_j) p_j - \sum_j y_j p_j + 1\right).}{max(0, max((1 - y) * p) - sum(y * p) + 1).}
#'
#' @inheritParams loss_mean_squared_error
#' @inherit loss_mean_squared_error return
#' @references C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20, 1995. Keras 3: Hinge,
#'   SquaredHinge, CategoricalHinge.
#' @family losses
#' @examples
#' loss_hinge(c(-1, 1), c(-0.5, 0.2)) # both are on the right side, by less than 1
#' loss_hinge(c(0, 1), c(-0.5, 0.2))  # the same with labels 0 and 1
#' loss_squared_hinge(c(-1, 1), c(-0.5, 0.2))
#' loss_categorical_hinge(rbind(c(0, 1, 0)), rbind(c(0.5, 0.8, 0.1)))
#' @export
loss_hinge <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size", name = "hinge",
                       dtype = NULL) {
  make_loss("hinge", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_hinge
#' @export
loss_squared_hinge <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                               name = "squared_hinge", dtype = NULL) {
  make_loss("squared_hinge", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

#' @rdname loss_hinge
#' @export
loss_categorical_hinge <- function(y_true, y_pred, ..., reduction = "sum_over_batch_size",
                                   name = "categorical_hinge", dtype = NULL) {
  make_loss("categorical_hinge", list(), y_true, y_pred, reduction, name, dtype, list(...))
}

# ---- a loss of one's own ------------------------------------------------------------------------

# fn(y_true, y_pred) gives list(value =, gradient =): one number, and its derivative by every
# prediction.  Checked once, on a few samples, before training.
check_custom_loss <- function(fn, y_true, y_pred, call = rlang::caller_env()) {
  here <- own_loss_result(fn, y_true, y_pred, call)
  for (i in few(length(y_pred))) {
    check_own_slope(function(p) fn(y_true, p)$value, y_pred, i, here$gradient, call)
  }
  check_uncoupled(fn, y_true, y_pred, here$value, call)
  invisible()
}

own_loss_result <- function(fn, y_true, y_pred, call) {
  out <- fn(y_true, y_pred)
  if (!is.list(out) || !all(c("value", "gradient") %in% names(out))) {
    abort_argument("loss", "a function that returns list(value =, gradient =)",
                   paste("one that returns", describe(out)), call = call)
  }
  value <- out$value
  if (!is.numeric(value) || length(value) != 1L || !is.finite(value)) {
    abort_argument("loss", "a function whose value is one finite number",
                   paste("one whose value is", describe(value)), call = call)
  }
  gradient <- out$gradient
  if (!is.numeric(gradient) || length(gradient) != length(y_pred) || anyNA(gradient)) {
    abort_argument("loss", sprintf("a function whose gradient has a number for each prediction (%d)",
                                   length(y_pred)),
                   paste("one whose gradient is", describe(gradient)), call = call)
  }
  list(value = as.double(value), gradient = as.double(gradient))
}

# At most 20 places of n, evenly spread: no random numbers are used up.
few <- function(n) unique(round(seq(1, n, length.out = min(n, 20))))

# One of the central and one-sided differences must agree with the gradient to 1 %: one-sided for
# kinks, a long step for functions that round to single precision, a short one for steep places.
check_own_slope <- function(value, y_pred, i, gradient, call) {
  moved <- function(by) {
    y_pred[[i]] <- y_pred[[i]] + by
    value(y_pred)
  }
  slopes <- c()
  for (h in c(1e-6, 1e-3) * max(1, abs(y_pred[[i]]))) {
    up <- (moved(h) - moved(0)) / h
    down <- (moved(0) - moved(-h)) / h
    slopes <- c(slopes, (up + down) / 2, up, down)
  }
  slopes <- slopes[is.finite(slopes)]
  given <- gradient[[i]]
  near <- abs(slopes - given) <= 0.01 * abs(given) + 1e-4 * max(abs(gradient)) + 1e-7
  if (!any(near)) {
    abort_argument(
      "loss", sprintf("a function whose gradient is the slope of its value, %s at prediction %d",
                      format(slopes[1L], digits = 6), i),
      format(given, digits = 6), call = call
    )
  }
}

# In training a loss is a mean (or a sum) over the samples: each sample's own loss must make it up.
check_uncoupled <- function(fn, y_true, y_pred, value, call) {
  n <- if (is.null(dim(y_pred))) length(y_pred) else dim(y_pred)[1L]
  if (n < 2) {
    return(invisible())
  }
  one <- function(i) fn(sample_of(y_true, i), sample_of(y_pred, i))$value
  alone <- vapply(seq_len(n), one, 0)
  same <- function(a) abs(a - value) <= 1e-6 * max(1, abs(value), abs(alone))
  if (!same(mean(alone)) && !same(sum(alone))) {
    abort_argument("loss", "a mean or a sum of the samples' own losses",
                   "a function that couples the samples", call = call)
  }
}

sample_of <- function(x, i) {
  if (is.null(dim(x))) {
    return(x[i])
  }
  array(x[slice.index(x, 1L) == i], c(1L, dim(x)[-1L]))
}
