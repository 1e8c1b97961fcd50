# The picture of one step of backpropagation: the network of plot(model) with its numbers.

#' Draw a step of backpropagation
#'
#' The network as [plot()][plot.lamina_model] draws it, with the numbers of [explain_backprop()] on it: in each node its
#' activation, above it the weighted sum, below it the derivative of the loss by that sum (dL/dz), on each edge the
#' weight and below it the derivative of the loss by it. Of long layers only the first and last nodes are drawn, and
#' the edges have no numbers where more than 40 lie between two layers.
#'
#' @param x An explanation, as returned by [explain_backprop()].
#' @param what `"all"`: as above; `"forward"`: sums, activations and weights; `"backward"`: derivatives alone;
#'   `"update"`: on each edge the old weight and below it the new one.
#' @param sample Whose sums, activations and derivatives dL/dz to show; those by the weights are of all samples.
#' @param digits Significant digits.
#' @param bias Whether to draw the biases, as an extra node above each layer.
#' @param main A title.
#' @param ... Must be empty.
#' @return `x`, invisibly.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_state` for a network without a dense layer.
#' @family teaching
#' @examples
#' set.seed(1)
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(3, activation = "tanh") |>
#'   layer_dense(2, activation = "softmax")
#' model |> compile(optimizer = optimizer_sgd(0.5), loss = "categorical_crossentropy")
#' step <- explain_backprop(model, x = matrix(c(1, -1), 1), y = matrix(c(0, 1), 1))
#' plot(step)
#' plot(step, "update", bias = FALSE)
#' @export
plot.lamina_backprop <- function(x, what = c("all", "forward", "backward", "update"), sample = 1, digits = 2,
                                 bias = TRUE, main = NULL, ...) {
  check_no_dots(list(...))
  what <- check_choice(what[1L], c("all", "forward", "backward", "update"), arg = "what")
  sample <- check_count(sample, max = nrow(x$x))
  digits <- check_count(digits, max = 15)
  bias <- check_flag(bias)
  check_string(main, allow_null = TRUE)
  if (is.null(x$about$columns)) {
    abort_lamina("A network without a dense layer has no edges to draw.", "state", arg = "x",
                 expected = "a dense layer", actual = "none")
  }
  draw_backprop(x, backprop_view(x, what, sample, digits), what, bias, main)
  invisible(x)
}

# What stands where: nodes, a list of list(inside, above, below) for each column of nodes; edges, for each but the
# first list(first, second, style), matrices with a row for each unit before and, last, one for the bias.
backprop_view <- function(x, what, sample, digits) {
  dense <- which(!vapply(x$stages, function(stage) is.null(stage$kernel), NA))
  ends <- c(dense[-1L] - 1L, length(x$stages)) # the last stage before the next dense one
  number <- function(v) short_number(v, digits)
  forward <- what %in% c("all", "forward", "update")
  backward <- what %in% c("all", "backward")
  nodes <- lapply(seq_along(dense), function(k) {
    stage <- x$stages[[dense[k]]]
    list(
      inside = if (forward) number(x$stages[[ends[k]]]$activation[sample, ]),
      above = if (what %in% c("all", "forward")) number(stage$sum[sample, ]),
      below = if (backward) number(stage$d_sum[sample, ])
    )
  })
  input <- list(inside = if (forward) number(x$stages[[dense[1L]]]$input[sample, ]))
  edges <- lapply(dense, function(s) {
    rows <- x$weights[x$weights$stage == s, ]
    dims <- dim(x$stages[[s]]$kernel)
    table <- function(values) {
      out <- matrix(NA_real_, dims[1L] + 1L, dims[2L])
      out[cbind(ifelse(rows$from == 0, dims[1L] + 1L, rows$from), rows$to)] <- values
      out
    }
    text <- function(values) {
      out <- table(values)
      out[] <- ifelse(is.na(out), "", number(as.double(out)))
      out
    }
    weight <- rows$weight
    first <- if (what == "backward") rows$gradient else weight
    list(
      first = text(first),
      second = if (what == "all") text(rows$gradient) else if (what == "update") text(rows$new_weight),
      style = table(first), slopes = what == "backward", new = what == "update"
    )
  })
  list(nodes = c(list(input), nodes), edges = edges)
}

short_number <- function(v, digits) {
  plain <- sub("\\.$", "", trimws(formatC(v, digits = digits, format = "fg", flag = "#", width = 1)))
  long <- abs(v) < 1e-3 | abs(v) >= 1e4
  ifelse(v == 0, "0", ifelse(long, formatC(v, digits = digits - 1, format = "e"), plain))
}

backprop_key <- c(
  all = "node: activation, above it the weighted sum z, below it dL/dz;  edge: weight, below it dL/dw",
  forward = "node: activation, above it the weighted sum z;  edge: weight",
  backward = "node: dL/dz below it;  edge: dL/dw",
  update = "node: activation;  edge: old weight, below it the new one"
)

