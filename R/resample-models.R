# The loop of compare_models() and learning_curve(): fits models to rows, reads what they predict, and keeps what
# went wrong.

# A job is list(id, label, rows, sets, seed): the fold, what it is called in messages, rows to train on, a named
# list of sets of rows to predict, and the seed that every model starts from.  Returns a list of runs, one a model
# and job; run_model() says what that is.
# users: functions of the user's in the models, for workers.
run_jobs <- function(models, jobs, task, metrics, event_level, verbose, users = list()) {
  state <- rng_state()
  # fits of our own are silent meanwhile
  old <- options(lamina.verbose = 0)
  now <- function() proc.time()[["elapsed"]]
  started <- now()
  shown_at <- -Inf
  bar <- if (verbose == 1 && can_draw_bar()) new_bar(length(jobs) * length(models))
  on.exit({
    set_rng_state(state)
    options(old)
    if (!is.null(bar)) bar$clear()
  })
  k <- length(models)
  done <- list()
  each <- function(i, run) {
    done[[(i - 1L) %% k + 1L]] <<- run
    if (!is.null(bar) && now() - shown_at >= progress_interval) {
      bar$draw(i, run$label, run$model)
      shown_at <<- now()
    }
    if (verbose == 2 && i %% k == 0L) show_job(done, jobs, i %/% k)
  }
  pairs <- lapply(seq_len(length(jobs) * k), function(i) list(job = jobs[[(i - 1L) %/% k + 1L]], model = models[[(i - 1L) %% k + 1L]]))
  runs <- worker_lapply(pairs, run_pair, state, task, metrics, event_level, users = users, each = each)
  if (verbose == 3) {
    cat(sprintf("%d fits - %s\n", length(runs), format_seconds(now() - started)))
  }
  runs
}

run_pair <- function(pair, state, task, metrics, event_level) {
  from_seed(pair$job$seed, state, run_model(pair$model, pair$job, task, metrics, event_level))
}

show_job <- function(runs, jobs, i) {
  text <- vapply(runs, function(run) {
    sprintf("%s: %s", run$model, if (length(run$errors)) "failed" else format_seconds(run$fit_seconds))
  }, "")
  cat(sprintf("%s (%d/%d) - %s\n", jobs[[i]]$label, i, length(jobs), paste(text, collapse = " - ")))
}

# One model in one job: list(model, fold, label, size, metrics, sets, fit_seconds, errors, warnings), sets holding
# for each set of rows list(values, seconds, missing, n).
run_model <- function(model, job, task, metrics, event_level) {
  inputs <- unique(vapply(metrics, `[[`, "", "input"))
  log <- new.env()
  log$errors <- log$warnings <- list()
  training <- task$data[job$rows, , drop = FALSE]
  fitted <- timed(model$fit(training), "fit", log)
  sets <- lapply(job$sets, function(rows) {
    if (fitted$failed) {
      return(list(values = NULL, seconds = NA_real_, missing = NA_integer_, n = length(rows)))
    }
    newdata <- hide_outcome(task, rows, job$rows)
    predicted <- timed(model$read(fitted$value, newdata, task, inputs), "predict", log)
    if (!is.null(predicted$value$lacking)) {
      log$errors <- c(log$errors, list(list(stage = "prob", condition = predicted$value$lacking)))
    }
    values <- if (!predicted$failed) {
      vapply(metrics, function(metric) {
        value <- timed(metric_value(metric, task$outcome[rows], predicted$value, event_level), "metric", log)$value
        if (is.null(value)) NA_real_ else as.double(value)
      }, 0)
    }
    list(values = values, seconds = predicted$seconds, missing = count_missing(predicted$value), n = length(rows))
  })
  list(model = model$name, fold = job$id, label = job$label, size = length(job$rows), metrics = names(metrics),
       sets = sets, fit_seconds = fitted$seconds, errors = log$errors, warnings = log$warnings)
}

count_missing <- function(predicted) {
  values <- predicted[c("number", "prob", "class")]
  values <- values[lengths(values) > 0L]
  if (length(values)) sum(!stats::complete.cases(values[[1L]])) else NA_integer_
}

# list(value, seconds, failed); errors and warnings go into the log, messages nowhere.
timed <- function(code, stage, log) {
  started <- proc.time()[["elapsed"]]
  failed <- FALSE
  note <- function(kind, condition) {
    log[[kind]] <- c(log[[kind]], list(list(stage = stage, condition = condition)))
  }
  value <- tryCatch(
    withCallingHandlers(
      code,
      warning = function(w) {
        if (!grepl("timedatectl", conditionMessage(w))) note("warnings", w) # R's own search for the time zone, in containers
        tryInvokeRestart("muffleWarning")
      },
      message = function(m) tryInvokeRestart("muffleMessage")
    ),
    error = function(e) {
      note("errors", e)
      failed <<- TRUE
      NULL
    }
  )
  list(value = value, seconds = if (failed) NA_real_ else proc.time()[["elapsed"]] - started, failed = failed)
}

