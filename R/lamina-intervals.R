# Uncertainty of predictions: further networks trained as the fit was, and intervals from how they differ.
#
# fit$ensemble, or what train_ensemble() returns at predict() time, is a list:
#   method    "bootstrap" or "ensemble"
#   weights   one raw vector a network (see model_weights_raw()); the rest of a network is the same for all
#   noise     of a numeric outcome: variance of an observation about the mean, one number a column, and the
#             number of rows it comes from; NULL where no row was kept from the networks
# Nothing in it needs the data again, so that a fit with model = FALSE has its intervals too.

#' Uncertainty of predictions
#'
#' What `predict(fit, type = "conf_int")` and `"pred_int"` mean for a fit of [lamina()], how they are computed, and how
#' often they hold what they are to hold.
#'
#' @section Intervals:
#' A confidence interval (`"conf_int"`) is about the *mean* at given predictors, or the probability of a class:
#' had other rows been drawn from where the data come from, how differently would the curve run here? A prediction interval
#' (`"pred_int"`; numbers and counts) is about *one new observation* there: it adds how observations scatter about
#' their mean. Both are pointwise: 95 % of points, not the whole curve at once, and both say nothing of
#' predictors unlike those of the data, where all networks may be wrong together.
#'
#' A network has no formula for its standard error, so further networks are trained as the fit was, `times` of them:
#' * `method = "bootstrap"`: on rows drawn with replacement (Efron and Tibshirani 1993; for networks Tibshirani 1996 and
#'   Heskes 1997), within classes where there are any; each starts from weights of its own and holds out rows of its own.
#' * `method = "ensemble"`: on the same rows, with other initial weights, orders and held-out rows
#'   (Lakshminarayanan, Pritzel and Blundell 2017). It tells what training leaves to chance, *not* what
#'   other data would change: its confidence intervals are too short wherever a network has one best solution.
#'
#' With \eqn{f(x)} the prediction of the fit, which is in the middle of the interval, and \eqn{s(x)} the standard
#' deviation between the networks (or half the distance of the fit from their mean, where that is larger: a fit
#' that has ended in a poorer minimum than most of them lies far off),
#' \deqn{f(x) \pm t_{times-1} s(x)}
#' is the confidence interval, on the scale of the outcome for numbers, of the logarithm for counts, of the log
#' odds of each class against the others for classes. For numbers the prediction interval is
#' \deqn{f(x) \pm t_\nu \sqrt{s(x)^2 + \sigma^2},}
#' with \eqn{\sigma^2} from residuals of rows that the networks have not seen (out of the bootstrap sample, or
#' held out), less what their own sampling error adds, and \eqn{\nu} by Satterthwaite (1946). It takes the scatter
#' to be the same everywhere: where it is not, intervals are too wide at one end and too narrow at the other. For
#' counts the limits are quantiles of a mixture of Poisson distributions; counts that vary more than Poisson's
#' fall outside more often.
#'
#' Not covered is bias: a network stopped early, penalised or too small is drawn towards something simpler, and
#' an interval about a curve that is too flat misses its peaks.
#'
#' Each network costs about as much as the fit. `lamina(times = 50)` trains them along with it and keeps them (their
#' weights only), so that several calls agree; otherwise each call of `predict()` trains its own, with a message.
#' Randomness is R's: [set.seed()] fixes the intervals.
#'
#' @section Measured coverage:
#' Share of 200 new points within 95 % intervals, 50 networks, mean of 40 simulated data sets (2026-11-29; the standard
#' error of a mean is about 1 point for `conf_int`, 0.3 for `pred_int`): a plane of five predictors, a sine curve
#' of one, a surface of two, scatter that grows fivefold with the predictor, two classes. `bench/intervals.R` in the
#' repository repeats it.
#'
#' | problem | rows | network | bootstrap: conf_int | pred_int | ensemble: conf_int | pred_int |
#' |:--|--:|:--|--:|--:|--:|--:|
#' | plane | 50, 200, 1000 | default | 95, 98, 97 | 94, 95, 95 | 85, 90, 88 | 91, 94, 95 |
#' | plane | 50, 200, 1000 | bfgs, 5 tanh units | 95, 99, 99 | 94, 95, 95 | 91, 84, 69 | |
#' | plane | 50, 200, 1000 | bfgs, none | 93, 96, 96 | 95, 95, 95 | 0, 0, 0 | |
#' | sine | 50, 200, 1000 | default | 86, 97, 96 | 96, 95, 95 | 75, 84, 88 | 89, 94, 95 |
#' | sine | 50, 200, 1000 | bfgs, 5 tanh units | 91, 93, 87 | 94, 95, 95 | 5, 8, 19 | |
#' | surface | 100, 500 | default | 93, 92 | 95, 95 | 72, 77 | 92, 94 |
#' | surface | 100, 500 | bfgs, 5 tanh units | 95, 86 | 95, 95 | 53, 49 | |
#' | growing scatter | 200 | default | 97 | 94 | 87 | 93 |
#' | growing scatter | 200 | bfgs, 5 tanh units | 97 | 94 | 14 | |
#' | two classes | 200, 1000 | default | 94, 94 | | 74, 77 | |
#' | two classes | 200, 1000 | bfgs, 5 tanh units | 94, 85 | | 22, 14 | |
#'
#' So: bootstrap intervals of the mean hold 85 to 99 %, least where a penalty flattens a curve that many rows would
#' tell well; prediction intervals 94 to 96 %. An ensemble's confidence intervals do not hold what they say. (Its
#' `pred_int` needs held-out rows.)
#' @references
#' Efron, B. and Tibshirani, R. J. (1993). *An Introduction to the Bootstrap*. Chapman and Hall.
#'
#' Efron, B. (2004). The estimation of prediction error: covariance penalties and cross-validation. *Journal of the
#' American Statistical Association* 99, 619-632.
#'
#' Heskes, T. (1997). Practical confidence and prediction intervals. *Advances in Neural Information Processing
#' Systems* 9, 176-182.
#'
#' Lakshminarayanan, B., Pritzel, A. and Blundell, C. (2017). Simple and scalable predictive uncertainty estimation
#' using deep ensembles. *Advances in Neural Information Processing Systems* 30.
#'
#' Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. *Biometrics Bulletin*
#' 2, 110-114.
#'
#' Tibshirani, R. (1996). A comparison of some error estimates for neural network models. *Neural Computation* 8,
#' 152-163.
#'
#' Ye, J. (1998). On measuring and correcting the effects of data mining and model selection. *Journal of the American
#' Statistical Association* 93, 120-131.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(dist ~ speed, cars, hidden_units = 3, activation = "tanh", optimizer = "bfgs",
#'               penalty = 0.001, times = 30)
#' new <- data.frame(speed = c(5, 15, 25))
#' predict(fit, new, type = "conf_int")
#' predict(fit, new, type = "pred_int")
#' @name lamina_intervals
NULL

