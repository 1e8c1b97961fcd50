# What each column of the data is worth to a fit: permutation importance.

#' Importance of the predictors
#'
#' How much worse a fit predicts when one column of the data is shuffled (Breiman 2001; Fisher, Rudin and Dominici
#' 2019): the increase of the fit's own figure (mean squared error, log loss, mean deviance, or its own loss),
#' averaged over several shuffles. A shuffled column keeps its values but tells nothing of the outcome any more.
#'
#' The columns are those of the data: a factor is shuffled as a whole, not one indicator column at a time, and a
#' column that stands in several terms of a formula (`x + I(x^2)`, `x:z`) in all of them at once. Weights and
#' offsets stay with their rows. Columns that say much the same share their importance: with one of them shuffled,
#' the fit still leans on the others.
#'
#' @param object A fit of [lamina()]; the methods of other packages (randomForest, ranger) are called for their models
#'   where lamina's function hides theirs.
#' @param data Data to judge by, with the outcome; `NULL`: the rows that the fit held out, which it was not trained
#'   on, or all its rows where there are none.
#' @param times Shuffles of each column.
#' @param ... Must be empty.
#' @param y,weights,offset For `data` that do not hold them: the outcome (`NULL`: found in `data` as it was for the
#'   fit), weights of the rows (`NULL`: 1 each) and the offset (`NULL`: as for [predict()][predict.lamina_fit]).
#' @param rows How many rows to judge by at most, drawn at random: for large data.
#' @return A tibble of class `lamina_importance`, the most important column first: `variable`, `importance` (the mean
#'   increase) and `std.error` (its standard error over the shuffles; `NA` for one). Its attribute `judged` is a list
#'   of the figure's `name` and `value` without shuffling, `times`, `rows` and `where`.
#' @section Randomness:
#' Shuffles come from R's generator: [set.seed()] before the call fixes them.
#' @section Errors:
#' `lamina_error_state` when the fit has not kept its data and none are given; `lamina_error_data` and
#' `lamina_error_argument` for data, outcome or weights that do not fit.
#' @references
#' Breiman, L. (2001). Random forests. *Machine Learning* 45, 5-32. \doi{10.1023/A:1010933404324}
#'
#' Fisher, A., Rudin, C. and Dominici, F. (2019). All models are wrong, but many are useful: learning a variable's
#' importance by studying an entire class of prediction models simultaneously. *Journal of Machine Learning Research*
#' 20(177), 1-81.
#' @family R models
#' @seealso [partial()] for what a column does, [lamina_explainers] for other packages.
#' @examples
#' set.seed(1)
#' fit <- lamina(mpg ~ ., transform(mtcars, cyl = factor(cyl)), hidden_units = 4, optimizer = "bfgs",
#'               penalty = 0.01)
#' worth <- importance(fit)
#' print(worth, n = 5)
#' plot(worth)
#' @export
importance <- function(object, ...) UseMethod("importance")

#' @export
importance.default <- function(object, ...) {
  method <- method_elsewhere("importance", c("randomForest", "ranger"), class(object))
  if (is.null(method)) {
    abort_argument("object", "a fit of lamina()", describe(object))
  }
  method(object, ...)
}

# The method for one of `classes` of a generic of the same name in a package that is loaded, or NULL: lamina's generic
# hides the other one when lamina was attached later.
method_elsewhere <- function(generic, packages, classes) {
  for (package in packages[vapply(packages, isNamespaceLoaded, NA)]) {
    for (class in classes) {
      method <- utils::getS3method(generic, class, optional = TRUE, envir = asNamespace(package))
      if (!is.null(method)) {
        return(method)
      }
    }
  }
}

