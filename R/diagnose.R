# diagnose(): what the curves of a training show, in words.
#
# Each curve is split into a trend, running medians and means, and the rest around it, whose spread is the noise.  What is
# found is decided by comparing falls and rises of the trend with the whole fall and with the noise.  The limits below were
# chosen on simulated histories (tests/testthat/test-diagnose.R).

diagnosis_limits <- list(
  rise = 0.05,         # overfitting: the validation loss rises by this share of its lowest value ...
  rise_noise = 5,      # ... and by this many standard errors
  hardly = 0.1,        # underfitting: the loss falls by less than this share of its first value
  straight = 0.14,     # slow: the last quarter of the epochs brings this share of the whole fall (a straight line: 0.25)
  falling = 0.003,     # ... and this share of the present loss
  rough = 0.05,        # rate too high: noise as a share of the fall ...
  rough_level = 0.08,  # ... and of the level
  spike = 0.5,         # or: twice or more often the training loss jumps by half of itself from one epoch to the next ...
  spike_fall = 0.01,   # ... and by this share of its fall
  again = 0.25,        # or: the training loss rises by this share of its lowest value ...
  again_fall = 0.01,   # ... and of its fall, and by rise_noise standard errors
  jumpy = 0.12,        # validation: noise as a share of its level ...
  jumpier = 3          # ... and as a multiple of the training loss's
)

#' What a training history shows, in words
#'
#' Reads the loss of the training data and, where there is one, of the validation data, and says what their curves show,
#' with the figures that it rests on and what to try.
#'
#' Each curve is split into its trend (running medians, then means, over a seventh of the epochs) and the noise around it
#' (the standard deviation of what is left, in the second half). Then, in this order:
#'
#' * `"diverged"`: the loss is not finite, or ends higher than it began: the rate is too high.
#' * `"oscillates"`: the training loss jumps around by 5 % of what it has fallen, and 8 % of its level, or more; or
#'   jumps up by half of itself twice or more often; or ends 25 % above its lowest point: the rate is too high.
#' * `"overfits"`: after its lowest point the validation loss has risen by 5 % and by five standard errors, or more, while
#'   the training loss went on falling. `since` is the epoch of the lowest point.
#' * `"slow"`: in the last quarter of the epochs the loss falls by 14 % of its whole fall or more, without having turned: the
#'   rate is low for so few epochs (a straight line would have 25 %).
#' * `"underfits"`: the loss has fallen by less than 10 % of its first value, and no more: the network cannot follow the data, or
#'   there is nothing more in them. Not where an accuracy of 0.9 or an R squared of 0.8 says otherwise.
#' * `"unstable validation"`: the validation loss jumps by 12 % of its level or more, and three times as much as the training
#'   loss: too few samples to validate on.
#' * `"healthy"`: nothing of all this.
#' * `"too short"`: fewer than 5 epochs tell nothing but divergence.
#'
#' Curves alone cannot tell everything: an error that is in the data looks like underfitting, and where the first
#' epoch has many batches most of the fall lies within it, before the first value. So these are hints where to look.
#'
#' @param history What [fit()][fit.lamina_model] returned, or a fit of [lamina()].
#' @param ... Not used: unknown arguments are refused.
#' @return An object of class `lamina_diagnosis` with a [print()] method: a data frame with a row a finding, the gravest first,
#'   and the columns `finding`, `severity` (`"problem"`, `"hint"` or `"fine"`), `since` (an epoch or `NA`), `evidence` and `advice`.
#' @section Errors:
#' `lamina_error_argument` for something else than a history, `lamina_error_state` for one without an epoch.
#' @family teaching
#' @family histories
#' @examples
#' # 30 points, a wide network, and labels that are half noise: it learns them by heart
#' set.seed(1)
#' x <- matrix(rnorm(240), ncol = 4)
#' y <- x[, 1] + rnorm(60)
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(64, activation = "relu") |>
#'   layer_dense(1)
#' model |> compile(optimizer_adam(0.01), "mse")
#' history <- model |> fit(x, y, epochs = 80, validation_split = 0.5, verbose = 0)
#' diagnose(history)
#' @export
diagnose <- function(history, ...) {
  check_no_dots(list(...))
  if (inherits(history, "lamina_fit")) {
    history <- history$history
  }
  if (!inherits(history, "lamina_history") || !is.list(history$metrics)) {
    abort_argument("history", "the history that fit() returned, or a fit of lamina()", describe(history))
  }
  epochs <- history_epochs(history)
  loss <- history$metrics$loss
  if (length(epochs) == 0L || !is.numeric(loss)) {
    abort_lamina("The history holds no finished epoch with a loss.", "state", arg = "history",
                 expected = "at least one epoch", actual = "none")
  }
  train <- read_curve(epochs, loss)
  validation <- if (!is.null(history$metrics$val_loss)) read_curve(epochs, history$metrics$val_loss)
  if (!is.null(validation) && sum(is.finite(history$metrics$val_loss)) < 5L && length(epochs) >= 5L) validation <- NULL
  findings <- find_all(train, validation, history$metrics)
  order <- order(match(findings$severity, c("problem", "hint", "fine")))
  findings <- findings[order, , drop = FALSE]
  rownames(findings) <- NULL
  structure(findings, class = c("lamina_diagnosis", "data.frame"), epochs = length(epochs), train = train$ends,
            validation = validation$ends)
}