# Trains `times` networks beside the fit.  x: the scaled inputs, NULL: those of the data kept in the fit.
train_ensemble <- function(fit, times, method, call, x = NULL) {
  train <- refit_data(fit, x, call)
  settings <- refit_settings(fit$settings, method)
  residuals <- network_residuals(fit, train, method)
  bar <- if (fit$settings$verbose > 0 && can_draw_bar()) new_bar(times)
  seeds <- fold_seeds(times) # so that it does not matter who trains which
  state <- rng_state()
  on.exit({
    set_rng_state(state)
    if (!is.null(bar)) bar$clear()
  })
  interrupted <- FALSE
  train_one <- function(seed, ...) if (interrupted) NULL else refit_from_seed(seed, ...)
  each <- function(b, trained) {
    interrupted <<- interrupted || isTRUE(trained$interrupted)
    if (!is.null(bar)) bar$draw(b, sprintf("Network %d/%d", b, as.integer(times)), NULL)
  }
  alone <- is.null(find_workers()) # a worker is sent neither the caller's frame nor this one
  trained <- worker_lapply(seeds, if (alone) train_one else refit_from_seed, state,
                           unclass(fit)[c("task", "held_out", "settings")], settings, train, method, if (alone) call,
                           users = lapply(settings$callbacks, as.list), each = each)
  failed <- vapply(trained, inherits, NA, "condition")
  failure <- if (any(failed)) trained[[max(which(failed))]]
  trained <- trained[!failed & !vapply(trained, function(one) is.null(one) || isTRUE(one$interrupted), NA)]
  weights <- lapply(trained, `[[`, "weights")
  for (one in trained) residuals$add(one$weights, one$unseen)
  tell_lost_networks(length(weights), times, failure, call)
  if (length(weights) >= 2L) {
    list(method = method, weights = weights, noise = residuals$noise())
  }
}

