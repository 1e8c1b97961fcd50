# Pictures of models: the network of nodes and edges, and the stack of blocks.  Volumes are in
# plot-volumes.R.
#
# What is drawn is worked out from the model first (network_columns(), model_blocks()); the drawing
# functions take plain data.  They measure in inches: set_canvas() makes one user unit one inch.

#' Draw a model
#'
#' A stack of dense layers is drawn as a network: one column of nodes per layer, from the inputs on
#' the left to the outputs on the right. Blue edges are positive weights, orange ones negative, the
#' wider the larger in size (relative to the largest one drawn between the two layers); before the
#' weights are made, which [fit()][fit.lamina_model] does at the latest, all edges are grey. Of long layers the
#' first and last nodes are drawn, with dots between. Activations, dropout and the like stand under the layer
#' they belong to.
#'
#' A model with convolutions or pooling is drawn as a row of volumes: each layer's output as a block as
#' high and as deep as its maps are high and wide, and the thicker the more channels it has (on a
#' logarithmic scale); outputs without maps as bars. Below it stand the kernel, the output's shape
#' (height x width x channels), the number of weights, and the layers that keep the shape, such as
#' activations, dropout and batch normalization.
#'
#' Other models are drawn as blocks from top to bottom, with output shapes and numbers of
#' parameters; `None` stands for the number of samples.
#'
#' @param x A model.
#' @param show_shapes,show_dtype,show_layer_names Whether to write the shape of each layer's output
#'   (always there in blocks), the type of its numbers, and its name instead of its kind.
#' @param ... For scripts written for keras3: `show_layer_activations` and `expand_nested` are
#'   accepted (activations are always shown, and nothing is nested); all else is refused.
#' @param rankdir Direction of blocks: `"TB"` from top to bottom, `"LR"` from left to right.
#'   Networks and volumes always run from left to right.
#' @param to_file Path of a picture to write instead of drawing on the open device: its ending is
#'   `.png`, `.pdf` or `.svg`.
#' @param style `"network"`, `"volumes"`, `"blocks"`, or `"auto"`: a network when all layers have nodes,
#'   volumes when there are convolutions or pooling and the input shape is known, else blocks.
#' @param bias Whether to draw the biases of a network, as an extra node above each layer.
#' @param input_names,output_names Names to write beside the nodes of the first and last layer of a network, one
#'   for each; `NULL`: none.
#' @param main A title.
#' @param width,height,dpi With `to_file`: size of the picture in inches, and dots per inch of a `.png`.
#' @return The model, invisibly.
#' @section Errors:
#' A bad argument raises `lamina_error_argument`, as does `style = "network"` for a model with other
#' layers and `style = "volumes"` before the input shape is known; a model without layers raises
#' `lamina_error_state`, a file that cannot be written `lamina_error_file`.
#' @seealso [summary()][print.lamina_model] for the same as a table; [plot_filters()] for the weights of
#'   convolutions; [plot.lamina_history()] for the course of training.
#' @family model verbs
#' @examples
#' # a trained network with its weights
#' set.seed(1)
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(3, activation = "relu") |>
#'   layer_dense(3, activation = "softmax")
#' model |> compile(optimizer = optimizer_adam(0.05), loss = "sparse_categorical_crossentropy")
#' model |> fit(scale(as.matrix(iris[1:4])), iris$Species, epochs = 20, verbose = 0)
#' plot(model, input_names = names(iris)[1:4], output_names = levels(iris$Species))
#' plot(model, style = "blocks")
#'
#' pictures <- keras_model_sequential(input_shape = c(28, 28, 1)) |>
#'   layer_conv_2d(16, kernel_size = 3, activation = "relu") |>
#'   layer_max_pooling_2d() |>
#'   layer_flatten() |>
#'   layer_dense(10, activation = "softmax")
#' plot(pictures)
#' @export
plot.lamina_model <- function(x, show_shapes = FALSE, show_dtype = FALSE, show_layer_names = FALSE,
                              ..., rankdir = "TB", to_file = NULL,
                              style = c("auto", "network", "volumes", "blocks"), bias = FALSE,
                              input_names = NULL, output_names = NULL, main = NULL,
                              width = 7, height = 5, dpi = 200) {
  check_no_dots(list(...), c("show_layer_activations", "expand_nested"))
  show <- list(
    shapes = check_flag(show_shapes), dtype = check_flag(show_dtype),
    names = check_flag(show_layer_names), bias = check_flag(bias)
  )
  check_choice(rankdir, c("TB", "LR"))
  style <- check_choice(style[1L], c("auto", "network", "volumes", "blocks"), arg = "style")
  check_string(main, allow_null = TRUE)
  if (length(model_layers(x)) == 0L) {
    abort_lamina("The model has no layers to draw.", "state", arg = "x", expected = "a layer",
                 actual = "none")
  }
  if (style == "network" && !is_network(x)) {
    abort_argument("style", "\"blocks\" for a model with layers other than dense ones",
                   "\"network\"")
  }
  if (style == "volumes" && !is_built(x)) {
    abort_argument("style", "\"blocks\" for a model whose input shape is not known yet", "\"volumes\"")
  }
  if (style == "auto") {
    style <- if (is_network(x)) "network" else if (has_volumes(x)) "volumes" else "blocks"
  }
  draw <- if (style == "network") {
    columns <- network_columns(x, show, input_names, output_names)
    weights <- network_weights(x)
    function() draw_network(columns, weights, bias = show$bias, main = main)
  } else if (style == "volumes") {
    stages <- model_stages(x, show)
    function() draw_volumes(stages, main = main)
  } else {
    blocks <- model_blocks(x, show)
    function() draw_blocks(blocks, rankdir, main = main)
  }
  if (is.null(to_file)) {
    draw()
  } else {
    draw_to_file(draw, check_string(to_file), check_number(width, min = 1),
                 check_number(height, min = 1), check_number(dpi, min = 10))
  }
  invisible(x)
}

