# From data frames to the numbers a network takes, and the same way again for new data.  hardhat does the
# formulas, factors and recipes ("mold"), and checks new data against what was seen ("forge").
#
# A mold is a list: x (a numeric matrix), y, offset (or NULL), blueprint, outcome (its name), data (the
# columns the predictors are made of, and the outcome), for all rows, missing values included.

# ---- molding -------------------------------------------------------------------------------------

mold_formula <- function(formula, data, call) {
  if (!is.data.frame(data)) {
    abort_argument("data", "a data frame", describe(data), call = call)
  }
  check_has_rows(nrow(data), "data", call)
  data <- plain_columns(data, except = all.vars(formula[-3L]))
  formula <- plain_formula(formula, data, call)
  check_factors(data, intersect(names(data), all.vars(stats::delete.response(stats::terms(formula, data = data)))), call)
  molded <- with_plain_errors(
    hardhat::mold(formula, data, blueprint = hardhat::default_formula_blueprint(intercept = TRUE)),
    "data", call
  )
  molded$blueprint$terms$predictors <- keep_levels(molded$blueprint$terms$predictors, data, environment(formula))
  seen <- names(molded$blueprint$ptypes$predictors)
  both <- intersect(all.vars(formula[[2L]]), seen)
  if (length(both)) {
    abort_argument("formula", "one with outcome and predictors apart",
                   sprintf("one with `%s` on both sides", both[1L]), call = call)
  }
  y <- as.data.frame(molded$outcomes)
  finish_mold(molded, if (ncol(y) == 1L) y[[1L]] else as.matrix(y), outcome_label(formula),
              data[intersect(names(data), c(all.vars(formula[[2L]]), seen))], call)
}

# A factor that the formula makes, factor(cyl), would have the levels of whatever new data hold. R's way to evaluate a
# term anew is the attribute "predvars"; there the levels (and contrasts) that the fit saw are written down.
keep_levels <- function(terms, data, env) {
  attr(terms, ".Environment") <- env
  variables <- as.list(attr(terms, "variables"))[-1L]
  frame <- stats::model.frame(terms, data, na.action = stats::na.pass)
  predvars <- as.list(attr(terms, "predvars")) # list(...), one for each of the variables
  for (i in which(vapply(variables, is.call, NA))) {
    column <- frame[[i]]
    if (is.character(column) || is.factor(column)) {
      made <- predvars[[i + 1L]]
      if (identical(made[[1L]], quote(C))) made <- made[[2L]] # C() fails on a factor of one level
      made <- as.call(list(quote(base::factor), made, levels = levels(as.factor(column)), ordered = is.ordered(column)))
      predvars[[i + 1L]] <- as.call(list(quote(base::structure), made, contrasts = attr(column, "contrasts")))
    }
  }
  attr(terms, "predvars") <- as.call(predvars)
  attr(terms, ".Environment") <- NULL # as hardhat leaves it
  terms
}

# A data frame of numbers goes in as it is; one with factors by way of a formula, so that factors become
# indicator columns.
mold_frame <- function(x, y, outcome, call) {
  check_has_rows(nrow(x), "x", call)
  x <- plain_columns(x)
  check_factors(x, names(x), call)
  numeric <- vapply(x, is.numeric, NA)
  blueprint <- if (all(numeric)) hardhat::default_xy_blueprint() else hardhat::default_formula_blueprint(intercept = TRUE)
  molded <- with_plain_errors(
    if (all(numeric)) hardhat::mold(x, data.frame(row.names = seq_len(nrow(x))), blueprint = blueprint)
    else hardhat::mold(~ ., x, blueprint = blueprint),
    "x", call
  )
  finish_mold(molded, y, outcome, x, call)
}

