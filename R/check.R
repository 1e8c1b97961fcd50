# Checks of arguments.  Each returns the value in its plain form or raises lamina_error_argument.

arg_name <- function(x) paste(deparse(x), collapse = "")

# What was found, in a few words, for messages.
describe <- function(x) {
  if (is.null(x)) {
    "NULL"
  } else if (is.function(x)) {
    "a function"
  } else if (is.data.frame(x)) {
    sprintf("a data frame of %d rows and %d columns", nrow(x), ncol(x))
  } else if (!is.null(dim(x))) {
    sprintf("%s of shape (%s)", if (is.array(x)) paste("an array of", typeof(x)) else class(x)[1L],
            paste(dim(x), collapse = ", "))
  } else if (is.object(x) && !is.factor(x)) {
    sprintf("an object of class %s", class(x)[1L])
  } else if (is.atomic(x) && length(x) == 1L) {
    if (is.character(x)) sprintf("\"%s\"", x) else format(x, digits = 15)
  } else if (is.atomic(x)) {
    sprintf("%s of length %d", with_article(if (is.factor(x)) "factor" else paste(typeof(x), "vector")), length(x))
  } else if (is.list(x)) {
    sprintf("a list of %d", length(x))
  } else {
    sprintf("an object of class %s", class(x)[1L])
  }
}

with_article <- function(noun) paste(if (grepl("^[aeiou]", noun)) "an" else "a", noun)

# An argument without a default that was left out, as `units` is in layer_dense(8).
abort_missing <- function(arg, call) {
  abort_lamina(
    c(sprintf("`%s` is missing.", arg), i = "Name the arguments: the first one without a name is the model."),
    "argument", arg = arg, expected = "given", actual = "missing", call = call
  )
}

bounds_text <- function(what, min, max) {
  if (is.finite(min) && is.finite(max)) {
    sprintf("%s from %s to %s", what, format(min), format(max))
  } else if (is.finite(min)) {
    sprintf("%s of at least %s", what, format(min))
  } else if (is.finite(max)) {
    sprintf("%s of at most %s", what, format(max))
  } else {
    what
  }
}

# For arguments without a default, before their value is looked at.
check_given <- function(given, arg, call) {
  if (given) {
    return(invisible())
  }
  first <- tryCatch(get("object", envir = call, inherits = FALSE), error = function(e) NULL)
  hint <- if (is.numeric(first)) {
    c(i = sprintf("The first argument is the model; name the others: %s = %s.", arg, describe(first)))
  }
  abort_argument(arg, "given", "missing", hint = hint, call = call)
}

check_number <- function(x, min = -Inf, max = Inf, allow_null = FALSE, allow_infinite = FALSE,
                         arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  check_given(!missing(x), arg, call)
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  ok <- (is.numeric(x) || is.logical(x)) && length(x) == 1L && !is.na(x) &&
    (allow_infinite || is.finite(x)) && x >= min && x <= max
  if (!ok) {
    abort_argument(arg, bounds_text("a number", min, max), describe(x), call = call)
  }
  as.double(x)
}

# A whole number, returned as a double (R's integers end at 2^31).
check_count <- function(x, min = 1, max = Inf, allow_null = FALSE,
                        arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  check_given(!missing(x), arg, call)
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  ok <- is.numeric(x) && length(x) == 1L && is.finite(x) && x == floor(x) && x >= min && x <= max
  if (!ok) {
    abort_argument(arg, bounds_text("a whole number", min, max), describe(x), call = call)
  }
  as.double(x)
}

check_flag <- function(x, allow_null = FALSE, arg = arg_name(substitute(x)),
                       call = rlang::caller_env()) {
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  if (!is.logical(x) || length(x) != 1L || is.na(x)) {
    abort_argument(arg, "TRUE or FALSE", describe(x), call = call)
  }
  as.vector(x)
}

check_string <- function(x, allow_null = FALSE, arg = arg_name(substitute(x)),
                         call = rlang::caller_env()) {
  check_given(!missing(x), arg, call)
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  if (!is.character(x) || length(x) != 1L || is.na(x)) {
    abort_argument(arg, "a string", describe(x), call = call)
  }
  as.vector(x)
}

check_choice <- function(x, choices, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (!is.character(x) || length(x) != 1L || is.na(x) || !x %in% choices) {
    near <- if (is.character(x) && length(x) == 1L) nearest(x, choices)
    abort_argument(
      arg, paste("one of", paste0("\"", choices, "\"", collapse = ", ")), describe(x),
      hint = if (length(near)) c(i = sprintf("Did you mean \"%s\"?", near)), call = call
    )
  }
  x
}

check_function <- function(x, allow_null = FALSE, arg = arg_name(substitute(x)),
                           call = rlang::caller_env()) {
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  if (!is.function(x)) {
    abort_argument(arg, "a function", describe(x), call = call)
  }
  x
}

# A shape as Keras users write it: 8, c(28, 28, 1), list(5, 3), shape(28, 28).  Doubles; no NA.
check_shape <- function(x, allow_null = FALSE, min_rank = 0L, max_rank = 4L, minimum = 1,
                        arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  dims <- if (is.list(x) && all(lengths(x) == 1L)) unlist(x) else x
  if (is.null(dims)) {
    dims <- numeric()
  }
  ok <- is.numeric(dims) && all(is.finite(dims)) &&
    all(dims == floor(dims)) && all(dims >= minimum) && all(dims <= .Machine$integer.max) && # R's arrays end there
    length(dims) >= min_rank && length(dims) <= max_rank
  if (!ok) {
    abort_argument(arg, sprintf("%d to %d whole numbers of at least %g", min_rank, max_rank, minimum),
                   describe(x), call = call)
  }
  as.double(dims)
}

# Arguments of keras3 that lamina does not have, and misspelt ones: a clear error, never silence.
# `dots` is list(...) of the function running in `call`; `known` names those that it takes there.
check_no_dots <- function(dots, known = character(), call = rlang::caller_env()) {
  names <- rlang::names2(dots)
  bad <- which(!names %in% known)
  if (length(bad) == 0L) {
    return(invisible())
  }
  name <- names[bad[1L]]
  found <- describe(dots[[bad[1L]]])
  if (!nzchar(name)) {
    abort_lamina(
      c(sprintf("There is an argument without a name too many: %s.", found), i = "Name the arguments, as in epochs = 5."),
      "argument", arg = "...", expected = "left out", actual = found, call = call
    )
  }
  near <- nearest(name, setdiff(c(formal_names(call), known), "..."))
  abort_lamina(
    c(sprintf("lamina has no argument `%s` here.", name), if (length(near)) c(i = sprintf("Did you mean `%s`?", near))),
    "argument", arg = name, expected = "left out", actual = found, call = call
  )
}

# The arguments of the function running in a frame.
formal_names <- function(frame) {
  for (i in seq_len(sys.nframe())) {
    if (identical(sys.frame(i), frame)) {
      return(names(formals(sys.function(i))))
    }
  }
  character()
}

# An argument of keras3 that lamina accepts only at its default.
check_unsupported <- function(x, default = NULL, arg = arg_name(substitute(x)),
                              call = rlang::caller_env()) {
  if (!identical(x, default)) {
    abort_argument(arg, describe(default), describe(x),
                   hint = c(i = "lamina does not support other values."), call = call)
  }
  invisible()
}
