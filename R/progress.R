# What fit(), evaluate() and predict() show while they work.

# `verbose` as a number: 0 nothing, 1 a bar, 2 one line per epoch, 3 one line per call.
#
# "auto" is what options(lamina.verbose) says, else options(keras.verbose), else 0 when `silent`
# (predict() and evaluate()) and under testthat, 3 while knitr knits, 1 at a console or terminal,
# 2 where the output goes to a file.
resolve_verbose <- function(verbose = "auto", silent = FALSE, call = rlang::caller_env()) {
  if (identical(verbose, "auto")) {
    verbose <- getOption("lamina.verbose", getOption("keras.verbose", "auto"))
  }
  if (identical(verbose, "auto")) {
    return(if (silent) 0 else auto_verbose())
  }
  if (is.logical(verbose)) {
    verbose <- as.numeric(check_flag(verbose, arg = "verbose", call = call))
  }
  if (!is.numeric(verbose) || length(verbose) != 1L || !verbose %in% 0:3) {
    abort_argument("verbose", "\"auto\", 0, 1, 2 or 3", describe(verbose), call = call)
  }
  as.numeric(verbose)
}

auto_verbose <- function() {
  if (identical(Sys.getenv("TESTTHAT"), "true")) {
    0
  } else if (isTRUE(getOption("knitr.in.progress"))) {
    3
  } else if (interactive() || isatty(stdout())) {
    1
  } else {
    2
  }
}

# Whether a bar can be drawn and taken away again.  What knitr and others catch is a document, where each of its steps
# would stay, even though a terminal stands behind them.
can_draw_bar <- function() {
  cli::is_dynamic_tty() && !isTRUE(getOption("knitr.in.progress")) && sink.number() == 0
}

progress_interval <- 0.2 # seconds between two updates at least: five a second

# An object with epoch_begin(epoch), update(batch, logs), epoch_end(epoch, logs, seconds) and
# finish(history).  Lines go to standard output, the bar to the terminal.  With verbose = 1 epochs
# that end faster than five a second share a line: the last of them, and always the last of all.  `label(epoch)` stands
# before line and bar.
new_progress <- function(verbose, epochs, steps, initial_epoch = 1, label = function(epoch) epoch_label(epoch, epochs)) {
  now <- function() proc.time()[["elapsed"]]
  started <- now()
  shown_at <- -Inf
  waiting <- NULL
  bar <- if (verbose == 1 && can_draw_bar()) new_bar(steps)
  epoch_now <- initial_epoch

  show_line <- function(line) {
    if (!is.null(bar)) {
      bar$clear()
    }
    cat(line, "\n", sep = "")
    waiting <<- NULL
    shown_at <<- now()
  }

  list(
    epoch_begin = function(epoch) {
      epoch_now <<- epoch
    },
    update = function(batch, logs) {
      if (!is.null(bar) && now() - shown_at >= progress_interval) {
        bar$draw(batch, label(epoch_now), format_logs(logs))
        shown_at <<- now()
      }
    },
    epoch_end = function(epoch, logs, seconds) {
      if (verbose != 1 && verbose != 2) {
        return(invisible())
      }
      line <- function() {
        paste(c(label(epoch), format_logs(logs), format_seconds(seconds)),
              collapse = " - ")
      }
      if (verbose == 2 || epoch == epochs || now() - shown_at >= progress_interval) {
        show_line(line())
      } else {
        waiting <<- line
      }
    },
    finish = function(history) {
      if (!is.null(waiting)) {
        show_line(waiting())
      }
      if (!is.null(bar)) {
        bar$clear()
      }
      if (verbose == 3 && length(history_epochs(history)) > 0) {
        cat(history_line(history, epochs, now() - started), "\n", sep = "")
      }
    }
  )
}

# "Epoch 3/30"
epoch_label <- function(epoch, epochs) sprintf("Epoch %d/%d", as.integer(epoch), as.integer(epochs))

# One line about a whole fit: "7 of 30 epochs - loss: 0.4312 - val_loss: 0.4712 - 1.3 s".
history_line <- function(history, epochs, seconds) {
  run <- history_epochs(history)
  done <- if (length(run) && run[length(run)] < epochs) {
    sprintf("%d of %d epochs", length(run), as.integer(epochs))
  } else {
    sprintf("%d epoch%s", length(run), if (length(run) == 1L) "" else "s")
  }
  paste(c(done, format_logs(last_values(history)), format_seconds(seconds)), collapse = " - ")
}

# "loss: 0.6131 - accuracy: 0.7012"; NULL for nothing.
format_logs <- function(logs) {
  logs <- logs[!vapply(logs, function(v) is.na(v) && !is.nan(v), NA)]
  if (length(logs)) {
    paste0(names(logs), ": ", vapply(logs, format_metric, ""), collapse = " - ")
  }
}

# Four decimals as Keras shows them; very small and very large values with an exponent.
format_metric <- function(value) {
  size <- abs(value)
  if (is.finite(size) && size > 0 && (size < 1e-3 || size >= 1e6)) {
    sprintf("%.4e", value)
  } else {
    sprintf("%.4f", value)
  }
}

format_seconds <- function(seconds) {
  if (seconds < 0.9995) {
    sprintf("%.0f ms", 1000 * seconds)
  } else if (seconds < 59.95) {
    sprintf("%.1f s", seconds)
  } else {
    sprintf("%d min %d s", as.integer(round(seconds)) %/% 60L, as.integer(round(seconds)) %% 60L)
  }
}

bar_format <- paste(
  "{cli::pb_extra$label}", "{cli::pb_bar}", "{cli::pb_current}/{cli::pb_total}",
  "{cli::pb_extra$values}"
)

# A bar on the terminal, made when it is first drawn and gone after clear().
new_bar <- function(steps) {
  id <- NULL
  owner <- new.env()
  make <- function(extra) {
    old <- options(cli.progress_show_after = 0)
    on.exit(options(old))
    cli::cli_progress_bar(format = bar_format, total = if (is.null(steps)) NA else steps,
                          extra = extra, clear = TRUE, auto_terminate = FALSE,
                          .auto_close = FALSE, .envir = owner)
  }
  list(
    draw = function(batch, label, values) {
      extra <- list(label = label, values = if (is.null(values)) "" else values)
      if (is.null(id)) {
        id <<- make(extra)
      }
      cli::cli_progress_update(set = batch, extra = extra, id = id, force = TRUE, .envir = owner)
    },
    clear = function() {
      if (!is.null(id)) {
        cli::cli_progress_done(id = id, .envir = owner)
        id <<- NULL
      }
    }
  )
}
