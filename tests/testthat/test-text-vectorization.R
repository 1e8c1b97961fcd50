# The text layer on its own; numbers worked out by hand.

texts <- c("Foo, bar!", "bar baz", "baz bada boom")

adapted <- function(..., text = texts) {
  layer <- layer_text_vectorization(...)
  adapt(layer, text)
  layer
}

test_that("numbers follow frequency, ties falling byte order", {
  layer <- adapted(output_sequence_length = 4)
  # bar and baz twice; foo, boom, bada once
  expect_identical(get_vocabulary(layer), c("", "[UNK]", "baz", "bar", "foo", "boom", "bada"))
  expect_identical(get_vocabulary(layer, include_special_tokens = FALSE), c("baz", "bar", "foo", "boom", "bada"))
  expect_identical(layer(c("foo qux bar", "qux baz")), rbind(c(4L, 1L, 3L, 0L), c(1L, 2L, 0L, 0L)))
  expect_identical(layer("a b c d e f"), matrix(1L, 1, 4))
})

test_that("ties are in the order of bytes, not of the locale", {
  layer <- adapted(text = "b B a \u00e4 z", standardize = NULL)
  expect_identical(get_vocabulary(layer, FALSE), c("\u00e4", "z", "b", "a", "B"))
})

test_that("without a length the longest text decides", {
  layer <- adapted()
  expect_identical(layer(c("baz", "bar baz foo")), rbind(c(2L, 0L, 0L), c(3L, 2L, 4L)))
  expect_identical(layer(""), matrix(0L, 1, 0))
  expect_identical(layer(character()), matrix(0L, 0, 0))
  ragged <- adapted(ragged = TRUE)
  expect_identical(ragged(c("baz", "", "bar baz foo")), list(2L, integer(), c(3L, 2L, 4L)))
  expect_identical(adapted(ragged = TRUE, output_sequence_length = 2)("bar baz foo"), list(c(3L, 2L)))
})

test_that("max_tokens counts special tokens", {
  expect_identical(get_vocabulary(adapted(max_tokens = 4)), c("", "[UNK]", "baz", "bar"))
  expect_identical(get_vocabulary(adapted(max_tokens = 4, output_mode = "count")), c("[UNK]", "baz", "bar", "foo"))
  expect_identical(adapted(max_tokens = 4)("baz foo bar"), matrix(c(2L, 1L, 3L), 1))
})

test_that("bags of words count, mark and weigh", {
  text <- c("baz qux baz bar qux qux", "", "foo")
  count <- rbind(c(3, 2, 1, 0, 0, 0), 0, c(0, 0, 0, 1, 0, 0))
  names <- c("[UNK]", "baz", "bar", "foo", "boom", "bada")
  dimnames(count) <- list(NULL, names)
  expect_identical(adapted(output_mode = "count")(text), count)
  expect_identical(adapted(output_mode = "multi_hot")(text), (count > 0) * 1)
  expect_identical(adapted(output_mode = "binary")(text), (count > 0) * 1)
  # three texts; baz and bar in two of them, the others in one
  idf <- log(1 + 3 / (1 + c(2, 2, 1, 1, 1)))
  expect_equal(adapted(output_mode = "tf_idf")(text), sweep(count, 2, c(mean(idf), idf), "*"), tolerance = 1e-14)
  expect_identical(adapted(output_mode = "tf-idf")(text), adapted(output_mode = "tf_idf")(text))
})

test_that("words are counted once a text for idf", {
  layer <- adapted(output_mode = "tf_idf", text = c("a a a b", "a", "c"))
  idf <- log(1 + 3 / (1 + c(2, 1, 1))) # a, c, b
  expect_identical(get_vocabulary(layer), c("[UNK]", "a", "c", "b"))
  expect_equal(unname(layer("a b c x")[1, ]), c(mean(idf), idf[c(1, 2, 3)]), tolerance = 1e-14)
})

test_that("columns are padded to max_tokens", {
  layer <- adapted(output_mode = "multi_hot", max_tokens = 9, pad_to_max_tokens = TRUE)
  expect_identical(unname(layer("foo bada")), matrix(c(0, 0, 0, 1, 0, 1, 0, 0, 0), 1))
  expect_identical(colnames(layer("foo"))[6:9], c("bada", "", "", ""))
  weighed <- adapted(output_mode = "tf_idf", max_tokens = 9, pad_to_max_tokens = TRUE)
  expect_identical(dim(weighed("foo")), c(1L, 9L))
})

