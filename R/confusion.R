# Who is taken for whom: tables of true and predicted classes.

#' Confusion: which classes are taken for which
#'
#' Counts samples by true class (rows) and predicted class (columns). `summary()` works out for each
#' class how many of its samples are found (recall, `hits / true samples`), how many of those given its
#' name have it rightly (precision, `hits / samples predicted so`), and F1, their harmonic mean.
#'
#' @param truth A model, or the true classes: a factor, classes counted from 0, or a matrix of
#'   indicators with a row a sample.
#' @param predicted The predicted classes: a factor, classes counted from 0, or a matrix of
#'   probabilities with a row a sample, of which the largest counts (the first of equal ones). One
#'   column, or a vector with numbers between 0 and 1, holds the probabilities of class 1 of two.
#' @param x,y With a model: inputs, and their true classes.
#' @param labels Names of the classes, in order; `NULL`: the levels of a factor, the names of the
#'   columns, or else 0, 1, 2, ...
#' @param object,row.names,optional,... The confusion; the others are not used.
#' @return A table of class `lamina_confusion`, an integer matrix with the dimensions `truth` and
#'   `predicted`, and methods for `print()`, `summary()` (a data frame: `class`, `n`, `recall`,
#'   `precision`, `f1`; NA where there is nothing to divide by), `as.data.frame()` (`truth`,
#'   `predicted`, `count`) and [plot()][plot.lamina_confusion].
#' @section Errors:
#' Classes that cannot be read, differ in number or are missing raise `lamina_error_data`.
#' @family seeing
#' @examples
#' truth <- factor(c("cat", "cat", "dog", "dog", "dog", "hen"))
#' predicted <- factor(c("cat", "dog", "dog", "dog", "cat", "hen"))
#' found <- confusion(truth, predicted)
#' found
#' summary(found)
#'
#' # probabilities, classes counted from 0
#' confusion(c(0, 1, 1), matrix(c(0.9, 0.6, 0.2, 0.1, 0.4, 0.8), 3))
#' @export
confusion <- function(truth, ...) UseMethod("confusion")

#' @rdname confusion
#' @export
confusion.default <- function(truth, predicted, labels = NULL, ...) {
  check_no_dots(list(...))
  confusion_of(read_classes(truth, "truth"), read_classes(predicted, "predicted"), labels)
}

#' @rdname confusion
#' @export
confusion.lamina_model <- function(truth, x, y, labels = NULL, ...) {
  check_no_dots(list(...))
  confusion_of(read_classes(y, "y"), read_classes(predict(truth, x), "predicted"), labels, "y")
}

confusion_of <- function(truth, predicted, labels = NULL, arg = "truth", call = rlang::caller_env()) {
  if (length(truth$class) != length(predicted$class)) {
    abort_argument("predicted", sprintf("as many classes as `%s` has (%d)", arg, length(truth$class)),
                   sprintf("%d", length(predicted$class)), kind = "data", call = call)
  }
  both <- common_classes(truth, predicted, labels, call = call)
  k <- length(both$names)
  counts <- matrix(
    tabulate(both$truth + k * (both$predicted - 1L), k * k), k,
    dimnames = list(truth = both$names, predicted = both$names)
  )
  structure(counts, class = c("lamina_confusion", "table"))
}

# Classes from whatever form users have: list(class, counted from 1; names or NULL; count, the number
# of classes as far as it is known; p, a matrix of probabilities, or NULL; factor, TRUE of factors).
read_classes <- function(x, arg, call = rlang::caller_env()) {
  refuse <- function(actual) {
    abort_argument(arg, "a factor, classes counted from 0, or a matrix with a column a class", actual,
                   kind = "data", call = call)
  }
  if (is.data.frame(x)) {
    x <- if (ncol(x) == 1L) x[[1L]] else as.matrix(x)
  }
  if (is.character(x)) {
    x <- factor(x)
  }
  if (is.logical(x) && is.null(dim(x))) {
    x <- as.integer(x)
  }
  if (!is.factor(x) && !is.numeric(x)) {
    refuse(describe(x))
  }
  if (anyNA(x)) {
    refuse(sprintf("one with %d missing values", sum(is.na(x))))
  }
  if (is.factor(x)) {
    return(list(class = as.integer(x), names = levels(x), count = nlevels(x), factor = TRUE))
  }
  if (length(dim(x)) > 2L) {
    refuse(describe(x))
  }
  if (length(dim(x)) == 2L && ncol(x) > 1L) {
    return(list(class = max.col(x, "first"), names = colnames(x), count = ncol(x), p = unname(x)))
  }
  x <- as.vector(x)
  if (all(x >= 0 & x <= 1) && any(x != floor(x))) {
    return(list(class = 1L + (x > 0.5), count = 2L, p = cbind(1 - x, x)))
  }
  if (any(x < 0 | x != floor(x))) {
    refuse("numbers that are no classes")
  }
  list(class = as.integer(x) + 1L, count = max(x, -1) + 1)
}

