# Pictures beside what they are and what they are taken for.

#' Look at pictures
#'
#' A grid of pictures with what they are and what a model takes them for: "truth -> predicted
#' (probability)". Wrong ones are framed and written in orange. With `which = "worst"` the mistakes
#' come first that cost most: those where the true class was given the smallest probability.
#'
#' @param x Pictures: an array samples x height x width x channels (1 grey, 3 RGB, 4 RGB and opacity), samples
#'   x height x width, or one picture (height x width, or height x width x channels).
#' @param labels True classes: a factor, classes counted from 0, or a matrix of indicators.
#' @param predictions Predicted classes: a factor, classes counted from 0, or a matrix of
#'   probabilities, as [predict()][predict.lamina_model] gives.
#' @param class_names Names of the classes; `NULL`: the levels of the factor, or 0, 1, 2, ...
#' @param max How many pictures at most.
#' @param which Which pictures: positions; `"worst"`, the worst mistakes first (for which truth and
#'   probabilities are needed); `"wrong"`, mistakes in their order; `NULL`: the first ones.
#' @param ncol Pictures in a row; `NULL`: as many as make them largest.
#' @param range Numbers that stand for black and white; `NULL`: 0 and 1 or 0 and 255, and the smallest
#'   and the largest where numbers are negative.
#' @param main A title.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @return With ggplot2 the plot, which prints when shown and has the attribute `array`; otherwise
#'   that invisibly: a data frame of what is shown, `sample`, `truth`, `predicted`, `probability` (of
#'   the predicted class) and `loss` (minus the logarithm of the probability of the true one).
#' @section Errors:
#' Something that is no picture raises `lamina_error_shape`, classes that do not fit
#' `lamina_error_data`, other arguments `lamina_error_argument`.
#' @family seeing
#' @examples
#' set.seed(1)
#' shapes <- sim_shapes(60, size = 16)
#' plot_images(shapes$x, shapes$y, max = 9)
#'
#' # as if a model had guessed
#' p <- matrix(runif(60 * nlevels(shapes$y)), 60)
#' plot_images(shapes$x, shapes$y, p / rowSums(p), which = "worst", max = 12)
#' @export
plot_images <- function(x, labels = NULL, predictions = NULL, class_names = NULL, max = 25, which = NULL,
                        ncol = NULL, range = NULL, main = NULL, method = c("auto", "ggplot2", "base")) {
  max <- check_count(max)
  ncol <- check_count(ncol, allow_null = TRUE)
  check_string(main, allow_null = TRUE)
  method <- drawing_method(method)
  pictures <- as_pictures(x, range)
  judged <- judge_pictures(labels, predictions, class_names, dim(pictures)[1L])
  shown <- judged[choose_pictures(judged, which, max), , drop = FALSE]
  if (nrow(shown) == 0L) {
    abort_lamina("There is no mistake to show.", "state", arg = "which", expected = "mistakes", actual = "none")
  }
  wrong <- !is.na(shown$truth) & !is.na(shown$predicted) & shown$truth != shown$predicted
  rasters <- lapply(shown$sample, function(i) picture_raster(pictures, i))
  layout <- grid_layout(
    rasters, picture_captions(shown, length(rasters), ncol), columns = ncol, main = main,
    colour = ifelse(wrong, "#B34700", ink$text), frames = ifelse(wrong, ink$negative, NA)
  )
  rownames(shown) <- NULL
  draw_layout(layout, method, shown)
}

# A row a picture: sample, truth, predicted, probability, loss; NA where not known.
judge_pictures <- function(labels, predictions, class_names, n, call = rlang::caller_env()) {
  read <- function(value, arg) {
    if (is.null(value)) {
      return(NULL)
    }
    classes <- read_classes(value, arg, call)
    if (length(classes$class) != n) {
      abort_argument(arg, sprintf("given for each of the %d pictures", n), sprintf("for %d", length(classes$class)),
                     kind = "data", call = call)
    }
    classes
  }
  truth <- read(labels, "labels")
  predicted <- read(predictions, "predictions")
  out <- data.frame(sample = seq_len(n), truth = factor(rep(NA, n)), predicted = factor(rep(NA, n)),
                    probability = NA_real_, loss = NA_real_)
  if (is.null(truth) && is.null(predicted)) {
    return(out)
  }
  both <- common_classes(if (is.null(truth)) predicted else truth, if (is.null(predicted)) truth else predicted,
                         class_names, call)
  as_class <- function(codes) factor(both$names[codes], both$names)
  out$truth <- out$predicted <- as_class(rep(NA_integer_, n))
  if (!is.null(truth)) {
    out$truth <- as_class(both$truth)
  }
  if (!is.null(predicted)) {
    out$predicted <- as_class(both$predicted)
    if (!is.null(predicted$p)) {
      out$probability <- predicted$p[cbind(seq_len(n), predicted$class)]
    }
    if (!is.null(truth) && !is.null(predicted$p)) {
      # by class: the class that stands in each column of the probabilities
      by_class <- match(both$truth, both$column)
      p <- predicted$p[cbind(seq_len(n), by_class)]
      out$loss <- -log(pmax(ifelse(is.na(p), 0, p), 1e-7))
    }
  }
  out
}

choose_pictures <- function(judged, which, max, call = rlang::caller_env()) {
  n <- nrow(judged)
  if (is.null(which)) {
    return(seq_len(min(n, max)))
  }
  if (is.character(which)) {
    check_choice(which, c("worst", "wrong"), call = call)
    if (anyNA(judged$truth) || anyNA(judged$predicted)) {
      abort_argument("which", "NULL or positions, where labels or predictions are not given",
                     sprintf("\"%s\"", which), call = call)
    }
    wrong <- base::which(judged$truth != judged$predicted)
    if (which == "worst") {
      if (anyNA(judged$loss)) {
        abort_argument("predictions", "a matrix of probabilities, to find the worst mistakes", "classes", call = call)
      }
      wrong <- wrong[order(-judged$loss[wrong])]
    }
    return(utils::head(wrong, max))
  }
  if (!is.numeric(which) || length(which) == 0L || !all(which %in% seq_len(n))) {
    abort_argument("which", sprintf("\"worst\", \"wrong\" or positions from 1 to %d", n), describe(which), call = call)
  }
  utils::head(which, max)
}

# "truth -> predicted (98 %)", on two lines where one would be long.
picture_captions <- function(shown, n, ncol) {
  known <- function(column) !all(is.na(shown[[column]]))
  if (!known("truth") && !known("predicted")) {
    return(NULL)
  }
  truth <- as.character(shown$truth)
  if (!known("predicted")) {
    return(truth)
  }
  guess <- as.character(shown$predicted)
  if (known("probability")) {
    guess <- sprintf("%s (%s)", guess, sub(" %", "%", percent_text(shown$probability, 0), fixed = TRUE))
  }
  if (!known("truth")) {
    return(guess)
  }
  one_line <- paste(truth, "->", guess)
  columns <- if (is.null(ncol)) ceiling(sqrt(n)) else ncol
  room <- device_inches()[1L] / columns
  if (text_inches(max(nchar(one_line)), 9) < room) one_line else paste0(truth, "\n-> ", guess)
}
