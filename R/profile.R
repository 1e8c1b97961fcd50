# Where the time of a training goes.  The core keeps the accounts (src/nn/profile.h); here a copy of the
# model is trained by fit()'s own loop, and what the accounts leave of the time that passed is R's.

#' Profile a training
#'
#' Trains a copy of a model for a while and tells where the time went: in each layer on the way forward and
#' back, and outside layers. The model and R's random numbers are left as they were. The copy goes through the
#' very steps of [fit()][fit.lamina_model]: with the same seed it ends with the same weights, to the last bit.
#'
#' @param model A compiled model.
#' @param x,y,batch_size,shuffle,class_weight,sample_weight,steps_per_epoch As for [fit()][fit.lamina_model].
#' @param ... Not used: unknown arguments are refused.
#' @param epochs,seconds How long to train: so many epochs, or about so many seconds, whichever ends first.
#'   Where one is `NULL` only the other counts; without both, 2 seconds.
#'
#' @section Columns:
#' A row for each layer and phase, then one for each phase outside layers:
#'
#' * `layer`, `type`: the layer's name and class; `NA` outside layers.
#' * `phase`: `prepare` (once a batch weights are brought into the form that passes want), `forward`, `backward`;
#'   outside layers `data` (gathering the batch, or waiting for it where `x` is a dataset or a function),
#'   `loss` (with its gradient; all of a loss that is an R function), `update` (penalties on weights and the optimizer's
#'   step), `metrics`, and `rest`: R between slices of about 50 ms, the end of epochs, putting weights by.
#' * `seconds`: time by the clock, in seconds. All rows add up to the time that the training took.
#' * `share`: part of that time, from 0 to 1.
#' * `calls`: how often the phase ran: once a batch, or once for each part of a batch where a few samples at a
#'   time go through several layers. 0: not at all, as in a rectifier that the layer before it does along the way, or
#'   on the way back below the lowest trained layer.
#' * `multiply_adds`: multiplications with an addition in the products of the layer, as the formulas write them
#'   down: all positions of the output times all weights of a filter in a convolution, those on the padding
#'   included; all steps of a sequence, masked or not; all inputs, be they zeros of a sparse matrix or not. The
#'   way back counts as many for the gradients of the weights, and as many again for those of the inputs, each where
#'   they are needed. 0 in layers without products; `NA` outside layers.
#' * `gflops`: billions of floating-point operations a second that this makes, a multiply-add being two. `NA` where there
#'   are none.
#' * `peak_share`: `gflops` as part of the peak of the machine, from 0.
#'
#' @section The peak:
#' What the processor could do is measured after the training, in about 50 ms: multiply-adds on numbers in
#' registers, with the same threads and the same vector instructions. The best run counts, of all profiles of
#' the session. No product gets beyond it. Yet `peak_share` may exceed 1: the rates are effective ones, for 3x3 convolutions
#' with many channels go through Winograd's algorithm, which multiplies less often than is counted, down
#' to a quarter, and a sparse matrix is not multiplied with its zeros. On the other hand the time of a layer holds all that
#' it does, its activation too.
#'
#' @section What is measured:
#' The clock is read at the end of each piece of work, which takes some 25 ns: in a step of two
#' microseconds that adds up to a sixth. Where parts of a batch go through several layers on several threads at once, the
#' time that passes meanwhile is shared out among these layers as they took of the threads' time. Not counted is what
#' [fit()][fit.lamina_model] does before its first batch: checking and converting the data, preparing texts.
#' Callbacks and validation are no part of a profile. Where `x` is a function that gives batches, it is called, and
#' has moved on afterwards.
#'
#' @return A tibble of class `lamina_profile` with the columns above. `print()` shows a row for each layer, times a
#'   step; `summary()` gives these rows as a tibble; `as.data.frame()` all rows as a plain data frame; for `plot()` see
#'   [plot.lamina_profile()].
#' @section Errors:
#' A model that is not compiled raises `lamina_error_state`, wrong arguments `lamina_error_argument`. Data that do not
#' fit the model, and a loss that is not finite, raise what [fit()][fit.lamina_model] raises.
#' @seealso [print()][print.lamina_profile] and [plot()][plot.lamina_profile] of a profile.
#' @family model verbs
#' @examples
#' set.seed(1)
#' x <- array(runif(200 * 16 * 16), c(200, 16, 16, 1))
#' y <- rep(0:1, 100)
#' model <- keras_model_sequential(input_shape = c(16, 16, 1)) |>
#'   layer_conv_2d(8, 3, activation = "relu") |>
#'   layer_max_pooling_2d() |>
#'   layer_flatten() |>
#'   layer_dense(2, activation = "softmax")
#' model |> compile(optimizer = "adam", loss = "sparse_categorical_crossentropy")
#' found <- profile_fit(model, x, y, seconds = 0.5)
#' found
#' summary(found)[c("part", "multiply_adds", "gflops")]
#' @export
profile_fit <- function(model, x = NULL, y = NULL, ..., batch_size = NULL, epochs = NULL, seconds = NULL,
                        shuffle = TRUE, class_weight = NULL, sample_weight = NULL, steps_per_epoch = NULL) {
  check_model(model, arg = "model")
  check_no_dots(list(...))
  require_compiled(model)
  call <- rlang::current_env()
  epochs <- check_count(epochs, allow_null = TRUE)
  seconds <- check_number(seconds, 0, allow_null = TRUE)
  settings <- list(
    batch_size = resolve_batch_size(model, batch_size),
    epochs = if (is.null(epochs)) 1e9 else epochs,
    seconds = if (is.null(seconds)) if (is.null(epochs)) 2 else Inf else seconds,
    initial_epoch = 1, shuffle = check_flag(shuffle), steps = check_count(steps_per_epoch, allow_null = TRUE),
    validation_freq = 1, verbose = 0
  )
  weights <- list(class_weight = class_weight, sample_weight = sample_weight)
  if (is_dataset(x)) {
    check_batches_alone(x, batch_size = batch_size)
  }
  keeping_rng({
    twin <- twin_model(model)
    record <- train_profiled(twin, x, y, settings, weights, call)
    new_profile(twin, record, settings)
  })
}

