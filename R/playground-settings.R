# The settings of the playground: what there is to choose from, and their check.

# The inputs that are made of a point, as R code of the matrix x.
playground_features <- c(
  x1 = "x[, 1]", x2 = "x[, 2]", x1_squared = "x[, 1]^2", x2_squared = "x[, 2]^2", x1_x2 = "x[, 1] * x[, 2]",
  sin_x1 = "sin(pi * x[, 1])", sin_x2 = "sin(pi * x[, 2])"
)

# As they are written beside the boxes and in the picture of the network.
feature_labels <- c(
  x1 = "x\u2081", x2 = "x\u2082", x1_squared = "x\u2081\u00b2", x2_squared = "x\u2082\u00b2",
  x1_x2 = "x\u2081x\u2082", sin_x1 = "sin \u03c0x\u2081", sin_x2 = "sin \u03c0x\u2082"
)

# R code of the optimizers; %s is the learning rate.
playground_optimizers <- c(
  sgd = "optimizer_sgd(learning_rate = %s)",
  momentum = "optimizer_sgd(learning_rate = %s, momentum = 0.9)",
  rmsprop = "optimizer_rmsprop(learning_rate = %s)",
  adagrad = "optimizer_adagrad(learning_rate = %s)",
  adam = "optimizer_adam(learning_rate = %s)",
  nadam = "optimizer_nadam(learning_rate = %s)"
)

playground_activations <- c("relu", "leaky_relu", "elu", "gelu", "tanh", "sigmoid", "linear")

playground_rates <- c(1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1)
playground_penalties <- c(0, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1)
playground_dropouts <- c(0, 0.1, 0.2, 0.3, 0.4, 0.5)

playground_layers <- 4 # at most
playground_units <- 8
playground_points <- 400

# "hills" is a surface, all other data are two classes.
is_regression <- function(data) identical(data, "hills")

# The losses that fit the data; the first is the usual one.
playground_losses <- function(data) {
  if (is_regression(data)) {
    c("mean_squared_error", "mean_absolute_error", "huber")
  } else {
    c("binary_crossentropy", "mean_squared_error", "hinge")
  }
}

# The loss that was chosen for other data, if it fits these.
fitting_loss <- function(loss, data) {
  losses <- playground_losses(data)
  if (isTRUE(loss %in% losses)) loss else losses[1L]
}

# A checked list of settings.  units: those of each hidden layer; test: test data in per cent.
playground_settings <- function(data = "circles", noise = 0.05, test = 30, features = c("x1", "x2"), units = c(4, 2),
                                activation = "tanh", loss = playground_losses(data)[1L], optimizer = "adam",
                                learning_rate = 0.03, l1 = 0, l2 = 0, dropout = 0, batch_size = 10, seed = 1) {
  check_choice(data, point_names())
  if (!is.character(features) || length(features) == 0L || anyDuplicated(features)) {
    abort_argument("features", "the names of one or more features", describe(features))
  }
  for (feature in features) {
    if (!feature %in% names(playground_features)) {
      abort_unknown("features", "a feature", feature, names(playground_features))
    }
  }
  if (length(units) > playground_layers) {
    abort_argument("units", sprintf("those of at most %d layers", playground_layers), describe(units))
  }
  list(
    data = data,
    noise = check_number(noise, min = 0, max = 0.5),
    test = check_number(test, min = 10, max = 50),
    features = intersect(names(playground_features), features), # always in this order
    units = vapply(as.list(units), check_count, 0, max = playground_units, arg = "units", call = rlang::current_env()),
    activation = check_choice(activation, playground_activations),
    loss = check_choice(loss, playground_losses(data)),
    optimizer = check_choice(optimizer, names(playground_optimizers)),
    learning_rate = check_number(learning_rate, min = 1e-4, max = 1),
    l1 = check_number(l1, min = 0),
    l2 = check_number(l2, min = 0),
    dropout = check_number(dropout, min = 0, max = 0.9),
    batch_size = check_count(batch_size, max = playground_points),
    seed = check_count(seed, min = 0, max = .Machine$integer.max)
  )
}

# What the last layer puts out: a probability, a number of either sign whose sign tells the class, or any number.
output_kind <- function(settings) {
  if (is_regression(settings$data)) "number" else if (settings$loss == "hinge") "sign" else "probability"
}

# Outputs and targets on one scale, from -1 (orange) over 0 to 1 (blue).
on_scale <- function(values, settings) {
  values <- as.vector(values)
  if (output_kind(settings) == "probability") {
    values <- 2 * values - 1
  }
  pmin(pmax(values, -1), 1)
}