draw_backprop <- function(x, view, what, bias, main) {
  old <- graphics::par(c("mar", "xpd"))
  on.exit(graphics::par(old))
  canvas <- set_canvas()
  columns <- x$about$columns
  key <- backprop_key[[what]]
  size <- min(0.8, (canvas$width - 0.24) / text_width(key))
  inner <- list(width = canvas$width, height = canvas$height - 1.2 * line_height(size))
  if (is.null(main)) {
    main <- sprintf("%sloss %s", if (nrow(x$x) > 1L) "mean " else "", format(x$loss, digits = 4))
  }
  frame <- network_frame(columns, inner, bias, TRUE, main, pitch = 0.6)
  frame$radius <- min(frame$radius, 0.27 * frame$gap)
  nodes <- place_nodes(columns, frame, bias)
  gap <- frame$x[2L] - frame$x[1L]
  for (i in seq_along(columns)[-1L]) {
    style <- view$edges[[i - 1L]]$style
    p <- nrow(style) - 1L
    unknown <- style
    unknown[is.na(unknown)] <- 0
    draw_edges(nodes[[i - 1L]], nodes[[i]], list(kernel = unknown[seq_len(p), , drop = FALSE], bias = unknown[p + 1L, ]),
               frame$radius)
  }
  for (i in seq_along(columns)) {
    fill <- if (i == 1L) ink$input else if (i == length(columns)) ink$output else ink$hidden
    draw_column(nodes[[i]], columns[[i]], fill, frame, i, length(columns))
    draw_node_numbers(nodes[[i]], view$nodes[[i]], frame)
  }
  for (i in seq_along(columns)[-1L]) {
    draw_edge_numbers(nodes[[i - 1L]], nodes[[i]], view$edges[[i - 1L]], gap, frame$gap)
  }
  draw_legend(inner, frame, TRUE, main, if (what == "backward") "gradients:" else "weights:")
  graphics::text(0.12, canvas$height - 0.08 - 0.5 * line_height(size), key, adj = c(0, 0.5), cex = size, col = ink$faint)
}

# Texts on a patch of white, so that edges do not run through them; lines: a list of vectors of texts, one below the
# other, with their colours.
draw_on_patch <- function(x, y, lines, cex, col) {
  line <- graphics::strheight("0", units = "inches", cex = cex) + 0.035
  w <- Reduce(pmax, lapply(lines, graphics::strwidth, units = "inches", cex = cex)) / 2 + 0.015
  h <- length(lines) * line / 2
  empty <- !nzchar(lines[[1L]])
  graphics::rect(x - w, y - h, x + w, y + h, col = ifelse(empty, NA, grDevices::adjustcolor("white", 0.88)), border = NA)
  for (k in seq_along(lines)) {
    graphics::text(x, y + h - (k - 0.5) * line, lines[[k]], cex = cex, col = col[k])
  }
}

draw_node_numbers <- function(nodes, view, frame) {
  drawn <- nodes$index
  x <- rep(nodes$x, length(drawn))
  if (!is.null(view$inside)) {
    text <- view$inside[drawn]
    cex <- min(0.8, 1.75 * frame$radius / max(graphics::strwidth(text, units = "inches")))
    graphics::text(x, nodes$y, text, cex = cex, col = ink$text)
  }
  outside <- min(0.66, 0.4 * frame$gap / line_height(1))
  off <- frame$radius + 0.5 * graphics::strheight("0", units = "inches", cex = outside) + 0.025
  if (!is.null(view$above)) {
    draw_on_patch(x, nodes$y + off, list(view$above[drawn]), outside, ink$text)
  }
  if (!is.null(view$below)) {
    draw_on_patch(x, nodes$y - off, list(view$below[drawn]), outside, slope_ink)
  }
}

slope_ink <- "#B0256B"

# Each unit before has a place of its own along its edges, so that numbers stand in columns.
draw_edge_numbers <- function(from, to, view, gap, pitch) {
  sources <- c(from$index, if (!is.null(from$bias)) nrow(view$first))
  y_from <- c(from$y, from$bias)
  n <- length(sources)
  if (n * length(to$index) > 40L) {
    return(invisible())
  }
  places <- if (n > 1L) 0.35 + 0.45 * (rank(-y_from) - 1) / (n - 1) else 0.5
  longest <- max(graphics::strwidth(c(view$first, view$second), units = "inches"))
  cex <- max(0.4, min(0.66, 0.92 * 0.45 * gap / max(1, n - 1) / longest, 0.3 * pitch / line_height(1)))
  for (i in seq_len(n)) {
    t <- places[i]
    lines <- lapply(c(list(view$first), if (!is.null(view$second)) list(view$second)), function(v) v[sources[i], to$index])
    draw_on_patch(rep(from$x + t * (to$x - from$x), length(to$index)), y_from[i] + t * (to$y - y_from[i]), lines, cex,
                  c(if (view$slopes) slope_ink else ink$text, if (view$new) ink$text else slope_ink))
  }
}
