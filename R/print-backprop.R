# What explain_backprop() tells: the derivation line by line, as text and as formulas.
#
# backprop_sections() makes the lines once; a "tongue" (plain_tongue, latex_tongue) says how symbols and numbers are
# written.

#' A step of backpropagation as text and formulas
#'
#' `print()` and `format()` write the derivation out line by line: the forward pass of a sample, the loss, the chain
#' rule backward, the mean over the samples, and the new weights. `toLatex()` writes the same as formulas, and so does
#' knitr where a chunk shows the explanation.
#'
#' Symbols: `x` inputs; of layer 2 the weighted sums `z2`, activations `a2`, weights `w2` and biases `b2`, numbered as in R:
#' `w2[1,3]` is the weight from unit 1 before the layer to its unit 3. `L` is the loss; `L1` that of sample 1 where there
#' are several.
#'
#' @param x,object An explanation, as returned by [explain_backprop()].
#' @param sample Which sample's passes to show.
#' @param max How many lines of a kind to show in a layer; `Inf` for all.
#' @param digits Significant digits.
#' @param options Options of a knitr chunk.
#' @param ... Must be empty.
#' @return `print()` its argument, invisibly; `format()` lines of text; `toLatex()` lines of class `Latex`.
#' @section Errors:
#' `lamina_error_argument` for a sample that there is not, and other bad arguments.
#' @family teaching
#' @examples
#' model <- keras_model_sequential(input_shape = 1) |> layer_dense(1)
#' set_weights(model, list(matrix(3), 1))
#' model |> compile(optimizer = optimizer_sgd(0.1), loss = "mse")
#' step <- explain_backprop(model, x = c(2, 1), y = c(5, 5))
#' step
#' print(step, sample = 2, digits = 6)
#' toLatex(step)
#' @export
print.lamina_backprop <- function(x, sample = 1, max = 12, digits = 4, ...) {
  check_no_dots(list(...))
  sections <- backprop_sections(x, plain_tongue, sample, max, digits)
  for (section in sections) {
    cat(cli::rule(left = section$title), "\n", sep = "")
    cat(c(section$text, if (length(section$lines)) paste0("  ", section$lines), ""), sep = "\n")
  }
  cat(backprop_footer(x), sep = "\n")
  invisible(x)
}

#' @rdname print.lamina_backprop
#' @export
format.lamina_backprop <- function(x, sample = 1, max = 12, digits = 4, ...) {
  check_no_dots(list(...))
  sections <- backprop_sections(x, plain_tongue, sample, max, digits)
  unlist(lapply(sections, function(s) c(s$title, s$text, if (length(s$lines)) paste0("  ", s$lines), "")))
}

backprop_footer <- function(x) {
  trained <- !is.na(x$weights$gradient)
  if (!any(trained)) {
    return("No weight is trained.")
  }
  sprintf("The factors multiply to the engine's %d gradient%s within %s of their terms; tidy() has all numbers.",
          sum(trained), if (sum(trained) == 1L) "" else "s", format(x$rounding, digits = 2))
}

#' @rdname print.lamina_backprop
#' @importFrom utils toLatex
#' @export
toLatex.lamina_backprop <- function(object, sample = 1, max = 12, digits = 4, ...) {
  check_no_dots(list(...))
  sections <- backprop_sections(object, latex_tongue, sample, max, digits)
  lines <- lapply(sections, function(s) {
    c(sprintf("\\paragraph{%s}", s$title), s$text, if (length(s$lines)) c("\\begin{align*}", aligned(s$lines), "\\end{align*}"))
  })
  structure(unlist(lines), class = "Latex")
}

# Lines of formulas, each but the last ended.
aligned <- function(lines) paste0(lines, c(rep(" \\\\", length(lines) - 1L), ""))

#' @rdname print.lamina_backprop
#' @exportS3Method knitr::knit_print
knit_print.lamina_backprop <- function(x, options = NULL, ...) {
  sections <- backprop_sections(x, latex_tongue, sample = 1, max = 12, digits = 4)
  lines <- lapply(sections, function(s) {
    c(sprintf("**%s.** %s", s$title, paste(s$text, collapse = " ")), "",
      if (length(s$lines)) c("$$\\begin{aligned}", aligned(s$lines), "\\end{aligned}$$"), "")
  })
  knitr::asis_output(paste(c("", unlist(lines), ""), collapse = "\n"))
}

# ---- tongues -------------------------------------------------------------------------------------

