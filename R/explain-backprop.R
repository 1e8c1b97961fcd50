# One step of training with all its numbers: explain_backprop() and the tables in its result.  The derivation in
# words and formulas is in print-backprop.R, the picture in plot-backprop.R.
#
# Nothing is computed by formulas of this file that the engine has: weighted sums, activations, slopes, losses and
# gradients are asked of it, where need be of small networks made of one layer.  What is done here are the products
# and sums of the chain rule.

# How many weights times samples are explained: each has a row in a table.
BACKPROP_LIMIT <- 10000

#' One step of backpropagation, number by number
#'
#' Takes a network through one step of training and keeps every number on the way: weighted sums and activations
#' forward, the loss, the factors of the chain rule backward, the gradients, and the new weights. Printed, it is the
#' calculation line by line, to be followed with pencil and paper. The model itself is left as it is.
#'
#' Backpropagation is the chain rule, applied from the loss \eqn{L} back to the first layer. For a dense layer
#' \eqn{s} with weights \eqn{w}{w}, biases \eqn{b}{b}, inputs \eqn{a^{(s-1)}}{a[s-1]} (what the layer before puts
#' out), weighted sums \eqn{z}{z} and activation \eqn{f}{f} the step is (Rumelhart, Hinton and Williams 1986)
#'
#' \deqn{z^{(s)}_j = \sum_i a^{(s-1)}_i w^{(s)}_{i,j} + b^{(s)}_j, \quad a^{(s)} = f(z^{(s)})}{
#'   z[j] = sum_i a_before[i] w[i, j] + b[j],  a = f(z)}
#' \deqn{\frac{\partial L}{\partial z^{(s)}_j} = \sum_k \frac{\partial L}{\partial a^{(s)}_k}
#'   \frac{\partial a^{(s)}_k}{\partial z^{(s)}_j}, \quad
#'   \frac{\partial L}{\partial w^{(s)}_{i,j}} = \frac{\partial L}{\partial z^{(s)}_j} a^{(s-1)}_i, \quad
#'   \frac{\partial L}{\partial a^{(s-1)}_i} = \sum_j w^{(s)}_{i,j} \frac{\partial L}{\partial z^{(s)}_j}}{
#'   dL/dz[j] = sum_k dL/da[k] da[k]/dz[j],  dL/dw[i, j] = dL/dz[j] a_before[i],
#'   dL/da_before[i] = sum_j w[i, j] dL/dz[j]}
#'
#' where the sum over \eqn{k} has one term unless the activation is a softmax. With several samples each has a loss
#' and derivatives of its own; the gradient is their mean (their sum for a loss with `reduction = "sum"`, or for a
#' loss of one's own, which averages by itself), plus the slope of the penalties.
#'
#' @section How exact it is:
#' Column `gradient` holds the numbers of [compute_gradients()] themselves, `new_weight` those after
#' [train_on_batch()] on a copy of the model, with the state that the optimizer has. The engine computes with numbers
#' of 24 bits (single precision); its sums, activations, slopes and derivatives of the loss are the factors in the
#' tables. Their products and sums are formed here in double precision, so `chain + penalty` agrees with `gradient`
#' up to the engine's rounding, some \eqn{10^{-7}}{1e-7} of the terms (\eqn{10^{-3}}{1e-3} where the model is compiled with
#' `precision = "bfloat16"`); `x$rounding` tells how far at most.
#'
#' Where a network ends in a sigmoid or softmax with its crossentropy, the engine differentiates both as one:
#' \eqn{\partial L / \partial z}{dL/dz} then comes from the weighted sums, and stays exact where probabilities
#' are so close to 0 or 1 that the two factors would lose it.
#'
#' @param model A compiled model of [layer_dense()], [layer_activation()] and its kin, and
#'   [layer_activity_regularization()] layers, with an input of one dimension. Weights times samples may be 10,000 at most.
#' @param x,y Inputs and targets of one or several samples, as for [train_on_batch()]: matrices with a row a sample
#'   (one sample is a matrix of one row), or for `y` what the loss takes, classes counted from 0.
#'   Of the methods `x` is an explanation.
#' @param ... Not used.
#' @return An object of class `lamina_backprop` with [print()][print.lamina_backprop], `format()`, `toLatex()` and
#'   [plot()][plot.lamina_backprop] methods; knitr prints it as formulas. Its tables, as data frames, come from
#'   `tidy(x, what)`:
#'
#'   * `"weights"`: a row a weight. `layer`; `term`, such as `w2[1,3]`, from the first unit before layer 2 to its
#'     third, as in `get_weights()`; `from`, `to` (positions; `from` is 0 for a bias); `weight`; `chain`, the product of
#'     the factors averaged over the samples; `penalty`, the regularizer's slope; `gradient`, the engine's (`NA` for
#'     frozen weights); `new_weight`; `change`.
#'   * `"units"`: a row a sample and unit. `sample`, `layer`, `unit`, `sum`, `activation`, `d_activation` (dL/da, the
#'     penalty on activations in it), `slope` (da/dz; `NA` for softmax), `d_sum` (dL/dz).
#'   * `"chain"`: a row a sample and weight. `d_sum` and `input`, the factors; `product`; `share`, what the sample
#'     counts in the mean.
#'   * `"slopes"`: for softmax the derivatives of each activation `of` by each sum `by`.
#'   * `"samples"`: `loss` and `share` of each sample.
#'
#'   `as.data.frame(x)` is all of it, one number a row: `step`, `sample`, `layer`, `quantity`, `term`, `value`.
#' @section Errors:
#' `lamina_error_argument` for a model with other layers (the error names the first), with an activation that is an
#' R function, or too large; `lamina_error_state` for one that is not compiled; `lamina_error_shape` and
#' `lamina_error_data` for data that do not fit.
#' @references
#' Rumelhart, D. E., Hinton, G. E. and Williams, R. J. (1986). Learning representations by back-propagating errors.
#' *Nature* 323, 533-536. \doi{10.1038/323533a0}
#' @seealso [compute_gradients()] for the gradients of any model; `vignette("v07-backpropagation", package = "lamina")`.
#' @family teaching
#' @examples
#' # 2-3-2 with weights set by hand; one step of gradient descent with learning rate 0.5
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(3, activation = "sigmoid") |>
#'   layer_dense(2, activation = "sigmoid")
#' set_weights(model, list(matrix(c(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), 2), c(0.1, 0.1, 0.1),
#'                         matrix(c(0.1, 0.3, 0.5, 0.2, 0.4, 0.6), 3), c(0.2, 0.2)))
#' model |> compile(optimizer = optimizer_sgd(learning_rate = 0.5), loss = "mse")
#'
#' step <- explain_backprop(model, x = matrix(c(1, 0.5), 1), y = matrix(c(1, 0), 1))
#' step
#' plot(step)
#' tidy(step) # a row for each weight: gradient, new weight
#' tidy(step, "units")
#' toLatex(step)
#' @export
explain_backprop <- function(model, x, y) {
  check_model(model, arg = "model")
  require_compiled(model)
  call <- rlang::current_env()
  check_explainable(model, call)
  x <- seen_inputs(model, x, call = call)
  if (length(model$shape) != 1L) {
    abort_argument("model", "a model whose input has one dimension", sprintf("one of shape %s", shape_text(model$shape)))
  }
  if (missing(y) || is.null(y)) {
    abort_argument("y", "the targets", if (missing(y)) "missing" else "NULL")
  }
  check_backprop_size(model, nrow(x), call)
  found <- compute_gradients(model, x, y) # makes the weights of a new model, by R's random numbers
  with_kept_seed(backprop_step(model, x, y, found))
}

