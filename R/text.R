# Text as R has it, made ready: valid UTF-8, lower case, words, runs of words.  All that follows is
# the same in every locale.

# ---- characters ----------------------------------------------------------------------------------

# Upper-case letters and their lower-case forms beyond ASCII, as runs from..to (hexadecimal, /2: every
# second) with the distance to the lower-case letter: the simple mappings of the Unicode Character
# Database.  tolower() knows no letters but ASCII's in the C locale and has rules of its own in
# Turkish ones.
CASE_RUNS <- "
  C0..D6+32 D8..DE+32 100..12E/2+1 130-199 132..136/2+1 139..147/2+1 14A..176/2+1 178-121
  179..17D/2+1 181+210 182..184/2+1 186+206 187+1 189..18A+205 18B+1 18E+79 18F+202 190+203 191+1
  193+205 194+207 196+211 197+209 198+1 19C+211 19D+213 19F+214 1A0..1A4/2+1 1A6+218 1A7+1 1A9+218
  1AC+1 1AE+218 1AF+1 1B1..1B2+217 1B3..1B5/2+1 1B7+219 1B8+1 1BC+1 1C4+2 1C5+1 1C7+2 1C8+1 1CA+2
  1CB..1DB/2+1 1DE..1EE/2+1 1F1+2 1F2..1F4/2+1 1F6-97 1F7-56 1F8..21E/2+1 220-130 222..232/2+1
  23A+10795 23B+1 23D-163 23E+10792 241+1 243-195 244+69 245+71 246..24E/2+1 370..372/2+1 376+1
  37F+116 386+38 388..38A+37 38C+64 38E..38F+63 391..3A1+32 3A3..3AB+32 3CF+8 3D8..3EE/2+1 3F4-60
  3F7+1 3F9-7 3FA+1 3FD..3FF-130 400..40F+80 410..42F+32 460..480/2+1 48A..4BE/2+1 4C0+15
  4C1..4CD/2+1 4D0..52E/2+1 531..556+48 10A0..10C5+7264 10C7+7264 10CD+7264 13A0..13EF+38864
  13F0..13F5+8 1C90..1CBA-3008 1CBD..1CBF-3008 1E00..1E94/2+1 1E9E-7615 1EA0..1EFE/2+1 1F08..1F0F-8
  1F18..1F1D-8 1F28..1F2F-8 1F38..1F3F-8 1F48..1F4D-8 1F59..1F5F/2-8 1F68..1F6F-8 1F88..1F8F-8
  1F98..1F9F-8 1FA8..1FAF-8 1FB8..1FB9-8 1FBA..1FBB-74 1FBC-9 1FC8..1FCB-86 1FCC-9 1FD8..1FD9-8
  1FDA..1FDB-100 1FE8..1FE9-8 1FEA..1FEB-112 1FEC-7 1FF8..1FF9-128 1FFA..1FFB-126 1FFC-9 2126-7517
  212A-8383 212B-8262 2132+28 2160..216F+16 2183+1 24B6..24CF+26 2C00..2C2F+48 2C60+1 2C62-10743
  2C63-3814 2C64-10727 2C67..2C6B/2+1 2C6D-10780 2C6E-10749 2C6F-10783 2C70-10782 2C72+1 2C75+1
  2C7E..2C7F-10815 2C80..2CE2/2+1 2CEB..2CED/2+1 2CF2+1 A640..A66C/2+1 A680..A69A/2+1
  A722..A72E/2+1 A732..A76E/2+1 A779..A77B/2+1 A77D-35332 A77E..A786/2+1 A78B+1 A78D-42280
  A790..A792/2+1 A796..A7A8/2+1 A7AA-42308 A7AB-42319 A7AC-42315 A7AD-42305 A7AE-42308 A7B0-42258
  A7B1-42282 A7B2-42261 A7B3+928 A7B4..A7C2/2+1 A7C4-48 A7C5-42307 A7C6-35384 A7C7..A7C9/2+1 A7D0+1
  A7D6..A7D8/2+1 A7F5+1 FF21..FF3A+32 10400..10427+40 104B0..104D3+40 10570..1057A+39
  1057C..1058A+39 1058C..10592+39 10594..10595+39 10C80..10CB2+64 118A0..118BF+32 16E40..16E5F+32
  1E900..1E921+34
