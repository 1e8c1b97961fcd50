# Texts to numbers.  The layer works in R; in a model it stands in front of the network, which sees
# only the numbers that come out (model$front, R/model.R).

#' Text to numbers
#'
#' Cuts each text into tokens, mostly words, and gives each token a number. The numbers come from a
#' vocabulary, the list of the tokens that occur in training texts, which [adapt()] finds. First a text is
#' standardized (lower case, no punctuation); where asked for, neighbouring tokens are joined to n-grams, such
#' as "not good" with `ngrams = 2`.
#'
#' @details
#' What comes out depends on `output_mode`:
#'
#' * `"int"`: the tokens' numbers in their order, padded with 0 at the end: 1 is any token that is not
#'   in the vocabulary (`"[UNK]"`), 2 the most frequent one. That is for layers that heed the order of words:
#'   [layer_embedding()] comes next.
#' * `"multi_hot"`, `"count"`, `"tf_idf"`: one column for each token of the vocabulary, the first for
#'   all unknown ones: 1 where the token occurs, how often it does, or that times
#'   `log(1 + texts / (1 + texts with the token))`, as Keras defines it, so that words that are in every text
#'   count less; unknown tokens weigh the mean of these. Such a bag of words can go into a [layer_dense()].
#'
#' Called with texts, `layer(c("a b", "c"))`, the layer gives the numbers. A model whose first layer it is
#' takes texts in [fit()][fit.lamina_model], [evaluate()] and [predict()][predict.lamina_model], from a
#' dataset or function too; [saveRDS()] and [save_model()] keep the vocabulary with it. Such a model turns
#' its texts into numbers anew in every call: to fit often to many texts, call the layer once and fit a
#' model of the numbers.
#'
#' Standardizing makes lower case of the letters of all scripts (Keras: of A to Z), letter by letter as
#' Unicode's simple mappings say and the same in every locale: the Turkish dotted capital I (U+0130) and
#' I both become i. Punctuation is removed, not replaced by a blank: the 32 signs of ASCII, as in Keras;
#' typographic quotes and dashes stay. Tokens are split at blanks, also Unicode's.
#'
#' @inheritParams layer_dense
#' @param max_tokens Largest size of the vocabulary, at least 2: the most frequent tokens are kept. Special
#'   tokens (padding, `"[UNK]"`) are counted. `NULL`: no limit.
#' @param standardize `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"`, `NULL`
#'   for texts as they are, or a function of a character vector that returns one of the same length.
#' @param split `"whitespace"`, `"character"` (each code point), `NULL`: a text is one token, or a
#'   function of a character vector that returns a list of character vectors.
#' @param ngrams Runs of how many tokens become tokens: a number `N` for 1 to `N`, several numbers, or
#'   a list for exactly these; `NULL` for single ones. For each text the shorter ones come first.
#' @param output_mode `"int"`, `"multi_hot"`, `"count"` or `"tf_idf"`: see below.
#' @param output_sequence_length For `"int"`: number of columns; longer texts are cut at their end,
#'   shorter ones padded. `NULL`: the longest text decides, in a model that of the first data.
#' @param pad_to_max_tokens `TRUE`: as many columns as `max_tokens` even if the vocabulary is smaller. For the
#'   other modes than `"int"`.
#' @param vocabulary The vocabulary, most frequent token first, if it is known: a character vector, or
#'   the path of a file with a token a line (a list for a vocabulary of one token). Special tokens
#'   in front may be there or not. `NULL`: [adapt()] finds it.
#' @param idf_weights Weights of these tokens, needed with `"tf_idf"`.
#' @param sparse `TRUE`: a call gives a sparse matrix (`dgCMatrix` of package Matrix). In a model columns go
#'   to the network in sparse form either way.
#' @param ragged `TRUE`: a call in `"int"` mode gives a list of integer vectors.
#' @param encoding Encoding of strings that are not marked as UTF-8 or Latin-1.
#' @param name Name of the layer.
#' @return The model with the layer in front, or the layer when `object` is left out. A call with texts
#'   gives a matrix with a row a text: integers for `"int"`, else numbers in columns named by
#'   their tokens.
#' @section Errors:
#' `lamina_error_argument` for bad arguments; `lamina_error_data` for texts that are missing or not valid
#' UTF-8; `lamina_error_state` for a layer that has no vocabulary yet, or that is not first.
#' @seealso [adapt()] and [get_vocabulary()], for which this layer is made; [layer_embedding()];
#'   `vignette("v02-word-lists", package = "lamina")`.
#' @family text
#' @family preprocessing layers
#' @examples
#' vectorize <- layer_text_vectorization(output_sequence_length = 4)
#' adapt(vectorize, c("foo bar", "bar baz", "baz bada boom"))
#' get_vocabulary(vectorize) # numbers 0 (padding), 1 (unknown), 2, 3, ...
#' vectorize(c("foo qux bar", "qux baz"))
#'
#' # a bag of words in front of a logistic regression
#' set.seed(1)
#' reviews <- sim_reviews(300)
#' words <- layer_text_vectorization(output_mode = "multi_hot", ngrams = 2)
#' adapt(words, reviews$text)
#' model <- keras_model_sequential(layers = list(
#'   words, layer_dense(units = 1, activation = "sigmoid")
#' ))
#' model |> compile(optimizer = optimizer_adam(0.05), loss = "binary_crossentropy",
#'                  metrics = "accuracy")
#' model |> fit(reviews$text, reviews$label, epochs = 5, verbose = 0)
#' predict(model, c("the staff was lovely", "a terrible, boring hotel")) # probability of "positive"
#'
#' # numbers in the order of the words, in front of word vectors
#' ids <- layer_text_vectorization(output_sequence_length = 20)
#' adapt(ids, reviews$text)
#' keras_model_sequential(layers = list(
#'   ids,
#'   layer_embedding(input_dim = length(get_vocabulary(ids)), output_dim = 8, mask_zero = TRUE),
#'   layer_lstm(units = 8),
#'   layer_dense(units = 1, activation = "sigmoid")
#' ))
#' @export
layer_text_vectorization <- function(object, max_tokens = NULL,
                                     standardize = "lower_and_strip_punctuation",
                                     split = "whitespace", ngrams = NULL, output_mode = "int",
                                     output_sequence_length = NULL, pad_to_max_tokens = FALSE,
                                     vocabulary = NULL, idf_weights = NULL, sparse = FALSE,
                                     ragged = FALSE, encoding = "utf-8", name = NULL, ...) {
  config <- list(
    max_tokens = check_count(max_tokens, min = 2, allow_null = TRUE),
    standardize = check_text_step(standardize, c("lower_and_strip_punctuation", "lower", "strip_punctuation")),
    split = check_text_step(split, c("whitespace", "character")),
    ngrams = check_ngrams(ngrams),
    output_mode = check_output_mode(output_mode),
    output_sequence_length = check_count(output_sequence_length, allow_null = TRUE),
    pad_to_max_tokens = check_flag(pad_to_max_tokens),
    sparse = check_flag(sparse),
    ragged = check_flag(ragged),
    encoding = check_string(encoding)
  )
  check_mode_arguments(config)
  if (!is.null(vocabulary)) {
    config <- c(config, new_vocabulary(config, vocabulary, idf_weights), given = TRUE)
  } else if (!is.null(idf_weights)) {
    abort_argument("idf_weights", "left out when `vocabulary` is", describe(idf_weights))
  }
  create_layer(object, "text_vectorization", config, name = name, ..., class = "TextVectorization")
}

