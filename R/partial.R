# What one or two columns of the data do to the predictions of a fit.

#' Partial dependence
#'
#' How the predictions of a fit change with one column of the data, or two: what its coefficients tell of a linear
#' model, for a network.
#'
#' * `"pdp"`, partial dependence (Friedman 2001): the mean prediction over all rows when the column is set to one
#'   value in all of them, for a grid of values.
#' * `"ice"`, individual conditional expectation (Goldstein et al. 2015): the same row by row, a curve each; where
#'   they are not parallel, the column works together with others.
#' * `"ale"`, accumulated local effects (Apley and Zhu 2020): the mean change of the prediction between neighbouring
#'   quantiles, over the rows that lie between them, added up and centred at a mean of 0. Unlike the others it
#'   never asks for predictions far from the data when columns are correlated.
#'
#' Predictions are on the scale of the outcome: means, or probabilities of classes. Weights of the fit weigh its
#' rows, and offsets stay with them. For other scales, more columns and other pictures see [lamina_explainers].
#'
#' @param object A fit of [lamina()]. Other models, and functions, are handed on to packages pdp and purrr, where
#'   lamina's function hides theirs.
#' @param variable Name of the column, or for `"pdp"` of two columns.
#' @param type `"pdp"`, `"ice"` or `"ale"` (numeric columns).
#' @param ... Must be empty.
#' @param data Rows to average over, such as a sample of a large data set; `NULL`: all rows of the fit.
#' @param grid_size How many values of a numeric column: evenly spaced (quantiles for `"ale"`), or those that occur
#'   when they are no more. Factors have all their levels.
#' @param class Which class, or which of several outcomes; `NULL`: the second of two classes, else all.
#' @return A data frame of class `lamina_partial` with the column(s), `.estimate` (for `"ale"` the centred effect),
#'   and where they tell rows apart `.response` (the class or outcome) and `.row` (`"ice"`).
#' @section Errors:
#' `lamina_error_argument` for a column that is no predictor, or one that `type` cannot take;
#' `lamina_error_state` when the fit has not kept its data and none are given.
#' @references
#' Friedman, J. H. (2001). Greedy function approximation: a gradient boosting machine. *Annals of Statistics* 29(5),
#' 1189-1232. \doi{10.1214/aos/1013203451}
#'
#' Goldstein, A., Kapelner, A., Bleich, J. and Pitkin, E. (2015). Peeking inside the black box: visualizing
#' statistical learning with plots of individual conditional expectation. *Journal of Computational and Graphical
#' Statistics* 24(1), 44-65. \doi{10.1080/10618600.2014.907095}
#'
#' Apley, D. W. and Zhu, J. (2020). Visualizing the effects of predictor variables in black box supervised learning
#' models. *Journal of the Royal Statistical Society B* 82(4), 1059-1086. \doi{10.1111/rssb.12377}
#' @family R models
#' @seealso [importance()]
#' @examples
#' set.seed(1)
#' fit <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 60)
#' curve <- partial(fit, "Petal.Width")
#' head(curve)
#' plot(curve)
#' plot(partial(fit, "Petal.Width", type = "ice", class = "virginica"))
#' plot(partial(fit, c("Petal.Width", "Petal.Length"), class = "virginica"))
#' @export
partial <- function(object, ...) UseMethod("partial")

#' @export
partial.default <- function(object, ...) {
  method <- if (is.function(object) && isNamespaceLoaded("purrr")) {
    getExportedValue("purrr", "partial")
  } else {
    method_elsewhere("partial", "pdp", if (is.object(object)) c(class(object), "default"))
  }
  if (is.null(method)) {
    abort_argument("object", "a fit of lamina()", describe(object))
  }
  method(object, ...)
}

#' @rdname partial
#' @export
partial.lamina_fit <- function(object, variable, type = c("pdp", "ice", "ale"), ..., data = NULL, grid_size = 20,
                               class = NULL) {
  dots <- list(...)
  call <- rlang::current_env()
  if ("pred.var" %in% names(dots)) {
    abort_argument("pred.var", "left out", describe(dots$pred.var), call = call,
                   hint = c(i = "This is lamina's partial(), which takes `variable`; pdp's is pdp::partial()."))
  }
  check_no_dots(dots)
  type <- check_choice(type[1L], c("pdp", "ice", "ale"), arg = "type")
  if (missing(variable)) {
    abort_argument("variable", "the name of a column", "missing", call = call)
  }
  variable <- check_variable(object, variable, type, call)
  grid_size <- check_count(grid_size, min = 2)
  rows <- averaged_rows(object, data, call)
  chosen <- check_responses(object, class, call)
  out <- if (type == "ale") {
    accumulated_effects(object, variable, rows, chosen, grid_size, call)
  } else {
    average_predictions(object, variable, rows, chosen, grid_size, type == "ice", call)
  }
  structure(out, class = c("lamina_partial", "data.frame"), type = type, variable = variable,
            what = partial_label(object, type, chosen), deciles = lapply(rows$data[variable], column_deciles))
}

check_variable <- function(fit, variable, type, call) {
  known <- predictor_columns(fit)
  if (!is.character(variable) || anyNA(variable) || length(variable) < 1L || length(variable) > 2L) {
    abort_argument("variable", "the name of a column, or of two", describe(variable), call = call)
  }
  for (name in setdiff(variable, known)) {
    abort_unknown("variable", "a column that predictors are made of", name, known, call = call)
  }
  if (anyDuplicated(variable)) {
    abort_argument("variable", "two different columns", sprintf("\"%s\" twice", variable[1L]), call = call)
  }
  if (length(variable) == 2L && type != "pdp") {
    abort_argument("variable", sprintf("one column for type = \"%s\"", type), "two", call = call)
  }
  if (type == "ale" && !is.numeric(fit$blueprint$ptypes$predictors[[variable]])) {
    abort_argument("variable", "a numeric column for type = \"ale\"", sprintf("`%s`, which is none", variable),
                   call = call)
  }
  variable
}