#' @rdname importance
#' @rawNamespace S3method(randomForest::importance, lamina_fit)
#' @export
importance.lamina_fit <- function(object, data = NULL, times = 10, ..., y = NULL, weights = NULL, offset = NULL,
                                  rows = Inf) {
  check_no_dots(list(...))
  times <- check_count(times)
  most <- check_number(rows, min = 2, allow_infinite = TRUE)
  call <- rlang::current_env()
  rows <- drawn_at_random(judged_rows(object, data, list(y = y, weights = weights, offset = offset), call), most)
  figure <- fit_figure(object)
  variables <- predictor_columns(object)
  base <- figure(rows$y, network_means(object, rows$x, rows$offset), rows$w)
  n <- nrow(rows$x)
  worse <- vapply(variables, function(v) {
    shuffled <- replicate(times, rows$data[[v]][sample.int(n)], simplify = FALSE)
    each <- numeric(times)
    means_of_copies(object, rows$data, rows$offset, times, function(i) stats::setNames(shuffled[i], v),
                    function(means, i) each[i] <<- figure(rows$y, means, rows$w) - base, call)
    c(mean(each), stats::sd(each) / sqrt(times))
  }, c(0, 0))
  order <- order(-worse[1L, ])
  tibble::new_tibble(
    list(variable = variables[order], importance = unname(worse[1L, order]), std.error = unname(worse[2L, order])),
    nrow = length(variables), class = "lamina_importance",
    judged = list(name = object$figures$name, value = base, times = times, rows = n, where = rows$where)
  )
}

# The fit's own figure as a function of (y, means, weights); y as task_values() gives it.
fit_figure <- function(fit) {
  family <- task_family(fit$task)
  if (is.null(family)) own_figure(fit) else family$figure
}

# The columns of the data that predictors are made of, less those that only an offset uses.
predictor_columns <- function(fit) {
  seen <- names(fit$blueprint$ptypes$predictors)
  terms <- fit$blueprint$terms$predictors
  if (is.null(terms)) {
    return(seen)
  }
  intersect(seen, unlist(lapply(attr(terms, "term.labels"), function(label) all.vars(str2lang(label)))))
}

# Means for `copies` copies of complete data, each with some columns replaced: change(i) gives those of copy i as a
# named list, take(means, i) gets what the network says.  Copies are bound together, some 50,000 rows at a time,
# since looking new data over costs far more than predicting from them.  The offset is that of the data as they are.
means_of_copies <- function(fit, data, offset, copies, change, take, call) {
  n <- nrow(data)
  for (part in split(seq_len(copies), (seq_len(copies) - 1L) %/% max(1, floor(5e4 / n)))) {
    new <- lapply(part, change)
    big <- data[rep(seq_len(n), length(part)), , drop = FALSE]
    for (name in names(new[[1L]])) {
      big[[name]] <- do.call(c, lapply(new, function(columns) columns[[name]]))
    }
    means <- network_means(fit, forge_predictors(fit, big, call)$x, rep(offset, length(part)))
    for (k in seq_along(part)) {
      take(means[(k - 1L) * n + seq_len(n), , drop = FALSE], part[k])
    }
  }
}

# ---- rows to judge by ----------------------------------------------------------------------------

# list(data, x, y, w, offset, where) of complete rows: those held out or all of the fit, or those given.
judged_rows <- function(fit, data, given, call) {
  if (is.null(data)) {
    stray <- names(given)[lengths(given) > 0L]
    if (length(stray)) {
      abort_argument(stray[1L], "left out where `data` is, too", describe(given[[stray[1L]]]), call = call)
    }
    return(own_rows(fit, held_out = length(fit$held_out) > 0L, call))
  }
  data <- frame_for(fit, data, call)
  inputs <- prediction_inputs(fit, data, given$offset, call)
  y <- given_outcome(fit, data, given$y, call)
  w <- given$weights
  if (!is.null(w) && (!is.numeric(w) || length(w) != nrow(data))) {
    abort_argument("weights", sprintf("%d numbers, one for each row", nrow(data)), describe(w), kind = "data",
                   call = call)
  }
  w <- if (is.null(w)) rep(1, nrow(data)) else check_row_weights(w, call)
  known <- complete_inputs(inputs) & !missing_outcome(y) & !is.na(w)
  chosen <- which(known)
  tell_left_out(known, call)
  list(data = data[chosen, , drop = FALSE], x = inputs$x[chosen, , drop = FALSE], y = take_rows(y, chosen),
       w = w[chosen], offset = inputs$offset[chosen], where = sprintf("%d rows of the data given", length(chosen)))
}

# At most so many of the rows.
drawn_at_random <- function(rows, most) {
  n <- nrow(rows$data)
  if (n <= most) {
    return(rows)
  }
  chosen <- sample.int(n, most)
  taken <- lapply(rows[c("data", "x", "y", "w", "offset")], take_rows, chosen)
  c(taken, where = sprintf("%d of %s", length(chosen), rows$where))
}

