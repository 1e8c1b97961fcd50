# The oldest way to judge a text: count its positive and its negative words.

# Words that turn the meaning of what follows round.
NEGATIONS <- c("not", "no", "never", "neither", "nor", "cannot", "without", "hardly", "nothing", "nobody", "none", "*n't")

#' Judge texts by lists of words
#'
#' Counts positive and negative words: a text with more positive ones is positive, with more
#' negative ones negative. There is nothing to train, so it is what learned models have to beat;
#' [wordlist_from_text()] finds lists in labelled texts.
#'
#' A text is made lower case and split into words: letters, digits and the apostrophes and hyphens between
#' them; typographic apostrophes count as plain ones. Everything else separates words, and `. , ; : ! ?`,
#' brackets, double quotes, dashes and line ends also end what a negation reaches. Of the `window`
#' words after a negation those on a list change sides: in "not a good film" good is a negative word.
#' Two negations cancel each other out: "not without charm". A negation may be on a list too.
#'
#' @param positive,negative Words; `"disappoint*"` stands for all that begin so, `"*less"` for all that end so.
#' @param negation Words that turn the next ones round; `NULL`: none. By default not, no, never, neither,
#'   nor, cannot, without, hardly, nothing, nobody, none and all that end in n't.
#' @param window How many words a negation reaches, at least 1.
#' @param ties Class of a text with as many positive as negative words, or none: `NA`, or one of `levels`.
#' @param levels Names of the two classes, the negative one first.
#' @param object,x A classifier.
#' @param text Texts, a character vector.
#' @param type `"all"`, `"class"` or `"prob"`.
#' @param ... Not used.
#' @return `wordlist_classifier()` an object of class `lamina_wordlist`. `predict()` gives for
#'   * `"all"` a data frame with a row a text: `class`, a factor; `score`, positive minus negative words;
#'     `words`, a list of the words that decided, negated ones with their negation;
#'   * `"class"` the factor alone;
#'   * `"prob"` a matrix with a column a class: `(p + 1) / (p + n + 2)` for `p` positive and `n` negative words
#'     (Laplace's rule of succession), so 1/2 where no word decides.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, such as a word that is on both lists; `lamina_error_data` for
#' texts that are missing or not UTF-8.
#' @family text
#' @examples
#' fit <- wordlist_classifier(
#'   positive = c("good", "great", "charm*"), negative = c("bad", "boring", "waste")
#' )
#' predict(fit, c("A GREAT film, charming and good!", "not good", "not without charm", "a film"))
#' predict(fit, "good, but a boring waste", type = "prob")
#' @export
wordlist_classifier <- function(positive, negative, negation = NEGATIONS, window = 3, ties = NA,
                                levels = c("negative", "positive")) {
  positive <- check_wordlist(positive)
  negative <- check_wordlist(negative)
  both <- intersect(positive, negative)
  if (length(both)) {
    abort_argument("negative", "words that are not in `positive`", sprintf("a list with \"%s\", which is", both[1L]))
  }
  if (!is.character(levels) || length(levels) != 2L || anyNA(levels) || levels[1L] == levels[2L]) {
    abort_argument("levels", "two different strings", describe(levels))
  }
  if (!identical(as.vector(ties), NA) && !(length(ties) == 1L && ties %in% levels)) {
    abort_argument("ties", paste("NA or one of", toString(sprintf("\"%s\"", levels))), describe(ties))
  }
  structure(
    list(positive = positive, negative = negative,
         negation = if (!is.null(negation)) check_wordlist(negation), window = check_count(window),
         ties = as.character(ties), levels = levels),
    class = "lamina_wordlist"
  )
}

# Entries as the texts' words are: lower case, plain apostrophes (inside), a star at one end at most.
check_wordlist <- function(x, arg = arg_name(substitute(x)), call = rlang::caller_env()) {
  if (missing(x)) {
    abort_missing(arg, call)
  }
  words <- unique(plain_apostrophes(lower_case(trimws(as_text(x, arg, call = call)))))
  core <- sub("^\\*|\\*$", "", words)
  bad <- which(!grepl("(*UCP)^[\\w\\p{M}]([\\w\\p{M}'-]*[\\w\\p{M}])?$", core, perl = TRUE))
  if (length(words) == 0L) {
    abort_argument(arg, "one word or more", "empty", call = call)
  }
  if (length(bad)) {
    abort_argument(arg, "single words, with a * at one end if anything", sprintf("\"%s\"", words[bad[1L]]), call = call)
  }
  words
}

