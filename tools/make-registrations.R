# Writes src/init.c: one row of the .Call table for every function of the form
#     SEXP ffi_name(SEXP a, SEXP b)
# defined at the start of a line in src/glue/*.c.
#
#     Rscript tools/make-registrations.R           writes the file
#     Rscript tools/make-registrations.R --check   exits with 1 when it is out of date

definition <- "(?m)^SEXP\\s+(ffi_\\w+)\\s*\\(([^()]*)\\)\\s*\\{"

find_entries <- function(file) {
  text <- paste(readLines(file), collapse = "\n")
  found <- regmatches(text, gregexpr(definition, text, perl = TRUE))[[1L]]
  name <- sub(paste0(definition, "$"), "\\1", found, perl = TRUE)
  arguments <- trimws(sub(paste0(definition, "$"), "\\2", found, perl = TRUE))
  none <- arguments %in% c("", "void")
  data.frame(name = name, arity = ifelse(none, 0L, lengths(strsplit(arguments, ","))))
}

prototype <- function(name, arity) {
  arguments <- if (arity == 0L) "void" else paste(rep("SEXP", arity), collapse = ", ")
  line <- sprintf("SEXP %s(%s);", name, arguments)
  paste(strwrap(line, width = 100L, exdent = nchar(name) + 6L), collapse = "\n")
}

init_c <- function(entries) {
  c(
    "/* Generated from src/glue by tools/make-registrations.R: do not edit. */",
    "#include <R.h>",
    "#include <Rinternals.h>",
    "#include <R_ext/Rdynload.h>",
    "#include <R_ext/Visibility.h>",
    "",
    "#include \"base/alloc.h\"",
    "#include \"base/threads.h\"",
    "#include \"kernels/cpu.h\"",
    "",
    unlist(Map(prototype, entries$name, entries$arity), use.names = FALSE),
    "",
    "static const R_CallMethodDef calls[] = {",
    sprintf("    {\"%s\", (DL_FUNC)&%s, %d},", entries$name, entries$name, entries$arity),
    "    {NULL, NULL, 0},",
    "};",
    "",
    "attribute_visible void R_init_lamina(DllInfo *dll)",
    "{",
    "    R_registerRoutines(dll, NULL, calls, NULL, NULL);",
    "    R_useDynamicSymbols(dll, FALSE);",
    "    R_forceSymbols(dll, TRUE);",
    "    lam_tier_init();",
    "}",
    "",
    "attribute_visible void R_unload_lamina(DllInfo *dll)",
    "{",
    "    (void)dll;",
    "    lam_threads_stop();",
    "    lam_alloc_trim();",
    "}"
  )
}

script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
root <- dirname(dirname(normalizePath(script)))
target <- file.path(root, "src", "init.c")
files <- sort(Sys.glob(file.path(root, "src", "glue", "*.c")), method = "radix")
entries <- do.call(rbind, lapply(files, find_entries))
if (is.null(entries)) entries <- data.frame(name = character(), arity = integer())
twice <- unique(entries$name[duplicated(entries$name)])
if (length(twice)) stop("defined twice: ", toString(twice), call. = FALSE)
lines <- init_c(entries)

if ("--check" %in% commandArgs(TRUE)) {
  text <- strsplit(paste(lines, collapse = "\n"), "\n", fixed = TRUE)[[1L]]
  fresh <- file.exists(target) && identical(readLines(target), text)
  if (!fresh) message("src/init.c is out of date: run `make registrations`")
  quit(status = if (fresh) 0L else 1L)
}
writeLines(lines, target)
cat(nrow(entries), "entry points in src/init.c\n")
