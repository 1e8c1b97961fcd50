# Training by several processes at once: the ranks of an MPI job, each with a copy of the network.  The core sums what
# they find (src/base/ranks.h); here they agree on what to do.
#
# A crew is the strategy of a job of at least two ranks, or NULL where a process works alone.  What has `crew` for an
# argument is called by all ranks at the same point, or they wait for each other for ever.

#' Train on several processes or machines
#'
#' A script that is started by `mpirun` (or `srun`) runs in several processes, the ranks. With this strategy they train
#' one network together: each step's batch is cut into as many parts as there are ranks, and what they find is summed.
#' The result is that of a single process with the same `batch_size`, up to the rounding of sums.
#'
#' It goes into `fit(distribute = )`, [evaluate()] and [predict()][predict.lamina_model], or once for all into
#' `options(lamina.distribute = )`. The same script then works with and without `mpirun`: a process that was not started
#' by it is alone, and so is a job of one rank.
#'
#' @param data `"whole"`: each rank is given all the data, as a script that reads a file does, and takes its part of each
#'   batch. `"own"`: each rank is given rows that no other has.
#' @param threads Threads of each rank. `NULL`: what `lamina_threads()` was set to, in this session or by the environment
#'   variable `LAMINA_THREADS`; else the cores that `mpirun` bound the rank to, or else those of the machine divided by
#'   the ranks on it.
#' @param x A strategy.
#' @param ... Not used.
#' @return An object of class `lamina_strategy`, a list: `data`, `rank` (from 0), `size` (how many ranks there are),
#'   `local` (how many on this machine), `threads`.
#'
#' @section What is the same as in one process:
#' `batch_size` counts the rows of all ranks. Order of the samples, dropout, noise and initial weights are those of one
#' process: they depend on the seed and on a row's place in the batch. Batch normalization takes its means over the whole
#' batch; losses, gradients and metrics are those of the whole batch. The seed is that of rank 0, whatever
#' the others drew. A job repeated with the same number of ranks gives the same bits.
#'
#' With `data = "own"` each rank shuffles its own rows, and gives to each batch a part in proportion to how many it has.
#' A `validation_split` is taken from each rank's rows. A dataset or a function gives a rank's part of each batch; an
#' epoch ends when the first rank has no more.
#'
#' With `data = "whole"` a dataset (as [image_dataset_from_directory()]) is read by each rank for its part only, and a
#' function must give the same batches everywhere, of which each rank uses its part.
#'
#' @section Who does what:
#' Rank 0 alone shows progress and calls callbacks: it writes checkpoints and logs. What callbacks change (an end of
#' training, the learning rate, weights) it tells the others. Histories are the same on all ranks; what callback
#' objects remember, such as a best epoch, is known to rank 0. Inside a callback `fit()`, `evaluate()` and `predict()`
#' work in rank 0 alone.
#'
#' `fit()`, `evaluate()` and `predict()` must be called by all ranks, in the same order; `distribute = FALSE` is for what
#' one rank does by itself, as in `if (strategy$rank == 0) plot(predict(model, x, distribute = FALSE))`. `predict()`
#' gives all ranks the whole result; with `data = "own"` each that of its rows.
#' [lamina()] and [train_on_batch()] work in each process by itself, and so do models that are stateful or have a loss or
#' metric that is an R function: `fit()` refuses these.
#'
#' @section When a rank fails:
#' An error in one rank that the others do not have ends the whole job with a message, and so does a process that dies:
#' `mpirun` tells which. (`srun` should be given `--kill-on-bad-exit=1`.) A script that saves with
#' [callback_model_checkpoint()] and, when it begins, loads what is there goes on with
#' `initial_epoch`, with any number of ranks.
#'
#' @section Installing with MPI:
#' lamina is installed without MPI unless it is asked for:
#' `R CMD INSTALL --configure-args=--with-mpi lamina_0.1.0.tar.gz`, or with `LAMINA_MPI=1` in the environment. OpenMPI or
#' MPICH must be there, with its compiler `mpicc` (Debian and Ubuntu: libopenmpi-dev and openmpi-bin). Without, this
#' function raises an error of class `lamina_error_ranks`. All ranks must run the same version of lamina.
#' @family distribution
#' @examples
#' if (mpi_available()) {
#'   strategy <- mpi_strategy()
#'   strategy
#' }
#' # train.R, for mpirun -n 4 Rscript train.R:
#' # library(lamina)
#' # options(lamina.distribute = mpi_strategy())
#' # ... as for one process
#' @export
mpi_strategy <- function(data = c("whole", "own"), threads = NULL) {
  data <- check_choice(data[1L], c("whole", "own"), arg = "data")
  threads <- check_count(threads, max = 64, allow_null = TRUE)
  require_mpi(mpi_available())
  place <- if (is_launched()) .Call(ffi_ranks_open) else c(0L, 1L, 1L, 1L)
  self <- list(data = data, rank = place[1L], size = place[2L], local = place[3L], threads = threads)
  if (self$size > 1L) {
    self$threads <- share_threads(threads, self$local, place[4L])
    share_vectors(self)
  } else {
    if (!is.null(threads)) lamina_threads(threads)
    self$threads <- lamina_threads()
  }
  structure(self, class = "lamina_strategy")
}

