# What compare_models() and learning_curve() stand on: the outcome, the folds, random numbers, measures.

# ---- the outcome ---------------------------------------------------------------------------------

# What is to be predicted, checked: list(formula, data, label, outcome, columns, kind, levels, rows).
#   outcome  its value in each row of data, NA where it is missing; rows  those where it is not
#   columns  the columns that it is made of
#   kind     "number" or "classes"; levels  of the classes
model_task <- function(formula, data, call = rlang::caller_env()) {
  check_model_formula(formula, call)
  if (missing(data) || !is.data.frame(data)) {
    found <- if (missing(data)) "left out" else describe(data)
    abort_argument("data", "a data frame with the columns that `formula` names", found, call = call)
  }
  left <- formula[[2L]]
  task <- list(formula = formula, data = data, label = rlang::as_label(left), columns = all.vars(left))
  check_task_columns(task$columns, data, NULL, "formula", call)
  check_task_columns(setdiff(all.vars(formula[[3L]]), "."), data, environment(formula), "formula", call)
  task$outcome <- one_column(eval(left, data, environment(formula)))
  task$rows <- which(!is.na(task$outcome))
  if (length(task$rows) < 4L && length(dim(task$outcome)) < 2L) {
    abort_argument("data", sprintf("one with at least 4 rows in which `%s` is known", task$label),
                   sprintf("one with %d", length(task$rows)), kind = "data", call = call)
  }
  check_task_outcome(task, call)
}

check_model_formula <- function(formula, call) {
  expected <- "a formula with the outcome on the left, such as y ~ x1 + x2"
  if (missing(formula) || !inherits(formula, "formula")) {
    found <- if (missing(formula)) "left out" else describe(formula)
    hint <- if (missing(formula)) {
      NULL
    } else if (is.data.frame(formula)) {
      c(i = "The formula comes first, then the data. In a pipe: data |> compare_models(formula = y ~ x, ...).")
    } else if (is.character(formula)) {
      c(i = "as.formula() makes a formula of a text.")
    }
    abort_argument("formula", expected, found, hint = hint, call = call)
  }
  if (length(formula) != 3L) {
    abort_argument("formula", expected, deparse_short(formula), call = call)
  }
}

deparse_short <- function(x, width = 60L) {
  text <- paste(trimws(deparse(x, width.cutoff = 500L)), collapse = " ")
  if (nchar(text) > width) paste0(substr(text, 1L, width - 3L), "...") else text
}

# Names in a formula must be columns, or, where `outside` is searched, variables that are no columns in
# disguise: rows of those could not be taken apart into folds.
check_task_columns <- function(names, data, outside, arg, call) {
  for (name in setdiff(names, names(data))) {
    value <- if (!is.null(outside)) get0(name, envir = outside)
    if (!is.null(value) && !is.function(value)) {
      if (NROW(value) != nrow(data)) next
      abort_argument(
        arg, "made of columns of `data`", sprintf("of `%s`, a variable outside of it", name),
        hint = c(i = sprintf("Its rows would be the same in every fold. Make it a column: data$%1$s <- %1$s.", name)),
        call = call
      )
    }
    near <- nearest(name, names(data))
    abort_argument(
      arg, "made of columns of `data`", sprintf("of `%s`, which is none", name),
      hint = c(
        if (length(near)) c(i = sprintf("Did you mean `%s`?", near)),
        i = paste("Columns:", paste(utils::head(names(data), 20L), collapse = ", "))
      ),
      call = call
    )
  }
}

