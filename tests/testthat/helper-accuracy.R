# Trains and tells what the test set says, for the reader of the log.
test_accuracy <- function(what, model, data, ..., optimizer = "adam") {
  compile(model, optimizer, "sparse_categorical_crossentropy", metrics = "accuracy")
  took <- system.time(fit(model, data$train$x, data$train$y, ..., verbose = 0))[["elapsed"]]
  accuracy <- evaluate(model, data$test$x, data$test$y)$accuracy
  cat(sprintf("\n%s: %.2f %% of %d test pictures right, trained in %.0f s\n", what, 100 * accuracy, length(data$test$y), took))
  accuracy
}