# A model like `model` in all respects, which can be trained without it.
twin_model <- function(model) {
  twin <- list2env(as.list.environment(model, all.names = TRUE), parent = emptyenv())
  class(twin) <- class(model)
  copy <- function(layer) copy_layer(layer, values = TRUE)
  stack <- lapply(model_layers(model), copy)
  front <- if (!is.null(.subset2(model, "front"))) copy(.subset2(model, "front"))
  set_owner(c(front_list(front), stack), twin)
  ptr <- .subset2(model, "ptr")
  if (.Call(ffi_net_alive, ptr)) { # a callback may ask in the middle of an epoch
    twin$state <- .Call(ffi_net_state, ptr)
  }
  list2env(list(stack = stack, front = front, ptr = NULL), twin)
  if (!is.null(twin$state)) {
    net_ptr(twin)
    twin$resume <- model$resume
  }
  twin
}

front_list <- function(front) if (is.null(front)) list() else list(front)

# What fit() does, with the clock running; the accounts.
train_profiled <- function(twin, x, y, settings, weights, call) {
  feed <- if (gives_batches(x)) {
    check_batches_alone(x, y = y, sample_weight = weights$sample_weight, call = call)
    batch_feed(twin, x, settings, 0, weights$class_weight, NULL, call)
  } else {
    array_feed(twin, x, y, 0, weights$class_weight, weights$sample_weight, call)
  }
  feed <- with_loops(twin, feed, settings, call)
  feed <- timed_in_r(twin, feed)
  .Call(ffi_profile_start, feed$loop)
  suppressMessages(
    train(twin, feed, settings, list(), progress = stop_after(twin, settings$seconds)),
    classes = "lamina_message_continue"
  )
  .Call(ffi_profile_read, feed$loop)
}

profile_phases <- c("prepare", "forward", "backward")
profile_stages <- c("data", "loss", "update", "metrics", "rest")

# What R does for a batch goes on the account of its stage.
timed_in_r <- function(twin, feed) {
  timed <- function(fn, stage) {
    force(fn)
    stage <- match(stage, profile_stages) - 1
    function(...) {
      .Call(ffi_profile_mark, feed$loop, NULL)
      value <- fn(...)
      .Call(ffi_profile_mark, feed$loop, stage)
      value
    }
  }
  twin$compiled$own_metrics <- lapply(twin$compiled$own_metrics, timed, "metrics")
  if (!is.null(feed$next_batch)) {
    feed$next_batch <- timed(feed$next_batch, "data")
  }
  feed
}

# A progress that shows nothing and ends the training when its time is over.
stop_after <- function(model, seconds) {
  until <- proc.time()[["elapsed"]] + seconds
  nothing <- function(...) NULL
  list(epoch_begin = nothing, epoch_end = nothing, finish = nothing, update = function(...) {
    if (proc.time()[["elapsed"]] >= until) {
      model$stop_training <- TRUE
    }
  })
}