# ---- curves --------------------------------------------------------------------------------------

# list(epoch, value, trend, noise, first, last, lowest (of the trend), lowest_at (an epoch), n, broken, ends): of the finite values.
read_curve <- function(epoch, value) {
  broken <- epoch[is.nan(value) | is.infinite(value)]
  ok <- is.finite(value)
  epoch <- epoch[ok]
  value <- value[ok]
  n <- length(value)
  trend <- curve_trend(value)
  late <- seq_len(n) > n / 2
  at <- if (n) which.min(trend) else NA_integer_
  list(
    epoch = epoch, value = value, trend = trend, n = n, broken = broken,
    noise = if (n >= 5L) curve_noise(value, trend, late) else 0,
    first = value[1L], last = trend[n], lowest = trend[at], lowest_at = epoch[at],
    ends = c(first = value[1L], last = value[n])
  )
}

# Running medians, which single jumps do not move, then means of as many.
curve_trend <- function(value) {
  n <- length(value)
  width <- trend_width(n)
  if (width < 3L) {
    return(value)
  }
  runmean <- function(v) {
    half <- width %/% 2L
    vapply(seq_len(n), function(i) {
      reach <- min(half, i - 1L, n - i) # narrower at the ends, so that slopes are kept
      mean(v[(i - reach):(i + reach)])
    }, 0)
  }
  runmean(as.double(stats::runmed(value, width, endrule = "median")))
}

trend_width <- function(n) {
  width <- 2L * (n %/% 14L) + 1L
  min(max(width, if (n >= 8L) 3L else 1L), 31L)
}

# The spread of a curve around a smooth one: second differences of independent errors have 6 times their variance.
curve_noise <- function(value, trend, late) {
  bends <- diff(value, differences = 2L)
  bends <- bends[utils::tail(late, length(bends))]
  if (length(bends) >= 2L) sqrt(mean(bends^2) / 6) else 0
}

# ---- findings ------------------------------------------------------------------------------------

finding <- function(name, severity, since, evidence, advice) {
  data.frame(finding = name, severity = severity, since = as.integer(since), evidence = evidence, advice = advice)
}

find_all <- function(train, validation, metrics) {
  diverged <- find_divergence(train)
  if (!is.null(diverged)) {
    return(diverged)
  }
  if (train$n < 5L) {
    return(finding("too short", "hint", NA, sprintf("%d epoch%s", train$n, if (train$n == 1L) "" else "s"),
                   "Train for more epochs: curves of fewer than five tell little."))
  }
  rough <- find_oscillation(train)
  overfit <- if (!is.null(validation)) find_overfitting(train, validation)
  slow <- if (is.null(rough) && is.null(overfit)) find_slowness(train, validation)
  under <- if (is.null(rough) && is.null(slow)) find_underfitting(train, validation, metrics)
  jumpy <- if (!is.null(validation) && is.null(rough)) find_jumps(train, validation)
  found <- rbind(rough, overfit, slow, under, jumpy)
  if (is.null(found)) found <- find_health(train, validation)
  found
}

share_text <- function(share) sprintf("%.0f %%", 100 * share)

scale_of <- function(v) max(abs(v), .Machine$double.eps)

find_divergence <- function(train) {
  advice <- "Lower the learning rate, say to a tenth (lr_finder() tells where it is safe), scale the inputs, or clip gradients (clipnorm = 1)."
  if (length(train$broken)) {
    return(finding("diverged", "problem", train$broken[1L], sprintf("the loss is not finite in epoch %d", train$broken[1L]), advice))
  }
  if (train$n < 2L) {
    return(NULL)
  }
  late <- mean(utils::tail(train$value, max(1L, train$n %/% 5L)))
  if (late > train$first + 0.2 * scale_of(train$first) && late > train$first + 3 * train$noise) {
    return(finding("diverged", "problem", train$lowest_at,
                   sprintf("the training loss rose from %s to %s", format_metric(train$first), format_metric(late)), advice))
  }
}

