# One sample's way through the network and back, for the tables of the playground.

# The one function that says what happens inside: for each dense layer list(inputs, kernel, bias, sums, outputs, d_sums,
# d_kernel), the numbers of one sample.  Layers between them (dropout) let numbers pass as in prediction.
backprop_numbers <- function(model, x, y) {
  dense <- which(layer_types(model) == "dense")
  outputs <- lapply(network_outputs(model, x, dense), as.vector)
  weights <- network_weights(model)
  gradients <- compute_gradients(model, x, y)$weights
  lapply(seq_along(dense), function(i) {
    inputs <- if (i == 1L) as.vector(x) else outputs[[i - 1L]]
    list(
      inputs = inputs, kernel = weights[[i]]$kernel, bias = weights[[i]]$bias,
      sums = as.vector(inputs %*% weights[[i]]$kernel) + weights[[i]]$bias, outputs = outputs[[i]],
      d_sums = as.vector(gradients[[2L * i]]), # a bias adds to the sum as it is, and has no penalty
      d_kernel = gradients[[2L * i - 1L]]
    )
  })
}

# Two data frames with the names that students read: units, a row a unit; weights, a row a weight.
backprop_tables <- function(pg, sample) {
  layers <- backprop_numbers(pg$model, pg$x[sample, , drop = FALSE], pg$y[sample])
  names <- c(as.list(sprintf("hidden %d", seq_along(layers[-1L]))), "output")
  unit_names <- function(i) {
    n <- if (i == 0L) 0L else length(layers[[i]]$sums)
    if (i == 0L) unname(feature_labels[pg$settings$features]) else sprintf("%s, unit %d", names[[i]], seq_len(n))
  }
  units <- lapply(seq_along(layers), function(i) {
    layer <- layers[[i]]
    data.frame(
      unit = if (names[[i]] == "output") "output" else unit_names(i),
      sum = layer$sums, activation = layer$outputs, d_sum = layer$d_sums
    )
  })
  weights <- lapply(seq_along(layers), function(i) {
    layer <- layers[[i]]
    from <- c(unit_names(i - 1L), "bias")
    to <- if (names[[i]] == "output") "output" else unit_names(i)
    data.frame(
      from = rep(from, length(to)), to = rep(to, each = length(from)),
      input = rep(c(layer$inputs, 1), length(to)), weight = as.vector(rbind(layer$kernel, layer$bias)),
      gradient = as.vector(rbind(layer$d_kernel, layer$d_sums))
    )
  })
  list(units = do.call(rbind, units), weights = do.call(rbind, weights))
}
