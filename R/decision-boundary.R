# What a model says all over the plane of two inputs.

#' Plot the decisions of a model over two inputs
#'
#' The plane of two numeric inputs, coloured by what a model predicts there, with the data as points. For classes the
#' colour is that of the most probable class, the stronger the more probable it is, and lines are where two classes
#' are level; points have the colour of their true class, and those that the model gets wrong a cross. For numbers the colours
#' are the prediction, and the points have the colour of their true value on the same scale.
#'
#' Further predictors are held at one value: the median of a number, the most frequent level of a factor, or what `at`
#' says. The points are then still all of the data, whatever their other predictors are.
#'
#' @param object A fit of [lamina()]; a compiled model of [keras_model_sequential()]; or a model of a kind that
#'   [compare_models()] knows, fitted by formula, such as `glm()` or `rpart()`.
#' @param data The points: a data frame with the predictors and, for models of a formula, the outcome; for a model of
#'   [keras_model_sequential()] the inputs, a matrix or data frame with a column for each. `NULL`: the data of the fit.
#' @param y True classes or values for a model of [keras_model_sequential()], as for [fit()][fit.lamina_model]; for other
#'   models where `data` do not hold the outcome. `NULL`: points without colour.
#' @param ... Not used: unknown arguments are refused.
#' @param predictors The two predictors to draw, names or positions; may be left out where there are only two numeric
#'   ones, which are then the axes in their order.
#' @param at A named list of values for other predictors.
#' @param size Points of the grid along each axis.
#' @param points Whether to draw the data.
#' @return A ggplot. Its data are a data frame of `size^2` rows: the two predictors, and `class` and `probability` (of the
#'   class; 1 for models without probabilities), or `prediction`.
#' @section Errors:
#' `lamina_error_argument` for a model with one input or several outcomes, for predictors that there are not or that are no
#' numbers; `lamina_error_state` for a model without weights; `lamina_error_data` for data that do not fit.
#' @family teaching
#' @examples
#' set.seed(1)
#' x <- matrix(runif(400, -1, 1), ncol = 2)
#' inside <- factor(ifelse(rowSums(x^2) < 0.5, "in", "out"))
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(8, activation = "tanh") |>
#'   layer_dense(2, activation = "softmax")
#' model |> compile(optimizer_adam(0.05), "sparse_categorical_crossentropy")
#' model |> fit(x, inside, epochs = 30, verbose = 0)
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   plot_decision_boundary(model, x, inside)
#' }
#'
#' fit <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 40)
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   plot_decision_boundary(fit, predictors = c("Petal.Length", "Petal.Width"))
#' }
#' @export
plot_decision_boundary <- function(object, data = NULL, y = NULL, ..., predictors = NULL, at = list(), size = 101,
                                   points = TRUE) {
  check_no_dots(list(...))
  rlang::check_installed("ggplot2", "to plot with it.")
  call <- rlang::current_env()
  size <- check_count(size, min = 5, max = 1001)
  points <- check_flag(points)
  scene <- if (inherits(object, "lamina_model")) {
    network_scene(object, data, y, call)
  } else if (inherits(object, "lamina_fit")) {
    fit_scene(object, data, y, call)
  } else {
    formula_scene(object, data, y, call)
  }
  axes <- scene_axes(scene, predictors, call)
  held <- held_values(scene$frame, axes, at, call)
  grid <- scene_grid(scene, axes, held, size)
  told <- scene$predict(grid)
  values <- data.frame(grid[axes], told, check.names = FALSE)
  attr(values, "margins") <- attr(told, "margins")
  seen <- if (points) data.frame(x = scene$frame[[axes[1L]]], y = scene$frame[[axes[2L]]])
  if (points && !is.null(scene$truth)) {
    seen$truth <- scene$truth
    if (!is.null(scene$levels)) seen$wrong <- as.character(scene$predict(scene$frame)$class) != as.character(scene$truth)
  }
  if (points) seen <- seen[stats::complete.cases(seen), , drop = FALSE]
  others <- setdiff(names(held), axes)
  caption <- if (length(others)) {
    paste(strwrap(paste("at", toString(sprintf("%s = %s", others, vapply(held[others], held_text, "")))), 80), collapse = "\n")
  }
  draw <- if (is.null(scene$levels)) ggplot_regions_number else ggplot_regions_class
  draw(values, axes, seen, scene, caption)
}

