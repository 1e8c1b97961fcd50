# A first network: who gets side effects?
#
# A new drug was tried on 2,100 people aged 13 to 100, half of them younger than 65. Of the younger
# ones 95 % had no side effects, of the older ones 95 % had. Can a network learn that from the data?
#
#     Rscript clinical-trial.R [folder for the pictures]

library(lamina)
set.seed(1)

# 1. Data -------------------------------------------------------------------------------------

# `exceptions` people of each age group behave unlike their group, `regulars` as it does.
simulate_trial <- function(exceptions, regulars) {
  age <- c(
    sample(13:64, exceptions, replace = TRUE),  # young, with side effects
    sample(65:100, exceptions, replace = TRUE), # old, without
    sample(13:64, regulars, replace = TRUE),    # young, without
    sample(65:100, regulars, replace = TRUE)    # old, with side effects
  )
  label <- rep(c(1, 0, 0, 1), c(exceptions, exceptions, regulars, regulars))
  data.frame(age, label)[sample(length(age)), ] # shuffled: the last 10 % will be held out
}

train <- simulate_trial(exceptions = 50, regulars = 1000)
test <- simulate_trial(exceptions = 10, regulars = 200)

# Networks learn best from small numbers: 13 becomes 0, and 100 becomes 1.
scale_age <- function(age) matrix((age - 13) / (100 - 13), ncol = 1)
scaled_train_samples <- scale_age(train$age)
scaled_test_samples <- scale_age(test$age)

# 2. The network: one input (the age), two hidden layers, one output neuron for each class ----

model <- keras_model_sequential(layers = list(
  layer_dense(units = 16, input_shape = 1, activation = "relu"),
  layer_dense(units = 32, activation = "relu"),
  layer_dense(units = 2, activation = "softmax") # two probabilities that sum to 1
))
summary(model)

# 3. Training ---------------------------------------------------------------------------------

model |> compile(
  optimizer = optimizer_adam(learning_rate = 1e-4),
  loss = "sparse_categorical_crossentropy", # the labels are the numbers 0 and 1
  metrics = "accuracy"
)

history <- model |> fit(
  x = scaled_train_samples,
  y = train$label,
  batch_size = 10,
  epochs = 30,
  validation_split = 0.1,
  shuffle = TRUE,
  verbose = 1 # a progress bar
)

# 4. Predictions for people the network has not seen ------------------------------------------

predictions <- predict(model, x = scaled_test_samples, batch_size = 10, verbose = 0)

cat("\nProbabilities of no side effects and of side effects, first ten of", nrow(predictions),
    "people:\n")
for (i in 1:10) {
  cat(sprintf("[%.6f %.6f]\n", predictions[i, 1], predictions[i, 2]))
}

# The class with the larger probability; R counts columns from 1, Keras counts classes from 0.
rounded_predictions <- max.col(predictions) - 1

cat("\nThe same people as classes (1: side effects):\n")
for (i in 1:10) {
  cat(rounded_predictions[i], "\n")
}

# 5. How good is it? --------------------------------------------------------------------------

class_names <- c("no side effects", "side effects")
cat("\nConfusion matrix of the test set:\n")
print(table(
  truth = factor(test$label, 0:1, class_names),
  predicted = factor(rounded_predictions, 0:1, class_names)
))

# The statistician's first choice on the same data.
logistic <- glm(label ~ age, family = binomial, data = train)
by_logistic <- as.numeric(predict(logistic, test, type = "response") > 0.5)

# With 5 % of exceptions nobody can be right about much more than 95 % of the people.
cat(sprintf("\nAccuracy on the test set: network %.1f %%, glm(binomial) %.1f %%\n",
            100 * mean(rounded_predictions == test$label), 100 * mean(by_logistic == test$label)))

# 6. Pictures ---------------------------------------------------------------------------------

folder <- commandArgs(trailingOnly = TRUE)[1]
if (is.na(folder)) {
  folder <- if (interactive()) tempdir() else "."
}
history_png <- file.path(folder, "clinical-trial-history.png")
network_png <- file.path(folder, "clinical-trial-network.png")

png(history_png, width = 7, height = 5, units = "in", res = 150)
print(plot(history))
invisible(dev.off())

plot(model, to_file = network_png, input_names = "age", output_names = class_names,
     main = "After 30 epochs")

cat("History of the training:", normalizePath(history_png), "\n")
cat("The trained network:    ", normalizePath(network_png), "\n")
