# The arguments that every method of lamina() takes after its data, checked in one place.

# The checked settings, a list.  `layers` stays as given; fresh copies are made for each network.
training_settings <- function(hidden_units = c(32, 16), activation = "relu", dropout = 0, penalty = 0,
                              mixture = 0, epochs = NULL, batch_size = 32, learn_rate = NULL,
                              optimizer = "adam", momentum = NULL, validation = NULL, stop_iter = 10,
                              class_weights = NULL, family = NULL, loss = NULL, layers = NULL,
                              standardize = TRUE, start = NULL, metrics = NULL, callbacks = NULL,
                              times = 0, keep_epochs = FALSE,
                              verbose = getOption("lamina.verbose", "auto"), .given = character(),
                              .call = rlang::caller_env()) {
  bfgs <- is_bfgs(optimizer)
  check_with_layers(layers, .given, .call)
  units <- check_hidden_units(hidden_units, .call)
  settings <- list(
    hidden_units = units,
    activation = per_layer(activation, length(units), "activation", as_activation_argument, .call),
    dropout = per_layer(dropout, length(units), "dropout", check_dropout, .call),
    penalty = check_number(penalty, min = 0, arg = "penalty", call = .call),
    mixture = check_number(mixture, min = 0, max = 1, arg = "mixture", call = .call),
    epochs = check_count(if (is.null(epochs)) if (bfgs) 1000 else 100 else epochs, arg = "epochs", call = .call),
    batch_size = check_count(batch_size, arg = "batch_size", call = .call),
    optimizer = if (bfgs) "bfgs" else tabular_optimizer(optimizer, learn_rate, momentum, .call),
    validation = check_validation(if (is.null(validation)) if (bfgs) 0 else 0.2 else validation, .call),
    stop_iter = check_count(stop_iter, arg = "stop_iter", call = .call),
    class_weights = class_weights,
    family = family, loss = loss, layers = check_layers(layers, .call),
    standardize = check_flag(standardize, arg = "standardize", call = .call),
    start = start, metrics = metrics, callbacks = as_callbacks(callbacks, call = .call),
    times = check_times(times, .call, allow_none = TRUE),
    keep_epochs = check_flag(keep_epochs, arg = "keep_epochs", call = .call),
    verbose = verbose
  )
  if (bfgs) {
    check_bfgs_settings(settings, .given, .call)
  }
  settings$verbose <- tabular_verbose(verbose, .call)
  settings
}

# Arguments about the rows, which all methods take before the settings.
row_formals <- alist(weights = NULL, offset = NULL, subset = NULL, na.action = getOption("na.action"), model = TRUE)

setting_formals <- formals(training_settings)[!startsWith(names(formals(training_settings)), ".")]

# A method of lamina(): `fn` with these arguments behind its own.
with_settings <- function(fn) {
  formals(fn) <- c(formals(fn), row_formals, setting_formals)
  fn
}

# What the method running in `frame` was asked for, checked: list(call, frame, settings, quos, na_action, keep_data).
# quos: weights, offset and subset, not evaluated.
read_call <- function(frame, call, dots) {
  if ("seed" %in% names(dots)) {
    abort_argument("seed", "left out", describe(dots$seed),
                   hint = c(i = "Call set.seed() before lamina(): it fixes everything."), call = frame)
  }
  check_no_dots(dots, call = frame)
  settings <- c(mget(names(setting_formals), envir = frame), list(.given = names(call), .call = frame))
  settings <- do.call(training_settings, settings, quote = TRUE)
  for (name in intersect(c("data", "y"), names(formals(sys.function(sys.parent()))))) {
    if (eval(call("missing", as.name(name)), frame)) {
      abort_argument(name, if (name == "y") "the outcome" else "a data frame", "missing", call = frame)
    }
  }
  call[[1L]] <- quote(lamina) # as the user would write it again
  quos <- quote(list(weights = rlang::enquo(weights), offset = rlang::enquo(offset), subset = rlang::enquo(subset)))
  list(
    call = call, frame = frame, settings = settings, quos = rlang::eval_bare(quos, frame),
    na_action = frame$na.action, keep_data = check_flag(frame$model, arg = "model", call = frame)
  )
}

is_bfgs <- function(optimizer) {
  is.character(optimizer) && length(optimizer) == 1L && tolower(optimizer) %in% c("bfgs", "l-bfgs", "lbfgs")
}

check_hidden_units <- function(x, call) {
  if (is.null(x) || length(x) == 0L || identical(as.numeric(unlist(x)), 0)) {
    return(numeric())
  }
  x <- if (is.list(x)) unlist(x) else x
  if (!is.numeric(x) || !all(is.finite(x)) || any(x < 1 | x != floor(x))) {
    bad <- if (is.numeric(x)) x[!is.finite(x) | x < 1 | x != floor(x)][1L] else x
    abort_argument("hidden_units", "whole numbers of at least 1, one a hidden layer, or 0 for none", describe(bad), call = call)
  }
  as.double(x)
}

