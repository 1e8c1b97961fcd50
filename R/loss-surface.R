# The loss as a landscape over two directions among the weights, and the way that training took through it.

#' Record the weights while a model trains
#'
#' Keeps the weights before training and after each epoch or batch: the path that [plot_loss_surface()] draws.
#'
#' @param freq `"epoch"` or `"batch"`.
#' @return A callback for [fit()][fit.lamina_model]; afterwards its `$weights` is a list with the weights at each moment, each
#'   as [get_weights()] gives them. It starts afresh with each [fit()][fit.lamina_model].
#' @family callbacks
#' @family teaching
#' @examples
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
#' path <- callback_weights_path()
#' model |> fit(1:10 / 10, 1:10 / 5, epochs = 3, callbacks = path, verbose = 0)
#' length(path$weights)
#' @export
callback_weights_path <- function(freq = "epoch") {
  self <- new_callback("weights_path", freq = check_choice(freq, c("epoch", "batch")), weights = list())
  keep <- function() self$weights <- c(self$weights, list(get_weights(self$model)))
  self$on_train_begin <- function(logs) {
    self$weights <- list()
    keep()
  }
  if (freq == "batch") {
    self$on_train_batch_end <- function(batch, logs) keep()
  } else {
    self$on_epoch_end <- function(epoch, logs) keep()
  }
  self
}

#' Plot the loss over two directions among the weights
#'
#' The loss of a model on data, for a grid of weights in a plane through the space of all weights; and over it, where it
#' was recorded, the path that training took.
#'
#' The plane is spanned by
#'
#' * two weights, the others held where the model has them;
#' * the first two principal components of the path (Li et al. 2018): of the differences between its weights and those
#'   at its end, through which the plane goes. The path is projected onto it; the axes tell how much of it they hold;
#' * or two random directions from the model's weights, normal numbers scaled weight array by weight array, for
#'   each unit, to the size of the weights that lead to it (the filter normalization of Li et al. 2018).
#'
#' The loss is that of [evaluate()][evaluate.lamina_model], penalties included, computed for all `size^2` points of the
#' grid: of large data a sample will do. The model is left as it is. `set.seed()` fixes random directions.
#'
#' @param model A compiled model.
#' @param x,y Inputs and targets, as for [evaluate()][evaluate.lamina_model]; arrays or data frames.
#' @param ... Not used: unknown arguments are refused.
#' @param weights Two weights: names as in [tidy()][explain_backprop] of an explanation, such as `c("w1[1,2]", "b1[2]")` (layer
#'   1, from its input 1 to its unit 2; the bias of unit 2), or positions in `unlist(get_weights(model))`.
#' @param path The path: a [callback_weights_path()] that was part of [fit()][fit.lamina_model], or a list of what
#'   [get_weights()] gave at several moments.
#' @param directions `"weights"`, `"pca"` or `"random"`; `NULL`: weights where they are given or the model has just two,
#'   the principal components of a path of three and more moments, else random ones.
#' @param size Points of the grid along each axis.
#' @param span How far the grid goes to either side of its middle, one number or one for each axis, in the units of
#'   the axes. `NULL`: as far as the path, with a margin; without a path as far as the weight is large, at least 1, or
#'   for random directions 1.
#' @param sample_weight A number for each sample.
#' @return A ggplot. Its data are a data frame of `size^2` rows with the columns `x`, `y` (the axes) and `loss`; attribute
#'   `"path"` of the plot holds the same for the moments of the path, with the model's own loss there, not that of the
#'   projection.
#' @section Errors:
#' `lamina_error_argument` for weights that there are not, a path that does not fit, and other bad arguments;
#' `lamina_error_state` for a model that is not compiled; data that do not fit raise what
#' [evaluate()][evaluate.lamina_model] does.
#' @references
#' Li, H., Xu, Z., Taylor, G., Studer, C. and Goldstein, T. (2018). Visualizing the loss landscape of neural nets.
#' *Advances in Neural Information Processing Systems* 31.
#' @family teaching
#' @examples
#' # least squares: a bowl, and gradient descent on its way to the bottom
#' set.seed(1)
#' x <- rnorm(50)
#' y <- 1 + 2 * x + rnorm(50, sd = 0.3)
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' set_weights(model, list(matrix(-1), 3))
#' model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
#' path <- callback_weights_path()
#' model |> fit(x, y, epochs = 15, batch_size = 50, callbacks = path, verbose = 0)
#' if (requireNamespace("ggplot2", quietly = TRUE)) {
#'   plot_loss_surface(model, x, y, path = path)
#' }
#' @export
plot_loss_surface <- function(model, x, y, ..., weights = NULL, path = NULL, directions = NULL, size = 41, span = NULL,
                              sample_weight = NULL) {
  check_no_dots(list(...))
  rlang::check_installed("ggplot2", "to plot with it.")
  check_model(model, arg = "model")
  require_compiled(model)
  call <- rlang::current_env()
  if (missing(y) || is.null(y)) {
    abort_argument("y", "the targets", if (missing(y)) "missing" else "NULL")
  }
  size <- check_count(size, min = 3, max = 501)
  if (!is.null(directions)) {
    check_choice(directions, c("weights", "pca", "random"))
  }
  if (!is.null(span) && (!is.numeric(span) || !length(span) %in% 1:2 || !all(is.finite(span)) || any(span <= 0))) {
    abort_argument("span", "a number above 0, or two", describe(span))
  }
  parts <- undo_on_error(model, {
    prepare_inputs(model, x, call = call) # the first to tell the shapes, perhaps
    path <- path_matrix(model, path, call)
    list(plane = surface_plane(model, weights, path, directions, call), path = path,
         loss_at = loss_measurer(copy_model(model), x, y, sample_weight, call))
  }, of = "state")
  plane <- parts$plane
  path <- parts$path
  loss_at <- parts$loss_at
  at <- plane_grid(plane, size, span)
  grid <- expand.grid(x = at[[1L]], y = at[[2L]], KEEP.OUT.ATTRS = FALSE)
  grid$loss <- vapply(seq_len(nrow(grid)), function(i) {
    loss_at(plane$origin + grid$x[i] * plane$axes[, 1L] + grid$y[i] * plane$axes[, 2L])
  }, 0)
  way <- if (!is.null(path)) {
    data.frame(plane$path, loss = vapply(seq_len(nrow(path)), function(i) loss_at(path[i, ]), 0))
  }
  plot <- ggplot_surface(grid, way, plane)
  attr(plot, "path") <- way
  plot
}

