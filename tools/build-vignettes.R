# Knits every vignette with the installed package, in a temporary folder, two at a time: a warning or an error
# fails it.  Says how many seconds each took; the last line is "N passed, N failed, N skipped".
#
#     Rscript tools/build-vignettes.R [--keep=FOLDER] [names, or parts of them]
#
# --keep leaves the pages in FOLDER.

processes <- 2
args <- commandArgs(TRUE)

# In a process of its own, started below: warnings are errors here, and an error ends it.
if (identical(args[1], "--knit")) {
  options(warn = 2)
  page <- rmarkdown::render(args[2], quiet = TRUE, envir = new.env(parent = globalenv()))
  lines <- readLines(page, warn = FALSE)
  bad <- grep("^(#&gt;|##) Warning|(src|href)=\"https?://[^\"]*[.](js|css)|(src)=\"https?:", lines, value = TRUE)
  if (length(bad) > 0) {
    stop("a warning, or something to be fetched, is on the page: ", paste(substr(bad, 1, 200), collapse = "\n"))
  }
  times <- proc.time()
  cat(sprintf("\n%.1f %.1f\n", sum(times[c("user.self", "sys.self", "user.child", "sys.child")], na.rm = TRUE), times[["elapsed"]]))
  quit(status = 0)
}

keep <- sub("^--keep=", "", grep("^--keep=", args, value = TRUE))
wanted <- grep("^--keep=", args, value = TRUE, invert = TRUE)
sources <- list.files("vignettes", "[.]Rmd$")
if (length(wanted) > 0) {
  sources <- sources[Reduce(`|`, lapply(wanted, grepl, x = sources, fixed = TRUE))]
}

finish <- function(passed, failed, skipped) {
  cat(sprintf("%d passed, %d failed, %d skipped\n", passed, failed, skipped))
  quit(status = as.integer(failed > 0))
}

needed <- c("lamina", "knitr", "rmarkdown", "processx")
absent <- needed[!vapply(needed, requireNamespace, NA, quietly = TRUE)]
if (length(absent) == 0 && !rmarkdown::pandoc_available()) {
  absent <- "pandoc"
}
if (length(absent) > 0) {
  cat("skipped, for want of", paste(absent, collapse = ", "), "\n")
  finish(0L, 0L, length(sources))
}

folder <- if (length(keep) > 0) keep else tempfile("vignettes-")
dir.create(folder, recursive = TRUE, showWarnings = FALSE)
invisible(file.copy(list.files("vignettes", full.names = TRUE), folder, recursive = TRUE, overwrite = TRUE))
script <- normalizePath(file.path("tools", "build-vignettes.R"))

start <- function(source) {
  log <- tempfile()
  process <- processx::process$new(
    file.path(R.home("bin"), "Rscript"), c(script, "--knit", source), wd = folder, stdout = log, stderr = "2>&1",
    # One thread each, since they share the cores; a time zone, which R would ask the system for.
    env = c("current", LAMINA_THREADS = "1", TZ = Sys.getenv("TZ", "UTC"))
  )
  list(source = source, process = process, log = log)
}

report <- function(job) {
  lines <- readLines(job$log, warn = FALSE)
  ok <- identical(job$process$get_exit_status(), 0L)
  if (ok) {
    times <- strsplit(utils::tail(lines, 1), " ", fixed = TRUE)[[1]]
    cat(sprintf("%s: %s s of processor time, %s s in all\n", job$source, times[1], times[2]))
  } else {
    cat(sprintf("%s: failed\n", job$source), paste0("    ", utils::tail(lines, 30), "\n"), sep = "")
  }
  ok
}

waiting <- sources
running <- list()
passed <- 0L
while (length(waiting) > 0 || length(running) > 0) {
  while (length(waiting) > 0 && length(running) < processes) {
    running <- c(running, list(start(waiting[1])))
    waiting <- waiting[-1]
  }
  running[[1]]$process$wait(200)
  ended <- !vapply(running, function(job) job$process$is_alive(), NA)
  for (job in running[ended]) passed <- passed + report(job)
  running <- running[!ended]
}
if (length(keep) == 0) unlink(folder, recursive = TRUE)
finish(as.integer(passed), length(sources) - as.integer(passed), 0L)
