# The array behind a plot, on a device that is thrown away.
plot_array <- function(plot) {
  path <- withr::local_tempfile(fileext = ".pdf")
  grDevices::pdf(path)
  on.exit(grDevices::dev.off())
  shown <- plot
  if (inherits(shown, "ggplot")) attr(shown, "array") else shown
}

# A temporary device at the default size.
local_device <- function(env = parent.frame()) {
  path <- withr::local_tempfile(fileext = ".png", .local_envir = env)
  grDevices::png(path, 480, 480)
  device <- grDevices::dev.cur()
  withr::defer(grDevices::dev.off(device), envir = env)
  path
}

# Slopes of f, a function of an array that gives a number, by each number of x, in double precision
# steps of h; f computes in single precision, so h is not small.
numeric_gradient <- function(f, x, h = 0.01) {
  out <- x
  for (i in seq_along(x)) {
    up <- down <- x
    up[i] <- x[i] + h
    down[i] <- x[i] - h
    out[i] <- (f(up) - f(down)) / (2 * h)
  }
  out
}
