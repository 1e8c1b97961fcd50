# Arguments that several layers share, brought into the form that the core takes.

# The spec of an activation, initializer, regularizer or constraint given by name, as an object, or
# as lamina's function for it without its arguments (activation_relu, initializer_he_normal).
as_part <- function(x, kind, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (is.function(x) && !inherits(x, "lamina_spec")) {
    maker <- own_maker(x, kind)
    if (!is.null(maker)) {
      x <- maker()
    }
  }
  as_spec(x, kind, arg = arg, call = call)
}

# x itself when it is this package's function for one of the core's names, else NULL.
own_maker <- function(x, kind) {
  words <- vocabulary(kind)
  for (name in c(words$names, names(words$aliases))) {
    maker <- get0(paste(kind, name, sep = "_"), envir = topenv(), mode = "function")
    if (!is.null(maker) && identical(maker, x)) {
      return(maker)
    }
  }
  NULL
}

# As as_part(), but a function that is none of lamina's stays one: R computes it.
as_part_or_function <- function(x, kind, arg, call) {
  own <- is.function(x) && !inherits(x, "lamina_spec") && is.null(own_maker(x, kind))
  if (own) list(type = "function", fn = x) else as_part(x, kind, arg = arg, call = call)
}

as_activation <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (inherits(x, "lamina_layer_activation")) { # as Keras: a layer of that kind serves as well
    x <- do.call(new_spec, c("activation", layer_self(x)$config$activation))
  } else if (is_layer(x)) {
    abort_argument(arg, kind_text[["activation"]], paste("a layer,", format(x)), call = call)
  }
  as_part_or_function(x, "activation", arg, call)
}

as_initializer <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  as_part_or_function(x, "initializer", arg, call)
}

as_regularizer <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  as_part(x, "regularizer", arg = arg, call = call)
}

as_constraint <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  as_part(x, "constraint", arg = arg, call = call)
}

# Data come with the channels last.
check_data_format <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (!is.null(x) && !identical(x, "channels_last")) {
    abort_argument(arg, "NULL or \"channels_last\"", describe(x),
                   hint = c(i = "Bring arrays with `aperm()` into the order samples, ..., channels."),
                   call = call)
  }
  invisible()
}

# The sizes of a window along `rank` dimensions: one whole number for all, or one for each.
check_window <- function(x, rank, min = 1, allow_null = FALSE, arg = arg_name(substitute(x)),
                         call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  if (is.null(x) && allow_null) {
    return(NULL)
  }
  what <- sprintf("%s of at least %g", if (rank == 1) "a whole number" else "one or two whole numbers", min)
  numbers <- check_whole_numbers(x, what, arg = arg, call = call)
  if (!length(numbers) %in% c(1, rank) || any(numbers < min)) {
    abort_argument(arg, what, paste(numbers, collapse = ", "), call = call)
  }
  rep_len(numbers, rank)
}

# Upper case will do, as in Keras.
check_padding <- function(x, choices = c("valid", "same"), arg = arg_name(substitute(x)),
                          call = rlang::caller_env()) {
  check_choice(if (is.character(x)) tolower(x) else x, choices, arg = arg, call = call)
}

check_seed <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  check_count(x, min = 0, max = 2^53, allow_null = TRUE, arg = arg, call = call)
}

# Whole numbers given as c(), list(), shape() or tuple(); NULL and NA among them are NA.
check_whole_numbers <- function(x, what, allow_na = FALSE, arg = arg_name(substitute(x)),
                                call = rlang::caller_env()) {
  numbers <- if (is.list(x)) lapply(x, function(d) if (is.null(d)) NA else d) else as.list(x)
  ok <- length(numbers) > 0L && all(lengths(numbers) == 1L) &&
    all(vapply(numbers, function(d) is.numeric(d) || identical(d, NA), NA))
  numbers <- if (ok) as.double(unlist(numbers)) else NA_real_
  whole <- if (allow_na) numbers[!is.na(numbers)] else numbers
  if (!ok || !all(is.finite(whole)) || any(whole != floor(whole))) {
    abort_argument(arg, what, describe(x), call = call)
  }
  numbers
}

# The share of a dropout inside a layer; 1 would leave nothing.
check_dropout_rate <- function(x, arg, call) {
  rate <- check_number(x, min = 0, max = 1, arg = arg, call = call)
  if (rate == 1) {
    abort_argument(arg, "a number from 0 to below 1", "1", call = call)
  }
  rate
}
