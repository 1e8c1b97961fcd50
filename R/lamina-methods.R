# What R's functions for fitted models find in a lamina() fit.

#' A fitted network, printed and summarised
#'
#' `print()` tells the task, the network, how training ended, and the loss beside that of the model without
#' predictors. `summary()` adds the table of layers, the likelihood where there is one, and which
#' predictors matter ([importance()], from 5 shuffles of at most 2,000 rows).
#'
#' @param x,object A fit of [lamina()].
#' @param ... Not used.
#' @return `print()` its argument, invisibly; `summary()` an object with a print method: a list of `call`, `task`,
#'   `layers`, `parameters`, `figures`, `likelihood`, `training` and `importance`.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 60)
#' fit
#' summary(fit)
#' @export
print.lamina_fit <- function(x, ...) {
  cat(fit_lines(x), sep = "\n")
  invisible(x)
}

fit_lines <- function(fit) {
  c(fit_title(fit), "", call_lines(fit$call), "", training_line(fit), figure_line(fit), missing_line(fit))
}

fit_title <- function(fit) {
  sprintf("Network %s for %s", network_text(fit), task_text(fit))
}

# "4-8-3 (relu)", "4-3 without hidden layers".
network_text <- function(fit) {
  settings <- fit$settings
  if (!is.null(settings$layers)) {
    return(sprintf("of %d layers", length(model_layers(fit$network))))
  }
  sizes <- paste(c(length(fit$predictors), settings$hidden_units, fit$task$units), collapse = "-")
  if (length(settings$hidden_units) == 0L) {
    return(paste(sizes, "without hidden layers"))
  }
  names <- unique(vapply(settings$activation, function(a) layer_activation_name(a), ""))
  sprintf("%s (%s)", sizes, paste(names, collapse = ", "))
}

layer_activation_name <- function(x) {
  spec <- as_activation(x, arg = "activation")
  if (is.null(spec)) "linear" else gsub("_", " ", spec$type)
}

task_text <- function(fit) {
  task <- fit$task
  switch(
    task$kind,
    classes = sprintf("the classes of %s: %s", fit$outcome, shorten(task$levels)),
    counts = sprintf("the counts %s", fit$outcome),
    if (length(task$outcomes) > 1L) sprintf("%d numbers: %s", length(task$outcomes), shorten(task$outcomes)) else fit$outcome
  )
}

shorten <- function(x, most = 6L) {
  paste(c(utils::head(x, most), if (length(x) > most) sprintf("... (%d in all)", length(x))), collapse = ", ")
}

call_lines <- function(call) {
  lines <- deparse(call, width.cutoff = min(getOption("width"), 100L))
  if (length(lines) > 8L) c(lines[1:8], "  ...") else lines
}

training_line <- function(fit) {
  t <- fit$training
  unit <- if (identical(fit$settings$optimizer, "bfgs")) "iteration" else "epoch"
  n <- nrow(fit$fitted.values)
  rows <- if (is.null(fit$held_out)) sprintf("%d rows", n) else sprintf("%d rows, %d of them held out", n, length(fit$held_out))
  ended <- if (t$interrupted) {
    "interrupted"
  } else if (t$converged) {
    if (is.null(fit$held_out)) "converged" else "no gain any more"
  } else {
    "all that were allowed"
  }
  best <- if (t$best_epoch != t$epochs) sprintf(", weights of %s %d", unit, t$best_epoch)
  sprintf("%d weights, %s; %d %s%s (%s)%s", count_params(fit$network), rows, t$epochs, unit,
          if (t$epochs == 1) "" else "s", ended, if (is.null(best)) "" else best)
}

# "Log loss: 0.062 (0.189 on the rows held out); 1.099 without predictors"
figure_line <- function(fit) {
  f <- fit$figures
  number <- function(v) format(signif(v, 4L))
  line <- sprintf("%s%s: %s", toupper(substr(f$name, 1L, 1L)), substring(f$name, 2L), number(f$fit))
  if (!is.null(f$held)) line <- sprintf("%s (%s on the rows held out)", line, number(f$held))
  if (is.na(f$null)) line else sprintf("%s; %s without predictors", line, number(f$null))
}

