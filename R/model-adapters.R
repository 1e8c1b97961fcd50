# Models as compare_models() and learning_curve() know them: how one is fitted to a data frame, and how
# numbers, classes and probabilities are read out of it.

# ---- the table -----------------------------------------------------------------------------------

# A row a kind of model; that of a fitted model is the first whose class it has.
#   class     of the fitted model
#   maker     "package::function" that fits it
#   outcomes  what the function is for
#   settings  what it is given besides formula and data where it stands alone, as in list(a = glm)
#   number, class_of, prob  functions of (model, newdata) that read it; without class_of the class is the most
#             probable one, and probabilities that are one column are those of the second of two classes
model_kind <- function(class, maker = "", number = NULL, class_of = NULL, prob = NULL,
                       outcomes = c("number", "classes"), settings = function(task) list()) {
  list(class = class, maker = maker, outcomes = outcomes, settings = settings, number = number,
       class_of = class_of, prob = prob)
}

of_type <- function(type) function(model, newdata) stats::predict(model, newdata, type = type)

of_part <- function(part) function(model, newdata) stats::predict(model, newdata)[[part]]

# tidymodels call it new_data
tidy_type <- function(type) function(model, newdata) stats::predict(model, new_data = newdata, type = type)

model_kinds <- list(
  model_kind("lamina_fit", "lamina::lamina", of_type("response"), of_type("class"), of_type("prob")),
  model_kind(
    "glm", "stats::glm", of_type("response"), NULL, of_type("response"),
    settings = function(task) list(family = if (task$kind == "classes") stats::binomial() else stats::gaussian())
  ),
  model_kind("lm", "stats::lm", of_type("response"), outcomes = "number"),
  model_kind(
    "multinom", "nnet::multinom", NULL, of_type("class"), of_type("probs"), outcomes = "classes",
    settings = function(task) list(trace = FALSE, MaxNWts = 1e6)
  ),
  model_kind(
    "nnet", "nnet::nnet", of_type("raw"), of_type("class"), of_type("raw"),
    settings = function(task) list(size = 5, linout = task$kind == "number", trace = FALSE, MaxNWts = 1e6)
  ),
  model_kind("rpart", "rpart::rpart", of_type("vector"), of_type("class"), of_type("prob")),
  model_kind("lda", "MASS::lda", NULL, of_part("class"), of_part("posterior"), outcomes = "classes"),
  model_kind("qda", "MASS::qda", NULL, of_part("class"), of_part("posterior"), outcomes = "classes"),
  model_kind("randomForest", "randomForest::randomForest", of_type("response"), of_type("response"), of_type("prob")),
  model_kind("model_fit", "", tidy_type("numeric"), tidy_type("class"), tidy_type("prob")),
  model_kind("workflow", "", tidy_type("numeric"), tidy_type("class"), tidy_type("prob"))
)

kind_of_model <- function(model) Find(function(kind) inherits(model, kind$class), model_kinds)

# The row of a bare function such as lm or nnet::nnet.
kind_of_function <- function(f) Find(function(kind) identical(maker_function(kind$maker), f), model_kinds)

# The function "package::function"; NULL where the package is not loaded or has none of this name.
maker_function <- function(maker) {
  parts <- strsplit(maker, "::", fixed = TRUE)[[1L]]
  if (length(parts) == 2L && isNamespaceLoaded(parts[1L])) {
    get0(parts[2L], envir = asNamespace(parts[1L]), mode = "function", inherits = FALSE)
  }
}

# ---- what users give -----------------------------------------------------------------------------

# A named list of models, each ready to be fitted: list(name, fit, read), fit a function of the rows to
# train on, read one of (fitted model, newdata, wanted) that returns what read_kind() does.
model_makers <- function(models, task, call = rlang::caller_env(), arg = "models") {
  made <- lapply(names(models), function(name) {
    model_maker(models[[name]], name, task, sprintf("%s$%s", arg, name), call)
  })
  stats::setNames(made, names(models))
}

model_maker <- function(model, name, task, arg, call) {
  made <- if (is.function(model) && !is_layer(model)) {
    maker_of_function(model, task, arg, call)
  } else if (is_fit_predict(model)) {
    list(fit = function(data) call_fitter(model$fit, task$formula, data), read = reader_of_output(model$predict))
  } else if (inherits(model, "model_spec")) {
    maker_of_spec(model, task, arg, call)
  } else if (inherits(model, "workflow")) {
    maker_of_workflow(model, task, arg, call)
  } else {
    maker_of_fitted(model, task, arg, call)
  }
  if (is.null(made$read)) made$read <- read_model
  c(list(name = name), made)
}

