# What is to be predicted: the task that follows from the outcome, `family` and `loss`, and the
# likelihoods that some tasks come with.
#
# A task is a list:
#   kind      "numbers", "counts" or "classes"
#   family    a row of lamina_families, NULL where the loss is no likelihood's
#   loss      for compile(); loss_name for people
#   activation, units  of the output layer
#   levels, original   the classes told apart, and all levels of the factor
#   outcomes  names of the columns of a numeric outcome
#   center, scale      of a numeric outcome; 0 and 1 where it is not standardised

# One row a family.  y: a numeric matrix, or the codes 0, 1, ... of classes; mu: a matrix of means, with a
# column an outcome or class (one, of the second class, for two classes); w: weights of the rows.
#   null      linear predictors without predictors, one for each column of mu, beside the offsets o (all 0
#             where there are none)
#   mean      from linear predictors (a matrix) to means
#   deviance, log_lik  as glm(), lm() and multinom() define them
#   loss      the figure printed, and its name
#   spread    parameters besides the weights
lamina_families <- list(
  gaussian = list(
    loss = "mean_squared_error", activation = "linear", links = "identity", spread = TRUE,
    null = function(y, w, o, k) colSums(w * (y - o)) / sum(w),
    mean = identity,
    deviance = function(y, mu, w) sum(w * (y - mu)^2),
    log_lik = function(y, mu, w) {
      used <- w > 0
      n <- sum(used)
      each <- colSums(w * (y - mu)^2)
      sum(0.5 * (sum(log(w[used])) - n * (log(2 * pi) + 1 - log(n) + log(each))))
    },
    figure = function(y, mu, w) sum(w * (y - mu)^2) / sum(w) / ncol(y),
    figure_name = "mean squared error"
  ),
  binomial = list(
    loss = "binary_crossentropy", activation = "sigmoid", links = "logit", spread = FALSE,
    null = function(y, w, o, k) null_logit(y, w, o),
    mean = stats::plogis,
    deviance = function(y, mu, w) -2 * sum(w * log_probability(y, mu)),
    log_lik = function(y, mu, w) sum(w * log_probability(y, mu)),
    figure = function(y, mu, w) -sum(w * log_probability(y, mu)) / sum(w),
    figure_name = "log loss"
  ),
  poisson = list(
    loss = "poisson", activation = "exponential", links = "log", spread = FALSE,
    null = function(y, w, o, k) log(pmax(colSums(w * y), 1e-6) / sum(w * exp(o))),
    mean = exp,
    deviance = function(y, mu, w) 2 * sum(w * (ifelse(y > 0, y * log(y / mu), 0) - (y - mu))),
    log_lik = function(y, mu, w) sum(w * stats::dpois(y, mu, log = TRUE)),
    figure = function(y, mu, w) lamina_families$poisson$deviance(y, mu, w) / sum(w) / ncol(y),
    figure_name = "mean deviance"
  )
)
lamina_families$multinomial <- utils::modifyList(lamina_families$binomial, list(
  loss = "sparse_categorical_crossentropy", activation = "softmax", links = "logit",
  null = function(y, w, o, k) log(class_shares(y, w, k)),
  mean = function(sums) {
    e <- exp(sums - apply(sums, 1L, max))
    e / rowSums(e)
  }
))

# The intercept of a logistic regression without predictors: where observed and expected numbers agree.
null_logit <- function(codes, w, o) {
  share <- class_shares(codes, w, 2L)[2L]
  if (all(o == 0)) {
    return(stats::qlogis(share))
  }
  excess <- function(b) sum(w) * share - sum(w * stats::plogis(b + o))
  stats::uniroot(excess, stats::qlogis(share) + range(-o) + c(-1, 1), tol = 1e-10)$root
}