# Runs code and puts R's random numbers back to where they were.
keeping_rng <- function(code) {
  workspace <- globalenv()
  state <- workspace$.Random.seed
  on.exit(if (is.null(state)) {
    suppressWarnings(rm(".Random.seed", envir = workspace))
  } else {
    set_rng_state(state)
  })
  code
}

new_profile <- function(twin, record, settings) {
  layers <- lapply(model_layers(twin), layer_self)
  peak <- machine_peak()
  n <- length(layers)
  stages <- stats::setNames(record$stages, profile_stages)
  stages[["rest"]] <- record$passed - sum(record$seconds) - sum(stages[names(stages) != "rest"])
  by_layer <- function(x) as.vector(t(x))
  seconds <- c(by_layer(record$seconds), stages)
  work <- c(by_layer(record$work), rep(NA_real_, length(stages)))
  gflops <- ifelse(work > 0 & seconds > 0, 2e-9 * work / seconds, NA_real_)
  in_layers <- function(field) c(rep(vapply(layers, `[[`, "", field), each = 3L), rep(NA_character_, length(stages)))
  profile <- tibble::new_tibble(
    list(
      layer = in_layers("name"), type = in_layers("class"),
      phase = factor(c(rep(profile_phases, n), profile_stages), c(profile_phases, profile_stages)),
      seconds = unname(seconds), share = unname(seconds / record$passed),
      calls = c(by_layer(record$calls), rep(record$counts[1L], length(stages))),
      multiply_adds = work, gflops = unname(gflops), peak_share = unname(gflops / peak$gflops)
    ),
    nrow = 3L * n + length(stages), class = "lamina_profile"
  )
  attr(profile, "about") <- list(
    model = twin$name, steps = record$counts[1L], samples = record$counts[2L], seconds = record$passed,
    threads = peak$threads, tier = peak$tier, peak = peak$gflops
  )
  profile
}

peaks <- new.env(parent = emptyenv())

# GFLOP/s: the best that the session has seen with these threads and vector instructions, since a
# neighbour on the machine can only make it less.
machine_peak <- function() {
  measured <- .Call(ffi_peak, 0.05)
  key <- paste(measured$tier, measured$threads)
  peaks[[key]] <- max(peaks[[key]], measured$flops / 1e9)
  list(gflops = peaks[[key]], threads = measured$threads, tier = measured$tier)
}

# ---- tables --------------------------------------------------------------------------------------

#' Print and summarize a profile
#'
#' `print()` shows a row for each layer and for each phase outside layers, with the times of a step (one batch) and the
#' total below; `summary()` gives the rows as a tibble, with the seconds of the whole training.
#'
#' @param x,object A profile, as returned by [profile_fit()].
#' @param order `"layers"`, from the input to the output, or `"time"`: the longest first.
#' @param ... Not used.
#' @return `print()` the profile, invisibly; `summary()` a tibble with the columns `part` (the name of a layer, or the
#'   phase outside layers), `type`, `prepare`, `forward` and `backward` (seconds; `NA` outside layers), `seconds`, `share`,
#'   `multiply_adds`, `gflops` and `peak_share`: see [profile_fit()].
#' @family profiles
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(32, activation = "relu") |>
#'   layer_dense(3)
#' model |> compile(loss = "mse")
#' found <- profile_fit(model, as.matrix(iris[1:4]), matrix(0, 150, 3), epochs = 20)
#' print(found, order = "time")
#' summary(found)
#' @export
print.lamina_profile <- function(x, order = c("layers", "time"), ...) {
  check_no_dots(list(...))
  order <- check_choice(order[1L], c("layers", "time"))
  if (!is_whole_profile(x)) {
    return(NextMethod())
  }
  cat(profile_lines(x, order), sep = "\n")
  invisible(x)
}

# Not one that has lost columns or rows by indexing.
is_whole_profile <- function(x) {
  all(c("layer", "type", "phase", "seconds", "multiply_adds", "calls") %in% names(x)) && !is.null(attr(x, "about")) &&
    nrow(x) %% 3L == length(profile_stages) %% 3L && identical(as.character(utils::tail(x$phase, 5L)), profile_stages)
}

#' @rdname print.lamina_profile
#' @export
summary.lamina_profile <- function(object, order = c("layers", "time"), ...) {
  check_no_dots(list(...))
  order <- check_choice(order[1L], c("layers", "time"))
  about <- attr(object, "about")
  x <- plain_frame(object)
  layers <- seq(1L, length.out = (nrow(x) - length(profile_stages)) %/% 3L, by = 3L)
  inside <- lapply(layers, function(at) profile_row(x[at + 0:2, ], x$layer[at], about))
  outside <- lapply(which(is.na(x$layer)), function(at) profile_row(x[at, ], as.character(x$phase[at]), about))
  rows <- do.call(rbind, c(inside, outside))
  if (order == "time") {
    rows <- rows[order(-rows$seconds), ]
  }
  tibble::as_tibble(rows)
}

