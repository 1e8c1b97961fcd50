# A search over 24 networks with two workers beside one session: seconds, and whether the results are the same.
#
#     Rscript bench/search.R [rounds=3]
#
# Each session computes with one thread, so that two workers have two cores where the one session has one.
library(lamina)
rounds <- as.integer(c(sub("^rounds=", "", grep("^rounds=", commandArgs(TRUE), value = TRUE)), "3")[1L])
lamina_threads(1)
candidates <- expand.grid(units = c(8, 16, 32, 64), penalty = c(0, 1e-3, 1e-2), dropout = c(0, 0.2))
models <- lapply(seq_len(nrow(candidates)), function(i) {
  with(as.list(candidates[i, ]), function(formula, data) {
    lamina(formula, data, hidden_units = units, penalty = penalty, dropout = dropout, epochs = 300, stop_iter = 300)
  })
})
names(models) <- sprintf("%d units, penalty %g, dropout %g", candidates$units, candidates$penalty, candidates$dropout)
set.seed(1)
n <- 4000
table <- as.data.frame(matrix(rnorm(n * 10), n))
table$y <- sin(2 * table$V1) + table$V2 * table$V3 + rnorm(n, sd = 0.3)
search <- function() {
  set.seed(2)
  compare_models(y ~ ., table, models, folds = 4, metrics = "rmse", verbose = 0)
}
untimed <- function(found) as.data.frame(found, folds = TRUE)[c("model", "fold", "value")]
seconds <- function(code) system.time(code)[["elapsed"]]
invisible(search()) # what is loaded once
one <- min(replicate(rounds, seconds(alone <<- search())))
future::plan(future::multisession, workers = 2)
invisible(search())
two <- min(replicate(rounds, seconds(both <<- search())))
cat(sprintf("24 networks x 4 folds: %.1f s in one session, %.1f s on two workers (%.0f %%); same results: %s\n",
            one, two, 100 * two / one, identical(untimed(alone), untimed(both))))
