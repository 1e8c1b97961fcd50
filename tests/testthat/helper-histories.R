# Histories made up with a known truth: what diagnose() is judged by.

made_history <- function(loss, val_loss = NULL, ...) {
  lamina:::new_history(list(epochs = length(loss), initial_epoch = 1), c(list(loss = loss), if (!is.null(val_loss)) list(val_loss = val_loss), list(...)))
}

# A kind of history is a function without arguments that draws list(loss, val_loss, at = <epoch of the lowest validation>).
history_kinds <- local({
  noisy <- function(v, sd) v * exp(rnorm(length(v), sd = sd))
  between <- function(a, b) runif(1, a, b)
  # from a down to c, tau as a share of the epochs
  decay <- function(n, a, c, tau) c + (a - c) * exp(-(seq_len(n) - 1) / (n * tau))
  list(
    healthy = function() {
      n <- sample(15:200, 1)
      a <- between(0.5, 5)
      c <- a * between(0.02, 0.6)
      loss <- if (runif(1) < 0.6) decay(n, a, c, between(0.04, 0.2)) else c + (a - c) * seq_len(n)^-between(0.8, 2)
      list(noisy(loss, between(0.002, 0.03)), noisy(loss * between(1, 1.3), between(0.005, 0.06)))
    },
    overfits = function() {
      n <- sample(20:200, 1)
      a <- between(0.5, 5)
      loss <- decay(n, a, a * between(0.01, 0.2), between(0.08, 0.25))
      at <- round(n * between(0.15, 0.6))
      low <- loss[at] * between(1.05, 1.4)
      after <- pmax(0, seq_len(n) - at) / (n - at)
      val <- low + (a - low) * pmax(0, 1 - seq_len(n) / at)^2 + low * between(0.15, 1.5) * after^between(0.7, 1.5)
      list(noisy(loss, between(0.002, 0.03)), noisy(val, between(0.005, 0.05)), at = at)
    },
    underfits = function() {
      n <- sample(15:200, 1)
      a <- between(0.5, 5)
      loss <- decay(n, a, a * between(0.93, 0.99), between(0.03, 0.15))
      list(noisy(loss, between(0.001, 0.006)), noisy(loss * between(0.98, 1.05), between(0.002, 0.02)))
    },
    diverged = function() {
      n <- sample(5:60, 1)
      loss <- between(0.5, 5) * exp(cumsum(rnorm(n, between(0.05, 0.4), 0.1)))
      if (runif(1) < 0.3) loss[n] <- sample(c(NaN, Inf), 1)
      list(loss, noisy(loss, 0.1))
    },
    oscillates = function() {
      n <- sample(15:200, 1)
      a <- between(0.5, 5)
      loss <- decay(n, a, a * between(0.3, 0.7), between(0.02, 0.1))
      list(noisy(loss, between(0.15, 0.5)), noisy(loss, between(0.15, 0.5)))
    },
    slow = function() {
      n <- sample(10:200, 1)
      a <- between(0.5, 5)
      loss <- decay(n, a, a * between(0.01, 0.3), between(0.8, 20))
      sd <- min(0.02, between(0.02, 0.15) * (loss[1] - loss[n]) / 4 / a)
      list(noisy(loss, sd), noisy(loss * between(1, 1.1), sd))
    },
    "unstable validation" = function() {
      n <- sample(20:200, 1)
      a <- between(0.5, 5)
      loss <- decay(n, a, a * between(0.05, 0.5), between(0.04, 0.18))
      list(noisy(loss, between(0.002, 0.02)), noisy(loss * between(1, 1.2), between(0.2, 0.5)))
    }
  )
})