mold_matrix <- function(x, y, outcome, call) {
  if (!is.numeric(x) && !is.logical(x)) {
    abort_argument("x", "a matrix of numbers", describe(x), call = call)
  }
  check_has_rows(nrow(x), "x", call)
  storage.mode(x) <- "double"
  x <- named_columns(x)
  if (anyDuplicated(colnames(x))) {
    abort_argument("x", "a matrix whose columns have different names",
                   sprintf("two columns `%s`", colnames(x)[duplicated(colnames(x))][1L]), call = call)
  }
  molded <- hardhat::mold(x, data.frame(row.names = seq_len(nrow(x))),
                          blueprint = hardhat::default_xy_blueprint(composition = "matrix"))
  finish_mold(molded, y, outcome, x, call)
}

mold_recipe <- function(recipe, data, call) {
  rlang::check_installed("recipes", "for recipes", call = call)
  if (!is.data.frame(data)) {
    abort_argument("data", "a data frame", describe(data), call = call)
  }
  molded <- with_plain_errors(hardhat::mold(recipe, data), "x", call)
  y <- as.data.frame(molded$outcomes)
  if (ncol(y) == 0L) {
    abort_argument("x", "a recipe with an outcome", "one without", call = call)
  }
  molded$weights <- recipe_weights(molded$extras$roles$case_weights)
  finish_mold(molded, if (ncol(y) == 1L) y[[1L]] else as.matrix(y), paste(names(y), collapse = " + "), data, call)
}

recipe_weights <- function(column) if (length(column)) as.double(column[[1L]])

finish_mold <- function(molded, y, outcome, data, call) {
  x <- predictor_matrix(molded$predictors, call)
  if (ncol(x) == 0L) {
    abort_lamina("There is no predictor.", "argument", arg = if (is.null(molded$blueprint$formula)) "x" else "formula",
                 expected = "at least one predictor", actual = "none", call = call)
  }
  check_sample_count(y, nrow(x), "y", call)
  list(x = x, y = y, offset = mold_offset(molded), blueprint = molded$blueprint, outcome = outcome, data = data,
       weights = molded$weights)
}

mold_offset <- function(molded) {
  offset <- molded$extras$offset
  if (is.null(offset)) NULL else rowSums(as.matrix(offset))
}

predictor_matrix <- function(predictors, call) {
  if (!is.matrix(predictors)) {
    other <- !vapply(predictors, is.numeric, NA)
    if (any(other)) {
      abort_argument("x", "a recipe that makes numbers of all predictors", sprintf("one that leaves `%s` a %s",
                     names(predictors)[other][1L], class(predictors[[which(other)[1L]]])[1L]),
                     hint = c(i = "Add step_dummy(all_nominal_predictors())."), call = call)
    }
    predictors <- as.matrix(predictors)
  }
  storage.mode(predictors) <- "double"
  predictors <- predictors[, colnames(predictors) != "(Intercept)", drop = FALSE]
  rownames(predictors) <- NULL
  predictors
}

named_columns <- function(x) {
  if (is.null(colnames(x))) {
    colnames(x) <- sprintf("x%d", seq_len(ncol(x)))
  }
  x
}

# Text becomes a factor, so that its levels are remembered; whole numbers are numbers like others, so that
# new data may lie between them.
plain_columns <- function(data, except = character()) {
  for (name in setdiff(names(data), except)) {
    if (is.character(data[[name]])) {
      data[[name]] <- factor(data[[name]])
    } else if (is.integer(data[[name]]) && !is.object(data[[name]])) {
      data[[name]] <- as.double(data[[name]])
    }
  }
  data
}

outcome_label <- function(formula) paste(deparse(formula[[2L]], width.cutoff = 500L), collapse = " ")