require_mpi <- function(available, call = rlang::caller_env()) {
  if (!available) {
    abort_lamina(
      c("This lamina was installed without MPI.",
        i = "Install it with R CMD INSTALL --configure-args=--with-mpi, or with LAMINA_MPI=1 in the environment.",
        i = "It takes an MPI with its compiler mpicc; Debian and Ubuntu: libopenmpi-dev and openmpi-bin."),
      "ranks", call = call
    )
  }
}

#' @rdname mpi_strategy
#' @return `mpi_available()`: whether lamina was installed with MPI.
#' @export
mpi_available <- function() !is.null(.Call(ffi_ranks_version))

#' What the ranks sent to each other
#'
#' @param reset Count from here on.
#' @return A list, of this rank: `bytes` sent, counted as a ring of ranks sends them (2 (n - 1) / n of what is summed over
#'   n ranks); `early`, those of them that were there when the backward pass ended, so that they cost no time; `sums`, how
#'   many; `waited`, the seconds that the rank had nothing to do but wait for others.
#' @family distribution
#' @examples
#' if (mpi_available() && mpi_strategy()$size > 1) mpi_traffic()
#' @export
mpi_traffic <- function(reset = FALSE) {
  as.list(stats::setNames(.Call(ffi_ranks_traffic, check_flag(reset)), c("bytes", "early", "sums", "waited")))
}

#' @rdname mpi_strategy
#' @export
format.lamina_strategy <- function(x, ...) {
  if (x$size == 1L) {
    return("<strategy> one process, alone")
  }
  sprintf("<strategy> rank %d of %d, %d on this machine, %d thread%s each, %s", x$rank, x$size, x$local, x$threads,
          if (x$threads == 1L) "" else "s", if (x$data == "whole") "all given the whole data" else "each given data of its own")
}

#' @rdname mpi_strategy
#' @export
print.lamina_strategy <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

# Whether something that starts MPI jobs started this process: MPI, begun without, would make a job of one or hang.
is_launched <- function() {
  any(nzchar(Sys.getenv(c("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMI_RANK", "PMIX_RANK", "MPI_LOCALNRANKS"))))
}

# Ranks on one machine share its cores, unless they are bound to some.
share_threads <- function(threads, local, cores) {
  chosen <- getOption("lamina.threads", if (nzchar(Sys.getenv("LAMINA_THREADS"))) .Call(ffi_threads))
  if (is.null(threads)) {
    threads <- if (!is.null(chosen)) chosen else cores_of_rank(local, cores)
  }
  lamina_threads(min(threads, 64))
  as.integer(threads)
}

cores_of_rank <- function(local, cores) {
  mine <- lamina_info()$cores
  if (mine < cores) mine else max(1L, mine %/% local)
}

# All compute with the vector unit of the weakest processor: networks that are moved by different code come apart.
share_vectors <- function(crew) {
  tiers <- c("portable", "avx2", "avx512")
  mine <- match(lamina_info()$isa, tiers)
  lowest <- min(crew_gather(crew, mine))
  if (lowest < mine) .Call(ffi_isa, tiers[lowest])
}

# ---- who works together --------------------------------------------------------------------------

crew_state <- new.env()
crew_state$alone <- FALSE # while rank 0 calls callbacks

# The crew of a call, from its argument `distribute`.
find_crew <- function(distribute, call = rlang::caller_env()) {
  if (is.null(distribute) || isFALSE(distribute)) {
    return(NULL)
  }
  if (!inherits(distribute, "lamina_strategy")) {
    abort_argument("distribute", "an mpi_strategy(), FALSE or NULL", describe(distribute), call = call)
  }
  if (distribute$size > 1L && !crew_state$alone) distribute
}

is_first <- function(crew) is.null(crew) || crew$rank == 0L

has_own_data <- function(crew) !is.null(crew) && crew$data == "own"

# What is said once is enough.
said_once <- function(crew, code) {
  if (is_first(crew)) {
    return(code)
  }
  suppressWarnings(suppressMessages(code, classes = "lamina_message"), classes = "lamina_warning")
}

# ---- telling each other --------------------------------------------------------------------------