draw_to_file <- function(draw, path, width, height, dpi, call = rlang::caller_env()) {
  device <- switch(
    tolower(sub(".*\\.", "", basename(path))),
    png = function() grDevices::png(path, width, height, units = "in", res = dpi),
    pdf = function() grDevices::pdf(path, width, height),
    svg = function() grDevices::svg(path, width, height),
    abort_argument("to_file", "a path that ends in .png, .pdf or .svg", describe(path), call = call)
  )
  before <- grDevices::dev.cur()
  tryCatch(device(), error = function(e) {
    abort_lamina(c(sprintf("Cannot write `%s`.", path), x = conditionMessage(e)), "file",
                 arg = "to_file", expected = "a path that can be written", actual = path,
                 call = call)
  })
  on.exit({
    grDevices::dev.off()
    if (before > 1L) grDevices::dev.set(before)
  })
  draw()
}

# What is in the picture ---------------------------------------------------------------------

# Layers that keep the number of values: their node column is that of the layer before.
merged_types <- c(
  "activation", "parametric_relu", "dropout", "alpha_dropout", "gaussian_noise",
  "activity_regularization", "rescaling", "normalization", "batch_normalization",
  "layer_normalization", "group_normalization", "unit_normalization"
)

# Whether nodes and edges can show the model: dense layers, and layers that keep the values in
# number and order, on samples of one dimension.
is_network <- function(model) {
  types <- vapply(model_layers(model), function(layer) layer_self(layer)$type, "")
  "dense" %in% types && all(types %in% c("dense", merged_types)) && length(model$shape) <= 1L
}

# One column of nodes per dense layer, and one for the inputs: list(n, names, label).  n is NA when
# the number of inputs is not known yet.
network_columns <- function(model, show, input_names = NULL, output_names = NULL) {
  n <- if (is.null(model$shape)) NA_real_ else model$shape
  columns <- list(new_column(n, "input", "inputs", show))
  for (layer in model_layers(model)) {
    self <- layer_self(layer)
    last <- length(columns)
    if (self$type == "dense") {
      columns[[last + 1L]] <- new_column(self$config$units, if (show$names) self$name else "dense",
                                         "neurons", show)
      last <- last + 1L
    }
    if (self$type == "activation") {
      columns[[last]]$label <- setdiff(columns[[last]]$label, "linear")
    }
    what <- layer_label(self)
    columns[[last]]$label <- c(
      columns[[last]]$label,
      if (show$names && self$type != "dense") paste0(self$name, ": ", what) else what
    )
  }
  columns[[1L]]$names <- check_node_names(input_names, columns[[1L]]$n, "input_names")
  columns[[length(columns)]]$names <-
    check_node_names(output_names, columns[[length(columns)]]$n, "output_names")
  columns
}

