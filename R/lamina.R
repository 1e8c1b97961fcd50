# lamina(): a network as an R model.  The methods bring their data into one form (a mold, lamina-data.R) and
# hand it to fit_tabular(), which settles the task, scales, trains and puts the result together.

#' Fit a network as an R model
#'
#' One call fits a network to a data frame as [lm()], [glm()] or [nnet::nnet()] fit theirs: formula, factors,
#' missing values, weights and offsets are taken care of, predictors and a numeric outcome are standardised
#' (and predictions brought back), training stops when rows held out for that no longer gain by it, and what
#' comes back behaves like other fitted models: see [predict()][predict.lamina_fit],
#' [summary()][summary.lamina_fit], [plot()][plot.lamina_fit] and [tidy()][tidy.lamina_fit].
#'
#' @section The task:
#' The outcome decides what the network ends in and which loss is minimised. *Numbers* (one column, or several:
#' `cbind(a, b) ~ x`) are predicted by mean squared error; a *factor* (or logical) of two levels by one sigmoid unit,
#' of more by a softmax, both by crossentropy; *counts* with `family = poisson()` by an exponential unit and the
#' Poisson likelihood.
#' These are the Gaussian, binomial, multinomial and Poisson likelihoods with their usual links, so that
#' `hidden_units = 0` is the model of [lm()], [glm()] or [nnet::multinom()], and [logLik()], [AIC()] and
#' [deviance()] are there. `family = binomial()` takes 0 and 1 for classes. `loss` puts any other loss
#' in their place; there is then no likelihood.
#'
#' @section The network:
#' `hidden_units = c(32, 16)` is a dense layer of 32 units, one of 16, and the output layer that the
#' task asks for. `layers` gives any other stack of layers before the output, for example
#' `list(layer_dense(units = 32), layer_batch_normalization(), layer_activation(activation = "relu"))`, or, for
#' rows that are flattened pictures, one that begins with [layer_reshape()]; layers taken from another model by
#' [pop_layer()] bring their weights. `penalty` adds
#' `penalty * sum((1 - mixture) * w^2 + mixture * |w|)` over all kernels (not the biases) to the mean loss: the
#' ridge at `mixture = 0`, the lasso at 1.
#'
#' @section Training:
#' Weights start at random and move step by step: each step looks at `batch_size` rows and moves the weights
#' against the slope of their loss, the further the larger `learn_rate` is. One pass over all rows is an epoch.
#'
#' A fraction `validation` of the rows, drawn at random within the classes (or quarters of a numeric
#' outcome), is held out; after `stop_iter` epochs in a row without a better loss on them training ends, and the
#' weights of the best epoch are kept. (With fewer than 10 rows none are held out, and a warning says so.)
#'
#' `optimizer = "bfgs"` instead minimises the loss over all rows by R's own [optim()] (BFGS up to 2,000 weights, its
#' limited-memory form above), as nnet does; on small data this is what wins. It holds out no rows unless asked, and
#' `epochs` are then its iterations (the limited-memory form's evaluations). Randomness comes from R's generator alone:
#' [set.seed()] before the call fixes everything.
#'
#' @section Rows and columns:
#' Text columns are factors; factors become indicator columns by R's contrasts, as in [lm()]. Columns of only 0 and 1 are
#' not scaled. Rows with missing values are left out with a message (`na.action = na.fail` makes that an error).
#' `weights`, `offset` and `subset` are looked up in `data` first. Weights count rows: a weight of 2 is the row twice.
#' An offset is added to the linear predictor; it is there for one outcome of numbers, of two classes, and for counts.
#'
#' @param x A formula, a data frame or matrix of predictors, or a recipe. After `(formula, data)`, `(x, y)` or, for a
#'   recipe, `(x, data)` all methods take the same arguments.
#' @param formula `outcome ~ predictors`, with everything [lm()] takes but the removal of the intercept.
#' @param data A data frame with the variables of the formula.
#' @param y The outcome: a vector, a factor, a matrix of numbers or a data frame of one column.
#' @param ... Must be empty: misspelt arguments are errors.
#' @param weights,offset,subset Numbers for the rows, and which rows to use: expressions of columns of `data`
#'   (formula and recipe), or vectors.
#' @param na.action [na.omit], [na.exclude] or [na.fail], or their names.
#' @param model Whether to keep the data in the result, for [importance()], [partial()] and intervals.
#' @param hidden_units Number of units (neurons) of each hidden layer: 8 is one layer of 8, `c(32, 16)` are two; 0 for
#'   none.
#' @param activation Activation of the hidden layers, such as `"relu"`, `"tanh"` or `"sigmoid"`: one for all, or one
#'   for each.
#' @param dropout Share of the hidden units that is left out at random in each step of training, from 0 (none) to below
#'   1: one for all hidden layers, or one for each. See [layer_dropout()].
#' @param penalty,mixture Size of the penalty on the weights, at least 0 (none), and the share of its absolute part,
#'   from 0 (ridge) to 1 (lasso): see below.
#' @param epochs Epochs at most: 100, or 1,000 iterations for `"bfgs"`, when `NULL`.
#' @param batch_size Number of rows that each step of training looks at.
#' @param learn_rate Learning rate, the size of the steps; `NULL`: 0.01, or what an `optimizer_*()` object says.
#' @param optimizer How the weights are moved: `"adam"` or any other name, an `optimizer_*()` object (see
#'   [optimizer_adam()]), or `"bfgs"`.
#' @param momentum Momentum of the optimizer, for `"sgd"` and `"rmsprop"`; `NULL`: what an `optimizer_*()` object
#'   says, else none.
#' @param validation Fraction of the rows to hold out, from 0 (none: training goes on for all `epochs`) to below 1;
#'   `NULL`: 0.2, or 0 for `"bfgs"`.
#' @param stop_iter Epochs in a row without improvement on the held-out rows after which training ends.
#' @param class_weights Weights of the classes in training: named by level (others weigh 1), in the order
#'   of the levels, one number for the rarest class, or `"balanced"`. Losses of held-out rows and all reported
#'   figures are unweighted.
#' @param family `gaussian()`, `binomial()` or `poisson()`, or their names; `NULL`: by the outcome.
#' @param loss A loss instead of that of the family: a name, a `loss_*()` object, or a function (see
#'   [compile()][compile.lamina_model]).
#' @param layers A list of layers that takes the place of `hidden_units`, `activation` and `dropout`.
#' @param standardize Whether to standardise predictors and numeric outcome, to mean 0 and standard deviation 1.
#' @param start Weights to start from, a list of arrays as [get_weights()] gives, on the standardised scale.
#' @param metrics Metrics that are measured after each epoch beside the loss, for the history, such as `"mae"`; `NULL`:
#'   accuracy for classes, none for numbers.
#' @param callbacks Callbacks for [fit()][fit.lamina_model].
#' @param times Number of networks trained on bootstrap samples along with the fit, for intervals (see
#'   [predict()][predict.lamina_fit]); 0: none, they are trained when intervals are asked for.
#' @param keep_epochs Whether to keep the weights after each epoch that was the best so far, for
#'   predictions with fewer epochs (package parsnip's `multi_predict()`).
#' @param verbose Progress, as for [fit()][fit.lamina_model]; `"auto"`: a bar at the console, else nothing.
#' @return An object of class `lamina_fit`, for [predict()][predict.lamina_fit], [summary()][summary.lamina_fit],
#'   [plot()][plot.lamina_fit], [`coef()`][lamina_methods], [`residuals()`][lamina_methods] and the like. Of its parts,
#'   `network` is the trained model for [layer_outputs()], [plot()] and the like (train a [clone_model()] of it, not
#'   itself), `history` the history of the training, `blueprint` hardhat's.
#' @section Errors:
#' `lamina_error_argument` and `lamina_error_data` name argument or column, what was expected and what was
#' found. Ctrl-C ends training with a warning and returns what is trained so far.
#' @seealso [keras_model_sequential()] to build a network layer by layer; [compare_models()] to compare a network with
#'   other models; [importance()] and [partial()] for what the predictors do; `vignette("lamina", package = "lamina")`.
#' @family R models
#' @examples
#' # one hidden layer of 8 units; other random numbers give another fit, hence the seed
#' set.seed(1)
#' fit <- lamina(Species ~ ., iris, hidden_units = 8, epochs = 60)
#' fit
#' predict(fit, iris[c(1, 51, 101), ], type = "class")
#' predict(fit, iris[c(1, 51, 101), ], type = "prob")
#'
#' # without hidden layers: lm()
#' linear <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs")
#' rbind(lamina = coef(linear), lm = coef(lm(mpg ~ wt + hp, mtcars)))
#'
#' # counts, with an exposure
#' lamina(Claims ~ District + Age, MASS::Insurance, family = poisson(), offset = log(Holders),
#'        hidden_units = 4, optimizer = "bfgs", penalty = 0.001)
#' @export
lamina <- function(x, ...) UseMethod("lamina")