# Both in the same classes: list(truth, predicted, names, column), `column` being the classes that the
# columns of predicted probabilities stand for.  Factors, and columns that have the names of
# the levels, meet by name; all else by position.
common_classes <- function(truth, predicted, labels = NULL, call = rlang::caller_env()) {
  by_name <- (isTRUE(truth$factor) && isTRUE(predicted$factor)) ||
    (!is.null(truth$names) && setequal(truth$names, predicted$names))
  if (by_name) {
    names <- union(truth$names, predicted$names)
    column <- match(predicted$names, names)
    truth$class <- match(truth$names, names)[truth$class]
    predicted$class <- match(predicted$names, names)[predicted$class]
    count <- length(names)
  } else {
    names <- if (is.null(truth$names)) predicted$names else truth$names
    count <- max(truth$count, predicted$count)
    column <- seq_len(predicted$count)
  }
  if (!is.null(labels)) {
    if (length(labels) < count || anyDuplicated(labels)) {
      abort_argument("labels", sprintf("%d different names", count), describe(labels), call = call)
    }
    names <- as.character(labels)
  } else if (length(names) < count) {
    if (!is.null(names)) {
      abort_argument("predicted", sprintf("classes of the %d that `truth` names", length(names)),
                     sprintf("class %d, counted from 0", count - 1), kind = "data", call = call)
    }
    names <- as.character(seq_len(count) - 1)
  }
  list(truth = truth$class, predicted = predicted$class, names = names, column = column)
}

#' @rdname confusion
#' @export
summary.lamina_confusion <- function(object, ...) {
  hits <- unname(diag(object))
  n <- unname(rowSums(object))
  predicted <- unname(colSums(object))
  share <- function(of) ifelse(of > 0, hits / of, NA_real_)
  data.frame(
    class = factor(rownames(object), rownames(object)), n = n, recall = share(n),
    precision = share(predicted), f1 = ifelse(n + predicted > 0, 2 * hits / (n + predicted), NA_real_)
  )
}

#' @rdname confusion
#' @export
as.data.frame.lamina_confusion <- function(x, row.names = NULL, optional = FALSE, ...) {
  names <- rownames(x)
  cells <- expand.grid(truth = factor(names, names), predicted = factor(names, names))
  cells$count <- as.integer(x)
  cells
}

accuracy_text <- function(x) {
  n <- sum(x)
  hits <- sum(diag(x))
  sprintf("accuracy %s: %s of %s right", percent_text(hits / n), format(hits, big.mark = ","),
          format(n, big.mark = ","))
}

percent_text <- function(share, digits = 1) {
  ifelse(is.finite(share), sprintf("%.*f %%", digits, 100 * share), "-")
}

#' @export
print.lamina_confusion <- function(x, ...) {
  if (sum(x) == 0) {
    cat("No samples.\n")
    return(invisible(x))
  }
  by_class <- summary(x)
  headings <- colnames(x)
  wide <- sum(pmax(nchar(headings), 6) + 1) + max(nchar(headings)) + 9 > getOption("width")
  digits <- if (wide) 0 else 1
  cells <- rbind(
    cbind(unclass(x), percent_text(by_class$recall, digits)),
    c(percent_text(by_class$precision, digits), "")
  )
  cells[cells == "0"] <- "."
  dimnames(cells) <- list(
    truth = c(rownames(x), "precision"),
    predicted = c(if (wide) abbreviate(headings, 5) else headings, "recall")
  )
  print(cells, quote = FALSE, right = TRUE)
  cat(accuracy_text(x), "\n", sep = "")
  invisible(x)
}

#' Plot a confusion
#'
#' A field for each pair of classes, with its count. The colour says which share of the true class
#' (the row) it is: blue what is right, orange what is wrong.
#'
#' @param x A [confusion()].
#' @param main A title; `NULL`: the accuracy.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param ... Not used.
#' @return With ggplot2 the plot, which prints when shown; otherwise the confusion, invisibly.
#' @family seeing
#' @examples
#' set.seed(1)
#' truth <- sample(0:4, 200, replace = TRUE)
#' predicted <- ifelse(runif(200) < 0.8, truth, sample(0:4, 200, replace = TRUE))
#' plot(confusion(truth, predicted, labels = c("cat", "dog", "hen", "cow", "pig")))
#' @export
plot.lamina_confusion <- function(x, main = NULL, method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  check_string(main, allow_null = TRUE)
  method <- drawing_method(method)
  if (sum(x) == 0) {
    abort_lamina("The confusion holds no samples.", "state", arg = "x", expected = "samples", actual = "none")
  }
  if (is.null(main)) {
    main <- accuracy_text(x)
  }
  cells <- confusion_cells(x)
  if (method == "ggplot2") {
    return(ggplot_confusion(cells, rownames(x), main))
  }
  base_plot_confusion(cells, rownames(x), main)
  invisible(x)
}

