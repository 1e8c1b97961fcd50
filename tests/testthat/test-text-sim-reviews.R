test_that("set.seed() repeats the reviews, in equal shares", {
  set.seed(3)
  reviews <- sim_reviews(200, noise = 0)
  set.seed(3)
  expect_identical(sim_reviews(200, noise = 0), reviews)
  expect_identical(as.vector(table(reviews$label)), c(100L, 100L))
  expect_identical(levels(reviews$label), c("negative", "positive"))
  expect_type(reviews$text, "character")
  expect_true(all(nchar(reviews$text) > 10))
  expect_identical(nrow(sim_reviews(1)), 1L)
})

test_that("every word counts without negations, mixtures and noise", {
  set.seed(3)
  reviews <- sim_reviews(300, negated = 0, mixed = 0, noise = 0)
  fit <- wordlist_classifier(
    c(lamina:::REVIEW_WORDS$positive, "worth", "home", "joy", "wonder"),
    c(lamina:::REVIEW_WORDS$negative, "waste", "railway", "nightmare", "joke")
  )
  expect_identical(predict(fit, reviews$text, "class"), reviews$label)
})

test_that("negations, mixtures and noise make it harder", {
  common <- function(...) {
    wordlist_classifier(c("good", "great", "lovely", "excellent", "wonderful"),
                        c("bad", "terrible", "awful", "poor", "boring"), ..., ties = "positive")
  }
  share <- function(fit, reviews) mean(predict(fit, reviews$text, "class") == reviews$label)
  set.seed(3)
  reviews <- sim_reviews(2000)
  expect_gt(share(common(), reviews), 0.68)
  expect_lt(share(common(), reviews), 0.8)
  expect_lt(share(common(negation = NULL), reviews), share(common(), reviews) - 0.05)
  all_turned <- sim_reviews(500, negated = 0, mixed = 0, noise = 1)
  expect_lt(share(common(), all_turned), 0.5)
})

test_that("bad arguments are refused", {
  expect_error(sim_reviews(0), class = "lamina_error_argument")
  expect_error(sim_reviews(10, negated = 2), class = "lamina_error_argument")
  expect_error(sim_reviews(10, mixed = -1), class = "lamina_error_argument")
  expect_error(sim_reviews(10, noise = "a"), class = "lamina_error_argument")
})