is_fit_predict <- function(x) {
  is.list(x) && !is.object(x) && setequal(names(x), c("fit", "predict")) && all(vapply(x, is.function, NA))
}

forms_of_models <- paste(
  "a function of (formula, data) such as lm, a fitted model with a formula, a parsnip specification or workflow,",
  "or list(fit = , predict = )"
)

maker_of_function <- function(f, task, arg, call) {
  kind <- kind_of_function(f)
  if (is.null(kind)) {
    return(list(fit = function(data) call_fitter(f, task$formula, data)))
  }
  check_kind_fits(kind, task, arg, call)
  list(fit = function(data) call_fitter(f, task$formula, data, kind$settings(task)))
}

check_kind_fits <- function(kind, task, arg, call) {
  f <- sub(".*::", "", kind$maker)
  classes <- length(task$levels)
  alone <- if (kind$class == "glm" && classes > 2L) {
    "glm(), which tells two apart"
  } else if (!task$kind %in% kind$outcomes) {
    sprintf("%s(), which fits %s", f, if (kind$outcomes == "number") "numbers" else "classes")
  }
  if (is.null(alone)) {
    return(invisible())
  }
  hint <- if (task$kind == "number") {
    "Numbers are fitted by lm, glm, nnet::nnet, rpart::rpart and others."
  } else if (classes == 2L) {
    "Two classes are told apart by glm, MASS::lda, nnet::nnet, rpart::rpart and others."
  } else {
    "More than two classes are told apart by nnet::multinom, MASS::lda, nnet::nnet, rpart::rpart and others."
  }
  what <- if (task$kind == "number") "numbers" else sprintf("%d classes", classes)
  abort_argument(arg, sprintf("a model of %s, as the outcome `%s` is", what, task$label), alone,
                 hint = c(i = hint), call = call)
}

# f(formula, data), by the names that f has for them.  In the call of the model stand names, not the data.
call_fitter <- function(f, formula, data, settings = list()) {
  names <- setdiff(names(formals(args(f))), "...")
  by_name <- "data" %in% names || length(names) < 2L
  arguments <- stats::setNames(
    list(quote(formula), quote(data)), c(if ("formula" %in% names) "formula" else "", if (by_name) "data" else "")
  )
  frame <- list2env(list(fitter = f, formula = formula, data = data), parent = environment(formula))
  eval(as.call(c(quote(fitter), arguments, settings)), frame)
}

# ---- fitted models -------------------------------------------------------------------------------

# Fits a model again by its own call, with its own formula, to other rows.
maker_of_fitted <- function(model, task, arg, call) {
  own <- own_call(model, arg, call)
  formula <- own_formula(model)
  if (is.null(formula)) {
    abort_argument(arg, forms_of_models, sprintf("%s that was fitted without one", describe(model)), call = call)
  }
  label <- deparse_short(formula[[2L]])
  if (length(formula) != 3L || !identical(deparse(formula[[2L]]), deparse(task$formula[[2L]]))) {
    abort_argument(arg, sprintf("a model of the outcome `%s`", task$label), sprintf("one of `%s`", label),
                   call = call)
  }
  check_task_columns(setdiff(all.vars(formula[[3L]]), "."), task$data, environment(formula), arg, call)
  kind <- kind_of_model(model)
  if (!is.null(kind)) {
    check_kind_fits(kind, task, arg, call)
  }
  check_row_arguments(own, task, arg, call)
  fitter <- own_function(own, model, formula, arg, call)
  own[[1L]] <- quote(fitter)
  own$formula <- quote(formula)
  own$data <- quote(data)
  list(fit = function(data) {
    eval(own, list2env(list(fitter = fitter, formula = formula, data = data), parent = environment(formula)))
  })
}