check_task_outcome <- function(task, call) {
  y <- task$outcome
  refuse <- function(actual, hint = NULL, expected = "numbers or a factor") {
    abort_lamina(
      c(sprintf("The outcome `%s` must be %s, not %s.", task$label, expected, actual), hint),
      "data", arg = "data", expected = expected, actual = actual, call = call
    )
  }
  if (length(dim(y)) > 1L) {
    refuse(describe(y), c(i = "One outcome at a time can be compared."))
  }
  if (is.character(y) || is.logical(y)) {
    advice <- if (is.symbol(task$formula[[2L]])) {
      sprintf("To tell classes apart, make a factor of it: data$%1$s <- factor(data$%1$s).", task$label)
    } else {
      sprintf("To tell classes apart, make a factor of it: factor(%s) ~ ...", task$label)
    }
    refuse(describe(y), c(i = advice))
  }
  if (length(y) != nrow(task$data)) {
    refuse(sprintf("%d values for %d rows", length(y), nrow(task$data)))
  }
  if (is.factor(y)) {
    return(check_levels(task, refuse))
  }
  if (!is.numeric(y)) {
    refuse(describe(y))
  }
  if (any(is.infinite(y))) {
    refuse(sprintf("%s, as in row %d", format(y[is.infinite(y)][1L]), which(is.infinite(y))[1L]), expected = "finite")
  }
  if (all(y[!is.na(y)] %in% c(0, 1))) {
    inform_lamina(
      c(sprintf("The outcome `%s` is 0 or 1 and taken as a number.", task$label),
        i = "To tell two classes apart, make a factor of it."),
      "lamina_message_outcome"
    )
  }
  task$outcome <- as.double(y)
  task$kind <- "number"
  task
}

# Levels that no row has are dropped: glm() would take an unused first one for the other class.
check_levels <- function(task, refuse) {
  y <- task$outcome
  used <- levels(y)[levels(y) %in% y]
  if (length(used) < 2L) {
    refuse(sprintf("one that is \"%s\" in all rows", used), c(i = "There is nothing to tell apart."),
           expected = "a factor with at least two levels in use")
  }
  unused <- setdiff(levels(y), used)
  if (length(unused)) {
    inform_lamina(
      sprintf("The outcome `%s` has no row of level %s: dropped.", task$label,
              paste0("\"", unused, "\"", collapse = ", ")),
      "lamina_message_outcome"
    )
    task$outcome <- droplevels(y)
    if (is.symbol(task$formula[[2L]])) {
      task$data[[task$columns]] <- task$outcome
    }
  }
  task$kind <- "classes"
  task$levels <- used
  task
}

# An outcome such as scale(y) is another one in each fold, and would leak.
check_rowwise <- function(task, folds, call) {
  left <- task$formula[[2L]]
  if (is.symbol(left)) {
    return(invisible())
  }
  plain <- if (is.factor(task$outcome)) as.character else as.double
  for (rows in unlist(lapply(folds, `[`, c("analysis", "assessment")), recursive = FALSE)) {
    alone <- eval(left, task$data[rows, , drop = FALSE], environment(task$formula))
    if (!isTRUE(all.equal(plain(alone), plain(task$outcome[rows])))) {
      abort_argument(
        "formula", "one with an outcome that each row has by itself",
        sprintf("`%s`, which depends on the other rows", task$label),
        hint = c(i = "Work it out beforehand and put it into the data."), call = call
      )
    }
  }
}

# Rows to be predicted.  Their outcome is that of a row of training, so that nothing can peep; the column
# stays, since model.matrix() and its kin stop without it.
hide_outcome <- function(task, rows, training) {
  newdata <- task$data[rows, , drop = FALSE]
  for (column in task$columns) {
    newdata[[column]] <- rep(task$data[[column]][training[1L]], length(rows))
  }
  newdata
}

# ---- folds ---------------------------------------------------------------------------------------

# list(folds = list(list(id, analysis, assessment), ...), text): rows of the data whose outcome is known.
model_folds <- function(folds, task, data, call = rlang::caller_env()) {
  splits <- if (inherits(folds, "rset")) {
    check_same_data(folds$splits[[1L]]$data, data, task, call)
    rset_rows(folds, call)
  } else {
    number_rows(folds, task, call)
  }
  splits$folds <- lapply(splits$folds, function(fold) {
    fold$analysis <- fold$analysis[fold$analysis %in% task$rows]
    fold$assessment <- fold$assessment[fold$assessment %in% task$rows]
    check_fold(fold, call)
    fold
  })
  check_rowwise(task, splits$folds, call)
  splits
}