new_column <- function(n, title, what, show) {
  count <- if (is.na(n)) "?" else format(n, big.mark = ",", scientific = FALSE)
  if (isTRUE(n == 1)) {
    what <- sub("s$", "", what)
  }
  label <- c(
    title,
    if (show$shapes) sprintf("(None, %s)", count) else paste(count, what),
    if (show$dtype) "float32"
  )
  list(n = n, names = NULL, label = label)
}

check_node_names <- function(names, n, arg, call = rlang::caller_env()) {
  if (!is.null(names) && (!is.character(names) || anyNA(names) || !isTRUE(length(names) == n))) {
    abort_argument(arg, sprintf("%s names", format(n)), describe(names), call = call)
  }
  names
}

# What a layer does besides adding up, in a word or two: "relu", "dropout 0.4".
layer_label <- function(self) {
  activation <- if (!is.null(self$functions$activation)) "function" else self$config$activation$type
  label <- if (!is.null(activation)) {
    activation
  } else {
    switch(
      self$type,
      dense = "linear",
      dropout = , alpha_dropout = paste(self$type, format(self$config$rate)),
      gaussian_noise = paste("noise", format(self$config$stddev)),
      self$type
    )
  }
  gsub("_", " ", label)
}

# list(list(kernel, bias), ...) of the dense layers, or NULL before they are made.  Looking at a
# model never makes its weights.
network_weights <- function(model) {
  if (is.null(.subset2(model, "state"))) {
    return(NULL)
  }
  arrays <- get_weights(model)
  owner <- weight_owner(model)
  dense <- which(vapply(model_layers(model), function(l) layer_self(l)$type == "dense", NA))
  lapply(dense, function(i) {
    own <- arrays[owner == i]
    list(kernel = own[[1L]], bias = if (length(own) > 1L) own[[2L]])
  })
}

# One block per layer, and one for the input: list(title, lines).
model_blocks <- function(model, show) {
  built <- is_built(model)
  info <- if (built) layer_info(model) else lapply(model_layers(model), layer_self)
  block <- function(l, i) {
    label <- layer_label(layer_self(model_layers(model)[[i]]))
    plain <- c(gsub("_", " ", l$type), tolower(l$class), "linear")
    list(
      title = if (show$names) sprintf("%s (%s)", l$name, l$class) else l$class,
      lines = c(
        if (!label %in% plain) label,
        if (built) shape_text(l$output_shape) else "shape not known yet",
        if (show$dtype) "float32",
        if (built && l$n_params > 0) {
          sprintf("%s parameters", format(l$n_params, big.mark = ",", scientific = FALSE))
        }
      )
    )
  }
  shape <- if (is.null(model$shape)) "shape not known yet" else shape_text(model$shape)
  input <- list(title = "Input", lines = c(
    if (is.null(model$front)) shape else "texts",
    if (show$dtype) if (is.null(model$front)) "float32" else "string"
  ))
  front <- lapply(c(model$front), function(layer) {
    self <- layer_self(layer)
    list(title = if (show$names) sprintf("%s (%s)", self$name, self$class) else self$class,
         lines = c(shape, if (show$dtype) "float32"))
  })
  c(list(input), front, Map(block, info, seq_along(info)))
}

# Drawing ------------------------------------------------------------------------------------

ink <- list(
  positive = "#0072B2", negative = "#D55E00", unknown = "#8C96A0",
  node = "#3A4653", text = "#1F2933", faint = "#5F6B76",
  input = "#E8EEF4", hidden = "#CFE1F2", output = "#D9EFD9", bias = "#FFFFFF"
)

# An empty plot whose user coordinates are inches; returns list(width, height).
set_canvas <- function() {
  graphics::par(mar = c(0, 0, 0, 0), xpd = NA)
  graphics::plot.new()
  size <- graphics::par("pin")
  graphics::plot.window(c(0, size[1L]), c(0, size[2L]), xaxs = "i", yaxs = "i")
  list(width = size[1L], height = size[2L])
}

text_width <- function(text, cex = 1, font = 1) {
  if (length(text)) max(graphics::strwidth(text, units = "inches", cex = cex, font = font)) else 0
}