# Complete rows to average over: list(data, offset, w).
averaged_rows <- function(fit, data, call) {
  if (is.null(data)) {
    return(own_rows(fit, held_out = FALSE, call)[c("data", "offset", "w")])
  }
  data <- frame_for(fit, data, call)
  inputs <- prediction_inputs(fit, data, NULL, call)
  known <- complete_inputs(inputs)
  tell_left_out(known, call)
  list(data = data[known, , drop = FALSE], offset = inputs$offset[known], w = rep(1, sum(known)))
}

# The classes or outcomes to tell of.
check_responses <- function(fit, class, call) {
  all <- response_names(fit$task)
  if (is.null(class)) {
    return(if (fit$task$kind == "classes" && length(all) == 2L) all[2L] else all)
  }
  name <- if (is.factor(class)) as.character(class) else class
  if (!is.character(name) || length(name) != 1L || !name %in% all) {
    abort_argument("class", paste("one of", paste0("\"", all, "\"", collapse = ", ")), describe(class), call = call)
  }
  name
}

response_names <- function(task) {
  if (task$kind != "classes") {
    task$outcomes
  } else if (gives_scores(task) && task$units == 1) {
    task$levels[2L]
  } else {
    task$levels
  }
}

# Means as columns named by response_names(): both classes where the network has one unit for two.
response_columns <- function(task, means) {
  if (task$kind == "classes" && !gives_scores(task)) {
    return(class_probabilities(task, means))
  }
  colnames(means) <- response_names(task)
  means
}

# ---- the curves ----------------------------------------------------------------------------------

average_predictions <- function(fit, variable, rows, responses, grid_size, each_row, call) {
  grid <- expand.grid(lapply(rows$data[variable], column_grid, grid_size), KEEP.OUT.ATTRS = FALSE)
  n <- nrow(rows$data)
  found <- array(NA_real_, c(if (each_row) n else 1L, nrow(grid), length(responses)))
  means_of_copies(
    fit, rows$data, rows$offset, nrow(grid),
    function(i) lapply(grid, function(values) rep(values[i], n)),
    function(means, i) {
      of <- response_columns(fit$task, means)[, responses, drop = FALSE]
      found[, i, ] <<- if (each_row) of else colSums(rows$w * of) / sum(rows$w)
    },
    call
  )
  at <- expand.grid(row = seq_len(dim(found)[1L]), grid = seq_len(nrow(grid)), response = seq_along(responses))
  extra <- list(.response = if (length(responses) > 1L) factor(responses, responses)[at$response],
                .row = if (each_row) at$row)
  data.frame(grid[at$grid, , drop = FALSE], c(extra[lengths(extra) > 0L], list(.estimate = as.vector(found))),
             row.names = NULL, check.names = FALSE)
}

# Apley and Zhu (2020), equations 15 and 16, with weights: z are the quantiles, and a row belongs to the interval
# (z[k], z[k + 1]] (the smallest to the first).
accumulated_effects <- function(fit, variable, rows, responses, grid_size, call) {
  x <- rows$data[[variable]]
  z <- unique(stats::quantile(x, seq(0, 1, length.out = grid_size), type = 1L, names = FALSE))
  if (length(z) < 2L) {
    abort_argument("variable", "a column of different values for type = \"ale\"",
                   sprintf("`%s`, which has only one", variable), call = call)
  }
  k <- findInterval(x, z, left.open = TRUE, rightmost.closed = TRUE, all.inside = TRUE)
  ends <- list()
  means_of_copies(
    fit, rows$data, rows$offset, 2, function(i) stats::setNames(list(z[k + i - 1L]), variable),
    function(means, i) ends[[i]] <<- response_columns(fit$task, means)[, responses, drop = FALSE], call
  )
  interval <- factor(k, seq_len(length(z) - 1L))
  mass <- as.vector(tapply(rows$w, interval, sum, default = 0))
  effects <- vapply(responses, function(name) {
    change <- as.vector(tapply(rows$w * (ends[[2L]] - ends[[1L]])[, name], interval, sum, default = 0))
    sums <- c(0, cumsum(ifelse(mass > 0, change / mass, 0)))
    middle <- (sums[-1L] + sums[-length(sums)]) / 2
    sums - sum(mass * middle) / sum(mass)
  }, z)
  out <- stats::setNames(data.frame(rep(z, length(responses))), variable)
  if (length(responses) > 1L) out$.response <- rep(factor(responses, responses), each = length(z))
  out$.estimate <- as.vector(effects)
  out
}

# Values of one column to ask for.
column_grid <- function(x, size) {
  if (is.factor(x)) {
    return(factor(levels(x), levels(x), ordered = is.ordered(x)))
  }
  values <- sort(unique(x))
  if (length(values) <= size) {
    values
  } else if (is.numeric(x)) {
    seq(values[1L], values[length(values)], length.out = size)
  } else {
    values[round(seq(1, length(values), length.out = size))]
  }
}

column_deciles <- function(x) if (is.numeric(x)) stats::quantile(x, 0:10 / 10, names = FALSE)

partial_label <- function(fit, type, responses) {
  task <- fit$task
  one <- if (length(responses) == 1L) responses
  what <- if (task$kind != "classes") {
    if (is.null(one)) "outcome" else one
  } else {
    paste(c(if (gives_scores(task)) "score" else "probability", if (!is.null(one)) c("of", one)), collapse = " ")
  }
  switch(type, pdp = paste("mean", what), ice = what,
         ale = paste(c("effect on", if (task$kind == "classes") "the", what), collapse = " "))
}