explained_types <- c("dense", "activation", "activity_regularization")

check_explainable <- function(model, call) {
  for (layer in all_layers(model)) {
    self <- layer_self(layer)
    if (is_front(layer) || !self$type %in% explained_types) {
      abort_argument(
        "model", "a model of dense and activation layers",
        sprintf("one with layer `%s` (%s)", self$name, self$class), layer = self$name, call = call,
        hint = c(i = "`compute_gradients()` gives the gradients of any model.")
      )
    }
    if (!is.null(self$functions$activation)) {
      abort_argument("model", "a model with activations of lamina's",
                     sprintf("one whose layer `%s` has an R function", self$name), layer = self$name, call = call)
    }
  }
}

check_backprop_size <- function(model, n, call) {
  weights <- count_params(model)
  if (weights * n > BACKPROP_LIMIT) {
    abort_argument(
      "model", sprintf("small: weights times samples may be %s at most", format(BACKPROP_LIMIT, big.mark = ",")),
      sprintf("%s weights and %s samples", format(weights, big.mark = ","), format(n, big.mark = ",")), call = call,
      hint = c(i = "Explain fewer samples, or a smaller network.")
    )
  }
}

backprop_step <- function(model, x, y, found) {
  twin <- copy_model(model)
  stages <- backprop_stages(model, x)
  ends <- loss_slopes(model, stages[[length(stages)]], y)
  stages <- backward_stages(stages, ends, nrow(x))
  rate <- model_rate(model)
  train_on_batch(twin, x, y)
  out <- structure(
    list(
      loss = found$loss, x = x, y = backprop_targets(model, y), stages = stages, samples = ends$samples,
      weights = backprop_weights(model, twin, stages, found, ends$samples),
      about = list(
        sizes = network_sizes(model), loss = model$compiled$loss_label, optimizer = model$compiled$optimizer$type,
        rate = rate, plain = is_plain_sgd(model), folded = ends$folded,
        smoothed = isTRUE(model$compiled$loss$config$label_smoothing > 0),
        constrained = has_constraints(model), columns = backprop_columns(model),
        penalty = if (any(unlist(lapply(stages, `[[`, "penalty")) != 0)) {
          found$loss - sum(ends$samples$share * ends$samples$loss)
        } else {
          0
        }
      )
    ),
    class = "lamina_backprop"
  )
  out$rounding <- largest_rounding(out)
  out
}

