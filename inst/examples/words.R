# Who reads a review best: a list of words, a bag of words, or a network that heeds their order?
#
# The reviews are made up. Some opinions are negated ("the soup was not good"), some reviews begin with an
# opinion that does not count ("the view was great, but ..."), and 3 % of the labels are turned
# round, so nobody can be right about much more than 97 % in the long run.
#
#     Rscript words.R

library(lamina)
set.seed(1)

reviews <- sim_reviews(2500)
train <- reviews[1:2000, ]
test <- reviews[2001:2500, ]

cat("Three of the reviews:\n")
cat(sprintf("%s: %s", train$label[1:3], train$text[1:3]), sep = "\n")

# 1. A list of words: nothing to train ------------------------------------------------------------

words <- wordlist_classifier(
  positive = c("good", "great", "lovely", "excellent", "wonderful", "pleasant", "perfect", "beautiful"),
  negative = c("bad", "terrible", "awful", "poor", "boring", "horrible", "disappointing", "dreadful"),
  ties = "negative"
)
by_words <- predict(words, test$text, type = "class")

# 2. Lists found in the training reviews -----------------------------------------------------------

found <- wordlist_from_text(train$text, train$label, n = 20, ties = "negative")
by_found <- predict(found, test$text, type = "class")

# 3. Networks: texts go in at the front ----------------------------------------------------------

judge <- function(front, ..., epochs) {
  adapt(front, train$text) # finds the vocabulary
  model <- keras_model_sequential(layers = list(front, ..., layer_dense(units = 1, activation = "sigmoid")))
  model |> compile(optimizer = optimizer_adam(0.01), loss = "binary_crossentropy", metrics = "accuracy")
  model |> fit(train$text, train$label, epochs = epochs, batch_size = 32, verbose = 0)
  predict(model, test$text) # the probability of the second class, "positive"
}

# Which words occur, and no more: logistic regression on a bag of words; and with pairs of words, such
# as "not good".
bag <- judge(layer_text_vectorization(output_mode = "multi_hot"), epochs = 10)
pairs <- judge(layer_text_vectorization(output_mode = "multi_hot", ngrams = 2), epochs = 10)

# The words as a sequence, 0 where a review is over; mask_zero hides the zeros from the layers behind.
sequence <- judge(
  layer_text_vectorization(max_tokens = 1000, output_sequence_length = 30),
  layer_embedding(input_dim = 1000, output_dim = 16, mask_zero = TRUE),
  layer_bidirectional(layer = layer_lstm(units = 16)),
  layer_dropout(rate = 0.2),
  epochs = 10
)

# 4. Who is right how often ------------------------------------------------------------------------

class_of <- function(probability) factor(probability > 0.5, c(FALSE, TRUE), levels(test$label))
judgements <- list(
  "word list, by hand" = by_words,
  "word list, from the reviews" = by_found,
  "bag of words" = class_of(bag),
  "bag with pairs" = class_of(pairs),
  "bidirectional LSTM" = class_of(sequence)
)
negated <- grepl("not |n't |never ", test$text)
turned <- grepl(", but ", test$text)
right <- function(said, rows) sprintf("%.1f %%", 100 * mean((said == test$label)[rows]))
cat(sprintf("\nRight about %d reviews that took no part in training:\n", nrow(test)))
print(data.frame(
  all = vapply(judgements, right, "", rows = TRUE),
  "with not" = vapply(judgements, right, "", rows = negated),
  "with but" = vapply(judgements, right, "", rows = turned),
  "neither" = vapply(judgements, right, "", rows = !negated & !turned),
  check.names = FALSE
))