# ---- arguments -----------------------------------------------------------------------------------

check_text_step <- function(x, choices, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (is.null(x)) {
    NULL
  } else if (is.function(x)) {
    list(type = "function", fn = x)
  } else {
    check_choice(x, choices, arg = arg, call = call)
  }
}

# The widths of the n-grams: N alone stands for 1 to N.
check_ngrams <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (is.null(x)) {
    return(NULL)
  }
  what <- "whole numbers of at least 1"
  widths <- check_whole_numbers(x, what, arg = arg, call = call)
  if (any(widths < 1)) {
    abort_argument(arg, what, paste(widths, collapse = ", "), call = call)
  }
  if (length(widths) == 1L && !is.list(x)) seq_len(widths) else as.integer(widths)
}

check_output_mode <- function(x, call = rlang::caller_env()) {
  older <- c(binary = "multi_hot", "tf-idf" = "tf_idf")
  if (is.character(x) && length(x) == 1L && x %in% names(older)) {
    x <- older[[x]]
  }
  check_choice(x, c("int", "multi_hot", "count", "tf_idf"), arg = "output_mode", call = call)
}

# Arguments that go with one kind of output only.
check_mode_arguments <- function(config, call = rlang::caller_env()) {
  numbers <- config$output_mode == "int"
  mode <- sprintf("when `output_mode` is \"%s\"", config$output_mode)
  refuse <- function(arg, expected) abort_argument(arg, paste(expected, mode), describe(config[[arg]]), call = call)
  if (!numbers && !is.null(config$output_sequence_length)) refuse("output_sequence_length", "NULL")
  if (!numbers && config$ragged) refuse("ragged", "FALSE")
  if (numbers && config$sparse) refuse("sparse", "FALSE")
  if (config$pad_to_max_tokens && is.null(config$max_tokens)) {
    abort_argument("max_tokens", "given when `pad_to_max_tokens` is TRUE", "NULL", call = call)
  }
}

