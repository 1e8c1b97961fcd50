# How a model is shown: print() and summary() give Keras' table.

# One list per layer: what tables and pictures need to know.
layer_info <- function(model) {
  require_built(model)
  Map(function(layer, info) {
    self <- layer_self(layer)
    list(
      name = self$name,
      class = self$class,
      type = self$type,
      output_shape = info$output_shape,
      weights = list(names = info$weight_names, shapes = info$weight_shapes, trainable = info$weight_trainable),
      n_params = info_params(info),
      trainable = self$trainable,
      activation = if (is.null(self$config$activation)) NA_character_ else self$config$activation$type,
      units = self$config$units,
      filters = self$config$filters
    )
  }, model_layers(model), model$info)
}

#' Print a model
#'
#' `print()` and `summary()` show the table of layers: name and type, the shape of what each puts out (`None`
#' stands for the number of samples, which may be any), and the number of its parameters, the weights and biases.
#' A dense layer has inputs x units weights and units biases. Below stand the totals, with the memory that they
#' take (4 bytes each): trainable ones, and those that training leaves alone, of frozen layers or the
#' moving averages of [layer_batch_normalization()].
#'
#' It tells what the model is, not how well it fits: there are no estimates and tests as in [summary.lm()].
#' [get_weights()] gives the weights, [evaluate()] loss and metrics.
#'
#' @param x,object A model. Before the shape of its input is known, sizes are shown as `?`.
#' @param ... Passed on to `format()`: `line_length`, `show_trainable`, `compact`.
#' @param line_length Width of the table in characters, at least 50.
#' @param show_trainable Whether a column shows which layers are trained (`Y`, `N`); `NA`: when some are frozen.
#' @param compact `FALSE` leaves a blank line between layers.
#' @return `format()` a character vector of lines; the others the model, invisibly.
#' @seealso [plot.lamina_model()] for a picture; [count_params()] for the number alone.
#' @family model verbs
#' @examples
#' model <- keras_model_sequential(input_shape = 1) |>
#'   layer_dense(16, activation = "relu") |>
#'   layer_dense(32, activation = "relu") |>
#'   layer_dense(2, activation = "softmax")
#' summary(model) # 1 * 16 + 16 = 32, 16 * 32 + 32 = 544, 32 * 2 + 2 = 66
#'
#' freeze_weights(model, to = 1)
#' print(model, line_length = 60)
#' @export
print.lamina_model <- function(x, ...) {
  cat(format(x, ...), sep = "\n")
  invisible(x)
}

#' @rdname print.lamina_model
#' @export
summary.lamina_model <- function(object, ...) print(object, ...)

#' @rdname print.lamina_model
#' @export
format.lamina_model <- function(x, line_length = min(getOption("width"), 180), show_trainable = NA,
                                compact = TRUE, ...) {
  line_length <- max(50, line_length)
  layers <- all_layers(x)
  frozen <- !vapply(layers, function(l) layer_self(l)$trainable, NA)
  if (is.na(show_trainable)) {
    show_trainable <- any(frozen)
  }
  rows <- c(front_rows(x), if (is_built(x)) built_rows(x) else unbuilt_rows(x))
  columns <- c("Layer (type)", "Output Shape", "Param #", if (show_trainable) "Trainable")
  if (show_trainable) {
    rows <- lapply(seq_along(rows), function(i) c(rows[[i]], if (frozen[i]) "N" else "Y"))
  }
  share <- if (show_trainable) c(0.4, 0.28, 0.17, 0.15) else c(0.46, 0.32, 0.22)
  widths <- pmax(floor((line_length - 1) * share) - 3, nchar(columns))
  c(
    sprintf("Model: \"%s\"", x$name),
    text_table(columns, rows, widths, align_right = 3L, compact = compact),
    total_lines(x)
  )
}

# The row of a layer in front of the network, if there is one.
front_rows <- function(model) {
  lapply(c(model$front), function(layer) {
    self <- layer_self(layer)
    c(sprintf("%s (%s)", self$name, self$class), if (is.null(model$shape)) "?" else shape_text(model$shape), "0")
  })
}

built_rows <- function(model) {
  lapply(layer_info(model), function(l) {
    c(sprintf("%s (%s)", l$name, l$class), shape_text(l$output_shape), format(l$n_params, big.mark = ",", scientific = FALSE))
  })
}

unbuilt_rows <- function(model) {
  lapply(model_layers(model), function(layer) {
    self <- layer_self(layer)
    c(sprintf("%s (%s)", self$name, self$class), "?", "? (unbuilt)")
  })
}

total_lines <- function(model) {
  if (!is_built(model)) {
    return(" Total params: unknown until the shape of the input is known")
  }
  counts <- unlist(lapply(model$info, function(i) vapply(i$weight_shapes, prod, 0)), use.names = FALSE)
  counts <- as.numeric(counts)
  trainable <- as.logical(weight_trainable(model))
  line <- function(label, n) {
    sprintf(" %s: %s (%s)", label, format(n, big.mark = ",", scientific = FALSE), size_text(4 * n))
  }
  c(
    line("Total params", sum(counts)),
    line("Trainable params", sum(counts[trainable])),
    line("Non-trainable params", sum(counts[!trainable])),
    if (rounds_products(model$compiled)) " Precision: float32, products in bfloat16"
  )
}

size_text <- function(bytes) {
  units <- c("B", "KB", "MB", "GB")
  power <- if (bytes < 1) 0 else min(floor(log(bytes, 1024)), 3)
  sprintf("%.2f %s", bytes / 1024^power, units[power + 1])
}

# A table in plain or Unicode lines; a cell too long for its column is broken over lines.
text_table <- function(columns, rows, widths, align_right = integer(), compact = TRUE) {
  unicode <- cli::is_utf8_output()
  line <- if (unicode) c("\u2500", "\u2502") else c("-", "|")
  rule <- function(left, mid, right) {
    if (!unicode) left <- mid <- right <- "+"
    paste0(left, paste(strrep(line[1L], widths + 2L), collapse = mid), right)
  }
  cells <- function(values) {
    parts <- Map(function(v, w) {
      starts <- seq(1L, max(nchar(v), 1L), by = w)
      substring(v, starts, starts + w - 1L)
    }, values, widths)
    height <- max(lengths(parts))
    vapply(seq_len(height), function(h) {
      text <- mapply(function(p, w, i) {
        value <- if (h <= length(p)) p[h] else ""
        formatC(value, width = if (i %in% align_right) w else -w, flag = if (i %in% align_right) "" else "-")
      }, parts, widths, seq_along(widths))
      paste0(line[2L], " ", paste(text, collapse = paste0(" ", line[2L], " ")), " ", line[2L])
    }, "")
  }
  body <- lapply(rows, cells)
  if (!compact) {
    body <- lapply(body, c, cells(rep("", length(widths))))
  }
  c(
    rule("\u250c", "\u252c", "\u2510"),
    cells(columns),
    rule("\u251c", "\u253c", "\u2524"),
    unlist(body),
    rule("\u2514", "\u2534", "\u2518")
  )
}