line_height <- function(cex = 1) 1.45 * graphics::strheight("Mg", units = "inches", cex = cex)

# Nodes of one column that there is room for: the first, dots, the last.  `slot` is the place from
# the top, `dots` the slot of the dots or NULL.
visible_nodes <- function(n, room) {
  if (is.na(n)) {
    return(list(index = c(NA, NA), slot = c(1, 4), dots = 2.5, slots = 4))
  }
  if (n <= room) {
    return(list(index = seq_len(n), slot = seq_len(n), dots = NULL, slots = n))
  }
  tail <- max(1, floor(room / 4))
  head <- max(1, room - tail - 2)
  list(
    index = c(seq_len(head), n - tail + seq_len(tail)),
    slot = c(seq_len(head), head + 2 + seq_len(tail)),
    dots = head + 1.5, slots = head + tail + 2
  )
}

# columns: list of list(n, names, label), from inputs to outputs.
# weights: for each column but the first list(kernel, bias), kernel n_before x n; or NULL.
draw_network <- function(columns, weights = NULL, bias = FALSE, main = NULL) {
  old <- graphics::par(c("mar", "xpd"))
  on.exit(graphics::par(old))
  canvas <- set_canvas()
  frame <- network_frame(columns, canvas, bias, !is.null(weights), main)
  nodes <- place_nodes(columns, frame, bias)

  for (i in seq_along(columns)[-1L]) {
    draw_edges(nodes[[i - 1L]], nodes[[i]], weights[[i - 1L]], frame$radius)
  }
  for (i in seq_along(columns)) {
    fill <- if (i == 1L) ink$input else if (i == length(columns)) ink$output else ink$hidden
    draw_column(nodes[[i]], columns[[i]], fill, frame, i, length(columns))
  }
  draw_legend(canvas, frame, !is.null(weights), main)
}

# Where things go, in inches: x of the columns, top and bottom of the nodes, the distance between
# nodes, their radius, and the sizes of text.  pitch: the least distance between nodes.
network_frame <- function(columns, canvas, bias, legend, main, pitch = 0.3) {
  pad <- 0.12
  k <- length(columns)
  names_left <- columns[[1L]]$names
  names_right <- columns[[k]]$names
  cex_names <- 0.85
  left <- pad + text_width(names_left, cex_names) + if (length(names_left)) 0.12 else 0
  right <- pad + text_width(names_right, cex_names) + if (length(names_right)) 0.12 else 0

  label_width <- max(vapply(columns, function(column) {
    max(text_width(column$label[1L], 1, 2), text_width(column$label[-1L], 0.9))
  }, 0))
  inner <- canvas$width - left - right
  cex <- max(0.45, min(1, 0.94 * (inner / k) / label_width))
  half <- 0.5 * label_width * cex
  first <- max(left + 0.34, pad + half)
  last <- canvas$width - max(right + 0.34, pad + half)
  x <- seq(first, last, length.out = k)

  lines <- max(vapply(columns, function(column) length(column$label), 0L))
  top <- canvas$height - pad - if (legend || !is.null(main)) 1.6 * line_height(0.9) else 0
  bottom <- pad + lines * line_height(cex) + 0.08
  room <- max(3, min(16, floor((top - bottom) / pitch))) - bias
  slots <- max(vapply(columns, function(column) visible_nodes(column$n, room)$slots, 0)) + bias
  gap <- min((top - bottom) / slots, 1.5)
  radius <- min(0.36 * gap, 0.33, 0.22 * if (k > 1L) x[2L] - x[1L] else 1)
  list(x = x, top = top, bottom = bottom, room = room, gap = gap, radius = radius, cex = cex,
       cex_names = min(cex_names, cex_names * gap / line_height(cex_names)))
}

# For each column list(index, x, y, dots, bias): the nodes that are drawn and where.
place_nodes <- function(columns, frame, bias) {
  middle <- (frame$top + frame$bottom) / 2
  place <- function(column, x, has_bias) {
    shown <- visible_nodes(column$n, frame$room)
    slots <- shown$slots + has_bias
    y_of <- function(slot) middle + frame$gap * ((slots + 1) / 2 - slot - has_bias)
    list(
      index = shown$index, x = x, y = y_of(shown$slot),
      dots = if (!is.null(shown$dots)) y_of(shown$dots), bias = if (has_bias) y_of(0)
    )
  }
  Map(place, columns, frame$x, bias & seq_along(columns) < length(columns))
}