# The call, with arguments `formula` and `data`.
own_call <- function(model, arg, call) {
  refuse <- function(actual, hint = NULL) {
    abort_argument(arg, forms_of_models, actual, hint = hint, call = call)
  }
  if (is.character(model)) {
    refuse(describe(model), c(i = "Give the function itself, without quotes."))
  }
  if (inherits(model, "model_fit")) {
    refuse("a fit of parsnip", c(i = "Give the specification that it was fitted from: its `spec`."))
  }
  if (inherits(model, "lamina_model") || is_layer(model)) {
    refuse("a network without a formula",
           c(i = "Give list(fit = function(formula, data) ..., predict = function(model, newdata) ...)."))
  }
  own <- if (is.object(model)) tryCatch(stats::getCall(model), error = function(e) NULL)
  if (!is.call(own)) {
    refuse(if (is.list(model) && !is.object(model)) list_text(model) else describe(model))
  }
  if (!"formula" %in% names(own)) {
    first <- setdiff(seq_along(own)[-1L], which(!rlang::names2(own) %in% c("", "x")))[1L]
    if (is.na(first) || is.null(own_formula(model))) {
      refuse(sprintf("%s that was fitted without one", describe(model)))
    }
    names(own) <- replace(rlang::names2(own), first, "formula")
  }
  if (!"data" %in% names(own)) {
    refuse(sprintf("%s that was fitted without `data`", describe(model)), c(i = "Fit it with data = ."))
  }
  own
}

list_text <- function(x) {
  if (is.null(names(x))) describe(x) else sprintf("a list of %s", paste(names(x), collapse = ", "))
}

# From the terms, where `.` has become columns; plain, without what a basis such as poly() remembers of all rows.
own_formula <- function(model) {
  plain <- function(code) tryCatch(stats::formula(code), error = function(e) NULL)
  formula <- plain(stats::terms(model))
  if (is.null(formula)) formula <- plain(stats::formula(model))
  if (!inherits(formula, "formula")) {
    return(NULL)
  }
  frame <- if (is.null(environment(formula))) globalenv() else environment(formula)
  if ("." %in% all.vars(formula)) {
    columns <- tryCatch(eval(stats::getCall(model)$data, frame), error = function(e) NULL)
    if (is.data.frame(columns)) formula <- stats::formula(stats::terms(formula, data = columns))
  }
  stats::as.formula(as.call(as.list(formula)), frame)
}

# Weights and the like belong to rows; variables outside of the data cannot be cut into folds.
check_row_arguments <- function(own, task, arg, call) {
  for (argument in intersect(c("weights", "subset", "offset"), names(own))) {
    names <- all.vars(own[[argument]])
    if (length(names) == 0L || !all(names %in% names(task$data))) {
      abort_argument(
        arg, sprintf("a model whose `%s` are made of columns of `data`", argument),
        sprintf("one with %s = %s", argument, deparse_short(own[[argument]])),
        hint = c(i = "Put them into the data as a column, or fit the model without."), call = call
      )
    }
  }
}

# The function that the call names.  It may be a method, as nnet.formula(), or belong to a package that is not
# attached: then it is where the model's method for predict() is.
own_function <- function(own, model, formula, arg, call) {
  head <- own[[1L]]
  found <- tryCatch(eval(head, environment(formula)), error = function(e) NULL)
  if (is.symbol(head) && !is.function(found)) {
    name <- sub("\\.(formula|default)$", "", as.character(head))
    methods <- lapply(class(model), function(class) utils::getS3method("predict", class, optional = TRUE))
    for (home in c(list(environment(formula)), lapply(Filter(is.function, methods), environment))) {
      if (!is.function(found)) found <- get0(name, envir = home, mode = "function")
    }
  }
  if (!is.function(found)) {
    abort_argument(arg, "a model whose function can be found", sprintf("one of %s()", deparse_short(head)),
                   hint = c(i = "Attach its package with library()."), call = call)
  }
  found
}

# ---- tidymodels ----------------------------------------------------------------------------------

maker_of_spec <- function(spec, task, arg, call) {
  rlang::check_installed("parsnip", "to fit its models.", call = call)
  mode <- if (task$kind == "number") "regression" else "classification"
  if (identical(spec$mode, "unknown")) {
    spec <- parsnip::set_mode(spec, mode)
  }
  check_mode(spec, mode, task, arg, call)
  list(fit = function(data) generics::fit(spec, task$formula, data = data))
}