# One network: list(weights, unseen), list(interrupted), or the condition that stopped it.
refit_from_seed <- function(seed, state, fit, settings, train, method, call) {
  from_seed(seed, state, {
    drawn <- refit_rows(fit, train, method)
    trained <- tryCatch(refit(fit$task, settings, train, drawn, call), lamina_error_numeric = identity)
    if (inherits(trained, "condition")) {
      trained
    } else if (trained$interrupted) {
      list(interrupted = TRUE)
    } else {
      list(weights = model_weights_raw(trained$network), unseen = drawn$unseen)
    }
  })
}

# What the fit was trained on: list(x, y, w, offset).
refit_data <- function(fit, x, call) {
  if (is.null(x)) {
    if (is.null(fit$train$data)) {
      abort_lamina(
        c("Intervals need further networks, and the fit has not kept the data to train them on.",
          i = "Fit with model = TRUE, or with `times = 50`, which trains the networks along with the fit."),
        "state", arg = "model", expected = "TRUE", actual = "FALSE", call = call
      )
    }
    x <- fit_inputs(fit, call)$x
  }
  list(x = x, y = fit$train$y, w = fit_weights(fit), offset = fit$train$offset)
}

# The settings of the fit, less what talks and writes.  Networks of an ensemble differ by their initial weights,
# those of a bootstrap start where the fit did: from `start` if that was given, else at random too, since
# the minimum that a random start leads to is part of what is uncertain (Tibshirani 1996).
refit_settings <- function(settings, method) {
  settings$verbose <- 0
  settings$keep_epochs <- FALSE
  writes <- vapply(settings$callbacks, inherits, NA, c("lamina_callback_csv_logger", "lamina_callback_model_checkpoint"))
  settings$callbacks <- settings$callbacks[!writes]
  if (method == "ensemble") settings["start"] <- list(NULL)
  settings
}

# The rows of one network: list(rows, held, unseen): rows of the fit, with repeats; which of these (by position)
# are held out; rows of the fit that its weights owe nothing to.
refit_rows <- function(fit, train, method) {
  n <- nrow(train$x)
  hold_out <- function(rows) {
    if (length(fit$held_out)) {
      rows[held_out_rows(outcome_strata(fit$task, take_rows(train$y, rows)), fit$settings$validation)]
    }
  }
  if (method == "ensemble") {
    held <- hold_out(seq_len(n))
    return(list(rows = seq_len(n), held = held, unseen = held))
  }
  counted <- which(train$w > 0)
  groups <- if (fit$task$kind == "classes") split(counted, as.character(train$y[counted])) else list(counted)
  rows <- unlist(lapply(groups, function(g) g[sample.int(length(g), replace = TRUE)]), use.names = FALSE)
  # drawn among the distinct rows: no row is trained on and held out at once
  list(rows = rows, held = which(rows %in% hold_out(unique(rows))), unseen = setdiff(seq_len(n), rows))
}