# One value for all hidden layers, or one for each: a list.
per_layer <- function(x, layers, arg, check, call) {
  several <- (is.list(x) && is.null(x$type) || is.atomic(x)) && length(x) > 1L
  if (several && length(x) != layers) {
    abort_argument(arg, sprintf("one value, or one for each of %d hidden layers", layers), describe(x), call = call)
  }
  values <- if (several) as.list(x) else rep(list(x), layers)
  lapply(values, check, call = call)
}

as_activation_argument <- function(x, call) {
  spec <- as_activation(x, arg = "activation", call = call)
  if (identical(spec$type, "function")) {
    abort_argument("activation", "an activation of lamina's", "an R function",
                   hint = c(i = "A function of one's own cannot be trained through."), call = call)
  }
  x
}

check_dropout <- function(x, call) {
  x <- check_number(x, min = 0, max = 1, arg = "dropout", call = call)
  if (x == 1) {
    abort_argument("dropout", "a rate below 1", "1", call = call)
  }
  x
}

check_validation <- function(x, call) {
  x <- check_number(x, min = 0, max = 1, arg = "validation", call = call)
  if (x == 1) {
    abort_argument("validation", "a fraction below 1 of the rows to hold out", "1", call = call)
  }
  x
}

check_layers <- function(layers, call) {
  if (is.null(layers)) {
    return(NULL)
  }
  layers <- if (is_layer(layers)) list(layers) else layers
  if (!is.list(layers) || !all(vapply(layers, is_layer, NA))) {
    abort_argument("layers", "a list of layers, such as list(layer_dense(units = 8), layer_dropout(rate = 0.2))",
                   describe(layers), call = call)
  }
  layers
}

check_with_layers <- function(layers, given, call) {
  clash <- intersect(c("hidden_units", "activation", "dropout"), given)
  if (!is.null(layers) && length(clash)) {
    abort_argument(clash[1L], "left out where `layers` gives the hidden layers", "given", call = call)
  }
}

# The optimizer's spec: `learn_rate` where given, 0.01 for an optimizer that is only named; `momentum` where given.
tabular_optimizer <- function(optimizer, learn_rate, momentum, call) {
  rate <- check_number(learn_rate, min = 0, allow_null = TRUE, arg = "learn_rate", call = call)
  named <- is.character(optimizer)
  spec <- as_spec(optimizer_object(optimizer), "optimizer", arg = "optimizer", more = "bfgs", call = call)
  if (named && is.null(rate)) {
    rate <- 0.01
  }
  if (!is.null(rate)) {
    spec$config$learning_rate <- rate
  }
  if (!is.null(momentum)) {
    if (!spec$type %in% c("sgd", "rmsprop")) {
      abort_argument("momentum", sprintf("left out with the optimizer \"%s\"", spec$type), describe(momentum),
                     hint = c(i = "\"sgd\" and \"rmsprop\" have one."), call = call)
    }
    spec$config$momentum <- check_number(momentum, min = 0, max = 1, arg = "momentum", call = call)
  }
  new_spec("optimizer", spec$type, spec$config)
}

check_bfgs_settings <- function(settings, given, call) {
  useless <- intersect(c("batch_size", "learn_rate", "momentum", "callbacks"), given)
  useless <- useless[!vapply(useless, function(name) is.null(get(name, envir = call)), NA)]
  if (length(useless)) {
    abort_argument(useless[1L], "left out with optimizer = \"bfgs\", which takes all rows at once and finds its own steps",
                   "given", call = call)
  }
  if (any(unlist(settings$dropout) > 0)) {
    abort_argument("dropout", "0 with optimizer = \"bfgs\", which needs the same loss for the same weights",
                   describe(max(unlist(settings$dropout))), hint = c(i = "`penalty` shrinks the weights instead."), call = call)
  }
  random <- vapply(settings$layers, function(l) grepl(random_types, layer_self(l)$type), NA)
  if (any(random)) {
    abort_argument("layers", "layers that do the same in training as in prediction with optimizer = \"bfgs\"",
                   sprintf("one with %s", layer_self(settings$layers[[which(random)[1L]]])$class), call = call)
  }
}

# Layers whose training pass differs from prediction.
random_types <- "dropout|noise|^random_|^batch_normalization$"

# A bar where there is a terminal to show it; else nothing: lm() prints nothing either.
tabular_verbose <- function(verbose, call) {
  if (identical(verbose, "auto")) {
    return(if (interactive() && can_draw_bar()) resolve_verbose("auto", call = call) else 0)
  }
  resolve_verbose(verbose, call = call)
}
