# Forecasts of time series: windows, a recurrent network beside persistence and a linear
# autoregression, and many steps ahead in two ways. All series come with R.
#
#     Rscript series.R [folder for the pictures]

library(lamina)
set.seed(1)

folder <- commandArgs(trailingOnly = TRUE)[1]
if (is.na(folder)) {
  folder <- if (interactive()) tempdir() else "."
}
draw <- function(name, plot) {
  path <- file.path(folder, sprintf("series-%s.png", name))
  png(path, width = 8, height = 4.5, units = "in", res = 100)
  if (inherits(plot, "ggplot")) print(plot) # base graphics are drawn already
  dev.off()
  cat("Picture:", normalizePath(path), "\n")
}
rmse <- function(forecast, truth) sqrt(mean((forecast - truth)^2))

# `outputs` steps at once, by the `past` steps before.
recurrent_network <- function(past, outputs = 1) {
  keras_model_sequential(input_shape = c(past, 1)) |>
    layer_gru(units = 16) |>
    layer_dense(units = outputs)
}

# A learning rate that falls to 0 lets the weights settle in the end.
learn <- function(model, windows, epochs) {
  rate <- learning_rate_schedule_cosine_decay(0.02, decay_steps = epochs * length(windows))
  model |> compile(optimizer = optimizer_adam(rate), loss = "mse")
  model |> fit(windows, epochs = epochs, verbose = 0)
}

# 1. A window is what a network sees; its target is what follows ---------------------------------

windows <- timeseries_dataset_from_array(1:7, tail(1:7, -3), sequence_length = 3)
cat("The series 1, ..., 7 in windows of three, and what follows each:\n")
print(with(dataset_arrays(windows), cbind(x, target = y)))
cat("\nThe same as lags, for lm():\n")
print(lag_matrix(1:7, 3:0))

# 2. Sunspots, the next month: train on two and a half centuries, test on the rest ---------------

past <- 36 # months that the models see
spots <- as.vector(sunspot.month)
when <- as.vector(time(sunspot.month))
n <- length(spots)
n_train <- sum(when < 1980)
test <- seq(n_train + 1, n)

# Networks learn best from numbers around 0. The test months do not take part in the scaling.
scaled <- scale(spots[seq_len(n_train)])
z <- (spots - attr(scaled, "scaled:center")) / attr(scaled, "scaled:scale")

train <- timeseries_dataset_from_array(
  matrix(z[seq_len(n_train)]), tail(z[seq_len(n_train)], -past), # leave out the first targets: they have no past
  sequence_length = past, batch_size = 32, shuffle = TRUE
)
later <- timeseries_dataset_from_array(matrix(z), tail(z, -past), past, start_index = n_train - past)

network <- recurrent_network(past)
cat("\n")
summary(network)
seconds <- system.time(network |> learn(train, epochs = 10))[["elapsed"]]

# lm() on the very same windows
lags <- as.data.frame(lag_matrix(spots, 0:past)) # row i is about month i + past
linear <- lm(x ~ ., lags[seq_len(n_train - past), ])

by_model <- cbind(
  persistence = spots[test - 1], # the next month is as this one
  lm = predict(linear, lags[test - past, ]),
  GRU = unscale(predict(network, later), scaled)[, 1]
)
cat(sprintf("\nSunspots of the next month, %d months from 1980 on: root mean squared errors\n", length(test)))
print(round(apply(by_model, 2, rmse, truth = spots[test]), 2))
cat(sprintf("(The network was trained in %.1f s.)\n", seconds))
shown <- tail(seq_along(test), 120)
draw("sunspots", plot_forecast(when[test][shown], spots[test][shown], by_model[shown, ],
                               main = "Sunspots, a month ahead: the last ten years",
                               xlab = NULL, ylab = "sunspots"))

# 3. Many steps ahead: temperatures in Nottingham for three years --------------------------------

past <- 24
ahead <- 36
degrees <- (as.vector(nottem) - 32) / 1.8
when <- as.vector(time(nottem))
n <- length(degrees)
known <- seq_len(n - ahead)
scaled <- scale(degrees[known])
z <- scaled[, 1]

windows_before <- function(targets) {
  timeseries_dataset_from_array(matrix(z), targets, sequence_length = past, batch_size = 16, shuffle = TRUE)
}

# Step by step: a model of the next month, whose forecasts become its inputs.
next_month <- recurrent_network(past)
next_month |> learn(windows_before(tail(z, -past)), epochs = 30)
step_by_step <- forecast_steps(next_month, tail(z, past), n = ahead)

# At once: a model with an output for each of the months ahead.
all_months <- recurrent_network(past, outputs = ahead)
all_months |> learn(windows_before(tail(lag_matrix(z, 0:(1 - ahead)), -past)), epochs = 30)
at_once <- predict(all_months, array(tail(z, past), c(1, past, 1)))

# lm() step by step, by the same function
linear <- lm(x ~ ., as.data.frame(lag_matrix(z, 0:past)))
by_lm <- forecast_steps(n = ahead, window = tail(z, past), model = function(windows) {
  predict(linear, setNames(as.data.frame(windows[, , 1, drop = FALSE]), paste0("x_lag", past:1)))
})

truth <- degrees[-known]
by_model <- cbind(
  "last year again" = rep(tail(degrees[known], 12), length.out = ahead),
  "lm, step by step" = unscale(by_lm, scaled),
  "GRU, step by step" = unscale(step_by_step, scaled),
  "GRU, at once" = unscale(as.vector(at_once), scaled)
)
cat(sprintf("\nTemperatures for %d months from %d on, in degrees Celsius: root mean squared errors\n", ahead, when[n - ahead + 1]))
print(round(apply(by_model, 2, rmse, truth = truth), 2))
shown <- tail(seq_len(n), ahead + 24)
draw("temperatures", plot_forecast(when[shown], degrees[shown], by_model,
                                   main = "Temperatures in Nottingham, three years ahead",
                                   xlab = NULL, ylab = "degrees Celsius"))