refit <- function(task, settings, train, drawn, call) {
  rows <- drawn$rows
  part <- list(x = train$x[rows, , drop = FALSE], y = take_rows(train$y, rows), w = train$w[rows],
               offset = train$offset[rows])
  train_once(settings, task, part, drawn$held, call)
}

tell_lost_networks <- function(trained, times, failure, call) {
  if (trained == times) {
    return(invisible())
  }
  text <- sprintf("%d of %d networks for intervals are trained", trained, as.integer(times))
  if (is.null(failure)) {
    warn_lamina(sprintf("Interrupted: %s.", text), "lamina_warning_interrupt")
  } else {
    warn_lamina(c(sprintf("%s.", text), x = conditionMessage(failure)), "lamina_warning_ensemble")
  }
}

# ---- the noise -----------------------------------------------------------------------------------

# Gathers, network by network, the residuals of the rows that it has seen and of those that it has not:
# add(weights, unseen) and noise().  Kept are sums, not the residuals themselves: rows x networks would be many.
network_residuals <- function(fit, train, method) {
  if (fit$task$kind != "numbers") {
    return(list(add = function(weights, unseen) NULL, noise = function() NULL))
  }
  y <- task_values(fit$task, train$y)
  nothing <- list(counts = numeric(nrow(y)), sums = 0 * y, squares = 0 * y)
  sums <- list(unseen = nothing, seen = nothing)
  gather <- function(s, e, rows) {
    s$counts[rows] <- s$counts[rows] + 1
    s$sums[rows, ] <- s$sums[rows, ] + e[rows, ]
    s$squares[rows, ] <- s$squares[rows, ] + e[rows, ]^2
    s
  }
  network <- twin_network(fit)
  add <- function(weights, unseen) {
    set_model_weights_raw(network, weights)
    e <- y - network_means(fit, train$x, train$offset, network)
    sums$unseen <<- gather(sums$unseen, e, unseen)
    if (method == "bootstrap") sums$seen <<- gather(sums$seen, e, setdiff(seq_len(nrow(y)), unseen))
  }
  list(add = add, noise = function() noise_variance(sums$unseen, if (method == "bootstrap") sums$seen, train$w))
}

# list(variance, rows): the mean square of the residuals r about the mean of the networks that have not seen the row.
# Taken off are what that mean, being one of few networks, adds to it (`within` / counts) and, for a bootstrap,
# what the fit's own sampling error adds, since that comes with the spread between the networks for each new
# row.  As lm() divides by n - p, not n, the mean square is multiplied by 1 - p / n; see effective_share().
noise_variance <- function(unseen, seen, w) {
  used <- unseen$counts > 0 & w > 0
  if (!any(used)) {
    return(NULL)
  }
  n <- unseen$counts[used]
  w <- w[used]
  means <- unseen$sums[used, , drop = FALSE] / n
  within <- pmax(colSums(unseen$squares[used, , drop = FALSE] - n * means^2) / max(sum(n - 1), 1), 0)
  by_chance <- within * sum(w / n) / sum(w)
  variance <- pmax(colSums(w * means^2) / sum(w) - by_chance, 0)
  if (!is.null(seen)) {
    gain <- means - seen$sums[used, , drop = FALSE] / seen$counts[used]
    variance <- variance * (1 - effective_share(means, gain, seen$counts[used] > 0, w, by_chance, variance))
  }
  list(variance = variance, rows = sum(used))
}

# p / n of networks, p being their effective number of parameters: the mean over the rows of the leverage, the share of
# a row's residual by which a network comes nearer when it has the row once more (Ye 1998, Efron 2004).  A row that
# is in a bootstrap sample is there 1 / (1 - 1 / e) times on average.
effective_share <- function(residuals, gain, both, w, by_chance, variance) {
  share <- (colSums((w * residuals * gain)[both, , drop = FALSE]) / sum(w[both]) - by_chance) * (1 - exp(-1)) / variance
  ifelse(is.finite(share), pmin(pmax(share, 0), 1), 0)
}

# ---- intervals -----------------------------------------------------------------------------------