# hardhat takes several outcomes as a + b, and no intercept in words: cbind(a, b) and `1 +` are put so.
plain_formula <- function(formula, data, call) {
  if (length(formula) != 3L) {
    abort_argument("formula", "one with an outcome, as in y ~ x", paste(deparse(formula), collapse = " "), call = call)
  }
  terms <- tryCatch(stats::terms(formula, data = data), error = function(e) {
    abort_lamina(c("The formula cannot be read.", x = conditionMessage(e)), "argument", arg = "formula", call = call)
  })
  if (attr(terms, "intercept") == 0L) {
    abort_argument("formula", "one with its intercept", "one without (`- 1` or `+ 0`)",
                   hint = c(i = "The neurons' biases take the part of the intercept; for layers without them see `layers`."), call = call)
  }
  if (length(attr(terms, "term.labels")) == 0L) {
    abort_argument("formula", "one with predictors, as in y ~ x", paste(deparse(formula), collapse = " "), call = call)
  }
  left <- formula[[2L]]
  if (is.call(left) && identical(left[[1L]], quote(cbind))) {
    columns <- as.list(left[-1L])
    named <- vapply(columns, is.name, NA)
    if (!all(named)) {
      abort_argument("formula", "names of columns inside cbind()", paste(deparse(left), collapse = " "), call = call)
    }
    formula[[2L]] <- Reduce(function(a, b) call("+", a, b), columns)
  }
  formula[[3L]] <- without_one(formula[[3L]])
  formula
}

# `1 + x` is `x`.
without_one <- function(right) {
  if (is.call(right) && identical(right[[1L]], quote(`+`)) && length(right) == 3L) {
    sides <- lapply(as.list(right[-1L]), without_one)
    kept <- sides[!vapply(sides, identical, NA, 1)]
    if (length(kept) == 2L) call("+", kept[[1L]], kept[[2L]]) else if (length(kept) == 1L) kept[[1L]] else 1
  } else {
    right
  }
}

# A factor of one level has no contrast.
check_factors <- function(data, names, call) {
  for (name in names) {
    if (is.factor(data[[name]]) && nlevels(data[[name]]) < 2L) {
      abort_lamina(
        c(sprintf("`%s` is the same in all rows, %s, and can tell nothing.", name, levels(data[[name]])),
          i = sprintf("Leave it out: `- %s` in a formula does so.", name)),
        "data", arg = name, expected = "at least two levels", actual = "one", call = call
      )
    }
  }
}

# What hardhat and vctrs refuse, as a condition of lamina's.
with_plain_errors <- function(code, arg, call) {
  tryCatch(code, error = function(e) {
    if (inherits(e, "lamina_error")) rlang::cnd_signal(e)
    message <- gsub("`?data\\$([^`]*)`", "`\\1`", conditionMessage(e))
    abort_lamina(message, "data", arg = arg, expected = "data that fit", actual = message, call = call)
  })
}

# ---- rows ----------------------------------------------------------------------------------------

check_has_rows <- function(n, arg, call) {
  if (n == 0L) {
    abort_lamina(sprintf("`%s` has no rows.", arg), "data", arg = arg, expected = "rows", actual = "none", call = call)
  }
}

# What is asked of the rows: weights, offset and subset are looked up in the data, as lm() does.
# quos: list(weights, offset, subset) of quosures.
row_arguments <- function(quos, data, call) {
  n <- nrow(data)
  lapply(stats::setNames(names(quos), names(quos)), function(name) {
    # a mask even where there are no columns: `.env$w` means the same for a matrix
    value <- tryCatch(rlang::eval_tidy(quos[[name]], if (is.data.frame(data)) data else list()), error = function(e) {
      abort_lamina(c(sprintf("`%s` cannot be found.", name), x = conditionMessage(e)), "argument", arg = name, call = call)
    })
    if (is.null(value) || name == "subset") {
      return(value)
    }
    if (inherits(value, "hardhat_case_weights")) {
      value <- as.double(value)
    }
    if (!is.numeric(value) || length(value) != n) {
      abort_argument(name, sprintf("%d numbers, one for each row", n), describe(value), kind = "data", call = call)
    }
    as.double(value)
  })
}

check_row_weights <- function(w, call) {
  if (is.null(w)) {
    return(NULL)
  }
  if (any(w < 0, na.rm = TRUE) || any(is.infinite(w)) || !any(w > 0, na.rm = TRUE)) {
    abort_argument("weights", "numbers of at least 0, not all of them 0",
                   if (any(w < 0, na.rm = TRUE)) format(min(w, na.rm = TRUE)) else "others", kind = "data", call = call)
  }
  w
}

