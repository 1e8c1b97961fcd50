# What the playground sends to the browser: once the points and the network's form, then a picture at a time.
# Pictures go as text of two hexadecimal digits a pixel, from 00 (-1, orange) to fe (1, blue); 7f is 0.

map_side <- 50 # pixels
tile_side <- 16

as_pixels <- function(values) paste(as.character(as.raw(round(127 * (values + 1)))), collapse = "")

# A square of points round the middle, the first input running fastest.
plane_points <- function(reach, side) {
  at <- reach * (2 * seq_len(side) - 1 - side) / side # the middles of the pixels
  as.matrix(expand.grid(x1 = at, x2 = at, KEEP.OUT.ATTRS = FALSE))
}

# What stays the same until the next reset.  test: positions from 1.
playground_setup <- function(pg) {
  settings <- pg$settings
  points <- pg$points$x
  pg$reach <- max(1.1, 1.05 * abs(points))
  pg$map_inputs <- pg$inputs(plane_points(pg$reach, map_side))
  pg$tile_inputs <- pg$inputs(plane_points(pg$reach, tile_side))
  list(
    reach = pg$reach, classes = !is_regression(settings$data), x1 = signif(points[, 1L], 4),
    x2 = signif(points[, 2L], 4), target = signif(on_scale(pg$y, settings), 4), test = sort(pg$test),
    map_side = map_side, tile_side = tile_side, features = I(unname(feature_labels[settings$features])),
    units = I(c(length(settings$features), settings$units, 1)), activation = settings$activation,
    tiles = lapply(seq_along(settings$features), function(i) unit_tile(pg$tile_inputs[, i]))
  )
}

# A picture of what one unit puts out over the plane: from its largest size down to 0; a sigmoid's from 0.5 away.
unit_tile <- function(values, activation = "linear") {
  if (activation == "sigmoid") {
    values <- values - 0.5
  }
  as_pixels(values / max(abs(values), 0.01))
}

# The present moment.  The layers' order is that of the network; a kernel runs over the units before first.
playground_frame <- function(pg) {
  settings <- pg$settings
  dense <- which(layer_types(pg$model) == "dense")
  outputs <- network_outputs(pg$model, pg$tile_inputs, dense)
  hidden <- outputs[-length(outputs)]
  measured <- measure_playground(pg)
  trainer <- pg$trainer
  list(
    phase = pg$phase, note = pg$note, epoch = trainer$epoch, step = trainer$epoch * trainer$batches + trainer$batch,
    time = trainer$epoch + trainer$batch / trainer$batches,
    train = measured$train, test = measured$test,
    map = as_pixels(on_scale(predict(pg$model, pg$map_inputs, batch_size = map_side^2), settings)),
    tiles = lapply(unname(hidden), function(values) {
      I(apply(values, 2L, unit_tile, activation = settings$activation))
    }),
    weights = lapply(network_weights(pg$model), function(layer) {
      list(kernel = I(signif(as.vector(layer$kernel), 4)), bias = I(signif(as.vector(layer$bias), 4)))
    }),
    code = code_of_playground(pg)
  )
}