# As described in ?lamina_intervals.  x, offset: scaled inputs and offset of the rows of newdata that are `ok`.
predicted_intervals <- function(fit, x, offset, ok, type, level, times, method, call) {
  check_times(times, call, allow_null = TRUE)
  if (type == "pred_int" && method == "ensemble" && is.null(fit$held_out)) {
    abort_argument("method", "\"bootstrap\" for a fit that holds out no rows: the spread of observations is measured on such",
                   "\"ensemble\"", call = call)
  }
  if (!any(ok)) {
    return(interval_array(fit$task, NULL, ok))
  }
  networks <- interval_networks(fit, times, method, type, call)
  scale <- interval_scale(fit$task, type)
  center <- scaled_predictions(fit, x, offset, fit$network, scale)
  spread <- between_networks(fit, networks$weights, x, offset, scale, center)
  limits <- if (type == "conf_int") {
    limits_of_mean(center, spread, scale, level)
  } else if (fit$task$kind == "counts") {
    limits_of_counts(center, spread, level)
  } else {
    limits_of_numbers(center, spread, networks$noise, level)
  }
  means <- network_means(fit, x, offset)
  if (ncol(means) > ncol(center)) means <- means[, 2L, drop = FALSE] # a softmax of two classes
  interval_array(fit$task, list(means, limits$lower, limits$upper), ok)
}

# At least two networks tell how networks differ.
check_times <- function(times, call, allow_null = FALSE, allow_none = FALSE) {
  times <- check_count(times, min = if (allow_none) 0 else 2, allow_null = allow_null, arg = "times", call = call)
  if (allow_none && times == 1) {
    abort_argument("times", "0, or at least 2 networks to compare", "1", call = call)
  }
  times
}

# The networks kept in the fit, as many as asked for, or new ones.
interval_networks <- function(fit, times, method, type, call) {
  kept <- fit$ensemble
  if (!is.null(kept) && kept$method == method && length(kept$weights) >= max(times, 2)) {
    if (!is.null(times)) kept$weights <- kept$weights[seq_len(times)]
    networks <- kept
  } else {
    times <- if (is.null(times)) 50 else times
    tell_training(times, method)
    networks <- train_ensemble(fit, times, method, call)
  }
  if (is.null(networks)) {
    abort_lamina("Intervals take two networks at least, and fewer are trained.", "state", arg = "times", call = call)
  }
  if (type == "pred_int" && fit$task$kind == "numbers" && is.null(networks$noise)) {
    abort_argument("times", "more: no row was left out of a network, to measure the spread of observations on", describe(times),
                   call = call)
  }
  networks
}

tell_training <- function(times, method) {
  inform_lamina(
    c(i = sprintf("Training %d networks for the intervals%s.", as.integer(times),
                  if (method == "bootstrap") ", on rows drawn with replacement" else ""),
      i = if (method == "bootstrap") {
        sprintf("`times = %d` in lamina() keeps them, so that several predict() calls agree.", as.integer(times))
      } else {
        "set.seed() before predict() makes several calls agree."
      }),
    "lamina_message_ensemble"
  )
}

# The scale on which networks are compared: where an interval may well be symmetric.
interval_scale <- function(task, type) {
  if (task$kind == "classes") {
    "logit"
  } else if (task$kind == "counts" || type == "conf_int" && task$activation == "exponential") {
    "log"
  } else {
    "identity"
  }
}

scaled_predictions <- function(fit, x, offset, network, scale) {
  switch(
    scale, identity = network_means(fit, x, offset, network), log = network_link(fit, x, offset, network),
    logit = class_logits(network_link(fit, x, offset, network))
  )
}

# Log odds of each class against the others together; of the second alone where there are two.
class_logits <- function(sums) {
  k <- ncol(sums)
  if (k == 1L) {
    return(sums)
  }
  odds <- vapply(if (k == 2L) 2L else seq_len(k), function(j) {
    others <- sums[, -j, drop = FALSE]
    most <- apply(others, 1L, max)
    sums[, j] - most - log(rowSums(exp(others - most)))
  }, numeric(nrow(sums)))
  matrix(odds, nrow(sums))
}

