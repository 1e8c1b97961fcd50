# Models side by side: each fitted and judged on the same folds.

#' Compare models by resampling
#'
#' Which of several models predicts new rows best? The data are cut into folds; each fold is held out once, every model
#' is fitted to the other rows and predicts the ones held out (cross-validation; other ways of resampling, such as
#' the bootstrap, will do). So the models are measured on rows that they have not seen, all on the same, and
#' the differences between them are taken fold by fold.
#'
#' The printed table marks the best mean with a star and says of each difference to the first model whether it is
#' `better`, `worse`, or, where the interval holds 0, `may be chance`.
#'
#' In each fold a model is fitted again to the rows for training (the analysis rows of rsample) and to
#' nothing else, so scaling, levels and imputation that belong to the model come from these rows. It is
#' then handed the rows held out, in which the outcome has been overwritten with that of a row of training,
#' so that no model can look it up.
#'
#' Random numbers: folds that are asked for by number come from R's generator, as those of
#' [rsample::vfold_cv()] do. One more draw gives each fold a seed, from which every model in the fold
#' starts. So what one model gives does not depend on which other models are compared, or in which order,
#' and R's generator moves on by that one draw. Where [workers][lamina_workers] have been set up (`future::plan()`,
#' `mirai::daemons()`), they share the fits; the results are the same.
#'
#' Missing values: rows without an outcome are neither trained on nor predicted. Rows with other gaps go
#' to the models, which drop them, use them or fail as they do by themselves. A row that a model does not
#' predict (NA) does not count for this model, and a warning says how many there were: the model is then
#' measured on fewer rows than others, perhaps on the easier ones.
#'
#' @section Models:
#' `models` is a named list. An entry may be
#' * a function of `(formula, data)`: `lm`, `rpart::rpart`, [lamina], or one of one's own such as
#'   `function(formula, data) lamina(formula, data, hidden_units = 8)`. Some functions, given
#'   alone, get what they need from the outcome: `glm` (the binomial family for a factor of two levels,
#'   the gaussian for numbers), `nnet::nnet` (`size = 5`, `linout = TRUE` for numbers, no trace, no limit
#'   on weights, nnet's defaults otherwise), `nnet::multinom` (no trace, no limit).
#' * a fitted model with a call that has a formula and data, as those of `lm()`, `glm()`, `nnet()`,
#'   `rpart()`, `lda()`, `randomForest()`, `lamina()` have: it is fitted again by this call, with its own formula,
#'   which must have the same outcome. Weights in the call must be columns of `data`.
#' * a specification of parsnip (its mode is set by the outcome if it has none) or a workflow, fitted or not.
#' * `list(fit = function(formula, data), predict = function(model, newdata))`. `predict()` gives a number
#'   for each row; for classes a factor, or probabilities in a matrix or data frame with a column a level (one
#'   column, or a vector: those of the second of two levels), or `list(class = , prob = )` of both.
#'
#' Predictions of models that lamina does not know, as those of functions of one's own may be, are taken
#' from `predict()` with and without `type = "class"` and `"prob"`, as far as they are numbers, classes of
#' the outcome, or columns named by them. A model without probabilities has NA in the metrics that need them.
#'
#' @section The interval:
#' Training sets overlap, so the values of the folds are not independent and the usual t interval is too short.
#' With the differences \eqn{d_1, \dots, d_k} to the first model in k folds, their mean and their
#' variance \eqn{s^2}, the interval is
#' \deqn{\bar d \pm t_{k-1} \sqrt{(1/k + n_{test}/n_{train}) s^2},}
#' as Nadeau and Bengio (2003) correct it; \eqn{n_{test}/n_{train}} is the number of rows held out over that of
#' different rows trained on, each summed over folds. With many models some interval will exclude 0 by chance.
#' `std_err` is the plain \eqn{s/\sqrt k} of the model's values, as tidymodels reports it, without the correction.
#'
#' @param formula The outcome and what it is predicted from: `y ~ x1 + x2`, `y ~ .`. An outcome of numbers
#'   is predicted as numbers, a factor as classes; logicals and texts must be made factors. It may be a
#'   function of columns that works row by row, such as `log(y)`; errors are then measured on that scale.
#' @param data A data frame.
#' @param models A named list of at least two models, such as `list(line = lm, network = lamina)`; see below. The others
#'   are compared with the first.
#' @param folds A number of folds for cross-validation, from 2 to the number of rows, stratified by the outcome where it
#'   is a factor; or resamples of rsample made of `data`, such as `vfold_cv(data, repeats = 5)` or
#'   `bootstraps(data)`. With as many folds as rows each row is held out alone, and has its own `rmse` but no `rsq`
#'   or `roc_auc`. Of `as.data.frame()`: whether to return the values of the folds.
#' @param metrics Names of metrics of yardstick, or a [yardstick::metric_set()]; `NULL`: `rmse`, `mae` and
#'   `rsq` for numbers (root of the mean squared error, mean absolute error, squared correlation), `accuracy`,
#'   `mn_log_loss` and `roc_auc` for classes (share that is right, mean of minus the log probability of the true class,
#'   area under the ROC curve).
#' @param ... Not used.
#' @param level The level of the intervals, from 0 to 1.
#' @param event_level Which of two classes is the event of metrics such as `sens` and `precision`: the `"first"`
#'   or the `"second"` level.
#' @param verbose What is shown meanwhile: 0 nothing, 1 a bar, 2 a line per fold, 3 one line at the end;
#'   `"auto"` as for [fit()][fit.lamina_model].
#' @param x A comparison.
#' @param row.names,optional Not used.
#' @return A tibble of class `lamina_comparison` with a row for each model and metric: `model` and
#'   `metric` (factors), `mean` over the folds, `std_err`, `n` (folds in which the model has a value),
#'   `difference` (mean over the folds of its value minus that of the first model), `lower` and `upper`
#'   (the interval of the difference; NA for the first model and for fewer than two folds), `fit_seconds`
#'   and `predict_seconds` (mean per fold).
#'
#'   `as.data.frame(x, folds = TRUE)` has a row for each model, fold and metric: `model`, `fold`,
#'   `metric`, `value`, `n` (rows that were predicted), `missing` (rows that were not), `fit_seconds`,
#'   `predict_seconds`.
#'
#'   `attr(x, "failures")` has a row for each time that a model failed or had no probabilities: `model`,
#'   `fold`, `size` (rows for training), `stage` (`"fit"`, `"predict"`, `"prob"`, `"metric"`), `message`,
#'   and the condition itself in the list column `error`.
#' @section Errors and warnings:
#' The packages rsample and yardstick must be installed.
#' What does not fit together raises `lamina_error_argument` or `lamina_error_data` before anything is fitted.
#' A model that fails in a fold is left out there: its value is NA, the mean is that of the other folds, and a
#' `lamina_warning_failed` says which model, which fold and why. Warnings of models and metrics come as one
#' `lamina_warning_model` a model, rows without prediction as `lamina_warning_missing`; messages of models
#' are dropped.
#' @references C. Nadeau and Y. Bengio (2003). Inference for the generalization error. *Machine Learning*
#'   52(3), 239-281.
#' @seealso [learning_curve()] for one model on more and more rows; [plot()][plot.lamina_comparison];
#'   `vignette("v11-classical-models", package = "lamina")`.
#' @family comparing models
#' @examplesIf all(sapply(c("rsample", "yardstick", "rpart"), requireNamespace, quietly = TRUE))
#' set.seed(1)
#' network <- function(formula, data) {
#'   lamina(formula, data, hidden_units = 4, optimizer = "bfgs", penalty = 0.01)
#' }
#' found <- compare_models(
#'   mpg ~ wt + hp, mtcars,
#'   list(line = lm, curve = lm(mpg ~ poly(wt, 2) + hp, mtcars), tree = rpart::rpart,
#'        network = network),
#'   folds = 8
#' )
#' found # all beside the line
#' head(as.data.frame(found, folds = TRUE))
#' plot(found)
#' @export
compare_models <- function(formula, data, models, folds = 10, metrics = NULL, ..., level = 0.95,
                           event_level = c("first", "second"), verbose = "auto") {
  check_no_dots(list(...))
  call <- rlang::current_env()
  level <- check_number(level, min = 0, max = 1)
  event_level <- check_choice(event_level[1L], c("first", "second"), arg = "event_level")
  verbose <- resolve_verbose(verbose)
  task <- model_task(formula, data, call)
  users <- check_models(if (missing(models)) NULL else models, call)
  models <- model_makers(users, task, call)
  metrics <- model_metrics(metrics, task, call = call)
  splits <- model_folds(folds, task, data, call)

  jobs <- Map(function(fold, seed) {
    list(id = fold$id, label = fold$id, rows = fold$analysis, sets = list("held out" = fold$assessment), seed = seed)
  }, splits$folds, fold_seeds(length(splits$folds)))
  runs <- run_jobs(models, jobs, task, metrics, event_level, verbose, users)
  warn_of_runs(runs)
  values <- run_values(runs)
  values[c("size", "set")] <- NULL
  new_comparison(values, list(
    metrics = vapply(metrics, `[[`, "", "direction"), reference = names(models)[1L], level = level,
    ratio = test_train_ratio(splits$folds), text = splits$text, outcome = task$label,
    failures = run_failures(runs)
  ))
}

