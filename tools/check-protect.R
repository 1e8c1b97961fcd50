# Are R objects kept from the collector?  Reads src/glue/ as text, line by line, in our own style, and reports:
#
#   - a function that leaves with another number of PROTECTs than of UNPROTECTs, on any return;
#   - a new object in a variable that is not protected when the next thing is allocated;
#   - two new objects as arguments of one call;
#   - a new object as an argument of a call that allocates before it uses it.
#
#     Rscript tools/check-protect.R [files]        prints what it finds; exits with 1 when there is any
#
# What allocates is worked out: R's own by a list, ours by what they call.  Everything between a `return` or the end
# of a function and its start counts in the order of the lines: a PROTECT in a branch must be undone there.

# R's functions that give back a new object, unprotected.
fresh <- c(
  "Rf_allocVector", "Rf_allocMatrix", "Rf_mkString", "Rf_mkChar", "Rf_mkCharCE", "Rf_mkCharLenCE", "Rf_mkNamed",
  "Rf_ScalarReal", "Rf_ScalarInteger", "Rf_ScalarString", "Rf_lang2", "Rf_lang3", "Rf_lang4", "Rf_lang5", "Rf_lang6",
  "Rf_list1", "Rf_list2", "Rf_list3", "Rf_cons", "Rf_coerceVector", "Rf_duplicate", "Rf_eval", "R_MakeExternalPtr",
  "R_FindNamespace", "Rf_asChar"
)
# And those that may collect without giving back anything new.  Rf_getAttrib() makes row names and names of pairlists.
collecting <- c(fresh, "Rf_setAttrib", "Rf_install", "Rf_getAttrib", "Rf_translateCharUTF8", "R_RegisterCFinalizerEx", "R_alloc",
                "Rf_error", "Rf_GetOption1", "R_CheckUserInterrupt", "Rf_namesgets", "R_ExpandFileName")
# Elements and attributes belong to their owner, and so do symbols and the two logicals that R keeps.
setters <- c("SET_VECTOR_ELT", "SET_STRING_ELT")

strip <- function(lines) {
  text <- paste(lines, collapse = "\n")
  blank <- function(pattern, text) {
    at <- gregexpr(pattern, text, perl = TRUE)
    regmatches(text, at) <- lapply(regmatches(text, at), function(found) gsub("[^\n]", " ", found))
    text
  }
  text <- blank("(?s)/\\*.*?\\*/", text)
  text <- blank("\"([^\"\\\\\n]|\\\\.)*\"", text)
  strsplit(text, "\n", fixed = TRUE)[[1L]]
}

# Functions begin and end in the first column.
functions_of <- function(file) {
  lines <- strip(readLines(file))
  opens <- which(lines == "{")
  lapply(opens, function(open) {
    close <- open + which(lines[-seq_len(open)] == "}")[1L]
    head <- open - 1L
    while (head > 1L && grepl("^[ \t]", lines[head])) head <- head - 1L
    signature <- paste(lines[head:(open - 1L)], collapse = " ")
    list(file = file, first = open + 1L, lines = lines[(open + 1L):(close - 1L)],
         name = sub("^.*?([A-Za-z_0-9]+)\\(.*$", "\\1", signature, perl = TRUE), gives_sexp = grepl("^(static )?SEXP ", signature))
  })
}

calls_in <- function(text, names) {
  found <- regmatches(text, gregexpr("\\b[A-Za-z_][A-Za-z_0-9]*(?=\\()", text, perl = TRUE))[[1L]]
  found[found %in% names]
}

# Statements, each with the number of the line that it starts in; what stands in parentheses stays together.
statements_of <- function(f) {
  text <- paste(f$lines, collapse = "\n")
  signs <- strsplit(text, "")[[1L]]
  depth <- cumsum((signs == "(") - (signs == ")"))
  braces <- cumsum((signs == "{") - (signs == "}"))
  ends <- which((signs == ";" & depth == 0L) | signs %in% c("{", "}"))
  starts <- c(1L, utils::head(ends, -1L) + 1L)
  line <- f$first + c(0L, cumsum(signs == "\n"))
  out <- lapply(seq_along(ends), function(i) {
    piece <- paste(signs[starts[i]:ends[i]], collapse = "")
    at <- starts[i] + nchar(sub("^([ \t\n]*).*", "\\1", piece, perl = TRUE))
    list(text = gsub("[ \t\n]+", " ", trimws(piece)), line = line[starts[i] + attr(regexpr("^[ \t\n]*", piece), "match.length")],
         depth = braces[ends[i]])
  })
  Filter(function(s) nzchar(s$text) && s$text != "}", out)
}

# The arguments of the call that begins with an opening parenthesis at `at`.
arguments_at <- function(text, at) {
  signs <- strsplit(substring(text, at), "")[[1L]]
  depth <- cumsum((signs %in% c("(", "{", "[")) - (signs %in% c(")", "}", "]")))
  close <- which(depth == 0L)[1L]
  if (is.na(close)) {
    return(character())
  }
  cuts <- c(1L, which(signs == "," & depth == 1L), close)
  cuts <- cuts[cuts <= close]
  vapply(seq_len(length(cuts) - 1L), function(i) trimws(paste(signs[(cuts[i] + 1L):(cuts[i + 1L] - 1L)], collapse = "")), "")
}