# The first values show the fall, not the noise; so the spread in the second half counts.
find_oscillation <- function(train) {
  limits <- diagnosis_limits
  if (train$n < 8L) {
    return(NULL)
  }
  fall <- max(train$trend) - min(train$trend) # single jumps aside
  level <- scale_of(stats::median(utils::tail(train$value, ceiling(train$n / 2))))
  advice <- "Lower the learning rate by a factor of 3 to 10, let it decay (learning_rate_schedule_*()), or take larger batches."
  if (train$noise >= limits$rough * fall && train$noise >= limits$rough_level * level) {
    return(finding(
      "oscillates", "problem", NA,
      sprintf("from epoch to epoch the training loss jumps by about %s, %s of its level and %s of all that it has fallen",
              format_metric(train$noise), share_text(train$noise / level), share_text(train$noise / max(fall, .Machine$double.eps))),
      advice
    ))
  }
  jumps <- diff(train$value)
  spikes <- which(jumps > limits$spike * abs(train$value[-train$n]) & jumps > limits$spike_fall * fall)
  if (length(spikes) >= 2L) {
    at <- spikes[which.max(jumps[spikes] / abs(train$value[spikes]))]
    return(finding(
      "oscillates", "problem", train$epoch[spikes[1L] + 1L],
      sprintf("in %d epochs the training loss jumped up by half and more, as from %s to %s in epoch %d", length(spikes),
              format_metric(train$value[at]), format_metric(train$value[at + 1L]), train$epoch[at + 1L]),
      advice
    ))
  }
  again <- rise_after_lowest(train)
  if (again$rise >= limits$again * scale_of(train$lowest) && again$rise >= limits$again_fall * fall &&
      again$rise >= limits$rise_noise * again$error) {
    finding("oscillates", "problem", train$lowest_at,
            sprintf("since epoch %d the training loss has risen again, from %s to %s", train$lowest_at,
                    format_metric(again$early), format_metric(again$late)), advice)
  }
}

# How far the end of a curve lies above its lowest point: list(early, late, rise, error), error the standard error of rise.
rise_after_lowest <- function(curve) {
  n <- curve$n
  at <- which.min(curve$trend)
  after <- n - at
  if (after < 2L) {
    return(list(early = curve$last, late = curve$last, rise = 0, error = 0))
  }
  k <- min(after, max(3L, n %/% 7L))
  early <- mean(curve$value[max(1L, at - k %/% 2L):min(n, at + k %/% 2L)])
  late <- mean(utils::tail(curve$value, k))
  list(early = early, late = late, rise = late - early, error = curve$noise * sqrt(2 / k))
}

find_overfitting <- function(train, validation) {
  limits <- diagnosis_limits
  at <- which.min(validation$trend)
  again <- rise_after_lowest(validation)
  went_on <- train$trend[match(validation$epoch[at], train$epoch)] - train$last
  if (validation$n < 6L || again$rise <= 0 || again$rise < limits$rise * scale_of(again$early) ||
      again$rise < limits$rise_noise * again$error || !isTRUE(went_on > 0)) {
    return(NULL)
  }
  finding(
    "overfits", "problem", validation$epoch[at],
    sprintf("since epoch %d the validation loss rose from %s to %s (%s), while the training loss fell to %s", validation$epoch[at],
            format_metric(again$early), format_metric(again$late), share_text(again$rise / scale_of(again$early)),
            format_metric(train$last)),
    paste("Stop there: callback_early_stopping(patience = 10, restore_best_weights = TRUE). Or make it harder to learn by heart:",
          "a smaller network, layer_dropout(), regularizer_l2(), more data.")
  )
}

# Falling steadily still: the curve is nearly straight, or has at least not flattened.
find_slowness <- function(train, validation) {
  limits <- diagnosis_limits
  n <- train$n
  ends <- function(curve) {
    quarter <- max(2L, round(curve$n / 4))
    k <- max(1L, min(3L, curve$n %/% 8L))
    middle <- curve$n - quarter
    level <- function(i) mean(curve$value[max(1L, i - k):min(curve$n, i + k)])
    last <- mean(utils::tail(curve$value, k + 1L))
    list(recent = level(middle) - last, k = k, last = last, quarter = quarter)
  }
  now <- ends(train)
  fall <- train$first - now$last
  error <- train$noise * sqrt(1 / (now$k + 1) + 1 / (2 * now$k + 1))
  steady <- fall > 0 && now$recent > limits$straight * fall && now$recent > 3 * error &&
    now$recent > limits$falling * scale_of(now$last)
  if (!steady || n < 6L) {
    return(NULL)
  }
  finding(
    "slow", "problem", NA,
    sprintf("in the last %d epochs the training loss still fell by %s, %s of its whole fall from %s to %s (a straight line: %s)",
            now$quarter, format_metric(now$recent), share_text(now$recent / fall), format_metric(train$first),
            format_metric(now$last), share_text(now$quarter / (n - 1))),
    "Raise the learning rate by a factor of 3 to 10 (lr_finder() tells how far), or train for more epochs."
  )
}

