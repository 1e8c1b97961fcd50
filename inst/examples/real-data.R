# Networks beside R's classical models, on three data sets that come with R.
#
# Each model sees the same training rows and is judged on the same test rows, which took no part in
# any choice. Two figures: accuracy, the share of right classes, and log loss, the mean of
# -log(probability given to the true class). A model that is sure and wrong pays in log loss.
#
#     Rscript real-data.R

library(lamina)
library(MASS) # Pima.tr, Pima.te, biopsy
library(nnet) # nnet(), multinom()
set.seed(1)

# The models: each gives a matrix of probabilities, one row per person or flower ---------------

with_lamina <- function(x, y, new_x) {
  model <- keras_model_sequential(input_shape = ncol(x)) |>
    layer_dense(8, activation = "relu", kernel_regularizer = regularizer_l2(0.01)) |>
    layer_dense(nlevels(y), activation = "softmax")
  model |> compile(
    optimizer = optimizer_adam(learning_rate = 0.01),
    loss = "sparse_categorical_crossentropy"
  )
  model |> fit(x, y, epochs = 50, batch_size = 16, verbose = 0)
  predict(model, new_x)
}

with_nnet <- function(x, y, new_x) {
  predict(nnet(x, class.ind(y), size = 8, decay = 0.1, softmax = TRUE, maxit = 500, trace = FALSE),
          new_x)
}

with_glm <- function(x, y, new_x) {
  model <- glm(y ~ ., family = binomial, data = data.frame(x, y))
  p <- predict(model, data.frame(new_x), type = "response")
  cbind(1 - p, p)
}

with_multinom <- function(x, y, new_x) {
  model <- multinom(y ~ ., data = data.frame(x, y), trace = FALSE)
  predict(model, data.frame(new_x), type = "probs")
}

# The comparison ------------------------------------------------------------------------------

accuracy <- function(p, truth) mean(max.col(p) == as.integer(truth))

# No probability is taken for smaller than 1e-7, so that one bad case does not make it infinite.
log_loss <- function(p, truth) {
  -mean(log(pmax(p[cbind(seq_along(truth), as.integer(truth))], 1e-7)))
}

compare <- function(title, train, test, outcome, models) {
  predictors <- setdiff(names(train), outcome)
  x <- scale(train[predictors])
  # The test data are scaled with the means and standard deviations of the training data.
  new_x <- scale(test[predictors], attr(x, "scaled:center"), attr(x, "scaled:scale"))
  truth <- test[[outcome]]

  scores <- sapply(models, function(model) {
    p <- model(x, train[[outcome]], new_x)
    c(accuracy = accuracy(p, truth), `log loss` = log_loss(p, truth))
  })
  cat(sprintf("\n%s: %d predictors, %d rows to train, %d to test\n",
              title, length(predictors), nrow(train), nrow(test)))
  print(round(t(scores), 3))
}

# Diabetes among 532 women: two classes, MASS's own split into training and test.
compare("Pima (diabetes)", Pima.tr, Pima.te, "type",
        list(lamina = with_lamina, nnet = with_nnet, glm = with_glm))

# Breast tumours: two classes. Networks take no missing values, so say which rows go.
complete <- complete.cases(biopsy)
cat("\nbiopsy:", sum(!complete), "of", nrow(biopsy), "rows dropped, a value is missing in",
    names(which(colSums(is.na(biopsy)) > 0)), "\n")
tumours <- biopsy[complete, -1] # the first column is a patient number
rows <- sample(nrow(tumours), 2 / 3 * nrow(tumours))
compare("biopsy (breast tumours)", tumours[rows, ], tumours[-rows, ], "class",
        list(lamina = with_lamina, nnet = with_nnet, glm = with_glm))

# Flowers: three classes, so multinom() instead of glm().
rows <- sample(nrow(iris), 2 / 3 * nrow(iris))
compare("iris (flowers)", iris[rows, ], iris[-rows, ], "Species",
        list(lamina = with_lamina, nnet = with_nnet, multinom = with_multinom))

cat("\nThe test sets are small: differences of one or two per cent are chance. Where the truth is\n",
    "nearly linear, the simple model is as good as the network.\n", sep = "")