# Shares of the classes 0, ..., k - 1; a class that does not occur is not given up for lost.
class_shares <- function(codes, w, k) {
  counts <- vapply(seq_len(k) - 1, function(code) sum(w[codes == code]), 0)
  pmax(counts, 0.5 * sum(w) / length(w)) / sum(pmax(counts, 0.5 * sum(w) / length(w)))
}

# log of the probability given to the class that came true.
log_probability <- function(codes, mu) {
  p <- if (ncol(mu) == 1L) ifelse(codes == 1, mu, 1 - mu) else mu[cbind(seq_along(codes), codes + 1)]
  log(pmax(as.vector(p), .Machine$double.xmin))
}

# Losses that stay the same problem when the outcome is standardised.
scale_free_losses <- c("mean_squared_error", "mean_absolute_error", "huber", "log_cosh")

# What losses of classes ask of the output layer: units "one" (for two classes) or "each" (one a class),
# and targets as codes or as indicator columns.
class_losses <- list(
  binary_crossentropy = list(units = "one", activation = "sigmoid"),
  binary_focal_crossentropy = list(units = "one", activation = "sigmoid"),
  hinge = list(units = "one", activation = "linear"),
  squared_hinge = list(units = "one", activation = "linear"),
  sparse_categorical_crossentropy = list(units = "each", activation = "softmax"),
  categorical_crossentropy = list(units = "each", activation = "softmax", indicators = TRUE),
  categorical_focal_crossentropy = list(units = "each", activation = "softmax", indicators = TRUE),
  kl_divergence = list(units = "each", activation = "softmax", indicators = TRUE),
  categorical_hinge = list(units = "each", activation = "linear", indicators = TRUE),
  mean_squared_error = list(units = "each", activation = "softmax", indicators = TRUE),
  mean_absolute_error = list(units = "each", activation = "softmax", indicators = TRUE)
)

# y: a vector, factor or numeric matrix without NA; name: of the outcome, for messages.
outcome_task <- function(y, name, settings, call) {
  family <- read_family(settings$family, call)
  loss <- read_task_loss(settings$loss, family, call)
  y <- outcome_values(y, name, family, call)
  task <- if (is.factor(y)) {
    class_task(y, name, family, loss, call)
  } else {
    number_task(y, name, family, loss, settings$standardize, call)
  }
  if (!is.null(settings$class_weights) && task$kind != "classes") {
    abort_argument("class_weights", sprintf("NULL for the outcome `%s`, which is no factor", name),
                   describe(settings$class_weights), hint = c(i = "`weights` gives each row a weight."), call = call)
  }
  task
}

# "gaussian", "binomial" or "poisson", from what glm() takes; NULL stays NULL.
read_family <- function(family, call) {
  if (is.null(family)) {
    return(NULL)
  }
  if (is.function(family)) {
    family <- tryCatch(family(), error = function(e) family)
  }
  name <- if (inherits(family, "family")) family$family else family
  known <- c("gaussian", "binomial", "multinomial", "poisson")
  if (!is.character(name) || length(name) != 1L || !name %in% known) {
    abort_argument("family", "gaussian(), binomial() or poisson(), or \"multinomial\"", describe(name), call = call)
  }
  if (inherits(family, "family") && !family$link %in% lamina_families[[name]]$links) {
    abort_argument("family", sprintf("%s with the link \"%s\"", name, lamina_families[[name]]$links),
                   sprintf("the link \"%s\"", family$link), call = call)
  }
  name
}

# list(type, object, plain): the core's name for the loss, NA for a function of the user's own; plain: given
# by name alone.
read_task_loss <- function(loss, family, call) {
  if (is.null(loss)) {
    return(NULL)
  }
  if (!is.null(family)) {
    abort_argument("loss", "left out where `family` is given, which brings its own", "given", call = call)
  }
  read <- read_loss(loss, call = call)
  list(type = if (is.null(read$loss)) NA_character_ else read$loss$type, object = loss, plain = is.character(loss))
}