# ---- the vocabulary ------------------------------------------------------------------------------

UNKNOWN <- "[UNK]"

special_tokens <- function(config) if (config$output_mode == "int") c("", UNKNOWN) else UNKNOWN

# list(vocabulary =, idf =): tokens without the special ones; weights with that of unknown tokens first,
# only for "tf_idf".
new_vocabulary <- function(config, vocabulary, idf_weights, call = rlang::caller_env()) {
  terms <- as_text(vocabulary_terms(vocabulary, call), "vocabulary", config$encoding, call)
  weights <- check_idf_weights(config, idf_weights, length(terms), call)
  special <- special_tokens(config)
  if (identical(utils::head(terms, length(special)), special)) {
    terms <- terms[-seq_along(special)]
  } else if (!is.null(weights)) {
    weights <- c(mean(weights), weights)
  }
  refuse <- function(expected, actual, hint = NULL) {
    abort_argument("vocabulary", expected, actual, hint = hint, call = call)
  }
  if (length(terms) == 0L) refuse("one token or more", "empty")
  twice <- unique(terms[duplicated(terms)])
  if (length(twice)) {
    refuse("different tokens", sprintf("one with \"%s\" twice (%d such)", twice[1L], length(twice)))
  }
  if ("" %in% terms) {
    refuse("without \"\", which stands for padding", sprintf("one with \"\" in place %d", match("", terms)),
           c(i = "get_vocabulary(layer, include_special_tokens = FALSE) leaves special tokens out."))
  }
  size <- length(terms) + length(special)
  if (!is.null(config$max_tokens) && size > config$max_tokens) {
    refuse(sprintf("of at most `max_tokens` = %g, special tokens included", config$max_tokens), format(size))
  }
  list(vocabulary = terms, idf = weights)
}

# A single string is a path, as in Keras.
vocabulary_terms <- function(vocabulary, call) {
  if (!is.character(vocabulary) || length(vocabulary) != 1L) {
    return(vocabulary)
  }
  if (is.na(vocabulary) || !file.exists(vocabulary) || dir.exists(vocabulary)) {
    abort_argument("vocabulary", "tokens, or the path of a file", describe(vocabulary), kind = "file",
                   hint = c(i = "Give a vocabulary of one token as a list."), call = call)
  }
  terms <- readLines(vocabulary, warn = FALSE)
  mark <- as.raw(c(0xef, 0xbb, 0xbf)) # of UTF-8; the bytes behind it may be none
  if (length(terms) && identical(utils::head(charToRaw(terms[1L]), 3L), mark)) {
    terms[1L] <- rawToChar(charToRaw(terms[1L])[-(1:3)])
  }
  terms
}