# What the picture draws, made now: the model may change.  NULL without dense layers.
backprop_columns <- function(model) {
  if (is_network(model)) {
    network_columns(model, list(shapes = FALSE, dtype = FALSE, names = FALSE))
  }
}

backprop_targets <- function(model, y) {
  y <- as_targets(y, model, target_decoder(y, model))
  matrix(as.double(y), nrow = sample_count(y))
}

# ---- forward -------------------------------------------------------------------------------------

# A stage for each layer: name, class, input, kernel, bias (NULL without), trained, sum, activation (values), type
# and label of the activation, slope or jacobian, penalties.
backprop_stages <- function(model, x) {
  layers <- model_layers(model)
  outputs <- network_outputs(model, x, seq_along(layers))
  weights <- get_weights(model)
  owner <- weight_owner(model)
  trained <- weight_trainable(model)
  lapply(seq_along(layers), function(s) {
    self <- layer_self(layers[[s]])
    input <- if (s == 1L) x else outputs[[s - 1L]]
    own <- weights[owner == s]
    sum <- vjp_layers(model, input, s - 1L, s, 0 * outputs[[s]], linear = TRUE)$outputs
    spec <- self$config$activation
    c(
      list(name = self$name, class = self$class, input = input, kernel = if (length(own)) own[[1L]],
           bias = if (length(own) > 1L) own[[2L]], trained = any(trained[owner == s]), sum = sum,
           activation = outputs[[s]], type = if (is.null(spec)) "linear" else spec$type,
           penalty = list(kernel = penalty_factors(self$config$kernel_regularizer),
                          bias = penalty_factors(self$config$bias_regularizer),
                          activity = penalty_factors(self$config$activity_regularizer))),
      activation_slopes(spec, sum)
    )
  })
}

# c(l1, l2) of a regularizer's spec; those that it leaves out are regularizer_l1()'s and regularizer_l2()'s.
penalty_factors <- function(spec) {
  if (is.null(spec)) {
    return(c(l1 = 0, l2 = 0))
  }
  default <- c(l1 = if (spec$type == "l1") 0.01 else 0, l2 = if (spec$type == "l2") 0.01 else 0)
  given <- unlist(spec$config[c("l1", "l2")])
  default[names(given)] <- given
  default
}

penalty_slope <- function(factors, w) factors[["l1"]] * sign(w) + 2 * factors[["l2"]] * w

single_layer <- function(units, spec) {
  activation <- if (is.null(spec)) "linear" else new_spec("activation", spec$type, spec$config)
  keras_model_sequential(input_shape = units) |> layer_activation(activation)
}

# Of activations that work number by number list(slope), like `sum`; of the others list(jacobian), an array of samples x
# activations x sums.
activation_slopes <- function(spec, sum) {
  units <- ncol(sum)
  model <- single_layer(units, spec)
  by <- function(seed) vjp_layers(model, sum, 0L, 1L, seed)$gradient
  if (is.null(spec) || !spec$type %in% c("softmax", "log_softmax")) {
    return(list(slope = by(matrix(1, nrow(sum), units))))
  }
  jacobian <- array(0, c(nrow(sum), units, units))
  for (k in seq_len(units)) {
    seed <- matrix(0, nrow(sum), units)
    seed[, k] <- 1
    jacobian[, k, ] <- by(seed)
  }
  list(jacobian = jacobian)
}