# A function of all weights in one vector that gives the loss.
loss_measurer <- function(model, x, y, sample_weight, call) {
  data <- test_data(model, x, y, sample_weight, target_decoder(y, model), call)
  feed <- list(data = data$data, first = 0, n = data$n, from = first_trained(model))
  feed$loop <- new_loop(model, feed, resolve_batch_size(model, if (is.null(model$state_batch)) min(data$n, 1024)), "test", metrics = FALSE)
  start <- get_weights(model)
  ptr <- net_ptr(model)
  model$compiled$own_metrics <- list()
  function(w) {
    .Call(ffi_net_set_weights, ptr, utils::relist(w, start))
    loss <- test_loop(model, feed$loop, feed = feed)$loss
    if (is.finite(loss)) loss else NA_real_
  }
}

# A row for each moment; NULL without a path.
path_matrix <- function(model, path, call) {
  if (inherits(path, "lamina_callback_weights_path")) {
    path <- path$weights
  }
  if (is.null(path)) {
    return(NULL)
  }
  if (!is.list(path) || length(path) == 0L || !all(vapply(path, is.list, NA))) {
    abort_argument("path", "a callback_weights_path() that was part of fit(), or a list of what get_weights() gives",
                   describe(path), call = call)
  }
  for (i in seq_along(path)) {
    check_weights(model, path[[i]], sprintf("path[[%d]]", i), call)
  }
  do.call(rbind, lapply(path, function(weights) as.double(unlist(weights))))
}

# Names of all weights, in the order of unlist(get_weights(model)): as explain_backprop() names those of dense layers, others
# by layer, weight and place.
weight_terms <- function(model) {
  unlist(lapply(seq_along(model$info), function(s) {
    info <- model$info[[s]]
    self <- layer_self(model_layers(model)[[s]])
    lapply(seq_along(info$weight_names), function(k) {
      at <- arrayInd(seq_len(prod(info$weight_shapes[[k]])), info$weight_shapes[[k]])
      if (self$type == "dense") {
        if (k == 1L) weight_term(s, at[, 1L], at[, 2L]) else weight_term(s, 0, at[, 1L])
      } else {
        sprintf("%s/%s[%s]", self$name, info$weight_names[k], apply(at, 1L, paste, collapse = ","))
      }
    })
  }))
}

