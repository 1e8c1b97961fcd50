# How often the intervals of predict() hold what they are to hold, on made-up data.
#
#   Rscript bench/intervals.R [sets = 100] [problems = all] [times = 50] [level = 0.95]
#
# For each problem, size and kind of training, `sets` data sets are drawn and a network is fitted to each; its
# intervals are looked at in 200 new points.  The table shows the share of these in which conf_int holds
# the true mean (or probability) and pred_int a new observation, the standard error of these shares over the data
# sets, and how wide the intervals are: the mean width, of the true spread of the observations for numbers.
# The whole takes an hour or two on one processor.
# Needs lamina installed.

args <- commandArgs(TRUE)
argument <- function(i, default) if (length(args) >= i) args[i] else default
sets <- as.integer(argument(1, "100"))
times <- as.integer(argument(3, "50"))
level <- as.numeric(argument(4, "0.95"))
suppressPackageStartupMessages(library(lamina))
options(lamina.threads = 1L)

# The linear predictor f(x) of each problem.
normal <- function(p) function(n) matrix(rnorm(n * p), n)
uniform <- function(p, from, to) function(n) matrix(runif(n * p, from, to), n)
gaussian_rows <- function(sd) function(f, x) f + sd * rnorm(length(f))
soft_classes <- function(f, x) factor(rbinom(length(f), 1, plogis(f)))
plane <- function(x) as.vector(x %*% c(1, -0.5, 0.5, 0, 0))
hill <- function(x) 2 * exp(-rowSums(x^2) / 2) + x[, 1] * x[, 2] / 2
three <- function(x) cbind(0, 1.5 * x[, 1], x[, 1]^2 - x[, 2])
shares <- function(f) exp(f) / rowSums(exp(f))

problems <- list(
  plane = list(x = normal(5), f = plane, y = gaussian_rows(1), spread = 1, n = c(50, 200, 1000)),
  wave = list(x = uniform(1, -3, 3), f = function(x) sin(1.5 * x[, 1]) + 0.3 * x[, 1], y = gaussian_rows(0.4), spread = 0.4,
              n = c(50, 200, 1000)),
  hill = list(x = uniform(2, -2, 2), f = hill, y = gaussian_rows(0.5), spread = 0.5, n = c(100, 500)),
  friedman = list( # ten predictors, five of which matter
    x = uniform(10, 0, 1), spread = 1, n = c(200, 1000), y = gaussian_rows(1),
    f = function(x) (10 * sin(pi * x[, 1] * x[, 2]) + 20 * (x[, 3] - 0.5)^2 + 10 * x[, 4] + 5 * x[, 5]) / 5
  ),
  fan = list( # a spread that grows with x: not what pred_int assumes
    x = uniform(1, 0, 1), f = function(x) 2 * x[, 1], y = function(f, x) f + (0.2 + 0.8 * x[, 1]) * rnorm(length(f)), spread = 0.6, n = 200
  ),
  classes2 = list(x = normal(2), f = function(x) 1.5 * x[, 1] - x[, 2]^2 + 0.5, y = soft_classes, mean = plogis, n = c(200, 1000)),
  classes3 = list(x = normal(2), f = three, mean = shares, n = c(300, 1000),
                  y = function(f, x) factor(apply(shares(f), 1, function(p) sample.int(3, 1, prob = p)))),
  counts = list(x = normal(3), f = function(x) 1 + 0.5 * x[, 1] + 0.3 * sin(2 * x[, 2]), mean = exp, family = "poisson",
                y = function(f, x) rpois(length(f), exp(f)), n = c(200, 1000)),
  clumps = list( # counts that vary more than Poisson's: not what pred_int assumes
    x = normal(3), f = function(x) 1 + 0.5 * x[, 1] + 0.3 * sin(2 * x[, 2]), mean = exp, family = "poisson",
    y = function(f, x) rnbinom(length(f), size = 2, mu = exp(f)), n = 200
  )
)

bfgs <- list(optimizer = "bfgs", penalty = 0.001)
trainings <- list(
  default = list(), # adam, 32 and 16 rectified units, stopped early
  tanh5 = c(bfgs, list(hidden_units = 5, activation = "tanh")), # bfgs, a penalty
  relu4 = c(bfgs, list(hidden_units = 4)), # the same; rectified units have poor minima
  none = list(optimizer = "bfgs", hidden_units = 0)
)

one_set <- function(problem, n, training) {
  x <- problem$x(n)
  f <- problem$f(x)
  data <- data.frame(y = problem$y(f, x), x)
  new_x <- problem$x(200)
  new_f <- problem$f(new_x)
  new <- data.frame(new_x)
  names(new) <- names(data)[-1]
  new_y <- problem$y(new_f, new_x)
  truth <- if (is.null(problem$mean)) new_f else problem$mean(new_f)
  fit <- suppressWarnings(do.call(lamina, c(list(y ~ ., data, family = problem$family), training)))
  unlist(lapply(c(bootstrap = "bootstrap", ensemble = "ensemble"), function(method) {
    interval <- function(type) {
      # no pred_int for classes, and none by an ensemble of a fit that holds out no rows
      tryCatch(predict(fit, new, type = type, times = times, method = method, level = level), lamina_error_argument = function(e) NULL)
    }
    suppressMessages(c(ci = held(interval("conf_int"), truth), pi = held(interval("pred_int"), new_y)))
  }))
}

# Share of the points in which an interval holds a value, and its mean width.
held <- function(interval, value) {
  if (is.null(interval)) {
    return(c(share = NA, width = NA))
  }
  several <- length(dim(interval)) == 3L
  lower <- if (several) interval[, "lwr", ] else interval[, "lwr"]
  upper <- if (several) interval[, "upr", ] else interval[, "upr"]
  c(share = mean(value >= lower & value <= upper), width = mean(upper - lower))
}

chosen <- argument(2, "all")
chosen <- if (chosen == "all") names(problems) else strsplit(chosen, ",")[[1]]
cat(sprintf("%s, %d data sets, %d networks, nominal %g %%\n\n", Sys.Date(), sets, times, 100 * level))
cat("problem   n     training  method     conf_int  (se)   width  pred_int  (se)   width\n")
for (name in chosen) {
  problem <- problems[[name]]
  for (n in problem$n) {
    for (training in setdiff(names(trainings), if (name != "plane") "none")) {
      results <- vapply(seq_len(sets), function(i) {
        set.seed(i)
        one_set(problem, n, trainings[[training]])
      }, numeric(8))
      share <- 100 * rowMeans(results)
      se <- 100 * apply(results, 1, sd) / sqrt(sets)
      spread <- if (is.null(problem$spread)) 1 else problem$spread
      for (method in c("bootstrap", "ensemble")) {
        at <- function(what) paste0(method, ".", what)
        cat(sprintf("%-9s %-5d %-9s %-10s %8.1f  (%3.1f)  %5.2f  %8.1f  (%3.1f)  %5.2f\n", name, n, training, method,
                    share[at("ci.share")], se[at("ci.share")], share[at("ci.width")] / 100 / spread,
                    share[at("pi.share")], se[at("pi.share")], share[at("pi.width")] / 100 / spread))
      }
    }
  }
}