# Logicals, and the 0 and 1 of family = binomial(), are classes.
outcome_values <- function(y, name, family, call) {
  asks_classes <- isTRUE(family %in% c("binomial", "multinomial"))
  if (is.character(y)) {
    abort_lamina(
      c(sprintf("The outcome `%s` is text.", name), i = sprintf("For classes make it a factor: factor(%s).", name)),
      "data", arg = name, expected = "numbers or a factor", actual = "text", call = call
    )
  }
  if (is.logical(y) && is.null(dim(y)) && !isTRUE(family %in% c("gaussian", "poisson"))) {
    return(factor(y, c(FALSE, TRUE)))
  }
  if (is.factor(y)) {
    if (!is.null(family) && !asks_classes) {
      abort_argument("family", sprintf("left out, or binomial(), for the factor `%s`", name), family, call = call)
    }
    return(y)
  }
  if (!is.numeric(y) && !is.logical(y) || inherits(y, c("Date", "POSIXt", "difftime", "Surv"))) {
    abort_argument(name, "numbers or a factor", describe(y), kind = "data", call = call)
  }
  if (asks_classes) {
    if (!is.null(dim(y)) || !all(y %in% 0:1)) {
      abort_argument(name, sprintf("a factor, or 0 and 1, for family = %s", family),
                     if (is.null(dim(y))) sprintf("%s", format(y[!y %in% 0:1][1L])) else describe(y),
                     hint = if (!is.null(dim(y))) c(i = "Give one row for each trial, or `weights`."), kind = "data", call = call)
    }
    return(factor(y, 0:1))
  }
  y
}

class_task <- function(y, name, family, loss, call) {
  counts <- table(y)
  if (sum(counts > 0) < 2L) {
    abort_lamina(
      c(sprintf("The outcome `%s` has only one class, %s: there is nothing to tell apart.", name, names(counts)[counts > 0]),
        i = if (length(counts) > 1L) sprintf("No row that can be used is of class %s.", shorten(names(counts)[counts == 0]))),
      "data", arg = name, expected = "at least two classes", actual = "one", call = call
    )
  }
  if (any(counts == 0L)) {
    warn_lamina(sprintf("No row of `%s` is of class %s: droplevels() leaves such classes out.", name,
                        paste(names(counts)[counts == 0L], collapse = ", ")), "lamina_warning_levels")
  }
  k <- nlevels(y)
  if (identical(family, "binomial") && k > 2L) {
    abort_argument("family", sprintf("left out, or \"multinomial\", for the %d classes of `%s`", k, name), "binomial", call = call)
  }
  default <- if (k == 2L) "binomial" else "multinomial"
  type <- if (is.null(loss)) lamina_families[[default]]$loss else loss$type
  row <- if (is.null(loss)) default else if (loss$plain) class_likelihoods[type]
  ask <- class_losses[[if (is.na(type)) if (k == 2L) "binary_crossentropy" else "categorical_crossentropy" else type]]
  if (is.null(ask)) {
    abort_argument("loss", sprintf("one for classes (%s)", paste(names(class_losses), collapse = ", ")), sprintf("\"%s\"", type),
                   call = call)
  }
  if (ask$units == "one" && k > 2L) {
    abort_argument("loss", sprintf("one for %d classes, such as \"categorical_crossentropy\"", k), sprintf("\"%s\"", type), call = call)
  }
  list(
    kind = "classes", family = if (!anyNA(row)) unname(row), loss = if (is.null(loss)) type else loss$object,
    loss_name = if (is.na(type)) "own loss" else gsub("_", " ", type),
    activation = ask$activation, units = if (ask$units == "one") 1 else k, indicators = isTRUE(ask$indicators),
    levels = levels(y), ordered = is.ordered(y), outcomes = name, center = 0, scale = 1
  )
}