# list(origin, axes, labels, path): a point, two directions as columns, and the path's places along them.
surface_plane <- function(model, weights, path, directions, call) {
  now <- as.double(unlist(get_weights(model)))
  if (length(now) < 2L) {
    abort_argument("model", "a model of at least two weights", sprintf("one of %d", length(now)), call = call)
  }
  moments <- if (is.null(path)) 0L else nrow(unique(path))
  if (is.null(directions)) {
    directions <- if (!is.null(weights) || length(now) == 2L) "weights" else if (moments >= 3L) "pca" else "random"
  }
  if (!is.null(weights) && directions != "weights") {
    abort_argument("weights", sprintf("left out for directions = \"%s\"", directions), describe(weights), call = call)
  }
  if (directions == "weights") {
    return(weight_plane(model, now, weights, path, call))
  }
  if (directions == "pca") {
    if (moments < 3L) {
      abort_argument("path", "one of three different moments or more for directions = \"pca\"",
                     if (is.null(path)) "NULL" else sprintf("one of %d", moments), call = call)
    }
    return(path_plane(path))
  }
  axes <- cbind(random_direction(model), random_direction(model))
  axes[, 2L] <- axes[, 2L] - axes[, 1L] * sum(axes[, 1L] * axes[, 2L]) / sum(axes[, 1L]^2)
  plane <- list(origin = now, axes = axes, labels = c("first random direction", "second random direction"), kind = "random")
  plane$path <- if (!is.null(path)) {
    along <- t(qr.coef(qr(axes), t(sweep(path, 2L, now))))
    data.frame(x = along[, 1L], y = along[, 2L])
  }
  plane
}

weight_plane <- function(model, now, weights, path, call) {
  terms <- weight_terms(model)
  if (is.null(weights) && length(now) == 2L) {
    weights <- 1:2
  }
  at <- if (is.character(weights)) match(gsub(" ", "", weights, fixed = TRUE), terms) else weights
  strange <- if (is.character(weights)) weights[is.na(at)][1L] else NA
  if (!is.na(strange)) {
    abort_unknown("weights", "a weight of this model", strange,
                  if (length(terms) > 12L) c(terms[1:12], "...") else terms, terms, call = call)
  }
  whole <- is.numeric(at) && length(at) == 2L && !anyNA(at) && all(at == floor(at)) && all(at >= 1 & at <= length(now))
  if (!whole || at[1L] == at[2L]) {
    abort_argument("weights", sprintf("two different weights: names, or positions from 1 to %d", length(now)), describe(weights), call = call)
  }
  axes <- matrix(0, length(now), 2L)
  axes[cbind(at, 1:2)] <- 1
  origin <- now
  origin[at] <- 0
  list(origin = origin, axes = axes, labels = terms[at], kind = "weights", now = now[at], others = length(now) - 2L,
       path = if (!is.null(path)) data.frame(x = path[, at[1L]], y = path[, at[2L]]))
}

# Li et al. (2018), section 7.
path_plane <- function(path) {
  end <- path[nrow(path), ]
  away <- sweep(path, 2L, end)
  found <- svd(away[-nrow(path), , drop = FALSE], nu = 0L, nv = min(2L, nrow(path) - 1L))
  axes <- found$v
  share <- found$d^2 / sum(found$d^2)
  if (found$d[2L] < 1e-10 * found$d[1L]) { # a straight path: any direction across it will do
    flattest <- which.min(abs(axes[, 1L]))
    other <- -axes[, 1L] * axes[flattest, 1L]
    other[flattest] <- other[flattest] + 1
    axes[, 2L] <- other / sqrt(sum(other^2))
  }
  along <- away %*% axes
  list(origin = end, axes = axes, kind = "pca", path = data.frame(x = along[, 1L], y = along[, 2L]),
       labels = sprintf("principal component %d (%.0f %% of the path)", 1:2, 100 * share[1:2]))
}