held_text <- function(v) if (is.numeric(v)) format(signif(v, 4L)) else as.character(v)

# ---- scenes --------------------------------------------------------------------------------------
#
# A scene: list(frame, the predictors of the data; truth, a factor or numbers or NULL; levels, NULL for numbers; outcome,
# its name; predict, a function of a data frame like `frame` that gives a data frame: class and probability, or prediction).

network_scene <- function(model, data, y, call) {
  require_built(model, call)
  if (length(model$shape) != 1L || !is.null(model$front) || model$shape < 2) {
    abort_argument("object", "a model of at least two numeric inputs",
                   if (!is.null(model$front)) "one of texts" else sprintf("one of input shape %s", shape_text(model$shape)), call = call)
  }
  if (is.null(data)) {
    abort_argument("data", "the inputs of the points", "NULL", call = call)
  }
  x <- if (is.data.frame(data)) data else if (is.matrix(data)) as.data.frame(data) else data
  if (!is.data.frame(x) || ncol(x) != model$shape || !all(vapply(x, is.numeric, NA))) {
    abort_argument("data", sprintf("a matrix or data frame of %d numeric columns", as.integer(model$shape)), describe(data),
                   kind = "shape", call = call)
  }
  names(x) <- if (is.null(colnames(data))) sprintf("x%d", seq_along(x)) else colnames(data)
  output <- model$info[[length(model$info)]]$output_shape
  classes <- gives_classes(model)
  units <- prod(output)
  if (length(output) != 1L || (!classes && units > 1L)) {
    abort_argument("object", "a model of classes or of one number", sprintf("one of output shape %s", shape_text(output)), call = call)
  }
  levels <- if (is.factor(y)) levels(y)
  truth <- if (!is.null(y)) network_truth(model, y, nrow(x), levels, call)
  if (classes && is.null(levels)) levels <- as.character(seq_len(max(2L, units)) - 1L)
  if (classes && length(levels) != max(2L, units)) {
    abort_argument("y", sprintf("a factor of %d levels", max(2L, units)), describe(y), kind = "data", call = call)
  }
  predict_at <- function(frame) {
    out <- matrix(predict(model, unname(as.matrix(frame))), nrow(frame))
    if (!classes) data.frame(prediction = out[, 1L]) else network_classes(model, out, levels)
  }
  list(frame = x, truth = if (classes && !is.null(truth)) factor(levels[truth + 1], levels) else truth,
       levels = if (classes) levels, outcome = if (classes) "class" else "y", predict = predict_at)
}

# Whether outputs are classes: by the loss where there is one, else by the activation that closes the model.
gives_classes <- function(model) {
  loss <- model$compiled$loss$type
  units <- prod(model$info[[length(model$info)]]$output_shape)
  by_loss <- !is.null(loss) && (grepl("crossentropy|hinge", loss) || (loss == "kl_divergence" && units > 1L))
  by_loss || closing_activation(model) %in% c("softmax", "log_softmax", "sigmoid", "log_sigmoid") && is.null(loss)
}

network_truth <- function(model, y, n, levels, call) {
  if (is.data.frame(y)) y <- as.matrix(y)
  check_sample_count(y, n, "y", call, "data")
  if (is.factor(y)) {
    as.integer(y) - 1L
  } else if (NCOL(y) > 1L) {
    max.col(y, "first") - 1L
  } else {
    truth <- as.double(y)
    if (gives_classes(model) && all(truth %in% c(-1, 1))) (truth + 1) / 2 else truth # hinge's labels
  }
}