check_idf_weights <- function(config, weights, n, call) {
  if (config$output_mode != "tf_idf") {
    if (!is.null(weights)) {
      abort_argument("idf_weights", "NULL unless `output_mode` is \"tf_idf\"", describe(weights), call = call)
    }
    return(NULL)
  }
  weights <- if (is.list(weights)) unlist(weights) else weights
  if (!is.numeric(weights) || length(weights) != n || !all(is.finite(weights))) {
    abort_argument("idf_weights", sprintf("%d finite numbers, one for each token, with \"tf_idf\"", n),
                   describe(weights), call = call)
  }
  as.double(weights)
}

# The vocabulary of texts: by falling frequency, ties by falling byte order, as Keras.
learn_vocabulary <- function(config, words, call = rlang::caller_env()) {
  terms <- words$terms
  counts <- tabulate(words$id, length(terms))
  by_name <- order(terms, decreasing = TRUE, method = "radix")
  best <- by_name[order(counts[by_name], decreasing = TRUE, method = "radix")]
  best <- best[!terms[best] %in% UNKNOWN]
  if (!is.null(config$max_tokens)) {
    best <- utils::head(best, config$max_tokens - length(special_tokens(config)))
  }
  if (length(terms) == 0L) {
    abort_argument("data", "texts with at least one token", sprintf("%d without any", words$n), kind = "data", call = call)
  }
  list(vocabulary = terms[best], idf = if (config$output_mode == "tf_idf") learn_idf(words, best))
}

# log(1 + texts / (1 + texts with the token)) for the terms chosen; the mean in front, for unknown
# tokens.
learn_idf <- function(words, chosen) {
  with_token <- texts_with_term(words)[chosen]
  idf <- log(1 + words$n / (1 + with_token))
  c(mean(idf), idf)
}

# ---- from texts to numbers -----------------------------------------------------------------------

has_vocabulary <- function(self) !is.null(self$config$vocabulary)

require_vocabulary <- function(self, call) {
  if (!has_vocabulary(self)) {
    name <- if (is.null(self$name)) "text_vectorization" else self$name
    abort_lamina(
      c(sprintf("Layer `%s` has no vocabulary yet.", name),
        i = "adapt(layer, text) finds one in training texts; set_vocabulary() sets one that is known."),
      "state", arg = name, expected = "a vocabulary", actual = "none", call = call
    )
  }
}

# The tokens of texts, n-grams made.
text_tokens <- function(self, x, arg, call) {
  config <- self$config
  text <- standardize_text(self, as_text(x, arg, config$encoding, call), call)
  own <- self$functions$split
  parts <- if (!is.null(own)) {
    check_split(own(text), length(text), call)
  } else {
    switch(if (is.null(config$split)) "none" else config$split,
           whitespace = split_whitespace(text), character = split_characters(text), none = as.list(text))
  }
  words <- new_words(parts)
  if (is.null(config$ngrams)) words else word_ngrams(words, config$ngrams)
}

standardize_text <- function(self, text, call) {
  own <- self$functions$standardize
  step <- self$config$standardize
  if (!is.null(own)) {
    out <- own(text)
    if (!is.character(out) || length(out) != length(text) || anyNA(out)) {
      abort_argument("standardize", sprintf("a function that gives %d strings here", length(text)), describe(out), call = call)
    }
    return(enc2utf8(out))
  }
  if (isTRUE(step %in% c("lower", "lower_and_strip_punctuation"))) text <- lower_case(text)
  if (isTRUE(step %in% c("strip_punctuation", "lower_and_strip_punctuation"))) text <- strip_punctuation(text)
  text
}

check_split <- function(parts, n, call) {
  if (!is.list(parts) || length(parts) != n || !all(vapply(parts, is.character, NA))) {
    abort_argument("split", sprintf("a function that gives a list of %d character vectors here", n), describe(parts), call = call)
  }
  lapply(parts, enc2utf8)
}