#' @export
lamina.default <- function(x, ...) {
  hint <- if (is.list(x)) c(i = "Give a data frame.") else if (is.array(x)) {
    c(i = "For arrays of three dimensions and more flatten the samples, and begin `layers` with layer_reshape().")
  }
  abort_argument("x", "a formula, a data frame, a matrix or a recipe", if (missing(x)) "missing" else describe(x), hint = hint)
}

#' @rdname lamina
#' @export
lamina.formula <- with_settings(function(formula, data, ...) {
  asked <- read_call(environment(), match.call(), list(...))
  fit_tabular(mold_formula(formula, data, asked$frame), data, asked, formula)
})

#' @rdname lamina
#' @export
lamina.data.frame <- with_settings(function(x, y, ...) {
  asked <- read_call(environment(), match.call(), list(...))
  outcome <- outcome_argument(y)
  fit_tabular(mold_frame(x, outcome$values, outcome$name, asked$frame), x, asked)
})

#' @rdname lamina
#' @usage NULL
#' @export
lamina.matrix <- with_settings(function(x, y, ...) {
  asked <- read_call(environment(), match.call(), list(...))
  outcome <- outcome_argument(y)
  fit_tabular(mold_matrix(x, outcome$values, outcome$name, asked$frame), x, asked)
})