# ---- from runs to tables -------------------------------------------------------------------------

# A row for each run, set and metric, as factors in the order in which they came.
run_values <- function(runs) {
  rows <- lapply(runs, function(run) {
    metrics <- run$metrics
    sets <- Map(function(set, name) {
      data.frame(
        model = run$model, fold = run$fold, size = run$size, set = name, metric = metrics,
        value = if (is.null(set$values)) NA_real_ else unname(set$values), n = set$n - set$missing,
        missing = set$missing, fit_seconds = run$fit_seconds, predict_seconds = set$seconds
      )
    }, run$sets, names(run$sets))
    do.call(rbind, sets)
  })
  table <- do.call(rbind, rows)
  row.names(table) <- NULL
  for (name in c("model", "fold", "metric", "set")) {
    table[[name]] <- factor(table[[name]], unique(table[[name]]))
  }
  table$value[is.nan(table$value)] <- NA_real_
  table
}

run_failures <- function(runs) {
  rows <- lapply(runs, function(run) {
    lapply(run$errors, function(error) {
      tibble::tibble(model = run$model, fold = run$fold, size = run$size, stage = error$stage,
                     message = conditionMessage(error$condition), error = list(error$condition))
    })
  })
  none <- tibble::tibble(model = character(), fold = character(), size = integer(), stage = character(),
                         message = character(), error = list())
  do.call(rbind, c(list(none), unlist(rows, recursive = FALSE)))
}

# One warning a model for each of: failures, warnings of its own, rows that it did not predict.
warn_of_runs <- function(runs, unit = "folds") {
  for (mine in split_runs(runs)) {
    failed <- noted(mine, "errors")
    failed <- failed[failed$stage != "prob", ]
    warn_of(failed, "failed in %s, and has no value there:", "x", "lamina_warning_failed", mine, unit)
    warn_of(noted(mine, "warnings"), "gave warnings in %s:", "!", "lamina_warning_model", mine, unit)
    warn_of_missing(mine)
  }
}

split_runs <- function(runs) {
  name <- vapply(runs, `[[`, "", "model")
  split(runs, factor(name, unique(name)))
}

# What went into the log of runs of one model: fold, stage, message.
noted <- function(runs, what) {
  rows <- lapply(runs, function(run) {
    data.frame(
      fold = rep(run$label, length(run[[what]])), stage = vapply(run[[what]], `[[`, "", "stage"),
      message = vapply(run[[what]], function(one) trimws(conditionMessage(one$condition)), "")
    )
  })
  do.call(rbind, rows)
}

# Equal messages of several folds are one line.
warn_of <- function(noted, what, bullet, class, runs, unit) {
  if (nrow(noted) == 0L) {
    return(invisible())
  }
  affected <- unique(noted$fold)
  lines <- vapply(unique(noted$message), function(message) {
    sprintf("%s: %s", some_of(unique(noted$fold[noted$message == message])), message)
  }, "", USE.NAMES = FALSE)
  more <- if (length(lines) > 5L) c(i = sprintf("and %d others", length(lines) - 5L))
  lines <- stats::setNames(utils::head(lines, 5L), rep_len(bullet, min(5L, length(lines))))
  name <- runs[[1L]]$model
  where <- sprintf("%d of %d %s", length(affected), length(runs), unit)
  warn_lamina(
    c(sprintf("Model `%s` %s", name, sprintf(what, where)), lines, more), class, model = name, folds = affected
  )
}

some_of <- function(names) {
  if (length(names) > 4L) names <- c(names[1:3], sprintf("%d others", length(names) - 3L))
  paste(names, collapse = ", ")
}

warn_of_missing <- function(runs) {
  name <- runs[[1L]]$model
  sets <- unlist(lapply(runs, `[[`, "sets"), recursive = FALSE)
  count <- function(what) sum(vapply(sets, function(set) as.double(set[[what]]), 0), na.rm = TRUE)
  missing <- count("missing")
  if (missing > 0) {
    warn_lamina(
      c(sprintf("Model `%s` gave no prediction for %d of %d rows.", name, missing, count("n")),
        i = "They do not count for it, so it is measured on fewer rows than models that predict them.",
        i = "Where gaps in the data are the reason, na.omit(data) makes all models see the same rows."),
      "lamina_warning_missing", model = name, missing = missing
    )
  }
}
