# The settings of the playground as R code.  The playground runs what stands in the parts "data" and
# "model" itself, so that the script that one copies cannot differ from what one sees.

# list(data, model): lines of code.  They leave points, inputs(), x, y, test, and the compiled model.
playground_parts <- function(settings) {
  number <- function(x) format(x, digits = 15, scientific = FALSE)
  n <- playground_points
  data <- c(
    sprintf("set.seed(%s)", number(settings$seed)),
    sprintf("points <- sim_points(%d, \"%s\", noise = %s)", n, settings$data, number(settings$noise)),
    sprintf("inputs <- function(x) {\n  cbind(%s)\n}", paste(
      settings$features, "=", playground_features[settings$features], collapse = ", "
    )),
    "x <- inputs(points$x)",
    switch(
      output_kind(settings),
      probability = "y <- as.numeric(points$y == \"b\")",
      sign = "y <- ifelse(points$y == \"b\", 1, -1)",
      number = "y <- points$y"
    ),
    sprintf("test <- sample(%d, %d)", n, round(n * settings$test / 100))
  )
  penalty <- if (settings$l1 > 0 && settings$l2 > 0) {
    sprintf("regularizer_l1_l2(l1 = %s, l2 = %s)", number(settings$l1), number(settings$l2))
  } else if (settings$l1 > 0) {
    sprintf("regularizer_l1(%s)", number(settings$l1))
  } else if (settings$l2 > 0) {
    sprintf("regularizer_l2(%s)", number(settings$l2))
  }
  dense <- function(units, activation) {
    sprintf("layer_dense(%s, activation = \"%s\"%s)", number(units), activation,
            if (is.null(penalty)) "" else paste0(",\n              kernel_regularizer = ", penalty))
  }
  hidden <- lapply(settings$units, function(units) {
    c(dense(units, settings$activation),
      if (settings$dropout > 0) sprintf("layer_dropout(%s)", number(settings$dropout)))
  })
  layers <- c(
    sprintf("keras_model_sequential(input_shape = %d)", length(settings$features)),
    unlist(hidden),
    dense(1, if (output_kind(settings) == "probability") "sigmoid" else "linear")
  )
  model <- c(
    paste("model <-", paste(layers, collapse = " |>\n  ")),
    sprintf("model |> compile(\n  optimizer = %s,\n  loss = \"%s\"\n)",
            sprintf(playground_optimizers[[settings$optimizer]], number(settings$learning_rate)), settings$loss)
  )
  list(data = data, model = model)
}

# The whole script: trains as far as the playground has come, to the same weights.  batches: those of the epoch that
# has begun after the last whole one.  note: a comment before the training.
playground_code <- function(settings, epochs = 100, batches = 0, batches_an_epoch = 0, note = NULL) {
  parts <- playground_parts(settings)
  fit <- function(...) {
    paste0("model |> fit(\n  x[-test, , drop = FALSE], y[-test],\n",
           "  validation_data = list(x[test, , drop = FALSE], y[test]),\n",
           "  batch_size = ", settings$batch_size, ", ", ..., ", verbose = 0\n)")
  }
  # an epoch that stops early goes through the same order of the samples as the whole one
  begun <- if (batches > 0) {
    c(sprintf("# %d of the %d steps of the next epoch", batches, batches_an_epoch),
      fit(if (epochs > 0) sprintf("initial_epoch = %d, epochs = %d, ", epochs + 1, epochs + 1),
          sprintf("steps_per_epoch = %d", batches)))
  }
  classes <- !is_regression(settings$data)
  middle <- if (output_kind(settings) == "probability") "0.5" else "0"
  paste(c(
    "library(lamina)", "", parts$data, "", parts$model, "", note,
    if (epochs > 0) c(paste("history <-", fit(sprintf("epochs = %d", epochs))), "plot(history)"),
    begun,
    "",
    "evaluate(model, x[-test, , drop = FALSE], y[-test])",
    "evaluate(model, x[test, , drop = FALSE], y[test])",
    if (classes) sprintf("mean((predict(model, x[test, , drop = FALSE]) > %s) == (points$y[test] == \"b\"))", middle),
    "",
    "# what the network makes of the plane",
    "at <- seq(-1.2, 1.2, length.out = 100)",
    "plane <- as.matrix(expand.grid(x1 = at, x2 = at))",
    "image(at, at, matrix(predict(model, inputs(plane)), 100), col = hcl.colors(50, \"Blue-Red 2\", rev = TRUE),",
    "      xlab = \"x1\", ylab = \"x2\", asp = 1)",
    if (classes) {
      c(sprintf("contour(at, at, matrix(predict(model, inputs(plane)), 100), levels = %s, add = TRUE)", middle),
        "points(points$x, pch = ifelse(points$y == \"b\", 19, 4))")
    } else {
      "points(points$x)"
    }
  ), collapse = "\n")
}