# Outputs as classes with their probabilities; from sums for hinge losses and losses from logits.
network_classes <- function(model, out, levels) {
  logits <- isTRUE(model$compiled$loss$config$from_logits)
  hinge <- grepl("hinge", paste(model$compiled$loss$type))
  act <- closing_activation(model)
  if (act %in% c("log_softmax", "log_sigmoid")) out <- exp(out)
  if (ncol(out) == 1L) {
    p <- if (hinge) (out[, 1L] > 0) * 1 else if (logits) stats::plogis(out[, 1L]) else out[, 1L]
    prob <- cbind(1 - p, p)
  } else if (logits) {
    prob <- exp(out - out[cbind(seq_len(nrow(out)), max.col(out, "first"))])
    prob <- prob / rowSums(prob)
  } else {
    prob <- out
  }
  class_frame(prob, levels, certain = hinge)
}

# margins: for each class its probability less that of the best other one, 0 where the class begins.
class_frame <- function(prob, levels, certain = FALSE) {
  at <- max.col(prob, "first")
  frame <- data.frame(class = factor(levels[at], levels), probability = if (certain) 1 else prob[cbind(seq_along(at), at)])
  margins <- vapply(seq_along(levels), function(k) prob[, k] - do.call(pmax, as.data.frame(prob[, -k, drop = FALSE])),
                    numeric(nrow(prob)))
  attr(frame, "margins") <- matrix(margins, nrow(prob))
  frame
}

fit_scene <- function(fit, data, y, call) {
  task <- fit$task
  if (task$kind != "classes" && task$units > 1) {
    abort_argument("object", "a fit of one outcome", sprintf("one of %d", task$units), call = call)
  }
  frame <- frame_for(fit, if (is.null(data)) require_data(fit, call) else data, call)
  columns <- predictor_columns(fit)
  check_columns(frame, columns, call)
  truth <- if (is.null(data)) {
    fit$train$y
  } else if (!is.null(y)) {
    y
  } else {
    tryCatch(find_outcome(fit, frame, call), error = function(e) NULL)
  }
  if (!is.null(truth)) check_sample_count(truth, nrow(frame), "y", call, "data")
  classes <- task$kind == "classes"
  extra <- setdiff(intersect(names(fit$blueprint$ptypes$predictors), names(frame)), columns) # of an offset
  predict_at <- function(new) {
    if (!classes) {
      return(data.frame(prediction = as.double(predict(fit, new))))
    }
    if (!gives_scores(task)) {
      return(class_frame(predict(fit, new, type = "prob"), task$levels))
    }
    data.frame(class = predict(fit, new, type = "class"), probability = 1)
  }
  list(frame = frame[c(columns, extra)], columns = columns, truth = if (classes && !is.null(truth)) factor(truth, task$levels) else truth,
       levels = if (classes) task$levels, outcome = fit$outcome, predict = predict_at)
}

formula_scene <- function(object, data, y, call) {
  formula <- tryCatch(stats::formula(object), error = function(e) NULL)
  if (is.null(kind_of_model(object)) || !inherits(formula, "formula") || length(formula) != 3L) {
    abort_argument("object", "a lamina() fit, a model of keras_model_sequential(), or one fitted by formula that compare_models() knows",
                   describe(object), call = call)
  }
  if (is.null(data)) data <- tryCatch(eval(object$call$data, environment(formula)), error = function(e) NULL)
  if (!is.data.frame(data)) {
    abort_argument("data", "a data frame", describe(data), call = call)
  }
  columns <- all.vars(stats::delete.response(stats::terms(formula, data = data)))
  check_columns(data, columns, call)
  if (is.null(y)) y <- tryCatch(eval(formula[[2L]], data, environment(formula)), error = function(e) NULL)
  if (is.null(y)) {
    abort_argument("y", sprintf("given where `data` do not hold %s", deparse1(formula[[2L]])), "NULL", call = call)
  }
  check_sample_count(y, nrow(data), "y", call, "data")
  if (is.character(y) || is.logical(y)) y <- factor(y)
  levels <- if (is.factor(y)) levels(y)
  task <- list(kind = if (is.null(levels)) "number" else "classes", levels = levels)
  predict_at <- function(new) {
    if (is.null(levels)) {
      return(data.frame(prediction = read_model(object, new, task, "number")$number))
    }
    told <- read_model(object, new, task, c("class", "prob"))
    if (is.null(told$prob)) data.frame(class = told$class, probability = 1) else class_frame(told$prob, levels)
  }
  list(frame = data[columns], truth = y, levels = levels, outcome = deparse1(formula[[2L]]), predict = predict_at)
}

