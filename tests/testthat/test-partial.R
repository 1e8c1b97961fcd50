# partial(): every curve against a loop over predict().

cars <- transform(mtcars, cyl = factor(cyl))

net <- local({
  set.seed(1)
  lamina(mpg ~ wt + hp + cyl, cars, hidden_units = 4, optimizer = "bfgs", penalty = 0.01, epochs = 60)
})
flowers <- local({
  set.seed(1)
  lamina(Species ~ ., iris, hidden_units = 4, epochs = 30)
})

# Predictions (probabilities for classes) for all rows with columns set to values.
with_values <- function(fit, data, values, ...) {
  for (name in names(values)) data[[name]] <- values[[name]]
  predict(fit, data, ...)
}

# Their mean for each of `values` of one column.
means_at <- function(fit, data, name, values, part = identity, w = rep(1, nrow(data))) {
  vapply(values, function(v) weighted.mean(part(with_values(fit, data, stats::setNames(list(v), name))), w), 0)
}

test_that("without hidden layers the slope is the coefficient", {
  fit <- lamina(mpg ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs")
  exact <- coef(lm(mpg ~ wt + hp, mtcars))
  for (type in c("pdp", "ale")) {
    curve <- partial(fit, "wt", type = type)
    expect_equal(unname(coef(lm(.estimate ~ wt, curve))[2]), exact[["wt"]], tolerance = 1e-4)
    expect_lt(max(abs(residuals(lm(.estimate ~ wt, curve)))), 1e-4)
  }
})

test_that("partial dependence is the mean prediction with the column set to each value", {
  curve <- partial(net, "wt", grid_size = 5)
  expect_s3_class(curve, c("lamina_partial", "data.frame"), exact = TRUE)
  expect_equal(curve$wt, seq(min(cars$wt), max(cars$wt), length.out = 5))
  expect_equal(curve$.estimate, means_at(net, cars, "wt", curve$wt), tolerance = 1e-6)

  steps <- partial(net, "cyl")
  expect_identical(steps$cyl, factor(c("4", "6", "8")))
  expect_equal(steps$.estimate, unname(means_at(net, cars, "cyl", c("4", "6", "8"))), tolerance = 1e-6)

  both <- partial(net, c("hp", "cyl"), grid_size = 3)
  expect_identical(dim(both), c(9L, 3L))
  hand <- mapply(function(h, c) mean(with_values(net, cars, list(hp = h, cyl = as.character(c)))), both$hp, both$cyl)
  expect_equal(both$.estimate, hand, tolerance = 1e-6)
})

test_that("columns of few values have those as their grid", {
  fit <- lamina(mpg ~ wt + gear + vs, transform(mtcars, vs = vs == 1), hidden_units = 0, optimizer = "bfgs")
  expect_identical(partial(fit, "gear")$gear, c(3, 4, 5))
  expect_identical(partial(fit, "vs")$vs, c(FALSE, TRUE))
  exact <- coef(lm(mpg ~ wt + gear + vs, mtcars))
  expect_equal(diff(partial(fit, "vs")$.estimate), exact[["vs"]], tolerance = 1e-4)
})

test_that("ICE is the prediction of each row, and its mean partial dependence", {
  curves <- partial(net, "hp", type = "ice", grid_size = 4)
  grid <- seq(min(cars$hp), max(cars$hp), length.out = 4)
  hand <- sapply(grid, function(v) with_values(net, cars, list(hp = v)))
  expect_identical(nrow(curves), 32L * 4L)
  expect_equal(curves$.estimate, hand[cbind(curves$.row, match(curves$hp, grid))], tolerance = 1e-6)
  expect_equal(as.vector(tapply(curves$.estimate, curves$hp, mean)), partial(net, "hp", grid_size = 4)$.estimate,
               tolerance = 1e-6)
})

# Accumulated local effects, row by row and interval by interval.
ale_by_hand <- function(predict, data, name, size, w = rep(1, nrow(data))) {
  x <- sort(data[[name]])
  z <- unique(x[pmax(1, ceiling(seq(0, 1, length.out = size) * length(x) - 1e-9))])
  sums <- 0
  mass <- numeric()
  for (k in seq_along(z)[-1]) {
    inside <- data[[name]] <= z[k] & (data[[name]] > z[k - 1] | k == 2)
    low <- high <- data[inside, ]
    low[[name]] <- z[k - 1]
    high[[name]] <- z[k]
    sums[k] <- sums[k - 1] + weighted.mean(predict(high) - predict(low), w[inside])
    mass[k - 1] <- sum(w[inside])
  }
  middle <- (sums[-1] + sums[-length(sums)]) / 2
  data.frame(z = z, effect = sums - weighted.mean(middle, mass))
}

test_that("ALE adds up mean local changes, and is centred", {
  for (size in c(4, 9)) {
    curve <- partial(net, "wt", type = "ale", grid_size = size)
    hand <- ale_by_hand(function(d) predict(net, d), cars, "wt", size)
    expect_equal(curve$wt, hand$z)
    expect_equal(curve$.estimate, hand$effect, tolerance = 1e-5)
  }
  # ties, and a class
  curve <- partial(flowers, "Petal.Width", type = "ale", class = "virginica", grid_size = 12)
  hand <- ale_by_hand(function(d) predict(flowers, d)[, "virginica"], iris, "Petal.Width", 12)
  expect_equal(curve$Petal.Width, hand$z)
  expect_equal(curve$.estimate, hand$effect, tolerance = 1e-5)
})

test_that("weights weigh the rows and offsets stay with them", {
  data <- transform(MASS::Insurance, w = rep(c(1, 4), 32), older = as.integer(Age))
  set.seed(1)
  fit <- lamina(Claims ~ District + older, data, family = poisson(), offset = log(Holders), weights = w,
                hidden_units = 3, optimizer = "bfgs", penalty = 0.001, epochs = 50)
  hand <- means_at(fit, data, "older", 1:4, w = data$w)
  expect_equal(partial(fit, "older")$.estimate, hand, tolerance = 1e-6)
  hand <- ale_by_hand(function(d) predict(fit, d), data, "older", 20, data$w)
  expect_equal(partial(fit, "older", type = "ale")$.estimate, hand$effect, tolerance = 1e-5)
  # rows that are given count once each
  hand <- means_at(fit, data[1:20, ], "older", 1:4)
  expect_equal(partial(fit, "older", data = data[1:20, ])$.estimate, hand, tolerance = 1e-6)
})

test_that("classes: the second of two, all of several, or the one asked for", {
  set.seed(1)
  two <- lamina(factor(am, labels = c("auto", "manual")) ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs",
                penalty = 0.01)
  curve <- partial(two, "wt", grid_size = 3)
  expect_equal(curve$.estimate, means_at(two, mtcars, "wt", curve$wt), tolerance = 1e-6)
  expect_equal(partial(two, "wt", grid_size = 3, class = "auto")$.estimate, 1 - curve$.estimate, tolerance = 1e-6)

  all <- partial(flowers, "Petal.Width", grid_size = 3)
  expect_identical(levels(all$.response), levels(iris$Species))
  for (k in 1:3) {
    class <- levels(iris$Species)[k]
    hand <- means_at(flowers, iris, "Petal.Width", unique(all$Petal.Width), function(p) p[, k])
    expect_equal(all$.estimate[all$.response == class], hand, tolerance = 1e-6)
    expect_equal(partial(flowers, "Petal.Width", grid_size = 3, class = class)$.estimate, hand, tolerance = 1e-6)
  }
  ice <- partial(flowers, "Petal.Width", type = "ice", grid_size = 2)
  ends <- predict(flowers, transform(iris[c(7, 7), ], Petal.Width = c(0.1, 2.5)))
  one <- ice$.response == "virginica" & ice$.row == 7
  expect_equal(ice$.estimate[one], unname(ends[, "virginica"]), tolerance = 1e-6)
})

test_that("several outcomes have a curve each, scores of hinge losses stay scores", {
  fit <- lamina(cbind(mpg, qsec) ~ wt + hp, mtcars, hidden_units = 0, optimizer = "bfgs")
  exact <- coef(lm(cbind(mpg, qsec) ~ wt + hp, mtcars))["wt", ]
  curve <- partial(fit, "wt")
  for (name in c("mpg", "qsec")) {
    one <- curve[curve$.response == name, ]
    expect_equal(unname(coef(lm(.estimate ~ wt, one))[2]), exact[[name]], tolerance = 1e-4)
    expect_equal(partial(fit, "wt", class = name)$.estimate, one$.estimate)
  }
  set.seed(1)
  hinge <- lamina(factor(am) ~ wt + hp, mtcars, loss = "hinge", hidden_units = 0, epochs = 5, validation = 0)
  curve <- partial(hinge, "wt", grid_size = 2)
  expect_equal(curve$.estimate, means_at(hinge, mtcars, "wt", curve$wt), tolerance = 1e-6)
})

test_that("rows with missing values are left out of new data", {
  holes <- cars
  holes$hp[3] <- NA
  expect_message(curve <- partial(net, "wt", data = holes, grid_size = 2), "1 of 32 rows",
                 class = "lamina_message_na")
  expect_equal(curve, partial(net, "wt", data = cars[-3, ], grid_size = 2))
})

test_that("bad input is refused", {
  expect_error(partial(net), class = "lamina_error_argument", "variable")
  expect_error(partial(net, "wtt"), class = "lamina_error_argument", "\"wt\"")
  expect_error(partial(net, c("wt", "wt")), class = "lamina_error_argument", "two different")
  expect_error(partial(net, c("wt", "hp", "cyl")), class = "lamina_error_argument")
  expect_error(partial(net, c("wt", "hp"), type = "ice"), class = "lamina_error_argument", "one column")
  expect_error(partial(net, "cyl", type = "ale"), class = "lamina_error_argument", "numeric")
  expect_error(partial(net, "wt", type = "pd"), class = "lamina_error_argument")
  expect_error(partial(net, "wt", grid_size = 1), class = "lamina_error_argument")
  expect_error(partial(net, "wt", class = "mpgg"), class = "lamina_error_argument")
  expect_error(partial(net, "wt", gridsize = 3), class = "lamina_error_argument", "grid_size")
  expect_error(partial(net, pred.var = "wt"), class = "lamina_error_argument", "pdp::partial")
  expect_error(partial(net, "wt", type = "ale", data = cars[c(1, 1), ]), class = "lamina_error_argument", "only one")
  expect_error(partial(3, "wt"), class = "lamina_error_argument", "a fit of lamina")
})

test_that("models and functions of others go to pdp and purrr", {
  skip_if_not_installed("pdp")
  model <- lm(mpg ~ wt, mtcars)
  theirs <- pdp::partial(model, pred.var = "wt", train = mtcars)
  expect_identical(partial(model, pred.var = "wt", train = mtcars), theirs)
  skip_if_not_installed("purrr")
  loadNamespace("purrr")
  expect_identical(partial(paste, "a", sep = "-")("b"), "a-b")
})

test_that("the pictures show the curves", {
  skip_if_not_installed("ggplot2")
  curve <- partial(flowers, "Petal.Width", grid_size = 4)
  drawn <- ggplot2::layer_data(plot(curve), 1)
  expect_equal(drawn$y, curve$.estimate)
  expect_length(unique(drawn$colour), 3)
  marks <- ggplot2::layer_data(plot(curve), 2)
  expect_equal(marks$x, unname(quantile(iris$Petal.Width, 0:10 / 10)))

  ice <- partial(net, "wt", type = "ice", grid_size = 3)
  picture <- plot(ice, rows = 10)
  expect_identical(nrow(ggplot2::layer_data(picture, 1)), 30L)
  expect_equal(ggplot2::layer_data(picture, 2)$y, partial(net, "wt", grid_size = 3)$.estimate, tolerance = 1e-6)

  map <- partial(net, c("wt", "hp"), grid_size = 3)
  cells <- ggplot2::layer_data(plot(map), 1)
  expect_equal(range(cells$xmin, cells$xmax), range(cars$wt) + c(-1, 1) * diff(range(cars$wt)) / 4)
  expect_length(unique(cells$fill[order(map$.estimate)]), 9)

  levels <- ggplot2::layer_data(plot(partial(net, c("cyl", "wt"), grid_size = 3)), 1)
  expect_equal(sort(unique(levels$x)), seq(min(cars$wt), max(cars$wt), length.out = 3))
  expect_length(unique(levels$colour), 3)
})

test_that("deciles of the second column stand at the side of a map, and stretch no scale", {
  skip_if_not_installed("ggplot2")
  map <- plot(partial(net, c("wt", "hp"), grid_size = 3))
  expect_equal(ggplot2::layer_data(map, 2)$x, unname(quantile(cars$wt, 0:10 / 10)))
  expect_equal(ggplot2::layer_data(map, 3)$y, unname(quantile(cars$hp, 0:10 / 10)))
  curve <- ggplot2::ggplot_build(plot(partial(net, "hp")))
  expect_lt(curve$layout$panel_params[[1]]$y.range[2], 50) # miles a gallon, not horse power
})

test_that("dates lie on a line", {
  skip_if_not_installed("ggplot2")
  days <- data.frame(day = as.Date("2020-01-01") + 0:39, g = gl(2, 20))
  days$y <- as.numeric(days$day - days$day[1]) + 3 * (days$g == 2)
  fit <- lamina(y ~ day + g, days, hidden_units = 0, optimizer = "bfgs")
  curve <- partial(fit, "day", grid_size = 5)
  expect_identical(curve$day[c(1, 5)], days$day[c(1, 40)])
  expect_equal(coef(lm(.estimate ~ as.numeric(day), curve))[[2]], 1, tolerance = 1e-3)
  drawn <- ggplot2::layer_data(plot(curve), 1)
  expect_equal(drawn$x, as.numeric(curve$day))
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  expect_error(plot(partial(fit, c("g", "day"), grid_size = 3), method = "base"), NA)
})

test_that("base graphics draw all kinds, and put the settings back", {
  grDevices::pdf(NULL)
  on.exit(grDevices::dev.off())
  graphics::par(mfrow = c(1, 2))
  before <- graphics::par(c("mar", "mgp", "mfrow"))
  kinds <- list(
    partial(flowers, "Petal.Width", grid_size = 3), partial(flowers, "Petal.Width", type = "ice", grid_size = 3),
    partial(flowers, c("Petal.Width", "Petal.Length"), grid_size = 3), partial(net, c("cyl", "wt"), grid_size = 3),
    partial(net, "cyl", type = "ice"), partial(net, "wt", type = "ale")
  )
  for (x in kinds) {
    expect_identical(withVisible(plot(x, method = "base"))$visible, FALSE)
    expect_identical(graphics::par(c("mar", "mgp", "mfrow")), before)
  }
  expect_error(plot(kinds[[1]], method = "lattice"), class = "lamina_error_argument")
  # two pictures side by side on one page
  graphics::par(mfrow = c(1, 2))
  plot(kinds[[1]], method = "base")
  expect_identical(graphics::par("mfg")[1:2], c(1L, 1L))
  plot(kinds[[6]], method = "base")
  expect_identical(graphics::par("mfg")[1:2], c(1L, 2L))
})