find_underfitting <- function(train, validation, metrics) {
  fall <- (train$first - train$last) / scale_of(train$first)
  if (fall >= diagnosis_limits$hardly || does_well(metrics)) {
    return(NULL)
  }
  finding(
    "underfits", "problem", NA,
    sprintf("the training loss only fell from %s to %s (%s)%s", format_metric(train$first), format_metric(train$last),
            share_text(max(0, fall)), if (!is.null(validation)) sprintf(", the validation loss is %s", format_metric(validation$last)) else ""),
    paste("Try a larger network (more units, another layer), other activations, scaled inputs, less regularization, another learning",
          "rate; a simple model such as lm() or glm() shows whether there is more in the data.")
  )
}

# A high accuracy or R squared at the end.
does_well <- function(metrics) {
  names <- sub("^val_", "", names(metrics))
  last <- vapply(metrics, function(v) {
    v <- v[is.finite(v)]
    if (length(v)) v[length(v)] else NA_real_
  }, 0)
  good <- (grepl("acc|auc", names) & last >= 0.9) | (grepl("r2", names) & last >= 0.8)
  any(good, na.rm = TRUE)
}

find_jumps <- function(train, validation) {
  limits <- diagnosis_limits
  level <- scale_of(stats::median(utils::tail(validation$value, ceiling(validation$n / 2))))
  share <- validation$noise / level
  if (validation$n < 8L || share < limits$jumpy || validation$noise < limits$jumpier * train$noise) {
    return(NULL)
  }
  finding(
    "unstable validation", "hint", NA,
    sprintf("the validation loss jumps by about %s from epoch to epoch, %s of its level; the training loss by %s", format_metric(validation$noise),
            share_text(share), format_metric(train$noise)),
    "Validate on more samples, or lower the learning rate; do not choose an epoch by a single low value."
  )
}

find_health <- function(train, validation) {
  fall <- (train$first - train$last) / scale_of(train$first)
  finding(
    "healthy", "fine", NA,
    paste0(sprintf("the training loss fell from %s to %s (%s) and has settled", format_metric(train$first), format_metric(train$last), share_text(fall)),
           if (!is.null(validation)) {
             sprintf("; the validation loss ends at %s, its lowest being %s in epoch %d", format_metric(validation$last),
                     format_metric(validation$lowest), validation$lowest_at)
           }),
    if (is.null(validation)) "Validation data would show whether it overfits: fit(validation_split = 0.2)." else "Nothing to change."
  )
}

# ---- printing ------------------------------------------------------------------------------------

#' @rdname diagnose
#' @param x A diagnosis.
#' @export
print.lamina_diagnosis <- function(x, ...) {
  if (!all(c("finding", "severity", "evidence", "advice") %in% names(x)) || is.null(attr(x, "epochs"))) {
    return(NextMethod())
  }
  cat(format(x), sep = "\n")
  invisible(x)
}

finding_titles <- c(
  diverged = "Diverged: the learning rate is too high", oscillates = "Oscillates: the learning rate is too high",
  overfits = "Overfits", slow = "Still falling: the learning rate is low for so few epochs", underfits = "Underfits",
  "unstable validation" = "The validation loss is unstable", healthy = "Healthy", "too short" = "Too short to tell"
)

#' @export
format.lamina_diagnosis <- function(x, ...) {
  epochs <- attr(x, "epochs")
  ends <- function(name, values) if (!is.null(values)) sprintf("%s %s to %s", name, format_metric(values[[1L]]), format_metric(values[[2L]]))
  head <- paste(c(sprintf("%d epoch%s", epochs, if (epochs == 1L) "" else "s"), ends("training loss", attr(x, "train")),
                  ends("validation loss", attr(x, "validation"))), collapse = "; ")
  width <- min(getOption("width"), 100L)
  body <- lapply(seq_len(nrow(x)), function(i) {
    mark <- switch(x$severity[i], problem = cli::col_red(cli::symbol$cross), hint = cli::col_yellow("!"), cli::col_green(cli::symbol$tick))
    title <- finding_titles[[x$finding[i]]]
    if (x$finding[i] == "overfits") title <- sprintf("Overfits since epoch %d", x$since[i])
    c(paste(mark, cli::style_bold(title)), strwrap(capitalized(x$evidence[i]), width, indent = 2L, exdent = 2L),
      arrowed(x$advice[i], width))
  })
  c(head, unlist(body))
}

capitalized <- function(text) paste0(toupper(substr(text, 1L, 1L)), substring(text, 2L), ".")

# Advice, an arrow before its first line.
arrowed <- function(text, width) {
  lines <- strwrap(text, width - 4L)
  paste0(c(paste0("  ", cli::symbol$arrow_right, " "), rep("    ", length(lines) - 1L)), lines)
}
