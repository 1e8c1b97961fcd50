# Models to try things on: what the functions for teaching train, move and measure instead of the user's.

# A model like `model`, with its weights, the state of its optimizer and its random stream.  Nothing is drawn.  Where
# the input shape is not known yet, neither is that of the copy.
copy_model <- function(model) {
  copy <- clone_model(model)
  if (!is_built(model)) {
    return(copy)
  }
  net_ptr(model) # the weights are made now, if they were not
  list2env(mget(c("state", "epoch", "resume", "state_batch", "tokens"), envir = model), copy)
  copy
}

# The sizes of a network's layers: "2-3-2".
network_sizes <- function(model) {
  dense <- vapply(model_layers(model), function(layer) layer_self(layer)$type == "dense", NA)
  sizes <- c(model$shape, vapply(model$info[dense], function(i) utils::tail(i$output_shape, 1L), 0L))
  paste(sizes, collapse = "-")
}