#' @rdname lamina
#' @usage NULL
#' @export
lamina.recipe <- with_settings(function(x, data, ...) {
  asked <- read_call(environment(), match.call(), list(...))
  fit_tabular(mold_recipe(x, data, asked$frame), data, asked)
})

outcome_argument <- function(y, call = rlang::caller_env()) {
  if (is.null(y)) {
    abort_argument("y", "the outcome", "NULL", call = call)
  }
  name <- ".outcome"
  if (is.data.frame(y)) {
    if (ncol(y) == 1L) name <- names(y)
    y <- if (ncol(y) == 1L) y[[1L]] else frame_matrix(y, "y", call)
  } else if (length(dim(y)) == 1L) {
    y <- as.vector(y)
  }
  list(values = y, name = name)
}

# ---- the bridge ----------------------------------------------------------------------------------

# data: where weights, offset and subset are looked up; asked: what read_call() gives.
fit_tabular <- function(mold, data, asked, formula = NULL) {
  frame <- asked$frame
  settings <- asked$settings
  given <- row_arguments(asked$quos, data, frame)
  mold$data <- add_columns(mold$data, data, all.vars(rlang::quo_get_expr(asked$quos$offset)))
  weights <- check_row_weights(if (is.null(given$weights)) mold$weights else given$weights, frame)
  offset <- if (is.null(given$offset) || is.null(mold$offset)) c(given$offset, mold$offset) else given$offset + mold$offset
  if (!is.null(given$subset)) {
    chosen <- subset_rows(given$subset, nrow(mold$x), frame)
    mold[c("x", "y", "data")] <- lapply(mold[c("x", "y", "data")], take_rows, chosen)
    weights <- weights[chosen]
    offset <- offset[chosen]
  }
  usable <- usable_rows(mold, weights, offset, asked$na_action, frame)
  rows <- usable$rows
  train <- list(x = mold$x[rows, , drop = FALSE], y = take_rows(mold$y, rows), w = weights[rows], offset = offset[rows])
  check_enough_rows(rows, frame)
  if (is.null(train$w)) train$w <- rep(1, length(rows))

  task <- outcome_task(train$y, mold$outcome, settings, frame)
  task$class_weights <- task_class_weights(task, train$y, settings$class_weights, frame)
  check_task_offset(task, train$offset, frame)
  check_task_weights(task, weights, settings, frame)
  predictors <- if (is.data.frame(mold$data)) mold$data[setdiff(names(mold$data), c(mold$outcome, all.vars(formula[2L])))] else mold$x
  warn_constant(take_rows(predictors, rows))
  scaling <- predictor_scaling(train$x, settings$standardize)
  train$x <- scale_columns(train$x, scaling$center, scaling$scale)
  held <- settle_validation(task, train$y, settings, frame)

  trained <- train_once(settings, task, train, held, frame)
  fit <- hardhat::new_model(
    network = trained$network, history = trained$history, task = task, settings = settings, scaling = scaling,
    call = asked$call, formula = formula, outcome = mold$outcome, predictors = colnames(mold$x),
    training = trained[c("epochs", "best_epoch", "converged", "interrupted")], kept = trained$kept,
    held_out = held, na.action = usable$na.action, offset_quo = asked$quos$offset,
    train = list(data = if (asked$keep_data) take_rows(mold$data, rows), y = train$y,
                 weights = if (!is.null(weights)) train$w, offset = train$offset),
    blueprint = mold$blueprint, class = "lamina_fit"
  )
  class(fit) <- c(class(fit), "lamina") # DALEX calls a model by its last class
  fit$fitted.values <- network_means(fit, train$x, train$offset)
  fit$figures <- fit_figures(fit, train$w)
  if (settings$times > 0 && !trained$interrupted) {
    fit$ensemble <- train_ensemble(fit, settings$times, "bootstrap", frame, train$x)
  }
  if (trained$interrupted) {
    warn_lamina(sprintf("Interrupted after epoch %d: this is what was trained by then.", trained$epochs), "lamina_warning_interrupt")
  }
  fit
}

