# Calls every entry of the compiled code with one argument after the other replaced by all kinds of R objects.
#
#     Rscript calls.R FOLDER FROM TO PAIRS SEED
#
# Calls number FROM to TO; TO 0: to the end.  Behind those with one argument replaced come PAIRS calls with two.
# FOLDER/call holds the call at work, so that one that ends the process is known; FOLDER/findings a line for each
# that did what it should not; FOLDER/counts how many there were of what outcome.

arguments <- commandArgs(TRUE)
folder <- arguments[1L]
range <- as.integer(arguments[2:3])
pairs <- as.integer(arguments[4L])
seed <- as.integer(arguments[5L])

library(lamina)
options(lamina.verbose = 0, lamina.threads = 2, warn = -1)
space <- asNamespace("lamina")
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, "programs.R"))

# ---- real calls ----------------------------------------------------------------------------------

entries <- names(getDLLRegisteredRoutines(getLoadedDLLs()[["lamina"]])$.Call)
recorded <- list()
kept_forms <- 3L # of each entry, by the types of its arguments

record <- function(.NAME, ...) {
  given <- list(...)
  form <- paste(c(.NAME$name, vapply(given, typeof, "")), collapse = " ")
  forms <- vapply(recorded, `[[`, "", "form")
  name <- vapply(recorded, `[[`, "", "name")
  if (!form %in% forms && sum(name == .NAME$name) < kept_forms) {
    recorded[[length(recorded) + 1L]] <<- list(name = .NAME$name, form = form, given = given)
  }
  if (.NAME$name != "ffi_release") base::.Call(.NAME, ...) # loops and data are wanted below
}

source(file.path(here, "interpret.R"))
interpret(record)
outcome <- lapply(programs, function(program) {
  tryCatch(suppressMessages({
    environment(program) <- list2env(list(.Call = record), parent = environment(program))
    program()
  }), error = identity)
})
failed <- Filter(function(o) inherits(o, "error"), outcome)
# Entries that take nothing cannot be given anything wrong; those that talk to ranks would start, wait for or end them.
entries <- setdiff(entries, c(paste0("ffi_ranks_", c("open", "abort", "sum", "send", "traffic")), "ffi_loop_join"))
called <- unique(vapply(recorded, `[[`, "", "name"))
missing <- setdiff(entries, called)

# ---- things that no call expects -------------------------------------------------------------------

`%or%` <- function(a, b) if (is.null(a)) b else a
pointer_of <- function(name, at = 1L) {
  for (r in recorded) if (r$name == name) return(r$given[[at]])
}
net <- pointer_of("ffi_net_weights")
loop <- pointer_of("ffi_loop_run")
data <- pointer_of("ffi_data_size")
shapes_only <- base::.Call(space$ffi_net_new, list(list(type = "dense", name = "a", trainable = TRUE, config = list(units = 2))), 3, NULL)
methods::setClass("callsThing", representation(a = "numeric"))
deep <- list()
for (i in 1:5000) deep <- list(deep)
bytes <- "\xff\xfe"
Encoding(bytes) <- "bytes"
with_dim <- function(x, dim) array(x, dim)
odd <- list(
  "NULL" = NULL, "TRUE" = TRUE, "NA" = NA, "logical(0)" = logical(), "c(TRUE, NA)" = c(TRUE, NA),
  "1L" = 1L, "0L" = 0L, "-1L" = -1L, "NA_integer_" = NA_integer_, "integer(0)" = integer(), "1:10" = 1:10, "1:1000" = 1:1000,
  "2147483647L" = .Machine$integer.max,
  "1" = 1, "0" = 0, "-1" = -1, "0.5" = 0.5, "2^31" = 2^31, "2^32" = 2^32, "1e18" = 1e18, "-1e18" = -1e18, "1e300" = 1e300,
  "NaN" = NaN, "Inf" = Inf, "-Inf" = -Inf, "NA_real_" = NA_real_, "numeric(0)" = numeric(), "c(1, 2)" = c(1, 2), "numbers" = as.double(1:30),
  "1i" = 1i, "character(0)" = character(), "NA_character_" = NA_character_, "\"\"" = "", "\"a\"" = "a", "c(\"a\", \"b\")" = c("a", "b"),
  "invalid UTF-8" = "a\xff\xe9", "latin1" = `Encoding<-`("\xe9", "latin1"), "bytes" = bytes, "long string" = strrep("a", 1e5),
  "as.raw(0)" = as.raw(0), "raw(0)" = raw(), "raw(1000)" = raw(1000),
  "list()" = list(), "list(NULL)" = list(NULL), "list(1, \"a\")" = list(1, "a"), "named list" = list(type = "dense", config = list(units = 1e12)),
  "list(type = 1)" = list(type = 1, config = 2), "list of NA names" = stats::setNames(list(1, 2), c(NA, "type")),
  "deep list" = deep, "list of lists" = list(list(list()), list(1)), "four integers" = list(0L, 0L, 0, c(1L, 1L)),
  "bad sparse" = list(c(0L, 5L), c(1L, -1L), NULL, c(2L, 1L)),
  "function" = function(x) x, "builtin" = sum, "environment" = new.env(), "symbol" = quote(a), "call" = quote(a + b), "expression" = expression(a, b),
  "pairlist" = pairlist(a = 1), "formula" = y ~ x, "S4" = methods::new("callsThing", a = 1), "bytecode" = compiler::compile(quote(a + 1)),
  "data frame" = data.frame(a = 1:2), "factor" = factor(c("a", "b")), "date" = as.Date("2020-01-01"),
  "0 x 3" = matrix(numeric(), 0, 3), "3 x 0" = matrix(numeric(), 3, 0), "1 x 1" = matrix(1), "2 x 3 x 4" = with_dim(1, 2:4),
  "rank 6" = with_dim(1, rep(1, 6)), "rank 5" = with_dim(1, rep(1, 5)), "character matrix" = matrix("a"), "list matrix" = matrix(list(1)),
  "NaN matrix" = matrix(NaN, 4, 3), "Inf matrix" = matrix(Inf, 4, 3), "integer matrix" = matrix(1:12, 4), "logical matrix" = matrix(NA, 4, 3),
  "dead pointer" = unserialize(serialize(net, NULL)), "foreign pointer" = space$ffi_info$address,
  "net" = net, "net without weights" = shapes_only, "loop" = loop, "data" = data, "condition" = simpleCondition("a")
)