check_models <- function(models, call) {
  expected <- "a named list of at least two models"
  example <- c(i = "As in models = list(line = lm, tree = rpart::rpart).")
  if (!is.list(models) || is.object(models) || is_fit_predict(models)) {
    found <- if (is.null(models)) "left out" else if (is_fit_predict(models)) "one model" else describe(models)
    abort_argument("models", expected, found, hint = example, call = call)
  }
  names <- rlang::names2(models)
  if (any(names == "")) {
    abort_argument("models", expected, sprintf("one whose entry %d has no name", which(names == "")[1L]),
                   hint = example, call = call)
  }
  if (anyDuplicated(names)) {
    abort_argument("models", "a list of models with different names",
                   sprintf("one with two called \"%s\"", names[anyDuplicated(names)]), call = call)
  }
  if (length(models) < 2L) {
    abort_argument("models", expected, describe(models),
                   hint = c(example, i = "learning_curve() looks at one model alone."), call = call)
  }
  models
}

test_train_ratio <- function(folds) {
  test <- vapply(folds, function(fold) length(fold$assessment), 0L)
  train <- vapply(folds, function(fold) length(unique(fold$analysis)), 0L)
  sum(test) / sum(train)
}

# ---- the table -----------------------------------------------------------------------------------

# values: a row for each model, fold and metric; about: what print() and plot() have to know.
new_comparison <- function(values, about) {
  rows <- lapply(split(values, values$metric), function(of_metric) {
    cells <- split(of_metric, of_metric$model)
    first <- cells[[about$reference]]$value
    do.call(rbind, lapply(cells, comparison_row, first, about))
  })
  table <- do.call(rbind, rows)
  row.names(table) <- NULL
  table <- tibble::new_tibble(table, class = "lamina_comparison")
  attr(table, "folds") <- values
  attr(table, "about") <- about[setdiff(names(about), "failures")]
  attr(table, "failures") <- about$failures
  table
}

