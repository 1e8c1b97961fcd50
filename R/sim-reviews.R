# Made-up reviews for examples, tests and lessons.

REVIEW_WORDS <- list(
  thing = c("room", "staff", "breakfast", "view", "pool", "garden", "kitchen", "service", "bed", "music",
            "wine", "terrace", "soup", "lift", "lobby", "bathroom"),
  strength = c("", "", "", "very", "really", "quite", "so", "truly"),
  positive = c("good", "great", "lovely", "excellent", "wonderful", "pleasant", "perfect", "beautiful",
               "spotless", "charming", "cosy", "splendid", "superb", "delightful", "generous", "fresh"),
  negative = c("bad", "terrible", "awful", "poor", "boring", "horrible", "disappointing", "dreadful",
               "dirty", "stale", "noisy", "rude", "shabby", "cramped", "grim", "broken"),
  liked = c("worth every penny", "like a second home", "a joy", "a small wonder"),
  disliked = c("a waste of money", "like a railway station", "a nightmare", "a bit of a joke"),
  neutral = c("we stayed for two nights", "the taxi came at nine", "there is a shop across the street",
              "we had booked in spring", "it rained on the second day", "breakfast is from seven to ten",
              "the hotel has forty rooms", "my sister came along", "the station is ten minutes away",
              "we paid by card")
)

#' Reviews to learn from
#'
#' Makes up labelled hotel reviews that need no download: one to three opinions about rooms, soups and
#' the like, and remarks that mean nothing. Some opinions are negated ("the soup was not good"), some go
#' against the label; after "but" comes the one that counts. Counting common words of praise and blame
#' is therefore right in about three of four, and so is a bag of single words learned from the reviews,
#' which does not see what a "not" belongs to. Pairs of words get nine of ten; a network that heeds
#' the order of words (convolution, recurrent) gets all but the noise.
#'
#' Words are drawn from two lists of 16 adjectives, the first ones more often than the last, and some
#' phrases. The reviews come from R's random numbers: `set.seed()` repeats them.
#'
#' @param n Number of reviews, at least 1.
#' @param negated Share of the opinions that are said by negating their contrary, 0 to 1.
#' @param mixed Share of the reviews that begin with an opinion of the other side before "but", 0 to 1.
#' @param noise Share of the reviews whose label is turned round, 0 to 1.
#' @return A data frame of `n` rows: `text`, and `label`, a factor with the levels `"negative"` and
#'   `"positive"`, which are equally frequent before the noise.
#' @section Errors:
#' `lamina_error_argument` for a bad argument.
#' @family data
#' @family text
#' @examples
#' set.seed(1)
#' reviews <- sim_reviews(500)
#' head(reviews, 3)
#'
#' fit <- wordlist_classifier(
#'   positive = c("good", "great", "lovely", "excellent", "wonderful"),
#'   negative = c("bad", "terrible", "awful", "poor", "boring")
#' )
#' table(reviews$label, predict(fit, reviews$text, "class"), useNA = "ifany")
#' @export
sim_reviews <- function(n = 1000, negated = 0.25, mixed = 0.25, noise = 0.03) {
  n <- check_count(n)
  negated <- check_number(negated, min = 0, max = 1)
  mixed <- check_number(mixed, min = 0, max = 1)
  noise <- check_number(noise, min = 0, max = 1)
  good <- sample(rep_len(c(FALSE, TRUE), n))
  opinions <- sample(1:2, n, replace = TRUE)
  main <- review_opinions(good, negated)
  more <- ifelse(opinions == 2, paste0(" and ", review_opinions(good, negated)), "")
  before <- ifelse(stats::runif(n) < mixed, paste0(review_opinions(!good, negated), ", but "), "")
  remark <- function() ifelse(stats::runif(n) < 0.5, paste0(sample(REVIEW_WORDS$neutral, n, replace = TRUE), ". "), "")
  text <- paste0(sentence_case(remark()), sentence_case(paste0(before, main, more)), ". ", sentence_case(remark()))
  turned <- stats::runif(n) < noise
  data.frame(
    text = trimws(text),
    label = factor(ifelse(xor(good, turned), "positive", "negative"), c("negative", "positive"))
  )
}

# One opinion for each element of `good`.
review_opinions <- function(good, negated) {
  n <- length(good)
  turned <- stats::runif(n) < negated
  adjective <- ifelse(xor(good, turned), review_word("positive", n), review_word("negative", n))
  strength <- review_word("strength", n)
  strength <- ifelse(strength == "" | turned, "", paste0(strength, " "))
  verb <- ifelse(turned, sample(c("was not ", "wasn't ", "was never "), n, replace = TRUE), "was ")
  phrase <- ifelse(good, review_word("liked", n), review_word("disliked", n))
  said <- ifelse(stats::runif(n) < 0.15, paste0("was ", phrase), paste0(verb, strength, adjective))
  paste("the", review_word("thing", n), said)
}

# Words of a kind, adjectives at the front of their list more often.
review_word <- function(kind, n) {
  words <- REVIEW_WORDS[[kind]]
  often <- if (kind %in% c("positive", "negative")) 1 / (seq_along(words) + 2)
  sample(words, n, replace = TRUE, prob = often)
}

sentence_case <- function(x) paste0(toupper(substr(x, 1L, 1L)), substr(x, 2L, nchar(x)))