"

# list(from =, to =): code points.
expand_case_runs <- function(runs) {
  part <- regmatches(runs, regexec("^([0-9A-F]+)(\\.\\.([0-9A-F]+))?(/2)?([+-][0-9]+)$", runs))
  from <- lapply(part, function(p) {
    first <- strtoi(p[2L], 16L)
    seq(first, if (nzchar(p[4L])) strtoi(p[4L], 16L) else first, by = if (nzchar(p[5L])) 2L else 1L)
  })
  shift <- as.integer(vapply(part, `[`, "", 6L))
  list(from = unlist(from), to = unlist(Map(`+`, from, shift)))
}

CASES <- expand_case_runs(scan(text = CASE_RUNS, what = "", quiet = TRUE))

# Unicode's blanks beyond ASCII: no-break, ogham, quads and thin ones, line and paragraph, ideographic.
BLANKS <- intToUtf8(c(0x85, 0xA0, 0x1680, 0x2000:0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))

ASCII_UPPER <- paste(LETTERS, collapse = "")
ASCII_LOWER <- paste(letters, collapse = "")

# Lower case, letter by letter; a Greek sigma that ends a word takes its final form.
lower_case <- function(x) {
  x <- chartr(ASCII_UPPER, ASCII_LOWER, x)
  other <- which(Encoding(x) == "UTF-8")
  if (length(other)) {
    x[other] <- chartr(intToUtf8(CASES$from), intToUtf8(CASES$to), x[other])
    greek <- other[grepl("\u03c3", x[other], fixed = TRUE)]
    x[greek] <- gsub("(*UCP)(?<=\\w)\u03c3(?!\\w)", "\u03c2", x[greek], perl = TRUE)
  }
  x
}

# ASCII's punctuation, which Keras strips: other signs may be words.
strip_punctuation <- function(x) gsub("[!-/:-@\\[-`{-~]+", "", x, perl = TRUE)

# Texts as valid UTF-8.  Strings without a mark of their own are taken to be in `encoding`.
as_text <- function(x, arg = "x", encoding = "utf-8", call = rlang::caller_env()) {
  if (is.data.frame(x) && ncol(x) == 1L) {
    x <- x[[1L]]
  }
  if (is.factor(x)) {
    x <- as.character(x)
  } else if (is.list(x) && !is.data.frame(x) && length(x) && all(vapply(x, function(s) is.character(s) && length(s) == 1L, NA))) {
    x <- unlist(x)
  }
  if (!is.character(x) || !(is.null(dim(x)) || length(x) == dim(x)[1L])) {
    abort_argument(arg, "texts, a character vector", describe(x), kind = "data", call = call)
  }
  x <- as.vector(x)
  if (anyNA(x)) {
    abort_lamina(
      c(sprintf("`%s` must have no NA, but %d of %d texts %s.", arg, sum(is.na(x)), length(x),
                if (sum(is.na(x)) == 1L) "is" else "are"),
        i = "Leave them out, or make them \"\"."),
      "data", arg = arg, expected = "no NA", actual = sum(is.na(x)), call = call
    )
  }
  check_utf8(mark_utf8(x, encoding, call), arg, call)
}

mark_utf8 <- function(x, encoding, call) {
  mark <- Encoding(x)
  latin1 <- mark == "latin1"
  x[latin1] <- enc2utf8(x[latin1])
  raw <- mark != "UTF-8" & !latin1
  if (tolower(encoding) %in% c("utf-8", "utf8")) {
    Encoding(x[raw]) <- "UTF-8"
    return(x)
  }
  if (!encoding %in% iconvlist() && !tolower(encoding) %in% tolower(iconvlist())) {
    abort_unknown("encoding", "an encoding", encoding, c("utf-8", "latin1"), call = call)
  }
  converted <- iconv(x[raw], encoding, "UTF-8")
  x[raw] <- ifelse(is.na(converted), x[raw], converted)
  x
}