test_that("sparse output is the dense one", {
  skip_if_not_installed("Matrix")
  for (mode in c("count", "multi_hot", "tf_idf")) {
    sparse <- adapted(output_mode = mode, sparse = TRUE)(c("foo foo baz", "", "qux"))
    expect_s4_class(sparse, "dgCMatrix")
    expect_true(methods::validObject(sparse))
    expect_identical(as.matrix(sparse), adapted(output_mode = mode)(c("foo foo baz", "", "qux")))
  }
})

test_that("n-grams: one number is all up to it, several or a list exactly these", {
  one_text <- c("a b c")
  layer <- adapted(ngrams = 2, text = one_text)
  expect_setequal(get_vocabulary(layer, FALSE), c("a", "b", "c", "a b", "b c"))
  number <- function(layer, token) match(token, get_vocabulary(layer)) - 1L
  # the single ones first, then the pairs
  expect_identical(layer("a b c"), matrix(number(layer, c("a", "b", "c", "a b", "b c")), 1))
  expect_setequal(get_vocabulary(adapted(ngrams = c(1, 3), text = one_text), FALSE), c("a", "b", "c", "a b c"))
  expect_setequal(get_vocabulary(adapted(ngrams = list(2), text = one_text), FALSE), c("a b", "b c"))
  expect_setequal(get_vocabulary(adapted(ngrams = tuple(2L, 3L), text = one_text), FALSE), c("a b", "b c", "a b c"))
  expect_identical(adapted(ngrams = list(2), text = one_text)("a"), matrix(0L, 1, 0))
})

test_that("standardizing and splitting can be chosen", {
  text <- "A-b, c"
  expect_setequal(get_vocabulary(adapted(standardize = NULL, text = text), FALSE), c("A-b,", "c"))
  expect_setequal(get_vocabulary(adapted(standardize = "lower", text = text), FALSE), c("a-b,", "c"))
  expect_setequal(get_vocabulary(adapted(standardize = "strip_punctuation", text = text), FALSE), c("Ab", "c"))
  expect_setequal(get_vocabulary(adapted(split = NULL, text = c("A b", "c")), FALSE), c("a b", "c"))
  letters <- adapted(split = "character", text = "ab\U0001F600\u00e4")
  expect_setequal(get_vocabulary(letters, FALSE), c("a", "b", "\U0001F600", "\u00e4"))
  own <- adapted(standardize = function(x) gsub("-", " ", x), split = function(x) strsplit(x, " "), text = text)
  expect_setequal(get_vocabulary(own, FALSE), c("A", "b,", "c"))
})

test_that("functions that give something else are refused", {
  expect_error(adapted(standardize = function(x) 1), class = "lamina_error_argument")
  expect_error(adapted(split = function(x) x), class = "lamina_error_argument")
  expect_error(adapted(split = function(x) list("a")), class = "lamina_error_argument")
})

test_that("a vocabulary can be given", {
  layer <- layer_text_vectorization(vocabulary = c("earth", "wind", "and", "fire"), output_sequence_length = 4)
  expect_identical(get_vocabulary(layer), c("", "[UNK]", "earth", "wind", "and", "fire"))
  expect_identical(layer("Fire and water"), matrix(c(5L, 4L, 1L, 0L), 1))
  expect_error(adapt(layer, "a"), class = "lamina_error_state")
  expect_identical(get_vocabulary(layer)[3], "earth")

  set_vocabulary(layer, c("", "[UNK]", "sun"))
  expect_identical(get_vocabulary(layer), c("", "[UNK]", "sun"))
  set_vocabulary(layer, list("one"))
  expect_identical(get_vocabulary(layer, FALSE), "one")

  path <- withr::local_tempfile()
  writeLines(enc2utf8(c("one", "\u00e4two")), path, useBytes = TRUE)
  expect_identical(get_vocabulary(layer_text_vectorization(vocabulary = path), FALSE), c("one", "\u00e4two"))
})

test_that("weights of a given vocabulary", {
  layer <- layer_text_vectorization(output_mode = "tf_idf", vocabulary = c("a", "b"), idf_weights = c(1, 3))
  expect_identical(unname(layer("a b b x")), matrix(c(2, 1, 6), 1))
  set_vocabulary(layer, c("[UNK]", "a"), idf_weights = c(0.5, 4))
  expect_identical(unname(layer("a x")), matrix(c(0.5, 4), 1))
})