# The rows that can be used, and what became of the others: list(rows, na.action).
usable_rows <- function(mold, weights, offset, na_action, call) {
  n <- nrow(mold$x)
  parts <- c(
    lapply(stats::setNames(seq_len(ncol(mold$x)), colnames(mold$x)), function(j) is.na(mold$x[, j])),
    stats::setNames(list(missing_outcome(mold$y)), mold$outcome),
    list(weights = if (!is.null(weights)) is.na(weights), offset = if (!is.null(offset)) is.na(offset))
  )
  parts <- parts[lengths(parts) > 0L]
  bad <- Reduce(`|`, parts)
  check_finite_parts(mold, !bad, call)
  if (!any(bad)) {
    return(list(rows = seq_len(n), na.action = NULL))
  }
  action <- if (is.function(na_action)) na_action_name(na_action) else na_action
  if (identical(action, "na.pass") || is.null(action)) action <- "na.fail"
  found <- sprintf("%d of %d rows have missing values (%s)", sum(bad), n, missing_text(mold, parts))
  if (action == "na.fail") {
    abort_lamina(c(paste0("A network takes no missing values, but ", found, "."),
                   i = "na.action = na.omit leaves these rows out."), "data", arg = "na.action",
                 expected = "no missing values", actual = found, call = call)
  }
  if (all(bad)) {
    abort_lamina(c("Every row has missing values.", i = found), "data", arg = "data",
                 expected = "rows without missing values", actual = "none", call = call)
  }
  inform_lamina(c(i = paste0(found, " and are left out.")), "lamina_message_na")
  omitted <- structure(which(bad), class = if (action == "na.exclude") "exclude" else "omit")
  list(rows = which(!bad), na.action = omitted)
}

# "age: 3, income: 1": counted by column of the data where it is there to be seen.
missing_text <- function(mold, parts) {
  data <- if (is.data.frame(mold$data)) mold$data[setdiff(names(mold$data), mold$outcome)]
  if (anyNA(data)) {
    parts <- c(lapply(data, is.na), parts[intersect(c(mold$outcome, "weights", "offset"), names(parts))])
  }
  counts <- vapply(parts, sum, 0L)
  counts <- counts[counts > 0L]
  text <- paste(sprintf("%s: %d", names(counts), counts)[seq_len(min(6L, length(counts)))], collapse = ", ")
  if (length(counts) > 6L) paste0(text, ", ...") else text
}

na_action_name <- function(fn) {
  for (name in c("na.omit", "na.exclude", "na.fail", "na.pass")) {
    if (identical(fn, get(name, envir = asNamespace("stats")))) {
      return(name)
    }
  }
  "na.omit"
}

missing_outcome <- function(y) if (is.null(dim(y))) is.na(y) else rowSums(is.na(y)) > 0

check_finite_parts <- function(mold, rows, call) {
  bad <- which(colSums(!is.finite(mold$x[rows, , drop = FALSE])) > 0)
  if (length(bad)) {
    abort_argument(colnames(mold$x)[bad[1L]], "finite numbers", "infinite ones", kind = "data", call = call)
  }
  y <- if (is.null(dim(mold$y))) mold$y[rows] else mold$y[rows, ]
  if (is.numeric(y) && !all(is.finite(y))) {
    abort_argument(mold$outcome, "finite numbers", "infinite ones", kind = "data", call = call)
  }
}

take_rows <- function(v, rows) {
  if (is.null(v)) NULL else if (is.null(dim(v))) v[rows] else v[rows, , drop = FALSE]
}

# ---- scaling -------------------------------------------------------------------------------------

# data: what the predictors are made of, where it is a data frame; else their matrix.
warn_constant <- function(data) {
  data <- as.data.frame(data)
  constant <- names(data)[vapply(data, function(v) length(unique(v)) == 1L, NA)]
  if (length(constant)) {
    warn_lamina(
      sprintf("%s the same value in all rows and can tell nothing: %s.",
              if (length(constant) == 1L) "One predictor has" else sprintf("%d predictors have", length(constant)),
              shorten(constant)),
      "lamina_warning_constant"
    )
  }
}