# 1 for an unknown token, 2 for the first of the vocabulary and so on: the number in "int" mode, the
# column, counted from 1, in the others.
token_numbers <- function(self, words) {
  (match(words$terms, self$config$vocabulary, nomatch = 0L) + 1L)[words$id]
}

# What a call with texts gives.
vectorize_text <- function(self, x, call) {
  require_vocabulary(self, call)
  words <- text_tokens(self, x, "x", call)
  config <- self$config
  if (config$output_mode != "int") {
    parts <- token_columns(self, words)
    out <- if (config$sparse) sparse_matrix(parts, call) else dense_matrix(parts)
    terms <- c(UNKNOWN, config$vocabulary)
    dimnames(out) <- list(NULL, c(terms, rep("", ncol(out) - length(terms))))
    out
  } else if (config$ragged) {
    most <- if (is.null(config$output_sequence_length)) Inf else config$output_sequence_length
    lapply(unname(split(token_numbers(self, words), factor(words$text, seq_len(words$n)))), utils::head, most)
  } else {
    token_matrix(self, words, config$output_sequence_length)
  }
}

# width: columns; NULL: as many as the longest text has tokens.
token_matrix <- function(self, words, width = NULL) {
  long <- words_per_text(words)
  if (is.null(width)) {
    width <- max(long, 0L)
  }
  at <- sequence(long)
  kept <- at <= width
  out <- matrix(0L, words$n, width)
  out[words$text[kept] + (at[kept] - 1) * words$n] <- token_numbers(self, words)[kept]
  out
}

# Sparse parts of the matrix with a column for each token.
token_columns <- function(self, words) {
  config <- self$config
  parts <- count_pairs(words$text, token_numbers(self, words), words$n, front_shape(self))
  parts$x <- switch(config$output_mode,
    multi_hot = rep(1, length(parts$x)),
    count = parts$x,
    tf_idf = parts$x * config$idf[entry_columns(parts)]
  )
  parts
}

# ---- in front of a network -----------------------------------------------------------------------

# A layer that makes the network's input out of other values.
is_front <- function(layer) inherits(layer, "lamina_layer_text_vectorization")

is_textual <- function(x) is.character(x) || is.factor(x) || is.list(x)

# The shape of what comes out for one text; NULL while it is not known.
front_shape <- function(self) {
  config <- self$config
  if (config$output_mode == "int") {
    config$output_sequence_length
  } else if (config$pad_to_max_tokens) {
    config$max_tokens
  } else if (has_vocabulary(self)) {
    length(config$vocabulary) + 1
  }
}

# The network's input for texts: sparse parts, or the numbers in a matrix.  shape: that of the model.
front_input <- function(self, x, shape, arg, call) {
  if (!is_textual(x)) {
    abort_argument(arg, sprintf("texts, a character vector, for layer `%s`", self$name), describe(x), kind = "data", call = call)
  }
  require_vocabulary(self, call)
  words <- text_tokens(self, x, arg, call)
  if (self$config$output_mode != "int") {
    return(token_columns(self, words))
  }
  if (is.null(shape)) {
    shape <- max(words_per_text(words), 1L)
    inform_lamina(
      c(i = sprintf("Texts are cut or padded to %d tokens, the longest of the first data; `output_sequence_length` sets another number.", shape)),
      "lamina_message_length"
    )
  }
  token_matrix(self, words, shape)
}

# ---- verbs ---------------------------------------------------------------------------------------

#' @export
adapt.lamina_layer_text_vectorization <- function(object, data, ..., batch_size = NULL, steps = NULL) {
  check_no_dots(list(...))
  batch_size <- check_count(batch_size, allow_null = TRUE)
  steps <- check_count(steps, allow_null = TRUE)
  self <- layer_self(object)
  if (isTRUE(self$config$given)) {
    abort_lamina(
      c("The layer was made with a vocabulary of its own, which adapt() does not replace.",
        i = "Leave `vocabulary` out, or use set_vocabulary()."),
      "state", arg = "object", expected = "a layer made without `vocabulary`", actual = "one made with it"
    )
  }
  text <- if (gives_batches(data)) source_texts(data, steps) else data
  if (!is.null(steps) && is.character(data)) {
    text <- utils::head(as.vector(data), steps * if (is.null(batch_size)) 32 else batch_size)
  }
  words <- text_tokens(self, text, "data", rlang::current_env())
  install_vocabulary(self, learn_vocabulary(self$config, words))
  invisible(object)
}

