# Training on all rows at once by R's own optim(): what nnet does, and what wins on small data.
#
# The engine's sums are in single precision, so near the end the values of the loss differ by less than their
# rounding errors while the gradient is still exact to six digits.  There the value is taken from the
# gradients, by the trapezoidal rule along the step from the last accepted point, which is exact to third
# order.  With it coefficients agree with lm() and glm() to five or six digits; without, to three.

# Number of weights up to which optim() keeps the whole matrix of BFGS; above it, its limited-memory form.
BFGS_WEIGHTS <- 2000

# objective: a function of the weights' vector that gives list(value, gradient), of the mean loss over so many
# rows; optim() sees the sum, as nnet's does, so that both take the same steps from the same start.
# each(iteration, value, lowest): called at the start (0) and after each iteration; TRUE ends the search.
# An iteration of BFGS is a step down.  The limited-memory form asks for the gradient wherever it looks, so its
# iterations are evaluations, and some are not the `lowest` so far; what counts for it is the lowest.
# Ends itself after `iterations`: optim() counts them differently from method to method.  Ctrl-C ends it too.
# Returns list(weights, value, iterations, converged, interrupted).
minimize_bfgs <- function(objective, weights, rows, iterations, each, reltol = 1e-12) {
  last <- NULL # the point evaluated last: list(weights, value, gradient)
  accepted <- NULL
  best <- NULL # the lowest accepted
  count <- 0
  ended <- FALSE # by each()
  evaluate_at <- function(w) {
    if (is.null(last) || !identical(w, last$weights)) {
      point <- c(list(weights = w), objective(w))
      if (!is.null(accepted) && isTRUE(abs(point$value - accepted$value) < 1e-4 * abs(accepted$value))) {
        point$value <- accepted$value + sum((point$gradient + accepted$gradient) * (w - accepted$weights)) / 2
      }
      last <<- point
    }
    last
  }
  value <- function(w) {
    v <- evaluate_at(w)$value
    if (is.finite(v)) v else .Machine$double.xmax / 1e10
  }
  gradient <- function(w) {
    accepted <<- evaluate_at(w)
    lowest <- !limited || is.null(best) || isTRUE(accepted$value < best$value)
    if (lowest) best <<- accepted
    count <<- count + 1
    ended <<- each(count - 1, accepted$value, lowest)
    if (ended || count > iterations) {
      stop(structure(class = c("lamina_bfgs_end", "error", "condition"), list(message = "", call = NULL)))
    }
    accepted$gradient
  }
  limited <- length(weights) > BFGS_WEIGHTS
  control <- if (limited) list(factr = reltol / .Machine$double.eps, pgtol = 0) else list(reltol = reltol)
  control$maxit <- iterations + 2 # gradient() stops before
  control$fnscale <- 1 / rows
  interrupted <- FALSE
  out <- tryCatch(
    stats::optim(weights, value, gradient, method = if (limited) "L-BFGS-B" else "BFGS", control = control),
    lamina_bfgs_end = function(e) list(par = accepted$weights, value = accepted$value, convergence = if (ended) 0 else 1),
    interrupt = function(i) {
      interrupted <<- TRUE
      list(par = if (is.null(accepted)) weights else accepted$weights, value = accepted$value, convergence = 1)
    }
  )
  if (limited && !is.null(best)) {
    out[c("par", "value")] <- best[c("weights", "value")]
  }
  list(weights = out$par, value = out$value, iterations = max(count - 1, 0), converged = out$convergence == 0,
       interrupted = interrupted)
}

# Loss and gradient of a network on all rows, as a function of its trained weights' vector.
network_objective <- function(network, x, y, w) {
  data <- list(data = new_data(x, y, w), first = 0, n = nrow(x), from = 0)
  ptr <- net_ptr(network)
  all <- get_weights(network)
  trained <- as.logical(weight_trainable(network))
  own <- !is.null(network$compiled$own_loss)
  check_own_loss(network, data, call = NULL) # lamina() asked for it, but is not at hand
  loop <- if (!own) {
    loop <- new_loop(network, data, data$n, "probe", metrics = FALSE)
    .Call(ffi_loop_start, loop, FALSE, 1)
    loop
  }
  function(weights) {
    all[trained] <- utils::relist(weights, all[trained])
    .Call(ffi_net_set_weights, ptr, all)
    out <- if (own) own_loss_gradients(network, x, data, FALSE) else .Call(ffi_loop_probe, loop, FALSE)
    list(value = out$loss, gradient = unlist(out$weights[trained], use.names = FALSE))
  }
}