# Kept data that can be predicted for again hold the columns of the offset, too.
add_columns <- function(kept, data, names) {
  if (is.data.frame(kept) && is.data.frame(data)) {
    new <- setdiff(intersect(names, names(data)), names(kept))
    kept[new] <- data[new]
  }
  kept
}

subset_rows <- function(subset, n, call) {
  ok <- is.logical(subset) && length(subset) == n || is.numeric(subset) && all(abs(subset) <= n, na.rm = TRUE)
  if (!ok) {
    abort_argument("subset", sprintf("%d logicals, or numbers of rows", n), describe(subset), call = call)
  }
  rows <- seq_len(n)[subset]
  rows[!is.na(rows)]
}

check_enough_rows <- function(rows, call) {
  if (length(rows) < 2L) {
    abort_lamina(sprintf("There %s to learn from; at least two are needed.",
                         if (length(rows) == 1L) "is one row" else "are no rows"), "data", arg = "data",
                 expected = "at least two rows", actual = length(rows), call = call)
  }
}

# Weights of the classes, one for each level, or NULL.
task_class_weights <- function(task, y, weights, call) {
  if (is.null(weights)) {
    return(NULL)
  }
  codes <- task_values(task, y)
  k <- length(task$levels)
  if (is.numeric(weights) && length(weights) == 1L && is.null(names(weights))) { # for the rarest class that occurs
    counts <- tabulate(codes + 1, k)
    weights <- stats::setNames(weights, task$levels[which.min(ifelse(counts > 0, counts, Inf))])
  }
  class_weights(weights, codes, k, task$levels, call, arg = "class_weights")
}