# unit(symbol, layer, at), weight(layer, from, to), loss(sample), d(of, by): symbols; times, equals, call(name, argument),
# share(n), number(text).
plain_tongue <- list(
  unit = function(symbol, s, at) if (s == 0) sprintf("x[%d]", at) else sprintf("%s%d[%d]", symbol, s, at),
  weight = weight_term,
  loss = function(i) if (is.null(i)) "L" else sprintf("L%d", i),
  d = function(of, by) sprintf("d%s/d%s", of, by),
  times = " * ", equals = " = ", to = " -> ", align = " = ",
  call = function(name, argument) sprintf("%s(%s)", name, argument),
  over = function(sum, n) sprintf("(%s) / %d", sum, n),
  number = identity, word = identity, name = identity, dots = "..."
)

latex_tongue <- list(
  unit = function(symbol, s, at) if (s == 0) sprintf("x_{%d}", at) else sprintf("%s^{(%d)}_{%d}", symbol, s, at),
  weight = function(s, from, to) {
    ifelse(from + 0 * to == 0, sprintf("b^{(%d)}_{%d}", s, to), sprintf("w^{(%d)}_{%d,%d}", s, from, to))
  },
  loss = function(i) if (is.null(i)) "L" else sprintf("L_{%d}", i),
  d = function(of, by) sprintf("\\frac{\\partial %s}{\\partial %s}", of, by),
  times = " \\cdot ", equals = " = ", to = " \\to ", align = " &= ",
  call = function(name, argument) sprintf("\\mathrm{%s}(%s)", gsub("_", "\\_", name, fixed = TRUE), argument),
  over = function(sum, n) sprintf("\\frac{%s}{%d}", sum, n),
  number = function(text) sub("e([+-]?)0*([0-9]+)", "\\\\times 10^{\\1\\2}", sub("e+", "e", text, fixed = TRUE)),
  word = function(text) sprintf("\\text{%s}", text), name = function(text) gsub("_", "\\_", text, fixed = TRUE),
  dots = "\\ldots"
)

# Writers of numbers: number(v), and factor(v) with parentheses around negative ones.
number_writers <- function(tongue, digits) {
  number <- function(v) tongue$number(formatC(v, digits = digits, format = "g", width = 1))
  list(number = number, factor = function(v) ifelse(v < 0, sprintf("(%s)", number(v)), number(v)))
}

# ---- the derivation ------------------------------------------------------------------------------

# A list of list(title, text, lines).
backprop_sections <- function(x, tongue, sample, max, digits, call = rlang::caller_env()) {
  n <- nrow(x$x)
  sample <- check_count(sample, min = 1, max = n, arg = "sample", call = call)
  max <- check_number(max, min = 1, allow_infinite = TRUE, arg = "max", call = call)
  digits <- check_count(digits, min = 1, max = 15, arg = "digits", call = call)
  write <- utils::modifyList(tongue, c(number_writers(tongue, digits), list(max = max, several = n > 1)))
  k <- length(x$stages)
  c(
    list(backprop_title(x, n)),
    lapply(seq_len(k), function(s) forward_section(x, s, sample, write)),
    list(loss_section(x, sample, write)),
    lapply(rev(seq_len(k)), function(s) backward_section(x, s, sample, write)),
    if (n > 1 || any(x$weights$penalty != 0)) list(mean_section(x, write)),
    if (nrow(x$weights)) list(update_section(x, write))
  )
}

backprop_title <- function(x, n) {
  list(
    title = "One step of backpropagation",
    text = sprintf("Network %s, %s, %s with learning rate %s, %d sample%s.", x$about$sizes, spaced(x$about$loss),
                   spaced(x$about$optimizer), format(x$about$rate, digits = 4), n, if (n == 1L) "" else "s")
  )
}

spaced <- function(name) gsub("_", " ", name)

# The first lines, and how many are left out.
first_lines <- function(n, write, line) {
  most <- if (n == write$max + 1) n else write$max # "1 more" would take a line, too
  shown <- vapply(seq_len(min(n, most)), line, "")
  c(shown, if (n > most) paste0(if (write$align != " = ") "&", write$word(sprintf("... and %d more", n - length(shown)))))
}

# "a + b + c", the middle left out where there are many.
sum_text <- function(terms, write) {
  if (length(terms) > 6L) {
    terms <- c(terms[1:3], write$dots, terms[length(terms)])
  }
  paste(terms, collapse = " + ")
}