check_mode <- function(spec, mode, task, arg, call) {
  if (!identical(spec$mode, mode)) {
    abort_argument(arg, sprintf("a specification for %s, as the outcome `%s` asks for", mode, task$label),
                   sprintf("one for %s", if (identical(spec$mode, "unknown")) "no mode yet" else spec$mode),
                   hint = c(i = sprintf("parsnip::set_mode(\"%s\") sets it.", mode)), call = call)
  }
  needed <- tryCatch(generics::required_pkgs(spec), error = function(e) character())
  rlang::check_installed(needed, sprintf("to fit `%s`.", arg), call = call)
}

maker_of_workflow <- function(workflow, task, arg, call) {
  rlang::check_installed("workflows", "to fit them.", call = call)
  part <- function(f) tryCatch(f(workflow), error = function(e) NULL)
  spec <- part(workflows::extract_spec_parsnip)
  before <- part(workflows::extract_preprocessor)
  if (is.null(spec) || is.null(before)) {
    lacking <- if (is.null(spec)) "model" else "formula or recipe"
    abort_argument(arg, "a whole workflow", sprintf("one without a %s", lacking), call = call)
  }
  check_mode(spec, if (task$kind == "number") "regression" else "classification", task, arg, call)
  outcome <- if (inherits(before, "formula")) {
    deparse_short(before[[2L]])
  } else if (inherits(before, "recipe")) {
    before$var_info$variable[before$var_info$role %in% "outcome"]
  }
  if (!is.null(outcome) && !identical(outcome, deparse_short(task$formula[[2L]]))) {
    abort_argument(arg, sprintf("a workflow for the outcome `%s`", task$label),
                   sprintf("one for `%s`", paste(outcome, collapse = ", ")), call = call)
  }
  list(fit = function(data) generics::fit(workflow, data = data))
}

# ---- reading predictions -------------------------------------------------------------------------

# What a fitted model predicts: list(number) or list(class, prob, lacking), of what is `wanted` ("number", or
# "class" and "prob").  prob is a matrix with a column a level; NULL where the model has no probabilities,
# and lacking is then the condition that said so.
read_model <- function(model, newdata, task, wanted) {
  kind <- kind_of_model(model)
  if (is.null(kind)) {
    return(reader_of_output(stats::predict, by_type = TRUE)(model, newdata, task, wanted))
  }
  n <- nrow(newdata)
  if (task$kind == "number") {
    return(list(number = prediction_numbers(if (!is.null(kind$number)) kind$number(model, newdata), n)))
  }
  read_class <- function() prediction_classes(kind$class_of(model, newdata), task$levels, n)
  read_prob <- function() prediction_probabilities(kind$prob(model, newdata), task$levels, n)
  if (is.null(kind$class_of)) {
    prob <- read_prob()
    return(list(class = most_probable(prob), prob = prob))
  }
  if (!"prob" %in% wanted) {
    return(list(class = read_class()))
  }
  prob <- tryCatch(read_prob(), error = identity)
  # where this fails too, it is not for want of probabilities
  class <- if ("class" %in% wanted || inherits(prob, "error")) read_class()
  if (inherits(prob, "error")) list(class = class, lacking = prob) else list(class = class, prob = prob)
}

# Reads whatever predict() returns: classes, probabilities, or both.  by_type: for those that it does not
# return, predict(type = ) is tried with the names that are in use.
reader_of_output <- function(predict, by_type = FALSE) {
  function(model, newdata, task, wanted) {
    n <- nrow(newdata)
    values <- predict(model, newdata)
    if (task$kind == "number") {
      return(list(number = prediction_numbers(values, n)))
    }
    found <- output_parts(values, task$levels, n, vectors = !by_type)
    for (type in if (by_type) c("class", "prob", "probs", "raw", "posterior", "response")) {
      if (all(wanted %in% names(found))) break
      typed <- tryCatch(stats::predict(model, newdata, type = type), error = function(e) NULL)
      more <- tryCatch(output_parts(typed, task$levels, n, vectors = type == "response"), error = function(e) NULL)
      found <- c(found, more[setdiff(names(more), names(found))])
    }
    if (length(found) == 0L) {
      abort_prediction("classes, or probabilities with a column a class", describe(values))
    }
    if (is.null(found$class)) {
      found$class <- most_probable(found$prob)
    }
    if ("prob" %in% wanted && is.null(found$prob)) {
      found$lacking <- tryCatch(
        abort_prediction("probabilities with a column a class", describe(values)), error = identity
      )
    }
    found
  }
}