missing_line <- function(fit) {
  if (length(fit$na.action)) {
    sprintf("(%d %s left out for missing values)", length(fit$na.action), if (length(fit$na.action) == 1L) "row was" else "rows were")
  }
}

#' @rdname print.lamina_fit
#' @export
summary.lamina_fit <- function(object, ...) {
  check_no_dots(list(...))
  kept <- !is.null(object$train$data)
  structure(
    list(
      call = object$call, title = fit_title(object), task = object$task$kind, layers = format(object$network),
      parameters = count_params(object$network), figures = object$figures,
      lines = c(training_line(object), figure_line(object), missing_line(object)),
      likelihood = if (!is.null(object$task$family)) fit_likelihood(object), training = object$training,
      importance = if (kept) with_kept_seed(importance(object, times = 5, rows = 2000))
    ),
    class = "summary.lamina_fit"
  )
}

# Runs code without moving R's random numbers.
with_kept_seed <- function(code) {
  old <- get0(".Random.seed", envir = globalenv(), inherits = FALSE)
  on.exit(if (is.null(old)) {
    rm(list = ".Random.seed", envir = globalenv())
  } else {
    assign(".Random.seed", old, envir = globalenv())
  })
  set.seed(1L)
  code
}

#' @export
print.summary.lamina_fit <- function(x, ...) {
  cat(x$title, "", call_lines(x$call), "", x$layers, "", x$lines, sep = "\n")
  if (!is.null(x$likelihood)) {
    l <- x$likelihood
    cat(sprintf("Log-likelihood %s on %d parameters, AIC %s\n", format(signif(l$log_lik, 6L)), l$df, format(signif(l$aic, 6L))))
  }
  if (!is.null(x$importance)) {
    cat("\n")
    print(x$importance, n = 10L)
  }
  invisible(x)
}

# list(log_lik, df, deviance, null_deviance, aic) over all rows of the fit, held out or not.
fit_likelihood <- function(fit, call = rlang::caller_env()) {
  task <- fit$task
  family <- task_family(task)
  if (is.null(family)) {
    abort_lamina(
      c(sprintf("The %s loss is no likelihood.", task$loss_name),
        i = "Likelihoods come with family = gaussian(), binomial() or poisson(), and for factors by default."),
      "state", arg = "object", expected = "a fit by likelihood", actual = task$loss_name, call = call
    )
  }
  y <- task_values(task, fit$train$y)
  w <- fit_weights(fit)
  ll <- family$log_lik(y, fit$fitted.values, w)
  df <- free_parameters(fit)
  list(log_lik = ll, df = df, deviance = family$deviance(y, fit$fitted.values, w),
       null_deviance = family$deviance(y, null_means(fit, w), w), aic = -2 * ll + 2 * df)
}

fit_weights <- function(fit) if (is.null(fit$train$weights)) rep(1, nrow(fit$fitted.values)) else fit$train$weights

# Weights that are trained, less those that a softmax has too many (adding a constant to all its sums changes
# nothing), and the variances of a Gaussian.
free_parameters <- function(fit) {
  weights <- get_weights(fit$network, trainable = TRUE)
  n <- sum(lengths(weights))
  if (fit$task$activation == "softmax") {
    n <- n - nrow(weights[[length(weights) - 1L]]) - 1
  }
  n + spread_parameters(fit$task)
}

spread_parameters <- function(task) if (isTRUE(task_family(task)$spread)) task$units else 0

#' Methods for fitted networks
#'
#' The functions that R has for fitted models, for fits of [lamina()].
#'
#' * `coef()`: without hidden layers the coefficients on the scale of the data, as [lm()], [glm()] or
#'   [nnet::multinom()] (a row for each class but the first) give them; otherwise all weights, named by where
#'   they lead from and to, on the scale that the network is trained on (standardised predictors).
#' * `fitted()`, `residuals()`: by rows of the fit, those held out included; with `na.action = na.exclude` there is an
#'   NA in the place of rows left out. Residuals are `"response"` (observed less fitted; for classes a matrix of
#'   indicators less probabilities, for two classes 0 and 1 less the probability of the second), `"deviance"` or
#'   `"pearson"`.
#' * `logLik()`, `deviance()`, and with them [AIC()] and [BIC()], are over all rows, where the loss is a likelihood.
#'   The parameters counted are the trained weights, less those a softmax has too many, plus the
#'   variance of a Gaussian. A network that was stopped early or penalised is not at the maximum of its likelihood,
#'   and its weights do not all count in full: AIC then compares with caution.
#' * `weights()`: the case weights, as for [lm()]. The network's are `coef()` and `get_weights(fit$network)`.
#' * `nobs()`, `formula()`, `model.frame()`, `family()`, `df.residual()`; [update()] fits again with other arguments.
#'
#' @param object,x,formula A fit.
#' @param type Kind of residuals.
#' @param ... Not used.
#' @return What the generic returns for [lm()] and [glm()].
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(dist ~ speed, cars, hidden_units = 0, optimizer = "bfgs")
#' coef(fit)
#' logLik(fit)
#' AIC(fit, lm(dist ~ speed, cars))
#' update(fit, hidden_units = 3, penalty = 0.01)
#' @name lamina_methods
NULL