# ---- the plane -----------------------------------------------------------------------------------

scene_axes <- function(scene, predictors, call) {
  known <- if (is.null(scene$columns)) names(scene$frame) else scene$columns
  numeric <- known[vapply(scene$frame[known], is.numeric, NA)]
  if (is.null(predictors)) {
    if (length(numeric) == 2L) {
      return(numeric)
    }
    abort_argument(
      "predictors", "the names of two numeric predictors", "NULL", call = call,
      hint = c(i = sprintf("There %s %d: %s.", if (length(numeric) == 1L) "is" else "are", length(numeric), shorten(numeric)))
    )
  }
  if (is.numeric(predictors) && all(predictors %in% seq_along(known))) {
    predictors <- known[predictors]
  }
  if (!is.character(predictors) || length(predictors) != 2L || anyNA(predictors) || predictors[1L] == predictors[2L]) {
    abort_argument("predictors", "two different predictors", describe(predictors), call = call)
  }
  for (name in predictors) {
    if (!name %in% known) abort_unknown("predictors", "a predictor", name, known, call = call)
    if (!name %in% numeric) abort_argument("predictors", "numeric predictors", sprintf("`%s`, which is none", name), call = call)
  }
  predictors
}

# A value for each predictor that is not an axis.
held_values <- function(frame, axes, at, call) {
  if (!is.list(at) || (length(at) && (is.null(names(at)) || any(lengths(at) != 1L)))) {
    abort_argument("at", "a named list of single values", describe(at), call = call)
  }
  others <- setdiff(names(frame), axes)
  for (name in names(at)) {
    if (!name %in% others) abort_unknown("at", "a predictor that is not an axis", name, others, call = call)
  }
  lapply(stats::setNames(others, others), function(name) {
    column <- frame[[name]]
    if (!name %in% names(at)) {
      return(typical_value(column))
    }
    value <- at[[name]]
    if (is.factor(column)) {
      if (!as.character(value) %in% levels(column)) {
        abort_argument(sprintf("at$%s", name), paste("one of", shorten(levels(column))), describe(value), call = call)
      }
      return(factor(as.character(value), levels(column), ordered = is.ordered(column)))
    }
    if (is.numeric(column) != is.numeric(value)) {
      abort_argument(sprintf("at$%s", name), if (is.numeric(column)) "a number" else "of the kind of its column", describe(value), call = call)
    }
    value
  })
}

typical_value <- function(column) {
  column <- column[!is.na(column)]
  if (is.numeric(column)) {
    return(stats::median(column))
  }
  counts <- table(column)
  column[match(names(counts)[which.max(counts)], as.character(column))]
}

scene_grid <- function(scene, axes, held, size) {
  along <- lapply(scene$frame[axes], function(column) {
    seen <- range(column, na.rm = TRUE, finite = TRUE)
    margin <- if (diff(seen) > 0) 0.05 * diff(seen) else 1
    seq(seen[1L] - margin, seen[2L] + margin, length.out = size)
  })
  grid <- expand.grid(along, KEEP.OUT.ATTRS = FALSE)
  frame <- scene$frame[rep(1L, nrow(grid)), , drop = FALSE]
  rownames(frame) <- NULL
  frame[axes] <- grid
  for (name in names(held)) frame[[name]] <- rep(held[[name]], nrow(grid))
  frame
}

# ---- drawing -------------------------------------------------------------------------------------

regions_base <- function(values, axes, caption) {
  ggplot2::ggplot(values, ggplot2::aes(.data[[axes[1L]]], .data[[axes[2L]]])) +
    ggplot2::coord_cartesian(expand = FALSE) +
    ggplot2::labs(x = axes[1L], y = axes[2L], caption = caption) +
    ggplot2::theme_bw() +
    ggplot2::theme(panel.grid = ggplot2::element_blank())
}