draw_edges <- function(from, to, weight, radius) {
  edges <- expand.grid(from = seq_along(from$y), to = seq_along(to$y))
  y_from <- from$y[edges$from]
  value <- weight$kernel[cbind(from$index[edges$from], to$index[edges$to])]
  y_to <- to$y[edges$to]
  if (!is.null(from$bias)) {
    y_from <- c(y_from, rep(from$bias, length(to$y)))
    y_to <- c(y_to, to$y)
    value <- if (!is.null(weight)) {
      c(value, if (is.null(weight$bias)) rep(0, length(to$y)) else weight$bias[to$index])
    }
  }
  style <- edge_style(value, length(y_to))
  order <- order(style$width)
  graphics::segments(from$x, y_from[order], to$x, y_to[order],
                     col = style$colour[order], lwd = style$width[order])
}

# Colour by sign, width and strength by size relative to the largest; grey without values.
edge_style <- function(value, n) {
  if (is.null(value)) {
    grey <- grDevices::adjustcolor(ink$unknown, if (n > 40) 0.5 else 0.9)
    return(list(colour = rep(grey, n), width = rep(if (n > 40) 0.7 else 1.1, n)))
  }
  size <- abs(value) / max(abs(value), .Machine$double.xmin)
  widest <- if (n > 100) 2 else if (n > 40) 3.5 else 5
  strength <- round(0.18 + 0.77 * sqrt(size), 2)
  rgb <- grDevices::col2rgb(ifelse(value < 0, ink$negative, ink$positive)) / 255
  list(
    colour = grDevices::rgb(rgb[1L, ], rgb[2L, ], rgb[3L, ], strength),
    width = 0.35 + (widest - 0.35) * size
  )
}

draw_column <- function(nodes, column, fill, frame, i, k) {
  circles <- function(x, y, bg) {
    graphics::symbols(x, y, circles = rep(frame$radius, length(y)), inches = FALSE, add = TRUE,
                      bg = bg, fg = ink$node, lwd = 1.3)
  }
  circles(rep(nodes$x, length(nodes$y)), nodes$y, fill)
  if (!is.null(nodes$bias)) {
    circles(nodes$x, nodes$bias, ink$bias)
    graphics::text(nodes$x, nodes$bias, "1", col = ink$faint, cex = min(1, 4.5 * frame$radius))
  }
  if (!is.null(nodes$dots)) {
    step <- min(0.3 * frame$gap, 0.16)
    graphics::points(rep(nodes$x, 3L), nodes$dots + c(-step, 0, step), pch = 16,
                     cex = min(0.8, 4 * frame$radius), col = ink$node)
  }
  if (!is.null(column$names)) {
    left <- i < k
    graphics::text(nodes$x + (frame$radius + 0.08) * (if (left) -1 else 1), nodes$y,
                   column$names[nodes$index], adj = c(if (left) 1 else 0, 0.5),
                   cex = frame$cex_names, col = ink$text)
  }
  draw_lines(column$label, nodes$x, frame$bottom - 0.08, frame$cex)
}

# Lines of text below `y`, centred on `x`, the first one bold.
draw_lines <- function(lines, x, y, cex) {
  first <- seq_along(lines) == 1L
  graphics::text(x, y - (seq_along(lines) - 0.25) * line_height(cex), lines, adj = c(0.5, 0),
                 cex = cex * ifelse(first, 1, 0.9), font = ifelse(first, 2, 1),
                 col = ifelse(first, ink$text, ink$faint))
}

# A title on the left, what the colours mean on the right.
draw_legend <- function(canvas, frame, weights, main, what = "weights:") {
  y <- canvas$height - 0.12 - 0.5 * line_height(0.9)
  if (!is.null(main)) {
    graphics::text(0.12, y, main, adj = c(0, 0.5), font = 2, col = ink$text)
  }
  if (weights) {
    x <- canvas$width - 0.12
    cex <- min(0.8, 0.8 * canvas$width / 4)
    for (sign in c("negative", "positive")) {
      graphics::text(x, y, sign, adj = c(1, 0.5), cex = cex, col = ink$faint)
      x <- x - text_width(sign, cex) - 0.07
      graphics::segments(x - 0.26, y, x, y, lwd = 3, col = ink[[sign]])
      x <- x - 0.26 - 0.16
    }
    graphics::text(x, y, what, adj = c(1, 0.5), cex = cex, col = ink$faint)
  }
}