# What is drawn: a row a field, with its share of the true class, colours and text.
confusion_cells <- function(x) {
  cells <- as.data.frame(x)
  totals <- rowSums(x)[as.integer(cells$truth)]
  cells$share <- ifelse(totals > 0, cells$count / totals, 0)
  right <- cells$truth == cells$predicted
  # the root makes small shares visible
  strength <- sqrt(cells$share)
  cells$fill <- ifelse(right, blend("#FFFFFF", "#005A93", strength), blend("#FFFFFF", "#D55E00", strength))
  cells$ink <- ifelse(strength > ifelse(right, 0.6, 0.75), "#FFFFFF", ink$text)
  cells$text <- ifelse(cells$count == 0, "", format(cells$count, trim = TRUE, scientific = FALSE))
  cells
}

# Colours on the way from one to the other: share 0 to 1.
blend <- function(from, to, share) {
  a <- grDevices::col2rgb(from)[, 1L]
  b <- grDevices::col2rgb(to)[, 1L]
  mix <- outer(1 - share, a) + outer(share, b)
  grDevices::rgb(mix[, 1L], mix[, 2L], mix[, 3L], maxColorValue = 255)
}

ggplot_confusion <- function(cells, names, main) {
  k <- length(names)
  inches <- 0.8 * device_inches()[1L] / (k + 1)
  size <- fitting_points(0.9 * inches, max(nchar(cells$text), 2)) / 2.845
  label <- fitting_points(0.15 * device_inches()[1L], max(nchar(names)), largest = 12, smallest = 7)
  upright <- text_inches(max(nchar(names)), label) > inches
  ggplot2::ggplot(cells, ggplot2::aes(.data$predicted, .data$truth)) +
    ggplot2::geom_tile(ggplot2::aes(fill = .data$fill), colour = "#D5DBE1", linewidth = 0.3) +
    ggplot2::geom_text(ggplot2::aes(label = .data$text, colour = .data$ink), size = size) +
    ggplot2::scale_fill_identity() +
    ggplot2::scale_colour_identity() +
    ggplot2::scale_y_discrete(limits = rev) +
    ggplot2::scale_x_discrete(position = "top") +
    ggplot2::coord_fixed(expand = FALSE) +
    ggplot2::labs(x = "predicted", y = "truth", title = main,
                  caption = "colour: share of the true class; blue right, orange wrong") +
    ggplot2::theme_minimal() +
    ggplot2::theme(
      panel.grid = ggplot2::element_blank(),
      axis.text = ggplot2::element_text(size = label, colour = ink$text),
      axis.text.x.top = if (upright) ggplot2::element_text(angle = 90, hjust = 0, vjust = 0.5)
    )
}

base_plot_confusion <- function(cells, names, main) {
  k <- length(names)
  old <- graphics::par(c("mar", "pty"))
  on.exit(graphics::par(old))
  size <- device_inches()
  longest <- max(nchar(names))
  label <- fitting_points(0.15 * size[1L], longest, largest = 12, smallest = 7)
  upright <- text_inches(longest, label) > 0.8 * size[1L] / (k + 1)
  lines <- function(inches) inches / graphics::par("csi")
  side <- text_inches(longest, label) + 0.1
  graphics::par(mar = c(1.6, lines(side) + 1.6, lines(if (upright) side else 0.3) + 3.4, 0.6), pty = "s")
  graphics::plot.new()
  graphics::plot.window(c(0.5, k + 0.5), c(k + 0.5, 0.5), xaxs = "i", yaxs = "i")
  column <- as.integer(cells$predicted)
  row <- as.integer(cells$truth)
  graphics::rect(column - 0.5, row - 0.5, column + 0.5, row + 0.5, col = cells$fill, border = "#D5DBE1")
  inches <- graphics::par("pin")[1L] / k
  points <- fitting_points(0.9 * inches, max(nchar(cells$text), 2))
  graphics::text(column, row, cells$text, col = cells$ink, cex = points / graphics::par("ps"))
  cex <- label / graphics::par("ps")
  graphics::axis(2, seq_len(k), names, las = 1, tick = FALSE, line = -0.8, cex.axis = cex, gap.axis = -1)
  graphics::axis(3, seq_len(k), names, las = if (upright) 2 else 1, tick = FALSE, line = -0.8,
                 cex.axis = cex, gap.axis = -1)
  graphics::mtext("truth", 2, lines(side) + 0.3)
  graphics::mtext("predicted", 3, lines(if (upright) side else 0.3) + 0.3)
  graphics::mtext(main, 3, lines(if (upright) side else 0.3) + 1.8, font = 2, adj = 0)
  graphics::mtext("colour: share of the true class; blue right, orange wrong", 1, 0.4, cex = 0.75,
                  col = "grey40")
}
