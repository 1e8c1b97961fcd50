# Characters and words: UTF-8, lower case, blanks, punctuation.

lower <- function(x) lamina:::lower_case(lamina:::as_text(x))

test_that("all scripts are made lower case", {
  expect_identical(lower("ABC xyz 123"), "abc xyz 123")
  expect_identical(lower("\u00c4PFEL \u00dcBER STRA\u00dfE \u1e9e"), "\u00e4pfel \u00fcber stra\u00dfe \u00df")
  expect_identical(lower("\u0416\u0427 \u0401"), "\u0436\u0447 \u0451")
  expect_identical(lower("\u0531 \uff21 \u10a0 \U00010400"), "\u0561 \uff41 \u2d00 \U00010428")
  expect_identical(lower("\u0100\u0178\u01c4\u1e00"), "\u0101\u00ff\u01c6\u1e01")
  expect_identical(lower("\u65e5\u672c \U0001F600"), "\u65e5\u672c \U0001F600")
})

test_that("a sigma takes its final form at the end of a word", {
  expect_identical(lower("\u039f\u0394\u039f\u03a3 \u03a3\u039f\u03a6\u039f\u03a3, \u03a3\u0399"),
                   "\u03bf\u03b4\u03bf\u03c2 \u03c3\u03bf\u03c6\u03bf\u03c2, \u03c3\u03b9")
})

test_that("Turkish letters follow Unicode's simple mappings", {
  expect_identical(lower("\u0130I\u0131i"), "ii\u0131i")
})

test_that("lower case agrees with R's where the locale knows letters", {
  skip_if_not(l10n_info()[["UTF-8"]])
  letters <- intToUtf8(c(0xC0:0x17F, 0x391:0x3A1, 0x3A4:0x3A9, 0x410:0x44F, 0x531:0x556), multiple = TRUE)
  expect_identical(lower(letters), tolower(letters))
})

test_that("the C locale makes no difference", {
  before <- Sys.getlocale("LC_CTYPE")
  on.exit(Sys.setlocale("LC_CTYPE", before))
  texts <- c("\u00c4PFEL, \u00e4pfel!", "\u039f\u0394\u039f\u03a3\u00a0a", "\U0001F600 \u201cB\u201d")
  vectorize <- layer_text_vectorization()
  adapt(vectorize, texts)
  tokens <- get_vocabulary(vectorize)
  numbers <- vectorize(texts)
  skip_if(suppressWarnings(Sys.setlocale("LC_CTYPE", "C")) == "")
  again <- layer_text_vectorization()
  adapt(again, texts)
  expect_identical(get_vocabulary(again), tokens)
  expect_identical(again(texts), numbers)
  expect_identical(lower("\u00c4\u0416"), "\u00e4\u0436")
  # bytes without a mark, as readLines() gives them in this locale
  bytes <- rawToChar(charToRaw(enc2utf8("\u00c4pfel")))
  expect_identical(again(bytes), vectorize("\u00e4pfel"))
})

test_that("strings marked as Latin-1 are converted", {
  latin1 <- "gr\xfcn"
  Encoding(latin1) <- "latin1"
  text <- lamina:::as_text(c(latin1, "\u00fc"))
  expect_identical(utf8ToInt(text[1]), c(103L, 114L, 252L, 110L))
  bytes <- "gr\xfcn"
  expect_identical(utf8ToInt(lamina:::as_text(bytes, encoding = "latin1")), c(103L, 114L, 252L, 110L))
})

test_that("texts that are none are refused, and which", {
  error <- expect_error(lamina:::as_text(c("a", "b\xe4c", "\xff")), class = "lamina_error_data")
  expect_identical(error$rows, 2:3)
  expect_match(conditionMessage(error), "text 2")
  error <- expect_error(lamina:::as_text(c("a", NA, NA)), class = "lamina_error_data")
  expect_identical(error$actual, 2L)
  for (bad in list(1:3, NULL, matrix("a", 1, 2), list("a", 1), list(c("a", "b")), mean, data.frame(a = "x", b = "y"))) {
    expect_error(lamina:::as_text(bad), class = "lamina_error_data")
  }
  expect_error(lamina:::as_text("\xe4", encoding = "no-such-one"), class = "lamina_error_argument")
})

test_that("texts come as factors, lists, columns", {
  for (good in list(factor(c("b", "a")), list("b", "a"), matrix(c("b", "a")), data.frame(x = c("b", "a")))) {
    expect_identical(lamina:::as_text(good), c("b", "a"))
  }
  expect_identical(lamina:::as_text(character()), character())
})

test_that("words are split at blanks of all kinds", {
  words <- lamina:::new_words(lamina:::split_whitespace(c("  a\tb\u00a0c\u3000d\r\n", "", " ", "a")))
  expect_identical(words$terms[words$id], c("a", "b", "c", "d", "a"))
  expect_identical(words$text, c(1L, 1L, 1L, 1L, 4L))
  expect_identical(words$n, 4L)
})

test_that("runs of words stay within their text", {
  words <- lamina:::new_words(list(c("a", "b", "a", "b"), "c", c("b", "a")))
  runs <- lamina:::word_runs(words, 2L)
  expect_identical(runs$terms[runs$id], c("a b", "b a", "a b", "b a"))
  expect_identical(runs$text, c(1L, 1L, 1L, 3L))
  three <- lamina:::word_runs(words, 3L)
  expect_identical(three$terms[three$id], c("a b a", "b a b"))
  expect_length(lamina:::word_runs(words, 9L)$id, 0L)
  both <- lamina:::word_ngrams(words, c(2L, 1L))
  expect_identical(both$terms[both$id], c("a b", "b a", "a b", "a", "b", "a", "b", "c", "b a", "b", "a"))
})

test_that("the 32 signs of ASCII's punctuation are stripped, others stay", {
  signs <- "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
  expect_identical(nchar(signs), 32L)
  expect_identical(lamina:::strip_punctuation(paste0("a", signs, "b")), "ab")
  expect_identical(lamina:::strip_punctuation("\u201ca\u201d\u2026\u20ac\u00df 1"), "\u201ca\u201d\u2026\u20ac\u00df 1")
})

test_that("pairs are counted into sparse parts", {
  parts <- lamina:::count_pairs(c(1L, 1L, 1L, 2L, 4L), c(3L, 1L, 3L, 3L, 2L), 4L, 5)
  by_hand <- matrix(0, 4, 5)
  by_hand[1, 3] <- 2
  by_hand[1, 1] <- by_hand[2, 3] <- by_hand[4, 2] <- 1
  expect_identical(lamina:::dense_matrix(parts), by_hand)
  expect_identical(parts$p, c(0L, 1L, 2L, 4L, 4L, 4L))
  none <- lamina:::count_pairs(integer(), integer(), 2L, 3)
  expect_identical(lamina:::dense_matrix(none), matrix(0, 2, 3))
})
