# The programs with a collection at every so many allocations within the calls into the compiled code: an object
# that nothing protects is then taken for another, and what comes out is not what comes out without.
#
#     Rscript torture.R STEP [PROGRAM ...]

step <- as.integer(commandArgs(TRUE)[1L])
library(lamina)
options(lamina.verbose = 0, lamina.threads = 1)
space <- asNamespace("lamina")
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "programs.R"))

calls <- 0
now <- 0L
# Only the calls are tortured: R's own code needs no test.
tortured <- function(.NAME, ...) {
  given <- list(...)
  calls <<- calls + 1
  arguments <- c(list(.NAME), given)
  gctorture2(now)
  on.exit(gctorture2(0))
  do.call(base::.Call, arguments, quote = TRUE)
}
source(file.path(here, "interpret.R"))
interpret(tortured)

run <- function(name, step) {
  now <<- step
  set.seed(1)
  program <- programs[[name]]
  environment(program) <- list2env(list(.Call = tortured), parent = environment(program))
  tryCatch(suppressMessages(program()), error = identity)
}

wrong <- character()
chosen <- commandArgs(TRUE)[-1L]
for (name in if (length(chosen)) chosen else names(programs)) {
  plain <- run(name, 0L)
  if (inherits(plain, "error") || !identical(plain, run(name, step))) wrong <- c(wrong, name)
}
cat(calls, "calls\n")
if (length(wrong)) {
  cat("not the same:", wrong, "\n")
  quit(status = 1L)
}