# list(sd, df): standard deviation between networks, a matrix like `center`, the predictions of the fit.  A fit that
# lies more than twice that from the mean of the networks has ended in a poorer minimum than most of them: half
# its distance takes the place of the standard deviation, so that the interval reaches to about the mean.
between_networks <- function(fit, weights, x, offset, scale, center) {
  network <- twin_network(fit)
  mean <- squares <- 0
  for (b in seq_along(weights)) {
    set_model_weights_raw(network, weights[[b]])
    value <- scaled_predictions(fit, x, offset, network, scale)
    step <- value - mean
    mean <- mean + step / b
    squares <- squares + step * (value - mean)
  }
  df <- length(weights) - 1
  list(sd = pmax(sqrt(squares / df), abs(center - mean) / 2), df = df)
}

# A network like the fit's, to hold other weights.
twin_network <- function(fit) {
  with_kept_seed({ # its initial weights are of no use, and R's random numbers are not to move
    copy <- clone_model(fit$network)
    net_ptr(copy)
    copy
  })
}

limits_of_mean <- function(center, spread, scale, level) {
  margin <- stats::qt((1 + level) / 2, spread$df) * spread$sd
  back <- switch(scale, identity = identity, log = exp, logit = stats::plogis)
  list(lower = back(center - margin), upper = back(center + margin))
}

# Degrees of freedom of the sum of the two variances by Satterthwaite (1946).
limits_of_numbers <- function(center, spread, noise, level) {
  n <- nrow(center)
  noise_variance <- rep(noise$variance, each = n)
  variance <- noise_variance + spread$sd^2
  df <- variance^2 / (noise_variance^2 / max(noise$rows - 1, 1) + spread$sd^4 / spread$df)
  margin <- ifelse(variance > 0, stats::qt((1 + level) / 2, pmax(df, 1, na.rm = TRUE)) * sqrt(variance), 0)
  list(lower = center - margin, upper = center + margin)
}

# Quantiles of a mixture of Poisson distributions whose log means have Student's distribution about that of the fit.
limits_of_counts <- function(center, spread, level, nodes = 100) {
  t <- stats::qt((seq_len(nodes) - 0.5) / nodes, spread$df)
  limits <- lapply(c(lower = (1 - level) / 2, upper = (1 + level) / 2), function(p) {
    q <- mixture_quantile(p, exp(pmin(as.vector(center) + outer(as.vector(spread$sd), t), log(1e9))))
    matrix(q, nrow(center))
  })
  limits
}

# The smallest count that a mixture of Poisson distributions stays at or below with probability p; means: a row a
# mixture.  It lies between the quantiles of the components.
mixture_quantile <- function(p, means) {
  low <- stats::qpois(p, apply(means, 1L, min))
  high <- stats::qpois(p, apply(means, 1L, max))
  while (any(open <- low < high)) {
    middle <- floor((low[open] + high[open]) / 2)
    enough <- rowMeans(matrix(stats::ppois(middle, means[open, , drop = FALSE]), length(middle))) >= p
    high[open][enough] <- middle[enough]
    low[open][!enough] <- middle[!enough] + 1
  }
  low
}

# parts: fit, lower and upper limit, matrices, for the rows that are ok.  A matrix of three columns for one outcome or
# two classes, else an array of rows x 3 x outcomes.
interval_array <- function(task, parts, ok) {
  names <- if (task$kind != "classes") task$outcomes else if (length(task$levels) > 2L) task$levels else ""
  out <- array(NA_real_, c(length(ok), 3L, length(names)), list(NULL, c("fit", "lwr", "upr"), names))
  for (i in seq_along(parts)) out[ok, i, ] <- parts[[i]]
  if (length(names) == 1L) matrix(out, length(ok), 3L, dimnames = dimnames(out)[1:2]) else out
}
