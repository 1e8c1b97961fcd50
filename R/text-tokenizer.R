# The tokenizer of older Keras scripts: an environment that fit_text_tokenizer() changes in place, with
# the fields that such scripts read.

TOKENIZER_FILTERS <- "!\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n"

#' Tokenizer of older scripts
#'
#' What scripts written for older versions of Keras use to turn texts into numbers; for new ones see
#' [layer_text_vectorization()]. Words are numbered from 1 by falling frequency in all texts seen,
#' ties in order of appearance; 0 is no word. With `num_words`, texts are turned into numbers below
#' `num_words` only: words further down are left out, or become `oov_token`.
#'
#' @param num_words Size of the vocabulary to use, the unused 0 included; `NULL`: all words.
#' @param filters Characters that separate words like `split`: by default ASCII's punctuation
#'   without the apostrophe, tab and line feed.
#' @param lower Make lower case (of letters of all scripts).
#' @param split What stands between words.
#' @param char_level `TRUE`: each character is a word; `filters` are not used.
#' @param oov_token A word to stand for unknown ones, with number 1; `NULL`: they are left out.
#' @param object,tokenizer A tokenizer.
#' @param x,texts Texts: a character vector, or a list of vectors of words, split already.
#' @param sequences A list of vectors of word numbers.
#' @param mode What the matrix holds for a word that occurs `c` times in a text: `"binary"` 1,
#'   `"count"` `c`, `"freq"` `c` by the number of words of the text, `"tfidf"`
#'   `(1 + log(c)) * log(1 + texts / (1 + texts with the word))`, counted in the texts fitted on.
#' @param text One text.
#' @return `text_tokenizer()` and `fit_text_tokenizer()` (invisibly) a tokenizer, changed in place by the
#'   latter, several times if wanted. Its fields: `word_index` (a list of numbers named by words),
#'   `index_word` (a list of words named by numbers), `word_counts`, `word_docs` and `index_docs` (lists of
#'   how often a word occurs, and in how many texts), `document_count`, and the arguments. [saveRDS()] keeps it.
#'
#'   `texts_to_sequences()` a list of integer vectors, one a text: see [pad_sequences()];
#'   `texts_to_matrix()` and `sequences_to_matrix()` a matrix of texts x `num_words`, whose column `j + 1`
#'   stands for word `j`; `text_to_word_sequence()` a character vector.
#' @section Errors:
#' `lamina_error_argument` for bad arguments, `lamina_error_data` for texts that are missing or not UTF-8,
#' `lamina_error_state` for a tokenizer that has seen no texts.
#' @family text
#' @examples
#' tokenizer <- text_tokenizer(num_words = 10)
#' tokenizer |> fit_text_tokenizer(c("The cat sat on the mat.", "The dog ate my homework."))
#' tokenizer$word_index[["the"]]
#' texts_to_sequences(tokenizer, "the dog sat")
#' texts_to_matrix(tokenizer, "the dog, the cat", mode = "count")
#' @export
text_tokenizer <- function(num_words = NULL, filters = TOKENIZER_FILTERS, lower = TRUE, split = " ",
                           char_level = FALSE, oov_token = NULL) {
  tokenizer <- list2env(list(
    num_words = check_count(num_words, allow_null = TRUE),
    filters = as_text(check_string(filters), "filters"),
    lower = check_flag(lower),
    split = check_string(split),
    char_level = check_flag(char_level),
    oov_token = check_string(oov_token, allow_null = TRUE),
    document_count = 0L,
    word_counts = list(), word_docs = list(), word_index = list(), index_word = list(), index_docs = list()
  ), parent = emptyenv())
  structure(tokenizer, class = "lamina_tokenizer")
}

#' @rdname text_tokenizer
#' @export
fit_text_tokenizer <- function(object, x) {
  check_tokenizer(object, "object")
  words <- tokenizer_words(object, x, "x")
  terms <- unique(c(names(object$word_counts), words$terms))
  counts <- add_by_name(object$word_counts, tabulate(words$id, length(words$terms)), words$terms, terms)
  docs <- add_by_name(object$word_docs, texts_with_term(words), words$terms, terms)

  ranked <- order(counts, decreasing = TRUE, method = "radix")
  ranked <- ranked[!terms[ranked] %in% object$oov_token]
  index <- c(object$oov_token, terms[ranked])
  numbered <- match(terms, index)
  object$document_count <- object$document_count + words$n
  object$word_counts <- named_list(counts, terms)
  object$word_docs <- named_list(docs, terms)
  object$word_index <- named_list(seq_along(index), index)
  object$index_word <- named_list(index, seq_along(index))
  object$index_docs <- named_list(docs, numbered)
  invisible(object)
}

# Earlier counts (a named list) and new ones, in the order of `terms`.
add_by_name <- function(earlier, new, new_names, terms) {
  sum <- integer(length(terms))
  sum[seq_along(earlier)] <- as.integer(unlist(earlier))
  at <- match(new_names, terms)
  sum[at] <- sum[at] + new
  sum
}

named_list <- function(values, names) stats::setNames(as.list(values), names)