check_utf8 <- function(x, arg, call) {
  bad <- which(!validUTF8(x))
  if (length(bad)) {
    abort_lamina(
      c(sprintf("`%s` must be valid UTF-8, but text %d is not (%d such text%s).", arg, bad[1L],
                length(bad), if (length(bad) == 1L) "" else "s"),
        i = sprintf("Latin-1 text? iconv(%s, \"latin1\", \"UTF-8\") converts it.", arg)),
      "data", arg = arg, expected = "valid UTF-8", actual = sprintf("text %d", bad[1L]), rows = bad, call = call
    )
  }
  x
}

# ---- words ---------------------------------------------------------------------------------------

# Words of several texts: list(terms, id, text, n): the different words; for all words in a row which
# of these each is and the number of the text that it comes from; how many texts there are.
new_words <- function(by_text) {
  word <- as.character(unlist(by_text, use.names = FALSE))
  text <- rep(seq_along(by_text), lengths(by_text))
  terms <- unique(word)
  id <- match(word, terms)
  empty <- match("", terms)
  if (!is.na(empty)) {
    some <- id != empty
    id <- id[some]
    id <- id - (id > empty)
    text <- text[some]
    terms <- terms[-empty]
  }
  list(terms = terms, id = id, text = text, n = length(by_text))
}

split_whitespace <- function(x) {
  other <- paste0("\t\n\r\f\v", BLANKS)
  some <- grepl(sprintf("[%s]", other), x, perl = TRUE)
  x[some] <- chartr(other, strrep(" ", nchar(other)), x[some])
  strsplit(x, " ", fixed = TRUE)
}

split_characters <- function(x) strsplit(x, "")

words_per_text <- function(words) tabulate(words$text, words$n)

# Runs of `width` words within a text, joined by blanks.  A run is numbered by the run that is one word
# shorter and its last word.
word_runs <- function(words, width) {
  k <- length(words$terms)
  starts <- seq_len(max(length(words$id) - width + 1L, 0L))
  starts <- starts[words$text[starts] == words$text[starts + width - 1L]]
  terms <- words$terms
  id <- words$id[starts]
  for (further in seq_len(width - 1L)) {
    run <- (id - 1) * k + words$id[starts + further]
    runs <- unique(run)
    id <- match(run, runs)
    terms <- paste(terms[(runs - 1) %/% k + 1], words$terms[(runs - 1) %% k + 1])
  }
  list(terms = terms, id = id, text = words$text[starts], n = words$n)
}

# For each text the runs of all widths, the first width's first.
word_ngrams <- function(words, widths) {
  runs <- lapply(widths, function(width) word_runs(words, width))
  terms <- unique(unlist(lapply(runs, `[[`, "terms")))
  id <- unlist(lapply(runs, function(r) match(r$terms, terms)[r$id]))
  text <- unlist(lapply(runs, `[[`, "text"))
  in_order <- order(text, method = "radix")
  list(terms = terms, id = id[in_order], text = text[in_order], n = words$n)
}

# How often each (text, column) pair occurs: the parts of a sparse matrix by columns, as the core
# reads them.  Both count from 1; the texts are in order.
count_pairs <- function(text, column, n, columns) {
  by_column <- order(column, method = "radix")
  text <- text[by_column]
  column <- column[by_column]
  m <- length(text)
  first <- which(c(m > 0L, text[-1L] != text[-m] | column[-1L] != column[-m]))
  structure(
    list(p = c(0L, cumsum(tabulate(column[first], columns))), i = text[first] - 1L,
         x = as.double(diff(c(first, m + 1L))), dim = c(n, as.integer(columns))),
    class = "lamina_sparse"
  )
}

texts_with_term <- function(words) {
  diff(count_pairs(words$text, words$id, words$n, length(words$terms))$p)
}