comparison_row <- function(cell, first, about) {
  known <- is.finite(cell$value)
  k <- sum(known)
  mean_of <- function(x) if (any(!is.na(x))) mean(x, na.rm = TRUE) else NA_real_
  interval <- corrected_interval(cell$value - first, about$ratio, about$level)
  if (cell$model[1L] == about$reference) {
    interval[c("lower", "upper")] <- NA_real_
  }
  data.frame(
    model = cell$model[1L], metric = cell$metric[1L], mean = mean_of(cell$value[known]),
    std_err = if (k > 1L) stats::sd(cell$value[known]) / sqrt(k) else NA_real_, n = k,
    difference = interval[["mean"]], lower = interval[["lower"]], upper = interval[["upper"]],
    fit_seconds = mean_of(cell$fit_seconds), predict_seconds = mean_of(cell$predict_seconds)
  )
}

# The mean of values of overlapping folds and its interval (Nadeau and Bengio 2003).
corrected_interval <- function(values, ratio, level) {
  values <- values[is.finite(values)]
  k <- length(values)
  if (k == 0L) {
    return(c(mean = NA_real_, lower = NA_real_, upper = NA_real_))
  }
  half <- if (k > 1L) {
    stats::qt((1 + level) / 2, k - 1) * sqrt((1 / k + ratio) * stats::var(values))
  } else {
    NA_real_
  }
  c(mean = mean(values), lower = mean(values) - half, upper = mean(values) + half)
}