#' @rdname lamina_methods
#' @importFrom stats coef
#' @export
coef.lamina_fit <- function(object, ...) {
  if (is_linear_fit(object)) linear_coefficients(object) else named_network_weights(object)
}

is_linear_fit <- function(fit) is.null(fit$settings$layers) && length(fit$settings$hidden_units) == 0L

# Of the model without hidden layers, on the scale of the data.
linear_coefficients <- function(fit) {
  task <- fit$task
  weights <- get_weights(fit$network)
  slopes <- weights[[1L]] / fit$scaling$scale # row j by the scale of predictor j
  intercept <- as.vector(weights[[2L]]) - colSums(slopes * fit$scaling$center)
  table <- rbind(`(Intercept)` = intercept, slopes)
  table <- table * rep(task$scale, each = nrow(table))
  table[1L, ] <- table[1L, ] + task$center
  rownames(table) <- c("(Intercept)", fit$predictors)
  if (task$units == 1) {
    return(table[, 1L])
  }
  if (task$kind != "classes") {
    colnames(table) <- task$outcomes
    return(table)
  }
  # a softmax is the same when a constant is added to all classes: the first is the reference
  out <- t(table[, -1L, drop = FALSE] - table[, 1L])
  rownames(out) <- task$levels[-1L]
  out
}

# Weights with names such as "Sepal.Length -> dense[1]" and "bias -> output[setosa]".
named_network_weights <- function(fit) {
  table <- weight_table(fit)
  stats::setNames(table$estimate, table$term)
}

# One row a weight: term, layer, from, to, estimate.
weight_table <- function(fit) {
  weights <- get_weights(fit$network)
  owner <- weight_owner(fit$network)
  layers <- model_layers(fit$network)
  before <- fit$predictors
  rows <- list()
  for (i in seq_along(layers)) {
    self <- layer_self(layers[[i]])
    mine <- weights[owner == i]
    names <- fit$network$info[[i]]$weight_names
    units <- layer_units(fit, i)
    for (k in seq_along(mine)) {
      rows <- c(rows, list(weight_rows(mine[[k]], names[k], self, before, units)))
    }
    if (!is.null(units)) before <- units
  }
  do.call(rbind, rows)
}

# Names of a layer's outputs: the classes or outcomes for the last, NULL where it keeps those before.
layer_units <- function(fit, i) {
  if (i == length(fit$network$info)) {
    return(output_names(fit$task))
  }
  self <- layer_self(model_layers(fit$network)[[i]])
  n <- utils::tail(fit$network$info[[i]]$output_shape, 1L)
  if (self$type %in% merged_types) NULL else sprintf("%s[%d]", self$name, seq_len(n))
}

# before, units: names of what goes into the layer and what comes out.
weight_rows <- function(w, name, self, before, units) {
  dims <- if (is.null(dim(w))) length(w) else dim(w)
  if (self$type == "dense" && name == "kernel") {
    if (length(before) != dims[1L]) before <- sprintf("input[%d]", seq_len(dims[1L]))
    from <- rep(before, times = dims[2L])
    to <- rep(units, each = dims[1L])
    term <- paste(from, "->", to)
  } else if (self$type == "dense") {
    from <- "bias"
    to <- units
    term <- paste("bias ->", units)
  } else {
    from <- paste(self$name, name)
    to <- apply(arrayInd(seq_along(w), dims), 1L, paste, collapse = ",")
    term <- sprintf("%s[%s]", from, to)
  }
  data.frame(term = term, layer = self$name, from = from, to = to, estimate = as.vector(w))
}