# So many folds of the rows with an outcome, stratified where it is a factor.
number_rows <- function(folds, task, call) {
  n <- length(task$rows)
  whole <- is.numeric(folds) && length(folds) == 1L && is.finite(folds) && folds == floor(folds)
  if (!whole || folds < 2 || folds > n) {
    hint <- if (inherits(folds, "rsplit")) {
      c(i = "One split is too few. rsample::mc_cv(data, prop = 3/4, times = 25) makes many.")
    }
    abort_argument(
      "folds", sprintf("a number of folds from 2 to %d, or resamples of rsample such as vfold_cv(data)", n),
      if (is.null(hint)) describe(folds) else "one split", hint = hint, call = call
    )
  }
  rlang::check_installed("rsample", "to cut data into folds.", call = call)
  frame <- data.frame(outcome = task$outcome[task$rows])
  set <- if (folds == n) {
    rsample::loo_cv(frame)
  } else {
    rsample::vfold_cv(frame, v = folds, strata = if (task$kind == "classes") "outcome")
  }
  splits <- rset_rows(set, call)
  splits$folds <- lapply(splits$folds, function(fold) {
    list(id = fold$id, analysis = task$rows[fold$analysis], assessment = task$rows[fold$assessment])
  })
  splits
}

rset_rows <- function(set, call) {
  rlang::check_installed("rsample", "to read resamples.", call = call)
  apparent <- vapply(set$splits, inherits, NA, "apparent_split")
  rows <- function(split, id) {
    list(id = id, analysis = as.integer(split, data = "analysis"),
         assessment = as.integer(split, data = "assessment"))
  }
  found <- Map(rows, set$splits[!apparent], as.character(labels(set))[!apparent])
  if (length(found) == 0L) {
    abort_argument("folds", "resamples that hold rows out", "the whole data twice, as apparent() gives them",
                   call = call)
  }
  list(folds = unname(found), text = tryCatch(pretty(set)[1L], error = function(e) class(set)[1L]))
}

check_fold <- function(fold, call) {
  refuse <- function(actual) abort_argument("folds", "such that each has rows to train on and others to predict",
                                            sprintf("as \"%s\", which %s", fold$id, actual), call = call)
  if (length(fold$assessment) == 0L) refuse("has none to predict")
  if (length(unique(fold$analysis)) < 2L) refuse("has fewer than 2 to train on")
  if (any(fold$assessment %in% fold$analysis)) refuse("predicts rows that it trains on")
}

# Columns may have been added or left out since the folds were made, but rows must be the same.
check_same_data <- function(theirs, data, task, call) {
  refuse <- function(actual) abort_argument("folds", "made of `data`", actual, kind = "data", call = call)
  if (nrow(theirs) != nrow(data)) {
    refuse(sprintf("of other data: %d rows, where `data` has %d", nrow(theirs), nrow(data)))
  }
  same <- function(name) {
    isTRUE(all.equal(as.vector(theirs[[name]]), as.vector(data[[name]]), check.attributes = FALSE))
  }
  for (name in intersect(names(data), names(theirs))) {
    if (!same(name)) refuse(sprintf("of other data: the column `%s` differs", name))
  }
  absent <- setdiff(task$columns, names(theirs))
  if (length(absent)) {
    refuse(sprintf("of other data: they have no column `%s`", absent[1L]))
  }
}

# ---- random numbers ------------------------------------------------------------------------------

# n seeds for one draw from R's generator.
fold_seeds <- function(n) {
  seed <- sample.int(.Machine$integer.max, 1L)
  state <- rng_state()
  on.exit(set_rng_state(state))
  set.seed(seed)
  sample.int(.Machine$integer.max, n)
}

rng_state <- function() get(".Random.seed", envir = globalenv(), inherits = FALSE)

set_rng_state <- function(state) {
  workspace <- globalenv()
  workspace$.Random.seed <- state
}

# Runs code from a seed, whatever generator the code before has chosen.  `state`: that of the caller.
from_seed <- function(seed, state, code) {
  set_rng_state(state)
  set.seed(seed)
  force(code)
}

# ---- measures ------------------------------------------------------------------------------------