ggplot_regions_class <- function(values, axes, seen, scene, caption) {
  levels <- scene$levels
  colours <- stats::setNames(series_colours(length(levels)), levels)
  k <- length(levels)
  # from white where all classes are level to the full colour where one is certain
  sure <- (values$probability - 1 / k) / (1 - 1 / k)
  values$fill <- mix_with_white(colours[as.character(values$class)], 0.1 + 0.55 * pmin(pmax(sure, 0), 1))
  margins <- attr(values, "margins")
  plot <- regions_base(values, axes, caption) + ggplot2::geom_raster(fill = values$fill)
  lines <- boundary_lines(values, axes, margins, levels)
  if (nrow(lines)) {
    plot <- plot + ggplot2::geom_contour(
      ggplot2::aes(x = .data$x, y = .data$y, z = .data$margin, group = .data$class), lines, breaks = 0, colour = ink$text,
      linewidth = 0.5, inherit.aes = FALSE
    )
  }
  if (!is.null(seen$truth)) {
    plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y, fill = .data$truth), seen, shape = 21, colour = "white",
                                       size = 2, stroke = 0.4, inherit.aes = FALSE)
    wrong <- seen[seen$wrong, ]
    if (nrow(wrong)) {
      plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y), wrong, shape = 4, colour = ink$text, size = 2.6,
                                         stroke = 0.7, inherit.aes = FALSE)
    }
  } else {
    if (!is.null(seen)) plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y), seen, size = 1.2, inherit.aes = FALSE)
    key <- data.frame(x = values[[axes[1L]]][1L], y = values[[axes[2L]]][1L], truth = factor(levels, levels))
    plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y, fill = .data$truth), key, shape = 21, alpha = 0,
                                       inherit.aes = FALSE)
  }
  plot + ggplot2::scale_fill_manual(
    values = colours, name = scene$outcome, drop = FALSE, labels = function(names) short_labels(names, 20L),
    guide = ggplot2::guide_legend(override.aes = list(alpha = 1, size = 3))
  )
}

mix_with_white <- function(colours, share) {
  rgb <- grDevices::col2rgb(colours) / 255
  mixed <- sweep(1 - rgb, 2L, share, "*")
  grDevices::rgb(t(1 - mixed))
}

# Where classes begin: of two classes one of them tells it all.  Without probabilities, halfway between points of the grid.
boundary_lines <- function(values, axes, margins, levels) {
  if (is.null(margins)) {
    margins <- vapply(levels, function(level) 2 * (values$class == level) - 1, numeric(nrow(values)))
  }
  shown <- if (length(levels) == 2L) 2L else seq_along(levels)
  shown <- shown[vapply(shown, function(k) min(margins[, k], na.rm = TRUE) < 0 && max(margins[, k], na.rm = TRUE) > 0, NA)]
  do.call(rbind, c(
    list(data.frame(x = double(), y = double(), margin = double(), class = character())),
    lapply(shown, function(k) data.frame(x = values[[axes[1L]]], y = values[[axes[2L]]], margin = margins[, k], class = levels[k]))
  ))
}

ggplot_regions_number <- function(values, axes, seen, scene, caption) {
  plot <- regions_base(values, axes, caption) +
    ggplot2::geom_raster(ggplot2::aes(fill = .data$prediction))
  if (diff(range(values$prediction)) > 0) {
    plot <- plot + ggplot2::geom_contour(ggplot2::aes(z = .data$prediction), colour = ink$text, alpha = 0.4, linewidth = 0.3, bins = 10)
  }
  if (!is.null(seen$truth)) {
    seen$truth <- as.double(seen$truth)
    plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y, fill = .data$truth), seen, shape = 21, colour = ink$text,
                                       size = 2.2, stroke = 0.4, inherit.aes = FALSE)
  } else if (!is.null(seen)) {
    plot <- plot + ggplot2::geom_point(ggplot2::aes(.data$x, .data$y), seen, size = 1.2, inherit.aes = FALSE)
  }
  plot + ggplot2::scale_fill_gradientn(colours = map_colours, name = scene$outcome)
}