check_function <- function(f, fresh, collecting) {
  problems <- character()
  report <- function(line, what) problems <<- c(problems, sprintf("%s:%d: %s(): %s", f$file, line, f$name, what))
  held <- 0L        # PROTECTs not yet undone
  bare <- character() # variables with a new object that is not protected
  before_branch <- list()
  for (s in statements_of(f)) {
    text <- s$text
    protects <- lengths(regmatches(text, gregexpr("\\bPROTECT\\(", text)))
    # ---- new objects as arguments
    for (at in gregexpr("\\b[A-Za-z_][A-Za-z_0-9]*\\(", text, perl = TRUE)[[1L]]) {
      if (at < 0L) next
      name <- sub("\\(.*$", "", substring(text, at))
      arguments <- arguments_at(text, at + nchar(name))
      new <- vapply(arguments, function(a) any(vapply(fresh, function(n) startsWith(a, paste0(n, "(")), NA)), NA)
      collects <- vapply(arguments, function(a) length(calls_in(a, collecting)) > 0L, NA)
      if (any(new) && sum(new | collects) > 1L) {
        report(s$line, sprintf("%s() is given a new object beside another argument that allocates", name))
      } else if (any(new) && name %in% collecting && !name %in% c("Rf_lang2")) {
        report(s$line, sprintf("%s() is given a new object that nothing protects", name))
      }
    }
    # ---- what is bare when something is allocated
    own <- sub("^.*?\\b([A-Za-z_][A-Za-z_0-9]*) = .*$", "\\1", text, perl = TRUE)
    assigns <- grepl("\\b[A-Za-z_][A-Za-z_0-9]* = ", text, perl = TRUE)
    if (length(bare) && length(calls_in(text, collecting))) {
      used <- bare[vapply(bare, function(v) !grepl(sprintf("^(SET_VECTOR_ELT|SET_STRING_ELT)\\([^;]*\\b%s\\);$", v), text), NA)]
      for (v in used) report(s$line, sprintf("`%s` is not protected here, where something is allocated", v))
      bare <- character() # said once
    }
    stored <- vapply(bare, function(v) grepl(sprintf("^(SET_VECTOR_ELT|SET_STRING_ELT|R_SetExternalPtrProtected)\\(.*\\b%s\\);$", v), text), NA)
    bare <- setdiff(bare, bare[as.logical(stored)])
    if (assigns && protects == 0L) {
      value <- sub("^.*?\\b[A-Za-z_][A-Za-z_0-9]* = ", "", text, perl = TRUE)
      if (any(vapply(fresh, function(n) startsWith(value, paste0(n, "(")), NA))) bare <- union(bare, own)
    }
    # ---- the balance
    held <- held + protects
    undone <- regmatches(text, gregexpr("UNPROTECT\\(([0-9]+)\\)", text))[[1L]]
    undo <- sum(as.integer(sub("UNPROTECT\\(([0-9]+)\\)", "\\1", undone)))
    if (grepl("\\{$", text)) {
      before_branch[[s$depth + 1L]] <- held
    }
    held <- held - undo
    if (held < 0L) {
      report(s$line, "UNPROTECT() of more than was protected")
      held <- 0L
    }
    if (grepl("\\breturn\\b", text)) {
      if (held > 0L) report(s$line, sprintf("returns with %d still protected", held))
      # behind a branch that returns, what it undid is still held
      inside <- s$depth > 0L && length(before_branch) > s$depth && !is.null(before_branch[[s$depth + 1L]])
      if (inside) {
        held <- before_branch[[s$depth + 1L]]
      } else if (s$depth > 0L) {
        held <- held + undo
      }
    }
  }
  ends <- utils::tail(f$lines, 1L)
  if (!grepl("return|Rf_error", ends) && held > 0L) report(f$first + length(f$lines), sprintf("ends with %d still protected", held))
  problems
}

arguments <- commandArgs(TRUE)
files <- if (length(arguments)) arguments else sort(Sys.glob("src/glue/*.c"), method = "radix")
functions <- do.call(c, lapply(files, functions_of))

# Ours allocate if they call something that does, and give back something new if their result is an R object.
repeat {
  n <- length(collecting)
  for (f in functions) {
    if (!f$name %in% collecting && length(calls_in(paste(f$lines, collapse = " "), collecting))) collecting <- c(collecting, f$name)
  }
  if (length(collecting) == n) break
}
lent <- c("list_get", "tag_of", "shape_symbol") # parts of what the caller has, and symbols
fresh <- c(fresh, vapply(Filter(function(f) f$gives_sexp && f$name %in% collecting && !f$name %in% lent, functions), `[[`, "", "name"))

problems <- unlist(lapply(functions, check_function, fresh = fresh, collecting = collecting))
if (length(problems)) writeLines(problems)
cat(length(functions), "functions,", length(problems), "problems\n")
quit(status = as.integer(length(problems) > 0L))