#' @rdname lamina_methods
#' @importFrom stats weights
#' @export
weights.lamina_fit <- function(object, ...) object$train$weights

#' @rdname lamina_methods
#' @importFrom stats fitted
#' @export
fitted.lamina_fit <- function(object, ...) {
  means <- object$fitted.values
  stats::naresid(object$na.action, if (ncol(means) == 1L) as.vector(means) else means)
}

#' @rdname lamina_methods
#' @importFrom stats residuals
#' @export
residuals.lamina_fit <- function(object, type = c("response", "deviance", "pearson"), ...) {
  type <- check_choice(type[1L], c("response", "deviance", "pearson"), arg = "type")
  task <- object$task
  y <- task_values(task, object$train$y)
  mu <- object$fitted.values
  w <- fit_weights(object)
  if (gives_scores(task)) {
    abort_lamina(sprintf("The %s loss gives scores, which leave no residuals.", task$loss_name), "state", call = rlang::current_env())
  }
  plain <- if (task$kind == "classes" && ncol(mu) > 1L) to_categorical(y, ncol(mu)) - mu else as.matrix(y) - mu
  out <- switch(type, response = plain, deviance = deviance_residuals(object, y, mu, w, plain),
                pearson = plain * sqrt(w) / pearson_spread(task, mu))
  stats::naresid(object$na.action, if (ncol(out) == 1L) as.vector(out) else out)
}

pearson_spread <- function(task, mu) {
  switch(task$kind, classes = sqrt(mu * (1 - mu)), counts = sqrt(mu), 1)
}

# Signed roots of what each row adds to the deviance; for several classes one column.
deviance_residuals <- function(fit, y, mu, w, plain) {
  family <- task_family(fit$task)
  if (is.null(family)) {
    fit_likelihood(fit)
  }
  each <- vapply(seq_along(w), function(i) family$deviance(take_rows(y, i), mu[i, , drop = FALSE], w[i]), 0)
  sign <- if (ncol(plain) == 1L) sign(plain[, 1L]) else 1
  matrix(sign * sqrt(pmax(each, 0)))
}

#' @rdname lamina_methods
#' @importFrom stats nobs
#' @export
nobs.lamina_fit <- function(object, ...) sum(fit_weights(object) > 0)

#' @rdname lamina_methods
#' @importFrom stats logLik
#' @export
logLik.lamina_fit <- function(object, ...) {
  l <- fit_likelihood(object)
  structure(l$log_lik, df = l$df, nobs = nobs(object), class = "logLik")
}

#' @rdname lamina_methods
#' @importFrom stats deviance
#' @export
deviance.lamina_fit <- function(object, ...) fit_likelihood(object)$deviance

#' @rdname lamina_methods
#' @importFrom stats df.residual
#' @export
df.residual.lamina_fit <- function(object, ...) {
  nobs(object) - (free_parameters(object) - spread_parameters(object$task))
}

#' @rdname lamina_methods
#' @importFrom stats formula
#' @export
formula.lamina_fit <- function(x, ...) {
  if (is.null(x$formula)) {
    abort_lamina("The fit was not made by a formula.", "state", arg = "x", expected = "a formula", actual = "none")
  }
  x$formula
}

#' @rdname lamina_methods
#' @importFrom stats model.frame
#' @export
model.frame.lamina_fit <- function(formula, ...) {
  data <- require_data(formula)
  frame <- if (!is.null(formula$formula)) {
    stats::model.frame(formula$formula, data, na.action = stats::na.pass)
  } else {
    data.frame(stats::setNames(list(formula$train$y), formula$outcome), data, check.names = FALSE)
  }
  if (!is.null(formula$train$weights)) frame[["(weights)"]] <- formula$train$weights
  frame
}

#' @rdname lamina_methods
#' @importFrom stats family
#' @export
family.lamina_fit <- function(object, ...) {
  switch(
    if (is.null(object$task$family)) "" else object$task$family,
    gaussian = stats::gaussian(), binomial = stats::binomial(), poisson = stats::poisson(),
    abort_lamina("Only Gaussian, binomial and Poisson fits have a family object.", "state")
  )
}
