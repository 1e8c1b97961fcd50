# Dense networks in double precision, written from the definitions: what training is compared with.
#
# A reference network is a list of layers list(kernel =, bias =, activation =), to which may be added
# l1, l2 (kernel), activity_l1, activity_l2, constraint (a function of a kernel) and frozen = TRUE.

ref_act <- list(
  linear = list(f = function(z) z, d = function(z, a) 1),
  relu = list(f = function(z) pmax(z, 0), d = function(z, a) (z > 0) * 1),
  tanh = list(f = tanh, d = function(z, a) 1 - a^2),
  sigmoid = list(f = function(z) 1 / (1 + exp(-z)), d = function(z, a) a * (1 - a)),
  softmax = list(f = function(z) {
    e <- exp(z - apply(z, 1, max))
    e / rowSums(e)
  })
)

# Derivative by z of a layer whose output a has the derivative da.
ref_act_back <- function(name, z, a, da) {
  if (name == "softmax") a * (da - rowSums(da * a)) else da * ref_act[[name]]$d(z, a)
}

# value: a loss for each sample; slope: its derivative by the predictions.
ref_loss <- list(
  mse = list(
    value = function(y, p) rowMeans((p - y)^2),
    slope = function(y, p) 2 * (p - y) / ncol(p)
  ),
  binary_crossentropy = list(
    value = function(y, p) rowMeans(-(y * log(p) + (1 - y) * log(1 - p))),
    slope = function(y, p) (-(y / p) + (1 - y) / (1 - p)) / ncol(p)
  ),
  categorical_crossentropy = list(
    value = function(y, p) -rowSums(y * log(p / rowSums(p))),
    slope = function(y, p) -y / p + rowSums(y) / rowSums(p)
  )
)
ref_loss$sparse_categorical_crossentropy <- list(
  value = function(y, p) -log(p[cbind(seq_along(y), y + 1)]),
  slope = function(y, p) {
    g <- 0 * p
    g[cbind(seq_along(y), y + 1)] <- -1 / p[cbind(seq_along(y), y + 1)]
    g + 1
  }
)

ref_forward <- function(net, x) {
  a <- list(x)
  z <- list()
  for (i in seq_along(net)) {
    z[[i]] <- sweep(a[[i]] %*% net[[i]]$kernel, 2, net[[i]]$bias, "+")
    a[[i + 1]] <- ref_act[[net[[i]]$activation]]$f(z[[i]])
  }
  list(z = z, a = a, out = a[[length(a)]])
}

or0 <- function(v) if (is.null(v)) 0 else v

# Kernel penalties of layers that are trained, activity penalties per sample.
ref_penalty <- function(net, pass) {
  n <- nrow(pass$out)
  sum(vapply(seq_along(net), function(i) {
    l <- net[[i]]
    kernel <- if (isTRUE(l$frozen)) 0 else or0(l$l1) * sum(abs(l$kernel)) + or0(l$l2) * sum(l$kernel^2)
    a <- pass$a[[i + 1]]
    kernel + (or0(l$activity_l1) * sum(abs(a)) + or0(l$activity_l2) * sum(a^2)) / n
  }, 0))
}

# list(loss, grads = list(list(kernel, bias), ...), inputs): of sum(w * l) / n plus penalties.
ref_gradient <- function(net, x, y, loss, w = rep(1, nrow(x))) {
  pass <- ref_forward(net, x)
  n <- nrow(x)
  value <- sum(w * ref_loss[[loss]]$value(y, pass$out)) / n + ref_penalty(net, pass)
  da <- ref_loss[[loss]]$slope(y, pass$out) * w / n
  grads <- list()
  for (i in rev(seq_along(net))) {
    l <- net[[i]]
    a <- pass$a[[i + 1]]
    da <- da + (or0(l$activity_l1) * sign(a) + 2 * or0(l$activity_l2) * a) / n
    dz <- ref_act_back(l$activation, pass$z[[i]], a, da)
    grads[[i]] <- list(
      kernel = t(pass$a[[i]]) %*% dz + or0(l$l1) * sign(l$kernel) + 2 * or0(l$l2) * l$kernel,
      bias = colSums(dz)
    )
    da <- dz %*% t(l$kernel)
  }
  list(loss = value, grads = grads, inputs = da)
}

# Optimizers: a function of (weight, gradient, state, step from 1, rate), returning list(w, state).
ref_sgd <- function(momentum = 0, nesterov = FALSE) {
  function(w, g, s, step, rate) {
    v <- momentum * or0(s$v) - rate * g
    list(w = if (momentum == 0) w - rate * g else if (nesterov) w + momentum * v - rate * g else w + v, s = list(v = v))
  }
}
ref_adam <- function(beta_1 = 0.9, beta_2 = 0.999, epsilon = 1e-7) {
  function(w, g, s, step, rate) {
    m <- beta_1 * or0(s$m) + (1 - beta_1) * g
    v <- beta_2 * or0(s$v) + (1 - beta_2) * g^2
    alpha <- rate * sqrt(1 - beta_2^step) / (1 - beta_1^step)
    list(w = w - alpha * m / (sqrt(v) + epsilon), s = list(m = m, v = v))
  }
}
ref_rmsprop <- function(rho = 0.9, epsilon = 1e-7) {
  function(w, g, s, step, rate) {
    v <- rho * or0(s$v) + (1 - rho) * g^2
    list(w = w - rate * g / sqrt(v + epsilon), s = list(v = v))
  }
}