#' @rdname text_tokenizer
#' @export
texts_to_sequences <- function(tokenizer, texts) {
  check_tokenizer(tokenizer, "tokenizer", fitted = TRUE)
  words <- tokenizer_words(tokenizer, texts, "texts")
  id <- match(words$terms, names(tokenizer$word_index))[words$id]
  if (!is.null(tokenizer$num_words)) {
    id[!is.na(id) & id >= tokenizer$num_words] <- NA
  }
  if (!is.null(tokenizer$oov_token)) {
    id[is.na(id)] <- 1L
  }
  known <- !is.na(id)
  unname(split(id[known], factor(words$text[known], seq_len(words$n))))
}

#' @rdname text_tokenizer
#' @export
texts_to_matrix <- function(tokenizer, texts, mode = c("binary", "count", "tfidf", "freq")) {
  sequences_to_matrix(tokenizer, texts_to_sequences(tokenizer, texts), mode[1L])
}

#' @rdname text_tokenizer
#' @export
sequences_to_matrix <- function(tokenizer, sequences, mode = c("binary", "count", "tfidf", "freq")) {
  check_tokenizer(tokenizer, "tokenizer", fitted = is.null(tokenizer$num_words))
  mode <- check_choice(mode[1L], c("binary", "count", "tfidf", "freq"))
  if (mode == "tfidf") {
    check_tokenizer(tokenizer, "tokenizer", fitted = TRUE)
  }
  check_sequences(sequences)
  number <- as.double(unlist(sequences, use.names = FALSE))
  if (anyNA(number) || any(number < 0 | number != floor(number))) {
    abort_argument("sequences", "whole numbers of at least 0", "others", kind = "data")
  }
  columns <- if (is.null(tokenizer$num_words)) length(tokenizer$word_index) + 1 else tokenizer$num_words
  long <- lengths(sequences)
  text <- rep(seq_along(long), long)
  kept <- number < columns
  parts <- count_pairs(text[kept], number[kept] + 1, length(long), columns)
  parts$x <- switch(mode,
    binary = rep(1, length(parts$x)),
    count = parts$x,
    freq = parts$x / long[parts$i + 1L],
    tfidf = (1 + log(parts$x)) * tokenizer_idf(tokenizer, entry_columns(parts) - 1)
  )
  dense_matrix(parts)
}

tokenizer_idf <- function(tokenizer, number) {
  docs <- unlist(tokenizer$index_docs)[match(number, names(tokenizer$index_docs))]
  docs[is.na(docs)] <- 0
  log(1 + tokenizer$document_count / (1 + unname(docs)))
}

#' @rdname text_tokenizer
#' @export
text_to_word_sequence <- function(text, filters = TOKENIZER_FILTERS, lower = TRUE, split = " ") {
  text <- as_text(check_string(text), "text")
  words <- filter_split(if (check_flag(lower)) lower_case(text) else text, check_string(filters), check_string(split))[[1L]]
  words[nzchar(words)]
}

# Texts parted at `split` and at each of the characters in `filters`.
filter_split <- function(text, filters, split) {
  if (nchar(split) == 0L) {
    abort_argument("split", "one character or more", "\"\"")
  }
  others <- strsplit(filters, "")[[1L]]
  text <- if (nchar(split) == 1L && length(others)) {
    last <- others == "-" # chartr() takes a-z for a range, unless the hyphen stands last
    chartr(paste(c(others[!last], others[last]), collapse = ""), strrep(split, length(others)), text)
  } else {
    Reduce(function(text, other) gsub(other, split, text, fixed = TRUE), others, text)
  }
  strsplit(text, split, fixed = TRUE)
}

tokenizer_words <- function(tokenizer, x, arg, call = rlang::caller_env()) {
  if (is.list(x) && !is.data.frame(x) && any(lengths(x) != 1L)) {
    flat <- as_text(as.character(unlist(x)), arg, call = call)
    if (tokenizer$lower) flat <- lower_case(flat)
    return(new_words(split(flat, factor(rep(seq_along(x), lengths(x)), seq_along(x)))))
  }
  text <- as_text(x, arg, call = call)
  if (tokenizer$lower) text <- lower_case(text)
  new_words(if (tokenizer$char_level) split_characters(text) else filter_split(text, tokenizer$filters, tokenizer$split))
}

check_tokenizer <- function(x, arg, fitted = FALSE, call = rlang::caller_env()) {
  if (!inherits(x, "lamina_tokenizer")) {
    abort_argument(arg, "a tokenizer from text_tokenizer()", describe(x), call = call)
  }
  if (fitted && x$document_count == 0L) {
    abort_lamina(c("The tokenizer has seen no texts yet.", i = "fit_text_tokenizer(tokenizer, texts) shows it some."),
                 "state", arg = arg, expected = "a fitted tokenizer", actual = "a fresh one", call = call)
  }
}

#' @export
print.lamina_tokenizer <- function(x, ...) {
  cat(sprintf("<tokenizer> %d words in %d texts%s\n", length(x$word_counts), x$document_count,
              if (is.null(x$num_words)) "" else sprintf(", used: numbers below %g", x$num_words)))
  invisible(x)
}