own_rows <- function(fit, held_out, call) {
  data <- frame_for(fit, require_data(fit, call), call)
  rows <- if (held_out) fit$held_out else seq_len(nrow(data))
  list(data = data[rows, , drop = FALSE], x = fit_inputs(fit, call)$x[rows, , drop = FALSE],
       y = take_rows(task_values(fit$task, fit$train$y), rows), w = fit_weights(fit)[rows],
       offset = fit$train$offset[rows],
       where = sprintf(if (held_out) "the %d rows held out" else "the %d rows of the fit", length(rows)))
}

# A data frame of the columns that the predictors need, as new data for the fit; matrices get the fit's names.
frame_for <- function(fit, data, call) {
  if (is.matrix(data)) {
    data <- as.data.frame(fitting_matrix(data, names(fit$blueprint$ptypes$predictors), call))
  }
  if (!is.data.frame(data)) {
    abort_argument("data", "a data frame", describe(data), call = call)
  }
  data
}

complete_inputs <- function(inputs) {
  ok <- stats::complete.cases(inputs$x)
  if (is.null(inputs$offset)) ok else ok & !is.na(inputs$offset)
}

tell_left_out <- function(known, call) {
  if (!any(known)) {
    abort_lamina("Every row has missing values.", "data", arg = "data", expected = "rows without missing values",
                 actual = "none", call = call)
  }
  if (!all(known)) {
    inform_lamina(c(i = sprintf("%d of %d rows have missing values and are left out.", sum(!known), length(known))),
                  "lamina_message_na")
  }
}

# The outcome of new data as task_values() gives it.
given_outcome <- function(fit, data, y, call) {
  task <- fit$task
  y <- if (is.null(y)) find_outcome(fit, data, call) else if (is.data.frame(y) && ncol(y) == 1L) y[[1L]] else y
  if (is.data.frame(y)) y <- as.matrix(y)
  check_sample_count(y, nrow(data), "y", call, "data")
  if (task$kind == "classes") {
    strange <- setdiff(as.character(y[!is.na(y)]), task$levels)
    if (length(strange)) {
      abort_argument(fit$outcome, sprintf("of the classes %s", shorten(task$levels)), strange[1L], kind = "data",
                     call = call)
    }
  } else if (!is.numeric(y) || NCOL(y) != task$units) {
    expected <- if (task$units == 1) "numbers" else sprintf("a matrix of %d columns", task$units)
    abort_argument(fit$outcome, expected, describe(y), kind = "data", call = call)
  }
  task_values(task, y)
}

# As the formula or recipe of the fit makes it; fits of `x` and `y` know only its name.
find_outcome <- function(fit, data, call) {
  if (length(fit$blueprint$ptypes$outcomes)) {
    forged <- with_plain_errors(hardhat::forge(data, fit$blueprint, outcomes = TRUE), "data", call)
    y <- as.data.frame(forged$outcomes)
    return(if (ncol(y) == 1L) y[[1L]] else as.matrix(y))
  }
  if (!fit$outcome %in% names(data)) {
    abort_argument("y", "the outcome, which `data` do not hold", "NULL", call = call)
  }
  data[[fit$outcome]]
}

# ---- printing and plotting -----------------------------------------------------------------------

#' Print and plot importances
#'
#' @param x The result of [importance()].
#' @param n How many columns to show, the most important ones.
#' @param ... For `print()` not used; for `plot()` passed on to [graphics::barplot()] with method `"base"`.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param main A title.
#' @return `print()` its argument, invisibly. `plot()` with ggplot2 the plot, which prints when shown; otherwise its
#'   argument, invisibly.
#' @family R models
#' @examples
#' set.seed(1)
#' fit <- lamina(Species ~ ., iris, hidden_units = 4, epochs = 40)
#' plot(importance(fit), method = "base")
#' @export
print.lamina_importance <- function(x, n = 20, ...) {
  judged <- attr(x, "judged")
  if (is.null(judged) || !all(c("variable", "importance") %in% names(x))) {
    return(NextMethod())
  }
  n <- check_number(n, min = 1, allow_infinite = TRUE)
  cat(strwrap(importance_text(judged), getOption("width")), sep = "\n")
  shown <- as.data.frame(x)[seq_len(min(n, nrow(x))), , drop = FALSE]
  numbers <- vapply(shown, is.numeric, NA)
  shown[numbers] <- lapply(shown[numbers], function(v) format(signif(v, 3L), digits = 3L))
  print.data.frame(shown, row.names = FALSE)
  if (nrow(shown) < nrow(x)) {
    cat(sprintf("... and %d more\n", nrow(x) - nrow(shown)))
  }
  invisible(x)
}

