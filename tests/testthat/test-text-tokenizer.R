fitted <- function(..., text = c("The cat sat on the mat.", "The dog ate my homework.")) {
  fit_text_tokenizer(text_tokenizer(...), text)
}

test_that("words are numbered by frequency, ties by appearance", {
  tokenizer <- fitted()
  expect_identical(unlist(tokenizer$word_index),
                   c(the = 1L, cat = 2L, sat = 3L, on = 4L, mat = 5L, dog = 6L, ate = 7L, my = 8L, homework = 9L))
  expect_identical(tokenizer$index_word[["6"]], "dog")
  expect_identical(tokenizer$word_counts$the, 3L)
  expect_identical(tokenizer$word_docs$the, 2L)
  expect_identical(tokenizer$index_docs[["1"]], 2L)
  expect_identical(tokenizer$document_count, 2L)
  expect_identical(texts_to_sequences(tokenizer, c("my dog, the bird", "")), list(c(8L, 6L, 1L), integer()))
})

test_that("num_words leaves out the rarer words, or puts the unknown one there", {
  expect_identical(texts_to_sequences(fitted(num_words = 4), "the dog sat, on"), list(c(1L, 3L)))
  tokenizer <- fitted(num_words = 4, oov_token = "<UNK>")
  expect_identical(tokenizer$word_index[["<UNK>"]], 1L)
  expect_identical(tokenizer$word_index$the, 2L)
  # cat is 3, all others are beyond or unknown
  expect_identical(texts_to_sequences(tokenizer, "the cat and dog"), list(c(2L, 3L, 1L, 1L)))
  expect_length(tokenizer$word_index, 10L)
})

test_that("a tokenizer goes on learning, in place", {
  tokenizer <- text_tokenizer()
  fit_text_tokenizer(tokenizer, c("a b", "b c"))
  expect_identical(unlist(tokenizer$word_index), c(b = 1L, a = 2L, c = 3L))
  tokenizer |> fit_text_tokenizer("c c d")
  expect_identical(unlist(tokenizer$word_index), c(c = 1L, b = 2L, a = 3L, d = 4L))
  expect_identical(unlist(tokenizer$word_counts), c(a = 1L, b = 2L, c = 3L, d = 1L))
  expect_identical(unlist(tokenizer$word_docs), c(a = 1L, b = 2L, c = 2L, d = 1L))
  expect_identical(tokenizer$document_count, 3L)
})

test_that("matrices in all modes", {
  tokenizer <- fitted(text = c("a b", "a a c", "d"))
  # numbers: a 1, b 2, c 3, d 4; texts with a: 2, with the others: 1; three texts
  text <- c("a a b x", "", "d c")
  count <- rbind(c(0, 2, 1, 0, 0), 0, c(0, 0, 0, 1, 1))
  expect_identical(texts_to_matrix(tokenizer, text, "count"), count)
  expect_identical(texts_to_matrix(tokenizer, text), (count > 0) * 1)
  expect_equal(texts_to_matrix(tokenizer, text, mode = "freq"), count / c(3, 1, 2), tolerance = 1e-15) # x is no word
  idf <- log(1 + 3 / (1 + c(0, 2, 1, 1, 1)))
  tf <- ifelse(count > 0, 1 + log(pmax(count, 1)), 0)
  expect_equal(texts_to_matrix(tokenizer, text, mode = "tfidf"), sweep(tf, 2, idf, "*"), tolerance = 1e-14)
  expect_identical(sequences_to_matrix(tokenizer, list(c(1, 1, 2), integer(), c(4, 3)), "count"), count)
})

test_that("num_words is the number of columns", {
  tokenizer <- text_tokenizer(num_words = 3)
  expect_identical(sequences_to_matrix(tokenizer, list(c(0, 2, 2, 7)), "count"), matrix(c(1, 0, 2), 1))
  expect_equal(sequences_to_matrix(tokenizer, list(c(0, 2, 2, 7)), "freq"), matrix(c(1, 0, 2) / 4, 1))
  expect_error(sequences_to_matrix(tokenizer, list(1), "tfidf"), class = "lamina_error_state")
})

test_that("characters and words split already can be tokens", {
  letters <- fitted(char_level = TRUE, text = c("Ab", "a!"))
  expect_identical(unlist(letters$word_index), c(a = 1L, b = 2L, "!" = 3L))
  words <- fitted(text = list(c("New York", "a"), "a", character()))
  expect_identical(unlist(words$word_index), c(a = 1L, "new york" = 2L))
  expect_identical(words$document_count, 3L)
  expect_identical(texts_to_sequences(words, list(c("a", "NEW YORK"), "b")), list(c(1L, 2L), integer()))
})

test_that("filters, case and the separator can be chosen", {
  expect_identical(text_to_word_sequence("Don't - stop, me!"), c("don't", "stop", "me"))
  expect_identical(text_to_word_sequence("A-b", lower = FALSE, filters = ""), "A-b")
  expect_identical(text_to_word_sequence("a-b;c", filters = "-;"), c("a", "b", "c"))
  expect_identical(text_to_word_sequence("a, b,c", filters = " ", split = ","), c("a", "b", "c"))
  expect_identical(text_to_word_sequence("a<>b.c", filters = ".", split = "<>"), c("a", "b", "c"))
  expect_identical(text_to_word_sequence("\u00c4 \u0416."), c("\u00e4", "\u0436"))
  expect_identical(text_to_word_sequence(""), character())
})

test_that("saveRDS() keeps a tokenizer", {
  tokenizer <- fitted()
  path <- withr::local_tempfile()
  saveRDS(tokenizer, path)
  expect_identical(texts_to_sequences(readRDS(path), "the dog"), list(c(1L, 6L)))
})

test_that("wrong calls are refused", {
  expect_error(texts_to_sequences(text_tokenizer(), "a"), class = "lamina_error_state")
  expect_error(texts_to_matrix(text_tokenizer(), "a"), class = "lamina_error_state")
  expect_error(texts_to_sequences(list(), "a"), class = "lamina_error_argument")
  expect_error(fit_text_tokenizer(text_tokenizer(), c("a", NA)), class = "lamina_error_data")
  expect_error(fit_text_tokenizer(text_tokenizer(), 1), class = "lamina_error_data")
  expect_error(texts_to_matrix(fitted(), "a", mode = "tf"), class = "lamina_error_argument")
  expect_error(sequences_to_matrix(fitted(), list(-1)), class = "lamina_error_data")
  expect_error(sequences_to_matrix(fitted(), "a"), class = "lamina_error_data")
  expect_error(text_tokenizer(num_words = 0), class = "lamina_error_argument")
  expect_error(text_to_word_sequence(c("a", "b")), class = "lamina_error_argument")
  expect_error(text_to_word_sequence("a", split = ""), class = "lamina_error_argument")
})

test_that("a tokenizer prints what it knows", {
  expect_output(print(fitted(num_words = 4)), "9 words in 2 texts")
})
