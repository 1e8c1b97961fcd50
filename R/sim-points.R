# Made-up points of a plane for examples, tests, lessons and the playground.

# For each form: the points, a row each, of the sides -1 (class a) and 1 (class b).
point_forms <- list(
  circles = function(side) {
    n <- length(side)
    r <- ifelse(side > 0, 0.5 * sqrt(stats::runif(n)), stats::runif(n, 0.7, 1))
    angle <- stats::runif(n, 0, 2 * pi)
    cbind(r * cos(angle), r * sin(angle))
  },
  xor = function(side) {
    n <- length(side)
    x1 <- stats::runif(n, 0.08, 1) * sample(c(-1, 1), n, replace = TRUE)
    cbind(x1, side * sign(x1) * stats::runif(n, 0.08, 1))
  },
  spirals = function(side) {
    r <- stats::runif(length(side), 0.05, 1)
    angle <- 3.5 * pi * r
    cbind(side * r * sin(angle), side * r * cos(angle))
  },
  clusters = function(side) {
    n <- length(side)
    cbind(side * 0.45 + stats::rnorm(n, sd = 0.18), side * 0.45 + stats::rnorm(n, sd = 0.18))
  },
  moons = function(side) {
    angle <- stats::runif(length(side), 0, pi)
    # the upper half of a circle, and the lower half of one further right; both within -1 and 1
    cbind(-side * (cos(angle) - 0.5), -side * (sin(angle) - 0.25)) / 1.5
  }
)

point_names <- function() c(names(point_forms), "hills")

hills <- function(x) {
  bump <- function(x1, x2) exp(-((x[, 1L] - x1)^2 + (x[, 2L] - x2)^2) / 0.15)
  bump(0.5, 0.5) - bump(-0.5, -0.5)
}

#' Points of a plane to learn from
#'
#' Makes up two inputs and what is to be learned from them: two classes that lie round or
#' in each other, most of which no straight line parts, or a surface. They need no download and can be drawn
#' in one picture with what a network makes of them, as [lamina_playground()] does.
#'
#' * `"circles"`: class `b` is a disc of radius 0.5, class `a` a ring from 0.7 to 1 round it.
#' * `"xor"`: `b` where both inputs have the same sign, `a` where not; a gap of 0.16 lies between.
#' * `"spirals"`: two arms of 1.75 turns, each the other turned by half a turn.
#' * `"clusters"`: normal distributions (standard deviation 0.18) round (-0.45, -0.45) and (0.45, 0.45).
#' * `"moons"`: two half circles that reach into each other.
#' * `"hills"`: a number, `exp(-d / 0.15) - exp(-e / 0.15)`, where `d` and `e` are the squared distances from (0.5, 0.5)
#'   and (-0.5, -0.5): a hill and a valley. The inputs are uniform on the square from -1 to 1.
#'
#' Without noise all points but those of the clusters lie between -1 and 1. The points come from R's random numbers:
#' `set.seed()` repeats them.
#'
#' @param n Number of points, at least 2.
#' @param form One of the names above.
#' @param noise Standard deviation of the normally distributed noise on each input, or, for
#'   `"hills"`, on the target; at least 0.
#' @return `list(x, y)`: `x`, a matrix of `n` rows with the columns `x1` and `x2`, and `y`, a factor with the
#'   levels `a` and `b`, which are equally frequent (`a` has one more if `n` is odd), or numbers for `"hills"`.
#' @section Errors:
#' `lamina_error_argument` for a bad argument.
#' @family data
#' @examples
#' set.seed(1)
#' moons <- sim_points(200, "moons")
#' plot(moons$x, col = moons$y, pch = 19, asp = 1)
#'
#' model <- keras_model_sequential(input_shape = 2) |>
#'   layer_dense(8, activation = "tanh") |>
#'   layer_dense(1, activation = "sigmoid")
#' model |> compile(optimizer_adam(0.03), "binary_crossentropy", metrics = "accuracy")
#' model |> fit(moons$x, moons$y, epochs = 30, verbose = 0)
#' model |> evaluate(moons$x, moons$y)
#' @export
sim_points <- function(n, form = "circles", noise = 0.05) {
  n <- check_count(n, min = 2)
  check_choice(form, point_names())
  noise <- check_number(noise, min = 0)
  if (form == "hills") {
    x <- matrix(stats::runif(2 * n, -1, 1), n)
    y <- hills(x) + stats::rnorm(n, sd = noise)
  } else {
    side <- sample(rep_len(c(-1, 1), n))
    x <- point_forms[[form]](side) + stats::rnorm(2 * n, sd = noise)
    y <- factor(side, levels = c(-1, 1), labels = c("a", "b"))
  }
  list(x = matrix(x, n, dimnames = list(NULL, c("x1", "x2"))), y = y)
}