# Trains in the given order of rows.  rate: a function of the 0-based step; clip: a function of the
# list of all gradients.  Returns the network and the loss of every epoch.
ref_train <- function(net, x, y, loss, optimizer, rate, batch, epochs, w = rep(1, nrow(x)),
                      clip = identity, decay = 0, accumulate = 1, ema = NULL) {
  y_rows <- function(rows) if (is.matrix(y)) y[rows, , drop = FALSE] else y[rows]
  state <- list()
  waiting <- NULL
  batches <- 0
  average <- NULL
  losses <- numeric()
  trained <- unlist(lapply(net, function(l) rep(!isTRUE(l$frozen), 2)))
  for (epoch in seq_len(epochs)) {
    total <- 0
    for (first in seq(1, nrow(x), by = batch)) {
      rows <- first:min(first + batch - 1, nrow(x))
      step <- batches %/% accumulate
      out <- ref_gradient(net, x[rows, , drop = FALSE], y_rows(rows), loss, w[rows])
      total <- total + out$loss * length(rows)
      flat <- unlist(out$grads, recursive = FALSE)
      waiting <- if (is.null(waiting)) flat else Map(`+`, waiting, flat)
      batches <- batches + 1
      if (batches %% accumulate == 0) {
        flat <- clip(lapply(waiting, `/`, accumulate)[trained])
        waiting <- NULL
        weights <- ref_weights(net)
        weights[trained] <- lapply(weights[trained], function(v) v * (1 - decay * rate(step)))
        for (k in seq_along(flat)) {
          at <- which(trained)[k]
          moved <- optimizer(weights[[at]], flat[[k]], if (length(state) >= k) state[[k]], step + 1, rate(step))
          weights[[at]] <- moved$w
          state[[k]] <- moved$s
        }
        net <- ref_set(net, weights)
        for (i in seq_along(net)) {
          if (!is.null(net[[i]]$constraint)) net[[i]]$kernel <- net[[i]]$constraint(net[[i]]$kernel)
        }
      }
      if (!is.null(ema)) {
        keep <- if (step == 0) 0 else ema
        average <- if (keep == 0) ref_weights(net) else Map(function(a, v) keep * a + (1 - keep) * v, average, ref_weights(net))
      }
    }
    losses <- c(losses, total / nrow(x))
  }
  if (!is.null(average)) net <- ref_set(net, average)
  list(net = net, losses = losses)
}

# All weights in the order of get_weights(), and back.
ref_weights <- function(net) unlist(lapply(net, function(l) list(l$kernel, l$bias)), recursive = FALSE)
ref_set <- function(net, weights) {
  for (i in seq_along(net)) {
    net[[i]]$kernel <- weights[[2 * i - 1]]
    net[[i]]$bias <- as.vector(weights[[2 * i]])
  }
  net
}

# A reference network with fixed, unremarkable weights: sizes c(4, 5, 3), activations c("tanh", "softmax").
ref_net <- function(sizes, activations, ...) {
  wave <- function(n, phase) sin(seq_len(n) * 1.7 + phase) * 0.6
  lapply(seq_along(activations), function(i) {
    list(kernel = matrix(wave(sizes[i] * sizes[i + 1], i), sizes[i]), bias = wave(sizes[i + 1], i + 0.5) / 3,
         activation = activations[i])
  })
}

# The same network as a model of lamina; `more(i)` gives further arguments of layer i.
ref_model <- function(net, more = function(i) list()) {
  model <- keras_model_sequential(input_shape = nrow(net[[1L]]$kernel))
  for (i in seq_along(net)) {
    arguments <- list(model, units = ncol(net[[i]]$kernel), activation = net[[i]]$activation)
    do.call(layer_dense, c(arguments, more(i)))
  }
  set_weights(model, ref_weights(net))
  model
}

# Data without random numbers.
wave_matrix <- function(n, d) matrix(sin(seq_len(n * d)^1.3), n, d)

# Both within `tolerance` of the larger one, number by number, or of 1.
expect_close <- function(object, expected, tolerance = 1e-5) {
  object <- unlist(object)
  expected <- unlist(expected)
  testthat::expect_length(object, length(expected))
  gap <- max(abs(object - expected) / pmax(1, abs(expected)))
  testthat::expect_lt(gap, tolerance)
}

# Runs a call that must be refused and checks that the model is as it was; returns the condition.
refused <- function(model, code, class, arg = NULL) {
  before <- model_snapshot(model)
  error <- testthat::expect_error(code, class = class)
  testthat::expect_s3_class(error, "lamina_error")
  if (!is.null(arg)) {
    testthat::expect_identical(error$arg, arg)
  }
  testthat::expect_identical(model_snapshot(model), before)
  invisible(error)
}

model_snapshot <- function(model) {
  list(
    built = is_built(model), shape = model$shape, epoch = model$epoch, history = model$history,
    compiled = model$compiled, names = vapply(model_layers(model), function(l) l$name, ""),
    state = if (!is.null(model$state)) .Call(ffi_net_state, net_ptr(model))
  )
}