plain_apostrophes <- function(x) gsub("\u2019", "'", x, fixed = TRUE)

# The words of texts, with the text and the clause that each belongs to: list(word, text, clause, n).
clause_words <- function(text) {
  x <- plain_apostrophes(lower_case(text))
  x <- gsub("[.,;:!?()\\[\\]{}|\"\n\r\u201c\u201d\u201e\u2026\u2013\u2014]+", " | ", x, perl = TRUE)
  x <- gsub("(*UCP)[^\\w\\p{M}'|-]+|(?<![\\w\\p{M}])['-]+|['-]+(?![\\w\\p{M}])", " ", x, perl = TRUE)
  words <- new_words(strsplit(x, " ", fixed = TRUE))
  word <- words$terms[words$id]
  end <- word == "|"
  list(word = word[!end], text = words$text[!end], clause = (cumsum(end) + words$text)[!end], n = words$n)
}

# Which of the words are on a list.
on_list <- function(words, list) {
  open_end <- endsWith(list, "*")
  open_start <- startsWith(list, "*")
  found <- words %in% list[!open_end & !open_start]
  for (start in sub("\\*$", "", list[open_end])) found <- found | startsWith(words, start)
  for (end in sub("^\\*", "", list[open_start])) found <- found | endsWith(words, end)
  found
}

# 1 for words of the positive list, -1 for words of the negative one: an exact entry wins over one with a
# star, and of two with stars the positive one.
word_polarity <- function(object, word) {
  terms <- unique(word)
  side <- on_list(terms, object$positive) - on_list(terms, object$negative) * !on_list(terms, object$positive)
  side[terms %in% object$positive] <- 1
  side[terms %in% object$negative] <- -1
  side[match(word, terms)]
}

# For each word: the nearest negation that reaches it, "" if there is none or an even number of them.
reaching_negation <- function(object, words) {
  n <- length(words$word)
  nearest <- character(n)
  if (is.null(object$negation)) {
    return(nearest)
  }
  terms <- unique(words$word)
  negates <- on_list(terms, object$negation)[match(words$word, terms)]
  odd <- logical(n)
  for (distance in rev(seq_len(min(object$window, max(n - 1, 0))))) {
    later <- seq_len(n - distance) + distance
    reached <- later[negates[later - distance] & words$clause[later] == words$clause[later - distance]]
    odd[reached] <- !odd[reached]
    nearest[reached] <- words$word[reached - distance]
  }
  nearest[!odd] <- ""
  nearest
}

# The words that decide: list(text =, side = 1 or -1, label =).
deciding_words <- function(object, words) {
  side <- word_polarity(object, words$word)
  hit <- which(side != 0)
  negation <- reaching_negation(object, words)[hit]
  negated <- nzchar(negation)
  list(
    text = words$text[hit],
    side = ifelse(negated, -side[hit], side[hit]),
    label = ifelse(negated, paste(negation, words$word[hit]), words$word[hit])
  )
}

#' @rdname wordlist_classifier
#' @export
predict.lamina_wordlist <- function(object, text, type = c("all", "class", "prob"), ...) {
  check_no_dots(list(...))
  if (missing(text)) {
    abort_argument("text", "texts", "missing")
  }
  type <- check_choice(type[1L], c("all", "class", "prob"))
  words <- clause_words(as_text(text, "text"))
  decided <- deciding_words(object, words)
  up <- tabulate(decided$text[decided$side > 0], words$n)
  down <- tabulate(decided$text[decided$side < 0], words$n)
  if (type == "prob") {
    positive <- (up + 1) / (up + down + 2)
    return(matrix(c(1 - positive, positive), ncol = 2L, dimnames = list(NULL, object$levels)))
  }
  score <- up - down
  class <- object$levels[(score > 0) + 1L]
  class[score == 0] <- object$ties
  class <- factor(class, object$levels)
  if (type == "class") {
    return(class)
  }
  out <- data.frame(class = class, score = score)
  out$words <- unname(split(decided$label, factor(decided$text, seq_len(words$n))))
  out
}

#' @rdname wordlist_classifier
#' @export
print.lamina_wordlist <- function(x, ...) {
  cat(sprintf("<word list> %d positive and %d negative words\n", length(x$positive), length(x$negative)))
  if (is.null(x$negation)) {
    cat("Negations are not heeded.\n")
  } else {
    cat(sprintf("%d negations turn the next %g word%s round.\n", length(x$negation), x$window, if (x$window == 1) "" else "s"))
  }
  invisible(x)
}