default_metrics <- list(number = c("rmse", "mae", "rsq"), classes = c("accuracy", "mn_log_loss", "roc_auc"))

metric_inputs <- c(
  numeric_metric = "number", class_metric = "class", prob_metric = "prob", ordered_prob_metric = "prob"
)

# Named list of list(input, direction, measure): what goes in ("number", "class", "prob"), "minimize",
# "maximize" or "zero", and a yardstick metric_set of this metric alone: one that fails takes no other with it.
model_metrics <- function(metrics, task, default = default_metrics[[task$kind]], arg = "metrics",
                          call = rlang::caller_env()) {
  rlang::check_installed("yardstick", "to measure errors.", call = call)
  found <- if (is.null(metrics)) {
    named_metrics(default, task, arg, call)
  } else if (is.character(metrics) && length(metrics) && !anyNA(metrics)) {
    named_metrics(unique(metrics), task, arg, call)
  } else if (inherits(metrics, "metric_set")) {
    attr(metrics, "metrics")
  } else {
    hint <- if (inherits(metrics, "metric")) c(i = "Give its name in quotes, or yardstick::metric_set(...).")
    found <- if (is.null(hint)) describe(metrics) else "the function of a metric"
    abort_argument(arg, "names of metrics such as \"rmse\", or a yardstick::metric_set()", found, hint = hint,
                   call = call)
  }
  Map(function(metric, name) one_metric(metric, name, task, arg, call), found, names(found))
}

named_metrics <- function(names, task, arg, call) {
  known <- known_metrics()
  for (name in setdiff(names, names(known))) {
    fitting <- names(known)[metric_inputs[vapply(known, function(m) class(m)[1L], "")] %in% task_inputs(task)]
    abort_unknown(arg, "a metric of yardstick", name, sort(fitting), call = call)
  }
  known[names]
}

known_metrics <- function() {
  exports <- sort(getNamespaceExports("yardstick"))
  Filter(function(f) inherits(f, "metric"), sapply(exports, getExportedValue, ns = "yardstick", simplify = FALSE))
}

task_inputs <- function(task) if (task$kind == "number") "number" else c("class", "prob")

one_metric <- function(metric, name, task, arg, call) {
  input <- unname(metric_inputs[class(metric)[1L]])
  if (!input %in% task_inputs(task)) {
    what <- c(number = "numbers", class = "classes", prob = "probabilities of classes")[input]
    wanted <- if (task$kind == "number") "numbers" else "classes"
    abort_argument(
      arg, sprintf("measures of %s, as the outcome `%s` is", wanted, task$label),
      sprintf("\"%s\", a measure of %s", name, if (is.na(what)) "something else" else what),
      hint = c(i = sprintf("Such as %s.", paste0("\"", default_metrics[[task$kind]], "\"", collapse = ", "))),
      call = call
    )
  }
  alone <- stats::setNames(list(metric), name)
  list(input = input, direction = attr(metric, "direction"), measure = yardstick::metric_set(!!!alone))
}

# The value of a metric; NA where the model does not give what goes in (`predicted` as of read_predictions()).
# Rows without a prediction do not count.
metric_value <- function(metric, truth, predicted, event_level) {
  values <- predicted[[metric$input]]
  if (is.null(values)) {
    return(NA_real_)
  }
  known <- stats::complete.cases(values)
  if (!any(known)) {
    return(NA_real_)
  }
  frame <- data.frame(truth = truth[known])
  if (metric$input == "number") {
    frame$estimate <- values[known]
    return(metric$measure(frame, truth = "truth", estimate = "estimate")$.estimate)
  }
  if (metric$input == "class") {
    frame$estimate <- values[known]
    return(metric$measure(frame, truth = "truth", estimate = "estimate", event_level = event_level)$.estimate)
  }
  columns <- paste0("p", seq_len(ncol(values)))
  frame[columns] <- as.data.frame(values[known, , drop = FALSE])
  if (length(columns) == 2L) {
    columns <- columns[if (event_level == "first") 1L else 2L]
  }
  rlang::inject(metric$measure(frame, truth = "truth", !!!columns, event_level = event_level))$.estimate
}
