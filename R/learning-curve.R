# Errors over the number of rows trained on.

#' Learning curves: does more data help?
#'
#' Trains a model on more and more rows and measures it on these rows and on rows held out. A model that
#' overfits does far better on its own rows than on others, and the gap closes as rows are added; for one that
#' underfits the two curves meet early, at an error that more rows do not lower.
#'
#' In each repetition (fold) the rows held out stay the same, and a smaller set of rows for training is
#' part of every larger one. The order in which rows are added is random; where the outcome is a factor
#' each class is spread evenly over it, so that every set has about the classes' shares. Models, missing
#' values, random numbers and failures are treated as by [compare_models()]; a model starts from the same
#' random numbers at every size.
#'
#' @inheritParams compare_models
#' @param model A model, in one of the forms that [compare_models()] takes, or a named list of several.
#' @param sizes How many rows to train on: fractions up to 1 of the rows that each fold has for training (of
#'   those of the smallest, where folds differ), or numbers of rows of at least 2.
#' @param folds A number of folds for cross-validation, stratified by the outcome where it is a factor; or
#'   resamples of rsample made of `data`: `mc_cv(data, prop = 3/4, times = 20)` holds out a random quarter
#'   20 times.
#' @param metric Names of one metric or more of yardstick, or a [yardstick::metric_set()]; `NULL`: `rmse`
#'   for numbers, `accuracy` for classes.
#' @return A tibble of class `lamina_learning_curve` with the columns `model`, `size` (rows trained on),
#'   `repetition` (the fold), `data` (`"training"` or `"held out"`), `metric` and `value`.
#'   `attr(x, "failures")` is as that of [compare_models()].
#' @section Errors and warnings:
#' As those of [compare_models()].
#' @seealso [compare_models()]; [plot()][plot.lamina_learning_curve].
#' @family comparing models
#' @examplesIf all(sapply(c("rsample", "yardstick", "rpart"), requireNamespace, quietly = TRUE))
#' deep <- function(formula, data) {
#'   rpart::rpart(formula, data, control = rpart::rpart.control(cp = 0, minsplit = 2))
#' }
#' set.seed(1)
#' curve <- learning_curve(Sepal.Length ~ ., iris, list(line = lm, "deep tree" = deep),
#'                         sizes = c(0.2, 0.4, 0.7, 1))
#' curve
#' plot(curve)
#' @export
learning_curve <- function(formula, data, model, sizes = c(0.1, 0.25, 0.5, 0.75, 1), folds = 5, metric = NULL, ...,
                           event_level = c("first", "second"), verbose = "auto") {
  check_no_dots(list(...))
  call <- rlang::current_env()
  label <- if (missing(model)) NULL else substitute(model)
  event_level <- check_choice(event_level[1L], c("first", "second"), arg = "event_level")
  verbose <- resolve_verbose(verbose)
  task <- model_task(formula, data, call)
  models <- curve_models(if (missing(model)) NULL else model, label, task, call)
  metrics <- model_metrics(metric, task, default_metrics[[task$kind]][1L], "metric", call)
  sizes <- check_sizes(sizes, call)
  splits <- model_folds(folds, task, data, call)
  counts <- size_counts(sizes, splits$folds, call)

  jobs <- curve_jobs(splits$folds, counts, task)
  runs <- run_jobs(models, jobs, task, metrics, event_level, verbose, if (!missing(model)) model)
  warn_of_runs(runs, "fits")
  values <- run_values(runs)
  curve <- tibble::new_tibble(
    list(model = values$model, size = values$size, repetition = values$fold, data = values$set,
         metric = values$metric, value = values$value),
    nrow = nrow(values), class = "lamina_learning_curve"
  )
  attr(curve, "about") <- list(
    metrics = vapply(metrics, `[[`, "", "direction"), text = splits$text, outcome = task$label
  )
  attr(curve, "failures") <- run_failures(runs)
  curve
}

# One model or a named list of them.
curve_models <- function(model, label, task, call) {
  if (is.null(model)) {
    abort_argument("model", forms_of_models, "left out", call = call)
  }
  several <- is.list(model) && !is.object(model) && !is_fit_predict(model)
  if (!several) {
    name <- if (is.symbol(label) || rlang::is_call(label, c("::", ":::"))) sub(".*:", "", deparse(label)) else "model"
    return(stats::setNames(list(model_maker(model, name, task, "model", call)), name))
  }
  names <- rlang::names2(model)
  if (length(model) == 0L || any(names == "") || anyDuplicated(names)) {
    abort_argument("model", "a model, or a list of models with different names", list_text(model), call = call)
  }
  model_makers(model, task, call, arg = "model")
}

