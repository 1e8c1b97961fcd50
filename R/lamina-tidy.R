# tidy(), glance() and augment() of a lamina() fit.

#' Tables of a fitted network
#'
#' `tidy()` gives its weights as a table, `glance()` one row about the whole fit, `augment()` data with
#' predictions beside them. The generics are those of package generics, which broom uses too.
#'
#' @param x A fit of [lamina()].
#' @param component What `tidy()` tells of: `"weights"`: one row a weight (for a fit without hidden layers the
#'   coefficients on the scale of the data); `"layers"`: one row a layer; `"history"`: one row an epoch and metric.
#' @param data,newdata Data to add to: those of the fit (default) or new ones.
#' @param ... Not used.
#' @return Tibbles. `tidy()`: `term`, `estimate`, and for networks `layer`, `from`, `to`; a `response` where the
#'   model has several outcomes or classes. `glance()`: the columns of broom's `glance()` of an [lm()], in their order, so
#'   that rows bind; `NA` where there is no such figure (a network has no F statistic, a loss that is no likelihood no
#'   AIC). `df` is the number of parameters without the variance, as it counts in [logLik()]. `augment()`: `.fitted`
#'   and, where the outcome is there, `.resid` for a numeric outcome; `.pred_class` and `.pred_<level>` for classes.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs")
#' tidy(fit)
#' glance(fit)
#' head(augment(fit))
#' @name lamina_tidy
NULL

#' @rdname lamina_tidy
#' @export
tidy.lamina_fit <- function(x, component = c("weights", "layers", "history"), ...) {
  component <- check_choice(component[1L], c("weights", "layers", "history"), arg = "component")
  tibble::as_tibble(switch(
    component,
    weights = if (is_linear_fit(x)) tidy_coefficients(linear_coefficients(x), x$task) else weight_table(x),
    layers = tidy_layers(x$network),
    history = as.data.frame(x$history)
  ))
}

tidy_coefficients <- function(coefs, task) {
  if (!is.matrix(coefs)) {
    return(data.frame(term = names(coefs), estimate = unname(coefs)))
  }
  by_row <- if (task$kind == "classes") t(coefs) else coefs # terms x responses
  data.frame(response = rep(colnames(by_row), each = nrow(by_row)), term = rep(rownames(by_row), ncol(by_row)),
             estimate = as.vector(by_row))
}

tidy_layers <- function(network) {
  info <- layer_info(network)
  pick <- function(f) vapply(info, f, "")
  data.frame(
    layer = pick(function(l) l$name), type = pick(function(l) l$class),
    output = pick(function(l) paste(l$output_shape, collapse = " x ")),
    activation = vapply(info, function(l) l$activation, NA_character_),
    parameters = vapply(info, function(l) as.integer(l$n_params), 0L)
  )
}

#' @rdname lamina_tidy
#' @export
glance.lamina_fit <- function(x, ...) {
  row <- list(r.squared = NA_real_, adj.r.squared = NA_real_, sigma = NA_real_, statistic = NA_real_, p.value = NA_real_,
              df = NA_real_, logLik = NA_real_, AIC = NA_real_, BIC = NA_real_, deviance = NA_real_,
              df.residual = as.integer(df.residual(x)), nobs = as.integer(nobs(x)))
  row$df <- free_parameters(x) - spread_parameters(x$task) - 1
  if (!is.null(x$task$family)) {
    l <- fit_likelihood(x)
    row$logLik <- l$log_lik
    row$AIC <- l$aic
    row$BIC <- -2 * l$log_lik + log(row$nobs) * l$df
    row$deviance <- l$deviance
    if (x$task$family == "gaussian" && x$task$units == 1) {
      row$r.squared <- 1 - l$deviance / l$null_deviance
      left <- row$df.residual
      if (left > 0) {
        row$adj.r.squared <- 1 - (1 - row$r.squared) * (row$nobs - 1) / left
        row$sigma <- sqrt(l$deviance / left)
      }
    }
  }
  tibble::as_tibble(row)
}

#' @rdname lamina_tidy
#' @export
augment.lamina_fit <- function(x, data = NULL, newdata = NULL, ...) {
  given <- if (is.null(newdata)) data else newdata
  means <- if (is.null(given)) x$fitted.values else spread_predictions(x, given)
  frame <- if (is.null(given)) fit_frame(x) else given
  added <- if (x$task$kind == "classes") augment_classes(x$task, means) else augment_numbers(x, means, frame)
  tibble::as_tibble(cbind(as.data.frame(frame), added))
}

# The data of the fit, with the outcome.
fit_frame <- function(fit) {
  data <- as.data.frame(require_data(fit))
  if (is.null(fit$formula) && !fit$outcome %in% names(data)) data[[fit$outcome]] <- fit$train$y
  data
}

spread_predictions <- function(fit, data) {
  out <- predict(fit, data, type = "response")
  if (is.null(dim(out))) matrix(out) else out
}

augment_classes <- function(task, means) {
  out <- list(.pred_class = predicted_classes(task, means))
  if (!gives_scores(task)) {
    p <- class_probabilities(task, means)
    out <- c(out, stats::setNames(as.list(as.data.frame(p)), paste0(".pred_", task$levels)))
  }
  data.frame(out, check.names = FALSE)
}

augment_numbers <- function(fit, means, frame) {
  if (fit$task$units > 1) {
    return(stats::setNames(as.data.frame(means), paste0(".fitted_", fit$task$outcomes)))
  }
  out <- data.frame(.fitted = means[, 1L])
  observed <- observed_outcome(fit, frame)
  if (!is.null(observed)) out$.resid <- observed - out$.fitted
  out
}

# The outcome in a data frame, or NULL when it is not there.
observed_outcome <- function(fit, frame) {
  y <- if (is.null(fit$formula)) {
    frame[[fit$outcome]]
  } else {
    tryCatch(eval(fit$formula[[2L]], as.list(frame), environment(fit$formula)), error = function(e) NULL)
  }
  if (is.numeric(y) && length(y) == nrow(frame)) y
}