crew_sum <- function(crew, x) if (is.null(crew)) x else .Call(ffi_ranks_sum, as.double(x))

# One number from each rank.
crew_gather <- function(crew, x) {
  mine <- numeric(crew$size)
  mine[crew$rank + 1L] <- x
  crew_sum(crew, mine)
}

# Samples of all ranks.
crew_total <- function(crew, n) if (has_own_data(crew)) crew_sum(crew, n) else n

# Any R value, from one rank to all.
crew_send <- function(crew, value, from = 0) {
  bytes <- if (crew$rank == from) serialize(value, NULL, xdr = FALSE)
  unserialize(.Call(ffi_ranks_send, from, bytes))
}

# Whether all ranks have the same numbers as rank 0.
crew_agrees <- function(crew, x) {
  first <- crew_send(crew, x)
  crew_sum(crew, !identical(first, x)) == 0
}

# An error that all ranks raise together: nobody waits for anybody.
abort_together <- function(message, call) abort_lamina(message, "ranks", call = call)

# Runs what all ranks do together.  An error that the others do not know of would leave them waiting for this one.
together <- function(crew, code) {
  if (is.null(crew)) {
    return(code)
  }
  withCallingHandlers(code, error = function(e) {
    if (!inherits(e, c("lamina_error_numeric", "lamina_error_ranks"))) {
      message("Error: ", conditionMessage(e))
      .Call(ffi_ranks_abort, "stopped in the middle of what the ranks do together")
    }
  })
}

# ---- what fit() needs ----------------------------------------------------------------------------

check_crew <- function(crew, model, batch_size, class_weight = NULL, call = rlang::caller_env()) {
  if (is.null(crew)) {
    return(invisible())
  }
  refuse <- function(what) {
    abort_argument("distribute", sprintf("FALSE for a model %s", what), describe(crew), call = call)
  }
  if (!is.null(model$state_batch)) refuse("that is stateful")
  if (!is.null(model$compiled$own_loss)) refuse("whose loss is an R function: it would see one rank's rows only")
  if (length(model$compiled$own_metrics)) refuse("with metrics that are R functions: they would see one rank's rows only")
  if (has_own_data(crew) && batch_size < crew$size) {
    abort_argument("batch_size", sprintf("at least the number of ranks, %d", crew$size), describe(batch_size), call = call)
  }
  if (has_own_data(crew) && identical(class_weight, "balanced")) {
    abort_argument("class_weight", "numbers where each rank has data of its own", "\"balanced\"", call = call)
  }
}

# The loops of a feed join those of the other ranks; before that they make sure that all are about to do the same.
join_loops <- function(crew, model, feed, settings, call) {
  if (is.null(crew)) {
    return(feed)
  }
  plan <- list(weights = model$info, batch = settings$batch_size, epochs = settings$epochs, names = log_names(model, feed),
               compiled = model$compiled[c("optimizer", "loss", "sum_loss")], decoder = feed$decoder)
  if (!crew_agrees(crew, rlang::hash(plan))) {
    abort_together(c("The ranks are about to train different models, or in different ways.",
                     i = "All must run the same script; what differs may come from random numbers or from a rank's own data."), call)
  }
  join_loop(crew, feed$loop, feed, settings$batch_size, call)
  if (!is.null(feed$validation_loop)) join_loop(crew, feed$validation_loop, feed$validation, settings$validation_batch, call)
  feed
}

join_loop <- function(crew, loop, part, batch, call) {
  if (is.null(crew)) {
    return(invisible())
  }
  in_batches <- !is.null(part$next_batch)
  if (!in_batches && !has_own_data(crew) && !crew_agrees(crew, .Call(ffi_data_print, part$data))) {
    abort_together(c("The ranks were given different data.",
                     i = "set.seed() before data are drawn makes them the same; mpi_strategy(data = \"own\") is for ranks with rows of their own."), call)
  }
  .Call(ffi_loop_join, loop, if (has_own_data(crew) && !in_batches) crew_gather(crew, part$n), batch)
}

# Everything that decides what comes next, as rank 0 has it.
share_start <- function(crew, model, key) {
  force(key) # it sets the seed
  if (is.null(crew)) {
    return(key)
  }
  ptr <- net_ptr(model)
  start <- crew_send(crew, list(state = .Call(ffi_net_state, ptr), epoch = model$epoch, rate = model_rate(model), key = key))
  if (!is_first(crew)) {
    .Call(ffi_net_restore, ptr, start$state)
    model$epoch <- start$epoch
    if (!identical(start$rate, model_rate(model))) set_model_rate(model, start$rate)
  }
  start$key
}