# Normal numbers, for each unit of the size of its weights; vectors (biases) as a whole.  What is measured and not
# learned, such as the variances of batch normalization, stays where it is.
random_direction <- function(model) {
  learned <- unlist(lapply(model$info, `[[`, "weight_trainable"))
  unlist(Map(function(w, learned) {
    if (!learned) {
      return(rep(0, length(w)))
    }
    d <- array(stats::rnorm(length(w)), if (is.null(dim(w))) length(w) else dim(w))
    units <- if (length(dim(w)) > 1L) utils::tail(dim(w), 1L) else 1L
    rows <- matrix(w, ncol = units)
    drawn <- matrix(d, ncol = units)
    size <- sqrt(colSums(rows^2) / pmax(colSums(drawn^2), .Machine$double.xmin))
    as.double(drawn %*% diag(size, units))
  }, get_weights(model), learned))
}

# The places of the grid along both axes.
plane_grid <- function(plane, size, span) {
  span <- rep_len(span, if (is.null(span)) 0L else 2L)
  now <- if (is.null(plane$now)) c(0, 0) else plane$now
  lapply(1:2, function(i) {
    seen <- c(plane$path[[i]], now[i])
    if (length(span)) {
      return(seq(mean(range(seen)) - span[i], mean(range(seen)) + span[i], length.out = size))
    }
    least <- if (plane$kind == "pca") 1e-3 else if (plane$kind == "random") 1 else if (is.null(plane$path)) max(1, abs(now[i])) else 0.25
    middle <- if (is.null(plane$path)) now[i] else mean(range(seen))
    half <- max(0.65 * diff(range(seen)), least)
    seq(middle - half, middle + half, length.out = size)
  })
}

ggplot_surface <- function(grid, way, plane) {
  known <- grid$loss[is.finite(grid$loss)]
  steep <- length(known) && min(known) > 0 && max(known) > 30 * min(known)
  grid$shown <- if (steep) log10(grid$loss) else grid$loss
  plot <- ggplot2::ggplot(grid, ggplot2::aes(.data$x, .data$y)) +
    ggplot2::geom_raster(ggplot2::aes(fill = .data$shown), interpolate = TRUE) +
    ggplot2::scale_fill_gradientn(colours = map_colours, na.value = "grey85", labels = function(v) {
      format(signif(if (steep) 10^v else v, 2L), drop0trailing = TRUE, trim = TRUE)
    }) +
    ggplot2::coord_cartesian(expand = FALSE) +
    ggplot2::labs(x = plane$labels[1L], y = plane$labels[2L], fill = "loss",
                  caption = if (plane$kind == "weights" && plane$others > 0) {
                    sprintf("the other %d weights as the model has them", plane$others)
                  }) +
    ggplot2::theme_bw() +
    ggplot2::theme(panel.grid = ggplot2::element_blank())
  if (diff(range(known)) > 0) {
    plot <- plot + ggplot2::geom_contour(ggplot2::aes(z = .data$shown), colour = ink$text, alpha = 0.35, bins = 14,
                                         linewidth = 0.3, na.rm = TRUE)
  }
  if (is.null(way)) {
    here <- data.frame(x = if (is.null(plane$now)) 0 else plane$now[1L], y = if (is.null(plane$now)) 0 else plane$now[2L])
    return(plot + ggplot2::geom_point(data = here, shape = 21, fill = ink$negative, colour = "white", size = 3))
  }
  ends <- data.frame(way[c(1L, nrow(way)), c("x", "y")], what = c("start", "end"))
  plot +
    ggplot2::geom_path(data = way, colour = ink$negative, linewidth = 0.6) +
    ggplot2::geom_point(data = way, colour = ink$negative, size = if (nrow(way) > 60L) 0.5 else 1.3) +
    ggplot2::geom_point(ggplot2::aes(shape = .data$what), data = ends, fill = ink$negative, colour = "white", size = 3.2,
                        stroke = 0.9) +
    ggplot2::scale_shape_manual(values = c(start = 21, end = 23), breaks = c("start", "end"), name = "path") +
    ggplot2::guides(fill = ggplot2::guide_colourbar(order = 1), shape = ggplot2::guide_legend(order = 2))
}