profile_row <- function(rows, part, about) {
  phase <- function(name) rows$seconds[match(name, rows$phase)]
  seconds <- sum(rows$seconds)
  work <- sum(rows$multiply_adds)
  gflops <- if (isTRUE(work > 0) && seconds > 0) 2e-9 * work / seconds else NA_real_
  data.frame(
    part = part, type = rows$type[1L], prepare = phase("prepare"), forward = phase("forward"),
    backward = phase("backward"), seconds = seconds, share = seconds / about$seconds, multiply_adds = work,
    gflops = gflops, peak_share = gflops / about$peak
  )
}

#' @export
as.data.frame.lamina_profile <- function(x, ...) plain_frame(x)

profile_title <- function(about) {
  count <- function(n) format(n, big.mark = ",", scientific = FALSE)
  sprintf("%s: %s steps, %s samples in %s s (%s a second), %d thread%s", about$model, count(about$steps), count(about$samples),
          format(signif(about$seconds, 3)), count(round(about$samples / about$seconds)), as.integer(about$threads),
          if (about$threads == 1) "" else "s")
}

# The unit that suits the times of a step: its name and how many make a second.
step_unit <- function(about) {
  if (about$seconds / about$steps >= 1e-3) return(list(name = "ms", each = 1e3))
  list(name = if (cli::is_utf8_output()) "\u00b5s" else "us", each = 1e6)
}

profile_lines <- function(x, order) {
  about <- attr(x, "about")
  rows <- plain_frame(summary(x, order = order))
  total <- about$seconds
  work <- sum(rows$multiply_adds, na.rm = TRUE)
  rate <- if (work > 0) 2e-9 * work / total else NA
  all <- rbind(rows, data.frame(
    part = "total", type = NA, prepare = sum(rows$prepare, na.rm = TRUE), forward = sum(rows$forward, na.rm = TRUE),
    backward = sum(rows$backward, na.rm = TRUE), seconds = total, share = 1, multiply_adds = work, gflops = rate,
    peak_share = rate / about$peak
  ))
  c(
    strwrap(profile_title(about), exdent = 2), "", profile_table(all, about), "",
    strwrap(sprintf("Peak: %s GFLOP/s of multiply-adds on registers (%s).%s", format(round(about$peak)), about$tier,
                    if (any(all$peak_share > 1, na.rm = TRUE)) " Above 100 %: done with fewer multiply-adds than are counted." else ""), exdent = 2)
  )
}

profile_table <- function(rows, about) {
  unit <- step_unit(about)
  step <- unit$each / about$steps
  digits <- max(1, min(3, 2 - floor(log10(rows$seconds[nrow(rows)] * step))))
  time <- function(seconds) ifelse(is.na(seconds) | seconds == 0, "", formatC(seconds * step, digits = digits, format = "f"))
  percent <- function(share) ifelse(is.na(share), "", sprintf("%.1f %%", 100 * share))
  lines <- align_columns(list(
    part = ifelse(is.na(rows$type), rows$part, sprintf("%s (%s)", rows$part, rows$type)),
    prepare = time(rows$prepare), forward = time(rows$forward), backward = time(rows$backward),
    step = time(rows$seconds), share = percent(rows$share),
    "GFLOP/s" = ifelse(is.na(rows$gflops), "", formatC(rows$gflops, digits = 1, format = "f")),
    "of peak" = ifelse(is.na(rows$peak_share), "", sprintf("%.0f %%", 100 * rows$peak_share))
  ), left = 1L)
  lines[1L] <- sub("^part", unit$name, lines[1L])
  c(lines[1L], lines[-c(1L, length(lines))], strrep("-", max(nchar(lines))), lines[length(lines)])
}

# ---- picture -------------------------------------------------------------------------------------