# Losses that, given by name, are the likelihood of a family.
class_likelihoods <- c(
  binary_crossentropy = "binomial", sparse_categorical_crossentropy = "multinomial",
  categorical_crossentropy = "multinomial"
)
number_likelihoods <- c(mean_squared_error = "gaussian", poisson = "poisson")

number_task <- function(y, name, family, loss, standardize, call) {
  y <- outcome_matrix(y, name)
  if (is.null(family)) {
    family <- if (is.null(loss)) "gaussian" else if (loss$plain) unname(number_likelihoods[loss$type])
    if (anyNA(family)) family <- NULL
  }
  if (identical(family, "poisson") && any(y < 0)) {
    abort_argument(name, "counts, 0 and above, for family = poisson()", format(min(y)), kind = "data", call = call)
  }
  row <- if (!is.null(family)) lamina_families[[family]]
  type <- if (is.null(row)) loss$type else row$loss
  only_classes <- setdiff(names(class_losses), c(scale_free_losses, "kl_divergence"))
  if (type %in% only_classes) {
    abort_argument("loss", sprintf("one for numbers: `%s` is no factor", name), sprintf("\"%s\"", type), call = call)
  }
  constant <- apply(y, 2L, function(v) all(v == v[1L]))
  if (any(constant)) {
    warn_lamina(sprintf("The outcome `%s` is the same number in all rows: there is nothing to learn.", colnames(y)[constant][1L]),
                "lamina_warning_constant")
  }
  scaled <- standardize && (is.na(type) || type %in% scale_free_losses)
  scale <- if (scaled) apply(y, 2L, stats::sd) else rep(1, ncol(y))
  list(
    kind = if (identical(family, "poisson")) "counts" else "numbers", family = family,
    loss = if (is.null(loss)) type else loss$object,
    loss_name = if (is.na(type)) "own loss" else gsub("_", " ", type),
    activation = if (identical(type, "poisson")) "exponential" else "linear",
    units = ncol(y), indicators = FALSE, levels = NULL, ordered = FALSE, outcomes = colnames(y),
    center = if (scaled) colMeans(y) else rep(0, ncol(y)), scale = ifelse(is.finite(scale) & scale > 0, scale, 1)
  )
}

outcome_matrix <- function(y, name) {
  dims <- if (is.null(dim(y))) c(length(y), 1L) else dim(y)
  names <- if (dims[2L] == 1L) name else if (is.null(colnames(y))) paste0(name, seq_len(dims[2L])) else colnames(y)
  matrix(as.double(y), dims[1L], dims[2L], dimnames = list(NULL, names))
}

# Whether the classes are told by signs and sizes of the outputs instead of probabilities (hinge losses).
gives_scores <- function(task) task$kind == "classes" && task$activation == "linear"

task_family <- function(task) if (is.null(task$family)) NULL else lamina_families[[task$family]]

# The outcome as families take it: a numeric matrix, or codes from 0.
task_values <- function(task, y) {
  if (task$kind == "classes") {
    match(as.character(y), task$levels) - 1
  } else {
    outcome_matrix(y, task$outcomes)
  }
}

# The outcome as the network is trained on it.
task_targets <- function(task, y) {
  values <- task_values(task, y)
  if (task$indicators) {
    to_categorical(values, length(task$levels))
  } else if (task$kind == "classes") {
    values
  } else {
    scale_columns(values, task$center, task$scale)
  }
}

scale_columns <- function(x, center, scale) {
  n <- nrow(x)
  (x - rep(center, each = n)) / rep(scale, each = n)
}

# What the network puts out, on the scale of the outcome: a matrix.
task_means <- function(task, out) {
  n <- nrow(out)
  out <- out * rep(task$scale, each = n) + rep(task$center, each = n)
  if (ncol(out) > 1L || task$kind != "classes") colnames(out) <- output_names(task)
  out
}

# Names of the network's outputs.
output_names <- function(task) {
  if (task$kind != "classes") task$outcomes else if (task$units == 1) task$levels[2L] else task$levels
}