importance_text <- function(judged) {
  sprintf("Increase of the %s, which is %s on %s, when a column is shuffled (%s)", judged$name,
          format(signif(judged$value, 4L)), judged$where,
          if (judged$times == 1) "once" else sprintf("mean of %d times", judged$times))
}

#' @rdname print.lamina_importance
#' @export
plot.lamina_importance <- function(x, n = 20, ..., method = c("auto", "ggplot2", "base"), main = NULL) {
  method <- plot_method(method)
  check_string(main, allow_null = TRUE)
  n <- check_number(n, min = 1, allow_infinite = TRUE)
  judged <- attr(x, "judged")
  shown <- as.data.frame(x)[seq_len(min(n, nrow(x))), ]
  shown <- with_ends(shown)
  axis <- sprintf("increase of the %s when shuffled", if (is.null(judged)) "loss" else judged$name)
  if (method == "base") {
    base_importance(shown, axis, main, ...)
    return(invisible(x))
  }
  shown$variable <- factor(shown$variable, levels = rev(shown$variable))
  ggplot2::ggplot(shown, ggplot2::aes(.data$importance, .data$variable)) +
    ggplot2::geom_col(fill = ink$positive, width = 0.7) +
    ggplot2::geom_segment(ggplot2::aes(.data$low, xend = .data$high, yend = .data$variable), colour = ink$text) +
    ggplot2::geom_vline(xintercept = 0, colour = "grey50") +
    ggplot2::scale_y_discrete(labels = function(names) short_labels(names, 30L)) +
    ggplot2::labs(x = axis, y = NULL, title = main, caption = if (!is.null(judged)) importance_caption(judged))
}

# One standard error to either side.
with_ends <- function(shown) {
  error <- ifelse(is.na(shown$std.error), 0, shown$std.error)
  cbind(shown, low = shown$importance - error, high = shown$importance + error)
}

importance_caption <- function(judged) {
  sprintf("on %s; lines: standard errors of %s", judged$where,
          if (judged$times == 1) "one shuffle are not known" else sprintf("%d shuffles", judged$times))
}

base_importance <- function(shown, axis, main, ...) {
  labels <- short_labels(shown$variable, 30L)
  wide <- max(graphics::strwidth(labels, units = "inches"))
  old <- graphics::par(mai = c(0.7, wide + 0.3, if (is.null(main)) 0.2 else 0.6, 0.2), mgp = c(2.2, 0.7, 0))
  on.exit(graphics::par(old))
  up <- shown[rev(seq_len(nrow(shown))), ]
  at <- graphics::barplot(up$importance, horiz = TRUE, names.arg = rev(labels), las = 1, xlab = axis, main = main,
                          xlim = range(0, up$low, up$high), col = ink$positive, border = NA, ...)
  graphics::segments(up$low, at, up$high, at, col = ink$text)
  graphics::abline(v = 0, col = "grey50")
}

# "ggplot2" or "base".
plot_method <- function(method, call = rlang::caller_env()) {
  method <- check_choice(method[1L], c("auto", "ggplot2", "base"), arg = "method", call = call)
  if (method == "ggplot2") {
    rlang::check_installed("ggplot2", "to plot with it.")
  }
  if (method != "base" && requireNamespace("ggplot2", quietly = TRUE)) "ggplot2" else "base"
}

# Names of at most `most` characters: the middle of longer ones is left out, since their ends tell more.
short_labels <- function(names, most) {
  long <- nchar(names) > most
  half <- (most - 3L) / 2
  names[long] <- paste0(substr(names[long], 1L, ceiling(half)), "...",
                        substring(names[long], nchar(names[long]) - floor(half) + 1L))
  names
}