#' Plot a profile
#'
#' A bar for each layer, from the input down to the output, and for each phase outside layers: the time of a step (one
#' batch), its phases in colours, and the share of the whole.
#'
#' @param x A profile, as returned by [profile_fit()].
#' @param order `"layers"`, from the input to the output, or `"time"`: the longest first.
#' @param method `"ggplot2"`, `"base"`, or `"auto"`: ggplot2 where it is installed.
#' @param ... Not used.
#' @return With ggplot2 the plot, which prints when shown; otherwise the profile, invisibly.
#' @family profiles
#' @examples
#' model <- keras_model_sequential(input_shape = 4) |>
#'   layer_dense(32, activation = "relu") |>
#'   layer_dense(3)
#' model |> compile(loss = "mse")
#' found <- profile_fit(model, as.matrix(iris[1:4]), matrix(0, 150, 3), epochs = 20)
#' plot(found, method = "base")
#' @export
plot.lamina_profile <- function(x, order = c("layers", "time"), method = c("auto", "ggplot2", "base"), ...) {
  check_no_dots(list(...))
  order <- check_choice(order[1L], c("layers", "time"))
  method <- drawing_method(method)
  if (!is_whole_profile(x)) {
    abort_argument("x", "a whole profile, as profile_fit() returns it", "one that lacks rows or columns")
  }
  about <- attr(x, "about")
  rows <- plain_frame(summary(x, order = order))
  bars <- profile_bars(rows, about)
  if (method == "ggplot2") {
    return(ggplot_profile(rows, bars, about))
  }
  base_plot_profile(rows, bars, about)
  invisible(x)
}

profile_colours <- c(prepare = "#009E73", forward = "#0072B2", backward = "#D55E00", "outside layers" = "#8C96A0")

# Times of a step: a matrix, kinds of phases x rows.
profile_bars <- function(rows, about) {
  times <- rbind(t(rows[profile_phases]), ifelse(is.na(rows$type), rows$seconds, 0))
  times[is.na(times)] <- 0
  dimnames(times) <- list(names(profile_colours), NULL)
  times * step_unit(about)$each / about$steps
}

profile_axis <- function(about) sprintf("%s a step", step_unit(about)$name)

ggplot_profile <- function(rows, bars, about) {
  place <- factor(seq_len(nrow(rows)), rev(seq_len(nrow(rows)))) # names of parts may come twice
  values <- data.frame(place = rep(place, each = nrow(bars)), phase = factor(row.names(bars), row.names(bars)),
                       time = as.vector(bars))
  ends <- data.frame(place = place, time = colSums(bars), text = sprintf("%.0f %%", 100 * rows$share))
  ggplot2::ggplot(values, ggplot2::aes(.data$time, .data$place)) +
    ggplot2::geom_col(ggplot2::aes(fill = .data$phase), position = ggplot2::position_stack(reverse = TRUE), width = 0.7) +
    ggplot2::geom_text(ggplot2::aes(label = .data$text), ends, hjust = -0.2, size = 3, colour = "grey30") +
    ggplot2::scale_fill_manual(values = profile_colours) +
    ggplot2::scale_x_continuous(expand = ggplot2::expansion(c(0, 0.1))) +
    ggplot2::scale_y_discrete(labels = stats::setNames(rows$part, seq_len(nrow(rows)))) +
    ggplot2::labs(x = profile_axis(about), y = NULL, fill = NULL,
                  title = paste(strwrap(profile_title(about), 10 * device_inches()[1L]), collapse = "\n")) +
    ggplot2::theme_bw() +
    ggplot2::theme(legend.position = "top", legend.justification = "left", panel.grid.minor = ggplot2::element_blank(),
                   panel.grid.major.y = ggplot2::element_blank(), axis.text.y = ggplot2::element_text(size = 11),
                   plot.title = ggplot2::element_text(size = 12))
}

base_plot_profile <- function(rows, bars, about) {
  names <- text_inches(max(nchar(rows$part)), graphics::par("ps")) / graphics::par("csi") + 1
  old <- graphics::par(mar = c(3.2, names, 3.4, 1), mgp = c(2, 0.6, 0))
  on.exit(graphics::par(old))
  last <- rev(seq_len(nrow(rows)))
  ends <- colSums(bars)[last]
  at <- graphics::barplot(bars[, last, drop = FALSE], horiz = TRUE, names.arg = rows$part[last], las = 1, border = NA,
                          col = profile_colours, xlab = profile_axis(about), xlim = c(0, 1.12 * max(ends)))
  graphics::text(ends, at, sprintf("%.0f %%", 100 * rows$share[last]), pos = 4, cex = 0.8, col = "grey30", xpd = NA)
  graphics::title(profile_title(about), adj = 0, font.main = 1, line = 1.9, cex.main = 1)
  graphics::legend(0, graphics::grconvertY(1, "npc", "user"), names(profile_colours), fill = profile_colours, border = NA, bty = "n",
                   horiz = TRUE, xpd = NA, cex = 0.85, yjust = 0.2)
}