# ---- the loss ------------------------------------------------------------------------------------

# The loss of each sample, what it counts in the whole, its derivative by the last activations, and by the last
# sums where the engine takes activation and loss as one.
loss_slopes <- function(model, last, y) {
  n <- nrow(last$sum)
  own <- !is.null(model$compiled$own_loss)
  tail <- function(spec) {
    out <- single_layer(ncol(last$sum), spec)
    out$compiled <- model$compiled
    out$compiled$sum_loss <- !own # each sample's own derivative, whatever the others are
    out
  }
  plain <- tail(NULL)
  whole <- compute_gradients(plain, last$activation, y)
  loss <- if (own) {
    rep(whole$loss / n, n)
  } else {
    vapply(seq_len(n), function(i) compute_gradients(plain, last$activation, y, as.double(seq_len(n) == i))$loss, 0)
  }
  folded <- folds_head(model, last)
  at_sums <- if (folded) compute_gradients(tail(list(type = last$type, config = list())), last$sum, y)$inputs
  list(
    samples = data.frame(sample = seq_len(n), loss = loss, share = if (own) 1 else sample_share(model, y, n)),
    d_activation = whole$inputs, d_sum = at_sums, folded = folded
  )
}

# What a sample's loss counts in that of the batch.
sample_share <- function(model, y, n) {
  if (isTRUE(model$compiled$sum_loss)) {
    return(1)
  }
  ignored <- model$compiled$loss$config$ignore_class
  1 / if (is.null(ignored)) n else max(1, sum(backprop_targets(model, y) != ignored))
}

# As lam_net_fuses_head() (src/nn/net.c) decides.
folds_head <- function(model, last) {
  loss <- model$compiled$loss
  with <- switch(if (is.null(loss)) "" else loss$type, binary_crossentropy = "sigmoid", categorical_crossentropy = ,
                 sparse_categorical_crossentropy = "softmax", "")
  last$type == with && !isTRUE(loss$config$from_logits) && all(last$penalty$activity == 0)
}

# ---- backward ------------------------------------------------------------------------------------

# Adds to each stage, for each sample's own loss: d_activation, in it the penalty on activations (`activity`), and
# d_sum; `size`, the same as d_sum with the absolute values of all that is multiplied and added up.
backward_stages <- function(stages, ends, n) {
  share <- ends$samples$share
  arriving <- ends$d_activation
  arriving_size <- abs(arriving)
  for (s in rev(seq_along(stages))) {
    stage <- stages[[s]]
    activity <- penalty_slope(stage$penalty$activity, stage$activation) / (n * share)
    d_activation <- arriving + activity
    d_sum <- through_activation(d_activation, stage$slope, stage$jacobian)
    size <- through_activation(arriving_size + abs(activity), absolute(stage$slope), absolute(stage$jacobian))
    if (s == length(stages) && ends$folded) {
      d_sum <- ends$d_sum
      size <- pmax(size, abs(d_sum))
    }
    stages[[s]] <- c(stage, list(d_activation = d_activation, activity = activity, d_sum = d_sum, size = size))
    before <- function(d, kernel) if (is.null(kernel)) d else d %*% t(kernel)
    arriving <- before(d_sum, stage$kernel)
    arriving_size <- before(size, absolute(stage$kernel))
  }
  stages
}

absolute <- function(v) if (!is.null(v)) abs(v)

# From derivatives by activations to those by sums.
through_activation <- function(d, slope, jacobian) {
  if (length(slope)) {
    return(d * slope)
  }
  by <- lapply(seq_len(ncol(d)), function(j) rowSums(d * array(jacobian[, , j], dim(d))))
  matrix(unlist(by), nrow(d))
}

# ---- weights -------------------------------------------------------------------------------------

weight_term <- function(s, from, to) {
  ifelse(from + 0 * to == 0, sprintf("b%d[%d]", s, to), sprintf("w%d[%d,%d]", s, from, to))
}

