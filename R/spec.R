# Specs: how configurable things (optimizers, losses, initializers, ...) are told to the core.
#
# A spec is list(type = "<name in the core's list>", config = list(<argument> = <value>)).  Objects
# that are only configuration are such lists with a class; objects that are also functions
# (initializers of a shape, regularizers of an array, ...) carry it as the attribute "spec".

new_spec <- function(kind, type, config = list()) {
  structure(
    list(type = type, config = config),
    class = c(paste0("lamina_", kind), "lamina_spec")
  )
}

new_callable_spec <- function(kind, type, config, fn) {
  structure(
    fn,
    spec = list(type = type, config = config),
    class = c(paste0("lamina_", kind), "lamina_spec", "function")
  )
}

# The plain list(type, config) of an object, or NULL when it is none of that kind.
spec_of <- function(x, kind) {
  if (!inherits(x, paste0("lamina_", kind))) {
    return(NULL)
  }
  if (is.function(x)) attr(x, "spec") else list(type = x$type, config = x$config)
}

# What the core knows: list(names = , aliases = c(alias = name)).  Kinds: layer, activation, loss,
# metric, optimizer, initializer, regularizer, constraint, schedule.
vocabulary <- function(kind) {
  .Call(ffi_vocabulary, kind)
}

# "GlorotUniform" and "glorot uniform" are "glorot_uniform", "Conv2DTranspose" is
# "conv2d_transpose": Keras' rules.
snake_case <- function(x) {
  x <- gsub("([^ ._-])([A-Z][a-z]+)", "\\1_\\2", x)
  x <- gsub("([a-z])([A-Z])", "\\1_\\2", x)
  tolower(gsub("[ .-]+", "_", x))
}

# The core's name for what the user called it, or NA.
canonical_name <- function(name, kind) {
  words <- vocabulary(kind)
  for (form in unique(c(name, tolower(name), snake_case(name)))) {
    if (form %in% words$names) {
      return(form)
    }
    if (form %in% names(words$aliases)) {
      return(words$aliases[[form]])
    }
  }
  NA_character_
}

kind_text <- c(
  layer = "a layer", activation = "an activation", loss = "a loss", metric = "a metric",
  optimizer = "an optimizer", initializer = "an initializer", regularizer = "a regularizer",
  constraint = "a constraint", schedule = "a learning rate schedule"
)

# The spec of a string or object given as argument `arg`; NULL stays NULL.  more: names that are known
# besides the core's.
as_spec <- function(x, kind, arg = arg_name(substitute(x)), more = character(), call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  if (is.character(x) && length(x) == 1L && !is.na(x)) {
    type <- canonical_name(x, kind)
    if (is.na(type)) {
      words <- vocabulary(kind)
      abort_unknown(arg, kind_text[[kind]], x, c(more, words$names), names(words$aliases), call = call)
    }
    return(list(type = type, config = list()))
  }
  spec <- spec_of(x, kind)
  if (is.null(spec)) {
    abort_argument(arg, paste(kind_text[[kind]], "or its name"), describe(x), call = call)
  }
  spec
}

#' @export
print.lamina_spec <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}

#' @export
format.lamina_spec <- function(x, ...) {
  spec <- if (is.function(x)) attr(x, "spec") else unclass(x)
  config <- spec$config[!vapply(spec$config, is.null, NA)]
  value <- function(v) {
    if (is.list(v) && !is.null(v$type)) v$type else paste(format(unlist(v)), collapse = ", ")
  }
  arguments <- sprintf("%s = %s", names(config), vapply(config, value, ""))
  kind <- sub("^lamina_", "", class(x)[1L])
  sprintf("<%s %s(%s)>", kind, spec$type, paste(arguments, collapse = ", "))
}
