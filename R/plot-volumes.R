# Pictures of convolutional networks: a block for each layer whose output has maps, as high, deep and
# thick as the output is; dense layers as bars.

# Whether the model is drawn so: it has convolutions or pooling, and its shapes are known.
has_volumes <- function(model) {
  is_built(model) && any(grepl("conv|pool", layer_types(model)))
}

# Layers that are told of below the block of the layer before them: those that keep the shape and do
# not mix steps or features, and those that only arrange the numbers anew.
is_merged <- function(type, from, to) {
  mixes <- grepl("conv|pool|^dense$|attention|lstm|gru|rnn|bidirectional|time_distributed", type)
  type == "flatten" || (identical(as.double(from), as.double(to)) && !mixes)
}

# What is drawn, from the input to the output: list(list(kind, title, lines, size)), size being
# c(height, width, channels), 1 where there is no such dimension.
model_stages <- function(model, show) {
  stages <- list(list(kind = "input", title = "input", lines = stage_lines(model$shape, 0, show),
                      size = stage_size(model$shape)))
  from <- model$shape
  for (i in seq_along(model_layers(model))) {
    self <- layer_self(model_layers(model)[[i]])
    info <- model$info[[i]]
    last <- length(stages)
    label <- merged_label(self)
    if (is_merged(self$type, from, info$output_shape)) {
      stages[[last]]$lines <- c(stages[[last]]$lines, if (show$names) self$name else label)
    } else {
      activation <- if (!is.null(self$functions$activation)) "function" else self$config$activation$type
      stages[[last + 1L]] <- list(
        kind = stage_kind(self$type),
        title = if (show$names) self$name else stage_title(self),
        lines = c(
          if (show$names && stage_title(self) != self$name) stage_title(self),
          stage_strides(self),
          stage_lines(info$output_shape, info_params(info), show),
          if (!is.null(activation) && activation != "linear") gsub("_", " ", activation)
        ),
        size = stage_size(info$output_shape)
      )
    }
    from <- info$output_shape
  }
  stages
}

stage_size <- function(shape) {
  switch(as.character(length(shape)), "1" = c(1, 1, shape), "2" = c(shape[1L], 1, shape[2L]), "3" = shape,
         c(1, 1, prod(shape)))
}

stage_lines <- function(shape, n_params, show) {
  number <- function(n) format(n, big.mark = ",", scientific = FALSE, trim = TRUE)
  c(
    paste(number(shape), collapse = " x "),
    if (show$dtype) "float32",
    if (n_params > 0) paste(number(n_params), "weights")
  )
}

stage_kind <- function(type) {
  if (grepl("conv", type)) {
    "convolution"
  } else if (grepl("pool", type)) {
    "pooling"
  } else if (type == "dense") {
    "dense"
  } else {
    "other"
  }
}

# "conv 3 x 3", "max pool 2 x 2".
stage_title <- function(self) {
  name <- c(
    conv = "conv", depthwise_conv = "depthwise", separable_conv = "separable", conv_transpose = "conv back",
    max_pooling = "max pool", average_pooling = "mean pool", global_max_pooling = "global max",
    global_average_pooling = "global mean"
  )[sub("_[12]d", "", self$type)]
  if (is.na(name)) {
    return(gsub("_", " ", sub("_[12]d", "", self$type)))
  }
  paste(c(name, paste(window_size(self), collapse = " x ")), collapse = " ")
}

window_size <- function(self) unlist(c(self$config$kernel_size, self$config$pool_size))

# "stride 2", where windows do not move as they usually do: by 1, or in pooling by their size.
stage_strides <- function(self) {
  strides <- unlist(self$config$strides)
  usual <- if (is.null(self$config$pool_size)) 1 else window_size(self)
  if (length(strides) && any(strides != usual)) paste("stride", paste(unique(strides), collapse = " x "))
}

merged_label <- function(self) {
  label <- layer_label(self)
  label <- sub("spatial dropout.*", "spatial dropout", label)
  switch(label, "batch normalization" = "batch norm", "layer normalization" = "layer norm", label)
}

volume_ink <- list(
  input = "#E8EEF4", convolution = "#BBD7EE", pooling = "#F6DDB8", dense = "#CFE8CF", other = "#E3E3E3"
)