check_task_offset <- function(task, offset, call) {
  if (is.null(offset)) {
    return(invisible())
  }
  if (is.null(task$family) || task$family == "multinomial" || task$units > 1) {
    abort_argument("offset", "left out but for one outcome of numbers, two classes or counts, with their own loss", "given", call = call)
  }
}

# An R function as the loss is given outcome and prediction, not weights.
check_task_weights <- function(task, weights, settings, call) {
  given <- c(weights = !is.null(weights), class_weights = !is.null(settings$class_weights))
  if (is.function(task$loss) && any(given)) {
    abort_argument(names(given)[given][1L], "left out with a loss of one's own, which is not told of weights", "given", call = call)
  }
}

# The rows held out, or NULL.
settle_validation <- function(task, y, settings, call) {
  if (settings$validation == 0) {
    return(NULL)
  }
  strata <- outcome_strata(task, y)
  held <- held_out_rows(strata, settings$validation)
  if (length(held) == 0L || length(strata) < 10L) {
    warn_lamina(
      c(sprintf("%d rows are too few to hold some out: training goes on for all epochs.", length(strata)),
        i = "On small data optimizer = \"bfgs\" with a `penalty` does well."),
      "lamina_warning_validation"
    )
    return(NULL)
  }
  held
}

# Trains a new network on rows that are ready (see scale_columns() and task_targets()).
train_once <- function(settings, task, train, held, call = rlang::caller_env()) {
  parts <- training_parts(task, train)
  w <- train$w / mean(train$w)
  by_class <- if (is.null(task$class_weights)) 1 else task$class_weights[task_values(task, train$y) + 1]
  used <- setdiff(seq_len(nrow(train$x)), held)
  part <- function(rows, w) {
    if (parts$weighted) w <- w * parts$factor
    y <- take_rows(parts$y, rows)
    if (parts$own) y[, 3L] <- w[rows]
    list(x = train$x[rows, , drop = FALSE], y = y, w = if (!parts$own && !all(w == 1)) w[rows])
  }
  network <- tabular_network(settings, task, ncol(train$x), offset = parts$own)
  check_output_shape(network, task, call)
  trained <- train_tabular(network, settings, part(used, w * by_class), if (length(held)) part(held, w),
                           start_bias(task, train), call)
  if (parts$own) {
    set_output_activation(network, task)
  }
  c(list(network = network), trained)
}

# Targets, with the offset worked in.  Numbers: subtracted.  Counts: exp(offset) is an exposure, and the Poisson
# likelihood of y at exposure e and rate r is that of y / e at rate r with weight e.  Two classes: the loss adds it.
training_parts <- function(task, train) {
  parts <- list(y = task_targets(task, train$y), own = FALSE, weighted = FALSE, factor = 1)
  if (is.null(train$offset)) {
    return(parts)
  }
  if (task$kind == "numbers") {
    parts$y <- parts$y - train$offset / task$scale
  } else if (task$kind == "counts") {
    parts$factor <- exp(train$offset)
    parts$y <- parts$y / parts$factor
    parts$weighted <- TRUE
  } else {
    parts$y <- cbind(parts$y, train$offset, 1)
    parts$own <- TRUE
  }
  parts
}

# Where the output layer's bias starts: at the model without predictors, on the network's scale.  NULL: at 0.
start_bias <- function(task, train) {
  if (!is.null(task$family)) {
    (null_link(task, train$y, train$w, train$offset) - task$center) / task$scale
  }
}

# The linear predictors of the model without predictors, beside the offset.
null_link <- function(task, y, w, offset) {
  o <- if (is.null(offset)) rep(0, length(w)) else offset
  task_family(task)$null(task_values(task, y), w, o, length(task$levels))
}