# A hook on rank 0; the others take over what it decided.
crew_hook <- function(crew, model, callbacks, hook, ...) {
  if (is.null(crew)) {
    return(run_hook(callbacks, hook, ...))
  }
  values <- list(...)
  if (!has_hook(callbacks, hook)) {
    return(invisible(values[[length(values)]]))
  }
  decided <- if (is_first(crew)) decide(model, callbacks, hook, ...)
  decided <- crew_send(crew, decided)
  if (!is_first(crew)) {
    assign("stop_training", decided$stop, envir = model)
    if (!is.null(decided$state)) .Call(ffi_net_restore, net_ptr(model), decided$state)
    if (!is.null(decided$rate)) set_model_rate(model, decided$rate)
  }
  invisible(decided$logs)
}

decide <- function(model, callbacks, hook, ...) {
  print <- .Call(ffi_net_print, net_ptr(model))
  rate <- model_rate(model)
  crew_state$alone <- TRUE
  on.exit(crew_state$alone <- FALSE)
  logs <- run_hook(callbacks, hook, ...)
  ptr <- net_ptr(model)
  list(
    logs = logs, stop = isTRUE(.subset2(model, "stop_training")),
    rate = if (!identical(model_rate(model), rate)) model_rate(model),
    state = if (!identical(.Call(ffi_net_print, ptr), print)) .Call(ffi_net_state, ptr)
  )
}

# After an epoch: are the networks still the same?  Processors of different makes may round differently.
check_copies <- function(crew, model) {
  if (is.null(crew) || crew_agrees(crew, .Call(ffi_net_print, net_ptr(model)))) {
    return(invisible())
  }
  state <- crew_send(crew, .Call(ffi_net_state, net_ptr(model)))
  if (is_first(crew)) {
    warn_lamina(c("The networks of the ranks have come apart; all go on with that of rank 0.",
                  i = "Do the ranks run on processors of different makes, or with different versions of lamina?"), "lamina_warning_ranks")
  } else {
    .Call(ffi_net_restore, net_ptr(model), state)
  }
}

# ---- data that come in batches -------------------------------------------------------------------

# Rows first + 1 .. first + n of `rows` are those of the rank.
crew_part <- function(crew, rows) {
  at <- floor(rows * (crew$rank + 0:1) / crew$size)
  list(first = at[1L], n = at[2L] - at[1L])
}

# A source (batch_source()) whose batches are the rank's parts.  next_batch() gives NULL where a batch is too small to have
# a row for this rank; share() then says c(rows, first, batch) of what it gave last.
crew_source <- function(crew, source, read_part = NULL) {
  if (is.null(crew)) {
    return(source)
  }
  last <- NULL
  source$share <- function() last
  if (has_own_data(crew)) {
    next_own <- source$next_batch
    source$batches <- crew_least(crew, source$batches)
    source$next_batch <- function() {
      batch <- next_own()
      n <- crew_gather(crew, sample_count(batch[[1L]]))
      last <<- c(n[crew$rank + 1L], sum(n[seq_len(crew$rank)]), sum(n))
      batch
    }
    return(source)
  }
  take <- function(rows, read) {
    part <- crew_part(crew, rows)
    last <<- c(part$n, part$first, rows)
    if (part$n > 0) read(part$first + seq_len(part$n))
  }
  next_whole <- source$next_batch
  source$next_batch <- if (is.null(source$next_rows)) {
    function() {
      batch <- next_whole()
      take(sample_count(batch[[1L]]), function(rows) lapply(batch, take_samples, rows))
    }
  } else {
    function() {
      rows <- source$next_rows()
      take(length(rows), function(part) source$read(rows[part]))
    }
  }
  source
}

crew_least <- function(crew, batches) {
  all <- crew_gather(crew, batches)
  if (any(all != all[1L])) {
    inform_lamina(c(i = sprintf("The ranks have %d to %d batches an epoch: it ends after %d.", as.integer(min(all)), as.integer(max(all)), as.integer(min(all)))),
                  "lamina_message_ranks")
  }
  min(all)
}

# ---- predict() -----------------------------------------------------------------------------------

# What predict_rows(rows) gives for each rank's part of n samples, put together for all; NA where a rank met numbers that
# are not finite.  What a rank does meanwhile is its own affair.
predict_together <- function(crew, n, predict_rows) {
  part <- crew_part(crew, n)
  alone <- function(code) {
    crew_state$alone <- TRUE
    on.exit(crew_state$alone <- FALSE)
    code
  }
  mine <- if (part$n > 0) together(crew, alone(predict_rows(part$first + seq_len(part$n))))
  parts <- lapply(seq_len(crew$size) - 1, function(from) crew_send(crew, mine, from))
  parts <- parts[lengths(parts) > 0L]
  if (all(vapply(parts, is.double, NA))) bind_samples(parts) else NA
}