# Blocks from left to right, in as many rows as legible text needs.
draw_volumes <- function(stages, main = NULL) {
  old <- graphics::par(c("mar", "xpd"))
  on.exit(graphics::par(old))
  canvas <- set_canvas()
  pad <- 0.12
  top <- canvas$height - pad - if (is.null(main)) 0 else 1.6 * line_height(1)
  frame <- volume_frame(stages, canvas$width - 2 * pad, top - pad)
  k <- length(stages)
  for (i in seq_len(k)) {
    row <- (i - 1) %/% frame$columns
    column <- (i - 1) %% frame$columns
    first <- row * frame$columns + 1
    in_row <- min(frame$columns, k - first + 1)
    x <- pad + (canvas$width - 2 * pad) * (column + 0.5) / frame$columns
    if (frame$rows == 1L) {
      x <- pad + (canvas$width - 2 * pad) * (column + 0.5) / in_row
    }
    bottom <- top - (row + 1) * frame$height
    base <- bottom + frame$text
    box <- draw_volume(stages[[i]], x, base + frame$room / 2, frame, i == k)
    draw_lines(c(stages[[i]]$title, stages[[i]]$lines), x, base - 0.05, frame$cex)
    if (i > 1L && column > 0) {
      middle <- base + frame$room / 2
      graphics::arrows(edge + 0.03, middle, box$left - 0.03, middle, length = 0.05, col = ink$faint)
    }
    edge <- box$right
  }
  if (!is.null(main)) {
    graphics::text(pad, canvas$height - pad - 0.5 * line_height(1), main, adj = c(0, 0.5), font = 2, col = ink$text)
  }
}

# How many blocks in a row, the height of a row with the room for a block and for text, the size of the
# text, and the inches that a pixel takes.
volume_frame <- function(stages, width, height) {
  k <- length(stages)
  longest <- max(vapply(stages, function(s) max(text_width(s$title, 1, 2), text_width(s$lines, 0.9)), 0))
  lines <- max(vapply(stages, function(s) 1L + length(s$lines), 0L))
  fits <- lapply(seq_len(k), function(columns) {
    rows <- ceiling(k / columns)
    cex <- min(0.95, 0.96 * (width / columns) / longest)
    text <- lines * line_height(cex) + 0.1
    list(columns = columns, rows = rows, cex = cex, text = text, height = height / rows,
         room = height / rows - text - 0.1)
  })
  good <- vapply(fits, function(f) min(f$cex / 0.75, 1) * min(f$room, 0.9 * width / f$columns), 0)
  frame <- fits[[which.max(good)]]
  frame$columns <- ceiling(k / frame$rows)

  sizes <- vapply(stages, `[[`, c(0, 0, 0), "size")
  thickest <- min(0.4 * width / frame$columns, 0.6 * frame$room)
  frame$slant <- 0.3
  across <- max(sizes[2L, ]) * frame$slant
  frame$inch <- min(frame$room / (max(sizes[1L, ]) + across),
                    (0.85 * width / frame$columns - thickest) / max(across, 1e-9))
  maps <- sizes[1L, ] > 1
  most <- max(sizes[3L, maps], 1)
  frame$thickness <- function(channels) 0.04 + (thickest - 0.04) * log2(1 + channels) / log2(1 + most)
  longest_bar <- max(sizes[3L, !maps], 2)
  frame$bar <- function(units) frame$room * (0.1 + 0.7 * log2(units) / log2(longest_bar))
  frame
}

# A block, seen from the left above, around the middle (x, y); returns where it ends on both sides.
draw_volume <- function(stage, x, y, frame, last) {
  fill <- if (last) ink$output else volume_ink[[stage$kind]]
  size <- stage$size
  if (size[1L] <= 1 && size[2L] <= 1) {
    half <- c(0.06, max(frame$bar(size[3L]) / 2, 0.04))
    graphics::rect(x - half[1L], y - half[2L], x + half[1L], y + half[2L], col = fill, border = ink$node)
    return(list(left = x - half[1L], right = x + half[1L]))
  }
  high <- max(size[1L] * frame$inch, 0.05)
  deep <- max(size[2L] * frame$inch * frame$slant, 0.02)
  thick <- frame$thickness(size[3L])
  left <- x - (thick + deep) / 2
  low <- y - (high + deep) / 2
  face <- function(dx, dy, shade) {
    graphics::polygon(left + dx, low + dy, col = blend(fill, "#3A4653", shade), border = ink$node)
  }
  face(c(0, thick, thick, 0), c(0, 0, high, high), 0)
  face(c(0, thick, thick + deep, deep), c(high, high, high + deep, high + deep), 0.08)
  face(c(thick, thick + deep, thick + deep, thick), c(0, deep, high + deep, high), 0.2)
  list(left = left, right = left + thick + deep)
}