test_that("bad vocabularies are refused and nothing is changed", {
  layer <- adapted()
  before <- get_vocabulary(layer)
  bad <- list(c("a", "a"), character(), c("a", ""), c(1, 2), c("a", NA), "no/such/file", NULL)
  for (vocabulary in bad) {
    expect_error(set_vocabulary(layer, vocabulary), class = "lamina_error")
  }
  expect_error(set_vocabulary(layer, c("a", "b"), idf_weights = 1:2), class = "lamina_error_argument")
  expect_error(set_vocabulary(adapted(max_tokens = 3), c("a", "b")), class = "lamina_error_argument")
  expect_error(set_vocabulary(adapted(output_mode = "tf_idf"), c("a", "b")), class = "lamina_error_argument")
  expect_error(set_vocabulary(adapted(output_mode = "tf_idf"), c("a", "b"), 1), class = "lamina_error_argument")
  expect_error(set_vocabulary(layer_dense(units = 1), c("a", "b")), class = "lamina_error_argument")
  expect_error(adapt(layer, c("", " ")), class = "lamina_error_data")
  expect_error(adapt(layer, c("a", NA)), class = "lamina_error_data")
  expect_error(adapt(layer, 1:3), class = "lamina_error_data")
  expect_identical(get_vocabulary(layer), before)
})

test_that("bad arguments are refused", {
  refused <- function(...) expect_error(layer_text_vectorization(...), class = "lamina_error_argument")
  refused(max_tokens = 1)
  refused(max_tokens = 2.5)
  refused(standardize = "upper")
  refused(split = ",")
  refused(ngrams = 0)
  refused(ngrams = "2")
  refused(output_mode = "one_hot_please")
  refused(output_mode = "count", output_sequence_length = 3)
  refused(output_mode = "count", ragged = TRUE)
  refused(sparse = TRUE)
  refused(output_mode = "count", pad_to_max_tokens = TRUE)
  refused(idf_weights = 1)
  refused(output_mode = "tf_idf", vocabulary = c("a", "b"))
  refused(vocabulary = c("a", "b"), idf_weights = 1:2)
  refused(encoding = 8)
  refused(tokens = 3)
  refused(1000)
})

test_that("a layer without a vocabulary says what to do", {
  layer <- layer_text_vectorization(name = "words")
  error <- expect_error(layer("a"), class = "lamina_error_state")
  expect_match(conditionMessage(error), "words.*adapt")
  expect_error(get_vocabulary(layer), class = "lamina_error_state")
})

test_that("adapt() learns from datasets and functions, and from some batches", {
  ab <- c("a b", "b c", "c c")
  dataset <- lamina:::new_dataset(3, 2, function(rows) list(ab[rows], rows))
  layer <- layer_text_vectorization()
  adapt(layer, dataset)
  expect_identical(get_vocabulary(layer, FALSE), c("c", "b", "a"))
  adapt(layer, dataset, steps = 1)
  expect_identical(get_vocabulary(layer, FALSE), c("b", "c", "a"))
  i <- 0
  adapt(layer, function() list(ab[i <<- i + 1]), steps = 2)
  expect_identical(get_vocabulary(layer, FALSE), c("b", "c", "a"))
  adapt(layer, ab, batch_size = 1, steps = 1)
  expect_identical(get_vocabulary(layer, FALSE), c("b", "a"))
  expect_error(adapt(layer, function() "a"), class = "lamina_error_argument")
})

test_that("the unknown token's own name is not learned", {
  layer <- adapted(standardize = NULL, text = "[UNK] a [UNK]")
  expect_identical(get_vocabulary(layer, FALSE), "a")
})

test_that("the layer can be used as Keras' objects are", {
  layer <- layer_text_vectorization(max_tokens = 10)
  layer$adapt(c("a b", "a"))
  expect_identical(layer$get_vocabulary(), c("", "[UNK]", "a", "b"))
  expect_identical(layer$get_vocabulary(include_special_tokens = FALSE), c("a", "b"))
  expect_identical(layer$vocabulary_size(), 4L)
  layer$set_vocabulary(c("x", "y", "z"))
  expect_identical(layer$vocabulary_size(), 5L)
  expect_identical(layer$max_tokens, 10)
  expect_null(layer$name)
})
