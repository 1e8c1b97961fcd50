fit <- wordlist_classifier(
  positive = c("good", "great", "charm*"), negative = c("bad", "boring", "*less", "Waste")
)

judge <- function(text, fit_ = fit, ...) predict(fit_, text, ...)
score <- function(text, ...) judge(text, ...)$score

test_that("positive and negative words are counted", {
  out <- judge(c("A GREAT film: good, good!", "bad, boring, but good", "a film", "good and bad"))
  expect_identical(out$class, factor(c("positive", "negative", NA, NA), c("negative", "positive")))
  expect_identical(out$score, c(3L, -1L, 0L, 0L))
  expect_identical(out$words, list(c("great", "good", "good"), c("bad", "boring", "good"), character(), c("good", "bad")))
})

test_that("case, punctuation and quotes do not matter", {
  expect_identical(score(c("GOOD", "good!!!", "\"good\"", "'good'", "\u201cgood\u201d", "(good)", "so-so good-ish", "-good-")),
                   c(1L, 1L, 1L, 1L, 1L, 1L, 0L, 1L))
  expect_identical(score("a waste of time"), -1L)
  expect_identical(score(""), 0L)
})

test_that("stars stand for the rest of a word", {
  expect_identical(score(c("charming", "charm", "harmless", "tasteless", "lessons", "uncharming")), c(1L, 1L, -1L, -1L, 0L, 0L))
  both <- wordlist_classifier(c("good*", "goodness"), c("goodless", "*ness"))
  expect_identical(score(c("goodly", "goodless", "goodness", "madness", "goodliness"), both), c(1L, -1L, 1L, -1L, 1L))
})

test_that("a negation turns the next words round", {
  expect_identical(score(c("not good", "not a good film", "never ever so good", "not in the least bit good")), c(-1L, -1L, -1L, 1L))
  expect_identical(score(c("isn't good", "isn\u2019t good", "DOESN'T look good", "is n't good", "cannot be bad")), c(-1L, -1L, -1L, -1L, 1L))
  expect_identical(judge("this is not so good")$words, list("not good"))
  expect_identical(score(c("good, not", "good not bad")), c(1L, 2L))
})

test_that("the end of a clause ends what a negation reaches", {
  expect_identical(score(c("not. good", "no, good", "not (good)", "not \u2014 good", "not\ngood", "not good")),
                   c(1L, 1L, 1L, 1L, 1L, -1L))
  expect_identical(score(c("not", "good")), c(0L, 1L)) # texts neither
})

test_that("two negations cancel each other out", {
  expect_identical(score(c("not without charm", "never not good", "not not not good")), c(1L, 1L, -1L))
})

test_that("window and negations can be chosen", {
  lists <- list(positive = "good", negative = "bad")
  with <- function(...) do.call(wordlist_classifier, c(lists, list(...)))
  expect_identical(score("not so good", with(window = 1)), 1L)
  expect_identical(score("not in the least bit good", with(window = 5)), -1L)
  expect_identical(score("not good", with(negation = NULL)), 1L)
  expect_identical(score(c("kein good", "not good"), with(negation = "kein")), c(-1L, 1L))
  expect_identical(score("good", with(window = 100)), 1L)
})

test_that("ties and names of the classes can be chosen", {
  fit <- wordlist_classifier("good", "bad", ties = "down", levels = c("down", "up"))
  expect_identical(judge(c("good", "?", "bad"), fit)$class, factor(c("up", "down", "down"), c("down", "up")))
})

test_that("classes alone, and probabilities", {
  expect_identical(judge(c("good", "bad"), type = "class"), factor(c("positive", "negative"), c("negative", "positive")))
  prob <- judge(c("good great bad", "nothing", "bad"), type = "prob")
  expect_equal(prob, cbind(negative = c(2 / 5, 1 / 2, 2 / 3), positive = c(3 / 5, 1 / 2, 1 / 3)), tolerance = 1e-15)
})

test_that("letters of all scripts make words", {
  fit <- wordlist_classifier(c("sch\u00d6n", "\u03ba\u03b1\u03bb\u03cc\u03c2"), "schlecht")
  expect_identical(score(c("SCH\u00d6N!", "\u039a\u0391\u039b\u038c\u03a3", "schlecht."), fit), c(1L, 1L, -1L))
})

test_that("no texts give no rows", {
  expect_identical(nrow(judge(character())), 0L)
  expect_identical(dim(judge(character(), type = "prob")), c(0L, 2L))
})

test_that("wrong calls are refused", {
  refused <- function(...) expect_error(wordlist_classifier(...), class = "lamina_error_argument")
  refused("good")
  refused("good", character())
  refused("good", "good")
  refused("Good", "good ")
  refused("very good", "bad")
  refused("*", "bad")
  refused("g*d", "bad")
  refused("good", "bad", window = 0)
  refused("good", "bad", ties = "both")
  refused("good", "bad", levels = c("a", "a"))
  expect_error(wordlist_classifier(1, "bad"), class = "lamina_error_data")
  expect_error(judge(c("a", NA)), class = "lamina_error_data")
  expect_error(judge(1), class = "lamina_error_data")
  expect_error(judge("a", type = "raw"), class = "lamina_error_argument")
  expect_error(predict(fit), class = "lamina_error_argument")
  expect_error(predict(fit, "a", newdata = 1), class = "lamina_error_argument")
})

test_that("lists are found by log odds over their standard error", {
  text <- c("good day", "good film", "good", "bad day", "bad film", "bad good", "odd")
  label <- factor(c("up", "up", "up", "down", "down", "down", "up"), c("down", "up"))
  fit <- wordlist_from_text(text, label, n = 1, min_texts = 2)
  expect_identical(fit$positive, "good")
  expect_identical(fit$negative, "bad")
  expect_identical(fit$levels, c("down", "up"))
  # good: 3 of 4 texts up, 1 of 3 down
  z <- (log(3.5 / 1.5) - log(1.5 / 2.5)) / sqrt(1 / 3.5 + 1 / 1.5 + 1 / 1.5 + 1 / 2.5)
  expect_equal(lamina:::log_odds_z(3, 4, 1, 3), z, tolerance = 1e-15)
  expect_identical(wordlist_from_text(text, c(1, 1, 1, 0, 0, 0, 1), n = 1, min_texts = 2)$levels, c("negative", "positive"))
})

test_that("negated words are left out of the lists", {
  text <- rep(c("not good at all, bad", "good", "not bad at all, good", "bad"), 3)
  fit <- wordlist_from_text(text, rep(c(0, 1, 1, 0), 3), n = 5, min_texts = 3)
  expect_identical(fit$positive, "good")
  expect_identical(fit$negative, "bad")
})

test_that("finding lists refuses what does not fit", {
  text <- c("good", "bad")
  expect_error(wordlist_from_text(text, c("a", "b")), class = "lamina_error_data")
  expect_error(wordlist_from_text(text, factor(1:3)), class = "lamina_error_data")
  expect_error(wordlist_from_text(text, c(0, 1, 1)), class = "lamina_error_data")
  expect_error(wordlist_from_text(text, c(0, NA)), class = "lamina_error_data")
  expect_error(wordlist_from_text(text, c(0, 1)), class = "lamina_error_data") # no word in five texts
  expect_error(wordlist_from_text(text, c(0, 1), n = 0), class = "lamina_error_argument")
})

test_that("a classifier prints its size and its words", {
  expect_output(print(fit), "3 positive and 4 negative words")
  expect_output(summary(fit), "positive: good, great, charm*", fixed = TRUE)
  expect_output(print(wordlist_classifier("good", "bad", negation = NULL)), "not heeded")
})
