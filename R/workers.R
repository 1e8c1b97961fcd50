# Work shared out among the workers that the user has set up: mirai's daemons, or those of a plan of future's.  lamina
# starts none.

#' Workers for comparisons and intervals
#'
#' [compare_models()], [learning_curve()] and the bootstrap networks of [lamina()] (`times =` and intervals) train many
#' models that need nothing of each other. Where workers have been set up, they share them:
#'
#' * `future::plan(future::multisession, workers = 4)`, on this machine, or `future::plan(future::cluster, workers =
#'   c("node1", "node2"))`, a batch system by future.batchtools, ...;
#' * `mirai::daemons(4)`, or remote ones. Daemons are asked first.
#'
#' Nothing else changes: random numbers are drawn from seeds that are fixed before the work is shared out, so the results
#' are the same for any number of workers, and without.
#'
#' Workers on one machine would fight for its cores: each computes with [lamina_threads()] divided by the number of workers, at
#' least one thread. Those of other machines, of which this session knows little, take one thread, or what the environment
#' variable `LAMINA_THREADS` says there.
#'
#' Functions of one's own among the models reach the workers with the variables of the workspace that they mention, and
#' packages that are attached here are attached there. lamina must be installed there.
#' @name lamina_workers
#' @family distribution
#' @examplesIf requireNamespace("future", quietly = TRUE) && requireNamespace("rsample", quietly = TRUE)
#' \donttest{
#' old <- future::plan(future::multisession, workers = 2)
#' set.seed(1)
#' compare_models(mpg ~ wt + hp, mtcars, list(line = lm, network = lamina), folds = 4)
#' future::plan(old)
#' }
NULL

# list(n, local, run) or NULL where this session works alone.  run(task, arguments) begins task(arguments) on a worker
# and returns a function that waits for the value.
find_workers <- function() {
  n <- daemon_count()
  if (n > 1L) {
    return(list(n = n, local = daemons_are_local(), run = run_in_daemon))
  }
  if (isNamespaceLoaded("future")) {
    n <- future::nbrOfWorkers()
    if (n > 1L) {
      local <- inherits(future::plan("next"), c("multisession", "multicore"))
      return(list(n = if (is.finite(n)) as.integer(n) else 100L, local = local, run = run_in_future))
    }
  }
  NULL
}

daemon_count <- function() {
  if (!isNamespaceLoaded("mirai")) {
    return(0L)
  }
  n <- mirai::status()$connections
  if (is.numeric(n)) as.integer(n) else 0L
}

# Daemons that listen on an address of this machine only.
daemons_are_local <- function() {
  url <- mirai::status()$daemons
  !is.character(url) || any(grepl("^(abstract|ipc|inproc)://", url)) || any(grepl("//(127\\.|localhost)", url))
}

run_in_future <- function(task, arguments) {
  job <- future::future(do.call(task, arguments), globals = list(task = task, arguments = arguments), seed = NULL, lazy = FALSE)
  function() future::value(job)
}

run_in_daemon <- function(task, arguments) {
  job <- mirai::mirai(do.call(task, arguments), .args = list(task = task, arguments = arguments))
  function() {
    value <- mirai::call_mirai(job)$data
    if (mirai::is_error_value(value)) {
      abort_lamina(c("A worker failed.", x = if (is.character(value)) value[1L] else format(value)), "state")
    }
    value
  }
}

# lapply(items, fn, ...), here or on the workers.  users: functions of the user's that fn will call.
# Items go out in several parts a worker, so that none waits long for the last of them.  each(i): item i is done.
worker_lapply <- function(items, fn, ..., users = list(), each = function(i, value) NULL) {
  workers <- if (length(items) > 1L) find_workers()
  if (is.null(workers)) {
    return(lapply(seq_along(items), function(i) {
      value <- fn(items[[i]], ...)
      each(i, value)
      value
    }))
  }
  parts <- split(seq_along(items), cut_evenly(length(items), 4L * workers$n))
  setup <- worker_setup(workers, users)
  jobs <- lapply(parts, function(part) workers$run(work_off, list(items = items[part], fn = fn, rest = list(...), setup = setup)))
  out <- vector("list", length(items))
  for (p in seq_along(parts)) {
    values <- jobs[[p]]()
    out[parts[[p]]] <- values
    for (k in seq_along(values)) each(parts[[p]][k], values[[k]])
  }
  out
}

cut_evenly <- function(n, parts) ceiling(seq_len(n) * min(parts, n) / n)

# What a worker has to know of this session.
worker_setup <- function(workers, users) {
  list(
    threads = if (workers$local) max(1L, lamina_threads() %/% workers$n),
    options = options()[c("contrasts", "na.action", "OutDec", "warn")],
    packages = setdiff(.packages(), c("base", "methods", "datasets", "utils", "grDevices", "graphics", "stats")),
    workspace = workspace_of(users)
  )
}

# On the worker: the items of one part.
work_off <- function(items, fn, rest, setup) {
  threads <- if (!is.null(setup$threads)) setup$threads else if (!nzchar(Sys.getenv("LAMINA_THREADS"))) 1L
  old <- options(c(setup$options, list(lamina.threads = threads, lamina.verbose = 0)))
  here <- globalenv()
  random <- here$.Random.seed
  on.exit({
    options(old)
    here$.Random.seed <- random
  })
  for (package in rev(setup$packages)) {
    suppressPackageStartupMessages(require(package, character.only = TRUE, quietly = TRUE))
  }
  list2env(setup$workspace, here)
  lapply(items, function(item) do.call(fn, c(list(item), rest), quote = TRUE))
}

# The variables of the workspace that functions mention, and those that these mention in turn.
workspace_of <- function(users) {
  here <- globalenv()
  found <- list()
  waiting <- Filter(is.function, unlist(list(users), use.names = FALSE))
  while (length(waiting)) {
    fn <- waiting[[1L]]
    waiting <- waiting[-1L]
    if (is.primitive(fn) || !reaches_workspace(environment(fn))) next
    names <- all.names(as.call(c(quote(`{`), unname(as.list(formals(fn))), body(fn))), unique = TRUE)
    new <- setdiff(intersect(names, ls(here, all.names = TRUE)), names(found))
    found[new] <- mget(new, envir = here)
    waiting <- c(waiting, Filter(is.function, found[new]))
  }
  found
}

# Not those of packages, which a worker has.
reaches_workspace <- function(env) {
  while (!identical(env, emptyenv())) {
    if (identical(env, globalenv())) {
      return(TRUE)
    }
    if (isNamespace(env)) {
      return(FALSE)
    }
    env <- parent.env(env)
  }
  FALSE
}