#' @rdname compare_models
#' @export
as.data.frame.lamina_comparison <- function(x, row.names = NULL, optional = FALSE, ..., folds = FALSE) {
  if (!check_flag(folds)) {
    return(plain_frame(x))
  }
  values <- attr(x, "folds")
  shown <- function(table) paste(table$model, table$metric, sep = "\r")
  kept <- values[shown(values) %in% shown(x), ]
  row.names(kept) <- NULL
  kept
}

# Without class and attributes of ours.
plain_frame <- function(x) {
  columns <- names(x)
  data.frame(stats::setNames(lapply(columns, function(name) x[[name]]), columns), check.names = FALSE)
}

# ---- print ---------------------------------------------------------------------------------------

#' @export
print.lamina_comparison <- function(x, ...) {
  # verbs of dplyr may have taken away what the table needs
  if (!all(comparison_columns %in% names(x)) || anyDuplicated(x[c("model", "metric")]) || is.null(attr(x, "about"))) {
    return(NextMethod())
  }
  cat(comparison_lines(x), sep = "\n")
  invisible(x)
}

comparison_columns <- c("model", "metric", "mean", "std_err", "n", "difference", "lower", "upper", "fit_seconds",
                        "predict_seconds")

comparison_lines <- function(x) {
  about <- attr(x, "about")
  folds <- attr(x, "folds")
  k <- length(unique(folds$fold))
  if (nrow(x) == 0L) {
    return("A comparison of no models.")
  }
  models <- length(unique(x$model))
  header <- sprintf("%s by %d model%s on the same folds: %s", about$outcome, models,
                    if (models == 1L) "" else "s", about$text)
  tables <- lapply(unique(as.character(x$metric)), function(metric) {
    c("", metric_lines(x[x$metric == metric, ], metric, about, k))
  })
  c(strwrap(header), unlist(tables), "", comparison_notes(x, about))
}

directions <- c(minimize = "less is better", maximize = "more is better", zero = "best at 0")

# A table of one metric as lines.
metric_lines <- function(rows, metric, about, k) {
  direction <- about$metrics[[metric]]
  digits <- metric_digits(rows)
  number <- function(x, sign = FALSE) fixed_digits(x, digits, sign)
  first <- as.character(rows$model) == about$reference
  no_interval <- first | is.na(rows$lower)
  columns <- list(
    " " = paste(ifelse(is_best(rows, direction), "*", " "), as.character(rows$model)),
    mean = number(rows$mean), "std. error" = number(rows$std_err),
    folds = if (any(rows$n < k)) as.character(rows$n),
    difference = ifelse(first, "", number(rows$difference, sign = TRUE)),
    interval = ifelse(no_interval, "", sprintf("[%s, %s]", number(rows$lower, TRUE), number(rows$upper, TRUE))),
    "  " = ifelse(no_interval, "", verdict(rows, direction))
  )
  names(columns)[names(columns) == "interval"] <- sprintf("%s %% interval", format(100 * about$level))
  columns <- columns[lengths(columns) > 0L]
  c(sprintf("%s (%s)", metric, directions[[direction]]), align_columns(columns, left = c(1L, length(columns))))
}