#' @rdname wordlist_classifier
#' @export
summary.lamina_wordlist <- function(object, ...) {
  print(object)
  for (list in c("positive", "negative", "negation")) {
    shown <- utils::head(object[[list]], 30L)
    more <- length(object[[list]]) - length(shown)
    line <- paste0(list, ": ", paste(shown, collapse = ", "), if (more > 0L) sprintf(", and %d more", more))
    cat(strwrap(line, exdent = 2L), sep = "\n")
  }
  invisible(object)
}

#' Find lists of words in labelled texts
#'
#' The `n` words that speak most clearly for each class. A word that stands in `a` of `A` positive
#' and `b` of `B` negative texts has the log odds ratio
#' `log((a + 1/2) / (A - a + 1/2)) - log((b + 1/2) / (B - b + 1/2))`; words are ranked by this over
#' its standard error, the root of the sum of the four numbers' reciprocals. Words within the reach of a
#' negation are not counted.
#'
#' @param text Texts, a character vector.
#' @param label The class of each: a factor of two levels, the negative one first, or 0 and 1.
#' @param n Words on each list, at most.
#' @param min_texts A word must stand in so many texts.
#' @param ... Arguments of [wordlist_classifier()]: `negation`, `window`, `ties`.
#' @return A [wordlist_classifier()] whose classes are the levels of `label`; its lists begin with the
#'   clearest words.
#' @section Errors:
#' `lamina_error_argument` for a bad argument, `lamina_error_data` for texts or labels that do not fit.
#' @family text
#' @examples
#' set.seed(1)
#' reviews <- sim_reviews(500)
#' fit <- wordlist_from_text(reviews$text[1:400], reviews$label[1:400], n = 10)
#' summary(fit)
#' mean(predict(fit, reviews$text[401:500], "class") == reviews$label[401:500], na.rm = TRUE)
#' @export
wordlist_from_text <- function(text, label, n = 100, min_texts = 5, ...) {
  text <- as_text(text, "text")
  label <- check_two_classes(label, length(text))
  n <- check_count(n)
  min_texts <- check_count(min_texts)
  # the settings of the negation are checked before there are lists to go with them
  rules <- wordlist_classifier("yes", "no", ..., levels = levels(label))
  words <- clause_words(text)
  counted <- !nzchar(reaching_negation(rules, words))
  terms <- unique(words$word[counted])
  id <- match(words$word[counted], terms)
  once <- !duplicated((id - 1) * words$n + words$text[counted])
  positive <- as.integer(label)[words$text[counted][once]] == 2L
  found <- data.frame(term = terms, a = tabulate(id[once][positive], length(terms)),
                      b = tabulate(id[once][!positive], length(terms)))
  found <- found[found$a + found$b >= min_texts, ]
  found$z <- log_odds_z(found$a, sum(label == levels(label)[2L]), found$b, sum(label == levels(label)[1L]))
  pick <- function(z) utils::head(found$term[order(-z, found$term, method = "radix")], min(n, sum(z > 0)))
  lists <- list(positive = pick(found$z), negative = pick(-found$z))
  if (any(lengths(lists) == 0L)) {
    abort_argument("text", sprintf("texts with words for both classes that stand in %g of them", min_texts),
                   "texts without", kind = "data")
  }
  wordlist_classifier(lists$positive, lists$negative, ..., levels = levels(label))
}

log_odds_z <- function(a, n_a, b, n_b) {
  cells <- list(a, n_a - a, b, n_b - b)
  cells <- lapply(cells, `+`, 0.5)
  (log(cells[[1L]] / cells[[2L]]) - log(cells[[3L]] / cells[[4L]])) / sqrt(Reduce(`+`, lapply(cells, function(k) 1 / k)))
}

check_two_classes <- function(label, n, call = rlang::caller_env()) {
  if ((is.numeric(label) || is.logical(label)) && all(label %in% 0:1)) {
    label <- factor(as.integer(label), 0:1, c("negative", "positive"))
  }
  if (!is.factor(label) || nlevels(label) != 2L || anyNA(label) || length(label) != n) {
    abort_argument("label", sprintf("a factor of two levels, or 0 and 1, for %d texts", n), describe(label), kind = "data", call = call)
  }
  label
}