# One row a weight: where it goes from and to (from 0: the bias).
stage_weights <- function(stages) {
  rows <- lapply(seq_along(stages), function(s) {
    stage <- stages[[s]]
    if (is.null(stage$kernel)) {
      return(NULL)
    }
    dims <- dim(stage$kernel)
    from <- c(rep(seq_len(dims[1L]), dims[2L]), if (!is.null(stage$bias)) rep(0L, dims[2L]))
    to <- c(rep(seq_len(dims[2L]), each = dims[1L]), if (!is.null(stage$bias)) seq_len(dims[2L]))
    data.frame(layer = stage$name, term = weight_term(s, from, to), from = from, to = to, stage = s)
  })
  rows <- do.call(rbind, rows)
  if (is.null(rows)) {
    rows <- data.frame(layer = character(), term = character(), from = integer(), to = integer(), stage = integer())
  }
  rows
}

backprop_weights <- function(model, twin, stages, found, samples) {
  rows <- stage_weights(stages)
  weights <- get_weights(model)
  gradient <- lapply(weights, function(w) rep(NA_real_, length(w)))
  gradient[weight_trainable(model)] <- found$weights
  per_stage <- function(part) as.double(unlist(lapply(stages, part)))
  rows$weight <- as.double(unlist(weights))
  rows$chain <- per_stage(function(stage) {
    if (!is.null(stage$kernel)) {
      d <- samples$share * stage$d_sum
      c(t(stage$input) %*% d, if (!is.null(stage$bias)) colSums(d))
    }
  })
  rows$penalty <- per_stage(function(stage) {
    if (!is.null(stage$kernel)) {
      stage$trained * c(penalty_slope(stage$penalty$kernel, stage$kernel),
                        if (!is.null(stage$bias)) penalty_slope(stage$penalty$bias, stage$bias))
    }
  })
  rows$gradient <- as.double(unlist(gradient))
  rows$new_weight <- as.double(unlist(get_weights(twin)))
  rows$change <- rows$new_weight - rows$weight
  rows
}