forward_section <- function(x, s, i, write) {
  stage <- x$stages[[s]]
  input <- stage$input[i, ]
  line <- function(j) {
    z <- write$unit("z", s, j)
    sums <- if (is.null(stage$kernel)) {
      paste0(write$unit("a", s - 1, j), write$equals, write$number(stage$sum[i, j]))
    } else {
      terms <- paste0(write$factor(input), write$times, write$factor(stage$kernel[, j]))
      if (!is.null(stage$bias)) terms <- c(terms, write$factor(stage$bias[j]))
      paste0(sum_text(terms, write), write$equals, write$number(stage$sum[i, j]))
    }
    a <- paste0(write$unit("a", s, j), write$equals, if (stage$type != "linear") {
      paste0(write$call(stage$type, if (is.null(stage$slope)) write$unit("z", s, j) else write$number(stage$sum[i, j])),
             write$equals)
    }, write$number(stage$activation[i, j]))
    paste0(z, write$align, sums, if (write$align == " = ") ",  " else ", \\quad ", a)
  }
  list(
    title = sprintf("Forward: layer %d, %s%s", s, write$name(stage$name), of_sample(i, write)),
    text = if (s == 1L) {
      sprintf("Inputs %s%s.", paste(formatC(utils::head(input, write$max), digits = 4, format = "g", width = 1), collapse = ", "),
              if (length(input) > write$max) ", ..." else "")
    },
    lines = first_lines(ncol(stage$sum), write, line)
  )
}

of_sample <- function(i, write) if (write$several) sprintf(" (sample %d)", i) else ""

own_loss_symbol <- function(i, write) write$loss(if (write$several) i)

loss_section <- function(x, i, write) {
  n <- nrow(x$samples)
  last <- x$stages[[length(x$stages)]]
  if (x$about$loss == "own loss") {
    return(list(title = "Loss", text = "A loss of one's own, of all samples together.",
                lines = paste0(write$loss(NULL), write$align, write$number(x$loss))))
  }
  penalized <- x$about$penalty != 0
  values <- write$number(x$samples$loss)
  own <- if (n > 1 || penalized) {
    symbols <- vapply(seq_len(n), function(m) own_loss_symbol(m, write), "")
    first_lines(n, write, function(m) paste0(if (n > 1) symbols[m] else write$word("error"), write$align, values[m]))
  }
  share <- x$samples$share[1L]
  total <- sum_text(write$factor(x$samples$loss), write)
  if (n > 1 && share < 1) total <- write$over(total, round(1 / share))
  if (penalized) total <- paste0(total, " + ", write$number(x$about$penalty))
  whole <- paste0(write$loss(NULL), write$align, if (n > 1 || penalized) paste0(total, write$equals), write$number(x$loss))
  shown <- function(v) paste(formatC(v, digits = 4, format = "g", width = 1), collapse = ", ")
  list(
    title = "Loss",
    text = c(
      sprintf("The %s between targets %s and predictions %s%s.", spaced(x$about$loss), shown(x$y[i, ]),
              shown(last$activation[i, ]), of_sample(i, write)),
      if (grepl("categorical_crossentropy", x$about$loss)) "Predictions are divided by their sum first, so each of them has a slope.",
      if (penalized) "The last term is the penalty on weights and activations."
    ),
    lines = c(own, whole)
  )
}