check_sizes <- function(sizes, call) {
  ok <- is.numeric(sizes) && length(sizes) > 0L && all(is.finite(sizes)) && all(sizes > 0) &&
    (all(sizes <= 1) || all(sizes >= 2 & sizes == floor(sizes)))
  if (!ok) {
    actual <- if (is.numeric(sizes) && length(sizes)) deparse_short(sizes) else describe(sizes)
    abort_argument("sizes", "fractions from 0 to 1, or whole numbers of at least 2", actual, call = call)
  }
  sort(unique(sizes))
}

# Numbers of rows, the same in each fold.
size_counts <- function(sizes, folds, call) {
  most <- min(vapply(folds, function(fold) length(fold$analysis), 0L))
  if (max(sizes) <= 1) {
    sizes <- unique(pmax(2, round(sizes * most)))
  }
  if (max(sizes) > most) {
    abort_argument("sizes", sprintf("at most the %d rows that each fold has for training", most),
                   format(max(sizes)), call = call)
  }
  as.integer(sizes)
}

curve_jobs <- function(folds, counts, task) {
  seeds <- fold_seeds(length(folds))
  state <- rng_state()
  on.exit(set_rng_state(state))
  jobs <- Map(function(fold, seed) {
    order <- fold$analysis[from_seed(seed, state, nested_order(task$outcome[fold$analysis]))]
    lapply(counts, function(count) {
      rows <- order[seq_len(count)]
      list(id = fold$id, label = sprintf("%s with %d rows", fold$id, count), rows = rows,
           sets = list(training = rows, "held out" = fold$assessment), seed = seed)
    })
  }, folds, seeds)
  unlist(unname(jobs), recursive = FALSE)
}

# A random order; each class in random order too, its rows at even distances: the j-th of m rows at (j - u) / m,
# with one u a class, so that every beginning has all classes by their shares, to within a row or two.
nested_order <- function(outcome) {
  if (!is.factor(outcome)) {
    return(sample(length(outcome)))
  }
  place <- numeric(length(outcome))
  for (rows in split(seq_along(outcome), outcome, drop = TRUE)) {
    m <- length(rows)
    place[rows[sample(m)]] <- (seq_len(m) - stats::runif(1L)) / m
  }
  order(place)
}

# ---- print ---------------------------------------------------------------------------------------

#' @export
print.lamina_learning_curve <- function(x, ...) {
  if (!all(curve_columns %in% names(x)) || is.null(attr(x, "about"))) {
    return(NextMethod())
  }
  cat(curve_lines(x), sep = "\n")
  invisible(x)
}

curve_columns <- c("model", "size", "repetition", "data", "metric", "value")

# Mean and standard deviation over repetitions: a row for each model, metric, size and set.
curve_means <- function(x) {
  x <- plain_frame(x)
  cells <- split(x, x[c("data", "size", "model", "metric")], drop = TRUE, sep = "\r")
  rows <- lapply(cells, function(cell) {
    known <- cell$value[is.finite(cell$value)]
    data.frame(cell[1L, c("model", "metric", "size", "data")], n = length(known),
               mean = if (length(known)) mean(known) else NA_real_, sd = stats::sd(known))
  })
  means <- do.call(rbind, rows)
  row.names(means) <- NULL
  means
}

curve_lines <- function(x) {
  about <- attr(x, "about")
  if (nrow(x) == 0L) {
    return("A learning curve of no models.")
  }
  means <- curve_means(x)
  tables <- lapply(split(means, means[c("model", "metric")], drop = TRUE, sep = "\r"), function(one) {
    metric <- as.character(one$metric[1L])
    c("", sprintf("%s: %s (%s)", one$model[1L], metric, directions[[about$metrics[[metric]]]]), curve_table(one))
  })
  c(
    strwrap(sprintf("%s by the number of rows trained on, %s", about$outcome, about$text)), unlist(tables), "",
    strwrap(paste("Mean and, in brackets, standard deviation over repetitions. A gap that closes slowly:",
                  "overfitting, more rows help. Curves that have met: more rows do not help."))
  )
}

curve_table <- function(one) {
  sizes <- sort(unique(one$size))
  pick <- function(data, what) one[[what]][match(paste(sizes, data), paste(one$size, one$data))]
  digits <- metric_digits(data.frame(std_err = one$sd, mean = one$mean))
  both <- function(data) {
    sprintf("%s (%s)", fixed_digits(pick(data, "mean"), digits), fixed_digits(pick(data, "sd"), digits))
  }
  align_columns(list(
    "  rows" = paste(" ", format(sizes)), training = both("training"), "held out" = both("held out"),
    gap = fixed_digits(pick("held out", "mean") - pick("training", "mean"), digits, sign = TRUE)
  ))
}