# ---- calling ---------------------------------------------------------------------------------------

is_net <- function(x) typeof(x) == "externalptr" && isTRUE(tryCatch(base::.Call(space$ffi_net_alive, x), error = function(e) FALSE))
state_of <- function(x) tryCatch(base::.Call(space$ffi_net_state, x), error = function(e) NULL)

counts <- c(value = 0, refused = 0, other = 0)
find <- function(what) cat(sprintf("%s: %s\n", label, what), file = file.path(folder, "findings"), append = TRUE)
label <- ""

try_call <- function(number, name, given) {
  writeLines(sprintf("%d %s", number, label), file.path(folder, "call"))
  nets <- Filter(is_net, given)
  before <- lapply(nets, state_of)
  start <- proc.time()[["elapsed"]]
  out <- tryCatch(do.call(base::.Call, c(list(space[[name]]), given), quote = TRUE), error = identity)
  if (name == "ffi_memory") base::.Call(space$ffi_memory, 0) # no allocation is to fail from here on
  took <- proc.time()[["elapsed"]] - start
  if (took > if (name == "ffi_peak") 61 else 5) find(sprintf("took %.1f s", took))
  if (!inherits(out, "error")) {
    counts[["value"]] <<- counts[["value"]] + 1
  } else if (inherits(out, "lamina_error")) {
    counts[["refused"]] <<- counts[["refused"]] + 1
    if (!identical(before, lapply(nets, state_of))) find("refused, but the network is not as it was")
  } else {
    counts[["other"]] <<- counts[["other"]] + 1
    find(sprintf("an error without a class: %s", conditionMessage(out)))
  }
}

run_calls <- function() {
  number <- 0L
  from <- range[1L]
  to <- if (range[2L] > 0L) range[2L] else .Machine$integer.max
  for (r in recorded) for (at in seq_along(r$given)) for (thing in names(odd)) {
    number <- number + 1L
    if (number < from || number > to) next
    # seconds to be spent
    if (r$name == "ffi_peak" && is.numeric(odd[[thing]]) && isTRUE(odd[[thing]] > 0.6)) next
    # what the calls behind it need
    if (r$name == "ffi_release" && thing %in% c("loop", "data")) next
    given <- r$given
    given[at] <- list(odd[[thing]])
    label <<- sprintf("%s(argument %d is %s)", r$form, at, thing)
    try_call(number, r$name, given)
  }
  several <- Filter(function(r) length(r$given) > 1L && r$name != "ffi_peak", recorded)
  for (i in seq_len(pairs)) {
    number <- number + 1L
    if (number < from || number > to) next
    set.seed(seed * 100000 + i)
    r <- several[[sample.int(length(several), 1L)]]
    at <- sample.int(length(r$given), 2L)
    things <- sample(names(odd), 2L)
    given <- r$given
    given[at] <- unname(odd[things])
    label <<- sprintf("%s(arguments %d and %d are %s and %s)", r$form, at[1L], at[2L], things[1L], things[2L])
    try_call(number, r$name, given)
  }
  number
}

last <- run_calls()
for (name in names(failed)) {
  label <- paste("program", name)
  find(conditionMessage(failed[[name]]))
}
for (label in missing) find("no program calls it")
writeLines(paste(c(counts, last), collapse = " "), file.path(folder, "counts"))