# blocks: list of list(title, lines).  Where there are many, one above the other, the lines of each
# are joined to leave room for larger letters.
draw_blocks <- function(blocks, rankdir = "TB", main = NULL) {
  old <- graphics::par(c("mar", "xpd"))
  on.exit(graphics::par(old))
  canvas <- set_canvas()
  pad <- 0.12
  area <- list(width = canvas$width - 2 * pad,
               height = canvas$height - 2 * pad - if (is.null(main)) 0 else 1.6 * line_height(1))
  frame <- if (rankdir == "TB") blocks_down(blocks, area) else blocks_across(blocks, area)
  if (rankdir == "TB" && frame$cex < 0.65) {
    blocks <- lapply(blocks, function(block) {
      list(title = block$title, lines = paste(block$lines, collapse = "   "))
    })
    frame <- blocks_down(blocks, area)
  }
  k <- length(blocks)
  x <- frame$x + pad
  y <- frame$y + pad
  half_width <- frame$width / 2
  half_height <- frame$height / 2

  if (k > 1L) {
    from <- -k
    to <- -1L
    down <- rankdir == "TB"
    graphics::arrows(
      (x + if (down) 0 else half_width)[from], (y - if (down) half_height else 0)[from],
      (x - if (down) 0 else half_width + 0.02)[to], (y + if (down) half_height + 0.02 else 0)[to],
      length = min(0.08, frame$arrow / 2), col = ink$faint, lwd = 1.3
    )
  }
  fill <- c(ink$input, rep(ink$hidden, max(0, k - 2)), ink$output)[seq_len(k)]
  graphics::rect(x - half_width, y - half_height, x + half_width, y + half_height,
                 col = fill, border = ink$node, lwd = 1.2)
  for (i in seq_len(k)) {
    text <- c(blocks[[i]]$title, blocks[[i]]$lines)
    draw_lines(text, x[i], y[i] + length(text) * line_height(frame$cex) / 2, frame$cex)
  }
  if (!is.null(main)) {
    graphics::text(pad, canvas$height - pad - 0.5 * line_height(1), main, adj = c(0, 0.5),
                   font = 2, col = ink$text)
  }
}

# Widths and heights that the blocks' texts need at cex 1, in inches.
block_sizes <- function(blocks) {
  list(
    width = 0.3 + max(vapply(blocks, function(block) {
      max(text_width(block$title, 1, 2), text_width(block$lines, 0.9))
    }, 0)),
    height = line_height(1) * (1.6 + vapply(blocks, function(block) length(block$lines), 0L))
  )
}

# Places of blocks one below the other: centres, sizes, length of the arrows and size of the text.
blocks_down <- function(blocks, area) {
  k <- length(blocks)
  size <- block_sizes(blocks)
  arrow <- 1.2 * line_height(1)
  cex <- min(1, area$height / (sum(size$height) + arrow * (k - 1)), area$width / size$width)
  height <- size$height * cex
  arrow <- min(0.45, (area$height - sum(height)) / max(1, k - 1))
  start <- (area$height + sum(height) + arrow * (k - 1)) / 2
  list(
    x = rep(area$width / 2, k),
    y = start - cumsum(height + arrow) + arrow + height / 2,
    width = size$width * cex, height = height, arrow = arrow, cex = cex
  )
}

# The same from left to right.
blocks_across <- function(blocks, area) {
  k <- length(blocks)
  size <- block_sizes(blocks)
  cex <- min(1, area$width / (k * size$width + 0.35 * (k - 1)), area$height / max(size$height))
  width <- size$width * cex
  arrow <- min(0.5, (area$width - k * width) / max(1, k - 1))
  list(
    x = area$width / 2 + (seq_len(k) - (k + 1) / 2) * (width + arrow),
    y = rep(area$height / 2, k),
    width = width, height = rep(max(size$height) * cex, k), arrow = arrow, cex = cex
  )
}