# All texts of a dataset, or of so many batches of a function.
source_texts <- function(data, steps, call = rlang::caller_env()) {
  source <- batch_source(data, steps, arg = "data", call = call)
  texts <- lapply(seq_len(source$batches), function(i) {
    batch <- source$next_batch()
    as_text(if (is.list(batch) && !is.data.frame(batch)) batch[[1L]] else batch, "data", call = call)
  })
  unlist(texts)
}

# Puts a vocabulary into the layer, unless its model is already built for another width.
install_vocabulary <- function(self, found, call = rlang::caller_env()) {
  before <- self$config
  self$config[c("vocabulary", "idf")] <- list(found$vocabulary, found$idf)
  width <- front_shape(self)
  model <- self$model
  if (is.null(model) || is.null(width)) {
    return(invisible())
  }
  if (is_built(model) && model$shape != width) {
    self$config <- before
    abort_lamina(
      c(sprintf("The vocabulary gives %g columns, but the model is built for %g.", width, model$shape),
        i = "Adapt the layer before the model is built, or set `max_tokens` and `pad_to_max_tokens`."),
      "state", arg = self$name, expected = model$shape, actual = width, call = call
    )
  }
  model$shape <- width
  if (!is_built(model) && length(model_layers(model))) {
    undo_on_error(model, infer_shapes(model, width))
  }
}

#' The vocabulary of a text layer
#'
#' @param object A layer of [layer_text_vectorization()].
#' @param include_special_tokens `FALSE` leaves `""` (padding, `"int"` mode only) and `"[UNK]"` (unknown
#'   tokens) out. With them a token's place, counted from 0, is its number.
#' @param vocabulary The new vocabulary: see [layer_text_vectorization()].
#' @param idf_weights Weights of its tokens, for `output_mode = "tf_idf"`.
#' @param ... Not used.
#' @return `get_vocabulary()` a character vector, most frequent token first; `set_vocabulary()` the layer,
#'   changed in place, invisibly.
#' @section Errors:
#' `lamina_error_state` for a layer without a vocabulary; `lamina_error_argument` for a vocabulary that is
#' empty, too large, or has a token twice.
#' @family text
#' @examples
#' layer <- layer_text_vectorization()
#' set_vocabulary(layer, c("good", "bad"))
#' get_vocabulary(layer)
#' layer("so bad, so good")
#' @export
get_vocabulary <- function(object, include_special_tokens = TRUE) {
  self <- text_layer_self(object)
  special <- check_flag(include_special_tokens)
  require_vocabulary(self, rlang::current_env())
  c(if (special) special_tokens(self$config), self$config$vocabulary)
}

#' @rdname get_vocabulary
#' @export
set_vocabulary <- function(object, vocabulary, idf_weights = NULL, ...) {
  check_no_dots(list(...))
  self <- text_layer_self(object)
  install_vocabulary(self, new_vocabulary(self$config, vocabulary, idf_weights))
  invisible(object)
}

text_layer_self <- function(object, call = rlang::caller_env()) {
  if (!inherits(object, "lamina_layer_text_vectorization")) {
    abort_argument("object", "a layer of layer_text_vectorization()", describe(object), call = call)
  }
  layer_self(object)
}

# As Keras' layer objects: layer$get_vocabulary(), layer$adapt(text) and so on.
#' @export
`$.lamina_layer_text_vectorization` <- function(x, name) {
  switch(name,
    adapt = function(data, ...) adapt(x, data, ...),
    get_vocabulary = function(...) get_vocabulary(x, ...),
    set_vocabulary = function(vocabulary, ...) set_vocabulary(x, vocabulary, ...),
    vocabulary_size = function() length(get_vocabulary(x)),
    NextMethod()
  )
}