# Means and standard deviations of the columns; 0 and 1 for those of only 0 and 1, the indicators.
predictor_scaling <- function(x, standardize) {
  indicator <- apply(x, 2L, function(v) all(v == 0 | v == 1))
  free <- !standardize | indicator
  scale <- apply(x, 2L, stats::sd)
  list(center = ifelse(free, 0, colMeans(x)), scale = ifelse(free | !is.finite(scale) | scale == 0, 1, scale))
}

# ---- new data ------------------------------------------------------------------------------------

# The network's inputs for new data: list(x, offset); rows with missing values have NA in x.
forge_predictors <- function(fit, newdata, call) {
  if (is.matrix(newdata) && identical(class(fit$blueprint)[1L], "default_xy_blueprint")) {
    newdata <- fitting_matrix(newdata, names(fit$blueprint$ptypes$predictors), call)
  } else if (is.matrix(newdata)) {
    newdata <- as.data.frame(newdata)
  }
  if (!is.data.frame(newdata) && !is.matrix(newdata)) {
    abort_argument("newdata", "a data frame", describe(newdata), call = call)
  }
  check_columns(newdata, names(fit$blueprint$ptypes$predictors), call)
  if (is.data.frame(newdata) && !inherits(fit$blueprint, "recipe_blueprint")) { # a recipe has its own ways
    newdata <- same_types(newdata, fit$blueprint$ptypes$predictors, call)
  }
  forged <- with_plain_errors(hardhat::forge(newdata, fit$blueprint), "newdata", call)
  x <- predictor_matrix(forged$predictors, call)
  list(x = scale_columns(x, fit$scaling$center, fit$scaling$scale), offset = mold_offset(forged))
}

check_columns <- function(newdata, names, call) {
  missed <- setdiff(names, colnames(newdata))
  if (length(missed)) {
    abort_lamina(
      sprintf("`newdata` has no column %s, which the fit was made with.", shorten(sprintf("`%s`", missed))),
      "data", arg = "newdata", expected = names, actual = colnames(newdata), columns = missed, call = call
    )
  }
}

fitting_matrix <- function(x, names, call) {
  if (is.null(colnames(x)) && ncol(x) == length(names)) {
    colnames(x) <- names
  }
  if (is.null(colnames(x))) {
    abort_argument("newdata", sprintf("a matrix of %d columns", length(names)), describe(x), kind = "shape", call = call)
  }
  x
}

# Text for a factor is taken; levels that the fit did not see become NA, with a warning; other types are errors.
same_types <- function(newdata, ptypes, call) {
  for (name in intersect(names(ptypes), names(newdata))) {
    want <- ptypes[[name]]
    found <- newdata[[name]]
    if (is.factor(want) && (is.character(found) || is.factor(found))) {
      newdata[[name]] <- seen_levels(found, want, name)
    } else if (is.numeric(want) && (is.factor(found) || is.character(found))) {
      abort_argument(name, "numbers, as in the data of the fit", if (is.factor(found)) "a factor" else "text", kind = "data", call = call)
    } else if (is.factor(want) && (is.numeric(found) || is.logical(found)) && !all(is.na(found))) {
      abort_argument(name, sprintf("a factor with the levels %s", paste(levels(want), collapse = ", ")),
                     describe(found), kind = "data", call = call)
    }
  }
  newdata
}

seen_levels <- function(found, want, name) {
  found <- as.character(found)
  new <- setdiff(found[!is.na(found)], levels(want))
  if (length(new)) {
    rows <- sum(found %in% new)
    warn_lamina(
      sprintf("`%s` has %s that the fit did not see, %s: %s NA.", name, if (length(new) == 1L) "a level" else "levels",
              shorten(new), if (rows == 1L) "the prediction for this row is" else sprintf("the predictions for these %d rows are", rows)),
      "lamina_warning_levels"
    )
  }
  factor(found, levels = levels(want), ordered = is.ordered(want))
}