backward_section <- function(x, s, i, write) {
  stage <- x$stages[[s]]
  k <- length(x$stages)
  loss <- own_loss_symbol(i, write)
  d <- function(symbol, j) write$d(loss, write$unit(symbol, s, j))
  above <- if (s < k) x$stages[[s + 1L]]
  activation_line <- function(j) {
    value <- write$number(stage$d_activation[i, j])
    activity <- if (any(stage$penalty$activity != 0)) paste0(" + ", write$factor(stage$activity[i, j]))
    if (s == k) {
      plain <- stage$d_activation[i, j] - stage$activity[i, j]
      return(paste0(d("a", j), write$align, if (!is.null(activity)) paste0(write$factor(plain), activity, write$equals), value))
    }
    before <- if (is.null(above$kernel)) {
      write$d(loss, write$unit("z", s + 1L, j))
    } else {
      to <- seq_len(ncol(above$kernel))
      symbols <- paste0(write$weight(s + 1L, j, to), write$times, vapply(to, function(t) write$d(loss, write$unit("z", s + 1L, t)), ""))
      numbers <- paste0(write$factor(above$kernel[j, ]), write$times, write$factor(above$d_sum[i, ]))
      paste0(sum_text(symbols, write), write$equals, sum_text(numbers, write))
    }
    paste0(d("a", j), write$align, before, activity, write$equals, value)
  }
  sum_line <- function(j) {
    own <- if (!is.null(stage$slope)) {
      paste0(d("a", j), write$times, write$d(write$unit("a", s, j), write$unit("z", s, j)), write$equals,
             write$factor(stage$d_activation[i, j]), write$times, write$factor(stage$slope[i, j]))
    } else {
      sum_text(paste0(write$factor(stage$d_activation[i, ]), write$times, write$factor(stage$jacobian[i, , j])), write)
    }
    paste0(d("z", j), write$align, own, write$equals, write$number(stage$d_sum[i, j]))
  }
  rows <- x$weights[x$weights$stage == s, ]
  weight_line <- function(r) {
    from <- rows$from[r]
    to <- rows$to[r]
    z <- d("z", to)
    left <- paste0(write$d(loss, write$weight(s, from, to)), write$align, z)
    if (from == 0) {
      return(paste0(left, write$equals, write$number(stage$d_sum[i, to])))
    }
    paste0(left, write$times, write$unit("a", s - 1L, from), write$equals, write$factor(stage$d_sum[i, to]), write$times,
           write$factor(stage$input[i, from]), write$equals, write$number(stage$d_sum[i, to] * stage$input[i, from]))
  }
  units <- ncol(stage$sum)
  list(
    title = sprintf("Backward: layer %d, %s%s", s, write$name(stage$name), of_sample(i, write)),
    text = c(
      if (any(stage$penalty$activity != 0)) "The last term of dL/da comes from the penalty on activations.",
      if (is.null(stage$slope)) sprintf("Each activation of a %s depends on all sums, so there is a term for each.", spaced(stage$type)),
      if (s == k && x$about$folded && !x$about$smoothed) {
        sprintf("Together, %s and %s have the slope a - y%s; the engine computes that.", stage$type, spaced(x$about$loss),
                if (units > 1L && stage$type == "sigmoid") sprintf(" over %d", units) else "")
      }
    ),
    lines = c(first_lines(units, write, activation_line), first_lines(units, write, sum_line),
              if (nrow(rows) && stage$trained) first_lines(nrow(rows), write, weight_line))
  )
}

mean_section <- function(x, write) {
  rows <- x$weights[!is.na(x$weights$gradient), ]
  n <- nrow(x$samples)
  share <- x$samples$share[1L]
  line <- function(r) {
    stage <- x$stages[[rows$stage[r]]]
    d <- stage$d_sum[, rows$to[r]]
    terms <- write$factor(d * if (rows$from[r] == 0) 1 else stage$input[, rows$from[r]])
    data <- sum_text(terms, write)
    if (n > 1 && share < 1) data <- write$over(data, round(1 / share))
    if (rows$penalty[r] != 0) data <- paste0(data, " + ", write$factor(rows$penalty[r]))
    summed <- n > 1 || rows$penalty[r] != 0
    paste0(write$d(write$loss(NULL), write$weight(rows$stage[r], rows$from[r], rows$to[r])), write$align,
           if (summed) paste0(data, write$equals), write$number(rows$gradient[r]))
  }
  list(
    title = if (n > 1 && share < 1) "Gradients: means over the samples" else if (n > 1) "Gradients: sums over the samples" else "Gradients",
    text = if (any(rows$penalty != 0)) "The last term is the slope of the penalty on the weight.",
    lines = by_layer(rows$stage, write, line)
  )
}

# Lines of weights, the first ones of each layer.
by_layer <- function(stage, write, line) {
  unlist(lapply(unique(stage), function(s) {
    at <- which(stage == s)
    first_lines(length(at), write, function(r) line(at[r]))
  }))
}

update_section <- function(x, write) {
  rows <- x$weights
  line <- function(r) {
    left <- write$weight(rows$stage[r], rows$from[r], rows$to[r])
    new <- write$number(rows$new_weight[r])
    if (is.na(rows$gradient[r])) {
      return(paste0(left, write$align, new, " ", write$word("(frozen)")))
    }
    if (x$about$plain && !x$about$constrained) {
      return(paste0(left, write$align, write$factor(rows$weight[r]), " - ", write$number(x$about$rate), write$times,
                    write$factor(rows$gradient[r]), write$equals, new))
    }
    paste0(left, write$align, write$factor(rows$weight[r]), if (rows$change[r] < 0) " - " else " + ",
           write$number(abs(rows$change[r])), write$equals, new)
  }
  list(
    title = "New weights",
    text = if (x$about$plain && !x$about$constrained) {
      "New weight = old weight - learning rate * gradient."
    } else {
      sprintf("Old weight plus the step that %s takes%s.", spaced(x$about$optimizer),
              if (x$about$constrained) ", then the constraint" else "")
    },
    lines = by_layer(rows$stage, write, line)
  )
}
