train_ensemble <- function(fit, times, method, call) stop("later")
predicted_intervals <- function(...) stop("later")