check_output_shape <- function(network, task, call) {
  shape <- network$info[[length(network$info)]]$output_shape
  if (length(shape) != 1L) {
    abort_argument("layers", "a stack that ends in one row of numbers for each sample",
                   sprintf("one that ends in %s", shape_text(utils::head(shape, -1L))), hint = c(i = "Add layer_flatten()."), call = call)
  }
}

# The output layer gets its activation once a loss of its own, which worked on weighted sums, has done its part.
set_output_activation <- function(network, task) {
  weights <- get_weights(network)
  pop_layer(network)
  layer_dense(network, task$units, activation = task$activation, name = "output")
  compile(network, optimizer = "sgd", loss = task$loss)
  set_weights(network, weights)
}

# ---- means and figures ---------------------------------------------------------------------------

# What the network predicts for scaled inputs, on the scale of the outcome: a matrix.
network_means <- function(fit, x, offset = NULL, network = fit$network) {
  if (is.null(offset)) {
    return(task_means(fit$task, predict(network, x, batch_size = 256, distribute = FALSE)))
  }
  task_family(fit$task)$mean(network_link(fit, x, offset, network))
}

# The linear predictor on the scale of the outcome.
network_link <- function(fit, x, offset = NULL, network = fit$network) {
  task <- fit$task
  sums <- network_sums(network, x)
  if (task$kind == "numbers") {
    sums <- task_means(task, sums)
  } else {
    colnames(sums) <- colnames(task_means(task, sums))
  }
  if (length(offset)) sums + offset else sums
}

# What the output layer adds up, before its activation, in double precision.
network_sums <- function(network, x) {
  n <- length(model_layers(network))
  below <- if (n == 1L) x else layer_outputs(network, x, n - 1L)
  weights <- utils::tail(get_weights(network), 2L)
  below %*% weights[[1L]] + rep(as.vector(weights[[2L]]), each = nrow(below))
}

# The loss of the fit and of the model without predictors: list(name, fit, held, all, null).
fit_figures <- function(fit, w) {
  task <- fit$task
  y <- task_values(task, fit$train$y)
  family <- task_family(task)
  null <- null_means(fit, w)
  figure <- if (is.null(family)) own_figure(fit) else family$figure
  used <- setdiff(seq_along(w), fit$held_out)
  at <- function(mu, rows) figure(take_rows(y, rows), mu[rows, , drop = FALSE], w[rows])
  list(
    name = if (is.null(family)) task$loss_name else family$figure_name,
    fit = at(fit$fitted.values, used), held = if (length(fit$held_out)) at(fit$fitted.values, fit$held_out),
    all = at(fit$fitted.values, seq_along(w)), null = at(null, seq_along(w))
  )
}

# Means without predictors, a row a sample; NA where there is no such thing (a hinge loss).
null_means <- function(fit, w) {
  task <- fit$task
  n <- length(w)
  if (gives_scores(task)) {
    return(matrix(NA_real_, n, task$units))
  }
  if (is.null(task$family)) { # another loss: the means, or shares
    task$family <- if (task$kind != "classes") "gaussian" else if (task$units == 1) "binomial" else "multinomial"
  }
  link <- null_link(task, fit$train$y, w, fit$train$offset)
  sums <- matrix(link, n, length(link), byrow = TRUE)
  task_family(task)$mean(if (is.null(fit$train$offset)) sums else sums + fit$train$offset)
}

# The network's own loss for means: on the scale it is trained on.
own_figure <- function(fit) {
  task <- fit$task
  compiled <- fit$network$compiled
  function(y, mu, w) {
    if (task$kind == "classes") {
      y <- if (task$indicators) to_categorical(y, length(task$levels)) else y
    } else {
      y <- scale_columns(y, task$center, task$scale)
      mu <- scale_columns(mu, task$center, task$scale)
    }
    if (!is.null(compiled$own_loss)) {
      return(as.double(compiled$own_loss(if (is.null(dim(y))) matrix(y) else y, mu)$value))
    }
    sum(w * as.vector(loss_values(compiled$loss, y, mu))) / sum(w)
  }
}