# list(class, prob), as far as they are in it.  vectors: numbers in one column are probabilities.
output_parts <- function(values, levels, n, vectors) {
  if (is.data.frame(values)) {
    class <- Find(function(column) is.factor(column) || is.character(column), values)
    numbers <- values[vapply(values, is.numeric, NA)]
    values <- list(class = class, prob = if (ncol(numbers)) numbers)
  } else if (is.factor(values) || is.character(values)) {
    values <- list(class = values)
  } else if (is.numeric(values)) {
    values <- list(prob = values)
  }
  if (!is.list(values)) {
    return(list())
  }
  prob <- c(values[intersect(c("prob", "posterior", "probabilities"), names(values))], list(NULL))[[1L]]
  if (!vectors && NCOL(prob) == 1L) prob <- NULL
  parts <- list(
    class = if (!is.null(values$class)) prediction_classes(values$class, levels, n),
    prob = if (!is.null(prob)) prediction_probabilities(prob, levels, n)
  )
  parts[lengths(parts) > 0L]
}

abort_prediction <- function(expected, actual) {
  abort_lamina(sprintf("The predictions must be %s, not %s.", expected, actual), "data", arg = "predictions",
               expected = expected, actual = actual, call = NULL)
}

# One column of a data frame, matrix or array as a vector.
one_column <- function(x) {
  if (is.data.frame(x) && ncol(x) == 1L) {
    x[[1L]]
  } else if (length(dim(x)) && length(x) == nrow(x)) {
    as.vector(x)
  } else {
    x
  }
}

prediction_numbers <- function(x, n) {
  x <- one_column(x)
  if (!is.numeric(x) || length(dim(x)) || length(x) != n) {
    abort_prediction(sprintf("%d numbers, one for each row", n), describe(x))
  }
  as.double(x)
}

prediction_classes <- function(x, levels, n) {
  x <- one_column(x)
  if (!(is.factor(x) || is.character(x)) || length(x) != n) {
    abort_prediction(sprintf("%d classes, one for each row", n), describe(x))
  }
  strange <- setdiff(as.character(x), c(levels, NA))
  if (length(strange)) {
    abort_prediction(sprintf("among the classes %s", paste(levels, collapse = ", ")), sprintf("\"%s\"", strange[1L]))
  }
  factor(as.character(x), levels)
}

# A matrix with a column a level.  Numbers in one column belong to the second of two levels, as those of glm().
# A level that was not among the rows of training, and has no column, has the probability 0.
prediction_probabilities <- function(x, levels, n) {
  x <- if (is.data.frame(x) && ncol(x) == 1L) x[[1L]] else if (is.data.frame(x)) as.matrix(x) else x
  if (length(dim(x)) == 3L && dim(x)[3L] == 1L) {
    x <- array(x, dim(x)[1:2], dimnames(x)[1:2])
  }
  if (is.numeric(x) && NCOL(x) == 1L && length(levels) == 2L && !any(colnames(x) %in% levels)) {
    x <- cbind(1 - as.vector(x), as.vector(x))
  }
  if (!is.numeric(x) || length(dim(x)) != 2L || nrow(x) != n) {
    abort_prediction(sprintf("probabilities with a row for each of %d rows and a column a class", n), describe(x))
  }
  names <- sub("^\\.pred_", "", colnames(x))
  at <- if (length(names)) match(names, levels) else if (ncol(x) == length(levels)) seq_along(levels) else NA
  if (anyNA(at) || anyDuplicated(at)) {
    abort_prediction(sprintf("in columns named %s", paste(levels, collapse = ", ")),
                     sprintf("in %d columns named %s", ncol(x), paste(names, collapse = ", ")))
  }
  if (any(x < -1e-6 | x > 1 + 1e-6, na.rm = TRUE)) {
    ends <- format(range(x, na.rm = TRUE), trim = TRUE)
    abort_prediction("probabilities from 0 to 1", sprintf("from %s to %s", ends[1L], ends[2L]))
  }
  out <- matrix(0, n, length(levels), dimnames = list(NULL, levels))
  out[, at] <- x
  out[!stats::complete.cases(x), ] <- NA
  out
}

# The first of equal ones; NA where probabilities are.
most_probable <- function(prob) {
  known <- stats::complete.cases(prob)
  class <- rep(NA_integer_, nrow(prob))
  class[known] <- max.col(prob[known, , drop = FALSE], "first")
  factor(colnames(prob)[class], colnames(prob))
}
