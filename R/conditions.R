# The one place where lamina raises conditions.  Every error inherits "lamina_error" and one of
# lamina_error_argument, _shape, _data, _state, _numeric, _file, _memory, _interrupt, _package, _ranks and carries
# the fields arg, expected and actual; warnings inherit "lamina_warning", messages "lamina_message".

abort_lamina <- function(message, kind, arg = NULL, expected = NULL, actual = NULL, ...,
                         call = rlang::caller_env()) {
  rlang::abort(
    message,
    class = c(paste0("lamina_error_", kind), "lamina_error"),
    arg = arg, expected = expected, actual = actual, ...,
    call = call
  )
}

# "`units` must be a whole number of at least 1, not -3."  `hint` adds lines of advice.
abort_argument <- function(arg, expected, actual, hint = NULL, kind = "argument", ...,
                           call = rlang::caller_env()) {
  message <- sprintf("`%s` must be %s, not %s.", arg, expected, actual)
  abort_lamina(c(message, hint), kind, arg, expected, actual, ..., call = call)
}

# An unknown name, with the nearest one that exists, be it an alias.
abort_unknown <- function(arg, what, name, known, aliases = character(), call = rlang::caller_env()) {
  near <- nearest(name, c(known, aliases))
  abort_argument(
    arg, sprintf("the name of %s", what), sprintf("\"%s\"", name),
    hint = c(
      if (length(near)) c(i = sprintf("Did you mean \"%s\"?", near)),
      i = paste("Known:", paste(known, collapse = ", "))
    ),
    call = call
  )
}

# One with the same words and more (sparse_crossentropy), or one spelt much the same.
nearest <- function(name, known) {
  words_of <- function(names) strsplit(tolower(names), "_", fixed = TRUE)
  words <- words_of(name)[[1L]]
  longer <- known[vapply(words_of(known), function(of) length(words) > 1L && all(words %in% of), NA)]
  if (length(longer)) {
    return(longer[which.min(nchar(longer))])
  }
  distance <- utils::adist(name, known, ignore.case = TRUE)
  if (length(known) == 0L || min(distance) > max(2, nchar(name) / 3) || min(distance) >= nchar(name)) {
    return(character())
  }
  known[which.min(distance)]
}

warn_lamina <- function(message, class = NULL, ...) {
  rlang::warn(message, class = c(class, "lamina_warning"), ...)
}

inform_lamina <- function(message, class = NULL, ...) {
  rlang::inform(message, class = c(class, "lamina_message"), ...)
}

# The core calls this when one of its functions fails (src/glue/glue.c).
abort_core <- function(kind, message, arg, expected, actual) {
  empty <- function(x) if (nzchar(x)) x else NULL
  abort_lamina(message, kind, empty(arg), empty(expected), empty(actual), call = lamina_frame())
}

# The outermost running function of this package: the one that the user called.
lamina_frame <- function() {
  here <- topenv()
  for (i in seq_len(sys.nframe())) {
    if (identical(topenv(environment(sys.function(i))), here)) {
      return(sys.frame(i))
    }
  }
  NULL
}