fixed_digits <- function(x, digits, sign = FALSE) {
  ifelse(is.na(x), "-", formatC(x, digits = digits, format = "f", flag = if (sign) "+" else ""))
}

# Columns of text as lines, with their names above; names of blanks are none.
align_columns <- function(columns, left = integer()) {
  cells <- Map(function(head, cell, i) {
    text <- c(if (nzchar(trimws(head))) head else "", cell)
    formatC(text, width = max(nchar(text)), flag = if (i %in% left) "-" else "")
  }, names(columns), columns, seq_along(columns))
  sub(" +$", "", do.call(paste, c(unname(cells), sep = "  ")))
}

# Two digits of the standard errors, which is as much as the folds can tell.
metric_digits <- function(rows) {
  spread <- rows$std_err[is.finite(rows$std_err) & rows$std_err > 0]
  size <- if (length(spread)) stats::median(spread) else max(abs(rows$mean), 0, na.rm = TRUE) / 100
  if (!is.finite(size) || size <= 0) 3L else as.integer(max(0, min(7, 1 - floor(log10(size)))))
}

# Among the models with a value in the most folds: one that failed where it is hard must not win by that.
is_best <- function(rows, direction) {
  worth <- switch(direction, minimize = -rows$mean, maximize = rows$mean, zero = -abs(rows$mean))
  worth[is.na(worth) | rows$n < max(rows$n)] <- -Inf
  top <- max(worth)
  worth >= top - 1e-12 * abs(top) & worth > -Inf
}

# What an interval says, in a word.
verdict <- function(rows, direction) {
  apart <- rows$lower > 0 | rows$upper < 0
  good <- switch(direction, minimize = rows$difference < 0, maximize = rows$difference > 0, NA)
  same <- rows$lower == rows$upper & rows$difference == 0
  said <- ifelse(is.na(good), "different", ifelse(good, "better", "worse"))
  ifelse(same, "the same", ifelse(apart, said, "may be chance"))
}

comparison_notes <- function(x, about) {
  one <- x[!duplicated(x$model), ]
  seconds <- sprintf("%s %s + %s", one$model, short_seconds(one$fit_seconds), short_seconds(one$predict_seconds))
  failures <- attr(x, "failures")
  failures <- failures[failures$model %in% x$model, ]
  failed <- unique(failures$model[failures$stage != "prob"])
  c(
    strwrap(paste0("* the best mean. Difference: to ", about$reference,
                   ", fold by fold; its interval allows for the overlap of training sets.")),
    wrap_items("Failed in some folds, see attr(, \"failures\"):", failed),
    wrap_items("No probabilities:", unique(failures$model[failures$stage == "prob"])),
    wrap_items("Fit + predict, per fold:", seconds)
  )
}

# "head a, b, c." in lines, none of the items broken.
wrap_items <- function(head, items) {
  if (length(items) == 0L) {
    return(NULL)
  }
  items <- paste0(items, c(rep(",", length(items) - 1L), "."))
  lines <- head
  for (item in items) {
    last <- length(lines)
    if (nchar(lines[last]) + nchar(item) + 1L > getOption("width")) {
      lines <- c(lines, paste(" ", item))
    } else {
      lines[last] <- paste(lines[last], item)
    }
  }
  lines
}

short_seconds <- function(seconds) {
  vapply(seconds, function(s) if (is.na(s)) "-" else if (s < 0.0005) "<1 ms" else format_seconds(s), "")
}