# Whether the new weight is the old one minus rate times gradient, and nothing else.
is_plain_sgd <- function(model) {
  spec <- model$compiled$optimizer
  acts <- c("momentum", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm")
  on <- vapply(spec$config[acts], function(v) !is.null(v) && !identical(as.double(v), 0), NA)
  waits <- spec$config$gradient_accumulation_steps
  spec$type == "sgd" && !any(on) && (is.null(waits) || waits == 1)
}

has_constraints <- function(model) {
  any(vapply(model_layers(model), function(layer) {
    config <- layer_self(layer)$config
    !is.null(config$kernel_constraint) || !is.null(config$bias_constraint)
  }, NA))
}

# The largest gap between a gradient and its products, as a part of the sizes of what is added up.
largest_rounding <- function(x) {
  size <- unlist(lapply(x$stages, function(stage) {
    if (!is.null(stage$kernel)) {
      d <- x$samples$share * stage$size
      c(t(abs(stage$input)) %*% d, if (!is.null(stage$bias)) colSums(d))
    }
  }))
  w <- x$weights
  gap <- abs(w$chain + w$penalty - w$gradient) / pmax(size + abs(w$penalty), .Machine$double.xmin)
  max(0, gap, na.rm = TRUE)
}

# ---- tables --------------------------------------------------------------------------------------

#' @rdname explain_backprop
#' @param what Which table.
#' @export
tidy.lamina_backprop <- function(x, what = c("weights", "units", "chain", "slopes", "samples"), ...) {
  check_no_dots(list(...))
  what <- check_choice(what[1L], c("weights", "units", "chain", "slopes", "samples"), arg = "what")
  out <- switch(
    what, weights = x$weights[names(x$weights) != "stage"], units = unit_table(x), chain = chain_table(x),
    slopes = slope_table(x), samples = x$samples
  )
  tibble::as_tibble(out)
}

unit_table <- function(x) {
  rows <- lapply(x$stages, function(stage) {
    at <- expand.grid(sample = seq_len(nrow(stage$sum)), unit = seq_len(ncol(stage$sum)))
    data.frame(
      sample = at$sample, layer = stage$name, unit = at$unit, sum = as.vector(stage$sum),
      activation = as.vector(stage$activation), d_activation = as.vector(stage$d_activation),
      slope = if (is.null(stage$slope)) NA_real_ else as.vector(stage$slope), d_sum = as.vector(stage$d_sum)
    )
  })
  do.call(rbind, rows)
}

chain_table <- function(x) {
  n <- nrow(x$x)
  rows <- x$weights[c("layer", "term", "from", "to", "stage")]
  at <- expand.grid(weight = seq_len(nrow(rows)), sample = seq_len(n))
  of <- rows[at$weight, ]
  pick <- function(part) {
    vapply(seq_len(nrow(of)), function(r) part(x$stages[[of$stage[r]]], at$sample[r], of$from[r], of$to[r]), 0)
  }
  d_sum <- pick(function(stage, i, from, to) stage$d_sum[i, to])
  input <- pick(function(stage, i, from, to) if (from == 0) 1 else stage$input[i, from])
  data.frame(sample = at$sample, of[c("layer", "term", "from", "to")], d_sum = d_sum, input = input,
             product = d_sum * input, share = x$samples$share[at$sample], row.names = NULL)
}

slope_table <- function(x) {
  rows <- lapply(x$stages, function(stage) {
    if (is.null(stage$jacobian)) {
      return(NULL)
    }
    at <- arrayInd(seq_along(stage$jacobian), dim(stage$jacobian))
    data.frame(sample = at[, 1L], layer = stage$name, of = at[, 2L], by = at[, 3L], slope = as.vector(stage$jacobian))
  })
  rows <- do.call(rbind, rows)
  if (is.null(rows)) {
    rows <- data.frame(sample = integer(), layer = character(), of = integer(), by = integer(), slope = double())
  }
  rows
}

#' @rdname explain_backprop
#' @param row.names,optional Not used.
#' @export
as.data.frame.lamina_backprop <- function(x, row.names = NULL, optional = FALSE, ...) {
  numbers <- function(step, sample, layer, quantity, term, value) {
    if (length(value)) data.frame(step, sample, layer, quantity, term, value)
  }
  n <- nrow(x$x)
  at_units <- function(stage, s, step, quantity, symbol, values) {
    if (!is.null(values)) {
      numbers(step, rep(seq_len(n), ncol(values)), stage$name, quantity,
              sprintf("%s%d[%d]", symbol, s, rep(seq_len(ncol(values)), each = n)), as.vector(values))
    }
  }
  k <- length(x$stages)
  forward <- lapply(seq_len(k), function(s) {
    stage <- x$stages[[s]]
    rbind(at_units(stage, s, "forward", "sum", "z", stage$sum),
          at_units(stage, s, "forward", "activation", "a", stage$activation))
  })
  chain <- chain_table(x)
  slopes <- slope_table(x)
  place <- match(slopes$layer, vapply(x$stages, `[[`, "", "name"))
  backward <- lapply(rev(seq_len(k)), function(s) {
    stage <- x$stages[[s]]
    mine <- place == s
    own <- chain$layer == stage$name
    rbind(
      at_units(stage, s, "backward", "dL/da", "a", stage$d_activation),
      at_units(stage, s, "backward", "da/dz", "z", stage$slope),
      numbers("backward", slopes$sample[mine], rep(stage$name, sum(mine)), "da/dz",
              sprintf("a%d[%d],z%d[%d]", s, slopes$of[mine], s, slopes$by[mine]), slopes$slope[mine]),
      at_units(stage, s, "backward", "dL/dz", "z", stage$d_sum),
      numbers("backward", chain$sample[own], stage$name, "dz/dw", chain$term[own], chain$input[own]),
      numbers("backward", chain$sample[own], stage$name, "dL/dw", chain$term[own], chain$product[own])
    )
  })
  w <- x$weights
  of_weights <- function(step, quantity, values) numbers(step, NA_integer_, w$layer, quantity, w$term, values)
  input <- numbers("forward", rep(seq_len(n), ncol(x$x)), NA_character_, "input",
                   sprintf("x[%d]", rep(seq_len(ncol(x$x)), each = n)), as.vector(x$x))
  do.call(rbind, c(
    list(input), forward,
    list(numbers("loss", x$samples$sample, NA_character_, "loss", "L", x$samples$loss),
         numbers("loss", NA_integer_, NA_character_, "penalty", "L", x$about$penalty),
         numbers("loss", NA_integer_, NA_character_, "mean loss", "L", x$loss)),
    backward,
    list(of_weights("gradient", "chain", w$chain), of_weights("gradient", "penalty", w$penalty),
         of_weights("gradient", "gradient", w$gradient), of_weights("update", "weight", w$weight),
         of_weights("update", "new weight", w$new_weight))
  ))
}
